// While a card is awaited: where the page stands, and what a key does there. Pure.

import { type Order, orderTold } from './held';
import { withQuote } from './quote';
import type { Press, Screen, Step } from './screen';

export type AwaitedCard = { kind: 'card'; minor: number; order?: Order };

/** `asked`: the request for it, if this page knows it. */
export function awaitingCard(screen: Screen, minor: number, asked: unknown): AwaitedCard {
  const order = withQuote(screen, minor, asked, orderTold(asked));
  return order === undefined ? { kind: 'card', minor } : { kind: 'card', minor, order };
}

/** The amount again, and how it is paid. */
export function askedAgain({ minor, order }: AwaitedCard): Screen {
  return order === undefined ? { kind: 'method', minor } : { kind: 'method', minor, order };
}

export function cardStep(screen: AwaitedCard, press: Press): Step {
  return press.kind === 'escape' ? { screen: askedAgain(screen), wish: { kind: 'stop-card' } } : { screen };
}
