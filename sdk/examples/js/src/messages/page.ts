// A page of the scheme's bill.

import { type BillLine, type BillPage, type BillRow, Fields, isGarbled, noAnswer, notSent, parseJson, text } from 'saoma-channel-sdk';
import { type Answer, moneyOf, refusal } from './read.ts';

/**
 * One page of a bill, in the encoding that its `contentType` names. A row that cannot be read is handed on as it stands: it costs itself alone.
 *
 * @throws `not-sent` for a day that the scheme refuses, `no-answer` for a page that cannot be read.
 */
export function readBill(answer: Answer, contentType: string): BillPage {
  if (answer.status !== 200) {
    const { words } = refusal(answer);
    throw answer.status >= 400 && answer.status < 500 ? notSent(words) : noAnswer(words);
  }
  const bill = parseJson(text(answer.body, contentType));
  return { lines: bill.list('rows').map(billLine), nextCursor: bill.textOrNull('next_cursor') };
}

function billLine(row: unknown): BillLine {
  try {
    return { tag: 'row', val: billRow(new Fields(row)) };
  } catch {
    return { tag: 'unreadable', val: JSON.stringify(row) };
  }
}

function billRow(row: Fields): BillRow {
  const refundNumber = row.textOrNull('refund_number');
  const { minor, currency } = moneyOf(row);
  const [number, reference] = [row.text('order_number'), row.text('reference')];
  if ([number, reference, refundNumber ?? ''].some(isGarbled)) throw noAnswer('the row is garbled');
  return {
    kind: refundNumber !== null ? 'refund' : minor < 0 ? 'reversal' : 'payment',
    number,
    refundNumber: refundNumber ?? '',
    caseNumber: '',
    reference,
    // The contract wants the size; that it went back is said by the kind.
    amountMinor: Math.abs(minor),
    feeMinor: moneyOf(row, 'fee').minor,
    currency,
    at: row.whole('at'),
  };
}
