import { useEffect, useState } from 'preact/hooks';
import { current, type Model, onChange } from './store';
import { TEXTS, type Texts } from './text';

export function useModel(): Model {
  const [model, setModel] = useState(current);
  useEffect(() => onChange(() => setModel(current())), []);
  return model;
}

export function useText(): Texts {
  return TEXTS[useModel().language];
}

/** The time, told again every second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function clock(at: number): string {
  const date = new Date(at);
  return [date.getHours(), date.getMinutes()].map((part) => String(part).padStart(2, '0')).join(':');
}

/** The time, with the day if it was not today. */
export function when(at: number): string {
  const [date, today] = [new Date(at), new Date()];
  return date.toDateString() === today.toDateString() ? clock(at) : `${date.getMonth() + 1}-${date.getDate()} ${clock(at)}`;
}
