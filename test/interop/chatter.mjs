// chatter.mjs - clients that chat without a pause, in a process of their own: what keeps a test busy
// does not keep them
// SPDX-License-Identifier: MIT
//
//     fork("chatter.mjs", [url])    to any message it answers how each of them does
import crypto from "node:crypto";
import { require } from "./lib.mjs";

const { io } = require("socket.io-client");

/* Asks all the time, one question after the other. */
function chat(transports) {
  const socket = io(process.argv[2], { transports, reconnection: false });
  const self = { answers: 0, trouble: [] };
  for (const event of ["disconnect", "connect_error"])
    socket.on(event, (why) => self.trouble.push(`${event}: ${why}`));
  const say = () => {
    const text = crypto.randomBytes(20).toString("hex");
    socket.emit("message-with-ack", text, (answer) => {
      if (answer !== text) self.trouble.push(`${answer} instead of ${text}`);
      self.answers++;
      setTimeout(say, 5);
    });
  };
  socket.on("connect", say);
  return self;
}

const chats = [["websocket"], ["polling"], ["polling", "websocket"]].map(chat);
process.on("message", () => process.send(chats));
process.on("disconnect", () => process.exit());
