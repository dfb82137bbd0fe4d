/* test_sio_tasks_poll.c - test_sio_tasks.c with poll(2), also where there is epoll
 * SPDX-License-Identifier: MIT
 *
 * This file's loop is the one that is linked: the library's is left out for it. */
#define SIO_POLL
#include "../net_loop.c"
#include "test_sio_tasks.c"
