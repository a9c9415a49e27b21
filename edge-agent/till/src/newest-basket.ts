// Which basket is the newest that this page was told of. An answer and the events come by roads of their own: a state that was told
// before a scan may arrive after the scan's answer, and must not empty the basket again.

import type { Basket, TillState } from './api';

let newest = 0;

/** Whether this one is as new as any. `revision`: what was told with it; without it an empty one has no number, and is taken. */
export function isNewest(basket: Basket | null, revision = basket?.revision ?? newest): boolean {
  if (revision < newest) return false;
  newest = revision;
  return true;
}

/** The state, with `shown` in the place of a basket that is older than that. */
export function withNewest(told: TillState, shown: Basket | null): TillState {
  // An agent of before tells no number.
  const revision = told.basket_revision ?? newest;
  if (revision < newest) return { ...told, basket: shown };
  newest = revision;
  return told;
}

/** An agent that was started anew counts from another number. */
export function forgetNewest(): void {
  newest = 0;
}
