// Starts our far side and gives Alipay's SDK the keys that it plays with.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { AlipaySdk } from 'alipay-sdk';

// The SDK writes its timestamps in the machine's time zone; Alipay counts in Beijing's.
process.env.TZ = 'Asia/Shanghai';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const keys = (name) => here(`../../schemes/src/alipay/keys/${name}`);
export const pem = (name) => readFileSync(keys(name), 'ascii');
export const snapshot = (name) => {
  const [, , ...rest] = readFileSync(here(`../tests/it/snapshots/it__${name}.snap`), 'utf8').split('---\n');
  const [text, url, form] = rest.join('---\n').trimEnd().split('\n');
  return { text, url, form };
};

export async function farSide(...args) {
  const binary = process.env.SAOMA_SCHEMES ?? here('../../../target/debug/saoma-schemes');
  const child = spawn(binary, ['alipay', ...args], { stdio: ['ignore', 'pipe', 'ignore'] });
  const line = await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${binary} ended with ${code}`)));
    createInterface({ input: child.stdout }).once('line', resolve);
  });
  const { door } = JSON.parse(line);
  const ask = async (method, path, body) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(door + path, { method, headers, body: body && JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
    return answer.status === 204 ? undefined : answer.json();
  };
  return { ask, script: await ask('GET', '/script'), stop: () => child.kill() };
}

// In public-key mode, or with certificates, whose serials the SDK works out by itself.
export function sdk(script, certificates = false) {
  const common = {
    appId: script.settings.app_id,
    gateway: script.settings.gateway_url,
    privateKey: script.secrets['app-private-key'],
    keyType: 'PKCS8',
  };
  return new AlipaySdk(certificates ? {
    ...common,
    appCertPath: keys('test-app-cert.pem'),
    alipayPublicCertPath: keys('test-alipay-cert.pem'),
    alipayRootCertPath: keys('test-root-cert.pem'),
  } : { ...common, alipayPublicKey: script.secrets['alipay-public-key'] });
}
