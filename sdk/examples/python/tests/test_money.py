import re
import unittest
from pathlib import Path

from saoma_channel import MoneyText, decimal, from_decimal
from saoma_channel.money import _MINOR_DIGITS
from wit_world.imports.types import Money

RUST_TABLE = Path(__file__).parents[3] / "protocol" / "src" / "money.rs"


class Amounts(unittest.TestCase):
    def test_there_and_back(self) -> None:
        for minor, currency, text in (
            (1250, "CNY", "12.50"),
            (5, "CNY", "0.05"),
            (0, "CNY", "0.00"),
            (-75, "CNY", "-0.75"),
            (1250, "JPY", "1250"),
            (0, "JPY", "0"),
            (1250, "KWD", "1.250"),
            (999_999_999_999, "CNY", "9999999999.99"),
        ):
            with self.subTest(text=text, currency=currency):
                self.assertEqual(decimal(Money(minor, currency)), text)
                self.assertEqual(from_decimal(text, currency), Money(minor, currency))
        self.assertEqual(from_decimal("12.5", "CNY").minor, 1250)
        self.assertEqual(from_decimal("12", "CNY").minor, 1200)

    def test_other_texts_are_no_amounts(self) -> None:
        for text, currency in (
            ("", "CNY"),
            ("-", "CNY"),
            (".5", "CNY"),
            ("1.", "CNY"),
            ("1.234", "CNY"),
            ("1.0", "JPY"),
            ("1,000.00", "CNY"),
            ("1_000.00", "CNY"),
            ("01.00", "CNY"),
            (" 1.00", "CNY"),
            ("1.00\n", "CNY"),
            ("+1.00", "CNY"),
            ("--1.00", "CNY"),
            ("1e3", "CNY"),
            ("NaN", "CNY"),
            ("１.00", "CNY"),
            ("٣.00", "CNY"),
            ("99999999999999999999", "CNY"),
            ("1.00", "XXX"),
        ):
            with self.subTest(text=text, currency=currency), self.assertRaises(MoneyText):
                from_decimal(text, currency)

    def test_the_currencies_are_those_of_core(self) -> None:
        rows = re.findall(r'\("([A-Z]{3})", \d+, (\d)\)', RUST_TABLE.read_text(encoding="utf-8"))
        self.assertGreater(len(rows), 20)
        self.assertEqual(_MINOR_DIGITS, {code: int(digits) for code, digits in rows})
