// What somebody should see or hear after a device's self-test. What the device itself said is shown below it.

import type { Language } from './text';

export const SELF_TESTED: Readonly<Record<Language, Readonly<Record<string, string>>>> = {
  zh: {
    printer: '测试小票已打印：请看纸上的字和二维码是否完整。',
    display: '测试内容已送到客显：请看屏幕。',
    scanner: '扫码枪已接通：请扫一张小票上的码，收银屏应显示那笔交易。',
    drawer: '开箱信号已发出：请看钱箱是否弹开。',
    scale: '电子秤已读数：请与秤上的显示核对。',
    speaker: '测试声音已播放：请确认听得到。',
    card_reader: '读卡器有应答，密钥已就绪。',
  },
  en: {
    printer: 'A test slip was printed: see whether its text and its code are whole.',
    display: 'The customer display was sent a test: look at it.',
    scanner: 'The scanner is connected: scan a receipt’s code, and the till shows its sale.',
    drawer: 'The drawer was told to open: see whether it did.',
    scale: 'The scale was read: compare it with the scale’s own display.',
    speaker: 'A test was played: you should have heard it.',
    card_reader: 'The card reader answers and has its keys.',
  },
};
