/* tutorial_token.c - who are you? A token is checked, which takes a while, and the user remembered
 * SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L  // strdup
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sio.h"

static sio_server *server;

/* Somebody who knows the tokens, and answers later: a database, here a timer. */
typedef struct question {
    char token[65];
    sio_admission who;
} question;

static void answer(sio_server *io, void *data);

static void ask_database(const char *token, sio_admission who)
{
    question *q = malloc(sizeof *q);
    if (q == NULL) {
        sio_next(who, "out of memory", "");
        return;
    }
    memcpy(q->token, token, strlen(token) + 1);
    q->who = who;
    if (sio_after(server, 50, answer, q) == 0)
        free(q);
}

static void on_user(sio_admission who, const char *user)
{
    sio_socket *socket = sio_next_socket(who);  // NULL: it has gone meanwhile
    if (socket != NULL && user != NULL)
        sio_set_data(socket, strdup(user), free);
    sio_next(who, user == NULL ? "unknown token" : NULL, "");
}

static void answer(sio_server *io, void *data)
{
    question *q = data;
    (void)io;
    on_user(q->who, strcmp(q->token, "open sesame") == 0 ? "Ali Baba" : NULL);
    free(q);
}

static const char *check_token(sio_socket *socket, sio_event *event)
{
    char token[65];
    (void)socket;
    if (sio_scan(event, "{'token': %64s}", token) != 1)
        return "no token";
    ask_database(token, sio_next_later(event));  // yours; it calls on_user
    return SIO_LATER;
}

static void on_connection(sio_socket *socket, sio_event *event)
{
    (void)event;
    sio_emit(sio_self(socket), "welcome", "%s", (const char *)sio_data(socket));
}

int main(int argc, char **argv)
{
    server = sio_new(NULL);
    if (server == NULL)
        return 1;
    sio_use(sio_of(server, "/"), check_token);
    sio_on(sio_of(server, "/"), "connection", on_connection);
    int port = sio_listen(server, "127.0.0.1", argc > 1 ? atoi(argv[1]) : 3000);
    if (port < 0) {
        perror("can't listen");
        return 1;
    }
    printf("listening on %d\n", port);
    fflush(stdout);
    return sio_run(server);
}
