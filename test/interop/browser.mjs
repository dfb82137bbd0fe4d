// browser.mjs - the chat room's page, and that of the tutorial, in a browser
// SPDX-License-Identifier: MIT
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import { chromium } from "playwright-core";
import {
  ask,
  browserOptions,
  build,
  next,
  PATIENCE,
  patient,
  require,
  sleep,
  start,
  until,
  wire,
} from "./lib.mjs";

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
const isAtEnd = (page) =>
  page.waitForFunction(() => {
    const { scrollHeight, scrollTop, clientHeight } = $("log");
    return scrollHeight - scrollTop - clientHeight < 2;
  });
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
      await until(async () => (await alice.locator(".line.pending").count()) === 0);
      await until(async () => (await alice.locator("#people li").count()) === 2);
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
        const list = await page.$$eval("#packets > li > button", (all) =>
          all.map((button) => button.children[1].className),
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
        const open = page.locator(".line.pending, .line.failed");
        await until(async () => (await open.count()) === 0, "all lines to be acknowledged");
      }
    });

    test("the browser's word that it is offline is enough, and that it is online again", async () => {
      const page = await enter("mobile");
      await until(async () => (await transportOf(page)) === "websocket");
      const others = await enter("landline");
      const never = { reconnectionDelay: 1e9, reconnectionDelayMax: 1e9 };
      if (client === "sio.js") // the official one waits for its next attempt
        await page.evaluate((delays) => Object.assign(socket.io.opts, delays), never);
      await page.evaluate(() => socket.on("disconnect", (why) => (window.why = why)));
      await page.context().setOffline(true); // the wire is whole
      await page.waitForFunction(() => window.why);
      assert.equal(await page.evaluate(() => window.why), "transport close");
      assert.equal(await page.textContent("#state"), "connecting");
      await say(others, "for who was offline");
      await page.context().setOffline(false);
      await hears(page, "for who was offline");
      await page.waitForSelector("#banner", { state: "hidden" });
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
      assert.equal(await text(), "한글");
      await page.press("#text", "Enter");
      await hears(page, "한글");
      assert.equal(await text(), "");
      await say(page, "behind it");
      await hears(page, "behind it");
      assert.deepEqual((await lines(page)).slice(count), ["한글", "behind it"]);
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
      const long = "좁은 화면에서도 잘 보이는 긴 줄 ".repeat(5).trim();
      await say(page, long);
      await hears(page, long);
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

/* A client without a page, that says as much as it likes. */
async function guest(name, room = "lobby") {
  const { io } = require("socket.io-client");
  const socket = io(server.url, { forceNew: true, transports: ["websocket"] });
  await next(socket, "connect");
  assert.deepEqual(await ask(socket, "join", { name, key: name, room: `#${room}`, since: 0 }), [""]);
  let n = 0;
  socket.say = (text, to = `#${room}`) => ask(socket, "line", { to, id: `${name}${n++}`, text });
  guests.push(socket);
  return socket;
}
let guests = [];

/* By WCAG 2.2: what is seen of each text and its background, with the ratio of their luminances.
 * A colour is what the browser paints, so that each notation counts. */
function contrasts() {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const paint = (...colours) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const colour of colours) {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
  };
  const luminance = (rgb) =>
    rgb
      .map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
      .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ancestors = (e) => (e ? [e, ...ancestors(e.parentElement)] : []);
  const rows = [];
  const row = (e, colour, what) => {
    const chain = ancestors(e);
    if (chain.some((a) => getComputedStyle(a).opacity !== "1")) rows.push([`opacity: ${what}`, 0]);
    const behind = chain.map((a) => getComputedStyle(a).backgroundColor).reverse();
    const [y, z] = [paint("#fff", ...behind, colour), paint("#fff", ...behind)]
      .map(luminance)
      .sort((a, b) => b - a);
    rows.push([`${what}: ${colour} on ${behind.at(-1)}`, (y + 0.05) / (z + 0.05)]);
  };
  const name = (e) => `${e.parentElement.className || e.parentElement.id} ${e.tagName}#${e.id}`;
  for (const e of document.body.querySelectorAll("*")) {
    if (!e.checkVisibility() || /^(SCRIPT|STYLE|NOSCRIPT)$/.test(e.tagName)) continue;
    if (e.placeholder) row(e, getComputedStyle(e, "::placeholder").color, `${name(e)} placeholder`);
    if (![...e.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    row(e, getComputedStyle(e).color, name(e));
    if (!e.style.getPropertyValue("--hue")) continue;
    const { hue, light } = colour(e.textContent);
    for (const c of COLOURS) {
      e.style.setProperty("--hue", c.hue);
      e.style.setProperty("--light", c.light);
      row(e, getComputedStyle(e).color, `${name(e)}, hue ${c.hue}`);
    }
    e.style.setProperty("--hue", hue);
    e.style.setProperty("--light", light);
  }
  return rows;
}

describe("the chat's page", () => {
  before(async () => {
    server = await start(`${build}/chat`, ["--port", 0]);
    proxy = await wire(server.port);
  });
  afterEach(() => {
    guests.forEach((socket) => socket.disconnect());
    guests = [];
  });
  after(async () => {
    proxy.close();
    await server.stop();
  });
  const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };

  for (const [screen, options] of Object.entries({ desktop: {}, phone }))
    test(`the button that tells of new lines is above them, on a ${screen}`, async () => {
      const talker = await guest(`talker-${screen}`, screen);
      for (let i = 0; i < 40; i++) await talker.say(`old ${i}${" and long".repeat(40)}`);
      const page = await enter(`reader-${screen}`, `/#${screen}`, options);
      await hears(page, `old 39${" and long".repeat(40)}`);
      await page.evaluate(() => $("log").scrollTo(0, 100));
      await page.waitForSelector("#more:not([hidden])");
      await talker.say("new");
      await page.waitForFunction(() => $("more").textContent === "↓ 1 new");
      const above = await page.evaluate(() => {
        const { left, right, top, bottom } = $("more").getBoundingClientRect();
        return [0.1, 0.5, 0.9].flatMap((x) =>
          [0.1, 0.5, 0.9].map((y) => {
            const at = [left + x * (right - left), top + y * (bottom - top)];
            return document.elementFromPoint(...at).id;
          }),
        );
      });
      assert.deepEqual(above, Array(9).fill("more"));
      await shoot(page, `new-${screen}`);
      await page.click("#more");
      await page.waitForSelector("#more", { state: "hidden" });
      await isAtEnd(page);
    });

  test("600 lines at once are laid out once a frame", async () => {
    const talker = await guest("historian", "history");
    for (let i = 0; i < 600; i++) await talker.say(`line ${i}`);
    const page = await open(`${proxy.url}/#history`);
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Performance.enable");
    const layouts = async () => {
      const { metrics } = await devtools.send("Performance.getMetrics");
      return metrics.find(({ name }) => name === "LayoutCount").value;
    };
    await page.fill("#nick", "late");
    await page.evaluate(() => {
      window.frameCount = 0;
      const count = () => {
        window.frameCount++;
        requestAnimationFrame(count);
      };
      count();
    });
    const earlier = await layouts();
    await page.click("#enter");
    await page.waitForFunction(() => $("log").textContent.includes("line 599"));
    await page.waitForFunction(() => $("log").scrollTop > 0 && $("more").hidden);
    const n = (await layouts()) - earlier,
      frames = await page.evaluate(() => window.frameCount);
    assert.ok(n <= 4 * frames + 20, `${n} layouts in ${frames} frames`);
    const drawn = (await lines(page)).length;
    assert.ok(drawn >= 100 && drawn < 600, `${drawn} lines are drawn`);
    await until(async () => { // and the others when the reader comes there
      await page.evaluate(() => $("log").scrollTo(0, 0));
      return (await lines(page)).length === 600;
    });
    assert.deepEqual(await lines(page), Array.from({ length: 600 }, (_, i) => `line ${i}`));
  });

  test("who reads at the end stays there while lines come, and who scrolled up keeps the place", async () => {
    const talker = await guest("stream", "river");
    const page = await enter("angler", "/#river");
    for (let i = 0; i < 520; i++) await talker.say(`drop ${i}`);
    await hears(page, "drop 519");
    await isAtEnd(page);
    assert.ok(await page.evaluate(() => $("more").hidden));
    await page.evaluate(() => $("log").scrollBy(0, -2000));
    await page.waitForSelector("#more:not([hidden])");
    const first = () =>
      page.evaluate(() => {
        const { left, top } = $("log").getBoundingClientRect();
        const inView = [...$("log").children].find((e) => e.getBoundingClientRect().top >= top);
        return left >= 0 && inView.querySelector("p").textContent;
      });
    const place = await first();
    for (let i = 0; i < 10; i++) await talker.say(`later ${i}`);
    await page.waitForFunction(() => $("more").textContent === "↓ 10 new");
    assert.equal(await first(), place);
  });

  test("a page that is not seen counts new lines in its title", async () => {
    const talker = await guest("caller", "hall"),
      page = await enter("asleep", "/#hall");
    await page.evaluate(() => {
      Object.defineProperty(document, "hidden", { configurable: true, value: true });
      window.requestAnimationFrame = () => 1; // as a browser does then: none comes
    });
    await talker.say("one");
    await talker.say("two");
    await hears(page, "two");
    assert.equal(await page.title(), "(2) #hall – Chat");
  });

  test("a private line that was refused stays where it was said", async () => {
    const talker = await guest("polite"),
      page = await enter("hasty");
    await say(page, "/w nobody psst");
    await page.waitForSelector(".line.failed");
    assert.match(await page.textContent(".line.failed"), /Nobody of that name/);
    await talker.say("afterwards");
    await hears(page, "afterwards");
    await say(page, "me too");
    await page.waitForFunction(() => !document.querySelector(".line.pending"));
    assert.deepEqual((await lines(page)).slice(-3), ["psst", "afterwards", "me too"]);
  });

  test("links end before what does not belong to them", async () => {
    const page = await enter("linker");
    for (const [text, ...links] of [
      ["See https://example.org/a.", "https://example.org/a"],
      ["(https://example.org/b)", "https://example.org/b"],
      ["(see https://example.org/b(1), too).", "https://example.org/b(1)"],
      ["https://example.org/wiki/A_(b)", "https://example.org/wiki/A_(b)"],
      ["https://example.org/c?d=1&e=(f)#g)!?", "https://example.org/c?d=1&e=(f)#g"],
      ["https://a.example, https://b.example/…", "https://a.example", "https://b.example/"],
      ["[http://[::1]:80/x]", "http://[::1]:80/x"],
      ["「https://example.org/가나」。", "https://example.org/가나"],
      ["https:// https://. nothing"],
    ]) {
      await say(page, text);
      await hears(page, text); // all of it is still there
      const found = await page.$$eval("#log .line:last-child a", (list) =>
        list.map((a) => a.textContent),
      );
      assert.deepEqual(found, links, text);
    }
  });

  test("names that look the same are not taken for two people", async () => {
    await guest("Echo");
    const thief = await open();
    for (const name of ["echo", "ECHO", "Ec\u200bho", "\u202eEcho", "E\u00adcho", "Echo\ufe0f"]) {
      await thief.evaluate(() => ($("refusal").textContent = ""));
      await thief.fill("#nick", name);
      await thief.click("#enter");
      await thief.waitForFunction(() => /Somebody else/.test($("refusal").textContent));
    }
    const page = await enter("Zoe\u0308"); // its two letters are one in normal form C
    assert.equal(await page.evaluate(() => me), "Zo\u00eb");
  });

  test("the people of a room differ in colour as far as they can", async () => {
    const room = "colours";
    for (const n of [1, 2, 3, 4, 5, 6, 7]) await guest(`user${n}`, room);
    const page = await enter("user8", `/#${room}`);
    await page.waitForFunction(() => document.querySelectorAll("#people bdi").length === 8);
    const tags = await page.$$eval("#people bdi", (list) =>
      list.map((e) => ["--hue", "--light"].map((p) => +e.style.getPropertyValue(p))),
    );
    for (const [i, [hue, light]] of tags.entries())
      for (const [otherHue, otherLight] of tags.slice(0, i)) {
        const far = Math.hypot(light - otherLight, 2 * Math.sin(((hue - otherHue) * Math.PI) / 360));
        assert.ok(far > 0.9, `${JSON.stringify(tags)}: opposite hues are 2 apart, the tones 1`);
      }
  });

  for (const colorScheme of ["light", "dark"])
    test(`all text can be read, ${colorScheme}`, async () => {
      const room = `read-${colorScheme}`,
        talker = await guest(`talker-${colorScheme}`, room);
      const page = await enter(`reads-${colorScheme}`, `/#${room}`, { colorScheme });
      const check = async (state) => {
        await page.waitForFunction(() => new Promise(requestAnimationFrame));
        const rows = await page.evaluate(contrasts);
        assert.ok(rows.length > 5, state);
        const bad = rows.filter(([, ratio]) => ratio < 4.5);
        assert.deepEqual(bad, [], state);
      };
      await talker.say("https://example.org/ from another");
      await talker.say("in private", `@reads-${colorScheme}`);
      await say(page, "mine");
      await say(page, "/w nobody refused");
      await page.waitForSelector(".line.failed");
      await say(page, `/w talker-${colorScheme} a secret`);
      await page.waitForFunction(() => document.querySelectorAll(".line.private").length === 3);
      await page.click("#wire summary");
      for (const e of await page.$$("#people button, #rooms a")) {
        await e.hover();
        await check("a name that is pointed at");
      }
      for (let i = 0; i < 40; i++) await talker.say(`more ${i}`);
      await hears(page, "more 39");
      await page.evaluate(() => $("log").scrollTo(0, 0));
      await page.waitForSelector("#more:not([hidden])");
      talker.emit("typing", `#${room}`);
      await page.waitForFunction(() => $("typing").textContent);
      await check("the room");
      proxy.down = true;
      proxy.cut();
      await page.waitForSelector("#banner:not([hidden])");
      await say(page, "waits");
      await page.waitForSelector(".line.pending");
      await check("without a connection");
      await page.evaluate(() => askName("A refusal."));
      await check("the question for a name");
      await page.close();
    });

  test("without JavaScript the page says so", async () => {
    const page = await open(proxy.url, { javaScriptEnabled: false });
    assert.match(await page.innerText("body"), /The chat needs JavaScript/);
    assert.ok(!(await page.isVisible("#composer")));
    const other = await open();
    assert.doesNotMatch(await other.innerText("body"), /needs JavaScript/);
  });

  test("a tap beside the drawer closes it, and does nothing else", async () => {
    const page = await enter("tapper", "", phone);
    const isOpen = () => page.isVisible("#people");
    await page.fill("#text", "not to be sent");
    assert.ok(!(await isOpen()));
    await page.tap("#menu");
    assert.ok(await isOpen());
    await shoot(page, "drawer");
    await page.tap("aside h2"); // within
    assert.ok(await isOpen());
    await page.tap("#send");
    assert.ok(!(await isOpen()));
    assert.equal(await page.getAttribute("#menu", "aria-expanded"), "false");
    assert.equal(await page.inputValue("#text"), "not to be sent");
    await page.tap("#menu");
    await page.tap("#menu");
    assert.ok(!(await isOpen()));
    await page.tap("#send");
    await hears(page, "not to be sent");
  });
});

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
