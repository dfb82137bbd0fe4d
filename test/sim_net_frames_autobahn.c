/* sim_net_frames_autobahn.c - the cases of the Autobahn test suite for servers, but for compression
 * SPDX-License-Identifier: MIT
 *
 * Numbers, bytes and outcomes are those of github.com/crossbario/autobahn-testsuite, sections 1 to 7, 9 and
 * 10; 12 and 13 are about permessage-deflate. Each is played with reads of all there is, of 997 bytes, and
 * byte by byte, which several of them are about. Where the suite takes several outcomes, ours is here.
 *
 * A close frame comes back with its reason. One outcome differs: 9.3.1 and 9.4.1 send four megabytes in 65536 frames; ours closes with 1008 behind 16384, as
 * the reference server's WebSocket library does. */
#include "lib.h"
#include "sim.h"

/* A script of frames: the first byte, then ':' and the payload, or '*' and how many stars it has. want: what
 * comes back, joined with '|'; "=": the payload; "*N", "<N": N stars as text, or as binary; a star at the end
 * is anything. Where nothing closes the connection, the client does, with 1000. */
typedef struct autobahn {
    const char *number, *script, *want;
} autobahn;

static const autobahn cases[] = {
    { "1.1.1", "81*0", "*0" },
    { "1.1.2", "81*125", "*125" },
    { "1.1.3", "81*126", "*126" },
    { "1.1.4", "81*127", "*127" },
    { "1.1.5", "81*128", "*128" },
    { "1.1.6", "81*65535", "*65535" },
    { "1.1.7", "81*65536", "*65536" },
    { "1.2.1", "82*0", "<0" },
    { "1.2.2", "82*125", "<125" },
    { "1.2.3", "82*126", "<126" },
    { "1.2.4", "82*127", "<127" },
    { "1.2.5", "82*128", "<128" },
    { "1.2.6", "82*65535", "<65535" },
    { "1.2.7", "82*65536", "<65536" },
    { "2.1", "89:", "PONG()" },
    { "2.2", "89:48656c6c6f2c20776f726c6421", "PONG(Hello, world!)" },
    { "2.3", "89:00fffefdfcfb00ff", "PONG(*" },
    { "2.4, 2.6", "89*125", "PONG(*" },
    { "2.5", "89*126", "CLOSE(1002)" },
    { "2.7", "8a:", "" },
    { "2.8", "8a:756e736f6c69636974656420706f6e67207061796c6f6164", "" },
    { "2.9", "8a:756e736f6c69636974656420706f6e67207061796c6f6164 89:70696e67207061796c6f6164",
      "PONG(ping payload)" },
    { "2.10, 2.11",
      "89:7061796c6f61642d30 89:7061796c6f61642d31 89:7061796c6f61642d32 89:7061796c6f61642d33 "
      "89:7061796c6f61642d34 89:7061796c6f61642d35 89:7061796c6f61642d36 89:7061796c6f61642d37 "
      "89:7061796c6f61642d38 89:7061796c6f61642d39",
      "PONG(payload-0)|PONG(payload-1)|PONG(payload-2)|PONG(payload-3)|PONG(payload-4)|PONG("
      "payload-5)|PONG(payload-6)|PONG(payload-7)|PONG(payload-8)|PONG(payload-9)" },
    { "3.1", "c1:48656c6c6f2c20776f726c6421", "CLOSE(1002)" },
    { "3.2", "81:48656c6c6f2c20776f726c6421 a1:48656c6c6f2c20776f726c6421 89:",
      "Hello, world!|CLOSE(1002)" },
    { "3.3, 3.4", "81:48656c6c6f2c20776f726c6421 b1:48656c6c6f2c20776f726c6421 89:",
      "Hello, world!|CLOSE(1002)" },
    { "3.5", "d2:00fffefdfcfb00ff", "CLOSE(1002)" },
    { "3.6", "e9:48656c6c6f2c20776f726c6421", "CLOSE(1002)" },
    { "3.7", "f8:", "CLOSE(1002)" },
    { "4.1.1", "83:", "CLOSE(1002)" },
    { "4.1.2", "84:7265736572766564206f70636f6465207061796c6f6164", "CLOSE(1002)" },
    { "4.1.3", "81:48656c6c6f2c20776f726c6421 85: 89:", "Hello, world!|CLOSE(1002)" },
    { "4.1.4", "81:48656c6c6f2c20776f726c6421 86:48656c6c6f2c20776f726c6421 89:",
      "Hello, world!|CLOSE(1002)" },
    { "4.1.5", "81:48656c6c6f2c20776f726c6421 87:48656c6c6f2c20776f726c6421 89:",
      "Hello, world!|CLOSE(1002)" },
    { "4.2.1", "8b:", "CLOSE(1002)" },
    { "4.2.2", "8c:7265736572766564206f70636f6465207061796c6f6164", "CLOSE(1002)" },
    { "4.2.3", "81:48656c6c6f2c20776f726c6421 8d: 89:", "Hello, world!|CLOSE(1002)" },
    { "4.2.4", "81:48656c6c6f2c20776f726c6421 8e:48656c6c6f2c20776f726c6421 89:",
      "Hello, world!|CLOSE(1002)" },
    { "4.2.5", "81:48656c6c6f2c20776f726c6421 8f:48656c6c6f2c20776f726c6421 89:",
      "Hello, world!|CLOSE(1002)" },
    { "5.1", "09:667261676d656e7431 80:667261676d656e7432", "CLOSE(1002)" },
    { "5.2", "0a:667261676d656e7431 80:667261676d656e7432", "CLOSE(1002)" },
    { "5.3, 5.4, 5.5", "01:667261676d656e7431 80:667261676d656e7432", "fragment1fragment2" },
    { "5.6, 5.7, 5.8", "01:667261676d656e7431 89:70696e67207061796c6f6164 80:667261676d656e7432",
      "PONG(ping payload)|fragment1fragment2" },
    { "5.9, 5.10, 5.11",
      "80:6e6f6e2d636f6e74696e756174696f6e207061796c6f6164 81:48656c6c6f2c20776f726c6421",
      "CLOSE(1002)" },
    { "5.12, 5.13, 5.14",
      "00:6e6f6e2d636f6e74696e756174696f6e207061796c6f6164 81:48656c6c6f2c20776f726c6421",
      "CLOSE(1002)" },
    { "5.15",
      "01:667261676d656e7431 80:667261676d656e7432 00:667261676d656e7433 81:667261676d656e7434",
      "fragment1fragment2|CLOSE(1002)" },
    { "5.16",
      "00:667261676d656e7431 01:667261676d656e7432 80:667261676d656e7433 00:667261676d656e7431 "
      "01:667261676d656e7432 80:667261676d656e7433",
      "CLOSE(1002)" },
    { "5.17",
      "80:667261676d656e7431 01:667261676d656e7432 80:667261676d656e7433 80:667261676d656e7431 "
      "01:667261676d656e7432 80:667261676d656e7433",
      "CLOSE(1002)" },
    { "5.18", "01:667261676d656e7431 81:667261676d656e7432", "CLOSE(1002)" },
    { "5.19, 5.20",
      "01:667261676d656e7431 00:667261676d656e7432 89:706f6e676d65203121 00:667261676d656e7433 "
      "00:667261676d656e7434 89:706f6e676d65203221 80:667261676d656e7435",
      "PONG(pongme 1!)|PONG(pongme 2!)|fragment1fragment2fragment3fragment4fragment5" },
    { "6.1.1", "81:", "*0" },
    { "6.1.2", "01: 00: 80:", "*0" },
    { "6.1.3", "01: 00:6d6964646c65 80:", "middle" },
    { "6.2.1", "81:48656c6c6f2dc2b540c39fc3b6c3a4c3bcc3a0c3a12d5554462d382121",
      "Hello-\302\265@\303\237\303\266\303\244\303\274\303\240\303\241-UTF-8!!" },
    { "6.2.2", "01:48656c6c6f2dc2b540c39fc3 80:b6c3a4c3bcc3a0c3a12d5554462d382121",
      "Hello-\302\265@\303\237\303\266\303\244\303\274\303\240\303\241-UTF-8!!" },
    { "6.2.3",
      "01:48 00:65 00:6c 00:6c 00:6f 00:2d 00:c2 00:b5 00:40 00:c3 00:9f 00:c3 00:b6 00:c3 00:a4 "
      "00:c3 00:bc 00:c3 00:a0 00:c3 00:a1 00:2d 00:55 00:54 00:46 00:2d 00:38 00:21 00:21 80:",
      "Hello-\302\265@\303\237\303\266\303\244\303\274\303\240\303\241-UTF-8!!" },
    { "6.2.4", "01:ce 00:ba 00:cf 00:8c 00:cf 00:83 00:ce 00:bc 00:ce 00:b5 80:",
      "\316\272\317\214\317\203\316\274\316\265" },
    { "6.3.1", "81:cebae1bdb9cf83cebcceb5eda080656469746564", "CLOSE(1007)" },
    { "6.3.2",
      "01:ce 00:ba 00:e1 00:bd 00:b9 00:cf 00:83 00:ce 00:bc 00:ce 00:b5 00:ed 00:a0 00:80 00:65 "
      "00:64 00:69 00:74 00:65 00:64 80:",
      "CLOSE(1007)" },
    { "6.4.1, 6.4.3", "01:cebae1bdb9cf83cebcceb5 00:f4908080 80:656469746564", "CLOSE(1007)" },
    { "6.4.2, 6.4.4", "01:cebae1bdb9cf83cebcceb5f4 00:90 80:8080656469746564", "CLOSE(1007)" },
    { "6.5.1", "81:68656c6c6f24776f726c64", "=" },
    { "6.5.2", "81:68656c6c6fc2a2776f726c64", "=" },
    { "6.5.3", "81:68656c6c6fe282ac776f726c64", "=" },
    { "6.5.4", "81:68656c6c6ff0a4ada2776f726c64", "=" },
    { "6.5.5", "81:cebacf8ccf83cebcceb5", "=" },
    { "6.6.1", "81:ce", "CLOSE(1007)" },
    { "6.6.2", "81:ceba", "=" },
    { "6.6.3", "81:cebacf", "CLOSE(1007)" },
    { "6.6.4", "81:cebacf8c", "=" },
    { "6.6.5", "81:cebacf8ccf", "CLOSE(1007)" },
    { "6.6.6", "81:cebacf8ccf83", "=" },
    { "6.6.7", "81:cebacf8ccf83ce", "CLOSE(1007)" },
    { "6.6.8", "81:cebacf8ccf83cebc", "=" },
    { "6.6.9", "81:cebacf8ccf83cebcce", "CLOSE(1007)" },
    { "6.6.10", "81:cebacf8ccf83cebcceb5", "=" },
    { "6.7.1", "81:00", "=" },
    { "6.7.2", "81:c280", "=" },
    { "6.7.3", "81:e0a080", "=" },
    { "6.7.4", "81:f0908080", "=" },
    { "6.8.1", "81:f888808080", "CLOSE(1007)" },
    { "6.8.2", "81:fc8480808080", "CLOSE(1007)" },
    { "6.9.1", "81:7f", "=" },
    { "6.9.2", "81:dfbf", "=" },
    { "6.9.3", "81:efbfbf", "=" },
    { "6.9.4", "81:f48fbfbf", "=" },
    { "6.10.1", "81:f7bfbfbf", "CLOSE(1007)" },
    { "6.10.2", "81:fbbfbfbfbf", "CLOSE(1007)" },
    { "6.10.3", "81:fdbfbfbfbfbf", "CLOSE(1007)" },
    { "6.11.1", "81:ed9fbf", "=" },
    { "6.11.2", "81:ee8080", "=" },
    { "6.11.3", "81:efbfbd", "=" },
    { "6.11.4", "81:f48fbfbf", "=" },
    { "6.11.5", "81:f4908080", "CLOSE(1007)" },
    { "6.12.1", "81:80", "CLOSE(1007)" },
    { "6.12.2", "81:bf", "CLOSE(1007)" },
    { "6.12.3", "81:80bf", "CLOSE(1007)" },
    { "6.12.4", "81:80bf80", "CLOSE(1007)" },
    { "6.12.5", "81:80bf80bf", "CLOSE(1007)" },
    { "6.12.6", "81:80bf80bf80", "CLOSE(1007)" },
    { "6.12.7", "81:80bf80bf80bf", "CLOSE(1007)" },
    { "6.12.8",
      "81:"
      "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacad"
      "aeafb0b1b2b3b4b5b6b7b8b9babbbcbdbe",
      "CLOSE(1007)" },
    { "6.13.1",
      "81:"
      "c020c120c220c320c420c520c620c720c820c920ca20cb20cc20cd20ce20cf20d020d120d220d320d420d520d620"
      "d720d820d920da20db20dc20dd20de20",
      "CLOSE(1007)" },
    { "6.13.2", "81:e020e120e220e320e420e520e620e720e820e920ea20eb20ec20ed20ee20", "CLOSE(1007)" },
    { "6.13.3", "81:f020f120f220f320f420f520f620", "CLOSE(1007)" },
    { "6.13.4", "81:f820f920fa20", "CLOSE(1007)" },
    { "6.13.5", "81:fc20", "CLOSE(1007)" },
    { "6.14.1", "81:c0", "CLOSE(1007)" },
    { "6.14.2", "81:e080", "CLOSE(1007)" },
    { "6.14.3", "81:f08080", "CLOSE(1007)" },
    { "6.14.4", "81:f8808080", "CLOSE(1007)" },
    { "6.14.5", "81:fc80808080", "CLOSE(1007)" },
    { "6.14.6", "81:df", "CLOSE(1007)" },
    { "6.14.7", "81:efbf", "CLOSE(1007)" },
    { "6.14.8", "81:f7bfbf", "CLOSE(1007)" },
    { "6.14.9", "81:fbbfbfbf", "CLOSE(1007)" },
    { "6.14.10", "81:fdbfbfbfbf", "CLOSE(1007)" },
    { "6.15.1", "81:c0e080f08080f8808080fc80808080dfefbff7bfbffbbfbfbffdbfbfbfbf", "CLOSE(1007)" },
    { "6.16.1", "81:fe", "CLOSE(1007)" },
    { "6.16.2", "81:ff", "CLOSE(1007)" },
    { "6.16.3", "81:fefeffff", "CLOSE(1007)" },
    { "6.17.1", "81:c0af", "CLOSE(1007)" },
    { "6.17.2", "81:e080af", "CLOSE(1007)" },
    { "6.17.3", "81:f08080af", "CLOSE(1007)" },
    { "6.17.4", "81:f8808080af", "CLOSE(1007)" },
    { "6.17.5", "81:fc80808080af", "CLOSE(1007)" },
    { "6.18.1", "81:c1bf", "CLOSE(1007)" },
    { "6.18.2", "81:e09fbf", "CLOSE(1007)" },
    { "6.18.3", "81:f08fbfbf", "CLOSE(1007)" },
    { "6.18.4", "81:f887bfbfbf", "CLOSE(1007)" },
    { "6.18.5", "81:fc83bfbfbfbf", "CLOSE(1007)" },
    { "6.19.1", "81:c080", "CLOSE(1007)" },
    { "6.19.2", "81:e08080", "CLOSE(1007)" },
    { "6.19.3", "81:f0808080", "CLOSE(1007)" },
    { "6.19.4", "81:f880808080", "CLOSE(1007)" },
    { "6.19.5", "81:fc8080808080", "CLOSE(1007)" },
    { "6.20.1", "81:eda080", "CLOSE(1007)" },
    { "6.20.2", "81:edadbf", "CLOSE(1007)" },
    { "6.20.3", "81:edae80", "CLOSE(1007)" },
    { "6.20.4", "81:edafbf", "CLOSE(1007)" },
    { "6.20.5", "81:edb080", "CLOSE(1007)" },
    { "6.20.6", "81:edbe80", "CLOSE(1007)" },
    { "6.20.7", "81:edbfbf", "CLOSE(1007)" },
    { "6.21.1", "81:eda080edb080", "CLOSE(1007)" },
    { "6.21.2", "81:eda080edbfbf", "CLOSE(1007)" },
    { "6.21.3", "81:edadbfedb080", "CLOSE(1007)" },
    { "6.21.4", "81:edadbfedbfbf", "CLOSE(1007)" },
    { "6.21.5", "81:edae80edb080", "CLOSE(1007)" },
    { "6.21.6", "81:edae80edbfbf", "CLOSE(1007)" },
    { "6.21.7", "81:edafbfedb080", "CLOSE(1007)" },
    { "6.21.8", "81:edafbfedbfbf", "CLOSE(1007)" },
    { "6.22.1", "81:efbfbe", "=" },
    { "6.22.2", "81:efbfbf", "=" },
    { "6.22.3", "81:f09fbfbe", "=" },
    { "6.22.4", "81:f09fbfbf", "=" },
    { "6.22.5", "81:f0afbfbe", "=" },
    { "6.22.6", "81:f0afbfbf", "=" },
    { "6.22.7", "81:f0bfbfbe", "=" },
    { "6.22.8", "81:f0bfbfbf", "=" },
    { "6.22.9", "81:f18fbfbe", "=" },
    { "6.22.10", "81:f18fbfbf", "=" },
    { "6.22.11", "81:f19fbfbe", "=" },
    { "6.22.12", "81:f19fbfbf", "=" },
    { "6.22.13", "81:f1afbfbe", "=" },
    { "6.22.14", "81:f1afbfbf", "=" },
    { "6.22.15", "81:f1bfbfbe", "=" },
    { "6.22.16", "81:f1bfbfbf", "=" },
    { "6.22.17", "81:f28fbfbe", "=" },
    { "6.22.18", "81:f28fbfbf", "=" },
    { "6.22.19", "81:f29fbfbe", "=" },
    { "6.22.20", "81:f29fbfbf", "=" },
    { "6.22.21", "81:f2afbfbe", "=" },
    { "6.22.22", "81:f2afbfbf", "=" },
    { "6.22.23", "81:f2bfbfbe", "=" },
    { "6.22.24", "81:f2bfbfbf", "=" },
    { "6.22.25", "81:f38fbfbe", "=" },
    { "6.22.26", "81:f38fbfbf", "=" },
    { "6.22.27", "81:f39fbfbe", "=" },
    { "6.22.28", "81:f39fbfbf", "=" },
    { "6.22.29", "81:f3afbfbe", "=" },
    { "6.22.30", "81:f3afbfbf", "=" },
    { "6.22.31", "81:f3bfbfbe", "=" },
    { "6.22.32", "81:f3bfbfbf", "=" },
    { "6.22.33", "81:f48fbfbe", "=" },
    { "6.22.34", "81:f48fbfbf", "=" },
    { "6.23.1", "81:efbfb9", "=" },
    { "6.23.2", "81:efbfba", "=" },
    { "6.23.3", "81:efbfbb", "=" },
    { "6.23.4", "81:efbfbc", "=" },
    { "6.23.5", "81:efbfbd", "=" },
    { "6.23.6", "81:efbfbe", "=" },
    { "6.23.7", "81:efbfbf", "=" },
    { "7.1.1", "81:48656c6c6f20576f726c6421 88:03e8", "Hello World!|CLOSE(1000)" },
    { "7.1.2", "88:03e8 88:03e8", "CLOSE(1000)" },
    { "7.1.3", "88:03e8 89:", "CLOSE(1000)" },
    { "7.1.4", "88:03e8 81:48656c6c6f20576f726c6421", "CLOSE(1000)" },
    { "7.1.5", "01:667261676d656e7431 88:03e8 80:667261676d656e7432", "CLOSE(1000)" },
    { "7.1.6",
      "81*262144 81:48656c6c6f20576f726c6421 88:03e8 89:", "*262144|Hello World!|CLOSE(1000)" },
    { "7.3.1", "88:", "CLOSE()" },
    { "7.3.2", "88:61", "CLOSE(1002)" },
    { "7.3.3", "88:03e8", "CLOSE(1000)" },
    { "7.3.4", "88:03e848656c6c6f20576f726c6421", "CLOSE(1000*" },
    { "7.3.5",
      "88:"
      "03e82a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
      "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
      "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
      "CLOSE(1000*" },
    { "7.3.6",
      "88:"
      "03e82a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
      "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a"
      "2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a2a",
      "CLOSE(1002)" },
    { "7.5.1", "88:03e8cebae1bdb9cf83cebcceb5eda080656469746564", "CLOSE(1007)" },
    { "7.7.1", "88:03e8", "CLOSE(1000)" },
    { "7.7.2", "88:03e9", "CLOSE(1001)" },
    { "7.7.3", "88:03ea", "CLOSE(1002)" },
    { "7.7.4", "88:03eb", "CLOSE(1003)" },
    { "7.7.5", "88:03ef", "CLOSE(1007)" },
    { "7.7.6", "88:03f0", "CLOSE(1008)" },
    { "7.7.7", "88:03f1", "CLOSE(1009)" },
    { "7.7.8", "88:03f2", "CLOSE(1010)" },
    { "7.7.9", "88:03f3", "CLOSE(1011)" },
    { "7.7.10", "88:0bb8", "CLOSE(3000)" },
    { "7.7.11", "88:0f9f", "CLOSE(3999)" },
    { "7.7.12", "88:0fa0", "CLOSE(4000)" },
    { "7.7.13", "88:1387", "CLOSE(4999)" },
    { "7.9.1", "88:0000", "CLOSE(1002)" },
    { "7.9.2", "88:03e7", "CLOSE(1002)" },
    { "7.9.3", "88:03ec", "CLOSE(1002)" },
    { "7.9.4", "88:03ed", "CLOSE(1002)" },
    { "7.9.5", "88:03ee", "CLOSE(1002)" },
    { "7.9.6", "88:03f8", "CLOSE(1002)" },
    { "7.9.7", "88:044c", "CLOSE(1002)" },
    { "7.9.8", "88:07d0", "CLOSE(1002)" },
    { "7.9.9", "88:0bb7", "CLOSE(1002)" },
    { "7.13.1", "88:1388", "CLOSE(1002)" },
    { "7.13.2", "88:00010000", "CLOSE(1002)" },
};

/* ---- An echo ---------------------------------------------------------------------------------- */

static void echo(sio_ws *ws, bool text, const void *p, size_t n)
{
    sio_ws_send(ws, text, p, n);
}

static sio_server *begin(void)
{
    static const sio_ws_handlers handlers = { .message = echo };
    sim_fail = fail_with;
    sio_server *io = sim_new(&(sio_options){ .max_payload = 16 << 20, .max_output = 64 << 20 });
    assert_int_equal(sio_websocket(io, "/echo", &handlers), 0);
    return io;
}

/* ---- Scripts ---------------------------------------------------------------------------------- */

static unsigned hex(const char *p)
{
    unsigned v = 0;
    for (int i = 0; i < 2; i++)
        v = v * 16 + (unsigned)(p[i] <= '9' ? p[i] - '0' : p[i] - 'a' + 10);
    return v;
}

/* Sends the frame at p, and returns what is behind it. */
static const char *send_frame(sim_client *c, const char *p)
{
    unsigned first = hex(p);
    if (p[2] == '*') {
        size_t n = strtoul(p + 3, NULL, 10);
        char *stars = filled(n, '*');
        sim_ws_frame(c, first, stars, n);
        free(stars);
        return p + strcspn(p, " ");
    }
    size_t n = strcspn(p + 3, " ") / 2;
    unsigned char *bytes = malloc(n + 1);
    assert_non_null(bytes);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)hex(p + 3 + 2 * i);
    sim_ws_frame(c, first, bytes, n);
    free(bytes);
    return p + 3 + 2 * n;
}

/* Whether a message that came is the wanted one, of w bytes at want. script: for "=". */
static bool is_wanted(const char *got, const char *want, size_t w, const char *script)
{
    size_t n = strtoul(want + (w > 0), NULL, 10);
    if (w == 1 && want[0] == '=') {
        for (script += 3; *script != '\0'; script += 2, got++)
            if ((unsigned char)*got != hex(script))
                return false;
        return *got == '\0';
    }
    if (want[0] == '*' && w > 1)
        return strspn(got, "*") == n && got[n] == '\0';
    if (want[0] == '<')
        return strlen(got) == 2 * n + 2 && got[0] == '<';
    if (w > 0 && want[w - 1] == '*')
        return strncmp(got, want, w - 1) == 0;
    return strlen(got) == w && memcmp(got, want, w) == 0;
}

/* U+0000 and empty texts can't be told from nothing by sim_ws_hear: the frames themselves are looked at. */
static bool heard(sim_client *c, const autobahn *a)
{
    for (const char *want = a->want; *want != '\0';) {
        size_t w = strcspn(want, "|"), n;
        const char *bytes = sim_text(c, &n);
        bool empty = w == 2 && memcmp(want, "*0", 2) == 0;
        if (empty || strcmp(a->script, "81:00") == 0) {
            size_t size = empty ? 0 : 1;
            if (n < 2 + size || bytes[0] != '\x81' || (size_t)bytes[1] != size)
                return false;
            sim_take(c, 2 + size);
        } else if (!is_wanted(sim_ws_hear(c), want, w, a->script)) {
            return false;
        }
        want += w + (want[w] == '|');
    }
    return true;
}

static bool play(sio_server *io, const autobahn *a)
{
    sim_client *c = sim_ws_open(io, "/echo", NULL);
    for (const char *p = a->script; *p != '\0'; p += *p == ' ')
        p = send_frame(c, p);
    bool closes = strstr(a->want, "CLOSE(") != NULL;
    sim_run_ms(io, 0);
    bool good = heard(c, a);
    if (!closes) {
        sim_ws_frame(c, 0x88, "\x03\xe8", 2);
        sim_run_ms(io, 0);
        good = good && strcmp(sim_ws_hear(c), "CLOSE(1000)") == 0;
    }
    sim_finish(c);
    sim_run_ms(io, 0);
    return good && strcmp(sim_ws_hear(c), "END") == 0 && sim_closed(c);
}

static void every_case_ends_as_the_suite_says(void **state)
{
    static const size_t cuts[] = { 0, 997, 1 };
    size_t bad = 0;
    (void)state;
    for (size_t k = 0; k < COUNT(cuts); k++) {
        sio_server *io = begin();
        sim.cut = cuts[k];
        for (size_t i = 0; i < COUNT(cases); i++) {
            if (play(io, &cases[i]))
                continue;
            printf("%s, in pieces of %zu\n", cases[i].number, cuts[k]);
            bad++;
        }
        sim_free(io);
    }
    if (bad > 0)
        fail_msg("%zu cases", bad);
}

/* ---- Long messages ---------------------------------------------------------------------------- */

/* One message of n bytes in frames of so many, which comes back whole. */
static const char *send_long(sio_server *io, bool text, size_t n, size_t frame)
{
    sim_client *c = sim_ws_open(io, "/echo", NULL);
    char *stars = filled(n, '*');
    for (size_t at = 0; at < n; at += frame) {
        size_t size = n - at < frame ? n - at : frame;
        unsigned op = at > 0 ? 0 : text ? 1 : 2;
        sim_ws_frame(c, op | (at + size == n ? 0x80u : 0), stars + at, size);
    }
    sim_run_ms(io, 0);
    const char *got = sim_ws_hear(c);
    bool whole = text ? strlen(got) == n && strspn(got, "*") == n : strlen(got) == 2 * n + 2;
    free(stars);
    sim_close(c);
    sim_run_ms(io, 0);
    return whole ? "whole" : got;
}

static void long_messages_come_back(void **state)
{
    static const struct {
        const char *number;
        size_t n, frame;
    } sizes[] = { { "9.1.1", 64 << 10, 64 << 10 }, { "9.1.2", 256 << 10, 256 << 10 },
                  { "9.1.3", 1 << 20, 1 << 20 },   { "9.1.4", 4 << 20, 4 << 20 },
                  { "9.1.5", 8 << 20, 8 << 20 },   { "9.1.6", 16 << 20, 16 << 20 },
                  { "9.3.2", 4 << 20, 256 },       { "9.3.3", 4 << 20, 1 << 10 },
                  { "9.3.4", 4 << 20, 4 << 10 },   { "9.3.5", 4 << 20, 16 << 10 },
                  { "9.3.6", 4 << 20, 64 << 10 },  { "9.3.7", 4 << 20, 256 << 10 },
                  { "9.3.8", 4 << 20, 1 << 20 },   { "9.3.9", 4 << 20, 4 << 20 },
                  { "10.1.1", 65536, 1300 } };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(sizes); i++) {  // 9.2 and 9.4 are the same as binary
        sio_server *io = begin();
        const char *got = send_long(io, i % 2 == 0, sizes[i / 2].n, sizes[i / 2].frame);
        if (strcmp(got, "whole") != 0)
            fail_msg("%s: %.20s", sizes[i / 2].number, got);
        sim_free(io);
    }
    sio_server *io = begin();
    assert_string_equal(send_long(io, true, 4 << 20, 64), "CLOSE(1008)");   // 9.3.1
    assert_string_equal(send_long(io, false, 4 << 20, 64), "CLOSE(1008)");  // 9.4.1
    sim_free(io);
}

/* 9.5, 9.6: a megabyte that comes in small pieces. */
static void small_pieces_make_a_message(void **state)
{
    (void)state;
    for (size_t cut = 64; cut <= 2048; cut *= 2) {
        sio_server *io = begin();
        sim.cut = cut;
        assert_string_equal(send_long(io, true, 1 << 20, 1 << 20), "whole");
        assert_string_equal(send_long(io, false, 1 << 20, 1 << 20), "whole");
        sim_free(io);
    }
}

/* 9.7, 9.8: a thousand messages. */
static void a_thousand_messages_come_back(void **state)
{
    static const size_t sizes[] = { 0, 16, 64, 256, 1024, 4096 };
    (void)state;
    for (size_t i = 0; i < 2 * COUNT(sizes); i++) {
        sio_server *io = begin();
        sim_client *c = sim_ws_open(io, "/echo", NULL);
        size_t n = sizes[i / 2], want = 1000 * (n + (n < 126 ? 2 : 4)), got;
        char *stars = filled(n, '*');
        for (int k = 0; k < 1000; k++)
            sim_ws_frame(c, i % 2 == 0 ? 0x81 : 0x82, stars, n);
        sim_run_ms(io, 0);
        sim_text(c, &got);
        assert_int_equal(got, want);
        free(stars);
        sim_free(io);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_ends_as_the_suite_says),
        cmocka_unit_test(long_messages_come_back),
        cmocka_unit_test(small_pieces_make_a_message),
        cmocka_unit_test(a_thousand_messages_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
