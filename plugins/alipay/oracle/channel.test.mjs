// What the channel sends (tests/it/snapshots), checked by Alipay's SDK: the same text, the same signature, byte for byte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pem, sdk, snapshot } from './stage.mjs';

const names = ['precreate', 'pay', 'query', 'cancel', 'close', 'refund', 'refund_query', 'bill', 'query_with_certificates'];
const script = (alipayKey) => ({
  settings: { app_id: '2014072300007148', gateway_url: 'https://openapi.alipay.com/gateway.do' },
  secrets: { 'app-private-key': pem('test-app-private.pem'), 'alipay-public-key': alipayKey },
});

for (const name of names) {
  test(name, () => {
    const { text, url, form } = snapshot(name);
    const sent = Object.fromEntries([...new URL(url).searchParams, ...new URLSearchParams(form)]);
    const { sign, method, biz_content, ...common } = sent;

    // As Alipay would: sort, join, verify with the application's public key.
    const joined = Object.entries({ method, biz_content, ...common }).sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([field, value]) => `${field}=${value}`).join('&');
    assert.equal(joined, text);
    const gateway = sdk(script(pem('test-app-public.pem')));
    assert.equal(gateway.rsaCheck(joined, sign), true);
    assert.equal(gateway.rsaCheck(joined.replace('pay_a', 'pay_b').replace('2023', '2024'), sign), false);

    // As the SDK would send it itself.
    const params = { bizContent: JSON.parse(biz_content), format: common.format, timestamp: common.timestamp };
    if (common.notify_url) params.notifyUrl = common.notify_url;
    const merchant = sdk(script(pem('test-alipay-public.pem')), name === 'query_with_certificates');
    const ours = new URLSearchParams(merchant.sdkExecute(method, params, { bizContentAutoSnakeCase: false }));
    assert.deepEqual(Object.fromEntries(ours), sent);
  });
}
