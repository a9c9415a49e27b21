import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { decimal, fromDecimal, fromHex, isGarbled, text, toHex, utf8, utf8Bytes, utf8Lossy } from '../src/index.ts';

/** Bytes that look like text and are not, the same in every run. */
function* scraps(n_scraps: number): Generator<Uint8Array> {
  let state = 1;
  const draw = (below: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const pieces = [...'a"\\|1é门𠮷', '\u0000', '\u{10ffff}'].map((letter) => [...Buffer.from(letter)]);
  const broken = [[0xc0], [0xe0, 0x9f], [0xed, 0xa0, 0x80], [0xf4, 0x90], [0xff], [0x80], [0x81], [0x81, 0x30], [0xc3, 0xc5], [0xef, 0xbf]];
  for (let n = 0; n < n_scraps; n++) {
    const length = draw(12);
    yield Uint8Array.from(Array.from({ length }, () => [...pieces, ...broken][draw(pieces.length + broken.length)] ?? []).flat());
  }
}

test('UTF-8 reads as Node reads it', () => {
  const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (const bytes of scraps(20_000)) {
    const expected = (() => {
      try {
        return strict.decode(bytes);
      } catch {
        return null;
      }
    })();
    assert.equal(utf8(bytes), expected, toHex(bytes));
    assert.equal(utf8Lossy(bytes), new TextDecoder().decode(bytes), toHex(bytes));
  }
  // Over several pieces, with the cut at every place of a letter, whole and broken.
  for (let shift = 0; shift < 8; shift++) {
    const long = 'x'.repeat(shift) + '门店 coffee 𠮷'.repeat(1_000);
    assert.equal(utf8(utf8Bytes(long)), long);
    const broken = Uint8Array.from(utf8Bytes(long), (byte, at) => (at % 1_021 === 7 ? 0x80 : byte));
    assert.equal(utf8(broken), null);
    assert.equal(utf8Lossy(broken), new TextDecoder().decode(broken));
    const stray = new Uint8Array(9_000).fill(0x80 + shift);
    assert.equal(utf8Lossy(stray), new TextDecoder().decode(stray));
  }
  assert.equal(utf8Lossy(Uint8Array.of(0xef, 0xbb, 0xbf, 0x7b)), '{');
});

test('UTF-8 is written as Node writes it', () => {
  for (const text of ['', 'a', 'é', '门店', '𠮷', 'a\ud800b', '\udc00', '\u07ff\u0800\uffff\u{10000}']) {
    assert.deepEqual(utf8Bytes(text), new Uint8Array(new TextEncoder().encode(text)), JSON.stringify(text));
  }
});

test('GB18030 reads as Node reads it, where it is well formed', () => {
  const decoder = new TextDecoder('gb18030');
  const of = (bytes: number[]): string => text(Uint8Array.from(bytes), 'text/csv; charset=GB18030');
  for (let lead = 0x81; lead <= 0xfe; lead++) {
    const row = Array.from({ length: 0xff - 0x80 }, (_, idx) => [lead, 0x80 + idx]).flat();
    assert.equal(of(row), decoder.decode(Uint8Array.from(row)), `lead ${lead}`);
    const long = [lead, 0x30, 0x81, 0x30, lead, 0x35, 0xfe, 0x39];
    const expected = decoder.decode(Uint8Array.from(long));
    if (!isGarbled(expected)) assert.equal(of(long), expected, `four bytes from ${lead}`);
  }
});

test('encodings', () => {
  const shop = [0xc3, 0xc5, 0xb5, 0xea];
  for (const [contentType, bytes, expected] of [
    ['', [...Buffer.from('门店')], '门店'],
    ['application/json', [0xef, 0xbb, 0xbf, 0x7b, 0x7d], '{}'],
    ['text/csv; charset=GB18030', shop, '门店'],
    ['text/csv; header=present;CharSet = "gbk"', shop, '门店'],
    ['text/csv; charset=gb2312', [0x81, 0x5c], '乗'],
    ['text/csv; charset=gb18030', [0x81, 0x39, 0xef, 0x31], '\u3402'],
    ['text/csv; charset=gb18030', [0xef, 0xbb, 0xbf, 0xe9, 0x97, 0xa8], '门'],
    ['text/csv; charset=utf-8', shop, '\ufffdŵ\ufffd'],
    // Half a letter, and a byte that begins none: the quotation mark and the digit behind them stand.
    ['text/csv; charset=gb18030', [0x22, 0xc3, 0x22, 0x2c, 0xff, 0x31], '"\ufffd",\ufffd1'],
  ] as const) {
    assert.equal(text(Uint8Array.from(bytes), contentType), expected, contentType);
  }
  for (const label of ['klingon', 'hz-gb-2312', '']) {
    assert.throws(() => text(Uint8Array.of(0x78), `text/csv; charset=${label}`), { failed: { tag: 'no-answer', val: `its encoding "${label}" is not known` } });
  }
});

test('hex', () => {
  assert.equal(toHex(Uint8Array.of(0x00, 0x7f, 0xff)), '007fff');
  assert.deepEqual(fromHex('007fFF'), Uint8Array.of(0x00, 0x7f, 0xff));
  for (const text of ['0', '0g', '+1', 'é', '0x']) assert.equal(fromHex(text), null, text);
});

test('amounts, there and back', () => {
  for (const [minor, currency, written] of [
    [1250, 'CNY', '12.50'],
    [5, 'CNY', '0.05'],
    [0, 'CNY', '0.00'],
    [-75, 'CNY', '-0.75'],
    [1250, 'JPY', '1250'],
    [1250, 'KWD', '1.250'],
    [999_999_999_999, 'CNY', '9999999999.99'],
  ] as const) {
    assert.equal(decimal({ minor, currency }), written);
    assert.deepEqual(fromDecimal(written, currency), { minor, currency });
  }
  assert.equal(fromDecimal('12.5', 'CNY')?.minor, 1250);
  assert.equal(fromDecimal('12', 'CNY')?.minor, 1200);
  assert.ok(Object.is(fromDecimal('-0.00', 'CNY')?.minor, 0));
});

test('other texts are no amounts', () => {
  for (const [written, currency] of [
    ['', 'CNY'], ['-', 'CNY'], ['.5', 'CNY'], ['1.', 'CNY'], ['1.234', 'CNY'], ['1.0', 'JPY'], ['1,000.00', 'CNY'], ['01.00', 'CNY'],
    [' 1.00', 'CNY'], ['1.00\n', 'CNY'], ['+1.00', 'CNY'], ['--1.00', 'CNY'], ['1e3', 'CNY'], ['１.00', 'CNY'],
    ['99999999999999999999', 'CNY'], ['1.00', 'XXX'], ['1.00', 'toString'],
  ] as const) {
    assert.equal(fromDecimal(written, currency), null, `${written} ${currency}`);
  }
  for (const minor of [0.5, Number.NaN, 2 ** 53]) assert.equal(decimal({ minor, currency: 'CNY' }), null, String(minor));
  assert.equal(decimal({ minor: 1, currency: 'XXX' }), null);
});

test('the currencies are those of core', () => {
  const table = readFileSync('../protocol/src/money.rs', 'utf8').matchAll(/^ {4}\("([A-Z]{3})", \d+, (\d)\),$/gm);
  const rows = [...table].map(([, currency = '', digits]) => ({ currency, digits: Number(digits) }));
  assert.ok(rows.length > 20, 'the table of sdk/protocol is not where it was');
  for (const { currency, digits } of rows) {
    assert.equal(decimal({ minor: 10 ** digits, currency }), digits === 0 ? '1' : `1.${'0'.repeat(digits)}`, currency);
  }
});
