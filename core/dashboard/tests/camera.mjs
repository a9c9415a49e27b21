// What the scripts share that take the pictures of README.md: a browser, hands, and the folder that the pictures go to.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { launch } from './stage.mjs';

const FOLDER = fileURLToPath(new URL('../../../deploy/pictures', import.meta.url));
/** Pictures are in the history for ever. */
const BYTES_MAX = 150_000;

const browser = await launch();
const taken = [];

export async function open(address, width, height) {
  const context = await browser.newContext({ viewport: { width, height }, locale: 'en-GB', colorScheme: 'light', reducedMotion: 'reduce' });
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

export async function take(page, name) {
  mkdirSync(FOLDER, { recursive: true });
  const path = `${FOLDER}/${name}.png`;
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path, animations: 'disabled' });
  taken.push(path);
}

/** As slowly as a hand, so that nothing is taken for a scanner. */
export async function keys(page, ...pressed) {
  for (const key of pressed) await page.keyboard.press(key).then(() => page.waitForTimeout(400));
}

/** Makes them small, and ends. */
export async function develop() {
  await browser.close();
  execFileSync('pngquant', ['--force', '--ext', '.png', '--strip', '--quality', '50-90', '--speed', '1', ...taken]);
  for (const path of taken) {
    const { size } = statSync(path);
    console.log(`${path} ${size}`);
    assert.ok(size <= BYTES_MAX, `${path} has ${size} bytes; at most ${BYTES_MAX}`);
  }
}
