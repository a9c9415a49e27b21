// The sales that the page has: the newest, and those of long ago that somebody looked up by their number.

import type { Sale } from './api';
import { SALES_MAX } from './screen';

/** Sales that were looked up, the last of them at the end: they stay though newer ones come. */
const lookedUp: string[] = [];
const LOOKED_UP_MAX = 20;

export function keepOnPage({ payment }: Sale): void {
  lookedUp.push(payment);
  if (lookedUp.length > LOOKED_UP_MAX) lookedUp.shift();
}

/** The page's sales with this one, newest first. */
export function withSale(sales: readonly Sale[], sale: Sale): Sale[] {
  const others = sales.filter(({ payment }) => payment !== sale.payment);
  const newest = [...others, sale].sort((a, b) => b.counter - a.counter);
  return newest.filter(({ payment }, idx) => idx < SALES_MAX || lookedUp.includes(payment));
}
