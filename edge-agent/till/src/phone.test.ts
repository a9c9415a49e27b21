import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Sale } from './api';
import { isConfirmation, LETTERS } from './phone';
import { HOME, type Press, type Screen, step } from './screen';

const WAITS: Sale = {
  payment: 'pay_1', counter: 17, method: 'code', state: 'sending', settled: false, paid: false, amount_minor: 1250, refunded_minor: 0, currency: 'CNY',
  amount: '12.50', phone: true, cancelling: false, paid_late: false, synced: false, receipt: 'none', refunds: [], keyed_at: 1, updated_at: 1,
  actions: ['query', 'confirm', 'cancel'],
};
const SALE: Screen = { kind: 'sale', payment: 'pay_1' };
const CONFIRM: Press = { kind: 'function', key: 'confirm' };

function types(text: string): ReturnType<typeof step> {
  let here = step(SALE, CONFIRM, [WAITS]);
  for (const letter of text) here = step(here.screen, /\d/.test(letter) ? { kind: 'digits', digits: letter } : { kind: 'text', text: letter }, [WAITS]);
  return here;
}

test('the letters are typed by keys alone, and sent once they are whole', () => {
  expect(types('abcd-23').screen).toEqual({ kind: 'letters', payment: 'pay_1', keyed: 'ABCD23' });
  expect(step(types('abcd23').screen, { kind: 'enter' }, [WAITS])).toMatchObject({ hint: 'code_short' });
  expect(step(types('abcd-2345zz').screen, { kind: 'enter' }, [WAITS])).toEqual({
    screen: SALE,
    wish: { kind: 'act', payment: 'pay_1', action: 'confirm', body: { letters: 'ABCD2345' } },
  });
  expect(step(types('ab').screen, { kind: 'back' }, [WAITS]).screen).toMatchObject({ keyed: 'A' });
  expect(step(types('ab').screen, { kind: 'escape' }, [WAITS])).toEqual({ screen: SALE });
});

test('on glass there is a key for each letter that a confirmation can have', () => {
  const alphabet = /ALPHABET: &\[u8; 32\] = b"([0-9A-Z]{32})"/.exec(readFileSync(new URL('../../../sdk/protocol/src/code/phone.rs', import.meta.url), 'utf8'));
  expect(LETTERS.join('')).toBe(alphabet?.[1]);
});

test('a sale that no phone carries has no letters', () => {
  const other: Sale = { ...WAITS, actions: ['query', 'cancel'] };
  expect(step(SALE, CONFIRM, [other])).toEqual({ screen: SALE, hint: 'not_offered' });
});

test('a confirmation that is scanned is no customer’s code, whatever is keyed', () => {
  for (const text of ['SPC1:17:ABCD2345', 'spc1:17:abcd2345']) {
    expect(isConfirmation(text)).toBe(true);
    expect(step({ kind: 'home', keyed: '1250' }, { kind: 'scanned', text }, [WAITS]).wish).toEqual({ kind: 'scan', text });
    expect(step(HOME, { kind: 'scanned', text }, [WAITS]).wish).toEqual({ kind: 'scan', text });
  }
  expect(isConfirmation('OPC1:ABC')).toBe(false);
});
