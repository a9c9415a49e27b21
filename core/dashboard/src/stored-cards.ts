// What terminals may sell by card without a network, as it is typed.

import type { StoredCardRules } from './api/client';
import { editableMinor, parseMinor } from './money/money';

/** Each rule's name on the wire, in the order in which they are shown, and the most that core takes of those that are counted. */
export const SUMS = ['sale_minor_max', 'card_day_minor_max', 'unsent_minor_max'] as const satisfies readonly (keyof StoredCardRules)[];
export const COUNTS = {
  card_day_count_max: 1_000, unsent_count_max: 10_000, unsent_hours_max: 168, list_hours_max: 168,
} as const satisfies Readonly<Partial<Record<keyof StoredCardRules, number>>>;
export const CARD_LIMITS = ['sale_minor_max', 'card_day_count_max', 'card_day_minor_max', 'unsent_minor_max', 'unsent_count_max', 'unsent_hours_max', 'list_hours_max'] as const satisfies readonly (keyof StoredCardRules)[];
export type CardLimit = (typeof CARD_LIMITS)[number];
export type TypedCardRules = Readonly<Record<CardLimit | 'prefixes', string>> & { readonly stripe: boolean };

const PREFIXES_MAX = 50;

export function isCardSum(name: CardLimit): name is (typeof SUMS)[number] {
  return SUMS.some((sum) => sum === name);
}

export function typedCardRules(rules: StoredCardRules, currency: string): TypedCardRules {
  const typed = CARD_LIMITS.map((name) => [name, isCardSum(name) ? editableMinor(rules[name], currency) : String(rules[name])] as const);
  return { ...(Object.fromEntries(typed) as Record<CardLimit, string>), prefixes: rules.prefixes.join(' '), stripe: rules.stripe };
}

/** What was typed, as core takes it; null if it is none. Each is at least 1. */
export function readCardLimit(name: CardLimit, text: string, currency: string): number | null {
  if (isCardSum(name)) return parseMinor(text, currency);
  const count = /^\d{1,6}$/.test(text.trim()) ? Number(text.trim()) : 0;
  return count >= 1 && count <= COUNTS[name] ? count : null;
}

/** Beginnings of numbers, apart by spaces or commas; null if one is none, or there are none or too many. */
export function readPrefixes(text: string): string[] | null {
  const prefixes = text.split(/[\s,，、]+/).filter((prefix) => prefix !== '');
  const areGood = prefixes.length >= 1 && prefixes.length <= PREFIXES_MAX && prefixes.every((prefix) => /^\d{2,6}$/.test(prefix));
  return areGood ? prefixes : null;
}

/** All of it, or null if something is no rule, or one sale may be more than a card may pay in a day or a terminal may hold. */
export function readCardRules(typed: TypedCardRules, currency: string): StoredCardRules | null {
  const read = CARD_LIMITS.map((name) => [name, readCardLimit(name, typed[name], currency)] as const);
  const prefixes = readPrefixes(typed.prefixes);
  if (prefixes === null || read.some(([, limit]) => limit === null)) return null;
  const limits = Object.fromEntries(read) as Record<CardLimit, number>;
  const fits = limits.sale_minor_max <= Math.min(limits.unsent_minor_max, limits.card_day_minor_max);
  return fits ? { ...limits, stripe: typed.stripe, prefixes } : null;
}
