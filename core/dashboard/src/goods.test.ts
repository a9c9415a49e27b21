import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { Goods, TaxRate } from './api/client';
import { barcodeAt, changed, isWholeLabel, offered, percentOf, readBarcode, readGoods, readPercent, type TypedGoods, typedGoods, wrongBarcodes } from './goods';
import { fill } from './text/fill';
import { goodsEn, taxesEn } from './text/goods.en';
import { goodsZh, taxesZh } from './text/goods.zh';

const BARCODE_RS = readFileSync(new URL('../../../sdk/protocol/src/barcode.rs', import.meta.url), 'utf8');

test('barcodes are what core takes them for', () => {
  const table = BARCODE_RS.slice(BARCODE_RS.indexOf('fn codes_that_other_people_printed'), BARCODE_RS.indexOf('fn what_scanners_add'));
  const held = [...table.matchAll(/\("([^"\\]+)", "([^"]+)"\)/g)];
  const refused = [...table.matchAll(/\("([^"\\]+)", BarcodeError::CheckDigit \{ expected: (\d) \}\)/g)];
  expect([held.length > 15, refused.length > 3]).toEqual([true, true]);
  for (const [, text = '', code] of held) expect([text, readBarcode(text)]).toEqual([text, code]);
  for (const [, text = '', digit] of refused) expect([text, readBarcode(text)]).toEqual([text, { kind: 'digit', expected: Number(digit) }]);
});

test.each(['', 'a b', '奶茶', 'tea\n', '9'.repeat(33)])('%j is no barcode', (text) => {
  expect(readBarcode(text)).toEqual({ kind: 'characters' });
});

test('each barcode is one, whichever way it is written', () => {
  expect(wrongBarcodes(['036000291452', 'T-1', '0036000291452', '4006381333932'])).toEqual([
    { code: '0036000291452', fault: { kind: 'twice' } }, { code: '4006381333932', fault: { kind: 'digit', expected: 1 } },
  ]);
  expect([isWholeLabel('2212345004560'), isWholeLabel('4006381333931'), isWholeLabel('12345')]).toEqual([true, false, false]);
});

const typed = (more: Partial<TypedGoods> = {}): TypedGoods => ({ name: ' tea ', price: '5', byWeight: false, barcodes: ['T-1'], taxRate: null, stores: [], ...more });

test('goods are read as they are typed', () => {
  expect(readGoods(typed(), 'CNY')).toEqual({ name: 'tea', price: { minor: 500, currency: 'CNY' }, by_weight: false, barcodes: ['T-1'], stores: [] });
  expect(readGoods(typed({ price: '0', byWeight: true, taxRate: 'tax_1', stores: ['sto_1'], barcodes: [] }), 'JPY')).toEqual({
    name: 'tea', price: { minor: 0, currency: 'JPY' }, by_weight: true, barcodes: [], tax_rate: 'tax_1', stores: ['sto_1'],
  });
});

test.each([
  ['no name', { name: ' ' }], ['no price', { price: '' }], ['too many places', { price: '5.001' }], ['a wrong digit', { barcodes: ['4006381333932'] }],
  ['a barcode twice', { barcodes: ['A', 'A'] }], ['too many barcodes', { barcodes: Array.from({ length: 21 }, (_, nth) => `A${nth}`) }],
] as const)('%s is nothing to save', (_, more) => {
  expect(readGoods(typed(more), 'CNY')).toBeNull();
});

const TEA: Goods = {
  id: 'gds_1', name: 'tea', barcodes: ['T-1'], price: { minor: 1_250, currency: 'CNY' }, by_weight: true, tax_rate: 'tax_1', stores: ['sto_1'], active: true, version: 7,
  created_at: 1, updated_at: 2,
};

test('what is not changed stays as it was seen', () => {
  expect(changed(TEA, { active: false })).toEqual({
    version: 7, name: 'tea', barcodes: ['T-1'], price: { minor: 1_250, currency: 'CNY' }, by_weight: true, tax_rate: 'tax_1', stores: ['sto_1'], active: false,
  });
  const seen = typedGoods(TEA, 'CNY');
  expect(seen.price).toBe('12.50');
  expect({ ...changed(TEA, {}), ...readGoods(seen, 'CNY') }).toEqual(changed(TEA, {}));
});

test('a problem says which barcode it is about', () => {
  expect([barcodeAt('/barcodes/2'), barcodeAt('/goods/3/barcodes/0'), barcodeAt('/price'), barcodeAt(undefined)]).toEqual([2, 0, null, null]);
});

test.each([[0, '0'], [1, '0.01'], [50, '0.5'], [650, '6.5'], [1_300, '13'], [10_000, '100']])('%d basis points are %s per cent', (basisPoints, text) => {
  expect([percentOf(basisPoints), readPercent(text)]).toEqual([text, basisPoints]);
});

test.each(['', '100.01', '6.505', '-1', '6,5', 'much'])('%j is no percentage', (text) => {
  expect(readPercent(text)).toBeNull();
});

test('a tax that is over is offered to those that have it alone', () => {
  const rate = (id: string, active: boolean): TaxRate => ({ id, name: id, basis_points: 1, included: true, active, version: 1, created_at: 1 });
  const rates = [rate('tax_1', false), rate('tax_2', true)];
  expect(offered(rates, null).map(({ id }) => id)).toEqual(['tax_2']);
  expect(offered(rates, 'tax_1').map(({ id }) => id)).toEqual(['tax_1', 'tax_2']);
});

/** Every text, by the names that lead to it. */
function texts(of: unknown, path = ''): [string, string][] {
  return typeof of === 'string' ? [[path, of]] : Object.entries(of as Record<string, unknown>).flatMap(([name, inner]) => texts(inner, `${path}/${name}`));
}

test('both languages say the same things of the same facts', () => {
  const facts = (of: unknown): string[] => texts(of).map(([path, text]) => `${path} ${[...text.matchAll(/\{\w+\}/g)].sort().join()}`);
  expect(facts(goodsZh)).toEqual(facts(goodsEn));
  expect(facts(taxesZh)).toEqual(facts(taxesEn));
  expect(fill('{count} of {code}', { count: 2 })).toBe('2 of {code}');
});
