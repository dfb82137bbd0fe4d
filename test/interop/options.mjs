// options.mjs - the server's options, one by one, as the official client 4.8 sees them
// SPDX-License-Identifier: MIT
import { afterEach, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import os from "node:os";
import {
  ask,
  collect,
  eager,
  next,
  patient,
  require,
  startFixture,
  transportOf,
  until,
  upgraded,
  wire,
} from "./lib.mjs";

const { io } = require("socket.io-client");
const test = patient(plainTest);
const clients = new Set();
let server;

const fixture = async (...args) => {
  server = await startFixture(...args);
};
const make = (options = {}, url = server.url, connect = io) => {
  const socket = connect(url, { ...eager, ...options });
  clients.add(socket);
  return socket;
};
const connected = async (socket) => {
  if (!socket.connected) await next(socket, "connect");
  return socket;
};

afterEach(async () => {
  for (const socket of clients) socket.disconnect();
  clients.clear();
  await server?.stop();
  server = null;
});

test("another path", async () => {
  await fixture("--path", "/my/chat");
  const socket = await connected(make({ path: "/my/chat/" }));
  await upgraded(socket);
  assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  const [error] = await next(make({ reconnection: false }), "connect_error");
  assert.equal(error.message, "xhr poll error");
});

test("no upgrades", async () => {
  await fixture("--no-upgrades");
  const socket = make(),
    [{ upgrades }] = await next(socket.io.engine, "handshake");
  assert.deepEqual(upgrades, []);
  await connected(socket);
  assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  assert.equal(transportOf(socket), "polling");
  await connected(make({ transports: ["websocket"] }));
});

test("only polling, only WebSocket, and a client that tries both", async () => {
  for (const [transport, other] of [
    ["polling", "websocket"],
    ["websocket", "polling"],
  ]) {
    await fixture("--transports", transport);
    const socket = await connected(
      make({ transports: [other, transport], tryAllTransports: true }),
    );
    assert.equal(transportOf(socket), transport);
    await next(make({ transports: [other], reconnection: false }), "connect_error");
    assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
    for (const client of clients) client.disconnect();
    await server.stop();
  }
  server = null;
});

test("a client that was upgraded once begins with WebSocket", async () => {
  await fixture();
  const socket = await connected(make({ rememberUpgrade: true }));
  await upgraded(socket);
  socket.disconnect().connect();
  assert.equal(transportOf(socket), "websocket"); // before it could upgrade
  await connected(socket);
  assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
});

test("what is too large ends the connection of its sender alone", async () => {
  await fixture("--max-payload", 5000);
  for (const transport of ["polling", "websocket"]) {
    const a = await connected(make({ transports: [transport] })),
      b = await connected(make());
    assert.deepEqual(await ask(a, "message-with-ack", "x".repeat(4900)), ["x".repeat(4900)]);
    const gone = next(a, "disconnect"),
      quiet = collect(b, "disconnect");
    a.emit("message", "x".repeat(5000));
    assert.match((await gone)[0], /^transport (close|error)$/);
    await connected(a);
    assert.deepEqual(await ask(b, "message-with-ack", 1), [1]);
    assert.deepEqual(quiet, []);
  }
});

test("many small packets in one POST stay below the limit that the server names", async () => {
  await fixture("--max-payload", 5000);
  const socket = await connected(make({ transports: ["polling"] })),
    back = collect(socket, "message-back");
  for (let i = 0; i < 100; i++) socket.emit("message", "가".repeat(200));
  await until(() => back.length === 100);
});

test("a cookie with the session's id", async () => {
  await fixture("--cookie", "io");
  const socket = await connected(make({ withCredentials: true, transports: ["polling"] }));
  const { id } = socket.io.engine;
  assert.equal(new Map(socket.io.engine._cookieJar.cookies).get("io").value, id);
  assert.deepEqual(await ask(socket, "message-with-ack", 1), [1], "it is sent back");
});

test("old clients only where they are allowed", async () => {
  await fixture();
  for (const name of ["socket.io-client-2.5", "socket.io-client-1.7"])
    for (const transports of [["polling"], ["websocket"]]) {
      const socket = make({ transports, reconnection: false }, server.url, require(name));
      const outcome = await Promise.race(
        ["connect", "connect_error"].map(async (event) => {
          await next(socket, event);
          return event;
        }),
      );
      assert.equal(outcome, "connect_error", `${name} over ${transports}`);
    }
  await connected(make());
});

test("a refusal is repaired by another token", async () => {
  await fixture();
  let token = "wrong";
  const socket = make({ auth: (send) => send({ token }) }, `${server.url}/auth`);
  assert.equal((await next(socket, "connect_error"))[0].message, "not authorized");
  token = "secret";
  socket.connect();
  await connected(socket);
});

const addresses = Object.values(os.networkInterfaces()).flat();
const noIPv6 = !addresses.some(({ address }) => address === "::1") && "not on this machine";
test("IPv6", { skip: noIPv6 }, async () => {
  await fixture("--host", "::1");
  const socket = await connected(make({}, `http://[::1]:${server.port}`));
  await upgraded(socket);
  assert.equal((await ask(socket, "whoami"))[0].address, "::1");
});

test("twenty namespaces over one connection", async () => {
  await fixture();
  const main = await connected(make()),
    { engine } = main.io;
  const others = await Promise.all(
    [...Array(20).keys()].map((n) => connected(main.io.socket(`/dyn-${n}`))),
  );
  assert.deepEqual(
    await Promise.all(others.map((s) => ask(s, "whoami").then(([me]) => me.nsp))),
    others.map((_, n) => `/dyn-${n}`),
  );
  const gone = others.map((s) => next(s, "disconnect"));
  others[3].emit("disconnect-me", true);
  for (const [reason] of await Promise.all(gone))
    assert.match(reason, /^(io server disconnect|transport close)$/);
  assert.ok(engine !== main.io.engine || engine.readyState !== "open");
});

test("dynamic namespaces go with their last socket", async () => {
  await fixture("--cleanup-empty-nsps");
  const main = await connected(make()),
    exists = async () => (await ask(main, "nsp-exists", "/dyn-1"))[0];
  const socket = await connected(make({}, `${server.url}/dyn-1`));
  assert.equal(await exists(), true);
  socket.disconnect();
  await until(async () => !(await exists()));
  await connected(make({}, `${server.url}/dyn-1`));
});

test("the server's end is told to all, and they come to its successor", async () => {
  await fixture();
  const proxy = await wire(server.port);
  const sockets = await Promise.all(
    [["websocket"], ["polling"], undefined].map((transports) =>
      connected(make(transports ? { transports } : {}, proxy.url)),
    ),
  );
  await upgraded(sockets[2]);
  const gone = Promise.all(sockets.map((socket) => next(socket, "disconnect")));
  await server.stop();
  for (const [reason] of await gone) assert.match(reason, /^transport (close|error)$|^io server/);
  await fixture();
  proxy.to = server.port;
  await Promise.all(sockets.map(connected));
  for (const socket of sockets) assert.deepEqual(await ask(socket, "message-with-ack", 1), [1]);
  for (const socket of sockets) socket.disconnect();
  proxy.close();
});

test("connections that come and go leave nothing behind", async () => {
  await fixture();
  const witness = await connected(make({ transports: ["websocket"] }));
  for (let round = 0; round < 10; round++) {
    const batch = [...Array(10).keys()].map((i) =>
      make({ transports: [["polling"], ["websocket"], ["polling", "websocket"]][i % 3] }),
    );
    await Promise.all(batch.slice(0, 7).map(connected)); // the others are given up in the middle
    batch.forEach((socket, i) => {
      if (i % 2) return socket.disconnect();
      socket.io.reconnection(false);
      socket.io.engine.close();
    });
  }
  await until(async () => (await ask(witness, "nsp-size"))[0] === 1, "the others to be gone");
  assert.deepEqual(await ask(witness, "nsp-rooms"), [[]]);
});
