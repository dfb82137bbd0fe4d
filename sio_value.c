/* sio_value.c - JSON values as applications see them, and the arguments of events
 * SPDX-License-Identifier: MIT
 *
 * A value is a span of JSON text that was checked when it came in, or bytes that become an
 * attachment. Writing a value copies its text; only the numbers of its placeholders are new, for
 * they count through the packet that is being written.
 *
 * What holds here: values live in the server's arena, until the callback ends, but for those that
 * sio_keep made. What is made of one of these refers to its bytes, and so may an event under way: so
 * one that is dropped is freed when the outermost callback has returned, as the arena is. */
#include "sio_core.h"

#include <errno.h>
#include <string.h>

/* ---- Values -------------------------------------------------------------------------------------- */

sio_value_data sio_value_of(sio_server *io, sio_span json)
{
    return (sio_value_data){ .mark = { SIO_MARK[0], SIO_MARK[1], SIO_MARK[2], SIO_MARK[3] },
                             .io = io,
                             .p = json.p,
                             .n = json.n };
}

sio_value sio_value_new(sio_server *io, unsigned char kind, sio_span bytes, const sio_span *blobs,
                        size_t n_blobs)
{
    sio_value_data *v = sio_arena_get(&io->net.arena, sizeof *v);
    if (v == NULL)
        return NULL;
    *v = sio_value_of(io, bytes);
    v->kind = kind;
    v->blobs = blobs, v->n_blobs = n_blobs;
    return v;
}

sio_value sio_value_written(sio_server *io, unsigned char kind, sio_textbuf *text,
                            const sio_span *blobs, size_t n_blobs)
{
    char *copy = text->sink.failed ? NULL : sio_arena_get(&io->net.arena, text->sink.n);
    sio_span bytes = { copy, text->sink.n };
    if (copy != NULL && bytes.n > 0)
        memcpy(copy, text->sink.p, bytes.n);
    sio_text_free(text);
    return copy == NULL ? NULL : sio_value_new(io, kind, bytes, blobs, n_blobs);
}

static sio_value_data constant(const char *text)
{
    return sio_value_of(NULL, (sio_span){ text, strlen(text) });
}

sio_value sio_null(void)
{
    static sio_value_data v;
    v = constant("null");
    return &v;
}

sio_value sio_bool(bool b)
{
    static sio_value_data yes, no;
    yes = constant("true"), no = constant("false");
    return b ? &yes : &no;
}

sio_value sio_binary(sio_server *io, const void *p, size_t n)
{
    return sio_value_new(io, SIO_VALUE_BINARY, (sio_span){ p == NULL ? "" : p, n }, NULL, 0);
}

sio_value sio_parse(sio_server *io, const char *json, size_t n)
{
    if (json == NULL || sio_utf8_prefix(json, n) != n ||
        !sio_json_check(json, n, io->options.max_depth, NULL)) {
        errno = EINVAL;
        return NULL;
    }
    sio_span text = sio_json_value(json, n);
    char *copy = sio_arena_get(&io->net.arena, text.n);
    sio_value v = sio_value_new(io, SIO_VALUE_JSON, (sio_span){ copy, text.n }, NULL, 0);
    if (copy == NULL || v == NULL) {
        errno = ENOMEM;
        return NULL;
    }
    memcpy(copy, text.p, text.n);
    return v;
}

/* A part of a value: the same attachments, another span. */
static sio_value part(const sio_value_data *v, sio_span s)
{
    return sio_value_new(v->io, SIO_VALUE_JSON, s, v->blobs, v->n_blobs);
}

sio_value sio_spread(sio_server *io, sio_value v)
{
    if (v != NULL && v->kind == SIO_VALUE_SPREAD)
        return v;
    if (sio_type(v) != SIO_ARRAY)
        return NULL;
    sio_span inside = { v->p + 1, v->n - 2 };
    return sio_value_new(io, SIO_VALUE_SPREAD, inside, v->blobs, v->n_blobs);
}

/* The attachment that the value stands for (B01, B02); p NULL: none. Without attachments a placeholder
 * is an object (B06). */
static sio_span blob_of(const sio_value_data *v)
{
    sio_span object;
    size_t at = 0;
    int64_t num;
    if (v->kind == SIO_VALUE_BINARY)
        return (sio_span){ v->p == NULL ? "" : v->p, v->n };
    if (v->kind != SIO_VALUE_JSON || v->n_blobs == 0 || v->p[0] != '{')
        return SIO_NONE;
    if (!sio_packet_placeholder((sio_span){ v->p, v->n }, &at, &object, &num) || object.p != v->p)
        return SIO_NONE;
    return num >= 0 && (uint64_t)num < v->n_blobs ? v->blobs[num] : SIO_NONE;
}

enum sio_type sio_type(sio_value v)
{
    if (v == NULL || v->n == 0)
        return v != NULL && v->kind == SIO_VALUE_BINARY ? SIO_BINARY : SIO_NULL;
    if (blob_of(v).p != NULL)
        return SIO_BINARY;
    static const char first[] = "nft\"[{";
    static const enum sio_type types[] = { SIO_NULL,   SIO_FALSE, SIO_TRUE,
                                           SIO_STRING, SIO_ARRAY, SIO_OBJECT };
    const char *at = strchr(first, v->kind == SIO_VALUE_SPREAD ? '[' : v->p[0]);
    return at == NULL || *at == '\0' ? SIO_NUMBER : types[at - first];
}

sio_json_walk sio_value_walk(const sio_value_data *v)
{
    if (v->kind == SIO_VALUE_SPREAD)
        return (sio_json_walk){ v->p, v->p + v->n, false };
    return sio_json_open((sio_span){ v->p, v->n });
}

size_t sio_count(sio_value v)
{
    sio_span name, element;
    size_t n = 0;
    enum sio_type type = sio_type(v);
    if (type != SIO_ARRAY && type != SIO_OBJECT)
        return 0;
    for (sio_json_walk w = sio_value_walk(v); sio_json_next(&w, &name, &element);)
        n++;
    return n;
}

sio_value sio_at(sio_value v, size_t i)
{
    sio_span name, element;
    if (sio_type(v) != SIO_ARRAY)
        return NULL;
    for (sio_json_walk w = sio_value_walk(v); sio_json_next(&w, &name, &element); i--)
        if (i == 0)
            return part(v, element);
    return NULL;
}

/* S34: of several members of one name it is the last. */
sio_span sio_value_member(sio_span object, const char *key, size_t n)
{
    sio_span name, value, found = SIO_NONE;
    for (sio_json_walk w = sio_json_open(object); sio_json_next(&w, &name, &value);)
        if (sio_json_text_is(name, key, n))
            found = value;
    return found;
}

sio_value sio_member(sio_value v, const char *key)
{
    if (sio_type(v) != SIO_OBJECT)
        return NULL;
    sio_span found = sio_value_member((sio_span){ v->p, v->n }, key, strlen(key));
    return found.p == NULL ? NULL : part(v, found);
}

const char *sio_text(sio_value v, size_t *n)
{
    if (sio_type(v) != SIO_STRING)
        return NULL;
    char *text = sio_arena_get(&v->io->net.arena, v->n);
    if (text == NULL)
        return NULL;
    size_t size = sio_json_unescape((sio_span){ v->p, v->n }, text);
    text[size] = '\0';
    if (n != NULL)
        *n = size;
    return text;
}

const void *sio_bytes(sio_value v, size_t *n)
{
    sio_span blob = v == NULL ? SIO_NONE : blob_of(v);
    if (n != NULL)
        *n = blob.n;
    return blob.p;
}

const char *sio_json(sio_value v, size_t *n)
{
    sio_span json = SIO_SPAN("null");
    if (v != NULL && v->kind != SIO_VALUE_BINARY)
        json = (sio_span){ v->p, v->n };
    if (n != NULL)
        *n = json.n;
    return json.p;
}

/* A value that was kept, in one block of memory: the struct, the list of attachments, the bytes. */
typedef struct kept_value {
    sio_link link;  // first
    sio_value_data value;
} kept_value;

sio_value sio_keep(sio_server *io, sio_value v)
{
    v = v == NULL ? sio_null() : v;
    size_t size = sizeof(kept_value) + v->n_blobs * sizeof *v->blobs + v->n;
    for (size_t i = 0; i < v->n_blobs; i++)
        size += v->blobs[i].n;
    kept_value *kept = sio_resize(&io->net.memory, NULL, size);
    if (kept == NULL)
        return NULL;
    sio_span *blobs = (sio_span *)(void *)(kept + 1);
    char *p = (char *)(blobs + v->n_blobs);
    kept->value = *v;
    kept->value.io = io;
    kept->value.kept = true;
    kept->value.grows = false;
    kept->value.blobs = blobs;
    kept->value.p = p;
    if (v->n > 0)
        memcpy(p, v->p, v->n);
    p += v->n;
    for (size_t i = 0; i < v->n_blobs; i++) {
        blobs[i] = (sio_span){ p, v->blobs[i].n };
        if (blobs[i].n > 0)
            memcpy(p, v->blobs[i].p, blobs[i].n);
        p += blobs[i].n;
    }
    return &kept->value;
}

void sio_drop(sio_value v)
{
    if (v == NULL || !v->kept)
        return;
    kept_value *kept = (kept_value *)(void *)((char *)v - offsetof(kept_value, value));
    v->kept = false;
    sio_scope_free(&v->io->net, &kept->link);
}

/* ---- Writing values ------------------------------------------------------------------------------ */

/* B14: placeholders are numbered as they appear in the packet that is written, whatever they were in
 * the one that they came from. */
static void put_blob(sio_template *t, sio_span blob)
{
    sio_put_text(t->sink, "{\"_placeholder\":true,\"num\":");
    sio_put_number(t->sink, t->n_blobs);
    sio_put(t->sink, "}", 1);
    if (t->n_blobs == SIO_ATTACHMENTS_OUT) {
        t->many = true;
        return;
    }
    if (t->n_blobs == t->cap_blobs) {
        size_t cap = t->cap_blobs == 0 ? 8 : t->cap_blobs * 2;
        sio_span *more = sio_arena_get(&t->io->net.arena, cap * sizeof *more);
        if (more == NULL) {
            t->sink->failed = true;
            return;
        }
        if (t->n_blobs > 0)
            memcpy(more, t->blobs, t->n_blobs * sizeof *more);
        t->blobs = more, t->cap_blobs = cap;
    }
    t->blobs[t->n_blobs++] = blob;
}

void sio_template_value(sio_template *t, sio_value v)
{
    if (v == NULL) {  // M11
        sio_put(t->sink, "null", 4);
        return;
    }
    if (v->kind == SIO_VALUE_BINARY) {
        put_blob(t, (sio_span){ v->p, v->n });
        return;
    }
    if (v->n_blobs == 0) {
        sio_put(t->sink, v->p, v->n);
        return;
    }
    sio_span text = { v->p, v->n }, object;
    size_t at = 0, from = 0;
    int64_t num;
    while (sio_packet_placeholder(text, &at, &object, &num)) {
        sio_put(t->sink, text.p + from, (size_t)(object.p - text.p) - from);
        from = at;
        if (num >= 0 && (uint64_t)num < v->n_blobs)
            put_blob(t, v->blobs[num]);
        else
            sio_put(t->sink, object.p, object.n);
    }
    sio_put(t->sink, text.p + from, text.n - from);
}

/* Only the names tell: whatever else is in an object, clients take it for an attachment. */
void sio_template_sound(sio_template *t, sio_span text, size_t n_blobs)
{
    if (t->n_blobs == 0 || t->sink->failed || text.n == 0)
        return;
    const char *p = text.p, *end = text.p + text.n;
    while (p < end) {
        sio_span name = { p, 1 };
        if (*p == '"')
            name = sio_json_value(p, (size_t)(end - p));
        p = name.p + name.n;
        const char *colon = name.n > 1 ? sio_json_skip(p, end) : end;
        if (colon == end || *colon != ':' || !sio_json_text_is(name, "_placeholder", 12))
            continue;
        p = sio_json_skip(colon + 1, end);
        n_blobs -= *p == 't';
    }
    if (n_blobs == 0)
        return;
    t->wrong = "an object that looks like an attachment, beside attachments";
    t->sink->failed = true;
}

/* ---- Events --------------------------------------------------------------------------------------- */

const sio_packet sio_no_packet = { .type = SIO_ACK };

static bool has_name(const sio_event *event)
{
    return event->packet->type == SIO_EVENT || event->packet->type == SIO_BINARY_EVENT;
}

/* Writes U+FFFD for each NUL of the n bytes at p, where there is room. Returns the bytes then. */
static size_t replace_nuls(char *p, size_t n)
{
    size_t nuls = 0;
    for (size_t i = 0; i < n; i++)
        nuls += p[i] == '\0';
    size_t to = n + 2 * nuls;
    for (size_t from = n, at = to; from < at;) {
        if (p[--from] != '\0')
            p[--at] = p[from];
        else
            memcpy(p + (at -= 3), "\xef\xbf\xbd", 3);
    }
    return to;
}

/* What a NUL was written as, "\u0000", is twice as long as what it becomes. */
sio_span sio_event_name(const sio_event *event)
{
    if (event->renamed != NULL)
        return (sio_span){ event->renamed, strlen(event->renamed) };
    sio_span name = event->packet->index.element[0];
    bool quoted = name.p[0] == '"';
    char *text = sio_arena_get(&event->io->net.arena, name.n + 1);
    if (text == NULL)
        return SIO_NONE;
    size_t n = name.n;
    if (event->packet->escaped)
        n = replace_nuls(text, sio_json_unescape(name, text));
    else
        memcpy(text, name.p + quoted, n -= quoted ? 2 : 0);
    text[n] = '\0';
    return (sio_span){ text, n };
}

const char *sio_name(const sio_event *event)
{
    sio_span name = has_name(event) ? sio_event_name(event) : SIO_NONE;
    return name.p == NULL ? "" : name.p;
}

/* Elements of the packet's array: those of an event begin with its name. */
static size_t elements(const sio_event *event)
{
    return event->packet->json.n == 0 ? 0 : event->packet->index.count;
}

size_t sio_argc(const sio_event *event)
{
    size_t argc = elements(event) - has_name(event);
    return event->n_set > argc ? event->n_set : argc;
}

static sio_span element_at(sio_event *event, size_t i)
{
    const sio_packet *k = event->packet;
    sio_span name, element;
    if (i < SIO_JSON_INDEX)
        return k->index.element[i];
    if (event->cursor < SIO_JSON_INDEX || event->cursor > i) {
        event->cursor = SIO_JSON_INDEX - 1;
        event->found = k->index.element[SIO_JSON_INDEX - 1].p;
    }
    sio_json_walk w = { event->found, k->json.p + k->json.n - 1, false };
    sio_json_next(&w, &name, &element);
    for (; event->cursor < i; event->cursor++)
        sio_json_next(&w, &name, &element);
    event->found = element.p;
    return element;
}

sio_value sio_arg(sio_event *event, size_t i)
{
    if (i < event->n_set && event->set[i] != NULL)
        return event->set[i];
    i += has_name(event);
    if (i >= elements(event))
        return NULL;
    return sio_value_new(event->io, SIO_VALUE_JSON, element_at(event, i), event->blobs,
                         event->n_blobs);
}

/* The arguments put together anew, since some were replaced. */
static sio_value joined_args(sio_event *event)
{
    sio_textbuf text = sio_text_new(&event->io->net.memory);
    sio_template t = { .io = event->io, .sink = &text.sink };
    for (size_t i = 0; i < sio_argc(event); i++) {
        sio_put(t.sink, ",", i > 0);
        sio_template_value(&t, sio_arg(event, i));
    }
    sio_template_sound(&t, (sio_span){ text.sink.p, text.sink.n }, t.n_blobs);
    if (t.wrong != NULL)
        sio_log(&event->io->net, "sio_args: %s", t.wrong);
    return sio_value_written(event->io, SIO_VALUE_SPREAD, &text, t.blobs, t.n_blobs);
}

sio_value sio_args(sio_event *event)
{
    if (event->n_set > 0)
        return joined_args(event);
    sio_span rest = { "", 0 };
    if (sio_argc(event) > 0) {
        sio_span last = element_at(event, elements(event) - 1);
        rest.p = element_at(event, has_name(event)).p;
        rest.n = (size_t)(last.p + last.n - rest.p);
    }
    return sio_value_new(event->io, SIO_VALUE_SPREAD, rest, event->blobs, event->n_blobs);
}

int sio_set_name(sio_event *event, const char *name)
{
    size_t n = name == NULL ? 0 : strlen(name);
    char *copy = name == NULL ? NULL : sio_arena_get(&event->io->net.arena, n + 1);
    if (copy == NULL)
        return sio_fail(name == NULL ? EINVAL : ENOMEM);
    memcpy(copy, name, n + 1);
    event->renamed = copy;
    return 0;
}

sio_socket *sio_event_socket(const sio_event *event)
{
    return event->socket;
}

int sio_set_arg(sio_event *event, size_t i, sio_value v)
{
    size_t argc = sio_argc(event);
    if (i > argc || (v != NULL && v->kind == SIO_VALUE_SPREAD))  // that may be none, or several
        return sio_fail(EINVAL);
    size_t n = i == argc ? argc + 1 : argc;
    sio_value *set = sio_arena_get(&event->io->net.arena, n * sizeof *set);
    if (set == NULL)
        return sio_fail(ENOMEM);
    for (size_t k = 0; k < n; k++)
        set[k] = k != i ? sio_arg(event, k) : v == NULL ? sio_null() : v;
    event->set = set, event->n_set = (uint32_t)n;
    return 0;
}

bool sio_wants_ack(const sio_event *event)
{
    return event->packet->has_id && has_name(event) && !event->acked;  // A02
}
