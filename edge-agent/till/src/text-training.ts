// What the screens of training say.

export interface TrainingTexts {
  name: string;
  /** In the bar, as long as it is on. */
  on: string;
  enter: string;
  enterHint: string;
  plots: string;
  leave: string;
  leaveHint: string;
}

export const TRAINING: Readonly<Record<'zh' | 'en', TrainingTexts>> = {
  zh: {
    name: '培训',
    on: '培训中 · 非真实交易',
    enter: '进入培训？',
    enterHint: '之后的操作都是演练：不收款、不上送、不开钱箱、不入账，小票注明“培训”。重启后自动退出。',
    plots: '金额末两位决定结果：01 余额不足，02 未知后成功，03 未知后失败，04 顾客不付款，05 没有网络，其他成功。',
    leave: '退出培训？',
    leaveHint: '之后的操作都是真实交易。',
  },
  en: {
    name: 'Training',
    on: 'TRAINING · nothing is real',
    enter: 'Begin training?',
    enterHint: 'Nothing is sold from then on: no money, nothing sent, no drawer, in no books; slips say TRAINING. A restart ends it.',
    plots: 'The last two digits choose the end: 01 no money, 02 unknown, then paid, 03 unknown, then not, 04 nobody pays, 05 no network, else paid.',
    leave: 'End training?',
    leaveHint: 'Whatever is keyed after this is real.',
  },
};
