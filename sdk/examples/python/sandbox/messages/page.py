"""A page of the scheme's bill."""

import json

from componentize_py_types import Err
from saoma_channel import Fields, is_garbled, no_answer, not_sent, parsed, text
from sandbox.messages.read import refusal, said
from wit_world.exports.channel import BillKind, BillLine, BillLine_Row, BillLine_Unreadable, BillPage, BillRow


def read_bill(status: int, content_type: str, body: bytes) -> BillPage:
    """One page of a bill, in the encoding that its `content_type` names. A row that cannot be read is handed on as it stands: it
    costs itself alone.

    Raises `not-sent` for a day that the scheme refuses, `no-answer` for a page that cannot be read.
    """
    if status != 200:
        words = refusal(status, body).words()
        raise (not_sent if 400 <= status < 500 else no_answer)(words)
    bill = parsed(text(body, content_type))
    return BillPage([_line(row) for row in bill.items("rows")], bill.optional_text("next_cursor"))


def _line(row: object) -> BillLine:
    try:
        return BillLine_Row(_row(Fields(row)))
    except Err:
        return BillLine_Unreadable(json.dumps(row, ensure_ascii=False, separators=(",", ":")))


def _row(row: Fields) -> BillRow:
    number, refund_number, reference = row.text("order_number"), row.optional_text("refund_number"), row.text("reference")
    if any(is_garbled(part) for part in (number, refund_number or "", reference)):
        raise no_answer("the row is garbled")
    amount, fee = said(row), said(row, "fee")
    if refund_number is not None:
        kind = BillKind.REFUND
    else:
        kind = BillKind.REVERSAL if amount.minor < 0 else BillKind.PAYMENT
    return BillRow(
        kind=kind,
        number=number,
        refund_number=refund_number or "",
        case_number="",
        reference=reference,
        # The contract wants the size; that it went back is said by the kind.
        amount_minor=abs(amount.minor),
        fee_minor=fee.minor,
        currency=amount.currency,
        at=row.integer("at"),
    )
