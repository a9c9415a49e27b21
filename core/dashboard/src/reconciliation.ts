// What the reconciliation room knows without any of the screen: how an account's day stands, what differs in a discrepancy,
// and what may be done about it. Core decides; this only keeps useless buttons away and says things in the reader's order.

import type { AccountDay, Colleague, Discrepancy, Money, Reconciliation, SettlementBatch } from './api/client';
import type { Person } from './api/session';
import { isPeriod } from './books';
import { may } from './rights';

/** A running comparison is asked about this often. */
export const RUNNING_POLL_MS = 2_000;

/** As the reader's calendar has it: the last day that is over. */
export function yesterday(now: Date): string {
  return dayAfter(isoDay(now), -1);
}

function isoDay(date: Date): string {
  return new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate())).toISOString().slice(0, 10);
}

/** The day so many days later; days have no hours here, so that no clock change can move them. */
export function dayAfter(day: string, days: number): string {
  const date = new Date(`${day}T00:00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

export function isDay(text: string): boolean {
  return isPeriod({ from: text, to: text });
}

export type DayStanding =
  /** The channel has no bills to compare with. */
  | 'no_bills'
  /** Nobody has compared it, and the bill should not be there yet. */
  | 'bill_due'
  | 'not_compared'
  | 'running'
  /** The last try failed; an earlier one may have a result. */
  | 'failed'
  /** Something waits for a person. */
  | 'differs'
  /** Something differed, and all of it has come to its end. */
  | 'settled'
  | 'agrees';

/** How long core lets a comparison be silent before another may take its place (`LEASE_MS` of core/server/src/reconcile.rs). */
const SILENT_MS_MAX = 180_000;

/** Whether it is of use to ask for a comparison: of one that runs it is not, unless it may have been cut off. */
export function mayCompare({ newest }: AccountDay, now: number): boolean {
  return newest?.state !== 'running' || now - newest.started_at > SILENT_MS_MAX;
}

/** What was found of these classes is explained by another day or account: nobody need do anything about it. */
const EXPLAINED = ['cut_off', 'other_account'];

export function dayStanding(item: AccountDay, now: number): DayStanding {
  const { newest, compared, waiting } = item;
  if (newest?.state === 'running') return 'running';
  if (newest?.state === 'failed') return 'failed';
  if (waiting > 0) return 'differs';
  if (compared?.result == null) {
    if (item.bill_ready_at == null) return 'no_bills';
    return item.bill_ready_at > now ? 'bill_due' : 'not_compared';
  }
  const found = foundClasses(compared);
  return compared.result.overflowed || found.some(([name]) => !EXPLAINED.includes(name)) ? 'settled' : 'agrees';
}

/** What a comparison found, by class, most first. */
export function foundClasses({ result }: Reconciliation): [string, number][] {
  const found = Object.entries(result?.found ?? {}).filter(([, count]) => count > 0);
  return found.sort(([one, n], [other, m]) => m - n || one.localeCompare(other));
}

/** One line of both sides' figures. */
export interface Figure {
  currency: string;
  kind: 'money' | 'fee';
  ours: number;
  theirs: number;
  /** Theirs less ours. */
  difference: number;
}

/** Both sides' sums, by currency in alphabetic order: what was collected, then what the channel keeps of it. */
export function figures({ result }: Reconciliation): Figure[] {
  const sums = [...(result?.sums ?? [])].sort((one, other) => one.currency.localeCompare(other.currency));
  return sums.flatMap(({ currency, ours_minor, ours_fee_minor, theirs_minor, theirs_fee_minor }) => [
    { currency, kind: 'money' as const, ours: ours_minor, theirs: theirs_minor, difference: theirs_minor - ours_minor },
    { currency, kind: 'fee' as const, ours: ours_fee_minor, theirs: theirs_fee_minor, difference: theirs_fee_minor - ours_fee_minor },
  ]);
}

/** "0:42", "3:05", "1:02:03". */
export function elapsed(from: number, now: number): string {
  const seconds = Math.max(0, Math.floor((now - from) / 1_000));
  const [hours, minutes, rest] = [Math.floor(seconds / 3_600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (number: number): string => String(number).padStart(2, '0');
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export const CLASSES = [
  'amount', 'fee', 'missing_here', 'missing_there', 'status', 'duplicate', 'currency', 'unreadable', 'corrected', 'payout', 'no_bill',
] as const;

export const STANDINGS = ['open', 'assigned', 'write_off_proposed', 'resolved', 'written_off', 'closed'] as const;

/** `waiting`: those alone that wait for somebody, in whichever of their states. */
export interface DiscrepancyFilter {
  state: 'waiting' | 'all' | (typeof STANDINGS)[number];
  class: string;
  account: string;
  day: string;
}

/** The filter of an address; whatever it cannot mean is left out. */
export function filterOf(search: URLSearchParams): DiscrepancyFilter {
  const state = search.get('state') ?? 'waiting';
  const wanted = ['all', ...STANDINGS].find((one) => one === state) as DiscrepancyFilter['state'] | undefined;
  const [className, day] = [search.get('class') ?? '', search.get('day') ?? ''];
  return {
    state: wanted ?? 'waiting',
    class: (CLASSES as readonly string[]).includes(className) ? className : '',
    account: search.get('account') ?? '',
    day: isDay(day) ? day : '',
  };
}

/** The address of a filter: what is not narrowed down is not in it. */
export function searchOf({ state, class: className, account, day }: Partial<DiscrepancyFilter>): string {
  const wanted = { state: state === 'waiting' ? '' : state, class: className, account, day };
  return new URLSearchParams(Object.entries(wanted).filter((entry): entry is [string, string] => Boolean(entry[1]))).toString();
}

/** As the server is asked. */
export function queryOf({ state, class: className, account, day }: DiscrepancyFilter) {
  return {
    ...(state === 'waiting' ? { waiting: true } : state === 'all' ? {} : { state }),
    ...(className === '' ? {} : { class: className }),
    ...(account === '' ? {} : { channel_account: account }),
    ...(day === '' ? {} : { day }),
  };
}

export type Cell = { money: Money } | { at: number } | { text: string } | null;

/** A field of a discrepancy, ours beside theirs; `null`: that side does not have it. */
export interface Compared {
  field: 'amount' | 'fee' | 'date' | 'status';
  ours: Cell;
  theirs: Cell;
  differs: boolean;
}

/** Ours beside theirs, with what differs marked. A side that is missing differs in all; of a payout only amounts are known. */
export function compared({ ours, theirs, fields, words, class: className }: Discrepancy): Compared[] {
  if (ours == null && theirs == null) return [];
  const isStatus = className === 'status';
  // A further line of the bill stands alone by nature, and the sides of a correction agree by now.
  const isAlone = ['missing_here', 'missing_there'].includes(className);
  const line = (field: Compared['field'], of: (side: NonNullable<typeof ours>) => Cell, isNamed: boolean): Compared => ({
    field, ours: ours == null ? null : of(ours), theirs: theirs == null ? null : of(theirs), differs: isAlone || isNamed,
  });
  const lines = [
    line('amount', ({ money }) => ({ money }), fields.includes('amount') || fields.includes('currency')),
    line('fee', ({ fee }) => ({ money: fee }), fields.includes('fee') || fields.includes('currency')),
  ];
  if (className !== 'payout') lines.push(line('date', ({ at }) => ({ at }), fields.includes('date')));
  if (isStatus) lines.push({ field: 'status', ours: words == null ? null : { text: words }, theirs: { text: 'listed' }, differs: true });
  return lines;
}

/** What the channel will pay out more if it is booked, or less if it is negative. */
export function net({ correction }: Discrepancy): Money | null {
  if (correction == null) return null;
  return { minor: correction.amount.minor - correction.fee.minor, currency: correction.amount.currency };
}

export type Step = 'assign' | 'resolve' | 'write_off' | 'approve' | 'decline';

/** What is followed by way of a dispute, also where nothing else is to be booked. */
const BY_DISPUTE = ['open_dispute', 'name_dispute', 'win_dispute'];

/** The steps that the person may take and that the state allows, as core's `recon::step` has them. */
export function stepsFor(discrepancy: Discrepancy, person: Pick<Person, 'id' | 'role'>): Step[] {
  if (!may(person.role, 'reconcile')) return [];
  const { state, class: className, correction, fix, proposed_by: proposedBy } = discrepancy;
  const canPost = correction != null && (correction.amount.minor !== 0 || correction.fee.minor !== 0);
  if (state === 'write_off_proposed') return proposedBy === person.id ? ['decline'] : ['approve', 'decline'];
  if (state !== 'open' && state !== 'assigned') return [];
  const steps: Step[] = ['assign'];
  if (canPost || BY_DISPUTE.includes(fix)) steps.push('resolve');
  if (canPost || ['unreadable', 'currency', 'no_bill'].includes(className)) steps.push('write_off');
  return steps;
}

/** Those who can do something about a discrepancy, by name. */
export function assignable(people: readonly Colleague[]): Colleague[] {
  return people.filter(({ role, active }) => active && may(role, 'reconcile')).sort((one, other) => one.name.localeCompare(other.name));
}

/** The one before and the one after in the list that the reader walks through. */
export function neighbours(ids: readonly string[], id: string): { before: string | undefined; after: string | undefined } {
  const idx = ids.indexOf(id);
  return idx === -1 ? { before: undefined, after: ids[0] } : { before: ids[idx - 1], after: ids[idx + 1] };
}

export type By = 'merchant' | 'store' | 'terminal';
export const BYS: readonly By[] = ['merchant', 'store', 'terminal'];

export function settlementFile(days: { from: string; to: string }, by: By, format: string): string {
  return `/v1/ledger/settlement/export?${new URLSearchParams({ format, ...days, by })}`;
}

export type BatchStanding =
  | 'on_its_way'
  /** On its way for so long that a person is called. */
  | 'stuck'
  | 'settled'
  | 'differs'
  /** It differed, or was given up, and a person has seen to it. */
  | 'resolved'
  /** A person took it back before anything of it was sent. */
  | 'cancelled';

export function batchStanding({ state, needs_attention: waits, resolved }: SettlementBatch): BatchStanding {
  if (state === 'cancelled') return 'cancelled';
  if (resolved != null) return 'resolved';
  if (state === 'settled') return 'settled';
  if (state === 'differs') return 'differs';
  return waits ? 'stuck' : 'on_its_way';
}
