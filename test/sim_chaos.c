#define _POSIX_C_SOURCE 200809L  // alarm
/* sim_chaos.c - many clients that do anything in any order, while memory and the system fail now
 * and then SPDX-License-Identifier: MIT
 *
 * A seed decides everything: build/sim_chaos SEED plays that one alone. What must hold is what
 * sim.h says; and at the end, when nothing fails any more, a new client is served. */
#include "sim_app.h"

#include <unistd.h>

enum { GUESTS = 6, STEPS = 120 };

typedef struct guest {
    sim_client *client, *probe;  // its WebSocket, or its last request's connection; an upgrade
    bool polling;
    char sid[32], id[32], pid[32];
} guest;

static guest guests[GUESTS];
static uint64_t seed;

static size_t pick(size_t n)
{
    return (size_t)(sim_random() % n);
}

static void fail_saying(const char *text)
{
    fail_msg("seed %llu: %s", (unsigned long long)seed, text);
}

/* ---- What guests say ------------------------------------------------------------------------ */

/* $ is the id of some guest. */
static const char *const lines[] = {
    "40",
    "40",
    "40{\"a\":1}",
    "40/custom,",
    "40/auth,{\"token\":\"slow\"}",
    "40/dyn-1,",
    "40/fam-2,",
    "41",
    "41/custom,",
    "421[\"join\",[\"a\",\"b\"]]",
    "42[\"join\",\"c\"]",
    "42[\"leave\",\"a\"]",
    "42[\"leave\",\"$\"]",
    "42[\"to\",\"a\",\"e\",[1,2]]",
    "42[\"in\",[\"a\",\"$\"],\"e\",[{\"k\":\"v\"}]]",
    "42[\"to-except\",null,[\"b\",\"$\"],\"e\",[]]",
    "42[\"broadcast\",\"e\",[\"\\u00e9\"]]",
    "42[\"nsp-emit-to\",\"/custom\",\"e\",[]]",
    "42/fam-2,[\"family-emit\",\"e\",[]]",
    "42[\"private\",\"$\",\"e\",[]]",
    "423[\"message-with-ack\",1]",
    "42[\"emit-later\",50,\"late\",[]]",
    "42[\"ticks\",3,20]",
    "42[\"flood\",20,300]",
    "42[\"flood\",3,30000]",
    "42[\"emit-binary\",3,200]",
    "42[\"volatile-broadcast\",3]",
    "424[\"ack-later\",30,{\"x\":1}]",
    "425[\"ask\",\"q\",[],40]",
    "426[\"ask-all\",[\"a\",\"c\"],\"q\",[],40]",
    "427[\"ask-others\",null,\"q\",[],20]",
    "430[1]",
    "431[]",
    "432[\"x\"]",
    "42[\"set-data\",{\"d\":[1]}]",
    "428[\"fetch-sockets\",null]",
    "42[\"sockets-join\",\"a\",[\"z\"]]",
    "42[\"sockets-leave\",null,[\"z\",\"a\"]]",
    "42[\"disconnect-sockets\",\"$\",true]",
    "42[\"disconnect-me\"]",
    "42[\"disconnect-me-later\",10,true]",
    "42[\"goodbye\",true]",
    "42[\"engine-close\"]",
    "42[\"mw-reject\",1]",
    "429[\"whoami\"]",
    "452-[\"message\",{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":1}]",
    "4abc",
    "3",
    "1",
};

static const char *line_for(char out[200])
{
    const char *line = lines[pick(COUNT(lines))], *mark = strchr(line, '$');
    snprintf(out, 200, "%.*s%s%s", (int)(mark == NULL ? strlen(line) : (size_t)(mark - line)), line,
             mark == NULL ? "" : guests[pick(GUESTS)].id, mark == NULL ? "" : mark + 1);
    return out;
}

/* A text between two others in all that came; the old one stays if it is not there. */
static void find(char out[32], const sim_client *c, const char *before)
{
    size_t n, k = strlen(before);
    for (const char *p = sim_text(c, &n), *end = p + n; (size_t)(end - p) > k + 20; p++)
        if (memcmp(p, before, k) == 0)
            snprintf(out, 32, "%.20s", p + k);
}

static void learn(guest *g)
{
    find(g->sid, g->client, "0{\"sid\":\"");
    find(g->id, g->client, "40{\"sid\":\"");
    find(g->pid, g->client, "\"pid\":\"");
}

/* ---- What guests do ------------------------------------------------------------------------- */

static void ask(guest *g, const char *method, const char *body)
{
    char target[120];
    snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=polling%s%s",
             g->sid[0] ? "&sid=" : "", g->sid);
    if (g->client == NULL || sim_ended(g->client) || pick(2))
        g->client = sim_connect();
    sim_request(g->client, method, target, NULL, body);
}

static void arrive(guest *g)
{
    g->sid[0] = '\0';
    g->polling = pick(2);
    g->probe = NULL;
    if (g->polling) {
        ask(g, "GET", NULL);
        return;
    }
    g->client = sim_connect();
    sim_request(g->client, "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    sim_ws_say(g->client, "40");
}

static void leave(guest *g)
{
    void (*const ways[])(sim_client *) = { sim_close, sim_abort, sim_finish };
    ways[pick(3)](g->probe != NULL && pick(2) ? g->probe : g->client);
    if (pick(3) > 0)
        arrive(g);
}

static void come_back(guest *g)
{
    char text[100];
    snprintf(text, sizeof text, "40{\"pid\":\"%s\",\"offset\":\"%d\"}", g->pid, (int)pick(60));
    g->client = sim_connect();
    g->polling = false;
    g->sid[0] = '\0';
    sim_request(g->client, "GET", "/socket.io/?EIO=4&transport=websocket", SIM_UPGRADE, NULL);
    sim_ws_say(g->client, text);
}

static void upgrade(guest *g)
{
    char target[120];
    if (!g->polling || g->sid[0] == '\0')
        return;
    if (g->probe == NULL) {
        snprintf(target, sizeof target, "/socket.io/?EIO=4&transport=websocket&sid=%s", g->sid);
        g->probe = sim_connect();
        sim_request(g->probe, "GET", target, SIM_UPGRADE, NULL);
        sim_ws_say(g->probe, "2probe");
        return;
    }
    sim_ws_say(g->probe, "5");
    g->client = g->probe;
    g->probe = NULL;
    g->polling = false;
}

static void speak(guest *g)
{
    char line[200], payload[700] = "";
    if (!g->polling) {
        sim_ws_say(g->client, line_for(line));
        return;
    }
    for (size_t n = 1 + pick(3); n > 0; n--) {
        strcat(payload, line_for(line));
        strcat(payload, n > 1 ? "\x1e" : "");
    }
    ask(g, "POST", payload);
}

static void step(sio_server *io, guest *g)
{
    switch (pick(16)) {
    case 0:
        leave(g);
        break;
    case 1:
        come_back(g);
        break;
    case 2:
    case 3:
        upgrade(g);
        break;
    case 4:
        sim_room(g->client, pick(2) ? pick(3000) : SIZE_MAX);
        break;
    case 5:
        if (!g->polling)
            sim_ws_frame(g->client, pick(4) ? 0x82 : (unsigned)pick(256), "bytes", pick(6));
        break;
    case 6:
    case 7:
        if (g->polling)
            ask(g, "GET", NULL);
        break;
    case 8:
        sim_run_ms(io, (int)pick(pick(10) ? 30 : 3000));
        break;
    default:
        speak(g);
    }
    if (pick(3))
        sim_run_ms(io, 0);
    learn(g);
}

/* failing: now and then an allocation or a system call does not succeed. */
static void play_seed(bool failing)
{
    alarm(60);
    app_options();
    recovery.ms = 3000;
    recovery.bytes = 20000;
    options.max_output = 50000;
    options.ping_interval_ms = 700;
    options.ping_timeout_ms = 400;
    options.cleanup_empty_namespaces = true;
    memset(guests, 0, sizeof guests);
    sio_server *io = app_begin();
    sim_fail = fail_saying;
    sim.seed = seed;
    size_t cuts[] = { 0, 1, 7, SIM_RANDOM };
    sim.cut = cuts[pick(4)];
    for (size_t i = 0; i < GUESTS; i++)
        arrive(&guests[i]);
    for (int i = 0; i < STEPS; i++) {
        if (failing && pick(10) == 0)
            sim.fail_alloc = sim.allocs + 1 + pick(20), sim.fail_more = pick(3);
        else if (failing && pick(10) == 0)
            sim.fail_how = (int)pick(SIM_JUMP), sim.fail_call = sim.calls + 1 + pick(10),
            sim.fail_more = pick(3);
        step(io, &guests[pick(GUESTS)]);
    }
    sim.fail_alloc = 0;
    sim.fail_call = failing ? SIZE_MAX : 0;  // what was cut short by a failure stays so
    sim_run_ms(io, 300);
    if (!sim_play_over(io, SIM_WS, "afterwards",
                       "> 40\n< 40*\n< 42*\n> 42['message',7]\n< 42['message-back',7*"))
        fail_saying("no echo afterwards");
    app_free(io);
}

static void no_seed_breaks_the_server(void **state)
{
    (void)state;
    for (seed = 1; seed <= 400; seed++)
        play_seed(false);
}

static void no_seed_breaks_it_when_calls_fail(void **state)
{
    (void)state;
    for (seed = 1; seed <= 400; seed++)
        play_seed(true);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_seed_breaks_the_server),
        cmocka_unit_test(no_seed_breaks_it_when_calls_fail),
    };
    if (argc == 2) {
        seed = strtoull(argv[1], NULL, 10);
        play_seed(false);
        play_seed(true);
        return 0;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
