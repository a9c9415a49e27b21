// The room of batches at card acquirers in a real browser, against the stand-in of core.mjs and a batch desk of this file's own: a close that
// payments under way hold up, one whose answer is lost, and a batch that a person has to see to.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { core } from './core.mjs';
import { launch, play, readable, visitor } from './stage.mjs';

const PASSWORD = 'a password for trying';
const ACCOUNT = 'cha_1';
const NAME = 'Acquirer';
const standIn = await core(fileURLToPath(new URL('../dist', import.meta.url)), PASSWORD);
const BASE = standIn.base;
const total = (count, minor) => ({ currency: 'CNY', debits: { count, minor }, credits: { count: 0, minor: 0 } });

/** Core's side of it, as its API shows it. */
const desk = { batches: [], waits: undefined, rows: 3, asked: [] };
const open = () => ({
  items: [{ channel_account: ACCOUNT, name: NAME, rows: desk.rows, totals: desk.rows === 0 ? [] : [total(desk.rows, 3_750)], ...(desk.waits === undefined ? {} : { waits: desk.waits }) }],
});
const close = () => {
  const sequence = desk.batches.length + 1;
  const batch = {
    id: `stb_${sequence}`, channel_account: ACCOUNT, sequence, state: 'closing', rows: desk.rows, totals: [total(desk.rows, 3_750)], closed_by: 'usr_1',
    closed_at: Date.now(), needs_attention: false, version: 1,
  };
  desk.batches.unshift(batch);
  Object.assign(desk, { rows: 0, waits: undefined });
  return batch;
};
const problem = (status, code) => [status, { type: `urn:${code}`, title: code, status, code, detail: `It is ${code}.` }];
function answered(method, url, body, key) {
  const [, , , id, action] = url.pathname.split('/');
  if (method === 'GET') {
    if (id === 'open') return [200, open()];
    return [200, { items: url.searchParams.has('needs_attention') ? desk.batches.filter((batch) => batch.needs_attention) : desk.batches }];
  }
  desk.asked.push([key, body]);
  if (action === 'resolve') {
    const batch = desk.batches.find((one) => one.id === id);
    if (batch.version !== body.version) return problem(409, 'changed_meanwhile');
    return [200, Object.assign(batch, { needs_attention: false, version: batch.version + 1, resolved: { by: 'usr_1', at: Date.now(), reason: body.reason } })];
  }
  if (desk.waits !== undefined) return problem(409, 'payments_under_way');
  return [202, close()];
}

const browser = await launch();
const owner = await visitor(browser);
const { page, sees, tap } = owner;
await page.route('**/v1/settlement-batches**', async (route) => {
  const request = route.request();
  const [status, content] = answered(request.method(), new URL(request.url()), request.postDataJSON(), request.headers()['idempotency-key']);
  await route.fulfill({ status, contentType: 'application/json', body: JSON.stringify(content) });
});
await page.route('**/v1/reconciliations/days/*', (route) => route.fulfill({ json: { items: [] } }));
await page.route('**/v1/users', (route) => route.fulfill({ json: { items: [] } }));
const SETTLEMENTS = '/reconciliation/settlement-batches';
const standing = (sequence, is) => sees(`[data-batch="stb_${sequence}"][data-standing="${is}"]`);

const STORIES = {
  async 'the owner sees what is open'() {
    await page.goto(BASE);
    await owner.signIn('owner@demo.local', PASSWORD);
    await owner.room('/reconciliation');
    await page.locator(`[data-way="${SETTLEMENTS}"]`).click();
    await sees(`[data-open="${ACCOUNT}"]`);
    assert.match(await page.locator(`[data-open="${ACCOUNT}"]`).textContent(), /Acquirer.*3.*37\.50/);
    await sees('[data-empty]');
  },

  async 'a close that payments hold up says until when others wait, and is closed by itself'() {
    desk.waits = { since: Date.now(), under_way: 2, held_until: Date.now() + 120_000, needs_attention: false };
    await tap('close-batch');
    await sees('[data-problem="payments_under_way"]');
    assert.match(await page.locator('[data-problem]').textContent(), /held back for two minutes/);
    await sees('[data-waits]');
    assert.match(await page.locator('[data-waits]').textContent(), /^2 payments/);
    const batch = close();
    await page.locator('[data-waits]').waitFor({ state: 'detached' });
    Object.assign(batch, { state: 'settled', version: 2 });
    await page.reload();
    await standing(1, 'settled');
    assert.ok(await page.locator('[data-action="close-batch"]').isDisabled(), 'nothing is open');
  },

  async 'one that waits for too long calls a person in words'() {
    Object.assign(desk, { rows: 1, waits: { since: 1, under_way: 1, needs_attention: true } });
    await page.reload();
    await sees('[data-waits]');
    assert.match(await page.locator('[data-waits]').textContent(), /see to the payments that need attention/);
    desk.waits = undefined;
    await page.locator('[data-waits]').waitFor({ state: 'detached' });
  },

  async 'a close whose answer is lost is the same wish at the next press'() {
    desk.asked = [];
    await page.route('**/v1/settlement-batches', async (route) => {
      desk.asked.push([route.request().headers()['idempotency-key'], route.request().postDataJSON()]);
      await route.abort();
    }, { times: 1 });
    await tap('close-batch');
    await sees('[data-problem]');
    await tap('close-batch');
    await standing(2, 'on_its_way');
    const [lost, again] = desk.asked;
    assert.deepEqual([again, desk.asked.length], [lost, 2]);
  },

  async 'what differs is told in every room of it until somebody has seen to it'() {
    Object.assign(desk.batches[0], { state: 'differs', sent: 1, needs_attention: true, version: 2, channel_totals: [total(0, 0)] });
    await page.goto(`${BASE}/reconciliation/payouts`);
    await sees('[data-called]');
    await page.locator('[data-called] a').click();
    await standing(2, 'differs');
    await tap('resolve');
    await sees('[data-question="resolve-batch"]');
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled(), 'not without a reason');
    await page.fill('[data-question] input[name="reason"]', 'the acquirer adds it by hand');
    desk.batches[0].version = 3;
    await page.locator('[data-question] [data-action="yes"]').click();
    await sees('[data-question] [data-problem="changed_meanwhile"]');
    await page.locator('[data-question] button').filter({ hasText: 'Not now' }).first().click();
    await page.reload();
    await tap('resolve');
    await page.fill('[data-question] input[name="reason"]', 'the acquirer adds it by hand');
    await page.locator('[data-question] [data-action="yes"]').click();
    await standing(2, 'resolved');
    await page.locator('[data-called]').waitFor({ state: 'detached' });
  },

  async 'it can be read in the light, in the dark and on a telephone'() {
    Object.assign(desk, { rows: 2, waits: { since: 1, under_way: 1, held_until: Date.now() + 60_000, needs_attention: true } });
    desk.batches.push({ ...desk.batches[0], id: 'stb_0', sequence: 0, needs_attention: true, resolved: undefined, why: 'no answer' });
    await readable(page, BASE, [[SETTLEMENTS, '[data-waits]']]);
  },
};

const failed = await play(STORIES, [owner]);
await browser.close();
standIn.close();
process.exit(failed === 0 ? 0 : 1);
