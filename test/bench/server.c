/* server.c - the benchmark's server on sio.h: echo, ack, all, join, room; --redis URL: one of several
 * SPDX-License-Identifier: MIT */
#include "../../sio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void on_echo(sio_socket *socket, sio_event *event)
{
    sio_emit(sio_self(socket), "echo", "%p", sio_arg(event, 0));
}

static void on_ack(sio_socket *socket, sio_event *event)
{
    (void)socket;
    sio_ack(event, "%p", sio_arg(event, 0));
}

static void on_all(sio_socket *socket, sio_event *event)
{
    sio_emit(sio_all(sio_ns(socket)), "all", "%p", sio_arg(event, 0));
}

static void on_join(sio_socket *socket, sio_event *event)
{
    char room[65];
    if (sio_scan(event, "%64s", room) == 1)
        sio_join(socket, room);
}

static void on_room(sio_socket *socket, sio_event *event)
{
    char room[65];
    sio_value x;
    if (sio_scan(event, "%64s, %p", room, &x) == 2)
        sio_emit(sio_to(sio_all(sio_ns(socket)), room), "room", "%p", x);
}

/* What stands behind a flag; NULL: it is not there. */
static const char *flag(char **argv, const char *name)
{
    for (; argv[0] != NULL; argv++)
        if (strcmp(argv[0], name) == 0)
            return argv[1];
    return NULL;
}

int main(int argc, char **argv)
{
    const char *port = getenv("PORT") != NULL ? getenv("PORT") : "3000";
    const char *redis = flag(argv, "--redis");
    (void)argc;
    if (flag(argv, "--port") != NULL)
        port = flag(argv, "--port");
    sio_server *io = sio_new(&(sio_options){ .max_payload = 100000000, .max_output = 1u << 30 });
    if (io == NULL || sio_listen(io, "127.0.0.1", atoi(port)) < 0) {
        perror("bench-server");
        return 1;
    }
    if (redis != NULL && sio_redis(io, redis, NULL) < 0) {
        perror("bench-server");
        return 1;
    }
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "echo", on_echo);
    sio_on(ns, "ack", on_ack);
    sio_on(ns, "all", on_all);
    sio_on(ns, "join", on_join);
    sio_on(ns, "room", on_room);
    return sio_run(io) < 0;
}
