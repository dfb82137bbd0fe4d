/* sio_server.c - the server: options, turns, stopping
 * SPDX-License-Identifier: MIT
 *
 *     a turn:   wait -> read, and run handlers -> run what is due -> send what was queued -> free
 *
 *     RUNNING --sio_shutdown, next turn--> STOPPING --all are gone, or stop_timeout_ms--> stopped
 *
 * What lives in a turn is a part: each endpoint of Engine.IO, plain WebSockets, and what else the
 * application calls for. This file knows Socket.IO's alone.
 *
 * Sending can end connections, whose handlers may queue again: so it is repeated until nothing is
 * left to send. Freeing comes last, when no function up the stack can look at the dead any more.
 *
 * Stopping: listeners close, every session is told (D03), and turns go on until polling clients have
 * fetched what is queued for them and the last connection is gone.
 *
 * What holds here:
 *  - No turn, and no sio_free, begins inside of another, or of a callback.
 *  - When a turn ends, nothing is queued that could leave, and the dead are freed.
 *  - io->stop alone is written by signal handlers and other threads. */
#include "sio_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    STOP_TICK_MS = 20,
    MAX_PING_MS = INT_MAX / 2  // clients wait for interval and timeout together, in 31 bits
};

/* ---- Options ------------------------------------------------------------------------------------- */

static void complete_int(int *option, int value)
{
    if (*option <= 0)
        *option = value;
}

static void limit_int(int *option, int most)
{
    if (*option > most)
        *option = most;
}

static void complete_size(size_t *option, size_t value)
{
    if (*option == 0)
        *option = value;
    if (*option > SIO_NO_LIMIT)
        *option = SIO_NO_LIMIT;
}

/* Defaults for what is 0: the reference's, where it has the option. */
static void complete_options(sio_options *o)
{
    if (o->path == NULL)
        o->path = "/socket.io";
    complete_int(&o->ping_interval_ms, 25000);
    complete_int(&o->ping_timeout_ms, 20000);
    limit_int(&o->ping_interval_ms, MAX_PING_MS);
    limit_int(&o->ping_timeout_ms, MAX_PING_MS);
    complete_int(&o->upgrade_timeout_ms, 10000);
    complete_int(&o->transports, SIO_POLLING | SIO_WEBSOCKET);
    complete_int(&o->connect_timeout_ms, 45000);
    complete_size(&o->max_payload, 1000000);
    complete_size(&o->max_packet,
                  o->max_payload > SIO_NO_LIMIT / 11 ? SIO_NO_LIMIT : 11 * o->max_payload);
    complete_size(&o->max_head, 16384);
    complete_size(&o->max_output, 16u << 20);
    complete_size(&o->max_attachments, 10);        // B08
    complete_size(&o->max_depth, SIO_JSON_DEPTH);  // S33
    complete_size(&o->max_namespaces, 100);
    complete_size(&o->max_dynamic_namespaces, 10000);
    complete_size(&o->max_rooms, 10000);
    complete_size(&o->max_sessions, 100000);
    complete_size(&o->max_sessions_per_address, 25000);
    complete_size(&o->max_memory, 512u << 20);
    complete_int(&o->header_timeout_ms, 60000);
    complete_int(&o->request_timeout_ms, 300000);
    complete_int(&o->keep_alive_ms, 5000);
    complete_int(&o->return_timeout_ms, 10000);
    complete_int(&o->close_timeout_ms, 30000);
    complete_int(&o->stop_timeout_ms, 500);
}

int sio_options_copy(const sio_memory *m, sio_options *to, const sio_options *from, char **block)
{
    const char **strings[] = { &to->path,         &to->cookie,       &to->cors,   &to->cors_methods,
                               &to->cors_headers, &to->cors_exposed, &to->origins };
    const size_t count = sizeof strings / sizeof *strings;
    size_t size = 0;
    if (from != NULL)
        *to = *from;  // else it is zeroed
    complete_options(to);
    *block = NULL;
    if (to->path[0] != '/')
        return sio_fail(EINVAL);
    for (size_t i = 0; i < count; i++)
        size += *strings[i] == NULL ? 0 : strlen(*strings[i]) + 1;
    char *p = *block = sio_resize(m, NULL, size);
    if (p == NULL)
        return sio_fail(ENOMEM);
    for (size_t i = 0; i < count; i++) {
        if (*strings[i] == NULL)
            continue;
        size_t n = strlen(*strings[i]) + 1;
        *strings[i] = memcpy(p, *strings[i], n);
        p += n;
    }
    return 0;
}

/* ---- Parts --------------------------------------------------------------------------------------- */

void sio_part_add(sio_server *io, sio_part *p)
{
    sio_part **end = &io->parts;
    while (*end != NULL)
        end = &(*end)->next;
    *end = p;
    p->next = NULL;
}

static sio_eio *eio_of(sio_part *p)
{
    return &((sio_eio_part *)(void *)p)->eio;
}

static void flush_eio(sio_part *p)
{
    sio_eio_flush(eio_of(p));
}

static bool eio_is_dirty(const sio_part *p)
{
    return ((const sio_eio_part *)(const void *)p)->eio.dirty != NULL;
}

static void bury_eio(sio_part *p)
{
    sio_eio_bury(eio_of(p));
}

static void stop_eio(sio_part *p, const char *reason)
{
    sio_eio_stop(eio_of(p), reason);
}

static size_t eio_left(const sio_part *p)
{
    return ((const sio_eio_part *)(const void *)p)->eio.sessions.count;
}

static void close_eio(sio_part *p, const char *reason)
{
    sio_eio_close_all(eio_of(p), reason);
}

void sio_eio_part_free(sio_part *p)
{
    sio_eio_free(eio_of(p));
}

int sio_eio_part_add(sio_server *io, sio_eio_part *p, const sio_options *options,
                     const sio_eio_events *events, void *owner)
{
    if (sio_eio_init(&p->eio, &io->net, options, events, owner) < 0)
        return -1;
    p->part = (sio_part){ .flush = flush_eio,
                          .dirty = eio_is_dirty,
                          .bury = bury_eio,
                          .stop = stop_eio,
                          .left = eio_left,
                          .close = close_eio,
                          .free = sio_eio_part_free };
    sio_part_add(io, &p->part);
    sio_eio_mount(&p->eio);
    return 0;
}

/* ---- The server's life --------------------------------------------------------------------------- */

static void *default_memory(void *user, void *p, size_t size)
{
    (void)user;
    if (size > 0)
        return realloc(p, size);
    free(p);
    return NULL;
}

sio_server *sio_new(const sio_options *options)
{
    sio_memory memory = { .resize = default_memory };
    if (options != NULL && options->memory != NULL)
        memory.resize = options->memory, memory.user = options->user;
    sio_server *io = sio_alloc(&memory, sizeof *io);
    if (io == NULL)
        return NULL;
    sio_options *o = &io->options;
    sio_clock *clock = &io->net.clock;
    const sio_memory *m = &io->net.memory;
    io->net.memory = memory;
    io->net.options = o;
    io->net.libc_memory = memory.resize == default_memory;
    io->net.depth = 1;
    io->namespaces.memory = io->handles.memory = io->timers.memory = io->awaited.memory = m;
    if (sio_options_copy(m, o, options, &io->strings) < 0 || sio_net_init(&io->net) < 0) {
        int error = errno;
        sio_free(io);
        errno = error;
        return NULL;
    }
    sio_fifo_init(clock, &io->connect_fifo, o->connect_timeout_ms, sio_connect_expired, io);
    sio_fifo_init(clock, &io->partial_fifo, o->request_timeout_ms, sio_partial_expired, io);
    if (sio_eio_part_add(io, &io->engine, o, &sio_client_events, io) < 0 ||
        sio_of(io, "/") == NULL) {
        sio_free(io);
        return NULL;
    }
    return io;
}

int sio_listen(sio_server *io, const char *host, int port)
{
    if (io == NULL || io->stop)
        return sio_fail(EINVAL);
    return sio_net_listen(&io->net, &sio_requests, host, port);
}

/* Hands out the lines of the log. */
static void tell(sio_server *io)
{
    sio_textbuf lines = io->net.lines;
    io->net.lines = sio_text_new(&io->net.memory);
    sio_scope_enter(&io->net);
    for (size_t at = 0; at < lines.sink.n; at += strlen(lines.sink.p + at) + 1)
        io->options.log(io->options.user, lines.sink.p + at);
    sio_scope_leave(&io->net);
    sio_text_free(&lines);
}

static bool is_dirty(const sio_server *io)
{
    for (const sio_part *p = io->parts; p != NULL; p = p->next)
        if (p->dirty != NULL && p->dirty(p))
            return true;
    return io->net.lines.sink.n > 0 || io->net.dirty != NULL || io->dead_sockets != NULL;
}

/* Releases the data of those that left, and sends what is queued, until there is nothing more to do;
 * then frees the dead. */
static void end_turn(sio_server *io)
{
    sio_net *net = &io->net;
    do {
        sio_sockets_bury(io);
        for (sio_part *p = io->parts; p != NULL; p = p->next)
            if (p->flush != NULL)
                p->flush(p);
        sio_net_flush(net);
        if (net->lines.sink.n > 0)
            tell(io);
    } while (is_dirty(io));
    sio_clients_bury(io);
    for (sio_part *p = io->parts; p != NULL; p = p->next)
        if (p->bury != NULL)
            p->bury(p);
    sio_tasks_bury(io);
    sio_net_bury(net);
    sio_out_turn(&net->out);
    sio_scope_end(net);
}

/* Whether one of the application's functions runs that the library called. */
static bool in_callback(const sio_server *io)
{
    return io->turning || io->net.depth > 1;
}

/* D03; in_order: those who must still fetch something stay until they have. */
static void close_all(sio_server *io, bool in_order)
{
    sio_net_stop_listening(&io->net);
    io->net.stopping = true;
    for (sio_part *p = io->parts; p != NULL; p = p->next) {
        void (*end)(sio_part *, const char *) = in_order ? p->stop : p->close;
        if (end != NULL)
            end(p, "server shutting down");
    }
}

void sio_free(sio_server *io)
{
    if (io == NULL)
        return;
    sio_memory m = io->net.memory;
    if (in_callback(io)) {  // the stack is full of pointers into it
        sio_shutdown(io);
        return;
    }
    io->turning = true;
    io->net.depth = 0;
    io->freeing = true;
    if (io->parts != NULL) {  // handlers run here, and may do anything; below none does
        close_all(io, false);
        end_turn(io);
        sio_net_abort_all(&io->net);
        end_turn(io);
        sio_tasks_free(io);
    }
    sio_mounts_free(&io->net);
    while (io->parts != NULL) {
        sio_part *p = io->parts;
        io->parts = p->next;
        if (p->free != NULL)
            p->free(p);
    }
    sio_node *node;
    size_t from = 0;
    while ((node = sio_table_any(&io->namespaces, &from)) != NULL) {
        sio_table_remove(&io->namespaces, node);
        sio_namespace_free((sio_namespace *)node);
    }
    while (io->families != NULL) {
        sio_namespace *f = io->families;
        io->families = f->next;
        sio_namespace_free(f);
    }
    sio_table_free(&io->namespaces);
    sio_table_free(&io->awaited);
    sio_handles_free(&io->handles);
    sio_handles_free(&io->timers);
    sio_net_free(&io->net);
    sio_free_mem(&m, io->strings);
    sio_free_mem(&m, io);
}

/* Says goodbye to everybody, or sees whether they are gone. 0: stopped; 1: not yet. What is queued
 * for a polling client waits for its next GET, which comes over a connection that is idle now. */
static int go_on_stopping(sio_server *io)
{
    int64_t now = sio_loop_now(io->net.loop);
    if (io->stop_by == 0) {
        io->net.clock.now = now;
        io->stop_by = now + io->options.stop_timeout_ms;
        close_all(io, true);
        end_turn(io);
    }
    size_t left = 0;
    for (const sio_part *p = io->parts; p != NULL; p = p->next)
        left += p->left == NULL ? 0 : p->left(p);
    if (left == 0)
        sio_net_close_idle(&io->net);
    if (now >= io->stop_by)
        sio_net_abort_all(&io->net);
    end_turn(io);
    if (io->net.n_conns > 0)
        return 1;
    close_all(io, false);  // nobody can come for what waits
    end_turn(io);
    return 0;
}

/* Milliseconds from the turn's clock until the next deadline; -1: none. A server that stops looks often
 * whether everybody is gone. */
static int64_t wait_of(const sio_server *io)
{
    int64_t wait = sio_clock_wait(&io->net.clock);
    return io->stop && (wait < 0 || wait > STOP_TICK_MS) ? STOP_TICK_MS : wait;
}

static int turn(sio_server *io, int timeout_ms)
{
    if (is_dirty(io))  // queued between turns
        end_turn(io);
    io->net.clock.now = sio_loop_now(io->net.loop);
    if (io->stop && go_on_stopping(io) == 0)
        return 0;
    int64_t wait = wait_of(io);
    if (timeout_ms >= 0 && (wait < 0 || wait > timeout_ms))
        wait = timeout_ms;
    int polled = sio_net_poll(&io->net, wait);
    sio_run_posted(io);
    end_turn(io);
    return polled < 0 ? -1 : 1;
}

int sio_turn(sio_server *io, int timeout_ms)
{
    if (io == NULL)
        return sio_fail(EINVAL);
    if (in_callback(io))
        return sio_fail(EDEADLK);
    io->turning = true;
    io->net.depth = 0;
    int result = turn(io, timeout_ms);
    io->turning = false;
    io->net.depth = 1;
    return result;
}

int sio_run(sio_server *io)
{
    int result;
    do
        result = sio_turn(io, -1);
    while (result > 0);
    return result;
}

int sio_fd(const sio_server *io)
{
    return sio_loop_fd(io->net.loop);
}

int sio_wait_ms(const sio_server *io)
{
    int64_t wait = is_dirty(io) ? 0 : wait_of(io);
    if (wait > 0) {
        int64_t passed = sio_loop_now(io->net.loop) - io->net.clock.now;  // since the last turn
        wait = wait > passed ? wait - passed : 0;
    }
    return wait > 1000000 ? 1000000 : (int)wait;
}

void sio_shutdown(sio_server *io)
{
    io->stop = 1;
    sio_loop_wake(io->net.loop);
}

void *sio_user(const sio_server *io)
{
    return io->options.user;
}

const sio_stats *sio_get_stats(const sio_server *io)
{
    return &io->net.stats;
}
