// The `sandbox-js` channel: carries the Sandbox Wallet's messages (`messages/`) over the host's HTTP, signed with the host's key.
//
// An answer whose signature does not fit is as good as none: whoever sent it is not the scheme. So is one that cannot be read. Core
// then asks again.

import {
  type Account,
  ChannelError,
  defineChannel,
  header,
  hmacHex,
  hmacVerifies,
  type Manifest,
  misconfigured,
  noAnswer,
  type NotificationEvent,
  NotificationRefused,
  now,
  type PaymentAnswer,
  randomHex,
  type Reply,
  send,
  utf8Bytes,
} from 'saoma-channel-sdk';
import { version } from '../package.json';
import schema from '../settings.schema.json';
import * as build from './messages/build.ts';
import { readBill } from './messages/page.ts';
import * as read from './messages/read.ts';

/** The secret that the scheme gave the merchant. */
const KEY = 'merchant-key';

/** Longest wait for one answer. Within the manifest's 4,000 ms there is then time left to report. */
const ANSWER_TIMEOUT_MS = 3_500;

const UNVERIFIED = "the answer's signature does not fit";

const MANIFEST: Manifest = {
  id: 'sandbox-js',
  version,
  name: 'Sandbox Wallet (JavaScript)',
  currencies: ['CNY', 'JPY', 'KWD'],
  capabilities: ['merchant-presented', 'customer-presented', 'cancel', 'refund', 'partial-refund', 'notifications', 'bills'],
  claims: [{ tag: 'digits', val: { prefixFrom: '88', prefixTo: '88', lengthMin: 18, lengthMax: 18 } }],
  settingsSchema: JSON.stringify(schema),
  secrets: [
    { name: KEY, kind: 'mac-key', description: 'The merchant key that the scheme gave you. 钱包分配的商户密钥。' },
  ],
  hosts: [{ tag: 'setting', val: 'base_url' }],
  cadence: { callTimeoutMs: 4_000, queryIntervalMs: 1_000, reverseAfterMs: 15_000 },
  // The scheme's days are of UTC, and a day's bill does not change once the day is over.
  bills: { timeZone: 'Etc/UTC', dayBeginsMinutes: 0, readyAfterMinutes: 10 },
};

export const channel = defineChannel({
  describe: () => MANIFEST,

  create(account, order) {
    return { code: read.readCreated(exchange(account, build.create(order, account.notifyUrl)), order) };
  },

  charge(account, order, code) {
    return read.readCharged(exchange(account, build.charge(order, account.notifyUrl, code)), order.number);
  },

  query: (account, order) => query(account, order.number),

  cancel(account, { number }) {
    const answer = exchange(account, build.close(number));
    return read.isNotReversible(answer) ? read.pastUndoing(query(account, number)) : read.readClosed(answer, number);
  },

  refund(account, refund) {
    return read.readRefunded(exchange(account, build.refund(refund)), refund.refundNumber);
  },

  queryRefund(account, refund) {
    return read.readRefundQueried(exchange(account, build.queryRefund(refund)), refund.refundNumber);
  },

  parseNotification(_account, { headers, body }) {
    const sent = (name: string): string => {
      const value = header(headers, name);
      if (value === null) throw NotificationRefused.forged(`the header ${name} is missing`);
      return value;
    };
    const text = build.notificationText(sent('x-sandbox-timestamp'), sent('x-sandbox-nonce'), body);
    if (!isGenuine(text, sent('x-sandbox-signature'))) throw NotificationRefused.forged('the signature does not fit');
    const acknowledgement = { status: 200, contentType: 'text/plain', body: utf8Bytes('OK') };
    return { events: [readable(body)], acknowledgement };
  },

  fetchBill(account, day, cursor) {
    const reply = exchange(account, build.bill(day, cursor));
    return readBill(reply, header(reply.headers, 'content-type') ?? '');
  },

  selfTest(account) {
    return read.readPong(pinged(account), build.readSettings(account).merchantId);
  },
});

function query(account: Account, number: string): PaymentAnswer {
  return read.readQueried(exchange(account, build.query(number)), number);
}

/** Without a key nothing can be believed; the scheme will send it again. */
function isGenuine(text: Uint8Array, signature: string): boolean {
  try {
    return hmacVerifies(KEY, text, signature);
  } catch {
    throw NotificationRefused.forged(`the account has no ${KEY}`);
  }
}

function readable(body: Uint8Array): NotificationEvent {
  try {
    return read.readNotification(body);
  } catch (error) {
    throw NotificationRefused.malformed(error instanceof Error ? error.message : String(error));
  }
}

/** Here nothing can have happened, and a wrong key is the likeliest reason for an answer that does not verify. */
function pinged(account: Account): read.Answer {
  try {
    return exchange(account, build.ping());
  } catch (error) {
    if (!(error instanceof ChannelError && error.message === UNVERIFIED)) throw error;
    throw misconfigured("the scheme's answer does not fit the merchant key: check the key and the merchant id");
  }
}

/** Sends one signed request and returns the scheme's answer, if it is the scheme's. */
function exchange(account: Account, call: build.Call): Reply {
  const { baseUrl, merchantId } = build.readSettings(account);
  const address = build.address(baseUrl, call.path);
  if (address === null) throw misconfigured('base_url must begin with http:// or https:// and a host');
  const [timestamp, nonce] = [String(now()), randomHex(16)];
  const reply = send({
    method: call.method,
    url: address.url,
    headers: {
      'x-sandbox-merchant': merchantId,
      'x-sandbox-timestamp': timestamp,
      'x-sandbox-nonce': nonce,
      'x-sandbox-signature': hmacHex(KEY, build.requestText(call, address.signedPath, timestamp, nonce)),
      ...(call.body === '' ? {} : { 'content-type': 'application/json' }),
    },
    body: call.body,
    timeoutMs: ANSWER_TIMEOUT_MS,
  });
  const [answered, signature] = [header(reply.headers, 'x-sandbox-timestamp'), header(reply.headers, 'x-sandbox-signature')];
  if (answered === null || signature === null) throw noAnswer(UNVERIFIED);
  if (!hmacVerifies(KEY, build.responseText(reply.status, answered, nonce, reply.body), signature)) throw noAnswer(UNVERIFIED);
  return reply;
}
