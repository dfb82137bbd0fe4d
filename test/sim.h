/* sim.h - a simulated outside, in which whole servers run
 * SPDX-License-Identifier: MIT
 *
 * sim.c stands in for net_loop.c: a clock that moves when nobody is busy, clients that do what a test
 * says, random bytes from a seed, and calls that fail when they are told to, each in every way in
 * which the system fails it. All of it is one process and repeats exactly. A test reads like this:
 *
 *     sio_server *io = sim_new(NULL);
 *     sim_play(io, "W01: a WebSocket is open at once", "A ws\n> 40\n< 40{'sid':'*'}");
 *     sim_free(io);
 *
 * What the simulator claims by itself, whatever the test is about:
 *  - no call for a descriptor that is closed, and nothing sent behind the end of the output;
 *  - a descriptor that stays ready is looked at: the server does not spin;
 *  - what a client receives is a sequence of whole answers, one to a request and in order, then
 *    whole WebSocket frames, unmasked, and none behind a close frame;
 *  - when a turn is over, what check.h says of all that a server has;
 *  - in the end every descriptor is closed and every byte is freed. */
#ifndef TEST_SIM_H
#define TEST_SIM_H

#include "fuzz.h"

/* ---- The world ------------------------------------------------------------------------------ */

typedef struct sim_client sim_client;

/* The ways to fail, and which calls know them. */
enum {
    SIM_ERROR,    // what net.h calls -1, -2 or NULL: new, wait, listen, accept, watch, random,
                  // resolve, connect, read, send, want_write, stop_reading, file, file_read
    SIM_NOT_NOW,  // nothing, though there is something: wait, accept, read, send
    SIM_PART,     // the least there can be: one of wait; a byte of read and of send
    SIM_JUMP      // now: the machine slept for an hour; wall: somebody put it back by a day
};

/* What a test may set and look at. All is 0 again with each sim_new. */
typedef struct sim_world {
    int64_t now;    // milliseconds
    uint64_t seed;  // of random bytes
    size_t cut;     // bytes of one read at the most; 0: all there are; SIM_RANDOM: any number
    unsigned long calls, fail_call;     // system calls so far; the one that fails, 0: none
    unsigned long allocs, fail_alloc;   // the same of allocations
    unsigned long fail_more;            // how many behind that one fail as well
    size_t live, bytes;                 // allocations that are not freed, and their size
    size_t open, max_open;              // descriptors of connections; 0: no limit
    bool away;                          // nobody is where the server connects to
    unsigned long given_back;           // how often free memory was given to the system
    unsigned long turns;                // of the loop
    bool unchecked;                     // sim_check is not asked: its work would be measured
    unsigned long logged;               // lines
    char log[1024];                     // the last one
    void (*on_line)(const char *line);  // the application's part of the log

    // What counts as a call: one that can fail in this way, and has this name, like "read", if any.
    int fail_how;
    const char *fail_only;
} sim_world;
extern sim_world sim;

#define SIM_RANDOM ((size_t)-1)

/* A server in a new world that listens, with the options but for memory and log, which are the
 * simulator's. NULL is all defaults. NULL: it could not begin. */
sio_server *sim_new(const sio_options *options);
/* The same in the world that is there, which sim_reset made. */
sio_server *sim_begin(const sio_options *options);
void sim_reset(void);
/* Frees the server, or just the clients when io is NULL, and claims what the head of this file
 * says. */
void sim_free(sio_server *io);
/* Frees the texts that are good until sim_free, for simulations that are long. */
void sim_sweep(void);
/* Turns of the loop until ms are over and nobody is busy. Returns what sio_turn returned. */
int sim_run_ms(sio_server *io, int64_t ms);
/* What does not hold in a server between two turns; NULL: all does. Asked after the turns of sim_run_ms. */
const char *sim_check(const sio_server *io);
uint64_t sim_random(void);
/* A file that the server finds. Keeps p. */
void sim_file(const char *name, const void *p, size_t n, int64_t changed);
/* A value's JSON, until sim_free; "(none)" for NULL. */
const char *sim_json(sio_value v);
/* Says that something is not so. Tests may replace it; it aborts. */
extern void (*sim_fail)(const char *text);
void sim_must(bool holds, const char *format, ...) SIO_PRINTF(2, 3);

/* ---- Clients, as bytes ---------------------------------------------------------------------- */

sim_client *sim_connect(void);
sim_client *sim_connect_from(const char *address);  // "10.0.0.1" or "::1"
/* The next connection that the server has opened by itself; NULL: none. What it says is not checked. */
sim_client *sim_dialed(void);
void sim_send(sim_client *c, const void *p, size_t n);
void sim_sendf(sim_client *c, const char *format, ...) SIO_PRINTF(2, 3);
void sim_finish(sim_client *c);             // sends no more, and reads on
void sim_close(sim_client *c);              // neither sends nor reads
void sim_abort(sim_client *c);              // sends a reset
void sim_room(sim_client *c, size_t room);  // reads so much and then no more, until called again
bool sim_ended(const sim_client *c);        // the server sends no more
bool sim_closed(const sim_client *c);       // and has closed the connection
/* Forgets a connection that is over on both sides; it may not be used any more. */
void sim_forget(sim_client *c);
/* What came in and was not taken; it ends with NUL. sim_take takes n bytes of it. */
const char *sim_text(const sim_client *c, size_t *n);
void sim_take(sim_client *c, size_t n);

/* ---- Clients, as HTTP ----------------------------------------------------------------------- */

/* Texts are good until sim_free. */
typedef struct sim_answer {
    int status;        // 0: there is none yet
    const char *head;  // with its line ends
    const char *body;
    size_t n;
} sim_answer;

/* Sends a request. fields: header lines with their line ends, or NULL. body: NULL for none. */
void sim_request(sim_client *c, const char *method, const char *target, const char *fields,
                 const char *body);
/* Takes the next answer that has come. head_only: to HEAD. */
sim_answer sim_answered(sim_client *c, bool head_only);
/* A request over a connection of its own, with its answer. */
sim_answer sim_http(sio_server *io, const char *method, const char *target, const char *fields,
                    const char *body);
/* A field of the answer's head; "" where there is none. */
const char *sim_field(sim_answer a, const char *name);

/* ---- Clients, as WebSocket ------------------------------------------------------------------ */

#define SIM_KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define SIM_UPGRADE                                                                                \
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"                   \
    "Sec-WebSocket-Key: " SIM_KEY "\r\n"

/* Shakes hands and takes the 101. NULL: there was none. */
sim_client *sim_ws_open(sio_server *io, const char *target, const char *fields);
/* Sends a masked frame whose first byte is that. */
void sim_ws_frame(sim_client *c, unsigned first, const void *p, size_t n);
void sim_ws_say(sim_client *c, const char *text);  // a text frame
/* Takes the next frame. A text is itself, the rest is written like "<0102>", "CLOSE(1002)",
 * "CLOSE()", "PING(data)", "PONG(data)"; "END": the connection has ended; "": nothing has come. */
const char *sim_ws_hear(sim_client *c);

/* ---- Clients, as Socket.IO ------------------------------------------------------------------ */

/* One session over either transport. */
typedef struct sim_peer {
    sio_server *io;
    sim_client *ws;          // or:
    sim_client *get, *post;  // kept alive
    bool waiting;            // for an answer to the GET
    bool v3;                 // speaks protocol 3
    bool over;               // its GET was refused
    const char *queue;       // what came in one answer and was not heard yet
    int status;              // of the last answer
    char sid[24], id[64], pid[24], offset[24];
} sim_peer;

enum { SIM_WS = 1, SIM_POLL = 2 };

/* Opens a session. query: what else the target says, like "&x=1"; "3": protocol 3; or NULL. */
void sim_open(sio_server *io, sim_peer *p, int transport, const char *query);
/* Sends a packet, or with polling a whole payload; "|" separates packets. */
void sim_say(sim_peer *p, const char *text);
void sim_say_bytes(sim_peer *p, const void *bytes, size_t n);
/* The next packet: as sim_ws_hear, whatever the transport. A GET waits where nothing is there. The
 * noop is not heard; the end of a polling session is "CLOSE()". */
const char *sim_hear(sim_peer *p);
/* What there is to hear, joined with "|". */
const char *sim_hear_all(sim_peer *p);

/* Whether text is as the pattern says, in which "*" is any text. */
bool sim_like(const char *pattern, const char *text);

/* Plays a script of lines. Each begins with a peer's name, A to Z; A where there is none:
 *     A ws       opens a session over WebSocket         A poll     over polling
 *     A ws &x=1  with more in its query                 A ws 3     in protocol 3
 *     B up A     opens a WebSocket for A's session
 *     A> text    says it; A# 0102 says bytes            A< like    hears it next
 *     A.         hears nothing               A!         its connection or session is over
 *     A~         half-closes    A/ closes    A^ resets  + 300      lets that time pass
 *     ? text     the last socket went for that reason
 * "'" stands for '"' and "`" for "'". $A is A's socket id, $pA its pid, $oA the last offset it
 * heard, $sA its session. False: it went otherwise, which was printed with the rule. */
bool sim_play(sio_server *io, const char *rule, const char *script);
/* Whether that is all there is to hear, as sim_hear_all joins it: written as in a script. */
bool sim_hears(sim_peer *p, const char *pattern);
/* The peer of a script that was played. */
sim_peer *sim_peer_of(char name);
/* The same with A's session open before over that transport. */
bool sim_play_over(sio_server *io, int transport, const char *rule, const char *script);
/* What "? text" in a script compares: why the last socket went. Set by the application. */
extern const char *(*sim_reason)(void);

#endif
