/* resp.c - what Redis and its clients say to each other: RESP2, as a client speaks it
 * SPDX-License-Identifier: MIT
 *
 *     +OK\r\n                       a status                 $5\r\nhello\r\n    a bulk: 5 bytes, any
 *     -ERR why\r\n                  an error                 $-1\r\n            null
 *     :-7\r\n                       an integer               *-1\r\n            null
 *     *2\r\n$1\r\na\r\n:1\r\n       an array: its elements follow, each with a head of its own
 *
 * A command is an array of bulks. Redis answers each with one reply, in order; a connection that has
 * subscribed is sent arrays unasked.
 *
 * What holds here:
 *  - No function reads outside the n bytes it was given, keeps state between calls, or allocates.
 *  - Whether a reply is refused does not depend on how its bytes were cut: what begins like a valid
 *    reply is never refused before the byte that makes it none.
 *  - A bulk's payload is stepped over and not looked at. While it comes, a call reads the heads before
 *    it again, and *want says how long there is no use in calling.
 *  - A length from the wire is compared with a limit before it is added to anything.
 *
 * Stricter than some clients: a line ends in CR LF, and no number has a plus, a zero before it or a
 * zero with a minus; Redis writes none. Left out: RESP3, which a server speaks only when it was asked. */
#include "codec.h"

enum {
    LEAST = 3  // bytes of the shortest item, an empty status
};

/* ---- Reading --------------------------------------------------------------------------------- */

/* The functions below return bytes that they took; 0: more are needed; -1: refuse. */

/* The end of a line at p[i]; what is before it counts as taken. */
static ptrdiff_t take_end(const char *p, size_t n, size_t i)
{
    if ((i < n && p[i] != '\r') || (i + 1 < n && p[i + 1] != '\n'))
        return -1;
    return i + 1 < n ? (ptrdiff_t)i + 2 : 0;
}

static ptrdiff_t take_text(const char *p, size_t n, sio_span *text)
{
    size_t i = 0;
    while (i < n && i <= SIO_RESP_LINE && p[i] != '\r' && p[i] != '\n')
        i++;
    *text = (sio_span){ p, i };
    return i > SIO_RESP_LINE ? -1 : take_end(p, n, i);
}

static ptrdiff_t take_number(const char *p, size_t n, int64_t *out)
{
    size_t sign = n > 0 && p[0] == '-', i = sign;
    uint64_t v = 0, most = (uint64_t)INT64_MAX + sign;
    for (; i < n && sio_is_digit(p[i]); i++) {
        uint64_t digit = (uint64_t)(p[i] - '0');
        if (v == 0 && (i > sign || (sign && digit == 0)))
            return -1;
        if (v > (most - digit) / 10)
            return -1;
        v = v * 10 + digit;
    }
    if (i == sign)
        return i < n ? -1 : 0;
    *out = v > INT64_MAX ? INT64_MIN : sign ? -(int64_t)v : (int64_t)v;
    return take_end(p, n, i);
}

/* A head that tells a length of at most that many; a length of -1 alone says null. */
static ptrdiff_t take_length(const char *p, size_t n, int64_t most, sio_resp *item)
{
    ptrdiff_t used = take_number(p, n, &item->number);
    if (used <= 0)
        return used;
    if (item->number == -1)
        item->kind = SIO_RESP_NULL;
    return item->number >= -1 && item->number <= most ? used : -1;
}

/* The payload of a bulk whose length is in the item. *want, when it is not all there, is its size. */
static ptrdiff_t take_payload(const char *p, size_t n, sio_resp *item, size_t *want)
{
    size_t length = (size_t)item->number;
    *want = length + 2;
    if (n < length + 2)
        return 0;
    item->text = (sio_span){ p, length };
    return take_end(p, n, length);
}

/* An item; of an array its head. When it is not all there, it has *want bytes, as far as is known. */
static ptrdiff_t take_item(const char *p, size_t n, sio_resp *item, size_t *want)
{
    ptrdiff_t used;
    *want = n < LEAST ? LEAST : n + 1;
    if (n == 0)
        return 0;
    *item = (sio_resp){ .kind = p[0] };
    switch (p[0]) {
    case SIO_RESP_STATUS:
    case SIO_RESP_ERROR:
        used = take_text(p + 1, n - 1, &item->text);
        break;
    case SIO_RESP_INTEGER:
        used = take_number(p + 1, n - 1, &item->number);
        break;
    case SIO_RESP_BULK:
        used = take_length(p + 1, n - 1, SIO_RESP_BYTES, item);
        break;
    case SIO_RESP_ARRAY:
        used = take_length(p + 1, n - 1, SIO_RESP_ELEMENTS, item);
        break;
    default:
        return -1;
    }
    if (used <= 0)
        return used;
    size_t head = (size_t)used + 1;
    if (item->kind != SIO_RESP_BULK)
        return (ptrdiff_t)head;
    used = take_payload(p + head, n - head, item, want);
    *want += head;
    return used <= 0 ? used : (ptrdiff_t)head + used;
}

ptrdiff_t sio_resp_size(const char *p, size_t n, size_t *want)
{
    size_t at = 0, level = 0, missing = 1;  // items still to come, those of all levels together
    int64_t left[SIO_RESP_DEPTH];           // of the arrays that are open
    sio_resp item;
    while (missing > 0) {
        ptrdiff_t used = take_item(p + at, n - at, &item, want);
        if (used < 0)
            return -1;
        if (used == 0) {
            *want += at + (missing - 1) * LEAST;
            return 0;
        }
        at += (size_t)used;
        missing--;
        if (item.kind == SIO_RESP_ARRAY) {
            if (level == SIO_RESP_DEPTH)
                return -1;
            missing += (size_t)item.number;
            left[level++] = item.number + 1;  // its head is the first to go
        }
        while (level > 0 && --left[level - 1] == 0)
            level--;
    }
    return (ptrdiff_t)at;
}

bool sio_resp_next(sio_span *rest, sio_resp *item)
{
    size_t want;
    ptrdiff_t used = take_item(rest->p, rest->n, item, &want);
    if (used <= 0)
        return false;
    rest->p += used, rest->n -= (size_t)used;
    return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static void put_head(sio_sink *sink, const char *kind, size_t n)
{
    sio_put(sink, kind, 1);
    sio_put_number(sink, n);
    sio_put(sink, "\r\n", 2);
}

void sio_resp_put_command(sio_sink *sink, size_t n)
{
    put_head(sink, "*", n);
}

void sio_resp_put_bulk(sio_sink *sink, const void *p, size_t n)
{
    put_head(sink, "$", n);
    sio_put(sink, p, n);
    sio_put(sink, "\r\n", 2);
}
