// What is said of cards.

import type { CardStep, CardTrouble } from './api';
import { STORED, STORED_PROBLEMS, type StoredTexts } from './text-stored';

export interface CardTexts {
  /** What the customer is to do. */
  steps: Record<CardStep, string>;
  troubles: Record<CardTrouble, string>;
  hint: string;
  over: string;
  /** Without a network. */
  stored: StoredTexts;
}

export const CARD: Readonly<Record<'zh' | 'en', CardTexts>> = {
  zh: {
    steps: {
      wait: '请稍候',
      present: '请顾客插卡或刷卡',
      swipe: '芯片读不出：请顾客刷磁条',
      reading: '正在读卡，请勿拔卡',
      pin: '请顾客在密码键盘上输入密码',
      remove: '请取出卡片',
    },
    troubles: {
      taken_out: '卡拔得太早，没有收款：请重新插卡。',
      chip_unreadable: '芯片读不出：取出卡片，改刷磁条，或换一张卡。',
      chip_failed: '芯片应答不正常，没有收款：请换一张卡，或用其他方式付款。',
      stripe_unreadable: '磁条读不出：请匀速再刷一次。',
      use_chip: '这张卡有芯片：请插卡。',
      not_accepted: '本机不受理这种卡：请换一张卡，或用其他方式付款。',
      declined: '卡片拒绝了交易：请换一张卡，或用其他方式付款。',
      pin_cancelled: '顾客在密码键盘上取消了。',
      chip_only: '没有网络时只收芯片卡：请插卡，或用其他方式付款。',
      needs_bank: '这张卡要联系银行（密码或发卡行要求），现在没有网络：请换一张卡，或用其他方式付款。',
      out_of_date: '这张卡不在有效期内：请换一张卡，或用其他方式付款。',
    },
    hint: '按 Esc 取消；取消前没有收款',
    over: '已不再等待刷卡',
    stored: STORED.zh,
  },
  en: {
    steps: {
      wait: 'One moment',
      present: 'The customer inserts or swipes a card',
      swipe: 'The chip cannot be read: the customer swipes the card',
      reading: 'Reading: leave the card where it is',
      pin: 'The customer keys the PIN on the pad',
      remove: 'Take the card out',
    },
    troubles: {
      taken_out: 'The card was taken out too early, and nothing was charged: insert it again.',
      chip_unreadable: 'The chip cannot be read: take the card out and swipe it, or use another card.',
      chip_failed: 'The chip does not answer as it should, and nothing was charged: use another card, or pay in another way.',
      stripe_unreadable: 'The stripe cannot be read: swipe it again, evenly.',
      use_chip: 'This card has a chip: insert it.',
      not_accepted: 'This till takes no card of this kind: use another card, or pay in another way.',
      declined: 'The card declines: use another card, or pay in another way.',
      pin_cancelled: 'The customer cancelled at the PIN pad.',
      chip_only: 'Without a network only chips are taken: insert the card, or pay in another way.',
      needs_bank: 'This card must ask its bank (for a PIN, or because the bank wants it so), and there is no network: use another card, or pay in another way.',
      out_of_date: 'This card is not good at this date: use another card, or pay in another way.',
    },
    hint: 'Esc cancels; nothing is charged before',
    over: 'No card is awaited any more',
    stored: STORED.en,
  },
};

export const CARD_PROBLEMS: Readonly<Record<'zh' | 'en', Record<string, string>>> = {
  zh: {
    ...STORED_PROBLEMS.zh,
    card_busy: '另一笔交易正在等待刷卡：请先完成或取消它。',
    card_swiped: '这是银行卡磁条，不是付款码：请选择“银行卡”后再刷。',
    card_over: '这笔刷卡已结束，没有收款：请重新键入。',
    card_late: '等待超时，没有收款：请重新键入。',
    card_left: '读卡器里的卡一直没有取出，没有收款：请取出卡片后重新键入。',
    card_cancelled: '顾客取消了，没有收款。',
    card_unreadable: '支付中心读不出这张卡：请换一张卡；若每张都这样，请联系服务人员检查本机密钥。',
    card_used: '这次读卡已经用过，没有收款：请重新刷卡。',
  },
  en: {
    ...STORED_PROBLEMS.en,
    card_busy: 'Another sale waits for a card: take that one, or cancel it first.',
    card_swiped: 'This is a card’s stripe and no code: choose “Card”, and swipe it again.',
    card_over: 'No card is awaited for this any more, and nothing was charged: key the sale again.',
    card_late: 'Nothing came of it in time, and nothing was charged: key the sale again.',
    card_left: 'The card in the reader was not taken out, and nothing was charged: take it out, and key the sale again.',
    card_cancelled: 'The customer cancelled, and nothing was charged.',
    card_unreadable: 'The payment service cannot read this card: use another. If it says so of each card, have this till’s keys looked at.',
    card_used: 'What was read of this card was used before, and nothing was charged: present it again.',
  },
};
