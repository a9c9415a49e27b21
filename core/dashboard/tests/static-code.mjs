// The page behind a stall's printed code in a real browser, against a running core with DASHBOARD_URL, OWNER_EMAIL and OWNER_PASSWORD:
// a customer keys an amount in and pays in the wallet. What an app's own bridge does stands in for the app; what core says of such a
// customer is tried with the real schemes in core's own tests.

import assert from 'node:assert/strict';
import { api, signedIn } from './api.mjs';
import { launch, play, visitor } from './stage.mjs';

const { DASHBOARD_URL: BASE, OWNER_EMAIL = 'owner@demo.local', OWNER_PASSWORD } = process.env;
if (BASE === undefined) {
  console.log('static code: only against a running core (DASHBOARD_URL); nothing was played');
  process.exit(0);
}
const token = await signedIn(OWNER_EMAIL, OWNER_PASSWORD);
const stores = await api(token, 'GET', '/v1/stores');
const code = await api(token, 'POST', '/v1/static-codes', { store: stores.items[0].id, label: `stall ${Date.now()}`, min_minor: 10, max_minor: 50_000 });
const browser = await launch();
const customer = await visitor(browser);
const { page, sees } = customer;
await page.setViewportSize({ width: 390, height: 844 });

const shows = async (selector, text) => {
  await page.waitForFunction(([at, wanted]) => document.querySelector(at)?.textContent === wanted, [selector, text]);
};
const type = async (keys) => {
  for (const key of keys) await page.click(`[data-key="${key === '<' ? 'back' : key}"]`);
};
const hidden = (selector) => page.locator(selector).isHidden();
/** All payments that came through the code. */
const payments = async () => (await api(token, 'GET', '/v1/payments')).items.filter(({ static_code }) => static_code === code.id);
const payInWallet = async () => {
  const link = await page.getAttribute('#pay-link', 'href');
  const { origin, pathname } = new URL(link);
  const paid = await fetch(`${origin}/wallet/api/orders/${pathname.split('/').pop()}/pay`, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ account: 'alice' }),
  });
  assert.ok(paid.ok, await paid.text());
};

const STORIES = {
  async 'an amount is keyed in as on a till, and never more than the currency has places'() {
    await page.goto(code.url);
    await sees('#keypad');
    assert.ok(await page.locator('#pay').isDisabled(), 'nothing is to be paid yet');
    for (const [keys, shown] of [['.', '0'], ['0', '0'], ['07', '7'], ['<', '0'], ['12.345', '12.34'], ['.', '12.34'], ['<<', '12.'], ['5', '12.5']]) {
      await type(keys);
      await shows('#amount', shown);
    }
    assert.ok(await page.locator('#pay').isEnabled());
  },

  async 'what is beyond the code’s limits is refused in words, and can be mended'() {
    await type('<<<<9000');
    await page.click('#pay');
    await page.waitForFunction(() => document.querySelector('#told.notice')?.textContent.includes('500.00'));
    assert.deepEqual(await payments(), []);
    await type('<<<<12.50');
    await shows('#amount', '12.50');
    assert.ok(await page.locator('#pay').isEnabled());
  },

  async 'a double tap is one payment, and a reload shows the same'() {
    await page.locator('#pay').dblclick();
    await sees('#pay-link');
    await page.reload();
    await sees('#pay-link');
    assert.ok(await hidden('#keypad'));
    assert.equal((await page.textContent('#amount')).split(' ')[0], '12.50');
    const [made, ...others] = await payments();
    assert.equal(others.length, 0);
    assert.equal(made.amount.minor, 1_250);
  },

  async 'the page waits through a lost line and says thanks when it is paid'() {
    await customer.context.setOffline(true);
    await payInWallet();
    await customer.context.setOffline(false);
    await page.locator('#told.done').waitFor();
    assert.ok(await hidden('#step') && await hidden('#cancel') && await page.locator('#again').isVisible());
    const [paid] = await payments();
    assert.equal(paid.state, 'succeeded');
  },

  async 'whoever pays once more begins anew, and whoever gives it up closes it'() {
    await page.click('#again');
    await sees('#keypad');
    await shows('#amount', '0');
    await type('3');
    await page.click('#pay');
    await sees('#pay-link');
    await page.click('#cancel');
    await sees('#keypad');
    const [given] = await payments();
    assert.ok(['cancelled', 'cancelling'].includes(given.state), given.state);
  },

  async 'an app’s bridge is called when it is ready, once, and again only when the customer asks'() {
    const step = { kind: 'bridge', ready: 'AppBridgeReady', object: 'AppBridge', function: 'invoke', name: 'pay', parameters: { prepay: 'wx1' } };
    const told = JSON.stringify({ state: 'waiting', amount: '3.00 CNY', step });
    const answers = (route) => route.fulfill({ contentType: 'application/json', body: told });
    await page.route('**/pay', answers);
    await page.route('**/state', answers);
    await page.reload();
    await type('3');
    await page.click('#pay');
    await sees('#cancel');
    await page.evaluate(() => {
      window.calls = [];
      window.AppBridge = { invoke: (...call) => window.calls.push(call) };
      document.dispatchEvent(new Event('AppBridgeReady'));
    });
    const calls = () => page.evaluate(() => window.calls.map(([name, parameters]) => [name, parameters]));
    const once = [['pay', { prepay: 'wx1' }]];
    assert.deepEqual(await calls(), once);
    // It is looked at every other second, and says the same.
    await page.waitForResponse('**/state');
    await page.waitForResponse('**/state');
    assert.deepEqual(await calls(), once);
    // The customer shut the app's question: it says so, and that decides nothing.
    await page.evaluate(() => window.calls[0][2]({ err_msg: 'cancel' }));
    await page.locator('#pay-again').waitFor();
    await page.click('#pay-again');
    await page.waitForFunction(() => window.calls.length === 2);
    await page.unroute('**/pay');
    await page.unroute('**/state');
  },

  async 'a code that is no longer in use says so, and waits for nothing'() {
    await api(token, 'POST', `/v1/static-codes/${code.id}/revoke`);
    await page.goto(code.url);
    await sees('#notice');
  },
};

const failed = await play(STORIES, [customer]);
await browser.close();
process.exit(failed === 0 ? 0 : 1);
