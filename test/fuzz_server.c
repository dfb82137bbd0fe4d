#define _POSIX_C_SOURCE 200809L  // of sim.c
/* fuzz_server.c - a whole server, and clients that do what the input says
 * SPDX-License-Identifier: MIT
 *
 * The input is a list of steps; the low two bits of a step's first byte name one of four clients,
 * the next three say what it does, and 0x80 that the server does its part at once:
 *
 *     0  sends bytes            1  sends a text frame    2  sends a binary frame           (bytes)
 *                               0x40: not the last one    0x20: a continuation
 *     3  lets time pass         4  closes, resets, half-closes                       (one byte)
 *     5  asks for one of the addresses of a table, or with 0x20 of another one, for the session of a
 *        client                                                                      (one byte)
 *     6  posts a body to that session, of a known length or in chunks; with 0x40 as the form of
 *        JSONP                                                                 (one byte, bytes)
 *        with 0x20: comes back as a client that was here, by its pid and offset       (one byte)
 *     7  has little room, or much; reads are cut                                     (one byte)
 *
 * Bytes begin with their length, n:
 *
 *     n < 0xf0          n bytes                                          n b1 ... bn
 *     0xf0 <= n < 0xf8  up to 2,047: (n & 7) * 256 + m                   n m b1 ...
 *     0xf8 <= n         up to 130,496: ((n & 7) * 256 + m) * 64 - 512    n m size unit
 *                       bytes, a unit again and again                    (size as any length)
 *
 * What must hold: whatever sim.h says holds; every connection that is no WebSocket comes to its
 * end; and somebody else, who speaks to the server all the time, gets each of its echoes. */
#include "sim.c"

enum { CLIENTS = 4 };

typedef struct guest {
    sim_client *client;
    char sid[21], pid[33], offset[21];
} guest;

typedef struct input {
    const uint8_t *p, *end;
} input;

/* ---- The application ------------------------------------------------------------------------ */

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error;
    sio_argc(answer);
}

static void on_event(sio_socket *s, sio_event *e)
{
    char room[9] = "";
    sio_scan(e, "%8s", room);
    switch (sio_name(e)[0]) {
    case 'e':
        sio_emit(sio_self(s), "e", "%p", sio_args(e));
        sio_ack(e, "%p", sio_args(e));
        break;
    case 'j':
        sio_join(s, room);
        break;
    case 'l':
        sio_leave(s, room);
        break;
    case 'b':
        sio_emit(sio_except(sio_to(sio_all(sio_ns(s)), room), "x"), "b", "[%p, %g]", sio_arg(e, 1),
                 0.5);
        break;
    case 'v':
        sio_emit(sio_volatile(sio_broadcast(s)), "v", "{'a': %s}", room);
        break;
    case 'a':
        sio_request(sio_timeout(sio_to(sio_all(sio_ns(s)), room), 50), on_answer, NULL, "a", "");
        sio_request(sio_self(s), on_answer, NULL, "a", "%p", sio_args(e));
        break;
    case 'd':
        sio_disconnect(s, false);
        break;
    case 'x':
        sio_disconnect(s, true);
        break;
    case 'c':
        sio_end_connection(s);
        break;
    default:
        sio_ack_now(sio_ack_later(e), "%p",
                    sio_bytes(sio_arg(e, 0), NULL) != NULL ? NULL : sio_args(e));
    }
}

static const char *check(sio_socket *s, sio_event *e)
{
    (void)s;
    return sio_type(sio_member(sio_arg(e, 0), "no")) == SIO_TRUE ? "no" : NULL;
}

static bool accept_name(const char *name, sio_event *auth)
{
    (void)auth;
    return name[1] == 'd';
}

static void on_raw(sio_ws *ws, bool text, const void *p, size_t n)
{
    sio_ws_broadcast(sio_ws_server(ws), "/raw", text, p, n);
}

static void on_session_data(sio_session *s, bool text, const void *p, size_t n)
{
    sio_session_send(s, text, p, n);
}

static void post_echo(sio_http *http)
{
    size_t n;
    const void *p = sio_http_body(http, &n);
    sio_http_add_header(http, "X-Path", sio_http_path(http));
    sio_http_reply(http, 200, "text/plain", p, n);
}

static void serve(sio_namespace *ns)
{
    static const char *const names[] = { "e", "j", "l", "b", "v", "a", "d", "x", "c", "z" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        sio_on(ns, names[i], on_event);
    sio_use(ns, check);
}

static sio_server *begin(void)
{
    static const sio_ws_handlers raw = { .message = on_raw };
    static const sio_engine_handlers engine = { .message = on_session_data };
    sio_options o = { .ping_interval_ms = 300,
                      .ping_timeout_ms = 200,
                      .upgrade_timeout_ms = 400,
                      .connect_timeout_ms = 500,
                      .header_timeout_ms = 600,
                      .request_timeout_ms = 900,
                      .keep_alive_ms = 500,
                      .close_timeout_ms = 300,
                      .cors = "http://a,http://b",
                      .max_payload = 100000,
                      .max_output = 300000,
                      .cleanup_empty_namespaces = true };
    sio_server *io = sim_new(&o);
    sio_recover(io, &(sio_recovery){ .ms = 2000, .bytes = 5000 });
    sio_allow_v3(io);
    serve(sio_of(io, "/"));
    serve(sio_of(io, "/a"));
    serve(sio_family(io, accept_name));
    sio_websocket(io, "/raw", &raw);
    sio_route(io, "*", "/echo", post_echo);
    o.path = "/engine.io";
    sio_engine(io, &o, &engine);
    return io;
}

/* ---- Who looks on --------------------------------------------------------------------------- */

static sim_peer bystander;

static void arrive(sio_server *io)
{
    sim_open(io, &bystander, SIM_WS, NULL);
    sim_say(&bystander, "40");
    const char *got = sim_hear(&bystander);
    sim_must(sim_like("40{*", got), "nobody can join: %s", got);
}

/* Time passes; the bystander answers its pings. */
static void pass(sio_server *io, int ms)
{
    while (ms > 0) {
        int step = ms < 100 ? ms : 100;
        sim_run_ms(io, step);
        ms -= step;
        for (const char *got; *(got = sim_hear(&bystander)) != '\0';) {
            sim_must(strcmp(got, "END") != 0 && got[0] != 'C', "a bystander is closed: %s", got);
            if (strcmp(got, "2") == 0)
                sim_say(&bystander, "3");
        }
    }
}

/* The bystander speaks, and hears itself among all that the others say. */
static void look_after(sio_server *io)
{
    static int n;
    char text[40];
    pass(io, 1);
    snprintf(text, sizeof text, "42[\"e\",%d]", ++n);
    sim_say(&bystander, text);
    snprintf(text, sizeof text, "42[\"e\",%d,", n);
    for (const char *got; strncmp(got = sim_hear(&bystander), text, strlen(text)) != 0;)
        sim_must(*got != '\0', "a bystander got no echo");
}

/* ---- Steps ---------------------------------------------------------------------------------- */

static uint8_t take_byte(input *in)
{
    return in->p < in->end ? *in->p++ : 0;
}

/* What is left of the input, n bytes at the most. */
static sio_span take_plain(input *in, size_t n)
{
    size_t left = (size_t)(in->end - in->p);
    sio_span s = { (const char *)in->p, n < left ? n : left };
    in->p += s.n;
    return s;
}

/* A unit of the input until there are n bytes; they live as long as the simulation. */
static sio_span take_repeated(input *in, size_t n)
{
    sio_span unit = take_plain(in, take_byte(in));
    char *p = keep(NULL, n);
    for (size_t i = 0; i < n && unit.n > 0; i++)
        p[i] = unit.p[i % unit.n];
    return (sio_span){ p, n };
}

static sio_span take_bytes(input *in)
{
    size_t n = take_byte(in);
    if (n < 0xf0)
        return take_plain(in, n);
    size_t more = (n & 7) * 256 + take_byte(in);
    return n < 0xf8 ? take_plain(in, more) : take_repeated(in, more > 8 ? more * 64 - 512 : 1);
}

/* The client, connected. */
static guest *there(guest *g)
{
    if (g->client == NULL || sim_closed(g->client))
        g->client = sim_connect();
    return g;
}

/* Copies what stands between before and that character, if it is there and fits. */
static void note(char *out, size_t size, sio_span text, const char *before, char behind)
{
    size_t k = strlen(before);
    for (; text.n > k; text.p++, text.n--) {
        const char *end = memchr(text.p + k, behind, text.n - k);
        if (end == NULL)
            return;
        size_t n = (size_t)(end - text.p) - k;
        if (n < size && memcmp(text.p, before, k) == 0) {
            memcpy(out, text.p + k, n);
            out[n] = '\0';
            return;
        }
    }
}

/* An event's offset is its last argument. */
static void note_offset(guest *g, sio_span text)
{
    for (size_t i = 0; i + 1 < text.n; i++) {
        size_t n = 0;
        while (n < i && n < 20 && text.p[i - n - 1] >= '0' && text.p[i - n - 1] <= '9')
            n++;
        if (memcmp(text.p + i, "\"]", 2) != 0 || n == 0 || n == i || text.p[i - n - 1] != '"')
            continue;
        memcpy(g->offset, text.p + i - n, n);
        g->offset[n] = '\0';
    }
}

/* Notes the session that a client is told of, and what it can come back with. */
static void note_session(guest *g)
{
    sio_span text;
    text.p = sim_text(g->client, &text.n);
    if (text.n > 1000)
        text.n = 1000;
    note(g->sid, sizeof g->sid, text, "0{\"sid\":\"", '"');
    note(g->sid, sizeof g->sid, text, "0{\\\"sid\\\":\\\"", '\\');  // JSONP
    note(g->pid, sizeof g->pid, text, "\"pid\":\"", '"');
    note_offset(g, text);
}

static void ask(guest *all, guest *g, unsigned table, unsigned which)
{
    static const char *const targets[2][8] = {
        {
            "/socket.io/?EIO=4&transport=polling",
            "/socket.io/?EIO=4&transport=websocket",
            "/socket.io/?EIO=3&transport=polling",
            "/socket.io/?EIO=3&transport=websocket",
            "/raw",
            "/echo",
            "/socket.io/?EIO=4&transport=polling&j=1",
            "/socket.io/?EIO=3&transport=polling&b64=1",
        },
        {
            "/socket.io/?EIO=3&transport=polling&j=1",
            "/socket.io/?EIO=3&transport=polling&b64=1&j=2",
            "/engine.io/?EIO=4&transport=polling",
            "/engine.io/?EIO=4&transport=websocket",
            "/engine.io/?EIO=3&transport=polling",
            "/engine.io/?EIO=3&transport=websocket",
            "/engine.io/?EIO=3&transport=polling&j=1",
            "/socket.io/?EIO=%34&transport=polling&a=1&b=%zz&transport=websocket",
        },
    };
    const char *target = targets[table][which & 7], *sid = all[which >> 3 & 3].sid;
    char text[200];
    bool up = strstr(target, "websocket") != NULL || target[1] == 'r';
    snprintf(text, sizeof text, "%s%s%s", target, which & 32 && sid[0] ? "&sid=" : "",
             which & 32 ? sid : "");
    sim_request(there(g)->client, which & 64 ? "HEAD" : "GET", text,
                up != (which >= 128) ? SIM_UPGRADE : "Origin: http://a\r\n", NULL);
}

static void send_chunks(sim_client *c, sio_span body, size_t most)
{
    while (body.n > 0) {
        size_t n = body.n < most ? body.n : most;
        sim_sendf(c, "%zx\r\n", n);
        sim_send(c, body.p, n);
        sim_sendf(c, "\r\n");
        body.p += n, body.n -= n;
    }
    sim_sendf(c, "0\r\n\r\n");
}

static void post_body(guest *all, guest *g, input *in, bool form)
{
    unsigned which = take_byte(in);
    sio_span body = take_bytes(in);
    sim_client *c = there(g)->client;
    const char *type = form         ? "Content-Type: application/x-www-form-urlencoded\r\n"
                       : which & 16 ? "Content-Type: application/octet-stream\r\n"
                                    : "";
    sim_sendf(c, "POST /%s.io/?EIO=%d&transport=polling&sid=%s%s HTTP/1.1\r\nHost: x\r\n%s%s",
              which & 128 && !(which & 64) ? "engine" : "socket", which & 4 ? 3 : 4,
              all[which & 3].sid, which & 8 ? "&j=1" : "", type,
              which & 32 ? "Expect: 100-continue\r\n" : "");
    if (which & 64) {
        sim_sendf(c, "Transfer-Encoding: chunked\r\n\r\n%s", form ? "2\r\nd=\r\n" : "");
        send_chunks(c, body, which & 128 ? 1000 : 3);
        return;
    }
    sim_sendf(c, "Content-Length: %zu\r\n\r\n%s", body.n + (form ? 2 : 0), form ? "d=" : "");
    sim_send(c, body.p, body.n);
}

/* A CONNECT with the pid of one client and an offset of the same or another, over the WebSocket that
 * is open or in a POST. */
static void come_back(guest *all, guest *g, unsigned which)
{
    char text[120];
    int n = snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", all[which & 3].pid,
                     all[which >> 2 & 3].offset);
    if (which & 16)
        sim_sendf(there(g)->client,
                  "POST /socket.io/?EIO=4&transport=polling&sid=%s HTTP/1.1\r\nHost: x\r\n"
                  "Content-Length: %d\r\n\r\n%s",
                  g->sid, n, text);
    else
        sim_ws_say(there(g)->client, text);
}

static void end_guest(guest *g, unsigned how)
{
    if (g->client == NULL)
        return;
    if (how % 3 == 0)
        sim_close(g->client);
    else if (how % 3 == 1)
        sim_abort(g->client);
    else
        sim_finish(g->client);
    if (how % 3 < 2)
        g->client = NULL;
}

static void step(sio_server *io, guest *all, input *in)
{
    unsigned first = take_byte(in);
    guest *g = &all[first & 3];
    sio_span s;
    unsigned n;
    switch (first >> 2 & 7) {
    case 0:
        s = take_bytes(in);
        sim_send(there(g)->client, s.p, s.n);
        break;
    case 1:
    case 2:
        s = take_bytes(in);
        n = first & 0x20 ? 0 : first & 4 ? SIO_WS_TEXT : SIO_WS_BINARY;
        sim_ws_frame(there(g)->client, n | (first & 0x40 ? 0 : 0x80u), s.p, s.n);
        break;
    case 3:
        n = take_byte(in);
        pass(io, (int)(n < 128 ? n : (n - 127) * 8));
        break;
    case 4:
        end_guest(g, take_byte(in));
        break;
    case 5:
        ask(all, g, first >> 5 & 1, take_byte(in));
        break;
    case 6:
        if (first & 0x20)
            come_back(all, g, take_byte(in));
        else
            post_body(all, g, in, first & 0x40);
        break;
    default:
        n = take_byte(in);
        sim.cut = n & 1 ? 1 + n / 2 : 0;
        sim_room(there(g)->client, n & 2 ? n * 4 : SIZE_MAX);
    }
    if (first & 0x80)
        sim_run_ms(io, 0);
    if (g->client != NULL)
        note_session(g);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    guest all[CLIENTS] = { { .client = NULL } };
    input in = { p, p + n };
    if (n > 4096)
        return 0;
    sio_server *io = begin();
    arrive(io);
    while (in.p < in.end) {
        step(io, all, &in);
        if (in.p[-1] % 8 == 0)
            pass(io, 1);
    }
    for (int i = 0; i < CLIENTS; i++)
        if (all[i].client != NULL)
            sim_room(all[i].client, SIZE_MAX);
    look_after(io);
    pass(io, 3000);
    look_after(io);
    for (size_t i = 0; i < world.n_clients; i++)
        if (world.client[i] != NULL)
            sim_must(strstr(world.client[i]->got.p, "HTTP/1.1 101 ") != NULL,
                     "a connection never ends");
    sim_free(io);
    return 0;
}
