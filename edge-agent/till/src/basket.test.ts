import { expect, test } from 'vitest';
import type { Basket, Sale } from './api';
import { meaning } from './basket';
import { HOME, type Press, type Screen, type Step, step, type Wish } from './screen';

const CODE = '281234567890123456';
const TEA = '4006381333931';

function basketOf(...totals: number[]): Basket {
  const total = totals.reduce((sum, one) => sum + one, 0);
  const lines = totals.map((one, idx) => ({ name: `goods ${idx}`, quantity: 1, price_minor: one, discount_minor: 0, total_minor: one }));
  const sums = { gross_minor: total, discount_minor: 0, sale_discount_minor: 0, total_minor: total, taxes: [] };
  return { revision: 7, lines, totals: sums };
}

const BASKET = basketOf(500, 1_250);
const OPEN: Screen = { kind: 'basket', at: 0, keyed: '' };

function key(name: string): Press {
  const plain: Record<string, Press> = {
    E: { kind: 'enter' }, X: { kind: 'escape' }, B: { kind: 'back' }, U: { kind: 'up' }, D: { kind: 'down' },
    h: { kind: 'function', key: 'hold' }, d: { kind: 'function', key: 'cancel' }, c: { kind: 'function', key: 'code' },
    v: { kind: 'function', key: 'void' }, s: { kind: 'function', key: 'sale' },
  };
  return plain[name] ?? (/^\d$/.test(name) ? { kind: 'digits', digits: name } : { kind: 'text', text: name });
}

/** Presses one key after another; every wish on the way, and the last step. */
function play(keys: string, from: Screen = OPEN, basket: Basket | null = BASKET): { last: Step; wishes: Wish[] } {
  const wishes: Wish[] = [];
  let last: Step = { screen: from };
  for (const name of keys) {
    last = step(last.screen, key(name), [], null, false, [], basket);
    if (last.wish !== undefined) wishes.push(last.wish);
  }
  return { last, wishes };
}

const press = (what: object): Wish => ({ kind: 'basket', press: what }) as Wish;
const sell = (body: object): Wish => ({ kind: 'sell', body }) as Wish;

test.each<[string, string, Wish[]]>([
  ['a quantity', '3E', [press({ quantity: { line: 0, quantity: 3 } })]],
  ['of the second line', 'D12E', [press({ quantity: { line: 1, quantity: 12 } })]],
  ['corrected', '12BB4E', [press({ quantity: { line: 0, quantity: 4 } })]],
  ['not after all', '12X', []],
  ['removed', 'Dd', [press({ quantity: { line: 1, quantity: 0 } })]],
  ['10% off a line', '-10%E', [press({ discount: { line: 0, discount: { basis_points: 1_000 } } })]],
  ['an amount off a line', 'D-300E', [press({ discount: { line: 1, discount: { minor: 300 } } })]],
  ['off all of it', '--5%E', [press({ discount: { line: null, discount: { basis_points: 500 } } })]],
  ['an amount off all of it', '--250E', [press({ discount: { line: null, discount: { minor: 250 } } })]],
  ['the discount taken back', '-E', [press({ discount: { line: 0, discount: null } })]],
  ['that on all taken back', '--E', [press({ discount: { line: null, discount: null } })]],
  ['another amount', '1250+', [press({ other: { price_minor: 1_250, quantity: 1, name: '其他 Other' } })]],
  ['no amount is none', '+', []],
  ['a barcode by hand', '4006381333931E', [{ kind: 'scan', text: TEA }]],
  ['paid in cash', 'E1E', [sell({ amount_minor: 1_750, method: 'cash', basket: 7, tendered_minor: 1_750 })]],
  ['paid by the customer’s code', 's2', [sell({ amount_minor: 1_750, method: 'scan', basket: 7 })]],
  ['paid by ours at once', 'c', [sell({ amount_minor: 1_750, method: 'code', basket: 7 })]],
  ['with a table', 'E4A7E1E', [sell({ amount_minor: 1_750, method: 'cash', reference: 'A7', basket: 7, tendered_minor: 1_750 })]],
  ['put aside', 'hA7E', [{ kind: 'hold', body: { amount_minor: 1_750, reference: 'A7', basket: 7 } }]],
  ['cleared', 'vE', [press({ clear: {} })]],
  ['not cleared', 'vX', []],
])('%s', (_, keys, wishes) => {
  expect(play(keys).wishes).toEqual(wishes);
});

test('every way back from paying leads to the basket', () => {
  for (const keys of ['EX', 'E1XX', 'E4AX', 'hX']) expect(play(keys).last.screen).toEqual(OPEN);
  const scan: Screen = { kind: 'scan', minor: 1_750, keyed: '', order: { reference: '', held: null, basket: 7 } };
  expect(play('X', scan).last).toEqual({ screen: OPEN, wish: { kind: 'stop-scan' } });
});

test('the basket is left and found again', () => {
  expect(play('X').last.screen).toEqual(HOME);
  expect(play('E', HOME).last.screen).toEqual(OPEN);
  expect(play('E', HOME, null).last.hint).toBe('key_amount');
  // An amount that is keyed is sold by itself.
  expect(play('5Ec', HOME).wishes).toEqual([sell({ amount_minor: 5, method: 'code' })]);
  expect(play('5+', HOME).last).toEqual({ screen: HOME, wish: press({ other: { price_minor: 5, quantity: 1, name: '其他 Other' } }) });
  expect(play('1', OPEN, null).last.screen).toEqual(HOME);
});

test('a line that is gone leaves the last one chosen', () => {
  expect(play('d', { kind: 'basket', at: 9, keyed: '' }).wishes).toEqual([press({ quantity: { line: 1, quantity: 0 } })]);
});

test('what costs nothing is not sold', () => {
  for (const keys of ['E', 'c', 'h']) expect(play(keys, OPEN, basketOf(0))).toMatchObject({ last: { hint: 'key_amount' }, wishes: [] });
});

test('what did not come to a sale is in the basket again', () => {
  const failed = { payment: 'pay_x', settled: true, state: 'failed', actions: [] as string[] } as unknown as Sale;
  const from: Screen = { kind: 'sale', payment: 'pay_x' };
  expect(step(from, key('E'), [failed], null, false, [], BASKET).screen).toEqual(OPEN);
  expect(step(from, key('E'), [failed], null, false, [], null).screen).toEqual(HOME);
});

const APPLES = { goods: 'gds_1', name: '苹果', minor: 1_280 };
const PEARS = { goods: 'gds_2', name: '梨', minor: 990 };
const WEIGH: Screen = { kind: 'weigh', of: APPLES, keyed: '', next: [] };

test.each<[string, string, Screen, Wish[]]>([
  ['what the scale says', 'E', WEIGH, [{ kind: 'weigh', of: APPLES }]],
  ['grams by hand', '0457B6E', { ...WEIGH, keyed: '456' }, [press({ weighed: { goods: 'gds_1', grams: 456 } })]],
  ['six digits at most', '12345678E', { ...WEIGH, keyed: '123456' }, [press({ weighed: { goods: 'gds_1', grams: 123_456 } })]],
  ['keyed and taken back', '45XE', WEIGH, [{ kind: 'weigh', of: APPLES }]],
  ['not wanted', 'X', { kind: 'basket', at: 1, keyed: '' }, []],
])('goods by weight: %s', (_, keys, screen, wishes) => {
  expect(play(keys, WEIGH)).toMatchObject({ last: { screen }, wishes });
  // Of an empty basket it is the same, and no after all leads home.
  expect(play('X', WEIGH, null).last.screen).toEqual(HOME);
});

test('no key but Esc leads away from what is to be weighed, and Esc leads to what is to be weighed next', () => {
  for (const what of [{ kind: 'info' }, { kind: 'received' }, { kind: 'training' }, { kind: 'split', number: 1 }, { kind: 'function', key: 'shift' }, { kind: 'function', key: 'hold' }] satisfies Press[]) {
    expect(step(WEIGH, what, [], null, false, [], BASKET)).toEqual({ screen: WEIGH, hint: 'weigh_first' });
  }
  expect(play('X', { ...WEIGH, next: [PEARS] }).last.screen).toEqual({ ...WEIGH, of: PEARS });
});

test('a scan is of goods wherever it may be', () => {
  const scanned = (screen: Screen, text: string): Wish | undefined => step(screen, { kind: 'scanned', text }, [], null, false, [], BASKET).wish;
  const keyed: Screen = { kind: 'home', keyed: '1250' };
  for (const screen of [HOME, OPEN]) expect(scanned(screen, TEA)).toEqual({ kind: 'scan', text: TEA });
  // With an amount to be paid the agent tells what is goods: a customer's code may look like one.
  for (const screen of [keyed, { kind: 'method', minor: 1_250 } as Screen]) {
    expect(scanned(screen, TEA)).toEqual(sell({ amount_minor: 1_250, method: 'scan', code: TEA }));
  }
  expect(scanned(keyed, CODE)).toEqual(sell({ amount_minor: 1_250, method: 'scan', code: CODE }));
  const paying: Screen = { kind: 'method', minor: 1_750, order: { reference: '', held: null, basket: 7 } };
  expect(scanned(paying, CODE)).toEqual(sell({ amount_minor: 1_750, method: 'scan', basket: 7, code: CODE }));
  expect(scanned(OPEN, CODE)).toEqual({ kind: 'scan', text: CODE });
});

test('a basket that was put aside is taken up as one', () => {
  const held = [{ number: 3, amount_minor: 1_750, amount: '17.50', cashier: 'Li', held_at: 0, is_basket: true }];
  const list: Screen = { kind: 'held', at: 0 };
  expect(step(list, key('E'), [], null, false, held, null)).toEqual({ screen: list, wish: press({ take_up: { held: 3 } }) });
});

test.each([
  ['', 'pay'], ['0', 'quantity'], ['9999', 'quantity'], ['10000', 'barcode'], ['-', 'discount'], ['--5%', 'discount'],
])('%j means %s', (keyed, kind) => {
  expect(meaning(keyed)?.kind).toBe(kind);
});

test('nonsense is not keyed and means nothing', () => {
  for (const keyed of ['-%', '%', '---', '1-', '1%']) expect(meaning(keyed)).toBeNull();
  expect(play('1-%A').last.screen).toEqual({ kind: 'basket', at: 0, keyed: '1' });
  expect(play('-%').last.screen).toEqual({ kind: 'basket', at: 0, keyed: '-' });
  expect(play('---5%7%').last.screen).toEqual({ kind: 'basket', at: 0, keyed: '--5%' });
});
