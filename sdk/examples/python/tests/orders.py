"""What the tests sell and give back."""

from wit_world.imports.types import Money, Order, RefundOrder

NUMBER = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa"
ORDER = Order(
    number=NUMBER,
    amount=Money(1_250, "CNY"),
    subject='Coffee "large" 大杯',
    merchant_name="Corner Shop",
    store_id="sto_aaaaaaaaaaaaaaaaaaaaaaaaaa",
    store_name="Main Street",
    terminal_id="ter_aaaaaaaaaaaaaaaaaaaaaaaaaa",
    terminal_name="till 1",
    created_at=1_700_000_000_000,
    expires_at=1_700_000_120_000,
)
REFUND = RefundOrder(
    number=NUMBER,
    reference="W1",
    refund_number="rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa",
    amount=Money(5, "CNY"),
    total=Money(1_250, "CNY"),
    reason="cold",
    created_at=1_700_000_000_000,
)
