/* sim_sio_cluster.c - what an application asks of its cluster, alone and with others
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim_redis.h"

#include <errno.h>

/* ---- The application ------------------------------------------------------------------------ */

static sio_socket *newest;
static char heard[20000];  // "error: arguments" of each answer
static unsigned answers, calling;

static void note_socket(sio_socket *s, sio_event *e)
{
    (void)e;
    newest = s;
}

static void note_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    size_t n = strlen(heard);
    assert_non_null(io);
    assert_ptr_equal(data, &answers);
    assert_int_equal(calling, 0);  // never from inside of the call
    answers++;
    snprintf(heard + n, sizeof heard - n, "%s%s: %s", n > 0 ? "|" : "",
             error == NULL ? "ok" : error, sim_json(sio_args(answer)));
}

static sio_server *begin(bool member, const sio_redis_options *options)
{
    sim_fail = fail_with;
    sio_server *io = sim_new(NULL);
    sio_on(sio_of(io, "/"), "connection", note_socket);
    redis_reset();
    if (member)
        be_member(io, options);
    heard[0] = '\0';
    answers = 0;
    return io;
}

static sio_target all(sio_server *io)
{
    return sio_all(sio_of(io, "/"));
}

/* The questions by their letters. */
static int ask(sio_server *io, char what)
{
    sio_namespace *ns = sio_of(io, "/");
    calling = 1;
    int result = what == 'f'   ? sio_fetch_sockets(all(io), note_answer, &answers)
                 : what == 'l' ? sio_fetch_sockets(sio_local(all(io)), note_answer, &answers)
                 : what == 'r' ? sio_all_rooms(ns, note_answer, &answers)
                 : what == 'c' ? sio_server_count(ns, note_answer, &answers)
                 : what == 's'
                     ? sio_server_request(ns, note_answer, &answers, "ev", "1, %s", "x")
                     : sio_request(sio_timeout(all(io), 400), note_answer, &answers, "q", "");
    calling = 0;
    return result;
}

/* ---- Alone ---------------------------------------------------------------------------------- */

static const struct alone {
    const char *rule;
    char what;
    int clients;
    const char *heard;
} alone[] = {
    { "X11: nobody", 'f', 0, "ok: " },
    { "X11: one", 'f', 1,
      "ok: {'id':'*','handshake':{'headers':{*},*,'auth':{}},'rooms':['*'],'data':{}}" },
    { "X11: local", 'l', 1, "ok: {'id':'*" },
    { "X11: rooms", 'r', 1, "ok: 'mine','*'" },
    { "X11: no rooms", 'r', 0, "ok: " },
    { "the count", 'c', 0, "ok: 1" },
    { "X12: nobody else", 's', 1, "ok: " },
    { "X13: nobody is asked", 'q', 0, "ok: " },
};

static void test_alone(void **state)
{
    (void)state;
    for (int member = 0; member < 2; member++)  // a cluster of one, with Redis and without
        for (size_t i = 0; i < COUNT(alone); i++) {
            sio_server *io = begin(member == 1, NULL);
            if (alone[i].clients > 0) {
                enter(io, 'A', SIM_WS, NULL, "");
                sio_join(newest, "mine");
            }
            assert_int_equal(ask(io, alone[i].what), 0);
            assert_int_equal(answers, 0);
            for (int k = 0; k < 3; k++) {
                sim_run_ms(io, 1);
                if (member == 1)
                    said(io);
            }
            if (!sim_like(quoted(alone[i].heard), heard))
                fail_msg("%s: %s, with Redis: %d", alone[i].rule, heard, member);
            assert_int_equal(answers, 1);
            sim_free(io);
            assert_int_equal(answers, 1);
        }
}

static bool no_name(const char *name, sio_event *auth)
{
    (void)name, (void)auth;
    return false;
}

static int refused;

static void ask_at_the_end(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)data, (void)error, (void)answer;
    answers++;
    refused = sio_fetch_sockets(all(io), ask_at_the_end, NULL);
    assert_int_equal(errno, ECANCELED);
    assert_int_equal(sio_server_count(sio_of(io, "/"), ask_at_the_end, NULL), -1);
    assert_int_equal(errno, ECANCELED);
    assert_int_equal(sio_server_request(sio_of(io, "/"), ask_at_the_end, NULL, "e", ""), -1);
    assert_int_equal(errno, ECANCELED);
}

static void on_nothing(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
}

/* What is wrong with a call, EINVAL but for the last ones. */
static void test_refusals(void **state)
{
    (void)state;
    sio_server *io = begin(true, NULL);
    sio_namespace *ns = sio_of(io, "/"), *family = sio_family(io, no_name);
    sio_target nobody = sio_self(NULL);
#define REFUSED(call) assert_true(((errno = 0), (call)) == -1 && errno == EINVAL)
    REFUSED(sio_fetch_sockets(all(io), NULL, NULL));
    REFUSED(sio_fetch_sockets(sio_all(family), note_answer, NULL));
    REFUSED(sio_fetch_sockets(nobody, note_answer, NULL));
    REFUSED(sio_all_rooms(NULL, note_answer, NULL));
    REFUSED(sio_all_rooms(family, note_answer, NULL));
    REFUSED(sio_all_rooms(ns, NULL, NULL));
    REFUSED(sio_server_count(NULL, note_answer, NULL));
    REFUSED(sio_server_count(family, note_answer, NULL));
    REFUSED(sio_server_emit(NULL, "e", ""));
    REFUSED(sio_server_emit(ns, NULL, ""));
    REFUSED(sio_server_emit(family, "e", ""));
    REFUSED(sio_server_emit(ns, "connection", ""));
    REFUSED(sio_server_emit(ns, "connect", ""));
    REFUSED(sio_server_emit(ns, "new_namespace", ""));
    REFUSED(sio_server_request(ns, NULL, NULL, "e", ""));
    REFUSED(sio_server_request(ns, note_answer, NULL, "connect", ""));
    REFUSED(sio_server_request(ns, note_answer, NULL, NULL, ""));
    REFUSED(sio_server_request(family, note_answer, NULL, "e", ""));
    REFUSED(sio_on_server(NULL, "e", on_nothing));
    REFUSED(sio_on_server(ns, NULL, on_nothing));
    REFUSED(sio_on_server(ns, "e", NULL));
    REFUSED(sio_server_request(ns, note_answer, &answers, "e", "%s", "\xff"));
    assert_int_equal(sio_off_server(NULL, "e", NULL), 0);
    assert_string_equal(said(io), "");
    assert_int_equal(answers, 0);
    redis.servers = 3;
    assert_int_equal(sio_fetch_sockets(all(io), ask_at_the_end, NULL), 0);
    assert_int_equal(sio_server_request(ns, ask_at_the_end, NULL, "e", ""), 0);
    said(io);
    sim_free(io);
    assert_int_equal(answers, 2);
    assert_int_equal(refused, -1);
}

/* ---- With others ---------------------------------------------------------------------------- */

/* A question, how many servers there are, what is published, what the others answer, "|" between them, how
 * long that takes and what is heard. */
static const struct asked {
    const char *rule;
    char what;
    int servers;
    const char *said, *answers;
    int ms;
    const char *heard;
} asked[] = {
    { "X11: all answer", 'f', 3,
      "PUBSUB NUMSUB socket.io-request#/#\nPUBLISH socket.io-request#/# "
      "{'uid':'UID','requestId':'ID','type':5,'opts':{'rooms':[],'except':[]}}\n",
      "{'requestId':'ID','sockets':[{'id':'x'},{'id':'y'}]}|{'requestId':'ID','sockets':[]}", 0,
      "ok: {'id':'*','handshake':*,'data':{}},{'id':'x'},{'id':'y'}" },
    { "X11: as MessagePack", 'f', 2, "*", "!{'requestId':'ID','sockets':[{'id':'x'}]}", 0,
      "ok: *,{'id':'x'}" },
    { "X11: one is silent", 'f', 3, "*", "{'requestId':'ID','sockets':[{'id':'x'}]}", 2000,
      "timeout reached while waiting for fetchSockets response: {'id':'*,{'id':'x'}" },
    { "X11: no answers of this question", 'f', 2, "*",
      "{'requestId':'NONEXX','sockets':[1]}|{'sockets':[2]}|{'requestId':'ID'}", 0,
      "ok: {'id':'*'data':{}}" },
    { "X11: rooms, each once", 'r', 3,
      "*\nPUBLISH socket.io-request#/# {'uid':'UID','requestId':'ID','type':1}\n",
      "{'requestId':'ID','rooms':['a','mine','b']}|{'requestId':'ID','rooms':['b','c',7,null]}", 0,
      "ok: 'mine','*','a','b','c'" },
    { "X11: rooms, in part", 'r', 3, "*", "{'requestId':'ID','rooms':['a']}", 2000,
      "timeout reached while waiting for allRooms response: 'mine','*','a'" },
    { "how many there are", 'c', 7, "PUBSUB NUMSUB socket.io-request#/#\n", "", 0, "ok: 7" },
    { "there is none, says Redis", 'c', 0, "*", "", 0, "ok: 1" },
    { "X12: all answer", 's', 3,
      "*\nPUBLISH socket.io-request#/# "
      "{'uid':'UID','requestId':'ID','type':6,'data':['ev',1,'x']}\n",
      "{'type':6,'requestId':'ID','data':[1]}|{'type':6,'requestId':'ID','data':null}", 0,
      "ok: [1],null" },
    { "X12: in part", 's', 3, "*", "{'type':6,'requestId':'ID','data':'a'}", 2000,
      "timeout reached: only 1 responses received out of 2: 'a'" },
    { "X12: nobody else", 's', 1, "*", "", 0, "ok: " },
    { "X13: all answer", 'q', 3,
      "*\nPUBLISH socket.io-request#/# "
      "{'uid':'UID','requestId':'ID','type':7,'packet':{'type':2,'data':"
      "['q'],'nsp':'/'},'opts':{'rooms':[],'except':[],'flags':{'timeout':400}}}\n",
      "{'type':8,'requestId':'ID','clientCount':2}|!{'type':9,'requestId':'ID','packet':'a'}|"
      "{'type':8,'requestId':'ID','clientCount':0}|!{'type':9,'requestId':'ID','packet':{'_"
      "placeholder':"
      "true,'num':0}}",
      0, "ok: 'me','a',{'_placeholder':true,'num':0}" },
    { "X13: one is silent", 'q', 3, "*",
      "{'type':8,'requestId':'ID','clientCount':1}|!{'type':9,'requestId':'ID','packet':'a'}", 500,
      "operation has timed out: 'me','a'" },
    { "X13: one client is", 'q', 2, "*",
      "{'type':8,'requestId':'ID','clientCount':2}|!{'type':9,'requestId':'ID','packet':'a'}", 500,
      "operation has timed out: 'me','a'" },
    { "X13: counts that are none", 'q', 2, "*", "{'type':8,'requestId':'ID','clientCount':-4}", 0,
      "ok: 'me'" },
    { "X13: a count that is too high", 'q', 2, "*",
      "{'type':8,'requestId':'ID','clientCount':1e18}", 0, "ok: 'me'" },
};

static void hear_answers(sio_server *io, const char *list)
{
    char one[600];
    while (*list != '\0') {
        size_t n = strcspn(list, "|");
        snprintf(one, sizeof one, "%.*s", (int)n, list);
        hear(io, "socket.io-response#/#", one);
        list += n + (list[n] == '|');
    }
}

static void test_with_others(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(asked); i++) {
        const struct asked *a = &asked[i];
        sio_server *io = begin(true, &(sio_redis_options){ .requests_timeout_ms = 2000 });
        enter(io, 'A', SIM_WS, NULL, "");
        sio_join(newest, "mine");
        redis.servers = a->servers;
        assert_int_equal(ask(io, a->what), 0);
        says_like(io, a->rule, a->said);
        if (a->what == 'q') {
            hears(a->rule, 'A', "420['q']");
            sim_say(sim_peer_of('A'), "430[\"me\"]");
        }
        hear_answers(io, a->answers);
        if (a->ms > 0 && answers > 0)
            fail_msg("%s: too early: %s", a->rule, heard);
        sim_run_ms(io, a->ms);
        if (answers != 1 || !sim_like(quoted(a->heard), heard))
            fail_msg("%s: heard %s", a->rule, heard);
        hear_answers(io, a->answers);  // once more, too late
        sim_run_ms(io, 3000);
        assert_int_equal(answers, 1);
        sim_free(io);
    }
}

/* Nobody can be reached: it is over in the next turn, with what there is here. */
static void test_away(void **state)
{
    (void)state;
    for (const char *what = "frcsq"; *what != '\0'; what++) {
        sio_server *io = begin(true, NULL);
        enter(io, 'A', SIM_WS, NULL, "");
        sim.away = true;
        sim_abort(redis.publisher);
        sim_abort(redis.listener);
        sim_run_ms(io, 1);
        sio_stats before = *sio_get_stats(io);
        assert_int_equal(ask(io, *what), 0);
        assert_int_equal(answers, 0);
        sim_run_ms(io, 1);
        if (*what == 'q') {
            hears("X13", 'A', "420['q']");
            sim_say(sim_peer_of('A'), "430[\"me\"]");
            sim_run_ms(io, 1);
        }
        assert_int_equal(answers, 1);
        if (!sim_like("the other processes can't be reached: *", heard) ||
            !sim_like(quoted(*what == 'f'   ? "*{'id'*"
                             : *what == 'c' ? "*: 1"
                             : *what == 'q' ? "*: 'me'"
                                            : "*"),
                      heard))
            fail_msg("%c: %s", *what, heard);
        assert_true(sio_get_stats(io)->unpublished <= before.unpublished + 1);
        sio_sockets_join(all(io), "here");  // nobody else can say it to us
        assert_int_equal(sio_room_size(sio_of(io, "/"), "here"), 1);
        sio_disconnect_sockets(all(io), false);
        hears("X10", 'A', "41");
        sim.away = false;
        sim_free(io);
    }
}

/* Redis brings nothing back to who does not listen: it is done at once, and told to the others. */
static void test_deaf(void **state)
{
    (void)state;
    sio_server *io = begin(true, NULL);
    enter(io, 'A', SIM_WS, NULL, "");
    sio_sockets_join(all(io), "a");
    assert_int_equal(sio_room_size(sio_of(io, "/"), "a"), 0);
    redis.echoes = true;
    says_like(io, "X10", "*'rooms':['a']*");
    assert_int_equal(sio_room_size(sio_of(io, "/"), "a"), 1);
    redis.echoes = false;
    sim.away = true;
    sim_abort(redis.listener);
    sim_run_ms(io, 1);
    sio_sockets_join(all(io), "b");
    assert_int_equal(sio_room_size(sio_of(io, "/"), "b"), 1);
    says_like(io, "X10", "*'rooms':['b']*");
    sim_free(io);
}

/* What answers make us keep has a bound: names of rooms are counted with what finds them. */
static void test_many_rooms(void **state)
{
    (void)state;
    static char text[20000];
    sio_server *io = begin(true, &(sio_redis_options){ .max_message = 20000 });
    redis.servers = 3;
    assert_int_equal(ask(io, 'r'), 0);
    said(io);
    size_t n = (size_t)snprintf(text, sizeof text, "{\"requestId\":\"%s\",\"rooms\":[0", redis.id);
    for (int i = 0; i < 2300; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, ",\"%d\"", i + 1000);
    memcpy(text + n, "]}", 3);
    size_t live = sim.live;
    hear_bytes("socket.io-response#/#", text, n + 2);
    sim_run_ms(io, 0);
    assert_true(sim.live > live + 100);
    assert_true(sim.live < live + 1000);
    sim_run_ms(io, 6000);
    assert_int_equal(answers, 1);
    sim_free(io);
}

/* So are attachments. */
static void test_long_attachments(void **state)
{
    (void)state;
    static char bytes[9000], text[10000];
    sio_server *io = begin(true, &(sio_redis_options){ .max_message = 20000 });
    redis.servers = 2;
    assert_int_equal(ask(io, 'q'), 0);
    said(io);
    size_t before = sim.bytes;
    for (int i = 0; i < 10; i++) {
        sio_sink sink = { .p = text, .cap = sizeof text };
        sio_msgpack_put_map(&sink, 3);
        sio_msgpack_put_string(&sink, "type", 4);
        sio_msgpack_put_integer(&sink, 9);
        sio_msgpack_put_string(&sink, "requestId", 9);
        sio_msgpack_put_string(&sink, redis.id, 6);
        sio_msgpack_put_string(&sink, "packet", 6);
        sio_msgpack_put_binary(&sink, bytes, sizeof bytes);
        hear_bytes("socket.io-response#/#", text, sink.n);
        sim_run_ms(io, 0);
    }
    assert_true(sim.bytes < before + 60000);
    sim_run_ms(io, 500);
    assert_int_equal(answers, 1);
    assert_true(sim_like("operation has timed out: {*},{*}", heard));
    sim_free(io);
}

/* An answer of another kind is none: a question to clients is over with the last that it expects, and what
 * still stands in the answer finds it gone. */
static void test_answers_of_another_kind(void **state)
{
    (void)state;
    static const char *const list[] = { "sockets", "rooms", "packet", "data" };
    for (size_t i = 0; i < COUNT(list); i++) {
        char text[100];
        sio_server *io = begin(true, NULL);
        enter(io, 'A', SIM_WS, NULL, "");
        redis.servers = 2;
        assert_int_equal(ask(io, 'q'), 0);
        said(io);
        hear(io, "socket.io-response#/#", "{'type':8,'requestId':'ID','clientCount':1}");
        snprintf(text, sizeof text, "{'requestId':'ID','%s':[1,2,3,4,5]}", list[i]);
        hear(io, "socket.io-response#/#", text);
        assert_int_equal(answers, 0);
        sim_run_ms(io, 500);
        assert_int_equal(answers, 1);
        assert_string_equal(heard, "operation has timed out: ");
        sim_free(io);
    }
}

/* A question that was too long for Redis is over when our own clients have answered, though Redis has
 * counted the others; the log says why, once. */
static void test_too_long_a_question(void **state)
{
    (void)state;
    sio_server *io = begin(true, &(sio_redis_options){ .max_output = 1000 });
    char *text = filled(2001, 'x');
    text[2000] = '\0';
    enter(io, 'A', SIM_WS, NULL, "");
    redis.servers = 3;
    uint64_t before = sio_get_stats(io)->unpublished;
    sim.logged = 0;
    assert_int_equal(sio_request(sio_timeout(all(io), 400), note_answer, &answers, "q", "%s", text),
                     0);
    said(io);
    assert_int_equal(sio_get_stats(io)->unpublished, before + 1);
    assert_int_equal(sim.logged, 1);
    assert_non_null(strstr(sim.log, "more than max_output"));
    sim_say(sim_peer_of('A'), "430[\"me\"]");
    sim_run_ms(io, 1);
    assert_string_equal(heard, "the other processes can't be reached: \"me\"");
    free(text);
    sim_free(io);
}

/* ---- What callbacks do ---------------------------------------------------------------------- */

static void ask_again(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)error, (void)answer;
    if (++answers < 100)
        assert_int_equal(sio_fetch_sockets(all(io), ask_again, data), 0);
    if (answers == 50)
        sio_disconnect_sockets(sio_local(all(io)), true);
}

static sio_value share_and_leave(sio_socket *s)
{
    sio_disconnect(s, false);
    sio_all_rooms(sio_ns(s), note_answer, &answers);
    return sio_binary(sio_socket_server(s), "ab", 2);
}

static void test_callbacks(void **state)
{
    (void)state;
    for (int member = 0; member < 2; member++) {
        sio_server *io = begin(member == 1, NULL);
        enter(io, 'A', SIM_WS, NULL, "");
        assert_int_equal(sio_fetch_sockets(all(io), ask_again, NULL), 0);
        for (int i = 0; i < 110; i++)
            if (member == 1)
                said(io);
            else
                sim_run_ms(io, 1);
        assert_int_equal(answers, 100);
        sim_free(io);
        io = begin(member == 1, NULL);
        enter(io, 'A', SIM_WS, NULL, "");
        enter(io, 'B', SIM_WS, NULL, "");
        sio_share(io, share_and_leave);
        assert_int_equal(ask(io, 'f'), 0);
        sim_run_ms(io, 1);
        if (member == 1)
            said(io);
        assert_int_equal(answers, 3);
        assert_int_equal(sio_ns_size(sio_of(io, "/")), 0);
        assert_true(strstr(heard, "{\"_placeholder\":true,\"num\":0}") != NULL);
        if (member == 1) {
            enter(io, 'A', SIM_WS, NULL, "");
            hear(io, "socket.io-request#/#", "{'uid':'o','requestId':'q','type':5,'opts':{}}");
            says_like(
                io, "X11: bytes of data",
                "*PUBLISH socket.io-response#/# {'requestId':'q','sockets':[{'id':*,'data':{'type':"
                "'Buffer','data':[97,98]}}]}\n*");
        }
        sim_free(io);
    }
}

/* Events for servers alone: nobody here hears them, nor does a client. */
static void test_server_emit(void **state)
{
    (void)state;
    sio_server *io = begin(true, NULL);
    sio_on_server(sio_of(io, "/"), "ev", note_socket);
    enter(io, 'A', SIM_WS, NULL, "");
    redis.echoes = true;
    newest = NULL;
    assert_int_equal(
        sio_server_emit(sio_of(io, "/"), "ev", "%p, {'a': %d}", sio_binary(io, "a", 1), 2), 0);
    says_like(io, "X12: without a question",
              "PUBLISH socket.io-request#/# "
              "{'uid':'UID','type':6,'data':['ev',{'type':'Buffer','data':[97]},"
              "{'a':2}]}\n");
    hears("X12", 'A', "");
    sim_free(io);
    io = begin(false, NULL);
    assert_int_equal(sio_server_emit(sio_of(io, "/"), "ev", ""), 0);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alone),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_with_others),
        cmocka_unit_test(test_away),
        cmocka_unit_test(test_deaf),
        cmocka_unit_test(test_many_rooms),
        cmocka_unit_test(test_long_attachments),
        cmocka_unit_test(test_answers_of_another_kind),
        cmocka_unit_test(test_too_long_a_question),
        cmocka_unit_test(test_callbacks),
        cmocka_unit_test(test_server_emit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
