/* fuzz_ws.c - any bytes as a WebSocket frame, a close frame's payload and a handshake
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - More bytes do not change an answer that was given; no byte beyond a cut is read.
 *  - A header that is accepted, written anew by the rules of RFC 6455, 5.2, has the same bytes.
 *  - Unmasking twice changes nothing, and the cuts of a payload don't matter.
 *  - Our own headers read back. A close code that is accepted is one of 7.4's. */
#include "fuzz.h"

static int parse(const uint8_t *data, size_t n, sio_ws_head *h)
{
    char *copy = exact(data, n);
    int got = sio_ws_parse_header((unsigned char *)copy, n, h);
    free(copy);
    return got;
}

static void check_header(const uint8_t *data, size_t n)
{
    sio_ws_head h, cut;
    int whole = parse(data, n, &h);
    for (size_t i = 0; i < n && i <= SIO_WS_HEADER; i++) {
        int early = parse(data, i, &cut);
        must(early == 0 || early == whole, "more bytes don't change an answer");
        must(early <= (int)i, "a header is in the bytes that were given");
    }
    must(whole <= SIO_WS_HEADER && whole <= (int)(n < 100 ? n : 100), "a header has its limit");
    must(whole != 0 || n < SIO_WS_HEADER, "14 bytes are enough");
    if (whole <= 0)
        return;

    uint8_t want[SIO_WS_HEADER] = { (uint8_t)((h.fin ? 0x80 : 0) | h.op) };
    size_t k = 2, bytes = h.len < 126 ? 0 : h.len < 65536 ? 2 : 8;
    want[1] = (uint8_t)(0x80 | (bytes == 0 ? h.len : bytes == 2 ? 126 : 127));
    for (size_t i = bytes; i-- > 0;)
        want[k++] = (uint8_t)(h.len >> i * 8);
    memcpy(want + k, h.key, 4);
    must(whole == (int)k + 4 && memcmp(want, data, k + 4) == 0, "written anew it is the same");
    must(h.op < 8 || (h.fin && h.len < 126), "control frames are short and whole");
}

static void check_mask(const uint8_t *data, size_t n)
{
    unsigned char key[4] = { 1, 2, 4, 8 };
    memcpy(key, data, n < 4 ? n : 4);
    unsigned char *p = (unsigned char *)exact(data, n);
    sio_ws_unmask(p, n, key);
    for (size_t i = 0; i < n; i++)
        must(p[i] == (data[i] ^ key[i % 4]), "unmasking is section 5.3's");
    sio_ws_unmask(p, n, key);
    must(n == 0 || memcmp(p, data, n) == 0, "unmasking twice changes nothing");
    free(p);
}

static void check_own(const uint8_t *data, size_t n)
{
    size_t len = 0, back, size;
    for (size_t i = 0; i < n && i < sizeof len - 1; i++)
        len = len << 8 | data[i];
    char room[10];
    unsigned char op;
    size = sio_ws_header_before(room + 10, SIO_WS_TEXT, len);
    must(sio_ws_own_header(room + 10 - size, &op, &back) == size, "our headers have their length");
    must(op == SIO_WS_TEXT && back == len, "our headers read back");
}

static void check_close(const uint8_t *data, size_t n)
{
    int code = sio_ws_close_code(data, n);
    if (code == SIO_WS_NO_CODE) {
        must(n == 0, "only an empty body has no code");
        return;
    }
    must(code == -SIO_WS_PROTOCOL_ERROR || code == -SIO_WS_INVALID_DATA || code >= 1000,
         "it is a code");
    if (code > 0) {
        must(n >= 2 && (data[0] << 8 | data[1]) == code, "it is the code that came");
        must(code < 1004 || (code > 1006 && code < 1015) || (code > 2999 && code < 5000), "7.4");
        must(sio_utf8_prefix((const char *)data + 2, n - 2) == n - 2, "its reason is UTF-8");
    }
}

static void check_handshake(const uint8_t *data, size_t n)
{
    static sio_http_head head;
    bool hint;
    if (sio_http_parse((const char *)data, n, &head) <= 0 || sio_ws_check(&head, &hint) != NULL)
        return;
    sio_span key = sio_http_field_of(&head, "sec-websocket-key");
    char bytes[20], out[28];
    must(key.n == 24 && sio_base64_decode(key.p, 24, bytes) == 16, "4.1: a key is 16 bytes");
    sio_ws_accept_key(key, out);
    must(sio_base64_decode(out, 28, bytes) == 20, "4.2.2: the answer is a digest");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    check_header(data, n);
    check_mask(data, n);
    check_own(data, n);
    check_close(data, n);
    check_handshake(data, n);
    return 0;
}
