/* upgrade.c - how a polling session moves to a WebSocket
 * SPDX-License-Identifier: MIT
 *
 *     client                                server
 *       GET ...&sid=SID, Upgrade  ------>     101; polling goes on beside it
 *       "2probe"                  ------>
 *                                 <------     "3probe"; a waiting GET is answered "6" soon
 *       "5"                       ------>     the session lives on the WebSocket, and what is
 *                                 <------     queued leaves there
 *
 * A client pauses polling before it sends "5": its POSTs are answered by then. Where one is not, what
 * has not come of it is dropped; if it came whole and is still being read, the upgrade is given up,
 * for what comes over the WebSocket would overtake it.
 *
 * Nothing that goes wrong on the probing connection harms the session: the connection is closed,
 * polling goes on, and the client may try again. */
#include "layers.h"

#include <string.h>

/* The attempt is over, either way. */
static void finish(sio_upgrade *u)
{
    sio_eio *eio = u->session->eio;
    sio_deadline_clear(&u->timeout);
    sio_deadline_clear(&u->tick);
    u->session->polling->upgrade = NULL;
    u->session = NULL;
    u->next = eio->dead_upgrades;
    eio->dead_upgrades = u;
}

void sio_upgrade_abandon(sio_session *s)
{
    sio_upgrade *u = s->polling->upgrade;
    finish(u);
    sio_conn_close(u->conn, SIO_WS_NO_CODE);
}

void sio_upgrade_begin(sio_session *s, sio_exchange *x, const sio_http_head *head, bool base64)
{
    sio_eio *eio = s->eio;
    x->user = NULL;
    sio_upgrade *u = NULL;
    if (s->state == SIO_SESSION_POLLING && s->polling->upgrade == NULL)
        u = sio_alloc(&eio->net->memory, sizeof *u);
    sio_conn *c = sio_conn_upgrade(x, head, &eio->upgrade_events, u);
    if (c == NULL || u == NULL) {
        sio_free_mem(&eio->net->memory, u);
        if (c != NULL) {
            sio_log(eio->net, "websocket closed: its session has one already");
            sio_conn_close(c, SIO_WS_NO_CODE);
        }
        return;
    }
    u->session = s;
    u->conn = c;
    u->base64 = base64;
    s->polling->upgrade = u;
    sio_deadline_set(&eio->net->clock, &eio->upgrade_fifo, &u->timeout);
}

/* The waiting GET is done, and so is a POST that has not come whole. */
static void end_polling(sio_session *s)
{
    sio_polling *k = s->polling;
    sio_poll_release(s, "6");
    if (k->post != NULL) {
        sio_conn *c = k->post->conn;
        k->post->user = NULL;
        k->post = NULL;
        sio_conn_drop(c);
    }
}

static void complete(sio_upgrade *u)
{
    sio_session *s = u->session;
    sio_eio *eio = s->eio;
    end_polling(s);
    if (u->session == NULL)
        return;  // a callback of a connection that had to go ended the session
    bool closing = s->state == SIO_SESSION_CLOSING;
    sio_queue queue = s->polling->queue;
    s->polling->queue = (sio_queue){ .n = 0 };
    finish(u);
    sio_session_mark(s);  // frees what polling needed
    s->conn = u->conn;
    s->base64 = u->base64;
    s->state = SIO_SESSION_WEBSOCKET;
    eio->net->stats.upgrades++;
    sio_conn_set_owner(s->conn, &eio->ws_events, s);
    for (size_t i = 0; sio_queue_at(&queue, i).n > 0; i++)
        sio_session_forward(s, sio_queue_at(&queue, i));
    sio_queue_clear(&eio->net->memory, &queue);
    if (!closing)
        return;
    sio_conn_close(s->conn, SIO_WS_NO_CODE);
    s->state = SIO_SESSION_CLOSING;
    sio_session_closed(s, "forced close");
}

static void answer_probe(sio_upgrade *u)
{
    sio_net *net = u->session->eio->net;
    sio_ref ref;
    sio_out_begin(&net->out);
    sio_out_frame(&net->out);
    sio_put(&net->out.sink, "3probe", 6);
    sio_out_frame_end(&net->out, SIO_WS_TEXT);
    if (!sio_out_end(&net->out, &ref))
        return;
    sio_conn_send(u->conn, ref);
    sio_ref_release(ref);
}

void sio_upgrade_message(void *owner, bool text, const char *p, size_t n)
{
    sio_upgrade *u = owner;
    sio_span packet = { p, n };
    if (u == NULL || u->session == NULL)
        return;
    sio_eio *eio = u->session->eio;
    if (text && sio_span_is(packet, "2probe")) {
        answer_probe(u);
        sio_deadline_set(&eio->net->clock, &eio->tick_fifo, &u->tick);
    } else if (text && sio_span_is(packet, "5") && u->session->polling->rest == NULL) {
        complete(u);
    } else {
        sio_upgrade_abandon(u->session);
    }
}

void sio_upgrade_closed(void *owner, int code, bool clean)
{
    sio_upgrade *u = owner;
    (void)code, (void)clean;
    if (u != NULL && u->session != NULL)
        finish(u);
}

void sio_upgrade_timeout(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_upgrade *u = (sio_upgrade *)(void *)((char *)d - offsetof(sio_upgrade, timeout));
    sio_log(eio->net, "upgrade given up: not completed within upgrade_timeout");
    sio_upgrade_abandon(u->session);
}

/* The client pauses polling before it completes the upgrade: its GET is let go for that. */
void sio_upgrade_tick(void *owner, sio_deadline *d)
{
    sio_eio *eio = owner;
    sio_upgrade *u = (sio_upgrade *)(void *)((char *)d - offsetof(sio_upgrade, tick));
    if (u->session->state == SIO_SESSION_POLLING)
        sio_poll_release(u->session, "6");
    sio_deadline_set(&eio->net->clock, &eio->tick_fifo, &u->tick);
}
