/* web_files.c - who answers a request: routes, files, endpoints
 * SPDX-License-Identifier: MIT
 *
 * Who answers a request: a route with exactly its path; an endpoint of Engine.IO with the prefix; a
 * WebSocket endpoint; a route for all below its path; the route "*"; or 404. A WebSocket handshake
 * that is nobody's gets no answer but the end of its connection.
 *
 * What holds here:
 *  - A handler runs when the body is complete, and is done when it returns: it has answered, or the
 *    answer is 500.
 *  - Files are those that were registered, by name; no part of a request becomes a part of a path. */
#include "sio_core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct sio_http {
    sio_server *io;
    sio_exchange *x;
    const sio_http_head *head;
    sio_span body;
    sio_textbuf lines;  // of the answer's header
    bool answered;
};

/* ---- Requests, as handlers see them --------------------------------------------------------------- */

static const char *copy_text(sio_http *http, sio_span s)
{
    char *text = sio_arena_get(&http->io->net.arena, s.n + 1);
    if (text == NULL)
        return NULL;
    if (s.n > 0)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return text;
}

static sio_span path_of(sio_span target)
{
    const char *mark = memchr(target.p, '?', target.n);
    return (sio_span){ target.p, mark == NULL ? target.n : (size_t)(mark - target.p) };
}

sio_server *sio_http_server(const sio_http *http)
{
    return http->io;
}

const char *sio_http_method(const sio_http *http)
{
    sio_http h = *http;
    return copy_text(&h, http->head->method);
}

const char *sio_http_target(const sio_http *http)
{
    sio_http h = *http;
    return copy_text(&h, http->head->target);
}

const char *sio_http_path(sio_http *http)
{
    return copy_text(http, path_of(http->head->target));
}

const char *sio_http_header(sio_http *http, const char *name)
{
    sio_span value = sio_http_field_of(http->head, name);
    return value.p == NULL ? NULL : copy_text(http, value);
}

const char *sio_http_query(sio_http *http, const char *name)
{
    sio_arena *arena = &http->io->net.arena;
    sio_span query = sio_http_target_query(http->head->target), found = SIO_NONE, key, value;
    size_t n = strlen(name);
    char *text = sio_arena_get(arena, query.n + 1);
    while (text != NULL && sio_http_query_next(&query, &key, &value))
        if (sio_http_decode(key, text) == n && memcmp(text, name, n) == 0)
            found = value;
    if (found.p == NULL)
        return NULL;
    found = sio_repair_text(arena, (sio_span){ text, sio_http_decode(found, text) });
    return found.p == NULL ? NULL : copy_text(http, found);
}

const char *sio_http_address(sio_http *http)
{
    char *text = sio_arena_get(&http->io->net.arena, 64);
    if (text != NULL)
        sio_client_address(http->x->conn, http->head, text);
    return text;
}

const void *sio_http_body(const sio_http *http, size_t *n)
{
    *n = http->body.n;
    return http->body.n > 0 ? http->body.p : "";
}

/* Fields that say where the answer ends, which nobody but net_requests.c knows. */
static bool is_framing(const char *name)
{
    sio_span s = { name, strlen(name) };
    return sio_span_is_nocase(s, "Content-Length") || sio_span_is_nocase(s, "Transfer-Encoding") ||
           sio_span_is_nocase(s, "Connection");
}

int sio_header_add(sio_http *http, const char *name, const char *value)
{
    sio_sink *lines = &http->lines.sink;
    if (!sio_http_is_name(name) || !sio_http_is_value(value) || is_framing(name))
        return sio_fail(EINVAL);
    size_t before = lines->n;
    sio_put_text(lines, name);
    sio_put(lines, ": ", 2);
    sio_put_text(lines, value);
    sio_put(lines, "\r\n", 2);
    if (!lines->failed)
        return 0;
    lines->n = before;  // half a line would take the next one in
    lines->failed = false;
    return sio_fail(ENOMEM);
}

int sio_reply(sio_http *http, int status, const char *type, const void *p, size_t n)
{
    if (http->answered || http->x == NULL || status < 200 || status > 999)
        return sio_fail(EINVAL);
    if (type != NULL && !sio_http_is_value(type))
        return sio_fail(EINVAL);
    http->answered = true;
    if (status == 204 || status == 304)
        n = 0;  // RFC 9110, 15.3.5 and 15.4.5: they end with their head
    sio_span lines = { http->lines.sink.p, http->lines.sink.n };
    sio_respond(http->x, status, type, lines, (sio_span){ p, n });
    return 0;
}

/* ---- Routes ---------------------------------------------------------------------------------------- */

/* What a route serves without a handler: a file, or bytes that the application keeps. */
typedef struct content {
    const char *bytes;
    size_t n;
    bool is_file;     // then bytes are ours
    int64_t changed;  // when the file was
    const char *type;
    char etag[48];
    char text[];  // the file's name, or the type
} content;

typedef struct sio_route {
    struct sio_route *next;
    sio_server *io;
    sio_http_handler fn;
    content *content;  // instead of fn
    const char *method, *path;
    size_t path_n;  // of a prefix: without the "*"
    bool prefix;
    char text[];
} route;

static void answer_not_found(sio_http *http)
{
    static const char text[] = "not found";
    sio_reply(http, 404, "text/plain", text, sizeof text - 1);
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".js", "application/javascript; charset=utf-8" },
        { ".mjs", "application/javascript; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".json", "application/json; charset=utf-8" },
        { ".map", "application/json; charset=utf-8" },
        { ".txt", "text/plain; charset=utf-8" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".jpg", "image/jpeg" },
        { ".ico", "image/x-icon" },
        { ".wasm", "application/wasm" },
    };
    size_t n = strlen(name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        size_t m = strlen(types[i][0]);
        if (n > m && strcmp(name + n - m, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* Reads a file if it is new or has changed. 0 or -1. */
static int refresh(sio_server *io, content *c)
{
    const sio_memory *m = &io->net.memory;
    size_t n;
    int64_t changed;
    if (!c->is_file)
        return 0;
    if (sio_loop_file(io->net.loop, c->text, &n, &changed) < 0)
        return -1;
    if (c->bytes != NULL && n == c->n && changed == c->changed)
        return 0;
    char *bytes = sio_resize(m, NULL, n + 1);
    if (bytes == NULL)
        return sio_fail(ENOMEM);
    if (sio_loop_file_read(io->net.loop, c->text, bytes, n) < 0) {
        sio_free_mem(m, bytes);
        return -1;
    }
    sio_free_mem(m, c->bytes);
    c->bytes = bytes, c->n = n, c->changed = changed;
    snprintf(c->etag, sizeof c->etag, "\"%zx-%llx\"", n, (unsigned long long)changed);
    return 0;
}

/* RFC 9110, 8.8.3: other bytes have another tag, whatever program they were built into. */
static void tag_bytes(content *c)
{
    unsigned char digest[20];
    sio_sha1(c->bytes, c->n, digest);
    size_t n = sio_base64url_encode(digest, sizeof digest, c->etag + 1);
    c->etag[0] = c->etag[n + 1] = '"';
}

/* RFC 9110, 13.1.2: a list of tags, compared weakly, or "*". */
static bool matches_tag(sio_span list, const char *etag)
{
    size_t n = strlen(etag);
    if (sio_span_is(list, "*"))
        return true;
    for (size_t i = 0; i + n <= list.n; i++)
        if (memcmp(list.p + i, etag, n) == 0)
            return true;
    return false;
}

static void answer_content(sio_http *http, content *c)
{
    if (refresh(http->io, c) < 0) {
        answer_not_found(http);
        return;
    }
    sio_header_add(http, "Cache-Control", "public, max-age=0");
    sio_header_add(http, "ETag", c->etag);
    if (matches_tag(sio_http_field_of(http->head, "If-None-Match"), c->etag))
        sio_reply(http, 304, NULL, "", 0);
    else
        sio_reply(http, 200, c->type, c->bytes, c->n);
}

static void run_route(const route *r, sio_exchange *x, const sio_http_head *head, sio_span body)
{
    sio_http http = { .io = r->io, .x = x, .head = head, .body = body };
    http.lines = sio_text_new(&r->io->net.memory);
    sio_scope_enter(&r->io->net);
    if (r->content != NULL)
        answer_content(&http, r->content);
    else
        r->fn(&http);
    if (!http.answered)
        sio_respond_empty(x, 500);
    sio_scope_leave(&r->io->net);
    sio_text_free(&http.lines);
}

/* A request with a body keeps its head until that is complete. */
typedef struct kept_head {
    size_t n;
    char bytes[];
} kept_head;

static void on_route_head(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw)
{
    const route *r = owner;
    if (!head->chunked && head->length == 0) {
        run_route(r, x, head, SIO_NONE);
        return;
    }
    kept_head *k = sio_resize(&r->io->net.memory, NULL, sizeof *k + raw.n);
    if (k == NULL) {
        r->io->net.stats.refused++;
        sio_log(&r->io->net, "503: no memory for a request's head");
        sio_respond_empty(x, 503);
        return;
    }
    k->n = raw.n;
    memcpy(k->bytes, raw.p, raw.n);
    x->user = k;
    x->wants_body = true;
}

static void on_route_body(void *owner, sio_exchange *x, sio_span body)
{
    const route *r = owner;
    kept_head *k = x->user;
    sio_http_head head;
    x->user = NULL;
    if (sio_http_parse(k->bytes, k->n, &head) > 0)
        run_route(r, x, &head, body);
    sio_free_mem(&r->io->net.memory, k);
}

static void on_route_gone(void *owner, sio_exchange *x, int status)
{
    const route *r = owner;
    (void)status;
    sio_free_mem(&r->io->net.memory, x->user);
    x->user = NULL;
}

static const sio_endpoint route_endpoint = { on_route_head, on_route_body, on_route_gone };

/* Adds a route behind the others. NULL, with errno: no memory, or no path that a target has. */
static route *new_route(sio_server *io, const char *method, const char *path)
{
    size_t n = strlen(method) + 1, m = strlen(path) + 1;
    bool good = path[0] == '/' || strcmp(path, "*") == 0;
    route *r = good ? sio_alloc(&io->net.memory, sizeof *r + n + m) : NULL;
    if (r == NULL) {
        sio_fail(good ? ENOMEM : EINVAL);
        return NULL;
    }
    memcpy(r->text, method, n);
    memcpy(r->text + n, path, m);
    r->io = io;
    r->method = r->text, r->path = r->text + n;
    r->prefix = path[m - 2] == '*';
    r->path_n = m - 1 - r->prefix;
    route **end = &io->routes;
    while (*end != NULL)
        end = &(*end)->next;
    *end = r;
    return r;
}

int sio_route(sio_server *io, const char *method, const char *path, sio_http_handler fn)
{
    route *r = new_route(io, method, path);
    if (r == NULL)
        return -1;
    r->fn = fn;
    return 0;
}

int sio_get(sio_server *io, const char *path, sio_http_handler fn)
{
    return sio_route(io, "GET", path, fn);
}

static content *new_content(sio_server *io, const char *text)
{
    size_t n = strlen(text) + 1;
    content *c = sio_alloc(&io->net.memory, sizeof *c + n);
    if (c != NULL)
        memcpy(c->text, text, n);
    else
        sio_fail(ENOMEM);
    return c;
}

static void free_content(sio_server *io, content *c)
{
    if (c != NULL && c->is_file)
        sio_free_mem(&io->net.memory, c->bytes);
    sio_free_mem(&io->net.memory, c);
}

/* Serves what is ready to be served; takes c. 0 or -1. */
static int serve_content(sio_server *io, const char *path, content *c)
{
    route *r = refresh(io, c) < 0 ? NULL : new_route(io, "GET", path);
    if (r == NULL) {
        int error = errno;
        free_content(io, c);
        return sio_fail(error);
    }
    r->content = c;
    return 0;
}

int sio_file(sio_server *io, const char *path, const char *name)
{
    content *c = new_content(io, name);
    if (c == NULL)
        return -1;
    c->is_file = true;
    c->type = type_of(c->text);
    return serve_content(io, path, c);
}

int sio_bundle(sio_server *io, const char *path, const char *type, const void *p, size_t n)
{
    content *c = new_content(io, type == NULL ? "" : type);
    if (c == NULL)
        return -1;
    c->type = type == NULL ? NULL : c->text;
    c->bytes = p, c->n = n;
    tag_bytes(c);
    return serve_content(io, path, c);
}

static bool has_method(const route *r, sio_span method)
{
    return sio_span_is(method, r->method) || strcmp(r->method, "*") == 0 ||
           (sio_span_is(method, "HEAD") && strcmp(r->method, "GET") == 0);
}

/* The route of exactly that path; or, of those for what is below theirs, the longest, so that "*" comes
 * last. Of equal ones the first. */
static route *find_route(const sio_server *io, const sio_http_head *head, bool prefix)
{
    sio_span path = path_of(head->target);
    route *best = NULL;
    for (route *r = io->routes; r != NULL; r = r->next) {
        bool fits = path.n >= r->path_n && memcmp(path.p, r->path, r->path_n) == 0;
        if (r->prefix == prefix && fits && (prefix || path.n == r->path_n) &&
            (best == NULL || r->path_n > best->path_n) && has_method(r, head->method))
            best = r;
    }
    return best;
}

/* ---- Who answers -------------------------------------------------------------------------------------- */

static bool asks_for_websocket(const sio_http_head *head)
{
    return sio_span_is_nocase(sio_http_field_of(head, "Upgrade"), "websocket");
}

static void no_body(void *owner, sio_exchange *x, sio_span body)
{
    (void)owner, (void)x, (void)body;
}

static void no_gone(void *owner, sio_exchange *x, int status)
{
    (void)owner, (void)x, (void)status;
}

static void on_nobody_head(void *owner, sio_exchange *x, const sio_http_head *head, sio_span raw)
{
    sio_server *io = owner;
    (void)raw;
    if (head->upgrade && asks_for_websocket(head)) {
        io->net.stats.refused++;
        sio_log(&io->net,
                "websocket handshake refused: its path is nobody's; Socket.IO listens on %s/",
                io->options.path);
        sio_conn_end(x->conn, false);
        return;
    }
    char text[256];
    int n = snprintf(text, sizeof text, "not found; Socket.IO listens on %s/\n", io->options.path);
    sio_respond(x, 404, "text/plain", SIO_NONE, (sio_span){ text, n < 256 ? (size_t)n : 255 });
}

static const sio_endpoint nobody = { on_nobody_head, no_body, no_gone };

const sio_endpoint *sio_route_find(sio_net *net, const sio_http_head *head, void **owner)
{
    sio_server *io = (sio_server *)(void *)net;
    bool websocket = head->upgrade && asks_for_websocket(head);
    if (!websocket && (*owner = find_route(io, head, false)) != NULL)
        return &route_endpoint;
    if (sio_eio_matches(&io->eio, head->target)) {
        *owner = &io->eio;
        return &sio_eio_endpoint;
    }
    const sio_endpoint *beside = sio_beside_find(io, head, path_of(head->target), owner);
    if (beside != NULL)
        return beside;
    if (!websocket && (*owner = find_route(io, head, true)) != NULL)
        return &route_endpoint;
    *owner = io;
    return &nobody;
}

void sio_route_show(sio_net *net, sio_exchange *x, const sio_http_head *head, sio_sink *lines,
                    void (*hook)(sio_http *http, void *data), void *data)
{
    sio_server *io = (sio_server *)(void *)net;
    sio_http http = { .io = io, .x = x, .head = head, .answered = true };
    http.lines = sio_text_new(&net->memory);
    sio_scope_enter(&io->net);
    hook(&http, data);
    io->net.depth--;  // without sio_leave_callback: what it returned may be in the arena
    if (lines != NULL)
        sio_put(lines, http.lines.sink.p, http.lines.sink.n);
    sio_text_free(&http.lines);
}

/* ---- Turns and the end -------------------------------------------------------------------------------- */

void sio_routes_free(sio_server *io)
{
    while (io->routes != NULL) {
        route *r = io->routes;
        io->routes = r->next;
        free_content(io, r->content);
        sio_free_mem(&io->net.memory, r);
    }
}
