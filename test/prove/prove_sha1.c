/* prove_sha1.c - messages around each edge of a block: all ways through the padding
 * SPDX-License-Identifier: MIT */
#include "prove.h"

int main(void)
{
    static const size_t sizes[] = { 0, 1, 55, 56, 63, 64, 65, 128 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char digest[20];
        sio_sha1(any(sizes[i]), sizes[i], digest);
    }
    return 0;
}
