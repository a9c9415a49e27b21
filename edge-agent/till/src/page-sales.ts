// The sales that the page has: the newest, and older ones for as long as somebody has to do with them.

import type { Sale } from './api';
import { SALES_MAX, type Screen } from './screen';

/** Sales that were looked up, the last of them at the end: they stay though newer ones come. */
const lookedUp: string[] = [];
const LOOKED_UP_MAX = 20;

export function keepOnPage({ payment }: Sale): void {
  lookedUp.push(payment);
  if (lookedUp.length > LOOKED_UP_MAX) lookedUp.shift();
}

/** The page's sales with this one, newest first. */
export function withSale({ sales, screen }: { sales: readonly Sale[]; screen: Screen }, sale: Sale): Sale[] {
  const others = sales.filter(({ payment }) => payment !== sale.payment);
  // What was told just now is about to be looked at, however old it is; so is what somebody must acknowledge.
  const stays = ({ payment, actions }: Sale): boolean =>
    payment === sale.payment || actions.includes('acknowledge') || lookedUp.includes(payment) || ((screen.kind === 'sale' || screen.kind === 'refund') && screen.payment === payment);
  // Another till's number says nothing about when it was.
  const number = ({ counter, elsewhere }: Sale): number => (elsewhere === true ? 0 : counter);
  return [...others, sale].sort((a, b) => number(b) - number(a)).filter((one, nth) => nth < SALES_MAX || stays(one));
}
