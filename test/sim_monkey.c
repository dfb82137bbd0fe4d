/* sim_monkey.c - an application whose every callback does anything
 * SPDX-License-Identifier: MIT
 *
 * A seed decides everything: build/sim_monkey SEED plays that one alone, and MONKEYS=10000 in the
 * environment says how many there are. What must hold is said in monkey.h. */
#define _POSIX_C_SOURCE 200809L  // alarm
#include "lib.h"
#include "monkey.h"

#include <unistd.h>

static uint64_t seed, state_of_choice;

static size_t pick(size_t n)
{
    state_of_choice = state_of_choice * 6364136223846793005u + 1442695040888963407u;
    return (size_t)((state_of_choice >> 33) % n);
}

static bool always(void)
{
    return true;
}

static void fail_saying(const char *text)
{
    fail_msg("seed %llu: %s", (unsigned long long)seed, text);
}

static void play_seed(uint64_t number)
{
    seed = number;
    state_of_choice = number * 77777 + 1;
    alarm(600);  // it hangs
    play_monkey(number, always);
}

static void no_seed_breaks_the_server(void **state)
{
    const char *monkeys = getenv("MONKEYS");
    uint64_t n = monkeys == NULL ? 300 : strtoull(monkeys, NULL, 10);
    long connections = 0;
    (void)state;
    sim_fail = fail_saying;
    for (uint64_t i = 1; i <= n; i++) {
        play_seed(i);
        connections += m.connections;
    }
    assert_true(connections > (long)n);  // somebody came
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(no_seed_breaks_the_server) };
    if (argc < 2)
        return cmocka_run_group_tests(tests, NULL, NULL);
    play_seed(strtoull(argv[1], NULL, 10));
    return 0;
}
