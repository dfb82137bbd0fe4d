/* codec.h - the pure codecs: bytes in, structs out
 * SPDX-License-Identifier: MIT */
#ifndef SIO_CODEC_H
#define SIO_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

static inline bool sio_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline int sio_hex_value(char c)  // of a hexadecimal digit in either case; -1: it is none
{
    char small = (char)(c | 0x20);
    return sio_is_digit(c) ? c - '0' : small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
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

/* Behind the white space that begins at p. */
const char *sio_json_skip(const char *p, const char *end);

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

typedef struct sio_http_line {
    sio_span name, value;
} sio_http_line;

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
    sio_http_line field[SIO_HTTP_FIELDS];
} sio_http_head;

/* Parses the head of a request from n bytes; empty lines before it count as its part.
 *   > 0  its length; *out is filled (it means nothing otherwise)
 *     0  need more bytes
 *   < 0  refuse: -400, -501 (a transfer coding other than chunked), -417 (an expectation other than
 *        100-continue), -431 (too many fields) */
int sio_http_parse(const char *p, size_t n, sio_http_head *out);

/* Whether parsing n bytes may say something other than "more" when the first seen of them said that:
 * a line is complete, or the first line goes on in a way that ends its method, ends its target, or
 * makes it none. So a sender of single bytes does not have the whole parsed again for each. An empty
 * line before it is taken off already. */
bool sio_http_is_news(const char *p, size_t n, size_t seen);

/* The first field of that name (any case); p == NULL: absent. */
sio_span sio_http_field_of(const sio_http_head *head, const char *name);

/* The field of that name if it is there once; p == NULL: absent, or several. */
sio_span sio_http_single(const sio_http_head *head, const char *name);

/* Whether a byte may stand in a token (RFC 9110, 5.6.2). */
bool sio_http_is_token(char c);

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
sio_span sio_http_target_path(sio_span target);  // what is before it

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
typedef struct sio_ws_head {
    bool fin;              // 5.2  the last frame of its message
    unsigned char op;      // 5.2  opcode
    unsigned char key[4];  // 5.3  masking key
    uint64_t len;          // 5.2  payload bytes that follow the header
} sio_ws_head;

#define SIO_WS_HEADER 14  // bytes of a client's frame header, at the most

/* Reads a frame header from the n bytes at p.
 *   > 0  its length; *out is filled
 *     0  need more bytes
 *   < 0  refuse: the close code to send (7.4.1), negated */
int sio_ws_parse_header(const unsigned char *p, size_t n, sio_ws_head *out);

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

/* Checks a handshake's method, version and fields (4.2.1). NULL: good; or the text of the 400.
 * *version_hint: the answer must name the versions (4.4). */
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

/* ---- resp.c: Redis' protocol (RESP2) ------------------------------------------------------------- */

enum {
    SIO_RESP_LINE = 8192,               // bytes of a status or an error
    SIO_RESP_ELEMENTS = 1024 * 1024,    // of one array
    SIO_RESP_DEPTH = 8,                 // arrays that are open at a time
    SIO_RESP_BYTES = 512 * 1024 * 1024  // of one bulk, as Redis has it
};

enum {
    SIO_RESP_NULL = 0,  // a bulk or an array that is not there
    SIO_RESP_STATUS = '+',
    SIO_RESP_ERROR = '-',
    SIO_RESP_INTEGER = ':',
    SIO_RESP_BULK = '$',
    SIO_RESP_ARRAY = '*'
};

/* A part of a reply. Its text lies in the bytes it was taken from. */
typedef struct sio_resp {
    char kind;
    sio_span text;   // of a status, an error, a bulk
    int64_t number;  // an integer; of an array how many elements follow
} sio_resp;

/* Looks whether a whole reply stands at the start of n bytes.
 *   > 0  its bytes
 *     0  need more: it has *want bytes, as far as is known, which is more than n
 *    -1  refuse
 * Linear in the heads; payloads cost nothing. */
ptrdiff_t sio_resp_size(const char *p, size_t n, size_t *want);

/* Takes the next item of a whole reply: of an array its head, then its elements. False at the end. */
bool sio_resp_next(sio_span *rest, sio_resp *item);

/* Writes a command of n words, which follow as n bulks. */
void sio_resp_put_command(sio_sink *sink, size_t n);
void sio_resp_put_bulk(sio_sink *sink, const void *p, size_t n);

/* ---- msgpack.c: MessagePack, as notepack.io speaks it --------------------------------------------- */

/* Those up to SIO_MSGPACK_BINARY can be names in a map. */
enum {
    SIO_MSGPACK_NIL,
    SIO_MSGPACK_UNDEFINED,
    SIO_MSGPACK_FALSE,
    SIO_MSGPACK_TRUE,
    SIO_MSGPACK_INTEGER,
    SIO_MSGPACK_NUMBER,
    SIO_MSGPACK_STRING,
    SIO_MSGPACK_BINARY,
    SIO_MSGPACK_DATE,
    SIO_MSGPACK_ARRAY,
    SIO_MSGPACK_MAP,
    SIO_MSGPACK_EXT
};

/* A part of a value. Its bytes lie in those it was taken from. */
typedef struct sio_msgpack {
    unsigned char kind;
    signed char ext;  // of an EXT: its type
    uint32_t count;   // of an ARRAY: elements; of a MAP: pairs
    sio_span bytes;   // of a STRING, which need not be UTF-8, a BINARY, an EXT
    int64_t integer;  // an INTEGER; one of 2^63 and above is a NUMBER
    double number;    // an INTEGER or a NUMBER, as JavaScript has it; of a DATE: ms since 1970
} sio_msgpack;

/* Checks that the n bytes at p are one value, whose JSON is nested at most depth levels deep. Refuses
 * names in maps that are arrays, maps, dates or ext. *n_binaries: how many attachments it holds. Linear,
 * no recursion. */
bool sio_msgpack_check(const char *p, size_t n, size_t depth, size_t *n_binaries);

/* The functions below take bytes that sio_msgpack_check accepted. */

/* Takes the next part: of an array or map its head, then what it holds, of a map names and values by
 * turns. False at the end, and where bytes are no value. */
bool sio_msgpack_next(sio_span *rest, sio_msgpack *item);

/* Takes the next value with all that it holds; n == 0 at the end. */
sio_span sio_msgpack_value(sio_span *rest);

/* The value that a map has under a name, the last one where there are several; n == 0: none, or it
 * is no map. */
sio_span sio_msgpack_member(sio_span map, const char *name);

/* Writes a value as JSON. Attachments become placeholders, numbered from 0; their bytes are stored in
 * binaries, which has room for what sio_msgpack_check counted. Returns how many. A map that is like a
 * placeholder is told as it is: how many there are says the count, and not the text. Linear. */
size_t sio_msgpack_put_as_json(sio_sink *sink, sio_span value, sio_span *binaries);

/* Writes checked JSON as MessagePack; its placeholders of the n binaries become those. An object that
 * is like a placeholder and has no number of them stays an object, and so does all that is in it. In
 * passing the sink needs 16 bytes more for each array and object, and what a string's escapes are longer
 * than its text, and 6. Linear; false: the sink failed. */
bool sio_msgpack_put_json(sio_sink *sink, sio_span json, const sio_span *binaries, size_t n);

/* Writers: the shortest form, as the reference has it. The elements of an array, the names and values
 * of a map follow. What is longer than 32 bits say fails the sink. */
void sio_msgpack_put_nil(sio_sink *sink);
void sio_msgpack_put_bool(sio_sink *sink, bool b);
void sio_msgpack_put_integer(sio_sink *sink, int64_t v);
void sio_msgpack_put_number(sio_sink *sink, double d);  // an integer where it is one of 64 bits
void sio_msgpack_put_string(sio_sink *sink, const char *p, size_t n);
void sio_msgpack_put_binary(sio_sink *sink, const void *p, size_t n);
void sio_msgpack_put_array(sio_sink *sink, size_t n);
void sio_msgpack_put_map(sio_sink *sink, size_t n);

#endif
