#ifndef _XOPEN_SOURCE
#define _XOPEN_SOURCE 700  // sockets, alarm, mkdtemp, mkfifo, symlink
#endif
/* test_web_files.c - folders on a real disk, over real sockets; sim_web_files.c has the rest
 * SPDX-License-Identifier: MIT */
#include "lib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static sio_server *io;
static int port;

/* The path of a name below the root, until the fourth call from now. */
static const char *at(const char *name)
{
    static char texts[4][600];
    static int next;
    char *text = texts[next++ % 4];
    snprintf(text, sizeof texts[0], "%s/%s", root, name);
    return text;
}

static void write_file(const char *name, const char *p, size_t n)
{
    FILE *f = fopen(at(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(p, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Asks for a target, with the server's turns in between. Returns the whole answer, to be freed. */
static char *ask(const char *target, size_t *n)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    char request[1000];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", target);
    assert_int_equal(write(fd, request, (size_t)size), size);
    size_t cap = 4u << 20;
    char *text = malloc(cap + 1);
    assert_non_null(text);
    *n = 0;
    for (ssize_t got = -1; got != 0;) {
        assert_int_equal(sio_turn(io, 1), 1);
        got = recv(fd, text + *n, cap - *n, MSG_DONTWAIT);
        assert_true(got >= 0 || errno == EAGAIN);
        *n += got > 0 ? (size_t)got : 0;
    }
    text[*n] = '\0';
    close(fd);
    return text;
}

static const struct {
    const char *rule, *target;
    int status;
    const char *body;  // NULL: any
} targets[] = {
    { "a file", "/s/a%20b.txt", 200, "blanks" },
    { "a folder's index", "/s/sub/", 200, "the index" },
    { "a folder", "/s/sub", 301, "" },
    { "a folder without an index", "/s/bare/", 404, NULL },
    { "the same without a slash", "/s/bare", 404, NULL },
    { "no index here", "/s/", 404, NULL },
    { "a file as a folder", "/s/a%20b.txt/", 404, NULL },
    { "a file on the way", "/s/a%20b.txt/x", 404, NULL },
    { "nothing", "/s/none", 404, NULL },
    { "up", "/s/../secret", 404, NULL },
    { "up, escaped", "/s/%2e%2e/secret", 404, NULL },
    { "up, all escaped", "/s/%2e%2e%2fsecret", 404, NULL },
    { "up from below", "/s/sub/../../secret", 404, NULL },
    { "from the root", "/s//etc/passwd", 404, NULL },
    { "a hidden file", "/s/.hidden", 404, NULL },
    { "U+0000", "/s/a%20b.txt%00", 404, NULL },
    { "a FIFO, which nobody writes to", "/s/fifo", 404, NULL },
    { "a link to a FIFO", "/s/to-fifo", 404, NULL },
    { "a link to a device", "/s/to-zero", 404, NULL },
    { "a link to nowhere", "/s/to-nowhere", 404, NULL },
    { "a link to itself", "/s/to-itself", 404, NULL },
    { "a link out of the folder is followed", "/s/to-secret", 200, "secret" },
    { "a link to a folder, too", "/s/to-sub/", 200, "the index" },
};

static void a_folder_serves_its_plain_files(void **state)
{
    (void)state;
    alarm(60);  // a FIFO that is opened is waited for
    for (size_t i = 0; i < COUNT(targets); i++) {
        size_t n;
        int status = 0;
        char *text = ask(targets[i].target, &n), *body = strstr(text, "\r\n\r\n");
        sscanf(text, "HTTP/1.1 %d", &status);
        if (status != targets[i].status || body == NULL ||
            (targets[i].body != NULL && strcmp(body + 4, targets[i].body) != 0))
            fail_msg("%s: %s", targets[i].rule, text);
        free(text);
    }
    alarm(0);
}

static void a_name_that_is_too_long_is_nowhere(void **state)
{
    char target[400];
    size_t n;
    (void)state;
    snprintf(target, sizeof target, "/s/%0300d", 1);
    char *text = ask(target, &n);
    assert_memory_equal(text, "HTTP/1.1 404", 12);
    free(text);
}

static void a_long_file_comes_whole(void **state)
{
    size_t n, size = 3u << 20;
    char *bytes = malloc(size);
    (void)state;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (char)(i * i >> 8);
    write_file("pub/long.wasm", bytes, size);
    char *text = ask("/s/long.wasm", &n);
    assert_non_null(strstr(text, "Content-Type: application/wasm\r\n"));
    assert_true(n > size);
    assert_memory_equal(text + n - size, bytes, size);
    free(text);
    free(bytes);
}

static void a_client_on_disk_is_served(void **state)
{
    size_t n;
    (void)state;
    write_file("client.js", "x()", 3);
    assert_int_equal(sio_serve_client(io, at("none.js")), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(sio_serve_client(io, at("fifo.js")), -1);
    assert_int_equal(sio_serve_client(io, at("client.js")), 0);
    char *text = ask("/socket.io/socket.io.js", &n);
    assert_memory_equal(text, "HTTP/1.1 200", 12);
    assert_string_equal(text + n - 3, "x()");
    free(text);
    text = ask("/socket.io/socket.io.js.map", &n);
    assert_memory_equal(text, "HTTP/1.1 400", 12);
    free(text);
}

/* The tree: its folders, where its links lead, and what else is in it when the tests are over. */
static const char *const folders[] = { "pub", "pub/sub", "pub/bare" };
static const char *const links[][2] = {
    { "pub/to-secret", "../secret" }, { "pub/to-sub", "sub" },
    { "pub/to-fifo", "fifo" },        { "pub/to-zero", "/dev/zero" },
    { "pub/to-nowhere", "nowhere" },  { "pub/to-itself", "to-itself" },
};
static const char *const files[] = { "secret",        "pub/sub/index.html", "pub/a b.txt",
                                     "pub/.hidden",   "pub/fifo",           "fifo.js",
                                     "pub/long.wasm", "client.js" };

static int begin(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/sio-XXXXXX");
    assert_non_null(mkdtemp(root));
    for (size_t i = 0; i < COUNT(folders); i++)
        assert_int_equal(mkdir(at(folders[i]), 0700), 0);
    for (size_t i = 0; i < COUNT(links); i++)
        assert_int_equal(symlink(links[i][1], at(links[i][0])), 0);
    assert_int_equal(mkfifo(at("pub/fifo"), 0600), 0);
    assert_int_equal(mkfifo(at("fifo.js"), 0600), 0);
    write_file("secret", "secret", 6);
    write_file("pub/.hidden", "secret", 6);
    write_file("pub/sub/index.html", "the index", 9);
    write_file("pub/a b.txt", "blanks", 6);
    io = sio_new(NULL);
    port = sio_listen(io, "127.0.0.1", 0);
    assert_true(port > 0);
    return sio_folder(io, "/s/*", at("pub"));
}

static int end(void **state)
{
    (void)state;
    sio_free(io);
    for (size_t i = 0; i < COUNT(files); i++)
        unlink(at(files[i]));
    for (size_t i = 0; i < COUNT(links); i++)
        unlink(at(links[i][0]));
    for (size_t i = COUNT(folders); i-- > 0;)
        rmdir(at(folders[i]));
    return rmdir(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_serves_its_plain_files),
        cmocka_unit_test(a_name_that_is_too_long_is_nowhere),
        cmocka_unit_test(a_long_file_comes_whole),
        cmocka_unit_test(a_client_on_disk_is_served),
    };
    return cmocka_run_group_tests_name("web_files.c", tests, begin, end);
}
