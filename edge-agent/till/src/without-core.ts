// What can be taken while core is away, and why not more.

import type { TillState } from './api';
import { plainWords, type Texts } from './text';

/** Why no offline code is taken at this moment. */
export function whyClosed(t: Texts, offline: { why: string | null; detail: string | null }): string {
  return offline.why === null ? '' : plainWords(t, { code: offline.why, detail: offline.detail ?? '', traceId: '' });
}

/** What can be taken while core is away; null while it is there. */
export function withoutCore(t: Texts, state: Pick<TillState, 'link' | 'offline'>): string | null {
  if (state.link.online) return null;
  const offline = state.offline ?? null;
  if (offline === null) return t.offline.cashOnly;
  return offline.why === null ? t.offline.cashAndCodes : `${t.offline.cashOnly} ${whyClosed(t, offline)}`;
}
