// Plugins as signed packages: what a publisher signed, which package serves whom, and which steps there are from here.

import type { PluginPackage, PluginPublisher, PluginRollout } from './api/client';

/** What lies in the operator's folder, in the place of a package's hash. */
export const BUILT_IN = 'built_in';
/** Core's answer to a step that names a version which is not the newest any more. */
export const CHANGED_MEANWHILE = 'changed_meanwhile';
/** Most merchants of one canary, as core has it. */
export const CANARY_TENANTS_MAX = 1_000;

/** How a package stood the conformance kit, in its publisher's signed words. */
export interface Signed {
  kit: string;
  passed: number;
  /** None in a package that core took in; shown all the same if there are. */
  failed: string[];
  /** Cases that were not played, by their reason; the rarest reason first, since a missing capability leaves out dozens. */
  leftOut: { why: string; cases: string[] }[];
  /** The capabilities that the cases hang on. */
  offers: string[];
  /** Ids of the keys that signed. */
  keys: string[];
}

/** Reads the envelope (DSSE) of a package; null if it is of a shape that this page does not know. Core has checked the signature. */
export function signed(envelope: unknown): Signed | null {
  const { payload, signatures } = fields(envelope);
  const statement = typeof payload === 'string' ? fields(decoded(payload)) : {};
  const { version, cases } = fields(statement['kit']);
  if (typeof version !== 'string' || !Array.isArray(cases)) return null;
  const told = cases.map((one: unknown) => {
    const { case: name, verdict, why } = fields(one);
    return { case: word(name), verdict: word(verdict), why: word(why) };
  });
  return {
    kit: version,
    passed: told.filter(({ verdict }) => verdict === 'passed').length,
    // Whatever is neither passed nor left out is told, not dropped.
    failed: told.filter(({ verdict }) => verdict !== 'passed' && verdict !== 'skipped').map((one) => one.case),
    leftOut: byReason(told.filter(({ verdict }) => verdict === 'skipped')),
    offers: list(statement['offers']).map(word),
    keys: list(signatures).map((one) => word(fields(one)['keyid'])).filter((key) => key !== ''),
  };
}

function byReason(leftOut: readonly { case: string; why: string }[]): Signed['leftOut'] {
  const reasons = [...new Set(leftOut.map(({ why }) => why))];
  const groups = reasons.map((why) => ({ why, cases: leftOut.filter((one) => one.why === why).map((one) => one.case) }));
  return groups.sort((one, other) => one.cases.length - other.cases.length);
}

function fields(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}

function word(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** JSON in Base64, of either alphabet, as DSSE asks of readers. */
function decoded(payload: string): unknown {
  try {
    const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0));
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return null;
  }
}

/** The beginning of a hash or a key's id: enough to tell them apart by eye. */
export function short(hash: string): string {
  return hash.slice(0, 12);
}

/** What a package is to a rollout. */
export type Standing = 'stable' | 'canary' | 'previous' | 'retired' | 'unused';

export function standingOf(hash: string, rollout: PluginRollout | undefined, retired: boolean): Standing {
  if (retired) return 'retired';
  if (rollout?.stable === hash) return 'stable';
  if (rollout?.canary === hash) return 'canary';
  return rollout?.previous === hash ? 'previous' : 'unused';
}

export type Step = 'install' | 'canary' | 'promote' | 'end_canary' | 'roll_back';

/** The steps that need no package to be named. */
export function stepsOf(rollout: PluginRollout): Step[] {
  if (rollout.canary != null) return ['promote', 'end_canary'];
  return rollout.previous == null ? [] : ['roll_back'];
}

/** The steps that this package can be named in. What a merchant was given by the platform it cannot roll out. */
export function stepsWith(
  { hash, retired_at, publisher, of_platform }: PluginPackage, rollout: PluginRollout, publishers: readonly PluginPublisher[], isPlatform: boolean,
): Step[] {
  const isRevoked = publishers.some((one) => one.key_id === publisher && one.revoked_at != null);
  if (retired_at != null || isRevoked || of_platform !== isPlatform || rollout.stable === hash) return [];
  if (rollout.canary == null) return isPlatform ? ['install', 'canary'] : ['install'];
  return isPlatform && rollout.canary === hash ? ['canary'] : [];
}

/** What could look after the payments of a package that is retired: hashes, newest first, and the built-in of the platform's. */
export function successorsOf(retiring: PluginPackage, packages: readonly PluginPackage[], isPlatform: boolean): string[] {
  const others = packages.filter((one) =>
    one.plugin === retiring.plugin && one.hash !== retiring.hash && one.retired_at == null && one.of_platform === retiring.of_platform);
  return [...others.map(({ hash }) => hash), ...(isPlatform ? [BUILT_IN] : [])];
}

/** Every plugin that there is something to say about, in alphabetic order. */
export function pluginsOf(packages: readonly PluginPackage[], rollouts: readonly PluginRollout[]): string[] {
  return [...new Set([...packages, ...rollouts].map(({ plugin }) => plugin))].sort();
}

/** What a publisher signed and new payments go through now, or would after a step back. */
export function servedOf(keyId: string, packages: readonly PluginPackage[], rollouts: readonly PluginRollout[]): PluginPackage[] {
  const named = new Set(rollouts.flatMap(({ stable, canary, previous }) => [stable, canary, previous]));
  return packages.filter(({ publisher, hash }) => publisher === keyId && named.has(hash));
}

/** "1.2 MiB". */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}
