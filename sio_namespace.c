/* sio_namespace.c - namespaces and families, and the handlers and middlewares that were set on them
 * SPDX-License-Identifier: MIT
 *
 * A family is a namespace that no client can join: it lends its handlers and middlewares, which run
 * before their own, to the namespaces that are made when a client or sio_of asks for a name that it
 * accepts.
 *
 * The library's own events are in a table apart, for a client may send events named "connection" or
 * "error" (S20).
 *
 * What holds here:
 *  - A list of handlers may grow while it is being run, and one that is taken away leaves a hole until
 *    nobody runs it.
 *  - A namespace goes only if it is a family's, nobody connects to it or is connected, and sio_of has
 *    not handed it out; it is freed when nobody up the stack can look at it. */
#include "sio_core.h"

#include <errno.h>

enum { MAX_ASKING = 8 };  // how often accept may call sio_of from inside of itself

/* ---- Namespaces ---------------------------------------------------------------------------------- */

/* One in no table. Its name and what its packets begin with, "/chat" and "/chat,", are one block. */
static sio_namespace *new_namespace(sio_server *io, sio_span name)
{
    const sio_memory *m = &io->net.memory;
    size_t n = name.n;
    sio_namespace *ns = sio_alloc(m, sizeof *ns);
    char *text = sio_resize(m, NULL, 2 * n + 2);
    if (ns == NULL || text == NULL) {
        sio_free_mem(m, ns);
        sio_free_mem(m, text);
        return NULL;
    }
    memcpy(text, name.p, n);
    text[n] = '\0';
    memcpy(text + n + 1, name.p, n);
    text[2 * n + 1] = ',';
    ns->io = io;
    ns->serial = ++io->serial;
    ns->name = text;
    ns->prefix = text + n + 1;
    ns->prefix_n = n == 1 ? 0 : n + 1;
    ns->node.key = text, ns->node.n = (uint32_t)n;
    ns->handlers.memory = ns->own.memory = ns->of_servers.memory = m;
    ns->ids.memory = ns->rooms.memory = m;
    ns->handlers.plain = ns->own.plain = ns->of_servers.plain = true;
    return ns;
}

static void free_handlers(sio_table *t)
{
    sio_node *node;
    size_t from = 0;
    while ((node = sio_table_any(t, &from)) != NULL) {
        sio_handlers *h = (sio_handlers *)node;
        sio_table_remove(t, node);
        sio_free_mem(t->memory, h->list.at);
        sio_free_mem(t->memory, h);
    }
    sio_table_free(t);
}

void sio_namespace_free(sio_namespace *ns)
{
    const sio_memory *m = &ns->io->net.memory;
    if (ns->history != NULL)
        ns->io->keeper->forget(ns->io->keeper, ns);
    if (ns->channels != NULL)
        ns->io->cluster->close(ns->io->cluster, ns);
    free_handlers(&ns->handlers);
    free_handlers(&ns->own);
    free_handlers(&ns->of_servers);
    sio_table_free(&ns->ids);
    sio_table_free(&ns->rooms);
    sio_free_mem(m, ns->any.at);
    sio_free_mem(m, ns->any_outgoing.at);
    sio_free_mem(m, ns->use.at);
    sio_free_mem(m, ns->use_event.at);
    sio_free_mem(m, ns->sockets);
    sio_free_mem(m, ns->name);
    sio_free_mem(m, ns);
}

sio_namespace *sio_namespace_find(sio_server *io, sio_span name)
{
    return (sio_namespace *)sio_table_find(&io->namespaces, name.p, name.n);
}

/* Makes a namespace; family NULL: of no family. NULL: no memory. */
static sio_namespace *make_namespace(sio_server *io, sio_namespace *family, sio_span name)
{
    sio_namespace *ns = new_namespace(io, name);
    if (ns == NULL)
        return NULL;
    if (!sio_table_add(&io->namespaces, &ns->node)) {
        sio_namespace_free(ns);
        return NULL;
    }
    ns->family = family;
    io->n_dynamic += family != NULL;
    if (io->cluster != NULL)
        io->cluster->open(io->cluster, ns);
    return ns;
}

/* With the "/" that may be left out; text has room for SIO_NS_NAME + 2. n 0: it is too long, or NULL. */
static sio_span full_name(const char *name, char *text)
{
    if (name == NULL)
        return SIO_NONE;
    bool slash = name[0] == '/';
    size_t n = strlen(name);
    if (n + !slash > SIO_NS_NAME)
        return SIO_NONE;
    text[0] = '/';
    memcpy(text + !slash, name, n + 1);
    return (sio_span){ text, n + !slash };
}

sio_namespace *sio_find(sio_server *io, const char *name)
{
    if (io == NULL || name == NULL)
        return NULL;
    return sio_namespace_find(io, (sio_span){ name, strlen(name) });
}

/* M08: the namespace of a name that does not exist, in the family that takes it. */
static int ask_each(sio_server *io, const char *text, sio_span payload, sio_namespace **out)
{
    sio_span name = { text, strlen(text) };
    sio_value set[1] = { sio_value_new(io, SIO_VALUE_JSON, payload, NULL, 0) };
    if (set[0] == NULL)
        return sio_fail(ENOMEM);
    for (sio_namespace *f = io->families; f != NULL; f = f->next) {
        sio_event e = { .io = io, .packet = &sio_no_packet, .set = set, .n_set = 1 };
        e.data = f->data;
        if (!f->accept(text, &e))
            continue;
        *out = sio_namespace_find(io, name);  // accept may have called sio_of
        if (*out == NULL)
            *out = make_namespace(io, f, name);
        return *out == NULL ? sio_fail(ENOMEM) : 0;
    }
    return 0;
}

int sio_families_ask(sio_server *io, sio_span name, sio_span payload, sio_namespace **out)
{
    *out = NULL;
    if (io->families == NULL || memchr(name.p, '\0', name.n) != NULL)
        return 0;
    if (io->asking == MAX_ASKING)
        return sio_fail(ELOOP);
    char *text = sio_arena_get(&io->net.arena, name.n + 1);
    if (text == NULL)
        return sio_fail(ENOMEM);
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    io->asking++;
    int result = ask_each(io, text, payload, out);
    io->asking--;
    return result;
}

sio_namespace *sio_of(sio_server *io, const char *name)
{
    char text[SIO_NS_NAME + 2];
    sio_span span = full_name(name, text);
    if (io == NULL || span.n == 0 || memchr(span.p, ',', span.n) != NULL) {
        errno = EINVAL;
        return NULL;
    }
    sio_namespace *ns = sio_namespace_find(io, span);
    if (ns == NULL) {
        sio_scope_enter(&io->net);
        int asked = sio_families_ask(io, span, SIO_SPAN("{}"), &ns);
        sio_scope_leave(&io->net);
        if (asked < 0)  // made without its family, it would let everybody in
            return NULL;
    }
    if (ns == NULL)
        ns = sio_namespace_find(io, span);  // a family may have made it, and not have taken it
    if (ns == NULL)
        ns = make_namespace(io, NULL, span);
    if (ns != NULL)
        ns->kept = true;
    else
        errno = ENOMEM;
    return ns;
}

sio_namespace *(sio_family)(sio_server *io, bool (*accept)(const char *name, sio_event *auth),
                            void *data)
{
    sio_namespace *ns = accept == NULL ? NULL : new_namespace(io, SIO_SPAN("/"));
    if (ns == NULL) {
        errno = accept == NULL ? EINVAL : ENOMEM;
        return NULL;
    }
    ns->accept = accept;
    ns->data = data;
    sio_namespace **end = &io->families;
    while (*end != NULL)
        end = &(*end)->next;
    *end = ns;
    return ns;
}

/* M09 */
void sio_namespace_unused(sio_namespace *ns)
{
    sio_server *io = ns->io;
    if (ns->family == NULL || ns->users > 0 || ns->kept || !io->options.cleanup_empty_namespaces)
        return;
    io->n_dynamic--;
    sio_table_remove(&io->namespaces, &ns->node);
    if (ns->channels != NULL)  // now: the next one of that name may come in this turn
        io->cluster->close(io->cluster, ns);
    ns->next = io->dead_namespaces;
    io->dead_namespaces = ns;
}

static bool is_own_event(const char *name)
{
    return strcmp(name, "connection") == 0 || strcmp(name, "disconnecting") == 0 ||
           strcmp(name, "disconnect") == 0 || strcmp(name, "error") == 0;
}

static sio_table *table_of(sio_namespace *ns, const char *event)
{
    return is_own_event(event) ? &ns->own : &ns->handlers;
}

static int add(sio_namespace *ns, sio_bound_list *l, sio_bound b)
{
    if (!sio_reserve(&ns->io->net.memory, &l->at, l->n, &l->cap, sizeof *l->at))
        return sio_fail(ENOMEM);
    l->at[l->n++] = b;
    return 0;
}

/* One that is set already stays as it is: some programs call sio_on for each connection. */
static int add_handler(sio_namespace *ns, sio_bound_list *l, sio_bound b)
{
    for (size_t i = 0; !b.once && i < l->n; i++) {
        const sio_bound *other = &l->at[i];
        if (other->fn.handler == b.fn.handler && other->data == b.data && !other->once)
            return 0;
    }
    return add(ns, l, b);
}

int sio_handlers_set(sio_namespace *ns, sio_table *t, const char *event, sio_bound b)
{
    const sio_memory *m = &ns->io->net.memory;
    size_t n = strlen(event);
    sio_handlers *h = (sio_handlers *)sio_table_find(t, event, n);
    if (h == NULL) {
        h = sio_alloc(m, sizeof *h + n + 1);
        if (h == NULL)
            return sio_fail(ENOMEM);
        memcpy(h->name, event, n);
        h->node.key = h->name, h->node.n = (uint32_t)n;
        if (!sio_table_add(t, &h->node)) {
            sio_free_mem(m, h);
            return sio_fail(ENOMEM);
        }
    }
    return add_handler(ns, &h->list, b);
}

static int set_handler(sio_namespace *ns, const char *event, sio_bound b)
{
    if (ns == NULL || event == NULL || b.fn.handler == NULL)
        return sio_fail(EINVAL);
    return sio_handlers_set(ns, table_of(ns, event), event, b);
}

int(sio_on)(sio_namespace *ns, const char *event, sio_handler fn, void *data)
{
    return set_handler(ns, event, (sio_bound){ .fn.handler = fn, .data = data });
}

int(sio_once)(sio_namespace *ns, const char *event, sio_handler fn, void *data)
{
    return set_handler(ns, event, (sio_bound){ .fn.handler = fn, .data = data, .once = true });
}

static void close_holes(sio_bound_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->at[i].fn.handler != NULL)
            l->at[n++] = l->at[i];
    l->n = n;
    l->holes = false;
}

/* fn NULL: all of them. Returns how many. */
static int take_away(sio_bound_list *l, sio_handler fn, const void *data)
{
    int n = 0;
    for (size_t i = 0; i < l->n; i++) {
        sio_bound *b = &l->at[i];
        if (b->fn.handler == NULL || (fn != NULL && (b->fn.handler != fn || b->data != data)))
            continue;
        b->fn.handler = NULL;
        n++;
    }
    l->holes |= n > 0;
    if (l->running == 0)
        close_holes(l);
    return n;
}

/* A name that nobody listens to any more goes: programs that wait for an answer by sio_once have ever
 * new ones. */
static void forget_if_empty(sio_table *t, sio_handlers *h)
{
    if (h->list.n > 0 || h->list.running > 0)
        return;
    sio_table_remove(t, &h->node);
    sio_free_mem(t->memory, h->list.at);
    sio_free_mem(t->memory, h);
}

int sio_handlers_take(sio_table *t, const char *event, sio_handler fn, const void *data)
{
    sio_handlers *h = (sio_handlers *)sio_table_find(t, event, strlen(event));
    if (h == NULL)
        return 0;
    int n = take_away(&h->list, fn, data);
    forget_if_empty(t, h);
    return n;
}

int(sio_off)(sio_namespace *ns, const char *event, sio_handler fn, void *data)
{
    if (ns == NULL || event == NULL)
        return 0;
    return sio_handlers_take(table_of(ns, event), event, fn, data);
}

int(sio_on_any)(sio_namespace *ns, sio_handler fn, void *data)
{
    if (ns == NULL || fn == NULL)
        return sio_fail(EINVAL);
    return add_handler(ns, &ns->any, (sio_bound){ .fn.handler = fn, .data = data });
}

int(sio_on_any_outgoing)(sio_namespace *ns, sio_handler fn, void *data)
{
    if (ns == NULL || fn == NULL)
        return sio_fail(EINVAL);
    return add_handler(ns, &ns->any_outgoing, (sio_bound){ .fn.handler = fn, .data = data });
}

int(sio_off_any)(sio_namespace *ns, sio_handler fn, void *data)
{
    if (ns == NULL)
        return 0;
    return take_away(&ns->any, fn, data) + take_away(&ns->any_outgoing, fn, data);
}

int(sio_use)(sio_namespace *ns, sio_middleware fn, void *data)
{
    if (ns == NULL || fn == NULL)
        return sio_fail(EINVAL);
    return add(ns, &ns->use, (sio_bound){ .fn.middleware = fn, .data = data });
}

int(sio_use_event)(sio_namespace *ns, sio_middleware fn, void *data)
{
    if (ns == NULL || fn == NULL)
        return sio_fail(EINVAL);
    return add(ns, &ns->use_event, (sio_bound){ .fn.middleware = fn, .data = data });
}

void *sio_handler_data(const sio_event *event)
{
    return event->data;
}

const char *sio_ns_name(const sio_namespace *ns)
{
    return ns->name;
}

sio_span sio_ns_span(const sio_namespace *ns)
{
    return (sio_span){ ns->name, ns->node.n };
}

sio_server *sio_ns_server(const sio_namespace *ns)
{
    return ns->io;
}

size_t sio_ns_size(const sio_namespace *ns)
{
    return ns->n_sockets;
}

sio_namespace *sio_ns_family(const sio_namespace *ns)
{
    return ns->family;
}

/* ---- Running handlers ----------------------------------------------------------------------------- */

/* A handler may take any away, and set others, which run from the next event on: one that sets itself
 * again would have no end. */
void sio_run_list(sio_socket *s, sio_bound_list *l, sio_event *e, bool polite)
{
    size_t n = l->n;
    l->running++;
    for (size_t i = 0; i < n && !(polite && s->state != SIO_SOCKET_CONNECTED); i++) {
        sio_bound b = l->at[i];
        if (b.fn.handler == NULL)
            continue;
        if (b.once)
            l->at[i].fn.handler = NULL, l->holes = true;
        e->data = b.data;
        b.fn.handler(s, e);
    }
    if (--l->running == 0 && l->holes)
        close_holes(l);
}

void sio_handlers_run(sio_socket *s, sio_table *t, sio_span name, sio_event *e)
{
    sio_handlers *h = (sio_handlers *)sio_table_find(t, name.p, name.n);
    if (h == NULL)
        return;
    sio_run_list(s, &h->list, e, false);
    forget_if_empty(t, h);
}

void sio_run_handlers(sio_socket *s, bool own, sio_span name, sio_event *e)
{
    sio_namespace *family = s->ns->family;
    if (family != NULL)
        sio_handlers_run(s, own ? &family->own : &family->handlers, name, e);
    sio_handlers_run(s, own ? &s->ns->own : &s->ns->handlers, name, e);
}

void sio_run_event(sio_socket *s, const char *name, sio_value a, sio_value b)
{
    sio_server *io = s->ns->io;
    char quoted[20];
    sio_sink sink = { .p = quoted, .cap = sizeof quoted };
    sio_span key = { name, strlen(name) };
    sio_json_put_string(&sink, key.p, key.n);
    sio_span json = { quoted, sink.n };
    sio_packet k = { .type = SIO_EVENT,
                     .json = json,
                     .index = { .count = 1, .element = { json } } };
    sio_value set[2] = { a, b };
    sio_event e = { .io = io, .socket = s, .packet = &k, .set = set };
    e.n_set = b != NULL ? 2 : a != NULL ? 1 : 0;
    sio_scope_enter(&io->net);
    sio_run_handlers(s, true, key, &e);
    sio_scope_leave(&io->net);
}

/* ---- What a socket can tell ----------------------------------------------------------------------- */

const char *sio_id(const sio_socket *s)
{
    return s->node.key;
}

sio_namespace *sio_ns(const sio_socket *s)
{
    return s->ns;
}

sio_server *sio_socket_server(const sio_socket *s)
{
    return s->ns->io;
}

bool sio_connected(const sio_socket *s)
{
    return s != NULL && s->state == SIO_SOCKET_CONNECTED;
}

bool sio_recovered(const sio_socket *s)
{
    return s->recovered;
}

const char *sio_transport(const sio_socket *s)
{
    return s->client->session->transport->name;
}

int sio_protocol(const sio_socket *s)
{
    return s->client->session->protocol;
}

uint64_t sio_handle(const sio_socket *s)
{
    return sio_handle_at(&s->ns->io->handles, s->slot);
}

sio_socket *sio_socket_of(sio_server *io, uint64_t handle)
{
    sio_socket *s = sio_handle_get(&io->handles, handle);
    return s != NULL && s->state == SIO_SOCKET_CONNECTED ? s : NULL;
}

sio_socket *sio_socket_by_id(const sio_namespace *ns, const char *id)
{
    return id == NULL ? NULL : (sio_socket *)sio_table_find(&ns->ids, id, strlen(id));
}

void *sio_data(const sio_socket *s)
{
    return s == NULL ? NULL : s->data;
}

size_t sio_pending(const sio_socket *s)
{
    return sio_session_pending(s->client->session);
}

static const sio_handshake *handshake_of(const sio_socket *s)
{
    return s->client->session->handshake;
}

const char *sio_address(const sio_socket *s)
{
    return handshake_of(s)->text;
}

const char *sio_url(const sio_socket *s)
{
    const char *address = handshake_of(s)->text;
    return address + strlen(address) + 1;
}

const char *sio_header(sio_socket *s, const char *name)
{
    return sio_handshake_header(handshake_of(s), name, &s->ns->io->net.arena);
}

bool sio_field(const sio_socket *s, size_t i, const char **name, const char **value)
{
    return sio_handshake_field(handshake_of(s), i, name, value);
}

bool sio_xdomain(sio_socket *s)
{
    const char *origin = sio_header(s, "origin");
    return origin != NULL && *origin != '\0';
}

bool sio_secure(const sio_socket *s)
{
    return handshake_of(s)->secure;
}

int64_t sio_issued(const sio_socket *s)
{
    return handshake_of(s)->issued;
}

sio_value sio_auth(sio_socket *s)
{
    sio_span auth = SIO_SPAN("{}");
    if (s->more != NULL && s->more->auth != NULL)
        auth = (sio_span){ s->more->auth, strlen(s->more->auth) };
    return sio_value_new(s->ns->io, SIO_VALUE_JSON, auth, NULL, 0);
}

sio_socket_more *sio_more(sio_socket *s)
{
    if (s->more == NULL)
        s->more = sio_alloc(&s->ns->io->net.memory, sizeof *s->more);
    return s->more;
}

/* ---- Queries --------------------------------------------------------------------------------------- */

enum { MAX_PARAMETERS = 200 };  // names of a query that sio_query shows

/* A name of a query, decoded, and the value of its last appearance, which is not. */
typedef struct parameter {
    sio_node node;  // first
    struct parameter *next;
    sio_span value;
} parameter;

static parameter *add_parameter(sio_table *names, sio_arena *arena, sio_span name)
{
    parameter *q = sio_arena_get(arena, sizeof *q);
    if (q == NULL)
        return NULL;
    *q = (parameter){ .node = { .key = name.p, .n = (uint32_t)name.n } };
    return sio_table_add(names, &q->node) ? q : NULL;
}

/* Lists a query's parameters in the order of their first appearance. text has room for their names.
 * False: no memory. */
static bool read_query(sio_server *io, sio_span query, char *text, parameter **first)
{
    sio_table names = { .memory = &io->net.memory };
    sio_span name, value;
    bool good = true;
    while (good && sio_http_query_next(&query, &name, &value)) {
        name = (sio_span){ text, sio_http_decode(name, text) };
        parameter *q = (parameter *)sio_table_find(&names, name.p, name.n);
        if (q == NULL && names.count < MAX_PARAMETERS) {
            q = *first = add_parameter(&names, &io->net.arena, name);
            good = q != NULL;
            first = good ? &q->next : first;
            text += name.n;
        }
        if (q != NULL)
            q->value = value;
    }
    sio_table_free(&names);
    return good;
}

static void put_decoded(sio_sink *sink, sio_arena *arena, sio_span bytes)
{
    sio_span text = sio_repair_text(arena, bytes);
    sink->failed |= text.p == NULL;
    sio_put(sink, "\"", 1);
    sio_json_put_escaped(sink, text.p, text.n);
    sio_put(sink, "\"", 1);
}

sio_value sio_query_object(sio_server *io, sio_span query)
{
    sio_arena *arena = &io->net.arena;
    char *names = sio_arena_get(arena, query.n + 1), *text = sio_arena_get(arena, query.n + 1);
    parameter *q = NULL;
    if (names == NULL || text == NULL || !read_query(io, query, names, &q))
        return NULL;
    sio_textbuf t = sio_text_new(&io->net.memory);
    sio_put(&t.sink, "{", 1);
    for (; q != NULL; q = q->next) {
        if (t.sink.n > 1)
            sio_put(&t.sink, ",", 1);
        put_decoded(&t.sink, arena, (sio_span){ q->node.key, q->node.n });
        sio_put(&t.sink, ":", 1);
        put_decoded(&t.sink, arena, (sio_span){ text, sio_http_decode(q->value, text) });
    }
    sio_put(&t.sink, "}", 1);
    return sio_value_written(io, SIO_VALUE_JSON, &t, NULL, 0);
}

sio_value sio_query(sio_socket *s)
{
    const char *url = sio_url(s);
    return sio_query_object(s->ns->io, sio_http_target_query((sio_span){ url, strlen(url) }));
}
