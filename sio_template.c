/* sio_template.c - the templates of sio_emit and sio_scan: printf and scanf with JSON around
 * SPDX-License-Identifier: MIT
 *
 *     sio_emit(to, "hi", "{'user': %s, 'n': [%d, %p]}", name, 7, value)
 *     sio_scan(event, "{'user': %64s, 'n': [%d]}", name, &n)
 *
 * A template is JSON with conversions in the places of values. When it writes, it is checked as it
 * goes by a small grammar of its own. Where the writer stands on its level:
 *
 *     at the top,           START --value--> AFTER --","--> NEXT
 *     in an array                              ^              |
 *                                              +----value-----+
 *
 *     in an object          START --name ":"--> NAMED --value--> AFTER --","--> NEXT
 *                                                 ^                              |
 *                                                 +-----------name ":"-----------+
 *
 * "{" and "[" begin where a value may, and go up to a level in START; "}" and "]" come in START or
 * AFTER, and go down to the level below, which is AFTER then: all of it was a value there.
 *
 * When it scans, it walks the value beside itself and stops where they differ.
 *
 * What holds here:
 *  - What is written is JSON values, separated by commas, or t->bad is set: nobody sends it then.
 *  - A comma is written with the value behind it, for a spread of nothing has none. */
#include "sio_core.h"

#include <errno.h>

enum {
    MAX_LEVELS = 64,  // of a template that writes: one bit each
    MAX_SCAN = 16     // of one that scans, which recurses over its own levels
};

/* ---- Conversions --------------------------------------------------------------------------------- */

/* "%" [.precision] [length] letter; of a scan "%" [width] [length] letter. */
typedef struct conversion {
    int number;   // precision or width; -1: none
    bool star;    // the precision is an argument
    char length;  // h, H (hh), l, L (ll), j, z, t or 0
    char letter;
} conversion;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_integer(char letter)
{
    return letter == 'd' || letter == 'i' || letter == 'u';
}

static bool is_fraction(char letter)
{
    return letter == 'f' || letter == 'g';
}

/* Reads a conversion behind its '%'. Returns the bytes. */
static size_t read_conversion(const char *p, bool scanning, conversion *c)
{
    const char *start = p;
    *c = (conversion){ .number = -1 };
    if (!scanning && *p == '.') {
        p++;
        c->star = *p == '*';
        p += c->star;
        c->number = 0;
    }
    if (scanning && is_digit(*p))
        c->number = 0;
    for (; c->number >= 0 && is_digit(*p) && c->number < 100000000; p++)
        c->number = c->number * 10 + (*p - '0');
    if (*p == 'l' || *p == 'h' || *p == 'j' || *p == 'z' || *p == 't') {
        c->length = *p++;
        if ((c->length == 'h' || c->length == 'l') && *p == c->length) {
            c->length = c->length == 'h' ? 'H' : 'L';
            p++;
        }
    }
    c->letter = *p;
    return (size_t)(p - start) + (*p != '\0');
}

/* Whether the letter may have what stands before it. What it may not have would be ignored, or worse,
 * take the wrong argument. */
static bool is_conversion(const conversion *c, bool scanning)
{
    if (is_integer(c->letter))
        return c->number < 0;
    if (is_fraction(c->letter))
        return (c->length == 0 || c->length == 'l') && (c->number < 0 || !scanning);
    if (c->letter == 's')
        return c->length == 0 && (c->number >= 0 || !scanning);
    return c->length == 0 && c->number < 0 && c->letter == (scanning ? 'p' : '%');
}

static int64_t take_signed(const conversion *c, va_list *ap)
{
    switch (c->length) {
    case 'l':
        return va_arg(*ap, long);
    case 'L':
        return va_arg(*ap, long long);
    case 'j':
        return va_arg(*ap, intmax_t);
    case 'z':  // the signed type of that size
    case 't':
        return va_arg(*ap, ptrdiff_t);
    case 'h':
        return (short)va_arg(*ap, int);
    case 'H':
        return (signed char)va_arg(*ap, int);
    default:
        return va_arg(*ap, int);
    }
}

static uint64_t take_unsigned(const conversion *c, va_list *ap)
{
    switch (c->length) {
    case 'l':
        return va_arg(*ap, unsigned long);
    case 'L':
        return va_arg(*ap, unsigned long long);
    case 'j':
        return va_arg(*ap, uintmax_t);
    case 'z':
    case 't':  // the unsigned type of that size
        return va_arg(*ap, size_t);
    case 'h':
        return (unsigned short)va_arg(*ap, unsigned);
    case 'H':
        return (unsigned char)va_arg(*ap, unsigned);
    default:
        return va_arg(*ap, unsigned);
    }
}

/* Without a letter of UTF-8 that does not fit whole in the n bytes at p. */
static size_t whole_letters(const char *p, size_t n)
{
    size_t rest = 1;  // bytes of the last letter that are there
    while (rest < 4 && rest < n && ((unsigned char)p[n - rest] & 0xc0) == 0x80)
        rest++;
    unsigned char first = n == 0 ? 0 : (unsigned char)p[n - rest];
    size_t size = first < 0xc0 || first > 0xf4 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return size > rest ? n - rest : n;
}

/* With a precision nothing behind it is looked at: there may be no NUL. */
static void put_string(sio_template *t, const conversion *c, bool quoted, va_list *ap)
{
    int most = c->star ? va_arg(*ap, int) : c->number;
    const char *text = va_arg(*ap, const char *);
    if (text == NULL) {
        t->bad = true;
        return;
    }
    size_t n = 0;
    while ((most < 0 || n < (size_t)most) && text[n] != '\0')
        n++;
    if (most >= 0 && n == (size_t)most)
        n = whole_letters(text, n);
    if (quoted)
        sio_json_put_escaped(t->sink, text, n);
    else
        sio_json_put_string(t->sink, text, n);
}

/* Writes what a conversion stands for; quoted: inside a string of the template. */
static void put_conversion(sio_template *t, const conversion *c, bool quoted, va_list *ap)
{
    int64_t i;
    if (!is_conversion(c, false)) {
        t->bad = true;
        return;
    }
    switch (c->letter) {
    case 's':
        put_string(t, c, quoted, ap);
        break;
    case 'd':
    case 'i':
        i = take_signed(c, ap);
        if (i < 0)
            sio_put(t->sink, "-", 1);
        sio_put_number(t->sink, i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
        break;
    case 'u':
        sio_put_number(t->sink, take_unsigned(c, ap));
        break;
    case 'g':
    case 'f':
        i = c->star ? va_arg(*ap, int) : c->number;
        sio_json_put_number(t->sink, va_arg(*ap, double), (int)i);
        break;
    default:
        sio_put(t->sink, "%", 1);
        t->bad |= !quoted;
    }
}

/* ---- Writing templates --------------------------------------------------------------------------- */

/* Where in the template's grammar the writer stands. */
typedef struct grammar {
    uint64_t object, filled;  // one bit a level, 0 is the top: it is an object; it holds a value
    int level;
    enum { START, NEXT, NAMED, AFTER } state;  // of the level; the one below is AFTER when it ends
    bool comma;                                // one must be written before the next value
} grammar;

static bool is_set(uint64_t bits, int level)
{
    return bits >> level & 1;
}

static void put_comma(sio_template *t, grammar *g)
{
    if (g->comma)
        sio_put(t->sink, ",", 1);
    g->comma = false;
}

static void before_value(sio_template *t, grammar *g)
{
    if (is_set(g->object, g->level) ? g->state != NAMED : g->state == AFTER)
        t->bad = true;
    put_comma(t, g);
}

static void after_value(grammar *g)
{
    g->filled |= (uint64_t)1 << g->level;
    g->state = AFTER;
}

/* Bytes of the escape at p; 0: it is none. A single quote may be escaped too. */
static size_t escape_size(const char *p)
{
    if (p[1] == '\0' || strchr("\"'\\/bfnrtu", p[1]) == NULL)
        return 0;
    if (p[1] != 'u')
        return 2;
    return strspn(p + 2, "0123456789abcdefABCDEF") >= 4 ? 6 : 0;
}

/* A string of the template, behind its quote; returns behind the closing one. */
static const char *put_quoted(sio_template *t, const char *p, char quote, va_list *ap)
{
    sio_put(t->sink, "\"", 1);
    while (*p != quote && *p != '\0' && !t->bad) {
        size_t n = strcspn(p, quote == '"' ? "\"\\%" : "'\\%");
        sio_json_put_escaped(t->sink, p, n);
        p += n;
        if (*p == '%') {
            conversion c;
            p += 1 + read_conversion(p + 1, false, &c);
            put_conversion(t, &c, true, ap);
        } else if (*p == '\\') {
            size_t size = escape_size(p);
            t->bad |= size == 0;
            if (p[1] == '\'')
                sio_put(t->sink, "'", 1);
            else
                sio_put(t->sink, p, size);
            p += size == 0 ? 1 : size;
        }
    }
    if (*p == '\0')
        t->bad = true;
    sio_put(t->sink, "\"", 1);
    return *p == '\0' ? p : p + 1;
}

/* A string is a value, or a member's name. */
static const char *put_string_token(sio_template *t, grammar *g, const char *p, va_list *ap)
{
    bool name = is_set(g->object, g->level) && g->state != NAMED;
    const char *end = p + 1;
    t->bad |= g->state == AFTER;
    put_comma(t, g);
    if (*p == '%') {
        conversion c;
        end += read_conversion(p + 1, false, &c);
        put_conversion(t, &c, false, ap);
    } else {
        end = put_quoted(t, p + 1, *p, ap);
    }
    if (!name) {
        after_value(g);
        return end;
    }
    g->state = NAMED;
    while (*end == ' ' || *end == '\n')
        end++;
    t->bad |= *end != ':';
    sio_put(t->sink, ":", 1);
    return *end == '\0' ? end : end + 1;
}

/* A %p: a spread value may be no value at all. */
static void put_value_token(sio_template *t, grammar *g, sio_value value)
{
    const sio_value_data *v = value;
    if (v != NULL && v->kind == SIO_VALUE_SPREAD) {
        sio_json_walk w = sio_value_walk(v);
        sio_span name, element;
        if (!sio_json_next(&w, &name, &element)) {
            t->bad |= is_set(g->object, g->level) || g->state == AFTER;
            g->state = AFTER;
            return;
        }
    }
    before_value(t, g);
    t->bad |= v != NULL && v->kind == SIO_VALUE_SPREAD && is_set(g->object, g->level);
    sio_template_value(t, value);
    after_value(g);
}

static const char *put_percent(sio_template *t, grammar *g, const char *p, va_list *ap)
{
    conversion c;
    if (p[1] == 'p') {
        put_value_token(t, g, va_arg(*ap, void *));
        return p + 2;
    }
    size_t n = read_conversion(p + 1, false, &c);
    if (c.letter == 's')
        return put_string_token(t, g, p, ap);
    before_value(t, g);
    put_conversion(t, &c, false, ap);
    after_value(g);
    return p + 1 + n;
}

static const char *put_literal(sio_template *t, grammar *g, const char *p)
{
    size_t n = strspn(p, "-+.0123456789abcdefghijklmnopqrstuvwxyzE");
    before_value(t, g);
    t->bad |= n == 0 || !sio_json_check(p, n, 0, NULL);
    sio_put(t->sink, p, n);
    after_value(g);
    return n == 0 ? p + 1 : p + n;
}

/* Up a level, or down: see the drawing. A level too many is counted as none, so that no bit is beyond
 * the words. */
static void put_bracket(sio_template *t, grammar *g, char b)
{
    if (b == '{' || b == '[') {
        before_value(t, g);
        t->bad |= ++g->level == MAX_LEVELS;
        g->level &= MAX_LEVELS - 1;
        uint64_t bit = (uint64_t)1 << g->level;
        g->object = b == '{' ? g->object | bit : g->object & ~bit;
        g->filled &= ~bit;
        g->state = START;
    } else {
        t->bad |= g->level == 0 || is_set(g->object, g->level) != (b == '}');
        t->bad |= g->state == NEXT || g->state == NAMED;
        g->level -= g->level > 0;
        g->comma = false;
        after_value(g);
    }
    sio_put(t->sink, &b, 1);
}

void sio_template_write(sio_template *t, const char *template, sio_arguments *args)
{
    grammar g = { .comma = t->comma };
    const char *p = template;
    while (*p != '\0' && !t->bad) {
        switch (*p) {
        case ' ':
        case '\n':
            p++;
            break;
        case ',':
            t->bad |= g.state != AFTER;
            g.state = NEXT;
            g.comma = is_set(g.filled, g.level) || (g.level == 0 && t->comma);
            p++;
            break;
        case '{':
        case '[':
        case '}':
        case ']':
            put_bracket(t, &g, *p++);
            break;
        case '\'':
        case '"':
            p = put_string_token(t, &g, p, &args->ap);
            break;
        case '%':
            p = put_percent(t, &g, p, &args->ap);
            break;
        default:
            p = put_literal(t, &g, p);
        }
    }
    t->bad |= g.level > 0 || g.state == NEXT;
}

sio_value sio_template_make(sio_server *io, const char *template, sio_arguments *args)
{
    sio_textbuf text = sio_text_new(&io->net.memory);
    sio_template t = { .io = io, .sink = &text.sink };
    sio_template_write(&t, template, args);
    text.sink.failed = text.sink.failed || t.bad || t.many || text.sink.n == 0 ||
                       sio_json_value(text.sink.p, text.sink.n).n < text.sink.n;  // it is several
    return sio_value_written(io, SIO_VALUE_JSON, &text, t.blobs, t.n_blobs);
}

sio_value sio_make(sio_server *io, const char *template, ...)
{
    sio_arguments args;
    va_start(args.ap, template);
    sio_value v = sio_template_make(io, template, &args);
    va_end(args.ap);
    return v;
}

/* ---- Scanning ------------------------------------------------------------------------------------ */

typedef struct scanner {
    const char *t;  // where in the template
    sio_arguments args;
    sio_server *io;
    int stored;
    bool bad, stopped;  // the template is no template; a value did not fit
} scanner;

static void skip_blanks(scanner *s)
{
    while (*s->t == ' ' || *s->t == '\n')
        s->t++;
}

/* A number's value, when it is an integer of 64 bits: two's complement where it is negative. */
static bool read_integer(sio_span s, bool *negative, uint64_t *out)
{
    int64_t i;
    *negative = s.p[0] == '-';
    if (sio_json_integer(s, &i)) {
        *out = (uint64_t)i;
        return true;
    }
    uint64_t v = 0;
    size_t k = 0;
    for (; k < s.n && is_digit(s.p[k]); k++) {
        uint64_t digit = (uint64_t)(s.p[k] - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    double d = k == s.n ? 0 : sio_json_number(s);
    if (k < s.n && !(d >= 9223372036854775808.0 && d < 18446744073709551616.0))
        return false;
    *out = k == s.n ? v : (uint64_t)d;
    return true;
}

static size_t size_of(char length)
{
    switch (length) {
    case 'H':
        return sizeof(char);
    case 'h':
        return sizeof(short);
    case 'l':
        return sizeof(long);
    case 'L':
        return sizeof(long long);
    case 'j':
        return sizeof(intmax_t);
    case 'z':
        return sizeof(size_t);
    case 't':
        return sizeof(ptrdiff_t);
    default:
        return sizeof(int);
    }
}

/* What does not fit its type is not stored: cut off, it would be another number. */
static bool store_integer(const conversion *c, sio_span text, va_list *ap)
{
    bool negative;
    uint64_t v;
    size_t size = size_of(c->length);
    if (!read_integer(text, &negative, &v))
        return false;
    uint64_t most = UINT64_MAX >> (64 - 8 * size), high = most - most / 2;  // its highest bit
    if (negative ? c->letter == 'u' && v != 0 : v > (c->letter == 'u' ? most : most / 2))
        return false;
    if (negative && 0 - v > high)
        return false;
    void *out = va_arg(*ap, void *);
    switch (size) {  // an unsigned has the same place and form
    case 1:
        memcpy(out, &(uint8_t){ (uint8_t)v }, size);
        break;
    case 2:
        memcpy(out, &(uint16_t){ (uint16_t)v }, size);
        break;
    case 4:
        memcpy(out, &(uint32_t){ (uint32_t)v }, size);
        break;
    default:
        memcpy(out, &v, size);
    }
    return true;
}

static bool store_string(scanner *s, const conversion *c, sio_span v)
{
    char *out = va_arg(s->args.ap, char *);
    sio_value_data whole = { s->io, v.p, v.n, NULL, 0, SIO_VALUE_JSON };
    size_t n;
    if (v.n == 0 || v.p[0] != '"' || (v.n - 2) / 6 > (size_t)c->number)
        return false;
    const char *text = sio_text(&whole, &n);
    if (text == NULL || n > (size_t)c->number || memchr(text, '\0', n) != NULL)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool store_fraction(const conversion *c, sio_span text, va_list *ap)
{
    double d = sio_json_number(text);
    if (c->length == 'l')
        *va_arg(*ap, double *) = d;
    else
        *va_arg(*ap, float *) = (float)d;
    return true;
}

/* A constant, which belongs to no server, is handed on as it is; other values may live in the walk. */
static bool store_value(scanner *s, const sio_value_data *v)
{
    if (v == NULL)
        return false;
    sio_value value = (sio_value)(uintptr_t)v;
    if (s->io != NULL)
        value = sio_value_new(s->io, v->kind, (sio_span){ v->p, v->n }, v->blobs, v->n_blobs);
    if (value != NULL)
        *va_arg(s->args.ap, void **) = value;
    return value != NULL;
}

/* A conversion takes the value, or the scan stops. */
static void scan_conversion(scanner *s, const sio_value_data *v)
{
    conversion c;
    s->t += 1 + read_conversion(s->t + 1, true, &c);
    if (!is_conversion(&c, true)) {
        s->bad = true;
        return;
    }
    sio_span text = v == NULL ? SIO_NONE : (sio_span){ v->p, v->n };
    bool fits = v != NULL && v->kind == SIO_VALUE_JSON;
    bool is_number = fits && text.n > 0 && (text.p[0] == '-' || is_digit(text.p[0]));
    if (c.letter == 'p')
        fits = store_value(s, v);
    else if (c.letter == 's')
        fits = fits && store_string(s, &c, text);
    else if (is_fraction(c.letter))
        fits = is_number && store_fraction(&c, text, &s->args.ap);
    else
        fits = is_number && store_integer(&c, text, &s->args.ap);
    s->stored += fits;
    s->stopped |= !fits;
}

static void scan_one(scanner *s, const sio_value_data *v, int levels);

/* A member's name of the template, with the value that it has in v. */
static bool scan_member(scanner *s, const sio_value_data *v, sio_value_data *member)
{
    skip_blanks(s);
    char quote = *s->t;
    size_t n = quote == '\'' || quote == '"' ? strcspn(s->t + 1, quote == '"' ? "\"" : "'") : 0;
    if (n == 0 || s->t[n + 1] != quote) {
        s->bad = true;
        return false;
    }
    sio_span found = sio_value_member((sio_span){ v->p, v->n }, s->t + 1, n);
    s->t += n + 2;
    skip_blanks(s);
    s->bad |= *s->t != ':';
    s->t += *s->t != '\0';
    *member = *v;
    member->p = found.p, member->n = found.n;
    return found.p != NULL;
}

/* Elements go side by side with those of the value; members are looked up, since their order is the
 * client's. What the value has besides is ignored. */
static void scan_container(scanner *s, const sio_value_data *v, int levels)
{
    char close = *s->t == '{' ? '}' : ']';
    s->t++;
    if (v == NULL || sio_type((sio_value)(uintptr_t)v) != (close == '}' ? SIO_OBJECT : SIO_ARRAY)) {
        s->stopped = true;
        return;
    }
    sio_json_walk w = sio_value_walk(v);
    skip_blanks(s);
    while (*s->t != close && !s->bad && !s->stopped) {
        sio_value_data element = *v;
        sio_span name, text;
        bool there;
        if (close == '}') {
            there = scan_member(s, v, &element);
        } else if ((there = sio_json_next(&w, &name, &text))) {
            element.p = text.p, element.n = text.n;
            element.kind = SIO_VALUE_JSON;  // v may be spread
        }
        if (!s->bad)
            scan_one(s, there ? &element : NULL, levels - 1);
        skip_blanks(s);
        if (*s->t == ',')
            s->t++;
        else if (*s->t != close)
            s->bad |= !s->stopped;
        skip_blanks(s);
    }
    s->t += *s->t != '\0';
}

static void scan_one(scanner *s, const sio_value_data *v, int levels)
{
    skip_blanks(s);
    if (*s->t == '%')
        scan_conversion(s, v);
    else if ((*s->t == '{' || *s->t == '[') && levels > 0)
        scan_container(s, v, levels);
    else
        s->bad = true;
}

int sio_scan_value(sio_value v, const char *template, ...)
{
    const sio_value_data *data = v == NULL ? sio_null() : v;
    scanner s = { .t = template, .io = data->io };
    va_start(s.args.ap, template);
    scan_one(&s, data, MAX_SCAN);
    va_end(s.args.ap);
    return s.bad ? sio_fail(EINVAL) : s.stored;
}

int sio_scan(sio_event *event, const char *template, ...)
{
    scanner s = { .t = template, .io = event->io };
    va_start(s.args.ap, template);
    for (size_t i = 0; !s.bad && !s.stopped && *s.t != '\0'; i++) {
        scan_one(&s, sio_arg(event, i), MAX_SCAN);
        skip_blanks(&s);
        if (*s.t == ',')
            s.t++;
        else if (*s.t != '\0')
            s.bad |= !s.stopped;
    }
    va_end(s.args.ap);
    return s.bad ? sio_fail(EINVAL) : s.stored;
}
