import { expect, test, vi } from 'vitest';
import type { Held } from './api';
import { age, cleaned, orderTold, REFERENCE_LEN_MAX, told } from './held';
import { HOME, type Press, type Screen, type Step, step, type Wish } from './screen';

const HELD: Held[] = [
  { number: 3, amount_minor: 4850, amount: '48.50', reference: '桌 7', cashier: 'Li', held_at: 0 },
  { number: 5, amount_minor: 300, amount: '3.00', cashier: 'Li', held_at: 60_000 },
];

function key(name: string): Press {
  const plain: Record<string, Press> = {
    E: { kind: 'enter' }, X: { kind: 'escape' }, B: { kind: 'back' }, U: { kind: 'up' }, D: { kind: 'down' },
    h: { kind: 'function', key: 'hold' }, a: { kind: 'function', key: 'cancel' }, c: { kind: 'function', key: 'code' },
  };
  return plain[name] ?? (/^\d$/.test(name) ? { kind: 'digits', digits: name } : { kind: 'text', text: name });
}

/** Presses one key after another; every wish on the way, and the last step. */
function play(keys: string, from: Screen = HOME, held = HELD): { last: Step; wishes: Wish[] } {
  const wishes: Wish[] = [];
  let last: Step = { screen: from };
  for (const name of keys) {
    last = step(last.screen, key(name), [], null, false, held);
    if (last.wish !== undefined) wishes.push(last.wish);
  }
  return { last, wishes };
}

test.each<[string, string, Wish[]]>([
  ['put aside with a table', '1250hA7E', [{ kind: 'hold', body: { amount_minor: 1250, reference: 'A7' } }]],
  ['put aside without one', '1250hE', [{ kind: 'hold', body: { amount_minor: 1250 } }]],
  ['corrected', '1250h桌8B7E', [{ kind: 'hold', body: { amount_minor: 1250, reference: '桌7' } }]],
  ['not after all', '1250hA7XX', []],
  ['taken up, and sold for cash', 'hEE1E', [{ kind: 'sell', body: { amount_minor: 4850, method: 'cash', reference: '桌 7', held: 3, tendered_minor: 4850 } }]],
  ['the second, by our code', 'hDEc', [{ kind: 'sell', body: { amount_minor: 300, method: 'code', held: 5 } }]],
  ['more is ordered, and it is put aside again', 'hE0hE', [{ kind: 'hold', body: { amount_minor: 48500, reference: '桌 7', held: 3 } }]],
  ['dropped', 'hDaE', [{ kind: 'drop', number: 5 }]],
  ['dropped, no after all', 'hDaX', []],
  ['a table on a sale', '1250E4A7E1E', [{ kind: 'sell', body: { amount_minor: 1250, method: 'cash', reference: 'A7', tendered_minor: 1250 } }]],
  ['a table, waiting for a scan', '1250E47E2', [{ kind: 'sell', body: { amount_minor: 1250, method: 'scan', reference: '7' } }]],
])('%s', (_, keys, wishes) => {
  expect(play(keys).wishes).toEqual(wishes);
});

test('what is taken up stays put aside until it is sold, whichever way the cashier goes back', () => {
  for (const keys of ['hEX', 'hEEXX', 'hEE1XXX', 'hEhXX']) expect(play(keys)).toEqual({ last: { screen: HOME }, wishes: [] });
  expect(play('hEE1XX').last.screen).toEqual({ kind: 'home', keyed: '4850', order: { reference: '桌 7', held: 3 } });
});

test('nothing put aside says so, and training has none', () => {
  expect(play('hE', HOME, []).last.hint).toBe('none_held');
  expect(step(HOME, key('h'), [], null, true, HELD)).toEqual({ screen: HOME, hint: 'in_training' });
});

test('a scanned code that comes with a table is a sale of it', () => {
  const { last } = play('1250E47E');
  expect(step(last.screen, { kind: 'scanned', text: '2812345678901234' }, [], null, false, HELD).wish).toEqual(
    { kind: 'sell', body: { amount_minor: 1250, method: 'scan', reference: '7', code: '2812345678901234' } },
  );
  // Where a number is keyed, a scanner types no part of it.
  const reference = play('1250h7').last.screen;
  expect(step(reference, { kind: 'scanned', text: '2812345678901234' }, [], null, false, HELD)).toEqual(
    { screen: reference, wish: { kind: 'scan', text: '2812345678901234' } },
  );
});

test.each([
  ['A-12', 'A-12'],
  ['  包厢 3', '包厢 3'],
  ['two\r\nlines\tand  more', 'two lines and more'],
  ['\u202e12.50\u202c', '12.50'],
  ['\ud83c', ''],
  ['x'.repeat(40), 'x'.repeat(REFERENCE_LEN_MAX)],
  [`${'x'.repeat(30)}👨‍👩‍👧`, 'x'.repeat(30)],
  ['👨‍👩‍👧🍜', '👨‍👩‍👧🍜'],
])('%j becomes %j', (text, kept) => {
  expect(cleaned(text)).toBe(kept);
  expect([...cleaned(text)].length).toBeLessThanOrEqual(REFERENCE_LEN_MAX);
});

test('one key takes back what looks like one character', () => {
  const from: Screen = { kind: 'reference', minor: 1, keyed: '7👨‍👩‍👧', held: null, to: 'hold' };
  expect(play('B', from).last.screen).toMatchObject({ keyed: '7' });
});

test('a browser that does not know what looks like one character does without', async () => {
  vi.resetModules();
  vi.stubGlobal('Intl', {});
  const old = await import('./held');
  vi.unstubAllGlobals();
  expect(old.cleaned(' 包厢\t3🍜')).toBe('包厢 3🍜');
  expect(old.heldStep({ kind: 'reference', minor: 1, keyed: '7🍜', held: null, to: 'hold' }, key('B'), []).screen).toMatchObject({ keyed: '7' });
});

test('an amount that is emptied is no longer that table’s', () => {
  expect(play('hDEBBB').last.screen).toEqual(HOME);
  expect(play('hDEBBB900E1E').wishes).toEqual([{ kind: 'sell', body: { amount_minor: 900, method: 'cash', tendered_minor: 900 } }]);
  // As long as some of it stands, it is being corrected.
  expect(play('hDEBB5Ec').wishes).toEqual([{ kind: 'sell', body: { amount_minor: 35, method: 'code', held: 5 } }]);
});

test('what a request told of a table is told again', () => {
  for (const order of [undefined, { reference: '桌 7', held: 3 }, { reference: '', held: 5 }, { reference: 'A7', held: null }]) {
    expect(orderTold({ amount_minor: 1, ...told(order) })).toEqual(order);
  }
  expect(orderTold(undefined)).toBeUndefined();
});

test('ages', () => {
  expect([0, 59_999, 60_000, 3_600_000, 7_259_000, -5].map((now) => age(0, now))).toEqual(
    ['0 min', '0 min', '1 min', '1 h 0 min', '2 h 0 min', '0 min'],
  );
});
