// Alipay's SDK, as a merchant uses it, talks to our far side and checks every signature.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { unzipSync } from 'fflate';
import { farSide, sdk } from './stage.mjs';

let scheme;
before(async () => { scheme = await farSide(); });
after(() => scheme.stop());

const beijing = (ahead) => new Date(Date.now() + ahead + 8 * 3_600_000).toISOString().slice(0, 19).replace('T', ' ');
const order = (outTradeNo, more = {}) =>
  ({ outTradeNo, totalAmount: '12.50', subject: '大杯 "large"', timeExpire: beijing(120_000), ...more });

for (const certificates of [false, true]) {
  test(`a sale, its refund and its undoing, ${certificates ? 'with certificates' : 'with public keys'}`, async () => {
    const merchant = sdk(scheme.script, certificates);
    const call = (method, bizContent) => merchant.exec(method, { bizContent }, { validateSign: true });
    const [paid, shown] = [`n1_${certificates}`, `n2_${certificates}`];
    const sale = await call('alipay.trade.pay', order(paid, { scene: 'bar_code', authCode: scheme.script.code }));
    assert.deepEqual([sale.code, sale.totalAmount, sale.outTradeNo], ['10000', '12.50', paid]);
    const refund = { outTradeNo: paid, refundAmount: '2.50', outRequestNo: 'r1' };
    assert.equal((await call('alipay.trade.refund', refund)).fundChange, 'Y');
    assert.equal((await call('alipay.trade.fastpay.refund.query', refund)).refundStatus, 'REFUND_SUCCESS');
    assert.equal((await call('alipay.trade.query', { outTradeNo: paid })).tradeStatus, 'TRADE_SUCCESS');

    assert.match((await call('alipay.trade.precreate', order(shown))).qrCode, /^https:\/\/qr\.alipay\.com\//);
    assert.equal((await call('alipay.trade.query', { outTradeNo: shown })).subCode, 'ACQ.TRADE_NOT_EXIST');
    await scheme.ask('POST', `/orders/${shown}/pay`);
    assert.equal((await call('alipay.trade.cancel', { outTradeNo: shown })).action, 'refund');
    assert.equal((await call('alipay.trade.close', { outTradeNo: shown })).subCode, 'ACQ.REASON_TRADE_STATUS_INVALID');
  });
}

test('a far side in certificate mode takes what the SDK sends in that mode, and no other', async () => {
  const strict = await farSide('--certificates');
  try {
    const query = (certificates) =>
      sdk(certificates ? strict.script : { ...strict.script, secrets: { ...strict.script.secrets, 'alipay-public-key': scheme.script.secrets['alipay-public-key'] } }, certificates)
        .exec('alipay.trade.query', { bizContent: { outTradeNo: 'n3' } }, { validateSign: true });
    assert.equal((await query(true)).subCode, 'ACQ.TRADE_NOT_EXIST');
    assert.equal((await query(false)).subCode, 'isv.missing-app-cert-sn');
    // The serials that the settings name are those that the SDK works out from the certificates.
    const { appCertSn, alipayRootCertSn } = sdk(strict.script, true).config;
    assert.deepEqual([strict.script.settings.app_cert_sn, strict.script.settings.alipay_root_cert_sn], [appCertSn, alipayRootCertSn]);
  } finally {
    strict.stop();
  }
});

test('the SDK refuses an answer whose signature is of other bytes', async () => {
  const merchant = sdk(scheme.script);
  for (const fault of ['forged', 'unsigned']) {
    await scheme.ask('POST', '/next', { act: 'query', fault });
    const asked = merchant.exec('alipay.trade.query', { bizContent: { outTradeNo: 'n1_false' } }, { validateSign: true });
    await assert.rejects(asked, fault);
  }
});

test('the far side refuses what the SDK signs with another key', async () => {
  const other = { ...scheme.script, secrets: { ...scheme.script.secrets } };
  const { generateKeyPairSync } = await import('node:crypto');
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  other.secrets['app-private-key'] = privateKey.export({ type: 'pkcs8', format: 'pem' });
  const answer = await sdk(other).exec('alipay.trade.query', { bizContent: { outTradeNo: 'n1_false' } }, { validateSign: true });
  assert.equal(answer.subCode, 'isv.invalid-signature');
});

test('notifications: the SDK believes the honest ones alone', async () => {
  const merchant = sdk(scheme.script);
  const message = async (refund_number, fault) => {
    const { body_base64 } = await scheme.ask('POST', '/notification', { number: 'n1_false', refund_number, fault });
    return Object.fromEntries(new URLSearchParams(Buffer.from(body_base64, 'base64').toString()));
  };
  for (const refund of [null, 'r1']) {
    const honest = await message(refund, null);
    assert.equal(merchant.checkNotifySignV2(honest), true);
    assert.equal(merchant.checkNotifySignV2({ ...honest, total_amount: '12.51' }), false);
    assert.equal(merchant.checkNotifySignV2({ ...honest, extra: '1' }), false);
  }
  assert.equal(merchant.checkNotifySignV2(await message(null, 'forged')), false);
  assert.equal(merchant.checkNotifySignV2(await message(null, 'unsigned')), false);
});

test('the bill: another ZIP reader and another GBK decoder', async () => {
  const day = beijing(0).slice(0, 10);
  await scheme.ask('PUT', '/clock', { ahead_ms: 86_400_000 });
  const merchant = sdk(scheme.script);
  const params = { timestamp: beijing(86_400_000), bizContent: { billType: 'trade', billDate: day } };
  const { billDownloadUrl } = await merchant.exec('alipay.data.dataservice.bill.downloadurl.query', params, { validateSign: true });
  const zip = unzipSync(new Uint8Array(await (await fetch(billDownloadUrl)).arrayBuffer()));
  const [rows] = Object.entries(zip).filter(([name]) => !name.includes('汇总')).map(([, bytes]) => new TextDecoder('gbk').decode(bytes));
  const lines = rows.split('\r\n').filter((line) => line && !line.startsWith('#'));
  assert.match(lines[0], /^支付宝交易号,商户订单号,业务类型/);
  const told = lines.slice(1).map((line) => line.split(',').map((field) => field.trim())).map((row) => [row[1], row[2], row[11], row[21]]);
  assert.deepEqual(told.filter(([number]) => number === 'n1_false'), [['n1_false', '交易', '12.50', ''], ['n1_false', '退款', '-2.50', 'r1']]);
  await scheme.ask('PUT', '/clock', { ahead_ms: 0 });
});
