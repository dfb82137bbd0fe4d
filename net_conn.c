/* net_conn.c - connections: accepted, read, sent to, ended; what they speak is not known here
 * SPDX-License-Identifier: MIT
 *
 * What a connection speaks is a pointer, c->protocol, that moves on:
 *
 *     requests --101--> messages --our close frame--> closing
 *        |                 |                             |
 *        | an answer with  | the client's close frame,   | the client's close frame
 *        | "Connection:    | or a rule that it broke     |
 *        v  close"         v                             v
 *     draining ------- all is sent, and the client ended its side --------> dead
 *
 * An error, or a time that is over, makes it dead from everywhere; so does the end of input, where no
 * answer is on its way. Requests are in net_requests.c, messages and closing in net_frames.c, draining
 * is here.
 *
 * All bytes are read into one buffer that all connections share. A connection owns memory for input
 * only while a head or frame is incomplete, and in proportion to what has come of it. So the cost is
 * linear in the bytes, however the input is cut. What a read leaves over:
 *
 *     1. nothing             shared | frame | frame |            the connection owns nothing
 *
 *     2. a piece behind      shared | frame | frame | pie        copied to c->in, in front of the next
 *        what is complete,   c->in  | pie ---.                   read, for much may follow
 *        or a short one      shared | pie|ce | frame | fr
 *
 *     3. a long piece, and   c->in  | piece |                    stays where it is: the rest is read
 *        nothing complete    c->in  | piece|, behind it          right behind it, and nothing is moved
 *                                                                until the room must grow
 *
 * What holds here:
 *  - A turn has a budget: those who are ready share TURN_BYTES of input, each in one read, and after
 *    TURN_MS it ends. Then the next one begins with whoever was given least: busy clients take
 *    turns, and one who is not busy waits for one turn and not for all of them.
 *  - Output is queued, and sent at the turn's end. What does not leave then waits, up to a limit.
 *  - A connection that ends in a callback is marked dead, and freed when the turn is over, so functions
 *    up the stack may still look at it. After every callback the state is read again.
 *  - Draining reads on and throws away: closing with unread input would make the kernel send a reset
 *    that can overtake our last words. */
#include "net.h"

#include <errno.h>

enum {
    READ_BYTES = 262144,   // of one connection in a turn, at the most,
    LEAST_BYTES = 4096,    // and at the least
    TURN_BYTES = 1 << 20,  // of all connections, unless there are very many
    TURN_MS = 5,           // after which the rest waits for the next turn
    UNIT_BYTES = 64,       // of input, in which is counted who was given how much
    CREDIT = 1024,         // units that who was idle may have before the others
    CHECK_BYTES = 16384,   // of input after which the clock is asked,
    SMALL_WORK = 512,      // where each connection counts as so many more
    INPUT_BYTES = 512,     // room for an incomplete head, at first
    SHORT_BYTES = 1024,  // of incomplete input that is moved for each read rather than read behind
    EARLY_BYTES = 262144,  // output that does not wait for the turn's end
    ACCEPTS_PER_TURN = 64,
    READY_PER_TURN = 256,
    MAX_PIECES = 64,   // of one send
    LINGER_MS = 2000,  // for the client to end its side, when all is sent
    SPARE_MS = 2000,   // memory that is kept for the next long message
    PAUSE_MS = 100     // between two tries to accept without descriptors
};

/* ---- Life and death ------------------------------------------------------------------------------ */

/* Counts a connection of an address in or out. False: it has as many as it may. */
static bool count_address(sio_net *net, const sio_ip *ip, int change)
{
    size_t most = net->options->max_per_address;
    if (most == 0 || ip->n == 0)
        return true;
    if (change > 0)
        return sio_crowd_enter(&net->addresses, ip, most) != NULL;
    sio_crowd_leave(&net->addresses, sio_crowd_find(&net->addresses, ip));
    return true;
}

/* Has the connection looked at when the turn ends. One in net->dead is dirty for good. */
static void mark(sio_conn *c)
{
    if (c->dirty)
        return;
    c->dirty = true;
    c->next = NULL;
    *c->net->dirty_end = c;
    c->net->dirty_end = &c->next;
}

void sio_conn_break(sio_conn *c)
{
    c->broken = true;
    mark(c);
}

void sio_conn_end(sio_conn *c, bool clean)
{
    sio_net *net = c->net;
    if (c->dead)
        return;
    c->dead = true;
    sio_loop_close(net->loop, &c->watch);
    count_address(net, &c->ip, -1);
    sio_conn *last = net->conns[--net->n_conns];
    net->conns[c->place] = last;
    last->place = c->place;
    net->stats.connections = net->n_conns;
    mark(c);
    if (c->protocol->end != NULL)
        c->protocol->end(c, clean);
    else
        sio_deadline_clear(&c->u.http.deadline);
}

static size_t throw_away(sio_conn *c, char *p, size_t n, size_t seen)
{
    (void)c, (void)p, (void)seen;
    return n;
}

static const sio_conn_protocol draining = { .take = throw_away };

void sio_conn_drain(sio_conn *c)
{
    if (c->dead)
        return;
    c->protocol = &draining;
    c->idle = false;
    sio_deadline_set(&c->net->clock, &c->net->close_fifo, &c->u.http.deadline);
    mark(c);
}

sio_about sio_conn_about(const sio_conn *c)
{
    sio_about about = { .ip = &c->ip };
    if (c->protocol->about != NULL && c->net->options->log != NULL)
        c->protocol->about(c, &about);
    return about;
}

static void on_timeout(void *owner, sio_deadline *d)
{
    (void)owner;
    sio_conn_end((sio_conn *)(void *)((char *)d - offsetof(sio_conn, u.http.deadline)), true);
}

/* A connection of a descriptor; NULL: no memory, or the loop does not take it. */
static sio_conn *new_conn(sio_net *net, const sio_conn_protocol *protocol, int fd)
{
    sio_conn *c = sio_alloc(&net->memory, sizeof *c);
    if (c == NULL)
        return NULL;
    c->watch.fd = fd;
    c->protocol = protocol;
    c->net = net;
    c->watch.used = net->used - CREDIT;
    if (!sio_reserve(&net->memory, &net->conns, net->n_conns, &net->cap_conns, sizeof c) ||
        sio_loop_watch(net->loop, &c->watch) < 0) {
        sio_free_mem(&net->memory, c);
        return NULL;
    }
    c->place = (uint32_t)net->n_conns;
    net->conns[net->n_conns++] = c;
    net->stats.connections = net->n_conns;
    return c;
}

/* Makes a connection of a descriptor whose address is counted. Without memory for it both are undone. */
static void open_conn(sio_listener *l, int fd, const sio_ip *ip)
{
    sio_net *net = l->net;
    sio_conn *c = new_conn(net, l->protocol, fd);
    if (c != NULL) {
        c->idle = true;
        c->ip = *ip;
        net->stats.accepted++;
        sio_deadline_set(&net->clock, &net->header_fifo, &c->u.http.deadline);
        return;
    }
    sio_log_of(net, (sio_about){ .ip = ip },
               "connection refused: there is no memory for it (give the server more)");
    count_address(net, ip, -1);
    sio_loop_refuse(net->loop, fd);
}

sio_conn *sio_conn_open(sio_net *net, const sio_conn_protocol *protocol, void *owner,
                        const sio_ip *ip, int port)
{
    int fd = sio_loop_connect(net->loop, ip, port);
    if (fd < 0)
        return NULL;
    sio_conn *c = new_conn(net, protocol, fd);
    if (c != NULL) {
        c->u.own.owner = owner;
        return c;
    }
    sio_loop_refuse(net->loop, fd);
    errno = ENOMEM;
    return NULL;
}

/* Accepts those who wait, as many as the listener's batch, and turns away who is one too many. */
static void on_acceptable(sio_listener *l)
{
    sio_net *net = l->net;
    int i = 0;
    for (; i < l->batch; i++) {
        int fd;
        sio_ip ip;
        int got = sio_loop_accept(net->loop, &l->watch, &fd, &ip);
        if (got < 0) {  // out of descriptors: asking again at once would spin
            sio_log(net, "accepting pauses: no descriptors or memory are left (raise the limit of "
                         "open files)");
            sio_loop_unwatch(net->loop, &l->watch);
            sio_deadline_set(&net->clock, &net->pause_fifo, &l->pause);
        }
        if (got <= 0)
            break;
        size_t most = net->options->max_connections;
        if ((most > 0 && net->n_conns >= most) || !count_address(net, &ip, +1)) {
            net->stats.refused++;
            sio_log_of(net, (sio_about){ .ip = &ip },
                       "connection refused: max_connections, or max_per_address of its address, is "
                       "reached (raise it, if these are clients you want)");
            sio_loop_refuse(net->loop, fd);
            continue;
        }
        open_conn(l, fd, &ip);
    }
    /* Asking once more than there are connections costs 1 % of each, so few are asked for unless
     * there were many. */
    l->batch = i < l->batch ? 1 : l->batch < ACCEPTS_PER_TURN ? l->batch * 2 : ACCEPTS_PER_TURN;
}

static void on_pause_over(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    sio_listener *l = (sio_listener *)(void *)((char *)d - offsetof(sio_listener, pause));
    if (sio_loop_watch(net->loop, &l->watch) < 0)
        sio_deadline_set(&net->clock, &net->pause_fifo, &l->pause);
}

/* ---- Output -------------------------------------------------------------------------------------- */

/* Sends what it can; never calls back. */
static void push(sio_conn *c)
{
    sio_net *net = c->net;
    while (c->out.n > 0 && !c->broken) {
        sio_span piece[MAX_PIECES];
        int count = 0;
        size_t size = 0;
        for (; count < MAX_PIECES; count++) {
            sio_ref r = sio_queue_at(&c->out, (size_t)count);
            if (r.n == 0)
                break;
            piece[count] = (sio_span){ r.buf->p + r.at, r.n };
            size += r.n;
        }
        ptrdiff_t sent = sio_loop_send(net->loop, &c->watch, piece, count);
        if (sent < 0) {
            c->broken = true;
            return;
        }
        net->stats.bytes_out += (uint64_t)sent;
        sio_queue_drop(&net->memory, &c->out, (size_t)sent);
        if ((size_t)sent < size)
            break;
    }
    if (sio_loop_want_write(net->loop, &c->watch, c->out.n > 0) < 0)
        c->broken = true;
    if (c->out.n > 0 && (c->idle || c->protocol == &draining))  // it goes on, however slowly
        sio_deadline_set(&net->clock, &net->close_fifo, &c->u.http.deadline);
    else if (c->idle && c->in == NULL)
        sio_deadline_set(&net->clock, &net->keep_alive_fifo, &c->u.http.deadline);
}

void sio_conn_queue(sio_conn *c, sio_ref piece)
{
    if (c->dead)
        return;
    size_t most = c->net->options->max_output;  // one piece alone may be longer
    mark(c);
    if (c->out.n + piece.n > most && !c->watch.want_write)
        push(c);  // the turn is long, and the client may well be reading
    bool over = c->out.n > 0 && c->out.n + piece.n > most && !c->protocol->own;
    if ((over || !sio_queue_add(&c->net->memory, &c->out, piece)) && !c->broken) {
        c->net->stats.overflows++;
        sio_log_of(
            c->net, sio_conn_about(c),
            "connection closed: more than max_output, %zu bytes, waits for its client to read "
            "(send less or with sio_volatile, or raise it)",
            most);
        c->broken = true;
    }
    if (c->out.n > EARLY_BYTES && !c->watch.want_write)
        push(c);
}

/* The turn's end for one connection. When all of the last words are sent, the client is told so, and
 * has a moment to hear it. */
static void flush_conn(sio_conn *c)
{
    sio_net *net = c->net;
    if (!c->watch.want_write)
        push(c);
    bool done = c->protocol == &draining && c->out.n == 0;
    if (c->broken || (c->out.n > 0 && !sio_queue_settle(&net->memory, &c->out))) {
        sio_conn_end(c, false);
    } else if (done && c->watch.no_read) {
        sio_conn_end(c, true);  // the client has ended its side already
    } else if (done) {
        sio_loop_shutdown(net->loop, &c->watch);
        sio_deadline_set(&net->clock, &net->linger_fifo, &c->u.http.deadline);
    }
}

void sio_net_flush(sio_net *net)
{
    while (net->dirty != NULL) {  // callbacks may append
        sio_conn *c = net->dirty;
        net->dirty = c->next;
        if (net->dirty == NULL)
            net->dirty_end = &net->dirty;
        if (c->dead) {
            c->next = net->dead;
            net->dead = c;
        } else {
            c->dirty = false;
            flush_conn(c);
        }
    }
}

/* ---- Input --------------------------------------------------------------------------------------- */

/* Handles what is complete in n bytes at p, of which seen were there before. Returns how much. */
static size_t consume(sio_conn *c, char *p, size_t n, size_t seen)
{
    size_t used = 0;
    while (used < n && !c->dead) {
        size_t k = c->protocol->take(c, p + used, n - used, used == 0 ? seen : 0);
        if (k == 0)
            break;
        used += k;
    }
    return c->dead ? n : used;
}

static void drop_input(sio_conn *c)
{
    if (c->in == NULL)
        return;
    size_t size = sizeof *c->in + c->in->cap;
    sio_hold(&c->net->memory, 0, size);
    sio_block_put(&c->net->memory, c->in, size);
    c->in = NULL;
}

/* Room for n bytes of something that will have whole bytes, or, whole 0, nobody knows how many. It
 * doubles, so that whoever sends byte by byte costs linear time; what is announced gets its room
 * when a quarter of it has come, so that who wants memory has to pay for it. */
size_t sio_conn_room(size_t n, size_t whole)
{
    size_t room = n < INPUT_BYTES / 2 ? INPUT_BYTES : n * 2;
    if (whole > n && (whole / 4 <= n || whole < room))
        return whole;
    return room;
}

/* Keeps n bytes at p, which may lie in c->in itself, with room for more. Bytes that stay where they
 * are cost nothing. stuck: nothing was completed. */
static void keep_input(sio_conn *c, const char *p, size_t n, bool stuck)
{
    if (n == 0 || c->protocol == &draining) {
        drop_input(c);
        return;
    }
    if (c->in != NULL && c->in->cap > n) {
        if (p != c->in->bytes)
            memmove(c->in->bytes, p, n);
        c->in->n = n, c->in->stuck = stuck;
        return;
    }
    size_t whole = c->protocol->want == NULL ? 0 : c->protocol->want(p, n);
    size_t size = sizeof(sio_input) + sio_conn_room(n, whole);
    sio_input *in = sio_block_get(&c->net->memory, &size);
    if (in == NULL) {
        sio_conn_end(c, false);
        return;
    }
    sio_hold(&c->net->memory, size, 0);
    in->n = n, in->cap = size - sizeof *in, in->stuck = stuck;
    memcpy(in->bytes, p, n);
    drop_input(c);
    c->in = in;
}

/* The client has ended its side, or broke the connection. Answers that are on their way to one that
 * only ended its side still go there. */
static void on_input_end(sio_conn *c, bool clean)
{
    if (!clean || c->out.n == 0 || (!c->idle && c->protocol != &draining)) {
        sio_conn_end(c, clean);
        return;
    }
    sio_conn_drain(c);
    if (sio_loop_stop_reading(c->net->loop, &c->watch) < 0)
        sio_conn_end(c, false);
}

/* How much more than the others who is watched was given. Who was idle has credit, but not without
 * limit. A listener is always the first. */
static int32_t lead(const sio_net *net, const sio_watched *w)
{
    if (w->kind == SIO_WATCHED_LISTENER)
        return INT32_MIN;
    int32_t units = (int32_t)(w->used - net->used);
    return units < -CREDIT ? -CREDIT : units;
}

static void charge(sio_net *net, sio_watched *w, size_t bytes)
{
    int32_t units = lead(net, w);
    if (units > 0)
        net->used += (uint32_t)units, units = 0;
    w->used = net->used + (uint32_t)units + (uint32_t)(bytes / UNIT_BYTES) + 1;
}

/* One read: right behind what is incomplete where that is long (3 in the drawing), else into the shared
 * buffer, behind a copy of what was kept. */
static void on_readable(sio_conn *c)
{
    sio_net *net = c->net;
    char *p = net->input;
    size_t have = 0, room = net->share;
    if (c->in != NULL && c->in->stuck && c->in->n > SHORT_BYTES) {
        p = c->in->bytes, have = c->in->n;
        if (room > c->in->cap - have)
            room = c->in->cap - have;
    } else if (c->in != NULL) {
        have = c->in->n;
        if (room > READ_BYTES - have)
            room = READ_BYTES - have;
        memcpy(p, c->in->bytes, have);
    }
    ptrdiff_t got = sio_loop_read(net->loop, &c->watch, p + have, room);
    if (got == -1)
        return;
    if (got <= 0) {
        drop_input(c);
        on_input_end(c, got == 0);
        return;
    }
    net->stats.bytes_in += (uint64_t)got;
    charge(net, &c->watch, (size_t)got);
    size_t n = have + (size_t)got, used = consume(c, p, n, have);
    keep_input(c, p + used, n - used, used == 0);
}

static void on_spare_end(void *owner, sio_deadline *d)
{
    sio_net *net = owner;
    (void)d;
    sio_block_trim(&net->memory);
}

/* ---- What they hold ------------------------------------------------------------------------------ */

/* The input that it keeps, the output that waits, and what its protocol has. */
static size_t held_by(const sio_conn *c)
{
    size_t held = c->in == NULL ? 0 : sizeof *c->in + c->in->cap;
    held += sio_queue_held(&c->out);
    return held + (c->protocol->held == NULL ? 0 : c->protocol->held(c));
}

/* What our own connections hold, where that matters: each bounds it itself. */
static size_t held_by_us(const sio_net *net)
{
    size_t held = 0;
    if (net->held <= net->options->max_memory)
        return 0;
    for (size_t i = 0; i < net->n_conns; i++)
        held += net->conns[i]->protocol->own ? held_by(net->conns[i]) : 0;
    return held;
}

/* A sio_holder's: breaks those who hold least or more, and finds the most that the others hold. */
static size_t weigh(sio_holder *h, size_t least, size_t *excess)
{
    sio_net *net = (sio_net *)(void *)((char *)h - offsetof(sio_net, holder));
    size_t most = 0;
    for (size_t i = 0; i < net->n_conns; i++) {
        sio_conn *c = net->conns[i];
        size_t held = c->broken || c->protocol->own ? 0 : held_by(c);
        if (held >= least && *excess > 0) {
            *excess -= held < *excess ? held : *excess;
            net->stats.overflows++;
            sio_log_of(
                net, sio_conn_about(c),
                "connection closed: max_memory is reached, and it holds %zu bytes of it (raise "
                "it, or have max_payload and max_output smaller)",
                held);
            sio_conn_break(c);
        } else if (held > most) {
            most = held;
        }
    }
    return most;
}

/* ---- The net ------------------------------------------------------------------------------------- */

int sio_net_init(sio_net *net)
{
    const sio_options *o = net->options;
    sio_clock *clock = &net->clock;
    net->loop = sio_loop_new(&net->memory);
    net->input = sio_resize(&net->memory, NULL, READ_BYTES);
    net->out.memory = net->arena.memory = clock->memory = net->addresses.memory = &net->memory;
    net->dirty_end = &net->dirty;
    net->lines = sio_text_new(&net->memory);
    sio_fifo_init(clock, &net->header_fifo, o->header_timeout_ms, on_timeout, net);
    sio_fifo_init(clock, &net->request_fifo, o->request_timeout_ms, on_timeout, net);
    sio_fifo_init(clock, &net->keep_alive_fifo, o->keep_alive_ms, on_timeout, net);
    sio_fifo_init(clock, &net->close_fifo, o->close_timeout_ms, on_timeout, net);
    sio_fifo_init(clock, &net->linger_fifo, LINGER_MS, on_timeout, net);
    sio_fifo_init(clock, &net->pause_fifo, PAUSE_MS, on_pause_over, net);
    sio_log_init(net);
    sio_limits_init(net);
    net->holder.weigh = weigh;
    sio_holder_add(net, &net->holder);
    sio_fifo_init(clock, &net->spare_fifo, SPARE_MS, on_spare_end, net);
    net->memory.spare = &net->spare;
    net->memory.held = &net->held;
    if (net->loop == NULL || net->input == NULL)
        return -1;
    if (sio_loop_random(net->loop, net->memory.secret, sizeof net->memory.secret) < 0)
        return -1;
    clock->now = sio_loop_now(net->loop);
    return 0;
}

int sio_net_listen(sio_net *net, const sio_conn_protocol *protocol, const char *host, int port)
{
    sio_listener *l = sio_resize(&net->memory, NULL, sizeof *l);
    if (l == NULL)
        return -1;
    *l = (sio_listener){ .net = net, .protocol = protocol, .batch = 1 };
    int got = sio_loop_listen(net->loop, &l->watch, host, port);
    if (got < 0) {
        sio_free_mem(&net->memory, l);
        return -1;
    }
    l->next = net->listeners;
    net->listeners = l;
    return got;
}

void sio_net_stop_listening(sio_net *net)
{
    while (net->listeners != NULL) {
        sio_listener *l = net->listeners;
        net->listeners = l->next;
        sio_deadline_clear(&l->pause);
        sio_loop_close(net->loop, &l->watch);
        sio_free_mem(&net->memory, l);
    }
}

/* Those first who were given least. */
static void sort(const sio_net *net, sio_ready *ready, int n)
{
    for (int i = 1; i < n; i++) {
        sio_ready r = ready[i];
        int k = i;
        for (; k > 0 && lead(net, ready[k - 1].watch) > lead(net, r.watch); k--)
            ready[k] = ready[k - 1];
        ready[k] = r;
    }
}

/* What the loop says of one descriptor: a listener's, or a connection's. */
static void on_ready(sio_net *net, const sio_ready *r)
{
    sio_watched *w = r->watch;
    if (w->fd < 0)
        return;  // closed by a callback of this turn
    if (w->kind == SIO_WATCHED_LISTENER) {
        on_acceptable((sio_listener *)(void *)w);
        return;
    }
    if (w->kind == SIO_WATCHED_CALL) {
        sio_called *called = (sio_called *)(void *)w;
        charge(net, w, net->share);  // what the call takes is not known: as much as a whole read
        called->ready(called, r->readable, r->writable);
        return;
    }
    sio_conn *c = (sio_conn *)(void *)w;
    if (r->writable) {
        c->broken |= sio_loop_want_write(net->loop, w, false) < 0;
        mark(c);
    }
    if (r->readable)
        on_readable(c);
}

/* Serves those who are ready until the turn's time is over. False: some are left. */
static bool serve(sio_net *net, const sio_ready *ready, int n)
{
    uint64_t checked = net->stats.bytes_in;
    for (int i = 0; i < n; i++) {
        on_ready(net, &ready[i]);
        checked -= SMALL_WORK;
        if (!net->crowded && net->stats.bytes_in - checked < CHECK_BYTES)
            continue;
        checked = net->stats.bytes_in;
        if (sio_loop_now(net->loop) - net->clock.now >= TURN_MS)
            return i + 1 == n;
    }
    return true;
}

/* The turn's clock stands still in a callback, and between turns: a timer that counted from it would
 * be early. Whole milliseconds are rounded up for the same reason. */
bool sio_timer_after(sio_net *net, sio_timer *t, int64_t ms)
{
    int64_t passed = ms > 0 ? sio_loop_now_up(net->loop) - net->clock.now : 0;
    return sio_timer_set(&net->clock, t, ms + passed);
}

int sio_net_poll(sio_net *net, int64_t timeout_ms)
{
    sio_ready ready[READY_PER_TURN];
    int n = sio_loop_wait(net->loop, timeout_ms, ready, READY_PER_TURN);
    if (n < 0)
        return -1;
    net->clock.now = sio_loop_now(net->loop);
    net->share = n <= TURN_BYTES / READ_BYTES ? READ_BYTES : TURN_BYTES / (size_t)n;
    if (net->share < LEAST_BYTES)
        net->share = LEAST_BYTES;
    if (net->crowded)
        sort(net, ready, n);
    net->crowded = !serve(net, ready, n);
    sio_clock_expire(&net->clock, net);
    return 0;
}

void sio_net_bury(sio_net *net)
{
    while (net->dead != NULL) {
        sio_conn *c = net->dead;
        net->dead = c->next;
        sio_queue_clear(&net->memory, &c->out);
        drop_input(c);
        sio_free_mem(&net->memory, c);
    }
    if (net->spare.n > 0 && net->spare_end.next == NULL)
        sio_deadline_set(&net->clock, &net->spare_fifo, &net->spare_end);
    sio_net_relieve(net, held_by_us(net));
    sio_net_watch_weight(net);
}

void sio_net_abort_all(sio_net *net)
{
    while (net->n_conns > 0)
        sio_conn_end(net->conns[net->n_conns - 1], false);
}

void sio_net_close_idle(sio_net *net)
{
    for (size_t i = 0; i < net->n_conns; i++) {
        sio_conn *c = net->conns[i];
        if (c->protocol->own)
            c->protocol->end(c, true);  // its owner has it no more
        if (c->protocol->own || c->idle)
            sio_conn_drain(c);
    }
}

void sio_net_free(sio_net *net)
{
    const sio_memory *m = &net->memory;
    sio_net_stop_listening(net);
    net->holders = NULL;  // those above are gone
    sio_net_bury(net);
    sio_out_free(&net->out);
    sio_text_free(&net->lines);
    sio_block_trim(m);
    sio_arena_free(&net->arena);
    sio_limits_free(net);
    sio_table_free(&net->addresses);
    sio_clock_free(&net->clock);
    sio_free_mem(m, net->conns);
    sio_free_mem(m, net->input);
    if (net->loop != NULL)
        sio_loop_free(net->loop);
}

/* ---- For the layers above ------------------------------------------------------------------------ */

size_t sio_conn_pending(const sio_conn *c)
{
    return c->out.n;
}

sio_net *sio_conn_net(const sio_conn *c)
{
    return c->net;
}
