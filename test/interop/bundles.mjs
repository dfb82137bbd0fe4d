// bundles.mjs - our client and each version of the official one, in a browser, at another origin
// SPDX-License-Identifier: MIT
import { after, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import { chromium } from "playwright-core";
import { browserOptions, PATIENCE, patient, root, startFixture, texts } from "./lib.mjs";

const modules = `${root}test/interop/node_modules`;
const bundles = {
  "sio.js": `${root}sio.js`,
  4.8: `${modules}/socket.io-client/dist/socket.io.js`,
  "4.8, ES module": `${modules}/socket.io-client/dist/socket.io.esm.min.js`,
  "4.0": `${modules}/socket.io-client-4.0/dist/socket.io.js`,
  3.1: `${modules}/socket.io-client-3.1/dist/socket.io.js`,
  2.5: `${modules}/socket.io-client-2.5/dist/socket.io.js`,
  1.7: `${modules}/socket.io-client-1.7/dist/socket.io.js`,
};
const test = patient(plainTest);
let browser, server, site, origin;

before(async () => {
  site = http.createServer((request, answer) => {
    const file = Object.values(bundles)[request.url.slice(1)];
    answer.setHeader("Content-Type", file ? "text/javascript" : "text/html");
    answer.end(file ? fs.readFileSync(file) : "<!doctype html>");
  });
  await new Promise((resolve) => site.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${site.address().port}`;
  server = await startFixture(
    "--allow-eio3",
    "--cors",
    origin,
    "--cors-credentials",
    "--cookie",
    "io",
  );
  browser = await chromium.launch(browserOptions);
});
after(async () => {
  await browser.close();
  site.close();
  await server.stop();
});

/* Runs in the page. */
async function talk({ url, transports, texts, word, old, patience }) {
  const ask = (socket, ...args) =>
    new Promise((resolve, reject) => {
      setTimeout(reject, patience, new Error(`no answer to ${args[0]}`));
      socket.emit(...args, (...answer) => resolve(answer));
    });
  const bytes = (size) => Uint8Array.from({ length: size }, (_, i) => i % 256);
  const list = (data) => [...new Uint8Array(data.buffer ?? data)];
  const options = { transports, forceNew: true, withCredentials: true, reconnectionDelay: 20 };
  const socket = io(url, options),
    custom = io(`${url}/custom`, options),
    told = [];
  const ready = (s) =>
    new Promise((resolve) => (s.connected ? resolve() : s.on("connect", resolve)));
  await Promise.all([ready(socket), ready(custom)]);
  const result = { text: {}, binary: {}, order: [] };
  for (const [name, text] of Object.entries(texts))
    result.text[name] = (await ask(socket, "message-with-ack", { text }))[0].text === text;
  for (const size of [0, 1, 130, 70000]) {
    const [a, b] = await ask(socket, "message-with-ack", bytes(size).buffer, {
      deep: [bytes(size).buffer, word],
    });
    result.binary[size] =
      [a, b.deep[0]].every((data) => `${list(data)}` === `${list(bytes(size))}`) &&
      b.deep[1] === word;
  }
  custom.on("binary", (data) => told.push(data.list.map((b) => list(b).slice(0, 3))));
  await ask(custom, "emit-binary", 3, 100);
  result.told = told;
  socket.on("message-back", (n) => result.order.push(n));
  await Promise.all(
    [...Array(100).keys()].map(
      (n) => (socket.emit("message", n), ask(socket, "message-with-ack", n)),
    ),
  );
  const refused = io(old ? `${url}/auth?token=nodata` : `${url}/auth`, {
    ...options,
    auth: { token: "nodata" },
  });
  result.refused = await new Promise((resolve) =>
    refused.on(old ? "error" : "connect_error", (error) => resolve(error.message ?? error)),
  );
  const [me] = await ask(socket, "whoami");
  const again = new Promise((resolve) =>
    socket.once("disconnect", () => socket.once("connect", resolve)),
  );
  socket.emit("engine-close");
  await again;
  result.again = (await ask(socket, "message-with-ack", "again"))[0];
  result.me = [me.protocol, me.transport, me.headers.origin, me.xdomain];
  for (const s of [socket, custom, refused]) s.disconnect();
  return result;
}

Object.keys(bundles).forEach((name, i) =>
  describe(name, () => {
    const url = `/${i}`,
      old = ["2.5", "1.7"].includes(name);
    for (const transports of [["websocket"], ["polling"], ["polling", "websocket"]])
      test(transports.join(" and "), async () => {
        const page = await browser.newPage(),
          trouble = [];
        page.setDefaultTimeout(PATIENCE);
        page.on("pageerror", (error) => trouble.push(String(error)));
        await page.goto(origin);
        if (name.includes("module"))
          await page.evaluate(async (url) => {
            window.io = (await import(url)).io;
          }, url);
        else await page.addScriptTag({ url });
        // In a browser, over polling, 1.7 and today's servers agree about ASCII alone.
        const ascii = name === "1.7" && transports[0] === "polling";
        const say = ascii ? { ASCII: texts.ASCII } : texts,
          word = ascii ? "word" : "글";
        const result = await page.evaluate(talk, {
          url: server.url,
          transports,
          texts: say,
          word,
          old,
          patience: PATIENCE,
        });
        assert.deepEqual(trouble, []);
        assert.deepEqual(result, {
          text: Object.fromEntries(Object.keys(say).map((key) => [key, true])),
          binary: { 0: true, 1: true, 130: true, 70000: true },
          told: [
            [
              [0, 1, 2],
              [31, 32, 33],
              [62, 63, 64],
            ],
          ],
          order: [...Array(100).keys()],
          refused: "no data",
          again: "again",
          me: [old ? 3 : 4, transports.at(-1), origin, true],
        });
        await page.close();
      });
  }),
);
