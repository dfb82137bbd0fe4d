/* sim_web_files.c - files, folders and bundles; test_web_files.c has what a real disk adds
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim.h"

#include <errno.h>

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

static void what_is_none_is_refused(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sim_file("f", "x", 1, 1);
    static const struct {
        const char *path, *folder;
    } wrong[] = { { NULL, "f" }, { "/*", NULL }, { "/*", "" },   { "/", "f" },   { "*", "f" },
                  { "", "f" },   { "/s", "f" },  { "s/*", "f" }, { "/s*", "f" }, { "/s/", "f" } };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        errno = 0;
        if (sio_folder(io, wrong[i].path, wrong[i].folder) != -1 || errno != EINVAL)
            fail_msg("%zu", i);
    }
    int (*const files[])(sio_server *, const char *, const char *) = { sio_file, sio_folder };
    for (size_t i = 0; i < COUNT(files); i++) {
        assert_int_equal(files[i](io, NULL, "f"), -1);
        assert_int_equal(errno, EINVAL);
        errno = 0;
        assert_int_equal(files[i](io, "/f/*", NULL), -1);
        assert_int_equal(errno, EINVAL);
        errno = 0;
    }
    assert_int_equal(sio_bundle(io, NULL, NULL, "x", 1), -1);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(sio_bundle(io, "/b", NULL, NULL, 1), -1);
    assert_int_equal(errno, EINVAL);
    errno = 0;
    assert_int_equal(sio_serve_client(io, NULL), -1);
    assert_int_equal(errno, EINVAL);
    sim_free(io);
}

/* ---- Folders --------------------------------------------------------------------------------- */

/* bait: the file that a careless server would find. */
static const struct {
    const char *rule, *target, *bait;
} traversals[] = {
    { "up", "/s/../secret", "pub/../secret" },
    { "up, from below", "/s/sub/../../secret", "pub/sub/../../secret" },
    { "up and down again", "/s/sub/../a", "pub/sub/../a" },
    { "up, normalized", "/s/../secret", "secret" },
    { "up alone", "/s/..", "pub/.." },
    { "up to an index", "/s/../", "pub/../index.html" },
    { "escaped dots", "/s/%2e%2e/secret", "pub/../secret" },
    { "one escaped dot", "/s/.%2E/secret", "pub/../secret" },
    { "an escaped slash", "/s/..%2fsecret", "pub/../secret" },
    { "all escaped", "/s/%2e%2e%2fsecret", "pub/../secret" },
    { "a slash that is none", "/s/sub%2Fa", "pub/sub/a" },
    { "escaped twice", "/s/%252e%252e/secret", "pub/../secret" },
    { "escaped twice, with the slash", "/s/%252e%252e%252fsecret", "pub/../secret" },
    { "a backslash", "/s/..%5csecret", "pub/..\\secret" },
    { "a backslash inside", "/s/sub%5c..%5c..%5csecret", "pub/sub\\..\\..\\secret" },
    { "what a filter leaves", "/s/....//....//secret", "pub/....//....//secret" },
    { "overlong UTF-8", "/s/%c0%ae%c0%ae/secret", "pub/../secret" },
    { "an overlong slash", "/s/..%c0%afsecret", "pub/../secret" },
    { "escapes of sixteen bits", "/s/%u002e%u002e/secret", "pub/../secret" },
    { "a parameter of a name", "/s/..;/secret", "pub/..;/secret" },
    { "beside the path", "/s../secret", "pub../secret" },
    { "beside the path, escaped", "/s%2e%2e/secret", "pub../secret" },
    { "from the root", "/s//etc/passwd", "pub//etc/passwd" },
    { "from the root itself", "/s//etc/passwd", "/etc/passwd" },
    { "from the root, escaped", "/s/%2fetc/passwd", "pub//etc/passwd" },
    { "two slashes", "/s/sub//a", "pub/sub//a" },
    { "here", "/s/.", "pub/." },
    { "here, on the way", "/s/./a", "pub/./a" },
    { "a hidden file", "/s/.env", "pub/.env" },
    { "a hidden file, escaped", "/s/%2eenv", "pub/.env" },
    { "a hidden folder", "/s/.git/config", "pub/.git/config" },
    { "a hidden folder below", "/s/sub/.git/config", "pub/sub/.git/config" },
    { "a hidden folder's index", "/s/.git/", "pub/.git/index.html" },
    { "U+0000 cuts the name off", "/s/a.html%00.png", "pub/a.html" },
    { "U+0000 at the end", "/s/a.html%00", "pub/a.html" },
    { "U+0000 before it", "/s/%00/../secret", "pub/" },
    { "half an escape", "/s/a%", "pub/a%" },
    { "half an escape with a digit", "/s/a%4", "pub/a%4" },
    { "no escape", "/s/a%zz", "pub/a%zz" },
    { "no escape, cut off", "/s/a%zz", "pub/a%" },
    { "no escape, with a sign", "/s/%+41", "pub/A" },
    { "the query is no name", "/s/?../secret", "pub/?../secret" },
    { "the whole folder", "/s", "pub" },
    { "a folder is no file", "/s/a.html/", "pub/a.html" },
    { "a target with a host", "http://x/s/../secret", "pub/../secret" },
};

static void nobody_comes_out_of_a_folder(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(traversals); i++) {
        sio_server *io = sim_new(NULL);
        sim_file(traversals[i].bait, "secret", 6, 1);
        assert_int_equal(sio_folder(io, "/s/*", "pub"), 0);
        sim_answer a = sim_http(io, "GET", traversals[i].target, NULL, NULL);
        if (a.status != 404 || strstr(a.body, "secret") != NULL)
            fail_msg("%s: %d, %s", traversals[i].rule, a.status, a.body);
        sim_free(io);
    }
}

static const struct {
    const char *rule, *target, *file, *says;  // the type, or the place
    int status;
} below[] = {
    { "a file", "/s/a.css", "pub/a.css", "text/css; charset=utf-8", 200 },
    { "with a query", "/s/a.css?v=1/../2", "pub/a.css", "text/css; charset=utf-8", 200 },
    { "below", "/s/x/y/z.js", "pub/x/y/z.js", "application/javascript; charset=utf-8", 200 },
    { "the index", "/s/", "pub/index.html", "text/html; charset=utf-8", 200 },
    { "an index below", "/s/sub/?a", "pub/sub/index.html", "text/html; charset=utf-8", 200 },
    { "a folder", "/s/sub", "pub/sub/index.html", "./sub/", 301 },
    { "a folder below", "/s/x/sub?a", "pub/x/sub/index.html", "./sub/", 301 },
    { "a folder like a host", "/s/x:y", "pub/x:y/index.html", "./x:y/", 301 },
    { "a folder like a field", "/s/a%0d%0aX:%20y", "pub/a\r\nX: y/index.html", "./a%0d%0aX:%20y/",
      301 },
    { "blanks and plus", "/s/a%20b+c", "pub/a b+c", "application/octet-stream", 200 },
    { "dots inside", "/s/a..b/c.", "pub/a..b/c.", "application/octet-stream", 200 },
    { "decoded once", "/s/%252e%252e", "pub/%2e%2e", "application/octet-stream", 200 },
    { "UTF-8", "/s/%C3%A9.gif", "pub/\xc3\xa9.gif", "image/gif", 200 },
    { "escaped letters", "/s/%61.%70%6eg", "pub/a.png", "image/png", 200 },
    { "what is not there", "/s/b", "pub/a", "text/plain", 404 },
};

static void what_is_below_a_folder_is_served(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(below); i++)
        for (int slash = 0; slash < 2; slash++) {
            sio_server *io = sim_new(NULL);
            sim_file(below[i].file, "<p>", 3, 1);
            assert_int_equal(sio_folder(io, "/s/*", slash ? "pub/" : "pub"), 0);
            sim_answer a = sim_http(io, "GET", below[i].target, NULL, NULL);
            const char *says = sim_field(a, a.status == 301 ? "Location" : "Content-Type");
            if (a.status != below[i].status || strcmp(says, below[i].says) != 0 ||
                strcmp(sim_field(a, "X"), "") != 0 ||
                (a.status == 200 && strcmp(a.body, "<p>") != 0))
                fail_msg("%s: %d, %s, %s", below[i].rule, a.status, says, a.body);
            a = sim_http(io, "POST", below[i].target, NULL, "x");
            assert_int_equal(a.status, 404);
            sim_free(io);
        }
}

static void the_root_can_be_a_folder(void **state)
{
    (void)state;
    sio_server *io = sim_new(NULL);
    sim_file("/a", "x", 1, 1);
    sim_file("/evil/index.html", "x", 1, 1);
    assert_int_equal(sio_folder(io, "/*", "/"), 0);
    assert_int_equal(sim_http(io, "GET", "/a", NULL, NULL).status, 200);
    sim_answer a = sim_http(io, "GET", "//evil", NULL, NULL);  // a Location of that names a server
    assert_int_equal(a.status, 404);
    assert_string_equal(sim_field(a, "Location"), "");
    a = sim_http(io, "GET", "/socket.io/?EIO=4&transport=polling", NULL, NULL);
    assert_int_equal(a.status, 200);  // Socket.IO comes first
    sim_free(io);
}

static void a_file_below_is_read_when_it_is_asked_for(void **state)
{
    char fields[100];
    (void)state;
    sio_server *io = sim_new(NULL);
    assert_int_equal(sio_folder(io, "/s/*", "pub"), 0);
    sim_http(io, "GET", "/s/none", NULL, NULL);
    sim_run_ms(io, 60000);
    size_t live = sim.live;
    sim_file("pub/a", "one", 3, 1);
    sim_answer a = sim_http(io, "GET", "/s/a", NULL, NULL);
    assert_string_equal(a.body, "one");
    assert_string_equal(sim_field(a, "Cache-Control"), "public, max-age=0");
    snprintf(fields, sizeof fields, "If-None-Match: W/%s\r\n", sim_field(a, "ETag"));
    sim.fail_only = "file_read";
    sim.calls = 0;
    assert_int_equal(sim_http(io, "GET", "/s/a", fields, NULL).status, 304);
    assert_int_equal(sim.calls, 0);  // not to say that it is the same
    sim_file("pub/a", "other", 5, 2);
    assert_string_equal(sim_http(io, "GET", "/s/a", fields, NULL).body, "other");
    assert_int_equal(sim.calls, 1);
    sim_client *c = sim_connect();
    sim_request(c, "HEAD", "/s/a", NULL, NULL);
    sim_run_ms(io, 0);
    a = sim_answered(c, true);
    assert_int_equal(a.status, 200);
    assert_string_equal(sim_field(a, "Content-Length"), "5");
    sim_close(c);
    sim.fail_call = sim.calls + 1;
    assert_int_equal(sim_http(io, "GET", "/s/a", NULL, NULL).status, 404);
    sim_file("pub/a", NULL, 0, 3);
    assert_int_equal(sim_http(io, "GET", "/s/a", NULL, NULL).status, 404);
    sim_file("pub/empty", "", 0, 3);
    a = sim_http(io, "GET", "/s/empty", NULL, NULL);
    assert_int_equal(a.status, 200);
    assert_int_equal(a.n, 0);
    sim_run_ms(io, 60000);
    assert_int_equal(sim.live, live);  // nothing of them is kept
    sim_free(io);
}

static void a_file_below_is_as_long_as_max_output(void **state)
{
    char *bytes = filled(10001, 'x');
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .max_output = 10000 });
    sio_folder(io, "/s/*", "pub");
    sim_file("pub/fits", bytes, 10000, 1);
    sim_file("pub/long", bytes, 10001, 1);
    assert_int_equal(sim_http(io, "GET", "/s/fits", NULL, NULL).n, 10000);
    assert_int_equal(sim_http(io, "GET", "/s/long", NULL, NULL).status, 500);
    assert_string_equal(sim.log, "500: pub/long is longer than max_output");
    sim_free(io);
    free(bytes);
}

/* One that asks and asks has no more read for it than it may leave unread. */
static void who_does_not_read_costs_no_files(void **state)
{
    char *bytes = filled(100000, 'x');
    (void)state;
    sio_server *io = sim_new(&(sio_options){ .max_output = 300000 });
    sio_folder(io, "/s/*", "pub");
    sim_file("pub/a", bytes, 100000, 1);
    sim.fail_only = "file_read";
    sim.calls = 0;
    sim_client *c = sim_connect();
    sim_room(c, 0);
    for (int i = 0; i < 500; i++)
        sim_request(c, "GET", "/s/a", NULL, NULL);
    sim_run_ms(io, 0);
    assert_true(sim_closed(c));
    assert_in_range(sim.calls, 2, 5);
    sim_free(io);
    free(bytes);
}

/* Each allocation, and each call for a file, fails once. */
static void folders_fail_in_order(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        bool failed = true;
        for (unsigned long k = 1; failed; k++) {
            sim_reset();
            sim_file("pub/a", "yes", 3, 1);
            sim_file("pub/sub/index.html", "yes", 3, 1);
            sim_file("c", "yes", 3, 1);
            sim_file("c.map", "yes", 3, 1);
            sim.fail_only = way == 0 ? NULL : "file";
            *(way == 0 ? &sim.fail_alloc : &sim.fail_call) = k;
            sio_server *io = sim_begin(NULL);
            bool served = io != NULL && sio_folder(io, "/s/*", "pub") == 0 &&
                          (sio_serve_client(io, "c") == 0 || (way == 1 && k == 1));
            static const char *const targets[] = { "/s/a", "/s/sub", "/socket.io/socket.io.js" };
            for (size_t i = 0; served && i < COUNT(targets); i++) {
                sim_answer a = sim_http(io, "GET", targets[i], NULL, NULL);
                if (a.status == 200)
                    assert_string_equal(a.body, "yes");
                else if (a.status != 301)
                    assert_true((way == 0 ? sim.allocs : sim.calls) >= k);
            }
            failed = (way == 0 ? sim.allocs : sim.calls) >= k;
            sim_free(io);
            assert_true(served || failed);
        }
    }
}

/* ---- The client ------------------------------------------------------------------------------ */

static const char *status_of(sio_server *io, const char *method, const char *target,
                             const char *fields)
{
    static char text[200];
    sim_client *c = sim_connect();
    sim_request(c, method, target, fields, NULL);
    sim_run_ms(io, 0);
    sim_answer a = sim_answered(c, strcmp(method, "HEAD") == 0);
    snprintf(text, sizeof text, "%d %s %s", a.status, sim_field(a, "Content-Type"), a.body);
    sim_close(c);
    return text;
}

#define JS "application/javascript; charset=utf-8"
#define JSON "application/json; charset=utf-8"
#define UNKNOWN "400 application/json {\"code\":0,\"message\":\"Transport unknown\"}"

/* F01, F02, F05, F06 */
static const struct {
    const char *rule, *method, *target, *with_map, *without;
} client_requests[] = {
    { "F01", "GET", "/socket.io/socket.io.js", "200 " JS " x()", "200 " JS " x()" },
    { "F01", "GET", "/socket.io/socket.io.min.js?v=1", "200 " JS " x()", "200 " JS " x()" },
    { "F02", "GET", "/socket.io/socket.io.js.map", "200 " JSON " {}", UNKNOWN },
    { "F02", "GET", "/socket.io/socket.io.min.js.map", "200 " JSON " {}", UNKNOWN },
    { "F05", "GET", "/socket.io/other.js", UNKNOWN, UNKNOWN },
    { "F05", "GET", "/socket.io/socket.io.js/", UNKNOWN, UNKNOWN },
    { "F06", "HEAD", "/socket.io/socket.io.js", "200 " JS " ", "200 " JS " " },
};

static void the_client_is_where_pages_look_for_it(void **state)
{
    static const char *const paths[] = { "/socket.io", "/socket.io/" };
    (void)state;
    for (int way = 0; way < 4; way++) {
        sio_server *io = sim_new(&(sio_options){ .path = paths[way % 2] });
        bool has_map = way < 2;
        sim_file("client", "x()", 3, 1);
        if (has_map)
            sim_file("client.map", "{}", 2, 1);
        assert_int_equal(sio_serve_client(io, "client"), 0);
        for (size_t i = 0; i < COUNT(client_requests); i++) {
            const char *got =
                status_of(io, client_requests[i].method, client_requests[i].target, NULL);
            if (strcmp(got, has_map ? client_requests[i].with_map : client_requests[i].without))
                fail_msg("%s, %s: %s", client_requests[i].rule, client_requests[i].target, got);
        }
        sim_free(io);
    }
}

/* F03, F04 */
static void a_client_that_is_known_is_not_sent(void **state)
{
    static const struct {
        const char *rule, *format;
        int status;
    } cases[] = { { "F03: its tag", "%s", 304 },
                  { "F03: W/ and its tag", "W/%s", 304 },
                  { "F04: a list", "\"a\", %s", 304 },
                  { "F04: any", "*", 304 },
                  { "F04: another", "\"4.8.4\"", 200 } };
    (void)state;
    sio_server *io = sim_new(NULL);
    sim_file("client", "x()", 3, 1);
    sio_serve_client(io, "client");
    sim_answer a = sim_http(io, "GET", "/socket.io/socket.io.js", NULL, NULL);
    assert_string_equal(sim_field(a, "Cache-Control"), "public, max-age=0");
    const char *tag = sim_field(a, "ETag");
    for (size_t i = 0; i < COUNT(cases); i++) {
        char field[100] = "If-None-Match: ", *at = field + strlen(field);
        const char *mark = strstr(cases[i].format, "%s");
        int n = mark == NULL ? (int)strlen(cases[i].format) : (int)(mark - cases[i].format);
        sprintf(at, "%.*s%s\r\n", n, cases[i].format, mark == NULL ? "" : tag);
        a = sim_http(io, "GET", "/socket.io/socket.io.js", field, NULL);
        if (a.status != cases[i].status)
            fail_msg("%s: %d", cases[i].rule, a.status);
        assert_string_equal(sim_field(a, "ETag"), tag);
    }
    sim_free(io);
}

/* F05: it is told what is missing, where Socket.IO is. */
static void a_page_that_finds_no_client_is_told(void **state)
{
    static const char remedy[] = "*no client is served here (call sio_serve_client*sio_bundle*";
    (void)state;
    sio_server *io = sim_new(NULL);
    sio_engine(io, &(sio_options){ .path = "/e" }, &(sio_engine_handlers){ .open = NULL });
    assert_string_equal(status_of(io, "GET", "/socket.io/socket.io.js", NULL), UNKNOWN);
    assert_true(sim_like(remedy, sim.log));
    assert_int_equal(sim.logged, 1);
    assert_string_equal(status_of(io, "GET", "/socket.io/socket.io.js?EIO=4", NULL), UNKNOWN);
    assert_true(sim_like(remedy, sim.log));
    static const char *const others[] = { "/socket.io/", "/socket.io/other.js", "/e/socket.io.js" };
    for (size_t i = 0; i < COUNT(others); i++) {
        assert_string_equal(status_of(io, "GET", others[i], NULL), UNKNOWN);
        assert_false(sim_like(remedy, sim.log));
    }
    assert_int_equal(sio_serve_client(io, "none"), -1);
    assert_int_equal(errno, ENOENT);
    sio_bundle(io, "/socket.io/socket.io.js", "text/x", "y()", 3);
    assert_string_equal(status_of(io, "GET", "/socket.io/socket.io.js", NULL), "200 text/x y()");
    sim_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bundle_that_changed_is_served_anew),
        cmocka_unit_test(a_bundle_copies_its_type_and_may_be_empty),
        cmocka_unit_test(a_path_begins_with_a_slash),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(nobody_comes_out_of_a_folder),
        cmocka_unit_test(what_is_below_a_folder_is_served),
        cmocka_unit_test(the_root_can_be_a_folder),
        cmocka_unit_test(a_file_below_is_read_when_it_is_asked_for),
        cmocka_unit_test(a_file_below_is_as_long_as_max_output),
        cmocka_unit_test(who_does_not_read_costs_no_files),
        cmocka_unit_test(folders_fail_in_order),
        cmocka_unit_test(the_client_is_where_pages_look_for_it),
        cmocka_unit_test(a_client_that_is_known_is_not_sent),
        cmocka_unit_test(a_page_that_finds_no_client_is_told),
    };
    return cmocka_run_group_tests_name("web_files.c", tests, NULL, NULL);
}
