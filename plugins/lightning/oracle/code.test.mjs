// What the channel hands to core, read by two decoders of BOLT 11.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import bech32 from "bech32";
import bolt11 from "bolt11";
import light from "light-bolt11-decoder";

const payee = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
const code = readFileSync(new URL("../tests/code.txt", import.meta.url), "utf8").trimEnd();
const memo = "Noodle Bar: Beef noodles | 12.50 USD at 49500.00 | pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const invoice = code.replace(/^LIGHTNING:/, "");

test("the code is the order's invoice", () => {
  // A URI of capital letters, digits and a colon: what QR codes have a smaller alphabet for.
  assert.match(code, /^LIGHTNING:[A-Z0-9]+$/);
  const one = bolt11.decode(invoice);
  // 12.50 at 49,500.00 a bitcoin, rounded up to a satoshi.
  assert.deepEqual([one.satoshis, one.payeeNodeKey, one.network.bech32], [Math.ceil((12.5 / 49_500) * 1e8), payee, "bcrt"]);
  assert.deepEqual([one.timestamp, one.timeExpireDate], [1_700_000_000, 1_700_000_120]);
  assert.equal(one.tags.find((tag) => tag.tagName === "description").data, memo);
  const two = light.decode(invoice);
  assert.deepEqual([two.description, two.expiry], [memo, 120]);
});

test("a changed code is refused", () => {
  const at = invoice.length - 40;
  const changed = invoice.slice(0, at) + (invoice[at] === "Q" ? "P" : "Q") + invoice.slice(at + 1);
  assert.throws(() => bolt11.decode(changed), /checksum/i);
  assert.throws(() => light.decode(changed), /checksum/i);
});

test("an invoice that was changed and given a new checksum is another payee's", () => {
  const { prefix, words } = bech32.decode(invoice, 4_096);
  const cheaper = bech32.encode(prefix.replace("252530n", "25253n"), words, 4_096);
  let key;
  try {
    key = bolt11.decode(cheaper).payeeNodeKey;
  } catch {
    // No key at all fits the signature.
  }
  assert.notEqual(key, payee);
});
