// The time of core's clock.

import * as clock from 'saoma:channel/clock@0.2.0';

/** Milliseconds since 1970-01-01T00:00:00Z. */
export function now(): number {
  return clock.now();
}
