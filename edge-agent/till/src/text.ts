// Every word the cashier reads, in both languages.

import type { Action, Method, PaidBy, SaleState } from './api';
import type { FunctionKey, Hint, Purpose } from './screen';
import { ALARMS } from './text-alarms';
import { BASKET, BASKET_PROBLEMS, type BasketTexts, WEIGH_HINTS } from './text-basket';
import { CARD, CARD_PROBLEMS, type CardTexts } from './text-card';
import { DEVICES, type DeviceTexts } from './text-devices';
import { ELSEWHERE_PROBLEMS } from './text-elsewhere';
import { LINE, LINE_PROBLEMS, type LineTexts } from './text-line';
import { OFFLINE, OFFLINE_PROBLEMS, type OfflineTexts } from './text-offline';
import { PAIRED, PAIRED_PROBLEMS, type PairedTexts } from './text-paired';
import { QUOTE, QUOTE_HINTS, QUOTE_PROBLEMS, type QuoteTexts } from './text-quote';
import { RECEIVED, type ReceivedTexts } from './text-received';
import { SELF_TESTED } from './text-selftest';
import { SHIFT, SHIFT_PROBLEMS, type ShiftTexts } from './text-shift';
import { SPLIT, SPLIT_HINTS, SPLIT_PROBLEMS, type SplitTexts } from './text-split';
import { TRAINING, type TrainingTexts } from './text-training';

export type Language = 'zh' | 'en';

export interface Texts {
  online: string;
  /** {0}: the time it went offline. */
  offlineSince: string;
  line: LineTexts;
  agentGone: string;
  /** {0}: how many, {1}: sums. */
  unsent: string;
  unsentCount: string;
  allSent: string;
  diskFull: string;
  syncStopped: string;
  basketLost: string;
  amount: string;
  recent: string;
  noSales: string;
  chooseMethod: string;
  methods: Record<Method, string>;
  paidBy: Record<PaidBy, string>;
  tendered: string;
  change: string;
  exact: string;
  takeCash: string;
  awaitScan: string;
  awaitScanHint: string;
  find: Record<Purpose, string>;
  findHint: string;
  noneFound: string;
  functions: Record<FunctionKey, string>;
  actions: Record<Action, string>;
  states: Record<SaleState, string>;
  stateHints: Partial<Record<SaleState, string>>;
  cancelling: string;
  paidLate: string;
  refunded: string;
  refundUnderWay: string;
  refundFailed: string;
  notSynced: string;
  byCore: string;
  timeLost: string;
  receipts: { queued: string; failed: string };
  next: string;
  confirm: { void: string; cancel: string };
  confirmHint: { void: string; cancel: string };
  shift: ShiftTexts;
  pin: { title: string; hint: string };
  supervisor: { title: string; number: string; hint: string; approved: string };
  refundTitle: string;
  refundAll: string;
  refundSure: string;
  left: string;
  yes: string;
  no: string;
  back: string;
  enter: string;
  clear: string;
  working: string;
  silence: string;
  hints: Record<Hint, string>;
  receiptFailed: string;
  scanUnexpected: string;
  scanOver: string;
  held: {
    title: string;
    none: string;
    hint: string;
    take: string;
    drop: string;
    dropSure: string;
    dropHint: string;
    /** Before the number of what was taken up. */
    taken: string;
    reference: string;
    referenceHint: string;
    closeSure: string;
  };
  training: TrainingTexts; received: ReceivedTexts;
  info: string;
  peripherals: string;
  peripheralStates: { ok: string; warning: string; failed: string };
  peripheralKinds: Record<string, string>;
  selfTest: string;
  /** By the kind of the device. */
  selfTested: Readonly<Record<string, string>>;
  drawer: string;
  books: string;
  booksAgree: string;
  booksDisagree: string;
  booksUnknown: string;
  syncNow: string;
  syncsNow: string;
  syncsLater: string;
  basket: BasketTexts;
  card: CardTexts;
  split: SplitTexts;
  quote: QuoteTexts;
  offline: OfflineTexts;
  devices: DeviceTexts;
  paired: PairedTexts;
  alarms: string;
  noAlarms: string;
  /** By their codes. */
  alarmWords: Readonly<Record<string, string>>;
  links: string;
  /** {0}: journal entries that core holds, {1}: all. */
  journalSent: string;
  problems: Record<string, string>;
  problemElse: string;
  trace: string;
}

const zh: Texts = {
  online: '在线',
  offlineSince: '离线 自 {0}',
  line: LINE.zh,
  agentGone: '收银服务无应答',
  unsent: '未上送 {0} 笔 · 风险 {1}',
  unsentCount: '未上送 {0} 笔',
  allSent: '已全部上送',
  diskFull: '磁盘故障，停止收款',
  syncStopped: '上送受阻',
  basketLost: '重启前的商品已清空：先查上一笔与挂单，再重扫',
  amount: '金额',
  recent: '最近交易',
  noSales: '还没有交易',
  chooseMethod: '选择收款方式',
  methods: { cash: '现金', scan: '扫顾客付款码', code: '出示二维码', card: '银行卡' },
  paidBy: { cash: '现金', scan: '顾客付款码', code: '本店二维码', card: '银行卡', offline: '钱包离线码', stored: '银行卡离线' },
  tendered: '实收',
  change: '找零',
  exact: '刚好',
  takeCash: '确认收现金',
  awaitScan: '请扫描顾客的付款码',
  awaitScanHint: '用扫码枪扫描，或输入码下的数字后按确认；按 Esc 返回',
  find: { void: '撤销：选择交易', query: '查询：选择交易', refund: '退款：选择交易', reprint: '重打小票：选择交易', acknowledge: '待知悉：选择交易' },
  findHint: '输入流水号或桌号、按 ↑↓ 选择，或扫描小票',
  noneFound: '没有符合的交易',
  functions: { sale: '消费', code: '二维码', void: '撤销', query: '查询', refund: '退款', reprint: '重打', confirm: '确认', cancel: '取消', acknowledge: '已知悉', shift: '签到/结算', hold: '挂单/取单' },
  actions: { query: '查询结果', confirm: '输入确认字母', cancel: '取消交易', void: '撤销', refund: '退款', reprint: '重打小票', acknowledge: '已知悉' },
  states: {
    sending: '正在提交', created: '正在提交', presenting: '等待顾客扫码', submitting: '正在提交', pending: '等待顾客确认',
    unknown: '结果未知', succeeded: '已收款', partly_refunded: '部分退款', refunded: '已退款', voided: '已撤销', failed: '未成功',
    reversed: '已冲正', expired: '已过期', cancelled: '已取消',
  },
  stateHints: {
    sending: '已记录在本机，会自动重发，不会重复扣款。',
    unknown: '渠道没有答复，系统正在查询。请勿重复收款，可按 F4 查询结果。一直未知时，由一人在管理后台处理，另一人确认。',
    pending: '请顾客在手机上确认。',
    failed: '没有扣款。',
    reversed: '没有扣款。',
    expired: '二维码已失效。',
  },
  cancelling: '正在取消…',
  paidLate: '迟到支付',
  refunded: '已退',
  refundUnderWay: '退款处理中',
  refundFailed: '退款失败',
  notSynced: '未上送',
  byCore: '中心时间（本机钟不准）',
  timeLost: '时间不明（本机钟不准）',
  receipts: { queued: '小票打印中', failed: '小票未打印' },
  next: '下一笔',
  confirm: { void: '撤销这笔交易？', cancel: '取消这笔交易？' },
  confirmHint: { void: '全额退回给顾客。', cancel: '二维码将失效。若顾客已付款，款项不会丢失。' },
  shift: SHIFT.zh,
  pin: { title: '密码', hint: '输入密码，按确认' },
  supervisor: { title: '主管授权', number: '主管操作员号', hint: '请主管输入操作员号，按确认', approved: '批准人' },
  refundTitle: '退款金额',
  refundAll: '直接按确认：退还全部余额',
  refundSure: '确认退款？',
  left: '可退',
  yes: '确认',
  no: '不，返回',
  back: '返回',
  enter: '确认',
  clear: '清除',
  working: '请稍候…',
  silence: '没有应答，正在重试。不会重复收款。',
  hints: {
    key_amount: '请先输入金额',
    code_short: '付款码至少有 8 位数字',
    tendered_small: '实收金额不足',
    refund_large: '超过可退金额',
    not_offered: '这笔交易现在不能这样操作',
    none_found: '没有符合的交易',
    key_count: '请先清点并输入金额；没有现金就输入 0',
    other_shift: '班次已在别处变更，请重新查看',
    in_training: '培训中没有签到、结算、挂单和分次付款',
    none_held: '没有挂单',
    receipt_scanned: '这是小票，不是付款码。要退款请先按 Esc 返回。',
    training_over: '培训已结束，之后都是真实交易。',
    ...SPLIT_HINTS.zh,
    ...QUOTE_HINTS.zh, ...WEIGH_HINTS.zh,
  },
  receiptFailed: '小票没有打印：',
  scanUnexpected: '扫到的码现在用不上',
  scanOver: '不再等待扫码',
  held: {
    title: '挂单：选择取单',
    none: '没有挂单',
    hint: '挂单不是交易：取单后收款，或者作废。结算时剩下的会作废。',
    take: '取单',
    drop: '作废',
    dropSure: '作废这个挂单？',
    dropHint: '没有收过款，作废后不能恢复。',
    taken: '挂单',
    reference: '桌号/单号',
    referenceHint: '最多 32 个字；可以留空',
    closeSure: '以上挂单将作废。',
  },
  training: TRAINING.zh, received: RECEIVED.zh,
  info: '终端状态',
  peripherals: '外设',
  peripheralStates: { ok: '正常', warning: '注意', failed: '故障' },
  peripheralKinds: { printer: '打印机', display: '客显', scanner: '扫码枪', drawer: '钱箱', scale: '电子秤', speaker: '音箱', card_reader: '读卡器' },
  selfTest: '自检',
  selfTested: SELF_TESTED.zh,
  drawer: '开钱箱',
  books: '对账',
  booksAgree: '本机与中心账目一致',
  booksDisagree: '本机与中心账目不一致',
  booksUnknown: '中心没有应答，暂时无法核对',
  syncNow: '立即同步',
  syncsNow: '正在把未上传的交易发往中心',
  syncsLater: '现在没有网络：联网后会自动上传，不会丢失',
  basket: BASKET.zh,
  card: CARD.zh,
  split: SPLIT.zh,
  quote: QUOTE.zh,
  offline: OFFLINE.zh,
  devices: DEVICES.zh,
  paired: PAIRED.zh,
  alarms: '告警',
  noAlarms: '没有告警',
  alarmWords: ALARMS.zh,
  links: '连接',
  journalSent: '流水已上送 {0}/{1}',
  problems: {
    ...SPLIT_PROBLEMS.zh,
    ...QUOTE_PROBLEMS.zh,
    ...PAIRED_PROBLEMS.zh,
    ...LINE_PROBLEMS.zh,
    disk_full: '本机磁盘已满或故障，没有收款。请联系管理人员。',
    journal_failed: '本机无法记录，没有收款。请联系管理人员。',
    core_unreachable: '联系不上中心，操作没有执行。现金收款不受影响。',
    refund_exceeds: '超过可退金额。',
    not_now: '这笔交易现在不能这样操作。',
    sale_not_found: '没有找到这笔交易。',
    scan_not_awaited: '请先输入金额，再扫描付款码。',
    ...ELSEWHERE_PROBLEMS.zh,
    barcode_unknown: '商品目录里没有这个条码 {0}：请输入金额，或请管理人员添加。',
    ...CARD_PROBLEMS.zh,
    ...OFFLINE_PROBLEMS.zh,
    goods_scanned: '这是商品，现在要扫顾客的付款码；要加商品请先返回。',
    ...BASKET_PROBLEMS.zh,
    held_not_found: '这个挂单已经收款或作废。',
    held_full: '挂单太多，请先收款或作废几个。',
    held_left: '还有挂单，结算会把它们作废。',
    reference_invalid: '桌号/单号最多 32 个字，只能一行。',
    training: '正在培训，请先退出培训。',
    not_training: '培训已结束，刚才的操作没有执行。之后都是真实交易。',
    training_busy: '还有交易没有完成，现在不能进入或退出培训。',
    ...SHIFT_PROBLEMS.zh,
    code_invalid: '这不是可用的付款码，请顾客刷新后再扫。',
    code_not_recognised: '没有支付渠道认得这个付款码。',
    code_wrong_direction: '这是收款码，不是付款码，请顾客打开付款码。',
    code_expired: '付款码已过期，请顾客刷新后再扫。',
    limit_exceeded: '超过顾客的支付限额。',
    not_permitted: '这位顾客不能这样支付。',
    offline: '联系不上中心，没有扣款。现金收款不受影响。',
    never_sent: '中心没有收到这笔交易，没有扣款。',
    void_too_late: '撤销只限当天且批次结算之前，请改用退款。',
    batch_closing: '收单行正在结算，没有扣款也没有退款。请等两分钟再试，刷卡需重新刷。',
    channel_cannot: '这个支付渠道不支持这样操作。',
    not_found: '中心没有这个记录。',
    amount_invalid: '金额不正确。',
    tendered_too_small: '实收金额不足。',
    peripheral_failed: '外设没有响应，请检查连接。',
    idempotency_key_reused: '这个操作已经用别的内容提交过，请重新开始。',
    settings_locked: '这里不能更改设置。',
    settings_changed: '配置文件已在别处更改，请重新查看后再改。',
    settings_invalid: '没有保存，设置不正确：',
    foreign_origin: '此页面不是从本机收银服务打开的。',
    not_from_the_till: '此页面不是从本机收银服务打开的。',
    stopping: '收银服务正在重启。',
    expired: '已过期。',
    declined: '渠道拒绝了这笔支付。',
    insufficient_funds: '顾客余额不足。',
    channel_unavailable: '支付渠道暂时不可用。',
    rule_failed: '店铺的销售规则没有结果，未收款。请联系店长。',
  },
  problemElse: '操作没有完成。',
  trace: '追踪号',
};

const en: Texts = {
  online: 'Online',
  offlineSince: 'Offline since {0}',
  line: LINE.en,
  agentGone: 'Till service does not answer',
  unsent: '{0} unsent · at risk {1}',
  unsentCount: '{0} unsent',
  allSent: 'All sent',
  diskFull: 'Disk failure: no sales',
  syncStopped: 'Sync is stuck',
  basketLost: 'Basket lost in a restart: look at the last sale and what is put aside, then scan again',
  amount: 'Amount',
  recent: 'Recent sales',
  noSales: 'No sales yet',
  chooseMethod: 'How does the customer pay?',
  methods: { cash: 'Cash', scan: 'Scan customer’s code', code: 'Show our code', card: 'Card' },
  paidBy: { cash: 'Cash', scan: 'Customer’s code', code: 'Our code', card: 'Card', offline: 'Wallet, offline', stored: 'Card, offline' },
  tendered: 'Received',
  change: 'Change',
  exact: 'Exact',
  takeCash: 'Take cash',
  awaitScan: 'Scan the customer’s code',
  awaitScanHint: 'Use the scanner, or type the digits under the code and Enter; Esc goes back',
  find: { void: 'Void: choose a sale', query: 'Query: choose a sale', refund: 'Refund: choose a sale', reprint: 'Reprint: choose a sale', acknowledge: 'To be seen: choose a sale' },
  findHint: 'Type its number or its table, use ↑↓, or scan the receipt',
  noneFound: 'No sale fits',
  functions: { sale: 'Sale', code: 'Code', void: 'Void', query: 'Query', refund: 'Refund', reprint: 'Reprint', confirm: 'Confirm', cancel: 'Cancel', acknowledge: 'Seen', shift: 'Shift', hold: 'Hold' },
  actions: { query: 'Ask again', confirm: 'Type the letters', cancel: 'Cancel sale', void: 'Void', refund: 'Refund', reprint: 'Reprint', acknowledge: 'I have seen it' },
  states: {
    sending: 'Sending', created: 'Sending', presenting: 'Customer scans', submitting: 'Sending', pending: 'Customer confirms',
    unknown: 'Result unknown', succeeded: 'Paid', partly_refunded: 'Partly refunded', refunded: 'Refunded', voided: 'Voided',
    failed: 'Not paid', reversed: 'Reversed', expired: 'Expired', cancelled: 'Cancelled',
  },
  stateHints: {
    sending: 'Kept on this terminal and sent again by itself. Nobody is charged twice.',
    unknown: 'The channel has not answered; Saoma keeps asking. Do not collect again: ask again with F4. If it stays unknown, one person settles it in the dashboard and a second confirms.',
    pending: 'Ask the customer to confirm on the phone.',
    failed: 'Nothing was charged.',
    reversed: 'Nothing was charged.',
    expired: 'The code is over.',
  },
  cancelling: 'Being cancelled…',
  paidLate: 'paid late',
  refunded: 'Given back',
  refundUnderWay: 'refund under way',
  refundFailed: 'refund failed',
  notSynced: 'unsent',
  byCore: 'core’s time (this clock is off)',
  timeLost: 'time not known (this clock is off)',
  receipts: { queued: 'receipt waits', failed: 'receipt not printed' },
  next: 'Next sale',
  confirm: { void: 'Void this sale?', cancel: 'Cancel this sale?' },
  confirmHint: {
    void: 'The whole amount goes back to the customer.',
    cancel: 'The code stops working. If the customer has paid, no money is lost.',
  },
  shift: SHIFT.en,
  pin: { title: 'PIN', hint: 'Key in the PIN, then Enter' },
  supervisor: { title: 'A supervisor approves', number: 'Supervisor’s number', hint: 'A supervisor keys in the number, then Enter', approved: 'approved by' },
  refundTitle: 'Amount to refund',
  refundAll: 'Enter alone refunds all that is left',
  refundSure: 'Refund this?',
  left: 'left',
  yes: 'Yes',
  no: 'No, back',
  back: 'Back',
  enter: 'Enter',
  clear: 'Clear',
  working: 'One moment…',
  silence: 'No answer, trying again. Nobody pays twice.',
  hints: {
    key_amount: 'Key in the amount first',
    code_short: 'A code has 8 digits at least',
    tendered_small: 'That is less than the amount',
    refund_large: 'That is more than is left',
    not_offered: 'Not possible for this sale now',
    none_found: 'No sale fits',
    key_count: 'Count and key the sum first; 0 if the drawer is empty',
    other_shift: 'The shift was changed elsewhere. Look again.',
    in_training: 'Training has no shifts and no split payment, and nothing is put aside',
    none_held: 'Nothing is put aside',
    receipt_scanned: 'That is a receipt, not a payment code. To refund it, go back (Esc) first.',
    training_over: 'Training is over. Whatever is keyed now is real.',
    ...SPLIT_HINTS.en,
    ...QUOTE_HINTS.en, ...WEIGH_HINTS.en,
  },
  receiptFailed: 'The receipt was not printed: ',
  scanUnexpected: 'That code is of no use right now',
  scanOver: 'No longer waiting for a scan',
  held: {
    title: 'Put aside: take one up',
    none: 'Nothing is put aside',
    hint: 'None of these is a sale: take it up to sell it, or drop it. Closing the batch drops what is left.',
    take: 'Take up',
    drop: 'Drop',
    dropSure: 'Drop this?',
    dropHint: 'Nothing was paid for it, and it does not come back.',
    taken: 'Held',
    reference: 'Table/order',
    referenceHint: '32 characters at most; may be empty',
    closeSure: 'These are put aside and will be dropped.',
  },
  training: TRAINING.en, received: RECEIVED.en,
  info: 'This terminal',
  peripherals: 'Peripherals',
  peripheralStates: { ok: 'works', warning: 'attention', failed: 'failed' },
  peripheralKinds: { printer: 'Printer', display: 'Display', scanner: 'Scanner', drawer: 'Drawer', scale: 'Scale', speaker: 'Speaker', card_reader: 'Card reader' },
  selfTest: 'Self-test',
  selfTested: SELF_TESTED.en,
  drawer: 'Open drawer',
  books: 'Compare books',
  booksAgree: 'This terminal’s and core’s books agree',
  booksDisagree: 'This terminal’s and core’s books differ',
  booksUnknown: 'Core does not answer: cannot compare now',
  syncNow: 'Send unsent sales now',
  syncsNow: 'What core does not have is being sent',
  syncsLater: 'There is no network now: it is sent by itself once there is, and nothing is lost',
  basket: BASKET.en,
  card: CARD.en,
  split: SPLIT.en,
  quote: QUOTE.en,
  offline: OFFLINE.en,
  devices: DEVICES.en,
  paired: PAIRED.en,
  alarms: 'Alarms',
  noAlarms: 'No alarms',
  alarmWords: ALARMS.en,
  links: 'Links',
  journalSent: 'journal sent: {0} of {1}',
  problems: {
    ...SPLIT_PROBLEMS.en,
    ...QUOTE_PROBLEMS.en,
    ...PAIRED_PROBLEMS.en,
    ...LINE_PROBLEMS.en,
    disk_full: 'This terminal’s disk is full or broken. Nothing was sold. Call for help.',
    journal_failed: 'This terminal cannot write it down. Nothing was sold. Call for help.',
    core_unreachable: 'Core cannot be reached: this was not done. Cash sales still work.',
    refund_exceeds: 'That is more than is left to refund.',
    not_now: 'Not possible for this sale now.',
    sale_not_found: 'There is no such sale.',
    scan_not_awaited: 'Key in the amount first, then scan the code.',
    ...ELSEWHERE_PROBLEMS.en,
    barcode_unknown: 'This barcode is not in the catalogue: {0} Key the price, or have it added.',
    ...CARD_PROBLEMS.en,
    ...OFFLINE_PROBLEMS.en,
    goods_scanned: 'These are goods, and the customer’s code is awaited. To add them, go back first.',
    ...BASKET_PROBLEMS.en,
    held_not_found: 'This is not put aside any more: it was sold or dropped.',
    held_full: 'Too much is put aside. Sell or drop some first.',
    held_left: 'Some are put aside. Closing the batch drops them.',
    reference_invalid: 'A table or order number has 32 characters at most, on one line.',
    training: 'This till is in training. Leave training first.',
    not_training: 'Training is over and this was not done. Whatever is keyed now is real.',
    training_busy: 'A sale is not finished: training cannot begin or end now.',
    ...SHIFT_PROBLEMS.en,
    code_invalid: 'That is not a usable payment code. Ask the customer for a fresh one.',
    code_not_recognised: 'No payment channel knows this code.',
    code_wrong_direction: 'That is a code to be paid, not one to pay with. Ask the customer for the payment code.',
    code_expired: 'The code is over. Ask the customer for a fresh one.',
    limit_exceeded: 'That is more than the customer may spend.',
    not_permitted: 'The customer may not pay like this.',
    offline: 'Core cannot be reached; nothing was charged. Cash still works.',
    never_sent: 'Core never got this sale; nothing was charged.',
    void_too_late: 'A void is for the same day, and until its batch is settled. Refund it instead.',
    batch_closing: 'The acquirer is settling; nothing was charged or given back. Try again in two minutes, and read the card again.',
    channel_cannot: 'This payment channel cannot do that.',
    not_found: 'Core has no such record.',
    amount_invalid: 'The amount is not right.',
    tendered_too_small: 'That is less than the amount.',
    peripheral_failed: 'The device does not respond. Check its connection.',
    idempotency_key_reused: 'This was sent before with other content. Please start again.',
    settings_locked: 'Settings cannot be changed here.',
    settings_changed: 'The configuration file was changed elsewhere. Look at it again.',
    settings_invalid: 'Nothing was saved:',
    foreign_origin: 'This page was not opened from this terminal.',
    not_from_the_till: 'This page was not opened from this terminal.',
    stopping: 'The till service is restarting.',
    expired: 'It is over.',
    declined: 'The channel declined the payment.',
    insufficient_funds: 'The customer has not enough money.',
    channel_unavailable: 'The payment channel is not available right now.',
    rule_failed: 'The shop’s own rules gave no answer, and nothing was charged. Call a manager.',
  },
  problemElse: 'That did not work.',
  trace: 'trace',
};

export const TEXTS: Readonly<Record<Language, Texts>> = { zh, en };

export function fill(text: string, ...values: (string | number)[]): string {
  return text.replace(/\{(\d)\}/g, (_, idx: string) => String(values[Number(idx)] ?? ''));
}
