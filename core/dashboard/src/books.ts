// The books by period: which days, what sums up, and where the files are.

import type { PeriodBalance } from './api/client';

/** The first and the last day, both part of it, as "2026-01-31". */
export interface Days {
  from: string;
  to: string;
}

/** Whose statement. Without a channel account all of them. */
export interface Whose {
  account: string;
  currency: string;
  channelAccount: string | null;
}

export const FORMATS = ['csv', 'xlsx'] as const;
export type Format = (typeof FORMATS)[number];

/** The month so far, as the reader's calendar has it. */
export function monthSoFar(now: Date): Days {
  return { from: day(new Date(now.getFullYear(), now.getMonth(), 1)), to: day(now) };
}

function day(date: Date): string {
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
}

function pad(number: number): string {
  return String(number).padStart(2, '0');
}

/** Whether two texts are days of a period, as the server takes them. */
export function isPeriod({ from, to }: Days): boolean {
  const isDay = (text: string): boolean =>
    /^\d{4}-\d{2}-\d{2}$/.test(text) && new Date(`${text}T00:00:00Z`).toJSON()?.startsWith(text) === true;
  return isDay(from) && isDay(to) && from <= to;
}

export interface CurrencyBalances {
  currency: string;
  items: PeriodBalance[];
  /** Of the balances at the period's end, in minor units; both positive. */
  debits: number;
  credits: number;
  /** What moved in the period. */
  moved: { debits: number; credits: number };
  balanced: boolean;
}

/** By currency, in alphabetic order, with the totals that must be equal. */
export function byCurrency(items: readonly PeriodBalance[]): CurrencyBalances[] {
  const currencies = [...new Set(items.map(({ currency }) => currency))].sort();
  return currencies.map((currency) => {
    const mine = items.filter((item) => item.currency === currency);
    const sum = (of: (item: PeriodBalance) => number): number => mine.reduce((total, item) => total + of(item), 0);
    const debits = sum(({ closing_minor }) => Math.max(closing_minor, 0));
    const credits = sum(({ closing_minor }) => Math.max(-closing_minor, 0));
    const moved = { debits: sum(({ debits_minor }) => debits_minor), credits: sum(({ credits_minor }) => credits_minor) };
    // Sums that JavaScript cannot hold exactly prove nothing.
    const exact = [debits, credits, moved.debits, moved.credits].every(Number.isSafeInteger);
    return { currency, items: mine, debits, credits, moved, balanced: exact && debits === credits && moved.debits === moved.credits };
  });
}

export function balancesFile(days: Days, format: Format): string {
  return `/v1/ledger/balances/export?${new URLSearchParams({ format, ...days })}`;
}

export function statementFile(whose: Whose, days: Days, format: Format): string {
  const { account, currency, channelAccount } = whose;
  const channel = channelAccount === null ? {} : { channel_account: channelAccount };
  return `/v1/ledger/statement/export?${new URLSearchParams({ format, account, currency, ...channel, ...days })}`;
}

/** The name that the server gives a file, or a plain one. */
export function fileName(disposition: string | null, format: Format): string {
  return /filename="([^"]+)"/.exec(disposition ?? '')?.[1] ?? `books.${format}`;
}
