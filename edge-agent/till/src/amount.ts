// Amounts as POS terminals key them: digits fill up from the right, in whole minor units. Only text is cut and joined,
// never divided, so that nothing can be rounded.

/** Largest amount of one sale, in minor units: 12 digits, as core takes it. */
const DIGITS_MAX = 12;

/** As a scale shows it. */
export function kilograms(grams: number): string {
  return `${(grams / 1_000).toFixed(3)} kg`;
}

/** What `keyed` becomes with more digits behind it; what would be too long is not taken. */
export function withDigits(keyed: string, more: string): string {
  const next = (keyed + more).replace(/^0+/, '');
  return next.length > DIGITS_MAX ? keyed : next;
}

export function minorOf(keyed: string): number {
  return keyed === '' ? 0 : Number(keyed);
}

/** 1250 → "12.50"; thousands are grouped. */
export function shown(minor: number, minorDigits: number): string {
  if (!Number.isSafeInteger(minor)) return '?';
  const text = String(Math.abs(minor)).padStart(minorDigits + 1, '0');
  const cut = text.length - minorDigits;
  const whole = text.slice(0, cut).replace(/\B(?=(\d{3})+$)/g, ',');
  return `${minor < 0 ? '−' : ''}${whole}${minorDigits === 0 ? '' : `.${text.slice(cut)}`}`;
}

/** Round sums that a customer may hand over for an amount: the next note, and the ones above it. */
export function likelyTendered(minor: number, minorDigits: number): number[] {
  const unit = 10 ** minorDigits;
  const notes = [5, 10, 20, 50, 100].map((note) => note * unit);
  const sums = notes.map((note) => Math.ceil(minor / note) * note).filter((sum) => sum > minor);
  return [...new Set(sums)].sort((a, b) => a - b).slice(0, 3);
}
