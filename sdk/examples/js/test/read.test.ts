import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBill } from '../src/messages/page.ts';
import * as read from '../src/messages/read.ts';
import { NUMBER, ORDER, told } from './orders.ts';

const REFUND = 'rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa';

const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));
const json = (value: unknown): Uint8Array => bytes(JSON.stringify(value));

const order = (status: string, changes: object = {}): Uint8Array =>
  json({
    order_number: NUMBER, status, amount: '12.50', currency: 'CNY', reference: 'W1', paid_at: 1_700_000_000_000,
    payer_hint: 'a***e', decline_code: null, refunded: '0.00', code_url: null, ...changes,
  });
const refused = (code: string): Uint8Array => json({ code, message: 'no' });

test('a whole answer', () => {
  assert.deepEqual(read.readCharged({ status: 200, body: order('PAID') }, NUMBER), {
    status: { tag: 'succeeded' },
    number: NUMBER,
    amount: { minor: 1250, currency: 'CNY' },
    reference: 'W1',
    paidAt: 1_700_000_000_000,
    payerHint: 'a***e',
  });
});

test('charges', () => {
  for (const [status, body, outcome] of [
    [200, order('PAID'), 'succeeded'],
    [200, order('PAYING', { paid_at: null }), 'pending'],
    [200, order('DECLINED', { decline_code: 'INSUFFICIENT_FUNDS' }), 'failed insufficient-funds'],
    [200, order('DECLINED', { decline_code: 'DECLINED' }), 'failed declined'],
    [200, order('DECLINED', { decline_code: 'LIMIT_EXCEEDED' }), 'failed limit-exceeded'],
    [200, order('DECLINED', { decline_code: 'NEW_REASON' }), 'failed other'],
    [200, order('DECLINED'), 'failed declined'],
    [200, order('REVERSED'), 'closed'],
    [200, order('DREAMING'), 'no-answer'],
    [200, order('toString'), 'no-answer'],
    [200, order('PAID', { amount: 12.5 }), 'no-answer'],
    [200, order('PAID', { amount: '12.505' }), 'no-answer'],
    [200, order('PAID', { currency: undefined }), 'no-answer'],
    [200, order('PAID', { paid_at: 'today' }), 'no-answer'],
    [200, Uint8Array.of(0xff, 0xfe, 0x20), 'no-answer'],
    [200, bytes('[]'), 'no-answer'],
    [200, bytes('null'), 'no-answer'],
    [200, bytes(''), 'no-answer'],
    [400, refused('CODE_INVALID'), 'failed code-invalid'],
    [400, refused('CODE_EXPIRED'), 'failed code-expired'],
    [400, refused('BAD_REQUEST'), 'not-sent'],
    [400, refused('CURRENCY_UNSUPPORTED'), 'not-sent'],
    [400, refused('E7041'), 'no-answer'],
    [401, refused('E7041'), 'no-answer'],
    [401, refused('BAD_SIGNATURE'), 'not-sent'],
    [409, refused('ORDER_CLOSED'), 'closed'],
    [409, refused('ORDER_CONFLICT'), 'no-answer'],
    // The scheme's word for an expired code comes with 400 alone.
    [500, refused('CODE_EXPIRED'), 'no-answer'],
    [409, bytes('?'), 'no-answer'],
    [500, refused('INTERNAL'), 'no-answer'],
    [302, bytes(''), 'no-answer'],
  ] as const) {
    assert.equal(told(() => read.readCharged({ status, body }, NUMBER)), outcome, `${status} ${Buffer.from(body)}`);
  }
});

test('queries and closes', () => {
  for (const [status, body, outcome] of [
    [200, order('WAITING'), 'pending'],
    [200, order('CLOSED'), 'closed'],
    [200, order('REFUNDED'), 'refunded'],
    [200, order('PARTLY_REFUNDED'), 'refunded'],
    [404, refused('ORDER_NOT_FOUND'), 'not-found'],
    // A 404 of something on the way is not the scheme's word.
    [404, refused('NO_ROUTE'), 'no-answer'],
    [404, bytes('<html>'), 'no-answer'],
    [401, refused('BAD_SIGNATURE'), 'not-sent'],
    [503, refused('BUSY'), 'no-answer'],
  ] as const) {
    assert.equal(told(() => read.readQueried({ status, body }, NUMBER)), outcome);
    const closed = outcome === 'not-found' ? 'closed' : outcome === 'refunded' ? 'succeeded' : outcome;
    assert.equal(told(() => read.readClosed({ status, body }, NUMBER)), closed);
  }
  for (const [status, outcome] of [['PARTLY_REFUNDED', 'succeeded'], ['PAID', 'succeeded'], ['REVERSED', 'closed']] as const) {
    assert.equal(told(() => read.pastUndoing(read.readQueried({ status: 200, body: order(status) }, NUMBER))), outcome);
  }
  assert.ok(read.isNotReversible({ status: 409, body: refused('NOT_REVERSIBLE') }));
  assert.ok(!read.isNotReversible({ status: 409, body: refused('ORDER_CLOSED') }));
  assert.ok(!read.isNotReversible({ status: 500, body: refused('NOT_REVERSIBLE') }));
});

test('codes of announced orders', () => {
  const shown = (changes: object = {}): Uint8Array => order('WAITING', { code_url: 'http://w/pay/t', ...changes });
  for (const [status, body, outcome] of [
    [200, shown(), 'http://w/pay/t'],
    [200, order('PAID'), 'no-answer'],
    [200, order('WAITING'), 'no-answer'],
    [200, order('CLOSED'), 'not-sent'],
    // Another order's code, or one that collects another amount, is not shown to anybody.
    [200, shown({ order_number: 'pay_bbbbbbbbbbbbbbbbbbbbbbbbbb' }), 'no-answer'],
    [200, shown({ amount: '12.51' }), 'no-answer'],
    [200, shown({ currency: 'USD' }), 'no-answer'],
    [400, refused('BAD_REQUEST'), 'not-sent'],
    [409, refused('ORDER_CLOSED'), 'not-sent'],
    [409, refused('ORDER_CONFLICT'), 'no-answer'],
    [403, refused('X'), 'no-answer'],
    [500, refused('X'), 'no-answer'],
  ] as const) {
    assert.equal(told(() => read.readCreated({ status, body }, ORDER)), outcome, `${status} ${Buffer.from(body)}`);
  }
});

test('refunds', () => {
  const refund = (status: string): Uint8Array =>
    json({ refund_number: REFUND, order_number: NUMBER, status, amount: '0.05', currency: 'CNY', reference: 'R1' });
  for (const [status, body, done, queried] of [
    [200, refund('DONE'), 'succeeded', 'succeeded'],
    [200, refund('PROCESSING'), 'pending', 'pending'],
    [200, refund('FAILED'), 'failed other', 'failed other'],
    [200, refund('?'), 'no-answer', 'no-answer'],
    [409, refused('REFUND_EXCEEDS'), 'failed amount-invalid', 'no-answer'],
    [409, refused('REFUND_CONFLICT'), 'no-answer', 'no-answer'],
    // The protocol does not foresee it: only a query tells whether the refund is paid.
    [409, refused('BUSY'), 'no-answer', 'no-answer'],
    [404, refused('ORDER_NOT_FOUND'), 'failed not-permitted', 'not-found'],
    [404, refused('REFUND_NOT_FOUND'), 'no-answer', 'not-found'],
    [400, refused('BAD_REQUEST'), 'not-sent', 'no-answer'],
    [500, refused('X'), 'no-answer', 'no-answer'],
  ] as const) {
    assert.equal(told(() => read.readRefunded({ status, body }, REFUND)), done, `${status} ${Buffer.from(body)}`);
    assert.equal(told(() => read.readRefundQueried({ status, body }, REFUND)), queried, `${status} ${Buffer.from(body)}`);
  }
});

test('pongs', () => {
  const pong = { status: 200, body: json({ merchant_id: 'm1' }) };
  assert.ok(read.readPong(pong, 'm1').includes('m1'));
  assert.equal(told(() => read.readPong(pong, 'm2')), 'misconfigured');
  assert.equal(told(() => read.readPong({ status: 401, body: refused('BAD_SIGNATURE') }, 'm1')), 'misconfigured');
});

test('bills: what is no row costs itself alone', () => {
  const row = (refund_number: string | null, amount: unknown, fee: string, reference = 'W1') =>
    ({ order_number: 'pay_1', refund_number, reference, amount, fee, currency: 'CNY', at: 1_700_000_000_000 });
  const page = (rows: unknown[], contentType = '') => readBill({ status: 200, body: json({ rows, next_cursor: '2' }) }, contentType);
  const first = (rows: unknown[]): unknown => {
    const line = page(rows).lines[0];
    return line?.tag === 'row' ? [line.val.kind, line.val.refundNumber, line.val.amountMinor, line.val.feeMinor] : line;
  };
  assert.deepEqual(first([row(null, '12.50', '0.08')]), ['payment', '', 1250, 8]);
  assert.deepEqual(first([row('rfd_1', '-2.00', '-0.01')]), ['refund', 'rfd_1', 200, -1]);
  // Undone on a later day.
  assert.deepEqual(first([row(null, '-12.50', '-0.08')]), ['reversal', '', 1250, -8]);
  for (const broken of [row(null, 12.5, '0.08'), row(null, '12.505', '0'), row(null, '1.00', '0.00', 'W\ufffd'), { total: '12.50' }, 'total', null]) {
    const { lines } = page([broken, row(null, '1.00', '0.00')]);
    assert.deepEqual(lines.map(({ tag }) => tag), ['unreadable', 'row'], JSON.stringify(broken));
    assert.deepEqual(lines[0], { tag: 'unreadable', val: JSON.stringify(broken) });
  }
  assert.deepEqual([page([]).nextCursor, readBill({ status: 200, body: json({ rows: [], next_cursor: null }) }, '').nextCursor], ['2', null]);
  const kind = (status: number, body: Uint8Array, contentType = ''): string => told(() => (readBill({ status, body }, contentType), 'a page'));
  assert.equal(kind(200, bytes('no bill')), 'no-answer');
  assert.equal(kind(200, json({ rows: {} })), 'no-answer');
  assert.equal(kind(200, json({ rows: [] }), 'application/json; charset=klingon'), 'no-answer');
  assert.equal(kind(400, refused('BAD_DAY')), 'not-sent');
  assert.equal(kind(500, refused('BAD_DAY')), 'no-answer');
});
