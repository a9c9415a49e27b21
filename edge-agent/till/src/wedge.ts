// Tells a scanner that types (a "keyboard wedge": fast characters, then mostly Enter) from a person's keys. A character is
// held for a moment; if none follows it that fast, it was a person's and is handed on as a key. So no key of a scanned
// code ever acts as a key.

/** Gap between two characters of a scanner, at most. Nobody types eight characters in a row this fast. */
export const GAP_MS_MAX = 50;
/** Shortest code: anything less could be a hand that slipped over the keys. */
export const CODE_LEN_MIN = 8;
/** Longest code: EMVCo's customer-presented payloads. Beyond it somebody leans on the keyboard. */
export const CODE_LEN_MAX = 512;

export interface Wedge {
  /** A character or Enter, with the time it was pressed. */
  key(key: string, at: number): void;
  /** Whether characters are held back at this moment. */
  pending(): boolean;
}

type Timer = { set: (run: () => void, ms: number) => unknown; clear: (timer: unknown) => void };

const BROWSER: Timer = { set: (run, ms) => setTimeout(run, ms), clear: (timer) => clearTimeout(timer as number) };

export function wedge(onKey: (key: string) => void, onScan: (text: string) => void, timer: Timer = BROWSER): Wedge {
  let held = '';
  let lastAt = Number.NEGATIVE_INFINITY;
  let running: unknown;

  function release(): void {
    timer.clear(running);
    const text = held;
    held = '';
    if (text.length >= CODE_LEN_MIN) {
      if (text.length <= CODE_LEN_MAX) onScan(text);
      return;
    }
    for (const character of text) onKey(character);
  }

  return {
    key(key, at) {
      if (held !== '' && at - lastAt > GAP_MS_MAX) release();
      lastAt = at;
      if (key.length === 1) {
        held += key;
        timer.clear(running);
        running = timer.set(release, GAP_MS_MAX);
        return;
      }
      const scanned = held.length >= CODE_LEN_MIN;
      release();
      // The Enter at a code's end belongs to the code.
      if (!(scanned && (key === 'Enter' || key === 'Tab'))) onKey(key);
    },
    pending: () => held !== '',
  };
}
