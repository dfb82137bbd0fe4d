/* sio.js - a small Socket.IO client for browsers: Socket.IO protocol 5 over Engine.IO protocol 4
 * SPDX-License-Identifier: MIT
 *
 *     const socket = io("/chat");
 *     socket.on("hi", (name) => console.log(name));
 *     socket.emit("hello", { n: 1 }, (answer) => console.log(answer));
 *
 * Five layers, bottom up; each is an emitter of events and calls only the one below:
 *
 *     Polling, WebSocketTransport   packets over HTTP requests; packets over a WebSocket
 *     Engine                        one Engine.IO session: handshake, heartbeat, upgrade
 *     Manager                       the connection: renews its engine, is shared by its sockets
 *     Socket                        one namespace: events, acknowledgements, what waits unsent
 *     io()                          finds or makes manager and socket for an address
 *
 * Names, options, events and reasons are those of the official client, version 4. Left out:
 * WebTransport, Engine.IO 3, the options retries and parser. */
"use strict";
(() => {

class Emitter {
  #map = new Map();
  listeners(event) { return this.#map.get(event) ?? []; }
  on(event, fn) { this.#map.set(event, [...this.listeners(event), fn]); return this; }
  once(event, fn) {
    const once = (...args) => { this.off(event, once); fn.apply(this, args); };
    return this.on(event, Object.assign(once, { fn }));
  }
  off(event, fn) {
    const rest = this.listeners(event).filter((f) => fn && f !== fn && f.fn !== fn);
    if (event === undefined) this.#map.clear();
    else this.#map.set(event, rest);
    return this;
  }
  fire(event, ...args) { this.listeners(event).forEach((fn) => call(fn, args, this)); }
}

/* A listener that throws is reported as usual, but the others and the connection go on. */
function call(fn, args, self) {
  try { fn.apply(self, args); } catch (error) { setTimeout(() => { throw error; }); }
}

/* Sets several listeners; returns a function that removes them. */
function listen(emitter, listeners) {
  for (const event in listeners) emitter.on(event, listeners[event]);
  return () => { for (const event in listeners) emitter.off(event, listeners[event]); };
}

/* ---- Engine.IO packets: a digit and text; or bytes, which are always a message -------------- */

const PACKETS = ["open", "close", "ping", "pong", "message", "upgrade", "noop"];
const SEPARATOR = "\x1e"; // between the packets of one polling request or answer

const isBinary = (v) => v instanceof ArrayBuffer || ArrayBuffer.isView(v) || v instanceof Blob;

function encodePacket({ type, data }) {
  return isBinary(data) ? data : PACKETS.indexOf(type) + (data ?? "");
}

function decodePacket(data) {
  if (typeof data !== "string") return { type: "message", data };
  if (data[0] === "b") {
    const bytes = Uint8Array.from(atob(data.slice(1)), (c) => c.charCodeAt(0));
    return { type: "message", data: bytes.buffer };
  }
  return { type: PACKETS[data[0]] ?? "error", data: data.slice(1) || undefined };
}

async function toBase64(packet) { // HTTP bodies are text here
  const data = encodePacket(packet);
  if (!isBinary(data)) return data;
  const bytes = new Uint8Array(await new Response(data).arrayBuffer());
  return "b" + btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), ""));
}

/* ---- Transports. Events: open, packet, drain (may send again), error, close ----------------- */

class Transport extends Emitter {
  state = "opening"; // "open", "closed"
  writable = false;
  constructor(engine) { super(); this.engine = engine; }
  isOpen() { this.state = "open"; this.isWritable(); this.fire("open"); }
  isWritable() { this.writable = true; this.fire("drain"); }
  isClosed(message, details) {
    if (this.state === "closed") return;
    this.state = "closed";
    if (message) this.fire("error", Object.assign(new Error(message), { description: details }));
    else this.fire("close", details);
  }
}

/* One GET waits at the server for packets; once it is answered, the next one goes. What the client
 * has to say goes out by POST, one at a time. */
class Polling extends Transport {
  name = "polling";
  #polling = false;
  #paused = false;
  #abort = new AbortController();

  async #request(body) {
    const { withCredentials, extraHeaders } = this.engine.opts;
    const answer = await fetch(this.engine.url("polling"), {
      method: body === undefined ? "GET" : "POST", body, headers: extraHeaders, cache: "no-store",
      credentials: withCredentials ? "include" : "same-origin", signal: this.#abort.signal,
    });
    if (!answer.ok) throw answer.status;
    return answer.text();
  }
  async open() {
    this.#polling = true;
    try {
      for (const packet of (await this.#request()).split(SEPARATOR).map(decodePacket)) {
        if (packet.type === "close") this.isClosed();
        if (this.state === "closed") return;
        if (this.state === "opening") this.isOpen();
        this.fire("packet", packet);
      }
    } catch (error) { return this.isClosed("xhr poll error", error); }
    this.#polling = false;
    this.fire("drain");
    if (this.state === "open" && !this.#paused) this.open();
  }
  async send(packets) {
    this.writable = false;
    try {
      await this.#request((await Promise.all(packets.map(toBase64))).join(SEPARATOR));
    } catch (error) { return this.isClosed("xhr post error", error); }
    this.isWritable();
  }
  /* Sends no further GET, and calls done once no request is under way. */
  pause(done) {
    this.#paused = true;
    const check = () => {
      if (this.#polling || !this.writable) return;
      this.off("drain", check);
      done();
    };
    this.on("drain", check);
    check();
  }
  close() {
    const goodbye = this.state === "open" ? this.#request("1").catch(() => {}) : Promise.resolve();
    goodbye.then(() => this.#abort.abort());
    this.state = "closed";
  }
}

class WebSocketTransport extends Transport {
  name = "websocket";
  open() {
    this.ws = new WebSocket(this.engine.url("websocket"));
    this.ws.binaryType = "arraybuffer";
    this.ws.onopen = () => this.isOpen();
    this.ws.onmessage = ({ data }) => this.fire("packet", decodePacket(data));
    this.ws.onerror = (event) => this.isClosed("websocket error", event);
    this.ws.onclose = (event) => this.isClosed("", event);
  }
  send(packets) {
    this.writable = false;
    packets.forEach((packet) => this.ws.send(encodePacket(packet)));
    queueMicrotask(() => this.isWritable());
  }
  close() { this.state = "closed"; this.ws.close(); }
}

const TRANSPORTS = { polling: Polling, websocket: WebSocketTransport };

/* ---- Engine. Events: handshake, open, packet, packetCreate, flush (the written packets are on
 * their way), drain, data, ping, upgrading, upgrade, upgradeError, error, close --------------- */

class Engine extends Emitter {
  readyState = "opening"; // "open", perhaps "closing", "closed"
  upgrading = false; // polling comes to rest; nothing is sent
  writeBuffer = []; // what the transport has not taken yet
  #deadline = Infinity; // when the server's next ping is overdue
  #offline = () => this.#closed("transport close");

  constructor(uri, opts) {
    super();
    Object.assign(this, { uri, opts, transports: opts.transports ?? Object.keys(TRANSPORTS) });
    this.#use(new TRANSPORTS[this.transports[0]](this));
    this.transport.open();
    if (uri.hostname !== "localhost") globalThis.addEventListener?.("offline", this.#offline);
  }
  url(transport) {
    const url = new URL(this.opts.path.replace(/\/?$/, "/"), this.uri);
    url.search = new URLSearchParams(this.opts.query ?? this.uri.search);
    const own = { EIO: 4, transport, ...(this.id && { sid: this.id }) };
    for (const name in own) url.searchParams.set(name, own[name]);
    if (transport === "websocket") url.protocol = url.protocol.replace("http", "ws");
    return url.href;
  }
  #use(transport) {
    this.transport?.off();
    this.transport = transport.on("packet", (packet) => this.#received(packet))
      .on("drain", () => this.#flush())
      .on("error", (error) => this.#failed(error))
      .on("close", (details) => this.#closed("transport close", details));
  }
  #received(packet) {
    if (this.readyState === "closed") return;
    this.fire("packet", packet);
    if (packet.type === "open") this.#opened(JSON.parse(packet.data));
    if (packet.type === "ping") { this.#send("pong"); this.fire("ping"); this.#expectPing(); }
    if (packet.type === "message") this.fire("data", packet.data ?? "");
    if (packet.type === "error") this.#failed(new Error("server error"));
  }
  #opened(handshake) {
    Object.assign(this, { id: handshake.sid, handshake, readyState: "open" });
    this.fire("handshake", handshake);
    this.#expectPing();
    this.fire("open");
    const better = handshake.upgrades.find((name) => this.transports.includes(name));
    if (this.readyState === "open" && this.opts.upgrade !== false && better)
      this.#upgrade(new TRANSPORTS[better](this));
  }
  #expectPing() {
    const delay = this.handshake.pingInterval + this.handshake.pingTimeout;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#closed("ping timeout"), delay);
    this.#deadline = Date.now() + delay;
  }
  /* Timers stand still while a computer sleeps, so look at the clock as well. */
  isAlive() {
    if (Date.now() > this.#deadline) this.#closed("ping timeout");
    return this.readyState === "open";
  }
  /* "2probe" and "3probe" go over the new transport while the old one carries on. Then the old one
   * comes to rest, and "5" over the new one says that it carries everything from now on. */
  #upgrade(transport) {
    const fail = (why) => {
      stop();
      transport.close();
      this.fire("upgradeError", new Error("probe error: " + (why?.message ?? why)));
      if (this.upgrading) this.#closed("transport close"); // polling is at rest: no way back
    };
    const onClose = () => fail("socket closed");
    const stop = () => { this.off("close", onClose); transport.off(); };
    this.on("close", onClose);
    transport.on("open", () => transport.send([{ type: "ping", data: "probe" }]))
      .on("error", fail).on("close", () => fail("transport closed"))
      .on("packet", ({ type, data }) => {
        if (type !== "pong" || data !== "probe") return fail("unexpected answer");
        this.upgrading = true;
        this.fire("upgrading", transport);
        this.transport.pause(() => {
          if (transport.state !== "open") return;
          stop();
          this.#use(transport);
          transport.send([{ type: "upgrade" }]);
          this.upgrading = false;
          this.fire("upgrade", transport);
        });
      }).open();
  }
  write(data) { this.#send("message", data); }
  #send(type, data) {
    if (this.readyState !== "open") return;
    this.fire("packetCreate", { type, data });
    this.writeBuffer.push({ type, data });
    this.#flush();
  }
  #flush() {
    if (!this.transport.writable || this.upgrading) return;
    if (!this.writeBuffer.length) return this.fire("drain");
    this.transport.send(this.writeBuffer.splice(0, this.#fitting()));
    this.fire("flush");
  }
  /* How many packets may go in one body: the server sets a limit. At least one. */
  #fitting() {
    let size = 0;
    const tooMany = ({ data = "" }, i) => {
      size += new Blob([data]).size * (isBinary(data) ? 4 / 3 : 1) + 6; // type, padding, separator
      return i > 0 && size > this.handshake.maxPayload;
    };
    const n = this.transport.name === "polling" ? this.writeBuffer.findIndex(tooMany) : -1;
    return n < 0 ? this.writeBuffer.length : n;
  }
  /* Closes when all that was written is out. */
  close() {
    if (this.readyState === "open") this.readyState = "closing";
    const isBusy = this.upgrading || this.writeBuffer.length || !this.transport.writable;
    if (this.readyState === "closing" && isBusy) this.once("drain", () => this.close());
    else this.#closed("forced close");
  }
  #failed(error) { this.fire("error", error); this.#closed("transport error", error); }
  #closed(reason, details) {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    clearTimeout(this.timer);
    globalThis.removeEventListener?.("offline", this.#offline);
    this.transport.off();
    if (this.transport.state !== "closed") this.transport.close();
    this.id = null;
    this.fire("close", reason, details);
    this.writeBuffer = [];
  }
}

/* ---- Socket.IO packets: type [attachments "-"] [namespace ","] [id] [json], then attachments - */

const CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3, CONNECT_ERROR = 4;
const BINARY = 3; // what an EVENT or ACK with attachments adds to its type

/* Copies a value, with a placeholder for each binary, which goes to buffers. */
function takeBinaries(value, buffers) {
  if (isBinary(value)) return { _placeholder: true, num: buffers.push(value) - 1 };
  if (typeof value?.toJSON === "function") return takeBinaries(value.toJSON(), buffers);
  if (Array.isArray(value)) return value.map((v) => takeBinaries(v, buffers));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, takeBinaries(v, buffers)]));
}

function putBinaries(value, buffers) {
  if (value === null || typeof value !== "object") return value;
  if (value._placeholder === true && value.num in buffers) return buffers[value.num];
  if (value._placeholder === true) throw new Error("illegal attachments");
  for (const key of Object.keys(value)) value[key] = putBinaries(value[key], buffers);
  return value;
}

function encode({ type, nsp, id, data }) {
  const buffers = [];
  const json = data === undefined ? "" : JSON.stringify(takeBinaries(data, buffers));
  const head = buffers.length > 0 ? `${type + BINARY}${buffers.length}-` : type;
  return [head + (nsp === "/" ? "" : nsp + ",") + (id ?? "") + json, ...buffers];
}

function decode(text) {
  const match = /^([0-6])(?:(\d+)-)?(?:(\/[^,]*),?)?(\d+)?(.*)$/s.exec(text);
  if (!match) throw new Error("invalid packet");
  const [, type, missing = 0, nsp = "/", id, json] = match;
  const data = json ? JSON.parse(json) : undefined;
  if ([2, 3, 5, 6].includes(+type) !== Array.isArray(data)) throw new Error("invalid packet");
  return { type: +type, nsp, id: id && +id, data, missing: +missing, buffers: [] };
}

/* ---- Manager. Events: open, packet, ping, error, close, and reconnect, reconnect_attempt,
 * reconnect_error, reconnect_failed ----------------------------------------------------------- */

class Manager extends Emitter {
  nsps = {};
  attempts = 0; // to reconnect
  reconnecting = false;
  readyState = "closed"; // "opening", "open"
  #stop = () => {}; // removes the listeners from the engine
  #incomplete; // a packet some of whose attachments are still to come

  constructor(uri, opts) {
    super();
    this.uri = uri;
    this.opts = { path: "/socket.io", timeout: 20000, autoConnect: true, reconnection: true,
      reconnectionAttempts: Infinity, reconnectionDelay: 1000, reconnectionDelayMax: 5000,
      randomizationFactor: 0.5, ...opts };
    if (this.opts.autoConnect) this.open();
  }
  open() {
    if (this.readyState !== "closed") return this;
    this.readyState = "opening";
    this.skipReconnect = false;
    this.engine = new Engine(this.uri, this.opts);
    this.#stop = listen(this.engine, {
      open: () => this.#opened(),
      ping: () => this.fire("ping"),
      data: (data) => this.#received(data),
      error: (error) => this.#failed(error),
      close: (reason, details) => this.#closed(reason, details),
    });
    if (this.opts.timeout !== false)
      this.timer = setTimeout(() => this.#failed(new Error("timeout")), this.opts.timeout);
    return this;
  }
  #opened() {
    clearTimeout(this.timer);
    this.readyState = "open";
    this.fire("open");
    if (this.reconnecting) this.fire("reconnect", this.attempts);
    this.reconnecting = false;
    this.attempts = 0;
  }
  #shut() {
    this.#stop();
    clearTimeout(this.timer);
    this.#incomplete = undefined;
    this.readyState = "closed";
    this.engine?.close();
  }
  #failed(error) {
    if (this.readyState === "open") return this.fire("error", error); // and "close" follows
    this.#shut();
    this.fire("error", error);
    if (this.reconnecting) this.fire("reconnect_error", error);
    this.#reconnect();
  }
  #closed(reason, details) {
    if (this.readyState === "opening") return this.#failed(new Error(reason));
    this.#shut();
    this.fire("close", reason, details);
    this.#reconnect();
  }
  /* Each pause is about twice the last. Chance spreads the clients of a server that comes back. */
  #reconnect() {
    const { opts } = this;
    this.reconnecting = !this.skipReconnect && opts.reconnection;
    if (!this.reconnecting) return;
    if (this.attempts >= opts.reconnectionAttempts) {
      this.attempts = 0;
      this.reconnecting = false;
      return this.fire("reconnect_failed");
    }
    const chance = 1 + opts.randomizationFactor * (2 * Math.random() - 1);
    const pause = opts.reconnectionDelay * 2 ** this.attempts++ * chance;
    this.timer = setTimeout(() => {
      this.fire("reconnect_attempt", this.attempts);
      if (!this.skipReconnect) this.open();
    }, Math.min(pause, opts.reconnectionDelayMax));
  }
  #received(data) {
    let packet = this.#incomplete;
    try {
      if ((typeof data === "string") === Boolean(packet)) throw new Error("wrong kind of data");
      if (packet) packet.buffers.push(data);
      else packet = decode(data);
      this.#incomplete = packet.buffers.length < packet.missing ? packet : undefined;
      if (this.#incomplete) return;
      if (packet.type > CONNECT_ERROR) {
        packet.type -= BINARY;
        packet.data = putBinaries(packet.data, packet.buffers);
      }
    } catch (error) { return this.#closed("parse error", error); }
    this.fire("packet", packet);
  }
  send(packet) { encode(packet).forEach((data) => this.engine.write(data)); }
  socket(nsp, opts) {
    if (this.nsps[nsp] && this.opts.autoConnect) this.nsps[nsp].connect();
    return this.nsps[nsp] ??= new Socket(this, nsp, opts);
  }
  /* A socket has left; the last one takes the connection with it. */
  left() { if (!Object.values(this.nsps).some((socket) => socket.active)) this.disconnect(); }
  disconnect() {
    this.skipReconnect = true;
    this.reconnecting = false;
    this.attempts = 0;
    this.#shut();
    this.fire("close", "forced close");
  }
}

/* ---- Socket. Events: connect, connect_error, disconnect, and the application's -------------- */

const RESERVED = ["connect", "connect_error", "disconnect", "disconnecting", "newListener",
  "removeListener"];
const ANY = Symbol("any"), ANY_OUTGOING = Symbol("any outgoing");

class Socket extends Emitter {
  connected = false;
  recovered = false; // the server kept the session of the last connection
  sendBuffer = []; // emitted while not connected
  receiveBuffer = []; // recovered: arrived before the connection was confirmed
  flags = {};
  acks = new Map(); // by packet id
  #ids = 0;
  #stop; // removes the listeners from the manager; undefined: not active
  #session = {}; // for recovery: pid, the session's private name, and offset, of its last event

  constructor(io, nsp, opts) {
    super();
    Object.assign(this, { io, nsp, opts, auth: opts.auth });
    if (io.opts.autoConnect) this.connect();
  }
  get active() { return this.#stop !== undefined; }
  get disconnected() { return !this.connected; }
  get volatile() { this.flags.volatile = true; return this; }
  timeout(ms) { this.flags.timeout = ms; return this; }
  compress() { return this; }

  onAny(fn) { return this.on(ANY, fn); }
  offAny(fn) { return this.off(ANY, fn); }
  onAnyOutgoing(fn) { return this.on(ANY_OUTGOING, fn); }
  offAnyOutgoing(fn) { return this.off(ANY_OUTGOING, fn); }

  connect() {
    if (this.active) { if (!this.io.reconnecting) this.io.open(); return this; }
    this.#stop = listen(this.io, {
      open: () => this.#join(),
      packet: (packet) => { if (packet.nsp === this.nsp) this.#received(packet); },
      error: (error) => { if (!this.connected) this.fire("connect_error", error); },
      close: (reason, details) => this.#closed(reason, details),
    });
    if (this.io.readyState === "open") this.#join();
    else if (!this.io.reconnecting) this.io.open();
    return this;
  }
  #join() {
    const session = this.#session.pid ? this.#session : undefined;
    const join = (auth) => this.#send(CONNECT, session ? { ...session, ...auth } : auth);
    if (typeof this.auth === "function") this.auth(join);
    else join(this.auth);
  }
  #send(type, data, id) { this.io.send({ type, nsp: this.nsp, data, id }); }

  emit(event, ...args) {
    if (RESERVED.includes(event)) throw new Error(`"${event}" is a reserved event name`);
    const { timeout = this.opts.ackTimeout, volatile } = this.flags;
    this.flags = {};
    const ready = this.connected && this.io.engine.isAlive();
    const packet = { data: [event, ...args] };
    if (typeof args.at(-1) === "function") this.#expectAck(packet, packet.data.pop(), timeout);
    if (volatile && !(ready && this.io.engine.transport.writable)) return this;
    if (ready) this.#sendEvent(packet);
    else this.sendBuffer.push(packet);
    return this;
  }
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      const ack = (error, answer) => error ? reject(error) : resolve(answer);
      this.emit(event, ...args, Object.assign(ack, { withError: true }));
    });
  }
  send(...args) { return this.emit("message", ...args); }
  #sendEvent({ data, id }) { this.fire(ANY_OUTGOING, ...data); this.#send(EVENT, data, id); }

  /* With a time limit, the callback's first argument is an error or null. */
  #expectAck(packet, fn, timeout) {
    packet.id = this.#ids++;
    const ack = { fn, withError: fn.withError || timeout !== undefined };
    this.acks.set(packet.id, ack);
    if (timeout === undefined) return;
    ack.timer = setTimeout(() => {
      this.sendBuffer = this.sendBuffer.filter((waiting) => waiting !== packet);
      this.#acked(packet.id, new Error("operation has timed out"));
    }, timeout);
  }
  #acked(id, error, args = []) {
    const ack = this.acks.get(id);
    this.acks.delete(id);
    clearTimeout(ack?.timer);
    if (ack?.withError) call(ack.fn, [error, ...args], this);
    else if (ack && !error) call(ack.fn, args, this);
  }
  #received({ type, id, data }) {
    if (type === CONNECT) this.#joined(data ?? {});
    if (type === ACK) this.#acked(id, null, data);
    if (type === EVENT) {
      let answered = false;
      const answer = (...args) => { if (!answered) this.#send(ACK, args, id); answered = true; };
      if (id !== undefined) data.push(answer);
      if (this.connected) this.#deliver(data);
      else this.receiveBuffer.push(data);
    }
    if (type === DISCONNECT) { this.#leave(); this.#closed("io server disconnect"); }
    if (type === CONNECT_ERROR) {
      this.#leave();
      this.fire("connect_error", Object.assign(new Error(data.message), { data: data.data }));
    }
  }
  #deliver(args) {
    this.fire(ANY, ...args);
    this.fire(...args);
    if (typeof args.at(-1) === "string") this.#session.offset = args.at(-1);
  }
  #joined({ sid, pid }) {
    this.recovered = pid !== undefined && pid === this.#session.pid;
    this.#session.pid = pid;
    this.id = sid;
    this.connected = true;
    this.receiveBuffer.splice(0).forEach((args) => this.#deliver(args));
    this.sendBuffer.splice(0).forEach((packet) => this.#sendEvent(packet));
    this.fire("connect");
  }
  disconnect() {
    if (this.connected) this.#send(DISCONNECT);
    this.#leave();
    this.#closed("io client disconnect");
    return this;
  }
  #leave() {
    this.#stop?.();
    this.#stop = undefined;
    this.io.left();
  }
  #closed(reason, details) {
    const wasConnected = this.connected;
    this.connected = false;
    this.id = undefined;
    if (wasConnected) this.fire("disconnect", reason, details);
    const unsent = this.sendBuffer.map((packet) => packet.id);
    for (const id of [...this.acks.keys()].filter((key) => !unsent.includes(key)))
      this.#acked(id, new Error("socket has been disconnected"));
  }
}
Socket.prototype.open = Socket.prototype.connect;
Socket.prototype.close = Socket.prototype.disconnect;

/* ---- io(address, options) ------------------------------------------------------------------- */

const managers = new Map(); // by origin and path

function io(address = "/", opts = {}) {
  if (typeof address === "object") [address, opts] = ["/", address];
  const uri = new URL(address, globalThis.location?.href);
  const nsp = decodeURI(uri.pathname);
  const key = uri.origin + (opts.path ?? "");
  const known = managers.get(key);
  const isOwn = opts.forceNew || (known && nsp in known.nsps);
  const manager = isOwn || !known ? new Manager(uri, opts) : known;
  if (!isOwn) managers.set(key, manager);
  return manager.socket(nsp, opts);
}

globalThis.io = Object.assign(io, { io, connect: io, Manager, Socket, protocol: 5 });
})();
