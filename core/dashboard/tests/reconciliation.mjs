// The reconciliation room in a real browser, against a running core with DASHBOARD_URL, OWNER_EMAIL and OWNER_PASSWORD: a day
// that differs, and two persons who bring it to its end. The channel's bill is this file's own, signed as the scheme signs.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { api, ask, signedIn } from './api.mjs';
import { launch, play, readable, visitor, WAIT_MS } from './stage.mjs';

const { DASHBOARD_URL: BASE, OWNER_EMAIL = 'owner@demo.local', OWNER_PASSWORD } = process.env;
if (BASE === undefined) {
  console.log('reconciliation: only against a running core (DASHBOARD_URL); nothing was played');
  process.exit(0);
}
/** Over wherever the scheme counts days, with its bill due. */
const DAY = new Date(Date.now() - 2 * 86_400_000).toISOString().slice(0, 10);
const PASSWORD = 'a password for this story';
const KEY = 'a merchant key for this story';
const mark = String(Date.now());

/** Somebody of the merchant's, who has chosen a password. */
async function hires(owner, role, name) {
  const email = `${role}-${mark}@demo.local`;
  const { user, one_time_password } = await api(owner, 'POST', '/v1/users', { email, name, role });
  const token = await signedIn(email, one_time_password);
  await api(token, 'POST', '/v1/auth/password', { current_password: one_time_password, new_password: PASSWORD });
  return { id: user.id, name, email, token: await signedIn(email, PASSWORD) };
}

/** The channel's side: a bill that nobody here has heard of, in currencies of 2, 0 and 3 decimals, and one line of rubbish. */
const row = (order_number, amount, fee, currency) =>
  ({ order_number, refund_number: null, reference: `W-${order_number}`, amount, fee, currency, at: Date.parse(`${DAY}T12:00:00Z`) });
const BILL = [row('WX-1', '12.34', '0.07', 'CNY'), row('WX-2', '50.00', '0.30', 'CNY'), row('WX-3', '1200', '7', 'JPY'), row('WX-4', '1.250', '0.008', 'KWD'), { rubbish: true }];
let manner = 'broken';
const held = [];
const scheme = createServer((request, response) => {
  const answer = (status, content) => {
    const [body, timestamp, nonce] = [JSON.stringify(content), String(Date.now()), request.headers['x-sandbox-nonce']];
    const signature = createHmac('sha256', KEY).update(`RESPONSE\n${status}\n${timestamp}\n${nonce}\n${body}\n`).digest('hex');
    response.writeHead(status, { 'content-type': 'application/json', 'x-sandbox-timestamp': timestamp, 'x-sandbox-signature': signature }).end(body);
  };
  const bill = () => answer(200, { rows: BILL, next_cursor: null });
  if (manner === 'broken') answer(503, { code: 'BUSY', message: 'the bill is not made yet' });
  else if (manner === 'slow') held.push(bill);
  else bill();
});
await new Promise((listening) => scheme.listen(0, '127.0.0.1', listening));
const releases = () => {
  manner = 'good';
  for (const bill of held.splice(0)) bill();
};

const ownerToken = await signedIn(OWNER_EMAIL, OWNER_PASSWORD);
const { user: ownerUser } = await api(ownerToken, 'GET', '/v1/auth/me');
const accountant = await hires(ownerToken, 'accountant', 'Zhang Wei');
const manager = await hires(ownerToken, 'manager', 'Chen Jing');
const cashier = await hires(ownerToken, 'cashier', 'Sun Li');
const NAME = `Bill desk ${mark}`;
const { id: ACCOUNT } = await api(ownerToken, 'POST', '/v1/channel-accounts', {
  plugin: 'sandbox', name: NAME, fee_basis_points: 60, priority: 1_000, secrets: { 'merchant-key': KEY },
  settings: { base_url: `http://127.0.0.1:${scheme.address().port}`, merchant_id: 'bill-desk' },
});

const browser = await launch();
const [first, second] = [await visitor(browser), await visitor(browser)];
const { page, sees, tap } = first;
const card = `[data-account-day="${ACCOUNT}"]`;
const dayPath = `/reconciliation?day=${DAY}`;
const listPath = (more = '') => `/reconciliation/discrepancies?account=${ACCOUNT}&day=${DAY}${more}`;
const ids = {};
const shown = (id) => `${BASE}/reconciliation/discrepancies/${id}`;
const state = (is) => sees(`[data-discrepancy] [data-state="${is}"]`);
/** Names come a moment after what they are told of. */
const toldOf = (name) => page.locator('[data-part="history"]').getByText(name).first().waitFor();
const yes = (visitor = first) => visitor.page.locator('[data-question] [data-action="yes"], [data-form] [data-action="yes"]').click();

async function chooses(label, option) {
  await page.getByLabel(label, { exact: true }).first().click();
  await page.getByRole('option', { name: option, exact: true }).click();
}

const STORIES = {
  async 'the owner opens a day: it is not compared yet'() {
    await page.goto(BASE);
    await first.signIn(OWNER_EMAIL, OWNER_PASSWORD);
    await first.room('/reconciliation');
    await page.fill('[data-input="day"]', DAY);
    await sees(`${card}[data-standing="not_compared"]`);
    assert.match(page.url(), new RegExp(`day=${DAY}`));
    await sees('[data-standing="no_bills"]');
  },

  async 'a bill that does not come is told in words'() {
    await page.locator(`${card} [data-action="compare"]`).click();
    await sees(`${card}[data-standing="failed"]`);
    const words = await page.locator(`${card} [data-why]`).textContent();
    assert.match(words, /Nothing that was found or decided before is changed/);
    assert.match(words, /What happened: .*the bill is not made yet/);
  },

  async 'it is repeated, goes on while nobody looks, and differs'() {
    manner = 'slow';
    await page.locator(`${card} [data-action="compare"]`).click();
    await sees(`${card}[data-standing="running"] [data-running]`);
    assert.ok(await page.locator(`${card} [data-action="compare"]`).isDisabled());
    await page.reload();
    await sees(`${card}[data-standing="running"]`);
    releases();
    await sees(`${card}[data-standing="differs"] [data-waiting="5"]`);
    const figure = (of) => page.locator(`${card} [data-figure="${of}"][data-differs="true"]`).textContent();
    assert.match(await figure('CNY-money'), /0\.00 CNY62\.34 CNY62\.34 CNY/);
    assert.match(await figure('CNY-fee'), /0\.00 CNY0\.37 CNY/);
    assert.match(await figure('JPY-money'), /0 JPY1,200 JPY/);
    assert.match(await figure('KWD-money'), /0\.000 KWD1\.250 KWD/);
  },

  async 'what differs is narrowed down and reached by keyboard alone'() {
    await page.locator(`${card} a[data-waiting]`).click();
    await page.locator('[data-discrepancy]').nth(4).waitFor();
    for (const one of await page.locator('[data-discrepancy]').all()) {
      const number = /WX-\d/.exec(await one.textContent())?.[0] ?? 'rubbish';
      ids[number] = await one.getAttribute('data-discrepancy');
    }
    assert.deepEqual(Object.keys(ids).sort(), ['WX-1', 'WX-2', 'WX-3', 'WX-4', 'rubbish']);
    await chooses('Kind', 'Unreadable line');
    await page.locator('[data-discrepancy]').nth(1).waitFor({ state: 'detached' });
    assert.match(page.url(), /class=unreadable/);
    await chooses('State', 'Resolved');
    await sees('[data-empty]');
    await page.goto(`${BASE}${listPath()}`);
    const link = `[data-discrepancy="${ids['WX-1']}"] a`;
    await sees(link);
    for (let presses = 0; !(await page.locator(link).evaluate((one) => one === document.activeElement)); presses += 1) {
      assert.ok(presses < 40, 'the discrepancy is reached by Tab');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await state('open');
  },

  async 'ours stands beside theirs, with what differs marked and what is proposed'() {
    const amount = page.locator('[data-field="amount"][data-differs="true"]');
    assert.match(await amount.textContent(), /not in our books12\.34 CNY≠ differs/);
    await sees('[data-fix="follow_bill"]');
    await sees('[data-part="proposal"] [data-correction="1234 7"]');
    assert.match(await page.locator('[data-part="proposal"]').textContent(), /pay out more12\.27 CNY/);
    assert.ok(await page.locator('[data-action="next"], [data-action="previous"]').count() > 0, 'one walks through the list');
  },

  async 'it is assigned, and resolved with its posting'() {
    await tap('assign-me');
    await state('assigned');
    await toldOf(ownerUser.name);
    await tap('resolve');
    await sees('[data-question="resolve"] [data-correction="1234 7"]');
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled(), 'not without a reason');
    await page.fill('[data-question] input[name="reason"]', 'on the channel’s page as well');
    await yes();
    await state('resolved');
    await page.locator('[data-part="steps"]').waitFor({ state: 'detached' });
    const after = await api(ownerToken, 'GET', `/v1/discrepancies/${ids['WX-1']}`);
    assert.deepEqual([after.state, after.decided_by, after.reason], ['resolved', ownerUser.id, 'on the channel’s page as well']);
  },

  async 'whom somebody forestalled is told so, and nothing is done'() {
    await page.goto(shown(ids['WX-3']));
    await state('open');
    await tap('resolve');
    await api(accountant.token, 'POST', `/v1/discrepancies/${ids['WX-3']}/assign`, { to: accountant.id });
    await page.fill('[data-question] input[name="reason"]', 'too late');
    await yes();
    await sees('[data-question] [data-problem="changed_meanwhile"]');
    assert.match(await page.locator('[data-problem]').textContent(), /Somebody else decided about this meanwhile.*Reload/);
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled());
    await tap('retry');
    await state('assigned');
    assert.equal((await api(ownerToken, 'GET', `/v1/discrepancies/${ids['WX-3']}`)).state, 'assigned');
    await toldOf(accountant.name);
  },

  async 'a write-off is asked for, and not approved by who asked'() {
    await tap('write-off');
    await page.fill('[data-question] input[name="reason"]', 'nobody knows these yen');
    await yes();
    await state('write_off_proposed');
    await sees('[data-own]');
    assert.equal(await page.locator('[data-action="approve"]').count(), 0);
    const { version } = await api(ownerToken, 'GET', `/v1/discrepancies/${ids['WX-3']}`);
    const alone = await ask(ownerToken, 'POST', `/v1/discrepancies/${ids['WX-3']}/write-off/approve`, { version });
    assert.deepEqual([alone.status, alone.body.code], [403, 'second_person_needed']);
  },

  async 'a second person sees who asked and why, and approves'() {
    await second.page.goto(BASE);
    await second.signIn(accountant.email, PASSWORD);
    await second.sees('[data-live="live"]');
    await second.page.goto(`${BASE}${listPath('&state=write_off_proposed')}`);
    await second.page.locator(`[data-discrepancy="${ids['WX-3']}"] a`).click();
    const history = second.page.locator('[data-part="history"]');
    await history.getByText('nobody knows these yen').waitFor();
    await history.getByText(ownerUser.name).first().waitFor();
    await second.tap('approve');
    assert.match(await second.page.locator('[data-question="approve"]').textContent(), /nobody knows these yen/);
    await yes(second);
    await second.sees('[data-discrepancy] [data-state="written_off"]');
    await page.reload();
    await state('written_off');
    await toldOf(accountant.name);
    await page.goto(`${BASE}${dayPath}`);
    await sees(`${card}[data-standing="differs"] [data-waiting="3"]`);
  },

  async 'a payout is held against its bills, and what lacks is a discrepancy with two sides'() {
    await page.locator('[data-way="/reconciliation/payouts"]').click();
    const enters = async (amount, reference) => {
      await page.fill('input[name="amount"]', amount);
      await page.fill('input[name="reference"]', reference);
      await yes();
    };
    await tap('enter-payout');
    await chooses('Channel account', NAME);
    for (const name of ['from', 'to']) await page.fill(`[data-form="payout"] input[name="${name}"]`, DAY);
    await page.fill('input[name="received"]', `${DAY}T18:00`);
    await page.fill('input[name="amount"]', '60.001');
    await page.getByText('Type an amount in this currency').waitFor();
    await enters('60.00', `B-${mark}`);
    const paid = page.locator('[data-payout]', { hasText: `B-${mark}` });
    await paid.locator('[data-difference="-197"]').waitFor();
    assert.match(await paid.textContent(), /61\.97 CNY60\.00 CNYtoo little 1\.97 CNY/);

    await page.goto(`${BASE}${listPath('&class=payout')}`);
    await page.locator('[data-discrepancy][data-class="payout"] a').click();
    assert.match(await page.locator('[data-field="amount"][data-differs="true"]').textContent(), /61\.97 CNY60\.00 CNY/);
  },

  async 'days that were paid out are not paid out again by mistake, and a mistake is taken back'() {
    await page.goto(`${BASE}/reconciliation/payouts`);
    await tap('enter-payout');
    await chooses('Channel account', NAME);
    for (const name of ['from', 'to']) await page.fill(`[data-form="payout"] input[name="${name}"]`, DAY);
    await page.fill('input[name="received"]', `${DAY}T18:00`);
    await page.fill('input[name="amount"]', '1.97');
    await page.fill('input[name="reference"]', `C-${mark}`);
    await yes();
    await sees('[data-problem="days_paid_out"]');
    await page.locator('input[name="further"]').check();
    await yes();
    await page.locator('[data-payout]', { hasText: `C-${mark}` }).getByText('as expected').waitFor();
    await page.locator('[data-payout]', { hasText: `C-${mark}` }).locator('[data-action="reverse"]').click();
    await page.fill('[data-question="reverse"] input[name="reason"]', 'typed twice');
    await yes();
    await page.locator('[data-payout][data-reversed="true"]', { hasText: `C-${mark}` }).getByText('typed twice').waitFor();
  },

  async 'the settlement statement, on the screen and as files'() {
    await page.locator('[data-way="/reconciliation/statements"]').click();
    const line = page.locator(`[data-settlement-of="${ACCOUNT}"]`);
    await line.first().waitFor();
    assert.match(await line.first().textContent(), /12\.34 CNY12\.27 CNY/);
    await page.getByText('Store', { exact: true }).click();
    await page.waitForURL(/by=store/);
    await line.first().getByText('no store').waitFor();
    for (const [format, starts] of [['csv', '\ufeffstore,terminal,'], ['xlsx', 'PK']]) {
      const [file] = await Promise.all([page.waitForEvent('download', { timeout: WAIT_MS }), tap(`export-${format}`)]);
      assert.match(file.suggestedFilename(), new RegExp(`^settlement-.*\\.${format}$`));
      const content = (await readFile(await file.path())).toString('utf8');
      assert.ok(content.startsWith(starts), content.slice(0, 40));
      if (format === 'csv') assert.ok(content.includes(`${ACCOUNT},CNY,0,0.00,0,0.00,0.00,0.07,12.34,12.27`), content);
    }
  },

  async 'a manager looks and decides nothing; a cashier has no such room'() {
    const third = await visitor(browser);
    await third.page.goto(BASE);
    await third.signIn(manager.email, PASSWORD);
    await third.sees('[data-live="live"]');
    await third.page.goto(`${BASE}${dayPath}`);
    await third.sees(`${card} [data-waiting]`);
    assert.equal(await third.page.locator('[data-action="compare"]').count(), 0);
    await third.page.goto(shown(ids['WX-2']));
    await third.sees('[data-may-not]');
    assert.equal(await third.page.locator('[data-part="steps"]').count(), 0);
    await third.page.goto(`${BASE}/reconciliation/payouts`);
    await third.sees('[data-payout]');
    assert.equal(await third.page.locator('[data-action="enter-payout"], [data-action="reverse"]').count(), 0);
    assert.deepEqual(third.broken, []);
    await third.context.close();
    const fourth = await visitor(browser);
    await fourth.page.goto(BASE);
    await fourth.signIn(cashier.email, PASSWORD);
    await fourth.sees('[data-room="/payments"]');
    for (const path of ['/reconciliation', '/batches', '/books']) assert.equal(await fourth.page.locator(`[data-room="${path}"]`).count(), 0, path);
    await fourth.page.goto(`${BASE}/reconciliation`);
    await fourth.page.getByText('This page does not exist.').waitFor();
    await fourth.context.close();
  },

  async 'the room in Chinese'() {
    await page.goto(`${BASE}${dayPath}`);
    await tap('language');
    await page.getByText('渠道账单').first().waitFor();
    await page.goto(shown(ids['WX-2']));
    await page.getByText('按账单更正账务').first().waitFor();
    await tap('language');
  },

  async 'each part can be read, in the light and in the dark, and a telephone is wide enough'() {
    await readable(page, BASE, [
      [dayPath, `${card} [data-figure]`], [listPath(), '[data-discrepancy]'], [listPath('&state=all'), '[data-state="written_off"]'],
      [`/reconciliation/discrepancies/${ids['WX-2']}`, '[data-part="steps"]'], [`/reconciliation/discrepancies/${ids.rubbish}`, '[data-part="steps"]'],
      ['/reconciliation/payouts', '[data-payout]'], ['/reconciliation/statements?by=store', '[data-settlement-of]'],
    ]);
  },
};

const failed = await play(STORIES, [first, second]);
await browser.close();
scheme.closeAllConnections();
scheme.close();
process.exit(failed === 0 ? 0 : 1);
