"""The channel with a host of a few lines in place of the real one: what it signs, what it believes, what it says of what went wrong."""

import hashlib
import hmac
import json
import unittest
from collections.abc import Callable
from unittest import mock

from componentize_py_types import Err
from sandbox import KEY, Channel
from tests.failures import failure_of
from tests.orders import NUMBER, ORDER
from tests.test_read import order, refused, told
from wit_world.exports.channel import (
    DisputeNews_Lost,
    HttpMessage,
    NotificationError_Forged,
    NotificationError_Malformed,
    NotificationEvent_Dispute,
    NotificationEvent_Payment,
)
from wit_world.imports import clock, http, random, secrets
from wit_world.imports.types import Account, KnownOrder, Money, Presenter

MERCHANT_KEY = b"correct horse battery staple"
NOW = 1_700_000_000_000
ACCOUNT = Account(
    id="cha_1", settings_json='{"base_url":"http://wallet.example","merchant_id":"m-1"}', notify_url="http://n"
)
KNOWN = KnownOrder(
    number=NUMBER, reference="", amount=Money(1_250, "CNY"), presented_by=Presenter.CUSTOMER, created_at=NOW
)
CODE = "881234567890123456"


def mac(secret: str, message: bytes) -> bytes:
    if secret != KEY:
        raise Err(secrets.Error_Missing(secret))
    return hmac.digest(MERCHANT_KEY, message, hashlib.sha256)


class Host(unittest.TestCase):
    """What the scheme answers to each path; `requests` is what it heard."""

    def setUp(self) -> None:
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.requests: list[http.Request] = []
        self.spoil: Callable[[http.Response], http.Response] = lambda response: response
        for name, work in (
            ("wit_world.imports.clock.now", lambda: NOW),
            ("wit_world.imports.random.bytes", lambda size: b"\xab" * size),
            ("wit_world.imports.secrets.hmac_sha256", mac),
            ("wit_world.imports.secrets.hmac_sha256_verify", lambda secret, text, tag: mac(secret, text) == tag),
            ("wit_world.imports.http.send", self.send),
        ):
            patch = mock.patch(name, work)
            patch.start()
            self.addCleanup(patch.stop)
        self.channel = Channel()

    def send(self, request: http.Request) -> http.Response:
        self.requests.append(request)
        headers = dict(request.headers)
        path = request.url.removeprefix("http://wallet.example")
        signed = f"REQUEST\n{request.method}\n{path}\n{NOW}\n{'ab' * 16}\n".encode() + request.body + b"\n"
        self.assertEqual(headers["x-sandbox-signature"], mac(KEY, signed).hex())
        self.assertEqual((headers["x-sandbox-merchant"], headers["x-sandbox-nonce"]), ("m-1", "ab" * 16))
        status, body = self.answers[path]
        signature = mac(KEY, f"RESPONSE\n{status}\n7\n{'ab' * 16}\n".encode() + body + b"\n").hex()
        return self.spoil(http.Response(status, [("x-sandbox-timestamp", "7"), ("x-sandbox-signature", signature)], body))


class Calls(Host):
    def test_a_sale(self) -> None:
        self.answers["/v1/charges"] = (200, order("PAID"))
        self.assertEqual(told(lambda: self.channel.charge(ACCOUNT, ORDER, CODE)), "Succeeded")
        (request,) = self.requests
        self.assertEqual(json.loads(request.body)["code"], CODE)
        self.assertIn(("content-type", "application/json"), request.headers)

    def test_what_is_not_the_schemes_word_is_no_answer(self) -> None:
        self.answers["/v1/charges"] = (200, order("PAID"))

        def altered(response: http.Response) -> http.Response:
            return http.Response(response.status, response.headers, response.body + b" ")

        def of_another_status(response: http.Response) -> http.Response:
            return http.Response(201, response.headers, response.body)

        def unsigned(response: http.Response) -> http.Response:
            return http.Response(response.status, response.headers[:1], response.body)

        def signed_in_other_letters(response: http.Response) -> http.Response:
            return http.Response(response.status, [response.headers[0], ("x-sandbox-signature", "zz")], response.body)

        for spoil in (altered, of_another_status, unsigned, signed_in_other_letters):
            with self.subTest(spoil=spoil.__name__):
                self.spoil = spoil
                self.assertEqual(failure_of(lambda: self.channel.charge(ACCOUNT, ORDER, CODE)), "no-answer")

    def test_what_the_host_says_of_a_request(self) -> None:
        for error, expected in (
            (http.Error_Invalid("x"), "not-sent"),
            (http.Error_Forbidden("x"), "not-sent"),
            (http.Error_NoSecret("x"), "misconfigured"),
            (http.Error_Unreachable("x"), "not-sent"),
            (http.Error_TimedOut(), "no-answer"),
            (http.Error_Broken("x"), "no-answer"),
        ):
            with self.subTest(error=error), mock.patch("wit_world.imports.http.send", side_effect=Err(error)):
                self.assertEqual(failure_of(lambda: self.channel.charge(ACCOUNT, ORDER, CODE)), expected)

    def test_an_account_that_is_not_set_up_sends_nothing(self) -> None:
        without_merchant = Account(id="cha_1", settings_json='{"base_url":"http://x.example"}', notify_url="")
        self.assertEqual(failure_of(lambda: self.channel.query(without_merchant, KNOWN)), "misconfigured")
        with mock.patch("wit_world.imports.secrets.hmac_sha256", side_effect=Err(secrets.Error_Missing(KEY))):
            self.assertEqual(failure_of(lambda: self.channel.query(ACCOUNT, KNOWN)), "misconfigured")
        self.assertEqual(self.requests, [])

    def test_what_was_given_back_can_no_longer_be_undone(self) -> None:
        self.answers[f"/v1/orders/{NUMBER}/close"] = (409, refused("NOT_REVERSIBLE"))
        self.answers[f"/v1/orders/{NUMBER}"] = (200, order("PARTLY_REFUNDED"))
        self.assertEqual(told(lambda: self.channel.cancel(ACCOUNT, KNOWN)), "Succeeded")
        self.assertEqual([request.method for request in self.requests], ["POST", "GET"])

    def test_a_wrong_key_is_told_by_the_self_test(self) -> None:
        self.answers["/v1/ping"] = (200, b'{"merchant_id":"m-1"}')
        self.assertIn("m-1", self.channel.self_test(ACCOUNT))
        self.spoil = lambda response: http.Response(response.status, [], response.body)
        self.assertEqual(failure_of(lambda: self.channel.self_test(ACCOUNT)), "misconfigured")

    def test_describing_asks_nobody(self) -> None:
        not_there = mock.Mock(side_effect=AssertionError("called"))
        with mock.patch.object(clock, "now", not_there), mock.patch.object(random, "bytes", not_there):
            self.assertEqual(self.channel.describe().id, "sandbox-python")


class Notifications(Host):
    def notified(self, body: bytes, signed: bytes | None = None) -> HttpMessage:
        signature = mac(KEY, b"NOTIFY\n7\ncd\n" + (body if signed is None else signed) + b"\n").hex()
        headers = {"x-sandbox-timestamp": "7", "x-sandbox-nonce": "cd", "x-sandbox-signature": signature}
        return HttpMessage(list(headers.items()), body)

    def test_a_signed_one(self) -> None:
        outcome = self.channel.parse_notification(ACCOUNT, self.notified(order("PAID")))
        (event,) = outcome.events
        assert isinstance(event, NotificationEvent_Payment)
        self.assertEqual((event.value.number, event.value.amount), (NUMBER, Money(1_250, "CNY")))
        self.assertEqual((outcome.acknowledgement.status, outcome.acknowledgement.body), (200, b"OK"))
        self.assertEqual(self.requests, [])

    def test_one_of_a_dispute(self) -> None:
        dispute = {
            "dispute_number": "D-1", "order_number": NUMBER, "status": "LOST", "amount": "12.50", "currency": "CNY",
            "reason": "fraud", "respond_by": None, "fee": "15.00", "at": 1_700_000_000_000,
        }  # fmt: skip
        (event,) = self.channel.parse_notification(ACCOUNT, self.notified(json.dumps(dispute).encode())).events
        assert isinstance(event, NotificationEvent_Dispute)
        self.assertEqual((event.value.case_number, event.value.amount), ("D-1", Money(1_250, "CNY")))
        self.assertEqual(event.value.news, DisputeNews_Lost(Money(1_500, "CNY")))
        strange = json.dumps(dispute | {"status": "DREAMING"}).encode()
        with self.assertRaises(Err) as failed:
            self.channel.parse_notification(ACCOUNT, self.notified(strange))
        self.assertIsInstance(failed.exception.value, NotificationError_Malformed)

    def test_others(self) -> None:
        unsigned = HttpMessage([], order("PAID"))
        for message, kind in (
            (self.notified(order("PAID"), signed=order("PAYING")), NotificationError_Forged),
            (unsigned, NotificationError_Forged),
            (self.notified(b"no order"), NotificationError_Malformed),
            (self.notified(order("DREAMING")), NotificationError_Malformed),
        ):
            with self.subTest(message=message), self.assertRaises(Err) as failed:
                self.channel.parse_notification(ACCOUNT, message)
            self.assertIsInstance(failed.exception.value, kind)
        with mock.patch("wit_world.imports.secrets.hmac_sha256_verify", side_effect=Err(secrets.Error_Missing(KEY))):
            with self.assertRaises(Err) as failed:
                self.channel.parse_notification(ACCOUNT, self.notified(order("PAID")))
            self.assertIsInstance(failed.exception.value, NotificationError_Forged)
