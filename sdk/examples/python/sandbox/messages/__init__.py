"""The Sandbox Wallet's wire (`plugins/schemes/PROTOCOL.md`), pure: what is sent, what is signed, what an answer means.

No host in here: everything can be tested natively. `build` makes requests and the texts that are signed; `read` and `page` turn
verified answers into the contract's.
"""

from sandbox.messages.build import (
    Call,
    Settings,
    address,
    bill,
    charge,
    close,
    create,
    notification_text,
    ping,
    query,
    query_refund,
    refund,
    request_text,
    response_text,
)
from sandbox.messages.page import read_bill
from sandbox.messages.read import (
    is_not_reversible,
    past_undoing,
    read_charged,
    read_closed,
    read_created,
    read_notification,
    read_pong,
    read_queried,
    read_refund_queried,
    read_refunded,
)

# What the scheme wants to hear of a notification that was taken in.
ACKNOWLEDGEMENT = b"OK"

__all__ = [
    "ACKNOWLEDGEMENT",
    "Call",
    "Settings",
    "address",
    "bill",
    "charge",
    "close",
    "create",
    "is_not_reversible",
    "notification_text",
    "past_undoing",
    "ping",
    "query",
    "query_refund",
    "read_bill",
    "read_charged",
    "read_closed",
    "read_created",
    "read_notification",
    "read_pong",
    "read_queried",
    "read_refund_queried",
    "read_refunded",
    "refund",
    "request_text",
    "response_text",
]
