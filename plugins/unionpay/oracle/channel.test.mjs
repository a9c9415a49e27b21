// What our channel emits: the bodies in tests/snapshots, signed there with the committed test key.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { fromForm, merchant, sign, verifies } from './acp.mjs';

const folder = new URL('../tests/snapshots/', import.meta.url);
const vectors = readdirSync(folder)
  .filter((name) => name.endsWith('.snap'))
  .map((name) => [name.replace(/^vectors__|\.snap$/g, ''), readFileSync(new URL(name, folder), 'utf8').split('---\n')[2].trim()]);

test('there are bodies to check', () => {
  assert.deepEqual(vectors.map(([name]) => name).sort(), ['bill', 'charge', 'create', 'query', 'refund', 'reverse', 'void']);
});

for (const [name, body] of vectors) {
  test(`${name}: signed by the merchant, byte for byte as node-forge signs it`, () => {
    const fields = fromForm(body);
    assert.ok(verifies(fields, merchant.certificate.publicKey));
    assert.equal(fields.signature, sign(fields));
    // The certificate's serial number, in decimal.
    assert.equal(fields.certId, BigInt(`0x${merchant.certificate.serialNumber}`).toString());
  });

  test(`${name}: any field that is changed, added or left out breaks the signature`, () => {
    const fields = fromForm(body);
    for (const field of Object.keys(fields).filter((field) => field !== 'signature')) {
      assert.ok(!verifies({ ...fields, [field]: `${fields[field]}0` }, merchant.certificate.publicKey), field);
      const { [field]: _, ...without } = fields;
      assert.ok(!verifies(without, merchant.certificate.publicKey), field);
    }
    assert.ok(!verifies({ ...fields, reserved: '1' }, merchant.certificate.publicKey));
  });

  test(`${name}: fields of the documents' form`, () => {
    const fields = fromForm(body);
    const forms = {
      version: /^5\.1\.0$/, encoding: /^UTF-8$/, signMethod: /^01$/, txnType: /^\d{2}$/, txnSubType: /^\d{2}$/, bizType: /^000000$/,
      channelType: /^0[78]$/, accessType: /^0$/, merId: /^\d{15}$/, orderId: /^[A-Za-z0-9]{8,40}$/, txnTime: /^\d{14}$/,
      txnAmt: /^[1-9]\d{0,11}$/, currencyCode: /^156$/, backUrl: /^.{1,256}$/, termId: /^.{8}$/, qrNo: /^\d{1,20}$/,
      payTimeout: /^\d{14}$/, origQryId: /^\d{20,21}$/, fileType: /^00$/, settleDate: /^\d{4}$/, certId: /^\d+$/, signature: /^.+$/,
    };
    for (const [field, value] of Object.entries(fields)) assert.match(value, forms[field] ?? /^$/, field);
  });
}

test('a notification address with a query and Chinese comes through the form', () => {
  const [, create] = vectors.find(([name]) => name === 'create');
  assert.equal(fromForm(create).backUrl, 'https://pay.example/n/cha_1?shop=门店&till=1');
});
