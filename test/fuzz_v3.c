#define _POSIX_C_SOURCE 200809L  // of sim.c
/* fuzz_v3.c - payloads of protocol 3, JSONP, and queries: what goes in beside what is heard
 * SPDX-License-Identifier: MIT
 *
 * The first byte says what the rest is: a query of a handshake, frames of a WebSocket, or the body of a
 * POST (text, bytes, or a form), of the session's first or its second.
 *
 * What is claimed:
 *  - The application hears what a second decoder finds, which is written here from section 12 of
 *    PROTOCOL.md, up to the first packet that is none; and then the session ends.
 *  - What it sends back is found in what the client gets, in order, by the same decoder: in text, in
 *    bytes, as Base64, or in a script that is JSON and has no line end of old JavaScript in it.
 *  - A query opens a session exactly where it asks for polling without a session id, in the protocol
 *    that it names; and sio_session_query has its names and values.
 *
 * One server serves all inputs, each with a session of its own. */
#include "sim.c"

enum { WITH_GET = 1, JSONP = 2, B64 = 4, OCTETS = 8 };  // bits of the first byte

/* What was heard or got: "T3:abc" for each text, "B3:abc" for binary. */
typedef struct list {
    bytes text;
} list;

static sio_server *server;
static sio_session *session;
static int protocol;
static list heard, wanted_heard, got, wanted;  // by the application; by the client
static char *query_json;

static void note_packet(list *l, bool text, const char *p, size_t n)
{
    char head[32];
    size_t size = (size_t)snprintf(head, sizeof head, "%c%zu:", text ? 'T' : 'B', n);
    append(&l->text, head, size);
    append(&l->text, p, n);
}

static bool equal(const list *a, const list *b)
{
    return a->text.n == b->text.n && memcmp(a->text.p, b->text.p, a->text.n) == 0;
}

static void clear_list(list *l)
{
    l->text.n = 0;
    append(&l->text, "", 0);
}

/* ---- The application -------------------------------------------------------------------------- */

static void on_open(sio_session *s)
{
    sio_value v = sio_session_query(s);
    session = s;
    protocol = s->protocol;
    query_json = v == NULL ? NULL : (char *)(uintptr_t)sim_json(v);
}

static void on_message(sio_session *s, bool text, const void *p, size_t n)
{
    note_packet(&heard, text, p, n);
    sio_session_send(s, text, p, n);
}

static void on_close(sio_session *s, const char *reason)
{
    (void)reason;
    if (s == session)
        session = NULL;
}

static void begin(void)
{
    static const sio_engine_handlers handlers = { .open = on_open,
                                                  .message = on_message,
                                                  .close = on_close };
    static const sio_options o = { .path = "/e", .ping_interval_ms = 1000000000 };
    server = sim_new(NULL);
    sio_allow_v3(server);
    must(sio_engine(server, &o, &handlers) == 0, "it begins");
}

/* Nobody is left of the input before. */
static void end_all(void)
{
    if (session != NULL)
        sio_session_abort(session, "forced close");
    sim_run_ms(server, 0);
    for (size_t i = 0; i < world.n_buried; i++)
        sim_close(world.buried[i]);
    sim_run_ms(server, 0);
    while (world.n_buried > 0)
        sim_forget(world.buried[0]);
    sim_sweep();
}

/* ---- The second decoder ----------------------------------------------------------------------- */

enum { GOES_ON, BROKEN, CLOSED };

/* A packet that comes in: what is heard of it, and what is sent back. */
static int take_packet(bool text, const char *p, size_t n)
{
    if (text && n > 0 && p[0] == '4') {
        note_packet(&wanted_heard, true, p + 1, n - 1);
        note_packet(&wanted, true, p, n);
        return GOES_ON;
    }
    if (!text && n > 0 && p[0] == 4) {
        note_packet(&wanted_heard, false, p + 1, n - 1);
        note_packet(&wanted, false, p + 1, n - 1);
        return GOES_ON;
    }
    if (text && n > 1 && p[0] == 'b' && p[1] == '4') {
        char *raw = keep(NULL, n);
        ptrdiff_t size = sio_base64_decode(p + 2, n - 2, raw);
        if (size < 0)
            return BROKEN;
        note_packet(&wanted_heard, false, raw, (size_t)size);
        note_packet(&wanted, false, raw, (size_t)size);
        return GOES_ON;
    }
    if (text && n > 0 && p[0] == '2')
        note_packet(&wanted, true, "3", 1);
    if (text && n > 0 && p[0] == '1')
        return CLOSED;
    return text && n > 0 && strchr("2056", p[0]) != NULL && p[0] != '\0' ? GOES_ON : BROKEN;
}

/* What a payload holds: its packets go to fn, until it says otherwise. */
typedef int (*packet_taker)(bool text, const char *p, size_t n);

/* Bytes of a letter of UTF-8, by its first. */
static size_t letter_size(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* "length:packet", counted in UTF-16. */
static int decode_text(const char *p, size_t n, packet_taker fn)
{
    const char *end = p + n;
    int state = n == 0 ? BROKEN : GOES_ON;
    while (p < end && state == GOES_ON) {
        unsigned long long units = 0;
        int digits = 0;
        for (; p < end && *p >= '0' && *p <= '9'; p++, digits++)
            units = digits < 10 ? units * 10 + (unsigned)(*p - '0') : units;
        if (digits < 1 || digits > 10 || p == end || *p++ != ':')
            return BROKEN;
        const char *from = p;
        for (unsigned long long left = units; left > 0;) {
            size_t wide = p < end && letter_size((unsigned char)*p) == 4 ? 2 : 1;
            if (p == end || wide > left)
                return BROKEN;
            left -= wide;
            p += letter_size((unsigned char)*p);
        }
        if (p > from)
            state = fn(true, from, (size_t)(p - from));
    }
    return state;
}

/* 0 or 1, the length's digits, 0xFF, packet. */
static int decode_bytes(const char *p, size_t n, packet_taker fn)
{
    int state = n == 0 ? BROKEN : GOES_ON;
    for (size_t i = 0; i < n && state == GOES_ON;) {
        unsigned long long size = 0;
        bool text = p[i] == 0;
        size_t digits = 0;
        if (p[i] != 0 && p[i] != 1)
            return BROKEN;
        for (i++; i < n && (unsigned char)p[i] < 10 && digits < 11; i++, digits++)
            size = size * 10 + (unsigned char)p[i];
        if (digits < 1 || digits > 10 || i == n || (unsigned char)p[i++] != 255 || size > n - i)
            return BROKEN;
        if (text && sio_utf8_prefix(p + i, (size_t)size) != size)
            return BROKEN;
        if (size > 0)
            state = fn(text, p + i, (size_t)size);
        i += (size_t)size;
    }
    return state;
}

static size_t decode_percent(const char *p, size_t n, char *out)
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned byte = 0;
        char two[3] = { i + 2 < n ? p[i + 1] : 'x', i + 2 < n ? p[i + 2] : 'x', '\0' };
        if (p[i] == '%' && strspn(two, "0123456789abcdefABCDEF") == 2) {
            sscanf(two, "%2x", &byte);
            out[k++] = (char)byte;
            i += 2;
        } else {
            out[k++] = (char)(p[i] == '+' ? ' ' : p[i]);
        }
    }
    return k;
}

/* The next "name=value" of a query or form, decoded. */
typedef struct field {
    char *name, *value;
    size_t name_n, value_n;
} field;

static bool next_field(const char **p, const char *end, field *f)
{
    while (*p < end && **p == '&')
        ++*p;
    if (*p == end)
        return false;
    const char *from = *p, *eq = NULL;
    for (; *p < end && **p != '&'; ++*p)
        if (**p == '=' && eq == NULL)
            eq = *p;
    const char *name_end = eq == NULL ? *p : eq, *value = eq == NULL ? *p : eq + 1;
    f->name = keep(NULL, (size_t)(name_end - from)), f->value = keep(NULL, (size_t)(*p - value));
    f->name_n = decode_percent(from, (size_t)(name_end - from), f->name);
    f->value_n = decode_percent(value, (size_t)(*p - value), f->value);
    return true;
}

static int decode_checked(const char *p, size_t n)
{
    return sio_utf8_prefix(p, n) == n ? decode_text(p, n, take_packet) : BROKEN;
}

/* The first field d, undecoded "d", with its line ends: "\n" is one, "\\n" is "\n". */
static int decode_form(const char *p, size_t n)
{
    const char *end = p + n;
    for (field f; next_field(&p, end, &f);) {
        const char *start = p - 1;
        while (start > end - n && start[-1] != '&')
            start--;
        if (f.name_n != 1 || f.name[0] != 'd' || start[0] != 'd')
            continue;
        bytes text = { .n = 0 };
        append(&text, "", 0);
        for (size_t i = 0; i < f.value_n; i++) {
            const char *v = f.value + i;
            size_t left = f.value_n - i;
            if (left >= 3 && memcmp(v, "\\\\n", 3) == 0)
                append(&text, "\\n", 2), i += 2;
            else if (left >= 2 && memcmp(v, "\\n", 2) == 0)
                append(&text, "\n", 1), i += 1;
            else
                append(&text, v, 1);
        }
        int state = decode_checked(text.p, text.n);
        free(text.p);
        return state;
    }
    return GOES_ON;
}

/* ---- What the client gets ----------------------------------------------------------------------- */

static int get_packet(bool text, const char *p, size_t n)
{
    if (text && n > 1 && memcmp(p, "b4", 2) == 0) {
        char *raw = keep(NULL, n);
        ptrdiff_t size = sio_base64_decode(p + 2, n - 2, raw);
        must(size >= 0, "Base64 is Base64");
        note_packet(&got, false, raw, (size_t)size);
    } else if (text) {
        note_packet(&got, true, p, n);
    } else {
        must(n > 0 && p[0] == 4, "a binary packet is a message");
        note_packet(&got, false, p + 1, n - 1);
    }
    return GOES_ON;
}

/* Takes the payload out of ___eio[1]("payload"); */
static sio_span open_script(const char *p, size_t n)
{
    must(n > 13 && memcmp(p, "___eio[1](", 10) == 0 && memcmp(p + n - 2, ");", 2) == 0,
         "a script calls its function");
    sio_span text = { p + 10, n - 12 };
    must(sio_json_check(text.p, text.n, 1, NULL), "with a string");
    must(strstr(p, "\xe2\x80\xa8") == NULL && strstr(p, "\xe2\x80\xa9") == NULL,
         "that has no line ends");
    char *out = keep(NULL, text.n);
    return (sio_span){ out, sio_json_unescape(text, out) };
}

static void decode_answer(sim_answer a, unsigned how)
{
    bool octets = strcmp(sim_field(a, "Content-Type"), "application/octet-stream") == 0;
    sio_span payload = { a.body, a.n };
    must(!octets || !(how & (JSONP | B64)), "bytes for who takes bytes");
    if (how & JSONP)
        payload = open_script(a.body, a.n);
    must(octets || sio_utf8_prefix(payload.p, payload.n) == payload.n, "a text is UTF-8");
    int state = (octets ? decode_bytes : decode_text)(payload.p, payload.n, get_packet);
    must(state == GOES_ON, "what is sent is a payload");
}

/* ---- Plays -------------------------------------------------------------------------------------- */

static const char *polling_target(unsigned how, const char *sid)
{
    char text[200];
    snprintf(text, sizeof text, "/e/?EIO=3&transport=polling%s%s%s%s", how & JSONP ? "&j=1" : "",
             how & B64 ? "&b64=1" : "", sid[0] != '\0' ? "&sid=" : "", sid);
    return keep(text, strlen(text));
}

/* What the client gets when its session ends: what was to come, or a word of one byte. */
static void expect_end(int state)
{
    if (wanted.text.n == 0)
        note_packet(&wanted, true, state == CLOSED ? "6" : "1", 1);
}

static void play_post(unsigned how, const char *p, size_t n)
{
    sim_client *c = sim_connect(), *get = sim_connect();
    sim_request(c, "GET", polling_target(how, ""), NULL, NULL);
    sim_run_ms(server, 0);
    must(sim_answered(c, false).status == 200 && session != NULL, "a session opens");
    const char *target = polling_target(how, session->sid);
    if (how & WITH_GET)
        sim_request(get, "GET", target, NULL, NULL);
    sim_run_ms(server, 0);
    sim_sendf(c, "POST %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", target,
              how & OCTETS ? "Content-Type: application/octet-stream\r\n" : "", n);
    sim_send(c, p, n);
    sim_run_ms(server, 0);
    must(sim_answered(c, false).status == 200, "a POST is answered");
    int state = how & JSONP    ? decode_form(p, n)
                : how & OCTETS ? decode_bytes(p, n, take_packet)
                               : decode_checked(p, n);
    must(equal(&heard, &wanted_heard), "what is heard is what came");
    must((session != NULL) == (state == GOES_ON), "the session ends with what is no packet");
    if (state != GOES_ON && (how & WITH_GET))
        expect_end(state);
    if (!(how & WITH_GET))
        sim_request(get, "GET", target, NULL, NULL);
    sim_run_ms(server, 0);
    sim_answer a = sim_answered(get, false);
    if (state != GOES_ON && !(how & WITH_GET)) {
        must(a.status == 400, "who is over is unknown");
        return;
    }
    must((a.status == 200) == (wanted.text.n > 0), "a GET is answered when there is something");
    if (a.status == 200)
        decode_answer(a, how);
    must(equal(&got, &wanted), "what comes back is what was sent");
}

/* The input is frames: a byte for the kind, a byte for the length, bytes. */
static void play_frames(unsigned how, const char *p, size_t n)
{
    int state = GOES_ON;
    sim_client *c = sim_ws_open(
        server, how & B64 ? "/e/?EIO=3&transport=websocket&b64=1" : "/e/?EIO=3&transport=websocket",
        NULL);
    must(c != NULL && strncmp(sim_ws_hear(c), "0{", 2) == 0, "a session opens");
    while (n >= 2 && state == GOES_ON) {
        bool text = p[0] & 1;
        size_t size = (unsigned char)p[1] < n - 2 ? (unsigned char)p[1] : n - 2;
        bool good = !text || sio_utf8_prefix(p + 2, size) == size;
        sim_ws_frame(c, text ? 0x81 : 0x82, p + 2, size);
        state = good ? take_packet(text, p + 2, size) : BROKEN;
        p += 2 + size, n -= 2 + size;
    }
    sim_run_ms(server, 0);
    must(equal(&heard, &wanted_heard), "what is heard is what came");
    must((session != NULL) == (state == GOES_ON), "the session ends with what is no packet");
    for (;;) {
        size_t left, size;
        unsigned char op;
        const char *frame = sim_text(c, &left);
        if (left < 2 || (frame[0] & 15) == SIO_WS_CLOSE)
            break;
        size_t header = sio_ws_own_header(frame, &op, &size);
        get_packet(op == SIO_WS_TEXT, frame + header, size);
        must(!(how & B64) || op == SIO_WS_TEXT, "text for who takes text");
        sim_take(c, header + size);
    }
    must(equal(&got, &wanted), "what comes back is what was sent");
}

static const field *last_of(const field *all, size_t n, const char *name)
{
    while (n-- > 0)
        if (all[n].name_n == strlen(name) && memcmp(all[n].name, name, all[n].name_n) == 0)
            return &all[n];
    return NULL;
}

static bool field_is(const field *f, const char *text)
{
    return f != NULL && f->value_n == strlen(text) && memcmp(f->value, text, f->value_n) == 0;
}

/* The object that the application sees has each name once, with its last value. */
static void check_query(const field *all, size_t n)
{
    sio_value v = sio_parse(server, query_json, strlen(query_json));
    must(v != NULL && sio_type(v) == SIO_OBJECT, "a query is an object");
    for (size_t i = 0; i < n; i++) {
        const field *f = &all[i];
        if (sio_utf8_prefix(f->name, f->name_n) != f->name_n || strlen(f->name) != f->name_n)
            continue;
        f = last_of(all, n, f->name);
        sio_value member = sio_member(v, f->name);
        sio_span text;
        text.p = sio_text(member, &text.n);
        must(text.p != NULL, "each name is there");
        if (sio_utf8_prefix(f->value, f->value_n) == f->value_n)
            must(same(text, (sio_span){ f->value, f->value_n }), "with its last value");
    }
}

static void play_query(const char *p, size_t n)
{
    enum { FIELDS = 200 };
    static field all[FIELDS];
    size_t count = 0;
    const char *at = p;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)p[i] <= ' ' || (unsigned char)p[i] >= 0x7f || p[i] == '#')
            return;  // no target
    while (count < FIELDS && next_field(&at, p + n, &all[count]))
        count++;
    if (at < p + n)
        return;  // there are more
    sim_client *c = sim_connect();
    sim_sendf(c, "GET /e/?%.*s HTTP/1.1\r\nHost: x\r\n\r\n", (int)n, p);
    sim_run_ms(server, 0);
    const field *sid = last_of(all, count, "sid");
    bool opens =
        field_is(last_of(all, count, "transport"), "polling") && (sid == NULL || sid->value_n == 0);
    sim_answer a = sim_answered(c, false);
    must((a.status == 200) == opens && (session != NULL) == opens,
         "a query opens what it asks for");
    if (!opens)
        return;
    must(protocol == (field_is(last_of(all, count, "EIO"), "4") ? 4 : 3), "in its protocol");
    check_query(all, count);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    list *const lists[] = { &heard, &wanted_heard, &got, &wanted };
    if (n == 0 || n > 1500)
        return 0;
    if (server == NULL)
        begin();
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
        clear_list(lists[i]);
    session = NULL;
    unsigned how = p[0];
    if (how & 128)
        play_query((const char *)p + 1, n - 1);
    else if (how & 64)
        play_frames(how, (const char *)p + 1, n - 1);
    else
        play_post(how, (const char *)p + 1, n - 1);
    end_all();
    return 0;
}
