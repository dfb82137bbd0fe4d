/* sim_member.h - an application that is a member of a cluster, with two clients
 * SPDX-License-Identifier: MIT */
#ifndef TEST_SIM_MEMBER_H
#define TEST_SIM_MEMBER_H

#include "lib.h"
#include "sim_redis.h"

static sio_socket *newest;

static inline void note_socket(sio_socket *s, sio_event *e)
{
    (void)e;
    newest = s;
}

static inline void on_join(sio_socket *s, sio_event *e)
{
    sio_join(s, sio_text(sio_arg(e, 0), NULL));
    sio_ack(e, "");
}

static inline void on_broadcast(sio_socket *s, sio_event *e)
{
    (void)e;
    sio_emit(sio_broadcast(s), "e", "");
}

/* A member with A in r1, and B, in "/". */
static inline sio_server *begin(const sio_options *options, const sio_redis_options *redis_options)
{
    sim_fail = fail_with;
    sio_server *io = sim_new(options);
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "connection", note_socket);
    sio_on(ns, "join", on_join);
    sio_on(ns, "broadcast", on_broadcast);
    be_member(io, redis_options);
    sim_say(enter(io, 'A', SIM_WS, NULL, ""), "421[\"join\",\"r1\"]");
    enter(io, 'B', SIM_WS, NULL, "");
    sim_hear_all(sim_peer_of('A'));
    assert_string_equal(said(io), "");
    return io;
}

static inline sio_target all(sio_server *io)
{
    return sio_all(sio_of(io, "/"));
}

#endif
