import { expect, test } from 'vitest';
import type { PeriodBalance } from './api/client';
import { balancesFile, byCurrency, fileName, isPeriod, monthSoFar, statementFile } from './books';

const line = (account: string, currency: string, [opening, debits, credits]: [number, number, number]): PeriodBalance => ({
  account, currency, opening_minor: opening, debits_minor: debits, credits_minor: credits, closing_minor: opening + debits - credits,
});

test('balances are summed for each currency by itself', () => {
  const [cny, jpy, ...others] = byCurrency([
    line('merchant_payable', 'JPY', [0, 0, 900]), line('channel_clearing', 'JPY', [0, 900, 0]),
    line('channel_clearing', 'CNY', [500, 300, 3]), line('fees', 'CNY', [3, 3, 0]), line('merchant_payable', 'CNY', [-503, 0, 300]),
  ]);
  expect(others).toEqual([]);
  expect(cny).toMatchObject({ currency: 'CNY', debits: 803, credits: 803, moved: { debits: 303, credits: 303 }, balanced: true });
  expect(jpy).toMatchObject({ currency: 'JPY', debits: 900, credits: 900, balanced: true });
  expect(cny?.items.map(({ account }) => account)).toEqual(['channel_clearing', 'fees', 'merchant_payable']);
});

test.each([
  ['a side that is missing', [line('fees', 'CNY', [5, 0, 0])]],
  ['movements that differ, though the ends agree', [line('fees', 'CNY', [0, 5, 0]), line('bank', 'CNY', [-5, 0, 0])]],
  ['sums past what a number holds', [line('fees', 'CNY', [2 ** 53, 0, 0]), line('bank', 'CNY', [-(2 ** 53), 0, 0])]],
])('%s do not balance', (_, items) => {
  expect(byCurrency(items)[0]?.balanced).toBe(false);
});

test.each([
  ['2026-01-31', '2026-01-31', true], ['2026-01-01', '2026-12-31', true], ['2024-02-29', '2024-03-01', true],
  ['2026-02-01', '2026-01-31', false], ['2026-02-30', '2026-03-01', false], ['', '2026-01-31', false], ['2026-1-1', '2026-01-31', false],
])('%s to %s: %s', (from, to, expected) => {
  expect(isPeriod({ from, to })).toBe(expected);
});

test('the month so far is the calendar’s', () => {
  expect(monthSoFar(new Date(2026, 10, 25, 23, 59))).toEqual({ from: '2026-11-01', to: '2026-11-25' });
  expect(monthSoFar(new Date(2026, 0, 1))).toEqual({ from: '2026-01-01', to: '2026-01-01' });
});

test('files are asked for by what they are of', () => {
  const days = { from: '2026-11-01', to: '2026-11-25' };
  expect(balancesFile(days, 'csv')).toBe('/v1/ledger/balances/export?format=csv&from=2026-11-01&to=2026-11-25');
  const whose = { account: 'fees', currency: 'CNY', channelAccount: 'cha_1' };
  expect(statementFile(whose, days, 'xlsx')).toBe('/v1/ledger/statement/export?format=xlsx&account=fees&currency=CNY&channel_account=cha_1&from=2026-11-01&to=2026-11-25');
  expect(statementFile({ ...whose, channelAccount: null }, days, 'csv')).not.toContain('channel_account');
  expect(fileName('attachment; filename="fees-CNY.xlsx"', 'xlsx')).toBe('fees-CNY.xlsx');
  expect(fileName(null, 'csv')).toBe('books.csv');
});
