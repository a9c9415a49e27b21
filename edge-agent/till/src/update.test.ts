import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { UPDATE, updateLine } from './text-update';

const NOTHING = { running: '1.2.2', on_trial: false, next: null, waits_for: [], trouble: null };

test('what an update waits for is told in words', () => {
  const waiting = { ...NOTHING, next: '1.2.3', waits_for: ['payment' as const, 'basket' as const] };
  expect(updateLine('en', waiting)).toBe('Update 1.2.3 waits for: a payment or refund under way, the goods being scanned');
  expect(updateLine('zh', waiting)).toBe('更新 1.2.3 等待: 进行中的付款或退款、正在扫描的商品');
  expect(updateLine('en', { ...NOTHING, next: '1.2.3' })).toBe('Updating to 1.2.3');
  expect(updateLine('en', { ...NOTHING, on_trial: true })).toBe('Release 1.2.2 is on trial');
  expect(updateLine('en', { ...NOTHING, trouble: 'failed to reach it' })).toBe('No update: failed to reach it');
  expect([updateLine('en', NOTHING), updateLine('en', null), updateLine('en', undefined)]).toEqual([null, null, null]);
});

test.each(['zh', 'en'] as const)('everything that the agent may wait for has words in %s', (language) => {
  const source = readFileSync(new URL('../../src/app/update.rs', import.meta.url), 'utf8');
  const named = source.slice(source.indexOf('pub enum Wait')).split('\n}')[0] ?? '';
  const waits = [...named.matchAll(/^ {4}([A-Z][a-z]+),$/gm)].map(([, name]) => (name ?? '').toLowerCase());
  expect(waits.length).toBeGreaterThan(5);
  expect(Object.keys(UPDATE[language].waitsFor)).toEqual(waits);
});
