// What a device does to be paired. Pure, but for what it is given.

import { NoAnswer, Problem } from './api';

/** How often a lost answer is asked for again, with the same key: the agent lets the same device in. */
const TRIES = 3;

/** The code in a link's fragment, and nothing if there is none. */
export function codeIn(hash: string): string {
  return /^#([0-9A-Za-z]{26})$/.exec(hash)?.[1] ?? '';
}

/** A code as it is shown while it is typed: two groups of four. */
export function grouped(typed: string): string {
  const letters = typed.toUpperCase().replace(/[^0-9A-Z]/g, '').slice(0, 8);
  return letters.length > 4 ? `${letters.slice(0, 4)}-${letters.slice(4)}` : letters;
}

export type Outcome = { kind: 'paired'; role: 'till' | 'display' } | { kind: 'refused'; code: string; detail: string } | { kind: 'silent' };

export async function redeem(ask: () => Promise<{ role: 'till' | 'display' }>): Promise<Outcome> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    try {
      return { kind: 'paired', role: (await ask()).role };
    } catch (error) {
      if (error instanceof Problem) return { kind: 'refused', code: error.code, detail: error.detail };
      if (!(error instanceof NoAnswer)) throw error;
    }
  }
  return { kind: 'silent' };
}

const WORDS: Readonly<Record<string, readonly [zh: string, en: string]>> = {
  pairing_code_wrong: ['配对码不正确', 'This code is wrong'],
  pairing_over: ['配对码已失效，请在收银机上重新生成', 'This code is over: make another one at the till'],
  devices_full: ['配对的设备太多，请先在收银机上移除一个', 'Too many devices are paired: revoke one at the till'],
  too_many_requests: ['尝试次数过多，请等一分钟', 'Too many tries: wait a minute'],
};

/** What to tell of an outcome, in both languages. */
export function told(outcome: Outcome): readonly [zh: string, en: string] {
  if (outcome.kind === 'paired') return ['已配对', 'Paired'];
  if (outcome.kind === 'silent') return ['收银机没有应答，请再试一次', 'The till does not answer: try again'];
  return WORDS[outcome.code] ?? ['没有配对', outcome.detail === '' ? 'Not paired' : outcome.detail];
}
