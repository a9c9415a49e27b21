// Tells a scanner that types (a "keyboard wedge": fast characters, then mostly Enter) from a person's keys. A character is
// held for a moment; if none follows it that fast, it was a person's and is handed on as a key. So no key of a scanned
// code ever acts as a key.

/** Gap between two characters of a scanner, at most. Nobody types eight characters in a row this fast. */
export const GAP_MS_MAX = 50;
/** How late the timer may be before the page counts as having been busy: it tells nothing of the keys then. */
const LATE_MS_MAX = 10;
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

type Timer = { set: (run: () => void, ms: number) => unknown; clear: (timer: unknown) => void; now: () => number };

const BROWSER: Timer = { set: (run, ms) => setTimeout(run, ms), clear: (timer) => clearTimeout(timer as number), now: () => performance.now() };

/** `onKey` gets each key with the time it was pressed, however long it was held back. */
export function wedge(onKey: (key: string, at: number) => void, onScan: (text: string) => void, timer: Timer = BROWSER): Wedge {
  let held: { character: string; at: number }[] = [];
  let running: unknown;

  function release(): void {
    timer.clear(running);
    const typed = held;
    held = [];
    if (typed.length < CODE_LEN_MIN) for (const { character, at } of typed) onKey(character, at);
    else if (typed.length <= CODE_LEN_MAX) onScan(typed.map(({ character }) => character).join(''));
  }

  /** A page that was busy meanwhile has keys that it has not heard of yet: they are pressed already, and come before the next timer. */
  function wait(wasLate: boolean): void {
    const due = timer.now() + GAP_MS_MAX;
    running = timer.set(() => {
      if (!wasLate && timer.now() - due > LATE_MS_MAX) wait(true);
      else release();
    }, GAP_MS_MAX);
  }

  return {
    key(key, at) {
      const last = held.at(-1);
      if (last !== undefined && at - last.at > GAP_MS_MAX) release();
      if (key.length === 1) {
        held.push({ character: key, at });
        timer.clear(running);
        wait(false);
        return;
      }
      const scanned = held.length >= CODE_LEN_MIN;
      release();
      // The Enter at a code's end belongs to the code.
      if (!(scanned && (key === 'Enter' || key === 'Tab'))) onKey(key, at);
    },
    pending: () => held.length > 0,
  };
}
