import { expect, test } from 'vitest';
import type { Sale, Split } from './api';
import { orderTold } from './held';
import { awaiting, candidates, HOME, type Press, type Screen, type Step, step, toward, type Wish } from './screen';

const OPEN: Split = {
  number: 12, state: 'open', total_minor: 12_000, total: '120.00', paid_minor: 5_000, rest_minor: 7_000, currency: 'CNY', cashier: 'Li',
  began_at: 0, receipt: 'none', parts: [], actions: ['collect', 'give_back'],
};
const PAID: Split = { ...OPEN, state: 'paid', paid_minor: 12_000, rest_minor: 0, actions: ['give_back', 'reprint'] };
const BUSY: Split = { ...OPEN, in_the_way: 'pay_2', actions: [] };
const GO_ON = { go_on: { number: 12, rest_minor: 7_000 } };

function key(name: string): Press {
  const plain: Record<string, Press> = {
    E: { kind: 'enter' }, X: { kind: 'escape' }, B: { kind: 'back' }, v: { kind: 'function', key: 'void' }, c: { kind: 'function', key: 'code' },
    h: { kind: 'function', key: 'hold' }, r: { kind: 'function', key: 'reprint' }, S: { kind: 'split', number: 12 },
  };
  return plain[name] ?? { kind: 'digits', digits: name };
}

function play(keys: string, splits: Split[], more: { from?: Screen; training?: boolean; supervisor?: boolean; sales?: Sale[] } = {}): { last: Step; wishes: Wish[] } {
  const wishes: Wish[] = [];
  let last: Step = { screen: more.from ?? HOME };
  for (const name of keys) {
    const asks = { pins: false, supervisor: more.supervisor ?? false };
    last = step(last.screen, key(name), more.sales ?? [], null, more.training ?? false, [], null, asks, splits);
    if (last.wish !== undefined) wishes.push(last.wish);
  }
  return { last, wishes };
}

const sells = (body: object): Wish[] => [{ kind: 'sell', body } as Wish];
const BEGIN = { begin: { total_minor: 12_000 } };

test.each<[string, string, Split[], Wish[]]>([
  ['50.00 in cash begins it', '12000E55000E1E', [], sells({ amount_minor: 5_000, method: 'cash', split: BEGIN, tendered_minor: 5_000 })],
  ['with the table', '12000E47E55000E3', [], sells({ amount_minor: 5_000, method: 'code', reference: '7', split: BEGIN })],
  ['the rest by the customer’s code', 'EE2', [OPEN], sells({ amount_minor: 7_000, method: 'scan', split: GO_ON })],
  ['a part of the rest by our code', 'E3000Ec', [OPEN], sells({ amount_minor: 3_000, method: 'code', split: GO_ON })],
  ['a note for the rest gives change', 'E10000EE', [OPEN], sells({ amount_minor: 7_000, method: 'cash', split: GO_ON, tendered_minor: 10_000 })],
  ['another way after all', 'E3000E1X2', [OPEN], sells({ amount_minor: 3_000, method: 'scan', split: GO_ON })],
  ['the amount is keyed again', 'E3000EXBBB5E2', [OPEN], sells({ amount_minor: 35, method: 'scan', split: GO_ON })],
  ['given up', 'EvE', [OPEN], [{ kind: 'give-back', number: 12, body: {} }]],
  ['not given up after all', 'EvX', [OPEN], []],
  ['undone as a whole', 'SvE', [PAID], [{ kind: 'give-back', number: 12, body: {} }]],
  ['printed again', 'Sr', [PAID], [{ kind: 'reprint-split', number: 12 }]],
  ['an unfinished one has no slip', 'Er', [OPEN], []],
  ['nothing is collected while a part is not settled', 'E3000E2', [BUSY], []],
])('%s', (_, keys, splits, wishes) => {
  expect(play(keys, splits).wishes).toEqual(wishes);
});

test.each<[string, string, Split[], Screen, string | undefined]>([
  ['a first part of nothing', '12000E5E', [], { kind: 'split', number: null, minor: 12_000, keyed: '' }, 'split_part'],
  ['a first part of all', '12000E512000E', [], { kind: 'split', number: null, minor: 12_000, keyed: '12000' }, 'split_part'],
  ['back to how it is paid', '12000E5X', [], { kind: 'method', minor: 12_000 }, undefined],
  ['left as it is', 'EX', [OPEN], HOME, undefined],
  ['not put aside', 'Eh', [OPEN], { kind: 'split', number: 12, minor: 0, keyed: '' }, 'split_held'],
  ['to the part that is not settled', 'EE', [BUSY], { kind: 'sale', payment: 'pay_2' }, undefined],
  ['one that is over is left', 'SE', [PAID], HOME, undefined],
  ['an amount goes before it', '1E', [OPEN], { kind: 'method', minor: 1 }, undefined],
  ['none within one', 'EE5', [OPEN], { kind: 'method', minor: 7_000, order: { reference: '', held: null, split: GO_ON } }, undefined],
])('%s', (_, keys, splits, screen, hint) => {
  const { last } = play(keys, splits);
  expect([last.screen, last.hint]).toEqual([screen, hint]);
});

test('training has none', () => {
  expect(play('100E5', [], { training: true }).last.hint).toBe('in_training');
  expect(play('E', [OPEN], { training: true }).last.screen.kind).toBe('home');
});

test('a supervisor is asked before what was paid goes back', () => {
  expect(play('EvE', [OPEN], { supervisor: true }).last.screen.kind).toBe('supervisor');
  expect(play('EvE8E1234E', [OPEN], { supervisor: true }).wishes).toEqual([
    { kind: 'give-back', number: 12, body: { supervisor: { staff_code: '8', pin: '1234' } } },
  ]);
  expect(play('EvE', [{ ...OPEN, paid_minor: 0 }], { supervisor: true }).wishes).toHaveLength(1);
});

test('a part leads on to the whole, and is printed again with it', () => {
  const part = { payment: 'pay_1', counter: 12, paid: true, settled: true, actions: ['void', 'refund'], split: { number: 12, part: 1, total_minor: 12_000 } } as unknown as Sale;
  const whole: Screen = { kind: 'split', number: 12, minor: 0, keyed: '' };
  const from: Screen = { kind: 'sale', payment: 'pay_1' };
  expect(play('E', [OPEN], { from, sales: [part] }).last.screen).toEqual(whole);
  expect(play('7', [OPEN], { from, sales: [part] }).last.screen).toEqual(from);
  expect(play('E', [PAID], { from, sales: [part] }).last.screen).toEqual(HOME);
  expect(play('r', [PAID], { from, sales: [part] }).last.screen).toEqual(whole);
  expect(candidates([part], 'reprint', '')).toEqual([part]);
  expect(toward(part, 'reprint').screen).toEqual(whole);
});

test('a part whose scan is awaited is still a part after a reload', () => {
  const body = { amount_minor: 3_000, method: 'scan', reference: '7', split: BEGIN };
  const screen = awaiting(HOME, 3_000, body);
  expect(screen).toMatchObject({ kind: 'scan', order: { split: BEGIN } });
  expect(step(screen, key('X'), []).screen).toEqual({ kind: 'split', number: null, minor: 12_000, keyed: '3000', order: { reference: '7', held: null } });
  expect(orderTold({ amount_minor: 1, split: GO_ON })).toEqual({ reference: '', held: null, split: GO_ON });
});
