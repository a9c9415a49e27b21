import { expect, test } from 'vitest';
import type { Sale } from './api';
import type { Press, Screen, Step } from './screen';
import { HOME, step } from './screen';
import { afterShift, namedAgain, shiftMenu, signOnAgain, tellsOfCash } from './shift';

const key = (name: string): Press => {
  if (/^\d+$/.test(name)) return { kind: 'digits', digits: name };
  return name === 'F7' ? { kind: 'function', key: 'shift' } : ({ kind: name } as Press);
};

/** Presses one key after the other; the last step. */
function play(from: Screen, ...names: string[]): Step {
  return names.reduce<Step>((last, name) => step(last.screen, key(name), SALES), { screen: from });
}

/** The same where who is named shows a PIN. */
function playPins(from: Screen, ...names: string[]): Step {
  const asks = { pins: true, supervisor: false };
  return names.reduce<Step>((last, name) => step(last.screen, key(name), SALES, null, false, [], null, asks), { screen: from });
}

const SIGN_ON = { kind: 'sign-on', asks: 'number', number: '', pin: null, float: '', keyed: '' };

const SALES = [{ counter: 4, settled: true }, { counter: 5, settled: false }] as Sale[];

test('signing on asks for the cashier’s number and then the float', () => {
  const asked = play(shiftMenu(null), 'enter', '0', '7', 'enter', '500', '00', 'enter');
  expect(asked.wish).toEqual({
    kind: 'shift', path: 'open', body: { float_minor: 50_000, cashier: '07', cashier_number: '07' },
  });
  expect(play(shiftMenu(null), 'enter', 'enter', 'enter').wish).toEqual({
    kind: 'shift', path: 'open', body: { float_minor: 0, cashier: '', cashier_number: '' },
  });
  expect(play(shiftMenu(null), 'enter', '7', 'enter', 'escape').screen).toEqual({ ...SIGN_ON, keyed: '7' });
  expect(play(shiftMenu(null), '2').wish).toEqual({ kind: 'shift', path: 'reprint', body: {} });
});

test('where people have PINs the number, the PIN and the float are one press', () => {
  const asked = playPins(shiftMenu(null), 'enter', 'enter', '0', '7', 'enter');
  expect(asked).toEqual({ screen: { ...SIGN_ON, asks: 'pin', number: '07' } });
  expect(playPins(asked.screen, 'enter')).toEqual(asked);
  // Noughts in front count, and no more than eight digits are taken.
  const pin = playPins(asked.screen, '0', '0', '73', '918264', '5', 'back', '9', 'enter');
  expect(pin).toEqual({ screen: { ...SIGN_ON, asks: 'float', number: '07', pin: '00739189' } });
  const sent = playPins(pin.screen, '500', 'enter');
  expect(sent.wish).toEqual({
    kind: 'shift', path: 'open', body: { float_minor: 500, cashier: '07', cashier_number: '07', pin: '00739189' },
  });
  // Again, with the float as it was: whatever is keyed then is of the PIN.
  const again = { ...SIGN_ON, asks: 'pin', number: '07', float: '500' };
  for (const code of ['pin_wrong', 'pin_locked', 'pin_invalid', 'pin_uncheckable']) expect(signOnAgain(sent.screen, code)).toEqual(again);
  expect(playPins(again as Screen, '7391', 'enter', 'enter').wish).toMatchObject({ body: { float_minor: 500, pin: '7391' } });
  expect(signOnAgain(sent.screen, 'cashier_unknown')).toEqual({ ...SIGN_ON, float: '500' });
  expect(signOnAgain(sent.screen, 'shift_open')).toBeNull();
  expect(signOnAgain(HOME, 'pin_needed')).toBeNull();
  expect(playPins(asked.screen, '7', 'escape').screen).toEqual({ ...SIGN_ON, keyed: '07' });
});

test('a page that did not know of PINs asks for one once the agent does', () => {
  const { screen } = play(shiftMenu(null), 'enter', '0', '7', 'enter', '500', 'enter');
  const asked = signOnAgain(screen, 'pin_needed') as Screen;
  expect(asked).toEqual({ ...SIGN_ON, asks: 'pin', number: '07', float: '500' });
  expect(play(asked, '7391', 'enter', 'enter').wish).toEqual({
    kind: 'shift', path: 'open', body: { float_minor: 500, cashier: '07', cashier_number: '07', pin: '7391' },
  });
});

test('whoever is named beside the one who signed on shows a PIN', () => {
  const out = playPins(shiftMenu(7), '3', '2000', 'enter', '3', '09', 'enter');
  expect(out.wish).toBeUndefined();
  expect(out.screen).toMatchObject({ by: '09', pin: '' });
  const sent = playPins(out.screen, 'enter', '0', '7391', 'enter');
  expect(sent.wish).toMatchObject({ path: 'paid-out', body: { cashier: '09', cashier_pin: '07391' } });
  expect(namedAgain(sent.screen, 'pin_wrong')).toEqual({ ...sent.screen, pin: '' });
  expect(namedAgain(sent.screen, 'cashier_unknown')).toMatchObject({ by: '', pin: undefined });
  expect(namedAgain(sent.screen, 'shift_busy')).toBeNull();
  expect(playPins(out.screen, '7', 'escape').screen).toMatchObject({ by: '09', pin: undefined, reason: '采购 purchase' });
  const close = playPins(shiftMenu(7), '1', '123', 'enter', '09', 'enter', '7391', 'enter').wish;
  expect(close).toEqual({ kind: 'shift', path: 'close', body: { batch: 7, counted_minor: 123, cashier: '09', cashier_pin: '7391' } });
  // Nobody is named: whoever signed on has shown theirs.
  expect(playPins(shiftMenu(7), '1', '123', 'enter', 'enter').wish).toMatchObject({ path: 'close', body: { counted_minor: 123 } });
});

test.each([['2', 'paid-in'], ['3', 'paid-out']] as const)('cash moves with an amount and a reason (%s)', (chosen, path) => {
  expect(play(shiftMenu(7), chosen, 'enter').hint).toBe('key_amount');
  const asked = play(shiftMenu(7), chosen, '2000', 'enter', '3', 'enter');
  expect(asked.wish).toEqual({ kind: 'shift', path, body: { batch: 7, amount_minor: 2_000, reason: '采购 purchase' } });
  expect(play(shiftMenu(7), chosen, '2000', 'enter', '9', 'enter').wish).toBeUndefined();
  // Somebody else than who signed on.
  expect(play(shiftMenu(7), chosen, '2000', 'enter', '3', '09', 'enter').wish).toMatchObject({ body: { cashier: '09' } });
});

test('the batch is closed with what was counted, after a question', () => {
  expect(play(shiftMenu(7), '1', '123', 'enter')).toEqual({ screen: { kind: 'count', batch: 7, keyed: '123', sure: true, by: '', doubt: false } });
  expect(play(shiftMenu(7), '1', '123', 'enter', 'enter').wish).toEqual({
    kind: 'shift', path: 'close', body: { batch: 7, counted_minor: 123 },
  });
  expect(play(shiftMenu(7), '1', '123', 'enter', 'escape').screen).toEqual({
    kind: 'count', batch: 7, keyed: '123', sure: false, by: '', doubt: false,
  });
});

test('whoever counts may be another than who signed on', () => {
  expect(play(shiftMenu(7), '1', '123', 'enter', '09', 'enter').wish).toEqual({
    kind: 'shift', path: 'close', body: { batch: 7, counted_minor: 123, cashier: '09' },
  });
});

test('over sales in doubt the batch is closed once they were shown', () => {
  const { screen } = play(shiftMenu(7), '1', '123', 'enter');
  expect(play({ ...screen, doubt: true } as Screen, 'enter').wish).toEqual({
    kind: 'shift', path: 'close', body: { batch: 7, counted_minor: 123, despite: [5] },
  });
  expect(play({ ...screen, doubt: true } as Screen, 'escape').screen).toMatchObject({ sure: false, doubt: false });
  const left = { ...screen, held: [3, 5] } as Screen;
  expect(play(left, 'enter').wish).toMatchObject({ path: 'close', body: { drop_held: [3, 5] } });
  expect(play(play(left, 'escape').screen, 'enter', 'enter').wish).not.toHaveProperty('body.drop_held');
});

test('a drawer that nobody counted is not an empty one', () => {
  const asked = play(shiftMenu(7), '1', 'enter');
  expect(asked).toEqual({ screen: { kind: 'count', batch: 7, keyed: '', sure: false, by: '', doubt: false }, hint: 'key_count' });
  expect(play(shiftMenu(7), '1', 'enter', 'enter').wish).toBeUndefined();
  expect(play(shiftMenu(7), '1', '5', 'back', 'enter', 'enter').wish).toBeUndefined();
  for (const noughts of ['0', '00']) {
    expect(play(shiftMenu(7), '1', noughts, 'enter', 'enter').wish).toEqual({
      kind: 'shift', path: 'close', body: { batch: 7, counted_minor: 0 },
    });
  }
  expect(play(shiftMenu(7), '1', '0', '5').screen).toMatchObject({ keyed: '5' });
});

test('a page that shows another batch than the open one leaves it', () => {
  for (const chosen of ['1', '2', '3']) {
    const { screen } = play(shiftMenu(7), chosen, '123');
    expect(afterShift(screen, 7, [])).toEqual(screen);
    expect(afterShift(screen, 8, []).kind).toBe('home');
    expect(afterShift(screen, null, []).kind).toBe('home');
    // The answer to what was pressed here is on its way.
    expect(afterShift(screen, null, ['/api/shift/close'])).toEqual(screen);
  }
  expect(afterShift(shiftMenu(7), 8, []).kind).toBe('home');
  expect(afterShift(shiftMenu(null), 8, []).kind).toBe('home');
  const sale: Screen = { kind: 'method', minor: 5 };
  expect(afterShift(sale, 8, [])).toEqual(sale);
});

test('who counts is not told what sales brought in', () => {
  expect(tellsOfCash(play(shiftMenu(7), '1').screen)).toBe(false);
  expect(tellsOfCash(play(shiftMenu(7), '1', '5', 'enter').screen)).toBe(false);
  expect(tellsOfCash(shiftMenu(7))).toBe(true);
});

test('the last report can be printed again, also while the next shift is open', () => {
  for (const menu of [play(shiftMenu(null), '2'), play(shiftMenu(7), '4')]) {
    expect(menu).toEqual({ screen: { kind: 'report' }, wish: { kind: 'shift', path: 'reprint', body: {} } });
  }
});

test('no shift is closed that is not open, and none opened twice', () => {
  expect(play(shiftMenu(null), '1').screen.kind).toBe('sign-on');
  expect(play(shiftMenu(7), 'enter')).toEqual({ screen: shiftMenu(7) });
  expect(play(shiftMenu(7), 'escape').screen.kind).toBe('home');
});
