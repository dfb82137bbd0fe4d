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
 * Names, events and reasons are the official client's. Left out: connection state recovery, Blob,
 * WebTransport, onAny, send, open, close, checks of what the server says, and the options that
 * io(), at the end, does not name. */
"use strict";
{
class Emitter {
  #listeners = []; // [event, function, the function that off names]
  constructor(properties) { Object.assign(this, properties); }
  on(event, fn, name = fn) { this.#listeners.push([event, fn, name]); return this; }
  once(event, fn) {
    return this.on(event, (...args) => { this.off(event, fn); fn.apply(this, args); }, fn);
  }
  off(event, fn) {
    this.#listeners = this.#listeners.filter(([e, , f]) => (event ?? e) !== e || (fn ?? f) !== f);
    return this;
  }
  fire(event, ...args) {
    for (const [e, fn] of [...this.#listeners]) if (e === event) call(fn, this, args);
  }
}

/* A listener that throws is reported as usual, but the others and the connection go on. */
function call(fn, self, args) {
  try { fn.apply(self, args); } catch (error) { setTimeout(() => { throw error; }); }
}

/* A browser tells when it is "offline" or "online" again; who else runs this may have no events. */
const onWindow = (event, fn) => globalThis.addEventListener?.(event, fn);
const offWindow = (event, fn) => globalThis.removeEventListener?.(event, fn);

/* ---- Engine.IO packets ---------------------------------------------------------------------- */
const PACKETS = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const SEPARATOR = "\x1e"; // between the packets of one polling request or answer
const isBinary = (v) => v instanceof ArrayBuffer || ArrayBuffer.isView(v);
const encodePacket = ({ type, data = "" }) => isBinary(data) ? data : PACKETS.indexOf(type) + data;

function encodeText(packet) { // for HTTP: bytes become base64
  const data = encodePacket(packet);
  if (!isBinary(data)) return data;
  const bytes = new Uint8Array(data.buffer ?? data, data.byteOffset, data.byteLength);
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
  /* Takes packets: one, and as many more as the server allows in a body, at 3 bytes a letter. */
  async send(packets) {
    let body = encodeText(packets.shift());
    const { maxPayload } = this.engine.handshake;
    while (packets.length > 0 && 3 * (body.length + encodeText(packets[0]).length) < maxPayload)
      body += SEPARATOR + encodeText(packets.shift());
    this.writable = false;
    await this.#request("POST", body);
    this.writable = true;
    this.fire("drain");
  }
  async #request(method, body) {
    const credentials = this.engine.opts.withCredentials ? "include" : "same-origin";
    const options = { method, body, credentials, cache: "no-store", signal: this.#abort.signal };
    try {
      const answer = await fetch(this.engine.url("polling"), options);
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
    this.ws.onclose = (event) => this.fire("close", "transport close", event);
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
    onWindow("offline", this.#offline);
    this.#use(new TRANSPORTS[this.opts.transports[0]]({ engine: this }));
    this.transport.open();
  }
  url(transport) {
    const path = this.opts.path.replace(/\/?$/, "/"), sid = this.id ? `&sid=${this.id}` : "";
    return `${this.uri.origin}${path}?EIO=4&transport=${transport}${sid}`;
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
    if (type === "close") this.#closed("transport close");
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
    this.once("drain", () => this.#closed("forced close"));
    this.transport.resting = true;
    this.send("close");
  }
  #closed(reason, details) {
    if (this.readyState === "closed") return;
    Object.assign(this, { readyState: "closed", id: null });
    clearTimeout(this.#timer);
    offWindow("offline", this.#offline);
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

/* ---- Manager: a connection, one engine after the other, for sockets of several namespaces.
 * Events: reconnect_attempt, reconnect_error, reconnect. */
class Manager extends Emitter {
  nsps = {}; // sockets by their namespaces
  attempts = 0; // to reconnect
  readyState = "closed"; // "opening", "open"
  #timer; // limits an attempt, or ends a pause
  #incomplete; // a packet some of whose attachments are still to come
  get active() { return Object.values(this.nsps).filter((socket) => socket.active); }
  open() {
    if (this.readyState !== "closed") return;
    this.readyState = "opening";
    const engine = this.engine = new Engine({ uri: this.uri, opts: this.opts });
    const isCurrent = () => engine === this.engine && this.readyState !== "closed";
    engine.on("open", () => this.#opened())
      .on("data", (data) => { if (isCurrent()) this.#received(data); })
      .on("close", (...why) => { if (isCurrent()) this.#closed(...why); }).open();
    this.#timer = setTimeout(() => this.#closed("timeout"), this.opts.timeout);
  }
  #opened() {
    clearTimeout(this.#timer);
    this.readyState = "open";
    if (this.attempts > 0) this.fire("reconnect", this.attempts);
    this.attempts = 0;
    for (const socket of this.active) socket.join();
  }
  #shut() {
    this.#unpause();
    this.readyState = "closed";
    this.#incomplete = undefined;
    this.engine?.close();
  }
  #closed(reason, details) {
    const wasOpen = this.readyState === "open";
    const error = details instanceof Error ? details : new Error(reason);
    this.#shut();
    if (this.attempts > 0) this.fire("reconnect_error", error);
    for (const socket of this.active)
      if (wasOpen) socket.closed(reason, details);
      else socket.fire("connect_error", error);
    const { reconnection, reconnectionDelay: delay, reconnectionDelayMax: max } = this.opts;
    if (!reconnection || this.readyState !== "closed" || this.active.length === 0) return;
    // Each pause is about twice the last. Chance spreads the clients of a server that comes back.
    const pause = delay * 2 ** this.attempts++ * (0.5 + Math.random());
    this.#timer = setTimeout(this.#again, Math.min(pause, max));
    onWindow("online", this.#again);
  }
  #again = () => { // the pause is over, or there is a network again
    this.#unpause();
    this.fire("reconnect_attempt", this.attempts);
    if (this.attempts > 0) this.open();
  };
  #unpause() {
    clearTimeout(this.#timer);
    offWindow("online", this.#again);
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
const RESERVED = ["connect", "connect_error", "disconnect", "disconnecting"];
class Socket extends Emitter {
  active = false; // connected, or to be connected
  connected = false;
  sendBuffer = []; // emitted while not connected
  #flags = {}; // for the next emit
  #acks = new Map(); // what to call with an answer, by packet id
  #ids = 0;
  get volatile() { this.#flags.volatile = true; return this; }
  timeout(ms) { this.#flags.timeout = ms; return this; }
  connect() {
    if (this.io.readyState === "open" && !this.active) this.join();
    this.active = true;
    if (this.io.attempts === 0) this.io.open();
    return this;
  }
  disconnect() {
    if (this.connected) this.#send(DISCONNECT);
    this.#leave("io client disconnect");
    return this;
  }
  emit(event, ...args) {
    if (RESERVED.includes(event)) throw new Error(`"${event}" is a reserved event name`);
    const { timeout, volatile } = this.#flags, packet = { data: [event, ...args] };
    this.#flags = {};
    if (typeof args.at(-1) === "function") this.#expectAck(packet, packet.data.pop(), timeout);
    if (volatile && !(this.connected && this.io.engine.transport.writable)) return this;
    if (this.connected) this.#send(EVENT, packet.data, packet.id);
    else this.sendBuffer.push(packet);
    return this;
  }
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const ack = (error, answer) => error ? reject(error) : resolve(answer);
      this.emit(event, ...args, Object.assign(ack, { withError: true }));
    });
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
  join() {
    const auth = typeof this.auth === "function" ? this.auth : (send) => send(this.auth);
    auth((data) => this.#send(CONNECT, data));
  }
  received({ type, id, data }) {
    const answer = (...args) => this.#send(ACK, args, id);
    if (type === CONNECT) {
      Object.assign(this, { id: data.sid, connected: true });
      for (const packet of this.sendBuffer.splice(0)) this.#send(EVENT, packet.data, packet.id);
      this.fire("connect");
    }
    if (type === EVENT) this.fire(...data, ...(id ? [answer] : []));
    if (type === ACK) this.#acks.get(+id)?.(null, ...data);
    if (type === DISCONNECT) this.#leave("io server disconnect");
    if (type === CONNECT_ERROR) {
      this.#leave();
      this.fire("connect_error", Object.assign(new Error(data.message), { data: data.data }));
    }
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
globalThis.io = (address = "/", opts = {}) => {
  if (typeof address === "object") [address, opts] = ["/", address];
  opts = { path: "/socket.io", auth: undefined, transports: ["polling", "websocket"], upgrade: true,
    withCredentials: false, timeout: 20000, reconnection: true, reconnectionDelay: 1000,
    reconnectionDelayMax: 5000, autoConnect: true, forceNew: false, ...opts };
  const uri = new URL(address, globalThis.location?.href), nsp = decodeURI(uri.pathname);
  const key = uri.origin + opts.path, isOwn = opts.forceNew || managers[key]?.nsps[nsp];
  const manager = isOwn ? new Manager({ uri, opts }) : managers[key] ??= new Manager({ uri, opts });
  const socket = manager.nsps[nsp] = new Socket({ io: manager, nsp, auth: opts.auth });
  return manager.opts.autoConnect ? socket.connect() : socket;
};
}
