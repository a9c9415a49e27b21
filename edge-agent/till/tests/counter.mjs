// A story of what the office sets up and the counter has at once, for browser.mjs: goods that are scanned. The stand-in has no
// office: it is played against a whole shop, and leaves it as it found it.

import assert from 'node:assert/strict';

const BARCODE = '6901234567892';

/** Core's API as the owner. */
async function office(base) {
  const call = async (method, path, body, token) => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': crypto.randomUUID(), ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) };
    const answer = await fetch(`${base}${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
    const told = await answer.text();
    assert.ok(answer.ok, `${method} ${path}: ${told}`);
    return told === '' ? null : JSON.parse(told);
  };
  const { access_token } = await call('POST', '/v1/auth/sign-in', { email: process.env.OWNER_EMAIL, password: process.env.OWNER_PASSWORD });
  return (method, path, body) => call(method, path, body, access_token);
}

export const counterStories = ({ page, press, think, sees, screen, saleState, outside, sales, scan, until }) => ({
  async 'goods that the office added are scanned, counted, cheaper, and paid'() {
    const owner = await office(process.env.DASHBOARD_URL);
    const tax = await owner('POST', '/v1/tax-rates', { name: '增值税', basis_points: 1300, included: true });
    const tea = { name: '茉莉花茶 Jasmine tea', barcodes: [BARCODE], price: { minor: 350, currency: 'CNY' }, tax_rate: tax.id };
    const { id, version } = await owner('POST', '/v1/goods', tea);
    await until('the catalogue', (state) => (state.catalogue_count ?? 0) > 0);

    await scan(BARCODE);
    await screen('basket');
    await page.locator('.basket [data-key="line-0"]', { hasText: 'Jasmine tea' }).waitFor();
    await think();
    await scan(BARCODE);
    await page.locator('.basket [data-key="line-0"]', { hasText: '2×' }).waitFor();
    await think();
    await press('3', 'Enter');
    await page.locator('.basket [data-key="line-0"]', { hasText: '10.50' }).waitFor();
    await press('-', '-', '1', '0', '%', 'Enter');
    await page.locator('.total', { hasText: '9.45' }).waitFor();
    assert.match(await page.locator('[data-totals]').textContent(), /增值税 13%/);
    assert.deepEqual(await outside(), []);
    // What is in no catalogue is told, and takes nothing away.
    await scan('6900000000007');
    await sees('[data-notice="barcode_unknown"]');
    await think();
    await press('Enter');
    await screen('method');
    await press('1', 'Enter');
    await saleState('succeeded');
    const [sale] = await sales();
    assert.equal(sale.amount_minor, 945);
    assert.equal((await (await fetch(new URL('/api/state', page.url()))).json()).basket ?? null, null);
    await press('Enter');
    await screen('home');

    await owner('PUT', `/v1/goods/${id}`, { ...tea, version, active: false });
    await until('an empty catalogue', (state) => (state.catalogue_count ?? 0) === 0);
  },
});
