// The till's page and the customer display in a real browser. Against a running shop with TILL_URL, DISPLAY_URL and
// WALLET_URL; without them against the stand-in of agent.mjs. Each story leaves the till at its first screen.

import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import axe from 'axe-core';
import { chromium } from 'playwright-core';
import { agent } from './agent.mjs';
import { counterStories } from './counter.mjs';
import { counterScreenStories } from './counter-screens.mjs';
import { pairedStories } from './paired.mjs';
import { quoteStories } from './quotes.mjs';
import { receivedStories } from './received.mjs';
import { splitStories } from './splits.mjs';

const WAIT_MS = Number(process.env.WAIT_MS ?? 20_000);
const standIn = process.env.TILL_URL === undefined ? await agent(fileURLToPath(new URL('../dist', import.meta.url))) : null;
const TILL = process.env.TILL_URL ?? standIn.base;
const DISPLAY = process.env.DISPLAY_URL ?? `${standIn.base}/display`;
const WALLET = process.env.WALLET_URL ?? `${standIn.base}/wallet`;

const launch = (args = []) =>
  chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), ...args],
  });
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 800, height: 480 }, locale: 'en-GB' });
context.setDefaultTimeout(WAIT_MS);
const page = await context.newPage();
const broken = [];
page.on('pageerror', (error) => broken.push(String(error)));

// --- the cashier's and the customer's hands -------------------------------------------------------------------------

/** A person's keys: slow enough to be no scanner. */
async function press(...keys) {
  for (const key of keys) await page.keyboard.press(key, { delay: 20 }).then(() => page.waitForTimeout(140));
}
/** Long enough on a new question that the next press is meant for it. */
const think = () => page.waitForTimeout(700);
const type = (digits) => press(...digits);
/** Keys quicker than any hand, whatever else the machine does: all of them within one task of the page. */
const rattle = (...keys) =>
  page.evaluate((all) => {
    for (const key of all) (document.activeElement ?? window).dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
  }, keys);
/** A scanner that types. */
const scan = (text) => rattle(...text, 'Enter');
const paste = (text) =>
  page.evaluate((pasted) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData('text/plain', pasted);
    window.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  }, text);
const tap = (key) => page.locator(`[data-key="${key}"]`).first().click();
const sees = (selector) => page.locator(selector).first().waitFor();
const screen = (kind) => sees(`.till[data-screen="${kind}"]`);
/** Nobody presses a key within a tenth of a second of what it is pressed for; the till takes such a key for a bounce. */
const seen = (selector) => sees(selector).then(() => page.waitForTimeout(140));
const saleState = (state) => seen(`.sale[data-state="${state}"]`);
/** What a cashier cannot reach: it is beyond the window, and not in a part that scrolls. */
const outside = () =>
  page.evaluate(() => [...document.querySelectorAll('button, input, select')].filter((one) => {
    const { left, right, bottom } = one.getBoundingClientRect();
    return left < 0 || right > innerWidth || (bottom > innerHeight && one.closest('section') === null);
  }).map((one) => one.dataset.key ?? one.id));
const amount = () => page.locator('[data-sum="amount"]').textContent();
const number = () => page.locator('.sale').getAttribute('data-payment');
/** The agent's state, once it is so. */
async function until(what, isSo) {
  for (const end = Date.now() + WAIT_MS; Date.now() < end; await new Promise((over) => setTimeout(over, 50))) {
    const state = await (await fetch(`${TILL}/api/state`)).json();
    if (isSo(state)) return state;
  }
  throw new Error(`waited in vain for ${what}`);
}
const sales = async () => (await (await fetch(`${TILL}/api/sales?limit=100`)).json()).items;
const wallet = async (path, body) =>
  (await fetch(`${WALLET}/api/${path}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })).json();
const customerCode = async () => (await wallet('accounts/alice/code', {})).code;
async function customerPays(link) {
  const customersPage = await (await fetch(link)).text();
  const token = /id="pay-link"[^>]*\/pay\/([^"?&]+)/.exec(customersPage)?.[1];
  assert.ok(token, 'the customer’s page has a way to pay');
  await wallet(`orders/${token}/pay`, { account: 'alice' });
}
async function cashSale(digits) {
  await type(digits);
  await press('Enter', '1', 'Enter');
  await saleState('succeeded');
}

// --- stories --------------------------------------------------------------------------------------------------------

const STORIES = {
  async 'digits fill up from the right in minor units'() {
    await type('1250');
    assert.equal(await amount(), '12.50');
    await press('Backspace');
    assert.equal(await amount(), '1.25');
    await press('Escape');
    assert.equal(await amount(), '0.00');
    for (const key of ['digit-7', 'digit-00']) await tap(key);
    await page.getByText('7.00', { exact: true }).first().waitFor();
    await press('Escape');
  },

  async 'cash by keyboard, with change'() {
    await type('1250');
    await press('Enter', '1');
    await type('2000');
    await press('Enter');
    await saleState('succeeded');
    assert.match(await page.locator('.sale .change').textContent(), /7\.50/);
    await press('Enter');
    await screen('home');
  },

  async 'a code on show is paid, and the customer sees it'() {
    const display = await context.newPage();
    await display.setViewportSize({ width: 1024, height: 600 });
    await display.goto(DISPLAY);
    await type('1880');
    await press('F2');
    await saleState('presenting');
    await display.locator('[data-kind="code"] #code').waitFor();
    assert.equal(await display.locator('#amount').textContent(), '18.80');
    const payment = await number();
    assert.equal(await display.locator('.display').getAttribute('data-payment'), payment);
    const drawn = await display.locator('#code').evaluate((image) => image.naturalWidth > 0);
    assert.ok(drawn, 'the code is drawn');
    const { code_url } = (await sales()).find((sale) => sale.payment === payment);
    await customerPays(code_url);
    await saleState('succeeded');
    await display.locator('[data-message="paid"]').waitFor();
    await press('Enter');
    await display.close();
  },

  async 'the customer’s code, scanned by a scanner that types'() {
    await type('990');
    await press('Enter', '2');
    await screen('scan');
    await scan(await customerCode());
    await saleState('succeeded');
    await press('Enter');
  },

  async 'the customer’s code, keyed by hand and pasted'() {
    await type('980');
    await press('Enter', '2');
    await screen('scan');
    await type('1234567');
    await press('Enter');
    await sees('[data-notice="code_short"]');
    await press(...Array(7).fill('Backspace'));
    await type(await customerCode());
    await press('Enter');
    await saleState('succeeded');
    assert.match(await page.locator('.sale .paid').textContent(), /9\.80/);
    await press('Enter');
    await type('970');
    await press('Enter', '2');
    await screen('scan');
    await paste(await customerCode());
    await saleState('succeeded');
    await press('Enter');
  },

  async 'an open sale is asked about, on its screen and by its number'() {
    await type('310');
    await press('F2');
    await saleState('presenting');
    const payment = await number();
    const { code_url, counter } = (await sales()).find((sale) => sale.payment === payment);
    const asked = () => page.waitForResponse((response) => response.url().endsWith(`/api/sales/${payment}/query`));
    for (const keys of [['F4'], ['Escape', 'F4', ...String(counter), 'Enter']]) {
      const [answer] = await Promise.all([asked(), press(...keys)]);
      assert.equal(answer.status(), 200);
      assert.equal((await answer.json()).state, 'presenting');
      await sees(`.sale[data-payment="${payment}"][data-state="presenting"]`);
    }
    await customerPays(code_url);
    await saleState('succeeded');
    await press('Enter');
  },

  async 'a scan with the amount keyed needs no other key'() {
    await type('640');
    await scan(await customerCode());
    await saleState('succeeded');
    assert.match(await page.locator('.sale .paid').textContent(), /6\.40/);
    await press('Enter');
  },

  async 'an open sale offers exactly what the agent offers'() {
    await type('300');
    await press('F2');
    await saleState('presenting');
    const payment = await number();
    const { actions } = (await sales()).find((sale) => sale.payment === payment);
    const offered = await page.locator('[data-key^="action-"]').evaluateAll((keys) => keys.map((key) => key.dataset.key));
    assert.deepEqual(offered, actions.map((action) => `action-${action}`));
    await press('F3');
    await sees('[data-notice="not_offered"]');
    await press('Delete');
    await think();
    await press('Enter');
    await saleState('cancelled');
    await press('Escape');
  },

  async 'void by its number'() {
    await cashSale('777');
    const { counter } = (await sales())[0];
    await press('Enter', 'F3');
    await type(String(counter));
    await press('Enter');
    await screen('confirm');
    await think();
    await press('Enter');
    await saleState('voided');
    await press('Enter');
  },

  async 'a hasty second Enter gives nothing back'() {
    await cashSale('300');
    const payment = await number();
    await rattle('F3', 'Enter', 'Enter');
    await screen('confirm');
    await think();
    await press('Escape', 'F5');
    await screen('refund');
    await rattle('Enter', 'Enter');
    await page.getByText('Refund this?').waitFor();
    await screen('refund');
    assert.equal((await sales()).find((sale) => sale.payment === payment).state, 'succeeded');
    // Keys that follow a question too closely count for nothing, this one too.
    await think();
    await press('Escape', 'Escape', 'Escape');
    await screen('home');
  },

  async 'a part is refunded, too much is not'() {
    await cashSale('1000');
    await press('F5');
    await type('400');
    await press('Enter');
    await think();
    await press('Enter');
    await saleState('partly_refunded');
    await press('F5');
    await type('601');
    await press('Enter');
    await sees('[data-notice="refund_large"]');
    await press('Escape', 'Escape');
    await screen('home');
  },

  async 'a receipt’s number finds its sale'() {
    const [sale] = await sales();
    await scan(sale.payment);
    await sees(`.sale[data-payment="${sale.payment}"]`);
    await press('Escape');
  },

  async 'taps in a hurry sell once'() {
    const before = (await sales()).length;
    await type('450');
    await press('Enter');
    await think();
    const cash = await page.locator('[data-key="method-cash"]').boundingBox();
    await page.mouse.dblclick(cash.x + cash.width / 2, cash.y + cash.height / 2);
    await screen('cash');
    await think();
    await page.evaluate(() => {
      const enter = document.querySelector('.keypad [data-key="enter"]');
      for (let i = 0; i < 5; i += 1) enter.click();
    });
    await saleState('succeeded');
    await think();
    assert.equal((await sales()).length, before + 1);
    await press('Escape');
    await screen('home');
  },

  async 'an answer that is lost is asked for again, and it is one sale'() {
    const before = (await sales()).length;
    const keys = [];
    await page.route('**/api/sales', async (route) => {
      if (route.request().method() !== 'POST') return route.continue();
      keys.push(route.request().headers()['idempotency-key']);
      if (keys.length > 2) return route.continue();
      await route.fetch();
      return route.abort('connectionreset');
    });
    await type('560');
    await press('Enter', '1', 'Enter');
    await sees('.veil');
    await saleState('succeeded');
    await page.unroute('**/api/sales');
    assert.equal(keys.length, 3);
    assert.equal(new Set(keys).size, 1);
    assert.equal((await sales()).length, before + 1);
    await press('Escape');
  },

  async 'a reload in the middle of a sale ends in one sale'() {
    const before = (await sales()).length;
    let lost = 0;
    await page.route('**/api/sales', async (route) => {
      if (route.request().method() !== 'POST' || lost > 0) return route.continue();
      lost += 1;
      await route.fetch();
      return route.abort('connectionreset');
    });
    await type('670');
    await press('Enter', '1');
    await page.keyboard.press('Enter');
    await sees('.veil');
    await page.reload();
    await saleState('succeeded');
    await page.unroute('**/api/sales');
    assert.equal((await sales()).length, before + 1);
    await page.reload();
    await saleState('succeeded');
    assert.equal((await sales()).length, before + 1);
    await press('Escape');
  },

  async 'Chinese and English'() {
    await tap('language');
    await page.getByText('请输入').or(page.getByText('最近交易')).first().waitFor();
    assert.match(await page.locator('[data-key="void"]').textContent(), /撤销/);
    await press('Enter');
    await page.getByText('请先输入金额').waitFor();
    await press('F12');
    await page.getByText('Recent sales').waitFor();
  },

  async 'the state bar is there on every screen, and nothing is wider or higher than 800×480'() {
    await sees('.bar[data-link="online"]');
    await type('100');
    const look = async () => {
      const fits = await page.evaluate(() => ({
        wide: document.documentElement.scrollWidth, high: document.documentElement.scrollHeight,
        keys: document.querySelector('.functions').getBoundingClientRect().bottom,
        bar: document.querySelector('.bar').getBoundingClientRect(),
      }));
      assert.ok(fits.wide <= 800 && fits.high <= 480 && fits.keys <= 480, JSON.stringify(fits));
      assert.ok(fits.bar.top === 0 && fits.bar.height > 0);
    };
    await look();
    for (const keys of [['Enter'], ['1'], ['Escape', 'Escape', 'Escape', 'F4'], ['Escape', 'F9'], ['Escape']]) {
      await press(...keys);
      await look();
    }
  },
};

STORIES['a handheld terminal is wide enough, and every key is on it'] = async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await type('100');
  for (const keys of [[], ['Enter'], ['1'], ['Escape', 'Escape', 'Escape', 'F4'], ['Escape', 'F9'], ['Escape']]) {
    await press(...keys);
    const out = await page.evaluate(() => {
      const isOut = (key) => {
        const { left, right, bottom } = key.getBoundingClientRect();
        return left < 0 || right > 360 || (bottom > 740 && key.closest('.sales') === null);
      };
      return [...document.querySelectorAll('button')].filter(isOut).map((key) => key.dataset.key);
    });
    assert.deepEqual(out, []);
  }
  await page.setViewportSize({ width: 800, height: 480 });
};

/** What a reader with poor sight, or without a mouse, would stumble over here. */
async function stumbles(where) {
  await where.evaluate(axe.source);
  return where.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    return grave.flatMap(({ id, nodes }) => nodes.map(({ target, any }) => `${id} ${target.join(' ')}: ${any[0]?.message ?? ''}`));
  });
}

STORIES['every screen can be read with poor sight'] = async () => {
  const found = [];
  const look = async (kind) => {
    await screen(kind);
    for (const what of await stumbles(page)) found.push(`${kind}: ${what}`);
  };
  await look('home');
  await type('1250');
  await press('Enter');
  await look('method');
  await press('2');
  await look('scan');
  await press('Escape', 'Enter', '1');
  await look('cash');
  await press('Enter');
  await saleState('succeeded');
  await look('sale');
  await press('F3');
  await look('confirm');
  await press('Escape', 'F5');
  await look('refund');
  await press('Enter');
  await page.getByText('Refund this?').waitFor();
  await look('refund');
  await press('Escape', 'Escape', 'Enter', 'F4');
  await look('find');
  await press('Escape', 'F2');
  await sees('[data-notice="key_amount"]');
  await look('home');
  await press('F9');
  await look('info');
  await press('1');
  await sees('[data-key="device-printer"]');
  await look('devices');
  await press('1');
  await look('device');
  await press('3');
  await look('device-form');
  await press('F9');
  await type('300');
  await press('F2');
  await saleState('presenting');
  await look('sale');
  const display = await context.newPage();
  await display.goto(DISPLAY);
  await display.locator('[data-kind="code"] #code').waitFor();
  for (const what of await stumbles(display)) found.push(`display: ${what}`);
  await display.close();
  await press('Delete');
  await think();
  await press('Enter');
  await saleState('cancelled');
  await press('Escape');
  assert.deepEqual(found, []);
};

STORIES['what is unsent is sent when somebody asks, and books are compared and the drawer is opened by keys'] = async () => {
  await press('F9', '3');
  await sees('.notice.good[data-notice="syncing"]');
  const answered = (path) => page.waitForResponse((response) => response.url().endsWith(path));
  for (const [key, path] of [['4', '/api/books'], ['5', '/api/drawer/open']]) {
    const [answer] = await Promise.all([answered(path), press(key)]);
    assert.equal(answer.status(), 200);
  }
  await screen('info');
  await press('Escape');
  await screen('home');
};

STORIES['devices are looked after by keys alone'] = async () => {
  await press('F9', '1');
  await screen('devices');
  await sees('[data-key="device-printer"]');
  await press('ArrowDown', 'ArrowUp', 'Enter');
  await sees('[data-device="printer"]');
  await press('1');
  await sees('[data-notice="saw"]');
  await press('2');
  await sees('[data-notice="restarted"]');
  await press('3');
  await screen('device-form');
  assert.deepEqual(await outside(), []);
  await press('Escape', 'Escape', 'Escape', 'Escape');
  await screen('home');
};

if (standIn !== null) {
  STORIES['a scanner that is plugged in is chosen'] = async () => {
    await press('F9', '1', '2', '3');
    await screen('device-form');
    await page.locator('#scanner').selectOption('evdev');
    // It may be the cashier's own keyboard: it is offered, and whoever chooses it is told.
    assert.equal(await page.locator('#scanner_device').inputValue(), '/dev/ttyACM0');
    await sees('[data-takes-keys]');
    assert.deepEqual(await outside(), []);
    await page.locator('.found button').click();
    assert.equal(await page.locator('#scanner_device').inputValue(), '/dev/input/by-id/usb-Honeywell-event-kbd');
    // Digits in a field are the field's, and Enter is the form's.
    await page.locator('#scanner_device').fill('usb:0c2e:0b6');
    await press('1');
    assert.equal(await page.locator('#scanner_device').inputValue(), 'usb:0c2e:0b61');
    // A code is none of it.
    await scan(await customerCode());
    await sees('[data-notice="scan_not_awaited"]');
    await screen('device-form');
    assert.equal(await page.locator('#scanner_device').inputValue(), 'usb:0c2e:0b61');
    await think();
    await press('Enter');
    await sees('[data-question="takes-keys"]');
    assert.deepEqual(await outside(), []);
    await press('Escape');
    await sees('#scanner_device');
    await press('Enter');
    await think();
    await press('Enter');
    await sees('[data-notice="configured"]');
    await sees('[data-device="scanner"][data-health="ok"]');
    assert.match(await page.locator('.facts').textContent(), /usb:0c2e:0b61/);
    await press('F9');
    await screen('home');
  };

  STORIES['a printer on the network is looked for and chosen'] = async () => {
    await press('F9', '1', '9');
    await sees('[data-notice="searched"]');
    assert.match(await page.locator('.found').textContent(), /192\.168\.1\.9:9100/);
    assert.deepEqual(await outside(), []);
    await press('1', '3');
    await screen('device-form');
    await page.locator('.found button').click();
    assert.equal(await page.locator('#printer_address').inputValue(), '192.168.1.9:9100');
    await press('F9');
    await screen('home');
  };

  STORIES['what is put aside is taken up, and keeps its table by whatever way it is sold'] = async () => {
    await type('1250');
    await press('F8');
    await screen('reference');
    await press('A');
    await scan(await customerCode());
    await sees('[data-notice="scan_not_awaited"]');
    const field = page.locator('input[data-reference]');
    assert.equal(await field.inputValue(), 'A');
    assert.deepEqual(await outside(), []);
    // Something happens while an input method composes.
    const method = await context.newCDPSession(page);
    await method.send('Input.imeSetComposition', { text: 'zhuo', selectionStart: 4, selectionEnd: 4 });
    await fetch(`${TILL}/network`, { method: 'POST', body: 'down' });
    await sees('.bar[data-link="offline"]');
    assert.equal(await field.inputValue(), 'Azhuo');
    await method.send('Input.insertText', { text: '桌' });
    await fetch(`${TILL}/network`, { method: 'POST', body: 'up' });
    await sees('.bar[data-link="online"]');
    assert.equal(await field.inputValue(), 'A桌');
    await press('7', 'Enter');
    await screen('home');
    assert.equal(await amount(), '0.00');
    await press('F8');
    await screen('held');
    assert.deepEqual(await outside(), []);
    await press('Enter');
    await screen('home');
    assert.equal(await amount(), '12.50');
    await press('Enter', '2');
    await screen('scan');
    await press('Escape', 'Enter', '1', 'Enter');
    await saleState('succeeded');
    assert.match(await page.locator('.sale [data-reference]').textContent(), /A桌7/);
    await press('F8');
    await sees('.sales.held .none');
    await press('Escape');
  };

  STORIES['training is of its own, and its end is told'] = async () => {
    const before = (await sales()).length;
    const train = async () => {
      await press('F10');
      await screen('training');
      assert.deepEqual(await outside(), []);
      await think();
      await press('Enter');
      await sees('.till.training');
      await cashSale('1850');
      assert.match(await number(), /^training_/);
      assert.deepEqual(await outside(), []);
      await press('Enter', 'F8');
      await sees('[data-notice="in_training"]');
      assert.equal(await page.locator('.sales [data-key^="pick-"]').count(), 1);
    };
    await train();
    // Another page ends it, then a restart.
    const headers = { 'content-type': 'application/json', 'x-saoma-till': '1', 'idempotency-key': 'another-page' };
    await fetch(`${TILL}/api/training/leave`, { method: 'POST', headers, body: '{}' });
    await sees('.till:not(.training) [data-notice="training_over"]');
    await train();
    await fetch(`${TILL}/crash`, { method: 'POST', body: 'now' });
    await sees('.till:not(.training) [data-notice="training_over"]');
    assert.equal((await sales()).length, before);
    await cashSale('1850');
    assert.match(await number(), /^pay_/);
    await press('Enter');
  };

  STORIES['a scan whose outcome is lost with the agent is the sale that it made'] = async () => {
    const before = (await sales()).length;
    await type('830');
    await press('Enter', '2');
    await screen('scan');
    await fetch(`${TILL}/crash`, { method: 'POST' });
    await scan(await customerCode());
    await saleState('succeeded');
    assert.match(await page.locator('.sale .paid').textContent(), /8\.30/);
    assert.equal((await sales()).length, before + 1);
    await press('Escape');
  };

  STORIES['an agent that forgot that it waits for a scan waits again'] = async () => {
    await type('840');
    await press('Enter', '2');
    await screen('scan');
    await fetch(`${TILL}/crash`, { method: 'POST', body: 'now' });
    await sees('.bar[data-link="gone"]');
    await sees('.bar[data-link="online"]');
    await think();
    await scan(await customerCode());
    await saleState('succeeded');
    await press('Escape');
  };

  STORIES['offline is told, with since when, how many and how much'] = async () => {
    await fetch(`${TILL}/network`, { method: 'POST', body: 'down' });
    await sees('.bar[data-link="offline"]');
    await cashSale('1850');
    await sees('.bar[data-unsent="1"]');
    const bar = await page.locator('.bar').textContent();
    assert.match(bar, /Offline since \d\d:\d\d/);
    assert.match(bar, /1 unsent · at risk CNY 18\.50/);
    await fetch(`${TILL}/network`, { method: 'POST', body: 'up' });
    await sees('.bar[data-unsent="0"]');
    await press('Escape');
  };

  // Before the counter's: they leave a till that wants a shift.
  Object.assign(STORIES, quoteStories({ isStandIn: true, page, press, think, type, sees, screen, saleState, outside, sales, amount }), receivedStories({ page, base: TILL, press, type, sees, screen, outside, amount, stumbles: () => stumbles(page) }), counterScreenStories({
    page, base: TILL, press, type, think, tap, sees, seen, screen, saleState, outside, stumbles, sales, scan, paste, rattle, customerCode,
  }));
}

if (standIn === null) {
  const hands = { page, press, type, think, tap, sees, seen, screen, saleState, outside, stumbles, sales, scan, customerCode, until, launch };
  Object.assign(STORIES, splitStories(hands), counterStories(hands), quoteStories({ ...hands, isStandIn: false }), pairedStories(hands));

  STORIES['what a customer opens fits a telephone'] = async () => {
    await type('1120');
    await press('F2');
    await saleState('presenting');
    const { code_url } = (await sales())[0];
    const phone = await browser.newContext({ viewport: { width: 360, height: 640 }, isMobile: true, hasTouch: true });
    const hand = await phone.newPage();
    for (const [address, wanted] of [[code_url, '#pay-link'], [WALLET, '#code-qr']]) {
      await hand.goto(address);
      const there = hand.locator(wanted);
      await there.waitFor({ state: 'attached', timeout: WAIT_MS });
      const wide = await hand.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= 360, `${address} is ${wide} px wide`);
    }
    await hand.goto(code_url);
    const way = await hand.locator('#pay-link').boundingBox();
    assert.ok(way.x >= 0 && way.x + way.width <= 360 && way.height >= 40, JSON.stringify(way));
    await phone.close();
    await customerPays(code_url);
    await saleState('succeeded');
    await press('Enter');
  };

  STORIES['the API’s page asks nobody but core'] = async () => {
    const docs = await context.newPage();
    const elsewhere = [];
    docs.on('request', (request) => {
      const { protocol, origin } = new URL(request.url());
      if (protocol !== 'data:' && origin !== process.env.DASHBOARD_URL) elsewhere.push(request.url());
    });
    await docs.goto(`${process.env.DASHBOARD_URL}/docs`);
    await docs.getByText('/v1/payments', { exact: true }).first().waitFor();
    await docs.close();
    assert.deepEqual(elsewhere, []);
  };
}

await page.goto(TILL);
await sees('.bar[data-link="online"]');
let failed = 0;
const pictures = process.env.PICTURES;
// One of them by its name, while it is written.
const chosen = Object.entries(STORIES).filter(([name]) => name.includes(process.env.STORY ?? ''));
for (const [name, story] of chosen) {
  const began = Date.now();
  try {
    await story();
    assert.deepEqual(broken, [], 'nothing broke on the page');
    console.log(`ok    ${name} (${Date.now() - began} ms)`);
  } catch (error) {
    failed += 1;
    broken.length = 0;
    console.log(`FAIL  ${name}\n      ${String(error.stack).split('\n').slice(0, 12).join('\n      ')}`);
    if (pictures !== undefined) await page.screenshot({ path: `${pictures}/failed-${failed}.png` });
    // The next story starts from where a cashier would.
    await page.unrouteAll();
    await page.evaluate(() => sessionStorage.clear());
    await page.goto(TILL);
  }
}
console.log(`${chosen.length - failed} passed, ${failed} failed`);
await browser.close();
standIn?.close();
process.exit(failed === 0 ? 0 : 1);
