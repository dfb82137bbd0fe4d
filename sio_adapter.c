/* sio_adapter.c - what we say to the other servers of a cluster
 * SPDX-License-Identifier: MIT
 *
 * Servers that share the channels of a bus (sio_redis.c has one) are one server to their clients. They
 * speak as the reference's Redis adapter does, so that servers of both kinds can be members. Each
 * namespace has channels of its own:
 *
 *     KEY#/chat#                  events to all, or to several rooms
 *     KEY#/chat#ROOM#             events to one room: who has nobody there drops them unread
 *     KEY-request#/chat#          requests to all members
 *     KEY-response#/chat#         answers to all, and by option
 *     KEY-response#/chat#UID#     to the one who asked
 *
 * Events are MessagePack, [uid, packet, {rooms, except, flags}], and so is what may hold attachments; the
 * rest is JSON. What comes in is sio_inbox.c's.
 *
 * A question to the clients of all members, of whom one is not here:
 *
 *     us   {type 7, requestId, packet, ..}  --->  others    each asks its clients, with ids of its own
 *          {"type":8,"clientCount":2}       <---            2 answers more are expected
 *          {type 9, requestId, packet}      <---  twice     as they come
 *
 * What holds here:
 *  - An event goes out before our own clients get it, and what one member says in a namespace arrives in
 *    order.
 *  - A namespace's channels are found by what they are subscribed as, from its beginning to its end.
 *  - An inquiry is found by its id as long as somebody may answer it. */
#include "sio_core.h"

#include <errno.h>

static sio_adapter *adapter_of(sio_cluster *c)
{
    return (sio_adapter *)(void *)c;
}

/* Six characters that nobody else has drawn, we hope. */
static bool draw(const sio_adapter *a, char out[SIO_UID + 1])
{
    unsigned char bytes[(SIO_UID * 6 + 7) / 8];
    char text[8];
    if (sio_loop_random(a->io->net.loop, bytes, sizeof bytes) < 0)
        return false;
    sio_base64url_encode(bytes, sizeof bytes, text);
    memcpy(out, text, SIO_UID);
    out[SIO_UID] = '\0';
    return true;
}

/* ---- Channels ------------------------------------------------------------------------------------ */

/* Names of channels may have characters that patterns give a meaning. */
static void put_pattern(sio_sink *sink, sio_span name)
{
    for (size_t i = 0; i < name.n; i++) {
        sio_put(sink, "\\", memchr("*?[]\\", name.p[i], 5) != NULL);
        sio_put(sink, &name.p[i], 1);
    }
    sio_put(sink, "*", 1);
}

/* Writes one name behind the other, each with its NUL, to a text with room for them. */
static void name_channels(const sio_adapter *a, sio_channels *ch, sio_sink *sink)
{
    static const char *const kind[SIO_CHANNELS] = { "#", "-request#", "-response#", "-response#" };
    sio_span ns = sio_ns_span(ch->ns);
    for (int i = 0; i < SIO_CHANNELS; i++) {
        size_t from = sink->n;
        sio_put_text(sink, a->key);
        sio_put_text(sink, kind[i]);
        sio_put(sink, ns.p, ns.n);
        sio_put(sink, "#", 1);
        if (i == SIO_CH_OWN) {
            sio_put(sink, a->uid, SIO_UID);
            sio_put(sink, "#", 1);
        }
        sio_span name = { sink->p + from, sink->n - from };
        if (i == SIO_CH_EVENTS) {
            ch->events = name;
            sio_put(sink, "", 1);
            from = sink->n;
            put_pattern(sink, name);
        }
        ch->at[i].of = ch;
        ch->at[i].node.key = sink->p + from;
        ch->at[i].node.n = (uint32_t)(sink->n - from);
        sio_put(sink, "", 1);
    }
}

static void close_channels(sio_cluster *c, sio_namespace *ns)
{
    sio_adapter *a = adapter_of(c);
    sio_channels *ch = ns->channels, **at = &a->channels;
    while (*at != ch)
        at = &(*at)->next;
    *at = ch->next;
    a->bus->subscribe(a->bus, ch, false);
    for (int i = 0; i < SIO_CHANNELS; i++)
        sio_table_remove(&a->names, &ch->at[i].node);
    sio_free_mem(&a->io->net.memory, ch);
    ns->channels = NULL;
}

/* Without memory the namespace is this process's alone. */
static void open_channels(sio_cluster *c, sio_namespace *ns)
{
    sio_adapter *a = adapter_of(c);
    size_t n = strlen(a->key) + ns->node.n, room = 6 * n + 128;  // the pattern may have it twice
    sio_channels *ch = sio_alloc(&a->io->net.memory, sizeof *ch + room);
    int added = 0;
    if (ch != NULL) {
        sio_sink sink = { .p = ch->text, .cap = room };
        ch->ns = ns;
        name_channels(a, ch, &sink);
        while (added < SIO_CHANNELS && sio_table_add(&a->names, &ch->at[added].node))
            added++;
        if (added == SIO_CHANNELS) {
            ch->next = a->channels;
            a->channels = ch;
            ns->channels = ch;
            a->bus->subscribe(a->bus, ch, true);
            return;
        }
    }
    while (added > 0)
        sio_table_remove(&a->names, &ch->at[--added].node);
    sio_free_mem(&a->io->net.memory, ch);
    sio_log(
        &a->io->net,
        "namespace %.60s: there is no memory for its part in the cluster (give the server more)",
        ns->name);
}

sio_span sio_channel_of(const sio_namespace *ns, int kind)
{
    const sio_node *node = &ns->channels->at[kind].node;
    return (sio_span){ node->key, node->n };
}

/* ---- Out: events --------------------------------------------------------------------------------- */

void sio_put_word(sio_sink *sink, const char *name)
{
    sio_msgpack_put_string(sink, name, strlen(name));
}

static void put_names(sio_sink *sink, const char *key, const sio_target *t,
                      const char *(*name_of)(const sio_target *t, size_t i))
{
    size_t n = 0;
    while (name_of(t, n) != NULL)
        n++;
    sio_put_word(sink, key);
    sio_msgpack_put_array(sink, n);
    for (size_t i = 0; i < n; i++)
        sio_put_word(sink, name_of(t, i));
}

/* 5.2 */
static void put_packet(sio_sink *sink, const sio_namespace *ns, sio_span array,
                       const sio_span *blobs, size_t n_blobs)
{
    sio_msgpack_put_map(sink, 3);
    sio_put_word(sink, "type");
    sio_msgpack_put_integer(sink, SIO_EVENT);
    sio_put_word(sink, "data");
    sio_msgpack_put_json(sink, array, blobs, n_blobs);
    sio_put_word(sink, "nsp");
    sio_put_word(sink, ns->name);
}

static void put_options(sio_sink *sink, const sio_target *t)
{
    sio_msgpack_put_map(sink, 3);
    put_names(sink, "rooms", t, sio_target_room);
    put_names(sink, "except", t, sio_target_excepted);
    sio_put_word(sink, "flags");
    sio_msgpack_put_map(sink, (t->is_volatile ? 1u : 0u) + (t->timeout_ms > 0 ? 1u : 0u));
    if (t->is_volatile) {
        sio_put_word(sink, "volatile");
        sio_msgpack_put_bool(sink, true);
    }
    if (t->timeout_ms > 0) {
        sio_put_word(sink, "timeout");
        sio_msgpack_put_integer(sink, t->timeout_ms);
    }
}

/* The bus was not given it; what the bus itself refuses it has told and counted. */
static void fail(sio_adapter *a, const char *why)
{
    a->io->net.stats.unpublished++;
    sio_log(&a->io->net,
            "not published to the cluster, so that other processes' clients miss it: %s", why);
}

static const char no_memory[] = "no memory (give the server more)";

/* What is sent to exactly one room has a channel of its own (5.1). */
static void publish_event(sio_adapter *a, const sio_target *t, sio_span payload)
{
    const char *room = sio_target_room(t, 0);
    sio_span events = t->ns->channels->events;
    if (!a->room_channels || room == NULL || sio_target_room(t, 1) != NULL) {
        a->bus->publish(a->bus, events, payload);
        return;
    }
    size_t n = strlen(room);
    char *channel = sio_arena_get(&a->io->net.arena, events.n + n + 1);
    if (channel == NULL) {
        fail(a, no_memory);
        return;
    }
    memcpy(channel, events.p, events.n);
    memcpy(channel + events.n, room, n);
    channel[events.n + n] = '#';
    a->bus->publish(a->bus, (sio_span){ channel, events.n + n + 1 }, payload);
}

/* Has an inquiry found by a new id. */
static bool enter(sio_adapter *a, sio_inquiry *q)
{
    if (!draw(a, q->id) || sio_table_find(&a->inquiries, q->id, SIO_UID) != NULL)
        return false;
    q->table = &a->inquiries;
    q->node.key = q->id, q->node.n = SIO_UID;
    q->entered = sio_table_add(&a->inquiries, &q->node);
    return q->entered;
}

/* Counts the others, who are asked next: the bus carries both in this order. */
static bool count_others(sio_adapter *a, const sio_namespace *ns, const sio_inquiry *q)
{
    return a->bus->count(a->bus, sio_channel_of(ns, SIO_CH_REQUESTS), q->id);
}

static bool publish_request(sio_adapter *a, const sio_namespace *ns, sio_span payload)
{
    return a->bus->publish(a->bus, sio_channel_of(ns, SIO_CH_REQUESTS), payload);
}

static void put_request(sio_adapter *a, sio_sink *sink, const sio_target *t, const sio_inquiry *q,
                        sio_span array, const sio_span *blobs, size_t n_blobs)
{
    sio_msgpack_put_map(sink, 5);
    sio_put_word(sink, "uid");
    sio_put_word(sink, a->uid);
    sio_put_word(sink, "requestId");
    sio_put_word(sink, q->id);
    sio_put_word(sink, "type");
    sio_msgpack_put_integer(sink, SIO_ASK_CLIENTS);
    sio_put_word(sink, "packet");
    put_packet(sink, t->ns, array, blobs, n_blobs);
    sio_put_word(sink, "opts");
    put_options(sink, t);
}

static void tell_event(sio_adapter *a, const sio_target *t, sio_span array, const sio_span *blobs,
                       size_t n_blobs)
{
    sio_textbuf text = sio_text_new(&a->io->net.memory);
    sio_msgpack_put_array(&text.sink, 3);
    sio_put_word(&text.sink, a->uid);
    put_packet(&text.sink, t->ns, array, blobs, n_blobs);
    put_options(&text.sink, t);
    if (text.sink.failed)
        fail(a, no_memory);
    else
        publish_event(a, t, (sio_span){ text.sink.p, text.sink.n });
    sio_text_free(&text);
}

static void tell_question(sio_adapter *a, const sio_target *t, sio_span array,
                          const sio_span *blobs, size_t n_blobs, sio_inquiry *q)
{
    sio_textbuf text = sio_text_new(&a->io->net.memory);
    bool entered = enter(a, q), asked = false;
    put_request(a, &text.sink, t, q, array, blobs, n_blobs);
    if (!entered || text.sink.failed)
        fail(a, no_memory);
    else if (!count_others(a, t->ns, q))
        fail(a, "Redis is away, or does not read (start it, or see its log)");
    else
        asked = publish_request(a, t->ns, (sio_span){ text.sink.p, text.sink.n });
    if (!asked)
        sio_inquiry_unreached(q);
    sio_text_free(&text);
}

static void tell(sio_cluster *c, const sio_target *t, sio_span array, const sio_span *blobs,
                 size_t n_blobs, sio_question *q)
{
    sio_adapter *a = adapter_of(c);
    if (t->ns->channels != NULL && q == NULL) {
        tell_event(a, t, array, blobs, n_blobs);
    } else if (t->ns->channels != NULL) {
        tell_question(a, t, array, blobs, n_blobs, (sio_inquiry *)(void *)q);
    } else {
        fail(a, no_memory);  // for its channels
        if (q != NULL)
            sio_inquiry_unreached((sio_inquiry *)(void *)q);
    }
}

static sio_question *new_question(sio_cluster *c)
{
    sio_inquiry *q = sio_inquiry_new(adapter_of(c)->io, SIO_ASK_CLIENTS);
    if (q == NULL)
        return NULL;
    q->most = c->max_answer;
    return &q->base;
}

/* ---- Out: requests ------------------------------------------------------------------------------- */

static void put_member(sio_sink *sink, const char *key, const char *text)
{
    sio_json_put_string(sink, key, strlen(key));
    sio_put(sink, ":", 1);
    sio_json_put_string(sink, text, strlen(text));
    sio_put(sink, ",", 1);
}

/* 5.3; id NULL: none. */
static void put_head(const sio_adapter *a, sio_sink *sink, const char *id, int type)
{
    sio_put(sink, "{", 1);
    put_member(sink, "uid", a->uid);
    if (id != NULL)
        put_member(sink, "requestId", id);
    sio_put_text(sink, "\"type\":");
    sio_put_number(sink, (uint64_t)type);
}

static bool ask(sio_cluster *c, sio_namespace *ns, sio_inquiry *q, int type, sio_span rest)
{
    sio_adapter *a = adapter_of(c);
    if (ns->channels == NULL || (q != NULL && !enter(a, q)))
        return false;
    if (type == SIO_ASK_COUNT)
        return count_others(a, ns, q);
    sio_textbuf text = sio_text_new(&a->io->net.memory);
    put_head(a, &text.sink, q == NULL ? NULL : q->id, type);
    sio_put(&text.sink, rest.p, rest.n);
    sio_put(&text.sink, "}", 1);
    sio_span payload = { text.sink.p, text.sink.n };
    bool good = !text.sink.failed && (q == NULL || count_others(a, ns, q)) &&
                publish_request(a, ns, payload);
    sio_text_free(&text);
    return good;
}

static bool change(sio_cluster *c, const sio_target *t, int what, const char *const *rooms,
                   size_t n)
{
    sio_adapter *a = adapter_of(c);
    sio_textbuf rest = sio_text_new(&a->io->net.memory);
    sio_put_target(&rest.sink, t);
    if (what == SIO_JOIN || what == SIO_LEAVE) {
        sio_put_text(&rest.sink, ",\"rooms\":[");
        for (size_t i = 0; i < n; i++) {
            sio_put(&rest.sink, ",", i > 0);
            sio_json_put_string(&rest.sink, rooms[i], strlen(rooms[i]));
        }
        sio_put_text(&rest.sink, "]");
    } else {
        sio_put_text(&rest.sink, what == SIO_END ? ",\"close\":false" : ",\"close\":true");
    }
    bool good = !rest.sink.failed && ask(c, t->ns, NULL, what == SIO_END_ALL ? SIO_END : what,
                                         (sio_span){ rest.sink.p, rest.sink.n });
    sio_text_free(&rest);
    return good && a->bus->hears(a->bus);  // else it would not come back to us
}

/* ---- Life ---------------------------------------------------------------------------------------- */

void sio_adapter_free(sio_adapter *a)
{
    const sio_memory *m = &a->io->net.memory;
    while (a->channels != NULL)
        close_channels(&a->cluster, a->channels->ns);
    sio_table_free(&a->names);
    sio_table_free(&a->inquiries);
    a->io->cluster = NULL;
    sio_free_mem(m, a);
}

sio_adapter *sio_adapter_new(sio_server *io, sio_bus *bus, const sio_redis_options *options)
{
    const sio_memory *m = &io->net.memory;
    const char *key = options->key == NULL ? "socket.io" : options->key;
    sio_adapter *a = sio_alloc(m, sizeof *a + strlen(key) + 1);
    if (a == NULL)
        return NULL;
    strcpy(a->key, key);
    a->io = io, a->bus = bus;
    if (!draw(a, a->uid)) {
        sio_free_mem(m, a);
        return NULL;
    }
    a->cluster = (sio_cluster){ .tell = tell,
                                .question = new_question,
                                .ask = ask,
                                .change = change,
                                .open = open_channels,
                                .close = close_channels,
                                .timeout_ms = options->requests_timeout_ms,
                                .max_answer = options->max_message };
    a->own_channel = options->publish_on_specific_response_channel;
    a->room_channels = options->room_channels != SIO_OFF;
    a->names.memory = a->inquiries.memory = m;
    io->cluster = &a->cluster;
    for (sio_node *node = NULL; (node = sio_table_next(&io->namespaces, node)) != NULL;) {
        open_channels(&a->cluster, (sio_namespace *)node);
        if (((sio_namespace *)node)->channels == NULL) {
            sio_adapter_free(a);
            errno = ENOMEM;
            return NULL;
        }
    }
    return a;
}
