/* sim_web_files.c - files and bundles
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

/* ---- Files and bundles ----------------------------------------------------------------------- */

static void tag_of(const char *bytes, char field[80])
{
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_bundle(io, "/b", "text/plain", bytes, strlen(bytes)), 0);
    sim_answer a = sim_http(io, "GET", "/b", NULL, NULL);
    assert_string_equal(a.body, bytes);
    snprintf(field, 80, "If-None-Match: %s\r\n", sim_field(a, "ETag"));
    sim_free(io);
}

/* RFC 9110, 8.8.3 and 13.1.2. */
static void a_bundle_that_changed_is_served_anew(void **state)
{
    char old[80], new[80];
    (void)state;
    tag_of("a page", old);
    tag_of("a Page", new);
    assert_string_not_equal(old, new);
    sio_server *io = sim_new(NULL);
    sio_bundle(io, "/b", "text/plain", "a Page", 6);
    assert_int_equal(sim_http(io, "GET", "/b", new, NULL).status, 304);
    sim_answer a = sim_http(io, "GET", "/b", old, NULL);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "a Page");
    assert_int_equal(sim_http(io, "GET", "/b", "If-None-Match: *\r\n", NULL).status, 304);
    sim_free(io);
}

static void a_bundle_copies_its_type_and_may_be_empty(void **state)
{
    char type[] = "text/x-one";
    (void)state;
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_bundle(io, "/b", type, "x", 1), 0);
    assert_int_equal(sio_bundle(io, "/none", NULL, NULL, 0), 0);
    memset(type, 'z', sizeof type - 1);
    assert_string_equal(sim_field(sim_http(io, "GET", "/b", NULL, NULL), "Content-Type"),
                        "text/x-one");
    sim_answer a = sim_http(io, "GET", "/none", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.n, 0);
    assert_string_equal(sim_field(a, "Content-Type"), "");
    sim_free(io);
}

static void a_path_begins_with_a_slash(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sim_file("f", "x", 1, 1);
    assert_int_equal(sio_bundle(io, "", NULL, "x", 1), -1);
    assert_int_equal(sio_file(io, "", "f"), -1);
    assert_int_equal(sio_file(io, "/f", "g"), -1);  // there is none
    assert_int_equal(sim_http(io, "GET", "/f", NULL, NULL).status, 404);
    assert_int_equal(sio_file(io, "/f", "f"), 0);
    assert_int_equal(sim_http(io, "GET", "/f", NULL, NULL).status, 200);
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_that_changed_is_served_anew),
        cmocka_unit_test(a_bundle_copies_its_type_and_may_be_empty),
        cmocka_unit_test(a_path_begins_with_a_slash),
    };
    return cmocka_run_group_tests_name("web_files.c", tests, NULL, NULL);
}
