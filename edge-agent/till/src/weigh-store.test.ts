import { expect, test } from 'vitest';
import { Page, state } from './page.test-kit';

const APPLES = { result: 'weigh', goods: 'gds_1', name: '苹果', price_minor: 1_280 };
const PEARS = { result: 'weigh', goods: 'gds_2', name: '梨', price_minor: 990 };
const OF_APPLES = { goods: 'gds_1', name: '苹果', minor: 1_280 };
const OF_PEARS = { goods: 'gds_2', name: '梨', minor: 990 };
const RESTS = { state: 'stable', grams: 456, net: false };
const TEA = { name: '茶', quantity: 1, price_minor: 500, discount_minor: 0, total_minor: 500 };

/** Lines that were weighed, by name, behind those that were not. */
function basket(revision: number, names: string[], more: object[] = []): object {
  const weighed = names.map((name) => ({ name, quantity: 1, price_minor: 1_280, weight_grams: 456, discount_minor: 0, total_minor: 584 }));
  return { revision, lines: [...more, ...weighed], totals: { total_minor: 1 } };
}

async function scanned(...goods: object[]): Promise<Page> {
  const page = await Page.open();
  await page.connect();
  for (const one of goods) await page.tell('scan', one);
  return page;
}

function asks(page: Page): unknown[] {
  const { screen } = page.model;
  return screen.kind === 'weigh' ? [screen.of, ...screen.next] : [];
}

test('what lies on the scale when Enter is pressed comes into the basket, once', async () => {
  const page = await scanned(APPLES);
  expect(page.model.screen).toEqual({ kind: 'weigh', of: OF_APPLES, keyed: '', next: [] });
  page.keys('Enter', 'Enter');
  expect(page.paths().filter((path) => path === '/api/scale')).toHaveLength(1);
  await page.last('/api/scale').answer(RESTS);
  expect(page.last('/api/basket').body).toEqual({ revision: 0, press: { weighed: { goods: 'gds_1', grams: 456 } } });
  // The question stands until then, and is asked once.
  page.keys('Enter');
  expect(asks(page)).toEqual([OF_APPLES]);
  expect(page.paths().filter((path) => path === '/api/scale')).toHaveLength(1);
  await page.last('/api/basket').answer({ basket: basket(3, ['苹果']) });
  expect(page.model).toMatchObject({ screen: { kind: 'basket', at: 0 }, notice: null, busy: [] });
});

test.each([
  [{ state: 'in_motion' }, 'weigh_moves'],
  [{ state: 'stable', grams: 0, net: false }, 'weigh_empty'],
  [{ state: 'over_capacity' }, 'weigh_over'],
  [{ state: 'under_zero' }, 'weigh_zero'],
  [{ state: 'not_zeroed' }, 'weigh_zero'],
])('%o is no weight, and is told', async (weighing, hint) => {
  const page = await scanned(APPLES);
  page.keys('Enter');
  await page.last('/api/scale').answer(weighing);
  expect(page.model).toMatchObject({ screen: { kind: 'weigh' }, notice: { kind: 'hint', hint }, busy: [] });
  expect(page.paths()).not.toContain('/api/basket');
});

test('without a scale the grams are keyed, and a weight that comes late is of nothing', async () => {
  const page = await scanned(APPLES);
  page.keys('Enter');
  await page.last('/api/scale').refuse('peripheral_failed');
  expect(page.model.notice).toEqual({ kind: 'hint', hint: 'weigh_none' });
  page.keys('Enter', '7');
  await page.last('/api/scale').answer(RESTS);
  expect(page.model.screen).toMatchObject({ kind: 'weigh', keyed: '7' });
  page.keys('5', 'Enter');
  expect(page.last('/api/basket').body).toMatchObject({ press: { weighed: { goods: 'gds_1', grams: 75 } } });
});

test('other goods that are scanned first come into the basket, and the question stands', async () => {
  const page = await scanned(APPLES, { result: 'basket', scanned: { name: '茶', line: 0 }, basket: basket(3, [], [TEA]) });
  expect(asks(page)).toEqual([OF_APPLES]);
  expect(page.model).toMatchObject({ notice: { kind: 'hint', hint: 'weigh_first' }, state: { basket: { revision: 3 } } });
  await page.tell('scan', { result: 'found', sale: { payment: 'pay_1', actions: [], refunds: [] } });
  expect(asks(page)).toEqual([OF_APPLES]);
});

test('goods that are scanned while the scale comes to rest do not cost its reading', async () => {
  const page = await scanned(APPLES);
  page.keys('Enter');
  await page.tell('scan', { result: 'basket', scanned: { name: '茶', line: 0 }, basket: basket(3, [], [TEA]) });
  await page.tell('scan', PEARS);
  await page.last('/api/scale').answer(RESTS);
  expect(page.last('/api/basket').body).toEqual({ revision: 3, press: { weighed: { goods: 'gds_1', grams: 456 } } });
  await page.last('/api/basket').answer({ basket: basket(4, ['苹果'], [TEA]) });
  expect(asks(page)).toEqual([OF_PEARS]);
});

test('goods by weight are asked for in the sequence of their scans, the same goods twice as well', async () => {
  const page = await scanned(APPLES, APPLES, PEARS);
  expect(asks(page)).toEqual([OF_APPLES, OF_APPLES, OF_PEARS]);
  page.keys('5', '0', 'Enter');
  // The event may be quicker than the answer: it is the same line.
  await page.tell('state', state({ basket: basket(2, ['苹果']) }));
  await page.last('/api/basket').answer({ basket: basket(2, ['苹果']) });
  expect(asks(page)).toEqual([OF_APPLES, OF_PEARS]);
  page.keys('Esc');
  expect(asks(page)).toEqual([OF_PEARS]);
  page.keys('Esc');
  expect(page.model).toMatchObject({ screen: { kind: 'basket' }, notice: null });
});

test('a reading that is given up by Esc is of nothing, and not of what is asked next', async () => {
  const page = await scanned(APPLES, PEARS);
  page.keys('Enter', 'Esc');
  await page.last('/api/scale').answer(RESTS);
  expect(page.paths()).not.toContain('/api/basket');
  expect(asks(page)).toEqual([OF_PEARS]);
});

test('what the agent refuses is told, and is asked for again', async () => {
  const page = await scanned(APPLES);
  page.keys('5', '0', 'Enter');
  await page.last('/api/basket').refuse('basket_changed');
  expect(asks(page)).toEqual([OF_APPLES]);
  expect(page.model.notice).toMatchObject({ kind: 'problem', problem: { code: 'basket_changed' } });
  page.keys('Enter');
  expect(page.paths().filter((path) => path === '/api/basket')).toHaveLength(2);
});

test.each([
  ['a question', async (page: Page) => page.keys('F10')],
  ['a sale that is under way', async (page: Page) => page.keys('5', 'F2')],
])('goods by weight that are scanned during %s are told as not sold', async (_, begin) => {
  const page = await scanned();
  await begin(page);
  const { screen } = page.model;
  await page.tell('scan', APPLES);
  expect(page.model).toMatchObject({ screen, notice: { kind: 'unweighed', names: '苹果' } });
});

test('a page that somebody did not weigh at asks no longer once another has', async () => {
  const page = await scanned(APPLES);
  await page.tell('state', state({ basket: basket(2, ['苹果']) }));
  expect(page.model).toMatchObject({ screen: { kind: 'basket' }, notice: { kind: 'hint', hint: 'weighed_elsewhere' } });
});

test.each([
  ['another page sold the basket', { basket: null }],
  ['training began', { training: { since: 1 }, basket: basket(2, [], [TEA]) }],
])('what waits to be weighed when %s is told as not sold', async (_, facts) => {
  const page = await scanned(APPLES, PEARS);
  await page.tell('state', state({ basket: basket(2, [], [TEA]) }));
  expect(asks(page)).toHaveLength(2);
  await page.tell('state', state(facts));
  expect(page.model).toMatchObject({ screen: { kind: 'home' }, notice: { kind: 'unweighed', names: '苹果, 梨' } });
});
