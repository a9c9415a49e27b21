// The dashboard in a real browser. Against a running shop with DASHBOARD_URL, TILL_URL, OWNER_EMAIL and OWNER_PASSWORD;
// without them against the stand-in of core.mjs. The stories follow each other, as one person's morning.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { core } from './core.mjs';
import { fleetStories } from './fleet.mjs';
import { rulesStories } from './rules.mjs';
import { goodsStories } from './goods.mjs';
import { launch, play, readable, visitor, WAIT_MS } from './stage.mjs';

const EMAIL = process.env.OWNER_EMAIL ?? 'owner@demo.local';
const PASSWORD = process.env.OWNER_PASSWORD ?? 'a password for trying';
const standIn = process.env.DASHBOARD_URL === undefined ? await core(fileURLToPath(new URL('../dist', import.meta.url)), PASSWORD) : null;
const DASHBOARD = process.env.DASHBOARD_URL ?? standIn.base;
const TILL = process.env.TILL_URL ?? standIn.base;

const browser = await launch();
const owner = await visitor(browser);
const { context, page, sees, tap, room } = owner;
const signIn = (password) => owner.signIn(EMAIL, password);

/** A cash sale at the till; the payment's number. */
async function cashSale(amount_minor) {
  const response = await fetch(`${TILL}/api/sales`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-saoma-till': '1', 'idempotency-key': `dashboard-${Date.now()}-${amount_minor}` },
    body: JSON.stringify({ amount_minor, method: 'cash' }),
  });
  assert.ok(response.ok, `the till took the sale (${response.status})`);
  return (await response.json()).payment;
}

/** The merchant's own system: what it has heard, by type. */
const heard = [];
const receiver = createServer((request, response) => {
  const chunks = [];
  request.on('data', (chunk) => chunks.push(chunk)).on('end', () => {
    heard.push({ id: request.headers['webhook-id'], type: JSON.parse(Buffer.concat(chunks).toString()).type });
    response.end('thanks');
  });
});
await new Promise((listening) => receiver.listen(0, '127.0.0.1', listening));
const HOOKS = `http://127.0.0.1:${receiver.address().port}/hooks`;

async function hears(count) {
  const until = Date.now() + WAIT_MS;
  while (heard.length < count) {
    assert.ok(Date.now() < until, `the receiver hears ${count}, not ${JSON.stringify(heard)}`);
    await new Promise((rested) => setTimeout(rested, 50));
  }
}

let payment = '';
let hook = '';

const STORIES = {
  async 'a wrong password is refused in words'() {
    await page.goto(DASHBOARD);
    await signIn('not the password');
    await sees('[data-problem="sign_in_failed"]');
  },

  async 'the owner signs in and sees live payments'() {
    await signIn(PASSWORD);
    await sees('[data-live="live"]');
    assert.match(page.url(), /\/payments$/);
  },

  async 'a sale at the till appears by itself'() {
    payment = await cashSale(1234);
    await sees(`[data-payment="${payment}"] [data-state="succeeded"]`);
    assert.match(await page.locator(`[data-payment="${payment}"]`).textContent(), /12\.34/);
  },

  async 'one payment shows what happened and what it did to the books'() {
    await page.locator(`[data-payment="${payment}"]`).click();
    await sees('[data-part="timeline"] [data-event]');
    await sees('[data-posting="cash_in_drawer"]');
    assert.match(await page.locator('[data-part="facts"]').textContent(), /Cash/);
    assert.match(await page.locator('[data-posting="cash_in_drawer"]').first().textContent(), /12\.34/);
  },

  async 'a part is refunded from here, and too much is not offered'() {
    await tap('refund');
    await page.fill('input[name="amount"]', '12.35');
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled());
    await page.fill('input[name="amount"]', '2.34');
    await page.locator('[data-question] [data-action="yes"]').click();
    await sees('[data-part="refunds"] [data-refund="succeeded"]');
    await sees(`[data-payment="${payment}"] [data-state="partly_refunded"]`);
  },

  async 'a reload stays signed in and in the same room'() {
    await page.reload();
    await sees(`[data-payment="${payment}"] [data-part="timeline"]`);
    const stored = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie]));
    assert.doesNotMatch(stored, /token|refresh/i, 'no token where a script can read it');
  },

  async 'to a payment and back by keyboard alone'() {
    await room('/payments');
    const link = `[data-payment="${payment}"] a`;
    await sees(link);
    for (let presses = 0; !(await page.locator(link).first().evaluate((one) => one === document.activeElement)); presses += 1) {
      assert.ok(presses < 30, 'the payment is reached by Tab');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await sees(`[data-payment="${payment}"] [data-part="timeline"]`);
    await page.goBack();
    await sees('[data-list="payments"]');
  },

  async 'terminals with their health'() {
    await room('/terminals');
    await sees('[data-terminal][data-standing="online"] [data-unsent="0"]');
  },

  async 'a new terminal comes with its claim code'() {
    const name = `Till ${Date.now() % 100_000}`;
    await tap('add-terminal');
    await page.fill('[data-form="terminal"] input[name="name"]', name);
    await tap('create');
    await sees('[data-claim-code]');
    assert.ok((await page.locator('[data-claim-code]').textContent()).length >= 8);
    await page.keyboard.press('Escape');
    await page.getByText(name).first().waitFor();
    await sees('[data-terminal][data-standing="unclaimed"]');
  },

  ...fleetStories({ page, sees, tap, room, base: DASHBOARD, standIn }),

  async 'the books balance'() {
    await room('/books');
    await sees('[data-balances="true"]');
    await page.locator('[data-account="merchant_payable"] a').first().click();
    await sees('[data-statement="merchant_payable"]');
    await sees('[data-line]');
    await room('/books');
  },

  ...rulesStories({ page, sees, tap, room, standIn }),

  ...goodsStories({ page, sees, tap, room, base: DASHBOARD, standIn, owner: { email: EMAIL, password: PASSWORD } }),

  async 'a webhook is added and its secret shown once'() {
    await room('/webhooks');
    await tap('add-webhook');
    await page.fill('[data-form="webhook"] input[name="url"]', HOOKS);
    await page.fill('[data-form="webhook"] input[name="description"]', 'shop system');
    await tap('create');
    assert.match(await page.locator('[data-secret]').textContent(), /^whsec_/);
    await page.keyboard.press('Escape');
    await page.getByText(HOOKS).first().click();
    await sees('[data-part="deliveries"]');
    hook = new URL(page.url()).pathname;
  },

  async 'a test arrives, and goes once more when asked'() {
    await tap('test');
    await sees('[data-delivery="succeeded"]');
    await hears(1);
    assert.equal(heard[0].type, 'webhook.test');
    await tap('detail');
    await sees('[data-part="delivery"] [data-attempt="200"]');
    assert.match(await page.locator('[data-payload]').textContent(), /webhook\.test/);
    await tap('replay');
    await page.locator('[data-part="delivery"] [data-attempt="200"]').nth(1).waitFor();
    if (standIn !== null) return;
    await hears(2);
    assert.equal(heard[1].id, heard[0].id, 'the same event');
  },

  async 'the secret is changed, with both in force for a day'() {
    await tap('rotate');
    await tap('yes');
    assert.match(await page.locator('[data-secret]').textContent(), /^whsec_/);
    await page.keyboard.press('Escape');
    await sees('[data-overlap]');
    await tap('disable');
    await sees('[data-enabled="false"]');
    await tap('enable');
    await sees('[data-enabled="true"]');
  },

  async 'Chinese and English'() {
    await tap('language');
    await page.getByText('试算平衡表').first().waitFor();
    await room('/payments');
    await page.getByText('实时支付').first().waitFor();
    await tap('language');
    await page.getByText('Live payments').first().waitFor();
  },

  async 'every room can be read, in the light and in the dark, and a telephone is wide enough'() {
    await readable(page, DASHBOARD, [
      ['/payments', '[data-list="payments"]'], [`/payments/${payment}`, '[data-posting]'], ['/terminals', '[data-terminal]'],
      ['/books', '[data-balances]'], ['/webhooks', '[data-webhook]'], ['/rules', '[data-form="rules"]'], ['/goods', '[data-list="goods"]'],
      ['/goods/taxes', '[data-list="taxes"]'], ['/goods/import', '[data-form="import"]'], [hook, '[data-list="deliveries"]'],
    ]);
  },

  ...(standIn === null && {
    async 'a code on show can be opened from here'() {
      const response = await fetch(`${TILL}/api/sales`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-saoma-till': '1', 'idempotency-key': `dashboard-code-${Date.now()}` },
        body: JSON.stringify({ amount_minor: 880, method: 'code' }),
      });
      const { payment: presented } = await response.json();
      await page.goto(`${DASHBOARD}/payments/${presented}`);
      const link = page.locator('[data-code]');
      await link.waitFor();
      const customer = await context.newPage();
      await customer.goto(await link.getAttribute('href'));
      await customer.locator('#pay-link').waitFor();
      await customer.close();
    },

    async 'the API can be browsed where the demo says'() {
      const docs = await context.newPage();
      await docs.goto(`${DASHBOARD}/docs`);
      await docs.getByText('/v1/payments', { exact: true }).first().waitFor();
      await docs.close();
    },
  }),

  async 'a webhook is removed'() {
    await page.goto(`${DASHBOARD}/webhooks`);
    await page.getByText(HOOKS).first().click();
    await tap('delete');
    await tap('yes');
    await page.waitForURL(/\/webhooks$/);
    await page.getByText(HOOKS).first().waitFor({ state: 'detached' });
  },

  async 'signed out is signed out'() {
    await tap('sign-out');
    await sees('input[name="password"]');
    await page.goto(`${DASHBOARD}/payments/${payment}`);
    await sees('input[name="password"]');
  },
};

const failed = await play(STORIES, [owner]);
await browser.close();
standIn?.close();
receiver.close();
process.exit(failed === 0 ? 0 : 1);
