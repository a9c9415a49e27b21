// What went wrong, as the cashier reads it: the page's own words for a code, or those of whoever said it.

import type { Failure, Problem } from './api';
import { fill, type Texts } from './text';
import { WITH_A_SUM } from './text-offline';

/** Why a payment or a refund failed, in plain words; the channel's own if there are no better ones. */
export function whyFailed(t: Texts, failure: Failure): string {
  return t.problems[failure.code] ?? failure.message;
}

/** What went wrong, in plain words; the agent's own sentence if there are no better ones. */
export function plainWords(t: Texts, problem: Pick<Problem, 'code' | 'detail' | 'traceId'>): string {
  const words = t.problems[problem.code];
  // Which sale is in the way, or which setting, only the agent knows.
  const isTold = ['shift_busy', 'shift_in_doubt', 'training_busy', 'settings_locked', 'settings_invalid', 'pin_locked', 'basket_invalid', 'split_busy'].includes(problem.code);
  // The end of what was scanned, if it looks like a barcode.
  if (words !== undefined && problem.code === 'barcode_unknown') return fill(words, /\d{4}/.exec(problem.detail)?.[0] ?? '');
  // How many tries are left stands in its sentence alone.
  if (words !== undefined && problem.code === 'pin_wrong') return fill(words, /\d+/.exec(problem.detail)?.[0] ?? '…');
  if (words !== undefined && WITH_A_SUM.includes(problem.code)) return fill(words, /\d[\d.]*/.exec(problem.detail)?.[0] ?? '…');
  if (words !== undefined) return isTold ? `${words} ${problem.detail}` : words;
  const detail = problem.detail === '' ? `(${problem.code})` : problem.detail;
  return `${t.problemElse} ${detail}${problem.traceId === '' ? '' : ` · ${t.trace} ${problem.traceId}`}`;
}
