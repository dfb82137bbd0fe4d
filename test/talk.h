/* talk.h - whole conversations with one server, and a model of what each client must hear
 * SPDX-License-Identifier: MIT
 *
 * fuzz_talk.c lets its input decide, sim_talk.c a seed: both define pick. The server is made once for
 * thousands of conversations; behind each of them it must be as empty as before.
 *
 * Guests come by WebSocket, by polling, by JSONP, in protocol 3 and 4; they upgrade, come back, use
 * sessions of others and of nobody, and say what is no packet. Calls fail, and time passes. The
 * application's callbacks do what is chosen; each event that it sends has a number. What must hold:
 *  - What is sent to a socket arrives once, in order, unless it was volatile or its connection ended; also
 *    when it is sent while the socket is away, and comes back. Nothing else arrives.
 *  - What a client says is heard once and in order, over an upgrade as well.
 *  - Who receives is who the model says: it knows rooms as bits, and looks at all sockets.
 *  - Each question has one answer, each datum one release, each kept request one answer.
 *  - Somebody else, who is served by another endpoint, gets each of its echoes.
 *  - When all have left there is no session, socket, room, question or request; sim_check says nothing,
 *    and there is no more memory than before. */
#ifndef TEST_TALK_H
#define TEST_TALK_H

/* A number below n: the next choice. */
static size_t pick(size_t n);
static bool is_left(void);  // of what is chosen

enum {
    GUESTS = 3,
    SEATS = 24,
    HOPES = 64,
    MESSAGES = 1000,
    NAMESPACES = 3,
    ROOMS = 3,
    STEPS = 60,
    DEPTH = 3,
    KEPT = 4,
    LATERS = 4,
    SLACK = 40,           // allocations of a server without clients: what is lent by turns
    CONVERSATIONS = 4096  // of one server
};

static const char *const spaces[NAMESPACES] = { "/", "/a", "/f1" };
static const char *const places[ROOMS] = { "x", "y", "z" };

/* An event that is to come; it may be missing. */
typedef struct hope {
    int serial;
    bool optional;
} hope;

/* What was sent, and to whom. */
typedef struct message {
    int serial;
    size_t ns;
    int self;  // the key of who is the only receiver, or is left out; 0: nobody is
    bool only_self;
    unsigned to, except;
} message;

/* A socket, as the application knows it; away: it may come back. */
typedef struct seat {
    bool here, away;
    sio_socket *socket;  // here
    char id[24];
    int number;     // of the guest's session; 0: the seat was never taken
    int turn;       // how often it had joined the namespace, with this
    int born, key;  // the key stays when it comes back
    int since;      // the newest event when it connected
    size_t ns;
    unsigned rooms;
    int last;   // the newest that was heard of it
    bool open;  // the first may have any number
    hope hope[HOPES];
    size_t n;
} seat;

typedef struct guest {
    sim_client *ws, *get, *post, *probe;
    bool waiting, v3, jsonp;
    bool tainted;          // somebody else has used its session, or it knows that something is lost
    bool probed, refused;  // the upgrade may be completed; it may not
    int posts;             // without an answer
    int number;            // of the session, which the target tells
    int said[NAMESPACES];
    int joined[NAMESPACES], heard[NAMESPACES];  // how often, for the server; for it
    bool left[NAMESPACES];
    char sid[24], pid[24], offset[24];
    int newest;     // event in "/", with an offset
    long question;  // that it was asked in "/"; -1: none
} guest;

static struct {
    sio_server *io;
    sim_client *bystander;
    size_t first_said, first_heard;  // by whom, as it came
    size_t live;                     // allocations without clients
    unsigned long played;
    message sent[MESSAGES];
    size_t n_sent;
    seat seats[SEATS];
    guest guests[GUESTS];
    int serial, number, born, echoes, depth, budget;
    bool failing;  // something has failed in this conversation
    long asked, answered, data, released;
    uint64_t kept[KEPT];
    sio_later later[LATERS];
    sio_admission admission;
} talk;

/* ---- The model --------------------------------------------------------------------------------- */

static seat *seat_of(const sio_socket *s)
{
    for (size_t i = 0; i < SEATS; i++)
        if (talk.seats[i].here && talk.seats[i].socket == s)
            return &talk.seats[i];
    return NULL;
}

/* The socket whose events a guest hears now. What one missed that comes back arrives before it hears that
 * it is back. */
static seat *seat_of_guest(const guest *g, size_t ns)
{
    seat *found = NULL;
    for (size_t i = 0; i < SEATS; i++) {
        seat *t = &talk.seats[i];
        int ahead = t->turn - g->heard[ns];
        if (t->number == g->number && t->ns == ns && (ahead == 0 || (ahead == 1 && found == NULL)))
            found = t;
    }
    return found;
}

/* One that was never taken, or else the one that was left first; in the worst case by who may come back. */
static seat *free_seat(void)
{
    seat *found = NULL;
    for (size_t i = 0; i < SEATS; i++) {
        seat *t = &talk.seats[i];
        if (t->number == 0)
            return t;
        if (!t->here && (found == NULL || t->away < found->away ||
                         (t->away == found->away && t->born < found->born)))
            found = t;
    }
    talk.failing |= found == NULL || found->away;  // somebody is forgotten
    return found;
}

static guest *guest_of(const seat *t)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (talk.guests[i].number == t->number)
            return &talk.guests[i];
    return NULL;
}

static bool is_tainted(const seat *t)
{
    const guest *g = guest_of(t);
    return g == NULL || g->tainted;
}

static void hope_for(seat *t, int serial, bool optional)
{
    if (t->n < HOPES)
        t->hope[t->n++] = (hope){ serial, optional };
    else if (guest_of(t) != NULL)
        guest_of(t)->tainted = true;  // too much to remember
}

/* An event has come: those before it that may be missing are. */
static void fulfil(seat *t, int serial)
{
    size_t i = 0;
    while (i < t->n && t->hope[i].serial != serial && t->hope[i].optional)
        i++;
    sim_must(i < t->n && t->hope[i].serial == serial,
             "event %d comes twice, out of order, or to somebody else (%d is due)", serial,
             i < t->n ? t->hope[i].serial : -1);
    t->n -= i + 1;
    memmove(t->hope, t->hope + i + 1, t->n * sizeof *t->hope);
}

/* ---- The application --------------------------------------------------------------------------- */

static void act(sio_socket *s, sio_event *e);

/* Whether it was sent to a socket with that key, in those rooms. */
static bool is_for(const message *m, size_t ns, int key, unsigned rooms)
{
    if (m->ns != ns || (m->self != 0 && m->only_self != (m->self == key)))
        return false;
    return (m->to == 0 || (rooms & m->to) != 0) && (rooms & m->except) == 0;
}

static sio_target target_from(const message *m, const seat *self)
{
    sio_target t = sio_all(sio_find(talk.io, spaces[m->ns]));
    if (m->self != 0)
        t = m->only_self ? sio_self(self->socket) : sio_broadcast(self->socket);
    for (size_t i = 0; i < ROOMS; i++) {
        if (m->to >> i & 1)
            t = sio_to(t, places[i]);
        if (m->except >> i & 1)
            t = sio_except(t, places[i]);
    }
    return t;
}

static void act_emit(const seat *from)
{
    message m = { .serial = ++talk.serial, .ns = from != NULL ? from->ns : pick(NAMESPACES) };
    size_t kind = pick(4);
    if (kind < 2 && from != NULL)
        m.self = from->key, m.only_self = kind == 1;
    if (!m.only_self && kind > 0)
        m.to = (unsigned)pick(8), m.except = (unsigned)pick(8) & ~m.to & (unsigned)pick(8);
    bool lost = pick(6) == 0;
    sio_target t = target_from(&m, from);
    if (t.ns == NULL || talk.n_sent == MESSAGES ||
        sio_emit(lost ? sio_volatile(t) : t, "n", "%d", m.serial) < 0)
        return;
    if (!lost)
        talk.sent[talk.n_sent++] = m;
    for (size_t i = 0; i < SEATS; i++) {
        seat *to = &talk.seats[i];
        if (to->here && is_for(&m, to->ns, to->key, to->rooms))
            hope_for(to, m.serial, lost);
    }
}

/* Who comes back gets what it has not heard, and is for the rooms that it was in when it was lost. */
static void hope_again(seat *t, int heard)
{
    t->n = 0;
    for (size_t i = 0; i < talk.n_sent; i++)
        if (talk.sent[i].serial > heard && is_for(&talk.sent[i], t->ns, t->key, t->rooms))
            hope_for(t, talk.sent[i].serial, false);
}

static void on_answer(sio_server *io, void *data, const char *error, sio_event *answer)
{
    (void)io, (void)data, (void)error;
    talk.answered++;
    sio_argc(answer);
    act(NULL, NULL);
}

static void act_ask(const seat *t)
{
    size_t way = pick(3);
    if (t == NULL)
        return;
    sio_target to = sio_self(t->socket);
    if (way > 0)
        to = sio_timeout(way == 1 ? to : sio_all(sio_ns(t->socket)), 50);
    talk.asked++;
    if (sio_request(to, on_answer, NULL, "q", "") < 0)
        talk.asked--;
}

static void act_rooms(seat *t)
{
    size_t i = pick(ROOMS);
    if (t == NULL || !sio_connected(t->socket))  // it may be on its way out
        return;
    if (pick(3) == 0) {
        sio_leave(t->socket, places[i]);
        t->rooms &= ~(1u << i);
    } else if (sio_join(t->socket, places[i]) == 0) {
        t->rooms |= 1u << i;
    }
}

static void act_end(const seat *t)
{
    size_t how = pick(4);
    if (t != NULL && how < 2)
        sio_disconnect(t->socket, how == 1);
    else if (t != NULL)
        sio_end_connection(t->socket);
}

static void on_tick(sio_server *io, void *data)
{
    (void)io, (void)data;
    act(NULL, NULL);
}

static void on_once(sio_socket *s, sio_event *e)
{
    (void)e;
    act(s, NULL);
}

static void release(void *data)
{
    free(data);
    talk.released++;
    act(NULL, NULL);
}

static void set_data(sio_socket *s)
{
    void *data = malloc(1);
    sim_must(data != NULL, "memory");
    talk.data++;
    sio_set_data(s, data, release);
}

static void act_anything(sio_socket *s, sio_event *e)
{
    size_t i = pick(KEPT);
    switch (pick(9)) {
    case 0:
        sio_after(talk.io, (int)pick(40), on_tick, NULL);
        break;
    case 1:
        sio_post(talk.io, on_tick, NULL);
        break;
    case 2:
        sio_once(sio_of(talk.io, "/"), "s", on_once);
        break;
    case 3:
        sio_off(sio_of(talk.io, "/"), "s", on_once, NULL);
        break;
    case 4:
        sio_http_reply(sio_http_of(talk.io, talk.kept[i]), 200, NULL, "late", 4);
        break;
    case 5:
        sio_ack_now(talk.later[i], "%d", 1);
        break;
    case 6:
        sio_next(talk.admission, pick(4) ? NULL : "no", "");
        break;
    case 7:
        if (s == NULL || !sio_connected(s))
            break;
        set_data(s);
        break;
    default:
        if (e != NULL)
            talk.later[i] = sio_ack_later(e);
    }
}

/* A few things, to any socket; often to s. */
static void act(sio_socket *s, sio_event *e)
{
    if (++talk.depth > DEPTH) {
        talk.depth--;
        return;
    }
    for (size_t n = pick(3); n > 0 && talk.budget > 0; n--, talk.budget--) {
        seat *t = &talk.seats[pick(SEATS)];
        if (!t->here)
            t = s == NULL ? NULL : seat_of(s);
        switch (pick(8)) {
        case 0:
            act_end(t);
            break;
        case 1:
        case 2:
            act_rooms(t);
            break;
        case 3:
            act_ask(t);
            break;
        case 4:
            act_anything(s, e);
            break;
        default:
            act_emit(t);
        }
    }
    talk.depth--;
}

/* The number behind that text in a target or packet; -1: there is none. */
static int number_behind(const char *text, const char *before)
{
    const char *p = strstr(text, before);
    return p == NULL ? -1 : atoi(p + strlen(before));
}

static size_t index_of(const sio_namespace *ns)
{
    size_t i = 0;
    while (strcmp(spaces[i], sio_ns_name(ns)) != 0)
        i++;
    return i;
}

static void on_connection(sio_socket *s, sio_event *e)
{
    int number = number_behind(sio_url(s), "&g=");
    seat *t = NULL;
    (void)e;
    for (size_t i = 0; sio_recovered(s) && i < SEATS; i++)
        if (talk.seats[i].away && strcmp(talk.seats[i].id, sio_id(s)) == 0)
            t = &talk.seats[i];
    bool back = t != NULL;
    sim_must(back || !sio_recovered(s) || talk.failing, "nobody was away that comes back");
    if (!back && (t = free_seat()) == NULL)
        return;
    if (!back)
        *t = (seat){ .ns = index_of(sio_ns(s)) };
    t->here = true, t->away = false;
    t->socket = s;
    t->number = number;
    t->born = ++talk.born;
    if (back)
        hope_again(t, guest_of(t) == NULL || guest_of(t)->newest == 0 ? t->since
                                                                      : guest_of(t)->newest);
    else
        t->key = t->born;
    t->since = talk.serial;
    t->turn = guest_of(t) == NULL ? 0 : ++guest_of(t)->joined[t->ns];
    t->open = true;
    t->last = 0;
    snprintf(t->id, sizeof t->id, "%.20s", sio_id(s));
    for (size_t i = 0; i < ROOMS; i++)
        sim_must(sio_in_room(s, places[i]) == (t->rooms >> i & 1), "it is in the rooms it was in");
    set_data(s);
    act(s, NULL);
}

static void on_disconnect(sio_socket *s, sio_event *e)
{
    seat *t = seat_of(s);
    const char *reason = sio_text(sio_arg(e, 0), NULL);
    if (t != NULL) {
        t->here = false;
        t->away = reason == NULL ||
                  (strstr(reason, "namespace") == NULL && strcmp(reason, "parse error") != 0);
    }
    act(s, NULL);
}

/* What a client says is numbered. */
static void on_said(sio_socket *s, sio_event *e)
{
    seat *t = seat_of(s);
    int k = 0;
    if (t != NULL && sio_scan(e, "%d", &k) == 1 && !is_tainted(t)) {
        sim_must(k > t->last, "what was said is heard twice: %d behind %d", k, t->last);
        sim_must(k == t->last + 1 || t->open || talk.failing, "what was said is lost: %d behind %d",
                 k, t->last);
        t->last = k;
        t->open = false;
    }
    act(s, e);
}

static const char *let_in(sio_socket *s, sio_event *e)
{
    act(s, NULL);
    switch (pick(10)) {
    case 0:
        return "no";
    case 1:
        talk.admission = sio_next_later(e);
        return SIO_LATER;
    default:
        return NULL;
    }
}

static bool accept_name(const char *name, sio_event *auth)
{
    (void)auth;
    return name[1] == 'f';
}

static void on_route(sio_http *http)
{
    if (pick(2) == 0)
        sio_http_reply(http, 200, NULL, "now", 3);
    else
        talk.kept[pick(KEPT)] = sio_http_keep(http);
}

static const char *allow(sio_http *http)
{
    (void)http;
    return pick(20) == 19 ? "no" : NULL;
}

static void echo(sio_session *s, bool text, const void *p, size_t n)
{
    sio_session_send(s, text, p, n);
}

static void serve(sio_namespace *ns)
{
    sio_on(ns, "connection", on_connection);
    sio_on(ns, "disconnect", on_disconnect);
    sio_on(ns, "s", on_said);
}

/* ---- Clients ------------------------------------------------------------------------------------ */

static void hear_all(void);

/* Runs what is ready; the guests hear what there is. */
static void settle(int ms)
{
    talk.budget = 40;
    talk.depth = 0;
    sim_run_ms(talk.io, ms);
    hear_all();
}

static void write_target(const guest *g, const char *transport, const char *sid, char out[200])
{
    snprintf(out, 200, "/socket.io/?EIO=%d&transport=%s%s&g=%d%s%s", g->v3 ? 3 : 4, transport,
             g->jsonp ? "&j=1" : "", g->number, sid[0] != '\0' ? "&sid=" : "", sid);
}

static sim_client *connection(sim_client *c)
{
    return c == NULL || sim_ended(c) ? sim_connect() : c;
}

static void poll_as(guest *g, const char *sid)
{
    char target[200];
    write_target(g, "polling", sid, target);
    g->get = connection(g->get);
    g->waiting = true;
    sim_request(g->get, "GET", target, NULL, NULL);
}

static void post_as(guest *g, const char *sid, const char *text)
{
    char target[200], body[300];
    write_target(g, "polling", sid, target);
    snprintf(body, sizeof body, g->v3 ? "%s%zu:%s" : "%s%.0zu%s", g->jsonp ? "d=" : "",
             g->v3 ? strlen(text) : 0, text);
    g->post = connection(g->post);
    g->posts++;
    sim_request(g->post, "POST", target, NULL, body);
}

static sim_client *open_websocket(const guest *g, const char *sid)
{
    char target[200];
    write_target(g, "websocket", sid, target);
    sim_client *c = sim_connect();
    sim_request(c, "GET", target, SIM_UPGRADE, NULL);
    return c;
}

static bool is_there(const guest *g)
{
    return g->number > 0;
}

static void say(guest *g, const char *text)
{
    if (g->ws != NULL)
        sim_ws_say(g->ws, text);
    else if (g->sid[0] != '\0')
        post_as(g, g->sid, text);
}

static void come(guest *g)
{
    size_t way = pick(6);
    *g = (guest){ .number = ++talk.number, .v3 = way > 3, .jsonp = way == 5, .question = -1 };
    if (way < 2 || way == 4)
        g->ws = open_websocket(g, "");
    else
        poll_as(g, "");
}

/* Ends all its connections. */
static void go(guest *g, size_t how)
{
    sim_client *all[] = { g->ws, g->get, g->post, g->probe };
    for (size_t i = 0; i < 4; i++) {
        if (all[i] == NULL)
            continue;
        if (how == 0)
            sim_abort(all[i]);
        else
            sim_close(all[i]);
    }
    int number = -g->number;  // its seats are its own still, when it comes back
    guest old = *g;
    *g = (guest){ .number = number, .question = -1 };
    memcpy(g->pid, old.pid, sizeof g->pid);
    memcpy(g->offset, old.offset, sizeof g->offset);
    g->tainted = old.tainted;
    g->newest = old.newest;
    for (size_t i = 0; i < SEATS; i++)
        if (talk.seats[i].number == old.number)
            talk.seats[i].number = number;
}

static void come_back(guest *g)
{
    char text[120];
    if (g->pid[0] == '\0' || is_there(g))
        return;
    snprintf(text, sizeof text, "40{\"pid\":\"%s\"%s%s%s}", g->pid,
             g->offset[0] != '\0' ? ",\"offset\":\"" : "", g->offset,
             g->offset[0] != '\0' ? "\"" : "");
    settle(0);  // the server has seen that it is away
    guest old = *g;
    *g = (guest){ .number = ++talk.number, .question = -1 };
    memcpy(g->pid, old.pid, sizeof g->pid);
    memcpy(g->offset, old.offset, sizeof g->offset);
    g->tainted = old.tainted;
    g->newest = old.newest;
    g->ws = open_websocket(g, "");
    sim_ws_say(g->ws, text);
}

static void upgrade(guest *g)
{
    if (g->ws != NULL || g->sid[0] == '\0' || g->jsonp)
        return;
    if (g->probe == NULL) {
        g->probe = open_websocket(g, g->sid);
        sim_ws_say(g->probe, "2probe");
        return;
    }
    settle(0);  // what was posted has been answered
    if (!g->probed || g->probe == NULL || g->posts > 0)
        return;
    sim_ws_say(g->probe, "5");
    g->ws = g->probe;
    g->probe = NULL;
}

/* ---- What they hear ------------------------------------------------------------------------------ */

static void copy_id(char out[24], const char *text, const char *before)
{
    const char *p = strstr(text, before);
    if (p != NULL)
        snprintf(out, 24, "%.20s", p + strlen(before));
}

/* Behind a packet's type: its namespace; *p moves to what follows. */
static size_t read_space(const char **p)
{
    for (size_t i = NAMESPACES; i-- > 1;) {
        size_t n = strlen(spaces[i]);
        if (strncmp(*p, spaces[i], n) == 0) {
            *p += n + ((*p)[n] == ',');
            return i;
        }
    }
    return 0;
}

static void hear_event(guest *g, size_t ns, const char *p)
{
    seat *t = seat_of_guest(g, ns);
    size_t n = strlen(p);
    if (p[0] != '[') {
        if (ns == 0)
            g->question = atol(p);
        return;
    }
    int serial = number_behind(p, "[\"n\",");
    sim_must(serial > 0, "a packet that nobody sent: %s", p);
    if (g->tainted || g->left[ns])
        return;
    sim_must(t != NULL || talk.failing, "an event comes to who has not joined");
    if (t != NULL)
        fulfil(t, serial);
    const char *offset = strstr(p, ",\"");
    if (ns != 0 || offset == NULL || n < 5)
        return;
    g->newest = serial;
    snprintf(g->offset, sizeof g->offset, "%.*s", (int)strcspn(offset + 2, "\""), offset + 2);
}

static void hear_packet(guest *g, const char *p)
{
    const char *rest = p + 2;
    if (p[0] == '0')
        copy_id(g->sid, p, "\"sid\":\"");
    if (p[0] == '2' && !g->v3)
        say(g, "3");
    if (p[0] != '4')
        return;
    size_t ns = read_space(&rest);
    switch (p[1]) {
    case '0':
        g->left[ns] = false;
        g->heard[ns]++;
        if (ns == 0)
            copy_id(g->pid, p, "\"pid\":\"");
        break;
    case '1':
        g->left[ns] = true;
        break;
    case '2':
        hear_event(g, ns, rest);
        break;
    default:
        break;
    }
}

/* The packets of a payload. */
static void hear_payload(guest *g, sim_answer a)
{
    char *p = (char *)(uintptr_t)a.body;
    if (g->jsonp && strncmp(p, "___eio[1](", 10) == 0) {
        sio_span script = { p + 10, a.n - 12 };
        char *text = keep(NULL, a.n);
        sio_json_unescape(script, text);
        p = text;
    }
    while (*p != '\0') {
        size_t n = strcspn(p, "\x1e");
        char *packet = p;
        if (g->v3) {
            n = strtoul(p, &packet, 10);
            packet += *packet == ':';
        }
        if (strlen(packet) < n)
            return;
        char behind = packet[n];
        packet[n] = '\0';
        hear_packet(g, packet);
        packet[n] = behind;
        p = packet + n + (!g->v3 && behind != '\0');
    }
}

static void hear_websocket(guest *g, sim_client *c)
{
    size_t n;
    const char *p = sim_text(c, &n);
    if (n > 0 && p[0] == 'H' && sim_answered(c, false).status != 101)
        return;
    for (const char *got; *(got = sim_ws_hear(c)) != '\0' && strcmp(got, "END") != 0;)
        if (c == g->probe)
            g->probed |= strcmp(got, "3probe") == 0, g->refused |= got[0] == 'C';
        else if (got[0] >= '0' && got[0] <= '9')
            hear_packet(g, got);
    g->tainted |= c == g->ws && sim_ended(c);
}

static void hear(guest *g)
{
    if (g->get != NULL) {
        sim_answer a = sim_answered(g->get, false);
        bool over = a.status == 0 && g->waiting && sim_ended(g->get);
        g->tainted |= over || (a.status != 0 && a.status != 200);
        if (a.status != 0 || over)
            g->waiting = false;
        if (a.status == 200)
            hear_payload(g, a);
    }
    while (g->posts > 0 && sim_answered(g->post, false).status != 0)
        g->posts--;
    g->tainted |= g->posts > 0 && sim_ended(g->post);
    if (g->probe != NULL)
        hear_websocket(g, g->probe);
    if (g->probe != NULL && (sim_ended(g->probe) || g->refused))
        g->probe = NULL, g->probed = g->refused = false;  // it may try again
    if (g->ws != NULL)
        hear_websocket(g, g->ws);
}

static void hear_all(void)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (is_there(&talk.guests[i]))
            hear(&talk.guests[i]);
}

/* ---- Steps -------------------------------------------------------------------------------------- */

/* The bystander speaks, and hears itself. */
static void look_after(void)
{
    char text[24];
    snprintf(text, sizeof text, "4%d", ++talk.echoes);
    sim_ws_say(talk.bystander, text);
    settle(0);
    sim_must(strcmp(sim_ws_hear(talk.bystander), text) == 0, "a bystander gets its echo");
}

static void speak(guest *g)
{
    char text[80];
    size_t ns = g->v3 ? 0 : pick(NAMESPACES);
    if (g->ws == NULL && g->sid[0] == '\0')
        return;
    snprintf(text, sizeof text, "42%s%s%s[\"s\",%d]", ns == 0 ? "" : spaces[ns], ns == 0 ? "" : ",",
             pick(2) ? "" : "7", ++g->said[ns]);
    if (seat_of_guest(g, ns) != NULL || pick(8) == 0)
        say(g, text);
    else if (!g->v3)
        say(g, ns == 0 ? "40" : ns == 1 ? "40/a," : "40/f1,");
}

/* What is no packet, or not in its place. */
static void say_nonsense(guest *g)
{
    static const char placeholder[] = "451-[\"s\",{\"_placeholder\":true,\"num\":0}]";
    static const char *const texts[] = { "4abc", "1",     "2",     "5",        "42[\"s\"",
                                         "41",   "41/a,", "430[]", "40/none,", placeholder };
    size_t i = pick(12);
    if (i < 10)
        say(g, texts[i]);
    else if (g->ws != NULL)
        sim_ws_frame(g->ws, i == 10 ? 0x82 : (unsigned)pick(256), "bytes", pick(6));
}

/* Uses somebody else's session, or nobody's. */
static void steal(guest *g)
{
    guest *other = &talk.guests[pick(GUESTS)];
    bool forged = pick(3) == 0;
    const char *sid = forged ? "AAAAAAAAAAAAAAAAAAAA" : other->sid;
    if (sid[0] == '\0' || other == g)
        return;
    if (!forged)
        other->tainted = true;
    sim_client *c = sim_connect();
    char target[200];
    write_target(other, pick(2) ? "polling" : "websocket", sid, target);
    size_t way = pick(3);
    sim_request(c, way == 0 ? "POST" : "GET", target, way == 2 ? SIM_UPGRADE : NULL,
                way == 0 ? "41" : NULL);
    settle(0);
    sim_must(!forged || sim_answered(c, false).status == 400 || talk.failing,
             "a session that is nobody's is unknown");
    sim_close(c);
}

static void fail_soon(void)
{
    talk.failing = true;
    sim.fail_more = pick(3) == 0 ? pick(8) : 0;
    if (pick(2) == 0) {
        sim.fail_alloc = sim.allocs + 1 + pick(24);
        return;
    }
    sim.fail_how = (int)pick(SIM_JUMP);
    sim.fail_call = sim.calls + 1 + pick(12);
}

static void fail_no_more(void)
{
    sim.fail_alloc = 0;
    sim.fail_call = talk.failing ? SIZE_MAX : 0;  // what was cut short stays so
}

static void request_something(void)
{
    sim_client *c = sim_connect();
    sim_request(c, "GET", "/route", NULL, NULL);
    if (pick(4) == 0)
        sim_abort(c);
}

/* What a guest does that is there. */
static void step_of(guest *g)
{
    switch (pick(14)) {
    case 0:
        go(g, pick(2));
        break;
    case 1:
    case 2:
        upgrade(g);
        break;
    case 3:
        say_nonsense(g);
        break;
    case 4:
        steal(g);
        break;
    case 5:
        if (g->ws != NULL)
            sim_room(g->ws, pick(2) ? pick(300) : SIZE_MAX);
        break;
    case 6:
        if (g->question >= 0) {
            char text[32];
            snprintf(text, sizeof text, "43%ld[1]", g->question);
            say(g, text);
        }
        break;
    case 7:
    case 8:
    case 9:
        if (g->ws == NULL && !g->waiting && g->sid[0] != '\0')
            poll_as(g, g->sid);
        break;
    default:
        speak(g);
    }
}

static void step(guest *g)
{
    size_t what = pick(16);
    if (what == 0)
        fail_soon();
    else if (what == 1)
        settle((int)pick(300));
    else if (what == 2)
        act(NULL, NULL);
    else if (what == 3)
        request_something();
    else if (is_there(g))
        step_of(g);
    else if (pick(2) == 0 && g->pid[0] != '\0')
        come_back(g);
    else
        come(g);
    if (pick(3) > 0)
        settle(0);
    if (what != 0)
        fail_no_more();
}

/* ---- A conversation ------------------------------------------------------------------------------ */

static void begin(void)
{
    static const sio_engine_handlers by = { .message = echo };
    static const sio_options patient = { .path = "/by", .ping_interval_ms = 1000000000 };
    sio_options o = { .ping_interval_ms = 400,
                      .ping_timeout_ms = 200,
                      .upgrade_timeout_ms = 300,
                      .connect_timeout_ms = 300,
                      .return_timeout_ms = 300,
                      .header_timeout_ms = 300,
                      .request_timeout_ms = 300,
                      .keep_alive_ms = 300,
                      .close_timeout_ms = 300,
                      .max_output = 4000,
                      .allow_request = allow,
                      .cleanup_empty_namespaces = true };
    memset(&talk, 0, sizeof talk);
    sio_server *io = talk.io = sim_new(&o);
    sim.unchecked = true;
    sim_must(sio_recover(io, &(sio_recovery){ .ms = 400, .bytes = 3000 }) == 0, "it recovers");
    sio_allow_v3(io);
    serve(sio_of(io, "/"));
    serve(sio_of(io, "/a"));
    sio_namespace *family = sio_family(io, accept_name);
    serve(family);
    sio_use(family, let_in);
    sio_route(io, "GET", "/route", on_route);
    sio_engine(io, &patient, &by);
    talk.bystander = sim_ws_open(io, "/by/?EIO=4&transport=websocket", NULL);
    sim_must(talk.bystander != NULL, "a bystander comes");
    sim_ws_hear(talk.bystander);
    talk.first_said = talk.bystander->sent.n, talk.first_heard = talk.bystander->got.n;
}

/* Each guest that is well hears all that is due. */
static void hear_the_rest(void)
{
    for (size_t i = 0; i < GUESTS; i++)
        if (talk.guests[i].ws != NULL)
            sim_room(talk.guests[i].ws, SIZE_MAX);
    settle(talk.failing ? 120 : 0);  // accepting may have paused
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < GUESTS; i++) {
            guest *g = &talk.guests[i];
            if (is_there(g) && g->ws == NULL && g->sid[0] != '\0' && !g->waiting)
                poll_as(g, g->sid);
        }
        settle(0);
    }
    for (size_t i = 0; i < SEATS; i++) {
        const seat *t = &talk.seats[i];
        const guest *g = guest_of(t);
        for (size_t k = 0; t->here && g != NULL && !g->tainted && !g->left[t->ns] && k < t->n; k++)
            sim_must(t->hope[k].optional || g->number < 0, "event %d is lost", t->hope[k].serial);
    }
}

static void look_at_all(void)
{
    settle(0);
    const char *wrong = sim_check(talk.io);
    sim_must(wrong == NULL, "this does not hold: %s", wrong);
}

/* All have left: nothing is left of them. */
static void check_empty(void)
{
    const sio_stats *s = sio_get_stats(talk.io);
    look_at_all();
    sim_must(s->connections == 1 && s->sessions == 1 && s->sockets == 0 && s->rooms == 0,
             "%d connections, %d sessions, %d sockets and %d rooms are left",
             (int)s->connections - 1, (int)s->sessions - 1, (int)s->sockets, (int)s->rooms);
    sim_must(talk.io->awaited.count == 0 && talk.io->n_dynamic == 0 && talk.io->net.clock.n == 0,
             "nothing is to come");
    sim_must(talk.asked == talk.answered, "%ld questions, %ld answers", talk.asked, talk.answered);
    sim_must(talk.data == talk.released, "%ld data, %ld released", talk.data, talk.released);
    if (talk.live == 0)
        talk.live = sim.live;
    sim_must(sim.live <= talk.live + SLACK, "%zu allocations are left of %zu", sim.live, talk.live);
}

static void leave_all(void)
{
    for (size_t i = 0; i < world.n_buried; i++)
        if (world.buried[i] != talk.bystander)
            sim_close(world.buried[i]);
    for (size_t i = 0; i < GUESTS; i++)
        talk.guests[i] = (guest){ .number = 0 };
    talk.budget = 0;
    sim_run_ms(talk.io, 2000);
    for (size_t i = world.n_buried; i-- > 0;)
        if (world.buried[i] != talk.bystander)
            sim_forget(world.buried[i]);
    memset(talk.seats, 0, sizeof talk.seats);
    talk.n_sent = 0;
    talk.failing = false;
    sim.fail_call = sim.fail_more = 0;
}

/* One conversation, until more says that it is enough. */
static void converse(void)
{
    if (talk.io == NULL)
        begin();
    sim.seed = 1;
    for (int i = 0; i < STEPS && is_left(); i++) {
        step(&talk.guests[pick(GUESTS)]);
        if (i % 4 == 3)
            look_at_all();
    }
    fail_no_more();
    sio_off(sio_of(talk.io, "/"), "s", on_once, NULL);
    look_after();
    hear_the_rest();
    leave_all();
    look_after();
    check_empty();
    talk.bystander->got.n = talk.bystander->heard_at = talk.first_heard;
    talk.bystander->sent.n = talk.bystander->read_at = talk.first_said;
    sim_sweep();
    if (++talk.played % CONVERSATIONS == 0) {
        sim_free(talk.io);
        talk.io = NULL;
    }
}

#endif
