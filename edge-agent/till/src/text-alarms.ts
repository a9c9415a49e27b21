// What calls a person, by the codes of the agent's alarms: what happened, and what to do. The agent's own sentence, which names the sale, the
// entry or the device, is shown below it.

import type { Language } from './text';
import { LINE_PROBLEMS } from './text-line';

export const ALARMS: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  zh: {
    basket_lost: '重启前扫的商品不在了：先查上一笔与挂单，再重扫。',
    cashier_locked: '操作员密码多次输错，已锁定：请稍候再试，或在管理后台设新密码。',
    certificate_ends: '本终端的证书已到期或将到期：请检查网络和时钟；已到期的，请技术人员用认领码重新认领。',
    clock_lost: '本机时钟落后，开机后尚未联系上中心，时间未知：请校准时钟或接通网络。',
    clock_shuts_out: '本机时钟不准，无法核对中心的证书，因此连不上中心：请校准时钟。',
    clock_wrong: '本机时钟与中心相差 30 秒以上：请校准时钟。',
    core_answered_oddly: '中心的答复与本机记录不符，没有采用：请对照小票与管理后台，并联系技术人员。',
    core_forgot_sale: '中心不再有这笔交易的记录：请在管理后台核对，不要重复收款。',
    core_time_unkept: '本机无法保持中心时间，断网时不收离线码和银行卡：请联系技术人员。',
    disk_full: '磁盘已满，停止收款：请联系技术人员腾出空间。',
    disk_unwritable: '磁盘写不进去，停止收款：请联系技术人员。',
    journal_failed: '有记录没能写入本机或没能上送：请联系技术人员。',
    journal_held: '有一条记录在中心等待人工处理：请联系负责人在管理后台查看。',
    journal_newer: '中心的版本较旧，还不认识本机的记录；中心更新后会自动上送，不会丢失。',
    journal_rejected: '中心拒收本机的记录，上送已停止：请联系技术人员，不要删除本机数据。',
    journal_set_back: '本机磁盘被恢复到较早的状态，停止收款：请联系技术人员。',
    split_not_given_back: '分次付款有款项没能退回：请再试一次。',
    split_overpaid: '分次付款多收了：请退回其中一笔。',
    stored_declined: '银行拒付了一笔离线银行卡交易：请保管好签名小票并交办公室，看过后按“已知悉”。',
    stored_not_booked: '中心没有为一笔离线银行卡交易入账：由办公室处理，看过后按“已知悉”。',
    terminal_locked: LINE_PROBLEMS.zh.terminal_locked ?? '',
  },
  en: {
    basket_lost: 'What was scanned before a restart is gone: look at the last sale and at what is put aside, then scan again.',
    cashier_locked: 'A cashier’s PIN was wrong too often and is locked: wait, or have a new PIN set on the dashboard.',
    certificate_ends: 'This terminal’s certificate is over, or soon will be: check the network and the clock; one that is over is enrolled again with a claim code.',
    clock_lost: 'This machine’s clock is behind, and core was not heard since it was switched on, so the time is not known: set the clock, or connect it.',
    clock_shuts_out: 'By this machine’s clock core’s certificate is not valid, so core cannot be reached: set the clock.',
    clock_wrong: 'This machine’s clock is over 30 seconds off core’s: set it.',
    core_answered_oddly: 'Core’s answer does not fit what is written here and was not taken: compare the receipt with the dashboard, and call the service.',
    core_forgot_sale: 'Core does not have this sale any more: look on the dashboard, and do not collect twice.',
    core_time_unkept: 'This machine cannot keep core’s time, so it takes no offline code and no card without a network: call the service.',
    disk_full: 'The disk is full and sales are stopped: have the service make room.',
    disk_unwritable: 'The disk keeps nothing and sales are stopped: call the service.',
    journal_failed: 'Something could not be written down here, or not be sent: call the service.',
    journal_held: 'An entry waits for a person at core: have who runs the shop look on the dashboard.',
    journal_newer: 'Core is older than this till and does not know an entry yet. It is sent by itself once core is updated, and nothing is lost.',
    journal_rejected: 'Core does not take what this till wrote down, and sync has stopped: call the service, and delete nothing here.',
    journal_set_back: 'This disk was set back to an older day and sales are stopped: call the service.',
    split_not_given_back: 'Some of a split payment could not be given back: try it again.',
    split_overpaid: 'More was paid on a split payment than it costs: give one part of it back.',
    stored_declined: 'The bank does not pay a card sale that was made without a network: keep the signed slip for the office, and press “I have seen it”.',
    stored_not_booked: 'Core has not booked a card sale that was made without a network: the office settles it. Press “I have seen it”.',
    terminal_locked: LINE_PROBLEMS.en.terminal_locked ?? '',
  },
};
