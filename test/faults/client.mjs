// client.mjs - a client of Socket.IO over a plain TCP connection, so that a process has thousands of them
// SPDX-License-Identifier: MIT
import net from "node:net";

const key = "dGhlIHNhbXBsZSBub25jZQ==";
const request =
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n" +
  `Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;

/* A frame of a client; the mask is zero, which leaves the bytes as they are. */
export function frame(payload, first = 0x81) {
  const body = Buffer.from(payload);
  const n = body.length;
  const head =
    n < 126
      ? Buffer.from([first, 0x80 | n, 0, 0, 0, 0])
      : n < 65536
        ? Buffer.from([first, 0xfe, n >> 8, n & 255, 0, 0, 0, 0])
        : Buffer.concat([
            Buffer.from([first, 0xff, 0, 0, 0, 0]),
            Buffer.from([(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255]),
            Buffer.alloc(4),
          ]);
  return Buffer.concat([head, body]);
}

/* Opens a session over WebSocket and joins "/". self.texts: what came, in order, but for pings, which are
 * answered, and what said: a function, which gets each. self.code: of a close frame, 1005 for one without;
 * self.ended: the connection is over, and self.error, if it was by one. */
export class Client {
  texts = [];
  code = undefined;
  ended = false;
  error = undefined;
  id = undefined; // of the socket: it has joined
  #input = Buffer.alloc(0);
  #open = false;
  #acks = new Map();
  #next = 0;

  constructor(port, { heard = undefined, join = true, answers = true, host = "127.0.0.1" } = {}) {
    this.heard = heard;
    this.join = join;
    this.answers = answers;
    this.socket = net.connect({ port, host, noDelay: true });
    this.socket.on("connect", () => this.socket.write(request));
    this.socket.on("data", (data) => this.#take(data));
    this.socket.on("end", () => this.socket.end());
    this.socket.on("error", (error) => (this.error = error));
    this.socket.on("close", () => {
      this.ended = true;
      this.onend?.(this);
    });
  }

  #take(data) {
    this.#input = this.#input.length > 0 ? Buffer.concat([this.#input, data]) : data;
    if (!this.#open) {
      const end = this.#input.indexOf("\r\n\r\n");
      if (end < 0) return;
      if (!this.#input.toString("latin1", 0, 12).endsWith("101")) {
        this.socket.destroy();
        return;
      }
      this.#open = true;
      this.#input = this.#input.subarray(end + 4);
    }
    for (let used; (used = this.#frame(this.#input)) > 0; ) this.#input = this.#input.subarray(used);
  }

  /* Handles the first frame; returns its length, 0: it has not come whole. */
  #frame(p) {
    if (p.length < 2) return 0;
    let n = p[1] & 127,
      at = 2;
    if (n === 126) {
      if (p.length < 4) return 0;
      (n = p.readUInt16BE(2)), (at = 4);
    } else if (n === 127) {
      if (p.length < 10) return 0;
      (n = Number(p.readBigUInt64BE(2))), (at = 10);
    }
    if (p.length < at + n) return 0;
    if ((p[0] & 15) === 8) this.code = n >= 2 ? p.readUInt16BE(at) : 1005;
    else if ((p[0] & 15) === 1) this.#text(p.toString("utf8", at, at + n));
    return at + n;
  }

  #text(text) {
    if (text === "2") {
      if (this.answers) this.say("3");
    } else if (text[0] === "0") {
      if (this.join) this.say("40");
    } else if (text.startsWith("40{")) {
      this.id = JSON.parse(text.slice(2)).sid;
      this.onjoin?.(this);
    } else if (text.startsWith("43")) {
      const [, id, rest] = /^43(\d+)(.*)$/s.exec(text);
      this.#acks.get(+id)?.(JSON.parse(rest));
      this.#acks.delete(+id);
    } else if (this.heard) {
      this.heard(text, this);
    } else {
      this.texts.push(text);
    }
  }

  say(text) {
    if (!this.socket.destroyed) this.socket.write(frame(text));
  }
  /* Emits; the arguments of the acknowledgement. */
  ask(...event) {
    const id = this.#next++;
    return new Promise((resolve) => {
      this.#acks.set(id, resolve);
      this.say(`42${id}${JSON.stringify(event)}`);
    });
  }
  close() {
    this.socket.destroy();
  }
}
