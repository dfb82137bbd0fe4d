/* sio_cluster.c - what an application asks of its cluster, of which this process may be all
 * SPDX-License-Identifier: MIT
 *
 * A question to the other servers is one to sockets (sio_emit.c) that goes on: each server that there is
 * adds its answers.
 *
 *     asked --counted: 3 others--> open --answer--> open --answer--> open --answer--> over
 *       |                            +--its time is over: with what came--------------^
 *       +--alone, or nobody can be reached: in the next turn, with our own answers----^
 *
 * What a question needs of the others goes through io->cluster (sio_adapter.c); without one it is a
 * question to a cluster of one.
 *
 * What holds here:
 *  - Every sio_answer is called exactly once, never from inside of the call that asked.
 *  - Of what others answer a question keeps as much as was told (most); the rest is as if it had not
 *    come. */
#include "sio_core.h"

#include <errno.h>
#include <stdio.h>

/* ---- Questions ----------------------------------------------------------------------------------- */

/* A name that an answer to sio_all_rooms had. */
typedef struct seen {
    sio_node node;  // first; in inquiry->rooms
    char name[];
} seen;

static void on_over(sio_question *base)
{
    sio_inquiry *q = (sio_inquiry *)base;
    const sio_memory *m = &base->io->net.memory;
    sio_node *node;
    size_t from = 0;
    if (q->entered)
        sio_table_remove(q->table, &q->node);
    while ((node = sio_table_any(&q->rooms, &from)) != NULL) {
        sio_table_remove(&q->rooms, node);
        sio_free_mem(m, node);
    }
    sio_table_free(&q->rooms);
}

/* The texts are the reference's. */
static void on_late(void *owner, sio_timer *timer)
{
    sio_inquiry *q = (sio_inquiry *)(void *)timer;
    char text[100];
    if (!q->base.open) {
        sio_question_over(owner, timer);
        return;
    }
    if (q->type == SIO_ASK_COUNT)  // we are there
        sio_inquiry_hear(q, sio_make(q->base.io, "1"));
    if (q->type == SIO_ASK_SERVERS && q->servers >= 0)
        snprintf(text, sizeof text, "timeout reached: only %lld responses received out of %lld",
                 (long long)q->heard, (long long)q->servers);
    else
        snprintf(text, sizeof text, "timeout reached while waiting for %s response",
                 q->type == SIO_ASK_FETCH   ? "fetchSockets"
                 : q->type == SIO_ASK_ROOMS ? "allRooms"
                                            : "serverCount");
    sio_question_finish(&q->base, text);
}

sio_inquiry *sio_inquiry_new(sio_server *io, int type)
{
    sio_inquiry *q = sio_alloc(&io->net.memory, sizeof *q);
    if (q == NULL)
        return NULL;
    q->base.io = io;
    q->base.timer.expire = on_late;
    q->base.over = on_over;
    q->type = type;
    q->servers = -1;
    q->rooms.memory = &io->net.memory;
    return q;
}

/* Whether the name came the first time. */
static bool is_new_room(sio_inquiry *q, sio_span name)
{
    if (sio_table_find(&q->rooms, name.p, name.n) != NULL)
        return false;
    seen *s = sio_alloc(&q->base.io->net.memory, sizeof *s + name.n + 1);
    if (s == NULL)
        return true;
    memcpy(s->name, name.p, name.n);
    s->node.key = s->name, s->node.n = (uint32_t)name.n;
    if (!sio_table_add(&q->rooms, &s->node))
        sio_free_mem(&q->base.io->net.memory, s);
    return true;
}

/* What an answer takes, with its attachments. */
static size_t weight_of(const sio_inquiry *q, sio_value answer)
{
    size_t bytes = answer == NULL ? 0 : sizeof *answer + answer->n;
    for (size_t i = 0; answer != NULL && i < answer->n_blobs; i++)
        bytes += answer->blobs[i].n + sizeof answer->blobs[i];
    return q->type == SIO_ASK_ROOMS ? 2 * bytes + sizeof(seen) : bytes;
}

void sio_inquiry_hear(sio_inquiry *q, sio_value answer)
{
    size_t n = 0;
    const char *room = q->type == SIO_ASK_ROOMS ? sio_text(answer, &n) : NULL;
    if (q->bytes > q->most)
        return;
    if (q->type == SIO_ASK_ROOMS && (room == NULL || !is_new_room(q, (sio_span){ room, n })))
        return;
    q->bytes += weight_of(q, answer);
    if (q->bytes > q->most)
        return;
    if (q->type != SIO_ASK_CLIENTS)
        q->base.expected++;
    sio_question_hear(&q->base, answer);
}

void sio_inquiry_heard(sio_inquiry *q)
{
    q->heard++;
    q->base.open = q->servers < 0 || q->heard < q->servers;
    sio_question_check(&q->base);
}

void sio_inquiry_counted(sio_inquiry *q, int64_t servers)
{
    if (q->base.unasked != NULL)
        return;  // they were counted, and then could not be asked
    q->servers = servers > 1 ? servers - 1 : 0;
    if (q->type == SIO_ASK_COUNT) {
        char digits[SIO_DIGITS];
        size_t n = sio_number_text((uint64_t)q->servers + 1, digits);
        sio_value_data v = sio_value_of(q->base.io, (sio_span){ digits, n });
        sio_inquiry_hear(q, &v);
        q->servers = 0;
    }
    q->base.open = q->heard < q->servers;
    sio_question_check(&q->base);
}

void sio_inquiry_unreached(sio_inquiry *q)
{
    q->base.open = false;
    q->base.unasked = "the other processes can't be reached";
}

/* One that has our own answers, or still gets them; NULL: it can't be asked. */
static sio_inquiry *begin(sio_namespace *ns, int type, sio_answer fn, void *data)
{
    sio_inquiry *q = NULL;
    if (ns == NULL || ns->accept != NULL || fn == NULL)
        errno = EINVAL;
    else if (ns->io->freeing)  // as in sio_request
        errno = ECANCELED;
    else if ((q = sio_inquiry_new(ns->io, type)) == NULL)
        errno = ENOMEM;
    if (q == NULL)
        return NULL;
    q->base.fn = fn, q->base.data = data;
    q->most = SIZE_MAX;  // of our own
    q->base.open = true;
    return q;
}

/* It is not asked after all. Returns -1. */
static int abandon(sio_inquiry *q, int error)
{
    q->base.fn = NULL;
    sio_question_finish(&q->base, NULL);
    return sio_fail(error);
}

/* Asks the others; rest: what their request has besides. local: they are not asked. */
static int ask(sio_namespace *ns, sio_inquiry *q, sio_span rest, bool local)
{
    sio_server *io = ns->io;
    sio_cluster *c = io->cluster;
    if (!sio_timer_after(&io->net, &q->base.timer, -1))
        return abandon(q, ENOMEM);
    q->base.open = false;
    if (local || c == NULL)
        return 0;
    q->base.open = true;
    q->bytes = 0, q->most = c->max_answer;
    if (c->ask(c, ns, q, q->type, rest))
        sio_timer_after(&io->net, &q->base.timer, c->timeout_ms);
    else
        sio_inquiry_unreached(q);
    return 0;
}

/* ---- Sockets of all processes -------------------------------------------------------------------- */

void sio_share(sio_server *io, sio_value (*data)(sio_socket *socket))
{
    io->share = data;
}

/* As JavaScript writes a date. */
static const char *time_text(int64_t ms, char out[64])
{
    char date[30];
    sio_date_text(ms / 1000, date);  // "Sun, 06 Nov 1994 08:49:37 GMT"
    snprintf(out, 64, "%.3s %.3s %.2s %.4s %.8s GMT+0000 (Coordinated Universal Time)", date,
             date + 8, date + 5, date + 12, date + 17);
    return out;
}

static sio_value headers_of(sio_socket *s)
{
    const char *name, *value;
    sio_value all = sio_object(s->ns->io);
    bool good = all != NULL;
    for (size_t i = 0; good && sio_field(s, i, &name, &value); i++)
        if (sio_utf8_prefix(value, strlen(value)) == strlen(value))
            good = sio_set_member(all, name, "%s", value) == 0;
    return good ? all : NULL;
}

sio_value sio_socket_described(sio_socket *s)
{
    sio_server *io = s->ns->io;
    char when[64];
    sio_value data = io->share == NULL ? NULL : io->share(s);
    sio_value handshake =
        sio_make(io,
                 "{'headers':%p,'time':%s,'address':%s,'xdomain':!!%d,'secure':!!%d,'issued':%lld,"
                 "'url':%s,'query':%p,'auth':%p}",
                 headers_of(s), time_text(sio_issued(s), when), sio_address(s), sio_xdomain(s),
                 sio_secure(s), (long long)sio_issued(s), sio_url(s), sio_query(s), sio_auth(s));
    return sio_make(io, "{'id':%s,'handshake':%p,'rooms':%p,'data':%p}", sio_id(s), handshake,
                    sio_socket_rooms(s), data == NULL ? sio_object(io) : data);
}

static void hear_socket(sio_socket *s, void *data)
{
    sio_inquiry_hear(data, sio_socket_described(s));
}

int sio_fetch_sockets(sio_target t, sio_answer fn, void *data)
{
    if (sio_target_check(&t, "a visit of", "sockets") < 0)
        return -1;
    sio_server *io = t.ns->io;
    sio_inquiry *q = begin(t.ns, SIO_ASK_FETCH, fn, data);
    if (q == NULL)
        return -1;
    sio_scope_enter(&io->net);
    sio_each(t, hear_socket, q);
    sio_textbuf rest = sio_text_new(&io->net.memory);
    sio_put_target(&rest.sink, &t);
    int result = ask(t.ns, q, (sio_span){ rest.sink.p, rest.sink.n },
                     t.is_local || t.only_self || rest.sink.failed);
    sio_text_free(&rest);
    sio_scope_leave(&io->net);
    return result;
}

static void put_names(sio_sink *sink, const sio_target *t,
                      const char *(*name_of)(const sio_target *t, size_t i))
{
    const char *name;
    for (size_t i = 0; (name = name_of(t, i)) != NULL; i++) {
        sio_put(sink, ",", i > 0);
        sio_json_put_string(sink, name, strlen(name));
    }
}

void sio_put_target(sio_sink *sink, const sio_target *t)
{
    sio_put_text(sink, ",\"opts\":{\"rooms\":[");
    put_names(sink, t, sio_target_room);
    sio_put_text(sink, "],\"except\":[");
    put_names(sink, t, sio_target_excepted);
    sio_put_text(sink, "]}");
}

void sio_own_rooms(sio_namespace *ns, void (*fn)(sio_span room, void *data), void *data)
{
    for (sio_node *node = NULL; (node = sio_table_next(&ns->rooms, node)) != NULL;)
        fn((sio_span){ node->key, node->n }, data);
    for (size_t i = 0; i < ns->n_sockets; i++)
        if (!ns->sockets[i]->left_own_room)
            fn((sio_span){ ns->sockets[i]->id, strlen(ns->sockets[i]->id) }, data);
}

static void hear_room(sio_span room, void *data)
{
    sio_inquiry *q = data;
    sio_inquiry_hear(q, sio_make(q->base.io, "%s", room.p));
}

int sio_all_rooms(sio_namespace *ns, sio_answer fn, void *data)
{
    sio_inquiry *q = begin(ns, SIO_ASK_ROOMS, fn, data);
    if (q == NULL)
        return -1;
    sio_scope_enter(&ns->io->net);
    sio_own_rooms(ns, hear_room, q);
    int result = ask(ns, q, SIO_NONE, false);
    sio_scope_leave(&ns->io->net);
    return result;
}

int sio_server_count(sio_namespace *ns, sio_answer fn, void *data)
{
    sio_inquiry *q = begin(ns, SIO_ASK_COUNT, fn, data);
    if (q == NULL)
        return -1;
    sio_scope_enter(&ns->io->net);
    int result = ask(ns, q, SIO_NONE, false);
    if (result == 0 && !q->base.open) {  // we are one, as far as we know
        q->base.open = true;             // it is over in the next turn
        sio_inquiry_hear(q, sio_make(ns->io, "1"));
        q->base.open = false;
    }
    sio_scope_leave(&ns->io->net);
    return result;
}

/* ---- Events between processes -------------------------------------------------------------------- */

int(sio_on_server)(sio_namespace *ns, const char *event, sio_handler fn, void *data)
{
    if (ns == NULL || event == NULL || fn == NULL)
        return sio_fail(EINVAL);
    return sio_handlers_set(ns, &ns->of_servers, event,
                            (sio_bound){ .fn.handler = fn, .data = data });
}

int(sio_off_server)(sio_namespace *ns, const char *event, sio_handler fn, void *data)
{
    if (ns == NULL || event == NULL)
        return 0;
    return sio_handlers_take(&ns->of_servers, event, fn, data);
}

/* Writes text with its attachments as JSON.stringify does, which has no other way for bytes. */
void sio_put_plain(sio_sink *sink, sio_span text, const sio_span *blobs, size_t n_blobs)
{
    size_t at = 0, from = 0;
    sio_span object;
    int64_t num;
    while (n_blobs > 0 && sio_packet_placeholder(text, &at, &object, &num)) {
        if (num < 0 || (uint64_t)num >= n_blobs)
            continue;
        sio_put(sink, text.p + from, (size_t)(object.p - text.p) - from);
        sio_put_text(sink, "{\"type\":\"Buffer\",\"data\":[");
        for (size_t i = 0; i < blobs[num].n; i++) {
            sio_put(sink, ",", i > 0);
            sio_put_number(sink, (unsigned char)blobs[num].p[i]);
        }
        sio_put_text(sink, "]}");
        from = at;
    }
    sio_put(sink, text.p + from, text.n - from);
}

/* Says an event to the other servers; q: they shall answer. It is gone where that fails. */
static int say(sio_namespace *ns, sio_inquiry *q, const char *event, const char *template,
               va_list ap)
{
    sio_server *io = ns->io;
    sio_textbuf text = sio_text_new(&io->net.memory), rest = sio_text_new(&io->net.memory);
    sio_template t = { .io = io, .sink = &text.sink, .comma = true };
    sio_arguments args;
    int result = 0;
    sio_json_put_string(&text.sink, event, strlen(event));
    va_copy(args.ap, ap);
    sio_template_write(&t, template, &args);
    va_end(args.ap);
    sio_put_text(&rest.sink, ",\"data\":[");
    if (!text.sink.failed)
        sio_put_plain(&rest.sink, (sio_span){ text.sink.p, text.sink.n }, t.blobs, t.n_blobs);
    sio_put_text(&rest.sink, "]");
    sio_span data = { rest.sink.p, rest.sink.n };
    if (text.sink.failed || rest.sink.failed) {
        result = sio_template_fail(&t, "event", (sio_span){ event, strlen(event) });
        if (q != NULL)
            abandon(q, errno);
    } else if (q != NULL) {
        result = ask(ns, q, data, false);
    } else if (io->cluster != NULL) {
        io->cluster->ask(io->cluster, ns, NULL, SIO_ASK_SERVERS, data);
    }
    sio_text_free(&text);
    sio_text_free(&rest);
    return result;
}

/* Names that belong to the server itself, as with the reference. */
static bool is_reserved(const char *event)
{
    return strcmp(event, "connect") == 0 || strcmp(event, "connection") == 0 ||
           strcmp(event, "new_namespace") == 0;
}

int sio_vserver_emit(sio_namespace *ns, const char *event, const char *template, va_list ap)
{
    if (ns == NULL || ns->accept != NULL || event == NULL || is_reserved(event))
        return sio_fail(EINVAL);
    sio_scope_enter(&ns->io->net);
    int result = say(ns, NULL, event, template, ap);
    sio_scope_leave(&ns->io->net);
    return result;
}

int(sio_server_emit)(sio_namespace *ns, const char *event, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vserver_emit(ns, event, template, ap);
    va_end(ap);
    return result;
}

int sio_vserver_request(sio_namespace *ns, sio_answer fn, void *data, const char *event,
                        const char *template, va_list ap)
{
    if (event == NULL || is_reserved(event))
        return sio_fail(EINVAL);
    sio_inquiry *q = begin(ns, SIO_ASK_SERVERS, fn, data);
    if (q == NULL)
        return -1;
    sio_scope_enter(&ns->io->net);
    int result = say(ns, q, event, template, ap);
    sio_scope_leave(&ns->io->net);
    return result;
}

int(sio_server_request)(sio_namespace *ns, sio_answer fn, void *data, const char *event,
                        const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vserver_request(ns, fn, data, event, template, ap);
    va_end(ap);
    return result;
}
