// The room of stored value in a real browser, against a running core with DASHBOARD_URL, OWNER_EMAIL and OWNER_PASSWORD: a holder's
// account from its opening to its pay-out, with an acceptor's charge in between, as that acceptor's program makes it.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { api, signedIn } from './api.mjs';
import { launch, play, readable, visitor } from './stage.mjs';

const { DASHBOARD_URL: BASE, OWNER_EMAIL = 'owner@demo.local', OWNER_PASSWORD } = process.env;
if (BASE === undefined) {
  console.log('stored value: only against a running core (DASHBOARD_URL); nothing was played');
  process.exit(0);
}
const mark = String(Date.now());
const REFERENCE = `staff-${mark}`;
const HOLDER = `Wang Fang ${mark}`;

const token = await signedIn(OWNER_EMAIL, OWNER_PASSWORD);
const browser = await launch();
const owner = await visitor(browser);
const { page, sees, tap } = owner;
const yes = () => page.locator('[role="dialog"] [data-action="yes"]').click();
const holds = (minor) => sees(`[data-balance="${minor}"]`);
const account = () => page.url().split('/').pop();
const load = () => api(token, 'GET', `/v1/stored-value/accounts/${account()}`);
let currency = '';
let secret = '';
let place = '';

/** The next such request is carried out, and its answer does not arrive. */
const loseAnswer = (path) => page.route(path, async (route) => {
  await route.fetch();
  await route.abort();
}, { times: 1 });
const topUp = async (amount) => {
  await tap('top_up');
  await page.fill('[data-question="top_up"] input[name="amount"]', amount);
  await yes();
};

const STORIES = {
  async 'an account is opened with a limit'() {
    await page.goto(BASE);
    await owner.signIn(OWNER_EMAIL, OWNER_PASSWORD);
    await owner.room('/stored-value');
    await tap('open-account');
    await page.fill('[data-form="account"] input[name="holder"]', HOLDER);
    await page.fill('[data-form="account"] input[name="reference"]', REFERENCE);
    await page.fill('[data-form="account"] input[name="balance_minor_max"]', '0');
    assert.ok(await page.locator('[data-form="account"] [data-action="yes"]').isDisabled(), 'zero is no limit');
    await page.fill('[data-form="account"] input[name="balance_minor_max"]', '100');
    await yes();
    await sees('[data-account-state="active"]');
    await holds(0);
    place = new URL(page.url()).pathname;
    ({ currency } = (await load()).balance);
  },

  async 'a number that is taken is refused in words'() {
    await page.locator('[data-room="/stored-value"]').click();
    await tap('open-account');
    await page.fill('[data-form="account"] input[name="holder"]', 'Somebody else');
    await page.fill('[data-form="account"] input[name="reference"]', REFERENCE);
    await yes();
    await sees('[data-form="account"] [data-problem="conflict"]');
    await page.keyboard.press('Escape');
  },

  async 'it is found by the merchant’s own number'() {
    await page.fill('[data-input="reference"]', REFERENCE);
    await page.keyboard.press('Enter');
    await page.waitForURL(/reference=/);
    await page.locator('[data-list="stored-value"]').getByText(HOLDER).click();
    await holds(0);
  },

  async 'cash is paid in, and more than the limit is not'() {
    await tap('top_up');
    await page.fill('[data-question="top_up"] input[name="amount"]', '100.01');
    await yes();
    await sees('[data-question="top_up"] [data-problem="limit_exceeded"]');
    await page.fill('[data-question="top_up"] input[name="amount"]', '60');
    await yes();
    await holds(6_000);
    await sees('[data-movement="topped_up"]');
  },

  async 'what was pressed without a line and left alone is not sent when the line is back'() {
    await owner.context.setOffline(true);
    await tap('top_up');
    await page.fill('[data-question="top_up"] input[name="amount"]', '7');
    await yes();
    await sees('[data-question="top_up"] [data-problem="offline"]');
    await page.keyboard.press('Escape');
    await sees('[data-unanswered]');
    await Promise.all([page.waitForResponse((answer) => answer.ok() && new URL(answer.url()).pathname.endsWith(account())), owner.context.setOffline(false)]);
    assert.equal((await load()).balance.minor, 6_000);
    await tap('put-aside');
    await page.locator('[data-unanswered]').waitFor({ state: 'detached' });
  },

  async 'an answer that was lost is asked for again after another deed and a reload, and nothing is paid in twice'() {
    await loseAnswer('**/top-ups');
    await topUp('5');
    await sees('[data-question="top_up"] [data-problem="offline"]');
    assert.ok(await page.locator('[data-question="top_up"] input[name="amount"]').isDisabled(), 'it is asked again as it was');
    await page.keyboard.press('Escape');
    await holds(6_500);
    await topUp('1');
    await page.locator('[data-question]').waitFor({ state: 'detached' });
    await holds(6_600);
    await page.reload();
    await sees('[data-unanswered]');
    await tap('ask-again');
    assert.equal(await page.inputValue('[data-question="top_up"] input[name="amount"]'), '5.00');
    await yes();
    await sees('[data-outcome="top_up"] [data-booked]');
    assert.equal((await load()).balance.minor, 6_600);
    await tap('done');
    assert.equal(await page.locator('[data-unanswered]').count(), 0);
  },

  async 'the same sum once more is paid in once more, whether or not the one before has its answer'() {
    await loseAnswer('**/top-ups');
    await topUp('2');
    await sees('[data-question="top_up"] [data-problem="offline"]');
    await page.keyboard.press('Escape');
    await tap('ask-new');
    await sees('[data-question="top_up"] [data-another="1"]');
    await page.fill('[data-question="top_up"] input[name="amount"]', '2');
    await page.locator('[role="dialog"] [data-action="yes"]').dblclick();
    await page.locator('[data-question]').waitFor({ state: 'detached' });
    await holds(7_000);
    assert.equal((await load()).balance.minor, 7_000, 'a double press is one');
    await tap('ask-again');
    await yes();
    await sees('[data-outcome="top_up"]');
    await tap('done');
    assert.equal((await load()).balance.minor, 7_000);
  },

  async 'a mistake is taken back with a reason, once'() {
    await page.locator('[data-list="movements"] [data-action="reverse"]').first().click();
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled(), 'a reason is needed');
    await page.fill('[data-question="reverse"] input[name="reason"]', 'keyed in twice');
    await yes();
    await sees('[data-outcome="reverse"] [data-pay="200"]');
    await tap('done');
    await holds(6_800);
    await sees('[data-movement="top_up_reversed"]');
    assert.equal(await page.locator('[data-list="movements"] [data-action="reverse"]').count(), 4);
  },

  async 'an acceptor has a key, shown once'() {
    await page.locator('[data-way="/stored-value/acceptors"]').click();
    await tap('add-acceptor');
    await page.fill('[data-form="acceptor"] input[name="name"]', `Canteen ${mark}`);
    await yes();
    secret = await page.locator('[data-secret]').textContent();
    await page.keyboard.press('Escape');
    await page.locator('[data-secret]').waitFor({ state: 'detached' });
    await page.locator('[data-acceptor]').filter({ hasText: `Canteen ${mark}` }).waitFor();
    await page.reload();
    await page.locator('[data-acceptor]').filter({ hasText: `Canteen ${mark}` }).waitFor();
    assert.ok(!(await page.content()).includes(secret), 'it is shown once');
  },

  async 'a key whose answer was lost and that was revoked since is given to nobody'() {
    await loseAnswer('**/api-keys');
    await tap('add-acceptor');
    await page.fill('[data-form="acceptor"] input[name="name"]', `Kiosk ${mark}`);
    await yes();
    await sees('[data-form="acceptor"] [data-problem="offline"]');
    await page.keyboard.press('Escape');
    await page.locator('[data-acceptor]').filter({ hasText: `Kiosk ${mark}` }).locator('[data-action="revoke"]').click();
    await yes();
    await page.locator('[data-question]').waitFor({ state: 'detached' });
    await tap('ask-again');
    await yes();
    await sees('[data-dead]');
    assert.equal(await page.locator('[data-secret]').count(), 0);
    await tap('add-acceptor');
    await page.fill('[data-form="acceptor"] input[name="name"]', `Kiosk ${mark}`);
    await yes();
    await sees('[data-secret]');
    await page.keyboard.press('Escape');
  },

  async 'what the acceptor charges appears by itself'() {
    await page.goto(`${BASE}${place}`);
    await holds(6_800);
    const { code } = await api(token, 'POST', `/v1/stored-value/accounts/${account()}/codes`, {});
    await api(secret, 'POST', '/v1/stored-value/acceptors/canteen/charges', { code, amount: { minor: 1_234, currency } });
    await holds(5_566);
    await sees('[data-movement="charged"]');
    assert.match(await page.locator('[data-movement="charged"]').textContent(), /canteen/);
  },

  async 'the statement as files'() {
    const [csv] = await Promise.all([page.waitForEvent('download'), tap('export-csv')]);
    assert.match(await readFile(await csv.path(), 'utf8'), /keyed in twice/);
    const [xlsx] = await Promise.all([page.waitForEvent('download'), tap('export-xlsx')]);
    assert.equal((await readFile(await xlsx.path())).subarray(0, 2).toString(), 'PK');
  },

  async 'a lost phone is frozen, and released'() {
    await tap('freeze');
    await page.fill('[data-question="freeze"] input[name="reason"]', 'phone lost');
    await yes();
    await sees('[data-account-state="frozen"]');
    assert.equal(await page.locator('[data-action="top_up"]').count(), 0);
    await tap('unfreeze');
    await page.fill('[data-question="unfreeze"] input[name="reason"]', 'phone found');
    await yes();
    await sees('[data-account-state="active"]');
  },

  async 'a change that is older than another’s overwrites nothing'() {
    await tap('change');
    const { version } = await load();
    await api(token, 'PATCH', `/v1/stored-value/accounts/${account()}`, { version, limits: { charge_minor_max: 777 } });
    await page.fill('[data-form="change"] input[name="day_minor_max"]', '20');
    await yes();
    await sees('[data-form="change"] [data-problem="changed_meanwhile"]');
    assert.deepEqual((await load()).limits, { charge_minor_max: 777 });
    await page.locator('[data-form="change"] [data-action="retry"]').click();
    await page.locator('[data-limit="charge_minor_max"]').getByText('7.77').waitFor();
    await tap('change');
    await page.fill('[data-form="change"] input[name="day_minor_max"]', '20');
    await yes();
    await page.locator('[data-limit="day_minor_max"]').getByText('20.00').waitFor();
    assert.deepEqual((await load()).limits, { charge_minor_max: 777, day_minor_max: 2_000 });
  },

  async 'every page can be read, in the light and in the dark, and a telephone is wide enough'() {
    await readable(page, BASE, [
      ['/stored-value', '[data-list="stored-value"]'], [place, '[data-list="movements"]'], ['/stored-value/acceptors', '[data-acceptor]'],
    ]);
  },

  async 'Chinese and English'() {
    await page.goto(`${BASE}${place}`);
    await tap('language');
    await page.locator('[data-movement="charged"]').getByText('消费').waitFor();
    await tap('language');
    await page.locator('[data-movement="charged"]').getByText('Paid with it').waitFor();
  },

  async 'the account is closed: what core has paid out is told, also after a charge in between and an answer that was lost'() {
    await page.goto(`${BASE}${place}`);
    await tap('close');
    assert.match(await page.locator('[data-question="close"]').textContent(), /55\.66/);
    const { code } = await api(token, 'POST', `/v1/stored-value/accounts/${account()}/codes`, {});
    await api(secret, 'POST', '/v1/stored-value/acceptors/canteen/charges', { code, amount: { minor: 500, currency } });
    await loseAnswer('**/close');
    await page.fill('[data-question="close"] input[name="reason"]', 'moved away');
    await yes();
    await sees('[data-question="close"] [data-problem="offline"]');
    await sees('[data-account-state="closed"]');
    assert.doesNotMatch(await page.locator('[data-question="close"]').textContent(), /\d\.\d\d/, 'no sum before core has told it');
    await page.reload();
    await tap('ask-again');
    await yes();
    await sees('[data-outcome="close"] [data-pay="5066"]');
    await tap('done');
    await holds(0);
    await sees('[data-account] [data-pay="5066"]');
    await sees('[data-movement="paid_out"]');
    for (const action of ['top_up', 'change', 'freeze', 'close', 'reverse', 'ask-again']) {
      assert.equal(await page.locator(`[data-action="${action}"]`).count(), 0, action);
    }
  },

  async 'an acceptor whose key is revoked charges nothing more'() {
    await page.goto(`${BASE}/stored-value/acceptors`);
    const card = page.locator('[data-acceptor]').filter({ hasText: `Canteen ${mark}` });
    await card.locator('[data-action="revoke"]').click();
    await yes();
    await card.and(page.locator('[data-revoked="true"]')).waitFor();
    await assert.rejects(api(secret, 'GET', '/v1/stored-value/acceptors/canteen'), /unauthenticated/);
  },
};

const failed = await play(STORIES, [owner]);
await browser.close();
process.exit(failed === 0 ? 0 : 1);
