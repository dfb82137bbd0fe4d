/* test_net_base_timer.c - deadlines of one length, and timers of any
 * SPDX-License-Identifier: MIT */
#include "lib.h"

static size_t until_failure;

static void *resize(void *user, void *p, size_t size)
{
    (void)user;
    if (size == 0) {
        free(p);
        return NULL;
    }
    if (until_failure > 0 && --until_failure == 0)
        return NULL;
    return realloc(p, size);
}

static const sio_memory memory = { .resize = resize };

/* What expired, in order: the letters of the things that did. */
static char order[64];

typedef struct thing {
    sio_deadline deadline;  // first
    char letter;
} thing;

static void note(void *owner, sio_deadline *d)
{
    char letter[2] = { ((thing *)(void *)d)->letter, '\0' };
    strcat(order, letter);
    *(int *)owner += 1;
}

static void expire_at(sio_clock *c, int64_t now, const char *want)
{
    order[0] = '\0';
    c->now = now;
    sio_clock_expire(c, c);
    if (strcmp(order, want) != 0)
        fail_msg("at %d: %s, not %s", (int)now, order, want);
}

/* ---- Deadlines ------------------------------------------------------------------------------- */

static void deadlines_expire_in_time_in_order_and_once(void **state)
{
    sio_clock c = { .now = 1000, .memory = &memory };
    sio_fifo f;
    int calls = 0;
    thing a = { .letter = 'a' }, b = { .letter = 'b' }, d = { .letter = 'd' };
    (void)state;
    sio_fifo_init(&c, &f, 100, note, &calls);
    assert_int_equal(sio_clock_wait(&c), -1);
    sio_deadline_set(&c, &f, &a.deadline);
    c.now = 1010;
    sio_deadline_set(&c, &f, &b.deadline);
    sio_deadline_set(&c, &f, &d.deadline);
    assert_int_equal(sio_clock_wait(&c), 90);
    expire_at(&c, 1099, "");
    expire_at(&c, 1100, "a");
    expire_at(&c, 1100, "");
    assert_int_equal(sio_clock_wait(&c), 10);
    c.now = 1200;
    assert_int_equal(sio_clock_wait(&c), 0);
    expire_at(&c, 1200, "bd");
    assert_int_equal(sio_clock_wait(&c), -1);
    assert_int_equal(calls, 3);
}

static void a_deadline_that_is_set_again_moves(void **state)
{
    sio_clock c = { .memory = &memory };
    sio_fifo f, g;
    int calls = 0;
    thing a = { .letter = 'a' }, b = { .letter = 'b' };
    (void)state;
    sio_fifo_init(&c, &f, 100, note, &calls);
    sio_fifo_init(&c, &g, 10, note, &calls);
    sio_deadline_set(&c, &f, &a.deadline);
    sio_deadline_set(&c, &f, &b.deadline);
    c.now = 50;
    sio_deadline_set(&c, &f, &a.deadline);
    expire_at(&c, 100, "b");
    sio_deadline_set(&c, &g, &a.deadline);  // to another list
    expire_at(&c, 110, "a");
    expire_at(&c, 1000, "");
}

static void a_cleared_deadline_does_not_expire(void **state)
{
    sio_clock c = { .memory = &memory };
    sio_fifo f;
    int calls = 0;
    thing a = { .letter = 'a' }, b = { .letter = 'b' }, d = { .letter = 'd' };
    (void)state;
    sio_fifo_init(&c, &f, 100, note, &calls);
    sio_deadline_clear(&a.deadline);  // never set: nothing happens
    sio_deadline_set(&c, &f, &a.deadline);
    sio_deadline_set(&c, &f, &b.deadline);
    sio_deadline_set(&c, &f, &d.deadline);
    sio_deadline_clear(&b.deadline);
    sio_deadline_clear(&b.deadline);
    expire_at(&c, 100, "ad");
    assert_null(a.deadline.next);
}

static void a_length_of_zero_counts_as_one(void **state)
{
    sio_clock c = { .memory = &memory };
    sio_fifo f;
    int calls = 0;
    thing a = { .letter = 'a' };
    (void)state;
    sio_fifo_init(&c, &f, 0, note, &calls);
    sio_deadline_set(&c, &f, &a.deadline);
    expire_at(&c, 0, "");
    expire_at(&c, 1, "a");
}

static void a_removed_list_does_not_expire(void **state)
{
    sio_clock c = { .memory = &memory };
    sio_fifo f[3];
    int calls = 0;
    thing t[3] = { { .letter = 'a' }, { .letter = 'b' }, { .letter = 'c' } };
    (void)state;
    for (int i = 0; i < 3; i++) {
        sio_fifo_init(&c, &f[i], 10, note, &calls);
        sio_deadline_set(&c, &f[i], &t[i].deadline);
    }
    sio_fifo_remove(&c, &f[1]);
    sio_fifo_remove(&c, &f[1]);
    expire_at(&c, 10, "ca");
    assert_int_equal(sio_clock_wait(&c), -1);
}

/* A heartbeat sets itself again; a connection that goes takes its other deadlines with it. */
static sio_clock *again_clock;
static sio_fifo *again_fifo;
static thing *again_other;

static void set_again(void *owner, sio_deadline *d)
{
    note(owner, d);
    sio_deadline_set(again_clock, again_fifo, d);
    sio_deadline_clear(&again_other->deadline);
}

static void a_callback_may_set_its_deadline_again_and_clear_others(void **state)
{
    sio_clock c = { .memory = &memory };
    sio_fifo f;
    int calls = 0;
    thing a = { .letter = 'a' }, b = { .letter = 'b' }, d = { .letter = 'd' };
    (void)state;
    sio_fifo_init(&c, &f, 10, set_again, &calls);
    again_clock = &c, again_fifo = &f, again_other = &b;
    sio_deadline_set(&c, &f, &a.deadline);
    sio_deadline_set(&c, &f, &b.deadline);
    sio_deadline_set(&c, &f, &d.deadline);
    expire_at(&c, 10, "ad");
    expire_at(&c, 20, "ad");
    expire_at(&c, 1000, "ad");  // once, however late
}

static void a_hundred_thousand_deadlines_cost_the_same_each(void **state)
{
    enum { N = 100000 };
    sio_clock c = { .memory = &memory };
    sio_fifo f;
    int calls = 0;
    thing *t = calloc(N, sizeof *t);
    (void)state;
    double start = seconds();
    sio_fifo_init(&c, &f, 25000, note, &calls);
    for (int round = 0; round < 20; round++)
        for (size_t i = 0; i < N; i++)
            sio_deadline_set(&c, &f, &t[i * 7919 % N].deadline);
    for (size_t i = 0; i < N; i++)
        sio_deadline_clear(&t[i * 104729 % N].deadline);
    assert_int_equal(sio_clock_wait(&c), -1);
    assert_true(seconds() - start < LINEAR);
    free(t);
}

/* ---- Timers ---------------------------------------------------------------------------------- */

typedef struct alarm_clock {
    sio_timer timer;  // first
    char letter;
    bool again;
} alarm_clock;

static void ring(void *owner, sio_timer *t)
{
    alarm_clock *a = (alarm_clock *)(void *)t;
    char letter[2] = { a->letter, '\0' };
    strcat(order, letter);
    assert_int_equal(t->at, 0);  // it may be freed or set again
    if (a->again)
        assert_true(sio_timer_set(owner, t, 0));
}

static void timers_expire_by_time_and_then_by_age(void **state)
{
    sio_clock c = { .now = 500, .memory = &memory };
    alarm_clock a[5];
    (void)state;
    for (int i = 0; i < 5; i++)
        a[i] = (alarm_clock){ .timer.expire = ring, .letter = (char)('a' + i) };
    assert_true(sio_timer_set(&c, &a[0].timer, 30) && sio_timer_set(&c, &a[1].timer, 10));
    assert_true(sio_timer_set(&c, &a[2].timer, 20) && sio_timer_set(&c, &a[3].timer, 10));
    assert_true(sio_timer_set(&c, &a[4].timer, -7));  // a past time is now
    assert_int_equal(sio_clock_wait(&c), 0);
    expire_at(&c, 500, "e");
    assert_int_equal(sio_clock_wait(&c), 10);
    expire_at(&c, 509, "");
    expire_at(&c, 510, "bd");
    assert_true(sio_timer_set(&c, &a[2].timer, 100));  // again: moves
    expire_at(&c, 609, "a");
    expire_at(&c, 610, "c");
    assert_int_equal(sio_clock_wait(&c), -1);
    sio_clock_free(&c);
}

/* Otherwise a timer of no time would keep the loop from ever reading again. */
static void a_timer_set_in_a_callback_waits_for_the_next_turn(void **state)
{
    sio_clock c = { .memory = &memory };
    alarm_clock a = { .timer.expire = ring, .letter = 'a', .again = true };
    alarm_clock b = { .timer.expire = ring, .letter = 'b' };
    (void)state;
    assert_true(sio_timer_set(&c, &a.timer, 0) && sio_timer_set(&c, &b.timer, 0));
    expire_at(&c, 0, "ab");
    expire_at(&c, 0, "a");
    expire_at(&c, 5, "a");
    sio_clock_free(&c);
}

static void any_sequence_of_sets_and_clears_keeps_the_order(void **state)
{
    enum { N = 300 };
    sio_clock c = { .memory = &memory };
    static sio_timer t[N];
    uint32_t x = 1;
    (void)state;
    for (int step = 0; step < 20000; step++) {
        x = x * 1664525 + 1013904223;
        sio_timer *one = &t[(x >> 16) % N];
        if (x >> 30 == 0)
            sio_timer_clear(&c, one);
        else
            assert_true(sio_timer_set(&c, one, (x >> 8) % 50));
        for (size_t i = 0; i < c.n; i++) {  // the heap's own rule
            const sio_timer *up = c.heap[i > 0 ? (i - 1) / 2 : 0];
            assert_int_equal(c.heap[i]->at, i + 1);
            assert_true(i == 0 || up->due < c.heap[i]->due ||
                        (up->due == c.heap[i]->due && up->serial < c.heap[i]->serial));
        }
        if (step % 100 == 0)
            c.now++;
    }
    size_t set = 0;
    for (int i = 0; i < N; i++)
        set += t[i].at != 0;
    assert_int_equal(set, c.n);
    for (int i = 0; i < N; i++)
        sio_timer_clear(&c, &t[i]);
    assert_int_equal(sio_clock_wait(&c), -1);
    sio_clock_free(&c);
}

static void a_timer_without_memory_is_not_set(void **state)
{
    sio_clock c = { .memory = &memory };
    alarm_clock a = { .timer.expire = ring, .letter = 'a' };
    (void)state;
    until_failure = 1;
    assert_false(sio_timer_set(&c, &a.timer, 10));
    until_failure = 0;
    assert_int_equal(sio_clock_wait(&c), -1);
    sio_timer_clear(&c, &a.timer);
    assert_true(sio_timer_set(&c, &a.timer, 10));
    expire_at(&c, 10, "a");
    sio_clock_free(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_expire_in_time_in_order_and_once),
        cmocka_unit_test(a_deadline_that_is_set_again_moves),
        cmocka_unit_test(a_cleared_deadline_does_not_expire),
        cmocka_unit_test(a_length_of_zero_counts_as_one),
        cmocka_unit_test(a_removed_list_does_not_expire),
        cmocka_unit_test(a_callback_may_set_its_deadline_again_and_clear_others),
        cmocka_unit_test(a_hundred_thousand_deadlines_cost_the_same_each),
        cmocka_unit_test(timers_expire_by_time_and_then_by_age),
        cmocka_unit_test(a_timer_set_in_a_callback_waits_for_the_next_turn),
        cmocka_unit_test(any_sequence_of_sets_and_clears_keeps_the_order),
        cmocka_unit_test(a_timer_without_memory_is_not_set),
    };
    return cmocka_run_group_tests_name("net_base.c", tests, NULL, NULL);
}
