// What the till says of the program's next release, and what that waits for.

import type { Update, UpdateWait } from './api';
import type { Language } from './text';

interface UpdateTexts {
  /** {0}: the release. */
  waits: string;
  switching: string;
  onTrial: string;
  trouble: string;
  and: string;
  waitsFor: Record<UpdateWait, string>;
}

export const UPDATE: Readonly<Record<Language, UpdateTexts>> = {
  zh: {
    waits: '更新 {0} 等待',
    switching: '正在更新到 {0}',
    onTrial: '新版本 {0} 试运行中',
    trouble: '无法更新',
    and: '、',
    waitsFor: {
      payment: '进行中的付款或退款',
      unsent: '未上传的记录',
      basket: '正在扫描的商品',
      scan: '顾客出示付款码或银行卡',
      printing: '打印',
      training: '结束培训',
      core: '恢复联网',
      keys: '收银台空闲',
    },
  },
  en: {
    waits: 'Update {0} waits for',
    switching: 'Updating to {0}',
    onTrial: 'Release {0} is on trial',
    trouble: 'No update',
    and: ', ',
    waitsFor: {
      payment: 'a payment or refund under way',
      unsent: 'records that are not sent yet',
      basket: 'the goods being scanned',
      scan: 'a customer’s code or card',
      printing: 'the printer',
      training: 'the end of training',
      core: 'the network',
      keys: 'nobody to press a key for a while',
    },
  },
};

/** How the next release stands, in a line; null if there is nothing to say. */
export function updateLine(language: Language, update: Update | null | undefined): string | null {
  if (!update) return null;
  const t = UPDATE[language];
  const named = (text: string, release: string): string => text.replace('{0}', release);
  if (update.on_trial) return named(t.onTrial, update.running);
  if (update.next !== null) {
    const waits = update.waits_for.map((wait) => t.waitsFor[wait] ?? wait).join(t.and);
    return waits === '' ? named(t.switching, update.next) : `${named(t.waits, update.next)}: ${waits}`;
  }
  return update.trouble === null ? null : `${t.trouble}: ${update.trouble}`;
}
