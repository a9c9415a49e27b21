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

/** That core has shut the terminal out, or does not know its certificate, is told of the terminal, and of a request of its. */
export const LINE_PROBLEMS: Readonly<Record<Language, Record<string, string>>> = { zh: problems('zh'), en: problems('en') };

function problems(language: Language): Record<string, string> {
  const locked = {
    zh: '本终端已被中心停用，恢复之前在这里收的款不会入账，请不要收款。请联系负责人：商户被暂停的，由平台恢复；本终端被吊销的，在管理后台另建终端；都不是的，生成认领码后由技术人员重新认领。已收的款记录都在本机，不会丢失。',
    en: 'Core has shut this terminal out and books nothing that is taken here until it lets the terminal in: take no money. Call who runs the shop. A merchant who is suspended is let in by the platform; for a terminal that is revoked a new one is made on the dashboard; any other is enrolled again with a claim code. What was taken stays on this terminal.',
  }[language];
  const unknown = {
    zh: '中心认不出本终端的证书。现金可以照收，记录保存在本机，中心认可后自动上送。请联系负责人：长时间不恢复的，在管理后台为本终端生成认领码，由技术人员重新认领。',
    en: 'Core does not know this terminal by its certificate. Cash can be taken; it is kept on this terminal until core has it. Call who runs the shop; if this lasts, the terminal is enrolled again with a claim code from the dashboard.',
  }[language];
  return { terminal_locked: locked, terminal_shut_out: locked, unauthenticated: unknown };
}
