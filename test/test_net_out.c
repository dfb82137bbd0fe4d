/* test_net_out.c - memory, the arena, queues and the turn's output
 * SPDX-License-Identifier: MIT */
#include "lib.h"

/* An allocator that counts blocks and bytes, and fails on request. */
static size_t blocks, bytes, until_failure;

static void *resize(void *user, void *p, size_t size)
{
    size_t *old = p == NULL ? NULL : (size_t *)p - 2;  // 16 bytes before: the size
    (void)user;
    if (size > 0 && until_failure > 0 && --until_failure == 0)
        return NULL;
    if (old != NULL) {
        blocks--;
        bytes -= *old;
    }
    if (size == 0) {
        free(old);
        return NULL;
    }
    size_t *fresh = realloc(old, size + 2 * sizeof *fresh);
    if (fresh == NULL)
        abort();
    *fresh = size;
    blocks++;
    bytes += size;
    return fresh + 2;
}

static const sio_memory memory = { .resize = resize };

static int nothing_is_left(void **state)
{
    (void)state;
    if (blocks != 0)
        print_error("%zu blocks, %zu bytes are left\n", blocks, bytes);
    bool left = blocks != 0;
    blocks = bytes = until_failure = 0;
    return left;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void an_array_grows_or_stays_as_it_was(void **state)
{
    int *array = NULL;
    size_t cap = 0;
    (void)state;
    for (int i = 0; i < 1000; i++) {
        assert_true(sio_reserve(&memory, &array, (size_t)i, &cap, sizeof *array));
        array[i] = i;
    }
    until_failure = 1;
    size_t before = cap;
    assert_false(sio_reserve(&memory, &array, cap, &cap, sizeof *array));
    assert_int_equal(cap, before);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(array[i], i);
    size_t most = SIZE_MAX / 4;
    assert_false(sio_reserve(&memory, &array, most, &most, sizeof *array));
    sio_free_mem(&memory, array);
    sio_free_mem(&memory, NULL);
}

static void fresh_memory_is_zero(void **state)
{
    (void)state;
    char *p = sio_alloc(&memory, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(p[i], 0);
    sio_free_mem(&memory, p);
    until_failure = 1;
    assert_null(sio_alloc(&memory, 1));
}

static void a_text_grows_and_fails_as_a_whole(void **state)
{
    sio_textbuf t = sio_text_new(&memory);
    (void)state;
    for (int i = 0; i < 1000; i++)
        sio_put_text(&t.sink, "abcdefg");
    assert_false(t.sink.failed);
    assert_int_equal(t.sink.n, 7000);
    assert_memory_equal(t.sink.p + 6993, "abcdefg", 7);
    until_failure = 1;
    char *long_text = filled(100000, 'x');
    sio_put(&t.sink, long_text, 100000);
    assert_true(t.sink.failed);
    assert_int_equal(t.sink.n, 7000);
    free(long_text);
    sio_text_free(&t);
    sio_text_free(&t);
}

static void the_arena_gives_aligned_places_that_do_not_overlap(void **state)
{
    sio_arena a = { .memory = &memory };
    unsigned char *p[300];
    (void)state;
    for (int turn = 0; turn < 3; turn++) {
        for (size_t i = 0; i < 300; i++) {
            p[i] = sio_arena_get(&a, i);
            assert_non_null(p[i]);
            assert_int_equal((uintptr_t)p[i] % 16, 0);
            memset(p[i], (int)i & 255, i);
        }
        for (size_t i = 0; i < 300; i++)
            for (size_t k = 0; k < i; k++)
                assert_int_equal(p[i][k], i & 255);
        sio_arena_reset(&a);
        assert_int_equal(blocks, 1);
    }
    unsigned char *large = sio_arena_get(&a, 1000000);
    memset(large, 1, 1000000);
    sio_arena_reset(&a);
    assert_true(bytes < 20000);  // a large block is not kept
    until_failure = 1;
    assert_null(sio_arena_get(&a, 5000));
    assert_null(sio_arena_get(&a, SIZE_MAX));
    assert_non_null(sio_arena_get(&a, 8));
    sio_arena_free(&a);
}

/* ---- The turn's output ----------------------------------------------------------------------- */

/* A message of frames payloads of size bytes each, the letter c; a raw one for frames == 0. */
static bool write_message(sio_out *out, int frames, size_t size, char c, sio_ref *ref)
{
    char *text = filled(size, c);
    sio_out_begin(out);
    for (int i = 0; i < frames; i++) {
        sio_out_frame(out);
        for (size_t at = 0; at < size; at += 1000)  // as writers do: little by little
            sio_put(&out->sink, text, size - at < 1000 ? size - at : 1000);
        sio_out_frame_end(out, SIO_WS_TEXT);
    }
    if (frames == 0)
        sio_put(&out->sink, text, size);
    free(text);
    return sio_out_end(out, ref);
}

static const char *read_frame(const char *p, size_t size, char c)
{
    unsigned char op;
    size_t len, header = sio_ws_own_header(p, &op, &len);
    assert_int_equal(op, SIO_WS_TEXT);
    assert_int_equal(len, size);
    for (size_t i = 0; i < size; i++)
        if (p[header + i] != c)
            fail_msg("byte %zu of %zu", i, size);
    return p + header + size;
}

static const size_t sizes[] = { 0,     1,     125,   126,   127,   999,   60000,
                                65525, 65526, 65535, 65536, 65537, 300000 };

static void a_message_is_the_frames_that_were_written(void **state)
{
    sio_out out = { .memory = &memory };
    (void)state;
    for (size_t s = 0; s < COUNT(sizes); s++)
        for (int frames = 1; frames <= 3; frames++) {
            sio_ref ref;
            assert_true(write_message(&out, frames, sizes[s], 'a', &ref));
            const char *p = ref.buf->p + ref.at, *end = p + ref.n;
            for (int i = 0; i < frames; i++)
                p = read_frame(p, sizes[s], 'a');
            assert_ptr_equal(p, end);
            sio_ref_release(ref);
            if (s % 2 == 0)
                sio_out_turn(&out);
        }
    sio_out_free(&out);
}

static void messages_of_one_turn_are_neighbours(void **state)
{
    sio_out out = { .memory = &memory };
    sio_queue q = { .n = 0 };
    (void)state;
    for (int i = 0; i < 1000; i++) {
        sio_ref ref;
        assert_true(write_message(&out, 1, 20, 'b', &ref));
        assert_true(sio_queue_add(&memory, &q, ref));
        sio_ref_release(ref);
    }
    assert_int_equal(q.n, 22000);
    assert_int_equal(sio_queue_at(&q, 0).n, 22000);  // one piece
    assert_int_equal(sio_queue_at(&q, 1).n, 0);
    sio_queue_clear(&memory, &q);
    sio_out_turn(&out);
    assert_int_equal(blocks, 1);  // the buffer is used again
    sio_out_free(&out);
}

static void a_turns_buffer_in_use_is_not_written_again(void **state)
{
    sio_out out = { .memory = &memory };
    sio_ref first, second;
    (void)state;
    assert_true(write_message(&out, 1, 100, 'a', &first));
    sio_out_turn(&out);
    assert_true(write_message(&out, 1, 100, 'b', &second));
    read_frame(first.buf->p + first.at, 100, 'a');
    read_frame(second.buf->p + second.at, 100, 'b');
    sio_ref_release(first);
    sio_ref_release(second);
    sio_out_free(&out);
}

static void a_message_without_memory_leaves_nothing(void **state)
{
    (void)state;
    for (size_t k = 1; k < 20; k++)
        for (size_t s = 0; s < COUNT(sizes); s++) {
            sio_out out = { .memory = &memory };
            sio_ref ref, after;
            until_failure = k;
            bool good = write_message(&out, 2, sizes[s], 'a', &ref);
            bool failed = until_failure == 0;
            until_failure = 0;
            assert_true(good || failed);
            assert_true(write_message(&out, 1, 10, 'b', &after));  // the next one is whole again
            read_frame(after.buf->p + after.at, 10, 'b');
            sio_ref_release(after);
            if (good)
                sio_ref_release(ref);
            sio_out_free(&out);
            assert_int_equal(blocks, 0);
        }
}

static void text_that_is_not_utf_8_fails_its_message_only(void **state)
{
    sio_out out = { .memory = &memory };
    sio_ref before, ref, after;
    (void)state;
    assert_true(write_message(&out, 1, 10, 'a', &before));
    sio_out_begin(&out);
    sio_out_frame(&out);
    sio_json_put_string(&out.sink, "\xff", 1);
    sio_out_frame_end(&out, SIO_WS_TEXT);
    assert_false(sio_out_end(&out, &ref));
    assert_true(write_message(&out, 1, 10, 'b', &after));
    assert_int_equal(after.at, before.at + before.n);
    read_frame(before.buf->p + before.at, 10, 'a');
    read_frame(after.buf->p + after.at, 10, 'b');
    sio_ref_release(before);
    sio_ref_release(after);
    sio_out_free(&out);
}

/* ---- Queues ---------------------------------------------------------------------------------- */

/* A model: the queue's bytes are these letters. */
static char model[1 << 20];
static size_t model_n;

static void check_queue(const sio_queue *q)
{
    size_t at = 0;
    sio_ref ref;
    assert_int_equal(q->n, model_n);
    for (size_t i = 0; (ref = sio_queue_at(q, i)).n > 0; i++) {
        assert_true(at + ref.n <= model_n);
        assert_memory_equal(ref.buf->p + ref.at, model + at, ref.n);
        at += ref.n;
    }
    assert_int_equal(at, model_n);
}

static void drop(sio_queue *q, size_t n)
{
    sio_queue_drop(&memory, q, n);
    n = n < model_n ? n : model_n;
    memmove(model, model + n, model_n - n);
    model_n -= n;
}

/* Turns in which messages are queued, some bytes are sent, and the rest is settled. */
static void a_queue_keeps_its_bytes_through_any_turns(void **state)
{
    sio_out out = { .memory = &memory };
    sio_queue q = { .n = 0 };
    uint32_t x = 7;
    (void)state;
    model_n = 0;
    for (int step = 0; step < 5000; step++) {
        x = x * 1664525 + 1013904223;
        size_t size = (x >> 20) % 8 == 0 ? (x >> 8) % 100000 : (x >> 8) % 300;
        sio_ref ref, other;
        if (model_n + size < sizeof model) {
            assert_true(write_message(&out, 0, size, (char)('a' + step % 26), &ref));
            if (step % 3 == 0)  // another client's message between ours
                assert_true(write_message(&out, 0, 10, '-', &other));
            assert_true(sio_queue_add(&memory, &q, ref));
            memcpy(model + model_n, ref.buf->p + ref.at, ref.n);
            model_n += ref.n;
            sio_ref_release(ref);
            if (step % 3 == 0)
                sio_ref_release(other);
        }
        if ((x >> 16) % 4 == 0)
            drop(&q, (x >> 4) % 60000);
        if ((x >> 18) % 5 == 0) {
            assert_true(sio_queue_settle(&memory, &q));
            sio_out_turn(&out);
        }
        check_queue(&q);
    }
    sio_queue_clear(&memory, &q);
    sio_queue_clear(&memory, &q);
    sio_out_free(&out);
}

/* threats.md: one slow client must not take the server's memory. */
static void a_waiting_queue_holds_little_more_than_its_bytes(void **state)
{
    static const size_t lengths[] = { 10,    50,    500,   5000,  9000,  17000,
                                      20000, 32000, 33000, 60000, 66000, 140000 };
    (void)state;
    for (size_t i = 0; i < COUNT(lengths) + 3; i++) {
        sio_out out = { .memory = &memory };
        sio_queue q = { .n = 0 };
        for (int turn = 0; turn < 1000; turn++) {
            sio_ref ref;
            size_t n = lengths[i < COUNT(lengths) ? i : (size_t)turn * (i + 5) % COUNT(lengths)];
            assert_true(write_message(&out, 1, n, 'a', &ref));
            assert_true(sio_queue_add(&memory, &q, ref));
            sio_ref_release(ref);
            assert_true(sio_queue_settle(&memory, &q));
            sio_out_turn(&out);
        }
        sio_out_free(&out);
        if (bytes > 2 * q.n + 65536)
            fail_msg("messages of kind %zu: %zu bytes hold %zu", i, bytes, q.n);
        sio_queue_clear(&memory, &q);
    }
}

static void settling_without_memory_changes_nothing(void **state)
{
    (void)state;
    for (size_t k = 1; k < 12; k++) {
        sio_out out = { .memory = &memory };
        sio_queue q = { .n = 0 };
        sio_ref ref, other;
        model_n = 0;
        for (int i = 0; i < 10; i++) {
            assert_true(write_message(&out, 0, 5000, (char)('a' + i), &ref));
            assert_true(write_message(&out, 0, 5, '-', &other));
            assert_true(sio_queue_add(&memory, &q, ref));
            memset(model + model_n, 'a' + i, 5000);
            model_n += 5000;
            sio_ref_release(ref);
            sio_ref_release(other);
        }
        until_failure = k;
        sio_queue_settle(&memory, &q);
        until_failure = 0;
        check_queue(&q);
        until_failure = 1;
        assert_true(write_message(&out, 0, 5, 'x', &ref));
        sio_queue_add(&memory, &q, ref);
        until_failure = 0;
        sio_ref_release(ref);
        sio_queue_clear(&memory, &q);
        sio_out_free(&out);
        assert_int_equal(blocks, 0);
    }
}

static void an_empty_piece_is_not_queued_and_a_fixed_buffer_is_not_freed(void **state)
{
    char text[] = "HTTP/1.1 200 OK";
    sio_buf fixed = { .refs = 1, .fixed = true, .n = 15, .cap = 15, .memory = &memory, .p = text };
    sio_queue q = { .n = 0 };
    (void)state;
    assert_true(sio_queue_add(&memory, &q, (sio_ref){ &fixed, 3, 0 }));
    assert_int_equal(q.n, 0);
    assert_true(sio_queue_add(&memory, &q, (sio_ref){ &fixed, 0, 15 }));
    assert_true(sio_queue_add(&memory, &q, (sio_ref){ &fixed, 0, 15 }));  // no neighbour of itself
    assert_int_equal(sio_queue_at(&q, 1).n, 15);
    assert_true(sio_queue_settle(&memory, &q));
    sio_queue_drop(&memory, &q, 20);
    assert_int_equal(q.n, 10);
    assert_int_equal(sio_queue_at(&q, 0).at, 5);
    sio_queue_clear(&memory, &q);
    assert_int_equal(fixed.refs, 1);
}

#define TEST(f) cmocka_unit_test_teardown(f, nothing_is_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_array_grows_or_stays_as_it_was),
        TEST(fresh_memory_is_zero),
        TEST(a_text_grows_and_fails_as_a_whole),
        TEST(the_arena_gives_aligned_places_that_do_not_overlap),
        TEST(a_message_is_the_frames_that_were_written),
        TEST(messages_of_one_turn_are_neighbours),
        TEST(a_turns_buffer_in_use_is_not_written_again),
        TEST(a_message_without_memory_leaves_nothing),
        TEST(text_that_is_not_utf_8_fails_its_message_only),
        TEST(a_queue_keeps_its_bytes_through_any_turns),
        TEST(a_waiting_queue_holds_little_more_than_its_bytes),
        TEST(settling_without_memory_changes_nothing),
        TEST(an_empty_piece_is_not_queued_and_a_fixed_buffer_is_not_freed),
    };
    return cmocka_run_group_tests_name("net_out.c", tests, NULL, NULL);
}
