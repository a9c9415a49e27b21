// The agent's release that this page came from, and when its successor's pages are fetched.

import type { TillState } from './api';
import { current } from './store';

let cameFrom: string | null = null;

/** Another release has pages of its own; they are fetched once nobody is in the middle of something. */
export function followRelease({ version, update }: TillState): void {
  cameFrom ??= version;
  const { screen, busy } = current();
  const atRest = screen.kind === 'home' && screen.keyed === '' && busy.length === 0;
  // One on trial may be gone back from before its pages have come.
  if (version !== cameFrom && atRest && update?.on_trial !== true) location.reload();
}
