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
 *    before the colon, two lengths, a length beside a transfer coding, a fragment in the target, a
 *    trailer that is no field. Two programs that read such a request differently are how requests
 *    are smuggled.
 *  - What can't become a request is refused at once and not waited for: a TLS client has sent all
 *    that it has to say.
 *  - A head is parsed from its start each time, and is given up after SIO_HTTP_FIELDS fields: so the
 *    caller may ask again after each line without the cost running away.
 *
 * Left out: transfer codings but chunked, trailers' contents, absolute targets, CONNECT. */
#include "codec.h"

/* ---- Characters -------------------------------------------------------------------------------- */

/* RFC 9110, 5.6.2: tchar. */
bool sio_http_is_token(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || sio_is_digit(c) ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
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

/* Takes the next element off a list (RFC 9110, 5.6.1); false behind the last. Of an empty list the
 * only one is empty. */
static bool next_element(sio_span *list, sio_span *element)
{
    if (list->p == NULL)
        return false;
    const char *comma = memchr(list->p, ',', list->n);
    size_t n = comma == NULL ? list->n : (size_t)(comma - list->p);
    *element = trim((sio_span){ list->p, n });
    *list = comma == NULL ? SIO_NONE : (sio_span){ comma + 1, list->n - n - 1 };
    return true;
}

/* ---- The request line -------------------------------------------------------------------------- */

/* RFC 9112, 3.2: a target has no fragment; a program in front of us that cuts it off would ask for
 * another resource than we answer for. */
static bool is_target(char c)
{
    return c >= 0x21 && c <= 0x7e && c != '#';
}

/* RFC 9112, 3: any token is a method (RFC 9110, 9.1). 1: a line; 0: the beginning of one, perhaps
 * with its CR; -1: neither. */
static int parse_request_line(sio_span line, sio_http_head *h)
{
    const char *p = line.p, *end = p + line.n;
    while (p < end && sio_http_is_token(*p))
        p++;
    h->method = (sio_span){ line.p, (size_t)(p - line.p) };
    if (p == end)
        return 0;
    if (h->method.n == 0 || *p != ' ' || sio_span_is(h->method, "CONNECT"))
        return -1;
    const char *target = ++p;
    while (p < end && is_target(*p))
        p++;
    h->target = (sio_span){ target, (size_t)(p - target) };
    if (p == end)
        return 0;
    size_t left = (size_t)(end - p);
    if (h->target.n == 0 || memcmp(p, " HTTP/1.", left < 8 ? left : 8) != 0)
        return -1;
    if (left < 9)
        return 0;
    h->minor = p[8] - '0';
    if (p[8] != '0' && p[8] != '1')
        return -1;
    return left == 9 ? 1 : left == 10 && p[9] == '\r' ? 0 : -1;
}

bool sio_http_is_news(const char *p, size_t n, size_t seen)
{
    if (memchr(p + seen, '\n', n - seen) != NULL)
        return true;
    if (memchr(p, '\n', seen) != NULL)
        return false;  // fields are looked at line by line
    const char *space = memchr(p, ' ', seen);
    if (p[0] == '\r' || (space != NULL && memchr(space + 1, ' ', seen - (size_t)(space + 1 - p))))
        return true;  // an empty line, or the version: few bytes
    while (seen < n && (space == NULL ? sio_http_is_token(p[seen]) : is_target(p[seen])))
        seen++;
    return seen < n;
}

/* ---- Fields -------------------------------------------------------------------------------------- */

/* RFC 9112, 5. */
static bool parse_field(sio_span line, sio_http_line *f)
{
    size_t i = 0;
    while (i < line.n && sio_http_is_token(line.p[i]))
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

bool sio_http_is_name(const char *name)
{
    size_t i = 0;
    while (sio_http_is_token(name[i]))
        i++;
    return i > 0 && name[i] == '\0';
}

bool sio_http_is_value(const char *value)
{
    while (is_value(*value))
        value++;
    return *value == '\0';
}

/* RFC 9110, 8.6: digits, and nothing but digits. */
static bool parse_length(sio_span s, uint64_t *out)
{
    uint64_t v = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (!sio_is_digit(s.p[i]) || v > (UINT64_MAX - 9) / 10)
            return false;
        v = v * 10 + (uint64_t)(s.p[i] - '0');
    }
    *out = v;
    return s.n > 0;
}

/* What the fields say that change how the message is read. */
typedef struct framing {
    bool close, keep_alive, upgrade_token, upgrade_field, host, transfer;
    bool encoded;      // by something other than chunked
    bool malformed;    // 400, whatever else there is
    bool expectation;  // one that can't be met
} framing;

/* RFC 9112, 6.1 and 7: a list, over several lines perhaps; chunked may be in it once, as the last.
 * An empty element counts as a coding that nobody knows. */
static void note_codings(sio_http_head *h, framing *m, sio_span list)
{
    sio_span coding;
    m->transfer = true;
    while (next_element(&list, &coding)) {
        m->malformed |= h->chunked;
        h->chunked = sio_span_is_nocase(coding, "chunked");
        m->encoded |= !h->chunked;
    }
}

/* What one field says of that, and of the answer. */
static void note_field(sio_http_head *h, framing *m, const sio_http_line *f)
{
    sio_span name = f->name, value = f->value;
    if (sio_span_is_nocase(name, "Connection")) {
        m->close |= sio_http_has_token(value, "close");
        m->keep_alive |= sio_http_has_token(value, "keep-alive");
        m->upgrade_token |= sio_http_has_token(value, "upgrade");
    } else if (sio_span_is_nocase(name, "Upgrade")) {
        m->upgrade_field = true;
    } else if (sio_span_is_nocase(name, "Host")) {
        m->malformed |= m->host;  // RFC 9112, 3.2
        m->host = true;
    } else if (sio_span_is_nocase(name, "Content-Length")) {
        m->malformed |= h->has_length || !parse_length(value, &h->length);
        h->has_length = true;
    } else if (sio_span_is_nocase(name, "Transfer-Encoding")) {
        note_codings(h, m, value);
    } else if (sio_span_is_nocase(name, "Expect") && h->minor > 0) {  // RFC 9110, 10.1.1
        h->expect_continue = sio_span_is_nocase(value, "100-continue");
        m->expectation |= !h->expect_continue;
    }
}

/* 0, or the refusal of a head whose fields contradict each other. */
static int check_framing(sio_http_head *h, const framing *m)
{
    h->upgrade = m->upgrade_token && m->upgrade_field;
    h->keep_alive = h->minor == 1 ? !m->close : m->keep_alive && !m->close;
    if (m->malformed)
        return -400;
    if (m->transfer && (!h->chunked || h->has_length || h->minor == 0))
        return -400;  // RFC 9112, 6.1 and 6.3
    if (h->upgrade && (m->transfer || h->length > 0))
        return -400;  // the body would be read as frames
    if (h->minor == 1 && !m->host && !h->upgrade)
        return -400;  // RFC 9112, 3.2; a handshake is answered without it
    if (m->encoded)
        return -501;  // RFC 9112, 6.1
    return m->expectation ? -417 : 0;
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
    if (got == 0) {  // what can't become a request is refused before its first line is complete
        line = (sio_span){ p, (size_t)(end - p) };
        return sio_span_is(line, "\r") || parse_request_line(line, h) >= 0 ? 0 : -400;
    }
    h->minor = 0, h->length = 0, h->n_fields = 0;
    h->chunked = h->has_length = h->expect_continue = false;
    if (got < 0 || parse_request_line(line, h) <= 0)
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
        sio_http_line *f = &h->field[h->n_fields++];
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

sio_span sio_http_single(const sio_http_head *head, const char *name)
{
    sio_span found = SIO_NONE;
    for (size_t i = 0; i < head->n_fields; i++) {
        if (!sio_span_is_nocase(head->field[i].name, name))
            continue;
        if (found.p != NULL)
            return SIO_NONE;
        found = head->field[i].value;
    }
    return found;
}

bool sio_http_has_token(sio_span list, const char *token)
{
    sio_span element;
    while (next_element(&list, &element))
        if (sio_span_is_nocase(element, token))
            return true;
    return false;
}

/* ---- Chunked bodies (RFC 9112, 7.1) -------------------------------------------------------------- */

/*   SIZE --";"--> EXT.. --CR--> SIZE_LF --LF--> DATA --> DATA_CR --> DATA_LF --+
 *    ^  \----------CR-----------^  |                                           |
 *    +-----------------------------(-------------------------------------------+
 *                                  +-size 0-> TRAILERS --CR--> END_LF --LF--> DONE
 *                                              ^  \--> NAME --":"--> VALUE --CR--> VALUE_LF --+
 *                                              +--------------------LF------------------------+ */
enum {
    SIZE,
    EXT,
    EXT_NAME,
    EXT_NAMED,
    EXT_EQUAL,
    EXT_TOKEN,
    EXT_QUOTED,
    EXT_ESCAPED,
    EXT_QUOTE_END,
    EXT_END,
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILERS,
    NAME,
    VALUE,
    VALUE_LF,
    END_LF,
    DONE,
    REFUSED
};

enum { MAX_CHUNK_LINE = 1024, MAX_TRAILERS = 16384 };

/* Between the parts of an extension: white space may stand before the next one, not at the end. */
static unsigned after_part(char b, unsigned blanks)
{
    return b == ';' ? EXT : is_blank(b) ? blanks : REFUSED;
}

/* RFC 9112, 7.1.1: *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ), but for white space
 * behind the size, which the reference refuses too. The state behind b. What an extension says is
 * ignored; but where one program finds its end, all must. */
static unsigned extension_byte(unsigned state, char b)
{
    switch (state) {
    case EXT:
        return sio_http_is_token(b) ? EXT_NAME : is_blank(b) ? EXT : REFUSED;
    case EXT_NAME:
        if (sio_http_is_token(b) || b == '\r')
            return b == '\r' ? SIZE_LF : EXT_NAME;
        return b == '=' ? EXT_EQUAL : after_part(b, EXT_NAMED);
    case EXT_NAMED:
        return b == '=' ? EXT_EQUAL : after_part(b, EXT_NAMED);
    case EXT_EQUAL:
        if (b == '"' || is_blank(b))
            return b == '"' ? EXT_QUOTED : EXT_EQUAL;
        return sio_http_is_token(b) ? EXT_TOKEN : REFUSED;
    case EXT_TOKEN:
        if (sio_http_is_token(b))
            return EXT_TOKEN;
        return b == '\r' ? SIZE_LF : after_part(b, EXT_END);
    case EXT_QUOTED:  // RFC 9110, 5.6.4
        if (b == '"' || b == '\\')
            return b == '"' ? EXT_QUOTE_END : EXT_ESCAPED;
        return is_value(b) ? EXT_QUOTED : REFUSED;
    case EXT_ESCAPED:
        return is_value(b) ? EXT_QUOTED : REFUSED;
    case EXT_QUOTE_END:
        return b == '\r' ? SIZE_LF : after_part(b, EXT_END);
    default:  // EXT_END
        return after_part(b, EXT_END);
    }
}

/* RFC 9112, 7.1.2: fields. What they say is ignored; but a line that is none may be the request of
 * somebody who thinks that the body has ended. The state behind b. */
static unsigned trailer_byte(unsigned state, char b)
{
    switch (state) {
    case TRAILERS:
        return b == '\r' ? END_LF : sio_http_is_token(b) ? NAME : REFUSED;
    case NAME:
        return b == ':' ? VALUE : sio_http_is_token(b) ? NAME : REFUSED;
    case VALUE:
        return b == '\r' ? VALUE_LF : is_value(b) ? VALUE : REFUSED;
    default:  // VALUE_LF, END_LF
        return b != '\n' ? REFUSED : state == END_LF ? DONE : TRAILERS;
    }
}

/* One byte of a line that is not data: the state behind it. */
static unsigned chunk_byte(sio_http_chunks *c, char b)
{
    switch (c->state) {
    case SIZE:
        if (sio_hex_value(b) < 0)
            return c->line == 0 ? REFUSED : b == ';' ? EXT : b == '\r' ? SIZE_LF : REFUSED;
        c->left = c->left << 4 | (uint64_t)sio_hex_value(b);
        return ++c->line <= 15 ? SIZE : REFUSED;  // so it can't overflow
    case SIZE_LF:
        c->line = 0;
        return b != '\n' ? REFUSED : c->left > 0 ? DATA : TRAILERS;
    case DATA_CR:
        return b == '\r' ? DATA_LF : REFUSED;
    case DATA_LF:
        return b == '\n' ? SIZE : REFUSED;
    case TRAILERS:
    case NAME:
    case VALUE:
    case VALUE_LF:
    case END_LF:
        return ++c->trailers <= MAX_TRAILERS ? trailer_byte(c->state, b) : REFUSED;
    case REFUSED:
        return REFUSED;
    default:
        return ++c->line <= MAX_CHUNK_LINE ? extension_byte(c->state, b) : REFUSED;
    }
}

ptrdiff_t sio_http_chunk(sio_http_chunks *c, const char *p, size_t n, sio_span *data)
{
    size_t i = 0;
    *data = (sio_span){ NULL, 0 };
    while (i < n && c->state != DATA && c->state != DONE)
        if ((c->state = (unsigned char)chunk_byte(c, p[i++])) == REFUSED)
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

/* RFC 3986, 3.3 and 3.4. */
sio_span sio_http_target_path(sio_span target)
{
    const char *mark = memchr(target.p, '?', target.n);
    return (sio_span){ target.p, mark == NULL ? target.n : (size_t)(mark - target.p) };
}

sio_span sio_http_target_query(sio_span target)
{
    const char *mark = memchr(target.p, '?', target.n);
    if (mark == NULL)
        return (sio_span){ target.p + target.n, 0 };
    return (sio_span){ mark + 1, target.n - (size_t)(mark - target.p) - 1 };
}

/* How browsers write forms and queries: application/x-www-form-urlencoded (WHATWG URL, 5.1). */
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
        if (c == '%' && s.n - i > 2 && sio_hex_value(s.p[i + 1]) >= 0 &&
            sio_hex_value(s.p[i + 2]) >= 0) {
            c = (char)(sio_hex_value(s.p[i + 1]) << 4 | sio_hex_value(s.p[i + 2]));
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
