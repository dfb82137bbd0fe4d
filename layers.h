/* layers.h - every layer below sio.h, bottom up: the internal table of contents
 * SPDX-License-Identifier: MIT
 *
 *     chat.c          an application
 *     sio.h           the public API
 *     server.c        the server, its options, its turns
 *     sio.c           CONNECT, events, packets          namespace.c  namespaces and handlers
 *     socket.c        one client in one namespace
 *     room.c          rooms and targets                 emit.c       events out, answers back
 *     recovery.c      what a client missed              value.c template.c  values, templates
 *     route.c         who answers a request; files      beside.c     plain WebSocket, Engine.IO
 *     handshake.c     opening sessions                  eio.c        sessions, heartbeat
 *     poll.c          the polling transport             upgrade.c    polling to WebSocket
 *     conn.c          connections                       request.c frames.c  their two protocols
 *     address.c       where clients come from
 *     net.c           what all connections share
 *     loop.c          the outside: every system call    (test/sim.c stands in for it)
 *     buf.c           memory, output buffers            table.c timer.c  hash tables, deadlines
 *     http.c ws.c json.c packet.c sha1.c base64.c       pure codecs
 *
 * Calls go down only; a lower layer reaches a higher one through function pointers it was given.
 *
 * Codecs that read what may still be coming (a head, a chunk, a frame's header) return > 0: bytes
 * used; 0: need more bytes; < 0: the refusal, as the negated number that goes on the wire (an HTTP
 * status, a close code). Those that read what is complete say whether it is good. All of them borrow
 * what they are given; what they have written means nothing after a refusal. */
#ifndef SIO_LAYERS_H
#define SIO_LAYERS_H

#include "sio.h"

#include <stdarg.h>
#include <string.h>

/* Bytes that somebody else owns. */
typedef struct sio_span {
    const char *p;
    size_t n;
} sio_span;

#define SIO_NONE ((sio_span){ NULL, 0 })

bool sio_span_is(sio_span s, const char *text);                 // equal bytes
bool sio_equal_nocase(const char *a, const char *b, size_t n);  // but for the case of ASCII letters

/* The same of a span. In the header, so that compilers compare lengths before they call: names of
 * header fields, looked for all the time, were a fifth of opening a session. */
static inline bool sio_span_is_nocase(sio_span s, const char *text)
{
    size_t n = strlen(text);
    return s.n == n && sio_equal_nocase(s.p, text, n);
}

/* A span of a string literal. */
#define SIO_SPAN(literal) ((sio_span){ literal, sizeof literal - 1 })

/* ---- sha1.c: SHA-1 (FIPS 180-4, RFC 3174) ---------------------------------------------------- */

/* Writes the digest of n bytes at p. SHA-1 is broken as a signature; RFC 6455 uses it as a fixed
 * mixing function, which is safe. */
void sio_sha1(const void *p, size_t n, unsigned char digest[20]);

/* ---- base64.c: Base64 (RFC 4648) ------------------------------------------------------------- */

/* Bytes of the encoding of n bytes, padding included. */
size_t sio_base64_size(size_t n);

/* Writes the encoding of n bytes at p to out: sio_base64_size(n) bytes, no NUL. Returns that. */
size_t sio_base64_encode(const void *p, size_t n, char *out);

/* The same in the URL alphabet without padding (section 5). Returns the bytes written. */
size_t sio_base64url_encode(const void *p, size_t n, char *out);

/* The first, to a sink (json.c's, below). */
struct sio_sink;
void sio_put_base64(struct sio_sink *sink, const void *p, size_t n);

/* Decodes n characters, either alphabet, padded or not, to out, which has room for n / 4 * 3 + 2
 * bytes. Returns the bytes written, or -1: a foreign character, or no possible length. p and out
 * may be the same. */
ptrdiff_t sio_base64_decode(const char *p, size_t n, void *out);

/* ---- json.c: JSON (RFC 8259) ------------------------------------------------------------------ */

#define SIO_JSON_DEPTH 1024      // levels of nesting, unless an option says otherwise
#define SIO_JSON_DEPTH_MAX 8192  // what an option can ask for

/* Where a writer's bytes go: n of cap bytes at p are used. grow makes room for need more, or
 * returns false; NULL: the room is fixed. failed: something did not fit; or, if invalid is set too,
 * was no UTF-8. */
typedef struct sio_sink {
    char *p;
    size_t n, cap;
    bool (*grow)(struct sio_sink *sink, size_t need);
    bool failed, invalid;
} sio_sink;

bool sio_sink_grow(sio_sink *sink, size_t n);

/* Makes room for n more bytes, or fails the sink. This and the next one are in the header, so that
 * the many small pieces of a packet cost no call each: echoing 16 messages of 32 bytes a read is
 * 15 % cheaper by it. */
static inline bool sio_sink_room(sio_sink *sink, size_t n)
{
    return sink->cap - sink->n >= n || sio_sink_grow(sink, n);
}

static inline void sio_put(sio_sink *sink, const void *p, size_t n)
{
    if (!sio_sink_room(sink, n))
        return;
    if (n > 0)
        memcpy(sink->p + sink->n, p, n);
    sink->n += n;
}

void sio_put_text(sio_sink *sink, const char *text);
void sio_put_number(sio_sink *sink, uint64_t n);  // decimal digits
/* The same to out, which has room for SIO_DIGITS. Returns the bytes. */
#define SIO_DIGITS 20
size_t sio_number_text(uint64_t n, char *out);

/* Bytes of the well-formed UTF-8 (RFC 3629) at the start of p; n when all of it is. */
size_t sio_utf8_prefix(const char *p, size_t n);

#define SIO_JSON_INDEX 8  // elements of an array that a check notes in passing

/* Where the first elements of an outermost array lie, found while it was checked. */
typedef struct sio_json_index {
    size_t count;  // of all elements
    sio_span element[SIO_JSON_INDEX];
} sio_json_index;

/* Checks that the n bytes at p are one JSON text with white space around it, nested at most depth
 * levels deep. p must be UTF-8 already. index may be NULL; otherwise it is filled when the text is
 * an array. Linear, no recursion. */
bool sio_json_check(const char *p, size_t n, size_t depth, sio_json_index *index);

/* The functions below take text that sio_json_check accepted. */

/* The value at the start of p, white space before it skipped; n == 0 where there is none. */
sio_span sio_json_value(const char *p, size_t n);

/* Walks an array or object: sio_json_next takes the next element, or member with its name (in
 * quotes); false at the end. */
typedef struct sio_json_walk {
    const char *p, *end;
    bool object;
} sio_json_walk;
sio_json_walk sio_json_open(sio_span container);
bool sio_json_next(sio_json_walk *w, sio_span *name, sio_span *value);

/* Decodes a string (with its quotes) to out, which has room for s.n bytes. Returns the bytes
 * written, always less than s.n. A lone surrogate becomes U+FFFD. */
size_t sio_json_unescape(sio_span s, char *out);

/* Whether a string's text is the n bytes at p, without a copy when it has no escapes. */
bool sio_json_text_is(sio_span s, const char *p, size_t n);

/* A number's value; false: not an integer, or out of range. */
bool sio_json_integer(sio_span number, int64_t *out);
double sio_json_number(sio_span number);  // independent of the locale

/* Writes text as a string's inside, escaped; fails the sink when it is not UTF-8. */
void sio_json_put_escaped(sio_sink *sink, const char *p, size_t n);
void sio_json_put_string(sio_sink *sink, const char *p, size_t n);  // with quotes

/* Writes the shortest number that reads back equal, in ECMAScript's spelling; NaN and the
 * infinities as null. precision >= 0: so many digits behind the point. */
void sio_json_put_number(sio_sink *sink, double d, int precision);

/* ---- http.c: HTTP/1.1 requests (RFC 9110, 9112) ------------------------------------------------ */

#define SIO_HTTP_FIELDS 100  // header fields of one request; one more is a 431

typedef struct sio_http_field {
    sio_span name, value;
} sio_http_field;

/* The head of a request. Its spans lie in the bytes it was parsed from. */
typedef struct sio_http_head {
    sio_span method, target;
    int minor;             // the x of HTTP/1.x
    bool keep_alive;       // RFC 9112, 9.3
    bool chunked;          // RFC 9112, 7.1; then length is 0
    bool has_length;       // Content-Length was there
    bool upgrade;          // Connection lists "upgrade" and there is an Upgrade field
    bool expect_continue;  // RFC 9110, 10.1.1
    uint64_t length;       // of the body
    size_t n_fields;
    sio_http_field field[SIO_HTTP_FIELDS];
} sio_http_head;

/* Parses the head of a request from n bytes; empty lines before it count as its part.
 *   > 0  its length; *out is filled (it means nothing otherwise)
 *     0  need more bytes
 *   < 0  refuse: -400, -501 (a transfer coding other than chunked), -417 (an expectation other than
 *        100-continue), -431 (too many fields) */
int sio_http_parse(const char *p, size_t n, sio_http_head *out);

/* Whether parsing n bytes may say something other than "more" when the first seen of them said that:
 * a line is complete, or the first line goes on in a way that ends its method, ends its target, or
 * makes it none. So a sender of single bytes does not have the whole parsed again for each. */
bool sio_http_is_news(const char *p, size_t n, size_t seen);

/* The first field of that name (any case); p == NULL: absent. */
sio_span sio_http_field_of(const sio_http_head *head, const char *name);

/* The field of that name if it is there once; p == NULL: absent, or several. */
sio_span sio_http_single(const sio_http_head *head, const char *name);

/* Whether a text may stand in an answer's field as its name (RFC 9110, 5.1), as its value (5.5). */
bool sio_http_is_name(const char *name);
bool sio_http_is_value(const char *value);

/* Whether a comma-separated list holds the token, in any case. */
bool sio_http_has_token(sio_span list, const char *token);

/* A chunked body as it comes (RFC 9112, 7.1). Starts zeroed. */
typedef struct sio_http_chunks {
    unsigned char state;
    unsigned short line;  // bytes of the current size's line
    uint64_t left;        // bytes of the current chunk still to come
    unsigned trailers;    // bytes of all trailer lines
} sio_http_chunks;

/* Takes bytes from n at p; *data is what of the body they hold.
 *   > 0  bytes taken (call again with the rest)      0  need more bytes
 *   < 0  -400
 * The end of the body is reached when sio_http_chunks_done says so. */
ptrdiff_t sio_http_chunk(sio_http_chunks *c, const char *p, size_t n, sio_span *data);
bool sio_http_chunks_done(const sio_http_chunks *c);

/* Splits a query (without '?') or form: takes the next name and value, still encoded. False at
 * the end. */
bool sio_http_query_next(sio_span *rest, sio_span *name, sio_span *value);

/* Decodes percent escapes and '+' to out, which has room for s.n bytes; a bad escape stays as it
 * is. Returns the bytes written. */
size_t sio_http_decode(sio_span s, char *out);

/* The query behind the target's '?'; n == 0: none. */
sio_span sio_http_target_query(sio_span target);

const char *sio_http_reason(int status);  // "Not Found"

/* ---- ws.c: WebSocket (RFC 6455) ---------------------------------------------------------------- */

enum {
    SIO_WS_CONTINUATION = 0,
    SIO_WS_TEXT = 1,
    SIO_WS_BINARY = 2,
    SIO_WS_CLOSE = 8,
    SIO_WS_PING = 9,
    SIO_WS_PONG = 10
};

enum {
    SIO_WS_NO_CODE = 0,  // a close frame without one
    SIO_WS_NORMAL = 1000,
    SIO_WS_PROTOCOL_ERROR = 1002,
    SIO_WS_NO_STATUS = 1005,  // never sent: the close frame had no code
    SIO_WS_ABNORMAL = 1006,   // never sent: there was no close frame
    SIO_WS_INVALID_DATA = 1007,
    SIO_WS_POLICY = 1008,
    SIO_WS_TOO_BIG = 1009
};

/* The header of one frame, as a client sent it. */
typedef struct sio_ws_header {
    bool fin;              // 5.2  the last frame of its message
    unsigned char op;      // 5.2  opcode
    unsigned char key[4];  // 5.3  masking key
    uint64_t len;          // 5.2  payload bytes that follow the header
} sio_ws_header;

#define SIO_WS_HEADER 14  // bytes of a client's frame header, at the most

/* Reads a frame header from the n bytes at p.
 *   > 0  its length; *out is filled
 *     0  need more bytes
 *   < 0  refuse: the close code to send (7.4.1), negated */
int sio_ws_parse_header(const unsigned char *p, size_t n, sio_ws_header *out);

/* Unmasks a payload of n bytes in place (5.3). */
void sio_ws_unmask(unsigned char *p, size_t n, const unsigned char key[4]);

/* Writes an unmasked frame header for len payload bytes so that it ends where out points.
 * Returns its length: 2, 4 or 10. */
size_t sio_ws_header_before(char *out, unsigned char op, uint64_t len);

/* Reads a header that sio_ws_header_before wrote. Returns its length. */
size_t sio_ws_own_header(const char *p, unsigned char *op, size_t *len);

/* What a close frame's payload says: the code (SIO_WS_NO_CODE without one), or the negated code to
 * answer with: -1002 for a bad length or code, -1007 for a reason that is not UTF-8 (7.4, 8.1). */
int sio_ws_close_code(const unsigned char *p, size_t n);

/* Whether a code may stand in a close frame (7.4). */
bool sio_ws_is_code(int code);

/* Checks a handshake's method, version and fields (4.2.1). NULL: good; or the text of the 400. *version_hint: the
 * answer must name the versions (4.4). */
const char *sio_ws_check(const sio_http_head *head, bool *version_hint);

/* Writes the value of Sec-WebSocket-Accept for a key of 24 characters (4.2.2). */
void sio_ws_accept_key(sio_span key, char out[28]);

/* ---- packet.c: Socket.IO packets (protocol 5) and Engine.IO payloads --------------------------- */

enum {
    SIO_CONNECT = 0,
    SIO_DISCONNECT = 1,
    SIO_EVENT = 2,
    SIO_ACK = 3,
    SIO_CONNECT_ERROR = 4,
    SIO_BINARY_EVENT = 5,
    SIO_BINARY_ACK = 6
};

/* A packet's text. Its spans lie in the bytes it was parsed from. */
typedef struct sio_packet {
    unsigned char type;
    bool has_id;
    bool escaped;  // an EVENT's name has escapes
    unsigned attachments;
    uint64_t id;
    sio_span ns;           // "/" where the packet names none
    sio_span json;         // the payload; n == 0: none
    sio_json_index index;  // EVENT, ACK: the elements of json; of an EVENT the first is its name
} sio_packet;

/* Parses n bytes (without the Engine.IO type), which must be UTF-8, as one whole packet from a
 * client. max_attachments and depth are limits. 0: good; -1: refuse; *out means nothing then. */
int sio_packet_parse(const char *p, size_t n, size_t max_attachments, size_t depth,
                     sio_packet *out);

/* Finds the next placeholder of an attachment, an object whose member "_placeholder" is true, in
 * checked JSON from *at on; *at moves behind it. *num is its number, or -1 when it has no valid one.
 * False: no more. Members behind one that is an array or object do not count. Linear. */
bool sio_packet_placeholder(sio_span json, size_t *at, sio_span *object, int64_t *num);

/* Whether that is one of the six event names that no application may use. */
bool sio_packet_reserved(const char *name, size_t n);

/* Takes the next packet of an Engine.IO 4 payload (packets joined by 0x1E). False at its end. An
 * empty payload holds one empty packet. Start with *at = 0. */
bool sio_payload_next(sio_span payload, size_t *at, sio_span *packet);

/* ---- table.c: hash tables, keyed with a secret -------------------------------------------------- */

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

/* ---- buf.c: memory, and the output on its way --------------------------------------------------- */

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

/* Counts memory that was got for what is on its way, or given back. Queues do so themselves. */
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
void sio_out_turn(sio_out *out);  // the turn's end: the buffer may be used again
void sio_out_free(sio_out *out);

/* ---- timer.c: deadlines ------------------------------------------------------------------------- */

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

/* ---- loop.c: the outside ------------------------------------------------------------------------ */

typedef struct sio_loop sio_loop;

/* A descriptor that the loop watches: part of what owns it. */
typedef struct sio_watch {
    int fd;  // -1: closed
    bool listener;
    bool want_write, no_read;
    uint32_t place;  // the loop's own
} sio_watch;

typedef struct sio_ready {
    sio_watch *watch;
    bool readable, writable;  // an error counts as readable
} sio_ready;

/* A client's address: 4 or 16 bytes, n == 0 for unix. */
typedef struct sio_ip {
    unsigned char n, byte[16];
} sio_ip;

sio_loop *sio_loop_new(const sio_memory *m);
void sio_loop_free(sio_loop *loop);
int sio_loop_fd(const sio_loop *loop);
/* Waits and fills ready. Returns how many, -1: the loop fails. Sets the time. */
int sio_loop_wait(sio_loop *loop, int64_t timeout_ms, sio_ready *ready, int max);
void sio_loop_wake(sio_loop *loop);                      // async-signal-safe: wait returns
int64_t sio_loop_now(sio_loop *loop);                    // monotonic, milliseconds; asks the clock
int64_t sio_loop_now_up(sio_loop *loop);                 // the same, rounded up
int64_t sio_loop_wall(sio_loop *loop);                   // milliseconds since 1970
int sio_loop_random(sio_loop *loop, void *p, size_t n);  // 0 or -1

/* Opens a listener and fills w. Returns its port (0 for unix) or -1. */
int sio_loop_listen(sio_loop *loop, sio_watch *w, const char *host, int port);
/* Accepts one connection. 1: *fd, *ip are set; 0: nobody waits; -1: no descriptors or memory. */
int sio_loop_accept(sio_loop *loop, sio_watch *listener, int *fd, sio_ip *ip);
int sio_loop_watch(sio_loop *loop, sio_watch *w);  // for reading; 0 or -1
void sio_loop_unwatch(sio_loop *loop, sio_watch *w);
/* 0; or -1: the kernel did not take it, and the connection can't go on. */
int sio_loop_want_write(sio_loop *loop, sio_watch *w, bool on);
int sio_loop_stop_reading(sio_loop *loop, sio_watch *w);  // for good
/* Bytes read; 0: the end; -1: nothing now; -2: the connection is broken. */
ptrdiff_t sio_loop_read(sio_loop *loop, sio_watch *w, void *p, size_t n);
/* Sends up to count pieces. Bytes sent, 0 or more; -2: the connection is broken. */
ptrdiff_t sio_loop_send(sio_loop *loop, sio_watch *w, const sio_span *piece, int count);
void sio_loop_shutdown(sio_loop *loop, sio_watch *w);  // nothing more will be sent
void sio_loop_close(sio_loop *loop, sio_watch *w);
void sio_loop_refuse(sio_loop *loop, int fd);  // closes what was accepted and never watched
/* A file's size, and when it changed, in nanoseconds as far as the system knows them; and its first n
 * bytes. 0, or -1: it can't be read, is no plain file, or is shorter by now. */
int sio_loop_file(sio_loop *loop, const char *name, size_t *size, int64_t *changed);
int sio_loop_file_read(sio_loop *loop, const char *name, void *p, size_t n);
void sio_ip_text(const sio_ip *ip, char out[46]);
bool sio_ip_parse(const char *text, sio_ip *ip);  // false: it is none
/* Gives memory that is free back to the system, where libc keeps it otherwise. Costs milliseconds. */
void sio_loop_give_back(sio_loop *loop);

/* ---- conn.c: connections ------------------------------------------------------------------------- */

typedef struct sio_net sio_net;
typedef struct sio_conn sio_conn;
typedef struct sio_exchange sio_exchange;

/* Who answers requests: a route. All three get the owner that the route was found with. */
typedef struct sio_endpoint {
    /* The head of a request has come; raw is all its bytes. May answer, upgrade, or keep x and
     * answer later; sets x->wants_body for what follows. */
    void (*head)(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw);
    /* The body is complete. */
    void (*body)(void *owner, sio_exchange *x, sio_span body);
    /* Forget x: its connection is gone (status 0), or its body was refused, which is being answered
     * with that status (413, 400). */
    void (*gone)(void *owner, sio_exchange *x, int status);
} sio_endpoint;

/* One request on its way to its answer. Freed when it is answered and its body has been read. */
struct sio_exchange {
    sio_conn *conn;
    sio_exchange *next;  // on the connection: answers leave in the order of the requests
    const sio_endpoint *endpoint;
    void *owner;          // the endpoint's
    void *user;           // whoever waits to answer: eio's session, route.c's kept head
    sio_span extra;       // header lines of the answer, in memory of their own
    size_t extra_always;  // the part of it that goes with errors too
    sio_queue out;        // the answer, while an earlier one is still to come
    char *body;           // what has come of a body that came in pieces
    size_t body_n, body_cap;
    size_t max_body;  // set by the endpoint; one byte more is a 413
    uint64_t left;    // of a body with a length
    sio_http_chunks chunks;
    unsigned char kind;  // the endpoint's
    bool wants_body, chunked, reading, busy, head_only, keep_alive, answered;
};

/* Who receives a WebSocket's messages. */
typedef struct sio_ws_events {
    void (*message)(void *owner, bool text, const char *p, size_t n);
    /* The connection is closed or closing; nothing more comes. clean: the client said goodbye, or
     * its TCP ended; else it broke a rule or its connection. code: the client's, or 1005, 1006, or
     * the one that was sent to it for what it did. */
    void (*close)(void *owner, int code, bool clean);
    size_t max_message;
    /* NULL, or called for each frame that has come whole, before what it says. part: its message goes
     * on. It must do no more than note that. */
    void (*frame)(void *owner, bool part);
    size_t (*held)(const void *owner);  // what it holds of input for it; NULL: nothing
} sio_ws_events;

/* Somebody above who holds what is on its way for clients beside their connections. */
typedef struct sio_holder {
    /* The most that one of its clients holds. Those who hold least or more are marked to be ended
     * while *excess is above 0, and it becomes less by what they hold. */
    size_t (*weigh)(struct sio_holder *h, size_t least, size_t *excess);
    struct sio_holder *next;
} sio_holder;

typedef struct sio_listener {
    sio_watch watch;  // first
    sio_net *net;
    struct sio_listener *next;
    int batch;  // connections to accept in a turn
    sio_deadline pause;
} sio_listener;

#define SIO_LOG_KINDS 32  // of lines: more than there are

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
    sio_arena arena;
    sio_stats stats;
    const sio_options *options;
    /* Finds who answers a request; never NULL. */
    const sio_endpoint *(*route)(sio_net *net, const sio_http_head *head, void **owner);
    /* Shows a request to a hook of the application: calls hook(http, data). Writes the header lines
     * that it adds to lines; NULL: they are dropped. What it was lent stays until the turn ends. */
    void (*show)(sio_net *net, sio_exchange *x, const sio_http_head *head, sio_sink *lines,
                 void (*hook)(sio_http *http, void *data), void *data);
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
    size_t held;  // bytes that are on their way in or out, of all connections
    size_t peak;  // the most that there was since memory was given back
    sio_fifo trim_fifo;
    sio_deadline trim;
    bool libc_memory;     // not the application's own
    sio_holder *holders;  // list
    sio_fifo spare_fifo;
    sio_deadline spare_end;
    sio_textbuf lines;  // of the log, each with its NUL, until the turn ends
    sio_log_kind log_kinds[SIO_LOG_KINDS];
    sio_fifo second_fifo;
    int64_t date_second;
    char date[30];
    bool stopping;  // no session opens any more
};

/* memory and options are set. 0 or -1. */
int sio_net_init(sio_net *net);
void sio_net_free(sio_net *net);  // after sio_net_abort_all and sio_net_flush
int sio_net_listen(sio_net *net, const char *host, int port);
void sio_net_stop_listening(sio_net *net);
/* Waits, and handles what is ready and what is due. -1: the loop fails. */
int sio_net_poll(sio_net *net, int64_t timeout_ms);
/* The turn's end: sends what is queued. */
void sio_net_flush(sio_net *net);
/* Frees what died in this turn; nothing of it is used any more. When those that are left hold more
 * than max_memory, marks the ones that hold most: they end as soon as the next turn begins. */
void sio_net_bury(sio_net *net);
void sio_net_abort_all(sio_net *net);
void sio_net_close_idle(sio_net *net);  // HTTP connections without a request

/* ---- net.c: the log, and the memory that all hold ---- */
void sio_net_init_shared(sio_net *net);
void sio_net_add_holder(sio_net *net, sio_holder *h);  // keeps h
/* The turn's end: marks those who hold most, when all together hold more than max_memory. */
void sio_net_relieve(sio_net *net);
/* The same: has free memory given back to the system when much less is held than there was. */
void sio_net_watch_weight(sio_net *net);
/* Keeps a line for options->log, which gets it when the turn ends: it may call the library, and this
 * is said in the middle of everything. format is a literal: ten lines of each are told in a second,
 * then how many there were besides. */
void sio_log(sio_net *net, const char *format, ...) SIO_PRINTF(2, 3);

/* Begins an answer: writes its head, with x->extra and more (whole header lines), to net->out.sink.
 * type NULL: none. The caller writes exactly size bytes of body there (none to HEAD) and ends it. */
void sio_respond_begin(sio_exchange *x, int status, const char *type, sio_span more, size_t size);
void sio_respond_end(sio_exchange *x);
void sio_respond(sio_exchange *x, int status, const char *type, sio_span more, sio_span body);
void sio_respond_empty(sio_exchange *x, int status);
/* As sio_respond, and the connection ends with it. */
void sio_respond_last(sio_exchange *x, int status, const char *type, sio_span more, sio_span body);

/* Answers an upgrade request with 101, with x->extra, and turns the connection into a WebSocket; x
 * is gone. NULL: it can't be (an earlier request still waits, or no memory); x is answered then. */
sio_conn *sio_conn_upgrade(sio_exchange *x, const sio_http_head *head, const sio_ws_events *events,
                           void *owner);
void sio_conn_set_owner(sio_conn *c, const sio_ws_events *events, void *owner);
/* Queues frames; false: the connection is closing, or over its limit and will be closed. */
bool sio_conn_send(sio_conn *c, sio_ref frames);
/* What is sent now leaves at once, before anything else. */
bool sio_conn_writable(const sio_conn *c);
size_t sio_conn_pending(const sio_conn *c);
/* Sends a close frame (SIO_WS_NO_CODE: without a code); the owner hears no more of the connection. */
void sio_conn_close(sio_conn *c, int code);
/* Ends a connection without a word; its owner is not told. */
void sio_conn_drop(sio_conn *c);
sio_net *sio_conn_net(const sio_conn *c);

/* What conn.c, request.c and frames.c share. The states are drawn in conn.c. */
enum {
    SIO_CONN_HEAD,
    SIO_CONN_BODY,
    SIO_CONN_WEBSOCKET,
    SIO_CONN_CLOSING,
    SIO_CONN_DRAINING,
    SIO_CONN_DEAD
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
    sio_watch watch;  // first
    unsigned char state;
    unsigned char waiting;  // requests without an answer
    bool dirty : 1, broken : 1,
        last : 1;  // in net->dirty; can't be written; takes no more requests
    sio_ip ip;
    uint32_t used;   // of the net, in units of input; counts beside net->used
    uint32_t place;  // in net->conns
    sio_net *net;
    sio_conn *next;  // in net->dirty, later in net->dead
    sio_queue out;
    sio_input *in;
    union {  // ws: in state WEBSOCKET alone
        struct {
            sio_exchange *first, *newest;  // without an answer, or with a body still to come
            sio_deadline deadline;         // of the head, the request, silence; the close
        } http;
        struct {
            const sio_ws_events *events;
            void *owner;
            sio_fragments *fragments;
        } ws;
    } u;
};

/* Ends a connection that the client or the kernel ended: tells its owner. */
void sio_conn_die(sio_conn *c, bool clean);
/* Sends what is queued, then ends; what comes is not looked at any more. */
void sio_conn_drain(sio_conn *c);
/* Has it end when the turn ends, without another byte. */
void sio_conn_break(sio_conn *c);
/* Queues a piece for the turn's end. */
void sio_conn_queue(sio_conn *c, sio_ref piece);
/* How much room to make for input of which n bytes are there; whole: all that are announced, or 0. */
size_t sio_conn_room(size_t n, size_t whole);

/* ---- request.c ---- Each takes bytes from n at p; returns how many, 0: more are needed. */
size_t sio_conn_on_head(sio_conn *c, char *p, size_t n, size_t seen);
size_t sio_conn_on_body(sio_conn *c, char *p, size_t n);
void sio_conn_drop_exchanges(sio_conn *c);
size_t sio_exchanges_held(const sio_conn *c);  // bytes of bodies, and of answers that wait
void sio_exchange_free(sio_exchange *x);
/* RFC 9110, 5.6.7: writes the date of a second since 1970, not before and up to the year 9999. */
void sio_date_text(int64_t second, char out[30]);

/* ---- frames.c ---- */
size_t sio_conn_on_frame(sio_conn *c, char *p, size_t n);
size_t sio_conn_on_last_frame(sio_conn *c, char *p, size_t n);
void sio_conn_drop_fragments(sio_conn *c);
/* Bytes that the incomplete frame at p will have; 0: its header is incomplete as well. */
size_t sio_conn_frame_size(const char *p, size_t n);

/* ---- address.c: where clients come from ----------------------------------------------------------- */

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

/* The client's address: the peer's, or what a trusted proxy says, whatever that is. */
void sio_client_address(const sio_conn *c, const sio_http_head *head, char out[64]);
/* The same as bytes; the peer's where the proxy names none. n == 0: nobody knows. */
sio_ip sio_client_ip(const sio_conn *c, const sio_http_head *head);

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
};

/* keeps options and events. 0 or -1. */
int sio_eio_init(sio_eio *eio, sio_net *net, const sio_options *options,
                 const sio_eio_events *events, void *owner);
/* Whether the page that a browser says it is from may connect: CORS does not guard WebSockets, nor
 * what a page sends without wanting to read. */
bool sio_origin_allowed(const sio_options *o, const sio_http_head *head);
/* Whether the handshake of a WebSocket is as it must be; if not, x is answered 400. */
bool sio_websocket_check(sio_exchange *x, const sio_http_head *head);
bool sio_eio_matches(const sio_eio *eio, sio_span target);
extern const sio_endpoint sio_eio_endpoint;  // its owner is the sio_eio
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

/* For handshake.c, poll.c and upgrade.c. */
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

/* ---- poll.c: the polling transport ----------------------------------------------------------------- */

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

/* ---- upgrade.c: from polling to WebSocket ----------------------------------------------------------- */

/* base64: the new connection takes no binary frames. */
void sio_upgrade_begin(sio_session *s, sio_exchange *x, const sio_http_head *head, bool base64);
void sio_upgrade_abandon(sio_session *s);  // closes the probing connection
void sio_upgrade_message(void *owner, bool text, const char *p, size_t n);
void sio_upgrade_closed(void *owner, int code, bool clean);
void sio_upgrade_timeout(void *owner, sio_deadline *d);
void sio_upgrade_tick(void *owner, sio_deadline *d);

/* ---- value.c: values; template.c: the templates of sio_emit and sio_scan ---------------------------- */

enum {
    SIO_VALUE_JSON,
    SIO_VALUE_BINARY,  // p, n are an attachment's bytes
    SIO_VALUE_SPREAD   // p, n are an array's inside
};

/* What a sio_value points at. */
typedef struct sio_value_data {
    sio_server *io;
    const char *p;
    size_t n;
    const sio_span *blobs;  // what the placeholders in p stand for
    size_t n_blobs;
    unsigned char kind;
} sio_value_data;

/* What a handler was called for. One is made for each packet that comes in. */
struct sio_event {
    sio_server *io;
    sio_socket *socket;        // NULL for an answer
    const sio_packet *packet;  // name and arguments; sio_no_packet: there are those in set alone
    const sio_span *blobs;     // the packet's attachments
    sio_value *set;            // arguments that were set, in front of the packet's others
    sio_value error_data;
    const char *found;  // where element number cursor begins, the last one found behind the index
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
    bool bad;    // not JSON, or not UTF-8
    bool many;   // attachments
    bool comma;  // a value stands before the first one
} sio_template;

#define SIO_ATTACHMENTS_OUT 1000  // of one packet that is sent

void sio_template_write(sio_template *t, const char *template, sio_arguments *args);
/* The one value that a template writes, in the arena; NULL: none, or more, or it fails. */
sio_value sio_template_make(sio_server *io, const char *template, sio_arguments *args);
void sio_template_value(sio_template *t, sio_value v);  // writes one value
sio_arena *sio_server_arena(sio_server *io);
const sio_memory *sio_server_memory(sio_server *io);
/* Walks an array or object, or what is spread. */
sio_json_walk sio_value_walk(const sio_value_data *v);
/* An object's member, of several the last; p NULL: none. */
sio_span sio_value_member(sio_span object, const char *key, size_t n);
/* A value in the arena. NULL: no memory. */
sio_value sio_value_new(sio_server *io, unsigned char kind, sio_span bytes, const sio_span *blobs,
                        size_t n_blobs);
void sio_values_bury(sio_server *io);  // frees what was dropped

/* ---- sio.c: Socket.IO ------------------------------------------------------------------------------- */

typedef struct sio_client sio_client;
typedef struct sio_room_data sio_room_data;
typedef struct sio_awaited sio_awaited;

typedef struct sio_handlers {
    sio_node node;  // first; in a namespace's table, by the event's name
    sio_handler *fn;
    size_t n, cap;
    char name[];
} sio_handlers;

typedef struct sio_handler_list {
    sio_handler *fn;
    size_t n, cap;
} sio_handler_list;

typedef struct sio_middleware_list {
    sio_middleware *fn;
    size_t n, cap;
} sio_middleware_list;

struct sio_namespace {
    sio_node node;  // first; in server->namespaces, by name; a family is in no table
    sio_server *io;
    char *name;
    char *prefix;  // what its packets have before their id: "/chat,", or nothing for "/"
    size_t prefix_n;
    sio_table handlers;  // of clients' events
    sio_table own;       // of the library's events
    sio_handler_list any, any_outgoing;
    sio_middleware_list use, use_event;
    sio_socket **sockets;  // the connected ones
    size_t n_sockets, cap_sockets;
    sio_table ids, rooms;
    uint64_t next_ack;      // the reference counts per namespace, over all its sockets
    uint64_t serial;        // no other namespace had or will have it
    sio_namespace *family;  // whose handlers run before its own
    sio_namespace *next;    // in server->families or server->dead_namespaces
    bool (*accept)(const char *name, sio_event *auth);
    size_t users;                                // sockets that connect or are connected
    struct sio_log_entry *log_first, **log_end;  // recovery.c
    sio_table mentions;                          // the newest of each room in the log
    uint64_t log_dropped;                        // the newest offset that left the log
    bool kept;                                   // sio_of handed it out: it stays
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
    uint64_t since;        // recovery: the newest log entry when it connected
    char pid[21];          // recovery: empty without it
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

struct sio_server {
    sio_net net;  // first
    sio_options options;
    char *strings;  // of the options
    sio_eio eio;
    sio_fifo connect_fifo, partial_fifo, recovery_fifo, log_fifo;
    sio_table namespaces;
    sio_namespace *families, *dead_namespaces;
    sio_socket *dead_sockets;
    sio_client *dead_clients;
    sio_handles handles;  // of sockets
    sio_handles timers;
    uint64_t serial;  // of late answers, and of namespaces
    uint32_t mark;
    int depth;                 // of callbacks; the application's own code between turns is one
    bool turning;              // sio_turn or sio_free is at work
    struct sio_kept *dropped;  // value.c: freed when the outermost callback has returned
    unsigned asking;           // calls of sio_family's accept that are under way
    size_t n_dynamic;          // namespaces of families
    struct sio_route *routes;  // route.c
    struct sio_ws_endpoint *ws_endpoints;
    struct sio_engine_endpoint *engines;
    sio_ws *dead_ws;
    sio_table awaited;       // emit.c: answers that are due
    sio_table saved;         // recovery.c: by pid
    sio_table log;           // its entries, by offset
    struct saved *released;  // whose data is to be released
    uint64_t log_serial;
    size_t log_bytes;
    bool freeing;       // sio_free has begun
    volatile int stop;  // set by sio_stop
    int64_t stop_by;    // 0: not stopping
};

/* For emit.c, recovery.c and server.c. */
void sio_run_event(sio_socket *s, const char *name, sio_value a, sio_value b);  // library's own
int sio_fail(int error);  // sets errno, returns -1
/* Sets a timer for ms that begin now, which can be long after the turn's clock was read. False: no
 * memory. */
bool sio_timer_after(sio_server *io, sio_timer *t, int64_t ms);
/* Every callback runs between these two; when the outermost ends, its values are gone. */
void sio_enter(sio_server *io);
void sio_leave_callback(sio_server *io);
void sio_namespace_unused(sio_namespace *ns);  // removes a dynamic one, if that is asked for
void sio_namespace_free(sio_namespace *ns);
sio_namespace *sio_namespace_find(sio_server *io, sio_span name);
/* Asks the families for a name that does not exist. payload: their event's argument. 0, and *out is
 * the namespace, NULL where none takes it; -1: ENOMEM, or ELOOP for an accept that calls sio_of from
 * inside itself too often. */
int sio_families_ask(sio_server *io, sio_span name, sio_span payload, sio_namespace **out);
/* Calls the handlers of an event, the family's first; own: the library's events. */
void sio_run_handlers(sio_socket *s, bool own, sio_span name, sio_event *e);
extern const sio_eio_events sio_client_events;
void sio_clients_bury(sio_server *io);  // the turn's end: frees those that are over
void sio_connect_expired(void *owner, sio_deadline *d);
void sio_partial_expired(void *owner, sio_deadline *d);
/* Bytes kept for a packet whose attachments are still to come. */
size_t sio_client_held(const sio_client *c);

/* ---- socket.c: one client in one namespace ----------------------------------------------------------- */

/* A new one on the client's list, CONNECTING. auth: JSON, n == 0 without one. NULL: no memory. */
sio_socket *sio_socket_new(sio_client *c, sio_namespace *ns, sio_span auth);
sio_socket_more *sio_more(sio_socket *s);             // makes it; NULL: no memory
bool sio_socket_send(sio_socket *s, sio_ref frames);  // false: it is not connected
/* Runs the handlers of "disconnecting" and "disconnect", and takes it out of everything. */
void sio_socket_leave(sio_socket *s, const char *reason);
/* Frees sockets that left, and dynamic namespaces without any; releases the data of the former. Nobody
 * up the stack may have one. */
void sio_sockets_bury(sio_server *io);
sio_span sio_ns_span(const sio_namespace *ns);  // its name

sio_server *sio_client_server(const sio_client *c);
bool sio_client_alive(const sio_client *c);
bool sio_client_is_v3(const sio_client *c);
sio_socket *sio_client_socket(const sio_client *c, sio_span ns);  // its socket there; NULL: none
/* Sends a packet without id and attachments, whatever the socket's state. */
void sio_client_send(sio_client *c, unsigned type, sio_span ns, const char *json, size_t n);
/* Ends the connection for something that the client must not do. state: it is the wrong time for it;
 * otherwise the packet is malformed. */
void sio_client_violate(sio_client *c, bool state, const char *what);
void sio_client_leave_all(sio_client *c, const char *reason);
/* The query of a target as an object of strings, in the arena: names in the order of their first
 * appearance, each with its last value. O(its bytes). NULL: no memory. */
sio_value sio_query_object(sio_server *io, sio_span query);
/* Text as decoders of queries make it: what is not UTF-8 becomes U+FFFD. In the arena, or s itself;
 * p NULL: no memory. */
sio_span sio_repair_text(sio_arena *arena, sio_span s);

/* ---- server.c: the server, its options, its turns ---------------------------------------------------- */

void sio_options_complete(sio_options *o);  // defaults for what is 0
/* A complete copy of options; *block holds its strings, to be freed. 0 or -1. */
int sio_options_copy(const sio_memory *m, sio_options *to, const sio_options *from, char **block);

/* ---- room.c: rooms and targets ----------------------------------------------------------------------- */

typedef void (*sio_visitor)(sio_socket *s, void *data);

/* A list of sockets in the arena. */
typedef struct sio_found {
    sio_arena *arena;
    sio_socket **sockets;
    size_t n, cap;
    bool failed;
} sio_found;

bool sio_target_overfull(const sio_target *t);  // it was given more names than it holds
/* Calls fn, which must not call back into the application, for each receiver. */
void sio_target_search(const sio_target *t, sio_visitor fn, void *data);
sio_found sio_target_receivers(const sio_target *t);
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

/* ---- emit.c: events out, acknowledgements ------------------------------------------------------------ */

void sio_socket_acked(sio_socket *s, uint64_t id, sio_event *answer);
void sio_awaited_cancel(sio_socket *s);  // the socket is gone
/* What we owe a client and somebody has a handle for: an acknowledgement, or a middleware's answer.
 * id tells which: the acknowledgement's, or the number of the middleware that is next. */
enum { SIO_OWED_ACK = 1, SIO_OWED_ADMISSION };
uint64_t sio_owed_new(sio_socket *s, unsigned kind, uint64_t id);  // its serial; 0: no memory
/* It is done, or void. False: it was, or the socket is gone. */
bool sio_owed_take(sio_server *io, uint64_t socket, uint64_t serial, unsigned kind, uint64_t *id);

/* ---- route.c: who answers a request; routes and files ------------------------------------------------- */

const sio_endpoint *sio_route_find(sio_net *net, const sio_http_head *head, void **owner);
void sio_route_show(sio_net *net, sio_exchange *x, const sio_http_head *head, sio_sink *lines,
                    void (*hook)(sio_http *http, void *data), void *data);
void sio_routes_free(sio_server *io);

/* ---- beside.c: plain WebSocket and plain Engine.IO ---------------------------------------------------- */

/* Whose endpoint a request is for; NULL: nobody's. */
const sio_endpoint *sio_beside_find(sio_server *io, const sio_http_head *head, sio_span path,
                                    void **owner);
void sio_beside_flush(sio_server *io);
bool sio_beside_dirty(const sio_server *io);
void sio_beside_bury(sio_server *io);
void sio_beside_close_all(sio_server *io, const char *reason);
void sio_beside_stop(sio_server *io, const char *reason);  // as sio_eio_stop
size_t sio_beside_sessions(const sio_server *io);          // of plain Engine.IO
void sio_beside_free(sio_server *io);

/* ---- recovery.c: connection state recovery ---------------------------------------------------------- */

/* Keeps a packet that is being sent; serial is its offset. */
void sio_log_packet(sio_namespace *ns, const sio_target *t, sio_ref frames, uint64_t serial);
uint64_t sio_log_next(sio_namespace *ns);
/* Keeps rooms and pid of a socket that leaves for that reason, if it may come back. */
void sio_recovery_save(sio_socket *s, const char *reason);
/* Takes the data of a socket that is about to be freed, if it was saved and that is still there. */
void sio_recovery_save_data(sio_socket *s);
/* Gives a new socket what an earlier one left behind, if auth names it. 1: it did; 0: there is
 * nothing; -1: no memory, what was left is still there. */
int sio_recovery_restore(sio_socket *s, sio_value auth, uint64_t *offset);
/* Sends what it missed, before it is CONNECTED. False: some of that is lost, or no memory. */
bool sio_recovery_replay(sio_socket *s, uint64_t offset);
int sio_recovery_new_pid(sio_socket *s);
void sio_recovery_forget(sio_namespace *ns);  // the namespace ends
void sio_recovery_init(sio_server *io);
void sio_recovery_release(sio_server *io);  // calls what is to release the data of saved sockets
void sio_recovery_free(sio_server *io);

#endif
