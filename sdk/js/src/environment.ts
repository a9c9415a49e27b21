// What the language offers by itself, and the contract does not: time and chance come from the host, the rest is taken away.
//
// The component is a picture of the engine taken while it was built. A clock or a generator of the engine's own would stand where
// it stood then: the same time, the same "random" numbers in every call, on every machine. Neither may be used while the picture
// is taken, that is at the top level of a module: there is no host then, and the build fails.

import { bytes } from 'saoma:channel/random@0.2.0';
import { now } from './time.ts';

const EngineDate = globalThis.Date;

/** `Date`, with core's clock for the present. The time zone is UTC. */
const HostDate = new Proxy(EngineDate, {
  construct: (target, given, newTarget) => Reflect.construct(target, given.length === 0 ? [now()] : given, newTarget),
  apply: () => new EngineDate(now()).toString(),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
});
EngineDate.prototype.constructor = HostDate;
globalThis.Date = HostDate;

/** 53 bits of the host's, as in the engine's own: from 0 up to 1. Nonces are better made by `randomHex`. */
Math.random = () => {
  const drawn = bytes(8);
  const view = new DataView(drawn.buffer, drawn.byteOffset);
  return (view.getUint32(0) * 2 ** 21 + (view.getUint32(4) >>> 11)) / 2 ** 53;
};

// The only other clock of the engine. It has no `fetch`, `setTimeout`, `crypto` or `console` to begin with.
Reflect.deleteProperty(globalThis, 'performance');
