// Asks the agent for sales that the page does not have: what somebody must acknowledge, and what was looked for by its number.

import { get, Problem, type Sale } from './api';
import { SALES } from './intent';
import { keepOnPage } from './page-sales';
import { HOME } from './screen';
import { current, inTraining, set, withAnswers } from './store';

/** The sale with that number, of however long ago. Played ones are all here. */
export async function lookUp(counter: string): Promise<void> {
  if (inTraining()) return;
  const askedAt = performance.now();
  const { items } = await get<{ items: Sale[] }>(`${SALES.real}?counter=${counter}`);
  items.forEach(keepOnPage);
  if (!inTraining()) set({ sales: withAnswers(askedAt, items) });
}

/** The sale on the screen after a reload, if it is in no list: another till's, or of long ago. Who is not known there goes home. */
export async function readShown(): Promise<void> {
  const { screen, sales } = current();
  if (screen.kind !== 'sale' || inTraining() || sales.some(({ payment }) => payment === screen.payment)) return;
  const askedAt = performance.now();
  try {
    const sale = await get<Sale>(`${SALES.real}/${screen.payment}`);
    if (!inTraining()) set({ sales: withAnswers(askedAt, [sale]) });
  } catch (error) {
    if (!(error instanceof Problem && error.status === 404)) throw error;
    if (current().screen === screen) set({ screen: HOME });
  }
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
