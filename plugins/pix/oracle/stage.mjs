// A far side in a process of its own, and the stage door to it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const schemes = process.env.SAOMA_SCHEMES ?? new URL("../../../target/debug/saoma-schemes", import.meta.url).pathname;

/** Starts the bank; `stop` ends it. */
export async function open() {
  const child = spawn(schemes, ["pix"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const { listening, door } = JSON.parse(line);
  const { settings, secrets } = await (await fetch(`${door}/script`)).json();
  return { base: listening, door, settings, secrets, stop: () => child.kill() };
}

/** A request at the stage door. */
export async function play(bank, method, path, body) {
  const answer = await fetch(bank.door + path, {
    method,
    headers: { "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const text = await answer.text();
  return { status: answer.status, body: text ? JSON.parse(text) : null };
}
