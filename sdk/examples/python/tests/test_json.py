import unittest

from saoma_channel import Fields, from_hex, is_garbled, parsed, settings, text
from tests.failures import failure_of
from wit_world.imports.types import Account


class Json(unittest.TestCase):
    def test_what_is_no_json_object_is_no_answer(self) -> None:
        for body in (
            b"",
            b"<html>",
            b"[]",
            b"null",
            b'{"a":1',
            b'{"a":NaN}',
            b'{"a":1,"a":2}',
            b'\xef\xbb\xbf{"a":1}',
            '{"a":1}'.encode("utf-16"),
            b'{"a":"\xff"}',
            rb'{"a":"\ud800"}',
            b'{"a":' + b"9" * 5_000 + b"}",
            b"[" * 200_000,
        ):
            with self.subTest(body=body[:40]):
                self.assertEqual(failure_of(lambda: parsed(body)), "no-answer")
        self.assertEqual(parsed(rb'{"a":"\ud83d\ude00"}').text("a"), "😀")

    def test_a_field_is_of_its_type_to_the_letter(self) -> None:
        message = parsed(b'{"text":"1","number":1,"fraction":1.0,"yes":true,"none":null,"large":9223372036854775808,"list":[1]}')
        self.assertEqual((message.text("text"), message.integer("number"), message.items("list")), ("1", 1, [1]))
        self.assertEqual((message.optional_text("none"), message.optional_integer("missing")), (None, None))
        for read, names in (
            (Fields.text, ("number", "none", "missing", "list")),
            (Fields.integer, ("text", "fraction", "yes", "none", "large", "missing")),
            (Fields.optional_text, ("number", "yes")),
            (Fields.optional_integer, ("text", "fraction", "large")),
            (Fields.items, ("text", "none", "missing")),
        ):
            for name in names:
                with self.subTest(read=read.__name__, name=name):
                    self.assertEqual(failure_of(lambda: read(message, name)), "no-answer")

    def test_settings(self) -> None:
        account = Account(id="cha_1", settings_json='{"base_url":"https://x.example"}', notify_url="")
        self.assertEqual(settings(account, lambda fields: fields.text("base_url")), "https://x.example")
        self.assertEqual(failure_of(lambda: settings(account, lambda fields: fields.text("merchant_id"))), "misconfigured")


class Texts(unittest.TestCase):
    def test_hex(self) -> None:
        self.assertEqual(from_hex("007fFF"), b"\x00\x7f\xff")
        for other in ("0", "0g", "+1", "é", "00 7f", "00\n"):
            self.assertIsNone(from_hex(other), other)

    def test_encodings(self) -> None:
        # 门店 in GB18030, and 乗, whose second byte is a backslash.
        shop, ride = b"\xc3\xc5\xb5\xea", b"\x81\x5c"
        for content_type, body, expected in (
            ("", "门店".encode(), "门店"),
            ("application/json", b"\xef\xbb\xbf{}", "{}"),
            ("text/csv; charset=GB18030", shop, "门店"),
            ('text/csv; header=present;CharSet = "gbk"', shop, "门店"),
            ("text/csv; charset=gb2312", ride, "乗"),
            ("text/csv; charset=gb18030", b"\x81\x39\xef\x31", "\u3402"),
            ("text/csv; charset=gb18030", b"\xef\xbb\xbf\xe9\x97\xa8", "门"),
            ("text/csv; charset=utf-8", shop, "\ufffd\u0175\ufffd"),
            # Half a letter, and a byte that begins none: the quotation mark and the digit behind them stand.
            ("text/csv; charset=gb18030", b'"\xc3",\xff1', '"\ufffd",\ufffd1'),
        ):
            with self.subTest(content_type=content_type):
                self.assertEqual(text(body, content_type), expected)
        for label in ("klingon", "", "hz-gb-2312"):
            self.assertEqual(failure_of(lambda: text(b"x", f"text/csv; charset={label}")), "no-answer")
        self.assertTrue(is_garbled("a\ufffd") and not is_garbled("门店"))
