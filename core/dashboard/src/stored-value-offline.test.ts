import { expect, test } from 'vitest';
import { grantState, OFFLINE_LIMITS, readOfflineLimit, readOfflineLimits, typedOfflineLimits } from './stored-value-offline';
import { storedValueEn } from './text/stored-value.en';
import { storedValueZh } from './text/stored-value.zh';

const LIMITS = {
  sale_minor_max: 20_000, grant_day_count_max: 3, unsent_minor_max: 5_000_000, unsent_count_max: 200, unsent_hours_max: 24, list_hours_max: 24,
};

test('limits are read as they are written', () => {
  const typed = typedOfflineLimits(LIMITS, 'CNY');
  expect(typed.sale_minor_max).toBe('200.00');
  expect(typed.grant_day_count_max).toBe('3');
  expect(readOfflineLimits(typed, 'CNY')).toEqual(LIMITS);
  expect(readOfflineLimits({ ...typed, sale_minor_max: '50000.01' }, 'CNY'), 'one sale is more than a terminal may hold').toBeNull();
});

test.each([
  ['sale_minor_max', '0'], ['sale_minor_max', ''], ['unsent_minor_max', '1.234'], ['grant_day_count_max', '0'], ['grant_day_count_max', '1001'],
  ['grant_day_count_max', '2.5'], ['unsent_count_max', 'many'], ['unsent_hours_max', '169'], ['list_hours_max', '-1'],
] as const)('%s is not %s', (name, text) => {
  expect(readOfflineLimit(name, text, 'CNY')).toBeNull();
  expect(readOfflineLimits({ ...typedOfflineLimits(LIMITS, 'CNY'), [name]: text }, 'CNY')).toBeNull();
});

test('a grant is good until it is revoked or over', () => {
  expect(grantState({ not_after: 10 }, 9)).toBe('good');
  expect(grantState({ not_after: 10 }, 10)).toBe('over');
  expect(grantState({ not_after: 10, revoked_at: 3 }, 9)).toBe('revoked');
  expect(grantState({ not_after: 10, revoked_at: 3 }, 10)).toBe('over');
});

test.each([storedValueEn, storedValueZh])('each has its words', ({ offline }) => {
  expect(Object.keys(offline.limits)).toEqual([...OFFLINE_LIMITS]);
  expect(Object.keys(offline.grantStates)).toEqual(['good', 'revoked', 'over']);
  expect(Object.keys(offline.why)).toEqual(['counter', 'cap', 'uncovered']);
});
