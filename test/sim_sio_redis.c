/* sim_sio_redis.c - the bus of a cluster: a Redis that the test plays
 * SPDX-License-Identifier: MIT */
#include "lib.h"
#include "sim_redis.h"

#include <errno.h>

static char lines[20000];

static void note_line(const char *line)
{
    size_t n = strlen(lines);
    snprintf(lines + n, sizeof lines - n, "%s\n", line);
}

/* A world whose lines are noted. */
static sio_server *begin(const sio_options *options)
{
    sim_fail = fail_with;
    redis_reset();
    lines[0] = '\0';
    sio_server *io = sim_new(options);
    sim.on_line = note_line;
    return io;
}

static sio_target all(sio_server *io)
{
    return sio_all(sio_of(io, "/"));
}

/* ---- The url -------------------------------------------------------------------------------- */

static const struct url {
    const char *url;
    int error;  // 0: it is one, and the publisher says:
    const char *said;
} urls[] = {
    { "redis://127.0.0.1", 0, "PING\n" },
    { "redis://", 0, "PING\n" },
    { "redis:///", 0, "PING\n" },
    { "redis://localhost:6380/", 0, "PING\n" },
    { "redis://h/0", 0, "PING\n" },
    { "redis://h/15", 0, "SELECT 15\nPING\n" },
    { "redis://[::1]:7000/1", 0, "SELECT 1\nPING\n" },
    { "redis://[::1]", 0, "PING\n" },
    { "redis://@h", 0, "PING\n" },
    { "redis://:@h", 0, "PING\n" },
    { "redis://:s@h", 0, "AUTH s\nPING\n" },
    { "redis://u@h", 0, "AUTH u \nPING\n" },
    { "redis://me:s%20c%3a%40@10.0.0.7:7000/3", 0, "AUTH me s c:@\nSELECT 3\nPING\n" },
    { "redis://me:a@b:c@h", 0, "AUTH me a@b:c\nPING\n" },
    { "redis://:%zz%4@h", 0, "AUTH %zz%4\nPING\n" },
    { "redis://h:65535", 0, "PING\n" },
    { "", EINVAL, "" },
    { "127.0.0.1:6379", EINVAL, "" },
    { "redis:/h", EINVAL, "" },
    { "http://h", EINVAL, "" },
    { "redis://h:", EINVAL, "" },
    { "redis://h:0", EINVAL, "" },
    { "redis://h:65536", EINVAL, "" },
    { "redis://h:6e3", EINVAL, "" },
    { "redis://h:99999999999", EINVAL, "" },
    { "redis://h:-1", EINVAL, "" },
    { "redis://h/x", EINVAL, "" },
    { "redis://h/-1", EINVAL, "" },
    { "redis://h/1/2", EINVAL, "" },
    { "redis://h/1?a=b", EINVAL, "" },
    { "redis://h?a=b", EINVAL, "" },
    { "redis://h#1", EINVAL, "" },
    { "redis://[::1", EINVAL, "" },
    { "redis://[::1]x", EINVAL, "" },
    { "redis://::1", EINVAL, "" },
    { "redis://:a%00b@h", EINVAL, "" },
    { "redis://nowhere", EADDRNOTAVAIL, "" },
    { "rediss://h", EPROTONOSUPPORT, "" },
};

static void test_urls(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(urls); i++) {
        sio_server *io = begin(NULL);
        errno = 0;
        int result = sio_redis(io, urls[i].url, NULL);
        if (result != (urls[i].error == 0 ? 0 : -1) || (result < 0 && errno != urls[i].error))
            fail_msg("%s: %d, errno %d", urls[i].url, result, errno);
        take_dialed(io);
        const char *got = result < 0 ? "" : taken(io, redis.publisher);
        if (strcmp(got, urls[i].said) != 0 || (result < 0) != (redis.publisher == NULL))
            fail_msg("%s: says %s", urls[i].url, got);
        assert_int_equal(urls[i].error == EPROTONOSUPPORT, strstr(lines, "(have a tunnel") != NULL);
        sim_free(io);
    }
    char long_host[400];
    snprintf(long_host, sizeof long_host, "redis://%0300d", 1);
    sio_server *io = begin(NULL);
    assert_int_equal(sio_redis(io, long_host, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(sio_redis(NULL, "redis://", NULL), -1);
    assert_int_equal(sio_redis(io, NULL, NULL), -1);
    assert_false(sio_redis_ready(io));
    assert_int_equal(sio_redis(io, "redis://h", NULL), 0);
    assert_int_equal(sio_redis(io, "redis://h", NULL), -1);
    assert_int_equal(errno, EBUSY);
    sim_free(io);
}

static void test_greeting(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    sio_of(io, "/a*[?]\\");
    assert_int_equal(sio_redis(io, "redis://me:s@h/3", NULL), 0);
    take_dialed(io);
    sio_of(io, "/late");
    sim_run_ms(io, 0);
    const char *got = taken(io, redis.listener);
    static const char *const parts[] = {
        "AUTH me s\nSELECT 3\n",
        ("PSUBSCRIBE socket.io#/#*\nSUBSCRIBE socket.io-request#/# socket.io-response#/# "
         "socket.io-response#/#"),
        "PSUBSCRIBE socket.io#/a\\*\\[\\?\\]\\\\#*\nSUBSCRIBE socket.io-request#/a*[?]\\# ",
        "\nPING\nPSUBSCRIBE socket.io#/late#*\nSUBSCRIBE socket.io-request#/late# ",
    };
    for (size_t i = 0; i < COUNT(parts); i++)  // X01
        if (strstr(got, parts[i]) == NULL)
            fail_msg("X01: %s and not %s", got, parts[i]);
    assert_string_equal(taken(io, redis.publisher), "AUTH me s\nSELECT 3\nPING\n");
    sim_free(io);
}

/* ---- What goes wrong ------------------------------------------------------------------------ */

static const struct fault {
    const char *rule, *publisher, *listener;  // what they are answered; NULL: as it should be
    int ms;                                   // until it is noticed
    const char *line;
} faults[] = {
    { "a refused password", "-WRONGPASS invalid\r\n-NOAUTH Authentication required.\r\n+PONG\r\n",
      NULL, 0,
      "Redis refuses us: WRONGPASS invalid (see user, password and database of the url)*" },
    { "a refused database", "-ERR DB index is out of range\r\n+PONG\r\n", NULL, 0,
      "Redis refuses us: ERR DB*(see*" },
    { "a refused subscription", NULL, "-NOPERM no\r\n-NOPERM no\r\n*2\r\n$4\r\npong\r\n$0\r\n\r\n",
      0, "Redis refuses us: NOPERM*(see*" },
    { "it loads", "-LOADING Redis is loading\r\n", NULL, 0, "Redis refuses us: LOADING*" },
    { "too many", NULL, "-ERR max number of clients reached\r\n", 0, "*max number*" },
    { "silent", "", NULL, 5000, "Redis does not answer: it is given up (see*" },
    { "silent to the listener", NULL, "", 5000, "Redis does not answer: it is given up (see*" },
    { "answers, and stops", "+OK\r\n+PO", NULL, 10000, "Redis does not answer: *" },
    { "no Redis", "HTTP/1.1 400 Bad Request\r\n\r\n+PONG\r\n", NULL, 0, "*no RESP2 (is it one?)*" },
    { "no Redis for the listener", NULL, "*2\r\n*2\r\n*99999999999\r\n", 0,
      "*no RESP2 (is it one?)*" },
};

static void answer_as(sio_server *io, const struct fault *f)
{
    taken(io, redis.listener);
    taken(io, redis.publisher);
    if (f->publisher != NULL) {
        size_t n;
        (void)sim_text(redis.publisher, &n);
    }
    sim_sendf(redis.publisher, "%s", f->publisher != NULL ? f->publisher : "+PONG\r\n");
    sim_sendf(redis.listener, "%s",
              f->listener != NULL ? f->listener : "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
}

/* Whatever happens before it is up: it is told with a remedy, given up, tried again, and then well. */
static void test_faults_of_greeting(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(faults); i++) {
        const struct fault *f = &faults[i];
        sio_server *io = begin(NULL);
        assert_int_equal(sio_redis(io, "redis://h", NULL), 0);
        redis.mute = true;
        take_dialed(io);
        sim_client *bad = f->publisher != NULL ? redis.publisher : redis.listener;
        answer_as(io, f);
        sim_run_ms(io, f->ms + 1);
        assert_false(sio_redis_ready(io));
        if (!sim_like(f->line, lines) && strstr(lines, "no connection to Redis") == NULL)
            fail_msg("%s: the log says %s", f->rule, lines);
        assert_true(sim_like("*; Redis h:6379\n", lines));
        assert_null(strstr(lines, "NOAUTH"));
        assert_null(strstr(lines, "again for"));
        if (!sim_closed(bad))
            fail_msg("%s: it is not given up", f->rule);
        sim_run_ms(io, 200);
        *(f->publisher != NULL ? &redis.publisher : &redis.listener) = sim_dialed();
        redis.mute = false;
        sim_run_ms(io, 0);
        taken(io, redis.publisher);
        taken(io, redis.listener);
        sim_sendf(redis.listener, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        sim_run_ms(io, 0);
        if (!sio_redis_ready(io) || strstr(lines, "Redis is there again for") == NULL)
            fail_msg("%s: it is not there again: %s", f->rule, lines);
        sim_free(io);
    }
}

/* It is tried in 0.1 s, twice that each time, at most 5 s; a quarter more or less. */
static void test_times_of_tries(void **state)
{
    (void)state;
    static const int base[] = { 100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000 };
    sio_server *io = begin(NULL);
    sim.away = true;
    assert_int_equal(sio_redis(io, "redis://h", NULL), 0);
    int64_t last[2] = { sim.now, sim.now };
    unsigned tries[2] = { 0, 0 };
    assert_non_null(sim_dialed());
    assert_non_null(sim_dialed());
    while (tries[0] < COUNT(base) || tries[1] < COUNT(base)) {
        sim_run_ms(io, 2);
        while (sim_dialed() != NULL) {
            int64_t now = sim.now;
            unsigned who = tries[0] > tries[1];  // the one whose turn fits
            for (unsigned k = 0; k < 2; k++, who ^= 1) {
                int64_t ms = now - last[who];
                int most = tries[who] < COUNT(base) ? base[tries[who]] : 5000;
                if (ms >= most * 3 / 4 && ms <= most * 5 / 4 + 6)
                    break;
                if (k == 1)
                    fail_msg("a try after %lld or %lld ms", (long long)(now - last[0]),
                             (long long)(now - last[1]));
            }
            last[who] = now;
            tries[who]++;
        }
        assert_true(sim.now < last[0] + 7000 && sim.now < last[1] + 7000);
    }
    assert_true(sim.logged == 2);  // one for each, and no more
    assert_non_null(strstr(lines,
                           "no connection to Redis for listening: it is not there, or ended it "
                           "(start it"));
    sio_emit(all(io), "e", "");
    sim_run_ms(io, 7000);
    assert_int_equal(sio_get_stats(io)->unpublished, 1);
    assert_non_null(
        strstr(lines, "not published to the cluster, so that other processes' clients miss it"));
    sim.away = false;
    sim_free(io);
}

/* ---- What goes wrong later ------------------------------------------------------------------ */

static void test_refused_messages(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    be_member(io, NULL);
    redis.refusal = "OOM command not allowed";
    sio_emit(all(io), "e", "");
    sio_emit(all(io), "e", "");
    said(io);
    assert_int_equal(sio_get_stats(io)->published, 2);
    assert_int_equal(sio_get_stats(io)->unpublished, 2);
    assert_non_null(strstr(lines, "miss it: OOM command not allowed; Redis 127.0.0.1:6379"));
    redis.refusal = NULL;
    sio_emit(all(io), "e", "");
    said(io);
    assert_int_equal(sio_get_stats(io)->unpublished, 2);
    sim_sendf(redis.publisher, ":1\r\n:1\r\n-ERR what\r\n");  // nobody asked
    sim_run_ms(io, 0);
    sim_abort(redis.publisher);
    sim_run_ms(io, 0);
    assert_int_equal(sio_get_stats(io)->unpublished, 3);
    sim_free(io);
}

/* A namespace that comes later may be refused: that is told, and the others are heard. */
static void test_refused_subscription(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    be_member(io, NULL);
    sio_of(io, "/secret");
    sim_run_ms(io, 0);
    sim_sendf(redis.listener, "-NOPERM no access\r\n-NOPERM no access\r\n");
    sim_run_ms(io, 0);
    assert_true(sio_redis_ready(io));
    assert_non_null(strstr(lines, "Redis refuses a subscription: NOPERM no access (let this user"));
    sim_free(io);
}

/* What Redis has not said to have is lost with it, and what is said meanwhile. */
static void test_lost(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    be_member(io, NULL);
    sio_emit(all(io), "e", "");
    sio_emit(all(io), "e", "");
    sim_run_ms(io, 0);
    sim_close(redis.publisher);
    sim_abort(redis.listener);
    sim_run_ms(io, 1);
    assert_false(sio_redis_ready(io));
    assert_int_equal(sio_get_stats(io)->unpublished, 2);
    assert_non_null(strstr(lines, "Redis went away before it said that it has it"));
    sio_emit(all(io), "e", "");
    assert_int_equal(sio_get_stats(io)->unpublished, 3);
    sio_of(io, "/new");
    sim_run_ms(io, 200);
    sim_client *first = sim_dialed(), *second = sim_dialed();
    bool listens = strstr(taken(io, first), "SUBSCRIBE") != NULL;
    redis.publisher = listens ? second : first, redis.listener = listens ? first : second;
    const char *got = taken(io, listens ? first : second);
    assert_true(listens || strstr(got, "PSUBSCRIBE socket.io#/new#*") != NULL);
    taken(io, redis.publisher);
    sim_sendf(first, "+PONG\r\n");
    sim_sendf(second, "+PONG\r\n");
    sim_run_ms(io, 0);
    assert_true(sio_redis_ready(io));
    sim_free(io);
}

/* Who answers in its time is not given up, whenever it was asked; who does not, is. */
static void test_silence(void **state)
{
    (void)state;
    sio_server *io = begin(NULL);
    be_member(io, NULL);
    sim_run_ms(io, 9990);
    sio_emit(all(io), "e", "");
    sim_run_ms(io, 20);  // a look in between
    assert_true(sio_redis_ready(io));
    assert_true(sim_like("PUBLISH*", taken(io, redis.publisher)));
    for (int i = 0; i < 5; i++) {  // each is asked, and answers
        taken(io, redis.publisher);
        if (strstr(taken(io, redis.listener), "PING") != NULL)
            sim_sendf(redis.listener, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
        sim_run_ms(io, 4990);
        assert_true(sio_redis_ready(io));
    }
    sim_run_ms(io, 0);
    redis.mute = true;
    sio_emit(all(io), "e", "");
    sim_run_ms(io, 15001);
    assert_false(sio_redis_ready(io));
    assert_non_null(strstr(lines, "Redis does not answer: it is given up (see whether it hangs)"));
    sim_free(io);
}

/* ---- What is bounded ------------------------------------------------------------------------ */

/* Emits a text of n bytes; the bytes of the message are MESSAGE more. */
static void emit_long(sio_server *io, size_t n)
{
    char *p = filled(n, 'x');
    sio_emit(all(io), "e", "%s", p);
    free(p);
}

enum { MESSAGE = 2 + 6 + 1 + 5 + 1 + 5 + 1 + 2 + 3 + 4 + 2 + 1 + 6 + 1 + 7 + 1 + 6 + 1 };

static void test_max_output(void **state)
{
    (void)state;
    for (int more = -1; more < 2; more++) {  // under, at, over
        sio_server *io = begin(NULL);
        be_member(io, &(sio_redis_options){ .max_output = 1000 });
        emit_long(io, (size_t)(1000 - MESSAGE + more));
        assert_int_equal(sio_get_stats(io)->unpublished, more > 0);
        sim_run_ms(io, 0);
        size_t n;
        sim_text(redis.publisher, &n);
        assert_int_equal(n, more > 0 ? 0 : 45 + 1000 + more - (more < 0));
        assert_int_equal(more > 0, strstr(lines, "more than max_output") != NULL);
        said(io);
        sim_room(redis.publisher, 0);  // it is slow
        for (int i = 0; i < 100; i++)
            emit_long(io, 300);
        sim_run_ms(io, 10);
        size_t lost = (size_t)sio_get_stats(io)->unpublished;
        assert_true(lost >= 97);
        assert_int_equal(sio_server_count(sio_of(io, "/"), NULL, NULL), -1);
        sim_room(redis.publisher, SIZE_MAX);
        said(io);
        emit_long(io, 300);
        said(io);
        assert_int_equal(sio_get_stats(io)->unpublished, lost);
        assert_true(sio_redis_ready(io));
        sim_free(io);
    }
}

static unsigned events;

static void count_event(sio_socket *s, sio_event *e)
{
    (void)s, (void)e;
    events++;
}

/* A server's event whose message has n bytes, on a channel whose name ends in so many more. */
static void hear_long(sio_server *io, size_t n, size_t name)
{
    static const char event[] = "{\"type\":6,\"data\":[\"ev\"]";
    char *p = filled(n, ' '), *channel = filled(name + 30, 'r');
    memcpy(p, event, sizeof event - 1);
    p[n - 1] = '}';
    memcpy(channel, name > 0 ? "socket.io#/#" : "socket.io-request#/#", name > 0 ? 12 : 21);
    hear_bytes(channel, p, n);
    sim_run_ms(io, 0);
    free(p);
    free(channel);
}

/* What is longer is skipped, whatever it comes in, and what follows is heard. */
static void test_max_message(void **state)
{
    (void)state;
    static const size_t cuts[] = { 0, 1, 7, 1000, SIM_RANDOM };
    for (size_t i = 0; i < COUNT(cuts); i++) {
        sio_server *io = begin(NULL);
        be_member(io, &(sio_redis_options){ .max_message = 3000 });
        sio_on_server(sio_of(io, "/"), "ev", count_event);
        sim.cut = cuts[i];
        events = 0;
        hear_long(io, 2999, 0);
        hear_long(io, 3000, 0);
        assert_int_equal(events, 2);
        assert_string_equal(lines, "");
        hear_long(io, 3001, 0);
        assert_int_equal(events, 2);
        hear_long(io, 100, 0);
        unsigned heard = events;
        hear_long(io, 100000, 0);
        hear_long(io, 100, 50000);  // its channel's name is too long
        hear_long(io, 200000, 50000);
        hear_long(io, 100, 0);
        assert_int_equal(events, heard + 1);
        assert_non_null(strstr(lines, "longer than max_message, 3000 bytes (raise it"));
        assert_true(sio_redis_ready(io));
        sim_free(io);
    }
}

/* What waits for Redis is not the clients' doing: it ends none of them, however little they may hold. */
static void test_max_memory_is_of_clients(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .max_memory = 100000 });
    be_member(io, NULL);
    enter(io, 'A', SIM_WS, NULL, "");
    sim_room(redis.publisher, 0);
    for (int i = 0; i < 20; i++) {
        emit_long(io, 10000);
        sim_run_ms(io, 1);
    }
    assert_int_equal(sio_get_stats(io)->unpublished, 0);
    assert_int_equal(sio_get_stats(io)->overflows, 0);
    assert_int_equal(sio_get_stats(io)->sockets, 1);
    sim_room(sim_peer_of('A')->ws, 0);  // one who holds too much is found among them
    for (int i = 0; i < 12; i++) {
        sio_emit(all(io), "e", "%s", "0123456789012345678901234567890123456789");
        emit_long(io, 10);
        for (int k = 0; k < 250; k++)
            sio_emit(sio_local(all(io)), "e", "%s", "0123456789012345678901234567890123456789");
        sim_run_ms(io, 1);
    }
    assert_int_equal(sio_get_stats(io)->overflows, 1);
    assert_int_equal(sio_get_stats(io)->sockets, 0);
    sim_free(io);
}

static void note_reply(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error, (void)answer;
}

/* What is RESP2, and nothing that Redis would say. */
static void test_strange_replies(void **state)
{
    (void)state;
    static const char *const strange[] = {
        "*0\r\n",
        "*-1\r\n",
        "$-1\r\n",
        ":-5\r\n",
        "*1\r\n$-1\r\n",
        "*1\r\n*0\r\n",
        "*3\r\n$7\r\nmessage\r\n:1\r\n:2\r\n",
        "*3\r\n$7\r\nmessage\r\n$-1\r\n$-1\r\n",
        "*3\r\n$7\r\nmessage\r\n*0\r\n*0\r\n",
        "*3\r\n$7\r\nmessage\r\n$0\r\n\r\n$0\r\n\r\n",
        "*3\r\n$7\r\nmessage\r\n$21\r\nsocket.io-request#/#x\r\n:5\r\n",
        "*3\r\n$7\r\nmessage\r\n$20\r\nsocket.io-request#/#\r\n:5\r\n",
        "*3\r\n$7\r\nmessage\r\n$21\r\nsocket.io-response#/#\r\n$-1\r\n",
        "*4\r\n$8\r\npmessage\r\n$13\r\nsocket.io#/#*\r\n:5\r\n:5\r\n",
        "*4\r\n$8\r\npmessage\r\n$13\r\nsocket.io#/#*\r\n$3\r\nabc\r\n$1\r\n\x93\r\n",
        "*4\r\n$8\r\npmessage\r\n*-1\r\n*-1\r\n*-1\r\n",
        "*5\r\n$8\r\npmessage\r\n+a\r\n+a\r\n+a\r\n+a\r\n",
    };
    for (int listens = 0; listens < 2; listens++) {
        sio_server *io = begin(NULL);
        be_member(io, NULL);
        for (size_t i = 0; i < COUNT(strange); i++) {
            sio_fetch_sockets(all(io), note_reply, NULL);
            sio_emit(all(io), "e", "");
            sim_sendf(listens ? redis.listener : redis.publisher, "%s", strange[i]);
            sim_run_ms(io, 0);
        }
        assert_true(sio_redis_ready(io));
        sim_sendf(redis.publisher, "-NOPERM not you\r\n");
        sim_run_ms(io, 0);
        if (listens)
            assert_non_null(strstr(lines, "does not count who hears a channel: NOPERM not you"));
        sim_free(io);
    }
}

/* A reply of many parts, of which none is too long, is not kept without end. */
static void test_endless_reply(void **state)
{
    (void)state;
    char part[1000];
    memset(part, 'x', sizeof part);
    memcpy(part, "$990\r\n", 6);
    memcpy(part + 996, "\r\n", 2);
    for (int listens = 0; listens < 2; listens++) {
        sio_server *io = begin(NULL);
        be_member(io, &(sio_redis_options){ .max_message = 1000 });
        sim_client *c = listens ? redis.listener : redis.publisher;
        size_t before = sim.bytes, most = 0;
        sim_sendf(c, "*1000000\r\n");
        for (int i = 0; i < 20000 && !sim_ended(c); i++) {
            sim_send(c, part, 998);
            sim_run_ms(io, 0);
            most = sim.bytes > most ? sim.bytes : most;
        }
        assert_true(most < before + (16 << 20));
        assert_true(sim_ended(c) || sim_closed(c));
        assert_non_null(strstr(lines, "has no end"));
        sim_free(io);
    }
}

static bool any_name(const char *name, sio_event *auth)
{
    (void)name, (void)auth;
    return true;
}

/* Namespaces that clients make come and go do not wait without end for a Redis that does not read. */
static void test_max_output_of_listener(void **state)
{
    (void)state;
    sio_server *io = begin(&(sio_options){ .cleanup_empty_namespaces = true });
    sio_family(io, any_name);
    be_member(io, &(sio_redis_options){ .max_output = 10000 });
    enter(io, 'A', SIM_WS, NULL, "");
    sim_room(redis.listener, 0);
    size_t before = sim.bytes;
    for (int i = 0; i < 1000; i++) {
        sim_say(sim_peer_of('A'), "40/dynamic,");
        sim_say(sim_peer_of('A'), "41/dynamic,");
        sim_hear_all(sim_peer_of('A'));
    }
    assert_true(sim.bytes < before + 100000);
    assert_non_null(strstr(lines, "waits for Redis to subscribe"));
    sim_run_ms(io, 200);
    redis.listener = sim_dialed();
    sim_run_ms(io, 0);
    greet_both(io);
    assert_true(sio_redis_ready(io));
    sim_free(io);
}

/* ---- The end -------------------------------------------------------------------------------- */

static void test_end_in_each_state(void **state)
{
    (void)state;
    for (int how = 0; how < 2; how++)
        for (int when = 0; when < 7; when++) {
            sio_server *io = begin(NULL);
            sim.away = when == 0 || when == 1;
            if (when < 4)
                sio_redis(io, "redis://h", NULL);
            else
                be_member(io, NULL);
            if (when >= 1 && when != 4)
                sim_run_ms(io, when == 6 ? 0 : 30);
            if (when == 3)
                take_dialed(io);
            if (when == 5)
                sim_abort(redis.listener);
            sio_emit(all(io), "last", "");
            if (how == 0)
                sio_shutdown(io);
            if (how == 0)
                for (int i = 0; i < 50 && sim_run_ms(io, 100) > 0; i++)
                    if (when > 3 && sim_ended(redis.publisher))
                        sim_close(redis.publisher), sim_close(redis.listener);
            if (how == 0 && when >= 4)
                assert_true(sim_like("*PUBLISH *last*", taken(io, redis.publisher)));
            sim_free(io);
        }
}

/* ---- Whatever fails ------------------------------------------------------------------------- */

static sim_client *wires[4000];
static bool hears_channels[4000];
static size_t n_wires;
static unsigned answers;
static unsigned long all_steps;

/* Redis does what it should, for that time. */
static void play_redis(sio_server *io, int ms)
{
    for (int t = 0; t <= ms; t += 25) {
        for (sim_client *c; (c = sim_dialed()) != NULL;)
            wires[n_wires++] = c, hears_channels[n_wires - 1] = false;
        for (size_t i = 0; i < n_wires; i++) {
            if (sim_closed(wires[i]))
                continue;
            redis.publisher = wires[i];
            redis.mute = true;
            const char *got = taken(io, wires[i]);
            redis.mute = false;
            for (const char *line = got; *line != '\0'; line = strchr(line, '\n') + 1) {
                hears_channels[i] |= strncmp(line, "PSUB", 4) == 0;
                if (strncmp(line, "PING", 4) == 0)
                    sim_sendf(wires[i],
                              hears_channels[i] ? "*2\r\n$4\r\npong\r\n$0\r\n\r\n" : "+PONG\r\n");
                else if (strncmp(line, "PUBLISH", 7) == 0)
                    sim_sendf(wires[i], ":1\r\n");
                else if (strncmp(line, "PUBSUB", 6) == 0)
                    sim_sendf(wires[i], "*2\r\n$1\r\nc\r\n:1\r\n");
            }
            if (hears_channels[i])
                redis.listener = wires[i];
        }
        sim_run_ms(io, 25);
    }
}

static void note_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error, (void)answer;
    answers++;
}

/* All that a member does; in the end it is a member that hears. */
static void live(unsigned long k, bool memory, int how)
{
    sim_fail = fail_with;
    redis_reset();
    lines[0] = '\0';
    n_wires = 0;
    events = answers = 0;
    unsigned asked = 0;
    sim_reset();
    sio_server *io = sim_begin(NULL);
    sio_namespace *ns = sio_of(io, "/");
    sio_on_server(ns, "ev", count_event);
    enter(io, 'A', SIM_WS, NULL, "");
    sim.allocs = sim.calls = 0;
    *(memory ? &sim.fail_alloc : &sim.fail_call) = k;
    sim.fail_how = how;
    if (sio_redis(io, "redis://:p@h/1", NULL) == 0) {
        play_redis(io, 0);
        sio_of(io, "/new");
        sio_emit(sio_to(all(io), "r"), "e", "%p", sio_binary(io, "a", 1));
        asked += sio_fetch_sockets(all(io), note_answer, NULL) == 0;
        asked += sio_all_rooms(ns, note_answer, NULL) == 0;
        asked += sio_server_count(ns, note_answer, NULL) == 0;
        asked += sio_server_request(ns, note_answer, NULL, "ev", "") == 0;
        asked += sio_request(sio_timeout(all(io), 300), note_answer, NULL, "q", "") == 0;
        sio_sockets_join(all(io), "x");
        play_redis(io, 300);
        if (redis.listener != NULL && !sim_closed(redis.listener)) {
            hear(io, "socket.io-request#/#", "{'uid':'o','requestId':'q','type':6,'data':['ev']}");
            hear(io, "socket.io-request#/#", "{'uid':'o','requestId':'q','type':5,'opts':{}}");
            hear(io, "socket.io-request#/#", "{'uid':'o','requestId':'q','type':1}");
            hear(io, "socket.io-request#/#",
                 "!{'uid':'o','requestId':'q','type':7,'packet':{'type':2,'data':['e',"
                 "{'_placeholder':true,'num':0}]},'opts':{'rooms':['x'],'except':['y']}}");
            hear(io, "socket.io#/#", "['o',{'type':2,'data':['e']},{'rooms':['x'],'except':[]}]");
            sim_abort(redis.listener);
        }
        play_redis(io, 7000);
        all_steps = memory ? sim.allocs : sim.calls;
        sim.fail_alloc = sim.fail_call = 0;
        play_redis(io, 12000);
        assert_true(k > 0 || asked == 5);
        if (!sio_redis_ready(io) || asked != answers)
            fail_msg("%s %lu: not ready, or %u answers to %u questions",
                     memory ? "allocation" : "call", k, answers, asked);
        events = 0;
        hear(io, "socket.io-request#/#", "{'uid':'o','type':6,'data':['ev']}");
        if (events != 1)
            fail_msg("%s %lu: it does not hear", memory ? "allocation" : "call", k);
    }
    sim_free(io);
}

static void test_anything_may_fail(void **state)
{
    (void)state;
    live(0, true, 0);
    unsigned long all_allocs = all_steps;
    for (unsigned long k = 1; k <= all_allocs; k++)
        live(k, true, 0);
    live(0, false, 0);
    unsigned long all_calls = all_steps < 600 ? all_steps : 600;
    for (unsigned long k = 1; k <= all_calls; k++)
        live(k, false, SIM_ERROR);
    print_message("%lu allocations, %lu calls\n", all_allocs, all_calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),
        cmocka_unit_test(test_greeting),
        cmocka_unit_test(test_faults_of_greeting),
        cmocka_unit_test(test_times_of_tries),
        cmocka_unit_test(test_refused_messages),
        cmocka_unit_test(test_lost),
        cmocka_unit_test(test_refused_subscription),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_max_output),
        cmocka_unit_test(test_max_message),
        cmocka_unit_test(test_max_memory_is_of_clients),
        cmocka_unit_test(test_strange_replies),
        cmocka_unit_test(test_endless_reply),
        cmocka_unit_test(test_max_output_of_listener),
        cmocka_unit_test(test_end_in_each_state),
        cmocka_unit_test(test_anything_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
