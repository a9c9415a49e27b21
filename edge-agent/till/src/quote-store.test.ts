import { afterEach, expect, test, vi } from 'vitest';
import { Page, sale, settled, state } from './page.test-kit';

const QUOTE = {
  id: 'quo_1', amount_minor: 3880, amount: '38.80', list_minor: 4850,
  adjustments: [{ name: 'Staff discount', minor: -970 }], receipt_lines: ['You saved 9.70 CNY'], failed: [],
};
const LISTED = { ...QUOTE, id: 'quo_2', amount_minor: 4850, amount: '48.50', adjustments: [] };

// A clock that a failed test has stopped would stop those of the tests behind it.
afterEach(() => void vi.restoreAllMocks());

/** A shop with rules, and 48.50 keyed up to how it is paid. */
async function atMethod(): Promise<Page> {
  const page = await Page.open();
  await page.connect(state({ rules: true, held: [] }));
  page.keys('4', '8', '5', '0', 'Enter');
  expect(page.last('/api/quotes').body).toEqual({ amount_minor: 4850 });
  expect(page.model.price).toBe('asking');
  return page;
}

test('the price by the shop’s rules is on the screen, is what is sold, and goes when the amount is keyed again', async () => {
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  expect(page.model.screen).toEqual({ kind: 'method', minor: 3880, order: { reference: '', held: null, quote: QUOTE } });
  page.keys('Esc');
  expect(page.model.screen).toEqual({ kind: 'home', keyed: '4850' });
  // The same again is not asked anew; what it said is back.
  page.keys('Enter');
  await settled();
  expect(page.paths().filter((path) => path === '/api/quotes')).toHaveLength(1);
  page.keys('1', '4', '0', '0', '0', 'Enter');
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 3880, method: 'cash', tendered_minor: 4000, quote: 'quo_1' });
});

test('a sale that is pressed before the price is there waits for it, and shows another one before it goes out', async () => {
  const page = await atMethod();
  page.keys('3');
  // It is one press, however often a key bounces.
  page.keys('3');
  expect(page.paths()).not.toContain('/api/sales');
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  expect(page.paths()).not.toContain('/api/sales');
  expect(page.model).toMatchObject({ screen: { kind: 'method', minor: 3880 }, notice: { kind: 'hint', hint: 'price_changed' }, busy: [] });
  page.keys('3');
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 3880, method: 'code', quote: 'quo_1' });
});

test('where the price is the list price, or there is none, the sale goes out at once', async () => {
  for (const [answer, quote] of [[{ quote: LISTED, why: null }, { quote: 'quo_2' }], [{ quote: null, why: 'slow' }, {}], [{ quote: null, why: 'offline' }, {}]] as const) {
    const page = await atMethod();
    page.keys('3');
    await page.last('/api/quotes').answer(answer);
    expect(page.last('/api/sales').body).toEqual({ amount_minor: 4850, method: 'code', ...quote });
  }
  const page = await atMethod();
  await page.last('/api/quotes').refuse('basket_changed');
  expect(page.model).toMatchObject({ price: 'failed', screen: { kind: 'method', minor: 4850 } });
});

test('nothing is asked without rules, in training, and for a part of a total, which is of the list price', async () => {
  for (const facts of [{ rules: false }, { rules: true, training: { since: 1, cashier: '1' } }]) {
    const page = await Page.open();
    await page.connect(state(facts));
    page.keys('4', '8', '5', '0', 'Enter', '3');
    expect(page.paths()).not.toContain('/api/quotes');
  }
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  page.keys('5');
  expect(page.model.screen).toMatchObject({ kind: 'split', minor: 4850 });
  page.keys('1', '0', '0', '0', 'Enter', '3');
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 1000, method: 'code', split: { begin: { total_minor: 4850 } } });
  expect(page.paths().filter((path) => path === '/api/quotes')).toHaveLength(1);
});

test('a price that is over is asked for again', async () => {
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  page.keys('3');
  await page.last('/api/sales').refuse('quote_over');
  expect(page.model).toMatchObject({ screen: { kind: 'method', minor: 4850 }, notice: { kind: 'problem' }, price: 'asking' });
  await page.last('/api/quotes').answer({ quote: { ...QUOTE, id: 'quo_9' }, why: null });
  page.keys('3');
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 3880, method: 'code', quote: 'quo_9' });
});

test('a scan that is given up leads back to the list price, and to nothing where that is not known any more', async () => {
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  page.keys('2');
  await page.last('/api/sales').answer({ awaiting_scan: { amount_minor: 3880, since: 1 } });
  expect(page.model.screen).toMatchObject({ kind: 'scan', minor: 3880, order: { quote: QUOTE } });
  const again = await page.reload();
  await again.connect(state({ rules: true, held: [], awaiting_scan: { amount_minor: 3880, since: 1 } }));
  expect(again.model.screen).toMatchObject({ kind: 'scan', minor: 3880 });
  await again.last('/api/sales').answer({ awaiting_scan: { amount_minor: 3880, since: 1 } });
  again.keys('Esc');
  expect(again.model.screen).toMatchObject({ kind: 'home', keyed: '' });
});

test('a basket keeps its lines, and what it was put aside as, when its code is pressed before the price is there', async () => {
  for (const held of [{}, { held: 3 }]) {
    const page = await Page.open();
    const basket = { revision: 7, lines: [{}], totals: { total_minor: 4850 }, ...held };
    await page.connect(state({ rules: true, basket }));
    page.keys('Enter', 'F2');
    expect(page.last('/api/quotes').body).toEqual({ amount_minor: 4850, basket: 7 });
    await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
    expect(page.model.screen).toMatchObject({ kind: 'method', minor: 3880, order: { basket: 7, quote: QUOTE } });
    page.keys('3');
    expect(page.last('/api/sales').body).toEqual({ amount_minor: 3880, method: 'code', basket: 7, quote: 'quo_1', ...held });
  }
});

test('a price that came a moment ago is not sold by whoever pressed or scanned for the one before', async () => {
  // Whole, so that 350 more are 350 more.
  const now = Math.ceil(performance.now());
  const page = await atMethod();
  const clock = vi.spyOn(performance, 'now').mockReturnValue(now);
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  for (const press of [{ kind: 'digits', digits: '3' }, { kind: 'method', method: 'code' }, { kind: 'function', key: 'code' }, { kind: 'scanned', text: '134567890123456789' }] as const) {
    page.store.press(press, 'key', now + 349);
    expect(page.model).toMatchObject({ screen: { kind: 'method', minor: 3880 }, notice: { kind: 'hint', hint: 'price_changed' } });
  }
  expect(page.paths()).not.toContain('/api/sales');
  page.store.press({ kind: 'digits', digits: '3' }, 'key', now + 350);
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 3880, method: 'code', quote: 'quo_1' });

  const cash = await atMethod();
  cash.keys('1');
  await cash.last('/api/quotes').answer({ quote: QUOTE, why: null });
  cash.store.press({ kind: 'enter' }, 'key', now + 349);
  expect(cash.model).toMatchObject({ screen: { kind: 'cash', minor: 3880 }, notice: { kind: 'hint', hint: 'price_changed' } });
  // What was handed over may be keyed at once, and was asked for at this price.
  cash.store.press({ kind: 'digits', digits: '5' }, 'key', now + 349);
  expect(cash.model.screen).toMatchObject({ kind: 'cash', keyed: '5' });
  clock.mockRestore();
  expect(cash.paths()).not.toContain('/api/sales');
});

test('where the shop sells nothing without its rules’ price, nothing goes out, and it is asked again', async () => {
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: null, why: 'refused' });
  expect(page.model.price).toBe('refused');
  page.keys('1');
  page.keys('Enter');
  await settled();
  expect(page.model).toMatchObject({ screen: { kind: 'cash', minor: 4850 }, notice: { kind: 'hint', hint: 'price_refused' }, busy: [] });
  expect(page.paths()).not.toContain('/api/sales');
  const before = performance.now.bind(performance);
  const later = vi.spyOn(performance, 'now').mockImplementation(() => before() + 2_000);
  page.keys('Enter');
  later.mockRestore();
  expect(page.paths().filter((path) => path === '/api/quotes')).toHaveLength(2);
  await page.last('/api/quotes').answer({ quote: LISTED, why: null });
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 4850, method: 'cash', tendered_minor: 4850, quote: 'quo_2' });
});

test('goods that are scanned over a keyed amount go into the basket, whatever the price; a customer’s code is shown again', async () => {
  for (const answer of ['goods', 'code'] as const) {
    const page = await Page.open();
    await page.connect(state({ rules: true }));
    page.keys('4', '8', '5', '0');
    page.store.press({ kind: 'scanned', text: '6901234500001' }, 'key', performance.now());
    await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
    expect(page.last('/api/scan').body).toEqual({ text: '6901234500001' });
    const basket = { revision: 8, lines: [{}], totals: { total_minor: 700 } };
    if (answer === 'goods') await page.last('/api/scan').answer({ result: 'basket', basket, scanned: { name: 'Tea', line: 0 } });
    else await page.last('/api/scan').refuse('scan_not_awaited');
    const seen = answer === 'goods' ? { screen: { kind: 'basket' } } : { screen: { kind: 'method', minor: 3880 }, notice: { kind: 'hint', hint: 'price_changed' } };
    expect(page.model).toMatchObject(seen);
    expect(page.paths()).not.toContain('/api/sales');
  }
});

test('a price of which nobody knows any more what it was without the rules leads to the amount when it is over', async () => {
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: QUOTE, why: null });
  page.keys('2');
  await page.last('/api/sales').answer({ awaiting_scan: { amount_minor: 3880, since: 1 } });
  const again = await page.reload();
  await again.connect(state({ rules: true, held: [], awaiting_scan: { amount_minor: 3880, since: 1 } }));
  await again.last('/api/sales').refuse('quote_over');
  expect(again.model.screen).toMatchObject({ kind: 'home', keyed: '' });
});

test('what a price was is asked anew for the next customer and for another cashier', async () => {
  const page = await atMethod();
  await page.last('/api/quotes').answer({ quote: LISTED, why: null });
  page.keys('3');
  await page.last('/api/sales').answer({ ...sale('pay_1'), settled: true });
  page.keys('Enter', '4', '8', '5', '0', 'Enter');
  expect(page.paths().filter((path) => path === '/api/quotes')).toHaveLength(2);
  await page.last('/api/quotes').answer({ quote: LISTED, why: null });
  page.keys('Esc');
  await page.tell('state', state({ rules: true, held: [], cashier: 'Wu' }));
  page.keys('Enter');
  expect(page.paths().filter((path) => path === '/api/quotes')).toHaveLength(3);
});
