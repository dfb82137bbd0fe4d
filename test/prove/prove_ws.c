/* prove_ws.c - headers, payloads of 0 to 40 bytes, close frames of 0 to 8, and handshakes
 * SPDX-License-Identifier: MIT */
#include "prove.h"

static void headers(void)
{
    for (size_t n = 0; n <= SIO_WS_HEADER; n++) {
        sio_ws_head h;
        int size = sio_ws_parse_header((unsigned char *)any(n), n, &h);
        //@ assert -1009 <= size <= 14;
    }
    for (int k = 0; k < 3; k++) {
        static const size_t room[] = { 2, 4, 10 };
        static const uint64_t least[] = { 0, 126, 65536 }, most[] = { 125, 65535, UINT64_MAX };
        uint64_t len = Frama_C_unsigned_long_interval(least[k], most[k]);
        unsigned char op = (unsigned char)Frama_C_interval(0, 15), back;
        size_t back_len;
        char *memory = malloc(room[k]);
        size_t size = sio_ws_header_before(memory + room[k], op, len);
        //@ assert size == room[k];
        sio_ws_own_header(memory, &back, &back_len);
    }
}

static void payloads(void)
{
    unsigned char *key = (unsigned char *)any(4);
    for (size_t n = 0; n <= 40; n++)
        sio_ws_unmask((unsigned char *)any(n), n, key);
    for (size_t n = 0; n <= 8; n++) {
        int code = sio_ws_close_code((unsigned char *)any(n), n);
        //@ assert -1007 <= code <= 65535;
    }
}

/* Two fields of any text, with names that the handshake looks at. */
static void handshakes(void)
{
    static const char *const names[] = { "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version" };
    sio_http_head h;
    h.method = any_span(3);
    h.minor = Frama_C_interval(0, 1);
    h.n_fields = 3;
    for (int i = 0; i < 3; i++) {
        h.field[i].name = (sio_span){ names[i], strlen(names[i]) };
        h.field[i].value = any_span(i == 0 ? 9 : i == 1 ? 24 : 2);
    }
    bool hint;
    if (sio_ws_check(&h, &hint) == NULL) {
        char out[28];
        sio_ws_accept_key(sio_http_single(&h, "Sec-WebSocket-Key"), out);
    }
    for (size_t n = 20; n < 26; n++) {
        h.field[1].value = any_span(n);
        sio_ws_check(&h, &hint);
    }
}

int main(void)
{
    headers();
    payloads();
    handshakes();
    return 0;
}
