// The far side in a process of its own, requests to the node, and the stage door.

import { spawn } from "node:child_process";
import { once } from "node:events";
import https from "node:https";
import { createInterface } from "node:readline";

const schemes = process.env.SAOMA_SCHEMES ?? new URL("../../../target/debug/saoma-schemes", import.meta.url).pathname;

/** Starts the node; `stop` ends it. */
export async function open() {
  const child = spawn(schemes, ["lightning"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const { listening, door } = JSON.parse(line);
  const { settings, secrets } = await (await fetch(`${door}/script`)).json();
  return { base: listening, door, settings, secrets, stop: () => child.kill() };
}

/** A request to the node, which is known by its own certificate alone. */
export function ask(node, method, path, body) {
  const headers = { "Grpc-Metadata-macaroon": node.secrets["node-macaroon"] };
  return new Promise((resolve, reject) => {
    const request = https.request(node.base + path, { method, headers, ca: node.secrets["node-certificate"] }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (part) => (text += part));
      answer.on("end", () => resolve({ status: answer.statusCode, body: JSON.parse(text) }));
    });
    request.on("error", reject).end(body && JSON.stringify(body));
  });
}

/** A request at the stage door. */
export async function play(node, method, path, body) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(node.door + path, { method, headers, body: body && JSON.stringify(body) });
  return answer.status;
}
