#!/usr/bin/env node
// differential.mjs - the same random conversations with two servers, and the first difference
// SPDX-License-Identifier: MIT
//
//     node test/differential.mjs --ours 3000 --reference 3001 --seed 1 --sequences 10000
//     SIO_REFERENCE=DIRECTORY node test/differential.mjs --flags "--recovery 60000" --seed 2
//
// Both servers run the fixture application with the same flags, and with long timeouts, for example
// `--ping-interval 60000 --ping-timeout 60000 --connect-timeout 60000`. Without a port a server is
// started here: ours is build/fixture, the reference is server.mjs in the directory SIO_REFERENCE.
// What the flags switch on (recovery, protocol 3, the payload limit) is asked of the reference.
//
// A sequence is a list of operations made from the seed alone: requests, frames, packets, events,
// valid and invalid, of up to three clients. It is carried out on both servers at the same time,
// byte for byte the same but for the ids, and every connection keeps a transcript of what came
// back. Then the transcripts are compared.
//
//  - Nothing sleeps to let a server finish: an operation has settled when the answers to three
//    later requests (/healthz) came back and nothing else moved in the meantime.
//  - Sequences do not meet: each has a namespace and room names of its own.
//  - Ids become names (<id0>), headers are a set, JSON is compared as a value, and the packets of a
//    polling session are one list, however many answers carried them.
//  - ALLOWED lists every difference that is accepted, with its reason. An input for which another
//    answer is allowed ends its sequence, so that nothing else can hide behind it.
//
// Exit status: 0 no difference, 1 a difference that is not allowed, 2 wrong use.
import net from "node:net";
import crypto from "node:crypto";
import { spawn } from "node:child_process";

// ---------------------------------------------------------------- allowed differences

// Tags of operations; where one was carried out, later differences of that sequence are counted
// here and not reported. The letters and numbers are rows of PROTOCOL.md.
const ALLOWED = {
  "W11": "an upgrade with another protocol number: 101 first, or 400 at once; it dies either way",
  "W-polling": "an upgrade request with transport=polling: 101 and a close frame, or a refusal",
  "W04": "a list in the Upgrade header",
  "W07": "subprotocols: the first is chosen, a bad list is 400; or none is chosen",
  "W32": "lengths in a longer form than needed: read, or a protocol error",
  "W37": "`1` on a WebSocket: ignored, or the session closes",
  "P-base64": "characters that are not base64: skipped, or a parse error",
  "P31": "invalid UTF-8 in a body: replaced, or a parse error",
  "P32": "a body that begins with a byte order mark",
  "S16": "an event without a payload has no visible effect, or closes",
  "S26": "ack ids beyond 2^53: rounded, or kept",
  "S-space": "white space among the digits of a packet: digits to the reference, or closes",
  "S-count": "attachment counts such as 01, +1, 1e0: accepted, or closes",
  "B04": "a placeholder's num that is no integer: undefined, or closes",
  "B02": "one attachment named by two placeholders: delivered twice, or closes",
  "B15": "attachments for a namespace that is not joined: closes when complete, or at the header",
  "B-nameless": "a binary event without JSON: nameless, or closes",
  "D05": "when and why a polling session without a waiting GET is told of its end",
  "D06": "packets before a violation in the same read: dropped, or delivered first",
  "C-burst": "what follows a CONNECT in the same read: refused, or delivered",
  "T-host": "two Host headers",
  "T-version": "HTTP/1.2, HTTP/2.0, no version at all",
  "T-spaces": "two spaces before the target",
  "T-coding": "gzip, chunked: read as chunked, or 501",
  "T-method": "a method that the parser does not know: 400, or as any other",
  "T-connect": "CONNECT: closed silently, or with an answer",
  "T10": "the connection after a 417",
  "T11": "bytes behind a body in the same segment: the answer and then 400, or 400 alone",
  "T15": "the rest of the connection after a body that was too large",
  "E28": "methods other than GET and POST with a sid: 500, or another refusal",
  "U-drop": "after a probe whose connection dropped the reference answers no more, once in 10,000 times",
  "U-noprobe": "the upgrade packet without a probe",
};

// ---------------------------------------------------------------- random numbers

class Random {
  constructor(seed) {
    this.s = seed >>> 0;
  }
  next() {  // mulberry32
    this.s = (this.s + 0x6d2b79f5) >>> 0;
    let t = this.s;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }
  int(n) {
    return Math.floor(this.next() * n);
  }
  chance(p) {
    return this.next() < p;
  }
  pick(list) {
    return list[this.int(list.length)];
  }
  // From [[weight, value], ...].
  weighted(list) {
    let at = this.next() * list.reduce((sum, [w]) => sum + w, 0);
    for (const [w, value] of list) {
      at -= w;
      if (at < 0) return value;
    }
    return list[list.length - 1][1];
  }
  shuffle(list) {
    for (let i = list.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      [list[i], list[j]] = [list[j], list[i]];
    }
    return list;
  }
  bytes(n) {
    return Buffer.from(Array.from({ length: n }, () => this.int(256)));
  }
}

// ---------------------------------------------------------------- normal forms

const RS = "\x1e";

function canonical(v) {
  if (Array.isArray(v)) {
    const list = v.map(canonical);
    // fetch-sockets answers in any order
    const unordered = v.length > 1 && v.every((x) => x && x.id && x.rooms && !("reason" in x));
    // lists of rooms are sorted, but ids are random
    const ids = v.every((x) => typeof x === "string") && v.some((x) => /^<(sid|id)\d>$/.test(x));
    return `[${(unordered || ids ? list.sort() : list).join(",")}]`;
  }
  if (v !== null && typeof v === "object") {
    return `{${Object.keys(v).sort().map((k) => `${JSON.stringify(k)}:${canonical(v[k])}`)}}`;
  }
  return JSON.stringify(v === 0 ? 0 : v);
}

function shorten(s) {
  if (s.length <= 400) return s;
  const hash = crypto.createHash("sha1").update(s).digest("hex").slice(0, 12);
  return `${s.slice(0, 160)}...(${s.length} characters, ${hash})`;
}

function canonicalJson(text) {
  try {
    return canonical(JSON.parse(text));
  } catch (e) {
    return text;
  }
}

// An Engine.IO packet as text. Where it holds a Socket.IO packet, its JSON is compared as a value.
function normalPacket(run, text) {
  if (text[0] === "0" && text[1] === "{") return `0${canonicalJson(run.names(text.slice(1)))}`;
  const m = /^4([0-6])(\d+-)?(\/[^,]*,?)?(\d+)?([\s\S]*)$/.exec(text);
  if (!m || run.raw) return run.names(text);
  const [, type, count = "", nsp = "", id = "", json] = m;
  const named = run.names(json).replace(/"((?:[^"\\]|\\.)*)"/g, (all, s) => (
    run.offsets.has(s) ? '"<offset>"' : /^[\w-]{20}$/.test(s) ? '"<unknown id>"' : all));
  return `4${type}${count}${nsp}${id}${canonicalJson(named)}`;
}

const UNCOMPARED_HEADERS = new Set([
  "date", "connection", "keep-alive", "content-length", "transfer-encoding",
  "x-xss-protection",  // E27: for browsers that are gone
]);

// The refusal of an upgrade has no CORS fields in the reference, and has them here: every answer of an
// endpoint has them (F22).
function isCorsOfRefusedUpgrade(r, name) {
  return r.status === 400 && r.headers["content-type"] === "text/html"
    && /^(access-control-|vary$)/.test(name);
}

function normalResponse(run, r) {
  const headers = Object.entries(r.headers)
    .filter(([name]) => !UNCOMPARED_HEADERS.has(name) && !isCorsOfRefusedUpgrade(r, name))
    .map(([name, value]) => `${name}: ${run.names(value)}`)
    .sort();
  const body = r.body.toString("latin1");
  const handshake = body[0] === "0" && body[1] === "{";
  const text = handshake ? normalPacket(run, body)
    : /json/.test(r.headers["content-type"]) ? canonicalJson(body) : body;
  return `${r.status} {${headers.join(" | ")}} ${JSON.stringify(run.names(text))}`;
}

// ---------------------------------------------------------------- one server

// A request's way there and back says that what was written before it has been read. Waiters share
// the requests.
class Server {
  constructor(port) {
    this.port = port;
    this.started = 0;
    this.waiters = [];
    this.busy = false;
  }
  barrier(rounds) {
    return new Promise((resolve) => {
      this.waiters.push({ round: this.started + rounds, resolve });
      if (!this.busy) this.round();
    });
  }
  round() {
    this.busy = true;
    this.started++;
    const now = this.started;
    this.ask(() => {
      const due = this.waiters.filter((w) => w.round <= now);
      this.waiters = this.waiters.filter((w) => w.round > now);
      for (const w of due) w.resolve();
      if (this.waiters.length > 0) this.round();
      else this.busy = false;
    });
  }
  ask(done) {
    if (!this.socket) {
      this.socket = net.connect({ port: this.port, host: "127.0.0.1", noDelay: true });
      this.socket.on("error", () => {});
      this.socket.on("close", () => {
        this.socket = null;
        if (this.done) this.failed = (this.failed ?? 0) + 1;
        if (this.failed > 20) {
          console.error(`the server at port ${this.port} does not answer`);
          process.exit(1);
        }
        if (this.done) setTimeout(() => this.ask(this.done), 20);
      });
      this.text = "";
      this.socket.on("data", (data) => {
        this.text += data.toString("latin1");
        if (!this.text.endsWith("ok")) return;
        this.text = "";
        this.failed = 0;
        const call = this.done;
        this.done = null;
        call?.();
      });
    }
    this.done = done;
    this.socket.write("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
  }
  close() {
    this.done = null;
    this.socket?.destroy();
  }
}

// ---------------------------------------------------------------- one connection

// A raw connection that reads HTTP answers and, after a 101, WebSocket frames.
class Connection {
  constructor(run, label) {
    this.run = run;
    this.label = label;
    this.buffer = Buffer.alloc(0);
    this.waiting = [];  // of requests without an answer: { method, done }
    this.websocket = false;
    this.open = true;
    this.quiet = false;
    this.socket = net.connect({ port: run.server.port, host: "127.0.0.1", noDelay: true });
    run.connections.add(this);
    this.socket.on("connect", () => {
      run.activity++;
      run.opened = true;
    });
    this.socket.on("drain", () => run.activity++);
    this.socket.on("data", (data) => {
      run.activity++;
      this.buffer = this.buffer.length ? Buffer.concat([this.buffer, data]) : data;
      this.parse();
    });
    this.socket.on("error", () => {});
    this.socket.on("close", () => this.closed());
    this.socket.on("end", () => this.closed());
  }
  closed() {
    if (!this.open) return;
    this.open = false;
    this.run.activity++;
    this.run.connections.delete(this);
    if (this.current && this.current.length === undefined) this.finish(this.buffer.length);
    for (const w of this.waiting.splice(0)) w.done?.(null);
    if (!this.quiet) this.run.log(this.label, "(closed)");
    this.socket.destroy();
  }
  write(data) {
    if (!this.open) return;
    this.run.activity++;
    this.socket.write(data);
  }
  // certain: the answer does not wait for something else to happen.
  request(method, bytes, done, certain = true) {
    this.waiting.push({ method, done, certain });
    this.write(bytes);
    if (!this.open) this.waiting.pop().done?.(null);
  }
  destroy() {  // by the client: nothing to log
    this.quiet = true;
    this.run.activity++;
    this.socket.destroy();
  }
  parse() {
    while (this.open && this.buffer.length > 0) {
      if (!(this.websocket ? this.parseFrame() : this.parseResponse())) return;
    }
  }
  parseResponse() {
    if (!this.current && !this.parseHead()) return false;
    const r = this.current;
    if (!r) return true;
    if (r.chunked) return this.parseChunks(r);
    if (r.length === undefined || this.buffer.length < r.length) return false;
    return this.finish(r.length);
  }
  parseHead() {
    const end = this.buffer.indexOf("\r\n\r\n");
    if (end < 0) return false;
    const [first, ...lines] = this.buffer.toString("latin1", 0, end).split("\r\n");
    this.buffer = this.buffer.subarray(end + 4);
    const headers = {};
    for (const line of lines) {
      const colon = line.indexOf(":");
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      headers[name] = name in headers ? `${headers[name]}, ${value}` : value;
    }
    const status = Number(first.split(" ")[1]);
    const r = { status, headers, first, body: Buffer.alloc(0) };
    if (status === 100) {
      this.run.log(this.label, "100 Continue");
      return true;
    }
    const method = this.waiting[0]?.method;
    r.chunked = /chunked/i.test(headers["transfer-encoding"] ?? "");
    if (status === 101 || status === 204 || status === 304 || method === "HEAD") {
      r.chunked = false;
      r.length = 0;
    } else if (!r.chunked) {
      const known = headers["content-length"];
      r.length = known !== undefined ? Number(known) : undefined;
      // a bare 400 has neither a length nor a body
      if (known === undefined && status >= 400 && this.buffer.length === 0) r.length = 0;
    }
    this.current = r;
    if (r.length === 0) this.finish(0);
    return true;
  }
  parseChunks(r) {
    for (;;) {
      const end = this.buffer.indexOf("\r\n");
      if (end < 0) return false;
      const size = parseInt(this.buffer.toString("latin1", 0, end), 16);
      if (this.buffer.length < end + 2 + size + 2) return false;
      r.body = Buffer.concat([r.body, this.buffer.subarray(end + 2, end + 2 + size)]);
      this.buffer = this.buffer.subarray(end + 2 + size + 2);
      if (size === 0) return this.finish(0);
    }
  }
  finish(length) {
    const r = this.current;
    this.current = null;
    if (length > 0) r.body = Buffer.from(this.buffer.subarray(0, length));
    this.buffer = this.buffer.subarray(length);
    if (r.status === 101) this.websocket = true;
    const waiting = this.waiting.shift();
    if (waiting?.done) waiting.done(r);
    else this.run.log(this.label, normalResponse(this.run, r));
    return true;
  }
  parseFrame() {
    const b = this.buffer;
    if (b.length < 2) return false;
    let length = b[1] & 0x7f;
    let at = 2;
    if (length === 126) {
      if (b.length < 4) return false;
      length = b.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (b.length < 10) return false;
      length = Number(b.readBigUInt64BE(2));
      at = 10;
    }
    if ((b[1] & 0x80) !== 0 || (b[0] & 0x70) !== 0 || (b[0] & 0x80) === 0) {
      const start = b.subarray(0, 20).toString("latin1");
      this.run.log(this.label, `(a frame no server sends: ${start})`);
      this.buffer = Buffer.alloc(0);
      return false;
    }
    if (b.length < at + length) return false;
    const data = b.subarray(at, at + length);
    this.buffer = b.subarray(at + length);
    this.onFrame(b[0] & 15, data);
    return true;
  }
  onFrame(op, data) {
    if (op === 1) return this.onText(data.toString("utf8"));
    if (op === 2) return this.run.log(this.label, `B<${shorten(data.toString("hex"))}>`);
    if (op === 8) {
      const answered = this.saidClose;
      this.saidClose = true;
      const code = data.length >= 2 ? data.readUInt16BE(0) : "";
      this.run.log(this.label, `CLOSE(${code}${data.length > 2 ? ` ${data.subarray(2)}` : ""})`);
      if (!answered) this.write(frame({ op: 8, data: Buffer.from(data) }));
      return undefined;
    }
    return this.run.log(this.label, `frame ${op} ${shorten(data.toString("hex"))}`);
  }
  onText(text) {
    this.run.onPacket(this.client, text);
    const line = shorten(normalPacket(this.run, text));
    if (!this.run.isForeign(text)) this.run.log(this.label, line);
  }
}

// A client's frame. More than the standard allows can be asked for.
function frame({ op = 1, data = Buffer.alloc(0), fin = true, rsv = 0, mask = true, form = 0,
  length }) {
  const n = length ?? data.length;
  const head = [(fin ? 0x80 : 0) | rsv << 4 | op];
  const bit = mask ? 0x80 : 0;
  if (form === 0 && n < 126) head.push(bit | n);
  else if (form === 16 || (form === 0 && n < 65536)) head.push(bit | 126, n >> 8, n & 255);
  else {
    const long = Buffer.alloc(8);
    long.writeBigUInt64BE(BigInt(n));
    head.push(bit | 127, ...long);
  }
  if (!mask) return Buffer.concat([Buffer.from(head), data]);
  const key = [0x37, 0xfa, 0x21, 0x3d];
  const masked = Buffer.from(data);
  for (let i = 0; i < masked.length; i++) masked[i] ^= key[i & 3];
  return Buffer.concat([Buffer.from([...head, ...key]), masked]);
}

function requestBytes(method, target, headers, body) {
  const lines = [`${method} ${target} HTTP/1.1`, "Host: x", ...headers];
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  return Buffer.concat([
    Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1"), body ?? Buffer.alloc(0),
  ]);
}

const UPGRADE_HEADERS = [
  "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

// ---------------------------------------------------------------- payloads of polling

// Packets are strings (text) and buffers (binary messages).
function encodePayload(protocol, packets) {
  const texts = packets.map((p) => (typeof p === "string" ? p
    : `${protocol === 3 ? "b4" : "b"}${p.toString("base64")}`));
  if (protocol === 4) return Buffer.from(texts.join(RS));
  return Buffer.from(texts.map((t) => `${t.length}:${t}`).join(""));
}

function decodePayload(protocol, r) {
  if (protocol === 4) return r.body.toString("utf8").split(RS);
  const packets = [];
  if (r.headers["content-type"] === "application/octet-stream") {
    for (let i = 0; i < r.body.length;) {
      const end = r.body.indexOf(255, i);
      const size = Number([...r.body.subarray(i + 1, end)].join(""));
      const data = r.body.subarray(end + 1, end + 1 + size);
      packets.push(r.body[i] === 0 ? data.toString("utf8") : `B<${data.toString("hex")}>`);
      i = end + 1 + size;
    }
    return packets;
  }
  let text = r.body.toString("utf8");
  while (text) {
    const colon = text.indexOf(":");
    const size = Number(text.slice(0, colon));
    if (!(size >= 0) || colon < 0) return [...packets, `(broken payload) ${text}`];
    packets.push(text.slice(colon + 1, colon + 1 + size));
    text = text.slice(colon + 1 + size);
  }
  return packets;
}

// ---------------------------------------------------------------- carrying out a sequence

class Run {
  constructor(server, sequence) {
    this.server = server;
    this.sequence = sequence;
    this.raw = sequence.raw;
    this.transcripts = new Map();  // label -> [{ step, text }]
    this.clients = [];
    this.connections = new Set();
    this.known = new Map();  // ids -> their names
    this.offsets = new Set();
    this.activity = 0;
    this.step = 0;
    this.http = new Map();
  }
  log(label, text) {
    this.activity++;
    if (this.over) return;
    if (!this.transcripts.has(label)) this.transcripts.set(label, []);
    this.transcripts.get(label).push({ step: this.step, text });
  }
  learn(id, name) {
    if (typeof id === "string" && id.length >= 8 && !this.known.has(id)) this.known.set(id, name);
  }
  names(text) {
    for (const [id, name] of this.known) if (text.includes(id)) text = text.replaceAll(id, name);
    return text;
  }
  // An event of another sequence, which emitted to the whole family.
  isForeign(text) {
    const m = /"(fam:[^"]*)"/.exec(text);
    return m !== null && m[1] !== `fam:${this.sequence.tag}`;
  }
  // Notes ids and requests for acknowledgements in what a client receives.
  onPacket(client, text) {
    if (!client) return;
    if (text.startsWith("0{")) {
      client.sid = JSON.parse(text.slice(1)).sid;
      this.learn(client.sid, `<sid${client.index}>`);
      if (client.protocol === 3) client.last = client.sid;
      return;
    }
    const m = /^4([0256])(?:\d+-)?(\/[^,]*)?,?(\d+)?([[{][\s\S]*)$/.exec(text);
    if (!m) return;
    const [, type, nsp = "/", id, json] = m;
    let value;
    try {
      value = JSON.parse(json);
    } catch (e) {
      return;
    }
    if (type === "0") {
      client.ids[nsp] = value.sid;
      client.last = value.sid;
      this.learn(value.sid, `<id${client.index}>`);
      if (value.pid) {
        client.pid = value.pid;
        this.learn(value.pid, `<pid${client.index}>`);
      }
    } else if (id !== undefined) {
      if (type === "2" || type === "5") client.requests.push({ nsp, id });
    } else if (this.sequence.recovery && Array.isArray(value) && value[0] !== "vol") {
      const offset = value[value.length - 1];
      if (typeof offset !== "string") return;
      client.offset = offset;
      this.offsets.add(offset);
    }
  }
  // Replaces {{id0}}, {{sid0}}, {{pid0}}, {{offset0}} by what this server gave.
  fill(text) {
    if (!text.includes("{{")) return text;
    return text.replace(/\{\{(id|sid|pid|offset)(\d)\}\}/g, (all, what, i) => {
      const c = this.clients[i];
      const value = c && { id: c.last, sid: c.sid, pid: c.pid, offset: c.offset }[what];
      return value ?? `no-${what}`;
    });
  }
  // Whether bytes of ours are still on their way, or an answer that comes for certain.
  isBusy() {
    for (const c of this.connections) {
      if (c.socket.connecting || c.socket.writableLength > 0) return true;
      if (c.open && c.waiting.some((w) => w.certain)) return true;
    }
    return false;
  }
  async settle(limit = 3000) {
    const end = Date.now() + limit;
    let seen;
    do {
      seen = this.activity;
      const fresh = this.opened;  // accepting takes a turn of the server more
      this.opened = false;
      await this.server.barrier(fresh ? 4 : 3);
    } while (seen !== this.activity || (this.isBusy() && Date.now() < end));
  }
  client(op) {
    const c = {
      index: this.clients.length, ids: {}, requests: [], path: op.path ?? "/socket.io/",
      protocol: op.protocol ?? 4, polling: op.op === "poll", auto: op.auto, waits: 0,
    };
    this.clients.push(c);
    return c;
  }
  async execute() {
    for (const op of this.sequence.ops) {
      if (op.op === "send") {
        this.marks = new Map([...this.transcripts].map(([label, items]) => [label, items.length]));
      }
      await this[op.op](op);
      await this.settle(op.op === "bytes" || op.mayWait ? 400 : 3000);
      for (const c of this.connections) for (const w of c.waiting) w.certain = false;
      this.step++;
    }
    this.cleanup();
  }
  cleanup() {
    this.over = true;
    for (const c of this.clients) {
      if (c.polling && c.sid && !c.websocket) this.post(c, [c.protocol === 3 ? "1:1" : "1"], true);
    }
    for (const c of this.connections) {
      c.quiet = true;
      c.socket.end();
      setTimeout(() => c.socket.destroy(), 200);
    }
  }

  // ---- operations: HTTP

  request(op) {
    let c = this.http.get(op.on);
    if (!c || !c.open) {
      c = new Connection(this, op.on);
      this.http.set(op.on, c);
    }
    const body = op.body === undefined ? undefined : Buffer.from(op.body);
    const bytes = requestBytes(op.method, this.fill(op.target), op.headers, body);
    c.request(op.method, bytes, (r) => {
      if (r === null) return;
      const text = r.body.toString("utf8");
      const of = this.clients.find((x) => x.sid && bytes.includes(x.sid));
      if (of && r.status === 200 && op.method === "GET") {
        const packets = decodePayload(/^\d+:/.test(text) ? 3 : 4, r);
        for (const p of packets) this.onPacket(of, p);
        const body = packets.map((p) => normalPacket(this, p)).join(RS);
        r = { ...r, body: Buffer.from(body) };
      }
      const m = /^(?:\d+:)?0(\{"sid".*\})$/.exec(text);
      if (m) {
        const index = this.clients.length;
        const { sid } = JSON.parse(m[1]);
        this.learn(sid, `<sid${index}>`);
        this.client({ op: "poll", path: op.target.split("?")[0] }).sid = sid;
      }
      this.log(op.on, normalResponse(this, r));
    });
  }
  bytes(op) {
    const c = new Connection(this, op.on);
    this.http.set(op.on, c);
    for (const method of op.methods ?? [""]) c.waiting.push({ method, certain: true });
    c.write(Buffer.from(op.bytes, "latin1"));
  }

  // ---- operations: transports

  ws(op) {
    const c = this.client(op);
    this.openWebSocket(c, op, `c${c.index}.ws`);
  }
  upgrade(op) {  // with the sid of a client
    const c = this.clients[op.c];
    if (c) this.openWebSocket(c, { query: "", ...op }, `c${c.index}.up${op.n ?? 0}`);
  }
  openWebSocket(c, op, label) {
    const connection = new Connection(this, label);
    connection.client = c;
    c[op.op === "upgrade" ? "probe" : "websocket"] = connection;
    if (op.n) c.probe2 = connection;
    const query = op.raw ?? `EIO=${c.protocol}&transport=websocket${op.query ?? ""}`;
    const sid = op.op === "upgrade" ? `&sid=${c.sid}` : "";
    const headers = op.only ?? [...UPGRADE_HEADERS, ...(op.headers ?? [])];
    const target = this.fill(`${c.path}?${query}${sid}`);
    const bytes = requestBytes(op.method ?? "GET", target, headers);
    connection.request("GET", bytes, (r) => {
      if (r) this.log(label, normalResponse(this, r));
    });
  }
  poll(op) {
    const c = this.client(op);
    c.query = op.query ?? "";
    c.headers = op.headers ?? [];
    this.get(c);
  }
  pollingRequest(c, which, method, headers, body, done) {
    const certain = method === "POST" || !c.sid;
    if (!c[which]?.open) {
      c[which] = new Connection(this, `c${c.index}.${which}`);
      c[which].quiet = true;
    }
    const sid = c.sid ? `&sid=${c.sid}` : "";
    const target = `${c.path}?EIO=${c.protocol}&transport=polling${c.query ?? ""}${sid}`;
    const bytes = requestBytes(method, this.fill(target), [...(c.headers ?? []), ...headers], body);
    c[which].request(method, bytes, done, certain);
  }
  // A GET; with auto the client polls again after each answer, like the stock client.
  get(op) {
    const c = op.op === "get" ? this.clients[op.c] : op;
    if (!c) return;
    const label = `c${c.index}.poll`;
    const second = c.waits > 0;
    const which = second ? "get2" : "get";
    c.waits++;
    this.pollingRequest(c, which, "GET", [], undefined, (r) => {
      c.waits--;
      if (r?.status !== 200) c.ended = true;
      if (r === null) return this.log(label, "(closed without an answer)");
      if (r.status !== 200) return this.log(second ? `${label}2` : label, normalResponse(this, r));
      const packets = decodePayload(c.protocol, r);
      for (const p of packets) this.onPacket(c, p);
      if (packets.includes("1")) c.ended = true;
      if (c.heads === undefined) {
        c.heads = true;
        this.log(label, normalResponse(this, { ...r, body: Buffer.alloc(0) }));
      }
      for (const [i, p] of packets.entries()) {
        // how often noops come during an upgrade is a matter of time, and before a close they
        // only fill the answer
        if (p === "6" && (c.probe || packets[i + 1] === "1")) continue;
        if (p === "1" && c.stopped) continue;  // U06: 1 or 6 for a GET that waits at the upgrade
        if (!this.isForeign(p)) this.log(label, shorten(normalPacket(this, p)));
      }
      if (c.auto && !packets.includes("1") && !c.stopped) this.get(c);
      return undefined;
    });
  }
  // Fetches all that there is; the last GET waits.
  async drain(op) {
    const c = this.clients[op.c];
    while (c && c.waits === 0 && !c.ended && !c.websocket) {
      this.get(c);
      await this.settle();
    }
  }
  post(op, packets, quiet) {
    const c = op.op === "post" ? this.clients[op.c] : op;
    if (!c) return;
    const body = packets ? encodePayload(4, packets) : Buffer.from(op.body, op.encoding ?? "utf8");
    const headers = op.headers ?? ["Content-Type: text/plain;charset=UTF-8"];
    this.pollingRequest(c, "post" + (op.n ?? ""), "POST", packets ? [] : headers, body, (r) => {
      if (quiet) return;
      this.log(`c${c.index}.post`, r === null ? "(closed)" : normalResponse(this, r));
    });
  }
  // Engine.IO packets: a frame each, in one write; or one POST.
  send(op) {
    const c = this.clients[op.c];
    if (!c) return;
    const packets = op.packets.map((p) => (typeof p === "string" ? this.fill(p) : p));
    if (c.websocket) {
      const frames = packets.map((p) => (typeof p === "string"
        ? frame({ data: Buffer.from(p) })
        : frame({ op: 2, data: c.protocol === 3 ? Buffer.concat([Buffer.from([4]), p]) : p })));
      c.websocket.write(Buffer.concat(frames));
    } else {
      const body = encodePayload(c.protocol, packets);
      this.post({ op: "post", c: op.c, body });
    }
  }
  frames(op) {
    const connection = this.clients[op.c]?.websocket;
    if (!connection) return;
    if (op.closes) connection.saidClose = true;
    connection.write(op.bytes);
  }
  probe(op) {  // text on the connection that upgrades
    const c = this.clients[op.c];
    c?.[op.n ? "probe2" : "probe"]?.write(frame({ data: Buffer.from(op.text) }));
    if (op.text === "5" && c && c.probe?.open && !op.n) {
      c.websocket = c.probe;
      c.stopped = true;
    }
  }
  drop(op) {  // the connection goes away without a word
    const c = this.clients[op.c];
    if (!c) return;
    c.stopped = true;
    if (op.probe) return void c.probe?.destroy();
    for (const x of [c.websocket, c.get, c.post]) if (x instanceof Connection) x.destroy();
  }
  // Acknowledges the oldest request of the server.
  answer(op) {
    const c = this.clients[op.c];
    const r = c?.requests.shift();
    if (!r) return;
    const nsp = r.nsp === "/" ? "" : `${r.nsp},`;
    this.send({ c: op.c, packets: [`43${nsp}${r.id}${op.args}`] });
  }
  // Waits until a client got a packet that matches since it last sent one, or for its end, or
  // 4 seconds.
  async wait(op) {
    const late = Date.now() + 4000;
    const there = () => {
      const main = this.clients[op.c]?.websocket?.label ?? `c${op.c}.poll`;
      for (const [label, items] of this.transcripts) {
        if (!label.startsWith(`c${op.c}.`)) continue;
        const end = label === main ? /^\(closed\)$|^1$|^400|^CLOSE/ : /$^/;
        if (items.some((x) => end.test(x.text))) return true;
        if (items.slice(this.marks.get(label) ?? 0).some((x) => op.re.test(x.text))) return true;
      }
      return false;
    };
    while (!there() && Date.now() < late) await new Promise((resolve) => setTimeout(resolve, 5));
  }
  pause(op) {
    return new Promise((resolve) => setTimeout(resolve, op.ms));
  }
}

// ---------------------------------------------------------------- random values

const STRINGS = [
  "", "a", "x y", "caf\u00e9", "\u{1f600}", "\"quoted\"", "back\\slash", "new\nline", "\u0000",
  "\u001e", "\u2028", "\u007f", "it's", "100%", "%s %d %p", "_placeholder", "a/b,c", "\ud800",
  "0123456789012345678901234567890123456789", "[]", "null",
];
// As they stand in the JSON text, so that spelling is part of the input.
const NUMBERS = [
  "0", "-0", "1", "-1", "42", "0.1", "1e21", "1e-7", "1E2", "-1.5e+3", "12345678901234567890",
  "9007199254740993", "5e-324", "1.7976931348623157e308", "0.30000000000000004", "1.0", "100000",
];

function randomJson(r, depth = 3, binaries = null) {
  const kind = r.weighted([
    [2, "literal"], [4, "number"], [6, "string"],
    [depth > 0 ? 3 : 0, "array"], [depth > 0 ? 3 : 0, "object"],
    [binaries && binaries.length < 8 ? 4 : 0, "binary"],
  ]);
  if (kind === "literal") return r.pick(["null", "true", "false"]);
  if (kind === "number") return r.chance(0.5) ? r.pick(NUMBERS) : String(r.int(1000) - 500);
  if (kind === "string") return randomString(r);
  if (kind === "binary") {
    binaries.push(r.bytes(r.pick([0, 1, 2, 3, 10, 100])));
    return `{"_placeholder":true,"num":${binaries.length - 1}}`;
  }
  const n = r.int(4);
  const space = r.chance(0.1) ? " " : "";
  const parts = [];
  for (let i = 0; i < n; i++) {
    const value = randomJson(r, depth - 1, binaries);
    parts.push(kind === "array" ? value : `${JSON.stringify(`k${i}`)}:${space}${value}`);
  }
  return kind === "array" ? `[${space}${parts.join(`,${space}`)}]` : `{${parts.join(",")}${space}}`;
}

function randomString(r) {
  const s = r.pick(STRINGS);
  if (!r.chance(0.1)) return JSON.stringify(s);
  return `"${[...s].map((c) => [...Array(c.length).keys()].map((i) => (
    `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`)).join("")).join("")}"`;
}

const SOME_JSON = [
  "null", "true", "0", "1", "-1", "1.5", "\"\"", "\"x\"", "[]", "{}", "[1]", "[\"a\",1]", "[[]]",
  "{\"a\":1}", "[null]", "10001", "1e400", "\"5\"",
];

function randomList(r, binaries) {
  return `[${Array.from({ length: r.int(4) }, () => randomJson(r, 2, binaries)).join(",")}]`;
}

// ---------------------------------------------------------------- sequences: HTTP

const ORIGINS = ["http://a.example", "http://b.example", "null", "https://a.example:8443"];

function requestHeaders(r) {
  const headers = [];
  if (r.chance(0.3)) headers.push(`Origin: ${r.pick(ORIGINS)}`);
  if (r.chance(0.1)) headers.push("Access-Control-Request-Headers: x-one,X-Two");
  if (r.chance(0.1)) headers.push("Access-Control-Request-Method: POST");
  if (r.chance(0.1)) headers.push(`User-Agent: ${r.pick(["test", "x;MSIE 8", "Trident/7", ""])}`);
  if (r.chance(0.1)) headers.push("Cookie: io=abc; other=1");
  if (r.chance(0.05)) headers.push("Connection: close");
  return headers;
}

function endpointQuery(r) {
  const parts = [];
  const eio = r.weighted([
    [12, "EIO=4"], [1, ""], [1, "EIO=5"], [1, "EIO=04"], [1, "EIO=%34"], [1, "EIO="], [1, "EIO"],
    [1, "EIO=4&EIO=5"], [1, "EIO=5&EIO=4"], [1, "EI%4f=4"],
  ]);
  const transport = r.weighted([
    [12, "transport=polling"], [2, "transport=websocket"], [1, ""], [1, "transport=foo"],
    [1, "transport=Polling"], [1, "transport=webtransport"], [1, "transport=p%6Flling"],
    [1, "transport=__proto__"], [1, "transport="], [1, "transport=polling&transport=foo"],
  ]);
  const sid = r.weighted([
    [10, ""], [1, "sid="], [1, "sid=abc"], [1, "sid=__proto__"], [1, "sid=AAAAAAAAAAAAAAAAAAAA"],
    [1, "sid=a%20b"], [3, "sid={{sid0}}"],
  ]);
  parts.push(eio, transport, sid);
  if (r.chance(0.2)) parts.push("t=abc.1");
  if (r.chance(0.1)) parts.push(r.pick(["b64=1", "b64=0", "b64="]));
  const odd = ["x=%zz", "x=%", "a=b=c", "=x", "&&", "q=%c3%a9", "a+b=c+d"];
  if (r.chance(0.15)) parts.push(r.pick(odd));
  if (r.chance(0.15)) parts.push(r.pick(["deny=1", "deny=2", "deny=3", "deny=%31", "deny"]));
  if (r.chance(0.2)) parts.push(r.pick(["hdr=1", "hdr=0", "hdr=%31"]));
  return r.shuffle(parts.filter((p) => p !== "")).join("&");
}

function endpointRequest(r, on) {
  const method = r.weighted([
    [14, "GET"], [2, "POST"], [1, "PUT"], [1, "DELETE"], [2, "OPTIONS"], [1, "HEAD"], [1, "PATCH"],
  ]);
  const path = r.weighted([
    [16, "/socket.io/"], [5, "/engine.io/"], [1, "/socket.io"], [1, "/socket.io/foo/bar"],
    [1, "/Socket.IO/"], [1, "/socket.ioX"], [1, "//socket.io/"], [1, "/socket%2eio/"],
    [1, "/engine.io"], [1, "/socket.io/socket.io.js"],
  ]);
  const query = endpointQuery(r);
  const op = { op: "request", on, method, target: `${path}?${query}`, headers: requestHeaders(r) };
  if (method === "POST" || method === "PUT") op.body = r.pick(["", "40", "4x", "1"]);
  const odd = method !== "GET" && method !== "POST" && method !== "OPTIONS";
  if (query.includes("{{sid0}}") && odd) op.tag = "E28";
  if (query.includes("{{sid0}}") && method === "GET") {
    op.mayWait = true;
    op.on += "-poll";  // nothing shall queue behind it
  }
  return op;
}

function plainRequest(r, on) {
  const method = r.weighted([
    [10, "GET"], [3, "HEAD"], [4, "POST"], [1, "PUT"], [1, "OPTIONS"], [1, "DELETE"],
  ]);
  const target = r.weighted([
    [4, "/healthz"], [1, "/healthz?x=1"], [1, "/healthz/"], [5, "/echo"], [1, "/echo?x"], [1, "/"],
    [1, "/nothing"], [8, "/static/"],
  ]);
  const name = r.pick([
    "hello.txt", "data.json", "page.html", "empty.txt", "none.txt", "../server.mjs", "%68ello.txt",
    "hello%2etxt", "%zz", "%", "%e9", "a%2fhello.txt", "hello.txt%00", "hello.TXT", ".txt", "hello",
    "hello.txt?x=1", "hello.txt/", "x.css", "caf%C3%A9.txt", "", "hello.txt%0a", "hello.txtx",
  ]);
  const op = { op: "request", on, method, headers: requestHeaders(r),
    target: target === "/static/" ? target + name : target };
  const bodies = ["", "hello", "\u00e9\u0000", "x".repeat(3000)];
  if (method === "POST" || method === "PUT") op.body = r.pick(bodies);
  return op;
}

function httpSequence(r) {
  const ops = [];
  const n = 1 + r.int(8);
  for (let i = 0; i < n; i++) {
    const on = r.chance(0.8) ? "h0" : `h${i}`;
    ops.push(r.chance(0.6) ? endpointRequest(r, on) : plainRequest(r, on));
  }
  return { ops };
}

const HOST = "Host: x\r\n";
const ECHO = `POST /echo HTTP/1.1\r\n${HOST}`;
const HEALTH = `GET /healthz HTTP/1.1\r\n${HOST}`;
const CHUNKED = `${ECHO}Transfer-Encoding: chunked\r\n`;

// [bytes, methods of the requests in it, tag]
const RAW_HTTP = [
  ["GET /healthz HTTP/1.1\r\n\r\n"],
  [`GET /healthz HTTP/1.1\r\n${HOST}${HOST}\r\n`, ["GET"], "T-host"],
  ["GET /healthz HTTP/1.0\r\n\r\n"],
  ["GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"],
  [`GET /healthz HTTP/1.2\r\n${HOST}\r\n`, ["GET"], "T-version"],
  [`GET /healthz HTTP/2.0\r\n${HOST}\r\n`, ["GET"], "T-version"],
  [`GET /healthz\r\n${HOST}\r\n`, ["GET"], "T-version"],
  ["\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"],
  ["hello\r\n\r\n"],
  [`FOO /healthz HTTP/1.1\r\n${HOST}\r\n`, ["FOO"], "T-method"],
  [`get /healthz HTTP/1.1\r\n${HOST}\r\n`, ["get"], "T-method"],
  ["GET /healthz HTTP/1.1\nHost: x\n\n"],
  [`GET\t/healthz HTTP/1.1\r\n${HOST}\r\n`],
  [`\r\n\r\n${HEALTH}\r\n`],
  [`GET  /healthz HTTP/1.1\r\n${HOST}\r\n`, ["GET"], "T-spaces"],
  [`${HEALTH}X : y\r\n\r\n`],
  [`${HEALTH}X\r\n\r\n`],
  [`${HEALTH}: y\r\n\r\n`],
  [`${HEALTH}X Y: z\r\n\r\n`],
  [`${HEALTH}X: y\r\n z\r\n\r\n`],
  [`${HEALTH}X: a\x00b\r\n\r\n`],
  [`${HEALTH}X: a\rb\r\n\r\n`],
  [`${HEALTH}X: a\x01b\r\n\r\n`],
  [`${HEALTH}X: a\x7fb\r\n\r\n`],
  [`${HEALTH}X: a\x80\xffb\r\n\r\n`],
  [`${HEALTH}X:\r\n\r\n`],
  [`GET /heal\x01thz HTTP/1.1\r\n${HOST}\r\n`],
  [`GET /heal thz HTTP/1.1\r\n${HOST}\r\n`],
  [`GET /heal\xe9thz HTTP/1.1\r\n${HOST}\r\n`],
  [`${HEALTH}X: ${"y".repeat(16400)}\r\n\r\n`],
  [`${HEALTH}X: ${"y".repeat(15000)}\r\n\r\n`],
  [`CONNECT x:80 HTTP/1.1\r\n${HOST}\r\n`, ["CONNECT"], "T-connect"],
  [`${ECHO}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  [`${CHUNKED}Content-Length: 2\r\n\r\n0\r\n\r\n`],
  [`${ECHO}Content-Length: 2\r\nContent-Length: 2\r\n\r\nab`],
  [`${ECHO}Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc`],
  [`${ECHO}Content-Length: 2, 2\r\n\r\nab`],
  [`${ECHO}Content-Length: +2\r\n\r\nab`],
  [`${ECHO}Content-Length: -2\r\n\r\nab`],
  [`${ECHO}Content-Length: 0x2\r\n\r\nab`],
  [`${ECHO}Content-Length:\r\n\r\nab`],
  [`${ECHO}Content-Length: 99999999999999999999\r\n\r\nab`],
  [`${ECHO}Content-Length: 002\r\n\r\nab`],
  [`${ECHO}Content-Length:  2 \r\n\r\nab`],
  [`${ECHO}Transfer-Encoding: gzip\r\n\r\n2\r\nab\r\n0\r\n\r\n`],
  [`${ECHO}Transfer-Encoding: identity\r\n\r\nab`],
  [`${ECHO}Transfer-Encoding: xchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`],
  [`${ECHO}Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nab\r\n0\r\n\r\n`],
  [`${CHUNKED}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`],
  [`${ECHO}Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`, ["POST"], "T-coding"],
  [`${ECHO}Transfer-Encoding: CHUNKED\r\n\r\n2\r\nab\r\n0\r\n\r\n`],
  [`${ECHO}Transfer-Encoding:\tchunked\r\n\r\n2\r\nab\r\n0\r\n\r\n`],
  [`${CHUNKED}\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n`],
  [`${CHUNKED}\r\n2;ext=1\r\nab\r\n0\r\nTrailer: x\r\n\r\n`],
  [`${CHUNKED}\r\n0x2\r\nab\r\n0\r\n\r\n`],
  [`${CHUNKED}\r\n2 \r\nab\r\n0\r\n\r\n`],
  [`${CHUNKED}\r\nzz\r\nab\r\n0\r\n\r\n`],
  [`${CHUNKED}\r\nfffffffffffffffff\r\nab\r\n0\r\n\r\n`],
  [`${CHUNKED}\r\n2\nab\n0\n\n`],
  [`${CHUNKED}\r\n2\r\nabc\r\n0\r\n\r\n`],
  [`${ECHO}Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab`],
  [`${ECHO}Expect: something\r\nContent-Length: 2\r\n\r\nab`, ["POST"], "T10"],
  [`${ECHO}Content-Length: 2\r\n\r\nabgarbage\r\n\r\n`, ["POST"], "T11"],
  [`${HEALTH}\r\n${HEALTH}\r\n`, ["GET", "GET"]],
  [`HEAD /healthz HTTP/1.1\r\n${HOST}\r\n${ECHO}Content-Length: 2\r\n\r\nab`, ["HEAD", "POST"]],
  [`${ECHO}Content-Length: 2\r\n\r\nab${HEALTH}\r\n`, ["POST", "GET"]],
  [`${HEALTH}Connection: close\r\n\r\n${HEALTH}\r\n`, ["GET", "GET"]],
  [`${ECHO}\r\n`, ["POST"]],
];

function rawHttpSequence(r) {
  const ops = [];
  for (let i = 0; i < 3; i++) {
    const [bytes, methods, tag] = r.pick(RAW_HTTP);
    ops.push({ op: "bytes", on: `h${i}`, bytes, methods, tag });
    if (tag) break;
  }
  return { ops };
}

// ---------------------------------------------------------------- sequences: WebSocket handshakes

function upgradeSequence(r) {
  const key = r.weighted([
    [10, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="], [1, ""], [1, "Sec-WebSocket-Key: abc"],
    [1, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ"],
  ]);
  const version = r.weighted([
    [10, "Sec-WebSocket-Version: 13"], [1, "Sec-WebSocket-Version: 8"], [1, ""],
    [1, "Sec-WebSocket-Version: 12"], [1, "Sec-WebSocket-Version: x"],
  ]);
  const upgrade = r.weighted([
    [10, "Upgrade: websocket"], [2, "Upgrade: WebSocket"], [1, "Upgrade: h2c"], [1, ""],
    [1, "Upgrade: websocket, x"],
  ]);
  const connection = r.weighted([
    [10, "Connection: Upgrade"], [2, "Connection: keep-alive, upgrade"], [1, ""],
    [1, "Connection: close"],
  ]);
  const only = [connection, upgrade, version, key, ...requestHeaders(r)].filter((h) => h !== "");
  const protocols = ["chat, superchat", "chat", "a,,b", "a b"];
  if (r.chance(0.1)) only.push(`Sec-WebSocket-Protocol: ${r.pick(protocols)}`);
  const deflate = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits";
  if (r.chance(0.1)) only.push(deflate);
  let raw = endpointQuery(r).replace("transport=polling", "transport=websocket");
  raw = raw.replace("{{sid0}}", "unknown");
  const method = r.chance(0.05) ? r.pick(["POST", "PUT"]) : "GET";
  const path = r.pick(["/socket.io/", "/socket.io/", "/engine.io/"]);
  const op = { op: "ws", raw, only, method, path };
  const eio = new URLSearchParams(raw).getAll("EIO").pop();
  if (eio !== "4") op.tag = "W11";
  if (/transport=p/.test(raw)) op.tag = "W-polling";
  if (upgrade.includes(",")) op.tag = "W04";
  if (only.some((h) => h.startsWith("Sec-WebSocket-Protocol"))) op.tag = "W07";
  return { ops: [op, { op: "send", c: 0, packets: ["40"] }], endAtTag: true };
}

// ---------------------------------------------------------------- sequences: Engine.IO

const text = (s, more) => frame({ data: Buffer.from(s), ...more });
const closing = (code, reason = Buffer.alloc(0)) => {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return frame({ op: 8, data: Buffer.concat([head, reason]) });
};

// [frames, tag]
const GOOD_FRAMES = [
  [text("4hello")], [text("4")], [text("4caf\u00e9")], [text("4\u{1f600}")], [text("0")],
  [text("3")], [text("3abc")], [text("5")], [text("6")], [text("bAQID")], [text("b")],
  [text("4a\x1e4b")], [frame({ op: 2, data: Buffer.from([1, 2, 3]) })], [frame({ op: 2 })],
  [frame({ op: 2, data: Buffer.alloc(70000, 7) }), "big"], [text("4" + "y".repeat(300))],
  [frame({ op: 9 })], [frame({ op: 9, data: Buffer.alloc(125, 1) })], [frame({ op: 10 })],
  [frame({ op: 10, data: Buffer.from("x") })],
  [Buffer.concat([text("4he", { fin: false }), frame({ op: 0, data: Buffer.from("llo") })])],
  [Buffer.concat([text("4he", { fin: false }), frame({ op: 9, data: Buffer.from("p") }),
    frame({ op: 0, fin: false }), frame({ op: 0, data: Buffer.from("llo") })])],
  [Buffer.concat([frame({ data: Buffer.from([0x34, 0xc3]), fin: false }),
    frame({ op: 0, data: Buffer.from([0xa9]) })])],
  [Buffer.concat([text("41"), text("42"), text("43")])],
  [text("4x", { form: 16 }), "W32"], [text("4x", { form: 64 }), "W32"],
  [text("4\ud7ff\ue000\uffff")],
];
const BAD_FRAMES = [
  [text("4x", { mask: false })], [text("4x", { rsv: 4 })], [text("4x", { rsv: 2 })],
  [text("4x", { rsv: 1 })], ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((op) => [frame({ op })]),
  [frame({ op: 0, data: Buffer.from("x") })],
  [Buffer.concat([text("4a", { fin: false }), text("4b")])],
  [Buffer.concat([text("4a", { fin: false }), frame({ op: 2 })])],
  [frame({ op: 9, fin: false })], [frame({ op: 9, data: Buffer.alloc(126) })],
  [frame({ op: 8, fin: false })], [frame({ op: 8, data: Buffer.from([3]) })], [frame({ op: 8 })],
  ...[0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013,
    1014, 1015, 1016, 1999, 2999, 3000, 4999, 5000, 65535].map((code) => [closing(code)]),
  [closing(1000, Buffer.from("bye"))], [closing(1000, Buffer.from([0xff]))],
  [frame({ data: Buffer.from([0x34, 0xff]) })], [frame({ data: Buffer.from([0x34, 0xc0, 0x80]) })],
  [frame({ data: Buffer.from([0x34, 0xed, 0xa0, 0x80]) })],
  [frame({ data: Buffer.from([0x34, 0xf4, 0x90, 0x80, 0x80]) })],
  [frame({ data: Buffer.from([0x34, 0xe2, 0x82]) })],
  [Buffer.concat([frame({ data: Buffer.from([0x34, 0xff]), fin: false }), frame({ op: 0 })])],
  [frame({ length: 2 ** 40, form: 64 })], [frame({ length: 2 ** 53, form: 64 })],
  [Buffer.concat([Buffer.from([0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]), Buffer.alloc(4)])],
  [text("2")], [text("2probe")], [text("9")], [text("abc")], [text("")], [text("7")], [text(" ")],
  [text("1"), "W37"], [text("b!!!!"), "P-base64"],
  [Buffer.concat([closing(1000), text("4late")])],
];

// [body, tag]
const GOOD_BODIES = [
  ["4hello"], ["4"], ["4caf\u00e9"], ["4a\x1e4b\x1e4c"], ["0"], ["3"], ["3abc"], ["5"], ["6"],
  ["bAQID"], ["b"], ["bAQ=="], ["bAQ"], ["b-_-_"], ["4a\x1ebAQID\x1e4b"], ["3\x1e4x"],
];
const BAD_BODIES = [
  [""], ["\x1e4a"], ["4a\x1e"], ["4a\x1e\x1e4b"], ["9"], ["abc"], ["2"], ["2probe"], ["1"],
  ["1\x1e4a"], ["4a\x1e9\x1e4b"], ["4a\x1e2"], [" "], ["7"], ["b!!!!", "P-base64"],
  ["\ufeff4a", "P32"],
];

function echoWebSocket(r, limit) {
  const ops = [{ op: "ws", path: "/engine.io/", query: r.chance(0.1) ? "&b64=1" : "" }];
  const n = r.int(8);
  for (let i = 0; i < n; i++) {
    const [bytes, tag] = r.pick(GOOD_FRAMES);
    if (tag === "big" && limit < 80000) continue;
    ops.push({ op: "frames", c: 0, bytes, tag: tag === "big" ? undefined : tag });
    if (tag === "W32") return { ops, raw: true };
  }
  const [bytes, tag] = r.pick(BAD_FRAMES);
  const good = r.chance(0.2) ? text("4first") : Buffer.alloc(0);
  const closes = bytes[0] === 0x88;
  ops.push({ op: "frames", c: 0, bytes: Buffer.concat([good, bytes]), closes, tag });
  ops.push({ op: "frames", c: 0, bytes: text("4after") });
  return { ops, raw: true };
}

function echoLimits(r, limit) {
  const over = r.int(2);
  const data = Buffer.concat([Buffer.from("4"), Buffer.alloc(limit - 1 + over, 120)]);
  const half = data.length >> 1;
  const bytes = r.chance(0.5) ? frame({ data }) : Buffer.concat([
    frame({ data: data.subarray(0, half), fin: false }),
    frame({ op: 0, data: data.subarray(half) }),
  ]);
  if (r.chance(0.5)) {
    return { ops: [{ op: "ws", path: "/engine.io/" }, { op: "frames", c: 0, bytes }], raw: true };
  }
  const ops = [
    { op: "poll", path: "/engine.io/", auto: r.chance(0.5) }, { op: "post", c: 0, body: data },
  ];
  if (over) ops[1].tag = "T15";
  if (over) return { ops, raw: true };
  ops.push({ op: "get", c: 0 });
  return { ops: ops[0].auto ? ops.slice(0, 2) : ops, raw: true };
}

function echoPolling(r) {
  const auto = r.chance(0.6);
  const ops = [{ op: "poll", path: "/engine.io/", auto }];
  const n = r.int(6);
  let buffered = false;
  for (let i = 0; i < n; i++) {
    const [body] = r.pick(GOOD_BODIES);
    ops.push({ op: "post", c: 0, body, headers: contentType(r) });
    buffered ||= /(^|\x1e)[4b]/.test(body);
    if (!auto && buffered && r.chance(0.5)) {
      ops.push({ op: "get", c: 0 });
      buffered = false;
    }
  }
  if (buffered && !auto) ops.push({ op: "get", c: 0 });
  ops.push(...endOfPolling(r, auto));
  return { ops, raw: true };
}

function contentType(r) {
  return r.weighted([
    [8, ["Content-Type: text/plain;charset=UTF-8"]], [1, []],
    [1, ["content-type: application/json"]],
    [1, ["Content-Type: application/x-www-form-urlencoded"]],
    [1, ["Content-Type: application/octet-stream; x=y"]],
  ]);
}

function endOfPolling(r, auto) {
  const after = { op: "request", on: "h9", method: "GET", headers: [], mayWait: true,
    target: "/engine.io/?EIO=4&transport=polling&sid={{sid0}}" };
  const kind = r.pick([
    "body", "body", "body", "octets", "overlap", "drop", "method", "abort", "utf8",
  ]);
  if (kind === "body") {
    const [body, tag] = r.pick(BAD_BODIES);
    return [{ op: "post", c: 0, body, tag }, after];
  }
  if (kind === "octets") {
    const headers = ["Content-Type: application/octet-stream"];
    return [{ op: "post", c: 0, body: "4x", headers }, after];
  }
  if (kind === "overlap") {
    return [...(auto ? [] : [{ op: "get", c: 0 }]), { op: "get", c: 0 }, after];
  }
  if (kind === "drop") {
    return [...(auto ? [] : [{ op: "get", c: 0 }]), { op: "drop", c: 0 }, after];
  }
  if (kind === "method") {
    const method = r.pick(["PUT", "DELETE", "PATCH", "HEAD"]);
    return [{ ...after, method, tag: "E28" }];
  }
  if (kind === "abort") {
    const head = "POST /engine.io/?EIO=4&transport=polling&sid={{sid0}} HTTP/1.1\r\nHost: x\r\n";
    return [{ op: "partial", on: "h8", bytes: `${head}Content-Length: 10\r\n\r\n4abc` }, after];
  }
  return [{ op: "post", c: 0, body: "4\xff\xfe", encoding: "latin1", tag: "P31" }, after];
}

Run.prototype.partial = async function partial(op) {  // a request that breaks off
  const c = new Connection(this, op.on);
  c.quiet = true;
  c.write(Buffer.from(this.fill(op.bytes), "latin1"));
  await this.settle();
  c.destroy();
};

// ---------------------------------------------------------------- sequences: Socket.IO

// [packet behind the 4, tag]; what closes a connection that joined "/" only
const BAD_PACKETS = [
  ["2/[\"message\"]"], ["2[]"], ["2{}"], ["2\"\""], ["2null"], ["2[null]"], ["2[true]"], ["2[{}]"],
  ["2[[]]"], ["2[\"connect\"]"], ["2[\"connect_error\"]"], ["2[\"disconnect\"]"],
  ["2[\"disconnecting\"]"], ["2[\"newListener\"]"], ["2[\"removeListener\"]"], ["2[\"message\""],
  ["2[\"message\",]"], ["2['message']"], ["2[\"message\",NaN]"], ["2[\"message\"]x"],
  ["2[\"message\"]]"], ["2[\"a\",01]"], ["2[\"a\",.5]"], ["2[\"a\",1.]"], ["2[\"a\",+1]"],
  ["2[\"a\",-]"], ["2[\"a\",tru]"], ["2[\"a\",\"\n\"]"], ["2[\"a\",\"\\x\"]"], ["2[\"a\",\"\\u12\"]"],
  ["2a[\"x\"]"], ["2-1[\"x\"]"], ["2+1[\"x\"]"], ["21.5[\"x\"]"], ["21e2[\"x\"]"], ["21,[\"x\"]"],
  ["2,[\"x\"]"], ["2/nope,[\"message\"]"], ["2/custom,[\"message\"]"], ["31{}"], ["31\"x\""], ["3a[]"],
  ["4"], ["4{}"], ["4\"x\""], ["1{}"], ["1[]"], ["1null"], ["1\"x\""], ["1,"], ["1/custom,"], ["0"],
  ["0{}"], ["7"], ["8"], ["9"], ["a"], ["-1"], [""], ["\u0661"], ["0null"], ["0[]"], ["0\"x\""],
  ["0{"], ["0custom"], ["5-[\"a\"]"], ["50-[\"a\"]"], ["5[\"a\"]"], ["5-1-[\"a\"]"], ["51.5-[\"a\"]"],
  ["5a-[\"a\"]"], ["511-[\"a\"]"], ["599999999-[\"a\"]"], ["51-[{\"_placeholder\":true,\"num\":0}]"],
  ["51-[\"connect\",{\"_placeholder\":true,\"num\":0}]"], ["6-[]"], ["60-1[]"], ["51-{}"],
  ["2 [\"message\"]", "S-space"], ["2 1[\"message\"]", "S-space"], [" ", "S-space"],
  ["501-[\"message\",{\"_placeholder\":true,\"num\":0}]", "S-count"], ["51-", "B-nameless"],
  ["2", "S16"], ["21", "S16"], ["29007199254740993[\"rooms\"]", "S26"],
  ["299999999999999999999999[\"rooms\"]", "S26"],
];
const HEADER = "{\"_placeholder\":true,\"num\":";
const BYTES = Buffer.from([1, 2, 3]);
// [packets, tag]
const BAD_BINARY = [
  [[`451-["message",${HEADER}1}]`, BYTES]], [[`451-["message",${HEADER}-1}]`, BYTES]],
  [[`451-["message",${HEADER}"0"}]`, BYTES]], [[`451-["message",${HEADER}null}]`, BYTES]],
  [["451-[\"message\",{\"_placeholder\":true}]", BYTES]], [[`451-["message",${HEADER}"splice"}]`, BYTES]],
  [[`451-["message",${HEADER}0.5}]`, BYTES], "B04"],
  [[`451-["message",${HEADER}0}]`, "42[\"message\"]"]], [[`451-["message",${HEADER}0}]`, "41"]],
  [[BYTES]], [["bAQID"]], [[`451-["message",${HEADER}0}]`, BYTES, BYTES], "D06"],
  [[`451-/nope,["message",${HEADER}0}]`, BYTES], "B15"],
  [[`451-["message",${HEADER}0},${HEADER}0}]`, BYTES], "B02"], [[`4511-["message",${HEADER}0}]`]],
];
// Packets that are odd but fine.
const ODD_PACKETS = [
  "42/,[\"message\"]", "42[1,\"a\"]", "42[1.5]", "42[-1]", "42[\"\"]", "42[\"message\"] \t\r\n",
  "42[\"message\",1e400]", "42[\"message\",{\"a\":1,\"a\":2}]", "43[]", "430[]", "4399999[]", "43", "431",
  "42[\"connection\"]", "42[\"error\"]", "42[\"Connect\"]", "42[\"ping\",1]", "42[\"__proto__\"]",
  "42[\"toString\"]", "40/nope", "40/nope,", "40/nope,{}", "40/custom?x=1,", "40//", "40/custom/",
  "42007[\"rooms\"]", "42[\"message\",{\"_placeholder\":true,\"num\":0}]", "40/dyn-", "40/dyn-1x",
  "40/dyn-\u0661", "42[\"message\",\"\\u0000\"]",
];

class SocketSequence {
  constructor(r, tag, features) {
    this.r = r;
    this.tag = tag;
    this.features = features;
    this.ops = [];
    this.clients = [];  // { polling, auto, nsps: [...], dead }
    this.next = 1;
    this.own = r.chance(0.1) ? `/fam-${tag}` : `/dyn-${tag}`;
    this.ids = 0;
    this.ended = false;
  }
  add(op) {
    if (this.ended) return;
    if (op.tag) this.drainAll();
    this.ops.push(op);
    if (op.tag) this.ended = true;
  }
  prefix(nsp) {
    return nsp === "/" ? "" : `${nsp},`;
  }
  connect() {
    const { r } = this;
    const c = this.clients.length;
    // other sequences emit to the whole family, which would answer a waiting GET at any time
    const polling = !this.own.startsWith("/fam-") && r.chance(0.35);
    const auto = r.chance(0.8);
    const queries = ["&a=1&a=2", "&x=%C3%A9+y", "&EIO=4", "&b64=1", "&hdr=1"];
    const query = r.chance(0.2) ? r.pick(queries) : "";
    const headers = r.chance(0.3) ? r.pick([
      ["User-Agent: tester", "X-Test: one", "X-Test: two"], ["Origin: http://a.example"],
      ["Cookie: a=b; c=d"], ["X-Test: caf\xe9"], ["X-Test:"], ["Origin:"],
      ["Cookie: a=b", "Cookie: c=d"],
    ]) : [];
    this.clients.push({ polling, auto, nsps: [], dead: false });
    this.add({ op: polling ? "poll" : "ws", auto, query, headers });
    this.join(c, r.weighted([[6, this.own], [3, "/"], [1, "/custom"], [1, "/with space"],
      [1, "/caf\u00e9"], [1, "/auth"]]));
    return c;
  }
  send(c, ...packets) {
    this.add({ op: "send", c, packets });
    this.drain(c);
  }
  // A client that does not poll by itself fetches what it may have got, at times; certain: now.
  drain(c, certain = this.r.chance(0.6)) {
    const client = this.clients[c];
    if (client.polling && !client.auto && certain) this.add({ op: "drain", c });
  }
  // What the reference keeps for the next GET ours may have sent already: before something that
  // may end a session, everything is fetched.
  drainAll() {
    this.clients.forEach((x, i) => this.drain(i, true));
  }
  join(c, nsp) {
    const { r } = this;
    const client = this.clients[c];
    let payload = "";
    if (nsp === "/auth") {
      payload = r.weighted([[6, "{\"token\":\"secret\"}"], [1, "{\"token\":\"slow\"}"],
        [1, "{\"token\":\"slow-bad\"}"], [1, "{\"token\":\"nodata\"}"], [1, "{\"token\":1}"],
        [1, "{}"], [1, ""]]);
    } else if (r.chance(0.3)) {
      payload = r.pick(["{}", "{\"a\":[1,\"x\"]}", "{\"deny\":true}", "{\"pid\":\"x\",\"offset\":\"y\"}",
        "{\"deny\":false}", "{\"pid\":1}"]);
    }
    const slow = payload.includes("slow");
    const manual = client.polling && !client.auto;
    const comma = payload ? "," : r.pick(["", ","]);
    const text = nsp === "/" ? `40${r.pick(["", "/", "/,"])}` : `40${nsp}${comma}`;
    this.add({ op: "send", c, packets: [text.replace(/\/$/, payload ? "/," : "/") + payload] });
    if (slow && !manual) {
      this.add({ op: "wait", c, re: payload.includes("bad") ? /^44\/auth/ : /^40\/auth/ });
    } else if (slow) {
      this.add({ op: "pause", ms: 400 });
    }
    this.drain(c, true);
    const refused = nsp === "/auth" ? !/"(secret|slow)"/.test(payload)
      : nsp.startsWith("/fam-") && payload.includes("\"deny\":true") && !this.famMade;
    if (nsp.startsWith("/fam-") && !refused) this.famMade = true;
    if (!refused && !client.nsps.includes(nsp)) client.nsps.push(nsp);
  }
  room() {
    const { r, tag } = this;
    return r.pick([`${tag}a`, `${tag}b`, `${tag}\u00e9`, `${tag} c`, `${tag}"`, `Z${tag}`]);
  }
  // A ROOMS argument. open: null and [] are all right.
  rooms(open) {
    const { r } = this;
    const kind = r.weighted([
      [4, "one"], [4, "some"], [open ? 3 : 0, "none"], [1, "id"], [0.6, "bad"],
    ]);
    if (kind === "one") return JSON.stringify(this.room());
    if (kind === "none") return r.pick(["null", "[]"]);
    if (kind === "id") return `"{{id${r.int(this.clients.length)}}}"`;
    const bad = ["1", "{}", "true", "[1]", `["${this.tag}a",null]`, "[[]]", "false"];
    if (kind === "bad") return r.pick(bad);
    return JSON.stringify(Array.from({ length: 1 + r.int(3) }, () => this.room()));
  }
  // An event to emit: name and arguments, as two JSON texts.
  call(binaries) {
    const { r } = this;
    if (r.chance(0.06)) return `${r.pick(SOME_JSON)},${r.pick(SOME_JSON)}`;
    const name = r.pick(["hi", "", "caf\u00e9", "it's", "error"]);
    return `"${name}",${randomList(r, binaries)}`;
  }
  event(c, nsp) {
    const { r } = this;
    const own = nsp === this.own;
    const binaries = r.chance(0.25) ? [] : null;
    const any = () => `{{id${r.int(this.clients.length)}}}`;
    const ms = () => r.pick(["0", "1", "5", "2.5", "10"]);
    const flag = () => r.pick(["true", "false", "1", "null", "\"true\""]);
    const k = this.next++;
    const leaving = r.weighted([[1, `"${any()}"`], [9, JSON.stringify(this.room())],
      [1, r.pick(SOME_JSON)]]);
    const reserved = `"${r.pick(["connect", "disconnect", "newListener", "x"])}",[]`;
    const namespaces = [`"${this.own}"`, "\"/\"", "\"/nope\"", "\"custom\"", "\"/custom\"", "1"];
    const list = [
      [6, () => ["message", randomList(r, binaries).slice(1, -1)]],
      [6, () => ["message-with-ack", randomList(r, binaries).slice(1, -1)]],
      [8, () => ["join", this.rooms(false)]],
      [3, () => ["leave", leaving]],
      [3, () => ["rooms", ""]],
      [own ? 3 : 0, () => ["nsp-rooms", ""]],
      [4, () => ["to", `${this.rooms(own)},${this.call(binaries)}`]],
      [4, () => ["in", `${this.rooms(own)},${this.call(binaries)}`]],
      [own ? 4 : 0, () => ["to-except",
        `${this.rooms(true)},${this.rooms(true)},${this.call(binaries)}`]],
      [own ? 3 : 0, () => ["broadcast", this.call(binaries)]],
      [own ? 3 : 0, () => ["nsp-emit", this.call(binaries)]],
      [3, () => ["nsp-emit-to",
        `${r.pick([`"${this.own}"`, "\"/nope\"", "\"\"", "1"])},${this.call(binaries)}`]],
      [3, () => ["private", `"${any()}",${this.call(binaries)}`]],
      [3, () => ["emit", r.chance(0.3) ? reserved : this.call(binaries)]],
      [1, () => ["emit-later", `${ms()},"later-${k}",[${k}]`, new RegExp(`"later-${k}"`)]],
      [1, () => ["ticks", `3,${r.pick(["1", "2", "5"])}`, "TICK"]],
      [1, () => ["flood", `${r.int(20)},${r.pick(["0", "1", "300"])}`]],
      [2, () => ["sandwich", ""]],
      [3, () => ["emit-binary",
        `${r.pick(["0", "1", "2", "3.0", "12"])},${r.pick(["0", "1", "300"])}`]],
      [2, () => ["volatile", r.pick(["1", "3"])]],
      [own ? 1 : 0, () => ["volatile-broadcast", r.pick(["1", "3"])]],
      [2, () => ["ack-twice", ""]],
      [1, () => ["ack-later", `${ms()},${randomJson(r, 2, binaries)}`, "ACK"]],
      [2, () => ["ack-binary", `${r.pick(["0", "1", "3", "12"])},${r.pick(["0", "5", "300"])}`]],
      [own ? 3 : 0, () => ["ask",
        `${this.call(binaries)}${r.pick(["", ",0", ",null", ",10000"])}`, "ANSWER"]],
      [own ? 1 : 0, () => ["ask", `"q${k}",[],${r.pick(["1", "15"])}`, "ACK"]],
      [own ? 2 : 0, () => ["ask-all",
        `${this.rooms(true)},${this.call(binaries)},10000`, "ANSWERS"]],
      [own ? 1 : 0, () => ["ask-all", `${this.rooms(true)},"q${k}",[],20`, "ACK"]],
      [own ? 2 : 0, () => ["ask-others",
        `${this.rooms(true)},${this.call(binaries)},10000`, "ANSWERS"]],
      [3, () => ["whoami", ""]],
      [2, () => ["set-data",
        r.chance(0.8) ? `{"v":${randomJson(r, 2, binaries)}}` : r.pick(SOME_JSON)]],
      [3, () => ["get-data", ""]],
      [own && !nsp.startsWith("/fam") ? 4 : 0, () => ["counters", ""]],
      [2, () => ["last-disconnects",
        r.pick([`["${any()}","${any()}"]`, "[]", "\"x\"", "[1]", "{}"])]],
      [2, () => ["nsp-exists", r.pick(namespaces)]],
      [own ? 2 : 0, () => ["nsp-size", ""]],
      [2, () => ["mw-mark", r.chance(0.7) ? randomString(r) : randomJson(r, 1, binaries)]],
      [1, () => ["mw-drop", "1"]],
      [2, () => ["mw-reject", r.pick(["", "null", "\"why\"", randomJson(r, 2, binaries)])]],
      [1, () => ["error", "1"]],
      [2, () => ["once", ""]],
      [1, () => [`unknown-${k}`, "1"]],
      [3, () => ["fetch-sockets", this.rooms(own)]],
      [3, () => ["sockets-join", `${this.rooms(own)},${this.rooms(false)}`]],
      [3, () => ["sockets-leave", `${this.rooms(own)},${this.rooms(false)}`]],
      [0.7, () => ["disconnect-sockets", `${this.rooms(own)},${flag()}`]],
      [0.5, () => ["disconnect-me", flag(), "END"]],
      [0.3, () => ["disconnect-me-later", `${ms()},false`,
        new RegExp(`^41${nsp === "/" ? "$" : nsp}`)]],
      [0.4, () => ["goodbye", flag(), "END"]],
      [0.3, () => ["engine-close", "", "END"]],
      [nsp.startsWith("/fam") ? 10 : 0, () => ["family-emit",
        `"fam:${this.tag}",${randomList(r, null)}`]],
    ];
    let [name, args, wait, tag] = r.weighted(list)();
    if (r.chance(0.04) && name !== "last-disconnects") {  // wrong types, too few, too many
      // in a namespace that others use no rooms (everybody) and no rooms of theirs
      const shared = !own && name !== "rooms";
      args = r.pick(["", ...SOME_JSON].filter((x) => !shared || !/^("|null$|\[\]$|$)/.test(x)));
      wait = /later/.test(name) ? "SOON" : undefined;  // 1.5 is a delay
    } else if (own && r.chance(0.07) && args !== "" && !args.includes("_placeholder")
      && name !== "last-disconnects" && name !== "family-emit") {
      // one wrong argument; what then happens after a short time is waited for
      const list = JSON.parse(`[${args}]`).map((x) => JSON.stringify(x));
      list[r.int(list.length)] = r.pick(SOME_JSON);
      args = list.join(",");
      wait = /later|ticks|ask/.test(name) ? "SOON" : undefined;
    } else if (r.chance(0.05) && args !== "" && !["message", "message-with-ack"].includes(name)) {
      args += ",\"extra\"";
    }
    const ack = r.chance(0.75) || wait === "ACK" ? String(k) : "";
    if (/disconnect|goodbye|close/.test(name)) this.drainAll();
    const [packets, bad] = this.eventPackets(nsp, ack, name, args, binaries);
    this.add({ op: "send", c, packets, tag: bad ?? tag });
    if (!wait) this.drain(c);
    this.after(c, nsp, wait, ack, name);
  }
  // What was pushed to binaries is in the arguments, unless they were replaced.
  eventPackets(nsp, ack, name, args, binaries) {
    const json = `[${JSON.stringify(name)}${args === "" ? "" : `,${args}`}]`;
    if (!binaries || binaries.length === 0 || !args.includes("_placeholder\":true")) {
      return [[`42${this.prefix(nsp)}${ack}${json}`]];
    }
    return [[`45${binaries.length}-${this.prefix(nsp)}${ack}${json}`, ...binaries]];
  }
  after(c, nsp, wait, ack, name) {
    const client = this.clients[c];
    const hears = !client.polling || client.auto || client.upgraded;
    if (wait === "END") {
      client.nsps = client.nsps.filter((x) => x !== nsp);
      if (name === "engine-close") client.nsps = [];
    } else if (wait === "ACK") {
      const re = new RegExp(`^4(3|6\\d+-)${this.prefix(nsp)}${ack}\\[`);
      if (hears) this.add({ op: "wait", c, re });
      else this.add({ op: "pause", ms: 100 });
    } else if (wait === "SOON") {
      this.add({ op: "pause", ms: 120 });
    } else if (wait === "TICK") {
      const re = new RegExp(`2${this.prefix(nsp)}\\["tick",2`);
      if (hears) this.add({ op: "wait", c, re });
      else this.add({ op: "pause", ms: 100 });
    } else if (wait === "ANSWER" || wait === "ANSWERS") {
      const who = wait === "ANSWER" ? [c] : this.r.shuffle(this.clients.map((x, i) => i));
      for (const i of who) {
        this.drain(i, true);
        this.add({ op: "answer", c: i, args: randomList(this.r, null) });
      }
    } else if (wait) {
      if (hears) this.add({ op: "wait", c, re: wait });
      else this.add({ op: "pause", ms: 100 });
    }
    if (!hears) this.drain(c);
  }
  violate(c) {
    const { r } = this;
    this.drainAll();
    const client = this.clients[c];
    const manual = client.polling && !client.auto && !client.upgraded;
    const nsps = client.nsps;
    if (r.chance(0.25)) {
      const [packets, tag] = r.pick(BAD_BINARY);
      const prefix = this.prefix(nsps[0] ?? "/");
      const filled = packets.map((p) => (typeof p === "string" && !p.includes("/nope")
        ? p.replace(/^(4[25])(\d+-)?/, `$1$2${prefix}`) : p));
      this.add({ op: "send", c, packets: filled, tag: tag ?? (manual ? "D05" : undefined) });
    } else {
      let [packet, tag] = r.pick(BAD_PACKETS);
      if (nsps.includes("/custom") && packet.includes("/custom")) packet = "9";
      const packets = [`4${packet}`];
      if (r.chance(0.1)) {
        packets.unshift(`42${this.prefix(nsps[0] ?? "/")}["message","first"]`);
        tag = "D06";
      }
      this.add({ op: "send", c, packets, tag: tag ?? (manual ? "D05" : undefined) });
    }
    client.nsps = [];
    this.drain(c);
  }
  leave(c) {
    const { r } = this;
    this.drainAll();
    const client = this.clients[c];
    const kind = r.pick(["packet", "drop", "close", "close"]);
    // what others emit to the family may cross the close, and then the reason is chance
    if (kind === "packet" || this.own.startsWith("/fam-")) {
      const nsp = r.pick(client.nsps.length ? client.nsps : ["/"]);
      this.send(c, `41${nsp === "/" ? "" : nsp}${r.pick(["", ","])}`.replace(/^41,$/, "41"));
      client.nsps = client.nsps.filter((x) => x !== nsp);
      return;
    }
    if (kind === "drop") this.add({ op: "drop", c });
    else if (client.polling && !client.upgraded) this.send(c, "1");
    else this.add({ op: "frames", c, closes: true,
      bytes: r.pick([closing(1000), closing(1001), frame({ op: 8 })]) });
    client.nsps = [];
    client.dead = true;
  }
  upgradeTransport(c) {
    const { r } = this;
    const client = this.clients[c];
    client.upgraded = true;
    this.add({ op: "upgrade", c });
    this.add({ op: "probe", c, text: "2probe" });
    this.add({ op: "pause", ms: 250 });  // the reference answers a waiting GET every 100 ms
    const message = `42${this.prefix(client.nsps[0])}["message",${this.next++}]`;
    if (r.chance(0.3)) this.add({ op: "send", c, packets: [message] });
    if (r.chance(0.3)) this.add({ op: "pause", ms: 250 });
    this.add({ op: "probe", c, text: "5" });
    if (r.chance(0.3)) {
      this.add({ op: "request", on: "h7", method: r.pick(["GET", "POST"]), headers: [], body: "40",
        target: `/socket.io/?EIO=4&transport=polling&sid={{sid${c}}}` });
    }
    if (r.chance(0.2)) this.add({ op: "upgrade", c, n: 1 });
  }
  step() {
    const { r } = this;
    const c = r.int(this.clients.length);
    const client = this.clients[c];
    const kind = r.weighted([
      [30, "event"], [1.2, "join"], [0.8, "violate"], [0.8, "leave"], [1.5, "odd"],
      [this.clients.length < 3 ? 3 : 0, "connect"],
      [client.auto && client.polling && !client.upgraded && client.nsps.length ? 1.5 : 0, "upgrade"],
    ]);
    const nsps = [this.own, "/", "/custom", "/auth", "/with space"];
    if (kind === "connect") return this.connect();
    if (client.dead) return undefined;
    if (kind === "violate") return this.violate(c);
    if (kind === "leave") return this.leave(c);
    if (kind === "upgrade") return this.upgradeTransport(c);
    if (kind === "join") return this.join(c, r.pick(nsps));
    if (kind === "odd") return this.send(c, r.pick(ODD_PACKETS));
    if (client.nsps.length === 0) return this.join(c, r.pick([this.own, "/"]));
    return this.event(c, r.pick(client.nsps));
  }
  make() {
    this.connect();
    const n = 5 + this.r.int(25);
    for (let i = 0; i < n && !this.ended; i++) this.step();
    if (!this.ended) {  // what became of everybody
      this.drainAll();
      const c = this.clients.length;
      this.clients.push({ nsps: ["/"] });
      this.ops.push({ op: "ws" }, { op: "send", c, packets: ["40"] });
      const ids = this.clients.slice(0, c).map((x, i) => `"{{id${i}}}"`).join(",");
      this.ops.push({ op: "send", c, packets: [`421["last-disconnects",[${ids}]]`] });
    }
    return { ops: this.ops, recovery: this.features.recovery };
  }
}

// ---------------------------------------------------------------- sequences: upgrades gone wrong

function oddUpgrade(r, tag) {
  const nsp = `/dyn-${tag}`;
  const auto = r.chance(0.5);
  const ops = [
    { op: "poll", auto }, { op: "send", c: 0, packets: [`40${nsp},`] },
    ...(auto ? [] : [{ op: "drain", c: 0 }]),
    { op: "upgrade", c: 0 },
  ];
  const say = () => ({ op: "send", c: 0, packets: [`42${nsp},1["message-with-ack",1]`] });
  const kind = r.pick(["garbage", "twice", "drop", "second", "client-close", "no-probe", "message",
    "server-close", "post"]);
  const probe = { op: "probe", c: 0, text: "2probe" };
  const tick = { op: "pause", ms: 250 };
  const five = { op: "probe", c: 0, text: "5" };
  if (kind === "garbage") {
    const garbage = r.pick(["2", "2probe2", "4x", "abc", "3probe", "", "1", "6", "0"]);
    ops.push({ op: "probe", c: 0, text: garbage }, say());
    if (!auto) ops.push({ op: "drain", c: 0 });
  } else if (kind === "twice") {
    ops.push(probe, probe, tick, five, say());
  } else if (kind === "drop") {
    ops.push(probe, { op: "drop", c: 0, probe: true, tag: "U-drop" }, tick, say());
    if (!auto) ops.push({ op: "drain", c: 0 });
    ops.push({ op: "upgrade", c: 0 }, probe, tick, five);
  } else if (kind === "second") {
    const again = (n) => ({ op: "upgrade", c: 0, n });
    ops.push(probe, again(1), tick, five, say(), again(2));
  } else if (kind === "client-close") {
    ops.push(probe, tick, { op: "post", c: 0, body: "1" });
  } else if (kind === "no-probe") {
    ops.push({ ...five, tag: "U-noprobe" });
  } else if (kind === "message") {
    ops.push(probe, tick, say(), say(), five, say());
  } else if (kind === "server-close") {
    ops.push(probe, tick, { op: "send", c: 0, packets: [`42${nsp},["disconnect-me",true]`] }, five);
  } else {
    ops.push(probe, tick, five, { op: "post", c: 0, body: "4x" }, { op: "get", c: 0 });
  }
  return { ops };
}

// ---------------------------------------------------------------- sequences: recovery

function recoverySequence(r, tag) {
  const nsp = r.chance(0.85) ? `/dyn-${tag}` : "/auth";
  const a = `${tag}a`;
  const b = `${tag}b`;
  const connect = (more) => `40${nsp},${JSON.stringify({ token: "secret", ...more })}`;
  const event = (c, ...args) => ({ op: "send", c, packets: [`42${nsp},1${JSON.stringify(args)}`] });
  const ops = [
    { op: "ws" }, { op: "send", c: 0, packets: [connect()] },
    { op: "ws" }, { op: "send", c: 1, packets: [connect()] },
    event(0, "join", [a]), event(1, "join", [a, b]),
  ];
  const emits = () => {
    const n = r.int(5);
    for (let i = 0; i < n; i++) {
      ops.push(r.pick([
        event(1, "to", a, "m", [i]), event(1, "to", b, "m", [i]),
        event(1, "in", [a, b], "m", [i, "x"]),
        event(1, "to-except", [], b, "m", [i]), event(1, "to-except", a, [a], "m", [i]),
        event(1, "to-except", `${tag}c`, [], "m", [i]),
        event(1, "private", "{{id0}}", "m", [i]), event(1, "message", i),
        { op: "send", c: 1, packets: [`451-${nsp},["to","${a}","m",[${HEADER}0}]]`, r.bytes(3)] },
      ]));
      if (nsp === "/auth" && ops[ops.length - 1].packets[0].includes("to-except\",[]")) ops.pop();
    }
  };
  emits();
  if (r.chance(0.5)) ops.push(event(0, "set-data", { x: r.int(9) }));
  if (r.chance(0.2)) ops.push(event(0, "leave", "{{id0}}"));
  if (r.chance(0.3)) ops.push(event(0, "join", `${tag}c`));
  ops.push(r.weighted([
    [5, { op: "drop", c: 0 }],
    [1, { op: "frames", c: 0, bytes: closing(1000), closes: true }],
    [1, { op: "frames", c: 0, bytes: frame({ op: 3 }) }],
    [1, { op: "send", c: 0, packets: [`41${nsp},`] }],
    [1, event(0, "disconnect-me", false)],
    [1, event(0, "disconnect-me", true)],
    [1, event(0, "engine-close")],
    [1, { op: "send", c: 0, packets: ["9"] }],
    [1, { op: "send", c: 0, packets: ["4abc"] }],
    [1, { op: "send", c: 0, packets: ["2"] }],
  ]));
  emits();
  const pid = r.weighted([[8, "{{pid0}}"], [1, "unknown-pid"], [1, "{{pid1}}"], [0.5, 5]]);
  const offset = r.weighted([[8, "{{offset0}}"], [1, "unknown"], [1, "{{offset1}}"], [0.5, null]]);
  const at = ops.filter((x) => x.op === "ws" || x.op === "poll").length;
  ops.push(r.chance(0.8) ? { op: "ws" } : { op: "poll", auto: true });
  ops.push({ op: "send", c: at, packets: [connect({ pid, offset })] });
  ops.push(event(at, "rooms"), event(at, "get-data"), event(at, "whoami"), event(at, "counters"));
  emits();
  ops.push(event(1, "fetch-sockets", a), event(1, "last-disconnects", ["{{id0}}"]));
  return { ops, recovery: true };
}

// ---------------------------------------------------------------- sequences: protocol 3

function protocol3(r, tag) {
  const polling = r.chance(0.5);
  const query = r.pick(["", "", "&b64=1"]);
  const ops = [{ op: polling ? "poll" : "ws", auto: true, protocol: 3, query }];
  const send = (...packets) => ops.push({ op: "send", c: 0, packets });
  const nsps = ["/"];
  const n = 3 + r.int(12);
  for (let i = 0; i < n; i++) {
    const nsp = r.pick(nsps);
    const prefix = nsp === "/" ? "" : `${nsp},`;
    const binaries = r.chance(0.3) ? [] : null;
    const kind = r.weighted([[8, "event"], [2, "ping"], [2, "join"], [1, "leave"], [0.6, "bad"]]);
    if (kind === "ping") send(r.pick(["2", "2probe", "6", "5", "0"]));
    else if (kind === "leave" && nsp !== "/") {
      send(`41${nsp}`);
      nsps.splice(nsps.indexOf(nsp), 1);
    } else if (kind === "join") {
      // not /caf\u00e9: the reference percent-encodes a name of protocol 3 and then knows no such one
      const name = r.pick(["/custom", `/dyn-${tag}`, "/auth", "/nope", "/Custom"]);
      if (nsps.includes(name)) continue;
      const auth = r.pick(["", ",", "?token=secret,", "?token=secret&x=1%20y,", "?token=nodata,",
        "?token=x"]);
      send(`40${name}${auth}`);
      if (name !== "/nope" && (name !== "/auth" || auth.includes("secret"))) nsps.push(name);
    } else if (kind === "bad") {
      if (polling && r.chance(0.5)) {
        const body = r.pick(["abc", ":4", "-1:4", "3:4", "0:", "1:3", "1:9", "1:1", "", "1:4", "x:4",
          "2:40"]);
        ops.push({ op: "post", c: 0, body });
      } else {
        send(r.pick(["3", "9", "40", "4abc", "42{}", "42/nope,[\"x\"]"]));
      }
      break;
    } else if (kind === "event") {
      const args = randomList(r, binaries).slice(1, -1);
      const name = r.pick(["message", "message-with-ack", "whoami", "sandwich", "rooms", "mw-mark",
        "get-data"]);
      const json = `${r.chance(0.7) ? i : ""}["${name}"${args && `,${args}`}]`;
      if (binaries?.length) send(`45${binaries.length}-${prefix}${json}`, ...binaries);
      else send(`42${prefix}${json}`);
    }
  }
  return { ops };
}

// ---------------------------------------------------------------- bursts

// Several packets in one read, all of them right.
function burstSequence(r, tag) {
  const nsp = `/dyn-${tag}`;
  const ops = [
    r.chance(0.6) ? { op: "ws" } : { op: "poll", auto: true },
    { op: "send", c: 0, packets: [`40${nsp},`] },
  ];
  // no counters: the reference counts the events of one read before it handles the first
  const names = ["message", "message-with-ack", "rooms", "sandwich", "ack-twice", "get-data"];
  for (let i = 0; i < 3; i++) {
    const packets = [];
    for (let k = 0, n = 1 + r.int(12); k < n; k++) {
      const binaries = r.chance(0.2) ? [] : null;
      const args = randomList(r, binaries).slice(1, -1);
      const json = `${i * 100 + k}["${r.pick(names)}"${args && `,${args}`}]`;
      if (binaries?.length) packets.push(`45${binaries.length}-${nsp},${json}`, ...binaries);
      else packets.push(`42${nsp},${json}`);
    }
    ops.push({ op: "send", c: 0, packets });
  }
  if (r.chance(0.2)) {
    const packets = ["40", r.pick(["40", "42[\"rooms\"]", "40/custom,"])];
    return { ops: [{ op: "ws" }, { op: "send", c: 0, packets, tag: "C-burst" }] };
  }
  return { ops };
}

// ---------------------------------------------------------------- the program

function makeSequence(seed, index, nonce, features) {
  const r = new Random(Math.imul(seed, 2654435761) ^ Math.imul(index + 1, 40503));
  r.next();
  const tag = `${nonce}${String(index).padStart(6, "0")}`;
  const makers = {
    http: [10, () => httpSequence(r)],
    raw: [4, () => rawHttpSequence(r)],
    handshake: [6, () => upgradeSequence(r)],
    "echo-ws": [10, () => echoWebSocket(r, features.limit)],
    "echo-polling": [10, () => echoPolling(r)],
    limits: [features.limit <= 100000 ? 3 : 0.1, () => echoLimits(r, features.limit)],
    events: [45, () => new SocketSequence(r, tag, features).make()],
    upgrade: [5, () => oddUpgrade(r, tag)],
    burst: [5, () => burstSequence(r, tag)],
    recovery: [features.recovery ? 30 : 0, () => recoverySequence(r, tag)],
    protocol3: [features.protocol3 ? 20 : 0, () => protocol3(r, tag)],
  };
  const names = options.only ? options.only.split(",") : Object.keys(makers);
  const name = r.weighted(names.map((n) => [makers[n][0], n]));
  const sequence = makers[name][1]();
  return { recovery: features.recovery, ...sequence, kind: name, index, tag };
}

function describe(op) {
  const show = (v) => (Buffer.isBuffer(v) ? `<${shorten(v.toString("hex"))}>`
    : v instanceof RegExp ? String(v) : Array.isArray(v) ? `[${v.map(show).join(", ")}]`
      : shorten(JSON.stringify(v) ?? ""));
  const isNothing = (v) => v === undefined || v === "" || (Array.isArray(v) && v.length === 0);
  const rest = Object.entries(op).filter(([k, v]) => k !== "op" && !isNothing(v));
  return `${op.op} ${rest.map(([k, v]) => `${k}=${show(v)}`).join(" ")}`;
}

// The first difference of two runs, by its step; null: none.
function compare(theirs, ours) {
  let first = null;
  for (const label of new Set([...theirs.transcripts.keys(), ...ours.transcripts.keys()])) {
    const a = theirs.transcripts.get(label) ?? [];
    const b = ours.transcripts.get(label) ?? [];
    let i = 0;
    while (i < a.length && i < b.length && a[i].text === b[i].text) i++;
    if (i === a.length && i === b.length) continue;
    const step = Math.min(a[i]?.step ?? Infinity, b[i]?.step ?? Infinity);
    if (!first || step < first.step) first = { label, step, i, a, b };
  }
  return first;
}

function report(sequence, d) {
  console.log(`\nDIFFERENCE seed ${options.seed} sequence ${sequence.index} (${sequence.kind}),`
    + ` at ${d.label}`);
  sequence.ops.slice(0, d.step + 1).forEach((op, i) => {
    console.log(`  ${i === d.step ? ">" : " "} ${i}: ${describe(op)}`);
  });
  const line = (x) => `      (${x.step}) ${x.text}`;
  const items = (list) => list.slice(d.i, d.i + 3).map(line).join("\n");
  if (d.i > 0) console.log(`  both:\n${line(d.a[d.i - 1])}`);
  console.log(`  reference:\n${items(d.a) || "      nothing"}`);
  console.log(`  ours:\n${items(d.b) || "      nothing"}`);
}

// A request of its own, for questions before the start.
function ask(port, target) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port, host: "127.0.0.1" });
    let all = "";
    socket.on("data", (data) => { all += data.toString("latin1"); });
    socket.on("error", reject);
    socket.on("close", () => resolve(all));
    socket.write(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
  });
}

async function findFeatures(port) {
  const open = await ask(port, "/socket.io/?EIO=4&transport=polling");
  const three = await ask(port, "/socket.io/?EIO=3&transport=polling");
  const run = new Run(new Server(port), { ops: [
    { op: "ws" }, { op: "send", c: 0, packets: ["40"] },
  ] });
  await run.execute();
  run.server.close();
  return {
    limit: Number(/"maxPayload":(\d+)/.exec(open)?.[1] ?? 1000000),
    protocol3: three.startsWith("HTTP/1.1 200"),
    recovery: run.clients[0].pid !== undefined,
  };
}

const options = {
  ours: 0, reference: 0, seed: 1, sequences: 1000, concurrency: 48, differences: 1,
  sequence: -1, only: "", flags: "",
};

function usage(message) {
  console.error(`${message}\nusage: differential.mjs [--ours PORT] [--reference PORT] [--flags FLAGS]`
    + " [--seed N] [--sequences N] [--sequence I] [--only KIND,...] [--concurrency N]"
    + " [--differences N]");
  process.exit(2);
}

function parseOptions(args) {
  for (let i = 0; i < args.length; i++) {
    const [name, inline] = args[i].replace(/^--/, "").split("=");
    if (!(name in options)) usage(`unknown option ${args[i]}`);
    const value = inline ?? args[++i];
    const isText = name === "only" || name === "flags";
    options[name] = isText ? value : Number(value);
    if (!isText && !Number.isInteger(options[name])) usage(`--${name} needs a number`);
  }
  if (!options.reference && !process.env.SIO_REFERENCE) {
    usage("--reference or SIO_REFERENCE is needed");
  }
}

const LONG = ["--ping-interval", "60000", "--ping-timeout", "60000", "--connect-timeout", "60000"];
const children = [];

// Starts a server and returns its port.
function startServer(command, ...args) {
  const flags = options.flags.split(" ").filter((x) => x !== "");
  const child = spawn(command, [...args, "--port", "0", ...LONG, ...flags],
    { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  return new Promise((resolve) => {
    child.on("error", (e) => usage(e.message));
    child.on("exit", (code, signal) => {
      if (stopping) return;
      console.error(`${command} ended: ${code ?? signal}`);
      process.exit(1);
    });
    child.stdout.on("data", (data) => resolve(Number(/listening on (\d+)/.exec(data)[1])));
  });
}

let stopping = false;
process.on("exit", () => {
  stopping = true;
  for (const child of children) child.kill();
});

async function main() {
  parseOptions(process.argv.slice(2));
  options.reference ||= await startServer("node", `${process.env.SIO_REFERENCE}/server.mjs`);
  options.ours ||= await startServer("build/fixture");
  const features = await findFeatures(options.reference);
  // Dynamic namespaces live on: another run with the same seed needs names of its own.
  const nonce = String(Date.now() % 100000000);
  const reference = new Server(options.reference);
  const ours = new Server(options.ours);
  const allowed = new Map();
  let next = Math.max(options.sequence, 0);
  const end = options.sequence >= 0 ? options.sequence + 1 : options.sequences;
  let found = 0;
  let operations = 0;
  const started = Date.now();

  async function worker() {
    while (next < end && found < options.differences) {
      const index = next++;
      const sequence = makeSequence(options.seed, index, nonce, features);
      const runs = [new Run(reference, sequence), new Run(ours, sequence)];
      await Promise.all(runs.map((run) => run.execute()));
      operations += sequence.ops.length;
      const d = compare(runs[0], runs[1]);
      if (!d || found >= options.differences) continue;
      const tag = sequence.ops.slice(0, d.step + 1).find((op) => op.tag)?.tag;
      if (tag !== undefined) {
        if (!(tag in ALLOWED)) throw new Error(`no such allowance: ${tag}`);
        allowed.set(tag, (allowed.get(tag) ?? 0) + 1);
        continue;
      }
      found++;
      report(sequence, d);
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, worker));

  reference.close();
  ours.close();
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  console.log(`seed ${options.seed}: ${next} sequences, ${operations} operations, ${seconds} s;`
    + ` ${found} differences`);
  for (const [tag, n] of [...allowed].sort()) {
    console.log(`  allowed ${tag} (${n}): ${ALLOWED[tag]}`);
  }
  process.exit(found > 0 ? 1 : 0);
}

await main();
