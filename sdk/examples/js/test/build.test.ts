import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import type { Order, RefundOrder } from 'saoma-channel-sdk';
import * as build from '../src/messages/build.ts';
import { NUMBER, ORDER } from './orders.ts';

const REFUND: RefundOrder = {
  number: NUMBER,
  reference: 'W1',
  refundNumber: 'rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa',
  amount: { minor: 5, currency: 'CNY' },
  total: { minor: 1_250, currency: 'CNY' },
  reason: 'cold',
  createdAt: 1_700_000_000_000,
};

const shown = ({ method, path, body }: build.Call): string => `${method} ${path} ${body}`.trimEnd();

// The same requests, to the letter, as the snapshots in plugins/sandbox/src/messages/build.rs.
test('requests', () => {
  const order = `{"order_number":"${NUMBER}","amount":"12.50","currency":"CNY","subject":"Coffee \\"large\\" 大杯","merchant_name":"Corner Shop","store_name":"Main Street","expires_at":1700000120000,"notify_url":""`;
  for (const [call, expected] of [
    [build.create(ORDER, ''), `POST /v1/orders ${order}}`],
    [build.charge(ORDER, '', '881234567890123456'), `POST /v1/charges ${order},"code":"881234567890123456"}`],
    [build.query(NUMBER), `GET /v1/orders/${NUMBER}`],
    [build.close(NUMBER), `POST /v1/orders/${NUMBER}/close {}`],
    [build.refund(REFUND), `POST /v1/orders/${NUMBER}/refunds {"refund_number":"rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"0.05","reason":"cold"}`],
    [build.queryRefund(REFUND), `GET /v1/orders/${NUMBER}/refunds/rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa`],
    [build.bill('2026-01-31', null), 'GET /v1/bills/2026-01-31'],
    [build.bill('2026-01-31', 'a&b=ü/2'), 'GET /v1/bills/2026-01-31?cursor=a%26b%3D%C3%BC%2F2'],
    [build.ping(), 'GET /v1/ping'],
  ] as const) {
    assert.equal(shown(call), expected);
  }
});

test('signed texts', () => {
  const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString().replaceAll('\n', '⏎');
  const [order, ping] = [{ method: 'POST', path: '', body: '{}' } as const, build.ping()];
  assert.equal(text(build.requestText(order, '/v1/orders', '17', 'ab')), 'REQUEST⏎POST⏎/v1/orders⏎17⏎ab⏎{}⏎');
  assert.equal(text(build.requestText(ping, '/v1/ping', '17', 'ab')), 'REQUEST⏎GET⏎/v1/ping⏎17⏎ab⏎⏎');
  assert.equal(text(build.responseText(404, '18', 'ab', Buffer.from('{}'))), 'RESPONSE⏎404⏎18⏎ab⏎{}⏎');
  assert.equal(text(build.notificationText('19', 'cd', Buffer.from('{}'))), 'NOTIFY⏎19⏎cd⏎{}⏎');
  // What is signed are the bytes as they came, text or not.
  assert.deepEqual([...build.notificationText('1', '2', Uint8Array.of(0xff)).slice(-2)], [0xff, 0x0a]);
});

test('the signature is the one that the scheme’s own tests publish', () => {
  // plugins/schemes/src/wallet/signature.rs, there made by openssl.
  const text = build.requestText(build.ping(), '/v1/ping', '1700000000000', '00');
  const signature = createHmac('sha256', 'secret').update(text).digest('hex');
  assert.equal(signature, '2098c450a0f011f2064c1eb5afde846e079def7caa2364e9e6297176e01046b7');
});

test('addresses', () => {
  for (const [base, url, signedPath] of [
    ['http://127.0.0.1:9100', 'http://127.0.0.1:9100/v1/ping', '/v1/ping'],
    ['http://127.0.0.1:9100/', 'http://127.0.0.1:9100/v1/ping', '/v1/ping'],
    ['https://x.example/wallet', 'https://x.example/wallet/v1/ping', '/wallet/v1/ping'],
    ['https://x.example/wallet/a//', 'https://x.example/wallet/a/v1/ping', '/wallet/a/v1/ping'],
  ] as const) {
    assert.deepEqual(build.address(base, '/v1/ping'), { url, signedPath });
  }
  for (const base of ['', 'x.example', 'https://', 'https:///']) assert.equal(build.address(base, '/v1/ping'), null, base);
});

test('an amount that cannot be written is not sent', () => {
  const order: Order = { ...ORDER, amount: { minor: 1, currency: 'XXX' } };
  assert.throws(() => build.create(order, ''), { failed: { tag: 'not-sent', val: '1 cannot be written in XXX' } });
});
