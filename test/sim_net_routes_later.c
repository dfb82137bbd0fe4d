/* sim_net_routes_later.c - requests that a route keeps, and that are answered later
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

enum { MANY = 20 };

static sio_server *server;
static uint64_t kept[MANY];
static size_t n_kept;
static unsigned wrong;

/* Keeps whatever comes. */
static void keep(sio_http *http)
{
    uint64_t handle = sio_http_keep(http);
    must(n_kept < MANY, "there is room for another handle");
    wrong += handle != 0 && (sio_http_keep(http) != handle || sio_http_of(server, handle) != http);
    if (handle != 0)
        kept[n_kept++] = handle;
}

static void answer_now(sio_http *http)
{
    sio_http_reply(http, 200, NULL, "now", 3);
}

/* Answers a kept request with what can still be read of it. */
static int answer(uint64_t handle)
{
    sio_http *http = sio_http_of(server, handle);
    char text[500];
    size_t n;
    const char *body = sio_http_body(http, &n);
    if (http == NULL)
        return sio_http_reply(http, 200, NULL, "", 0);
    const char *name = sio_http_header(http, "X-Name"), *q = sio_http_query(http, "q");
    int size = snprintf(text, sizeof text, "%s %s %s %s %s %.*s", sio_http_method(http),
                        sio_http_path(http), q == NULL ? "-" : q, name == NULL ? "-" : name,
                        sio_http_address(http), (int)n, body);
    return sio_http_reply(http, 200, "text/plain", text,
                          (size_t)size < sizeof text ? (size_t)size : sizeof text - 1);
}

/* The same from a callback: all that are kept, the last first. Looks at each once more behind that. */
static void answer_all(sio_http *http)
{
    for (size_t i = n_kept; i-- > 0;) {
        sio_http *other = sio_http_of(server, kept[i]);
        const char *body = sio_http_body(other, NULL);
        char before = *body;
        wrong += answer(kept[i]) != 0 || sio_http_of(server, kept[i]) != NULL;
        wrong += sio_http_method(other) == NULL || sio_http_body(other, NULL) != body;
        wrong += *body != before || sio_http_reply(other, 200, NULL, "", 0) == 0;
        wrong += sio_http_keep(other) != 0 || errno != EINVAL;
    }
    sio_http_reply(http, 204, NULL, NULL, 0);
}

static sio_server *begin(const sio_options *o)
{
    sim_fail = fail_with;
    server = sim_new(o);
    assert_non_null(server);
    sio_route(server, "*", "/keep", keep);
    sio_route(server, "GET", "/now", answer_now);
    sio_route(server, "GET", "/all", answer_all);
    n_kept = 0, wrong = 0;
    return server;
}

/* ---- Answers ---------------------------------------------------------------------------------- */

static void all_of_a_kept_request_is_read_later(void **state)
{
    static const struct {
        const char *rule, *request, *body;
    } cases[] = {
        { "no body", "GET /keep?q=a%20b HTTP/1.1\r\nHost: x\r\nX-Name: n\r\n\r\n",
          "GET /keep a b n 10.0.0.1 " },
        { "a body", "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody",
          "POST /keep - - 10.0.0.1 body" },
        { "chunks",
          "PUT /keep HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
          "2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
          "PUT /keep - - 10.0.0.1 body" },
    };
    (void)state;
    for (size_t i = 0; i < 2 * 2 * COUNT(cases); i++) {
        const char *request = cases[i / 4].request;
        sio_server *io = begin(NULL);
        sim.cut = i % 2 == 0 ? 0 : 1;
        sim_client *c = sim_connect_from("10.0.0.1");
        sim_send(c, request, strlen(request));
        sim_run_ms(io, 60000);  // the bytes that it was read from are others' by now
        assert_int_equal(sim_answered(c, false).status, 0);
        assert_int_equal(n_kept, 1);
        if (i / 2 % 2 == 0)
            assert_int_equal(answer(kept[0]), 0);
        else
            assert_int_equal(sim_http(io, "GET", "/all", NULL, NULL).status, 204);
        sim_run_ms(io, 0);
        sim_answer a = sim_answered(c, false);
        if (a.status != 200 || strcmp(a.body, cases[i / 4].body) != 0)
            fail_msg("%s: %d %s", cases[i / 4].rule, a.status, a.body);
        assert_int_equal(wrong, 0);
        sim_request(c, "GET", "/now", NULL, NULL);  // the connection goes on
        sim_run_ms(io, 0);
        assert_string_equal(sim_answered(c, false).body, "now");
        sim_free(io);
    }
}

static void a_kept_request_keeps_its_own_way(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sim_client *head = sim_connect(), *last = sim_connect();
    sim_request(head, "HEAD", "/keep", NULL, NULL);
    sim_request(last, "GET", "/keep", "Connection: close\r\n", NULL);
    sim_run_ms(io, 0);
    assert_int_equal(answer(kept[0]), 0);
    assert_int_equal(answer(kept[1]), 0);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(head, true).status, 200);
    assert_int_equal(sim_answered(last, false).status, 200);
    assert_true(sim_ended(last));
    assert_false(sim_ended(head));
    sim_free(io);
}

/* RFC 9112, 9.3.2 */
static void what_is_pipelined_behind_it_waits_for_its_turn(void **state)
{
    static const char *const targets[] = { "/keep?q=1", "/now", "/keep?q=2", "/now" };
    (void)state;
    for (int way = 0; way < 3; way++) {
        sio_server *io = begin(NULL);
        sim_client *c = sim_connect();
        for (size_t i = 0; i < COUNT(targets); i++)
            sim_request(c, "GET", targets[i], NULL, NULL);
        sim_run_ms(io, 1000);
        assert_int_equal(n_kept, 2);
        assert_int_equal(sim_answered(c, false).status, 0);
        if (way == 2) {
            sim_http(io, "GET", "/all", NULL, NULL);
        } else {
            assert_int_equal(answer(kept[way]), 0);
            sim_run_ms(io, 0);
            assert_null(sio_http_of(io, kept[way]));
            assert_int_equal(sim_text(c, NULL)[0] == '\0', way == 1);
            assert_int_equal(answer(kept[1 - way]), 0);
        }
        sim_run_ms(io, 0);
        assert_true(sim_like("GET /keep 1 *", sim_answered(c, false).body));
        assert_string_equal(sim_answered(c, false).body, "now");
        assert_true(sim_like("GET /keep 2 *", sim_answered(c, false).body));
        assert_string_equal(sim_answered(c, false).body, "now");
        assert_int_equal(wrong, 0);
        sim_free(io);
    }
}

static void keep_and_answer(sio_http *http)
{
    keep(http);
    answer_now(http);
    wrong += sio_http_of(server, kept[0]) != NULL || sio_http_keep(http) != 0;
}

static void say_nothing(sio_http *http)
{
    (void)http;
}

static void answered_at_once_it_is_kept_no_more(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sio_route(io, "*", "/both", keep_and_answer);
    sio_route(io, "*", "/nothing", say_nothing);
    for (int i = 0; i < 2; i++) {
        n_kept = 0;
        assert_string_equal(sim_http(io, "POST", "/both", NULL, i == 0 ? NULL : "x").body, "now");
        assert_null(sio_http_of(io, kept[0]));
    }
    assert_int_equal(sim_http(io, "GET", "/nothing", NULL, NULL).status, 500);
    assert_int_equal(wrong, 0);
    sim_free(io);
}

/* ---- Handles ---------------------------------------------------------------------------------- */

static void a_handle_finds_its_request_or_nothing(void **state)
{
    uint64_t old[MANY];
    (void)state;
    sio_server *io = begin(NULL);
    assert_null(sio_http_of(io, 0));
    sim_client *c = sim_connect();
    for (size_t i = 0; i < MANY; i++) {
        n_kept = 0;
        sim_request(c, "GET", "/keep", NULL, NULL);
        sim_run_ms(io, 0);
        for (size_t k = 0; k < i; k++)
            assert_null(sio_http_of(io, old[k]));
        assert_non_null(sio_http_of(io, kept[0]));
        assert_int_equal(answer(kept[0]), 0);
        assert_int_equal(answer(kept[0]), -1);
        old[i] = kept[0];
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, 200);
        assert_int_equal(sim_answered(c, false).status, 0);
    }
    sim_free(io);
}

static void nothing_happens_to_who_is_gone(void **state)
{
    static void (*const ways[])(sim_client *) = { sim_finish, sim_close, sim_abort };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(ways); i++) {
        sio_server *io = begin(NULL);
        sim_client *c = sim_connect();
        sim_request(c, "POST", "/keep", NULL, "body");
        if (i >= COUNT(ways))
            sim_request(c, "GET", "/now", NULL, NULL);
        sim_run_ms(io, 0);
        assert_non_null(sio_http_of(io, kept[0]));
        ways[i % COUNT(ways)](c);
        sim_run_ms(io, 0);
        assert_null(sio_http_of(io, kept[0]));
        assert_int_equal(answer(kept[0]), -1);
        sim_run_ms(io, 1000000);  // no deadline is left
        sim_free(io);
    }
}

/* ---- Limits ----------------------------------------------------------------------------------- */

static void without_an_answer_it_is_503(void **state)
{
    (void)state;
    for (int behind = 0; behind < 2; behind++) {
        sio_server *io = begin(&(sio_options){ .request_timeout_ms = 3000 });
        sim_client *c = sim_connect();
        sim_request(c, "GET", "/keep", NULL, NULL);
        sim_run_ms(io, 1000);
        if (behind)
            sim_request(c, "GET", "/keep?q=2", NULL, NULL);
        sim_run_ms(io, 1999);
        assert_int_equal(sim_answered(c, false).status, 0);
        sim_run_ms(io, 1);
        assert_int_equal(sim_answered(c, false).status, 503);
        assert_true(sim_like("*request refused: 503, *nobody has answered*3000*", sim.log));
        assert_int_equal(sio_get_stats(io)->refused, 1);
        assert_null(sio_http_of(io, kept[0]));
        if (behind) {
            assert_int_equal(answer(kept[1]), 0);
            sim_run_ms(io, 0);
            assert_true(sim_like("GET /keep 2*", sim_answered(c, false).body));
        }
        sim_run_ms(io, 4000);
        assert_false(sim_ended(c));
        sim_free(io);
    }
}

/* One that was answered, and waits for another's answer, is not answered again. */
static void an_answer_that_waits_for_its_turn_has_no_deadline(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .request_timeout_ms = 3000 });
    sim_client *c = sim_connect();
    sim_request(c, "GET", "/keep", NULL, NULL);
    sim_request(c, "GET", "/keep?q=2", NULL, NULL);
    sim_run_ms(io, 0);
    assert_int_equal(answer(kept[1]), 0);
    sim_run_ms(io, 10000);
    assert_int_equal(sim_answered(c, false).status, 503);
    assert_true(sim_like("GET /keep 2*", sim_answered(c, false).body));
    assert_int_equal(sio_get_stats(io)->refused, 1);
    sim_free(io);
}

/* Threat "memory": kept requests count, and go when there are too many of them. */
static void what_is_kept_counts_in_max_memory(void **state)
{
    enum { BODY = 100000, HEAD = 3000 };
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t clients = 10 + i, there = 0;
        sio_server *io = begin(&(sio_options){ .max_memory = 10 * (BODY + 4 * HEAD) });
        char *body = filled(BODY, 'b');
        for (size_t k = 0; k < clients; k++) {
            sim_request(sim_connect(), "POST", "/keep", NULL, body);
            sim_run_ms(io, 0);
        }
        for (size_t k = 0; k < clients; k++)
            there += sio_http_of(io, kept[k]) != NULL;
        assert_int_equal(sio_get_stats(io)->overflows, clients - there);
        assert_int_equal(there == clients, i == 0);
        assert_true(there > 5);
        for (size_t k = 0; k < clients; k++)
            answer(kept[k]);
        sim_run_ms(io, 0);
        n_kept = 0;
        for (size_t k = 0; k < 5; k++)  // and count no more
            sim_request(sim_connect(), "POST", "/keep", NULL, body);
        sim_run_ms(io, 0);
        assert_int_equal(sio_get_stats(io)->overflows, clients - there);
        free(body);
        sim_free(io);
    }
}

/* ---- Ends ------------------------------------------------------------------------------------- */

static void a_server_that_stops_waits_for_its_answers(void **state)
{
    (void)state;
    for (int in_time = 0; in_time < 2; in_time++) {
        sio_server *io = begin(&(sio_options){ .stop_timeout_ms = 1000 });
        sim_client *c = sim_connect();
        sim_request(c, "GET", "/keep", NULL, NULL);
        sim_run_ms(io, 0);
        sio_shutdown(io);
        sim_run_ms(io, 500);
        assert_false(sim_ended(c));
        if (in_time)
            assert_int_equal(answer(kept[0]), 0);
        sim_run_ms(io, 100);
        assert_int_equal(sim_answered(c, false).status, in_time ? 200 : 0);
        sim_run_ms(io, 1000);
        assert_null(sio_http_of(io, kept[0]));
        assert_true(sim_ended(c));
        sim_free(io);
    }
}

static void kept_requests_go_with_the_server(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    for (int i = 0; i < 5; i++) {
        sim_client *c = sim_connect();
        sim_request(c, "GET", "/keep", NULL, NULL);
        sim_request(c, "POST", "/keep", NULL, "body");
    }
    sim_run_ms(io, 0);
    assert_int_equal(n_kept, 10);
    answer(kept[3]);
    sim_free(io);
}

/* The k-th allocation fails. False: there were not so many. */
static bool answers_or_ends(unsigned long k)
{
    sio_server *io = begin(&(sio_options){ .request_timeout_ms = 3000 });
    sim_client *c = sim_connect();
    sim.fail_alloc = sim.allocs + k;
    sim_request(c, "POST", "/keep", NULL, "body");
    sim_request(c, "GET", "/keep?q=2", NULL, NULL);
    sim_run_ms(io, 10);
    for (size_t i = n_kept; i-- > 0;)
        answer(kept[i]);
    sim_run_ms(io, 10);
    bool failed = sim.allocs >= sim.fail_alloc;
    sim.fail_alloc = 0;
    sim_run_ms(io, 5000);
    for (int i = 0; i < 2; i++) {
        int status = sim_answered(c, false).status;
        if (status != 200 && !(failed && (status == 500 || status == 503 || sim_ended(c))))
            fail_msg("allocation %lu: %d", k, status);
    }
    assert_int_equal(wrong, 0);
    n_kept = 0;
    sim_client *other = sim_connect();  // all is as it was
    sim_request(other, "GET", "/keep", NULL, NULL);
    sim_run_ms(io, 0);
    assert_int_equal(answer(kept[0]), 0);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(other, false).status, 200);
    sim_free(io);
    return failed;
}

static void any_allocation_may_fail(void **state)
{
    unsigned long k = 1;
    (void)state;
    while (answers_or_ends(k))
        k++;
    assert_true(k > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_a_kept_request_is_read_later),
        cmocka_unit_test(a_kept_request_keeps_its_own_way),
        cmocka_unit_test(what_is_pipelined_behind_it_waits_for_its_turn),
        cmocka_unit_test(answered_at_once_it_is_kept_no_more),
        cmocka_unit_test(a_handle_finds_its_request_or_nothing),
        cmocka_unit_test(nothing_happens_to_who_is_gone),
        cmocka_unit_test(without_an_answer_it_is_503),
        cmocka_unit_test(an_answer_that_waits_for_its_turn_has_no_deadline),
        cmocka_unit_test(what_is_kept_counts_in_max_memory),
        cmocka_unit_test(a_server_that_stops_waits_for_its_answers),
        cmocka_unit_test(kept_requests_go_with_the_server),
        cmocka_unit_test(any_allocation_may_fail),
    };
    return cmocka_run_group_tests_name("net_routes.c, later", tests, NULL, NULL);
}
