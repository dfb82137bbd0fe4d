/* web_files.c - files, and bytes from memory, as routes
 * SPDX-License-Identifier: MIT
 *
 * A content begins with the route that serves it: the route's handler finds it as the owner of the
 * mount that its request came to. It is made when the server starts, and never goes before it.
 *
 * What holds here: files are those that were registered, by name; no part of a request becomes a part
 * of a path. */
#include "sio_core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a route serves: a file, or bytes that the application keeps. */
typedef struct content {
    sio_route_data route;  // first
    const char *bytes;
    size_t n;
    const char *name;  // the file's, and bytes are ours; NULL: there is none
    int64_t changed;   // when the file was
    const char *type;
    char etag[48];
    char text[];  // the name, or the type
} content;

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
static int refresh(sio_net *net, content *c)
{
    const sio_memory *m = &net->memory;
    size_t n;
    int64_t changed;
    if (c->name == NULL)
        return 0;
    if (sio_loop_file(net->loop, c->name, &n, &changed) < 0)
        return -1;
    if (c->bytes != NULL && n == c->n && changed == c->changed)
        return 0;
    char *bytes = sio_resize(m, NULL, n + 1);
    if (bytes == NULL)
        return sio_fail(ENOMEM);
    if (sio_loop_file_read(net->loop, c->name, bytes, n) < 0) {
        sio_free_mem(m, bytes);
        return -1;
    }
    sio_free_mem(m, c->bytes);
    c->bytes = bytes, c->n = n, c->changed = changed;
    snprintf(c->etag, sizeof c->etag, "\"%zx-%llx\"", n, (unsigned long long)changed);
    return 0;
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

static void answer(sio_http *http)
{
    content *c = http->mount->owner;
    if (refresh(http->conn->net, c) < 0) {
        sio_http_reply(http, 404, "text/plain", "not found", 9);
        return;
    }
    sio_http_add_header(http, "Cache-Control", "public, max-age=0");
    sio_http_add_header(http, "ETag", c->etag);
    if (matches_tag(sio_http_field_of(http->head, "If-None-Match"), c->etag))
        sio_http_reply(http, 304, NULL, "", 0);
    else
        sio_http_reply(http, 200, c->type, c->bytes, c->n);
}

static void free_content(sio_net *net, sio_mount *m)
{
    content *c = m->owner;
    if (c->name != NULL)
        sio_free_mem(&net->memory, c->bytes);
    sio_free_mem(&net->memory, c);
}

/* text: kept with it. NULL, with errno. */
static content *new_content(sio_server *io, const char *path, const char *text)
{
    size_t n = strlen(text) + 1;
    content *c = (content *)sio_route_new(&io->net, sizeof *c + n, "GET", path, answer);
    if (c != NULL) {
        c->route.mount.free = free_content;
        memcpy(c->text, text, n);
    }
    return c;
}

int sio_file(sio_server *io, const char *path, const char *name)
{
    content *c = new_content(io, path, name);
    if (c == NULL)
        return -1;
    c->name = c->text;
    c->type = type_of(name);
    if (refresh(&io->net, c) < 0) {
        int error = errno;
        free_content(&io->net, &c->route.mount);
        return sio_fail(error);
    }
    sio_mount_add(&io->net, &c->route.mount);
    return 0;
}

int sio_bundle(sio_server *io, const char *path, const char *type, const void *p, size_t n)
{
    unsigned char digest[20];
    content *c = new_content(io, path, type == NULL ? "" : type);
    if (c == NULL)
        return -1;
    c->type = type == NULL ? NULL : c->text;
    c->bytes = p, c->n = n;
    sio_sha1(p, n, digest);  // RFC 9110, 8.8.3: other bytes have another tag, in any program
    size_t length = sio_base64url_encode(digest, sizeof digest, c->etag + 1);
    c->etag[0] = c->etag[length + 1] = '"';
    sio_mount_add(&io->net, &c->route.mount);
    return 0;
}
