// What is said of a receipt of another till of the shop.

export const ELSEWHERE_PROBLEMS = {
  zh: {
    receipt_elsewhere: '这是别的收银机的小票，现在联系不上中心：请到那台机器退款，或联网后再扫一次。',
    receipt_unknown: '中心没有本店的这笔交易：可能那台收银机还没联网，或是别家门店的小票；请到那里退款。',
    cash_elsewhere: '这笔是在别的收银机收的现金：请到那台机器退现金，或由店长在管理后台退款。',
    not_in_state: '中心说这笔交易现在不能这样操作。',
  },
  en: {
    receipt_elsewhere: 'This is a receipt of another till, and core cannot be reached: refund it there, or scan it again once this till is online.',
    receipt_unknown: 'Core has no such sale of this shop: the till that made it may be without a network, or it is another shop’s. Refund it there.',
    cash_elsewhere: 'This was paid in cash at another till: give the cash back there, or the manager refunds it on the dashboard.',
    not_in_state: 'Core says that this cannot be done with the sale now.',
  },
} as const;

export interface ElsewhereTexts {
  /** Beside the number. */
  mark: string;
  /** Under the state: what may be done. */
  hint: string;
  /** The same, where nothing is left to give back. */
  nothing: string;
}

export const ELSEWHERE: Readonly<Record<'zh' | 'en', ElsewhereTexts>> = {
  zh: { mark: '别的收银机', hint: '本店别的收银机收的款：这里只能退款（F5），需要联网。', nothing: '本店别的收银机的交易，现在没有可退的款。' },
  en: { mark: 'another till', hint: 'Another till of this shop took it: here it can be refunded (F5), with a network, and nothing else.', nothing: 'Another till of this shop made it, and nothing of it can be given back now.' },
};
