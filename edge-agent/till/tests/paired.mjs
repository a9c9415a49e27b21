// Stories of paired devices, for browser.mjs: a second browser, which believes the till's certificate once it was compared, and no
// other. The stand-in has no door in the network: they are played against a whole shop.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:tls';

/** The certificate that the door shows. */
const certificateAt = (url) =>
  new Promise((shown, failed) => {
    const { hostname, port } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port), rejectUnauthorized: false }, () => {
      shown(socket.getPeerX509Certificate());
      socket.end();
    });
    socket.on('error', failed);
  });

export const pairedStories = ({ page, press, think, tap, sees, screen, outside, stumbles, sales, launch }) => {
  /** A code for a device of that kind, and a browser on another machine whose person has compared the fingerprint. */
  async function offered(kind, name) {
    await press('F9');
    await screen('info');
    await press('2');
    await screen('paired');
    await sees('[data-listener="open"]');
    const compared = await page.locator('[data-fingerprint]').getAttribute('data-fingerprint');
    assert.deepEqual(await stumbles(page), []);
    assert.deepEqual(await outside(), []);
    await press(kind === 'till' ? '1' : '2');
    await screen('pair-name');
    await tap(`name-${name}`);
    assert.deepEqual(await outside(), []);
    await think();
    await press('Enter');
    await screen('pair-code');
    await sees('[data-pairing="open"]');
    assert.deepEqual(await stumbles(page), []);
    assert.deepEqual(await outside(), []);
    const url = await page.locator('[data-url]').getAttribute('data-url');
    const code = await page.locator('[data-pairing-code]').textContent();
    const certificate = await certificateAt(url);
    assert.equal(certificate.fingerprint256, compared);
    const key = createHash('sha256').update(certificate.publicKey.export({ type: 'spki', format: 'der' })).digest('base64');
    const browser = await launch([`--ignore-certificate-errors-spki-list=${key}`]);
    const context = await browser.newContext({ viewport: { width: 800, height: 480 }, locale: 'en-GB' });
    return { browser, device: await context.newPage(), url, code };
  }

  async function revoked(device) {
    await sees('[data-notice="paired"]');
    await think();
    await press('Delete');
    await screen('revoke');
    await think();
    await tap('revoke-sure');
    await screen('paired');
    await device.waitForURL('**/pair');
    await page.locator('.paired .none').waitFor();
    await press('Escape');
    await screen('info');
    await press('Escape');
    await screen('home');
  }

  return {
    async 'a tablet is paired by the code that the till shows, sells, and is revoked'() {
      const { browser, device, url } = await offered('till', 'tablet');
      try {
        const asks = async (...keys) => {
          for (const key of keys) await device.keyboard.press(key, { delay: 20 }).then(() => device.waitForTimeout(140));
        };
        await device.goto(new URL('/', url).href);
        await device.waitForURL('**/pair');
        // Another address only by what follows the hash is no other page.
        await device.goto('about:blank');
        await device.goto(url);
        await device.locator('#pair').click();
        await device.locator('.bar[data-link="online"]').waitFor();
        assert.equal(new URL(device.url()).hash, '', 'the code stands in no address');
        const cookies = await device.context().cookies();
        assert.deepEqual(cookies.map(({ name, secure, httpOnly, sameSite }) => [name, secure, httpOnly, sameSite]), [['__Host-saoma-till', true, true, 'Strict']]);
        await screen('paired');
        const before = (await sales()).length;
        await asks('1', '2', '3', '4', 'Enter', '1', 'Enter');
        await device.locator('.sale[data-state="succeeded"]').waitFor();
        const after = await sales();
        assert.equal(after.length, Math.min(before + 1, 100));
        assert.equal(after[0].amount_minor, 1234);
        await asks('Enter', 'F9');
        await device.locator('.till[data-screen="info"]').waitFor();
        assert.equal(await device.locator('[data-key="paired"], [data-key="devices"]').count(), 0, 'settings are at the till');
        await revoked(device);
      } finally {
        await browser.close();
      }
    },

    async 'a customer display is paired by a code that is typed, and shows what is paid'() {
      const { browser, device, url, code } = await offered('display', 'display');
      try {
        await device.goto(new URL('/', url).href);
        await device.waitForURL('**/pair');
        assert.deepEqual(await stumbles(device), []);
        await device.locator('#code').fill('0000-0000');
        await device.locator('#pair').click();
        await device.locator('[data-code="pairing_code_wrong"]').waitFor();
        await sees('[data-wrong]');
        await device.locator('#code').fill(code.toLowerCase());
        await device.locator('#pair').click();
        await device.locator('.display[data-kind]').waitFor();
        assert.equal(new URL(device.url()).pathname, '/display');
        await screen('paired');
        const status = await device.evaluate(async () => (await fetch('/api/state')).status);
        assert.equal(status, 403);
        await revoked(device);
      } finally {
        await browser.close();
      }
    },
  };
};
