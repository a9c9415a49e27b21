// What the channel sends, byte for byte as its tests have it (`tests/snapshots`), verified by wechatpay-axios-plugin.

import assert from 'node:assert/strict';
import { createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import wechatpay from 'wechatpay-axios-plugin';

import { keys } from './far-side.mjs';

const { Formatter, Rsa } = wechatpay;
const snapshot = readFileSync(new URL('../tests/snapshots/it__requests.snap', import.meta.url), 'utf8');
const requests = JSON.parse(snapshot.slice(snapshot.indexOf('\n---\n') + 5));
const certificate = new X509Certificate(readFileSync(new URL('merchant.crt', keys)));
const merchant = createPublicKey(certificate.publicKey.export({ type: 'spki', format: 'pem' }));

const attributes = (authorization) => Object.fromEntries(
  [...authorization.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]),
);

test('there are requests of both modes', () => assert.equal(requests.length, 24));

for (const { name, method, url, body, authorization } of requests) {
  test(name, () => {
    const { mchid, nonce_str: nonce, signature, timestamp, serial_no: serial } = attributes(authorization);
    assert.equal(serial, certificate.serialNumber);
    // The order of the attributes is free.
    assert.deepEqual(attributes(authorization), attributes(Formatter.authorization(mchid, nonce, signature, timestamp, serial)));
    assert.ok(authorization.startsWith('WECHATPAY2-SHA256-RSA2048 '));
    const { pathname, search } = new URL(url);
    const isSigned = (path, text) => Rsa.verify(Formatter.request(method, path, timestamp, nonce, text), signature, merchant);
    assert.ok(isSigned(`${pathname}${search}`, body));
    assert.ok(!isSigned(`${pathname}${search}`, `${body} `));
    assert.ok(!isSigned(`${pathname}${search}x`, body));
    if (method === 'POST') {
      assert.equal(JSON.stringify(JSON.parse(body)), body);
    }
  });
}
