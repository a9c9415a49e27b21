// Stories of the line to core and of what calls a person, for browser.mjs, against the stand-in.

import assert from 'node:assert/strict';

/** `base`: the stand-in, which is told how the agent stands. */
export const lineStories = ({ page, base, press, type, tap, sees, screen, outside, stumbles }) => {
  const tell = (path, what) => fetch(`${base}${path}`, { method: 'POST', body: JSON.stringify(what) });
  const stands = (state) => tell('/state', state);
  const bar = () => page.locator('.bar').textContent();
  /** Whoever reloads it finds the same, and nothing of it is kept in the page. */
  const reload = async () => {
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
  };
  const readable = async () => {
    assert.deepEqual(await outside(), []);
    assert.deepEqual(await stumbles(), []);
    const wide = await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('.bar').getBoundingClientRect().height]);
    assert.ok(wide[0] <= 800 && wide[1] < 60, `the bar is ${wide}`);
  };
  const DAY_MS = 86_400_000;
  const down = { online: false, mqtt: false, https: false };
  const shown = (at) => `${at.getMonth() + 1}-${at.getDate()} ${[at.getHours(), at.getMinutes()].map((part) => String(part).padStart(2, '0')).join(':')}`;
  return {
    async 'since when it is offline is the agent’s to say, with the day, and the same after a reload'() {
      const [since, oldest] = [new Date(Date.now() - 3 * DAY_MS), new Date(Date.now() - 2 * DAY_MS)];
      const unsent = { count: 1234, oldest_at: oldest.getTime(), at_risk: [{ minor: 123_456_78, currency: 'CNY' }] };
      await stands({ link: { ...down, offline_since: since.getTime() }, unsent });
      await sees('.bar[data-link="offline"]');
      for (const language of ['en', 'zh']) {
        if (language === 'zh') await press('F12');
        assert.ok((await bar()).includes(shown(since)), await bar());
        assert.ok((await bar()).includes(shown(oldest)), await bar());
        await readable();
      }
      await press('F12');
      await reload();
      await sees('.bar[data-link="offline"]');
      assert.ok((await bar()).includes(`Offline since ${shown(since)}`), await bar());
      await stands({ link: { ...down, offline_since: null } });
      await page.getByText('Offline', { exact: true }).waitFor();
      await stands({});
      await sees('.bar[data-link="online"]');
      assert.equal(await page.locator('[data-oldest]').count(), 0);
    },

    async 'a terminal that core has shut out says so in red, and takes no cash'() {
      await stands({ link: { locked_since: Date.now() } });
      await sees('.bar[data-link="locked"]');
      assert.match(await bar(), /Shut out since \d\d:\d\d · no sales/);
      assert.doesNotMatch(await bar(), /Online/);
      await readable();
      await type('1250');
      await press('Enter');
      await screen('method');
      assert.match(await page.locator('[data-without-core]').textContent(), /take no money\. Call who runs the shop/);
      await readable();
      await press('1', 'Enter');
      await sees('[data-notice="terminal_locked"]');
      await press('F12');
      await page.getByText('请不要收款').first().waitFor();
      await readable();
      await press('F12', 'Escape', 'Escape', 'Escape');
      await screen('home');
      await reload();
      await sees('.bar[data-link="locked"]');
      await stands({});
      await sees('.bar[data-link="online"]');
    },

    async 'what calls a person is told in Chinese on a Chinese till, with the agent’s own words below'() {
      const alarms = [
        { code: 'journal_held', message: 'entry 7 waits for a person at core: no such store', at: Date.now() },
        { code: 'clock_wrong', message: 'this till’s clock is over 30 s off core’s', at: Date.now() - 3 * DAY_MS },
        { code: 'basket_lost', message: 'goods were being scanned', at: Date.now() },
        { code: 'of_a_newer_agent', message: 'something new', at: Date.now() },
      ];
      const stored = { most_minor: null, why: null, detail: null, waiting_count: 2, waiting_minor: 5000, office_count: 1, office_minor: 700, declined_count: 3, declined_minor: 900, to_acknowledge: [] };
      const sync = { head: 9, through: 6, stopped: { sequence: 7, code: 'journal_rejected', why: 'the chain is broken' } };
      await stands({ alarms, stored, sync, offline: { why: 'offline_list_old', detail: 'too long without a network' }, disk: { ok: false, detail: 'the disk is full' } });
      await sees('.bar [data-declined="3"]');
      for (const words of [/Disk failure/, /Sync is stuck/, /× 3/]) assert.match(await bar(), words);
      for (const name of ['stored', 'office', 'lost', 'offline']) await sees(`.bar [data-${name}]`);
      assert.equal(await page.locator('[data-key="info"]').textContent(), '⚠ 4');
      await press('F12', 'F9');
      await screen('info');
      const told = (code) => page.locator(`.info [data-alarm="${code}"]`).textContent();
      assert.match(await told('journal_held'), /在中心等待人工处理.*entry 7 waits/);
      assert.match(await told('clock_wrong'), /^\d+-\d+ \d\d:\d\d .*校准时钟/);
      assert.match(await told('of_a_newer_agent'), /something new$/);
      assert.match(await told('journal_rejected'), /#7 .*拒收.*the chain is broken/);
      assert.match(await page.locator('.info').textContent(), /磁盘故障，停止收款: the disk is full/);
      assert.deepEqual(await stumbles(), []);
      await tap('test-printer');
      await sees('[data-notice="saw"]');
      assert.match(await page.locator('[data-notice="saw"]').textContent(), /测试小票已打印.*a test slip/);
      await tell('/receipt', { payment: 'pay_x', printed: false, why: 'the printer is out of paper; put in a new roll', trouble: 'paper_out' });
      await sees('[data-notice="receipt"]');
      assert.match(await page.locator('[data-notice="receipt"]').textContent(), /小票没有打印：缺纸.*out of paper/);
      assert.deepEqual(await stumbles(), []);
      await stands({});
      await press('F12', 'Escape');
      await screen('home');
      await page.getByText('Recent sales').waitFor();
    },
  };
};
