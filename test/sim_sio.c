/* sim_sio.c - Socket.IO packets, acknowledgements, attachments, rooms, disconnects
 * SPDX-License-Identifier: MIT
 *
 * The letters and numbers at the beginning of each case are rows of PROTOCOL.md. Each
 * table is played over WebSocket, over WebSocket byte by byte, and over polling. */
#include "sim_app.h"
#include "sio_core.h"

/* ---- Namespaces ----------------------------------------------------------------------------- */

static const play connects[] = {
    { "S01: CONNECT to /", "> 40\n< 40{'sid':'*'}\n< 42['auth',{}]\n." },
    { "S01: CONNECT to / by name", "> 40/\n< 40{'sid':'*'}\n< 42['auth',{}]\n." },
    { "S01: with a comma", "> 40/,\n< 40{'sid':'*'}\n< 42['auth',{}]\n." },
    { "S01: with an empty payload", "> 40{}\n< 40{'sid':'*'}\n< 42['auth',{}]\n." },
    { "S02: CONNECT to another namespace", "> 40/custom\n< 40/custom,{'sid':'*'}" },
    { "S02: with a comma", "> 40/custom,\n< 40/custom,{'sid':'*'}" },
    { "S02: with a payload",
      "> 40/custom,{'t':1}\n< 40/custom,{'sid':'*'}\n< 42/custom,['auth',{'t':1}]" },
    { "S03: an unknown namespace, and on",
      "> 40/nope\n< 44/nope,{'message':'Invalid namespace'}\n> 40\n< 40{'sid':'*'}" },
    { "S03: names are compared byte by byte",
      "> 40/Custom\n< 44/Custom,{'message':'Invalid namespace'}\n"
      "> 40/custom/\n< 44/custom/,{'message':'Invalid namespace'}\n"
      "> 40//\n< 44//,{'message':'Invalid namespace'}" },
    { "S04: protocol 5 has no query in names",
      "> 40/custom?x=1,\n< 44/custom?x=1,{'message':'Invalid namespace'}" },
    { "S05: a payload that is null", "> 40null\n< CLOSE()" },
    { "S05: an array", "> 40[]\n< CLOSE()" },
    { "S05: a string", "> 40'x'\n< CLOSE()" },
    { "S05: unfinished", "> 40{\n< CLOSE()" },
    { "S05: a name without a slash", "> 40custom\n< CLOSE()" },
    { "S06: DISCONNECT before CONNECT", "> 41\n< CLOSE()" },
    { "S06: EVENT before CONNECT", "> 42['x']\n< CLOSE()" },
    { "S06: ACK before CONNECT", "> 43[]\n< CLOSE()" },
    { "S06: CONNECT_ERROR before CONNECT", "> 44\n< CLOSE()" },
    { "S08: two namespaces on one connection",
      "> 40\n< 40*\n< 42*\n> 40/custom\n< 40/custom,{'sid':'*'}\n< 42/custom,['auth',{}]\n"
      "> 42['message',1]\n< 42['message-back',1]\n"
      "> 42/custom,['message',2]\n< 42/custom,['message-back',2]" },
    { "S09: another namespace only, then an event in /",
      "> 40/custom\n< 40*\n< 42/custom*\n> 42['x']\n< CLOSE()" },
    { "S11: the payload is the handshake's auth",
      "> 40{'token':'T'}\n< 40*\n< 42['auth',{'token':'T'}]" },
    { "S11: {} without one", "> 40\n< 40*\n< 42['auth',{}]" },
    { "S14: left, and joined again", "> 40\n< 40*\n< 42*\n> 41\n.\n> 40\n< 40{'sid':'*'}" },
    { "S15: an event behind DISCONNECT", "> 40\n< 40*\n< 42*\n> 41\n> 42['x']\n< CLOSE()" },
    { "S35: a namespace with a space",
      "> 40/with space,\n< 40/with space,{'sid':'*'}\n< 42/with space,['auth',{}]\n"
      "> 42/with space,7['message-with-ack',1]\n< 43/with space,7[1]" },
    { "S35: a namespace with an accent",
      "> 40/caf\xc3\xa9,\n< 40/caf\xc3\xa9,{'sid':'*'}\n< 42/caf\xc3\xa9,['auth',{}]" },
};

static void sockets_join_namespaces(void **state)
{
    (void)state;
    play_default("", connects, COUNT(connects));
}

/* S10: the reply to CONNECT has the key sid and no other, and it is not the session's. */
static void a_socket_has_an_id_of_its_own(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    const char *reply = sim_hear(&p);
    assert_int_equal(strlen(reply), strlen("40{'sid':''}") + 20);
    assert_int_equal(strlen(p.id), 20);
    assert_string_not_equal(p.id, p.sid);
    assert_int_equal(
        strspn(p.id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"), 20);
    app_free(io);
}

/* ---- Packets -------------------------------------------------------------------------------- */

static const play packets[] = {
    { "S07: CONNECT again", "> 40\n< CLOSE()\n? forced *close" },
    { "S07: CONNECT again with a payload", "> 40{}\n< CLOSE()" },
    { "S12: DISCONNECT has no answer", "> 41\n.\n? client namespace disconnect\n> 40\n< 40*" },
    { "S12: by name", "> 41/\n.\n? client namespace disconnect" },
    { "S12: by name with a comma", "> 41/,\n." },
    { "S13: DISCONNECT with an object", "> 41{}\n< CLOSE()" },
    { "S13: with an array", "> 41[]\n< CLOSE()" },
    { "S13: with null", "> 41null\n< CLOSE()" },
    { "S13: with a comma", "> 41,\n< CLOSE()" },
    { "S16: an event without a payload is refused", "> 42\n< CLOSE()" },
    { "S17: an empty event", "> 42[]\n< CLOSE()" },
    { "S17: an object", "> 42{}\n< CLOSE()" },
    { "S17: null", "> 42null\n< CLOSE()" },
    { "S17: named null", "> 42[null]\n< CLOSE()" },
    { "S17: named true", "> 42[true]\n< CLOSE()" },
    { "S17: named by an object", "> 42[{}]\n< CLOSE()" },
    { "S17: a name must be a string, not an object with toString",
      "> 42[{'toString':'x'}]\n< CLOSE()" },
    { "S17: named by an array", "> 42[[]]\n< CLOSE()" },
    { "S17: a string", "> 42''\n< CLOSE()" },
    { "S18: named by a number", "> 42[1]\n.\n> 42['message']\n< 42['message-back']" },
    { "S18: by a fraction", "> 42[1.5]\n." },
    { "S18: by nothing", "> 42['']\n." },
    { "S19: connect is reserved", "> 42['connect']\n< CLOSE()" },
    { "S19: connect_error", "> 42['connect_error']\n< CLOSE()" },
    { "S19: disconnect", "> 42['disconnect']\n< CLOSE()" },
    { "S19: disconnecting", "> 42['disconnecting']\n< CLOSE()" },
    { "S19: newListener", "> 42['newListener']\n< CLOSE()" },
    { "S19: removeListener", "> 42['removeListener']\n< CLOSE()" },
    { "S19: escaped", "> 42['c\\u006fnnect']\n< CLOSE()" },
    { "S20: connection is not reserved", "> 42['connection']\n.\n> 42['message']\n< 42*" },
    { "S20: error is not reserved, and runs no handler of errors", "> 42['error']\n." },
    { "S20: case counts", "> 42['Connect']\n." },
    { "S21: unfinished", "> 42['message'\n< CLOSE()" },
    { "S21: a comma too many", "> 42['message',]\n< CLOSE()" },
    { "S21: single quotes", "> 42[`message`]\n< CLOSE()" },
    { "S21: NaN", "> 42['message',NaN]\n< CLOSE()" },
    { "S21: text behind it", "> 42['message']x\n< CLOSE()" },
    { "S21: a bracket behind it", "> 42['message']]\n< CLOSE()" },
    { "S21: a leading zero", "> 42['a',01]\n< CLOSE()" },
    { "S21: a fraction without a digit", "> 42['a',1.]\n< CLOSE()" },
    { "S21: a fraction without an integer", "> 42['a',.5]\n< CLOSE()" },
    { "S21: a plus", "> 42['a',+1]\n< CLOSE()" },
    { "S21: a minus", "> 42['a',-]\n< CLOSE()" },
    { "S21: half a word", "> 42['a',tru]\n< CLOSE()" },
    { "S21: a raw control character in a string", "> 42['a','\t']\n< CLOSE()" },
    { "S22: white space behind", "> 42['message',1] \t\r\n< 42['message-back',1]" },
    { "S23: an unknown type", "> 4abc\n< CLOSE()\n? forced close" },
    { "S23: type 7", "> 47\n< CLOSE()" },
    { "S23: type 8", "> 48\n< CLOSE()" },
    { "S23: type 9", "> 49\n< CLOSE()" },
    { "S23: type -1", "> 4-1\n< CLOSE()" },
    { "S23: nothing", "> 4\n< CLOSE()" },
    { "S24: a letter in the id", "> 42a['x']\n< CLOSE()" },
    { "S24: a negative id", "> 42-1['x']\n< CLOSE()" },
    { "S24: a fraction", "> 421.5['x']\n< CLOSE()" },
    { "S24: an exponent", "> 421e2['x']\n< CLOSE()" },
    { "S24: a comma", "> 42,['x']\n< CLOSE()" },
    { "S24: a comma behind the id", "> 421,['x']\n< CLOSE()" },
    { "S25: leading zeros of an id go", "> 42007['message-with-ack']\n< 437[]" },
    { "S26: an id above 2^53 keeps its digits",
      "> 429007199254740993['message-with-ack',1]\n< 439007199254740993[1]" },
    { "S26: an id above 2^64 is refused",
      "> 42999999999999999999999['message-with-ack']\n< CLOSE()" },
    { "S27: a namespace that is not joined", "> 42/custom,['x']\n< CLOSE()" },
    { "S27: or is none", "> 42/nope,['x']\n< CLOSE()" },
    { "S27: or eats the payload", "> 42/['x']\n< CLOSE()" },
    { "S27: DISCONNECT there", "> 41/custom,\n< CLOSE()" },
    { "S28: CONNECT_ERROR from a client", "> 44{'message':'x'}\n< CLOSE()" },
    { "S28: with a string", "> 44'x'\n< CLOSE()" },
    { "S29: an ACK that nobody waits for", "> 43999[]\n.\n> 42['message']\n< 42*" },
    { "S29: without an id", "> 43[]\n." },
    { "S29: without a payload", "> 43\n." },
    { "S30: an ACK with an object", "> 431{}\n< CLOSE()" },
    { "S30: with a string", "> 431'x'\n< CLOSE()" },
    { "S32: NUL and RS, escaped", "> 42['message','\\u0000\\u001e']\n"
                                  "< 42['message-back','\\u0000\\u001e']" },
    { "S32: line separators and slashes, raw", "> 42['message','\xe2\x80\xa8/']\n"
                                               "< 42['message-back','\xe2\x80\xa8/']" },
    { "S34: duplicate keys are passed on as they came",
      "> 42['message',{'a':1,'a':2}]\n< 42['message-back',{'a':*2}]" },
    { "D06: events before a violation are delivered",
      "> 42['message',1]|4abc\n< 42['message-back',1]\n< CLOSE()" },
};

static void packets_are_what_they_must_be(void **state)
{
    (void)state;
    play_default(JOINED, packets, COUNT(packets));
}

/* S31: numbers that C reads and writes itself, through the fixture's counters of milliseconds and
 * through %g; forwarded values keep their own spelling. */
static void numbers_are_written_as_javascript_does(void **state)
{
    static const struct {
        double d;
        const char *text;
    } numbers[] = {
        { 0.1, "0.1" }, { 1e21, "1e+21" }, { 1e-7, "1e-7" },
        { -0.0, "0" },  { 100, "100" },    { 12345678901234567890.0, "12345678901234567000" },
    };
    (void)state;
    sio_server *io = app_new();
    for (size_t i = 0; i < COUNT(numbers); i++) {
        size_t n;
        sio_value v = sio_make(io, "[%g]", numbers[i].d);
        const char *json = sio_json(v, &n);
        assert_int_equal(n, strlen(numbers[i].text) + 2);
        assert_memory_equal(json + 1, numbers[i].text, n - 2);  // S31
    }
    assert_true(sim_play_over(io, SIM_WS, "S31: forwarded numbers are equal",
                              JOINED "> 42['message',0.1,1E2]\n< 42['message-back',0.1,1*]"));
    app_free(io);
}

/* S33: as deep as the limit allows, and as deep as nobody should. */
static void nesting_is_limited_and_never_recursed(void **state)
{
    (void)state;
    sio_server *io = app_new();
    static const size_t depths[] = { 1000, 300000 };
    for (size_t i = 0; i < COUNT(depths); i++) {
        size_t n = depths[i];
        char *text = filled(2 * n + 40, '[');
        int at = sprintf(text, "42[\"message\",");
        memset(text + at, '[', n);
        memset(text + (size_t)at + n, ']', n + 1);
        text[(size_t)at + 2 * n + 1] = '\0';
        sim_peer p;
        sim_open(io, &p, SIM_WS, NULL);
        sim_say(&p, "40");
        sim_hear_all(&p);
        sim_say(&p, text);
        const char *got = sim_hear(&p);
        if (i == 0)
            assert_int_equal(strlen(got), strlen(text) + strlen("-back"));  // S33: 1000 come back
        else
            assert_string_equal(got, "CLOSE()");  // S33: 300000 do not, and nothing breaks
        free(text);
    }
    app_free(io);
}

/* ---- Acknowledgements ----------------------------------------------------------------------- */

static const play acks[] = {
    { "A01: an event with an id", "> 4212['message-with-ack',1]\n< 4312[1]\n." },
    { "A02: acknowledged twice", "> 425['ack-twice']\n< 435['first']\n." },
    { "A03: without arguments", "> 4212['message-with-ack']\n< 4312[]" },
    { "A03: a handler that acknowledges late", "> 421['ack-later',50,'x']\n.\n+ 60\n< 431['x']" },
    { "A04: with bytes", "> 4212['ack-binary',1,3]\n< 461-12[{'_placeholder':true,'num':0}]\n"
                         "< <000102>" },
    { "A05: the server asks, and ids grow",
      "> 421['ask','q',[1],0]\n< 420['q',1]\n> 430['a',2]\n"
      "< 431[{'ok':true,'args':['a',2]}]\n> 422['ask','q',[],0]\n< 421['q']\n> 431[]\n"
      "< 432[{'ok':true,'args':[]}]" },
    { "A06: a double answer is ignored", "> 421['ask','q',[],0]\n< 422['q']\n> 432[1]|432[2]\n"
                                         "< 431[{'ok':true,'args':[1]}]\n." },
    { "A06: an unknown one too", "> 4377['x']\n." },
    { "A07: no answer in time",
      "> 421['ask','q',[],100]\n< 423['q']\n+ 99\n.\n+ 1\n"
      "< 431[{'ok':false,'error':'operation has timed out'}]\n> 433[1]\n." },
    { "A07: an answer without a payload", "> 421['ask','q',[],100]\n< 424['q']\n> 434\n"
                                          "< 431[{'ok':true,'args':[]}]" },
};

static void acknowledgements_come_once(void **state)
{
    (void)state;
    play_default(JOINED, acks, COUNT(acks));
}

static const play broadcasts_with_acks[] = {
    { "A05: ids are counted over all sockets of a namespace",
      "> 421['ask','q',[],0]\n< 420['q']\nB> 421['ask','q',[],0]\nB< 421['q']" },
    { "A08: all answer",
      "> 421['ask-all',null,'q',[7],200]\n< 422['q',7]\nB< 422['q',7]\n"
      "B> 432['b','more']\n> 432['a']\n< 431[{'ok':true,'responses':['b','a']}]" },
    { "A09: some are silent",
      "> 421['ask-all',null,'q',[],200]\n< 423['q']\nB< 423['q']\n"
      "B> 433['b']\n+ 200\n"
      "< 431[{'ok':false,'error':'operation has timed out','responses':['b']}]" },
    { "A10: nobody is there", "> 421['ask-all','nowhere','q',[],200]\n"
                              "< 431[{'ok':true,'responses':[]}]" },
    { "A08: the others only", "> 421['ask-others',null,'q',[],200]\nB< 425['q']\n.\nB> 435[1]\n"
                              "< 431[{'ok':true,'responses':[1]}]" },
};

static void broadcasts_collect_answers(void **state)
{
    (void)state;
    app_options();
    play_alone(0, "A ws\nB ws\nA> 40\nA< 40*\nA< 42*\nB> 40\nB< 40*\nB< 42*\n",
               broadcasts_with_acks, COUNT(broadcasts_with_acks));
}

/* ---- Attachments ---------------------------------------------------------------------------- */

#define P0 "{'_placeholder':true,'num':0}"
#define P1 "{'_placeholder':true,'num':1}"

static const play attachments[] = {
    { "B01: an event with bytes",
      "> 451-['message'," P0 "]\n# 0102\n< 451-['message-back'," P0 "]\n"
      "< <0102>\n." },
    { "B02: two, swapped", "> 452-['message'," P1 "," P0 "]\n# 01\n# 02\n"
                           "< 452-['message-back'," P0 "," P1 "]\n< <02>\n< <01>" },
    { "B02: each may be named once", "> 452-['message'," P1 "," P1 "]\n# 01\n.\n# 02\n< CLOSE()" },
    { "B02: also when they are far apart",
      "> 452-['message',[" P0 ",{'a':" P1 "}],{'b':[" P0 "]}]\n# 01\n# 02\n< CLOSE()" },
    { "B02: declared, never used", "> 451-['message',1]\n.\n# 01\n< 42['message-back',1]" },
    { "B03: a number out of range", "> 451-['message',{'_placeholder':true,'num':1}]\n.\n# 01\n"
                                    "< CLOSE()" },
    { "B03: negative", "> 451-['message',{'_placeholder':true,'num':-1}]\n# 01\n< CLOSE()" },
    { "B03: a string, such as splice", "> 451-['message',{'_placeholder':true,'num':'splice'}]\n"
                                       "# 01\n< CLOSE()" },
    { "B03: null", "> 451-['message',{'_placeholder':true,'num':null}]\n# 01\n< CLOSE()" },
    { "B03: missing", "> 451-['message',{'_placeholder':true}]\n# 01\n< CLOSE()" },
    { "B04: a fraction is refused", "> 451-['message',{'_placeholder':true,'num':0.5}]\n# 01\n"
                                    "< CLOSE()" },
    { "B05: _placeholder is 1", "> 451-['message',{'_placeholder':1,'num':0}]\n# 01\n"
                                "< 42['message-back',{'_placeholder':1,'num':0}]" },
    { "B05: false", "> 451-['message',{'_placeholder':false,'num':0}]\n# 01\n"
                    "< 42['message-back',{'_placeholder':false,'num':0}]" },
    { "B05: with more members",
      "> 451-['message',{'x':1,'_placeholder':true,'num':0,'y':2}]\n# 01\n"
      "< 451-['message-back'," P0 "]\n< <01>" },
    { "B06: in a packet without attachments",
      "> 42['message'," P0 "]\n< 42['message-back'," P0 "]" },
    { "B07: no attachments", "> 450-['message']\n< CLOSE()" },
    { "B07: none said", "> 45-['message']\n< CLOSE()" },
    { "B07: negative", "> 45-1-['message']\n< CLOSE()" },
    { "B07: a fraction", "> 451.5-['message']\n< CLOSE()" },
    { "B07: a letter", "> 45a-['message']\n< CLOSE()" },
    { "B07: no dash", "> 45['message']\n< CLOSE()" },
    { "B07: no dash behind the number", "> 451['message']\n< CLOSE()" },
    { "B08: 10 attachments",
      "> 4510-['message',1]\n# 01\n# 01\n# 01\n# 01\n# 01\n# 01\n# 01\n# 01\n"
      "# 01\n.\n# 01\n< 42['message-back',1]" },
    { "B08: 11 are refused at the header", "> 4511-['message',1]\n< CLOSE()" },
    { "B08: never-ending attachments are refused at the header", "> 459999999-['message',1]\n"
                                                                 "< CLOSE()" },
    { "B09: a text packet while one is due",
      "> 451-['message'," P0 "]\n> 42['message']\n< CLOSE()" },
    { "B10: bytes that nobody expects", "# 01\n< CLOSE()" },
    { "B10: one too many", "> 451-['message'," P0 "]\n# 01\n< 451-*\n< <01>\n# 02\n< CLOSE()" },
    { "B11: a missing one; the heartbeat goes on",
      "> 451-['message'," P0 "]\n.\n+ 25000\n< 2\n> 3\n."
      "\n# 01\n< 451-*" },
    { "B12: acknowledged with bytes", "> 451-7['message-with-ack'," P0 "]\n# 0102\n"
                                      "< 461-7[" P0 "]\n< <0102>" },
    { "B13: nested", "> 452-['message',{'a':[" P0 ",{'b':" P1 "}]}]\n# 01\n# 02\n"
                     "< 452-['message-back',{'a':[" P0 ",{'b':" P1 "}]}]\n< <01>\n< <02>" },
    { "B14: numbers ascend in the order of appearance",
      "> 42['emit-binary',2,1]\n"
      "< 453-['binary',{'n':2,'list':[" P0 "," P1 "],'deep':{'first':"
      "{'_placeholder':true,'num':2}}}]\n< <00>\n< <1f>\n< <00>" },
    { "B15: the header for a namespace that is not joined",
      "> 451-/custom,['x'," P0 "]\n< CLOSE()" },
    { "B15: or that is none", "> 461-/nope,7[" P0 "]\n< CLOSE()" },
    { "B03: the name is a placeholder", "> 451-[" P0 "]\n< CLOSE()" },
    { "S19: reserved with attachments", "> 451-['connect'," P0 "]\n< CLOSE()" },
};

static void attachments_find_their_places(void **state)
{
    (void)state;
    play_default(JOINED, attachments, COUNT(attachments));
}

static const play missing[] = {
    { "B11: a missing one is waited for",
      "> 452-['message'," P0 "]\n# 01\n+ 9999\n.\n# 02\n< 45*" },
    { "B11: but not for ever", "> 452-['message'," P0 "]\n# 01\n+ 9999\n.\n+ 1\n< CLOSE()" },
    { "B11: the time is counted from the header on",
      "> 452-['message'," P0 "]\n+ 9000\n# 01\n.\n+ 1000\n< CLOSE()" },
    { "B11: for each packet anew",
      "> 451-['message'," P0 "]\n+ 9000\n# 01\n< 451-*\n< <01>\n"
      "> 451-['message'," P0 "]\n+ 9000\n# 02\n< 451-*\n< <02>\n+ 5000\n." },
};

static void missing_attachments_are_due(void **state)
{
    (void)state;
    app_options()->request_timeout_ms = 10000;
    play_everywhere(JOINED, missing, COUNT(missing));
}

static const play before_joining[] = {
    { "B15: no attachments before CONNECT", "> 451-['x'," P0 "]\n< CLOSE()" },
    { "B15: none while a middleware decides",
      "> 40/auth,{'token':'slow'}\n.\n> 451-/auth,['x'," P0 "]\n< CLOSE()" },
};

/* Text and attachments count together: at the limit, and one byte more. */
static void a_packet_has_a_limit_with_its_attachments(void **state)
{
    (void)state;
    play_default("", before_joining, COUNT(before_joining));
    static const char text[] = "51-['message'," P0 "]";
    for (size_t under = 0; under < 3; under++) {
        size_t limit = sizeof text - 1 + 100 - 1 + under;  // one less than is sent, equal, one more
        app_options()->max_packet = limit;
        sio_server *io = app_begin();
        for (int transport = SIM_WS; transport <= SIM_POLL; transport++) {
            static const char bytes[100] = "";
            sim_peer p;
            sim_open(io, &p, transport, NULL);
            sim_say(&p, "40");
            sim_hear_all(&p);
            sim_say(&p, "451-[\"message\",{\"_placeholder\":true,\"num\":0}]");
            sim_say_bytes(&p, bytes, sizeof bytes);
            sim_run_ms(io, 0);
            assert_true(sim_like(under == 0 ? "CLOSE()" : "451-*", sim_hear(&p)));
        }
        app_free(io);
    }
}

/* The text alone can be too much. */
static void a_text_that_announces_attachments_has_the_limit_too(void **state)
{
    (void)state;
    app_options()->max_packet = 29;
    static const play cases[] = {
        { "at the limit", JOINED "> 451-['message',"
                                 "12345678901234"
                                 "]\n.\n# \n< 42*" },
        { "over it", JOINED "> 451-['message',"
                            "123456789012345"
                            "]\n< CLOSE()" },
        { "without attachments it is max_payload",
          JOINED "> 42['message',12345678901234567890]\n< 42*" },
    };
    play_everywhere("", cases, COUNT(cases));
}

/* The bytes that a client makes the server keep. */
static void what_is_kept_is_counted(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_WS, NULL);
    sim_say(&p, "40");
    sim_hear_all(&p);
    const sio_session *session = sio_of(io, "/")->sockets[0]->client->session;
    size_t before = sio_client_events.held(session);
    assert_int_equal(before, sizeof(sio_socket));
    char *bytes = filled(1000, 'x');
    sim_say(&p, "452-[\"message\"]");
    sim_run_ms(io, 0);
    size_t header = sio_client_events.held(session);
    assert_true(header > before + strlen("52-[\"message\"]") && header < before + 300);
    sim_say_bytes(&p, bytes, 1000);
    sim_run_ms(io, 0);
    assert_int_equal(sio_client_events.held(session), header + 1000);
    sim_say_bytes(&p, bytes, 1000);
    sim_run_ms(io, 0);
    assert_int_equal(sio_client_events.held(session), before);
    sim_say(&p, "40/custom,{\"token\":\"0123456789\"}");  // CONNECT and its payload
    sim_run_ms(io, 0);
    assert_int_equal(sio_client_events.held(session),
                     2 * before + sizeof "{\"token\":\"0123456789\"}");
    free(bytes);
    app_free(io);
}

/* ---- Rooms ---------------------------------------------------------------------------------- */

/* A is in r1, B in r1 and r2, C in r2. */
#define THREE                                                                                      \
    "A ws\nB ws\nC poll\nA> 40\nA< 40*\nA< 42*\nB> 40\nB< 40*\nB< 42*\nC> 40\nC< 40*\nC< 42*\n"    \
    "A> 420['join','r1']\nA< 430[['r1']]\nB> 420['join',['r1','r2']]\nB< 430[['r1','r2']]\n"       \
    "C> 420['join','r2']\nC< 430[['r2']]\n"
#define HEARD "< 42['e',1]\n"

static const play rooms[] = {
    { "M03: io.emit", "> 42['nsp-emit','e',[1]]\nA" HEARD "B" HEARD "C" HEARD },
    { "M03: socket.broadcast", "> 42['broadcast','e',[1]]\nB" HEARD "C" HEARD "A." },
    { "M03: io.to(r1)", "> 42['in','r1','e',[1]]\nA" HEARD "B" HEARD "C." },
    { "M03: io.to(r1).to(r2), each once",
      "> 42['in',['r1','r2'],'e',[1]]\nA" HEARD "B" HEARD "C" HEARD "A.\nB.\nC." },
    { "M03: socket.to(r1)", "> 42['to','r1','e',[1]]\nB" HEARD "A.\nC." },
    { "M03: socket.to(r1).to(r2)", "> 42['to',['r1','r2'],'e',[1]]\nB" HEARD "C" HEARD "A." },
    { "M03: io.to(r1).except(r2)", "> 42['to-except','r1','r2','e',[1]]\nA" HEARD "B.\nC." },
    { "M03: io.except(r1)", "> 42['to-except',null,'r1','e',[1]]\nC" HEARD "A.\nB." },
    { "M03: io.to(unknown)", "> 42['in','nobody','e',[1]]\nA.\nB.\nC." },
    { "M03: io.to([]) is everybody", "> 42['in',[],'e',[1]]\nA" HEARD "B" HEARD "C" HEARD },
    { "M03: io.to(unknown).to(r2)", "> 42['in',['nobody','r2'],'e',[1]]\nB" HEARD "C" HEARD "A." },
    { "M03: socket.to(socket.id)", "> 42['to','$A','e',[1]]\nA.\nB.\nC." },
    { "M02: io.to(socket.id)", "> 42['in','$A','e',[1]]\nA" HEARD "B.\nC." },
    { "M02: a room of one's own can be left", "> 421['leave','$A']\n< 431[['r1']]\n"
                                              "> 42['in','$A','e',[1]]\n." },
    { "M03: socketsJoin",
      "> 421['sockets-join','r1','r3']\n< 431[]\n> 42['in','r3','e',[1]]\nA" HEARD "B" HEARD "C." },
    { "M03: socketsLeave", "> 421['sockets-leave','r2','r2']\n< 431[]\n> 42['in','r2','e',[1]]\n"
                           "A.\nB.\nC." },
    { "M03: in(r2).except(r1).disconnectSockets, by id", "> 42['disconnect-sockets','$C']\nC< 41\n"
                                                         "C.\nA.\nB." },
    { "M03: in(r1).disconnectSockets(true)", "> 42['disconnect-sockets','r1',true]\nA< 41\n"
                                             "A< CLOSE()\nB< 41\nB< CLOSE()\nC." },
    { "M03: a room with the empty name",
      "> 421['join','']\n< 431[['','r1']]\n> 42['in','','e',[1]]\n"
      "A" HEARD "B." },
    { "M01: connected, then what the handler says", "D ws\nD> 40\nD< 40{'sid':'*'}\n"
                                                    "D< 42['auth',{}]\nD." },
    { "D04: the rooms are there when it is disconnecting",
      "> 41\nB> 421['last-disconnects',null]\n"
      "B< 431[[*{'id':'$A','nsp':'/','reason':'client namespace disconnect','rooms':['r1']}]]\n"
      "B> 422['in','r1','e',[1]]\nB< 42['e',1]\nB< 432[]\nA." },
};

static void rooms_reach_their_members(void **state)
{
    (void)state;
    app_options();
    play_alone(0, THREE, rooms, COUNT(rooms));
}

/* ---- Middlewares, families ------------------------------------------------------------------ */

static const play middlewares[] = {
    { "M04: an error with data",
      "> 40/auth,\n"
      "< 44/auth,{'message':'not authorized','data':{'code':401,'hint':'send the token'}}" },
    { "M05: an error without", "> 40/auth,{'token':'nodata'}\n< 44/auth,{'message':'no data'}" },
    { "M06: CONNECT again after an error", "> 40/auth,\n< 44*\n> 40/auth,{'token':'secret'}\n"
                                           "< 40/auth,{'sid':'*'}" },
    { "M04: a late error", "> 40/auth,{'token':'slow-bad'}\n.\n+ 250\n"
                           "< 44/auth,{'message':'too late'}" },
    { "M06: a late success", "> 40/auth,{'token':'slow'}\n.\n+ 250\n< 40/auth,{'sid':'*'}" },
    { "S06: an event after a refusal", "> 40/auth,\n< 44*\n> 42/auth,['x']\n< CLOSE()" },
    { "M07: a refused event has no answer", JOINED "> 421['mw-drop']\n." },
    { "M07: but runs the error handler",
      JOINED "> 421['mw-reject',7]\n"
             "< 42['mw-error',{'message':'rejected by middleware','data':7}]\n." },
    { "M08: a family takes the name",
      "> 40/dyn-101,\n< 40/dyn-101,{'sid':'*'}\n< 42/dyn-101*\n"
      "> 42/dyn-101,['message',1]\n< 42/dyn-101,['message-back',1]" },
    { "M08: or refuses it", "> 40/dyn-abc,\n< 44/dyn-abc,{'message':'Invalid namespace'}" },
    { "M08: for what the payload says",
      "> 40/fam-1,{'deny':true}\n"
      "< 44/fam-1,{'message':'Invalid namespace'}\n> 40/fam-1,\n< 40/fam-1,{'sid':'*'}" },
};

static void middlewares_and_families_decide(void **state)
{
    (void)state;
    play_default("", middlewares, COUNT(middlewares));
}

static const play cleanup[] = {
    { "M09: a dynamic namespace goes with its last socket",
      JOINED "> 40/dyn-7,\n< 40/dyn-7*\n< 42*\n> 421['nsp-exists','/dyn-7']\n< 431[true]\n"
             "> 41/dyn-7,\n> 422['nsp-exists','/dyn-7']\n< 432[false]\n"
             "> 40/dyn-7,\n< 40/dyn-7,{'sid':'*'}" },
};

static void empty_namespaces_go_when_that_is_asked_for(void **state)
{
    (void)state;
    app_options()->cleanup_empty_namespaces = true;
    play_everywhere("", cleanup, COUNT(cleanup));
}

/* ---- Volatile events and values ------------------------------------------------------------- */

static const play volatiles_poll[] = {
    { "M10: nobody polls: dropped; the next packet comes",
      JOINED "> 421['volatile',1]\n< 431[]\n." },
};

/* Behind a "." a GET waits, and a WebSocket is idle. */
static const play volatiles[] = {
    { "M10: delivered on an idle transport", "> 421['volatile',1]\n< 42['vol',0]\n< 431[]" },
    { "M10: the first of several", "> 421['volatile',3]\n< 42['vol',0]\n< 431[]\n." },
    { "M10: in the next turn again",
      "> 42['volatile',1]\n< 42['vol',0]\n.\n> 42['volatile',2]\n"
      "< 42['vol',0]\n.\n> 42['message',1]\n< 42['message-back',1]" },
};

static const play volatiles_behind[] = {
    { "M10: not behind another packet",
      "> 421['message-with-ack',1]|42['volatile',1]\n< 431[1]\n." },
};

static void volatile_events_are_dropped_where_they_would_wait(void **state)
{
    (void)state;
    app_options();
    play_alone(SIM_POLL, "", volatiles_poll, COUNT(volatiles_poll));
    for (int transport = SIM_WS; transport <= SIM_POLL; transport++)
        play_alone(transport, JOINED ".\n", volatiles_behind, COUNT(volatiles_behind));
    play_default(JOINED ".\n", volatiles, COUNT(volatiles));
}

static const play volatile_broadcasts[] = {
    { "M10: each receiver for itself",
      "A> 421['volatile-broadcast',2]\nA< 431[]\nB< 42['vol',0]\nB.\nC< 42['vol',0]\nC.\nD." },
};

/* D does not poll. */
static void volatile_broadcasts_reach_who_can_take_them(void **state)
{
    (void)state;
    app_options();
    play_alone(0,
               "A ws\nB ws\nC poll\nD poll\nA> 40\nA< 40*\nA< 42*\nB> 40\nB< 40*\nB< 42*\nC> 40\n"
               "C< 40*\nC< 42*\nC.\nD> 40\nD< 40*\nD< 42*\n",
               volatile_broadcasts, COUNT(volatile_broadcasts));
}

/* M11: what has no JSON is null. */
static void values_without_json_are_null(void **state)
{
    (void)state;
    sio_server *io = app_new();
    size_t n;
    double zero = 0;
    const char *json = sio_json(sio_make(io, "[%p, %g, %g]", NULL, zero / zero, 1 / zero), &n);
    assert_int_equal(n, 16);
    assert_memory_equal(json, "[null,null,null]", 16);
    app_free(io);
}

/* ---- Disconnects ---------------------------------------------------------------------------- */

static const play disconnects[] = {
    { "D01: one namespace", "> 42['disconnect-me']\n< 41\n.\n? server namespace disconnect\n"
                            "> 40\n< 40*" },
    { "D01: an event behind it", "> 42['disconnect-me']\n< 41\n> 42['message']\n< CLOSE()" },
    { "D02: the connection with two namespaces",
      "> 40/custom,\n< 40*\n< 42*\n"
      "> 42['disconnect-me',true]\n< 41\n< 41/custom,\n< CLOSE()\n? server namespace disconnect" },
    { "D02: what was said before comes before", "> 42['goodbye',true]\n< 42['farewell',1]\n"
                                                "< 42['farewell',2]\n< 41\n< CLOSE()" },
    { "D02: later", "> 42['disconnect-me-later',100,true]\n.\n+ 100\n< 41\n< CLOSE()" },
    { "D02: without a packet", "> 42['engine-close']\n< CLOSE()\n? forced close" },
};

static void disconnects_are_told(void **state)
{
    (void)state;
    play_default(JOINED, disconnects, COUNT(disconnects));
}

/* D03: no DISCONNECT, only the end of the session. */
static void a_shutdown_tells_the_reason(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer ws, poll;
    sim_open(io, &ws, SIM_WS, NULL);
    sim_open(io, &poll, SIM_POLL, NULL);
    sim_say(&ws, "40");
    sim_say(&poll, "40");
    sim_hear_all(&ws);
    sim_hear_all(&poll);
    sio_shutdown(io);
    assert_int_equal(sim_run_ms(io, 10), 1);
    assert_string_equal(sim_hear_all(&ws), "CLOSE()");
    assert_string_equal(sim_hear_all(&poll), "CLOSE()");
    assert_string_equal(app_reason(), "server shutting down");
    assert_int_equal(sim_run_ms(io, 600), 0);  // stop_timeout
    assert_true(sim_closed(ws.ws));
    app_free(io);
}

/* D05: a state violation on polling, while no GET waits. */
static void a_violation_without_a_get_is_told_to_the_next(void **state)
{
    (void)state;
    sio_server *io = app_new();
    sim_peer p;
    sim_open(io, &p, SIM_POLL, NULL);
    sim_say(&p, "40");
    assert_true(sim_like("40*", sim_hear(&p)));
    assert_true(sim_like("42*", sim_hear(&p)));
    sim_say(&p, "40");
    assert_string_equal(app_reason(), "forced server close");
    assert_string_equal(sim_hear_all(&p), "CLOSE()");
    assert_string_equal(sim_hear(&p), "END");
    app_free(io);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sockets_join_namespaces),
        cmocka_unit_test(a_socket_has_an_id_of_its_own),
        cmocka_unit_test(packets_are_what_they_must_be),
        cmocka_unit_test(numbers_are_written_as_javascript_does),
        cmocka_unit_test(nesting_is_limited_and_never_recursed),
        cmocka_unit_test(acknowledgements_come_once),
        cmocka_unit_test(broadcasts_collect_answers),
        cmocka_unit_test(attachments_find_their_places),
        cmocka_unit_test(missing_attachments_are_due),
        cmocka_unit_test(a_packet_has_a_limit_with_its_attachments),
        cmocka_unit_test(a_text_that_announces_attachments_has_the_limit_too),
        cmocka_unit_test(what_is_kept_is_counted),
        cmocka_unit_test(rooms_reach_their_members),
        cmocka_unit_test(middlewares_and_families_decide),
        cmocka_unit_test(empty_namespaces_go_when_that_is_asked_for),
        cmocka_unit_test(volatile_events_are_dropped_where_they_would_wait),
        cmocka_unit_test(volatile_broadcasts_reach_who_can_take_them),
        cmocka_unit_test(values_without_json_are_null),
        cmocka_unit_test(disconnects_are_told),
        cmocka_unit_test(a_shutdown_tells_the_reason),
        cmocka_unit_test(a_violation_without_a_get_is_told_to_the_next),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
