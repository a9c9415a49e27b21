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
  /**
   * Number, PIN where one is wanted, float. `keyed`: what is keyed of the one that is asked for. `pin`: null until it is keyed, and
   * where none is wanted. `float`: what was keyed of it before, if the agent wanted a PIN after all.
   */
  | { kind: 'sign-on'; asks: 'number' | 'pin' | 'float'; number: string; pin: string | null; float: string; keyed: string }
  /**
   * `minor`: the amount, once it is keyed; then the reason is chosen; then `by` is the number of who stands there, empty for
   * whoever signed on. `batch`: whose drawer it is. `pin`: what is keyed of that of `by`, where one is wanted.
   */
  | { kind: 'drawer'; batch: number; way: 'in' | 'out'; keyed: string; minor: number | null; reason: string | null; by: string; pin?: string | undefined }
  /**
   * `sure`: the count is keyed and the question is asked. `batch`: the one that is counted. `by`: the number of who counted,
   * empty for whoever signed on. `doubt`: core is away, and the agent has named the sales that nobody knows about. `held`: what
   * is put aside and goes with the batch. `pin`: what is keyed of that of `by`, where one is wanted.
   */
  | { kind: 'count'; batch: number; keyed: string; sure: boolean; by: string; doubt: boolean; held?: number[] | undefined; pin?: string | undefined }
  | { kind: 'report' };

export type ShiftWish =
  | { kind: 'shift'; path: 'open'; body: { float_minor: number; cashier: string; cashier_number: string; pin?: string } }
  | { kind: 'shift'; path: 'paid-in' | 'paid-out'; body: { batch: number; amount_minor: number; reason: string; cashier?: string; cashier_pin?: string } }
  | { kind: 'shift'; path: 'close'; body: { batch: number; counted_minor: number; cashier?: string; cashier_pin?: string; despite?: number[]; drop_held?: number[] } }
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

/** `pins`: whether who is named shows a PIN. */
export function shiftStep(screen: ShiftScreen, press: Press, sales: readonly Sale[], pins: boolean): Step {
  switch (screen.kind) {
    case 'shift':
      return menu(screen, press);
    case 'sign-on':
      return signOn(screen, press, pins);
    case 'drawer':
      return drawer(screen, press, pins);
    case 'count':
      return count(screen, press, sales, pins);
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
    if (digit === '1') return stay(askNumber(''));
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

type SignOn = Extract<ShiftScreen, { kind: 'sign-on' }>;

const askNumber = (keyed: string): SignOn => ({ kind: 'sign-on', asks: 'number', number: '', pin: null, float: '', keyed });

function signOn(screen: SignOn, press: Press, pins: boolean): Step {
  const { asks, number, pin, float, keyed } = screen;
  if (press.kind === 'escape') return stay(asks === 'number' ? shiftMenu(null) : askNumber(number));
  // A cashier's number and a PIN may begin with noughts, an amount does not.
  const isAmount = asks === 'float' && press.kind === 'digits';
  const next = isAmount ? withDigits(keyed, press.digits) : numbered(keyed, press, asks === 'pin' ? PIN_LEN_MAX : NUMBER_LEN_MAX);
  if (next !== null) return stay({ ...screen, keyed: next });
  if (press.kind !== 'enter') return stay(screen);
  switch (asks) {
    case 'number':
      if (!pins) return stay({ ...screen, asks: 'float', number: keyed, keyed: float });
      // Where people have PINs, nobody is the till's own cashier.
      return stay(keyed === '' ? screen : { ...screen, asks: 'pin', number: keyed, keyed: '' });
    case 'pin':
      return stay(keyed === '' ? screen : { ...screen, asks: 'float', pin: keyed, keyed: float });
    case 'float': {
      const body = { float_minor: minorOf(keyed), cashier: number, cashier_number: number, ...(pin === null ? {} : { pin }) };
      return { screen, wish: { kind: 'shift', path: 'open', body } };
    }
  }
}

/**
 * Where signing on goes when the agent refuses it: to the PIN, with number and float kept; to another number if that is
 * nobody's. Null: nothing of these was the trouble.
 */
export function signOnAgain(screen: Screen, code: string): Screen | null {
  if (screen.kind !== 'sign-on' || screen.asks !== 'float') return null;
  const float = screen.keyed;
  if (code === 'cashier_unknown') return { ...askNumber(''), float };
  return code.startsWith('pin_') ? { ...screen, asks: 'pin', pin: null, float, keyed: '' } : null;
}

/** The same of whoever is named beside the one who signed on. */
export function namedAgain(screen: Screen, code: string): Screen | null {
  if ((screen.kind !== 'drawer' && screen.kind !== 'count') || screen.by === '') return null;
  if (code === 'cashier_unknown') return { ...screen, by: '', pin: undefined };
  return code.startsWith('pin_') ? { ...screen, pin: '' } : null;
}

/** Who is named: keyed by number, and then by PIN where one is wanted. Null: Enter was pressed, and nothing is left to be asked. */
function naming(screen: { by: string; pin?: string | undefined }, press: Press, pins: boolean): { by: string; pin?: string | undefined } | null {
  const { by, pin } = screen;
  if (pin !== undefined) {
    if (press.kind === 'escape') return { by, pin: undefined };
    const digits = numbered(pin, press, PIN_LEN_MAX);
    if (digits !== null) return { by, pin: digits };
    return press.kind === 'enter' && pin !== '' ? null : { by, pin };
  }
  const keyed = numbered(by, press, NUMBER_LEN_MAX);
  if (keyed !== null) return { by: keyed };
  if (press.kind !== 'enter') return { by };
  return pins && by !== '' ? { by, pin: '' } : null;
}

function drawer(screen: Extract<ShiftScreen, { kind: 'drawer' }>, press: Press, pins: boolean): Step {
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
  if (press.kind === 'escape' && screen.pin === undefined) return stay({ ...screen, reason: null, by: '' });
  const who = naming(screen, press, pins);
  if (who !== null) return stay({ ...screen, ...who });
  const path = way === 'in' ? 'paid-in' : 'paid-out';
  return { screen, wish: { kind: 'shift', path, body: { batch, amount_minor: minor, reason, ...named(screen) } } };
}

function named({ by, pin }: { by: string; pin?: string | undefined }): { cashier?: string; cashier_pin?: string } {
  if (by === '') return {};
  return pin === undefined ? { cashier: by } : { cashier: by, cashier_pin: pin };
}

function count(screen: Extract<ShiftScreen, { kind: 'count' }>, press: Press, sales: readonly Sale[], pins: boolean): Step {
  const { batch, keyed, sure, doubt } = screen;
  if (press.kind === 'escape' && screen.pin === undefined) return stay(sure ? { ...screen, sure: false, doubt: false, held: undefined } : shiftMenu(batch));
  if (sure) {
    const who = naming(screen, press, pins);
    if (who !== null) return stay({ ...screen, ...who });
    const despite = doubt ? { despite: sales.filter((sale) => !sale.settled).map((sale) => sale.counter) } : {};
    const dropped = screen.held === undefined ? {} : { drop_held: screen.held };
    const body = { batch, counted_minor: minorOf(keyed), ...named(screen), ...despite, ...dropped };
    return { screen, wish: { kind: 'shift', path: 'close', body } };
  }
  // An empty drawer is counted with a nought: nothing keyed is nothing counted.
  if (press.kind === 'digits') return stay({ ...screen, keyed: withDigits(keyed, press.digits) || '0' });
  if (press.kind === 'back') return stay({ ...screen, keyed: keyed.slice(0, -1) });
  if (press.kind !== 'enter') return stay(screen);
  return keyed === '' ? { screen, hint: 'key_count' } : stay({ ...screen, sure: true });
}
