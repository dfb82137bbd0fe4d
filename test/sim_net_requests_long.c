/* sim_net_requests_long.c - requests as they come in pieces: what they cost, and what they hold
 * SPDX-License-Identifier: MIT
 *
 * What requests are answered is in sim_net_requests.c. */
#include "lib.h"
#include "sim.h"

#include <time.h>

static size_t taken;

static void take_body(sio_http *http)
{
    sio_http_body(http, &taken);
    sio_http_reply(http, 200, "text/plain", "", 0);
}

static sio_server *serve(size_t max_payload)
{
    sio_server *io = sim_new(&(sio_options){ .max_payload = max_payload });
    assert_int_equal(sio_route(io, "POST", "/body", take_body), 0);
    taken = 0;
    return io;
}

#define POST "POST /body HTTP/1.1\r\nHost: x\r\n"

/* ---- Bodies --------------------------------------------------------------------------------- */

/* Sends a body of n bytes in chunks of one byte. Returns the allocations for it. */
static unsigned long in_chunks_of_a_byte(sio_server *io, size_t n)
{
    sim_client *c = sim_connect();
    sim_sendf(c, POST "Transfer-Encoding: chunked\r\n\r\n");
    sim_run_ms(io, 0);
    unsigned long before = sim.allocs;
    for (size_t i = 0; i < n; i++)
        sim_send(c, "1\r\nx\r\n", 6);
    sim_send(c, "0\r\n\r\n", 5);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 200);
    assert_int_equal(taken, n);
    return sim.allocs - before;
}

static void a_body_grows_in_few_steps_up_to_its_limit(void **state)
{
    (void)state;
    sio_server *io = serve(50000);
    unsigned long half = in_chunks_of_a_byte(io, 25000), whole = in_chunks_of_a_byte(io, 50000);
    assert_true(whole < half + 10);
    sim_free(io);
}

/* Who announces a long body and sends little of it holds little. */
static void a_body_that_is_announced_holds_what_has_come(void **state)
{
    (void)state;
    sio_server *io = serve(1000000);
    sim_client *c = sim_connect();
    size_t before = sim.bytes;
    sim_sendf(c, POST "Content-Length: 1000000\r\n\r\nx");
    sim_run_ms(io, 0);
    assert_true(sim.bytes - before < 3000);
    char *body = calloc(1, 1000000);
    assert_non_null(body);
    sim_send(c, body, 200000);
    sim_run_ms(io, 0);
    assert_true(sim.bytes - before < 450000);
    sim_send(c, body, 799999);
    sim_run_ms(io, 0);
    assert_int_equal(sim_answered(c, false).status, 200);
    assert_int_equal(taken, 1000000);
    free(body);
    sim_free(io);
}

/* ---- Heads ---------------------------------------------------------------------------------- */

/* RFC 9112, 2.2: empty lines in front of a request are no part of it, however many there are. */
static void empty_lines_are_taken_as_they_come(void **state)
{
    (void)state;
    sio_server *io = serve(0);
    sim_client *c = sim_connect();
    sim_run_ms(io, 0);
    size_t before = sim.bytes;
    for (size_t cut = 1; cut <= 3; cut++) {
        sim.cut = cut;
        for (int i = 0; i < 20000; i++)
            sim_send(c, "\r\n", 2);
        sim_run_ms(io, 0);
        assert_int_equal(sim.bytes, before);
        sim_sendf(c, "\r\nGET /x HTTP/1.1\r\nHost: x\r\n\r\n");
        sim_run_ms(io, 0);
        assert_int_equal(sim_answered(c, false).status, 404);
        before = sim.bytes;
    }
    for (int i = 0; i < 1000 && !sim_closed(c); i++) {  // they are no request, so time goes on
        sim_send(c, "\r\n", 2);
        sim_run_ms(io, 100);
    }
    assert_true(sim_closed(c));
    sim_free(io);
}

/* ---- Dates ---------------------------------------------------------------------------------- */

static void dates_are_those_of_the_calendar(void **state)
{
    static const struct {
        int64_t second;
        const char *text;
    } dates[] = {
        { 784111777, "Sun, 06 Nov 1994 08:49:37 GMT" },  // RFC 9110, 5.6.7
        { 0, "Thu, 01 Jan 1970 00:00:00 GMT" },
        { 68169600, "Tue, 29 Feb 1972 00:00:00 GMT" },
        { 951782399, "Mon, 28 Feb 2000 23:59:59 GMT" },
        { 951782400, "Tue, 29 Feb 2000 00:00:00 GMT" },
        { 951868800, "Wed, 01 Mar 2000 00:00:00 GMT" },
        { 978307199, "Sun, 31 Dec 2000 23:59:59 GMT" },
        { 2147483648, "Tue, 19 Jan 2038 03:14:08 GMT" },
        { 4107542399, "Sun, 28 Feb 2100 23:59:59 GMT" },
        { 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT" },
        { 253402300799, "Fri, 31 Dec 9999 23:59:59 GMT" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(dates); i++) {
        char text[30];
        sio_date_text(dates[i].second, text);
        assert_string_equal(text, dates[i].text);
    }
    for (int64_t second = 43200; second < 253402300800;
         second += 86400) {  // each day, as libc says
        char text[30], want[30];
        time_t t = (time_t)second;
        struct tm *u = gmtime(&t);
        strftime(want, sizeof want, "%a, %d %b %Y %H:%M:%S GMT", u);
        sio_date_text(second, text);
        if (strcmp(text, want) != 0)
            fail_msg("%s is written %s", want, text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_body_grows_in_few_steps_up_to_its_limit),
        cmocka_unit_test(a_body_that_is_announced_holds_what_has_come),
        cmocka_unit_test(empty_lines_are_taken_as_they_come),
        cmocka_unit_test(dates_are_those_of_the_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
