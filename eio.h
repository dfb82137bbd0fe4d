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
    /* The session is over. It stays valid until the turn ends. */
    void (*close)(void *owner, sio_session *s, const char *reason);
    size_t (*held)(const sio_session *s);  // what the owner keeps of its input; NULL: nothing
} sio_eio_events;

/* The request that opened a session: texts that end with NUL, one behind the other: address,
 * target, then names (in lower case) and values of header fields. */
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
    size_t at;
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
    sio_session *session;
    sio_exchange *get, *post;
    sio_rest *rest;               // what is left to be read of the post's payload
    struct sio_upgrade *upgrade;  // under way
    sio_queue queue;
    sio_session *next;      // in eio->dirty
    sio_deadline returned;  // until its client has come back after the handshake
    char jsonp[12];         // digits of the GET's j parameter
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

/* A session's transport:
 *
 *     POLLING --"2probe"/"5" on an sio_upgrade's connection--> WEBSOCKET
 *        |                                                        |
 *        +--orderly close, no GET--> CLOSING                      +--> CLOSED
 *        +--close, violation, ping timeout--> CLOSED  <-- the close is delivered, or 30 s */
enum { SIO_SESSION_POLLING, SIO_SESSION_WEBSOCKET, SIO_SESSION_CLOSING, SIO_SESSION_CLOSED };

struct sio_session {
    sio_node node;  // first; in eio->sessions, by sid
    sio_eio *eio;
    void *user;            // the owner's
    sio_conn *conn;        // WEBSOCKET
    sio_polling *polling;  // POLLING, CLOSING
    sio_handshake *handshake;
    sio_deadline beat;   // the next ping, or the pong that is due, or CLOSING's end
    uint32_t unsettled;  // place in eio->unsettled, + 1; 0: it has settled
    char sid[21];
    unsigned char state, protocol;
    bool base64;             // b64: no binary frames
    bool pinged, refreshed;  // a pong is due; its deadline has been moved once
};

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
    sio_session *dirty, *dead;
    sio_upgrade *dead_upgrades;
    sio_fifo ping_fifo, pong_fifo, silence_fifo, return_fifo, closing_fifo, upgrade_fifo, tick_fifo;
    size_t n_rests;  // payloads that are read in slices
    sio_ws_events ws_events, upgrade_events;
    sio_holder holder;
    sio_mount mount;
};

/* keeps options and events. 0 or -1. */
int sio_eio_init(sio_eio *eio, sio_net *net, const sio_options *options,
                 const sio_eio_events *events, void *owner);
/* Whether the page that a browser says it is from may connect: CORS does not guard WebSockets, nor
 * what a page sends without wanting to read. */
bool sio_origin_allowed(const sio_options *o, const sio_http_head *head);
/* Whether the handshake of a WebSocket is as it must be; if not, x is answered 400. */
bool sio_websocket_check(sio_exchange *x, const sio_http_head *head);
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
bool sio_session_reachable(const sio_session *s);  // a close can be delivered now
const char *sio_handshake_header(const sio_handshake *h, const char *name, sio_arena *arena);

/* The client has done what sessions are for: this one does not make room for others any more. */
void sio_session_settled(sio_session *s);

/* For eio_open.c, eio_poll.c and eio_poll.c. */
/* Puts a new session into everything. False: there are too many, or no memory. */
bool sio_session_enter(sio_session *s);
/* Sends what was queued, and counted, before its WebSocket carried the session. */
void sio_session_forward(sio_session *s, sio_ref frames);
void sio_session_packet(sio_session *s, bool text, const char *p, size_t n);  // one that came in
void sio_session_closed(sio_session *s, const char *reason);                  // the end of it
void sio_session_forget(sio_session *s);      // takes it out of everything, without a word
void sio_session_beat(sio_session *s);        // the heartbeat begins anew
void sio_session_returned(sio_session *s);    // a polling one's client came back
bool sio_session_open(const sio_session *s);  // POLLING or WEBSOCKET
void sio_session_mark(sio_session *s);        // has a polling one looked at when the turn ends
void sio_eio_static_frame(sio_session *s, char type);  // queues a packet of one byte

/* ---- eio_poll.c: the polling transport ----------------------------------------------------------------- */

/* jsonp: the value of the j parameter; p NULL: there is none. */
void sio_poll_get(sio_session *s, sio_exchange *x, sio_span jsonp);
void sio_poll_post(sio_session *s, sio_exchange *x, const sio_http_head *head, bool jsonp);
void sio_poll_body(sio_session *s, sio_exchange *x, sio_span body);
void sio_poll_gone(sio_session *s, sio_exchange *x, int status);
void sio_poll_drop_rest(sio_session *s);  // nobody reads on; the POST is answered
/* Answers a GET with one packet of text (the handshake's too). */
void sio_poll_answer_text(sio_exchange *x, int protocol, sio_span jsonp, sio_span packet);
/* Answers the waiting GET with what is queued. */
void sio_poll_flush(sio_session *s);
/* Answers the waiting GET, if there is one: with what is queued, or with packets of one byte each. */
void sio_poll_release(sio_session *s, const char *packets);
void sio_poll_free(sio_session *s);

/* ---- eio_poll.c: from polling to WebSocket ----------------------------------------------------------- */

/* base64: the new connection takes no binary frames. */
void sio_upgrade_begin(sio_session *s, sio_exchange *x, const sio_http_head *head, bool base64);
void sio_upgrade_abandon(sio_session *s);  // closes the probing connection
void sio_upgrade_message(void *owner, bool text, const char *p, size_t n);
void sio_upgrade_closed(void *owner, int code, bool clean);
void sio_upgrade_timeout(void *owner, sio_deadline *d);
void sio_upgrade_tick(void *owner, sio_deadline *d);

#endif
