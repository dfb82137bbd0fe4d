/* refused.c - ways to hold sio.h wrong that no compiler takes; and, without -DCASE, the right way
 * SPDX-License-Identifier: MIT
 *
 * test/compilers compiles it once as it is, and once for each case, which must fail. */
#include <stddef.h>

#include "sio.h"

#ifndef CASE
#define CASE 0
#endif

void hold(sio_server *io, sio_socket *socket, sio_event *event, sio_later later, sio_admission who,
          const char *text);

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error, (void)answer;
}

void hold(sio_server *io, sio_socket *socket, sio_event *event, sio_later later, sio_admission who,
          const char *text)
{
    sio_value v = sio_arg(event, 0), list = sio_array(io), object = sio_object(io);
    char name[65];
    (void)v, (void)list, (void)object, (void)name, (void)later, (void)who, (void)text;
    (void)socket, (void)on_answer;
#if CASE == 0
    sio_emit(sio_self(socket), "e", "");
    sio_emit(sio_self(socket), "e", "%s, %p", text, v);
    sio_request(sio_self(socket), on_answer, NULL, "e", "{'a': %s}", text);
    sio_ack(event, "%s", text);
    sio_ack_now(later, "%p", v);
    sio_next(who, text, "{'why': %s}", text);
    sio_error_data(event, "%s", text);
    sio_push(list, "%s", text);
    sio_set_member(object, text, "%s", text);
    v = sio_make(io, "%s", text);
    sio_scan(event, "%64s, %p", name, &v);
    sio_scan_value(v, "%64s", name);
    sio_text(v, NULL);
#elif CASE == 1
    sio_emit(sio_self(socket), "e", text);
#elif CASE == 2
    sio_request(sio_self(socket), on_answer, NULL, "e", text);
#elif CASE == 3
    sio_ack(event, text);
#elif CASE == 4
    sio_ack_now(later, text);
#elif CASE == 5
    sio_next(who, NULL, text);
#elif CASE == 6
    sio_error_data(event, text);
#elif CASE == 7
    sio_push(list, text);
#elif CASE == 8
    sio_set_member(object, text, text);
#elif CASE == 9
    v = sio_make(io, text);
#elif CASE == 10
    sio_scan(event, text, name);
#elif CASE == 11
    sio_scan_value(v, text, name);
#elif CASE == 12
    sio_text(socket, NULL);  // C leaves it at a warning, which -Werror refuses
#elif CASE == 13
    sio_ack_now(who, "");
#elif CASE == 14
    sio_next(later, NULL, "");
#else
#error "no such case"
#endif
}
