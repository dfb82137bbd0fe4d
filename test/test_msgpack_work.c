/* test_msgpack_work.c - JSON to MessagePack and back is linear: the work is counted
 * SPDX-License-Identifier: MIT
 *
 * Counted are the bytes that are scanned, copied or moved, by standing in for the functions that do. */
#include "lib.h"

static size_t work;

static void *counted_move(void *to, const void *from, size_t n)
{
    work += n;
    return memmove(to, from, n);
}

static const void *counted_search(const void *p, int c, size_t n)
{
    work += n;
    return memchr(p, c, n);
}

static sio_span counted_value(const char *p, size_t n)
{
    sio_span s = sio_json_value(p, n);
    work += s.n;
    return s;
}

static const char *counted_skip(const char *p, const char *end)
{
    const char *stop = sio_json_skip(p, end);
    work += 1 + (size_t)(stop - p);
    return stop;
}

static void counted_put(sio_sink *sink, const void *p, size_t n)
{
    work += n;
    sio_put(sink, p, n);
}

static size_t counted_prefix(const char *p, size_t n)
{
    size_t good = sio_utf8_prefix(p, n);
    work += 1 + good;
    return good;
}

#define memmove counted_move
#define memchr counted_search
#define sio_json_value counted_value
#define sio_json_skip counted_skip
#define sio_put counted_put
#define sio_utf8_prefix counted_prefix
#include "msgpack.c"

enum { TIMES = 12 };  // a byte of input costs at most that much work, whatever it is

/* k times open, the middle, k times close: to MessagePack and back in linear work. */
static void convert(const char *open, size_t k, const char *middle, const char *close)
{
    static char room[8000000], back[8000000];
    sio_sink text = { .p = back, .cap = sizeof back }, sink = { .p = room, .cap = sizeof room };
    for (size_t i = 0; i < k; i++)
        sio_put_text(&text, open);
    sio_put_text(&text, middle);
    for (size_t i = 0; i < k; i++)
        sio_put_text(&text, close);
    assert_true(sio_json_check(text.p, text.n, SIO_JSON_DEPTH_MAX, NULL));

    work = 0;
    assert_true(sio_msgpack_put_json(&sink, (sio_span){ text.p, text.n }, NULL, 0));
    if (work > text.n * TIMES)
        fail_msg("%s: %zu for %zu bytes of JSON", open, work, text.n);

    size_t n, size = text.n;
    text.n = work = 0;
    assert_true(sio_msgpack_check(room, sink.n, SIO_JSON_DEPTH_MAX, &n));
    assert_int_equal(sio_msgpack_put_as_json(&text, (sio_span){ room, sink.n }, NULL), 0);
    assert_int_equal(text.n, size);
    if (work > sink.n * TIMES)
        fail_msg("%s: %zu for %zu bytes of MessagePack", open, work, sink.n);
}

static void a_thousand_levels_are_not_moved_once_for_each(void **state)
{
    (void)state;
    convert("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,", 1000, "20", "]");
    convert("[", 1000, "20", ",1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19]");
    convert("{\"a\":1,\"b\":", 1000, "null", "}");
    convert("[\"\\\"\",", SIO_JSON_DEPTH_MAX, "1.5", "]");
    convert("[", SIO_JSON_DEPTH_MAX, "", "]");
}

/* What is inside of a hundred levels is moved once, and not a hundred times. */
static void a_long_text_inside_is_moved_once(void **state)
{
    static char text[100003];
    memset(text, 'x', sizeof text - 1);
    (void)state;
    text[0] = text[sizeof text - 2] = '"';
    convert("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,", 100, text, "]");
    memcpy(text + 1, "\\n", 2);
    convert("{\"a\":", 100, text, "}");
}

static void a_text_of_wrong_bytes_is_scanned_once(void **state)
{
    static char room[700000];
    enum { N = 100000 };
    char *p = filled(N + 5, '\xe2');
    sio_sink sink = { .p = room, .cap = sizeof room };
    size_t n;
    (void)state;
    memcpy(p, "\xdb\0\x01\x86\xa0", 5);
    work = 0;
    assert_true(sio_msgpack_check(p, N + 5, 1, &n));
    sio_msgpack_put_as_json(&sink, (sio_span){ p, N + 5 }, NULL);
    assert_int_equal(sink.n, 3 * N + 2);
    assert_true(work < (size_t)N * TIMES);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thousand_levels_are_not_moved_once_for_each),
        cmocka_unit_test(a_long_text_inside_is_moved_once),
        cmocka_unit_test(a_text_of_wrong_bytes_is_scanned_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
