// tutorials.mjs - the programs of test/tutorial_*.c and the official client
// SPDX-License-Identifier: MIT
import { afterEach, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { ask, build, collect, next, patient, require, start, until } from "./lib.mjs";

const { io } = require("socket.io-client");
const WebSocket = require("ws");
const test = patient(plainTest);
let server;
const clients = new Set();

const tutorial = async (name, ...args) => {
  server = await start(`${build}/tutorial_${name}`, [0, ...args]);
};
const connect = async (nsp = "/", options = {}) => {
  const socket = io(server.url + nsp, { forceNew: true, ...options });
  clients.add(socket);
  await next(socket, "connect");
  return socket;
};
afterEach(async () => {
  for (const socket of clients) socket.disconnect();
  clients.clear();
  await server.stop("SIGTERM"); // they have no handler: it is their end
});

test("tutorial_chat: everybody gets every message", async () => {
  await tutorial("chat");
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    const a = await connect("/", { transports }),
      b = await connect("/", { transports });
    const got = [a, b].map((socket) => collect(socket, "chat message"));
    a.emit("chat message", "hello");
    b.emit("chat message", "안녕 👋");
    await until(() => got[0].length === 2 && got[1].length === 2);
    assert.deepEqual(
      got.map((list) => list.sort()),
      [
        ["hello", "안녕 👋"],
        ["hello", "안녕 👋"],
      ],
    );
    a.disconnect();
    b.disconnect();
  }
  await until(() => server.out.split("user disconnected").length === 7);
  assert.equal(server.out.split("a user connected").length, 7);
});

test("tutorial_chat: it serves the page and the client", async () => {
  await tutorial("chat");
  const page = await fetch(server.url);
  assert.match(page.headers.get("content-type"), /^text\/html/);
  assert.match(await page.text(), /<script src="\/socket.io\/socket.io.js">/);
  const script = await fetch(`${server.url}/socket.io/socket.io.js`);
  assert.match(script.headers.get("content-type"), /javascript/);
});

test("tutorial_token: who is known is remembered, and nobody else comes in", async () => {
  await tutorial("token");
  for (const [auth, message] of [
    [{}, "no token"],
    [{ token: 7 }, "no token"],
    [{ token: "x".repeat(65) }, "no token"],
    [{ token: "abracadabra" }, "unknown token"],
  ]) {
    const socket = io(server.url, { forceNew: true, auth });
    clients.add(socket);
    const [error] = await next(socket, "connect_error");
    assert.equal(error.message, message);
  }
  const socket = io(server.url, { forceNew: true, auth: { token: "open sesame" } });
  clients.add(socket);
  assert.deepEqual(await next(socket, "welcome"), ["Ali Baba"]);
});

test("tutorial_request: a request and its response", async () => {
  await tutorial("request");
  const socket = await connect(),
    response = next(socket, "response");
  socket.emit("request", { data: "Send Request" });
  assert.deepEqual(await response, [{ data: "Recieve Respond" }]);
  await until(() => server.out.includes("request: Send Request\n"));
  for (const wrong of [[], [1], [{}], [{ data: 1 }], [{ data: "x".repeat(101) }]])
    socket.emit("request", ...wrong);
  const heard = collect(socket, "response");
  socket.emit("request", { data: "the last one" });
  await until(() => heard.length > 0);
  assert.deepEqual([heard, socket.connected], [[{ data: "Recieve Respond" }], true]);
});

test("tutorial_private: a new user is announced, and written to in private", async () => {
  await tutorial("private");
  const a = await connect(),
    news = next(a, "new user"),
    b = await connect(),
    c = await connect();
  assert.deepEqual(await news, [b.id]);
  const got = [a, c].map((socket) => collect(socket, "private message"));
  const message = next(b, "private message");
  a.emit("private message", b.id, { text: "비밀", file: Buffer.from([1, 2, 3]) });
  const [from, { text, file }] = await message;
  assert.deepEqual([from, text, [...file]], [a.id, "비밀", [1, 2, 3]]);
  assert.deepEqual(got, [[], []]);
});

test("tutorial_private: an answer comes later, and to who is there", async () => {
  await tutorial("private");
  const a = await connect(),
    b = await connect();
  b.emit("question", () => assert.fail("it has gone"));
  const answer = ask(a, "question");
  b.disconnect();
  assert.deepEqual(await answer, ["here it is"]);
});

test("tutorial_private: rooms of a namespace are joined and left", async () => {
  await tutorial("private");
  const a = await connect("/chat_room"),
    b = await connect("/chat_room"),
    log = [];
  for (const event of ["joined", "left"])
    a.on(event, (room, id) => log.push(`${id === a.id ? "a" : "b"} ${event} ${room}`));
  a.emit("join", "kitchen");
  await until(() => log.length === 1);
  b.emit("join", "garden");
  b.emit("join", "kitchen");
  b.emit("leave", "kitchen");
  await until(() => log.length === 3);
  a.emit("leave", "kitchen");
  a.emit("join", "cellar");
  await until(() => log.length === 4); // it has left
  b.emit("join", "kitchen");
  b.emit("join", "cellar");
  await until(() => log.length === 5);
  const told = ["a joined kitchen", "b joined kitchen", "b left kitchen"];
  assert.deepEqual(log, [...told, "a joined cellar", "b joined cellar"]);
});

test("tutorial_websocket: greets, listens, and survives rude clients", async () => {
  await tutorial("websocket", 100);
  const url = server.url.replace("http", "ws");
  const sockets = [new WebSocket(url), new WebSocket(url)],
    got = [[], []];
  sockets.forEach((ws, i) =>
    ws.on("message", (data, binary) => {
      got[i].push([String(data), binary]);
      ws.send(`answer ${got[i].length} of ${i}, 고마워요`);
    }),
  );
  await until(() => got[0].length >= 3 && got[1].length >= 3);
  assert.deepEqual(got[1].slice(0, 2), Array(2).fill(["Hello from the server", false]));
  await until(() => /says: answer 2 of 1, 고마워요\n/.test(server.out));
  sockets[1].terminate();
  sockets[0].send(Buffer.from([0, 1]));
  sockets[0].close(4001);
  const [code] = await new Promise((resolve) => sockets[0].on("close", (...args) => resolve(args)));
  assert.equal(code, 4001);
  await until(() => /closed with 4001, in order/.test(server.out));
  await until(() => /closed with 1006, broken/.test(server.out));
  assert.match(server.out, /sends: \n/);
  const late = new WebSocket(url);
  await new Promise((resolve) => late.on("message", resolve));
  late.close();
  await until(() => /closed with 1005, in order/.test(server.out));
});

test("tutorial_websocket: what is not WebSocket is refused", async () => {
  await tutorial("websocket");
  assert.ok((await fetch(server.url)).status >= 400);
  assert.ok((await fetch(`${server.url}/nothing`)).status >= 400);
});
