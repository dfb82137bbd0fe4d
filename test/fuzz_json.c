/* fuzz_json.c - any bytes as JSON, as a string's text and as UTF-8
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - A text is accepted where a plain recursive reader of RFC 8259 accepts it, to the same depth.
 *  - A walk finds every value, each is a text of its own, and the index agrees with the walk.
 *  - What is decoded and written again reads back equal: strings, numbers.
 *  - A container that lacks its last byte is refused.
 *  - UTF-8 ends where a reader by code points says. */
#include "fuzz.h"

/* ---- A plain reader of RFC 8259 -------------------------------------------------------------- */

typedef struct reader {
    const char *p, *end;
    size_t level, deepest;
} reader;

static bool read_value(reader *r);

static int peek(const reader *r)
{
    return r->p < r->end ? (unsigned char)*r->p : -1;
}

static bool take(reader *r, int c)
{
    if (peek(r) != c)
        return false;
    r->p++;
    return true;
}

static void read_space(reader *r)
{
    while (take(r, ' ') || take(r, '\t') || take(r, '\n') || take(r, '\r'))
        continue;
}

static bool read_digits(reader *r)
{
    if (peek(r) < '0' || peek(r) > '9')
        return false;
    while (peek(r) >= '0' && peek(r) <= '9')
        r->p++;
    return true;
}

static bool read_number(reader *r)
{
    take(r, '-');
    if (!take(r, '0') && !read_digits(r))
        return false;
    if (take(r, '.') && !read_digits(r))
        return false;
    if (!take(r, 'e') && !take(r, 'E'))
        return true;
    if (!take(r, '+'))
        take(r, '-');
    return read_digits(r);
}

static bool read_string(reader *r)
{
    if (!take(r, '"'))
        return false;
    while (peek(r) != '"') {
        if (peek(r) < 0x20)
            return false;
        if (*r->p++ != '\\')
            continue;
        if (peek(r) < 0 || memchr("\"\\/bfnrtu", peek(r), 9) == NULL)
            return false;
        if (*r->p++ != 'u')
            continue;
        for (int i = 0; i < 4; i++, r->p++)
            if (peek(r) < 0 || memchr("0123456789abcdefABCDEF", peek(r), 22) == NULL)
                return false;
    }
    return take(r, '"');
}

static bool read_items(reader *r, bool object)
{
    char close = object ? '}' : ']';
    read_space(r);
    if (take(r, close))
        return true;
    do {
        read_space(r);
        if (object && !read_string(r))
            return false;
        read_space(r);
        if (object && !take(r, ':'))
            return false;
        read_space(r);
        if (!read_value(r))
            return false;
        read_space(r);
    } while (take(r, ','));
    return take(r, close);
}

static bool read_word(reader *r, const char *word)
{
    for (; *word != '\0'; word++)
        if (!take(r, *word))
            return false;
    return true;
}

static bool read_value(reader *r)
{
    int c = peek(r);
    if (c == '[' || c == '{') {
        r->p++;
        r->level++;
        if (r->level > r->deepest)
            r->deepest = r->level;
        bool good = r->level <= 1024 && read_items(r, c == '{');
        r->level--;
        return good;
    }
    if (c == '"')
        return read_string(r);
    if (c == 't')
        return read_word(r, "true");
    if (c == 'f')
        return read_word(r, "false");
    return c == 'n' ? read_word(r, "null") : read_number(r);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool grow(sio_sink *sink, size_t need)
{
    sink->cap = sink->n + need;
    sink->p = realloc(sink->p, sink->cap);
    return sink->p != NULL;
}

/* Any text as a string: written, read and compared. */
static void write_text(const char *p, size_t n)
{
    sio_sink sink = { .grow = grow };
    sio_json_put_string(&sink, p, n);
    must(sink.failed == (sio_utf8_prefix(p, n) != n), "a string is written where it is UTF-8");
    if (!sink.failed) {
        char *copy = exact(sink.p, sink.n), *out = malloc(sink.n);
        must(sio_json_check(copy, sink.n, 0, NULL), "a string that we write is JSON");
        size_t k = sio_json_unescape((sio_span){ copy, sink.n }, out);
        must(k == n && (n == 0 || memcmp(out, p, n) == 0), "a string that we write reads back");
        must(sink.n > 200 || sio_json_text_is((sio_span){ copy, sink.n }, p, n),
             "and compares equal");
        free(copy);
        free(out);
    }
    free(sink.p);
}

static void visit_string(sio_span s)
{
    char *out = malloc(s.n);
    size_t n = sio_json_unescape(s, out);
    must(n < s.n, "a decoded string is shorter");
    must(sio_utf8_prefix(s.p, s.n) != s.n || sio_utf8_prefix(out, n) == n, "UTF-8 stays UTF-8");
    write_text(out, n);
    free(out);
}

static void visit_number(sio_span s)
{
    char room[25];
    sio_sink sink = { .p = room, .cap = sizeof room };
    double d = sio_json_number(s);
    sio_json_put_number(&sink, d, -1);
    must(!sink.failed && sio_json_check(room, sink.n, 0, NULL), "a number that we write is JSON");
    if (d - d == 0)
        must(sio_json_number((sio_span){ room, sink.n }) == d, "a number that we write reads back");
    int64_t v;
    if (sio_json_integer(s, &v))
        must((double)v == d, "an integer is the number");
}

static void visit(sio_span s)
{
    must(sio_json_check(s.p, s.n, 1024, NULL), "a value is a text of its own");
    if (s.p[0] == '"')
        visit_string(s);
    else if (s.p[0] == '-' || (s.p[0] >= '0' && s.p[0] <= '9'))
        visit_number(s);
}

/* Visits all values below one; each level is checked again, so not for long texts. */
static void walk(sio_span s, size_t level)
{
    sio_span name, value;
    const char *before = s.p;
    visit(s);
    if ((s.p[0] != '[' && s.p[0] != '{') || level > 20)
        return;
    for (sio_json_walk w = sio_json_open(s); sio_json_next(&w, &name, &value);) {
        must(name.p > before && value.p >= name.p + name.n, "a walk goes forward");
        must(value.n > 0 && value.p + value.n < s.p + s.n, "a walk stays inside");
        if (name.n > 0)
            visit_string(name);
        walk(value, level + 1);
        before = value.p + value.n - 1;
    }
}

static void compare_index(sio_span s, const sio_json_index *index)
{
    sio_span name, value;
    size_t i = 0;
    if (s.p[0] != '[')
        return;
    for (sio_json_walk w = sio_json_open(s); sio_json_next(&w, &name, &value); i++)
        must(i >= SIO_JSON_INDEX ||
                 (index->element[i].p == value.p && index->element[i].n == value.n),
             "the index agrees with the walk");
    must(index->count == i, "the index counts what the walk finds");
}

/* ---- UTF-8 ----------------------------------------------------------------------------------- */

static size_t plain_utf8(const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t size = p[i] < 0x80 ? 1 : p[i] < 0xc0 ? 0 : p[i] < 0xe0 ? 2 : p[i] < 0xf0 ? 3 : 4;
        uint32_t v = p[i] & (0xffu >> (size + 1)), least = size == 2   ? 0x80
                                                           : size == 3 ? 0x800
                                                                       : 0x10000;
        if (size == 0 || p[i] > 0xf7 || n - i < size)
            return i;
        for (size_t k = 1; k < size; k++) {
            if (p[i + k] >> 6 != 2)
                return i;
            v = v << 6 | (p[i + k] & 63);
        }
        if (size > 1 && (v < least || v > 0x10ffff || (v >= 0xd800 && v < 0xe000)))
            return i;
        i += size;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    must(sio_utf8_prefix(p, n) == plain_utf8(data, n), "UTF-8 ends where a second reader says");
    write_text(p, n);

    reader r = { p, p + n, 0, 0 };
    sio_json_index index;
    read_space(&r);
    bool want = read_value(&r);
    const char *value_end = r.p;
    read_space(&r);
    want = want && r.p == r.end;
    must(sio_json_check(p, n, 1024, &index) == want, "a second reader agrees");
    if (!want || n > 4096)
        return 0;
    must(sio_json_check(p, n, r.deepest, NULL), "the depth is enough");
    must(r.deepest == 0 || !sio_json_check(p, n, r.deepest - 1, NULL), "one level less is not");

    sio_span s = sio_json_value(p, n);
    must(s.p + s.n == value_end, "the value ends where a second reader says");
    compare_index(s, &index);
    walk(s, 0);
    for (size_t cut = 0; cut < s.n && s.n < 200 && (s.p[0] == '[' || s.p[0] == '{'); cut++) {
        char *copy = exact(s.p, cut);
        must(!sio_json_check(copy, cut, 1024, NULL), "a container without its end is refused");
        free(copy);
    }
    return 0;
}
