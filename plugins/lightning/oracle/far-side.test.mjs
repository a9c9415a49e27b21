// The simulated node's invoices, read by two decoders of BOLT 11.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import test, { after, before } from "node:test";

import bolt11 from "bolt11";
import light from "light-bolt11-decoder";

import { ask, open, play } from "./stage.mjs";

// BOLT 11 names the key that belongs to the private one of its examples, by which the node signs.
const payee = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
let node;

before(async () => {
  node = await open();
});

after(() => node.stop());

async function add(asked) {
  const { status, body } = await ask(node, "POST", "/v1/invoices", asked);
  assert.equal(status, 200, JSON.stringify(body));
  return body;
}

const tag = (decoded, name) => decoded.tags.find((tag) => tag.tagName === name)?.data;

for (const [value_msat, memo, isPrivate] of [
  ["25253000", "Noodle Bar: Beef noodles | 12.50 USD at 49500.00 | pay_aaaaaaaaaaaaaaaaaaaaaaaaaa", false],
  ["1000", "面馆：牛肉面 🍜", true],
  ["100000000000", "", false],
]) {
  test(`an invoice of ${value_msat} msat says the same to both`, async () => {
    const preimage = randomBytes(32);
    const hash = createHash("sha256").update(preimage).digest("hex");
    const r_preimage = preimage.toString("base64");
    const added = await add({ memo, value_msat, expiry: "120", private: isPrivate, r_preimage });
    assert.equal(Buffer.from(added.r_hash, "base64").toString("hex"), hash);
    const secret = Buffer.from(added.payment_addr, "base64").toString("hex");

    const one = bolt11.decode(added.payment_request);
    assert.deepEqual([one.millisatoshis, one.payeeNodeKey, one.network.bech32], [value_msat, payee, "bcrt"]);
    assert.deepEqual([tag(one, "payment_hash"), tag(one, "payment_secret")], [hash, secret]);
    assert.deepEqual([tag(one, "description"), tag(one, "expire_time")], [memo, 120]);
    assert.equal(tag(one, "min_final_cltv_expiry"), 80);
    assert.equal(tag(one, "routing_info")?.length, isPrivate ? 1 : undefined);
    assert.ok(Math.abs(one.timestamp - Date.now() / 1000) < 60);

    const two = light.decode(added.payment_request);
    const section = (name) => two.sections.find((section) => section.name === name)?.value;
    assert.deepEqual([section("amount"), two.payment_hash, two.description], [value_msat, hash, memo]);
    assert.deepEqual([two.expiry, section("timestamp")], [120, one.timestamp]);
    assert.equal(two.feature_bits.payment_secret, "required");
    assert.equal(two.feature_bits.var_onion_optin, "required");
    assert.equal(two.route_hints.length, isPrivate ? 1 : 0);
  });
}

test("an invoice is paid, and its preimage fits", async () => {
  const { r_hash } = await add({ memo: "x | 1.00 USD at 49500.00 | pay_zzzzzzzzzzzzzzzzzzzzzzzzzz", value: "2021", expiry: "120" });
  const path = `/v1/invoice/${Buffer.from(r_hash, "base64").toString("hex")}`;
  assert.equal((await ask(node, "GET", path)).body.state, "OPEN");
  assert.equal(await play(node, "POST", "/orders/pay_zzzzzzzzzzzzzzzzzzzzzzzzzz/pay"), 204);
  const { body } = await ask(node, "GET", path);
  assert.deepEqual([body.state, body.amt_paid_msat], ["SETTLED", "2021000"]);
  assert.equal(createHash("sha256").update(Buffer.from(body.r_preimage, "base64")).digest("base64"), r_hash);
});
