// redis.mjs - a redis-server of the test's own, on a port of its own, that keeps nothing on a disk
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import { build, until } from "./lib.mjs";
import { freePort, listens } from "./nginx.mjs";

const dir = `${build}/redis`;

/* Its answer to PING: any, when it listens and has a mind to answer. */
const answers = (port) =>
  new Promise((resolve) => {
    const probe = net.connect(port, "127.0.0.1", () => probe.write("PING\r\n"));
    for (const event of ["data", "error", "close"])
      probe.on(event, () => {
        resolve(event === "data");
        probe.destroy();
      });
  });

/* Starts it at that port. False: it has ended, as when somebody else has the port. */
async function startAt(port, flags) {
  fs.mkdirSync(dir, { recursive: true });
  const child = spawn(
    "redis-server",
    ["--save", "", "--appendonly", "no", "--port", port, "--bind", "127.0.0.1", "--dir", dir].concat(flags),
    { stdio: "ignore" },
  );
  const kill = () => child.kill("SIGKILL");
  process.on("exit", kill);
  const ended = new Promise((resolve) => {
    child.on("close", resolve);
    child.on("error", resolve);
  });
  ended.then(() => process.off("exit", kill));
  const over = () => child.exitCode !== null || child.pid === undefined;
  await until(async () => over() || (await answers(port)), "redis-server");
  if (over()) return false;
  child.unref(); // a test that fails may leave it
  return {
    child,
    port,
    url: `redis://127.0.0.1:${port}`,
    /* Ends it as a crash does: all connections break at once. */
    stop: async () => {
      child.ref();
      kill();
      await ended;
    },
  };
}

/* flags: what redis-server is told beside its port. At a port that was free a moment ago, or at the given one. */
export async function startRedis(flags = [], port = undefined) {
  for (let i = 0; i < 5; i++) {
    const redis = await startAt(port ?? (await freePort()), flags);
    if (redis) return redis;
    assert.ok(port === undefined || !(await listens(port)), `somebody else has port ${port} by now`);
  }
  assert.fail("redis-server does not start");
}
