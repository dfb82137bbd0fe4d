/* sim_redis.h - a Redis that the test plays, and what a member of a cluster says over it
 * SPDX-License-Identifier: MIT
 *
 * Commands are written as lines, their words separated by blanks. A word that is MessagePack of an array or
 * a map is shown as JSON, bytes that are no plain ASCII as \xNN. The member's uid is "UID", the
 * id of its last question "ID"; "'" in what a test writes stands for '"'. */
#ifndef TEST_SIM_REDIS_H
#define TEST_SIM_REDIS_H

#include "sim.h"

/* The two connections, what PUBSUB NUMSUB says, and whether the listener hears what is published. */
typedef struct sim_redis {
    sim_client *publisher, *listener;
    int servers;
    bool echoes, mute;
    const char *refusal;  // of each PUBLISH; NULL: none
    char uid[8], id[8];   // the member's; of its last question
    char text[65536];     // what said() returns
} sim_redis;
static sim_redis redis;

static inline const char *quoted(const char *text)
{
    static char copies[4][100000];
    static unsigned turn;
    char *out = copies[turn++ % 4];
    snprintf(out, sizeof copies[0], "%s", text);
    for (char *p = out; *p != '\0'; p++)
        *p = *p == '\'' ? '"' : *p;
    return out;
}

/* The listener hears n bytes on a channel. */
static inline void hear_bytes(const char *channel, const void *p, size_t n)
{
    const char *name = channel + strcspn(channel, "#");
    const char *second = *name == '\0' ? NULL : strchr(name + 1, '#');
    bool event = strncmp(channel, "socket.io#", 10) == 0 && second != NULL;
    int prefix = event ? (int)(second + 1 - channel) : 0;
    if (event)
        sim_sendf(redis.listener, "*4\r\n$8\r\npmessage\r\n$%d\r\n%.*s*\r\n", prefix + 1, prefix,
                  channel);
    else
        sim_sendf(redis.listener, "*3\r\n$7\r\nmessage\r\n");
    sim_sendf(redis.listener, "$%zu\r\n", strlen(channel));
    sim_send(redis.listener, channel, strlen(channel));
    sim_sendf(redis.listener, "\r\n$%zu\r\n", n);
    sim_send(redis.listener, p, n);
    sim_sendf(redis.listener, "\r\n");
}

/* JSON in which UID and ID are the member's; events and what begins with '!' become MessagePack, with two
 * attachments for placeholders, "abc" and none. */
static inline void hear(sio_server *io, const char *channel, const char *json)
{
    static const sio_span blobs[2] = { { "abc", 3 }, { "", 0 } };
    static char text[100000], packed[200000];
    size_t n = 0;
    for (const char *p = quoted(json); *p != '\0' && n < sizeof text - 10;) {
        const char *put = strncmp(p, "UID", 3) == 0  ? redis.uid
                          : strncmp(p, "ID", 2) == 0 ? redis.id
                                                     : NULL;
        p += put == NULL ? 0 : put == redis.uid ? 3 : 2;
        if (put != NULL)
            n += (size_t)snprintf(text + n, 8, "%s", put);
        else
            text[n++] = *p++;
    }
    text[n] = '\0';
    bool bang = text[0] == '!';
    if (!bang && strncmp(channel, "socket.io#", 10) != 0) {
        hear_bytes(channel, text, n);
    } else {
        sio_sink sink = { .p = packed, .cap = sizeof packed };
        must(sio_msgpack_put_json(&sink, (sio_span){ text + bang, n - bang }, blobs, 2),
             "the JSON of a test becomes MessagePack");
        hear_bytes(channel, packed, sink.n);
    }
    sim_run_ms(io, 0);
}

/* Puts the ids' names in the place of the ids. */
static inline void put_named(sio_sink *sink, sio_span text)
{
    for (size_t i = 0; i < text.n; i++) {
        char code[8];
        unsigned char b = (unsigned char)text.p[i];
        if (redis.uid[0] && text.n - i >= 6 && memcmp(text.p + i, redis.uid, 6) == 0) {
            sio_put_text(sink, "UID");
            i += 5;
        } else if (redis.id[0] && text.n - i >= 6 && memcmp(text.p + i, redis.id, 6) == 0) {
            sio_put_text(sink, "ID");
            i += 5;
        } else {
            snprintf(code, sizeof code, b >= ' ' && b < 0x7f ? "%c" : "\\x%02x", b);
            sio_put_text(sink, code);
        }
    }
}

static inline void put_word(sio_sink *sink, sio_span word)
{
    static char json[60000];
    static sio_span blobs[1000];
    sio_sink out = { .p = json, .cap = sizeof json };
    size_t n = 0;
    bool packed = word.n > 1 && (unsigned char)word.p[0] >= 0x80 &&
                  (unsigned char)word.p[0] < 0xa0 && sio_msgpack_check(word.p, word.n, 100, &n) &&
                  n < 1000;
    if (packed) {
        sio_msgpack_put_as_json(&out, word, blobs);
        word = (sio_span){ json, out.n };
    }
    static const char head[] = "{\"uid\":\"123456\",\"requestId\":\"123456";
    if (word.n > sizeof head && memcmp(word.p, head, 8) == 0 &&
        memcmp(word.p + 16, head + 16, 13) == 0)
        memcpy(redis.id, word.p + sizeof head - 7, 6);
    put_named(sink, word);
}

/* Redis does what it is told, but for what the test keeps it from. */
static inline void obey(sio_server *io, const sio_span *word, size_t n)
{
    (void)io;
    if (redis.mute)
        return;
    if (sio_span_is(word[0], "PING"))
        sim_sendf(redis.publisher, "+PONG\r\n");
    else if (sio_span_is(word[0], "PUBSUB"))
        sim_sendf(redis.publisher, "*2\r\n$%zu\r\n%.*s\r\n:%d\r\n", word[2].n, (int)word[2].n,
                  word[2].p, redis.servers);
    else if (sio_span_is(word[0], "PUBLISH") && redis.refusal != NULL)
        sim_sendf(redis.publisher, "-%s\r\n", redis.refusal);
    else if (sio_span_is(word[0], "PUBLISH"))
        sim_sendf(redis.publisher, ":%d\r\n", redis.servers);
    if (n == 3 && redis.echoes && sio_span_is(word[0], "PUBLISH")) {
        char channel[300];
        snprintf(channel, sizeof channel, "%.*s", (int)word[1].n, word[1].p);
        hear_bytes(channel, word[2].p, word[2].n);
    }
}

/* What a connection was sent since the last look. The publisher's commands are obeyed. */
static inline const char *taken(sio_server *io, sim_client *c)
{
    sio_sink sink = { .p = redis.text, .cap = sizeof redis.text - 1 };
    size_t n, want, used = 0;
    const char *p = sim_text(c, &n);
    ptrdiff_t size;
    while (n > used && (size = sio_resp_size(p + used, n - used, &want)) > 0) {
        sio_span rest = { p + used, (size_t)size }, word[8];
        sio_resp item;
        size_t words = 0;
        sio_resp_next(&rest, &item);
        for (; words < 8 && sio_resp_next(&rest, &item); words++) {
            sio_put(&sink, " ", words > 0);
            put_word(&sink, item.text);
            word[words] = item.text;
        }
        sio_put(&sink, "\n", 1);
        if (c == redis.publisher)
            obey(io, word, words);
        used += (size_t)size;
    }
    sim_take(c, used);
    redis.text[sink.n] = '\0';
    return redis.text;
}

/* What is published, until nothing more is. */
static inline const char *said(sio_server *io)
{
    static char all[200000];
    size_t n = 0;
    all[0] = '\0';
    for (int i = 0; i < 8; i++) {
        sim_run_ms(io, 0);
        n += (size_t)snprintf(all + n, sizeof all - n, "%s", taken(io, redis.publisher));
    }
    return all;
}

/* Whether that is published; a pattern as of sim_like. */
static inline void says_like(sio_server *io, const char *rule, const char *pattern)
{
    const char *got = said(io);
    sim_must(sim_like(quoted(pattern), got), "%s: published\n%sand not\n%s", rule, got,
             quoted(pattern));
}

/* The connections that the server has opened now. */
static inline void take_dialed(sio_server *io)
{
    redis.publisher = sim_dialed(), redis.listener = sim_dialed();
    sim_run_ms(io, 0);
}

static inline void greet_both(sio_server *io)
{
    taken(io, redis.publisher);
    const char *own = strstr(taken(io, redis.listener), "-response#/# ");
    if (own != NULL && (own = strstr(own + 13, "-response#/#")) != NULL)
        memcpy(redis.uid, own + 12, 6);
    sim_sendf(redis.listener, "*2\r\n$4\r\npong\r\n$0\r\n\r\n");
    sim_run_ms(io, 0);
}

static inline void redis_reset(void)
{
    memset(&redis, 0, sizeof redis);
    redis.servers = 1;
}

/* Makes io a member that is ready. */
static inline void be_member(sio_server *io, const sio_redis_options *options)
{
    redis_reset();
    must(sio_redis(io, "redis://127.0.0.1", options) == 0, "a member begins");
    take_dialed(io);
    greet_both(io);
    must(sio_redis_ready(io), "a member is ready");
}

/* A client in a namespace, "" being "/". */
static inline sim_peer *enter(sio_server *io, char name, int transport, const char *query,
                              const char *ns)
{
    sim_peer *p = sim_peer_of(name);
    char text[200];
    *p = (sim_peer){ .io = io };
    sim_open(io, p, transport, query);
    if (query == NULL || strcmp(query, "3") != 0 || ns[0] != '\0') {
        snprintf(text, sizeof text, "40%s%s", ns, ns[0] ? "," : "");
        sim_say(p, text);
    }
    sim_hear_all(p);
    return p;
}

static inline void hears(const char *rule, char name, const char *pattern)
{
    sim_run_ms(sim_peer_of(name)->io, 0);
    const char *got = sim_hear_all(sim_peer_of(name));
    sim_must(sim_like(quoted(pattern), got), "%s: %c heard\n%s\nand not\n%s", rule, name, got,
             quoted(pattern));
}

#endif
