/* fuzz_packet.c - any bytes as a Socket.IO packet, as JSON with placeholders and as a payload
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - A packet that is accepted, written anew from its parts, is accepted with the same parts.
 *  - Its parts lie inside and obey S13, S17, S19, S28 and S30 of PROTOCOL.md; limits are kept.
 *  - The walk over placeholders ends, goes forward, stays inside, and finds what a recursive walk
 *    finds.
 *  - The packets of a payload, joined again, are the payload. */
#include "fuzz.h"

static bool is_inside(sio_span s, const char *p, size_t n)
{
    return s.p >= p && s.n <= n && (size_t)(s.p - p) <= n - s.n;
}

/* ---- Packets --------------------------------------------------------------------------------- */

static void check_rules(const sio_packet *k, const char *p, size_t n)
{
    char first = k->json.n > 0 ? k->json.p[0] : '-';
    bool binary = k->type == SIO_BINARY_EVENT || k->type == SIO_BINARY_ACK;
    must(k->type == p[0] - '0' && k->type != SIO_CONNECT_ERROR, "2.2: a client's type");
    must(binary ? k->attachments >= 1 && k->attachments <= 10 : k->attachments == 0,
         "2.6: 1 to 10");
    must(k->ns.n > 0 && k->ns.p[0] == '/', "2.1: a namespace begins with /");
    must(memchr(k->ns.p, ',', k->ns.n) == NULL, "2.1: and ends at its comma");
    must(sio_span_is(k->ns, "/") || is_inside(k->ns, p, n), "a namespace lies inside");
    must(k->json.n == 0 || (is_inside(k->json, p, n) && k->json.p + k->json.n == p + n),
         "the payload is the rest");
    must(k->json.n == 0 || sio_json_check(k->json.p, k->json.n, 64, NULL), "the payload is JSON");
    must(k->type != SIO_CONNECT || first == '-' || first == '{', "2.2: CONNECT");
    must(k->type != SIO_DISCONNECT || first == '-', "2.2: DISCONNECT");
    must(k->type != SIO_ACK || first == '-' || first == '[', "2.2: ACK");
    must((k->type != SIO_EVENT && !binary) || first == '[', "2.2: EVENT, and binary ones");
    if (k->type == SIO_EVENT || k->type == SIO_BINARY_EVENT) {
        sio_span name, value;
        sio_json_walk w = sio_json_open(sio_json_value(k->json.p, k->json.n));
        must(sio_json_next(&w, &name, &value), "2.2: an event has a name");
        must(strchr("\"-0123456789", value.p[0]) != NULL, "2.2: a string or a number");
        must(!sio_json_text_is(value, "connect", 7) && !sio_json_text_is(value, "disconnect", 10) &&
                 !sio_json_text_is(value, "removeListener", 14),
             "2.2: not a reserved one");
    }
}

static void write_anew(const sio_packet *k, size_t n)
{
    char *text = malloc(n + 32);
    size_t at = (size_t)sprintf(text, "%d", k->type);
    if (k->attachments > 0)
        at += (size_t)sprintf(text + at, "%u-", k->attachments);
    memcpy(text + at, k->ns.p, k->ns.n);
    at += k->ns.n;
    text[at++] = ',';
    if (k->has_id)
        at += (size_t)sprintf(text + at, "%llu", (unsigned long long)k->id);
    if (k->json.n > 0)
        memcpy(text + at, k->json.p, k->json.n);
    char *copy = exact(text, at + k->json.n);
    sio_packet again;
    must(sio_packet_parse(copy, at + k->json.n, 10, 64, &again) == 0,
         "written anew it is accepted");
    must(again.type == k->type && again.attachments == k->attachments && again.id == k->id &&
             again.has_id == k->has_id && same(again.ns, k->ns) && same(again.json, k->json) &&
             again.index.count == k->index.count,
         "with the same parts");
    free(text);
    free(copy);
}

static void check_packet(const char *p, size_t n)
{
    sio_packet k;
    int got = sio_packet_parse(p, n, 10, 64, &k);
    must(got == 0 || got == -1, "accepted or refused");
    if (got == 0) {
        check_rules(&k, p, n);
        write_anew(&k, n);
        sio_packet less;
        must(k.attachments == 0 || sio_packet_parse(p, n, k.attachments - 1, 64, &less) == -1,
             "the limit of attachments is kept");
    }
}

/* ---- Attachments ----------------------------------------------------------------------------- */

typedef struct found {
    size_t count;
    int64_t sum;
} found;

/* Whether s is a placeholder as B05 and packet.c say; members behind a container don't
 * count. */
static bool is_placeholder(sio_span s, int64_t *num)
{
    sio_span name, value;
    bool is = false;
    *num = -1;
    for (sio_json_walk w = sio_json_open(s); sio_json_next(&w, &name, &value);) {
        if (value.p[0] == '{' || value.p[0] == '[')
            break;
        if (sio_json_text_is(name, "_placeholder", 12))
            is = sio_span_is(value, "true");
        if (sio_json_text_is(name, "num", 3) && !sio_json_integer(value, num))
            *num = -1;
    }
    return is;
}

static void find(sio_span s, found *f)
{
    sio_span name, value;
    int64_t num;
    if (s.p[0] != '{' && s.p[0] != '[')
        return;
    if (s.p[0] == '{' && is_placeholder(s, &num)) {
        f->count++;
        f->sum += num % 1000 * (int64_t)f->count;
        return;
    }
    for (sio_json_walk w = sio_json_open(s); sio_json_next(&w, &name, &value);)
        find(value, f);
}

static void check_placeholders(const char *p, size_t n)
{
    found want = { 0 }, got = { 0 };
    sio_span object;
    int64_t num;
    size_t at = 0, before = 0;
    if (!sio_json_check(p, n, 64, NULL))
        return;
    find(sio_json_value(p, n), &want);
    while (sio_packet_placeholder((sio_span){ p, n }, &at, &object, &num)) {
        must(at > before && at <= n, "the walk goes forward, inside");
        must(object.p >= p + before && object.p + object.n == p + at, "so do the objects");
        must(sio_json_check(object.p, object.n, 64, NULL), "an object is a text of its own");
        got.count++;
        got.sum += num % 1000 * (int64_t)got.count;
        before = at;
    }
    must(at == n, "the walk ends at the end");
    must(got.count == want.count && got.sum == want.sum, "a recursive walk finds the same");
}

/* ---- Payloads -------------------------------------------------------------------------------- */

static void check_payload(const char *p, size_t n)
{
    char *joined = malloc(n + 1);
    size_t at = 0, k = 0;
    sio_span packet;
    while (sio_payload_next((sio_span){ p, n }, &at, &packet)) {
        must(is_inside(packet, p, n), "a packet lies inside");
        must(packet.n == 0 || memchr(packet.p, 0x1e, packet.n) == NULL, "without a separator");
        must(k + packet.n <= n, "packets are not longer than the payload");
        if (packet.n > 0)
            memcpy(joined + k, packet.p, packet.n);
        k += packet.n;
        joined[k++] = 0x1e;
        check_packet(packet.p, packet.n);
    }
    must(k == n + 1 && (n == 0 || memcmp(joined, p, n) == 0), "joined again it is the payload");
    free(joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    check_packet(p, n);
    check_placeholders(p, n);
    check_payload(p, n);
    return 0;
}
