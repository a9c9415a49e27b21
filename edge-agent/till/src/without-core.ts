// What can be taken while core is away, and why not more.

import { shown } from './amount';
import type { TillState } from './api';
import { isLocked } from './line';
import { plainWords } from './plain-words';
import { fill, type Texts } from './text';

/** Why none is taken at this moment: no offline code, or no card. */
export function whyClosed(t: Texts, offline: { why: string | null; detail: string | null }): string {
  return offline.why === null ? '' : plainWords(t, { code: offline.why, detail: offline.detail ?? '', traceId: '' });
}

/** What can be taken while core is away, or will not have this terminal; null while it is there. */
export function withoutCore(t: Texts, state: Pick<TillState, 'link' | 'offline' | 'stored' | 'phone' | 'minor_digits'>): string | null {
  if (isLocked(state)) return t.problems.terminal_locked ?? '';
  if (state.link.online) return null;
  const offline = state.offline ?? null;
  const codes = offline === null ? [t.offline.cashOnly] : offline.why === null ? [t.offline.cashAndCodes] : [t.offline.cashOnly, whyClosed(t, offline)];
  const phone = state.phone ?? null;
  const carried = phone === null ? [] : [phone.why === null ? t.offline.phone.open : whyClosed(t, phone)];
  return [...codes, ...carried, ...cards()].join(' ');

  function cards(): string[] {
    const stored = state.stored ?? null;
    if (stored === null) return [];
    return [stored.most_minor === null ? whyClosed(t, stored) : fill(t.card.stored.open, shown(stored.most_minor, state.minor_digits))];
  }
}
