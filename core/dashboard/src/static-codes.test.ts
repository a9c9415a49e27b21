import { expect, test } from 'vitest';
import type { StaticCode } from './api/client';
import { boundsOf, inOrder, pictureOf, readCode, type TypedCode } from './static-codes';
import { staticCodesEn } from './text/static-codes.en';
import { staticCodesZh } from './text/static-codes.zh';

const typed = (more: Partial<TypedCode> = {}): TypedCode => ({ store: 'sto_1', terminal: null, announceAt: null, label: ' gate ', min: '', max: '500', ...more });

test('a code is read as it is typed', () => {
  expect(readCode(typed(), 'CNY')).toEqual({ store: 'sto_1', label: 'gate', max_minor: 50_000 });
  expect(readCode(typed({ min: '0.10', terminal: 'ter_1' }), 'CNY')).toEqual({ store: 'sto_1', label: 'gate', min_minor: 10, max_minor: 50_000, terminal: 'ter_1' });
  expect(readCode(typed({ announceAt: 'ter_2' }), 'CNY')).toEqual({ store: 'sto_1', label: 'gate', max_minor: 50_000, announce_at: 'ter_2' });
  expect(readCode(typed({ max: '500.50' }), 'JPY'), 'yen have no hundredths').toBeNull();
});

test.each([
  ['no store', { store: null }], ['no label', { label: '  ' }], ['no largest amount', { max: '' }], ['nonsense', { max: 'much' }],
  ['a least amount of nothing', { min: '0' }], ['more than the largest', { min: '500.01' }],
] as const)('%s is no code', (_, more) => {
  expect(readCode(typed(more), 'CNY')).toBeNull();
});

test('bounds are told whole', () => {
  expect(boundsOf({ min_minor: 1, max_minor: 123_456, currency: 'CNY' })).toBe('0.01 – 1,234.56 CNY');
});

test('what is revoked comes last', () => {
  const code = (id: string, revoked?: number): StaticCode => ({
    id, store: 'sto_1', label: id, min_minor: 1, max_minor: 2, currency: 'CNY', url: '', created_at: 1, ...(revoked === undefined ? {} : { revoked_at: revoked }),
  });
  expect(inOrder([code('a', 5), code('b'), code('c', 6), code('d')]).map(({ id }) => id)).toEqual(['b', 'd', 'a', 'c']);
});

test('the picture as a file, and words in both languages', () => {
  expect(pictureOf('stc_1', 'png')).toBe('/v1/static-codes/stc_1/picture?format=png');
  expect(Object.keys(staticCodesZh)).toEqual(Object.keys(staticCodesEn));
});
