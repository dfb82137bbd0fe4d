// lib.mjs - what the tests in this directory share: servers, a wire that can be cut, clients
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";

export const root = fileURLToPath(new URL("../..", import.meta.url));
export const build = path.resolve(root, process.env.B ?? "build");
export const require = createRequire(import.meta.url);

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* Waits until fn returns something true, and returns it. */
export async function until(fn, what = fn.toString(), ms = 8000) {
  for (const end = Date.now() + ms; Date.now() < end; await sleep(10)) {
    const value = await fn();
    if (value) return value;
  }
  assert.fail(`in vain for ${ms} ms: ${what}`);
}

/* ---- Servers --------------------------------------------------------------------------------- */

const running = new Set();
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(1));
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/* Starts a server that prints a line with its port. stop() ends it and checks that it ends well,
 * without a word on standard error: a sanitizer would have its say there. */
export async function start(command, args = []) {
  const [program, ...first] = command.split(" ");
  const child = spawn(program, [...first, ...args.map(String)], { cwd: root });
  running.add(child);
  const server = { child, out: "", err: "" };
  const ended = new Promise((resolve) =>
    child.on("close", (code, signal) => {
      running.delete(child);
      server.err ||= `it ended with ${code ?? signal}`;
      resolve(code ?? signal);
    }),
  );
  child.on("error", (error) => {
    server.err += error;
  });
  child.stdout.on("data", (text) => {
    server.out += text;
  });
  child.stderr.on("data", (text) => {
    server.err += text;
  });
  const started = await until(
    () => /(\d+)\s*\n/.exec(server.out) ?? server.err,
    `${command} to start`,
  );
  assert.notEqual(started, server.err, `${command}: ${started}`);
  server.port = +started[1];
  server.url = `http://127.0.0.1:${server.port}`;
  server.stop = async (expected = 0) => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 5000);
    const status = await ended;
    clearTimeout(timer);
    assert.deepEqual(
      [status, server.err.match(/^.*(Sanitizer|runtime error).*$/gm)],
      [expected, null],
      `${command} ended with this:\n${server.err}`,
    );
  };
  return server;
}

/* SIO_FIXTURE: another implementation of the same application, such as the reference's. */
export function startFixture(...args) {
  return start(process.env.SIO_FIXTURE ?? `${build}/fixture`, ["--port", 0, ...args]);
}

export const browserOptions = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/* ---- A wire: passes TCP connections on, and can cut or freeze them --------------------------- */

export async function wire(port) {
  const pairs = new Set();
  const self = { down: false, frozen: false };
  const server = net.createServer((a) => {
    if (self.down) return a.resetAndDestroy();
    const b = net.connect(port, "127.0.0.1"),
      pair = [a, b];
    pairs.add(pair);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      from.setNoDelay(true);
      from.on("data", (data) => {
        if (!self.frozen) to.write(data);
      });
      from.on("end", () => to.end());
      from.on("error", () => {});
      from.on("close", () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  self.port = server.address().port;
  self.url = `http://127.0.0.1:${self.port}`;
  self.cut = () => pairs.forEach((pair) => pair.forEach((end) => end.destroy()));
  self.close = () => {
    self.cut();
    server.close();
  };
  return self;
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* The arguments of the next event of that name. */
export function next(socket, event, ms = 6000) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no "${event}" for ${ms} ms`)), ms);
    socket.once(event, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
}

/* Emits, and returns the arguments of the acknowledgement. */
export function ask(socket, event, ...args) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer to "${event}"`)), 6000);
    socket.emit(event, ...args, (...answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
  });
}

/* Collects the first arguments of all events of that name from now on. */
export function collect(socket, event) {
  const list = [];
  socket.on(event, (value) => list.push(value));
  return list;
}

/* Texts that are easily broken on their way. */
export const texts = {
  ASCII: 'Hello, "world" \\ / <b> & 50% {} [] , : 2["x"] \x1e end',
  Korean: "안녕하세요, 반갑습니다. 값 뷁 ㄱㄴㄷ 각",
  emoji: "😀 👩‍👩‍👧‍👦 🇰🇷 👍🏽 ❤️ 𝄞",
  control: "\u0000\u0001\b\t\n\r\u001f\u007f\u0080\u2028\u2029\ufeff\uffff",
  long: "가나다라마바사아자차카타파하😀".repeat(2000),
};
