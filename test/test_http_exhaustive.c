/* test_http_exhaustive.c - all short heads, lists, chunks and queries against second parsers
 * SPDX-License-Identifier: MIT */
#include "exhaustive.h"

#define TOKEN LETTERS DIGITS "!#$%&'*+-.^_`|~"  // RFC 9110, 5.6.2

static bool is_visible(char c)
{
    return c > ' ' && c < 0x7f;
}

/* RFC 9110, 5.5. */
static bool is_content(char c)
{
    return is_visible(c) || c == ' ' || c == '\t' || (unsigned char)c >= 0x80;
}

/* ---- Heads ----------------------------------------------------------------------------------- */

/* RFC 9112, 3: refused as soon as it can't become one. */
static verdict request_line(cursor *c)
{
    const char *method = c->p;
    verdict v = some_of(c, TOKEN);
    sio_span name = { method, (size_t)(c->p - method) };
    if (v == GOOD && (v = one_of(c, " ")) == GOOD && sio_span_is(name, "CONNECT"))
        return BAD;
    const char *target = c->p;
    while (v == GOOD && c->p < c->end && is_visible(*c->p) && *c->p != '#')
        c->p++;
    if (v == GOOD && c->p == target)
        return c->p == c->end ? MORE : BAD;
    v = v == GOOD ? literal(c, " HTTP/1.") : v;
    v = v == GOOD ? one_of(c, "01") : v;
    return v == GOOD ? literal(c, "\r\n") : v;
}

/* RFC 9112, 5: a line is looked at when it is whole. */
static verdict field_line(cursor *c, bool *empty, int *hosts)
{
    const char *line = c->p, *end = memchr(line, '\n', (size_t)(c->end - line));
    if (end == NULL)
        return MORE;
    *empty = end - line == 1 && *line == '\r';
    if (!*empty && (some_of(c, TOKEN) != GOOD || one_of(c, ":") != GOOD))
        return BAD;
    *hosts += sio_span_is((sio_span){ line, (size_t)(c->p - line) }, "Host:");
    while (c->p < end && is_content(*c->p))
        c->p++;
    return literal(c, "\r\n");
}

static verdict head(cursor *c)
{
    verdict v;
    while (sees(c, "\r"))
        if ((v = literal(c, "\r\n")) != GOOD)
            return v;
    int hosts = 0;
    bool empty = false;
    v = request_line(c);
    bool must_have_host = v == GOOD && c->p[-3] == '1';
    while (v == GOOD && !empty)
        v = field_line(c, &empty, &hosts);
    return v == GOOD && (hosts > 1 || hosts < must_have_host) ? BAD : v;  // RFC 9112, 3.2
}

static bool agrees(const char *p, size_t n)
{
    static sio_http_head h;
    cursor c = { p, p + n };
    verdict v = head(&c);
    int found = sio_http_parse(p, n, &h), want = v == BAD ? -400 : v == MORE ? 0 : (int)(c.p - p);
    if (found != want)
        fail_msg("%s: %d, not %d", shown(p, n), found, want);
    bool empty = n > 1 && memcmp(p, "\r\n", 2) == 0;
    for (size_t seen = 1; seen < n && found != 0 && !empty; seen++)
        if (sio_http_parse(p, seen, &h) == 0 && !sio_http_is_news(p, n, seen))
            fail_msg("%s: no news behind %zu bytes", shown(p, n), seen);
    return v == MORE;
}

static void all_short_heads_agree_with_a_second_parser(void **state)
{
    static const char *const line[] = { "G",    "CONNECT", " ",  "/",  "#",        "?", "\xc3",
                                        "\x7f", "\t",      "\r", "\n", " HTTP/1.", "H", "T",
                                        "0",    "1",       "2",  ":",  NULL };
    static const char *const field[] = { "Host", "a",    "~",    ":",    " ",    "\t",   "\r",
                                         "\n",   "\r\n", "\x01", "\x1f", "\x7f", "\x80", "\xff",
                                         "@",    "(",    "[",    "{",    NULL };
    static const char *const starts[] = { "G / HTTP/1.0\r\n", "G / HTTP/1.1\r\n",
                                          "G / HTTP/1.1\r\nHost:", "G / HTTP/1.0\r\na: b" };
    (void)state;
    agrees("", 0);
    each_text(&(texts){ line, agrees, 4, 1 }, "");
    each_text(&(texts){ line, agrees, 4, 0 }, "G /");
    each_text(&(texts){ line, agrees, 4, 0 }, "\r\nCONNEC");
    each_text(&(texts){ line, agrees, 3, 1 }, "G / HTTP");
    for (size_t i = 0; i < COUNT(starts); i++)
        each_text(&(texts){ field, agrees, 4, 1 }, starts[i]);
}

static void every_byte_has_its_place_in_a_head(void **state)
{
    static const char *const around[][2] = {
        { "", " / HTTP/1.0\r\n\r\n" },        { "G ", " HTTP/1.0\r\n\r\n" },
        { "G / HTTP/1.", "\r\n\r\n" },        { "G / HTTP/1.0\r\n", ": b\r\n\r\n" },
        { "G / HTTP/1.0\r\na:", "\r\n\r\n" }, { "G / HTTP/1.0\r\na:b", "c\r\n\r\n" }
    };
    (void)state;
    for (size_t i = 0; i < COUNT(around); i++)
        for (int b = 1; b < 256; b++) {
            char text[64], name[] = { (char)b, '\0' };
            int n = sprintf(text, "%s%c%s", around[i][0], b, around[i][1]);
            char *copy = exact(text, (size_t)n);
            agrees(copy, (size_t)n);
            free(copy);
            assert_int_equal(sio_http_is_name(name), strchr(TOKEN, b) != NULL);
            assert_int_equal(sio_http_is_token((char)b), strchr(TOKEN, b) != NULL);
            assert_int_equal(sio_http_is_value(name), is_content((char)b));
        }
}

/* ---- Framing ----------------------------------------------------------------------------------- */

/* What a line says, in the words of the RFC. */
static const struct line {
    const char *text, *length, *codings;
    bool host, close, keep, upgrade_token, upgrade_field, met, unmet;
} lines[] = {
    { "", .host = false },
    { "HOST: a\r\n", .host = true },
    { "Content-Length: 0\r\n", .length = "0" },
    { "content-length:\t7 \r\n", .length = "7" },
    { "Content-Length: 7, 7\r\n", .length = "bad" },
    { "Content-Length:\r\n", .length = "bad" },
    { "Transfer-Encoding: chunked\r\n", .codings = "c" },
    { "Transfer-Encoding: gzip\r\n", .codings = "g" },
    { "transfer-encoding: gzip ,Chunked\r\n", .codings = "gc" },
    { "Transfer-Encoding: chunked, gzip\r\n", .codings = "cg" },
    { "Transfer-Encoding: ,chunked\r\n", .codings = "gc" },
    { "Connection: Close\r\n", .close = true },
    { "Connection: keep-alive, upgrade\r\n", .keep = true, .upgrade_token = true },
    { "Upgrade: websocket\r\n", .upgrade_field = true },
    { "Expect: 100-Continue\r\n", .met = true },
    { "Expect: 200-ok\r\n", .unmet = true },
    { "Close: close\r\n", .host = false },
};

/* RFC 9112, 3.2, 6.1, 6.3, 9.3; RFC 9110, 10.1.1. The status, 0: good. */
static int framing(const size_t *line, size_t n, int minor, sio_http_head *h)
{
    char codings[16] = "";
    int hosts = 0, lengths = 0;
    struct line all = { .length = "0" };
    for (size_t i = 0; i < n; i++) {
        const struct line *l = &lines[line[i]];
        hosts += l->host;
        lengths += l->length != NULL;
        all.length = l->length == NULL || all.length[0] == 'b' ? all.length : l->length;
        strcat(codings, l->codings == NULL ? "" : l->codings);
        all.close |= l->close, all.keep |= l->keep;
        all.upgrade_token |= l->upgrade_token, all.upgrade_field |= l->upgrade_field;
        all.unmet |= l->unmet;
        if (minor == 1 && (l->met || l->unmet))
            h->expect_continue = l->met;
    }
    size_t k = strlen(codings);
    h->length = (uint64_t)atoi(all.length);
    h->has_length = lengths > 0;
    h->chunked = k > 0 && codings[k - 1] == 'c';
    h->keep_alive = !all.close && (minor == 1 || all.keep);
    h->upgrade = all.upgrade_token && all.upgrade_field;
    if (hosts > 1 || (minor == 1 && hosts == 0 && !h->upgrade))
        return 400;
    if (lengths > 1 || all.length[0] == 'b')
        return 400;
    if (k > 0 && (strchr(codings, 'c') != codings + k - 1 || lengths > 0 || minor == 0))
        return 400;
    if (h->upgrade && (k > 0 || h->length > 0))
        return 400;
    return k > 1 ? 501 : all.unmet && minor == 1 ? 417 : 0;
}

static void all_lines_in_fours_frame_a_message_as_rfc_9112_says(void **state)
{
    enum { L = COUNT(lines) };
    static sio_http_head h;
    (void)state;
    for (size_t v = 0; v < 2 * (size_t)L * L * L * L; v++) {
        size_t line[] = { v % L, v / L % L, v / L / L % L, v / L / L / L % L };
        int minor = (int)(v / L / L / L / L);
        char text[256];
        sio_http_head want = { 0 };
        int n = sprintf(text, "G / HTTP/1.%d\r\n%s%s%s%s\r\n", minor, lines[line[0]].text,
                        lines[line[1]].text, lines[line[2]].text, lines[line[3]].text);
        int status = framing(line, 4, minor, &want), found = sio_http_parse(text, (size_t)n, &h);
        if (found != (status == 0 ? n : -status))
            fail_msg("%s: %d, not %d", shown(text, (size_t)n), found, -status);
        if (status == 0 &&
            (h.length != want.length || h.has_length != want.has_length || h.minor != minor ||
             h.chunked != want.chunked || h.keep_alive != want.keep_alive ||
             h.upgrade != want.upgrade || h.expect_continue != want.expect_continue))
            fail_msg("%s: what it says", shown(text, (size_t)n));
    }
}

/* RFC 9110, 5.6.1: split at commas, then trimmed. */
static bool lists(const char *p, size_t n)
{
    bool want = false;
    for (size_t i = 0, start = 0; i <= n; i++) {
        if (i < n && p[i] != ',')
            continue;
        size_t from = start, to = i;
        while (from < to && (p[from] == ' ' || p[from] == '\t'))
            from++;
        while (to > from && (p[to - 1] == ' ' || p[to - 1] == '\t'))
            to--;
        want |= to - from == 2 && (p[from] | 32) == 'a' && (p[from + 1] | 32) == 'b';
        start = i + 1;
    }
    if (sio_http_has_token((sio_span){ p, n }, "ab") != want)
        fail_msg("%s has it not: %d", shown(p, n), want);
    return true;
}

static void all_short_lists_have_a_token_or_not(void **state)
{
    static const char *const pieces[] = { "a", "A", "b", "B", ",", " ", "\t", NULL };
    (void)state;
    each_text(&(texts){ pieces, lists, 6, 0 }, "");
}

/* ---- Chunks ------------------------------------------------------------------------------------ */

static char body[TEXT_BYTES];
static size_t body_bytes;

static verdict quoted(cursor *c)  // RFC 9110, 5.6.4
{
    for (c->p++; c->p < c->end;) {
        char b = *c->p++;
        if (b == '"')
            return GOOD;
        if (b == '\\' && c->p == c->end)
            return MORE;
        if (b == '\\')
            b = *c->p++;
        if (!is_content(b))
            return BAD;
    }
    return MORE;
}

/* RFC 9112, 7.1.1. White space stands before something. */
static verdict extensions(cursor *c)
{
    verdict v = GOOD;
    while (v == GOOD && sees(c, ";")) {
        c->p++;
        any_of(c, " \t");
        v = some_of(c, TOKEN);
        const char *name_end = c->p;
        any_of(c, " \t");
        if (v == GOOD && sees(c, "=")) {
            c->p++;
            any_of(c, " \t");
            v = sees(c, "\"") ? quoted(c) : some_of(c, TOKEN);
            name_end = c->p;
            any_of(c, " \t");
        }
        if (v == GOOD && c->p > name_end && !sees(c, ";"))
            return c->p == c->end ? MORE : BAD;
    }
    return v;
}

static verdict trailers(cursor *c)  // 7.1.2
{
    verdict v = GOOD;
    while (v == GOOD && !sees(c, "\r")) {
        v = some_of(c, TOKEN);
        v = v == GOOD ? one_of(c, ":") : v;
        while (v == GOOD && c->p < c->end && is_content(*c->p))
            c->p++;
        v = v == GOOD ? literal(c, "\r\n") : v;
    }
    return v == GOOD ? literal(c, "\r\n") : v;
}

static verdict chunked(cursor *c)  // 7.1
{
    body_bytes = 0;
    for (;;) {
        uint64_t size = 0;
        const char *start = c->p;
        verdict v = some_of(c, DIGITS "abcdefABCDEF");
        if (c->p - start > 15)
            return BAD;
        for (const char *p = start; p < c->p; p++)
            size = size * 16 + (uint64_t)(*p <= '9' ? *p - '0' : (*p | 32) - 'a' + 10);
        v = v == GOOD ? extensions(c) : v;
        v = v == GOOD ? literal(c, "\r\n") : v;
        if (v != GOOD)
            return v;
        if (size == 0)
            return trailers(c);
        size_t there = (size_t)(c->end - c->p), n = there < size ? there : (size_t)size;
        memcpy(body + body_bytes, c->p, n);
        body_bytes += n;
        c->p += n;
        if (n < size)
            return MORE;
        if ((v = literal(c, "\r\n")) != GOOD)
            return v;
    }
}

/* In two parts, as in one. */
static bool dechunks(const char *p, size_t n)
{
    cursor c = { p, p + n };
    verdict v = chunked(&c);
    for (size_t cut = 0; cut <= n; cut++) {
        sio_http_chunks k = { 0 };
        sio_span data;
        char got[TEXT_BYTES];
        size_t at = 0, bytes = 0;
        ptrdiff_t used = 1;
        for (int part = 0; part < 2; part++)
            while ((used = sio_http_chunk(&k, p + at, (part == 0 ? cut : n) - at, &data)) > 0) {
                at += (size_t)used;
                memcpy(got + bytes, data.p == NULL ? p : data.p, data.n);
                bytes += data.n;
            }
        if ((used < 0) != (v == BAD) || sio_http_chunks_done(&k) != (v == GOOD))
            fail_msg("%s cut at %zu: %td", shown(p, n), cut, used);
        if (v != BAD &&
            (at != (size_t)(c.p - p) || bytes != body_bytes || memcmp(got, body, bytes) != 0))
            fail_msg("%s cut at %zu: its bytes", shown(p, n), cut);
    }
    return v == MORE;
}

static void all_short_chunks_agree_with_a_second_parser(void **state)
{
    static const char *const bytes[] = { "0",    "1",    "a",    "F",    "g",  "\r", "\n",
                                         "\r\n", ";",    "=",    "\"",   "\\", " ",  "\t",
                                         ":",    "\x1f", "\x7f", "\x80", NULL };
    static const char *const lines_of[] = {
        "0", "2", "11\r\n", "\r\n", "x", ";x", "=", "\"\\\"\"", ":", " ", "00000000000000", NULL
    };
    static const char *const starts[] = { "1;", "1;x=", "1;x=\"", "0\r\n", "1;x=\"y\"", "0\r\nx:" };
    (void)state;
    each_text(&(texts){ bytes, dechunks, 4, 1 }, "");
    for (size_t i = 0; i < COUNT(starts); i++)
        each_text(&(texts){ bytes, dechunks, 4, 0 }, starts[i]);
    each_text(&(texts){ lines_of, dechunks, 6, 0 }, "");
}

/* ---- Queries ----------------------------------------------------------------------------------- */

/* WHATWG URL, 5.1: split at '&', parts that are empty left out, then each at its first '='. */
static bool parts(const char *p, size_t n)
{
    sio_span rest = { p, n }, name, value;
    for (size_t i = 0, start = 0; i <= n; i++) {
        if (i < n && p[i] != '&')
            continue;
        size_t eq = start;
        while (eq < i && p[eq] != '=')
            eq++;
        sio_span a = { p + start, eq - start }, b = { p + eq, eq < i ? i - eq - 1 : 0 };
        b.p += eq < i;
        if (i > start && (!sio_http_query_next(&rest, &name, &value) || !same(name, a) ||
                          !same(value, b) || name.p != a.p))
            fail_msg("the part at %zu of %s", start, shown(p, n));
        start = i + 1;
    }
    assert_false(sio_http_query_next(&rest, &name, &value));
    return true;
}

/* The same, 5.1: '+' is a space; RFC 3986, 2.1. */
static bool unescapes(const char *p, size_t n)
{
    char want[TEXT_BYTES], *got = malloc(n + 1);
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        char hex[3] = { i + 1 < n ? p[i + 1] : '\0', i + 2 < n ? p[i + 2] : '\0' };
        if (p[i] == '%' && strspn(hex, DIGITS "abcdefABCDEF") == 2) {
            want[k++] = (char)strtol(hex, NULL, 16);
            i += 2;
        } else {
            want[k++] = p[i] == '+' ? ' ' : p[i];
        }
    }
    if (sio_http_decode((sio_span){ p, n }, got) != k || memcmp(got, want, k) != 0)
        fail_msg("%s decodes to %s", shown(p, n), shown(got, k));
    free(got);
    return true;
}

static bool has_query(const char *p, size_t n)
{
    size_t mark = 0;
    while (mark < n && p[mark] != '?')
        mark++;
    sio_span path = { p, mark }, query = { p + mark + (mark < n), n - mark - (mark < n) };
    sio_span target = { p, n };
    assert_true(same(sio_http_target_path(target), path));
    assert_true(same(sio_http_target_query(target), query));
    assert_ptr_equal(sio_http_target_query(target).p, query.p);
    return true;
}

static void all_short_queries_fall_into_parts_and_decode(void **state)
{
    static const char *const query[] = { "a", "=", "&", "b", NULL };
    static const char *const escapes[] = { "%", "0", "4", "a", "F", "g", "+", "G", "@", "`", NULL };
    static const char *const marks[] = { "?", "/", "&", NULL };
    (void)state;
    each_text(&(texts){ query, parts, 8, 0 }, "");
    each_text(&(texts){ escapes, unescapes, 5, 0 }, "");
    each_text(&(texts){ marks, has_query, 6, 0 }, "");
    for (int b = 1; b < 256; b++)
        for (int d = 1; d < 256; d++) {
            char p[] = { '%', (char)b, (char)d };
            unescapes(p, 3);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_heads_agree_with_a_second_parser),
        cmocka_unit_test(every_byte_has_its_place_in_a_head),
        cmocka_unit_test(all_lines_in_fours_frame_a_message_as_rfc_9112_says),
        cmocka_unit_test(all_short_lists_have_a_token_or_not),
        cmocka_unit_test(all_short_chunks_agree_with_a_second_parser),
        cmocka_unit_test(all_short_queries_fall_into_parts_and_decode),
    };
    return cmocka_run_group_tests_name("http.c, exhaustively", tests, NULL, NULL);
}
