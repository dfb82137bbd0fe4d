// runs.mjs - starts a chat program, asks it for its page many times at once, and stops it
// SPDX-License-Identifier: MIT
//
//     node test/runs.mjs build/chat-tcc
import { spawn } from "node:child_process";
import { once } from "node:events";

const program = spawn(process.argv[2], ["--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
const [line] = await once(program.stdout.setEncoding("utf8"), "data");
const url = `http://127.0.0.1:${/:(\d+)$/m.exec(line)[1]}/`;
const answers = await Promise.all(Array.from({ length: 50 }, () => fetch(url)));
program.kill("SIGINT");
const [status] = await once(program, "exit");
if (status !== 0 || !answers.every((a) => a.status === 200)) {
  console.error(`${process.argv[2]}: exit status ${status}, answers ${answers.map((a) => a.status)}`);
  process.exit(1);
}
