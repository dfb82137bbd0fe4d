// tutorials.mjs - the programs of test/tutorial_*.c, with the official client and in a browser
// SPDX-License-Identifier: MIT
import { after, afterEach, before, describe, test as plainTest } from "node:test";
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";
import {
  ask,
  browserOptions,
  build,
  collect,
  next,
  PATIENCE,
  patient,
  require,
  root,
  start,
  until,
} from "./lib.mjs";

const { io } = require("socket.io-client");
const WebSocket = require("ws");
const test = patient(plainTest);
let server;
const clients = new Set();

const tutorial = async (name, ...args) => {
  server = await start(`${build}/tutorial_${name}`, [0, ...args]);
};
const connect = async (nsp = "/", options = {}) => {
  const socket = io(server.url + nsp, { forceNew: true, ...options });
  clients.add(socket);
  await next(socket, "connect");
  return socket;
};
afterEach(async () => {
  for (const socket of clients) socket.disconnect();
  clients.clear();
  await server.stop("SIGTERM"); // they have no handler: it is their end
});

test("tutorial_chat: everybody gets every message", async () => {
  await tutorial("chat");
  for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
    const a = await connect("/", { transports }),
      b = await connect("/", { transports });
    const got = [a, b].map((socket) => collect(socket, "chat message"));
    a.emit("chat message", "hello");
    b.emit("chat message", "안녕 👋");
    await until(() => got[0].length === 2 && got[1].length === 2);
    assert.deepEqual(
      got.map((list) => list.sort()),
      [
        ["hello", "안녕 👋"],
        ["hello", "안녕 👋"],
      ],
    );
    a.disconnect();
    b.disconnect();
  }
  await until(() => server.out.split("user disconnected").length === 7);
  assert.equal(server.out.split("a user connected").length, 7);
});

test("tutorial_chat: it serves the page and the client", async () => {
  await tutorial("chat");
  const page = await fetch(server.url);
  assert.match(page.headers.get("content-type"), /^text\/html/);
  assert.match(await page.text(), /<script src="\/socket.io\/socket.io.js">/);
  const script = await fetch(`${server.url}/socket.io/socket.io.js`);
  assert.match(script.headers.get("content-type"), /javascript/);
});

test("tutorial_token: who is known is remembered, and nobody else comes in", async () => {
  await tutorial("token");
  for (const [auth, message] of [
    [{}, "no token"],
    [{ token: 7 }, "no token"],
    [{ token: "x".repeat(65) }, "no token"],
    [{ token: "abracadabra" }, "unknown token"],
  ]) {
    const socket = io(server.url, { forceNew: true, auth });
    clients.add(socket);
    const [error] = await next(socket, "connect_error");
    assert.equal(error.message, message);
  }
  const socket = io(server.url, { forceNew: true, auth: { token: "open sesame" } });
  clients.add(socket);
  assert.deepEqual(await next(socket, "welcome"), ["Ali Baba"]);
});

test("tutorial_request: a request and its response", async () => {
  await tutorial("request");
  const socket = await connect(),
    response = next(socket, "response");
  socket.emit("request", { data: "Send Request" });
  assert.deepEqual(await response, [{ data: "Recieve Respond" }]);
  await until(() => server.out.includes("request: Send Request\n"));
  for (const wrong of [[], [1], [{}], [{ data: 1 }], [{ data: "x".repeat(101) }]])
    socket.emit("request", ...wrong);
  const heard = collect(socket, "response");
  socket.emit("request", { data: "the last one" });
  await until(() => heard.length > 0);
  assert.deepEqual([heard, socket.connected], [[{ data: "Recieve Respond" }], true]);
});

test("tutorial_private: everybody, the others, and one alone", async () => {
  await tutorial("private");
  const a = await connect(),
    news = next(a, "new user"),
    b = io(server.url, { forceNew: true });
  clients.add(b);
  const welcome = next(b, "welcome");
  const [id] = await news;
  assert.deepEqual([await welcome, b.id], [[id], id]);
  const c = await connect();
  const log = [a, b, c].map((socket) => {
    const list = [];
    socket.onAny((...event) => list.push(event));
    return list;
  });
  a.emit("private message", b.id, "비밀");
  for (const wrong of [[], [7, "x"], [b.id, 7], [b.id, "x".repeat(501)]])
    a.emit("private message", ...wrong);
  a.emit("public message", "hello");
  await until(() => log.every((list) => list.some(([event]) => event === "public message")));
  const hello = ["public message", a.id, "hello"];
  const heard = log.map((list) => list.filter(([event]) => event.endsWith("message")));
  assert.deepEqual(heard, [[hello], [["private message", a.id, "비밀"], hello], [hello]]);
});

test("tutorial_ack: an answer at once, one later, and none for who has gone", async () => {
  await tutorial("ack");
  const a = await connect(),
    b = await connect();
  b.emit("message", "hi", () => assert.fail("it has gone"));
  b.disconnect();
  const order = [];
  const later = ask(a, "message", "hi").then((answer) => order.push(answer));
  order.push(await ask(a, "echo", { deep: ["안녕", 1.5, null] }));
  await later;
  assert.deepEqual(order, [[{ deep: ["안녕", 1.5, null] }], ["success"]]);
});

test("tutorial_binary: bytes go to the others, and their number comes back", async () => {
  await tutorial("binary");
  const a = io(server.url, { forceNew: true });
  clients.add(a);
  const [dot] = await next(a, "photo");
  assert.equal(dot.toString("latin1", 0, 6), "GIF89a");
  const b = await connect();
  const photo = Buffer.alloc(2000000, "\0\x01\xff", "latin1"); // more than the default allows
  const got = next(b, "photo");
  assert.deepEqual(await ask(a, "photo", photo), [{ bytes: photo.length }]);
  assert.ok(photo.equals((await got)[0]));
  for (const wrong of [[], ["text"], [{ photo }]])
    assert.deepEqual(await ask(a, "photo", ...wrong), [{ error: "not bytes" }]);
});

test("tutorial_namespaces: what is said in one is not heard in the other", async () => {
  await tutorial("namespaces");
  const chat = await connect("/chat"),
    news = await connect("/news");
  news.on("message", () => assert.fail("that was said in /chat"));
  const said = next(chat, "message");
  news.emit("message", "to nobody");
  chat.emit("message", { text: "안녕" });
  assert.deepEqual(await said, [{ text: "안녕" }]);
  assert.deepEqual(await next(news, "headline"), [{ readers: 1 }]);
  const nowhere = io(`${server.url}/sports`, { forceNew: true });
  clients.add(nowhere);
  assert.equal((await next(nowhere, "connect_error"))[0].message, "Invalid namespace");
});

test("tutorial_rooms: what is said in a room is heard by its members alone", async () => {
  await tutorial("rooms");
  const [a, b, c] = await Promise.all([connect(), connect(), connect()]);
  const log = [];
  for (const [name, socket] of Object.entries({ a, b, c }))
    socket.onAny((event, ...args) => log.push([name, event, ...args].join(" ")));
  assert.deepEqual(await ask(a, "join", "kitchen"), [[a.id, "kitchen"]]);
  assert.deepEqual(await ask(b, "join", "kitchen"), [[b.id, "kitchen"]]);
  assert.deepEqual(await ask(c, "join", "garden"), [[c.id, "garden"]]);
  c.emit("say", "kitchen", "from outside");
  for (const wrong of [[], [7], ["x".repeat(33)]]) c.emit("join", ...wrong);
  await ask(c, "join", "garden"); // what was wrong is behind us
  a.emit("say", "kitchen", "dinner");
  await until(() => log.length === 3);
  assert.deepEqual(await ask(b, "leave", "kitchen"), [[b.id]]);
  a.emit("say", "kitchen", "more?");
  await until(() => log.length === 4);
  await ask(b, "leave", "kitchen");
  await ask(c, "leave", "garden");
  assert.deepEqual(log.toSorted(), [
    `a joined kitchen ${b.id}`,
    "a said kitchen dinner",
    "a said kitchen more?",
    "b said kitchen dinner",
  ]);
});

test("tutorial_chat_room: people come, talk, leave, and vanish", async () => {
  await tutorial("chat_room");
  const a = io(`${server.url}/chat_room`, { forceNew: true });
  clients.add(a);
  assert.deepEqual(await next(a, "인삿말"), ["안녕하세요! 반갑습니다."]);
  const b = await connect("/chat_room"),
    log = [];
  a.onAny((...event) => log.push(event.join(" ").trim()));
  a.emit("message", "to nobody");
  a.emit("join", "x".repeat(33), "민수");
  assert.deepEqual(await ask(a, "join", "부엌", "민수"), [1]);
  a.emit("join", "garden", "another name"); // one room at a time
  assert.deepEqual(await ask(b, "join", "부엌", "alice"), [2]);
  b.emit("message", "hello");
  b.emit("leave");
  b.emit("leave");
  b.emit("message", "from outside");
  assert.deepEqual(await ask(b, "join", "부엌", "bob"), [2]);
  b.disconnect();
  await until(() => log.includes("left 부엌 bob"));
  assert.deepEqual(log, [
    "joined 부엌 민수",
    "joined 부엌 alice",
    "message 부엌 alice hello",
    "left 부엌 alice",
    "joined 부엌 bob",
    "left 부엌 bob",
  ]);
});

test("tutorial_websocket: greets, listens, and survives rude clients", async () => {
  await tutorial("websocket", 100);
  const url = server.url.replace("http", "ws");
  const sockets = [new WebSocket(url), new WebSocket(url)],
    got = [[], []];
  sockets.forEach((ws, i) =>
    ws.on("message", (data, binary) => {
      got[i].push([String(data), binary]);
      ws.send(`answer ${got[i].length} of ${i}, 고마워요`);
    }),
  );
  await until(() => got[0].length >= 3 && got[1].length >= 3);
  assert.deepEqual(got[1].slice(0, 2), Array(2).fill(["Hello from the server", false]));
  await until(() => /says: answer 2 of 1, 고마워요\n/.test(server.out));
  sockets[1].terminate();
  sockets[0].send(Buffer.from([0, 1]));
  sockets[0].close(4001);
  const [code] = await new Promise((resolve) => sockets[0].on("close", (...args) => resolve(args)));
  assert.equal(code, 4001);
  await until(() => /closed with 4001, in order/.test(server.out));
  await until(() => /closed with 1006, broken/.test(server.out));
  assert.match(server.out, /sends: \n/);
  const late = new WebSocket(url);
  await new Promise((resolve) => late.on("message", resolve));
  late.close();
  await until(() => /closed with 1005, in order/.test(server.out));
});

test("tutorial_websocket: what is not WebSocket is refused", async () => {
  await tutorial("websocket");
  assert.match(await (await fetch(server.url)).text(), /new WebSocket/);
  assert.ok((await fetch(server.url, { method: "POST" })).status >= 400);
  assert.ok((await fetch(`${server.url}/nothing`)).status >= 400);
});

const programs = fs.readdirSync(`${root}/test`).filter((name) => /^tutorial_.*\.c$/.test(name));
for (const program of programs.map((name) => path.basename(name, ".c")))
  test(`${program}: says why it can't start`, async () => {
    await tutorial("chat");
    const options = { encoding: "utf8", timeout: PATIENCE };
    const run = (cwd) =>
      spawnSync(path.join(build, program), [String(server.port)], { cwd, ...options });
    const { status, stderr } = run(root);
    assert.deepEqual([status, stderr], [1, "can't listen: Address already in use\n"]);
    if (program === "tutorial_token") return; // it has no page
    const elsewhere = run("/");
    const why = "start it in the folder of sio.js: No such file or directory\n";
    assert.deepEqual([elsewhere.status, elsewhere.stderr], [1, why]);
  });

/* ---- The pages, and what the tutorial tells to type into the console ------------------------- */

const official = path.join(root, "test/interop/node_modules/socket.io-client/dist/socket.io.js");

/* The blocks ```js NAME TAB of the page. */
const typed = Object.fromEntries(
  [...fs.readFileSync(`${root}/TUTORIAL.md`, "utf8").matchAll(/^```js (.*)\n([^]*?)^```$/gm)].map(
    ([, name, code]) => [name, code],
  ),
);

for (const client of ["sio.js", "the official client"])
  describe(`in a browser, with ${client}`, () => {
    let browser, context;
    const trouble = [];
    before(async () => {
      browser = await chromium.launch(browserOptions);
    });
    after(() => browser.close());
    afterEach(async () => {
      await context.close();
      assert.deepEqual(trouble.splice(0), [], "errors on the page");
    });

    const open = async (url = server.url) => {
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENCE);
      page.on("pageerror", (error) => trouble.push(String(error)));
      await page.goto(url);
      return page;
    };
    const run = async (name) => {
      await tutorial(name);
      context = await browser.newContext();
      if (client !== "sio.js")
        await context.route("**/socket.io.js", (route) => route.fulfill({ path: official }));
    };
    const items = (page) => page.$$eval("li", (list) => list.map((li) => li.textContent));
    const shows = (page, ...wanted) =>
      until(async () => {
        const list = await items(page);
        return wanted.every((text) => list.includes(text));
      }, `the page to show ${wanted}`);
    const type = (page, name) => page.evaluate(`${typed[name]};0`);
    const idOf = (page) => until(() => page.evaluate("socket.id"));
    const json = (...values) => JSON.stringify(values);

    test("1: two tabs chat", async () => {
      await run("chat");
      const a = await open(),
        b = await open();
      await until(() => server.out.split("a user connected").length === 3);
      await a.fill("#input", "안녕 <b>");
      await a.press("#input", "Enter");
      for (const page of [a, b]) await shows(page, "안녕 <b>");
    });

    /* The page of step 2 as a file, for the server's port. */
    const openFile = () => {
      const file = path.join(build, "tutorial_request.html");
      const page = fs.readFileSync(`${root}/test/tutorial_request.html`, "utf8");
      fs.writeFileSync(file, page.replaceAll(":20111", `:${server.port}`));
      return open(pathToFileURL(file).href);
    };

    test("2: a page that is a file asks", async () => {
      await run("request");
      const a = await openFile();
      await a.click("#send");
      await shows(a, "Recieve Respond");
      assert.match(server.out, /^request: Send Request$/m);
    });

    test("2: without .cors it is refused", async () => {
      await run("private");
      const said = [];
      context.on("console", (message) => said.push(message.text()));
      const a = await openFile();
      const message = await a.evaluate(
        "new Promise((resolve) => socket.on('connect_error', (error) => resolve(error.message)))",
      );
      assert.equal(message, "xhr poll error");
      await until(() => said.some((text) => text.includes("blocked by CORS policy")));
    });

    test("3: the server pushes, and the page answers", async () => {
      await run("websocket");
      await shows(await open(), "Hello from the server");
      await until(() => /says: Hello, server\n/.test(server.out));
    });

    test("4: public and private messages", async () => {
      await run("private");
      const a = await open(),
        id = await idOf(a);
      await type(a, "private 1");
      const b = await open();
      const all = json("public message", id, "somebody is new"),
        one = json("private message", id, "only you can read this");
      await shows(b, all, one);
      await shows(a, all, json("new user", await idOf(b)));
      assert.ok(!(await items(a)).includes(one));
    });

    test("5: acknowledgements", async () => {
      await run("ack");
      const a = await open();
      await type(a, "ack 1");
      const late = json("a second later:", "success");
      await shows(a, json("at once:", "now"), late, json("operation has timed out"));
      assert.equal((await items(a))[0], json("at once:", "now"));
    });

    test("6: a photo", async () => {
      await run("binary");
      const sizes = (page) => page.$$eval("img", (list) => list.map((e) => e.naturalWidth));
      const a = await open(),
        b = await open();
      for (const page of [a, b]) await until(async () => String(await sizes(page)) === "1");
      const shot = await a.screenshot();
      await a.setInputFiles("#file", { name: "shot.png", mimeType: "image/png", buffer: shot });
      const { width } = a.viewportSize();
      await until(async () => String(await sizes(b)) === `1,${width}`);
      await until(async () => (await a.textContent("#answer")) === `{"bytes":${shot.length}}`);
    });

    test("7: namespaces", async () => {
      await run("namespaces");
      const a = await open();
      await type(a, "namespaces 1");
      await shows(
        a,
        json("/chat", "message", "hello"),
        json("/news", "headline", { readers: 1 }),
        json("Invalid namespace"),
      );
      const hello = (await items(a)).map(JSON.parse).filter(([, event]) => event === "welcome");
      assert.deepEqual(hello.map(([nsp, , name]) => [nsp, name]).sort(), [
        ["/chat", "/chat"],
        ["/news", "/news"],
      ]);
      assert.notEqual(hello[0][3], hello[1][3]);
    });

    test("8: rooms", async () => {
      await run("rooms");
      const a = await open(),
        ids = [await idOf(a)];
      await type(a, "rooms 1");
      await shows(a, json("I am in", [ids[0], "kitchen"]));
      const b = await open();
      ids.push(await idOf(b));
      await type(b, "rooms 2");
      await shows(b, json("I am in", [ids[1]]));
      await shows(a, json("said", "kitchen", "hello"));
      const said = json("said", "kitchen", "hello");
      assert.deepEqual((await items(a)).slice(1), [json("joined", "kitchen", ids[1]), said]);
      const inside = json("I am in", [ids[1], "kitchen"]);
      assert.deepEqual((await items(b)).sort(), [inside, json("I am in", [ids[1]]), said].sort());
    });

    test("9: the chat room", async () => {
      await run("chat_room");
      const enter = async (name) => {
        const page = await open();
        await shows(page, "안녕하세요! 반갑습니다.");
        await page.fill("#name", name);
        await page.fill("#room", "부엌");
        await page.press("#room", "Enter");
        await page.waitForSelector("#talk:not([hidden])");
        return page;
      };
      const a = await enter("민수"),
        b = await enter("alice");
      await shows(a, "1 here", "민수 joined 부엌", "alice joined 부엌");
      await shows(b, "2 here");
      await b.fill("#text", "hello");
      await b.press("#text", "Enter");
      await shows(a, "alice: hello");
      await a.click("#leave");
      await shows(b, "민수 left 부엌", "alice: hello");
      await a.press("#room", "Enter");
      await a.waitForSelector("#talk:not([hidden])");
      await b.close();
      await shows(a, "alice left 부엌");
    });
  });
