/* sim_work.c - the worst cases cost work in proportion to their size: counted, not timed
 * SPDX-License-Identifier: MIT
 *
 * Each case runs by itself under callgrind, which counts the instructions of sio_turn, at three
 * sizes: n, 2n and 4n. What is linear adds twice as many from 2n to 4n as from n to 2n; what is
 * quadratic adds four times as many. A case that did not do its work aborts. */
#define _GNU_SOURCE  // popen
#include "lib.h"
#include "sim.h"

#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

#define AT "/socket.io/?EIO=4&transport="

/* ---- The application ------------------------------------------------------------------------ */

static size_t events, arguments, left, posted;
static bool recovers;    // the server does
static uint64_t newest;  // the handle of the socket that connected last

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    newest = sio_handle(socket);
}

static void on_count(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    events++;
}

static void on_echo(sio_socket *socket, sio_event *event)
{
    must(sio_emit(sio_self(socket), "echo", "%p", sio_args(event)) == 0, "it is echoed");
    events++;
}

/* Takes every argument by its number. */
static void on_arguments(sio_socket *socket, sio_event *event)
{
    (void)socket;
    for (size_t i = 0; i < sio_argc(event); i++)
        arguments += sio_type(sio_arg(event, i)) == SIO_STRING;
}

/* Emits to the rooms that the arguments name. */
static void on_to(sio_socket *socket, sio_event *event)
{
    size_t n = sio_argc(event);
    const char **rooms = calloc(n, sizeof *rooms);
    must(rooms != NULL, "memory");
    for (size_t i = 0; i < n; i++)
        rooms[i] = sio_text(sio_arg(event, i), NULL);
    sio_target t = sio_to_list(sio_all(sio_ns(socket)), rooms, n);
    must(sio_emit(sio_except_list(t, rooms + 1, n - 1), "hi", "") == 0, "it is sent");
    free(rooms);
    events++;
}

static void on_object(sio_socket *socket, sio_event *event)
{
    int last;
    (void)socket;
    arguments += sio_scan(event, "{'z': %d}", &last) == 1 && last == 7;
    arguments += sio_count(sio_arg(event, 0));
}

static void on_join(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_join(socket, "room");
    events++;
}

static void on_all(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_emit(sio_to(sio_all(sio_ns(socket)), "room"), "hi", "");
}

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error;
    arguments += sio_argc(answer);
}

/* Asks the client as many questions as it says. */
static void on_ask(sio_socket *socket, sio_event *event)
{
    int n = 0;
    sio_scan(event, "%d", &n);
    for (int i = 0; i < n; i++)
        must(sio_request(sio_self(socket), on_answer, NULL, "what", "") == 0, "it is asked");
}

static sio_later laters[10000];

static void on_later(sio_socket *socket, sio_event *event)
{
    (void)socket;
    laters[events++] = sio_ack_later(event);
}

static void on_now(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    for (size_t i = 0; i < events; i++)
        sio_ack_now(laters[i], "1");
}

static void on_disconnect(sio_socket *socket, sio_event *event)
{
    (void)socket, (void)event;
    left++;
}

static void on_post(sio_http *http)
{
    sio_http_body(http, &posted);
    sio_http_reply(http, 200, "text/plain", "", 0);
}

static sio_server *serve(void)
{
    sio_server *io = sim_new(&(sio_options){ .max_payload = 10000000, .max_depth = 8192 });
    if (recovers)
        sio_recover(io, NULL);
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "count", on_count);
    sio_on(ns, "echo", on_echo);
    sio_on(ns, "arguments", on_arguments);
    sio_on(ns, "to", on_to);
    sio_on(ns, "object", on_object);
    sio_on(ns, "join", on_join);
    sio_on(ns, "all", on_all);
    sio_on(ns, "ask", on_ask);
    sio_on(ns, "later", on_later);
    sio_on(ns, "now", on_now);
    sio_on(ns, "disconnect", on_disconnect);
    must(sio_route(io, "POST", "/size", on_post) == 0, "the route is there");
    return io;
}

/* A connection that has joined "/". */
static sim_client *join(sio_server *io)
{
    sim_client *c = sim_ws_open(io, AT "websocket", NULL);
    must(c != NULL, "it is open");
    sim_ws_say(c, "40");
    sim_run_ms(io, 0);
    sim_ws_hear(c);
    sim_ws_hear(c);
    return c;
}

/* head, then n times unit, then tail. */
static char *repeated(const char *head, const char *unit, size_t n, const char *tail)
{
    size_t size = strlen(unit);
    char *text = malloc(strlen(head) + n * size + strlen(tail) + 1);
    must(text != NULL, "memory");
    char *p = text + strlen(strcpy(text, head));
    for (size_t i = 0; i < n; i++, p += size)
        memcpy(p, unit, size + 1);
    strcpy(p, tail);
    return text;
}

/* One text frame. */
static void say(sio_server *io, sim_client *c, char *text)
{
    sim_ws_say(c, text);
    sim_run_ms(io, 0);
    free(text);
}

/* ---- The cases ------------------------------------------------------------------------------ */

static void one_message_in_fragments_of_a_byte(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    char *text = repeated("42[\"count\",\"", "x", n, "\"]");
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++)
        sim_ws_frame(c, (i == 0 ? 0x01 : 0x00) | (i + 1 == size ? 0x80 : 0), text + i, 1);
    sim_run_ms(io, 0);
    free(text);
    must(events == 1, "the message came");
}

static void tiny_frames_in_one_read(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    for (size_t i = 0; i < n; i++)
        sim_ws_say(c, "42[\"count\"]");
    sim_run_ms(io, 0);
    must(events == n, "all came");
}

static void pings_in_one_read(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    for (size_t i = 0; i < n; i++)
        sim_ws_frame(c, 0x89, "x", 1);
    sim_run_ms(io, 0);
    for (size_t i = 0; i < n; i++)
        must(strcmp(sim_ws_hear(c), "PONG(x)") == 0, "each is answered");
}

static void tiny_packets_in_one_payload(sio_server *io, size_t n)
{
    sim_answer a = sim_http(io, "GET", AT "polling", NULL, NULL);
    char target[100], *body = repeated("40",
                                       "\x1e"
                                       "42[\"count\"]",
                                       n, "");
    snprintf(target, sizeof target, AT "polling&sid=%.20s", strchr(a.body, ':') + 2);
    must(sim_http(io, "POST", target, NULL, body).status == 200 && events == n, "all came");
    free(body);
}

static void deep_arrays(sio_server *io, size_t n)
{
    char *open = repeated("42[\"echo\",", "[", n, ""), *text = repeated(open, "]", n, "]");
    free(open);
    say(io, join(io), text);
    must(events == 1, "it came");
}

static void deep_objects(sio_server *io, size_t n)
{
    char *open = repeated("42[\"echo\",", "{\"a\":", n, "1");
    char *text = repeated(open, "}", n, "]");
    free(open);
    say(io, join(io), text);
    must(events == 1, "it came");
}

static void many_arguments(sio_server *io, size_t n)
{
    say(io, join(io), repeated("42[\"arguments\"", ",\"x\"", n, "]"));
    must(arguments == n, "all are strings");
}

static void many_members(sio_server *io, size_t n)
{
    say(io, join(io), repeated("42[\"object\",{", "\"a\\u0062c\":1,", n, "\"z\":7}]"));
    must(arguments == n + 2, "all are counted, and the last one is found");
}

static void one_string_of_escapes(sio_server *io, size_t n)
{
    say(io, join(io), repeated("42[\"to\",\"", "\\u00e9", n, "\"]"));
    must(events == 1, "it came");
}

static void many_placeholders(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    say(io, c,
        repeated("451-[\"echo\",{\"_placeholder\":true,\"num\":0}", ",{\"_placeholder\":1}", n,
                 "]"));
    sim_ws_frame(c, 0x82, "x", 1);
    sim_run_ms(io, 0);
    must(events == 1, "it came");
}

static void a_long_list_of_rooms(sio_server *io, size_t n)
{
    say(io, join(io), repeated("42[\"to\"", ",\"room\"", n, "]"));
    must(events == 1, "it came");
}

static void a_list_of_different_rooms(sio_server *io, size_t n)
{
    char *text = repeated("42[\"to\"", ",\"     \"", n, "]"), *p = text;
    for (size_t i = 0; i < n; i++) {
        char number[32];
        p = strchr(p, ' ');
        snprintf(number, sizeof number, "%05zu", i);
        memcpy(p, number, 5);
    }
    say(io, join(io), text);
    must(events == 1, "it came");
}

static void a_head_byte_by_byte(sio_server *io, size_t n)
{
    char *fields = repeated("A: ", "a", n, "\r\n");
    sim.cut = 1;
    must(sim_http(io, "GET", AT "polling", fields, NULL).status == 200, "it is answered");
    free(fields);
}

static void a_message_byte_by_byte(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    sim.cut = 1;
    say(io, c, repeated("42[\"count\",\"", "x", n, "\"]"));
    must(events == 1, "it came");
}

static void a_payload_byte_by_byte(sio_server *io, size_t n)
{
    sim.cut = 1;
    tiny_packets_in_one_payload(io, n);
}

/* To a route and to a session, which both keep it until it is whole. */
static void a_body_in_chunks_of_a_byte(sio_server *io, size_t n)
{
    char *text = repeated("POST /size HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
                          "1\r\nx\r\n", n, "0\r\n\r\n");
    sim_client *c = sim_connect();
    sim_send(c, text, strlen(text));
    sim_run_ms(io, 0);
    must(sim_answered(c, false).status == 200 && posted == n, "all of it came");
    free(text);
}

static void a_payload_in_chunks_of_a_byte(sio_server *io, size_t n)
{
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    char head[200];
    snprintf(head, sizeof head,
             "POST " AT "polling&sid=%s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
             "c\r\n42[\"count\",\"\r\n",
             p.sid);
    char *text = repeated(head, "1\r\nx\r\n", n, "2\r\n\"]\r\n0\r\n\r\n");
    sim_client *c = sim_connect();
    sim_send(c, text, strlen(text));
    sim_run_ms(io, 0);
    must(sim_answered(c, false).status == 200 && events == 1, "it came");
    free(text);
}

static void requests_in_one_read(sio_server *io, size_t n)
{
    sim_client *c = sim_connect();
    char *text = repeated("", "GET /x HTTP/1.1\r\nHost: x\r\n\r\n", n, "");
    sim_send(c, text, strlen(text));
    sim_run_ms(io, 0);
    for (size_t i = 0; i < n; i++)
        must(sim_answered(c, false).status == 404, "each is answered");
    free(text);
}

static void answers_to_one_who_reads_byte_by_byte(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    sim_room(c, 0);
    say(io, c, repeated("42[\"echo\",\"", "x", n, "\"]"));
    for (size_t i = 0; i < n + strlen("....42[\"echo\",\"\"]"); i++) {
        sim_room(c, 1);
        sim_run_ms(io, 0);
    }
    must(strlen(sim_ws_hear(c)) > n, "all of it comes back");
}

static void questions_that_wait_for_answers(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    char text[64];
    snprintf(text, sizeof text, "42[\"ask\",%zu]", n);
    sim_ws_say(c, text);
    sim_run_ms(io, 0);
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "43%zu[1]", i);
        sim_ws_say(c, text);
    }
    sim_run_ms(io, 0);
    must(arguments == n, "each is answered");
}

static void answers_that_are_given_later(sio_server *io, size_t n)
{
    sim_client *c = join(io);
    char text[64];
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "42%zu[\"later\"]", i);
        sim_ws_say(c, text);
    }
    sim_ws_say(c, "42[\"now\"]");
    sim_run_ms(io, 0);
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "43%zu[1]", i);
        must(strcmp(sim_ws_hear(c), text) == 0, "each is given");
    }
}

/* A broadcast to n, who then leave one by one: O(receivers), and O(rooms of the socket). */
static void members_of_a_room(sio_server *io, size_t n)
{
    sim_client **c = calloc(n, sizeof *c);
    must(c != NULL, "memory");
    for (size_t i = 0; i < n; i++) {
        c[i] = sim_connect();
        sim_request(c[i], "GET", AT "websocket", SIM_UPGRADE, NULL);
        sim_ws_say(c[i], "40");
        sim_ws_say(c[i], "42[\"join\"]");
    }
    sim_run_ms(io, 0);
    must(events == n, "all have joined");
    for (int i = 0; i < 10; i++)
        sim_ws_say(c[0], "42[\"all\"]");
    sim_run_ms(io, 0);
    for (size_t i = 0; i < n; i++) {
        must(strstr(sim_text(c[i], NULL), "42[\"hi\"]") != NULL, "each hears it");
        sim_abort(c[i]);
    }
    sim_run_ms(io, 0);
    must(left == n, "all have left");
    free(c);
}

/* A client in n rooms comes back; meanwhile 16 n events were sent to others, and one to it. */
static void a_return_beside_many_events(sio_server *io, size_t n)
{
    sio_namespace *ns = sio_of(io, "/");
    sim_peer a, b;
    char text[100];
    sim_open(io, &a, SIM_WS, NULL);
    sim_say(&a, "40");
    sim_hear_all(&a);
    for (size_t i = 0; i < n; i++) {
        snprintf(text, sizeof text, "room %zu", i);
        must(sio_join(sio_socket_of(io, newest), text) == 0, "it joins");
    }
    sim_abort(a.ws);
    sim_run_ms(io, 0);
    sio_emit(sio_to(sio_all(ns), "room 1"), "e", "");
    for (size_t i = 0; i < 16 * n; i++)
        sio_emit(sio_to(sio_all(ns), "others"), "e", "");
    snprintf(text, sizeof text, "40{\"pid\":\"%s\"}", a.pid);
    sim_open(io, &b, SIM_WS, NULL);
    sim_say(&b, text);
    must(sim_like("42[\"e\",*]|40{*", sim_hear_all(&b)), "it is recovered");
}

static const struct {
    const char *name;
    void (*run)(sio_server *io, size_t n);
    size_t n;
} cases[] = {
#define CASE(function, n)                                                                          \
    {                                                                                              \
#function, function, n                                                                     \
    }
    CASE(one_message_in_fragments_of_a_byte, 2000),
    CASE(tiny_frames_in_one_read, 1000),
    CASE(pings_in_one_read, 1000),
    CASE(tiny_packets_in_one_payload, 1000),
    CASE(deep_arrays, 2000),
    CASE(deep_objects, 2000),
    CASE(many_arguments, 2000),
    CASE(many_members, 2000),
    CASE(one_string_of_escapes, 2000),
    CASE(many_placeholders, 2000),
    CASE(a_long_list_of_rooms, 2000),
    CASE(a_list_of_different_rooms, 2000),
    CASE(a_head_byte_by_byte, 2000),
    CASE(a_message_byte_by_byte, 2000),
    CASE(a_payload_byte_by_byte, 400),
    CASE(a_body_in_chunks_of_a_byte, 2000),
    CASE(a_payload_in_chunks_of_a_byte, 2000),
    CASE(requests_in_one_read, 200),
    CASE(answers_to_one_who_reads_byte_by_byte, 2000),
    CASE(questions_that_wait_for_answers, 500),
    CASE(answers_that_are_given_later, 500),
    CASE(members_of_a_room, 100),
    CASE(a_return_beside_many_events, 500),
};

/* ---- What a message stands beside ----------------------------------------------------------- */

/* A hundred echoes, a turn each, and a message to a room of two. */
static void measured(sio_server *io, sim_client *c)
{
    for (int i = 0; i < 100; i++) {
        sim_ws_say(c, "42[\"echo\",1]");
        sim_run_ms(io, 0);
    }
    sim_ws_say(c, "42[\"all\"]");
    sim_run_ms(io, 0);
}

/* Volatile, so that it stays a function, which callgrind can tell. */
static void (*volatile measure)(sio_server *io, sim_client *c) = measured;

static void beside_nothing(sio_server *io, size_t n)
{
    (void)io, (void)n;
}

static void beside_rooms(sio_server *io, size_t n)
{
    enum { EACH = 200 };  // below max_rooms
    char name[32];
    sio_socket *socket = NULL;
    for (size_t i = 0; i < n; i++) {
        if (i % EACH == 0) {
            join(io);
            socket = sio_socket_of(io, newest);
        }
        snprintf(name, sizeof name, "room %zu", i);
        must(sio_join(socket, name) == 0, "it joins");
    }
    must(sio_get_stats(io)->rooms == n + 1, "there are so many rooms");
}

static void beside_namespaces(sio_server *io, size_t n)
{
    char name[32];
    for (size_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "/%zu", i);
        must(sio_of(io, name) != NULL, "it is made");
    }
}

static void on_time(sio_server *io, void *data)
{
    (void)io, (void)data;
}

static void beside_timers(sio_server *io, size_t n)
{
    for (size_t i = 0; i < n; i++)
        must(sio_after(io, 1000 + (int)(i * 7919 % n), on_time, NULL) != 0, "it is set");
}

static void beside_questions(sio_server *io, size_t n)
{
    join(io);
    for (size_t i = 0; i < n; i++)
        must(sio_request(sio_self(sio_socket_of(io, newest)), on_answer, NULL, "q", "") == 0,
             "it is asked");
    sim_run_ms(io, 0);
}

static const struct {
    const char *name;
    void (*set_up)(sio_server *io, size_t n);
} surroundings[] = {
#define BESIDE(function)                                                                           \
    {                                                                                              \
#function, function                                                                        \
    }
    BESIDE(beside_nothing), BESIDE(beside_rooms),     BESIDE(beside_namespaces),
    BESIDE(beside_timers),  BESIDE(beside_questions),
};

static void run_beside(size_t i, size_t n)
{
    sio_server *io = serve();
    sim.unchecked = true;
    sim_client *a = join(io), *b = join(io);
    sim_ws_say(a, "42[\"join\"]");
    sim_ws_say(b, "42[\"join\"]");
    sim_run_ms(io, 0);
    surroundings[i].set_up(io, n);
    measure(io, a);
    must(events == 102, "all came");
    must(strstr(sim_text(b, NULL), "42[\"hi\"]") != NULL, "the room hears it");
    sim_free(io);
}

/* ---- Counting ------------------------------------------------------------------------------- */

static const char *program;

static void need_callgrind(void)
{
#ifdef SANITIZED
    print_message("callgrind can't run what AddressSanitizer watches: counted without it\n");
    skip();
#endif
}

/* The instructions in that function, of a case at that size. */
static double count(const char *function, const char *name, size_t n)
{
    char command[1000], line[1000];
    double instructions = 0;
    snprintf(command, sizeof command,
             "valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=%s "
             "'%s' %s %zu 2>&1",
             function, program, name, n);
    FILE *in = popen(command, "r");
    assert_non_null(in);
    while (fgets(line, sizeof line, in) != NULL) {
        const char *at = strstr(line, "Collected :");
        if (at != NULL)
            instructions = strtod(at + 11, NULL);
        else if (strncmp(line, "==", 2) != 0)
            print_message("%s", line);
    }
    if (pclose(in) != 0 || instructions == 0)
        fail_msg("%s: it does not run under callgrind", name);
    return instructions;
}

static void worst_cases_cost_in_proportion_to_their_size(void **state)
{
    (void)state;
    need_callgrind();
    for (size_t i = 0; i < COUNT(cases); i++) {
        const char *name = cases[i].name;
        size_t n = cases[i].n;
        double one = count("sio_turn", name, n), two = count("sio_turn", name, 2 * n),
               four = count("sio_turn", name, 4 * n), growth = (four - two) / (two - one);
        print_message("%-40s %6.0f instructions each, growth %.2f\n", name,
                      (four - two) / (2 * (double)n), growth);
        if (!(growth > 1.5 && growth < 2.5))
            fail_msg("%s: not in proportion", name);
    }
}

/* A message costs the same beside 100 and beside 19,900 of anything: what looks at all of them would
 * cost many times as much. Idle connections are measured by test/bench/growth: the simulation itself
 * looks at all of them. */
static void a_message_costs_the_same_beside_many(void **state)
{
    (void)state;
    need_callgrind();
    for (size_t i = 0; i < COUNT(surroundings); i++) {
        const char *name = surroundings[i].name;
        double few = count("measured", name, 100), many = count("measured", name, 19900);
        print_message("%-40s %6.0f instructions, beside many %.0f\n", name, few, many);
        if (!(many < few * 1.5))  // malloc's own work differs
            fail_msg("%s: it costs more", name);
    }
}

int main(int argc, char **argv)
{
    program = argv[0];
    for (size_t i = 0; argc == 3 && i < COUNT(cases); i++) {
        if (strcmp(argv[1], cases[i].name) != 0)
            continue;
        recovers = cases[i].run == a_return_beside_many_events;
        sio_server *io = serve();
        cases[i].run(io, strtoul(argv[2], NULL, 10));
        sim_free(io);
        return 0;
    }
    for (size_t i = 0; argc == 3 && i < COUNT(surroundings); i++) {
        if (strcmp(argv[1], surroundings[i].name) != 0)
            continue;
        run_beside(i, strtoul(argv[2], NULL, 10));
        return 0;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(worst_cases_cost_in_proportion_to_their_size),
        cmocka_unit_test(a_message_costs_the_same_beside_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
