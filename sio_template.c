/* sio_template.c - the templates of sio_emit: printf with JSON around; and values that grow by them
 * SPDX-License-Identifier: MIT
 *
 *     sio_emit(to, "hi", "{'user': %s, 'n': [%d, %p]}", name, 7, value)
 *
 * A template is JSON with conversions in the places of values. It is checked as it is written, by a
 * small grammar of its own. Where the writer stands on its level:
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
 * What holds here:
 *  - What is written is JSON values, separated by commas, or t->wrong says why not: nobody sends it
 *    then, and the log shows where in the template it was.
 *  - A comma is written with the value behind it, for a spread of nothing has none. */
#include "sio_core.h"

#include <errno.h>

enum { MAX_LEVELS = 64 };  // of a template: one bit each

/* ---- Conversions --------------------------------------------------------------------------------- */

/* Of the letter, with what stands before it. */
static char kind_of(const sio_conversion *c, char letter, bool scanning)
{
    switch (letter) {
    case 'd':
    case 'i':
        return c->number < 0 ? 'd' : '\0';
    case 'u':
        return c->number < 0 ? 'u' : '\0';
    case 'f':
    case 'g':
        return (c->length == 0 || c->length == 'l') && (c->number < 0 || !scanning) ? 'f' : '\0';
    case 's':
        return c->length == 0 && (c->number >= 0 || !scanning) ? 's' : '\0';
    default:
        return c->length == 0 && c->number < 0 && letter == (scanning ? 'p' : '%') ? letter : '\0';
    }
}

/* What the letter may not have before it would be ignored, or worse, take the wrong argument: then the
 * kind is 0. */
size_t sio_conversion_read(const char *p, bool scanning, sio_conversion *c)
{
    const char *start = p;
    *c = (sio_conversion){ .number = -1 };
    if (!scanning && *p == '.') {
        p++;
        c->star = *p == '*';
        p += c->star;
        c->number = 0;
    }
    if (scanning && sio_is_digit(*p))
        c->number = 0;
    for (; c->number >= 0 && sio_is_digit(*p) && c->number < 100000000; p++)
        c->number = c->number * 10 + (*p - '0');
    if (*p == 'l' || *p == 'h' || *p == 'j' || *p == 'z' || *p == 't') {
        c->length = *p++;
        if ((c->length == 'h' || c->length == 'l') && *p == c->length) {
            c->length = c->length == 'h' ? 'H' : 'L';
            p++;
        }
    }
    c->kind = kind_of(c, *p, scanning);
    return (size_t)(p - start) + (*p != '\0');
}

static int64_t take_signed(const sio_conversion *c, va_list *ap)
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

static uint64_t take_unsigned(const sio_conversion *c, va_list *ap)
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

/* Remembers the first thing that is wrong; the writer stops there. */
static void wrong_if(sio_template *t, bool wrong, const char *why)
{
    if (wrong && t->wrong == NULL)
        t->wrong = why;
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
static void put_string(sio_template *t, const sio_conversion *c, bool quoted, va_list *ap)
{
    int most = c->star ? va_arg(*ap, int) : c->number;
    const char *text = va_arg(*ap, const char *);
    wrong_if(t, text == NULL, "%s was given NULL");
    if (text == NULL)
        return;
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
static void put_conversion(sio_template *t, const sio_conversion *c, bool quoted, va_list *ap)
{
    int64_t i;
    wrong_if(t, c->kind == '\0', "no conversion of ours, or not in this place");
    if (t->wrong != NULL)
        return;
    switch (c->kind) {
    case 's':
        put_string(t, c, quoted, ap);
        break;
    case 'd':
        i = take_signed(c, ap);
        if (i < 0)
            sio_put(t->sink, "-", 1);
        sio_put_number(t->sink, i < 0 ? 0 - (uint64_t)i : (uint64_t)i);
        break;
    case 'u':
        sio_put_number(t->sink, take_unsigned(c, ap));
        break;
    case 'f':
        i = c->star ? va_arg(*ap, int) : c->number;
        sio_json_put_number(t->sink, va_arg(*ap, double), (int)i);
        break;
    default:
        sio_put(t->sink, "%", 1);
        wrong_if(t, !quoted, "%% stands inside quotes alone");
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
    bool object = is_set(g->object, g->level);
    wrong_if(t, object && g->state != NAMED, "a member without a name");
    wrong_if(t, !object && g->state == AFTER, "no comma between two values");
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
    while (*p != quote && *p != '\0' && t->wrong == NULL) {
        size_t n = strcspn(p, quote == '"' ? "\"\\%" : "'\\%");
        sio_json_put_escaped(t->sink, p, n);
        p += n;
        if (*p == '%') {
            sio_conversion c;
            p += 1 + sio_conversion_read(p + 1, false, &c);
            put_conversion(t, &c, true, ap);
        } else if (*p == '\\') {
            size_t size = escape_size(p);
            wrong_if(t, size == 0, "no escape of JSON");
            if (p[1] == '\'')
                sio_put(t->sink, "'", 1);
            else
                sio_put(t->sink, p, size);
            p += size == 0 ? 1 : size;
        }
    }
    wrong_if(t, *p == '\0', "a quote that does not end");
    sio_put(t->sink, "\"", 1);
    return *p == '\0' ? p : p + 1;
}

/* A string is a value, or a member's name. */
static const char *put_string_token(sio_template *t, grammar *g, const char *p, va_list *ap)
{
    bool name = is_set(g->object, g->level) && g->state != NAMED;
    const char *end = p + 1;
    wrong_if(t, g->state == AFTER, "no comma between two values");
    put_comma(t, g);
    if (*p == '%') {
        sio_conversion c;
        end += sio_conversion_read(p + 1, false, &c);
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
    wrong_if(t, *end != ':', "a name without a colon");
    sio_put(t->sink, ":", 1);
    return *end == '\0' ? end : end + 1;
}

/* A %p: a spread value may be no value at all. */
static void put_value_token(sio_template *t, grammar *g, sio_value v)
{
    wrong_if(t, v != NULL && !sio_value_is(v), "%p was given what is no sio_value");
    if (t->wrong != NULL)
        return;
    if (v != NULL && v->kind == SIO_VALUE_SPREAD) {
        sio_json_walk w = sio_value_walk(v);
        sio_span name, element;
        wrong_if(t, is_set(g->object, g->level), "a spread value as a member");
        if (!sio_json_next(&w, &name, &element)) {
            wrong_if(t, g->state == AFTER, "no comma between two values");
            g->state = AFTER;
            return;
        }
    }
    before_value(t, g);
    sio_template_value(t, v);
    after_value(g);
}

static const char *put_percent(sio_template *t, grammar *g, const char *p, va_list *ap)
{
    sio_conversion c;
    if (p[1] == 'p') {
        put_value_token(t, g, va_arg(*ap, sio_value));
        return p + 2;
    }
    size_t n = sio_conversion_read(p + 1, false, &c);
    if (c.kind == 's')
        return put_string_token(t, g, p, ap);
    before_value(t, g);
    put_conversion(t, &c, false, ap);
    after_value(g);
    return p + 1 + n;
}

/* "!!%d": true or false. */
static const char *put_boolean(sio_template *t, grammar *g, const char *p, va_list *ap)
{
    sio_conversion c = { .kind = '\0' };
    size_t n = strncmp(p, "!!%", 3) == 0 ? 3 + sio_conversion_read(p + 3, false, &c) : 1;
    before_value(t, g);
    wrong_if(t, c.kind != 'd' && c.kind != 'u', "!! stands before %d alone");
    if (t->wrong == NULL)
        sio_put_text(t->sink, take_unsigned(&c, ap) != 0 ? "true" : "false");
    after_value(g);
    return p + n;
}

static const char *put_literal(sio_template *t, grammar *g, const char *p)
{
    size_t n = strspn(p, "-+.0123456789abcdefghijklmnopqrstuvwxyzE");
    before_value(t, g);
    wrong_if(t, n == 0 || !sio_json_check(p, n, 0, NULL), "no JSON");
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
        wrong_if(t, ++g->level == MAX_LEVELS, "more than 63 levels");
        g->level &= MAX_LEVELS - 1;
        uint64_t bit = (uint64_t)1 << g->level;
        g->object = b == '{' ? g->object | bit : g->object & ~bit;
        g->filled &= ~bit;
        g->state = START;
    } else {
        wrong_if(t, g->level == 0 || is_set(g->object, g->level) != (b == '}'),
                 "a bracket that closes none of its kind");
        wrong_if(t, g->state == NEXT || g->state == NAMED, "a value is missing");
        g->level -= g->level > 0;
        g->comma = false;
        after_value(g);
    }
    sio_put(t->sink, &b, 1);
}

/* One token of the template; returns what is behind it. */
static const char *put_token(sio_template *t, grammar *g, const char *p, va_list *ap)
{
    switch (*p) {
    case ' ':
    case '\n':
        return p + 1;
    case ',':
        wrong_if(t, g->state != AFTER, "a comma without a value before it");
        g->state = NEXT;
        g->comma = is_set(g->filled, g->level) || (g->level == 0 && t->comma);
        return p + 1;
    case '{':
    case '[':
    case '}':
    case ']':
        put_bracket(t, g, *p);
        return p + 1;
    case '\'':
    case '"':
        return put_string_token(t, g, p, ap);
    case '%':
        return put_percent(t, g, p, ap);
    case '!':
        return put_boolean(t, g, p, ap);
    default:
        return put_literal(t, g, p);
    }
}

void sio_template_write(sio_template *t, const char *template, sio_arguments *args)
{
    grammar g = { .comma = t->comma };
    const char *p = template + (*template == ' ');  // the macros put one in front
    t->at = p;
    while (*p != '\0' && t->wrong == NULL && !t->sink->failed) {
        t->at = p;
        p = put_token(t, &g, p, &args->ap);
    }
    wrong_if(t, t->sink->invalid, "text that is not UTF-8");
    if (t->wrong == NULL)
        t->at = p;
    bool whole = !t->sink->failed;  // without memory it was left in the middle
    wrong_if(t, whole && g.level > 0, "a bracket that is not closed");
    wrong_if(t, whole && g.state == NEXT, "a comma without a value behind it");
    t->sink->failed |= t->wrong != NULL || t->many;
}

/* The place is told by what stands there. The blank in front of a template is the macro's. */
int sio_template_fail(const sio_template *t, const char *what, sio_span name)
{
    const char *blank = name.n > 0 ? " " : "";
    int n = name.n < 60 ? (int)name.n : 60;
    if (t->wrong != NULL) {
        sio_log(&t->io->net, "template wrong: %s, at '%.60s' (%s%s%.*s)", t->wrong, t->at, what,
                blank, n, name.p);
        return sio_fail(EINVAL);
    }
    if (t->many) {
        sio_log(&t->io->net,
                "too many attachments: more than %d (%s%s%.*s; send fewer in one packet)",
                SIO_ATTACHMENTS_OUT, what, blank, n, name.p);
        return sio_fail(E2BIG);
    }
    return sio_fail(ENOMEM);
}

sio_value sio_template_make(sio_server *io, const char *what, const char *template,
                            sio_arguments *args)
{
    sio_textbuf text = sio_text_new(&io->net.memory);
    sio_template t = { .io = io, .sink = &text.sink };
    sio_template_write(&t, template, args);
    sio_template_sound(&t, (sio_span){ text.sink.p, text.sink.n }, t.n_blobs);
    if (!text.sink.failed && text.sink.n > 0)
        wrong_if(&t, sio_json_value(text.sink.p, text.sink.n).n < text.sink.n, "not one value");
    wrong_if(&t, !text.sink.failed && text.sink.n == 0, "no value");
    text.sink.failed |= t.wrong != NULL;
    sio_value v = sio_value_written(io, SIO_VALUE_JSON, &text, t.blobs, t.n_blobs);
    if (v == NULL)
        sio_template_fail(&t, what, SIO_NONE);
    return v;
}

sio_value sio_vmake(sio_server *io, const char *template, va_list ap)
{
    sio_arguments args;
    va_copy(args.ap, ap);
    sio_value v = sio_template_make(io, "sio_make", template, &args);
    va_end(args.ap);
    return v;
}

sio_value(sio_make)(sio_server *io, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    sio_value v = sio_vmake(io, template, ap);
    va_end(ap);
    return v;
}

/* ---- Lists and objects that grow ------------------------------------------------------------------- */

/* A value whose text ends with its bracket, and has room behind it. */
typedef struct growing {
    sio_value_data value;  // first
    sio_span *blobs;       // what value.blobs is, to be written
    size_t cap, cap_blobs;
} growing;

static sio_value new_growing(sio_server *io, const char *brackets)
{
    enum { FIRST = 64 };
    growing *g = sio_arena_get(&io->net.arena, sizeof *g);
    char *p = sio_arena_get(&io->net.arena, FIRST);
    if (g == NULL || p == NULL)
        return NULL;
    memcpy(p, brackets, 2);
    *g = (growing){ .value = sio_value_of(io, (sio_span){ p, 2 }), .cap = FIRST };
    g->value.grows = true;
    return &g->value;
}

sio_value sio_array(sio_server *io)
{
    return new_growing(io, "[]");
}

sio_value sio_object(sio_server *io)
{
    return new_growing(io, "{}");
}

/* Puts more before the last bracket, the one byte that is overwritten: parts that were taken out of
 * the value before stay good. */
static bool append(growing *g, sio_span more)
{
    sio_value_data *v = &g->value;
    size_t n = v->n + more.n;
    if (more.n > SIZE_MAX / 4 - v->n)
        return false;
    if (n > g->cap) {
        char *p = sio_arena_get(&v->io->net.arena, 2 * n);
        if (p == NULL)
            return false;
        memcpy(p, v->p, v->n);
        v->p = p, g->cap = 2 * n;
    }
    char *p = (char *)(uintptr_t)v->p;
    p[n - 1] = p[v->n - 1];
    if (more.n > 0)
        memcpy(p + v->n - 1, more.p, more.n);
    v->n = n;
    return true;
}

/* name NULL: of an array, any number of values; else exactly one. */
static int grow(sio_value v, const char *name, const char *template, va_list ap)
{
    const char *what = name == NULL ? "sio_push" : "sio_set_member";
    if (v == NULL || !sio_value_is(v) || !v->grows || v->p[0] != (name == NULL ? '[' : '{'))
        return sio_fail(EINVAL);
    growing *g = (growing *)(void *)v;
    sio_textbuf text = sio_text_new(&v->io->net.memory);
    sio_template t = { .io = v->io, .sink = &text.sink, .blobs = g->blobs, .n_blobs = v->n_blobs };
    t.cap_blobs = g->cap_blobs;
    t.comma = name == NULL && v->n > 2;
    sio_arguments args;
    va_copy(args.ap, ap);
    if (name != NULL) {
        sio_put(&text.sink, ",", v->n > 2);
        sio_json_put_string(&text.sink, name, strlen(name));
        sio_put(&text.sink, ":", 1);
    }
    size_t from = text.sink.n;
    sio_template_write(&t, template, &args);
    va_end(args.ap);
    if (v->n_blobs == 0)  // else that was looked at before
        sio_template_sound(&t, (sio_span){ v->p, v->n }, 0);
    sio_template_sound(&t, (sio_span){ text.sink.p, text.sink.n }, t.n_blobs - v->n_blobs);
    if (name != NULL && !text.sink.failed) {
        sio_span value = { text.sink.p + from, text.sink.n - from };
        wrong_if(&t, value.n == 0 || sio_json_value(value.p, value.n).n != value.n,
                 "not one value");
    }
    bool good =
        t.wrong == NULL && !text.sink.failed && append(g, (sio_span){ text.sink.p, text.sink.n });
    if (good) {
        g->blobs = t.blobs, g->cap_blobs = t.cap_blobs;
        v->blobs = t.blobs, v->n_blobs = t.n_blobs;
    }
    sio_text_free(&text);
    return good ? 0
                : sio_template_fail(&t, what, (sio_span){ name, name == NULL ? 0 : strlen(name) });
}

int sio_vpush(sio_value array, const char *template, va_list ap)
{
    return grow(array, NULL, template, ap);
}

int(sio_push)(sio_value array, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vpush(array, template, ap);
    va_end(ap);
    return result;
}

int sio_vset_member(sio_value object, const char *name, const char *template, va_list ap)
{
    return name == NULL ? sio_fail(EINVAL) : grow(object, name, template, ap);
}

int(sio_set_member)(sio_value object, const char *name, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vset_member(object, name, template, ap);
    va_end(ap);
    return result;
}
