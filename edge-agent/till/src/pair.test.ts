import { expect, test } from 'vitest';
import { NoAnswer, Problem } from './api';
import { codeIn, grouped, redeem, told } from './pair';

test.each([
  ['#0123456789ABCDEFGHJKMNPQRS', '0123456789ABCDEFGHJKMNPQRS'],
  ['', ''],
  ['#', ''],
  ['#<script>', ''],
  ['#0123456789ABCDEFGHJKMNPQR', ''],
])('the code in %s', (hash, code) => {
  expect(codeIn(hash)).toBe(code);
});

test.each([
  ['', ''],
  ['abcd', 'ABCD'],
  ['abcde', 'ABCD-E'],
  ['ab cd-ef gh', 'ABCD-EFGH'],
  ['abcdefghi', 'ABCD-EFGH'],
  ['码a', 'A'],
])('%s is typed', (typed, shown) => {
  expect(grouped(typed)).toBe(shown);
});

test('a lost answer is asked for again, and a no is believed', async () => {
  let asked = 0;
  const answers = (all: unknown[]) => async (): Promise<{ role: 'till' }> => {
    const next = all[asked];
    asked += 1;
    if (next instanceof Error) throw next;
    return { role: 'till' };
  };
  expect(await redeem(answers([new NoAnswer('gone'), null]))).toEqual({ kind: 'paired', role: 'till' });
  expect(asked).toBe(2);
  asked = 0;
  expect(await redeem(answers([new Problem(409, 'pairing_over', 'It is over')]))).toEqual({ kind: 'refused', code: 'pairing_over', detail: 'It is over' });
  expect(asked).toBe(1);
  asked = 0;
  expect(await redeem(answers(Array.from({ length: 9 }, () => new NoAnswer('gone'))))).toEqual({ kind: 'silent' });
  expect(asked).toBe(3);
});

test('every outcome has words in both languages', () => {
  for (const code of ['pairing_code_wrong', 'pairing_over', 'devices_full', 'too_many_requests', 'moon_phase']) {
    const [zh, en] = told({ kind: 'refused', code, detail: 'As the agent says' });
    expect(/\p{Script=Han}/u.test(zh) && en.length > 5, code).toBe(true);
  }
});
