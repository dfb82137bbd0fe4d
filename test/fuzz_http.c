/* fuzz_http.c - any bytes as a request's head, a chunked body and a query
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - More bytes do not change an answer that was given; no byte beyond a cut is read. Where the
 *    answer comes, there is news.
 *  - A head that is accepted passes a second, stricter look: line by line, lengths and codings.
 *  - A chunked body is the same however it is cut, and one that we write reads back. What is accepted
 *    passes a second look: its lines are sizes, extensions and fields.
 *  - A query's parts are in order, inside and complete; what is percent-encoded decodes. */
#include "fuzz.h"

/* ---- Heads ----------------------------------------------------------------------------------- */

static bool is_inside(sio_span s, const char *p, size_t n)
{
    return s.p >= p && s.n <= n && (size_t)(s.p - p) <= n - s.n;
}

static void look_at_lines(const char *p, size_t n)
{
    must(n >= 4 && memcmp(p + n - 4, "\r\n\r\n", 4) == 0, "a head ends with an empty line");
    for (size_t i = 0; i < n; i++) {
        must(p[i] != '\n' || (i > 0 && p[i - 1] == '\r'), "no LF without CR");
        must(p[i] != '\r' || p[i + 1] == '\n', "no CR without LF");
        must(p[i] == '\r' || p[i] == '\n' || p[i] == '\t' ||
                 ((unsigned char)p[i] >= 0x20 && p[i] != 0x7f),
             "no control byte");
        must(i + 1 == n || p[i] != '\n' || (p[i + 1] != ' ' && p[i + 1] != '\t'), "no folded line");
    }
}

static void look_at_framing(const sio_http_head *h)
{
    size_t lengths = 0, codings = 0, hosts = 0;
    for (size_t i = 0; i < h->n_fields; i++) {
        sio_span name = h->field[i].name, value = h->field[i].value;
        lengths += sio_span_is_nocase(name, "content-length");
        codings += sio_span_is_nocase(name, "transfer-encoding");
        hosts += sio_span_is_nocase(name, "host");
        must(name.n > 0 && name.p[name.n] == ':', "a name ends at its colon");
        must(value.n == 0 || (value.p[0] > ' ' || value.p[0] < 0), "a value is trimmed before");
        must(value.n == 0 || (value.p[value.n - 1] > ' ' || value.p[value.n - 1] < 0),
             "and behind");
    }
    must(lengths + codings <= 1 && hosts <= 1, "one length or one coding, one host");
    must(h->has_length == (lengths == 1) && h->chunked == (codings == 1), "they are noted");
    must(h->has_length || h->length == 0, "no length from nowhere");
    must(h->minor == 0 || hosts == 1 || h->upgrade, "HTTP/1.1 has a host");
    must(!h->upgrade || (h->length == 0 && !h->chunked), "an upgrade has no body");
    must(h->minor == 1 || !h->chunked, "HTTP/1.0 has no chunks");
    must(h->minor == 1 || !h->expect_continue, "and no expectations");
    must(!h->chunked || sio_span_is_nocase(sio_http_field_of(h, "transfer-encoding"), "chunked"),
         "chunked is the only coding");
    if (lengths == 1) {
        sio_span s = sio_http_field_of(h, "CONTENT-LENGTH");
        char digits[24];
        while (s.n > 1 && s.p[0] == '0')
            s.p++, s.n--;
        int k = snprintf(digits, sizeof digits, "%llu", (unsigned long long)h->length);
        must((size_t)k == s.n && memcmp(digits, s.p, s.n) == 0, "the length is what it says");
    }
}

static bool is_token(sio_span s)
{
    static const char tchar[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] == '\0' || strchr(tchar, s.p[i]) == NULL)
            return false;
    return s.n > 0;
}

static void look_at_first_line(const sio_http_head *h)
{
    must(is_token(h->method) && !sio_span_is(h->method, "CONNECT"), "a method is a token");
    must(h->target.n > 0 && h->target.p == h->method.p + h->method.n + 1, "a target follows");
    for (size_t i = 0; i < h->target.n; i++)
        must(h->target.p[i] > ' ' && h->target.p[i] < 0x7f && h->target.p[i] != '#',
             "of visible characters, without a fragment");
    must(memcmp(h->target.p + h->target.n, h->minor == 0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n", 11) ==
             0,
         "then the version and the end of the line");
}

static void check_head(const char *p, size_t n)
{
    static sio_http_head h, cut;
    int whole = sio_http_parse(p, n, &h);
    must(whole <= (int)n &&
             (whole >= 0 || whole == -400 || whole == -417 || whole == -431 || whole == -501),
         "an answer is one of those promised");
    bool empty_lines = n > 1 && p[0] == '\r' && p[1] == '\n', answered = false;
    for (size_t i = 0; i < n && n < 300; i++) {
        char *copy = exact(p, i);
        int early = sio_http_parse(copy, i, &cut);
        must(early == 0 || answered || empty_lines || sio_http_is_news(copy, i, i - 1),
             "an answer is news");
        answered = early != 0;
        free(copy);
        must(early == 0 || early == whole, "more bytes don't change an answer");
        must(early <= (int)i, "a head is in the bytes that were given");
    }
    if (whole <= 0)
        return;
    size_t size = (size_t)whole;
    look_at_lines(p, size);
    must(h.n_fields <= SIO_HTTP_FIELDS, "fields have their limit");
    must(is_inside(h.method, p, size) && is_inside(h.target, p, size), "spans lie inside");
    for (size_t i = 0; i < h.n_fields; i++)
        must(is_inside(h.field[i].name, p, size) && is_inside(h.field[i].value, p, size),
             "spans lie inside");
    look_at_first_line(&h);
    look_at_framing(&h);
}

/* ---- Chunked bodies -------------------------------------------------------------------------- */

/* Reads a chunked body in pieces of step bytes. Returns the bytes taken, or the refusal; out has
 * room for n bytes. */
static ptrdiff_t read_chunks(const char *p, size_t n, size_t step, char *out, size_t *size)
{
    sio_http_chunks c = { 0 };
    size_t at = 0;
    *size = 0;
    while (at < n && !sio_http_chunks_done(&c)) {
        sio_span data;
        size_t k = n - at < step ? n - at : step;
        char *copy = exact(p + at, k);
        ptrdiff_t got = sio_http_chunk(&c, copy, k, &data);
        must(got < 0 || (got > 0 && got <= (ptrdiff_t)k), "there is progress, inside");
        if (got > 0 && data.n > 0) {
            must(is_inside(data, copy, (size_t)got), "data is in the bytes that were taken");
            memcpy(out + *size, data.p, data.n);
            *size += data.n;
        }
        free(copy);
        if (got < 0)
            return got;
        at += (size_t)got;
    }
    return sio_http_chunks_done(&c) ? (ptrdiff_t)at : 0;
}

/* Behind a chunk's size: parts that begin with ';', and no line end in quotes. */
static void look_at_extensions(sio_span s)
{
    bool name_next = false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        must(i > 0 || c == ';', "an extension begins with ;");
        must((unsigned char)c >= ' ' || c == '\t', "no control byte");
        must(!name_next || c == ' ' || c == '\t' || is_token((sio_span){ s.p + i, 1 }),
             "a name follows");
        name_next = c == ';' || (name_next && (c == ' ' || c == '\t'));
        bool quoted = c == '"' && i > 0;
        for (i += quoted; quoted && i < s.n && s.p[i] != '"'; i++)
            i += s.p[i] == '\\';
        must(!quoted || i < s.n, "quotes are closed");
    }
    must(!name_next, "none is empty");
    must(s.n == 0 || (s.p[s.n - 1] != ' ' && s.p[s.n - 1] != '\t'), "no white space at the end");
}

/* A body that was accepted, of n bytes, line by line. */
static void look_at_chunks(const char *p, size_t n, size_t data)
{
    const char *end = p + n, *eol;
    unsigned long size = 1;
    for (; size > 0; p = eol + 2 + (size > 0 ? size + 2 : 0), data -= size) {
        char *digits_end;
        eol = memchr(p, '\r', (size_t)(end - p));
        must(eol != NULL && eol + 1 < end && eol[1] == '\n', "a chunk has a line");
        size = strtoul(p, &digits_end, 16);
        must(digits_end > p && digits_end <= eol && size <= data, "with a size");
        look_at_extensions((sio_span){ digits_end, (size_t)(eol - digits_end) });
        must(size == 0 || memcmp(eol + 2 + size, "\r\n", 2) == 0, "behind its data is a line end");
    }
    must(data == 0, "the sizes are those of the data");
    for (; end - p > 2; p = eol + 2) {
        eol = memchr(p, '\r', (size_t)(end - p));
        const char *colon = memchr(p, ':', (size_t)(eol - p));
        must(eol[1] == '\n' && colon != NULL && is_token((sio_span){ p, (size_t)(colon - p) }),
             "a trailer is a field");
    }
    must(end - p == 2 && memcmp(p, "\r\n", 2) == 0, "an empty line ends it");
}

static void check_chunks(const char *p, size_t n)
{
    char *a = malloc(n), *b = malloc(n);
    size_t size_a, size_b, step = n > 0 ? (unsigned char)p[n - 1] % 13 + 2 : 1;
    ptrdiff_t whole = read_chunks(p, n, n, a, &size_a);
    must(read_chunks(p, n, 1, b, &size_b) == whole, "byte by byte is the same");
    must(size_a == size_b && (size_a == 0 || memcmp(a, b, size_a) == 0), "with the same data");
    must(read_chunks(p, n, step, b, &size_b) == whole, "in pieces is the same");
    must(size_a == size_b && (size_a == 0 || memcmp(a, b, size_a) == 0), "with the same data");
    if (whole > 0)
        look_at_chunks(p, (size_t)whole, size_a);
    free(a);
    free(b);
}

/* The bytes as a chunked body, in chunks of step. */
static void write_chunks(const char *p, size_t n, size_t step)
{
    char *body = malloc(n * 8 + 64), *out = malloc(n * 8 + 64);
    size_t k = 0, size;
    for (size_t at = 0; at < n; at += step) {
        size_t m = n - at < step ? n - at : step;
        k += (size_t)sprintf(body + k, step % 2 ? "%zx\r\n" : "%zX;x\r\n", m);
        memcpy(body + k, p + at, m);
        k += m;
        k += (size_t)sprintf(body + k, "\r\n");
    }
    k += (size_t)sprintf(body + k, step % 3 ? "0;a=\"b;c\"\r\n\r\n" : "0\r\nX: y\r\n\r\n");
    must(read_chunks(body, k, 5, out, &size) == (ptrdiff_t)k, "a body that we write is whole");
    must(size == n && (n == 0 || memcmp(out, p, n) == 0), "a body that we write reads back");
    free(body);
    free(out);
}

/* ---- Queries --------------------------------------------------------------------------------- */

static void check_query(const char *p, size_t n)
{
    sio_span query = sio_http_target_query((sio_span){ p, n });
    must(is_inside(query, p, n), "a query lies in its target");
    must(query.n == 0 || query.p[-1] == '?', "behind the mark");
    sio_span rest = { p, n }, name, value;
    const char *at = p;
    while (sio_http_query_next(&rest, &name, &value)) {
        for (; at < name.p; at++)
            must(*at == '&', "nothing but & is skipped");
        must(name.n == 0 || memchr(name.p, '=', name.n) == NULL, "a name ends at =");
        must(value.p == name.p + name.n || value.p == name.p + name.n + 1, "a value follows");
        at = value.p + value.n;
        must(at == p + n || *at == '&', "a value ends at & or the end");
    }
    for (; at < p + n; at++)
        must(*at == '&', "nothing is left");

    char *code = malloc(n * 3 + 1), *out = malloc(n * 3 + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += (size_t)sprintf(code + k, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)p[i]);
    must(sio_http_decode((sio_span){ code, k }, out) == n, "what is encoded decodes");
    must(n == 0 || memcmp(out, p, n) == 0, "to the same");
    char *room = malloc(n);
    must(sio_http_decode((sio_span){ p, n }, room) <= n, "decoded text is not longer");
    free(room);
    free(code);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    check_head(p, n);
    check_chunks(p, n);
    write_chunks(p, n, n % 17 + 1);
    check_query(p, n);
    sio_http_has_token((sio_span){ p, n }, "upgrade");
    return 0;
}
