#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L  // sockets, alarm, mkdtemp
#endif
/* test_net_loop.c - the outside, over real sockets; test_net_loop_poll.c runs the same with poll(2)
 * SPDX-License-Identifier: MIT */
#include "lib.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void *memory(void *user, void *p, size_t size)
{
    (void)user;
    if (size > 0)
        return realloc(p, size);
    free(p);
    return NULL;
}

static sio_memory all_memory = { .resize = memory };
static char directory[64];

/* ---- Helpers -------------------------------------------------------------------------------- */

static int dial(int port)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

/* Closes with a reset. */
static void reset(int fd)
{
    struct linger now = { 1, 0 };
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(fd);
}

/* Waits up to five seconds for the watch. */
static sio_ready wait_for(sio_loop *loop, const sio_watched *w)
{
    sio_ready ready[8];
    for (int i = 0; i < 50; i++) {
        int n = sio_loop_wait(loop, 100, ready, 8);
        assert_true(n >= 0);
        for (int k = 0; k < n; k++)
            if (ready[k].watch == w)
                return ready[k];
    }
    fail_msg("nothing happened");
    return ready[0];
}

/* A connection: *client is the other end, w is watched. */
static void meet(sio_loop *loop, sio_watched *listener, int port, int *client, sio_watched *w)
{
    sio_ip ip;
    *w = (sio_watched){ .fd = -1 };
    *client = dial(port);
    assert_true(wait_for(loop, listener).readable);
    assert_int_equal(sio_loop_accept(loop, listener, &w->fd, &ip), 1);
    assert_int_equal(ip.n, 4);
    assert_memory_equal(ip.byte, "\x7f\0\0\1", 4);
    assert_int_equal(sio_loop_watch(loop, w), 0);
}

/* ---- Connections ---------------------------------------------------------------------------- */

static void connections_are_accepted_and_read(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched listener, w;
    sio_ip ip;
    int client, fd;
    char text[8];
    int port = sio_loop_listen(loop, &listener, "127.0.0.1", 0);
    assert_true(port > 0);
    assert_int_equal(sio_loop_accept(loop, &listener, &fd, &ip), 0);  // nobody waits
    meet(loop, &listener, port, &client, &w);
    assert_int_equal(fcntl(w.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);

    assert_int_equal(sio_loop_read(loop, &w, text, 8), -1);
    assert_int_equal(write(client, "hello", 5), 5);
    assert_true(wait_for(loop, &w).readable);
    assert_int_equal(sio_loop_read(loop, &w, text, 3), 3);
    assert_true(wait_for(loop, &w).readable);  // level-triggered
    assert_int_equal(sio_loop_read(loop, &w, text, 8), 2);
    assert_int_equal(sio_loop_read(loop, &w, text, 8), -1);

    sio_span pieces[] = { { "a", 1 }, { "bc", 2 }, { "def", 3 } };
    assert_int_equal(sio_loop_send(loop, &w, pieces, 3), 6);
    assert_int_equal(sio_loop_send(loop, &w, pieces, 1), 1);
    assert_int_equal(recv(client, text, 7, MSG_WAITALL), 7);
    assert_memory_equal(text, "abcdefa", 7);

    sio_loop_shutdown(loop, &w);
    assert_int_equal(read(client, text, 8), 0);
    close(client);
    assert_true(wait_for(loop, &w).readable);
    assert_int_equal(sio_loop_read(loop, &w, text, 8), 0);
    sio_loop_close(loop, &w);
    assert_int_equal(w.fd, -1);
    sio_loop_close(loop, &w);  // again: nothing
    sio_loop_close(loop, &listener);
    sio_loop_free(loop);
}

/* Threat "reset while something is being refused": no signal, an answer. */
static void a_reset_is_an_answer_and_no_signal(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched listener, w;
    int client;
    char text[8];
    int port = sio_loop_listen(loop, &listener, "127.0.0.1", 0);
    meet(loop, &listener, port, &client, &w);
    reset(client);
    assert_true(wait_for(loop, &w).readable);
    assert_int_equal(sio_loop_read(loop, &w, text, 8), -2);
    sio_span one = { "x", 1 }, two[] = { { "x", 1 }, { "y", 1 } };
    assert_int_equal(sio_loop_send(loop, &w, &one, 1), -2);
    assert_int_equal(sio_loop_send(loop, &w, two, 2), -2);
    sio_loop_close(loop, &w);
    meet(loop, &listener, port, &client, &w);
    int fd = w.fd;
    sio_loop_unwatch(loop, &w);
    sio_loop_refuse(loop, fd);
    assert_int_equal(read(client, text, 8), 0);
    close(client);
    sio_loop_close(loop, &listener);
    sio_loop_free(loop);
}

static void a_full_socket_is_written_when_there_is_room(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched listener, w;
    int client;
    int port = sio_loop_listen(loop, &listener, "127.0.0.1", 0);
    meet(loop, &listener, port, &client, &w);
    char *block = filled(1 << 20, 'x');
    sio_span piece = { block, 1 << 20 };
    size_t sent = 0, got = 0;
    for (ptrdiff_t n; (n = sio_loop_send(loop, &w, &piece, 1)) != 0; sent += (size_t)n)
        assert_true(n > 0);
    assert_true(sent > 0);
    sio_loop_want_write(loop, &w, true);
    sio_ready none[4];
    assert_int_equal(sio_loop_wait(loop, 20, none, 4), 0);
    while (got < sent) {
        ssize_t n = read(client, block, 1 << 20);
        assert_true(n > 0);
        got += (size_t)n;
    }
    assert_true(wait_for(loop, &w).writable);
    sio_loop_want_write(loop, &w, false);
    assert_int_equal(sio_loop_wait(loop, 20, none, 4), 0);
    free(block);
    close(client);
    sio_loop_close(loop, &w);
    sio_loop_close(loop, &listener);
    sio_loop_free(loop);
}

/* Who stopped reading is not woken by what comes, and the others are. */
static void reading_can_be_stopped(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched listener, a, b;
    int to_a, to_b;
    sio_ready ready[4];
    int port = sio_loop_listen(loop, &listener, "127.0.0.1", 0);
    meet(loop, &listener, port, &to_a, &a);
    meet(loop, &listener, port, &to_b, &b);
    sio_loop_stop_reading(loop, &a);
    assert_int_equal(write(to_a, "x", 1), 1);
    assert_int_equal(write(to_b, "x", 1), 1);
    assert_ptr_equal(wait_for(loop, &b).watch, &b);
    assert_int_equal(sio_loop_wait(loop, 20, ready, 4), 1);
    assert_ptr_equal(ready[0].watch, &b);
    sio_loop_want_write(loop, &a, true);
    assert_false(wait_for(loop, &a).readable);
    close(to_a);
    close(to_b);
    sio_loop_close(loop, &a);
    sio_loop_close(loop, &b);
    sio_loop_close(loop, &listener);
    sio_loop_free(loop);
}

/* epoll says so when it can't watch as asked; poll(2) is asked anew each time. */
static void what_is_not_watched_as_asked_is_told(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched listener, a;
    int to_a, port = sio_loop_listen(loop, &listener, "127.0.0.1", 0);
    meet(loop, &listener, port, &to_a, &a);
    assert_int_equal(sio_loop_want_write(loop, &a, true), 0);
    assert_int_equal(sio_loop_want_write(loop, &a, false), 0);
    close(a.fd);  // behind its back
    int told = sio_loop_fd(loop) < 0 ? 0 : -1;
    assert_int_equal(sio_loop_want_write(loop, &a, true), told);
    assert_int_equal(sio_loop_stop_reading(loop, &a), told);
    sio_loop_give_back(loop);
    close(to_a);
    sio_loop_close(loop, &a);
    sio_loop_close(loop, &listener);
    sio_loop_free(loop);
}

/* A listener that pauses is not heard, and may be closed so; nobody else is forgotten for it. */
static void a_listener_can_pause(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched first, second, w;
    sio_ready ready[4];
    int client;
    int port = sio_loop_listen(loop, &first, "127.0.0.1", 0);
    int other = sio_loop_listen(loop, &second, "127.0.0.1", 0);
    meet(loop, &second, other, &client, &w);
    sio_loop_unwatch(loop, &first);
    int waits = dial(port);
    assert_int_equal(sio_loop_wait(loop, 20, ready, 4), 0);
    assert_int_equal(sio_loop_watch(loop, &first), 0);
    assert_true(wait_for(loop, &first).readable);
    sio_loop_unwatch(loop, &first);
    sio_loop_close(loop, &first);
    assert_int_equal(write(client, "x", 1), 1);
    assert_true(wait_for(loop, &w).readable);
    close(waits);
    waits = dial(other);
    assert_true(wait_for(loop, &second).readable);
    close(waits);
    close(client);
    sio_loop_close(loop, &w);
    sio_loop_close(loop, &second);
    sio_loop_free(loop);
}

/* ---- Listening ------------------------------------------------------------------------------ */

static void addresses_are_taken_or_refused(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched w, again;
    int port = sio_loop_listen(loop, &w, "localhost", 0);
    assert_true(port > 0);
    assert_int_equal(sio_loop_listen(loop, &again, "localhost", port), -1);
    assert_int_equal(errno, EADDRINUSE);
    sio_loop_close(loop, &w);
    assert_int_equal(sio_loop_listen(loop, &w, "127.0.0.1", 65536), -1);
    assert_int_equal(sio_loop_listen(loop, &w, "127.0.0.1", -1), -1);
    assert_int_equal(sio_loop_listen(loop, &w, "not an address", 0), -1);
    assert_true(sio_loop_listen(loop, &w, "127.0.0.255", 0) > 0);
    sio_loop_close(loop, &w);
    assert_int_equal(sio_loop_listen(loop, &w, "192.0.2.001", 0), -1);  // RFC 5737: nobody's
    if (sio_loop_listen(loop, &w, "::1", 0) > 0)
        sio_loop_close(loop, &w);
    assert_true(sio_loop_listen(loop, &w, NULL, 0) > 0);
    sio_loop_close(loop, &w);
    sio_loop_free(loop);
}

static void unix_sockets_replace_the_dead_alone(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched w, again;
    sio_ip ip;
    char path[120], name[100];
    int fd;
    snprintf(name, sizeof name, "%s/socket", directory);
    snprintf(path, sizeof path, "unix:%s", name);
    assert_int_equal(sio_loop_listen(loop, &w, path, 0), 0);
    assert_int_equal(sio_loop_listen(loop, &again, path, 0), -1);  // one lives there
    assert_int_equal(errno, EADDRINUSE);
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    strcpy(to.sun_path, name);
    int client = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (struct sockaddr *)&to, sizeof to), 0);
    wait_for(loop, &w);
    assert_int_equal(sio_loop_accept(loop, &w, &fd, &ip), 1);  // the one who asked whether it lives
    assert_int_equal(ip.n, 0);
    sio_loop_refuse(loop, fd);
    close(client);
    sio_loop_close(loop, &w);
    assert_int_equal(sio_loop_listen(loop, &w, path, 0), 0);  // a dead one is replaced
    sio_loop_close(loop, &w);
    unlink(name);
    char *too_long = filled(300, 'x');
    memcpy(too_long, "unix:", 5);
    assert_int_equal(sio_loop_listen(loop, &w, too_long, 0), -1);
    free(too_long);
    fd = open(name, O_CREAT | O_WRONLY, 0600);  // a file is nobody's socket
    close(fd);
    assert_int_equal(sio_loop_listen(loop, &w, path, 0), -1);
    assert_int_equal(access(name, F_OK), 0);
    unlink(name);
    sio_loop_free(loop);
}

/* ---- Time, chance, files -------------------------------------------------------------------- */

static sio_loop *woken;

/* ---- Connecting ----------------------------------------------------------------------------- */

static void names_become_addresses(void **state)
{
    sio_ip found[4];
    char text[46];
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    assert_int_equal(sio_loop_resolve(loop, "10.0.0.7", found, 4), 1);
    sio_ip_text(&found[0], text);
    assert_string_equal(text, "10.0.0.7");
    int n = sio_loop_resolve(loop, "localhost", found, 4);
    assert_true(n >= 1 && n <= 4);
    sio_ip_text(&found[0], text);
    assert_true(strcmp(text, "127.0.0.1") == 0 || strcmp(text, "::1") == 0);
    assert_int_equal(sio_loop_resolve(loop, "localhost", found, 1), 1);
    assert_int_equal(sio_loop_resolve(loop, "no name", found, 4), -1);
    assert_int_equal(errno, EADDRNOTAVAIL);
    sio_loop_free(loop);
}

/* What is sent to, and read from, before the connection stands. */
static void talk(sio_loop *loop, const char *where)
{
    sio_watched listener, w = { .kind = SIO_WATCHED_CONN };
    sio_ip ip, from;
    char text[8];
    int fd;
    int port = sio_loop_listen(loop, &listener, where, 0);
    if (port < 0)
        return;  // no IPv6 here
    assert_true(sio_ip_parse(where, &ip));
    w.fd = sio_loop_connect(loop, &ip, port);
    assert_true(w.fd >= 0);
    assert_int_equal(sio_loop_watch(loop, &w), 0);
    assert_int_equal(sio_loop_read(loop, &w, text, sizeof text), -1);
    wait_for(loop, &listener);
    assert_int_equal(sio_loop_accept(loop, &listener, &fd, &from), 1);
    while (sio_loop_send(loop, &w, &SIO_SPAN("hi"), 1) == 0)
        ;
    sio_watched other = { .fd = fd };
    ptrdiff_t got;
    while ((got = sio_loop_read(loop, &other, text, sizeof text)) == -1)
        ;
    assert_int_equal(got, 2);
    sio_loop_close(loop, &w);
    sio_loop_refuse(loop, fd);
    sio_loop_close(loop, &listener);
}

static void it_connects_to_others(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    talk(loop, "127.0.0.1");
    talk(loop, "::1");
    sio_loop_free(loop);
}

/* Nobody is there: that is told by the first read or send that knows it, or at once. */
static void who_is_not_there_is_found_out(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_watched w = { .kind = SIO_WATCHED_CONN };
    sio_ip ip;
    char text[8];
    sio_watched listener;
    int port = sio_loop_listen(loop, &listener, "127.0.0.1", 0);
    sio_loop_close(loop, &listener);
    sio_ip_parse("127.0.0.1", &ip);
    w.fd = sio_loop_connect(loop, &ip, port);
    if (w.fd >= 0) {
        assert_int_equal(sio_loop_watch(loop, &w), 0);
        wait_for(loop, &w);
        assert_int_equal(sio_loop_read(loop, &w, text, sizeof text), -2);
        sio_loop_close(loop, &w);
    }
    sio_loop_free(loop);
}

static void on_alarm(int number)
{
    (void)number;
    sio_loop_wake(woken);
}

static void a_signal_handler_can_wake_it(void **state)
{
    (void)state;
    sio_ready ready[4];
    sio_posted call;
    woken = sio_loop_new(&all_memory);
    for (int i = 0; i < 100000; i++)
        sio_loop_wake(woken);  // more than a pipe holds
    assert_int_equal(sio_loop_wait(woken, -1, ready, 4), 0);
    assert_false(sio_loop_posted(woken, &call));  // takes all of them out
    assert_int_equal(sio_loop_wait(woken, 10, ready, 4), 0);
    signal(SIGALRM, on_alarm);
    alarm(1);
    int64_t start = sio_loop_now(woken);
    while (sio_loop_now(woken) - start < 900)
        sio_loop_wait(woken, -1, ready, 4);
    assert_true(sio_loop_now(woken) - start < 10000);
    sio_loop_free(woken);
}

static void never_called(sio_server *io, void *data)
{
    (void)io, (void)data;
}

/* As many as the pipe holds; then it says so, until some are taken out. */
static void posts_are_bounded(void **state)
{
    static int order[100000];
    (void)state;
    int posted = 0, taken = 0;
    sio_ready ready[4];
    sio_posted call = { .fn = never_called };
    sio_loop *loop = sio_loop_new(&all_memory);
    assert_false(sio_loop_posted(loop, &call));
    call.fn = never_called;
    for (; posted < 100000 && (call.data = &order[posted], sio_loop_post(loop, &call)) == 0;
         posted++)
        continue;
    assert_int_equal(errno, EAGAIN);
    assert_in_range(posted, 100, 99999);
    sio_loop_wake(loop);  // has no room, and need not
    assert_int_equal(sio_loop_wait(loop, -1, ready, 4), 0);
    for (; sio_loop_posted(loop, &call); taken++)
        assert_ptr_equal(call.data, &order[taken]);
    assert_int_equal(taken, posted);
    assert_int_equal(sio_loop_post(loop, &call), 0);
    sio_loop_free(loop);
}

static void waiting_takes_its_time(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    sio_ready ready[4];
    int64_t start = sio_loop_now(loop), wall = sio_loop_wall(loop);
    int64_t up = sio_loop_now_up(loop), after = sio_loop_now(loop);
    assert_true(start <= up && up <= after + 1);
    assert_int_equal(sio_loop_wait(loop, 60, ready, 4), 0);
    assert_true(sio_loop_now(loop) - start >= 59);
    assert_true(sio_loop_wall(loop) - wall >= 50);
    assert_true(wall / 1000 - (int64_t)time(NULL) <= 1 && (int64_t)time(NULL) - wall / 1000 <= 1);
    assert_int_equal(sio_loop_wait(loop, 0, ready, 4), 0);
    sio_loop_free(loop);
}

static void random_bytes_are_random(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    unsigned char bytes[3000];
    unsigned counts[256] = { 0 };
    assert_int_equal(sio_loop_random(loop, bytes, sizeof bytes), 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        counts[bytes[i]]++;
    for (size_t i = 0; i < 256; i++)
        assert_true(counts[i] < 60);  // 12 is to be expected
    assert_int_equal(sio_loop_random(loop, bytes, 0), 0);
    sio_loop_free(loop);
}

static void files_are_read_whole_or_not(void **state)
{
    (void)state;
    sio_loop *loop = sio_loop_new(&all_memory);
    char name[100], text[16];
    size_t n;
    int64_t changed;
    snprintf(name, sizeof name, "%s/file", directory);
    FILE *f = fopen(name, "wb");
    fputs("hello", f);
    fclose(f);
    assert_int_equal(sio_loop_file(loop, name, &n, &changed), 0);
    assert_int_equal(n, 5);
    assert_true(changed / 1000000000 - (int64_t)time(NULL) < 10);
    assert_int_equal(sio_loop_file_read(loop, name, text, 5), 0);
    assert_memory_equal(text, "hello", 5);
    assert_int_equal(sio_loop_file_read(loop, name, text, 6), -1);  // it shrank meanwhile
    assert_int_equal(sio_loop_file(loop, directory, &n, &changed), -1);
    assert_int_equal(sio_loop_file(loop, "/nonexistent", &n, &changed), -1);
    assert_int_equal(sio_loop_file_read(loop, "/nonexistent", text, 1), -1);
    unlink(name);
    sio_loop_free(loop);
}

/* ---- A whole server ------------------------------------------------------------------------- */

static sio_server *served;

static void on_stop_alarm(int number)
{
    (void)number;
    sio_shutdown(served);
}

static void get_hello(sio_http *http)
{
    sio_http_reply(http, 200, "text/plain", "hello", 5);
}

static void a_server_serves_and_stops_at_a_signal(void **state)
{
    (void)state;
    char text[1000];
    served = sio_new(NULL);
    sio_route(served, "GET", "/hello", get_hello);
    int port = sio_listen(served, "127.0.0.1", 0);
    assert_true(port > 0);
    int client = dial(port);
    const char *request = "GET /hello HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_int_equal(write(client, request, strlen(request)), strlen(request));
    for (int i = 0; i < 3; i++)
        assert_int_equal(sio_turn(served, 100), 1);
    ssize_t n = read(client, text, sizeof text - 1);
    assert_true(n > 5);
    text[n] = '\0';
    assert_string_equal(text + n - 5, "hello");
    assert_true(sio_wait_ms(served) > 0 && sio_wait_ms(served) <= 5000);
    signal(SIGALRM, on_stop_alarm);
    alarm(1);
    assert_int_equal(sio_run(served), 0);
    assert_int_equal(read(client, text, sizeof text), 0);
    close(client);
    sio_free(served);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_are_accepted_and_read),
        cmocka_unit_test(a_reset_is_an_answer_and_no_signal),
        cmocka_unit_test(a_full_socket_is_written_when_there_is_room),
        cmocka_unit_test(reading_can_be_stopped),
        cmocka_unit_test(what_is_not_watched_as_asked_is_told),
        cmocka_unit_test(a_listener_can_pause),
        cmocka_unit_test(addresses_are_taken_or_refused),
        cmocka_unit_test(unix_sockets_replace_the_dead_alone),
        cmocka_unit_test(names_become_addresses),
        cmocka_unit_test(it_connects_to_others),
        cmocka_unit_test(who_is_not_there_is_found_out),
        cmocka_unit_test(a_signal_handler_can_wake_it),
        cmocka_unit_test(posts_are_bounded),
        cmocka_unit_test(waiting_takes_its_time),
        cmocka_unit_test(random_bytes_are_random),
        cmocka_unit_test(files_are_read_whole_or_not),
        cmocka_unit_test(a_server_serves_and_stops_at_a_signal),
    };
    snprintf(directory, sizeof directory, "/tmp/sio-XXXXXX");
    if (mkdtemp(directory) == NULL)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(directory);
    return failed;
}
