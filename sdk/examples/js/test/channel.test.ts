import assert from 'node:assert/strict';
import { createHmac, timingSafeEqual } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import type { Account } from 'saoma-channel-sdk';
import { hostError, playHost } from 'saoma-channel-sdk/testing';
import { channel } from '../src/channel.ts';
import { NUMBER, ORDER } from './orders.ts';

const MOMENT = 1_700_000_000_000;
const KEY = 'correct horse battery staple';
const ACCOUNT: Account = { id: 'cha_1', settingsJson: '{"base_url":"https://w.example/api","merchant_id":"m1"}', notifyUrl: '' };
const PAID = { order_number: NUMBER, status: 'PAID', amount: '12.50', currency: 'CNY', reference: 'W1', paid_at: MOMENT, payer_hint: '' };

type Sent = { method: string; url: string; headers: [string, string][]; body: Uint8Array };

const mac = (text: string | Uint8Array): Buffer => createHmac('sha256', KEY).update(text).digest();
const heard: Sent[] = [];

/** The scheme, as far as these stories need it: answers whatever it is asked with this, signed for the request's nonce. */
function scheme(status: number, answer: unknown, spoil: (headers: [string, string][]) => void = () => {}): void {
  const body = typeof answer === 'string' ? answer : JSON.stringify(answer);
  playHost({
    clock: { now: () => MOMENT },
    random: { bytes: (length) => new Uint8Array(length).fill(7) },
    secrets: {
      hmacSha256: (_name, message) => new Uint8Array(mac(message)),
      hmacSha256Verify: (_name, message, tag) => tag.length === 32 && timingSafeEqual(mac(message), tag),
    },
    http: {
      send(request) {
        heard.push(request);
        const nonce = request.headers.find(([name]) => name === 'x-sandbox-nonce')?.[1];
        const signature = mac(`RESPONSE\n${status}\n5\n${nonce}\n${body}\n`).toString('hex');
        const headers: [string, string][] = [['x-sandbox-timestamp', '5'], ['x-sandbox-signature', signature]];
        spoil(headers);
        return { status, headers, body: new Uint8Array(Buffer.from(body)) };
      },
    },
  });
}

beforeEach(() => {
  heard.length = 0;
});

const thrown = (call: () => unknown): unknown => {
  try {
    return call();
  } catch (error) {
    return error;
  }
};

test('the manifest asks the host for nothing', () => {
  playHost({});
  const { id, settingsSchema, bills } = channel.describe();
  assert.equal(id, 'sandbox-js');
  assert.ok(JSON.parse(settingsSchema).properties.base_url && bills !== null);
});

test('a charge is signed as the protocol says', () => {
  scheme(200, PAID);
  assert.deepEqual(channel.charge(ACCOUNT, ORDER, '881234567890123456').status, { tag: 'succeeded' });
  const [{ method, url, headers, body }] = heard as [Sent];
  const sent = Object.fromEntries(headers);
  const nonce = '07'.repeat(16);
  assert.deepEqual([method, url, sent['x-sandbox-nonce'], sent['x-sandbox-timestamp']], ['POST', 'https://w.example/api/v1/charges', nonce, String(MOMENT)]);
  const text = Buffer.concat([Buffer.from(`REQUEST\nPOST\n/api/v1/charges\n${MOMENT}\n${nonce}\n`), body, Buffer.from('\n')]);
  assert.equal(sent['x-sandbox-signature'], mac(text).toString('hex'));
});

test('an answer that is not the scheme’s is no answer', () => {
  const failed = { tag: 'no-answer', val: "the answer's signature does not fit" };
  for (const spoil of [
    (headers: [string, string][]) => void headers.splice(1, 1),
    (headers: [string, string][]) => void headers.splice(0, 1),
    (headers: [string, string][]) => void headers.splice(1, 1, ['x-sandbox-signature', mac('another').toString('hex')]),
    (headers: [string, string][]) => void headers.splice(1, 1, ['x-sandbox-signature', 'no hex']),
    (headers: [string, string][]) => void headers.splice(0, 1, ['x-sandbox-timestamp', '6']),
  ]) {
    scheme(200, PAID, spoil);
    assert.deepEqual(thrown(() => channel.charge(ACCOUNT, ORDER, '88')), failed);
    // Where nothing can have happened, the likeliest reason is said.
    assert.ok(JSON.stringify(thrown(() => channel.selfTest(ACCOUNT))).includes('check the key'));
  }
});

test('an order of which a part was given back cannot be undone: what it is then is asked', () => {
  scheme(409, { code: 'NOT_REVERSIBLE', message: 'no' });
  assert.deepEqual(thrown(() => channel.cancel(ACCOUNT, { ...ORDER, reference: '', presentedBy: 'customer' })), { tag: 'no-answer', val: 'NOT_REVERSIBLE: no' });
  assert.deepEqual(heard.map(({ method, url }) => `${method} ${url.slice(-5)}`), ['POST close', `GET ${NUMBER.slice(-5)}`]);
});

test('an account without a base URL or a key sends nothing', () => {
  scheme(200, PAID);
  const wrong: Account = { ...ACCOUNT, settingsJson: '{"base_url":"w.example","merchant_id":"m1"}' };
  assert.deepEqual(thrown(() => channel.charge(wrong, ORDER, '88')), { tag: 'misconfigured', val: 'base_url must begin with http:// or https:// and a host' });
  playHost({ clock: { now: () => 0 }, random: { bytes: (n) => new Uint8Array(n) }, secrets: { hmacSha256: () => { throw hostError({ tag: 'missing', val: 'merchant-key' }); } } });
  assert.deepEqual(thrown(() => channel.charge(ACCOUNT, ORDER, '88')), { tag: 'misconfigured', val: 'the secret "merchant-key" is missing' });
  assert.equal(heard.length, 0);
});

test('notifications are believed only with a signature', () => {
  scheme(200, '');
  const genuine = (body: string): { headers: [string, string][]; body: Uint8Array } => ({
    headers: [['x-sandbox-timestamp', '9'], ['x-sandbox-nonce', 'ab'], ['x-sandbox-signature', mac(`NOTIFY\n9\nab\n${body}\n`).toString('hex')]],
    body: new Uint8Array(Buffer.from(body)),
  });
  const message = genuine(JSON.stringify(PAID));
  const { events, acknowledgement } = channel.parseNotification(ACCOUNT, message);
  assert.deepEqual(events.map((event) => event.tag === 'payment' && event.val.status.tag), ['succeeded']);
  assert.equal(Buffer.from(acknowledgement.body).toString(), 'OK');
  const dispute = {
    dispute_number: 'D-1', order_number: 'pay_1', status: 'LOST', amount: '12.50', currency: 'CNY', reason: 'fraud',
    respond_by: null, fee: '15.00', at: 1_700_000_000_000,
  };
  const told = channel.parseNotification(ACCOUNT, genuine(JSON.stringify(dispute))).events;
  assert.deepEqual(told, [{
    tag: 'dispute',
    val: {
      number: 'pay_1', caseNumber: 'D-1', amount: { minor: 1_250, currency: 'CNY' }, reason: 'fraud',
      news: { tag: 'lost', val: { minor: 1_500, currency: 'CNY' } }, at: 1_700_000_000_000,
    },
  }]);
  const refusal = (changed: object): unknown => (thrown(() => channel.parseNotification(ACCOUNT, { ...message, ...changed })) as { tag: string }).tag;
  assert.equal(refusal({ headers: message.headers.slice(0, 2) }), 'forged');
  assert.equal(refusal({ body: Uint8Array.of(...message.body, 0x20) }), 'forged');
  assert.equal(refusal(genuine('{"order_number":1}')), 'malformed');
  assert.equal(refusal(genuine(JSON.stringify({ ...dispute, status: 'DREAMING' }))), 'malformed');
  assert.equal(heard.length, 0);
});
