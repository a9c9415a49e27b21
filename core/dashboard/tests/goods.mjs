// Stories of the room of goods, for browser.mjs: a shop writes down what it sells.

import assert from 'node:assert/strict';
import { api, signedIn } from './api.mjs';
import { stumbles } from './stage.mjs';

/** EAN-13 that nobody has here yet: the shop's own numbers begin with 2. */
function ean() {
  const digits = `21${String(Date.now()).slice(-10)}`;
  const sum = [...digits].reduce((total, digit, place) => total + Number(digit) * (place % 2 === 0 ? 1 : 3), 0);
  return `${digits}${(10 - (sum % 10)) % 10}`;
}

export const goodsStories = ({ page, sees, tap, room, base, standIn, owner }) => {
  const stamp = Date.now() % 1_000_000;
  const [tea, apples, code] = [`Tea ${stamp}`, `Apples ${stamp}`, ean()];
  const form = (part) => page.locator(`[data-form="goods"] ${part}`);
  const row = (name) => page.locator('[data-goods]').filter({ hasText: name });
  /** As a scanner does it. */
  const scan = async (text) => {
    await form('[data-input="barcodes"]').focus();
    await page.keyboard.type(text);
    await page.keyboard.press('Enter');
  };
  const saves = async () => {
    await form('[data-action="save"]').click();
    await page.locator('[data-form="goods"]').waitFor({ state: 'detached' });
  };
  const says = (words) => page.locator('[data-wrong-barcode]').getByText(words).waitFor();
  const finds = async (words) => {
    await page.fill('[data-input="search"]', words);
    await page.keyboard.press('Enter');
  };
  /** What somebody else changes at another browser. */
  const elsewhere = async (name, minor) => {
    const price = { minor, currency: 'CNY' };
    if (standIn !== null) return standIn.catalogue.change(standIn.catalogue.goods.find((one) => one.name === name).id, { price });
    const token = await signedIn(owner.email, owner.password);
    const [one] = (await api(token, 'GET', `/v1/goods?search=${encodeURIComponent(name)}`)).items;
    const { id, created_at: _, updated_at: __, ...same } = one;
    return api(token, 'PUT', `/v1/goods/${id}`, { ...same, price });
  };
  const pastes = (lines) => page.fill('textarea[name="table"]', lines.join('\n'));

  return {
    async 'a tax is written down, and what is no percentage is told'() {
      await room('/goods');
      await page.locator('[data-way="/goods/taxes"]').click();
      await tap('add-tax');
      await page.fill('[data-form="tax"] input[name="name"]', `VAT ${stamp}`);
      await page.fill('[data-form="tax"] input[name="percent"]', '113');
      await page.getByText('0 to 100, at most two places').waitFor();
      assert.ok(await page.locator('[data-form="tax"] [data-action="save"]').isDisabled());
      await page.fill('[data-form="tax"] input[name="percent"]', '6.5');
      await tap('save');
      await page.locator('[data-tax]').filter({ hasText: `VAT ${stamp}` }).getByText('6.5% in the price').waitFor();
    },

    async 'goods are added with a scanned barcode, and a digit that was read wrong is told'() {
      await page.locator('[data-way="/goods"]').click();
      await tap('add-goods');
      await form('input[name="name"]').fill(tea);
      await form('input[name="price"]').fill('5.005');
      await page.getByText('Type a price in this currency').waitFor();
      await form('input[name="price"]').fill('5.5');
      const wrong = `${code.slice(0, -1)}${(Number(code.slice(-1)) + 1) % 10}`;
      await scan(wrong);
      await says(`${wrong}: the last digit should be ${code.slice(-1)}`);
      assert.ok(await form('[data-action="save"]').isDisabled());
      await page.keyboard.press('Backspace');
      await scan(code);
      await page.locator('[data-wrong-barcode]').waitFor({ state: 'detached' });
      await form('[data-input="tax"]').click();
      await page.getByRole('option', { name: `VAT ${stamp} 6.5% (in the price)` }).click();
      assert.deepEqual(await stumbles(page), [], 'the form can be read');
      await saves();
      await page.locator('[data-added]').getByText(tea).waitFor();
      await finds(tea);
      const text = await row(tea).textContent();
      assert.ok([code, '5.50', `VAT ${stamp} 6.5%`].every((part) => text.includes(part)), text);
    },

    async 'a barcode that other goods have is told, and nothing is added twice'() {
      await tap('add-goods');
      await form('input[name="name"]').fill(apples);
      await form('input[name="price"]').fill('12.80');
      await scan(code);
      await form('[data-action="save"]').click();
      await says(`${code}: other goods that are sold have it`);
      await page.keyboard.press('Escape');
      await page.locator('[data-form="goods"]').waitFor({ state: 'detached' });
      await finds(apples);
      await sees('[data-empty]');
    },

    async 'what is weighed has the price of a kilogram, and the goods’ number of a scale’s labels'() {
      await tap('add-goods');
      await form('input[name="name"]').fill(apples);
      await form('[data-switch="by-weight"]').click({ force: true });
      await page.getByText('Price of a kilogram (CNY)').waitFor();
      await form('input[name="price"]').fill('12.80');
      await scan(code);
      await sees('[data-whole-label]');
      await page.keyboard.press('Backspace');
      await page.locator('[data-whole-label]').waitFor({ state: 'detached' });
      await scan(`${stamp}`);
      await saves();
      await finds(`${stamp}`);
      await row(apples).getByText('/kg').waitFor();
      await row(tea).waitFor();
    },

    async 'found by a part of a barcode, by keys alone'() {
      await page.locator('[data-input="search"]').focus();
      await page.keyboard.type(code.slice(2, 12));
      await page.keyboard.press('Enter');
      await row(apples).waitFor({ state: 'detached' });
      await row(tea).waitFor();
      const change = row(tea).locator('[data-action="change"]:visible');
      for (let presses = 0; !(await change.evaluate((one) => one === document.activeElement)); presses += 1) {
        assert.ok(presses < 20, 'the goods are reached by Tab');
        await page.keyboard.press('Tab');
      }
      await page.keyboard.press('Enter');
      await sees('[data-form="goods"]');
    },

    async 'goods that somebody else has changed meanwhile are not overwritten'() {
      await elsewhere(tea, 640);
      await form('input[name="name"]').fill(`${tea} green`);
      await form('[data-action="save"]').click();
      await sees('[data-form="goods"] [data-problem="changed_meanwhile"]');
      assert.ok(await form('[data-action="save"]').isDisabled());
      await form('[data-action="retry"]').click();
      await page.waitForFunction(() => document.querySelector('[data-form="goods"] input[name="price"]')?.value === '6.40');
      assert.equal(await form('input[name="name"]').inputValue(), tea);
      await form('input[name="price"]').fill('6.20');
      await saves();
      await row(tea).getByText('6.20').waitFor();
    },

    async 'withdrawn, its barcode is free; it is sold again once that is free again'() {
      const turn = async (name) => {
        await row(name).locator('[data-action="turn"]:visible').click();
        await page.locator('[data-question="turn-goods"] [data-action="yes"]').click();
      };
      const turned = () => page.locator('[data-question="turn-goods"]').waitFor({ state: 'detached' });
      await turn(tea);
      await turned();
      await sees('[data-empty]');
      await tap('add-goods');
      await form('input[name="name"]').fill(`Cake ${stamp}`);
      await form('input[name="price"]').fill('0');
      await scan(code);
      await saves();
      await page.getByText('Withdrawn', { exact: true }).first().click();
      await turn(tea);
      await page.locator('[data-question="turn-goods"] [data-problem="conflict"]').waitFor();
      await page.keyboard.press('Escape');
      await page.getByText('All', { exact: true }).first().click();
      await turn(`Cake ${stamp}`);
      await turned();
      await turn(tea);
      await turned();
      await page.locator(`[data-goods][data-active="true"]`).filter({ hasText: tea }).waitFor();
    },

    async 'a table is shown with each wrong line, and added whole or not at all'() {
      await page.locator('[data-way="/goods/import"]').click();
      await pastes(['tea,5']);
      await sees('[data-fault="heads"]');
      await pastes(['name,price,barcode,colour', `Import ${stamp},5.00,${code},red`, ',5,,', 'pie,much,,']);
      await sees('[data-lines="3"][data-wrong="2"]');
      await page.locator('[data-line="3"]').getByText('a name of 1 to 128 characters is needed').last().waitFor();
      await page.locator('[data-line="4"]').getByText('the price is not one').last().waitFor();
      assert.match(await page.locator('[data-unused]').textContent(), /colour/);
      assert.ok(await page.locator('[data-action="import"]').isDisabled());
      const many = Array.from({ length: 59 }, (_, nth) => `Import ${stamp} no ${nth},${nth}.50,`);
      const file = (first) => ({ name: 'goods.csv', mimeType: 'text/csv', buffer: Buffer.from(['名称,价格,条码', first, ...many].join('\r\n')) });
      await page.setInputFiles('input[type="file"]', file(`Import ${stamp},5.00,12345678`));
      await sees('[data-lines="60"][data-wrong="1"]');
      await page.setInputFiles('input[type="file"]', file(`Import ${stamp},5.00,${code}`));
      await sees('[data-lines="60"][data-wrong="0"]');
      await sees('[data-others]');
      await tap('import');
      // Core alone knows that the tea has this barcode.
      await page.locator('[data-line="2"][data-right="false"]').getByText(`${code}: other goods that are sold have it`).last().waitFor();
      assert.deepEqual(await stumbles(page), [], 'the preview can be read');
      assert.ok(await page.locator('[data-action="import"]').isEnabled(), 'it may be right by now');
      await pastes(['name\tprice', `Import ${stamp}\t5.00`, ...many.map((line) => line.replaceAll(',', '\t'))]);
      await tap('import');
      await sees('[data-imported="60"]');
      await tap('to-goods');
    },

    async 'a long list comes page by page, and fits a small screen'() {
      await finds(`Import ${stamp}`);
      await page.waitForFunction(() => document.querySelectorAll('[data-goods]').length === 50);
      await page.getByText('Show more').click();
      await page.waitForFunction(() => document.querySelectorAll('[data-goods]').length === 60);
      await page.setViewportSize({ width: 800, height: 600 });
      await page.waitForFunction(() => document.documentElement.scrollWidth <= 800);
      await page.setViewportSize({ width: 360, height: 740 });
      await row(`Import ${stamp} no 7`).first().locator('[data-action="change"]:visible').click();
      await sees('[data-form="goods"]');
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360), 'the form is as narrow as a telephone');
      await page.keyboard.press('Escape');
      await page.setViewportSize({ width: 1280, height: 800 });
    },

    ...(standIn !== null && {
      async 'goods without an answer are asked about again and added once; others are begun anew'() {
        const named = (name) => standIn.catalogue.goods.filter((one) => one.name === name).length;
        await page.route('**/v1/goods', async (route) => {
          if (route.request().method() !== 'POST') return route.fallback();
          await route.fetch();
          return route.abort();
        });
        await tap('add-goods');
        await form('input[name="name"]').fill(`Doubt ${stamp}`);
        await form('input[name="price"]').fill('1');
        await form('[data-action="save"]').click();
        await sees('[data-form="goods"] [data-problem="offline"]');
        assert.ok(await form('input[name="name"]').isDisabled(), 'what was said stands');
        await page.keyboard.press('Escape');
        await page.unroute('**/v1/goods');
        await tap('ask-new');
        assert.equal(await form('input[name="name"]').inputValue(), '');
        await page.keyboard.press('Escape');
        await page.locator('[data-form="goods"]').waitFor({ state: 'detached' });
        await tap('ask-again');
        await saves();
        await page.locator('[data-added]').getByText(`Doubt ${stamp}`).waitFor();
        await page.locator('[data-unanswered]').waitFor({ state: 'detached' });
        assert.equal(named(`Doubt ${stamp}`), 1);
      },

      async 'a table without an answer is asked about again, and added once'() {
        await page.locator('[data-way="/goods/import"]').click();
        await pastes(['name,price', `Lost ${stamp},1`]);
        await page.route('**/v1/goods/import', async (route) => {
          await route.fetch();
          await route.abort();
        }, { times: 1 });
        await tap('import');
        await sees('[data-unanswered]');
        await page.reload();
        await tap('ask-again');
        await page.locator('[data-form="import-again"]').getByText(`Lost ${stamp}`).waitFor();
        await tap('import-again');
        await sees('[data-imported="1"]');
        assert.equal(standIn.catalogue.goods.filter(({ name }) => name === `Lost ${stamp}`).length, 1);
      },
    }),

    async 'in Chinese too'() {
      await page.goto(`${base}/goods`);
      await tap('language');
      await page.getByText('新增商品').first().waitFor();
      await page.locator('[data-way="/goods/taxes"]').getByText('税').waitFor();
      await tap('language');
      await page.getByText('Add goods').first().waitFor();
    },
  };
};
