/* msgpack.c - MessagePack, as the reference's processes send it to each other over Redis
 * SPDX-License-Identifier: MIT
 *
 *     head         value                          head      value
 *     00 .. 7f     the integer 0 to 127           c4 c5 c6  bin, its length in 1, 2, 4 bytes
 *     80 .. 8f     map of 0 to 15 pairs           c7 c8 c9  ext, as well, then one byte of type
 *     90 .. 9f     array of 0 to 15 elements      ca cb     float of 4, 8 bytes
 *     a0 .. bf     string of 0 to 31 bytes        cc .. cf  unsigned integer of 1, 2, 4, 8 bytes
 *     c0           nil                            d0 .. d3  signed integer, as well
 *     c1           never used                     d4 .. d8  ext of 1, 2, 4, 8, 16 bytes
 *     c2 c3        false, true                    d9 da db  string, its length in 1, 2, 4 bytes
 *     e0 .. ff     the integer -32 to -1          dc dd     array, its count in 2, 4 bytes
 *                                                 de df     map, as well
 *
 * All that is longer than a byte is big-endian. What an ext means, and what becomes of a number, is as
 * notepack.io 3.0.1 has it, which the reference's adapter uses: values are JavaScript's.
 *
 * What holds here:
 *  - There is no tree, as in json.c: bytes are checked once, then walked in place.
 *  - No recursion and no allocation. Reading keeps one count for each level that is open; writing
 *    keeps what is open in the output.
 *  - All is linear: nothing is moved or scanned once for each level around it.
 *  - JSON -> MessagePack -> JSON is the identity, up to white space and the spelling of numbers and
 *    escapes; but a number too large for a double comes back as null, a lone surrogate as U+FFFD.
 *
 * Where the reference writes nonsense, an integer of 2^64 and above as its lowest bits, this writes a
 * float. Names in maps that are arrays, maps, dates or ext, which JavaScript would join to some text,
 * are refused: nobody writes them. */
#include "codec.h"

#include <stdio.h>

static uint64_t load_be(const char *p, size_t n)
{
    uint64_t v = 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

static void store_be(char *p, size_t n, uint64_t v)
{
    for (; n > 0; v >>= 8)
        p[--n] = (char)(v & 0xff);
}

/* ---- Reading ----------------------------------------------------------------------------------- */

enum { UNSIGNED = 0xfd, SIGNED = 0xfe, NEVER = 0xff };

/* What heads 0xc0 to 0xdf say: a kind, the bytes of the number or length that follows, and of an ext
 * that has none its length. */
typedef struct form {
    unsigned char kind, width, fixed;
} form;
static const form forms[32] = {
    { SIO_MSGPACK_NIL, 0, 0 },
    { NEVER, 0, 0 },
    { SIO_MSGPACK_FALSE, 0, 0 },
    { SIO_MSGPACK_TRUE, 0, 0 },
    { SIO_MSGPACK_BINARY, 1, 0 },
    { SIO_MSGPACK_BINARY, 2, 0 },
    { SIO_MSGPACK_BINARY, 4, 0 },
    { SIO_MSGPACK_EXT, 1, 0 },
    { SIO_MSGPACK_EXT, 2, 0 },
    { SIO_MSGPACK_EXT, 4, 0 },
    { SIO_MSGPACK_NUMBER, 4, 0 },
    { SIO_MSGPACK_NUMBER, 8, 0 },
    { UNSIGNED, 1, 0 },
    { UNSIGNED, 2, 0 },
    { UNSIGNED, 4, 0 },
    { UNSIGNED, 8, 0 },
    { SIGNED, 1, 0 },
    { SIGNED, 2, 0 },
    { SIGNED, 4, 0 },
    { SIGNED, 8, 0 },
    { SIO_MSGPACK_EXT, 0, 1 },
    { SIO_MSGPACK_EXT, 0, 2 },
    { SIO_MSGPACK_EXT, 0, 4 },
    { SIO_MSGPACK_EXT, 0, 8 },
    { SIO_MSGPACK_EXT, 0, 16 },
    { SIO_MSGPACK_STRING, 1, 0 },
    { SIO_MSGPACK_STRING, 2, 0 },
    { SIO_MSGPACK_STRING, 4, 0 },
    { SIO_MSGPACK_ARRAY, 2, 0 },
    { SIO_MSGPACK_ARRAY, 4, 0 },
    { SIO_MSGPACK_MAP, 2, 0 },
    { SIO_MSGPACK_MAP, 4, 0 },
};

static int64_t sign_extended(uint64_t v, size_t width)
{
    unsigned shift = 64 - 8 * (unsigned)width;
    bool negative = v >> (63 - shift);
    return negative ? -(int64_t)(~v & UINT64_MAX >> shift) - 1 : (int64_t)v;
}

static double load_float(uint64_t bits, size_t width)
{
    double d;
    float f;
    uint32_t low = (uint32_t)bits;
    memcpy(&d, &bits, sizeof d);
    memcpy(&f, &low, sizeof f);
    return width == sizeof f ? (double)f : d;
}

static void set_integer(sio_msgpack *item, int64_t v)
{
    item->kind = SIO_MSGPACK_INTEGER;
    item->integer = v;
    item->number = (double)v;
}

static void set_date(sio_msgpack *item, double ms)
{
    item->kind = SIO_MSGPACK_DATE;
    item->number = ms;
}

/* What notepack.io makes of some types: undefined, dates, ArrayBuffers. Those of type -1 are the
 * specification's timestamps; a Date of type 0 was its own before. */
static void interpret_ext(sio_msgpack *item, bool fixed)
{
    const char *p = item->bytes.p;
    size_t n = item->bytes.n;
    if (item->ext == 0 && !fixed) {
        item->kind = SIO_MSGPACK_BINARY;
    } else if (item->ext == 0 && n == 1) {
        item->kind = SIO_MSGPACK_UNDEFINED;
    } else if (item->ext == 0 && n == 8) {
        set_date(item, (double)sign_extended(load_be(p, 8), 8));
    } else if (item->ext == -1 && fixed && n == 4) {
        set_date(item, (double)load_be(p, 4) * 1e3);
    } else if (item->ext == -1 && fixed && n == 8) {
        uint64_t v = load_be(p, 8);  // 30 bits of nanoseconds, 34 of seconds
        set_date(item, (double)(v & 0x3ffffffff) * 1e3 + (double)(v >> 34) / 1e6);
    } else if (item->ext == -1 && !fixed && n == 12) {
        double s = (double)sign_extended(load_be(p + 4, 8), 8);
        set_date(item, s * 1e3 + (double)load_be(p, 4) / 1e6);
    }
}

static bool take_bytes(sio_span *rest, sio_msgpack *item, uint64_t n, bool fixed)
{
    if (item->kind == SIO_MSGPACK_EXT) {
        if (rest->n == 0)
            return false;
        item->ext = (signed char)sign_extended((unsigned char)*rest->p, 1);
        rest->p++, rest->n--;
    }
    if (rest->n < n)
        return false;
    item->bytes = (sio_span){ rest->p, (size_t)n };
    rest->p += n, rest->n -= (size_t)n;
    if (item->kind == SIO_MSGPACK_EXT)
        interpret_ext(item, fixed);
    return true;
}

/* What a form says with its number v. */
static bool take_form(sio_span *rest, sio_msgpack *item, form f, uint64_t v)
{
    item->kind = f.kind;
    switch (f.kind) {
    case UNSIGNED:
        item->kind = SIO_MSGPACK_NUMBER;
        item->number = (double)v;
        if (v <= INT64_MAX)
            set_integer(item, (int64_t)v);
        return true;
    case SIGNED:
        set_integer(item, sign_extended(v, f.width));
        return true;
    case SIO_MSGPACK_NUMBER:
        item->number = load_float(v, f.width);
        return true;
    case SIO_MSGPACK_ARRAY:
    case SIO_MSGPACK_MAP:
        item->count = (uint32_t)v;
        return true;
    case SIO_MSGPACK_EXT:
        return take_bytes(rest, item, f.fixed > 0 ? f.fixed : v, f.fixed > 0);
    case SIO_MSGPACK_STRING:
    case SIO_MSGPACK_BINARY:
        return take_bytes(rest, item, v, false);
    default:
        return f.kind != NEVER;
    }
}

bool sio_msgpack_next(sio_span *rest, sio_msgpack *item)
{
    static const unsigned char shorts[] = { SIO_MSGPACK_MAP, SIO_MSGPACK_ARRAY, SIO_MSGPACK_STRING,
                                            SIO_MSGPACK_STRING };
    if (rest->n == 0)
        return false;
    *item = (sio_msgpack){ .kind = SIO_MSGPACK_INTEGER };
    unsigned head = (unsigned char)*rest->p;
    rest->p++, rest->n--;
    if (head < 0x80 || head >= 0xe0) {
        set_integer(item, head < 0x80 ? (int)head : (int)head - 256);
        return true;
    }
    if (head < 0xc0) {
        form f = { shorts[head / 16 - 8], 0, 0 };
        return take_form(rest, item, f, head < 0xa0 ? head & 15 : head & 31);
    }
    form f = forms[head - 0xc0];
    if (rest->n < f.width)
        return false;
    uint64_t v = load_be(rest->p, f.width);
    rest->p += f.width, rest->n -= f.width;
    return take_form(rest, item, f, v);
}

sio_span sio_msgpack_value(sio_span *rest)
{
    const char *start = rest->p;
    sio_msgpack item;
    for (uint64_t missing = 1; missing > 0; missing--) {
        if (!sio_msgpack_next(rest, &item))
            return (sio_span){ start, 0 };
        missing += item.kind == SIO_MSGPACK_MAP ? 2 * (uint64_t)item.count : item.count;
    }
    return (sio_span){ start, (size_t)(rest->p - start) };
}

sio_span sio_msgpack_member(sio_span map, const char *name)
{
    sio_span found = SIO_NONE;
    sio_msgpack item;
    if (!sio_msgpack_next(&map, &item) || item.kind != SIO_MSGPACK_MAP)
        return found;
    for (uint32_t i = 0, count = item.count; i < count && sio_msgpack_next(&map, &item); i++) {
        sio_span value = sio_msgpack_value(&map);
        if (item.kind == SIO_MSGPACK_STRING && sio_span_is(item.bytes, name))
            found = value;
    }
    return found;
}

/* ---- Levels ------------------------------------------------------------------------------------ */

/* A walk over a value: what is open. */
typedef struct walk {
    sio_span rest;
    size_t level, depth;
    sio_msgpack name, item;             // the current ones; a name only inside of a map
    uint32_t left[SIO_JSON_DEPTH_MAX];  // elements or pairs to come
    bool is_map[SIO_JSON_DEPTH_MAX];
} walk;

static void begin(walk *w, sio_span value, size_t depth)
{
    w->rest = value;
    w->level = 0;
    w->depth = depth < SIO_JSON_DEPTH_MAX ? depth : SIO_JSON_DEPTH_MAX;
}

static bool in_map(const walk *w)
{
    return w->level > 0 && w->is_map[w->level - 1];
}

static bool is_container(const sio_msgpack *item)
{
    return item->kind == SIO_MSGPACK_ARRAY || item->kind == SIO_MSGPACK_MAP;
}

/* Takes the next value, inside of a map with its name before it, and enters it if it is a container.
 * An attachment's JSON is an object, an ext's is an array around one. */
static bool step(walk *w)
{
    if (in_map(w) && (!sio_msgpack_next(&w->rest, &w->name) || w->name.kind > SIO_MSGPACK_BINARY))
        return false;
    if (!sio_msgpack_next(&w->rest, &w->item))
        return false;
    unsigned char kind = w->item.kind;
    size_t levels =
        kind == SIO_MSGPACK_EXT ? 2 : kind == SIO_MSGPACK_BINARY || is_container(&w->item);
    if (levels > w->depth - w->level)
        return false;
    if (is_container(&w->item)) {
        w->left[w->level] = w->item.count;
        w->is_map[w->level++] = kind == SIO_MSGPACK_MAP;
    }
    return true;
}

/* Whether the innermost container is complete: behind the value that was its last. */
static bool is_complete(const walk *w)
{
    return w->level > 0 && w->left[w->level - 1] == 0;
}

bool sio_msgpack_check(const char *p, size_t n, size_t depth, size_t *n_binaries)
{
    walk w;
    begin(&w, (sio_span){ p, n }, depth);
    *n_binaries = 0;
    for (;;) {
        if (!step(&w))
            return false;
        *n_binaries += w.item.kind == SIO_MSGPACK_BINARY || w.item.kind == SIO_MSGPACK_EXT;
        while (is_complete(&w))
            w.level--;
        if (w.level == 0)
            return w.rest.n == 0;
        w.left[w.level - 1]--;
    }
}

/* ---- To JSON ----------------------------------------------------------------------------------- */

/* Bytes of the ill-formed sequence at p that JavaScript's decoder replaces by one character: as many
 * as a well-formed one could begin with. */
static size_t ill_formed_size(const char *p, size_t n)
{
    size_t size = (unsigned char)*p >= 0xf0 ? 4 : (unsigned char)*p >= 0xe0 ? 3 : 2;
    for (size_t k = n < size - 1 ? n : size - 1; k > 1; k--) {
        char text[4] = { '\x80', '\x80', '\x80', '\x80' };
        memcpy(text, p, k);
        if (sio_utf8_prefix(text, size) == size)
            return k;
    }
    return 1;
}

/* Writes what stands between the quotes. */
static void put_text(sio_sink *sink, sio_span s)
{
    while (s.n > 0) {
        size_t good = sio_utf8_prefix(s.p, s.n);
        sio_json_put_escaped(sink, s.p, good);
        s.p += good, s.n -= good;
        if (s.n == 0)
            return;
        size_t bad = ill_formed_size(s.p, s.n);
        sio_put(sink, "\xef\xbf\xbd", 3);
        s.p += bad, s.n -= bad;
    }
}

static void put_number(sio_sink *sink, const sio_msgpack *item)
{
    const int64_t most = (int64_t)1 << 53;  // above, JavaScript has not all integers
    int64_t v = item->integer;
    if (item->kind != SIO_MSGPACK_INTEGER || v > most || v < -most) {
        sio_json_put_number(sink, item->number, -1);
        return;
    }
    if (v < 0)
        sio_put(sink, "-", 1);
    sio_put_number(sink, (uint64_t)(v < 0 ? -v : v));
}

/* ECMA-262, ToPropertyKey: what a value is called as a name. */
static void put_name(sio_sink *sink, const sio_msgpack *name)
{
    double d = name->number;
    sio_put(sink, "\"", 1);
    if (name->kind == SIO_MSGPACK_STRING || name->kind == SIO_MSGPACK_BINARY)
        put_text(sink, name->bytes);
    else if (name->kind == SIO_MSGPACK_NIL)
        sio_put_text(sink, "null");
    else if (name->kind == SIO_MSGPACK_UNDEFINED)
        sio_put_text(sink, "undefined");
    else if (name->kind == SIO_MSGPACK_FALSE || name->kind == SIO_MSGPACK_TRUE)
        sio_put_text(sink, name->kind == SIO_MSGPACK_TRUE ? "true" : "false");
    else if (d - d == 0)
        put_number(sink, name);
    else
        sio_put_text(sink, d > 0 ? "Infinity" : d < 0 ? "-Infinity" : "NaN");
    sio_put(sink, "\":", 2);
}

/* ECMA-262, Date.prototype.toJSON. The calendar's years begin in March here, so that the leap day is
 * their last; 400 of them are 146097 days, and 719468 days are from March of the year 0 to 1970. */
static void put_date(sio_sink *sink, double ms)
{
    if (!(ms >= -8.64e15 && ms <= 8.64e15)) {  // TimeClip
        sio_put_text(sink, "null");
        return;
    }
    const int64_t day_ms = 86400000;
    int64_t t = (int64_t)ms, days = t / day_ms - (t % day_ms < 0), rest = t - days * day_ms;
    days += 719468;
    int64_t era = days / 146097 - (days % 146097 < 0), day = days - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153;  // from March; five of them are 153 days
    day -= (153 * month + 2) / 5;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);

    char text[64];
    bool is_long = year < 0 || year > 9999;
    snprintf(text, sizeof text, "\"%s%0*d-%02d-%02dT%02d:%02d:%02d.%03dZ\"",
             !is_long   ? ""
             : year < 0 ? "-"
                        : "+",
             is_long ? 6 : 4, (int)(year < 0 ? -year : year), (int)month, (int)day + 1,
             (int)(rest / 3600000), (int)(rest / 60000 % 60), (int)(rest / 1000 % 60),
             (int)(rest % 1000));
    sio_put_text(sink, text);
}

static void put_placeholder(sio_sink *sink, size_t number)
{
    sio_put_text(sink, "{\"_placeholder\":true,\"num\":");
    sio_put_number(sink, number);
    sio_put(sink, "}", 1);
}

/* An ext that is none of JavaScript's values is a pair for notepack.io: its type, and its bytes. */
static void put_ext(sio_sink *sink, int type, size_t number)
{
    sio_put_text(sink, type < 0 ? "[-" : "[");
    sio_put_number(sink, (uint64_t)(type < 0 ? -type : type));
    sio_put(sink, ",", 1);
    put_placeholder(sink, number);
    sio_put(sink, "]", 1);
}

/* Writes a value, of a container its bracket; n attachments were before it. */
static void put_value(sio_sink *sink, const sio_msgpack *item, size_t n)
{
    switch (item->kind) {
    case SIO_MSGPACK_FALSE:
        sio_put_text(sink, "false");
        break;
    case SIO_MSGPACK_TRUE:
        sio_put_text(sink, "true");
        break;
    case SIO_MSGPACK_INTEGER:
    case SIO_MSGPACK_NUMBER:
        put_number(sink, item);
        break;
    case SIO_MSGPACK_STRING:
        sio_put(sink, "\"", 1);
        put_text(sink, item->bytes);
        sio_put(sink, "\"", 1);
        break;
    case SIO_MSGPACK_BINARY:
        put_placeholder(sink, n);
        break;
    case SIO_MSGPACK_DATE:
        put_date(sink, item->number);
        break;
    case SIO_MSGPACK_ARRAY:
        sio_put(sink, "[", 1);
        break;
    case SIO_MSGPACK_MAP:
        sio_put(sink, "{", 1);
        break;
    case SIO_MSGPACK_EXT:
        put_ext(sink, item->ext, n);
        break;
    default:
        sio_put_text(sink, "null");
    }
}

size_t sio_msgpack_put_as_json(sio_sink *sink, sio_span value, sio_span *binaries)
{
    walk w;
    size_t n = 0;
    begin(&w, value, SIO_JSON_DEPTH_MAX);
    for (bool more = true; more;) {
        bool named = in_map(&w);
        if (!step(&w))
            break;
        if (named)
            put_name(sink, &w.name);
        put_value(sink, &w.item, n);
        if (w.item.kind == SIO_MSGPACK_BINARY || w.item.kind == SIO_MSGPACK_EXT)
            binaries[n++] = w.item.bytes;

        bool first = is_container(&w.item);
        for (; is_complete(&w); w.level--, first = false)
            sio_put(sink, w.is_map[w.level - 1] ? "}" : "]", 1);
        more = w.level > 0;
        if (more && !first)
            sio_put(sink, ",", 1);
        if (more)
            w.left[w.level - 1]--;
    }
    return n;
}

/* ---- Writing ----------------------------------------------------------------------------------- */

static void put_be(sio_sink *sink, int head, uint64_t v, size_t width)
{
    char bytes[9] = { (char)head };
    store_be(bytes + 1, width, v);
    sio_put(sink, bytes, 1 + width);
}

/* The heads of what has a length: a short one, which holds a length of at most so much, and those for
 * a length in one byte and in two, behind which is that for four. 0: there is none. */
typedef struct family {
    int small, most, one, two;
} family;
static const family of_string = { 0xa0, 31, 0xd9, 0xda };
static const family of_binary = { 0, -1, 0xc4, 0xc5 };
static const family of_array = { 0x90, 15, 0, 0xdc };
static const family of_map = { 0x80, 15, 0, 0xde };

/* False: no head says such a length. */
static bool put_length(sio_sink *sink, const family *f, uint64_t n)
{
    if (n >> 32 != 0)
        sink->failed = true;
    else if ((int64_t)n <= f->most)
        put_be(sink, f->small | (int)n, 0, 0);
    else if (n < 0x100 && f->one != 0)
        put_be(sink, f->one, n, 1);
    else if (n < 0x10000)
        put_be(sink, f->two, n, 2);
    else
        put_be(sink, f->two + 1, n, 4);
    return n >> 32 == 0;
}

void sio_msgpack_put_nil(sio_sink *sink)
{
    put_be(sink, 0xc0, 0, 0);
}

void sio_msgpack_put_bool(sio_sink *sink, bool b)
{
    put_be(sink, b ? 0xc3 : 0xc2, 0, 0);
}

/* Unsigned forms for what is not negative, as the reference does. */
static void put_unsigned(sio_sink *sink, uint64_t v)
{
    if (v < 0x80)
        put_be(sink, (int)v, 0, 0);
    else if (v < 0x100)
        put_be(sink, 0xcc, v, 1);
    else if (v < 0x10000)
        put_be(sink, 0xcd, v, 2);
    else if (v >> 32 == 0)
        put_be(sink, 0xce, v, 4);
    else
        put_be(sink, 0xcf, v, 8);
}

void sio_msgpack_put_integer(sio_sink *sink, int64_t v)
{
    if (v >= 0)
        put_unsigned(sink, (uint64_t)v);
    else if (v >= -0x20)
        put_be(sink, 0xe0 | (int)(v & 0x1f), 0, 0);
    else if (v >= -0x80)
        put_be(sink, 0xd0, (uint64_t)v, 1);
    else if (v >= -0x8000)
        put_be(sink, 0xd1, (uint64_t)v, 2);
    else if (v >= INT32_MIN)
        put_be(sink, 0xd2, (uint64_t)v, 4);
    else
        put_be(sink, 0xd3, (uint64_t)v, 8);
}

void sio_msgpack_put_number(sio_sink *sink, double d)
{
    const double limit = 9223372036854775808.0;  // 2^63
    uint64_t bits;
    if (d >= -limit && d < limit && (double)(int64_t)d == d) {
        sio_msgpack_put_integer(sink, (int64_t)d);
    } else if (d >= limit && d < 2 * limit) {
        put_unsigned(sink, (uint64_t)d);
    } else {
        memcpy(&bits, &d, sizeof bits);
        if (d != d)
            bits = 0x7ff8000000000000;  // JavaScript has one NaN only
        put_be(sink, 0xcb, bits, 8);
    }
}

void sio_msgpack_put_string(sio_sink *sink, const char *p, size_t n)
{
    if (put_length(sink, &of_string, n))
        sio_put(sink, p, n);
}

void sio_msgpack_put_binary(sio_sink *sink, const void *p, size_t n)
{
    if (put_length(sink, &of_binary, n))
        sio_put(sink, p, n);
}

void sio_msgpack_put_array(sio_sink *sink, size_t n)
{
    put_length(sink, &of_array, n);
}

void sio_msgpack_put_map(sio_sink *sink, size_t n)
{
    put_length(sink, &of_map, n);
}

/* ---- From JSON --------------------------------------------------------------------------------- */

/* The head of a container says how many it holds, which JSON tells only at its end. So it is written
 * wide first: its longest head's byte, room for a count, and until the end is reached, what its parent
 * had. When all is written, one pass makes the heads short and moves what is between them down.
 *
 *         dd  count of the parent (8)  place of the parent's head (8)  elements ...     while it is open
 *         dd  its own count (8)        unused                          elements ...     when it is closed
 *         93                                                           elements ...     in the end */
enum { HOLE = 17 };

typedef struct writer {
    sio_sink *sink;
    size_t start;    // where the value begins in the sink
    uint64_t head;   // the innermost container that is open: its head's place, behind start
    uint64_t count;  // of its elements, or names and values, so far
} writer;

static void open_container(writer *w, char bracket)
{
    char hole[HOLE] = { bracket == '[' ? '\xdd' : '\xdf' };
    store_be(hole + 1, 8, w->count + 1);
    store_be(hole + 9, 8, w->head);
    w->head = w->sink->n - w->start;
    w->count = 0;
    sio_put(w->sink, hole, HOLE);
}

static void close_container(writer *w)
{
    char *hole = w->sink->p + w->start + w->head;
    uint64_t count = w->count;
    w->count = load_be(hole + 1, 8);
    w->head = load_be(hole + 9, 8);
    store_be(hole + 1, 8, hole[0] == '\xdd' ? count : count / 2);
}

/* Writes a string where JSON has one. Decoded behind the longest head it moves to behind its own. */
static void put_json_string(sio_sink *sink, sio_span s)
{
    enum { HEAD = 5 };
    if (memchr(s.p, '\\', s.n) == NULL) {
        sio_msgpack_put_string(sink, s.p + 1, s.n - 2);
        return;
    }
    if (!sio_sink_room(sink, HEAD + s.n))
        return;
    const char *text = sink->p + sink->n + HEAD;
    size_t n = sio_json_unescape(s, sink->p + sink->n + HEAD);
    put_length(sink, &of_string,
               n);  // one too long fails the sink, and its text has room in it too
    memmove(sink->p + sink->n, text, n);
    sink->n += n;
}

/* JSON's numbers are doubles; integers that all doubles tell apart need not become one first. */
static void put_json_number(sio_sink *sink, sio_span s)
{
    const int64_t most = (int64_t)1 << 53;
    int64_t v;
    if (sio_json_integer(s, &v) && v <= most && v >= -most)
        sio_msgpack_put_integer(sink, v);
    else
        sio_msgpack_put_number(sink, sio_json_number(s));
}

static void put_scalar(sio_sink *sink, sio_span s)
{
    if (s.p[0] == '"')
        put_json_string(sink, s);
    else if (s.p[0] == 'n')
        sio_msgpack_put_nil(sink);
    else if (s.p[0] == 't' || s.p[0] == 'f')
        sio_msgpack_put_bool(sink, s.p[0] == 't');
    else
        put_json_number(sink, s);
}

/* Makes the heads short: what is written is never in front of what is read. */
static void close_holes(writer *w)
{
    char *base = w->sink->p + w->start;
    sio_span rest = { base, w->sink->n - w->start };
    sio_sink to = { .p = base, .cap = rest.n };
    sio_msgpack item;
    while (rest.n > 0) {
        const char *p = rest.p;
        if (*p == '\xdd' || *p == '\xdf') {
            put_length(&to, *p == '\xdd' ? &of_array : &of_map, load_be(p + 1, 8));
            rest.p += HOLE, rest.n -= HOLE;
            continue;
        }
        sio_msgpack_next(&rest, &item);
        memmove(to.p + to.n, p, (size_t)(rest.p - p));
        to.n += (size_t)(rest.p - p);
    }
    w->sink->n = w->start + to.n;
    w->sink->failed |= to.failed;
}

bool sio_msgpack_put_json(sio_sink *sink, sio_span json, const sio_span *binaries, size_t n)
{
    writer w = { .sink = sink, .start = sink->n };
    const char *p = json.p, *end = json.p + json.n;
    sio_span object = SIO_NONE;  // the next placeholder
    int64_t num = -1;
    size_t at = 0;
    bool more = n > 0 && sio_packet_placeholder(json, &at, &object, &num);
    while (!sink->failed && (p = sio_json_skip(p, end)) < end) {
        bool found = more && p == object.p;
        if (found && num >= 0 && (uint64_t)num < n) {
            sio_msgpack_put_binary(sink, binaries[num].p, binaries[num].n);
            w.count++;
            p += object.n;
        } else if (*p == '{' || *p == '[') {
            open_container(&w, *p++);
        } else if (*p == '}' || *p == ']') {
            close_container(&w);
            p++;
        } else if (*p == ',' || *p == ':') {
            p++;
        } else {
            sio_span s = sio_json_value(p, (size_t)(end - p));
            put_scalar(sink, s);
            w.count++;
            p += s.n;
        }
        if (found)
            more = sio_packet_placeholder(json, &at, &object, &num);
    }
    if (!sink->failed)
        close_holes(&w);
    return !sink->failed;
}
