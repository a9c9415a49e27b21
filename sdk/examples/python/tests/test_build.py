import json
import unittest
from dataclasses import replace
from pathlib import Path

from sandbox import messages
from sandbox.messages import Call
from tests.failures import failure_of
from tests.orders import NUMBER, ORDER, REFUND
from wit_world.imports.types import Money

NEW_ORDER = (
    '{"order_number":"pay_aaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"12.50","currency":"CNY","subject":"Coffee \\"large\\" 大杯",'
    '"merchant_name":"Corner Shop","store_name":"Main Street","expires_at":1700000120000,"notify_url":"http://n"'
)
RUST_CHANNEL = Path(__file__).parents[4] / "plugins" / "sandbox"


class Requests(unittest.TestCase):
    def test_requests(self) -> None:
        for call, method, path, body in (
            (messages.create(ORDER, "http://n"), "POST", "/v1/orders", NEW_ORDER + "}"),
            (
                messages.charge(ORDER, "http://n", "881234567890123456"),
                "POST",
                "/v1/charges",
                NEW_ORDER + ',"code":"881234567890123456"}',
            ),
            (messages.query(NUMBER), "GET", f"/v1/orders/{NUMBER}", ""),
            (messages.close(NUMBER), "POST", f"/v1/orders/{NUMBER}/close", "{}"),
            (
                messages.refund(REFUND),
                "POST",
                f"/v1/orders/{NUMBER}/refunds",
                '{"refund_number":"rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa","amount":"0.05","reason":"cold"}',
            ),
            (
                messages.query_refund(REFUND),
                "GET",
                f"/v1/orders/{NUMBER}/refunds/rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa",
                "",
            ),
            (messages.bill("2026-01-31", None), "GET", "/v1/bills/2026-01-31", ""),
            (messages.bill("2026-01-31", "a&b=ü/2"), "GET", "/v1/bills/2026-01-31?cursor=a%26b%3D%C3%BC%2F2", ""),
            (messages.ping(), "GET", "/v1/ping", ""),
        ):
            with self.subTest(path=path):
                self.assertEqual(call, Call(method, path, body.encode()))

    def test_signed_texts(self) -> None:
        for text, expected in (
            (messages.request_text("POST", "/v1/orders", "17", "ab", b"{}"), b"REQUEST\nPOST\n/v1/orders\n17\nab\n{}\n"),
            (messages.request_text("GET", "/v1/ping", "17", "ab", b""), b"REQUEST\nGET\n/v1/ping\n17\nab\n\n"),
            (messages.response_text(404, "18", "ab", b"\xff"), b"RESPONSE\n404\n18\nab\n\xff\n"),
            (messages.notification_text("19", "cd", b"{}"), b"NOTIFY\n19\ncd\n{}\n"),
        ):
            self.assertEqual(text, expected)

    def test_addresses(self) -> None:
        for base, url, path in (
            ("http://127.0.0.1:9100", "http://127.0.0.1:9100/v1/ping", "/v1/ping"),
            ("http://127.0.0.1:9100/", "http://127.0.0.1:9100/v1/ping", "/v1/ping"),
            ("https://x.example/wallet", "https://x.example/wallet/v1/ping", "/wallet/v1/ping"),
        ):
            self.assertEqual(messages.address(base, "/v1/ping"), (url, path))
        for base in ("", "x.example", "https://"):
            self.assertEqual(failure_of(lambda: messages.address(base, "/v1/ping")), "misconfigured", base)

    def test_an_amount_that_cannot_be_written_is_not_sent(self) -> None:
        unknown = Money(1, "XXX")
        for work in (
            lambda: messages.create(replace(ORDER, amount=unknown), ""),
            lambda: messages.charge(replace(ORDER, amount=unknown), "", "88"),
            lambda: messages.refund(replace(REFUND, amount=unknown)),
        ):
            self.assertEqual(failure_of(work), "not-sent")

    def test_an_account_of_the_rust_channel_fits_this_one(self) -> None:
        own = Path(__file__).parents[1] / "sandbox" / "settings.schema.json"
        theirs = RUST_CHANNEL / "settings.schema.json"
        self.assertEqual(json.loads(own.read_text("utf-8")), json.loads(theirs.read_text("utf-8")))
