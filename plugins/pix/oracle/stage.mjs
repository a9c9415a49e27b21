// A far side in a process of its own, and the stage door to it.

import { spawn } from "node:child_process";
import https from "node:https";
import { once } from "node:events";
import { createInterface } from "node:readline";

const schemes = process.env.SAOMA_SCHEMES ?? new URL("../../../target/debug/saoma-schemes", import.meta.url).pathname;

/** Starts the bank; `stop` ends it. */
export async function open() {
  const child = spawn(schemes, ["pix"], { stdio: ["ignore", "pipe", "ignore"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const { listening, door } = JSON.parse(line);
  const { settings, secrets } = await (await fetch(`${door}/script`)).json();
  const agent = new https.Agent({
    ca: secrets["psp-certificates"],
    cert: secrets["client-certificate"],
    key: secrets["client-certificate"],
  });
  return { base: listening, door, settings, secrets, agent, stop: () => child.kill() };
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

/** An access token, as RFC 6749 has a client ask for it. */
export async function token(bank) {
  const credentials = Buffer.from(`${bank.settings.client_id}:${bank.secrets["client-secret"]}`).toString("base64");
  const request = https.request(bank.settings.token_url, {
    method: "POST",
    agent: bank.agent,
    headers: { authorization: `Basic ${credentials}`, "content-type": "application/x-www-form-urlencoded" },
  });
  request.end("grant_type=client_credentials");
  const [answer] = await once(request, "response");
  let text = "";
  for await (const chunk of answer) text += chunk;
  return JSON.parse(text);
}
