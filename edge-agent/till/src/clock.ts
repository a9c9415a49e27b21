// Moments as people read them.

export function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** The time, with the day if it was not today. */
export function when(at: number): string {
  const [date, today] = [new Date(at), new Date()];
  return date.toDateString() === today.toDateString() ? clock(at) : `${date.getMonth() + 1}-${date.getDate()} ${clock(at)}`;
}
