/* sio.h - a Socket.IO server in C: the public API
 * SPDX-License-Identifier: MIT
 *
 * A whole server:
 *
 *     #include "sio.h"
 *     #include <stdio.h>
 *
 *     static void on_message(sio_socket *socket, sio_event *event)
 *     {
 *         char text[501];
 *         if (sio_scan(event, "%500s", text) == 1)
 *             sio_emit(sio_all(sio_ns(socket)), "chat message", "%s", text);
 *     }
 *
 *     int main(void)
 *     {
 *         sio_server *io = sio_new(NULL);
 *         sio_on(sio_of(io, "/"), "chat message", on_message);
 *         if (sio_listen(io, "127.0.0.1", 3000) >= 0)
 *             return sio_run(io) < 0;
 *         perror("can't listen");
 *         return 1;
 *     }
 *
 * Speaks Engine.IO 4 (and 3 by option) and Socket.IO 5 to the official clients.
 *
 * What holds everywhere:
 *  - One thread. Every callback runs inside sio_run or sio_turn, one at a time.
 *  - A callback may do anything to any socket, disconnecting the one it serves included. What it
 *    was handed stays valid until it returns. It must not call sio_run, sio_turn or sio_free, which
 *    refuse that.
 *  - Functions that return a pointer return NULL when they fail; those that return int return -1,
 *    with errno set, unless their comment says otherwise. Nothing prints, nothing exits.
 *  - Strings are UTF-8 and end with NUL. The library copies what it needs, unless a comment says
 *    "keeps".
 *  - "Lends" means: returns a pointer that the library owns. Unless said otherwise it is good until
 *    the callback returns that asked for it.
 *  - Times are milliseconds, sizes are bytes.
 */
#ifndef SIO_H
#define SIO_H

#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIO_VERSION "0.3.0"
#define SIO_VERSION_MAJOR 0  // the same as numbers, for #if
#define SIO_VERSION_MINOR 3
#define SIO_VERSION_PATCH 0

/* Lets gcc and clang check a template's conversions against its arguments. */
#if defined(__GNUC__)
#define SIO_PRINTF(at, first) __attribute__((format(printf, at, first)))
#define SIO_SCANF(at, first) __attribute__((format(scanf, at, first)))
#else
#define SIO_PRINTF(at, first)
#define SIO_SCANF(at, first)
#endif

/* Functions that set a callback take data for it, which may be left out: sio_on(ns, "hi", on_hi). */
#ifdef __cplusplus
#define SIO_OPTIONAL = nullptr
#else
#define SIO_OPTIONAL
#endif

/* The shared library is compiled with -fvisibility=hidden: it exports what is declared from here on. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#ifdef __cplusplus
extern "C" {
#endif

typedef struct sio_server sio_server;        // listeners, routes, namespaces: one program has one
typedef struct sio_namespace sio_namespace;  // "/" or "/chat"
typedef struct sio_socket sio_socket;        // one client in one namespace
typedef struct sio_event sio_event;          // what a handler was called for, with its arguments
typedef struct sio_http sio_http;            // one HTTP request

typedef struct sio_value_data *sio_value;  // a JSON value, perhaps with binary attachments

/* Templates: what follows an event's name in sio_emit and its kin, and what sio_scan reads by. They are
 * literals, so that nobody's bytes become one: where a variable stands, the call does not compile. The v
 * functions, and a function's name in brackets, (sio_emit)(..), take any text, for those who know where
 * it comes from. */

/* ---- Server --------------------------------------------------------------------------------- */

enum { SIO_POLLING = 1, SIO_WEBSOCKET = 2 };

/* What is on by default, and may be switched off. */
enum sio_switch { SIO_DEFAULT, SIO_ON, SIO_OFF };

/* Of a time: it does not end; of pings, twelve days, which is the most that clients can wait. Of a size or
 * number: as much as there is. */
#define SIO_NEVER INT_MAX
#define SIO_NO_LIMIT (SIZE_MAX / 16)

/* Options: 0, NULL and false stand for the default, everywhere. Defaults and names are the reference's. */
typedef struct sio_options {
    /* Engine.IO */
    const char *path;                // "/socket.io"; requests below PATH/ belong to Socket.IO
    enum sio_switch trailing_slash;  // SIO_ON; SIO_OFF: match PATH too, and all that begins with it
    int ping_interval_ms;            // 25000
    int ping_timeout_ms;             // 20000
    int upgrade_timeout_ms;          // 10000
    int transports;                  // SIO_POLLING | SIO_WEBSOCKET
    enum sio_switch upgrades;        // SIO_ON; SIO_OFF: announce no upgrade in the handshake
    const char *cookie;              // name of a cookie that carries the session id; NULL: none

    /* Socket.IO */
    int connect_timeout_ms;  // 45000: time until the first namespace must be joined
    /* A dynamic namespace goes with its last socket, and with it its handlers and what recovery keeps
     * of it; one that sio_of returned stays. Without this all of them stay until sio_free. */
    bool cleanup_empty_namespaces;

    /* Browsers. cors: "*", one origin, several separated by commas, or "reflect"; NULL: no CORS
     * headers. It never blocks. origins: those whose pages may send requests at all, WebSocket
     * included, separated by commas; compared byte by byte; NULL: all. Where it is set, each request
     * is checked, what other sites' pages ask for without an Origin is refused, and JSONP is off.
     * Who is no browser names any origin it likes, or none. */
    const char *cors;
    bool cors_credentials;
    /* With cors: what pages may do. Lists separated by commas, which are sent as they are. */
    const char *cors_methods;  // "GET,HEAD,PUT,PATCH,POST,DELETE"; "": does not say
    const char *cors_headers;  // fields that they may send; NULL, "": those that they ask for
    const char *cors_exposed;  // fields of answers that they may read besides; NULL, "": none
    int cors_max_age;          // seconds for which they may remember that; 0: does not say
    const char *origins;
    /* The last entry of X-Forwarded-For, if present, is the client's address. The proxy must write it;
     * entries before it are what its client said. */
    bool trust_proxy;

    /* Called for each handshake: return NULL to accept, or the message of the refusal ("" is the
     * standard one, "Forbidden"), which must stay as it is; or, after sio_http_keep, SIO_LATER: then
     * sio_http_allow says it. Lends the request for the call. */
    const char *(*allow_request)(sio_http *http);
    /* Called for each answer of the endpoint; adds header fields with sio_http_add_header. initial: this
     * answer opens a session. */
    void (*headers)(sio_http *http, bool initial);

    /* Limits. A connection can make the server hold
     *     2 * max_payload   of a request or message that is incomplete (max_head where that is more),
     *     max_output        that it does not read, or one longer message,
     * each of them in memory of at most twice that, and 128 KiB. A client that polls can have
     * max_output wait for it besides, and max_payload that is read in slices. Once it has joined a
     * namespace, so can max_packet, until the last attachment is there; and what the application keeps
     * of it with sio_http_keep, 16 requests of max_head and max_payload at the most. While a session or
     * plain WebSocket is there, its request of max_head is kept, and for each namespace that it joins a
     * CONNECT payload of max_payload. When all of this together exceeds max_memory, those who hold most
     * are ended, until three quarters are left. AUDIT.md has the numbers. */
    size_t max_payload;  // 1000000: a request's body, a WebSocket message
    size_t max_head;     // 16384: a request line with its header fields
    size_t max_output;   // 16 MiB waiting for one client, or one longer message; who sends much in
                         // one turn watches sio_pending
    size_t max_attachments;  // 10 in one packet that comes in
    size_t max_packet;       // 11 times max_payload: a packet's text with all its attachments
    size_t max_depth;        // 1024 levels of JSON
    size_t max_namespaces;   // 100 joined over one connection
    size_t max_rooms;        // 10000 joined by one socket
    size_t max_connections;  // SIO_NO_LIMIT: as many as there are descriptors
    size_t max_sessions;     // 100000 of an endpoint; when there are so many, the oldest that has
                             // joined no namespace (of plain Engine.IO: that sent no message) makes
                             // room; where there is none, handshakes are answered 503
    /* 25000 sessions of one address at an endpoint; more are answered 503. Behind a proxy without
     * trust_proxy all clients have one address. On a public port a few hundred are enough for those
     * who share one. */
    size_t max_sessions_per_address;
    size_t max_per_address;  // SIO_NO_LIMIT connections; IPv6 counts by its first 64 bits
    size_t max_memory;       // 512 MiB of all clients' input and output on its way, and of what is
                             // kept of their requests and of CONNECT
    /* What may come in a second; 0: no limit. Two seconds' worth may come at once, so a byte rate below
     * half of max_payload makes that smaller. Of a client, which is a session or a plain WebSocket: its
     * packets, over a WebSocket all frames, and their bytes. One that sends more is closed, over a
     * WebSocket with 1008; "disconnect" is told "transport error". Of an address, as in max_per_address
     * but, with trust_proxy, the one that the proxy names: what all its clients send, and each request
     * as a packet, with its bytes; a request too many is answered 429, and its connection closed.
     * Reading more slowly instead would have the client's own pongs wait, and what it sends be kept. */
    size_t max_packet_rate, max_byte_rate;
    size_t max_packet_rate_per_address, max_byte_rate_per_address;
    int header_timeout_ms;   // 60000 until a request's head is complete
    int request_timeout_ms;  // 300000 until a request is complete, or a packet's attachments, or a
                             // plain WebSocket's message are
    int keep_alive_ms;       // 5000 of silence between two requests
    int return_timeout_ms;   // 10000 for a client to come back after a handshake by polling
    int close_timeout_ms;    // 30000 for the client to take or answer a close
    int stop_timeout_ms;     // 500 for sio_run to say goodbye after sio_shutdown
    /* 10000 namespaces of families; a client that asks for one more gets "Invalid namespace". */
    size_t max_dynamic_namespaces;

    /* The outside. memory: as realloc; size 0 frees and returns NULL; it must not call the library.
     * log: gets a line, without a line end, when the turn ends, for each request, handshake, CONNECT
     * and template that is refused, and where a session ends for its client's mistake, its silence or a
     * limit. A line is one sentence, what happened,
     * then in brackets the remedy, then whom it is about as far as that is known:
     *     request refused: .. (..); client "10.0.0.1", path "/socket.io/", origin "http://a"
     * client, path (without the query), origin, session and namespace. What stands between the quotes
     * is the client's: at most 100 bytes, and all but plain ASCII as \xNN. Who knows the id of a session
     * that lives can speak as its client, so the log is not for everybody. Of each kind ten lines are
     * told in a second, then one with the number of the others. */
    void *(*memory)(void *user, void *p, size_t size);
    void (*log)(void *user, const char *line);
    /* Gets a line, without a line end, for each packet of Engine.IO, at once: as it comes in, and as it is
     * queued to go out; and for each session's end:
     *     -> 4f2a ws   EVENT /chat "hello" 2 arguments, wants ack 7, 22 bytes: 42/chat,7["hello",1,2]
     *     <- 4f2a ws   ACK /chat 1 argument, answers 7, 17 bytes: 43/chat,7["fine"]
     *     == 4f2a ws   ended: transport close
     * That is: to the server or to its client; the beginning of the session's id; "ws" or "poll", which
     * carries it; what it says, in words; its size; and the first 200 bytes of its text, in which what a
     * terminal would obey is \xNN, or 16 of an attachment. Nothing is masked: passwords and tokens that
     * clients send, ids of sessions, what people write. It must not call the library. */
    void (*trace)(void *user, const char *line);
    void *user;  // handed to memory, log and trace, and returned by sio_user
} sio_options;

/* Makes a server. Copies the options and their strings; NULL is all defaults.
 * NULL: no memory, no descriptors, no random bytes; EINVAL: the path has no '/' in front. */
sio_server *sio_new(const sio_options *options);

/* Closes everything without a goodbye and frees it. Handlers of "disconnect" still run. From inside
 * a callback it frees nothing, for what called that goes on: then it does what sio_shutdown does. */
void sio_free(sio_server *io);

/* Listens at host and port: an IPv4 or IPv6 address, or a name, of which the first address that
 * works is taken; NULL: all of this machine's; port 0 for a free one; or at "unix:/path", port ignored. May be called several times. Returns the port (0 for unix), or -1:
 * EINVAL after sio_shutdown, since a server that was stopped serves no more. */
int sio_listen(sio_server *io, const char *host, int port);

/* Serves clients of protocol 3 (Socket.IO 1 and 2) as well, from now on: at Socket.IO's endpoint, and at
 * all of sio_engine, whether they are made before or after. Their ids of sockets hold the id of the
 * session, and who knows that can speak as them: tell nobody a socket's id then. In protocol 4 the two
 * have nothing in common. Returns 0. */
int sio_allow_v3(sio_server *io);

/* Serves until sio_shutdown, then tells every client, lets those that poll fetch what is queued, flushes,
 * and returns 0; -1 if the loop fails, or from inside a callback (EDEADLK). */
int sio_run(sio_server *io);

/* Serves what is ready, waiting for it at most timeout_ms (-1: until something happens). Returns 1
 * to be called again, 0 after sio_shutdown has been carried out, -1 if the loop fails, or from inside a
 * callback (EDEADLK). */
int sio_turn(sio_server *io, int timeout_ms);

/* A descriptor that is readable when sio_turn has something to do, for other programs' loops; call
 * sio_turn at least every sio_wait_ms. -1 where there is none (poll(2) instead of epoll). */
int sio_fd(const sio_server *io);

/* Milliseconds from now until the next deadline; -1 for none. */
int sio_wait_ms(const sio_server *io);

/* Ends sio_run, for good: serving again takes another server. The only function that a signal handler
 * may call; another thread may call this and sio_post. */
void sio_shutdown(sio_server *io);

/* Connection state recovery: a socket that was lost, and comes back in time with the same client, has
 * its id, rooms and data again, and gets what was sent to it meanwhile. (A page that is loaded again is another client.) "disconnect" runs when it is
 * lost, and "connection" when it is back, where sio_recovered tells; it is another socket with another
 * handle then, and questions that it was asked have failed. One that does not come back in time is gone
 * for good when its data is released (sio_set_data).
 * Without a call of this nothing is kept for anybody. 0 and false stand for the default; NULL is all
 * defaults. */
typedef struct sio_recovery {
    int ms;                // 120000: how long a socket may be away
    size_t bytes;          // 16 MiB of packets and lost sockets kept, over all namespaces
    bool run_middlewares;  // those of sio_use, for sockets that come back too
} sio_recovery;

/* Copies options. -1: EBUSY when it was called before, sockets are connected, or sio_free has begun;
 * ENOMEM. */
int sio_recover(sio_server *io, const sio_recovery *options);

void *sio_user(const sio_server *io);

/* Calls fn once, in ms from now or later, never earlier; sio_every again and again, each ms (at least 1)
 * from the first time on, without making up for what was missed. Keep data; sio_free forgets what is
 * still to come. Return an id above 0 for sio_cancel, or 0: EINVAL for no fn; ENOMEM. */
uint64_t sio_after(sio_server *io, int ms, void (*fn)(sio_server *io, void *data), void *data);
uint64_t sio_every(sio_server *io, int ms, void (*fn)(sio_server *io, void *data), void *data);

/* Forgets a call that is still to come; an id that is none any more is ignored. */
void sio_cancel(sio_server *io, uint64_t id);

/* From any thread: has the thread that runs the server call fn, soon, in the order of posting. Keeps
 * data. Nothing is called once sio_free has begun, and no thread may post any more then. -1: EINVAL for no
 * fn; EAGAIN: thousands wait already, try again. */
int sio_post(sio_server *io, void (*fn)(sio_server *io, void *data), void *data);

/* Calls fn whenever a descriptor of yours, such as a terminal's or a database's, is ready for events:
 * SIO_READABLE, SIO_WRITABLE or both; an error or the end counts as readable. It is called again as long
 * as that holds. A second call for the same descriptor takes the place of the first; events 0 (fn may
 * be NULL) ends it, which comes before close. Keeps data. -1: EINVAL; ENOMEM; or what the system says
 * of a descriptor that can't be waited for, like a file's. */
enum { SIO_READABLE = 1, SIO_WRITABLE = 2 };
int sio_watch(sio_server *io, int fd, int events,
              void (*fn)(sio_server *io, int fd, int events, void *data), void *data);

typedef struct sio_stats {
    uint64_t connections, sessions, sockets, rooms;      // now
    uint64_t accepted, handshakes, upgrades, recovered;  // since the start
    uint64_t packets_in, packets_out, bytes_in, bytes_out;
    uint64_t published, unpublished, heard;              // messages to and from the cluster
    uint64_t refused, bad_requests, parse_errors, overflows, volatile_drops, ping_timeouts;
    uint64_t
        rate_limited;  // clients that were closed, and requests that were refused, for their rate
} sio_stats;

/* Lends counters that stay up to date while the server lives. */
const sio_stats *sio_get_stats(const sio_server *io);

/* ---- Namespaces ----------------------------------------------------------------------------- */

/* The namespace of that name ("chat" is "/chat"); made when there is none, in the first family that
 * takes the name, whose accept gets {} as its argument. It stays until sio_free; for names that come
 * from clients there is sio_find. NULL: ENOMEM; EINVAL for a name that is NULL, has a comma, or is
 * longer than SIO_NS_NAME bytes; ELOOP for an accept that calls sio_of from inside itself too often. */
#define SIO_NS_NAME 255
sio_namespace *sio_of(sio_server *io, const char *name);

/* The namespace of exactly that name, as clients say it, with its '/'; or NULL when there is none. */
sio_namespace *sio_find(sio_server *io, const char *name);

/* A family of namespaces: when a client asks for a name that does not exist, accept is called with
 * the CONNECT payload as the event's argument 0, and where it returns true the namespace is made,
 * with the handlers and middlewares of the family. Families are asked in the order in which they
 * were made. Handlers are set on the family like on any namespace; emitting to the family reaches
 * every namespace of it that there is at the call. A client that asks for a longer name than
 * SIO_NS_NAME is disconnected. accept can't answer later: it returns true, and a middleware of the
 * family keeps the client waiting (sio_next_later). */
sio_namespace *sio_family(sio_server *io, bool (*accept)(const char *name, sio_event *auth),
                          void *data SIO_OPTIONAL);

const char *sio_ns_name(const sio_namespace *ns);  // lends; good as long as ns
sio_server *sio_ns_server(const sio_namespace *ns);
size_t sio_ns_size(const sio_namespace *ns);  // connected sockets

/* The family of a dynamic namespace, or NULL. */
sio_namespace *sio_ns_family(const sio_namespace *ns);

typedef void (*sio_handler)(sio_socket *socket, sio_event *event);

/* Calls fn for the events of that name from every socket of the namespace; several handlers of one
 * name run in the order in which they were set; what one of them sets runs from the next event on. The
 * library's own events:
 *   "connection"     argument 0: the CONNECT payload ({} without one)
 *   "disconnecting"  argument 0: the reason. Argument 1, with "transport error" where it is known what
 *                    went wrong: the message of the reference's Error, like "overlap from client"; with
 *                    all other reasons there is none. The rooms are still joined
 *   "disconnect"     the same arguments; the rooms are left
 *   "error"          a middleware of sio_use_event failed: its message, and its data or null;
 *                    an event of that name from a client is ignored
 * Set handlers once, when the program begins, and not in "connection": they are the namespace's. The
 * same fn with the same data is set once, however often. sio_once: for the next one alone, whichever
 * socket it is from. data, which may be left out: what sio_handler_data returns in fn. 0, or -1: EINVAL
 * for NULL, ENOMEM. */
int sio_on(sio_namespace *ns, const char *event, sio_handler fn, void *data SIO_OPTIONAL);
int sio_once(sio_namespace *ns, const char *event, sio_handler fn, void *data SIO_OPTIONAL);

/* Forgets the handlers that were set with that fn and data (NULL where it is left out); fn NULL: all of
 * that name. Those that were to run for the event under way do not. Returns how many. */
int sio_off(sio_namespace *ns, const char *event, sio_handler fn, void *data SIO_OPTIONAL);

/* Calls fn for every event that comes in, before middlewares and handlers; or for every event that
 * goes out to a socket (acknowledgements are neither). sio_off_any forgets fn in both. As sio_on. */
int sio_on_any(sio_namespace *ns, sio_handler fn, void *data SIO_OPTIONAL);
int sio_on_any_outgoing(sio_namespace *ns, sio_handler fn, void *data SIO_OPTIONAL);
int sio_off_any(sio_namespace *ns, sio_handler fn, void *data SIO_OPTIONAL);

/* What the handler, middleware or accept that is running was set with. */
void *sio_handler_data(const sio_event *event);

/* A middleware returns NULL to go on, or the message of its error (copied), for which
 * sio_error_data may have set the data. sio_use: before the "connection" event; argument 0 is the
 * CONNECT payload; an error is sent as CONNECT_ERROR. sio_use_event: before each event's handlers;
 * an error calls the "error" handlers. In both, SIO_DROP goes no further and answers nothing. */
typedef const char *(*sio_middleware)(sio_socket *socket, sio_event *event);
extern const char SIO_DROP[];
int sio_use(sio_namespace *ns, sio_middleware fn, void *data SIO_OPTIONAL);
int sio_use_event(sio_namespace *ns, sio_middleware fn, void *data SIO_OPTIONAL);
int sio_error_data(sio_event *event, const char *format, ...) SIO_PRINTF(2, 3);

/* A middleware of sio_use that can only answer later returns SIO_LATER after it took a handle with
 * sio_next_later; sio_next then goes on (error NULL) or fails (with data; "" for none), and returns
 * 0. The handle, to be kept by value, does this once; of several that one call took the first does.
 * When it was used, when the socket is gone, and when the middleware returned anything but SIO_LATER,
 * which counts instead, it does nothing. */
typedef struct sio_admission {
    sio_server *io;
    uint64_t socket, serial;
} sio_admission;
extern const char SIO_LATER[];
sio_admission sio_next_later(sio_event *event);
/* The socket that waits, to remember what was found out about it; NULL: the handle means nothing. */
sio_socket *sio_next_socket(sio_admission a);
int sio_next(sio_admission a, const char *error, const char *format, ...) SIO_PRINTF(3, 4);

/* ---- Sockets -------------------------------------------------------------------------------- */

const char *sio_id(const sio_socket *socket);  // lends; good as long as the socket
sio_namespace *sio_ns(const sio_socket *socket);
sio_server *sio_socket_server(const sio_socket *socket);
bool sio_connected(const sio_socket *socket);
bool sio_recovered(const sio_socket *socket);  // the session of an earlier connection goes on
const char *sio_transport(const sio_socket *socket);  // "polling" or "websocket", now
int sio_protocol(const sio_socket *socket);           // Engine.IO protocol, 3 or 4

/* A socket is gone at some time after its "disconnect"; what lives longer than a callback holds a
 * handle instead. sio_socket_of returns NULL when the socket is gone or disconnected. Whatever is done
 * to a socket may be done to that: sio_emit, sio_disconnect, sio_join and their kin do nothing then, or
 * fail with EINVAL; sio_data is NULL. What asks a socket something else wants one. */
uint64_t sio_handle(const sio_socket *socket);
sio_socket *sio_socket_of(sio_server *io, uint64_t handle);

/* The connected socket of that id in the namespace, or NULL. */
sio_socket *sio_socket_by_id(const sio_namespace *ns, const char *id);

/* The application's state of a socket. Keeps data; release, unless NULL, is called with it once: by
 * sio_set_data when other data is set, or when the socket is gone for good (after the recovery time,
 * where there is one). That is after its "disconnect" and when no other callback is running, so
 * whoever has looked at the data may use it until it returns. release may call the library as any
 * callback may. Setting the same data again only changes release. */
void sio_set_data(sio_socket *socket, void *data, void (*release)(void *data));
void *sio_data(const sio_socket *socket);

/* How things end:
 *
 *     call                          what the client sees      what "disconnect" is told
 *     sio_disconnect(s, false)      a DISCONNECT (41)         "server namespace disconnect"
 *     sio_disconnect(s, true)       41 for each namespace,    "server namespace disconnect", in each
 *                                   then the connection ends
 *     sio_end_connection(s)         the connection ends       "forced close", in each namespace
 *     sio_shutdown(io)              first what is queued,     "server shutting down", all of them,
 *                                   then the same             in the turn after the call
 *     sio_free(io)                  the same at once          "server shutting down"
 *
 * The first three may be called anywhere, and the handlers run before they return. sio_shutdown may be
 * called anywhere. sio_free, like sio_run and sio_turn, may not be called in a callback: there it does
 * what sio_shutdown does. When a socket has left already, the first two do nothing; sio_end_connection
 * does as long as its connection is there. */

/* Leaves the namespace; close: ends the whole connection, with all its namespaces. */
void sio_disconnect(sio_socket *socket, bool close);

/* Ends the Engine.IO connection without a Socket.IO packet. */
void sio_end_connection(sio_socket *socket);

/* Bytes that wait for the client to read them. */
size_t sio_pending(const sio_socket *socket);

/* The request that opened the connection. All of them lend. */
const char *sio_url(const sio_socket *socket);      // raw target
const char *sio_address(const sio_socket *socket);  // the client's address
bool sio_xdomain(sio_socket *socket);               // it had an Origin
bool sio_secure(const sio_socket *socket);          // a trusted proxy said https
int64_t sio_issued(const sio_socket *socket);       // milliseconds since 1970
sio_value sio_auth(sio_socket *socket);             // the CONNECT payload, {} without one
sio_value sio_query(sio_socket *socket);            // an object of strings: the first 200 names
/* A header field, repeated ones joined with ", "; NULL: absent. */
const char *sio_header(sio_socket *socket, const char *name);
/* The i-th header field, without those that concern the connection alone; the name in lower case. name
 * and value may be NULL. False: there are fewer. O(i) */
bool sio_field(const sio_socket *socket, size_t i, const char **name, const char **value);

/* ---- Sending -------------------------------------------------------------------------------- */

/* Who gets an event: passed by value, changed by copy, read in the order it is said:
 *
 *     sio_emit(sio_except(sio_to(sio_broadcast(socket), "a"), "b"), "hi", "%d", 7);
 *
 * Room names and lists are borrowed until the call that uses the target. SIO_TARGET_NAMES of
 * sio_to and sio_except together are the most, and one list of each kind. A target with NULL in it is
 * nobody's: using it fails with EINVAL. */
#define SIO_TARGET_NAMES 5
typedef struct sio_target {
    sio_namespace *ns;
    sio_socket *self;  // sio_self: the only receiver; sio_broadcast: the one left out
    const char *const *to_list, *const *except_list;
    unsigned n_to_list, n_except_list;
    int timeout_ms;  // 0: none; below: it is over at once
    bool only_self;
    bool is_volatile : 1, is_local : 1;
    unsigned char n_to, n_except;        // one more than fit: using the target fails with E2BIG
    const char *name[SIO_TARGET_NAMES];  // n_to from the front, n_except from the end
} sio_target;

sio_target sio_all(sio_namespace *ns);                                     // io.emit
sio_target sio_self(sio_socket *socket);                                   // socket.emit; no rooms
sio_target sio_broadcast(sio_socket *socket);                              // socket.broadcast
sio_target sio_to(sio_target t, const char *room);                         // the union of the rooms
sio_target sio_except(sio_target t, const char *room);                     // without the members
sio_target sio_to_list(sio_target t, const char *const *rooms, size_t n);  // any number of names
sio_target sio_except_list(sio_target t, const char *const *rooms, size_t n);
/* Dropped for each receiver that can't take it at once: it has not read what was sent, polls and has
 * no GET waiting, or was sent something else since the turn began. So of two in one turn the second is
 * dropped, as with the reference: what belongs together goes in one event. */
sio_target sio_volatile(sio_target t);
sio_target sio_timeout(sio_target t, int ms);    // for sio_request; 0: it times out at once
sio_target sio_local(sio_target t);              // this process alone (sio_redis)
sio_target sio_compress(sio_target t, bool on);  // accepted; nothing is compressed

/* Sends an event. The template is JSON with any number of values, separated by commas, as the
 * event's arguments; "'" may stand for '"', and "" is no arguments. Conversions are printf's:
 *   %s %.9s %.*s   a JSON string, escaped, which must be UTF-8; inside quotes: its characters. With
 *                  a precision: the whole letters that fit in so many bytes
 *   %d %u %ld ...  an integer, with the lengths hh h l ll j z t
 *   !!%d           true or false: the integer is not 0
 *   %g %f %.2f     a number; without a precision the shortest that reads back equal; NaN is null
 *   %p             a sio_value, as it is, with its attachments; NULL is null
 *   %%             a percent sign, inside quotes
 * There are no widths and no flags.
 * 0: sent, or nobody was there. -1: nothing is sent: EINVAL for a template that is not JSON, NULL for
 * %s, text that is not UTF-8, a reserved event name, rooms of sio_self, and beside attachments an
 * object with "_placeholder": true, which clients would take for one; E2BIG for more than 1000
 * attachments (the JavaScript client takes 10) or too many rooms; ENOMEM. The log says which, and where
 * in the template. EINVAL without a line: NULL for the event's name, or in the target. */
int sio_emit(sio_target t, const char *event, const char *format, ...) SIO_PRINTF(3, 4);
int sio_vemit(sio_target t, const char *event, const char *format, va_list ap);

/* Sends an event and calls back, exactly once, with the answer; never before it has returned. To
 * sio_self: answer's arguments are those of the acknowledgement. To others: a timeout is needed
 * (EINVAL without), and answer's arguments are the first argument of each receiver's answer, in the
 * order of arrival; none at once where nobody is. error: NULL, "operation has timed out" (answer
 * then holds what came in time, for others) or "socket has been disconnected". Keeps data until
 * then. Returns as sio_emit, and -1 with ECANCELED once sio_free has begun; after -1 fn is not
 * called. */
typedef void (*sio_answer)(sio_server *io, void *data, const char *error, sio_event *answer);
int sio_request(sio_target t, sio_answer fn, void *data, const char *event, const char *format, ...)
    SIO_PRINTF(5, 6);
int sio_vrequest(sio_target t, sio_answer fn, void *data, const char *event, const char *format,
                 va_list ap);

/* Values for "%p". Lend. */
sio_value sio_null(void);
sio_value sio_bool(bool b);
sio_value sio_binary(sio_server *io, const void *p, size_t n);  // keeps p until the callback ends
/* A value made from a template, as in sio_emit, that must hold exactly one value; NULL: it fails. */
sio_value sio_make(sio_server *io, const char *format, ...) SIO_PRINTF(2, 3);
sio_value sio_vmake(sio_server *io, const char *format, va_list ap);
/* Of n bytes of JSON that are there already, such as a database's: copied. NULL: EINVAL for what is no
 * JSON, is deeper than max_depth, or is not UTF-8; ENOMEM. */
sio_value sio_parse(sio_server *io, const char *json, size_t n);
/* An array and an object that grow: [] and {} at first. NULL: no memory. */
sio_value sio_array(sio_server *io);
sio_value sio_object(sio_server *io);
/* Adds a template's values to an array; or one value, as the member of that name, to an object (of two
 * with one name the client sees the last). As sio_emit; EINVAL too for what sio_array or sio_object has
 * not made: other values don't grow. */
int sio_push(sio_value array, const char *format, ...) SIO_PRINTF(2, 3);
int sio_vpush(sio_value array, const char *format, va_list ap);
int sio_set_member(sio_value object, const char *name, const char *format, ...) SIO_PRINTF(3, 4);
int sio_vset_member(sio_value object, const char *name, const char *format, va_list ap);
/* An array's elements one by one, as several arguments: only as a whole argument of sio_emit,
 * sio_ack and their kin. NULL: v is no array. */
sio_value sio_spread(sio_server *io, sio_value v);

/* ---- Receiving ------------------------------------------------------------------------------ */

/* Lends the event's name, "" without memory. Handlers are found by the same text: what no name in C
 * can have, U+0000 and lone surrogates, is U+FFFD in it. */
const char *sio_name(const sio_event *event);
/* For middlewares of sio_use_event: the event goes on under another name (copied). */
int sio_set_name(sio_event *event, const char *name);
/* Whose event it is: the socket that a handler is called with; in a sio_answer the one that was asked,
 * NULL where several were, or it is gone. Lends. */
sio_socket *sio_event_socket(const sio_event *event);
size_t sio_argc(const sio_event *event);
sio_value sio_arg(sio_event *event, size_t i);  // lends; NULL where there is none
sio_value sio_args(sio_event *event);           // all, spread; for forwarding
/* For sio_use_event: replaces argument i (or adds one behind the last) by a value, which lives as long as
 * the event. -1: EINVAL for a larger i, or a spread value; ENOMEM. */
int sio_set_arg(sio_event *event, size_t i, sio_value v);

/* Reads arguments by a template: JSON with scanf's conversions. Members of objects are looked up by
 * name, in any order; what the template does not name is ignored. Conversions:
 *   %64s           a string of at most 64 bytes and its NUL; without a width it is an error; fails
 *                  for a longer one or one with U+0000; a lone surrogate becomes U+FFFD
 *   %d %u %ld ...  a number that is an integer and fits, with the lengths hh h l ll j z t
 *   !!%d           true or false: stores 1 or 0
 *   %lf %f         a number
 *   %p             any value: stores a sio_value
 * A '?' behind a member's name, {'n'?: %d}, makes it optional: where it is absent or null, what it
 * would store is left as it was, and counts as stored.
 * Returns how many conversions were stored before the first that did not fit, for which errno tells
 * why: ENOENT (nothing there), EDOM (another type), ERANGE (the type, but it does not fit: no integer,
 * too large, too long), ENOMEM; or -1 with EINVAL for a template that is none, as far as it was read. */
int sio_scan(sio_event *event, const char *format, ...) SIO_SCANF(2, 3);
int sio_vscan(sio_event *event, const char *format, va_list ap);
int sio_scan_value(sio_value v, const char *format, ...) SIO_SCANF(2, 3);
int sio_vscan_value(sio_value v, const char *format, va_list ap);

enum sio_type {
    SIO_NULL,
    SIO_FALSE,
    SIO_TRUE,
    SIO_NUMBER,
    SIO_STRING,
    SIO_ARRAY,
    SIO_OBJECT,
    SIO_BINARY
};

/* All lend, and all take NULL for null. */
enum sio_type sio_type(sio_value v);
size_t sio_count(sio_value v);                       // elements or members, else 0. O(size)
sio_value sio_at(sio_value v, size_t i);             // an array's element. O(bytes before it)
sio_value sio_member(sio_value v, const char *key);  // an object's member (of several the last)
const char *sio_text(sio_value v, size_t *n);        // a string, decoded; NULL: none. n may be NULL
const void *sio_bytes(sio_value v, size_t *n);       // a binary attachment; NULL: none
const char *sio_json(sio_value v, size_t *n);        // the JSON text; not NUL-terminated

/* A copy that lives until sio_drop, which comes before sio_free. NULL: no memory. What was made of it,
 * or of an event that it is in, stays good until the callback ends that drops it. */
sio_value sio_keep(sio_server *io, sio_value v);
void sio_drop(sio_value kept);

/* Acknowledges an event; once; where the client did not ask it does nothing. As sio_emit; after -1 it
 * may be tried again, here and below. */
int sio_ack(sio_event *event, const char *format, ...) SIO_PRINTF(2, 3);
int sio_vack(sio_event *event, const char *format, va_list ap);
bool sio_wants_ack(const sio_event *event);

/* The same later: a handle to keep by value. Using it twice, or when the socket is gone, does
 * nothing. So does the handle of an event that wants no acknowledgement, or for which there is no
 * memory: then sio_wants_ack is still true. */
typedef struct sio_later {
    sio_server *io;
    uint64_t socket, serial;
} sio_later;
sio_later sio_ack_later(sio_event *event);
int sio_ack_now(sio_later later, const char *format, ...) SIO_PRINTF(2, 3);

/* ---- Rooms ---------------------------------------------------------------------------------- */

/* Every socket is in the room of its own id until it leaves it. Joining twice is joining once.
 * sio_join: 0, or -1: EINVAL for NULL, ENOMEM, or E2BIG for more than max_rooms. All three look the name up, then look
 * for the socket: O(rooms of the socket or members of the room, whichever are fewer). */
int sio_join(sio_socket *socket, const char *room);
void sio_leave(sio_socket *socket, const char *room);
bool sio_in_room(const sio_socket *socket, const char *room);

/* The i-th room of the socket, without its own; NULL behind the last. Lends until it leaves. */
const char *sio_room(const sio_socket *socket, size_t i);

/* All of them as an array of strings, its own first while it is in it. NULL: no memory. */
sio_value sio_socket_rooms(sio_socket *socket);

/* Calls fn for each room of the namespace that somebody joined, without those of sockets' ids. */
void sio_each_room(sio_namespace *ns, void (*fn)(const char *room, size_t members, void *data),
                   void *data);

/* Number of the room's members. O(1) */
size_t sio_room_size(const sio_namespace *ns, const char *room);

/* For each socket of the target: call fn, unless it has left meanwhile; join; leave; join and leave all of
 * several; disconnect. 0, or -1: E2BIG for too many rooms in the target, ENOMEM. */
int sio_each(sio_target t, void (*fn)(sio_socket *socket, void *data), void *data);
int sio_sockets_join(sio_target t, const char *room);
int sio_sockets_leave(sio_target t, const char *room);
int sio_sockets_join_list(sio_target t, const char *const *rooms, size_t n);
int sio_sockets_leave_list(sio_target t, const char *const *rooms, size_t n);
int sio_disconnect_sockets(sio_target t, bool close);

/* ---- Several processes ---------------------------------------------------------------------- */

/* Makes the servers that share a Redis one cluster, of which this one is a member from now on. They may
 * be C programs and Node programs with @socket.io/redis-adapter: the wire is the same, and so is that of
 * emitters, programs without sockets.
 *
 *     this process's                            the cluster's
 *     sio_self, sio_local                       sio_all, sio_broadcast and what is made of them, for
 *                                               sio_emit, sio_request and the three below
 *     sio_join, sio_leave, sio_disconnect       sio_sockets_join, sio_sockets_leave,
 *                                               sio_disconnect_sockets: done when it comes back from Redis,
 *                                               which is after the call, in one order for all members
 *     sio_each, sio_socket_by_id,               sio_fetch_sockets
 *     sio_ns_size
 *     sio_each_room, sio_room_size              sio_all_rooms
 *     sio_on                                    sio_on_server, sio_server_emit, sio_server_request
 *
 * url: "redis://[[user][:password]@]host[:port][/database]", with percent escapes. A name is resolved in
 * the call, which may take seconds, and not again. Connecting is not waited for. Two connections are
 * made; they come again by themselves, in 0.1 to 5 s, when Redis was away, as do all subscriptions.
 * Meanwhile, and when more than max_output waits for Redis, events reach the sockets of this process, and
 * what could not be published is counted (sio_stats.unpublished) and logged; it is not sent later.
 * Copies options; NULL is all defaults, and so are 0 and NULL in them. -1: EINVAL for a url that is none;
 * EPROTONOSUPPORT for "rediss:", since there is no TLS here (have a tunnel, such as stunnel);
 * EADDRNOTAVAIL for a name that is not found; EBUSY when it was called before, or sio_free has begun;
 * ENOMEM. */
typedef struct sio_redis_options {
    const char *key;          // "socket.io": what the names of all channels begin with
    int requests_timeout_ms;  // 5000: how long the others may take to answer
    /* Answers go to a channel of the member that asked, and not to all: for clusters whose members all
     * do so. */
    bool publish_on_specific_response_channel;
    /* SIO_ON: an event to exactly one room has a channel of its own, so that who has nobody in the room
     * drops it unread. SIO_OFF: all go to one channel per namespace, which is less for Redis to do. */
    enum sio_switch room_channels;
    size_t max_output;   // 16 MiB waiting for Redis; what comes then is lost to the others
    size_t max_message;  // 16 MiB: a message of the others, and all answers to one question; more is dropped
} sio_redis_options;
int sio_redis(sio_server *io, const char *url, const sio_redis_options *options);
/* Whether it is a member now: what the others publish is heard here, and the other way round. Programs that
 * start to serve only then, or tell a load balancer, ask for this. */
bool sio_redis_ready(const sio_server *io);

/* The sockets of the target in all processes: answer's arguments are objects, {"id":.., "handshake":{..},
 * "rooms":[..], "data":..}, our own first. error, here and below: NULL; "timeout reached .." where others
 * did not answer in time, or "the other processes can't be reached": then answer holds what there is. fn
 * runs in a later turn, once. Without sio_redis this process is all there is. Keeps data. -1: EINVAL for
 * no fn, a family, and what is wrong with the target; ENOMEM; ECANCELED once sio_free has begun. */
int sio_fetch_sockets(sio_target t, sio_answer fn, void *data);
/* What that tells of a socket's data, here and to others: fn makes a value of it, as for "%p", NULL is {}.
 * Without a call of this it is {}. */
void sio_share(sio_server *io, sio_value (*fn)(sio_socket *socket));
/* The rooms of all processes, those of sockets' ids as well: answer's arguments are their names, each
 * once. */
int sio_all_rooms(sio_namespace *ns, sio_answer fn, void *data);
/* How many servers there are: answer's argument 0. */
int sio_server_count(sio_namespace *ns, sio_answer fn, void *data);

/* Says an event to the other servers' applications; it reaches no client. Attachments arrive as
 * JavaScript's JSON of bytes, {"type":"Buffer","data":[..]}. A request calls back with the first argument
 * of each server's acknowledgement. -1: EINVAL for a family, NULL, and the names "connect", "connection"
 * and "new_namespace"; as sio_emit; ECANCELED. */
int sio_server_emit(sio_namespace *ns, const char *event, const char *format, ...)
    SIO_PRINTF(3, 4);
int sio_vserver_emit(sio_namespace *ns, const char *event, const char *format, va_list ap);
int sio_server_request(sio_namespace *ns, sio_answer fn, void *data, const char *event,
                       const char *format, ...) SIO_PRINTF(5, 6);
int sio_vserver_request(sio_namespace *ns, sio_answer fn, void *data, const char *event,
                        const char *format, va_list ap);
/* Calls fn for the events of that name from other servers, with socket NULL. It may acknowledge, at once or
 * with sio_ack_later, as long as requests_timeout_ms. As sio_on and sio_off. */
int sio_on_server(sio_namespace *ns, const char *event, sio_handler fn, void *data SIO_OPTIONAL);
int sio_off_server(sio_namespace *ns, const char *event, sio_handler fn, void *data SIO_OPTIONAL);

/* ---- HTTP, plain WebSocket, plain Engine.IO ------------------------------------------------- */

typedef void (*sio_http_handler)(sio_http *http);

/* Serves requests for path with fn, which must answer or keep the request (sio_http_keep) before it
 * returns, or the client gets 500. GET serves HEAD too; method "*" any. The path is exact, or ends in
 * "*" and takes everything that begins so: an exact one comes first, then the longest; "*" alone is the
 * fallback (default: 404). Of two that fit as well, and of two endpoints of the functions below, the
 * first answers. Path and method are compared byte by byte, undecoded, without the query. -1: EINVAL
 * for a path without a '/' in front, or with a '?' or '#' in it; ENOMEM. */
int sio_route(sio_server *io, const char *method, const char *path, sio_http_handler fn,
              void *data SIO_OPTIONAL);
void *sio_http_data(const sio_http *http);  // what the route was set with; NULL in hooks of options

/* Serves one file, with ETag, HEAD and the Content-Type of its name's ending; read again when it
 * changes. -1: it can't be read now, or as sio_route. */
int sio_file(sio_server *io, const char *path, const char *file);

/* The same with bytes from memory, of that type (copied; NULL: no Content-Type). Keeps p, whose bytes
 * may not change: their tag is made once, from what they are. -1: EINVAL, ENOMEM. */
int sio_bundle(sio_server *io, const char *path, const char *type, const void *p, size_t n);

/* Serves the files below a folder, with what sio_file adds, at a path that ends in a slash and a star. The
 * rest of a request's path, decoded once, is the file's name; it is read when it is asked for, in the
 * turn; a longer one than max_output is answered 500, which the log is told. A path that ends in a slash
 * gets the index.html there; a folder's name without the slash leads there by 301. 404: what is not
 * there, is no plain file, or has a dot in front of its name or of a folder's on the way, so that nobody
 * comes out of the folder; and a backslash, U+0000, an escaped slash, two slashes in a row. Symbolic
 * links are followed, wherever they lead. -1: EINVAL, ENOMEM; whether the folder is there is not asked. */
int sio_folder(sio_server *io, const char *path, const char *folder);

/* Serves a client for browsers, sio.js or an official one, as socket.io.js below Socket.IO's path: pages
 * find it at "/socket.io/socket.io.js", as with sio_file. socket.io.min.js is the same; their source maps
 * are the file of that name with ".map" behind it, if there is one at the call. From memory: sio_bundle at
 * that path. Without either it is answered 400, which the log is told. -1: as sio_file. */
int sio_serve_client(sio_server *io, const char *file);

sio_server *sio_http_server(const sio_http *http);
const char *sio_http_method(const sio_http *http);
const char *sio_http_target(const sio_http *http);              // raw, with the query
const char *sio_http_path(sio_http *http);                      // raw, without the query
const char *sio_http_header(sio_http *http, const char *name);  // NULL: absent
const char *sio_http_query(sio_http *http, const char *name);   // decoded, the last; NULL: absent
const char *sio_http_address(sio_http *http);
const void *sio_http_body(const sio_http *http, size_t *n);  // n may be NULL
/* The i-th header field, as it was sent; name and value may be NULL. False: there are fewer, or no
 * memory. */
bool sio_http_field(sio_http *http, size_t i, const char **name, const char **value);
/* Adds a header field to the answer. -1: EINVAL for a name that is no token, a value with control
 * bytes, and fields that say where the answer ends (Content-Length, Transfer-Encoding, Connection),
 * which are the library's; ENOMEM. */
int sio_http_add_header(sio_http *http, const char *name, const char *value);
/* Answers. type NULL: no Content-Type. Borrows p; 204 and 304 have no body. Only the first answer
 * counts. -1: EINVAL for a second one, a status below 200 or above 999, control bytes in type, p NULL
 * where n is not 0. */
int sio_http_reply(sio_http *http, int status, const char *type, const void *p, size_t n);

/* Keeps the request, with its head and body, to be answered later: in a route's handler, and in
 * allow_request. Returns its handle, each time the same; 0: EINVAL elsewhere, or after the answer;
 * ENOMEM. When nobody answers within request_timeout_ms, the client gets 503. Requests that follow over
 * its connection are handled meanwhile, and answered behind it: at most 16 wait for their answers. What
 * is kept counts in max_memory. */
uint64_t sio_http_keep(sio_http *http);
/* Lends the request of that handle. NULL, from then on for ever: it was answered, or its client is gone.
 * The functions of requests take NULL: those that return a number fail with EINVAL, the others find
 * nothing. So sio_http_reply(sio_http_of(io, h), ...) does nothing for who is gone. */
sio_http *sio_http_of(sio_server *io, uint64_t handle);
/* Goes on with a handshake for which allow_request returned SIO_LATER: refusal as it returns that, NULL
 * to let the client in. -1: EINVAL for any other request, and as long as allow_request runs. Where it kept
 * the request and returned something else, that counts, and the handle means nothing. A client that sends
 * more before it is let in over WebSocket is refused (RFC 6455, 4.1). */
int sio_http_allow(sio_http *http, const char *refusal);

/* Plain WebSocket beside Socket.IO, limited like the server: pinged each ping_interval_ms, and ended
 * when no frame comes within ping_timeout_ms then, or a message in several frames takes longer than
 * request_timeout_ms.
 * allow is asked for each handshake: NULL accepts it; a message, which must stay as it is until the
 * callback ends, refuses it with 403 ("" is the standard one, "Forbidden"). It can't answer later. Lends
 * the request for the call; sio_http_add_header adds to the answer that accepts.
 * text: a message of UTF-8 text, not binary. close: the client's code; 1005: it sent none; 1006: it
 * went without a close frame; or the code that was sent to it (1005: none was). clean: it said
 * goodbye, or sio_ws_close did. */
typedef struct sio_ws sio_ws;
typedef struct sio_ws_handlers {
    void (*open)(sio_ws *ws);
    void (*message)(sio_ws *ws, bool text, const void *p, size_t n);
    void (*close)(sio_ws *ws, int code, bool clean);
    const char *(*allow)(sio_http *http);
    void *data;  // kept: what sio_ws_data returns until it is set, and sio_http_data in allow
} sio_ws_handlers;
/* Copies handlers; each may be NULL. Lends a ws until its close handler returns. -1: EINVAL for no
 * handlers, no path, and one without a '/' in front; ENOMEM. */
int sio_websocket(sio_server *io, const char *path, const sio_ws_handlers *handlers);
/* Both copy p. -1: nothing is sent: EINVAL for text that is not UTF-8, and no path; ENOMEM; EPIPE where
 * the client is gone, or will be when the turn ends because it does not read (max_output); ENOENT for a
 * path that is nobody's. */
int sio_ws_send(sio_ws *ws, bool text, const void *p, size_t n);
int sio_ws_broadcast(sio_server *io, const char *path, bool text, const void *p, size_t n);
/* The handler of close runs before it returns; closing twice is closing once. code 0: a close frame
 * without one. -1: EINVAL for a code that may not be sent (RFC 6455, 7.4: 1000 to 1014 but 1004, 1005
 * and 1006, and 3000 to 4999 may). */
int sio_ws_close(sio_ws *ws, int code);
sio_server *sio_ws_server(const sio_ws *ws);
/* The request that opened it, as sio_url and its kin: each client's is kept, which takes the memory of
 * its text, some 300 bytes of a browser without cookies. */
const char *sio_ws_url(const sio_ws *ws);
const char *sio_ws_address(const sio_ws *ws);
const char *sio_ws_header(sio_ws *ws, const char *name);
sio_value sio_ws_query(sio_ws *ws);
void sio_ws_set_data(sio_ws *ws, void *data);
void *sio_ws_data(const sio_ws *ws);

/* Engine.IO without Socket.IO at a path of its own, with its own options (memory, log, trace, user,
 * trust_proxy, rates, what is about connections and what belongs to Socket.IO are the server's). Lends the
 * session until its close handler returns. */
typedef struct sio_session sio_session;
typedef struct sio_engine_handlers {
    void (*open)(sio_session *s);
    void (*message)(sio_session *s, bool text, const void *p, size_t n);
    void (*close)(sio_session *s, const char *reason);
    void *data;  // kept: what sio_session_data returns until it is set
} sio_engine_handlers;
/* Copies handlers; each may be NULL. -1: EINVAL for no handlers, and as sio_new for the path; ENOMEM. */
int sio_engine(sio_server *io, const sio_options *options, const sio_engine_handlers *handlers);
int sio_session_send(sio_session *s, bool text, const void *p, size_t n);  // copies p
void sio_session_close(sio_session *s);
sio_server *sio_session_server(const sio_session *s);
const char *sio_session_id(const sio_session *s);
/* The request that opened it, as sio_url and its kin. */
const char *sio_session_url(const sio_session *s);
const char *sio_session_address(const sio_session *s);
const char *sio_session_header(sio_session *s, const char *name);
sio_value sio_session_query(sio_session *s);
void sio_session_set_data(sio_session *s, void *data);
void *sio_session_data(const sio_session *s);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

/* ---- How templates are literals, and data may be left out ------------------------------------ */

/* __extension__: "%p" takes a sio_value, where pedantic compilers want a void *. */
#if defined(__GNUC__)
#define SIO_SAY __extension__
#else
#define SIO_SAY
#endif

#define sio_emit(t, event, ...) (SIO_SAY sio_emit(t, event, " " __VA_ARGS__))
#define sio_request(t, fn, data, event, ...)                                                       \
    (SIO_SAY sio_request(t, fn, data, event, " " __VA_ARGS__))
#define sio_server_emit(ns, event, ...) (SIO_SAY sio_server_emit(ns, event, " " __VA_ARGS__))
#define sio_server_request(ns, fn, data, event, ...)                                               \
    (SIO_SAY sio_server_request(ns, fn, data, event, " " __VA_ARGS__))
#define sio_make(io, ...) (SIO_SAY sio_make(io, " " __VA_ARGS__))
#define sio_push(array, ...) (SIO_SAY sio_push(array, " " __VA_ARGS__))
#define sio_set_member(object, name, ...) (SIO_SAY sio_set_member(object, name, " " __VA_ARGS__))
#define sio_scan(event, ...) (SIO_SAY sio_scan(event, " " __VA_ARGS__))
#define sio_scan_value(v, ...) (SIO_SAY sio_scan_value(v, " " __VA_ARGS__))
#define sio_ack(event, ...) (SIO_SAY sio_ack(event, " " __VA_ARGS__))
#define sio_ack_now(later, ...) (SIO_SAY sio_ack_now(later, " " __VA_ARGS__))
#define sio_error_data(event, ...) (SIO_SAY sio_error_data(event, " " __VA_ARGS__))
#define sio_next(a, error, ...) (SIO_SAY sio_next(a, error, " " __VA_ARGS__))

#ifndef __cplusplus
#define SIO_FN(fn, data, ...) fn, data
#define sio_on(ns, event, ...) sio_on(ns, event, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_once(ns, event, ...) sio_once(ns, event, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_off(ns, event, ...) sio_off(ns, event, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_on_any(ns, ...) sio_on_any(ns, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_on_any_outgoing(ns, ...) sio_on_any_outgoing(ns, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_on_server(ns, event, ...) sio_on_server(ns, event, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_off_server(ns, event, ...) sio_off_server(ns, event, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_off_any(ns, ...) sio_off_any(ns, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_use(ns, ...) sio_use(ns, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_use_event(ns, ...) sio_use_event(ns, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_family(io, ...) sio_family(io, SIO_FN(__VA_ARGS__, NULL, 0))
#define sio_route(io, method, path, ...) sio_route(io, method, path, SIO_FN(__VA_ARGS__, NULL, 0))
#endif

#endif
