// cluster.mjs - several processes as one, over a Redis: from each to each, the emitter, and faults
// SPDX-License-Identifier: MIT
//
//     CLUSTER=CCN node cluster.mjs     a letter per process: C is ours, N the reference
//
// That something does not arrive is seen without waiting for nothing: what the same process sends
// afterwards is there, and the order of one sender is kept (fence).
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import net from "node:net";
import {
  ask,
  collect,
  eager,
  LONGEST,
  next,
  PATIENCE,
  patient,
  require,
  start,
  startFixture,
  startReference,
  texts,
  unhurried,
  until,
} from "./lib.mjs";
import { freePort } from "./nginx.mjs";
import { startRedis } from "./redis.mjs";

const { io } = require("socket.io-client");
const { Emitter } = require("@socket.io/redis-emitter");
const { createClient } = require("redis");
const test = patient(plainTest);

const letters = [...(process.env.CLUSTER ?? "CCN")];
assert.ok(letters.length > 1 && letters.every((letter) => "CN".includes(letter)), "CLUSTER=CCN");
const kinds = [...new Set(letters)];
const programs = { C: startFixture, N: startReference };

/* ---- Servers and clients --------------------------------------------------------------------- */

const startServer = (letter, url) => programs[letter]("--redis", url);

const open = new Set();
let used = 0;
const fresh = (name) => `${name}-${++used}`; // rooms, namespaces and texts that no other test has

afterEach(() => {
  for (const socket of open) socket.disconnect();
  open.clear();
});

/* Its log is all that came to it, [event, ...arguments] each. */
async function connect(server, nsp = "/", options = {}) {
  const socket = io(server.url + nsp, { transports: ["websocket"], timeout: PATIENCE, ...eager, ...options });
  open.add(socket);
  socket.log = [];
  socket.onAny((event, ...args) => event !== "auth" && socket.log.push([event, ...args]));
  await next(socket, "connect");
  return socket;
}

const connectAll = (list, nsp, options) => Promise.all(list.map((server) => connect(server, nsp, options)));

/* The processes know each other in these namespaces, and hear each other. */
async function together(list, ...namespaces) {
  for (const nsp of namespaces) {
    const sockets = await connectAll(list, nsp);
    for (const socket of sockets) {
      await until(async () => (await ask(socket, "server-count"))[0] === list.length, `${list.length} servers`);
      const probe = fresh("probe");
      await until(async () => {
        await ask(socket, "nsp-emit", probe, []);
        return sockets.every((other) => heard(other, probe).length);
      }, "the processes to hear each other");
    }
    for (const socket of sockets) socket.disconnect();
  }
}

const heard = (socket, event) => socket.log.filter(([name]) => name === event).map(([, ...args]) => args);

/* All that the sender's process has sent before has arrived at these sockets, or never will. */
async function fence(sender, sockets) {
  const name = fresh("fence");
  await ask(sender, "nsp-emit", name, []);
  await until(() => sockets.every((socket) => heard(socket, name).length), "the fence");
}

/* Asks the sender's process with event and args, which contain the name that this makes. What each of
 * the sockets hears of that name is as expected: a list of lists of arguments each. */
async function hear(sender, sockets, make, expected) {
  const name = fresh("said");
  await ask(sender, ...make(name));
  await fence(sender, sockets);
  assert.deepEqual(sockets.map((socket) => heard(socket, name)), expected);
}

/* Who was there before these has left, as the processes see it. */
async function alone(sockets) {
  const [socket] = sockets;
  const left = async () => (await ask(socket, "fetch-sockets", []))[0].length === sockets.length;
  await until(left, "the others to leave");
}

const sorted = (list) => [...list].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
const times = (n, value) => Array(n).fill(value);

/* ---- What arguments may be ------------------------------------------------------------------- */

const bytes = (n) => Buffer.from(Array.from({ length: n }, (_, i) => (i * 31) & 255));
const payloads = {
  ...Object.fromEntries(
    Object.entries(texts).map(([name, text]) => [name, [text, { [text.slice(0, 40)]: [text] }]]),
  ),
  "lengths of text": [0, 31, 32, 255, 256, 65535, 65536].map((n) => "x".repeat(n)),
  "lengths of text, in bytes": [10, 11, 85, 86, 21845, 21846].map((n) => "값".repeat(n)),
  nothing: [],
  "JSON in depth": [null, true, false, "", [], {}, [[[]]], { a: { b: { c: [1, { d: null }] } } }, { "": "" }],
  "lengths of lists": [15, 16, 65536].map((n) => times(n, 7)),
  "lengths of objects": [15, 16, 300].map((n) => Object.fromEntries(times(n, 0).map((_, i) => [`k${i}`, i]))),
  "deep lists": [JSON.parse("[".repeat(60) + "]".repeat(60))],
  integers: [0, 1, 127, 128, 255, 256, 65535, 65536, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53],
  negatives: [-1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, 1 - 2 ** 53],
  fractions: [0.5, -1.5, 0.1, 1e-7, 5e-324, 123456.789, -2.5e-300],
  "names of prototypes": ["__proto__", { constructor: 1, toString: 2, length: 3 }],
  "a byte": [bytes(1)],
  "no bytes": [Buffer.alloc(0)],
  "bytes, 70,000 of them": [bytes(70000)],
  "several binaries": [bytes(3), "between", bytes(255), bytes(256), 5, bytes(65536)],
  "binaries inside": [{ list: [bytes(2), { deep: bytes(300) }], no: null }, [[bytes(1)]]],
  "a placeholder that is none": [{ _placeholder: true, num: 0 }],
};
/* notepack.io writes integers of any size as 64 bits: another number arrives than was sent. */
const huge = [2 ** 64, 1e21, -1e21, 1.7976931348623157e308];

/* ---- From each to each ------------------------------------------------------------------------- */

let redis,
  servers = [];
before(async () => {
  redis = await startRedis();
  servers = await Promise.all(letters.map((letter) => startServer(letter, redis.url)));
  await together(servers, "/", "/custom");
});
after(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await redis.stop();
});

for (const i of letters.keys())
  for (const j of letters.keys())
    describe(`${letters[i]}${i} to ${letters[j]}${j}`, () => {
      /* The sender, and two receivers. */
      const three = async (nsp) => [
        await connect(servers[i], nsp),
        ...(await connectAll([servers[j], servers[j]], nsp)),
      ];

      test("broadcasts", async () => {
        const all = await three();
        await hear(all[0], all, (name) => ["nsp-emit", name, [1, "x"]], times(3, [[1, "x"]]));
        await hear(all[0], all, (name) => ["in", [], name, []], times(3, [[]]));
        await hear(all[0], all, (name) => ["broadcast", name, [2]], [[], [[2]], [[2]]]);
        await hear(all[0], all, (name) => ["to", [], name, [3]], [[], [[3]], [[3]]]);
      });

      test("rooms, several rooms, exceptions", async () => {
        const all = await three();
        const [sender, a, b] = all;
        const [r, s, nobody] = ["r", "s", "nobody"].map(fresh);
        await ask(sender, "join", [r, s]);
        await ask(a, "join", [r]);
        await ask(b, "join", [r, s]);
        const rows = [
          [["in", r], [1, 1, 1]],
          [["in", s], [1, 0, 1]],
          [["in", [r, s]], [1, 1, 1]], // and nothing twice
          [["in", [s, nobody]], [1, 0, 1]],
          [["in", nobody], [0, 0, 0]],
          [["to", r], [0, 1, 1]],
          [["to", [r, s, nobody]], [0, 1, 1]],
          [["to-except", r, s], [0, 1, 0]],
          [["to-except", [], s], [0, 1, 0]],
          [["to-except", [r, s], [a.id]], [1, 0, 1]],
          [["to-except", [], [nobody]], [1, 1, 1]],
          [["to-except", s, [r, nobody]], [0, 0, 0]],
          [["private", a.id], [0, 1, 0]],
          [["private", sender.id], [0, 0, 0]],
          [["private", nobody], [0, 0, 0]],
        ];
        for (const [[event, ...where], counts] of rows)
          await hear(
            sender,
            all,
            (name) => [event, ...where, name, ["y"]],
            counts.map((n) => times(n, ["y"])),
          );
      });

      test("rooms of any name", async () => {
        const [sender, a, b] = await three();
        const names = ["방 1", "😀", "a#b", "#", "*", "[a-z]?", "", " ", "7", "__proto__", "x".repeat(3000)];
        for (const room of names) {
          await ask(a, "join", [room, "all"]);
          await hear(sender, [a, b], (name) => ["in", room, name, [room]], [[[room]], []]);
          await hear(sender, [a, b], (name) => ["in", [room, "all"], name, []], [[[]], []]);
          await ask(a, "leave", room);
          await hear(sender, [a, b], (name) => ["in", room, name, [room]], [[], []]);
        }
      });

      test("payloads", async () => {
        const [sender, a] = await three();
        const room = fresh("payload");
        await ask(a, "join", [room]);
        for (const [what, args] of Object.entries(payloads)) {
          const name = fresh("payload");
          await ask(sender, "in", room, name, args);
          await until(() => heard(a, name).length, what);
          assert.deepEqual(heard(a, name), [args], what);
        }
      });

      const unlike = letters[i] === "N" && i !== j && "the reference sends other numbers";
      test("numbers beyond 64 bits", { skip: unlike }, async () => {
        const [sender, a] = await three();
        await hear(sender, [a], (name) => ["nsp-emit", name, huge], [[huge]]);
      });

      test("a namespace of its own", async () => {
        const all = [...(await three("/custom")), ...(await three("/"))];
        const custom = all.slice(0, 3),
          root = all.slice(3);
        const name = fresh("custom");
        const room = fresh("both");
        for (const socket of all) await ask(socket, "join", [room]);
        await ask(custom[0], "nsp-emit", name, [1]);
        await ask(custom[0], "in", room, name, [2]);
        await ask(root[0], "nsp-emit-to", "/custom", name, [bytes(4)]);
        await fence(custom[0], custom);
        await fence(root[0], root);
        for (const socket of custom) assert.deepEqual(heard(socket, name), [[1], [2], [bytes(4)]]);
        for (const socket of root) assert.deepEqual(heard(socket, name), []);
      });

      test("volatile events", async () => {
        const [sender, a, b] = await three();
        await until(async () => {
          await ask(sender, "volatile-broadcast", 1); // may be lost
          return heard(a, "vol").length && heard(b, "vol").length;
        }, "a volatile event");
        assert.deepEqual(heard(sender, "vol"), []);
      });

      test("a thousand messages keep their order", async () => {
        const [sender, a, b] = await three();
        const [room, name] = ["order", "ordered"].map(fresh);
        await ask(a, "join", [room]);
        const all = [...Array(1000).keys()];
        for (const n of all) {
          if (n % 3) sender.emit("in", room, name, [n]);
          else sender.emit("nsp-emit", name, [n]);
        }
        await fence(sender, [a, b]);
        assert.deepEqual(heard(a, name).flat(), all);
        assert.deepEqual(heard(b, name).flat(), all.filter((n) => n % 3 === 0));
      });

      test("asks one room, and all", async () => {
        const all = await three();
        const [sender, a, b] = all;
        const room = fresh("ask");
        await ask(a, "join", [room]);
        const name = fresh("question");
        for (const socket of all)
          socket.on(name, (...args) => args.pop()([socket.id, ...args]));
        await alone(all);
        const answers = async (...args) => {
          const [{ ok, responses }] = await ask(sender, ...args);
          assert.equal(ok, true);
          return responses;
        };
        const q = ["왜?", bytes(5), { n: 1.5 }];
        assert.deepEqual(await answers("ask-all", room, name, q, LONGEST), [[a.id, ...q]]);
        assert.deepEqual(await answers("ask-all", fresh("nobody"), name, q, LONGEST), []);
        const ids = (list) => sorted(list.map(([id]) => id));
        assert.deepEqual(ids(await answers("ask-all", [], name, [], LONGEST)), sorted(all.map(({ id }) => id)));
        assert.deepEqual(ids(await answers("ask-others", [], name, [], LONGEST)), sorted([a.id, b.id]));
        assert.deepEqual(await answers("ask-others", [room, sender.id], name, [7], LONGEST), [[a.id, 7]]);
      });

      test("joins, leaves and disconnects the sockets of others", async () => {
        const [sender, a, b] = await three();
        const [r, s, t] = ["r", "s", "t"].map(fresh);
        const rooms = (...list) => until(async () => String((await ask(a, "rooms"))[0]) === String(sorted(list)));
        await ask(a, "join", [r]);
        await ask(sender, "sockets-join", r, [s, t]);
        await rooms(r, s, t);
        assert.deepEqual(await ask(b, "rooms"), [[]]);
        await hear(sender, [a, b], (name) => ["in", t, name, [1]], [[[1]], []]);
        await ask(sender, "sockets-leave", [s], r);
        await rooms(s, t);
        await hear(sender, [a, b], (name) => ["in", r, name, [1]], [[], []]);
        await ask(sender, "sockets-join", a.id, r);
        await rooms(r, s, t);

        const ended = next(a, "disconnect");
        await ask(sender, "disconnect-sockets", t, false);
        assert.equal((await ended)[0], "io server disconnect");
        await fence(sender, [sender, b]);
        assert.ok(b.connected && sender.connected);
        const closed = next(b, "disconnect");
        await ask(sender, "disconnect-sockets", b.id, true);
        assert.equal((await closed)[0], "io server disconnect");
        assert.ok(sender.connected);
      });
    });

/* ---- All at once ------------------------------------------------------------------------------- */

describe("all processes", () => {
  const everywhere = (nsp) => connectAll([...servers, ...servers], nsp);

  test("count each other", async () => {
    for (const socket of [...(await everywhere()), ...(await everywhere("/custom"))])
      assert.deepEqual(await ask(socket, "server-count"), [servers.length]);
  });

  test("senders at the same time keep their orders", async () => {
    const sockets = await connectAll(servers);
    const all = [...Array(300).keys()];
    const names = sockets.map(() => fresh("lane"));
    for (const n of all) sockets.forEach((socket, i) => socket.emit("nsp-emit", names[i], [n, bytes(n % 3)]));
    for (const socket of sockets) await fence(socket, sockets);
    for (const socket of sockets)
      for (const name of names) assert.deepEqual(heard(socket, name), all.map((n) => [n, bytes(n % 3)]));
  });

  test("emit-local stays at home", async () => {
    const sockets = await everywhere();
    for (const [i, sender] of sockets.slice(0, servers.length).entries())
      await hear(
        sender,
        sockets,
        (name) => ["emit-local", name, [i]],
        sockets.map((_, k) => (k % servers.length === i ? [[i]] : [])),
      );
  });

  test("fetch the sockets of all, with their rooms and data", async () => {
    const nsp = fresh("/dyn");
    const sockets = await everywhere(nsp);
    await together(servers, nsp);
    const [r, s] = ["r", "방"].map(fresh);
    const expected = [];
    for (const [i, socket] of sockets.entries()) {
      const rooms = i % 2 ? [r, s] : [s];
      const data = { i, 이름: "값 😀", list: [1.5, null, { x: "" }] };
      await ask(socket, "join", rooms);
      await ask(socket, "set-data", data);
      expected.push({ id: socket.id, rooms: sorted(rooms), data });
    }
    const byId = (list) => Object.fromEntries(list.map(({ id, ...rest }) => [id, rest]));
    const fetch = async (socket, rooms) => {
      const [list] = await ask(socket, "fetch-sockets", rooms);
      assert.equal(new Set(list.map(({ id }) => id)).size, list.length, "nobody twice");
      return byId(list);
    };
    await alone(sockets);
    for (const socket of sockets) {
      assert.deepEqual(await fetch(socket, []), byId(expected));
      assert.deepEqual(await fetch(socket, r), byId(expected.filter((_, i) => i % 2)));
      assert.deepEqual(await fetch(socket, [r, s]), byId(expected));
      assert.deepEqual(await fetch(socket, socket.id), byId(expected.filter(({ id }) => id === socket.id)));
      assert.deepEqual(await fetch(socket, fresh("nobody")), {});
    }
  });

  test("know all rooms", async () => {
    const nsp = fresh("/dyn");
    const sockets = await everywhere(nsp);
    await together(servers, nsp);
    const rooms = sockets.map((_, i) => fresh(i % 2 ? "방" : "room"));
    for (const [i, socket] of sockets.entries()) await ask(socket, "join", [rooms[i], "common"]);
    const expected = sorted([...rooms, "common", ...sockets.map(({ id }) => id)]);
    for (const socket of sockets)
      await until(async () => String((await ask(socket, "all-rooms"))[0]) === String(expected), expected.join());
  });

  test("ask all, and tell who did not answer in time", async () => {
    const nsp = fresh("/dyn");
    const sockets = await everywhere(nsp);
    await together(servers, nsp);
    await alone(sockets);
    const half = sockets.slice(0, servers.length);
    for (const socket of half) socket.on("question", (i, answer) => answer({ i, id: socket.id, b: bytes(9) }));
    await Promise.all(
      half.map(async (socket, i) => {
        const [answer] = await ask(socket, "ask-all", [], "question", [i], LONGEST);
        const by = (a, b) => (a.id < b.id ? -1 : 1);
        assert.deepEqual(
          { ...answer, responses: answer.responses.sort(by) },
          {
            ok: false,
            error: "operation has timed out",
            responses: half.map(({ id }) => ({ i, id, b: bytes(9) })).sort(by),
          },
        );
      }),
    );
  });

  for (const nsp of ["/", "/custom"])
    test(`leave notes with each other: ${nsp}`, async () => {
      const sockets = await connectAll(servers, nsp);
      const other = await connectAll(servers, nsp === "/" ? "/custom" : "/");
      const mine = fresh("note");
      const notes = async (socket) => (await ask(socket, "notes"))[0].filter(([word]) => word === mine);
      for (const [i, socket] of sockets.entries()) {
        await ask(socket, "note", [mine, i, "쪽지 😀", { deep: [1, null, 2.5] }]);
        await ask(socket, "note", [mine, i]);
      }
      for (const [k, socket] of sockets.entries()) {
        const expected = sockets.flatMap((_, i) =>
          i === k ? [] : [[mine, i, "쪽지 😀", { deep: [1, null, 2.5] }], [mine, i]],
        );
        await until(async () => (await notes(socket)).length >= expected.length, "notes");
        const sender = (note) => note[1]; // those of one sender are in order, the senders are not
        assert.deepEqual((await notes(socket)).sort((a, b) => sender(a) - sender(b)), expected);
      }
      for (const socket of other) assert.deepEqual(await notes(socket), []);
    });

  test("ask each other's programs", async () => {
    const sockets = await connectAll(servers);
    for (const socket of [...sockets, ...(await connectAll(servers, "/custom"))])
      for (const value of ["왜?", 5, { a: [1, null] }, null]) {
        const [answer] = await ask(socket, "ask-servers", [value, "more"]);
        assert.deepEqual(answer, { ok: true, responses: times(servers.length - 1, value) });
      }
    const [answer] = await ask(sockets[0], "ask-servers", []);
    assert.deepEqual(answer, { ok: true, responses: times(servers.length - 1, null) });
    await Promise.all(
      sockets.map(async (socket) => {
        const [{ ok, error }] = await ask(socket, "ask-servers", ["silent"]);
        assert.deepEqual([ok, typeof error], [false, "string"]);
      }),
    );
  });

  test("have namespaces with names like patterns apart", async () => {
    const number = ++used;
    const [pattern, matched] = [`/fam-*-${number}`, `/fam-a-${number}`];
    const sockets = await connectAll(servers, pattern);
    const others = await connectAll(servers, matched);
    await together(servers, pattern, matched);
    const name = fresh("said");
    await ask(sockets[0], "nsp-emit", name, [1]);
    await ask(others[0], "nsp-emit", name, [2]);
    await fence(sockets[0], sockets);
    await fence(others[0], others);
    for (const socket of sockets) assert.deepEqual(heard(socket, name), [[1]]);
    for (const socket of others) assert.deepEqual(heard(socket, name), [[2]]);
  });
});

/* ---- The emitter: a program without sockets ------------------------------------------------------ */

describe("@socket.io/redis-emitter", () => {
  let client, emitter;
  before(async () => {
    client = createClient({ url: redis.url });
    await client.connect();
    emitter = new Emitter(client);
  });
  after(() => client.quit());

  const everybody = (nsp) => connectAll([...servers, ...servers], nsp);
  /* What the emitter has sent before has arrived. */
  const fenced = async (sockets, from = emitter) => {
    const name = fresh("fence");
    from.emit(name);
    await until(() => sockets.every((socket) => heard(socket, name).length), "the fence");
  };

  test("emits to all, to rooms, to all but some", async () => {
    const sockets = await everybody();
    const [r, s] = ["r", "s"].map(fresh);
    for (const [i, socket] of sockets.entries()) await ask(socket, "join", i % 2 ? [r] : [r, s]);
    const name = fresh("emitted");
    emitter.emit(name, "all", "한글 😀", { a: [1.5, null] });
    emitter.to(r).emit(name, "r");
    emitter.to(s).emit(name, "s");
    emitter.in([r, s]).emit(name, "r or s");
    emitter.to(r).except(s).emit(name, "r but s");
    emitter.except(r).emit(name, "nobody");
    emitter.to(sockets[0].id).emit(name, "one");
    emitter.compress(false).emit(name, "uncompressed");
    await fenced(sockets);
    for (const [i, socket] of sockets.entries())
      assert.deepEqual(heard(socket, name), [
        ["all", "한글 😀", { a: [1.5, null] }],
        ["r"],
        ...(i % 2 ? [] : [["s"]]),
        ["r or s"],
        ...(i % 2 ? [["r but s"]] : []),
        ...(i === 0 ? [["one"]] : []),
        ["uncompressed"],
      ]);
  });

  test("emits binary", async () => {
    const sockets = await everybody();
    const name = fresh("emitted");
    const all = [[bytes(0)], [bytes(70000)], [bytes(1), { b: bytes(2) }, [bytes(300)]]];
    for (const args of all) emitter.emit(name, ...args);
    await fenced(sockets);
    for (const socket of sockets) assert.deepEqual(heard(socket, name), all);
  });

  test("emits to other namespaces", async () => {
    const sockets = await everybody("/custom"),
      strangers = await everybody();
    const name = fresh("emitted");
    emitter.of("/custom").emit(name, 1);
    emitter.of("custom").emit(name, 2); // without its slash
    await fenced(sockets, emitter.of("/custom"));
    await fenced(strangers);
    for (const socket of sockets) assert.deepEqual(heard(socket, name), [[1], [2]]);
    for (const socket of strangers) assert.deepEqual(heard(socket, name), []);
  });

  test("emits volatile events", async () => {
    const sockets = await everybody();
    const name = fresh("emitted");
    await until(async () => {
      emitter.volatile.emit(name, 1); // may be lost
      await fenced(sockets);
      return sockets.every((socket) => heard(socket, name).length);
    });
  });

  test("manages sockets", async () => {
    const sockets = await everybody();
    const [r, s, t] = ["r", "s", "t"].map(fresh);
    const rooms = (socket, ...list) =>
      until(async () => String((await ask(socket, "rooms"))[0]) === String(sorted(list)), list.join());
    emitter.socketsJoin(r);
    for (const socket of sockets) await rooms(socket, r);
    emitter.in(sockets.map(({ id }) => id)).socketsJoin([s, t]);
    for (const socket of sockets) await rooms(socket, r, s, t);
    emitter.in(t).except(sockets[0].id).socketsLeave([t, r]);
    for (const [i, socket] of sockets.entries()) await rooms(socket, ...(i ? [s] : [r, s, t]));
    const gone = sockets.slice(1).map((socket) => next(socket, "disconnect"));
    emitter.in(s).except(t).disconnectSockets();
    for (const one of gone) assert.deepEqual((await one)[0], "io server disconnect");
    await fenced(sockets.slice(0, 1));
    assert.ok(sockets[0].connected);
    const last = next(sockets[0], "disconnect");
    emitter.disconnectSockets(true);
    assert.equal((await last)[0], "io server disconnect");
  });

  test("speaks to the programs", async () => {
    const sockets = await connectAll(servers);
    const word = fresh("note");
    emitter.serverSideEmit("fixture-note", word, { 값: [1, null] });
    for (const socket of sockets) {
      const notes = () => ask(socket, "notes").then(([list]) => list.filter(([w]) => w === word));
      await until(async () => (await notes()).length, "the note");
      assert.deepEqual(await notes(), [[word, { 값: [1, null] }]]);
    }
  });
});

/* ---- Faults -------------------------------------------------------------------------------------- */

for (const kind of kinds)
  describe(`faults, seen from ${kind}`, () => {
    /* The one that is looked at, and another that is to be of another kind. */
    const pair = [kind, kinds.find((letter) => letter !== kind) ?? kind];

    /* Stops all of them, whatever one of them says. */
    async function ended(list, redis) {
      for (const socket of open) socket.disconnect();
      const stops = await Promise.allSettled(list.map((server) => server.stop()));
      await redis?.stop();
      for (const { reason } of stops) assert.ifError(reason);
    }

    /* Servers that are stopped, and a Redis, when fn has ended; it may change what is in the list. */
    async function among(list, flags, url, fn) {
      const self = { redis: await startRedis(flags), list: [] };
      const started = [];
      try {
        for (const letter of list) started.push(await startServer(letter, url(self.redis)));
        self.list.push(...started);
        await together(self.list, "/");
        await fn(self, ...self.list);
      } finally {
        for (const server of started) if (!self.list.includes(server)) server.child.kill("SIGKILL");
        await ended(self.list, self.redis);
      }
    }
    const plainly = (own) => own.url;
    const secret = ["--requirepass", "secret"];

    test("Redis ends and starts anew: all is as before, and own sockets are served meanwhile", () =>
      among(pair, [], plainly, async (self) => {
        const sockets = await connectAll([...self.list, ...self.list]);
        const room = fresh("kept");
        for (const socket of sockets) await ask(socket, "join", [room]);
        for (let round = 0; round < 3; round++) {
          const said = self.list.map((server) => server.err.length);
          await self.redis.stop();
          /* A publish() of the reference that meets a connection which it does not know to be broken is a
           * rejection that nobody handles, and ends the process. So it is to have noticed. */
          for (const [i, server] of self.list.entries())
            await until(
              () => pair[i] === "C" || server.err.slice(said[i]).split("ECONNREFUSED").length > 4,
              "the reference to notice",
            );
          for (const [i, sender] of sockets.slice(0, 2).entries()) {
            const name = fresh("alone");
            sender.emit("in", room, name, [round]);
            await until(() => heard(sender, name).length && heard(sockets[i + 2], name).length, "own sockets");
          }
          self.redis = await startRedis([], self.redis.port);
          await together(self.list, "/");
          for (const sender of sockets)
            await hear(sender, sockets, (name) => ["in", room, name, [round]], times(4, [[round]]));
          assert.equal((await ask(sockets[0], "fetch-sockets", room))[0].length, 4);
        }
        for (const socket of sockets) assert.ok(socket.connected && !socket.recovered);
      }));

    test("Redis hangs for a while: own sockets are served meanwhile", () =>
      among(pair, [], plainly, async (self) => {
        const sockets = await connectAll([...self.list, ...self.list]);
        self.redis.child.kill("SIGSTOP");
        for (const [i, sender] of sockets.slice(0, 2).entries()) {
          const name = fresh("alone");
          for (let n = 0; n < 100; n++) sender.emit("nsp-emit", name, [bytes(10000)]);
          for (const socket of [sender, sockets[i + 2]])
            await until(() => heard(socket, name).length === 100, "own sockets");
        }
        self.redis.child.kill("SIGCONT");
        await together(self.list, "/");
        for (const sender of sockets)
          await hear(sender, sockets, (name) => ["nsp-emit", name, [1]], times(4, [[1]]));
      }));

    for (const which of ["pubsub", "normal"])
      test(`Redis ends one connection of each process: ${which}`, () =>
        among(pair, [], plainly, async (self) => {
          const client = createClient({ url: self.redis.url });
          await client.connect();
          const sockets = await connectAll(self.list);
          for (let round = 0; round < 3; round++) {
            assert.ok((await client.sendCommand(["CLIENT", "KILL", "TYPE", which])) >= self.list.length);
            await together(self.list, "/");
            for (const sender of sockets)
              await hear(sender, sockets, (name) => ["nsp-emit", name, [1]], times(2, [[1]]));
          }
          await client.quit();
        }));

    test("Redis is away at the start, and comes", async () => {
      const port = await freePort();
      const url = `redis://127.0.0.1:${port}`;
      const list = [];
      let redis;
      try {
        /* The reference's application waits for Redis before it listens, and complains meanwhile. */
        const waiting = `exec node test/interop/reference.mjs --redis ${url} "$@" 2>/dev/null`;
        const starting =
          kind === "C" ? startServer(kind, url) : start("sh", ["-c", waiting, "sh", "--port", 0, ...unhurried]);
        starting.then((server) => list.push(server)).catch(() => {});
        let own = [];
        if (kind === "C") {
          own = await connectAll(times(2, await starting));
          await hear(own[0], own, (name) => ["nsp-emit", name, [1]], times(2, [[1]]));
          assert.deepEqual(await ask(own[0], "message-with-ack", 5), [5]);
        }
        redis = await startRedis([], port);
        await starting;
        list.push(await startServer(pair[1], url));
        await together(list, "/");
        const sockets = [...own, ...(await connectAll(list))];
        for (const sender of sockets)
          await hear(sender, sockets, (name) => ["nsp-emit", name, [2]], sockets.map(() => [[2]]));
      } finally {
        await ended(list, redis);
      }
    });

    const waits = kind === "N" && "the reference's application waits for Redis before it listens";
    test("Redis accepts connections and says nothing: own sockets are served", { skip: waits }, async () => {
      const mute = net.createServer((connection) => connection.on("error", () => {}).resume());
      await new Promise((resolve) => mute.listen(0, "127.0.0.1", resolve));
      const server = await startServer(kind, `redis://127.0.0.1:${mute.address().port}`);
      try {
        const own = await connectAll([server, server]);
        await hear(own[0], own, (name) => ["nsp-emit", name, [1]], times(2, [[1]]));
      } finally {
        await ended([server]);
        mute.close();
      }
    });

    test("Redis wants another password: own sockets are served", { skip: waits }, async () => {
      const redis = await startRedis(secret);
      const server = await startServer(kind, `redis://:wrong@127.0.0.1:${redis.port}`);
      try {
        const own = await connectAll([server, server]);
        await hear(own[0], own, (name) => ["nsp-emit", name, [1]], times(2, [[1]]));
      } finally {
        await ended([server], redis);
      }
    });

    test("a process is killed: nobody waits for it", () =>
      among([...pair, kind], [], plainly, async (self, first, second, third) => {
        const sockets = await connectAll([first, second, third], "/", { reconnection: false });
        for (const socket of sockets) socket.on("question", (answer) => answer(socket.id));
        third.child.kill("SIGKILL");
        self.list.pop();
        await together(self.list, "/");
        const rest = sorted(sockets.slice(0, 2).map(({ id }) => id));
        await alone(sockets.slice(0, 2));
        for (const socket of sockets.slice(0, 2)) {
          const [{ ok, responses }] = await ask(socket, "ask-all", [], "question", [], LONGEST);
          assert.deepEqual([ok, sorted(responses)], [true, rest]);
          assert.deepEqual(sorted((await ask(socket, "fetch-sockets", []))[0].map(({ id }) => id)), rest);
          assert.deepEqual(await ask(socket, "all-rooms"), [rest]);
          assert.deepEqual((await ask(socket, "ask-servers", [1]))[0], { ok: true, responses: [1] });
        }
      }));

    /* fetchSockets() of the reference rejects after 5 s, which ends the fixture as it is written. */
    test("a process hangs, then is killed: what there is comes back", () =>
      among([...pair, kind], [], plainly, async (self, first, second, third) => {
        const sockets = await connectAll([first, second, third], "/", { reconnection: false });
        for (const socket of sockets) socket.on("question", (answer) => answer(socket.id));
        await alone(sockets);
        third.child.kill("SIGSTOP");
        self.list.pop();
        const rest = sorted(sockets.slice(0, 2).map(({ id }) => id));
        const asked = ask(sockets[0], "ask-all", [], "question", [], LONGEST);
        const servers = ask(sockets[0], "ask-servers", [1]);
        if (kind === "C") {
          const [list] = await ask(sockets[0], "fetch-sockets", []);
          assert.deepEqual(sorted(list.map(({ id }) => id)), rest);
        }
        assert.equal((await servers)[0].ok, false);
        third.child.kill("SIGKILL");
        const [{ responses }] = await asked;
        assert.deepEqual(sorted(responses), rest);
        await together(self.list, "/");
        await alone(sockets.slice(0, 2));
        assert.deepEqual(sorted((await ask(sockets[0], "fetch-sockets", []))[0].map(({ id }) => id)), rest);
      }));

    for (const [what, flags, url] of [
      ["with a password", secret, ({ port }) => `redis://:secret@127.0.0.1:${port}`],
      ["with a user and a password", secret, ({ port }) => `redis://default:secret@127.0.0.1:${port}`],
      ["with the number of a database", [], ({ port }) => `redis://127.0.0.1:${port}/3`],
      ["with both", secret, ({ port }) => `redis://:secret@127.0.0.1:${port}/15`],
    ])
      test(`Redis ${what}`, () =>
        among(pair, flags, url, async (self) => {
          /* One that says another number hears the same: channels have no database. */
          self.list.push(await startServer(pair[1], url(self.redis).replace(/\/\d+$/, "") + "/0"));
          await together(self.list, "/");
          const sockets = await connectAll(self.list);
          for (const sender of sockets)
            await hear(sender, sockets, (name) => ["nsp-emit", name, [1]], times(3, [[1]]));
        }));
  });
