// Requests, and the texts that are signed.

import { type Account, decimal, type Money, notSent, type Order, type RefundOrder, settings, toHex, utf8Bytes } from 'saoma-channel-sdk';

/** The account's settings (`settings.schema.json`). */
export interface Settings {
  baseUrl: string;
  merchantId: string;
}

/** One call of the merchant API, unsigned. */
export interface Call {
  method: 'GET' | 'POST';
  /** With query. */
  path: string;
  /** JSON, empty for `GET`. */
  body: string;
}

export function readSettings(account: Account): Settings {
  return settings(account, (fields) => ({ baseUrl: fields.text('base_url'), merchantId: fields.text('merchant_id') }));
}

/** `POST /v1/orders`. @throws `not-sent` if the amount cannot be written in its currency. */
export function create(order: Order, notifyUrl: string): Call {
  return post('/v1/orders', newOrder(order, notifyUrl));
}

/** `POST /v1/charges`. @throws `not-sent` if the amount cannot be written in its currency. */
export function charge(order: Order, notifyUrl: string, code: string): Call {
  return post('/v1/charges', { ...newOrder(order, notifyUrl), code });
}

/** `GET /v1/orders/{order_number}`. */
export const query = (number: string): Call => get(`/v1/orders/${escaped(number)}`);

/** `POST /v1/orders/{order_number}/close`. */
export const close = (number: string): Call => post(`/v1/orders/${escaped(number)}/close`, {});

/** `POST /v1/orders/{order_number}/refunds`. @throws `not-sent` if the amount cannot be written in its currency. */
export function refund({ number, refundNumber, amount, reason }: RefundOrder): Call {
  return post(`/v1/orders/${escaped(number)}/refunds`, { refund_number: refundNumber, amount: written(amount), reason });
}

/** `GET /v1/orders/{order_number}/refunds/{refund_number}`. */
export function queryRefund({ number, refundNumber }: RefundOrder): Call {
  return get(`/v1/orders/${escaped(number)}/refunds/${escaped(refundNumber)}`);
}

/** `GET /v1/bills/{day}?cursor=`. */
export function bill(day: string, cursor: string | null): Call {
  return get(`/v1/bills/${escaped(day)}${cursor === null ? '' : `?cursor=${escaped(cursor)}`}`);
}

/** `GET /v1/ping`. */
export const ping = (): Call => get('/v1/ping');

/**
 * The whole URL, and the path that is signed: a base URL with a path of its own counts in both. `null` if the base URL has no host.
 */
export function address(baseUrl: string, path: string): { url: string; signedPath: string } | null {
  const read = /^([a-z]+:\/\/[^/]+)(.*?)\/*$/.exec(baseUrl);
  return read && { url: `${read[1]}${read[2]}${path}`, signedPath: `${read[2]}${path}` };
}

/** What the signature of a request is over. */
export function requestText(call: Call, signedPath: string, timestamp: string, nonce: string): Uint8Array {
  return signed(['REQUEST', call.method, signedPath, timestamp, nonce], utf8Bytes(call.body));
}

/** What the signature of an answer is over. The request's nonce ties it to the question. */
export function responseText(status: number, timestamp: string, requestNonce: string, body: Uint8Array): Uint8Array {
  return signed(['RESPONSE', String(status), timestamp, requestNonce], body);
}

/** What the signature of a notification is over. */
export function notificationText(timestamp: string, nonce: string, body: Uint8Array): Uint8Array {
  return signed(['NOTIFY', timestamp, nonce], body);
}

const get = (path: string): Call => ({ method: 'GET', path, body: '' });
const post = (path: string, body: object): Call => ({ method: 'POST', path, body: JSON.stringify(body) });

function newOrder(order: Order, notifyUrl: string) {
  return {
    order_number: order.number,
    amount: written(order.amount),
    currency: order.amount.currency,
    subject: order.subject,
    merchant_name: order.merchantName,
    store_name: order.storeName,
    expires_at: order.expiresAt,
    notify_url: notifyUrl,
  };
}

function written(amount: Money): string {
  const text = decimal(amount);
  if (text === null) throw notSent(`${amount.minor} cannot be written in ${amount.currency}`);
  return text;
}

/** Fields joined by, and ending in, one line feed. The body is taken as it came: it may be no text at all. */
function signed(fields: string[], body: Uint8Array): Uint8Array {
  const head = utf8Bytes(fields.map((field) => `${field}\n`).join(''));
  const text = new Uint8Array(head.length + body.length + 1);
  text.set(head);
  text.set(body, head.length);
  text[text.length - 1] = 0x0a;
  return text;
}

/** Percent-encoding of all but RFC 3986's unreserved characters. */
function escaped(text: string): string {
  return text.replace(/[^A-Za-z0-9._~-]+/g, (others) => toHex(utf8Bytes(others)).toUpperCase().replace(/../g, '%$&'));
}
