// reference.mjs - the fixture application on the official server: the others of a cluster, and the other side of
// test/differential.mjs
// SPDX-License-Identifier: MIT
import http from "node:http";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Server } from "socket.io";
import { Server as Engine } from "engine.io";

// ---------------------------------------------------------------- flags (F)

const VALUE_FLAGS = new Set([
  "port", "host", "path", "ping-interval", "ping-timeout", "max-payload",
  "connect-timeout", "upgrade-timeout", "cors", "recovery", "transports",
  "cookie", "static", "redis",
]);
const SWITCH_FLAGS = new Set([
  "allow-eio3", "cors-credentials", "no-upgrades", "cleanup-empty-nsps",
  "recovery-run-middlewares",
]);

function parseArgs(argv) {
  const out = {};
  for (let i = 0; i < argv.length; i++) {
    let arg = argv[i];
    if (/^\d+$/.test(arg)) {
      out.port = arg;
      continue;
    }
    if (!arg.startsWith("--")) throw new Error(`unknown argument ${arg}`);
    arg = arg.slice(2);
    const eq = arg.indexOf("=");
    const name = eq < 0 ? arg : arg.slice(0, eq);
    if (SWITCH_FLAGS.has(name)) {
      out[name] = true;
    } else if (VALUE_FLAGS.has(name)) {
      out[name] = eq < 0 ? argv[++i] : arg.slice(eq + 1);
      if (out[name] === undefined) throw new Error(`--${name} needs a value`);
    } else {
      throw new Error(`unknown flag --${name}`);
    }
  }
  return out;
}

const flags = parseArgs(process.argv.slice(2));
const num = (name, dflt) => (flags[name] === undefined ? dflt : Number(flags[name]));
const port = Number(flags.port ?? process.env.PORT ?? 3000);
const host = flags.host ?? "127.0.0.1";
const staticDir = flags.static
  ?? path.join(path.dirname(fileURLToPath(import.meta.url)), "static");

const engineOptions = {
  pingInterval: num("ping-interval", 300),
  pingTimeout: num("ping-timeout", 200),
  maxHttpBufferSize: num("max-payload", 1000000),
  upgradeTimeout: num("upgrade-timeout", 10000),
  allowEIO3: !!flags["allow-eio3"],
  allowUpgrades: !flags["no-upgrades"],
  transports: (flags.transports ?? "polling,websocket").split(","),
};

// F9, F10, F22
const cors = flags.cors ?? "*";
if (cors !== "none") {
  engineOptions.cors = {
    origin: cors.includes(",") ? cors.split(",") : cors,
    credentials: !!flags["cors-credentials"],
  };
}
if (flags.cookie !== undefined) engineOptions.cookie = { name: flags.cookie };

// F23
function allowRequest(req, done) {
  const deny = req._query.deny;
  if (deny === "1") return done("denied by fixture", false);
  if (deny === "2") return done(null, false);
  done(null, true);
}

// ------------------------------------------------------------ plain HTTP (H)

const MIME = {
  ".txt": "text/plain; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".json": "application/json; charset=utf-8",
};

function plain(req, res, status, type, body) {
  res.writeHead(status, { "Content-Type": type, "Content-Length": Buffer.byteLength(body) });
  res.end(req.method === "HEAD" ? undefined : body);
}

function onPlainRequest(req, res) {
  const pathname = req.url.split("?")[0];
  const reading = req.method === "GET" || req.method === "HEAD";
  if (pathname === "/healthz" && reading) {
    return plain(req, res, 200, "text/plain", "ok");
  }
  if (pathname === "/echo" && req.method === "POST") {
    const chunks = [];
    let size = 0;
    req.on("data", (chunk) => {
      size += chunk.length;
      if (size <= engineOptions.maxHttpBufferSize) chunks.push(chunk);
    });
    req.on("end", () => {
      if (size > engineOptions.maxHttpBufferSize) {
        return plain(req, res, 413, "text/plain", "too large");
      }
      const body = Buffer.concat(chunks);
      res.writeHead(200, {
        "Content-Type": "application/octet-stream",
        "Content-Length": body.length,
      });
      res.end(body);
    });
    return;
  }
  if (pathname.startsWith("/static/") && reading) {
    let name;
    try {
      name = decodeURIComponent(pathname.slice("/static/".length));
    } catch (e) {
      return plain(req, res, 400, "text/plain", "bad request");
    }
    if (/^[A-Za-z0-9_-]+\.(txt|html|json)$/.test(name)) {
      try {
        const body = fs.readFileSync(path.join(staticDir, name));
        return plain(req, res, 200, MIME[path.extname(name)], body);
      } catch (e) {
        // falls through to 404
      }
    }
  }
  plain(req, res, 404, "text/plain", "not found");
}

const httpServer = http.createServer(onPlainRequest);

// engine.io 6.6.11 puts no "error" listener on the socket of an upgrade request for a foreign
// path during the second before it ends it: a reset in that time would end this process.
if (engineOptions.transports.includes("websocket")) {
  httpServer.on("upgrade", (req, socket) => socket.on("error", () => {}));
}

// ---------------------------------------------------- Engine.IO echo (G)

const echo = new Engine(engineOptions);
echo.attach(httpServer, { path: "/engine.io", destroyUpgrade: false });
echo.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data));
});

// ------------------------------------------------------------- Socket.IO (S)

const options = {
  ...engineOptions,
  path: flags.path ?? "/socket.io",
  serveClient: false,
  connectTimeout: num("connect-timeout", 1000),
  cleanupEmptyChildNamespaces: !!flags["cleanup-empty-nsps"],
  allowRequest,
};
if (flags.recovery !== undefined) {
  options.connectionStateRecovery = {
    maxDisconnectionDuration: Number(flags.recovery),
    skipMiddlewares: !flags["recovery-run-middlewares"],
  };
}
// F26: the reference's Redis adapter with its default options
if (flags.redis !== undefined) {
  const { createClient } = await import("redis");
  const { createAdapter } = await import("@socket.io/redis-adapter");
  const pub = createClient({ url: flags.redis });
  const sub = pub.duplicate();
  for (const client of [pub, sub]) client.on("error", (e) => console.error(`redis: ${e.message}`));
  await Promise.all([pub.connect(), sub.connect()]);
  options.adapter = createAdapter(pub, sub);
}
const io = new Server(httpServer, options);

// F24
io.engine.on("initial_headers", (headers, req) => {
  if (req._query.hdr === "1") headers["X-Fixture-Initial"] = "yes";
});
io.engine.on("headers", (headers, req) => {
  if (req._query.hdr === "1") headers["X-Fixture-All"] = "yes";
});

const disconnects = [];
const byteOrder = (a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b));
const strings = (v) => Array.isArray(v) && v.every((x) => typeof x === "string");
const roomsOf = (socket) => [...socket.rooms].filter((r) => r !== socket.id).sort(byteOrder);

// A ROOMS argument: null or [] = no restriction, "x" = ["x"]; anything else is invalid.
function toRooms(v) {
  if (v === null || v === undefined) return [];
  if (typeof v === "string") return [v];
  return strings(v) ? v : undefined;
}

// An (ev, args) pair; undefined when it does not have the right types.
const isEvent = (ev, args) => typeof ev === "string" && Array.isArray(args);
const MAX_DELAY = 10000;
const isDelay = (ms) => typeof ms === "number" && ms >= 0 && ms <= MAX_DELAY;
const isCount = (n, max) => Number.isInteger(n) && n >= 0 && n <= max;

function pattern(i, size) {
  const b = Buffer.alloc(size);
  for (let j = 0; j < size; j++) b[j] = (i * 31 + j) & 0xff;
  return b;
}

function onConnection(socket) {
  const nsp = socket.nsp;
  const counters = { any: 0, anyOutgoing: 0, rejected: 0 };
  let handlers = 0;

  // S2 to S6
  socket.onAny(() => counters.any++);
  socket.onAnyOutgoing(() => counters.anyOutgoing++);
  socket.use(([ev, ...args], next) => {
    if (ev === "mw-drop") return;
    if (ev === "mw-reject") {
      const err = new Error("rejected by middleware");
      err.data = typeof args[0] === "function" ? null : args[0] ?? null;
      err.fixture = true;
      return next(err);
    }
    next();
  });
  socket.use((event, next) => {
    if (event[0] === "mw-mark" && typeof event[1] === "string") event[1] += "+marked";
    next();
  });
  socket.on("error", (err) => {
    if (!(err instanceof Error) || err.fixture !== true) return;
    counters.rejected++;
    socket.emit("mw-error", { message: err.message, data: err.data });
  });
  let lastRooms = [];
  socket.on("disconnecting", () => {
    lastRooms = roomsOf(socket);
  });
  socket.on("disconnect", (reason) => {
    disconnects.push({ id: socket.id, nsp: nsp.name, reason, rooms: lastRooms });
    if (disconnects.length > 2000) disconnects.shift();
  });

  // `fn(args, ack)`; ack is a no-op when the client asked for none.
  const on = (ev, fn) => {
    handlers++;
    socket.on(ev, (...args) => {
      const ack = typeof args[args.length - 1] === "function" ? args.pop() : () => {};
      fn(args, ack);
    });
  };

  // E1, E2
  on("message", (args) => socket.emit("message-back", ...args));
  on("message-with-ack", (args, ack) => ack(...args));

  // E3 to E6
  on("join", ([rooms], ack) => {
    const list = toRooms(rooms);
    if (!list?.length) return;
    socket.join(list);
    ack(roomsOf(socket));
  });
  on("leave", ([room], ack) => {
    if (typeof room !== "string") return;
    socket.leave(room);
    ack(roomsOf(socket));
  });
  on("rooms", (args, ack) => ack(roomsOf(socket)));
  on("nsp-rooms", (args, ack) => {
    const all = [...nsp.adapter.rooms.keys()].filter((r) => !nsp.sockets.has(r));
    ack(all.sort(byteOrder));
  });

  // E7 to E19
  on("to", ([rooms, ev, args], ack) => {
    const list = toRooms(rooms);
    if (!list || !isEvent(ev, args)) return;
    (list.length ? socket.to(list) : socket.broadcast).emit(ev, ...args);
    ack();
  });
  on("in", ([rooms, ev, args], ack) => {
    const list = toRooms(rooms);
    if (!list || !isEvent(ev, args)) return;
    nsp.in(list).emit(ev, ...args);
    ack();
  });
  on("to-except", ([rooms, except, ev, args], ack) => {
    const list = toRooms(rooms);
    const not = toRooms(except);
    if (!list || !not || !isEvent(ev, args)) return;
    nsp.to(list).except(not).emit(ev, ...args);
    ack();
  });
  on("broadcast", ([ev, args], ack) => {
    if (!isEvent(ev, args)) return;
    socket.broadcast.emit(ev, ...args);
    ack();
  });
  on("nsp-emit", ([ev, args], ack) => {
    if (!isEvent(ev, args)) return;
    nsp.emit(ev, ...args);
    ack();
  });
  on("nsp-emit-to", ([name, ev, args], ack) => {
    if (typeof name !== "string" || !isEvent(ev, args)) return;
    const exists = io._nsps.has(name);
    if (exists) io.of(name).emit(ev, ...args);
    ack(exists);
  });
  on("private", ([id, ev, args], ack) => {
    if (typeof id !== "string" || !isEvent(ev, args)) return;
    socket.to(id).emit(ev, ...args);
    ack();
  });
  on("emit", ([ev, args], ack) => {
    if (!isEvent(ev, args)) return;
    try {
      socket.emit(ev, ...args);
      ack({ ok: true });
    } catch (e) {
      ack({ ok: false });
    }
  });
  on("emit-later", ([ms, ev, args], ack) => {
    if (!isDelay(ms) || !isEvent(ev, args)) return;
    setTimeout(() => socket.emit(ev, ...args), ms);
    ack();
  });
  on("ticks", ([n, ms]) => {
    if (!isCount(n, 1000) || !isDelay(ms)) return;
    let i = 0;
    const timer = setInterval(() => {
      if (i < n && socket.connected) socket.emit("tick", i++);
      if (i >= n || !socket.connected) clearInterval(timer);
    }, Math.max(1, ms));
  });
  on("flood", ([n, size], ack) => {
    if (!isCount(n, 100000) || !isCount(size, 1000000)) return;
    const filler = "x".repeat(size);
    for (let i = 0; i < n; i++) socket.emit("flood", i, filler);
    ack(n);
  });
  on("sandwich", (args, ack) => {
    socket.emit("bread", 1);
    ack("filling");
    socket.emit("bread", 2);
  });
  on("emit-binary", ([n, size], ack) => {
    if (!isCount(n, 100) || !isCount(size, 1000000)) return;
    const list = [];
    for (let i = 0; i < n; i++) list.push(pattern(i, size));
    socket.emit("binary", { n, list, deep: { first: n > 0 ? list[0] : null } });
    ack();
  });

  // E20, E21
  on("volatile", ([n], ack) => {
    if (!isCount(n, 1000)) return;
    for (let i = 0; i < n; i++) socket.volatile.emit("vol", i);
    ack();
  });
  on("volatile-broadcast", ([n], ack) => {
    if (!isCount(n, 1000)) return;
    for (let i = 0; i < n; i++) socket.volatile.broadcast.emit("vol", i);
    ack();
  });

  // E22 to E27
  on("ack-twice", (args, ack) => {
    ack("first");
    ack("second");
  });
  on("ack-later", ([ms, value], ack) => {
    if (!isDelay(ms)) return;
    setTimeout(() => ack(value), ms);
  });
  on("ack-binary", ([n, size], ack) => {
    if (!isCount(n, 100) || !isCount(size, 1000000)) return;
    const list = [];
    for (let i = 0; i < n; i++) list.push(pattern(i, size));
    ack(...list);
  });
  on("ask", ([ev, args, ms], ack) => {
    if (!isEvent(ev, args) || !isDelay(ms ?? 0)) return;
    if (ms > 0) {
      socket.timeout(ms).emit(ev, ...args, (err, ...answer) => {
        ack(err ? { ok: false, error: err.message } : { ok: true, args: answer });
      });
    } else {
      socket.emit(ev, ...args, (...answer) => ack({ ok: true, args: answer }));
    }
  });
  const answered = (ack) => (err, responses) => {
    ack(err ? { ok: false, error: err.message, responses } : { ok: true, responses });
  };
  on("ask-all", ([rooms, ev, args, ms], ack) => {
    const list = toRooms(rooms);
    if (!list || !isEvent(ev, args) || !isDelay(ms) || !ms) return;
    nsp.to(list).timeout(ms).emit(ev, ...args, answered(ack));
  });
  on("ask-others", ([rooms, ev, args, ms], ack) => {
    const list = toRooms(rooms);
    if (!list || !isEvent(ev, args) || !isDelay(ms) || !ms) return;
    socket.to(list).timeout(ms).emit(ev, ...args, answered(ack));
  });

  // E28 to E32
  on("whoami", (args, ack) => {
    const h = socket.handshake;
    const header = (name) => h.headers[name] ?? null;
    ack({
      id: socket.id,
      nsp: nsp.name,
      recovered: socket.recovered,
      connected: socket.connected,
      ownRoom: socket.rooms.has(socket.id),
      transport: socket.conn.transport.name,
      protocol: socket.conn.protocol,
      url: h.url,
      query: { ...h.query },
      auth: h.auth,
      xdomain: h.xdomain,
      secure: h.secure,
      address: h.address,
      headers: {
        "user-agent": header("user-agent"),
        "x-test": header("x-test"),
        cookie: header("cookie"),
        origin: header("origin"),
      },
    });
  });
  on("set-data", ([value], ack) => {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    socket.data = value;
    ack();
  });
  on("get-data", (args, ack) => ack(socket.data));
  on("counters", (args, ack) => ack({ ...counters }));
  on("last-disconnects", ([ids], ack) => {
    if (ids !== null && ids !== undefined && !strings(ids)) return;
    ack(disconnects.filter((d) => !ids || ids.includes(d.id)));
  });
  on("nsp-exists", ([name], ack) => {
    if (typeof name !== "string") return;
    ack(io._nsps.has(name));
  });
  on("nsp-size", (args, ack) => ack(nsp.sockets.size));
  on("mw-mark", ([value], ack) => ack(value ?? null));

  // E34 to E36
  const matching = (rooms) => (rooms.length ? nsp.in(rooms) : nsp);
  on("fetch-sockets", ([rooms], ack) => {
    const list = toRooms(rooms);
    if (!list) return;
    matching(list).fetchSockets().then((sockets) => {
      ack(sockets.map((s) => ({ id: s.id, rooms: roomsOf(s), data: s.data })));
    });
  });
  on("sockets-join", ([rooms, join], ack) => {
    const list = toRooms(rooms);
    const what = toRooms(join);
    if (!list || !what?.length) return;
    matching(list).socketsJoin(what);
    ack();
  });
  on("sockets-leave", ([rooms, leave], ack) => {
    const list = toRooms(rooms);
    const what = toRooms(leave);
    if (!list || !what?.length) return;
    matching(list).socketsLeave(what);
    ack();
  });
  on("disconnect-sockets", ([rooms, close], ack) => {
    const list = toRooms(rooms);
    if (!list) return;
    ack();
    matching(list).disconnectSockets(close === true);
  });

  // C1 to C5
  on("emit-local", ([ev, args], ack) => {
    if (!isEvent(ev, args)) return;
    nsp.local.emit(ev, ...args);
    ack();
  });
  on("note", ([args], ack) => {
    if (!Array.isArray(args)) return;
    nsp.serverSideEmit("fixture-note", ...args);
    ack();
  });
  on("notes", (args, ack) => ack(notes.get(nsp.name) ?? []));
  on("ask-servers", ([args], ack) => {
    if (!Array.isArray(args)) return;
    nsp.serverSideEmit("fixture-question", ...args, (err, responses) => {
      ack(err ? { ok: false, error: err.message } : { ok: true, responses });
    });
  });
  on("all-rooms", (args, ack) => {
    nsp.adapter.allRooms().then((rooms) => ack([...rooms].sort(byteOrder)));
  });
  on("server-count", (args, ack) => {
    Promise.resolve(nsp.adapter.serverCount()).then((n) => ack(n));
  });

  // E37 to E40
  on("disconnect-me", ([close]) => socket.disconnect(close === true));
  on("disconnect-me-later", ([ms, close]) => {
    if (!isDelay(ms)) return;
    setTimeout(() => socket.disconnect(close === true), ms);
  });
  on("engine-close", () => socket.conn.close());
  on("goodbye", ([close]) => {
    socket.emit("farewell", 1);
    socket.emit("farewell", 2);
    socket.disconnect(close === true);
  });

  // E33
  socket.once("once", (...args) => {
    const ack = typeof args[args.length - 1] === "function" ? args.pop() : () => {};
    ack("only once");
  });

  // S1
  socket.emit("auth", socket.handshake.auth);
}

// C2, C3
const notes = new Map();
for (const nsp of [io.of("/"), io.of("/custom")]) {
  nsp.on("fixture-note", (...args) => {
    notes.set(nsp.name, [...(notes.get(nsp.name) ?? []), args]);
  });
  nsp.on("fixture-question", (...args) => {
    const answer = args.pop();
    if (typeof answer === "function" && args[0] !== "silent") answer(args[0] ?? null);
  });
}

// N1, N2
io.on("connection", onConnection);
io.of("/custom").on("connection", onConnection);
io.of("/with space").on("connection", onConnection);
io.of("/caf\u00e9").on("connection", onConnection);

// N4
io.of(/^\/dyn-\d+$/).on("connection", onConnection);

// N5
const family = io.of((name, auth, next) => {
  if (!name.startsWith("/fam-")) return next(null, false);
  next(null, auth.deny !== true);
});
family.on("connection", (socket) => {
  onConnection(socket);
  socket.on("family-emit", (ev, args, ack) => {
    if (!isEvent(ev, args)) return;
    family.emit(ev, ...args);
    if (typeof ack === "function") ack();
  });
});

// N3
const auth = io.of("/auth");
auth.use((socket, next) => {
  socket.data.trail = ["first"];
  const token = socket.handshake.auth.token;
  if (token === "secret") return next();
  if (token === "slow") return void setTimeout(next, 250);
  if (token === "slow-bad") return void setTimeout(() => next(new Error("too late")), 250);
  if (token === "nodata") return next(new Error("no data"));
  const err = new Error("not authorized");
  err.data = { code: 401, hint: "send the token" };
  next(err);
});
auth.use((socket, next) => {
  socket.data.trail.push("second");
  next();
});
auth.on("connection", onConnection);

// --------------------------------------------------- start and stop (F20, F25)

httpServer.on("error", (e) => {
  console.error(e.message);
  process.exit(1);
});
httpServer.listen(port, host, () => {
  console.log(`listening on ${httpServer.address().port}`);
});

let stopping = false;
function stop() {
  if (stopping) return;
  stopping = true;
  io.close();
  echo.close();
  setTimeout(() => process.exit(0), 500);
}
process.on("SIGTERM", stop);
process.on("SIGINT", stop);
