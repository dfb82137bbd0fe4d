/* net_limits.c - the memory that clients hold, all together
 * SPDX-License-Identifier: MIT
 *
 * What is on its way, in or out, is counted where its memory is got and given back (sio_hold). Who
 * holds how much of it is asked only when all together hold too much.
 *
 * What holds here:
 *  - When a turn is over, what is on its way is at most max_memory, or those who hold most end before
 *    the next turn reads.
 *  - Nothing here calls back: who must end is marked. */
#include "net.h"

enum {
    CLIENT_BYTES = 1024,   // of a connection, session, socket or room, more or less
    FALL_BYTES = 8 << 20,  // less than there were: free memory is given back
    TRIM_MS = 3000         // after that
};

/* ---- Who holds most ------------------------------------------------------------------------------- */

void sio_holder_add(sio_net *net, sio_holder *h)
{
    h->next = net->holders;
    net->holders = h;
}

static size_t weigh(sio_net *net, size_t least, size_t *excess)
{
    size_t most = 0;
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
    size_t held = net->held - sio_out_held(&net->out);
    if (held <= net->options->max_memory)
        return;
    size_t excess = held - net->options->max_memory / 4 * 3;
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

void sio_limits_init(sio_net *net)
{
    sio_fifo_init(&net->clock, &net->trim_fifo, TRIM_MS, on_trim, net);
}
