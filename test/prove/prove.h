/* prove.h - any bytes, in memory of exactly their size, for the proofs
 * SPDX-License-Identifier: MIT */
#include "codec.h"

#include <__fc_builtin.h>
#include <stdlib.h>

/* n bytes that may be anything. Only called with an n that is one number. */
static char *any(size_t n)
{
    char *p = malloc(n);
    if (n > 0)
        Frama_C_make_unknown(p, n);
    return p;
}

static sio_span any_span(size_t n)
{
    return (sio_span){ any(n), n };
}
