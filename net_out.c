/* net_out.c - the output on its way to the clients
 * SPDX-License-Identifier: MIT
 *
 * What one turn of the loop sends is encoded once, one message behind the other, into the turn's
 * buffer. A receiver's queue holds references to pieces of it, and neighbouring pieces are joined:
 * sixteen answers to one client, or eight broadcasts to all, are one piece and leave in one send().
 *
 *     turn's buffer   | frame | frame | frame | frame | ...
 *     queue of A        `---------------'                     one piece
 *     queue of B                        `-----'  `-----'      one piece, if they are neighbours
 *
 * A message between begin and end, in the turn's buffer. It is nobody's until its end, so one that
 * fails leaves nothing behind:
 *
 *     | sent before | frame | HH payload..          HH: room for the header of the frame
 *                   ^start     ^payload   ^sink.n       being written, as long as most are
 *
 *     longer than the turn's buffer: it moves to a buffer of its own, where nothing is sent before it
 *     and the room is as long as the longest header
 *
 * Who holds the buffer (refs), while one broadcast goes to three:
 *
 *     the turn                      1
 *     end: the caller's ref         2
 *     queues of A, B and C          5    a queue's next message, if a neighbour, joins its piece: 5
 *     the caller releases its own   4
 *     A and B have sent all of it   2
 *     the turn's end: C settles     1    a small piece is copied out, and the buffer is used again;
 *                                        or C keeps a long one, and the turn lets the buffer go
 *
 * What holds here:
 *  - A piece holds a reference to its buffer; the buffer goes with its last reference.
 *  - Every message is whole WebSocket frames, also for polling clients: their transport reads the
 *    frame headers again and takes the payloads.
 *  - What could not be sent by the turn's end is settled: pieces of less than half of the shared
 *    buffer are copied into buffers of the queue's own. So a client that does not read holds at most
 *    twice what it is owed, and besides the message that is being sent, or one buffer.
 *  - Long pieces are shared by all who are owed them: a broadcast does not become a copy for each, and
 *    counts once towards max_memory. */
#include "net.h"

enum {
    TURN_BYTES = 65000,  // the turn's buffer; a longer message gets its own
    LONG_HEADER = 10,    // of a frame in a buffer of its own
    SHORT_HEADER = 2,
    SETTLE_BYTES = 16384,  // buffers that small pieces are copied into, at the most
    MAX_BYTES = 1 << 30    // of one message
};

/* ---- Buffers and queues --------------------------------------------------------------------------- */

static sio_buf *new_buf(const sio_memory *m, size_t cap)
{
    size_t size = sizeof(sio_buf) + cap;
    sio_buf *b = sio_block_get(m, &size);
    if (b == NULL)
        return NULL;
    sio_hold(m, size, 0);
    *b = (sio_buf){ .refs = 1, .cap = size - sizeof *b, .memory = m, .p = (char *)(b + 1) };
    return b;
}

static void retain(sio_buf *b)
{
    if (!b->fixed)
        b->refs++;
}

static void release(sio_buf *b)
{
    if (b == NULL || b->fixed || --b->refs > 0)
        return;
    size_t size = sizeof *b + b->cap;
    sio_hold(b->memory, 0, size);
    sio_block_put(b->memory, b, size);
}

void sio_ref_release(sio_ref ref)
{
    release(ref.buf);
}

static uint32_t count_more(const sio_queue *q)
{
    return q->more == NULL ? 0 : q->more->n;
}

sio_ref sio_queue_at(const sio_queue *q, size_t i)
{
    if (q->n == 0 || i > count_more(q))
        return (sio_ref){ NULL, 0, 0 };
    return i == 0 ? q->first : q->more->at[i - 1];
}

static sio_ref *last_piece(sio_queue *q)
{
    if (q->n == 0)
        return NULL;
    return count_more(q) > 0 ? &q->more->at[q->more->n - 1] : &q->first;
}

static bool reserve_piece(const sio_memory *m, sio_queue *q)
{
    uint32_t n = count_more(q), cap = q->more == NULL ? 0 : q->more->cap;
    if (n < cap)
        return true;
    cap = cap == 0 ? 4 : cap * 2;
    struct sio_pieces *more = sio_resize(m, q->more, sizeof *more + cap * sizeof *more->at);
    if (more == NULL)
        return false;
    more->n = n, more->cap = cap;
    q->more = more;
    return true;
}

bool sio_queue_add(const sio_memory *m, sio_queue *q, sio_ref ref)
{
    sio_ref *last = last_piece(q);
    if (ref.n == 0)
        return true;
    if (last == NULL) {
        retain(ref.buf);
        q->first = ref;
    } else if (last->buf == ref.buf && last->at + last->n == ref.at) {
        last->n += ref.n;
    } else {
        if (!reserve_piece(m, q))
            return false;
        retain(ref.buf);
        q->more->at[q->more->n++] = ref;
    }
    q->n += ref.n;
    return true;
}

void sio_queue_drop(const sio_memory *m, sio_queue *q, size_t n)
{
    if (n >= q->n) {
        sio_queue_clear(m, q);
        return;
    }
    q->n -= n;
    uint32_t gone = 0;  // of more
    while (n >= q->first.n) {
        n -= q->first.n;
        release(q->first.buf);
        q->first = q->more->at[gone++];
    }
    q->first.at += (uint32_t)n;
    q->first.n -= (uint32_t)n;
    if (gone > 0) {
        q->more->n -= gone;
        memmove(q->more->at, q->more->at + gone, q->more->n * sizeof *q->more->at);
    }
}

void sio_queue_clear(const sio_memory *m, sio_queue *q)
{
    if (q->n > 0)
        release(q->first.buf);
    for (uint32_t i = 0; i < count_more(q); i++)
        release(q->more->at[i].buf);
    sio_free_mem(m, q->more);
    *q = (sio_queue){ .n = 0 };
}

/* The shares of all who hold a buffer are what it has. */
static size_t share_of(const sio_buf *b)
{
    return b == NULL || b->fixed ? 0 : (sizeof *b + b->cap) / b->refs;
}

/* A piece keeps the whole of its buffer, however little of it is still to be sent. */
size_t sio_queue_held(const sio_queue *q)
{
    size_t held = 0;
    for (uint32_t i = 0; q->n > 0 && i <= count_more(q); i++)
        held += share_of(sio_queue_at(q, i).buf);
    return held;
}

/* Copies the piece behind last if that one's buffer is the queue's own and has room, or into a new
 * buffer, which has room for more only where several small pieces come together. Returns the piece in
 * its new place; buf NULL: no memory. */
static sio_ref copy_piece(const sio_memory *m, const sio_ref *last, sio_ref piece)
{
    sio_buf *b = last == NULL ? NULL : last->buf;
    bool own = b != NULL && !b->shared && !b->fixed && b->refs <= 2;  // the old queue and the new
    if (own && last->at + last->n == b->n && b->cap - b->n >= piece.n) {
        retain(b);
    } else {
        size_t cap = !own ? 0 : b->cap < SETTLE_BYTES / 2 ? b->cap * 2 : SETTLE_BYTES;
        b = new_buf(m, cap > piece.n ? cap : piece.n);
        if (b == NULL)
            return (sio_ref){ NULL, 0, 0 };
    }
    sio_ref copy = { b, (uint32_t)b->n, piece.n };
    memcpy(b->p + b->n, piece.buf->p + piece.at, piece.n);
    b->n += piece.n;
    return copy;
}

bool sio_queue_settle(const sio_memory *m, sio_queue *q)
{
    if (q->n == 0)
        return true;
    sio_queue settled = { .n = 0 };
    for (uint32_t i = 0; i <= count_more(q); i++) {
        sio_ref piece = sio_queue_at(q, i);
        const sio_ref *last = last_piece(&settled);
        bool small = piece.buf->shared && piece.n < piece.buf->cap / 2;
        sio_ref next = small ? copy_piece(m, last, piece) : piece;
        bool added = next.buf != NULL && sio_queue_add(m, &settled, next);
        if (small)
            release(next.buf);
        if (!added) {
            sio_queue_clear(m, &settled);
            return false;
        }
    }
    sio_queue_clear(m, q);
    *q = settled;
    return true;
}

/* ---- The turn's output ---------------------------------------------------------------------------- */

static void use(sio_out *out, sio_buf *b)
{
    out->buf = b;
    out->sink.p = b->p;
    out->sink.cap = b->cap;
}

/* Moves the message being written to the buffer b, at its start, with reserve bytes for the current
 * frame's header. */
static void move_message(sio_out *out, sio_buf *b, size_t reserve)
{
    size_t before = out->payload - out->reserve - out->start, size = out->sink.n - out->payload;
    const char *p = out->buf->p;
    memcpy(b->p, p + out->start, before);
    memcpy(b->p + before + reserve, p + out->payload, size);
    if (out->buf != out->turn)
        release(out->buf);
    out->start = 0;
    out->reserve = reserve;
    out->payload = before + reserve;
    out->sink.n = out->payload + size;
    use(out, b);
}

/* Moves the message to a fresh buffer for the turn, where it fits one (the pieces in queues keep the
 * old one), or to a buffer of its own: exactly at first, for it may be all, then with room for more. */
static bool grow_out(sio_sink *sink, size_t need)
{
    sio_out *out = (sio_out *)sink;
    if (need > MAX_BYTES || out->turn == NULL)
        return false;
    size_t size = sink->n - out->start + need + LONG_HEADER;
    bool fits = size <= TURN_BYTES;
    size_t cap = fits ? TURN_BYTES : out->buf == out->turn ? size : size + size / 2;
    sio_buf *b = size > MAX_BYTES ? NULL : new_buf(out->memory, cap), *old = out->turn;
    if (b == NULL)
        return false;
    b->shared = fits;
    move_message(out, b, fits || out->reserve == 0 ? out->reserve : LONG_HEADER);
    if (fits) {
        out->turn = b;
        release(old);
    }
    return true;
}

void sio_out_begin(sio_out *out)
{
    out->sink = (sio_sink){ .grow = grow_out };
    if (out->turn == NULL) {
        out->buf = out->turn = new_buf(out->memory, TURN_BYTES);
        out->sink.failed = out->turn == NULL;
        if (out->sink.failed)
            return;
        out->turn->shared = true;
    }
    use(out, out->turn);
    out->start = out->payload = out->sink.n = out->turn->n;
    out->reserve = 0;
}

void sio_out_frame(sio_out *out)
{
    size_t reserve = out->buf == out->turn ? SHORT_HEADER : LONG_HEADER;
    out->payload = out->sink.n;
    out->reserve = 0;
    if (!sio_sink_room(&out->sink, reserve))
        return;
    out->payload = out->sink.n += reserve;
    out->reserve = reserve;
}

void sio_out_frame_end(sio_out *out, unsigned char op)
{
    sio_sink *sink = &out->sink;
    size_t size = sink->n - out->payload;
    size_t header = size < 126 ? 2 : size < 65536 ? 4 : 10;
    if (sink->failed || (header > out->reserve && !sio_sink_room(sink, header - out->reserve)))
        return;
    char *payload = sink->p + out->payload - out->reserve + header;
    if (header != out->reserve)
        memmove(payload, sink->p + out->payload, size);
    sio_ws_header_before(payload, op, size);
    out->payload = sink->n = out->payload - out->reserve + header + size;
    out->reserve = 0;
}

bool sio_out_end(sio_out *out, sio_ref *ref)
{
    sio_buf *b = out->buf;
    if (out->sink.failed) {
        if (b != out->turn)
            release(b);
        out->buf = out->turn;
        return false;
    }
    *ref = (sio_ref){ b, (uint32_t)out->start, (uint32_t)(out->sink.n - out->start) };
    b->n = out->sink.n;
    if (b == out->turn)
        retain(b);
    out->buf = out->turn;
    return true;
}

size_t sio_out_held(const sio_out *out)
{
    return share_of(out->turn);
}

void sio_out_turn(sio_out *out)
{
    if (out->turn != NULL && out->turn->refs > 1) {
        release(out->turn);
        out->turn = NULL;
    }
    if (out->turn != NULL)
        out->turn->n = 0;
}

void sio_out_free(sio_out *out)
{
    release(out->turn);
    out->turn = NULL;
}
