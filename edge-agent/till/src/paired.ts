// The page of the paired devices: what each key does there. Pure.

import type { PairedDevice, Role } from './api';
import { shortText } from './held';
import type { Press, Screen, Step } from './screen';

export type PairedScreen =
  /** `at`: the device that is chosen. */
  | { kind: 'paired'; at: number }
  | { kind: 'pair-name'; role: Role; keyed: string }
  /** The code is on show. */
  | { kind: 'pair-code'; name: string }
  | { kind: 'revoke'; id: string };

export type PairedWish =
  | { kind: 'pair'; name: string; role: Role }
  | { kind: 'revoke'; id: string };

/** At the till itself there is no TLS. */
export const IS_PAIRED = typeof location !== 'undefined' && location.protocol === 'https:';

/** Names that are one key away, for a till without a keyboard: which of the texts. */
export const NAMES = ['tablet', 'phone', 'display', 'counter'] as const;

const LIST: PairedScreen = { kind: 'paired', at: 0 };
const stay = (screen: Screen): Step => ({ screen });

export function pairedStep(screen: PairedScreen, press: Press, devices: readonly PairedDevice[]): Step {
  switch (screen.kind) {
    case 'paired':
      return list(screen, press, devices);
    case 'pair-name':
      return name(screen, press);
    case 'pair-code':
      return press.kind === 'escape' || press.kind === 'enter' ? stay(LIST) : stay(screen);
    case 'revoke':
      if (press.kind === 'enter') return { screen: LIST, wish: { kind: 'revoke', id: screen.id } };
      return stay(press.kind === 'escape' ? LIST : screen);
  }
}

function list(screen: Extract<PairedScreen, { kind: 'paired' }>, press: Press, devices: readonly PairedDevice[]): Step {
  const last = Math.max(devices.length - 1, 0);
  const at = Math.min(screen.at, last);
  switch (press.kind) {
    case 'escape':
      return stay({ kind: 'info' });
    case 'up':
      return stay({ ...screen, at: Math.max(at - 1, 0) });
    case 'down':
      return stay({ ...screen, at: Math.min(at + 1, last) });
    case 'device':
      return stay({ kind: 'revoke', id: press.id });
    case 'function': {
      const chosen = devices[at];
      return stay(press.key === 'cancel' && chosen !== undefined ? { kind: 'revoke', id: chosen.id } : screen);
    }
    case 'digits':
      if (press.digits === '1') return stay({ kind: 'pair-name', role: 'till', keyed: '' });
      return stay(press.digits === '2' ? { kind: 'pair-name', role: 'display', keyed: '' } : screen);
    default:
      return stay(screen);
  }
}

function name(screen: Extract<PairedScreen, { kind: 'pair-name' }>, press: Press): Step {
  const { role, keyed } = screen;
  const edited = shortText(keyed, press);
  if (edited !== null) return stay({ ...screen, keyed: edited });
  switch (press.kind) {
    case 'escape':
      return stay(LIST);
    case 'enter':
      return keyed.trim() === '' ? stay(screen) : { screen, wish: { kind: 'pair', name: keyed.trim(), role } };
    default:
      return stay(screen);
  }
}

/** A fingerprint in lines that can be read out, eight bytes each. */
export function inLines(fingerprint: string): string[] {
  return fingerprint.match(/.{1,24}/g)?.map((line) => line.replace(/:$/, '')) ?? [];
}
