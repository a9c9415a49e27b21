// Stories of what the office sets up and the counter has at once, for browser.mjs: goods that are scanned, and cashiers with PINs.
// The stand-in has no office: they are played against a whole shop, and leave it as they found it, but for a shift.

import assert from 'node:assert/strict';

const BARCODE = '6901234567892';
const CASHIER = { staff_code: '07', pin: '2580', name: '李娜 Li Na', role: 'cashier' };
const SUPERVISOR = { staff_code: '90', pin: '7391', name: '王芳 Wang Fang', role: 'supervisor' };

/** Core's API as the owner. */
export async function office(base) {
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

export const counterStories = ({ page, press, type, think, sees, seen, screen, saleState, outside, sales, scan, until }) => ({
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

  async 'a cashier signs on by PIN, and gives money back with a supervisor'() {
    const owner = await office(process.env.DASHBOARD_URL);
    const before = await owner('GET', '/v1/cashier-rules');
    await owner('PUT', '/v1/cashier-rules', { supervisor_for: 'refunds' });
    const made = [];
    for (const person of [CASHIER, SUPERVISOR]) made.push(await owner('POST', '/v1/cashiers', person));
    await until('cashiers with PINs', (state) => state.pins === true && state.supervisor_needed === true);

    await press('F7', '1');
    await screen('sign-on');
    await type(CASHIER.staff_code);
    await press('Enter');
    await sees('[data-asks="pin"]');
    await type('2581');
    assert.ok(!(await page.locator('.till').textContent()).includes('2581'), 'no PIN is on the screen');
    assert.deepEqual(await outside(), []);
    await press('Enter');
    await type('10000');
    await press('Enter');
    await seen('[data-notice="pin_wrong"]');
    await seen('[data-asks="pin"]');
    await type(CASHIER.pin);
    await press('Enter');
    await sees('[data-asks="float"]');
    await press('Enter');
    const signedOn = await until('the shift', (state) => state.shift ?? undefined);
    assert.equal(signedOn.shift.cashier, CASHIER.name);

    await press('Escape', 'Escape');
    await screen('home');
    await type('520');
    await press('Enter', '1', 'Enter');
    await saleState('succeeded');
    await press('F3');
    await screen('confirm');
    await think();
    await press('Enter');
    await seen('[data-supervisor=""]');
    assert.equal((await sales())[0].state, 'succeeded', 'nothing goes back before a supervisor says so');
    await type(CASHIER.staff_code);
    await press('Enter');
    await seen(`[data-supervisor="${CASHIER.staff_code}"]`);
    await type(CASHIER.pin);
    await press('Enter');
    await sees('[data-notice="not_a_supervisor"]');
    await seen('[data-supervisor=""]');
    await type(SUPERVISOR.staff_code);
    await press('Enter');
    await seen(`[data-supervisor="${SUPERVISOR.staff_code}"]`);
    assert.deepEqual(await outside(), []);
    await type(SUPERVISOR.pin);
    await press('Enter');
    await saleState('voided');
    await press('Enter');
    await screen('home');

    await press('F7', '1');
    await screen('count');
    await type('10000');
    await press('Enter');
    await think();
    await press('Enter');
    await seen('[data-difference="0"]');
    await press('Enter');
    for (const { id, version } of made) await owner('PATCH', `/v1/cashiers/${id}`, { version, active: false });
    await owner('PUT', '/v1/cashier-rules', before);
    await until('no PINs', (state) => state.pins !== true);
    // A till that had a shift wants one for each sale: those that come next are of one that a name opens.
    await press('Escape', 'Escape', 'F7', '1');
    await screen('sign-on');
    await type(CASHIER.staff_code);
    await press('Enter');
    await sees('[data-asks="float"]');
    await press('Enter');
    await until('a shift', (state) => state.shift?.cashier !== undefined);
    await press('Escape', 'Escape');
    await screen('home');
  },
});
