/* json.c - JSON: RFC 8259; and UTF-8: RFC 3629
 * SPDX-License-Identifier: MIT
 *
 * There is no tree. A text is checked once, as a whole, and from then on it is a span that is
 * walked in place: finding an element costs a scan over what stands before it.
 *
 * What holds here:
 *  - sio_json_check accepts exactly RFC 8259, to a named depth. The walkers rely on it and do not
 *    check again; they never leave the span either.
 *  - No recursion and no allocation: what is open is kept in one bit a level.
 *  - Strings are scanned in blocks: a block without a special byte is passed over at once. The loops
 *    over a block have no branch inside, so that compilers turn them into vector instructions.
 *
 * Lone surrogates (\ud800 without its other half) are valid by the grammar and pass through in
 * forwarded text; decoded they become U+FFFD, for UTF-8 has no form for them. */
#include "codec.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- Spans and sinks -------------------------------------------------------------------------- */

bool sio_span_is(sio_span s, const char *text)
{
    size_t n = strlen(text);
    return s.n == n && (n == 0 || memcmp(s.p, text, n) == 0);
}

static int lower(char c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool sio_equal_nocase(const char *a, const char *b, size_t n)
{
    size_t i = 0;
    while (i < n && (a[i] == b[i] || lower(a[i]) == lower(b[i])))
        i++;
    return i == n;
}

bool sio_sink_grow(sio_sink *sink, size_t n)
{
    bool there = sink->grow != NULL && sink->grow(sink, n);
    sink->failed |= !there;
    return there;
}

void sio_put_text(sio_sink *sink, const char *text)
{
    sio_put(sink, text, strlen(text));
}

size_t sio_number_text(uint64_t n, char *out)
{
    char digits[SIO_DIGITS];
    size_t i = sizeof digits;
    do
        digits[--i] = (char)('0' + n % 10);
    while ((n /= 10) > 0);
    memcpy(out, digits + i, sizeof digits - i);
    return sizeof digits - i;
}

void sio_put_number(sio_sink *sink, uint64_t n)
{
    char digits[SIO_DIGITS];
    sio_put(sink, digits, sio_number_text(n, digits));
}

/* ---- UTF-8 (RFC 3629, section 4) -------------------------------------------------------------- */

enum { BLOCK = 64 };

static bool is_ascii_block(const unsigned char *p)
{
    unsigned char any = 0;
    for (int i = 0; i < BLOCK; i++)
        any |= p[i];
    return any < 0x80;
}

static bool is_ascii_word(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, 8);
    return (v & 0x8080808080808080u) == 0;
}

/* Length of the well-formed sequence at p, which does not begin with ASCII; 0: there is none. */
static size_t utf8_sequence(const unsigned char *p, size_t n)
{
    unsigned lead = p[0], low = 0x80, high = 0xbf;
    size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || n < size)
        return 0;
    if (lead == 0xe0)
        low = 0xa0;  // shorter forms exist
    if (lead == 0xed)
        high = 0x9f;  // surrogates
    if (lead == 0xf0)
        low = 0x90;
    if (lead == 0xf4)
        high = 0x8f;  // above U+10FFFF
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < size; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    return size;
}

size_t sio_utf8_prefix(const char *text, size_t n)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t i = 0;
    while (i < n) {
        while (n - i >= BLOCK && is_ascii_block(p + i))
            i += BLOCK;
        while (n - i >= 8 && is_ascii_word(p + i))
            i += 8;
        while (i < n && p[i] < 0x80)
            i++;
        while (i < n && p[i] >= 0x80) {
            size_t size = utf8_sequence(p + i, n - i);
            if (size == 0)
                return i;
            i += size;
        }
    }
    return n;
}

/* ---- Scanning --------------------------------------------------------------------------------- */

/* Section 2. */
const char *sio_json_skip(const char *p, const char *end)
{
    while (p < end && (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
        p++;
    return p;
}

/* A byte that can't stand unescaped in a string, or ends it (section 7): one lookup instead of three
 * comparisons, for most strings are short. */
static const unsigned char special[256] = {
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,         1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, ['"'] = 1, ['\\'] = 1,
};

static bool has_special_block(const unsigned char *p)
{
    unsigned char any = 0;
    for (int i = 0; i < BLOCK; i++)
        any |= (unsigned char)((p[i] < 0x20) | (p[i] == '"') | (p[i] == '\\'));
    return any;
}

/* The same for eight bytes. (v - n * 0x01..) & ~v has a top bit set if a byte of v is below n. The
 * exclusive or with 2 makes 0x20 of a quote, next to the control characters, which stay below. */
static inline bool has_special_word(const unsigned char *p)
{
    const uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    uint64_t v;
    memcpy(&v, p, 8);
    uint64_t low = v ^ (ones * 2), slash = v ^ (ones * '\\');
    return ((((low - ones * 0x21) & ~low) | ((slash - ones) & ~slash)) & tops) != 0;
}

/* The first special byte from p on, or end. */
static inline const char *find_special(const char *p, const char *end)
{
    while (end - p >= BLOCK && !has_special_block((const unsigned char *)p))
        p += BLOCK;
    while (end - p >= 8 && !has_special_word((const unsigned char *)p))
        p += 8;
    while (p < end && !special[(unsigned char)*p])
        p++;
    return p;
}

/* The value of the four hexadecimal digits at p; -1: they are not. */
static int hex4(const char *p, const char *end)
{
    int v = 0;
    if (end - p < 4)
        return -1;
    for (int i = 0; i < 4; i++) {
        int h = sio_hex_value(p[i]);
        if (h < 0)
            return -1;
        v = v << 4 | h;
    }
    return v;
}

/* Section 7: behind the string that begins at p with its quote; NULL: it is not one. */
static const char *string_end(const char *p, const char *end)
{
    for (p++;; p += 2) {
        p = find_special(p, end);
        if (p == end || (unsigned char)*p < 0x20)
            return NULL;
        if (*p == '"')
            return p + 1;
        if (end - p < 2 || strchr("\"\\/bfnrtu", p[1]) == NULL || p[1] == '\0')
            return NULL;
        if (p[1] == 'u' && hex4(p + 2, end) < 0)
            return NULL;
    }
}

static const char *digits_end(const char *p, const char *end)
{
    const char *start = p;
    while (p < end && sio_is_digit(*p))
        p++;
    return p > start ? p : NULL;
}

/* Section 6: behind the number at p, which is not the end; NULL: it is not one. */
static const char *number_end(const char *p, const char *end)
{
    if (*p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else if ((p = digits_end(p, end)) == NULL)
        return NULL;
    if (p < end && *p == '.' && (p = digits_end(p + 1, end)) == NULL)
        return NULL;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        p = digits_end(p, end);
    }
    return p;
}

/* Section 3. */
static const char *literal_end(const char *p, const char *end)
{
    static const char *const literals[] = { "true", "false", "null" };
    for (int i = 0; i < 3; i++) {
        size_t n = strlen(literals[i]);
        if ((size_t)(end - p) >= n && memcmp(p, literals[i], n) == 0)
            return p + n;
    }
    return NULL;
}

/* Behind the string, number or literal at p, which is not the end; NULL: there is none. */
static inline const char *scalar_end(const char *p, const char *end)
{
    if (*p == '"')
        return string_end(p, end);
    if (*p == '-' || sio_is_digit(*p))
        return number_end(p, end);
    return literal_end(p, end);
}

/* ---- Checking --------------------------------------------------------------------------------- */

/* What is open: one bit a level, set for an object. */
typedef struct checker {
    const char *end;
    size_t level, depth;
    char close;  // what ends the innermost
    sio_json_index *index;
    unsigned char object[SIO_JSON_DEPTH_MAX / 8];
} checker;

/* The functions below take and return a place in the text; NULL: refuse. */

/* Section 9: a limit on the depth is the implementation's own. */
static const char *enter(checker *c, const char *p)
{
    size_t i = c->level++;
    if (i == c->depth)
        return NULL;
    unsigned char bit = (unsigned char)(1 << i % 8);
    unsigned char before = i % 8 == 0 ? 0 : c->object[i / 8];  // nothing above it is open
    c->object[i / 8] = (unsigned char)(before & ~bit) | (*p == '{' ? bit : 0);
    c->close = *p == '{' ? '}' : ']';
    return p + 1;
}

static const char *leave(checker *c, const char *p)
{
    c->level--;
    size_t i = c->level - 1;
    if (c->level > 0)
        c->close = c->object[i / 8] >> i % 8 & 1 ? '}' : ']';
    return p + 1;
}

/* Section 4: to where a value begins, past white space and, inside an object, the member's name and
 * colon. */
static inline const char *begin_value(checker *c, const char *p)
{
    p = sio_json_skip(p, c->end);
    if (c->close == '}') {
        if (p == c->end || *p != '"' || (p = string_end(p, c->end)) == NULL)
            return NULL;
        p = sio_json_skip(p, c->end);
        if (p == c->end || *p != ':')
            return NULL;
        p = sio_json_skip(p + 1, c->end);
    }
    if (c->level == 1 && c->index->count < SIO_JSON_INDEX)
        c->index->element[c->index->count].p = p;
    return p < c->end ? p : NULL;
}

/* Sections 2, 4 and 5: past what may follow a value: closing brackets, then a comma. At level 0 the
 * text is complete. */
static const char *after_value(checker *c, const char *p)
{
    sio_json_index *x = c->index;
    for (;;) {
        if (c->level == 1 && x->count++ < SIO_JSON_INDEX)
            x->element[x->count - 1].n = (size_t)(p - x->element[x->count - 1].p);
        p = sio_json_skip(p, c->end);
        if (c->level == 0)
            return p == c->end ? p : NULL;
        if (p == c->end)
            return NULL;
        if (*p == ',')
            return begin_value(c, p + 1);
        if (*p != c->close)
            return NULL;
        p = leave(c, p);
    }
}

bool sio_json_check(const char *p, size_t n, size_t depth, sio_json_index *index)
{
    checker c;
    sio_json_index unused;
    c.end = p + n;
    c.level = 0, c.depth = depth < SIO_JSON_DEPTH_MAX ? depth : SIO_JSON_DEPTH_MAX;
    c.close = '\0';
    c.index = index == NULL ? &unused : index;
    c.index->count = 0;
    p = sio_json_skip(p, c.end);
    if (p == c.end)
        return false;

    do {  // p is where a value must be
        if (*p != '[' && *p != '{') {
            p = scalar_end(p, c.end);
        } else if ((p = enter(&c, p)) != NULL) {
            p = sio_json_skip(p, c.end);
            if (p == c.end || *p != c.close) {
                p = begin_value(&c, p);
                continue;
            }
            p = leave(&c, p);
        }
        if (p != NULL)
            p = after_value(&c, p);
    } while (p != NULL && c.level > 0);
    return p != NULL;
}

/* ---- Walking ---------------------------------------------------------------------------------- */

/* Behind the array or object at p. */
static const char *container_end(const char *p, const char *end)
{
    size_t level = 0;
    while (p < end) {
        if (*p == '"') {
            p = string_end(p, end);
            if (p == NULL)
                return end;
            continue;
        }
        if (*p == '[' || *p == '{')
            level++;
        else if (*p == ']' || *p == '}')
            level--;
        p++;
        if (level == 0)
            return p;
    }
    return end;
}

sio_span sio_json_value(const char *p, size_t n)
{
    const char *end = p + n, *start = sio_json_skip(p, end), *stop = NULL;
    if (start < end)
        stop = *start == '[' || *start == '{' ? container_end(start, end) : scalar_end(start, end);
    return (sio_span){ start, stop == NULL ? 0 : (size_t)(stop - start) };
}

sio_json_walk sio_json_open(sio_span container)
{
    if (container.n < 2)
        return (sio_json_walk){ NULL, NULL, false };
    return (sio_json_walk){ container.p + 1, container.p + container.n - 1, container.p[0] == '{' };
}

bool sio_json_next(sio_json_walk *w, sio_span *name, sio_span *value)
{
    if (w->p == NULL)
        return false;
    const char *p = sio_json_skip(w->p, w->end);
    if (p < w->end && *p == ',')
        p = sio_json_skip(p + 1, w->end);
    if (p == w->end)
        return false;
    *name = (sio_span){ p, 0 };
    if (w->object) {
        *name = sio_json_value(p, (size_t)(w->end - p));
        p = sio_json_skip(name->p + name->n, w->end);
        if (p < w->end)
            p++;  // the colon
    }
    *value = sio_json_value(p, (size_t)(w->end - p));
    w->p = value->p + value->n;
    return value->n > 0;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

/* RFC 3629, 3: writes a code point, and returns what is behind it. */
static char *put_utf8(char *q, uint32_t u)
{
    static const unsigned char lead[] = { 0, 0xc0, 0xe0, 0xf0 };
    int more = u < 0x80 ? 0 : u < 0x800 ? 1 : u < 0x10000 ? 2 : 3;
    *q++ = (char)(lead[more] | u >> 6 * more);
    while (more-- > 0)
        *q++ = (char)(0x80 | (u >> 6 * more & 63));
    return q;
}

/* The code point of the \u escape whose digits begin at *p, and of its second half if that
 * follows; *p moves behind it. */
static uint32_t unicode_escape(const char **p, const char *end)
{
    int high = hex4(*p, end);
    *p += 4;
    if (high < 0xd800 || high > 0xdfff)
        return (uint32_t)high;
    if (high <= 0xdbff && end - *p >= 6 && (*p)[0] == '\\' && (*p)[1] == 'u') {
        int low = hex4(*p + 2, end);
        if (low >= 0xdc00 && low <= 0xdfff) {
            *p += 6;
            return 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (uint32_t)(low - 0xdc00);
        }
    }
    return 0xfffd;
}

/* Writes what the escape at *p stands for, and returns what is behind it; *p moves behind the escape. */
static char *take_escape(const char **p, const char *end, char *q)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    *p += 2;
    if ((*p)[-1] == 'u')
        return put_utf8(q, unicode_escape(p, end));
    *q = to[strchr(from, (*p)[-1]) - from];
    return q + 1;
}

size_t sio_json_unescape(sio_span s, char *out)
{
    const char *p = s.p + 1, *end = s.p + s.n - 1;
    char *q = out;
    while (p < end) {
        const char *stop = find_special(p, end);
        memmove(q, p, (size_t)(stop - p));
        q += stop - p;
        p = stop;
        if (p < end)
            q = take_escape(&p, end, q);
    }
    return (size_t)(q - out);
}

bool sio_json_text_is(sio_span s, const char *p, size_t n)
{
    if (s.n < 2 || s.p[0] != '"')
        return false;
    if (memchr(s.p, '\\', s.n) == NULL)
        return s.n - 2 == n && (n == 0 || memcmp(s.p + 1, p, n) == 0);
    const char *at = s.p + 1, *end = s.p + s.n - 1, *rest = p + n;
    while (at < end) {
        char letter[4];
        const char *piece = at;
        size_t k = (size_t)(find_special(at, end) - at);
        at += k;
        if (k == 0)
            piece = letter, k = (size_t)(take_escape(&at, end, letter) - letter);
        if ((size_t)(rest - p) < k || memcmp(p, piece, k) != 0)
            return false;
        p += k;
    }
    return p == rest;
}

double sio_json_number(sio_span s)
{
    enum {
        DIGITS = 400  // more can't change which double is nearest, but for contrived halves
    };
    char text[DIGITS + 32];
    size_t n = 0;
    long exponent = 0, written = 0;
    bool fraction = false;
    const char *p = s.p, *end = s.p + s.n;

    /* The digits as an integer with an exponent: no decimal point, so no locale. */
    if (p < end && *p == '-')
        text[n++] = *p++;
    for (; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            fraction = true;
        } else if (*p == '0' && (n == 0 || text[n - 1] == '-')) {
            exponent -= fraction;  // a leading zero
        } else if (n < DIGITS) {
            text[n++] = *p;
            exponent -= fraction;
        } else {
            exponent += !fraction;
        }
    }
    if (p < end) {
        bool negative = p[1] == '-';
        for (p++; p < end; p++)
            if (sio_is_digit(*p) && written < 1000000)
                written = written * 10 + (*p - '0');
        exponent += negative ? -written : written;
    }
    if (n == 0 || text[n - 1] == '-')
        text[n++] = '0';
    snprintf(text + n, sizeof text - n, "e%ld", exponent);
    return strtod(text, NULL);
}

bool sio_json_integer(sio_span s, int64_t *out)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    const char *p = s.p + negative, *end = s.p + s.n;
    if (p == end || !sio_is_digit(*p))
        return false;
    if (digits_end(p, end) == end) {
        uint64_t v = 0, most = (uint64_t)INT64_MAX + negative;
        for (; p < end; p++) {
            uint64_t digit = (uint64_t)(*p - '0');
            if (v > (most - digit) / 10)
                return false;
            v = v * 10 + digit;
        }
        *out = v > INT64_MAX ? INT64_MIN : negative ? -(int64_t)v : (int64_t)v;
        return true;
    }
    double d = sio_json_number(s);
    if (!(d >= -9223372036854775808.0 && d < 9223372036854775808.0) || (double)(int64_t)d != d)
        return false;
    *out = (int64_t)d;
    return true;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

static void put_escape(sio_sink *sink, char c)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    const char *at = c == '\0' ? NULL : strchr(from, c);
    if (at != NULL) {
        char pair[2] = { '\\', to[at - from] };
        sio_put(sink, pair, 2);
        return;
    }
    char code[6] = { '\\', 'u', '0', '0', hex[c >> 4 & 15], hex[c & 15] };
    sio_put(sink, code, 6);
}

void sio_json_put_escaped(sio_sink *sink, const char *p, size_t n)
{
    const char *end = p + n;
    if (n == 0)
        return;
    if (sio_utf8_prefix(p, n) != n) {
        sink->failed = sink->invalid = true;
        return;
    }
    for (;;) {
        const char *stop = find_special(p, end);
        sio_put(sink, p, (size_t)(stop - p));
        if (stop == end)
            return;
        put_escape(sink, *stop);
        p = stop + 1;
    }
}

void sio_json_put_string(sio_sink *sink, const char *p, size_t n)
{
    sio_put(sink, "\"", 1);
    sio_json_put_escaped(sink, p, n);
    sio_put(sink, "\"", 1);
}

/* Splits a finite number into its shortest digits (no trailing zeros) and the place of the point:
 * 0.digits times ten to the power of *point. The locale's point is skipped, not read. */
static size_t shortest_digits(double d, char digits[17], int *point)
{
    char text[40];
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    bool subnormal = bits << 1 >> 53 == 0;  // fewer digits are enough
    bool uneven = bits << 12 == 0;  // a power of two: its neighbour above is twice as far away
    for (int precision = subnormal ? 0 : 14; precision <= 16; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, d);
        if (strtod(text, NULL) == d)
            break;
        char *last = strchr(text, 'e') - 1;
        if (uneven && precision == 15 && (*last)++ < '9' && strtod(text, NULL) == d)
            break;  // not the nearest of its length, but it reads back
    }
    size_t n = 0;
    const char *p = text;
    for (; *p != 'e'; p++)
        if (sio_is_digit(*p))
            digits[n++] = *p;
    *point = atoi(p + 1) + 1;
    while (n > 1 && digits[n - 1] == '0')
        n--;
    return n;
}

/* ECMA-262, Number::toString: n digits, the point behind the first of them or at point. */
static void put_layout(sio_sink *sink, const char *digits, size_t n, int point)
{
    static const char zeros[] = "000000000000000000000";
    if (point > 21 || point < -5) {
        sio_put(sink, digits, 1);
        if (n > 1) {
            sio_put(sink, ".", 1);
            sio_put(sink, digits + 1, n - 1);
        }
        sio_put_text(sink, point > 21 ? "e+" : "e-");
        sio_put_number(sink, (uint64_t)(point > 21 ? point - 1 : 1 - point));
    } else if (point <= 0) {
        sio_put(sink, "0.", 2);
        sio_put(sink, zeros, (size_t)-point);
        sio_put(sink, digits, n);
    } else if ((size_t)point >= n) {
        sio_put(sink, digits, n);
        sio_put(sink, zeros, (size_t)point - n);
    } else {
        sio_put(sink, digits, (size_t)point);
        sio_put(sink, ".", 1);
        sio_put(sink, digits + point, n - (size_t)point);
    }
}

static void put_fixed(sio_sink *sink, double d, int precision)
{
    char text[400];  // 309 digits of the largest double, 60 behind the point
    snprintf(text, sizeof text, "%.*f", precision > 60 ? 60 : precision, d);
    bool point = false;
    for (const char *p = text; *p != '\0'; p++) {
        if (sio_is_digit(*p) || *p == '-')
            sio_put(sink, p, 1);
        else if (!point)
            sio_put(sink, ".", 1), point = true;  // whatever the locale has there
    }
}

void sio_json_put_number(sio_sink *sink, double d, int precision)
{
    char digits[17];
    int point;
    if (d - d != 0) {  // NaN or infinite
        sio_put(sink, "null", 4);
    } else if (precision >= 0) {
        put_fixed(sink, d, precision);
    } else if (d == 0) {
        sio_put(sink, "0", 1);
    } else {
        if (d < 0)
            sio_put(sink, "-", 1);
        size_t n = shortest_digits(d, digits, &point);
        put_layout(sink, digits, n, point);
    }
}

void sio_put_base64(sio_sink *sink, const void *p, size_t n)
{
    const unsigned char *from = p;
    char digits[1024];
    while (n > 0) {
        size_t part = n < sizeof digits / 4 * 3 ? n : sizeof digits / 4 * 3;
        sio_put(sink, digits, sio_base64_encode(from, part, digits));
        from += part, n -= part;
    }
}
