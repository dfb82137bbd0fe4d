// browser_firefox.mjs - the chat room's page in Firefox, which is driven over WebDriver BiDi
// SPDX-License-Identifier: MIT
//
// Needs Firefox (in Debian: firefox-esr), or FIREFOX=/path; without it all of this is skipped.
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { build, patient, require, start, until } from "./lib.mjs";

const { WebSocket } = require("ws");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const shots = `${build}/screenshots`;
const test = patient(plainTest);
const firefox = process.env.FIREFOX ?? "firefox-esr";
const isThere = (() => {
  try {
    return Boolean(execFileSync(firefox, ["--version"]));
  } catch {
    return false;
  }
})();

let child, profile, socket, server;
const answers = new Map(),
  trouble = [];
let ids = 0;

function command(method, params) {
  const id = ++ids;
  socket.send(JSON.stringify({ id, method, params }));
  return new Promise((resolve, reject) => answers.set(id, { resolve, reject }));
}

async function begin() {
  profile = fs.mkdtempSync(path.join(os.tmpdir(), "firefox-"));
  fs.writeFileSync(path.join(profile, "user.js"), 'user_pref("intl.accept_languages", "ko-KR, ko");\nuser_pref("remote.active-protocols", 1);\n');
  child = spawn(firefox, ["--headless", "--no-remote", "--profile", profile, "--remote-debugging-port", "0"], {
    env: { ...process.env, HOME: profile, MOZ_HEADLESS_WIDTH: "1366", MOZ_HEADLESS_HEIGHT: "800" },
  });
  let said = "";
  child.stderr.on("data", (text) => (said += text));
  const [, url] = await until(() => /BiDi listening on (ws:\S+)/.exec(said), "Firefox to begin");
  socket = new WebSocket(`${url}/session`);
  await new Promise((resolve, reject) => socket.on("open", resolve).on("error", reject));
  socket.on("message", (data) => {
    const { id, type, result, message, method, params } = JSON.parse(data);
    if (type === "error") answers.get(id)?.reject(new Error(message));
    if (type === "success") answers.get(id)?.resolve(result);
    if (method === "log.entryAdded" && params.level === "error") trouble.push(params.text);
  });
  await command("session.new", { capabilities: {} });
  await command("session.subscribe", { events: ["log.entryAdded"] });
}

/* A page in a container of its own, or beside another in its. */
async function open(url, beside) {
  const userContext = beside?.userContext ?? (await command("browser.createUserContext", {})).userContext;
  const { context } = await command("browsingContext.create", { type: "tab", userContext });
  const page = { userContext, context };
  page.run = async (expression) => {
    const { result, exceptionDetails } = await command("script.evaluate", { expression, target: { context }, awaitPromise: true, userActivation: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  };
  page.shows = (expression) => until(() => page.run(`Boolean(${expression})`), expression);
  page.type = (text) =>
    command("input.performActions", { context, actions: [{ type: "key", id: "keys",
      actions: [...text].flatMap((value) => [{ type: "keyDown", value }, { type: "keyUp", value }]) }] });
  page.shoot = async (name) => {
    const { data } = await command("browsingContext.captureScreenshot", { context });
    fs.writeFileSync(`${shots}/${name}.png`, Buffer.from(data, "base64"));
  };
  await command("browsingContext.navigate", { context, url, wait: "complete" });
  return page;
}

const ENTER = "\ue007";

async function enter(name, url, beside) {
  const page = await open(url, beside);
  await command("browsingContext.activate", { context: page.context });
  await page.run(`$("nick").value = ""; $("nick").focus()`);
  await page.type(name + ENTER);
  await page.shows(`ready && document.querySelector("#people li")`);
  return page;
}

describe("the chat in Firefox", { skip: !isThere && `there is no ${firefox}` }, () => {
  before(async () => {
    fs.mkdirSync(shots, { recursive: true });
    await begin();
    server = await start(`${build}/chat`, ["--port", 0]);
  });
  afterEach(() => assert.deepEqual(trouble.splice(0), [], "errors on the page"));
  after(async () => {
    await server.stop();
    child.kill();
    await new Promise((resolve) => child.on("exit", resolve));
    fs.rmSync(profile, { recursive: true, force: true });
  });

  test("two people talk, in Korean, by the keyboard", async () => {
    const a = await enter("anna", server.url),
      b = await enter("민수", server.url);
    assert.equal(await a.run("document.documentElement.lang"), "ko");
    await b.type(`안녕하세요 👋${ENTER}`);
    for (const page of [a, b]) await page.shows(`[...document.querySelectorAll("#log .line p")].some((p) => p.textContent === "안녕하세요 👋")`);
    await a.shows(`document.querySelector("#transport").textContent === "websocket"`);
    await a.shows(`/open[^]*probe[^]*upgrade/.test($("packets").textContent)`);
    await b.run(`[...document.querySelectorAll("#packets > li > button")].findLast((e) => /wants ack|요청/.test(e.textContent)).click()`);
    await b.shows(`document.querySelectorAll(".layer").length === 4 && document.querySelectorAll(".bytes .l1").length >= 6`);
    await b.shoot("firefox");
    await b.run(axe);
    assert.equal(await b.run(`axe.run().then(({ violations }) => violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 120)).join(" | ")).join("\\n"))`), "");
  });

  test("a picture", async () => {
    const a = await enter("painter", `${server.url}/#art`),
      b = await enter("viewer", `${server.url}/#art`);
    await a.run(`(async () => {
      const canvas = new OffscreenCanvas(1000, 1000), ink = canvas.getContext("2d"), data = ink.createImageData(1000, 1000);
      for (let i = 0; i < data.data.length; i++) data.data[i] = i % 4 === 3 ? 255 : Math.random() * 256;
      ink.putImageData(data, 0, 0);
      await pick(new File([await canvas.convertToBlob()], "noise.png", { type: "image/png" }));
    })()`);
    await a.shows(`!$("preview").hidden`);
    await a.run(`$("send").click()`);
    for (const page of [a, b]) await page.shows(`document.querySelector(".line:not(.pending) img")?.naturalWidth > 300`);
    await b.shows(`/451-\\["line"/.test($("packets").textContent)`);
  });

  test("who loses the connection loses nothing", async () => {
    const a = await enter("stays", `${server.url}/#net`),
      b = await enter("goes", `${server.url}/#net`);
    await b.run(`socket.io.engine.close()`);
    await b.run(`write("#net", "said meanwhile")`);
    await a.run(`write("#net", "heard later")`);
    for (const page of [a, b])
      await page.shows(`document.querySelectorAll("#log .line p").length === 2 && !document.querySelector(".line.pending")`);
  });
});
