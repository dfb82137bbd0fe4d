// recovery.mjs - connection state recovery with the official client 4.8
// SPDX-License-Identifier: MIT
import { after, afterEach, before, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import {
  ask,
  collect,
  eager,
  next,
  PATIENCE,
  patient,
  require,
  sleep,
  startFixture,
  texts,
  until,
  upgraded,
  wire,
} from "./lib.mjs";

const { io } = require("socket.io-client");
const test = patient(plainTest);
let server, proxy;
const clients = new Set();

before(async () => {
  server = await startFixture("--recovery", 2 * PATIENCE);
  proxy = await wire(server.port);
});
after(async () => {
  proxy.close();
  await server.stop();
});
afterEach(() => {
  proxy.down = proxy.frozen = false;
  for (const socket of clients) socket.disconnect();
  clients.clear();
});

const connect = async (options = {}, url = proxy.url) => {
  const socket = io(`${url}/custom`, { ...eager, ...options });
  clients.add(socket);
  await next(socket, "connect");
  if (options.transports?.length !== 1) await upgraded(socket);
  return socket;
};
const witness = () => connect({ transports: ["websocket"] }, server.url);
const lose = async (socket, over = proxy) => {
  const gone = next(socket, "disconnect");
  await over.noticed(socket);
  over.down = true;
  over.cut();
  await gone;
};
const comeBack = async (socket, over = proxy) => {
  const back = next(socket, "connect");
  over.down = false;
  await back;
  if (socket.io.opts.transports?.length !== 1) await upgraded(socket);
};

for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]]) {
  const over = transports.join(" and ");

  test(`${over}: what was missed arrives once and in order, with its rooms`, async () => {
    const socket = await connect({ transports }),
      other = await witness();
    const news = collect(socket, "news"),
      binary = [];
    socket.on("bytes", (b, text) => binary.push([...Buffer.from(b), text]));
    await ask(socket, "join", ["red", "green"]);
    await ask(socket, "set-data", { name: "하나" });
    const { id } = socket;
    await ask(other, "nsp-emit", "news", ["before"]);
    await until(() => news.length === 1);
    await lose(socket);
    await ask(other, "nsp-emit", "news", ["all"]);
    await ask(other, "in", "red", "news", [texts.Korean]);
    await ask(other, "in", "blue", "news", ["not for us"]);
    await ask(other, "to-except", null, "green", "news", ["not for us"]);
    await ask(other, "in", "green", "bytes", [Buffer.from([0, 128, 255]), texts.emoji]);
    for (let i = 0; i < 100; i++) other.emit("private", id, "news", [i]);
    await ask(other, "rooms");
    await comeBack(socket);
    assert.deepEqual([socket.recovered, socket.id], [true, id]);
    await ask(other, "nsp-emit", "news", ["after"]);
    await until(() => news.at(-1) === "after");
    assert.deepEqual(news, ["before", "all", texts.Korean, ...Array(100).keys(), "after"]);
    assert.deepEqual(binary, [[0, 128, 255, texts.emoji]]);
    assert.deepEqual(await ask(socket, "rooms"), [["green", "red"]]);
    assert.deepEqual(await ask(socket, "get-data"), [{ name: "하나" }]);
    assert.equal((await ask(socket, "whoami"))[0].recovered, true);
  });
}

test("it works again and again", async () => {
  const socket = await connect(),
    other = await witness(),
    news = collect(socket, "news"),
    { id } = socket;
  for (let i = 0; i < 5; i++) {
    await lose(socket);
    await ask(other, "nsp-emit", "news", [i]);
    await comeBack(socket);
    assert.deepEqual([socket.recovered, socket.id], [true, id]);
  }
  await until(() => news.length === 5);
  assert.deepEqual(news, [0, 1, 2, 3, 4]);
});

test("events under way when the wire breaks are neither lost nor doubled", async () => {
  const socket = await connect({ transports: ["websocket"] });
  const other = await witness(),
    news = collect(socket, "news");
  let sent = 0;
  for (let round = 0; round < 6; round++) {
    for (let i = 0; i < 50; i++) other.emit("nsp-emit", "news", [sent++]);
    if (round % 2) proxy.cut(); // in the middle of it
    await sleep(30);
  }
  await ask(other, "rooms");
  await until(() => socket.connected && news.at(-1) === sent - 1);
  assert.deepEqual(news, [...Array(sent).keys()]);
});

test("a session in which nothing was said is recovered as well", async () => {
  const socket = await connect(),
    { id } = socket;
  await lose(socket);
  await comeBack(socket);
  assert.deepEqual([socket.recovered, socket.id], [true, id]); // the event auth had an offset
});

test("too late is a new session", async () => {
  const short = await startFixture("--recovery", 50),
    far = await wire(short.port);
  const socket = await connect({}, far.url),
    other = await connect({ transports: ["websocket"] }, short.url),
    { id } = socket;
  await ask(socket, "join", "red");
  await lose(socket, far);
  await until(async () => (await ask(other, "last-disconnects", [id]))[0][0], "its end");
  await sleep(200);
  await comeBack(socket, far);
  assert.equal(socket.recovered, false);
  assert.notEqual(socket.id, id);
  assert.deepEqual(await ask(socket, "rooms"), [[]]);
  socket.disconnect();
  other.disconnect();
  far.close();
  await short.stop();
});

test("who said goodbye, or was sent away, is not recovered", async () => {
  const socket = await connect();
  socket.disconnect();
  socket.connect();
  await next(socket, "connect");
  assert.equal(socket.recovered, false);
  socket.emit("disconnect-me", true);
  await next(socket, "disconnect");
  socket.connect();
  await next(socket, "connect");
  assert.equal(socket.recovered, false);
});

test("the engine's end by the server is recovered from", async () => {
  const socket = await connect(),
    { id } = socket;
  socket.emit("engine-close");
  await next(socket, "disconnect");
  await next(socket, "connect");
  assert.deepEqual([socket.recovered, socket.id], [true, id]);
});
