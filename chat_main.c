/* chat_main.c - the program: its options, its log, its pages
 * SPDX-License-Identifier: MIT */
#include "chat.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PORT, HOST, PAGE, CLIENT, ICON, KEY, REDIS, OPTIONS };

static struct option {
    const char *name, *value;
} options[] = { { "--port", "3000" }, { "--host", "127.0.0.1" }, { "--page", NULL },
                { "--client", NULL }, { "--icon", NULL },        { "--key", NULL },
                { "--redis", NULL } };

static const char usage[] =
    "usage: chat [--port 3000] [--host 127.0.0.1] [--key KEY] [--trace]\n"
    "            [--redis redis://127.0.0.1:6379]\n"
    "            [--page chat.html] [--client sio.js] [--icon chat_icon.svg]\n"
    "  --port    0 takes a free one\n"
    "  --host    the address to listen at; 0.0.0.0 or :: for all: then phones find it, too\n"
    "  --key     what opens /admin; a new one each time, if it is not given\n"
    "  --redis   makes one room of all chats that share it\n"
    "  --trace   prints each packet in words: also what is secret in them\n"
    "  --page    the file to serve as the page\n"
    "  --client  the file to serve as socket.io.js, such as the official one\n"
    "  --icon    the file to serve as the page's icon\n";

static sio_server *io;

static void on_signal(int number)
{
    signal(number, SIG_DFL);  // a second one ends the program at once
    sio_shutdown(io);
}

/* The chat never waits for whoever reads its log: a line that would have to wait is dropped, and how
 * many were is said before the next one. A pipe that takes any bytes takes 512 (POSIX: PIPE_BUF). */
static void print_line(const char *start, const char *text)
{
    static unsigned long n_dropped;
    struct pollfd end = { .fd = STDERR_FILENO, .events = POLLOUT };
    char line[512];
    int n = 0;
    if (n_dropped > 0)
        n = snprintf(line, sizeof line, "chat: lines dropped: %lu\n", n_dropped);
    n += snprintf(line + n, sizeof line - (size_t)n, "%s%.*s\n", start,
                  (int)sizeof line - 2 - n - (int)strlen(start), text);
    bool is_taken = poll(&end, 1, 0) == 1 && (end.revents & POLLOUT) != 0 &&
                    write(STDERR_FILENO, line, (size_t)n) > 0;
    n_dropped = is_taken ? 0 : n_dropped + 1;
}

static void print_log(void *user, const char *text)
{
    (void)user;
    print_line("chat: ", text);
}

static void print_trace(void *user, const char *text)
{
    (void)user;
    print_line("", text);
}

static int fail(const char *what)
{
    fprintf(stderr, "chat: %s: %s\n", what, strerror(errno));
    return 1;
}

/* ---- Files ----------------------------------------------------------------------------------- */

/* make puts them into the program; compiled otherwise, it reads them. */
#ifdef CHAT_CARRIES
extern const unsigned char chat_html[], sio_js[], chat_icon_svg[], chat_admin_html[];
extern const size_t chat_html_size, sio_js_size, chat_icon_svg_size, chat_admin_html_size;
#define CARRIED(name) name, &name##_size
#else
#define CARRIED(name) NULL, NULL
#endif

static const struct file {
    const char *path, *name, *type;
    const unsigned char *bytes;
    const size_t *size;
    int option;  // OPTIONS: there is none for it
} files[] = {
    { "/", "chat.html", "text/html; charset=utf-8", CARRIED(chat_html), PAGE },
    { "/admin", "chat_admin.html", "text/html; charset=utf-8", CARRIED(chat_admin_html), OPTIONS },
    { "/icon.svg", "chat_icon.svg", "image/svg+xml", CARRIED(chat_icon_svg), ICON },
    { "/socket.io/socket.io.js", "sio.js", "application/javascript; charset=utf-8", CARRIED(sio_js),
      CLIENT },
};

/* Where a file is: beside the program, or here. Good until the next call. */
static const char *locate(const char *program, const char *name)
{
    static char file[4096];
    const char *slash = strrchr(program, '/');
    snprintf(file, sizeof file, "%.*s%s", slash ? (int)(slash - program) + 1 : 0, program, name);
    return access(file, R_OK) == 0 ? file : name;
}

static int serve(const char *program, const struct file *f)
{
    const char *given = f->option == OPTIONS ? NULL : options[f->option].value;
    if (given == NULL && f->bytes != NULL)
        return sio_bundle(io, f->path, f->type, f->bytes, *f->size);
    const char *name = locate(program, given == NULL ? f->name : given);
    return f->option == CLIENT ? sio_serve_client(io, name) : sio_file(io, f->path, name);
}

static size_t size_of(const char *program)
{
    FILE *f = fopen(program, "rb");
    long size = f != NULL && fseek(f, 0, SEEK_END) == 0 ? ftell(f) : 0;
    if (f != NULL)
        fclose(f);
    return size > 0 ? (size_t)size : 0;
}

/* ---- The program ----------------------------------------------------------------------------- */

/* 96 bits of the system's, that nobody guesses. NULL: there are none. */
static const char *random_key(void)
{
    static char key[25];
    unsigned char bytes[12];
    FILE *f = fopen("/dev/urandom", "rb");
    size_t n = f == NULL ? 0 : fread(bytes, 1, sizeof bytes, f);
    if (f != NULL)
        fclose(f);
    for (size_t i = 0; i < n; i++)
        snprintf(key + 2 * i, 3, "%02x", bytes[i]);
    return n == sizeof bytes ? key : NULL;
}

/* Addresses that browsers on this machine can open, and for all of its addresses those of others. */
static void print_addresses(int port)
{
    const char *host = options[HOST].value;
    bool is_all = strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
    if (is_all || strcmp(host, "127.0.0.1") == 0)
        host = "localhost";
    const char *before = strchr(host, ':') ? "[" : "", *behind = strchr(host, ':') ? "]" : "";
    printf("Chat at http://%s%s%s:%d\n", before, host, behind, port);  // RFC 3986, 3.2.2
    if (is_all)
        chat_print_lan(port);
    printf("Admin at http://%s%s%s:%d/admin#%s\n", before, host, behind, port, options[KEY].value);
    fflush(stdout);
}

/* Reads the command line. -1: go on; otherwise what the program returns. */
static int read_options(char **argument, bool *trace, int *port)
{
    char rest;
    for (; *argument != NULL; argument++) {
        struct option *o = options;
        while (o < options + OPTIONS && strcmp(*argument, o->name) != 0)
            o++;
        if (strcmp(*argument, "--help") == 0)
            return fputs(usage, stdout) < 0;
        if (strcmp(*argument, "--trace") == 0) {
            *trace = true;
        } else if (o == options + OPTIONS || argument[1] == NULL) {
            fprintf(stderr, "chat: can't make sense of %s\n%s", *argument, usage);
            return 2;
        } else {
            o->value = *++argument;
        }
    }
    if (sscanf(options[PORT].value, "%5d%c", port, &rest) == 1 && *port >= 0 && *port <= 65535)
        return -1;
    fprintf(stderr, "chat: %s is no port\n%s", options[PORT].value, usage);
    return 2;
}

int main(int argc, char **argv)
{
    bool trace = false;
    int port, status = read_options(argv + (argc > 0), &trace, &port);
    if (status >= 0)
        return status;
    if (options[KEY].value == NULL && (options[KEY].value = random_key()) == NULL)
        return fail("/dev/urandom");

    io = sio_new(&(sio_options){ .log = print_log, .trace = trace ? print_trace : NULL });
    if (!io || chat_open(io, size_of(argv[0])) < 0 ||
        chat_admin(sio_of(io, "/"), options[KEY].value, chat_name) < 0)
        return fail("can't start");
    if (options[REDIS].value != NULL && chat_cluster(options[REDIS].value) < 0)
        return fail(options[REDIS].name);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (serve(argv[0], &files[i]) < 0)
            return fail(files[i].name);
    port = sio_listen(io, options[HOST].value, port);
    if (port < 0)
        return fail("can't listen there");

    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);  // who reads the log may go
    print_addresses(port);
    if (sio_run(io) < 0)
        return fail("can't go on");
    print_log(NULL, "goodbye");
    chat_forget();
    sio_free(io);
    return 0;
}
