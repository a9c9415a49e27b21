// Moments are milliseconds since 1970; they are shown in the reader's own time zone.

export function clock(at: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' }).format(at);
}

export function moment(at: number, locale: string): string {
  return new Intl.DateTimeFormat(locale, {
    year: 'numeric', month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', second: '2-digit',
  }).format(at);
}

/** "14:03:12" today, "24/11 14:03" otherwise. */
export function shortMoment(at: number, now: number, locale: string): string {
  if (new Date(at).toDateString() === new Date(now).toDateString()) return clock(at, locale);
  return new Intl.DateTimeFormat(locale, { month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit' }).format(at);
}

const STEPS: readonly (readonly [Intl.RelativeTimeFormatUnit, number])[] = [
  ['day', 86_400_000], ['hour', 3_600_000], ['minute', 60_000], ['second', 1_000],
];

/** "5 minutes ago". */
export function ago(at: number, now: number, locale: string): string {
  const format = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' });
  const passed = Math.max(0, now - at);
  const [unit, size] = STEPS.find(([, ms]) => passed >= ms) ?? (['second', 1_000] as const);
  return format.format(-Math.floor(passed / size), unit);
}
