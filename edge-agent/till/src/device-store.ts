// What the page of the devices asks of the agent.

import { type Device, type DevicesPage, freshKey, get, post } from './api';
import { changesOf, type Draft, takesKeys } from './devices';
import { ask, current, type Model, set } from './store';

export function selfTest(kind: string): Promise<void> {
  const key = freshKey();
  return ask(async () => {
    const { saw } = await post<{ saw: string }>(`/api/peripherals/${kind}/self-test`, {}, key);
    set({ notice: { kind: 'saw', of: kind, words: saw } });
  });
}

/** How often the devices are asked about while their page is open. */
const DEVICES_EVERY_MS = 2_000;

/** Asks about the devices until it is told to stop. */
export function watchDevices(): () => void {
  const look = (): Promise<void> => ask(async () => set({ devices: await get<DevicesPage>('/api/peripherals') }));
  void look();
  const timer = setInterval(() => void look(), DEVICES_EVERY_MS);
  return () => clearInterval(timer);
}

export function fillIn(draft: Draft): void {
  const { screen } = current();
  if (screen.kind === 'device-form') set({ screen: { ...screen, draft } });
}

/** One at a time: a device that hangs takes its time. */
async function once(path: string, body: unknown, took: (answer: never) => Partial<Model>): Promise<void> {
  if (current().busy.includes(path)) return;
  set({ busy: [...current().busy, path] });
  await ask(async () => {
    const change = took(await post<never>(path, body, freshKey()));
    set({ ...change, devices: await get<DevicesPage>('/api/peripherals') });
  });
  set({ busy: current().busy.filter((other) => other !== path) });
}

export function restartDevice(of: string): Promise<void> {
  return once(`/api/peripherals/${of}/restart`, {}, ({ state }: { state: Device['state'] }) => ({
    notice: { kind: 'restarted', of, health: state },
  }));
}

export const SEARCH = '/api/peripherals/search';

/** Asks around for what no look finds; it is in the list of what is plugged in then. */
export function search(): Promise<void> {
  return once(SEARCH, {}, ({ found }: { found: number }) => ({ notice: { kind: 'searched', found } }));
}

const SETTINGS = '/api/peripherals/settings';

export async function configure(of: string, draft: Draft, sure: boolean): Promise<void> {
  const { devices } = current();
  // What was said yes to and is under way is not asked about again.
  if (devices === null || current().busy.includes(SETTINGS)) return;
  const changes = changesOf(devices, of, draft);
  if (!sure && takesKeys(devices, of, draft) && Object.keys(changes).length > 0) {
    return set({ screen: { kind: 'device-form', of, draft, sure: true } });
  }
  const body = { version: devices.settings.version, changes };
  await once(SETTINGS, body, (answer: { applied: string[]; hanging: string[] }) => ({
    notice: { kind: 'configured', ...answer },
    screen: current().screen.kind === 'device-form' ? { kind: 'device', of } : current().screen,
  }));
}
