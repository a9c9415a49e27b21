import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AMOUNT_MINOR_MAX, editableMinor, formatMinor, minorDigits, parseMinor } from './money';

const MONEY_RS = readFileSync(new URL('../../../../sdk/protocol/src/money.rs', import.meta.url), 'utf8');

test('every currency of the protocol has its digits here', () => {
  const rows = [...MONEY_RS.matchAll(/\("([A-Z]{3})", \d+, (\d)\)/g)];
  expect(rows.length).toBeGreaterThan(20);
  for (const [, code = '', digits] of rows) expect([code, minorDigits(code)]).toEqual([code, Number(digits)]);
});

test.each([
  [1250, 'CNY', '12.50'],
  [5, 'CNY', '0.05'],
  [-5, 'CNY', '−0.05'],
  [0, 'CNY', '0.00'],
  [123456789, 'CNY', '1,234,567.89'],
  [1250, 'JPY', '1,250'],
  [0, 'JPY', '0'],
  [1250, 'KWD', '1.250'],
  [AMOUNT_MINOR_MAX, 'CNY', '9,999,999,999.99'],
  [Number.MAX_SAFE_INTEGER, 'CNY', '90,071,992,547,409.91'],
  [2 ** 53, 'CNY', '?'],
  [12.5, 'CNY', '?'],
  [Number.NaN, 'CNY', '?'],
])('%d %s is shown as %s', (minor, currency, text) => {
  expect(formatMinor(minor, currency)).toBe(text);
});

test.each([
  ['12.50', 'CNY', 1250],
  ['12.5', 'CNY', 1250],
  ['12.', 'CNY', 1200],
  ['12', 'CNY', 1200],
  [' 0.01 ', 'CNY', 1],
  ['1,234.50', 'CNY', 123450],
  ['0.07', 'CNY', 7],
  ['1.005', 'KWD', 1005],
  ['1250', 'JPY', 1250],
  ['9999999999.99', 'CNY', AMOUNT_MINOR_MAX],
  ['10000000000.00', 'CNY', null],
  ['1250.5', 'JPY', null],
  ['12.505', 'CNY', null],
  ['0.00', 'CNY', null],
  ['-1', 'CNY', null],
  ['1e3', 'CNY', null],
  ['12,50', 'CNY', null],
  ['.5', 'CNY', null],
  ['', 'CNY', null],
  ['十', 'CNY', null],
])('%s %s is read as %s', (text, currency, minor) => {
  expect(parseMinor(text, currency)).toBe(minor);
});

test('a price may be nothing, and nothing less', () => {
  for (const [text, currency] of [['0', 'CNY'], ['0.00', 'CNY'], ['0', 'JPY']] as const) expect(parseMinor(text, currency, 0)).toBe(0);
  for (const [text, currency] of [['', 'CNY'], ['-1', 'CNY'], ['0.000', 'CNY'], ['0.0', 'JPY']] as const) expect(parseMinor(text, currency, 0)).toBeNull();
});

test('what is shown in a field is read back', () => {
  for (const currency of ['CNY', 'JPY', 'KWD']) {
    for (const minor of [1, 9, 10, 99, 100, 999, 1000, 123456, 100_000_00, AMOUNT_MINOR_MAX]) {
      expect(parseMinor(editableMinor(minor, currency), currency)).toBe(minor);
      expect(parseMinor(formatMinor(minor, currency), currency)).toBe(minor);
    }
  }
});
