#define _POSIX_C_SOURCE 200809L
/* test_sio_tasks.c - posts from threads, and descriptors of the application's, on the real loop
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sio.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* ---- Threads ------------------------------------------------------------------------------------ */

enum { THREADS = 4, POSTS = 5000 };

typedef struct poster {
    sio_server *io;
    pthread_t thread;
    int sent, seen;
} poster;

static int ended;

static void on_post(sio_server *io, void *data)
{
    poster *p = data;
    if (++p->seen == POSTS && ++ended == THREADS)
        sio_shutdown(io);
}

static void *post_all(void *data)
{
    poster *p = data;
    while (p->sent < POSTS)
        if (sio_post(p->io, on_post, p) == 0)
            p->sent++;
        else if (errno != EAGAIN)
            break;
    return NULL;
}

static void all_posts_of_all_threads_arrive(void **state)
{
    poster posters[THREADS];
    sio_server *io = sio_new(NULL);
    (void)state;
    assert_non_null(io);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (poster){ .io = io };
        assert_int_equal(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]), 0);
    }
    assert_int_equal(sio_run(io), 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].seen, POSTS);
    }
    sio_free(io);
}

/* ---- Descriptors -------------------------------------------------------------------------------- */

static int ends[2];
static char heard[16];
static int calls;

static void on_readable(sio_server *io, int fd, int events, void *data)
{
    char byte;
    assert_int_equal(events, SIO_READABLE);
    assert_int_equal(fd, ends[0]);
    assert_ptr_equal(data, heard);
    if (read(fd, &byte, 1) == 1) {
        heard[strlen(heard)] = byte;
        return;
    }
    assert_int_equal(sio_watch(io, fd, 0, NULL, NULL), 0);  // the end: nobody writes any more
    sio_shutdown(io);
}

static void on_writable(sio_server *io, int fd, int events, void *data)
{
    (void)data;
    assert_int_equal(events, SIO_WRITABLE);
    assert_int_equal(write(fd, "abc", 3), 3);
    if (++calls < 2)
        return;
    assert_int_equal(sio_watch(io, fd, 0, NULL, NULL), 0);
    close(fd);
}

static void descriptors_are_watched(void **state)
{
    sio_server *io = sio_new(NULL);
    (void)state;
    memset(heard, 0, sizeof heard);
    calls = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sio_watch(io, ends[0], SIO_READABLE, on_readable, NULL), 0);
    assert_int_equal(sio_watch(io, ends[0], SIO_READABLE, on_readable, heard), 0);  // instead
    assert_int_equal(sio_watch(io, ends[1], SIO_WRITABLE, on_writable, NULL), 0);
    assert_int_equal(sio_run(io), 0);
    assert_string_equal(heard, "abcabc");
    assert_int_equal(calls, 2);
    close(ends[0]);
    sio_free(io);
}

static void what_cannot_be_watched_is_refused(void **state)
{
    sio_server *io = sio_new(NULL);
    (void)state;
    assert_int_equal(sio_watch(io, -1, SIO_READABLE, on_readable, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_watch(io, 0, SIO_READABLE, NULL, NULL), -1);
    assert_int_equal(sio_watch(io, 0, 8, on_readable, NULL), -1);
    assert_int_equal(sio_watch(io, 12345, 0, NULL, NULL), 0);  // nobody watches it
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sio_watch(io, ends[0], SIO_READABLE, on_readable, heard), 0);  // freed with it
    sio_free(io);
    close(ends[0]);
    close(ends[1]);
}

/* ---- Descriptors that come and go in callbacks -------------------------------------------------- */

enum { PIPES = 100 };

static int pipes[PIPES][2];

static void open_pipes(int n)
{
    for (int i = 0; i < n; i++) {
        assert_int_equal(pipe(pipes[i]), 0);
        assert_int_equal(write(pipes[i][1], "x", 1), 1);
    }
}

static void close_pipes(int n)
{
    for (int i = 0; i < n; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

enum { FEW = 8, CASES = 4 };

static int way, outer, inner;

static void read_once(sio_server *io, int fd, int events, void *data)
{
    char byte;
    (void)io, (void)events, (void)data;
    assert_int_equal(read(fd, &byte, 1), 1);
    inner++;
}

/* What others of the same turn were told of their descriptors is void. */
static void change_all(sio_server *io, int fd, int events, void *data)
{
    (void)events, (void)data;
    outer++;
    for (int i = 0; way < 2 && i < FEW; i++) {  // 0: as sio.h says; 1: close comes first
        if (way == 0)
            assert_int_equal(sio_watch(io, pipes[i][0], 0, NULL, NULL), 0);
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
    if (way < 2)
        open_pipes(FEW);  // gets the same numbers
    for (int i = 0; way < 3 && i < FEW; i++)
        assert_int_equal(sio_watch(io, pipes[i][0], SIO_READABLE, read_once, NULL), 0);
    for (int i = 0; way == 3 && i < FEW; i++)  // itself, more than once
        assert_int_equal(sio_watch(io, fd, SIO_READABLE, read_once, NULL), 0);
}

static void descriptors_change_in_callbacks(void **state)
{
    (void)state;
    for (way = 0; way < CASES; way++) {
        sio_server *io = sio_new(NULL);
        outer = inner = 0;
        open_pipes(FEW);
        for (int i = 0; i < FEW; i++)
            assert_int_equal(sio_watch(io, pipes[i][0], SIO_READABLE, change_all, NULL), 0);
        assert_int_equal(sio_turn(io, 0), 1);
        assert_int_equal(outer, way < 3 ? 1 : FEW);
        assert_int_equal(inner, 0);
        for (int i = 0; i < 3; i++)
            assert_int_equal(sio_turn(io, 0), 1);
        assert_int_equal(inner, FEW);
        sio_free(io);
        close_pipes(FEW);
    }
}

static void on_both(sio_server *io, int fd, int events, void *data)
{
    int *seen = data;
    (void)io, (void)fd;
    *seen |= events;
}

/* Only what was asked for is told, but for an end. */
static void events_are_those_that_were_asked_for(void **state)
{
    int pair[2], seen = 0;
    sio_server *io = sio_new(NULL);
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], "x", 1), 1);
    for (int events = 1; events <= (SIO_READABLE | SIO_WRITABLE); events++) {
        seen = 0;
        assert_int_equal(sio_watch(io, pair[0], events, on_both, &seen), 0);
        sio_turn(io, 0);
        assert_int_equal(seen, events);
    }
    close(pair[1]);
    seen = 0;
    assert_int_equal(sio_watch(io, pair[0], SIO_WRITABLE, on_both, &seen), 0);
    sio_turn(io, 0);
    assert_true(seen & SIO_READABLE);
    sio_free(io);
    close(pair[0]);
}

static void on_full(sio_server *io, void *data)
{
    (void)io;
    ++*(int *)data;
}

/* A queue that is full takes no more until some have run, and does not hold up the end. */
static void the_queue_of_posts_has_an_end(void **state)
{
    int posted = 0, ran = 0;
    sio_server *io = sio_new(NULL);
    (void)state;
    while (sio_post(io, on_full, &ran) == 0)
        posted++;
    assert_int_equal(errno, EAGAIN);
    assert_in_range(posted, 100, 1000000);
    for (int last = -1; ran != last;) {
        last = ran;
        assert_int_equal(sio_turn(io, 0), 1);
    }
    assert_int_equal(ran, posted);
    while (sio_post(io, on_full, &ran) == 0)
        continue;
    errno = 77;
    sio_shutdown(io);
    assert_int_equal(errno, 77);
    assert_int_equal(sio_run(io), 0);
    sio_free(io);
}

static int served[PIPES];

static void take_time(sio_server *io, int fd, int events, void *data)
{
    struct timespec t = { .tv_nsec = 2000000 };
    int *count = data;
    (void)io, (void)fd, (void)events;
    nanosleep(&t, NULL);
    ++*count;
}

/* Where a turn has no time for all, the next ones begin with those who had to wait. */
static void nobody_waits_for_ever(void **state)
{
    sio_server *io = sio_new(NULL);
    (void)state;
    open_pipes(PIPES);
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(
            sio_watch(io, pipes[i][0], SIO_READABLE, take_time, memset(&served[i], 0, sizeof(int))),
            0);
    for (int i = 0; i < PIPES; i++)
        assert_int_equal(sio_turn(io, 0), 1);
    for (int i = 0; i < PIPES; i++)
        assert_true(served[i] > 0);
    sio_free(io);
    close_pipes(PIPES);
}

/* ---- The end ------------------------------------------------------------------------------------ */

static void on_timeout(sio_server *io, void *data)
{
    (void)io, (void)data;
    fail_msg("it was forgotten");
}

/* Whatever is begun while all ends, ends as well. */
static void on_over(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)answer;
    calls++;
    assert_null(error);  // nobody was asked
    assert_int_equal(sio_watch(io, ends[0], SIO_READABLE, on_readable, data), 0);
    assert_true(sio_after(io, 0, on_timeout, NULL) != 0);
    assert_true(sio_every(io, 1, on_timeout, NULL) != 0);
    assert_int_equal(sio_post(io, on_timeout, NULL), 0);
    sio_drop(sio_keep(io, sio_null()));
    assert_non_null(sio_array(io));
    assert_non_null(sio_of(io, "/late"));
    assert_int_equal(sio_request(sio_timeout(sio_all(sio_of(io, "/")), 5), on_over, data, "q", ""),
                     -1);
    assert_int_equal(errno, ECANCELED);
}

static void what_begins_at_the_end_ends(void **state)
{
    sio_server *io = sio_new(NULL);
    (void)state;
    calls = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(
        sio_request(sio_timeout(sio_all(sio_of(io, "/")), 5000), on_over, heard, "q", ""), 0);
    sio_free(io);
    assert_int_equal(calls, 1);
    close(ends[0]);
    close(ends[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_posts_of_all_threads_arrive),
        cmocka_unit_test(descriptors_are_watched),
        cmocka_unit_test(what_cannot_be_watched_is_refused),
        cmocka_unit_test(descriptors_change_in_callbacks),
        cmocka_unit_test(events_are_those_that_were_asked_for),
        cmocka_unit_test(the_queue_of_posts_has_an_end),
        cmocka_unit_test(nobody_waits_for_ever),
        cmocka_unit_test(what_begins_at_the_end_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
