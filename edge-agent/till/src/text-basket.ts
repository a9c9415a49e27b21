// What the basket's screens say.

import type { WeighHint } from './screen';

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
  perKilogram: string;
  weigh: string;
  weighHint: string;
  weighKey: string;
  /** {0}: names. */
  weighNext: string;
  unweighed: string;
}

export const WEIGH_HINTS: Readonly<Record<'zh' | 'en', Record<WeighHint, string>>> = {
  zh: {
    weigh_moves: '秤上的商品还在动：放稳后再按一次 Enter',
    weigh_empty: '秤上没有东西：放上商品后再按 Enter，或输入克数',
    weigh_over: '超过秤的最大称量：分次称，或输入克数',
    weigh_zero: '秤没有归零：清空秤盘、清除皮重并归零后再称',
    weigh_none: '秤没有读数：请检查秤，或输入克数',
    weigh_first: '还有商品没有称：先按 Enter 称，不要就按 Esc',
    weighed_elsewhere: '该商品已在别处称入购物篮；还有的话请再扫一次',
  },
  en: {
    weigh_moves: 'The goods on the scale still move: press Enter again once they are at rest',
    weigh_empty: 'Nothing is on the scale: put the goods on it and press Enter, or key the grams',
    weigh_over: 'This is more than the scale can weigh: weigh it in parts, or key the grams',
    weigh_zero: 'The scale is not at zero: empty it, clear its tare, set it to zero, and weigh again',
    weigh_none: 'The scale says nothing: look at it, or key the grams',
    weigh_first: 'These goods still wait to be weighed: Enter weighs them, Esc leaves them out',
    weighed_elsewhere: 'These goods came into the basket elsewhere; if there are more, scan them again',
  },
};

/** What the agent refuses in a basket. */
export const BASKET_PROBLEMS: Readonly<Record<'zh' | 'en', Record<string, string>>> = {
  zh: {
    basket_changed: '购物篮已在别处变更，没有执行。请重新查看。',
    basket_busy: '购物篮现在不能变更：请先收款、挂单或清空。',
    basket_invalid: '购物篮不能这样：',
    costs_nothing: '金额为 0，没有计入购物篮：请重新称，或请管理人员检查秤上的单价。',
  },
  en: {
    basket_changed: 'The basket was changed elsewhere; nothing was done. Look again.',
    basket_busy: 'The basket cannot be changed now: sell it, put it aside or clear it first.',
    basket_invalid: 'The basket cannot be like this:',
    costs_nothing: 'It would cost nothing, and is not in the basket: weigh it again, or have the price at the scale looked at.',
  },
};

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
    perKilogram: '每千克',
    weigh: '请放上秤，按 Enter 取重量',
    weighHint: '容器请先在秤上去皮。没有秤时输入克数，再按 Enter。',
    weighKey: '取重量',
    weighNext: '随后称：{0}',
    unweighed: '未称重、未计入购物篮：{0}。请返回后重新扫描。',
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
    perKilogram: 'For a kilogram',
    weigh: 'Put it on the scale, and press Enter',
    weighHint: 'Tare a container on the scale first. Without a scale, key the grams and press Enter.',
    weighKey: 'Weigh',
    weighNext: 'To be weighed next: {0}',
    unweighed: 'Not weighed, and not in the basket: {0}. Go back and scan again.',
  },
};
