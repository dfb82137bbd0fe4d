/* sim_eio_trace.c - the option trace: a line for each packet, in words
 * SPDX-License-Identifier: MIT */
#include "sim_app.h"

static char
    heard[20000];        // lines, with the ends that they have not, and "SESS" for the session's id
static const char *sid;  // of the peer whose lines are kept; NULL: of all

static void keep(void *user, const char *line)
{
    char copy[600];
    (void)user;
    assert_true(strlen(line) < 520);
    assert_null(strpbrk(line, "\r\n\x1b\x7f"));
    snprintf(copy, sizeof copy, "%s\n", line);
    if (sid == NULL || strncmp(line + 3, sid, 4) == 0)
        memcpy(copy + 3, "SESS", 4), strncat(heard, copy, sizeof heard - strlen(heard) - 1);
}

static sio_server *begin(void)
{
    app_options()->trace = keep;
    sid = NULL;
    heard[0] = '\0';
    return app_begin();
}

/* What a client sends, and its line; NULL: there is one more, which ends the session. */
static const struct {
    const char *rule, *packet, *line;
} cases[] = {
    { "an event", "42[\"message\",1,\"x\"]",
      "EVENT / \"message\" 2 arguments, 19 bytes: 42[\"message\",1,\"x\"]" },
    { "one argument", "42[\"message\",{\"a\":[1,2]}]",
      "EVENT / \"message\" 1 argument, 25 bytes: 42[\"message\",{\"a\":[1,2]}]" },
    { "none, in a namespace", "42/custom,[\"message\"]",
      "EVENT /custom \"message\" 0 arguments, 21 bytes: 42/custom,[\"message\"]" },
    { "it wants an answer", "4212[\"message-with-ack\",1]",
      "EVENT / \"message-with-ack\" 1 argument, wants ack 12, 26 bytes: "
      "4212[\"message-with-ack\",1]" },
    { "an answer", "43/custom,7[1,2,3]",
      "ACK /custom 3 arguments, answers 7, 18 bytes: 43/custom,7[1,2,3]" },
    { "a namespace is joined", "40/custom,{\"token\":\"abc\"}",
      "CONNECT /custom, 25 bytes: 40/custom,{\"token\":\"abc\"}" },
    { "and left", "41/custom", "DISCONNECT /custom, 9 bytes: 41/custom" },
    { "attachments", "452-[\"message\",{\"_placeholder\":true,\"num\":0},1,2]",
      "BINARY_EVENT / \"message\" 3 arguments, attachments: 2, 49 bytes: "
      "452-[\"message\",{\"_placeholder\":true,\"num\":0},1,2]" },
    { "Korean", "42[\"안녕\",\"하세요\"]",
      "EVENT / \"안녕\" 1 argument, 24 bytes: 42[\"안녕\",\"하세요\"]" },
    { "U+0080 to U+009F, and DEL",
      "42[\"message\",\"\xc2\x9b"
      "1m\x7f\"]",
      "EVENT / \"message\" 1 argument, 21 bytes: 42[\"message\",\"\\x9b1m\\x7f\"]" },
    { "no JSON", "42[\"message\"", "EVENT / which is malformed, 12 bytes: 42[\"message\"" },
    { "no name", "42[]", "EVENT / which is malformed, 4 bytes: 42[]" },
    { "no packet of Socket.IO", "49", "MESSAGE, 2 bytes: 49" },
    { "an empty message", "4", "MESSAGE, 1 byte: 4" },
    { "a pong", "3", "PONG, 1 byte: 3" },
    { "a ping", "2probe", "PING, 6 bytes: 2probe" },
    { "a close", "1", "CLOSE, 1 byte: 1" },
    { "no packet", "xyz", "MALFORMED, 3 bytes: xyz" },
};

static void a_packet_is_told_in_words(void **state)
{
    (void)state;
    size_t bad = 0;
    sio_server *io = begin();
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int transport = SIM_WS; transport <= SIM_POLL; transport++) {
            sim_peer p;
            char want[400];
            sim_open(io, &p, transport, NULL);
            sim_say(&p, "40");
            sim_hear_all(&p);
            sid = p.sid;
            heard[0] = '\0';
            sim_say(&p, cases[i].packet);
            snprintf(want, sizeof want, "-> SESS %s %s\n", transport == SIM_WS ? "ws  " : "poll",
                     cases[i].line);
            if (strncmp(heard, want, strlen(want)) != 0) {
                print_error("%s\n    want: %s    got:  %s", cases[i].rule, want, heard);
                bad++;
            }
            sim_say(&p, "1");
            sid = NULL;
        }
    app_free(io);
    assert_int_equal(bad, 0);
}

/* A whole session over each transport: every packet has one line, in the order of the wire. */
static void a_session_can_be_read(void **state)
{
    (void)state;
    for (int transport = SIM_WS; transport <= SIM_POLL; transport++) {
        sio_server *io = begin();
        sim_peer p;
        sim_open(io, &p, transport, NULL);
        sim_say(&p, "40");
        sim_hear_all(&p);
        sim_say(&p, "42[\"message\",1]");
        sim_hear_all(&p);
        sim_say(&p, "1");
        const char *pattern =
            transport == SIM_WS ? "<- SESS ws   OPEN, * bytes: 0{\"sid\":\"*\"*}\n"
                                  "-> SESS ws   CONNECT /, 2 bytes: 40\n"
                                  "<- SESS ws   CONNECT /, * bytes: 40{\"sid\":\"*\"}\n"
                                  "<- SESS ws   EVENT / \"auth\" 1 argument, 13 bytes: *\n"
                                  "-> SESS ws   EVENT / \"message\" 1 argument, 15 bytes: *\n"
                                  "<- SESS ws   EVENT / \"message-back\" 1 argument, 20 bytes: *\n"
                                  "-> SESS ws   CLOSE, 1 byte: 1\n"
                                  "== SESS ws   ended: transport close\n"
                                : "<- SESS poll OPEN, * bytes: 0{\"sid\":\"*\"*}\n"
                                  "-> SESS poll CONNECT /, 2 bytes: 40\n"
                                  "<- SESS poll CONNECT /, * bytes: 40{\"sid\":\"*\"}\n"
                                  "<- SESS poll EVENT / \"auth\" 1 argument, 13 bytes: *\n"
                                  "-> SESS poll EVENT / \"message\" 1 argument, 15 bytes: *\n"
                                  "<- SESS poll EVENT / \"message-back\" 1 argument, 20 bytes: *\n"
                                  "-> SESS poll CLOSE, 1 byte: 1\n*"
                                  "== SESS poll ended: transport close\n";
        if (!sim_like(pattern, heard))
            fail_msg("%s", heard);
        app_free(io);
    }
}

static void an_upgrade_and_a_heartbeat_can_be_read(void **state)
{
    (void)state;
    sio_server *io = begin();
    assert_true(sim_play(io, "up",
                         "A poll\nB up A\nB> 2probe\nB< 3probe\nB> 5\nB> 40\nB< 40{*\nB< 42[*\n"
                         "+ 25000\nB< 2\nB> 3\nB/"));
    const char *pattern = "<- SESS poll OPEN, *\n"
                          "-> SESS ws   PING, 6 bytes: 2probe\n"
                          "<- SESS ws   PONG, 6 bytes: 3probe\n"
                          "-> SESS ws   UPGRADE, 1 byte: 5\n"
                          "-> SESS ws   CONNECT /, 2 bytes: 40\n"
                          "<- SESS ws   CONNECT /, *\n"
                          "<- SESS ws   EVENT / \"auth\" *\n"
                          "<- SESS ws   PING, 1 byte: 2\n"
                          "-> SESS ws   PONG, 1 byte: 3\n"
                          "== SESS ws   ended: transport *\n";
    sim_run_ms(io, 0);
    if (!sim_like(pattern, heard))
        fail_msg("%s", heard);
    app_free(io);
}

/* An attachment is bytes, and a long text its beginning, in whole letters. */
static void what_is_long_is_cut(void **state)
{
    static const unsigned char bytes[20] = { 0, 1, 0xfe };
    char text[1000] = "42[\"message\",\"";
    (void)state;
    sio_server *io = begin();
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_say(&p, "451-[\"message\",{\"_placeholder\":true,\"num\":0}]");
    heard[0] = '\0';
    sim_say_bytes(&p, bytes, sizeof bytes);
    if (!sim_like("-> SESS ws   ATTACHMENT, 20 bytes: 00 01 fe 00 00 00 00 00 00 00 00 00 00 00 00 "
                  "00 ..\n*"
                  "<- SESS ws   ATTACHMENT, 20 bytes: 00 01 fe *",
                  heard))
        fail_msg("%s", heard);

    for (int i = 0; i < 100; i++)
        strcat(text, "가");
    strcat(text, "\"]");
    heard[0] = '\0';
    sim_say(&p, text);
    char *line_end = strchr(heard, '\n');
    assert_non_null(line_end);
    *line_end = '\0';
    assert_true(sim_like(
        "-> SESS ws   EVENT / \"message\" 1 argument, 316 bytes: 42[\"message\",\"가*가..", heard));
    assert_int_equal(strlen(strstr(heard, "42[")), 14 + 3 * 62 + 2);

    memset(text, 0x01, 900);  // a control character is no JSON, and has four letters each
    memcpy(text, "42", 2);
    text[900] = '\0';
    sim_say(&p, text);
    app_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_packet_is_told_in_words),
        cmocka_unit_test(a_session_can_be_read),
        cmocka_unit_test(an_upgrade_and_a_heartbeat_can_be_read),
        cmocka_unit_test(what_is_long_is_cut),
    };
    return cmocka_run_group_tests_name("eio_trace.c", tests, NULL, NULL);
}
