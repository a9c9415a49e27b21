// What each key does on a split payment (分次付款): a total that is paid in parts, by several tenders. Pure; what is paid and what is
// still to be paid is counted by the agent alone.

import type { Sale, Split } from './api';
import { minorOf, withDigits } from './amount';
import type { Order } from './held';
import { atList } from './quote';
import { HOME, type Press, type Screen, type Step } from './screen';
import type { SupervisorScreen } from './supervisor';

export type SplitScreen =
  /** `number`: none while nothing is keyed of it; then `minor` is the total. `keyed`: the next part. */
  | { kind: 'split'; number: number | null; minor: number; keyed: string; order?: Order }
  /** Asks whether all that was paid goes back. */
  | { kind: 'split-back'; number: number };

export type SplitWish =
  | { kind: 'give-back'; number: number; body: Record<string, unknown> }
  | { kind: 'reprint-split'; number: number };

/** What a part says of the whole. */
export type PartOf = { begin: { total_minor: number } } | { go_on: { number: number; rest_minor: number } };

const stay = (screen: Screen): Step => ({ screen });

export function splitOf(splits: readonly Split[], number: number | null): Split | null {
  return splits.find((one) => one.number === number) ?? null;
}

export function splitScreen(number: number, keyed = ''): Screen {
  return { kind: 'split', number, minor: 0, keyed };
}

/** Where the first part of a total is keyed. */
export function beginSplit(quoted: number, before: Order | undefined, keyed = ''): Screen {
  const { minor, order } = atList(quoted, before);
  const screen = { kind: 'split' as const, number: null, minor, keyed };
  return order === undefined ? screen : { ...screen, order };
}

/** Where the part that was being paid is keyed again; what began the split is still with it. */
export function partAgain(minor: number, order: Order, split: PartOf): Screen {
  if ('go_on' in split) return splitScreen(split.go_on.number, String(minor));
  const { split: _, ...rest } = order;
  const isPlain = rest.reference === '' && rest.held === null && rest.basket === undefined;
  return beginSplit(split.begin.total_minor, isPlain ? undefined : rest, String(minor));
}

/** The unfinished split that Enter leads to where nothing else is asked: the oldest. */
export function unfinished(splits: readonly Split[]): Split | null {
  return splits.find((one) => one.state === 'open' || one.state === 'giving_back') ?? null;
}

/** What the sale is a part of. */
export function wholeOf(sale: Sale | undefined): number | null {
  return sale?.split?.number ?? null;
}

export function splitStep(screen: SplitScreen, press: Press, splits: readonly Split[], supervisor: boolean): Step {
  const split = splitOf(splits, screen.number);
  if (screen.kind === 'split-back') {
    if (press.kind === 'escape') return stay(splitScreen(screen.number));
    if (press.kind !== 'enter') return stay(screen);
    if (supervisor && (split?.paid_minor ?? 0) > 0) return stay(askSupervisorOfSplit(screen.number));
    return { screen: splitScreen(screen.number), wish: { kind: 'give-back', number: screen.number, body: {} } };
  }
  const collects = screen.number === null || split?.actions.includes('collect') === true;
  const rest = screen.number === null ? screen.minor : (split?.rest_minor ?? 0);
  switch (press.kind) {
    case 'digits':
      return stay(collects ? { ...screen, keyed: withDigits(screen.keyed, press.digits) } : screen);
    case 'back':
      return stay({ ...screen, keyed: screen.keyed.slice(0, -1) });
    case 'escape':
      if (screen.keyed !== '') return stay({ ...screen, keyed: '' });
      if (screen.number !== null) return stay(HOME);
      return stay(screen.order === undefined ? { kind: 'method', minor: screen.minor } : { kind: 'method', minor: screen.minor, order: screen.order });
    case 'pick':
      return stay({ kind: 'sale', payment: press.payment });
    case 'enter':
      if (collects) return collect(screen, rest);
      // One that is not settled is where the cashier has to go; one that is over is left.
      return stay(split?.in_the_way === undefined ? HOME : { kind: 'sale', payment: split.in_the_way });
    case 'function':
      break;
    default:
      return stay(screen);
  }
  switch (press.key) {
    case 'void':
    case 'cancel':
      if (screen.number === null) return stay(screen);
      return split?.actions.includes('give_back') === true ? stay({ kind: 'split-back', number: screen.number }) : { screen, hint: 'not_offered' };
    case 'reprint':
      if (screen.number === null || split?.actions.includes('reprint') !== true) return { screen, hint: 'not_offered' };
      return { screen, wish: { kind: 'reprint-split', number: screen.number } };
    default:
      return stay(screen);
  }
}

/** The amount of the part is keyed: how it is paid comes next. Cash over the rest is what the customer handed over. */
function collect(screen: Extract<SplitScreen, { kind: 'split' }>, rest: number): Step {
  const keyed = minorOf(screen.keyed);
  const of: PartOf = screen.number === null ? { begin: { total_minor: screen.minor } } : { go_on: { number: screen.number, rest_minor: rest } };
  const order: Order = { ...(screen.order ?? { reference: '', held: null }), split: of };
  if (screen.number === null && (keyed === 0 || keyed >= rest)) return { screen, hint: 'split_part' };
  if (keyed > rest) return stay({ kind: 'cash', minor: rest, keyed: screen.keyed, order });
  return stay({ kind: 'method', minor: keyed === 0 ? rest : keyed, order });
}

function askSupervisorOfSplit(split: number): SupervisorScreen {
  return { kind: 'supervisor', payment: '', action: 'void', body: {}, number: null, keyed: '', split };
}
