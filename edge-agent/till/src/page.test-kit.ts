// A page of the till whose agent is played by a test.

import { afterEach, vi } from 'vitest';
import type { Press } from './screen';

type Store = typeof import('./store');

// Each page is loaded afresh, which takes a busy machine its time.
vi.setConfig({ testTimeout: 30_000 });

export const HELD = [{ number: 3, amount_minor: 4850, amount: '48.50', reference: '桌 7', cashier: 'Li', held_at: 0 }];
export const KEYS: Record<string, Press> = {
  F2: { kind: 'function', key: 'code' },
  F6: { kind: 'function', key: 'refund' }, F7: { kind: 'function', key: 'shift' }, F8: { kind: 'function', key: 'hold' }, Enter: { kind: 'enter' }, Esc: { kind: 'escape' }, F9: { kind: 'info' }, F10: { kind: 'training' }, F12: { kind: 'language' },
};

export function state(facts: object = {}): object {
  return { link: { online: true }, shift: null, training: null, held: HELD, awaiting_scan: null, now: 1, ...facts };
}

export function sale(payment: string): object {
  return { payment, counter: 1, actions: [], refunds: [] };
}

interface Asked {
  path: string;
  body: unknown;
  answer(body: unknown): Promise<void>;
  refuse(code: string): Promise<void>;
}

/** One till's page with its agent played by the test: what was asked, and what the agent says by itself. */
export class Page {
  readonly asked: Asked[] = [];
  private readonly hear = new Map<string, (event: { data: string }) => void>();
  private source: { onopen?: () => void } = {};
  private pressedAt = performance.now();
  store!: Store;
  devices!: typeof import('./device-store');

  private constructor(private readonly shelf: Map<string, string>) {}

  static async open(shelf = new Map<string, string>()): Promise<Page> {
    const page = new Page(shelf);
    const storage = {
      getItem: (name: string) => shelf.get(name) ?? null,
      setItem: (name: string, value: string) => void shelf.set(name, value),
      removeItem: (name: string) => void shelf.delete(name),
    };
    vi.resetModules();
    vi.stubGlobal('sessionStorage', storage);
    vi.stubGlobal('localStorage', storage);
    vi.stubGlobal('navigator', { language: 'en' });
    vi.stubGlobal('EventSource', page.eventSource());
    vi.stubGlobal('fetch', (path: string, init: RequestInit) => page.fetch(path, init));
    page.store = await import('./store');
    page.devices = await import('./device-store');
    page.store.start();
    return page;
  }

  private eventSource(): unknown {
    const page = this;
    return class {
      constructor() {
        page.source = this as { onopen?: () => void };
      }
      addEventListener(name: string, take: (event: { data: string }) => void): void {
        page.hear.set(name, take);
      }
    };
  }

  private fetch(path: string, init: RequestInit): Promise<unknown> {
    return new Promise((done) => {
      this.asked.push({
        path,
        body: init.body === undefined ? undefined : JSON.parse(String(init.body)),
        answer: async (body) => {
          done({ ok: true, status: 200, json: async () => body });
          await settled();
        },
        refuse: async (code) => {
          done({ ok: false, status: 409, json: async () => ({ code, detail: '', trace_id: '' }) });
          await settled();
        },
      });
    });
  }

  /** The stream of events begins, with how things stand. */
  async connect(now: object = state()): Promise<void> {
    this.source.onopen?.();
    await settled();
    await this.tell('state', now);
  }

  async tell(name: string, data: unknown): Promise<void> {
    this.hear.get(name)?.({ data: JSON.stringify(data) });
    await settled();
  }

  keys(...names: string[]): void {
    for (const name of names) {
      this.pressedAt += 1_000;
      this.store.press(KEYS[name] ?? { kind: 'digits', digits: name }, 'key', this.pressedAt);
    }
  }

  last(path: string): Asked {
    const found = this.asked.findLast((one) => one.path === path);
    if (found === undefined) throw new Error(`nobody asked ${path}`);
    return found;
  }

  paths(): string[] {
    return this.asked.map(({ path }) => path);
  }

  reload(): Promise<Page> {
    return Page.open(this.shelf);
  }

  get model() {
    return this.store.current();
  }
}

/** Everything that waits for nothing but its turn has had it. */
export const settled = (): Promise<void> => new Promise((done) => setTimeout(done, 0));

afterEach(() => vi.unstubAllGlobals());
