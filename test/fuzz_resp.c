/* fuzz_resp.c - any bytes as a reply of Redis, and as the words of a command
 * SPDX-License-Identifier: MIT
 *
 * What is claimed:
 *  - A reply is its items, one behind the other, as many as their arrays say.
 *  - No part of it is refused, each wants more, and never more than there is. A refusal stays one.
 *  - The items written again are the reply.
 *  - Any words make a command that reads back. */
#include "fuzz.h"

static bool grow(sio_sink *sink, size_t need)
{
    sink->cap = (sink->n + need) * 2;
    sink->p = realloc(sink->p, sink->cap);
    return sink->p != NULL;
}

static void write_again(sio_sink *sink, const sio_resp *item, bool array)
{
    char number[24];
    if (item->kind == SIO_RESP_BULK) {
        sio_resp_put_bulk(sink, item->text.p, item->text.n);
        return;
    }
    sio_put(sink, item->kind == SIO_RESP_NULL ? array ? "*" : "$" : &item->kind, 1);
    snprintf(number, sizeof number, "%lld", (long long)item->number);
    if (item->kind == SIO_RESP_STATUS || item->kind == SIO_RESP_ERROR)
        sio_put(sink, item->text.p, item->text.n);
    else
        sio_put_text(sink, item->kind == SIO_RESP_NULL ? "-1" : number);
    sio_put(sink, "\r\n", 2);
}

static void check_reply(const char *p, size_t n)
{
    sio_sink again = { .grow = grow };
    sio_span rest = { p, n };
    size_t missing = 1;
    for (; missing > 0; missing--) {
        sio_resp item;
        const char *at = rest.p;
        must(sio_resp_next(&rest, &item), "a reply has the items that it says");
        must(rest.p > at && rest.p + rest.n == p + n, "a walk goes forward, inside");
        if (item.kind == SIO_RESP_ARRAY) {
            must(item.number >= 0 && item.number <= SIO_RESP_ELEMENTS, "arrays have a limit");
            missing += (size_t)item.number;
        }
        write_again(&again, &item, *at == '*');
    }
    must(rest.n == 0, "the last item ends where the reply does");
    must(same((sio_span){ again.p, again.n }, (sio_span){ p, n }), "written again it is the same");
    free(again.p);
}

static void check_cuts(const char *p, size_t n, ptrdiff_t whole)
{
    bool refused = false;
    for (size_t cut = 0; cut <= n && cut < 300; cut++) {
        char *copy = exact(p, cut);
        size_t want = 0;
        ptrdiff_t size = sio_resp_size(copy, cut, &want);
        must(size <= (ptrdiff_t)cut, "a reply lies inside");
        must(size != 0 || want > cut, "who needs more wants more");
        must(!refused || size == -1, "a refusal stays one");
        if (whole > 0 && (size_t)whole > cut)
            must(size == 0 && want <= (size_t)whole, "a part of a reply wants no more than that");
        else if (whole >= 0)
            must(size == whole, "more bytes change no answer");
        refused = size == -1;
        free(copy);
    }
}

/* Words that are parted by zeros. */
static void check_command(const char *p, size_t n)
{
    sio_sink sink = { .grow = grow };
    size_t words = 1, want;
    for (size_t i = 0; i < n; i++)
        words += p[i] == '\0';
    sio_resp_put_command(&sink, words);
    for (size_t at = 0; at <= n;) {
        const char *stop = at == n ? NULL : memchr(p + at, '\0', n - at);
        size_t k = stop == NULL ? n - at : (size_t)(stop - p) - at;
        sio_resp_put_bulk(&sink, p + at, k);
        at += k + 1;
    }
    must(sio_resp_size(sink.p, sink.n, &want) == (ptrdiff_t)sink.n, "a command is a reply's array");
    check_reply(sink.p, sink.n);
    free(sink.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const char *p = (const char *)data;
    size_t want;
    ptrdiff_t whole = sio_resp_size(p, n, &want);
    if (whole > 0)
        check_reply(p, (size_t)whole);
    check_cuts(p, n, whole);
    check_command(p, n);
    return 0;
}
