// Stories of a price by the shop's own rules, for browser.mjs. `standIn`: its rules know two amounts; against a whole shop the demo's
// canteen rules are played, by goods that the office adds.

import assert from 'node:assert/strict';
import { office } from './counter.mjs';

const BARCODE = '6901234500004';

const STAND_IN = ({ page, press, think, type, sees, screen, saleState, outside, sales, amount }) => ({
  async 'the price by the shop’s rules is seen, paid, and what it was made of stays with the sale'() {
    await type('5555');
    await press('Enter');
    await sees('.price [data-price="quoted"]');
    assert.equal(await amount(), '44.44');
    assert.match(await page.locator('.price').textContent(), /55\.55.*Staff discount −11\.11/);
    assert.deepEqual(await outside(), []);
    await press('Escape');
    assert.equal(await amount(), '55.55');
    await press('Enter');
    await sees('.price [data-price="quoted"]');
    await think();
    await press('1');
    await sees('.till[data-screen="cash"] .price [data-price="quoted"]');
    assert.deepEqual(await outside(), []);
    await type('5000');
    await press('Enter');
    await saleState('succeeded');
    assert.match(await page.locator('.sale .change').textContent(), /5\.56/);
    assert.match(await page.locator('.sale').textContent(), /List price 55\.55/);
    assert.equal((await sales())[0].amount_minor, 4444);
    await press('Enter');
    await screen('home');
  },

  async 'rules that do not answer are told of, and keep nobody from selling'() {
    await type('6666');
    await press('Enter');
    await sees('.price [data-price="slow"]');
    assert.deepEqual(await outside(), []);
    await press('1', 'Enter');
    await saleState('succeeded');
    assert.equal((await sales())[0].amount_minor, 6666);
    await press('Enter');
    await screen('home');
  },

  async 'a shop that sells nothing without its rules’ price sells nothing, and says so'() {
    const before = (await sales()).length;
    await type('7777');
    await press('Enter');
    await sees('.price [data-price="refused"]');
    assert.deepEqual(await outside(), []);
    await press('3');
    await sees('.notice[data-notice="price_refused"]');
    assert.deepEqual(await outside(), []);
    assert.equal((await sales()).length, before);
    await press('Escape', 'Escape');
    await screen('home');
  },
});

const WHOLE_SHOP = ({ page, press, think, sees, screen, saleState, outside, sales, scan, until }) => ({
  async 'staff eat for less: the price is seen, paid in cash, and voided as it was paid'() {
    await until('the shop’s rules', (state) => state.rules === true);
    const owner = await office(process.env.DASHBOARD_URL);
    const meal = { name: '员工餐 Staff meal', barcodes: [BARCODE], price: { minor: 1000, currency: 'CNY' } };
    const { id, version } = await owner('POST', '/v1/goods', meal);
    await until('the catalogue', (state) => (state.catalogue_count ?? 0) > 0);
    await scan(BARCODE);
    await screen('basket');
    await think();
    await press('Enter');
    await sees('.price [data-price="quoted"]');
    assert.match(await page.locator('.price').textContent(), /10\.00.*Staff discount −2\.00/);
    assert.deepEqual(await outside(), []);
    await think();
    await press('1', 'Enter');
    await saleState('succeeded');
    const [sale] = await sales();
    assert.deepEqual([sale.amount_minor, sale.quote.list_minor, sale.quote.receipt_lines[0]], [800, 1000, 'You saved 2.00 CNY']);
    await press('F3');
    await screen('confirm');
    await think();
    await press('Enter');
    await saleState('voided');
    assert.equal((await sales())[0].refunded_minor, 800);
    await press('Enter');
    await screen('home');
    await owner('PUT', `/v1/goods/${id}`, { ...meal, version, active: false });
    await until('an empty catalogue', (state) => (state.catalogue_count ?? 0) === 0);
  },
});

export const quoteStories = (hands) => (hands.isStandIn ? STAND_IN : WHOLE_SHOP)(hands);
