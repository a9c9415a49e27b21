// Amounts are whole minor units of a currency. They are written and read as text, digit by digit: no amount is ever
// divided or multiplied, so none can be rounded.

/** ISO 4217 currencies whose minor unit is not the hundredth; money.test.ts holds this to sdk/protocol/src/money.rs. */
const MINOR_DIGITS: Readonly<Record<string, number>> = {
  BHD: 3, CLP: 0, JPY: 0, KRW: 0, KWD: 3, TND: 3, VND: 0,
};

/** Largest amount of one payment or refund, in minor units. */
export const AMOUNT_MINOR_MAX = 999_999_999_999;

/** How many decimal digits the minor unit stands for. */
export function minorDigits(currency: string): number {
  return MINOR_DIGITS[currency] ?? 2;
}

/**
 * "1,234.50", "−0.05"; grouped by thousands. A number that JavaScript cannot hold exactly (2^53 and above) is shown as
 * "?": a wrong sum would be worse than none.
 */
export function formatMinor(minor: number, currency: string): string {
  if (!Number.isSafeInteger(minor)) return '?';
  const digits = minorDigits(currency);
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits).replace(/\B(?=(\d{3})+$)/g, ',');
  const fraction = digits === 0 ? '' : `.${text.slice(text.length - digits)}`;
  return `${minor < 0 ? '−' : ''}${whole}${fraction}`;
}

/** The same without grouping, as an input field shows it. */
export function editableMinor(minor: number, currency: string): string {
  return formatMinor(minor, currency).replaceAll(',', '');
}

/** Reads what a person typed, "12.5" or "1,234.50"; null if it is not an amount of `least` to AMOUNT_MINOR_MAX minor units. */
export function parseMinor(text: string, currency: string, least = 1): number | null {
  const digits = minorDigits(currency);
  const match = /^(\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d*))?$/.exec(text.trim());
  if (match === null) return null;
  const fraction = match[2] ?? '';
  if (fraction.length > digits) return null;
  const minor = Number((match[1] ?? '').replaceAll(',', '') + fraction.padEnd(digits, '0'));
  return minor >= least && minor <= AMOUNT_MINOR_MAX ? minor : null;
}
