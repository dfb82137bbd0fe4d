/* sio.js - a small Socket.IO client for browsers: Socket.IO protocol 5 over Engine.IO protocol 4
 * SPDX-License-Identifier: MIT
 *
 *     const socket = io("/chat");
 *     socket.on("hi", (name) => console.log(name));
 *     socket.emit("hello", { n: 1 }, (answer) => console.log(answer));
 *
 * An Engine.IO packet is a digit, its type, and text. A message, 4, holds a Socket.IO packet: again
 * a type, the number of attachments and "-", the namespace and "," unless it is "/", the number of
 * the acknowledgement, and JSON. Attachments follow it, as binary messages.
 *
 *     0{"sid":"x9","pingInterval":25000,...}         open: the server begins a session
 *     40/chat,{"token":"abc"}                        message: CONNECT to the namespace /chat
 *     42/chat,7["hello",{"n":1}]                     message: EVENT that asks for an answer
 *     43/chat,7["fine"]                              message: ACK, the answer
 *     451-["photo",{"_placeholder":true,"num":0}]    message: EVENT with one attachment
 *
 * Names, events and reasons are the official client's. Left out: WebTransport, checks of what the
 * server says, what a Manager has beyond the names at its head, and the options that are not among
 * DEFAULTS. Beyond it: who is "online" again reconnects at once. */
"use strict";
{
class Emitter {
  #listeners = []; // [event, what to call], and [event, what to call, what once was given]
  constructor(properties) { Object.assign(this, properties); }
  on(event, fn) { this.#listeners.push([event, fn]); return this; }
  once(event, fn) {
    const last = (...args) => { this.off(event, last); fn.apply(this, args); };
    this.#listeners.push([event, last, fn]);
    return this;
  }
  off(...args) { // the first of these; without a function all of the event, or of every event
    const [event, fn] = args, all = this.#listeners;
    const i = all.findIndex(([e, ...fns]) => e === event && fns.includes(fn));
    if (args.length < 2) this.#listeners = all.filter(([e]) => args.length > 0 && e !== event);
    else if (i >= 0) all.splice(i, 1);
    return this;
  }
  removeListener(...args) { return this.off(...args); }
  removeAllListeners(...args) { return this.off(...args); }
  listeners(event) { return this.#listeners.filter(([e]) => e === event).map(([, fn]) => fn); }
  hasListeners(event) { return this.listeners(event).length > 0; }
  fire(event, ...args) { callAll(this.listeners(event), this, args); }
}

/* A listener that throws is reported as usual, but the others and the connection go on. */
function call(fn, self, args) {
  try { fn.apply(self, args); } catch (error) { setTimeout(() => { throw error; }); }
}
function callAll(fns, self, args) { for (const fn of [...fns]) call(fn, self, args); }

/* Takes that function, or all, out of a list. An index of -1 would count from the end. */
const drop = (fns, fn) => fn ? fns.splice(fns.indexOf(fn) >>> 0, 1) : fns.splice(0);

/* A browser tells when it is "offline" or "online" again; who else runs this may have no events. */
const page = globalThis.addEventListener ? globalThis : new EventTarget();

/* ---- Engine.IO packets ---------------------------------------------------------------------- */
const PACKETS = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const SEPARATOR = "\x1e"; // between the packets of one polling request or answer
const isBinary = (v) => v instanceof ArrayBuffer || ArrayBuffer.isView(v) || v instanceof Blob;
const encodePacket = ({ type, data = "" }) => isBinary(data) ? data : PACKETS.indexOf(type) + data;

async function encodeText(packet) { // for HTTP: bytes become base64
  const data = encodePacket(packet);
  if (!isBinary(data)) return data;
  const bytes = new Uint8Array(await new Blob([data]).arrayBuffer());
  return "b" + btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}

function decodePacket(data) {
  if (typeof data !== "string") return { type: "message", data };
  if (data[0] !== "b") return { type: PACKETS[data[0]], data: data.slice(1) };
  const bytes = Uint8Array.from(atob(data.slice(1)), (c) => c.charCodeAt(0));
  return { type: "message", data: bytes.buffer };
}

/* ---- Transports. Events: open, packet, drain (may send again), close (reason, details).
 * Polling: one GET waits at the server for packets; once it is answered, the next one goes. What
 * the client has to say goes out by POST, one at a time. */
class Polling extends Emitter {
  name = "polling";
  writable = true; // no POST is under way
  polling = true; // a GET is under way
  resting = false; // it is the last
  #abort = new AbortController();
  async open() {
    while (!this.resting)
      for (const data of (await this.#request("GET")).split(SEPARATOR))
        this.fire("packet", decodePacket(data));
    this.polling = false;
    this.fire("drain");
  }
  async send(packets) {
    this.writable = false; // what comes while a Blob is read stays behind it
    await this.#request("POST", this.#take(packets));
    this.writable = true;
    this.fire("drain");
  }
  /* Takes a packet, and as many more as the server allows in a body, at 3 bytes a letter. */
  async #take(packets) {
    let body = await encodeText(packets.shift());
    while (packets.length > 0) {
      const next = SEPARATOR + await encodeText(packets[0]);
      if (3 * (body.length + next.length) >= this.engine.handshake.maxPayload) break;
      body += next;
      packets.shift();
    }
    return body;
  }
  async #request(method, body) {
    const { withCredentials, extraHeaders: headers } = this.engine.opts, { signal } = this.#abort;
    const credentials = withCredentials ? "include" : "same-origin";
    const options = { method, headers, credentials, cache: "no-store", signal };
    try {
      const answer = await fetch(this.engine.url("polling"), { ...options, body: await body });
      if (!answer.ok) throw answer.status;
      return await answer.text();
    } catch (description) {
      const error = new Error(`xhr ${method === "GET" ? "poll" : "post"} error`);
      this.fire("close", "transport error", Object.assign(error, { description }));
      return "";
    }
  }
  close() { this.resting = true; this.#abort.abort(); }
}

class WebSocketTransport extends Emitter {
  name = "websocket";
  writable = true;
  open() {
    this.ws = new WebSocket(this.engine.url("websocket").replace("http", "ws"));
    this.ws.binaryType = "arraybuffer";
    this.ws.onopen = () => this.fire("open");
    this.ws.onmessage = ({ data }) => this.fire("packet", decodePacket(data));
    this.ws.onerror = () => this.fire("close", "transport error", new Error("websocket error"));
    this.ws.onclose = (context) => this.fire("close", "transport close",
      { description: "websocket connection closed", context });
  }
  send(packets) { for (const packet of packets.splice(0)) this.ws.send(encodePacket(packet)); }
  close() { this.ws.close(); }
}
const TRANSPORTS = { polling: Polling, websocket: WebSocketTransport };

/* ---- Engine: one session with its handshake, heartbeat and upgrade. Events: open, packet,
 * packetCreate, flush (what was written is on its way), drain, data, upgrading, upgrade, close. */
class Engine extends Emitter {
  readyState = "opening"; // "open", "closed"
  writeBuffer = []; // what the transport has not taken yet
  upgrading = false; // and so nothing is sent
  #probe; // the transport to upgrade to
  #timer; // of the heartbeat
  /* What is under way would break only once the heartbeat is missed. */
  #offline = () => this.#closed("transport close", { description: "network connection lost" });
  open() {
    if (this.uri.hostname !== "localhost") page.addEventListener("offline", this.#offline);
    this.#use(new TRANSPORTS[this.opts.transports[0]]({ engine: this }));
    this.transport.open();
  }
  url(transport) {
    const path = this.opts.path.replace(/\/?$/, "/");
    const query = new URLSearchParams(this.opts.query ?? this.uri.search);
    query.set("EIO", 4);
    query.set("transport", transport);
    if (this.id) query.set("sid", this.id);
    return `${this.uri.origin}${path}?${query}`;
  }
  #use(transport) {
    this.transport?.off();
    this.transport = transport.off().on("packet", (packet) => this.#received(packet))
      .on("drain", () => this.#flush()).on("close", (...why) => this.#closed(...why));
  }
  #received(packet) {
    const { type, data } = packet;
    this.fire("packet", packet);
    if (type === "open") this.#opened(JSON.parse(data));
    if (type === "ping") { this.send("pong"); this.#expectPing(); }
    if (type === "message") this.fire("data", data);
    if (type === "close")
      this.#closed("transport close", { description: "transport closed by the server" });
  }
  #opened(handshake) {
    Object.assign(this, { id: handshake.sid, handshake, readyState: "open" });
    this.#expectPing();
    this.fire("open");
    const better = handshake.upgrades.find((name) => this.opts.transports.includes(name));
    if (this.readyState === "open" && this.opts.upgrade && better)
      this.#upgrade(new TRANSPORTS[better]({ engine: this }));
  }
  #expectPing({ pingInterval, pingTimeout } = this.handshake) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#closed("ping timeout"), pingInterval + pingTimeout);
  }
  /* "2probe" and "3probe" go over the new transport while the old one carries on. Then the old one
   * comes to rest, and "5" over the new one says that it carries everything from now on. */
  #upgrade(probe) {
    this.#probe = probe;
    probe.on("open", () => probe.send([{ type: "ping", data: "probe" }]));
    probe.on("close", () => { if (this.upgrading) this.#closed("transport close"); });
    probe.on("packet", ({ type, data }) => {
      if (type !== "pong" || data !== "probe") return probe.close();
      this.upgrading = this.transport.resting = true;
      this.fire("upgrading", probe);
      this.transport.on("drain", () => {
        if (this.transport.polling || !this.transport.writable) return;
        this.#use(probe);
        probe.send([{ type: "upgrade" }]);
        this.upgrading = false;
        this.fire("upgrade", probe);
        this.#flush();
      });
    });
    probe.open();
  }
  send(type, data) {
    if (this.readyState !== "open") return;
    this.fire("packetCreate", { type, data });
    this.writeBuffer.push({ type, data });
    this.#flush();
  }
  #flush() {
    if (this.upgrading || !this.transport.writable) return;
    if (this.writeBuffer.length === 0) return this.fire("drain");
    this.transport.send(this.writeBuffer);
    this.fire("flush");
    this.#flush();
  }
  close() { // once everything and a goodbye is out
    if (this.readyState !== "open") return this.#closed("forced close");
    const closed = () => this.#closed("forced close");
    this.once("drain", closed);
    this.transport.off("close").on("close", closed); // as a GET that comes too late for the session
    this.transport.resting = true;
    this.send("close");
  }
  #closed(reason, details) {
    if (this.readyState === "closed") return;
    Object.assign(this, { readyState: "closed", id: null });
    clearTimeout(this.#timer);
    page.removeEventListener("offline", this.#offline);
    for (const transport of [this.transport, this.#probe]) transport?.off().close();
    this.fire("close", reason, details);
  }
}

/* ---- Socket.IO packets ---------------------------------------------------------------------- */
const CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3, CONNECT_ERROR = 4, BINARY = 3;

/* The messages of a packet: text, then its attachments, which add BINARY to EVENT or ACK. */
function encode({ type, nsp, id = "", data }) {
  const buffers = [];
  const json = JSON.stringify(data, function (key, value) { // this[key]: value before its toJSON
    return isBinary(this[key]) ? { _placeholder: true, num: buffers.push(this[key]) - 1 } : value;
  }) ?? "";
  const head = buffers.length > 0 ? `${type + BINARY}${buffers.length}-` : type;
  return [head + (nsp === "/" ? "" : nsp + ",") + id + json, ...buffers];
}

function decode(text) {
  const [, digit, missing = 0, nsp = "/", id, json] =
    /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d+)?(.*)$/s.exec(text);
  const type = digit - (digit > CONNECT_ERROR ? BINARY : 0);
  return { type, nsp, id, json, missing: +missing, buffers: [] };
}

/* ---- Options and addresses ------------------------------------------------------------------ */
const DEFAULTS = { path: "/socket.io", query: undefined, extraHeaders: undefined,
  transports: ["polling", "websocket"], upgrade: true, withCredentials: false, timeout: 20000,
  reconnection: true, reconnectionAttempts: Infinity, reconnectionDelay: 1000,
  reconnectionDelayMax: 5000, randomizationFactor: 0.5, autoConnect: true,
  multiplex: true, forceNew: false, // of io
  auth: undefined, ackTimeout: undefined, retries: 0 }; // of a socket

function locate(address) { // "localhost:3000" is a host, though it looks like a scheme
  const url = /^(\/|(http|ws)s?:\/\/)/.test(address || "/") ? address || "/" : `//${address}`;
  return new URL(url.replace(/^ws/, "http"), globalThis.location?.href ?? "https://localhost");
}

/* ---- Manager: a connection, one engine after the other, for sockets of several namespaces.
 * Methods: open, socket. Events: error, ping, reconnect_attempt, reconnect_error, reconnect_failed,
 * reconnect. */
class Manager extends Emitter {
  nsps = {}; // sockets by their namespaces
  attempts = 0; // to reconnect
  readyState = "closed"; // "opening", "open"
  #timer; // limits an attempt, or ends a pause
  #incomplete; // a packet some of whose attachments are still to come
  constructor(address, opts) { super({ uri: locate(address), opts: { ...DEFAULTS, ...opts } }); }
  get active() { return Object.values(this.nsps).filter((socket) => socket.active); }
  socket(nsp, opts) {
    const socket = this.nsps[nsp] ??= new Socket(this, nsp, opts ?? {});
    return this.opts.autoConnect && !socket.active ? socket.connect() : socket;
  }
  open() {
    if (this.readyState !== "closed") return this;
    this.readyState = "opening";
    const engine = this.engine = new Engine({ uri: this.uri, opts: this.opts });
    const isCurrent = () => engine === this.engine && this.readyState !== "closed";
    engine.on("open", () => this.#opened())
      .on("packet", ({ type }) => { if (type === "ping") this.fire("ping"); })
      .on("data", (data) => { if (isCurrent()) this.#received(data); })
      .on("close", (...why) => { if (isCurrent()) this.#closed(...why); }).open();
    this.#timer = setTimeout(() => this.#closed("timeout"), this.opts.timeout);
    return this;
  }
  #opened() {
    const { attempts } = this;
    clearTimeout(this.#timer);
    Object.assign(this, { readyState: "open", attempts: 0 });
    for (const socket of this.active) socket.join();
    if (attempts > 0) this.fire("reconnect", attempts);
  }
  #shut() {
    this.#unpause();
    this.readyState = "closed";
    this.#incomplete = undefined;
    this.engine?.close();
  }
  #closed(reason, details) {
    const wasOpen = this.readyState === "open", isAgain = this.attempts > 0;
    const error = details instanceof Error ? details : new Error(reason);
    this.#shut();
    if (!wasOpen || error === details) this.fire("error", error);
    for (const socket of this.active)
      if (wasOpen) socket.closed(reason, details);
      else socket.fire("connect_error", error);
    if (this.opts.reconnection && this.readyState === "closed" && this.active.length > 0)
      this.#pause();
    if (isAgain) this.fire("reconnect_error", error);
  }
  /* Each pause is about twice the last. Chance spreads the clients of a server that comes back. */
  #pause() {
    const { reconnectionDelay: delay, reconnectionDelayMax: max } = this.opts;
    const chance = 1 + this.opts.randomizationFactor * (2 * Math.random() - 1);
    if (this.attempts >= this.opts.reconnectionAttempts) {
      this.attempts = 0;
      return this.fire("reconnect_failed");
    }
    this.#timer = setTimeout(this.#again, Math.min(delay * 2 ** this.attempts++ * chance, max));
    page.addEventListener("online", this.#again);
  }
  #again = () => { // the pause is over, or there is a network again
    this.#unpause();
    this.fire("reconnect_attempt", this.attempts);
    if (this.attempts > 0) this.open();
  };
  #unpause() {
    clearTimeout(this.#timer);
    page.removeEventListener("online", this.#again);
  }
  #received(data) {
    const packet = this.#incomplete ?? decode(data), { buffers, missing, json, nsp } = packet;
    if (this.#incomplete) buffers.push(data);
    this.#incomplete = buffers.length < missing ? packet : undefined;
    if (this.#incomplete || !this.nsps[nsp]?.active) return;
    packet.data = json && JSON.parse(json, (key, value) =>
      missing > 0 && value?._placeholder === true ? buffers[value.num] : value);
    this.nsps[nsp].received(packet);
  }
  send(packet) { for (const data of encode(packet)) this.engine.send("message", data); }
  left() { // the last socket takes the connection with it
    if (this.active.length > 0) return;
    this.attempts = 0;
    this.#shut();
  }
}

/* ---- Socket: a namespace. Events: connect, connect_error, disconnect, the application's ------ */
const RESERVED =
  ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"];
class Socket extends Emitter {
  active = false; // connected, or to be connected
  connected = false;
  recovered = false; // the server knew it again, and sends what it missed
  sendBuffer = []; // emitted while not connected
  #flags = {}; // for the next emit
  #acks = new Map(); // what to call with an answer, by packet id
  #ids = 0;
  #queue = []; // with the option retries: what is not answered yet
  #any = [];
  #anyOutgoing = [];
  #session = {}; // what the server may know it by: pid, and the offset of the last event
  constructor(io, nsp, opts) { super({ io, nsp, opts, auth: opts.auth }); }
  get disconnected() { return !this.connected; }
  get volatile() { this.#flags.volatile = true; return this; }
  timeout(ms) { this.#flags.timeout = ms; return this; }
  compress() { return this; } // the browser decides that
  onAny(fn) { this.#any.push(fn); return this; }
  prependAny(fn) { this.#any.unshift(fn); return this; }
  offAny(fn) { drop(this.#any, fn); return this; }
  listenersAny() { return this.#any; }
  onAnyOutgoing(fn) { this.#anyOutgoing.push(fn); return this; }
  prependAnyOutgoing(fn) { this.#anyOutgoing.unshift(fn); return this; }
  offAnyOutgoing(fn) { drop(this.#anyOutgoing, fn); return this; }
  listenersAnyOutgoing() { return this.#anyOutgoing; }
  open() { return this.connect(); }
  connect() {
    if (this.io.readyState === "open" && !this.active) this.join();
    this.active = true;
    if (this.io.attempts === 0) this.io.open();
    return this;
  }
  close() { return this.disconnect(); }
  disconnect() {
    if (this.connected) this.#send(DISCONNECT);
    this.#leave("io client disconnect");
    return this;
  }
  send(...args) { return this.emit("message", ...args); }
  emit(event, ...args) {
    if (RESERVED.includes(event)) throw new Error(`"${event}" is a reserved event name`);
    const flags = this.#flags, data = [event, ...args], { retries } = this.opts;
    this.#flags = {};
    if (!retries || flags.volatile) this.#emit(data, flags);
    else {
      const fn = typeof data.at(-1) === "function" ? data.pop() : () => {};
      this.#queue.push({ data, flags, fn, retries });
      this.#next();
    }
    return this;
  }
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const ack = (error, answer) => error ? reject(error) : resolve(answer);
      this.emit(event, ...args, Object.assign(ack, { withError: true }));
    });
  }
  #emit(data, { volatile, timeout = this.opts.ackTimeout }) {
    const packet = { data };
    if (typeof data.at(-1) === "function") this.#expectAck(packet, data.pop(), timeout);
    if (volatile && !(this.connected && this.io.engine.transport.writable)) return;
    if (this.connected) this.#sendEvent(packet);
    else this.sendBuffer.push(packet);
  }
  /* One after the other: each again until it is answered, or has had its retries. */
  #next() {
    const [first] = this.#queue;
    if (!this.connected || !first || first.pending) return;
    first.pending = true;
    const ack = (error, ...answer) => {
      first.pending = false;
      if (!error || first.retries-- === 0) call(this.#queue.shift().fn, this, [error, ...answer]);
      this.#next();
    };
    this.#emit([...first.data, Object.assign(ack, { withError: true })], first.flags);
  }
  /* With a time limit, or a promise, the function's first argument is an error or null. */
  #expectAck(packet, fn, timeout) {
    const id = packet.id = this.#ids++, withError = fn.withError || timeout !== undefined;
    const timer = timeout !== undefined && setTimeout(() => {
      this.sendBuffer = this.sendBuffer.filter((waiting) => waiting !== packet);
      this.#acks.get(id)(new Error("operation has timed out"));
    }, timeout);
    this.#acks.set(id, (error, ...args) => {
      clearTimeout(timer);
      this.#acks.delete(id);
      if (withError) call(fn, this, [error, ...args]);
      else if (!error) call(fn, this, args);
    });
  }
  #send(type, data, id) { this.io.send({ type, nsp: this.nsp, data, id }); }
  #sendEvent({ data, id }) {
    callAll(this.#anyOutgoing, this, data);
    this.#send(EVENT, data, id);
  }
  join() {
    const { pid, offset } = this.#session;
    const send = (data) => this.#send(CONNECT, pid ? { pid, offset, ...data } : data);
    if (typeof this.auth === "function") call(this.auth, this, [send]);
    else send(this.auth);
  }
  received({ type, id, data }) {
    const answer = (...args) => {
      if (id) this.#send(ACK, args, id);
      id = undefined; // there is one answer
    };
    if (type === CONNECT) this.#connected(data);
    if (type === EVENT) this.#event(id ? [...data, answer] : data);
    if (type === ACK) this.#acks.get(+id)?.(null, ...data);
    if (type === DISCONNECT) this.#leave("io server disconnect");
    if (type === CONNECT_ERROR) {
      this.#leave();
      this.fire("connect_error", Object.assign(new Error(data.message), { data: data.data }));
    }
  }
  #connected({ sid, pid }) {
    this.recovered = pid !== undefined && pid === this.#session.pid;
    this.#session.pid = pid;
    Object.assign(this, { id: sid, connected: true });
    for (const packet of this.sendBuffer.splice(0)) this.#sendEvent(packet);
    this.#next();
    this.fire("connect");
  }
  #event(args) {
    callAll(this.#any, this, args);
    this.fire(...args);
    if (this.#session.pid && typeof args.at(-1) === "string") this.#session.offset = args.at(-1);
  }
  closed(reason, details) {
    const wasConnected = this.connected;
    Object.assign(this, { connected: false, id: undefined });
    if (wasConnected) this.fire("disconnect", reason, details);
    const unsent = this.sendBuffer.map((packet) => packet.id);
    for (const [id, ack] of [...this.#acks])
      if (!unsent.includes(id)) ack(new Error("socket has been disconnected"));
  }
  #leave(reason) {
    this.active = false;
    this.io.left();
    this.closed(reason);
  }
}

/* ---- io(address, options) ------------------------------------------------------------------- */
const managers = {}; // by origin and path
const io = (address, opts) => {
  if (typeof address === "object") [address, opts] = ["/", address];
  const { origin, pathname } = locate(address), nsp = decodeURI(pathname);
  const { path, forceNew, multiplex } = { ...DEFAULTS, ...opts }, key = origin + path;
  const isOwn = forceNew || !multiplex || managers[key]?.nsps[nsp];
  const manager = isOwn ? new Manager(address, opts) : managers[key] ??= new Manager(address, opts);
  return manager.socket(nsp, opts);
};
globalThis.io = Object.assign(io, { io, connect: io, Manager, Socket });
}
