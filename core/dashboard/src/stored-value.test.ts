import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { StoredValueAccount, StoredValueMovement } from './api/client';
import { ACCOUNT_STATES, deedsFor, isReversible, movementsFile, readLimits, typedLimits } from './stored-value';
import { storedValueEn } from './text/stored-value.en';
import { storedValueZh } from './text/stored-value.zh';

const cny = (minor: number) => ({ minor, currency: 'CNY' });
const account = (more: Partial<StoredValueAccount> = {}): StoredValueAccount => ({
  id: 'sva_1', holder: 'Wang Fang', state: 'active', balance: cny(500), limits: {}, version: 1, created_at: 1, updated_at: 1, ...more,
});
const movement = (more: Partial<StoredValueMovement> = {}): StoredValueMovement => ({
  id: 'svm_1', account: 'sva_1', sequence: 1, kind: 'topped_up', amount: cny(500), balance: cny(500), made_by: 'usr_1', at: 1, ...more,
});

test.each([
  ['active', 'owner', ['top_up', 'freeze', 'change', 'close']], ['active', 'manager', ['top_up', 'freeze', 'change', 'close']],
  ['active', 'cashier', ['top_up', 'freeze']], ['active', 'accountant', []],
  ['frozen', 'owner', ['unfreeze', 'change', 'close']], ['frozen', 'cashier', []],
  ['closed', 'owner', []], ['of a later version', 'owner', []],
] as const)('of an account that is %s, %s may', (state, role, deeds) => {
  expect(deedsFor(account({ state }), role)).toEqual(deeds);
});

test('limits are read as they are written, and an empty one is none', () => {
  const typed = { charge_minor_max: '12.5', day_minor_max: '  ', balance_minor_max: '1,000.00' };
  const limits = readLimits(typed, 'CNY');
  expect(limits).toEqual({ charge_minor_max: 1_250, balance_minor_max: 100_000 });
  expect(typedLimits(limits ?? {}, 'CNY')).toEqual({ charge_minor_max: '12.50', day_minor_max: '', balance_minor_max: '1000.00' });
  expect(readLimits(typed, 'JPY'), 'yen have no hundredths').toBeNull();
});

test.each(['0', '0.00', '-1', '1.234', 'much', '1.2.3'])('%s is no limit', (text) => {
  expect(readLimits({ charge_minor_max: '', day_minor_max: text, balance_minor_max: '' }, 'CNY')).toBeNull();
});

const topUp = movement();
test.each([
  ['a top-up that is still there', topUp, [topUp], account(), 'owner', true],
  ['by a cashier', topUp, [topUp], account(), 'cashier', false],
  ['a second time', topUp, [movement({ id: 'svm_2', kind: 'top_up_reversed', amount: cny(-500), reverses: 'svm_1' }), topUp], account(), 'owner', false],
  ['what was spent meanwhile', topUp, [topUp], account({ balance: cny(499) }), 'owner', false],
  ['a top-up of a frozen account', topUp, [topUp], account({ state: 'frozen' }), 'owner', true],
  ['a top-up of a closed account', topUp, [topUp], account({ state: 'closed' }), 'owner', false],
  ['a charge', movement({ kind: 'charged', amount: cny(-5) }), [], account(), 'owner', false],
] as const)('taking back %s', (_, one, all, of, role, expected) => {
  expect(isReversible(one, all, of, role)).toBe(expected);
});

test('the statement as a file', () => {
  expect(movementsFile('sva_1', 'xlsx')).toBe('/v1/stored-value/accounts/sva_1/statement/export?format=xlsx');
});

describe('words', () => {
  const core = (file: string): string => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');

  test('every movement and every state of core has one in both languages', () => {
    const named = [...core('domain/src/stored_value.rs').matchAll(/Self::\w+ => "(\w+)"/g)].map(([, text]) => text ?? '');
    const kinds = Object.keys(storedValueEn.kinds);
    expect(named).toEqual(expect.arrayContaining([...kinds, ...ACCOUNT_STATES]));
    const movements = /topped_up[^}]*/.exec(core('domain/src/stored_value.rs'))?.[0] ?? '';
    expect([...kinds].sort()).toEqual(['topped_up', ...[...movements.matchAll(/=> "(\w+)"/g)].map(([, text]) => text ?? '')].sort());
    expect([Object.keys(storedValueEn.states), Object.keys(storedValueZh.states)]).toEqual([ACCOUNT_STATES, ACCOUNT_STATES]);
    expect(Object.keys(storedValueZh.kinds)).toEqual(kinds);
  });

  test('every refusal that has words is one of core’s, in both languages', () => {
    const table = core('server/src/http/problem.rs');
    for (const code of Object.keys(storedValueEn.problems)) expect(table).toContain(`"${code}"`);
    expect(Object.keys(storedValueZh.problems)).toEqual(Object.keys(storedValueEn.problems));
  });
});
