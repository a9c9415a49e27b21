// What each key does on each screen. Pure: from where the cashier stands and a press to where they stand next, and what is
// to be asked of the agent. Nothing here touches the page or the network.

import type { Action, Basket, Held, Method, PairedDevice, Sale, Split } from './api';
import { minorOf, withDigits } from './amount';
import { basketScreen, basketStep, type BasketScreen, type BasketWish, other } from './basket';
import { type AwaitedCard, cardStep } from './card';
import { type DeviceScreen, type DeviceWish, deviceStep } from './devices';
import { askReference, type HeldScreen, type HeldWish, heldStep, keyedAgain, type Order, orderTold, told } from './held';
import { type PairedScreen, type PairedWish, pairedStep } from './paired';
import { isConfirmation, type LettersScreen, lettersStep } from './phone';
import { withQuote } from './quote';
import { beginSplit, type PartOf, type SplitScreen, splitScreen, splitStep, type SplitWish, unfinished, wholeOf } from './split';
import { shiftMenu, type ShiftScreen, type ShiftWish, shiftStep } from './shift';
import { askSupervisor, type SupervisorScreen, supervisorStep } from './supervisor';
import { CODE_LEN_MAX, CODE_LEN_MIN } from './wedge';

/** What a sale is looked for. */
export type Purpose = 'void' | 'query' | 'refund' | 'reprint' | 'acknowledge';

export type Screen =
  /** `order`: what goes with the amount. */
  | { kind: 'home'; keyed: string; order?: Order }
  | { kind: 'method'; minor: number; order?: Order }
  | { kind: 'cash'; minor: number; keyed: string; order?: Order }
  /** `keyed`: the digits of a code that cannot be scanned. */
  | { kind: 'scan'; minor: number; keyed: string; order?: Order }
  | { kind: 'find'; purpose: Purpose; filter: string; at: number }
  | { kind: 'sale'; payment: string }
  | { kind: 'confirm'; payment: string; action: 'void' | 'cancel' }
  /** `sure`: the amount is keyed and the question is asked. */
  | { kind: 'refund'; payment: string; keyed: string; sure: boolean }
  | AwaitedCard
  | ShiftScreen
  | DeviceScreen
  | PairedScreen
  | HeldScreen
  | BasketScreen
  | SplitScreen
  | SupervisorScreen
  | LettersScreen
  /** Asks whether training begins, or ends if it is `on`. */
  | { kind: 'training'; on: boolean }
  /** What was paid through printed codes. */
  | { kind: 'received' }
  | { kind: 'info' };

export type FunctionKey = 'sale' | 'code' | 'shift' | 'hold' | Action;

export type Press =
  | { kind: 'digits'; digits: string }
  | { kind: 'back' | 'enter' | 'escape' | 'up' | 'down' | 'info' | 'received' | 'training' }
  /** Chinese or English, wherever the cashier stands. */
  | { kind: 'language' }
  | { kind: 'function'; key: FunctionKey }
  | { kind: 'method'; method: Method }
  | { kind: 'tendered'; minor: number }
  | { kind: 'pick'; payment: string }
  | { kind: 'take' | 'split'; number: number }
  /** One that is paired. */
  | { kind: 'device'; id: string }
  /** A line of the basket. */
  | { kind: 'line'; line: number }
  /** `text`: one more character, or what was pasted. `typed`: all that stands in the field. */
  | { kind: 'text' | 'typed'; text: string }
  | { kind: 'scanned'; text: string };

export type Wish =
  | { kind: 'sell'; body: { amount_minor: number; method: Method; code?: string; tendered_minor?: number; reference?: string; held?: number; basket?: number; split?: PartOf; quote?: string } }
  | { kind: 'act'; payment: string; action: Action; body: Record<string, unknown> }
  | { kind: 'scan'; text: string }
  | { kind: 'stop-scan' | 'stop-card' }
  /** The sale with that number, which this page does not have. */
  | { kind: 'look-up'; counter: string }
  /** Sends what core does not have. */
  | { kind: 'sync-now' }
  | { kind: 'compare-books' | 'open-drawer' }
  | DeviceWish
  | PairedWish
  | { kind: 'training'; to: 'enter' | 'leave' }
  | HeldWish
  | BasketWish
  | SplitWish
  | ShiftWish;

/** Why the scale has no weight to sell by, and what becomes of goods that wait for theirs. */
export type WeighHint = 'weigh_moves' | 'weigh_empty' | 'weigh_over' | 'weigh_zero' | 'weigh_none' | 'weigh_first' | 'weighed_elsewhere' | 'weighed_net';

export type Hint = 'key_amount' | 'code_short' | 'tendered_small' | 'refund_large' | 'not_offered' | 'none_found' | 'key_count' | 'other_shift' | 'in_training' | 'none_held' | 'receipt_scanned' | 'training_over' | 'split_part' | 'split_held' | 'price_changed' | 'price_refused' | WeighHint;

export interface Step {
  screen: Screen;
  wish?: Wish;
  hint?: Hint;
}

export const HOME: Screen = { kind: 'home', keyed: '' };

const stay = (screen: Screen, hint?: Hint): Step => (hint === undefined ? { screen } : { screen, hint });
type Keyed = Extract<Screen, { kind: 'home' | 'method' | 'cash' | 'scan' }>;
const sell = (screen: Keyed, minor: number, method: Method, more: object = {}): Step => ({
  screen,
  wish: { kind: 'sell', body: { amount_minor: minor, method, ...told(screen.order), ...more } },
});
const act = (payment: string, action: Action, body: Record<string, unknown> = {}): Step => ({
  screen: { kind: 'sale', payment },
  wish: { kind: 'act', payment, action, body },
});

export function leftMinor(sale: Sale): number {
  return sale.amount_minor - sale.refunded_minor;
}

/** The sales that a purpose fits, the one with just that number first and then the newest: those whose number begins with `filter`, or whose table or order has it. */
export function candidates(sales: readonly Sale[], purpose: Purpose, filter: string): Sale[] {
  const part = filter.trim().toLowerCase();
  const fits = (sale: Sale): boolean =>
    String(sale.counter).startsWith(part) || (sale.reference ?? '').toLowerCase().includes(part);
  const may = (sale: Sale): boolean => purpose === 'query' || sale.actions.includes(purpose) || (purpose === 'reprint' && sale.paid && sale.split !== undefined);
  // Another till's sale is found by its receipt alone: its number may be one of ours as well.
  const found = sales.filter((sale) => sale.elsewhere !== true && may(sale) && fits(sale));
  const isIt = (sale: Sale): boolean => String(sale.counter) === part;
  return [...found.filter(isIt), ...found.filter((sale) => !isIt(sale))];
}

/** Sales kept on the page: what the agent gives at once. */
export const SALES_MAX = 100;

/** What is asked of the agent when a number is keyed that none of the page's sales has: it knows older ones. A page that is not full has all. */
function lookUp(filter: string, sales: readonly Sale[]): { wish?: Wish } {
  const isNew = sales.length >= SALES_MAX && /^[1-9]\d{0,14}$/.test(filter) && !sales.some(({ counter, elsewhere }) => elsewhere !== true && String(counter) === filter);
  return isNew ? { wish: { kind: 'look-up', counter: filter } } : {};
}

/** Where a function key leads for one sale. It is offered by the agent or it does nothing. */
export function toward(sale: Sale, action: Action): Step {
  const here: Screen = { kind: 'sale', payment: sale.payment };
  // The parts of a split have one slip together.
  if (action === 'reprint' && sale.split !== undefined) return stay(splitScreen(sale.split.number));
  if (!sale.actions.includes(action)) return stay(here, action === 'query' ? undefined : 'not_offered');
  switch (action) {
    case 'void':
    case 'cancel':
      return stay({ kind: 'confirm', payment: sale.payment, action });
    case 'refund':
      return stay({ kind: 'refund', payment: sale.payment, keyed: '', sure: false });
    case 'confirm':
      return stay({ kind: 'letters', payment: sale.payment, keyed: '' });
    default:
      return act(sale.payment, action);
  }
}

const ABOUT_THE_TERMINAL: readonly Screen['kind'][] = ['info', 'devices', 'device', 'device-form', 'paired', 'pair-name', 'pair-code', 'revoke'];

/** Where nothing is under way, other rooms are one key away. */
const CALM: readonly Screen['kind'][] = ['home', 'find', 'sale', 'report', 'split', 'received'];

/** What the agent wants to know of people: a PIN of whoever is named, and a supervisor's before money goes back. */
export interface Asks {
  pins: boolean;
  supervisor: boolean;
}

const ASKS_NOTHING: Asks = { pins: false, supervisor: false };

/**
 * `openBatch`: that of the shift that is open. `training`: whether sales are only played. `held`: what is put aside. `basket`: what
 * is being scanned. `splits`: those that the page knows of. `paired`: the devices in the network.
 */
export function step(
  screen: Screen, press: Press, sales: readonly Sale[], openBatch: number | null = null, training = false,
  held: readonly Held[] = [], basket: Basket | null = null, asks: Asks = ASKS_NOTHING, splits: readonly Split[] = [],
  paired: readonly PairedDevice[] = [],
): Step {
  // Nothing but an answer or Esc leads away from what is to be weighed.
  if (screen.kind === 'weigh' && press.kind !== 'scanned') return basketStep(screen, press, basket);
  if (press.kind === 'info') return stay(ABOUT_THE_TERMINAL.includes(screen.kind) ? HOME : { kind: 'info' });
  if (press.kind === 'received') return stay([...CALM, 'info'].includes(screen.kind) ? { kind: 'received' } : screen);
  if (press.kind === 'training') {
    return stay([...CALM, 'info'].includes(screen.kind) ? { kind: 'training', on: training } : screen);
  }
  if (press.kind === 'split') return stay(splitScreen(press.number));
  if (press.kind === 'scanned') return scanned(screen, press.text);
  if (press.kind === 'function' && press.key === 'shift') {
    if (training) return stay(screen, 'in_training');
    return CALM.includes(screen.kind) ? stay(shiftMenu(openBatch)) : stay(screen);
  }
  if (press.kind === 'function' && press.key === 'hold' && screen.kind !== 'basket') return training ? stay(screen, 'in_training') : hold(screen);
  switch (screen.kind) {
    case 'home':
      if (basket !== null && screen.keyed === '' && goesOn(press)) return stay(basketScreen());
      if (!training && screen.keyed === '' && goesOn(press)) {
        const open = unfinished(splits);
        if (open !== null) return stay(splitScreen(open.number));
      }
      return home(screen, press);
    case 'basket':
    case 'basket-clear':
    case 'weigh':
      return basketStep(screen, press, basket);
    case 'split':
    case 'split-back':
      return splitStep(screen, press, splits, asks.supervisor);
    case 'method':
      return method(screen, press, training);
    case 'cash':
      return cash(screen, press);
    case 'scan':
      return scan(screen, press);
    case 'card':
      return cardStep(screen, press);
    case 'find':
      return find(screen, press, sales);
    case 'sale':
      // What did not come to a sale is in the basket again.
      if (basket !== null && (press.kind === 'enter' || press.kind === 'escape')) return stay(basketScreen());
      return sale(screen, press, sales, splits);
    case 'confirm':
      if (press.kind === 'enter' && screen.action === 'void' && asks.supervisor) return stay(askSupervisor(screen.payment, 'void', {}));
      if (press.kind === 'enter') return act(screen.payment, screen.action);
      return press.kind === 'escape' ? stay({ kind: 'sale', payment: screen.payment }) : stay(screen);
    case 'refund':
      return refund(screen, press, sales, asks);
    case 'reference':
    case 'held':
    case 'drop':
      return heldStep(screen, press, held);
    case 'shift':
    case 'sign-on':
    case 'drawer':
    case 'count':
    case 'report':
      return shiftStep(screen, press, sales, asks.pins);
    case 'supervisor':
      return supervisorStep(screen, press);
    case 'letters':
      return lettersStep(screen, press);
    case 'devices':
    case 'device':
    case 'device-form':
      return deviceStep(screen, press);
    case 'paired':
    case 'pair-name':
    case 'pair-code':
    case 'revoke':
      return pairedStep(screen, press, paired);
    case 'training':
      if (press.kind === 'enter') return { screen: HOME, wish: { kind: 'training', to: screen.on ? 'leave' : 'enter' } };
      return press.kind === 'escape' ? stay(HOME) : stay(screen);
    case 'received':
      return home({ kind: 'home', keyed: '' }, press.kind === 'enter' ? { kind: 'escape' } : press);
    case 'info':
      if (press.kind === 'digits' && press.digits === '1') return stay({ kind: 'devices', at: 0 });
      if (press.kind === 'digits' && press.digits === '2') return stay({ kind: 'paired', at: 0 });
      if (press.kind === 'digits' && press.digits === '3') return { screen, wish: { kind: 'sync-now' } };
      if (press.kind === 'digits' && press.digits === '4') return { screen, wish: { kind: 'compare-books' } };
      if (press.kind === 'digits' && press.digits === '5') return { screen, wish: { kind: 'open-drawer' } };
      if (press.kind === 'digits' && press.digits === '6') return stay({ kind: 'received' });
      if (press.kind === 'pick') return stay({ kind: 'sale', payment: press.payment });
      return press.kind === 'escape' || press.kind === 'enter' ? stay(HOME) : stay(screen);
  }
}

/** Whether it asks for what is next. */
function goesOn(press: Press): boolean {
  return press.kind === 'enter' || (press.kind === 'function' && press.key === 'sale');
}

/** Whether it holds a receipt's number, or what a customer's page shows of a paid sale; a keyboard with Caps Lock on types capitals. */
function isReceipt(text: string): boolean {
  return text.toLowerCase().includes('pay_') || isConfirmation(text);
}

/**
 * A number printed on a receipt finds its sale. With an amount to be paid anything else is a customer's code, unless the agent knows
 * it for goods and says so; else it is goods.
 */
function scanned(screen: Screen, text: string): Step {
  if ((screen.kind === 'home' || screen.kind === 'method') && !isReceipt(text)) {
    const minor = screen.kind === 'home' ? minorOf(screen.keyed) : screen.minor;
    if (minor > 0) return sell(screen, minor, 'scan', { code: text });
  }
  return { screen, wish: { kind: 'scan', text } };
}

/** With an amount keyed it is put aside; with none, what is put aside is looked through. */
function hold(screen: Screen): Step {
  if (screen.kind === 'split' || (screen.kind === 'method' && screen.order?.split !== undefined)) return stay(screen, 'split_held');
  if (screen.kind === 'method') return stay(askReference(screen.minor, screen.order, 'hold'));
  const minor = screen.kind === 'home' ? minorOf(screen.keyed) : 0;
  if (screen.kind === 'home' && minor > 0) return stay(askReference(minor, screen.order, 'hold'));
  return stay(CALM.includes(screen.kind) ? { kind: 'held', at: 0 } : screen);
}

function edited(keyed: string, press: Press): string | null {
  if (press.kind === 'digits') return /^\d*$/.test(keyed) ? withDigits(keyed, press.digits) : keyed + press.digits;
  if (press.kind === 'back') return keyed.slice(0, -1);
  return null;
}

function home(screen: Extract<Screen, { kind: 'home' }>, press: Press): Step {
  const keyed = edited(screen.keyed, press);
  // With nothing left of its amount, what is keyed next is somebody else's.
  if (keyed !== null) return stay(keyed === '' ? HOME : { ...screen, keyed });
  const minor = minorOf(screen.keyed);
  if (press.kind === 'escape') return stay(HOME);
  if (press.kind === 'pick') return stay({ kind: 'sale', payment: press.payment });
  // An amount as a line of the basket; what was put aside as an amount is sold as one.
  if (press.kind === 'text' && press.text === '+' && minor > 0 && screen.order === undefined) {
    return { screen: HOME, wish: { kind: 'basket', press: other(minor) } };
  }
  const key = press.kind === 'enter' ? 'sale' : press.kind === 'function' ? press.key : null;
  switch (key) {
    case 'sale':
      if (minor === 0) return stay(screen, 'key_amount');
      return stay(screen.order === undefined ? { kind: 'method', minor } : { kind: 'method', minor, order: screen.order });
    case 'code':
      return minor > 0 ? sell(screen, minor, 'code') : stay(screen, 'key_amount');
    case 'void':
    case 'query':
    case 'refund':
    case 'reprint':
    case 'acknowledge':
      return stay({ kind: 'find', purpose: key, filter: '', at: 0 });
    default:
      return stay(screen);
  }
}

const METHODS: Readonly<Record<string, Method>> = { 1: 'cash', 2: 'scan', 3: 'code', 6: 'card' };

function method(screen: Extract<Screen, { kind: 'method' }>, press: Press, training: boolean): Step {
  if (press.kind === 'escape' || press.kind === 'back') return stay(keyedAgain(screen.minor, screen.order));
  // A part has what the whole has.
  if (press.kind === 'digits' && ['4', '5'].includes(press.digits)) {
    if (screen.order?.split !== undefined) return stay(screen);
    if (press.digits === '4') return stay(askReference(screen.minor, screen.order, 'method'));
    return training ? stay(screen, 'in_training') : stay(beginSplit(screen.minor, screen.order));
  }
  let chosen: Method | undefined;
  if (press.kind === 'digits') chosen = METHODS[press.digits];
  else if (press.kind === 'method') chosen = press.method;
  else if (press.kind === 'function' && press.key === 'code') chosen = 'code';
  if (chosen === undefined) return stay(screen);
  return chosen === 'cash' ? stay({ ...screen, kind: 'cash', keyed: '' }) : sell(screen, screen.minor, chosen);
}

function cash(screen: Extract<Screen, { kind: 'cash' }>, press: Press): Step {
  const keyed = edited(screen.keyed, press);
  if (keyed !== null) return stay({ ...screen, keyed });
  if (press.kind === 'tendered') return stay({ ...screen, keyed: String(press.minor) });
  if (press.kind === 'escape') {
    const { minor, order } = screen;
    // Cash over the rest was keyed where the part is.
    if (order?.split !== undefined) return stay({ kind: 'method', minor, order });
    return stay(order === undefined ? { kind: 'method', minor } : { kind: 'method', minor, order });
  }
  if (press.kind !== 'enter') return stay(screen);
  const tendered = screen.keyed === '' ? screen.minor : minorOf(screen.keyed);
  if (tendered < screen.minor) return stay(screen, 'tendered_small');
  return sell(screen, screen.minor, 'cash', { tendered_minor: tendered });
}

/** Where the page stands once the agent waits for a scan. `asked`: the request for it, if this page knows it. A code that is half typed stays. */
export function awaiting(screen: Screen, minor: number, asked: unknown): Screen {
  const keyed = screen.kind === 'scan' && screen.minor === minor ? screen.keyed : '';
  const order = withQuote(screen, minor, asked, orderTold(asked));
  return order === undefined ? { kind: 'scan', minor, keyed } : { kind: 'scan', minor, keyed, order };
}

/** The digits under a customer's code, typed by a hand, stand for the scan. */
function scan(screen: Extract<Screen, { kind: 'scan' }>, press: Press): Step {
  const { minor, keyed } = screen;
  switch (press.kind) {
    case 'digits':
      return stay({ ...screen, keyed: (keyed + press.digits).slice(0, CODE_LEN_MAX) });
    case 'back':
      return stay({ ...screen, keyed: keyed.slice(0, -1) });
    case 'enter':
      if (keyed.length < CODE_LEN_MIN) return stay(screen, keyed === '' ? undefined : 'code_short');
      return { screen: { ...screen, keyed: '' }, wish: { kind: 'scan', text: keyed } };
    case 'escape':
      return { screen: keyedAgain(minor, screen.order), wish: { kind: 'stop-scan' } };
    default:
      return stay(screen);
  }
}

function find(screen: Extract<Screen, { kind: 'find' }>, press: Press, sales: readonly Sale[]): Step {
  // A table's number may have letters and begin with noughts.
  const filter = press.kind === 'text' ? screen.filter + press.text : edited(screen.filter, press);
  if (filter !== null) return { ...stay({ ...screen, filter, at: 0 }), ...lookUp(filter, sales) };
  const found = candidates(sales, screen.purpose, screen.filter);
  const last = Math.max(found.length - 1, 0);
  switch (press.kind) {
    case 'escape':
      return stay(HOME);
    case 'up':
      return stay({ ...screen, at: Math.max(screen.at - 1, 0) });
    case 'down':
      return stay({ ...screen, at: Math.min(screen.at + 1, last) });
    case 'enter':
    case 'pick': {
      const chosen =
        press.kind === 'pick'
          ? sales.find(({ payment }) => payment === press.payment)
          : found[Math.min(screen.at, last)];
      if (chosen === undefined) return { ...stay(screen, 'none_found'), ...lookUp(screen.filter, sales) };
      // What was seen is what its screen says.
      return screen.purpose === 'acknowledge' ? stay({ kind: 'sale', payment: chosen.payment }) : toward(chosen, screen.purpose);
    }
    case 'function':
      return home({ kind: 'home', keyed: '' }, press);
    default:
      return stay(screen);
  }
}

function sale(screen: Extract<Screen, { kind: 'sale' }>, press: Press, sales: readonly Sale[], splits: readonly Split[]): Step {
  const current = sales.find(({ payment }) => payment === screen.payment);
  // A part leads on to what is left of the whole.
  const whole = unfinished(splits.filter(({ number }) => number === wholeOf(current)));
  if (press.kind === 'enter' && whole !== null) return stay(splitScreen(whole.number));
  if (press.kind === 'enter' || press.kind === 'escape') return stay(HOME);
  if (press.kind === 'pick') return stay({ kind: 'sale', payment: press.payment });
  // The next sale may be keyed at once after a settled one; leaving an open one wants a key of its own.
  if (press.kind === 'digits' && current?.settled === true && whole === null) return stay({ kind: 'home', keyed: withDigits('', press.digits) });
  if (press.kind !== 'function') return stay(screen);
  if (press.key === 'sale') return stay(HOME);
  if (press.key === 'reprint' && current?.split !== undefined) return stay(splitScreen(current.split.number));
  if (press.key === 'code' || press.key === 'shift' || press.key === 'hold' || current === undefined) return stay(screen);
  return toward(current, press.key);
}

function refund(screen: Extract<Screen, { kind: 'refund' }>, press: Press, sales: readonly Sale[], asks: Asks): Step {
  const current = sales.find(({ payment }) => payment === screen.payment);
  if (current === undefined) return stay(HOME);
  if (press.kind === 'escape') {
    return stay(screen.sure ? { ...screen, sure: false } : { kind: 'sale', payment: screen.payment });
  }
  const keyed = screen.sure ? null : edited(screen.keyed, press);
  if (keyed !== null) return stay({ ...screen, keyed });
  if (press.kind !== 'enter') return stay(screen);
  const minor = screen.keyed === '' ? leftMinor(current) : minorOf(screen.keyed);
  if (minor > leftMinor(current)) return stay({ ...screen, sure: false }, 'refund_large');
  if (!screen.sure) return stay({ ...screen, keyed: String(minor), sure: true });
  const body = { amount_minor: minor };
  return asks.supervisor ? stay(askSupervisor(screen.payment, 'refund', body)) : act(screen.payment, 'refund', body);
}
