#define _POSIX_C_SOURCE 200809L  // of sim.c
/* test_check.c - sim_check says it when something does not hold: what it claims is broken
 * SPDX-License-Identifier: MIT
 *
 * A server is played into a state in which there is something of everything. A line below changes one
 * place, in a process of its own, and hears what is said. */
#include "sim.c"

#include "lib.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static sio_server *io;
static sio_conn *slow, *talks, *posts, *later,
    *idle;                                    // who does not read; is in a message, a body; ..
static sio_session *polls, *probes, *writes;  // who has a GET that waits, upgrades, posts
static sio_socket *a, *b;                     // in "/", and in rooms
static sio_namespace *root;
static sio_room_data *room;
static ws_endpoint *plain;
static recovery *kept_events;
static const sio_options tight = { .max_memory = 1, .max_per_address = 100 };
static unsigned said_so_far;

/* ---- The scene ---------------------------------------------------------------------------------- */

static bool accept_any(const char *name, sio_event *auth)
{
    (void)auth;
    return strncmp(name, "/f", 2) == 0;
}

static const char *keep_waiting(sio_socket *s, sio_event *e)
{
    (void)s;
    sio_next_later(e);
    return SIO_LATER;
}

static void on_answer(sio_server *server, void *data, const char *error, sio_event *answer)
{
    (void)server, (void)data, (void)error, (void)answer;
}

static void keep_request(sio_http *http)
{
    sio_http_keep(http);
}

static void nothing(sio_server *server, void *data)
{
    (void)server, (void)data;
}

static void ignore(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
}

static void serve(void)
{
    static const sio_ws_handlers raw = { .message = NULL };
    sio_options o = { .max_connections = 100,
                      .max_per_address = 100,
                      .max_sessions = 100,
                      .max_rooms = 10,
                      .cleanup_empty_namespaces = true };
    io = sim_new(&o);
    assert_int_equal(sio_recover(io, NULL), 0);
    sio_websocket(io, "/raw", &raw);
    sio_route(io, "GET", "/later", keep_request);
    sio_use(sio_of(io, "/wait"), keep_waiting);
    sio_on(sio_of(io, "/"), "e", ignore);
    sio_on(sio_of(io, "/"), "e", ignore, &io);
    sio_family(io, accept_any);
    sio_after(io, 500000, nothing, NULL);
    sio_every(io, 600000, nothing, NULL);
    sio_cancel(io, sio_after(io, 400000, nothing, NULL));
}

static sio_conn *newest_conn(void)
{
    return io->net.conns[io->net.n_conns - 1];
}

static sio_session *session_of_sid(const char *sid)
{
    return (sio_session *)sio_table_find(&io->engine.eio.sessions, sid, strlen(sid));
}

static sio_session *open_polling(sim_peer *p)
{
    sim_open(io, p, SIM_POLL, NULL);
    return session_of_sid(p->sid);
}

static void join_namespaces(void)
{
    sim_peer p, q, gone;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40|40/f1,|40/wait,");
    sim_open(io, &q, SIM_WS, NULL);
    sim_say(&q, "40");
    sim_open(io, &gone, SIM_WS, NULL);
    sim_say(&gone, "40");
    sio_namespace *ns = sio_of(io, "/");
    a = ns->sockets[0], b = ns->sockets[1];
    sio_join(a, "x"), sio_join(a, "y"), sio_join(b, "y");
    sio_emit(sio_to(sio_all(ns), "y"), "one", "");
    sio_emit(sio_to(sio_all(ns), "y"), "two", "");
    sio_request(sio_timeout(sio_all(ns), 100000), on_answer, NULL, "q", "");
    sim_abort(gone.ws);
    sim_run_ms(io, 0);
    sim_say(&q, "451-[\"e\",{\"_placeholder\":true,\"num\":0}]");
    sim_open(io, &q, SIM_WS, NULL);  // joins nothing
}

static void begin_sessions(void)
{
    sim_peer p;
    polls = open_polling(&p);
    sim_hear_all(&p);  // a GET waits
    probes = open_polling(&p);
    sim_client *c = sim_connect();
    sim_request(c, "GET", target_of(&p, SIM_WS, NULL), SIM_UPGRADE, NULL);
    sim_run_ms(io, 0);
    writes = open_polling(&p);
    c = sim_connect();
    sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n4",
              target_of(&p, SIM_POLL, NULL));
    sim_run_ms(io, 0);
    posts = newest_conn();
}

static void begin_connections(void)
{
    static char text[40000];
    sim_client *c = sim_ws_open(io, "/raw", NULL);
    slow = newest_conn();
    sim_room(c, 0);
    memset(text, 'x', sizeof text);
    sio_ws_broadcast(io, "/raw", true, text, sizeof text);
    sim_run_ms(io, 0);
    sio_ws_broadcast(io, "/raw", true, text, 100);
    sim_run_ms(io, 0);
    c = sim_ws_open(io, "/raw", NULL);
    talks = newest_conn();
    sim_ws_frame(c, 0x01, "part", 4);
    sim_send(c, "\x81", 1);
    c = sim_connect();
    sim_request(c, "GET", "/later", NULL, NULL);
    sim_run_ms(io, 0);
    later = newest_conn();
    sim_connect();
    sio_log(&io->net, "a line");
    sim_run_ms(io, 0);
    idle = newest_conn();
    for (sio_part *p = io->parts; p != NULL; p = p->next)
        for (const sio_mount *m = io->net.mounts; m != NULL; m = m->next)
            if (m->owner == p)
                plain = (ws_endpoint *)(void *)p;
}

static void begin(void)
{
    serve();
    join_namespaces();
    begin_sessions();
    begin_connections();
    kept_events = (recovery *)io->keeper;
    root = a->ns;
    room = a->rooms->at[1].room;
    if (sim_check(io) != NULL)
        abort();
}

/* ---- What is broken ------------------------------------------------------------------------------ */

/* In the child, which has broken something: 0: it is said. */
static int says(const char *text)
{
    signal(SIGSEGV, SIG_DFL);
    alarm(10);
    const char *said = sim_check(io);
    if (said != NULL && strcmp(said, text) == 0)
        return 0;
    print_message("said: %s\n", said == NULL ? "nothing" : said);
    return 1;
}

static void must_be_said(pid_t child, const char *text, int line)
{
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (status != 0)
        fail_msg("line %d: \"%s\" was not said", line, text);
    said_so_far++;
}

/* Changes a place in a process of its own, and hears what is said. */
#define BREAK(place, value, text)                                                                  \
    do {                                                                                           \
        fflush(NULL);                                                                              \
        pid_t child = fork();                                                                      \
        if (child == 0) {                                                                          \
            (place) = (value);                                                                     \
            _exit(says(text));                                                                     \
        }                                                                                          \
        must_be_said(child, text, __LINE__);                                                       \
    } while (0)

static void tables_handles_and_timers(void **state)
{
    sio_clock *clock = &io->net.clock;
    sio_fifo *pings = &io->engine.eio.ping_fifo;
    sio_timer *first = clock->heap[0];
    (void)state;
    BREAK(io->namespaces.slots, io->namespaces.slots - 1, "a table's slots are a power of two");
    BREAK(root->node.hash, root->node.hash ^ 1u, "a node is in the slot of its hash");
    BREAK(root->node.n, 2, "a node is found by its key");
    BREAK(io->namespaces.count, io->namespaces.count + 1, "a table counts its nodes");
    BREAK(io->timers.used, io->timers.slots + 1u, "handles fit their slots");
    BREAK(io->timers.first_free, 1, "what is on the list of free places is free");
    BREAK(io->timers.first_free, 0, "free places are on their list");
    BREAK(pings->length, 1, "a deadline is as far away as its length");
    BREAK(clock->cap, 1, "the heap has room for its timers");
    BREAK(first->at, 2, "a timer knows its place");
    BREAK(first->serial, 1000, "a timer's serial was given away");
    BREAK(first->due, INT64_MAX, "timers are a heap");
    BREAK(root->any.running, 1, "no list of handlers is being run");
    sio_handlers *h = (sio_handlers *)sio_table_find(&root->handlers, "e", 1);
    BREAK(h->list.at[0].fn.handler, NULL, "a handler that was taken away is gone");
}

static void output(void **state)
{
    sio_queue *q = &slow->out;
    sio_buf *first = q->first.buf;
    (void)state;
    BREAK(q->more->cap, 0, "a queue has room for its pieces");
    BREAK(talks->out.more, q->more, "an empty queue has no memory");
    BREAK(q->first.at, (uint32_t)first->n + 1, "a piece lies inside its buffer");
    BREAK(first->cap, first->n - 1, "a buffer holds what it has room for");
    BREAK(q->n, q->n + 1, "a queue counts its bytes");
    BREAK(first->refs, 2, "a buffer counts the pieces that hold it");
    sio_buf turn = { .refs = 2 };
    BREAK(io->net.out.turn, &turn, "the turn's buffer is empty, and nobody else's");
    turn = (sio_buf){ .refs = 1 };
    BREAK(io->net.out.turn, &turn, "no message is being written");
}

static void requests_and_messages(void **state)
{
    sio_exchange *x = later->u.http.first;
    (void)state;
    BREAK(x->conn, posts, "an exchange knows its connection");
    BREAK(x->busy, true, "no callback is in an exchange");
    BREAK(posts->u.http.first->reading, false, "the newest one's body is read");
    BREAK(x->out, slow->out, "what waits is an answer");
    BREAK(x->body_n, 1, "a body has room");
    BREAK(x->kept->exchange, posts->u.http.first, "a kept request waits for its answer");
    BREAK(x->kept->handle, 0, "a kept request is found by its handle");
    BREAK(later->waiting, 2, "a connection counts its exchanges");
    BREAK(later->idle, !later->idle, "who is idle has no request");
    BREAK(idle->in_body, !idle->in_body, "a body is a request's");
    BREAK(talks->u.ws.owner, NULL, "a WebSocket has an owner");
    BREAK(talks->waiting, 1, "a WebSocket has no request");
    BREAK(talks->u.ws.fragments->n, 100000, "fragments have room");
    BREAK(talks->in->n, 0, "input has room for more");
}

static void connections(void **state)
{
    sio_net *net = &io->net;
    sio_crowd *crowd = (sio_crowd *)sio_table_next(&net->addresses, NULL);
    (void)state;
    BREAK(idle->place, 0, "a connection knows its place");
    BREAK(idle->dead, !idle->dead, "no connection is dead");
    BREAK(idle->watch.fd, talks->watch.fd, "its descriptor leads to it");
    BREAK(idle->broken, !idle->broken, "who is to be looked at will end");
    BREAK(slow->watch.want_write, false, "who has output waits for room");
    BREAK(net->cap_conns, 1, "there is room for the connections");
    BREAK(net->dead, idle, "no dead connection is left");
    BREAK(net->dirty_end, NULL, "the dirty are on their list");
    BREAK(net->stats.connections, 0, "connections are counted");
    BREAK(io->options.max_connections, 1, "there are no more than max_connections");
    BREAK(crowd->count, 0, "no address has more than it may, or none");
    BREAK(crowd->count, crowd->count + 1, "addresses count those who are from there");
    BREAK(net->held, net->held + 1, "bytes that clients hold are counted");
    BREAK(net->options, &tight, "who holds too much will end");
    BREAK(net->spare.bytes, 1, "spare blocks are counted");
    BREAK(net->depth, 2, "no callback runs");
    BREAK(net->dropped, (sio_link *)(void *)idle, "what was dropped is freed");
    BREAK(net->lines.sink.n, 1, "the log has been told");
    BREAK(net->arena.memory, NULL, "the arena has its memory");
}

static void sessions(void **state)
{
    sio_eio *eio = &io->engine.eio;
    sio_polling *k = polls->on.polling;
    (void)state;
    BREAK(a->client->session->state, SIO_SESSION_CLOSED, "no session is over");
    BREAK(polls->unsettled, 1000, "who has not settled is on the list");
    BREAK(k->session, probes, "a polling knows its session");
    BREAK(writes->on.polling->overflow, true, "who is to be looked at will end");
    BREAK(k->queue, slow->out, "no GET waits when there is something");
    BREAK(polls->state, SIO_SESSION_CLOSING, "no GET waits for a close");
    BREAK(k->get, later->u.http.first, "a request knows its session");
    BREAK(probes->on.polling->upgrade->session, polls, "an upgrade knows its session, and ends");
    BREAK(probes->on.polling->upgrade->conn, talks, "an upgrade has its connection");
    BREAK(a->client->session->on.conn, talks, "a session has its connection");
    BREAK(a->client->session->state, SIO_SESSION_CLOSING, "a WebSocket needs no time to close");
    BREAK(eio->cap_unsettled, 0, "the list of those who have not settled has room");
    BREAK(polls->handshake->from, NULL, "addresses count those who are from there");
    BREAK(eio->n_rests, 1, "an endpoint counts what is read in slices");
    BREAK(eio->dead, polls, "no session is left that is over");
    BREAK(io->options.max_sessions, 1, "there are no more than max_sessions");
    BREAK(io->net.stats.sessions, 0, "sessions are counted");
    BREAK(plain->sockets->endpoint, NULL, "plain WebSockets are linked both ways");
    BREAK(plain->sockets->over, true, "a plain WebSocket is pinged");
    BREAK(plain->sockets->conn, idle, "a plain WebSocket has its connection");
    BREAK(plain->dead, plain->sockets, "no plain WebSocket is left that is over");
}

static void clients_and_sockets(void **state)
{
    sio_client *c = a->client, *with_partial = b->client;
    (void)state;
    BREAK(a->rooms->at[0].place, 7, "a membership has its twin in the room");
    BREAK(a->rooms->cap, 0, "a socket has no more rooms than it may");
    BREAK(a->leaving, true, "a socket knows its client, and stays");
    BREAK(a->state, SIO_SOCKET_GONE, "no socket is gone");
    BREAK(a->slot, b->slot, "a socket's handle leads to it");
    BREAK(a->mark, UINT32_MAX, "no socket has a mark of a search to come");
    BREAK(a->place, 1, "a socket knows its place in its namespace");
    BREAK(a->node.n, 3, "a socket that is connected is found by its id");
    BREAK(c->u.joining, (sio_joining *)(void *)c, "who has joined has no time limit");
    BREAK(c->over, true, "a client knows its session");
    BREAK(c->n_sockets, 1, "a client counts its sockets");
    BREAK(with_partial->partial->client, c, "a packet that is incomplete has a deadline");
    BREAK(with_partial->partial->size, 1, "and is");
    BREAK(c->session->user, NULL, "a session that is open has a client");
    BREAK(a->more->awaited->at, NULL, "an answer is on its socket's list");
    BREAK(a->more->awaited->question->came, 5, "a question waits for its answers");
}

static void namespaces_and_what_is_kept(void **state)
{
    history *h = root->history;
    (void)state;
    BREAK(root->users, 0, "a namespace counts its users");
    BREAK(root->family, root, "a namespace's family is one");
    BREAK(root->serial, UINT64_MAX, "a namespace's serial was given away");
    BREAK(root->any_outgoing.running, 1, "no list of handlers is being run");
    BREAK(io->n_dynamic, 9, "namespaces of families are counted");
    BREAK(io->net.stats.sockets, 0, "sockets are counted");
    BREAK(io->net.stats.rooms, 0, "rooms are counted");
    BREAK(io->dead_sockets, a, "no socket, client or namespace is left that is over");
    BREAK(h->first->serial, 1, "a log is in the order of the offsets");
    BREAK(h->end, NULL, "a log ends with its newest event");
    BREAK(kept_events->bytes, 1, "what is kept is counted, and not too much");
    BREAK(kept_events->released, (saved *)(void *)h,
          "data of those who can't come back is released");
    BREAK(room->members[0].place, 9, "a membership has its twin in the room");
}

/* ---- The copies ----------------------------------------------------------------------------------- */

static char *text_of(const char *name)
{
    bytes all = { .n = 0 };
    char piece[4096];
    FILE *f = fopen(name, "r");
    assert_non_null(f);
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
        append(&all, piece, n);
    fclose(f);
    return all.p;
}

/* What check.h has copied of files that keep it to themselves is still what they have. */
static void copies_are_the_same(void **state)
{
    static const char *const copies[][2] = {
        { "sio_emit.c", "struct sio_awaited {" },
        { "sio.c", "typedef struct sio_partial {" },
        { "sio_recovery.c", "typedef struct mention {" },
        { "sio_recovery.c", "typedef struct entry {" },
        { "sio_recovery.c", "struct sio_history {" },
        { "sio_recovery.c", "typedef struct saved {" },
        { "sio_recovery.c", "struct recovery {" },
        { "web_raw.c", "typedef struct ws_endpoint {" },
        { "web_raw.c", "struct sio_ws {" },
    };
    char *check_h = text_of("test/check.h");
    (void)state;
    for (size_t i = 0; i < COUNT(copies); i++) {
        char *text = text_of(copies[i][0]), *from = strstr(text, copies[i][1]);
        assert_non_null(from);
        strstr(from, "\n}")[2] = '\0';
        if (strstr(check_h, from) == NULL)
            fail_msg("check.h has another copy of what begins \"%s\"", copies[i][1]);
        free(text);
    }
    free(check_h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_handles_and_timers),
        cmocka_unit_test(output),
        cmocka_unit_test(requests_and_messages),
        cmocka_unit_test(connections),
        cmocka_unit_test(sessions),
        cmocka_unit_test(clients_and_sockets),
        cmocka_unit_test(namespaces_and_what_is_kept),
        cmocka_unit_test(copies_are_the_same),
    };
    begin();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sim_free(io);
    print_message("%u things were broken, and said\n", said_so_far);
    return failed;
}
