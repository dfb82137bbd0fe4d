// faults.mjs - what happens to a server from outside, on real sockets: nobody else may notice
// SPDX-License-Identifier: MIT
//
// Clocks that jump are simulated: test/sim_failure.c.
import { test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import { fileURLToPath } from "node:url";
import { build, patient, sleep, start, startFixture, until, wire } from "../interop/lib.mjs";
import { Client } from "./client.mjs";

const test = patient(plainTest);
const joined = async (client) => {
  await until(() => client.id, "a client to join");
  return client;
};
const sizeOf = async (client) => (await client.ask("nsp-size"))[0];
const patience = ["--ping-interval", 300, "--ping-timeout", 2000];

test("clients that are killed are gone, with all they held", async () => {
  const server = await startFixture();
  const other = await joined(new Client(server.port, { heard: () => {} }));
  for (let round = 0; round < 3; round++) {
    const crowd = fork(fileURLToPath(new URL("crowd.mjs", import.meta.url)), [server.port, 200], {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
    });
    await once(crowd.stdout, "data");
    await until(async () => (await sizeOf(other)) === 201, "all of the crowd");
    crowd.kill("SIGKILL");
    await until(async () => (await sizeOf(other)) === 1, "the crowd to be gone");
  }
  assert.deepEqual(await other.ask("message-with-ack", "still here"), ["still here"]);
  other.close();
  await server.stop();
});

test("who is silent on a connection that stays open is found by pings", async () => {
  const server = await start(`${build}/fixture`, ["--port", 0, ...patience]);
  const line = await wire(server.port);
  const other = await joined(new Client(server.port));
  const silent = [];
  for (let i = 0; i < 20; i++) silent.push(await joined(new Client(line.port)));
  assert.equal(await sizeOf(other), 21);
  line.frozen = true; // no byte and no end comes through in either direction
  await until(async () => (await sizeOf(other)) === 1, "silent clients to be gone");
  const [log] = await other.ask(
    "last-disconnects",
    silent.map(({ id }) => id),
  );
  assert.deepEqual(
    log.map(({ reason }) => reason),
    silent.map(() => "ping timeout"),
  );
  other.close();
  line.close();
  await server.stop();
});

test("a signal a thousand times a second changes nothing", async () => {
  const server = await start(`env LD_PRELOAD=${build}/eintr.so ${build}/fixture`, ["--port", 0]);
  const clients = [];
  for (let i = 0; i < 20; i++) clients.push(await joined(new Client(server.port)));
  const long = "x".repeat(300000);
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(
      clients.map((client, i) => client.ask("message-with-ack", i, i % 5 === 0 ? long : "short")),
    );
    answers.forEach(([back, text], i) => {
      assert.equal(back, i);
      assert.equal(text.length, i % 5 === 0 ? long.length : 5);
    });
  }
  await sleep(300);
  assert.ok(clients.every(({ ended }) => !ended));
  clients.forEach((client) => client.close());
  await server.stop();
  const [, signals] = /^(\d+) signals$/m.exec(server.err);
  assert.ok(+signals > 100, `${signals} signals`);
});

test("without descriptors it serves those it has, and the others when there are some", async () => {
  const server = await start("sh test/faults/few", [40, `${build}/fixture`, "--port", 0]);
  const first = await joined(new Client(server.port));
  const crowd = [];
  for (let i = 0; i < 100; i++) crowd.push(new Client(server.port));
  await until(() => crowd.filter(({ id }) => id).length > 20, "as many as fit");
  await sleep(500); // the others are in the kernel's queue
  const inside = crowd.filter(({ id }) => id),
    outside = crowd.filter(({ id }) => !id);
  assert.ok(inside.length < 40 && outside.length > 60, `${inside.length} are in`);
  assert.deepEqual(await first.ask("message-with-ack", 1), [1]);
  for (const client of crowd) client.onjoin = () => client.close(); // and makes room for the next
  inside.forEach((client) => client.close());
  await until(() => outside.every(({ id }) => id), "those who wait");
  assert.deepEqual(await first.ask("message-with-ack", 2), [2]);
  first.close();
  await server.stop();
});

test("what was accepted is flushed when the server is told to end", async () => {
  const server = await startFixture();
  const clients = [];
  for (let i = 0; i < 50; i++) clients.push(await joined(new Client(server.port)));
  const slow = await joined(new Client(server.port));
  slow.socket.pause();
  slow.say(`42["flood",10,1000000]`); // which nobody reads: the server does not wait for that
  const EVENTS = 50;
  let begun = 0;
  for (const client of clients) {
    client.texts = [];
    client.heard = (text) => client.texts.push(text) === 1 && begun++;
    client.say(`42["flood",${EVENTS},20000]`);
  }
  await until(() => begun === clients.length, "all to get their first");
  await server.stop(); // with status 0
  await until(() => clients.every(({ ended }) => ended), "the ends");
  for (const client of clients) {
    const numbers = client.texts.filter((t) => t.startsWith('42["flood"')).map((t) => +t.split(",")[1]);
    assert.deepEqual(numbers, [...Array(EVENTS).keys()]);
    assert.equal(client.error, undefined);
    assert.notEqual(client.code, undefined); // it said goodbye
  }
  slow.close();
});

/* All that there were come back at once to a server that begins anew on one processor. */
test(`a storm of ${process.env.STORM ?? 9000} that come back`, { timeout: 600000 }, async (t) => {
  const CLIENTS = +(process.env.STORM ?? 9000);
  const one = fs.existsSync("/usr/bin/taskset") ? "taskset -c 0 " : "";
  const flags = ["--ping-interval", 25000, "--ping-timeout", 60000, "--connect-timeout", 120000];
  let server = await start(`${one}${build}/fixture`, ["--port", 0, ...flags]);
  const { port } = server;
  const back = new Array(CLIENTS).fill(0);
  let n = 0,
    tries = 0,
    begin = performance.now(),
    storming = true;
  const come = (i) => {
    tries++;
    const client = new Client(port, { heard: () => {} });
    client.onjoin = () => {
      back[i] = performance.now() - begin;
      n++;
    };
    client.onend = () => {
      if (storming && !client.id) setTimeout(come, 100 + Math.random() * 400, i);
      else if (storming) lost.push(i);
    };
    return client;
  };
  const lost = [];
  const all = back.map((_, i) => come(i));
  const patiently = async (what) => {
    for (let last = -1, quiet = 0; n < CLIENTS; await sleep(100)) {
      quiet = n === last ? quiet + 1 : 0;
      last = n;
      assert.ok(quiet < 600, `${what}: ${n} of ${CLIENTS}, and nobody comes any more`);
    }
  };
  const figures = (what) => {
    const sorted = Float64Array.from(back).sort();
    const at = (share) => Math.round(sorted[Math.floor((CLIENTS - 1) * share)]);
    t.diagnostic(
      `${what}: ${CLIENTS} in ${at(1)} ms, half in ${at(0.5)}, 99 of 100 in ${at(0.99)}; ${tries} tries`,
    );
  };
  await patiently("at first");
  figures("at first");
  server.child.kill("SIGKILL");
  await until(() => lost.length === CLIENTS, "all to notice");
  server = await start(`${one}${build}/fixture`, ["--port", port, ...flags]);
  n = tries = 0;
  begin = performance.now();
  const again = lost.splice(0).map((i) => come(i));
  await patiently("back");
  figures("back");
  const other = await joined(new Client(port));
  assert.equal(await sizeOf(other), CLIENTS + 1);
  assert.equal(lost.length, 0);
  storming = false;
  other.close();
  [...all, ...again].forEach((client) => client.close());
  await server.stop();
});
