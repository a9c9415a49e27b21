import { expect, test } from 'vitest';
import type { PairedDevice } from './api';
import { inLines, type PairedScreen } from './paired';
import { HOME, type Press, type Screen, step, type Wish } from './screen';
import { PAIRED, PAIRED_PROBLEMS } from './text-paired';

const device = (id: string): PairedDevice => ({ id, name: id, role: 'till', paired_at: 0, seen_at: 0, expires_at: 0, is_leaving: false });
const DEVICES = [device('a'), device('b')];

function key(name: string): Press {
  const plain: Record<string, Press> = {
    E: { kind: 'enter' }, X: { kind: 'escape' }, B: { kind: 'back' }, U: { kind: 'up' }, D: { kind: 'down' }, i: { kind: 'info' },
    '-': { kind: 'function', key: 'cancel' }, F: { kind: 'function', key: 'shift' }, t: { kind: 'device', id: 'b' }, T: { kind: 'typed', text: '平板' },
  };
  return plain[name] ?? (/^\d$/.test(name) ? { kind: 'digits', digits: name } : { kind: 'text', text: name });
}

function play(keys: string, from: Screen = HOME): { screen: Screen; wishes: Wish[] } {
  let screen = from;
  const wishes: Wish[] = [];
  for (const name of keys) {
    const next = step(screen, key(name), [], null, false, [], null, undefined, [], DEVICES);
    screen = next.screen;
    if (next.wish !== undefined) wishes.push(next.wish);
  }
  return { screen, wishes };
}

test.each<[string, string, Wish[]]>([
  ['a tablet by keyboard', 'i21b1E', [{ kind: 'pair', name: 'b1', role: 'till' }]],
  ['a display with a name that is tapped', 'i22TE', [{ kind: 'pair', name: '平板', role: 'display' }]],
  ['corrected', 'i21acB2E', [{ kind: 'pair', name: 'a2', role: 'till' }]],
  ['without a name', 'i21E', []],
  ['not after all', 'i21bXX', []],
  ['revoked by keyboard', 'i2D-E', [{ kind: 'revoke', id: 'b' }]],
  ['revoked by touch', 'i2tE', [{ kind: 'revoke', id: 'b' }]],
  ['not revoked', 'i2tX', []],
])('%s', (_, keys, wishes) => {
  expect(play(keys).wishes).toEqual(wishes);
});

test('the code is left on purpose', () => {
  const on: PairedScreen = { kind: 'pair-code', name: 'b' };
  expect(play('X', on)).toEqual({ screen: { kind: 'paired', at: 0 }, wishes: [] });
  expect(play('i', on).screen).toEqual(HOME);
  expect(play('F5', on).screen).toEqual(on);
});

test('what is not there is not revoked', () => {
  expect(step({ kind: 'paired', at: 3 }, key('-'), [])).toEqual({ screen: { kind: 'paired', at: 3 } });
});

test('a fingerprint is read out in four lines', () => {
  const bytes = Array.from({ length: 32 }, (_, at) => at.toString(16).padStart(2, '0').toUpperCase());
  const lines = inLines(bytes.join(':'));
  expect(lines).toHaveLength(4);
  expect(lines.join(':')).toBe(bytes.join(':'));
});

test('both languages have the same words', () => {
  expect(Object.keys(PAIRED.zh)).toEqual(Object.keys(PAIRED.en));
  expect(Object.keys(PAIRED_PROBLEMS.zh)).toEqual(Object.keys(PAIRED_PROBLEMS.en));
});
