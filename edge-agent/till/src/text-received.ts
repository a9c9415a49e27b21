// What is said of payments through the shop's printed codes.

export interface ReceivedTexts {
  /** Before the amount, when one comes in. */
  came: string;
  /** The way to the list, before how many there are. */
  key: string;
  title: string;
  none: string;
  hint: string;
}

export const RECEIVED: Readonly<Record<'zh' | 'en', ReceivedTexts>> = {
  zh: {
    came: '聚合码收款',
    key: '聚合码',
    title: '今日聚合码收款',
    none: '今天还没有聚合码收款',
    hint: '顾客扫打印的收款码付款，最多显示最近 20 笔。这些不是本机的交易：不计入班次，退款请在管理后台办理。',
  },
  en: {
    came: 'Received',
    key: 'Printed codes',
    title: 'Paid today by printed codes',
    none: 'Nothing was paid by a printed code today',
    hint: 'What customers paid through a printed code, the last 20. These are no sales of this till: they are in no batch, and are refunded on the dashboard.',
  },
};
