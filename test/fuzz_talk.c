#define _POSIX_C_SOURCE 200809L  // of sim.c
/* fuzz_talk.c - a whole conversation that the input chooses
 * SPDX-License-Identifier: MIT
 *
 * Each choice takes a byte; the conversation ends with the input. What must hold is said in talk.h. */
#include "sim.c"

#include "talk.h"

static const uint8_t *next, *end;

static size_t pick(size_t n)
{
    return next < end ? *next++ % n : 0;
}

static bool is_left(void)
{
    return next < end;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n > 1000)
        return 0;
    next = p, end = p + n;
    converse();
    return 0;
}
