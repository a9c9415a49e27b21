import { useEffect, useState } from 'preact/hooks';
import { current, type Model, onChange } from './store';
import { TEXTS, type Texts } from './text';

export { clock, when } from './clock';

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
