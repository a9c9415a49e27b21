import { expect, test } from 'vitest';
import type { Press, Screen, Step } from './screen';
import { step } from './screen';
import { shiftMenu } from './shift';

const key = (name: string): Press => {
  if (/^\d+$/.test(name)) return { kind: 'digits', digits: name };
  return name === 'F7' ? { kind: 'function', key: 'shift' } : ({ kind: name } as Press);
};

/** Presses one key after the other; the last step. */
function play(from: Screen, ...names: string[]): Step {
  return names.reduce<Step>((last, name) => step(last.screen, key(name), []), { screen: from });
}

test('signing on asks for the cashier’s number and then the float', () => {
  const asked = play(shiftMenu(false), 'enter', '0', '7', 'enter', '500', '00', 'enter');
  expect(asked.wish).toEqual({
    kind: 'shift', path: 'open', body: { float_minor: 50_000, cashier: '07', cashier_number: '07' },
  });
  expect(play(shiftMenu(false), 'enter', 'enter', 'enter').wish).toEqual({
    kind: 'shift', path: 'open', body: { float_minor: 0, cashier: '', cashier_number: '' },
  });
  expect(play(shiftMenu(false), 'enter', '7', 'enter', 'escape').screen).toEqual({ kind: 'sign-on', number: null, keyed: '7' });
  expect(play(shiftMenu(false), '2').wish).toEqual({ kind: 'shift', path: 'reprint', body: {} });
});

test.each([['2', 'paid-in'], ['3', 'paid-out']] as const)('cash moves with an amount and a reason (%s)', (chosen, path) => {
  expect(play(shiftMenu(true), chosen, 'enter').hint).toBe('key_amount');
  const asked = play(shiftMenu(true), chosen, '2000', 'enter', '3');
  expect(asked.wish).toEqual({ kind: 'shift', path, body: { amount_minor: 2_000, reason: '采购 purchase' } });
  expect(play(shiftMenu(true), chosen, '2000', 'enter', '9').wish).toBeUndefined();
});

test('the batch is closed with what was counted, after a question', () => {
  expect(play(shiftMenu(true), '1', '123', 'enter')).toEqual({ screen: { kind: 'count', keyed: '123', sure: true } });
  expect(play(shiftMenu(true), '1', '123', 'enter', 'enter').wish).toEqual({
    kind: 'shift', path: 'close', body: { counted_minor: 123 },
  });
  expect(play(shiftMenu(true), '1', '123', 'enter', 'escape').screen).toEqual({ kind: 'count', keyed: '123', sure: false });
  // An empty drawer is counted, too.
  expect(play(shiftMenu(true), '1', 'enter', 'enter').wish).toEqual({ kind: 'shift', path: 'close', body: { counted_minor: 0 } });
});

test('no shift is closed that is not open, and none opened twice', () => {
  expect(play(shiftMenu(false), '1').screen.kind).toBe('sign-on');
  expect(play(shiftMenu(true), 'enter')).toEqual({ screen: shiftMenu(true) });
  expect(play(shiftMenu(true), 'escape').screen.kind).toBe('home');
});
