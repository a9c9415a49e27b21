// Amounts as schemes write them: decimal text with the currency's digits. Whole numbers and text, no fractions anywhere.

import type { Money } from 'saoma:channel/types@0.2.0';

/** How many digits stand behind the point (ISO 4217), of the currencies that Saoma knows. */
const DIGITS: Readonly<Record<string, number>> = {
  AED: 2, AUD: 2, BHD: 3, BRL: 2, CAD: 2, CHF: 2, CLP: 0, CNY: 2, EUR: 2, GBP: 2, HKD: 2, IDR: 2, INR: 2, JPY: 0,
  KRW: 0, KWD: 3, MOP: 2, MXN: 2, MYR: 2, NZD: 2, PHP: 2, SGD: 2, THB: 2, TND: 3, TWD: 2, USD: 2, VND: 0,
};

/** Digits of the largest number that is taken: whole numbers are exact up to 2^53, which has 16, and no amount has more than 12. */
const DIGITS_MAX = 15;

/**
 * `1250` minor units of CNY as `12.50`, of JPY as `1250`; `null` if the currency is not one that Saoma knows, or the number not
 * whole.
 */
export function decimal({ minor, currency }: Money): string | null {
  const digits = digitsOf(currency);
  if (digits === null || !Number.isSafeInteger(minor)) return null;
  const [sign, text] = [minor < 0 ? '-' : '', Math.abs(minor).toString().padStart(digits + 1, '0')];
  return digits === 0 ? sign + text : `${sign}${text.slice(0, -digits)}.${text.slice(-digits)}`;
}

/**
 * `12.50` in CNY as 1250 minor units; `null` if it is no amount. Takes exactly what `decimal` gives, and a shorter fraction (`12.5`,
 * `12`), with an optional `-`; nothing else: no spaces, no grouping, no exponent, no zeros in front, no digits beyond the currency's.
 */
export function fromDecimal(text: string, currency: string): Money | null {
  const digits = digitsOf(currency);
  const read = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$/.exec(text);
  if (digits === null || read === null) return null;
  const [, sign, whole = '', fraction = ''] = read;
  if (fraction.length > digits || whole.length + digits > DIGITS_MAX) return null;
  const minor = Number(whole + fraction.padEnd(digits, '0'));
  // Zero has no sign: `-0` would compare equal and print otherwise.
  return { minor: sign === '-' && minor !== 0 ? -minor : minor, currency };
}

const digitsOf = (currency: string): number | null => (Object.hasOwn(DIGITS, currency) ? (DIGITS[currency] ?? null) : null);
