// What the basket's screens say.

export interface BasketTexts {
  title: string;
  /** {0}: how many lines. */
  lines: string;
  keys: string;
  line: string;
  all: string;
  remove: string;
  clear: string;
  clearSure: string;
  pay: string;
  subtotal: string;
  discountOnAll: string;
  /** {0}: the tax. */
  contained: string;
  added: string;
}

export const BASKET: Readonly<Record<'zh' | 'en', BasketTexts>> = {
  zh: {
    title: '购物篮',
    lines: '{0} 行',
    keys: '数字=数量 · 数字+=另加金额 · -折扣 --整单 · % 百分比',
    line: '单品折扣',
    all: '整单折扣',
    remove: '删除',
    clear: '清空',
    clearSure: '清空购物篮？',
    pay: '收款',
    subtotal: '小计',
    discountOnAll: '整单折扣',
    contained: '含 {0}',
    added: '另加 {0}',
  },
  en: {
    title: 'Basket',
    lines: '{0} lines',
    keys: 'digits=quantity · digits+=other amount · - off line, -- off all · %',
    line: 'Off line',
    all: 'Off all',
    remove: 'Remove',
    clear: 'Clear',
    clearSure: 'Clear the basket?',
    pay: 'Pay',
    subtotal: 'Subtotal',
    discountOnAll: 'Discount on all',
    contained: 'incl. {0}',
    added: 'plus {0}',
  },
};
