// What is said of offline codes.

import { PHONE, PHONE_PROBLEMS, PHONE_WITH_A_SUM, type PhoneTexts } from './text-phone';
import { STORED_WITH_A_SUM } from './text-stored';

export interface OfflineTexts {
  /** In the bar: none is taken at this moment. */
  closed: string;
  cashOnly: string;
  cashAndCodes: string;
  phone: PhoneTexts;
}

export const OFFLINE: Readonly<Record<'zh' | 'en', OfflineTexts>> = {
  zh: {
    closed: '暂停收离线码',
    cashOnly: '没有网络：请收现金。',
    cashAndCodes: '没有网络：可以收现金，或扫顾客钱包的离线码。',
    phone: PHONE.zh,
  },
  en: {
    closed: 'No offline codes now',
    cashOnly: 'No network: take cash.',
    cashAndCodes: 'No network: take cash, or scan an offline code of the customer’s wallet.',
    phone: PHONE.en,
  },
};

/** Those whose words name what stands in the agent's sentence: a sum, or how often. */
export const WITH_A_SUM = [
  'offline_code_cap', 'offline_sale_cap', 'offline_grant_cap', 'offline_grant_day', 'offline_unsent_sum', 'offline_unsent_count',
  'offline_unsent_age',
  ...STORED_WITH_A_SUM,
  ...PHONE_WITH_A_SUM,
];

export const OFFLINE_PROBLEMS: Readonly<Record<'zh' | 'en', Record<string, string>>> = {
  zh: {
    ...PHONE_PROBLEMS.zh,
    offline_code_prefix: '离线码的大小写不对：请关掉键盘的大写锁定，再扫一次。',
    offline_code_text: '离线码没有扫完整：请再扫一次；若总是这样，是扫码枪丢了空格。',
    offline_code_length: '离线码没有扫完整：请再扫一次。',
    offline_code_version: '本机不认得这个版本的离线码：请改用其他方式付款。',
    offline_code_profile: '这里不收这种离线码：请改用其他方式付款。',
    offline_code_currency: '离线码的币种本机不认得：请改用其他方式付款。',
    offline_code_terms: '这个离线码没有额度：请顾客的应用联网更新。',
    offline_issuer_unknown: '这里不收这个发行方的离线码：请改用其他方式付款。',
    offline_issuer_revoked: '发行方的密钥已作废：请改用其他方式付款。',
    offline_issuer_over: '发行方的密钥不在有效期内：请顾客的应用联网更新。',
    offline_issuer_signature: '离线码不是发行方签发的，不要收。请顾客用其他方式付款。',
    offline_grant_early: '离线码还没有生效：请检查本机时钟。',
    offline_grant_over: '顾客的离线额度已过期：请顾客的手机联网一次。',
    offline_device_signature: '离线码不是顾客手机签发的，不要收。请顾客用其他方式付款。',
    offline_code_early: '离线码的时间在将来：顾客手机或本机的时钟不对。',
    offline_code_over: '离线码已过期：请顾客刷新后再扫。',
    offline_split: '离线码只能付整笔：请把已付的部分退回，或这部分改用其他方式付款。',
    offline_list_missing: '本机还不知道能收哪些离线码：请先联网一次；联网前请收现金。',
    offline_codes_off: '这里不收离线码：请改用其他方式付款。',
    offline_stopped: '中心不收本机的记录，暂停收离线码：请联系维护人员；在此之前请收现金。',
    offline_clock_unheard: '联网之前本机不能确定时间，不收离线码：请联网；联网前请收现金。',
    offline_clock_wrong: '本机时钟在上次联网后变动过，不收离线码：请联网；联网前请收现金。',
    offline_list_old: '本机离线太久，不能再收离线码：请联网；联网前请收现金。',
    offline_code_used: '这个离线码已经用过，或比用过的更旧：请顾客刷新后再扫。',
    offline_code_denied: '发行方已停用这位顾客的离线码：请改用其他方式付款。',
    offline_currency_other: '离线码的币种与本机不同：请改用其他方式付款。',
    offline_code_cap: '顾客的离线码每次最多付 {0}：请改用其他方式付款。',
    offline_sale_cap: '这里每笔离线码最多收 {0}：请改用其他方式付款。',
    offline_grant_cap: '顾客的离线额度只剩 {0}：请改用其他方式付款。',
    offline_grant_day: '顾客一天内最多用 {0} 次离线码：请改用其他方式付款。',
    offline_unsent_sum: '联网之前本机只能再收 {0} 的离线码：请联网，或收现金。',
    offline_unsent_count: '本机已有 {0} 笔离线码未上送，不能再收：请联网，或收现金。',
    offline_unsent_age: '本机有离线码超过 {0} 小时未上送，不能再收：请联网，或收现金。',
    offline_not_booked: '中心没有入账这笔离线收款，没有退款：请由后台人员处理。',
    offline_unsynced: '中心还没有这笔离线收款，现在不能撤销或退款：请先联网上送。',
  },
  en: {
    ...PHONE_PROBLEMS.en,
    offline_code_prefix: 'The offline code came in the wrong case: turn Caps Lock off and scan it again.',
    offline_code_text: 'The offline code was not read whole: scan it again. If it stays so, the scanner drops spaces.',
    offline_code_length: 'The offline code was not read whole: scan it again.',
    offline_code_version: 'This till does not know offline codes of this version: take another way to pay.',
    offline_code_profile: 'Offline codes of this kind are not taken here: take another way to pay.',
    offline_code_currency: 'The offline code is in a currency that is not known here: take another way to pay.',
    offline_code_terms: 'This offline code allows nothing: the customer’s app must go online once.',
    offline_issuer_unknown: 'Offline codes of this issuer are not taken here: take another way to pay.',
    offline_issuer_revoked: 'The issuer’s key was revoked: take another way to pay.',
    offline_issuer_over: 'The issuer’s key is not good at this time: the customer’s app must go online once.',
    offline_issuer_signature: 'Do not take this code: its issuer did not sign it. The customer pays in another way.',
    offline_grant_early: 'The offline code is not good yet: check this terminal’s clock.',
    offline_grant_over: 'What the customer may spend offline is over: the phone must go online once.',
    offline_device_signature: 'Do not take this code: the customer’s phone did not sign it. The customer pays in another way.',
    offline_code_early: 'The offline code is from the future: the clock of the phone or of this terminal is wrong.',
    offline_code_over: 'The offline code is over. Ask the customer for a fresh one.',
    offline_split: 'An offline code pays a whole sale only: give back what was paid in parts, or take this part in another way.',
    offline_list_missing: 'This till does not know yet which offline codes it may take: connect it once. Until then take cash.',
    offline_codes_off: 'Offline codes are not taken here: take another way to pay.',
    offline_stopped: 'Core takes none of this till’s records, so no offline codes are taken: call the service. Until then take cash.',
    offline_clock_unheard: 'This till is not sure of the time until it has reached core, and takes no offline codes: connect it. Until then take cash.',
    offline_clock_wrong: 'This till’s clock has moved since it last reached core, and it takes no offline codes: connect it. Until then take cash.',
    offline_list_old: 'This till has been offline for too long to take offline codes: connect it. Until then take cash.',
    offline_code_used: 'This code was taken before, or is older than one that was. Ask the customer for a fresh one.',
    offline_code_denied: 'The issuer has blocked this customer’s offline codes: take another way to pay.',
    offline_currency_other: 'The offline code is in another currency than this till: take another way to pay.',
    offline_code_cap: 'The customer’s code pays {0} at most: take another way to pay.',
    offline_sale_cap: 'This till takes {0} at most by an offline code: take another way to pay.',
    offline_grant_cap: 'Left of what the customer may spend offline: {0}. Take another way to pay.',
    offline_grant_day: 'The customer may pay offline {0} times a day at most: take another way to pay.',
    offline_unsent_sum: 'Until it has reached core, this till may take {0} more by offline codes: connect it, or take cash.',
    offline_unsent_count: 'This till has {0} offline sales unsent, as many as it may: connect it, or take cash.',
    offline_unsent_age: 'An offline sale has been unsent for more than {0} hours: connect this till, or take cash.',
    offline_not_booked: 'Core has not booked this offline sale, and nothing was given back: the office must settle it.',
    offline_unsynced: 'Core does not have this offline sale yet, so nothing of it can be given back: connect the till first.',
  },
};
