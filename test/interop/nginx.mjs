// nginx.mjs - a configuration of nginx in front of servers, in a temporary directory and on a port of its own
// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { root, until } from "./lib.mjs";

/* Free a moment ago: somebody else may have it by now. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const listens = (port) =>
  new Promise((resolve) => {
    const probe = net.connect(port, "127.0.0.1", () => {
      probe.end();
      resolve(true);
    });
    probe.on("error", () => resolve(false));
  });

/* Starts it at that port. False: it has ended. */
async function startAt(port, site) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "nginx-"));
  const temp = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (n) => `${n}_temp_path ${dir}/${n};`,
  );
  fs.writeFileSync(
    `${dir}/nginx.conf`,
    `
    daemon off; master_process off; pid ${dir}/pid; error_log ${dir}/error.log;
    events { worker_connections 1000; }
    http { access_log off; ${temp.join(" ")}
    ${site.replace("listen 80;", `listen 127.0.0.1:${port};`)} }`,
  );

  const child = spawn("nginx", ["-p", dir, "-c", `${dir}/nginx.conf`, "-e", `${dir}/error.log`], {
    stdio: "ignore",
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
  await until(async () => child.exitCode !== null || (await listens(port)), "nginx");
  if (child.exitCode === null) return { port, url: `http://127.0.0.1:${port}`, stop: end };
  console.error(fs.readFileSync(`${dir}/error.log`, "utf8"));
  await end();
  return false;
}

/* site: what would be in /etc/nginx/conf.d/, listening at 80. */
export async function startSite(site) {
  assert.ok(site.includes("listen 80;"));
  for (let i = 0; i < 5; i++) {
    const nginx = await startAt(await freePort(), site);
    if (nginx) return nginx;
  }
  assert.fail("nginx does not start");
}

/* A configuration beside this, with the ports that the servers really have. */
export function configured(name, ...ports) {
  const shown = fs.readFileSync(new URL(name, import.meta.url), "utf8");
  return ports.reduce((text, port, i) => {
    assert.ok(text.includes(`127.0.0.1:${3000 + i}`), `${name} names as many servers`);
    return text.replace(`127.0.0.1:${3000 + i}`, `127.0.0.1:${port}`);
  }, shown);
}

export async function startNginx(backend) {
  const readme = fs.readFileSync(`${root}README.md`, "utf8");
  const shown = configured("nginx.conf");
  assert.ok(readme.includes(shown.replace(/^(?=.)/gm, "    ")), "README.md shows nginx.conf as it is");
  return startSite(configured("nginx.conf", backend));
}
