// The price of a sale by the shop's own rules: when it is asked for, and what it does to the screen. Pure; what a price is, the agent
// says, and without one the sale goes on at its list price, unless the shop has said that none does.

import type { Method } from './api';
import { keyedAgain, type Order } from './held';
import type { Screen } from './screen';

/** What core made of a sale. `list_minor`: what it costs without the rules. */
export interface Quote {
  id: string;
  amount_minor: number;
  amount: string;
  list_minor: number;
  adjustments: { name: string; minor: number }[];
  receipt_lines: string[];
  /** Rules that gave no answer, and were passed over. */
  failed: string[];
}

/** `refused`: a rule without whose price the shop sells nothing gave none. With each other one the sale goes on at its list price. */
export type Unquoted = 'no_rules' | 'training' | 'offline' | 'slow' | 'failed' | 'refused';

export type QuoteAnswer = { quote: Quote; why: null } | { quote: null; why: Unquoted };

/** What a price is asked of: the amount, and the basket that it is of. */
export interface Question {
  amount_minor: number;
  basket?: number;
}

/** The screens on which the amount stands, and how it is paid is not begun. */
type Priced = Extract<Screen, { kind: 'method' | 'cash' }>;

function question(amount_minor: number, order: Order | undefined): Question {
  return order?.basket === undefined ? { amount_minor } : { amount_minor, basket: order.basket };
}

export const isSame = (one: Question, other: Question): boolean => one.amount_minor === other.amount_minor && one.basket === other.basket;

/** What is to be asked while the cashier stands there; nothing once there is a price, and for a part of a total. */
export function asked(screen: Screen): Question | null {
  if (screen.kind !== 'method' && screen.kind !== 'cash') return null;
  if (screen.order?.quote !== undefined || screen.order?.split !== undefined) return null;
  return question(screen.minor, screen.order);
}

/** What is to be asked before that sale goes out. */
export function askedBefore(body: { amount_minor: number; basket?: number; quote?: string; split?: unknown; method: Method }): Question | null {
  if (body.quote !== undefined || body.split !== undefined) return null;
  return body.basket === undefined ? { amount_minor: body.amount_minor } : { amount_minor: body.amount_minor, basket: body.basket };
}

/** The screen with its price, if that is of what stands on it. */
export function priced(screen: Screen, about: Question, quote: Quote): Screen {
  const now = asked(screen);
  if (now === null || !isSame(now, about)) return screen;
  const { kind, order } = screen as Priced;
  const withPrice = { minor: quote.amount_minor, order: { ...(order ?? { reference: '', held: null }), quote } };
  // What was keyed as handed over stays, and is held against the price when it is confirmed.
  return kind === 'cash' ? { kind, keyed: (screen as Extract<Screen, { kind: 'cash' }>).keyed, ...withPrice } : { kind, ...withPrice };
}

/** Where the price is shown before the sale is pressed again. */
export function methodWith(quote: Quote, order: Order | undefined): Screen {
  return { kind: 'method', minor: quote.amount_minor, order: { ...(order ?? { reference: '', held: null }), quote } };
}

/** What was keyed, without the price. */
export function atList(minor: number, order: Order | undefined): { minor: number; order?: Order } {
  if (order?.quote === undefined) return order === undefined ? { minor } : { minor, order };
  const { quote, ...rest } = order;
  const isPlain = rest.reference === '' && rest.held === null && rest.basket === undefined && rest.split === undefined;
  return isPlain ? { minor: quote.list_minor } : { minor: quote.list_minor, order: rest };
}

/**
 * The price on the screen is over: how it is paid is asked again, at the list price, and with it the price. Where the list price is not
 * known (see `withQuote`), the amount is.
 */
export function over(screen: Screen): Screen {
  if (screen.kind !== 'method' && screen.kind !== 'cash' && screen.kind !== 'scan' && screen.kind !== 'card') return screen;
  const quote = screen.order?.quote;
  if (quote === undefined) return screen;
  return quote.list_minor === 0 ? keyedAgain(screen.minor, screen.order) : { kind: 'method', ...atList(screen.minor, screen.order) };
}

/**
 * What goes with a sale that waits for the customer, as its request said it (`asked`), with the quote that the screen has. A page that
 * was loaded anew knows the price and not what it was without the rules: the amount is then keyed again if nobody comes.
 */
export function withQuote(screen: Screen, minor: number, asked: unknown, order: Order | undefined): Order | undefined {
  const id = ((asked ?? {}) as { quote?: unknown }).quote;
  if (typeof id !== 'string') return order;
  const shown = 'order' in screen ? screen.order?.quote : undefined;
  const unknown: Quote = { id, amount_minor: minor, amount: '', list_minor: 0, adjustments: [], receipt_lines: [], failed: [] };
  return { ...(order ?? { reference: '', held: null }), quote: shown?.id === id ? shown : unknown };
}
