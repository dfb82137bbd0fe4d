/* test_packet.c - Socket.IO packets, their attachments, and Engine.IO payloads
 * SPDX-License-Identifier: MIT
 *
 * A case begins with its row of PROTOCOL.md, or with a section where there is none. */
#include "lib.h"

enum { ATTACHMENTS = 10, DEPTH = 1024 };

#define TENS "0123456789"

static const struct {
    const char *rule, *p;
    size_t n;
    const char
        *want;  // type attachments namespace id json, "-" for what is not there; NULL: refused
} packets[] = {
    { "section 7: an event", BYTES("2[\"echo\",1]"), "2 0 / - [\"echo\",1]" },
    { "section 7: an event in / by name", BYTES("2/,[\"echo\"]"), "2 0 / - [\"echo\"]" },
    { "section 7: an event in a namespace", BYTES("2/chat,[\"echo\"]"), "2 0 /chat - [\"echo\"]" },
    { "A01: an event with an id", BYTES("212[\"m\",1]"), "2 0 / 12 [\"m\",1]" },
    { "A01: a namespace and an id", BYTES("2/chat,12[\"m\"]"), "2 0 /chat 12 [\"m\"]" },
    { "A01: the id 0", BYTES("20[\"echo\",7]"), "2 0 / 0 [\"echo\",7]" },
    { "S25: zeros before an id", BYTES("2007[\"echo\",7]"), "2 0 / 7 [\"echo\",7]" },
    { "S26: an id above 2^53", BYTES("29007199254740993[\"e\"]"),
      "2 0 / 9007199254740993 [\"e\"]" },
    { "S26: the largest id", BYTES("218446744073709551615[\"e\"]"),
      "2 0 / 18446744073709551615 [\"e\"]" },
    { "S26: an id of 2^64", BYTES("218446744073709551616[\"e\"]"), NULL },
    { "S26: an id of 30 digits", BYTES("2999999999999999999999999999999[\"e\"]"), NULL },
    { "S35: a space in a namespace", BYTES("2/a b,[\"e\"]"), "2 0 /a b - [\"e\"]" },
    { "S35: UTF-8 in a namespace", BYTES("0/\xc3\xa9,"), "0 0 /\xc3\xa9 - -" },
    { "S04: a query in a namespace is its name", BYTES("0/admin?x=1,"), "0 0 /admin?x=1 - -" },
    { "section 7: brackets in a namespace", BYTES("0/[\"a\"]"), "0 0 /[\"a\"] - -" },
    { "section 7: a namespace without a comma takes all", BYTES("2/[\"echo\"]"), NULL },
    { "S03: // is a namespace", BYTES("0//,"), "0 0 // - -" },

    { "S01: CONNECT", BYTES("0"), "0 0 / - -" },
    { "S01: CONNECT to /", BYTES("0/"), "0 0 / - -" },
    { "S01: CONNECT to / with a comma", BYTES("0/,"), "0 0 / - -" },
    { "S02: CONNECT to a namespace", BYTES("0/admin"), "0 0 /admin - -" },
    { "S02: CONNECT with a comma", BYTES("0/admin,"), "0 0 /admin - -" },
    { "S11: CONNECT with an object", BYTES("0{\"token\":\"x\"}"), "0 0 / - {\"token\":\"x\"}" },
    { "S11: CONNECT with an object elsewhere", BYTES("0/admin,{\"t\":1}"),
      "0 0 /admin - {\"t\":1}" },
    { "section 7: CONNECT with an id", BYTES("01{}"), "0 0 / 1 {}" },
    { "S05: CONNECT with null", BYTES("0null"), NULL },
    { "S05: CONNECT with an array", BYTES("0[]"), NULL },
    { "S05: CONNECT with a string", BYTES("0\"x\""), NULL },
    { "S05: CONNECT with a number", BYTES("0,1"), NULL },
    { "S05: CONNECT with an open object", BYTES("0{"), NULL },
    { "S05: CONNECT with letters", BYTES("0admin"), NULL },

    { "S12: DISCONNECT", BYTES("1"), "1 0 / - -" },
    { "S12: DISCONNECT from /", BYTES("1/"), "1 0 / - -" },
    { "S12: DISCONNECT from / with a comma", BYTES("1/,"), "1 0 / - -" },
    { "S12: DISCONNECT from a namespace", BYTES("1/admin,"), "1 0 /admin - -" },
    { "section 7: DISCONNECT with an id", BYTES("11"), "1 0 / 1 -" },
    { "S13: DISCONNECT with an object", BYTES("1{}"), NULL },
    { "S13: DISCONNECT with an array", BYTES("1[]"), NULL },
    { "S13: DISCONNECT with null", BYTES("1null"), NULL },
    { "S13: DISCONNECT with a string", BYTES("1\"x\""), NULL },
    { "S13: DISCONNECT with a comma alone", BYTES("1,"), NULL },

    { "S16: an event without a payload", BYTES("2"), NULL },
    { "S16: an id without a payload", BYTES("21"), NULL },
    { "S17: an event without a name", BYTES("2[]"), NULL },
    { "S17: an event that is an object", BYTES("2{}"), NULL },
    { "S17: an event that is a string", BYTES("2\"\""), NULL },
    { "S17: an event that is null", BYTES("2null"), NULL },
    { "S17: null for a name", BYTES("2[null]"), NULL },
    { "S17: true for a name", BYTES("2[true]"), NULL },
    { "threats.md: an object for a name", BYTES("2[{\"toString\":\"x\"}]"), NULL },
    { "S17: an array for a name", BYTES("2[[]]"), NULL },
    { "S18: a number for a name", BYTES("2[1,\"a\"]"), "2 0 / - [1,\"a\"]" },
    { "S18: a fraction for a name", BYTES("2[1.5]"), "2 0 / - [1.5]" },
    { "S18: a negative number for a name", BYTES("2[-1]"), "2 0 / - [-1]" },
    { "S18: an empty name", BYTES("2[\"\"]"), "2 0 / - [\"\"]" },
    { "section 7: white space inside", BYTES("2[ \"a\" , 1 ]"), "2 0 / - [ \"a\" , 1 ]" },
    { "S22: white space behind", BYTES("2[\"a\"] \t\r\n"), "2 0 / - [\"a\"] \t\r\n" },

    { "threats.md: a reserved name", BYTES("2[\"connect\"]"), NULL },
    { "S19: connect_error is reserved", BYTES("2[\"connect_error\"]"), NULL },
    { "S19: disconnect is reserved", BYTES("2[\"disconnect\",1]"), NULL },
    { "S19: disconnecting is reserved", BYTES("2[\"disconnecting\"]"), NULL },
    { "S19: newListener is reserved", BYTES("2[\"newListener\"]"), NULL },
    { "S19: removeListener is reserved", BYTES("2[\"removeListener\"]"), NULL },
    { "S19: a reserved name in escapes", BYTES("2[\"\\u0063onnect\"]"), NULL },
    { "S19: a reserved name all in escapes",
      BYTES(
          "2[\"\\u0072\\u0065\\u006d\\u006f\\u0076\\u0065\\u004c\\u0069\\u0073\\u0074\\u0065\\u006e"
          "\\u0065\\u0072\"]"),
      NULL },
    { "S19: a reserved name with an id in a namespace", BYTES("2/a,1[\"disconnect\"]"), NULL },
    { "S19: a reserved name in a binary event", BYTES("51-[\"connect\"]"), NULL },
    { "S20: connection is not reserved", BYTES("2[\"connection\"]"), "2 0 / - [\"connection\"]" },
    { "S20: Connect is not reserved", BYTES("2[\"Connect\"]"), "2 0 / - [\"Connect\"]" },
    { "S20: connec is not reserved", BYTES("2[\"connec\"]"), "2 0 / - [\"connec\"]" },
    { "S20: error is not reserved", BYTES("2[\"error\"]"), "2 0 / - [\"error\"]" },
    { "S20: ping is not reserved", BYTES("2[\"ping\"]"), "2 0 / - [\"ping\"]" },
    { "S20: connect and NUL is another name", BYTES("2[\"connect\\u0000\"]"),
      "2 0 / - [\"connect\\u0000\"]" },
    { "S20: a long name with an escape",
      BYTES("2[\"\\u0063onnect" TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS "\"]"),
      "2 0 / - [\"\\u0063onnect" TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS TENS
      "\"]" },
    { "S20: reserved names are for names only", BYTES("2[\"a\",\"connect\"]"),
      "2 0 / - [\"a\",\"connect\"]" },

    { "S21: an open array", BYTES("2[\"echo\""), NULL },
    { "S21: a comma at the end", BYTES("2[\"echo\",]"), NULL },
    { "S21: single quotes", BYTES("2['echo']"), NULL },
    { "S21: NaN", BYTES("2[\"echo\",NaN]"), NULL },
    { "S21: a letter behind", BYTES("2[\"echo\"]x"), NULL },
    { "S21: a bracket behind", BYTES("2[\"echo\"]]"), NULL },
    { "S21: NUL behind", BYTES("2[\"echo\"]\0"), NULL },
    { "S21: NUL for a payload", BYTES("2\0"), NULL },
    { "S23: NUL for a type", BYTES("\0"), NULL },
    { "S24: a letter in the id", BYTES("2a[\"x\"]"), NULL },
    { "S24: a negative id", BYTES("2-1[\"x\"]"), NULL },
    { "S24: an id with a plus", BYTES("2+1[\"x\"]"), NULL },
    { "S24: a fraction for an id", BYTES("21.5[\"x\"]"), NULL },
    { "S24: an exponent in the id", BYTES("21e2[\"x\"]"), NULL },
    { "S24: an id and a comma", BYTES("21,[\"x\"]"), NULL },
    { "S24: a comma alone", BYTES("2,[\"x\"]"), NULL },
    { "S24: Arabic digits", BYTES("2\xd9\xa1[\"x\"]"), NULL },
    { "S22: white space before the payload", BYTES("2 [\"echo\"]"), NULL },
    { "S22: a line end before the payload", BYTES("2\n[\"echo\"]"), NULL },
    { "S22: white space before the id", BYTES("2 1[\"echo\"]"), NULL },
    { "S22: white space behind the id", BYTES("21 [\"echo\"]"), NULL },

    { "S29: ACK", BYTES("3[]"), "3 0 / - []" },
    { "S29: ACK with an id", BYTES("39999[1]"), "3 0 / 9999 [1]" },
    { "S29: ACK without a payload", BYTES("3"), "3 0 / - -" },
    { "S29: ACK with an id and no payload", BYTES("31"), "3 0 / 1 -" },
    { "S29: ACK in a namespace", BYTES("3/a,1[null]"), "3 0 /a 1 [null]" },
    { "section 7: ACK does not begin with a name", BYTES("31[{},\"connect\"]"),
      "3 0 / 1 [{},\"connect\"]" },
    { "S30: ACK with an object", BYTES("31{}"), NULL },
    { "S30: ACK with a string", BYTES("31\"x\""), NULL },
    { "S30: ACK with a letter", BYTES("3a[]"), NULL },

    { "S28: CONNECT_ERROR from a client", BYTES("4"), NULL },
    { "S28: CONNECT_ERROR with an object", BYTES("4{}"), NULL },
    { "S28: CONNECT_ERROR with a string", BYTES("4\"x\""), NULL },
    { "S23: no type", BYTES(""), NULL },
    { "S23: type 7", BYTES("7"), NULL },
    { "S23: type 9", BYTES("9[\"a\"]"), NULL },
    { "S23: type a", BYTES("abc"), NULL },
    { "S23: type -1", BYTES("-1"), NULL },
    { "S23: a space for a type", BYTES(" "), NULL },
    { "S23: a slash for a type", BYTES("/"), NULL },

    { "B01: one attachment", BYTES("51-[\"e\",{\"_placeholder\":true,\"num\":0}]"),
      "5 1 / - [\"e\",{\"_placeholder\":true,\"num\":0}]" },
    { "B12: an attachment in a namespace with an id", BYTES("51-/a,7[\"e\"]"), "5 1 /a 7 [\"e\"]" },
    { "B08: ten attachments", BYTES("510-[\"e\"]"), "5 10 / - [\"e\"]" },
    { "B12: an acknowledgement with one", BYTES("61-7[1]"), "6 1 / 7 [1]" },
    { "B12: its first element is no name", BYTES("61-7[{}]"), "6 1 / 7 [{}]" },
    { "B08: eleven attachments", BYTES("511-[\"e\"]"), NULL },
    { "threats.md: attachments that never come", BYTES("59999999-[\"e\"]"), NULL },
    { "threats.md: 2^32 + 1 attachments", BYTES("54294967297-[\"e\"]"), NULL },
    { "threats.md: 2^64 + 1 attachments", BYTES("518446744073709551617-[\"e\"]"), NULL },
    { "threats.md: no attachments", BYTES("50-[\"a\"]"), NULL },
    { "threats.md: no count", BYTES("5-[\"a\"]"), NULL },
    { "threats.md: no count and no dash", BYTES("5[\"a\"]"), NULL },
    { "B07: a count without a dash", BYTES("51[\"a\"]"), NULL },
    { "B07: a count alone", BYTES("51"), NULL },
    { "B07: nothing", BYTES("5"), NULL },
    { "B07: a negative count", BYTES("5-1-[\"a\"]"), NULL },
    { "B07: a fraction", BYTES("51.5-[\"a\"]"), NULL },
    { "B07: a letter", BYTES("5a-[\"a\"]"), NULL },
    { "B07: a zero before the count", BYTES("501-[\"a\"]"), NULL },
    { "B07: a plus", BYTES("5+1-[\"a\"]"), NULL },
    { "B07: a space", BYTES("5 1-[\"a\"]"), NULL },
    { "B07: an exponent", BYTES("51e0-[\"a\"]"), NULL },
    { "S17: a placeholder for a name", BYTES("51-[{\"_placeholder\":true,\"num\":0}]"), NULL },
    { "S16: no payload", BYTES("51-"), NULL },
    { "S16: an acknowledgement without one", BYTES("61-1"), NULL },
    { "S17: an object", BYTES("51-{}"), NULL },
};

static int parse(const char *p, size_t n, char *out, size_t room)
{
    char *copy = exact(p, n);
    sio_packet k;
    int got = sio_packet_parse(copy, n, ATTACHMENTS, DEPTH, &k);
    if (got == 0) {
        char id[24] = "-";
        if (k.has_id)
            snprintf(id, sizeof id, "%llu", (unsigned long long)k.id);
        snprintf(out, room, "%d %u %.*s %s %.*s", k.type, k.attachments, (int)k.ns.n, k.ns.p, id,
                 k.json.n > 0 ? (int)k.json.n : 1, k.json.n > 0 ? k.json.p : "-");
    }
    free(copy);
    return got;
}

static void a_packet_is_read_or_refused_by_the_rule(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packets); i++) {
        char out[256] = "refused";
        int got = parse(packets[i].p, packets[i].n, out, sizeof out);
        if (got != (packets[i].want == NULL ? -1 : 0) ||
            (got == 0 && strcmp(out, packets[i].want) != 0))
            fail_msg("%s: %s", packets[i].rule, out);
    }
}

/* What counts here is that a sanitizer sees no byte read behind the cut. */
static void a_packet_cut_anywhere_is_read_inside_its_bounds(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(packets); i++)
        for (size_t n = 0; n < packets[i].n; n++) {
            char out[128];
            int got = parse(packets[i].p, n, out, sizeof out);
            bool json =
                packets[i].want != NULL && strchr("]}", packets[i].p[packets[i].n - 1]) != NULL;
            if (json && strchr("256", packets[i].p[0]) != NULL && got == 0)
                fail_msg("%s: accepted after %zu bytes", packets[i].rule, n);
        }
}

static void the_elements_of_an_event_are_indexed(void **state)
{
    static const char text[] = "2/a,5[ \"name\" ,{\"a\":[1]},null,4,5,6,7,8,9,10] ";
    sio_packet k;
    (void)state;
    assert_int_equal(sio_packet_parse(text, sizeof text - 1, ATTACHMENTS, DEPTH, &k), 0);
    assert_int_equal(k.index.count, 10);
    assert_true(sio_span_is(k.index.element[0], "\"name\""));
    assert_true(sio_span_is(k.index.element[1], "{\"a\":[1]}"));
    assert_true(sio_span_is(k.index.element[7], "8"));
}

static void the_limits_of_attachments_and_depth_are_the_callers(void **state)
{
    sio_packet k;
    (void)state;
    assert_int_equal(sio_packet_parse("53-[\"a\"]", 8, 3, 1, &k), 0);
    assert_int_equal(sio_packet_parse("53-[\"a\"]", 8, 2, 1, &k), -1);
    assert_int_equal(sio_packet_parse("53-[\"a\"]", 8, 0, 1, &k), -1);
    assert_int_equal(sio_packet_parse("599999-[\"a\"]", 12, 99999, 1, &k), 0);
    assert_int_equal(sio_packet_parse("2[\"a\",[]]", 9, 3, 1, &k), -1);
    assert_int_equal(sio_packet_parse("2[\"a\",[]]", 9, 3, 2, &k), 0);
}

/* What was in the packet before is gone. */
static void all_of_a_packet_is_set(void **state)
{
    static const struct {
        const char *text;
        bool escaped;
        size_t count;
    } cases[] = { { "3", false, 0 },        { "2[1,\"\\n\"]", false, 2 },
                  { "2[\"a\"]", false, 1 }, { "2[\"\\u0061\"]", true, 1 },
                  { "0", false, 0 },        { "1", false, 0 } };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        sio_packet k;
        memset(&k, 1, sizeof k);
        assert_int_equal(sio_packet_parse(cases[i].text, strlen(cases[i].text), 1, DEPTH, &k), 0);
        assert_int_equal(k.escaped, cases[i].escaped);
        assert_int_equal(k.index.count, cases[i].count);
        assert_int_equal(k.attachments, 0);
        assert_false(k.has_id);
    }
}

static void a_text_that_is_no_container_has_no_placeholder(void **state)
{
    static const char *const cases[] = { "\"a\"", "1", "null", "\"{\\\"_placeholder\\\":true}\"" };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *copy = exact(cases[i], strlen(cases[i]));
        sio_span json = { copy, strlen(cases[i]) }, object;
        size_t at = 0;
        int64_t num;
        assert_false(sio_packet_placeholder(json, &at, &object, &num));
        assert_int_equal(at, json.n);
        free(copy);
    }
}

/* B08: whatever the limit is. */
static void a_count_of_attachments_has_five_digits_at_most(void **state)
{
    sio_packet k;
    (void)state;
    assert_int_equal(sio_packet_parse(BYTES("599999-[\"a\"]"), SIZE_MAX, DEPTH, &k), 0);
    assert_int_equal(k.attachments, 99999);
    assert_int_equal(sio_packet_parse(BYTES("5100000-[\"a\"]"), SIZE_MAX, DEPTH, &k), -1);
}

/* threats.md: 100,000 open brackets, and a packet as large as the limit allows. */
static void a_huge_packet_takes_linear_time(void **state)
{
    (void)state;
    double start = seconds();
    static const char *const starts[] = {
        "2[\"a\",", "2/", "2", "5", "51-[\"a\",{\"", "2[\"a\",\""
    };
    static const char fills[] = "[{\"1a/,-";
    for (size_t i = 0; i < COUNT(starts); i++)
        for (size_t f = 0; f < sizeof fills - 1; f++) {
            char *p = filled(1000000, fills[f]);
            sio_packet k;
            memcpy(p, starts[i], strlen(starts[i]));
            sio_packet_parse(p, 1000000, ATTACHMENTS, DEPTH, &k);
            free(p);
        }
    assert_true(seconds() - start < LINEAR);
}

/* ---- Attachments ----------------------------------------------------------------------------- */

/* Writes the number of every placeholder that a walk finds, and where it is in the text. */
static void find_placeholders(const char *json, char *out, size_t room)
{
    size_t n = strlen(json), at = 0, used = 0, before = 0;
    char *copy = exact(json, n);
    sio_span object;
    int64_t num;
    assert_true(sio_json_check(copy, n, DEPTH, NULL));
    out[0] = '\0';
    while (sio_packet_placeholder((sio_span){ copy, n }, &at, &object, &num)) {
        assert_true(object.p >= copy + before && object.p + object.n == copy + at && at <= n);
        assert_true(object.p[0] == '{' && object.p[object.n - 1] == '}');
        before = at;
        used += (size_t)snprintf(out + used, room - used, "%lld ", (long long)num);
    }
    assert_int_equal(at, n);
    free(copy);
}

#define HOLE(n) "{\"_placeholder\":true,\"num\":" n "}"

static void every_placeholder_is_found_with_its_number(void **state)
{
    static const struct {
        const char *rule, *json, *want;
    } cases[] = {
        { "section 9: none", "[\"e\",1,{},[]]", "" },
        { "B01: one", "[\"e\"," HOLE("0") "]", "0 " },
        { "B02: two, swapped", "[\"e\"," HOLE("1") "," HOLE("0") "]", "1 0 " },
        { "B16: the same twice", "[\"e\"," HOLE("0") "," HOLE("0") "]", "0 0 " },
        { "B13: in an object", "[\"e\",{\"a\":" HOLE("3") ",\"b\":1}]", "3 " },
        { "B13: behind a member", "[\"e\",{\"a\":1,\"b\":{\"c\":[" HOLE("3") "]}}]", "3 " },
        { "B13: deep inside", "[\"e\",[[[{\"a\":[" HOLE("2") "]}]]]," HOLE("1") "]", "2 1 " },
        { "B05: num first", "[{\"num\":4,\"_placeholder\":true}]", "4 " },
        { "B05: other members are ignored",
          "[{\"a\":null,\"_placeholder\":true,\"b\":\"}\",\"num\":1}]", "1 " },
        { "B05: white space", "[ { \"_placeholder\" : true , \"num\" : 1 } ]", "1 " },
        { "B05: names in escapes", "[{\"\\u005fplaceholder\":true,\"n\\u0075m\":1}]", "1 " },
        { "B03: no num", "[{\"_placeholder\":true}]", "-1 " },
        { "B03: num is null", "[" HOLE("null") "]", "-1 " },
        { "threats.md: num is a string", "[" HOLE("\"splice\"") "]", "-1 " },
        { "B03: num is a digit in quotes", "[" HOLE("\"0\"") "]", "-1 " },
        { "B03: num is true", "[" HOLE("true") "]", "-1 " },
        { "B04: num is 0.5", "[" HOLE("0.5") "]", "-1 " },
        { "B03: num is negative", "[" HOLE("-7") "]", "-7 " },
        { "B04: num is 1e400", "[" HOLE("1e400") "]", "-1 " },
        { "B04: num is 2^64", "[" HOLE("18446744073709551616") "]", "-1 " },
        { "B04: num is 1e0", "[" HOLE("1e0") "]", "1 " },
        { "S34: num twice, the last counts", "[{\"_placeholder\":true,\"num\":0,\"num\":\"x\"}]",
          "-1 " },
        { "S34: _placeholder twice, the last counts",
          "[{\"_placeholder\":true,\"num\":0,\"_placeholder\":false}]", "" },
        { "B05: _placeholder is 1", "[{\"_placeholder\":1,\"num\":0}]", "" },
        { "B05: _placeholder is false", "[{\"_placeholder\":false,\"num\":0}]", "" },
        { "B05: _placeholder is a string", "[{\"_placeholder\":\"true\",\"num\":0}]", "" },
        { "section 9: a placeholder's text in a string",
          "[\"{\\\"_placeholder\\\":true,\\\"num\\\":0}\"]", "" },
        { "section 9: a placeholder's text in a name", "{\"{_placeholder\":true,\"num\":0}", "" },
        { "section 9: its members are not walked",
          "[{\"_placeholder\":true,\"num\":0,\"a\":" HOLE("1") "}]", "0 " },
        { "section 9: a member of its name that is an object", "[{\"_placeholder\":{},\"num\":0}]",
          "" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64];
        find_placeholders(cases[i].json, out, sizeof out);
        if (strcmp(out, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].rule, out);
    }
}

/* unit again and again around or before a zero, then what closes each of them. */
static void walk_in_linear_time(const char *unit, const char *close)
{
    size_t u = strlen(unit), c = strlen(close), k = 1000000 / u, at = 0;
    char *p = malloc(k * (u + c) + 1);
    for (size_t i = 0; i < k; i++) {
        memcpy(p + i * u, unit, u);
        memcpy(p + k * u + 1 + i * c, close, c);
    }
    p[k * u] = '0';
    double start = seconds();
    sio_span object;
    int64_t num;
    while (sio_packet_placeholder((sio_span){ p, k * (u + c) + 1 }, &at, &object, &num))
        continue;
    if (seconds() - start > LINEAR)
        fail_msg("%s takes too long", unit);
    free(p);
}

static void a_walk_over_a_megabyte_takes_linear_time(void **state)
{
    (void)state;
    // Each level would be scanned again from each above.
    walk_in_linear_time("{\"a\":1,\"b\":", "}");
    walk_in_linear_time("[", "]");
    walk_in_linear_time("{\"a\":", "}");
    walk_in_linear_time("{\"_placeholder\":true,\"num\":0,\"a\":", "}");
    walk_in_linear_time(HOLE("0") ",", "");
    walk_in_linear_time("{},", "");
}

/* ---- Payloads -------------------------------------------------------------------------------- */

static void a_payload_falls_into_its_packets(void **state)
{
    static const struct {
        const char *rule, *p;
        size_t n;
        const char *want;
    } cases[] = {
        { "section 2: one packet", BYTES("4a"), "(4a)" },
        { "P03: three",
          BYTES("4a\x1e"
                "4bc\x1e"
                "2"),
          "(4a)(4bc)(2)" },
        { "P07: an empty payload holds an empty packet", BYTES(""), "()" },
        { "P08: a separator before",
          BYTES("\x1e"
                "4a"),
          "()(4a)" },
        { "P08: a separator behind", BYTES("4a\x1e"), "(4a)()" },
        { "P08: a doubled separator",
          BYTES("4a\x1e\x1e"
                "4b"),
          "(4a)()(4b)" },
        { "P08: a separator alone", BYTES("\x1e"), "()()" },
        { "section 2: NUL is a byte like others",
          BYTES("4\0\x1e"
                "2"),
          "(4.)(2)" },
    };
    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char out[64] = "", *copy = exact(cases[i].p, cases[i].n);
        size_t at = 0, used = 0;
        sio_span packet;
        while (sio_payload_next((sio_span){ copy, cases[i].n }, &at, &packet)) {
            used += (size_t)snprintf(out + used, sizeof out - used, "(");
            for (size_t k = 0; k < packet.n; k++)
                out[used++] = packet.p[k] == '\0' ? '.' : packet.p[k];
            used += (size_t)snprintf(out + used, sizeof out - used, ")");
        }
        free(copy);
        if (strcmp(out, cases[i].want) != 0)
            fail_msg("%s: %s", cases[i].rule, out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_read_or_refused_by_the_rule),
        cmocka_unit_test(a_packet_cut_anywhere_is_read_inside_its_bounds),
        cmocka_unit_test(the_elements_of_an_event_are_indexed),
        cmocka_unit_test(the_limits_of_attachments_and_depth_are_the_callers),
        cmocka_unit_test(all_of_a_packet_is_set),
        cmocka_unit_test(a_text_that_is_no_container_has_no_placeholder),
        cmocka_unit_test(a_count_of_attachments_has_five_digits_at_most),
        cmocka_unit_test(a_huge_packet_takes_linear_time),
        cmocka_unit_test(every_placeholder_is_found_with_its_number),
        cmocka_unit_test(a_walk_over_a_megabyte_takes_linear_time),
        cmocka_unit_test(a_payload_falls_into_its_packets),
    };
    return cmocka_run_group_tests_name("packet.c", tests, NULL, NULL);
}
