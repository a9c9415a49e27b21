// What the screens say of a price by the shop's own rules.

import type { Unquoted } from './quote';

export interface QuoteTexts {
  list: string;
  asking: string;
  /** Before the words of rules that gave no answer. */
  passedOver: string;
  /** Why the list price stands, or nothing is sold; nothing is said where there is nothing to be missed. */
  why: Record<Exclude<Unquoted, 'no_rules' | 'training'>, string>;
  splitAtList: string;
}

export const QUOTE_HINTS = {
  zh: { price_changed: '店铺规则给出了新价格，请核对后再按一次', price_refused: '店铺规则没有给出价格，本店规定无价不收款。请再按一次；仍不行请找店主。' },
  en: { price_changed: 'The shop’s rules name another price: look at it, and press once more', price_refused: 'The shop’s rules give no price, and the shop sells nothing without: press again, or ask the owner' },
} as const;

export const QUOTE_PROBLEMS = {
  zh: { quote_over: '报价已过期，没有收款。请按新价格再收一次。', quote_refused: '核心不认可这个价格，没有收款。请重新收款。' },
  en: { quote_over: 'The quoted price is over, and nothing was charged. Take the sale again at the new price.', quote_refused: 'Core does not know this price, and nothing was charged. Take the sale again.' },
} as const;

export const QUOTE: Record<'zh' | 'en', QuoteTexts> = {
  zh: {
    list: '原价',
    asking: '正在按店铺规则计价…',
    passedOver: '部分店铺规则没有答复：',
    why: {
      offline: '没有网络，按原价收款，不计店铺优惠。',
      slow: '店铺规则没有及时答复，按原价收款。',
      failed: '店铺规则没有给出价格，按原价收款。',
      refused: '店铺规则没有给出价格，现在不能收款。',
    },
    splitAtList: '分次付款按原价收款。',
  },
  en: {
    list: 'List price',
    asking: 'Asking the shop’s rules for the price…',
    passedOver: 'Some of the shop’s rules gave no answer: ',
    why: {
      offline: 'No network: sold at the list price, without the shop’s discounts.',
      slow: 'The shop’s rules did not answer in time: sold at the list price.',
      failed: 'The shop’s rules gave no price: sold at the list price.',
      refused: 'The shop’s rules give no price: nothing can be sold now.',
    },
    splitAtList: 'What is paid in parts is sold at the list price.',
  },
};
