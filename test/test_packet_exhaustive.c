/* test_packet_exhaustive.c - all short packets, placeholders and payloads against second parsers
 * SPDX-License-Identifier: MIT */
#include "exhaustive.h"

/* ---- Packets --------------------------------------------------------------------------------- */

enum { ATTACHMENTS = 10 };

/* B07, B08. */
static verdict attachments(cursor *c, unsigned *out)
{
    const char *start = c->p;
    verdict v = one_of(c, "123456789");
    if (v == GOOD && *start == '1' && sees(c, "0"))
        c->p++;
    if (v != GOOD)
        return v;
    *out = c->p - start == 2 ? 10 : (unsigned)(*start - '0');
    return literal(c, "-");
}

/* S25, S26: by spelling, zeros apart. */
static bool is_id(const char *p, size_t n)
{
    static const char most[] = "18446744073709551615";
    while (n > 1 && *p == '0')
        p++, n--;
    return n < 20 || (n == 20 && memcmp(p, most, 20) <= 0);
}

/* S17, S18, S19 of the first element. */
static bool is_event(sio_span json)
{
    static const char *const reserved[] = { "connect",       "connect_error", "disconnect",
                                            "disconnecting", "newListener",   "removeListener" };
    char text[TEXT_BYTES];
    if (json.n == 0 || json.p[0] != '[')
        return false;
    sio_span first = sio_json_value(json.p + 1, json.n - 1);
    if (first.n == 0 || first.p[0] != '"')
        return first.n > 0 && strchr("-" DIGITS, first.p[0]) != NULL;
    size_t n = sio_json_unescape(first, text);
    for (size_t i = 0; i < COUNT(reserved); i++)
        if (sio_span_is((sio_span){ text, n }, reserved[i]))
            return false;
    return true;
}

static bool is_payload(unsigned type, sio_span json)
{
    char first = json.n > 0 ? json.p[0] : 'x';
    switch (type) {
    case 0:
        return first == 'x' || first == '{';  // S05
    case 1:
        return first == 'x';  // S13
    case 2:
    case 5:
        return is_event(json);
    case 3:
        return first == 'x' || first == '[';  // S30
    case 6:
        return first == '[';
    default:
        return false;  // S28
    }
}

/* PROTOCOL.md, section 7. BAD: so is what begins with it. */
static verdict packet(const char *p, size_t n, sio_packet *k)
{
    cursor c = { p, p + n };
    verdict v = one_of(&c, "0123456");
    if (v != GOOD)
        return v;
    *k = (sio_packet){ .type = (unsigned char)(*p - '0'), .ns = SIO_SPAN("/") };
    if ((k->type == 5 || k->type == 6) && (v = attachments(&c, &k->attachments)) != GOOD)
        return v;
    if (sees(&c, "/")) {
        k->ns.p = c.p;
        while (c.p < c.end && *c.p != ',')
            c.p++;
        k->ns.n = (size_t)(c.p - k->ns.p);
        if (sees(&c, ","))
            c.p++;
    }
    const char *id = c.p;
    any_of(&c, DIGITS);
    k->has_id = c.p > id;
    if (!is_id(id, (size_t)(c.p - id)))
        return BAD;
    for (; id < c.p; id++)
        k->id = k->id * 10 + (uint64_t)(*id - '0');
    k->json = (sio_span){ c.p, (size_t)(c.end - c.p) };
    if (sees(&c, " "))
        return BAD;
    if (k->json.n > 0 && !sio_json_check(k->json.p, k->json.n, 64, NULL))
        return MORE;
    return is_payload(k->type, k->json) ? GOOD : MORE;
}

static bool agrees(const char *p, size_t n)
{
    sio_packet want = { 0 }, got;
    verdict v = packet(p, n, &want);
    int found = sio_packet_parse(p, n, ATTACHMENTS, 64, &got);
    if (found != (v == GOOD ? 0 : -1))
        fail_msg("%s: %d", shown(p, n), found);
    if (v == GOOD && (got.type != want.type || got.attachments != want.attachments ||
                      got.has_id != want.has_id || (got.has_id && got.id != want.id) ||
                      !same(got.ns, want.ns) || !same(got.json, want.json)))
        fail_msg("%s: its parts", shown(p, n));
    return v != BAD;
}

static void all_short_packets_agree_with_a_second_parser(void **state)
{
    static const char *const types[] = { "0", "1", "2", "3", "4", "5", "6", "7", "/", NULL };
    static const char *const parts[] = { "0",
                                         "1",
                                         "10",
                                         "11",
                                         "-",
                                         "/",
                                         ",",
                                         "a",
                                         " ",
                                         "[",
                                         "]",
                                         "{",
                                         "}",
                                         "\"a\"",
                                         "\"connect\"",
                                         "\"\\u0063onnect\"",
                                         "\"\\u0063onnec\"",
                                         NULL };
    static const char *const digits[] = { "0",   "1", "1844674407370955161", "5", "6", "9",
                                          "[1]", NULL };
    (void)state;
    agrees("", 0);
    for (int i = 0; types[i] != NULL; i++)
        each_text(&(texts){ parts, agrees, 5, 0 }, types[i]);
    each_text(&(texts){ digits, agrees, 5, 1 }, "2");
    each_text(&(texts){ digits, agrees, 5, 1 }, "61-/a,");
}

/* ---- Placeholders ------------------------------------------------------------------------------ */

/* Members of an object, and what they say of it (B05). */
enum { NOTHING, YES, NO, NUMBER, INNER };
static const struct {
    const char *text;
    int says;
    int64_t num;
} members[] = {
    { "\"_placeholder\":true", YES, 0 },
    { " \"\\u005fplaceholder\" : true ", YES, 0 },
    { "\"_placeholder\":false", NO, 0 },
    { "\"_placeholder\":\"true\"", NO, 0 },
    { "\"num\":7", NUMBER, 7 },
    { "\"num\" : -0.0e9", NUMBER, 0 },
    { "\"nu\\u006d\":1.5", NUMBER, -1 },
    { "\"num\":\"7\"", NUMBER, -1 },
    { "\"a\":\"{\\\"_placeholder\\\":true}\"", NOTHING, 0 },
    { "\"_placeholder\":{\"_placeholder\":true,\"num\":3}", INNER, 3 },
    { "\"num\": [\"{\",{\"num\":4,\"_placeholder\":true}]", INNER, 4 },
};

/* Of an object of these members, and of those before it: what the walk must find. */
typedef struct numbers {
    size_t n;
    int64_t num[8];
} numbers;

static void expect(const size_t *member, size_t n, numbers *want)
{
    bool is = false;
    int64_t num = -1;
    size_t i = 0;
    for (; i < n && members[member[i]].says != INNER; i++) {
        int says = members[member[i]].says;
        is = says == YES || (is && says != NO);
        num = says == NUMBER ? members[member[i]].num : num;
    }
    if (is)
        want->num[want->n++] = num;
    for (i = 0; !is && i < n; i++)
        if (members[member[i]].says == INNER)
            want->num[want->n++] = members[member[i]].num;
}

static void check_object(const size_t *member, size_t n)
{
    char text[512] = "[\"{\",{}, {";
    for (size_t i = 0; i < n; i++) {
        strcat(text, i > 0 ? "," : "");
        strcat(text, members[member[i]].text);
    }
    numbers want = { 0 };
    expect(member, n, &want);
    want.num[want.n++] = 9;
    strcat(text, "},{\"_placeholder\":true,\"num\":9}]");
    char *copy = exact(text, strlen(text));
    sio_span json = { copy, strlen(text) }, object;
    size_t at = 0, found = 0;
    int64_t num;
    assert_true(sio_json_check(json.p, json.n, 8, NULL));
    for (; sio_packet_placeholder(json, &at, &object, &num); found++)
        if (found >= want.n || num != want.num[found] || object.p[0] != '{' ||
            object.p + object.n != json.p + at || !sio_json_check(object.p, object.n, 8, NULL))
            fail_msg("placeholder %zu of %s: %d", found, text, (int)num);
    if (found != want.n || at != json.n)
        fail_msg("placeholders of %s: %zu", text, found);
    free(copy);
}

static void all_objects_of_four_members_are_placeholders_or_not(void **state)
{
    enum { M = COUNT(members) };
    (void)state;
    for (size_t v = 0; v < (size_t)M * M * M * M; v++) {
        size_t member[] = { v % M, v / M % M, v / M / M % M, v / M / M / M };
        check_object(member, 4);
        check_object(member, 3 - v % 4);
    }
}

/* ---- Payloads ---------------------------------------------------------------------------------- */

static bool splits(const char *p, size_t n)
{
    sio_span found;
    size_t at = 0, start = 0;
    for (size_t i = 0; i <= n; i++) {
        if (i < n && p[i] != 0x1e)
            continue;
        if (!sio_payload_next((sio_span){ p, n }, &at, &found) || found.p != p + start ||
            found.n != i - start)
            fail_msg("packet at %zu of %s", start, shown(p, n));
        start = i + 1;
    }
    assert_false(sio_payload_next((sio_span){ p, n }, &at, &found));
    return true;
}

static void all_short_payloads_fall_apart_at_their_separators(void **state)
{
    static const char *const pieces[] = { "\x1e", "a", "\x1d", NULL };
    (void)state;
    each_text(&(texts){ pieces, splits, 9, 0 }, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_short_packets_agree_with_a_second_parser),
        cmocka_unit_test(all_objects_of_four_members_are_placeholders_or_not),
        cmocka_unit_test(all_short_payloads_fall_apart_at_their_separators),
    };
    return cmocka_run_group_tests_name("packet.c, exhaustively", tests, NULL, NULL);
}
