/* sim_eio_cors.c - what the options of CORS have answers say
 * SPDX-License-Identifier: MIT
 *
 * What is said without them is in sim_net_requests.c. The cases are what the reference answers. */
#include "lib.h"
#include "sim.h"

#define AT "/socket.io/?EIO=4&transport=polling"
#define ALL "GET,HEAD,PUT,PATCH,POST,DELETE"

/* Fields of a preflight's answer; exposed: of all answers. */
static const struct {
    const char *rule;
    sio_options options;
    const char *methods, *headers, *exposed, *max_age, *vary;
} cases[] = {
    { "nothing", { .cors = "*" }, ALL, "x-q", "", "", "Access-Control-Request-Headers" },
    { "methods",
      { .cors = "*", .cors_methods = "GET,POST" },
      "GET,POST",
      "x-q",
      "",
      "",
      "Access-Control-Request-Headers" },
    { "no methods",
      { .cors = "*", .cors_methods = "" },
      "",
      "x-q",
      "",
      "",
      "Access-Control-Request-Headers" },
    { "headers", { .cors = "*", .cors_headers = "X-A,X-B" }, ALL, "X-A,X-B", "", "", "" },
    { "headers of one origin",
      { .cors = "http://a", .cors_headers = "X-A" },
      ALL,
      "X-A",
      "",
      "",
      "Origin" },
    { "empty headers",
      { .cors = "http://a", .cors_headers = "" },
      ALL,
      "x-q",
      "",
      "",
      "Origin, Access-Control-Request-Headers" },
    { "exposed",
      { .cors = "*", .cors_exposed = "X-C" },
      ALL,
      "x-q",
      "X-C",
      "",
      "Access-Control-Request-Headers" },
    { "exposed, empty",
      { .cors = "*", .cors_exposed = "" },
      ALL,
      "x-q",
      "",
      "",
      "Access-Control-Request-Headers" },
    { "age",
      { .cors = "*", .cors_max_age = 600 },
      ALL,
      "x-q",
      "",
      "600",
      "Access-Control-Request-Headers" },
    { "an age that is none",
      { .cors = "*", .cors_max_age = -1 },
      ALL,
      "x-q",
      "",
      "",
      "Access-Control-Request-Headers" },
    { "all",
      { .cors = "http://a",
        .cors_methods = "GET",
        .cors_headers = "X-A",
        .cors_exposed = "X-C, X-D",
        .cors_max_age = 5 },
      "GET",
      "X-A",
      "X-C, X-D",
      "5",
      "Origin" },
    { "without cors",
      { .cors_methods = "GET", .cors_headers = "X", .cors_exposed = "X", .cors_max_age = 5 },
      "",
      "",
      "",
      "",
      "" },
};

static void claim(const char *rule, sim_answer a, const char *field, const char *value)
{
    char name[60];
    snprintf(name, sizeof name, "%s%s", *field == 'V' ? "" : "Access-Control-", field);
    if (strcmp(sim_field(a, name), value) != 0)
        fail_msg("%s: %s is \"%s\"", rule, name, sim_field(a, name));
}

static void an_option_is_sent_as_it_is(void **state)
{
    static const char fields[] = "Origin: http://a\r\nAccess-Control-Request-Headers: x-q\r\n";
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *rule = cases[i].rule;
        sio_server *io = sim_new(&cases[i].options);
        sim_answer a = sim_http(io, "OPTIONS", AT, fields, NULL);
        assert_int_equal(a.status, cases[i].options.cors == NULL ? 400 : 204);
        claim(rule, a, "Allow-Methods", cases[i].methods);
        claim(rule, a, "Allow-Headers", cases[i].headers);
        claim(rule, a, "Expose-Headers", cases[i].exposed);
        claim(rule, a, "Max-Age", cases[i].max_age);
        claim(rule, a, "Vary", cases[i].vary);
        for (int way = 0; way < 3; way++) {  // an answer, an error, a 101
            a = sim_http(io, way == 1 ? "PUT" : "GET",
                         way < 2 ? AT : "/socket.io/?EIO=4&transport=websocket",
                         way < 2 ? fields : SIM_UPGRADE, NULL);
            assert_int_equal(a.status, way == 0 ? 200 : way == 1 ? 400 : 101);
            claim(rule, a, "Expose-Headers", cases[i].exposed);
            claim(rule, a, "Allow-Methods", "");
            claim(rule, a, "Allow-Headers", "");
            claim(rule, a, "Max-Age", "");
        }
        sim_free(io);
    }
}

/* Each endpoint has its own; the strings need not live on. */
static void an_engine_has_its_own(void **state)
{
    static const sio_engine_handlers none = { .open = NULL };
    char methods[] = "GET", exposed[] = "X-C", headers[] = "X-A", path[] = "/e", cors[] = "*";
    sio_options o = { .path = path,
                      .cors = cors,
                      .cors_methods = methods,
                      .cors_headers = headers,
                      .cors_exposed = exposed };
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .cors = "*" });
    assert_int_equal(sio_engine(io, &o, &none), 0);
    memset(methods, 'x', 3), memset(exposed, 'x', 3), memset(headers, 'x', 3);
    sim_answer a = sim_http(io, "OPTIONS", "/e/?EIO=4", NULL, NULL);
    claim("engine", a, "Allow-Methods", "GET");
    claim("engine", a, "Allow-Headers", "X-A");
    claim("engine", a, "Expose-Headers", "X-C");
    claim("server", sim_http(io, "OPTIONS", AT, NULL, NULL), "Allow-Methods", ALL);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_option_is_sent_as_it_is),
        cmocka_unit_test(an_engine_has_its_own),
    };
    return cmocka_run_group_tests_name("eio_open.c, CORS", tests, NULL, NULL);
}
