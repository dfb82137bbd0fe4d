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

async function join(socket, name, key, room = "lobby", since = 0) {
  return (await ask(socket, "join", { name, key, room: `#${room}`, since }))[0];
}

let ids = 0;
async function say(socket, to, text, more = {}) {
  return (await ask(socket, "line", { to, id: `id${ids++}`, text, ...more }))[0];
}

/* ---- Names ----------------------------------------------------------------------------------- */

test("names that look alike are the same", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const anna = await connect(),
    thief = await connect();
  for (const [name, ...alike] of [
    ["Anna", "Anna", "anna", "ANNA", "An\u200dna", "Anna\u200c", "anna\ufe0f", "A\u{e0100}nna", "Ａｎｎａ"],
    ["Bob", "Вob", "ВОВ", "b0b", "Βοb"], // Cyrillic, Cyrillic, a digit, Greek
    ["Alice", "AIice", "Al1ce", "alісе"],
    ["Жук", "жУК"],
    ["ÉMILE", "émile"],
  ]) {
    assert.equal(await join(anna, name, "a"), "");
    for (const other of alike) assert.equal(await join(thief, other, "b"), "taken", JSON.stringify(other));
  }
  assert.equal(await join(anna, "Anna", "a"), "");
  for (const name of ["Annas", "Ann", "nnA", "Änna", "anńa", "안나", "Ąnna"])
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
      assert.equal(await join(socket, name, "a"), "bad-name", JSON.stringify(name));
  for (const name of ["", "\u0301", "\u20e3anna", "\u200d", "\ufe0f\u200d", "\u200danna"])
    assert.equal(await join(socket, name, "a"), "bad-name", JSON.stringify(name));
  assert.equal(await join(socket, "anna", "a", "lob\u200bby"), "bad-name");
  const good = ["O’Brien", "علی\u200cرضا", "👩\u200d👩\u200d👧", "❤\ufe0f", "e\u0301", "葛\u{e0100}", "민수"];
  for (const name of good)
    assert.equal(await join(socket, name, "a"), "", JSON.stringify(name));
});

/* ---- People, in one tab or several ----------------------------------------------------------- */

/* Who came and went in a room, as somebody hears it who is there. */
function moves(socket) {
  const list = [];
  socket.on("line", ({ code, from }) => code && list.push(`${code} ${from}`));
  return list;
}

test("a person has several tabs, and comes and goes once", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect(),
    one = await connect(),
    two = await connect();
  await join(bob, "bob", "b");
  const seen = moves(bob),
    sizes = collect(bob, "room");
  assert.equal(await join(one, "anna", "a"), "");
  const spelled = next(two, "you");
  assert.equal(await join(two, "ANNA", "a"), "");
  assert.deepEqual(await spelled, ["anna"], "as the first tab spells it");
  const [heardOne, heardTwo] = [one, two].map((socket) => collect(socket, "line"));
  assert.equal(await say(bob, "@Anna", "psst"), "");
  assert.equal(await say(one, "@bob", "what?"), "");
  const own = (list) => list.filter(({ text }) => text).map(({ to, from, text }) => `${from} ${to} ${text}`);
  const both = ["bob @anna psst", "anna @bob what?"];
  await until(() => own(heardOne).length === 2 && own(heardTwo).length === 2);
  assert.deepEqual([own(heardOne), own(heardTwo)], [both, both]);
  one.disconnect();
  assert.equal(await say(two, "#lobby", "still here"), "");
  assert.deepEqual(await ask(two, "leave", "#lobby"), [""]);
  await until(() => seen.length === 2);
  assert.deepEqual(seen, ["joined anna", "left anna"]);
  assert.deepEqual(sizes.at(-1), { name: "#lobby", people: 1 });
  assert.equal(await say(two, "#lobby", "from outside"), "not-there");
});

test("who comes and goes is in the history, as codes", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect(),
    late = await connect();
  await join(bob, "bob", "b");
  await say(bob, "#lobby", "hello");
  bob.disconnect();
  const heard = collect(late, "line");
  await until(async () => (await (await fetch(`${server.url}/metrics`)).text()).includes('reason="client namespace disconnect"} 1'));
  await join(late, "late", "l");
  await until(() => heard.length === 4);
  assert.deepEqual(
    heard.map(({ code, text, from }) => [from, code ?? text]),
    [["bob", "joined"], ["bob", "hello"], ["bob", "left"], ["late", "joined"]],
  );
  assert.ok(heard.every(({ at }, i) => i === 0 || at > heard[i - 1].at));
});

test("who comes back gets what was missed, and who takes a name over not what was private", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect(),
    first = await connect();
  await join(bob, "bob", "b");
  await join(first, "anna", "a");
  const lines = collect(bob, "line");
  await say(bob, "#lobby", "one");
  const { at } = await until(() => lines.find(({ text }) => text));
  first.disconnect();
  await say(bob, "#lobby", "two");
  await say(bob, "@anna", "secret");
  const again = await connect(),
    heard = collect(again, "line");
  await join(again, "anna", "a", "lobby", at);
  await say(again, "#lobby", "end");
  await until(() => heard.some(({ text }) => text === "end"));
  assert.deepEqual(heard.filter(({ text }) => text).map(({ text }) => text), ["two", "secret", "end"]);
  const thief = await connect();
  assert.equal(await join(thief, "anna", "x"), "taken");
});

test("a line that is said again is told again, and not kept twice", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect(),
    late = await connect();
  await join(bob, "bob", "b");
  for (let i = 0; i < 3; i++) assert.deepEqual(await ask(bob, "line", { to: "#lobby", id: "x", text: "once" }), [""]);
  const heard = collect(late, "line");
  await join(late, "late", "l");
  await until(() => heard.some(({ from }) => from === "late"));
  assert.equal(heard.filter(({ text }) => text === "once").length, 1);
});

test("what can't be sent has a code", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect();
  assert.equal(await say(bob, "#lobby", "hi"), "name-first");
  await join(bob, "bob", "b");
  for (const [to, text, more] of [["lobby", "hi"], ["#", "hi"], ["#lobby", ""], ["@b b", "hi"], ["#lobby", "x".repeat(1501)],
    ["#lobby", "hi", { image: "text" }], ["#lobby", "", { image: Buffer.alloc(0) }], ["#lobby", "hi", { id: "" }]])
    assert.equal(await say(bob, to, text, more), "bad-line", JSON.stringify([to, text.slice(0, 9), more]));
  assert.equal(await say(bob, "@nobody", "hi"), "nobody");
  assert.equal(await say(bob, "#elsewhere", "hi"), "not-there");
  assert.equal(await say(bob, "#lobby", "hi", { image: Buffer.alloc(700001) }), "large");
  for (let i = 0; i < 49; i++) assert.equal(await join(bob, "bob", "b", `room${i}`), "");
  assert.equal(await join(bob, "bob", "b", "one-more"), "many-rooms");
});

/* ---- Pictures -------------------------------------------------------------------------------- */

test("a picture is bytes, for who is there and who comes later, by either transport", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bytes = Buffer.from(Array.from({ length: 700000 }, (_, i) => (i * i) >> 8));
  const bob = await connect(),
    polls = io(server.url, { forceNew: true, transports: ["polling"] });
  sockets.push(polls);
  await join(bob, "bob", "b");
  await join(polls, "polly", "p");
  const heard = collect(polls, "line");
  assert.equal(await say(bob, "#lobby", "look", { image: bytes }), "");
  assert.equal(await say(polls, "@bob", "", { image: bytes.subarray(0, 7) }), "");
  const late = await connect(),
    history = collect(late, "line");
  await join(late, "late", "l");
  await until(() => history.some(({ from }) => from === "late") && heard.some(({ to }) => to === "@bob"));
  const shown = (list) => list.filter(({ image }) => image).map(({ text, image }) => [text, Buffer.from(image)]);
  assert.deepEqual(shown(history), [["look", bytes]], "the other one is private");
  assert.deepEqual(shown(heard), [["look", bytes], ["", bytes.subarray(0, 7)]]);
});

test("old pictures make way for new ones, and their lines stay", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  const bob = await connect(),
    late = await connect();
  await join(bob, "bob", "b");
  for (let i = 0; i < 20; i++) // 14 MB; 8 are kept
    assert.equal(await say(bob, "#lobby", `picture ${i}`, { image: Buffer.alloc(700000, i) }), "");
  const heard = collect(late, "line");
  await join(late, "late", "l");
  await until(() => heard.some(({ from }) => from === "late"));
  const kept = heard.filter(({ text }) => text);
  assert.deepEqual(kept.map(({ image }) => image?.[0]), Array.from({ length: 20 }, (_, i) => (i < 9 ? undefined : i)));
  assert.ok(kept.slice(0, 9).every(({ image }) => image === null));
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

const admin = "Admin at http://\\S+:\\d+/admin#[0-9a-f]{24}\n$";
for (const [host, printed] of [
  ["127.0.0.1", /^Chat at http:\/\/localhost:\d+\n/],
  ["0.0.0.0", /^Chat at http:\/\/localhost:\d+\n(For phones in this network: http:\/\/[\d.]+:\d+\n)*/],
  ["::", /^Chat at http:\/\/localhost:\d+\n(For phones in this network: http:\/\/[\d.]+:\d+\n)*/],
  ["::1", /^Chat at http:\/\/\[::1\]:\d+\n/],
])
  test(`the addresses that --host ${host} prints can be opened`, async () => {
    server = await start(`${build}/chat`, ["--port", 0, "--host", host]);
    await until(() => /Admin.*\n/.test(server.out));
    assert.match(server.out, new RegExp(printed.source + admin));
    for (const [url] of server.out.matchAll(/http\S+/g)) assert.equal((await fetch(url)).status, 200, url);
  });

test("a terminal gets the address as a QR code, and nobody else", async (t) => {
  server = await start(`script -qefc`, [`${build}/chat --port 0 --host 0.0.0.0`, "/dev/null"]);
  await until(() => /Admin[^]*\n/.test(server.out));
  const url = /network: (\S+)/.exec(server.out)?.[1];
  if (!url) return t.skip("this machine is in no network");
  const rows = server.out.split(/\r?\n/).filter((line) => /^[█▀▄ ]{37}$/.test(line));
  assert.equal(rows.length, 19);
  const light = rows.flatMap((row) => [
    [...row].map((c) => c === "█" || c === "▀"),
    [...row].map((c) => c === "█" || c === "▄"),
  ]);
  const scale = 4, side = 37 * scale, pixels = new Uint8ClampedArray(4 * side * side);
  for (let i = 0; i < side * side; i++) {
    const on = light[Math.floor(i / side / scale)][Math.floor((i % side) / scale)];
    pixels.set([...Array(3).fill(on ? 255 : 0), 255], 4 * i);
  }
  assert.equal(require("jsqr")(pixels, side, side)?.data, url);
});

/* ---- One file -------------------------------------------------------------------------------- */

test("the program that make builds carries its page and its client", async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chat-")),
    copy = path.join(folder, "copy");
  fs.copyFileSync(`${build}/chat`, copy);
  fs.writeFileSync(path.join(folder, "my.html"), "mine");
  server = await start(copy, ["--port", 0]);
  const pages = {
    "/": "chat.html",
    "/socket.io/socket.io.js": "sio.js",
    "/admin": "chat_admin.html",
    "/icon.svg": "chat_icon.svg",
  };
  for (const [target, file] of Object.entries(pages)) {
    const answer = await fetch(server.url + target);
    assert.equal(await answer.text(), fs.readFileSync(new URL(`../../${file}`, import.meta.url), "utf8"));
    assert.match(answer.headers.get("content-type"), /^(text\/html; charset=utf-8|application\/javascript; charset=utf-8|image\/svg\+xml)$/);
  }
  await server.stop();
  server = await start(copy, ["--port", 0, "--page", "my.html", "--client", "my.html", "--icon", "my.html"]);
  for (const target of ["/", "/socket.io/socket.io.js", "/icon.svg"])
    assert.equal(await (await fetch(server.url + target)).text(), "mine");
  fs.rmSync(folder, { recursive: true });
});

/* ---- /admin and /metrics ----------------------------------------------------------------------- */

async function administrate(key) {
  const socket = io(`${server.url}/admin`, { forceNew: true, auth: { key }, reconnection: false });
  sockets.push(socket);
  return socket;
}

test("/admin is for who has the key", async () => {
  server = await start(`${build}/chat`, ["--port", 0, "--key", "right"]);
  for (const key of ["", "r", "wrong", "rights", "right\0", 5, undefined, { a: 1 }]) {
    const [error] = await next(await administrate(key), "connect_error");
    assert.equal(error.message, "wrong key");
  }
  await next(await administrate("right"), "connect");
  await server.stop();
  server = await start(`${build}/chat`, ["--port", 0, "--key", ""]);
  assert.equal((await next(await administrate(""), "connect_error"))[0].message, "wrong key");
});

test("/admin shows who is there and why they went, and ends one", async () => {
  server = await start(`${build}/chat`, ["--port", 0, "--key", "right"]);
  const bob = await connect(),
    admin = await administrate("right");
  await join(bob, "bob", "b");
  let state;
  admin.on("state", (next) => (state = next));
  const shows = (what) => until(() => state && what(state));
  await shows(({ socket_list: { all, first } }) => all === 1 && first[0].name === "bob");
  const [row] = state.socket_list.first;
  assert.deepEqual({ ...row, rooms: row.rooms.slice(1), since: 0 }, { id: bob.id, name: "bob", address: "127.0.0.1",
    transport: "websocket", protocol: 4, pending: 0, since: 0, rooms: ["@bob", "#lobby"] });
  assert.ok(Math.abs(row.since - Date.now()) < 3600e3);
  assert.ok(state.packets_in > 0 && state.websocket === 1 && state.connections > 0);
  assert.deepEqual(state.room_list.first.map(({ name }) => name).sort(), ["#lobby", "@bob"]);
  const went = next(bob, "disconnect");
  assert.deepEqual(await ask(admin, "end", "nobody"), [false]);
  assert.deepEqual(await ask(admin, "end", bob.id), [true]);
  assert.equal((await went)[0], "io server disconnect");
  await shows(({ socket_list, reasons }) => socket_list.all === 0 && reasons["server namespace disconnect"] === 1);
});

test("/metrics is what Prometheus reads", async () => {
  server = await start(`${build}/chat`, ["--port", 0]);
  await connect();
  const answer = await fetch(`${server.url}/metrics`);
  assert.match(answer.headers.get("content-type"), /^text\/plain; version=0\.0\.4/);
  const text = await answer.text(),
    values = {};
  assert.ok(text.endsWith("\n"));
  for (const line of text.trimEnd().split("\n")) {
    if (/^# (HELP [a-z_]+ \S.*|TYPE [a-z_]+ (gauge|counter))$/.test(line)) continue;
    const [, name, value] = /^([a-z_]+(?:\{[a-z]+="[^"\\]*"\})?) (\d+)$/.exec(line) ?? assert.fail(line);
    assert.ok(!(name in values), name);
    assert.ok(text.includes(`# TYPE ${name.replace(/\{.*/, "")} `), name);
    values[name] = +value;
  }
  assert.equal(values.sio_sessions, 1);
  assert.equal(values.sio_handshakes_total, 1);
  assert.equal(values['sio_transport_sockets{transport="websocket"}'], 1);
});

/* ---- --trace ---------------------------------------------------------------------------------- */

test("--trace prints each packet in words", async () => {
  server = await start(`${build}/chat`, ["--port", 0, "--trace"]);
  const bob = await connect();
  await join(bob, "bob", "b");
  bob.disconnect();
  await until(() => /== .* ended: /.test(server.err));
  for (const line of [/^<- .{4} ws   OPEN, /m, /^-> .{4} ws   CONNECT \/, 2 bytes: 40$/m,
    /^-> .{4} ws   EVENT \/ "join" 1 argument, wants ack \d+, \d+ bytes: 42\d+\["join",\{"name":"bob"/m,
    /^<- .{4} ws   EVENT \/ "here" 2 arguments, /m, /^<- .{4} ws   ACK \/ 1 argument, answers \d+, /m])
    assert.match(server.err, line);
});
