// Stories for browser.mjs that need no real agent: a sale that nobody knows the end of, what a cashier pastes by mistake into every field,
// and the screens of the counter for whoever sees poorly. They are played against the stand-in.

import assert from 'node:assert/strict';

const GOODS = '6901234567892';
/** By weight. */
const APPLES = '4006381333931';
/** What is on somebody's clipboard: emoji of several characters, control characters, what turns the writing around, and very much of it. */
const PASTED = {
  emoji: '👩‍👩‍👧‍👦🧾🇨🇳桌７',
  control: 'a\u0000b\u0007\u001b[31mc\u202ed\r\ne\tf\u2028g',
  long: '長x'.repeat(50_000),
};

export const counterScreenStories = ({ page, base, press, type, think, tap, sees, seen, screen, saleState, outside, stumbles, sales, scan, paste, rattle, customerCode }) => {
  const tell = (what, body) => fetch(`${base}/${what}`, { method: 'POST', body });
  const fits = async () => {
    assert.deepEqual(await outside(), []);
    const { wide, high } = await page.evaluate(() => ({ wide: document.documentElement.scrollWidth, high: document.documentElement.scrollHeight }));
    assert.ok(wide <= 800 && high <= 480, `${wide}×${high}`);
  };
  /** Into whatever has the focus, as Ctrl+V does. */
  const insert = async (text) => {
    const method = await page.context().newCDPSession(page);
    await method.send('Input.insertText', { text });
    await method.detach();
  };
  const texts = Object.entries(PASTED);

  return {
    async 'a sale that nobody knows the end of offers to ask again, and says who settles it'() {
      const before = (await sales()).length;
      await tell('channel', 'silent');
      await type('720');
      await press('Enter', '2');
      await screen('scan');
      await scan(await customerCode());
      await saleState('unknown');
      const words = await page.locator('.sale').textContent();
      assert.match(words, /Do not collect again/);
      assert.match(words, /F4/);
      assert.match(words, /dashboard.*second/);
      await fits();
      const offered = () => page.locator('[data-key^="action-"]').evaluateAll((keys) => keys.map((key) => key.dataset.key));
      assert.deepEqual(await offered(), ['action-query', 'action-cancel']);
      // Nothing here says that it is paid, or gives back what perhaps never came.
      for (const key of ['F3', 'F5', 'F6']) {
        await press(key);
        await sees('[data-notice="not_offered"]');
        await sees('.sale[data-state="unknown"]');
      }
      await press('F4');
      await saleState('unknown');
      // What the cashier types next is not taken for the next sale.
      await press('1');
      await sees('.sale[data-state="unknown"]');
      await tap('language');
      await page.getByText('另一人确认').waitFor();
      await fits();
      await tap('language');
      await tell('channel', 'answers');
      await press('F4');
      await saleState('succeeded');
      assert.equal((await sales()).length, before + 1);
      await press('Enter');
      await screen('home');
    },

    async 'a receipt of another till is given back by keys alone, and is none of this till’s'() {
      const before = (await sales()).length;
      const theirs = `pay_${'t'.repeat(25)}a`;
      await scan(theirs);
      await sees(`.sale[data-payment="${theirs}"]`);
      const words = await page.locator('.sale').textContent();
      assert.match(words, /another till #3/);
      assert.match(words, /refunded \(F5\)/);
      await fits();
      assert.deepEqual(await page.locator('[data-key^="action-"]').evaluateAll((keys) => keys.map((key) => key.dataset.key)), ['action-refund']);
      await think();
      for (const key of ['F3', 'F6']) {
        await press(key);
        await sees('[data-notice="not_offered"]');
      }
      await press('F5');
      await screen('refund');
      await type('880');
      await press('Enter');
      await think();
      await press('Enter');
      await sees(`.sale[data-payment="${theirs}"][data-state="partly_refunded"]`);
      await press('Enter');
      await screen('home');
      assert.equal(await page.locator('.sales').getByText('18.80', { exact: true }).count(), 0);
      assert.equal((await sales()).length, before);
      await scan(`pay_${'q'.repeat(25)}a`);
      await page.getByText('Core has no such sale of this shop').waitFor();
      await press('Escape');
    },

    async 'what is pasted by mistake into any field breaks nothing'() {
      const before = (await sales()).length;
      const all = async () => {
        for (const [, text] of texts) {
          await paste(text);
          await rattle(...[...text].slice(0, 5));
          await page.waitForTimeout(140);
          await fits();
        }
      };
      // Where an amount, a number, a PIN or a code is keyed there is no field, and a paste is a scan at most.
      await all();
      await screen('home');
      await type('500');
      await press('Enter');
      await screen('method');
      await paste(PASTED.long);
      await screen('method');
      await press('2');
      await screen('scan');
      await paste(PASTED.long);
      await paste(PASTED.control);
      await page.waitForTimeout(140);
      await screen('scan');
      await press('Escape', 'Enter', '1');
      await screen('cash');
      await all();
      await press('Escape', 'Escape', 'Escape', 'F4');
      await screen('find');
      await all();
      await sees('.till[data-screen="find"]');
      await press('Escape');
      // How much of what is weighed, and of what is split.
      await scan(APPLES);
      await screen('weigh');
      await all();
      await press('Escape', 'Escape');
      await screen('home');
      await type('500');
      await press('Enter', '5');
      await screen('split');
      await all();
      await press('Escape', 'Escape', 'Escape', 'Escape');
      await screen('home');
      await press('F7', '1');
      await screen('sign-on');
      await all();
      assert.match(await page.locator('[data-asks="number"] output').textContent(), /^(?:…|\d*|Till)$/);
      await press('Escape', 'Escape');
      await screen('home');
      assert.equal((await sales()).length, before, 'nothing was sold by a paste');

      // The number of a table: one line of what may stand in it.
      await type('1250');
      await press('Enter', '4');
      await screen('reference');
      const table = page.locator('input[data-reference]');
      for (const [name, text] of texts) {
        await table.focus();
        await paste(text);
        await page.waitForTimeout(140);
        const value = await table.inputValue();
        assert.ok([...value].length <= 32, `${name}: ${[...value].length} characters`);
        assert.doesNotMatch(value, /[\p{Cc}\u202e]/u);
        assert.ok(value.isWellFormed(), name);
        await fits();
        for (let left = 0; left < 33 && (await table.inputValue()) !== ''; left += 1) await page.keyboard.press('Backspace');
      }
      await insert(`${PASTED.emoji}${PASTED.control}`);
      assert.doesNotMatch(await table.inputValue(), /[\p{Cc}\u202e]/u);
      await press('Escape', 'Escape', 'Escape');
      await screen('home');

      // The place of a device: kept as it was typed, and refused by the agent.
      await press('F9', '1', '2', '3');
      await screen('device-form');
      const place = page.locator('#scanner_device');
      for (const text of [PASTED.control, PASTED.long]) {
        await page.locator('#scanner').selectOption('serial');
        await place.fill('');
        await place.focus();
        await insert(text);
        assert.ok((await place.inputValue()).length <= 200);
        await fits();
        await think();
        await press('Enter');
        await sees('[data-notice="settings_invalid"]');
        await screen('device-form');
      }
      await press('F9');
      await screen('home');

      // A device's name, and the code by which it is paired.
      await press('F9', '2');
      await screen('paired');
      await press('1');
      await screen('pair-name');
      for (const [, text] of texts) {
        await paste(text);
        await page.waitForTimeout(140);
        const value = await page.locator('input[data-reference]').inputValue();
        assert.ok([...value].length <= 32);
        assert.doesNotMatch(value, /[\p{Cc}\u202e]/u);
        await fits();
      }
      await press('F9');
      await screen('home');
      const other = await page.context().newPage();
      await other.setViewportSize({ width: 360, height: 740 });
      await other.goto(`${base}/pair`);
      const code = other.locator('#code');
      for (const [, text] of texts) {
        await code.fill(text);
        assert.match(await code.inputValue(), /^[0-9A-Z]{0,4}(?:-[0-9A-Z]{1,4})?$/);
        assert.ok(await other.evaluate(() => document.documentElement.scrollWidth <= 360));
      }
      await other.close();
      assert.equal((await sales()).length, before);
    },

    async 'the screens of the counter can be read with poor sight too'() {
      const found = [];
      const look = async (kind, name = kind) => {
        await screen(kind);
        for (const what of await stumbles(page)) found.push(`${name}: ${what}`);
        await fits();
      };
      await type('880');
      await press('Enter', '6');
      await look('card');
      await press('Escape', 'Escape', 'Escape');
      await screen('home');

      await type('12000');
      await press('Enter', '5');
      await look('split', 'a split that begins');
      await type('5000');
      await press('Enter', '1', 'Enter');
      await saleState('succeeded');
      await press('Enter');
      await sees('[data-rest="7000"]');
      await look('split', 'a split with a part');
      await press('F3');
      await look('split-back');
      await think();
      await press('Enter');
      await sees('[data-split-state="given_back"]');
      await look('split', 'a split that went back');
      await think();
      await press('Enter');
      await screen('home');

      await scan(APPLES);
      await look('weigh');
      await press('Enter');
      await sees('[data-notice="weigh_none"]');
      await look('weigh', 'weigh: no scale');
      await tell('scale', JSON.stringify({ state: 'in_motion' }));
      await press('Enter');
      await sees('[data-notice="weigh_moves"]');
      await tell('scale', JSON.stringify({ state: 'stable', grams: 456, net: true }));
      await press('Enter');
      await screen('basket');
      const line = await page.locator('.basket [data-key="line-0"]').textContent();
      assert.ok(['0.456 kg', '12.80/kg', '5.84'].every((words) => line.includes(words)), line);
      await look('basket', 'basket: weighed');
      await think();
      await scan(APPLES);
      await screen('weigh');
      await press('1', '0', '0', '0', 'Enter');
      await page.locator('.basket [data-key="line-1"]', { hasText: '1.000 kg' }).waitFor();
      await press('F3');
      await look('basket-clear');
      await think();
      await press('Enter');
      await screen('home');

      await scan(GOODS);
      await screen('basket');
      await think();
      await scan(GOODS);
      await page.locator('.basket [data-key="line-0"]', { hasText: '2×' }).waitFor();
      await look('basket');
      await think();
      await press('Enter', '1', 'Enter');
      await saleState('succeeded');
      assert.equal((await sales())[0].amount_minor, 700);
      await press('Enter');
      await screen('home');

      await type('1250');
      await press('F8');
      await look('reference');
      await press('A', '7', 'Enter');
      await screen('home');
      await press('F8');
      await look('held');
      await press('Delete');
      await look('drop');
      await think();
      await press('Enter');
      await press('Escape');
      await screen('home');

      await press('F9', '2');
      await look('paired');
      await press('1');
      await look('pair-name');
      await press('F9');
      await screen('home');

      await press('F10');
      await look('training');
      await think();
      await press('Enter');
      await sees('.till.training');
      await look('home', 'home in training');
      await press('F10');
      await look('training', 'the end of training');
      await think();
      await press('Enter');
      await sees('.till:not(.training)');
      await screen('home');

      await press('F7');
      await look('shift');
      await press('1');
      await look('sign-on', 'sign-on: number');
      await type('07');
      await press('Enter');
      await sees('[data-asks="float"]');
      await type('10000');
      await look('sign-on', 'sign-on: float');
      await press('Enter');
      await screen('home');
      await press('F7');
      await look('shift', 'shift: open');
      await press('2');
      await look('drawer', 'drawer: amount');
      await type('500');
      await press('Enter');
      await look('drawer', 'drawer: reason');
      // A reason is chosen from four, whatever is pasted.
      await paste(PASTED.long);
      await page.locator('[data-key="reason-4"]').waitFor();
      await press('1');
      await look('drawer', 'drawer: who');
      await paste(PASTED.emoji);
      await press('Enter');
      await screen('home');
      await press('F7', '1');
      await look('count', 'count');
      await type('10400');
      await press('Enter');
      await look('count', 'count: sure');
      await think();
      await press('Enter');
      await seen('[data-difference="-100"]');
      await look('report');
      await press('Enter');
      // Cash wants a shift from the first one on: what comes after this has one.
      await press('F7', '1', '0', '7', 'Enter', 'Enter');
      await screen('home');
      assert.deepEqual(found, []);
    },
  };
};
