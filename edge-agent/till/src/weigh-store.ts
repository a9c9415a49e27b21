// The weight of goods, read from the scale when the cashier asks: one that was read before may be of other goods.

import { get, Problem, type Weighing } from './api';
import { BASKET } from './intent';
import type { WeighHint } from './screen';
import { ask, carry, current, set } from './store';
import { type Weighable, weighed } from './weigh';

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

/**
 * Once at a time: goods that come to rest slowly are not to be sold twice. What is scanned meanwhile changes nothing; the question may
 * be given up (Esc) or answered by keyed grams, and then the weight is of nothing.
 */
export async function weigh(of: Weighable): Promise<void> {
  if (current().busy.includes(SCALE) || current().busy.includes(BASKET)) return;
  set({ busy: [...current().busy, SCALE] });
  await ask(async () => {
    const weighing = await read();
    const { screen } = current();
    if (screen.kind !== 'weigh' || screen.of !== of || screen.keyed !== '') return;
    if (weighing?.state === 'stable' && weighing.grams > 0) {
      await carry({ kind: 'basket', press: weighed(of, weighing.grams) });
    } else {
      set({ notice: { kind: 'hint', hint: weighing === null ? 'weigh_none' : WHY[weighing.state] } });
    }
  });
  set({ busy: current().busy.filter((path) => path !== SCALE) });
}
