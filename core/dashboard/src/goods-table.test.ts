import { expect, test } from 'vitest';
import type { TaxRate } from './api/client';
import { type Line, LINES_MAX, linesOf, type Read, readTable, refusedLines, textOf, type Wrong } from './goods-table';

const rate = (id: string, name: string, active = true): TaxRate => ({ id, name, basis_points: 1_300, included: true, active, version: 1, created_at: 1 });
const RATES = [rate('tax_1', 'VAT'), rate('tax_2', 'old', false), rate('tax_3', 'twin'), rate('tax_4', 'twin')];
const read = (text: string, stores: string[] = []): Read => readTable(text, 'CNY', RATES, stores);

function lines(text: string, stores: string[] = []): Line[] {
  const found = read(text, stores);
  if (found.kind !== 'lines') throw new Error(found.kind);
  return found.lines;
}

test('a table as a spreadsheet writes it', () => {
  const found = lines('name,price,barcode,weight,tax\r\ntea,5.00,036000291452 T-1,,VAT\r\n"apples, ""red""\nand green","1,280",,yes,\r\n\r\ncake,0,,no,\r\n', ['sto_1']);
  expect(found.map(({ line, goods, wrong }) => [line, goods, wrong])).toEqual([
    [2, { name: 'tea', price: { minor: 500, currency: 'CNY' }, barcodes: ['036000291452', 'T-1'], by_weight: false, stores: ['sto_1'], tax_rate: 'tax_1' }, []],
    // A line break cannot stand on a receipt; the lines behind it are counted as the file does.
    [3, { name: 'apples, "red"\nand green', price: { minor: 128_000, currency: 'CNY' }, barcodes: [], by_weight: true, stores: ['sto_1'] }, [{ kind: 'name' }]],
    [6, { name: 'cake', price: { minor: 0, currency: 'CNY' }, barcodes: [], by_weight: false, stores: ['sto_1'] }, []],
  ]);
});

test.each([
  ['tabs, copied out of a spreadsheet', 'Price\tName\n5\ttea, green'], ['semicolons', 'Price;Name\n5;tea, green'],
  ['Chinese heads, with what they are of', '\uFEFF价格（元）,名称\n5,"tea, green"'],
])('%s', (_, text) => {
  expect(lines(text).map(({ goods, wrong }) => [goods.name, goods.price.minor, wrong])).toEqual([['tea, green', 500, []]]);
});

test('columns that are missing, and those that nobody knows', () => {
  expect(read('')).toEqual({ kind: 'nothing' });
  expect(read('name,price\n')).toEqual({ kind: 'nothing' });
  expect(read('tea,5')).toEqual({ kind: 'heads', missing: ['name', 'price'] });
  expect(read('PK\u0003\u0004')).toEqual({ kind: 'heads', missing: ['name', 'price'] });
  const found = read('name,colour,price\ntea,green,5');
  expect(found.kind === 'lines' && found.unused).toEqual(['colour']);
});

test('so many lines and no more', () => {
  const table = (count: number): string => `name,price\n${'tea,5\n'.repeat(count)}`;
  expect(lines(table(LINES_MAX))).toHaveLength(LINES_MAX);
  expect(read(table(LINES_MAX + 1))).toEqual({ kind: 'long', count: LINES_MAX + 1 });
});

test.each<[string, string, Wrong[]]>([
  ['no name', ',5,,,', [{ kind: 'name' }]],
  ['a long name', `${'茶'.repeat(129)},5,,,`, [{ kind: 'name' }]],
  ['no price', 'tea,,,,', [{ kind: 'price' }]],
  ['a comma for the point', 'tea,"5,50",,,', [{ kind: 'price' }]],
  ['a price below nothing', 'tea,-5,,,', [{ kind: 'price' }]],
  ['a wrong digit', 'tea,5,4006381333932,,', [{ kind: 'digit', code: '4006381333932', expected: 1 }]],
  ['a barcode with other letters', 'tea,5,茶,,', [{ kind: 'characters', code: '茶' }]],
  ['what a spreadsheet has rounded', 'tea,5,6.90123E+12,,', [{ kind: 'rounded', code: '6.90123E+12' }]],
  ['a UPC-A whose nought a spreadsheet took', 'tea,5,36000291452,,', [{ kind: 'noughts', code: '36000291452' }]],
  ['an EAN-13 that has lost several', 'tea,5,123456784,,', [{ kind: 'noughts', code: '123456784' }]],
  ['an EAN-8 whose nought is gone', 'tea,5,1234565,,', [{ kind: 'noughts', code: '1234565' }]],
  ['a UPC-E whose nought is gone', 'tea,5,4252614,,', [{ kind: 'noughts', code: '4252614' }]],
  ['no number of the shop’s own', 'tea,5,36000291453 1234567 123456,,', []],
  ['a weight of its own', 'tea,5,,500 g,', [{ kind: 'weight' }]],
  ['a tax that is not there', 'tea,5,,,GST', [{ kind: 'tax' }]],
  ['a tax that is over', 'tea,5,,,old', [{ kind: 'tax' }]],
  ['a name of two taxes', 'tea,5,,,twin', [{ kind: 'tax' }]],
  ['an open quotation mark', '"tea,5,,,', [{ kind: 'quote' }, { kind: 'price' }]],
  ['all at once', ',x,A A,maybe,', [{ kind: 'name' }, { kind: 'price' }, { kind: 'twice', code: 'A', line: 2 }, { kind: 'weight' }]],
])('%s is told', (_, line, wrong) => {
  expect(lines(`name,price,barcode,weight,tax\n${line}`)[0]?.wrong).toEqual(wrong);
});

test('a name with a comma that is not quoted has a cell too many', () => {
  expect(lines('name,price\ntea, green,5')[0]?.wrong).toEqual([{ kind: 'cells' }, { kind: 'price' }]);
});

test('a barcode of another line is told with that line', () => {
  const found = lines('name,price,barcode\ntea,5,036000291452\ncake,5,\npie,5,0036000291452');
  expect(found.map(({ wrong }) => wrong)).toEqual([[], [], [{ kind: 'twice', code: '0036000291452', line: 2 }]]);
});

test('what core refuses stands at its line', () => {
  const found = lines('name,price,barcode\ntea,5,A B\n\npie,5,C');
  const fault = (pointer: string, code = 'invalid'): { code: string; detail: string; pointer: string } => ({ code, detail: `${code}.`, pointer });
  const marked = refusedLines(found, [fault('/goods/0/barcodes/1', 'conflict'), fault('/goods/1/name'), fault('/goods/1'), fault('/goods/10')]);
  expect(marked.map(({ line, wrong }) => [line, wrong])).toEqual([
    [2, [{ kind: 'taken', code: 'B' }]], [4, [{ kind: 'core', detail: 'invalid.' }, { kind: 'core', detail: 'invalid.' }]],
  ]);
  expect(refusedLines(found, [])).toEqual(found);
});

test('what was sent is shown as it was', () => {
  const sent = lines('name,price,barcode,weight\ntea,5,A B,\napples,12.8,,x').map(({ goods }) => goods);
  expect(linesOf(sent).map(({ line, shown, goods }) => [line, shown.name, shown.price, shown.barcode, shown.weight, goods])).toEqual([
    [2, 'tea', '5.00', 'A B', '', sent[0]], [3, 'apples', '12.80', '', 'kg', sent[1]],
  ]);
});

test.each([
  ['UTF-8', [0xe8, 0x8c, 0xb6]], ['GB18030', [0xb2, 0xe8]], ['UTF-16 with its mark', [0xff, 0xfe, 0x36, 0x83]],
])('%s', (_, bytes) => {
  expect(textOf(new Uint8Array(bytes)).replace('\uFEFF', '')).toBe('茶');
});
