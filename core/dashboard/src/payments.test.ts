import { expect, test } from 'vitest';
import type { Payment, PaymentState } from './api/client';
import type { Person } from './api/session';
import { actionsFor, isPaymentNews, mergeIntoPages, mergePayment, openForHand } from './payments';

function payment(id: string, created_at: number, version = 1, state: PaymentState = 'succeeded'): Payment {
  return {
    id, created_at, version, state, order: 'ord_x', updated_at: created_at, amount: { minor: 1250, currency: 'CNY' },
    refunded_minor: 0, method: 'merchant_presented', channel: 'sandbox', store: 'sto_x', goods: [], paid_late: false,
  };
}

const shown = (list: readonly Payment[]): string[] => list.map(({ id, version }) => `${id}${version}`);
const LIST = [payment('c', 30), payment('b', 20), payment('a', 10)];

test.each([
  ['a new one goes on top', payment('d', 40), ['d1', 'c1', 'b1', 'a1']],
  ['one that was overtaken goes into its place', payment('x', 25), ['c1', 'x1', 'b1', 'a1']],
  ['a change stays in its place', payment('b', 20, 2), ['c1', 'b2', 'a1']],
  ['an older view changes nothing', payment('b', 20, 0), ['c1', 'b1', 'a1']],
  ['the same view changes nothing', payment('b', 20, 1, 'failed'), ['c1', 'b1', 'a1']],
  ['one that no longer fits leaves', payment('b', 20, 2, 'failed'), ['c1', 'a1']],
  ['one older than the loaded pages stays out', payment('z', 5), ['c1', 'b1', 'a1']],
  ['the last one stays when it changes', payment('a', 10, 2), ['c1', 'b1', 'a2']],
])('%s', (_, news, expected) => {
  expect(shown(mergePayment(LIST, news, 'succeeded', false))).toEqual(expected);
});

test('with everything loaded, an old payment that now fits the filter comes in', () => {
  expect(shown(mergePayment(LIST, payment('z', 5), 'succeeded', true))).toEqual(['c1', 'b1', 'a1', 'z1']);
  expect(shown(mergePayment([], payment('z', 5), 'all', true))).toEqual(['z1']);
});

test('the outcome does not depend on the sequence of arrival', () => {
  const news = [payment('d', 40), payment('d', 40, 2), payment('b', 20, 3, 'failed'), payment('b', 20, 2), payment('e', 40)];
  const outcomes = new Set<string>();
  const permute = (rest: Payment[], list: Payment[]): void => {
    if (rest.length === 0) outcomes.add(shown(list).join(' '));
    for (const [i, one] of rest.entries()) permute(rest.filter((_, j) => j !== i), mergePayment(list, one, 'all', true));
  };
  permute(news, LIST);
  expect([...outcomes]).toEqual(['e1 d2 c1 b3 a1']);
});

test.each<[string, Partial<Payment>, boolean]>([
  ['the channel keeps silent', { state: 'unknown' }, true],
  ['the channel said it', {}, false],
  ['persons said it', { paid_by_hand: true }, true],
  ['persons said it, and some was given back', { paid_by_hand: true, state: 'partly_refunded', refunded_minor: 1 }, false],
  ['persons said it, and it is disputed', { paid_by_hand: true, disputed_minor: 1 }, false],
])('may be settled by hand, %s', (_, facts, may) => {
  expect(openForHand({ ...payment('a', 1), ...facts }, [])).toEqual(may ? ['a'] : []);
});

test.each<[PaymentState, Person['role'], string]>([
  ['presenting', 'owner', 'query cancel'],
  ['presenting', 'read_only', 'query'],
  ['unknown', 'cashier', 'query cancel'],
  ['succeeded', 'manager', 'void refund'],
  ['succeeded', 'cashier', ''],
  ['partly_refunded', 'owner', 'refund'],
  ['refunded', 'owner', ''],
  ['failed', 'owner', ''],
])('%s, %s: %s', (state, role, actions) => {
  expect(actionsFor(payment('a', 1, 1, state), role).join(' ')).toBe(actions);
});

test.each([
  ['a new one lengthens the first page', payment('e', 50), 'all', ['e1 d1 c1', 'b1 a1']],
  ['a change stays on its page', payment('b', 20, 2), 'all', ['d1 c1', 'b2 a1']],
  ['one that leaves shortens the first page', payment('a', 10, 2, 'failed'), 'succeeded', ['d1', 'c1 b1']],
] as const)('pages: %s', (_, news, filter, expected) => {
  const pages = [
    { items: [payment('d', 40), payment('c', 30)], next_cursor: 'x' },
    { items: [payment('b', 20), payment('a', 10)], next_cursor: 'y' },
  ];
  const merged = mergeIntoPages(pages, news, filter);
  expect(merged.map(({ items }) => shown(items).join(' '))).toEqual(expected);
  expect(merged.map(({ next_cursor }) => next_cursor)).toEqual(['x', 'y']);
});

test('a last page that says null is as complete as one that says nothing', () => {
  const pages = [{ items: [payment('b', 20), payment('a', 10)], next_cursor: null }];
  expect(mergeIntoPages(pages, payment('z', 5), 'all').map(({ items }) => shown(items).join(' '))).toEqual(['b1 a1 z1']);
});

test('what the live stream sends is told from what it does not', () => {
  const news = { kind: 'succeeded', at: 10, payment: payment('a', 10) };
  expect(isPaymentNews(JSON.parse(JSON.stringify(news)))).toBe(true);
  for (const other of [null, 'payment', {}, payment('a', 10), { ...news, payment: null }, { ...news, payment: { id: 'a' } }]) {
    expect(isPaymentNews(other)).toBe(false);
  }
});
