/* sim_route.c - routes, files and bundles, and what handlers see of a request
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

/* ---- Queries --------------------------------------------------------------------------------- */

static char seen[4096];

/* Answers with the parameter that the field "X-Name" names. */
static void tell_parameter(sio_http *http)
{
    const char *value = sio_http_query(http, sio_http_header(http, "X-Name"));
    if (value == NULL)
        sio_reply(http, 404, NULL, "", 0);
    else
        sio_reply(http, 200, NULL, value, strlen(value));
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
    sio_get(io, "/q", tell_parameter);
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
    sio_get(io, "/q", tell_parameter);
    sio_on(sio_of(io, "/"), "connection", count_query);
    char *query = malloc(BYTES_OF_ONE + 6 * NAMES + 10);
    size_t n = 0;
    for (int i = 0; i < NAMES; i++)
        n += (size_t)sprintf(query + n, "&%d=1", i);
    while (n < BYTES_OF_ONE)
        n += (size_t)sprintf(query + n, "&zzz=1");
    double start = seconds();
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_is_an_object_and_the_last_of_a_name_counts),
        cmocka_unit_test(a_long_query_takes_linear_time),
    };
    return cmocka_run_group_tests_name("route.c", tests, NULL, NULL);
}
