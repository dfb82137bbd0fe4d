/* tutorial_websocket.c - plain WebSocket: a greeting every three seconds, and what comes back
 * SPDX-License-Identifier: MIT
 *
 *     const ws = new WebSocket("ws://localhost:8005");
 *     ws.onmessage = (event) => { console.log(event.data); ws.send("Hello, server"); };
 *
 *     build/tutorial_websocket [PORT [MILLISECONDS]] */
#include <stdio.h>
#include <stdlib.h>

#include "sio.h"

static int interval_ms = 3000;

static void greet(sio_server *io, void *data)
{
    static const char text[] = "Hello from the server";
    sio_ws_broadcast(io, "/", true, text, sizeof text - 1);
    sio_after(io, interval_ms, greet, data);
}

static void on_open(sio_ws *ws)
{
    printf("%s connected\n", sio_ws_address(ws));
}

static void on_message(sio_ws *ws, bool text, const void *p, size_t n)
{
    printf("%s %s: %.*s\n", sio_ws_address(ws), text ? "says" : "sends", text ? (int)n : 0,
           (const char *)p);
}

static void on_close(sio_ws *ws, int code, bool clean)
{
    printf("%s closed with %d, %s\n", sio_ws_address(ws), code, clean ? "in order" : "broken");
}

int main(int argc, char **argv)
{
    if (argc > 2)
        interval_ms = atoi(argv[2]);
    sio_server *io = sio_new(NULL);
    sio_websocket(io, "/",
                  &(sio_ws_handlers){ .open = on_open, .message = on_message, .close = on_close });
    sio_after(io, interval_ms, greet, NULL);
    int port = sio_listen(io, "localhost", argc > 1 ? atoi(argv[1]) : 8005);
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    printf("listening on %d\n", port);
    return port < 0 || sio_run(io) < 0;
}
