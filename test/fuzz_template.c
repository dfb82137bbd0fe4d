#define _POSIX_C_SOURCE 200809L  // of sim.c
/* fuzz_template.c - templates of sio_emit and sio_scan, by a grammar or of any bytes
 * SPDX-License-Identifier: MIT
 *
 * The first byte says how. By the grammar: the rest chooses a template, its arguments, and the template
 * that reads each value back. As bytes: the rest is JSON, a NUL, and a template for both directions.
 *
 * What is claimed:
 *  - What is sent is a packet that is accepted, with as many frames behind it as it has attachments.
 *  - A template of the grammar is sent, unless a text was no UTF-8; and each of its values is read back
 *    equal by sio_scan.
 *  - sio_push takes the same templates as sio_emit, and makes the same text of them.
 *  - sio_scan stores at most as many values as there are conversions.
 *
 * One server and one receiver serve all inputs. */
#include "sim.c"

#include <math.h>

enum { ARGS = 4, LEAVES = 12, TEXT = 120, TEMPLATE = 3000 };

static const uint8_t *next, *end;
static sio_server *server;
static sim_client *receiver;
static sio_value pushed;  // by sio_push, kept

/* The next choice below n. */
static size_t pick(size_t n)
{
    return next < end ? *next++ % n : 0;
}

/* ---- What is chosen -------------------------------------------------------------------------- */

/* Arguments of four kinds that are handed on differently. */
enum { KIND_i, KIND_l, KIND_p, KIND_d };

typedef struct argument {
    int kind;
    int i;
    long long l;
    const void *p;
    double d;
} argument;

/* A value that is to be read back, and the place that it is read to. */
typedef struct leaf {
    char kind;  // of a conversion: 'd', 'u', 'f', 's', 'p'; 'b': !!%d
    int64_t d;
    uint64_t u;
    double f;
    char s[4 * TEXT];
    sio_value p;
    union {
        long long d;
        unsigned long long u;
        int b;
        double f;
        char s[4 * TEXT + 1];
        sio_value p;
    } got;
} leaf;

static struct {
    char out[TEMPLATE], in[TEMPLATE];  // templates: of sio_emit, of sio_scan
    argument arg[ARGS];
    size_t n_args;
    leaf leaf[LEAVES];
    size_t n_leaves, n_names;
    bool doubtful;  // a text is no UTF-8, or an object looks like a placeholder
} choice;

/* Texts that arguments point to. */
static char texts[ARGS][TEXT + 1];

static void add(char *template, const char *text)
{
    strncat(template, text, TEMPLATE - 1 - strlen(template));
}

/* To both templates. */
static void add_both(const char *text)
{
    add(choice.out, text);
    add(choice.in, text);
}

static argument *new_arg(int kind)
{
    argument *a = &choice.arg[choice.n_args++];
    a->kind = kind;
    return a;
}

static leaf *new_leaf(char kind, const char *conversion)
{
    leaf *l = &choice.leaf[choice.n_leaves++];
    l->kind = kind;
    add(choice.in, conversion);
    return l;
}

/* A value that is compared when the turn is over that it lives in. */
static void expect_value(sio_value v)
{
    new_leaf('p', "%p")->p = v == NULL ? NULL : sio_keep(server, v);
}

static bool has_args(size_t n)
{
    return choice.n_args + n <= ARGS;
}

static int64_t any_integer(void)
{
    static const int64_t odd[] = { 0, 1, -1, INT_MAX, INT_MIN, INT64_MAX, INT64_MIN, 255, -129 };
    if (pick(2) == 0)
        return odd[pick(9)];
    int64_t v = 0;
    for (size_t n = pick(9); n > 0; n--)
        v = (int64_t)((uint64_t)v << 8 | pick(256));
    return v;
}

static double any_double(void)
{
    static const double odd[] = { 0, -0.0, 1.5, 0.1, 1e300, 5e-324, -1e21, 123456789012345680.0 };
    if (pick(2) == 0)
        return pick(9) == 8 ? NAN : odd[pick(8)];
    uint64_t bits = (uint64_t)any_integer();
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* A text for an argument; what has no UTF-8 is doubtful. */
static const char *any_text(void)
{
    static const char *const odd[] = { "", "x", "\"\\'%s\n\1\x7f",
                                       "\xc3\xa9\xe2\x80\xa8\xf0\x9f\x98\x80",
                                       "{\"_placeholder\":true,\"num\":0}" };
    char *text = texts[choice.n_args];
    size_t n = pick(20);
    if (n < 5)
        return odd[n];
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(1 + pick(255));
    text[n] = '\0';
    choice.doubtful |= sio_utf8_prefix(text, n) != n;
    return text;
}

/* ---- The grammar ----------------------------------------------------------------------------- */

static void any_value(int depth);

static void any_blank(void)
{
    static const char *const blanks[] = { "", "", " ", "\n", "  " };
    add(choice.out, blanks[pick(5)]);
}

static void literal(void)
{
    static const struct {
        const char *text;
        double value;
    } numbers[] = { { "0", 0 }, { "-12", -12 }, { "1.5e3", 1500 }, { "2.25", 2.25 } };
    static const char *const words[] = { "true", "false", "null" };
    size_t i = pick(7);
    add(choice.out, i < 4 ? numbers[i].text : words[i - 4]);
    if (i < 4)
        new_leaf('f', "%lf")->f = numbers[i].value;
    else
        expect_value(i == 6 ? sio_null() : sio_bool(i == 4));
}

/* The precision of a text: how much of it is whole letters. */
static size_t cut(const char *text, size_t most)
{
    size_t n = strlen(text);
    if (n <= most)
        return n;
    n = most;
    while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    return n;
}

/* %s in all its ways, inside quotes or not; its text goes behind what stands in out. */
static void put_string(char *out)
{
    char conversion[16];
    size_t n = strlen(out), way = pick(3), most = pick(20);
    bool star = way == 2 && has_args(2);
    if (star)
        new_arg(KIND_i)->i = pick(8) == 0 ? -1 : (int)most;
    const char *text = any_text();
    if (star && choice.arg[choice.n_args - 1].i < 0)
        most = SIZE_MAX;
    new_arg(KIND_p)->p = text;
    snprintf(conversion, sizeof conversion, star ? "%%.*s" : way == 1 ? "%%.%zus" : "%%s", most);
    add(choice.out, conversion);
    size_t used = star || way == 1 ? cut(text, most) : strlen(text);
    memcpy(out + n, text, used);
    out[n + used] = '\0';
}

static void string(void)
{
    put_string(new_leaf('s', "%480s")->s);
}

/* A string of the template, with escapes and conversions in it. */
static void quoted(void)
{
    static const struct {
        const char *written, *read;
    } pieces[] = { { "abc", "abc" },
                   { "\xc3\xa9", "\xc3\xa9" },
                   { "\\n", "\n" },
                   { "\\\\", "\\" },
                   { "\\'", "'" },
                   { "\\\"", "\"" },
                   { "\\u20aC", "\xe2\x82\xac" },
                   { "%%", "%" },
                   { "\\/", "/" },
                   { "\t", "\t" },
                   { "{[,:", "{[,:" } };
    leaf *l = new_leaf('s', "%480s");
    const char *quote = pick(2) ? "'" : "\"";
    add(choice.out, quote);
    for (size_t n = pick(5); n > 0; n--) {
        size_t i = pick(13);
        if (i < 11) {
            add(choice.out, pieces[i].written);
            strcat(l->s, pieces[i].read);
        } else if (i == 11 && has_args(2)) {
            put_string(l->s);
        } else if (has_args(1)) {
            argument *a = new_arg(KIND_i);
            a->i = (int)any_integer();
            add(choice.out, "%d");
            snprintf(l->s + strlen(l->s), 16, "%d", a->i);
        }
    }
    add(choice.out, quote);
}

static void integer(void)
{
    int64_t v = any_integer();
    switch (pick(6)) {
    case 0:
        add(choice.out, "%d");
        new_leaf('d', "%lld")->d = new_arg(KIND_i)->i = (int)v;
        break;
    case 1:
        add(choice.out, "%u");
        new_leaf('u', "%llu")->u = (unsigned)(new_arg(KIND_i)->i = (int)v);
        break;
    case 2:
        add(choice.out, "%hhd");
        new_leaf('d', "%lld")->d = (signed char)(new_arg(KIND_i)->i = (int)v);
        break;
    case 3:
        add(choice.out, "%hu");
        new_leaf('u', "%llu")->u = (unsigned short)(new_arg(KIND_i)->i = (int)v);
        break;
    case 4:
        add(choice.out, "%llu");
        new_leaf('u', "%llu")->u = (uint64_t)(new_arg(KIND_l)->l = v);
        break;
    default:
        add(choice.out, pick(2) ? "%lld" : "%jd");
        new_leaf('d', "%lld")->d = new_arg(KIND_l)->l = v;
    }
}

static void boolean(void)
{
    leaf *l = new_leaf('b', "!!%d");
    add(choice.out, "!!%d");
    l->d = (new_arg(KIND_i)->i = (int)any_integer()) != 0;
}

/* With digits behind the point it is as printf has it. */
static void fraction(void)
{
    char conversion[16], printed[400];
    size_t digits = pick(20);
    bool exact_one = digits >= 12;
    double d = new_arg(KIND_d)->d = any_double();
    snprintf(conversion, sizeof conversion, exact_one ? "%%g" : "%%.%zuf", digits);
    add(choice.out, conversion);
    if (!isfinite(d)) {
        expect_value(NULL);
        return;
    }
    snprintf(printed, sizeof printed, "%.*f", (int)digits, d);
    new_leaf('f', "%lf")->f = exact_one || fabs(d) >= 1e21 ? d : strtod(printed, NULL);
}

static void value_argument(void)
{
    static const char *const json[] = { "{\"a\":[1,{}]}", "\"\\ud800\"", "[]", "-0.5e-7",
                                        "{\"_placeholder\":true,\"num\":0}" };
    size_t i = pick(8);
    sio_value v = NULL;
    if (i < 5)
        v = sio_parse(server, json[i], strlen(json[i]));
    else if (i < 7)
        v = sio_binary(server, "bytes", pick(6));
    choice.doubtful |= i == 4;
    add(choice.out, "%p");
    new_arg(KIND_p)->p = v;
    expect_value(v);
}

/* Several elements at once, or none. Returns how many. */
static size_t spread(void)
{
    static const char *const json[] = { "[]", "[1]", "[true,\"x\"]" };
    size_t n = pick(3);
    sio_value list = sio_parse(server, json[n], strlen(json[n]));
    add(choice.out, "%p");
    new_arg(KIND_p)->p = sio_spread(server, list);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            add(choice.in, ",");
        expect_value(sio_at(list, i));
    }
    return n;
}

static void object(int depth)
{
    add_both("{");
    for (size_t n = pick(4), i = 0; i < n && choice.n_leaves < LEAVES; i++) {
        char name[32];
        if (i > 0)
            add_both(",");
        snprintf(name, sizeof name, "%c%zu", "ab"[pick(2)], choice.n_names++);
        add(choice.in, "\"");
        add(choice.in, name);
        add(choice.in, pick(4) ? "\":" : "\"?:");
        any_blank();
        bool by_arg = has_args(1) && pick(3) == 0;
        if (by_arg) {
            char *text = strcpy(texts[choice.n_args], name);
            new_arg(KIND_p)->p = text;
            add(choice.out, "%s");
        } else {
            add(choice.out, "'");
            add(choice.out, name);
            add(choice.out, "'");
        }
        any_blank();
        add(choice.out, ":");
        any_value(depth + 1);
    }
    add_both("}");
}

/* Values of an array, or the arguments. */
static void list(int depth)
{
    bool read = false;  // a value is in the scan's template
    for (size_t n = pick(4), i = 0; i < n && choice.n_leaves + 3 <= LEAVES; i++) {
        size_t length = strlen(choice.in);
        if (i > 0)
            add(choice.out, ",");
        if (read)
            add(choice.in, ",");
        any_blank();
        if (pick(8) > 0 || !has_args(1)) {
            any_value(depth + 1);
            read = true;
        } else if (spread() > 0) {
            read = true;
        } else {
            choice.in[length] = '\0';
        }
        any_blank();
    }
}

static void array(int depth)
{
    add_both("[");
    list(depth);
    add_both("]");
}

static void any_value(int depth)
{
    size_t kind = pick(10);
    any_blank();
    if (kind > 7 && depth < 6)
        kind == 8 ? array(depth) : object(depth);
    else if (choice.n_leaves == LEAVES)
        add(choice.out, "1"), add(choice.in, "%p"), choice.doubtful = true;
    else if (kind < 2 || !has_args(2))
        literal();
    else if (kind == 2)
        quoted();
    else if (kind == 3)
        string();
    else if (kind == 4)
        integer();
    else if (kind == 5)
        boolean();
    else if (kind == 6)
        fraction();
    else
        value_argument();
}

/* ---- Calls ------------------------------------------------------------------------------------ */

/* What takes a template and its arguments. */
typedef int (*taker)(const char *template, va_list ap);

static int emit(const char *template, va_list ap)
{
    return sio_vemit(sio_all(sio_of(server, "/")), "e", template, ap);
}

static int push_all(const char *template, va_list ap)
{
    sio_value list = sio_array(server);
    int result = sio_vpush(list, template, ap);
    pushed = sio_keep(server, list);
    return result;
}

static int call(taker fn, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = fn(template, ap);
    va_end(ap);
    return result;
}

/* One call for each row of kinds. */
#define ARG_i(n) choice.arg[n].i
#define ARG_l(n) choice.arg[n].l
#define ARG_p(n) choice.arg[n].p
#define ARG_d(n) choice.arg[n].d
#define KINDS(a, b, c, d) ((a) << 6 | (b) << 4 | (c) << 2 | (d))
#define ROW(a, b, c, d)                                                                            \
    case KINDS(KIND_##a, KIND_##b, KIND_##c, KIND_##d):                                            \
        return call(fn, choice.out, ARG_##a(0), ARG_##b(1), ARG_##c(2), ARG_##d(3));
#define ROWS3(a, b, c) ROW(a, b, c, i) ROW(a, b, c, l) ROW(a, b, c, p) ROW(a, b, c, d)
#define ROWS2(a, b) ROWS3(a, b, i) ROWS3(a, b, l) ROWS3(a, b, p) ROWS3(a, b, d)
#define ROWS1(a) ROWS2(a, i) ROWS2(a, l) ROWS2(a, p) ROWS2(a, d)

static int call_chosen(taker fn)
{
    int kinds[ARGS];
    for (size_t i = 0; i < ARGS; i++)
        kinds[i] = i < choice.n_args ? choice.arg[i].kind : KIND_i;
    switch (KINDS(kinds[0], kinds[1], kinds[2], kinds[3])) {
        ROWS1(i)
        ROWS1(l)
        ROWS1(p)
        ROWS1(d)
    default:
        return -1;
    }
}

/* ---- What came of it --------------------------------------------------------------------------- */

/* What came before is forgotten. */
static void clear(void)
{
    for (size_t i = 0; i < choice.n_leaves; i++)
        sio_drop(choice.leaf[i].p);
    sio_drop(pushed);
    pushed = NULL;
    memset(&choice, 0, sizeof choice);
    sim_run_ms(server, 0);
    receiver->got.n = receiver->heard_at = 0;
    receiver->sent.n = receiver->read_at = 0;
    sim_sweep();
}

static void begin(void)
{
    server = sim_new(&(sio_options){ .ping_interval_ms = 1000000000, .max_output = 1u << 28 });
    receiver = sim_ws_open(server, "/socket.io/?EIO=4&transport=websocket", NULL);
    sim_ws_say(receiver, "40");
    clear();
}

/* The next frame that came; p NULL: there is none. */
static sio_span next_frame(bool *text)
{
    unsigned char op = 0;
    sio_span frame = SIO_NONE;
    size_t n;
    const char *p = sim_text(receiver, &n);
    if (n == 0)
        return frame;
    size_t header = sio_ws_own_header(p, &op, &frame.n);
    frame.p = p + header;
    sim_take(receiver, header + frame.n);
    *text = op == SIO_WS_TEXT;
    return frame;
}

/* The packet that was sent. */
typedef struct received {
    sio_packet packet;
    sio_span blob[SIO_ATTACHMENTS_OUT];
} received;

static void receive(received *r)
{
    bool text = false;
    sim_run_ms(server, 0);
    sio_span frame = next_frame(&text);
    must(text && frame.n > 1 && frame.p[0] == '4', "a message came");
    must(sio_utf8_prefix(frame.p, frame.n) == frame.n, "it is UTF-8");
    must(sio_packet_parse(frame.p + 1, frame.n - 1, SIO_ATTACHMENTS_OUT, SIO_JSON_DEPTH_MAX,
                          &r->packet) == 0,
         "what is sent is a packet");
    for (unsigned i = 0; i < r->packet.attachments; i++) {
        r->blob[i] = next_frame(&text);
        must(r->blob[i].p != NULL && !text, "its attachments stand behind it");
    }
    must(next_frame(&text).p == NULL, "and nothing else");
}

/* The packet's arguments, without its name. */
static sio_span arguments_of(const sio_packet *k)
{
    sio_span s = k->json;
    const char *from = s.p + sizeof "[\"e\"" - 1;
    from += *from == ',';
    return (sio_span){ from, s.n - 1 - (size_t)(from - s.p) };
}

static bool same_value(sio_value a, sio_value b)
{
    sio_span x, y;
    if (sio_type(a) != sio_type(b))
        return false;
    if (sio_type(a) == SIO_BINARY) {
        x.p = sio_bytes(a, &x.n), y.p = sio_bytes(b, &y.n);
        return same(x, y);
    }
    x.p = sio_json(a, &x.n), y.p = sio_json(b, &y.n);
    return same(x, y);
}

/* As must, with the templates. */
static void claim(bool holds, const char *what)
{
    if (!holds)
        fprintf(stderr, "sent by: %s\nread by: %s\n", choice.out, choice.in);
    must(holds, what);
}

static bool is_equal(const leaf *l)
{
    switch (l->kind) {
    case 'd':
        return l->got.d == l->d;
    case 'u':
        return l->got.u == l->u;
    case 'b':
        return l->got.b == l->d;
    case 'f':
        return !(l->got.f < l->f) && !(l->got.f > l->f);
    case 's':
        return strcmp(l->got.s, l->s) == 0;
    default:
        return same_value(l->p, l->got.p);
    }
}

static int scan(sio_event *e, const char *template, ...)
{
    va_list ap;
    va_start(ap, template);
    int result = sio_vscan(e, template, ap);
    va_end(ap);
    return result;
}

/* The same text as sio_emit has sent. */
static void compare_pushed(const received *r)
{
    sio_span list;
    list.p = sio_json(pushed, &list.n);
    must(same((sio_span){ list.p + 1, list.n - 2 }, arguments_of(&r->packet)),
         "sio_push makes what sio_emit sends");
}

static void read_back(received *r)
{
    leaf *l = choice.leaf;
    sio_event e = { .io = server,
                    .packet = &r->packet,
                    .blobs = r->blob,
                    .n_blobs = (uint32_t)r->packet.attachments };
    int stored =
        scan(&e, choice.in, &l[0].got, &l[1].got, &l[2].got, &l[3].got, &l[4].got, &l[5].got,
             &l[6].got, &l[7].got, &l[8].got, &l[9].got, &l[10].got, &l[11].got);
    if (choice.doubtful)
        return;
    /* What is null counts as stored in an optional member, and leaves its place as it was. */
    claim(stored == (int)choice.n_leaves, "each value is read back");
    for (size_t i = 0; i < choice.n_leaves; i++)
        claim(is_equal(&l[i]), "it is the value that was sent");
}

static void play_grammar(void)
{
    static received r;
    list(0);
    int sent = call_chosen(emit), grown = call_chosen(push_all);
    claim(sent == grown, "sio_push takes what sio_emit takes");
    claim(sent == 0 || choice.doubtful, "a template of the grammar is taken");
    if (sent < 0)
        return;
    receive(&r);
    compare_pushed(&r);
    read_back(&r);
}

/* ---- Any bytes ---------------------------------------------------------------------------------- */

/* All arguments are one value, and then a few numbers. What is read by another type has this one's bytes. */
static int call_bytes(taker fn, const char *template, sio_value v)
{
    return call(fn, template, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v,
                v, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5);
}

static size_t count_of(const char *text, char c)
{
    size_t n = 0;
    for (; *text != '\0'; text++)
        n += *text == c;
    return n;
}

static void play_bytes(void)
{
    static received r;
    static char place[8][70000];
    const uint8_t *zero = next < end ? memchr(next, 0, (size_t)(end - next)) : NULL;
    if (zero == NULL)
        return;
    char *template = keep((const char *)zero + 1, (size_t)(end - zero) - 1);
    if (count_of(template, '%') > 7)
        return;
    sio_value v = sio_parse(server, (const char *)next, (size_t)(zero - next));
    if (v == NULL)
        v = sio_make(server, "[1, 'a', {'b': [%p]}]", sio_binary(server, "xyz", 3));
    if (sio_type(v) == SIO_ARRAY && next < zero && next[0] == ' ')
        v = sio_spread(server, v);
    v = choice.leaf[choice.n_leaves++].p = sio_keep(server, v);
    int sent = call_bytes(emit, template, v), grown = call_bytes(push_all, template, v);
    must(sent == grown, "sio_push takes what sio_emit takes, whatever it is");
    sio_event e = { .io = server, .packet = &sio_no_packet };
    sio_value set[1] = { v };
    if (v->kind != SIO_VALUE_SPREAD)
        e.set = set, e.n_set = 1;
    if (sent == 0) {
        receive(&r);
        compare_pushed(&r);
        e.packet = &r.packet, e.blobs = r.blob, e.n_blobs = r.packet.attachments;
        e.n_set = 0;
    }
    int stored = scan(&e, template, place[0], place[1], place[2], place[3], place[4], place[5],
                      place[6], place[7]);
    must(stored >= -1 && stored <= (int)count_of(template, '%'), "no more than there are");
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    if (n == 0 || n > 1000)
        return 0;
    if (server == NULL)
        begin();
    next = p + 1, end = p + n;
    if (p[0] % 4 > 0)
        play_grammar();
    else
        play_bytes();
    clear();
    return 0;
}
