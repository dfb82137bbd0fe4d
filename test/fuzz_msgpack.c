/* fuzz_msgpack.c - any bytes as MessagePack, and as JSON that becomes MessagePack
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - A plain recursive reader accepts what the check accepts, and counts as many attachments.
 *  - A walk ends exactly at the end; a value cut anywhere is refused.
 *  - What is told in JSON is JSON and UTF-8, no deeper than was checked.
 *  - JSON -> MessagePack -> JSON -> MessagePack is a fixed point; the first is JSON's own, the second
 *    is checked; attachments that are put in come out. */
#include "fuzz.h"

enum { DEPTH = 64 };

static bool grow(sio_sink *sink, size_t need)
{
    sink->cap = (sink->n + need) * 2;
    sink->p = realloc(sink->p, sink->cap);
    return sink->p != NULL;
}

/* ---- A plain reader ---------------------------------------------------------------------------- */

typedef struct reader {
    const uint8_t *p, *end;
    size_t attachments;
} reader;

static bool read_be(reader *r, size_t n, uint64_t *v)
{
    *v = 0;
    if ((size_t)(r->end - r->p) < n)
        return false;
    while (n-- > 0)
        *v = *v << 8 | *r->p++;
    return true;
}

static bool pass(reader *r, uint64_t n)
{
    if ((uint64_t)(r->end - r->p) < n)
        return false;
    r->p += n;
    return true;
}

static bool read_value(reader *r, size_t depth, bool name);

static bool read_items(reader *r, uint64_t n, size_t depth, bool map)
{
    for (uint64_t i = 0; i < n; i++)
        if ((map && !read_value(r, 0, true)) || !read_value(r, depth, false))
            return false;
    return true;
}

/* An ext of n bytes with its type before them; a fixed one has no length. */
static bool read_ext(reader *r, uint64_t n, size_t depth, bool fixed, bool name)
{
    uint64_t type;
    if (!read_be(r, 1, &type) || !pass(r, n))
        return false;
    if (type == 0 && !fixed) {
        r->attachments += !name;
        return name || depth > 0;
    }
    if (type == 0 && n == 1)
        return true;
    if ((type == 0 && n == 8) || (type == 255 && fixed && (n == 4 || n == 8)) ||
        (type == 255 && !fixed && n == 12 && r->p[-14] == 12))
        return !name;
    r->attachments++;
    return !name && depth > 1;
}

static bool read_value(reader *r, size_t depth, bool name)
{
    uint64_t v, head;
    if (!read_be(r, 1, &head))
        return false;
    if (head < 0x80 || head >= 0xe0 || head == 0xc0 || head == 0xc2 || head == 0xc3)
        return true;
    if (head < 0xa0)
        return !name && depth > 0 && read_items(r, head & 15, depth - 1, head < 0x90);
    if (head < 0xc0)
        return pass(r, head & 31);
    if (head >= 0xdc)
        return !name && depth > 0 && read_be(r, head & 1 ? 4 : 2, &v) &&
               read_items(r, v, depth - 1, head >= 0xde);
    if (head >= 0xd9)
        return read_be(r, (size_t)1 << (head - 0xd9), &v) && pass(r, v);
    if (head >= 0xd4)
        return read_ext(r, (uint64_t)1 << (head - 0xd4), depth, true, name);
    if (head >= 0xcc)
        return pass(r, (uint64_t)1 << (head & 3));
    if (head >= 0xca)
        return pass(r, head == 0xca ? 4 : 8);
    if (head == 0xc1 || !read_be(r, (size_t)1 << (head >= 0xc7 ? head - 0xc7 : head - 0xc4), &v))
        return false;
    if (head >= 0xc7)
        return read_ext(r, v, depth, false, name);
    r->attachments += !name;
    return pass(r, v) && (name || depth > 0);
}

/* ---- From JSON --------------------------------------------------------------------------------- */

/* Whether a number is there that comes back as null. */
static bool has_infinity(sio_span bytes)
{
    sio_msgpack item;
    while (sio_msgpack_next(&bytes, &item))
        if (item.kind == SIO_MSGPACK_NUMBER && item.number - item.number != 0)
            return true;
    return false;
}

/* What a JSON text becomes, as bytes and as JSON again; *n is its attachments. */
static void there_and_back(sio_span json, const sio_span *binaries, size_t n, sio_sink *bytes,
                           sio_sink *back)
{
    size_t count;
    must(sio_msgpack_put_json(bytes, json, binaries, n), "JSON becomes MessagePack");
    must(sio_msgpack_check(bytes->p, bytes->n, DEPTH, &count), "which is valid");
    must(n > 0 || count == 0, "attachments come from where there are some");
    sio_span *found = calloc(count + 1, sizeof *found);
    must(sio_msgpack_put_as_json(back, (sio_span){ bytes->p, bytes->n }, found) == count,
         "all attachments come out");
    for (size_t i = 0; i < count; i++)
        must(same(found[i], binaries[0]) || same(found[i], binaries[1]), "as they were");
    must(sio_json_check(back->p, back->n, DEPTH, NULL), "it becomes JSON again");
    free(found);
}

static void check_json(sio_span json)
{
    static const sio_span binaries[] = { { "\0a", 2 }, { "", 0 } };
    sio_sink bytes[3] = { { .grow = grow }, { .grow = grow }, { .grow = grow } };
    sio_sink texts[3] = { { .grow = grow }, { .grow = grow }, { .grow = grow } };
    there_and_back(json, NULL, 0, &bytes[0], &texts[0]);
    sio_span first = { bytes[0].p, bytes[0].n }, text = { texts[0].p, texts[0].n };
    there_and_back(text, NULL, 0, &bytes[1], &texts[1]);
    must(same(text, (sio_span){ texts[1].p, texts[1].n }), "JSON that came back stays");
    must(has_infinity(first) || same(first, (sio_span){ bytes[1].p, bytes[1].n }),
         "so do the bytes");
    there_and_back(json, binaries, 2, &bytes[2], &texts[2]);
    for (int i = 0; i < 3; i++) {
        free(bytes[i].p);
        free(texts[i].p);
    }
}

/* ---- From MessagePack -------------------------------------------------------------------------- */

static void check_value(sio_span s, size_t count)
{
    sio_sink sink = { .grow = grow };
    sio_span rest = s, *binaries = calloc(count + 1, sizeof *binaries);
    sio_msgpack item;
    while (sio_msgpack_next(&rest, &item))
        must(item.bytes.n == 0 || (item.bytes.p > s.p && item.bytes.p + item.bytes.n <= s.p + s.n),
             "an item lies inside");
    must(rest.n == 0, "a walk ends at the end");
    rest = s;
    must(same(sio_msgpack_value(&rest), s) && rest.n == 0, "a value is taken as a whole");
    must(sio_msgpack_put_as_json(&sink, s, binaries) == count, "all attachments are told");
    must(!sink.failed && sio_utf8_prefix(sink.p, sink.n) == sink.n, "what is told is UTF-8");
    must(sio_json_check(sink.p, sink.n, DEPTH, NULL), "it is JSON");
    check_json((sio_span){ sink.p, sink.n });
    for (size_t i = 0; i < count; i++)
        must(binaries[i].p > s.p && binaries[i].p + binaries[i].n <= s.p + s.n, "they lie inside");
    sio_span member = sio_msgpack_member(s, "a");
    must(member.n == 0 || (member.p > s.p && member.p + member.n <= s.p + s.n),
         "a member lies inside");
    free(sink.p);
    free(binaries);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    reader r = { data, data + n, 0 };
    size_t count, none;
    bool want = read_value(&r, DEPTH, false) && r.p == r.end;
    must(sio_msgpack_check(p, n, DEPTH, &count) == want, "a second reader agrees");
    must(!want || count == r.attachments, "and counts as many attachments");
    if (want && n < 65536)
        check_value((sio_span){ p, n }, count);
    for (size_t cut = 0; want && cut < n && cut < 200; cut++) {
        char *copy = exact(p, cut);
        must(!sio_msgpack_check(copy, cut, DEPTH, &none), "a cut value is refused");
        free(copy);
    }
    if (n < 65536 && sio_utf8_prefix(p, n) == n && sio_json_check(p, n, DEPTH, NULL))
        check_json((sio_span){ p, n });
    return 0;
}
