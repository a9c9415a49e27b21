// What the page of the paired devices asks of the agent. Only the till itself may.

import { freshKey, get, type PairedPage, type PairingCode, post, type Role } from './api';
import { ask, current, set } from './store';

const PAIRED = '/api/paired';
const CODE = `${PAIRED}/code`;
/** How often they are asked about while their page is open. */
const EVERY_MS = 1_000;

/** One at a time: a second code would take the place of the one that comes on show. */
export async function pair(name: string, role: Role): Promise<void> {
  if (current().busy.includes(CODE)) return;
  set({ busy: [...current().busy, CODE] });
  await ask(async () => {
    const pairing = await post<PairingCode>(CODE, { name, role }, freshKey());
    if (current().screen.kind === 'pair-name') set({ pairing, screen: { kind: 'pair-code', name } });
    // Nobody waits for it any more.
    else await withdraw(pairing.id);
  });
  set({ busy: current().busy.filter((path) => path !== CODE) });
}

export async function withdraw(id: string): Promise<void> {
  await ask(() => post(`${CODE}/cancel`, { id }, freshKey()));
}

export async function revoke(id: string): Promise<void> {
  await ask(() => post(`${PAIRED}/${id}/revoke`, {}, freshKey()));
  await ask(async () => set({ paired: await get<PairedPage>(PAIRED) }));
}

/** Asks about the devices until it is told to stop. */
export function watchPaired(): () => void {
  const look = (): Promise<void> => ask(async () => {
    const paired = await get<PairedPage>(PAIRED);
    set({ paired });
    const { screen, pairing } = current();
    // There may be another code by now, of another page.
    const isOfThis = paired.offer?.id === pairing?.id;
    const device = paired.devices.find(({ id }) => id === paired.offer?.device);
    if (screen.kind === 'pair-code' && isOfThis && device !== undefined) {
      set({ pairing: null, screen: { kind: 'paired', at: paired.devices.indexOf(device) }, notice: { kind: 'paired', name: device.name } });
    }
  });
  void look();
  const timer = setInterval(() => void look(), EVERY_MS);
  return () => clearInterval(timer);
}
