// soak.mjs - everything at once for SOAK_SECONDS (1800), behind which the server's memory is as it was
// SPDX-License-Identifier: MIT
//
//     make soak SOAK_SECONDS=60
//
// Clients come, chat, join rooms, send and get much, poll, stop reading, fall silent, break off, break the
// protocol and are cut off in the middle of everything; then all leave, and it begins anew. In the first half
// of the rounds the memory becomes what it needs to be. The least that it is behind a round of the last
// quarter must not be more than the most of that half, and a twentieth and two megabytes.
import assert from "node:assert/strict";
import fs from "node:fs";
import net from "node:net";
import { build, sleep, start, until } from "../interop/lib.mjs";
import { Client, frame } from "./client.mjs";

const SECONDS = +(process.env.SOAK_SECONDS ?? 1800);
const ROUND = Math.min(20, SECONDS / 8); // seconds, behind which all leave
const CLIENTS = 200;
const flags = ["--ping-interval", 1000, "--ping-timeout", 2000, "--recovery", 2000];
const server = await start(`${build}/fixture`, ["--port", 0, ...flags]);
const random = (n) => Math.floor(Math.random() * n);
const counts = {};
let going = true;

/* Kilobytes that the server has in memory. */
const memory = () =>
  +/VmRSS:\s+(\d+)/.exec(fs.readFileSync(`/proc/${server.child.pid}/status`, "latin1"))[1];

/* A raw connection that is over after ms at the latest. */
const raw = (bytes, ms) =>
  new Promise((resolve) => {
    const socket = net.connect(server.port, "127.0.0.1", () => socket.write(bytes));
    const timer = setTimeout(() => (random(2) ? socket.resetAndDestroy() : socket.destroy()), ms);
    socket.on("data", () => {});
    socket.on("error", () => {});
    socket.on("close", () => {
      clearTimeout(timer);
      resolve();
    });
  });

const member = async (options = {}) => {
  const client = new Client(server.port, { heard: () => {}, ...options });
  await until(() => client.id || client.ended, "to join");
  return client;
};

const ways = {
  async chats() {
    const client = await member();
    for (let i = 0; i < 50 && going; i++) {
      await Promise.race([client.ask("message-with-ack", i, "x".repeat(random(3000))), sleep(2000)]);
      client.say(`42["to",["room ${random(20)}"],"hi",[${i}]]`);
    }
    client.close();
  },
  async joins() {
    const client = await member();
    for (let i = 0; i < 100 && going; i++) {
      client.say(`42["join",["room ${random(20)}","mine ${random(1000)}"]]`);
      client.say(`42["leave","mine ${random(1000)}"]`);
      if (i % 10 === 0) client.say(`40/dyn-${random(100)},{"a":"${"x".repeat(random(1000))}"}`);
      await sleep(random(20));
    }
    client.socket.resetAndDestroy();
  },
  async sends_much() {
    const client = await member();
    for (let i = 0; i < 5 && going; i++) {
      client.say(`42["message","${"x".repeat(random(900000))}"]`);
      client.say('451-["message",{"_placeholder":true,"num":0}]');
      client.socket.write(frame(Buffer.alloc(random(100000)), 0x82));
      await sleep(random(200));
    }
    client.close();
  },
  async reads_nothing() {
    const client = await member();
    client.socket.pause();
    client.say('42["flood",1000,1000]');
    await sleep(random(4000));
    client.close();
  },
  async falls_silent() {
    const client = await member({ answers: false });
    await until(() => client.ended || !going, "to be found");
    client.close();
  },
  async breaks_off() {
    const bytes = frame(`42["message","${"x".repeat(5000)}"]`);
    const client = await member();
    client.socket.write(bytes.subarray(0, random(bytes.length)));
    await sleep(random(500));
    client.socket.resetAndDestroy();
  },
  async breaks_the_protocol() {
    const wrong = ["9", "42{", "2probe", "451-[]", "42[1]", "40/nobody", "4", "\u0000"];
    const client = await member();
    client.say(wrong[random(wrong.length)]);
    await sleep(random(500));
    client.close();
  },
  async polls() {
    const url = `${server.url}/socket.io/?EIO=4&transport=polling`;
    const sid = JSON.parse((await (await fetch(url)).text()).slice(1)).sid;
    const post = (body) => fetch(`${url}&sid=${sid}`, { method: "POST", body });
    await post("40");
    for (let i = 0; i < 10 && going; i++) {
      await post(`42["message","${"x".repeat(random(2000))}"]\x1e42["join","room ${random(20)}"]`);
      await (await fetch(`${url}&sid=${sid}`)).text();
    }
    if (random(2)) await post("1");
  },
  async says_half_a_request() {
    await raw("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc", random(1000));
  },
  async sends_garbage() {
    await raw(Buffer.from(Array.from({ length: 1000 }, () => random(256))), random(500));
  },
};

const one = async (i) => {
  const names = Object.keys(ways);
  while (going) {
    const name = names[(i + random(3)) % names.length];
    try {
      await ways[name]();
      counts[name] = (counts[name] ?? 0) + 1;
    } catch (error) {
      if (!/fetch failed|JSON|sid/.test(error)) throw error; // a request may be cut by another's fault
    }
    await sleep(random(50));
  }
};

/* All come, and leave; the memory behind it, once free memory has gone back to the system. */
async function round() {
  going = true;
  const all = Array.from({ length: CLIENTS }, (_, i) => one(i));
  await sleep(ROUND * 1000);
  going = false;
  await Promise.all(all);
  await sleep(8000); // sessions by polling, what recovery keeps, and three seconds behind that
  const other = await member();
  assert.deepEqual(await other.ask("nsp-size"), [1]);
  other.close();
  return memory();
}

const begin = performance.now();
const rounds = [];
while (rounds.length < 4 || performance.now() - begin < SECONDS * 1000) {
  rounds.push(await round());
  console.log(`${Math.round((performance.now() - begin) / 1000)} s: ${rounds.at(-1)} kB`);
}
const most = Math.max(...rounds.slice(0, rounds.length / 2));
const least = Math.min(...rounds.slice((rounds.length * 3) / 4));
assert.ok(least <= most * 1.05 + 2048, `${most} kB in the first half, ${least} kB at the end`);
assert.equal(Object.keys(counts).length, Object.keys(ways).length);
console.log(Object.entries(counts).map(([name, n]) => `${name} ${n}`).join(", "));
await server.stop();
