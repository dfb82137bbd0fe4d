/* net_routes.c - requests as the application sees them, and routes
 * SPDX-License-Identifier: MIT
 *
 *     head --no body--> handler --> answered <-------------------------.
 *       |                 ^ `--sio_http_keep--> kept --sio_http_of--> some callback
 *       `--a body--> the head is kept, until the body is complete: then the handler
 *
 * A route answers exactly its path, or everything below it. What serves something else than a handler
 * begins with a route (web_files.c).
 *
 * What holds here:
 *  - A handler runs when the body is complete. When it returns it has answered, or kept the request, or
 *    the answer is 500.
 *  - A request is readable as long as the function runs that it was lent to. A route's is answered by
 *    sio_http_reply alone; a hook of Engine.IO adds header fields to what others answer.
 *  - WebSocket handshakes are no route's. */
#include "net.h"

#include <errno.h>

/* ---- Requests -------------------------------------------------------------------------------------- */

static const char *copy_text(const sio_http *http, sio_span s)
{
    char *text = sio_arena_get(&http->conn->net->arena, s.n + 1);
    if (text == NULL)
        return NULL;
    if (s.n > 0)
        memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    return text;
}

sio_span sio_repair_text(sio_arena *arena, sio_span s)
{
    size_t good = sio_utf8_prefix(s.p, s.n), n = 0;
    if (good == s.n)
        return s;
    char *text = sio_arena_get(arena, s.n * 3);
    while (text != NULL && s.n > 0) {
        memcpy(text + n, s.p, good);
        s.p += good, s.n -= good, n += good;
        if (s.n > 0) {
            memcpy(text + n, "\xef\xbf\xbd", 3);
            s.p++, s.n--, n += 3;
        }
        good = sio_utf8_prefix(s.p, s.n);
    }
    return (sio_span){ text, n };
}

/* Whether it can be read, and what is asked for has a name: sio_http_of may have found no request. */
static bool is_readable(const sio_http *http, const char *name)
{
    if (http != NULL && http->head != NULL && name != NULL)
        return true;
    sio_fail(EINVAL);
    return false;
}

sio_server *sio_http_server(const sio_http *http)
{
    return http == NULL ? NULL : (sio_server *)(void *)http->conn->net;  // which it begins with
}

const char *sio_http_method(const sio_http *http)
{
    return is_readable(http, "") ? copy_text(http, http->head->method) : NULL;
}

const char *sio_http_target(const sio_http *http)
{
    return is_readable(http, "") ? copy_text(http, http->head->target) : NULL;
}

const char *sio_http_path(sio_http *http)
{
    return is_readable(http, "") ? copy_text(http, sio_http_target_path(http->head->target)) : NULL;
}

const char *sio_http_header(sio_http *http, const char *name)
{
    sio_span value = SIO_NONE;
    if (is_readable(http, name))
        value = sio_http_field_of(http->head, name);
    return value.p == NULL ? NULL : copy_text(http, value);
}

bool sio_http_field(sio_http *http, size_t i, const char **name, const char **value)
{
    if (!is_readable(http, "") || i >= http->head->n_fields)
        return false;
    const char *first = copy_text(http, http->head->field[i].name);
    const char *second = copy_text(http, http->head->field[i].value);
    if (first == NULL || second == NULL)
        return false;
    if (name != NULL)
        *name = first;
    if (value != NULL)
        *value = second;
    return true;
}

const char *sio_http_query(sio_http *http, const char *name)
{
    if (!is_readable(http, name))
        return NULL;
    sio_arena *arena = &http->conn->net->arena;
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
    if (!is_readable(http, ""))
        return NULL;
    char *text = sio_arena_get(&http->conn->net->arena, 64);
    if (text != NULL)
        sio_client_address(http->conn, http->head, text);
    return text;
}

const void *sio_http_body(const sio_http *http, size_t *n)
{
    size_t size = http == NULL ? 0 : http->body_n;
    if (n != NULL)
        *n = size;
    return size > 0 ? http->body : "";
}

/* Fields that say where the answer ends, which nobody but net_requests.c knows. */
static bool is_framing(const char *name)
{
    sio_span s = { name, strlen(name) };
    return sio_span_is_nocase(s, "Content-Length") || sio_span_is_nocase(s, "Transfer-Encoding") ||
           sio_span_is_nocase(s, "Connection");
}

int sio_http_add_header(sio_http *http, const char *name, const char *value)
{
    if (http == NULL || name == NULL || value == NULL)
        return sio_fail(EINVAL);
    if (!sio_http_is_name(name) || !sio_http_is_value(value) || is_framing(name))
        return sio_fail(EINVAL);
    size_t n = strlen(name) + strlen(value) + 4;
    sio_sink sink = { .p = sio_arena_get(&http->conn->net->arena, n), .cap = n };
    if (sink.p == NULL)
        return sio_fail(ENOMEM);
    sio_put_text(&sink, name);
    sio_put(&sink, ": ", 2);
    sio_put_text(&sink, value);
    sio_put(&sink, "\r\n", 2);
    return sio_exchange_add(http, &sink) ? 0 : sio_fail(ENOMEM);
}

/* ---- Answers that come later ----------------------------------------------------------------------- */

const char SIO_LATER[] = "later";

uint64_t sio_http_keep(sio_http *http)
{
    bool may = http != NULL && !http->answered && (http->raw.p != NULL || http->kept != NULL);
    if (may && (http->kept != NULL || sio_exchange_keep(http)))
        return http->kept->handle;
    sio_fail(may ? ENOMEM : EINVAL);
    return 0;
}

/* In the handler itself the body is where it was. */
sio_http *sio_http_of(sio_server *io, uint64_t handle)
{
    const sio_net *net = (const sio_net *)(const void *)io;  // which begins with it
    const sio_kept *k = net == NULL ? NULL : sio_handle_get(&net->kept, handle);
    if (k == NULL)
        return NULL;
    sio_http *http = k->exchange;
    http->head = &k->head;
    if (http->body_cap == 0)
        http->body = k->body, http->body_n = k->body_n;
    return http;
}

/* ---- Routes ---------------------------------------------------------------------------------------- */

static void run(const sio_route_data *r, sio_http *http, const sio_http_head *head, sio_span raw)
{
    sio_net *net = http->conn->net;
    http->head = head;
    http->raw = raw;
    sio_scope_enter(net);
    r->fn(http);
    http->head = NULL;
    http->raw = SIO_NONE;
    if (!http->answered && http->kept == NULL) {
        sio_log_of(
            net, sio_request_about(http->conn, head),
            "500: a route's handler did not answer (have it call sio_http_reply or sio_http_keep)");
        sio_respond_empty(http, 500);
    }
    sio_scope_leave(net);
}

/* A request with a body keeps its head until that is complete. */
typedef struct kept_head {
    size_t n;
    char bytes[];
} kept_head;

/* A request without a body is handled at once. */
static void on_head(void *owner, sio_http *http, const sio_http_head *head, sio_span raw)
{
    const sio_route_data *r = owner;
    if (!head->chunked && head->length == 0) {
        run(r, http, head, raw);
        return;
    }
    sio_net *net = http->conn->net;
    kept_head *k = sio_resize(&net->memory, NULL, sizeof *k + raw.n);
    if (k == NULL) {
        net->stats.refused++;
        sio_log_of(net, sio_request_about(http->conn, head),
                   "request refused: 503, there is no memory for its head (give the server more)");
        sio_respond_empty(http, 503);
        return;
    }
    k->n = raw.n;
    memcpy(k->bytes, raw.p, raw.n);
    http->user = k;
    http->wants_body = true;
}

static void on_body(void *owner, sio_http *http, sio_span body)
{
    const sio_memory *m = &http->conn->net->memory;
    kept_head *k = http->user;
    sio_http_head head;
    (void)body;  // the handler asks the request for it
    http->user = NULL;
    if (sio_http_parse(k->bytes, k->n, &head) > 0)
        run(owner, http, &head, (sio_span){ k->bytes, k->n });
    sio_free_mem(m, k);
}

static void on_gone(void *owner, sio_http *http, int status)
{
    (void)owner, (void)status;
    sio_free_mem(&http->conn->net->memory, http->user);
    http->user = NULL;
}

static const sio_endpoint endpoint = { on_head, on_body, on_gone };

int sio_http_reply(sio_http *http, int status, const char *type, const void *p, size_t n)
{
    bool ours = http != NULL && http->mount->endpoint == &endpoint && !http->answered;
    if (!ours || (p == NULL && n > 0) || status < 200 || status > 999 ||
        (type != NULL && !sio_http_is_value(type)))
        return sio_fail(EINVAL);
    if (status == 204 || status == 304)
        n = 0;  // RFC 9110, 15.3.5 and 15.4.5: they end with their head
    http->extra_always = http->extra.n;
    sio_respond(http, status, type, SIO_NONE, (sio_span){ p, n });
    return 0;
}

void *sio_http_data(const sio_http *http)
{
    return http == NULL ? NULL : http->mount->data;
}

/* Comparing the path first sorts out most routes. RFC 9110, 9.3.2: who answers GET answers HEAD. */
static unsigned fits(const sio_mount *m, const sio_http_head *head, sio_span path)
{
    const sio_route_data *r = (const sio_route_data *)(const void *)m;
    bool begins = path.n >= r->path_n && memcmp(path.p, r->path, r->path_n) == 0;
    if (!begins || (!r->prefix && path.n > r->path_n))
        return SIO_FITS_NOT;
    bool method = sio_span_is(head->method, r->method) || strcmp(r->method, "*") == 0 ||
                  (sio_span_is(head->method, "HEAD") && strcmp(r->method, "GET") == 0);
    if (!method || sio_asks_for_websocket(head))
        return SIO_FITS_NOT;
    return r->prefix ? SIO_FITS_BELOW + (unsigned)r->path_n : SIO_FITS_EXACTLY;
}

static void free_route(sio_net *net, sio_mount *m)
{
    sio_free_mem(&net->memory, m);
}

sio_route_data *sio_route_new(sio_net *net, size_t size, const char *method, const char *path,
                              sio_http_handler fn)
{
    size_t n = strlen(method) + 1, m = strlen(path) + 1;
    bool good = (path[0] == '/' && strpbrk(path, "?#") == NULL) || strcmp(path, "*") == 0;
    sio_route_data *r = good ? sio_alloc(&net->memory, size + n + m) : NULL;
    if (r == NULL) {
        sio_fail(good ? ENOMEM : EINVAL);
        return NULL;
    }
    char *text = (char *)r + size;
    r->mount = (sio_mount){ .fits = fits, .free = free_route, .endpoint = &endpoint, .owner = r };
    r->fn = fn;
    r->method = memcpy(text, method, n);
    r->path = memcpy(text + n, path, m);
    r->prefix = path[m - 2] == '*';
    r->path_n = m - 1 - r->prefix;
    return r;
}

int(sio_route)(sio_server *io, const char *method, const char *path, sio_http_handler fn,
               void *data)
{
    sio_net *net = (sio_net *)(void *)io;  // which begins with it
    if (method == NULL || path == NULL || fn == NULL)
        return sio_fail(EINVAL);
    sio_route_data *r = sio_route_new(net, sizeof *r, method, path, fn);
    if (r == NULL)
        return -1;
    r->mount.data = data;
    sio_mount_add(net, &r->mount);
    return 0;
}
