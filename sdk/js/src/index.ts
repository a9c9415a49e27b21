// For authors of payment channels: what every channel needs of the contract (sdk/wit/0.2.0), in TypeScript.
//
// A channel is one object that is exported under the name `channel`:
//
//     export const channel = defineChannel({
//       describe() { … },
//       create(account, order) { … },
//       …
//     });
//
// Keep the scheme's words (build, sign text, parse) in modules without imports of the host.

import './environment.ts';

export { debug, error, info, warn } from './log.ts';
export { utf8, utf8Bytes, utf8Lossy } from './bytes.ts';
export { defineChannel } from './channel.ts';
export { ChannelError, declined, misconfigured, noAnswer, NotificationRefused, notSent } from './failed.ts';
export { fields, Fields, parseJson, settings } from './fields.ts';
export { fromHex, toHex } from './hex.ts';
export { decimal, fromDecimal } from './money.ts';
export { hmacHex, hmacVerifies, randomHex } from './sign.ts';
export { isGarbled, text } from './text.ts';
export { now } from './time.ts';
export { header, type HttpRequest, type Reply, send } from './web.ts';
export type {
  BillLine,
  BillPage,
  BillRow,
  Channel,
  DisputeNews,
  DisputeNotice,
  HttpMessage,
  HttpReply,
  NotificationEvent,
  NotificationOutcome,
} from 'saoma:channel/channel@0.2.0';
export type {
  Account,
  Failure,
  KnownOrder,
  Manifest,
  Money,
  Order,
  PaymentAnswer,
  PaymentStatus,
  RefundAnswer,
  RefundOrder,
  RefundStatus,
} from 'saoma:channel/types@0.2.0';
