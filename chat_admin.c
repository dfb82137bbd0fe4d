/* chat_admin.c - how a server is: /metrics for Prometheus, and events for a page of its administrator
 * SPDX-License-Identifier: MIT
 *
 * This needs nothing of the chat, and may watch a namespace of any program: see chat_admin in chat.h. The
 * namespace /admin, for who connects with {key}:
 *
 *     server   state     {now, memory, connections, ..., reasons, room_list, socket_list}
 *     client   end       id                 disconnects that socket; acknowledged: whether it was there
 *
 * state goes out each second; reasons: why sockets went, with how often; the lists: how many there are,
 * and the first MOST of them. */
#include "chat.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 100, REASONS = 16, REASON = 40 };

static const struct {
    const char *name, *type, *help;
    size_t at;
} counters[] = {
    { "connections", "gauge", "TCP connections", offsetof(sio_stats, connections) },
    { "sessions", "gauge", "Engine.IO sessions", offsetof(sio_stats, sessions) },
    { "sockets", "gauge", "clients in namespaces", offsetof(sio_stats, sockets) },
    { "rooms", "gauge", "rooms, those of sockets' ids included", offsetof(sio_stats, rooms) },
    { "accepted", "counter", "TCP connections accepted", offsetof(sio_stats, accepted) },
    { "handshakes", "counter", "sessions opened", offsetof(sio_stats, handshakes) },
    { "upgrades", "counter", "sessions that went from polling to WebSocket",
      offsetof(sio_stats, upgrades) },
    { "recovered", "counter", "sockets that came back", offsetof(sio_stats, recovered) },
    { "packets_in", "counter", "packets received", offsetof(sio_stats, packets_in) },
    { "packets_out", "counter", "packets sent", offsetof(sio_stats, packets_out) },
    { "bytes_in", "counter", "bytes received", offsetof(sio_stats, bytes_in) },
    { "bytes_out", "counter", "bytes sent", offsetof(sio_stats, bytes_out) },
    { "refused", "counter", "requests and connections refused", offsetof(sio_stats, refused) },
    { "bad_requests", "counter", "requests that are no HTTP", offsetof(sio_stats, bad_requests) },
    { "parse_errors", "counter", "packets and frames that are none",
      offsetof(sio_stats, parse_errors) },
    { "overflows", "counter", "clients ended for what they did not read",
      offsetof(sio_stats, overflows) },
    { "volatile_drops", "counter", "volatile events not sent",
      offsetof(sio_stats, volatile_drops) },
    { "ping_timeouts", "counter", "clients that went silent", offsetof(sio_stats, ping_timeouts) },
};

static sio_namespace *watched, *ns;
static const char *key, *(*name_of)(const sio_socket *socket);

static struct reason {
    char text[REASON + 1];
    unsigned long long times;
} reasons[REASONS];  // the last is for all that have no place

size_t chat_memory(void)
{
    unsigned long pages = 0;
    long size = sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/statm", "r");  // Linux has it: all pages, then those in memory
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    fclose(f);
    return size > 0 ? pages * (size_t)size : 0;
}

static unsigned long long counter(size_t i)
{
    const char *stats = (const char *)sio_get_stats(sio_ns_server(watched));
    return *(const uint64_t *)(const void *)(stats + counters[i].at);
}

static void on_gone(sio_socket *socket, sio_event *event)
{
    char text[REASON + 1];
    size_t i = 0;
    (void)socket;
    if (sio_scan(event, "%40s", text) != 1)
        return;
    while (i < REASONS - 1 && reasons[i].times > 0 && strcmp(reasons[i].text, text) != 0)
        i++;
    strcpy(reasons[i].text, i < REASONS - 1 ? text : "another reason");
    reasons[i].times++;
}

/* ---- For Prometheus -------------------------------------------------------------------------- */

typedef struct transports {
    unsigned long polling, websocket;
} transports;

static void count_transport(sio_socket *socket, void *data)
{
    transports *t = data;
    if (strcmp(sio_transport(socket), "polling") == 0)
        t->polling++;
    else
        t->websocket++;
}

static transports count_transports(void)
{
    transports t = { 0, 0 };
    sio_each(sio_all(watched), count_transport, &t);
    return t;
}

/* The reasons are the library's words, without quotes or line ends. */
static void on_metrics(sio_http *http)
{
    static char text[8192];
    size_t n = 0;
    transports t = count_transports();
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++) {
        const char *end = counters[i].type[0] == 'c' ? "_total" : "", *name = counters[i].name;
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "# HELP sio_%s%s %s\n# TYPE sio_%s%s %s\nsio_%s%s %llu\n", name, end,
                              counters[i].help, name, end, counters[i].type, name, end, counter(i));
    }
    n += (size_t)snprintf(text + n, sizeof text - n,
                          "# HELP sio_memory_bytes memory of the program\n"
                          "# TYPE sio_memory_bytes gauge\nsio_memory_bytes %zu\n"
                          "# HELP sio_transport_sockets sockets by their transports\n"
                          "# TYPE sio_transport_sockets gauge\n"
                          "sio_transport_sockets{transport=\"polling\"} %lu\n"
                          "sio_transport_sockets{transport=\"websocket\"} %lu\n"
                          "# HELP sio_disconnects_total sockets that went, by the reason\n"
                          "# TYPE sio_disconnects_total counter\n",
                          chat_memory(), t.polling, t.websocket);
    for (const struct reason *r = reasons; r < reasons + REASONS && r->times > 0; r++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "sio_disconnects_total{reason=\"%s\"} %llu\n", r->text, r->times);
    sio_http_reply(http, 200, "text/plain; version=0.0.4; charset=utf-8", text, n);
}

/* ---- For the page ---------------------------------------------------------------------------- */

typedef struct list {
    sio_value values;
    size_t n;
} list;

static void add_room(const char *room, size_t members, void *data)
{
    list *l = data;
    if (l->n++ < MOST)
        sio_push(l->values, "{'name': %s, 'members': %zu}", room, members);
}

static void add_socket(sio_socket *socket, void *data)
{
    list *l = data;
    const char *name = name_of == NULL ? NULL : name_of(socket);
    if (l->n++ >= MOST)
        return;
    sio_push(
        l->values,
        "{'id': %s, 'name': %s, 'address': %s, 'transport': %s, 'protocol': %d, 'pending': %zu, "
        "'since': %lld, 'rooms': %p}",
        sio_id(socket), name == NULL ? "" : name, sio_address(socket), sio_transport(socket),
        sio_protocol(socket), sio_pending(socket), (long long)sio_issued(socket),
        sio_socket_rooms(socket));
}

static void tell_state(sio_server *io, void *data)
{
    (void)data;
    if (sio_ns_size(ns) == 0)
        return;
    sio_value state = sio_object(io), why = sio_object(io);
    list rooms = { sio_array(io), 0 }, sockets = { sio_array(io), 0 };
    transports t = count_transports();
    for (size_t i = 0; i < sizeof counters / sizeof *counters; i++)
        sio_set_member(state, counters[i].name, "%llu", counter(i));
    for (const struct reason *r = reasons; r < reasons + REASONS && r->times > 0; r++)
        sio_set_member(why, r->text, "%llu", r->times);
    sio_each_room(watched, add_room, &rooms);
    sio_each(sio_all(watched), add_socket, &sockets);
    sio_set_member(state, "now", "%lld", (long long)time(NULL) * 1000);
    sio_set_member(state, "memory", "%zu", chat_memory());
    sio_set_member(state, "polling", "%lu", t.polling);
    sio_set_member(state, "websocket", "%lu", t.websocket);
    sio_set_member(state, "reasons", "%p", why);
    sio_set_member(state, "room_list", "{'all': %zu, 'first': %p}", rooms.n, rooms.values);
    sio_set_member(state, "socket_list", "{'all': %zu, 'first': %p}", sockets.n, sockets.values);
    sio_emit(sio_volatile(sio_all(ns)), "state", "%p", state);
}

/* Takes as long for a key whose beginning is right as for any other. */
static const char *check_key(sio_socket *socket, sio_event *event)
{
    char given[65] = "";
    size_t n = strlen(key), differences = 0;
    (void)socket;
    if (sio_scan(event, "{'key': %64s}", given) != 1 || n == 0 || strlen(given) != n)
        return "wrong key";
    for (size_t i = 0; i < n; i++)
        differences += given[i] != key[i];
    return differences == 0 ? NULL : "wrong key";
}

static void on_end(sio_socket *socket, sio_event *event)
{
    char id[65] = "";
    (void)socket;
    sio_scan(event, "%64s", id);
    sio_socket *found = sio_socket_by_id(watched, id);
    if (found != NULL)
        sio_disconnect(found, true);
    sio_ack(event, "!!%d", found != NULL);
}

int chat_admin(sio_namespace *of, const char *admin_key, const char *(*name)(const sio_socket *))
{
    sio_server *io = sio_ns_server(of);
    watched = of;
    key = admin_key;
    name_of = name;
    ns = sio_of(io, "/admin");
    if (ns == NULL || sio_every(io, 1000, tell_state, NULL) == 0)
        return -1;
    return sio_use(ns, check_key) | sio_on(ns, "end", on_end) |
           sio_on(watched, "disconnect", on_gone) | sio_route(io, "GET", "/metrics", on_metrics);
}
