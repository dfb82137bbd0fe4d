/* net.c - what all connections share: the log, and the memory that they hold
 * SPDX-License-Identifier: MIT
 *
 * What is on its way, in or out, is counted where its memory is got and given back (sio_hold). Who
 * holds how much of it is asked only when all together hold too much.
 *
 * What holds here:
 *  - No client makes the server write more than LINES_A_SECOND of a kind of line.
 *  - When a turn is over, what is on its way is at most max_memory, or those who hold most end before
 *    the next turn reads.
 *  - Nothing here calls back: who must end is marked. */
#include "layers.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    LINES_A_SECOND = 10,   // of one kind; the others are counted
    CLIENT_BYTES = 1024,   // of a connection, session, socket or room, more or less
    FALL_BYTES = 8 << 20,  // less than there were: free memory is given back
    TRIM_MS = 3000         // after that
};

/* ---- The log ------------------------------------------------------------------------------------- */

static void put_line(sio_net *net, const char *line)
{
    sio_put(&net->lines.sink, line, strlen(line) + 1);
}

/* The kind of lines with that format, counted from now on; when all places are taken, the last one. */
static sio_log_kind *kind_of(sio_net *net, const char *format)
{
    sio_log_kind *k = &net->log_kinds[SIO_LOG_KINDS - 1];
    for (int i = SIO_LOG_KINDS; i-- > 0;) {
        if (net->log_kinds[i].format == format)
            return &net->log_kinds[i];
        if (net->log_kinds[i].format == NULL)
            k = &net->log_kinds[i];
    }
    if (k->format == NULL) {
        k->format = format;
        sio_deadline_set(&net->clock, &net->second_fifo, &k->end);
    }
    return k;
}

void sio_log(sio_net *net, const char *format, ...)
{
    char line[512];
    if (net->options->log == NULL || kind_of(net, format)->count++ >= LINES_A_SECOND)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    put_line(net, line);
}

/* A second is over: tells how many lines of a kind were left out. */
static void on_second(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    sio_log_kind *k = (sio_log_kind *)(void *)d;
    uint64_t more = k->count < LINES_A_SECOND ? 0 : k->count - LINES_A_SECOND;
    char line[512];
    snprintf(line, sizeof line, "... and %llu more like it: %.*s", (unsigned long long)more,
             (int)strcspn(k->format, "%"), k->format);
    if (more > 0)
        put_line(net, line);
    k->format = NULL, k->count = 0;
}

/* ---- Who holds most ------------------------------------------------------------------------------- */

void sio_net_add_holder(sio_net *net, sio_holder *h)
{
    h->next = net->holders;
    net->holders = h;
}

static size_t held_by(const sio_conn *c)
{
    size_t held = c->out.n + (c->in == NULL ? 0 : sizeof *c->in + c->in->cap);
    if (c->state == SIO_CONN_HEAD || c->state == SIO_CONN_BODY)
        held += sio_exchanges_held(c);
    if (c->state != SIO_CONN_WEBSOCKET)
        return held;
    const sio_fragments *f = c->u.ws.fragments;
    if (c->u.ws.events->held != NULL)
        held += c->u.ws.events->held(c->u.ws.owner);
    return held + (f == NULL ? 0 : f->cap);
}

/* As a sio_holder weighs, for connections. */
static size_t weigh_conns(sio_net *net, size_t least, size_t *excess)
{
    size_t most = 0;
    for (size_t i = 0; i < net->n_conns; i++) {
        sio_conn *c = net->conns[i];
        size_t held = c->broken ? 0 : held_by(c);
        if (held >= least && *excess > 0) {
            *excess -= held < *excess ? held : *excess;
            net->stats.overflows++;
            sio_log(net, "connection closed: max_memory is reached, and it holds most of it");
            sio_conn_break(c);
        } else if (held > most) {
            most = held;
        }
    }
    return most;
}

static size_t weigh(sio_net *net, size_t least, size_t *excess)
{
    size_t most = weigh_conns(net, least, excess);
    for (sio_holder *h = net->holders; h != NULL; h = h->next) {
        size_t other = h->weigh(h, least, excess);
        most = other > most ? other : most;
    }
    return most;
}

/* Has the clients that hold most end, until the others hold three quarters of the limit, so that this
 * is not done in each turn of an attack. Whoever holds nearly as much as the largest goes with it:
 * however many clients there are, all of them are looked at a few times and not once for each. */
void sio_net_relieve(sio_net *net)
{
    if (net->held <= net->options->max_memory)
        return;
    size_t excess = net->held - net->options->max_memory / 4 * 3;
    size_t most = weigh(net, SIZE_MAX, &excess);
    while (most > 0 && excess > 0)
        most = weigh(net, most - most / 8, &excess);
}

/* ---- After the worst ----------------------------------------------------------------------------- */

/* Bytes that clients have the server hold, more or less. */
static size_t weight(const sio_net *net)
{
    const sio_stats *s = &net->stats;
    uint64_t things = s->connections + s->sessions + s->sockets + s->rooms;
    return net->held + (size_t)things * CLIENT_BYTES;
}

static void on_trim(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    size_t cap = net->n_conns < 4 ? 4 : net->n_conns;
    (void)d;
    net->peak = weight(net);
    if (net->cap_conns / 4 > cap) {
        sio_conn **fewer = sio_resize(&net->memory, net->conns, cap * sizeof *fewer);
        if (fewer != NULL)
            net->conns = fewer, net->cap_conns = cap;
    }
    sio_loop_give_back(net->loop);
}

/* When much less is held than there was, free memory goes back to the system, once in a while: libc
 * would keep it, and after an attack the process would stay as large as it was at its worst. */
void sio_net_watch_weight(sio_net *net)
{
    size_t now = weight(net);
    if (now > net->peak)
        net->peak = now;
    else if (now < net->peak / 2 && net->peak - now > FALL_BYTES && net->trim.next == NULL &&
             net->libc_memory)
        sio_deadline_set(&net->clock, &net->trim_fifo, &net->trim);
}

void sio_net_init_shared(sio_net *net)
{
    sio_fifo_init(&net->clock, &net->second_fifo, 1000, on_second, net);
    sio_fifo_init(&net->clock, &net->trim_fifo, TRIM_MS, on_trim, net);
}
