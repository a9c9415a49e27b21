// What the screens of shifts say, and why the agent refuses something about one.

export interface ShiftTexts {
  none: string;
  batch: string;
  signOn: string;
  close: string;
  paidIn: string;
  paidOut: string;
  reprint: string;
  number: string;
  numberHint: string;
  float: string;
  floatHint: string;
  why: string;
  reasons: [string, string, string, string];
  counted: string;
  countHint: string;
  closeSure: string;
  expected: string;
  over: string;
  short: string;
  balanced: string;
  underWay: string;
  elsewhere: string;
  declined: string;
  inDoubt: string;
  by: string;
  byHint: string;
  doubtSure: string;
}

export const SHIFT: Readonly<Record<'zh' | 'en', ShiftTexts>> = {
  zh: {
    none: '尚未签到',
    batch: '批次',
    signOn: '签到',
    close: '结算',
    paidIn: '存入现金',
    paidOut: '取出现金',
    reprint: '重打结算单',
    number: '操作员号',
    numberHint: '输入操作员号，按确认',
    float: '备用金',
    floatHint: '清点钱箱里的备用金，输入金额，按确认',
    why: '原因？',
    reasons: ['零钱', '缴款', '采购', '其他'],
    counted: '实点现金',
    countHint: '清点钱箱里的全部现金，输入总额，按确认',
    closeSure: '确认结算？',
    expected: '应有现金',
    over: '长款',
    short: '短款',
    balanced: '相符',
    underWay: '退款处理中',
    elsewhere: '别处退款',
    declined: '前批离线银行卡被拒',
    inDoubt: '存疑',
    by: '经手人',
    byHint: '换人经手就输入其操作员号，按确认',
    doubtSure: '联系不上中心，以下交易结果不明。仍要结算？',
  },
  en: {
    none: 'Nobody has signed on',
    batch: 'Batch',
    signOn: 'Sign on',
    close: 'Close batch',
    paidIn: 'Cash in',
    paidOut: 'Cash out',
    reprint: 'Reprint last report',
    number: 'Cashier’s number',
    numberHint: 'Key in your number, then Enter',
    float: 'Float',
    floatHint: 'Count the change in the drawer, key in the sum, then Enter',
    why: 'What for?',
    reasons: ['Change', 'To the safe', 'Purchase', 'Other'],
    counted: 'Cash counted',
    countHint: 'Count all the cash in the drawer, key in the sum, then Enter',
    closeSure: 'Close the batch?',
    expected: 'Cash expected',
    over: 'Over',
    short: 'Short',
    balanced: 'Balanced',
    underWay: 'Refunds under way',
    elsewhere: 'Given back elsewhere',
    declined: 'Declined of earlier batches',
    inDoubt: 'In doubt',
    by: 'By',
    byHint: 'If it is somebody else, key their number, then Enter',
    doubtSure: 'Core is away and these are in doubt. Close all the same?',
  },
};

/** Why the agent refuses something about one, or wants to know who it is. */
export const SHIFT_PROBLEMS: Readonly<Record<'zh' | 'en', Record<string, string>>> = {
  zh: {
    shift_open: '已经有人签到，请先结算。',
    no_shift: '请先签到。',
    other_shift: '班次已在别处变更，没有执行。请重新查看。',
    shift_busy: '还有交易没有完成，现在不能结算：等待、查询或取消它。',
    shift_in_doubt: '联系不上中心，有交易结果不明。',
    no_report: '本机还没有结算过。',
    cashier_unknown: '本机没有这个操作员号。',
    pin_needed: '请输入密码。',
    pin_wrong: '密码不正确，还可再试 {0} 次。',
    pin_locked: '密码输错次数过多，已锁定。',
    pin_invalid: '密码是 4 至 8 位数字。',
    pin_uncheckable: '无法核对密码，请在管理后台重设密码。',
    supervisor_needed: '需要主管授权。',
    not_a_supervisor: '这不是主管的操作员号。',
  },
  en: {
    shift_open: 'Somebody has signed on already. Close that batch first.',
    no_shift: 'Sign on first.',
    other_shift: 'The shift was changed elsewhere: nothing was done. Look at the screen again.',
    shift_busy: 'A sale is not finished, so the batch cannot be closed now: wait, query it or cancel it.',
    shift_in_doubt: 'Core is away, and some sales are in doubt.',
    no_report: 'No batch has been closed on this terminal.',
    cashier_unknown: 'No cashier has this number at this till.',
    pin_needed: 'Key in the PIN.',
    pin_wrong: 'The PIN is wrong. Tries left before it is locked: {0}.',
    pin_locked: 'Locked.',
    pin_invalid: 'A PIN has 4 to 8 digits.',
    pin_uncheckable: 'The PIN cannot be checked: have a new one set on the dashboard.',
    supervisor_needed: 'A supervisor must approve this.',
    not_a_supervisor: 'This is not a supervisor’s number.',
  },
};
