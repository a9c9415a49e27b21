import unittest
from collections.abc import Callable

from componentize_py_types import Err
from sandbox import messages
from tests.failures import failure_of
from tests.orders import NUMBER, ORDER
from wit_world.imports import types
from wit_world.imports.types import Money, PaymentAnswer, PaymentStatus_Failed, PaymentStatus_Succeeded, RefundAnswer

REFUND_NUMBER = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa"


def order(state: str, decline: str = "null", code_url: str = "null") -> bytes:
    return (
        f'{{"order_number":"{NUMBER}","status":"{state}","amount":"12.50","currency":"CNY","reference":"W1",'
        f'"paid_at":1700000000000,"payer_hint":"a***e","decline_code":{decline},"refunded":"0.00","code_url":{code_url}}}'
    ).encode()


def refused(code: str) -> bytes:
    return f'{{"code":"{code}","message":"no"}}'.encode()


def told(work: Callable[[], PaymentAnswer | RefundAnswer]) -> str:
    """One line of an outcome: the status, or the error's kind."""
    try:
        status = work().status
    except Err:
        return failure_of(work)
    if isinstance(status, (PaymentStatus_Failed, types.RefundStatus_Failed)):
        return f"failed {status.value.code}"
    return type(status).__name__.partition("_")[2]


class Answers(unittest.TestCase):
    def test_a_whole_answer(self) -> None:
        self.assertEqual(
            messages.read_charged(200, order("PAID"), NUMBER),
            PaymentAnswer(
                status=PaymentStatus_Succeeded(),
                number=NUMBER,
                amount=Money(1_250, "CNY"),
                reference="W1",
                paid_at=1_700_000_000_000,
                payer_hint="a***e",
            ),
        )

    def test_charges(self) -> None:
        for status, body, outcome in (
            (200, order("PAID"), "Succeeded"),
            (200, order("PAYING"), "Pending"),
            (200, order("DECLINED", '"INSUFFICIENT_FUNDS"'), "failed insufficient-funds"),
            (200, order("DECLINED", '"DECLINED"'), "failed declined"),
            (200, order("DECLINED", '"LIMIT_EXCEEDED"'), "failed limit-exceeded"),
            (200, order("DECLINED", '"NEW_REASON"'), "failed other"),
            (200, order("DECLINED"), "failed declined"),
            (200, order("REVERSED"), "Closed"),
            (200, order("DREAMING"), "no-answer"),
            (200, order("PAID").replace(b'"12.50"', b"12.50"), "no-answer"),
            (200, order("PAID").replace(b"12.50", b"12.505"), "no-answer"),
            (200, order("PAID").replace(b"1700000000000", b"1.7e12"), "no-answer"),
            (200, b"\xff\xfe garbage", "no-answer"),
            (200, b"", "no-answer"),
            (400, refused("CODE_INVALID"), "failed code-invalid"),
            (400, refused("CODE_EXPIRED"), "failed code-expired"),
            (400, refused("BAD_REQUEST"), "not-sent"),
            (400, refused("CURRENCY_UNSUPPORTED"), "not-sent"),
            (400, refused("E7041"), "no-answer"),
            (401, refused("BAD_SIGNATURE"), "not-sent"),
            (401, refused("E7041"), "no-answer"),
            (409, refused("ORDER_CLOSED"), "Closed"),
            (409, refused("ORDER_CONFLICT"), "no-answer"),
            (409, b"?", "no-answer"),
            (500, refused("INTERNAL"), "no-answer"),
            (302, b"", "no-answer"),
        ):
            with self.subTest(status=status, body=body):
                self.assertEqual(told(lambda: messages.read_charged(status, body, NUMBER)), outcome)

    def test_queries_and_closes(self) -> None:
        for status, body, queried, closed in (
            (200, order("WAITING"), "Pending", "Pending"),
            (200, order("CLOSED"), "Closed", "Closed"),
            (200, order("PAID"), "Succeeded", "Succeeded"),
            (200, order("REFUNDED"), "Refunded", "Succeeded"),
            (200, order("PARTLY_REFUNDED"), "Refunded", "Succeeded"),
            # A close burns the number: it can never take money.
            (404, refused("ORDER_NOT_FOUND"), "NotFound", "Closed"),
            # A 404 of something on the way is not the scheme's word.
            (404, refused("NO_ROUTE"), "no-answer", "no-answer"),
            (404, b"<html>", "no-answer", "no-answer"),
            (401, refused("BAD_SIGNATURE"), "not-sent", "not-sent"),
            (400, refused("BAD_REQUEST"), "no-answer", "no-answer"),
            (503, refused("BUSY"), "no-answer", "no-answer"),
        ):
            with self.subTest(status=status, body=body):
                self.assertEqual(told(lambda: messages.read_queried(status, body, NUMBER)), queried)
                self.assertEqual(told(lambda: messages.read_closed(status, body, NUMBER)), closed)
        self.assertTrue(messages.is_not_reversible(409, refused("NOT_REVERSIBLE")))
        for status, body in ((409, refused("ORDER_CLOSED")), (500, refused("NOT_REVERSIBLE")), (409, b"?")):
            self.assertFalse(messages.is_not_reversible(status, body))

    def test_created_codes(self) -> None:
        shown = order("WAITING", code_url='"http://w/pay/t"')
        self.assertEqual(messages.read_created(200, shown, ORDER), "http://w/pay/t")
        for status, body, outcome in (
            (200, order("PAID"), "no-answer"),
            (200, order("WAITING"), "no-answer"),
            (200, order("CLOSED"), "not-sent"),
            # Another order's code, or one that collects another amount, is not shown to anybody.
            (200, shown.replace(NUMBER.encode(), b"pay_bbbbbbbbbbbbbbbbbbbbbbbbbb"), "no-answer"),
            (200, shown.replace(b"12.50", b"12.51"), "no-answer"),
            (200, shown.replace(b"CNY", b"USD"), "no-answer"),
            (400, refused("BAD_REQUEST"), "not-sent"),
            (401, refused("BAD_SIGNATURE"), "not-sent"),
            (409, refused("ORDER_CLOSED"), "not-sent"),
            (409, refused("ORDER_CONFLICT"), "no-answer"),
            (403, refused("X"), "no-answer"),
            (500, refused("X"), "no-answer"),
        ):
            with self.subTest(status=status, body=body):
                self.assertEqual(failure_of(lambda: messages.read_created(status, body, ORDER)), outcome)

    def test_refunds(self) -> None:
        def refund(state: str) -> bytes:
            return (
                f'{{"refund_number":"{REFUND_NUMBER}","order_number":"{NUMBER}","status":"{state}","amount":"0.05",'
                f'"currency":"CNY","reference":"R1"}}'
            ).encode()

        for status, body, done, queried in (
            (200, refund("DONE"), "Succeeded", "Succeeded"),
            (200, refund("PROCESSING"), "Pending", "Pending"),
            (200, refund("FAILED"), "failed other", "failed other"),
            (200, refund("?"), "no-answer", "no-answer"),
            (409, refused("REFUND_EXCEEDS"), "failed amount-invalid", "no-answer"),
            (409, refused("REFUND_CONFLICT"), "no-answer", "no-answer"),
            # The protocol does not foresee it: only a query tells whether the refund is paid.
            (409, refused("BUSY"), "no-answer", "no-answer"),
            (404, refused("ORDER_NOT_FOUND"), "failed not-permitted", "NotFound"),
            (404, refused("REFUND_NOT_FOUND"), "no-answer", "NotFound"),
            (400, refused("BAD_REQUEST"), "not-sent", "no-answer"),
            (400, refused("E7041"), "no-answer", "no-answer"),
            (500, refused("X"), "no-answer", "no-answer"),
        ):
            with self.subTest(status=status, body=body):
                self.assertEqual(told(lambda: messages.read_refunded(status, body, REFUND_NUMBER)), done)
                self.assertEqual(told(lambda: messages.read_refund_queried(status, body, REFUND_NUMBER)), queried)
        answer = messages.read_refunded(200, refund("DONE"), REFUND_NUMBER)
        self.assertEqual((answer.refund_number, answer.amount, answer.reference), (REFUND_NUMBER, Money(5, "CNY"), "R1"))

    def test_pongs(self) -> None:
        self.assertIn("m1", messages.read_pong(200, b'{"merchant_id":"m1"}', "m1"))
        for status, body in ((200, b'{"merchant_id":"m2"}'), (401, refused("BAD_SIGNATURE"))):
            self.assertEqual(failure_of(lambda: messages.read_pong(status, body, "m1")), "misconfigured")
