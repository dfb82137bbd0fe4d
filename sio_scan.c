/* sio_scan.c - the templates of sio_scan: scanf with JSON around
 * SPDX-License-Identifier: MIT
 *
 *     sio_scan(event, "{'user': %64s, 'n'?: [%d]}", name, &n)
 *
 *     template   {'user': %64s, 'n'?: [%d]}        the scanner goes through both at once, and stops where
 *     value      {"n":[7],"user":"ann"}            they differ. Members are looked up: their order is the
 *                                                  client's
 *
 * What holds here:
 *  - What does not fit its place is not stored, nor anything behind it; errno says why.
 *  - Each conversion that the scanner passes takes one argument, a pointer, be something stored or not. */
#include "sio_core.h"

#include <errno.h>
#include <float.h>

enum { MAX_SCAN = 16 };  // levels of a template: the scanner recurses over them

typedef struct scanner {
    const char *t;  // where in the template
    sio_arguments args;
    sio_server *io;  // NULL: of a constant
    int stored;
    int stopped;  // why a value was not stored: ENOENT, EDOM, ERANGE, ENOMEM; 0: all were so far
    const char *wrong;  // why the template is none; NULL: it is one, as far as it was read
} scanner;

static void wrong_if(scanner *s, bool wrong, const char *why)
{
    if (wrong && s->wrong == NULL)
        s->wrong = why;
}

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
    for (; k < s.n && sio_is_digit(s.p[k]); k++) {
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

static void store(void *out, size_t size, uint64_t v)
{
    switch (size) {  // a signed type has the same place and form
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
}

/* What does not fit its type is not stored: cut off, it would be another number. */
static bool store_integer(const sio_conversion *c, sio_span text, va_list *ap)
{
    bool negative;
    uint64_t v;
    size_t size = size_of(c->length);
    if (!read_integer(text, &negative, &v))
        return false;
    uint64_t most = UINT64_MAX >> (64 - 8 * size), high = most - most / 2;  // its highest bit
    if (negative ? c->kind == 'u' && v != 0 : v > (c->kind == 'u' ? most : most / 2))
        return false;
    if (negative && 0 - v > high)
        return false;
    store(va_arg(*ap, void *), size, v);
    return true;
}

static bool store_string(scanner *s, const sio_conversion *c, sio_span v)
{
    char *out = va_arg(s->args.ap, char *);
    sio_value_data whole = sio_value_of(s->io, v);
    size_t n;
    if ((v.n - 2) / 6 > (size_t)c->number)
        return false;
    const char *text = sio_text(&whole, &n);
    if (text == NULL)
        s->stopped = ENOMEM;
    if (text == NULL || n > (size_t)c->number || memchr(text, '\0', n) != NULL)
        return false;
    memcpy(out, text, n + 1);
    return true;
}

static bool store_fraction(const sio_conversion *c, sio_span text, va_list *ap)
{
    double d = sio_json_number(text), most = c->length == 'l' ? DBL_MAX : FLT_MAX;
    if (d > most || d < -most)
        return false;
    if (c->length == 'l')
        *va_arg(*ap, double *) = d;
    else
        *va_arg(*ap, float *) = (float)d;
    return true;
}

/* A constant, which belongs to no server, is handed on as it is; other values may live in the walk. */
static bool store_value(scanner *s, const sio_value_data *v)
{
    sio_value value = (sio_value)(uintptr_t)v;
    if (s->io != NULL)
        value = sio_value_new(s->io, v->kind, (sio_span){ v->p, v->n }, v->blobs, v->n_blobs);
    if (value == NULL)
        s->stopped = ENOMEM;
    else
        *va_arg(s->args.ap, sio_value *) = value;
    return value != NULL;
}

/* Whether the value is of the kind that the conversion takes. */
static bool is_of_kind(const sio_conversion *c, const sio_value_data *v)
{
    if (c->kind == 'p')
        return true;
    if (v->kind != SIO_VALUE_JSON || v->n == 0)
        return false;
    return c->kind == 's' ? v->p[0] == '"' : v->p[0] == '-' || sio_is_digit(v->p[0]);
}

/* A conversion takes the value, or the scan stops. */
static void scan_conversion(scanner *s, const sio_value_data *v)
{
    sio_conversion c;
    size_t n = 1 + sio_conversion_read(s->t + 1, true, &c);
    wrong_if(s, c.kind == '\0', "no conversion of ours");
    if (s->wrong != NULL)
        return;
    s->t += n;
    bool fits = false;
    if (v == NULL || !is_of_kind(&c, v))
        s->stopped = v == NULL ? ENOENT : EDOM;
    else if (c.kind == 'p')
        fits = store_value(s, v);
    else if (c.kind == 's')
        fits = store_string(s, &c, (sio_span){ v->p, v->n });
    else if (c.kind == 'f')
        fits = store_fraction(&c, (sio_span){ v->p, v->n }, &s->args.ap);
    else
        fits = store_integer(&c, (sio_span){ v->p, v->n }, &s->args.ap);
    if (!fits && s->stopped == 0)
        s->stopped = ERANGE;
    s->stored += fits;
}

/* "!!%d" takes true and false alone. */
static void scan_boolean(scanner *s, const sio_value_data *v)
{
    sio_conversion c = { .kind = '\0' };
    size_t n = strncmp(s->t, "!!%", 3) == 0 ? 3 + sio_conversion_read(s->t + 3, true, &c) : 0;
    wrong_if(s, c.kind != 'd' && c.kind != 'u', "!! stands before %d alone");
    if (s->wrong != NULL)
        return;
    s->t += n;
    enum sio_type type = sio_type((sio_value)(uintptr_t)v);
    if (v == NULL || (type != SIO_TRUE && type != SIO_FALSE)) {
        s->stopped = v == NULL ? ENOENT : EDOM;
        return;
    }
    store(va_arg(s->args.ap, void *), size_of(c.length), type == SIO_TRUE);
    s->stored++;
}

/* What a template has in the place of an optional member that is not there: its conversions are
 * counted as stored, and their arguments are left as they are. */
static void scan_absent(scanner *s)
{
    int levels = 0;
    do {
        sio_conversion c;
        const char *quote = *s->t == '\'' || *s->t == '"' ? strchr(s->t + 1, *s->t) : NULL;
        if (quote != NULL) {
            s->t = quote;
        } else if (*s->t == '%') {
            s->t += sio_conversion_read(s->t + 1, true, &c);
            wrong_if(s, c.kind == '\0', "no conversion of ours");
            (void)va_arg(s->args.ap, void *);
            s->stored++;
        }
        levels += *s->t == '{' || *s->t == '[';
        levels -= *s->t == '}' || *s->t == ']';
        wrong_if(s, *s->t == '\0', "a bracket that is not closed");
        s->t += s->wrong == NULL;
    } while (s->wrong == NULL &&
             (levels > 0 || (*s->t != '\0' && strchr(",}] \n", *s->t) == NULL)));
}

static void scan_one(scanner *s, const sio_value_data *v, int levels);

/* A member's name of the template, with the value that it has in v: *member, unless there is none.
 * Returns whether the template goes on with the value; an optional one that is absent is over. */
static bool scan_name(scanner *s, const sio_value_data *v, sio_value_data *member)
{
    char quote = *s->t;
    size_t n = quote == '\'' || quote == '"' ? strcspn(s->t + 1, quote == '"' ? "\"" : "'") : 0;
    wrong_if(s, n == 0 || s->t[n + 1] != quote, "a member without a name");
    if (s->wrong != NULL)
        return false;
    sio_span found = sio_value_member((sio_span){ v->p, v->n }, s->t + 1, n);
    s->t += n + 2;
    bool optional = *s->t == '?';
    s->t += optional;
    skip_blanks(s);
    wrong_if(s, *s->t != ':', "a name without a colon");
    s->t += *s->t == ':';
    skip_blanks(s);
    *member = *v;
    member->p = found.p, member->n = found.n;
    if (!optional || s->wrong != NULL || (found.p != NULL && sio_type(member) != SIO_NULL))
        return s->wrong == NULL;
    scan_absent(s);
    return false;
}

/* Behind a value there is a comma, or what closes the list. */
static void scan_comma(scanner *s, char close)
{
    if (s->wrong != NULL || s->stopped != 0)
        return;
    skip_blanks(s);
    wrong_if(s, *s->t == '\0' && close != '\0', "a bracket that is not closed");
    wrong_if(s, *s->t != ',' && *s->t != close, "no comma between two values");
    s->t += *s->t == ',';
    skip_blanks(s);
}

/* Elements go side by side with those of the value; members are looked up, since their order is the
 * client's. What the value has besides is ignored. */
static void scan_container(scanner *s, const sio_value_data *v, int levels)
{
    char close = *s->t == '{' ? '}' : ']';
    if (v == NULL || sio_type((sio_value)(uintptr_t)v) != (close == '}' ? SIO_OBJECT : SIO_ARRAY)) {
        s->stopped = v == NULL ? ENOENT : EDOM;
        return;
    }
    sio_json_walk w = sio_value_walk(v);
    s->t++;
    skip_blanks(s);
    while (*s->t != close && s->wrong == NULL && s->stopped == 0) {
        sio_value_data element = *v;
        element.kind = SIO_VALUE_JSON;  // v may be spread
        sio_span name;
        sio_span text = SIO_NONE;
        bool go_on = true;
        if (close == '}')
            go_on = scan_name(s, v, &element);
        else
            element.p = sio_json_next(&w, &name, &text) ? text.p : NULL, element.n = text.n;
        if (go_on)
            scan_one(s, element.p == NULL ? NULL : &element, levels - 1);
        scan_comma(s, close);
    }
    s->t += *s->t == close;
}

static void scan_one(scanner *s, const sio_value_data *v, int levels)
{
    skip_blanks(s);
    if (*s->t == '%')
        scan_conversion(s, v);
    else if (*s->t == '!')
        scan_boolean(s, v);
    else if ((*s->t == '{' || *s->t == '[') && levels > 0)
        scan_container(s, v, levels);
    else
        wrong_if(s, true, "no conversion, '{' or '['");
}

/* Returns what sio_scan does. */
static int scanned(const scanner *s, const char *what)
{
    if (s->wrong != NULL && s->io != NULL)
        sio_log(&s->io->net, "template wrong: %s, at '%.60s' (%s)", s->wrong, s->t, what);
    if (s->wrong != NULL)
        return sio_fail(EINVAL);
    if (s->stopped != 0)
        errno = s->stopped;
    return s->stored;
}

int sio_vscan_value(sio_value v, const char *template, va_list ap)
{
    const sio_value_data *data = v == NULL ? sio_null() : v;
    scanner s = { .t = template, .io = data->io };
    va_copy(s.args.ap, ap);
    scan_one(&s, data, MAX_SCAN);
    skip_blanks(&s);
    wrong_if(&s, s.stopped == 0 && *s.t != '\0', "more than one value");
    va_end(s.args.ap);
    return scanned(&s, "sio_scan_value");
}

int(sio_scan_value)(sio_value v, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vscan_value(v, template, ap);
    va_end(ap);
    return result;
}

int sio_vscan(sio_event *event, const char *template, va_list ap)
{
    scanner s = { .t = template, .io = event->io };
    va_copy(s.args.ap, ap);
    skip_blanks(&s);
    for (size_t i = 0; s.wrong == NULL && s.stopped == 0 && *s.t != '\0'; i++) {
        scan_one(&s, sio_arg(event, i), MAX_SCAN);
        scan_comma(&s, '\0');
    }
    va_end(s.args.ap);
    return scanned(&s, "sio_scan");
}

int(sio_scan)(sio_event *event, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vscan(event, template, ap);
    va_end(ap);
    return result;
}
