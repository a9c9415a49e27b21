// Goods out of a table, as spreadsheets write it: which columns there are, and every line that cannot be.

import type { NewGoods, TaxRate } from './api/client';
import { lacksNoughts, NAME_LEN_MAX, readBarcode, readPrice } from './goods';
import { editableMinor } from './money/money';

/** Most lines of one table; core/server/src/http/v1/goods/import.rs. */
export const LINES_MAX = 500;
/** Largest file that is looked at, in bytes: five hundred lines as long as they may be. */
export const FILE_BYTES_MAX = 1_000_000;

export const COLUMNS = ['name', 'price', 'barcode', 'weight', 'tax'] as const;
export type Column = (typeof COLUMNS)[number];

/** What offices call them. */
const HEADS: Readonly<Record<Column, readonly string[]>> = {
  name: ['name', 'goods', 'item', 'product', '名称', '品名', '商品', '商品名称'],
  price: ['price', 'unit price', '价格', '单价', '售价', '零售价'],
  barcode: ['barcode', 'barcodes', 'ean', 'upc', '条码', '条形码', '商品条码'],
  weight: ['weight', 'by weight', 'by_weight', '称重', '按重量', '是否称重'],
  tax: ['tax', 'vat', '税', '税率', '税种'],
};
const YES = ['yes', 'y', 'true', '1', 'x', 'kg', '是', '√'];
const NO = ['', 'no', 'n', 'false', '0', '否'];

export type Wrong =
  | { kind: 'name' | 'price' | 'weight' | 'tax' | 'quote' | 'cells' }
  | { kind: 'characters' | 'rounded' | 'noughts' | 'taken'; code: string }
  | { kind: 'digit'; code: string; expected: number }
  | { kind: 'twice'; code: string; line: number }
  /** In core's words. */
  | { kind: 'core'; detail: string };

export interface Line {
  /** As the file counts them, from 1. */
  line: number;
  /** As they stand there. */
  shown: Readonly<Record<Column, string>>;
  goods: NewGoods;
  wrong: Wrong[];
}

export type Read =
  | { kind: 'nothing' }
  | { kind: 'heads'; missing: Column[] }
  | { kind: 'long'; count: number }
  | { kind: 'lines'; lines: Line[]; unused: string[] };

interface Row {
  line: number;
  cells: string[];
  /** A quotation mark that was opened is closed. */
  isWhole: boolean;
}

/** A table with commas, semicolons or tabs between its cells, whichever its first line has most of (RFC 4180, section 2, for the rest). */
function rowsOf(text: string): Row[] {
  const [first = ''] = text.split(/\r?\n/, 1);
  const count = (sign: string): number => first.split(sign).length;
  const between = [',', ';', '\t'].reduce((most, sign) => (count(sign) > count(most) ? sign : most));
  const rows: Row[] = [];
  let row: Row = { line: 1, cells: [''], isWhole: true };
  let [line, isQuoted] = [1, false];
  const put = (sign: string): void => {
    row.cells[row.cells.length - 1] += sign;
  };
  for (let at = 0; at < text.length; at += 1) {
    const sign = text.charAt(at);
    if (sign === '\n') line += 1;
    if (isQuoted) {
      if (sign !== '"') put(sign);
      else if (text.charAt(at + 1) === '"') {
        put('"');
        at += 1;
      } else isQuoted = false;
    } else if (sign === '"' && row.cells.at(-1)?.trim() === '') {
      row.cells[row.cells.length - 1] = '';
      isQuoted = true;
    } else if (sign === between) row.cells.push('');
    else if (sign === '\n') {
      rows.push(row);
      row = { line, cells: [''], isWhole: true };
    } else put(sign);
  }
  rows.push({ ...row, isWhole: !isQuoted });
  const trimmed = rows.map((one) => ({ ...one, cells: one.cells.map((cell) => cell.trim()) }));
  return trimmed.filter(({ cells }) => cells.some((cell) => cell !== ''));
}

/** Whatever a spreadsheet has made of a long number: its last digits are lost. */
const ROUNDED = /^\d(?:[.,]\d+)?E\+\d+$/i;

export function readTable(text: string, currency: string, rates: readonly TaxRate[], stores: readonly string[]): Read {
  const [heads, ...rows] = rowsOf(text.replace(/^\uFEFF/, ''));
  if (heads === undefined) return { kind: 'nothing' };
  const named = heads.cells.map((cell) => cell.toLowerCase().replace(/\s*[(（].*$/, ''));
  const at = (column: Column): number => named.findIndex((name) => HEADS[column].includes(name));
  const missing = (['name', 'price'] as const).filter((column) => at(column) < 0);
  if (missing.length > 0) return { kind: 'heads', missing };
  if (rows.length === 0) return { kind: 'nothing' };
  if (rows.length > LINES_MAX) return { kind: 'long', count: rows.length };
  const places = COLUMNS.map((column) => [column, at(column)] as const);
  const unused = heads.cells.filter((cell, idx) => cell !== '' && places.every(([, place]) => place !== idx));
  const held = new Map<string, number>();
  const lines = rows.map((row): Line => {
    const shown = Object.fromEntries(places.map(([column, place]) => [column, row.cells[place] ?? ''])) as Record<Column, string>;
    return { line: row.line, shown, ...readLine(row, shown, heads.cells.length, { currency, rates, stores, held }) };
  });
  return { kind: 'lines', lines, unused };
}

interface Around {
  currency: string;
  rates: readonly TaxRate[];
  stores: readonly string[];
  /** Barcodes of the lines before, and where they stand. */
  held: Map<string, number>;
}

function readLine(row: Row, shown: Readonly<Record<Column, string>>, width: number, { currency, rates, stores, held }: Around): Pick<Line, 'goods' | 'wrong'> {
  const wrong: Wrong[] = [];
  const minor = readPrice(shown.price, currency);
  const barcodes = shown.barcode.split(/\s+/).filter((code) => code !== '');
  const taxes = rates.filter(({ name, active }) => active && name === shown.tax);
  const isHeavy = YES.includes(shown.weight.toLowerCase());
  if (!row.isWhole) wrong.push({ kind: 'quote' });
  // A comma in a name that is not quoted moves everything behind it.
  if (row.cells.slice(width).some((cell) => cell !== '')) wrong.push({ kind: 'cells' });
  if (shown.name === '' || [...shown.name].length > NAME_LEN_MAX || /\p{Cc}/u.test(shown.name)) wrong.push({ kind: 'name' });
  if (minor === null) wrong.push({ kind: 'price' });
  for (const code of barcodes) wrong.push(...wrongCode(code, row.line, held));
  if (!isHeavy && !NO.includes(shown.weight.toLowerCase())) wrong.push({ kind: 'weight' });
  if (shown.tax !== '' && taxes.length !== 1) wrong.push({ kind: 'tax' });
  const goods: NewGoods = {
    name: shown.name, price: { minor: minor ?? 0, currency }, barcodes, by_weight: isHeavy, stores: [...stores],
    ...(taxes[0] === undefined ? {} : { tax_rate: taxes[0].id }),
  };
  return { goods, wrong };
}

function wrongCode(code: string, line: number, held: Map<string, number>): Wrong[] {
  if (ROUNDED.test(code)) return [{ kind: 'rounded', code }];
  if (lacksNoughts(code)) return [{ kind: 'noughts', code }];
  const read = readBarcode(code);
  if (typeof read !== 'string') return [{ ...read, code }];
  const before = held.get(read);
  if (before !== undefined) return [{ kind: 'twice', code, line: before }];
  held.set(read, line);
  return [];
}

/** Goods that were sent before, as lines of the table that they came from. */
export function linesOf(goods: readonly NewGoods[]): Line[] {
  return goods.map((one, idx) => {
    const { name, price: { minor, currency }, barcodes = [], by_weight } = one;
    const shown = { name, price: editableMinor(minor, currency), barcode: barcodes.join(' '), weight: by_weight === true ? 'kg' : '', tax: '' };
    return { line: idx + 2, shown, goods: one, wrong: [] };
  });
}

/** What core refused, at its lines: `errors` names goods by their place among those that were sent. */
export function refusedLines(lines: readonly Line[], errors: readonly { code: string; detail: string; pointer: string }[]): Line[] {
  return lines.map((line, idx) => {
    const mine = errors.filter(({ pointer }) => pointer === `/goods/${idx}` || pointer.startsWith(`/goods/${idx}/`));
    const words = mine.map(({ code, detail, pointer }): Wrong => {
      const [, nth] = /\/barcodes\/(\d+)$/.exec(pointer) ?? [];
      const barcode = nth === undefined ? undefined : line.goods.barcodes?.[Number(nth)];
      return code === 'conflict' && barcode !== undefined ? { kind: 'taken', code: barcode } : { kind: 'core', detail };
    });
    return words.length === 0 ? line : { ...line, wrong: [...line.wrong, ...words] };
  });
}

/** A file's text: UTF-8, what spreadsheets call Unicode text, or what they write in China. */
export function textOf(bytes: Uint8Array): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder('utf-16le').decode(bytes);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('gb18030').decode(bytes);
  }
}
