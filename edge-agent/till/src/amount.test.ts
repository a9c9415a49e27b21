import { expect, test } from 'vitest';
import { likelyTendered, minorOf, shown, withDigits } from './amount';

test.each([
  ['', '1', '1'],
  ['', '0', ''],
  ['', '00', ''],
  ['125', '0', '1250'],
  ['12', '00', '1200'],
  ['99999999999', '9', '999999999999'],
  ['999999999999', '9', '999999999999'],
  ['99999999999', '00', '99999999999'],
])('%s and the key %s: %s', (keyed, key, expected) => {
  expect(withDigits(keyed, key)).toBe(expected);
});

test.each([
  ['1250', 2, '12.50'],
  ['', 2, '0.00'],
  ['5', 2, '0.05'],
  ['123456789', 2, '1,234,567.89'],
  ['999999999999', 2, '9,999,999,999.99'],
  ['1250', 0, '1,250'],
  ['1250', 3, '1.250'],
])('%s keyed with %d digits is shown as %s', (keyed, digits, expected) => {
  expect(shown(minorOf(keyed), digits)).toBe(expected);
});

test('what cannot be an amount is never shown as one', () => {
  expect([shown(2 ** 53, 2), shown(Number.NaN, 2), shown(0.5, 2)]).toEqual(['?', '?', '?']);
  expect(shown(-750, 2)).toBe('−7.50');
});

test.each([
  [1250, 2, [1500, 2000, 5000]],
  [1000, 2, [2000, 5000, 10000]],
  [10000, 2, []],
  [9999, 2, [10000]],
  [1250, 0, [1260, 1300]],
])('for %d with %d digits the customer may hand over %j', (minor, digits, sums) => {
  expect(likelyTendered(minor, digits)).toEqual(sums);
});
