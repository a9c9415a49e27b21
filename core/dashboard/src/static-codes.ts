// Printed codes of small stalls: what is typed of a new one, and its picture as a page for the printer.

import type { NewStaticCode, StaticCode } from './api/client';
import { formatMinor, parseMinor } from './money/money';

export interface TypedCode {
  store: string | null;
  terminal: string | null;
  announceAt: string | null;
  label: string;
  min: string;
  max: string;
}

/** What was typed, as core takes it; null while something is missing or no amount. An empty least amount is none. */
export function readCode(typed: TypedCode, currency: string): NewStaticCode | null {
  const label = typed.label.trim();
  const max = parseMinor(typed.max, currency);
  const min = typed.min.trim() === '' ? undefined : parseMinor(typed.min, currency);
  if (typed.store === null || label === '' || max === null || min === null || (min ?? 1) > max) return null;
  return {
    store: typed.store, label, max_minor: max,
    ...(min === undefined ? {} : { min_minor: min }), ...(typed.terminal === null ? {} : { terminal: typed.terminal }),
    ...(typed.announceAt === null ? {} : { announce_at: typed.announceAt }),
  };
}

/** The bounds of one payment, in words for people. */
export function boundsOf({ min_minor: min, max_minor: max, currency }: Pick<StaticCode, 'min_minor' | 'max_minor' | 'currency'>): string {
  return `${formatMinor(min, currency)} – ${formatMinor(max, currency)} ${currency}`;
}

export type PictureFormat = 'svg' | 'png';

export function pictureOf(code: string, format: PictureFormat): string {
  return `/v1/static-codes/${code}/picture?${new URLSearchParams({ format })}`;
}

/** Those in force first, each group as it came: what is printed and lies about is looked for most. */
export function inOrder(codes: readonly StaticCode[]): StaticCode[] {
  return [...codes.filter(({ revoked_at: at }) => at == null), ...codes.filter(({ revoked_at: at }) => at != null)];
}
