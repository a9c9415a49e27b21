import { expect, test } from 'vitest';
import { linkOf, oldestUnsent } from './line';
import { TEXTS } from './text';
import { withoutCore } from './without-core';

const UP = { online: true, mqtt: true, https: true };
const DOWN = { online: false, mqtt: false, https: false };
const today = new Date().setHours(8, 5, 0, 0);
const earlier = new Date(2026, 10, 3, 8, 5).getTime();

test('the bar says how the till stands to core', () => {
  const told = (link: object, connected = true) => linkOf(TEXTS.en, connected, { link: { ...UP, ...link } });
  expect(told({}, false)).toEqual({ kind: 'gone', words: TEXTS.en.agentGone });
  expect(linkOf(TEXTS.en, true, null).kind).toBe('gone');
  expect(told({})).toEqual({ kind: 'online', words: 'Online' });
  expect(told({ ...DOWN, offline_since: today })).toEqual({ kind: 'offline', words: 'Offline since 08:05' });
  expect(told({ ...DOWN, offline_since: earlier }).words).toBe('Offline since 11-3 08:05');
  // Core was never heard; or the agent is of before.
  expect(told({ ...DOWN, offline_since: null }).words).toBe('Offline');
  expect(told(DOWN).words).toBe('Offline');
});

test('what core has shut out is not called online, whether core is heard or not', () => {
  for (const link of [UP, DOWN]) {
    const told = linkOf(TEXTS.zh, true, { link: { ...link, offline_since: today, locked_since: today } });
    expect(told).toEqual({ kind: 'locked', words: '已被停用 自 08:05 · 不能收款' });
    const state = { link: { ...link, locked_since: today }, offline: null, minor_digits: 2 };
    expect(withoutCore(TEXTS.en, state)).toBe(TEXTS.en.problems.terminal_locked);
  }
});

test('a merchant who is suspended is not sent for a claim code first', () => {
  for (const [language, suspended, claimCode] of [['zh', '商户被暂停', '认领码'], ['en', 'merchant who is suspended', 'claim code']] as const) {
    const words = TEXTS[language].problems.terminal_locked ?? '';
    expect(words).toContain(suspended);
    expect(words.indexOf(suspended)).toBeLessThan(words.indexOf(claimCode));
  }
});

test('what waits for core longest is told while core does not take it', () => {
  const of = (link: object, oldest_at: number | null = today) =>
    oldestUnsent(TEXTS.en, { link: { ...UP, ...link }, unsent: { count: 2, oldest_at, at_risk: [] } });
  expect(of({})).toBe('');
  expect(of(DOWN)).toBe('oldest 08:05');
  expect(of({ locked_since: today })).toBe('oldest 08:05');
  expect(of(DOWN, null)).toBe('');
  expect(oldestUnsent(TEXTS.en, { link: DOWN, unsent: { count: 0, oldest_at: null, at_risk: [] } })).toBe('');
});
