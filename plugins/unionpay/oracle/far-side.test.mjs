// Our far side against a merchant and an archive reader that are not ours.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import AdmZip from 'adm-zip';
import iconv from 'iconv-lite';
import { inflate } from 'pako';
import { fromAnswer, fromForm, isFromScheme, sign, toForm } from './acp.mjs';

const binary = process.env.SAOMA_SCHEMES ?? fileURLToPath(new URL('../../../target/debug/saoma-schemes', import.meta.url));
const BACK = '/gateway/api/backTransReq.do';
const QUERY = '/gateway/api/queryTrans.do';
let schemes, base, door;

before(async () => {
  assert.ok(existsSync(binary), `${binary} is not there: build it, or set SAOMA_SCHEMES`);
  schemes = spawn(binary, ['unionpay'], { stdio: ['ignore', 'pipe', 'ignore'] });
  for await (const line of createInterface({ input: schemes.stdout })) {
    ({ listening: base, door } = JSON.parse(line));
    break;
  }
});
after(() => schemes.kill());

/** Beijing time. */
const now = (aheadMs = 0) => new Date(Date.now() + 8 * 3_600_000 + aheadMs).toISOString().replace(/\D/g, '').slice(0, 14);

const common = {
  version: '5.1.0', encoding: 'UTF-8', signMethod: '01', certId: '68759663125', bizType: '000000', channelType: '08',
  accessType: '0', merId: '777290058110048',
};

async function post(path, fields) {
  const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=UTF-8' };
  const answer = await fetch(base + path, { method: 'POST', headers, body: toForm(fields) });
  return fromAnswer(await answer.text());
}

async function ask(path, fields) {
  const request = { ...common, ...fields };
  const answer = await post(path, { ...request, signature: sign(request) });
  assert.ok(isFromScheme(answer), JSON.stringify(answer));
  return answer;
}

const play = (path, body, method = 'POST') =>
  fetch(door + path, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body ?? {}) });

const order = (orderId, txnTime) => ({
  txnType: '01', orderId, txnTime, txnAmt: '1250', currencyCode: '156', backUrl: 'http://www.specialUrl.com',
});
const charge = (orderId, txnTime) => ({ ...order(orderId, txnTime), txnSubType: '06', qrNo: '6212345678901234567' });

test('a sale, its refund and the bill of the day', async () => {
  const txnTime = now();
  const shown = await ask(BACK, { ...order('payoracle0001', txnTime), txnSubType: '07', payTimeout: now(300_000) });
  assert.match(shown.qrCode, /^https:\/\/qr\.95516\.com\/\d{8}\/\d+$/);
  assert.equal((await play('/orders/pay_oracle0001/pay')).status, 204);
  const query = { txnType: '00', txnSubType: '00', orderId: 'payoracle0001', txnTime };
  const paid = await ask(QUERY, query);
  assert.deepEqual([paid.respCode, paid.origRespCode, paid.txnAmt], ['00', '00', '1250']);
  const refund = { txnType: '04', txnSubType: '00', txnTime: now(), txnAmt: '250', origQryId: paid.queryId, backUrl: 'http://a/' };
  assert.equal((await ask(BACK, { ...refund, orderId: 'rfdoracle0001' })).respCode, '00');

  const bill = await ask('/', { txnType: '76', txnSubType: '01', txnTime: now(), fileType: '00', settleDate: paid.settleDate });
  assert.equal(bill.respCode, '00');
  const zip = new AdmZip(Buffer.from(inflate(Buffer.from(bill.fileContent, 'base64'))));
  const entries = zip.getEntries();
  assert.deepEqual(entries.map(({ entryName }) => entryName.slice(9)), ['88ZM_777290058110048', '88ZME_777290058110048']);
  // adm-zip compares the CRC-32 of what it reads.
  const bytes = entries[0].getData();
  const rows = bytes.toString('latin1').split('\r\n').filter(Boolean).map((row) => zmColumns(Buffer.from(row, 'latin1')));
  assert.equal(rows.length, 2);
  const [payment, back] = rows;
  assert.deepEqual([payment[0], payment[6], payment[9], payment[11], payment[19]], ['S22', '000000001250', paid.queryId, 'payoracle0001', '01']);
  assert.deepEqual([back[0], back[6], back[11], back[19], back[40]], ['S30', '000000000250', 'rfdoracle0001', '04', 'payoracle0001']);
  assert.deepEqual([payment[15], payment[32], payment[30]], ['D000000000005', 'C000000001245', '门店']);
});

/** The widths of UnionPay's demonstration programs (ZM), one byte between two columns, GBK. */
function zmColumns(line) {
  const widths = [3, 11, 11, 6, 10, 19, 12, 4, 2, 21, 2, 32, 2, 6, 10, 13, 13, 4, 15, 2, 2, 6, 2, 4, 32, 1, 21, 15, 1, 15, 32, 13,
    13, 8, 32, 13, 13, 12, 2, 1, 32, 98];
  assert.equal(line.length, widths.reduce((sum, width) => sum + width + 1, -1));
  let start = 0;
  return widths.map((width) => {
    const column = iconv.decode(line.subarray(start, start + width), 'gbk').trim();
    start += width + 1;
    return column;
  });
}

test('a notification', async () => {
  const txnTime = now();
  assert.equal((await ask(BACK, charge('payoracle0002', txnTime))).respCode, '00');
  const message = async (fault) => {
    const told = await (await play('/notification', { number: 'pay_oracle0002', refund_number: null, fault })).json();
    return fromForm(Buffer.from(told.body_base64, 'base64').toString('utf8'));
  };
  const told = await message(null);
  assert.ok(isFromScheme(told));
  assert.deepEqual([told.orderId, told.txnAmt, told.respCode, told.txnType], ['payoracle0002', '1250', '00', '01']);
  assert.ok(!isFromScheme({ ...told, txnAmt: '1' }));
  assert.ok(!isFromScheme(await message('forged')));
  assert.ok(!isFromScheme(await message('unsigned')));
});

test('what was tampered with is refused, and so is a far side that signs other bytes', async () => {
  const request = { ...common, ...charge('payoracle0003', now()) };
  const signature = sign(request);
  assert.equal((await post(BACK, { ...request, txnAmt: '1', signature })).respCode, '11');
  assert.equal((await post(BACK, { ...request, signature: `A${signature.slice(1)}` })).respCode, '11');
  await play('/next', { act: 'charge', fault: 'forged' });
  assert.ok(!isFromScheme(await post(BACK, { ...request, signature })));
});
