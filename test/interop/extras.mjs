// extras.mjs - one client says something to the server that README shows, and hears it
// SPDX-License-Identifier: MIT
//
//     node test/interop/extras.mjs PROGRAM PORT
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { io } from "socket.io-client";

const [program, port] = process.argv.slice(2);
const server = spawn(program, { stdio: "inherit" });
process.on("exit", () => server.kill("SIGKILL"));
setTimeout(() => assert.fail("in vain for a minute"), 60000).unref();

/* What is said comes back, over each transport and behind an upgrade. */
for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  const socket = io(`http://127.0.0.1:${port}`, { transports, forceNew: true });
  await new Promise((resolve) => socket.on("connect", resolve)); // it tries until the server listens
  const { engine } = socket.io;
  if (transports.length > 1 && engine.transport.name === "polling")
    await new Promise((resolve) => engine.once("upgrade", resolve));
  const heard = new Promise((resolve) => socket.once("chat message", resolve));
  socket.emit("chat message", "hällo");
  assert.equal(await heard, "hällo");
  assert.equal(engine.transport.name, transports.at(-1));
  socket.close();
}
process.exit();
