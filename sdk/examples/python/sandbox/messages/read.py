"""What the scheme's verified answers mean.

A signed refusal of the request itself, under a code that the protocol names for it, had no effect. Any other surprise is no answer,
and core asks again.
"""

from dataclasses import dataclass, replace
from typing import Never

from componentize_py_types import Err
from saoma_channel import Fields, MoneyText, declined, from_decimal, misconfigured, no_answer, not_sent, parsed
from wit_world.exports.channel import (
    DisputeNews,
    DisputeNews_EvidenceWanted,
    DisputeNews_Lost,
    DisputeNews_Opened,
    DisputeNews_Won,
    DisputeNotice,
    NotificationEvent,
    NotificationEvent_Dispute,
    NotificationEvent_Payment,
)
from wit_world.imports.types import (
    Error,
    Money,
    Order,
    PaymentAnswer,
    PaymentStatus,
    PaymentStatus_Closed,
    PaymentStatus_Failed,
    PaymentStatus_NotFound,
    PaymentStatus_Pending,
    PaymentStatus_Refunded,
    PaymentStatus_Succeeded,
    RefundAnswer,
    RefundStatus,
    RefundStatus_Failed,
    RefundStatus_NotFound,
    RefundStatus_Pending,
    RefundStatus_Succeeded,
)

# What the protocol calls it, and what the contract does.
_DECLINE_CODES = {
    "INSUFFICIENT_FUNDS": "insufficient-funds",
    "DECLINED": "declined",
    "LIMIT_EXCEEDED": "limit-exceeded",
}

_REFUSED_UNREAD = {(400, "BAD_REQUEST"), (400, "CURRENCY_UNSUPPORTED"), (401, "BAD_SIGNATURE")}


@dataclass(frozen=True)
class Refusal:
    """The scheme's signed no."""

    status: int
    code: str
    message: str

    def words(self) -> str:
        return f"{self.code}: {self.message}"

    def raised(self) -> Never:
        """Not sent where the protocol says that such a refusal had no effect. A code that it does not name may mean anything."""
        raise (not_sent if (self.status, self.code) in _REFUSED_UNREAD else no_answer)(self.words())


def read_created(status: int, body: bytes, asked: Order) -> str:
    """The code of the order that was announced. The contract carries nothing else of this answer to core, so number and amount are
    compared here: whoever scans the code pays what the scheme has down.

    Raises `not-sent` if the scheme refused it, `no-answer` for all that is not a code of this order and amount.
    """
    if status != 200:
        refused = refusal(status, body)
        if (status, refused.code) == (409, "ORDER_CLOSED"):
            raise not_sent(refused.words())
        refused.raised()
    order = parsed(body)
    number, amount = order.text("order_number"), said(order)
    if number != asked.number or amount != asked.amount:
        raise no_answer(f"the answer is about {order.text('amount')} {amount.currency} for order {number!r}")
    match order.text("status"), order.optional_text("code_url"):
        case ("WAITING" | "PAYING"), str(code):
            return code
        case "CLOSED", _:
            raise not_sent("the order was closed before")
        case state, _:
            raise no_answer(f"the order is {state} and has no code to show")


def read_charged(status: int, body: bytes, number: str) -> PaymentAnswer:
    """The outcome of a charge.

    Raises `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen.
    """
    if status == 200:
        return payment_answer(parsed(body))
    refused = refusal(status, body)
    match status, refused.code:
        case 400, "CODE_INVALID":
            return _without_order(PaymentStatus_Failed(declined("code-invalid", refused.words())), number)
        case 400, "CODE_EXPIRED":
            return _without_order(PaymentStatus_Failed(declined("code-expired", refused.words())), number)
        case 409, "ORDER_CLOSED":
            # We closed this number before the charge came through: it can never take money.
            return _without_order(PaymentStatus_Closed(), number)
        case _:
            refused.raised()


def read_queried(status: int, body: bytes, number: str) -> PaymentAnswer:
    """What the scheme knows of an order.

    Raises `no-answer` for all but an order or its absence, `not-sent` if the scheme takes us for nobody.
    """
    if status == 200:
        return payment_answer(parsed(body))
    refused = refusal(status, body)
    if (status, refused.code) == (404, "ORDER_NOT_FOUND"):
        return _without_order(PaymentStatus_NotFound(), number)
    raise _unanswered(refused)


def past_undoing(known: PaymentAnswer) -> PaymentAnswer:
    """What `cancel` says of an order of which money was given back: that it is paid, and can no longer be undone this way."""
    if isinstance(known.status, PaymentStatus_Refunded):
        return replace(known, status=PaymentStatus_Succeeded())
    return known


def is_not_reversible(status: int, body: bytes) -> bool:
    """Whether a close was refused because part of the money was given back before."""
    try:
        return status == 409 and refusal(status, body).code == "NOT_REVERSIBLE"
    except Err:
        return False


def read_closed(status: int, body: bytes, number: str) -> PaymentAnswer:
    """The outcome of a close. Raises as `read_queried` does."""
    answer = read_queried(status, body, number)
    if isinstance(answer.status, PaymentStatus_NotFound):
        # The scheme has burnt the number by this very request: it can never take money.
        return _without_order(PaymentStatus_Closed(), number)
    return past_undoing(answer)


def read_refunded(status: int, body: bytes, refund_number: str) -> RefundAnswer:
    """The outcome of a refund.

    Raises `not-sent` if the scheme refused the request itself, `no-answer` for what cannot be read or is not foreseen.
    """
    if status == 200:
        return _refund_answer(parsed(body))
    refused = refusal(status, body)
    match status, refused.code:
        case 409, "REFUND_EXCEEDS":
            return _without_refund(RefundStatus_Failed(declined("amount-invalid", refused.words())), refund_number)
        case 404, "ORDER_NOT_FOUND":
            return _without_refund(RefundStatus_Failed(declined("not-permitted", refused.words())), refund_number)
        case _:
            # `REFUND_CONFLICT` among them: another amount under this number was carried out before, only a query tells.
            refused.raised()


def read_refund_queried(status: int, body: bytes, refund_number: str) -> RefundAnswer:
    """What the scheme knows of a refund.

    Raises `no-answer` for all but a refund or its absence, `not-sent` if the scheme takes us for nobody.
    """
    if status == 200:
        return _refund_answer(parsed(body))
    refused = refusal(status, body)
    if status == 404 and refused.code in ("REFUND_NOT_FOUND", "ORDER_NOT_FOUND"):
        return _without_refund(RefundStatus_NotFound(), refund_number)
    raise _unanswered(refused)


def read_notification(body: bytes) -> NotificationEvent:
    """What a verified notification says, of an order or of a dispute. Raises `no-answer` for what cannot be read."""
    stated = parsed(body)
    if stated.optional_text("dispute_number") is None:
        return NotificationEvent_Payment(payment_answer(stated))
    return NotificationEvent_Dispute(
        DisputeNotice(
            number=stated.text("order_number"),
            case_number=stated.text("dispute_number"),
            amount=said(stated),
            reason=stated.text("reason"),
            news=_dispute_news(stated),
            at=stated.integer("at"),
        )
    )


def _dispute_news(dispute: Fields) -> DisputeNews:
    match dispute.text("status"):
        case "OPENED":
            return DisputeNews_Opened(dispute.optional_integer("respond_by"))
        case "EVIDENCE_WANTED":
            return DisputeNews_EvidenceWanted(dispute.optional_integer("respond_by"))
        case "WON":
            return DisputeNews_Won(said(dispute, "fee"))
        case "LOST":
            return DisputeNews_Lost(said(dispute, "fee"))
        case state:
            raise no_answer(f"the dispute has the status {state!r}, which the protocol does not know")


def read_pong(status: int, body: bytes, merchant_id: str) -> str:
    """Whether the scheme knows us. Raises `misconfigured` if it takes us for another merchant or refuses us."""
    if status != 200:
        raise misconfigured(refusal(status, body).words())
    known = parsed(body).text("merchant_id")
    if known != merchant_id:
        raise misconfigured(f"the scheme answers for merchant {known!r}")
    return f"The wallet scheme answers and knows merchant {merchant_id}. 连接正常，商户号与密钥有效。"


def payment_answer(order: Fields) -> PaymentAnswer:
    """An order of the scheme's in the contract's words. Raises `no-answer`."""
    return PaymentAnswer(
        status=_payment_status(order.text("status"), order.optional_text("decline_code")),
        number=order.text("order_number"),
        amount=said(order),
        reference=order.text("reference"),
        paid_at=order.optional_integer("paid_at"),
        payer_hint=order.optional_text("payer_hint") or "",
    )


def said(message: Fields, name: str = "amount") -> Money:
    """The amount that a message names, in its currency. Raises `no-answer` if that is none."""
    try:
        return from_decimal(message.text(name), message.text("currency"))
    except MoneyText as why:
        raise no_answer(str(why)) from None


def refusal(status: int, body: bytes) -> Refusal:
    """What the scheme says instead of an answer. Raises `no-answer` if it cannot be read."""
    try:
        message = parsed(body)
        return Refusal(status, message.text("code"), message.text("message"))
    except Err:
        raise no_answer(f"status {status} with a body that cannot be read") from None


def _unanswered(refused: Refusal) -> Err[Error]:
    """A question changes nothing, and only where the scheme takes us for nobody does it help to know that it was not let in."""
    return (not_sent if refused.status == 401 else no_answer)(refused.words())


def _payment_status(state: str, decline_code: str | None) -> PaymentStatus:
    match state:
        case "WAITING" | "PAYING":
            return PaymentStatus_Pending()
        case "PAID":
            return PaymentStatus_Succeeded()
        case "DECLINED":
            code = decline_code or "DECLINED"
            return PaymentStatus_Failed(declined(_DECLINE_CODES.get(code, "other"), code))
        case "CLOSED" | "REVERSED":
            return PaymentStatus_Closed()
        case "REFUNDED" | "PARTLY_REFUNDED":
            return PaymentStatus_Refunded()
        case _:
            raise no_answer(f"the order has the status {state!r}, which the protocol does not know")


def _refund_answer(refund: Fields) -> RefundAnswer:
    return RefundAnswer(
        status=_refund_status(refund.text("status")),
        refund_number=refund.text("refund_number"),
        amount=said(refund),
        reference=refund.text("reference"),
    )


def _refund_status(state: str) -> RefundStatus:
    match state:
        case "PROCESSING":
            return RefundStatus_Pending()
        case "DONE":
            return RefundStatus_Succeeded()
        case "FAILED":
            return RefundStatus_Failed(declined("other", state))
        case _:
            raise no_answer(f"the refund has the status {state!r}, which the protocol does not know")


def _without_order(status: PaymentStatus, number: str) -> PaymentAnswer:
    """An answer about an order that the scheme does not hold: our own number, and nothing that it did not say."""
    return PaymentAnswer(status, number, amount=None, reference="", paid_at=None, payer_hint="")


def _without_refund(status: RefundStatus, refund_number: str) -> RefundAnswer:
    return RefundAnswer(status, refund_number, amount=None, reference="")
