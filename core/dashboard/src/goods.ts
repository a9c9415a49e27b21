// What a shop sells: barcodes, prices and taxes as they are typed, and as core takes them.

import type { ChangedGoods, Goods, NewGoods, TaxRate } from './api/client';
import { editableMinor, parseMinor } from './money/money';

/** Most barcodes of one of them; core/store/src/goods.rs. */
export const BARCODES_MAX = 20;
/** Longest name, in characters; sdk/protocol/src/api.rs. */
export const NAME_LEN_MAX = 128;

export type BarcodeFault = { kind: 'characters' } | { kind: 'digit'; expected: number };

/**
 * A barcode as core holds it: a UPC-A, and a UPC-E, as the EAN-13 that it is; everything that is not of 8, 12 or 13 digits is the
 * merchant's own. The rules are sdk/protocol/src/barcode.rs's, to which goods.test.ts holds this.
 */
export function readBarcode(text: string): string | BarcodeFault {
  if (!/^[!-~]{1,32}$/.test(text)) return { kind: 'characters' };
  if (!/^(\d{8}|\d{12,13})$/.test(text)) return text;
  const expected = checkDigit(text.slice(0, -1));
  if (text.endsWith(String(expected))) return text.length === 12 ? `0${text}` : text;
  const upcA = expanded(text);
  if (upcA?.endsWith(String(checkDigit(upcA.slice(0, -1))))) return `0${upcA}`;
  return { kind: 'digit', expected };
}

/** A code that is most likely an EAN-8, a UPC-E or a UPC-A without its first noughts, as a spreadsheet leaves it that takes it for a number. */
export function lacksNoughts(code: string): boolean {
  return /^(\d{7}|\d{9,11})$/.test(code) && typeof readBarcode(code.padStart(code.length === 7 ? 8 : 12, '0')) === 'string';
}

/** From the right, the digits count three times and once in turn (GS1 General Specifications, section 7.9). */
function checkDigit(digits: string): number {
  const sum = [...digits].reverse().reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 3 : 1), 0);
  return (10 - (sum % 10)) % 10;
}

/** The UPC-A that eight digits may stand for (section 5.2.2.4): the last of the six says where the noughts were. */
function expanded(text: string): string | null {
  const [, system, six = '', check] = /^([01])(\d{6})(\d)$/.exec(text) ?? [];
  if (system === undefined) return null;
  const last = six.slice(5);
  if (last <= '2') return `${system}${six.slice(0, 2)}${last}0000${six.slice(2, 5)}${check}`;
  if (last === '3') return `${system}${six.slice(0, 3)}00000${six.slice(3, 5)}${check}`;
  if (last === '4') return `${system}${six.slice(0, 4)}00000${six.slice(4, 5)}${check}`;
  return `${system}${six.slice(0, 5)}0000${last}${check}`;
}

/** A label of a shop's own scale says what was weighed once: it is not the code of the goods. */
export function isWholeLabel(code: string): boolean {
  return /^2\d{12}$/.test(code);
}

export interface TypedGoods {
  name: string;
  price: string;
  byWeight: boolean;
  barcodes: readonly string[];
  taxRate: string | null;
  stores: readonly string[];
}

export function typedGoods(goods: Goods | NewGoods | null, currency: string): TypedGoods {
  return {
    name: goods?.name ?? '',
    price: goods === null ? '' : editableMinor(goods.price.minor, currency),
    byWeight: goods?.by_weight ?? false,
    barcodes: goods?.barcodes ?? [],
    taxRate: goods?.tax_rate ?? null,
    stores: goods?.stores ?? [],
  };
}

export function readPrice(text: string, currency: string): number | null {
  return parseMinor(text, currency, 0);
}

export interface WrongBarcode {
  code: string;
  fault: BarcodeFault | { kind: 'twice' };
}

/** What is wrong with the barcodes of one of the goods, in their order. */
export function wrongBarcodes(codes: readonly string[]): WrongBarcode[] {
  const held: string[] = [];
  return codes.flatMap((code): WrongBarcode[] => {
    const read = readBarcode(code);
    if (typeof read !== 'string') return [{ code, fault: read }];
    if (held.includes(read)) return [{ code, fault: { kind: 'twice' } }];
    held.push(read);
    return [];
  });
}

/** What was typed, as core takes it; null while something is missing or wrong. */
export function readGoods(typed: TypedGoods, currency: string): NewGoods | null {
  const [name, minor] = [typed.name.trim(), readPrice(typed.price, currency)];
  if (name === '' || minor === null || typed.barcodes.length > BARCODES_MAX || wrongBarcodes(typed.barcodes).length > 0) return null;
  return {
    name, price: { minor, currency }, by_weight: typed.byWeight, barcodes: [...typed.barcodes], stores: [...typed.stores],
    ...(typed.taxRate === null ? {} : { tax_rate: typed.taxRate }),
  };
}

/** As it was when it was seen, but for `what`. */
export function changed(goods: Goods, what: Partial<ChangedGoods>): ChangedGoods {
  const { version, name, barcodes, price, by_weight, tax_rate, stores, active } = goods;
  return { version, name, barcodes, price, by_weight, stores, active, ...(tax_rate == null ? {} : { tax_rate }), ...what };
}

/** Which of the barcodes that were sent a problem is about. */
export function barcodeAt(pointer: string | undefined): number | null {
  const [, at] = /\/barcodes\/(\d+)$/.exec(pointer ?? '') ?? [];
  return at === undefined ? null : Number(at);
}

/** "13", "6.5": hundredths of a percent without the noughts behind. */
export function percentOf(basisPoints: number): string {
  const rest = String(basisPoints % 100).padStart(2, '0').replace(/0+$/, '');
  return `${Math.floor(basisPoints / 100)}${rest === '' ? '' : `.${rest}`}`;
}

/** "6.5" as 650; null for what is no percentage of 0 to 100 with two places. */
export function readPercent(text: string): number | null {
  const [, whole, rest = ''] = /^(\d{1,3})(?:\.(\d{0,2}))?$/.exec(text.trim()) ?? [];
  if (whole === undefined) return null;
  const basisPoints = Number(whole + rest.padEnd(2, '0'));
  return basisPoints <= 10_000 ? basisPoints : null;
}

/** Those that goods may be given, and the one that they have, which they may keep. */
export function offered(rates: readonly TaxRate[], kept: string | null): TaxRate[] {
  return rates.filter(({ id, active }) => active || id === kept);
}
