// chat.mjs - the chat room's server: names, its log, the address that it prints
// SPDX-License-Identifier: MIT
import { afterEach, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { ask, build, collect, next, patient, require, start, until } from "./lib.mjs";

const { io } = require("socket.io-client");
const test = patient(plainTest);
let server,
  sockets = [];

afterEach(async () => {
  for (const socket of sockets) socket.disconnect();
  sockets = [];
  await server.stop();
});

async function connect() {
  const socket = io(server.url, { forceNew: true, transports: ["websocket"], reconnection: false });
  sockets.push(socket);
  await next(socket, "connect");
  return socket;
}

async function join(socket, name, key, room = "lobby") {
  return (await ask(socket, "join", { name, key, room, since: 0 }))[0];
}

/* ---- Names ----------------------------------------------------------------------------------- */

test("names that look the same are the same", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const anna = await connect(),
    thief = await connect();
  assert.equal(await join(anna, "Anna", "a"), "");
  const alike = ["Anna", "anna", "ANNA", "An\u200dna", "Anna\u200c", "anna\ufe0f", "A\u{e0100}nna"];
  for (const name of alike)
    assert.match(await join(thief, name, "b"), /^Somebody else/, JSON.stringify(name));
  for (const name of ["Annas", "Ann", "nnA", "Änna", "anńa"])
    assert.equal(await join(thief, name, "b"), "", JSON.stringify(name));
});

test("names have nothing in them that can't be seen", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const socket = await connect();
  const marks = [" ", "\t", "\x7f", "\x85", "\xa0", "\xad", "\u034f", "\u061c", "\u115f", "\u1680"];
  marks.push("\u180e", "\u2000", "\u200b", "\u200e", "\u200f", "\u2028", "\u202a", "\u202e");
  marks.push("\u202f", "\u205f", "\u2060", "\u2066", "\u206f", "\u2800", "\u3000", "\u3164");
  marks.push("\ufeff", "\uffa0", "\ufff9", "\u{e0001}", "\u{e007f}", "\u{e01f0}");
  for (const mark of marks)
    for (const name of [mark, `${mark}anna`, `an${mark}na`, `anna${mark}`])
      assert.match(await join(socket, name, "a"), /^The name of/, JSON.stringify(name));
  for (const name of ["", "\u0301", "\u20e3anna", "\u200d", "\ufe0f\u200d", "\u200danna"])
    assert.match(await join(socket, name, "a"), /^The name of/, JSON.stringify(name));
  assert.match(await join(socket, "anna", "a", "lob\u200bby"), /^The name of/);
  const good = ["O’Brien", "علی\u200cرضا", "👩\u200d👩\u200d👧", "❤\ufe0f", "e\u0301", "葛\u{e0100}", "민수"];
  for (const name of good)
    assert.equal(await join(socket, name, "a"), "", JSON.stringify(name));
});

test("who comes in under another spelling is the same person", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect(),
    anna = await connect();
  await join(bob, "bob", "b");
  const changes = [];
  for (const event of ["joined", "left"])
    bob.on(event, (room, name) => changes.push([event, name]));
  const heard = collect(anna, "line");
  assert.equal(await join(anna, "anna", "a"), "");
  const say = (to, id) => ask(bob, "line", { to, id, text: id });
  assert.deepEqual(await say("@ANNA", "one"), [""]);
  await until(() => heard.length === 1);
  assert.equal(heard[0].to, "@anna", "as she spells it");
  assert.equal(await join(anna, "Anna", "a"), "");
  await until(() => heard.length === 2, "the private line again, under the new spelling");
  assert.deepEqual(await say("@anna", "two"), [""]);
  await until(() => heard.length === 3);
  const got = heard.map(({ to, id }) => `${to} ${id}`);
  assert.deepEqual(got, ["@anna one", "@anna one", "@Anna two"]);
  const again = await connect(),
    replaced = next(anna, "replaced");
  assert.equal(await join(again, "ANNA", "a"), "");
  await replaced;
  await until(() => changes.length === 5);
  const came = (name) => ["joined", name],
    went = (name) => ["left", name];
  assert.deepEqual(changes, [came("anna"), went("anna"), came("Anna"), went("Anna"), came("ANNA")]);
});

/* ---- The log --------------------------------------------------------------------------------- */

/* A request that is refused, with a line in the log. */
function garbage() {
  return new Promise((resolve, reject) => {
    const socket = net.connect(server.port, "127.0.0.1", () => socket.write("GARBAGE\r\n\r\n"));
    socket.on("error", reject);
    socket.on("data", (text) => resolve(String(text).slice(0, 12)));
  });
}

const isServed = async () => (await fetch(server.url)).status === 200;

test("a log that nobody reads stops nothing", async () => {
  const gate = `${build}/chat-gate`,
    log = `${build}/chat-log`;
  for (const file of [gate, log]) fs.rmSync(file, { force: true });
  const read = `until [ -e "${gate}" ]; do sleep 0.1; done; exec cat >"${log}"`;
  const fill = (n) => `dd if=/dev/zero of=/dev/fd/3 oflag=nonblock bs=${n} count=9999 status=none`;
  const full = `{ ${fill(4096)}; ${fill(1)}; } 3>&2 2>/dev/null`;
  const script = `exec 2> >(exec >/dev/null; ${read}); ${full}`;
  server = await start("bash", ["-c", `${script}; exec "${build}/chat" --port 0`]);
  try {
    for (let i = 0; i < 3; i++) assert.equal(await garbage(), "HTTP/1.1 400");
    assert.ok(await isServed());
  } finally {
    fs.writeFileSync(gate, "");
  }
  await until(async () => {
    await garbage();
    const text = fs.existsSync(log) ? fs.readFileSync(log, "latin1") : "";
    return /chat: lines dropped: [1-9]\d*\nchat: ./.test(text);
  }, "the count of lines that were dropped");
});

test("a log whose reader went stops nothing", async () => {
  server = await start("bash", ["-c", `exec 2> >(exec true); wait $!; exec "${build}/chat" --port 0`]);
  for (let i = 0; i < 3; i++) assert.equal(await garbage(), "HTTP/1.1 400");
  assert.ok(await isServed());
});

/* ---- The address ----------------------------------------------------------------------------- */

for (const [host, printed] of [
  ["127.0.0.1", /^Chat at http:\/\/localhost:\d+\n$/],
  ["0.0.0.0", /^Listening at all addresses of this machine\.\nChat at http:\/\/localhost:\d+\n$/],
  ["::", /^Listening at all addresses of this machine\.\nChat at http:\/\/localhost:\d+\n$/],
  ["::1", /^Chat at http:\/\/\[::1\]:\d+\n$/],
])
  test(`the address that --host ${host} prints can be opened`, async () => {
    server = await start(`${build}/chat`, ["--port", 0, "--host", host]);
    assert.match(server.out, printed);
    assert.equal((await fetch(/http\S+/.exec(server.out)[0])).status, 200);
  });

/* ---- One file -------------------------------------------------------------------------------- */

test("the program that make builds carries its page and its client", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chat-")),
    copy = path.join(folder, "copy");
  fs.copyFileSync(`${build}/chat`, copy);
  fs.writeFileSync(path.join(folder, "my.html"), "mine");
  server = await start(copy, ["--port", 0]);
  const pages = { "/": "chat.html", "/socket.io/socket.io.js": "sio.js" };
  for (const [target, file] of Object.entries(pages)) {
    const answer = await fetch(server.url + target);
    assert.equal(await answer.text(), fs.readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"));
    assert.match(answer.headers.get("content-type"), /^(text\/html|application\/javascript); charset=utf-8$/);
  }
  await server.stop();
  server = await start(copy, ["--port", 0, "--page", "my.html", "--client", "my.html"]);
  for (const target of Object.keys(pages))
    assert.equal(await (await fetch(server.url + target)).text(), "mine");
  fs.rmSync(folder, { recursive: true });
});
