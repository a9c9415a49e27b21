import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { Problem } from './api';
import { WITH_A_SUM } from './text-offline';
import { plainWords, whyFailed } from './plain-words';
import { TEXTS } from './text';
import { withoutCore } from './without-core';

/** The codes of a table in Rust: every text that an arm leads to. */
function codesIn(file: string, from: string): string[] {
  const source = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  const table = source.slice(source.indexOf(from)).split('\n    }\n')[0] ?? '';
  return [...table.matchAll(/=> "([a-z_]+)",/g)].map(([, code]) => code ?? '');
}

/** Only a mistake of the page leads to these: they are told as they come. */
const THE_PAGES_FAULT = [
  'idempotency_key_missing', 'body_too_large', 'body_unreadable', 'method_invalid', 'goods_invalid', 'cashier_invalid',
  'limit_invalid', 'reason_invalid', 'no_code', 'no_receipt', 'method_not_allowed',
];
/** What the agent says of a sale or a refund that it gave up, and what core says to a scan, a void or a refund. */
const GIVEN_UP = ['card_late', 'card_left', 'offline', 'never_sent', 'core_unreachable', 'not_found', 'offline_not_booked', 'phone_over', 'phone_called_off', 'phone_number_taken'];
const CORES_NO = [
  'code_not_recognised', 'code_wrong_direction', 'channel_unavailable', 'channel_cannot', 'void_too_late', 'refund_exceeds',
  'unauthenticated', 'terminal_shut_out', 'rule_failed', 'batch_closing', 'quote_over', 'quote_refused',
];

test.each(['zh', 'en'] as const)('every reason that a cashier can meet has words in %s', (language) => {
  const declines = codesIn('core/channels/src/message.rs', 'pub const fn text(self)');
  const agents = codesIn('edge-agent/src/till/problem.rs', 'pub fn code(&self)');
  expect(declines.length).toBeGreaterThan(5);
  expect(agents.length).toBeGreaterThan(20);
  const offline = ['sdk/protocol/src/code/offline.rs', 'edge-agent/src/offline.rs', 'edge-agent/src/stored.rs', 'edge-agent/src/phone.rs'].flatMap((file) => codesIn(file, 'pub const fn code(&self)'));
  expect(offline.length).toBeGreaterThan(45);
  const met = [...declines, ...agents, ...offline, ...GIVEN_UP, ...CORES_NO].filter((code) => !THE_PAGES_FAULT.includes(code));
  expect(met.filter((code) => TEXTS[language].problems[code] === undefined)).toEqual([]);
});

test('both languages know the same reasons', () => {
  expect(Object.keys(TEXTS.zh.problems)).toEqual(Object.keys(TEXTS.en.problems));
});

/** The texts of a list in Rust. */
function listed(file: string, from: string): string[] {
  const source = readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8');
  const list = source.slice(source.indexOf(from)).split('\n];\n')[0] ?? '';
  return [...list.matchAll(/^ {4}"([a-z_]+)",$/gm)].map(([, code]) => code ?? '');
}

test.each(['zh', 'en'] as const)('every alarm of the agent has words in %s, and so has what stops the sync', (language) => {
  const alarms = listed('edge-agent/src/app/alarms.rs', 'const CODES');
  expect(alarms.length).toBeGreaterThan(15);
  const stops = codesIn('edge-agent/src/sync.rs', 'pub const fn code(&self)');
  expect(stops).toHaveLength(3);
  expect(Object.keys(TEXTS[language].alarmWords).sort()).toEqual([...alarms].sort());
  expect(stops.filter((code) => !alarms.includes(code))).toEqual([]);
  for (const code of alarms) expect(/[\u4e00-\u9fff]/.test(TEXTS[language].alarmWords[code] ?? '')).toBe(language === 'zh');
});

test.each(['zh', 'en'] as const)('every device’s self-test, and every trouble of a printer, has words in %s', (language) => {
  const t = TEXTS[language];
  expect(Object.keys(t.selfTested).sort()).toEqual(Object.keys(t.peripheralKinds).sort());
  const source = readFileSync(new URL('../../src/peripherals.rs', import.meta.url), 'utf8');
  const troubles = [...(source.split('pub enum Trouble {')[1]?.split('}')[0] ?? '').matchAll(/([A-Z]\w+),/g)].map(([, name]) => (name ?? '').replace(/(?!^)[A-Z]/g, '_$&').toLowerCase());
  expect(troubles.length).toBeGreaterThan(3);
  expect(Object.keys(t.devices.troubles).sort()).toEqual(troubles.sort());
});

test('whoever keyed a wrong PIN is told how many tries are left', () => {
  const wrong = new Problem(409, 'pin_wrong', 'The PIN is wrong; 4 more tries before it is locked');
  expect(plainWords(TEXTS.zh, wrong)).toBe('密码不正确，还可再试 4 次。');
  expect(plainWords(TEXTS.en, wrong)).toBe('The PIN is wrong. Tries left before it is locked: 4.');
  const locked = new Problem(409, 'pin_locked', 'Too many wrong PINs: wait 2 minutes');
  expect(plainWords(TEXTS.zh, locked)).toContain('2 minutes');
});

test('a reason without words of ours is told in the channel’s', () => {
  expect(whyFailed(TEXTS.zh, { code: 'limit_exceeded', message: 'over the limit' })).toBe('超过顾客的支付限额。');
  expect(whyFailed(TEXTS.zh, { code: 'moon_phase', message: 'not tonight' })).toBe('not tonight');
});

test('how much an offline code may still pay is told in both languages', () => {
  const cap = new Problem(409, 'offline_unsent_sum', 'This till may take 12.50 more offline until it has reached core: connect it, or take cash');
  expect(plainWords(TEXTS.zh, cap)).toContain('12.50');
  expect(plainWords(TEXTS.en, cap)).toContain('take 12.50 more');
  for (const code of WITH_A_SUM) for (const t of [TEXTS.zh, TEXTS.en]) expect(t.problems[code]).toContain('{0}');
});

test('without core the till says what can be taken', () => {
  const link = { online: false, mqtt: false, https: false };
  const offline = (why: string | null) => ({ why, detail: why });
  const minor_digits = 2;
  expect(withoutCore(TEXTS.en, { link: { ...link, online: true }, offline: null, minor_digits })).toBeNull();
  expect(withoutCore(TEXTS.en, { link, offline: null, minor_digits })).toBe('No network: take cash.');
  expect(withoutCore(TEXTS.en, { link, offline: offline(null), minor_digits })).toContain('scan an offline code');
  expect(withoutCore(TEXTS.zh, { link, offline: offline('offline_list_old'), minor_digits })).toBe(`没有网络：请收现金。 ${TEXTS.zh.problems.offline_list_old ?? ''}`);
  expect(withoutCore(TEXTS.en, { link, offline: null, phone: offline(null), minor_digits })).toContain('the customer’s phone carries it');
  expect(withoutCore(TEXTS.zh, { link, offline: null, phone: offline('phone_list_old'), minor_digits })).toContain(TEXTS.zh.problems.phone_list_old ?? '');
  const stored = (most_minor: number | null, why: string | null) => ({ most_minor, why, detail: 'more than 24 hours', waiting_count: 0, waiting_minor: 0, office_count: 0, office_minor: 0, declined_count: 0, declined_minor: 0, to_acknowledge: [] });
  expect(withoutCore(TEXTS.en, { link, offline: null, stored: stored(20_000, null), minor_digits })).toBe('No network: take cash. A card pays 200.00 at most, and the customer signs.');
  expect(withoutCore(TEXTS.zh, { link, offline: null, stored: stored(null, 'stored_unsent_age'), minor_digits })).toContain('超过 24 小时');
});
