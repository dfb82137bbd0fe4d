/* http.c - HTTP/1.1 requests and what they are made of: RFC 9110 and RFC 9112
 * SPDX-License-Identifier: MIT
 *
 *     GET /chat?room=1 HTTP/1.1 CRLF        method SP target SP version
 *     Host: example.com CRLF                name ":" OWS value OWS
 *     CRLF
 *     body: Content-Length bytes, or chunks
 *
 * What holds here:
 *  - What is ambiguous is refused and not repaired: a bare CR or LF, a folded field, white space
 *    before the colon, two lengths, a length beside a transfer coding. Two programs that read such
 *    a request differently are how requests are smuggled.
 *  - A head is parsed from its start each time, and is given up after SIO_HTTP_FIELDS fields: so the
 *    caller may ask again after each line without the cost running away.
 *
 * Left out: transfer codings but chunked, trailers' contents, absolute targets, CONNECT. */
#include "layers.h"

#include <string.h>

/* ---- Characters -------------------------------------------------------------------------------- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* RFC 9110, 5.6.2: tchar. */
static bool is_token(char c)
{
    return is_alpha(c) || is_digit(c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/* RFC 9110, 5.5: visible, space, tab, or above ASCII. */
static bool is_value(char c)
{
    unsigned char u = (unsigned char)c;
    return (u >= 0x20 && u != 0x7f) || u == '\t';
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static sio_span trim(sio_span s)
{
    while (s.n > 0 && is_blank(s.p[0]))
        s.p++, s.n--;
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* ---- The request line -------------------------------------------------------------------------- */

static const char *const methods[] = { "GET",    "POST",  "HEAD",    "PUT",
                                       "DELETE", "PATCH", "OPTIONS", "TRACE" };

static bool is_method(sio_span s)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (sio_span_is(s, methods[i]))
            return true;
    return false;
}

/* Whether a method's line can begin with these bytes; so garbage is refused before its first line
 * is complete. */
static bool may_begin_request(const char *p, size_t n)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
        size_t m = strlen(methods[i]);
        if (memcmp(p, methods[i], n < m ? n : m) == 0 && (n <= m || p[m] == ' '))
            return true;
    }
    return false;
}

/* RFC 9112, 3. */
static bool parse_request_line(sio_span line, sio_http_head *h)
{
    const char *end = line.p + line.n, *space = memchr(line.p, ' ', line.n);
    if (space == NULL)
        return false;
    h->method = (sio_span){ line.p, (size_t)(space - line.p) };
    const char *target = space + 1, *p = target;
    while (p < end && (unsigned char)*p - 0x21u < 0x5eu)  // 0x21 to 0x7e
        p++;
    h->target = (sio_span){ target, (size_t)(p - target) };
    if (!is_method(h->method) || h->target.n == 0)
        return false;
    if (end - p != 9 || memcmp(p, " HTTP/1.", 8) != 0 || (p[8] != '0' && p[8] != '1'))
        return false;
    h->minor = p[8] - '0';
    return true;
}

/* ---- Fields -------------------------------------------------------------------------------------- */

/* RFC 9112, 5. */
static bool parse_field(sio_span line, sio_http_field *f)
{
    size_t i = 0;
    while (i < line.n && is_token(line.p[i]))
        i++;
    if (i == 0 || i == line.n || line.p[i] != ':')
        return false;
    f->name = (sio_span){ line.p, i };
    f->value = trim((sio_span){ line.p + i + 1, line.n - i - 1 });
    for (i = 0; i < f->value.n; i++)
        if (!is_value(f->value.p[i]))
            return false;
    return true;
}

/* RFC 9110, 8.6: digits, and nothing but digits. */
static bool parse_length(sio_span s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_digit(s.p[i]) || v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return s.n > 0;
}

/* What the fields say that change how the message is read. */
typedef struct framing {
    bool close, keep_alive, upgrade_token, upgrade_field, host, transfer;
    int refusal;
} framing;

static void note_field(sio_http_head *h, framing *m, const sio_http_field *f)
{
    sio_span name = f->name, value = f->value;
    if (sio_span_is_nocase(name, "Connection")) {
        m->close |= sio_http_has_token(value, "close");
        m->keep_alive |= sio_http_has_token(value, "keep-alive");
        m->upgrade_token |= sio_http_has_token(value, "upgrade");
    } else if (sio_span_is_nocase(name, "Upgrade")) {
        m->upgrade_field = true;
    } else if (sio_span_is_nocase(name, "Host")) {
        if (m->host)
            m->refusal = -400;  // RFC 9112, 3.2
        m->host = true;
    } else if (sio_span_is_nocase(name, "Content-Length")) {
        if (h->has_length || !parse_length(value, &h->length))
            m->refusal = -400;
        h->has_length = true;
    } else if (sio_span_is_nocase(name, "Transfer-Encoding")) {
        h->chunked = sio_span_is_nocase(value, "chunked");
        if (m->transfer)
            m->refusal = -400;
        else if (!h->chunked)  // RFC 9112, 6.3: the last coding must be chunked, just once
            m->refusal = sio_span_is_nocase(value, "gzip, chunked") ? -501 : -400;
        m->transfer = true;
    } else if (sio_span_is_nocase(name, "Expect")) {
        h->expect_continue = sio_span_is_nocase(value, "100-continue");
        if (!h->expect_continue && m->refusal == 0)
            m->refusal = -417;
    }
}

/* 0, or the refusal of a head whose fields contradict each other. */
static int check_framing(sio_http_head *h, const framing *m)
{
    h->upgrade = m->upgrade_token && m->upgrade_field;
    h->keep_alive = h->minor == 1 ? !m->close : m->keep_alive && !m->close;
    if (m->refusal != 0)
        return m->refusal;
    if (m->transfer && (h->has_length || h->minor == 0))
        return -400;  // RFC 9112, 6.1
    if (h->upgrade && (m->transfer || h->length > 0))
        return -400;  // the body would be read as frames
    if (h->minor == 1 && !m->host && !h->upgrade)
        return -400;  // RFC 9112, 3.2
    return 0;
}

/* The line at p, without its CRLF. 1: *line is set; 0: incomplete; -1: a bare LF. */
static int take_line(const char *p, const char *end, sio_span *line)
{
    const char *lf = memchr(p, '\n', (size_t)(end - p));
    if (lf == NULL)
        return 0;
    if (lf == p || lf[-1] != '\r')
        return -1;
    *line = (sio_span){ p, (size_t)(lf - p) - 1 };
    return 1;
}

int sio_http_parse(const char *p, size_t n, sio_http_head *h)
{
    const char *start = p, *end = p + n;
    framing m = { 0 };
    sio_span line;
    while (end - p >= 2 && p[0] == '\r' && p[1] == '\n')  // RFC 9112, 2.2
        p += 2;
    int got = take_line(p, end, &line);
    if (got == 0 && (p == end || *p == '\r' || may_begin_request(p, (size_t)(end - p))))
        return 0;

    h->minor = 0, h->length = 0, h->n_fields = 0;
    h->chunked = h->has_length = h->expect_continue = false;
    if (got <= 0 || !parse_request_line(line, h))
        return -400;
    for (;;) {
        p = line.p + line.n + 2;
        got = take_line(p, end, &line);
        if (got <= 0)
            return got == 0 ? 0 : -400;
        if (line.n == 0)
            break;
        if (h->n_fields == SIO_HTTP_FIELDS)
            return -431;
        sio_http_field *f = &h->field[h->n_fields++];
        if (!parse_field(line, f))
            return -400;
        note_field(h, &m, f);
    }
    int refusal = check_framing(h, &m);
    return refusal != 0 ? refusal : (int)(p + 2 - start);
}

sio_span sio_http_field_of(const sio_http_head *head, const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < head->n_fields; i++)
        if (head->field[i].name.n == n && sio_equal_nocase(head->field[i].name.p, name, n))
            return head->field[i].value;
    return SIO_NONE;
}

bool sio_http_has_token(sio_span list, const char *token)
{
    const char *end = list.p + list.n;
    for (const char *p = list.p; p < end;) {
        const char *comma = memchr(p, ',', (size_t)(end - p));
        const char *stop = comma == NULL ? end : comma;
        if (sio_span_is_nocase(trim((sio_span){ p, (size_t)(stop - p) }), token))
            return true;
        p = comma == NULL ? end : comma + 1;
    }
    return false;
}

/* ---- Chunked bodies (RFC 9112, 7.1) -------------------------------------------------------------- */

/*   SIZE --";"--> EXTENSION --CR--> SIZE_LF --LF--> DATA --> DATA_CR --> DATA_LF --+
 *    ^  \------------CR-------------^   |                                          |
 *    +---------------------------------(-------------------------------------------+
 *                                  size 0: TRAILER --CR--> TRAILER_LF --> TRAILER .. DONE */
enum { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, TRAILER_LF, DONE };

enum { MAX_CHUNK_LINE = 1024, MAX_TRAILERS = 16384 };

static int hex_digit(char c)
{
    if (is_digit(c))
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One byte of a line that is not data. False: refuse. */
static bool chunk_byte(sio_http_chunks *c, char b)
{
    switch (c->state) {
    case SIZE:
        if (hex_digit(b) >= 0) {
            c->left = c->left << 4 | (uint64_t)hex_digit(b);
            return ++c->line <= 15;  // so it can't overflow
        }
        c->state = b == ';' ? EXTENSION : SIZE_LF;
        return c->line > 0 && (b == ';' || b == '\r');
    case EXTENSION:
        if (b == '\r')
            c->state = SIZE_LF;
        return ++c->line <= MAX_CHUNK_LINE && (b == '\r' || is_value(b));
    case SIZE_LF:
        c->state = c->left > 0 ? DATA : TRAILER;
        c->line = 0;
        return b == '\n';
    case DATA_CR:
        c->state = DATA_LF;
        return b == '\r';
    case DATA_LF:
        c->state = SIZE;
        return b == '\n';
    case TRAILER:
        if (b == '\r')
            c->state = TRAILER_LF;
        else
            c->line = 1;
        return ++c->trailers <= MAX_TRAILERS && (b == '\r' || is_value(b));
    default:  // TRAILER_LF
        c->state = c->line > 0 ? TRAILER : DONE;
        c->line = 0;
        return b == '\n';
    }
}

ptrdiff_t sio_http_chunk(sio_http_chunks *c, const char *p, size_t n, sio_span *data)
{
    size_t i = 0;
    *data = (sio_span){ NULL, 0 };
    while (i < n && c->state != DATA && c->state != DONE)
        if (!chunk_byte(c, p[i++]))
            return -400;
    if (i < n && c->state == DATA) {
        size_t size = n - i < c->left ? n - i : (size_t)c->left;
        *data = (sio_span){ p + i, size };
        i += size;
        c->left -= size;
        if (c->left == 0)
            c->state = DATA_CR;
    }
    return (ptrdiff_t)i;
}

bool sio_http_chunks_done(const sio_http_chunks *c)
{
    return c->state == DONE;
}

/* ---- Queries ------------------------------------------------------------------------------------- */

sio_span sio_http_target_query(sio_span target)
{
    const char *hash = memchr(target.p, '#', target.n);
    size_t n = hash == NULL ? target.n : (size_t)(hash - target.p);
    const char *mark = memchr(target.p, '?', n);
    if (mark == NULL)
        return (sio_span){ target.p + n, 0 };
    return (sio_span){ mark + 1, n - (size_t)(mark - target.p) - 1 };
}

bool sio_http_query_next(sio_span *rest, sio_span *name, sio_span *value)
{
    while (rest->n > 0 && rest->p[0] == '&')
        rest->p++, rest->n--;
    if (rest->n == 0)
        return false;
    const char *amp = memchr(rest->p, '&', rest->n);
    size_t n = amp == NULL ? rest->n : (size_t)(amp - rest->p);
    const char *eq = memchr(rest->p, '=', n);
    size_t k = eq == NULL ? n : (size_t)(eq - rest->p);
    *name = (sio_span){ rest->p, k };
    *value = (sio_span){ rest->p + (k < n ? k + 1 : n), k < n ? n - k - 1 : 0 };
    rest->p += n, rest->n -= n;
    return true;
}

size_t sio_http_decode(sio_span s, char *out)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '%' && s.n - i > 2 && hex_digit(s.p[i + 1]) >= 0 && hex_digit(s.p[i + 2]) >= 0) {
            c = (char)(hex_digit(s.p[i + 1]) << 4 | hex_digit(s.p[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        out[n++] = c;
    }
    return n;
}

/* RFC 9110, 15: those that this server sends, and some for applications. */
static const struct {
    int status;
    const char *reason;
} reasons[] = {
    { 200, "OK" },
    { 201, "Created" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 413, "Payload Too Large" },
    { 417, "Expectation Failed" },
    { 429, "Too Many Requests" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 503, "Service Unavailable" },
};

const char *sio_http_reason(int status)
{
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Status";  // 4: a reason is for people; the number counts
}
