// Signatures with keys that stay in the host.

import { bytes } from 'saoma:channel/random@0.2.0';
import { type Error as SecretError, hmacSha256, hmacSha256Verify } from 'saoma:channel/secrets@0.2.0';
import { type ChannelError, misconfigured, noAnswer, payload } from './failed.ts';
import { fromHex, toHex } from './hex.ts';

/**
 * HMAC-SHA-256 over the message under the account's secret of that name, in lower-case hex.
 *
 * @throws `misconfigured` if the account has no such secret.
 */
export function hmacHex(secret: string, message: Uint8Array): string {
  return asked(() => toHex(hmacSha256(secret, message)));
}

/**
 * Whether `tag` (hex) is the HMAC-SHA-256 of the message; the host compares in constant time. A text that is no hex is not.
 *
 * @throws `misconfigured` if the account has no such secret.
 */
export function hmacVerifies(secret: string, message: Uint8Array, tag: string): boolean {
  const tagBytes = fromHex(tag);
  return tagBytes !== null && asked(() => hmacSha256Verify(secret, message, tagBytes));
}

/** So many unpredictable bytes (at most 1,024) of the host's in lower-case hex: nonces. */
export function randomHex(n_bytes: number): string {
  return toHex(bytes(n_bytes));
}

function asked<Answer>(operation: () => Answer): Answer {
  try {
    return operation();
  } catch (thrown) {
    throw refused(payload<SecretError>(thrown));
  }
}

/** What the host would not do, for the answer of a call. In doubt `no-answer`: it may be that a request went before. */
function refused(error: SecretError): ChannelError {
  switch (error.tag) {
    case 'missing':
      return misconfigured(`the secret ${JSON.stringify(error.val)} is missing`);
    case 'wrong-kind':
      return misconfigured(`the secret ${JSON.stringify(error.val)} is of another kind`);
    case 'unknown-key':
      return noAnswer(`there is no key ${JSON.stringify(error.val)} to check the signature with`);
    case 'invalid':
      return noAnswer(error.val);
    case 'exhausted':
      return noAnswer('too many RSA operations in one call');
    default:
      return noAnswer(`the host answers ${String(error)}`);
  }
}
