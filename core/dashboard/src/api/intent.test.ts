import { expect, test } from 'vitest';
import { type Intent, Intents, isDefinite } from './intent';
import { ApiProblem, offline } from './problem';

function drawer() {
  const kept = new Map<string, string>();
  return { getItem: (name: string) => kept.get(name) ?? null, setItem: (name: string, text: string) => void kept.set(name, text) };
}

const intent = (key: string): Intent<unknown> => ({ person: 'usr_1', place: 'here', said: { amount: 50 }, key, at: 1 });
const refused = (status: number, code: string) => new ApiProblem({ status, code, title: '', detail: '' });
const fails = (error: Error) => () => Promise.reject(error);
const keysOf = (all: Intents) => all.unanswered().map(({ key }) => key);

test('one without an answer outlives a reload and another deed, until its own answer is there', async () => {
  const storage = drawer();
  const before = new Intents(storage);
  await expect(before.send(intent('a'), fails(offline()))).rejects.toThrow();
  await before.send(intent('b'), () => Promise.resolve());
  const after = new Intents(storage);
  expect(after.unanswered()).toEqual([intent('a')]);
  const sent: string[] = [];
  await after.send(intent('a'), (key) => Promise.resolve(sent.push(key)));
  expect([sent, keysOf(after), keysOf(new Intents(storage))]).toEqual([['a'], [], []]);
});

test('it is kept before it leaves, and is no missing answer as long as somebody waits for it', async () => {
  const storage = drawer();
  const all = new Intents(storage);
  const heard: number[] = [];
  all.on(() => heard.push(all.unanswered().length));
  const sent = all.send(intent('a'), () => {
    expect([keysOf(new Intents(storage)), keysOf(all)]).toEqual([['a'], []]);
    return Promise.reject(offline());
  });
  await expect(sent).rejects.toThrow();
  expect(heard.at(-1)).toBe(1);
});

test('a refusal is an answer; one that core did not look into is none for the attempt before', async () => {
  const all = new Intents(drawer());
  await expect(all.send(intent('a'), fails(refused(409, 'account_frozen')))).rejects.toThrow();
  expect(keysOf(all)).toEqual([]);
  await expect(all.send(intent('b'), fails(refused(503, 'outcome_unknown')))).rejects.toThrow();
  await expect(all.send(intent('b'), fails(refused(403, 'forbidden')))).rejects.toThrow();
  expect(keysOf(all)).toEqual(['b']);
  await expect(all.send(intent('b'), fails(refused(409, 'answered_before')))).rejects.toThrow();
  expect(keysOf(all)).toEqual([]);
});

test.each([
  [0, false, false], [502, false, false], [408, false, false], [422, false, true], [401, false, true], [401, true, false], [429, true, false], [404, true, true],
])('%i after doubt: %s is definite: %s', (status, wasInDoubt, expected) => {
  expect(isDefinite(status, wasInDoubt)).toBe(expected);
});

test('a drawer that holds something else, or nothing at all, is an empty one', () => {
  expect(keysOf(new Intents({ getItem: () => 'no JSON', setItem: () => {} }))).toEqual([]);
  const full = new Intents({ getItem: () => null, setItem: () => { throw new Error('full'); } });
  full.settle('a');
  expect(keysOf(full)).toEqual([]);
});
