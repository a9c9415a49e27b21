// What is said where the machine's clock keeps the till from core.

import type { Language } from './text';

/** In the bar; what the clock says, and what to do, is the alarm's. */
export const SET_THE_CLOCK: Readonly<Record<Language, string>> = {
  zh: '本机时钟不对，连不上中心：请校准时间',
  en: 'Set this machine’s clock: core is not reached',
};
