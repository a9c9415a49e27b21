// What the page tells besides what its screen says; the next press ends it.

import type { Device, Problem } from './api';
import type { Hint } from './screen';

export type Notice =
  | { kind: 'hint'; hint: Hint }
  | { kind: 'problem'; problem: Problem }
  | { kind: 'receipt'; why: string }
  | { kind: 'scan' }
  | { kind: 'scan-over' | 'card-over' }
  | { kind: 'saw'; words: string }
  | { kind: 'books'; agree: boolean | null }
  | { kind: 'paired'; name: string }
  | { kind: 'restarted'; of: string; health: Device['state'] }
  | { kind: 'searched'; found: number }
  | { kind: 'syncing'; offline: boolean }
  | { kind: 'configured'; applied: string[]; hanging: string[] }
  /** Goods by weight that were scanned, and are not sold. */
  | { kind: 'unweighed'; names: string };
