#define _POSIX_C_SOURCE 200809L  // of sim.c
/* test_talk.c - whole conversations, by seed
 * SPDX-License-Identifier: MIT
 *
 * A seed decides everything: build/test_talk SEED plays that conversation alone, and TALKS=1000000 in the
 * environment says how many there are. What must hold is said in talk.h. The rate is printed: small
 * conversations, of some ten steps, in a second of one processor. */
#include "lib.h"
#include "sim.c"

#include "talk.h"

static uint64_t seed, state_of_choice;
static size_t left;  // choices

static size_t pick(size_t n)
{
    state_of_choice = state_of_choice * 6364136223846793005u + 1442695040888963407u;
    left -= left > 0;
    return left == 0 ? 0 : (size_t)((state_of_choice >> 33) % n);
}

static bool is_left(void)
{
    return left > 0;
}

static void fail_saying(const char *text)
{
    fail_msg("seed %llu: %s", (unsigned long long)seed, text);
}

/* choices: how long it is. */
static void play_seed(uint64_t number, size_t choices)
{
    seed = number;
    state_of_choice = number * 77777 + 1;
    left = choices;
    converse();
}

static void end_of_server(void)
{
    if (talk.io != NULL)
        sim_free(talk.io);
    talk.io = NULL;
}

static uint64_t how_many(uint64_t n)
{
    const char *talks = getenv("TALKS");
    return talks == NULL ? n : strtoull(talks, NULL, 10);
}

static void small_conversations_are_heard_as_they_were_said(void **state)
{
    uint64_t n = how_many(20000);
    double before = seconds();
    (void)state;
    for (uint64_t i = 1; i <= n; i++)
        play_seed(i, 40);
    double took = seconds() - before;
    print_message("%.0f small conversations a second\n", took > 0 ? (double)n / took : 0);
    end_of_server();
}

static void long_conversations_are_too(void **state)
{
    uint64_t n = how_many(4000);
    (void)state;
    for (uint64_t i = 1; i <= n; i++)
        play_seed(i, 1000);
    end_of_server();
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_conversations_are_heard_as_they_were_said),
        cmocka_unit_test(long_conversations_are_too),
    };
    sim_fail = fail_saying;
    if (argc < 2)
        return cmocka_run_group_tests(tests, NULL, NULL);
    sim_fail = abort_saying;
    play_seed(strtoull(argv[1], NULL, 10), argc > 2 ? strtoul(argv[2], NULL, 10) : 1000);
    end_of_server();
    return 0;
}
