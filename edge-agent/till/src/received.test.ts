import { afterEach, expect, test, vi } from 'vitest';
import type { Received } from './api';
import { Page, state } from './page.test-kit';
import { HOME, type Screen, step } from './screen';
import { RECEIVED } from './text-received';

const PAID: Received = { payment: 'pay_1', label: '门口', amount_minor: 1250, amount: '12.50', currency: 'CNY', paid_at: 1 };

afterEach(() => vi.useRealTimers());

test.each<[string, Screen]>([
  ['an amount that is keyed', { kind: 'home', keyed: '48' }], ['cash that is counted', { kind: 'cash', minor: 4850, keyed: '50' }],
  ['a refund that is confirmed', { kind: 'refund', payment: 'pay_2', keyed: '100', sure: true }],
])('what came in leaves %s as it is, and goes by the next key, which does what it does', async (_, screen) => {
  const page = await Page.open();
  await page.connect();
  page.store.set({ screen });
  const without = step(screen, { kind: 'digits', digits: '5' }, []).screen;
  await page.tell('received', PAID);
  expect(page.model.cameIn).toEqual(PAID);
  expect(page.model.screen).toEqual(screen);
  expect(page.model.notice).toBeNull();
  page.keys('5');
  expect(page.model.screen).toEqual(without);
  expect(page.model.cameIn).toBeNull();
});

test('it goes away by itself, and the next one stays its own time', async () => {
  const page = await Page.open();
  await page.connect();
  vi.useFakeTimers();
  const { came } = await import('./received');
  came(PAID);
  vi.advanceTimersByTime(11_000);
  const next = { ...PAID, payment: 'pay_2' };
  came(next);
  vi.advanceTimersByTime(11_000);
  expect(page.model.cameIn).toBe(next);
  vi.advanceTimersByTime(2_000);
  expect(page.model.cameIn).toBeNull();
});

test('the list is a tap from where nothing is under way, and a key from the terminal’s page', async () => {
  const page = await Page.open();
  await page.connect(state({ received: [PAID] }));
  page.keys('F9', '6');
  expect(page.model.screen).toEqual({ kind: 'received' });
  page.keys('1', '2');
  expect(page.model.screen, 'the next sale is keyed').toEqual({ kind: 'home', keyed: '12' });
  const tapped = (screen: Screen): Screen => step(screen, { kind: 'received' }, []).screen;
  expect(tapped(HOME)).toEqual({ kind: 'received' });
  const cash: Screen = { kind: 'cash', minor: 100, keyed: '' };
  expect(tapped(cash)).toBe(cash);
  expect(step({ kind: 'received' }, { kind: 'escape' }, []).screen).toEqual(HOME);
  expect(step({ kind: 'received' }, { kind: 'function', key: 'refund' }, []).screen).toMatchObject({ kind: 'find', purpose: 'refund' });
});

test('both languages have words for it', () => {
  expect(Object.keys(RECEIVED.zh)).toEqual(Object.keys(RECEIVED.en));
});
