import { expect, test, vi } from 'vitest';
import { Page } from './page.test-kit';

test('the books are compared and the drawer is opened by keys alone', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('F9', '4');
  await page.last('/api/books').answer({ agree: true, core: {} });
  expect(page.model.notice).toEqual({ kind: 'books', agree: true });
  page.keys('4');
  await page.last('/api/books').answer({ agree: false, core: null });
  expect(page.model.notice).toEqual({ kind: 'books', agree: null });
  page.keys('5');
  await page.last('/api/drawer/open').refuse('training');
  expect(page.model).toMatchObject({ screen: { kind: 'info' }, notice: { kind: 'problem', problem: { code: 'training' } } });
  // Anywhere else they are digits of an amount.
  page.keys('F9', '4', '5');
  expect(page.model.screen).toEqual({ kind: 'home', keyed: '45' });
  expect(page.paths().filter((path) => path === '/api/drawer/open')).toHaveLength(1);
});

test('a paired device compares the books and opens the drawer too, and is led to no settings', async () => {
  const page = await Page.open();
  vi.stubGlobal('location', { protocol: 'https:' });
  const paired = await page.reload();
  await paired.connect();
  paired.keys('F9', '1', '2', '3');
  expect(paired.model.screen).toEqual({ kind: 'info' });
  paired.keys('5', '4');
  expect(paired.paths().slice(-2)).toEqual(['/api/drawer/open', '/api/books']);
  expect(paired.paths()).not.toContain('/api/sync-now');
});

test('the language changes by a key wherever the cashier stands, and nothing else does', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('1', '2', '5', '0', 'Enter', '1', '2', 'F12');
  expect(page.model).toMatchObject({ language: 'zh', screen: { kind: 'cash', minor: 1250, keyed: '2' } });
  const again = await page.reload();
  expect(again.model.language).toBe('zh');
  again.keys('F12');
  expect(again.model.language).toBe('en');
});
