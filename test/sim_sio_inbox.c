/* sim_sio_inbox.c - what a member of a cluster does as the others say
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim_member.h"

#include <errno.h>

/* ---- Events in ------------------------------------------------------------------------------ */

#define PACKET "{'type':2,'data':['m',1],'nsp':'/'}"
static const struct heard {
    const char *rule, *channel, *json, *a, *b;  // what A, in r1, and B hear
} heard[] = {
    { "X02", "socket.io#/#", "['other'," PACKET ",{'rooms':[],'except':[],'flags':{}}]",
      "42['m',1]", "42['m',1]" },
    { "X06", "socket.io#/#", "['UID'," PACKET ",{'rooms':[],'except':[],'flags':{}}]", "", "" },
    { "X07: nothing", "socket.io#/#", "['o',{'type':2,'data':['m',1]}]", "42['m',1]", "42['m',1]" },
    { "X07: no rooms", "socket.io#/#", "['o'," PACKET ",{'except':['r1']}]", "", "42['m',1]" },
    { "X07: no flags", "socket.io#/#", "['o'," PACKET ",{'rooms':['r1','r2']}]", "42['m',1]", "" },
    { "X03", "socket.io#/#r1#", "['o'," PACKET ",{'rooms':['r1']}]", "42['m',1]", "" },
    { "X08: nobody is there", "socket.io#/#r3#", "['o'," PACKET ",{'rooms':['r1']}]", "", "" },
    { "5.2: another namespace", "socket.io#/#", "['o',{'type':2,'data':['m'],'nsp':'/x'},{}]", "",
      "" },
    { "5.2: rooms that are no names", "socket.io#/#", "['o'," PACKET ",{'rooms':[1,'a\\u0000b']}]",
      "", "" },
    { "X07: rooms null", "socket.io#/#", "['o'," PACKET ",{'rooms':null,'except':7,'flags':[]}]",
      "42['m',1]", "42['m',1]" },
    { "X09", "socket.io#/#",
      "['o',{'type':2,'data':['m',{'_placeholder':true,'num':1},{'a':{'_placeholder':true,'num':0}}"
      "],"
      "'nsp':'/'},{'rooms':['r1']}]",
      "452-['m',{'_placeholder':true,'num':0},{'a':{'_placeholder':true,'num':1}}]|<>|<616263>",
      "" },
    { "X09: what only looks like one", "socket.io#/#",
      "['o',{'type':2,'data':['m',{'_placeholder':true,'num':9},{'_placeholder':true,'num':1},"
      "{'_placeholder':true,'num':-1}]},{'rooms':['r1']}]",
      "", "" },
    { "X02: a name", "socket.io#/#", "['o',{'type':2,'data':['a\\\\\\'\\u0000']},{'rooms':['r1']}]",
      "42['a\\\\\\'\\u0000']", "" },
    { "2.2: a reserved name", "socket.io#/#", "['o',{'type':2,'data':['disconnect']},{}]", "", "" },
    { "5.2: no name", "socket.io#/#", "['o',{'type':2,'data':[]},{}]", "", "" },
    { "5.2: no name", "socket.io#/#", "['o',{'type':2,'data':[1]},{}]", "", "" },
    { "5.2: no event", "socket.io#/#", "['o',{'type':3,'data':['m']},{}]", "", "" },
    { "X14: to all but a room", "socket.io#/#",
      "['emitter'," PACKET ",{'rooms':[],'flags':{},'except':['r1']}]", "", "42['m',1]" },
    { "X14: join", "socket.io-request#/#",
      "{'type':2,'opts':{'rooms':['r1'],'except':[]},'rooms':['r3','r4']}", "", "" },
    { "X14: who joined hears", "socket.io#/#r4#", "['o'," PACKET ",{'rooms':['r4']}]", "42['m',1]",
      "" },
    { "X10: our own comes back", "socket.io-request#/#",
      "{'uid':'UID','type':3,'opts':{'rooms':['r4']},'rooms':['r4',null]}", "", "" },
    { "X08: who left does not", "socket.io#/#r4#", "['o'," PACKET ",{'rooms':['r4']}]", "", "" },
    { "X14: as MessagePack", "socket.io-request#/#",
      "!{'type':2,'opts':{'rooms':['r3']},'rooms':['r4']}", "", "" },
    { "X14: who joined hears", "socket.io#/#r4#", "['o'," PACKET ",{'rooms':['r4']}]", "42['m',1]",
      "" },
    { "X10: disconnect", "socket.io-request#/#", "{'type':4,'opts':{'rooms':['r4']},'close':false}",
      "41", "" },
    { "X10: with the connection", "socket.io-request#/#", "{'type':4,'opts':{},'close':true}", "",
      "41|CLOSE()" },
};

static void test_what_comes_in(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, NULL);
    for (size_t i = 0; i < COUNT(heard); i++) {
        hear(io, heard[i].channel, heard[i].json);
        hears(heard[i].rule, 'A', heard[i].a);
        hears(heard[i].rule, 'B', heard[i].b);
    }
    assert_string_equal(said(io), "");
    sim_free(io);
}

/* What others say is logged for who comes back, and heard by those of protocol 3. */
static void test_recovery(void **state)
{
    (void)state;
    sim_fail = fail_with;
    sio_server *io = sim_new(NULL);
    char text[200];
    sio_recover(io, &(sio_recovery){ .ms = 50000 });
    sio_allow_v3(io);
    sio_on(sio_of(io, "/"), "join", on_join);
    be_member(io, NULL);
    sim_peer *p = enter(io, 'A', SIM_WS, NULL, "");
    enter(io, 'B', SIM_WS, "3", "");
    sim_say(p, "421[\"join\",\"r1\"]");
    sim_hear_all(p);
    hear(io, "socket.io#/#", "['o'," PACKET ",{}]");
    hears("R02", 'A', "42['m',1,'*']");
    hears("V16", 'B', "*42['m',1,'*']*");
    snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", p->pid, p->offset);
    sim_abort(p->ws);
    sim_run_ms(io, 10);
    hear(io, "socket.io#/#r1#", "['o',{'type':2,'data':['missed',2]},{'rooms':['r1']}]");
    hear(io, "socket.io#/#r2#", "['o',{'type':2,'data':['not his']},{'rooms':['r2']}]");
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, text);
    hears("R04", 'A', "42['missed',2,'*']|40{*}");
    sim_free(io);
}

/* A namespace's channels come and go with it, also when the next of its name comes in the same turn. */
static bool any_name(const char *name, sio_event *auth)
{
    (void)name, (void)auth;
    return true;
}

#define CHANNELS(ns)                                                                               \
    "SUBSCRIBE socket.io-request#" ns "# socket.io-response#" ns "# socket.io-response#" ns        \
    "#UID#\n"
#define COMES(ns) "PSUBSCRIBE socket.io#" ns "#*\n" CHANNELS(ns)
#define GOES(ns) "PUNSUBSCRIBE socket.io#" ns "#*\nUN" CHANNELS(ns)

static void test_dynamic_namespaces(void **state)
{
    (void)state;
    sim_fail = fail_with;
    sio_server *io = sim_new(&(sio_options){ .cleanup_empty_namespaces = true });
    sio_namespace *family = sio_family(io, any_name);
    be_member(io, NULL);
    sim_peer *a = enter(io, 'A', SIM_WS, NULL, "/[d]*");
    assert_string_equal(taken(io, redis.listener),
                        "PSUBSCRIBE socket.io#/\\[d\\]\\*#*\n" CHANNELS("/[d]*"));
    sio_emit(sio_all(family), "e", "");
    says_like(io, "X02: of a family",
              "PUBLISH socket.io#/[d]*# ['UID',{'type':2,'data':['e'],"
              "'nsp':'/[d]*'},*\n");
    sio_sockets_join(sio_all(family), "x");
    says_like(io, "X10: of a family", "PUBLISH socket.io-request#/[d]*# *\n");
    sim_hear_all(a);
    sim_say(a, "41/[d]*,");
    sim_run_ms(io, 0);
    assert_string_equal(taken(io, redis.listener),
                        "PUNSUBSCRIBE socket.io#/\\[d\\]\\*#*\nUN" CHANNELS("/[d]*"));
    sio_on(family, "connection", note_socket);
    enter(io, 'B', SIM_WS, NULL, "/e");
    taken(io, redis.listener);
    sio_disconnect(newest, false);
    sio_of(io, "/e");
    sim_run_ms(io, 0);
    assert_string_equal(taken(io, redis.listener), GOES("/e") COMES("/e"));
    sim_say(sim_peer_of('B'), "40/e,");
    sim_hear_all(sim_peer_of('B'));
    hear(io, "socket.io#/e#", "['o',{'type':2,'data':['m'],'nsp':'/e'},{}]");
    hears("X02", 'B', "42/e,['m']");
    char text[200];
    enter(io, 'B', SIM_WS, NULL, "/g");
    snprintf(text, sizeof text, "{'uid':'o','requestId':'q','type':4,'sid':'%s','close':false}",
             sim_peer_of('B')->id);
    hear(io, "socket.io-request#/g#", text);  // its last socket: there is nobody to answer any more
    hears("X10", 'B', "41/g,");
    assert_null(strstr(said(io), "'q'"));
    sim_free(io);
}

/* ---- Requests of others --------------------------------------------------------------------- */

static sio_value share(sio_socket *s)
{
    return sio_make(sio_socket_server(s), "{'n': %d}", 7);
}

static const struct asked {
    const char *rule, *json, *said;
} asked[] = {
    { "X11: ids, as old members ask", "{'uid':'o','requestId':'q','type':0,'rooms':['r1']}",
      "PUBLISH socket.io-response#/# {'requestId':'q','sockets':['*']}\n" },
    { "X11: all rooms", "{'uid':'o','requestId':'q','type':1}",
      "PUBLISH socket.io-response#/# {'requestId':'q','rooms':['r1','*','*']}\n" },
    { "X11: sockets", "{'uid':'o','requestId':'q\\n','type':5,'opts':{'rooms':['r1'],'except':[]}}",
      "PUBLISH socket.io-response#/# "
      "{'requestId':'q\\n','sockets':[{'id':'*','handshake':{'headers':"
      "{*},'time':'*','address':'*','xdomain':false,'secure':false,'issued':*,'url':'/socket.io/*',"
      "'query':{'EIO':'4','transport':'websocket'},'auth':{}},'rooms':['*','r1'],'data':{'n':7}}]}"
      "\n" },
    { "X11: nobody", "{'uid':'o','requestId':'q','type':5,'opts':{'rooms':['r9']}}",
      "PUBLISH socket.io-response#/# {'requestId':'q','sockets':[]}\n" },
    { "X11: by number", "!{'uid':'o','requestId':1,'type':5,'opts':{'rooms':['r9']}}",
      "PUBLISH socket.io-response#/# {'requestId':1,'sockets':[]}\n" },
    { "5.3: an old member joins one",
      "{'uid':'o','requestId':'q','type':2,'sid':'$A','room':'old'}",
      "PUBLISH socket.io-response#/# {'requestId':'q'}\n" },
    { "5.3: it has no id", "{'type':3,'sid':'$A','room':'old'}", "" },
    { "5.3: nobody has it", "{'uid':'o','requestId':'q','type':2,'sid':'zz','room':'old'}", "" },
    { "5.3: no room", "{'uid':'o','requestId':'q','type':2,'sid':'$A'}", "" },
    { "X13: nobody is asked",
      "!{'uid':'o','requestId':'q','type':7,'packet':" PACKET
      ",'opts':{'rooms':['r9'],'except':[]}}",
      "PUBLISH socket.io-response#/# {'type':8,'requestId':'q','clientCount':0}\n" },
    { "X13: with another namespace",
      "!{'uid':'o','requestId':'q','type':7,'packet':{'type':2,'data':['m'],'nsp':'/x'},'opts':{}}",
      "" },
    { "5.3: no type", "{'uid':'o','requestId':'q','type':10}", "" },
    { "5.3: no id", "{'uid':'o','type':5,'opts':{}}", "" },
};

static const char *with_id(const char *json)
{
    static char text[1000];
    const char *at = strstr(json, "$A");
    if (at == NULL)
        return json;
    snprintf(text, sizeof text, "%.*s%s%s", (int)(at - json), json, sim_peer_of('A')->id, at + 2);
    return text;
}

static void test_requests(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, NULL);
    sio_share(io, share);
    for (size_t i = 0; i < COUNT(asked); i++) {
        hear(io, "socket.io-request#/#", with_id(asked[i].json));
        says_like(io, asked[i].rule, asked[i].said);
    }
    hears("5.3", 'A', "");
    sim_free(io);
}

/* A question of another member: how many are asked, then what each answers. */
static void test_questions_of_others(void **state)
{
    (void)state;
    sio_server *io =
        begin(NULL, &(sio_redis_options){ .publish_on_specific_response_channel = true });
    hear(io, "socket.io-request#/#",
         "!{'uid':'o','requestId':'q','type':7,'packet':{'type':2,'data':['m',{'_placeholder':true,"
         "'num':0}],'nsp':'/'},'opts':{'rooms':[],'except':[],'flags':{'timeout':1000}}}");
    says_like(io, "X13: count",
              "PUBLISH socket.io-response#/#o# {'type':8,'requestId':'q','clientCount':2}\n");
    hears("X13", 'A', "451-0['m',{'_placeholder':true,'num':0}]|<616263>");
    hears("X13", 'B', "451-0['m',{'_placeholder':true,'num':0}]|<616263>");
    sim_say(sim_peer_of('A'), "430[{\"a\":1},2]");
    says_like(io, "X13: answer",
              "PUBLISH socket.io-response#/#o# {'type':9,'requestId':'q','packet':{'a':1}}\n");
    sim_say(sim_peer_of('A'), "430[2]");  // doubled
    sim_say(sim_peer_of('B'), "461-0[{\"_placeholder\":true,\"num\":0}]");
    sim_say_bytes(sim_peer_of('B'), "x", 1);
    says_like(
        io, "X13: with attachments",
        "PUBLISH socket.io-response#/#o# {'type':9,'requestId':'q','packet':{'_placeholder':true,"
        "'num':0}}\n");
    hear(io, "socket.io-request#/#",
         "!{'uid':7,'requestId':'q','type':7,'packet':" PACKET
         ",'opts':{'flags':{'timeout':1000}}}");
    says_like(io, "X13: who asks has no uid", "PUBLISH socket.io-response#/# *'clientCount':2}\n");
    sim_say(sim_peer_of('B'), "431[]");
    says_like(io, "X13: no argument", "PUBLISH *{'type':9,'requestId':'q','packet':null}\n");
    sim_run_ms(io, 2000);
    sim_say(sim_peer_of('A'), "431[\"late\"]");
    assert_string_equal(said(io), "");
    sim_free(io);
}

/* What strangers have us keep is bounded, and goes when its time is over. */
static void test_strangers_are_bounded(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, NULL);
    size_t most = 10000;
    sim_abort(sim_peer_of('B')->ws);
    sim_run_ms(io, 0);
    size_t live = sim.live;
    for (size_t i = 0; i < most + 3; i++) {
        sim.logged = i < most ? 0 : sim.logged;
        hear(io, "socket.io-request#/#",
             "{'uid':'o','requestId':'q','type':7,'packet':{'type':2,'data':['m']},"
             "'opts':{'flags':{'timeout':5000}}}");
        if (i % 50 == 0) {
            taken(io, redis.publisher);
            sim_hear_all(sim_peer_of('A'));
        }
        assert_int_equal(sim.logged, i < most ? 0 : i - most + 1);
    }
    assert_non_null(strstr(sim.log, "too many"));
    for (int i = 0; i < 6; i++) {
        sim_run_ms(io, 1000);
        said(io);
        sim_hear_all(sim_peer_of('A'));
    }
    assert_true(sim.live < live + 100);
    sim_free(io);
}

/* ---- Events between servers ----------------------------------------------------------------- */

static sio_later later[3];
static unsigned n_later, server_events;
static char last_event[200];

static void on_server_event(sio_socket *s, sio_event *e)
{
    assert_null(s);
    server_events++;
    snprintf(last_event, sizeof last_event, "%s", sim_json(sio_args(e)));
}

static void on_now(sio_socket *s, sio_event *e)
{
    (void)s;
    assert_int_equal(sio_ack(e, "%p, 2", sio_binary(e->io, "ab", 2)), 0);
    assert_int_equal(sio_ack(e, "3"), 0);  // once
}

static void on_nothing(sio_socket *s, sio_event *e)
{
    (void)s;
    sio_ack(e, "");
}

static void on_later(sio_socket *s, sio_event *e)
{
    (void)s;
    later[n_later++] = sio_ack_later(e);
    sio_ack(e, "'not now'");
}

#define ASKS(name) "{'uid':'o','requestId':'q','type':6,'data':['" name "',1]}"

static void test_server_events(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, NULL);
    sio_namespace *ns = sio_of(io, "/");
    n_later = server_events = 0;
    sio_on_server(ns, "ev", on_server_event);
    sio_on_server(ns, "now", on_now);
    sio_on_server(ns, "nothing", on_nothing);
    sio_on_server(ns, "later", on_later);
    hear(io, "socket.io-request#/#", "{'uid':'emitter','type':6,'data':['ev',1,{'a':[2]}]}");
    assert_int_equal(server_events, 1);
    assert_string_equal(last_event, "1,{\"a\":[2]}");
    hear(io, "socket.io-request#/#", "{'uid':'UID','type':6,'data':['ev']}");  // X06
    assert_int_equal(server_events, 1);
    hear(io, "socket.io-request#/#", ASKS("now"));
    says_like(io, "X12: an answer",
              "PUBLISH socket.io-response#/# {'type':6,'requestId':'q','data':{'type':'Buffer',"
              "'data':[97,98]}}\n");
    hear(io, "socket.io-request#/#", ASKS("nothing"));
    says_like(io, "X12: no argument", "PUBLISH socket.io-response#/# {'type':6,'requestId':'q'}\n");
    hear(io, "socket.io-request#/#", ASKS("later"));
    assert_int_equal(n_later, 1);
    assert_string_equal(said(io), "");
    assert_int_equal(sio_ack_now(later[0], "'x'"), 0);
    assert_int_equal(sio_ack_now(later[0], "'y'"), 0);
    says_like(io, "X12: later, once", "PUBLISH * {'type':6,'requestId':'q','data':'x'}\n");
    hear(io, "socket.io-request#/#", ASKS("later"));
    sim_run_ms(io, 6000);
    assert_int_equal(sio_ack_now(later[1], "'late'"), 0);
    assert_string_equal(said(io), "");
    assert_int_equal(sio_off_server(ns, "ev", on_server_event), 1);
    hear(io, "socket.io-request#/#", "{'uid':'o','type':6,'data':['ev']}");
    assert_int_equal(server_events, 1);
    hear(io, "socket.io-request#/#", ASKS("later"));  // owed when the server ends
    sim_free(io);
}

/* As many attachments as a packet may have; more are not even made JSON. */
static void test_many_attachments(void **state)
{
    (void)state;
    for (size_t n = 1000; n <= 1001; n++) {
        static char text[4000];
        sio_server *io = begin(NULL, NULL);
        sio_sink sink = { .p = text, .cap = sizeof text };
        sio_msgpack_put_array(&sink, 3);
        sio_put_word(&sink, "o");
        sio_msgpack_put_map(&sink, 2);
        sio_put_word(&sink, "type");
        sio_msgpack_put_integer(&sink, SIO_EVENT);
        sio_put_word(&sink, "data");
        sio_msgpack_put_array(&sink, n + 1);
        sio_put_word(&sink, "m");
        for (size_t i = 0; i < n; i++)
            sio_msgpack_put_binary(&sink, "", 0);
        sio_msgpack_put_map(&sink, 0);
        sim.logged = 0;
        hear_bytes("socket.io#/#", text, sink.n);
        hears("X09", 'A', n > 1000 ? "" : "451000-['m',*|<>");
        assert_int_equal(sim.logged, n > 1000);
        assert_true(n <= 1000 || strstr(sim.log, "is no MessagePack") != NULL);
        sim_free(io);
    }
}

/* What those are called by whom we owe an answer is kept, so it has a bound too. */
static void test_names_of_strangers_are_bounded(void **state)
{
    (void)state;
    static const char *const asks[][2] = {
        { "{'uid':'o','requestId':'", "','type':7,'packet':{'type':2,'data':['m']},'opts':{}}" },
        { "{'uid':'", "','requestId':'q','type':7,'packet':{'type':2,'data':['m']},'opts':{}}" },
        { "{'uid':'o','requestId':'", "','type':6,'data':['later']}" },
    };
    for (size_t i = 0; i < COUNT(asks); i++)
        for (size_t n = 98; n < 100; n++) {  // with its quotes
            sio_server *io = begin(NULL, NULL);
            char *name = filled(n, 'n'), text[400];
            n_later = 0;
            sio_on_server(sio_of(io, "/"), "later", on_later);
            snprintf(text, sizeof text, "%s%s%s", asks[i][0], name, asks[i][1]);
            hear(io, "socket.io-request#/#", text);
            hears("X13", 'A', i < 2 && n == 98 ? "420['m']" : "");
            if (i == 2)
                assert_int_equal(n_later == 1 && later[0].serial != 0, n == 98);
            free(name);
            sim_free(io);
        }
}

/* ---- What is hostile ------------------------------------------------------------------------ */

static const char *const hostile[] = {
    "",
    "{",
    "{}",
    "[]",
    "null",
    "1",
    "\"",
    "{\"type\":",
    "{\"type\":5",
    "\x80",
    "\x90",
    "\x93",
    "\xc1",
    "\xdf\xff\xff\xff\xff",
    "\xdd\xff\xff\xff\xff",
    "\xc6\xff\xff\xff\xff",
    "\xdb\xff\xff\xff\xff",
    "\x93\xa1o\x83",
    "\x93\xa1o\x80\x80",
    "\x93\xa1o\x81\xa4type\x02\x80",
    "{\"type\":\"5\"}",
    "{\"type\":5.5,\"requestId\":\"q\"}",
    "{\"type\":-1}",
    "{\"type\":1e400}",
    "{\"type\":5,\"requestId\":{}}",
    "{\"type\":5,\"requestId\":[[[]]],\"opts\":[]}",
    "{\"type\":5,\"requestId\":null,\"opts\":{\"rooms\":{}}}",
    "{\"type\":1,\"requestId\":\"\\ud800\"}",
    "{\"type\":2}",
    "{\"type\":2,\"opts\":7}",
    "{\"type\":2,\"opts\":{}}",
    "{\"type\":2,\"opts\":{},\"rooms\":7}",
    "{\"type\":2,\"opts\":{},\"rooms\":[[]]}",
    "{\"type\":3,\"sid\":7,\"room\":7}",
    "{\"type\":4,\"sid\":\"a\\u0000b\"}",
    "{\"type\":4,\"sid\":{}}",
    "{\"type\":6}",
    "{\"type\":6,\"data\":{}}",
    "{\"type\":6,\"data\":[]}",
    "{\"type\":6,\"data\":[[]]}",
    "{\"type\":6,\"requestId\":[],\"data\":[\"later\"]}",
    "{\"type\":6,\"requestId\":{},\"data\":[\"\"]}",
    "{\"type\":7,\"requestId\":1}",
    "{\"type\":7,\"requestId\":1,\"packet\":[]}",
    "{\"type\":7,\"requestId\":1,\"packet\":{\"type\":2,\"data\":[\"x\"]},\"opts\":7}",
    "{\"type\":7,\"requestId\":1,\"packet\":{\"type\":2,\"data\":[\"x\"]},\"opts\":{\"flags\":{"
    "\"timeout\":-1}}}",
    "{\"type\":7,\"requestId\":1,\"packet\":{\"type\":2,\"data\":[\"x\"]},\"opts\":{\"flags\":{"
    "\"timeout\":0.5}}}",
    "{\"type\":7,\"requestId\":1,\"packet\":{\"type\":2,\"data\":[\"x\"]},\"opts\":{\"flags\":{"
    "\"timeout\":1e99}}}",
    "{\"type\":7,\"requestId\":1,\"packet\":{\"type\":2,\"data\":[\"x\",{\"_placeholder\":true,"
    "\"num\":3}]}}",
    "{\"type\":8,\"requestId\":\"q\",\"clientCount\":-5}",
    "{\"requestId\":\"aaaaaa\",\"sockets\":[1]}",
    "{\"requestId\":\"ID\"}",
    "{\"requestId\":7,\"sockets\":[]}",
    "{\"type\":5,\"requestId\":\"q\",\"opts\":{\"rooms\":[\"\xff\"]}}",
    "\xed\xa0\x80",
    "{\"a\":\"\xff\"}",
    "\x81\xc1\x01",
    "\x81\x90\x01",
    "\x81\xc4\x01x\x01",
    "\xd4\x00\x00",
};

/* Whoever looks on is served, and all memory comes back. */
static void look_on(const char *what)
{
    sim_hear_all(sim_peer_of('A'));
    sim_say(sim_peer_of('A'), "429[\"join\",\"r1\"]");
    if (!sim_like("*439[]*", sim_hear_all(sim_peer_of('A'))))
        fail_msg("%s: a client is not served", what);
}

static void ask_nobody(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error, (void)answer;
}

/* Nested deeper than anything may be. */
static void hear_nested(sio_server *io, const char *channel, const char *head, const char *unit,
                        size_t n)
{
    size_t size = strlen(head) + n;
    char *p = filled(size, unit[0]);
    memcpy(p, head, strlen(head));
    hear_bytes(channel, p, size);
    sim_run_ms(io, 0);
    free(p);
}

static void test_hostile(void **state)
{
    static const char *const channels[] = { "socket.io#/#",           "socket.io#/#r1#",
                                            "socket.io#/#r1",         "socket.io-request#/#",
                                            "socket.io-response#/#",  "socket.io-response#/#UID#",
                                            "socket.io-response#/no#" };
    (void)state;
    sio_server *io = begin(NULL, NULL);
    n_later = 0;
    sio_on_server(sio_of(io, "/"), "later", on_nothing);
    size_t live = 0;
    for (int round = 0; round < 2; round++) {
        sio_fetch_sockets(all(io), ask_nobody, NULL);
        sio_request(sio_timeout(all(io), 1000), ask_nobody, NULL, "e", "");
        for (size_t i = 0; i < COUNT(channels); i++) {
            char channel[100];
            snprintf(channel, sizeof channel, i == 5 ? "socket.io-response#/#%s#" : "%s",
                     i == 5 ? redis.uid : channels[i]);
            for (size_t k = 0; k < COUNT(hostile); k++) {
                for (size_t cut = strlen(hostile[k]) + 1; cut-- > 0;) {  // truncated everywhere
                    hear_bytes(channel, hostile[k], cut);
                    sim_run_ms(io, 0);
                }
                taken(io, redis.publisher);
                sim_hear_all(sim_peer_of('A'));
                sim_hear_all(sim_peer_of('B'));
            }
            hear_nested(io, channel, "", "\x91", 10000);
            hear_nested(io, channel,
                        "\x93\xa1o\x82\xa4type\x02\xa4"
                        "data\x92\xa1x",
                        "\x91", 10000);
            hear_nested(io, channel, "{\"type\":6,\"data\":[\"later\",", "[", 10000);
            look_on(channel);
        }
        sim_run_ms(io, 6000);
        said(io);
        live = round == 0 ? sim.live : live;
    }
    assert_true(sim.live <= live + 20);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_in),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_dynamic_namespaces),
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_questions_of_others),
        cmocka_unit_test(test_strangers_are_bounded),
        cmocka_unit_test(test_server_events),
        cmocka_unit_test(test_many_attachments),
        cmocka_unit_test(test_names_of_strangers_are_bounded),
        cmocka_unit_test(test_hostile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
