/* sio_tasks.c - what an application has the loop do: timers, calls from other threads, descriptors
 * SPDX-License-Identifier: MIT
 *
 *     a timer           in a heap of the net's clock, by when it is due
 *     a posted call     16 bytes in the loop's pipe, which is the queue: the kernel keeps writes of that
 *                       size whole (POSIX, pipe, PIPE_BUF), so threads need no lock
 *     a descriptor      in the loop, beside the server's own
 *
 * What holds here:
 *  - A timer is never early, and one that repeats does not drift: it is due at multiples of its time.
 *    What it missed, because a callback was slow, it does not make up for.
 *  - Posted calls run in the order in which they were posted, each once, and none once sio_free has
 *    begun.
 *  - A task may end itself, or any other, from inside its callback. */
#include "sio_core.h"

#include <errno.h>

/* Then clients are served, and those who post each other can't stop that. */
enum { POSTS_A_TURN = 256 };

/* ---- Timers --------------------------------------------------------------------------------------- */

typedef struct user_timer {
    sio_timer timer;  // first
    sio_server *io;
    uint64_t handle;
    int every;  // milliseconds; 0: it runs once
    void (*fn)(sio_server *io, void *data);
    void *data;
} user_timer;

static void free_timer(user_timer *t)
{
    sio_handle_free(&t->io->timers, t->handle);
    sio_free_mem(&t->io->net.memory, t);
}

/* One that repeats is set before its callback runs, which may cancel it. The clock has room for it, for
 * it has just left. */
static void on_timer(void *owner, sio_timer *timer)
{
    user_timer t = *(user_timer *)(void *)timer;
    sio_clock *clock = &t.io->net.clock;
    (void)owner;
    if (t.every == 0) {
        free_timer((user_timer *)(void *)timer);
    } else {
        int64_t late = clock->now - timer->due;
        sio_timer_set(clock, timer, t.every - late % t.every);
    }
    sio_scope_enter(&t.io->net);
    t.fn(t.io, t.data);
    sio_scope_leave(&t.io->net);
}

static uint64_t new_timer(sio_server *io, int ms, int every, void (*fn)(sio_server *io, void *data),
                          void *data)
{
    user_timer *t = fn == NULL ? NULL : sio_alloc(&io->net.memory, sizeof *t);
    if (t == NULL) {
        errno = fn == NULL ? EINVAL : ENOMEM;
        return 0;
    }
    *t = (user_timer){
        .timer = { .expire = on_timer }, .io = io, .every = every, .fn = fn, .data = data
    };
    t->handle = sio_handle_new(&io->timers, t);
    if (t->handle != 0 && sio_timer_after(&io->net, &t->timer, ms))
        return t->handle;
    free_timer(t);
    errno = ENOMEM;
    return 0;
}

uint64_t sio_after(sio_server *io, int ms, void (*fn)(sio_server *io, void *data), void *data)
{
    return new_timer(io, ms, 0, fn, data);
}

uint64_t sio_every(sio_server *io, int ms, void (*fn)(sio_server *io, void *data), void *data)
{
    return new_timer(io, ms < 1 ? 1 : ms, ms < 1 ? 1 : ms, fn, data);
}

void sio_cancel(sio_server *io, uint64_t id)
{
    user_timer *t = sio_handle_get(&io->timers, id);
    if (t == NULL)
        return;
    sio_timer_clear(&io->net.clock, &t->timer);
    free_timer(t);
}

/* ---- Posted calls ---------------------------------------------------------------------------------- */

int sio_post(sio_server *io, void (*fn)(sio_server *io, void *data), void *data)
{
    if (fn == NULL)
        return sio_fail(EINVAL);
    return sio_loop_post(io->net.loop, &(sio_posted){ .fn = fn, .data = data });
}

void sio_run_posted(sio_server *io)
{
    sio_posted call;
    for (int i = 0; i < POSTS_A_TURN && sio_loop_posted(io->net.loop, &call); i++) {
        sio_scope_enter(&io->net);
        call.fn(io, call.data);
        sio_scope_leave(&io->net);
    }
}

/* ---- Descriptors ----------------------------------------------------------------------------------- */

struct sio_user_watch {
    sio_called called;  // first
    sio_server *io;
    sio_user_watch *next;  // in io->watches; or io->dead_watches, as the loop may have told of it
    void (*fn)(sio_server *io, int fd, int events, void *data);
    void *data;
};

static void end_watch(sio_server *io, sio_user_watch **at)
{
    sio_user_watch *w = *at;
    sio_loop_unwatch(io->net.loop, &w->called.watched);
    w->called.watched.fd = -1;
    *at = w->next;
    w->next = io->dead_watches;
    io->dead_watches = w;
}

void sio_tasks_bury(sio_server *io)
{
    while (io->dead_watches != NULL) {
        sio_user_watch *w = io->dead_watches;
        io->dead_watches = w->next;
        sio_free_mem(&io->net.memory, w);
    }
}

static void on_ready(sio_called *called, bool readable, bool writable)
{
    sio_user_watch *w = (sio_user_watch *)(void *)called;
    int events = (readable ? SIO_READABLE : 0) | (writable ? SIO_WRITABLE : 0);
    sio_scope_enter(&w->io->net);
    w->fn(w->io, called->watched.fd, events, w->data);
    sio_scope_leave(&w->io->net);
}

int sio_watch(sio_server *io, int fd, int events,
              void (*fn)(sio_server *io, int fd, int events, void *data), void *data)
{
    if (fd < 0 || (fn == NULL && events != 0) || (events & ~(SIO_READABLE | SIO_WRITABLE)) != 0)
        return sio_fail(EINVAL);
    sio_user_watch **at = &io->watches;
    while (*at != NULL && (*at)->called.watched.fd != fd)
        at = &(*at)->next;
    if (*at != NULL)
        end_watch(io, at);
    if (events == 0)
        return 0;
    sio_user_watch *w = sio_alloc(&io->net.memory, sizeof *w);
    if (w == NULL)
        return sio_fail(ENOMEM);
    *w = (sio_user_watch){ .io = io, .fn = fn, .data = data, .next = io->watches };
    w->called = (sio_called){ .ready = on_ready };
    w->called.watched = (sio_watched){ .fd = fd,
                                       .kind = SIO_WATCHED_CALL,
                                       .want_write = (events & SIO_WRITABLE) != 0,
                                       .no_read = (events & SIO_READABLE) == 0,
                                       .used = io->net.used };
    if (sio_loop_watch(io->net.loop, &w->called.watched) < 0) {
        int error = errno;
        sio_free_mem(&io->net.memory, w);
        return sio_fail(error);
    }
    io->watches = w;
    return 0;
}

/* Timers of the application are forgotten; those of questions that wait for answers are over. */
void sio_tasks_free(sio_server *io)
{
    while (io->net.clock.n > 0) {
        sio_timer *t = io->net.clock.heap[0];
        sio_timer_clear(&io->net.clock, t);
        if (t->expire == on_timer)
            free_timer((user_timer *)(void *)t);
        else
            t->expire(io, t);
    }
    while (io->watches != NULL)  // last: who hears that a question is over may watch more
        end_watch(io, &io->watches);
    sio_tasks_bury(io);
    sio_scope_end(&io->net);  // of the answers to those questions
}
