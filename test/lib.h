/* lib.h - what all unit tests need
 * SPDX-License-Identifier: MIT
 *
 * Tables come first in each test: a case is a line, its first column is the rule and the section it
 * is from. A case that fails says so with fail_msg and that column. */
#ifndef TEST_LIB_H
#define TEST_LIB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <time.h>

#include "fuzz.h"

#define COUNT(table) (sizeof table / sizeof *table)

/* The bytes of a string literal that may hold NUL, and how many. */
#define BYTES(literal) literal, sizeof literal - 1

/* n equal bytes on the heap. */
static inline char *filled(size_t n, char c)
{
    char *p = malloc(n + 1);
    if (p == NULL)
        abort();
    memset(p, c, n);
    p[n] = '\0';
    return p;
}

/* What sim_fail is, where a claim of the simulator that is broken is to fail one test and not to abort. */
static inline void fail_with(const char *text)
{
    fail_msg("%s", text);
}

/* Processor time. What is linear takes milliseconds where what is quadratic takes minutes: a bound of
 * LINEAR seconds tells them apart on any machine, under sanitizers as well. */
#ifndef LINEAR  // of other measure under valgrind
#define LINEAR 5.0
#endif
static inline double seconds(void)
{
    return (double)clock() / CLOCKS_PER_SEC;
}

#endif
