/* timer.c - deadlines
 * SPDX-License-Identifier: MIT
 *
 * A server's deadlines have few lengths: all ping intervals are equal, all ping timeouts are. So
 * those of one length stand in a list in the order in which they were set, which is the order in
 * which they are due: setting, clearing and expiring are O(1). Only the application's own timers
 * have any length; they are in a heap.
 *
 * What holds here: a deadline or timer that is expired or cleared is in no list, and may be set
 * again or freed at once, from inside its own callback too. */
#include "layers.h"

/* ---- Lists of one length ------------------------------------------------------------------------- */

void sio_fifo_init(sio_clock *clock, sio_fifo *f, int length,
                   void (*expire)(void *, sio_deadline *), void *owner)
{
    f->head.prev = f->head.next = &f->head;
    f->length = length > 0 ? length : 1;
    f->early = 0;
    f->expire = expire;
    f->owner = owner;
    f->next = clock->fifos;
    clock->fifos = f;
}

void sio_fifo_remove(sio_clock *clock, sio_fifo *f)
{
    sio_fifo **at = &clock->fifos;
    while (*at != NULL && *at != f)
        at = &(*at)->next;
    if (*at == f)
        *at = f->next;
}

void sio_deadline_clear(sio_deadline *d)
{
    if (d->next == NULL)
        return;
    d->prev->next = d->next;
    d->next->prev = d->prev;
    d->prev = d->next = NULL;
}

void sio_deadline_set(sio_clock *clock, sio_fifo *f, sio_deadline *d)
{
    sio_deadline_clear(d);
    d->due = clock->now + f->length;
    d->prev = f->head.prev;
    d->next = &f->head;
    d->prev->next = d->next->prev = d;
}

/* ---- The heap ------------------------------------------------------------------------------------ */

static bool is_before(const sio_timer *a, const sio_timer *b)
{
    return a->due != b->due ? a->due < b->due : a->serial < b->serial;
}

static void place(sio_clock *clock, size_t i, sio_timer *t)
{
    clock->heap[i] = t;
    t->at = i + 1;
}

static void sift_up(sio_clock *clock, size_t i, sio_timer *t)
{
    while (i > 0 && is_before(t, clock->heap[(i - 1) / 2])) {
        place(clock, i, clock->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(clock, i, t);
}

static void sift_down(sio_clock *clock, size_t i, sio_timer *t)
{
    for (size_t child; (child = 2 * i + 1) < clock->n; i = child) {
        if (child + 1 < clock->n && is_before(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!is_before(clock->heap[child], t))
            break;
        place(clock, i, clock->heap[child]);
    }
    place(clock, i, t);
}

bool sio_timer_set(sio_clock *clock, sio_timer *t, int64_t ms)
{
    sio_timer_clear(clock, t);
    if (!sio_reserve(clock->memory, &clock->heap, clock->n, &clock->cap, sizeof *clock->heap))
        return false;
    t->due = clock->now + (ms > 0 ? ms : 0);
    t->serial = clock->serial++;
    sift_up(clock, clock->n++, t);
    return true;
}

void sio_timer_clear(sio_clock *clock, sio_timer *t)
{
    if (t->at == 0)
        return;
    size_t i = t->at - 1;
    sio_timer *last = clock->heap[--clock->n];
    t->at = 0;
    if (last == t)
        return;
    if (i > 0 && is_before(last, clock->heap[(i - 1) / 2]))
        sift_up(clock, i, last);
    else
        sift_down(clock, i, last);
}

/* ---- The clock ----------------------------------------------------------------------------------- */

int64_t sio_clock_wait(const sio_clock *clock)
{
    int64_t due = clock->n > 0 ? clock->heap[0]->due : INT64_MAX;
    for (const sio_fifo *f = clock->fifos; f != NULL; f = f->next)
        if (f->head.next != &f->head && f->head.next->due < due)
            due = f->head.next->due;
    if (due == INT64_MAX)
        return -1;
    return due > clock->now ? due - clock->now : 0;
}

void sio_clock_expire(sio_clock *clock, void *owner)
{
    for (sio_fifo *f = clock->fifos, *next; f != NULL; f = next) {
        next = f->next;
        int64_t until = clock->now;
        while (f->head.next != &f->head && f->head.next->due <= until) {
            sio_deadline *d = f->head.next;
            sio_deadline_clear(d);
            f->expire(f->owner, d);
            until = clock->now + f->early;  // one woke the loop: its neighbours may come along
        }
    }
    uint64_t before = clock->serial;  // those set meanwhile wait for the next turn
    while (clock->n > 0 && clock->heap[0]->due <= clock->now && clock->heap[0]->serial < before) {
        sio_timer *t = clock->heap[0];
        sio_timer_clear(clock, t);
        t->expire(owner, t);
    }
}

void sio_clock_free(sio_clock *clock)
{
    sio_free_mem(clock->memory, clock->heap);
    clock->heap = NULL;
    clock->n = clock->cap = 0;
}
