/* sim_sio_recovery.c - connection state recovery: what a client missed while it was away
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. In the
 * scripts A goes away and comes back as B, while C talks. */
#include "sim_app.h"

#define BEGIN                                                                                      \
    "A ws\nC ws\n> 40\n< 40{'sid':'*','pid':'*'}\n< 42['auth',{},'*']\n"                           \
    "C> 40\nC< 40*\nC< 42*\n> 421['join','r']\n< 431[['r']]\n"
/* B says who it was; the last offset that A heard. */
#define BACK "B ws\nB> 40{'pid':'$pA','offset':'$oA'}\n"
#define FRESH "B< 40{'sid':'*','pid':'*'}\nB< 42['auth',*]\n"
#define RECOVERED "B< 40{'sid':'$A','pid':'$pA'}\n"

static const play recoveries[] = {
    { "R01: the reply has sid and pid", "D ws\nD> 40\nD< 40{'sid':'*','pid':'*'}" },
    { "R02: the last extra argument is the offset",
      "> 42['message',1]\n< 42['message-back',1,'*']" },
    { "R02: in binary events as well",
      "> 42['emit-binary',1,1]\n< 452-['binary',{*},'*']\n< <00>" },
    { "R03: not in an event with an id", "> 421['ask','q',[1],0]\n< 42*['q',1]" },
    { "R03: not in a volatile event", "> 42['volatile',1]\n< 42['vol',0]" },
    { "R03: not in an answer", "> 421['message-with-ack',1]\n< 431[1]" },
    { "R04: TCP drops; what was said to its rooms comes, then CONNECT",
      "A/ \nC> 42['in','r','e',[1]]|42['nsp-emit','all',[]]|42['in','$A','own',[]]\n" BACK
      "B< 42['e',1,'*']\nB< 42['all','*']\nB< 42['own','*']\n" RECOVERED "B< 42['auth',*]\n"
      "C> 42['in','r','again',[]]\nB< 42['again','*']\nB> 421['whoami']\nB< "
      "431[{*'recovered':true,*" },
    { "R04: with attachments",
      "A/ \nC> 451-['in','r','e',[{'_placeholder':true,'num':0}]]\nC# 07\n" BACK
      "B< 451-['e',{'_placeholder':true,'num':0},'*']\nB< <07>\n" RECOVERED },
    { "R04: the data comes back", "> 422['set-data',{'k':7}]\n< 432[]\nA/ \n" BACK RECOVERED
                                  "B< 42['auth',*]\nB> 421['get-data']\nB< 431[{'k':7}]" },
    { "R05: not what other rooms got", "A/ \nC> 42['in','x','e',[1]]\n" BACK RECOVERED },
    { "R05: not what excepted one of its rooms",
      "A/ \nC> 42['to-except',null,'r','e',[1]]\n" BACK RECOVERED },
    { "R05: not what it said itself to the others",
      "> 42['broadcast','e',[1]]\nC< 42['e',1,*\nA/ \n" BACK RECOVERED },
    { "R06: a wrong pid", "A/ \nB ws\nB> 40{'pid':'AAAAAAAAAAAAAAAAAAAA','offset':'$oA'}\n" FRESH },
    { "R06: an unknown offset", "A/ \nB ws\nB> 40{'pid':'$pA','offset':'999999'}\n" FRESH },
    { "R06: an offset that is none", "A/ \nB ws\nB> 40{'pid':'$pA','offset':'x'}\n" FRESH },
    { "R06: a pid alone", "A/ \nB ws\nB> 40{'pid':'$pA'}\n" FRESH },
    { "R06: of the wrong types", "A/ \nB ws\nB> 40{'pid':7,'offset':7}\n" FRESH },
    { "R06: while it is still there", BACK FRESH "> 42['message']\n< 42*" },
    { "R06: of another namespace", "A/ \nB ws\nB> 40/custom,{'pid':'$pA','offset':'$oA'}\n"
                                   "B< 40/custom,*" },
    { "R07: after DISCONNECT", "> 41\n" BACK FRESH },
    { "R07: after disconnect()", "> 42['disconnect-me']\n< 41\n" BACK FRESH },
    { "R07: after disconnect(true)", "> 42['disconnect-me',true]\n< 41\n" BACK FRESH },
    { "R07: after a parse error of the engine", "> 9\n" BACK FRESH },
    { "R08: after a ping timeout", "+ 45000\n? ping timeout\n" BACK RECOVERED },
    { "R08: after a reset", "A^ \n" BACK RECOVERED },
    { "R08: after a transport error", "> 2\n" BACK RECOVERED },
    { "R08: after a violation of Socket.IO", "> 4abc\n" BACK RECOVERED },
    { "R08: over polling", "A/ \nB poll\nB> 40{'pid':'$pA','offset':'$oA'}\n" RECOVERED },
    { "R09: too late", "A/ \n+ 120000\n" BACK FRESH },
};

static void a_client_gets_what_it_missed(void **state)
{
    (void)state;
    app_options();
    recovery.ms = 120000;
    play_alone(0, BEGIN, recoveries, COUNT(recoveries));
}

static const play expiries[] = {
    { "R09: in time",
      BEGIN "C> 42['nsp-emit','e',[]]\nC< 42*\n< 42*\nA/ \n+ 999\n" BACK RECOVERED },
    { "R09: too late", BEGIN "C> 42['nsp-emit','e',[]]\nC< 42*\n< 42*\nA/ \n+ 1000\n" BACK FRESH },
    { "Q: used once", BEGIN "A/ \n" BACK RECOVERED "D ws\nD> 40{'pid':'$pA','offset':'$oA'}\n"
                            "D< 40{'sid':'*','pid':'*'}\nD< 42['auth',*\nC> "
                            "42['in','$A','e',[]]\nB< 42['auth',*\nB< 42['e',*\nD." },
};

static void recovery_has_a_time(void **state)
{
    (void)state;
    app_options();
    recovery.ms = 1000;
    play_alone(0, "", expiries, COUNT(expiries));
}

/* R10. */
static const play middlewares[] = {
    { "R10", "A ws\n> 40/auth,{'token':'secret'}\n< 40*\n< 42*\nA/ \nB ws\n"
             "B> 40/auth,{'pid':'$pA','offset':'$oA'}\n" },
};

static void middlewares_are_skipped_or_run(void **state)
{
    (void)state;
    for (int run = 0; run < 2; run++) {
        char script[400];
        app_options();
        recovery.ms = 1000;
        recovery.run_middlewares = run;
        sio_server *io = app_begin();
        snprintf(script, sizeof script, "%s%s", middlewares[0].script,
                 run ? "B< 44/auth,{'message':'not authorized'*"
                     : "B< 40/auth,{'sid':'$A','pid':'$pA'}");
        assert_true(sim_play(io, "R10: middlewares on recovery", script));
        app_free(io);
    }
}

/* The log is bounded: what fell out of it makes recovery fail, without a word. */
static void the_log_is_bounded(void **state)
{
    (void)state;
    app_options();
    recovery.ms = 100000;
    recovery.bytes = 20000;
    sio_server *io = app_begin();
    assert_true(sim_play(io, "still there", BEGIN "A/ \nC> 42['flood',10,1000]\n" BACK RECOVERED));
    assert_true(sim_play(io, "fell out", BEGIN "A/ \nC> 42['flood',30,1000]\n" BACK FRESH));
    assert_true(sim_play(io, "too big for it", BEGIN "A/ \nC> 42['flood',1,30000]\n" BACK FRESH));
    assert_true(sim.bytes < 1000000);
    app_free(io);
}

/* What is sent to several rooms, or excepts some, is found by each of them, once and in order. */
static const play mentions[] = {
    { "to two of its rooms",
      "> 422['join','q']\n< 432[*\nA/ \nC> "
      "42['in',['r','q','r'],'e',[1]]|42['in','q','f',[]]"
      "|42['nsp-emit','g',[]]|42['in','r','h',[]]\n" BACK
      "B< 42['e',1,'*']\nB< 42['f','*']\nB< 42['g','*']\nB< 42['h','*']\n" RECOVERED },
    { "a room without a name is not everybody",
      "A/ \nC> 42['in','','e',[1]]|42['nsp-emit','g',[]]\n" BACK "B< 42['g','*']\n" RECOVERED },
    { "excepting its own id", "A/ \nC> 42['to-except',null,'$A','e',[1]]\n" BACK RECOVERED },
    { "from the offset on",
      "C> 42['in','r','e',[1]]\n< 42['e',1,'*']\nA/ \nC> 42['in','r','f',[]]\n" BACK
      "B< 42['f','*']\n" RECOVERED },
};

static void events_are_found_by_their_rooms(void **state)
{
    (void)state;
    app_options();
    recovery.ms = 120000;
    play_alone(0, BEGIN, mentions, COUNT(mentions));
}

/* ---- Applications of their own --------------------------------------------------------------- */

static sio_admission later;

static const char *answer_later(sio_socket *s, sio_event *e)
{
    (void)s;
    later = sio_next_later(e);
    return sio_recovered(s) ? SIO_LATER : NULL;
}

/* One client, which has heard an event. Its offset is in *p. */
static sio_server *begin_alone(const sio_recovery *o, sim_peer *p)
{
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_recover(io, o), 0);
    sio_namespace *ns = sio_of(io, "/");
    assert_true(sio_use(ns, answer_later) == 0);
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, "40");
    sim_hear_all(p);
    assert_int_equal(sio_emit(sio_all(ns), "first", ""), 0);
    sim_run_ms(io, 0);
    sim_hear_all(p);
    assert_true(p->offset[0] != '\0');
    return io;
}

static void come_back(sio_server *io, const sim_peer *was, sim_peer *p)
{
    char text[100];
    snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", was->pid, was->offset);
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, text);
}

/* The middleware takes so long that what the client missed has left the log, or not. */
static void a_hole_ends_the_connection(void **state)
{
    (void)state;
    for (int ms = 400; ms <= 1200; ms += 800) {
        sim_peer a, b;
        sio_recovery o = { .ms = 1000, .run_middlewares = true };
        sio_server *io = begin_alone(&o, &a);
        sim_close(a.ws);
        sim_run_ms(io, 10);
        sio_emit(sio_all(sio_of(io, "/")), "missed", "");
        sim_run_ms(io, 10);
        come_back(io, &a, &b);
        sim_run_ms(io, ms);
        sio_next(later, NULL, "");
        sim_run_ms(io, 0);
        const char *heard = sim_hear_all(&b);
        if (ms < 1000)
            assert_true(sim_like("42[\"missed\",*]|40{*", heard));
        else
            assert_true(sim_like("CLOSE(*", heard));
        assert_int_equal(sio_get_stats(io)->recovered, ms < 1000);
        sim_free(io);
    }
}

/* Whichever allocation fails: the client gets all that it missed and is recovered, or it is a new
 * one, or the connection ends. */
static void memory_that_ends_makes_no_hole(void **state)
{
    enum { MISSED = 20 };
    bool failed = true;
    char *text = filled(2000, 'x');
    (void)state;
    for (unsigned long k = 1; failed; k++) {
        sim_peer a, b;
        sio_server *io = begin_alone(NULL, &a);
        sio_join(sio_socket_by_id(sio_of(io, "/"), a.id), "r");
        sim_close(a.ws);
        sim_run_ms(io, 10);
        for (int i = 0; i < MISSED; i++)
            sio_emit(sio_to(sio_all(sio_of(io, "/")), "r"), "missed", "%s, %d", text, i);
        sim_run_ms(io, 10);
        sim_open(io, &b, SIM_WS, NULL);
        sim.fail_alloc = sim.allocs + k;
        char packet[100];
        snprintf(packet, sizeof packet, "40{\"pid\":\"%s\",\"offset\":\"%s\"}", a.pid, a.offset);
        sim_say(&b, packet);
        failed = sim.allocs >= sim.fail_alloc;
        int missed = 0;
        for (const char *got; *(got = sim_hear(&b)) != '\0';) {
            missed += sim_like("42[\"missed\"*", got);
            if (strncmp(got, "40{", 3) == 0)
                assert_int_equal(missed, strstr(got, a.id) != NULL ? MISSED : 0);
        }
        sim.fail_alloc = 0;
        sim_free(io);
    }
    free(text);
}

static void emit_more(sio_socket *s, sio_event *e)
{
    if (strcmp(sio_name(e), "outer") == 0)
        sio_emit(sio_self(s), "inner", "%p", sio_binary(sio_socket_server(s), "x", 1));
}

/* A listener's event overtakes the one that it heard of: the later one has the higher offset, so
 * that nothing comes twice. */
static void offsets_are_in_the_order_of_arrival(void **state)
{
    sim_peer a, b;
    (void)state;
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_recover(io, NULL), 0);
    sio_namespace *ns = sio_of(io, "/");
    sio_on_any_outgoing(ns, emit_more);
    sim_open(io, &a, SIM_WS, NULL);
    sim_say(&a, "40");
    sim_hear_all(&a);
    sio_emit(sio_all(ns), "outer", "%p, 7", sio_binary(io, "y", 1));
    sim_run_ms(io, 0);
    assert_true(sim_like("451-[\"inner\",{*},\"*\"]|<78>|451-[\"outer\",{*},7,\"*\"]|<79>",
                         sim_hear_all(&a)));
    sim_close(a.ws);
    sim_run_ms(io, 10);
    come_back(io, &a, &b);
    assert_true(sim_like("40{\"sid\":*", sim_hear_all(&b)));
    assert_int_equal(sio_get_stats(io)->recovered, 1);
    sim_free(io);
}

/* ---- The call -------------------------------------------------------------------------------- */

static int asked, released;

static void ask_again(void *data)
{
    asked = sio_recover(data, NULL);
    assert_int_equal(errno, EBUSY);
    released++;
}

static void set_asking(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_set_data(s, sio_socket_server(s), ask_again);
}

/* Once, and before anybody is there who could not come back. */
static void it_is_called_once_and_first(void **state)
{
    sim_peer p;
    (void)state;
    sio_server *io = sim_new(NULL);
    sim_open(io, &p, SIM_WS, NULL);
    assert_int_equal(sio_recover(io, NULL), 0);  // it has joined nothing so far
    assert_int_equal(sio_recover(io, NULL), -1);
    assert_int_equal(errno, EBUSY);
    sim_free(io);

    io = sim_new(NULL);
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    assert_int_equal(sio_recover(io, NULL), -1);
    assert_int_equal(errno, EBUSY);
    sim_free(io);

    io = sim_new(NULL);
    sim.fail_alloc = sim.allocs + 1;
    assert_int_equal(sio_recover(io, NULL), -1);
    assert_int_equal(errno, ENOMEM);
    assert_int_equal(sio_recover(io, NULL), 0);
    sim_free(io);
}

/* The defaults are the reference's: two minutes. */
static void a_socket_may_be_away_for_two_minutes(void **state)
{
    (void)state;
    for (int ms = 119999; ms <= 120000; ms++) {
        sim_peer a, b;
        sio_server *io = begin_alone(NULL, &a);
        sim_close(a.ws);
        sim_run_ms(io, 0);
        sim_run_ms(io, ms);
        come_back(io, &a, &b);
        sim_run_ms(io, 0);
        assert_int_equal(sio_get_stats(io)->recovered, ms < 120000);
        sim_free(io);
    }
}

/* What is kept of a lost socket is released when the server stops, or is freed with or without that,
 * and what is called then can't begin anew. */
static void data_is_released_with_the_server(void **state)
{
    (void)state;
    for (int stops = 0; stops < 2; stops++) {
        for (int lost = 0; lost < 2; lost++) {
            sim_peer p;
            sio_server *io = sim_new(NULL);
            assert_int_equal(sio_recover(io, NULL), 0);
            asked = released = 0;
            sio_on(sio_of(io, "/"), "connection", set_asking);
            sim_open(io, &p, SIM_WS, NULL);
            sim_say(&p, "40");
            if (lost)
                sim_close(p.ws);
            sim_run_ms(io, 10);
            assert_int_equal(released, 0);
            if (stops) {
                sio_shutdown(io);
                sim_run_ms(io, 1000);
                assert_int_equal(released, 1);
            }
            sim_free(io);
            assert_int_equal(released, 1);
            assert_int_equal(asked, -1);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_gets_what_it_missed),
        cmocka_unit_test(recovery_has_a_time),
        cmocka_unit_test(middlewares_are_skipped_or_run),
        cmocka_unit_test(the_log_is_bounded),
        cmocka_unit_test(events_are_found_by_their_rooms),
        cmocka_unit_test(a_hole_ends_the_connection),
        cmocka_unit_test(memory_that_ends_makes_no_hole),
        cmocka_unit_test(offsets_are_in_the_order_of_arrival),
        cmocka_unit_test(it_is_called_once_and_first),
        cmocka_unit_test(a_socket_may_be_away_for_two_minutes),
        cmocka_unit_test(data_is_released_with_the_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
