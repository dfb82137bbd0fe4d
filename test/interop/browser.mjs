// browser.mjs - the chat room's page, and that of the tutorial, in a browser
// SPDX-License-Identifier: MIT
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import { chromium } from "playwright-core";
import { browserOptions, build, PATIENCE, patient, sleep, start, until, wire } from "./lib.mjs";

const shots = `${build}/screenshots`;
const clients = {
  "sio.js": "sio.js",
  "official client": "test/interop/node_modules/socket.io-client/dist/socket.io.js",
};
const test = patient(plainTest);
let browser,
  server,
  proxy,
  contexts = [],
  trouble = [];

before(async () => {
  fs.mkdirSync(shots, { recursive: true });
  browser = await chromium.launch(browserOptions);
});
after(() => browser.close());
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  contexts = [];
  proxy.down = false;
  assert.deepEqual(trouble.splice(0), [], "errors on the page");
});

/* A page of a browser that knows nobody. */
async function open(url = proxy.url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, ...options });
  contexts.push(context);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => trouble.push(String(error)));
  await page.goto(url);
  return page;
}

const entered = (page) =>
  page.waitForFunction(
    () => document.querySelector("#people li") && !document.querySelector("#login[open]"),
  );

async function enter(name, path = "", options = {}) {
  const page = await open(proxy.url + path, options);
  await page.fill("#nick", name);
  await page.click("#enter");
  await entered(page);
  return page;
}

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
const lines = (page) => page.$$eval("#log .line p", (list) => list.map((p) => p.textContent));
const hears = (page, text) =>
  until(async () => (await lines(page)).includes(text), `the line ${text}`);
const transportOf = (page) => page.textContent("#transport");
const shoot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });

for (const [client, file] of Object.entries(clients)) {
  describe(`chat with ${client}`, () => {
    before(async () => {
      server = await start(`${build}/chat`, ["--port", 0, "--client", file]);
      proxy = await wire(server.port);
    });
    after(async () => {
      proxy.close();
      await server.stop();
    });

    test("two people talk", async () => {
      const alice = await enter("alice"),
        minsu = await enter("민수");
      const said = [
        "hello",
        "안녕하세요 👋🏽",
        '<b>not bold</b> & "quoted"',
        "https://example.org/?a=1",
      ];
      for (const [i, text] of said.entries()) {
        await say([alice, minsu][i % 2], text);
        await Promise.all([hears(alice, text), hears(minsu, text)]);
      }
      assert.deepEqual([await lines(alice), await lines(minsu)], [said, said]);
      assert.equal(await alice.locator("#log .line .pending").count(), 0);
      assert.equal(await alice.locator("#people li").count(), 2);
      assert.match(await alice.textContent("#people"), /alice.*민수/);
      await until(async () => {
        await minsu.locator("#text").pressSequentially("t"); // it is told every two seconds
        return /민수 is typing/.test(await alice.textContent("#typing"));
      });
      await shoot(alice, `chat-${client}`);
      const [a, b] = [await alice.innerHTML("#log"), await minsu.innerHTML("#log")];
      assert.ok(!a.includes("<b>not bold") && !b.includes("<b>not bold"));
    });

    test("the panel shows polling, then websocket", async () => {
      const page = await enter("wanda");
      await until(async () => (await transportOf(page)) === "websocket");
      await say(page, "on the wire");
      await hears(page, "on the wire");
      await page.click("#wire summary");
      const marks = await until(async () => {
        const list = await page.$$eval("#packets li", (all) =>
          all.map((li) => li.children[1].className),
        );
        return list.at(-1) === "websocket" && list;
      }, "a row for a packet over WebSocket");
      assert.equal(marks[0], "polling");
      assert.match(await page.textContent("#packets"), /open[^]*probe[^]*upgrade/);
      await shoot(page, `wire-${client}`);
    });

    test("one transport alone", async () => {
      const a = await enter("polly", "/?transports=polling"),
        b = await enter("webby", "/?transports=websocket");
      await say(a, "over polling");
      await hears(b, "over polling");
      await say(b, "over websocket");
      await hears(a, "over websocket");
      assert.deepEqual([await transportOf(a), await transportOf(b)], ["polling", "websocket"]);
    });

    test("who was offline misses nothing, and nothing comes twice", async () => {
      const stays = await enter("stays"),
        leaves = await enter("leaves");
      const old = await lines(stays),
        said = [];
      const talk = async (page, text) => {
        said.push(text);
        await say(page, text);
      };
      await talk(stays, "before");
      await hears(leaves, "before");
      for (let round = 1; round <= 2; round++) {
        await leaves.context().setOffline(true);
        proxy.cut(); // the other one loses the connection as well, but comes back at once
        await leaves.waitForSelector("#banner:not([hidden])");
        await until(async () => stays.evaluate(() => socket.connected && ready));
        for (let i = 0; i < 4; i++) {
          await talk(stays, `meanwhile ${round}.${i} 그동안`);
          await talk(leaves, `waiting ${round}.${i}`);
        }
        if (round === 1) await shoot(leaves, `offline-${client}`);
        await leaves.context().setOffline(false);
        await hears(stays, `waiting ${round}.3`);
        await hears(leaves, `meanwhile ${round}.3 그동안`);
        await leaves.waitForSelector("#banner", { state: "hidden" });
      }
      await talk(leaves, "after");
      await Promise.all([hears(stays, "after"), hears(leaves, "after")]);
      for (const page of [stays, leaves]) {
        const got = (await lines(page)).slice(old.length);
        assert.deepEqual([...got].sort(), [...said].sort());
        for (const who of ["meanwhile", "waiting"]) {
          const one = (text) => text.startsWith(who);
          assert.deepEqual(got.filter(one), said.filter(one), "in order");
        }
        assert.equal(await page.locator(".line.pending, .line.failed").count(), 0);
      }
    });

    // Over WebSocket, where both sides notice each loss. A GET that is cut may be repeated by the
    // browser itself, without a word to the page: what its answer held is gone with either server.
    test("a line whose acknowledgement is lost is said once", async () => {
      const a = await enter("lossy", "/?transports=websocket"),
        b = await enter("hearer", "/?transports=websocket");
      for (let i = 0; i < 8; i++) {
        await say(a, `cut ${i}`);
        await sleep(i);
        proxy.cut();
      }
      await Promise.all([hears(a, "cut 7"), hears(b, "cut 7")]);
      await until(async () => (await a.locator(".line.pending").count()) === 0);
      for (const page of [a, b])
        assert.deepEqual(
          (await lines(page)).filter((text) => text.startsWith("cut")),
          [...Array(8).keys()].map((i) => `cut ${i}`),
        );
    });

    test("Enter that ends a Korean composition does not send", async () => {
      const page = await enter("한글"),
        keyboard = await page.context().newCDPSession(page);
      const text = () => page.inputValue("#text");
      const count = (await lines(page)).length;
      await page.focus("#text");
      const compose = (s) =>
        keyboard.send("Input.imeSetComposition", {
          text: s,
          selectionStart: s.length,
          selectionEnd: s.length,
        });
      const enterKey = { key: "Enter", code: "Enter" };
      for (const s of ["ㅎ", "하", "한"]) await compose(s);
      await keyboard.send("Input.insertText", { text: "한" });
      for (const s of ["ㄱ", "그", "글"]) await compose(s);
      assert.equal(await text(), "한글");
      await page.evaluate(() =>
        addEventListener("keydown", (e) => {
          window.lastKey = [e.key, e.isComposing, e.keyCode];
        }),
      );
      // The key that the input method takes for itself: 229, within the composition.
      await keyboard.send("Input.dispatchKeyEvent", {
        type: "rawKeyDown",
        windowsVirtualKeyCode: 229,
        ...enterKey,
      });
      await keyboard.send("Input.insertText", { text: "글" });
      await keyboard.send("Input.dispatchKeyEvent", {
        type: "keyUp",
        windowsVirtualKeyCode: 13,
        ...enterKey,
      });
      assert.deepEqual(await page.evaluate(() => window.lastKey), ["Enter", true, 229]);
      await sleep(200);
      assert.deepEqual([await text(), (await lines(page)).length], ["한글", count]);
      await page.press("#text", "Enter");
      await hears(page, "한글");
      await sleep(200);
      assert.deepEqual([await text(), (await lines(page)).length], ["", count + 1]);
    });

    test("Shift and Enter is a new line, and Send sends", async () => {
      const page = await enter("multi");
      await page.fill("#text", "first");
      await page.press("#text", "Shift+Enter");
      await page.locator("#text").pressSequentially("second");
      await page.click("#send");
      await hears(page, "first\nsecond");
    });

    test("rooms, private lines, a name that is taken, a reload", async () => {
      const a = await enter("anna"),
        b = await enter("보라"),
        c = await enter("carl");
      const thief = await open();
      await thief.fill("#nick", "anna");
      await thief.click("#enter");
      await until(async () => (await thief.textContent("#refusal")).length > 0);
      for (const page of [a, b]) {
        await page.fill("#room-name", "kitchen");
        await page.press("#room-name", "Enter");
        await page.waitForFunction(() =>
          /kitchen/.test(document.querySelector("#room").textContent),
        );
        await entered(page);
      }
      await say(a, "in the kitchen");
      await hears(b, "in the kitchen");
      await say(a, "/w 보라 비밀");
      await hears(b, "비밀");
      await until(async () => /kitchen/.test(await c.textContent("#rooms")));
      assert.ok(!(await lines(c)).some((text) => /kitchen|비밀/.test(text)));
      await b.reload();
      await hears(b, "in the kitchen");
      await hears(b, "비밀");
      assert.equal((await lines(b)).filter((text) => text === "비밀").length, 1);
      await say(b, "back");
      await hears(a, "back");
      await shoot(b, `room-${client}`);
    });

    test("on a small screen", async () => {
      const page = await enter("small", "", {
        viewport: { width: 360, height: 640 },
        colorScheme: "dark",
      });
      await say(page, "좁은 화면에서도 잘 보이는 긴 줄 ".repeat(5).trim());
      await sleep(100);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.ok(!wide, "nothing to scroll sideways");
      await shoot(page, `small-${client}`);
    });

    test("the server restarts", async () => {
      const page = await enter("loyal");
      await server.stop();
      await page.waitForSelector("#banner:not([hidden])");
      await say(page, "said to nobody yet");
      server = await start(`${build}/chat`, ["--port", 0, "--client", file]);
      proxy.to = server.port;
      await hears(page, "said to nobody yet");
      await page.waitForSelector("#banner", { state: "hidden" });
      await until(async () => (await page.locator(".line.pending").count()) === 0);
      assert.equal((await lines(page)).filter((text) => text === "said to nobody yet").length, 1);
    });
  });
}

describe("the tutorial's page", () => {
  before(async () => {
    server = await start(`${build}/tutorial_chat`, [0]);
    proxy = await wire(server.port);
  });
  after(async () => {
    proxy.close();
    await server.stop("SIGTERM");
  });

  test("two tabs chat", async () => {
    const a = await open(server.url),
      b = await open(server.url);
    await until(() => server.out.split("a user connected").length === 3);
    for (const [page, text] of [
      [a, "hello"],
      [b, "안녕 👋"],
    ]) {
      await page.fill("#input", text);
      await page.press("#input", "Enter");
      for (const other of [a, b]) await other.waitForSelector(`#messages li:text-is("${text}")`);
    }
    assert.deepEqual(await b.$$eval("#messages li", (list) => list.map((li) => li.textContent)), [
      "hello",
      "안녕 👋",
    ]);
    await shoot(b, "tutorial");
  });
});
