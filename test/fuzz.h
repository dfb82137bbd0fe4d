/* fuzz.h - what all fuzzers and tests need
 * SPDX-License-Identifier: MIT */
#ifndef TEST_FUZZ_H
#define TEST_FUZZ_H

#include "sio_core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* A copy in memory of exactly n bytes: a sanitizer notices who reads or writes one byte too far. */
static inline char *exact(const void *p, size_t n)
{
    char *copy = calloc(n, 1);
    if (copy == NULL && n > 0)
        abort();
    if (n > 0)
        memcpy(copy, p, n);
    return copy;
}

/* What a fuzzer claims. */
static inline void must(bool holds, const char *claim)
{
    if (holds)
        return;
    fprintf(stderr, "not so: %s\n", claim);
    abort();
}

static inline bool same(sio_span a, sio_span b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

#endif
