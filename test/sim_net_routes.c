/* sim_net_routes.c - routes, and what handlers and hooks see of a request
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

/* ---- Queries --------------------------------------------------------------------------------- */

static char seen[4096];

/* Answers with the parameter that the field "X-Name" names. */
static void tell_parameter(sio_http *http)
{
    const char *value = sio_http_query(http, sio_http_header(http, "X-Name"));
    if (value == NULL)
        sio_http_reply(http, 404, NULL, "", 0);
    else
        sio_http_reply(http, 200, NULL, value, strlen(value));
}

static void tell_query(sio_socket *s, sio_event *event)
{
    size_t n;
    const char *json = sio_json(sio_query(s), &n);
    (void)event;
    must(json != NULL && n < sizeof seen, "a query is an object");
    memcpy(seen, json, n);
    seen[n] = '\0';
}

static const struct {
    const char *rule, *query, *object;
    const char *name, *value;  // of one; NULL: absent
} queries[] = {
    { "decoded", "a=%41+b", "{\"a\":\"A b\"}", "a", "A b" },
    { "none", "", "{}", "a", NULL },
    { "without a value", "a&b=", "{\"a\":\"\",\"b\":\"\"}", "a", "" },
    { "absent", "a=1", "{\"a\":\"1\"}", "b", NULL },
    { "the last counts, where the first stood", "a=1&b=2&a=3", "{\"a\":\"3\",\"b\":\"2\"}", "a",
      "3" },
    { "however it is written", "a%62=1&ab=2&%61b=3", "{\"ab\":\"3\"}", "ab", "3" },
    { "longer and shorter names", "ab=1&a=2&abc=3", "{\"ab\":\"1\",\"a\":\"2\",\"abc\":\"3\"}", "a",
      "2" },
    { "empty names", "=1&=2&b=3&=4", "{\"\":\"4\",\"b\":\"3\"}", "", "4" },
    { "not UTF-8", "a=x%ffy", "{\"a\":\"x\xef\xbf\xbdy\"}", "a", "x\xef\xbf\xbdy" },
    { "nothing but that", "a=%c3&b=%80%80",
      "{\"a\":\"\xef\xbf\xbd\",\"b\":\"\xef\xbf\xbd\xef\xbf\xbd\"}", "b",
      "\xef\xbf\xbd\xef\xbf\xbd" },
    { "escaped in JSON", "%22=%5c%0a", "{\"\\\"\":\"\\\\\\n\"}", "\"", "\\\n" },
};

static void a_query_is_an_object_and_the_last_of_a_name_counts(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_route(io, "GET", "/q", tell_parameter);
    sio_on(sio_of(io, "/"), "connection", tell_query);
    for (size_t i = 0; i < COUNT(queries); i++) {
        char target[100], fields[100], extra[100], want[300];
        snprintf(target, sizeof target, "/q?%s", queries[i].query);
        snprintf(fields, sizeof fields, "X-Name: %s\r\n", queries[i].name);
        sim_answer a = sim_http(io, "GET", target, fields, NULL);
        const char *value = queries[i].value;
        if (a.status != (value == NULL ? 404 : 200) ||
            strcmp(a.body, value == NULL ? "" : value) != 0)
            fail_msg("%s: %d %s", queries[i].rule, a.status, a.body);
        sim_peer p;
        snprintf(extra, sizeof extra, "&%s", queries[i].query);
        snprintf(want, sizeof want, "{\"EIO\":\"4\",\"transport\":\"websocket\"%s%s",
                 queries[i].object[1] == '}' ? "" : ",", queries[i].object + 1);
        sim_open(io, &p, SIM_WS, extra);
        sim_say(&p, "40");
        sim_run_ms(io, 0);
        if (strcmp(seen, want) != 0)
            fail_msg("%s: %s", queries[i].rule, seen);
    }
    sim_free(io);
}

static size_t members;

static void count_query(sio_socket *s, sio_event *event)
{
    (void)event;
    members = sio_count(sio_query(s));
}

/* A query that is long, of many names or of one, costs time that is linear in its bytes. */
static void a_long_query_takes_linear_time(void **state)
{
    enum { NAMES = 300, BYTES_OF_ONE = 8000000 };
    (void)state;
    sio_options o = { .max_head = 2 * BYTES_OF_ONE };
    sio_server *io = sim_new(&o);
    sio_route(io, "GET", "/q", tell_parameter);
    sio_on(sio_of(io, "/"), "connection", count_query);
    char *query = malloc(BYTES_OF_ONE + 6 * NAMES + 10);
    size_t n = 0;
    for (int i = 0; i < NAMES; i++)
        n += (size_t)sprintf(query + n, "&%d=1", i);
    while (n < BYTES_OF_ONE)
        n += (size_t)sprintf(query + n, "&zzz=1");
    double start = seconds();
    sim.unchecked = true;  // its work is not measured
    sim_client *c = sim_connect();
    sim_send(c, "GET /socket.io/?EIO=4&transport=websocket", 41);
    sim_send(c, query, n);
    sim_sendf(c, " HTTP/1.1\r\nHost: x\r\n%s\r\n", SIM_UPGRADE);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 101);
    sim_ws_say(c, "40");
    sim_run_ms(io, 0);
    assert_int_equal(members, 200);
    c = sim_connect();
    sim_send(c, "GET /q?last=1", 13);
    sim_send(c, query, n);
    sim_sendf(c, "&last=2 HTTP/1.1\r\nHost: x\r\nX-Name: last\r\n\r\n");
    sim_run_ms(io, 0);
    assert_string_equal(sim_answered(c, false).body, "2");
    assert_true(seconds() - start < LINEAR);
    free(query);
    sim_free(io);
}

/* ---- Header fields ----------------------------------------------------------------------------- */

static void tell_fields(sio_http *http)
{
    char text[6000] = "";
    const char *name, *value;
    size_t n = 0;
    for (size_t i = 0; sio_http_field(http, i, &name, &value); i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s=%s;", name, value);
    must(!sio_http_field(http, SIZE_MAX, &name, &value), "there are not so many");
    must(sio_http_field(http, 0, NULL, NULL), "one need not look at it");
    sim.fail_alloc = sim.allocs + 1;  // more than the arena has left
    must(!sio_http_field(http, 2, &name, &value), "there is no memory for it");
    sio_http_reply(http, 200, NULL, text, n);
}

static void tell_kept_fields(sio_socket *s, sio_event *event)
{
    const char *name, *value;
    size_t n = 0;
    (void)event;
    for (size_t i = 0; sio_field(s, i, &name, &value); i++)
        n += (size_t)snprintf(seen + n, sizeof seen - n, "%s=%s;", name, value);
    must(!sio_field(s, SIZE_MAX, &name, &value), "there are not so many");
    must(!sio_field(s, SIZE_MAX / 2, &name, &value), "nor half of them");
    must(sio_field(s, 0, NULL, NULL), "one need not look at it");
}

static void all_header_fields_can_be_walked(void **state)
{
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .max_head = 10000 });
    sio_route(io, "GET", "/", tell_fields);
    sio_on(sio_of(io, "/"), "connection", tell_kept_fields);
    char *value = filled(5000, 'v'), fields[5100];
    sim_client *c = sim_connect();
    sim_sendf(c, "GET / HTTP/1.1\r\nHost: x\r\nX-a: 1\r\nX-Long: %s\r\nX-A:\r\n\r\n", value);
    sim_run_ms(io, 0);
    snprintf(fields, sizeof fields, "Host=x;X-a=1;X-Long=%s;X-A=;", value);
    assert_string_equal(sim_answered(c, false).body, fields);
    sim_client *ws = sim_ws_open(io, "/socket.io/?EIO=4&transport=websocket",
                                 "X-B: 2\r\nx-b: 3\r\nAccept: *\r\nX-Empty: \r\n");
    sim_ws_say(ws, "40");
    sim_run_ms(io, 0);
    assert_string_equal(seen, "host=x;x-b=2;x-b=3;x-empty=;");
    free(value);
    sim_free(io);
}

/* ---- Which route ------------------------------------------------------------------------------ */

static void tell_method(sio_http *http)
{
    const char *method = sio_http_method(http);
    sio_http_reply(http, 200, NULL, method, strlen(method));
}

static void tell_path(sio_http *http)
{
    const char *path = sio_http_path(http);
    sio_http_reply(http, 200, NULL, path, strlen(path));
}

static void one(sio_http *http)
{
    sio_http_reply(http, 201, NULL, "", 0);
}

static void the_exact_route_comes_first_then_the_longest(void **state)
{
    static const struct {
        const char *method, *target;
        int status;
        const char *body;
    } cases[] = {
        { "GET", "/a/x", 201, "" },        { "GET", "/a/y?z", 200, "/a/y" },
        { "POST", "/a/x", 200, "POST" },   { "GET", "/a/", 200, "/a/" },
        { "GET", "/a", 200, "GET" },       { "BREW", "/pot", 200, "BREW" },
        { "brew", "/pot", 200, "brew" },   { "GET", "/pot", 200, "GET" },
        { "FETCH", "/a/x", 200, "FETCH" }, { "OPTIONS", "*", 200, "OPTIONS" },
    };
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_route(io, "*", "*", tell_method);  // first, and the last resort
    sio_route(io, "GET", "/a/*", tell_path);
    sio_route(io, "GET", "/a/x", one);
    sio_route(io, "GET", "/a/x", tell_path);  // never
    sio_route(io, "BREW", "/pot", tell_method);
    for (size_t i = 0; i < COUNT(cases); i++) {
        sim_answer a = sim_http(io, cases[i].method, cases[i].target, NULL, NULL);
        if (a.status != cases[i].status || strcmp(a.body, cases[i].body) != 0)
            fail_msg("%s %s: %d %s", cases[i].method, cases[i].target, a.status, a.body);
    }
    assert_int_equal(sio_route(io, "GET", "", one), -1);
    assert_int_equal(sio_route(io, "GET", "a", one), -1);
    assert_int_equal(sio_route(io, "GET", "/a?b", one), -1);
    assert_int_equal(sio_route(io, "GET", "/a#b", one), -1);
    sim_free(io);
}

static void two(sio_http *http)
{
    sio_http_reply(http, 202, NULL, "", 0);
}

static void three(sio_http *http)
{
    sio_http_reply(http, 203, NULL, "", 0);
}

static const char *refuse(sio_http *http)
{
    (void)http;
    return "";
}

static const char *note_and_allow(sio_http *http)
{
    must(sio_http_add_header(http, "X-Allow", "a") == 0, "a hook may add a field");
    must(sio_http_reply(http, 200, NULL, "", 0) < 0, "only a route's handler answers");
    return NULL;
}

static void note_headers(sio_http *http, bool initial)
{
    must(sio_http_add_header(http, "X-First", "1") == 0, "a hook may add a field");
    must(sio_http_add_header(http, "X-Second", initial ? "yes" : "no") == 0, "and another");
    must(sio_http_reply(http, 200, NULL, "", 0) < 0, "only a route's handler answers");
}

/* Of those who answer: an exact path, an endpoint of Engine.IO, what is below a path, and all; of those
 * that fit as well the first. Each answers with a status of its own. */
static void the_nearest_answers_and_the_first_of_equals(void **state)
{
    static const struct {
        const char *target;
        int status;
    } cases[] = {
        { "/e/x", 201 },   { "/e/y?EIO=4&transport=polling", 403 },
        { "/e", 202 },     { "/elsewhere", 202 },
        { "/f/EIO", 400 }, { "/g", 203 },
    };
    (void)state;
    static const sio_options closed = { .path = "/e", .allow_request = refuse };
    static const sio_options open = { .path = "/f" },
                             second = { .path = "/f", .allow_request = refuse };
    static const sio_engine_handlers deaf = { .open = NULL };
    sio_server *io = sim_new(NULL);
    sio_route(io, "GET", "*", three);
    sio_route(io, "GET", "/e*", two);
    assert_int_equal(sio_engine(io, &closed, &deaf), 0);
    assert_int_equal(sio_engine(io, &open, &deaf), 0);
    assert_int_equal(sio_engine(io, &second, &deaf), 0);
    sio_route(io, "GET", "/e/x", one);
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(sim_http(io, "GET", cases[i].target, NULL, NULL).status, cases[i].status);
    sim_answer a = sim_http(io, "GET", "/f/?EIO=4&transport=polling", NULL, NULL);
    assert_int_equal(a.status, 200);
    sim_free(io);
}

/* A plain WebSocket's path may be a page's as well, whichever comes first; what is below a path of
 * Engine.IO stays there. */
static void a_websocket_and_a_page_may_share_a_path(void **state)
{
    static const sio_ws_handlers raw = { .open = NULL };
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_websocket(io, "/w", &raw);
    sio_websocket(io, "/socket.io/w", &raw);
    sio_route(io, "GET", "/w", one);
    assert_int_equal(sim_http(io, "GET", "/w", NULL, NULL).status, 201);
    assert_int_equal(
        sim_http(io, "GET", "/w", "Connection: Upgrade\r\nUpgrade: h2c\r\n", NULL).status, 201);
    assert_int_equal(sim_http(io, "GET", "/w", SIM_UPGRADE, NULL).status, 101);
    assert_int_equal(sim_http(io, "GET", "/socket.io/w", SIM_UPGRADE, NULL).status, 400);
    sim_free(io);
}

/* ---- Answers ----------------------------------------------------------------------------------- */

static const struct {
    const char *name, *value;
    bool good;
} added[] = {
    { "X-A", "b", true },
    { "!#$%&'*+-.^_`|~0", "\xff\t ~", true },
    { "X-Empty", "", true },
    { "", "b", false },
    { "X A", "b", false },
    { "X:", "b", false },
    { "X(A)", "b", false },
    { "X-\xc3\xa9", "b", false },
    { "X-A\r\nX-B", "b", false },
    { "X-A", "b\r\nX-B: c", false },
    { "X-A", "b\x7f", false },
    { "Content-Length", "1", false },
    { "content-length", "1", false },
    { "Transfer-Encoding", "chunked", false },
    { "Connection", "close", false },
    { "Connection-Id", "7", true },
};

static size_t added_wrongly;

static void add_all(sio_http *http)
{
    for (size_t i = 0; i < COUNT(added); i++)
        added_wrongly +=
            (sio_http_add_header(http, added[i].name, added[i].value) == 0) != added[i].good;
    added_wrongly += sio_http_reply(http, 100, NULL, "", 0) == 0;
    added_wrongly += sio_http_reply(http, 1000, NULL, "", 0) == 0;
    added_wrongly += sio_http_reply(http, 200, "text/plain\r\nX: y", "", 0) == 0;
    added_wrongly += sio_http_reply(http, 200, "text/plain", "x", 1) != 0;
    added_wrongly += sio_http_reply(http, 200, "text/plain", "y", 1) == 0;
}

static void add_long(sio_http *http)
{
    char *value = filled(5000, 'v');
    sim.fail_alloc = sim.allocs + 1;
    must(sio_http_add_header(http, "X-Long", value) < 0, "there is no memory for it");
    sio_http_add_header(http, "X-Short", "s");
    sio_http_reply(http, 200, NULL, "x", 1);
    free(value);
}

static void say_nothing(sio_http *http)
{
    sio_http_reply(http, 204, NULL, "smuggled", 8);
}

/* RFC 9110, 5.1 and 5.5: what an application adds can't become another field or another answer. */
static void an_application_can_not_break_its_answer(void **state)
{
    (void)state;
    added_wrongly = 0;
    sio_server *io = sim_new(NULL);
    sio_route(io, "GET", "/", add_all);
    sio_route(io, "GET", "/204", say_nothing);
    sio_route(io, "GET", "/long", add_long);
    sim_answer a = sim_http(io, "GET", "/", NULL, NULL);
    assert_int_equal(added_wrongly, 0);
    assert_string_equal(sim_field(a, "X-A"), "b");
    assert_string_equal(sim_field(a, "Content-Length"), "1");
    assert_string_equal(a.body, "x");
    a = sim_http(io, "GET", "/long", NULL, NULL);  // a line that found no memory leaves nothing
    assert_string_equal(sim_field(a, "X-Long"), "");
    assert_string_equal(sim_field(a, "X-Short"), "s");
    sim_client *c = sim_connect();
    sim_request(c, "GET", "/204", NULL, NULL);
    sim_request(c, "GET", "/", NULL, NULL);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 204);
    assert_int_equal(sim_answered(c, false).status, 200);
    sim_free(io);
}

/* Fields that a hook adds go with answers of Engine.IO that are no errors; those of allow_request, which
 * only asks, with none. */
static void a_hook_adds_fields_and_does_not_answer(void **state)
{
    (void)state;
    sio_server *io = sim_new(
        &(sio_options){ .allow_request = note_and_allow, .headers = note_headers, .cors = "*" });
    sim_answer a = sim_http(io, "GET", "/socket.io/?EIO=4&transport=polling", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(sim_field(a, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(sim_field(a, "X-First"), "1");
    assert_string_equal(sim_field(a, "X-Second"), "yes");
    assert_string_equal(sim_field(a, "X-Allow"), "");
    a = sim_http(io, "PUT", "/socket.io/?EIO=4&transport=polling", NULL, NULL);
    assert_int_equal(a.status, 400);
    assert_string_equal(sim_field(a, "Access-Control-Allow-Origin"), "*");
    assert_string_equal(sim_field(a, "X-First"), "");
    sim_free(io);
}

static bool refuses(int result)
{
    bool so = result == -1 && errno == EINVAL;
    errno = 0;
    return so;
}

/* What sio_http_of did not find may be handed to everything. */
static void none_can_be_asked(void)
{
    const char *name, *value;
    size_t n = 1;
    errno = 0;
    assert_true(sio_http_method(NULL) == NULL && errno == EINVAL);
    assert_null(sio_http_target(NULL));
    assert_null(sio_http_path(NULL));
    assert_null(sio_http_header(NULL, "X"));
    assert_null(sio_http_query(NULL, "x"));
    assert_null(sio_http_address(NULL));
    assert_null(sio_http_server(NULL));
    assert_null(sio_http_data(NULL));
    assert_false(sio_http_field(NULL, 0, &name, &value));
    assert_string_equal(sio_http_body(NULL, &n), "");
    assert_int_equal(n, 0);
    assert_true(refuses(sio_http_add_header(NULL, "X", "y")));
    assert_true(refuses(sio_http_reply(NULL, 200, NULL, "", 0)));
    assert_true(refuses(sio_http_allow(NULL, NULL)));
    assert_true(sio_http_keep(NULL) == 0 && errno == EINVAL);
}

static void ask_wrongly(sio_http *http)
{
    errno = 0;
    must(sio_http_header(http, NULL) == NULL && errno == EINVAL, "a field has a name");
    errno = 0;
    must(sio_http_query(http, NULL) == NULL && errno == EINVAL, "a parameter has a name");
    must(refuses(sio_http_add_header(http, NULL, "y")), "a field has a name");
    must(refuses(sio_http_add_header(http, "X", NULL)), "and a value");
    must(refuses(sio_http_reply(http, 200, NULL, NULL, 1)), "a body is somewhere");
    must(refuses(sio_http_reply(http, 199, NULL, "", 0)), "no status");
    must(refuses(sio_http_reply(http, 1000, NULL, "", 0)), "no status either");
    must(refuses(sio_http_allow(http, NULL)), "nobody asks for that");
    must(strcmp(sio_http_body(http, NULL), "") == 0, "its length need not be known");
    must(sio_http_reply(http, 200, NULL, NULL, 0) == 0, "no body is somewhere");
}

static void wrong_questions_are_refused(void **state)
{
    (void)state;
    none_can_be_asked();
    sio_server *io = sim_new(NULL);
    sio_route(io, "GET", "/", ask_wrongly);
    assert_int_equal(sim_http(io, "GET", "/", NULL, NULL).status, 200);
    assert_true(refuses(sio_route(io, NULL, "/", one)));
    assert_true(refuses(sio_route(io, "GET", NULL, one)));
    assert_true(refuses(sio_route(io, "GET", "/", NULL)));
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_an_object_and_the_last_of_a_name_counts),
        cmocka_unit_test(a_long_query_takes_linear_time),
        cmocka_unit_test(all_header_fields_can_be_walked),
        cmocka_unit_test(the_exact_route_comes_first_then_the_longest),
        cmocka_unit_test(the_nearest_answers_and_the_first_of_equals),
        cmocka_unit_test(a_websocket_and_a_page_may_share_a_path),
        cmocka_unit_test(an_application_can_not_break_its_answer),
        cmocka_unit_test(a_hook_adds_fields_and_does_not_answer),
        cmocka_unit_test(wrong_questions_are_refused),
    };
    return cmocka_run_group_tests_name("net_routes.c", tests, NULL, NULL);
}
