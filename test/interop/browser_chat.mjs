// browser_chat.mjs - the chat room's page as people use it: in their language, with pictures, by the
// keyboard, on phones and in the dark, where networks fail; and its panel, which shows the wire
// SPDX-License-Identifier: MIT
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import fs from "node:fs";
import { chromium } from "playwright-core";
import { ask, browserOptions, build, next, PATIENCE, patient, require, start, until, wire } from "./lib.mjs";

const { io } = require("socket.io-client");
const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const shots = `${build}/screenshots`;
const clients = {
  "sio.js": "sio.js",
  "official client": "test/interop/node_modules/socket.io-client/dist/socket.io.js",
};
const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
const wide = { viewport: { width: 1366, height: 800 } };
const test = patient(plainTest);
let browser,
  server,
  proxy,
  contexts = [],
  guests = [],
  trouble = [];

before(async () => {
  fs.mkdirSync(shots, { recursive: true });
  browser = await chromium.launch(browserOptions);
});
after(() => browser.close());
afterEach(async () => {
  await Promise.all(contexts.map((context) => context.close()));
  for (const guest of guests) guest.disconnect();
  [contexts, guests] = [[], []];
  Object.assign(proxy, { down: false, frozen: false });
  assert.deepEqual(trouble.splice(0), [], "errors on the page");
});

/* A browser that knows nobody. */
async function context(options = {}) {
  const made = await browser.newContext({ locale: "en-US", ...wide, ...options });
  contexts.push(made);
  return made;
}

async function open(path = "/", options = {}) {
  const where = options.newPage ? options : await context(options);
  const page = await where.newPage();
  page.setDefaultTimeout(PATIENCE);
  page.on("pageerror", (error) => trouble.push(String(error)));
  await page.goto(proxy.url + path);
  return page;
}

async function comeIn(page, name) {
  await page.fill("#nick", name);
  await page.click("#enter");
  await page.waitForFunction(() => ready && document.querySelector("#people li"));
  return page;
}
const enter = async (name, path, options) => comeIn(await open(path, options), name);

const say = async (page, text) => {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
};
const lines = (page) => page.$$eval("#log .line p", (list) => list.map((p) => p.textContent));
const hears = (page, text) => until(async () => (await lines(page)).includes(text), `the line ${text}`);
const notes = (page) => page.$$eval("#log .note", (list) => list.map((e) => e.textContent).join("\n"));
const shoot = (page, name) => page.screenshot({ path: `${shots}/${name}.png` });
const rowWith = (page, text) => page.locator("#packets > li > button", { hasText: text });

/* A client without a page, that says as much as it likes. */
async function guest(name, room = "lobby") {
  const socket = io(server.url, { forceNew: true, transports: ["websocket"] });
  guests.push(socket);
  await next(socket, "connect");
  assert.deepEqual(await ask(socket, "join", { name, key: name, room: `#${room}`, since: 0 }), [""]);
  let n = 0;
  socket.say = async (text, to = `#${room}`, more = {}) =>
    assert.deepEqual(await ask(socket, "line", { to, id: `${socket.id}${n++}`, text, ...more }), [""]);
  return socket;
}

/* Pastes a picture that the page draws: noise, which is as large as it can be, or one colour. */
const paste = (page, side, { noise = false, type = "image/png", text } = {}) =>
  page.evaluate(
    async ({ side, noise, type, text }) => {
      const canvas = new OffscreenCanvas(side, side), ink = canvas.getContext("2d");
      const data = ink.createImageData(side, side);
      for (let i = 0; i < data.data.length; i++) data.data[i] = i % 4 === 3 ? 255 : noise ? Math.random() * 256 : 120;
      ink.putImageData(data, 0, 0);
      const blob = text ? new Blob([text], { type }) : await canvas.convertToBlob({ type });
      const transfer = new DataTransfer();
      transfer.items.add(new File([blob], "it", { type }));
      $("text").dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true, cancelable: true }));
      return blob.size;
    },
    { side, noise, type, text },
  );

async function inspect(page, state) {
  await page.waitForFunction(() => new Promise(requestAnimationFrame));
  if (!(await page.evaluate(() => Boolean(globalThis.axe)))) await page.evaluate(axe);
  const found = await page.evaluate(async () => (await globalThis.axe.run()).violations);
  const words = found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
  assert.deepEqual(words, [], state);
}

for (const [client, file] of Object.entries(clients)) {
  describe(`with ${client}`, () => {
    before(async () => {
      server = await start(`${build}/chat`, ["--port", 0, "--client", file, "--key", "right"]);
      proxy = await wire(server.port);
    });
    after(async () => {
      proxy.close();
      await server.stop();
    });

    test("the first screen says what this is, with numbers that live", async () => {
      const page = await open();
      const lead = page.locator("#login [data-lead]");
      await until(async () => /C: one program of \d+\skB, no dependencies.*second window/.test(await lead.textContent()));
      const count = () => page.$$eval("#login .numbers b", (list) => +list[0].textContent);
      const before = await until(count);
      await guest("counted");
      await until(async () => (await count()) > before, "one more client");
      await page.waitForFunction(() => /^\d+ ms$/.test($("ping").textContent));
      await comeIn(page, "first");
      assert.ok(await page.isVisible("#invite #second"));
      const [second] = await Promise.all([page.waitForEvent("popup"), page.click("#second")]);
      await second.waitForSelector("#nick");
      await say(page, "not quiet any more");
      await hears(page, "not quiet any more");
      assert.ok(!(await page.isVisible("#invite")));
    });

    test("a picture goes as a binary event", async () => {
      const a = await enter("painter", "/#gallery"),
        b = await enter("viewer", "/#gallery");
      await paste(a, 120);
      await a.waitForSelector("#preview img");
      assert.match(await a.textContent("#preview span"), /^\d+ kB$/);
      await shoot(a, `preview-${client}`);
      await a.click("#unpick");
      assert.ok(!(await a.isVisible("#preview")));
      await paste(a, 120);
      await a.waitForSelector("#preview img");
      await say(a, "look");
      const width = (page, n) =>
        page.waitForFunction((count) => {
          const all = [...document.querySelectorAll("#log .line:not(.pending) img")];
          return all.length === count && all.at(-1).naturalWidth;
        }, n).then((handle) => handle.jsonValue());
      assert.deepEqual([await width(a, 1), await width(b, 1)], [120, 120]);
      assert.equal(await b.getAttribute("#log .line img", "alt"), "Picture from painter");
      const size = await paste(a, 900, { noise: true });
      assert.ok(size > 700000);
      await a.waitForSelector("#preview img");
      assert.match(await a.textContent("#preview span"), /made smaller from/);
      await a.click("#send");
      assert.ok((await width(b, 2)) > 300);
      for (const page of [a, b]) {
        await rowWith(page, "BINARY_EVENT \"line\"").first().waitFor();
        assert.match(await page.textContent("#packets"), /451-\d*\["line".*_placeholder/);
        assert.match(await page.textContent("#packets"), /attachment, [\d,]+ bytes/);
      }
      await shoot(b, `picture-${client}`);
      await b.reload();
      await b.waitForFunction(() => ready);
      assert.ok((await width(b, 2)) > 300, "it is in the history");
    });

    test("what is no picture is not sent", async () => {
      const page = await enter("trickster", "/#tricks");
      await paste(page, 1, { text: "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script>", type: "image/x" });
      await until(async () => /no picture/.test(await notes(page)));
      assert.ok(!(await page.isVisible("#preview")));
      const other = await guest("sender", "tricks");
      await other.say("odd", "#tricks", { image: Buffer.from("<svg xmlns='http://www.w3.org/2000/svg' onload='window.bad=1'/>") });
      await hears(page, "odd");
      assert.equal(await page.evaluate(() => window.bad), undefined);
      assert.equal(await page.evaluate(async () => (await fetch(document.querySelector("#log img").src)).headers.get("content-type")), "image/jpeg");
    });

    test("what takes longer than a second shows how far it is", async () => {
      const a = await enter("patient", "/?transports=websocket#slow"),
        b = await guest("waits", "slow");
      await paste(a, 440, { noise: true });
      await a.waitForSelector("#preview img");
      server.child.kill("SIGSTOP");
      try {
        await a.click("#send");
        await a.waitForSelector(".line.pending progress");
        await shoot(a, `progress-${client}`);
      } finally {
        server.child.kill("SIGCONT");
      }
      await a.waitForSelector(".line:not(.pending) img");
      assert.equal(await a.locator("progress").count(), 0);
      assert.ok(b.connected);
    });

    test("the panel keeps how the connection began, however busy the room is", async () => {
      const page = await enter("watcher", "/#busy"),
        other = await guest("busy", "busy");
      await page.waitForFunction(() => $("transport").textContent === "websocket");
      for (let i = 0; i < 300; i++) await other.say(`busy ${i}`);
      await hears(page, "busy 299");
      await page.waitForSelector("#packets .left-out");
      const text = await page.textContent("#packets");
      assert.match(text, /open.*CONNECT in \/.*probe.*upgrade.*packets later.*"line"/s);
      assert.ok((await page.locator("#packets > li").count()) < 215);
      await shoot(page, `busy-${client}`);
    });

    test("a packet shows its layers, and which bytes are whose", async () => {
      const page = await enter("reader", "/#layers");
      await page.waitForFunction(() => $("transport").textContent === "websocket");
      await say(page, "hi");
      await page.waitForSelector(".line:not(.pending)");
      await rowWith(page, 'EVENT "line" in /, wants ack').last().click();
      const layer = (i) => page.locator(`.layers .l${i}.layer`);
      assert.match(await layer(0).textContent(), /TCP.*\d+ bytes of a stream/s);
      assert.match(await layer(1).textContent(), /WebSocket.*text, \d+ bytes.*masks/s);
      assert.match(await layer(2).textContent(), /Engine\.IO.*4 = message/s);
      assert.match(await layer(3).textContent(), /Socket\.IO.*EVENT "line".*2\d+\["line",\{"to":"#layers"/s);
      const bytes = await page.$$eval(".bytes i", (list) => list.map((e) => [e.className, e.firstChild.data]));
      const of = (name) => bytes.filter(([layer]) => layer === name).map(([, byte]) => byte);
      assert.deepEqual(of("l1").slice(0, 1), ["81"]);
      assert.deepEqual(of("l1").slice(-4), ["??", "??", "??", "??"]);
      assert.deepEqual(of("l2"), ["34"]);
      assert.equal(of("l3")[0], "32");
      const n = of("l1")[1] === "fe" ? parseInt(of("l1").slice(2, 4).join(""), 16) : parseInt(of("l1")[1], 16) - 128;
      assert.equal(n, of("l2").length + of("l3").length, "the frame's length is that of what is in it");
      await layer(2).hover();
      assert.equal(await page.getAttribute(".layers", "data-on"), "2");
      const background = (name) => page.$eval(`.bytes .${name}`, (e) => getComputedStyle(e).backgroundColor);
      assert.notEqual(await background("l2"), await background("l1"));
      await page.locator(".bytes .l1").first().hover();
      assert.equal(await page.getAttribute(".layers", "data-on"), "1");
      await page.locator(".bytes").scrollIntoViewIfNeeded();
      await layer(3).hover();
      await shoot(page, `layers-${client}`);
      await rowWith(page, "open").first().click();
      assert.match(await page.locator(".layers .l1.layer").first().textContent(), /HTTP.*answer to a GET/s);
      await rowWith(page, 'EVENT "line" in /, wants ack').last().click();
      assert.equal(await page.locator(".layers").count(), 1);
    });

    test("what is secret is not shown", async () => {
      const page = await enter("careful", "/#secret");
      await page.waitForFunction(() => $("transport").textContent === "websocket" && $("packets").textContent.includes('"join"'));
      await page.$$eval("#packets > li > button", (list) => list.forEach((button) => button.click()));
      const text = await page.innerText("#wire"),
        secrets = await page.evaluate(() => [localStorage.owner, socket.io.engine.id, socket.id]);
      assert.match(text, /"key":"\*+"/);
      assert.match(text, /"sid":"\*+"/);
      for (const secret of secrets) assert.ok(secret.length > 8 && !text.includes(secret));
      const dump = await page.$$eval(".bytes", (list) => list.map((e) => [...e.children].map((i) => i.firstChild.data).join("")).join(" "));
      for (const secret of secrets) assert.ok(!dump.includes(Buffer.from(secret).toString("hex")));
    });

    test("ms is the round trip alone, and stays fresh", async () => {
      const page = await enter("timer", "/#time");
      await page.evaluate(() => { const say = socket.emit; window.asked = []; socket.onAnyOutgoing((name) => window.asked.push(name)); return say && 0; });
      const value = () => page.evaluate(() => { const old = $("ping").textContent; $("ping").textContent = ""; return old; });
      assert.match(await value(), /^\d+ ms$/);
      await say(page, "a line is no measurement");
      await hears(page, "a line is no measurement");
      await page.waitForFunction(() => $("ping").textContent);
      assert.ok((await page.evaluate(() => window.asked)).includes("numbers"));
      assert.equal(await rowWith(page, '"numbers"').count(), 0, "measuring is not what the panel is for");
    });

    test("unread lines are counted for each room, and drafts are kept", async () => {
      const page = await enter("roomy", "/#one"),
        talker = await guest("talker", "one");
      await ask(talker, "join", { name: "talker", key: "talker", room: "#two", since: 0 });
      await page.fill("#text", "half a thought");
      await page.fill("#room-name", "two");
      await page.press("#room-name", "Enter");
      await page.waitForFunction(() => room.name === "two" && room.joined);
      assert.equal(await page.inputValue("#text"), "");
      await page.fill("#text", "another");
      for (let i = 0; i < 3; i++) await talker.say(`to one ${i}`, "#one");
      await page.waitForFunction(() => document.querySelector("#rooms .badge")?.textContent === "3");
      assert.equal(await page.title(), "(3) #two – Chat");
      await shoot(page, `unread-${client}`);
      await page.click('#rooms a[href="#one"]');
      await hears(page, "to one 2");
      assert.equal(await page.inputValue("#text"), "half a thought");
      await page.waitForFunction(() => !document.querySelector("#rooms .badge"));
      await page.reload();
      await page.waitForFunction(() => ready);
      assert.equal(await page.inputValue("#text"), "half a thought");
      await talker.say("while away", "#two");
      await page.waitForFunction(() => rooms.get("two").unread === 1, null, { timeout: PATIENCE });
      await page.click('#rooms a[href="#two"]');
      assert.equal(await page.inputValue("#text"), "another");
      await say(page, "/leave");
      await page.waitForFunction(() => room.name === "lobby" && !mine.has("two"));
    });

    test("two tabs of one person", async () => {
      const both = await context(),
        one = await comeIn(await open("/#tabs", both), "twin"),
        two = await comeIn(await open("/#tabs", both), "twin"),
        other = await enter("other", "/#tabs");
      assert.deepEqual(await other.$$eval("#people bdi", (list) => list.map((e) => e.textContent)), ["other", "twin"]);
      await say(one, "from one");
      await hears(two, "from one");
      assert.equal(await two.locator(".line.mine").count(), 1);
      await say(other, "/w twin psst");
      await Promise.all([hears(one, "psst"), hears(two, "psst")]);
      await one.close();
      await say(two, "still here");
      await hears(other, "still here");
      assert.doesNotMatch(await notes(other), /twin left/);
      await two.close();
      await until(async () => /twin left/.test(await notes(other)), "a note");
    });

    test("who loads the page again was never away", async () => {
      const page = await enter("steady", "/#again"),
        other = await enter("observer", "/#again");
      await other.evaluate(() => {
        window.shown = "";
        new MutationObserver(() => (window.shown += $("log").textContent)).observe($("log"), { childList: true, subtree: true });
      });
      await page.reload();
      await page.waitForFunction(() => ready);
      await say(page, "back");
      await hears(other, "back");
      await other.waitForFunction(() => [...rooms.values()].every((r) => r.leaving.size === 0));
      assert.doesNotMatch(await other.evaluate(() => window.shown), /steady left/, "not even for a moment");
      const late = await enter("late", "/#again");
      await hears(late, "back");
      assert.match(await notes(late), /steady came in/);
      assert.doesNotMatch(await notes(late), /left/);
    });

    test("who asked for it is told of lines while looking elsewhere", async () => {
      const asks = await context();
      await asks.grantPermissions(["notifications"], { origin: proxy.url });
      await asks.addInitScript(() => {
        window.told = [];
        class Told { constructor(...args) { window.told.push(args); } }
        Object.assign(Told, { permission: "default", requestPermission: async () => (Told.permission = "granted") });
        window.Notification = Told;
      });
      const page = await comeIn(await open("/#news", asks), "asker"),
        talker = await guest("herald", "news");
      await page.evaluate(() => Object.defineProperty(document, "hidden", { configurable: true, value: true }));
      await talker.say("before it was asked for");
      await hears(page, "before it was asked for");
      assert.deepEqual(await page.evaluate(() => window.told), []);
      await page.click("#bell");
      await page.waitForSelector("#bell[aria-pressed=true]");
      await talker.say("afterwards");
      await page.waitForFunction(() => window.told.length === 1);
      const [[title, { body }]] = await page.evaluate(() => window.told);
      assert.deepEqual([title, body], ["herald · #news", "afterwards"]);
    });

    test("a network that swallows everything is left, and nothing is lost or doubled", async () => {
      const page = await enter("sleeper", "/#sleep"),
        other = await guest("awake", "sleep");
      await say(page, "before");
      await hears(page, "before");
      await page.evaluate(() => socket.on("disconnect", (reason) => (window.why ??= reason)));
      proxy.frozen = true;
      await say(page, "said in my sleep");
      await other.say("meanwhile");
      await page.evaluate(() => measure(true)); // as it does when it wakes up
      await page.waitForFunction(() => /There is no connection right now/.test($("banner").textContent));
      assert.equal(await page.evaluate(() => window.why), "io client disconnect", "before the heartbeat is missed");
      await shoot(page, `lost-${client}`);
      proxy.cut();
      proxy.frozen = false;
      await page.waitForFunction(() => ready);
      await Promise.all([hears(page, "meanwhile"), hears(page, "said in my sleep")]);
      await page.waitForFunction(() => !document.querySelector(".line.pending"));
      assert.deepEqual((await lines(page)).sort(), ["before", "meanwhile", "said in my sleep"]);
    });

    test("who is offline is told so in plain words, and that it is over", async () => {
      const page = await enter("할머니", "/#home", { locale: "ko-KR" });
      await page.context().setOffline(true);
      await page.waitForFunction(() => /이 기기가 인터넷에 연결되어 있지 않습니다/.test($("banner").textContent));
      await say(page, "거기 있니?");
      await page.waitForSelector(".line.pending");
      await page.context().setOffline(false);
      await page.waitForFunction(() => $("banner").textContent.startsWith("다시 연결되었습니다"));
      await page.waitForSelector("#banner", { state: "hidden" });
      await page.waitForSelector(".line:not(.pending)");
    });

    test("Korean and English, by the browser's language and by the switch", async () => {
      const page = await open("/#words", { locale: "ko-KR" });
      assert.equal(await page.getAttribute("html", "lang"), "ko");
      await guest("taken", "words");
      await page.fill("#nick", "taken");
      await page.click("#enter");
      await until(async () => /이미 쓰고 있는 이름/.test(await page.textContent("#refusal")));
      await comeIn(page, "수진");
      await guest("bora", "words");
      await until(async () => /bora님이 입장했습니다/.test(await notes(page)));
      await say(page, "/귓속말 bora 비밀");
      await page.waitForSelector(".line.private:not(.pending)");
      await say(page, "/모름");
      await until(async () => /\/귓속말 이름 내용/.test(await notes(page)));
      await say(page, "/w nobody-here hm");
      await until(async () => /그런 이름을 쓰는 사람이 없습니다/.test(await page.textContent("#log")));
      await page.click("#tools .lang");
      assert.equal(await page.getAttribute("html", "lang"), "en");
      assert.match(await page.textContent("#log"), /Nobody of that name.*|bora came in/s);
      assert.equal(await page.getAttribute("#text", "placeholder"), "Message or /command");
      await page.reload();
      await page.waitForFunction(() => ready);
      assert.equal(await page.getAttribute("html", "lang"), "en");
      await say(page, "/나가기");
      await page.waitForFunction(() => room.name === "lobby");
      const [en, ko] = await page.evaluate(() => [WORDS.en, WORDS.ko].map((words) =>
        Object.entries(words).map(([key, value]) => `${key} ${typeof value} ${value.length > 0 && (typeof value === "function" ? value.length : "")}`)));
      assert.deepEqual(ko.map((line) => line.split(" ")[0]), en.map((line) => line.split(" ")[0]));
    });

    test("the administrator's page", async () => {
      const bob = await guest("bob", "watched"),
        page = await open("/admin#wrong");
      await page.waitForFunction(() => /not the key/.test($("refusal").textContent));
      await inspect(page, "the question for the key");
      await page.fill("#key", "right");
      await page.press("#key", "Enter");
      await page.waitForFunction(() => /bob/.test($("sockets").textContent));
      for (const colorScheme of ["light", "dark"]) {
        await page.emulateMedia({ colorScheme });
        await inspect(page, `the administrator's page, ${colorScheme}`);
        await shoot(page, `admin-${colorScheme}-${client}`);
      }
      await page.setViewportSize(phone.viewport);
      assert.ok(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)));
      await shoot(page, `admin-phone-${client}`);
      const went = next(bob, "disconnect");
      await page.locator("#sockets tr", { hasText: "bob" }).locator("button").click();
      await went;
      await page.waitForFunction(() => !/bob/.test($("sockets").textContent) && /server namespace disconnect/.test($("reasons").textContent));
      await page.click("#lang");
      assert.match(await page.title(), /서버 상태/);
    });
  });
}

describe("the page itself", () => {
  before(async () => {
    server = await start(`${build}/chat`, ["--port", 0]);
    proxy = await wire(server.port);
  });
  after(async () => {
    proxy.close();
    await server.stop();
  });

  test("the keyboard alone is enough", async () => {
    const talker = await guest("typist", "keys"),
      page = await open("/#keys");
    await talker.say("hello");
    await page.keyboard.type("keyboarder");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => ready && document.activeElement === $("text"));
    await page.keyboard.type("typed");
    await page.keyboard.press("Enter");
    await hears(page, "typed");
    const reach = async (what, key = "Tab") => {
      for (let i = 0; i < 60; i++) {
        if (await page.evaluate((selector) => document.activeElement.matches(selector), what)) return;
        await page.keyboard.press(key);
      }
      assert.fail(`${what} can't be reached`);
    };
    for (const what of ["#send", "#wire summary", "#packets button", "#leave", "#bell", "#tools .lang", '#rooms a[href="#lobby"]', "#people button", "#rename", "#log"])
      await reach(what);
    await reach("#packets button");
    await page.keyboard.press("Enter");
    await reach(".layer.l2");
    assert.equal(await page.getAttribute(".layers", "data-on"), "2");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, "solid", "one sees where one is");
    await reach("#people button");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.activeElement === $("text"));
    assert.match(await page.inputValue("#text"), /^\/w \S+ $/);
    await reach('#rooms a[href="#lobby"]', "Shift+Tab");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => room.name === "lobby" && room.joined);
  });

  test("1,000 lines of history cost little, and are laid out once a frame", async (t) => {
    const talker = await guest("historian", "history");
    for (let i = 0; i < 990; i++) await talker.say(`line ${i} of a long history 긴 이야기`);
    const page = await open("/#history"),
      devtools = await page.context().newCDPSession(page);
    await devtools.send("Performance.enable");
    const metrics = async () => Object.fromEntries((await devtools.send("Performance.getMetrics")).metrics.map(({ name, value }) => [name, value]));
    await page.evaluate(() => {
      window.frameCount = 0;
      const count = () => { window.frameCount++; requestAnimationFrame(count); };
      count();
    });
    await page.fill("#nick", "late");
    const earlier = await metrics();
    await page.click("#enter");
    await page.waitForFunction(() => ready && room.lines.filter((line) => line.text).length === 990 && $("log").scrollTop > 0 && $("more").hidden);
    const now = await metrics(), frames = await page.evaluate(() => window.frameCount);
    const ms = (name) => Math.round((now[name] - earlier[name]) * 1000), layouts = now.LayoutCount - earlier.LayoutCount;
    t.diagnostic(`main thread: ${ms("TaskDuration")} ms in all, script ${ms("ScriptDuration")}, style ${ms("RecalcStyleDuration")}, layout ${ms("LayoutDuration")}; ${layouts} layouts`);
    assert.ok(layouts <= 4 * frames + 20, `${layouts} layouts in ${frames} frames`);
    assert.ok((await page.locator("#packets > li").count()) < 215, "rows that nobody sees are not made");
  });

  for (const [screen, options] of Object.entries({ desktop: wide, phone }))
    for (const colorScheme of ["light", "dark"])
      for (const locale of ["en-US", "ko-KR"])
        test(`nothing is found by axe: ${screen}, ${colorScheme}, ${locale}`, async () => {
          const name = `${screen}-${colorScheme}-${locale.slice(0, 2)}`, ko = locale === "ko-KR";
          const page = await open(`/#${name}`, { ...options, colorScheme, locale });
          await page.waitForFunction(() => numbers);
          await inspect(page, "the first screen");
          await shoot(page, `first-${name}`);
          await comeIn(page, ko ? "민수" + name.length : "minsu" + name.length);
          await page.waitForFunction(() => $("transport").textContent === "websocket");
          await inspect(page, "an empty room");
          await shoot(page, `empty-${name}`);
          const talker = await guest(ko ? "보라" : "Bora", name);
          await talker.say(ko ? "안녕하세요! 여기 정말 빠르네요." : "Hello! This is fast.");
          await talker.say("https://socket.io/docs/v4/ 👋🏽");
          await say(page, ko ? "C 프로그램 하나라니, 신기하죠?" : "And this is one C program?");
          await page.waitForSelector(".line.mine:not(.pending)");
          await talker.say(ko ? "이 얘기는 우리끼리만요." : "Between the two of us.", `@${await page.evaluate(() => me)}`);
          await paste(page, 220, { noise: true });
          await page.waitForSelector("#preview img");
          await inspect(page, "a picture to send");
          await page.click("#send");
          await page.waitForSelector(".line img");
          await page.waitForFunction(() => document.querySelectorAll("#log .line").length === 5);
          await ask(talker, "join", { name: ko ? "보라" : "Bora", key: ko ? "보라" : "Bora", room: `#${name}-2`, since: 0 });
          talker.emit("typing", `#${name}`);
          await page.waitForFunction(() => $("typing").textContent);
          await inspect(page, "a room");
          await shoot(page, `room-${name}`);
          if (screen === "phone") {
            await page.click("#menu");
            await inspect(page, "the drawer");
            await shoot(page, `drawer-${name}`);
            await page.click("aside h2");
            await page.click("#send", { force: true });
            await page.click("#wire summary");
          }
          await rowWith(page, 'EVENT "line"').last().click();
          await inspect(page, "the layers");
          await shoot(page, `wire-${name}`);
          assert.ok(!(await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)), "nothing to scroll sideways");
          proxy.down = true;
          proxy.cut();
          await page.waitForSelector("#banner:not([hidden])");
          await say(page, ko ? "이건 나중에 갈게요" : "This waits");
          await page.waitForSelector(".line.pending");
          await inspect(page, "without a connection");
          await shoot(page, `offline-${name}`);
        });
});
