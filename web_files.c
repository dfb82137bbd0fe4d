/* web_files.c - files, folders, and bytes from memory, as routes
 * SPDX-License-Identifier: MIT
 *
 *     /static/  css/site.css     the route's path, and the name below it
 *     public  / css/site.css     the folder, and the same name, decoded
 *
 * A content or a folder begins with the route that serves it: the route's handler finds it as the owner
 * of the mount that its request came to. It is made when the server starts, and never goes before it.
 *
 * What holds here:
 *  - A part of a request becomes a part of a file's name only by name_below, whose names lead nowhere
 *    but down. Where symbolic links lead is up to who puts them there.
 *  - What is no plain file is never opened. A file below a folder is read for each request that gets it,
 *    and forgotten; the others are kept. */
#include "sio_core.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TAG_SIZE = 48 };

/* What a route serves: a file, or bytes that the application keeps. */
typedef struct content {
    sio_route_data route;  // first
    const char *bytes;
    size_t n;
    const char *name;  // the file's, and bytes are ours; NULL: there is none
    int64_t changed;   // when the file was
    const char *type;
    char etag[TAG_SIZE];
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
        { ".jpeg", "image/jpeg" },
        { ".gif", "image/gif" },
        { ".webp", "image/webp" },
        { ".woff2", "font/woff2" },
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

static void write_tag(char tag[TAG_SIZE], size_t n, int64_t changed)
{
    snprintf(tag, TAG_SIZE, "\"%zx-%llx\"", n, (unsigned long long)changed);
}

static void not_found(sio_http *http)
{
    sio_http_reply(http, 404, "text/plain", "not found", 9);
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

/* Begins the answer that has this tag. False: the client has the bytes already, and was told so. */
static bool wants(sio_http *http, const char *etag)
{
    sio_http_add_header(http, "Cache-Control", "public, max-age=0");
    sio_http_add_header(http, "ETag", etag);
    if (!matches_tag(sio_http_field_of(http->head, "If-None-Match"), etag))
        return true;
    sio_http_reply(http, 304, NULL, "", 0);
    return false;
}

/* ---- Files and bundles --------------------------------------------------------------------------- */

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
    write_tag(c->etag, n, changed);
    return 0;
}

static void answer(sio_http *http)
{
    content *c = http->mount->owner;
    if (refresh(http->conn->net, c) < 0)
        not_found(http);
    else if (wants(http, c->etag))
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
    if (path == NULL || text == NULL) {
        sio_fail(EINVAL);
        return NULL;
    }
    size_t n = strlen(text) + 1;
    content *c = (content *)sio_route_new(&io->net, sizeof *c + n, "GET", path, answer);
    if (c != NULL) {
        c->route.mount.free = free_content;
        memcpy(c->text, text, n);
    }
    return c;
}

/* type: NULL for that of the file's ending. NULL, with errno: it can't be read, or no memory. */
static content *add_file(sio_server *io, const char *path, const char *name, const char *type)
{
    content *c = new_content(io, path, name);
    if (c == NULL)
        return NULL;
    c->name = c->text;
    c->type = type == NULL ? type_of(name) : type;
    if (refresh(&io->net, c) < 0) {
        int error = errno;
        free_content(&io->net, &c->route.mount);
        sio_fail(error);
        return NULL;
    }
    sio_mount_add(&io->net, &c->route.mount);
    return c;
}

int sio_file(sio_server *io, const char *path, const char *name)
{
    return add_file(io, path, name, NULL) == NULL ? -1 : 0;
}

int sio_bundle(sio_server *io, const char *path, const char *type, const void *p, size_t n)
{
    unsigned char digest[20];
    if (p == NULL && n > 0)
        return sio_fail(EINVAL);
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

/* ---- The client ---------------------------------------------------------------------------------- */

/* In the arena. NULL, with errno: no memory. */
static char *join(sio_server *io, sio_span a, const char *b)
{
    size_t n = strlen(b) + 1;
    char *text = sio_arena_get(&io->net.arena, a.n + n);
    if (text == NULL) {
        sio_fail(ENOMEM);
        return NULL;
    }
    memcpy(text, a.p, a.n);
    memcpy(text + a.n, b, n);
    return text;
}

/* Serves a file below Socket.IO's path by two names. 0 or -1. */
static int add_client(sio_server *io, const char *name, const char *other, const char *file)
{
    sio_span at = { io->options.path, strlen(io->options.path) };
    if (at.n > 0 && at.p[at.n - 1] == '/')
        at.n--;
    const char *path = join(io, at, name), *second = join(io, at, other);
    content *c = path == NULL || second == NULL ? NULL : add_file(io, path, file, type_of(name));
    sio_route_data *r = NULL;
    if (c != NULL)
        r = sio_route_new(&io->net, sizeof *r, "GET", second, answer);
    if (r == NULL)
        return -1;
    r->mount.owner = c;
    sio_mount_add(&io->net, &r->mount);
    return 0;
}

int sio_serve_client(sio_server *io, const char *file)
{
    if (add_client(io, "/socket.io.js", "/socket.io.min.js", file) < 0)
        return -1;
    const char *map = join(io, (sio_span){ file, strlen(file) }, ".map");
    if (map == NULL || add_client(io, "/socket.io.js.map", "/socket.io.min.js.map", map) == 0)
        return map == NULL ? -1 : 0;
    return errno == ENOMEM ? -1 : 0;  // it need not have one
}

/* ---- Folders ------------------------------------------------------------------------------------- */

static const char index_name[] = "/index.html";

/* A folder, whose files a route serves. */
typedef struct folder {
    sio_route_data route;  // first
    size_t n;              // of its name, without the slash at its end
    char name[];
} folder;

/* Takes the next byte of a path, which may be escaped. -1: none that a file's name may have: a slash that
 * is escaped is no separator, and a backslash is one elsewhere. */
static int next_byte(sio_span *path)
{
    char byte[3] = { path->p[0] };
    size_t n = 1;
    if (byte[0] == '%') {
        n = 3;
        if (path->n < n || sio_http_decode((sio_span){ path->p, n }, byte) != 1 || byte[0] == '/')
            return -1;
    }
    path->p += n, path->n -= n;
    return byte[0] == '\0' || byte[0] == '\\' ? -1 : (unsigned char)byte[0];
}

/* The name of a file below the folder, in the arena with room for index_name behind it. The path is
 * decoded once. No part between slashes begins with a dot, or is empty, but for the last. NULL: it is
 * no such name, or no memory. */
static char *name_below(const folder *f, sio_span path, sio_arena *arena)
{
    char *name = sio_arena_get(arena, f->n + 1 + path.n + sizeof index_name);
    size_t n = f->n;
    if (name == NULL)
        return NULL;
    memcpy(name, f->name, n);
    name[n++] = '/';
    while (path.n > 0) {
        int c = next_byte(&path);
        if (c < 0 || (name[n - 1] == '/' && (c == '.' || c == '/')))
            return NULL;
        name[n++] = (char)c;
    }
    name[n] = '\0';
    return name;
}

/* Answers with a file as it is now. */
static void answer_file(sio_http *http, const char *name, size_t n, int64_t changed)
{
    sio_net *net = http->conn->net;
    char tag[TAG_SIZE];
    write_tag(tag, n, changed);
    if (n > net->options->max_output) {
        sio_log(net, "500: %.200s is longer than max_output", name);
        sio_http_reply(http, 500, NULL, "", 0);
        return;
    }
    if (!wants(http, tag))
        return;
    size_t room = n + 1;
    char *bytes = sio_block_get(&net->memory, &room);
    if (bytes == NULL)
        sio_http_reply(http, 503, NULL, "", 0);
    else if (sio_loop_file_read(net->loop, name, bytes, n) < 0)
        not_found(http);
    else
        sio_http_reply(http, 200, type_of(name), bytes, n);
    if (bytes != NULL)
        sio_block_put(&net->memory, bytes, room);
}

/* A folder's name without a slash at its end: links of its page would lead beside it. Where to is said
 * from here, so that no path can name another server. */
static void lead_into(sio_http *http, sio_span path)
{
    size_t at = path.n;
    while (path.p[at - 1] != '/')
        at--;
    char *to = sio_arena_get(&http->conn->net->arena, path.n - at + 4);
    if (to != NULL)
        snprintf(to, path.n - at + 4, "./%.*s/", (int)(path.n - at), path.p + at);
    if (to == NULL || sio_http_add_header(http, "Location", to) < 0)
        sio_http_reply(http, 503, NULL, "", 0);
    else
        sio_http_reply(http, 301, NULL, "", 0);
}

static void answer_below(sio_http *http)
{
    const folder *f = http->mount->owner;
    sio_net *net = http->conn->net;
    sio_span path = sio_http_target_path(http->head->target);
    sio_span below = { path.p + f->route.path_n, path.n - f->route.path_n };
    char *name = name_below(f, below, &net->arena);
    size_t n;
    int64_t changed;
    if (name == NULL || http->conn->broken) {  // a client that does not read costs no files
        not_found(http);
        return;
    }
    bool is_folder = name[strlen(name) - 1] == '/';
    if (is_folder)
        strcat(name, index_name + 1);
    if (sio_loop_file(net->loop, name, &n, &changed) == 0)
        answer_file(http, name, n, changed);
    else if (!is_folder && sio_loop_file(net->loop, strcat(name, index_name), &n, &changed) == 0)
        lead_into(http, path);
    else
        not_found(http);
}

int sio_folder(sio_server *io, const char *path, const char *name)
{
    size_t n = path == NULL ? 0 : strlen(path), m = name == NULL ? 0 : strlen(name);
    if (m == 0 || n < 2 || strcmp(path + n - 2, "/*") != 0)
        return sio_fail(EINVAL);
    folder *f = (folder *)sio_route_new(&io->net, sizeof *f + m, "GET", path, answer_below);
    if (f == NULL)
        return -1;
    f->n = m - (name[m - 1] == '/');
    memcpy(f->name, name, m);
    sio_mount_add(&io->net, &f->route.mount);
    return 0;
}
