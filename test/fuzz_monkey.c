#define _POSIX_C_SOURCE 200809L  // of sim.c
/* fuzz_monkey.c - an application whose every callback does anything that the input says
 * SPDX-License-Identifier: MIT
 *
 * Each choice takes a byte, or two where there are more than 256 ways. When the input is used up no
 * client does any more; what the callbacks choose then comes from a generator. What must hold is said
 * in monkey.h. */
#include "sim.c"

#include "monkey.h"

static const uint8_t *next, *end;
static uint64_t state_of_choice;

static size_t pick(size_t n)
{
    size_t choice;
    if (next < end) {
        choice = *next++;
    } else {
        state_of_choice = state_of_choice * 6364136223846793005u + 1442695040888963407u;
        choice = (size_t)(state_of_choice >> 33);
    }
    if (n > 256 && next < end)
        choice = choice << 8 | *next++;
    return choice % n;
}

static bool is_left(void)
{
    return next < end;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n > 6000)
        return 0;
    next = p, end = p + n;
    state_of_choice = n;
    play_monkey(n, is_left);
    return 0;
}
