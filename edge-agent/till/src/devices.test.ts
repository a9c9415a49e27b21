import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { DevicesPage } from './api';
import { changesOf, type DeviceScreen, deviceStep, suggestions, shownValue, takesKeys, withDriver } from './devices';
import { HOME, type Press, type Screen, step } from './screen';
import { TEXTS } from './text';

const KEYS: Record<string, Press> = {
  E: { kind: 'enter' }, X: { kind: 'escape' }, U: { kind: 'up' }, D: { kind: 'down' }, '!': { kind: 'info' },
};

function play(keys: string, from: Screen = HOME): { screen: Screen; wishes: unknown[] } {
  let screen = from;
  const wishes: unknown[] = [];
  for (const key of keys) {
    const next = step(screen, KEYS[key] ?? { kind: 'digits', digits: key }, []);
    screen = next.screen;
    if (next.wish !== undefined) wishes.push(next.wish);
  }
  return { screen, wishes };
}

const PAGE: DevicesPage = {
  devices: [],
  connected: [
    { bus: 'keyboard', place: '/dev/input/by-id/usb-H-event-kbd', name: 'H', used_by: [], fits: [{ kind: 'scanner', driver: 'evdev' }] },
    { bus: 'serial', place: '/dev/serial/by-id/usb-S', name: 'S', used_by: ['scale'], fits: [{ kind: 'scanner', driver: 'serial' }] },
    { bus: 'serial', place: '/dev/serial/by-id/usb-T', name: 'T', used_by: [], fits: [{ kind: 'scanner', driver: 'serial' }] },
    { bus: 'serial', place: '/dev/serial/by-id/usb-U', name: 'U', used_by: [], fits: [{ kind: 'display', driver: 'serial-vfd' }] },
  ],
  drivers: [
    { kind: 'scanner', name: 'serial', place: 'scanner_device', options: ['scanner_baud'] },
    { kind: 'scanner', name: 'evdev', place: 'scanner_device', options: [] },
    { kind: 'scanner', name: 'none', options: [] },
  ],
  settings: {
    file: '/etc/edge.toml', version: 'v', locked: null, broken: null, pending: [],
    options: [
      { name: 'scanner', value: 'none', variable: null },
      { name: 'scanner_device', value: '/dev/ttyACM0', variable: null },
      { name: 'scanner_baud', value: 9600, variable: null },
    ],
  },
};

test.each([
  ['!1', { kind: 'devices', at: 0 }],
  ['!1X', { kind: 'info' }],
  ['!1UE', { kind: 'device', of: 'printer' }],
  ['!1DE', { kind: 'device', of: 'scanner' }],
  ['!1DDDDDDDDE', { kind: 'device', of: 'card_reader' }],
  ['!15', { kind: 'device', of: 'scale' }],
  ['!10', { kind: 'devices', at: 0 }],
  ['!12X', { kind: 'devices', at: 1 }],
  ['!123', { kind: 'device-form', of: 'scanner', draft: {} }],
  ['!123X', { kind: 'device', of: 'scanner' }],
  ['!1!', HOME],
])('the keys %s lead there', (keys, screen) => {
  expect(play(keys)).toEqual({ screen, wishes: [] });
});

test('a device is tested, started anew and set by keys alone', () => {
  expect(play('!121').wishes).toEqual([{ kind: 'device', of: 'scanner', what: 'self-test' }]);
  expect(play('!19').wishes).toEqual([{ kind: 'search' }]);
  expect(play('!122').wishes).toEqual([{ kind: 'device', of: 'scanner', what: 'restart' }]);
  const filled: DeviceScreen = { kind: 'device-form', of: 'scanner', draft: { scanner: 'evdev' } };
  expect(deviceStep(filled, { kind: 'enter' })).toEqual({
    screen: filled, wish: { kind: 'configure', of: 'scanner', draft: { scanner: 'evdev' }, sure: false },
  });
});

test('only what the chosen driver needs and is not so yet is changed', () => {
  expect(changesOf(PAGE, 'scanner', {})).toEqual({});
  expect(changesOf(PAGE, 'scanner', { scanner: 'none', scanner_baud: '1200' })).toEqual({});
  expect(changesOf(PAGE, 'scanner', { scanner: 'serial', scanner_baud: '1200', scanner_device: ' /dev/ttyACM0 ' })).toEqual({
    scanner: 'serial', scanner_baud: 1200,
  });
  expect(changesOf(PAGE, 'scanner', { scanner: 'evdev', scanner_baud: '1200', scanner_device: 'name:H' })).toEqual({
    scanner: 'evdev', scanner_device: 'name:H',
  });
});

test('what is plugged in is suggested to the driver that it is for', () => {
  expect(suggestions(PAGE, 'scanner', {})).toEqual([]);
  expect(suggestions(PAGE, 'scanner', { scanner: 'serial' }).map(({ name }) => name)).toEqual(['S', 'T']);
  // The only keyboard there is may be the cashier's: it is offered and never filled in.
  expect(suggestions(PAGE, 'scanner', { scanner: 'evdev' }).map(({ name }) => name)).toEqual(['H']);
  expect(withDriver(PAGE, 'scanner', {}, 'evdev')).toEqual({ scanner: 'evdev' });
  // The other one is the scale's.
  expect(withDriver(PAGE, 'scanner', {}, 'serial')).toEqual({ scanner: 'serial', scanner_device: '/dev/serial/by-id/usb-T' });
  expect(withDriver(PAGE, 'scanner', { scanner: 'evdev' }, 'none')).toEqual({ scanner: 'none' });
  expect(shownValue(PAGE, { scanner_baud: '1200' }, 'scanner_baud')).toBe('1200');
  expect(shownValue(PAGE, {}, 'scanner_baud')).toBe('9600');
});

test('a keyboard is taken for a scanner only after a question of its own', () => {
  const draft = { scanner: 'evdev', scanner_device: '/dev/input/by-id/usb-H-event-kbd' };
  const asked: DeviceScreen = { kind: 'device-form', of: 'scanner', draft, sure: true };
  const filled: DeviceScreen = { kind: 'device-form', of: 'scanner', draft };
  expect(deviceStep(asked, { kind: 'enter' })).toEqual({ screen: filled, wish: { kind: 'configure', of: 'scanner', draft, sure: true } });
  expect(deviceStep(asked, { kind: 'escape' })).toEqual({ screen: filled });
  expect(deviceStep(asked, { kind: 'digits', digits: '1' })).toEqual({ screen: asked });
  expect(takesKeys(PAGE, 'scanner', draft)).toBe(true);
  expect(takesKeys(PAGE, 'scanner', { scanner: 'evdev', scanner_device: 'name:H' })).toBe(true);
  expect(takesKeys(PAGE, 'scanner', { ...draft, scanner: 'serial' })).toBe(true);
  expect(takesKeys(PAGE, 'scanner', { scanner: 'serial' })).toBe(false);
  expect(takesKeys(PAGE, 'scanner', { ...draft, scanner: 'none' })).toBe(false);
});

test.each(['zh', 'en'] as const)('every driver and option of the agent has words in %s', (language) => {
  const source = (path: string): string => readFileSync(new URL(`../../src/${path}`, import.meta.url), 'utf8');
  const catalogue = source('peripherals/catalogue.rs').split('#[cfg(test)]')[0] ?? '';
  const options = [...catalogue.matchAll(/"((?:printer|scanner|display|scale|speaker)_[a-z_]+)"/g)].map(([, option]) => option ?? '');
  expect(options.length).toBeGreaterThan(10);
  const { options: words, drivers } = TEXTS[language].devices;
  const last = options.map((option) => option.slice(option.indexOf('_') + 1));
  expect(last.filter((option) => words[option] === undefined)).toEqual([]);
  const registry = source('peripherals/registry.rs');
  const told = [...registry.matchAll(/for name in \[([^\]]*)\]/g)].flatMap(([, names]) => [...(names ?? '').matchAll(/"([^"]+)"/g)].map(([, name]) => name ?? ''));
  expect(told).toContain('evdev');
  expect(told.filter((name) => drivers[name] === undefined)).toEqual([]);
});
