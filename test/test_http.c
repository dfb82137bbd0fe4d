/* test_http.c - requests, chunked bodies and queries (RFC 9110, RFC 9112)
 * SPDX-License-Identifier: MIT */
#include "lib.h"

/* ---- Heads ----------------------------------------------------------------------------------- */

#define LINE "GET /x HTTP/1.1\r\n"
#define HOST LINE "Host: a\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\n"
#define UPGRADE HOST "Connection: Upgrade\r\nUpgrade: websocket\r\n"
#define END "\r\n"
#define GOOD 1  // its whole length

static const struct {
    const char *rule, *p;
    size_t n;
    int want;
} heads[] = {
    { "9112, 3: the shortest", BYTES("GET / HTTP/1.0\r\n\r\n"), GOOD },
    { "9112, 3: with a host", BYTES(HOST END), GOOD },
    { "9112, 3: POST", BYTES(POST "Content-Length: 3\r\n\r\n"), GOOD },
    { "9110, 9: HEAD", BYTES("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9: PUT", BYTES("PUT / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9: DELETE", BYTES("DELETE / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9: PATCH", BYTES("PATCH / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9: OPTIONS for the server", BYTES("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9: TRACE", BYTES("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9: CONNECT is not served", BYTES("CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9110, 9.1: any token is a method", BYTES("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9.1: in lower case too", BYTES("get / HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9.1: with a dash", BYTES("M-SEARCH * HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9110, 9.1: what is no token", BYTES("GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9110, 9.1: above ASCII", BYTES("GE\xc3\x89 / HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2: a TLS greeting", BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n"), -400 },
    { "9113, 3.4: the preface of HTTP/2", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), -400 },
    { "9112, 2: bytes that are no text", BYTES("\0\0\0\0\r\n\r\n"), -400 },

    { "9112, 2.2: empty lines before", BYTES("\r\n\r\n\r\n" HOST END), GOOD },
    { "9112, 2.2: an empty line before, LF alone", BYTES("\n" HOST END), -400 },
    { "9112, 2.2: CR alone before", BYTES("\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.2: a space before", BYTES(" " HOST END), -400 },
    { "9112, 2.2: LF alone ends the first line", BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.2: LF alone ends a field", BYTES(LINE "Host: a\nX: b\r\n\r\n"), -400 },
    { "9112, 2.2: LF alone ends the head", BYTES(HOST "\n"), -400 },
    { "9112, 2.2: LF LF ends the head", BYTES("GET / HTTP/1.1\nHost: a\n\n"), -400 },
    { "9112, 2.2: CR CR LF", BYTES(HOST "\r\r\n\r\n"), -400 },
    { "9112, 2.2: CR inside a value", BYTES(LINE "Host: a\rX: b\r\n\r\n"), -400 },
    { "9112, 2.2: CR in the first line", BYTES("GET /\rHTTP/1.1\r\nHost: a\r\n\r\n"), -400 },

    { "9112, 3: two spaces before the target", BYTES("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3: two spaces behind the target", BYTES("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3: a space at the end", BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3: tabs for spaces", BYTES("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3: a tab behind the target", BYTES("GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3: no target", BYTES("GET HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3: no version", BYTES("GET /\r\n\r\n"), -400 },
    { "9112, 3: the method alone", BYTES("GET\r\n\r\n"), -400 },
    { "9112, 3.2: a space in the target", BYTES("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3.2: NUL in the target", BYTES("GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3.2: DEL in the target", BYTES("GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3.2: above ASCII in the target", BYTES("GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n"),
      -400 },
    { "9112, 3.2: a fragment", BYTES("GET /healthz#f HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3.2: behind a query", BYTES("GET /?a#b HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3.2: a fragment alone", BYTES("GET # HTTP/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 3.2: its escape is none", BYTES("GET /%23f HTTP/1.1\r\nHost: a\r\n\r\n"), GOOD },
    { "9112, 2.3: HTTP/1.2", BYTES("GET / HTTP/1.2\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.3: HTTP/2.0", BYTES("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.3: HTTP/0.9", BYTES("GET / HTTP/0.9\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.3: HTTP/1.10", BYTES("GET / HTTP/1.10\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.3: HTTP/1.", BYTES("GET / HTTP/1.\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.3: lower case", BYTES("GET / http/1.1\r\nHost: a\r\n\r\n"), -400 },
    { "9112, 2.3: another protocol", BYTES("GET / ICAP/1.1\r\nHost: a\r\n\r\n"), -400 },

    { "9112, 3.2: HTTP/1.1 without a host", BYTES(LINE END), -400 },
    { "9112, 3.2: two hosts", BYTES(HOST "Host: a\r\n\r\n"), -400 },
    { "9112, 3.2: two hosts, cases differ", BYTES(HOST "hOsT: b\r\n\r\n"), -400 },
    { "9112, 3.2: an empty host", BYTES(LINE "Host:\r\n\r\n"), GOOD },
    { "6.1: an upgrade needs no host", BYTES(LINE "Connection: upgrade\r\nUpgrade: a\r\n\r\n"),
      GOOD },

    { "9112, 5: no space behind the colon", BYTES(HOST "X:1\r\n\r\n"), GOOD },
    { "9112, 5: an empty value", BYTES(HOST "X:\r\n\r\n"), GOOD },
    { "9112, 5: white space alone", BYTES(HOST "X: \t \r\n\r\n"), GOOD },
    { "9112, 5: colons in a value", BYTES(HOST "X: a:b::\r\n\r\n"), GOOD },
    { "9112, 5: a tab in a value", BYTES(HOST "X: a\tb\r\n\r\n"), GOOD },
    { "9110, 5.5: above ASCII in a value", BYTES(HOST "X: caf\xe9\xff\x80\r\n\r\n"), GOOD },
    { "9110, 5.6.2: each mark of a token", BYTES(HOST "!#$%&'*+-.^_`|~09azAZ: 1\r\n\r\n"), GOOD },
    { "9112, 5.1: a space before the colon", BYTES(HOST "X : 1\r\n\r\n"), -400 },
    { "9112, 5.1: a tab before the colon", BYTES(HOST "X\t: 1\r\n\r\n"), -400 },
    { "9112, 5.1: a space in a name", BYTES(HOST "X Y: 1\r\n\r\n"), -400 },
    { "9112, 5: no colon", BYTES(HOST "X\r\n\r\n"), -400 },
    { "9112, 5: no name", BYTES(HOST ": 1\r\n\r\n"), -400 },
    { "9110, 5.1: a bracket in a name", BYTES(HOST "X(Y): 1\r\n\r\n"), -400 },
    { "9110, 5.1: above ASCII in a name", BYTES(HOST "caf\xe9: 1\r\n\r\n"), -400 },
    { "9110, 5.1: NUL in a name", BYTES(HOST "X\0: 1\r\n\r\n"), -400 },
    { "9112, 5.2: a folded field", BYTES(HOST "X: 1\r\n 2\r\n\r\n"), -400 },
    { "9112, 5.2: folded with a tab", BYTES(HOST "X: 1\r\n\t2\r\n\r\n"), -400 },
    { "9112, 5.2: a space before the first field", BYTES(LINE " Host: a\r\n\r\n"), -400 },
    { "9110, 5.5: NUL in a value", BYTES(HOST "X: a\0b\r\n\r\n"), -400 },
    { "9110, 5.5: a control byte in a value", BYTES(HOST "X: a\x01\r\n\r\n"), -400 },
    { "9110, 5.5: escape in a value", BYTES(HOST "X: \x1b[1m\r\n\r\n"), -400 },
    { "9110, 5.5: DEL in a value", BYTES(HOST "X: a\x7f\r\n\r\n"), -400 },

    { "9110, 8.6: zeros before a length", BYTES(POST "Content-Length: 007\r\n\r\n"), GOOD },
    { "9110, 8.6: white space around a length", BYTES(POST "Content-Length: \t7 \t\r\n\r\n"),
      GOOD },
    { "9110, 8.6: a length of zero", BYTES(POST "Content-Length: 0\r\n\r\n"), GOOD },
    { "9112, 6.3: two equal lengths", BYTES(POST "Content-Length: 7\r\nContent-Length: 7\r\n\r\n"),
      -400 },
    { "9112, 6.3: two lengths", BYTES(POST "Content-Length: 7\r\ncontent-length: 8\r\n\r\n"),
      -400 },
    { "9110, 8.6: a list of lengths", BYTES(POST "Content-Length: 7, 7\r\n\r\n"), -400 },
    { "9110, 8.6: a length with a plus", BYTES(POST "Content-Length: +7\r\n\r\n"), -400 },
    { "CVE: a negative length", BYTES(POST "Content-Length: -7\r\n\r\n"), -400 },
    { "9110, 8.6: a hexadecimal length", BYTES(POST "Content-Length: 0x7\r\n\r\n"), -400 },
    { "9110, 8.6: a length with a point", BYTES(POST "Content-Length: 7.0\r\n\r\n"), -400 },
    { "9110, 8.6: a length in two parts", BYTES(POST "Content-Length: 7 7\r\n\r\n"), -400 },
    { "9110, 8.6: an empty length", BYTES(POST "Content-Length:\r\n\r\n"), -400 },
    { "9110, 8.6: 2^64", BYTES(POST "Content-Length: 18446744073709551616\r\n\r\n"), -400 },
    { "9110, 8.6: 2^64 + 7", BYTES(POST "Content-Length: 18446744073709551623\r\n\r\n"), -400 },
    { "9110, 8.6: 10 * 2^64", BYTES(POST "Content-Length: 184467440737095516160\r\n\r\n"), -400 },

    { "9112, 7.1: chunked", BYTES(POST "Transfer-Encoding: chunked\r\n\r\n"), GOOD },
    { "9112, 7: chunked in any case", BYTES(POST "transfer-encoding:\tCHUNKED\r\n\r\n"), GOOD },
    { "9112, 6.3: length, then coding",
      BYTES(POST "Content-Length: 7\r\nTransfer-Encoding: chunked\r\n\r\n"), -400 },
    { "9112, 6.3: coding, then length",
      BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n"), -400 },
    { "9112, 6.3: coding and a length of zero",
      BYTES(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n"), -400 },
    { "9112, 6.1: chunked in HTTP/1.0",
      BYTES("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"), -400 },
    { "9112, 6.3: gzip", BYTES(POST "Transfer-Encoding: gzip\r\n\r\n"), -400 },
    { "9112, 6.1: gzip, chunked", BYTES(POST "Transfer-Encoding: gzip, chunked\r\n\r\n"), -501 },
    { "9112, 6.1: without a space", BYTES(POST "Transfer-Encoding: gzip,chunked\r\n\r\n"), -501 },
    { "9112, 6.1: another coding", BYTES(POST "Transfer-Encoding: x;a=b \t,\tChunked\r\n\r\n"),
      -501 },
    { "9110, 5.3: the same in two fields",
      BYTES(POST "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"), -501 },
    { "9112, 6.1: and a length",
      BYTES(POST "Transfer-Encoding: gzip, chunked\r\nContent-Length: 1\r\n\r\n"), -400 },
    { "9112, 6.1: and an expectation",
      BYTES(POST "Expect: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), -501 },
    { "9112, 7: chunked, gzip, chunked",
      BYTES(POST "Transfer-Encoding: chunked, gzip, chunked\r\n\r\n"), -400 },
    { "9112, 6.3: a comma behind chunked", BYTES(POST "Transfer-Encoding: chunked,\r\n\r\n"),
      -400 },
    { "9112, 6.3: and in the next field",
      BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n\r\n"), -400 },
    { "9112, 6.3: a comma in quotes", BYTES(POST "Transfer-Encoding: x;a=\"b, chunked\"\r\n\r\n"),
      -400 },
    { "9112, 6.3: chunked, gzip", BYTES(POST "Transfer-Encoding: chunked, gzip\r\n\r\n"), -400 },
    { "9112, 6.1: chunked twice in a list",
      BYTES(POST "Transfer-Encoding: chunked, chunked\r\n\r\n"), -400 },
    { "9112, 6.1: chunked in two fields",
      BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), -400 },
    { "9112, 6.3: chunked, then identity",
      BYTES(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"), -400 },
    { "9112, 6.3: identity", BYTES(POST "Transfer-Encoding: identity\r\n\r\n"), -400 },
    { "9112, 6.3: xchunked", BYTES(POST "Transfer-Encoding: xchunked\r\n\r\n"), -400 },
    { "9112, 6.3: chunked with a parameter", BYTES(POST "Transfer-Encoding: chunked;a=b\r\n\r\n"),
      -400 },
    { "9112, 6.3: chunked in quotes", BYTES(POST "Transfer-Encoding: \"chunked\"\r\n\r\n"), -400 },
    { "9112, 6.3: an empty coding", BYTES(POST "Transfer-Encoding:\r\n\r\n"), -400 },
    { "9112, 6.3: a vertical tab before chunked",
      BYTES(POST "Transfer-Encoding: \x0b"
                 "chunked\r\n\r\n"),
      -400 },

    { "6.1: an upgrade", BYTES(UPGRADE END), GOOD },
    { "threats.md: an upgrade with a body", BYTES(UPGRADE "Content-Length: 5\r\n\r\n"), -400 },
    { "threats.md: an upgrade with chunks", BYTES(UPGRADE "Transfer-Encoding: chunked\r\n\r\n"),
      -400 },
    { "6.1: an upgrade with an empty body", BYTES(UPGRADE "Content-Length: 0\r\n\r\n"), GOOD },
    { "9110, 10.1.1: 100-continue", BYTES(POST "Expect: 100-Continue\r\n\r\n"), GOOD },
    { "9110, 10.1.1: another expectation", BYTES(POST "Expect: the-spanish-inquisition\r\n\r\n"),
      -417 },
    { "9110, 10.1.1: two expectations", BYTES(POST "Expect: 100-continue, x\r\n\r\n"), -417 },
    { "9110, 10.1.1: none in HTTP/1.0", BYTES("POST /x HTTP/1.0\r\nExpect: x\r\n\r\n"), GOOD },
    { "9112, 6.3: an ambiguity is worse than an expectation",
      BYTES(POST "Expect: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n"), -400 },
};

static int parse(const char *p, size_t n)
{
    static sio_http_head head;
    char *copy = exact(p, n);
    int got = sio_http_parse(copy, n, &head);
    free(copy);
    return got;
}

static void a_head_is_served_or_refused_by_the_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        int want = heads[i].want == GOOD ? (int)heads[i].n : heads[i].want;
        int got = parse(heads[i].p, heads[i].n);
        if (got != want)
            fail_msg("%s: %d", heads[i].rule, got);
    }
}

/* A good head needs all of its bytes. A bad one may be refused early, but not otherwise. */
static void a_head_cut_anywhere_needs_more_or_is_refused_as_the_whole(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++)
        for (size_t n = 0; n < heads[i].n; n++) {
            int got = parse(heads[i].p, n);
            if (got != 0 && (heads[i].want == GOOD || got != -400))
                fail_msg("%s: %d after %zu bytes", heads[i].rule, got, n);
        }
}

static void bytes_behind_a_head_are_not_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(heads); i++) {
        char text[512];
        memcpy(text, heads[i].p, heads[i].n);
        memcpy(text + heads[i].n, "\x00\r\n\xff", 4);
        if (heads[i].want == GOOD)
            assert_int_equal(parse(text, heads[i].n + 4), heads[i].n);
    }
}

/* What can't become a request is refused before its first line ends: a TLS client would wait. */
static void garbage_is_refused_before_its_first_line_ends(void **state)
{
    static const struct {
        const char *bytes;
        size_t good;  // of them may begin a request, one more may not
    } cases[] = {
        { "\x16\x03\x01", 0 },
        { " ", 0 },
        { "\x80", 0 },
        { "\rG", 1 },
        { "\r\n\rG", 3 },
        { "{\"a\"", 0 },
        { "GET/", 3 },
        { "SSH-2.0-OpenSSH_9.2 Debian-2+deb12u3 more than that", 32 + 4 + 1 },
        { "CONNECT a:1", 7 },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\x01", 32 },
        { "GET  /", 4 },
        { "GET /a\tb", 6 },
        { "GET /a#b", 6 },
        { "GET /a\xc3\xa9", 6 },
        { "GET /a b", 7 },
        { "GET /a HTTP/2", 12 },
        { "GET /a HTTP/1.12", 15 },
        { "GET /a HTTP/1.1 \r", 15 },
        { "GET /a HTTP/1.1\rX", 16 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        for (size_t n = 1; n <= cases[i].good + 1; n++) {
            int want = n <= cases[i].good ? 0 : -400;
            if (n > strlen(cases[i].bytes))
                break;
            if (parse(cases[i].bytes, n) != want)
                fail_msg("%s: %zu bytes", cases[i].bytes, n);
            /* That it is refused is news, whatever came before. */
            for (size_t seen = 0; seen < n && want != 0; seen++)
                if (!sio_http_is_news(cases[i].bytes, n, seen) && cases[i].bytes[1] != '\n')
                    fail_msg("%s: no news behind %zu", cases[i].bytes, seen);
        }
    }
}

/* Heads that come byte by byte are parsed a few times for their first line, and for each further one. */
static void a_head_is_parsed_when_there_is_news(void **state)
{
    static const char text[] = "POST /a/b?c=d&e=f HTTP/1.1\r\nHost: x y z\r\nA: ( ) \xff\r\n\r\n";
    static sio_http_head h;
    size_t news = 0;
    (void)state;
    for (size_t n = 1; n < sizeof text; n++) {
        bool told = sio_http_is_news(text, n, n - 1);
        news += told;
        assert_true(told || sio_http_parse(text, n, &h) == 0);
    }
    assert_int_equal(news, 2 + strlen("HTTP/1.1\r\n") + 3);
}

static void the_parts_of_a_head_are_found(void **state)
{
    static const char text[] =
        "\r\nPOST /a?b=c%23d HTTP/1.1\r\nHost:  x.org:80 \r\nX-One: 1\r\nx-one: 2\r\n"
        "Content-Length: 18446744073709551609\r\nEmpty:\t\r\n\r\nbody";
    sio_http_head h;
    (void)state;
    memset(&h, 0xff, sizeof h);
    assert_int_equal(sio_http_parse(text, sizeof text - 1, &h), sizeof text - 5);
    assert_true(sio_span_is(h.method, "POST"));
    assert_true(sio_span_is(h.target, "/a?b=c%23d"));
    assert_int_equal(h.minor, 1);
    assert_int_equal(h.n_fields, 5);
    assert_true(h.keep_alive && h.has_length && !h.chunked && !h.upgrade && !h.expect_continue);
    assert_true(h.length == UINT64_MAX - 6);
    assert_true(sio_span_is(sio_http_field_of(&h, "HOST"), "x.org:80"));
    assert_true(sio_span_is(sio_http_field_of(&h, "X-One"), "1"));  // the first one
    assert_true(sio_span_is(h.field[2].name, "x-one"));
    assert_true(sio_span_is(h.field[2].value, "2"));
    assert_non_null(sio_http_field_of(&h, "Empty").p);
    assert_int_equal(sio_http_field_of(&h, "Empty").n, 0);
    assert_null(sio_http_field_of(&h, "Emp").p);
    assert_null(sio_http_field_of(&h, "Emptyy").p);
}

/* One head after another in the same memory: nothing of the first remains. */
static void a_head_says_nothing_about_the_next_one(void **state)
{
    static const char first[] = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                "Expect: 100-continue\r\nConnection: close\r\n\r\n";
    static sio_http_head h;
    (void)state;
    assert_int_equal(sio_http_parse(first, sizeof first - 1, &h), sizeof first - 1);
    assert_true(h.chunked && h.expect_continue && !h.keep_alive);
    assert_int_equal(sio_http_parse(UPGRADE END, sizeof(UPGRADE END) - 1, &h),
                     sizeof(UPGRADE END) - 1);
    assert_true(h.upgrade && h.keep_alive && !h.chunked && !h.expect_continue);
    assert_int_equal(sio_http_parse(HOST END, sizeof(HOST END) - 1, &h), sizeof(HOST END) - 1);
    assert_true(!h.upgrade && !h.has_length && h.length == 0 && h.n_fields == 1);
}

static void a_connection_is_kept_as_rfc_9112_9_3_says(void **state)
{
    static const struct {
        const char *text;
        bool keep;
    } cases[] = {
        { "GET / HTTP/1.1\r\nHost: a\r\n\r\n", true },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: x , CLOSE\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n\r\n", false },
        { "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive, close\r\n\r\n", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static sio_http_head h;
        assert_true(sio_http_parse(cases[i].text, strlen(cases[i].text), &h) > 0);
        if (h.keep_alive != cases[i].keep)
            fail_msg("%s", cases[i].text);
    }
}

static void an_upgrade_needs_the_token_and_the_field(void **state)
{
    static const struct {
        const char *text;
        bool upgrade;
    } cases[] = {
        { UPGRADE END, true },
        { HOST "Connection: keep-alive, uPGRADE\r\nUpgrade: x\r\n\r\n", true },
        { HOST "Upgrade: x\r\nConnection: a\r\nConnection: upgrade\r\n\r\n", true },
        { HOST "Upgrade: websocket\r\n\r\n", false },
        { HOST "Connection: Upgrade\r\n\r\n", false },
        { HOST "Connection: Upgraded\r\nUpgrade: websocket\r\n\r\n", false },
        { HOST "Connection: close\r\nUpgrade: websocket\r\n\r\n", false },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static sio_http_head h;
        assert_true(sio_http_parse(cases[i].text, strlen(cases[i].text), &h) > 0);
        if (h.upgrade != cases[i].upgrade)
            fail_msg("%s", cases[i].text);
    }
}

/* Writes a head of that many fields, Host included. */
static size_t write_fields(char *out, size_t fields)
{
    size_t n = (size_t)sprintf(out, HOST);
    for (size_t i = 1; i < fields; i++)
        n += (size_t)sprintf(out + n, "X%zu: %zu\r\n", i, i);
    return n + (size_t)sprintf(out + n, END);
}

/* threats.md: more fields than a parser's table holds crashed servers. */
static void a_hundred_fields_are_accepted_and_one_more_is_a_431(void **state)
{
    static char text[8192];
    (void)state;
    size_t n = write_fields(text, SIO_HTTP_FIELDS);
    assert_int_equal(parse(text, n), n);
    n = write_fields(text, SIO_HTTP_FIELDS + 1);
    assert_int_equal(parse(text, n), -431);
    assert_int_equal(parse(text, n - 2), -431);  // not only when it is complete
    n = write_fields(text, SIO_HTTP_FIELDS * 4);
    assert_int_equal(parse(text, n), -431);
}

/* threats.md: a long head, read again after each byte. 16 KiB is what a connection keeps. */
static void a_long_head_cut_at_every_byte_takes_little_time(void **state)
{
    (void)state;
    double start = seconds();
    size_t n = 16384;
    static sio_http_head h;
    char *p = filled(n, 'x');
    memcpy(p, HOST "X: ", sizeof(HOST "X: ") - 1);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(sio_http_parse(p, i, &h), 0);
    free(p);
    assert_true(seconds() - start < LINEAR);
}

/* ---- Lists ----------------------------------------------------------------------------------- */

/* threats.md: a long Sec-WebSocket-Protocol took exponential time elsewhere. */
static void a_list_has_a_token_whole_and_in_any_case(void **state)
{
    static const struct {
        const char *list, *token;
        bool want;
    } cases[] = {
        { "", "a", false },      { "a", "a", true },    { "A", "a", true },
        { " a ", "a", true },    { "b,a", "a", true },  { "b , \ta\t, c", "a", true },
        { "ab", "a", false },    { "ba", "a", false },  { "a b", "a", false },
        { ",,,a,,", "a", true }, { ",,,", "a", false }, { "a;q=1", "a", false },
        { "b,c,d", "e", false }, { "b, a", "a", true },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].list);
        char *copy = exact(cases[i].list, n);
        if (sio_http_has_token((sio_span){ copy, n }, cases[i].token) != cases[i].want)
            fail_msg("%s in %s", cases[i].token, cases[i].list);
        free(copy);
    }
    double start = seconds();
    char *p = filled(1000000, ' ');
    assert_false(sio_http_has_token((sio_span){ p, 1000000 }, "a"));
    memset(p, ',', 1000000);
    assert_false(sio_http_has_token((sio_span){ p, 1000000 }, "a"));
    free(p);
    assert_true(seconds() - start < LINEAR);
}

/* ---- Chunked bodies -------------------------------------------------------------------------- */

static const struct {
    const char *rule, *p;
    size_t n;
    const char *body;  // NULL: refused
} bodies[] = {
    { "9112, 7.1: no body", BYTES("0\r\n\r\n"), "" },
    { "9112, 7.1: one chunk", BYTES("3\r\nabc\r\n0\r\n\r\n"), "abc" },
    { "9112, 7.1: three chunks", BYTES("1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n"), "abcdef" },
    { "9112, 7.1: hexadecimal in either case",
      BYTES("0A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n"), "01234567890123456789a" },
    { "9112, 7.1: zeros before a size", BYTES("0003\r\nabc\r\n0000\r\n\r\n"), "abc" },
    { "9112, 7.1: line ends as data", BYTES("4\r\n\r\n\r\n\r\n0\r\n\r\n"), "\r\n\r\n" },
    { "9112, 7.1.1: an extension", BYTES("3;a=b\r\nabc\r\n0;c\r\n\r\n"), "abc" },
    { "9112, 7.1.1: an extension in quotes", BYTES("3; a=\"b c\"\r\nabc\r\n0\r\n\r\n"), "abc" },
    { "9112, 7.1.1: a quoted end", BYTES("1;a=\"\\\"\\\\;\"\r\nx\r\n0\r\n\r\n"), "x" },
    { "9112, 7.1.1: white space", BYTES("1; \ta \t=\t b\t; c\r\nx\r\n0;d\r\n\r\n"), "x" },
    { "9112, 7.1.1: an empty extension", BYTES("1;\r\nx\r\n0\r\n\r\n"), NULL },
    { "9112, 7.1.1: a blank one", BYTES("1; \r\nx\r\n0\r\n\r\n"), NULL },
    { "9112, 7.1.1: an empty one between", BYTES("1;a;;b\r\nx\r\n"), NULL },
    { "9112, 7.1.1: no name", BYTES("1;=b\r\nx\r\n"), NULL },
    { "9112, 7.1.1: no value", BYTES("1;a=\r\nx\r\n"), NULL },
    { "9112, 7.1.1: two values", BYTES("1;a=b=c\r\nx\r\n"), NULL },
    { "9112, 7.1.1: two names", BYTES("1;a b\r\nx\r\n"), NULL },
    { "9112, 7.1.1: two words as value", BYTES("1;a=b c\r\nx\r\n"), NULL },
    { "9112, 7.1.1: white space at the end", BYTES("1;a=b \r\nx\r\n"), NULL },
    { "9112, 7.1.1: quotes in a token", BYTES("1;a=b\"c\"\r\nx\r\n"), NULL },
    { "9112, 7.1.1: text behind quotes", BYTES("1;a=\"b\"c\r\nx\r\n"), NULL },
    { "9112, 7.1.1: quotes that don't end", BYTES("1;a=\"b\r\nx\r\n0\r\n\r\n"), NULL },
    { "9110, 5.6.4: an escaped line end", BYTES("1;a=\"\\\r\n\"\r\nx\r\n"), NULL },
    { "9110, 5.6.2: an extension of any bytes", BYTES("1;(\r\nx\r\n"), NULL },
    { "9112, 7.1.2: a request as trailers", BYTES("0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), NULL },
    { "9112, 7.1.2: a trailer without a colon", BYTES("0\r\nX\r\n\r\n"), NULL },
    { "9112, 7.1.2: without a name", BYTES("0\r\n: a\r\n\r\n"), NULL },
    { "9112, 7.1.2: a space before its colon", BYTES("0\r\nX : a\r\n\r\n"), NULL },
    { "9112, 5.2: a folded trailer", BYTES("0\r\nX: a\r\n b\r\n\r\n"), NULL },
    { "9112, 7.1.2: an empty trailer", BYTES("0\r\nX:\r\n\r\n"), "" },
    { "9112, 7.1.2: a trailer", BYTES("3\r\nabc\r\n0\r\nX: 1\r\n\r\n"), "abc" },
    { "9112, 7.1.2: two trailers", BYTES("0\r\nX: 1\r\nY: 2\r\n\r\n"), "" },
    { "9112, 7.1: no size", BYTES("\r\nabc\r\n"), NULL },
    { "9112, 7.1: no size but an extension", BYTES(";a\r\n"), NULL },
    { "9112, 7.1: a size with 0x", BYTES("0x3\r\nabc\r\n"), NULL },
    { "9112, 7.1: a space behind the size", BYTES("3 \r\nabc\r\n"), NULL },
    { "9112, 7.1: a space before the size", BYTES(" 3\r\nabc\r\n"), NULL },
    { "9112, 7.1: a negative size", BYTES("-3\r\nabc\r\n"), NULL },
    { "9112, 7.1: a plus", BYTES("+3\r\nabc\r\n"), NULL },
    { "9112, 7.1: letters beyond f", BYTES("zz\r\n"), NULL },
    { "9112, 7.1: a size above 60 bits", BYTES("1000000000000000\r\n"), NULL },
    { "9112, 7.1: a size above 64 bits", BYTES("10000000000000003\r\nabc\r\n"), NULL },
    { "9112, 7.1: a size of many zeros", BYTES("0000000000000003\r\nabc\r\n"), NULL },
    { "9112, 2.2: LF alone behind a size", BYTES("3\nabc\r\n0\r\n\r\n"), NULL },
    { "9112, 2.2: CR alone behind a size", BYTES("3\rabc\r\n0\r\n\r\n"), NULL },
    { "9112, 2.2: LF alone behind the data", BYTES("3\r\nabc\n0\r\n\r\n"), NULL },
    { "9112, 2.2: LF alone in an extension", BYTES("3;a\nabc\r\n0\r\n\r\n"), NULL },
    { "9112, 2.2: LF alone in a trailer", BYTES("0\r\nX: 1\n\r\n"), NULL },
    { "9112, 2.2: LF alone at the end", BYTES("0\r\n\n"), NULL },
    { "9112, 2.2: CR and not LF at the end", BYTES("0\r\n\rX"), NULL },
    { "9112, 7.1: more data than the size", BYTES("3\r\nabcd\r\n0\r\n\r\n"), NULL },
    { "9112, 7.1: less data than the size", BYTES("4\r\nabc\r\n0\r\n\r\n"), NULL },
    { "9110, 5.5: NUL in an extension", BYTES("3;a\0\r\nabc\r\n"), NULL },
    { "9110, 5.5: a control byte in a trailer", BYTES("0\r\nX: \x01\r\n\r\n"), NULL },
};

/* Feeds a body, piece by piece from memory of its size. -400: refused; 0: not at its end; 1: done,
 * with all bytes taken. */
static int feed(const char *p, size_t n, size_t piece, char *out, size_t *size)
{
    sio_http_chunks c = { 0 };
    *size = 0;
    for (size_t at = 0; at < n && !sio_http_chunks_done(&c);) {
        sio_span data;
        size_t k = n - at < piece ? n - at : piece;
        char *copy = exact(p + at, k);
        ptrdiff_t got = sio_http_chunk(&c, copy, k, &data);
        if (got > 0 && data.n > 0) {
            assert_true(data.p >= copy && data.n <= (size_t)(copy + got - data.p));
            memcpy(out + *size, data.p, data.n);
            *size += data.n;
        }
        free(copy);
        if (got < 0)
            return (int)got;
        assert_true(got > 0 && (size_t)got <= k);  // there is progress whatever comes
        at += (size_t)got;
        if (sio_http_chunks_done(&c))
            assert_int_equal(at, n);
    }
    return sio_http_chunks_done(&c);
}

static void a_chunked_body_is_the_same_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++)
        for (size_t piece = 1; piece <= bodies[i].n; piece++) {
            char out[64];
            size_t size;
            int got = feed(bodies[i].p, bodies[i].n, piece, out, &size);
            if (bodies[i].body == NULL ? got != -400 : got != 1)
                fail_msg("%s: %d in pieces of %zu", bodies[i].rule, got, piece);
            if (got == 1 && !sio_span_is((sio_span){ out, size }, bodies[i].body))
                fail_msg("%s: %.*s", bodies[i].rule, (int)size, out);
        }
}

static void a_chunked_body_is_not_done_before_its_last_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(bodies); i++)
        for (size_t n = 0; n < bodies[i].n && bodies[i].body != NULL; n++) {
            char out[64];
            size_t size;
            if (feed(bodies[i].p, n, n, out, &size) != 0)
                fail_msg("%s: after %zu bytes", bodies[i].rule, n);
        }
}

static void bytes_behind_a_chunked_body_are_left(void **state)
{
    static const char text[] = "1\r\na\r\n0\r\n\r\nGET / HTTP/1.1";
    sio_http_chunks c = { 0 };
    sio_span data;
    size_t at = 0;
    (void)state;
    for (int i = 0; i < 9 && !sio_http_chunks_done(&c); i++)
        at += (size_t)sio_http_chunk(&c, text + at, sizeof text - 1 - at, &data);
    assert_true(sio_http_chunks_done(&c));
    assert_string_equal(text + at, "GET / HTTP/1.1");
    assert_int_equal(sio_http_chunk(&c, text + at, 3, &data), 0);
    assert_int_equal(data.n, 0);
}

static void what_was_refused_stays_refused(void **state)
{
    sio_http_chunks c = { 0 };
    sio_span data;
    (void)state;
    assert_int_equal(sio_http_chunk(&c, "z", 1, &data), -400);
    assert_int_equal(sio_http_chunk(&c, ";a\r\n0\r\n\r\n", 10, &data), -400);
    assert_false(sio_http_chunks_done(&c));
}

/* A chunk's line, and the trailers together, have a limit: neither can be fed for ever. */
static void an_endless_chunk_line_or_trailer_is_refused(void **state)
{
    static const char *const starts[] = { "3;", "0\r\nX: ", "0", "3;a=\"", "0\r\nX" };
    (void)state;
    for (size_t i = 0; i < COUNT(starts); i++) {
        size_t n = 20000, size, k = strlen(starts[i]);
        char *p = filled(n, i == 2 ? '0' : 'a');
        memcpy(p, starts[i], k);
        assert_int_equal(feed(p, n, 1000, NULL, &size), -400);
        free(p);
    }
    char *p = malloc(60000);  // short trailers, but many
    size_t n = (size_t)sprintf(p, "0\r\n"), size;
    while (n < 50000)
        n += (size_t)sprintf(p + n, "a:\r\n");
    assert_int_equal(feed(p, n, 1000, NULL, &size), -400);
    free(p);
}

static void a_body_in_a_hundred_thousand_chunks_takes_linear_time(void **state)
{
    (void)state;
    double start = seconds();
    size_t n = 0, size;
    char *p = malloc(600010), *out = malloc(100000);
    for (int i = 0; i < 100000; i++, n += 6)
        memcpy(p + n, "1\r\na\r\n", 6);
    memcpy(p + n, "0\r\n\r\n", 5);
    assert_int_equal(feed(p, n + 5, 4096, out, &size), 1);
    assert_int_equal(size, 100000);
    free(p);
    free(out);
    assert_true(seconds() - start < LINEAR);
}

/* ---- Queries --------------------------------------------------------------------------------- */

static void a_query_begins_behind_the_mark(void **state)
{
    static const struct {
        const char *target, *query;
    } cases[] = {
        { "/", "" },        { "/?", "" }, { "/?a=b", "a=b" },
        { "/?a?b", "a?b" }, { "?", "" },  { "/x?a=b&c", "a=b&c" },
        { "*", "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].target);
        char *copy = exact(cases[i].target, n);
        if (!sio_span_is(sio_http_target_query((sio_span){ copy, n }), cases[i].query))
            fail_msg("%s", cases[i].target);
        free(copy);
    }
}

/* E07, E08: split on &, the first = separates. */
static void a_query_falls_into_names_and_values(void **state)
{
    static const struct {
        const char *query, *want;
    } cases[] = {
        { "", "" },
        { "a", "a=." },
        { "a=b", "a=b." },
        { "a=b&c=d", "a=b.c=d." },
        { "a=b=c", "a=b=c." },
        { "a=&b=", "a=.b=." },
        { "=a", "=a." },
        { "=", "=." },
        { "&", "" },
        { "&&a=b&&&c&&", "a=b.c=." },
        { "a%26b=%3d", "a%26b=%3d." },
        { "EIO=3&EIO=4", "EIO=3.EIO=4." },
        { "a=b?c", "a=b?c." },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].query), k = 0;
        char *copy = exact(cases[i].query, n), out[64] = "";
        sio_span rest = { copy, n }, name, value;
        while (sio_http_query_next(&rest, &name, &value))
            k += (size_t)snprintf(out + k, sizeof out - k, "%.*s=%.*s.", (int)name.n, name.p,
                                  (int)value.n, value.p);
        free(copy);
        assert_string_equal(out, cases[i].want);
    }
}

static void percent_escapes_decode_and_bad_ones_stay(void **state)
{
    static const struct {
        const char *text, *want;
        size_t n;
    } cases[] = {
        { "", BYTES("") },
        { "abc", BYTES("abc") },
        { "a+b", BYTES("a b") },
        { "%41%6a%6A", BYTES("Ajj") },
        { "%2B%25%26%3d", BYTES("+%&=") },
        { "%00", BYTES("\0") },
        { "%ed%95%9C", BYTES("\xed\x95\x9c") },
        { "%zz", BYTES("%zz") },
        { "%4", BYTES("%4") },
        { "%", BYTES("%") },
        { "%%41", BYTES("%A") },
        { "%4%41", BYTES("%4A") },
        { "%4g%g4", BYTES("%4g%g4") },
        { "%25%34%31", BYTES("%41") },  // once, not twice
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = strlen(cases[i].text);
        char *copy = exact(cases[i].text, n), *out = malloc(n);
        size_t got = sio_http_decode((sio_span){ copy, n }, out);
        if (got != cases[i].n || (got > 0 && memcmp(out, cases[i].want, got) != 0))
            fail_msg("%s", cases[i].text);
        free(copy);
        free(out);
    }
}

static void every_status_that_is_sent_has_its_reason(void **state)
{
    (void)state;
    assert_string_equal(sio_http_reason(200), "OK");
    assert_string_equal(sio_http_reason(400), "Bad Request");
    assert_string_equal(sio_http_reason(404), "Not Found");
    assert_string_equal(sio_http_reason(413), "Payload Too Large");
    assert_string_equal(sio_http_reason(417), "Expectation Failed");
    assert_string_equal(sio_http_reason(431), "Request Header Fields Too Large");
    assert_string_equal(sio_http_reason(501), "Not Implemented");
    for (int status = 0; status < 1000; status++)
        assert_non_null(sio_http_reason(status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_served_or_refused_by_the_rule),
        cmocka_unit_test(a_head_cut_anywhere_needs_more_or_is_refused_as_the_whole),
        cmocka_unit_test(bytes_behind_a_head_are_not_read),
        cmocka_unit_test(garbage_is_refused_before_its_first_line_ends),
        cmocka_unit_test(a_head_is_parsed_when_there_is_news),
        cmocka_unit_test(the_parts_of_a_head_are_found),
        cmocka_unit_test(a_head_says_nothing_about_the_next_one),
        cmocka_unit_test(a_connection_is_kept_as_rfc_9112_9_3_says),
        cmocka_unit_test(an_upgrade_needs_the_token_and_the_field),
        cmocka_unit_test(a_hundred_fields_are_accepted_and_one_more_is_a_431),
        cmocka_unit_test(a_long_head_cut_at_every_byte_takes_little_time),
        cmocka_unit_test(a_list_has_a_token_whole_and_in_any_case),
        cmocka_unit_test(a_chunked_body_is_the_same_however_it_is_cut),
        cmocka_unit_test(a_chunked_body_is_not_done_before_its_last_byte),
        cmocka_unit_test(bytes_behind_a_chunked_body_are_left),
        cmocka_unit_test(what_was_refused_stays_refused),
        cmocka_unit_test(an_endless_chunk_line_or_trailer_is_refused),
        cmocka_unit_test(a_body_in_a_hundred_thousand_chunks_takes_linear_time),
        cmocka_unit_test(a_query_begins_behind_the_mark),
        cmocka_unit_test(a_query_falls_into_names_and_values),
        cmocka_unit_test(percent_escapes_decode_and_bad_ones_stay),
        cmocka_unit_test(every_status_that_is_sent_has_its_reason),
    };
    return cmocka_run_group_tests_name("http.c", tests, NULL, NULL);
}
