import { expect, test } from 'vitest';
import { Page } from './page.test-kit';

const APPLES = { result: 'weigh', goods: 'gds_1', name: '苹果', price_minor: 1_280 };
const BASKET = { revision: 3, lines: [{ name: '苹果', quantity: 1, price_minor: 1_280, weight_grams: 456, discount_minor: 0, total_minor: 584 }], totals: {} };

async function scanned(): Promise<Page> {
  const page = await Page.open();
  await page.connect();
  await page.tell('scan', APPLES);
  expect(page.model.screen).toEqual({ kind: 'weigh', goods: 'gds_1', name: '苹果', minor: 1_280, keyed: '' });
  return page;
}

test('what lies on the scale when Enter is pressed comes into the basket, once', async () => {
  const page = await scanned();
  page.keys('Enter', 'Enter');
  expect(page.paths().filter((path) => path === '/api/scale')).toHaveLength(1);
  await page.last('/api/scale').answer({ state: 'stable', grams: 456, net: false });
  expect(page.last('/api/basket').body).toEqual({ revision: 0, press: { weighed: { goods: 'gds_1', grams: 456 } } });
  await page.last('/api/basket').answer({ basket: BASKET });
  expect(page.model).toMatchObject({ screen: { kind: 'basket', at: 0 }, busy: [] });
});

test.each([
  [{ state: 'in_motion' }, 'weigh_moves'],
  [{ state: 'stable', grams: 0, net: false }, 'weigh_empty'],
  [{ state: 'over_capacity' }, 'weigh_over'],
  [{ state: 'under_zero' }, 'weigh_zero'],
  [{ state: 'not_zeroed' }, 'weigh_zero'],
])('%o is no weight, and is told', async (weighing, hint) => {
  const page = await scanned();
  page.keys('Enter');
  await page.last('/api/scale').answer(weighing);
  expect(page.model).toMatchObject({ screen: { kind: 'weigh' }, notice: { kind: 'hint', hint }, busy: [] });
  expect(page.paths()).not.toContain('/api/basket');
});

test('without a scale the grams are keyed, and a weight that comes late is of nothing', async () => {
  const page = await scanned();
  page.keys('Enter');
  await page.last('/api/scale').refuse('peripheral_failed');
  expect(page.model.notice).toEqual({ kind: 'hint', hint: 'weigh_none' });
  page.keys('Enter', '7');
  await page.last('/api/scale').answer({ state: 'stable', grams: 456, net: false });
  expect(page.model.screen).toMatchObject({ kind: 'weigh', keyed: '7' });
  page.keys('5', 'Enter');
  expect(page.last('/api/basket').body).toMatchObject({ press: { weighed: { goods: 'gds_1', grams: 75 } } });
});

test('goods by weight that come while something else is asked lead nowhere', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('F10');
  await page.tell('scan', APPLES);
  expect(page.model.screen).toEqual({ kind: 'training', on: false });
});
