// Stories of the room of shop rules, for browser.mjs: the canteen's, in the stand-in as in the demo. They leave the rules as they were.

import assert from 'node:assert/strict';

const setting = (name) => `[data-form="rules"] input[name="${name}"]`;

export const rulesStories = ({ page, sees, tap, room, standIn }) => {
  const standing = (facts) => sees(`[data-rules="canteen-rules"]${Object.entries(facts).map(([name, value]) => `[data-${name}="${value}"]`).join('')}`);
  const version = async () => Number(await page.locator('[data-rules="canteen-rules"]').getAttribute('data-version'));
  /** Saves what the form says, and waits until the next version stands. */
  const saves = async () => {
    const before = await version();
    await tap('save');
    await standing({ version: before + 1 });
  };
  const costs = async (minor, goods) => {
    await page.fill('[data-form="try-rules"] input[name="amount"]', '10.00');
    await page.fill('[data-form="try-rules"] input[name="goods"]', goods);
    await tap('ask');
    await sees(`[data-quote="${minor}"]`);
  };

  return {
    async 'the shop’s rules say what is in force, and try a sale'() {
      await room('/rules');
      await standing({ enabled: true });
      assert.equal(await page.inputValue(setting('staff_percent')), '20');
      assert.equal(await page.inputValue(setting('staff_marker')), '员工');
      await costs(800, '员工餐');
      assert.match(await page.locator('[data-quote] [data-adjustment]').textContent(), /Staff discount: −2\.00/);
      assert.match((await page.locator('[data-receipt-line]').allTextContents()).join(), /谢谢光临/);
      await costs(1000, '牛肉面');
    },

    async 'a setting that cannot be is told of before it is sent, and one that can holds for the next sale'() {
      await page.fill(setting('staff_percent'), '91');
      await page.locator('[data-form="rules"]').getByText('A whole number from 0 to 90').waitFor();
      assert.ok(await page.locator('[data-action="save"]').isDisabled());
      await page.fill(setting('staff_percent'), '25');
      await saves();
      await costs(750, '员工餐');
      await page.fill(setting('staff_percent'), '20');
      await saves();
    },

    async 'rules are switched off and on, and what cannot be saved meanwhile leaves what was'() {
      await page.fill(setting('staff_percent'), '91');
      await page.locator('[data-switch="enabled"]').click({ force: true });
      await saves();
      await standing({ enabled: false });
      await page.waitForFunction((field) => document.querySelector(field)?.value === '20', setting('staff_percent'));
      await costs(1000, '员工餐');
      await page.locator('[data-switch="enabled"]').click({ force: true });
      await saves();
      await standing({ enabled: true });
      await costs(800, '员工餐');
    },

    ...(standIn !== null && {
      async 'who was slower overwrites nothing, and looks again'() {
        standIn.changeRules({ staff_percent: 30 });
        await page.fill(setting('staff_percent'), '40');
        await tap('save');
        await sees('[data-form="rules"] [data-problem="changed_meanwhile"]');
        await page.locator('[data-form="rules"] [data-action="retry"]').click();
        await page.waitForFunction((field) => document.querySelector(field)?.value === '30', setting('staff_percent'));
        await page.fill(setting('staff_percent'), '20');
        await saves();
      },
    }),
  };
};
