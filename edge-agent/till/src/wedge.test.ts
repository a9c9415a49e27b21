import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { GAP_MS_MAX, wedge } from './wedge';

/** Presses keys at the given gaps; time stands still between them except for the held-back keys' timer. */
function play(presses: [string, number][]): string[] {
  const heard: string[] = [];
  let now = 0;
  let due: { run: () => void; at: number } | null = null;
  const timer = {
    set: (run: () => void, ms: number) => {
      due = { run, at: now + ms };
      return due;
    },
    clear: () => {
      due = null;
    },
    now: () => now,
  };
  const keys = wedge((key) => heard.push(key), (text) => heard.push(`scan:${text}`), timer);
  for (const [key, gap] of [...presses, ['', 1_000] as [string, number]]) {
    const then = now + gap;
    while (due !== null && (due as { at: number }).at < then) {
      const { run, at } = due as { run: () => void; at: number };
      now = at;
      due = null;
      run();
    }
    now = then;
    if (key !== '') keys.key(key, now);
  }
  return heard;
}

test('a scan in whose middle the page is busy is one scan', () => {
  const heard: string[] = [];
  let [now, run] = [0, (): void => {}];
  const timer = { set: (next: () => void) => (run = next), clear: () => (run = () => {}), now: () => now };
  const keys = wedge((key) => heard.push(key), (text) => heard.push(`scan:${text}`), timer);
  for (const [nth, key] of [...'69012'].entries()) keys.key(key, nth * 2);
  // The page draws for 300 ms: its timer is long over when it gets there, and the other keys wait behind it.
  now = 300;
  run();
  expect(heard).toEqual([]);
  for (const [nth, key] of [...'34567892', 'Enter'].entries()) keys.key(key, 10 + nth * 2);
  expect(heard).toEqual(['scan:6901234567892']);
  // A hand's key is a key all the same, though later.
  keys.key('7', 400);
  now = 900;
  run();
  now = 950;
  run();
  expect(heard.at(-1)).toBe('7');
});

const typed = (text: string, gap: number): [string, number][] => [...text].map((key) => [key, gap]);

test.each<[string, [string, number][], string[]]>([
  ['a person’s digits are keys', [...typed('1250', 120), ['Enter', 120]], ['1', '2', '5', '0', 'Enter']],
  ['a fast person’s digits are keys, in order', [...typed('1250', 20), ['Enter', 20]], ['1', '2', '5', '0', 'Enter']],
  ['a scanner’s characters are one code', [...typed('2812345678901234', 8), ['Enter', 8]], ['scan:2812345678901234']],
  ['a scanner without Enter', typed('2812345678901234', 8), ['scan:2812345678901234']],
  ['a scanner that ends in Tab', [...typed('ABC12345', 8), ['Tab', 8]], ['scan:ABC12345']],
  ['digits, a pause, then a scan', [...typed('12', 200), ['2', 200], ...typed('812345678', 0), ['Enter', 5]], ['1', '2', 'scan:2812345678']],
  ['a scan, then Enter by hand', [...typed('2812345678', 5), ['Enter', 5], ['Enter', 400]], ['scan:2812345678', 'Enter']],
  ['seven characters are no code', [...typed('1234567', 5), ['Enter', 5]], [...'1234567', 'Enter']],
  ['two codes in a row', [...typed('11111111', 5), ['Enter', 5], ...typed('22222222', 100).slice(0, 1), ...typed('2222222', 5), ['Enter', 5]],
    ['scan:11111111', 'scan:22222222']],
  ['other keys are handed on at once and in order', [['1', 5], ['Escape', 5]], ['1', 'Escape']],
  ['a book on the keyboard is nothing', typed('1'.repeat(600), GAP_MS_MAX), []],
])('%s', (_, presses, expected) => {
  expect(play(presses)).toEqual(expected);
});

test('a key that was held back still has the time it was pressed', () => {
  const heard: [string, number][] = [];
  const keys = wedge((key, at) => heard.push([key, at]), () => {}, { set: () => null, clear: () => {}, now: () => 0 });
  for (const [key, at] of [['1', 1_000], ['2', 1_030], ['Enter', 5_000]] as const) keys.key(key, at);
  expect(heard).toEqual([['1', 1_000], ['2', 1_030], ['Enter', 5_000]]);
});

test('an offline code is one scan, with its spaces and signs', () => {
  const vector = JSON.parse(readFileSync(new URL('../../../sdk/protocol/vectors/offline-1.json', import.meta.url), 'utf8')) as { text: string };
  expect(vector.text).toMatch(/^OPC1:.* .*[$%*+./:-]/);
  expect(play([...typed(vector.text, 4), ['Enter', 4]])).toEqual([`scan:${vector.text}`]);
});
