/* sio_redis.c - the bus between servers: channels of a Redis
 * SPDX-License-Identifier: MIT
 *
 * Redis takes no commands over a connection that hears channels (RESP2), so there are two:
 *
 *     publisher    PUBLISH channel message    the number of each reply tells whose it is
 *                  PUBSUB NUMSUB channel
 *     listener     PSUBSCRIBE, SUBSCRIBE      then what the channels bring
 *
 *     DOWN --timer--> GREETING --AUTH, SELECT, subscriptions, PING are answered--> UP
 *      ^                 +--refused, silent, lost------------------------+--+
 *      +--in 0.1 s, twice that each time, at most 5 s; some more or less----+
 *
 * What holds here:
 *  - A wire's timer is set as long as the server lives, so that setting it again can't fail.
 *  - Publishing never waits and never fails the caller: own clients have got the event. What is not
 *    certain to have arrived, because Redis refused it, was away or went away, is counted.
 *  - What waits for Redis, and what it can make us keep, is bounded.
 *  - A Redis that is silent while an answer is due, or that does not answer a PING, is as good as gone. */
#include "sio_core.h"

#include <errno.h>
#include <stdlib.h>

enum {
    LOOK_MS = 5000,  // between two looks whether it is silent
    FIRST_MS = 100,  // until it is tried again
    LONGEST_MS = 5000,
    MAX_ADDRESSES = 8,
    SPARE_BYTES = 4 << 20,  // what a reply may have beside a message: names of channels, heads
    PORT = 6379
};

enum { DOWN, GREETING, UP };

typedef struct redis redis;

/* One of the two connections. */
typedef struct wire {
    sio_timer timer;  // first; of the next try, or look
    redis *owner;
    sio_conn *conn;  // NULL: it is down
    unsigned char state;
    bool listens;
    bool heard, pinged;  // since the last look; and nothing came since
    unsigned tries;      // that failed, one behind the other
    unsigned address;    // which one is next
    uint64_t sent, got;  // commands, replies: what one of these was for is known by its number
    uint64_t looked;     // commands that were sent at the last look
    size_t skip;         // bytes of what is too long, still to come
} wire;

/* A command whose reply is waited for: PUBSUB NUMSUB. */
typedef struct counting {
    struct counting *next;
    uint64_t number;
    char id[8];
} counting;

struct redis {
    sio_bus bus;  // first
    sio_part part;
    sio_server *io;
    sio_adapter *adapter;
    wire publisher, listener;
    counting *counting, **counting_end;
    uint64_t due;  // messages that Redis has not said to have
    size_t max_output, max_message;
    sio_ip address[MAX_ADDRESSES];
    int n_addresses, port, database;
    char *user, *password;  // in text; NULL: none
    char host[270];         // for the log
    char text[];
};

static void try_again(wire *w);

/* ---- Commands ------------------------------------------------------------------------------------ */

/* Begins a command of n words, which are put to the sink that is returned. */
static sio_sink *begin(wire *w, size_t n)
{
    sio_out *out = &w->owner->io->net.out;
    sio_out_begin(out);
    sio_resp_put_command(&out->sink, n);
    return &out->sink;
}

static void put(sio_sink *sink, const char *word)
{
    sio_resp_put_bulk(sink, word, strlen(word));
}

/* Ends it. False: no memory; nothing is sent. */
static bool end(wire *w)
{
    sio_ref ref;
    if (!sio_out_end(&w->owner->io->net.out, &ref))
        return false;
    sio_conn_queue(w->conn, ref);
    sio_ref_release(ref);
    w->sent++;
    return true;
}

/* The same of what must not be left out: it is begun again when there is memory. */
static void end_or_break(wire *w)
{
    if (!end(w))
        sio_conn_break(w->conn);
}

static void put_channel(sio_sink *sink, const sio_channel *channel)
{
    sio_resp_put_bulk(sink, channel->node.key, channel->node.n);
}

static void put_subscription(wire *w, const sio_channels *ch, bool on)
{
    sio_sink *sink = begin(w, 2);
    put(sink, on ? "PSUBSCRIBE" : "PUNSUBSCRIBE");
    put_channel(sink, &ch->at[SIO_CH_EVENTS]);
    end_or_break(w);
    sink = begin(w, SIO_CHANNELS);
    put(sink, on ? "SUBSCRIBE" : "UNSUBSCRIBE");
    for (int i = SIO_CH_EVENTS + 1; i < SIO_CHANNELS; i++)
        put_channel(sink, &ch->at[i]);
    end_or_break(w);
}

/* What is said first, all at once. The answer to PING is the last. */
static void greet(wire *w)
{
    redis *r = w->owner;
    const sio_channels *ch = w->listens ? r->adapter->channels : NULL;
    sio_sink *sink;
    w->sent = w->got = 0;
    if (r->password != NULL) {
        sink = begin(w, r->user == NULL ? 2 : 3);
        put(sink, "AUTH");
        if (r->user != NULL)
            put(sink, r->user);
        put(sink, r->password);
        end_or_break(w);
    }
    if (r->database > 0) {
        char digits[SIO_DIGITS];
        sink = begin(w, 2);
        put(sink, "SELECT");
        sio_resp_put_bulk(sink, digits, sio_number_text((uint64_t)r->database, digits));
        end_or_break(w);
    }
    for (; ch != NULL; ch = ch->next)
        put_subscription(w, ch, true);
    put(begin(w, 1), "PING");
    end_or_break(w);
}

/* What still comes is not looked at. */
static void give_up(wire *w)
{
    w->state = DOWN;
    sio_conn_break(w->conn);
}

/* Where Redis does not read, what clients make come and go would wait without end: it is begun again,
 * with what there is then. */
static void subscribe(sio_bus *b, const sio_channels *ch, bool on)
{
    redis *r = (redis *)(void *)b;
    wire *w = &r->listener;
    if (w->conn == NULL || w->conn->broken)
        return;
    if (w->state == UP && sio_conn_pending(w->conn) > r->max_output) {
        sio_log(
            &r->io->net,
            "more than max_output, %zu bytes, waits for Redis to subscribe: it is given up (see "
            "whether it hangs); Redis %s",
            r->max_output, r->host);
        give_up(w);
        return;
    }
    put_subscription(w, ch, on);
}

static bool hears(const sio_bus *b)
{
    return ((const redis *)(const void *)b)->listener.state == UP;
}

static void lose(redis *r, uint64_t n, const char *why)
{
    r->io->net.stats.unpublished += n;
    sio_log(&r->io->net,
            "not published to the cluster, so that other processes' clients miss it: %s; Redis %s",
            why, r->host);
}

static bool publish(sio_bus *b, sio_span channel, sio_span payload)
{
    redis *r = (redis *)(void *)b;
    wire *w = &r->publisher;
    if (w->conn == NULL) {
        lose(r, 1, "Redis is away (start it, or see to the network)");
        return false;
    }
    if (sio_conn_pending(w->conn) + payload.n > r->max_output) {
        lose(r, 1, "more than max_output would wait for Redis (publish less, or raise it)");
        return false;
    }
    sio_sink *sink = begin(w, 3);
    put(sink, "PUBLISH");
    sio_resp_put_bulk(sink, channel.p, channel.n);
    sio_resp_put_bulk(sink, payload.p, payload.n);
    if (!end(w)) {
        lose(r, 1, "no memory (give the server more)");
        return false;
    }
    r->io->net.stats.published++;
    r->due++;
    return true;
}

static bool count(sio_bus *b, sio_span channel, const char id[8])
{
    redis *r = (redis *)(void *)b;
    wire *w = &r->publisher;
    bool full = w->conn == NULL || sio_conn_pending(w->conn) > r->max_output;
    counting *k = full ? NULL : sio_alloc(&r->io->net.memory, sizeof *k);
    if (k == NULL)
        return false;
    sio_sink *sink = begin(w, 3);
    put(sink, "PUBSUB");
    put(sink, "NUMSUB");
    sio_resp_put_bulk(sink, channel.p, channel.n);
    if (!end(w)) {
        sio_free_mem(&r->io->net.memory, k);
        return false;
    }
    memcpy(k->id, id, sizeof k->id);
    k->number = w->sent;
    *r->counting_end = k;
    r->counting_end = &k->next;
    return true;
}

static void drop_first_count(redis *r)
{
    counting *k = r->counting;
    r->counting = k->next;
    if (k->next == NULL)
        r->counting_end = &r->counting;
    sio_free_mem(&r->io->net.memory, k);
}

/* ---- Replies ------------------------------------------------------------------------------------- */

static wire *wire_of(const sio_conn *c)
{
    return c->u.own.owner;
}

/* A reply before it is up. */
static void on_greeting(wire *w, const sio_resp *item, sio_span rest)
{
    redis *r = w->owner;
    sio_resp word = *item;
    if (item->kind == SIO_RESP_ERROR) {
        sio_log(&r->io->net,
                "Redis refuses us: %.*s (see user, password and database of the url); Redis %s",
                item->text.n < 200 ? (int)item->text.n : 200, item->text.p, r->host);
        give_up(w);
        return;
    }
    if (item->kind == SIO_RESP_ARRAY)  // who has subscribed gets all answers so
        sio_resp_next(&rest, &word);
    if (!sio_span_is_nocase(word.text, "pong"))
        return;
    if (w->tries > 0)
        sio_log(&r->io->net, "Redis is there again for %s; Redis %s",
                w->listens ? "listening" : "publishing", r->host);
    w->state = UP;
    w->tries = 0;
}

/* A reply to the publisher: *2 channel :n to a count, and :n to what was published. */
static void on_reply(wire *w, const sio_resp *item, sio_span rest)
{
    redis *r = w->owner;
    char why[240];
    if (r->counting != NULL && r->counting->number == w->got) {
        char id[8];
        sio_resp n = { .number = -1 };
        bool counted = item->kind == SIO_RESP_ARRAY && sio_resp_next(&rest, &n) &&
                       sio_resp_next(&rest, &n) && n.kind == SIO_RESP_INTEGER;
        memcpy(id, r->counting->id, sizeof id);
        drop_first_count(r);
        if (item->kind == SIO_RESP_ERROR)
            sio_log(&r->io->net,
                    "Redis does not count who hears a channel: %.*s (let this user do PUBSUB; "
                    "questions wait for their whole time); Redis %s",
                    item->text.n < 200 ? (int)item->text.n : 200, item->text.p, r->host);
        if (counted)
            sio_inbox_counted(r->adapter, id, n.number);
        return;
    }
    if (item->kind != SIO_RESP_INTEGER && item->kind != SIO_RESP_ERROR)
        return;
    r->due -= r->due > 0;
    if (item->kind == SIO_RESP_ERROR) {
        sio_sink sink = { .p = why, .cap = sizeof why - 1 };
        sio_put(&sink, item->text.p, item->text.n < 200 ? item->text.n : 200);
        why[sink.n] = '\0';
        lose(r, 1, why);
    }
}

static void drop_long(redis *r)
{
    sio_log(
        &r->io->net,
        "a message of the cluster was dropped: longer than max_message, %zu bytes (raise it, or "
        "publish less); Redis %s",
        r->max_message, r->host);
}

/* What the listener gets: arrays of a word and what belongs to it. */
static void on_push(wire *w, const sio_resp *item, sio_span rest)
{
    redis *r = w->owner;
    sio_resp word, part[3];
    int n = 0;
    if (item->kind == SIO_RESP_ERROR && w->state == UP)
        sio_log(&r->io->net,
                "Redis refuses a subscription: %.*s (let this user hear the channels); Redis %s",
                item->text.n < 200 ? (int)item->text.n : 200, item->text.p, r->host);
    if (item->kind != SIO_RESP_ARRAY || !sio_resp_next(&rest, &word))
        return;
    while (n < 3 && sio_resp_next(&rest, &part[n]))
        n++;
    bool pattern = n == 3 && sio_span_is(word.text, "pmessage");
    if (!pattern && !(n == 2 && sio_span_is(word.text, "message")))
        return;
    if (part[n - 1].text.n > r->max_message) {
        drop_long(r);
        return;
    }
    r->io->net.stats.heard++;
    sio_inbox_hear(r->adapter, part[0].text, part[n - 2].text, part[n - 1].text);
}

static void on_whole(wire *w, sio_span reply)
{
    sio_resp item;
    sio_resp_next(&reply, &item);
    bool greeting = w->state == GREETING;
    w->got++;
    if (greeting)
        on_greeting(w, &item, reply);
    if (w->listens && w->state != DOWN)
        on_push(w, &item, reply);
    else if (!greeting)
        on_reply(w, &item, reply);
}

/* The bulk that a reply which is not all there breaks off in: *bytes is its length. Returns where it ends;
 * 0: it is none, or its length is not known yet. */
static size_t broken_bulk(const char *p, size_t n, int64_t *bytes)
{
    sio_span rest = { p, n };
    sio_resp item;
    while (sio_resp_next(&rest, &item))
        ;
    const char *line = rest.n == 0 ? NULL : memchr(rest.p, '\r', rest.n);
    if (line == NULL || rest.p[0] != SIO_RESP_BULK ||
        !sio_json_integer((sio_span){ rest.p + 1, (size_t)(line - rest.p) - 1 }, bytes))
        return 0;
    return (size_t)(line + 2 - p) + (size_t)*bytes + 2;
}

/* Throws a message that is too long away as it comes. Where it was the channel's name that is, what it
 * belongs to follows as a bulk alone, which says nothing to anybody. */
static size_t skip(wire *w, const char *p, size_t n)
{
    int64_t bytes = 0;
    size_t whole = broken_bulk(p, n, &bytes);
    if (whole <= n || (uint64_t)bytes <= w->owner->max_message)
        return 0;
    drop_long(w->owner);
    w->skip = whole - n;
    return n;
}

static size_t take(sio_conn *c, char *p, size_t n, size_t seen)
{
    wire *w = wire_of(c);
    redis *r = w->owner;
    size_t want = 0;
    (void)seen;
    w->heard = true;
    if (w->state == DOWN)
        return n;
    if (w->skip > 0) {
        size_t k = w->skip < n ? w->skip : n;
        w->skip -= k;
        return k;
    }
    ptrdiff_t size = sio_resp_size(p, n, &want);
    if (size > 0) {
        on_whole(w, (sio_span){ p, (size_t)size });
        return (size_t)size;
    }
    if (size < 0 || (n > SPARE_BYTES && n - SPARE_BYTES > r->max_message)) {
        sio_log(&r->io->net, "what Redis says is no RESP2, or has no end (is it one?); Redis %s",
                r->host);
        give_up(w);
        return n;
    }
    return want > r->max_message ? skip(w, p, n) : 0;
}

static size_t want(const char *p, size_t n)
{
    size_t bytes = 0;
    return sio_resp_size(p, n, &bytes) == 0 ? bytes : 0;
}

/* ---- Life of a connection ------------------------------------------------------------------------ */

static void on_end(sio_conn *c, bool clean)
{
    wire *w = wire_of(c);
    redis *r = w->owner;
    (void)clean;
    w->conn = NULL;
    w->state = DOWN;
    while (!w->listens && r->counting != NULL)
        drop_first_count(r);  // the questions end at their time
    if (!w->listens && r->due > 0 && !r->io->net.stopping)
        lose(r, r->due, "Redis went away before it said that it has it");
    if (!w->listens)
        r->due = 0;
    try_again(w);
}

static const sio_conn_protocol protocol = {
    .take = take, .want = want, .end = on_end, .own = true
};

static void dial(wire *w)
{
    redis *r = w->owner;
    w->skip = 0;
    w->looked = 0;
    w->heard = w->pinged = false;
    w->conn = sio_conn_open(&r->io->net, &protocol, w,
                            &r->address[w->address % (unsigned)r->n_addresses], r->port);
    if (w->conn == NULL) {
        try_again(w);
        return;
    }
    w->state = GREETING;
    greet(w);
    sio_timer_after(&r->io->net, &w->timer, LOOK_MS);
}

/* Later, and not all members at once. */
static void try_again(wire *w)
{
    redis *r = w->owner;
    unsigned char random = 0;
    if (r->io->net.stopping || r->io->freeing)
        return;
    int64_t ms = w->tries > 5 ? LONGEST_MS : (int64_t)FIRST_MS << w->tries;
    sio_loop_random(r->io->net.loop, &random, 1);
    ms = ms * (192 + random / 2) / 256;  // three to five quarters
    if (w->tries == 0)
        sio_log(&r->io->net,
                "no connection to Redis for %s: it is not there, or ended it (start it, or see its "
                "log; it is tried again and again); Redis %s",
                w->listens ? "listening" : "publishing", r->host);
    w->tries++;
    w->address++;
    sio_timer_after(&r->io->net, &w->timer, ms);
}

static void on_timer(void *owner, sio_timer *timer)
{
    wire *w = (wire *)(void *)timer;
    (void)owner;
    if (w->conn == NULL) {
        if (!w->owner->io->net.stopping)
            dial(w);
        return;
    }
    bool due = w->state == GREETING || w->pinged || (!w->listens && w->looked > w->got);
    if (!w->heard && due) {
        sio_log(&w->owner->io->net,
                "Redis does not answer: it is given up (see whether it hangs); Redis %s",
                w->owner->host);
        sio_conn_end(w->conn, false);
        return;
    }
    if (!w->heard) {
        put(begin(w, 1), "PING");
        end(w);
    }
    w->pinged = !w->heard;
    w->heard = false;
    w->looked = w->sent;
    sio_timer_after(&w->owner->io->net, &w->timer, LOOK_MS);
}

/* ---- The url ------------------------------------------------------------------------------------- */

/* Decodes a part of the url to *text, which moves behind it and its NUL. */
static char *take_text(char **text, const char *p, size_t n)
{
    char *out = *text;
    for (size_t i = 0; i < n; i++) {
        int high = i + 2 < n ? sio_hex_value(p[i + 1]) : -1;
        int low = high < 0 ? -1 : sio_hex_value(p[i + 2]);
        bool escaped = p[i] == '%' && low >= 0;
        char c = p[i];
        if (escaped)
            c = (char)(high << 4 | low), i += 2;
        *(*text)++ = c;
    }
    *(*text)++ = '\0';
    return out;
}

/* A number of digits alone, up to most; -1: it is none. */
static int number_in(const char *p, size_t n, int most)
{
    int v = 0;
    for (size_t i = 0; i < n; i++) {
        if (!sio_is_digit(p[i]) || i == 7)
            return -1;
        v = v * 10 + (p[i] - '0');
    }
    return n > 0 && v <= most ? v : -1;
}

/* What stands in [[user][:password]@]: an empty user is none. */
static void read_user(redis *r, char **text, const char *p, size_t n)
{
    const char *colon = memchr(p, ':', n);
    size_t user = colon == NULL ? n : (size_t)(colon - p);
    if (user > 0)
        r->user = take_text(text, p, user);
    if (user > 0 || n > 1)
        r->password =
            take_text(text, colon == NULL ? "" : colon + 1, colon == NULL ? 0 : n - user - 1);
}

/* What stands behind "redis://". 0 or -1. */
static int read_url(redis *r, const char *p)
{
    char *text = r->text;
    if (strstr(p, "%00") != NULL)  // no text in C has it
        return sio_fail(EINVAL);
    size_t n = strcspn(p, "/?#");
    const char *path = p + n, *at = NULL;
    for (const char *q = p; q < path; q++)
        at = *q == '@' ? q : at;  // the last
    if (at != NULL) {
        read_user(r, &text, p, (size_t)(at - p));
        n -= (size_t)(at + 1 - p);
        p = at + 1;
    }
    bool bracket = n > 0 && p[0] == '[';
    const char *end = bracket ? memchr(p, ']', n) : memchr(p, ':', n);
    size_t host_n = end == NULL ? n : (size_t)(end - p);
    const char *port = bracket && end != NULL ? end + 1 : end;
    size_t port_n = port == NULL ? 0 : (size_t)(path - port);
    r->port = port_n == 0 ? PORT : port[0] == ':' ? number_in(port + 1, port_n - 1, 65535) : -1;
    r->database = path[0] == '\0' || strcmp(path, "/") == 0
                      ? 0
                      : number_in(path + 1, strlen(path + 1), 1000000);
    if (r->port <= 0 || r->database < 0 || path[0] == '?' || path[0] == '#' ||
        (bracket && end == NULL) || host_n > 255)
        return sio_fail(EINVAL);
    char *host = take_text(&text, p + bracket, host_n - bracket);
    sio_sink sink = { .p = r->host, .cap = sizeof r->host - 1 };
    sio_put_text(&sink, host[0] == '\0' ? "localhost" : host);
    r->n_addresses = sio_loop_resolve(r->io->net.loop, r->host, r->address, MAX_ADDRESSES);
    sio_put(&sink, ":", 1);
    sio_put_number(&sink, (uint64_t)r->port);
    return r->n_addresses < 0 ? -1 : 0;
}

/* ---- The part ------------------------------------------------------------------------------------ */

static redis *redis_of(sio_part *p)
{
    return (redis *)(void *)((char *)p - offsetof(redis, part));
}

/* Nothing is tried any more; what is queued leaves still. */
static void close_part(sio_part *p, const char *reason)
{
    redis *r = redis_of(p);
    (void)reason;
    sio_timer_clear(&r->io->net.clock, &r->publisher.timer);
    sio_timer_clear(&r->io->net.clock, &r->listener.timer);
}

static void free_part(sio_part *p)
{
    redis *r = redis_of(p);
    sio_inbox_end(r->adapter);
    sio_adapter_free(r->adapter);
    sio_free_mem(&r->io->net.memory, r);
}

static void complete(sio_redis_options *o)
{
    if (o->requests_timeout_ms <= 0)
        o->requests_timeout_ms = 5000;
    if (o->max_output == 0)
        o->max_output = 16u << 20;
    if (o->max_message == 0)
        o->max_message = 16u << 20;
}

static int make(sio_server *io, const char *url, sio_redis_options *o)
{
    redis *r = sio_alloc(&io->net.memory, sizeof *r + strlen(url) + 4);
    if (r == NULL)
        return sio_fail(ENOMEM);
    r->io = io;
    r->bus =
        (sio_bus){ .publish = publish, .count = count, .subscribe = subscribe, .hears = hears };
    r->part = (sio_part){ .close = close_part, .free = free_part };
    r->counting_end = &r->counting;
    r->max_output = o->max_output, r->max_message = o->max_message;
    r->publisher.owner = r->listener.owner = r;
    r->publisher.timer.expire = r->listener.timer.expire = on_timer;
    r->listener.listens = true;
    if (read_url(r, url) < 0 || (r->adapter = sio_adapter_new(io, &r->bus, o)) == NULL) {
        int error = errno;
        sio_free_mem(&io->net.memory, r);
        return sio_fail(error);
    }
    sio_inbox_begin(r->adapter);
    if (!sio_timer_after(&io->net, &r->publisher.timer, LOOK_MS) ||
        !sio_timer_after(&io->net, &r->listener.timer, LOOK_MS)) {
        close_part(&r->part, NULL);
        free_part(&r->part);
        return sio_fail(ENOMEM);
    }
    sio_part_add(io, &r->part);
    dial(&r->publisher);
    dial(&r->listener);
    return 0;
}

int sio_redis(sio_server *io, const char *url, const sio_redis_options *options)
{
    sio_redis_options o = options == NULL ? (sio_redis_options){ .key = NULL } : *options;
    if (io == NULL || url == NULL)
        return sio_fail(EINVAL);
    if (io->cluster != NULL || io->freeing)
        return sio_fail(EBUSY);
    if (strncmp(url, "rediss:", 7) == 0) {
        sio_log(&io->net,
                "rediss: is not spoken, there is no TLS here (have a tunnel, such as stunnel, "
                "and write redis:)");
        return sio_fail(EPROTONOSUPPORT);
    }
    if (strncmp(url, "redis://", 8) != 0)
        return sio_fail(EINVAL);
    complete(&o);
    return make(io, url + 8, &o);
}

bool sio_redis_ready(const sio_server *io)
{
    const sio_part *p = io->cluster == NULL ? NULL : io->parts;
    while (p != NULL && p->free != free_part)
        p = p->next;
    if (p == NULL)
        return false;
    const redis *r = (const redis *)(const void *)((const char *)p - offsetof(redis, part));
    return r->publisher.state == UP && r->listener.state == UP;
}
