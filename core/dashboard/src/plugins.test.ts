import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import type { PluginPackage, PluginPublisher, PluginRollout } from './api/client';
import { BUILT_IN, pluginsOf, servedOf, signed, standingOf, stepsOf, stepsWith, successorsOf } from './plugins';
import { pluginsEn } from './text/plugins.en';
import { pluginsZh } from './text/plugins.zh';

const [A, B, C] = ['a', 'b', 'c'].map((letter) => letter.repeat(64)) as [string, string, string];

const pack = (hash: string, more: Partial<PluginPackage> = {}): PluginPackage => ({
  hash, kind: 'channel', plugin: 'acme', version: '1.0.0', contract: '0.2.0', publisher: 'key1', component_bytes: 1, of_platform: true, published_at: 1,
  published_by: 'usr_1', ...more,
});
const rollout = (more: Partial<PluginRollout> = {}): PluginRollout => ({
  plugin: 'acme', version: 3, stable: A, canary_tenants: [], this_node: {}, unfit: [], ...more,
});
const publisher = (more: Partial<PluginPublisher> = {}): PluginPublisher => ({
  key_id: 'key1', name: 'Acme', public_key: 'PEM', trusted_at: 1, trusted_by: 'usr_1', ...more,
});

const envelope = (statement: unknown) => ({
  payload: Buffer.from(JSON.stringify(statement)).toString('base64'), payloadType: 'application/vnd.saoma.plugin+json',
  signatures: [{ keyid: 'key1', sig: '' }, { sig: 'without a hint' }],
});
const STATEMENT = {
  format: 1, plugin: 'acme', offers: ['refund', 'secrets'],
  kit: {
    version: '7',
    cases: [
      { case: 'pay/succeeds', verdict: 'passed' }, { case: 'pay/declined', verdict: 'passed' },
      { case: 'card/pin', verdict: 'skipped' }, { case: 'card/chip', verdict: 'skipped' },
      { case: 'bill/ends', verdict: 'skipped', why: 'the far side “账单” cannot' },
      { case: 'refund/twice', verdict: 'failed' }, { case: 'new/word', verdict: 'doubted' },
    ],
  },
};

test('what was signed is read with all that was not played', () => {
  expect(signed(envelope(STATEMENT))).toEqual({
    kit: '7', passed: 2, failed: ['refund/twice', 'new/word'], offers: ['refund', 'secrets'], keys: ['key1'],
    leftOut: [{ why: 'the far side “账单” cannot', cases: ['bill/ends'] }, { why: '', cases: ['card/pin', 'card/chip'] }],
  });
});

test('either alphabet of Base64 is read', () => {
  const text = JSON.stringify({ kit: { version: '7', cases: [{ case: '>>>???', verdict: 'passed' }] } });
  const payload = Buffer.from(text).toString('base64url');
  expect(payload).toMatch(/[-_]/);
  expect(signed({ payload })?.passed).toBe(1);
});

test.each([
  ['nothing', null], ['no payload', {}], ['no Base64', { payload: '%' }], ['no JSON', { payload: 'AAAA' }], ['no kit', envelope({ format: 1 })],
  ['a kit without cases', envelope({ kit: { version: '7' } })],
])('%s is not taken for a verdict', (_, given) => {
  expect(signed(given)).toBeNull();
});

test('what a package is to a rollout', () => {
  const now = rollout({ stable: A, canary: B, previous: C });
  expect([A, B, C].map((hash) => standingOf(hash, now, false))).toEqual(['stable', 'canary', 'previous']);
  expect(standingOf('d', now, false)).toBe('unused');
  expect(standingOf(C, now, true)).toBe('retired');
  expect(standingOf(A, undefined, false)).toBe('unused');
});

test.each([
  ['a canary runs', rollout({ canary: B, previous: C }), ['promote', 'end_canary']],
  ['there is something before', rollout({ previous: C }), ['roll_back']],
  ['nothing was before', rollout(), []],
])('steps when %s', (_, now, expected) => {
  expect(stepsOf(now)).toEqual(expected);
});

test.each([
  ['another package of the platform', pack(B), rollout(), true, ['install', 'canary']],
  ['what everybody has', pack(A), rollout(), true, []],
  ['the canary itself, for other merchants', pack(B), rollout({ canary: B }), true, ['canary']],
  ['another one while a canary runs', pack(C), rollout({ canary: B }), true, []],
  ['a retired one', pack(B, { retired_at: 2 }), rollout(), true, []],
  ['one whose publisher was revoked', pack(B, { publisher: 'key2' }), rollout(), true, []],
  ['a merchant’s own', pack(B, { of_platform: false }), rollout(), false, ['install']],
  ['the platform’s, seen by a merchant', pack(B), rollout(), false, []],
])('steps with %s', (_, one, now, isPlatform, expected) => {
  expect(stepsWith(one, now, [publisher(), publisher({ key_id: 'key2', revoked_at: 9 })], isPlatform)).toEqual(expected);
});

test('payments are handed on to another package of the plugin, or to the built-in', () => {
  const all = [pack(A), pack(B), pack(C, { retired_at: 3 }), pack('d', { plugin: 'other' }), pack('e', { of_platform: false })];
  expect(successorsOf(pack(A), all, true)).toEqual([B, BUILT_IN]);
  expect(successorsOf(pack('e', { of_platform: false }), all, false)).toEqual([]);
});

test('plugins are those with packages and those with rollouts', () => {
  expect(pluginsOf([pack(A), pack(B, { plugin: 'zebra' })], [rollout({ plugin: 'beta' }), rollout()])).toEqual(['acme', 'beta', 'zebra']);
});

test('what runs on a publisher’s word', () => {
  const all = [pack(A), pack(B), pack(C, { publisher: 'key2' })];
  expect(servedOf('key1', all, [rollout({ canary: C })]).map(({ hash }) => hash)).toEqual([A]);
  expect(servedOf('key1', all, [])).toEqual([]);
});

test.each(['problems', 'refused'] as const)('every refusal that has words (%s) is one of core’s, in both languages', (of) => {
  const table = readFileSync(new URL('../../server/src/http/problem.rs', import.meta.url), 'utf8');
  for (const code of Object.keys(pluginsEn[of])) expect(table).toContain(`"${code}"`);
  expect(Object.keys(pluginsZh[of])).toEqual(Object.keys(pluginsEn[of]));
});
