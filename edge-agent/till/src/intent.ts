// What the cashier confirmed, kept until the agent has answered it. The key is made once, here, and every attempt carries
// it: after lost answers, a restart of the agent and a reload of the page it is still the same sale, refund or print.
//
// The shelf is on the browser's disk, and neither a customer's scanned code nor anybody's PIN may be: after a reload it is asked
// for without them. The agent answers with what the key made, or waits for the code, or wants the PIN, again.

import { freshKey, NoAnswer, Problem, post } from './api';

export interface Intent {
  key: string;
  path: string;
  body: unknown;
}

export interface Shelf {
  getItem(name: string): string | null;
  setItem(name: string, value: string): void;
}

const OPEN = 'saoma.intents';
const UNSURE = 'saoma.unsure';
const AWAITED = 'saoma.awaited';
/** Pause before an intent without an answer is sent again. */
const AGAIN_MS = 1_000;
/** The agent's own way of saying "not now, but soon". */
const PASSING = ['stopping'];

/** Where new sales are keyed: real ones, and those that are only played. */
export const SALES = { real: '/api/sales', training: '/api/training/sales' } as const;

/** Where what was keyed is put aside. */
export const HELD = '/api/held';

/** Where a total that is paid in parts is looked at, given back and printed again. */
export const SPLITS = '/api/splits';

/** Where the basket is changed. */
export const BASKET = '/api/basket';

/** While it waits for its answer there is nothing else to do: its outcome must be seen before the amount is used again. */
export function isAlone(path: string): boolean {
  return isNewSale(path) || path === HELD || path === '/api/shift/open';
}

/** Whether somebody's PIN goes with it: until it is answered, keys that are pressed may be of that PIN once more. */
export function hasPin(body: unknown): boolean {
  return /"(cashier_)?pin":/.test(JSON.stringify(body));
}

/** Whether it is of the sales under `sales`: a new one, or a press on one. */
export function isOfSales(path: string, sales: string): boolean {
  return path === sales || path.startsWith(`${sales}/`);
}

export function isNewSale(path: string): boolean {
  return path === SALES.real || path === SALES.training;
}

/**
 * Whether what was refused may have happened all the same. A sale is on the agent's disk or it is not, whatever went wrong
 * afterwards, and what could not be sent was not: pressed again, it is another press.
 */
function isInDoubt(intent: Intent, error: unknown): boolean {
  return error instanceof Problem && error.status >= 500 && error.code !== 'core_unreachable' && !isNewSale(intent.path);
}

/** What only whoever keyed it may know. */
const SECRETS = ['code', 'pin', 'cashier_pin'];

/** As JSON, but for these. */
function withoutSecrets(value: unknown): string {
  return JSON.stringify(value, (name, held: unknown) => (SECRETS.includes(name) ? undefined : held));
}

/** What makes two presses the same: another supervisor may have approved the second. */
function whatIsPressed(body: unknown): string {
  const { supervisor: _, ...pressed } = typeof body === 'object' && body !== null ? (body as Record<string, unknown>) : {};
  return withoutSecrets(pressed);
}

export class Intents {
  private open: Intent[];
  /** Keys of what was refused by trouble, not by a rule: pressed again it must not happen twice. */
  private unsure: Intent[];
  /** The sale that a scan or a card makes, at most one: whoever takes it, this key tells what became of it. */
  private scanned: Intent[];

  constructor(
    private readonly shelf: Shelf,
    private readonly send: typeof post = post,
    private readonly pause: (ms: number) => Promise<void> = (ms) => new Promise((done) => setTimeout(done, ms)),
  ) {
    this.open = this.read(OPEN);
    this.unsure = this.read(UNSURE);
    this.scanned = this.read(AWAITED);
  }

  private read(name: string): Intent[] {
    try {
      const kept: unknown = JSON.parse(this.shelf.getItem(name) ?? '[]');
      return Array.isArray(kept) ? (kept as Intent[]) : [];
    } catch {
      return [];
    }
  }

  private keep(): void {
    this.shelf.setItem(OPEN, withoutSecrets(this.open));
    this.shelf.setItem(UNSURE, withoutSecrets(this.unsure));
    this.shelf.setItem(AWAITED, withoutSecrets(this.scanned));
  }

  /** What was confirmed and not answered, or not scanned, before the page was loaded. */
  left(): readonly Intent[] {
    return [...this.open, ...this.scanned];
  }

  /** The sale that waits for a scan as far as this page knows, to be asked about again. */
  awaited(): Intent | null {
    return this.scanned[0] ?? null;
  }

  /** Nobody waits for a scan any more. */
  forgetScan(): void {
    this.scanned = [];
    this.keep();
  }

  /** A new intent, on the shelf before anything is sent; null while one for the same thing waits for its answer. */
  begin(path: string, body: unknown): Intent | null {
    if (this.open.some((intent) => intent.path === path)) return null;
    // The agent waits for one scan at most, and for none any more once another sale is keyed.
    if (isNewSale(path)) this.scanned = [];
    // The agent knows a press without its secrets, and whoever approves it, too.
    const same = whatIsPressed(body);
    const before = this.unsure.find((intent) => intent.path === path && whatIsPressed(intent.body) === same);
    const intent = { key: before?.key ?? freshKey(), path, body };
    this.open.push(intent);
    this.keep();
    return intent;
  }

  /** Sends until there is an answer, and only then lets go. `onSilence` hears of each attempt without one. */
  async carryOut<T>(intent: Intent, onSilence: () => void): Promise<T> {
    for (;;) {
      try {
        const answer = await this.send<T>(intent.path, intent.body, intent.key);
        const waits = typeof answer === 'object' && answer !== null && ('awaiting_scan' in answer || 'awaiting_card' in answer);
        if (waits) this.scanned = [intent];
        else if (this.scanned.some((other) => other.key === intent.key)) this.scanned = [];
        this.close(intent, false);
        return answer;
      } catch (error) {
        if (!(error instanceof NoAnswer) && !(error instanceof Problem && PASSING.includes(error.code))) {
          if (this.scanned.some((other) => other.key === intent.key)) this.scanned = [];
          this.close(intent, isInDoubt(intent, error));
          throw error;
        }
        onSilence();
        await this.pause(AGAIN_MS);
      }
    }
  }

  private close(intent: Intent, inDoubt: boolean): void {
    this.open = this.open.filter((other) => other.key !== intent.key);
    this.unsure = this.unsure.filter((other) => other.key !== intent.key);
    if (inDoubt) this.unsure.push({ ...intent, body: JSON.parse(withoutSecrets(intent.body)) as unknown });
    this.keep();
  }
}
