// The code that the channel makes, read by pix-utils.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import pixUtils from "pix-utils";

const { hasError, parsePix } = pixUtils;
const code = readFileSync(new URL("../tests/code.txt", import.meta.url), "utf8").trimEnd();

test("the code leads to the charge", () => {
  const pix = parsePix(code);
  assert.equal(hasError(pix), false);
  assert.equal(pix.type, "DYNAMIC");
  assert.equal(pix.url, "pix.example.com/qr/v2/2353c790eefb11eaadc10242ac120002");
  assert.deepEqual(
    [pix.merchantName, pix.merchantCity, pix.countryCode, pix.transactionCurrency],
    ["Padaria do Joao", "SAO PAULO", "BR", "986"],
  );
});

test("a changed code is refused", () => {
  for (const [from, to] of [["SAO", "RIO"], ["2353c790", "2353c791"], ["5802BR", "5802PT"]]) {
    assert.notEqual(code.replace(from, to), code);
    assert.equal(hasError(parsePix(code.replace(from, to))), true, to);
  }
});
