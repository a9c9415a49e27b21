//! Mistakes put in on purpose. If the simulator does not find one, it would not find the like of it in earnest.
//!
//! Each lives in this crate, which is never shipped: a port that misbehaves, a door or a terminal that does things in the
//! wrong order, or a use-case written wrongly against the real database. Nothing in core or the agent can be made to do it.

use std::ops::Range;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Canary {
    /// Core's door takes no notice of the `Idempotency-Key`: each arrival of a request is a new payment.
    KeyIgnored,
    /// News is sent to the terminal before what it tells is committed.
    SentBeforeCommit,
    /// A capture is posted twice.
    PostedTwice,
    /// An expiry saves the payment as it was when it looked, over whatever happened since.
    LostUpdate,
    /// An expiry closes what is paid.
    PaidIsExpired,
    /// What the scheme says is believed without a look at the amount.
    AmountNotChecked,
    /// A notification is believed without a look at its signature.
    ForgeryBelieved,
    /// A success that comes after the payment was closed is acknowledged and forgotten.
    LateSuccessDropped,
    /// What becomes of a refund after it was refused is acknowledged and forgotten.
    LateRefundDropped,
    /// A refund that is sent again gets a new number.
    RefundRenumbered,
    /// The scheme is charged before the payment is written down.
    ChargedBeforeWritten,
    /// Journal entries are acknowledged before they are stored.
    JournalAckedEarly,
    /// A refund is paid without setting its amount aside first.
    NothingSetAside,
    /// The terminal acknowledges a push before it is kept.
    PushAckedEarly,
    /// The terminal sends a sale before it is in its journal.
    SentBeforeJournaled,
    /// The terminal sends a sale that was not answered under a new number.
    NewNumberOnRetry,
    /// A second way to pay an order is taken for a sale of its own.
    OrderForgotten,
    /// What a scheme sends on its own is taken for how things stand now.
    OldNewsBelieved,
    /// A push that was handed to the broker counts as delivered.
    SentIsDelivered,
    /// The terminal forgets at its start what it has sold without core.
    SoldForgotten,
    /// A card that was sold to without a network is forwarded under a new number each time.
    ForwardRenumbered,
}

impl Canary {
    pub const ALL: [Self; 21] = [
        Self::KeyIgnored,
        Self::PostedTwice,
        Self::PaidIsExpired,
        Self::AmountNotChecked,
        Self::ForgeryBelieved,
        Self::LateSuccessDropped,
        Self::LateRefundDropped,
        Self::RefundRenumbered,
        Self::ChargedBeforeWritten,
        Self::JournalAckedEarly,
        Self::NothingSetAside,
        Self::PushAckedEarly,
        Self::SentBeforeJournaled,
        Self::NewNumberOnRetry,
        Self::OrderForgotten,
        Self::OldNewsBelieved,
        Self::SentIsDelivered,
        Self::SentBeforeCommit,
        Self::LostUpdate,
        Self::SoldForgotten,
        Self::ForwardRenumbered,
    ];

    /// Whether it is about what is sold without core: the other mistakes are played without that.
    #[must_use]
    pub const fn is_alone(self) -> bool {
        matches!(self, Self::SoldForgotten | Self::ForwardRenumbered)
    }

    /// Among which seeds it must be found: two to four times as many as it took when this was written.
    #[must_use]
    pub const fn seeds(self) -> Range<u64> {
        match self {
            // Races that are open for a tenth of a second: after a code's end, and before a commit that fails.
            Self::LostUpdate | Self::SentBeforeCommit => 0..1_000,
            // A scheme that pays what it had refused; two who give back at once. The rarest of all: they are looked for from shortly
            // before the seeds that found them at first (4395, 853), since each test run would play thousands of others in vain.
            Self::LateRefundDropped => 4_380..6_500,
            Self::NothingSetAside => 840..3_000,
            _ => 0..500,
        }
    }
}
