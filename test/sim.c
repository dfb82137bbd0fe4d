/* sim.c - net_loop.c's functions over clients that a test plays, and what it plays them with
 * SPDX-License-Identifier: MIT
 *
 *     client --sent--> [ read by the server, as cut ]        sim_send, sim_finish, sim_abort
 *     client <--got--- [ as long as there is room   ]        sim_room, sim_text, sim_take
 *
 * Both sides of a connection keep all their bytes, so that in the end the whole conversation can be
 * checked. Descriptors are the smallest free numbers, as the kernel's, so that one is soon used
 * again. */
#include "sim.h"

#include <errno.h>
#include <stdarg.h>

enum {
    LISTENER_FD = 1000000,
    MAX_LISTENERS = 4,
    MAX_FILES = 8,
    MAX_POSTED = 64,
    MAX_IDLE_TURNS = 1000,  // in which something is ready and nothing happens
    HEADER = 16             // of an allocation: its size
};

typedef struct bytes {
    char *p;  // ends with NUL
    size_t n, cap;
} bytes;

struct sim_client {
    int fd;
    bool accepted, shut, closed;  // by the server
    bool own;                     // the server has opened it
    bool fin, left, reset;        // by the client
    bool lost;                    // output was thrown away: the client had left
    bool limited;                 // there was not always room
    bool active;
    sio_ip ip;
    sio_watched *watch;
    bytes sent, got;
    size_t read_at, heard_at;  // of sent, by the server; of got, by the test
    size_t room;
    size_t checked;  // answers that sim_answered took
};

static struct {
    struct listener {
        sio_watched *watch;
        bool watched;
    } listener[MAX_LISTENERS];
    int n_listeners;
    sim_client **client;  // by descriptor; NULL: free
    size_t n_clients, cap_clients, lowest_free;
    sim_client **active, **waiting;  // may be ready; not accepted yet
    size_t n_active, cap_active, n_waiting, cap_waiting;
    sim_client **dialed;  // that the server has opened, and the test did not take yet
    size_t n_dialed, cap_dialed;
    sim_client **buried;  // connections whose descriptor may be used again
    size_t n_buried, cap_buried;
    char **scratch;
    size_t n_scratch, cap_scratch;
    struct file {
        const char *name, *p;
        size_t n;
        int64_t changed;
    } file[MAX_FILES];
    size_t n_files, n_open_clients;
    unsigned idle_turns;
    int64_t put_back;  // milliseconds, of the clock on the wall
    bool acted, woken;
    sio_posted posted[MAX_POSTED];
    size_t n_posted;
    sim_peer peers[26];
} world;

sim_world sim;

/* ---- Claims --------------------------------------------------------------------------------- */

static void abort_saying(const char *text)
{
    fprintf(stderr, "not so: %s\n", text);
    abort();
}

void (*sim_fail)(const char *text) = abort_saying;

void sim_must(bool holds, const char *format, ...)
{
    char text[512];
    if (holds)
        return;
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    sim_fail(text);
}

/* ---- Memory and randomness ------------------------------------------------------------------ */

/* The tests' own: it never fails, and is not the server's. */
static void *grown(void *p, size_t n, size_t *cap, size_t size)
{
    if (n < *cap)
        return p;
    while (*cap <= n)
        *cap = *cap == 0 ? 64 : *cap * 2;
    p = realloc(p, *cap * size);
    if (p == NULL)
        abort();
    return p;
}

static void append(bytes *b, const void *p, size_t n)
{
    b->p = grown(b->p, b->n + n, &b->cap, 1);
    if (n > 0)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

/* A text that lives until sim_free; p NULL: room for one. */
static char *keep(const char *p, size_t n)
{
    char *text = calloc(n + 1, 1);
    if (text == NULL)
        abort();
    if (p != NULL && n > 0)
        memcpy(text, p, n);
    world.scratch = grown(world.scratch, world.n_scratch, &world.cap_scratch, sizeof text);
    world.scratch[world.n_scratch++] = text;
    return text;
}

const char *sim_json(sio_value v)
{
    size_t n;
    if (v == NULL)
        return "(none)";
    const char *p = sio_json(v, &n);
    return keep(p, n);
}

uint64_t sim_random(void)
{
    uint64_t z = sim.seed += 0x9e3779b97f4a7c15u;  // splitmix64
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Whether the call of that number fails, where number fail is to. */
static bool hits(unsigned long number, unsigned long fail)
{
    return fail > 0 && number >= fail && number - fail <= sim.fail_more;
}

/* The server's memory moves whenever it changes its size: stale pointers are found. */
static void *memory(void *user, void *p, size_t size)
{
    char *old = p == NULL ? NULL : (char *)p - HEADER, *fresh = NULL;
    size_t old_size = 0;
    (void)user;
    if (old != NULL)
        memcpy(&old_size, old, sizeof old_size);
    if (size > 0) {
        if (hits(++sim.allocs, sim.fail_alloc))
            return NULL;
        fresh = malloc(HEADER + size);
        if (fresh == NULL)
            return NULL;
        memcpy(fresh, &size, sizeof size);
        if (old != NULL)
            memcpy(fresh + HEADER, p, old_size < size ? old_size : size);
        sim.live++;
        sim.bytes += size;
    }
    if (old != NULL) {
        sim.live--;
        sim.bytes -= old_size;
        free(old);
    }
    return fresh == NULL ? NULL : fresh + HEADER;
}

static void note_line(void *user, const char *line)
{
    (void)user;
    sim.logged++;
    snprintf(sim.log, sizeof sim.log, "%s", line);
    if (sim.on_line != NULL)
        sim.on_line(line);
}

/* Whether this system call is the one that fails, in that way. */
static bool fails(const char *name, int how)
{
    if (how != sim.fail_how || (sim.fail_only != NULL && strcmp(name, sim.fail_only) != 0))
        return false;
    if (!hits(++sim.calls, sim.fail_call))
        return false;
    errno = EMFILE;
    return true;
}

/* ---- The loop ------------------------------------------------------------------------------- */

struct sio_loop {
    const sio_memory *memory;
};

sio_loop *sio_loop_new(const sio_memory *m)
{
    sio_loop *loop = fails("new", SIM_ERROR) ? NULL : sio_alloc(m, sizeof *loop);
    if (loop != NULL)
        loop->memory = m;
    return loop;
}

void sio_loop_free(sio_loop *loop)
{
    sio_free_mem(loop->memory, loop);
}

int sio_loop_fd(const sio_loop *loop)
{
    (void)loop;
    return -1;
}

static void activate(sim_client *c)
{
    if (c->active)
        return;
    c->active = true;
    world.active = grown(world.active, world.n_active, &world.cap_active, sizeof c);
    world.active[world.n_active++] = c;
}

static bool is_readable(const sim_client *c)
{
    if (c->watch->no_read)
        return c->reset;
    return c->read_at < c->sent.n || c->fin || c->reset;
}

static bool is_writable(const sim_client *c)
{
    return c->watch->want_write && (c->room > 0 || c->left || c->reset);
}

/* Whether the server has to do with a client now. Keeps it active only then. */
static bool is_ready(sim_client *c)
{
    return c->watch != NULL && (is_readable(c) || is_writable(c));
}

static bool anybody_ready(void)
{
    for (int i = 0; i < world.n_listeners; i++)
        if (world.listener[i].watched && world.n_waiting > 0)
            return true;
    for (size_t i = 0; i < world.n_active; i++)
        if (is_ready(world.active[i]))
            return true;
    return world.woken;
}

static int collect(sio_ready *ready, int max)
{
    int n = 0;
    for (int i = 0; i < world.n_listeners && n < max; i++)
        if (world.listener[i].watched && world.n_waiting > 0)
            ready[n++] = (sio_ready){ world.listener[i].watch, true, false };
    size_t kept = 0;
    for (size_t i = 0; i < world.n_active; i++) {
        sim_client *c = world.active[i];
        if (!is_ready(c)) {
            c->active = false;
            continue;
        }
        world.active[kept++] = c;
        if (n < max)
            ready[n++] = (sio_ready){ c->watch, is_readable(c), is_writable(c) };
    }
    world.n_active = kept;
    return n;
}

int sio_loop_wait(sio_loop *loop, int64_t timeout_ms, sio_ready *ready, int max)
{
    (void)loop;
    sim.turns++;
    if (fails("wait", SIM_ERROR))
        return -1;
    if (fails("wait", SIM_NOT_NOW))  // a signal came
        return 0;
    int n = collect(ready, max);
    if (n > 1 && fails("wait", SIM_PART))
        n = 1;
    if (n > 0 || world.woken) {
        world.idle_turns = world.acted ? 0 : world.idle_turns + 1;
        sim_must(world.idle_turns < MAX_IDLE_TURNS, "the server spins");
        world.acted = world.woken;
        world.woken = false;
        return n;
    }
    sim_must(timeout_ms >= 0, "a server with nothing to do waits for ever");
    sim.now += timeout_ms;
    return 0;
}

void sio_loop_wake(sio_loop *loop)
{
    (void)loop;
    world.woken = true;
}

int sio_loop_post(sio_loop *loop, const sio_posted *call)
{
    (void)loop;
    if (world.n_posted == MAX_POSTED)
        return sio_fail(EAGAIN);
    world.posted[world.n_posted++] = *call;
    world.woken = true;
    return 0;
}

bool sio_loop_posted(sio_loop *loop, sio_posted *call)
{
    (void)loop;
    if (world.n_posted == 0)
        return false;
    *call = world.posted[0];
    memmove(world.posted, world.posted + 1, --world.n_posted * sizeof *call);
    world.woken |= world.n_posted > 0;
    return true;
}

int64_t sio_loop_now(sio_loop *loop)
{
    (void)loop;
    if (fails("now", SIM_JUMP))
        sim.now += 3600000;
    return sim.now;
}

int64_t sio_loop_now_up(sio_loop *loop)
{
    return sio_loop_now(loop);
}

int64_t sio_loop_wall(sio_loop *loop)
{
    (void)loop;
    if (fails("wall", SIM_JUMP))
        world.put_back += 86400000;
    const int64_t begin = 784111777000;  // Sun, 06 Nov 1994 08:49:37 GMT, as in RFC 9110
    return begin + sim.now - world.put_back;
}

int sio_loop_random(sio_loop *loop, void *p, size_t n)
{
    unsigned char *out = p;
    (void)loop;
    world.acted = true;
    if (fails("random", SIM_ERROR))
        return -1;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)sim_random();
    return 0;
}

/* ---- Connections, as the server sees them --------------------------------------------------- */

int sio_loop_listen(sio_loop *loop, sio_watched *w, const char *host, int port)
{
    (void)loop, (void)host;
    if (fails("listen", SIM_ERROR) || world.n_listeners == MAX_LISTENERS)
        return -1;
    int i = world.n_listeners++;
    *w = (sio_watched){ .fd = LISTENER_FD + i, .kind = SIO_WATCHED_LISTENER };
    world.listener[i] = (struct listener){ w, true };
    return port == 0 ? 3000 + i : port;
}

static sim_client *client_of(const sio_watched *w)
{
    bool known = w->fd >= 0 && (size_t)w->fd < world.n_clients && world.client[w->fd] != NULL;
    sim_must(known, "a call for descriptor %d, which is closed", w->fd);
    return known ? world.client[w->fd] : NULL;
}

static sim_client *new_client(void)
{
    sim_client *c = calloc(1, sizeof *c);
    if (c == NULL)
        abort();
    c->fd = -1;
    c->room = SIZE_MAX;
    append(&c->sent, "", 0);
    append(&c->got, "", 0);
    world.buried = grown(world.buried, world.n_buried, &world.cap_buried, sizeof c);
    world.buried[world.n_buried++] = c;
    return c;
}

static int take_descriptor(sim_client *c)
{
    size_t i = world.lowest_free;
    while (i < world.n_clients && world.client[i] != NULL)
        i++;
    if (i == world.n_clients) {
        world.client = grown(world.client, i, &world.cap_clients, sizeof c);
        world.n_clients++;
    }
    world.client[i] = c;
    world.lowest_free = i + 1;
    sim.open++;
    return (int)i;
}

static void free_descriptor(sim_client *c)
{
    size_t i = (size_t)c->fd;
    world.client[i] = NULL;
    if (i < world.lowest_free)
        world.lowest_free = i;
    sim.open--;
    c->fd = -1;
    c->watch = NULL;
    c->closed = c->shut = true;
}

int sio_loop_accept(sio_loop *loop, sio_watched *listener, int *fd, sio_ip *ip)
{
    (void)loop;
    sim_must(listener->fd >= LISTENER_FD, "accept at a listener that is closed");
    world.acted |= world.n_waiting > 0;
    if (world.n_waiting == 0 || fails("accept", SIM_NOT_NOW))
        return 0;
    if (fails("accept", SIM_ERROR) || (sim.max_open > 0 && sim.open >= sim.max_open)) {
        errno = EMFILE;
        return -1;
    }
    sim_client *c = world.waiting[0];
    memmove(world.waiting, world.waiting + 1, --world.n_waiting * sizeof c);
    c->accepted = true;
    *fd = c->fd = take_descriptor(c);
    *ip = c->ip;
    return 1;
}

int sio_loop_resolve(sio_loop *loop, const char *host, sio_ip *out, int max)
{
    (void)loop, (void)max;
    if (fails("resolve", SIM_ERROR) || strcmp(host, "nowhere") == 0)
        return sio_fail(EADDRNOTAVAIL);
    if (!sio_ip_parse(host, out))
        sio_ip_parse("10.0.0.1", out);
    return 1;
}

int sio_loop_connect(sio_loop *loop, const sio_ip *ip, int port)
{
    (void)loop, (void)port;
    if (fails("connect", SIM_ERROR) || (sim.max_open > 0 && sim.open >= sim.max_open))
        return -1;
    sim_client *c = new_client();
    c->own = c->accepted = true;
    c->ip = *ip;
    c->reset = sim.away;
    c->fd = take_descriptor(c);
    world.dialed = grown(world.dialed, world.n_dialed, &world.cap_dialed, sizeof c);
    world.dialed[world.n_dialed++] = c;
    return c->fd;
}

int sio_loop_watch(sio_loop *loop, sio_watched *w)
{
    (void)loop;
    world.acted = true;
    if (fails("watch", SIM_ERROR) || w->kind == SIO_WATCHED_CALL)  // there are none of others here
        return sio_fail(EPERM);
    if (w->kind == SIO_WATCHED_LISTENER) {
        world.listener[w->fd - LISTENER_FD].watched = true;
        return 0;
    }
    sim_client *c = client_of(w);
    sim_must(c->watch == NULL, "a descriptor is watched twice");
    c->watch = w;
    activate(c);
    return 0;
}

void sio_loop_unwatch(sio_loop *loop, sio_watched *w)
{
    (void)loop;
    if (w->kind == SIO_WATCHED_LISTENER)
        world.listener[w->fd - LISTENER_FD].watched = false;
    else
        client_of(w)->watch = NULL;
    world.acted = true;
}

int sio_loop_want_write(sio_loop *loop, sio_watched *w, bool on)
{
    (void)loop;
    if (w->fd < 0 || w->want_write == on)
        return 0;
    if (fails("want_write", SIM_ERROR))
        return -1;
    w->want_write = on;
    activate(client_of(w));
    return 0;
}

int sio_loop_stop_reading(sio_loop *loop, sio_watched *w)
{
    (void)loop;
    if (fails("stop_reading", SIM_ERROR))
        return -1;
    w->no_read = true;
    world.acted = true;
    return 0;
}

ptrdiff_t sio_loop_read(sio_loop *loop, sio_watched *w, void *p, size_t n)
{
    sim_client *c = client_of(w);
    (void)loop;
    sim_must(!w->no_read || c->reset, "a connection is read that was to be read no more");
    world.acted = true;
    if (fails("read", SIM_ERROR) || c->reset)
        return -2;
    if (fails("read", SIM_NOT_NOW))
        return -1;
    size_t k = c->sent.n - c->read_at;
    if (k == 0)
        return c->fin ? 0 : -1;
    if (k > n)
        k = n;
    if (k > 1 && fails("read", SIM_PART))
        k = 1;
    else if (sim.cut == SIM_RANDOM && k > 1)
        k = 1 + (size_t)(sim_random() % k);
    else if (sim.cut > 0 && k > sim.cut)
        k = sim.cut;
    memcpy(p, c->sent.p + c->read_at, k);
    c->read_at += k;
    return (ptrdiff_t)k;
}

ptrdiff_t sio_loop_send(sio_loop *loop, sio_watched *w, const sio_span *piece, int count)
{
    sim_client *c = client_of(w);
    size_t sent = 0;
    (void)loop;
    sim_must(!c->shut, "bytes are sent behind the end of the output");
    sim_must(count > 0 && count <= 64, "%d pieces are sent at once", count);
    world.acted = true;
    if (fails("send", SIM_ERROR) || c->reset || c->lost) {
        c->lost = true;
        return -2;
    }
    if (fails("send", SIM_NOT_NOW))
        return 0;
    size_t least = fails("send", SIM_PART) ? 1 : SIZE_MAX;
    c->lost |= c->left;  // the first bytes for one who has left find nobody, the next an error
    for (int i = 0; i < count && sent < least && (c->room > 0 || c->left); i++) {
        size_t k = c->left || piece[i].n < c->room ? piece[i].n : c->room;
        if (k > least)
            k = least;
        if (!c->left)
            append(&c->got, piece[i].p, k);
        if (!c->left && c->room != SIZE_MAX)
            c->room -= k;
        sent += k;
        if (k < piece[i].n)
            break;
    }
    return (ptrdiff_t)sent;
}

void sio_loop_shutdown(sio_loop *loop, sio_watched *w)
{
    (void)loop;
    client_of(w)->shut = true;
    world.acted = true;
}

void sio_loop_close(sio_loop *loop, sio_watched *w)
{
    (void)loop;
    if (w->fd < 0)
        return;
    world.acted = true;
    if (w->kind == SIO_WATCHED_LISTENER)
        world.listener[w->fd - LISTENER_FD].watched = false;
    else
        free_descriptor(client_of(w));
    w->fd = -1;
}

void sio_loop_refuse(sio_loop *loop, int fd)
{
    sio_watched w = { .fd = fd };
    (void)loop;
    free_descriptor(client_of(&w));
}

void sio_loop_give_back(sio_loop *loop)
{
    (void)loop;
    sim.given_back++;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static const struct file *find_file(const char *name)
{
    for (size_t i = world.n_files; i-- > 0;)
        if (strcmp(world.file[i].name, name) == 0)
            return &world.file[i];
    errno = ENOENT;
    return NULL;
}

int sio_loop_file(sio_loop *loop, const char *name, size_t *size, int64_t *changed)
{
    const struct file *f = fails("file", SIM_ERROR) ? NULL : find_file(name);
    (void)loop;
    world.acted = true;
    if (f == NULL || f->p == NULL)
        return -1;
    *size = f->n;
    *changed = f->changed;
    return 0;
}

int sio_loop_file_read(sio_loop *loop, const char *name, void *p, size_t n)
{
    const struct file *f = fails("file_read", SIM_ERROR) ? NULL : find_file(name);
    (void)loop;
    world.acted = true;
    if (f == NULL || f->n < n)
        return -1;
    memcpy(p, f->p, n);
    return 0;
}

void sim_file(const char *name, const void *p, size_t n, int64_t changed)
{
    sim_must(world.n_files < MAX_FILES, "too many files");
    world.file[world.n_files++] = (struct file){ name, p, n, changed };
}

#include "check.h"

/* ---- The world's beginning and end ---------------------------------------------------------- */

static void free_client(sim_client *c)
{
    free(c->sent.p);
    free(c->got.p);
    free(c);
}

void sim_reset(void)
{
    sim = (sim_world){ .now = 1000000, .seed = 1 };
    memset(&world, 0, sizeof world);
}

sio_server *sim_begin(const sio_options *options)
{
    sio_options o = { .path = NULL };
    if (options != NULL)
        o = *options;
    o.memory = memory;
    o.log = note_line;
    sio_server *io = sio_new(&o);
    if (io != NULL && sio_listen(io, "127.0.0.1", 3000) < 0) {
        sio_free(io);
        return NULL;
    }
    return io;
}

sio_server *sim_new(const sio_options *options)
{
    sim_reset();
    sio_server *io = sim_begin(options);
    sim_must(io != NULL, "a server could not begin");
    return io;
}

/* The turn is over: all holds. Where there is much, it is looked at less often. */
static void look(sio_server *io)
{
    const sio_stats *s = sio_get_stats(io);
    uint64_t things = s->connections + s->sessions + s->sockets + s->rooms;
    if (sim.unchecked || sim.turns % (1 + things / 8) != 0)
        return;
    const char *wrong = sim_check(io);
    sim_must(wrong == NULL, "this does not hold: %s", wrong);
}

int sim_run_ms(sio_server *io, int64_t ms)
{
    int64_t until = sim.now + ms;
    int result;
    do {
        result = sio_turn(io, until > sim.now ? (int)(until - sim.now) : 0);
        look(io);
    } while (result > 0 && (sim.now < until || anybody_ready() || sio_wait_ms(io) == 0));
    return result;
}

/* ---- Clients, as bytes ---------------------------------------------------------------------- */

sim_client *sim_connect_from(const char *address)
{
    sim_client *c = new_client();
    sim_must(sio_ip_parse(address, &c->ip), "no address");
    world.waiting = grown(world.waiting, world.n_waiting, &world.cap_waiting, sizeof c);
    world.waiting[world.n_waiting++] = c;
    return c;
}

sim_client *sim_dialed(void)
{
    if (world.n_dialed == 0)
        return NULL;
    sim_client *c = world.dialed[0];
    memmove(world.dialed, world.dialed + 1, --world.n_dialed * sizeof c);
    return c;
}

sim_client *sim_connect(void)
{
    return sim_connect_from("127.0.0.1");
}

void sim_send(sim_client *c, const void *p, size_t n)
{
    if (c->left || c->fin || c->reset)
        return;
    append(&c->sent, p, n);
    activate(c);
}

void sim_sendf(sim_client *c, const char *format, ...)
{
    char text[8192];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    sim_must(n >= 0 && n < (int)sizeof text, "too long for sim_sendf");
    sim_send(c, text, (size_t)n);
}

void sim_finish(sim_client *c)
{
    c->fin = true;
    activate(c);
}

void sim_close(sim_client *c)
{
    c->fin = c->left = true;
    activate(c);
}

void sim_abort(sim_client *c)
{
    c->reset = c->left = true;
    activate(c);
}

void sim_room(sim_client *c, size_t room)
{
    c->room = room;
    c->limited |= room != SIZE_MAX;
    activate(c);
}

bool sim_ended(const sim_client *c)
{
    return c->shut;
}

bool sim_closed(const sim_client *c)
{
    return c->closed;
}

const char *sim_text(const sim_client *c, size_t *n)
{
    if (n != NULL)
        *n = c->got.n - c->heard_at;
    return c->got.p + c->heard_at;
}

void sim_take(sim_client *c, size_t n)
{
    sim_must(n <= c->got.n - c->heard_at, "a test takes what is not there");
    c->heard_at += n;
}

/* ---- What every conversation must be -------------------------------------------------------- */

/* Walks the requests that a client sent. */
typedef struct requests {
    const char *p, *end;
    bool upgraded;
} requests;

/* Skips a chunked body; what is malformed ends the walk. */
static void skip_chunks(requests *r)
{
    sio_http_chunks chunks = { .left = 0 };
    sio_span data;
    while (r->p < r->end && !sio_http_chunks_done(&chunks)) {
        ptrdiff_t used = sio_http_chunk(&chunks, r->p, (size_t)(r->end - r->p), &data);
        r->p = used < 0 ? r->end : r->p + used;
    }
}

/* The next request whose head is complete, or that is malformed. */
static bool next_request(requests *r, bool *head_only)
{
    sio_http_head head;
    int used = r->p == r->end ? 0 : sio_http_parse(r->p, (size_t)(r->end - r->p), &head);
    *head_only = false;
    if (used == 0 && r->end - r->p > 10000)
        used = -431;
    if (used == 0)
        return false;
    if (used < 0) {
        r->p = r->end;
        return true;
    }
    *head_only = sio_span_is(head.method, "HEAD");
    r->p += used;
    if (head.chunked)
        skip_chunks(r);
    else
        r->p += head.length < (size_t)(r->end - r->p) ? head.length : (size_t)(r->end - r->p);
    return true;
}

static size_t length_in(const char *head, const char *end)
{
    for (const char *p = head; p < end; p = strchr(p, '\n') + 1)
        if (strncmp(p, "Content-Length: ", 16) == 0)
            return strtoul(p + 16, NULL, 10);
    return 0;
}

/* Bytes of the answer at p; 0: it is not whole. *status 0: it is none. */
static size_t answer_size(const char *p, size_t n, bool head_only, int *status, size_t *head_n)
{
    const char *end = n < 12 ? NULL : strstr(p, "\r\n\r\n");
    *status = 0;
    if (end == NULL)
        return 0;
    *head_n = (size_t)(end + 4 - p);
    if (strncmp(p, "HTTP/1.1 ", 9) == 0)
        *status = atoi(p + 9);
    size_t body = head_only || *status == 304 || *status < 200 ? 0 : length_in(p, end + 2);
    return n - *head_n < body ? 0 : *head_n + body;
}

/* Whether what a client got may end anywhere. */
static bool may_be_cut(const sim_client *c)
{
    return c->lost || c->limited || c->left || c->reset || sim.fail_call > 0;
}

/* Frames from the server: RFC 6455, 5.1 and 5.5, and none behind a close frame. */
static void check_frames(const sim_client *c, const char *p, const char *end)
{
    bool over = false;
    while (p < end) {
        const unsigned char *u = (const unsigned char *)p;
        size_t n = (size_t)(end - p);
        size_t ext = n < 2 ? 0 : u[1] == 126 ? 2 : u[1] == 127 ? 8 : 0;
        sim_must(!over, "a frame behind a close frame");
        sim_must((u[0] & 0x70) == 0 && (u[0] & 0x80) != 0, "a frame begins with %02x", u[0]);
        if (n < 2 + ext)
            break;
        unsigned char op;
        size_t size, header = sio_ws_own_header(p, &op, &size);
        sim_must((u[1] & 0x80) == 0, "a frame from the server is masked");
        sim_must(op < 8 || size <= 125, "a control frame of %zu bytes", size);
        sim_must(ext == (size < 126 ? 0u : size < 65536 ? 2u : 8u), "a length is not the shortest");
        if (n - header < size)
            break;
        if (op == SIO_WS_TEXT)
            sim_must(sio_utf8_prefix(p + header, size) == size, "a text is not UTF-8");
        over = op == SIO_WS_CLOSE;
        p += header + size;
    }
    sim_must(p == end || may_be_cut(c), "the last frame is not whole");
}

/* The whole conversation: one answer to a request, in order, each of them whole. */
static void check_conversation(const sim_client *c)
{
    requests r = { c->sent.p, c->sent.p + c->sent.n, false };
    const char *p = c->got.p, *end = p + c->got.n;
    while (p < end) {
        bool head_only;
        int status = 100;
        size_t head_n = 0;
        sim_must(next_request(&r, &head_only), "an answer to no request: %.60s", p);
        while (status == 100) {
            size_t n = answer_size(p, (size_t)(end - p), head_only, &status, &head_n);
            if (n == 0) {
                sim_must(p == end || may_be_cut(c), "an answer is not whole: %.60s", p);
                return;
            }
            sim_must(status >= 100 && status < 600, "no answer: %.60s", p);
            p += n;
        }
        if (status == 101) {
            check_frames(c, p, end);
            return;
        }
    }
}

static void check_client(const sim_client *c)
{
    if (!c->own)
        check_conversation(c);
    sim_must(c->fd < 0, "a descriptor is still open");
}

void sim_forget(sim_client *c)
{
    sim_must(c->closed && c->left, "a connection is not over");
    check_client(c);
    for (size_t i = 0; i < world.n_active; i++)
        if (world.active[i] == c)
            world.active[i] = world.active[--world.n_active];
    for (size_t i = world.n_buried; i-- > 0;) {
        if (world.buried[i] != c)
            continue;
        world.buried[i] = world.buried[--world.n_buried];
        break;
    }
    free_client(c);
}

void sim_sweep(void)
{
    while (world.n_scratch > 0)
        free(world.scratch[--world.n_scratch]);
}

void sim_free(sio_server *io)
{
    if (io != NULL)
        sio_free(io);
    for (size_t i = 0; i < world.n_buried; i++) {
        check_client(world.buried[i]);
        free_client(world.buried[i]);
    }
    sim_must(sim.live == 0 && sim.bytes == 0, "%zu allocations are not freed", sim.live);
    sim_must(sim.open == 0, "%zu descriptors are not closed", sim.open);
    sim_sweep();
    free(world.scratch);
    free(world.buried);
    free(world.waiting);
    free(world.dialed);
    free(world.active);
    free(world.client);
    memset(&world, 0, sizeof world);
}

/* ---- Clients, as HTTP ----------------------------------------------------------------------- */

void sim_request(sim_client *c, const char *method, const char *target, const char *fields,
                 const char *body)
{
    char length[40] = "";
    if (body != NULL)
        snprintf(length, sizeof length, "Content-Length: %zu\r\n", strlen(body));
    bytes b = { .n = 0 };
    const char *parts[] = { method, " ",    target, " HTTP/1.1\r\nHost: x\r\n",
                            fields, length, "\r\n", body };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i] != NULL)
            append(&b, parts[i], strlen(parts[i]));
    sim_send(c, b.p, b.n);
    free(b.p);
}

sim_answer sim_answered(sim_client *c, bool head_only)
{
    sim_answer a = { .head = "", .body = "" };
    size_t n, head_n = 0;
    const char *p = sim_text(c, &n);
    int status;
    size_t size = answer_size(p, n, head_only, &status, &head_n);
    if (size == 0)
        return a;
    a.status = status;
    a.head = keep(p, head_n);
    a.n = size - head_n;
    a.body = keep(p + head_n, a.n);
    sim_take(c, size);
    return a;
}

sim_answer sim_http(sio_server *io, const char *method, const char *target, const char *fields,
                    const char *body)
{
    sim_client *c = sim_connect();
    sim_request(c, method, target, fields, body);
    sim_run_ms(io, 0);
    sim_answer a = sim_answered(c, strcmp(method, "HEAD") == 0);
    sim_close(c);
    sim_run_ms(io, 0);
    return a;
}

const char *sim_field(sim_answer a, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = strchr(a.head, '\n'); p != NULL && p[1] != '\0'; p = strchr(p + 1, '\n')) {
        sio_span found = { p + 1, n };
        if (sio_span_is_nocase(found, name) && strncmp(p + 1 + n, ": ", 2) == 0)
            return keep(p + n + 3, strcspn(p + n + 3, "\r\n"));
    }
    return "";
}

/* ---- Clients, as WebSocket ------------------------------------------------------------------ */

sim_client *sim_ws_open(sio_server *io, const char *target, const char *fields)
{
    sim_client *c = sim_connect();
    bytes b = { .n = 0 };
    append(&b, SIM_UPGRADE, strlen(SIM_UPGRADE));
    if (fields != NULL)
        append(&b, fields, strlen(fields));
    sim_request(c, "GET", target, b.p, NULL);
    free(b.p);
    sim_run_ms(io, 0);
    return sim_answered(c, false).status == 101 ? c : NULL;
}

void sim_ws_frame(sim_client *c, unsigned first, const void *p, size_t n)
{
    unsigned char header[14] = { (unsigned char)first };
    uint64_t random = sim_random();
    size_t size = n < 126 ? 2 : n < 65536 ? 4 : 10;
    header[1] = (unsigned char)(0x80 | (size == 2 ? n : size == 4 ? 126 : 127));
    for (size_t i = 2; i < size; i++)
        header[i] = (unsigned char)(n >> 8 * (size - 1 - i));
    memcpy(header + size, &random, 4);
    unsigned char *payload = (unsigned char *)exact(p, n);
    for (size_t i = 0; i < n; i++)
        payload[i] ^= header[size + i % 4];
    sim_send(c, header, size + 4);
    sim_send(c, payload, n);
    free(payload);
}

void sim_ws_say(sim_client *c, const char *text)
{
    sim_ws_frame(c, 0x80 | SIO_WS_TEXT, text, strlen(text));
}

static const char *hex_text(const char *p, size_t n)
{
    bytes b = { .n = 0 };
    append(&b, "<", 1);
    for (size_t i = 0; i < n; i++) {
        char two[3];
        snprintf(two, sizeof two, "%02x", (unsigned char)p[i]);
        append(&b, two, 2);
    }
    append(&b, ">", 1);
    char *text = keep(b.p, b.n);
    free(b.p);
    return text;
}

static const char *frame_text(unsigned op, const char *p, size_t n)
{
    char text[160];
    if (op == SIO_WS_TEXT)
        return keep(p, n);
    if (op == SIO_WS_BINARY)
        return hex_text(p, n);
    if (op == SIO_WS_CLOSE && n >= 2)
        snprintf(text, sizeof text, "CLOSE(%d%s%.*s)",
                 (unsigned char)p[0] << 8 | (unsigned char)p[1], n > 2 ? " " : "", (int)(n - 2),
                 p + 2);
    else
        snprintf(text, sizeof text, "%s(%.*s)",
                 op == SIO_WS_CLOSE  ? "CLOSE"
                 : op == SIO_WS_PING ? "PING"
                                     : "PONG",
                 (int)n, p);
    return keep(text, strlen(text));
}

const char *sim_ws_hear(sim_client *c)
{
    size_t n, size;
    const char *p = sim_text(c, &n);
    unsigned char op;
    if (n >= 2) {
        size_t ext = (unsigned char)p[1] == 126 ? 2 : (unsigned char)p[1] == 127 ? 8 : 0;
        size_t header = n < 2 + ext ? SIZE_MAX : sio_ws_own_header(p, &op, &size);
        if (header != SIZE_MAX && n - header >= size) {
            sim_take(c, header + size);
            return frame_text(op, p + header, size);
        }
    }
    return sim_ended(c) ? "END" : "";
}

/* ---- Clients, as Socket.IO ------------------------------------------------------------------ */

static void copy_member(char *out, size_t size, const char *json, const char *name)
{
    const char *p = strstr(json, name);
    if (p == NULL)
        return;
    p += strlen(name);
    snprintf(out, size, "%.*s", (int)strcspn(p, "\""), p);
}

/* Notes the ids that a packet tells. */
static void learn(sim_peer *p, const char *packet)
{
    size_t n = strlen(packet);
    if (packet[0] == '0')
        copy_member(p->sid, sizeof p->sid, packet, "{\"sid\":\"");
    if (strncmp(packet, "40", 2) == 0) {
        copy_member(p->id, sizeof p->id, packet, "{\"sid\":\"");
        copy_member(p->pid, sizeof p->pid, packet, "\"pid\":\"");
    }
    if ((strncmp(packet, "42", 2) != 0 && strncmp(packet, "45", 2) != 0) || n < 5 ||
        strcmp(packet + n - 2, "\"]") != 0)
        return;
    size_t i = n - 2;
    while (i > 0 && packet[i - 1] >= '0' && packet[i - 1] <= '9')
        i--;
    if (packet[i - 1] == '"' && n - 2 - i < sizeof p->offset)
        snprintf(p->offset, sizeof p->offset, "%.*s", (int)(n - 2 - i), packet + i);
}

static const char *target_of(const sim_peer *p, int transport, const char *query)
{
    char text[256];
    snprintf(text, sizeof text, "/socket.io/?EIO=%d&transport=%s%s%s%s", p->v3 ? 3 : 4,
             transport == SIM_WS ? "websocket" : "polling", p->sid[0] != '\0' ? "&sid=" : "",
             p->sid, query == NULL ? "" : query);
    return keep(text, strlen(text));
}

/* A connection that is kept alive, or a new one. */
static sim_client *fresh(sim_client *c)
{
    return c == NULL || c->shut ? sim_connect() : c;
}

static void push(sim_peer *p, const char *packets)
{
    bytes b = { .n = 0 };
    if (p->queue != NULL && *p->queue != '\0') {
        append(&b, p->queue, strlen(p->queue));
        append(&b, "\x1e", 1);
    }
    append(&b, packets, strlen(packets));
    p->queue = keep(b.p, b.n);
    free(b.p);
}

void sim_open(sio_server *io, sim_peer *p, int transport, const char *query)
{
    *p = (sim_peer){ .io = io, .v3 = query != NULL && query[0] == '3' };
    if (p->v3)
        query = NULL;
    if (transport == SIM_WS) {
        p->ws = sim_ws_open(io, target_of(p, SIM_WS, query), NULL);
        sim_must(p->ws != NULL, "no WebSocket");
        learn(p, sim_ws_hear(p->ws));
        return;
    }
    p->get = sim_connect();
    sim_request(p->get, "GET", target_of(p, SIM_POLL, query), NULL, NULL);
    sim_run_ms(io, 0);
    sim_answer a = sim_answered(p->get, false);
    p->status = a.status;
    learn(p, a.body);
}

static void post(sim_peer *p, const char *text)
{
    p->post = fresh(p->post);
    sim_request(p->post, "POST", target_of(p, SIM_POLL, NULL), NULL, text);
    sim_run_ms(p->io, 0);
    p->status = sim_answered(p->post, false).status;
}

void sim_say(sim_peer *p, const char *text)
{
    char *copy = keep(text, strlen(text));
    if (p->ws == NULL) {
        for (char *at = copy; (at = strchr(at, '|')) != NULL;)
            *at = '\x1e';
        post(p, copy);
        return;
    }
    for (char *at = copy, *bar; at != NULL; at = bar) {
        bar = strchr(at, '|');
        if (bar != NULL)
            *bar++ = '\0';
        sim_ws_say(p->ws, at);
    }
    sim_run_ms(p->io, 0);
}

void sim_say_bytes(sim_peer *p, const void *data, size_t n)
{
    if (p->ws != NULL) {
        sim_ws_frame(p->ws, 0x80 | SIO_WS_BINARY, data, n);
        sim_run_ms(p->io, 0);
        return;
    }
    char *text = keep(NULL, sio_base64_size(n) + 1);
    text[0] = 'b';
    sio_base64_encode(data, n, text + 1);
    post(p, text);
}

/* The first packet of the queue; NULL: it is empty. */
static const char *pop(sim_peer *p)
{
    if (p->queue == NULL || *p->queue == '\0')
        return NULL;
    size_t n = strcspn(p->queue, "\x1e");
    const char *packet = keep(p->queue, n);
    p->queue += n + (p->queue[n] != '\0');
    if (packet[0] != 'b')
        return packet;
    char *raw = keep(NULL, n);
    ptrdiff_t size = sio_base64_decode(packet + 1, n - 1, raw);
    return size < 0 ? packet : hex_text(raw, (size_t)size);
}

static const char *closing(sim_peer *p)
{
    const char *text = p->over ? "END" : "CLOSE()";
    p->over = true;
    return text;
}

static const char *hear_poll(sim_peer *p)
{
    for (;;) {
        const char *packet = pop(p);
        if (packet != NULL && strcmp(packet, "6") == 0)
            continue;
        if (packet != NULL)
            return strcmp(packet, "1") == 0 ? closing(p) : packet;
        if (!p->waiting) {
            p->get = fresh(p->get);
            sim_request(p->get, "GET", target_of(p, SIM_POLL, NULL), NULL, NULL);
            p->waiting = true;
        }
        sim_run_ms(p->io, 0);
        sim_answer a = sim_answered(p->get, false);
        if (a.status == 0)
            return sim_ended(p->get) ? closing(p) : "";
        p->waiting = false;
        p->status = a.status;
        if (a.status != 200)
            return closing(p);
        push(p, a.body);
    }
}

const char *sim_hear(sim_peer *p)
{
    const char *packet = p->ws != NULL ? sim_ws_hear(p->ws) : hear_poll(p);
    learn(p, packet);
    return packet;
}

const char *sim_hear_all(sim_peer *p)
{
    bytes b = { .n = 0 };
    append(&b, "", 0);
    for (const char *packet; *(packet = sim_hear(p)) != '\0' && strcmp(packet, "END") != 0;) {
        if (b.n > 0)
            append(&b, "|", 1);
        append(&b, packet, strlen(packet));
    }
    char *text = keep(b.p, b.n);
    free(b.p);
    return text;
}

bool sim_like(const char *pattern, const char *text)
{
    while (*pattern != '*') {
        if (*pattern != *text)
            return false;
        if (*pattern == '\0')
            return true;
        pattern++, text++;
    }
    while (*pattern == '*')
        pattern++;
    if (*pattern == '\0')
        return true;
    for (; *text != '\0'; text++)
        if (*text == *pattern && sim_like(pattern, text))
            return true;
    return false;
}

/* ---- Scripts -------------------------------------------------------------------------------- */

const char *(*sim_reason)(void);

sim_peer *sim_peer_of(char name)
{
    return &world.peers[name - 'A'];
}

/* The text of a line, with its quotes and ids put in. */
static const char *expanded(const char *text)
{
    bytes b = { .n = 0 };
    append(&b, "", 0);
    for (const char *p = text; *p != '\0'; p++) {
        char c = (char)(*p == '\'' ? '"' : *p == '`' ? '\'' : *p);
        bool letter = p[0] == '$' && p[1] != '\0' && strchr("pos", p[1]) != NULL;
        char name = p[0] == '$' ? p[1 + letter] : '\0';
        if (name < 'A' || name > 'Z') {
            append(&b, &c, 1);
            continue;
        }
        const sim_peer *peer = sim_peer_of(name);
        const char *id = !letter       ? peer->id
                         : p[1] == 'p' ? peer->pid
                         : p[1] == 'o' ? peer->offset
                                       : peer->sid;
        append(&b, id, strlen(id));
        p += 1 + letter;
    }
    char *result = keep(b.p, b.n);
    free(b.p);
    return result;
}

bool sim_hears(sim_peer *p, const char *pattern)
{
    sim_run_ms(p->io, 0);
    return sim_like(expanded(pattern), sim_hear_all(p));
}

static void say_hex(sim_peer *p, const char *hex)
{
    char raw[512];
    size_t n = 0;
    unsigned byte;
    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        raw[n++] = (char)byte;
    sim_say_bytes(p, raw, n);
}

static void leave(sim_peer *p, char how)
{
    sim_client *all[] = { p->ws, p->get, p->post };
    for (size_t i = 0; i < 3; i++) {
        if (all[i] == NULL)
            continue;
        if (how == '~')
            sim_finish(all[i]);
        else if (how == '/')
            sim_close(all[i]);
        else
            sim_abort(all[i]);
    }
    sim_run_ms(p->io, 0);
}

static void open_peer(sio_server *io, sim_peer *p, const char *how)
{
    const char *query = strpbrk(how, "&3");
    if (strncmp(how, "up ", 3) == 0) {
        const char *target = target_of(sim_peer_of(how[3]), SIM_WS, query);
        *p = (sim_peer){ .io = io, .ws = sim_ws_open(io, target, NULL) };
        return;
    }
    sim_open(io, p, strncmp(how, "ws", 2) == 0 ? SIM_WS : SIM_POLL, query);
}

/* Does what a line says. Returns what was to be heard, or NULL; *got is what was. */
static const char *play_line(sio_server *io, const char *line, const char **got)
{
    sim_peer *p = sim_peer_of('A');
    if (line[0] >= 'A' && line[0] <= 'Z')
        p = sim_peer_of(*line++);
    const char *text = expanded(line[0] != '\0' && line[1] == ' ' ? line + 2 : line + 1);
    *got = NULL;
    switch (line[0]) {
    case ' ':
        open_peer(io, p, text);
        return NULL;
    case '+':
        sim_run_ms(io, atoi(text));
        return NULL;
    case '>':
        sim_say(p, text);
        return NULL;
    case '#':
        say_hex(p, text);
        return NULL;
    case '~':
    case '/':
    case '^':
        leave(p, line[0]);
        return NULL;
    case '?':
        *got = sim_reason == NULL ? "" : keep(sim_reason(), strlen(sim_reason()));
        return text;
    default:
        *got = sim_hear(p);
        return line[0] == '<' ? text : line[0] == '!' ? "END" : "";
    }
}

static void end_peers(sio_server *io)
{
    for (size_t i = 0; i < 26; i++) {
        sim_peer *p = &world.peers[i];
        if (p->io != NULL)
            leave(p, '/');
        *p = (sim_peer){ .io = NULL };
    }
    sim_run_ms(io, 0);
}

static bool play_lines(sio_server *io, const char *rule, const char *script)
{
    for (const char *line = script; *line != '\0';) {
        size_t n = strcspn(line, "\n");
        const char *got, *wanted = play_line(io, keep(line, n), &got);
        if (wanted != NULL && !sim_like(wanted, got)) {
            fprintf(stderr, "%s\n    %.*s\n    got: %.300s\n", rule, (int)n, line, got);
            return false;
        }
        line += n + (line[n] == '\n');
    }
    return true;
}

bool sim_play(sio_server *io, const char *rule, const char *script)
{
    end_peers(io);
    return play_lines(io, rule, script);
}

bool sim_play_over(sio_server *io, int transport, const char *rule, const char *script)
{
    end_peers(io);
    sim_open(io, sim_peer_of('A'), transport, NULL);
    return play_lines(io, rule, script);
}
