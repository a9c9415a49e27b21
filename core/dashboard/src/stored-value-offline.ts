// What may be taken offline: its limits as they are typed, and what a grant still is.

import type { OfflineGrant, OfflineLimits } from './api/client';
import { editableMinor, parseMinor } from './money/money';

/** Each limit's name on the wire, in the order in which they are shown, and the most that core takes of those that are counted. */
export const SUMS = ['sale_minor_max', 'unsent_minor_max'] as const satisfies readonly (keyof OfflineLimits)[];
export const COUNTS = {
  grant_day_count_max: 1_000, unsent_count_max: 100_000, unsent_hours_max: 168, list_hours_max: 168,
} as const satisfies Readonly<Partial<Record<keyof OfflineLimits, number>>>;
export const OFFLINE_LIMITS = ['sale_minor_max', 'grant_day_count_max', 'unsent_minor_max', 'unsent_count_max', 'unsent_hours_max', 'list_hours_max'] as const satisfies readonly (keyof OfflineLimits)[];
export type OfflineLimit = (typeof OFFLINE_LIMITS)[number];
export type TypedOfflineLimits = Readonly<Record<OfflineLimit, string>>;

export function isSum(name: OfflineLimit): name is (typeof SUMS)[number] {
  return SUMS.some((sum) => sum === name);
}

export function typedOfflineLimits(limits: OfflineLimits, currency: string): TypedOfflineLimits {
  const typed = OFFLINE_LIMITS.map((name) => [name, isSum(name) ? editableMinor(limits[name], currency) : String(limits[name])] as const);
  return Object.fromEntries(typed) as TypedOfflineLimits;
}

/** What was typed, as core takes it; null if it is none. Each is at least 1. */
export function readOfflineLimit(name: OfflineLimit, text: string, currency: string): number | null {
  if (isSum(name)) return parseMinor(text, currency);
  const count = /^\d{1,6}$/.test(text.trim()) ? Number(text.trim()) : 0;
  return count >= 1 && count <= COUNTS[name] ? count : null;
}

/** All of them, or null if one is no limit, or one sale may be more than a terminal may hold. */
export function readOfflineLimits(typed: TypedOfflineLimits, currency: string): OfflineLimits | null {
  const read = OFFLINE_LIMITS.map((name) => [name, readOfflineLimit(name, typed[name], currency)] as const);
  if (read.some(([, limit]) => limit === null)) return null;
  const limits = Object.fromEntries(read) as unknown as OfflineLimits;
  return limits.sale_minor_max <= limits.unsent_minor_max ? limits : null;
}

export type GrantState = 'good' | 'revoked' | 'over';

export function grantState({ revoked_at, not_after }: Pick<OfflineGrant, 'revoked_at' | 'not_after'>, now: number): GrantState {
  if (not_after <= now) return 'over';
  return revoked_at == null ? 'good' : 'revoked';
}
