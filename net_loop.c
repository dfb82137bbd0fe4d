#define _GNU_SOURCE  // accept4, which Linux has and POSIX has not
/* net_loop.c - the outside: every system call of the program is made here
 * SPDX-License-Identifier: MIT
 *
 * epoll on Linux, poll(2) elsewhere, with -DSIO_POLL, or compiled by tcc: one pair of functions
 * below. All descriptors are non-blocking, level-triggered, and watched by a sio_watched in what owns
 * them.
 *
 * What holds here:
 *  - While the server turns, no call blocks but the waiting one; only files are read as fast as
 *    their disk is. A name, to listen at or to connect to, asks the resolver, which may take seconds,
 *    and the first random bytes may wait for a system that has just been started. EINTR is never an
 *    error.
 *  - A write to a connection that is gone is an answer (-2) and not a signal.
 *  - What clients make fail ends at worst in their own connection. */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* Not with tcc: glibc's headers hide from it that struct epoll_event is packed. */
#if defined(__linux__) && !defined(SIO_POLL) && !defined(__TINYC__)
#define USE_EPOLL
#include <sys/epoll.h>
#else
#include <poll.h>
#endif

#ifdef __GLIBC__
#include <malloc.h>
#endif

#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0  // there, SO_NOSIGPIPE does it
#endif

enum {
    BACKLOG = 1024,
    MAX_PIECES = 64,  // of one sendmsg
    RANDOM_POOL = 512
};

#define NOWHERE UINT32_MAX  // the place of what is not watched

struct sio_loop {
    const sio_memory *memory;
    int random, wake_write;
    size_t random_left;
    unsigned char pool[RANDOM_POOL];
    sio_watched wake;  // the other end of wake_write: sio_posted after sio_posted
    bool woken;        // it has some
#ifdef USE_EPOLL
    int epoll;
#else
    struct pollfd *polled;
    sio_watched **watch;
    size_t n, cap_polled, cap_watch;
    size_t turn;  // where to begin, so that nobody is always last
#endif
};

/* ---- epoll or poll ------------------------------------------------------------------------------- */

#ifdef USE_EPOLL

enum { FORGETS_CLOSED = true };  // what is closed is watched no more

static int backend_open(sio_loop *loop)
{
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    return loop->epoll < 0 ? -1 : 0;
}

static void backend_close(sio_loop *loop)
{
    if (loop->epoll >= 0)
        close(loop->epoll);
}

int sio_loop_fd(const sio_loop *loop)
{
    return loop->epoll;
}

static int backend_set(sio_loop *loop, sio_watched *w, int change)
{
    struct epoll_event e = { .data.ptr = w };
    e.events = (w->no_read ? 0u : EPOLLIN) | (w->want_write ? EPOLLOUT : 0u);
    return epoll_ctl(loop->epoll, change, w->fd, &e);
}

int sio_loop_watch(sio_loop *loop, sio_watched *w)
{
    return backend_set(loop, w, EPOLL_CTL_ADD);
}

void sio_loop_unwatch(sio_loop *loop, sio_watched *w)
{
    backend_set(loop, w, EPOLL_CTL_DEL);
}

int sio_loop_want_write(sio_loop *loop, sio_watched *w, bool on)
{
    if (w->want_write == on || w->fd < 0)
        return 0;
    w->want_write = on;
    return backend_set(loop, w, EPOLL_CTL_MOD);
}

int sio_loop_stop_reading(sio_loop *loop, sio_watched *w)
{
    w->no_read = true;
    return backend_set(loop, w, EPOLL_CTL_MOD);
}

static int backend_wait(sio_loop *loop, int timeout, sio_ready *ready, int max)
{
    struct epoll_event events[256];
    int n = epoll_wait(loop->epoll, events, max < 256 ? max : 256, timeout);
    for (int i = 0; i < n; i++) {
        uint32_t e = events[i].events;
        ready[i] = (sio_ready){ events[i].data.ptr, e & ~(uint32_t)EPOLLOUT, e & EPOLLOUT };
    }
    return n;
}

#else

enum { FORGETS_CLOSED = false };

static int backend_open(sio_loop *loop)
{
    loop->n = 0;
    return 0;
}

static void backend_close(sio_loop *loop)
{
    sio_free_mem(loop->memory, loop->polled);
    sio_free_mem(loop->memory, loop->watch);
}

int sio_loop_fd(const sio_loop *loop)
{
    (void)loop;
    return -1;
}

int sio_loop_watch(sio_loop *loop, sio_watched *w)
{
    if (!sio_reserve(loop->memory, &loop->polled, loop->n, &loop->cap_polled, sizeof *loop->polled))
        return sio_fail(ENOMEM);
    if (!sio_reserve(loop->memory, &loop->watch, loop->n, &loop->cap_watch, sizeof *loop->watch))
        return sio_fail(ENOMEM);
    w->place = (uint32_t)loop->n;
    loop->polled[loop->n] = (struct pollfd){ .fd = w->fd };
    loop->watch[loop->n++] = w;
    return sio_loop_want_write(loop, w, w->want_write);
}

void sio_loop_unwatch(sio_loop *loop, sio_watched *w)
{
    if (w->place == NOWHERE)
        return;
    size_t last = --loop->n;
    loop->polled[w->place] = loop->polled[last];
    loop->watch[w->place] = loop->watch[last];
    loop->watch[w->place]->place = w->place;
    w->place = NOWHERE;
}

int sio_loop_want_write(sio_loop *loop, sio_watched *w, bool on)
{
    if (w->fd < 0)
        return 0;
    w->want_write = on;
    loop->polled[w->place].events = (short)((w->no_read ? 0 : POLLIN) | (on ? POLLOUT : 0));
    return 0;
}

int sio_loop_stop_reading(sio_loop *loop, sio_watched *w)
{
    w->no_read = true;
    return sio_loop_want_write(loop, w, w->want_write);
}

static int backend_wait(sio_loop *loop, int timeout, sio_ready *ready, int max)
{
    int n = 0, got = poll(loop->polled, (nfds_t)loop->n, timeout);
    for (size_t k = 0; got > 0 && k < loop->n && n < max; k++) {
        size_t i = (loop->turn + k) % loop->n;
        int e = loop->polled[i].revents;
        if (e != 0)
            ready[n++] = (sio_ready){ loop->watch[i], e & ~POLLOUT, e & POLLOUT };
    }
    loop->turn++;
    return got < 0 ? got : n;
}

#endif

/* ---- The loop ------------------------------------------------------------------------------------ */

static int set_up(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -1;
    return fcntl(fd, F_SETFD, FD_CLOEXEC);
}

sio_loop *sio_loop_new(const sio_memory *m)
{
    sio_loop *loop = sio_alloc(m, sizeof *loop);
    int pipes[2] = { -1, -1 };
    if (loop == NULL)
        return NULL;
    loop->memory = m;
    loop->random = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    int failed = pipe(pipes);
    loop->wake.fd = pipes[0], loop->wake_write = pipes[1];
    failed |= backend_open(loop);
    if (failed == 0 && loop->random >= 0 && set_up(pipes[0]) == 0 && set_up(pipes[1]) == 0 &&
        sio_loop_watch(loop, &loop->wake) == 0)
        return loop;
    sio_loop_free(loop);
    return NULL;
}

void sio_loop_free(sio_loop *loop)
{
    if (loop->random >= 0)
        close(loop->random);
    if (loop->wake.fd >= 0)
        close(loop->wake.fd);
    if (loop->wake_write >= 0)
        close(loop->wake_write);
    backend_close(loop);
    sio_free_mem(loop->memory, loop);
}

int sio_loop_wait(sio_loop *loop, int64_t timeout_ms, sio_ready *ready, int max)
{
    int timeout = timeout_ms > 1000000 ? 1000000 : (int)timeout_ms;
    int n = backend_wait(loop, timeout, ready, max), kept = 0;
    if (n < 0)
        return errno == EINTR ? 0 : -1;
    for (int i = 0; i < n; i++) {
        if (ready[i].watch == &loop->wake)
            loop->woken = true;
        else
            ready[kept++] = ready[i];
    }
    return kept;
}

/* The pipe is the queue. A write of so few bytes is whole or not done (POSIX, write), whoever else
 * writes, so nothing is to be locked. */
int sio_loop_post(sio_loop *loop, const sio_posted *call)
{
    while (write(loop->wake_write, call, sizeof *call) < 0)
        if (errno != EINTR)
            return -1;
    return 0;
}

bool sio_loop_posted(sio_loop *loop, sio_posted *call)
{
    while (loop->woken) {
        loop->woken = read(loop->wake.fd, call, sizeof *call) == (ssize_t)sizeof *call;
        if (loop->woken && call->fn != NULL)
            return true;
    }
    return false;
}

/* A full pipe wakes as well. */
void sio_loop_wake(sio_loop *loop)
{
    int saved = errno;
    sio_loop_post(loop, &(sio_posted){ .fn = NULL });
    errno = saved;
}

/* up: nanoseconds that are added before the rest of a millisecond is cut off. */
static int64_t milliseconds(clockid_t id, long up)
{
    struct timespec t = { 0, 0 };
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000 + (t.tv_nsec + up) / 1000000;
}

int64_t sio_loop_now(sio_loop *loop)
{
    (void)loop;
    return milliseconds(CLOCK_MONOTONIC, 0);
}

int64_t sio_loop_now_up(sio_loop *loop)
{
    (void)loop;
    return milliseconds(CLOCK_MONOTONIC, 999999);
}

int64_t sio_loop_wall(sio_loop *loop)
{
    (void)loop;
    return milliseconds(CLOCK_REALTIME, 0);
}

/* Random bytes are fetched in bulk: a system call for each session id would cost more than the rest
 * of the handshake. They are wiped as they are given away. */
int sio_loop_random(sio_loop *loop, void *p, size_t n)
{
    unsigned char *out = p;
    while (n > 0) {
        if (loop->random_left == 0) {
            ssize_t got = read(loop->random, loop->pool, sizeof loop->pool);
            if (got < 0 && errno == EINTR)
                continue;
            if (got <= 0)
                return -1;
            loop->random_left = (size_t)got;
        }
        size_t i = --loop->random_left;
        *out++ = loop->pool[i];
        loop->pool[i] = 0;
        n--;
    }
    return 0;
}

/* ---- Listening and accepting --------------------------------------------------------------------- */

typedef union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
} address;

static int close_failed(int fd)
{
    int error = errno;
    close(fd);
    return sio_fail(error);
}

static int listen_at(const struct sockaddr *to, socklen_t size)
{
    int on = 1, fd = socket(to->sa_family, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (to->sa_family != AF_UNIX) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // Linux hands it down
    }
    if (set_up(fd) == 0 && bind(fd, to, size) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    return close_failed(fd);
}

/* A socket that a dead process left behind is replaced; a living one is not. */
static int listen_unix(const char *path)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof to.sun_path)
        return sio_fail(ENAMETOOLONG);
    strcpy(to.sun_path, path);
    int fd = listen_at((struct sockaddr *)&to, sizeof to);
    if (fd >= 0 || errno != EADDRINUSE)
        return fd;
    struct stat st;
    int probe = socket(AF_UNIX, SOCK_STREAM, 0);
    bool dead = probe >= 0 && connect(probe, (struct sockaddr *)&to, sizeof to) < 0 &&
                errno == ECONNREFUSED && lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
    if (probe >= 0)
        close(probe);
    if (!dead || unlink(path) < 0)
        return sio_fail(EADDRINUSE);
    return listen_at((struct sockaddr *)&to, sizeof to);
}

/* The system's form of an address; returns its size. */
static socklen_t address_of(const sio_ip *ip, int port, address *to)
{
    if (ip->n == 4) {
        to->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
        memcpy(&to->in.sin_addr, ip->byte, 4);
        return sizeof to->in;
    }
    to->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    memcpy(&to->in6.sin6_addr, ip->byte, 16);
    return sizeof to->in6;
}

/* The other direction; n == 0: it is neither IPv4 nor IPv6. */
static sio_ip ip_of(const struct sockaddr *from)
{
    address a;
    if (from->sa_family == AF_INET) {
        memcpy(&a.in, from, sizeof a.in);
        return sio_ip_of(&a.in.sin_addr, 4);
    }
    if (from->sa_family == AF_INET6) {
        memcpy(&a.in6, from, sizeof a.in6);
        return sio_ip_of(&a.in6.sin6_addr, 16);
    }
    return (sio_ip){ .n = 0 };
}

static int listen_digits(const sio_ip *ip, int port)
{
    address to;
    socklen_t size = address_of(ip, port, &to);
    return listen_at(&to.any, size);
}

/* Addresses in digits need no resolver, which would cost a fifth of the memory at start. */
static int listen_inet(const char *host, int port)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_PASSIVE | AI_NUMERICSERV };
    struct addrinfo *list = NULL, *a;
    char service[16];
    sio_ip ip;
    int fd = -1;
    if (host != NULL && sio_ip_parse(host, &ip))
        return listen_digits(&ip, port);
    snprintf(service, sizeof service, "%d", port);
    if (getaddrinfo(host, service, &hints, &list) != 0)
        return sio_fail(EADDRNOTAVAIL);
    for (a = list; a != NULL && fd < 0; a = a->ai_next)
        fd = listen_at(a->ai_addr, a->ai_addrlen);
    int saved = errno;
    freeaddrinfo(list);
    errno = saved;
    return fd;
}

static int port_of(int fd)
{
    address at;
    socklen_t size = sizeof at;
    if (getsockname(fd, &at.any, &size) < 0)
        return -1;
    return ntohs(at.any.sa_family == AF_INET6 ? at.in6.sin6_port : at.in.sin_port);
}

int sio_loop_listen(sio_loop *loop, sio_watched *w, const char *host, int port)
{
    bool local = host != NULL && strncmp(host, "unix:", 5) == 0;
    if (!local && (port < 0 || port > 65535))
        return sio_fail(EINVAL);
    int fd = local ? listen_unix(host + 5) : listen_inet(host, port);
    if (fd < 0)
        return -1;
    *w = (sio_watched){ .fd = fd, .kind = SIO_WATCHED_LISTENER };
    if (sio_loop_watch(loop, w) == 0)
        return local ? 0 : port_of(fd);
    return close_failed(fd);
}

#ifdef __linux__
static int accept_one(int listener, struct sockaddr *from, socklen_t *size)
{
    return accept4(listener, from, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
#else
static int accept_one(int listener, struct sockaddr *from, socklen_t *size)
{
    int on = 1, fd = accept(listener, from, size);
    if (fd < 0)
        return -1;
    if (set_up(fd) < 0) {
        close(fd);
        return sio_fail(ECONNABORTED);
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    return fd;
}
#endif

int sio_loop_accept(sio_loop *loop, sio_watched *listener, int *fd, sio_ip *ip)
{
    address from;
    socklen_t size = sizeof from;
    (void)loop;
    from.any.sa_family = AF_UNSPEC;
    do
        *fd = accept_one(listener->fd, &from.any, &size);
    while (*fd < 0 && (errno == EINTR || errno == ECONNABORTED || errno == EPROTO));
    if (*fd < 0)
        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;

    *ip = ip_of(&from.any);
    return 1;
}

/* ---- Connecting ---------------------------------------------------------------------------------- */

int sio_loop_resolve(sio_loop *loop, const char *host, sio_ip *out, int max)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int n = 0;
    (void)loop;
    if (sio_ip_parse(host, out))
        return 1;
    if (getaddrinfo(host, NULL, &hints, &list) != 0)
        return sio_fail(EADDRNOTAVAIL);
    for (struct addrinfo *a = list; a != NULL && n < max; a = a->ai_next) {
        out[n] = ip_of(a->ai_addr);
        n += out[n].n > 0;
    }
    freeaddrinfo(list);
    return n > 0 ? n : sio_fail(EADDRNOTAVAIL);
}

/* While it is on its way there, sending finds no room and reading finds nothing, so nobody above has to
 * know of that state. */
int sio_loop_connect(sio_loop *loop, const sio_ip *ip, int port)
{
    address to;
    socklen_t size = address_of(ip, port, &to);
    int on = 1, fd = socket(to.any.sa_family, SOCK_STREAM, 0);
    (void)loop;
    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
#ifdef SO_NOSIGPIPE
    setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    if (set_up(fd) == 0 &&
        (connect(fd, &to.any, size) == 0 || errno == EINPROGRESS || errno == EINTR))
        return fd;
    return close_failed(fd);
}

/* ---- Reading, sending, closing ------------------------------------------------------------------- */

ptrdiff_t sio_loop_read(sio_loop *loop, sio_watched *w, void *p, size_t n)
{
    (void)loop;
    for (;;) {
        ssize_t got = recv(w->fd, p, n, 0);
        if (got >= 0)
            return got;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOTCONN)
            return -1;
        if (errno != EINTR)
            return -2;
    }
}

ptrdiff_t sio_loop_send(sio_loop *loop, sio_watched *w, const sio_span *piece, int count)
{
    struct iovec v[MAX_PIECES];
    struct msghdr message = { .msg_iov = v };
    (void)loop;
    int k = count < MAX_PIECES ? count : MAX_PIECES;
    for (int i = 0; i < k; i++) {
        memcpy(&v[i].iov_base, &piece[i].p, sizeof piece[i].p);  // sendmsg does not write there
        v[i].iov_len = piece[i].n;
    }
    message.msg_iovlen = (size_t)k;
    for (;;) {
        ssize_t sent = k == 1 ? send(w->fd, piece->p, piece->n, MSG_NOSIGNAL)
                              : sendmsg(w->fd, &message, MSG_NOSIGNAL);
        if (sent >= 0)
            return sent;
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOTCONN)
            return 0;
        if (errno != EINTR)
            return -2;
    }
}

void sio_loop_shutdown(sio_loop *loop, sio_watched *w)
{
    (void)loop;
    shutdown(w->fd, SHUT_WR);
}

void sio_loop_close(sio_loop *loop, sio_watched *w)
{
    if (w->fd < 0)
        return;
    if (!FORGETS_CLOSED)
        sio_loop_unwatch(loop, w);
    close(w->fd);
    w->fd = -1;
}

void sio_loop_refuse(sio_loop *loop, int fd)
{
    (void)loop;
    close(fd);
}

/* ---- Memory -------------------------------------------------------------------------------------- */

#ifdef __GLIBC__
void sio_loop_give_back(sio_loop *loop)
{
    (void)loop;
    malloc_trim(0);
}
#else
void sio_loop_give_back(sio_loop *loop)
{
    (void)loop;
}
#endif

/* ---- Files --------------------------------------------------------------------------------------- */

#if defined(_POSIX_VERSION) && _POSIX_VERSION >= 200809L
static int64_t time_of_change(const struct stat *st)
{
    return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}
#else
/* Elsewhere the parts of a second vary in name. */
static int64_t time_of_change(const struct stat *st)
{
    return (int64_t)st->st_mtime * 1000000000;
}
#endif

int sio_loop_file(sio_loop *loop, const char *name, size_t *size, int64_t *changed)
{
    struct stat st;
    (void)loop;
    if (stat(name, &st) < 0)
        return -1;
    if (!S_ISREG(st.st_mode) || st.st_size > INT32_MAX)
        return sio_fail(EINVAL);
    *size = (size_t)st.st_size;
    *changed = time_of_change(&st);
    return 0;
}

int sio_loop_file_read(sio_loop *loop, const char *name, void *p, size_t n)
{
    (void)loop;
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC);  // it may have become a FIFO meanwhile
    if (fd < 0)
        return -1;
    size_t have = 0;
    while (have < n) {
        ssize_t got = read(fd, (char *)p + have, n - have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        have += (size_t)got;
    }
    close(fd);
    return have == n ? 0 : sio_fail(EIO);  // it shrank meanwhile
}
