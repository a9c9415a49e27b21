// Goods that are sold by weight, from their scan to their line in the basket. Pure. Whatever was scanned becomes a line, or is given up
// by the cashier (Esc), or is told as not sold: what is on the counter and not in the basket would go for nothing.

import { withDigits } from './amount';
import type { Basket, WeighScan } from './api';
import { type BasketPress, basketScreen } from './basket';
import { BASKET } from './intent';
import { HOME, type Press, type Screen, type Step } from './screen';
import type { Model } from './store';

export interface Weighable {
  goods: string;
  name: string;
  /** Of a kilogram. */
  minor: number;
}

/** How much there is of it: `keyed` in grams, or nothing, and the scale says it. */
export interface WeighScreen {
  kind: 'weigh';
  /** The same as long as it is the same question: goods that are scanned twice are two. */
  of: Weighable;
  keyed: string;
  /** Scanned meanwhile, oldest first. */
  next: readonly Weighable[];
}

/** Up to 999.999 kg. */
const GRAM_DIGITS_MAX = 6;

export function weighable({ goods, name, price_minor: minor }: WeighScan): Weighable {
  return { goods, name, minor };
}

/** Asks for the first of them; null without any. */
export function askWeight([of, ...next]: readonly Weighable[]): WeighScreen | null {
  return of === undefined ? null : { kind: 'weigh', of, keyed: '', next };
}

export function weighed({ goods }: Weighable, grams: number): BasketPress {
  return { weighed: { goods, grams } };
}

const afterAll = (basket: Basket | null): Screen => (basket === null ? HOME : basketScreen(basket.lines.length - 1));

/** Nothing keyed is what lies on the scale. The question stands until its answer is in the basket. */
export function weighStep(screen: WeighScreen, press: Press, basket: Basket | null): Step {
  const { of, keyed } = screen;
  switch (press.kind) {
    case 'digits':
      return { screen: { ...screen, keyed: withDigits(keyed, press.digits).slice(0, GRAM_DIGITS_MAX) } };
    case 'back':
      return { screen: { ...screen, keyed: keyed.slice(0, -1) } };
    case 'escape':
      return { screen: keyed === '' ? (askWeight(screen.next) ?? afterAll(basket)) : { ...screen, keyed: '' } };
    case 'enter':
      return { screen, wish: keyed === '' ? { kind: 'weigh', of } : { kind: 'basket', press: weighed(of, Number(keyed)) } };
    default:
      return { screen, hint: 'weigh_first' };
  }
}

function weighedLines(basket: Basket | null | undefined, { name }: Weighable): number {
  return basket?.lines.filter((line) => line.name === name && line.weight_grams !== undefined).length ?? 0;
}

/** Goods that are told as not sold. */
export function unweighed(goods: readonly Weighable[]): Partial<Model> {
  return { notice: { kind: 'unweighed', names: goods.map(({ name }) => name).join(', ') } };
}

/**
 * What becomes of the question at a change of the page. A line of the goods in the basket is its answer, whichever page it came from;
 * a basket that was sold or put aside takes the question along. `byPress`: the cashier left it.
 */
export function followed(screen: WeighScreen, before: Model, now: Model, byPress: boolean): Partial<Model> {
  const asked = [screen.of, ...screen.next];
  if (now.screen.kind !== 'weigh') return byPress ? {} : unweighed(asked);
  const [was, is] = [before.state?.basket ?? null, now.state?.basket ?? null];
  if (was === is) return {};
  if (was !== null && is === null) return { screen: HOME, ...unweighed(asked) };
  const left = asked.filter((one, at) => {
    const cameIn = weighedLines(is, one) - weighedLines(was, one);
    return asked.slice(0, at).filter(({ name }) => name === one.name).length >= cameIn;
  });
  if (left.length === asked.length) return {};
  const isOwn = before.busy.includes(BASKET);
  const shown = left[0] === screen.of ? { ...now.screen, next: left.slice(1) } : (askWeight(left) ?? afterAll(is));
  return { screen: shown, notice: isOwn ? null : { kind: 'hint', hint: 'weighed_elsewhere' } };
}
