// garbage.mjs - nothing that others send to the port is noticed by a client that is chatting
// SPDX-License-Identifier: MIT
//
// How long an answer takes is the machine's affair as well; what is the server's own is the processor
// time that it spends on what the others send.
import { after, before, beforeEach, afterEach, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { fileURLToPath } from "node:url";
import { ask, next, PATIENCE, patient, require, sleep, startFixture, until } from "./lib.mjs";

const { io } = require("socket.io-client");
const test = patient(plainTest);
const SHARE_MS = 1000; // of work, beside a millisecond for each answer to the chat
const JOIN_MS = 15000; // who has not joined by then is sent away
const sanitized = process.env.CFLAGS?.includes("sanitize");
const measured = fs.existsSync("/proc/self/stat") && !process.env.SIO_FIXTURE && !sanitized;
let server, chatter, begin;

const chats = () =>
  new Promise((resolve) => {
    chatter.once("message", resolve);
    chatter.send("how do you do?");
  });
/* All have more answers than so many. Returns how they do. */
const answered = (numbers) =>
  until(async () => {
    const now = await chats();
    return now.every(({ answers, trouble }, i) => answers > numbers[i] || trouble.length) && now;
  }, "the chat to go on");

/* Milliseconds of processor time that the server has spent. */
const spent = () => {
  const stat = fs.readFileSync(`/proc/${server.child.pid}/stat`, "latin1");
  const [user, system] = stat.slice(stat.lastIndexOf(")")).split(" ").slice(12, 14);
  return 10 * (+user + +system);
};

before(async () => {
  server = await startFixture("--connect-timeout", JOIN_MS);
  chatter = fork(fileURLToPath(new URL("chatter.mjs", import.meta.url)), [server.url]);
  await answered([3, 3, 3]);
});
after(async () => {
  const now = await chats();
  chatter.disconnect();
  await server.stop();
  assert.deepEqual(
    now.map(({ trouble }) => trouble),
    [[], [], []],
  );
});
beforeEach(async () => {
  begin = { chats: await chats(), spent: measured && spent() };
});
afterEach(async () => {
  const now = await answered(begin.chats.map(({ answers }) => answers + 5));
  let answers = 0;
  for (const [i, chat] of now.entries()) {
    assert.deepEqual(chat.trouble, []);
    answers += chat.answers - begin.chats[i].answers;
  }
  const ms = measured ? spent() - begin.spent : 0;
  assert.ok(ms < SHARE_MS + answers, `${ms} ms of work, and ${answers} answers to the chat`);
});

/* Sends the pieces, one after the other. Resolves with what came back: when the server
 * ends it; with all sent and the first bytes there, where an answer is due; or ms after all is sent. */
function send(pieces, { due = false, ms = due ? PATIENCE : 300, reset = false } = {}) {
  return new Promise((resolve) => {
    const socket = net.connect(server.port, "127.0.0.1"),
      got = [];
    let said = false,
      timer;
    const end = () => {
      clearTimeout(timer);
      reset ? socket.resetAndDestroy() : socket.destroy();
      resolve(Buffer.concat(got).toString("latin1"));
    };
    socket.on("data", (data) => {
      got.push(data);
      if (due && said) end();
    });
    socket.on("error", () => {});
    socket.on("close", end);
    socket.on("connect", async () => {
      for (const piece of pieces) {
        if (!socket.destroyed) socket.write(piece);
        await sleep(2);
      }
      said = true;
      if (!socket.destroyed) timer = setTimeout(end, due && got.length ? 0 : ms);
    });
  });
}

const handshake =
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n" +
  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

test("random bytes", async () => {
  const answers = await Promise.all(
    [...Array(200)].map((_, i) => send([crypto.randomBytes(1 + i * 37)])),
  );
  for (const answer of answers) assert.match(answer, /^(HTTP\/1\.1 4\d\d |$)/);
});

test("random bytes behind a WebSocket handshake", async () => {
  const answers = await Promise.all(
    [...Array(100)].map((_, i) => send([handshake, crypto.randomBytes(1 + i * 11)], { due: true })),
  );
  for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 101 /);
});

test("a TLS hello", async () => {
  const failed = await new Promise((resolve) => {
    const socket = tls.connect({ port: server.port, host: "127.0.0.1", rejectUnauthorized: false });
    socket.on("error", resolve);
    socket.on("secureConnect", () => resolve(null));
  });
  assert.ok(failed);
});

test("half requests, then nothing, or a reset", async () => {
  const request =
    "POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n" +
    "Content-Length: 100\r\n\r\n1234";
  const cuts = [...Array(request.length).keys()];
  await Promise.all(cuts.map((n) => send([request.slice(0, n)], { reset: n % 2 === 1 })));
  await Promise.all(
    cuts.map((n) => send([handshake.slice(0, n)], { reset: n % 2 === 0, ms: 100 })),
  );
});

test("a request byte by byte", async () => {
  assert.match(
    await send([..."GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], { due: true }),
    /^HTTP\/1\.1 200 /,
  );
});

test("a megabyte of header fields", async () => {
  const line = `X-Long: ${"x".repeat(1000)}\r\n`;
  const pieces = ["GET /healthz HTTP/1.1\r\nHost: x\r\n", ...Array(1000).fill(line), "\r\n"];
  const answers = await Promise.all([
    send([pieces.join("")], { due: true }),
    send(pieces.slice(0, 300), { due: true }),
    send([`GET /${"x".repeat(1000000)} HTTP/1.1\r\nHost: x\r\n\r\n`], { due: true }),
  ]);
  for (const answer of answers) assert.match(answer, /^(HTTP\/1\.1 4(31|14|00) |$)/);
});

test("bodies that are too large, or not what they say", async () => {
  const post = (fields, body) =>
    send(
      [`POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n${body}`],
      { due: true },
    );
  const answers = await Promise.all([
    post("Content-Length: 99999999999999999999", "x"),
    post("Content-Length: -1", "x"),
    post("Content-Length: 5\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
    post("Content-Length: 2000000", "x".repeat(100000)),
    post("Transfer-Encoding: chunked", "ffffffffffffffffff\r\nx"),
    post("Transfer-Encoding: chunked", "zz\r\n"),
    post("Content-Length: 3", "\0\0\0"),
  ]);
  for (const answer of answers) assert.match(answer, /^(HTTP\/1\.1 4\d\d |$)/);
});

test("a hundred connections that say nothing", async () => {
  const silent = [...Array(100)].map(() => net.connect(server.port, "127.0.0.1"));
  silent.forEach((socket) => socket.on("error", () => {}));
  await Promise.all(silent.map((socket) => next(socket, "connect")));
  const late = io(server.url, { forceNew: true });
  await next(late, "connect");
  assert.deepEqual(await ask(late, "message-with-ack", 1), [1]);
  late.disconnect();
  silent.forEach((socket) => socket.destroy());
});

test("sessions that are opened and left", async () => {
  const answers = await Promise.all(
    [...Array(200)].map(() => fetch(`${server.url}/socket.io/?EIO=4&transport=polling`)),
  );
  for (const answer of answers) assert.equal(answer.status, 200);
});

test("packets of nobody: wrong sessions, wrong types, broken JSON", async () => {
  const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
  for (const query of ["&sid=nobody", "&sid=__proto__", "&sid=%00", "&sid=" + "x".repeat(5000)])
    assert.equal((await fetch(url + query)).status, 400, query);
  for (const packet of [
    "9",
    "4",
    "49",
    "42",
    "42[",
    '42["a"',
    "42{}",
    '451-["a",{"_placeholder":true,"num":9}]',
    `42${"[".repeat(50000)}`,
    "b",
    "b%%%",
    "40/%00,",
    "3".repeat(1000),
    "2probe",
    "5",
    "6",
    "\x1e\x1e\x1e",
  ]) {
    const { sid } = JSON.parse((await (await fetch(url)).text()).slice(1));
    await fetch(`${url}&sid=${sid}`, { method: "POST", body: "40" });
    const answer = await fetch(`${url}&sid=${sid}`, { method: "POST", body: packet });
    assert.ok([200, 400].includes(answer.status), packet);
  }
});

test("the server has not grown", { skip: !measured }, async () => {
  const status = `/proc/${server.child.pid}/status`;
  const rss = () => +/VmRSS:\s+(\d+)/.exec(fs.readFileSync(status, "utf8"))[1];
  await until(() => rss() < 20000, "less than 20 MB, when what was left open has timed out");
});
