// Entries of a terminal's journal that wait for a person: what each is of, and which advice fits what core says of it. Pure.
// Core's reasons are sentences; held-entries.test.ts holds these patterns to core's own source.

import type { HeldEntry, Money } from './api/client';

export const HELD_KINDS = ['cash_sale', 'cash_refund', 'offline_sale', 'stored_card_sale', 'shift_opened', 'shift_closed', 'paid_in', 'paid_out'] as const;
export type HeldKind = (typeof HELD_KINDS)[number] | 'other';

/** What a person reads of an entry. Nothing of a code or a card is here, however it was written. */
export interface HeldFacts {
  kind: HeldKind;
  amount: Money | null;
  payment: string | null;
  counter: number | null;
  batch: number | null;
  cashier: string | null;
}

export function factsOf({ payload }: Pick<HeldEntry, 'payload'>): HeldFacts {
  const record = recordOf(payload);
  const text = (name: string): string | null => (typeof record[name] === 'string' && record[name] !== '' ? record[name] : null);
  const number = (name: string): number | null => (typeof record[name] === 'number' ? record[name] : null);
  const kind = HELD_KINDS.find((known) => known === record.kind) ?? 'other';
  return {
    kind, amount: moneyOf(record.amount) ?? moneyOf(record.counted) ?? moneyOf(record.float),
    payment: text('payment'), counter: number('counter'), batch: number('batch'), cashier: text('cashier'),
  };
}

function recordOf(payload: string): Record<string, unknown> {
  try {
    const { record } = JSON.parse(payload) as { record?: unknown };
    return typeof record === 'object' && record !== null ? (record as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function moneyOf(told: unknown): Money | null {
  const { minor, currency } = (typeof told === 'object' && told !== null ? told : {}) as Partial<Money>;
  return typeof minor === 'number' && typeof currency === 'string' ? { minor, currency } : null;
}

/** In order: the first that fits. `phrases`: as core writes them, one of which is in its sentence. */
export const REASONS = [
  { name: 'lines', phrases: ['but what was sold does not fit it'] },
  { name: 'number', phrases: ["is not the number of this terminal's sale"] },
  { name: 'taken', phrases: ['core has another sale under this number', 'core has a sale under this number', 'core has another refund under this number'] },
  { name: 'short', phrases: ['less was handed over'] },
  { name: 'unknown', phrases: ['core does not know the sale'] },
  { name: 'not_cash', phrases: ['cash was given back for a sale that was not paid in cash'] },
  { name: 'given_back', phrases: ['that can still be given back', 'the refund is in another currency than the payment', 'a payment that is'] },
  { name: 'told_twice', phrases: ['this terminal has told the same offline code before', 'was asked for online as well'] },
  { name: 'code', phrases: ['forged: ', 'this merchant has no policy for them', 'grant is signed', 'was taken with a code in', 'is more than one code allows'] },
  { name: 'batch_open', phrases: ['was opened while batch'] },
  { name: 'batch', phrases: ['does not come after batch', 'it is of batch', 'cannot be the float of a drawer', 'cannot be what a drawer held', 'the sums of its cash do not fit'] },
] as const;
export type HeldReason = (typeof REASONS)[number]['name'] | 'card' | 'other';

export function reasonOf({ why, payload }: Pick<HeldEntry, 'why' | 'payload'>): HeldReason {
  const { kind } = factsOf({ payload });
  // What becomes of those is decided in a room of their own.
  if (kind === 'stored_card_sale') return 'card';
  const known = REASONS.find(({ phrases }) => phrases.some((phrase) => why.includes(phrase)));
  if (known !== undefined) return known.name;
  // Whatever else is wrong with a code is in the sentence; what is wrong with a drawer's cash is a matter of its batch.
  if (kind === 'offline_sale') return 'code';
  return ['shift_opened', 'shift_closed', 'paid_in', 'paid_out'].includes(kind) ? 'batch' : 'other';
}
