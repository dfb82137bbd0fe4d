// bundles.mjs - our client and each version of the official one, in a browser, at another origin
// SPDX-License-Identifier: MIT
import { after, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import { chromium } from "playwright-core";
import { browserOptions, PATIENCE, patient, root, startFixture, texts } from "./lib.mjs";

const modules = `${root}test/interop/node_modules`;
const bundles = {
  "sio.js": `${root}sio.js`,
  4.8: `${modules}/socket.io-client/dist/socket.io.js`,
  "4.8, ES module": `${modules}/socket.io-client/dist/socket.io.esm.min.js`,
  "4.0": `${modules}/socket.io-client-4.0/dist/socket.io.js`,
  3.1: `${modules}/socket.io-client-3.1/dist/socket.io.js`,
  2.5: `${modules}/socket.io-client-2.5/dist/socket.io.js`,
  1.7: `${modules}/socket.io-client-1.7/dist/socket.io.js`,
};
const test = patient(plainTest);
let browser, server, recovering, site, origin;

before(async () => {
  site = http.createServer((request, answer) => {
    const file = Object.values(bundles)[request.url.slice(1)];
    answer.setHeader("Content-Type", file ? "text/javascript" : "text/html");
    answer.end(file ? fs.readFileSync(file) : "<!doctype html>");
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${site.address().port}`;
  server = await startFixture(
    "--allow-eio3",
    "--cors",
    origin,
    "--cors-credentials",
    "--cookie",
    "io",
  );
  recovering = await startFixture("--recovery", 2 * PATIENCE, "--cors", origin);
  browser = await chromium.launch(browserOptions);
});
after(async () => {
  await browser.close();
  site.close();
  await server.stop();
  await recovering.stop();
});

/* Runs in the page. */
async function talk({ url, transports, texts, word, old, patience }) {
  const ask = (socket, ...args) =>
    new Promise((resolve, reject) => {
      setTimeout(reject, patience, new Error(`no answer to ${args[0]}`));
      socket.emit(...args, (...answer) => resolve(answer));
    });
  const bytes = (size) => Uint8Array.from({ length: size }, (_, i) => i % 256);
  const list = (data) => [...new Uint8Array(data.buffer ?? data)];
  const options = { transports, forceNew: true, withCredentials: true, reconnectionDelay: 20 };
  const socket = io(url, options),
    custom = io(`${url}/custom`, options),
    told = [];
  const ready = (s) =>
    new Promise((resolve) => (s.connected ? resolve() : s.on("connect", resolve)));
  await Promise.all([ready(socket), ready(custom)]);
  const result = { text: {}, binary: {}, order: [] };
  for (const [name, text] of Object.entries(texts))
    result.text[name] = (await ask(socket, "message-with-ack", { text }))[0].text === text;
  for (const size of [0, 1, 130, 70000]) {
    const [a, b] = await ask(socket, "message-with-ack", bytes(size).buffer, {
      deep: [bytes(size).buffer, word],
    });
    result.binary[size] =
      [a, b.deep[0]].every((data) => `${list(data)}` === `${list(bytes(size))}`) &&
      b.deep[1] === word;
  }
  custom.on("binary", (data) => told.push(data.list.map((b) => list(b).slice(0, 3))));
  await ask(custom, "emit-binary", 3, 100);
  result.told = told;
  socket.on("message-back", (n) => result.order.push(n));
  await Promise.all(
    [...Array(100).keys()].map(
      (n) => (socket.emit("message", n), ask(socket, "message-with-ack", n)),
    ),
  );
  const refused = io(old ? `${url}/auth?token=nodata` : `${url}/auth`, {
    ...options,
    auth: { token: "nodata" },
  });
  result.refused = await new Promise((resolve) =>
    refused.on(old ? "error" : "connect_error", (error) => resolve(error.message ?? error)),
  );
  const [me] = await ask(socket, "whoami");
  const again = new Promise((resolve) =>
    socket.once("disconnect", () => socket.once("connect", resolve)),
  );
  socket.emit("engine-close");
  await again;
  result.again = (await ask(socket, "message-with-ack", "again"))[0];
  result.me = [me.protocol, me.transport, me.headers.origin, me.xdomain];
  for (const s of [socket, custom, refused]) s.disconnect();
  return result;
}

Object.keys(bundles).forEach((name, i) =>
  describe(name, () => {
    const url = `/${i}`,
      old = ["2.5", "1.7"].includes(name);
    for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]])
      test(transports.join(" and "), async () => {
        const page = await browser.newPage(),
          trouble = [];
        page.setDefaultTimeout(PATIENCE);
        page.on("pageerror", (error) => trouble.push(String(error)));
        await page.goto(origin);
        if (name.includes("module"))
          await page.evaluate(async (url) => {
            window.io = (await import(url)).io;
          }, url);
        else await page.addScriptTag({ url });
        // In a browser, over polling, 1.7 and today's servers agree about ASCII alone.
        const ascii = name === "1.7" && transports[0] === "polling";
        const say = ascii ? { ASCII: texts.ASCII } : texts,
          word = ascii ? "word" : "글";
        const result = await page.evaluate(talk, {
          url: server.url,
          transports,
          texts: say,
          word,
          old,
          patience: PATIENCE,
        });
        assert.deepEqual(trouble, []);
        assert.deepEqual(result, {
          text: Object.fromEntries(Object.keys(say).map((key) => [key, true])),
          binary: { 0: true, 1: true, 130: true, 70000: true },
          told: [
            [
              [0, 1, 2],
              [31, 32, 33],
              [62, 63, 64],
            ],
          ],
          order: [...Array(100).keys()],
          refused: "no data",
          again: "again",
          me: [old ? 3 : 4, transports.at(-1), origin, true],
        });
        await page.close();
      });
  }),
);

/* ---- What pages call ------------------------------------------------------------------------- */

/* Runs in the page: what the cases below are given. */
function makeTools({ url, recovering, transports, patience }) {
  const options = { transports, forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };
  const hangs = (what, reject) => setTimeout(reject, patience, new Error(`no ${what}`));
  const tools = { url, recovering, options };
  tools.make = (path = "", more = {}) => io(new URL(path, url).href, { ...options, ...more });
  tools.next = (emitter, event) =>
    new Promise((resolve, reject) => {
      hangs(event, reject);
      emitter.once(event, (...args) => resolve(args));
    });
  tools.ask = (socket, ...args) =>
    new Promise((resolve, reject) => {
      hangs(`answer to ${args[0]}`, reject);
      socket.emit(...args, (...answer) => resolve(answer));
    });
  tools.settled = async (socket) => {
    if (!socket.connected) await tools.next(socket, "connect");
    await tools.ask(socket, "rooms"); // and so what the server says at first has come
    const { engine } = socket.io;
    if (engine.transport.name !== transports.at(-1)) await tools.next(engine, "upgrade");
    return socket;
  };
  tools.connect = (...args) => tools.settled(tools.make(...args));
  window.tools = tools;
}

/* Each row runs in the page, with each client and transport, and returns what it saw. */
const cases = [
  {
    title: "connect, open, disconnect and close, and what a socket says of itself",
    async run({ url, options, next }) {
      const log = [],
        socket = io.connect(url, { ...options, autoConnect: false });
      const note = (what) => {
        const { connected, disconnected, active, recovered, id } = socket;
        log.push([what, connected, disconnected, active, !!recovered, typeof id]);
      };
      socket.on("connect", () => note("connect"));
      socket.on("disconnect", (reason, details) => note(`${reason} ${details}`));
      note("made");
      for (const [enter, leave] of [
        ["open", "close"],
        ["connect", "disconnect"],
      ]) {
        log.push(socket[enter]() === socket);
        note(enter);
        await next(socket, "connect");
        log.push(socket[leave]() === socket, socket[leave]() === socket);
        note(leave);
      }
      return log;
    },
    want: [
      ["made", false, true, false, false, "undefined"],
      ...["open", "connect"].flatMap((enter) => [
        true,
        [enter, false, true, true, false, "undefined"],
        ["connect", true, false, true, false, "string"],
        ["io client disconnect undefined", false, true, false, false, "undefined"],
        true,
        true,
        [enter === "open" ? "close" : "disconnect", false, true, false, false, "undefined"],
      ]),
    ],
  },
  {
    title: "send is an event, and what a socket needs itself is none",
    async run({ connect, next }) {
      const socket = await connect(),
        back = next(socket, "message-back"),
        log = [socket.send("a", 1) === socket, await back];
      for (const name of ["connect", "disconnecting", "newListener", "removeListener"])
        try {
          socket.emit(name);
        } catch (error) {
          log.push(error.message);
        }
      return log;
    },
    want: [
      true,
      ["a", 1],
      ...["connect", "disconnecting", "newListener", "removeListener"].map(
        (name) => `"${name}" is a reserved event name`,
      ),
    ],
  },
  {
    title: "listeners come and go",
    async run({ connect, ask }) {
      const socket = await connect(),
        event = "message-back",
        log = [];
      const [a, b, c] = ["a", "b", "c"].map((name) => (n) => log.push(name + n));
      const turn = async (n) => {
        const before = log.length;
        socket.emit("message", n);
        await ask(socket, "rooms");
        log.push(log.splice(before).join(""));
      };
      socket.on(event, a).on(event, b).on(event, a).once(event, c);
      await turn(1);
      socket.off(event, a).off(event, c); // the first, no one
      await turn(2);
      socket.on(event, c).once(event, c);
      await turn(3); // the second c is no more
      socket.once(event, c).removeListener(event, a).off(event, c).off(event, c).off(event, b);
      log.push(socket.listeners(event).length, socket.hasListeners(event));
      await turn(4);
      socket.on(event, a).removeAllListeners("other").removeAllListeners(event);
      await turn(5);
      socket.on(event, a).on("other", a).off();
      log.push(socket.listeners("other"), socket.hasListeners(event));
      await turn(6);
      socket.on(event, b);
      log.push(socket.listeners(event)[0] === b, socket.hasListeners(event));
      return log;
    },
    want: ["a1b1a1c1", "b2a2", "b3a3c3c3", 0, false, "", "", [], false, "", true, true],
  },
  {
    title: "a listener for all that comes",
    async run({ connect, ask }) {
      const socket = await connect(),
        log = [];
      const show = (args) => args.map((value) => (typeof value === "function" ? "fn" : value));
      const [a, b] = ["a", "b"].map((name) => (...args) => log.push([name, ...show(args)]));
      log.push(socket.onAny(a) === socket, socket.prependAny(b) === socket);
      log.push(socket.listenersAny().map((fn) => [a, b].indexOf(fn)));
      socket.on("question", (n, answer) => (log.push(["on", n]), answer(n + 1)));
      log.push(await ask(socket, "ask", "question", [1]));
      log.push(socket.offAny(b) === socket, socket.listenersAny().length);
      socket.emit("message", 2);
      await ask(socket, "rooms");
      socket.off(); // of which these are none
      socket.onAny(b).onAny(a).offAny(a); // the first a
      log.push(socket.listenersAny().map((fn) => [a, b].indexOf(fn)));
      socket.offAny();
      socket.emit("message", 3);
      await ask(socket, "rooms");
      log.push(socket.listenersAny().length);
      return log;
    },
    want: [
      true,
      true,
      [1, 0],
      ["b", "question", 1, "fn"],
      ["a", "question", 1, "fn"],
      ["on", 1],
      [{ ok: true, args: [2] }],
      true,
      1,
      ["a", "message-back", 2],
      [1, 0],
      0,
    ],
  },
  {
    title: "a listener for all that goes, when it goes",
    async run({ make, settled, ask }) {
      const socket = make(),
        log = [];
      const [a, b] = ["a", "b"].map((name) => (...args) => log.push([name, ...args]));
      log.push(socket.onAnyOutgoing(a) === socket, socket.prependAnyOutgoing(b) === socket);
      socket.on("connect", () => log.push("connect"));
      socket.emit("message-with-ack", 1, () => log.push("ack"));
      log.push("buffered");
      await settled(socket);
      log.push(socket.offAnyOutgoing(b) === socket, socket.listenersAnyOutgoing().length);
      socket.send(2);
      socket.offAnyOutgoing();
      await ask(socket, "rooms");
      return log;
    },
    want: [
      true,
      true,
      "buffered",
      ["b", "message-with-ack", 1],
      ["a", "message-with-ack", 1],
      "connect",
      ["b", "rooms"],
      ["a", "rooms"],
      "ack",
      true,
      1,
      ["a", "message", 2],
    ],
  },
  {
    title: "acknowledgements: with a limit of time, as a promise, without a connection",
    async run({ connect, make }) {
      const socket = await connect(),
        slow = make("", { ackTimeout: 50 });
      const log = [];
      const told = (what) => (...args) => log.push([what, ...args.map((e) => e?.message ?? e)]);
      const later = ["ack-later", 10000, 1];
      await new Promise((resolve) =>
        socket.timeout(50).emit(...later, (...args) => resolve(told("limit")(...args))),
      );
      await new Promise((resolve) =>
        slow.emit(...later, (...args) => resolve(told("option")(...args))),
      );
      socket.timeout(1e6).emit("message-with-ack", 2, 3, told("in time"));
      log.push(await socket.emitWithAck("message-with-ack", 4, 5));
      socket.emit(...later, told("never"));
      socket.timeout(1e6).emit(...later, told("cut"));
      const promise = socket.emitWithAck(...later).catch(told("promise"));
      const kept = socket.compress(false).timeout(1e6);
      socket.on("disconnect", () => {
        log.push("disconnect");
        kept.emit("message-with-ack", 6, told("kept"));
      });
      socket.disconnect();
      await promise;
      const done = new Promise((resolve) => socket.on("message-back", resolve));
      socket.emit("message");
      socket.connect();
      await done;
      return log;
    },
    want: [
      ["limit", "operation has timed out"],
      ["option", "operation has timed out"],
      ["in time", null, 2, 3],
      4,
      "disconnect",
      ["cut", "socket has been disconnected"],
      ["promise", "socket has been disconnected"],
      ["kept", null, 6],
    ],
  },
  {
    title: "a server's question is answered once",
    async run({ connect, ask }) {
      const socket = await connect(),
        sent = [];
      socket.on("question", (answer) => (answer("first"), answer("second")));
      socket.io.engine.on("packetCreate", ({ data }) => /^3/.test(data) && sent.push(data));
      const answer = await ask(socket, "ask", "question", []);
      return [sent.map((text) => text.replace(/^3\d+/, "")), answer];
    },
    want: [['["first"]'], [{ ok: true, args: ["first"] }]],
  },
  {
    title: "volatile events",
    async run({ make, settled, ask }) {
      const socket = make(),
        got = [];
      socket.on("message-back", (n) => got.push(n));
      socket.volatile.emit("message", "dropped");
      socket.emit("message", "kept");
      await settled(socket);
      while (!got.includes("volatile")) {
        socket.volatile.emit("message", "volatile");
        await ask(socket, "rooms");
      }
      return got.slice(0, 2);
    },
    want: ["kept", "volatile"],
  },
  {
    title: "retries: in order, again without an answer, up to a number",
    async run({ make }) {
      const socket = make("", { retries: 2, ackTimeout: 50 }),
        log = [];
      socket.onAnyOutgoing((...args) => log.push(args));
      const told = (error, ...args) => log.push([error?.message ?? error, ...args]);
      socket.on("connect", () => log.push("connect"));
      socket.emit("nobody answers", told);
      socket.emit("nothing", 1);
      await socket.timeout(1e6).emitWithAck("message-with-ack", 2);
      socket.timeout(1e6).emit("message-with-ack", 3, told);
      await new Promise((resolve) =>
        socket.timeout(1e6).emit("message-with-ack", 4, (...args) => resolve(told(...args))),
      );
      return log;
    },
    want: [
      ["nobody answers"],
      "connect",
      ...Array(2).fill(["nobody answers"]),
      ["operation has timed out"],
      ...Array(3).fill(["nothing", 1]),
      ["message-with-ack", 2],
      ["message-with-ack", 3],
      [null, 3],
      ["message-with-ack", 4],
      [null, 4],
    ],
  },
  {
    title: "a lost connection is recovered",
    async run({ recovering, connect, settled, ask, next }) {
      const socket = await connect(`${recovering}/custom`, { reconnection: false }),
        other = await connect(`${recovering}/custom`),
        news = [],
        log = [!!socket.recovered];
      socket.on("news", (text) => news.push(text));
      const say = (text) => ask(other, "nsp-emit", "news", [text]);
      const first = next(socket, "news");
      await say("before");
      await first;
      const { id } = socket,
        gone = next(socket, "disconnect");
      socket.io.engine.close();
      log.push(await gone, socket.active);
      while (other.connected && (await ask(other, "nsp-size"))[0] > 1);
      await say("meanwhile");
      socket.connect();
      await settled(socket);
      log.push(socket.recovered, socket.id === id, news);
      socket.disconnect().connect();
      await settled(socket);
      log.push(!!socket.recovered, socket.id === id);
      return log;
    },
    want: [
      false,
      ["forced close", undefined],
      true,
      true,
      true,
      ["before", "meanwhile"],
      false,
      false,
    ],
  },
  {
    title: "query, headers and auth",
    async run({ url, options, make, settled, connect, ask, next }) {
      const asked = async (socket) => {
        const [{ query, headers, auth }] = await ask(await settled(socket), "whoami");
        const { EIO, transport, sid, t, ...rest } = query;
        return [rest, headers["x-test"], auth];
      };
      const socket = make("/auth", { auth: { token: "none" } });
      const log = [await next(socket, "connect_error")].map(([e]) => [e.message, e.data]);
      log.push(socket.active);
      socket.auth = function (send) {
        send({ token: "secret", self: this === socket });
      };
      log.push((await asked(socket.connect())).at(-1));
      socket.auth = { token: "nodata" };
      socket.disconnect().connect();
      const [{ message, data }] = await next(socket, "connect_error");
      log.push([message, data]);
      const more = { query: { a: "1 & 2", 값: "+é" }, extraHeaders: { "X-Test": "yes" } };
      log.push(await asked(make("", more)));
      const host = url.replace("http:", "ws:");
      log.push(await asked(io(`${host}/custom?b=2`, options)));
      log.push(await asked(io(host.replace("ws://", ""), { ...options, query: { c: 3 } })));
      return log;
    },
    want: (transports) => [
      ["not authorized", { code: 401, hint: "send the token" }],
      false,
      { token: "secret", self: true },
      ["no data", undefined],
      [{ a: "1 & 2", 값: "+é" }, transports[0] === "polling" ? "yes" : null, {}],
      [{ b: "2" }, null, {}],
      [{ c: "3" }, null, {}],
    ],
  },
  {
    title: "managers: shared, made by hand",
    async run({ url, options, settled }) {
      const shared = { ...options, forceNew: false };
      const a = io(url, shared),
        b = io(`${url}/custom`, shared),
        again = io(url, shared),
        alone = io(`${url}/dyn-1`, { ...shared, multiplex: false });
      const manager = new io.Manager(url, options),
        c = manager.socket("/"),
        d = manager.socket("/custom", { auth: { token: 1 } });
      await Promise.all([a, b, again, alone, c, d].map(settled));
      const log = [a.io === b.io, a.io === again.io, a.io === alone.io, c.io === d.io];
      log.push(manager.socket("/custom") === d, manager.socket("/") === c, d.nsp);
      log.push(a instanceof io.Socket, a.io instanceof io.Manager, io.io === io);
      return log;
    },
    want: [true, false, false, true, true, true, "/custom", true, true, true],
  },
  {
    title: "attempts to connect, up to a number",
    async run({ make, next }) {
      const socket = make("", { path: "/nothing", reconnectionAttempts: 2, autoConnect: false });
      const log = [],
        told = (what) => (e) => log.push([what, e?.message ?? e]);
      for (const event of ["error", "reconnect", "reconnect_attempt", "reconnect_error"])
        socket.io.on(event, told(event));
      socket.on("connect_error", told("connect_error"));
      socket.on("disconnect", told("disconnect"));
      const over = next(socket.io, "reconnect_failed").then(() => log.push(["reconnect_failed"]));
      socket.connect();
      await over;
      return [log, socket.active, socket.connected];
    },
    want: ([transport]) => {
      const why = transport === "polling" ? "xhr poll error" : "websocket error";
      const failed = ["error", "connect_error"].map((event) => [event, why]);
      const again = (n) => [["reconnect_attempt", n], ...failed];
      const error = ["reconnect_error", why];
      const all = [...failed, ...again(1), error, ...again(2), error, ["reconnect_failed"]];
      return [all, true, false];
    },
  },
  {
    title: "a lost connection comes back",
    async run({ connect, next }) {
      const socket = await connect(),
        log = [];
      for (const event of ["reconnect", "reconnect_attempt", "reconnect_error"])
        socket.io.on(event, (n) => log.push([event, n]));
      socket.on("connect", () => log.push("connect"));
      socket.on("disconnect", (reason) => log.push(reason));
      const sent = (packet) => packet.type === "message" && log.push(packet.data);
      socket.io.on("reconnect_attempt", () =>
        Promise.resolve().then(() => socket.io.engine.on("packetCreate", sent)),
      );
      const again = next(socket, "connect");
      socket.io.engine.close();
      await again;
      return log;
    },
    want: ["forced close", ["reconnect_attempt", 1], "0", ["reconnect", 1], "connect"],
  },
  {
    title: "the server ends it",
    async run({ connect, next }) {
      const log = [];
      for (const [event, close] of [
        ["goodbye", false],
        ["goodbye", true],
        ["engine-close"],
      ]) {
        const socket = await connect("", { reconnection: false }),
          gone = next(socket, "disconnect");
        socket.emit(event, close);
        const [reason, details] = await gone;
        log.push([reason, details?.description, socket.active]);
      }
      return log;
    },
    want: (transports) => [
      ["io server disconnect", undefined, false],
      ["io server disconnect", undefined, false],
      [
        "transport close",
        transports.at(-1) === "polling"
          ? "transport closed by the server"
          : "websocket connection closed",
        true,
      ],
    ],
  },
  {
    title: "the network is gone, but that to this machine",
    async run({ url, options, connect, settled, ask, next }) {
      const socket = await connect(),
        near = await settled(io(url.replace("127.0.0.1", "localhost"), options));
      const log = [],
        again = next(socket, "connect");
      socket.on("disconnect", (...args) => log.push(args));
      near.on("disconnect", (...args) => log.push(args));
      dispatchEvent(new Event("offline"));
      log.push(socket.connected, near.connected);
      await again;
      log.push(await ask(near, "message-with-ack", "near"));
      return log;
    },
    want: [
      ["transport close", { description: "network connection lost" }],
      false,
      true,
      ["near"],
    ],
  },
  {
    title: "the server's pings",
    async run({ connect, next }) {
      return next((await connect()).io, "ping");
    },
    want: [],
  },
  {
    title: "Blobs and Files arrive whole, and nothing overtakes them",
    async run({ make, ask }) {
      const socket = make(); // from before it is connected until it is upgraded
      const order = [],
        asked = [];
      const bytes = Uint8Array.from({ length: 5000 }, (_, i) => i % 251);
      const say = (n) => {
        const blob = new Blob([bytes, String(n)], { type: "image/png" });
        const file = new File([bytes.subarray(n), "é"], "a.txt"),
          values = [blob, { file }, bytes.subarray(n)];
        asked.push(
          ask(socket, "message-with-ack", n, ...values).then(([m, a, b, c]) => {
            order.push(m);
            const pairs = [
              [a, blob],
              [b.file, file],
              [c, values[2]],
            ];
            return Promise.all(
              pairs.map(async ([got, sent]) => {
                const [x, y] = await Promise.all([got, sent].map((v) => new Blob([v]).text()));
                return got instanceof ArrayBuffer && x === y;
              }),
            );
          }),
        );
        asked.push(ask(socket, "message-with-ack", n + 0.5).then(([m]) => (order.push(m), [])));
        socket.emit("message", n);
      };
      const back = [];
      socket.on("message-back", (n) => back.push(n));
      for (let n = 0; n < 30; n++) {
        say(n);
        if (n > 10) await new Promise((resolve) => setTimeout(resolve));
      }
      const same = (await Promise.all(asked)).flat();
      return [order, back, same.length, same.every(Boolean)];
    },
    want: [[...Array(60).keys()].map((n) => n / 2), [...Array(30).keys()], 90, true],
  },
  {
    title: "a Blob goes out before its socket does",
    async run({ connect, next }) {
      const socket = await connect("/custom"),
        other = await connect("/custom"),
        news = next(other, "news");
      socket.emit("nsp-emit", "news", [new Blob(["farewell"])], () => {});
      socket.disconnect();
      return new TextDecoder().decode((await news)[0]);
    },
    want: "farewell",
  },
];

for (const name of ["sio.js", "4.8"])
  describe(`what pages call: ${name}`, () => {
    for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]])
      for (const { title, run, want } of cases)
        test(`${title}: ${transports.join(" and ")}`, async () => {
          const page = await browser.newPage(),
            trouble = [];
          page.setDefaultTimeout(PATIENCE);
          page.on("pageerror", (error) => trouble.push(String(error)));
          await page.goto(origin);
          await page.addScriptTag({ url: `/${Object.keys(bundles).indexOf(name)}` });
          await page.evaluate(makeTools, {
            url: server.url,
            recovering: recovering.url,
            transports,
            patience: PATIENCE,
          });
          const got = await page.evaluate(`({ ${run} }).run(tools)`);
          await page.close();
          assert.deepEqual(got, typeof want === "function" ? want(transports) : want);
          assert.deepEqual(trouble, []);
        });
  });
