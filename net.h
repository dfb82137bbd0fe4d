/* net.h - memory, the outside, and connections
 * SPDX-License-Identifier: MIT */
#ifndef SIO_NET_H
#define SIO_NET_H

#include "codec.h"
#include "sio.h"

#include <stdarg.h>

/* ---- net_base.c: hash tables, keyed with a secret -------------------------------------------------- */

/* A member of a table, part of what it stores; key must live as long as it is in there. */
typedef struct sio_node {
    struct sio_node *next;
    const char *key;
    uint32_t n, hash;
} sio_node;

typedef struct sio_memory sio_memory;

typedef struct sio_table {
    sio_node **slot;
    size_t slots, count;  // slots is 0 or a power of two
    bool plain;           // keys are the application's alone: a cheap hash will do
    const sio_memory *memory;
} sio_table;

sio_node *sio_table_find(const sio_table *t, const char *key, size_t n);
/* Adds a node whose key and n are set, and which is not in there yet. False: no memory. */
bool sio_table_add(sio_table *t, sio_node *node);
void sio_table_remove(sio_table *t, sio_node *node);
void sio_table_free(sio_table *t);  // the slots, not the nodes
/* The first node, or the one behind node; NULL at the end. Not while the table changes. */
sio_node *sio_table_next(const sio_table *t, const sio_node *node);

/* A node from slot *from on, and its slot; NULL: none. For emptying a table in linear time: begin with
 * *from == 0, and remove what you get. */
sio_node *sio_table_any(const sio_table *t, size_t *from);

/* Numbered places for things that outlive their pointers: a handle is never used twice. */
typedef struct sio_handles {
    uintptr_t *place;      // a pointer; or, odd: twice the index + 1 of the next free place, plus 1
    uint32_t *generation;  // how often the place was given away
    uint32_t slots, used;  // used: ever given away
    uint32_t first_free;   // index + 1; 0: none
    const sio_memory *memory;
} sio_handles;

uint64_t sio_handle_new(sio_handles *h, void *p);  // 0: no memory
/* The handle that the slot has now. */
uint64_t sio_handle_at(const sio_handles *h, uint32_t slot);
void *sio_handle_get(const sio_handles *h, uint64_t handle);  // NULL: gone
void sio_handle_free(sio_handles *h, uint64_t handle);
void sio_handles_free(sio_handles *h);

/* ---- net_base.c: memory, and callbacks --------------------------------------------------------- */

/* Long blocks that were freed a moment ago: messages of a megabyte come one behind the other, and
 * getting that memory from the system anew each time costs more than everything else about them. */
typedef struct sio_spare {
    size_t n;      // blocks
    size_t bytes;  // of all of them
    struct {
        void *p;
        size_t size;
    } block[16];
} sio_spare;

/* The one allocator of a server, and the secret of its tables. */
struct sio_memory {
    void *(*resize)(void *user, void *p, size_t size);
    void *user;
    uint64_t secret[2];
    sio_spare *spare;  // of the net; NULL: none are kept
    size_t *held;      // of the net: bytes that are on their way in or out; NULL: nobody counts
};

/* Counts memory that was got for what is on its way, or given back. Buffers of the output count
 * themselves. */
static inline void sio_hold(const sio_memory *m, size_t got, size_t given_back)
{
    if (m->held != NULL)
        *m->held += got - given_back;
}

void *sio_alloc(const sio_memory *m, size_t size);            // zeroed
void *sio_resize(const sio_memory *m, void *p, size_t size);  // as realloc
void sio_free_mem(const sio_memory *m, const void *p);

/* A block of at least *size bytes; *size becomes what it has. NULL: no memory. */
void *sio_block_get(const sio_memory *m, size_t *size);
void sio_block_put(const sio_memory *m, void *p, size_t size);
void sio_block_trim(const sio_memory *m);  // frees what is spare

/* Makes room in an array of cap elements of that size for one more. False: no memory, unchanged. */
bool sio_reserve(const sio_memory *m, void *array, size_t used, size_t *cap, size_t element);

/* A growing text in memory of its own; free with sio_text_free. */
typedef struct sio_textbuf {
    sio_sink sink;  // first, so that the sink's grow finds the rest
    const sio_memory *memory;
} sio_textbuf;
sio_textbuf sio_text_new(const sio_memory *m);
void sio_text_free(sio_textbuf *t);

/* Memory until the end of the turn: values, decoded names, lists. */
typedef struct sio_arena {
    struct sio_arena_block *block;  // the newest
    const sio_memory *memory;
} sio_arena;
void *sio_arena_get(sio_arena *a, size_t n);  // aligned, not zeroed; NULL: no memory
void sio_arena_reset(sio_arena *a);           // keeps one block
void sio_arena_free(sio_arena *a);

/* A block of memory on a list, which begins with this. */
typedef struct sio_link {
    struct sio_link *next;
} sio_link;

typedef struct sio_net sio_net;

/* Every callback runs between these two; when the outermost has returned, the arena is empty. */
void sio_scope_enter(sio_net *net);
void sio_scope_leave(sio_net *net);
void sio_scope_end(sio_net *net);  // empties it when no callback runs: the turn ends
/* Frees a block when the outermost has returned. */
void sio_scope_free(sio_net *net, sio_link *block);
int sio_fail(int error);  // sets errno, returns -1

/* ---- net_out.c: the output on its way ---------------------------------------------------------- */

/* Shared bytes, counted. */
typedef struct sio_buf {
    uint32_t refs;
    bool shared;  // a turn's: small pieces of it are copied out when they must wait
    bool fixed;   // never freed
    size_t n, cap;
    const sio_memory *memory;
    char *p;  // the bytes; behind this struct, but for fixed ones
} sio_buf;

/* A piece of a buffer: whole WebSocket frames, or any bytes of an answer. It holds a reference. */
typedef struct sio_ref {
    sio_buf *buf;
    uint32_t at, n;
} sio_ref;

void sio_ref_release(sio_ref ref);

/* What waits to be sent: pieces in order, neighbours joined. Zeroed is empty. Nearly always it is
 * one piece, which has its place here; the others are in a block of their own. */
typedef struct sio_queue {
    sio_ref first;
    struct sio_pieces {
        uint32_t n, cap;
        sio_ref at[];
    } * more;  // NULL: none
    size_t n;  // bytes in all
} sio_queue;

/* Appends a piece; takes a reference of its own. False: no memory, unchanged. */
bool sio_queue_add(const sio_memory *m, sio_queue *q, sio_ref ref);
/* The i-th piece; n == 0 behind the last. */
sio_ref sio_queue_at(const sio_queue *q, size_t i);
/* Drops the first n bytes. */
void sio_queue_drop(const sio_memory *m, sio_queue *q, size_t n);
void sio_queue_clear(const sio_memory *m, sio_queue *q);
/* Memory that its pieces keep, and of what others hold as well its share. */
size_t sio_queue_held(const sio_queue *q);
/* Copies small pieces of the turn's buffer out, for they will wait longer than the turn: a slow
 * client must not keep the turns' buffers from being freed. False: no memory. */
bool sio_queue_settle(const sio_memory *m, sio_queue *q);

/* The turn's output. What is encoded in one turn stands in one buffer, message behind message, so
 * that neighbours leave in one piece; a message that is too long for it gets a buffer of its own. */
typedef struct sio_out {
    sio_sink sink;   // first; write the message here between begin and end
    sio_buf *turn;   // the turn's buffer
    sio_buf *buf;    // the one being written: turn, or the long message's own
    size_t start;    // of the message
    size_t payload;  // of the current frame, behind reserve bytes kept for its header
    size_t reserve;
    const sio_memory *memory;
} sio_out;

void sio_out_begin(sio_out *out);
void sio_out_frame(sio_out *out);                        // a WebSocket frame begins
void sio_out_frame_end(sio_out *out, unsigned char op);  // its payload is complete
/* Ends the message; *ref is it, to be released by the caller. False: it failed, nothing is left. */
bool sio_out_end(sio_out *out, sio_ref *ref);
size_t sio_out_held(const sio_out *out);  // its share of the turn's buffer, which is no client's
void sio_out_turn(sio_out *out);          // the turn's end: the buffer may be used again
void sio_out_free(sio_out *out);

/* ---- net_base.c: deadlines ------------------------------------------------------------------------- */

/* Deadlines that share a length, in the order of their due times: everything is O(1). */
typedef struct sio_deadline {
    struct sio_deadline *prev, *next;  // NULL: not set
    int64_t due;
} sio_deadline;

typedef struct sio_fifo {
    sio_deadline head;  // a ring
    int64_t length;     // milliseconds
    int64_t early;      // how much too early one may expire that another is due before
    void (*expire)(void *owner, sio_deadline *d);
    void *owner;
    struct sio_fifo *next;
} sio_fifo;

/* A call at any time: a member of a binary heap. */
typedef struct sio_timer {
    int64_t due;
    uint64_t serial;  // equal due times expire in the order in which they were set
    size_t at;        // place in the heap + 1; 0: not set
    void (*expire)(void *owner, struct sio_timer *t);
} sio_timer;

typedef struct sio_clock {
    int64_t now;
    sio_fifo *fifos;
    sio_timer **heap;
    size_t n, cap;
    uint64_t serial;
    const sio_memory *memory;
} sio_clock;

void sio_fifo_init(sio_clock *clock, sio_fifo *f, int length,
                   void (*expire)(void *, sio_deadline *), void *owner);
void sio_fifo_remove(sio_clock *clock, sio_fifo *f);
void sio_deadline_set(sio_clock *clock, sio_fifo *f, sio_deadline *d);  // again: moves it
void sio_deadline_clear(sio_deadline *d);
bool sio_timer_set(sio_clock *clock, sio_timer *t, int64_t ms);  // false: no memory
void sio_timer_clear(sio_clock *clock, sio_timer *t);
int64_t sio_clock_wait(const sio_clock *clock);  // ms to the next one, -1: none
/* Calls what is due, each once; owner is handed to the timers' expire. */
void sio_clock_expire(sio_clock *clock, void *owner);
void sio_clock_free(sio_clock *clock);

/* ---- net_base.c: addresses -------------------------------------------------------------------------- */

/* A client's address: 4 or 16 bytes, n == 0 for unix. */
typedef struct sio_ip {
    unsigned char n, byte[16];
} sio_ip;

sio_ip sio_ip_of(const void *bytes,
                 unsigned char n);                 // of 4 or 16 bytes in the order of the network
void sio_ip_text(const sio_ip *ip, char out[46]);  // "" for unix
bool sio_ip_parse(const char *text, sio_ip *ip);   // false: it is none
/* How many of its bytes count where addresses are limited. */
size_t sio_ip_counted(const sio_ip *ip);

/* ---- net_loop.c: the outside ------------------------------------------------------------------------ */

typedef struct sio_loop sio_loop;

/* What a watched descriptor is part of. */
enum { SIO_WATCHED_CONN, SIO_WATCHED_LISTENER, SIO_WATCHED_CALL };

/* A descriptor that the loop watches: part of what owns it. */
typedef struct sio_watched {
    int fd;  // -1: closed
    unsigned char kind;
    bool want_write, no_read;
    uint32_t place;  // the loop's own
    uint32_t used;   // of the net, in units of input; counts beside net->used
} sio_watched;

/* A descriptor of somebody else's, who is called. */
typedef struct sio_called {
    sio_watched watched;  // first; its kind is SIO_WATCHED_CALL
    void (*ready)(struct sio_called *c, bool readable, bool writable);
} sio_called;

/* A call that a thread has posted. */
typedef struct sio_posted {
    void (*fn)(sio_server *io, void *data);
    void *data;
} sio_posted;

typedef struct sio_ready {
    sio_watched *watch;
    bool readable, writable;  // an error counts as readable
} sio_ready;

sio_loop *sio_loop_new(const sio_memory *m);
void sio_loop_free(sio_loop *loop);
int sio_loop_fd(const sio_loop *loop);
/* Waits and fills ready. Returns how many, -1: the loop fails. */
int sio_loop_wait(sio_loop *loop, int64_t timeout_ms, sio_ready *ready, int max);
void sio_loop_wake(sio_loop *loop);  // async-signal-safe: wait returns
/* From any thread: what another call takes out again, on the loop's own thread, and wait returns. 0, or
 * -1 with errno: EAGAIN when it is full. */
int sio_loop_post(sio_loop *loop, const sio_posted *call);
bool sio_loop_posted(sio_loop *loop, sio_posted *call);  // false: there is none
int64_t sio_loop_now(sio_loop *loop);                    // monotonic, milliseconds; asks the clock
int64_t sio_loop_now_up(sio_loop *loop);                 // the same, rounded up
int64_t sio_loop_wall(sio_loop *loop);                   // milliseconds since 1970
int sio_loop_random(sio_loop *loop, void *p, size_t n);  // 0 or -1

/* Opens a listener and fills w. Returns its port (0 for unix) or -1. */
int sio_loop_listen(sio_loop *loop, sio_watched *w, const char *host, int port);
/* Accepts one connection. 1: *fd, *ip are set; 0: nobody waits; -1: no descriptors or memory. */
int sio_loop_accept(sio_loop *loop, sio_watched *listener, int *fd, sio_ip *ip);
/* The addresses of a name, or the one that it is in digits: at most max of them. How many, or -1. */
int sio_loop_resolve(sio_loop *loop, const char *host, sio_ip *out, int max);
/* Begins to connect. A descriptor, which can be watched, read and sent to at once; or -1 with errno. */
int sio_loop_connect(sio_loop *loop, const sio_ip *ip, int port);
int sio_loop_watch(sio_loop *loop, sio_watched *w);  // for what its flags say; 0 or -1 with errno
void sio_loop_unwatch(sio_loop *loop, sio_watched *w);
/* 0; or -1: the kernel did not take it, and the connection can't go on. */
int sio_loop_want_write(sio_loop *loop, sio_watched *w, bool on);
int sio_loop_stop_reading(sio_loop *loop, sio_watched *w);  // for good
/* Bytes read; 0: the end; -1: nothing now; -2: the connection is broken. */
ptrdiff_t sio_loop_read(sio_loop *loop, sio_watched *w, void *p, size_t n);
/* Sends up to count pieces. Bytes sent, 0 or more; -2: the connection is broken. */
ptrdiff_t sio_loop_send(sio_loop *loop, sio_watched *w, const sio_span *piece, int count);
void sio_loop_shutdown(sio_loop *loop, sio_watched *w);  // nothing more will be sent
void sio_loop_close(sio_loop *loop, sio_watched *w);
void sio_loop_refuse(sio_loop *loop, int fd);  // closes what was accepted and never watched
/* A file's size, and when it changed, in nanoseconds as far as the system knows them; and its first n
 * bytes. 0, or -1: it can't be read, is no plain file, or is shorter by now. */
int sio_loop_file(sio_loop *loop, const char *name, size_t *size, int64_t *changed);
int sio_loop_file_read(sio_loop *loop, const char *name, void *p, size_t n);
/* Gives memory that is free back to the system, where libc keeps it otherwise. Costs milliseconds. */
void sio_loop_give_back(sio_loop *loop);

/* ---- net_conn.c: connections ------------------------------------------------------------------------- */

typedef struct sio_conn sio_conn;
typedef sio_http sio_exchange;  // a request on its way to its answer; sio_http to applications
typedef struct sio_conn_protocol sio_conn_protocol;

/* How requests are answered. All three get the owner of the mount that was found for them. */
typedef struct sio_endpoint {
    /* The head of a request has come; raw is all its bytes. May answer, upgrade, or keep x and
     * answer later; sets x->wants_body for what follows. */
    void (*head)(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw);
    /* The body is complete. NULL: it is not wanted. */
    void (*body)(void *owner, sio_exchange *x, sio_span body);
    /* Forget x: its connection is gone (status 0), or its body was refused, which is being answered
     * with that status (413, 400). NULL: nothing was kept of it. */
    void (*gone)(void *owner, sio_exchange *x, int status);
} sio_endpoint;

/* How well a request fits a mount: not at all; below a route's path, the better the longer that is; to
 * an endpoint of Engine.IO or of plain WebSockets; to exactly a route's path. */
enum { SIO_FITS_NOT = 0, SIO_FITS_BELOW = 1, SIO_FITS_ENDPOINT = INT32_MAX - 1, SIO_FITS_EXACTLY };

/* Who answers which requests. The one that fits best does, and the first of several that fit as well.
 * Part of what owns it. */
typedef struct sio_mount {
    unsigned (*fits)(const struct sio_mount *m, const sio_http_head *head, sio_span path);
    void (*free)(sio_net *net, struct sio_mount *m);  // NULL: its owner lives on
    const sio_endpoint *endpoint;
    void *owner;
    void *data;  // what the application set it with
    struct sio_mount *next;
} sio_mount;

/* One request on its way to its answer. Freed when it is answered and its body has been read. */
struct sio_http {
    sio_exchange *next;  // on the connection: answers leave in the order of the requests
    sio_conn *conn;
    const sio_mount *mount;     // who answers it
    const sio_http_head *head;  // while its mount, or the application, looks at it
    void *user;                 // whoever waits to answer: eio's session, a route's kept head
    sio_span raw;               // the head's bytes, while the application may keep the request
    struct sio_kept *kept;      // it does; NULL: it does not
    sio_span extra;             // header lines of the answer, in memory of their own
    size_t extra_always;        // the part of it that goes with errors too
    sio_queue out;              // the answer, while an earlier one is still to come
    char *body;                 // what has come of a body: the exchange's own, where cap is above 0
    size_t body_n, body_cap;
    size_t max_body;  // set by the endpoint; one byte more is a 413
    uint64_t left;    // of a body with a length
    sio_http_chunks chunks;
    unsigned char kind;  // the endpoint's
    bool wants_body, chunked, reading, busy, head_only, keep_alive, answered;
    bool lent;  // it was kept: a callback that has it may run at any time
    // Behind it, where rates are limited: the client's sio_ip
};

/* What a request that the application answers later is made of, until then. */
typedef struct sio_kept {
    sio_link link;          // first
    sio_deadline deadline;  // for somebody to answer it
    sio_exchange *exchange;
    uint64_t handle;  // in net->kept
    size_t size;      // of all this
    char *body;
    size_t body_n;
    sio_http_head head;
    char bytes[];  // of the head, then of the body
} sio_kept;

/* Whom a line of the log is about: what is not known has p NULL. All of it is lent for the call. */
typedef struct sio_about {
    const sio_ip *ip;  // of the connection, unless there is an address; NULL: not known
    sio_span address, path, origin, session, ns;
} sio_about;

/* Who receives a WebSocket's messages. */
typedef struct sio_ws_events {
    void (*message)(void *owner, bool text, const char *p, size_t n);
    /* The connection is closed or closing; nothing more comes. clean: the client said goodbye, or
     * its TCP ended; else it broke a rule or its connection. code: the client's, or 1005, 1006, or
     * the one that was sent to it for what it did. */
    void (*close)(void *owner, int code, bool clean);
    size_t max_message;
    /* NULL, or called for each frame of n bytes that has come whole, before what it says. part: its
     * message goes on. False: the connection is closed by it; else it must do no more than note that. */
    bool (*frame)(void *owner, bool part, size_t n);
    size_t (*held)(const void *owner);  // what it holds of input for it; NULL: nothing
    /* Adds what it knows of the client, for the log. NULL: nothing. */
    void (*about)(const void *owner, sio_about *about);
} sio_ws_events;

/* Somebody above who holds what is on its way for clients beside their connections. */
typedef struct sio_holder {
    /* The most that one of its clients holds. Those who hold least or more are marked to be ended
     * while *excess is above 0, and it becomes less by what they hold. */
    size_t (*weigh)(struct sio_holder *h, size_t least, size_t *excess);
    struct sio_holder *next;
} sio_holder;

typedef struct sio_listener {
    sio_watched watch;  // first
    sio_net *net;
    const sio_conn_protocol *protocol;  // what its connections speak first
    struct sio_listener *next;
    int batch;  // connections to accept in a turn
    sio_deadline pause;
} sio_listener;

#define SIO_LOG_KINDS 64  // of lines: more than there are

/* Lines of one format in the current second. */
typedef struct sio_log_kind {
    sio_deadline end;    // first; of the second
    const char *format;  // NULL: free
    uint64_t count;
} sio_log_kind;

/* Everything below Socket.IO that there is once: part of sio_server. */
struct sio_net {
    sio_memory memory;
    sio_loop *loop;
    sio_clock clock;
    sio_out out;
    int depth;          // of callbacks; the application's own code between turns is one
    sio_arena arena;    // of the callbacks that run
    sio_link *dropped;  // freed when the outermost has returned
    sio_stats stats;
    const sio_options *options;
    sio_mount *mounts;  // who answers requests, in the order in which they came
    sio_listener *listeners;
    sio_conn **conns;
    size_t n_conns, cap_conns;
    sio_conn *dirty, **dirty_end, *dead;  // lists
    sio_table addresses;                  // how many connections each has, where that is limited
    sio_fifo header_fifo, request_fifo, keep_alive_fifo, close_fifo, linger_fifo, pause_fifo;
    char *input;    // one read at a time goes here
    size_t share;   // how much of it each may have in this turn
    uint32_t used;  // by whoever was served last, in units of input; wraps around
    bool crowded;   // the last turn did not come to all who were ready
    sio_spare spare;
    bool metered;         // rates are limited
    sio_table sources;    // what each address has sent of late, where they are
    sio_fifo quiet_fifo;  // until that is forgotten
    size_t held;          // memory of all that is on its way in or out, and the turn's buffer
    size_t peak;          // the most that there was since memory was given back
    sio_fifo trim_fifo;
    sio_deadline trim;
    bool libc_memory;     // not the application's own
    sio_holder *holders;  // list; holder: of what connections hold
    sio_holder holder;
    sio_fifo spare_fifo;
    sio_deadline spare_end;
    sio_handles kept;    // requests that are answered later
    sio_fifo kept_fifo;  // from the first of them on
    sio_textbuf lines;   // of the log, each with its NUL, until the turn ends
    sio_log_kind log_kinds[SIO_LOG_KINDS];
    sio_fifo second_fifo;
    int64_t date_second;
    char date[30];
    bool stopping;                // no session opens any more
    const struct sio_eio_v3 *v3;  // Engine.IO's, once sio_allow_v3 was called
};

/* memory and options are set. 0 or -1. */
int sio_net_init(sio_net *net);
void sio_net_free(sio_net *net);  // after sio_net_abort_all and sio_net_flush
int sio_net_listen(sio_net *net, const sio_conn_protocol *protocol, const char *host, int port);
void sio_net_stop_listening(sio_net *net);
/* Waits, and handles what is ready and what is due. -1: the loop fails. */
int sio_net_poll(sio_net *net, int64_t timeout_ms);
/* Has a timer expire in ms from now or later: not from the turn's clock, which stands still. False: no
 * memory. */
bool sio_timer_after(sio_net *net, sio_timer *t, int64_t ms);
/* The turn's end: sends what is queued. */
void sio_net_flush(sio_net *net);
/* Frees what died in this turn; nothing of it is used any more. When those that are left hold more
 * than max_memory, marks the ones that hold most: they end as soon as the next turn begins. */
void sio_net_bury(sio_net *net);
void sio_net_abort_all(sio_net *net);
/* HTTP connections without a request, and our own: what is queued there leaves still. */
void sio_net_close_idle(sio_net *net);

/* ---- net_limits.c: the memory that all hold, and what comes in a second ------------------------- */

void sio_limits_init(sio_net *net);
void sio_limits_free(sio_net *net);
void sio_holder_add(sio_net *net, sio_holder *h);  // keeps h
/* The turn's end: marks those who hold most, when all together hold more than max_memory. ours: what our
 * own connections hold, which ends no client. */
void sio_net_relieve(sio_net *net, size_t ours);
/* The same: has free memory given back to the system when much less is held than there was. */
void sio_net_watch_weight(sio_net *net);

/* What somebody has used up of two seconds' worth, in thousandths, at a time. */
typedef struct sio_rate {
    int64_t at;
    uint64_t packets, bytes;
} sio_rate;

/* Of one client. Stands behind what stands for the client, where net->metered; otherwise nowhere. */
typedef struct sio_meter {
    sio_rate rate;
    sio_ip ip;  // n == 0: nobody knows
} sio_meter;
size_t sio_meter_size(const sio_net *net);  // of one; 0: nobody has one
/* Counts what came from a client, or from an address. NULL: it may; or the option whose limit it would
 * exceed: then it is not counted. */
const char *sio_meter_client(const sio_net *net, sio_meter *m, size_t packets, size_t bytes);
const char *sio_meter_address(sio_net *net, const sio_ip *ip, size_t packets, size_t bytes);
/* Tells the log and the statistics what follows from that. what: such as "session closed". */
void sio_meter_tell(sio_net *net, sio_about about, const char *what, const char *option);

/* ---- net_base.c: the log ----------------------------------------------------------------------- */

void sio_log_init(sio_net *net);
/* Keeps a line for options->log, which gets it when the turn ends: it may call the library, and this
 * is said in the middle of everything. A line is one sentence, what happened, and in brackets the
 * remedy. format is a literal: ten lines of each are told in a second, then how many there were
 * besides. */
void sio_log(sio_net *net, const char *format, ...) SIO_PRINTF(2, 3);
/* The same, followed by whom it is about. */
void sio_log_of(sio_net *net, sio_about about, const char *format, ...) SIO_PRINTF(3, 4);
/* The same with a line, a literal too, that has no conversions: it may come from a table. */
void sio_log_text(sio_net *net, sio_about about, const char *text);

/* ---- net_requests.c: answers, and upgrades ----------------------------------------------------- */

/* Begins an answer: writes its head, with x->extra and more (whole header lines), to net->out.sink.
 * type NULL: none. The caller writes exactly size bytes of body there (none to HEAD) and ends it. */
void sio_respond_begin(sio_exchange *x, int status, const char *type, sio_span more, size_t size);
void sio_respond_end(sio_exchange *x);
void sio_respond(sio_exchange *x, int status, const char *type, sio_span more, sio_span body);
void sio_respond_empty(sio_exchange *x, int status);
/* As sio_respond, and the connection ends with it. */
void sio_respond_last(sio_exchange *x, int status, const char *type, sio_span more, sio_span body);

/* Answers an upgrade request with 101, with x->extra, and turns the connection into a WebSocket; x
 * is gone. NULL: it can't be (an earlier request still waits, or while this one did more has come, or no
 * memory); x is answered then. */
sio_conn *sio_conn_upgrade(sio_exchange *x, const sio_http_head *head, const sio_ws_events *events,
                           void *owner);

/* ---- net_frames.c: messages out ---------------------------------------------------------------- */

void sio_conn_set_owner(sio_conn *c, const sio_ws_events *events, void *owner);
/* Queues frames; false: the connection is closing, or over its limit and will be closed. */
bool sio_conn_send(sio_conn *c, sio_ref frames);
/* What is sent now leaves at once, before anything else. */
bool sio_conn_writable(const sio_conn *c);
/* Sends a close frame (SIO_WS_NO_CODE: without a code); the owner hears no more of the connection. */
void sio_conn_close(sio_conn *c, int code);

/* ---- net_conn.c: what a connection is, and speaks ---------------------------------------------- */

/* What a connection speaks. It changes its protocol by changing a pointer: that is what an upgrade
 * is, and a close. */
struct sio_conn_protocol {
    /* Handles what is complete of n bytes at p, of which seen were there before. Returns how many bytes
     * that was; 0: more are needed. May end the connection, and change its protocol. */
    size_t (*take)(sio_conn *c, char *p, size_t n, size_t seen);
    /* Bytes that the incomplete thing at p will have; 0: nobody knows. NULL: nobody ever does. */
    size_t (*want)(const char *p, size_t n);
    /* The connection is over: frees what is the protocol's own, and tells the owner. clean: the
     * client ended it in order. NULL: all that it has is u.http.deadline. */
    void (*end)(sio_conn *c, bool clean);
    size_t (*held)(const sio_conn *c);  // bytes that it keeps for the connection; NULL: none
    /* Adds what it knows of the client, for the log. NULL: nothing but the address. */
    void (*about)(const sio_conn *c, sio_about *about);
    /* We opened it: there is no client. Whoever speaks it bounds what it queues, and it says goodbye
     * as the last one when the server stops. */
    bool own;
};

/* An incomplete head or frame. stuck: the last read completed nothing. */
typedef struct sio_input {
    size_t n, cap;
    bool stuck;
    char bytes[];
} sio_input;

/* A message that comes in several frames. */
typedef struct sio_fragments {
    unsigned char op;
    unsigned count;
    size_t n, cap;
    char *p;
} sio_fragments;

struct sio_conn {
    sio_watched watch;      // first
    unsigned char waiting;  // requests without an answer
    bool dead : 1;          // its descriptor is closed; freed when the turn ends
    bool dirty : 1;         // in net->dirty
    bool broken : 1;        // can't be written, or must end
    bool idle : 1;          // between two requests
    bool in_body : 1;       // of the newest request
    bool last : 1;          // takes no more requests
    sio_ip ip;
    uint32_t place;  // in net->conns
    const sio_conn_protocol *protocol;
    sio_net *net;
    sio_conn *next;  // in net->dirty, later in net->dead
    sio_queue out;
    sio_input *in;
    union {  // ws: while it speaks messages
        struct {
            sio_exchange *first;    // without an answer, or with a body still to come
            sio_deadline deadline;  // of the head, the request, silence; the close
        } http;
        struct {
            const sio_ws_events *events;
            void *owner;
            sio_fragments *fragments;
        } ws;
        struct {
            void *owner;
            sio_deadline deadline;  // as in http: unused until it drains
        } own;
    } u;
};

/* Opens a connection of our own to there, which speaks that; c->u.own.owner is the caller's. NULL, with
 * errno: it can't be. That nobody is there is found out later: then it ends. */
sio_conn *sio_conn_open(sio_net *net, const sio_conn_protocol *protocol, void *owner,
                        const sio_ip *ip, int port);
sio_net *sio_conn_net(const sio_conn *c);
size_t sio_conn_pending(const sio_conn *c);  // bytes that wait to be sent
sio_about sio_conn_about(const sio_conn *c);
/* Ends a connection at once, without another byte; its owner is told. clean: the client ended it. */
void sio_conn_end(sio_conn *c, bool clean);
/* Sends what is queued, then ends; what comes is not looked at any more. */
void sio_conn_drain(sio_conn *c);
/* Has it end when the turn ends, without another byte. */
void sio_conn_break(sio_conn *c);
/* Queues a piece for the turn's end. */
void sio_conn_queue(sio_conn *c, sio_ref piece);
/* How much room to make for input of which n bytes are there; whole: all that are announced, or 0. */
size_t sio_conn_room(size_t n, size_t whole);

/* ---- net_frames.c: the protocol of messages ------------------------------------------------------ */

/* The connection speaks messages from here on; owner hears them. */
void sio_frames_begin(sio_conn *c, const sio_ws_events *events, void *owner);

/* ---- net_requests.c: the protocol of requests ----------------------------------------------------- */

extern const sio_conn_protocol sio_requests;
/* Adds a mount behind the others; keeps m. */
void sio_mount_add(sio_net *net, sio_mount *m);
void sio_mounts_free(sio_net *net);  // nobody answers any more
bool sio_asks_for_websocket(const sio_http_head *head);
/* Adds whole header lines to the answer that x will get, whenever that is. False: no memory, for them
 * or for the sink that they were written to. */
bool sio_exchange_add(sio_exchange *x, const sio_sink *lines);
/* Keeps x, whose callback leaves it without an answer: copies x->raw and its body. Nobody answers it in
 * time: 503. False: no memory. */
bool sio_exchange_keep(sio_exchange *x);
/* The same is over. What was kept may be looked at as long as callbacks run. */
void sio_exchange_forget(sio_exchange *x);
/* Whether x, of the connection c, is still there to be answered: a callback may have ended it. */
bool sio_conn_answers(const sio_conn *c);
/* RFC 9110, 5.6.7: writes the date of a second since 1970, not before and up to the year 9999. */
void sio_date_text(int64_t second, char out[30]);

/* The client's address: the peer's, or what a trusted proxy says, whatever that is. */
void sio_client_address(const sio_conn *c, const sio_http_head *head, char out[64]);
/* The same as bytes; the peer's where the proxy names none. n == 0: nobody knows. */
sio_ip sio_client_ip(const sio_conn *c, const sio_http_head *head);
/* Whom a line about its request is about. Looks for nothing where there is no log. */
sio_about sio_request_about(const sio_conn *c, const sio_http_head *head);

/* ---- net_routes.c: requests as the application sees them ------------------------------------------ */

/* Answers one method and path; begins what is longer. */
typedef struct sio_route {
    sio_mount mount;  // first
    sio_http_handler fn;
    const char *method, *path;
    size_t path_n;  // of a prefix: without the "*"
    bool prefix;
} sio_route_data;

/* A route that is no mount yet, with size bytes for what begins with it, zeroed but for the route; to
 * be freed by mount.free until it is one. NULL, with errno: no memory, or no path that a target has. */
sio_route_data *sio_route_new(sio_net *net, size_t size, const char *method, const char *path,
                              sio_http_handler fn);
/* Text as decoders of queries make it: what is not UTF-8 becomes U+FFFD. In the arena, or s itself;
 * p NULL: no memory. */
sio_span sio_repair_text(sio_arena *arena, sio_span s);

/* ---- net_base.c: where clients come from ----------------------------------------------------------- */

/* Those of one address; in a table, by its bytes. */
typedef struct sio_crowd {
    sio_node node;  // first
    size_t count;
    char bytes[8];  // IPv4; or what counts of IPv6
} sio_crowd;

/* Counts one more. NULL: there are as many as may be, or no memory. */
sio_crowd *sio_crowd_enter(sio_table *t, const sio_ip *ip, size_t most);
sio_crowd *sio_crowd_find(const sio_table *t, const sio_ip *ip);  // NULL: nobody is from there
void sio_crowd_leave(sio_table *t, sio_crowd *a);                 // counts one less; NULL: none

#endif
