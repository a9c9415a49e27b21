// Saying what went wrong in the contract's words.

import type { HttpReply, NotificationError } from 'saoma:channel/channel@0.2.0';
import type { Error as Failed, Failure } from 'saoma:channel/types@0.2.0';

/** Why a call has no answer to report; thrown. */
export class ChannelError extends Error {
  readonly failed: Failed;

  constructor(failed: Failed) {
    super(failed.tag === 'unsupported' ? failed.tag : failed.val);
    this.failed = failed;
  }
}

/** Why a notification is not taken in; thrown. */
export class NotificationRefused extends Error {
  readonly refused: NotificationError;

  constructor(refused: NotificationError) {
    super(refused.tag);
    this.refused = refused;
  }

  /** The signature is wrong or missing. */
  static forged(why: string): NotificationRefused {
    return new NotificationRefused({ tag: 'forged', val: why });
  }

  /** It cannot be read. */
  static malformed(why: string): NotificationRefused {
    return new NotificationRefused({ tag: 'malformed', val: why });
  }

  /** Whether it is true cannot be told now; the scheme has to send it again. */
  static notNow(why: string): NotificationRefused {
    return new NotificationRefused({ tag: 'not-now', val: why });
  }

  /** About no payment, refund or dispute: this is what the scheme wants to hear. */
  static irrelevant(reply: HttpReply): NotificationRefused {
    return new NotificationRefused({ tag: 'irrelevant', val: reply });
  }
}

/** The request may have reached the scheme, and what came of it is not known. */
export const noAnswer = (why: string): ChannelError => new ChannelError({ tag: 'no-answer', val: why });

/** The request certainly did not take effect. */
export const notSent = (why: string): ChannelError => new ChannelError({ tag: 'not-sent', val: why });

/** A person must mend the account's settings or secrets. */
export const misconfigured = (why: string): ChannelError => new ChannelError({ tag: 'misconfigured', val: why });

type DeclineCode =
  | 'declined'
  | 'insufficient-funds'
  | 'code-invalid'
  | 'code-expired'
  | 'limit-exceeded'
  | 'not-permitted'
  | 'amount-invalid'
  | 'other';

/** The scheme's no. `message` is the scheme's own words. */
export const declined = (code: DeclineCode, message: string): Failure => ({ code, message });

/** What an import threw: the engine puts the contract's error into a field of an `Error`. */
export function payload<Thrown>(thrown: unknown): Thrown {
  return thrown instanceof Error && 'payload' in thrown ? (thrown.payload as Thrown) : (thrown as Thrown);
}
