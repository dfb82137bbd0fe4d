// haproxy.mjs - a configuration of haproxy in front of servers, on a port of its own
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { until } from "./lib.mjs";
import { freePort, listens } from "./nginx.mjs";

/* Starts it at that port. False: it has ended. */
async function startAt(port, config) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "haproxy-"));
  fs.writeFileSync(`${dir}/haproxy.cfg`, config.replace("bind :80", `bind 127.0.0.1:${port}`));
  const child = spawn("haproxy", ["-db", "-f", `${dir}/haproxy.cfg`], {
    stdio: ["ignore", "ignore", fs.openSync(`${dir}/error.log`, "w")],
    env: { PATH: `${process.env.PATH}:/usr/sbin` },
  });
  const kill = () => {
    child.kill("SIGKILL");
    fs.rmSync(dir, { recursive: true });
  };
  process.on("exit", kill);
  const ended = new Promise((resolve) => child.on("close", resolve));
  const end = async () => {
    child.kill("SIGTERM");
    await ended;
    process.off("exit", kill);
    fs.rmSync(dir, { recursive: true });
  };
  await until(async () => child.exitCode !== null || (await listens(port)), "haproxy");
  if (child.exitCode === null) return { port, url: `http://127.0.0.1:${port}`, stop: end };
  console.error(fs.readFileSync(`${dir}/error.log`, "utf8"));
  await end();
  return false;
}

/* config: what would be /etc/haproxy/haproxy.cfg, listening at 80. */
export async function startHaproxy(config) {
  assert.ok(config.includes("bind :80"));
  for (let i = 0; i < 5; i++) {
    const haproxy = await startAt(await freePort(), config);
    if (haproxy) return haproxy;
  }
  assert.fail("haproxy does not start");
}
