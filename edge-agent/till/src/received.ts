// What was paid just now through one of the shop's printed codes: shown for a moment, wherever the cashier stands.

import type { Received } from './api';
import { current, set } from './store';

/** Long enough for somebody who looks up when the speaker has said it; any key ends it sooner. */
const SHOWN_MS = 12_000;

export function came(received: Received): void {
  set({ cameIn: received });
  setTimeout(() => {
    if (current().cameIn === received) set({ cameIn: null });
  }, SHOWN_MS);
}
