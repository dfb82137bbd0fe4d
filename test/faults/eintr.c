/* eintr.c - to be loaded into a server: interrupts its system calls a thousand times a second
 * SPDX-License-Identifier: MIT
 *
 *     LD_PRELOAD=build/eintr.so build/fixture
 *
 * The handler is set without SA_RESTART, so what waits returns EINTR. At the end it says how often. */
#define _XOPEN_SOURCE 700
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

static volatile sig_atomic_t count;

static void on_alarm(int signal)
{
    (void)signal;
    count++;
}

__attribute__((constructor)) static void begin(void)
{
    struct sigaction action = { .sa_handler = on_alarm };
    struct itimerval each = { { 0, 1000 }, { 0, 1000 } };
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &each, NULL);
}

__attribute__((destructor)) static void end(void)
{
    struct itimerval never = { { 0, 0 }, { 0, 0 } };
    setitimer(ITIMER_REAL, &never, NULL);
    fprintf(stderr, "%ld signals\n", (long)count);
}
