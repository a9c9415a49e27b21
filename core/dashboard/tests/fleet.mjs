// Stories of a fleet, for browser.mjs: what terminals have not sent, what of their journals waits for a person, and the two steps about
// one. What a whole shop does not leave behind (unsent money, entries that do not fit) is told to the stand-in alone.

import assert from 'node:assert/strict';
import { readable } from './stage.mjs';

const record = (kind, more) => JSON.stringify({ v: 1, record: { kind, cashier: 'Li', ...more } });
const cny = (minor) => ({ minor, currency: 'CNY' });

export function fleetStories({ page, sees, tap, room, base, standIn }) {
  return {
    async 'what a fleet has not sent is told in one place'() {
      await room('/payments');
      await room('/terminals');
      await sees('[data-part="fleet-totals"][data-count="0"]');
    },

    async 'a terminal is asked for its journal'() {
      await tap('sync-now');
      await sees('[data-terminal][data-standing="online"] [data-told="sync"]');
    },

    async 'a terminal is shut out once a person has said so'() {
      const before = await page.locator('[data-standing="revoked"]').count();
      await page.locator('[data-standing="unclaimed"] [data-action="revoke"]').first().click();
      await sees('[data-question="revoke-terminal"]');
      const yes = page.locator('[data-question="revoke-terminal"] [data-action="yes"]');
      assert.ok(await yes.isDisabled());
      await page.locator('[data-question="revoke-terminal"] input[name="aware"]').check();
      await yes.click();
      await page.locator('[data-standing="revoked"]').nth(before).waitFor();
      assert.equal(await page.locator('[data-standing="revoked"] [data-action]').count(), 0, 'nothing more is asked of it');
    },

    async 'what waits for a person has a room of its own'() {
      await page.locator('[data-standing="online"] [data-held] a').first().click();
      await page.waitForURL(/\/terminals\/\w+\/held$/);
      await sees('[data-empty], [data-held-entry]');
      await sees('[data-part="refused"]');
      await room('/terminals');
    },

    ...(standIn !== null && {
      async 'unsent money is summed by currency, and who has the most comes first'() {
        const now = Date.now();
        const unsent = (count, at_risk, ago) => ({ version: '0.1.0', at: now, peripherals: [], unsent: { count, oldest_at: now - ago, at_risk } });
        const of = (number, more) => ({ id: `trm_f${number}`, number: 10 + number, name: `Till F${number}`, store: 'sto_1', online: true, created_at: 1, enrolled_at: 2, last_seen_at: now, ...more });
        standIn.terminals.push(
          of(1, { health: unsent(2, [cny(1850)], 60_000) }), of(2, { online: false, health: unsent(3, [cny(99_000), { minor: 500, currency: 'USD' }], 7_200_000) }),
          of(3, { online: false, revoked_at: now, health: unsent(1, [cny(100)], 1) }),
        );
        await page.reload();
        await sees('[data-part="fleet-totals"][data-count="5"]');
        assert.equal(await page.locator('[data-part="fleet-totals"] [data-at-risk]').first().getAttribute('data-at-risk'), '100850 CNY, 500 USD');
        const totals = await page.locator('[data-part="fleet-totals"]').textContent();
        assert.match(totals, /1,008\.50/);
        assert.match(totals, /2 hours ago/);
        await sees('[data-unheard="1"]');
        await sees('[data-lost="1"]');
        const order = await page.locator('[data-terminal]').evaluateAll((cards) => cards.map((card) => card.dataset.terminal));
        assert.deepEqual([order[0], order[1]], ['trm_f2', 'trm_f1']);
        // Whoever shuts it out is told what goes with it.
        await page.locator('[data-terminal="trm_f2"] [data-action="revoke"]').click();
        await sees('[data-question="revoke-terminal"] [data-unsent="3"]');
        await sees('[data-question="revoke-terminal"] [data-unheard]');
        assert.match(await page.locator('[data-question="revoke-terminal"]').textContent(), /990\.00/);
        await page.keyboard.press('Escape');
        await page.locator('[data-question="revoke-terminal"]').waitFor({ state: 'detached' });
        standIn.terminals.splice(-3);
      },

      async 'of each entry that waits a person reads what is at stake and what to do'() {
        const at = Date.now() - 60_000;
        const wait = (sequence, why, payload) => standIn.held.push({ terminal: 'trm_1', entry: { sequence, at, received_at: at + 5_000, why, payload } });
        wait(4, 'core has another sale under this number: 13.00 CNY, cash', record('cash_sale', { payment: 'pay_x', counter: 7, amount: cny(1250) }));
        wait(5, 'core does not know the sale pay_y', record('cash_refund', { payment: 'pay_y', refund: 'rfd_y', amount: cny(300) }));
        wait(6, 'forged: the signature is not of its issuer', record('offline_sale', { payment: 'pay_z', counter: 8, amount: cny(990), code: 'OPC1:SECRET' }));
        wait(7, 'it is not forwarded, and a person decides: the card is none', record('stored_card_sale', { payment: 'pay_c', counter: 9, amount: cny(70), card: { ksn: 'FFFFSECRET' } }));
        for (let sequence = 8; sequence <= 60; sequence += 1) wait(sequence, `it is of batch ${sequence}, and no batch is open`, record('paid_in', { batch: sequence, amount: cny(1), reason: 'change' }));
        standIn.refused.push(
          { sequence: 1, at, actor: 'trm_1', action: 'journal.entry_rejected', subject: 'trm_1', hash: '00', detail: { sequence: 61, why: 'core has another entry under this number; the journal was altered' } },
          { sequence: 2, at, actor: 'trm_2', action: 'journal.entry_rejected', subject: 'trm_2', hash: '00', detail: { sequence: 9, why: 'of another terminal' } },
          { sequence: 3, at, actor: 'usr_1', action: 'terminal.sync_asked', subject: 'trm_1', hash: '00', detail: {} },
        );
        await page.goto(`${base}/terminals/trm_1/held`);
        const reasons = async () => page.locator('[data-held-entry]').evaluateAll((cards) => cards.map((card) => `${card.dataset.kind} ${card.dataset.reason}`));
        await sees('[data-held-entry="4"]');
        assert.deepEqual((await reasons()).slice(0, 5), ['cash_sale taken', 'cash_refund unknown', 'offline_sale code', 'stored_card_sale card', 'paid_in batch']);
        assert.equal((await reasons()).length, 50);
        await page.getByText('Show more').click();
        await sees('[data-held-entry="60"]');
        const words = await page.locator('main').textContent();
        assert.doesNotMatch(words, /SECRET/, 'no code and no card');
        assert.match(await page.locator('[data-held-entry="4"] [data-todo]').textContent(), /numbers were used twice/);
        assert.equal(await page.locator('[data-held-entry="7"] a[href="/reconciliation/stored-cards"]').count(), 1);
        assert.deepEqual(await page.locator('[data-refused]').evaluateAll((all) => all.map((one) => one.dataset.refused)), ['61']);
        await tap('language');
        await page.getByText('如何处理').first().waitFor();
        await tap('language');
        await readable(page, base, [['/terminals/trm_1/held', '[data-held-entry]'], ['/terminals', '[data-part="fleet-totals"]']]);
        await sees('[data-terminal="trm_1"] [data-held="50"]');
        standIn.held.length = 0;
        standIn.refused.length = 0;
      },
    }),
  };
}
