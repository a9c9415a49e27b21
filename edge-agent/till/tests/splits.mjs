// Stories of split payments, for browser.mjs: a whole one by the keyboard, and one that is given up by touch. The stand-in knows
// none: they are played against a whole shop.

import assert from 'node:assert/strict';

export const splitStories = ({ page, press, type, think, tap, sees, screen, saleState, outside, sales, scan, customerCode }) => ({
  async 'cash and the customer’s code pay one total, over a reload in the middle'() {
    await type('12000');
    await press('Enter', '5');
    await screen('split');
    assert.deepEqual(await outside(), []);
    await press('Enter');
    await sees('[data-notice="split_part"]');
    await type('5000');
    await press('Enter');
    await screen('method');
    await press('1', 'Enter');
    await saleState('succeeded');
    await sees('.bar [data-splits]');
    await press('Enter');
    await screen('split');
    await sees('[data-rest="7000"]');
    assert.deepEqual(await outside(), []);
    await page.reload();
    await sees('.bar[data-link="online"]');
    await sees('[data-key^="split-"]');
    await think();
    await press('Enter');
    await screen('split');
    await sees('[data-rest="7000"]');
    await press('Enter', '2');
    await screen('scan');
    await scan(await customerCode());
    await saleState('succeeded');
    const [second, first] = await sales();
    assert.deepEqual([first, second].map(({ amount_minor, split }) => [amount_minor, split.part, split.total_minor]), [[5000, 1, 12000], [7000, 2, 12000]]);
    assert.equal(first.split.number, second.split.number);
    // The whole is one key away from its part, with what may be done with it.
    await think();
    await tap('whole');
    await sees('[data-split-state="paid"]');
    await sees('[data-key="split-reprint"]');
    assert.deepEqual(await outside(), []);
    await think();
    await press('Enter');
    await screen('home');
    assert.equal(await page.locator('.bar [data-splits]').count(), 0);
  },

  async 'what was paid of a split goes back when it is given up'() {
    await think();
    for (const key of ['digit-3', 'digit-00', 'digit-0']) await tap(key);
    await think();
    await tap('enter');
    await screen('method');
    await think();
    await tap('split');
    await screen('split');
    for (const key of ['digit-1', 'digit-00', 'digit-0']) await tap(key);
    await think();
    await tap('enter');
    await screen('method');
    await think();
    await tap('method-cash');
    await screen('cash');
    await think();
    await tap('enter');
    await saleState('succeeded');
    await think();
    await tap('whole');
    await sees('[data-rest="2000"]');
    await think();
    await tap('split-back');
    await screen('split-back');
    assert.deepEqual(await outside(), []);
    await think();
    await tap('enter');
    await sees('[data-split-state="given_back"]');
    const [part] = await sales();
    assert.equal(part.state, 'voided');
    await think();
    await press('Enter');
    await screen('home');
  },
});
