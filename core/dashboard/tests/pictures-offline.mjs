// Pictures of a till whose core is gone, after those of pictures.mjs: it has a shift, and sells for cash.

import { develop, keys, open, take } from './camera.mjs';

const till = await open(process.env.TILL_URL, 800, 480);
// The line is given up once core has not answered for a while.
await till.locator('.bar[data-link="offline"]').waitFor({ timeout: 120_000 });
await keys(till, ...'1450', 'Enter', '1', 'Enter');
await till.locator('.sale[data-state="succeeded"]').waitFor();
await keys(till, 'Enter');
await till.locator('.bar[data-unsent="1"]').waitFor();
await keys(till, ...'1800');
await till.locator('[data-sum="amount"]').getByText('18.00').waitFor();
await take(till, 'offline');
await develop();
