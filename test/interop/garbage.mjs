// garbage.mjs - nothing that others send to the port is noticed by a client that is chatting
// SPDX-License-Identifier: MIT
import { after, before, beforeEach, afterEach, test } from "node:test";
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import tls from "node:tls";
import { ask, require, sleep, startFixture, until } from "./lib.mjs";

const { io } = require("socket.io-client");
const REST_MS = 1000; // the longest that an answer may take, on a busy machine
let server,
  chats = [];

/* A client that asks all the time, and notes how long the answers take. */
function chat(transports) {
  const socket = io(server.url, { transports, reconnection: false });
  const self = { socket, slowest: 0, answers: 0, trouble: [] };
  for (const event of ["disconnect", "connect_error"])
    socket.on(event, (why) => self.trouble.push(`${why}`));
  const say = () => {
    const begin = performance.now(),
      text = crypto.randomBytes(20).toString("hex");
    socket.emit("message-with-ack", text, (answer) => {
      if (answer !== text) self.trouble.push(`${answer} instead of ${text}`);
      self.slowest = Math.max(self.slowest, performance.now() - begin);
      self.answers++;
      setTimeout(say, 5);
    });
  };
  socket.on("connect", say);
  return self;
}

before(async () => {
  server = await startFixture("--ping-interval", 400, "--ping-timeout", 4000);
  chats = [chat(["websocket"]), chat(["polling"]), chat(["polling", "websocket"])];
  await until(() => chats.every(({ answers }) => answers > 3));
});
after(async () => {
  const quiet = chats.map(({ trouble }) => [...trouble]);
  for (const { socket } of chats) socket.close();
  await server.stop();
  assert.deepEqual(quiet, [[], [], []]);
});
beforeEach(() =>
  chats.forEach((chat) => {
    chat.slowest = chat.answers = 0;
  }),
);
afterEach(async () => {
  await until(() => chats.every(({ answers }) => answers > 5), "the chat to go on");
  for (const { trouble, slowest } of chats) {
    assert.deepEqual(trouble, []);
    assert.ok(slowest < REST_MS, `an answer took ${slowest} ms`);
  }
});

/* Sends the pieces, one after the other; resolves with what came back, at the end or after ms. */
function send(pieces, { ms = 300, reset = false } = {}) {
  return new Promise((resolve) => {
    const socket = net.connect(server.port, "127.0.0.1"),
      got = [];
    const end = () => {
      reset ? socket.resetAndDestroy() : socket.destroy();
      resolve(Buffer.concat(got).toString("latin1"));
    };
    socket.on("data", (data) => got.push(data));
    socket.on("error", () => {});
    socket.on("close", end);
    socket.on("connect", async () => {
      for (const piece of pieces) {
        if (!socket.destroyed) socket.write(piece);
        await sleep(2);
      }
      setTimeout(end, ms);
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
    [...Array(100)].map((_, i) => send([handshake, crypto.randomBytes(1 + i * 11)])),
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
    await send([..."GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"], { ms: 100 }),
    /^HTTP\/1\.1 200 /,
  );
});

test("a megabyte of header fields", async () => {
  const line = `X-Long: ${"x".repeat(1000)}\r\n`;
  const pieces = ["GET /healthz HTTP/1.1\r\nHost: x\r\n", ...Array(1000).fill(line), "\r\n"];
  const answers = await Promise.all([
    send([pieces.join("")], { ms: 1000 }),
    send(pieces.slice(0, 300)),
    send([`GET /${"x".repeat(1000000)} HTTP/1.1\r\nHost: x\r\n\r\n`], { ms: 1000 }),
  ]);
  for (const answer of answers) assert.match(answer, /^(HTTP\/1\.1 4(31|14|00) |$)/);
});

test("bodies that are too large, or not what they say", async () => {
  const post = (fields, body) =>
    send([
      `POST /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: x\r\n${fields}\r\n\r\n${body}`,
    ]);
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
  await sleep(500);
  const late = io(server.url, { forceNew: true });
  late.connect();
  await until(() => late.connected);
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

test(
  "the server has not grown",
  {
    skip:
      !fs.existsSync("/proc/self/status") ||
      process.env.SIO_FIXTURE ||
      process.env.CFLAGS?.includes("sanitize"),
  },
  async () => {
    const rss = () =>
      +/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, "utf8"))[1];
    await sleep(1500); // what was left open has timed out
    assert.ok(rss() < 20000, `${rss()} kB`);
  },
);
