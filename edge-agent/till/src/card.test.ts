import { expect, test } from 'vitest';
import { type Screen, step } from './screen';
import { awaitingCard } from './card';
import { HOME } from './screen';

const AT_METHOD: Screen = { kind: 'method', minor: 1250 };

test('the sixth key sells by card, and so does its button', () => {
  for (const press of [{ kind: 'digits', digits: '6' }, { kind: 'method', method: 'card' }] as const) {
    expect(step(AT_METHOD, press, [])).toEqual({
      screen: AT_METHOD,
      wish: { kind: 'sell', body: { amount_minor: 1250, method: 'card' } },
    });
  }
});

test('what goes with the amount stays with it while a card is awaited', () => {
  const asked = { amount_minor: 1250, method: 'card', reference: '7', held: 3 };
  expect(awaitingCard(HOME, 1250, asked)).toEqual({ kind: 'card', minor: 1250, order: { held: 3, reference: '7' } });
  expect(awaitingCard(HOME, 1250, undefined)).toEqual({ kind: 'card', minor: 1250 });
});

test('while a card is awaited only Escape does anything, and it is cancelled by it', () => {
  const screen = awaitingCard(HOME, 1250, undefined);
  expect(step(screen, { kind: 'escape' }, [])).toEqual({ screen: AT_METHOD, wish: { kind: 'stop-card' } });
  for (const press of [{ kind: 'enter' }, { kind: 'digits', digits: '1' }, { kind: 'function', key: 'sale' }, { kind: 'back' }] as const) {
    expect(step(screen, press, [])).toEqual({ screen });
  }
});
