/* eio.h - Engine.IO
 * SPDX-License-Identifier: MIT */
#ifndef SIO_EIO_H
#define SIO_EIO_H

#include "net.h"

/* ---- eio.c: Engine.IO sessions -------------------------------------------------------------------- */

typedef struct sio_eio sio_eio;

/* What an endpoint's owner hears of its sessions. */
typedef struct sio_eio_events {
    void (*open)(void *owner, sio_session *s);
    /* A message; the session may be closed by it. Lends p for the call. */
    void (*message)(void *owner, sio_session *s, bool text, const char *p, size_t n);
    /* The session is over. It stays valid until the turn ends. details: what exactly; NULL: nothing
     * more is known. */
    void (*close)(void *owner, sio_session *s, const char *reason, const char *details);
    size_t (*held)(const sio_session *s);  // what the owner keeps for it; NULL: nothing
} sio_eio_events;

/* The request that opened a session or a plain WebSocket: texts that end with NUL, one behind the
 * other: address, target, then names (in lower case) and values of header fields. */
typedef struct sio_handshake {
    int64_t issued;
    sio_crowd *from;  // where the session is counted; NULL: nowhere
    uint32_t n;
    bool secure;
    char text[];
} sio_handshake;

/* A payload that is being read. */
typedef struct sio_payload {
    sio_span bytes;
    size_t at;    // behind bytes.n: all is read
    bool binary;  // of protocol 3
} sio_payload;

/* A payload of many packets, of which later turns read slices. */
typedef struct sio_rest {
    sio_timer turn;  // first
    sio_session *session;
    sio_payload payload;
    char bytes[];
} sio_rest;

/* Polling: what waits for a GET, and the requests under way. */
typedef struct sio_polling {
    sio_session *session;  // NULL: it is over, or on a WebSocket by now; freed when the turn ends
    sio_exchange *get, *post;
    sio_rest *rest;               // what is left to be read of the post's payload
    struct sio_upgrade *upgrade;  // under way
    sio_queue queue;
    struct sio_polling *next;  // in eio->dirty
    sio_deadline returned;     // until its client has come back after the handshake
    char jsonp[12];            // eio_v3.c: digits of the GET's j parameter
    bool is_jsonp, dirty, overflow;
} sio_polling;

/* An upgrade under way: a WebSocket that wants to carry a polling session. */
typedef struct sio_upgrade {
    sio_session *session;  // NULL: over; freed when the turn ends
    sio_conn *conn;
    sio_deadline timeout, tick;
    bool base64;
    struct sio_upgrade *next;  // in eio->dead_upgrades
} sio_upgrade;

/* How the packets of a session travel. A session changes its transport by changing a pointer: that is
 * what an upgrade is. Nothing is sent by one that is not open any more, and "gone" is the last call.
 *
 *     sio_by_polling --"2probe", "5" over the connection of an sio_upgrade--> sio_by_websocket */
typedef struct sio_session_transport {
    const char *name;                              // as in a request's query
    void (*send)(sio_session *s, sio_ref frames);  // queues packets, as WebSocket frames
    bool (*ready)(const sio_session *s);           // what is sent now leaves at once
    bool (*reachable)(const sio_session *s);       // a close can be delivered now; NULL: always
    size_t (*pending)(const sio_session *s);       // bytes that wait to leave
    /* Sends what is queued as far as that can be: a close is to follow. False: it must wait, the
     * client has to come for them. NULL: it never must. */
    bool (*flush)(sio_session *s);
    void (*close)(sio_session *s, bool asked);  // says goodbye; asked: in answer to the client's
    void (*fail)(sio_session *s);               // has the session end with the turn
    void (*gone)(sio_session *s);               // the session is over: lets all go. NULL: nothing
} sio_session_transport;

extern const sio_session_transport sio_by_websocket, sio_by_polling;

/* What may still travel:
 *
 *     OPEN --close in order, by polling, with no GET or with packets before it--> CLOSING
 *       |                                                                            |
 *       |                 a GET fetches the close, an upgrade takes it, or close_timeout
 *       |                                                                            v
 *       +--any other close, violation, ping timeout, connection lost------------> CLOSED */
enum { SIO_SESSION_OPEN, SIO_SESSION_CLOSING, SIO_SESSION_CLOSED };

struct sio_session {
    sio_node node;  // first; in eio->sessions, by sid
    sio_eio *eio;
    void *user;  // the owner's
    const sio_session_transport *transport;
    union {
        sio_conn *conn;
        sio_polling *polling;
    } on;  // the transport's own; not used any more when CLOSED
    sio_handshake *handshake;
    sio_deadline beat;   // the next ping, or the pong that is due, or CLOSING's end
    uint32_t unsettled;  // place in eio->unsettled, + 1; 0: it has settled
    char sid[21];
    unsigned char state, protocol;
    bool base64;             // b64: no binary frames
    bool pinged, refreshed;  // a pong is due; its deadline has been moved once
    // Behind it, where rates are limited: its sio_meter
};

/* What differs in protocol 3. sio_allow_v3 puts it into the net; nobody opens a session of protocol 3
 * before, so who has one calls these without asking. */
typedef struct sio_eio_v3 {
    void (*beat)(sio_session *s);  // the heartbeat begins anew: the client pings
    /* A packet that came in, but a message of text. */
    void (*packet)(sio_session *s, bool text, const char *p, size_t n);
    /* Writes a packet as a WebSocket's frame. */
    void (*put)(const sio_session *s, sio_out *out, unsigned char op, const char *p, size_t n);
    /* A GET has come; jsonp: the value of its j parameter; p NULL: there is none. */
    void (*get)(sio_polling *k, sio_span jsonp);
    /* That GET, with what is queued. False: no memory, and x is answered 503. */
    bool (*answer)(const sio_session *s, sio_exchange *x);
    /* The body of a POST has come; x->kind: SIO_POST_... False: no memory. */
    bool (*body)(sio_session *s, const sio_exchange *x, sio_span body);
    /* Takes the next packet. 0: there is none; -1: malformed. */
    int (*next)(sio_payload *p, bool *text, sio_span *packet);
} sio_eio_v3;

enum { SIO_POST_BYTES = 1, SIO_POST_FORM = 2 };  // bits

struct sio_eio {
    sio_net *net;
    const sio_options *options;
    const sio_eio_events *events;
    void *owner;
    char *prefix;  // "/socket.io/"
    size_t prefix_n;
    sio_eio *next;
    sio_table sessions;
    sio_table crowds;  // how many sessions each address has
    /* Those whose owner has not said that they are used, in the order in which they opened, between
     * places that are NULL again; before the first there is none. */
    sio_session **unsettled;
    size_t first_unsettled, n_unsettled, cap_unsettled;
    sio_polling *dirty;  // have something done when the turn ends
    sio_session *dead;
    sio_upgrade *dead_upgrades;
    sio_fifo ping_fifo, pong_fifo, return_fifo, closing_fifo, upgrade_fifo, tick_fifo;
    sio_fifo silence_fifo;  // eio_v3.c's, from its first session on
    size_t n_rests;         // payloads that are read in slices
    bool told_cors;         // the log was, that there are pages that could do with it
    sio_ws_events ws_events, upgrade_events;
    sio_holder holder;
    sio_mount mount;
};

/* eio_trace.c. Have the option trace told, which must be there: of a packet, of packets as they are queued,
 * of a session's end. arrow: "-> " or "<- ". */
void sio_trace_packet(const sio_session *s, const char *arrow, bool websocket, bool text,
                      sio_span packet);
void sio_trace_frames(const sio_session *s, sio_ref frames);
void sio_trace_end(const sio_session *s, const char *reason);
static inline bool sio_traced(const sio_session *s)
{
    return s->eio->net->options->trace != NULL;
}

/* eio_cors.c. Whether the page that a browser says it is from may connect: CORS does not guard
 * WebSockets, nor what a page sends without wanting to read. */
bool sio_origin_allowed(const sio_options *o, const sio_http_head *head);
/* Adds the fields of CORS to the answer that x will get, errors too, if the options want any. */
void sio_cors_add(sio_eio *eio, sio_exchange *x, const sio_http_head *head);
void sio_cors_preflight(sio_eio *eio, sio_exchange *x,
                        const sio_http_head *head);  // answers OPTIONS
/* Tells the log, once, of a page that can't read what it asks for, since the option is not for it. */
void sio_cors_tell(sio_eio *eio, const sio_exchange *x, const sio_http_head *head);

/* keeps options and events. 0 or -1. */
int sio_eio_init(sio_eio *eio, sio_net *net, const sio_options *options,
                 const sio_eio_events *events, void *owner);
/* Whether the handshake of a WebSocket is as it must be; if not, x is answered 400, and
 * the log is told. */
bool sio_websocket_check(sio_exchange *x, const sio_http_head *head);
/* Tells the log; why: with the remedy. */
void sio_websocket_refused(const sio_conn *c, const sio_http_head *head, const char *why);
void sio_eio_mount(sio_eio *eio);  // requests for its path are answered from here on
void sio_eio_flush(sio_eio *eio);  // the turn's end, before sio_net_flush: answers waiting GETs
void sio_eio_bury(sio_eio *eio);   // then: frees what is over
void sio_eio_close_all(sio_eio *eio, const char *reason);
/* The same in order: those that a polling client must still fetch something from stay until it has. */
void sio_eio_stop(sio_eio *eio, const char *reason);
void sio_eio_free(sio_eio *eio);  // after close_all and bury

/* Queues frames (one or more) on the session. */
void sio_session_frames(sio_session *s, sio_ref frames);
/* No memory for what it is to get, and nobody would notice that it is missing: the session ends with
 * the turn. */
void sio_session_break(sio_session *s);
bool sio_session_writable(const sio_session *s);  // what is sent now leaves at once
size_t sio_session_pending(const sio_session *s);
/* Closes in order: what is queued goes out first. */
void sio_session_end(sio_session *s, const char *reason);
/* Closes at once, for a violation or a timeout. */
void sio_session_abort(sio_session *s, const char *reason);
/* The same for what its client did, which the log is told with the remedy. */
void sio_session_error(sio_session *s, const char *details, const char *remedy);
void sio_session_malformed(sio_session *s);  // a packet is none
/* The same for a request whose connection is gone. */
void sio_session_lost(sio_session *s, const char *details);
bool sio_session_reachable(const sio_session *s);   // a close can be delivered now
sio_about sio_session_about(const sio_session *s);  // for the log
/* What it holds beside what is on its way: its request, and what its owner keeps. */
size_t sio_session_held(const sio_session *s);
/* Keeps the request of a head, of which no address counts a session yet. NULL: no memory. */
sio_handshake *sio_handshake_new(const sio_conn *c, const sio_http_head *head);
void sio_handshake_free(const sio_memory *m, sio_handshake *h);  // NULL: nothing
size_t sio_handshake_size(const sio_handshake *h);               // as it counts in max_memory
const char *sio_handshake_url(const sio_handshake *h);
/* The i-th field that was kept. False: there are fewer. */
bool sio_handshake_field(const sio_handshake *h, size_t i, const char **name, const char **value);
const char *sio_handshake_header(const sio_handshake *h, const char *name, sio_arena *arena);

/* The client has done what sessions are for: this one does not make room for others any more. */
void sio_session_settled(sio_session *s);

/* Counts what came from its client, where rates are limited: a frame with its bytes, a packet of a body, or
 * a body's bytes. False: it is too much, and the session is closed. */
bool sio_session_count(sio_session *s, size_t packets, size_t bytes);

/* For eio_poll.c, eio_open.c and eio_v3.c. */
void sio_session_init(sio_eio *eio);  // the sessions' part of sio_eio_init
/* Puts a new session into everything. False: there are too many, or no memory. */
bool sio_session_enter(sio_session *s);
void sio_session_packet(sio_session *s, bool text, const char *p, size_t n);  // one that came in
/* Neither message nor heartbeat, in either protocol. */
void sio_session_control(sio_session *s, char type);
void sio_session_base64(sio_session *s, const char *p, size_t n);  // a message, as Base64
/* The end of it. */
void sio_session_closed(sio_session *s, const char *reason, const char *details);
void sio_session_forget(sio_session *s);  // takes it out of everything, without a word
void sio_session_beat(sio_session *s);    // the heartbeat begins anew
void sio_session_silent(void *eio, sio_deadline *beat);  // nothing was heard for too long
bool sio_session_open(const sio_session *s);
sio_ref sio_eio_word(char type);  // a packet of one byte: 1, 2, 3, 6; nobody need release it

/* ---- eio_poll.c: the polling transport ----------------------------------------------------------------- */

void sio_poll_init(sio_eio *eio);        // its part of sio_eio_init
bool sio_poll_begin(sio_session *s);     // false: no memory
void sio_poll_returned(sio_session *s);  // its client came back
/* jsonp: the value of the j parameter; p NULL: there is none. */
void sio_poll_get(sio_session *s, sio_exchange *x, sio_span jsonp);
void sio_poll_post(sio_session *s, sio_exchange *x, const sio_http_head *head, bool jsonp);
void sio_poll_body(sio_session *s, sio_exchange *x, sio_span body);
bool sio_poll_payload(sio_session *s, sio_span bytes, bool binary);  // reads it; false: no memory
void sio_poll_lost(sio_session *s, sio_exchange *x, int status);

/* Walks the packets of a queue: its pieces are whole frames. Begin with the queue alone. */
typedef struct sio_walk {
    const sio_queue *queue;
    size_t piece;
    const char *p, *end;
} sio_walk;
bool sio_walk_next(sio_walk *w, unsigned char *op, sio_span *packet);

/* base64: the new connection takes no binary frames. */
void sio_upgrade_begin(sio_session *s, sio_exchange *x, const sio_http_head *head, bool base64);

#endif
