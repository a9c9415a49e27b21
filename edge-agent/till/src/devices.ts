// The page of the devices: what each key does there, and what a filled form comes to. Pure.

import type { DevicesPage, DriverOf } from './api';
import type { Press, Screen, Step } from './screen';

/** The kinds, in the order of their keys. */
export const KINDS: readonly string[] = ['printer', 'scanner', 'display', 'drawer', 'scale', 'speaker', 'card_reader'];

export type Draft = Readonly<Record<string, string>>;

export type DeviceScreen =
  /** `at`: the row that Enter opens. */
  | { kind: 'devices'; at: number }
  | { kind: 'device'; of: string }
  /** `draft`: what was filled in, by the option's name; all else is as it is set. `sure`: asks whether its keys may be taken. */
  | { kind: 'device-form'; of: string; draft: Draft; sure?: boolean };

export type DeviceWish =
  | { kind: 'device'; of: string; what: 'self-test' | 'restart' }
  /** Asks around for what no look finds. */
  | { kind: 'search' }
  /** `sure`: its keys may be taken. */
  | { kind: 'configure'; of: string; draft: Draft; sure: boolean };

const stay = (screen: Screen): Step => ({ screen });

export function deviceStep(screen: DeviceScreen, press: Press): Step {
  switch (screen.kind) {
    case 'devices':
      return list(screen, press);
    case 'device':
      return device(screen, press);
    case 'device-form':
      return form(screen, press);
  }
}

function list(screen: Extract<DeviceScreen, { kind: 'devices' }>, press: Press): Step {
  const open = (idx: number): Step => {
    const of = KINDS[idx];
    return stay(of === undefined ? screen : { kind: 'device', of });
  };
  switch (press.kind) {
    case 'escape':
      return stay({ kind: 'info' });
    case 'up':
      return stay({ ...screen, at: Math.max(screen.at - 1, 0) });
    case 'down':
      return stay({ ...screen, at: Math.min(screen.at + 1, KINDS.length - 1) });
    case 'enter':
      return open(screen.at);
    case 'digits':
      return press.digits === '9' ? { screen, wish: { kind: 'search' } } : open(Number(press.digits) - 1);
    default:
      return stay(screen);
  }
}

function device({ kind, of }: Extract<DeviceScreen, { kind: 'device' }>, press: Press): Step {
  const screen: DeviceScreen = { kind, of };
  if (press.kind === 'escape') return stay({ kind: 'devices', at: Math.max(KINDS.indexOf(of), 0) });
  if (press.kind !== 'digits') return stay(screen);
  switch (press.digits) {
    case '1':
      return { screen, wish: { kind: 'device', of, what: 'self-test' } };
    case '2':
      return { screen, wish: { kind: 'device', of, what: 'restart' } };
    case '3':
      return stay({ kind: 'device-form', of, draft: {} });
    default:
      return stay(screen);
  }
}

function form({ kind, of, draft, sure = false }: Extract<DeviceScreen, { kind: 'device-form' }>, press: Press): Step {
  const filled: DeviceScreen = { kind, of, draft };
  if (press.kind === 'escape') return stay(sure ? filled : { kind: 'device', of });
  if (press.kind === 'enter') return { screen: filled, wish: { kind: 'configure', of, draft, sure } };
  return stay(sure ? { ...filled, sure } : filled);
}

/** What the form shows for an option. */
export function shownValue(page: DevicesPage, draft: Draft, option: string): string {
  return draft[option] ?? String(page.settings.options.find(({ name }) => name === option)?.value ?? '');
}

export function driverOf(page: DevicesPage, kind: string, draft: Draft): DriverOf | undefined {
  const chosen = shownValue(page, draft, kind);
  return page.drivers.find((driver) => driver.kind === kind && driver.name === chosen);
}

/** What is plugged in that the chosen driver is for. */
export function suggestions(page: DevicesPage, kind: string, draft: Draft): DevicesPage['connected'] {
  const driver = driverOf(page, kind, draft);
  if (driver === undefined) return [];
  return page.connected.filter(({ fits }) => fits.some((fit) => fit.kind === kind && fit.driver === driver.name));
}

/**
 * The form with another driver. If one thing alone is plugged in that it is for, that is meant; but not a keyboard, which may be
 * the till's own, nor a sound card, which nobody else could use then.
 */
export function withDriver(page: DevicesPage, kind: string, draft: Draft, name: string): Draft {
  const chosen = { ...draft, [kind]: name };
  const place = driverOf(page, kind, chosen)?.place;
  const free = suggestions(page, kind, chosen).filter(({ bus, used_by }) => bus !== 'keyboard' && bus !== 'sound' && used_by.every((user) => user === kind));
  const only = free.length === 1 ? free[0] : undefined;
  return place === undefined || only === undefined ? chosen : { ...chosen, [place]: only.place };
}

/** The driver that takes a keyboard's keys for itself, however the keyboard is named. */
const TAKES_KEYS = 'evdev';

/** Whether the chosen device's keys go nowhere else. */
export function takesKeys(page: DevicesPage, kind: string, draft: Draft): boolean {
  const driver = driverOf(page, kind, draft);
  // A reader of stripes may type as well.
  if (driver?.options.includes('card_reader_stripe') && shownValue(page, draft, 'card_reader_stripe') === TAKES_KEYS) return true;
  if (driver?.place === undefined) return false;
  const path = shownValue(page, draft, driver.place).trim();
  return driver.name === TAKES_KEYS || page.connected.some((one) => one.bus === 'keyboard' && one.place === path);
}

/** What is to be set for the chosen driver that is not so yet. */
export function changesOf(page: DevicesPage, kind: string, draft: Draft): Record<string, string | number> {
  const driver = driverOf(page, kind, draft);
  const options = [kind, ...(driver?.place === undefined ? [] : [driver.place]), ...(driver?.options ?? [])];
  const changes: Record<string, string | number> = {};
  for (const option of options) {
    const set = page.settings.options.find(({ name }) => name === option)?.value;
    const filled = draft[option]?.trim();
    if (set === undefined || filled === undefined || filled === String(set)) continue;
    changes[option] = typeof set === 'number' ? Number(filled) : filled;
  }
  return changes;
}
