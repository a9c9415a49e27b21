// The simulated far side as a process, its stage door, and a merchant at it with somebody else's client.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import wechatpay from 'wechatpay-axios-plugin';

const { Wechatpay } = wechatpay;
const built = fileURLToPath(new URL('../../../target/debug/saoma-schemes', import.meta.url));

export const keys = new URL('../../schemes/src/wechatpay/keys/', import.meta.url);

/** Starts the far side; `stop` ends it. */
export async function farSide(...args) {
  const child = spawn(process.env.SAOMA_SCHEMES ?? built, ['wechatpay', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const [line] = await once(createInterface(child.stdout), 'line');
  const { listening, door } = JSON.parse(line);
  const ask = async (method, path, body) => {
    const answer = await fetch(`${door}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    return { status: answer.status, body: text === '' ? null : JSON.parse(text) };
  };
  const script = (await ask('GET', '/script')).body;
  return {
    listening,
    ask,
    script,
    arm: (act, fault) => ask('POST', '/next', { act, fault }),
    stop: () => child.kill('SIGTERM'),
  };
}

/** A client that signs as the script's merchant and believes these keys alone. */
export function client(stage, certs, changes = {}) {
  const { settings, secrets } = stage.script;
  return new Wechatpay({
    mchid: settings.mchid,
    serial: settings.merchant_serial,
    privateKey: secrets['merchant-key'],
    certs,
    baseURL: `${settings.base_url}/`,
    proxy: false,
    ...changes,
  });
}
