// What the terminals of a merchant have not sent, taken together: how much is at risk, and whom to look at first. Pure.

import type { Money, Terminal } from './api/client';

export interface FleetTotals {
  /** Terminals that could send and whose last report says so much. */
  count: number;
  /** One sum per currency, largest first; none that is nought. */
  atRisk: Money[];
  /** The oldest entry of all that wait; null if none does. */
  oldestAt: number | null;
  /** Enrolled terminals that core does not hear now: their figures are those of their last report, and more may have come to them. */
  unheard: number;
  /** What terminals had not sent when they were shut out: core takes it from them no more. */
  lost: { count: number; atRisk: Money[] };
}

const isRevoked = ({ revoked_at }: Terminal): boolean => revoked_at != null;

export function fleetTotals(terminals: readonly Terminal[]): FleetTotals {
  const inUse = terminals.filter((terminal) => !isRevoked(terminal));
  const oldest = inUse.map(({ health }) => health?.unsent.oldest_at).filter((at) => typeof at === 'number');
  return {
    ...unsentOf(inUse),
    oldestAt: oldest.length === 0 ? null : Math.min(...oldest),
    unheard: inUse.filter(({ enrolled_at, online }) => enrolled_at != null && !online).length,
    lost: unsentOf(terminals.filter(isRevoked)),
  };
}

function unsentOf(terminals: readonly Terminal[]): { count: number; atRisk: Money[] } {
  const sums = new Map<string, number>();
  for (const { minor, currency } of terminals.flatMap(({ health }) => health?.unsent.at_risk ?? [])) {
    sums.set(currency, (sums.get(currency) ?? 0) + minor);
  }
  const atRisk = [...sums].map(([currency, minor]) => ({ minor, currency })).filter(({ minor }) => minor !== 0);
  return {
    count: terminals.reduce((count, { health }) => count + (health?.unsent.count ?? 0), 0),
    atRisk: atRisk.sort((one, other) => other.minor - one.minor || one.currency.localeCompare(other.currency)),
  };
}

/**
 * Whom to look at first: the most at risk in the merchant's own currency, then anything at risk in another (sums of different
 * currencies cannot be compared), then the most entries, then the oldest. Terminals that are shut out come last, the rest by number.
 */
export function byRisk(terminals: readonly Terminal[], currency: string): Terminal[] {
  const own = ({ health }: Terminal): number => health?.unsent.at_risk.find((money) => money.currency === currency)?.minor ?? 0;
  const others = ({ health }: Terminal): number => health?.unsent.at_risk.filter((money) => money.currency !== currency && money.minor !== 0).length ?? 0;
  const count = ({ health }: Terminal): number => health?.unsent.count ?? 0;
  const oldest = ({ health }: Terminal): number => health?.unsent.oldest_at ?? Number.MAX_SAFE_INTEGER;
  return [...terminals].sort((one, other) =>
    Number(isRevoked(one)) - Number(isRevoked(other)) || own(other) - own(one) || others(other) - others(one)
    || count(other) - count(one) || oldest(one) - oldest(other) || one.number - other.number);
}
