import { expect, test, vi } from 'vitest';
import { HELD, Page, sale, state } from './page.test-kit';

const BY_CASH = { amount_minor: 4850, method: 'cash', reference: '桌 7', held: 3, tendered_minor: 4850 };
const AWAITING = { awaiting_scan: { amount_minor: 4850, since: 1 } };

test('what was taken up is still that when a scan is given up for cash', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('F8', 'Enter', 'Enter', '2');
  await page.last('/api/sales').answer(AWAITING);
  expect(page.model.screen).toEqual({ kind: 'scan', minor: 4850, keyed: '', order: { reference: '桌 7', held: 3 } });
  page.keys('Esc', 'Enter', '1', 'Enter');
  expect(page.last('/api/sales').body).toEqual(BY_CASH);
});

test('what was taken up is still that after a reload while a scan is awaited', async () => {
  const before = await Page.open();
  await before.connect();
  before.keys('F8', 'Enter', 'Enter', '2');
  await before.last('/api/sales').answer(AWAITING);
  const page = await before.reload();
  await page.connect(state(AWAITING));
  expect(page.model.screen).toMatchObject({ kind: 'scan', order: { reference: '桌 7', held: 3 } });
  await page.last('/api/sales').answer(AWAITING);
  page.keys('Esc', 'Enter', '1', 'Enter');
  expect(page.last('/api/sales').body).toEqual(BY_CASH);
});

test('a scan that another page waits for is no table of this one', async () => {
  const page = await Page.open();
  await page.connect(state(AWAITING));
  expect(page.model.screen).toEqual({ kind: 'scan', minor: 4850, keyed: '' });
});

test('what is to be acknowledged is fetched, and stays however many are sold since', async () => {
  const page = await Page.open();
  await page.connect();
  await page.last('/api/sales?limit=100').answer({ items: Array.from({ length: 100 }, (_, nth) => ({ ...sale(`pay_${nth}`), counter: 1_000 + nth })) });
  const old = { ...sale('pay_old'), counter: 7, actions: ['acknowledge'] };
  await page.tell('state', state({ stored: { to_acknowledge: [{ payment: 'pay_old', counter: 7 }] } }));
  await page.tell('state', state({ stored: { to_acknowledge: [{ payment: 'pay_old', counter: 7 }] } }));
  expect(page.paths().filter((path) => path === '/api/sales/pay_old')).toHaveLength(1);
  await page.last('/api/sales/pay_old').answer(old);
  await page.tell('sale', { ...sale('pay_new'), counter: 2_000 });
  const counters = (): number[] => page.model.sales.map(({ counter }) => counter);
  expect([counters()[0], counters()[100], counters().length]).toEqual([2_000, 7, 101]);
  // On its screen it stays when it is acknowledged, and then goes with the next.
  page.store.set({ screen: { kind: 'sale', payment: 'pay_old' } });
  await page.tell('sale', { ...old, actions: [] });
  await page.tell('sale', { ...sale('pay_next'), counter: 2_001 });
  expect(counters()).toContain(7);
  page.store.set({ screen: { kind: 'home', keyed: '' } });
  await page.tell('sale', { ...sale('pay_last'), counter: 2_002 });
  expect([counters().includes(7), counters().length]).toEqual([false, 100]);
});

const PAIRING = { id: 'one', url: 'https://t/pair#C', svg: '', code: 'C', expires_at: 1 };
const CANCEL = '/api/paired/code/cancel';

async function naming(): Promise<Page> {
  const page = await Page.open();
  await page.connect();
  page.store.set({ screen: { kind: 'pair-name', role: 'till', keyed: 'b' } });
  page.keys('Enter');
  return page;
}

test.each<[string, (page: Page) => unknown]>([
  ['back', (page) => page.keys('Esc')],
  ['home', (page) => page.keys('F9')],
  ['to a sale', (page) => page.tell('scan', { result: 'found', sale: sale('pay_1') })],
])('a code is good for as long as it is on show: %s', async (_, leave) => {
  const page = await naming();
  await page.last('/api/paired/code').answer(PAIRING);
  expect(page.model.screen).toEqual({ kind: 'pair-code', name: 'b' });
  expect(page.paths()).not.toContain(CANCEL);
  await leave(page);
  expect(page.model.pairing).toBeNull();
  expect(page.last(CANCEL).body).toEqual({ id: 'one' });
});

test('a code that comes when nobody waits for it is over at once', async () => {
  const page = await naming();
  page.keys('F9');
  await page.last('/api/paired/code').answer(PAIRING);
  expect(page.last(CANCEL).body).toEqual({ id: 'one' });
  expect(page.model.pairing).toBeNull();
});

test('another page’s code pairs nothing here', async () => {
  const page = await naming();
  await page.last('/api/paired/code').answer(PAIRING);
  const stop = (await import('./paired-store')).watchPaired();
  const devices = [{ id: 'two', name: 'Other' }, { id: 'one', name: 'b' }];
  await page.last('/api/paired').answer({ devices, offer: { id: 'two', device: 'two' } });
  expect(page.model.screen.kind).toBe('pair-code');
  stop();
  const again = (await import('./paired-store')).watchPaired();
  await page.last('/api/paired').answer({ devices, offer: { id: 'one', device: 'one' } });
  again();
  expect(page.model.notice).toEqual({ kind: 'paired', name: 'b' });
  expect(page.paths()).not.toContain(CANCEL);
});

test('what the disk did not take is told, and the devices are looked at again', async () => {
  const page = await Page.open();
  await page.connect();
  void (await import('./paired-store')).revoke('one');
  await page.last('/api/paired/one/revoke').refuse('revoke_unwritten');
  await page.last('/api/paired').answer({ devices: [{ id: 'one', is_leaving: true }], offer: null });
  expect(page.model.paired?.devices).toHaveLength(1);
  expect(page.model.notice).toMatchObject({ problem: { code: 'revoke_unwritten' } });
});

test.each([['http:', 'paired'], ['https:', 'info']])('over %s the key of the paired devices leads to %s', async (protocol, kind) => {
  vi.stubGlobal('location', { protocol });
  const page = await Page.open();
  await page.connect();
  page.keys('F9', '2');
  expect(page.model.screen.kind).toBe(kind);
});

const DEVICES = {
  devices: [], drivers: [{ kind: 'scanner', name: 'evdev', place: 'scanner_device', options: [] }],
  connected: [{ bus: 'keyboard', place: '/dev/input/by-id/usb-H-event-kbd', name: 'H', used_by: [], fits: [] }],
  settings: { version: 'v', options: [{ name: 'scanner', value: 'none', variable: null }, { name: 'scanner_device', value: '', variable: null }] },
};

test('a keyboard becomes the scanner only after a question, and is sent once', async () => {
  const page = await Page.open();
  await page.connect();
  const stop = page.devices.watchDevices();
  await page.last('/api/peripherals').answer(DEVICES);
  stop();
  page.keys('F9', '1', '2', '3');
  const draft = { scanner: 'evdev', scanner_device: '/dev/input/by-id/usb-H-event-kbd' };
  page.devices.fillIn(draft);
  page.keys('Enter');
  expect(page.model.screen).toEqual({ kind: 'device-form', of: 'scanner', draft, sure: true });
  page.keys('Enter');
  expect(page.model.screen, 'it was hardly there to be read').toMatchObject({ sure: true });
  expect(page.paths()).not.toContain('/api/peripherals/settings');
  await new Promise((read) => setTimeout(read, 360));
  page.keys('Enter', 'Enter', 'Enter');
  expect(page.model.screen).toEqual({ kind: 'device-form', of: 'scanner', draft });
  expect(page.asked.filter(({ path }) => path === '/api/peripherals/settings').map(({ body }) => body)).toEqual([{ version: 'v', changes: draft }]);
});

test('nothing is sold while it is put aside, and the answer leads home once', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('5', '0', '0', 'F8', 'Enter', 'Esc', 'Enter', '1', 'Enter');
  expect(page.paths().filter((path) => path.startsWith('/api/sales') && !path.includes('?'))).toEqual([]);
  expect(page.model.screen.kind).toBe('reference');
  await page.last('/api/held').answer(HELD[0]);
  expect(page.model.screen).toEqual({ kind: 'home', keyed: '' });
});

test('an answer that comes late leaves the screen that came meanwhile', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('5', '0', '0', 'F8', 'Enter');
  await page.tell('scan', { result: 'found', sale: sale('pay_9') });
  await page.last('/api/held').answer(HELD[0]);
  expect(page.model.screen).toEqual({ kind: 'sale', payment: 'pay_9' });
});

const IN_TRAINING = state({ training: { since: 1, cashier: '' } });

test.each(['another page', 'a restart'])('the end of training by %s is told, and the list is of real sales', async (by) => {
  const page = await Page.open();
  await page.connect(IN_TRAINING);
  await page.last('/api/training/sales?limit=100').answer({ items: [sale('training_1')] });
  expect(page.model.sales.length).toBe(1);
  page.asked.length = 0;
  if (by === 'a restart') await page.connect();
  else await page.tell('state', state());
  expect(page.model).toMatchObject({ screen: { kind: 'home' }, sales: [], notice: { kind: 'hint', hint: 'training_over' } });
  expect(page.paths()).toEqual(['/api/sales?limit=100']);
});

test('who ends training needs not be told of it', async () => {
  const page = await Page.open();
  await page.connect(IN_TRAINING);
  page.keys('F10', 'Enter');
  await page.tell('state', state());
  expect(page.model.notice).toBeNull();
  await page.last('/api/training/leave').answer(state());
  expect(page.model.notice).toBeNull();
});

test('the sales are read only once the state says which', async () => {
  const page = await Page.open();
  await page.connect(IN_TRAINING);
  expect(page.paths()).toEqual(['/api/training/sales?limit=100']);
});

test('a played sale that is answered after training is not among the real ones', async () => {
  const page = await Page.open();
  await page.connect(IN_TRAINING);
  page.keys('5', '0', '0', 'Enter', '1', 'Enter');
  await page.tell('state', state());
  await page.last('/api/training/sales').answer(sale('training_1'));
  expect(page.model).toMatchObject({ screen: { kind: 'home' }, sales: [], busy: [] });
  await page.tell('scan', { result: 'training_sale', sale: sale('training_2') });
  expect(page.model).toMatchObject({ screen: { kind: 'home' }, sales: [] });
});

/** Somebody who keys on while it is checked, or keys the PIN once more, must not key it into the float or an amount. */
test('while a PIN is under way what is keyed goes nowhere', async () => {
  const page = await Page.open();
  await page.connect(state({ pins: true, supervisor_needed: true }));
  page.keys('F7', 'Enter', '0', '7', 'Enter', '7', '3', '9', '1', 'Enter', '5', '0', '0', 'Enter', '7', '3', '9', '1');
  const opening = page.last('/api/shift/open');
  expect(opening.body).toEqual({ float_minor: 500, cashier: '07', cashier_number: '07', pin: '7391' });
  await opening.refuse('pin_wrong');
  expect(page.model.screen).toEqual({ kind: 'sign-on', asks: 'pin', number: '07', pin: null, float: '500', keyed: '' });
  page.keys('7', '3', '9', '2', 'Enter', 'Enter');
  expect(page.last('/api/shift/open').body).toMatchObject({ float_minor: 500, pin: '7392' });
  await page.last('/api/shift/open').answer({ batch: 1, cashier: 'Li' });

  await page.tell('sale', { ...sale('pay_1'), amount_minor: 900, refunded_minor: 0, settled: true, actions: ['refund'] });
  await page.tell('scan', { result: 'found', sale: sale('pay_1') });
  page.keys('F6');
  const held = () => new Promise((done) => setTimeout(done, 360));
  page.keys('3', '0', '0', 'Enter');
  await held();
  page.keys('Enter', '8', 'Enter', '6', '0', '2', '7');
  expect(page.model.screen).toMatchObject({ kind: 'supervisor', number: '8', body: { amount_minor: 300 } });
  await held();
  page.keys('Enter', '6', '0', '2', '7');
  expect(page.last('/api/sales/pay_1/refund').body).toEqual({ amount_minor: 300, supervisor: { staff_code: '8', pin: '6027' } });
  expect(page.model.screen).toEqual({ kind: 'sale', payment: 'pay_1' });
  await page.last('/api/sales/pay_1/refund').refuse('pin_wrong');
  expect(page.model.screen).toMatchObject({ kind: 'supervisor', number: '8', keyed: '' });
});

test('goods that are scanned with an amount keyed go into the basket', async () => {
  const page = await Page.open();
  await page.connect();
  page.keys('5', '0', '0');
  page.store.press({ kind: 'scanned', text: '4006381333931' }, 'key', 300_000);
  expect(page.last('/api/sales').body).toMatchObject({ amount_minor: 500, method: 'scan', code: '4006381333931' });
  await page.last('/api/sales').refuse('goods_scanned');
  expect(page.last('/api/scan').body).toEqual({ text: '4006381333931' });
  expect(page.model.notice).toBeNull();
});

const WHOLE = {
  number: 7, state: 'open', total_minor: 12_000, paid_minor: 5_000, rest_minor: 7_000, parts: [], actions: ['collect', 'give_back'],
};

test('a part leads on to what is left, and a split that is over is asked for when it is looked at', async () => {
  const page = await Page.open();
  await page.connect(state({ held: [], splits: [] }));
  page.keys('1', '2', '0', '0', '0', 'Enter', '5', '5', '0', '0', '0', 'Enter', '1', 'Enter');
  expect(page.last('/api/sales').body).toEqual({ amount_minor: 5_000, method: 'cash', tendered_minor: 5_000, split: { begin: { total_minor: 12_000 } } });
  await page.last('/api/sales').answer({ ...sale('pay_1'), counter: 7, split: { number: 7, part: 1, total_minor: 12_000 } });
  await page.tell('state', state({ held: [], splits: [WHOLE] }));
  page.keys('Enter');
  expect(page.model.screen).toMatchObject({ kind: 'split', number: 7 });
  expect(page.paths()).not.toContain('/api/splits/7');

  const paid = { ...WHOLE, state: 'paid', rest_minor: 0, actions: ['give_back', 'reprint'] };
  await page.tell('state', state({ held: [], splits: [] }));
  await page.tell('split', paid);
  expect(page.store.knownSplits(page.model)).toEqual([paid]);
  // Another one's news do not take away what is looked at.
  await page.tell('split', { ...WHOLE, number: 9 });
  expect(page.store.knownSplits(page.model)).toEqual([paid]);

  const later = await page.reload();
  await later.connect(state({ held: [], splits: [] }));
  later.store.press({ kind: 'split', number: 7 }, 'key', performance.now() + 10_000);
  await later.last('/api/splits/7').answer(paid);
  expect(later.store.knownSplits(later.model)).toEqual([paid]);
});

test('the page follows the agent to another release, once nobody is in the middle of something', async () => {
  const reload = vi.fn();
  vi.stubGlobal('location', { reload });
  const page = await Page.open();
  await page.connect({ ...state(), version: '1.0.0' });
  page.keys('1');
  await page.tell('state', { ...state(), version: '1.0.0' });
  await page.tell('state', { ...state(), version: '1.1.0' });
  expect(reload, 'an amount is being keyed').not.toHaveBeenCalled();
  page.keys('Esc');
  await page.tell('state', { ...state(), version: '1.1.0' });
  expect(reload).toHaveBeenCalledOnce();
});

test('a code that the agent’s own scanner read and did not take is told in words, and the scan goes on', async () => {
  const page = await Page.open();
  await page.tell('state', state({ awaiting_scan: { amount_minor: 500, since: 0 } }));
  const before = page.model.screen;
  expect(before).toMatchObject({ kind: 'scan', minor: 500 });
  await page.tell('scan', { result: 'refused', code: 'offline_code_over', detail: 'The offline code is too old' });
  expect(page.model.notice).toMatchObject({ kind: 'problem', problem: { code: 'offline_code_over', detail: 'The offline code is too old' } });
  expect(page.model.screen).toEqual(before);
});

test('a sale of long ago is found by its number, and stays though newer ones come', async () => {
  const page = await Page.open();
  await page.connect();
  const many = Array.from({ length: 100 }, (_, idx) => ({ ...sale(`pay_${1_200 - idx}`), counter: 1_200 - idx }));
  await page.last('/api/sales?limit=100').answer({ items: many });
  page.keys('F6', '1', '2');
  await page.last('/api/sales?counter=12').answer({ items: [{ ...sale('pay_12'), counter: 12, actions: ['refund'], amount_minor: 500, refunded_minor: 0 }] });
  await page.tell('sale', { ...sale('pay_1201'), counter: 1_201 });
  expect(page.model.sales.length).toBe(101);
  page.keys('Enter');
  expect(page.model.screen).toMatchObject({ kind: 'refund', payment: 'pay_12' });
});

const TEA_BASKET = { revision: 8, lines: [{ name: 'tea', quantity: 1, price_minor: 500, discount_minor: 0, total_minor: 500 }], totals: { total_minor: 500 } };

test('a state that was told before a scan and comes after its answer does not empty the basket', async () => {
  const page = await Page.open();
  await page.connect(state({ basket_revision: 7 }));
  page.store.press({ kind: 'scanned', text: '6901234567892' }, 'key');
  await page.last('/api/scan').answer({ result: 'basket', scanned: { name: 'tea', line: 0 }, basket: TEA_BASKET });
  // The catalogue has come in the same moment.
  await page.tell('state', state({ basket_revision: 7, catalogue_count: 2 }));
  expect(page.model).toMatchObject({ screen: { kind: 'basket' }, state: { basket: { revision: 8 }, catalogue_count: 2 } });
  await page.tell('state', state({ basket_revision: 9 }));
  expect(page.model.screen).toEqual({ kind: 'home', keyed: '' });
  // Nor does an answer that another page's change has overtaken put the old one back.
  page.store.press({ kind: 'scanned', text: '6901234567892' }, 'key');
  await page.tell('state', state({ basket_revision: 11, basket: { ...TEA_BASKET, revision: 11 } }));
  await page.last('/api/scan').answer({ result: 'basket', scanned: { name: 'tea', line: 0 }, basket: { ...TEA_BASKET, revision: 10 } });
  expect(page.model.state).toMatchObject({ basket: { revision: 11 } });
  // An agent that was started anew counts from another number.
  await page.connect(state({ basket_revision: 2, basket: { ...TEA_BASKET, revision: 2 } }));
  expect(page.model.state).toMatchObject({ basket: { revision: 2 } });
});

test.each([
  ['older than an emptied one is not shown again', 8, null], ['newer than that stays', 10, 10],
])('a basket that is %s', async (_, revision, shown) => {
  const page = await Page.open();
  await page.connect(state({ basket_revision: 7 }));
  await page.tell('scan', { result: 'basket', scanned: { name: 'tea', line: 0 }, basket: TEA_BASKET });
  page.store.press({ kind: 'function', key: 'cancel' }, 'key', performance.now() + 1_000);
  const emptied = page.last('/api/basket');
  const told = state({ basket_revision: revision, basket: { ...TEA_BASKET, revision } });
  // An answer and a state come by roads of their own.
  if (revision > 8) await page.tell('state', told);
  await emptied.answer({ basket: null, basket_revision: 9 });
  if (revision <= 8) await page.tell('state', told);
  expect(page.model.state?.basket?.revision ?? null).toBe(shown);
});

test.each([
  ['home', [], true],
  ['an amount that is keyed', ['5'], false],
  ['an amount that is paid', ['5', 'Enter'], false],
])('a late answer about another till’s receipt, at %s', async (_, keys, leads) => {
  const page = await Page.open();
  await page.connect();
  page.keys(...keys);
  const { screen } = page.model;
  await page.tell('scan', { result: 'found', sale: { ...sale('pay_far'), elsewhere: true } });
  if (leads) expect(page.model.screen).toEqual({ kind: 'sale', payment: 'pay_far' });
  else expect(page.model).toMatchObject({ screen, notice: { kind: 'hint', hint: 'receipt_scanned' } });
});

test('a page that is loaded anew on a sale that is in no list asks for it, and goes home from one that is gone', async () => {
  for (const isThere of [true, false]) {
    const before = await Page.open();
    await before.connect();
    await before.tell('scan', { result: 'found', sale: { ...sale('pay_far'), elsewhere: true } });
    const page = await before.reload();
    await page.connect();
    await page.last('/api/sales?limit=100').answer({ items: [] });
    const asked = page.last('/api/sales/pay_far');
    await (isThere ? asked.answer({ ...sale('pay_far'), elsewhere: true }) : asked.refuse('sale_not_found', 404));
    if (isThere) expect(page.model).toMatchObject({ screen: { kind: 'sale', payment: 'pay_far' }, sales: [{ payment: 'pay_far' }] });
    else expect(page.model.screen).toEqual({ kind: 'home', keyed: '' });
  }
});
