// What is said of cards without a network, which the shop forwards later and bears the risk of.

export interface StoredTexts {
  /** Beside how it is paid, while the bank has not answered. */
  sold: string;
  hint: string;
  /** A person at core is waited for. */
  office: string;
  officeHint: string;
  declined: string;
  declinedHint: string;
  /** While it is to be acknowledged. */
  pressSeen: string;
  /** Above those that are. */
  toAcknowledge: string;
  /** While a card is awaited. */
  awaited: string;
  /** {0}: the most that a card pays. */
  open: string;
  closed: string;
  /** {0}: how many, {1}: what they come to. */
  waiting: string;
  /** As `waiting`. */
  officeWaiting: string;
}

export const STORED: Readonly<Record<'zh' | 'en', StoredTexts>> = {
  zh: {
    sold: '离线收款，待银行答复',
    hint: '请顾客在小票上签名并保存小票；联网后自动提交银行，银行答复前款项未到账。',
    declined: '银行拒绝，没有到账',
    office: '离线收款，待后台人员处理',
    officeHint: '中心要由人员处理这笔收款：请保存签名小票，交后台人员；款项未到账。',
    declinedHint: '商品已交付而银行拒绝付款：请保存签名小票，交后台人员处理。',
    pressSeen: '看过后请按“已知悉”。',
    toAcknowledge: '待知悉的离线银行卡收款',
    awaited: '没有网络：不输密码，顾客要在小票上签名。',
    open: '银行卡可以收，每笔最多 {0}，顾客签名。',
    closed: '暂停离线收银行卡',
    waiting: '离线银行卡待银行答复 {0} 笔 · {1}',
    officeWaiting: '离线银行卡待后台处理 {0} 笔 · {1}',
  },
  en: {
    sold: 'Sold without a network, the bank answers later',
    hint: 'The customer signs the slip: keep it. It goes to the bank once there is a network, and the money is not there before the bank says so.',
    declined: 'The bank declines: not paid',
    office: 'Sold without a network, the office settles it',
    officeHint: 'A person at core looks at this sale: keep the signed slip for the office. The money is not there.',
    declinedHint: 'The goods are gone and the bank does not pay: keep the signed slip for the office.',
    pressSeen: 'Then press “I have seen it”.',
    toAcknowledge: 'Card sales without a network to be seen',
    awaited: 'No network: no PIN is keyed, and the customer signs the slip.',
    open: 'A card pays {0} at most, and the customer signs.',
    closed: 'No cards without a network now',
    waiting: 'Card sales that the bank has not answered for: {0} · {1}',
    officeWaiting: 'Card sales that wait for the office: {0} · {1}',
  },
};

/** Those whose words name what stands in the agent's sentence: a sum, or how often. */
export const STORED_WITH_A_SUM = [
  'stored_sale_cap', 'stored_unsent_sum', 'stored_unsent_count', 'stored_unsent_age', 'stored_card_count', 'stored_card_sum',
  'stored_card_in_doubt',
];

export const STORED_PROBLEMS: Readonly<Record<'zh' | 'en', Record<string, string>>> = {
  zh: {
    stored_off: '没有网络时不收银行卡：请收现金。',
    stored_split: '没有网络时银行卡只能付整笔：请把已付的部分退回，或这部分改用其他方式付款。',
    stored_stopped: '中心不收本机的记录，暂停离线收银行卡：请联系维护人员；在此之前请收现金。',
    stored_clock_unheard: '联网之前本机不能确定时间，不收银行卡：请联网；联网前请收现金。',
    stored_clock_wrong: '本机时钟在上次联网后变动过，不收银行卡：请联网；联网前请收现金。',
    stored_list_old: '本机离线太久，不能再收银行卡：请联网；联网前请收现金。',
    stored_currency_other: '没有网络时不收这个币种的银行卡：请改用其他方式付款。',
    stored_sale_cap: '没有网络时银行卡每笔最多收 {0}：请改用其他方式付款。',
    stored_unsent_sum: '联网之前本机只能再收 {0} 的银行卡：请联网，或收现金。',
    stored_unsent_count: '本机已有 {0} 笔离线银行卡未上送，不能再收：请联网，或收现金。',
    stored_unsent_age: '本机有离线银行卡超过 {0} 小时未上送，不能再收：请联网，或收现金。',
    stored_stripe: '没有网络时只收芯片卡：请换一张卡，或改用其他方式付款。',
    stored_card_other: '没有网络时不收这种卡：请换一张卡，或改用其他方式付款。',
    stored_card_blocked: '没有网络时不再收这张卡：请换一张卡，或改用其他方式付款。',
    stored_card_count: '这张卡一天内已离线付款 {0} 次，不能再收：请改用其他方式付款。',
    stored_card_sum: '这张卡今天离线只能再付 {0}：请改用其他方式付款。',
    stored_card_in_doubt: '流水号 {0}（同一张卡）的交易还没有结果：请先取消那一笔，或改用其他方式付款。',
    stored_line_went: '读卡时网络断开，没有收款：请重新键入。',
    stored_held: '这笔离线收款在中心待人员处理，本机不能撤销或退款：由后台人员处理。',
    stored_unsynced: '中心还没有这笔离线银行卡收款，现在不能撤销或退款：请先联网上送。',
    stored_not_final: '银行还没有答复这笔离线收款，现在不能撤销或退款：请等银行答复。',
  },
  en: {
    stored_off: 'Cards are taken with a network alone: take cash.',
    stored_split: 'Without a network a card pays a whole sale only: give back what was paid in parts, or take this part in another way.',
    stored_stopped: 'Core takes none of this till’s records, so no cards are taken without a network: call the service. Until then take cash.',
    stored_clock_unheard: 'This till is not sure of the time until it has reached core, and takes no cards: connect it. Until then take cash.',
    stored_clock_wrong: 'This till’s clock has moved since it last reached core, and it takes no cards: connect it. Until then take cash.',
    stored_list_old: 'This till has been offline for too long to take cards: connect it. Until then take cash.',
    stored_currency_other: 'Cards are not taken in this currency without a network: take another way to pay.',
    stored_sale_cap: 'Without a network a card pays {0} at most: take another way to pay.',
    stored_unsent_sum: 'Until it has reached core, this till may take {0} more by card: connect it, or take cash.',
    stored_unsent_count: 'This till has {0} card sales unsent, as many as it may: connect it, or take cash.',
    stored_unsent_age: 'A card sale has been unsent for more than {0} hours: connect this till, or take cash.',
    stored_stripe: 'Without a network only chips are taken: take another card, or another way to pay.',
    stored_card_other: 'Cards of this kind are not taken without a network: take another card, or another way to pay.',
    stored_card_blocked: 'This card is not taken without a network any more: take another card, or another way to pay.',
    stored_card_count: 'This card has paid {0} times without a network within a day, as often as it may: take another way to pay.',
    stored_card_sum: 'This card may pay {0} more today without a network: take another way to pay.',
    stored_card_in_doubt: 'Sale {0} with this card is not settled: cancel that one first, or take another way to pay.',
    stored_line_went: 'The network went while the card was read, and nothing was charged: key the sale again.',
    stored_held: 'This card sale waits for a person at core, and nothing of it can be given back here: the office settles it.',
    stored_unsynced: 'Core does not have this card sale yet, so nothing of it can be given back: connect the till first.',
    stored_not_final: 'The bank has not answered for this card sale yet, so nothing of it can be given back: wait for it.',
  },
};
