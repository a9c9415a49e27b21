import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { type Account, type Channel, defineChannel, fields, hmacHex, hmacVerifies, noAnswer, NotificationRefused, now, randomHex, send, settings, utf8Bytes } from '../src/index.ts';
import { hostError, playHost } from '../src/testing.ts';

const MOMENT = 1_700_000_000_000;
const logged: string[] = [];

beforeEach(() => {
  logged.length = 0;
  playHost({
    clock: { now: () => MOMENT },
    random: { bytes: (length) => new Uint8Array(length).fill(0xff) },
    log: { write: (level, message) => void logged.push(`${level} ${message}`) },
  });
});

test('time and chance are the host’s, and the engine’s other clock is gone', () => {
  assert.equal(now(), MOMENT);
  assert.equal(Date.now(), MOMENT);
  assert.equal(new Date().getTime(), MOMENT);
  assert.equal(new Date(5).getTime(), 5);
  assert.ok(new Date() instanceof Date && Date().includes('2023'));
  assert.equal(Math.random(), 1 - 2 ** -53);
  playHost({ random: { bytes: (length) => new Uint8Array(length) } });
  assert.equal(Math.random(), 0);
  assert.equal(randomHex(2), '0000');
  assert.ok(!('performance' in globalThis));
});

test('an HTTP request that fails says what core must know', () => {
  const request = { method: 'GET', url: 'https://x.example', timeoutMs: 1 } as const;
  for (const [error, failed] of [
    [{ tag: 'invalid', val: 'no' }, { tag: 'not-sent', val: 'no' }],
    [{ tag: 'forbidden', val: 'no' }, { tag: 'not-sent', val: 'no' }],
    [{ tag: 'no-secret', val: 'no' }, { tag: 'misconfigured', val: 'no' }],
    [{ tag: 'unreachable', val: 'no' }, { tag: 'not-sent', val: 'the scheme cannot be reached: no' }],
    [{ tag: 'timed-out' }, { tag: 'no-answer', val: 'the scheme did not answer in time' }],
    [{ tag: 'broken', val: 'no' }, { tag: 'no-answer', val: 'the answer was cut off: no' }],
  ] as const) {
    playHost({ http: { send: () => { throw hostError(error); } } });
    assert.throws(() => send(request), { failed });
  }
  playHost({ http: { send: () => ({ status: 302, headers: [['a', 'b']], body: Uint8Array.of(1) }) } });
  assert.deepEqual(send(request), { status: 302, headers: [['a', 'b']], body: Uint8Array.of(1) });
});

test('a request says what it was given, and the contract’s bounds for the rest', () => {
  const sent: unknown[] = [];
  playHost({ http: { send: (request) => { sent.push(request); return { status: 200, headers: [], body: new Uint8Array() }; } } });
  send({ method: 'POST', url: 'https://x.example', headers: { a: 'b' }, body: '门', timeoutMs: 7 });
  assert.deepEqual(sent, [{
    method: 'POST', url: 'https://x.example', headers: [['a', 'b']], body: utf8Bytes('门'), credentials: [],
    clientCertificate: null, serverCertificates: null, timeoutMs: 7, answerBytesMax: 1_048_576,
  }]);
});

test('what the host does not sign', () => {
  for (const [error, tag] of [
    [{ tag: 'missing', val: 'k' }, 'misconfigured'],
    [{ tag: 'wrong-kind', val: 'k' }, 'misconfigured'],
    [{ tag: 'unknown-key', val: '7' }, 'no-answer'],
    [{ tag: 'invalid', val: 'too long' }, 'no-answer'],
    [{ tag: 'exhausted' }, 'no-answer'],
  ] as const) {
    playHost({ secrets: { hmacSha256: () => { throw hostError(error); } } });
    assert.throws(() => hmacHex('k', new Uint8Array()), (thrown: { failed: { tag: string } }) => thrown.failed.tag === tag);
  }
  playHost({ secrets: { hmacSha256Verify: () => true } });
  assert.ok(hmacVerifies('k', new Uint8Array(), 'ab') && !hmacVerifies('k', new Uint8Array(), 'no hex'));
});

const account = (settingsJson: string): Account => ({ id: 'cha_1', settingsJson, notifyUrl: '' });

test('settings and fields name what is wrong with them', () => {
  const read = (json: string): string => settings(account(json), (all) => all.text('merchant_id'));
  assert.equal(read('{"merchant_id":"m1","more":1}'), 'm1');
  for (const [json, val] of [
    ['{}', 'the settings: merchant_id is not text'],
    ['{"merchant_id":7}', 'the settings: merchant_id is not text'],
    ['[]', 'the settings: what came is no JSON object'],
    ['nonsense', 'the settings: what came is no JSON'],
  ] as const) {
    assert.throws(() => read(json), { failed: { tag: 'misconfigured', val } });
  }
  const all = fields(utf8Bytes('{"whole":5,"part":0.5,"none":null,"large":9007199254740993,"text":"t","__proto__":{"hidden":"x"}}'));
  assert.deepEqual([all.whole('whole'), all.wholeOrNull('none'), all.textOrNull('missing'), all.text('text')], [5, null, null, 't']);
  for (const read of [() => all.whole('part'), () => all.whole('large'), () => all.text('toString'), () => all.text('hidden'), () => all.list('text'), () => fields(Uint8Array.of(0xff))]) {
    assert.throws(read, (thrown: { failed: { tag: string } }) => thrown.failed.tag === 'no-answer');
  }
});

test('what a channel throws leaves it in the contract’s words', () => {
  const thrown: { now: unknown } = { now: null };
  const fail = (): never => { throw thrown.now; };
  const names = ['describe', 'create', 'charge', 'query', 'cancel', 'refund', 'queryRefund', 'parseNotification', 'fetchBill', 'selfTest'] as const;
  const channel = defineChannel(Object.fromEntries(names.map((name) => [name, fail])) as unknown as Channel);
  const left = (): unknown => { try { return channel.selfTest(account('{}')); } catch (error) { return error; } };
  thrown.now = noAnswer('why');
  assert.deepEqual(left(), { tag: 'no-answer', val: 'why' });
  thrown.now = NotificationRefused.forged('why');
  assert.deepEqual(left(), { tag: 'forged', val: 'why' });
  assert.equal(logged.length, 0);
  thrown.now = new TypeError('x is null');
  assert.deepEqual(left(), { tag: 'no-answer', val: 'a mistake in the channel: TypeError: x is null' });
  assert.ok(logged[0]?.startsWith('error a mistake in the channel: TypeError: x is null'));
});
