/* sim_app.h - the application that the simulations run: test/fixture.c, in a simulated outside
 * SPDX-License-Identifier: MIT
 *
 * fixture.c has a letter and a number for each of its events; its main is not called. */
#define main fixture_main
int fixture_main(int argc, char **argv);
#include "fixture.c"
#undef main

#include "lib.h"
#include "sim.h"

/* A case of a table: its rule, and how it goes. */
typedef struct play {
    const char *rule, *script;
} play;

static inline const char *app_reason(void)
{
    sio_value entry = log_n == 0 ? NULL : log_of[(log_n - 1) % MAX_LOG];
    const char *text = sio_text(sio_member(entry, "reason"), NULL);
    return text == NULL ? "" : text;
}

static inline void app_fail(const char *text)
{
    fail_msg("%s", text);
}

/* The options of the tests, which the fixture reads as well: the library's defaults, all hooks, no
 * recovery. */
static inline sio_options *app_options(void)
{
    options = (sio_options){ .allow_request = allow_request, .headers = add_headers };
    recovery = (sio_recovery){ .ms = 0 };
    return &options;
}

/* The application, on a server that began. False: no memory. */
static inline bool app_serve(sio_server *io)
{
    server = io;
    return serve_recovery(io) >= 0 && serve_namespaces(io) >= 0 && serve_http(io) >= 0 &&
           serve_echo(io) >= 0;
}

static inline void app_prepare(void)
{
    sim_fail = app_fail;
    sim_reason = app_reason;
    static_dir = "test/static";
    memset(log_of, 0, sizeof log_of);
    log_n = 0;
    log_closed = false;
    tasks = NULL;
}

/* Begins with app_options, as a test has changed them. */
static inline sio_server *app_begin(void)
{
    app_prepare();
    sio_server *io = sim_new(&options);
    if (!app_serve(io))
        fail_msg("the application could not begin");
    return io;
}

static inline sio_server *app_new(void)
{
    app_options();
    return app_begin();
}

/* Ends it as the fixture's main does, and claims what sim_free claims. */
static inline void app_free(sio_server *io)
{
    drop_values();
    sim_free(io);
    while (tasks)
        end_task(tasks);
}

/* What a script begins with whose peer has joined "/". */
#define JOINED "> 40\n< 40{'sid':'*'}\n< 42['auth',{}]\n"

/* Plays each case over one transport, on the server, behind the lines in before. Fails when one
 * went otherwise. */
static inline void play_all(sio_server *io, int transport, const char *before, const play *cases,
                            size_t n)
{
    size_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        char script[4096];
        snprintf(script, sizeof script, "%s%s", before, cases[i].script);
        if (transport != 0)
            bad += !sim_play_over(io, transport, cases[i].rule, script);
        else
            bad += !sim_play(io, cases[i].rule, script);
    }
    if (bad > 0)
        fail_msg("%zu of %zu cases", bad, n);
}

/* On a server of their own, with the options as they are. transport 0: the cases open it. */
static inline void play_alone(int transport, const char *before, const play *cases, size_t n)
{
    sio_server *io = app_begin();
    play_all(io, transport, before, cases, n);
    app_free(io);
}

/* Over WebSocket, over WebSocket byte by byte, and over polling. */
static inline void play_everywhere(const char *before, const play *cases, size_t n)
{
    for (int way = 0; way < 3; way++) {
        sio_server *io = app_begin();
        sim.cut = way == 1 ? 1 : 0;
        play_all(io, way == 2 ? SIM_POLL : SIM_WS, before, cases, n);
        app_free(io);
    }
}

/* The default options, everywhere. */
static inline void play_default(const char *before, const play *cases, size_t n)
{
    app_options();
    play_everywhere(before, cases, n);
}
