// package.cpp - a server in C++: options filled field by field, handlers that are lambdas
// SPDX-License-Identifier: MIT
#include <cstdio>
#include <cstring>

#include <sio.h>

static_assert(SIO_VERSION_MAJOR * 100 + SIO_VERSION_MINOR >= 2, "this is of version 0.2.0");

int main()
{
    sio_options options{};
    options.ping_interval_ms = 12345;
    options.log = [](void *, const char *line) { std::puts(line); };
    options.allow_request = [](sio_http *http) -> const char * {
        return sio_http_query(http, "refused") ? "refused" : nullptr;
    };
    sio_server *io = sio_new(&options);
    if (!io)
        return 1;
    sio_on(sio_of(io, "/"), "chat message", [](sio_socket *socket, sio_event *event) {
        char text[501];
        if (sio_scan(event, "%500s", text) == 1)
            sio_emit(sio_all(sio_ns(socket)), "chat message", "%s", text);
    });
    sio_use(sio_of(io, "/admin"), [](sio_socket *, sio_event *) { return SIO_DROP; });
    sio_route(io, "GET", "/version", [](sio_http *http) {
        sio_http_reply(http, 200, "text/plain", SIO_VERSION, std::strlen(SIO_VERSION));
    });
    return sio_listen(io, "unix:socket", 0) < 0 || sio_run(io) < 0;
}
