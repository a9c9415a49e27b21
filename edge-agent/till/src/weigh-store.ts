// The weight of goods, read from the scale when the cashier asks: one that was read before may be of other goods.

import { get, Problem, type Weighing } from './api';
import { HOME, type WeighHint } from './screen';
import { ask, carry, current, set } from './store';

export const SCALE = '/api/scale';

/** What is no weight that could be sold. */
const WHY: Readonly<Record<Weighing['state'], WeighHint>> = {
  stable: 'weigh_empty', in_motion: 'weigh_moves', over_capacity: 'weigh_over', under_zero: 'weigh_zero', not_zeroed: 'weigh_zero',
};

async function read(): Promise<Weighing | null> {
  try {
    return await get<Weighing>(SCALE);
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  }
}

/** Once at a time: goods that come to rest slowly are not to be sold twice. */
export async function weigh(goods: string): Promise<void> {
  if (current().busy.includes(SCALE)) return;
  const asking = current().screen;
  set({ busy: [...current().busy, SCALE] });
  await ask(async () => {
    const weighing = await read();
    // Whoever went on meanwhile, or keyed the weight, does not want it any more.
    if (current().screen !== asking) return;
    if (weighing?.state === 'stable' && weighing.grams > 0) {
      set({ screen: HOME, notice: null });
      await carry({ kind: 'basket', press: { weighed: { goods, grams: weighing.grams } } });
    } else {
      set({ notice: { kind: 'hint', hint: weighing === null ? 'weigh_none' : WHY[weighing.state] } });
    }
  });
  set({ busy: current().busy.filter((path) => path !== SCALE) });
}
