// One HTTP request, with an error that already says what core must know: may the scheme have heard it or not.

import * as http from 'saoma:channel/http@0.2.0';
import { utf8Bytes } from './bytes.ts';
import { type ChannelError, misconfigured, noAnswer, notSent, payload } from './failed.ts';

/** A request to the scheme. What is left out is not sent. */
export interface HttpRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  url: string;
  headers?: Readonly<Record<string, string>>;
  /** Text is sent as UTF-8. */
  body?: string | Uint8Array;
  /** Secrets (`text`) that the host puts in: the plugin never sees them. */
  credentials?: http.Credential[];
  /** The secret (`client-certificate`) to show in TLS. */
  clientCertificate?: string;
  /** The secret (`certificates`) that alone is trusted to say who the other side is. */
  serverCertificates?: string;
  /** 1 to 60,000. Leave a few hundred of the manifest's call timeout, so that your answer still counts. */
  timeoutMs: number;
  /** The longest answer taken; 1 MiB, in `fetch-bill` up to 8 MiB. */
  answerBytesMax?: number;
}

/** What the scheme answered, unverified. */
export interface Reply {
  status: number;
  /** Names in lower case. */
  headers: [string, string][];
  body: Uint8Array;
}

/** The contract's bound outside of `fetch-bill`. */
const ANSWER_BYTES_MAX = 1 << 20;

/**
 * Sends it once, and returns any answer, whatever its status.
 *
 * @throws `misconfigured` if the account lacks a secret that the request names; `not-sent` if no byte of it left this machine, else
 * `no-answer`. About this request alone: if an earlier one of the same call went unanswered, core takes the call as unanswered.
 */
export function send(request: HttpRequest): Reply {
  const { body = '' } = request;
  try {
    const { status, headers, body: answer } = http.send({
      method: request.method,
      url: request.url,
      headers: Object.entries(request.headers ?? {}),
      body: typeof body === 'string' ? utf8Bytes(body) : body,
      credentials: request.credentials ?? [],
      clientCertificate: request.clientCertificate ?? null,
      serverCertificates: request.serverCertificates ?? null,
      timeoutMs: request.timeoutMs,
      answerBytesMax: request.answerBytesMax ?? ANSWER_BYTES_MAX,
    });
    return { status, headers, body: answer };
  } catch (thrown) {
    throw failed(payload<http.Error>(thrown));
  }
}

/** The first header of that name (in lower case); `null` if there is none. */
export function header(headers: readonly [string, string][], name: string): string | null {
  return headers.find(([given]) => given === name)?.[1] ?? null;
}

function failed(error: http.Error): ChannelError {
  switch (error.tag) {
    case 'forbidden':
    case 'invalid':
      return notSent(error.val);
    case 'no-secret':
      return misconfigured(error.val);
    case 'unreachable':
      return notSent(`the scheme cannot be reached: ${error.val}`);
    case 'timed-out':
      return noAnswer('the scheme did not answer in time');
    case 'broken':
      return noAnswer(`the answer was cut off: ${error.val}`);
    default:
      return noAnswer(`the host answers ${String(error)}`);
  }
}
