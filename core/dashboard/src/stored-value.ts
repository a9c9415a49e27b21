// Stored value that this merchant issues: what may be done with an account, its limits as they are typed, and its statement's files.

import type { StoredValueAccount, StoredValueLimits, StoredValueMovement } from './api/client';
import type { Format } from './books';
import { editableMinor, parseMinor } from './money/money';
import { may, type Role } from './rights';

export const ACCOUNT_STATES = ['active', 'frozen', 'closed'] as const;
export type AccountState = (typeof ACCOUNT_STATES)[number];

/** Each limit's name on the wire, in the order in which they are shown. */
export const LIMITS = ['charge_minor_max', 'day_minor_max', 'balance_minor_max'] as const satisfies readonly (keyof StoredValueLimits)[];
export type Limit = (typeof LIMITS)[number];
export type TypedLimits = Readonly<Record<Limit, string>>;

export function typedLimits(limits: StoredValueLimits, currency: string): TypedLimits {
  const text = (minor: number | null | undefined): string => (minor == null ? '' : editableMinor(minor, currency));
  return { charge_minor_max: text(limits.charge_minor_max), day_minor_max: text(limits.day_minor_max), balance_minor_max: text(limits.balance_minor_max) };
}

export function isLimit(text: string, currency: string): boolean {
  return text.trim() === '' || parseMinor(text, currency) !== null;
}

/** What was typed, as core takes it; an empty field is no limit. Null if one of them is no amount. */
export function readLimits(typed: TypedLimits, currency: string): StoredValueLimits | null {
  const limits: Partial<Record<Limit, number>> = {};
  for (const name of LIMITS) {
    if (!isLimit(typed[name], currency)) return null;
    const minor = parseMinor(typed[name], currency);
    if (minor !== null) limits[name] = minor;
  }
  return limits;
}

export type Deed = 'top_up' | 'change' | 'freeze' | 'unfreeze' | 'close';

/** What this reader may do with the account as it stands. Nothing is left to do with a closed one. */
export function deedsFor({ state }: Pick<StoredValueAccount, 'state'>, role: Role): Deed[] {
  const [serves, manages] = [may(role, 'serve_stored_value'), may(role, 'manage_stored_value')];
  switch (state) {
    case 'active':
      return [...(serves ? ['top_up', 'freeze'] as const : []), ...(manages ? ['change', 'close'] as const : [])];
    case 'frozen':
      return manages ? ['unfreeze', 'change', 'close'] : [];
    default:
      return [];
  }
}

/** Whether a top-up can still be taken back: not twice, and only as long as the account holds it. */
export function isReversible(
  { id, kind, amount }: StoredValueMovement, movements: readonly StoredValueMovement[], { state, balance }: StoredValueAccount, role: Role,
): boolean {
  if (kind !== 'topped_up' || state === 'closed' || !may(role, 'manage_stored_value')) return false;
  return amount.minor <= balance.minor && movements.every(({ reverses }) => reverses !== id);
}

export function movementsFile(account: string, format: Format): string {
  return `/v1/stored-value/accounts/${account}/statement/export?${new URLSearchParams({ format })}`;
}
