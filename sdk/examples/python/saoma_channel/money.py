"""Amounts as schemes write them: decimal text with the currency's digits. No float anywhere."""

import re

from wit_world.imports.types import Money

# Digits of the minor unit (ISO 4217:2015 list one), of the currencies that Saoma settles in (sdk/protocol/src/money.rs).
_MINOR_DIGITS = {
    **dict.fromkeys(("CLP", "JPY", "KRW", "VND"), 0),
    **dict.fromkeys(
        ("AED", "AUD", "BRL", "CAD", "CHF", "CNY", "EUR", "GBP", "HKD", "IDR", "INR", "MOP", "MXN", "MYR", "NZD", "PHP"), 2
    ),
    **dict.fromkeys(("SGD", "THB", "TWD", "USD"), 2),
    **dict.fromkeys(("BHD", "KWD", "TND"), 3),
}

# ASCII digits alone: `\d` takes those of every script.
_AMOUNT = re.compile(r"(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?")

# 16 digits in all fit the contract's 64 bits with room to spare; no amount has more than 12.
_DIGITS_MAX = 16


class MoneyText(ValueError):
    """Why a text or a sum is no amount."""


def decimal(amount: Money) -> str:
    """`1250` minor units of CNY as `12.50`, of JPY as `1250`.

    Raises `MoneyText` if the currency is not one that Saoma knows.
    """
    digits = _digits_of(amount.currency)
    sign = "-" if amount.minor < 0 else ""
    text = str(abs(amount.minor)).rjust(digits + 1, "0")
    return f"{sign}{text[:-digits]}.{text[-digits:]}" if digits else f"{sign}{text}"


def from_decimal(text: str, currency: str) -> Money:
    """`12.50` in CNY as 1250 minor units.

    Takes exactly what `decimal` gives, and a shorter fraction (`12.5`, `12`), with an optional `-`; nothing else: no spaces, no
    grouping, no exponent, no zeros in front, no digits beyond the currency's. Raises `MoneyText`.
    """
    digits = _digits_of(currency)
    found = _AMOUNT.fullmatch(text)
    sign, whole, fraction = found.groups(default="") if found else ("", "", "")
    if not whole or len(fraction) > digits or len(whole) + digits > _DIGITS_MAX:
        raise MoneyText(f"{text[:40]!r} is no amount in {currency}")
    minor = int(whole + fraction.ljust(digits, "0"))
    return Money(minor=-minor if sign else minor, currency=currency)


def _digits_of(currency: str) -> int:
    digits = _MINOR_DIGITS.get(currency)
    if digits is None:
        raise MoneyText(f"{currency[:16]!r} is not an ISO 4217 currency code known here")
    return digits
