// crowd.mjs - a process with many clients, half of which do not read, to be killed
// SPDX-License-Identifier: MIT
//
//     node crowd.mjs PORT CLIENTS
import { Client } from "./client.mjs";

const [port, clients] = process.argv.slice(2).map(Number);
let joined = 0;
for (let i = 0; i < clients; i++) {
  const client = new Client(port, { heard: () => {} });
  client.onjoin = () => {
    client.say(`42["flood",1000,100]`);
    if (i % 2) client.socket.pause();
    if (++joined === clients) process.stdout.write("all\n");
    setInterval(() => client.say(`42["broadcast","x",[${i}]]`), 100);
  };
}
