import { expect, test } from 'vitest';
import { NoAnswer, Problem, type post } from './api';
import { type Intent, Intents, type Shelf } from './intent';

function shelf(): Shelf {
  const kept = new Map<string, string>();
  return { getItem: (name) => kept.get(name) ?? null, setItem: (name, value) => void kept.set(name, value) };
}

/** An agent that answers each attempt with the next of these, and what it was sent. */
function agent(...answers: unknown[]): { send: typeof post; sent: string[] } {
  const sent: string[] = [];
  const send = async (path: string, body: unknown, key: string): Promise<unknown> => {
    sent.push(`${path} ${JSON.stringify(body)} ${key}`);
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    return answer;
  };
  return { send: send as typeof post, sent };
}

function begun(intents: Intents, path: string, body: unknown): Intent {
  const intent = intents.begin(path, body);
  if (intent === null) throw new Error('nothing was begun');
  return intent;
}

const SALE = { amount_minor: 1250, method: 'cash' };
const at_once = async (): Promise<void> => {};
const nothing = (): void => {};

test('silence is asked again with the same key until there is an answer', async () => {
  const { send, sent } = agent(new NoAnswer(), new NoAnswer(), new Problem(503, 'stopping', ''), { payment: 'pay_1' });
  const intents = new Intents(shelf(), send, at_once);
  const intent = begun(intents, '/api/sales', SALE);
  let silences = 0;
  const answer = await intents.carryOut(intent, () => {
    silences += 1;
  });
  expect(answer).toEqual({ payment: 'pay_1' });
  expect(silences).toBe(3);
  expect(sent.length).toBe(4);
  expect(new Set(sent).size).toBe(1);
  expect(intents.left()).toEqual([]);
});

test('a second press while the first waits begins nothing', () => {
  const intents = new Intents(shelf());
  expect(intents.begin('/api/sales', SALE)).not.toBeNull();
  expect(intents.begin('/api/sales', SALE)).toBeNull();
  expect(intents.begin('/api/sales', { ...SALE, amount_minor: 1 })).toBeNull();
  expect(intents.begin('/api/sales/pay_1/refund', { amount_minor: 5 })).not.toBeNull();
});

test('after a reload the same intent is carried out with the same key', () => {
  const kept = shelf();
  const intent = new Intents(kept).begin('/api/sales', SALE);
  expect(new Intents(kept).left()).toEqual([intent]);
});

test('a customer’s code is sent and never put on the shelf', async () => {
  const kept = shelf();
  const { send, sent } = agent({ payment: 'pay_1' });
  const scan = { amount_minor: 1250, method: 'scan', code: '2812345678901234' };
  const intents = new Intents(kept, send, at_once);
  const intent = begun(intents, '/api/sales', scan);
  expect(kept.getItem('saoma.intents')).toContain('1250');
  expect(kept.getItem('saoma.intents')).not.toContain('2812');
  expect(new Intents(kept).left()).toEqual([{ ...intent, body: { amount_minor: 1250, method: 'scan' } }]);
  await intents.carryOut(intent, nothing);
  expect(sent[0]).toContain('2812345678901234');
});

test('a sale that waits for a scan is asked about with its own key until it is known or given up', async () => {
  const kept = shelf();
  const { send, sent } = agent({ awaiting_scan: {} }, { awaiting_scan: {} }, { payment: 'pay_1' });
  const scan = { amount_minor: 1250, method: 'scan' };
  const intents = new Intents(kept, send, at_once);
  const intent = begun(intents, '/api/sales', scan);
  await intents.carryOut(intent, nothing);
  const reloaded = new Intents(kept, send, at_once);
  expect(reloaded.left()).toEqual([intent]);
  expect(reloaded.awaited()).toEqual(intent);
  await reloaded.carryOut(intent, nothing);
  await reloaded.carryOut(intent, nothing);
  expect(new Set(sent).size).toBe(1);
  expect([reloaded.awaited(), new Intents(kept).left()]).toEqual([null, []]);

  const other = new Intents(kept, agent({ awaiting_scan: {} }).send, at_once);
  await other.carryOut(begun(other, '/api/sales', scan), nothing);
  other.forgetScan();
  expect([other.awaited(), new Intents(kept).left()]).toEqual([null, []]);
});

test('the next sale of the same amount is another sale', async () => {
  for (const outcome of [{ payment: 'pay_1' }, new Problem(507, 'disk_full', ''), new Problem(422, 'amount_invalid', '')]) {
    const intents = new Intents(shelf(), agent(outcome).send, at_once);
    const first = begun(intents, '/api/sales', SALE);
    await intents.carryOut(first, nothing).catch(() => {});
    expect(begun(intents, '/api/sales', SALE).key).not.toBe(first.key);
  }
});

test('a refund that trouble hid is the same refund when pressed again, until it is answered', async () => {
  const path = '/api/sales/pay_1/refund';
  const { send } = agent(new Problem(503, 'journal_failed', ''), { payment: 'pay_1' }, { payment: 'pay_1' });
  const kept = shelf();
  const first = new Intents(kept, send, at_once);
  const refund = begun(first, path, { amount_minor: 500 });
  await expect(first.carryOut(refund, nothing)).rejects.toThrow('journal_failed');

  const reloaded = new Intents(kept, send, at_once);
  expect(reloaded.left()).toEqual([]);
  const again = begun(reloaded, path, { amount_minor: 500 });
  expect(again.key).toBe(refund.key);
  await reloaded.carryOut(again, nothing);
  expect(begun(reloaded, path, { amount_minor: 500 }).key).not.toBe(refund.key);
});

test('what could not be sent is another press when the line is back', async () => {
  const path = '/api/sales/pay_1/void';
  const intents = new Intents(shelf(), agent(new Problem(503, 'core_unreachable', '')).send, at_once);
  const first = begun(intents, path, {});
  await expect(intents.carryOut(first, nothing)).rejects.toThrow('core_unreachable');
  expect(begun(intents, path, {}).key).not.toBe(first.key);
});

test('another amount is another refund', async () => {
  const path = '/api/sales/pay_1/refund';
  const intents = new Intents(shelf(), agent(new Problem(503, 'journal_failed', '')).send, at_once);
  const refund = begun(intents, path, { amount_minor: 500 });
  await intents.carryOut(refund, nothing).catch(() => {});
  expect(begun(intents, path, { amount_minor: 300 }).key).not.toBe(refund.key);
});

test('what lies on the shelf and cannot be read is no intent', () => {
  const kept = shelf();
  kept.setItem('saoma.intents', '{"half');
  expect(new Intents(kept).left()).toEqual([]);
});
