// What each key does on the basket: lines that were scanned, how many of each there are, what is taken off, and all of it to be
// paid. Pure; what the lines cost is counted by the agent alone.

import type { Basket } from './api';
import { minorOf } from './amount';
import { askReference, type Order } from './held';
import { HOME, type Press, type Screen, type Step } from './screen';
import { CODE_LEN_MAX } from './wedge';
import { type Weighable, type WeighScreen, weighStep } from './weigh';

export type BasketScreen =
  /** `at`: the line that is chosen. `keyed`: see `meaning`. */
  | { kind: 'basket'; at: number; keyed: string }
  /** Asks whether all of it goes. */
  | { kind: 'basket-clear' }
  | WeighScreen;

export type Discount = { basis_points: number } | { minor: number };

export type BasketPress =
  | { other: { price_minor: number; quantity: number; name: string } }
  | { weighed: { goods: string; grams: number } }
  | { quantity: { line: number; quantity: number } }
  | { discount: { line: number | null; discount: Discount | null } }
  | { clear: Record<string, never> }
  | { take_up: { held: number } };

export type BasketWish =
  | { kind: 'basket'; press: BasketPress }
  /** Reads the scale, and puts so much into the basket. */
  | { kind: 'weigh'; of: Weighable };

/** A line without a barcode, on the customer's receipt. */
const OTHER = '其他 Other';
/** More digits than a quantity has are a barcode, typed by a hand. */
const QUANTITY_DIGITS_MAX = 4;

export function basketScreen(at = 0): Screen {
  return { kind: 'basket', at, keyed: '' };
}

type Meaning =
  | { kind: 'pay' }
  | { kind: 'quantity'; quantity: number }
  | { kind: 'barcode'; text: string }
  /** `of`: the line that is chosen, or all of it. */
  | { kind: 'discount'; of: 'line' | 'all'; discount: Discount | null };

/**
 * What was keyed before Enter: nothing (to be paid), a quantity, a barcode; `-` and an amount or a percentage for a discount on the
 * line, `--` for one on all; `-` alone takes it back.
 */
export function meaning(keyed: string): Meaning | null {
  if (keyed === '') return { kind: 'pay' };
  if (/^\d+$/.test(keyed)) {
    return keyed.length > QUANTITY_DIGITS_MAX ? { kind: 'barcode', text: keyed } : { kind: 'quantity', quantity: Number(keyed) };
  }
  const [, dashes, digits = '', percent] = /^(--?)(\d*)(%?)$/.exec(keyed) ?? [];
  if (dashes === undefined || (digits === '' && percent === '%')) return null;
  const of = dashes === '-' ? 'line' : 'all';
  if (digits === '') return { kind: 'discount', of, discount: null };
  return { kind: 'discount', of, discount: percent === '%' ? { basis_points: Number(digits) * 100 } : { minor: Number(digits) } };
}

/** What `keyed` becomes with one more character; what cannot stand there is not taken. */
function withMore(keyed: string, more: string): string {
  const next = keyed + more;
  const fits = next.length <= CODE_LEN_MAX && (/^\d+$/.test(next) || /^--?\d{0,12}$/.test(next) || /^--?\d{1,3}%$/.test(next));
  return fits ? next : keyed;
}

/** What goes with the amount when the basket is paid or put aside. */
export function orderOfBasket(basket: Basket): Order {
  return { reference: '', held: basket.held ?? null, basket: basket.revision };
}

const stay = (screen: Screen): Step => ({ screen });
const does = (screen: Screen, press: BasketPress): Step => ({ screen, wish: { kind: 'basket', press } });

/** A keyed amount as a line of its own. */
export function other(minor: number): BasketPress {
  return { other: { price_minor: minor, quantity: 1, name: OTHER } };
}

export function basketStep(screen: BasketScreen, press: Press, basket: Basket | null): Step {
  if (screen.kind === 'weigh') return weighStep(screen, press, basket);
  if (basket === null) return stay(HOME);
  if (screen.kind === 'basket-clear') {
    if (press.kind === 'enter') return does(HOME, { clear: {} });
    return stay(press.kind === 'escape' ? basketScreen() : screen);
  }
  const { keyed } = screen;
  const last = basket.lines.length - 1;
  const at = Math.min(screen.at, last);
  const total = basket.totals.total_minor;
  switch (press.kind) {
    case 'digits':
      return stay({ ...screen, at, keyed: withMore(keyed, press.digits) });
    case 'text':
      if (press.text === '+') return minorOf(keyed) > 0 && /^\d+$/.test(keyed) ? does(basketScreen(last + 1), other(minorOf(keyed))) : stay(screen);
      return stay({ ...screen, at, keyed: withMore(keyed, press.text) });
    case 'back':
      return stay({ ...screen, at, keyed: keyed.slice(0, -1) });
    case 'up':
      return stay({ ...screen, at: Math.max(at - 1, 0) });
    case 'down':
      return stay({ ...screen, at: Math.min(at + 1, last) });
    case 'line':
      return stay({ ...screen, at: press.line });
    case 'escape':
      return stay(keyed === '' ? HOME : { ...screen, keyed: '' });
    case 'enter':
      return entered(screen, at, basket);
    case 'function':
      break;
    default:
      return stay(screen);
  }
  switch (press.key) {
    case 'sale':
      return entered({ ...screen, keyed: '' }, at, basket);
    case 'code':
      if (total === 0) return { screen, hint: 'key_amount' };
      return { screen, wish: { kind: 'sell', body: { amount_minor: total, method: 'code', ...(basket.held === undefined ? {} : { held: basket.held }), basket: basket.revision } } };
    case 'cancel':
      return does({ ...screen, at, keyed: '' }, { quantity: { line: at, quantity: 0 } });
    case 'void':
      return stay({ kind: 'basket-clear' });
    case 'hold':
      return total === 0 ? { screen, hint: 'key_amount' } : stay(askReference(total, orderOfBasket(basket), 'hold'));
    default:
      return stay(screen);
  }
}

function entered(screen: Extract<BasketScreen, { kind: 'basket' }>, at: number, basket: Basket): Step {
  const meant = meaning(screen.keyed);
  const here: Screen = { kind: 'basket', at, keyed: '' };
  switch (meant?.kind) {
    case 'pay': {
      const minor = basket.totals.total_minor;
      return minor === 0 ? { screen, hint: 'key_amount' } : stay({ kind: 'method', minor, order: orderOfBasket(basket) });
    }
    case 'quantity':
      return does(here, { quantity: { line: at, quantity: meant.quantity } });
    case 'barcode':
      return { screen: here, wish: { kind: 'scan', text: meant.text } };
    case 'discount':
      return does(here, { discount: { line: meant.of === 'line' ? at : null, discount: meant.discount } });
    case undefined:
      return stay(screen);
  }
}
