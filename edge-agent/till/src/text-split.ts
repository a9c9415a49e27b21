// What the screens of a split payment say.

import type { SplitState } from './api';

export interface SplitTexts {
  title: string;
  /** Before the number of how many are not finished, in the bar. */
  open: string;
  total: string;
  paid: string;
  rest: string;
  part: string;
  firstHint: string;
  hint: string;
  inTheWay: string;
  look: string;
  giveUp: string;
  back: string;
  backSure: string;
  backHint: string;
  states: Record<SplitState, string>;
}

export const SPLIT_HINTS = {
  zh: {
    split_part: '请输入第一次付的金额，须小于总额',
    split_held: '分次付款不用挂单：按 Esc 离开，之后可继续',
  },
  en: {
    split_part: 'Key in the first part; it is less than the total',
    split_held: 'A split payment need not be put aside: Esc leaves it as it is',
  },
} as const;

/** Why the agent refuses something about one. */
export const SPLIT_PROBLEMS = {
  zh: {
    split_changed: '这笔分次付款已变更，没有收款。请重新查看。',
    split_busy: '分次付款还有一笔没有结果，不能再收：等待、查询或取消它。',
    split_amount: '本次金额须小于总额，且不超过待付金额。',
    split_full: '这笔分次付款次数已满，请付清或退回。',
    split_over: '这笔分次付款不能再这样操作。',
  },
  en: {
    split_changed: 'This split payment was changed elsewhere; nothing was collected. Look again.',
    split_busy: 'A part of the split payment is not settled: wait, query it or cancel it before you collect more.',
    split_amount: 'A part is less than the total, and no more than the rest.',
    split_full: 'This split payment has as many parts as there may be. Finish it, or give it back.',
    split_over: 'Nothing of the kind can be done with this split payment any more.',
  },
} as const;

export const SPLIT: Readonly<Record<'zh' | 'en', SplitTexts>> = {
  zh: {
    title: '分次付款',
    open: '分次付款未完成',
    total: '总额',
    paid: '已付',
    rest: '待付',
    part: '本次金额',
    firstHint: '输入第一次付的金额，按确认，再选收款方式',
    hint: '直接按确认：收全部待付。现金可多收，找零',
    inTheWay: '有一笔没有结果：先等待、查询或取消它，再收其余',
    look: '查看这笔',
    giveUp: '放弃并退回',
    back: '整单撤销',
    backSure: '退回已付的全部金额？',
    backHint: '每笔按原方式退回；现金从钱箱退。',
    states: {
      open: '未付清', paid: '已付清', giving_back: '正在退回', given_back: '已全部退回', partly_given_back: '有部分未能退回',
    },
  },
  en: {
    title: 'Split payment',
    open: 'Split not finished',
    total: 'Total',
    paid: 'Paid',
    rest: 'Rest',
    part: 'This part',
    firstHint: 'Key in what is paid first, then Enter, then how it is paid',
    hint: 'Enter alone takes all of the rest. Cash over it gives change',
    inTheWay: 'One part is not settled: wait, query it or cancel it before the rest is collected',
    look: 'Look at it',
    giveUp: 'Give up and pay back',
    back: 'Void all of it',
    backSure: 'Give back all that was paid?',
    backHint: 'Each part goes back the way it came; cash from the drawer.',
    states: {
      open: 'Not all paid', paid: 'All paid', giving_back: 'Being given back', given_back: 'All given back',
      partly_given_back: 'Some could not be given back',
    },
  },
};
