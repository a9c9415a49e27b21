// The pictures that README.md shows, taken from a running shop (`cargo xtask pictures`), so that they are what a reader
// will see. They go to deploy/pictures.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const FOLDER = fileURLToPath(new URL('../../../deploy/pictures', import.meta.url));
/** Pictures are in the history for ever. */
const BYTES_MAX = 150_000;
const { TILL_URL: TILL, DISPLAY_URL: DISPLAY, WALLET_URL: WALLET, DASHBOARD_URL: CORE, OWNER_EMAIL, OWNER_PASSWORD } = process.env;

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
});
const taken = [];

async function open(address, width, height) {
  const context = await browser.newContext({ viewport: { width, height }, locale: 'en-GB', colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

async function take(page, name) {
  const path = `${FOLDER}/${name}.png`;
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path, animations: 'disabled' });
  taken.push(path);
}

/** As slowly as a hand, so that nothing is taken for a scanner. */
async function keys(page, ...pressed) {
  for (const key of pressed) await page.keyboard.press(key).then(() => page.waitForTimeout(400));
}

async function asks(address, body, headers = {}) {
  const response = await fetch(address, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID(), ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  assert.ok(response.ok, `${address}: ${response.status} ${await response.clone().text()}`);
  return response.json();
}

const sells = (body) => asks(`${TILL}/api/sales`, body, { 'x-saoma-till': '1' });
const code = async (who) => (await asks(`${WALLET}/api/accounts/${who}/code`, {})).code;

async function settled(payment) {
  const deadline = Date.now() + 40_000;
  for (;;) {
    const sale = await asks(`${TILL}/api/sales/${payment}`);
    if (sale.settled) return sale;
    assert.ok(Date.now() < deadline, `${payment} does not settle`);
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

/** A morning at the tea shop: scans, cash, a decline (…91), and a part given back. */
async function morning() {
  for (const [amount_minor, how] of [[1800, 'alice'], [3200, 'bob'], [1450, 'cash'], [2291, 'alice'], [5600, 'bob'], [900, 'cash'], [4400, 'alice']]) {
    const sale = how === 'cash'
      ? { amount_minor, method: 'cash', tendered_minor: Math.ceil(amount_minor / 1000) * 1000 }
      : { amount_minor, method: 'scan', code: await code(how) };
    await settled((await sells(sale)).payment);
  }
  const refunded = (await asks(`${TILL}/api/sales?limit=1`)).items[0];
  await asks(`${TILL}/api/sales/${refunded.payment}/refund`, { amount_minor: 1200 }, { 'x-saoma-till': '1' });
  return refunded.payment;
}

mkdirSync(FOLDER, { recursive: true });
const refunded = await morning();

const till = await open(TILL, 800, 480);
const display = await open(DISPLAY, 800, 480);
await till.locator('.bar[data-link="online"]').waitFor();
for (const digit of '3600') await till.keyboard.press(digit).then(() => till.waitForTimeout(140));
await till.locator('[data-sum="amount"]').getByText('36.00').waitFor();
await take(till, 'till');
await till.keyboard.press('F2');
await till.locator('.sale[data-state="presenting"]').waitFor();
await display.locator('[data-kind="code"] #code').waitFor();
await take(display, 'display');

await till.locator('.sale[data-state="succeeded"], .sale[data-state="presenting"]').waitFor();
await keys(till, 'Escape', 'Escape');
await till.locator('[data-screen="home"]').waitFor();

const { access_token } = await asks(`${CORE}/v1/auth/sign-in`, { email: OWNER_EMAIL, password: OWNER_PASSWORD });
const owner = { authorization: `Bearer ${access_token}` };
for (const [name, barcode, minor] of [['珍珠奶茶 Bubble tea', '6901234567892', 1800], ['茉莉绿茶 Jasmine tea', '6901234567908', 1400]]) {
  await asks(`${CORE}/v1/goods`, { name, barcodes: [barcode], price: { minor, currency: 'CNY' } }, owner);
}
await till.waitForFunction(async () => ((await (await fetch('/api/state')).json()).catalogue_count ?? 0) === 2);
await till.waitForTimeout(1_500);
for (const barcode of ['6901234567892', '6901234567908', '6901234567892']) {
  // A scanner that types: all keys within one task of the page.
  await till.evaluate((all) => {
    for (const key of all) window.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  }, [...barcode, 'Enter']);
  await till.waitForTimeout(800);
}
await keys(till, '-', '-', '1', '0', '%', 'Enter');
await till.locator('.total', { hasText: '45.00' }).waitFor();
await take(till, 'basket');
await keys(till, 'Enter');
await till.locator('[data-screen="method"]').waitFor();
await keys(till, '5');
await till.locator('[data-screen="split"]').waitFor();
await keys(till, ...'2000', 'Enter', '1', 'Enter');
await till.locator('.sale[data-state="succeeded"]').waitFor();
await keys(till, 'Enter');
await till.locator('[data-rest="2500"]').waitFor();
await take(till, 'split');
const [store] = (await asks(`${CORE}/v1/stores`, undefined, owner)).items;
const channel = (await asks(`${CORE}/v1/channel-accounts`, undefined, owner)).items.find(({ plugin }) => plugin === 'sandbox');
const presented = await asks(`${CORE}/v1/payments`, {
  amount: { minor: 3600, currency: 'CNY' },
  presentation: { kind: 'merchant' },
  store: store.id,
  channel_account: channel.id,
  goods: [
    { name: '珍珠奶茶 Bubble tea', quantity: 1, price_minor: 1800 },
    { name: '茉莉绿茶 Jasmine tea', quantity: 1, price_minor: 1800 },
  ],
}, owner);
const phone = await open(presented.code_url, 360, 480);
await phone.locator('#pay-link').waitFor();
await take(phone, 'pay');

const dashboard = await open(CORE, 1160, 620);
await dashboard.fill('input[name="email"]', OWNER_EMAIL);
await dashboard.fill('input[name="password"]', OWNER_PASSWORD);
await dashboard.click('button[type="submit"]');
await dashboard.locator('[data-live="live"]').waitFor();
await dashboard.locator(`[data-payment="${refunded}"] [data-state="partly_refunded"]`).waitFor();
await take(dashboard, 'payments');
await dashboard.locator(`[data-payment="${refunded}"]`).click();
await dashboard.locator('[data-part="timeline"] [data-event="refund_succeeded"]').waitFor();
await dashboard.setViewportSize({ width: 1160, height: 900 });
await dashboard.mouse.move(0, 0);
await take(dashboard, 'payment');
await browser.close();

execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', '--quality', '50-90', '--speed', '1', ...taken]);
for (const path of taken) {
  const { size } = statSync(path);
  console.log(`${path} ${size}`);
  assert.ok(size <= BYTES_MAX, `${path} has ${size} bytes; at most ${BYTES_MAX}`);
}
