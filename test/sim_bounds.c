/* sim_bounds.c - what a client costs at most: the table of AUDIT.md, played at the default limits
 * SPDX-License-Identifier: MIT
 *
 * Each row is the worst client of its kind, and the bytes that the server holds for it when it has done
 * what it can: no more than the formula of the limits says, and not much less, else the row means
 * nothing. In the end ten thousand of them come together. */
#include "lib.h"
#include "sim.h"
#include "sio_core.h"

#define POLLING "/socket.io/?EIO=4&transport=polling"
#define WEBSOCKET "/socket.io/?EIO=4&transport=websocket"

enum {
    HEAD = 16384,       // the defaults of max_head,
    PAYLOAD = 1000000,  // max_payload,
    OUTPUT = 16 << 20,  // max_output,
    PACKET = 11000000,  // max_packet,
    NAMESPACES = 100,   // max_namespaces,
    ROOMS = 10000,      // max_rooms
    PIPELINED = 16,     // requests of one connection without an answer
    CONNECTION = 1024,  // a connection, what its session is made of, and a request under way
    SOCKET = 512,       // in a namespace that there was not before: SOCKET and NAMESPACE
    NAMESPACE = 1024,
    ROOM = 256  // with one member, and a short name
};

/* ---- The application ------------------------------------------------------------------------- */

static int n_rooms, n_questions;
static const sio_recovery keeps = { .bytes = 1 << 20 };

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    for (int i = 0; i < n_rooms; i++) {
        char name[32];
        snprintf(name, sizeof name, "room %d", i);
        sio_join(socket, name);
    }
}

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error, (void)answer;
}

static void on_ask(sio_socket *socket, sio_event *event)
{
    (void)event;
    for (int i = 0; i < n_questions; i++)
        sio_request(sio_self(socket), on_answer, NULL, "well", "");
}

/* As much as the client says, in messages of a tenth of a megabyte. */
static void on_flood(sio_socket *socket, sio_event *event)
{
    enum { STEP = 100000 };
    unsigned long n = 0;
    char *text = filled(STEP, 'x');
    if (sio_scan(event, "%lu", &n) == 1)
        for (unsigned long i = 0; i < n / STEP; i++)
            sio_emit(sio_self(socket), "flood", "%s", text);
    free(text);
}

static bool accept_any(const char *name, sio_event *auth)
{
    (void)name, (void)auth;
    return true;
}

static void answer_later(sio_http *http)
{
    sio_http_keep(http);
}

static void answer_echo(sio_http *http)
{
    size_t n;
    const void *p = sio_http_body(http, &n);
    sio_http_reply(http, 200, "text/plain", p, n);
}

static sio_server *begin(sio_options o)
{
    static const sio_ws_handlers raw = { .open = NULL };
    sim_fail = fail_with;
    sio_server *io = sim_new(&o);
    sio_namespace *ns = sio_of(io, "/"), *family = sio_family(io, accept_any);
    sio_allow_v3(io);
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "ask", on_ask);
    sio_on(ns, "flood", on_flood);
    sio_on(family, "flood", on_flood);
    sio_route(io, "POST", "/later", answer_later);
    sio_route(io, "POST", "/echo", answer_echo);
    sio_websocket(io, "/raw", &raw);
    return io;
}

/* ---- The worst clients ------------------------------------------------------------------------ */

/* Each comes from an address of its own. */
static sim_client *arrive(size_t i)
{
    char address[32];
    snprintf(address, sizeof address, "10.%zu.%zu.%zu", i >> 16 & 255, i >> 8 & 255, i & 255);
    return sim_connect_from(address);
}

static void send_fill(sim_client *c, size_t n)
{
    char *bytes = filled(n, 'x');
    sim_send(c, bytes, n);
    free(bytes);
}

/* A head of n bytes, but for the empty line at its end. */
static void send_head(sim_client *c, const char *method, const char *target, const char *fields,
                      size_t n)
{
    char head[1000];
    int have = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: x\r\n%sCookie: ", method,
                        target, fields);
    sim_send(c, head, (size_t)have);
    if (n > (size_t)have + 4)
        send_fill(c, n - (size_t)have - 4);
    sim_sendf(c, "\r\n");
}

/* A session over WebSocket, whose request has n bytes. */
static sim_client *open_ws(sio_server *io, size_t i, const char *target, size_t n)
{
    sim_client *c = arrive(i);
    send_head(c, "GET", target, SIM_UPGRADE, n);
    sim_sendf(c, "\r\n");
    sim_run_ms(io, 0);
    if (sim_answered(c, false).status != 101)
        fail_msg("no WebSocket");
    return c;
}

/* One by polling; sid: 24 bytes. */
static sim_client *open_polling(sio_server *io, size_t i, size_t n, char *sid)
{
    sim_client *c = arrive(i);
    send_head(c, "GET", POLLING, "", n);
    sim_sendf(c, "\r\n");
    sim_run_ms(io, 0);
    sim_answer a = sim_answered(c, false);
    if (a.status == 200 && sid != NULL)
        snprintf(sid, 24, "%.20s", strstr(a.body, "sid\":\"") + 6);
    return c;
}

static void post(sio_server *io, sim_client *c, const char *sid, const char *body)
{
    char target[200];
    snprintf(target, sizeof target, POLLING "&sid=%s", sid);
    sim_request(c, "POST", target, NULL, body);
    sim_run_ms(io, 0);
    sim_answered(c, false);
}

/* What it may send is n bytes, more or less; i: which one it is. */
typedef void (*client)(sio_server *io, size_t i, size_t n);

static void only_connects(sio_server *io, size_t i, size_t n)
{
    (void)io, (void)n;
    arrive(i);
}

static void sends_no_whole_head(sio_server *io, size_t i, size_t n)
{
    (void)io;
    send_head(arrive(i), "GET", "/", "", n < HEAD ? n : HEAD);
}

static void sends_no_whole_body(sio_server *io, size_t i, size_t n)
{
    sim_client *c = arrive(i);
    sim_sendf(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n", n);
    send_fill(c, n - 1);
    sim_run_ms(io, 0);
}

static void sends_no_last_chunk(sio_server *io, size_t i, size_t n)
{
    sim_client *c = arrive(i);
    sim_sendf(c, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%zx\r\n", n);
    send_fill(c, n);
    sim_run_ms(io, 0);
}

/* Requests behind one that waits, whose answers wait with it. */
static void pipelines(sio_server *io, size_t i, size_t n)
{
    char sid[24];
    sim_client *c = open_polling(io, i, 0, sid);
    sim_sendf(c, "GET " POLLING "&sid=%s HTTP/1.1\r\nHost: x\r\n\r\n", sid);
    for (int k = 1; k < PIPELINED; k++) {
        sim_sendf(c, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n\r\n",
                  n / PIPELINED);
        send_fill(c, n / PIPELINED);
        sim_run_ms(io, 0);
    }
}

/* The WebSocket that would take a session over says nothing; its head is not kept. */
static void upgrades_no_further(sio_server *io, size_t i, size_t n)
{
    char sid[24], target[200];
    open_polling(io, i, 0, sid);
    snprintf(target, sizeof target, WEBSOCKET "&sid=%s", sid);
    open_ws(io, i, target, n);
}

static void joins_nothing(sio_server *io, size_t i, size_t n)
{
    open_polling(io, i, n < HEAD ? n : HEAD, NULL);
}

static void joins_nothing_by_websocket(sio_server *io, size_t i, size_t n)
{
    open_ws(io, i, WEBSOCKET, n < HEAD ? n : HEAD);
}

static void speaks_protocol_3(sio_server *io, size_t i, size_t n)
{
    open_ws(io, i, "/socket.io/?EIO=3&transport=websocket", n < HEAD ? n : HEAD);
}

static void is_a_plain_websocket(sio_server *io, size_t i, size_t n)
{
    open_ws(io, i, "/raw", n < HEAD ? n : HEAD);
}

static void polls_no_more(sio_server *io, size_t i, size_t n)
{
    char sid[24], text[64];
    sim_client *c = open_polling(io, i, 0, sid);
    post(io, c, sid, "40");
    snprintf(text, sizeof text, "42[\"flood\",%zu]", n);
    post(io, c, sid, text);
}

static void reads_no_more(sio_server *io, size_t i, size_t n)
{
    char text[64];
    sim_client *c = open_ws(io, i, WEBSOCKET, 0);
    sim_ws_say(c, "40");
    sim_run_ms(io, 0);
    sim_room(c, 0);
    snprintf(text, sizeof text, "42[\"flood\",%zu]", n);
    sim_ws_say(c, text);
    sim_run_ms(io, 0);
}

/* Half of a message in one frame, and all but a byte of the rest in another. */
static void sends_no_last_frame(sio_server *io, size_t i, size_t n)
{
    sim_client *c = open_ws(io, i, WEBSOCKET, 0);
    size_t half = n / 2;
    char *bytes = calloc(1, half + 1);
    sim_ws_frame(c, 0x02, bytes, half + 1);
    unsigned char header[14] = { 0x80, 0xff };
    for (size_t k = 0; k < 8; k++)
        header[2 + k] = (unsigned char)((n - half - 1) >> 8 * (7 - k));
    sim_send(c, header, sizeof header);
    sim_send(c, bytes, n - half - 2);
    free(bytes);
    sim_run_ms(io, 0);
}

/* Ten attachments are announced; nine come, and of the tenth all but a byte. */
static void sends_no_last_attachment(sio_server *io, size_t i, size_t n)
{
    sim_client *c = open_ws(io, i, WEBSOCKET, 0);
    size_t each = n / 11;
    char *bytes = calloc(1, each);
    sim_ws_say(c, "40");
    sim_sendf(c, "%s", "");
    sim_ws_say(c, "4510-[\"message\",{\"_placeholder\":true,\"num\":0}]");
    for (int k = 0; k < 9; k++) {
        sim_ws_frame(c, 0x82, bytes, each);
        sim_run_ms(io, 0);
    }
    unsigned char header[14] = { 0x82, 0xff };
    for (size_t k = 0; k < 8; k++)
        header[2 + k] = (unsigned char)(each >> 8 * (7 - k));
    sim_send(c, header, sizeof header);
    sim_send(c, bytes, each - 1);
    free(bytes);
    sim_run_ms(io, 0);
}

/* In each namespace a payload of n bytes at CONNECT. */
static void joins_namespaces(sio_server *io, size_t i, size_t n)
{
    sim_client *c = open_ws(io, i, WEBSOCKET, 0);
    size_t room = n / NAMESPACES + 64;
    char *text = malloc(room);
    for (int k = 0; k < NAMESPACES && text != NULL; k++) {
        int have = snprintf(text, room, "40/%zu-%d,{\"a\":\"", i, k);
        memset(text + have, 'x', room - (size_t)have);
        snprintf(text + room - 3, 3, "\"}");
        sim_ws_say(c, text);
        sim_run_ms(io, 0);
    }
    free(text);
}

static void keeps_requests_waiting(sio_server *io, size_t i, size_t n)
{
    sim_client *c = arrive(i);
    size_t each = n / PIPELINED, body = each > HEAD ? each - HEAD : 1;
    char length[64];
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", body);
    for (int k = 0; k < PIPELINED; k++) {
        send_head(c, "POST", "/later", length, each < HEAD ? 0 : HEAD - 2);
        sim_sendf(c, "\r\n");
        send_fill(c, body);
        sim_run_ms(io, 0);
    }
}

/* The application's: it joins whom it likes to as many rooms as it likes. */
static void is_in_rooms(sio_server *io, size_t i, size_t n)
{
    sim_client *c = open_ws(io, i, WEBSOCKET, 0);
    n_rooms = (int)(n / ROOM);
    sim_ws_say(c, "40");
    sim_run_ms(io, 0);
    n_rooms = 0;
}

/* The same: it asks without a time limit, and nobody answers. */
static void owes_answers(sio_server *io, size_t i, size_t n)
{
    sim_client *c = open_ws(io, i, WEBSOCKET, 0);
    sim_ws_say(c, "40");
    n_questions = (int)(n / 256);
    sim_ws_say(c, "42[\"ask\"]");
    sim_run_ms(io, 0);
}

/* ---- The rows --------------------------------------------------------------------------------- */

typedef struct row {
    const char *name;  // as in AUDIT.md
    client play;
    size_t n;     // bytes that it is told to use
    size_t most;  // what the server holds for it then
} row;

static const row rows[] = {
    { "a connection", only_connects, 0, CONNECTION },
    { "an incomplete head", sends_no_whole_head, HEAD, CONNECTION + 2 * HEAD },
    { "an incomplete body", sends_no_whole_body, PAYLOAD, CONNECTION + PAYLOAD },
    { "an incomplete body in chunks", sends_no_last_chunk, PAYLOAD, CONNECTION + PAYLOAD },
    { "pipelined requests", pipelines, PIPELINED *(PAYLOAD - 1000),
      (PIPELINED + 1) * CONNECTION + 2 * OUTPUT },
    { "half an upgrade", upgrades_no_further, HEAD, 2 * CONNECTION },
    { "a session by polling that joins nothing", joins_nothing, HEAD, CONNECTION + HEAD },
    { "a session over WebSocket that joins nothing", joins_nothing_by_websocket, HEAD,
      CONNECTION + HEAD },
    { "a client of protocol 3", speaks_protocol_3, HEAD, CONNECTION + SOCKET + HEAD },
    { "a plain WebSocket", is_a_plain_websocket, HEAD, CONNECTION + HEAD },
    { "output that nobody polls", polls_no_more, OUTPUT, 2 * CONNECTION + SOCKET + 2 * OUTPUT },
    { "output that nobody reads", reads_no_more, OUTPUT, CONNECTION + SOCKET + 2 * OUTPUT },
    { "an incomplete message", sends_no_last_frame, PAYLOAD, CONNECTION + 2 * PAYLOAD },
    { "missing attachments", sends_no_last_attachment, PACKET,
      CONNECTION + SOCKET + PACKET + PAYLOAD },
    { "namespaces", joins_namespaces, NAMESPACES *(PAYLOAD - 1000),
      CONNECTION + NAMESPACES *(SOCKET + NAMESPACE + PAYLOAD) },
    { "requests that are answered later", keeps_requests_waiting, PIPELINED *(HEAD + PAYLOAD),
      PIPELINED *(4096 + CONNECTION + HEAD + PAYLOAD) },
    { "rooms", is_in_rooms, ROOMS *ROOM, CONNECTION + SOCKET + ROOMS *ROOM },
    { "questions of ours", owes_answers, 256000, CONNECTION + SOCKET + 2 * 256000 },
};

/* Of most at least so many hundredths are needed. */
static size_t least_of(const row *r)
{
    return r->most / 100 * 35;
}

/* Tables and buffers of the server itself are there, and nobody is. */
static void warm_up(sio_server *io)
{
    for (size_t k = 0; k < 3; k++) {
        sim_client *all[3] = { open_polling(io, k, 0, NULL), open_ws(io, k, "/raw", 0),
                               open_ws(io, k, WEBSOCKET, 0) };
        sim_ws_say(all[2], "40");
        sim_run_ms(io, 0);
        for (size_t i = 0; i < COUNT(all); i++)
            sim_close(all[i]);
    }
    sim_run_ms(io, 60000);
}

static void each_client_costs_what_the_table_says(void **state)
{
    size_t bad = 0;
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        sio_server *io = begin((sio_options){ .path = NULL });
        warm_up(io);
        size_t before = sim.bytes, open = sim.open;
        rows[i].play(io, 10, rows[i].n);
        sim_run_ms(io, 4000);
        size_t got = sim.bytes - before;
        bool fits = got <= rows[i].most && (rows[i].n == 0 || got >= least_of(&rows[i]));
        if (!fits || sio_get_stats(io)->overflows > 0 || sim.open > open + 2)
            printf("%s: %zu bytes of %zu, %zu descriptors\n", rows[i].name, got, rows[i].most,
                   sim.open - open);
        bad += !fits || sio_get_stats(io)->overflows > 0 || sim.open > open + 2;
        sim_free(io);
    }
    if (bad > 0)
        fail_msg("%zu rows", bad);
}

/* The table says the same names and numbers. */
static void the_table_is_in_audit_md(void **state)
{
    static char text[100000];
    FILE *f = fopen("AUDIT.md", "r");
    (void)state;
    assert_non_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char line[200], digits[32], number[48];
        size_t n = (size_t)snprintf(digits, sizeof digits, "%zu", rows[i].most), k = 0;
        for (size_t d = 0; d < n; d++) {
            if (d > 0 && (n - d) % 3 == 0)
                number[k++] = ',';
            number[k++] = digits[d];
        }
        number[k] = '\0';
        snprintf(line, sizeof line, "\n| %s | %s |", rows[i].name, number);
        if (strstr(text, line) == NULL)
            fail_msg("AUDIT.md has no line%s", line);
    }
}

/* ---- Of all together --------------------------------------------------------------------------- */

/* Behind a client come those that hold least: of as many bytes as more than two gigabytes take. */
static void ten_thousand_of_them_take_less_than_a_gigabyte(void **state)
{
    enum { CLIENTS = 10000, EACH = 400000 };
    size_t most = 0;
    (void)state;
    sio_server *io = begin((sio_options){ .return_timeout_ms = SIO_NEVER });
    for (size_t i = 0; i < CLIENTS; i++) {
        const row *r = &rows[i % (COUNT(rows) - 2)];  // rooms and questions are the application's
        r->play(io, i, r->n < EACH ? r->n : EACH);
        most = sim.bytes > most ? sim.bytes : most;
    }
    sim_run_ms(io, 100);
    assert_in_range(most, (size_t)400 << 20, (size_t)1 << 30);
    assert_true(sio_get_stats(io)->overflows > 100);
    sim_client *c = arrive(0);  // and others are served
    sim_request(c, "POST", "/echo", NULL, "hello");
    sim_run_ms(io, 100);
    assert_int_equal(sim_answered(c, false).status, 200);
    sim_free(io);
}

/* CONNECT's payloads and the requests of sessions are held for long, and count. */
static void what_is_kept_of_clients_is_limited(void **state)
{
    static const struct {
        const char *rule;
        client play;
        size_t n, clients;
    } cases[] = {
        { "payloads of CONNECT", joins_namespaces, 5000000, 20 },
        { "requests of sessions by polling", joins_nothing, HEAD, 2000 },
        { "requests of sessions over WebSocket", joins_nothing_by_websocket, HEAD, 2000 },
        { "requests of plain WebSockets", is_a_plain_websocket, HEAD, 2000 },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_server *io = begin((sio_options){ .max_memory = 10000000 });
        for (size_t k = 0; k < cases[i].clients; k++)
            cases[i].play(io, k, cases[i].n);
        sim_run_ms(io, 100);
        if (io->net.held > 10000000 + 1000000 || sio_get_stats(io)->overflows == 0)
            fail_msg("%s: %zu bytes", cases[i].rule, io->net.held);
        sim_free(io);
    }
}

/* ---- What is not a client's -------------------------------------------------------------------- */

/* Lost sockets, with their rooms: together as much as the option says. */
static void recovery_keeps_what_its_option_says(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .path = NULL });
    assert_int_equal(sio_recover(io, &keeps), 0);
    size_t before = sim.bytes, most = 0;
    for (size_t i = 0; i < 300; i++) {
        sim_client *c = open_ws(io, i, WEBSOCKET, 0);
        n_rooms = 1000;
        sim_ws_say(c, "40");
        sim_run_ms(io, 0);
        sim_abort(c);
        sim_run_ms(io, 100);
        most = sim.bytes - before > most ? sim.bytes - before : most;
    }
    n_rooms = 0;
    assert_in_range(most, keeps.bytes / 2, keeps.bytes * 3 / 2);
    sim_free(io);
}

/* Whoever is refused a thousand times fills no log: eleven lines of a kind in a second, of at most a
 * kilobyte, and nothing stays in memory. */
static void lines_of_the_log_are_few(void **state)
{
    (void)state;
    sio_server *io = begin((sio_options){ .path = NULL });
    sim_client *c = arrive(1);
    sim_request(c, "GET", "/nobody", NULL, NULL);
    sim_run_ms(io, 10000);
    size_t before = sim.bytes;
    unsigned long lines = sim.logged;
    for (size_t i = 0; i < 1000; i++) {
        char *path = filled(8000, '/');
        c = arrive(i);
        sim_request(c, "GET", path, NULL, NULL);
        sim_run_ms(io, 0);
        assert_true(strlen(sim.log) < 1000);
        sim_close(c);
        free(path);
    }
    sim_run_ms(io, 10000);
    assert_in_range(sim.logged - lines, 10, 12);
    assert_in_range(sim.bytes, 0, before + 1024);
    sim_free(io);
}

/* Addresses are remembered while their clients are there, and for two seconds where rates are limited. */
static void addresses_are_forgotten(void **state)
{
    enum { ADDRESSES = 2000, ADDRESS = 256 };
    (void)state;
    sio_server *io =
        begin((sio_options){ .max_packet_rate_per_address = 100, .max_per_address = 10 });
    for (int round = 0; round < 3; round++) {
        sim_client *all[ADDRESSES];
        size_t before = sim.bytes;
        for (size_t i = 0; i < ADDRESSES; i++) {
            all[i] = arrive(i + 1);
            sim_request(all[i], "POST", "/echo", NULL, "x");
            sim_run_ms(io, 0);
        }
        if (round > 0)
            assert_in_range(sim.bytes - before, ADDRESSES * 64, ADDRESSES * (CONNECTION + ADDRESS));
        for (size_t i = 0; i < ADDRESSES; i++)
            sim_close(all[i]);
        sim_run_ms(io, 5000);
        if (round > 0)
            assert_in_range(sim.bytes, 0, before + 1024);
    }
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_client_costs_what_the_table_says),
        cmocka_unit_test(the_table_is_in_audit_md),
        cmocka_unit_test(ten_thousand_of_them_take_less_than_a_gigabyte),
        cmocka_unit_test(what_is_kept_of_clients_is_limited),
        cmocka_unit_test(recovery_keeps_what_its_option_says),
        cmocka_unit_test(lines_of_the_log_are_few),
        cmocka_unit_test(addresses_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
