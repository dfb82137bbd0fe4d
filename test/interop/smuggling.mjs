// smuggling.mjs - where a request ends: beside Node's parser, and behind nginx and haproxy
// SPDX-License-Identifier: MIT
//
// A request that two programs read differently carries another one through the first. So the same bytes go to
// build/fixture and to a server of Node's http with the same two routes: what ours answers, that one must
// answer as well, in the same order and with the same bodies; or ours refuses, and ends the connection.
import { after, before, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { patient, startFixture, until } from "./lib.mjs";

const test = patient(plainTest);
const REFUSALS = new Set([400, 411, 413, 414, 417, 426, 431, 500, 501, 505]);
const POST = "POST /echo HTTP/1.1\r\nHost: x\r\n";
const NEXT = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
const CHUNKED = `${POST}Transfer-Encoding: chunked\r\n`;

/* What a head may hold: the lines behind POST's, and the body. */
const heads = {
  "a length": ["Content-Length: 5\r\n\r\nhello"],
  "no length": ["\r\n"],
  "chunks": ["Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
  "chunks, in capitals": ["TRANSFER-ENCODING: CHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n"],
  "both lengths": ["Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  "both lengths, the other way round": ["Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"],
  "two lengths": ["Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"],
  "two equal lengths": ["Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"],
  "a list of lengths": ["Content-Length: 5, 5\r\n\r\nhello"],
  "a length with a sign": ["Content-Length: +5\r\n\r\nhello"],
  "a length below zero": ["Content-Length: -5\r\n\r\nhello"],
  "a length in hexadecimal": ["Content-Length: 0x5\r\n\r\nhello"],
  "a length with an underscore": ["Content-Length: 1_0\r\n\r\nhellohello"],
  "a length with a zero": ["Content-Length: 05\r\n\r\nhello"],
  "an empty length": ["Content-Length: \r\n\r\nhello"],
  "a length with letters": ["Content-Length: 5a\r\n\r\nhello"],
  "a length with a point": ["Content-Length: 5.0\r\n\r\nhello"],
  "a length of 2^64 + 5": ["Content-Length: 18446744073709551621\r\n\r\nhello"],
  "a length of 2^32 + 5": ["Content-Length: 4294967301\r\n\r\nhello"],
  "a length with a space inside": ["Content-Length: 5 5\r\n\r\nhello"],
  "a length behind a tab": ["Content-Length:\t5\r\n\r\nhello"],
  "a length behind a vertical tab": ["Content-Length: \x0b5\r\n\r\nhello"],
  "a space before the colon": ["Content-Length : 5\r\n\r\nhello"],
  "a tab before the colon": ["Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"],
  "a space before the name": [" Content-Length: 5\r\n\r\nhello"],
  "a folded line": ["X: a\r\n Content-Length: 5\r\n\r\nhello"],
  "a folded coding": ["Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"],
  "a name with a NUL": ["Content-Length\0: 5\r\n\r\nhello"],
  "a value with a NUL": ["X: a\0b\r\nContent-Length: 5\r\n\r\nhello"],
  "a name with a line feed": ["X\n: a\r\nContent-Length: 5\r\n\r\nhello"],
  "a line without a colon": ["X\r\nContent-Length: 5\r\n\r\nhello"],
  "an empty name": [": a\r\nContent-Length: 5\r\n\r\nhello"],
  "a bare line feed behind a field": ["X: a\nContent-Length: 5\r\n\r\nhello"],
  "bare line feeds": ["Content-Length: 5\n\nhello"],
  "a bare carriage return in a value": ["X: a\rContent-Length: 5\r\n\r\nhello"],
  "a bare carriage return at the end": ["Content-Length: 5\r\n\rhello"],
  "identity": ["Transfer-Encoding: identity\r\nContent-Length: 5\r\n\r\nhello"],
  "identity alone": ["Transfer-Encoding: identity\r\n\r\n"],
  "chunked twice": ["Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"],
  "chunked in two fields": ["Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
  "chunked, then identity": ["Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"],
  "chunked, not the last": ["Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"],
  "gzip and chunked": ["Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"],
  "xchunked": ["Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"],
  "chunked in quotes": ['Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n'],
  "chunked behind a comma": ["Transfer-Encoding: , chunked\r\n\r\n0\r\n\r\n"],
  "chunked with a parameter": ["Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n"],
  "chunked behind a vertical tab": ["Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n"],
  "an empty coding and a length": ["Transfer-Encoding: \r\nContent-Length: 5\r\n\r\nhello"],
  "underscores": ["Transfer_Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello"],
  "two hosts": ["Host: y\r\nContent-Length: 5\r\n\r\nhello"],
  "a connection that names the length": ["Connection: Content-Length\r\nContent-Length: 5\r\n\r\nhello"],
};
const chunks = {
  "a chunk": "5\r\nhello\r\n0\r\n\r\n",
  "two": "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
  "zeros before the size": "005\r\nhello\r\n000\r\n\r\n",
  "a size in capitals": "A\r\nhellohello\r\n0\r\n\r\n",
  "an extension": "5;a=b\r\nhello\r\n0\r\n\r\n",
  "an extension with a line feed": "5;a\nb\r\nhello\r\n0\r\n\r\n",
  "an extension with a carriage return": "5;a\rb\r\nhello\r\n0\r\n\r\n",
  "a size with 0x": "0x5\r\nhello\r\n0\r\n\r\n",
  "a size with a sign": "+5\r\nhello\r\n0\r\n\r\n",
  "a size below zero": "-5\r\nhello\r\n0\r\n\r\n",
  "a size with an underscore": "0_5\r\nhello\r\n0\r\n\r\n",
  "a space before the size": " 5\r\nhello\r\n0\r\n\r\n",
  "a space behind the size": "5 \r\nhello\r\n0\r\n\r\n",
  "a size of 2^64 + 5": "10000000000000005\r\nhello\r\n0\r\n\r\n",
  "no size": "\r\nhello\r\n0\r\n\r\n",
  "a bare line feed behind the size": "5\nhello\r\n0\r\n\r\n",
  "a bare line feed behind the bytes": "5\r\nhello\n0\r\n\r\n",
  "bytes too long": "5\r\nhello!\r\n0\r\n\r\n",
  "bytes too short": "6\r\nhello\r\n0\r\n\r\n",
  "two letters in place of a line end": "5\r\nhelloXX0\r\n\r\n",
  "a trailer": "5\r\nhello\r\n0\r\nX: a\r\n\r\n",
  "a trailer that is a length": "5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
  "a trailer with a bare line feed": "5\r\nhello\r\n0\r\nX: a\n\r\n",
  "a trailer without a colon": "5\r\nhello\r\n0\r\nX\r\n\r\n",
  "an end with a bare line feed": "5\r\nhello\r\n0\r\n\n",
};
const starts = {
  "an empty line in front": `\r\n${NEXT}`,
  "a bare line feed in front": `\n${NEXT}`,
  "two spaces": "GET  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  "a tab": "GET\t/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  "HTTP/1.0 with chunks": "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
  "HTTP/1.2": "GET /healthz HTTP/1.2\r\nHost: x\r\n\r\n",
  "HTTP/2.0": "GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
  "HTTP/0.9": "GET /healthz\r\n\r\n",
  "http in small letters": "GET /healthz http/1.1\r\nHost: x\r\n\r\n",
  "a space behind the version": "GET /healthz HTTP/1.1 \r\nHost: x\r\n\r\n",
  "no host": "GET /healthz HTTP/1.1\r\n\r\n",
  "GET with a body": "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
  "an upgrade with a body":
    "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello",
  "a target with a space": "GET /health z HTTP/1.1\r\nHost: x\r\n\r\n",
  "an absolute target": "GET http://x/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
  "a close, and more": `GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
};

const cases = [
  ...Object.entries(heads).map(([name, [text]]) => [name, POST + text]),
  ...Object.entries(chunks).map(([name, text]) => [`chunks: ${name}`, `${CHUNKED}\r\n${text}`]),
  ...Object.entries(starts),
].map(([name, text]) => [name, Buffer.from(text + NEXT, "latin1")]);

/* Answers in what came: [status, body], up to the first refusal. */
function answersIn(bytes) {
  const list = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf("\r\n\r\n", at);
    if (end < 0) break;
    const head = bytes.toString("latin1", at, end);
    const status = +/^HTTP\/1\.1 (\d+)/.exec(head)?.[1];
    const length = +(/^content-length: *(\d+)/im.exec(head)?.[1] ?? bytes.length - end - 4);
    list.push([status, REFUSALS.has(status) ? "" : bytes.toString("latin1", end + 4, end + 4 + length)]);
    if (REFUSALS.has(status)) break;
    at = end + 4 + length;
  }
  return list;
}

/* Sends the bytes, ends its side, and returns what comes until the other does. stays: it leaves its side
 * open, for proxies take its end for a client that is gone; then after ms of nothing it goes, if they are given. */
const ask = (port, bytes, { stays = false, ms } = {}) =>
  new Promise((resolve) => {
    const got = [];
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () =>
      stays ? socket.write(bytes) : socket.end(bytes),
    );
    if (ms) socket.setTimeout(ms, () => socket.destroy());
    socket.on("data", (data) => got.push(data));
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("close", () => resolve(answersIn(Buffer.concat(got))));
  });

/* The fixture's two routes. */
const node = http.createServer((request, response) => {
  const body = [];
  request.on("data", (data) => body.push(data));
  request.on("end", () => {
    const { method, url } = request;
    const echo = method === "POST" && url === "/echo";
    const found = echo || (method === "GET" && url === "/healthz");
    const text = echo ? Buffer.concat(body) : Buffer.from(found ? "ok" : "not found");
    response.writeHead(found ? 200 : 404, { "Content-Length": text.length }).end(text);
  });
});

/* Where ours serves what Node's parser refuses or reads otherwise, and what makes that harmless. */
const known = {
  "a close, and more": "what is behind the last request is not read (RFC 9112, 9.6)",
  "chunks: a trailer that is a length": "trailers are not looked at (RFC 9110, 6.5.1)",
};

let server;
before(async () => {
  server = await startFixture();
  await new Promise((resolve) => node.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  node.close();
  await server.stop();
});

for (const [name, bytes] of cases)
  test(`beside Node: ${name}`, async () => {
    const [ours, theirs] = [await ask(server.port, bytes), await ask(node.address().port, bytes)];
    const served = ours.filter(([status]) => !REFUSALS.has(status));
    const incomplete = name === "a length of 2^32 + 5"; // of which there is no answer
    assert.equal(ours.length === 0, incomplete);
    const same = served.every((answer, i) => String(answer) === String(theirs[i]));
    if (known[name]) assert.ok(!same, `no difference any more: ${known[name]}`);
    else assert.ok(same, `ours ${JSON.stringify(ours)}, Node's ${JSON.stringify(theirs)}`);
  });

test("the table has what is served as well as what is refused", async () => {
  let both = 0,
    refused = 0;
  for (const [, bytes] of cases) {
    const answers = await ask(server.port, bytes);
    const bad = answers.some(([status]) => REFUSALS.has(status));
    bad ? refused++ : both++;
  }
  assert.ok(both > 10 && refused > 40, `${both} served, ${refused} refused`);
});

/* ---- Behind a proxy --------------------------------------------------------------------------- */

async function freePort() {
  const probe = net.createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const opens = (port) =>
  new Promise((resolve) => {
    const probe = net.connect(port, "127.0.0.1", () => resolve(true, probe.destroy()));
    probe.on("error", () => resolve(false));
  });

/* Both keep connections to the server, and use them for whoever comes: that is where smuggling hurts. */
const proxies = {
  nginx: (dir, port, to) => [
    ["nginx", "-p", dir, "-e", `${dir}/error.log`, "-c", `${dir}/conf`],
    `daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
    events { worker_connections 100; }
    http { access_log off;
      ${["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((n) => `${n}_temp_path ${dir}/${n};`).join(" ")}
      upstream ours { server 127.0.0.1:${to}; keepalive 1; }
      server { listen 127.0.0.1:${port};
        location / { proxy_pass http://ours; proxy_http_version 1.1; proxy_request_buffering off;
          proxy_set_header Connection ""; } } }`,
  ],
  haproxy: (dir, port, to) => [
    ["haproxy", "-db", "-f", `${dir}/conf`],
    `global
        maxconn 100
    defaults
        mode http
        timeout client 10s
        timeout server 10s
        timeout connect 5s
        http-reuse always
    listen all
        bind 127.0.0.1:${port}
        server ours 127.0.0.1:${to}
    `,
  ],
};

for (const [name, config] of Object.entries(proxies))
  test(`behind ${name} nobody gets another's answer`, async (t) => {
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    try {
      execFileSync("sh", ["-c", `command -v ${name}`], { env });
    } catch {
      t.skip(`no ${name}: apt-get install ${name}`);
      return;
    }
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), "smuggling-"));
    const port = await freePort();
    const [[program, ...args], text] = config(dir, port, server.port);
    fs.writeFileSync(`${dir}/conf`, text.replace(/^ {4}/gm, "") + "\n");
    const child = spawn(program, args, { stdio: "ignore", env });
    const kill = () => child.kill("SIGKILL");
    process.on("exit", kill);
    try {
      await until(async () => child.exitCode !== null || (await opens(port)), name);
      assert.equal(child.exitCode, null, `${name} does not start`);
      const plain = (token) =>
        ask(port, Buffer.from(`${POST}Connection: close\r\nContent-Length: ${token.length}\r\n\r\n${token}`), {
          stays: true,
        });
      for (const [what, bytes] of cases) {
        const smuggled = bytes.toString("latin1").slice(0, -NEXT.length);
        await ask(port, Buffer.from(`${smuggled}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`, "latin1"), {
          stays: true,
          ms: 50,
        });
        for (let i = 0; i < 3; i++) {
          const token = `${what} ${i}`;
          assert.deepEqual(await plain(token), [[200, token]], what);
        }
      }
      // And the other direction: answers of all kinds over one connection, each in its place.
      const requests =
        `${NEXT}HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\n` +
        `OPTIONS /socket.io/?EIO=4 HTTP/1.1\r\nHost: x\r\n\r\n${POST}Content-Length: 0\r\n\r\n` +
        `GET /nobody HTTP/1.1\r\nHost: x\r\n\r\n`;
      const last = `${POST}Content-Length: 4\r\nConnection: close\r\n\r\nlast`;
      const got = await new Promise((resolve) => {
        let bytes = "";
        const socket = net.connect(port, "127.0.0.1", () => socket.write(requests + last));
        socket.on("data", (data) => (bytes += data.toString("latin1")));
        socket.on("error", () => {});
        socket.on("close", () => resolve(bytes));
      });
      assert.deepEqual(
        [...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => +status),
        [200, 200, 204, 200, 404, 200],
      );
      assert.ok(got.endsWith("last"));
    } finally {
      process.off("exit", kill);
      child.kill("SIGKILL");
      fs.rmSync(dir, { recursive: true, force: true });
    }
  });
