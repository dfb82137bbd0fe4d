/* ws.c - WebSocket frames and handshakes, as a server reads and writes them: RFC 6455
 * SPDX-License-Identifier: MIT
 *
 *     byte 0          byte 1       0, 2 or 8 bytes   4 bytes if M    len bytes
 *    +-+---+--------+-+---------+-----------------+--------------+-------------+
 *    |F|RSV| opcode |M| len or  | len, when byte 1| masking key  | payload,    |
 *    |1| 3 | 4 bits |1| 126,127 | says 126 or 127 |              | masked if M |
 *    +-+---+--------+-+---------+-----------------+--------------+-------------+
 *
 * A message is one frame with F set, or a first frame without it, then continuations up to one
 * with F set. Control frames may stand between them (5.4); net_frames.c puts messages together.
 *
 * What holds here:
 *  - No function reads outside the n bytes it was given, keeps state between calls, or allocates.
 *  - A frame that will be refused is refused on its header, before its payload is buffered.
 *  - A length from the wire is compared with a limit before it is added to anything.
 *
 * Left out: extensions (permessage-deflate). RSV1-3 set is therefore a protocol error. */
#include "codec.h"

/* ---- Frames --------------------------------------------------------------------------------- */

static uint64_t load_be(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

int sio_ws_parse_header(const unsigned char *p, size_t n, sio_ws_head *out)
{
    if (n < 2)
        return 0;
    sio_ws_head h = { .fin = p[0] & 0x80, .op = p[0] & 0x0f, .len = p[1] & 0x7f };

    if (p[0] & 0x70)  // 5.2: no extension was negotiated, so RSV1-3 are 0
        return -SIO_WS_PROTOCOL_ERROR;
    if ((h.op > SIO_WS_BINARY && h.op < SIO_WS_CLOSE) || h.op > SIO_WS_PONG)
        return -SIO_WS_PROTOCOL_ERROR;  // 5.2: opcodes 3-7 and B-F are reserved
    if (!(p[1] & 0x80))                 // 5.1: a client masks every frame
        return -SIO_WS_PROTOCOL_ERROR;
    if (h.op >= SIO_WS_CLOSE && (!h.fin || h.len > 125))  // 5.5: control frames: short and whole
        return -SIO_WS_PROTOCOL_ERROR;

    size_t ext = h.len == 126 ? 2 : h.len == 127 ? 8 : 0;
    size_t size = 2 + ext + sizeof h.key;
    if (n < size)
        return 0;
    if (ext > 0)
        h.len = load_be(p + 2, ext);
    if (h.len >> 63)  // 5.2: the top bit is 0; nothing can be that long
        return -SIO_WS_TOO_BIG;
    if ((ext == 2 && h.len < 126) || (ext == 8 && h.len < 65536))
        return -SIO_WS_PROTOCOL_ERROR;  // 5.2: the shortest form

    memcpy(h.key, p + 2 + ext, sizeof h.key);
    *out = h;
    return (int)size;
}

void sio_ws_unmask(unsigned char *p, size_t n, const unsigned char key[4])
{
    uint32_t half, w;
    memcpy(&half, key, 4);
    uint64_t word = (uint64_t)half << 32 | half, v;  // the key twice, in either byte order

    size_t i = 0;
    for (; n - i >= 8; i += 8) {  // 5.3, eight bytes at a time
        memcpy(&v, p + i, 8);
        v ^= word;
        memcpy(p + i, &v, 8);
    }
    if (n - i >= 4) {
        memcpy(&w, p + i, 4);
        w ^= half;
        memcpy(p + i, &w, 4);
        i += 4;
    }
    for (; i < n; i++)
        p[i] ^= key[i & 3];
}

size_t sio_ws_header_before(char *out, unsigned char op, uint64_t len)
{
    size_t ext = len < 126 ? 0 : len < 65536 ? 2 : 8;
    char *p = out - 2 - ext;
    p[0] = (char)(0x80 | op);
    p[1] = (char)(ext == 0 ? (unsigned char)len : ext == 2 ? 126 : 127);
    for (; out > p + 2; len >>= 8)
        *--out = (char)(len & 0xff);
    return 2 + ext;
}

size_t sio_ws_own_header(const char *p, unsigned char *op, size_t *len)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t ext = u[1] == 126 ? 2 : u[1] == 127 ? 8 : 0;
    *op = u[0] & 0x0f;
    *len = ext == 0 ? u[1] : (size_t)load_be(u + 2, ext);
    return 2 + ext;
}

bool sio_ws_is_code(int code)
{
    if (code >= 3000 && code <= 4999)
        return true;
    return code >= 1000 && code <= 1014 && (code < 1004 || code > 1006);
}

int sio_ws_close_code(const unsigned char *p, size_t n)
{
    if (n == 0)
        return SIO_WS_NO_CODE;
    if (n == 1)
        return -SIO_WS_PROTOCOL_ERROR;  // 5.5.1: a body begins with two bytes of code
    int code = (int)load_be(p, 2);
    if (!sio_ws_is_code(code))
        return -SIO_WS_PROTOCOL_ERROR;
    if (sio_utf8_prefix((const char *)p + 2, n - 2) != n - 2)
        return -SIO_WS_INVALID_DATA;  // 5.5.1, 8.1: the reason is UTF-8
    return code;
}

/* ---- Handshake ------------------------------------------------------------------------------- */

/* 4.2.1: 16 bytes in Base64. */
static bool is_key(sio_span key)
{
    if (key.n != 24 || key.p[22] != '=' || key.p[23] != '=')
        return false;
    for (size_t i = 0; i < 22; i++) {
        char c = key.p[i];
        bool digit = (c >= '0' && c <= '9') || c == '+' || c == '/';
        if (!digit && !(c >= 'A' && c <= 'Z') && !(c >= 'a' && c <= 'z'))
            return false;
    }
    return true;
}

/* 4.2.1. A field that is there twice is none: 11.3.1 and 11.3.5 forbid it, and who looks at the first
 * and who looks at the last must not shake different hands. Version 8 is a draft's (11.6), which the
 * reference takes as well. */
const char *sio_ws_check(const sio_http_head *head, bool *version_hint)
{
    *version_hint = false;
    if (!sio_span_is(head->method, "GET"))
        return "Invalid HTTP method";
    if (head->minor == 0)
        return "Invalid HTTP version";
    if (!sio_span_is_nocase(sio_http_single(head, "Upgrade"), "websocket"))
        return "Invalid Upgrade header";
    if (!is_key(sio_http_single(head, "Sec-WebSocket-Key")))
        return "Missing or invalid Sec-WebSocket-Key header";
    sio_span version = sio_http_single(head, "Sec-WebSocket-Version");
    if (!sio_span_is(version, "13") && !sio_span_is(version, "8")) {
        *version_hint = true;
        return "Missing or invalid Sec-WebSocket-Version header";
    }
    return NULL;
}

void sio_ws_accept_key(sio_span key, char out[28])
{
    static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // 1.3
    char text[24 + sizeof guid - 1];
    unsigned char digest[20];
    memcpy(text, key.p, 24);
    memcpy(text + 24, guid, sizeof guid - 1);
    sio_sha1(text, sizeof text, digest);
    sio_base64_encode(digest, sizeof digest, out);
}
