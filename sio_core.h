/* sio_core.h - Socket.IO: values, then what there is, then the functions of each file
 * SPDX-License-Identifier: MIT */
#ifndef SIO_CORE_H
#define SIO_CORE_H

#include "eio.h"

/* ---- sio_value.c: values; sio_template.c, sio_scan.c: the templates of sio_emit and sio_scan ---------------- */

enum {
    SIO_VALUE_JSON,
    SIO_VALUE_BINARY,  // p, n are an attachment's bytes
    SIO_VALUE_SPREAD   // p, n are an array's inside
};

#define SIO_MARK "\xffsio"  // what a value begins with, without the NUL

/* What a sio_value points at. */
typedef struct sio_value_data {
    char mark[4];  // first; says that it is one
    unsigned char kind;
    bool kept;   // by sio_keep
    bool grows;  // sio_array's or sio_object's
    sio_server *io;
    const char *p;
    size_t n;
    const sio_span *blobs;  // what the placeholders in p stand for
    size_t n_blobs;
} sio_value_data;

/* What a handler was called for. One is made for each packet that comes in. */
struct sio_event {
    sio_server *io;
    sio_socket *socket;        // whose packet it is; NULL: nobody's, or another process's
    const sio_packet *packet;  // name and arguments; sio_no_packet: there are those in set alone
    const sio_span *blobs;     // the packet's attachments
    sio_value *set;            // arguments that were set, in front of the packet's others
    sio_value error_data;
    void *data;           // of the handler or middleware that runs
    const char *renamed;  // by a middleware; NULL: not
    const char *found;    // where element number cursor begins, the last one found behind the index
    uint32_t cursor, n_blobs, n_set;
    uint32_t next;       // of a middleware: the number of the one behind it; 0: it is none
    uint64_t admission;  // of a middleware: the serial of the handle that it took; 0: none
    bool acked;  // the acknowledgement that the client asked for is sent, or somebody's duty
};

/* An event's name, decoded, as sio_name gives it and as handlers are found; it ends with NUL and has
 * no other. In the arena; p NULL: no memory. */
sio_span sio_event_name(const sio_event *event);

extern const sio_packet sio_no_packet;  // without name and arguments

typedef struct sio_arguments {
    va_list ap;
} sio_arguments;

/* Writes a template's values, separated by commas, to the sink; collects attachments. */
typedef struct sio_template {
    sio_server *io;
    sio_sink *sink;
    sio_span *blobs;
    size_t n_blobs, cap_blobs;
    const char *wrong;  // why it is not JSON, or not UTF-8; NULL: it is so far
    const char *at;     // where in the template the writer stands, or what is wrong begins
    bool many;          // attachments
    bool comma;         // a value stands before the first one
} sio_template;

#define SIO_ATTACHMENTS_OUT 1000  // of one packet that is sent

/* The sink has failed when anything of it went wrong. */
void sio_template_write(sio_template *t, const char *template, sio_arguments *args);
/* Beside attachments no other object may look like the placeholder of one: clients would take an
 * attachment for it, or break off. text: what was written of JSON, with so many of the attachments. The
 * sink has failed where it is so. */
void sio_template_sound(sio_template *t, sio_span text, size_t n_blobs);
/* It was not written: sets errno, and says why in the log, where the cause is the caller's. what and
 * name: who wanted it. Returns -1. */
int sio_template_fail(const sio_template *t, const char *what, sio_span name);
/* The one value that a template writes, in the arena; NULL: none, or more, or it fails, which is told
 * as what's. */
sio_value sio_template_make(sio_server *io, const char *what, const char *template,
                            sio_arguments *args);
void sio_template_value(sio_template *t, sio_value v);  // writes one value

/* "%" [.precision] [length] letter; of a scan "%" [width] [length] letter. */
typedef struct sio_conversion {
    int number;   // precision or width; -1: none
    bool star;    // the precision is an argument
    char length;  // h, H (hh), l, L (ll), j, z, t or 0
    char kind;  // d, u, f, s, p (of a scan) or %; 0: it is none, or not with what stands before it
} sio_conversion;

size_t sio_conversion_read(const char *p, bool scanning,
                           sio_conversion *c);  // behind '%'; the bytes

/* Whether p points at a value. What is none is often text, which has no such byte as a mark's first:
 * nothing behind that is read. */
static inline bool sio_value_is(const void *p)
{
    return *(const char *)p == SIO_MARK[0] && memcmp(p, SIO_MARK, 4) == 0;
}
sio_value_data sio_value_of(sio_server *io, sio_span json);
/* Walks an array or object, or what is spread. */
sio_json_walk sio_value_walk(const sio_value_data *v);
/* An object's member, of several the last; p NULL: none. */
sio_span sio_value_member(sio_span object, const char *key, size_t n);
/* A value in the arena. NULL: no memory. */
sio_value sio_value_new(sio_server *io, unsigned char kind, sio_span bytes, const sio_span *blobs,
                        size_t n_blobs);
/* A value of what was written to the text, which is freed. NULL: no memory, or the text failed. */
sio_value sio_value_written(sio_server *io, unsigned char kind, sio_textbuf *text,
                            const sio_span *blobs, size_t n_blobs);

/* ---- What there is: servers, namespaces, clients, sockets, rooms ------------------------------------------- */

typedef struct sio_client sio_client;
typedef struct sio_room_data sio_room_data;
typedef struct sio_awaited sio_awaited;
typedef struct sio_cluster sio_cluster;
typedef struct sio_question sio_question;
typedef struct sio_user_watch sio_user_watch;

/* A handler or middleware with what it was set with. */
typedef struct sio_bound {
    union {
        sio_handler handler;  // NULL: it was taken away
        sio_middleware middleware;
    } fn;
    void *data;
    bool once;
} sio_bound;

typedef struct sio_bound_list {
    sio_bound *at;
    size_t n, cap;
    unsigned running;  // runs of it that are under way; it does not shrink meanwhile
    bool holes;        // some were taken away in one of them
} sio_bound_list;

typedef struct sio_handlers {
    sio_node node;  // first; in a namespace's table, by the event's name
    sio_bound_list list;
    char name[];
} sio_handlers;

struct sio_namespace {
    sio_node node;  // first; in server->namespaces, by name; a family is in no table
    sio_server *io;
    char *name;
    char *prefix;  // what its packets have before their id: "/chat,", or nothing for "/"
    size_t prefix_n;
    sio_table handlers;  // of clients' events
    sio_table own;       // of the library's events
    sio_bound_list any, any_outgoing, use, use_event;
    sio_socket **sockets;  // the connected ones
    size_t n_sockets, cap_sockets;
    sio_table ids, rooms;
    uint64_t next_ack;      // the reference counts per namespace, over all its sockets
    uint64_t serial;        // no other namespace had or will have it
    sio_namespace *family;  // whose handlers run before its own
    sio_namespace *next;    // in server->families or server->dead_namespaces
    bool (*accept)(const char *name, sio_event *auth);
    void *data;                     // for accept
    size_t users;                   // sockets that connect or are connected
    struct sio_history *history;    // the keeper's; NULL: nobody can come back to it
    struct sio_channels *channels;  // the cluster's; NULL: it has none yet
    sio_table of_servers;           // sio_cluster.c: handlers of other processes' events
    bool kept;                      // sio_of handed it out: it stays
};

/* One room that a socket joined; the room knows where to find this. */
typedef struct sio_membership {
    sio_room_data *room;
    uint32_t place;  // in room->members
} sio_membership;

struct sio_room_data {
    sio_node node;  // first; in ns->rooms
    struct sio_member {
        sio_socket *socket;
        uint32_t place;  // in socket->rooms
    } * members;
    size_t n, cap;
    char name[];
};

/*   CONNECTING --middlewares passed--> CONNECTED --leaves--> GONE, freed soon
 *        +--error, end of the connection------------------------^ */
enum { SIO_SOCKET_CONNECTING, SIO_SOCKET_CONNECTED, SIO_SOCKET_GONE };

/* What few sockets have: allocated when the first of it is needed. */
typedef struct sio_socket_more {
    char *auth;            // JSON of the CONNECT payload; NULL: none
    sio_awaited *awaited;  // answers that the client owes us, and those that we owe it
    uint64_t since;        // the keeper's: the newest event that it has, or came before it
    char pid[21];          // the keeper's: the id to come back with; empty: none
} sio_socket_more;

/* A socket's rooms, in one block. */
typedef struct sio_rooms {
    uint32_t n, cap;
    sio_membership at[];
} sio_rooms;

struct sio_socket {
    sio_node node;  // first; in ns->ids
    sio_namespace *ns;
    sio_client *client;
    sio_socket *next;  // of the client; then in server->dead_sockets
    void *data;
    void (*release)(void *data);
    sio_rooms *rooms;  // NULL: none
    sio_socket_more *more;
    uint32_t slot;   // of its handle
    uint32_t place;  // in ns->sockets
    uint32_t mark;   // the last search that found it
    char id[21];
    unsigned char state;
    bool leaving, left_own_room, recovered, got_offset;
};

/* Until the client has joined its first namespace. */
typedef struct sio_joining {
    sio_deadline deadline;  // first
    sio_client *client;
} sio_joining;

struct sio_client {
    sio_session *session;         // stays valid until the turn ends in which it is over
    sio_socket *sockets;          // in the order in which they joined
    struct sio_partial *partial;  // a packet whose attachments are still to come
    union {
        sio_joining *joining;  // NULL: it has joined
        sio_client *next;      // over: in server->dead_clients
    } u;
    uint32_t n_sockets;
    bool over;
};

/* Who keeps what clients miss while they are away, for sockets that come back: the table between
 * what sends events and lets sockets come and go, and sio_recovery.c. */
typedef struct sio_keeper {
    uint64_t number;  // the offset of the newest event; who sends one that is to be kept adds 1
    /* Keeps the event of that number, which is being sent. */
    void (*log)(struct sio_keeper *k, const sio_target *t, sio_ref frames);
    /* Keeps rooms and pid of a socket that leaves for that reason, if it may come back. */
    void (*save)(struct sio_keeper *k, sio_socket *s, const char *reason);
    /* Takes the data of a socket that is about to be freed, if it was saved and that is still there. */
    void (*save_data)(struct sio_keeper *k, sio_socket *s);
    /* A socket connects: it gets what an earlier one left behind, if its auth names that, or a pid of
     * its own. 1: it need not pass the middlewares; 0: it must; -1: no memory, what was left is there. */
    int (*welcome)(struct sio_keeper *k, sio_socket *s);
    /* It is about to be CONNECTED: sends what it missed, if it came back. False: some of that is
     * lost, or no memory. */
    bool (*replay)(struct sio_keeper *k, sio_socket *s);
    void (*forget)(struct sio_keeper *k, sio_namespace *ns);  // the namespace ends
} sio_keeper;

/* What servers ask of each other: the types of the protocol (5.3), and two of our own. */
enum {
    SIO_ASK_SOCKETS,
    SIO_ASK_ROOMS,
    SIO_JOIN,
    SIO_LEAVE,
    SIO_END,
    SIO_ASK_FETCH,
    SIO_ASK_SERVERS,
    SIO_ASK_CLIENTS,
    SIO_TELL_COUNT,
    SIO_TELL_ANSWER,
    SIO_ASK_COUNT,  // of the servers, whom nobody asks
    SIO_END_ALL     // SIO_END with the connections
};

typedef struct sio_inquiry sio_inquiry;

/* The servers of other processes, which share our namespaces: the table between what sends to them and
 * sio_adapter.c. */
struct sio_cluster {
    /* Sends them an event's array of name and arguments, before its own receivers get it. q: it is a
     * question, of this table's making, and its answers are wanted. */
    void (*tell)(sio_cluster *c, const sio_target *t, sio_span array, const sio_span *blobs,
                 size_t n_blobs, sio_question *q);
    sio_question *(*question)(sio_cluster *c);  // NULL: no memory
    /* Asks them that, with JSON members of the request besides, which begin with a comma. q: they shall
     * answer. False: they can't be reached. */
    bool (*ask)(sio_cluster *c, sio_namespace *ns, sio_inquiry *q, int type, sio_span rest);
    /* Has all of them, us included, do that to the target's sockets: SIO_JOIN, SIO_LEAVE, with rooms;
     * SIO_END, SIO_END_ALL. False: they can't be reached, or can't reach us: it is for us to do. */
    bool (*change)(sio_cluster *c, const sio_target *t, int what, const char *const *rooms,
                   size_t n);
    /* Answers another process's event, once; as sio_vack. */
    int (*answer)(sio_cluster *c, uint64_t serial, const char *template, sio_arguments *args);
    void (*open)(sio_cluster *c, sio_namespace *ns);   // there is a new one
    void (*close)(sio_cluster *c, sio_namespace *ns);  // it ends
    int timeout_ms;                                    // for them to answer
    size_t max_answer;                                 // bytes of all answers to one question
};

/* What lives in a server's turns. A function that is NULL has nothing to do. */
typedef struct sio_part {
    void (*flush)(struct sio_part *p);        // does what was put off to the turn's end
    bool (*dirty)(const struct sio_part *p);  // there is something for flush
    void (*bury)(struct sio_part *p);         // the turn is over: frees what died in it
    /* The server begins to stop: ends its clients, but for those that must still fetch something. Left
     * tells how many of these there are. */
    void (*stop)(struct sio_part *p, const char *reason);
    size_t (*left)(const struct sio_part *p);
    void (*close)(struct sio_part *p, const char *reason);  // ends all of them; again, if need be
    void (*free)(struct sio_part *p);                       // nobody is left, and nobody is called
    struct sio_part *next;
} sio_part;

/* An endpoint of Engine.IO: Socket.IO's, or one of sio_engine. */
typedef struct sio_eio_part {
    sio_part part;  // first
    sio_eio eio;
} sio_eio_part;

struct sio_server {
    sio_net net;  // first
    sio_options options;
    char *strings;    // of the options
    sio_part *parts;  // in the order in which they came: Socket.IO's endpoint first
    sio_user_watch *watches, *dead_watches;  // sio_tasks.c: of the application
    sio_eio_part engine;
    sio_fifo connect_fifo, partial_fifo;
    sio_table namespaces;
    sio_namespace *families, *dead_namespaces;
    sio_socket *dead_sockets;
    sio_client *dead_clients;
    sio_handles handles;  // of sockets
    sio_handles timers;
    uint64_t serial;  // of late answers, and of namespaces
    uint32_t mark;
    bool turning;          // sio_turn or sio_free is at work
    unsigned asking;       // calls of sio_family's accept that are under way
    size_t n_dynamic;      // namespaces of families
    sio_table awaited;     // sio_emit.c: answers that are due
    sio_keeper *keeper;    // NULL: nobody keeps what clients miss
    sio_cluster *cluster;  // NULL: this process is alone
    sio_value (*share)(
        sio_socket *socket);  // what others are told of a socket's data; NULL: nothing
    bool freeing;             // sio_free has begun
    volatile int stop;        // set by sio_shutdown
    int64_t stop_by;          // 0: not stopping
};

/* ---- sio_room.c: rooms and targets ----------------------------------------------------------------------- */

typedef void (*sio_visitor)(sio_socket *s, void *data);

/* A list of sockets in the arena. */
typedef struct sio_found {
    sio_arena *arena;
    sio_socket **sockets;
    size_t n, cap;
    bool failed;
} sio_found;

/* 0; or -1 with errno: it is nobody's (EINVAL), or was given more names than it holds (E2BIG), which the
 * log is told as what and name. */
int sio_target_check(const sio_target *t, const char *what, const char *name);
/* Calls fn, which must not call back into the application, for each receiver. */
void sio_target_search(const sio_target *t, sio_visitor fn, void *data);
sio_found sio_target_receivers(const sio_target *t);
/* The i-th room that it is to, and that it leaves out: the room of sio_broadcast's socket is the first of
 * these, for others may have joined it. NULL behind the last. */
const char *sio_target_room(const sio_target *t, size_t i);
const char *sio_target_excepted(const sio_target *t, size_t i);
/* Whether the target is for other processes too. */
static inline bool sio_target_shared(const sio_target *t)
{
    return t->ns->io->cluster != NULL && !t->only_self && !t->is_local;
}
/* Has the cluster do that (sio_cluster.change). False: there is none, or the target is not for it. */
bool sio_target_change(const sio_target *t, int what, const char *const *rooms, size_t n);
/* Copies the target's names to the arena: the application's code runs before they are read again,
 * and may make a room go whose name they are. False: no memory. */
bool sio_target_keep(sio_target *t);

/* A list of namespaces in the arena. They live until the outermost callback has returned. */
typedef struct sio_members {
    sio_namespace **at;  // NULL: no memory
    size_t n;
} sio_members;

/* A family stands for the namespaces that it made: those that there are now. */
sio_members sio_family_members(const sio_namespace *family);
void sio_rooms_leave_all(sio_socket *s);

/* ---- sio_namespace.c: namespaces, their handlers, and what a socket tells ---------------------------------- */

void sio_namespace_unused(sio_namespace *ns);  // removes a dynamic one, if that is asked for
void sio_namespace_free(sio_namespace *ns);
sio_namespace *sio_namespace_find(sio_server *io, sio_span name);
/* Asks the families for a name that does not exist. payload: their event's argument. 0, and *out is
 * the namespace, NULL where none takes it; -1: ENOMEM, or ELOOP for an accept that calls sio_of from
 * inside itself too often. */
int sio_families_ask(sio_server *io, sio_span name, sio_span payload, sio_namespace **out);
/* Sets a handler in a table of the namespace's: 0 or -1; takes it away, or all (fn NULL): how many; calls
 * those of that name. */
int sio_handlers_set(sio_namespace *ns, sio_table *t, const char *event, sio_bound b);
int sio_handlers_take(sio_table *t, const char *event, sio_handler fn, const void *data);
void sio_handlers_run(sio_socket *s, sio_table *t, sio_span name, sio_event *e);
/* Calls the handlers of a list; polite: none any more once the socket has left. */
void sio_run_list(sio_socket *s, sio_bound_list *l, sio_event *e, bool polite);
/* Calls the handlers of an event, the family's first; own: the library's events. */
void sio_run_handlers(sio_socket *s, bool own, sio_span name, sio_event *e);
void sio_run_event(sio_socket *s, const char *name, sio_value a, sio_value b);  // library's own
sio_span sio_ns_span(const sio_namespace *ns);                                  // its name
sio_socket_more *sio_more(sio_socket *s);  // makes it; NULL: no memory
/* The query of a target as an object of strings, in the arena: names in the order of their first
 * appearance, each with its last value. O(its bytes). NULL: no memory. */
sio_value sio_query_object(sio_server *io, sio_span query);

/* ---- sio_emit.c: events out, acknowledgements ------------------------------------------------------------ */

/* A question to sockets, or to other processes, that is open. */
struct sio_question {
    sio_timer timer;  // first
    sio_server *io;
    sio_answer fn;  // NULL: nobody's
    void *data;
    sio_awaited *awaited;   // by sibling; none when it is done
    size_t expected, came;  // answers, as far as is known
    bool one;               // it asks one socket
    bool open;              // others may still expect more
    const char *unasked;    // an error: others should have been asked, and were not; NULL: none
    sio_value *answers;     // kept; of several
    size_t n, cap;
    /* Gets each answer of several; NULL: they are kept for fn. */
    void (*heard)(sio_question *q, sio_value answer);
    void (*over)(sio_question *q);  // takes away what else leads to it; NULL: nothing does
};

void sio_question_hear(sio_question *q, sio_value answer);  // an answer has come
void sio_question_check(sio_question *q);                   // finishes it if it has all of them
void sio_question_finish(sio_question *q, const char *error);
void sio_question_over(void *owner, sio_timer *timer);  // its timer's: the time is over
/* Asks with a spread array of name and arguments, and fn or heard set; q is zeroed but for its io. 0, or
 * -1: it is freed. */
int sio_question_ask(const sio_target *t, sio_question *q, sio_value array);
/* As sio_emit, with a spread array of name and arguments. */
int sio_emit_array(const sio_target *t, sio_value array);
void sio_socket_acked(sio_socket *s, uint64_t id, sio_event *answer);
void sio_awaited_cancel(sio_socket *s);  // the socket is gone
/* What we owe a client and somebody has a handle for: an acknowledgement, or a middleware's answer.
 * id tells which: the acknowledgement's, or the number of the middleware that is next. */
enum { SIO_OWED_ACK = 1, SIO_OWED_ADMISSION };
uint64_t sio_owed_new(sio_socket *s, unsigned kind, uint64_t id);  // its serial; 0: no memory
bool sio_owed_is(sio_server *io, uint64_t socket, uint64_t serial,
                 unsigned kind);  // not done or void
/* It is done, or void. False: it was, or the socket is gone. */
bool sio_owed_take(sio_server *io, uint64_t socket, uint64_t serial, unsigned kind, uint64_t *id);

/* ---- sio_client.c: one client in one namespace ----------------------------------------------------------- */

/* A new one on the client's list, CONNECTING. auth: JSON, n == 0 without one. NULL: no memory. */
sio_socket *sio_socket_new(sio_client *c, sio_namespace *ns, sio_span auth);
/* What it counts in max_memory: itself, and its CONNECT payload. */
size_t sio_socket_size(const sio_socket *s);
/* Runs the handlers of "disconnecting" and "disconnect", and takes it out of everything. */
/* details: what the event "disconnect" is told besides; NULL: nothing. */
void sio_socket_leave(sio_socket *s, const char *reason, const char *details);
/* Frees sockets that left, and dynamic namespaces without any; releases the data of the former. Nobody
 * up the stack may have one. */
void sio_sockets_bury(sio_server *io);

sio_server *sio_client_server(const sio_client *c);
bool sio_client_is_v3(const sio_client *c);
sio_socket *sio_client_socket(const sio_client *c, sio_span ns);  // its socket there; NULL: none
/* Sends a packet without id and attachments, whatever the socket's state. */
void sio_client_send(sio_client *c, unsigned type, sio_span ns, const char *json, size_t n);
/* Ends the connection for something that the client must not do. state: it is the wrong time for it;
 * otherwise the packet is malformed. */
void sio_client_violate(sio_client *c, bool state, const char *what);
/* Has all of them leave, in the order in which they joined; told: each with a DISCONNECT. */
void sio_client_leave_all(sio_client *c, const char *reason, const char *details, bool told);

/* ---- sio.c: the packets of a client ----------------------------------------------------------------------- */

extern const sio_eio_events sio_client_events;
void sio_clients_bury(sio_server *io);  // the turn's end: frees those that are over
void sio_connect_expired(void *owner, sio_deadline *d);
void sio_partial_expired(void *owner, sio_deadline *d);

/* ---- sio_tasks.c: timers, posted calls, descriptors --------------------------------------------------------- */

void sio_run_posted(sio_server *io);  // calls what other threads have posted
void sio_tasks_bury(sio_server *io);  // the turn's end
void sio_tasks_free(sio_server *io);

/* ---- sio_server.c: the server, its options, its turns ---------------------------------------------------- */

/* A copy of options, with defaults for what is 0; *block holds its strings, to be freed. from NULL: *to
 * is zeroed. 0 or -1. */
int sio_options_copy(const sio_memory *m, sio_options *to, const sio_options *from, char **block);
void sio_part_add(sio_server *io, sio_part *p);  // keeps p until it calls p->free
/* Opens an endpoint of Engine.IO: makes it a part, and answers its requests; as sio_eio_init. */
int sio_eio_part_add(sio_server *io, sio_eio_part *p, const sio_options *options,
                     const sio_eio_events *events, void *owner);
void sio_eio_part_free(sio_part *p);

/* ---- sio_cluster.c: what an application asks of its cluster ------------------------------------------------- */

/* A question that other servers answer too. */
struct sio_inquiry {
    sio_question base;  // first
    sio_node node;      // the adapter's; in table, by id, while it is entered
    sio_table *table;
    bool entered;
    int type;
    int64_t servers, heard;  // that shall answer, -1: not counted yet; that have
    size_t bytes, most;      // of answers
    sio_table rooms;         // SIO_ASK_ROOMS: the names that came, each once
    char id[8];
};

sio_inquiry *sio_inquiry_new(sio_server *io, int type);     // NULL: no memory
void sio_inquiry_hear(sio_inquiry *q, sio_value answer);    // one of several of a server
void sio_inquiry_heard(sio_inquiry *q);                     // a server has said all
void sio_inquiry_counted(sio_inquiry *q, int64_t servers);  // so many there are, us included
void sio_inquiry_unreached(sio_inquiry *q);                 // it ends with our own answers
/* An object of a socket's id, handshake, rooms and data. */
sio_value sio_socket_described(sio_socket *s);
/* Calls fn for all rooms, those of sockets' ids as well. */
void sio_own_rooms(sio_namespace *ns, void (*fn)(sio_span room, void *data), void *data);
/* Writes ,"opts":{..}: whom a target is to. */
void sio_put_target(sio_sink *sink, const sio_target *t);
void sio_put_plain(sio_sink *sink, sio_span text, const sio_span *blobs, size_t n_blobs);

/* ---- sio_adapter.c: what we say to the other servers ------------------------------------------------------------ */

typedef struct sio_bus sio_bus;

/* A namespace's channels: three that are heard by their names, and a pattern. */
typedef struct sio_channel {
    sio_node node;  // first; in the adapter's table, by what it is subscribed as
    struct sio_channels *of;
} sio_channel;

enum { SIO_CH_EVENTS, SIO_CH_REQUESTS, SIO_CH_ANSWERS, SIO_CH_OWN, SIO_CHANNELS };

typedef struct sio_channels {
    struct sio_channels *next;
    sio_namespace *ns;
    sio_channel at[SIO_CHANNELS];
    sio_span events;  // what channels of events begin with
    char text[];
} sio_channels;

/* Channels that many processes share: the table between the adapter and sio_redis.c. */
struct sio_bus {
    bool (*publish)(sio_bus *b, sio_span channel, sio_span payload);  // false: it can't be
    /* Counts who hears the channel, for sio_inbox_counted. */
    bool (*count)(sio_bus *b, sio_span channel, const char id[8]);
    void (*subscribe)(sio_bus *b, const sio_channels *ch, bool on);
    bool (*hears)(const sio_bus *b);  // whether what is published comes back to us
};

#define SIO_UID 6  // characters of a member's name, and of a question's; as the reference's

/* One member of a cluster: this process. */
typedef struct sio_adapter {
    sio_cluster cluster;  // first
    sio_server *io;
    sio_bus *bus;
    bool own_channel, room_channels;
    sio_table names;         // of sio_channel, by what is subscribed
    sio_channels *channels;  // of all namespaces
    sio_table inquiries;     // ours that are open, by id
    sio_handles debts;       // answers that we owe others
    sio_fifo debt_fifo;
    size_t strangers;
    char uid[SIO_UID + 1];
    char key[];
} sio_adapter;

/* Makes io a member. Copies key. NULL: no memory, or no random bytes. */
sio_adapter *sio_adapter_new(sio_server *io, sio_bus *bus, const sio_redis_options *options);
void sio_adapter_free(sio_adapter *a);
sio_span sio_channel_of(const sio_namespace *ns, int kind);
void sio_put_word(sio_sink *sink, const char *word);  // a MessagePack string

/* ---- sio_inbox.c: what the others say ------------------------------------------------------------------------- */

void sio_inbox_begin(sio_adapter *a);
void sio_inbox_end(sio_adapter *a);
/* The bus brings something: as is the name, or pattern, that it was subscribed as. */
void sio_inbox_hear(sio_adapter *a, sio_span as, sio_span channel, sio_span payload);
void sio_inbox_counted(sio_adapter *a, const char id[8], int64_t n);  // how many hear a channel

#endif
