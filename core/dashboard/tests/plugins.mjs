// The room of plugins in a real browser, against a running core with DASHBOARD_URL, OWNER_PASSWORD and the administrator's ADMIN_EMAIL
// and ADMIN_PASSWORD (the demo's has the owner's password): two versions of the sandbox are published, tried on one merchant, given
// to everybody and taken back. At the end the sandbox is what it was: built in.

import assert from 'node:assert/strict';
import { api, signedIn } from './api.mjs';
import { pack, publisher, UNPLAYED } from './package.mjs';
import { launch, play, readable, visitor } from './stage.mjs';

const { DASHBOARD_URL: BASE, OWNER_EMAIL = 'owner@demo.local', OWNER_PASSWORD, ADMIN_EMAIL = 'admin@saoma.local' } = process.env;
const { ADMIN_PASSWORD = OWNER_PASSWORD } = process.env;
if (BASE === undefined) {
  console.log('plugins: only against a running core (DASHBOARD_URL); nothing was played');
  process.exit(0);
}
const PUBLISHER = publisher();
/** A version is published once, so that each run has its own. */
const minute = Math.floor(Date.now() / 60_000);
const [OLD, NEW] = await Promise.all([0, 1].map((nth) => pack(PUBLISHER, `${nth + 1}.${minute % 10}.${Math.floor(minute / 10) % 10}`)));

const token = await signedIn(ADMIN_EMAIL, ADMIN_PASSWORD);
const { items: [merchant] } = await api(token, 'GET', '/v1/tenants');
const rollout = () => api(token, 'GET', '/v1/plugin-rollouts/sandbox');
const publishes = ({ body }) => api(token, 'POST', '/v1/plugin-packages', body, 'application/vnd.saoma.plugin-package');
const step = async (name, more = {}) => api(token, 'POST', `/v1/plugin-rollouts/sandbox/${name}`, { version: (await rollout()).version, ...more });

const browser = await launch();
const admin = await visitor(browser);
const owner = await visitor(browser);
const { page, sees, tap } = admin;

const row = ({ hash }) => `[data-list="versions"] [data-package="${hash}"]`;
const stands = ({ hash }, standing) => sees(`[data-list="versions"] [data-package="${hash}"] [data-standing="${standing}"]`);
const asks = (one, action) => page.locator(`${row(one)} [data-action="${action}"]`).click();
const yes = () => page.locator('[data-question] [data-action="yes"]').click();

const STORIES = {
  async 'the administrator comes in among the plugins, and has no payments'() {
    await page.goto(BASE);
    await admin.signIn(ADMIN_EMAIL, ADMIN_PASSWORD);
    await page.waitForURL(/\/plugins$/);
    assert.equal(await page.locator('[data-room="/payments"]').count(), 0);
  },

  async 'a text that is no key is refused in words'() {
    await page.locator('[data-way="/plugins/publishers"]').click();
    await tap('trust');
    await page.fill('[data-form="publisher"] input[name="name"]', 'Acme Payments');
    await page.fill('[data-form="publisher"] textarea', 'not a key');
    await page.locator('[data-form="publisher"] [data-action="yes"]').click();
    await sees('[data-form="publisher"] [data-problem="invalid"]');
  },

  async 'a publisher is trusted'() {
    await page.fill('[data-form="publisher"] textarea', PUBLISHER.pem);
    await page.locator('[data-form="publisher"] [data-action="yes"]').click();
    await sees(`[data-publisher="${PUBLISHER.keyId}"][data-revoked="false"]`);
  },

  async 'a package says who signed it and what was not played'() {
    await publishes(OLD);
    await publishes(NEW);
    await page.locator('[data-way="/plugins"]').click();
    await page.locator(`[data-list="packages"] [data-choice="${OLD.hash}"] a`).click();
    await page.getByText('Acme Payments').first().waitFor();
    assert.equal(await page.locator('[data-hash]').textContent(), OLD.hash);
    const [rarest] = await page.locator('[data-list="left-out"] tbody tr').allTextContents();
    assert.ok(rarest.includes(UNPLAYED.case) && rarest.includes(UNPLAYED.why), rarest);
  },

  async 'a version is tried on one merchant'() {
    await page.goto(`${BASE}/plugins/in-use/sandbox`);
    await asks(NEW, 'canary');
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled(), 'on nobody is no canary');
    await page.fill('[data-question] [data-input="merchants"]', merchant.name);
    await page.getByRole('option', { name: merchant.name, exact: true }).first().click();
    await page.keyboard.press('Escape');
    await yes();
    await stands(NEW, 'canary');
    await page.locator('[data-serves="canary"]').getByText(merchant.name).waitFor();
    assert.deepEqual((await rollout()).canary_tenants, [merchant.id]);
  },

  async 'who was slower overwrites nothing, and looks again'() {
    await tap('promote');
    const { version } = await rollout();
    await step('rollback');
    await yes();
    await sees('[data-question="promote"] [data-problem="changed_meanwhile"]');
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled());
    const now = await rollout();
    assert.deepEqual([now.version, now.stable, now.canary], [version + 1, 'built_in', undefined]);
    await page.locator('[data-question] [data-action="retry"]').click();
    await sees(`[data-rollout="sandbox"][data-step="${now.version}"]`);
    await stands(NEW, 'unused');
  },

  async 'a canary is promoted, and everybody goes back'() {
    await step('canary', { package: NEW.hash, tenants: [merchant.id] });
    await page.reload();
    await tap('promote');
    await sees(`[data-question="promote"] [data-from-to] [data-choice="${NEW.hash}"]`);
    await yes();
    await stands(NEW, 'stable');
    await tap('roll_back');
    await yes();
    await stands(NEW, 'unused');
    assert.equal((await rollout()).stable, 'built_in');
    assert.equal(await page.locator('[data-action="roll_back"]').count(), 0, 'there is no second step back');
  },

  async 'one version is given to everybody after it was asked about'() {
    await asks(OLD, 'install');
    await sees(`[data-question="install"] [data-from-to] [data-choice="${OLD.hash}"]`);
    assert.equal((await rollout()).stable, 'built_in', 'a question is no step');
    await yes();
    await stands(OLD, 'stable');
    assert.equal((await rollout()).stable, OLD.hash);
  },

  async 'what is in use cannot be retired; what is not, once somebody is sure'() {
    await page.goto(`${BASE}/plugins/packages/${OLD.hash}`);
    await sees('[data-standing="stable"]');
    assert.equal(await page.locator('[data-action="retire"]').count(), 0);
    await page.goto(`${BASE}/plugins/packages/${NEW.hash}`);
    await tap('retire');
    await page.click('[data-question="retire"] [data-input="successor"]');
    await page.getByRole('option', { name: new RegExp(`^${OLD.version}`) }).click();
    assert.ok(await page.locator('[data-question] [data-action="yes"]').isDisabled());
    await page.check('[data-question="retire"] input[name="sure"]');
    await yes();
    await sees(`[data-fact="retired"] [data-choice="${OLD.hash}"]`);
  },

  async 'an owner sees what the platform has, and rolls none of it out'() {
    await owner.page.goto(BASE);
    await owner.signIn(OWNER_EMAIL, OWNER_PASSWORD);
    await owner.room('/plugins');
    await owner.sees(`[data-list="packages"] [data-package="${OLD.hash}"]`);
    assert.equal(await owner.page.locator('[data-plugin="sandbox"]').count(), 0);
    await owner.page.locator('[data-way="/plugins/publishers"]').click();
    await owner.sees('[data-empty]');
    assert.equal(await owner.page.locator(`[data-publisher="${PUBLISHER.keyId}"]`).count(), 0);
  },

  async 'every page can be read, in the light and in the dark, and a telephone is wide enough'() {
    await readable(page, BASE, [
      ['/plugins', '[data-list="packages"]'], ['/plugins/in-use/sandbox', '[data-list="versions"]'],
      [`/plugins/packages/${OLD.hash}`, '[data-list="left-out"]'], ['/plugins/publishers', '[data-publisher]'],
    ]);
  },

  async 'a publisher is revoked, told what goes on running'() {
    await page.goto(`${BASE}/plugins/publishers`);
    await page.locator(`[data-publisher="${PUBLISHER.keyId}"] [data-action="revoke"]`).click();
    await sees(`[data-question="revoke"] [data-runs="${OLD.hash}"]`);
    await yes();
    await sees(`[data-publisher="${PUBLISHER.keyId}"][data-revoked="true"]`);
    await page.goto(`${BASE}/plugins/in-use/sandbox`);
    await page.locator(`${row(OLD)} [data-signer="revoked"]`).waitFor();
  },

  async 'what a revoked publisher signed is given to nobody, and leaves by a step back'() {
    assert.equal(await page.locator(`${row(OLD)} [data-action]`).count(), 0);
    await tap('roll_back');
    await yes();
    await stands(OLD, 'unused');
    assert.equal((await rollout()).stable, 'built_in');
    assert.equal(await page.locator(`${row(OLD)} [data-action]`).count(), 0);
  },
};

const failed = await play(STORIES, [admin, owner]);
await browser.close();
process.exit(failed === 0 ? 0 : 1);
