// What waits to be weighed, over a reload of the page: nobody else knows of it, and it lies on the counter.

import type { Basket } from './api';
import type { Model } from './store';
import { askWeight, type Weighable, type WeighScreen } from './weigh';

const WEIGH = 'saoma.weigh';

/** `basket`: the last one that the page has seen, by which lines that came in meanwhile are told from those before. */
interface Left {
  asked: Weighable[];
  basket: Basket | null;
}

function left(): Left | null {
  try {
    return JSON.parse(sessionStorage.getItem(WEIGH) ?? 'null') as Left | null;
  } catch {
    return null;
  }
}

/** The basket as it was last seen: a page that was just loaded has seen none. */
export function basketOf({ state }: Model): Basket | null {
  return state === null ? (left()?.basket ?? null) : (state.basket ?? null);
}

export function keepWeighing(model: Model): void {
  const { screen } = model;
  if (screen.kind === 'weigh') {
    const kept: Left = { asked: [screen.of, ...screen.next], basket: basketOf(model) };
    sessionStorage.setItem(WEIGH, JSON.stringify(kept));
  } else {
    sessionStorage.removeItem(WEIGH);
  }
}

/** The question that the page was at before it was loaded anew; null without one. */
export function weighingLeft(): WeighScreen | null {
  return askWeight(left()?.asked ?? []);
}
