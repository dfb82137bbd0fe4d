// proxies.mjs - two processes of a cluster behind nginx and behind haproxy, with the configurations beside this
// SPDX-License-Identifier: MIT
//
//     CLUSTER=CCN node proxies.mjs     the first two letters: C is ours, N the reference
//
// Each client says a number of its own in the query of its requests. A tap before each process notes
// the numbers that pass: so it is seen which process serves whom.
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import http from "node:http";
import net from "node:net";
import {
  ask,
  collect,
  eager,
  next,
  PATIENCE,
  patient,
  require,
  startFixture,
  startReference,
  until,
  upgraded,
} from "./lib.mjs";
import { startHaproxy } from "./haproxy.mjs";
import { configured, startSite } from "./nginx.mjs";
import { startRedis } from "./redis.mjs";

const { io } = require("socket.io-client");
const test = patient(plainTest);
const letters = [...(process.env.CLUSTER ?? "CCN")].slice(0, 2);
const programs = { C: startFixture, N: startReference };

/* Passes on what comes, and notes whose it is. */
async function tap(to) {
  const self = { seen: new Set() };
  const server = net.createServer((a) => {
    const b = net.connect(to, "127.0.0.1");
    a.on("data", (data) => {
      for (const [, client] of data.toString("latin1").matchAll(/[?&]client=(\d+)/g)) self.seen.add(client);
    });
    a.pipe(b).pipe(a);
    for (const end of [a, b]) end.on("error", () => {}).on("close", () => (a.destroy(), b.destroy()));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  self.port = server.address().port;
  self.close = () => server.close();
  return self;
}

let redis, servers, taps, ports;
before(async () => {
  redis = await startRedis();
  servers = await Promise.all(letters.map((letter) => programs[letter]("--redis", redis.url)));
  taps = await Promise.all(servers.map(({ port }) => tap(port)));
  ports = taps.map(({ port }) => port);
});
after(async () => {
  for (const one of taps) one.close();
  await Promise.all(servers.map((server) => server.stop()));
  await redis.stop();
});

const open = new Set();
let clients = 0;
afterEach(() => {
  for (const socket of open) socket.disconnect();
  open.clear();
});

/* withCredentials: this client keeps cookies then, as a browser does. */
function make(url, transports, options = {}) {
  const client = String(++clients);
  const socket = io(url, {
    transports,
    query: { client },
    withCredentials: true,
    timeout: PATIENCE,
    ...eager,
    reconnection: false,
    ...options,
  });
  open.add(socket);
  socket.trouble = [];
  for (const event of ["disconnect", "connect_error"])
    socket.on(event, (why) => socket.trouble.push(`${event}: ${why}`));
  socket.places = () => taps.flatMap(({ seen }, i) => (seen.has(client) ? [i] : []));
  return socket;
}

/* Clients until both processes have two of them, in most cases. options(n): those of the n-th. */
async function crowd(url, transports, options = () => ({})) {
  const sockets = [];
  const has = (place) => sockets.filter((socket) => socket.places().includes(place)).length;
  while (sockets.length < 6 || has(0) < 2 || has(1) < 2) {
    assert.ok(sockets.length < 60, "both processes are used");
    const socket = make(url, transports, options(sockets.length));
    await next(socket, "connect");
    if (transports.length > 1) await upgraded(socket);
    sockets.push(socket);
  }
  return sockets;
}

/* Every client keeps to one process, and each hears what any of them says to all. */
async function works(sockets) {
  await until(async () => (await ask(sockets[0], "server-count"))[0] === 2);
  const probes = sockets.map((socket) => collect(socket, "probe"));
  for (const socket of sockets)
    await until(async () => {
      await ask(socket, "nsp-emit", "probe", [0]);
      return probes.every((list) => list.length);
    }, "the processes to hear each other");
  const lists = sockets.map((socket) => collect(socket, "said"));
  for (const [i, socket] of sockets.entries())
    for (let n = 0; n < 5; n++) {
      await ask(socket, "nsp-emit", "said", [`${i}.${n} 안녕`]);
      await until(() => lists.every((list) => list.at(-1) === `${i}.${n} 안녕`), "all hear it");
    }
  for (const list of lists) assert.equal(list.length, 5 * sockets.length);
  for (const socket of sockets) {
    assert.deepEqual(socket.trouble, []);
    assert.equal(socket.places().length, 1, "all requests of one client reach one process");
  }
}

/* Without what makes them stick, some client's requests reach both processes. */
async function breaks(url) {
  await until(() => {
    const socket = make(url, ["polling"]);
    return until(() => socket.connected || socket.trouble.length).then(() =>
      [...open].some((any) => any.places().length === 2),
    );
  }, "a client between two processes");
}

const kinds = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

const without = (config, ...lines) =>
  lines.reduce((text, line) => {
    assert.match(text, line);
    return text.replace(line, "");
  }, config);

describe("nginx", () => {
  let front, config;
  before(async () => {
    config = configured("nginx-cluster.conf", ...ports);
    front = await startSite(config);
  });
  after(() => front.stop());

  for (const [name, transports] of Object.entries(kinds))
    test(`a cookie of its own: ${name}`, async () => works(await crowd(front.url, transports)));

  test("ip_hash, for clients without cookies", async () => {
    const hashed = config.replace(/hash \$process consistent;/, "ip_hash;");
    assert.notEqual(hashed, config);
    const other = await startSite(hashed);
    const agents = []; // ip_hash looks at the first three numbers of an address
    try {
      const from = (n) => {
        agents.push(new http.Agent({ localAddress: `127.0.${n}.1`, keepAlive: true }));
        return { agent: agents.at(-1), withCredentials: false };
      };
      for (const transports of Object.values(kinds)) await works(await crowd(other.url, transports, from));
    } finally {
      for (const agent of agents) agent.destroy();
      await other.stop();
    }
  });

  test("without either, polling breaks", async () => {
    const other = await startSite(without(config, /hash \$process consistent;/));
    await breaks(other.url).finally(other.stop);
  });
});

describe("haproxy", () => {
  let front, config;
  before(async () => {
    config = configured("haproxy.cfg", ...ports);
    front = await startHaproxy(config);
  });
  after(() => front.stop());

  for (const [name, transports] of Object.entries(kinds))
    test(`a cookie of its own: ${name}`, async () => works(await crowd(front.url, transports)));

  test("without it, polling breaks", async () => {
    const lines = [/balance leastconn/, /cookie process .*/, / cookie a$/m, / cookie b$/m];
    const other = await startHaproxy(without(config, ...lines));
    await breaks(other.url).finally(other.stop);
  });
});
