"""The `sandbox-python` channel: carries the Sandbox Wallet's messages (`messages`) over the host's HTTP, signed with the host's key.

An answer whose signature does not fit is as good as none: whoever sent it is not the scheme. So is one that cannot be read.
Core then asks again.
"""

from pathlib import Path

# Before all else: it gives the standard library the host's clock and chance.
import saoma_channel
from componentize_py_types import Err
from saoma_channel import Reply, hmac_hex, hmac_verifies, misconfigured, no_answer, random_hex, settings
from sandbox import messages
from sandbox.messages import Call, Settings
from wit_world import exports
from wit_world.exports.channel import (
    BillPage,
    Created,
    HttpMessage,
    HttpReply,
    NotificationError_Forged,
    NotificationError_Malformed,
    NotificationOutcome,
)
from wit_world.imports import clock
from wit_world.imports.types import (
    Account,
    BillTerms,
    Cadence,
    Capability,
    Claim_Digits,
    DigitClaim,
    Error_NoAnswer,
    HostPattern_Setting,
    KnownOrder,
    Manifest,
    Order,
    PaymentAnswer,
    RefundAnswer,
    RefundOrder,
    SecretKind,
    SecretSpec,
)

VERSION = "0.1.0"

# The secret that the scheme gave the merchant.
KEY = "merchant-key"

# Longest wait for one answer. Within the manifest's 4,000 ms there is then time left to report.
ANSWER_TIMEOUT_MS = 3_500

NONCE_BYTES = 16

# Read when the component is built: a call finds no files.
SETTINGS_SCHEMA = Path(__file__).with_name("settings.schema.json").read_text(encoding="utf-8")

UNVERIFIED = "the answer's signature does not fit"


class Channel(exports.Channel):
    def describe(self) -> Manifest:
        return Manifest(
            id="sandbox-python",
            version=VERSION,
            name="Sandbox Wallet (Python)",
            currencies=["CNY", "JPY", "KWD"],
            capabilities=[
                Capability.MERCHANT_PRESENTED,
                Capability.CUSTOMER_PRESENTED,
                Capability.CANCEL,
                Capability.REFUND,
                Capability.PARTIAL_REFUND,
                Capability.NOTIFICATIONS,
                Capability.BILLS,
            ],
            claims=[Claim_Digits(DigitClaim(prefix_from="88", prefix_to="88", length_min=18, length_max=18))],
            settings_schema=SETTINGS_SCHEMA,
            secrets=[
                SecretSpec(
                    name=KEY,
                    kind=SecretKind.MAC_KEY,
                    description="The merchant key that the scheme gave you. 钱包分配的商户密钥。",
                )
            ],
            hosts=[HostPattern_Setting("base_url")],
            cadence=Cadence(call_timeout_ms=4_000, query_interval_ms=1_000, reverse_after_ms=15_000),
            # The scheme's days are of UTC, and a day's bill does not change once the day is over.
            bills=BillTerms(time_zone="Etc/UTC", day_begins_minutes=0, ready_after_minutes=10),
        )

    def create(self, account: Account, order: Order) -> Created:
        reply = exchange(settings(account, Settings.of), messages.create(order, account.notify_url))
        return Created(messages.read_created(reply.status, reply.body, order))

    def charge(self, account: Account, order: Order, code: str) -> PaymentAnswer:
        reply = exchange(settings(account, Settings.of), messages.charge(order, account.notify_url, code))
        return messages.read_charged(reply.status, reply.body, order.number)

    def query(self, account: Account, order: KnownOrder) -> PaymentAnswer:
        reply = exchange(settings(account, Settings.of), messages.query(order.number))
        return messages.read_queried(reply.status, reply.body, order.number)

    def cancel(self, account: Account, order: KnownOrder) -> PaymentAnswer:
        known = settings(account, Settings.of)
        reply = exchange(known, messages.close(order.number))
        if messages.is_not_reversible(reply.status, reply.body):
            reply = exchange(known, messages.query(order.number))
            return messages.past_undoing(messages.read_queried(reply.status, reply.body, order.number))
        return messages.read_closed(reply.status, reply.body, order.number)

    def refund(self, account: Account, refund: RefundOrder) -> RefundAnswer:
        reply = exchange(settings(account, Settings.of), messages.refund(refund))
        return messages.read_refunded(reply.status, reply.body, refund.refund_number)

    def query_refund(self, account: Account, refund: RefundOrder) -> RefundAnswer:
        reply = exchange(settings(account, Settings.of), messages.query_refund(refund))
        return messages.read_refund_queried(reply.status, reply.body, refund.refund_number)

    def parse_notification(self, account: Account, notification: HttpMessage) -> NotificationOutcome:
        headers = dict(reversed(notification.headers))
        needed = [headers.get(f"x-sandbox-{name}") for name in ("timestamp", "nonce", "signature")]
        timestamp, nonce, signature = needed
        if timestamp is None or nonce is None or signature is None:
            raise Err(NotificationError_Forged("it is not signed"))
        try:
            is_genuine = hmac_verifies(KEY, messages.notification_text(timestamp, nonce, notification.body), signature)
        except Err:
            # Without a key nothing can be believed; the scheme will send it again.
            raise Err(NotificationError_Forged(f"the account has no {KEY}")) from None
        if not is_genuine:
            raise Err(NotificationError_Forged("the signature does not fit"))
        try:
            event = messages.read_notification(notification.body)
        except Err as unread:
            raise Err(NotificationError_Malformed(saoma_channel.words(unread.value))) from None
        acknowledgement = HttpReply(status=200, content_type="text/plain", body=messages.ACKNOWLEDGEMENT)
        return NotificationOutcome([event], acknowledgement)

    def fetch_bill(self, account: Account, day: str, cursor: str | None) -> BillPage:
        reply = exchange(settings(account, Settings.of), messages.bill(day, cursor))
        return messages.read_bill(reply.status, reply.header("content-type") or "", reply.body)

    def self_test(self, account: Account) -> str:
        known = settings(account, Settings.of)
        try:
            reply = exchange(known, messages.ping())
        except Err as failed:
            # Here nothing can have happened, and a wrong key is the likeliest reason for an answer that does not verify.
            if failed.value == Error_NoAnswer(UNVERIFIED):
                raise misconfigured(
                    "the scheme's answer does not fit the merchant key: check the key and the merchant id"
                ) from None
            raise
        return messages.read_pong(reply.status, reply.body, known.merchant_id)


def exchange(known: Settings, call: Call) -> Reply:
    """Sends one signed request and returns the scheme's answer, if it is the scheme's."""
    url, path = messages.address(known.base_url, call.path)
    timestamp, nonce = str(clock.now()), random_hex(NONCE_BYTES)
    signature = hmac_hex(KEY, messages.request_text(call.method, path, timestamp, nonce, call.body))
    reply = saoma_channel.send(
        call.method,
        url,
        timeout_ms=ANSWER_TIMEOUT_MS,
        headers=[
            ("x-sandbox-merchant", known.merchant_id),
            ("x-sandbox-timestamp", timestamp),
            ("x-sandbox-nonce", nonce),
            ("x-sandbox-signature", signature),
        ],
        body=call.body,
        content_type="application/json" if call.body else None,
    )
    answered_at, answer_signature = reply.header("x-sandbox-timestamp"), reply.header("x-sandbox-signature")
    if answered_at is None or answer_signature is None:
        raise no_answer(UNVERIFIED)
    if not hmac_verifies(KEY, messages.response_text(reply.status, answered_at, nonce, reply.body), answer_signature):
        raise no_answer(UNVERIFIED)
    return reply
