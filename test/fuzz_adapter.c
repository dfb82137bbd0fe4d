#define _POSIX_C_SOURCE 200809L  // of sim.c
/* fuzz_adapter.c - a member of a cluster, and channels that bring it what the input says
 * SPDX-License-Identifier: MIT
 *
 * The input is a list of messages. The first byte of each says how it comes, then two bytes how long it
 * is:
 *
 *     0x07  the channel: all, r1's, r9's, requests, answers, own answers, another namespace's, none
 *     0x08  bytes as they are; else JSON, of which 0x10 makes MessagePack if it is JSON
 *     0x20  before it, time passes
 *     0x40  before it, the server asks: sockets, rooms, servers, clients, by the low two bits
 *     0x80  before it, Redis says how many servers there are
 *
 * In JSON "@" stands for the id of the last question, "&" for the member's uid.
 *
 * What must hold: whatever sim.h says holds; each question is answered once; a bystander gets each of its
 * answers; what strangers had us keep is gone in the end. */
#include "sim.c"
#include "sim_redis.h"

static unsigned asked, answered;

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)error;
    answered++;
    must(*(int *)data == 1, "a question is answered once");
    *(int *)data = 2;
    for (size_t i = 0; i < sio_argc(answer); i++)
        sio_type(sio_arg(answer, i));
}

static void on_server_event(sio_socket *s, sio_event *e)
{
    must(s == NULL, "an event of a server has no socket");
    sio_ack(e, "%p", sio_args(e));
}

static void on_later(sio_socket *s, sio_event *e)
{
    (void)s;
    sio_later later = sio_ack_later(e);
    if (sio_argc(e) > 0)
        sio_ack_now(later, "%p", sio_arg(e, 0));
}

static void on_echo(sio_socket *s, sio_event *e)
{
    (void)s;
    sio_ack(e, "%p", sio_args(e));
}

static void on_connection(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_join(s, "r1");
}

static sio_server *begin(void)
{
    sio_server *io = sim_new(&(sio_options){ .cleanup_empty_namespaces = true });
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "echo", on_echo);
    sio_on_server(ns, "s", on_server_event);
    sio_on_server(ns, "l", on_later);
    be_member(io, &(sio_redis_options){ .requests_timeout_ms = 1000, .max_message = 100000 });
    for (char name = 'A'; name < 'D'; name++)
        enter(io, name, SIM_WS, NULL, "");
    return io;
}

/* The bystander is B, unless it was disconnected: then it comes again. */
static void look_on(sio_server *io)
{
    static unsigned n;
    char text[60], pattern[60];
    sim_hear_all(sim_peer_of('B'));
    enter(io, 'B', SIM_WS, NULL, "");
    snprintf(text, sizeof text, "429[\"echo\",%u]", ++n);
    snprintf(pattern, sizeof pattern, "*439[%u]*", n);
    sim_say(sim_peer_of('B'), text);
    must(sim_like(pattern, sim_hear_all(sim_peer_of('B'))), "a bystander is served");
}

static void ask(sio_server *io, unsigned what, int *state)
{
    sio_target all = sio_all(sio_of(io, "/"));
    int result = what == 0   ? sio_fetch_sockets(all, on_answer, state)
                 : what == 1 ? sio_all_rooms(sio_of(io, "/"), on_answer, state)
                 : what == 2 ? sio_server_request(sio_of(io, "/"), on_answer, state, "s", "1")
                             : sio_request(sio_timeout(all, 500), on_answer, state, "q", "");
    asked += result == 0;
    *state = 1;
    sim_run_ms(io, 0);
    redis.mute = true;  // the count comes when the input says so
    said(io);
    redis.mute = false;
}

static size_t put_named_ids(const char *p, size_t n, char *out)
{
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        const char *id = p[i] == '@' ? redis.id : p[i] == '&' ? redis.uid : NULL;
        size_t k = id == NULL ? 1 : strlen(id);
        memcpy(out + size, id == NULL ? &p[i] : id, k);
        size += k;
    }
    return size;
}

static void bring(sio_server *io, unsigned how, const char *p, size_t n)
{
    static const char *const names[] = { "socket.io#/#",          "socket.io#/#r1#",
                                         "socket.io#/#r9#",       "socket.io-request#/#",
                                         "socket.io-response#/#", NULL,
                                         "socket.io-request#/x#", "other" };
    static const sio_span blobs[2] = { { "abc", 3 }, { "", 0 } };
    char channel[60], *text = keep(NULL, n * 6 + 1), *packed = keep(NULL, n * 120 + 400);
    snprintf(channel, sizeof channel, "socket.io-response#/#%s#", redis.uid);
    n = how & 8 ? n : put_named_ids(p, n, text);
    p = how & 8 ? p : text;
    sio_sink sink = { .p = packed, .cap = n * 20 + 400 };
    if (!(how & 8) && how & 16 && sio_json_check(p, n, 100, NULL) &&
        sio_msgpack_put_json(&sink, (sio_span){ p, n }, blobs, 2))
        p = packed, n = sink.n;
    hear_bytes(names[how & 7] == NULL ? channel : names[how & 7], p, n);
    sim_run_ms(io, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    int states[64];
    size_t at = 0, n_asked = 0;
    if (n > 4096)
        return 0;
    asked = answered = 0;
    sio_server *io = begin();
    while (n - at >= 3) {
        unsigned how = p[at], size = (unsigned)(p[at + 1] << 8 | p[at + 2]);
        at += 3;
        size_t left = size < n - at ? size : n - at;
        if (how & 0x20)
            sim_run_ms(io, 300);
        if (how & 0x40 && n_asked < 64)
            ask(io, how & 3, &states[n_asked++]);
        if (how & 0x80)
            sim_sendf(redis.publisher, "*2\r\n$1\r\nc\r\n:%u\r\n", 1 + (how & 3));
        bring(io, how, (const char *)p + at, left);
        at += left;
        said(io);
        for (char name = 'A'; name < 'D'; name++)
            sim_hear_all(sim_peer_of(name));
    }
    look_on(io);
    for (int i = 0; i < 3; i++) {
        said(io);
        sim_run_ms(io, 1000);
    }
    must(asked == answered, "each question is answered");
    sim_free(io);
    return 0;
}
