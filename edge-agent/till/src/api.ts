// What the pages speak with the agent: the types of TILL-API.md, one way to ask and the live events.

import type { Discount } from './basket';

export type SaleState =
  | 'sending' | 'created' | 'presenting' | 'submitting' | 'pending' | 'unknown' | 'succeeded' | 'partly_refunded'
  | 'refunded' | 'voided' | 'failed' | 'reversed' | 'expired' | 'cancelled';
export type Action = 'query' | 'confirm' | 'cancel' | 'void' | 'refund' | 'reprint' | 'acknowledge';
export type Method = 'cash' | 'code' | 'scan' | 'card';
/** How a sale was paid: an offline code is scanned like any other; a card without a network is stored, and forwarded later. */
export type PaidBy = Method | 'offline' | 'stored';
export type CardStep = 'wait' | 'present' | 'swipe' | 'reading' | 'pin' | 'remove';
export type CardTrouble = 'taken_out' | 'chip_unreadable' | 'chip_failed' | 'stripe_unreadable' | 'use_chip' | 'not_accepted' | 'declined' | 'pin_cancelled'
  | 'chip_only' | 'needs_bank' | 'out_of_date';

export interface Failure {
  code: string;
  message: string;
}

export interface RefundOfSale {
  refund: string;
  amount_minor: number;
  void: boolean;
  state: 'submitting' | 'pending' | 'unknown' | 'succeeded' | 'failed';
  failure?: Failure;
  /** The supervisor who let it be given back. */
  approved_by?: string;
}

export interface Sale {
  payment: string;
  counter: number;
  method: PaidBy;
  state: SaleState;
  settled: boolean;
  paid: boolean;
  amount_minor: number;
  refunded_minor: number;
  currency: string;
  amount: string;
  tendered_minor?: number;
  change_minor?: number;
  channel?: string;
  code_url?: string;
  expires_at?: number;
  /** The customer’s phone carries it to core. */
  phone?: boolean;
  failure?: Failure;
  cancelling: boolean;
  paid_late: boolean;
  /** Of a card without a network: a person at core is waited for. */
  awaits_office?: boolean;
  synced: boolean;
  /** Another till of the shop made it, and `counter` is that one's. */
  elsewhere?: boolean;
  receipt: 'none' | 'queued' | 'printed' | 'failed';
  cashier?: string;
  /** The table's or order's number. */
  reference?: string;
  /** `masked`: the first 6 digits and the last 4. */
  card?: { entry: string; masked: string; label: string; aid: string };
  /** What it is a part of. */
  split?: { number: number; part: number; total_minor: number };
  /** What its price is made of, if the shop's rules named it. */
  quote?: { list_minor: number; adjustments: { name: string; minor: number }[]; receipt_lines: string[] };
  refunds: RefundOfSale[];
  keyed_at: number;
  /** The machine's clock was wrong then, and `keyed_at` is core's. */
  by_core?: boolean;
  /** Nobody knows when it was: the machine's clock was wrong, and core not heard. */
  time_lost?: boolean;
  updated_at: number;
  actions: Action[];
}

export interface Peripheral {
  kind: string;
  driver: string;
  state: 'ok' | 'warning' | 'failed';
  detail?: string;
}

export type Trouble = 'unreachable' | 'silent' | 'paper_out' | 'cover_open' | 'unable';

export interface Device {
  kind: string;
  driver: string;
  place: string | null;
  state: 'none' | 'starting' | 'ok' | 'warning' | 'failed';
  detail: string;
  trouble: Trouble | null;
  since: number | null;
  last_used_at: number | null;
  last_error: { why: string; trouble: Trouble | null; at: number } | null;
}

export interface DriverOf {
  kind: string;
  name: string;
  /** The option that says where the device is. */
  place?: string;
  options: string[];
}

export interface DevicesPage {
  devices: Device[];
  connected: {
    bus: 'serial' | 'usb_printer' | 'keyboard' | 'sound' | 'chip_reader' | 'network';
    /** What is set as the place. */
    place: string;
    name: string;
    used_by: string[];
    fits: { kind: string; driver: string }[];
  }[];
  drivers: DriverOf[];
  settings: {
    file: string | null;
    version: string;
    locked: string | null;
    broken: string | null;
    pending: string[];
    options: { name: string; value: string | number; variable: string | null }[];
  };
}

export type Role = 'till' | 'display';

export interface PairedDevice {
  id: string;
  name: string;
  role: Role;
  paired_at: number;
  /** Unknown until core has said what time it is. */
  seen_at: number | null;
  expires_at: number | null;
  /** It is let in no more, but the disk has not taken that yet. */
  is_leaving: boolean;
}

/** The page of the paired devices. */
export interface PairedPage {
  listener: { state: 'off' } | { state: 'failed'; why: string } | { state: 'open'; url: string; fingerprint: string; certificate_expires_at: number };
  devices: PairedDevice[];
  devices_max: number;
  /** The code that is on offer. `device`: who has redeemed it. */
  offer: { id: string; name: string; role: Role; expires_at: number; tries_left: number; device: string | null } | null;
  trouble: string | null;
}

/** A code, told once to the page that asked for it. */
export interface PairingCode {
  id: string;
  url: string;
  svg: string;
  code: string;
  expires_at: number;
}

export interface Alarm {
  code: string;
  message: string;
  at: number;
}

export interface Line {
  count: number;
  minor: number;
}

export interface MethodTotals {
  sales: Line;
  refunds: Line;
  voids: Line;
}

export interface Shift {
  batch: number;
  cashier: string;
  cashier_number: string;
  currency: string;
  float_minor: number;
  opened_at: number;
  closed?: {
    at: number;
    expected_minor: number;
    counted_minor: number;
    over_short_minor: number;
    totals: {
      cash: MethodTotals; merchant_presented: MethodTotals; customer_presented: MethodTotals; card?: MethodTotals; offline?: MethodTotals; stored?: MethodTotals; paid_in: Line; paid_out: Line;
      under_way: Line; elsewhere: Line; declined?: Line;
    };
    in_doubt: { counter: number; amount_minor: number; why: string }[];
    report: Sale['receipt'];
  };
}

/** What was keyed and put aside. No sale. */
export interface Held {
  number: number;
  amount_minor: number;
  amount: string;
  reference?: string;
  cashier: string;
  /** It is a basket, and taken up as one. */
  is_basket?: boolean;
  held_at: number;
}

export type SplitState = 'open' | 'paid' | 'giving_back' | 'given_back' | 'partly_given_back';

/** A total that is paid in parts. */
export interface Split {
  number: number;
  state: SplitState;
  total_minor: number;
  total: string;
  paid_minor: number;
  rest_minor: number;
  currency: string;
  /** A part that is not settled: nothing else goes on. */
  in_the_way?: string;
  reference?: string;
  cashier: string;
  began_at: number;
  receipt: Sale['receipt'];
  parts: {
    payment: string; counter: number; method: PaidBy; state: SaleState; amount_minor: number; collected_minor: number;
    refunds: RefundOfSale[];
  }[];
  actions: ('collect' | 'give_back' | 'reprint')[];
}

export interface GoodsTax {
  name: string;
  basis_points: number;
  included: boolean;
}

export interface BasketLine {
  name: string;
  quantity: number;
  /** Of one, or of a kilogram of what was weighed. */
  price_minor: number;
  weight_grams?: number;
  weight_keyed?: boolean;
  discount?: Discount;
  discount_minor: number;
  /** After its own discount. */
  total_minor: number;
  tax?: GoodsTax;
}

/** What is being scanned, and what it costs. */
export interface Basket {
  revision: number;
  lines: BasketLine[];
  discount?: Discount;
  /** What it was put aside as. */
  held?: number;
  totals: {
    gross_minor: number; discount_minor: number; sale_discount_minor: number; total_minor: number;
    taxes: { tax: GoodsTax; base_minor: number; tax_minor: number }[];
  };
}

export type UpdateWait = 'payment' | 'unsent' | 'basket' | 'scan' | 'printing' | 'training' | 'core' | 'keys';

/** How the next release stands. */
export interface Update {
  running: string;
  on_trial: boolean;
  next: string | null;
  waits_for: UpdateWait[];
  trouble: string | null;
}

export interface Stored {
  most_minor: number | null;
  why: string | null;
  detail: string | null;
  waiting_count: number;
  waiting_minor: number;
  /** What waits for a person at core. */
  office_count: number;
  office_minor: number;
  /** What the bank has declined and nobody here has acknowledged. */
  declined_count: number;
  declined_minor: number;
  /** Oldest first, a screenful of them. `code`: of its alarm. */
  to_acknowledge: { payment: string; counter: number; amount_minor: number; masked: string; code: 'stored_declined' | 'stored_not_booked' }[];
}

/** Paid through one of the shop's printed codes; no sale of this till. `label`: the shop's own name for the code. */
export interface Received {
  payment: string;
  label: string;
  amount_minor: number;
  amount: string;
  currency: string;
  paid_at: number;
}

export interface TillState {
  version: string;
  till: { merchant_name: string; store_name: string; terminal_name: string };
  currency: string;
  minor_digits: number;
  cashier: string;
  shift: { batch: number; cashier: string; opened_at: number } | null;
  shift_required: boolean;
  /** The shop has rules of its own: a price is asked for before a sale. */
  rules?: boolean;
  /** Signing on needs a PIN. */
  pins?: boolean;
  /** Refunds and voids need a supervisor's PIN. */
  supervisor_needed?: boolean;
  /** `offline_since`: core's last word, while it is away; `locked_since`: core has shut this terminal out. */
  link: { online: boolean; mqtt: boolean; https: boolean; offline_since?: number | null; locked_since?: number | null };
  unsent: { count: number; oldest_at: number | null; at_risk: { minor: number; currency: string }[] };
  sync: { head: number; through: number; /** `code`: of its alarm. */ stopped: { sequence: number; code?: string; why: string } | null };
  disk: { ok: boolean; detail: string };
  /** Nothing that is keyed is real. */
  training?: { since: number; cashier: string } | null;
  /** Oldest first. */
  held?: Held[];
  /** Those that are not finished, oldest first. */
  splits?: Split[];
  /** Null while it is empty. */
  basket?: Basket | null;
  /** How many goods can be scanned. */
  /** Of the basket, empty or not; grows with each change, from another number at each start of the agent. */
  basket_revision?: number;
  catalogue_count?: number;
  /** How offline codes stand, where they are taken; `why` is the reason's code if none is taken now. */
  offline?: { why: string | null; detail: string | null } | null;
  /** Codes that the customer’s phone carries to core, where they may be shown. */
  phone?: { why: string | null; detail: string | null } | null;
  /** How cards without a network stand, where they are taken: the most that one pays, or why none does; what the bank has not answered for. */
  stored?: Stored | null;
  /** Of today, newest first, 20 at most. */
  received?: Received[];
  awaiting_scan: { amount_minor: number; since: number } | null;
  awaiting_card?: { amount_minor: number; since: number; step: CardStep; trouble: CardTrouble | null; stored?: boolean } | null;
  open_sales: string[];
  peripherals: Peripheral[];
  alarms: Alarm[];
  /** Of the program itself; null if it does not update itself here. */
  update?: Update | null;
  now: number;
}

export type DisplayMessage = 'show_your_code' | 'scan_code' | 'confirming' | 'paid' | 'failed' | 'cancelled' | 'expired' | 'refunded'
  | 'present_card' | 'swipe_card' | 'reading_card' | 'key_pin' | 'remove_card' | 'sign_slip';

export type Display =
  | { kind: 'idle'; merchant_name: string }
  | { kind: 'code'; payment: string; amount: string; currency: string; code_url: string; expires_at?: number; svg: string }
  | { kind: 'message'; message: DisplayMessage; amount?: string; currency?: string; change?: string }
  | { kind: 'basket'; name: string; quantity: number; weight_grams?: number; line: string; total: string; currency: string }
  | { kind: 'training'; message?: DisplayMessage; amount?: string; currency?: string; change?: string };

export type Weighing = { state: 'stable'; grams: number; net: boolean } | { state: 'in_motion' | 'over_capacity' | 'under_zero' | 'not_zeroed' };

export interface Books {
  agree: boolean;
}

export type SaleScan = { result: 'sale' | 'found' | 'training_sale'; sale: Sale };
export type BasketScan = { result: 'basket'; scanned?: { name: string; line: number }; basket: Basket | null };
/** Goods that are sold by weight, with the price of a kilogram. */
export type WeighScan = { result: 'weigh'; goods: string; name: string; price_minor: number };
export type ScanAnswer = SaleScan | BasketScan | WeighScan;
export type ScanEvent = ScanAnswer | { result: 'unexpected' | 'goods_scanned' | 'card_swiped' } | { result: 'barcode_unknown'; ends_in?: string } | { result: 'refused'; code: string; detail: string };

/** A refusal, as the agent words it (RFC 9457). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly traceId = '',
  ) {
    super(`${status} ${code}`);
  }
}

/** No answer at all: what was asked for may or may not have happened. */
export class NoAnswer extends Error {}

/** The agent answers within 10 s by its own word; beyond this it is not going to. */
const ANSWER_MS_MAX = 20_000;

export function freshKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `till-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

async function ask(path: string, init: RequestInit, answerMsMax = ANSWER_MS_MAX): Promise<unknown> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(path, { ...init, cache: 'no-store', signal: AbortSignal.timeout(answerMsMax) });
    body = await response.json();
  } catch (error) {
    // An answer that cannot be read tells as little as none.
    throw new NoAnswer(String(error));
  }
  if (response.ok) return body;
  const facts = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>;
  const text = (name: string): string => (typeof facts[name] === 'string' ? facts[name] : '');
  // A device that is let in no more has one page left.
  if (text('code') === 'not_paired') globalThis.location?.replace('/pair');
  throw new Problem(response.status, text('code') || `http_${response.status}`, text('detail'), text('trace_id'));
}

export async function get<T>(path: string): Promise<T> {
  return (await ask(path, {})) as T;
}

export async function post<T>(path: string, body: unknown, key: string, answerMsMax?: number): Promise<T> {
  const headers = { 'content-type': 'application/json', 'x-saoma-till': '1', 'idempotency-key': key };
  return (await ask(path, { method: 'POST', headers, body: JSON.stringify(body) }, answerMsMax)) as T;
}

export interface Events {
  state: TillState;
  sale: Sale;
  /** A sale that was only played. */
  training_sale: Sale;
  display: Display;
  receipt: { payment: string; printed: boolean; why?: string; trouble?: Trouble };
  scan: ScanEvent;
  card: { result: 'sale'; sale: Sale } | { result: 'over'; code: string; detail: string };
  shift: Shift;
  split: Split;
  received: Received;
  alarm: Alarm;
}

export type Listener = { [Name in keyof Events]?: (data: Events[Name]) => void };

const AGAIN_MS = 1_000;

/** Follows the agent's events for as long as the page lives. */
export function follow(listener: Listener, onConnection: (connected: boolean) => void): void {
  const source = new EventSource('/api/events');
  source.onopen = () => onConnection(true);
  source.onerror = () => {
    onConnection(false);
    // Why there are no events is told to whoever asks something: a device may have been revoked.
    if (source.readyState === EventSource.CLOSED) void get('/api/display').catch(() => undefined);
    // The browser tries again by itself except after an answer that is not a stream of events.
    if (source.readyState === EventSource.CLOSED) setTimeout(() => follow(listener, onConnection), AGAIN_MS);
  };
  for (const [name, take] of Object.entries(listener)) {
    source.addEventListener(name, (event: MessageEvent<string>) => {
      (take as (data: unknown) => void)(JSON.parse(event.data));
    });
  }
}
