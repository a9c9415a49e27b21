// What each key does where the number of a table or an order is keyed, and where what is put aside (挂单) is taken up again
// (取单). Pure.

import type { Held } from './api';
import { atList, type Quote } from './quote';
import { type PartOf, partAgain } from './split';
import { HOME, type Press, type Screen, type Step } from './screen';

/** Longest number of a table or an order, in characters; the agent takes no more. */
export const REFERENCE_LEN_MAX = 32;

/** What goes with an amount that is keyed. */
export interface Order {
  /** The table's or order's number; empty if there is none. */
  reference: string;
  /** What it was put aside as. */
  held: number | null;
  /** The basket is paid or put aside: its revision. */
  basket?: number;
  /** The amount is a part of a total. */
  split?: PartOf;
  /** The amount is what was quoted. */
  quote?: Quote;
}

export type HeldScreen =
  /** `to`: whether it is put aside then, or sold. */
  | { kind: 'reference'; minor: number; keyed: string; held: number | null; to: 'hold' | 'method'; basket?: number }
  | { kind: 'held'; at: number }
  /** Asks whether it is dropped. */
  | { kind: 'drop'; number: number };

export type HeldWish =
  | { kind: 'hold'; body: { amount_minor: number; reference?: string; held?: number; basket?: number } }
  | { kind: 'drop'; number: number };

/** What people see as one character; a browser too old to know them apart takes an emoji of several for several. */
const graphemes = typeof Intl.Segmenter === 'function' ? new Intl.Segmenter() : null;

function charactersOf(text: string): string[] {
  return graphemes === null ? [...text] : [...graphemes.segment(text)].map(({ segment }) => segment);
}

/**
 * What may stand in a number, of what somebody typed or pasted: one line, nothing that turns the writing around, and no more than
 * there may be. What people see as one character (an emoji of several) is taken whole or not at all.
 */
export function cleaned(text: string): string {
  const line = text
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .replace(/[\p{Cs}\u202a-\u202e\u2066-\u2069]/gu, '')
    .trimStart();
  let kept = '';
  let length = 0;
  for (const character of charactersOf(line)) {
    length += [...character].length;
    if (length > REFERENCE_LEN_MAX) break;
    kept += character;
  }
  return kept;
}

function withoutLast(text: string): string {
  return charactersOf(text).slice(0, -1).join('');
}

/** A short text with one more key pressed; null if it was another key. */
export function shortText(keyed: string, press: Press): string | null {
  switch (press.kind) {
    case 'digits':
      return cleaned(keyed + press.digits);
    case 'text':
      return cleaned(keyed + press.text);
    case 'typed':
      return cleaned(press.text);
    case 'back':
      return withoutLast(keyed);
    default:
      return null;
  }
}

export function orderOf(reference: string, held: number | null, basket?: number): Order | undefined {
  if (basket !== undefined) return { reference, held, basket };
  return reference === '' && held === null ? undefined : { reference, held };
}

/** What a request says of it. */
export function told(order: Order | undefined): { reference?: string; held?: number; basket?: number; split?: PartOf; quote?: string } {
  if (order === undefined) return {};
  const reference = order.reference.trim();
  return { ...(reference === '' ? {} : { reference }), ...(order.held === null ? {} : { held: order.held }), ...(order.basket === undefined ? {} : { basket: order.basket }), ...(order.split === undefined ? {} : { split: order.split }), ...(order.quote === undefined ? {} : { quote: order.quote.id }) };
}

/** What a request said of it, whoever kept it. */
export function orderTold(body: unknown): Order | undefined {
  const { reference, held, basket, split } = (body ?? {}) as { reference?: unknown; held?: unknown; basket?: unknown; split?: PartOf };
  const revision = typeof basket === 'number' ? basket : undefined;
  const order = orderOf(typeof reference === 'string' ? reference : '', typeof held === 'number' ? held : null, revision);
  return split === undefined ? order : { ...(order ?? { reference: '', held: null }), split };
}

/** The amount that is keyed, with what goes with it. */
export function keyedAgain(quoted: number, before: Order | undefined): Screen {
  const { minor, order } = atList(quoted, before);
  if (order?.split !== undefined) return partAgain(minor, order, order.split);
  if (order?.basket !== undefined) return { kind: 'basket', at: 0, keyed: '' };
  const keyed = minor > 0 ? String(minor) : '';
  return order === undefined ? { kind: 'home', keyed } : { kind: 'home', keyed, order };
}

/** Where the number is keyed. */
export function askReference(quoted: number, before: Order | undefined, to: 'hold' | 'method'): Screen {
  const { minor, order } = atList(quoted, before);
  const screen = { kind: 'reference' as const, minor, keyed: order?.reference ?? '', held: order?.held ?? null, to };
  return order?.basket === undefined ? screen : { ...screen, basket: order.basket };
}

const stay = (screen: Screen): Step => ({ screen });

export function heldStep(screen: HeldScreen, press: Press, held: readonly Held[]): Step {
  switch (screen.kind) {
    case 'reference':
      return reference(screen, press);
    case 'held':
      return list(screen, press, held);
    case 'drop':
      if (press.kind === 'enter') return { screen: { kind: 'held', at: 0 }, wish: { kind: 'drop', number: screen.number } };
      return stay(press.kind === 'escape' ? { kind: 'held', at: 0 } : screen);
  }
}

function reference(screen: Extract<HeldScreen, { kind: 'reference' }>, press: Press): Step {
  const { minor, keyed, held, to, basket } = screen;
  const edited = shortText(keyed, press);
  if (edited !== null) return stay({ ...screen, keyed: edited });
  switch (press.kind) {
    case 'escape':
      return stay(keyedAgain(minor, orderOf(keyed, held, basket)));
    case 'enter': {
      const order = orderOf(keyed.trim(), held, basket);
      if (to === 'hold') return { screen, wish: { kind: 'hold', body: { amount_minor: minor, ...told(order) } } };
      return stay(order === undefined ? { kind: 'method', minor } : { kind: 'method', minor, order });
    }
    default:
      return stay(screen);
  }
}

function list(screen: Extract<HeldScreen, { kind: 'held' }>, press: Press, held: readonly Held[]): Step {
  const last = Math.max(held.length - 1, 0);
  const chosen = press.kind === 'take' ? held.find(({ number }) => number === press.number) : held[Math.min(screen.at, last)];
  switch (press.kind) {
    case 'escape':
      return stay(HOME);
    case 'up':
      return stay({ ...screen, at: Math.max(Math.min(screen.at, last) - 1, 0) });
    case 'down':
      return stay({ ...screen, at: Math.min(screen.at + 1, last) });
    case 'enter':
    case 'take':
      if (chosen === undefined) return { screen, hint: 'none_held' };
      if (chosen.is_basket === true) return { screen, wish: { kind: 'basket', press: { take_up: { held: chosen.number } } } };
      return stay(keyedAgain(chosen.amount_minor, { reference: chosen.reference ?? '', held: chosen.number }));
    case 'function':
      return press.key === 'cancel' && chosen !== undefined ? stay({ kind: 'drop', number: chosen.number }) : stay(screen);
    default:
      return stay(screen);
  }
}

/** How long ago it was put aside: minutes, or hours and minutes. */
export function age(heldAt: number, now: number): string {
  const minutes = Math.max(0, Math.floor((now - heldAt) / 60_000));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
