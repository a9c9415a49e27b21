// For tests under `saoma-channel test`: the host's modules, played by the test.

import type * as clock from 'saoma:channel/clock@0.2.0';
import type * as http from 'saoma:channel/http@0.2.0';
import type * as kv from 'saoma:channel/kv@0.2.0';
import type * as log from 'saoma:channel/log@0.2.0';
import type * as random from 'saoma:channel/random@0.2.0';
import type * as secrets from 'saoma:channel/secrets@0.2.0';

/** What a channel can ask of the host. */
export interface Host {
  clock: typeof clock;
  http: typeof http;
  kv: typeof kv;
  log: typeof log;
  random: typeof random;
  secrets: typeof secrets;
}

/** Lets the host's functions be these from now on; any other that is called is a TypeError. */
export function playHost(host: { [Name in keyof Host]?: Partial<Host[Name]> }): void {
  Object.assign(globalThis, { saomaHost: host });
}

/** An error of the host's, as its functions throw it in a component. */
export function hostError(error: http.Error | secrets.Error | kv.Error): Error {
  return Object.assign(new Error('an error of the host'), { payload: error });
}
