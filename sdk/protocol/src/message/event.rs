//! What core tells a terminal.

use serde::{Deserialize, Serialize};

use crate::{
    Amount, Millis, PaymentId, Sequence,
    api::{PaymentView, RefundView},
};

/// News for a terminal, numbered by core's outbox. Repeated until acknowledged; a terminal ignores ids it has seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Push {
    pub id: Sequence,
    /// Core's clock at the commit that caused the news.
    pub at: Millis,
    pub body: PushBody,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "one at a time is read and written; none is kept in a list")]
pub enum PushBody {
    /// A payment of this terminal changed; the whole of it as it now stands. An older `version` than the one held is ignored.
    Payment { payment: PaymentView },
    /// A refund or void of a payment of this terminal changed.
    Refund { refund: RefundView, payment: PaymentView },
    /// The terminal is to look at core now: to send its journal, also if it had stopped doing so. A person asked for it.
    SyncNow,
    /// Who may sign on at this terminal changed: it fetches the list. One that does not know this leaves it with core.
    CashiersChanged,
    /// What may be taken offline changed (limits, issuers or revoked grants): the terminal fetches its list anew, and once
    /// more some seconds after it has acknowledged this. One that does not know this leaves it with core, where at most one waits for
    /// each terminal.
    OfflineListChanged,
    /// The merchant's catalogue changed: the terminal asks for what is new. One that does not know this leaves it with core, where
    /// at most one waits for each terminal.
    GoodsChanged,
    /// A customer has paid through a printed code of the shop, which nobody keyed here: to be said and shown. Sent to terminals that say
    /// of themselves that they do that (`announces` in their health), and kept for a day; a terminal says it once for each payment.
    /// `label`: the shop's own name for the code. `paid_at`: when the channel took the money, by the channel's clock.
    StaticCodePaid { payment: PaymentId, amount: Amount, paid_at: Millis, label: String },
}

/// The pushes that the terminal has on its disk; core need not send them again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PushAck {
    pub ids: Vec<Sequence>,
}
