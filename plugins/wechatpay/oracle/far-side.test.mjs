// wechatpay-axios-plugin, as a merchant's own software uses it, at our far side: it must be satisfied with every answer, and must
// refuse the tampered ones.

import assert from 'node:assert/strict';
import { createDecipheriv, createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';

import wechatpay from 'wechatpay-axios-plugin';

import { client, farSide, keys } from './far-side.mjs';

const { Aes, Formatter, Rsa } = wechatpay;
const publicKey = readFileSync(new URL('public-key.pem', keys));
const dayMs = 86_400_000;
const today = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10);
let codes = 130_061_098_828n;

let stage;
let certs;
let merchant;

before(async () => {
  stage = await farSide();
  certs = { [stage.script.settings.wechatpay_public_key_id]: publicKey };
  merchant = client(stage, certs);
});
after(() => stage.stop());

const charge = (number) => ({
  appid: stage.script.settings.appid,
  mchid: stage.script.settings.mchid,
  description: '茶',
  out_trade_no: number,
  amount: { total: 1250, currency: 'CNY' },
  payer: { auth_code: `${(codes += 1n)}000000` },
  scene_info: { store_info: { out_id: 's1' } },
});
const pay = (number) => merchant.chain('v3/pay/transactions/codepay').post(charge(number));
const order = (number) => `v3/pay/transactions/out-trade-no/${number}`;
const code = (call) => call.then(
  () => assert.fail('it was taken'),
  (error) => error.response?.data?.code ?? error.code,
);

test('a charge, its query, a refund and its query', async () => {
  const { mchid } = stage.script.settings;
  assert.equal((await pay('oracle-charge')).data.trade_state, 'SUCCESS');
  const told = await merchant.chain(order('oracle-charge')).get({ params: { mchid } });
  assert.equal(told.data.amount.total, 1250);
  const refund = { out_trade_no: 'oracle-charge', out_refund_no: 'oracle-refund', amount: { refund: 5, total: 1250, currency: 'CNY' } };
  assert.equal((await merchant.chain('v3/refund/domestic/refunds').post(refund)).data.status, 'SUCCESS');
  assert.equal((await merchant.chain('v3/refund/domestic/refunds/oracle-refund').get()).data.amount.refund, 5);
});

test('a code, closed; a charge, reversed', async () => {
  const { appid, mchid } = stage.script.settings;
  const { payer, scene_info, ...announced } = charge('oracle-native');
  const native = await merchant.chain('v3/pay/transactions/native').post({ ...announced, notify_url: 'https://pay.example/n' });
  assert.match(native.data.code_url, /^weixin:\/\/wxpay\/bizpayurl\?pr=/);
  assert.equal((await merchant.chain(`${order('oracle-native')}/close`).post({ mchid })).status, 204);
  await pay('oracle-reversed');
  await merchant.chain(`${order('oracle-reversed')}/reverse`).post({ appid, mchid });
  assert.equal((await merchant.chain(order('oracle-reversed')).get({ params: { mchid } })).data.trade_state, 'REVOKED');
});

test('a bill, by its hash and its columns', async (context) => {
  await pay('oracle-billed');
  await stage.ask('PUT', '/clock', { ahead_ms: 2 * dayMs });
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * dayMs });
  const { data } = await merchant.chain('v3/bill/tradebill').get({ params: { bill_date: today, bill_type: 'ALL' } });
  const file = await merchant.chain('v3/billdownload/file').get({
    params: { token: new URL(data.download_url).searchParams.get('token') },
    responseType: 'arraybuffer',
  });
  assert.equal(createHash('sha1').update(file.data).digest('hex'), data.hash_value);
  const { rows, summary } = Formatter.castCsvBill(file.data);
  const row = rows.find((one) => one['商户订单号'] === 'oracle-billed');
  assert.deepEqual([row['交易状态'], row['订单金额'], row['手续费']], ['SUCCESS', '12.50', '0.08000']);
  assert.equal(Number(summary['总交易单数']), rows.length);
  await stage.ask('PUT', '/clock', { ahead_ms: 0 });
});

test('a fund bill, by its hash, its columns and its sums', async (context) => {
  const paying = await farSide('--withdraws');
  try {
    const shop = client(paying, { [paying.script.settings.wechatpay_public_key_id]: publicKey });
    await shop.chain('v3/pay/transactions/codepay').post(charge('oracle-funds'));
    await paying.ask('PUT', '/clock', { ahead_ms: 2 * dayMs });
    context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * dayMs });
    const { data } = await shop.chain('v3/bill/fundflowbill').get({ params: { bill_date: today, account_type: 'BASIC' } });
    const file = await shop.chain('v3/billdownload/file').get({
      params: { token: new URL(data.download_url).searchParams.get('token') },
      responseType: 'arraybuffer',
    });
    assert.equal(createHash('sha1').update(file.data).digest('hex'), data.hash_value);
    const { rows, summary } = Formatter.castCsvBill(file.data);
    const told = rows.map((row) => [row['业务类型'], row['收支类型'], row['收支金额(元)'], row['账户结余(元)']]);
    assert.deepEqual(told, [
      ['交易', '收入', '12.50', '12.50'],
      ['扣除交易手续费', '支出', '0.08', '12.42'],
      ['提现', '支出', '12.42', '0.00'],
    ]);
    assert.deepEqual([Number(summary['资金流水总笔数']), summary['收入金额'], summary['支出金额']], [3, '12.50', '12.50']);
  } finally {
    paying.stop();
  }
});

test("a sub-merchant's fund bill, its keys opened by the plugin's own decryption, its pieces by OpenSSL", async (context) => {
  const providing = await farSide('--withdraws', '--partner');
  try {
    const { settings, secrets } = providing.script;
    const shop = client(providing, { [settings.wechatpay_public_key_id]: publicKey });
    const { appid: sp_appid, mchid: sp_mchid, ...sale } = charge('oracle-sealed');
    await shop.chain('v3/pay/partner/transactions/codepay').post({ sp_appid, sp_mchid, sub_mchid: settings.sub_mchid, ...sale });
    await providing.ask('PUT', '/clock', { ahead_ms: 2 * dayMs });
    context.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * dayMs });
    const params = { sub_mchid: settings.sub_mchid, bill_date: today, account_type: 'BASIC', algorithm: 'AEAD_AES_256_GCM' };
    const fetchBill = async () => {
      const { data } = await shop.chain('v3/bill/sub-merchant-fundflowbill').get({ params });
      const list = data.download_bill_list.sort((one, other) => one.bill_sequence - other.bill_sequence);
      assert.equal(list.length, data.download_bill_count);
      return list;
    };
    const pieces = [];
    for (const { download_url: url, encrypt_key: sealedKey, nonce, hash_value: hash } of await fetchBill()) {
      const token = new URL(url).searchParams.get('token');
      const { data } = await shop.chain('v3/billdownload/file').get({ params: { token }, responseType: 'arraybuffer' });
      const key = Rsa.decrypt(sealedKey, secrets['merchant-key']);
      const opening = createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(data.subarray(-16));
      pieces.push(Buffer.concat([opening.update(data.subarray(0, -16)), opening.final()]));
      assert.equal(createHash('sha1').update(pieces.at(-1)).digest('hex'), hash);
    }
    const { rows } = Formatter.castCsvBill(Buffer.concat(pieces));
    assert.deepEqual(rows.map((row) => row['业务类型']), ['交易', '扣除交易手续费', '提现']);
    await providing.arm('bill', 'wrong-number');
    const [{ encrypt_key: strangers }] = await fetchBill();
    assert.throws(() => Rsa.decrypt(strangers, secrets['merchant-key']));
  } finally {
    providing.stop();
  }
});

test('a notification, verified and opened', async () => {
  await pay('oracle-told');
  const told = async (fault) => {
    const { body } = await stage.ask('POST', '/notification', { number: 'oracle-told', refund_number: null, fault });
    const headers = Object.fromEntries(body.headers);
    const text = Buffer.from(body.body_base64, 'base64').toString();
    const signed = Formatter.response(headers['wechatpay-timestamp'], headers['wechatpay-nonce'], text);
    return { text, headers, isSigned: Rsa.verify(signed, headers['wechatpay-signature'], Rsa.from(publicKey, Rsa.KEY_TYPE_PUBLIC)) };
  };
  const { text, isSigned } = await told(null);
  assert.ok(isSigned);
  const { ciphertext, nonce, associated_data: data } = JSON.parse(text).resource;
  const key = stage.script.secrets['apiv3-key'];
  const opened = JSON.parse(Aes.AesGcm.decrypt(ciphertext, key, nonce, data));
  assert.deepEqual([opened.out_trade_no, opened.amount.total], ['oracle-told', 1250]);
  assert.throws(() => Aes.AesGcm.decrypt(ciphertext, key, nonce, 'other'));
  assert.ok(!(await told('forged')).isSigned);
});

test('tampered answers and requests are refused', async () => {
  for (const [fault, refused] of [['forged', 'EV3_RES_HEADER_SIGNATURE_DIGEST'], ['unsigned', 'EV3_RES_HEADERS_INCOMPLATE']]) {
    await stage.arm('charge', fault);
    assert.equal(await code(pay(`oracle-${fault}`)), refused);
  }
  const other = client(stage, certs, { privateKey: readFileSync(new URL('platform.key', keys)) });
  assert.equal(await code(other.chain('v3/pay/transactions/codepay').post(charge('oracle-stranger'))), 'SIGN_ERROR');
  assert.equal((await stage.ask('GET', '/orders/oracle-stranger')).status, 404);
  await stage.ask('PUT', '/clock', { ahead_ms: dayMs });
  assert.equal(await code(pay('oracle-late')), 'SIGN_ERROR');
  await stage.ask('PUT', '/clock', { ahead_ms: 0 });
});

test('platform certificates, opened and used', async () => {
  const changing = await farSide('--signing', 'next-certificate');
  try {
    const held = new X509Certificate(changing.script.secrets['wechatpay-keys']);
    const list = await fetchCertificates(changing, held);
    assert.equal(list.length, 2);
    for (const { serial, certificate } of list) {
      assert.equal(new X509Certificate(certificate).serialNumber, serial);
    }
    const { mchid } = changing.script.settings;
    const query = (believed) => client(changing, believed).chain('v3/pay/transactions/codepay').post(charge('oracle-next'));
    assert.equal(await code(query({ [held.serialNumber]: changing.script.secrets['wechatpay-keys'] })), 'EV3_RES_HEADER_PLATFORM_SERIAL');
    const all = Object.fromEntries(list.map(({ serial, certificate }) => [serial, certificate]));
    const told = await client(changing, all).chain(order('oracle-next')).get({ params: { mchid } });
    assert.equal(told.data.trade_state, 'SUCCESS');
  } finally {
    changing.stop();
  }
});

/** The list, verified by the certificate that is held, and opened. */
async function fetchCertificates(changing, held) {
  const { data } = await client(changing, { [held.serialNumber]: held.toString() }).chain('v3/certificates').get();
  const key = changing.script.secrets['apiv3-key'];
  return data.data.map(({ serial_no: serial, encrypt_certificate: { ciphertext, nonce, associated_data: more } }) => ({
    serial,
    certificate: Aes.AesGcm.decrypt(ciphertext, key, nonce, more),
  }));
}
