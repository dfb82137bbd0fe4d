/* prove_json.c - texts of 0 to 5 bytes: checked, and as UTF-8
 * SPDX-License-Identifier: MIT */
#include "prove.h"

int main(void)
{
    for (size_t n = 0; n <= 5; n++) {
        sio_json_index index;
        char *p = any(n);
        size_t good = sio_utf8_prefix(p, n);
        //@ assert good <= n;
        if (good == n)
            sio_json_check(p, n, 4, &index);
    }
    return 0;
}
