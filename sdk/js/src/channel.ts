// The edge between a channel and the host.

import type { Channel } from 'saoma:channel/channel@0.2.0';
import { ChannelError, NotificationRefused } from './failed.ts';
import { error as logError } from './log.ts';

/**
 * What the component exports, as `channel`.
 *
 * What your functions throw becomes the contract's error. An exception that nobody foresaw (a mistake in the channel) is
 * `no-answer`, since nobody knows whether a request went before it, and its first lines go to the operator's log.
 */
export function defineChannel(channel: Channel): Channel {
  return {
    describe: () => channel.describe(),
    create: edge((account, order) => channel.create(account, order)),
    charge: edge((account, order, code) => channel.charge(account, order, code)),
    query: edge((account, order) => channel.query(account, order)),
    cancel: edge((account, order) => channel.cancel(account, order)),
    refund: edge((account, refund) => channel.refund(account, refund)),
    queryRefund: edge((account, refund) => channel.queryRefund(account, refund)),
    parseNotification: edge((account, notification) => channel.parseNotification(account, notification)),
    fetchBill: edge((account, day, cursor) => channel.fetchBill(account, day, cursor)),
    selfTest: edge((account) => channel.selfTest(account)),
  };
}

// Long enough for the message and the frames that tell where it was; the host takes 1,000 characters a line.
const LOGGED_CHARACTERS = 900;

function edge<Given extends unknown[], Answer>(call: (...given: Given) => Answer): (...given: Given) => Answer {
  return (...given) => {
    try {
      return call(...given);
    } catch (thrown) {
      throw told(thrown);
    }
  };
}

function told(thrown: unknown): unknown {
  if (thrown instanceof ChannelError) return thrown.failed;
  if (thrown instanceof NotificationRefused) return thrown.refused;
  const [message, stack] = thrown instanceof Error ? [`${thrown.name}: ${thrown.message}`, thrown.stack ?? ''] : [String(thrown), ''];
  logError(`a mistake in the channel: ${message} ${stack}`.slice(0, LOGGED_CHARACTERS));
  return { tag: 'no-answer', val: `a mistake in the channel: ${message}` };
}
