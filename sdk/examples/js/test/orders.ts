// The order that the tests are about, and how outcomes are told in one word.

import { ChannelError, type Order, type PaymentStatus, type RefundStatus } from 'saoma-channel-sdk';

export const NUMBER = 'pay_aaaaaaaaaaaaaaaaaaaaaaaaaa';

export const ORDER: Order = {
  number: NUMBER,
  amount: { minor: 1_250, currency: 'CNY' },
  subject: 'Coffee "large" 大杯',
  merchantName: 'Corner Shop',
  storeId: 'sto_aaaaaaaaaaaaaaaaaaaaaaaaaa',
  storeName: 'Main Street',
  terminalId: 'ter_aaaaaaaaaaaaaaaaaaaaaaaaaa',
  terminalName: 'till 1',
  createdAt: 1_700_000_000_000,
  expiresAt: 1_700_000_120_000,
};

/** The status, or the error's kind. */
export function told(outcome: () => { status: PaymentStatus | RefundStatus } | string): string {
  try {
    const answer = outcome();
    if (typeof answer === 'string') return answer;
    return answer.status.tag === 'failed' ? `failed ${answer.status.val.code}` : answer.status.tag;
  } catch (error) {
    if (error instanceof ChannelError) return error.failed.tag;
    throw error;
  }
}
