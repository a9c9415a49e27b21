// A supervisor's number and PIN for what a cashier may not give back alone. Pure.
//
// The PIN is on the screen's state until it is sent, masked, and nowhere else: intent.ts keeps it off the browser's shelf.

import type { Press, Screen, Step } from './screen';
import { splitScreen } from './split';

/** Most digits of a PIN, as core has it. */
export const PIN_LEN_MAX = 8;
/** Most digits of a number of somebody's. */
export const NUMBER_LEN_MAX = 8;

/** `body`: what was asked. `number`: the supervisor's, once it is keyed; then the PIN is. */
export interface SupervisorScreen {
  kind: 'supervisor';
  payment: string;
  action: 'void' | 'refund';
  body: Record<string, unknown>;
  number: string | null;
  keyed: string;
  /** It is about all of a split payment. */
  split?: number;
}

export function askSupervisor(payment: string, action: SupervisorScreen['action'], body: Record<string, unknown>): SupervisorScreen {
  return { kind: 'supervisor', payment, action, body, number: null, keyed: '' };
}

/** Of the same person the PIN may be keyed again; with the others another number is wanted. */
const SAME_PERSON = ['pin_wrong', 'pin_locked', 'pin_invalid', 'pin_uncheckable', 'pin_needed'];
const OTHER_PERSON = ['supervisor_needed', 'not_a_supervisor', 'cashier_unknown'];

/** Where the page goes when the agent refuses what was pressed on a sale: to a supervisor, if that is what is missing. */
export function supervisorFor(path: string, body: unknown, code: string): SupervisorScreen | null {
  const [, split] = /^\/api\/splits\/(\d+)\/give-back$/.exec(path) ?? [];
  const [, payment, action] = /^\/api\/sales\/([^/]+)\/(void|refund)$/.exec(path) ?? [];
  const isOfSale = payment !== undefined && (action === 'void' || action === 'refund');
  if (!isOfSale && split === undefined) return null;
  if (!SAME_PERSON.includes(code) && !OTHER_PERSON.includes(code)) return null;
  const { supervisor, ...asked } = body as Record<string, unknown>;
  const before = (supervisor as { staff_code?: string } | undefined)?.staff_code ?? null;
  const number = SAME_PERSON.includes(code) ? before : null;
  if (isOfSale) return { ...askSupervisor(payment, action, asked), number };
  return { ...askSupervisor('', 'void', asked), number, split: Number(split) };
}

/** Digits with one more key pressed; null if it was another key. Noughts in front count. */
export function numbered(digits: string, press: Press, max: number): string | null {
  if (press.kind === 'digits') return (digits + press.digits).slice(0, max);
  return press.kind === 'back' ? digits.slice(0, -1) : null;
}

export function masked(pin: string): string {
  return '•'.repeat(pin.length);
}

export function supervisorStep(screen: SupervisorScreen, press: Press): Step {
  const { payment, action, body, number, keyed } = screen;
  const sale: Screen = screen.split === undefined ? { kind: 'sale', payment } : splitScreen(screen.split);
  const digits = numbered(keyed, press, number === null ? NUMBER_LEN_MAX : PIN_LEN_MAX);
  if (digits !== null) return { screen: { ...screen, keyed: digits } };
  if (press.kind === 'escape') return { screen: number === null ? sale : { ...screen, number: null, keyed: number } };
  if (press.kind !== 'enter' || keyed === '') return { screen };
  if (number === null) return { screen: { ...screen, number: keyed, keyed: '' } };
  const supervisor = { staff_code: number, pin: keyed };
  if (screen.split !== undefined) return { screen: sale, wish: { kind: 'give-back', number: screen.split, body: { ...body, supervisor } } };
  return { screen: sale, wish: { kind: 'act', payment, action, body: { ...body, supervisor } } };
}
