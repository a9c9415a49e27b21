import { expect, test } from 'vitest';
import { Problem, type post, type Sale } from './api';
import { Intents, type Shelf } from './intent';
import { type Press, type Screen, type Step, step } from './screen';
import { askSupervisor, masked, supervisorFor } from './supervisor';

const key = (name: string): Press => (/^\d+$/.test(name) ? { kind: 'digits', digits: name } : ({ kind: name } as Press));
const play = (from: Screen, ...names: string[]): Step =>
  names.reduce<Step>((last, name) => step(last.screen, key(name), []), { screen: from });

const REFUND = '/api/sales/pay_1/refund';

test('what needs a supervisor is asked again with number and PIN', () => {
  const asked = supervisorFor(REFUND, { amount_minor: 300 }, 'supervisor_needed') as Screen;
  expect(asked).toEqual({ kind: 'supervisor', payment: 'pay_1', action: 'refund', body: { amount_minor: 300 }, number: null, keyed: '' });
  expect(play(asked, 'enter').screen).toEqual(asked);
  const sent = play(asked, '0', '8', 'enter', '602748159', 'enter');
  const body = { amount_minor: 300, supervisor: { staff_code: '08', pin: '60274815' } };
  expect(sent).toEqual({ screen: { kind: 'sale', payment: 'pay_1' }, wish: { kind: 'act', payment: 'pay_1', action: 'refund', body } });
  expect(play(asked, '08', 'enter', '6', 'escape').screen).toEqual({ ...asked, keyed: '08' });
  expect(play(asked, '08', 'escape').screen).toEqual({ kind: 'sale', payment: 'pay_1' });
  // Of the same person the PIN alone is keyed anew, else the number as well; nothing of the PIN is kept.
  for (const [code, number] of [['pin_wrong', '08'], ['pin_locked', '08'], ['pin_invalid', '08'], ['not_a_supervisor', null], ['cashier_unknown', null]] as const) {
    expect(supervisorFor(REFUND, body, code)).toEqual({ ...asked, number });
  }
  expect(supervisorFor('/api/sales/pay_1/void', {}, 'supervisor_needed')).toMatchObject({ action: 'void', body: {} });
});

test('where money goes back with a supervisor alone, one is asked for before anything is sent', () => {
  const asks = { pins: true, supervisor: true };
  const sale = { payment: 'pay_1', counter: 17, settled: true, amount_minor: 1_250, refunded_minor: 0, actions: ['void', 'refund'] } as unknown as Sale;
  const press = (from: Screen, ...names: string[]): Step =>
    names.reduce<Step>((last, name) => step(last.screen, key(name), [sale], null, false, [], null, asks), { screen: from });
  const refund = press({ kind: 'refund', payment: 'pay_1', keyed: '', sure: false }, '300', 'enter', 'enter');
  expect(refund).toEqual({ screen: askSupervisor('pay_1', 'refund', { amount_minor: 300 }) });
  expect(press(refund.screen, '08', 'enter', '60274815', 'enter').wish).toMatchObject({ action: 'refund', body: { amount_minor: 300, supervisor: { staff_code: '08' } } });
  const confirm = (action: 'void' | 'cancel'): Step => press({ kind: 'confirm', payment: 'pay_1', action }, 'enter');
  expect(confirm('void')).toEqual({ screen: askSupervisor('pay_1', 'void', {}) });
  expect(confirm('cancel').wish).toMatchObject({ action: 'cancel' });
});

test('other refusals, and other presses, lead to no supervisor', () => {
  for (const [path, code] of [
    [REFUND, 'refund_exceeds'], ['/api/sales/pay_1/cancel', 'supervisor_needed'], ['/api/training/sales/training_1/refund', 'supervisor_needed'],
    ['/api/shift/open', 'pin_wrong'], ['/api/sales', 'supervisor_needed'],
  ] as const) {
    expect(supervisorFor(path, {}, code)).toBeNull();
  }
});

test('a PIN is shown as dots', () => {
  expect(masked('7391')).toBe('••••');
  expect(masked('')).toBe('');
});

test('a PIN is never on the browser’s shelf, and a press that may have happened keeps its key', async () => {
  const kept = new Map<string, string>();
  const written: string[] = [];
  const shelf: Shelf = {
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => {
      written.push(value);
      kept.set(name, value);
    },
  };
  const sent: unknown[] = [];
  const answers: unknown[] = [new Problem(503, 'journal_failed', ''), new Problem(409, 'pin_wrong', '')];
  const send = async (_path: string, body: unknown, key: string): Promise<unknown> => {
    sent.push({ body, key });
    throw answers.shift();
  };
  const body = (pin: string, staff_code = '08') => ({ amount_minor: 300, supervisor: { staff_code, pin } });
  const press = async (intents: Intents, pin: string, by = '08'): Promise<string> => {
    const intent = intents.begin(REFUND, body(pin, by));
    if (intent === null) throw new Error('nothing was begun');
    await expect(intents.carryOut(intent, () => {})).rejects.toBeInstanceOf(Problem);
    return intent.key;
  };
  const first = await press(new Intents(shelf, send as typeof post), '60274815');
  // After a reload, with another supervisor's PIN: it is the same refund.
  const second = await press(new Intents(shelf, send as typeof post), '50284719', '09');
  expect(second).toBe(first);
  expect(sent).toEqual([{ body: body('60274815'), key: first }, { body: body('50284719', '09'), key: first }]);
  expect(written.join('')).toContain('"staff_code":"08"');
  expect(written.join('')).not.toMatch(/60274815|50284719|"pin"/);
});
