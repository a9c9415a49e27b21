// What each key does on the screens of the shift: signing on (签到), cash paid in and out, the batch close (结算). Pure.
//
// What should be in the drawer is on no screen before the drawer was counted: the agent does not tell it either.

import { minorOf, withDigits } from './amount';
import type { Sale } from './api';
import { HOME, type Press, type Screen, type Step } from './screen';
import { NUMBER_LEN_MAX, numbered, PIN_LEN_MAX } from './supervisor';

/** Why cash moves without a sale; the words that go into the journal, in both languages. */
export const REASONS = ['零钱 change', '缴款 to the safe', '采购 purchase', '其他 other'] as const;

export type ShiftScreen =
  /** What can be done about the shift. `open`: the batch of the one that is. */
  | { kind: 'shift'; open: number | null }
  /** `number`: the cashier's, once it is keyed; then the float is. `pin`: what is keyed of it, once the agent has asked for it. */
  | { kind: 'sign-on'; number: string | null; keyed: string; pin?: string }
  /**
   * `minor`: the amount, once it is keyed; then the reason is chosen; then `by` is the number of who stands there, empty for
   * whoever signed on. `batch`: whose drawer it is.
   */
  | { kind: 'drawer'; batch: number; way: 'in' | 'out'; keyed: string; minor: number | null; reason: string | null; by: string }
  /**
   * `sure`: the count is keyed and the question is asked. `batch`: the one that is counted. `by`: the number of who counted,
   * empty for whoever signed on. `doubt`: core is away, and the agent has named the sales that nobody knows about. `held`: what
   * is put aside and goes with the batch.
   */
  | { kind: 'count'; batch: number; keyed: string; sure: boolean; by: string; doubt: boolean; held?: number[] | undefined }
  | { kind: 'report' };

export type ShiftWish =
  | { kind: 'shift'; path: 'open'; body: { float_minor: number; cashier: string; cashier_number: string; pin?: string } }
  | { kind: 'shift'; path: 'paid-in' | 'paid-out'; body: { batch: number; amount_minor: number; reason: string; cashier?: string } }
  | { kind: 'shift'; path: 'close'; body: { batch: number; counted_minor: number; cashier?: string; despite?: number[]; drop_held?: number[] } }
  | { kind: 'shift'; path: 'reprint'; body: Record<string, never> };

const stay = (screen: Screen): Step => ({ screen });
const digitsOf = (press: Press): string => (press.kind === 'digits' ? press.digits : '');

/** Where the key 签到/结算 leads. */
export function shiftMenu(open: number | null): Screen {
  return { kind: 'shift', open };
}

/**
 * Where the page stands once `open` is the open batch: what is counted or keyed is of the batch that was on the screen. `asked`:
 * the paths that wait for their answer, which says where to go.
 */
export function afterShift(screen: Screen, open: number | null, asked: readonly string[]): Screen {
  if (asked.some((path) => path.startsWith('/api/shift/'))) return screen;
  const isAnother = (screen.kind === 'count' || screen.kind === 'drawer') && screen.batch !== open;
  return isAnother || (screen.kind === 'shift' && screen.open !== open) ? HOME : screen;
}

/** Whether cash may be told of there: who counts is not to know what sales have brought in. */
export function tellsOfCash(screen: Screen): boolean {
  return screen.kind !== 'count';
}

export function shiftStep(screen: ShiftScreen, press: Press, sales: readonly Sale[]): Step {
  switch (screen.kind) {
    case 'shift':
      return menu(screen, press);
    case 'sign-on':
      return signOn(screen, press);
    case 'drawer':
      return drawer(screen, press);
    case 'count':
      return count(screen, press, sales);
    case 'report':
      return press.kind === 'enter' || press.kind === 'escape' ? stay(HOME) : stay(screen);
  }
}

function menu(screen: Extract<ShiftScreen, { kind: 'shift' }>, press: Press): Step {
  if (press.kind === 'escape') return stay(HOME);
  const { open } = screen;
  const digit = press.kind === 'enter' && open === null ? '1' : digitsOf(press);
  const reprint: Step = { screen: { kind: 'report' }, wish: { kind: 'shift', path: 'reprint', body: {} } };
  if (open === null) {
    if (digit === '1') return stay({ kind: 'sign-on', number: null, keyed: '' });
    return digit === '2' ? reprint : stay(screen);
  }
  switch (digit) {
    case '1':
      return stay({ kind: 'count', batch: open, keyed: '', sure: false, by: '', doubt: false });
    case '2':
      return stay({ kind: 'drawer', batch: open, way: 'in', keyed: '', minor: null, reason: null, by: '' });
    case '3':
      return stay({ kind: 'drawer', batch: open, way: 'out', keyed: '', minor: null, reason: null, by: '' });
    case '4':
      // The last one that was closed: its report may not have come out.
      return reprint;
    default:
      return stay(screen);
  }
}

function signOn(screen: Extract<ShiftScreen, { kind: 'sign-on' }>, press: Press): Step {
  const { number, keyed, pin } = screen;
  if (pin !== undefined && number !== null) {
    if (press.kind === 'escape') return stay({ kind: 'sign-on', number: null, keyed: number });
    const digits = numbered(pin, press, PIN_LEN_MAX);
    if (digits !== null) return stay({ ...screen, pin: digits });
    if (press.kind !== 'enter' || pin === '') return stay(screen);
    const body = { float_minor: minorOf(keyed), cashier: number, cashier_number: number, pin };
    return { screen: { ...screen, pin: '' }, wish: { kind: 'shift', path: 'open', body } };
  }
  if (press.kind === 'escape') return stay(number === null ? shiftMenu(null) : { ...screen, number: null, keyed: number });
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

/**
 * Where signing on goes when the agent refuses it: to the PIN, with number and float kept; to another number if that is
 * nobody's. Null: nothing of these was the trouble.
 */
export function signOnAgain(screen: Screen, code: string): Screen | null {
  if (screen.kind !== 'sign-on' || screen.number === null) return null;
  if (code === 'cashier_unknown') return { kind: 'sign-on', number: null, keyed: '' };
  return code.startsWith('pin_') ? { ...screen, pin: '' } : null;
}

function drawer(screen: Extract<ShiftScreen, { kind: 'drawer' }>, press: Press): Step {
  const { batch, way, keyed, minor, reason } = screen;
  if (minor === null) {
    if (press.kind === 'escape') return stay(shiftMenu(batch));
    if (press.kind === 'digits') return stay({ ...screen, keyed: withDigits(keyed, press.digits) });
    if (press.kind === 'back') return stay({ ...screen, keyed: keyed.slice(0, -1) });
    if (press.kind !== 'enter') return stay(screen);
    return minorOf(keyed) > 0 ? stay({ ...screen, minor: minorOf(keyed) }) : { screen, hint: 'key_amount' };
  }
  if (reason === null) {
    if (press.kind === 'escape') return stay({ ...screen, minor: null });
    const chosen = REASONS[Number(digitsOf(press)) - 1];
    return stay(chosen === undefined ? screen : { ...screen, reason: chosen });
  }
  if (press.kind === 'escape') return stay({ ...screen, reason: null, by: '' });
  const by = numbered(screen.by, press, NUMBER_LEN_MAX);
  if (by !== null) return stay({ ...screen, by });
  if (press.kind !== 'enter') return stay(screen);
  const path = way === 'in' ? 'paid-in' : 'paid-out';
  return { screen, wish: { kind: 'shift', path, body: { batch, amount_minor: minor, reason, ...named(screen.by) } } };
}

const named = (by: string): { cashier?: string } => (by === '' ? {} : { cashier: by });

function count(screen: Extract<ShiftScreen, { kind: 'count' }>, press: Press, sales: readonly Sale[]): Step {
  const { batch, keyed, sure, doubt } = screen;
  if (press.kind === 'escape') return stay(sure ? { ...screen, sure: false, doubt: false, held: undefined } : shiftMenu(batch));
  if (sure) {
    const by = numbered(screen.by, press, NUMBER_LEN_MAX);
    if (by !== null) return stay({ ...screen, by });
    if (press.kind !== 'enter') return stay(screen);
    const despite = doubt ? { despite: sales.filter((sale) => !sale.settled).map((sale) => sale.counter) } : {};
    const dropped = screen.held === undefined ? {} : { drop_held: screen.held };
    const body = { batch, counted_minor: minorOf(keyed), ...named(screen.by), ...despite, ...dropped };
    return { screen, wish: { kind: 'shift', path: 'close', body } };
  }
  // An empty drawer is counted with a nought: nothing keyed is nothing counted.
  if (press.kind === 'digits') return stay({ ...screen, keyed: withDigits(keyed, press.digits) || '0' });
  if (press.kind === 'back') return stay({ ...screen, keyed: keyed.slice(0, -1) });
  if (press.kind !== 'enter') return stay(screen);
  return keyed === '' ? { screen, hint: 'key_count' } : stay({ ...screen, sure: true });
}
