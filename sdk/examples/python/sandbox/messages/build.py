"""Requests, and the texts that are signed."""

import json
from dataclasses import dataclass
from urllib.parse import quote

from saoma_channel import Fields, MoneyText, decimal, misconfigured, not_sent
from wit_world.imports.types import Money, Order, RefundOrder


@dataclass(frozen=True)
class Settings:
    """The account's settings (`settings.schema.json`)."""

    base_url: str
    merchant_id: str

    @classmethod
    def of(cls, fields: Fields) -> "Settings":
        return cls(base_url=fields.text("base_url"), merchant_id=fields.text("merchant_id"))


@dataclass(frozen=True)
class Call:
    """One call of the merchant API, unsigned."""

    method: str
    # With query.
    path: str
    # JSON, empty for `GET`.
    body: bytes = b""


def create(order: Order, notify_url: str) -> Call:
    """`POST /v1/orders`. Raises `not-sent` if the amount cannot be written in its currency."""
    return _post("/v1/orders", _new_order(order, notify_url))


def charge(order: Order, notify_url: str, code: str) -> Call:
    """`POST /v1/charges`. Raises `not-sent` if the amount cannot be written in its currency."""
    return _post("/v1/charges", {**_new_order(order, notify_url), "code": code})


def query(number: str) -> Call:
    """`GET /v1/orders/{order_number}`."""
    return Call("GET", f"/v1/orders/{_escaped(number)}")


def close(number: str) -> Call:
    """`POST /v1/orders/{order_number}/close`."""
    return _post(f"/v1/orders/{_escaped(number)}/close", {})


def refund(refund: RefundOrder) -> Call:
    """`POST /v1/orders/{order_number}/refunds`. Raises `not-sent` if the amount cannot be written in its currency."""
    body = {"refund_number": refund.refund_number, "amount": _written(refund.amount), "reason": refund.reason}
    return _post(f"/v1/orders/{_escaped(refund.number)}/refunds", body)


def query_refund(refund: RefundOrder) -> Call:
    """`GET /v1/orders/{order_number}/refunds/{refund_number}`."""
    return Call("GET", f"/v1/orders/{_escaped(refund.number)}/refunds/{_escaped(refund.refund_number)}")


def bill(day: str, cursor: str | None) -> Call:
    """`GET /v1/bills/{day}?cursor=`."""
    question = "" if cursor is None else f"?cursor={_escaped(cursor)}"
    return Call("GET", f"/v1/bills/{_escaped(day)}{question}")


def ping() -> Call:
    """`GET /v1/ping`."""
    return Call("GET", "/v1/ping")


def address(base_url: str, path: str) -> tuple[str, str]:
    """The whole URL, and the path that is signed: a base URL with a path of its own counts in both.

    Raises `misconfigured` if the base URL has no host.
    """
    base_url = base_url.rstrip("/")
    _, separator, rest = base_url.partition("://")
    if not separator or not rest:
        raise misconfigured("base_url must begin with http:// or https:// and a host")
    _, slash, base_path = rest.partition("/")
    return f"{base_url}{path}", f"{slash}{base_path}{path}"


def request_text(method: str, path: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What the signature of a request is over."""
    return _signed("REQUEST", method, path, timestamp, nonce, body=body)


def response_text(status: int, timestamp: str, request_nonce: str, body: bytes) -> bytes:
    """What the signature of an answer is over. The request's nonce ties it to the question."""
    return _signed("RESPONSE", str(status), timestamp, request_nonce, body=body)


def notification_text(timestamp: str, nonce: str, body: bytes) -> bytes:
    """What the signature of a notification is over."""
    return _signed("NOTIFY", timestamp, nonce, body=body)


def _new_order(order: Order, notify_url: str) -> dict[str, str | int]:
    return {
        "order_number": order.number,
        "amount": _written(order.amount),
        "currency": order.amount.currency,
        "subject": order.subject,
        "merchant_name": order.merchant_name,
        "store_name": order.store_name,
        "expires_at": order.expires_at,
        "notify_url": notify_url,
    }


def _written(amount: Money) -> str:
    try:
        return decimal(amount)
    except MoneyText as why:
        raise not_sent(str(why)) from None


def _post(path: str, body: dict[str, str | int] | dict[str, str]) -> Call:
    return Call("POST", path, json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


def _signed(*fields: str, body: bytes) -> bytes:
    """Fields joined by, and ending in, one line feed."""
    return b"".join(field.encode("utf-8") + b"\n" for field in fields) + body + b"\n"


def _escaped(text: str) -> str:
    """Percent-encoding of all but RFC 3986's unreserved characters."""
    return quote(text, safe="")
