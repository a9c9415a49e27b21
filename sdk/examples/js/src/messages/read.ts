// What the scheme's verified answers mean.
//
// A signed refusal of the request itself, under a code that the protocol names for it, had no effect. Any other surprise is no answer,
// and core asks again.

import {
  declined,
  type DisputeNews,
  type DisputeNotice,
  type Failure,
  type Fields,
  fields,
  fromDecimal,
  misconfigured,
  type Money,
  noAnswer,
  type NotificationEvent,
  notSent,
  type Order,
  type PaymentAnswer,
  type PaymentStatus,
  type RefundAnswer,
  type RefundStatus,
} from 'saoma-channel-sdk';

/** An answer whose signature was verified. */
export interface Answer {
  status: number;
  body: Uint8Array;
}

/**
 * The code of the order that was announced. The contract carries nothing else of this answer to core, so number and amount are
 * compared here: whoever scans the code pays what the scheme has down.
 *
 * @throws `not-sent` if the scheme refused it, `no-answer` for all that is not a code of this order and amount.
 */
export function readCreated(answer: Answer, asked: Order): string {
  if (answer.status !== 200) {
    const { code, words } = refusal(answer);
    throw isRefusedUnread(answer, code) || is(answer, code, 409, 'ORDER_CLOSED') ? notSent(words) : noAnswer(words);
  }
  const order = fields(answer.body);
  const amount = moneyOf(order);
  const [number, status, code] = [order.text('order_number'), order.text('status'), order.textOrNull('code_url')];
  if (number !== asked.number || amount.minor !== asked.amount.minor || amount.currency !== asked.amount.currency) {
    throw noAnswer(`the answer is about ${amount.minor} ${amount.currency} in minor units for order ${JSON.stringify(number)}`);
  }
  if (status === 'CLOSED') throw notSent('the order was closed before');
  if (code === null || !['WAITING', 'PAYING'].includes(status)) throw noAnswer(`the order is ${status} and has no code to show`);
  return code;
}

/**
 * The outcome of a charge.
 *
 * @throws `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen.
 */
export function readCharged(answer: Answer, number: string): PaymentAnswer {
  if (answer.status === 200) return paymentAnswer(fields(answer.body));
  const { code, words } = refusal(answer);
  if (is(answer, code, 400, 'CODE_INVALID')) return withoutOrder({ tag: 'failed', val: declined('code-invalid', words) }, number);
  if (is(answer, code, 400, 'CODE_EXPIRED')) return withoutOrder({ tag: 'failed', val: declined('code-expired', words) }, number);
  // We closed this number before the charge came through: it can never take money.
  if (is(answer, code, 409, 'ORDER_CLOSED')) return withoutOrder({ tag: 'closed' }, number);
  throw isRefusedUnread(answer, code) ? notSent(words) : noAnswer(words);
}

/**
 * What the scheme knows of an order.
 *
 * @throws `not-sent` if the scheme does not know us, `no-answer` for all but an order or its absence.
 */
export function readQueried(answer: Answer, number: string): PaymentAnswer {
  if (answer.status === 200) return paymentAnswer(fields(answer.body));
  const { code, words } = refusal(answer);
  if (is(answer, code, 404, 'ORDER_NOT_FOUND')) return withoutOrder({ tag: 'not-found' }, number);
  throw answer.status === 401 ? notSent(words) : noAnswer(words);
}

/** What `cancel` says of an order of which money was given back: that it is paid, and can no longer be undone this way. */
export function pastUndoing(known: PaymentAnswer): PaymentAnswer {
  return known.status.tag === 'refunded' ? { ...known, status: { tag: 'succeeded' } } : known;
}

/** Whether a close was refused because part of the money was given back before. */
export function isNotReversible(answer: Answer): boolean {
  return answer.status === 409 && refusal(answer).code === 'NOT_REVERSIBLE';
}

/** The outcome of a close. @throws As `readQueried`. */
export function readClosed(answer: Answer, number: string): PaymentAnswer {
  const known = readQueried(answer, number);
  // The scheme has burnt an unknown number by this very request: it can never take money.
  return known.status.tag === 'not-found' ? withoutOrder({ tag: 'closed' }, number) : pastUndoing(known);
}

/**
 * The outcome of a refund.
 *
 * @throws `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen; so for
 * `REFUND_CONFLICT`: another amount under this number was carried out before, and only a query tells.
 */
export function readRefunded(answer: Answer, refundNumber: string): RefundAnswer {
  if (answer.status === 200) return refundAnswer(fields(answer.body));
  const { code, words } = refusal(answer);
  if (is(answer, code, 409, 'REFUND_EXCEEDS')) return withoutRefund({ tag: 'failed', val: declined('amount-invalid', words) }, refundNumber);
  if (is(answer, code, 404, 'ORDER_NOT_FOUND')) return withoutRefund({ tag: 'failed', val: declined('not-permitted', words) }, refundNumber);
  throw isRefusedUnread(answer, code) ? notSent(words) : noAnswer(words);
}

/**
 * What the scheme knows of a refund.
 *
 * @throws `not-sent` if the scheme does not know us, `no-answer` for all but a refund or its absence.
 */
export function readRefundQueried(answer: Answer, refundNumber: string): RefundAnswer {
  if (answer.status === 200) return refundAnswer(fields(answer.body));
  const { code, words } = refusal(answer);
  const isAbsent = is(answer, code, 404, 'REFUND_NOT_FOUND') || is(answer, code, 404, 'ORDER_NOT_FOUND');
  if (isAbsent) return withoutRefund({ tag: 'not-found' }, refundNumber);
  throw answer.status === 401 ? notSent(words) : noAnswer(words);
}

/** What a verified notification says, of an order or of a dispute. @throws If it cannot be read. */
export function readNotification(body: Uint8Array): NotificationEvent {
  const stated = fields(body);
  if (stated.textOrNull('dispute_number') === null) return { tag: 'payment', val: paymentAnswer(stated) };
  return { tag: 'dispute', val: disputeNotice(stated) };
}

function disputeNotice(dispute: Fields): DisputeNotice {
  return {
    number: dispute.text('order_number'),
    caseNumber: dispute.text('dispute_number'),
    amount: moneyOf(dispute),
    reason: dispute.text('reason'),
    news: disputeNews(dispute),
    at: dispute.whole('at'),
  };
}

function disputeNews(dispute: Fields): DisputeNews {
  const status = dispute.text('status');
  const until = dispute.wholeOrNull('respond_by');
  switch (status) {
    case 'OPENED':
      return { tag: 'opened', val: until };
    case 'EVIDENCE_WANTED':
      return { tag: 'evidence-wanted', val: until };
    case 'WON':
      return { tag: 'won', val: moneyOf(dispute, 'fee') };
    case 'LOST':
      return { tag: 'lost', val: moneyOf(dispute, 'fee') };
    default:
      throw noAnswer(`the dispute has the status ${JSON.stringify(status)}, which the protocol does not know`);
  }
}

/** Whether the scheme knows us. @throws `misconfigured` if it takes us for another merchant or refuses us. */
export function readPong(answer: Answer, merchantId: string): string {
  if (answer.status !== 200) throw misconfigured(refusal(answer).words);
  const known = fields(answer.body).text('merchant_id');
  if (known !== merchantId) throw misconfigured(`the scheme answers for merchant ${JSON.stringify(known)}`);
  return `The wallet scheme answers and knows merchant ${merchantId}. 连接正常，商户号与密钥有效。`;
}

/** The amount that an order, a refund or a row of a bill states. @throws `no-answer` if it is none. */
export function moneyOf(stated: Fields, name = 'amount'): Money {
  const [text, currency] = [stated.text(name), stated.text('currency')];
  const amount = fromDecimal(text, currency);
  if (amount === null) throw noAnswer(`${JSON.stringify(text.slice(0, 40))} is no amount in ${currency.slice(0, 3)}`);
  return amount;
}

/** The scheme's no to a call. @throws `no-answer` if it is not in the scheme's words: something on the way may have spoken. */
export function refusal({ status, body }: Answer): { code: string; words: string } {
  try {
    const stated = fields(body);
    const code = stated.text('code');
    return { code, words: `${code}: ${stated.text('message')}` };
  } catch {
    throw noAnswer(`status ${status} with a body that cannot be read`);
  }
}

const is = (answer: Answer, code: string, status: number, wanted: string): boolean => answer.status === status && code === wanted;

/** Whether the protocol says that such a refusal had no effect. A code that it does not name may mean anything. */
function isRefusedUnread(answer: Answer, code: string): boolean {
  return ['BAD_REQUEST', 'CURRENCY_UNSUPPORTED'].some((named) => is(answer, code, 400, named)) || is(answer, code, 401, 'BAD_SIGNATURE');
}

function paymentAnswer(order: Fields): PaymentAnswer {
  return {
    status: paymentStatus(order),
    number: order.text('order_number'),
    amount: moneyOf(order),
    reference: order.text('reference'),
    paidAt: order.wholeOrNull('paid_at'),
    payerHint: order.textOrNull('payer_hint') ?? '',
  };
}

function paymentStatus(order: Fields): PaymentStatus {
  const status = order.text('status');
  switch (status) {
    case 'WAITING':
    case 'PAYING':
      return { tag: 'pending' };
    case 'PAID':
      return { tag: 'succeeded' };
    case 'DECLINED':
      return { tag: 'failed', val: failure(order.textOrNull('decline_code') ?? 'DECLINED') };
    case 'CLOSED':
    case 'REVERSED':
      return { tag: 'closed' };
    case 'REFUNDED':
    case 'PARTLY_REFUNDED':
      return { tag: 'refunded' };
    default:
      throw noAnswer(`the order has the status ${JSON.stringify(status)}, which the protocol does not know`);
  }
}

function failure(declineCode: string): Failure {
  switch (declineCode) {
    case 'INSUFFICIENT_FUNDS':
      return declined('insufficient-funds', declineCode);
    case 'DECLINED':
      return declined('declined', declineCode);
    case 'LIMIT_EXCEEDED':
      return declined('limit-exceeded', declineCode);
    default:
      return declined('other', declineCode);
  }
}

function refundAnswer(refund: Fields): RefundAnswer {
  const amount = moneyOf(refund);
  return { status: refundStatus(refund), refundNumber: refund.text('refund_number'), amount, reference: refund.text('reference') };
}

function refundStatus(refund: Fields): RefundStatus {
  const status = refund.text('status');
  switch (status) {
    case 'PROCESSING':
      return { tag: 'pending' };
    case 'DONE':
      return { tag: 'succeeded' };
    case 'FAILED':
      return { tag: 'failed', val: declined('other', status) };
    default:
      throw noAnswer(`the refund has the status ${JSON.stringify(status)}, which the protocol does not know`);
  }
}

/** An answer about an order that the scheme does not hold: our own number, and nothing that it did not say. */
const withoutOrder = (status: PaymentStatus, number: string): PaymentAnswer =>
  ({ status, number, amount: null, reference: '', paidAt: null, payerHint: '' });

const withoutRefund = (status: RefundStatus, refundNumber: string): RefundAnswer =>
  ({ status, refundNumber, amount: null, reference: '' });
