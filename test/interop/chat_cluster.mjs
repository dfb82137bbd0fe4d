// chat_cluster.mjs - the chat room as several processes over a Redis: names, counts, lines, and faults
// SPDX-License-Identifier: MIT
//
// That something does not arrive is seen without waiting for nothing: what is said afterwards is there.
import { afterEach, beforeEach, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { ask, build, collect, next, patient, require, start, until } from "./lib.mjs";
import { startRedis } from "./redis.mjs";

const { io } = require("socket.io-client");
const test = patient(plainTest);
let redis,
  servers = [],
  sockets = [];

async function startChat() {
  const server = await start(`${build}/chat`, ["--port", 0, "--redis", redis.url]);
  servers.push(server);
  return server;
}

/* The processes hear each other: each keeps what the others' probes say. */
async function together(...list) {
  for (const from of list)
    for (const to of list.filter((other) => other !== from)) {
      const [speaker, listener] = [await connect(from), await connect(to)],
        name = `p${sockets.length}`,
        room = `r${name}`;
      await join(speaker, `s${name}`, "k", room);
      await join(listener, `l${name}`, "k", room);
      await until(async () => {
        await say(speaker, `#${room}`, "probe");
        return listener.log.some(({ text }) => text === "probe");
      }, "the processes to hear each other");
      speaker.disconnect();
      listener.disconnect();
    }
}

beforeEach(async () => {
  redis = await startRedis();
  await together(await startChat(), await startChat());
});

afterEach(async () => {
  for (const socket of sockets) socket.disconnect();
  sockets = [];
  for (const server of servers) if (server.child.exitCode === null && !server.child.killed) await server.stop();
  servers = [];
  await redis.stop();
});

async function connect(server) {
  const socket = io(server.url, { forceNew: true, transports: ["websocket"], reconnection: false });
  sockets.push(socket);
  socket.log = collect(socket, "line");
  socket.sizes = {};
  socket.on("room", ({ name, people }) => (socket.sizes[name] = people));
  socket.on("here", (room, names) => (socket.here = { ...socket.here, [room]: names.sort() }));
  await next(socket, "connect");
  return socket;
}

async function join(socket, name, key, room = "lobby", since = 0) {
  return (await ask(socket, "join", { name, key, room: `#${room}`, since }))[0];
}

/* A client of that person, who is in the lobby. */
async function enter(server, name, since = 0) {
  const socket = await connect(server);
  assert.equal(await join(socket, name, `key of ${name}`, "lobby", since), "");
  return socket;
}

let ids = 0;
async function say(socket, to, text, more = {}) {
  return (await ask(socket, "line", { to, id: `id${ids++}`, text, ...more }))[0];
}

/* What a page shows: each line once, in the order of the numbers. */
function shown(...logs) {
  const lines = new Map();
  for (const line of logs.flat()) lines.set(line.id ?? `${line.at} ${line.from}`, line);
  return [...lines.values()].sort((a, b) => a.at - b.at);
}

const texts = (...logs) => shown(...logs).flatMap(({ text }) => text ?? []);
const moves = (socket, name) => socket.log.flatMap(({ code, from }) => (from === name ? (code ?? []) : []));
const newest = (socket) => Math.max(...socket.log.map(({ at }) => at));
const hears = (socket, text) => until(() => texts(socket.log).includes(text), `"${text}" to be heard`);

/* ---- People ------------------------------------------------------------------------------------ */

test("who comes and goes is told in all processes, once, with how many are there", async () => {
  const [a, b] = servers;
  const bob = await enter(b, "bob"),
    one = await enter(a, "anna");
  await until(() => bob.sizes["#lobby"] === 2);
  assert.deepEqual(one.here["#lobby"], ["anna", "bob"]);
  assert.deepEqual(one.sizes, { "#lobby": 2 });
  const two = await enter(b, "anna"); // another tab, at the other process
  assert.deepEqual(two.here["#lobby"], ["anna", "bob"]);
  assert.equal(two.sizes["#lobby"], 2);
  one.disconnect();
  const third = await enter(a, "cleo");
  await until(() => moves(bob, "cleo").length);
  assert.deepEqual(third.here["#lobby"], ["anna", "bob", "cleo"]);
  assert.deepEqual(moves(bob, "anna"), ["joined"]);
  assert.deepEqual(await ask(two, "leave", "#lobby"), [""]);
  await until(() => moves(third, "anna").includes("left"));
  await until(() => bob.sizes["#lobby"] === 2 && third.sizes["#lobby"] === 2);
  assert.deepEqual(moves(bob, "anna"), ["joined", "left"]);
});

test("what is said to a room is heard in all processes, and what is private by two people's tabs", async () => {
  const [a, b] = servers;
  const anna = await enter(a, "anna"),
    bob = await enter(b, "bob"),
    tab = await enter(a, "bob"),
    cleo = await enter(b, "cleo"),
    picture = Buffer.from(Array.from({ length: 700000 }, (_, i) => (i * i) >> 8));
  assert.equal(await say(anna, "#lobby", "hello"), "");
  assert.equal(await say(anna, "@BOB", "psst", { image: picture }), "");
  await hears(bob, "psst");
  assert.equal(await say(bob, "@anna", "what?"), "");
  await hears(anna, "what?");
  assert.equal(await say(cleo, "@nobody", "who?"), "nobody");
  assert.equal(await say(bob, "#lobby", "end"), "");
  for (const socket of [anna, bob, tab]) {
    await until(() => texts(socket.log).length === 4);
    assert.deepEqual(texts(socket.log), ["hello", "psst", "what?", "end"]);
    assert.deepEqual(Buffer.from(socket.log.find(({ text }) => text === "psst").image), picture);
  }
  await hears(cleo, "end");
  assert.deepEqual(texts(cleo.log), ["hello", "end"]);
  const typing = next(bob, "typing");
  await until(async () => {
    anna.emit("typing", "#lobby"); // may be lost
    return (await Promise.race([typing, ask(anna, "numbers")])).length === 2;
  }, "typing");
  assert.deepEqual(await typing, ["#lobby", "anna"]);
});

test("a name that is somebody's is taken in all processes, also for a while after the last tab", async () => {
  const [a, b] = servers;
  const anna = await enter(a, "anna"),
    bob = await enter(b, "bob"),
    thief = await connect(b);
  await until(() => moves(bob, "anna").length); // what is told of her is told in this order
  assert.equal(await join(thief, "ANNA", "x"), "taken");
  anna.disconnect();
  await until(() => moves(bob, "anna").length === 2);
  assert.equal(await join(thief, "anna", "x"), "taken");
  assert.equal(await say(bob, "@anna", "are you there?"), "");
  const back = await enter(b, "anna");
  assert.deepEqual(texts(back.log), ["are you there?"]);
});

/* ---- Lines ------------------------------------------------------------------------------------- */

test("who comes back to another process misses nothing, and is shown nothing twice", async () => {
  const [a, b] = servers;
  const anna = await enter(a, "anna"),
    bob = await enter(b, "bob");
  await say(anna, "#lobby", "one");
  await hears(bob, "one");
  await say(bob, "#lobby", "two", { id: "twice" });
  await hears(anna, "two");
  const since = newest(anna);
  anna.disconnect();
  await until(() => moves(bob, "anna").includes("left"));
  await say(bob, "#lobby", "three", { image: Buffer.from([1, 2, 3]) });
  await say(bob, "@anna", "four");
  const again = await enter(b, "anna", since);
  assert.deepEqual(texts(anna.log, again.log), ["one", "two", "three", "four"]);
  const probe = await enter(a, "anna");
  assert.deepEqual(texts(probe.log), ["one", "two", "three", "four"]);
  const numbers = probe.log.filter(({ to }) => to === "#lobby").map(({ at }) => at);
  assert.deepEqual(numbers, numbers.toSorted((x, y) => x - y));
  assert.deepEqual([...probe.log.find(({ text }) => text === "three").image], [1, 2, 3]);
});

test("a line that is said again to another process is one", async () => {
  const [a, b] = servers;
  const anna = await enter(a, "anna"),
    tab = await enter(b, "anna"),
    bob = await enter(b, "bob");
  const line = { to: "#lobby", id: "same", text: "once" };
  assert.deepEqual(await ask(anna, "line", line), [""]);
  await hears(bob, "once");
  assert.deepEqual(await ask(tab, "line", line), [""]);
  await say(tab, "#lobby", "end");
  await hears(bob, "end");
  assert.equal(bob.log.filter(({ text }) => text === "once").length, 1);
});

test("a process that starts later has all lines, also with pictures, and all names", async () => {
  const [a] = servers;
  const anna = await enter(a, "anna");
  await say(anna, "#lobby", "one");
  await say(anna, "#lobby", "two", { image: Buffer.from([0, 127, 255]) });
  await say(anna, "@anna", "to myself");
  const c = await startChat();
  await until(async () => {
    const probe = await connect(c);
    await join(probe, `p${sockets.length}`, "k");
    probe.disconnect();
    return texts(probe.log).length;
  });
  const bob = await enter(c, "bob");
  assert.deepEqual(texts(bob.log), ["one", "two"]);
  assert.deepEqual([...bob.log.find(({ text }) => text === "two").image], [0, 127, 255]);
  assert.equal(await join(await connect(c), "anna", "x"), "taken");
});

/* ---- Faults ------------------------------------------------------------------------------------ */

test("a process that is killed leaves nobody behind, and its people go on at the other one", async () => {
  const [a, b] = servers;
  const anna = await enter(a, "anna"),
    cleo = await enter(a, "cleo"),
    bob = await enter(b, "bob");
  await say(anna, "#lobby", "one");
  await hears(bob, "one");
  await until(() => bob.sizes["#lobby"] === 3);
  const thief = await connect(b);
  a.child.kill("SIGKILL");
  assert.equal(await join(thief, "anna", "x"), "taken");
  await until(() => bob.sizes["#lobby"] === 1 && String(bob.here["#lobby"]) === "bob");
  await say(bob, "#lobby", "two");
  const again = await enter(b, "anna", newest(anna));
  assert.deepEqual(texts(anna.log, again.log), ["one", "two"]);
  assert.deepEqual(again.here["#lobby"], ["anna", "bob"]);
  assert.ok(!cleo.connected);
});

test("without Redis the room goes on, and what was missed is told when it is back", async () => {
  const [a, b] = servers;
  const anna = await enter(a, "anna"),
    bob = await enter(b, "bob");
  const { port } = redis;
  await redis.stop();
  await say(anna, "#lobby", "of one");
  await say(bob, "#lobby", "of the other");
  await Promise.all([hears(anna, "of one"), hears(bob, "of the other")]);
  const two = [await enter(a, "dora"), await connect(b)];
  assert.deepEqual(two[0].here["#lobby"], ["anna", "dora"]);
  assert.equal(await join(two[1], "dora", "another key"), "");
  redis = await startRedis([], port);
  await Promise.all([hears(anna, "of the other"), hears(bob, "of one")]);
  await until(() => [anna, bob].every(({ sizes }) => sizes["#lobby"] === 3));
  assert.deepEqual(texts(anna.log).sort(), texts(bob.log).sort());
  await until(() => two[0].connected !== two[1].connected, "one of them to lose the name");
  const [loser, key] = two[0].connected ? [b, "another key"] : [a, "key of dora"];
  assert.equal(await join(await connect(loser), "dora", key), "taken");
  assert.ok(anna.connected && bob.connected);
});
