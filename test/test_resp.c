/* test_resp.c - Redis' replies and commands
 * SPDX-License-Identifier: MIT
 *
 * A case begins with what it is about. Each is read whole, and cut at every byte. */
#include "lib.h"

/* Appends an item as words: its kind, then its number or its text in parentheses. */
static size_t tell(const sio_resp *item, char *out, size_t room)
{
    int n = (int)item->text.n;
    switch (item->kind) {
    case SIO_RESP_NULL:
        return (size_t)snprintf(out, room, "null ");
    case SIO_RESP_INTEGER:
    case SIO_RESP_ARRAY:
        return (size_t)snprintf(out, room, "%c%lld ", item->kind, (long long)item->number);
    default:
        return (size_t)snprintf(out, room, "%c(%.*s) ", item->kind, n, n > 0 ? item->text.p : "");
    }
}

static const struct {
    const char *rule, *p;
    size_t n;
    const char *want;  // its items; NULL: refused
} replies[] = {
    { "a status", BYTES("+OK\r\n"), "+(OK) " },
    { "an empty status", BYTES("+\r\n"), "+() " },
    { "an error", BYTES("-ERR unknown command 'x'\r\n"), "-(ERR unknown command 'x') " },
    { "an error that has a kind only", BYTES("-LOADING\r\n"), "-(LOADING) " },
    { "an integer", BYTES(":1000\r\n"), ":1000 " },
    { "zero", BYTES(":0\r\n"), ":0 " },
    { "a negative integer", BYTES(":-1\r\n"), ":-1 " },
    { "the largest integer", BYTES(":9223372036854775807\r\n"), ":9223372036854775807 " },
    { "the smallest integer", BYTES(":-9223372036854775808\r\n"), ":-9223372036854775808 " },
    { "a bulk", BYTES("$5\r\nhello\r\n"), "$(hello) " },
    { "an empty bulk", BYTES("$0\r\n\r\n"), "$() " },
    { "a bulk that holds a line's end", BYTES("$4\r\na\r\nb\r\n"), "$(a\r\nb) " },
    { "a bulk that holds a reply", BYTES("$5\r\n:12\r\n\r\n"), "$(:12\r\n) " },
    { "null for a bulk", BYTES("$-1\r\n"), "null " },
    { "null for an array", BYTES("*-1\r\n"), "null " },
    { "an empty array", BYTES("*0\r\n"), "*0 " },
    { "an array", BYTES("*2\r\n$3\r\nfoo\r\n$3\r\nbar\r\n"), "*2 $(foo) $(bar) " },
    { "an array of all kinds", BYTES("*5\r\n+a\r\n-b\r\n:1\r\n$1\r\nc\r\n$-1\r\n"),
      "*5 +(a) -(b) :1 $(c) null " },
    { "arrays in an array", BYTES("*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n:3\r\n"), "*2 *2 :1 :2 *1 :3 " },
    { "an empty array between", BYTES("*3\r\n*0\r\n*-1\r\n*1\r\n*0\r\n"), "*3 *0 null *1 *0 " },
    { "as deep as can be", BYTES("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n"),
      "*1 *1 *1 *1 *1 *1 *1 *1 :1 " },
    { "an empty array as deep as can be", BYTES("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n"),
      "*1 *1 *1 *1 *1 *1 *1 *0 " },
    { "5.1: a message",
      BYTES("*4\r\n$8\r\npmessage\r\n$13\r\nsocket.io#/#*\r\n$12\r\nsocket.io#/#\r\n"
            "$2\r\n\x93\xa6\r\n"),
      "*4 $(pmessage) $(socket.io#/#*) $(socket.io#/#) $(\x93\xa6) " },
    { "5.3: how many listen", BYTES("*2\r\n$3\r\na#b\r\n:2\r\n"), "*2 $(a#b) :2 " },

    { "no kind", BYTES("\r\n"), NULL },
    { "a kind of RESP3", BYTES("_\r\n"), NULL },
    { "a map of RESP3", BYTES("%0\r\n"), NULL },
    { "an answer of HTTP", BYTES("HTTP/1.1 400 Bad Request\r\n\r\n"), NULL },
    { "NUL", BYTES("\0"), NULL },
    { "a status that ends in LF", BYTES("+OK\n"), NULL },
    { "CR in a status", BYTES("+O\rK\r\n"), NULL },
    { "CR twice", BYTES("+OK\r\r\n"), NULL },
    { "LF in an error", BYTES("-a\nb\r\n"), NULL },
    { "no digits", BYTES(":\r\n"), NULL },
    { "a sign alone", BYTES(":-\r\n"), NULL },
    { "a plus", BYTES(":+1\r\n"), NULL },
    { "two signs", BYTES(":--1\r\n"), NULL },
    { "a zero before", BYTES(":01\r\n"), NULL },
    { "two zeros", BYTES(":00\r\n"), NULL },
    { "a negative zero", BYTES(":-0\r\n"), NULL },
    { "a zero behind the sign", BYTES(":-01\r\n"), NULL },
    { "a letter", BYTES(":1a\r\n"), NULL },
    { "a fraction", BYTES(":1.5\r\n"), NULL },
    { "a space before", BYTES(": 1\r\n"), NULL },
    { "a space behind", BYTES(":1 \r\n"), NULL },
    { "2^63", BYTES(":9223372036854775808\r\n"), NULL },
    { "-2^63 - 1", BYTES(":-9223372036854775809\r\n"), NULL },
    { "20 digits", BYTES(":99999999999999999999\r\n"), NULL },
    { "an integer that ends in LF", BYTES(":1\n"), NULL },
    { "CR and no LF", BYTES(":1\rx"), NULL },
    { "a length of -2", BYTES("$-2\r\n"), NULL },
    { "an array of -2", BYTES("*-2\r\n"), NULL },
    { "a length of -10", BYTES("$-10\r\n"), NULL },
    { "a length with a zero before", BYTES("$05\r\nhello\r\n"), NULL },
    { "a length with a plus", BYTES("$+5\r\nhello\r\n"), NULL },
    { "a bulk without a length", BYTES("$\r\n\r\n"), NULL },
    { "a bulk that is longer", BYTES("$4\r\nhello\r\n"), NULL },
    { "a bulk that ends in LF", BYTES("$1\r\na\n\n"), NULL },
    { "a bulk that ends in CR alone", BYTES("$1\r\na\rb"), NULL },
    { "a bulk above 512 MB", BYTES("$536870913\r\n"), NULL },
    { "a bulk of 2^63 - 1 bytes", BYTES("$9223372036854775807\r\n"), NULL },
    { "an array above a million elements", BYTES("*1048577\r\n"), NULL },
    { "a bad element", BYTES("*2\r\n:1\r\nx\r\n"), NULL },
    { "too deep", BYTES("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n"), NULL },
    { "too deep, and empty", BYTES("*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*0\r\n"),
      NULL },
};

static ptrdiff_t size_of(const char *p, size_t n, size_t *want)
{
    char *copy = exact(p, n);
    *want = 0;
    ptrdiff_t size = sio_resp_size(copy, n, want);
    free(copy);
    return size;
}

static void a_reply_is_read_or_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        size_t want, used = 0;
        ptrdiff_t size = size_of(replies[i].p, replies[i].n, &want);
        if (size != (replies[i].want == NULL ? -1 : (ptrdiff_t)replies[i].n))
            fail_msg("%s: %zd", replies[i].rule, size);
        if (size < 0)
            continue;
        char out[256] = "", *copy = exact(replies[i].p, replies[i].n);
        sio_span rest = { copy, replies[i].n };
        sio_resp item;
        while (sio_resp_next(&rest, &item))
            used += tell(&item, out + used, sizeof out - used);
        if (rest.n != 0 || strcmp(out, replies[i].want) != 0)
            fail_msg("%s: %s", replies[i].rule, out);
        free(copy);
    }
}

static void a_reply_cut_anywhere_is_awaited_for_no_longer_than_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++)
        for (size_t n = 0; n < replies[i].n; n++) {
            size_t want;
            ptrdiff_t size = size_of(replies[i].p, n, &want);
            if (replies[i].want != NULL ? size != 0 : size > 0)
                fail_msg("%s: %zd after %zu bytes", replies[i].rule, size, n);
            if (size == 0 && want <= n)
                fail_msg("%s: nothing is wanted after %zu bytes", replies[i].rule, n);
            if (replies[i].want != NULL && want > replies[i].n)
                fail_msg("%s: %zu bytes wanted after %zu", replies[i].rule, want, n);
        }
}

static void a_refusal_stays_one_whatever_follows(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(replies); i++) {
        bool refused = false;
        for (size_t n = 0; n <= replies[i].n; n++) {
            size_t want;
            bool now = size_of(replies[i].p, n, &want) < 0;
            if (refused && !now)
                fail_msg("%s: not refused after %zu bytes", replies[i].rule, n);
            refused = now;
        }
    }
}

static void a_reply_ends_where_the_next_begins(void **state)
{
    static const char text[] = "*1\r\n$1\r\na\r\n+OK\r\n:1";
    size_t want;
    (void)state;
    assert_int_equal(sio_resp_size(text, sizeof text - 1, &want), 11);
    assert_int_equal(sio_resp_size(text + 11, sizeof text - 12, &want), 5);
    assert_int_equal(sio_resp_size(text + 16, sizeof text - 17, &want), 0);
}

static void nothing_is_taken_from_a_part_of_an_item(void **state)
{
    static const char text[] = "$3\r\nab";
    sio_span rest = { text, sizeof text - 1 };
    sio_resp item;
    (void)state;
    assert_false(sio_resp_next(&rest, &item));
    assert_true(rest.p == text && rest.n == sizeof text - 1);
    rest = SIO_SPAN("?");
    assert_false(sio_resp_next(&rest, &item));
    assert_int_equal(rest.n, 1);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void a_line_has_a_limit(void **state)
{
    (void)state;
    for (size_t n = SIO_RESP_LINE - 1; n <= SIO_RESP_LINE + 1; n++) {
        size_t want;
        char *p = filled(n + 3, 'x');
        memcpy(p, "-", 1);
        memcpy(p + n + 1, "\r\n", 2);
        bool fits = n <= SIO_RESP_LINE;
        assert_int_equal(size_of(p, n + 3, &want), fits ? (ptrdiff_t)n + 3 : -1);
        assert_int_equal(size_of(p, n + 1, &want), fits ? 0 : -1);
        free(p);
    }
}

static void lengths_have_limits(void **state)
{
    size_t want;
    (void)state;
    assert_int_equal(size_of(BYTES("$536870911\r\n"), &want), 0);
    assert_int_equal(want, 12 + 536870911 + 2);
    assert_int_equal(size_of(BYTES("$536870912\r\n"), &want), 0);
    assert_int_equal(want, 12 + SIO_RESP_BYTES + 2);
    assert_int_equal(size_of(BYTES("*1048575\r\n"), &want), 0);
    assert_int_equal(want, 10 + 3 * 1048575);
    assert_int_equal(size_of(BYTES("*1048576\r\n"), &want), 0);
    assert_int_equal(want, 10 + 3 * SIO_RESP_ELEMENTS);
}

static void as_many_elements_as_the_limit_are_read(void **state)
{
    size_t n = 10 + 3 * (size_t)SIO_RESP_ELEMENTS, want, count = 0;
    char *p = filled(n, '+');
    (void)state;
    memcpy(p, "*1048576\r\n", 10);
    for (size_t i = 10; i < n; i += 3)
        memcpy(p + i + 1, "\r\n", 2);
    assert_int_equal(sio_resp_size(p, n, &want), n);
    assert_int_equal(sio_resp_size(p, n - 1, &want), 0);
    assert_int_equal(want, n);
    sio_span rest = { p, n };
    sio_resp item;
    while (sio_resp_next(&rest, &item))
        count++;
    assert_int_equal(count, SIO_RESP_ELEMENTS + 1);
    free(p);
}

/* Who calls when *want bytes are there calls a few times for each bulk, however large it is. */
static void a_bulk_in_pieces_is_not_looked_at_until_it_is_there(void **state)
{
    size_t size = 4000000, n = 0, want = 1, calls = 0;
    char *p = filled(size + 64, '\r');
    size_t head = (size_t)sprintf(p, "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$%zu\r\n", size);
    (void)state;
    p[head] = 'x';
    memcpy(p + head + size, "\r\n", 2);
    for (; n < head + size + 2; n++) {  // a byte at a time
        if (n < want)
            continue;
        assert_int_equal(sio_resp_size(p, n, &want), 0);
        calls++;
    }
    assert_int_equal(n, want);
    assert_int_equal(sio_resp_size(p, n, &want), n);
    assert_true(calls <= head);
    free(p);
}

/* Of the payload not a byte is there, whatever is said: a sanitizer notices who reads one. */
static void a_payload_that_is_not_whole_is_not_read(void **state)
{
    static const char head[] = "*2\r\n:1\r\n$1000\r\n";
    size_t k = sizeof head - 1, want;
    char *p = exact(head, k);
    (void)state;
    for (size_t n = k; n < k + 1002; n++) {
        assert_int_equal(sio_resp_size(p, n, &want), 0);
        assert_int_equal(want, k + 1002);
    }
    free(p);
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void a_command_is_an_array_of_bulks(void **state)
{
    char room[128];
    sio_sink sink = { .p = room, .cap = sizeof room };
    size_t want;
    (void)state;
    sio_resp_put_command(&sink, 3);
    sio_resp_put_bulk(&sink, "PUBLISH", 7);
    sio_resp_put_bulk(&sink, "socket.io#/#", 12);
    sio_resp_put_bulk(&sink, "\x93\0\r\n", 4);
    static const char expected[] =
        "*3\r\n$7\r\nPUBLISH\r\n$12\r\nsocket.io#/#\r\n$4\r\n\x93\0\r\n\r\n";
    assert_false(sink.failed);
    assert_int_equal(sink.n, sizeof expected - 1);
    assert_memory_equal(room, expected, sink.n);
    assert_int_equal(sio_resp_size(room, sink.n, &want), sink.n);
}

static void a_bulk_is_written_in_full_size(void **state)
{
    static const size_t sizes[] = { 0, 9, 10, 15, 16, 31, 32, 99, 100, 255, 256, 65535, 65536 };
    (void)state;
    for (size_t i = 0; i < COUNT(sizes); i++) {
        size_t n = sizes[i], want;
        char *p = filled(n, 'b'), *room = malloc(n + 16);
        sio_sink sink = { .p = room, .cap = n + 16 };
        sio_resp_put_bulk(&sink, n == 0 ? NULL : p, n);
        sio_span rest = { room, sink.n };
        sio_resp item;
        assert_int_equal(sio_resp_size(room, sink.n, &want), sink.n);
        assert_true(sio_resp_next(&rest, &item));
        assert_int_equal(rest.n, 0);
        assert_true(same(item.text, (sio_span){ p, n }));
        free(p);
        free(room);
    }
}

static void what_does_not_fit_fails_the_sink(void **state)
{
    char room[10];
    (void)state;
    for (size_t cap = 0; cap <= sizeof room; cap++) {
        sio_sink sink = { .p = room, .cap = cap };
        sio_resp_put_bulk(&sink, "abcd", 4);
        assert_int_equal(sink.failed, cap < 10);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reply_is_read_or_refused),
        cmocka_unit_test(a_reply_cut_anywhere_is_awaited_for_no_longer_than_it_is),
        cmocka_unit_test(a_refusal_stays_one_whatever_follows),
        cmocka_unit_test(a_reply_ends_where_the_next_begins),
        cmocka_unit_test(nothing_is_taken_from_a_part_of_an_item),
        cmocka_unit_test(a_line_has_a_limit),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(as_many_elements_as_the_limit_are_read),
        cmocka_unit_test(a_bulk_in_pieces_is_not_looked_at_until_it_is_there),
        cmocka_unit_test(a_payload_that_is_not_whole_is_not_read),
        cmocka_unit_test(a_command_is_an_array_of_bulks),
        cmocka_unit_test(a_bulk_is_written_in_full_size),
        cmocka_unit_test(what_does_not_fit_fails_the_sink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
