// clients.mjs - one version of the official client against the fixture, over each transport
// SPDX-License-Identifier: MIT
//
//     node clients.mjs socket.io-client-2.5     any of the names in package.json
//     SIO_NGINX=1 node clients.mjs ...          through nginx, with the configuration beside this
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import {
  ask,
  collect,
  eager,
  LONGEST,
  next,
  PATIENCE,
  patient,
  require,
  sleep,
  startFixture,
  texts,
  transportOf,
  until,
  upgraded,
  wire,
} from "./lib.mjs";
import { startNginx } from "./nginx.mjs";

const name = process.argv[2] ?? "socket.io-client";
const io = require(name);
const version = require(`${name}/package.json`).version;
const major = parseInt(version),
  since = (v) => parseFloat(version) >= v;
const old = major < 3; // speaks Engine.IO 3
const skipUnless = (v) => ({ skip: !since(v) && `since ${v.toFixed(1)}` });

let server, fast, proxy, front;
const open = new Set();
const test = patient(plainTest);

before(async () => {
  const flags = old ? ["--allow-eio3"] : [];
  server = await startFixture(...flags);
  fast = await startFixture("--ping-timeout", 8000, ...flags); // where a dead wire ends
  if (process.env.SIO_NGINX) front = await startNginx(server.port);
  proxy = await wire(front?.port ?? server.port);
});
after(async () => {
  proxy.close();
  await front?.stop();
  await server.stop();
  await fast.stop();
});
afterEach(() => {
  for (const socket of open) socket.disconnect();
  open.clear();
  proxy.down = proxy.frozen = false;
});

for (const transport of ["websocket", "polling", "upgrade"]) {
  describe(transport, () => {
    /* A socket that is not connected yet. */
    const make = (nsp = "/", options = {}, url = front?.url ?? server.url) => {
      const socket = io(url + nsp, {
        transports: transport === "upgrade" ? ["polling", "websocket"] : [transport],
        timeout: PATIENCE,
        ...eager,
        ...options,
      });
      open.add(socket);
      return socket;
    };
    const connected = async (socket) => {
      if (!socket.connected) await next(socket, "connect");
      if (transport === "upgrade") await upgraded(socket);
      return socket;
    };
    const connect = (...args) => connected(make(...args));

    /* The server's note of the end of an id: its reason. */
    const reasonOf = async (id, url) => {
      const witness = await connect("/", {}, url);
      const entry = await until(async () => (await ask(witness, "last-disconnects", [id]))[0][0]);
      witness.disconnect();
      return entry.reason;
    };

    /* ---- Events ------------------------------------------------------------------------------ */

    for (const [language, text] of Object.entries(texts))
      test(`text arrives as it was: ${language}`, async () => {
        const socket = await connect();
        socket.emit("message", text, { [text.slice(0, 50)]: [text] });
        assert.deepEqual(await next(socket, "message-back"), [
          text,
          { [text.slice(0, 50)]: [text] },
        ]);
        assert.deepEqual(await ask(socket, "message-with-ack", text), [text]);
      });

    test("values arrive as they were", async () => {
      const socket = await connect();
      const values = [
        null,
        true,
        false,
        0,
        -1,
        1.5,
        1e21,
        1e-7,
        9007199254740991,
        "",
        [],
        {},
        [[[]]],
        { a: { b: { c: [1, { d: null }] } } },
        "__proto__",
        { "": "" },
      ];
      socket.emit("message", ...values);
      assert.deepEqual(await next(socket, "message-back"), values);
      assert.deepEqual(await ask(socket, "message-with-ack"), []);
    });

    test("events and their answers stay in order", async () => {
      const socket = await connect(),
        order = [],
        back = collect(socket, "message-back");
      for (let i = 0; i < 300; i++) {
        socket.emit("message", i);
        socket.emit("message-with-ack", i, (n) => order.push(n));
      }
      await until(() => order.length === 300 && back.length === 300);
      const numbers = [...Array(300).keys()];
      assert.deepEqual([order, back], [numbers, numbers]);

      const mixed = [];
      socket.on("bread", (n) => mixed.push(`bread${n}`));
      socket.emit("sandwich", (filling) => mixed.push(filling));
      await until(() => mixed.length === 3);
      assert.deepEqual(mixed, ["bread1", "filling", "bread2"]);
    });

    test("a flood arrives whole and in order", async () => {
      const socket = await connect(),
        got = [];
      socket.on("flood", (i, text) => got.push(i * text.length));
      assert.deepEqual(await ask(socket, "flood", 3000, 100), [3000]);
      await until(() => got.length === 3000);
      assert.deepEqual(
        got,
        [...Array(3000).keys()].map((i) => i * 100),
      );
    });

    test("events during the upgrade are neither lost nor doubled", async () => {
      const socket = make(),
        ticks = collect(socket, "tick"),
        back = collect(socket, "message-back");
      await next(socket, "connect");
      socket.emit("ticks", 150, 1);
      for (let i = 0; i < 150; i++, await sleep(1)) socket.emit("message", i);
      await until(() => ticks.length >= 150 && back.length >= 150);
      await connected(socket);
      await ask(socket, "rooms");
      assert.deepEqual([ticks, back], [[...Array(150).keys()], [...Array(150).keys()]]);
    });

    /* ---- Acknowledgements -------------------------------------------------------------------- */

    test("the server asks and the client answers", async () => {
      const socket = await connect();
      socket.on("question", (a, b, answer) => answer(a + b, texts.Korean));
      assert.deepEqual(await ask(socket, "ask", "question", [1, 2], LONGEST), [
        { ok: true, args: [3, texts.Korean] },
      ]);
      assert.deepEqual(await ask(socket, "ask", "nobody listens", [], 50), [
        { ok: false, error: "operation has timed out" },
      ]);
    });

    test("an answer may come late, and only once", async () => {
      const socket = await connect(),
        answers = [];
      socket.emit("ack-twice", (value) => answers.push(value));
      assert.deepEqual(await ask(socket, "ack-later", 100, "late"), ["late"]);
      assert.deepEqual(answers, ["first"]);
    });

    test("the client's timeout", skipUnless(4.4), async () => {
      const socket = await connect();
      await assert.rejects(socket.timeout(50).emitWithAck("ack-later", LONGEST, 1), /timed out/);
      assert.equal(await socket.timeout(PATIENCE).emitWithAck("ack-later", 10, 1), 1);
    });

    test("the client repeats what was not answered", skipUnless(4.6), async () => {
      const socket = make("/", { retries: 1000, ackTimeout: 300 }, proxy.url);
      await connected(socket);
      proxy.cut();
      assert.deepEqual(await socket.emitWithAck("message-with-ack", "again"), "again");
    });

    /* ---- Binary data ------------------------------------------------------------------------- */

    const bytes = (size) => Buffer.from(Array.from({ length: size }, (_, j) => j % 256));
    const like = (i, size) =>
      Buffer.from(Array.from({ length: size }, (_, j) => (31 * i + j) % 256));

    test("binary data goes both ways", async () => {
      const socket = await connect();
      for (const size of [0, 1, 125, 126, 1000, 65535, 65536, 300000]) {
        socket.emit("message", bytes(size), { deep: [bytes(size), texts.emoji] });
        const [flat, { deep }] = await next(socket, "message-back");
        assert.ok(bytes(size).equals(Buffer.from(flat)), `${size} bytes`);
        assert.ok(bytes(size).equals(Buffer.from(deep[0])), `${size} bytes within an object`);
        assert.equal(deep[1], texts.emoji);
      }
      const [answer] = await ask(socket, "message-with-ack", new Uint8Array([1, 2, 255]).buffer);
      assert.deepEqual([...Buffer.from(answer)], [1, 2, 255]);
    });

    test("binary data in events and answers of the server", async () => {
      const socket = await connect(),
        list = collect(socket, "binary");
      await ask(socket, "emit-binary", 5, 1000);
      assert.equal(list[0].n, 5);
      list[0].list.forEach((b, i) => assert.ok(like(i, 1000).equals(Buffer.from(b)), `B${i}`));
      assert.ok(like(0, 1000).equals(Buffer.from(list[0].deep.first)));
      const answer = await ask(socket, "ack-binary", 3, 70000);
      answer.forEach((b, i) => assert.ok(like(i, 70000).equals(Buffer.from(b)), `answer ${i}`));
      socket.on("question", (b, reply) => reply({ b }));
      const [{ args }] = await ask(socket, "ask", "question", [bytes(10)], LONGEST);
      assert.ok(bytes(10).equals(Buffer.from(args[0].b)));
    });

    /* ---- Namespaces -------------------------------------------------------------------------- */

    test("namespaces share a connection and nothing else", async () => {
      const main = await connect(),
        custom = main.io.socket("/custom");
      open.add(custom);
      await connected(custom);
      assert.equal((await ask(custom, "whoami"))[0].nsp, "/custom");
      const heard = collect(main, "news"),
        own = collect(custom, "news");
      await ask(custom, "nsp-emit", "news", ["custom"]);
      await ask(main, "rooms");
      assert.deepEqual([heard, own], [[], ["custom"]]);
      custom.disconnect();
      assert.deepEqual(await ask(main, "message-with-ack", 1), [1], "the other one stays");
    });

    test("a namespace that does not exist is refused", async () => {
      const socket = make("/nowhere");
      const [error] = await next(socket, old ? "error" : "connect_error");
      assert.equal(error.message ?? error, "Invalid namespace");
    });

    /* Protocol 3 has no payload: what is asked for stands behind the name. */
    const withToken = (token) =>
      old
        ? make(`/auth${token ? `?token=${token}` : ""}`)
        : make("/auth", { auth: token ? { token } : {} });

    test("a token opens /auth, at once or after a while", async () => {
      for (const token of ["secret", "slow"]) {
        const socket = withToken(token),
          auth = next(socket, "auth");
        await connected(socket);
        assert.deepEqual(await auth, [{ token }]);
        assert.deepEqual(await ask(socket, "get-data"), [{ trail: ["first", "second"] }]);
      }
    });

    test("without the token /auth is refused, with data", async () => {
      const refusals = [
        ["", "not authorized", { code: 401, hint: "send the token" }],
        ["nodata", "no data"],
        ["slow-bad", "too late"],
      ];
      for (const [token, message, data] of refusals) {
        const socket = withToken(token);
        const [error] = await next(socket, old ? "error" : "connect_error");
        if (old) assert.deepEqual(error, data ?? message);
        else assert.deepEqual([error.message, error.data], [message, data]);
        assert.equal(socket.connected, false);
      }
    });

    test("dynamic namespaces", async () => {
      const a = await connect("/dyn-12"),
        b = await connect("/dyn-12"),
        c = await connect("/dyn-3");
      const got = [a, b, c].map((socket) => collect(socket, "news"));
      await ask(a, "nsp-emit", "news", [1]);
      await ask(c, "rooms");
      await until(() => got[1].length > 0);
      assert.deepEqual(got, [[1], [1], []]);
      const [error] = await next(make("/dyn-x"), old ? "error" : "connect_error");
      assert.equal(error.message ?? error, "Invalid namespace");
    });

    test("names with spaces and accents", skipUnless(3), async () => {
      const socket = await connect("/café");
      assert.equal((await ask(socket, "whoami"))[0].nsp, "/café");
    });

    /* ---- Rooms and broadcast ----------------------------------------------------------------- */

    const three = async () => {
      const sockets = await Promise.all([
        connect("/custom"),
        connect("/custom"),
        connect("/custom"),
      ]);
      return [sockets, sockets.map((socket) => collect(socket, "news"))];
    };
    const settled = (sockets) => Promise.all(sockets.map((socket) => ask(socket, "rooms")));

    test("rooms are joined, spoken to, left out and left", async () => {
      const [[a, b, c], got] = await three();
      assert.deepEqual(await ask(a, "join", ["red", "방"]), [["red", "방"]]);
      await ask(b, "join", "red");
      await ask(c, "join", "blue");
      assert.deepEqual(await ask(a, "nsp-rooms"), [["blue", "red", "방"]]);
      await ask(a, "to", "red", "news", ["to"]);
      await ask(a, "in", ["red", "blue"], "news", ["in"]);
      await ask(a, "to-except", null, "blue", "news", ["except"]);
      assert.deepEqual(await ask(b, "leave", "red"), [[]]);
      await ask(a, "in", "red", "news", ["left"]);
      await settled([a, b, c]);
      assert.deepEqual(got, [["in", "except", "left"], ["to", "in", "except"], ["in"]]);
    });

    test("broadcast, to all, to one", async () => {
      const [[a, b, c], got] = await three();
      await ask(a, "broadcast", "news", ["others", bytes(3)]);
      await ask(a, "nsp-emit", "news", ["all"]);
      const [{ id }] = await ask(b, "whoami"); // what 1.7 calls its id is that of the connection
      await ask(a, "private", id, "news", ["b"]);
      await settled([a, b, c]);
      assert.deepEqual(got, [["all"], ["others", "all", "b"], ["others", "all"]]);
    });

    test("a broadcast is answered by all", async () => {
      const [[a, b, c]] = await three();
      [a, b, c].forEach((s, i) => s.on("who", (reply) => setTimeout(reply, 30 * i, i)));
      const [{ ok, responses }] = await ask(a, "ask-all", null, "who", [], LONGEST);
      assert.deepEqual([ok, responses.sort()], [true, [0, 1, 2]]);
      c.off("who");
      const [answer] = await until(async () => {
        const got = await ask(a, "ask-others", null, "who", [], 400); // b may be late as well
        return got[0].responses.length === 1 && got;
      });
      const error = "operation has timed out";
      assert.deepEqual(answer, { ok: false, error, responses: [1] });
    });

    test("the server's view of a socket is the client's", async () => {
      const lang = major > 1 ? "한국어" : "ko"; // over polling, 1.7 reads only its own Korean
      const socket = await connect("/", { query: { lang }, extraHeaders: { "X-Test": "yes" } });
      const [me] = await ask(socket, "whoami");
      assert.deepEqual(
        [me.id, me.transport, me.protocol, me.query.lang, me.ownRoom, me.recovered],
        [
          socket.id,
          transport === "polling" ? "polling" : "websocket",
          old ? 3 : 4,
          lang,
          true,
          false,
        ],
      );
      assert.equal(me.headers["x-test"], "yes");
      const [list] = await ask(socket, "fetch-sockets", socket.id);
      assert.deepEqual(list, [{ id: socket.id, rooms: [], data: {} }]);
    });

    test("fifty clients at once", async () => {
      const sockets = await Promise.all([...Array(50)].map(() => connect("/dyn-50")));
      const got = sockets.map((socket) => collect(socket, "news"));
      await ask(sockets[0], "nsp-emit", "news", [texts.emoji]);
      await settled(sockets);
      assert.deepEqual(got, Array(50).fill([texts.emoji]));
      assert.deepEqual(await ask(sockets[0], "nsp-size"), [50]);
    });

    /* ---- Volatile ---------------------------------------------------------------------------- */

    test("volatile events come when they can, and are dropped when they can't", async () => {
      const a = await connect("/dyn-7"),
        b = await connect("/dyn-7");
      const mine = collect(a, "vol"),
        others = collect(b, "vol");
      await ask(a, "volatile", 1);
      await until(async () => {
        await ask(a, "volatile-broadcast", 1); // dropped when b has no GET waiting
        await ask(b, "rooms");
        return others.length > 0;
      });
      assert.deepEqual(others, [0]);
      assert.ok(mine.length <= 1); // over polling its GET may have been answered just now
      if (!since(3)) return;
      const back = collect(a, "message-back");
      await until(() => (a.volatile.emit("message", 1), back.length > 0), "a volatile event");
      a.disconnect();
      back.length = 0;
      a.volatile.emit("message", 2);
      a.connect();
      await connected(a);
      await ask(a, "rooms");
      assert.ok(!back.includes(2));
    });

    /* ---- The end of connections, and reconnection -------------------------------------------- */

    test("a silent client stays connected", async () => {
      const socket = await connect();
      const gone = collect(socket, "disconnect");
      let beats = 0;
      socket.io.engine.on("packet", ({ type }) => (beats += type === (old ? "pong" : "ping")));
      await until(() => beats >= 3, "three heartbeats");
      assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
      assert.deepEqual(gone, []);
    });

    test("a broken connection comes back, and what was said meanwhile arrives", async () => {
      const socket = await connect("/", {}, proxy.url),
        back = collect(socket, "message-back");
      const id = socket.id,
        gone = next(socket, "disconnect");
      await proxy.noticed(socket);
      proxy.down = true;
      proxy.cut();
      const [reason] = await gone;
      assert.match(reason, /^transport (close|error)$/);
      assert.match(await reasonOf(id), /^transport (close|error)$/);
      for (let i = 0; i < 5; i++) socket.emit("message", i);
      proxy.down = false;
      await connected(socket);
      await until(() => back.length >= 5);
      assert.deepEqual(back, [0, 1, 2, 3, 4]);
      assert.notEqual(socket.id, id);
    });

    test("the client ends the transport, and comes back", async () => {
      const socket = await connect(),
        id = socket.id,
        gone = next(socket, "disconnect");
      const again = next(socket, "connect");
      socket.io.engine.close();
      assert.deepEqual((await gone)[0], "forced close");
      await again;
      assert.equal(await reasonOf(id), "transport close");
      assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
    });

    test("the server ends the transport, and the client comes back", async () => {
      const socket = await connect(),
        id = socket.id,
        gone = next(socket, "disconnect");
      socket.emit("engine-close");
      assert.deepEqual((await gone)[0], "transport close");
      await connected(socket);
      assert.equal(await reasonOf(id), "forced close");
    });

    test("disconnect by the client", async () => {
      const socket = await connect(),
        id = socket.id,
        gone = next(socket, "disconnect");
      await ask(socket, "join", "red");
      socket.disconnect();
      assert.deepEqual((await gone)[0], "io client disconnect");
      assert.equal(await reasonOf(id), "client namespace disconnect");
      socket.connect();
      await connected(socket);
      assert.deepEqual(await ask(socket, "rooms"), [[]], "the rooms are left");
    });

    test("disconnect by the server, with and without the connection", async () => {
      for (const close of [false, true]) {
        const socket = await connect(),
          id = socket.id,
          gone = next(socket, "disconnect");
        const farewell = collect(socket, "farewell");
        socket.emit("goodbye", close);
        assert.deepEqual((await gone)[0], "io server disconnect");
        assert.deepEqual(farewell, [1, 2]);
        assert.equal(await reasonOf(id), "server namespace disconnect");
      }
    });

    test("others are disconnected by their room", async () => {
      const [[a, b, c]] = await three();
      await ask(b, "join", "out");
      const gone = next(b, "disconnect");
      await ask(a, "disconnect-sockets", "out", true);
      assert.deepEqual((await gone)[0], "io server disconnect");
      await settled([a, c]);
    });

    test("a refused handshake", async () => {
      const socket = make("/", { query: { deny: "1" }, reconnection: false });
      const [error] = await next(socket, "connect_error");
      assert.equal(error.message, transport === "websocket" ? "websocket error" : "xhr poll error");
    });
  });
}

test("polling with fetch", skipUnless(4.8), async () => {
  const { Fetch } = await import("engine.io-client");
  const socket = io(front?.url ?? server.url, { transports: [Fetch], forceNew: true });
  open.add(socket);
  await next(socket, "connect");
  assert.deepEqual(await ask(socket, "message-with-ack", texts.Korean), [texts.Korean]);
  const [b] = await ask(socket, "message-with-ack", Buffer.from([0, 255]));
  assert.deepEqual([...Buffer.from(b)], [0, 255]);
});

const once = { skip: process.env.SIO_NGINX && "once is enough" };
test("a dead wire is noticed on both sides, over each transport", once, async () => {
  const unforgiving = { forceNew: true, reconnection: false };
  const witness = io(fast.url, { ...unforgiving, transports: ["websocket"] });
  open.add(witness);
  await next(witness, "connect");
  const dies = async (transports) => {
    const far = await wire(fast.port),
      socket = io(far.url, { ...unforgiving, transports });
    open.add(socket);
    await next(socket, "connect");
    await until(() => transportOf(socket) === transports.at(-1));
    const { id } = socket,
      gone = next(socket, "disconnect");
    far.frozen = true;
    assert.deepEqual((await gone)[0], "ping timeout");
    const seen = async () => (await ask(witness, "last-disconnects", [id]))[0][0];
    assert.equal((await until(seen)).reason, "ping timeout");
    far.close();
  };
  await Promise.all([["websocket"], ["polling"], ["polling", "websocket"]].map(dies));
});
