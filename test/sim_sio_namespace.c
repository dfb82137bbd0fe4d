/* sim_sio_namespace.c - who gets into a namespace: middlewares that answer later, families, names
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

static sio_server *begin(const sio_options *o)
{
    sim_fail = fail_with;
    return sim_new(o);
}

static const char *hear(sio_server *io, sim_peer *p)
{
    sim_run_ms(io, 0);
    return sim_hear_all(p);
}

/* ---- Middlewares that answer later ---------------------------------------------------------- */

/* What the first middleware does beside taking a handle. */
static enum { WAITS, GOES_ON, FAILS, DROPS, USES_IT, USES_IT_AND_GOES_ON, TAKES_TWO } way;
static sio_admission taken[2];
static sio_later later;
static unsigned runs, connections;

static const char *take(sio_socket *socket, sio_event *event)
{
    (void)socket;
    taken[0] = sio_next_later(event);
    if (way == TAKES_TWO)
        taken[1] = sio_next_later(event);
    if (way == USES_IT || way == USES_IT_AND_GOES_ON)
        sio_next(taken[0], NULL, "");
    if (way == FAILS)
        return "no";
    if (way == DROPS)
        return SIO_DROP;
    return way == GOES_ON || way == USES_IT_AND_GOES_ON ? NULL : SIO_LATER;
}

static const char *count_runs(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    runs++;
    return NULL;
}

static const char *count_and_wait(sio_socket *socket, sio_event *event)
{
    (void)socket;
    runs++;
    taken[1] = sio_next_later(event);
    return SIO_LATER;
}

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    connections++;
}

static void take_ack(sio_socket *socket, sio_event *event)
{
    (void)socket;
    later = sio_ack_later(event);
}

static sio_server *begin_with(sio_middleware second, sim_peer *p)
{
    sio_server *io = begin(NULL);
    sio_namespace *ns = sio_of(io, "/");
    memset(taken, 0, sizeof taken);
    runs = connections = 0;
    sio_use(ns, take);
    sio_use(ns, second);
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "e", take_ack);
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, "40");
    return io;
}

/* Whatever it does, a socket gets in once or not at all, and nobody throws it out afterwards. */
static void a_middleware_answers_once(void **state)
{
    static const struct {
        const char *at_once, *in_the_end;
        unsigned runs;
    } cases[] = {
        [WAITS] = { "", "44{\"message\":\"late\"}", 0 },
        [GOES_ON] = { "40*", "", 1 },
        [FAILS] = { "44{\"message\":\"no\"}", "", 0 },
        [DROPS] = { "", "", 0 },
        [USES_IT] = { "40*", "", 1 },
        [USES_IT_AND_GOES_ON] = { "40*", "", 1 },
        [TAKES_TWO] = { "", "44{\"message\":\"late\"}", 0 },
    };
    (void)state;
    for (way = WAITS; way <= TAKES_TWO; way++) {
        sim_peer p;
        sio_server *io = begin_with(count_runs, &p);
        assert_true(sim_like(cases[way].at_once, hear(io, &p)));
        assert_int_equal(sio_next(taken[1], "second", ""), 0);  // the second handle is none
        assert_string_equal(hear(io, &p), "");
        assert_int_equal(sio_next(taken[0], "late", ""), 0);
        assert_string_equal(hear(io, &p), cases[way].in_the_end);
        assert_int_equal(sio_next(taken[0], "later", ""), 0);
        assert_string_equal(hear(io, &p), "");
        assert_int_equal(runs, cases[way].runs);
        assert_int_equal(connections, cases[way].runs);
        sim_free(io);
    }
}

/* The handle of the first is used up when the second has its own. */
static void middlewares_wait_one_after_the_other(void **state)
{
    (void)state;
    for (way = WAITS; way <= USES_IT_AND_GOES_ON; way += USES_IT_AND_GOES_ON) {
        sim_peer p;
        sio_server *io = begin_with(count_and_wait, &p);
        sio_next(taken[0], NULL, "");
        assert_int_equal(runs, 1);
        assert_string_equal(hear(io, &p), "");
        sio_next(taken[0], NULL, "");
        assert_int_equal(runs, 1);
        sio_next(taken[1], NULL, "");
        assert_true(sim_like("40*", hear(io, &p)));
        assert_int_equal(connections, 1);
        sim_free(io);
    }
}

/* Two types, for compilers; and what was forced into the other one means nothing. */
static void handles_of_one_kind_are_none_of_the_other(void **state)
{
    sim_peer p;
    (void)state;
    way = WAITS;
    sio_server *io = begin_with(count_runs, &p);
    assert_int_equal(
        sio_ack_now(((sio_later){ io, taken[0].socket, taken[0].serial }), "'not you'"), 0);
    assert_string_equal(hear(io, &p), "");
    sio_next(taken[0], NULL, "");
    assert_true(sim_like("40*", hear(io, &p)));
    sim_say(&p, "427[\"e\"]");
    sim_run_ms(io, 0);
    assert_int_equal(sio_next(((sio_admission){ io, later.socket, later.serial }), "out", ""), 0);
    sio_next(((sio_admission){ io, later.socket, later.serial }), NULL, "");
    assert_string_equal(hear(io, &p), "");
    sio_ack_now(later, "'you'");
    assert_string_equal(hear(io, &p), "437[\"you\"]");
    assert_int_equal(connections, 1);
    sim_free(io);
}

/* A socket that nobody could let in any more does not wait. */
static void without_memory_for_a_handle_the_connection_ends(void **state)
{
    (void)state;
    way = WAITS;
    for (unsigned long k = 1, hit = 1; hit; k++) {
        sim_peer p;
        sio_server *io = begin(NULL);
        sio_use(sio_of(io, "/"), take);
        sim_open(io, &p, SIM_WS, NULL);
        sim.fail_alloc = sim.allocs + k;
        taken[0].serial = 0;
        sim_say(&p, "40");
        sim_run_ms(io, 0);
        hit = sim.allocs >= sim.fail_alloc;
        sim.fail_alloc = 0;
        sio_next(taken[0], NULL, "");
        const char *heard = hear(io, &p);
        if (!sim_like("40*", heard) && strcmp(heard, "CLOSE()") != 0 && strcmp(heard, "END") != 0)
            fail_msg("allocation %lu: %s", k, heard);
        sim_free(io);
        assert_true(k < 60);
    }
}

/* ---- Families and names --------------------------------------------------------------------- */

static unsigned asked;
static char asked_with[16];

static bool accept_team(const char *name, sio_event *auth)
{
    size_t n;
    const char *json = sio_json(sio_arg(auth, 0), &n);
    snprintf(asked_with, sizeof asked_with, "%.*s", (int)n, json);
    asked++;
    return strncmp(name, "/team-", 6) == 0;
}

static const char *refuse(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    return "members only";
}

static sio_namespace *team(sio_server *io, bool (*accept)(const char *name, sio_event *auth))
{
    sio_namespace *family = sio_family(io, accept);
    sio_use(family, refuse);
    return family;
}

static const char *connect_to(sio_server *io, sim_peer *p, const char *packet)
{
    sim_open(io, p, SIM_WS, NULL);
    sim_say(p, packet);
    return hear(io, p);
}

/* As in the reference, whoever makes it. */
static void a_name_that_a_family_takes_is_its_own(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sio_namespace *family = team(io, accept_team), *other = sio_family(io, accept_team);
    sim_peer p;
    sio_namespace *ns = sio_of(io, "/team-1");
    assert_ptr_equal(sio_ns_family(ns), family);
    assert_ptr_not_equal(sio_ns_family(ns), other);
    assert_string_equal(asked_with, "{}");
    assert_ptr_equal(sio_of(io, "/team-1"), ns);
    assert_int_equal(asked, 1);
    assert_null(sio_ns_family(sio_of(io, "/club")));
    assert_int_equal(asked, 3);
    assert_string_equal(connect_to(io, &p, "40/team-1,"),
                        "44/team-1,{\"message\":\"members only\"}");
    assert_string_equal(connect_to(io, &p, "40/team-2,{\"a\":1}"),
                        "44/team-2,{\"message\":\"members only\"}");
    assert_string_equal(asked_with, "{\"a\":1}");
    sim_free(io);
}

static sio_namespace *made;
static sio_server *asking;
static int made_errno;
static bool takes_it, another;

static bool accept_and_make(const char *name, sio_event *auth)
{
    char longer[300];
    (void)auth;
    snprintf(longer, sizeof longer, another ? "%sx" : "%s", name);
    asked++;
    errno = 0;
    sio_namespace *ns = sio_of(asking, longer);
    if (ns != NULL)
        made = ns;
    else
        made_errno = errno;
    return takes_it;
}

/* An accept that calls sio_of asks itself; that has an end, and nothing unguarded comes of it. */
static void an_accept_may_make_namespaces(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        sio_server *io = begin(NULL);
        sim_peer p;
        sio_namespace *family = team(io, accept_and_make);
        asking = io, asked = 0, made = NULL, made_errno = 0;
        takes_it = i & 1, another = i & 2;
        const char *heard = connect_to(io, &p, "40/a,");
        assert_int_equal(asked, 8);
        assert_int_equal(made_errno, ELOOP);
        assert_string_equal(heard, takes_it ? "44/a,{\"message\":\"members only\"}"
                                            : "44/a,{\"message\":\"Invalid namespace\"}");
        if (takes_it)
            assert_ptr_equal(sio_ns_family(made), family);
        sim_free(io);
    }
}

/* The limit of the options, at it and over it; what went makes room. */
static void dynamic_namespaces_have_a_limit(void **state)
{
    (void)state;
    for (int cleanup = 0; cleanup < 2; cleanup++) {
        sio_options o = { .max_dynamic_namespaces = 2, .cleanup_empty_namespaces = cleanup };
        sio_server *io = begin(&o);
        sim_peer p;
        sio_family(io, accept_team);
        assert_true(sim_like("40/team-1,*", connect_to(io, &p, "40/team-1,")));
        sim_say(&p, "40/team-2,");
        assert_true(sim_like("40/team-2,*", hear(io, &p)));
        asked = 0;
        sim_say(&p, "40/team-3,");
        assert_string_equal(hear(io, &p), "44/team-3,{\"message\":\"Invalid namespace\"}");
        assert_int_equal(asked, 0);
        assert_true(
            sim_like("*max_dynamic_namespaces is reached (*; client \"127.0.0.1\", session \"*\", "
                     "namespace \"/team-3\"",
                     sim.log));
        assert_true(sim_like("40/team-2,*", connect_to(io, &p, "40/team-2,")));  // it is there
        sim_say(&p, "41/team-2,|40/team-2,");
        assert_true(sim_like("40/team-2,*", hear(io, &p)));
        sim_say(&p, "40/club,");
        assert_string_equal(hear(io, &p), "44/club,{\"message\":\"Invalid namespace\"}");
        sim_free(io);
    }
    sio_options o = { .max_dynamic_namespaces = 1, .cleanup_empty_namespaces = true };
    sio_server *io = begin(&o);
    sim_peer p;
    sio_family(io, accept_team);
    for (int i = 0; i < 5; i++) {
        assert_true(sim_like("40/team-1,*", connect_to(io, &p, "40/team-1,")));
        sim_say(&p, "41/team-1,|40/team-2,");
        assert_true(sim_like("40/team-2,*", hear(io, &p)));
        sim_say(&p, "41/team-2,");
    }
    sim_free(io);
}

/* Cleaning up frees what a family made, unless the application has it by sio_of. */
static void what_sio_of_returned_stays(void **state)
{
    (void)state;
    sio_options o = { .cleanup_empty_namespaces = true };
    sio_server *io = begin(&o);
    sim_peer p;
    sio_family(io, accept_team);
    sio_namespace *one = sio_of(io, "/team-1"), *two;
    assert_true(sim_like("40/*", connect_to(io, &p, "40/team-1,|40/team-2,|40/team-3,")));
    two = sio_of(io, "/team-2");
    sim_say(&p, "41/team-1,|41/team-2,|41/team-3,");
    sim_run_ms(io, 0);
    assert_ptr_equal(sio_find(io, "/team-1"), one);
    assert_ptr_equal(sio_find(io, "/team-2"), two);
    assert_null(sio_find(io, "/team-3"));
    assert_int_equal(sio_ns_size(one), 0);
    sim_free(io);
}

/* At the limit, and over it; the answer to the first is the longest that names a namespace. */
static void names_have_a_limit(void **state)
{
    (void)state;
    for (size_t n = SIO_NS_NAME; n < SIO_NS_NAME + 2; n++) {
        sio_server *io = begin(NULL);
        sim_peer p;
        char name[300], packet[310];
        snprintf(name, sizeof name, "/team-%0*d", (int)n - 6, 7);
        snprintf(packet, sizeof packet, "40%s,", name);
        bool good = n == SIO_NS_NAME;
        assert_string_equal(connect_to(io, &p, "40/team-1,"),
                            "44/team-1,{\"message\":\"Invalid namespace\"}");
        sim_say(&p, packet);
        assert_true(sim_like(good ? "44/team-0*,{\"message\":\"Invalid namespace\"}" : "CLOSE()",
                             hear(io, &p)));
        errno = 0;
        assert_true((sio_of(io, name) != NULL) == good);
        assert_int_equal(errno, good ? 0 : EINVAL);
        assert_true(sim_like(good ? "40/team-0*" : "CLOSE()", connect_to(io, &p, packet)));
        sim_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_middleware_answers_once),
        cmocka_unit_test(middlewares_wait_one_after_the_other),
        cmocka_unit_test(handles_of_one_kind_are_none_of_the_other),
        cmocka_unit_test(a_name_that_a_family_takes_is_its_own),
        cmocka_unit_test(an_accept_may_make_namespaces),
        cmocka_unit_test(dynamic_namespaces_have_a_limit),
        cmocka_unit_test(what_sio_of_returned_stays),
        cmocka_unit_test(names_have_a_limit),
        cmocka_unit_test(without_memory_for_a_handle_the_connection_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
