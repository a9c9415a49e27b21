// What each key does on the screens of the shift: signing on (签到), cash paid in and out, the batch close (结算). Pure.
//
// What should be in the drawer is on no screen before the drawer was counted: the agent does not tell it either.

import { minorOf, withDigits } from './amount';
import { HOME, type Press, type Screen, type Step } from './screen';

/** Why cash moves without a sale; the words that go into the journal, in both languages. */
export const REASONS = ['零钱 change', '缴款 to the safe', '采购 purchase', '其他 other'] as const;

/** Longest number of a cashier, in digits. */
const NUMBER_LEN_MAX = 8;

export type ShiftScreen =
  /** What can be done about the shift. `open`: whether there is one. */
  | { kind: 'shift'; open: boolean }
  /** `number`: the cashier's, once it is keyed; then the float is. */
  | { kind: 'sign-on'; number: string | null; keyed: string }
  /** `minor`: the amount, once it is keyed; then the reason is chosen. */
  | { kind: 'drawer'; way: 'in' | 'out'; keyed: string; minor: number | null }
  /** `sure`: the count is keyed and the question is asked. */
  | { kind: 'count'; keyed: string; sure: boolean }
  | { kind: 'report' };

export type ShiftWish =
  | { kind: 'shift'; path: 'open'; body: { float_minor: number; cashier: string; cashier_number: string } }
  | { kind: 'shift'; path: 'paid-in' | 'paid-out'; body: { amount_minor: number; reason: string } }
  | { kind: 'shift'; path: 'close'; body: { counted_minor: number } }
  | { kind: 'shift'; path: 'reprint'; body: Record<string, never> };

const stay = (screen: Screen): Step => ({ screen });
const digitsOf = (press: Press): string => (press.kind === 'digits' ? press.digits : '');

/** Where the key 签到/结算 leads. */
export function shiftMenu(open: boolean): Screen {
  return { kind: 'shift', open };
}

export function shiftStep(screen: ShiftScreen, press: Press): Step {
  switch (screen.kind) {
    case 'shift':
      return menu(screen, press);
    case 'sign-on':
      return signOn(screen, press);
    case 'drawer':
      return drawer(screen, press);
    case 'count':
      return count(screen, press);
    case 'report':
      return press.kind === 'enter' || press.kind === 'escape' ? stay(HOME) : stay(screen);
  }
}

function menu(screen: Extract<ShiftScreen, { kind: 'shift' }>, press: Press): Step {
  if (press.kind === 'escape') return stay(HOME);
  if (!screen.open) {
    if (press.kind === 'enter' || digitsOf(press) === '1') return stay({ kind: 'sign-on', number: null, keyed: '' });
    if (digitsOf(press) === '2') return { screen: { kind: 'report' }, wish: { kind: 'shift', path: 'reprint', body: {} } };
    return stay(screen);
  }
  switch (digitsOf(press)) {
    case '1':
      return stay({ kind: 'count', keyed: '', sure: false });
    case '2':
      return stay({ kind: 'drawer', way: 'in', keyed: '', minor: null });
    case '3':
      return stay({ kind: 'drawer', way: 'out', keyed: '', minor: null });
    default:
      return stay(screen);
  }
}

function signOn(screen: Extract<ShiftScreen, { kind: 'sign-on' }>, press: Press): Step {
  const { number, keyed } = screen;
  if (press.kind === 'escape') return stay(number === null ? shiftMenu(false) : { ...screen, number: null, keyed: number });
  if (press.kind === 'back') return stay({ ...screen, keyed: keyed.slice(0, -1) });
  if (press.kind === 'digits') {
    // A cashier's number may begin with noughts, an amount does not.
    const next = number === null ? (keyed + press.digits).slice(0, NUMBER_LEN_MAX) : withDigits(keyed, press.digits);
    return stay({ ...screen, keyed: next });
  }
  if (press.kind !== 'enter') return stay(screen);
  if (number === null) return stay({ kind: 'sign-on', number: keyed, keyed: '' });
  const body = { float_minor: minorOf(keyed), cashier: number, cashier_number: number };
  return { screen, wish: { kind: 'shift', path: 'open', body } };
}

function drawer(screen: Extract<ShiftScreen, { kind: 'drawer' }>, press: Press): Step {
  const { way, keyed, minor } = screen;
  if (press.kind === 'escape') return stay(minor === null ? shiftMenu(true) : { ...screen, minor: null });
  if (minor === null) {
    if (press.kind === 'digits') return stay({ ...screen, keyed: withDigits(keyed, press.digits) });
    if (press.kind === 'back') return stay({ ...screen, keyed: keyed.slice(0, -1) });
    if (press.kind !== 'enter') return stay(screen);
    return minorOf(keyed) > 0 ? stay({ ...screen, minor: minorOf(keyed) }) : { screen, hint: 'key_amount' };
  }
  const reason = REASONS[Number(digitsOf(press)) - 1];
  if (reason === undefined) return stay(screen);
  const path = way === 'in' ? 'paid-in' : 'paid-out';
  return { screen, wish: { kind: 'shift', path, body: { amount_minor: minor, reason } } };
}

function count(screen: Extract<ShiftScreen, { kind: 'count' }>, press: Press): Step {
  const { keyed, sure } = screen;
  if (press.kind === 'escape') return stay(sure ? { ...screen, sure: false } : shiftMenu(true));
  if (sure) {
    if (press.kind !== 'enter') return stay(screen);
    return { screen, wish: { kind: 'shift', path: 'close', body: { counted_minor: minorOf(keyed) } } };
  }
  if (press.kind === 'digits') return stay({ ...screen, keyed: withDigits(keyed, press.digits) });
  if (press.kind === 'back') return stay({ ...screen, keyed: keyed.slice(0, -1) });
  return stay(press.kind === 'enter' ? { ...screen, sure: true } : screen);
}
