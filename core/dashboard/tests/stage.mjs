// What the stories in the browser share: the browser, its people, and how stories are played one after the other.

import assert from 'node:assert/strict';
import axe from 'axe-core';
import { chromium } from 'playwright-core';

export const WAIT_MS = Number(process.env.WAIT_MS ?? 20_000);

/** Somebody at a browser of their own; `broken` gathers what broke on their page. */
export async function visitor(browser) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', acceptDownloads: true });
  context.setDefaultTimeout(WAIT_MS);
  const page = await context.newPage();
  const broken = [];
  page.on('pageerror', (error) => broken.push(String(error)));
  return {
    context, page, broken,
    sees: (selector) => page.locator(selector).first().waitFor(),
    tap: (action) => page.locator(`[data-action="${action}"]`).first().click(),
    room: (path) => page.locator(`[data-room="${path}"]`).click(),
    signIn: async (email, password) => {
      await page.fill('input[name="email"]', email);
      await page.fill('input[name="password"]', password);
      await page.click('button[type="submit"]');
    },
  };
}

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** What a reader with poor sight, or without a mouse, would stumble over here. */
export async function stumbles(page) {
  await page.evaluate(axe.source);
  return page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ['violations'] });
    const grave = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
    return grave.flatMap(({ id, nodes }) => nodes.map(({ target, any }) => `${id} ${target.join(' ')}: ${any[0]?.message ?? ''}`));
  });
}

/** Wears the light or the dark, and waits until each colour has arrived: half-way between the two nothing can be read. */
async function wear(page, colorScheme) {
  await page.emulateMedia({ colorScheme });
  await page.locator(`html[data-mantine-color-scheme="${colorScheme}"]`).waitFor({ state: 'attached' });
  await page.evaluate(async () => {
    // A transition begins with the frame that first draws the new colour.
    await new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)));
    const ending = document.getAnimations().filter((gliding) => gliding.effect.getComputedTiming().endTime !== Infinity);
    await Promise.allSettled(ending.map((gliding) => gliding.finished));
  });
}

/** Goes to each address, waits for its part, and looks whether it can be read in the light, in the dark and on a telephone. */
export async function readable(page, base, places) {
  for (const [path, part] of places) {
    await page.goto(`${base}${path}`);
    await page.locator(part).first().waitFor();
    for (const colorScheme of ['light', 'dark']) {
      await wear(page, colorScheme);
      assert.deepEqual(await stumbles(page), [], `${path} in the ${colorScheme}`);
    }
    await page.setViewportSize({ width: 360, height: 740 });
    // The frame glides to its new width.
    await page.waitForFunction(() => document.documentElement.scrollWidth <= 360, null, { timeout: 5_000 })
      .catch(() => assert.fail(`${path} is wider than a telephone`));
    await page.setViewportSize({ width: 1280, height: 800 });
  }
  await page.emulateMedia({ colorScheme: null });
}

/** Plays all, whatever becomes of one; how many failed. */
export async function play(stories, visitors) {
  let failed = 0;
  for (const [name, story] of Object.entries(stories)) {
    const began = Date.now();
    try {
      await story();
      for (const { broken } of visitors) assert.deepEqual(broken, [], 'nothing broke on the page');
      console.log(`ok    ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed += 1;
      for (const { broken } of visitors) broken.length = 0;
      console.log(`FAIL  ${name}\n      ${String(error.stack).split('\n').slice(0, 12).join('\n      ')}`);
      if (process.env.PICTURES !== undefined) {
        for (const [nth, { page }] of visitors.entries()) await page.screenshot({ path: `${process.env.PICTURES}/dashboard-failed-${failed}-${nth}.png` });
      }
    }
  }
  console.log(`${Object.keys(stories).length - failed} passed, ${failed} failed`);
  return failed;
}
