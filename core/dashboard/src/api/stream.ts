// The live stream of server-sent events. EventSource cannot send an Authorization header, so this reads the body of a
// fetch, connects again with backoff, and tells the server the last event it saw.

import { authorized } from './client';
import { SseParser, type ServerEvent } from './sse';

export type StreamStatus = 'connecting' | 'live' | 'broken';

/** The server sends at least a comment every 20 seconds; after this long without a byte the connection is dead. */
const SILENCE_MS_MAX = 50_000;
const BACKOFF_MS_FIRST = 1_000;
const BACKOFF_MS_MAX = 30_000;

export interface StreamHandlers {
  onEvent: (event: ServerEvent) => void;
  onStatus: (status: StreamStatus) => void;
}

/** How long to wait before the `attempt`th try (from 0): doubling, with up to half of it left to chance. */
export function backoffMs(attempt: number, firstMs: number, chance: number): number {
  const full = Math.min(firstMs * 2 ** Math.min(attempt, 16), BACKOFF_MS_MAX);
  return Math.round(full / 2 + (full / 2) * chance);
}

/** Follows the stream until the function it gives back is called. */
export function follow(path: string, { onEvent, onStatus }: StreamHandlers): () => void {
  const stop = new AbortController();
  void run(path, stop.signal, onEvent, onStatus);
  return () => stop.abort();
}

async function run(
  path: string,
  stop: AbortSignal,
  onEvent: (event: ServerEvent) => void,
  onStatus: (status: StreamStatus) => void,
): Promise<void> {
  let attempt = 0;
  let lastId = '';
  let retryMs: number | null = null;
  while (!stop.aborted) {
    onStatus(attempt === 0 ? 'connecting' : 'broken');
    const parser: SseParser = new SseParser((event) => {
      lastId = event.id;
      onEvent(event);
    });
    parser.lastId = lastId;
    try {
      await connect(path, stop, lastId, parser, () => {
        attempt = 0;
        onStatus('live');
      });
    } catch {
      // Whatever ended it, the answer is to connect again.
    }
    lastId = parser.lastId;
    retryMs = parser.retryMs ?? retryMs;
    if (stop.aborted) return;
    onStatus('broken');
    await pause(backoffMs(attempt, retryMs ?? BACKOFF_MS_FIRST, Math.random()), stop);
    attempt += 1;
  }
}

async function connect(
  path: string,
  stop: AbortSignal,
  lastId: string,
  parser: SseParser,
  onOpen: () => void,
): Promise<void> {
  const attempt = new AbortController();
  const abort = (): void => attempt.abort();
  stop.addEventListener('abort', abort);
  let watchdog = setTimeout(abort, SILENCE_MS_MAX);
  try {
    const headers: Record<string, string> = { accept: 'text/event-stream' };
    if (lastId !== '') headers['last-event-id'] = lastId;
    const request = new Request(new URL(path, location.origin), { headers, signal: attempt.signal, cache: 'no-store' });
    const response = await authorized(request);
    if (!response.ok || response.body === null) throw new Error(`the stream answered ${response.status}`);
    onOpen();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      clearTimeout(watchdog);
      watchdog = setTimeout(abort, SILENCE_MS_MAX);
      parser.push(value);
    }
  } finally {
    clearTimeout(watchdog);
    stop.removeEventListener('abort', abort);
    attempt.abort();
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms);
    // A laptop that wakes up, or a cable plugged in again, need not wait for the timer.
    window.addEventListener('online', done);
    stop.addEventListener('abort', done);
    function done(): void {
      clearTimeout(timer);
      window.removeEventListener('online', done);
      stop.removeEventListener('abort', done);
      resolve();
    }
  });
}
