import unittest

from sandbox.messages import read_bill
from tests.failures import failure_of
from wit_world.exports.channel import BillKind, BillLine_Row, BillLine_Unreadable


def row(refund: str, amount: str, fee: str, number: str = "pay_1", reference: str = "W1", goods: str = "tea") -> str:
    return (
        f'{{"order_number":"{number}","refund_number":{refund},"reference":"{reference}","goods":"{goods}",'
        f'"amount":{amount},"fee":{fee},"currency":"CNY","at":1700000000000}}'
    )


def page(*rows: str) -> str:
    return f'{{"rows":[{",".join(rows)}],"next_cursor":"2"}}'


PLAIN = ("null", '"12.50"', '"0.08"')


class Bills(unittest.TestCase):
    def test_rows(self) -> None:
        for line, expected in (
            (row(*PLAIN), (BillKind.PAYMENT, "", 1250, 8)),
            (row('"rfd_1"', '"-2.00"', '"-0.01"'), (BillKind.REFUND, "rfd_1", 200, -1)),
            # Undone on a later day.
            (row("null", '"-12.50"', '"-0.08"'), (BillKind.REVERSAL, "", 1250, -8)),
        ):
            (read,) = read_bill(200, "", page(line).encode()).lines
            assert isinstance(read, BillLine_Row)
            told = read.value
            self.assertEqual((told.kind, told.refund_number, told.amount_minor, told.fee_minor), expected)
            self.assertEqual((told.number, told.case_number, told.at), ("pay_1", "", 1_700_000_000_000))

    def test_what_is_no_row_costs_itself_alone(self) -> None:
        for broken in (row("null", "12.5", '"0.08"'), row("null", '"12.505"', '"0"'), '{"total":"12.50"}', "7"):
            with self.subTest(broken=broken):
                first, second = read_bill(200, "", page(broken, row(*PLAIN)).encode()).lines
                self.assertEqual(first, BillLine_Unreadable(broken))
                self.assertIsInstance(second, BillLine_Row)
        self.assertEqual(read_bill(200, "", page().encode()).next_cursor, "2")

    def test_what_is_no_page(self) -> None:
        for status, content_type, body, outcome in (
            (200, "", b"no bill", "no-answer"),
            (200, "", b'{"rows":{}}', "no-answer"),
            (200, "application/json; charset=klingon", b"{}", "no-answer"),
            (400, "", b'{"code":"BAD_DAY","message":""}', "not-sent"),
            (500, "", b'{"code":"X","message":""}', "no-answer"),
        ):
            with self.subTest(body=body):
                self.assertEqual(failure_of(lambda: read_bill(status, content_type, body)), outcome)

    def test_a_bill_comes_in_any_encoding_and_a_garbled_row_costs_itself_alone(self) -> None:
        # `@` and `#` stand for bytes that no text of this file can hold.
        body = page(
            row(*PLAIN, reference="@-1", goods="@"),
            row(*PLAIN, number="pay_2", reference="W#2"),
            row(*PLAIN, number="pay_3#"),
            row(*PLAIN, number="pay_4", goods="#"),
        ).encode()
        in_utf8 = body.replace(b"@", "门店".encode()).replace(b"#", b"\xff")
        for content_type, written in (
            ("application/json", in_utf8),
            ("application/json", b"\xef\xbb\xbf" + in_utf8),
            ("application/json; charset=GB18030", body.replace(b"@", b"\xc3\xc5\xb5\xea").replace(b"#", b"\xff")),
        ):
            with self.subTest(content_type=content_type):
                one, two, three, four = read_bill(200, content_type, written).lines
                assert isinstance(one, BillLine_Row) and isinstance(four, BillLine_Row)
                self.assertEqual((one.value.number, one.value.reference, four.value.number), ("pay_1", "门店-1", "pay_4"))
                assert isinstance(two, BillLine_Unreadable) and isinstance(three, BillLine_Unreadable)
                self.assertIn("W\ufffd2", two.value)
                self.assertIn("pay_3\ufffd", three.value)
