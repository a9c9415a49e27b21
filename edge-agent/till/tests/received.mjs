// Stories of what customers pay through printed codes, for browser.mjs: it is seen, and in the way of nothing.

import assert from 'node:assert/strict';

/** `base`: the stand-in, which is told what came in. */
export const receivedStories = ({ page, base, press, type, sees, screen, outside, amount, stumbles }) => {
  const came = (payment, sum, label) =>
    fetch(`${base}/received`, { method: 'POST', body: JSON.stringify({ payment, label, amount_minor: Math.round(sum * 100), amount: sum.toFixed(2), currency: 'CNY', paid_at: Date.now() }) });
  const places = () => page.evaluate(() => [...document.querySelectorAll('main button, nav button')].filter((one) => one.dataset.key !== 'received').map((one) => {
    const { x, y, width, height } = one.getBoundingClientRect();
    return [one.dataset.key, x, y, width, height];
  }));
  return {
    async 'what is paid through a printed code is told in the bar, moves no key, and is listed'() {
      await type('48');
      const before = await places();
      await came('pay_first', 12.5, '门口 the gate');
      await sees('[data-came-in="pay_first"]');
      assert.match(await page.locator('[data-came-in]').textContent(), /12\.50 · 门口/);
      assert.deepEqual(await places(), before);
      assert.equal(await amount(), '0.48');
      await came('pay_long', 123456.78, 'the stall with a name that is much longer than any bar can be wide, beside the old bridge');
      await sees('[data-came-in="pay_long"]');
      assert.deepEqual(await outside(), []);
      assert.deepEqual(await stumbles(), []);
      // The next key does what it does, and ends it.
      await press('5');
      await page.locator('[data-came-in]').waitFor({ state: 'detached' });
      assert.equal(await amount(), '4.85');
      await press('Escape');
      await page.click('main [data-key="received"]');
      await screen('received');
      assert.match(await page.locator('[data-received="pay_first"]').textContent(), /12\.50/);
      assert.deepEqual(await outside(), []);
      assert.deepEqual(await stumbles(), []);
      await press('Escape');
      await screen('home');
    },
  };
};
