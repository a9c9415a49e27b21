import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { factsOf, HELD_KINDS, type HeldReason, REASONS, reasonOf } from './held-entries';
import { fleetEn } from './text/fleet.en';
import { fleetZh } from './text/fleet.zh';

const read = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const CORE = ['core/server/src/fleet/sync.rs', 'core/server/src/fleet/sync/book.rs', 'core/server/src/fleet/sync/shift.rs', 'core/server/src/stored_value/offline/taken.rs', 'core/domain/src/payment/event.rs']
  .map(read).join('\n');
const entry = (kind: string, more: object = {}): string => JSON.stringify({ v: 1, record: { kind, ...more } });

test('core says of what it holds what is looked for here', () => {
  for (const phrase of REASONS.flatMap(({ phrases }) => [...phrases])) expect(CORE).toContain(phrase);
  const journal = read('sdk/protocol/src/journal.rs');
  const camel = (kind: string): string => kind.split('_').map((part) => part[0]?.toUpperCase() + part.slice(1)).join('');
  for (const kind of HELD_KINDS) expect(journal).toMatch(new RegExp(`^    ${camel(kind)} \\{`, 'm'));
});

test.each<[HeldReason, string, string]>([
  ['lines', 'cash_sale', 'the cash is booked as 12.50 CNY, but what was sold does not fit it: the lines come to 11.00'],
  ['number', 'cash_sale', "pay_x is not the number of this terminal's sale 7"],
  ['taken', 'cash_sale', 'core has another sale under this number: 13.00 CNY, cash'],
  ['short', 'cash_sale', "less was handed over (100) than the sale's 12.50 CNY"],
  ['taken', 'cash_refund', 'core has another refund under this number: 1.00 CNY of pay_x'],
  ['unknown', 'cash_refund', 'core does not know the sale pay_x'],
  ['not_cash', 'cash_refund', 'cash was given back for a sale that was not paid in cash (card)'],
  ['given_back', 'cash_refund', '11.51 CNY is more than the 1150 minor units that can still be given back'],
  ['code', 'offline_sale', '20.00 CNY is more than one code allows, 1000 in minor units'],
  ['code', 'offline_sale', 'forged: the signature of its grant is not of its issuer'],
  ['code', 'offline_sale', 'the code is not whole'],
  ['told_twice', 'offline_sale', "this terminal has told the same offline code before, which is the terminal's fault"],
  ['batch_open', 'shift_opened', 'batch 4 was opened while batch 3 is open'],
  ['batch', 'shift_closed', 'it is of batch 3, and no batch is open'],
  ['batch', 'paid_in', 'it is of USD, and batch 3 of CNY'],
  ['card', 'stored_card_sale', 'this reading of the card paid before'],
  ['other', 'sale_from_tomorrow', 'the moon is full'],
])('%s: %s, since %s', (reason, kind, why) => {
  expect(reasonOf({ why, payload: entry(kind) })).toBe(reason);
});

test('of each entry its facts are read, and nothing of its code or card', () => {
  for (const [file, kind] of [['journal-1', 'cash_sale'], ['journal-5', 'offline_sale'], ['journal-6', 'stored_card_sale']] as const) {
    const { entry: { payload } } = JSON.parse(read(`sdk/protocol/vectors/${file}.json`)) as { entry: { payload: string } };
    const facts = factsOf({ payload });
    expect(facts).toMatchObject({ kind, amount: { minor: 1250, currency: 'CNY' }, counter: 7 });
    expect(facts.payment).toMatch(/^pay_/);
    expect(JSON.stringify(facts)).not.toMatch(/OPC1|ksn|FFFF98/);
  }
  expect(factsOf({ payload: entry('shift_closed', { batch: 3, counted: { minor: 5, currency: 'CNY' }, expected: { minor: 9, currency: 'CNY' }, cashier: '' }) }))
    .toEqual({ kind: 'shift_closed', amount: { minor: 5, currency: 'CNY' }, payment: null, counter: null, batch: 3, cashier: null });
  for (const payload of ['', 'null', '{"record":7}', '{"v":9}', entry('x', { amount: 5 })]) {
    expect(factsOf({ payload })).toEqual({ kind: 'other', amount: null, payment: null, counter: null, batch: null, cashier: null });
  }
});

test('in both languages a person is told what is at stake and what to do', () => {
  const reasons = [...REASONS.map(({ name }) => name), 'card', 'other'];
  for (const text of [fleetEn, fleetZh]) {
    expect(Object.keys(text.todo).sort()).toEqual([...reasons].sort());
    expect(Object.keys(text.stake).sort()).toEqual([...HELD_KINDS, 'other'].sort());
    for (const words of [...Object.values(text.todo), ...Object.values(text.stake)]) expect(words.length).toBeGreaterThan(5);
  }
});
