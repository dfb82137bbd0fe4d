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

/* How long anything may take before it counts as hung. No test says how fast something is: others
 * have their part of the machine, and a process may be put off for seconds. A wait is for what
 * shall happen; a pause, where there is one, may be as long as it will. */
export const PATIENCE = 60000;
export const LONGEST = 10000; // what the fixture takes as a delay or a limit of its own, at the most

/* Waits until fn returns something true, and returns it. */
export async function until(fn, what = fn.toString()) {
  for (const end = performance.now() + PATIENCE; performance.now() < end; await sleep(10)) {
    const value = await fn();
    if (value) return value;
  }
  assert.fail(`in vain for ${PATIENCE} ms: ${what}`);
}

/* node:test's function with room for a few such waits. */
export const patient = (test) => (title, options, fn) =>
  test(title, { timeout: 4 * PATIENCE, ...options }, fn ?? options);

/* ---- Servers --------------------------------------------------------------------------------- */

const running = new Set();
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(1));
process.on("exit", () => running.forEach((child) => child.kill("SIGKILL")));

/* Starts a server that prints a line with its port, and nothing on standard error before. stop() ends it
 * and checks that it ends well, and that no sanitizer has had its say there. */
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
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE);
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

/* Many heartbeats, and as much time to answer them, to join and to upgrade as anything has here. */
export const unhurried = ["--ping-interval", 400].concat(
  ["--ping-timeout", "--connect-timeout", "--upgrade-timeout"].flatMap((name) => [name, PATIENCE]),
);

/* SIO_FIXTURE: another implementation of the same application, such as the reference's. */
export function startFixture(...args) {
  const command = process.env.SIO_FIXTURE ?? `${build}/fixture`;
  return start(command, ["--port", 0, ...unhurried, ...args]);
}

/* The same on the official server, whatever is under test. */
export function startReference(...args) {
  return start("node test/interop/reference.mjs", ["--port", 0, ...unhurried, ...args]);
}

export const browserOptions = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  timeout: 4 * PATIENCE, // its first start on a machine reads all of it from the disk
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage", // which is too small in many containers
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
  ],
};

/* ---- A wire: passes TCP connections on, and can cut or freeze them --------------------------- */

const get = Buffer.from("GET ");

/* Its own port stays, whatever port it leads to: a server that starts anew has another one. While it is
 * frozen, neither bytes nor ends come through. */
export async function wire(port) {
  const pairs = new Set();
  const self = { to: port, down: false, frozen: false };
  const server = net.createServer((a) => {
    if (self.down) return a.resetAndDestroy();
    const b = net.connect(self.to, "127.0.0.1"),
      pair = [a, b];
    pairs.add(pair);
    for (const [from, to] of [
      [a, b],
      [b, a],
    ]) {
      from.setNoDelay(true);
      from.on("data", (data) => {
        pair.polls = from === a && data.subarray(0, 4).equals(get); // and nothing has come back
        if (!self.frozen) to.write(data);
      });
      from.on("end", () => {
        if (!self.frozen) to.end();
      });
      from.on("error", () => {});
      from.on("close", () => {
        if (self.frozen) return;
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  self.port = server.address().port;
  self.url = `http://127.0.0.1:${self.port}`;
  /* The server will notice a cut at once: the client's WebSocket is what it knows too, or its GET is
   * on the way. */
  self.noticed = async (socket) => {
    const { transport } = (await ask(socket, "whoami"))[0];
    await until(() => transport === "websocket" || [...pairs].some(({ polls }) => polls));
  };
  self.cut = () => pairs.forEach((pair) => pair.forEach((end) => end.destroy()));
  self.close = () => {
    self.cut();
    server.close();
  };
  return self;
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* Options of one that has a connection of its own, and does not hesitate to come back. */
export const eager = { forceNew: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };

export const transportOf = (socket) => socket.io.engine.transport.name;
export const upgraded = (socket) => until(() => transportOf(socket) === "websocket", "the upgrade");

/* The arguments of the next event of that name. */
export function next(socket, event) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no "${event}"`)), PATIENCE);
    socket.once(event, (...args) => {
      clearTimeout(timer);
      resolve(args);
    });
  });
}

/* Emits, and returns the arguments of the acknowledgement. */
export function ask(socket, event, ...args) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`no answer to "${event}"`)), PATIENCE);
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
