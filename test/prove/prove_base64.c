/* prove_base64.c - bytes and texts of 0 to 16, to memory of the size that codec.h asks for
 * SPDX-License-Identifier: MIT */
#include "prove.h"

int main(void)
{
    for (size_t n = 0; n <= 16; n++) {
        char *p = any(n);
        size_t size = sio_base64_size(n);
        size_t used = sio_base64_encode(p, n, malloc(size));
        //@ assert used == size;
        used = sio_base64url_encode(p, n, malloc((n * 8 + 5) / 6));
        //@ assert used <= size;
        ptrdiff_t got = sio_base64_decode(p, n, malloc(n / 4 * 3 + 2));
        //@ assert -1 <= got <= n / 4 * 3 + 2;
    }
    return 0;
}
