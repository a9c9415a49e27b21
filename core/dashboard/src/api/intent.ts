// What a person has asked for and core has not answered. Each is named by one key from its first press until its outcome is known,
// through a closed question, another deed and a reload; whatever is keyed in anew is another one, also if it says the same.

import { useState, useSyncExternalStore } from 'react';
import { asProblem } from './problem';
import { onSession, sessionState } from './session';
import { idempotencyKey } from './wish';

/** `Said` goes to the browser's storage until the tab is closed: no secrets. */
export interface Intent<Said> {
  /** Core takes a key from nobody but the person who used it first. */
  person: string;
  /** Where it is asked about again. */
  place: string;
  said: Said;
  key: string;
  at: number;
}

/** With its shape, so that another version of this page leaves these alone. */
const STORED = 'saoma.intents.1';

/**
 * Whether an answer says what became of an intent. A request that core did not look into says nothing of the attempt before it;
 * any other refusal does, for core knows a key that was carried out before it looks at anything else.
 */
export function isDefinite(status: number, wasInDoubt: boolean): boolean {
  if (status < 400 || status >= 500 || status === 408) return false;
  return !wasInDoubt || ![401, 403, 429].includes(status);
}

export class Intents {
  readonly #storage: Pick<Storage, 'getItem' | 'setItem'>;
  readonly #listeners = new Set<() => void>();
  readonly #sending = new Set<string>();
  #kept: readonly Intent<unknown>[];
  #unanswered: readonly Intent<unknown>[];

  constructor(storage: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#storage = storage;
    this.#kept = read(storage);
    this.#unanswered = this.#kept;
  }

  /** Those that nobody waits for at this moment, oldest first. */
  readonly unanswered = (): readonly Intent<unknown>[] => this.#unanswered;

  readonly on = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  has(key: string): boolean {
    return this.#kept.some((one) => one.key === key);
  }

  /** Sends it under its key, kept before it leaves and until an answer says what became of it. */
  async send<Answer>(intent: Intent<unknown>, call: (key: string) => Promise<Answer>): Promise<Answer> {
    const wasInDoubt = this.has(intent.key);
    this.#sending.add(intent.key);
    this.#keep(wasInDoubt ? this.#kept : [...this.#kept, intent]);
    try {
      const answer = await call(intent.key);
      this.#sending.delete(intent.key);
      this.settle(intent.key);
      return answer;
    } catch (error) {
      this.#sending.delete(intent.key);
      if (isDefinite(asProblem(error).status, wasInDoubt)) this.settle(intent.key);
      else this.#keep(this.#kept);
      throw error;
    }
  }

  /** Its outcome is known, or a person has looked and wants no answer any more. */
  settle(key: string): void {
    this.#keep(this.#kept.filter((one) => one.key !== key));
  }

  #keep(kept: readonly Intent<unknown>[]): void {
    this.#kept = kept;
    this.#unanswered = kept.filter(({ key }) => !this.#sending.has(key));
    try {
      this.#storage.setItem(STORED, JSON.stringify(kept));
    } catch {
      // A browser that stores nothing keeps them as long as the page.
    }
    for (const listener of this.#listeners) listener();
  }
}

function read(storage: Pick<Storage, 'getItem'>): Intent<unknown>[] {
  try {
    const stored: unknown = JSON.parse(storage.getItem(STORED) ?? '[]');
    return Array.isArray(stored) ? stored : [];
  } catch {
    return [];
  }
}

function storage(): Pick<Storage, 'getItem' | 'setItem'> {
  try {
    return sessionStorage;
  } catch {
    return { getItem: () => null, setItem: () => {} };
  }
}

export const intents = new Intents(storage());

function person(): string {
  const session = sessionState();
  return session.kind === 'signed-in' ? session.person.id : '';
}

/** This person's own of a place; a place's intents all say the same `Said`. */
export function useUnanswered<Said>(place: string): Intent<Said>[] {
  const all = useSyncExternalStore(intents.on, intents.unanswered);
  const whose = useSyncExternalStore(onSession, person);
  return (all as readonly Intent<Said>[]).filter((one) => one.place === place && one.person === whose);
}

/** The one intent that a question is about: `first`, if it is asked again, else what is pressed. */
export function useIntent<Said>(place: string, first: Intent<Said> | null) {
  const [intent, setIntent] = useState(first);
  const isInDoubt = useUnanswered(place).some(({ key }) => key === intent?.key);
  return {
    /** An attempt had no answer: what was said stands until there is one. */
    isInDoubt,
    send: <Answer>(said: Said, call: (said: Said, key: string) => Promise<Answer>): Promise<Answer> => {
      const current = intent !== null && intents.has(intent.key) ? intent : { person: person(), place, said, key: idempotencyKey(), at: Date.now() };
      setIntent(current);
      return intents.send(current, (key) => call(current.said, key));
    },
  };
}
