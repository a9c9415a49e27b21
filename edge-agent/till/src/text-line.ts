// What the till says of its line to core.

import type { Language } from './text';

export interface LineTexts {
  /** When nobody knows since when. */
  offline: string;
  /** {0}: since when. */
  locked: string;
  /** {0}: when the oldest of what is unsent was written down. */
  oldest: string;
}

export const LINE: Readonly<Record<Language, LineTexts>> = {
  zh: { offline: '离线', locked: '已被停用 自 {0} · 不能收款', oldest: '最早 {0}' },
  en: { offline: 'Offline', locked: 'Shut out since {0} · no sales', oldest: 'oldest {0}' },
};

/** What core has shut out is told of the terminal, and of a request of its. */
export const LINE_PROBLEMS: Readonly<Record<Language, Record<string, string>>> = { zh: problems('zh'), en: problems('en') };

function problems(language: Language): Record<string, string> {
  const words = {
    zh: '本终端已被中心停用，在这里收的款不会入账，请不要收款。请联系负责人：在管理后台查看本终端；没有吊销的，生成认领码后由技术人员重新认领。已收的款记录都在本机，不会丢失。',
    en: 'Core has shut this terminal out and would book nothing that is taken here: take no money. Call who runs the shop; a terminal that is not revoked on the dashboard is enrolled again with a claim code. What was taken stays on this terminal.',
  }[language];
  return { terminal_locked: words, unauthenticated: words };
}
