/* packet.c - Socket.IO packets (protocol 5), and the payloads of Engine.IO's polling (protocol 4)
 * SPDX-License-Identifier: MIT
 *
 *     packet = type [ attachments "-" ] [ namespace "," ] [ id ] [ json ]
 *
 *     2["hello",1]                      an event in "/"
 *     2/chat,12["hello"]                an event in "/chat" that asks for acknowledgement 12
 *     3/chat,12["there"]                that acknowledgement
 *     51-["data",{"_placeholder":true,"num":0}]      an event with one attachment, which follows
 *                                                    as a binary message of its own
 *
 * The first byte tells the type, and the types allow different payloads. The JSON is checked here,
 * once; whoever gets the packet walks it without checking again.
 *
 * Stricter than the reference where that is allowed: an event without a payload, white space before
 * the payload or in the id, and a count of attachments with a sign or a leading zero are refused. */
#include "codec.h"

/* B07, B08: takes "N-" from p: N is 1 to max, without a leading zero. Returns the bytes, 0: refuse. */
static size_t take_attachments(const char *p, size_t n, size_t max, unsigned *out)
{
    size_t i = 0, v = 0;
    while (i < n && i < 5 && sio_is_digit(p[i]))
        v = v * 10 + (size_t)(p[i++] - '0');
    if (i == 0 || p[0] == '0' || i == n || p[i] != '-' || v > max)
        return 0;
    *out = (unsigned)v;
    return i + 1;
}

/* Takes "/name," or "/name" at the end. Returns the bytes; 0: there is none, so it is "/". */
static size_t take_namespace(const char *p, size_t n, sio_span *out)
{
    *out = SIO_SPAN("/");
    if (n == 0 || p[0] != '/')
        return 0;
    const char *comma = memchr(p, ',', n);
    *out = (sio_span){ p, comma == NULL ? n : (size_t)(comma - p) };
    return comma == NULL ? n : out->n + 1;
}

/* S25: takes digits. Returns how many; -1: more than 64 bits hold. */
static ptrdiff_t take_id(const char *p, size_t n, uint64_t *out)
{
    size_t i = 0;
    uint64_t v = 0;
    for (; i < n && sio_is_digit(p[i]); i++) {
        uint64_t d = (uint64_t)(p[i] - '0');
        if (v > (UINT64_MAX - d) / 10)
            return -1;
        v = v * 10 + d;
    }
    *out = v;
    return (ptrdiff_t)i;
}

bool sio_packet_reserved(const char *name, size_t n)
{
    static const struct {
        size_t n;
        const char *text;
    } names[] = { { 7, "connect" },        { 10, "disconnect" },    { 11, "newListener" },
                  { 13, "connect_error" }, { 13, "disconnecting" }, { 14, "removeListener" } };
    for (size_t i = 0; n >= 7 && i < sizeof names / sizeof *names; i++)
        if (names[i].n == n && memcmp(name, names[i].text, n) == 0)
            return true;
    return false;
}

/* An event's name is a number, or a string (S17, S18) that is not reserved (S19). */
static bool check_event_name(sio_packet *k)
{
    sio_span s = k->index.element[0];
    if (s.p[0] != '"')
        return s.p[0] == '-' || sio_is_digit(s.p[0]);
    k->escaped = memchr(s.p, '\\', s.n) != NULL;
    if (!k->escaped)
        return !sio_packet_reserved(s.p + 1, s.n - 2);
    char text[128];  // escaped six times over, a reserved name is shorter
    return s.n > sizeof text || !sio_packet_reserved(text, sio_json_unescape(s, text));
}

/* Whether a packet of that type may have that payload, which is valid JSON or absent. */
static bool fits_type(sio_packet *k)
{
    char first = k->json.n > 0 ? k->json.p[0] : '\0';
    switch (k->type) {
    case SIO_CONNECT:
        return first == '\0' || first == '{';  // S05
    case SIO_DISCONNECT:
        return first == '\0';  // S13
    case SIO_EVENT:
    case SIO_BINARY_EVENT:
        return first == '[' && k->index.count > 0 && check_event_name(k);
    case SIO_ACK:
        return first == '\0' || first == '[';  // S30
    case SIO_BINARY_ACK:
        return first == '[';
    default:
        return false;  // S28: CONNECT_ERROR comes from servers only
    }
}

int sio_packet_parse(const char *p, size_t n, size_t max_attachments, size_t depth, sio_packet *k)
{
    if (n == 0 || p[0] < '0' || p[0] > '6')  // S23
        return -1;
    k->type = (unsigned char)(p[0] - '0');
    k->escaped = false;
    k->attachments = 0;
    k->index.count = 0;
    p++, n--;
    if (k->type == SIO_BINARY_EVENT || k->type == SIO_BINARY_ACK) {
        size_t used = take_attachments(p, n, max_attachments, &k->attachments);
        if (used == 0)
            return -1;
        p += used, n -= used;
    }
    size_t used = take_namespace(p, n, &k->ns);
    p += used, n -= used;
    ptrdiff_t digits = take_id(p, n, &k->id);
    if (digits < 0)
        return -1;
    k->has_id = digits > 0;
    k->json = (sio_span){ p + digits, n - (size_t)digits };

    /* S21, S22, S24: what is behind the id is JSON, with nothing in front of it. */
    if (k->json.n > 0 && ((unsigned char)k->json.p[0] <= ' ' ||
                          !sio_json_check(k->json.p, k->json.n, depth, &k->index)))
        return -1;
    return fits_type(k) ? 0 : -1;
}

/* ---- Attachments --------------------------------------------------------------------------------- */

/* B05: whether the object that begins at p is a placeholder; its number then. */
static bool is_placeholder(const char *p, const char *end, int64_t *num)
{
    bool found = false;
    *num = -1;
    do {
        sio_span name = sio_json_value(p + 1, (size_t)(end - p) - 1);  // behind '{' or ','
        if (name.n == 0)
            break;
        const char *colon = memchr(name.p + name.n, ':', (size_t)(end - name.p) - name.n);
        p = sio_json_skip(colon + 1, end);
        if (*p == '{' || *p == '[')
            break;
        sio_span value = sio_json_value(p, (size_t)(end - p));
        if (sio_json_text_is(name, "_placeholder", 12))
            found = sio_span_is(value, "true");
        else if (sio_json_text_is(name, "num", 3) && !sio_json_integer(value, num))
            *num = -1;
        p = sio_json_skip(value.p + value.n, end);
    } while (*p == ',');
    return found;
}

bool sio_packet_placeholder(sio_span json, size_t *at, sio_span *object, int64_t *num)
{
    const char *p = json.p + *at, *end = json.p + json.n;
    while (p < end) {
        if (*p == '"') {
            p += sio_json_value(p, (size_t)(end - p)).n;
            continue;
        }
        if (*p == '{' && is_placeholder(p, end, num)) {
            *object = sio_json_value(p, (size_t)(end - p));
            *at = (size_t)(object->p + object->n - json.p);
            return true;
        }
        p++;
    }
    *at = json.n;
    return false;
}

/* ---- Payloads of Engine.IO 4 --------------------------------------------------------------------- */

bool sio_payload_next(sio_span payload, size_t *at, sio_span *packet)
{
    if (*at > payload.n)
        return false;
    const char *p = payload.p + *at;
    size_t n = payload.n - *at;
    const char *separator = n == 0 ? NULL : memchr(p, 0x1e, n);
    *packet = (sio_span){ p, separator == NULL ? n : (size_t)(separator - p) };
    *at += packet->n + 1;
    return true;
}
