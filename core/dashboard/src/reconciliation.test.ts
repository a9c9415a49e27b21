import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { AccountDay, Colleague, Discrepancy, Reconciliation, SettlementBatch } from './api/client';
import { keys } from './api/wish';
import { formatMinor } from './money/money';
import {
  assignable, batchStanding, CLASSES, compared, dayAfter, dayStanding, elapsed, figures, filterOf, foundClasses, mayCompare, neighbours, net, queryOf, searchOf,
  settlementFile, STANDINGS, type Step, stepsFor, yesterday,
} from './reconciliation';
import type { Role } from './rights';
import { reconEn } from './text/recon.en';
import { reconZh } from './text/recon.zh';

const NOW = 1_000;

function run(state: string, found: Record<string, number> = {}, overflowed = false): Reconciliation {
  const result = { revision: 1, ours: 2, theirs: 2, agreed: 1, netted: 0, found, overflowed, sums: [] };
  return { id: `rec_${state}`, channel_account: 'acc_1', day: '2026-01-31', state, started_by: 'core', started_at: 1, ...(state === 'done' ? { result } : {}) };
}

function accountDay(facts: Partial<AccountDay>): AccountDay {
  return { channel_account: 'acc_1', name: 'Wallet', plugin: 'sandbox', waiting: 0, bill_ready_at: NOW - 1, ...facts };
}

function done(found: Record<string, number>, waiting = 0, overflowed = false): AccountDay {
  const of = run('done', found, overflowed);
  return accountDay({ newest: of, compared: of, waiting });
}

describe('an account’s day', () => {
  test.each<[string, AccountDay, string]>([
    ['never compared', accountDay({}), 'not_compared'],
    ['before its bill is due', accountDay({ bill_ready_at: NOW + 1 }), 'bill_due'],
    ['of a channel without bills', { channel_account: 'a', name: 'Cash', plugin: 'cash', waiting: 0 }, 'no_bills'],
    ['under way, whatever an earlier one found', { ...done({ amount: 1 }, 1), newest: run('running') }, 'running'],
    ['failed, whatever an earlier one found', { ...done({}), newest: run('failed') }, 'failed'],
    ['with something to decide', done({ amount: 2 }, 1), 'differs'],
    ['with all decided', done({ amount: 2 }), 'settled'],
    ['with too much to keep', done({}, 0, true), 'settled'],
    ['explained by another day or account', done({ cut_off: 3, other_account: 1 }), 'agrees'],
    ['with nothing found', done({ amount: 0 }), 'agrees'],
    ['with a payout that waits, though the bill agrees', done({}, 1), 'differs'],
  ])('%s', (_, item, standing) => {
    expect(dayStanding(item, NOW)).toBe(standing);
  });

  test('one that runs is not asked for again, unless it may have been cut off', () => {
    const running = accountDay({ newest: { ...run('running'), started_at: 1_000 } });
    expect([0, 181_000, 181_001].map((now) => mayCompare(running, now))).toEqual([false, false, true]);
    expect([mayCompare(accountDay({}), 0), mayCompare(done({}), 0), mayCompare(accountDay({ newest: run('failed') }), 0)]).toEqual([true, true, true]);
    expect(readFileSync(new URL('../../server/src/reconcile.rs', import.meta.url), 'utf8')).toContain('const LEASE_MS: i64 = 180_000;');
  });

  test('what was found, most first', () => {
    expect(foundClasses(run('done', { fee: 1, amount: 3, status: 0, duplicate: 1 }))).toEqual([['amount', 3], ['duplicate', 1], ['fee', 1]]);
    expect(foundClasses(run('running'))).toEqual([]);
  });

  test('both sides’ figures, each in its currency’s decimals', () => {
    const of = run('done');
    const sums = (currency: string, ours: number, theirs: number, fee: number) =>
      ({ currency, ours_minor: ours, theirs_minor: theirs, ours_fee_minor: fee, theirs_fee_minor: fee });
    of.result = { revision: 1, ours: 1, theirs: 1, agreed: 0, netted: 0, found: {}, overflowed: false, sums: [sums('KWD', 12_345, 12_346, 3), sums('CNY', 12_345, 12_340, 7), sums('JPY', 12_345, 0, 0)] };
    const told = figures(of).map(({ currency, kind, ours, theirs, difference }) =>
      [currency, kind, ...[ours, theirs, difference].map((minor) => formatMinor(minor, currency))].join(' '));
    expect(told).toEqual([
      'CNY money 123.45 123.40 −0.05', 'CNY fee 0.07 0.07 0.00', 'JPY money 12,345 0 −12,345', 'JPY fee 0 0 0',
      'KWD money 12.345 12.346 0.001', 'KWD fee 0.003 0.003 0.000',
    ]);
  });

  test.each([[0, '0:00'], [42_999, '0:42'], [185_000, '3:05'], [3_723_000, '1:02:03'], [-5, '0:00']])('%i ms are %s', (passed, told) => {
    expect(elapsed(10_000, 10_000 + passed)).toBe(told);
  });

  test('days cross months, years and clock changes', () => {
    expect([dayAfter('2026-03-01', -1), dayAfter('2026-12-31', 1), dayAfter('2024-02-28', 1), dayAfter('2026-03-29', 1)])
      .toEqual(['2026-02-28', '2027-01-01', '2024-02-29', '2026-03-30']);
    expect(yesterday(new Date(2026, 0, 1, 0, 30))).toBe('2025-12-31');
    expect(yesterday(new Date(2026, 10, 26, 23, 59))).toBe('2026-11-25');
  });
});

describe('the filter', () => {
  test.each([
    ['', 'waiting   ', ''],
    ['state=open&class=amount&account=acc_1&day=2026-01-31', 'open amount acc_1 2026-01-31', 'state=open&class=amount&account=acc_1&day=2026-01-31'],
    ['state=gone&class=money&day=2026-02-30', 'waiting   ', ''],
    ['state=all', 'all   ', 'state=all'],
    ['state=waiting', 'waiting   ', ''],
  ])('of ?%s', (search, told, again) => {
    const filter = filterOf(new URLSearchParams(search));
    expect([filter.state, filter.class, filter.account, filter.day].join(' ')).toBe(told);
    expect(searchOf(filter)).toBe(again);
  });

  test('as the server is asked', () => {
    expect(queryOf(filterOf(new URLSearchParams()))).toEqual({ waiting: true });
    expect(queryOf(filterOf(new URLSearchParams('state=all&account=acc_1')))).toEqual({ channel_account: 'acc_1' });
    expect(queryOf(filterOf(new URLSearchParams('state=resolved&class=fee&day=2026-01-31')))).toEqual({ state: 'resolved', class: 'fee', day: '2026-01-31' });
  });

  test('the way through a list', () => {
    expect(neighbours(['a', 'b', 'c'], 'b')).toEqual({ before: 'a', after: 'c' });
    expect(neighbours(['a', 'b'], 'a')).toEqual({ before: undefined, after: 'b' });
    expect(neighbours(['a', 'b'], 'decided')).toEqual({ before: undefined, after: 'a' });
    expect(neighbours([], 'a')).toEqual({ before: undefined, after: undefined });
  });
});

const cny = (minor: number) => ({ minor, currency: 'CNY' });
const side = (minor: number, fee: number, at = 5) => ({ money: cny(minor), fee: cny(fee), at });

function discrepancy(facts: Partial<Discrepancy>): Discrepancy {
  return {
    id: 'dsc_1', channel_account: 'acc_1', day: '2026-01-31', reconciliation: 'rec_1', class: 'amount', fields: ['amount'], fix: 'claim_from_channel',
    state: 'open', found_at: 1, updated_at: 1, version: 1, correction: { amount: cny(-100), fee: cny(-10) }, ...facts,
  };
}

describe('ours beside theirs', () => {
  const told = (facts: Partial<Discrepancy>): string =>
    compared(discrepancy(facts)).map(({ field, ours, theirs, differs }) => `${field}${differs ? '!' : ''}${ours === null ? ' -ours' : ''}${theirs === null ? ' -theirs' : ''}`).join(', ');

  test.each<[string, Partial<Discrepancy>, string]>([
    ['another amount', { ours: side(10_000, 60), theirs: side(9_900, 60) }, 'amount!, fee, date'],
    ['another amount and fee', { ours: side(10_000, 60), theirs: side(9_900, 50), fields: ['amount', 'fee'] }, 'amount!, fee!, date'],
    ['another day too', { class: 'fee', ours: side(1, 1), theirs: side(1, 2, 6), fields: ['fee', 'date'] }, 'amount, fee!, date!'],
    ['another currency', { class: 'currency', ours: side(1, 1), theirs: side(1, 1), fields: ['currency'] }, 'amount!, fee!, date'],
    ['not in the books', { class: 'missing_here', theirs: side(500, 3), fields: [] }, 'amount! -ours, fee! -ours, date! -ours'],
    ['not on the bill', { class: 'missing_there', ours: side(500, 3), fields: [] }, 'amount! -theirs, fee! -theirs, date! -theirs'],
    ['a further line', { class: 'duplicate', theirs: side(500, 3), fields: [] }, 'amount -ours, fee -ours, date -ours'],
    ['an open payment', { class: 'status', theirs: side(500, 3), fields: ['status'], words: 'pending' }, 'amount -ours, fee -ours, date -ours, status!'],
    ['a payout', { class: 'payout', ours: side(994, 0), theirs: side(900, 0), words: 'pyo_1' }, 'amount!, fee'],
    ['a line that says nothing', { class: 'unreadable', fields: [], words: '???' }, ''],
  ])('%s', (_, facts, expected) => {
    expect(told(facts)).toBe(expected);
  });

  test('what is booked in all', () => {
    expect(net(discrepancy({}))).toEqual(cny(-90));
    expect(net(discrepancy({ correction: null }))).toBeNull();
  });
});

describe('who may do what about it', () => {
  const none = { correction: null };
  const nothing = { correction: { amount: cny(0), fee: cny(0) } };
  const proposed = { state: 'write_off_proposed', proposed_by: 'usr_me' };
  test.each<[string, Partial<Discrepancy>, Role, Step[]]>([
    ['open', {}, 'owner', ['assign', 'resolve', 'write_off']],
    ['assigned', { state: 'assigned' }, 'accountant', ['assign', 'resolve', 'write_off']],
    ['whose dispute is to be closed', { ...none, class: 'status', fix: 'win_dispute' }, 'owner', ['assign', 'resolve']],
    ['with only a fee to book', { correction: { amount: cny(0), fee: cny(-1) } }, 'owner', ['assign', 'resolve', 'write_off']],
    ['that an open payment ends', { class: 'status', ...none }, 'owner', ['assign']],
    ['of which nothing is left to book', nothing, 'owner', ['assign']],
    ['unreadable', { class: 'unreadable', ...none }, 'owner', ['assign', 'write_off']],
    ['in another currency', { class: 'currency', ...none }, 'owner', ['assign', 'write_off']],
    ['whose write-off I asked for', proposed, 'owner', ['decline']],
    ['whose write-off another asked for', { ...proposed, proposed_by: 'usr_other' }, 'owner', ['approve', 'decline']],
    ['resolved', { state: 'resolved' }, 'owner', []],
    ['written off', { state: 'written_off' }, 'owner', []],
    ['closed', { state: 'closed' }, 'owner', []],
    ['open, seen by one who may look', {}, 'manager', []],
    ['proposed, seen by one who may look', proposed, 'manager', []],
  ])('%s', (_, facts, role, steps) => {
    expect(stepsFor(discrepancy(facts), { id: 'usr_me', role })).toEqual(steps);
  });

  test('it is given to those who can do something about it', () => {
    const person = (name: string, role: Role, active = true): Colleague => ({ id: `usr_${name}`, name, role, active });
    const people = [person('Wu', 'owner'), person('An', 'accountant'), person('Ma', 'manager'), person('Ka', 'cashier'), person('Xi', 'owner', false)];
    expect(assignable(people).map(({ name }) => name)).toEqual(['An', 'Wu']);
  });

  test('the same wish goes under the same key until it is carried out', () => {
    let n = 0;
    const of = keys(() => {
      n += 1;
      return `key-${n}`;
    });
    const wish = { step: 'resolve', reason: 'seen', version: 1 };
    expect([of.of(wish), of.of({ ...wish }), of.of({ ...wish, version: 2 }), of.of(wish)]).toEqual(['key-1', 'key-1', 'key-2', 'key-1']);
    of.done();
    expect(of.of(wish)).toBe('key-3');
  });
});

describe('words', () => {
  const domain = (file: string): string => readFileSync(new URL(`../../domain/src/recon/${file}.rs`, import.meta.url), 'utf8');
  const named = (source: string, name: string): string[] => {
    const block = new RegExp(`\\b${name} \\{([^}]*)\\}`).exec(source)?.[1] ?? '';
    return [...block.matchAll(/= "(\w+)"/g)].map(([, text]) => text ?? '');
  };

  test.each([['Class', 'classes'], ['Fix', 'fixes']] as const)('every %s of core has one in both languages', (name, of) => {
    const all = named(domain('classify'), name);
    expect(all.length).toBeGreaterThan(4);
    for (const texts of [reconEn, reconZh]) expect(Object.keys(texts[of])).toEqual(expect.arrayContaining(all));
    if (name === 'Class') expect([...CLASSES, 'cut_off', 'other_account'].sort()).toEqual([...all].sort());
  });

  test('every standing of core has one in both languages', () => {
    const all = [...domain('workflow').matchAll(/Self::\w+ => "(\w+)"/g)].map(([, text]) => text);
    expect([...STANDINGS].sort()).toEqual([...all].sort());
    for (const texts of [reconEn, reconZh]) expect(Object.keys(texts.states)).toEqual(expect.arrayContaining(all));
  });

  test('every refusal that has words is one of core’s', () => {
    const table = readFileSync(new URL('../../server/src/http/problem.rs', import.meta.url), 'utf8');
    for (const code of Object.keys(reconEn.problems)) expect(table).toContain(`"${code}"`);
    expect(Object.keys(reconZh.problems).sort()).toEqual(Object.keys(reconEn.problems).sort());
  });
});

test('where the statement’s file is', () => {
  expect(settlementFile({ from: '2026-01-01', to: '2026-01-31' }, 'store', 'xlsx'))
    .toBe('/v1/ledger/settlement/export?format=xlsx&from=2026-01-01&to=2026-01-31&by=store');
});

test('how a batch at an acquirer stands', () => {
  const batch = (state: string, needs_attention: boolean, resolved?: SettlementBatch['resolved']): SettlementBatch => ({
    id: 'stb_a', channel_account: 'cha_a', sequence: 1, state, rows: 1, totals: [], closed_by: 'core', closed_at: 0, needs_attention, cancellable: false, version: 1,
    ...(resolved === undefined ? {} : { resolved }),
  });
  const seen = { by: 'usr_a', at: 1, reason: 'asked' };
  for (const [given, standing] of [
    [batch('closing', false), 'on_its_way'], [batch('uploading', false), 'on_its_way'], [batch('uploading', true), 'stuck'],
    [batch('settled', false), 'settled'], [batch('differs', true), 'differs'], [batch('differs', false, seen), 'resolved'],
    [batch('cancelled', false, seen), 'cancelled'],
  ] as const) {
    expect(batchStanding(given)).toBe(standing);
    for (const texts of [reconEn, reconZh]) expect(texts.batch.standings[standing]).not.toBe('');
  }
});
