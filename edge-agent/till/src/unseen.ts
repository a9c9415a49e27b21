// Which sales the page keeps, and those that somebody must acknowledge however old they are.

import { get, type Sale } from './api';
import { SALES } from './intent';
import { current, inTraining, type Model, set, withAnswers } from './store';

/** Sales kept on the page: what the agent gives at once. */
export const SALES_MAX = 100;

/** The sales of the page with this one, newest first. */
export function withSale({ sales, screen }: Pick<Model, 'sales' | 'screen'>, sale: Sale): Sale[] {
  const others = sales.filter(({ payment }) => payment !== sale.payment);
  // What was told just now is about to be looked at, however old it is; so is what somebody must acknowledge.
  const stays = ({ payment, actions }: Sale): boolean =>
    payment === sale.payment || actions.includes('acknowledge') || (screen.kind === 'sale' && screen.payment === payment);
  return [...others, sale].sort((a, b) => b.counter - a.counter).filter((one, nth) => nth < SALES_MAX || stays(one));
}

const asked = new Set<string>();

/** Asks for what is to be acknowledged and not here. */
export async function readUnseen(): Promise<void> {
  if (inTraining()) return;
  const { sales, state } = current();
  const isHere = (payment: string): boolean => asked.has(payment) || sales.some((one) => one.payment === payment);
  const missing = (state?.stored?.to_acknowledge ?? []).filter(({ payment }) => !isHere(payment));
  for (const { payment } of missing) asked.add(payment);
  for (const { payment } of missing) {
    const askedAt = performance.now();
    try {
      const sale = await get<Sale>(`${SALES.real}/${payment}`);
      if (!inTraining()) set({ sales: withAnswers(askedAt, [sale]) });
    } catch {
      // It is asked for again with the next state.
    } finally {
      asked.delete(payment);
    }
  }
}
