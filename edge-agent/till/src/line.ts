// How the till stands to core, and how the bar says it.

import type { TillState } from './api';
import { when } from './clock';
import { fill, type Texts } from './text';

export interface Link {
  kind: 'gone' | 'locked' | 'online' | 'offline';
  words: string;
}

/** `connected`: whether the agent's events arrive. */
export function linkOf(t: Texts, connected: boolean, state: Pick<TillState, 'link'> | null): Link {
  if (!connected || state === null) return { kind: 'gone', words: t.agentGone };
  const { online, offline_since, locked_since } = state.link;
  // Core may be heard all the same, and says no to everything.
  if (isLocked(state)) return { kind: 'locked', words: fill(t.line.locked, when(locked_since ?? 0)) };
  if (online) return { kind: 'online', words: t.online };
  const since = offline_since ?? null;
  return { kind: 'offline', words: since === null ? t.line.offline : fill(t.offlineSince, when(since)) };
}

/** Whether core has shut this terminal out. */
export function isLocked({ link }: Pick<TillState, 'link'>): boolean {
  return (link.locked_since ?? null) !== null;
}

/** Since when something has been waiting for core, while that is not there to take it; empty if nothing is to be said. */
export function oldestUnsent(t: Texts, state: Pick<TillState, 'link' | 'unsent'>): string {
  const { oldest_at, count } = state.unsent;
  const waits = (!state.link.online || isLocked(state)) && count > 0 && oldest_at !== null;
  return waits ? fill(t.line.oldest, when(oldest_at)) : '';
}
