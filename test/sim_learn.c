/* sim_learn.c - the conversations of LEARN.md, read from the page and had with a server
 * SPDX-License-Identifier: MIT
 *
 * A block of the page that begins with "```play" is a conversation, in the notation that its section
 * "How to read the bytes" tells. Here its lines become bytes. What holds, whatever it is about:
 *
 *  - Each byte that the server sends stands in the page, where it is sent; so does each end of a
 *    connection, and each thing that the application is told. ".." is any text.
 *  - SID and ID are what they were where they came first.
 *  - The default of each option in the page's table of limits is the server's.
 *
 * The application is the one that the page shows, word for word. */
#include "lib.h"
#include "sim.h"

/* ---- The application: what stands in the page ---------------------------------------------------- */

static void on_say(sio_socket *socket, sio_event *event)
{
    sio_emit(sio_all(sio_ns(socket)), "said", "%p", sio_arg(event, 0));
}

/* ---- What it is told ------------------------------------------------------------------------------ */

static sio_server *io;
static sio_socket *newest;
static char told[4096];  // lines

static void note(sio_socket *socket, sio_event *event)
{
    size_t n = strlen(told);
    const char *reason = sio_text(sio_arg(event, 0), NULL), *name = sio_name(event);
    bool ends = strcmp(name, "disconnect") == 0;
    newest = socket;
    snprintf(told + n, sizeof told - n, ends ? "%s, \"%s\"\n" : "%s\n", name, reason);
}

static void serve(void)
{
    sio_namespace *ns = sio_of(io, "/");
    sio_on(ns, "connection", note);
    sio_on(ns, "say", note);
    sio_on(ns, "say", on_say);
    sio_on(ns, "disconnect", note);
}

/* ---- Where a test is ------------------------------------------------------------------------------ */

static char page[200000];
static const char *now;  // the line of the page that is played
static size_t played;    // lines

static void wrong(const char *what, const char *got)
{
    size_t line = 1;
    for (const char *p = page; p < now; p++)
        line += *p == '\n';
    fail_msg("LEARN.md:%zu: %.*s\n    %s: %.400s", line, (int)strcspn(now, "\n"), now, what, got);
}

static void sim_says(const char *text)
{
    wrong("the simulator", text);
}

/* ---- Texts and bytes ------------------------------------------------------------------------------ */

static struct {
    const char *name;
    char value[24];
} ids[] = { { "SID", "" }, { "ID", "" } };

static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* The id whose name stands at p, behind a '"' or '='; -1: none. */
static int id_at(const char *begin, const char *p)
{
    if (p == begin || strchr("\"=", p[-1]) == NULL)
        return -1;
    for (size_t i = 0; i < COUNT(ids); i++) {
        size_t n = strlen(ids[i].name);
        if (strncmp(p, ids[i].name, n) == 0 && !is_letter(p[n]))
            return (int)i;
    }
    return -1;
}

/* Writes what a text of the page stands for; returns how many bytes. */
static size_t said(const char *text, char *out)
{
    char *to = out;
    for (const char *p = text; *p != '\0';) {
        int i = id_at(text, p);
        if (i >= 0) {
            to += sprintf(to, "%s", ids[i].value);
            p += strlen(ids[i].name);
        } else if (strncmp(p, "<RS>", 4) == 0) {
            *to++ = '\x1e';
            p += 4;
        } else {
            *to++ = *p++;
        }
    }
    *to = '\0';
    return (size_t)(to - out);
}

/* Bytes in hex, separated by spaces, up to what is none; *end is behind them. */
static size_t hex(const char *p, unsigned char *out, const char **end)
{
    size_t n = 0;
    unsigned byte;
    int used;
    while (sscanf(p, " %2x%n", &byte, &used) == 1) {
        out[n++] = (unsigned char)byte;
        p += used;
    }
    *end = p;
    return n;
}

static bool like(const char *begin, const char *pattern, const char *p);

/* The pattern begins with an id: takes it where it is new. */
static bool like_id(const char *begin, const char *pattern, const char *p, int i)
{
    size_t n = strlen(ids[i].name), size = 20;
    if (strlen(p) < size)
        return false;
    if (ids[i].value[0] == '\0')
        snprintf(ids[i].value, sizeof ids[i].value, "%.20s", p);
    return strncmp(ids[i].value, p, size) == 0 && like(begin, pattern + n, p + size);
}

static bool like(const char *begin, const char *pattern, const char *p)
{
    for (; *pattern != '\0'; pattern++, p++) {
        int i = id_at(begin, pattern);
        if (i >= 0)
            return like_id(begin, pattern, p, i);
        if (strncmp(pattern, "..", 2) == 0) {
            while (!like(begin, pattern + 2, p))
                if (*p++ == '\0')
                    return false;
            return true;
        }
        if (strncmp(pattern, "<RS>", 4) == 0 && *p == '\x1e')
            pattern += 3;
        else if (*pattern != *p)
            return false;
    }
    return *p == '\0';
}

/* ---- The stage ------------------------------------------------------------------------------------ */

static struct {
    sim_client *client;  // NULL: it has not connected
    bool ended;          // and the page says so
} conns[26];
static bool stopped;     // the server
static bool in_prelude;  // what is played does not stand in the page

/* The line at *at, without a remark behind it; *at is the next one's beginning. */
static const char *next_line(const char **at, char *line, size_t size)
{
    size_t n = strcspn(*at, "\n");
    if (!in_prelude)
        now = *at;
    assert_true(n < size);
    snprintf(line, size, "%.*s", (int)n, *at);
    *at += n + 1;
    char *remark = strstr(line, "  -- ");
    for (n = remark == NULL ? strlen(line) : (size_t)(remark - line); n > 0 && line[n - 1] == ' ';)
        n--;
    line[n] = '\0';
    return line;
}

/* All that has happened stands in the page so far. */
static void expect_nothing(void)
{
    for (size_t i = 0; i < COUNT(conns); i++) {
        size_t n = 0;
        const sim_client *c = conns[i].client;
        const char *text = c == NULL ? "" : sim_text(c, &n);
        char name[] = { 'a' + (char)i, '<', ' ', '\0' };
        if (n > 0)
            wrong("before this the server sent", text);
        if (c != NULL && sim_ended(c) && !conns[i].ended)
            wrong("before this the server ended", name);
    }
    if (told[0] != '\0')
        wrong("before this the application was told", told);
}

static void pass(int64_t ms)
{
    int result = stopped ? 0 : sim_run_ms(io, ms);
    stopped = result == 0;
}

static void end_scene(void)
{
    expect_nothing();
    for (size_t i = 0; i < COUNT(conns); i++)
        if (conns[i].client != NULL)
            sim_close(conns[i].client);
    pass(0);
    sim_free(io);
    io = NULL;
}

static void begin_scene(const sio_options *options)
{
    io = sim_new(options);
    stopped = false;
    memset(conns, 0, sizeof conns);
    for (size_t i = 0; i < COUNT(ids); i++)
        ids[i].value[0] = '\0';
    told[0] = '\0';
    serve();
}

/* ---- The client's lines ---------------------------------------------------------------------------- */

#define TARGET "/socket.io/?EIO=4&transport="

/* "GET ?x" and its kin: a whole request. */
static void send_short(sim_client *c, const char *text)
{
    char method[8], query[200], target[300], body[2000];
    int at = 0;
    assert_int_equal(sscanf(text, "%7s ?%199s%n", method, query, &at) >= 1, 1);
    if (at == 0)
        snprintf(query, sizeof query, "%s", "");  // "GET ?": no more
    bool upgrade = strcmp(method, "UPGRADE") == 0;
    char more[200];
    said(query, more);
    snprintf(target, sizeof target, TARGET "%s%s%s", upgrade ? "websocket" : "polling",
             more[0] == '\0' ? "" : "&", more);
    said(at == 0 ? "" : text + at + strspn(text + at, " "), body);
    sim_request(c, upgrade ? "GET" : method, target, upgrade ? SIM_UPGRADE : NULL,
                body[0] == '\0' ? NULL : body);
}

/* The head of a request or an answer that the page shows whole: its lines up to an empty one. Returns
 * what stands behind; *length is its Content-Length. */
static const char *take_head(const char **at, const char *first, char *head, size_t *length)
{
    char line[1000];
    const char *text = first;
    *length = 0;
    for (head[0] = '\0'; text[0] != '\0'; text = line[2] == '\0' ? "" : line + 3) {
        strcat(strcat(head, text), "\r\n");
        sscanf(text, "Content-Length: %zu", length);
        next_line(at, line, sizeof line);
    }
    strcat(head, "\r\n");
    return head + strlen(head);
}

static void send_whole(sim_client *c, const char *first, const char **at)
{
    char head[4000], bytes[5000], line[1000];
    size_t length;
    take_head(at, first, head, &length);
    sim_send(c, bytes, said(head, bytes));
    if (length == 0)
        return;
    size_t n = said(next_line(at, line, sizeof line) + 3, bytes);
    if (n != length)
        wrong("is not as long as its head says", "");
    sim_send(c, bytes, n);
}

/* The payload of a frame: "<01 02>", or a text. */
static size_t payload_of(const char *text, char *out)
{
    const char *end;
    bool bytes = text[0] == '<' && text[1] != 'R';
    return bytes ? hex(text + 1, (unsigned char *)out, &end) : said(text, out);
}

/* "[header] payload": masks the payload with the header's key. */
static void send_frame(sim_client *c, const char *text)
{
    unsigned char header[32];
    char payload[2000];
    sio_ws_head h = { .len = 0 };
    size_t n = hex(text + 1, header, &text);
    size_t size = payload_of(text + 1 + strspn(text + 1, " "), payload);
    int used = sio_ws_parse_header(header, n, &h);
    if (used > 0 && size > 0 && h.len != size)
        wrong("is not as long as its header says", payload);
    if (used > 0)
        sio_ws_unmask((unsigned char *)payload, size, h.key);  // which masks as well
    sim_send(c, header, n);
    sim_send(c, payload, size);
}

static void send_line(sim_client *c, const char *text, const char **at)
{
    unsigned char raw[500];
    const char *end;
    if (strcmp(text, "FIN") == 0)
        sim_finish(c);
    else if (strcmp(text, "RST") == 0)
        sim_abort(c);
    else if (strcmp(text, "reads no more") == 0)
        sim_room(c, 0);
    else if (text[0] == '[')
        send_frame(c, text);
    else if (strstr(text, " HTTP/1.1") != NULL)
        send_whole(c, text, at);
    else if (strstr(text, " ?") != NULL)
        send_short(c, text);
    else
        sim_send(c, raw, hex(text, raw, &end));
}

/* ---- The server's lines ---------------------------------------------------------------------------- */

static void hear_whole(sim_client *c, const char *first, const char **at)
{
    char head[4000], line[1000];
    size_t length;
    const char *begin = now;
    take_head(at, first, head, &length);
    sim_answer a = sim_answered(c, false);
    now = begin;
    if (a.status == 0 || !like(head, head, a.head))
        wrong("the head was", a.status == 0 ? sim_text(c, NULL) : a.head);
    if (length > 0 && !like(line, next_line(at, line, sizeof line) + 3, a.body))
        wrong("the body was", a.body);
    if (a.n != length)
        wrong("the body has another length", a.body);
}

static void hear_short(sim_client *c, const char *text)
{
    int status = 0, at = 0;
    sscanf(text, "%d%n", &status, &at);
    sim_answer a = sim_answered(c, false);
    const char *body = text + at + strspn(text + at, " ");
    if (a.status != status || !like(body, body, a.body))
        wrong(a.status == 0 ? "there was" : a.body, a.status == 0 ? sim_text(c, NULL) : a.head);
}

static void hear_bytes(sim_client *c, const void *wanted, size_t n, const char *what)
{
    size_t have;
    const char *p = sim_text(c, &have);
    char got[200];
    if (have >= n && memcmp(p, wanted, n) == 0) {
        sim_take(c, n);
        return;
    }
    size_t used = 0;
    for (size_t i = 0; i < have && i < 40; i++)
        used += (size_t)sprintf(got + used, "%02x ", (unsigned char)p[i]);
    got[used] = '\0';
    wrong(what, got);
}

/* The rest of a header of which n bytes were heard. */
static void hear_length(sim_client *c, unsigned char *header, size_t n)
{
    size_t have;
    const char *p = sim_text(c, &have);
    size_t more = have > 0 && (unsigned char)p[0] == 126 ? 3 : 1;
    assert_true(n == 1 && have >= more);
    memcpy(header + n, p, more);
    sim_take(c, more);
}

/* "[header] payload"; "[81 ..]" is any length. */
static void hear_frame(sim_client *c, const char *text)
{
    unsigned char header[32], op;
    char payload[2000];
    size_t have, size, n = hex(text + 1, header, &text);
    bool any = text[0] == '.' || text[1] == '.';
    hear_bytes(c, header, n, "the header was");
    if (any)
        hear_length(c, header, n);
    text = strchr(text, ']') + 1;
    text += strspn(text, " ");
    sio_ws_own_header((char *)header, &op, &size);
    const char *p = sim_text(c, &have);
    assert_true(have >= size && size < sizeof payload);
    memcpy(payload, p, size);
    payload[size] = '\0';
    if (text[0] == '<' && text[1] != 'R')
        hear_bytes(c, payload, payload_of(text, payload), "the payload was");
    else if (like(text, text, payload))
        sim_take(c, size);
    else
        wrong("the payload was", payload);
}

static void hear_line(size_t i, const char *text, const char **at)
{
    unsigned char raw[500];
    const char *end;
    sim_client *c = conns[i].client;
    if (strcmp(text, "FIN") == 0) {
        if (!sim_ended(c))
            wrong("the server has not ended", "it");
        conns[i].ended = true;
    } else if (text[0] == '[') {
        hear_frame(c, text);
    } else if (strncmp(text, "HTTP/1.1", 8) == 0) {
        hear_whole(c, text, at);
    } else if (text[0] >= '1' && text[0] <= '5' && strcspn(text, " ") == 3) {
        hear_short(c, text);
    } else {
        hear_bytes(c, raw, hex(text, raw, &end), "the bytes were");
    }
}

/* ---- The application's lines ----------------------------------------------------------------------- */

static void call(const char *text)
{
    char event[100];
    if (strcmp(text, "sio_disconnect(socket, false)") == 0)
        sio_disconnect(newest, false);
    else if (strcmp(text, "sio_disconnect(socket, true)") == 0)
        sio_disconnect(newest, true);
    else if (strcmp(text, "sio_end_connection(socket)") == 0)
        sio_end_connection(newest);
    else if (strcmp(text, "sio_shutdown(io)") == 0)
        sio_shutdown(io);
    else if (sscanf(text, "sio_emit(sio_self(socket), \"%99[a-z]\", \"\")", event) == 1)
        sio_emit(sio_self(newest), event, "");
    else if (sscanf(text, "sio_emit(sio_volatile(sio_self(socket)), \"%99[a-z]\", \"\")", event) ==
             1)
        sio_emit(sio_volatile(sio_self(newest)), event, "");
    else
        wrong("the application does not know", text);
    pass(0);
}

static void hear_told(const char *text)
{
    size_t n = strcspn(told, "\n");
    if (n != strlen(text) || strncmp(text, told, n) != 0)
        wrong("it was told", told);
    memmove(told, told + n + 1, strlen(told + n + 1) + 1);
}

/* ---- Blocks ---------------------------------------------------------------------------------------- */

static void play_line(const char *line, const char **at)
{
    double n;
    char unit[3] = "";
    size_t i = (size_t)(line[0] - 'a');
    played++;
    if (strncmp(line, "app> ", 5) == 0) {
        expect_nothing();
        call(line + 5);
    } else if (strncmp(line, "app< ", 5) == 0) {
        hear_told(line + 5);
    } else if (sscanf(line, "+ %lf %2s", &n, unit) == 2) {
        expect_nothing();
        pass((int64_t)(unit[0] == 's' ? n * 1000 : n));
    } else if (i < COUNT(conns) && strncmp(line + 1, "> ", 2) == 0) {
        expect_nothing();
        if (conns[i].client == NULL)
            conns[i].client = sim_connect();
        send_line(conns[i].client, line + 3, at);
        pass(0);
    } else if (i < COUNT(conns) && conns[i].client != NULL && strncmp(line + 1, "< ", 2) == 0) {
        hear_line(i, line + 3, at);
    } else {
        wrong("no such line", "");
    }
}

static void play_prelude(const char *text)
{
    char line[1000];
    in_prelude = true;
    while (*text != '\0')
        play_line(next_line(&text, line, sizeof line), &text);
    in_prelude = false;
}

/* How a scene begins whose block says "joined by ..". */
static const char by_polling[] = "a> GET ?\n"
                                 "a< 200 0{\"sid\":\"SID\",..}\n"
                                 "b> POST ?sid=SID 40\n"
                                 "b< 200 ok\n"
                                 "app< connection\n"
                                 "a> GET ?sid=SID\n"
                                 "a< 200 40{\"sid\":\"ID\"}\n";
static const char by_websocket[] = "a> UPGRADE ?\n"
                                   "a< 101\n"
                                   "a< [81 ..] 0{\"sid\":\"SID\",..}\n"
                                   "a> [81 82 01 02 03 04] 40\n"
                                   "a< [81 20] 40{\"sid\":\"ID\"}\n"
                                   "app< connection\n";

/* ---- Options --------------------------------------------------------------------------------------- */

#define OPTION(name)                                                                               \
    {                                                                                              \
#name, offsetof(sio_options, name), sizeof((sio_options *)NULL)->name                      \
    }

static const struct option {
    const char *name;
    size_t at, size;
} option_list[] = {
    OPTION(max_payload),
    OPTION(max_head),
    OPTION(max_output),
    OPTION(max_attachments),
    OPTION(max_packet),
    OPTION(max_depth),
    OPTION(max_namespaces),
    OPTION(max_rooms),
    OPTION(max_connections),
    OPTION(max_sessions),
    OPTION(max_sessions_per_address),
    OPTION(max_per_address),
    OPTION(max_memory),
    OPTION(max_packet_rate),
    OPTION(max_byte_rate),
    OPTION(max_packet_rate_per_address),
    OPTION(max_byte_rate_per_address),
    OPTION(max_dynamic_namespaces),
    OPTION(header_timeout_ms),
    OPTION(request_timeout_ms),
    OPTION(keep_alive_ms),
    OPTION(return_timeout_ms),
    OPTION(close_timeout_ms),
    OPTION(stop_timeout_ms),
    OPTION(connect_timeout_ms),
    OPTION(upgrade_timeout_ms),
    OPTION(ping_interval_ms),
    OPTION(ping_timeout_ms),
};

static const struct option *find_option(const char *name, size_t n)
{
    for (size_t i = 0; i < COUNT(option_list); i++)
        if (strlen(option_list[i].name) == n && strncmp(option_list[i].name, name, n) == 0)
            return &option_list[i];
    wrong("no such option", name);
    return NULL;
}

static size_t value_of(const sio_options *o, const struct option *k)
{
    int i;
    size_t n;
    memcpy(&i, (const char *)o + k->at, sizeof i);
    if (k->size == sizeof i)
        return (size_t)i;
    memcpy(&n, (const char *)o + k->at, sizeof n);
    return n;
}

/* "max_payload=100" and its kin, in the line that opens a block. */
static sio_options options_in(const char *info)
{
    sio_options o = { .path = NULL };
    for (const char *is; (is = strchr(info, '=')) != NULL; info = is + 1) {
        const char *name = is;
        size_t n = strtoul(is + 1, NULL, 10);
        int i = (int)n;
        while (name[-1] != ' ')
            name--;
        const struct option *k = find_option(name, (size_t)(is - name));
        memcpy((char *)&o + k->at, k->size == sizeof i ? (void *)&i : (void *)&n, k->size);
    }
    return o;
}

/* ---- Tests ----------------------------------------------------------------------------------------- */

static void play_block(const char *at)
{
    char info[200], line[1000];
    next_line(&at, info, sizeof info);
    sio_options o = options_in(info);
    const char *before = strstr(info, "joined by polling") != NULL     ? by_polling
                         : strstr(info, "joined by websocket") != NULL ? by_websocket
                                                                       : "";
    while (strncmp(at, "```", 3) != 0) {
        next_line(&at, line, sizeof line);
        bool scene = strncmp(line, "==", 2) == 0;
        if (line[0] == '\0')
            continue;
        if (scene && io != NULL)
            end_scene();
        if (io == NULL) {
            begin_scene(&o);
            play_prelude(before);
        }
        if (!scene)
            play_line(line, &at);
    }
    now = at;
    end_scene();
}

static void read_page(void)
{
    FILE *f = fopen("LEARN.md", "rb");
    assert_non_null(f);
    size_t n = fread(page, 1, sizeof page - 1, f);
    fclose(f);
    assert_true(n < sizeof page - 1);
    page[n] = '\0';
}

static void the_conversations_go_as_the_page_says(void **state)
{
    (void)state;
    sim_fail = sim_says;
    played = 0;
    for (const char *p = page; (p = strstr(p, "\n```play")) != NULL; p++)
        play_block(p + 1);
    assert_true(played > 200);  // they were found
}

/* Rows like "| `max_payload` | 1000000 |"; "all" is no limit. */
static void the_defaults_are_those_of_the_page(void **state)
{
    (void)state;
    size_t rows = 0;
    sio_server *plain = sim_new(NULL);
    for (const char *p = page; (p = strstr(p, "\n| `")) != NULL;) {
        now = p + 1;
        p += 4;
        size_t n = strcspn(p, "`");
        bool is_option = strncmp(p + n, "` | ", 4) == 0 &&
                         (strncmp(p, "max_", 4) == 0 || strncmp(p + n - 3, "_ms", 3) == 0);
        if (!is_option)
            continue;
        const struct option *k = find_option(p, n);
        size_t value = value_of(&plain->options, k), want = strtoul(p + n + 4, NULL, 10);
        bool all = strncmp(p + n + 4, "all", 3) == 0;
        if (all ? value != 0 && value < SIO_NO_LIMIT : value != want)
            wrong("its default is another", "");
        rows++;
    }
    sim_free(plain);
    assert_int_equal(rows, COUNT(option_list));
}

/* The block of C is in this file. */
static void the_application_is_the_one_of_the_page(void **state)
{
    static char source[100000];
    (void)state;
    FILE *f = fopen("test/sim_learn.c", "rb");
    assert_non_null(f);
    source[fread(source, 1, sizeof source - 1, f)] = '\0';
    fclose(f);
    char *begin = strstr(page, "\n```c\n");
    assert_non_null(begin);
    begin += 6;
    char *end = strstr(begin, "```");
    assert_non_null(end);
    char code[2000];
    snprintf(code, sizeof code, "%.*s", (int)(end - begin), begin);
    assert_non_null(strstr(source, code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_conversations_go_as_the_page_says),
        cmocka_unit_test(the_defaults_are_those_of_the_page),
        cmocka_unit_test(the_application_is_the_one_of_the_page),
    };
    read_page();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
