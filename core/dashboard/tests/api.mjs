// Core's API, as the stories use it beside the pages.

import assert from 'node:assert/strict';

const { DASHBOARD_URL: BASE } = process.env;

/** Each with a key of its own, as core wants it of whoever asks for something; its status and what it says. */
export async function ask(token, method, path, body, type = 'application/json') {
  const response = await fetch(`${BASE}${path}`, {
    method,
    headers: { 'content-type': type, 'idempotency-key': crypto.randomUUID(), ...(token === null ? {} : { authorization: `Bearer ${token}` }) },
    ...(body === undefined ? {} : { body: type === 'application/json' ? JSON.stringify(body) : body }),
  });
  const text = await response.text();
  return { status: response.status, body: text === '' ? null : JSON.parse(text) };
}

/** What it says; anything but success ends the story. */
export async function api(token, method, path, body, type) {
  const { status, body: said } = await ask(token, method, path, body, type);
  assert.ok(status < 300, `${method} ${path}: ${status} ${JSON.stringify(said)}`);
  return said;
}

export const signedIn = async (email, password) => (await api(null, 'POST', '/v1/auth/sign-in', { email, password })).access_token;
