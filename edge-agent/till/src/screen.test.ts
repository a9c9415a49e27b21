import { expect, test } from 'vitest';
import type { Sale } from './api';
import { candidates, type Hint, HOME, type Press, type Screen, step, type Wish } from './screen';

function someSale(facts: Partial<Sale> = {}): Sale {
  return {
    payment: 'pay_1', counter: 17, method: 'code', state: 'succeeded', settled: true, paid: true, amount_minor: 1250,
    refunded_minor: 0, currency: 'CNY', amount: '12.50', cancelling: false, paid_late: false, synced: true,
    receipt: 'printed', refunds: [], keyed_at: 1, updated_at: 1, actions: ['query', 'void', 'refund', 'reprint'], ...facts,
  };
}

const PAID = someSale();
const OPEN = someSale({ payment: 'pay_2', counter: 18, state: 'unknown', settled: false, paid: false, actions: ['query', 'cancel'] });
const PARTLY = someSale({ payment: 'pay_3', counter: 19, state: 'partly_refunded', refunded_minor: 500, actions: ['query', 'refund', 'reprint'] });
const SALES = [PARTLY, OPEN, PAID];

const KEYS: Record<string, Press> = {
  E: { kind: 'enter' }, X: { kind: 'escape' }, B: { kind: 'back' }, U: { kind: 'up' }, D: { kind: 'down' },
  s: { kind: 'function', key: 'sale' }, c: { kind: 'function', key: 'code' }, v: { kind: 'function', key: 'void' },
  q: { kind: 'function', key: 'query' }, r: { kind: 'function', key: 'refund' }, p: { kind: 'function', key: 'reprint' },
  a: { kind: 'function', key: 'cancel' }, '!': { kind: 'scanned', text: '2812345678901234' },
  '?': { kind: 'scanned', text: 'pay_01J' }, '~': { kind: 'scanned', text: 'PAY_01J' },
};

/** Presses one key after another and tells every wish and hint on the way, then the screen. */
function play(keys: string, from: Screen = HOME): { screen: Screen; wishes: Wish[]; hints: string[] } {
  let screen = from;
  const wishes: Wish[] = [];
  const hints: string[] = [];
  for (const key of keys) {
    const next = step(screen, KEYS[key] ?? { kind: 'digits', digits: key }, SALES);
    screen = next.screen;
    if (next.wish !== undefined) wishes.push(next.wish);
    if (next.hint !== undefined) hints.push(next.hint);
  }
  return { screen, wishes, hints };
}

const at = (payment: string): Screen => ({ kind: 'sale', payment });
const sold = (body: object): Wish => ({ kind: 'sell', body: { amount_minor: 1250, ...body } }) as Wish;
const acted = (payment: string, action: string, body = {}): Wish => ({ kind: 'act', payment, action, body }) as Wish;

test('another till’s sale is given back by the keyboard, and is in no list of this till’s', () => {
  const theirs = someSale({ payment: 'pay_9', counter: 17, elsewhere: true, actions: ['refund'] });
  const sales = [PAID, theirs];
  expect(candidates(sales, 'refund', '17')).toEqual([PAID]);
  expect(candidates([theirs], 'query', '')).toEqual([]);
  let screen: Screen = { kind: 'sale', payment: 'pay_9' };
  const wishes: Wish[] = [];
  for (const key of ['r', '5', '0', '0', 'E', 'E']) {
    const next = step(screen, KEYS[key] ?? { kind: 'digits', digits: key }, sales);
    screen = next.screen;
    if (next.wish !== undefined) wishes.push(next.wish);
  }
  expect(wishes).toEqual([acted('pay_9', 'refund', { amount_minor: 500 })]);
  for (const [key, hint] of [['v', 'not_offered'], ['p', 'not_offered'], ['a', 'not_offered'], ['q', undefined]] as const) {
    const next = step({ kind: 'sale', payment: 'pay_9' }, KEYS[key] as Press, sales);
    expect([next.wish, next.hint], key).toEqual([undefined, hint]);
  }
});

test.each<[string, string, Wish[]]>([
  ['cash, exactly', '1250E1E', [sold({ method: 'cash', tendered_minor: 1250 })]],
  ['cash with change', '1250E12000E', [sold({ method: 'cash', tendered_minor: 2000 })]],
  ['a code on show', '1250c', [sold({ method: 'code' })]],
  ['a code by the method screen', '1250E3', [sold({ method: 'code' })]],
  ['the customer’s code, awaited', '1250E2', [sold({ method: 'scan' })]],
  ['the customer’s code, scanned at once', '1250!', [sold({ method: 'scan', code: '2812345678901234' })]],
  ['scanned on the method screen', '1250E!', [sold({ method: 'scan', code: '2812345678901234' })]],
  ['a receipt scanned with an amount keyed is no customer', '1250?', [{ kind: 'scan', text: 'pay_01J' }]],
  ['nor is one in capitals', '1250~', [{ kind: 'scan', text: 'PAY_01J' }]],
  ['a scan with nothing keyed', '!', [{ kind: 'scan', text: '2812345678901234' }]],
  ['corrected', '1259B0E1E', [sold({ method: 'cash', tendered_minor: 1250 })]],
  ['given up', '1250X', []],
  ['given up on the method screen', '1250EX', []],
  ['too little handed over', '1250E11000E', []],
  ['nothing keyed', 'E', []],
  ['void of the newest that may be', 'vEE', [acted('pay_1', 'void')]],
  ['void, no after all', 'vEX', []],
  ['void by number', 'v17EE', [acted('pay_1', 'void')]],
  ['void by a number that does not allow it', 'v18E', []],
  ['query of the second in the list', 'qDE', [acted('pay_2', 'query')]],
  ['refund of what is left', 'rEEE', [acted('pay_3', 'refund', { amount_minor: 750 })]],
  ['refund of a part', 'r19E500EE', [acted('pay_3', 'refund', { amount_minor: 500 })]],
  ['refund of too much', 'r19E751EE', []],
  ['refund, no after all', 'r19E500EXX', []],
  ['reprint', 'pDE', [acted('pay_1', 'reprint')]],
])('%s', (_, keys, wishes) => {
  expect(play(keys).wishes).toEqual(wishes);
});

test('one Enter more after any wish asks for nothing more', () => {
  for (const keys of ['vEE', 'rEEE', 'qE', 'pE']) {
    const { screen } = play(keys);
    expect(step(screen, { kind: 'enter' }, SALES)).toEqual({ screen: HOME });
  }
});

test('an open sale offers exactly its actions, and digits do not leave it', () => {
  expect(play('5', at('pay_2')).screen).toEqual(at('pay_2'));
  for (const key of 'vrp') expect(play(key, at('pay_2'))).toEqual({ screen: at('pay_2'), wishes: [], hints: ['not_offered'] });
  expect(play('aE', at('pay_2')).wishes).toEqual([acted('pay_2', 'cancel')]);
  expect(play('X', at('pay_2')).wishes).toEqual([]);
});

test('what the bank declined is acknowledged by a press of its own', () => {
  const lost = someSale({ payment: 'pay_9', counter: 29, method: 'stored', state: 'failed', paid: false, actions: ['query', 'reprint', 'acknowledge'] });
  const told = step(at('pay_9'), { kind: 'function', key: 'acknowledge' }, [lost]);
  expect(told.wish).toEqual(acted('pay_9', 'acknowledge'));
  expect(step(at('pay_9'), { kind: 'function', key: 'acknowledge' }, [{ ...lost, actions: [] }]).wish).toBeUndefined();
});

test('what is to be acknowledged is found by its key, by the list of the info page, and seen before it is acknowledged', () => {
  const lost = someSale({ payment: 'pay_9', counter: 2, method: 'stored', state: 'failed', paid: false, actions: ['query', 'acknowledge'] });
  const found = step(HOME, { kind: 'function', key: 'acknowledge' }, [...SALES, lost]);
  expect(candidates([...SALES, lost], 'acknowledge', '')).toEqual([lost]);
  expect(step(found.screen, { kind: 'enter' }, [...SALES, lost])).toEqual({ screen: at('pay_9') });
  expect(step({ kind: 'info' }, { kind: 'pick', payment: 'pay_9' }, [lost])).toEqual({ screen: at('pay_9') });
});

test('after a settled sale the next is keyed at once', () => {
  expect(play('7', at('pay_1')).screen).toEqual({ kind: 'home', keyed: '7' });
});

const SCAN: Screen = { kind: 'scan', minor: 1250, keyed: '' };

test.each<[string, string, Wish[], Hint[]]>([
  ['typed digits are a scan on Enter', '2812345678901234E', [{ kind: 'scan', text: '2812345678901234' }], []],
  ['corrected', '28123459B6E', [{ kind: 'scan', text: '28123456' }], []],
  ['seven digits are no code', '2812345E', [], ['code_short']],
  ['Enter alone does nothing', 'E', [], []],
  ['a scan while a hand types', '281!', [{ kind: 'scan', text: '2812345678901234' }], []],
])('a code keyed by hand: %s', (_, keys, wishes, hints) => {
  expect(play(keys, SCAN)).toMatchObject({ screen: { kind: 'scan' }, wishes, hints });
});

test('giving up waiting for a scan tells the agent and keeps the amount', () => {
  const { screen, wishes } = play('5EX', SCAN);
  expect(screen).toEqual({ kind: 'home', keyed: '1250' });
  expect(wishes).toEqual([{ kind: 'stop-scan' }]);
});

test('a sale is found by its table, in part and in any case', () => {
  const tables = [someSale({ payment: 'pay_8', counter: 8, reference: 'Garden A7' }), someSale({ payment: 'pay_9', counter: 9, reference: '包厢 3' })];
  const found = (filter: string): string[] => candidates(tables, 'query', filter).map(({ payment }) => payment);
  expect([found('a7'), found('包厢'), found('3'), found('9'), found('z')]).toEqual([['pay_8'], ['pay_9'], ['pay_9'], ['pay_9'], []]);
  let screen: Screen = { kind: 'find', purpose: 'query', filter: '', at: 0 };
  for (const press of [{ kind: 'text', text: 'A' }, { kind: 'digits', digits: '0' }, { kind: 'digits', digits: '7' }, { kind: 'back' }] as const) {
    screen = step(screen, press, tables).screen;
  }
  expect(screen).toMatchObject({ filter: 'A0' });
});

test.each([
  ['void', '', ['pay_1']],
  ['refund', '', ['pay_3', 'pay_1']],
  ['query', '', ['pay_3', 'pay_2', 'pay_1']],
  ['query', '1', ['pay_3', 'pay_2', 'pay_1']],
  ['query', '18', ['pay_2']],
] as const)('for %s %s the list is %j', (purpose, filter, payments) => {
  expect(candidates(SALES, purpose, filter).map(({ payment }) => payment)).toEqual(payments);
});

test('a number that no sale here has is asked for, and the one that has it comes first', () => {
  const sales = Array.from({ length: 101 }, (_, idx) => someSale({ payment: `pay_${120 - idx}`, counter: 120 - idx }));
  sales.push(someSale({ payment: 'pay_12', counter: 12 }));
  const from: Screen = { kind: 'find', purpose: 'query', filter: '', at: 0 };
  const keyed = (digits: string) => step(from, { kind: 'digits', digits }, sales).wish;
  expect([keyed('1'), keyed('12'), keyed('120'), keyed('0'), keyed('1201')]).toEqual([
    { kind: 'look-up', counter: '1' }, undefined, undefined, undefined, { kind: 'look-up', counter: '1201' },
  ]);
  expect(step({ ...from, filter: '999' }, { kind: 'enter' }, sales)).toMatchObject({ hint: 'none_found', wish: { counter: '999' } });
  expect(step(from, { kind: 'digits', digits: '1' }, sales.slice(3)).wish, 'the page has them all').toBeUndefined();
  expect(candidates(sales, 'query', '12').map(({ counter }) => counter)).toEqual([12, 120]);
});

test('training is entered and left by a question of its own, from where nothing is under way', () => {
  const pressed = (screen: Screen, press: Press, training = false) => step(screen, press, SALES, null, training);
  const ask: Press = { kind: 'training' };
  const enter: Press = { kind: 'enter' };
  for (const from of [HOME, at('pay_1'), { kind: 'info' } as const]) {
    expect(pressed(from, ask)).toEqual({ screen: { kind: 'training', on: false } });
    expect(pressed(from, ask, true)).toEqual({ screen: { kind: 'training', on: true } });
  }
  for (const from of [{ kind: 'method', minor: 1 }, { kind: 'cash', minor: 1, keyed: '' }, SCAN] as const) {
    expect(pressed(from, ask)).toEqual({ screen: from });
  }
  expect(pressed({ kind: 'training', on: false }, enter)).toEqual({ screen: HOME, wish: { kind: 'training', to: 'enter' } });
  expect(pressed({ kind: 'training', on: true }, enter)).toEqual({ screen: HOME, wish: { kind: 'training', to: 'leave' } });
  expect(pressed({ kind: 'training', on: false }, { kind: 'escape' })).toEqual({ screen: HOME });
  expect(pressed(HOME, { kind: 'function', key: 'shift' }, true).hint).toBe('in_training');
});

test('hints say what is missing', () => {
  expect(play('E').hints).toEqual(['key_amount']);
  expect(play('c').hints).toEqual(['key_amount']);
  expect(play('1250E11000E').hints).toEqual(['tendered_small']);
  expect(play('r19E751E').hints).toEqual(['refund_large']);
  expect(play('v99E').hints).toEqual(['none_found']);
});
