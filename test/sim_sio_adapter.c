/* sim_sio_adapter.c - what a member of a cluster says to the others
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim_member.h"

/* ---- Events out ----------------------------------------------------------------------------- */

static void to_all(sio_server *io)
{
    sio_emit(all(io), "e", "1");
}

static void to_room(sio_server *io)
{
    sio_emit(sio_to(all(io), "r1"), "e", "");
}

static void to_strange_room(sio_server *io)
{
    sio_emit(sio_to(all(io), "a#b*"), "e", "");
}

static void to_rooms(sio_server *io)
{
    sio_emit(sio_to(sio_to(all(io), "r1"), "r2"), "e", "");
}

static void but_room(sio_server *io)
{
    sio_emit(sio_except(all(io), "r1"), "e", "");
}

static void to_room_but(sio_server *io)
{
    sio_emit(sio_except(sio_to(all(io), "r1"), "r2"), "e", "");
}

static void but_sender(sio_server *io)
{
    (void)io;
    sim_say(sim_peer_of('B'), "42[\"broadcast\"]");
}

static void to_local(sio_server *io)
{
    sio_emit(sio_local(all(io)), "e", "");
}

static void to_self(sio_server *io)
{
    (void)io;
    sio_emit(sio_self(newest), "e", "");
}

static void now_or_never(sio_server *io)
{
    sio_emit(sio_volatile(all(io)), "e", "");
}

static void with_bytes(sio_server *io)
{
    sio_emit(all(io), "e", "%p, {'k': [%p]}", sio_binary(io, "abc", 3), sio_binary(io, "", 0));
}

static void odd_name(sio_server *io)
{
    sio_emit(all(io), "a\"b\\\xe2\x82\xac", "");
}

static void numbers(sio_server *io)
{
    sio_emit(all(io), "e", "-1, 255, 256, -129, 4294967296, 9007199254740993, 0.5, 1e300, null");
}

static void join_all(sio_server *io)
{
    sio_sockets_join(sio_to(all(io), "r1"), "x");
}

static void leave_list(sio_server *io)
{
    static const char *const rooms[] = { "x", "y\"" };
    sio_sockets_leave_list(sio_except(all(io), "r1"), rooms, 2);
}

static void disconnect_all(sio_server *io)
{
    sio_disconnect_sockets(sio_to(all(io), "r9"), true);
}

static void disconnect_softly(sio_server *io)
{
    sio_disconnect_sockets(sio_to(all(io), "r9"), false);
}

static void join_here(sio_server *io)
{
    sio_sockets_join(sio_local(all(io)), "x");
}

#define EVENTS "PUBLISH socket.io#/# "
#define REQUESTS "PUBLISH socket.io-request#/# "
#define TO_ALL "{'rooms':[],'except':[],'flags':{}}]\n"
#define EVENT(args) "['UID',{'type':2,'data':['e'" args "],'nsp':'/'},"
static const struct sent {
    const char *rule;
    void (*act)(sio_server *io);
    const char *said, *b;  // and what B hears
} sent[] = {
    { "X02: all", to_all, EVENTS EVENT(",1") TO_ALL, "42['e',1]" },
    { "X03: one room", to_room,
      "PUBLISH socket.io#/#r1# " EVENT() "{'rooms':['r1'],'except':[],'flags':{}}]\n", "" },
    { "X03: any room", to_strange_room,
      "PUBLISH socket.io#/#a#b*# " EVENT() "{'rooms':['a#b*'],'except':[],'flags':{}}]\n", "" },
    { "X04: two rooms", to_rooms, EVENTS EVENT() "{'rooms':['r1','r2'],'except':[],'flags':{}}]\n",
      "" },
    { "X04: except", but_room, EVENTS EVENT() "{'rooms':[],'except':['r1'],'flags':{}}]\n",
      "42['e']" },
    { "X03: a room, except", to_room_but,
      "PUBLISH socket.io#/#r1# " EVENT() "{'rooms':['r1'],'except':['r2'],'flags':{}}]\n", "" },
    { "X04: but the sender", but_sender, EVENTS EVENT() "{'rooms':[],'except':['*'],'flags':{}}]\n",
      "" },
    { "X05: local", to_local, "", "42['e']" },
    { "X05: self", to_self, "", "42['e']" },
    { "5.2: volatile", now_or_never,
      EVENTS EVENT() "{'rooms':[],'except':[],'flags':{'volatile':true}}]\n", "42['e']" },
    { "X09: bytes", with_bytes,
      EVENTS
      "['UID',{'type':2,'data':['e',{'_placeholder':true,'num':0},{'k':[{'_placeholder':true,"
      "'num':1}]}],'nsp':'/'}," TO_ALL,
      "452-['e',{'_placeholder':true,'num':0},{'k':[{'_placeholder':true,'num':1}]}]|<616263>|<>" },
    { "X02: a name", odd_name,
      EVENTS "['UID',{'type':2,'data':['a\\'b\\\\\\xe2\\x82\\xac'],'nsp':'/'}," TO_ALL,
      "42['a\\'b\\\\\xe2\x82\xac']" },
    { "5.2: numbers", numbers,
      EVENTS EVENT(",-1,255,256,-129,4294967296,900719925474099*,0.5,1e*300,null") TO_ALL, "42*" },
    { "X10: join", join_all,
      REQUESTS "{'uid':'UID','type':2,'opts':{'rooms':['r1'],'except':[]},'rooms':['x']}\n", "" },
    { "X10: leave", leave_list,
      REQUESTS "{'uid':'UID','type':3,'opts':{'rooms':[],'except':['r1']},'rooms':['x','y\\'']}\n",
      "" },
    { "X10: disconnect", disconnect_all,
      REQUESTS "{'uid':'UID','type':4,'opts':{'rooms':['r9'],'except':[]},'close':true}\n", "" },
    { "X10: disconnect from the namespace", disconnect_softly,
      REQUESTS "{'uid':'UID','type':4,'opts':{'rooms':['r9'],'except':[]},'close':false}\n", "" },
    { "X05: local changes", join_here, "", "" },
};

static void test_what_goes_out(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, NULL);
    for (size_t i = 0; i < COUNT(sent); i++) {
        sent[i].act(io);
        says_like(io, sent[i].rule, sent[i].said);
        hears(sent[i].rule, 'B', sent[i].b);
    }
    sim_free(io);
}

/* An offset is this process's; a room's channel is an option. */
static void test_options(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, &(sio_redis_options){ .key = "k", .room_channels = SIO_OFF });
    to_room(io);
    says_like(io, "X03: off", "PUBLISH k#/# *'rooms':['r1']*\n");
    sim_free(io);
    sim_fail = fail_with;
    io = sim_new(NULL);
    sio_recover(io, &(sio_recovery){ .ms = 5000 });
    be_member(io, NULL);
    enter(io, 'A', SIM_WS, NULL, "");
    to_all(io);
    hears("R02", 'A', "42['e',1,'*']");
    says_like(io, "X02: no offset", EVENTS EVENT(",1") TO_ALL);
    sim_free(io);
}

/* The channels' names and MessagePack's bytes, as they are observed. */
static void test_bytes(void **state)
{
    (void)state;
    sio_server *io = begin(NULL, NULL);
    sio_emit(all(io), "bin", "%p", sio_binary(io, "\1\2\3", 3));
    sim_run_ms(io, 0);
    size_t n;
    const char *p = sim_text(redis.publisher, &n);
    static const char head[] = "*3\r\n$7\r\nPUBLISH\r\n$12\r\nsocket.io#/#\r\n$59\r\n\x93\xa6";
    static const char rest[] = "\x83\xa4type\x02\xa4"
                               "data\x92\xa3"
                               "bin\xc4\x03\x01\x02\x03\xa3"
                               "nsp\xa1/"
                               "\x83\xa5rooms\x90\xa6"
                               "except\x90\xa5"
                               "flags\x80\r\n";
    assert_int_equal(n, sizeof head - 1 + 6 + sizeof rest - 1);
    assert_memory_equal(p, head, sizeof head - 1);
    assert_memory_equal(p + sizeof head - 1, redis.uid, 6);
    assert_memory_equal(p + sizeof head + 5, rest, sizeof rest - 1);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_out),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
