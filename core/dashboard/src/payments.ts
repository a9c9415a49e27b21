// What the rooms know about payments, without any of the screen: filters, merging of live news, what may be done.

import type { Payment, PaymentNews, PaymentPage as Page, PaymentState, Refund } from './api/client';
import type { Person } from './api/session';

export type Filter = 'all' | PaymentState;

/** As the server filters: one state, or none. */
export const FILTERS: readonly Filter[] = [
  'all', 'presenting', 'pending', 'unknown', 'succeeded', 'partly_refunded', 'refunded', 'voided', 'failed', 'expired',
  'cancelled', 'reversed',
];

export function fits(state: PaymentState, filter: Filter): boolean {
  return filter === 'all' || filter === state;
}

/**
 * The list, newest first, with one payment's news taken in. Of two views of a payment the one with the higher version
 * is the truth, in whatever sequence they arrive. A payment older than the last one loaded stays out: it belongs to a
 * page that is not here yet.
 */
export function mergePayment(list: readonly Payment[], news: Payment, filter: Filter, complete: boolean): Payment[] {
  const idx = list.findIndex((payment) => payment.id === news.id);
  const known = list[idx];
  if (known !== undefined && known.version >= news.version) return [...list];
  const others = list.filter((payment) => payment.id !== news.id);
  if (!fits(news.state, filter)) return others;
  const newer = (payment: Payment): boolean =>
    payment.created_at > news.created_at || (payment.created_at === news.created_at && payment.id > news.id);
  const place = others.findIndex((payment) => !newer(payment));
  if (place === -1) return complete || known !== undefined || others.length === 0 ? [...others, news] : others;
  return [...others.slice(0, place), news, ...others.slice(place)];
}

/** Whether an event of the live stream tells of a payment in the way this page knows. */
export function isPaymentNews(data: unknown): data is PaymentNews {
  return has(data, 'payment') && ['id', 'version', 'state', 'amount'].every((name) => has(data.payment, name));
}

function has<Name extends string>(data: unknown, name: Name): data is Record<Name, unknown> {
  return typeof data === 'object' && data !== null && name in data;
}

export function leftMinor(payment: Payment): number {
  return Math.max(0, payment.amount.minor - payment.refunded_minor - (payment.disputed_minor ?? 0));
}

/** What two persons may settle by hand: the payment, or refunds of it, whose end the channel leaves open, and what they called paid themselves. Their ids. */
export function openForHand(payment: Payment, refunds: readonly Refund[]): string[] {
  const stuck = ['pending', 'unknown'].includes(payment.state) || (payment.needs_attention != null && ['expired', 'cancelled'].includes(payment.state));
  const mayTakeBack = payment.paid_by_hand === true && payment.refunded_minor === 0 && (payment.disputed_minor ?? 0) === 0;
  const stuckRefunds = refunds.filter((refund) => ['pending', 'unknown'].includes(refund.state));
  return [...(stuck || mayTakeBack ? [payment.id] : []), ...stuckRefunds.map((refund) => refund.id)];
}

export type Action = 'query' | 'cancel' | 'void' | 'refund';

const MAY: Readonly<Record<Action, readonly Person['role'][]>> = {
  query: ['owner', 'manager', 'cashier', 'accountant', 'read_only'],
  cancel: ['owner', 'manager', 'cashier'],
  void: ['owner', 'manager'],
  refund: ['owner', 'manager'],
};

/** What the person may ask for and the state allows. The server decides; this only keeps useless buttons away. */
export function actionsFor(payment: Payment, role: Person['role']): Action[] {
  const possible: Action[] = [];
  if (['presenting', 'submitting', 'pending', 'unknown'].includes(payment.state)) possible.push('query');
  if (['created', 'presenting', 'pending', 'unknown'].includes(payment.state)) possible.push('cancel');
  if (payment.state === 'succeeded' && leftMinor(payment) === payment.amount.minor) possible.push('void');
  if (['succeeded', 'partly_refunded'].includes(payment.state) && leftMinor(payment) > 0) possible.push('refund');
  return possible.filter((action) => MAY[action].includes(role));
}

/** Takes one payment's news into a list that was loaded page by page; what was loaded stays loaded. */
export function mergeIntoPages(pages: readonly Page[], news: Payment, filter: Filter): Page[] {
  const list = pages.flatMap(({ items }) => items);
  const merged = mergePayment(list, news, filter, pages.at(-1)?.next_cursor == null);
  let from = 0;
  return pages.map((page, idx) => {
    // The first page grows or shrinks, so that the others begin and end about where the server cuts them.
    const size = page.items.length + (idx === 0 ? merged.length - list.length : 0);
    const to = idx === pages.length - 1 ? merged.length : Math.max(from + size, from);
    const items = merged.slice(from, to);
    from = to;
    return { ...page, items };
  });
}
