// One wish, one key: whatever way it is sent again, the same words go under the same Idempotency-Key.

import { useRef } from 'react';

/** Names one wish of a person. Made once when the wish is made and sent with every attempt to fulfil it. */
export function idempotencyKey(): string {
  // Not crypto.randomUUID: browsers keep that from pages that a shop opens over plain HTTP in its own network.
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

export interface Keys {
  /** The key of a wish, by all that it says. Other words are another wish. */
  of: (wish: unknown) => string;
  /** It was carried out: wished for once more, it is another one. */
  done: () => void;
}

export function keys(make: () => string = idempotencyKey): Keys {
  let kept = new Map<string, string>();
  return {
    of: (wish) => {
      const words = JSON.stringify(wish);
      const key = kept.get(words) ?? make();
      kept.set(words, key);
      return key;
    },
    done: () => {
      kept = new Map();
    },
  };
}

export function useKeys(): Keys {
  const kept = useRef<Keys | null>(null);
  kept.current ??= keys();
  return kept.current;
}
