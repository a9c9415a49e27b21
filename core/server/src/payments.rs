//! What can be done with payments: load, let the domain decide, commit, and only then call the channel.
//!
//! Survives: a client that hangs up (what was begun is finished in a task of its own), a crash between two commits (the
//! resolver takes up what is left), the same request twice and at once (the first insert decides).

mod attention;
mod became;
mod by_hand;
mod call;
mod cards;
mod close;
mod collect;
mod dispute;
mod dispute_news;
mod dispute_view;
mod doubt;
mod fees;
mod forward;
mod in_doubt;
mod push;
mod quoted;
mod refund;
mod refund_calls;
mod routing;
mod rules;
mod settle;
mod stored;
mod told;
mod view;

pub use attention::attend;
pub use became::Became;
pub use by_hand::{Proposal, confirm, propose, withdraw};
pub(crate) use call::{CLOCKS_APART_MS, ready as channel_of_account};
pub use call::{Channel, channel_of};
pub use cards::{CARDS_KEPT_MS, TRACKS_KEPT_MS};
pub(crate) use cards::{of_stored as card_of_stored, to_store as card_to_store};
pub use close::{Reply, answer_came, ask, ask_in_doubt, cancel, close_now, expire};
pub(crate) use collect::pace;
pub use collect::{Collect, How, Payer, collect, repeated};
pub(crate) use dispute::{Case, Said, move_on as move_on_dispute, write_down as write_down_dispute};
pub use dispute::{Deed, DisputeStep, Opening, call_for_answers, open as open_dispute, step as step_dispute};
pub use dispute_news::{DisputeNews, heard as heard_dispute};
pub use dispute_view::{DisputeState, DisputeView, dispute_view};
pub use forward::forward;
pub(crate) use forward::tell_held;
pub(crate) use quoted::told as quote_told;
pub use quoted::{NotQuoted, QuotedTo, check as check_quote, signed as signed_quote};
pub(crate) use refund::call_a_person as refund_needs_person;
pub use refund::{GiveBack, give_back};
pub(crate) use refund_calls::take_as_unanswered;
pub use refund_calls::{refund_notified, resume as resume_refund};
pub use routing::Silences;
pub use rules::{Quote, Wish, quote};
pub(crate) use settle::record;
pub use settle::{Heard, Outcome, Settled, settle};
pub use told::{Told, told};
pub use view::{payment_facts, payment_view, refund_view};

use saoma_channels::NoChance;
use saoma_domain::{dispute as dispute_rules, order, payment, refund as refund_rules};
use saoma_protocol::{ChannelAccountId, DisputeId, HandSettlementId, OrderId, PaymentId, RefundId};
use saoma_store::StoreError;

use crate::secrets::SecretsError;

/// Why a use-case did not do what was asked. Where it says so, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    NoChance(#[from] NoChance),
    /// The number is taken by a payment of another amount or kind. Nothing was changed.
    #[error("{0} is another payment")]
    ExistsDifferently(PaymentId),
    /// The number is taken by another refund. Nothing was changed.
    #[error("{0} is another refund")]
    RefundExistsDifferently(RefundId),
    #[error("{0} was proposed by another request with this Idempotency-Key")]
    SettlementExistsDifferently(HandSettlementId),
    /// The `Idempotency-Key` belongs to another request about disputes. Nothing was changed.
    #[error("{0} had another request with this Idempotency-Key")]
    DisputeKeyReused(DisputeId),
    #[error(transparent)]
    Refused(#[from] payment::Refusal),
    #[error(transparent)]
    RefundRefused(#[from] refund_rules::Refusal),
    #[error(transparent)]
    DisputeRefused(#[from] dispute_rules::Refusal),
    /// No enabled channel account of the tenant fits.
    #[error("no enabled channel account can collect this: {0}")]
    NoChannel(String),
    /// The merchant's own rules say no, in their words. Nothing was changed.
    #[error("{sentence}")]
    RefusedByRules { code: String, sentence: String },
    /// Nothing was changed. Without the rule's own words: people who sell read this.
    #[error("the merchant's rule {rule} gave no decision ({code})")]
    RuleFailed { rule: &'static str, code: &'static str },
    /// Another payment has this very reading of a card. Nothing was changed.
    #[error("this reading of the card paid before")]
    CardUsed,
    /// The account's batch is on its way to the scheme. Nothing was changed.
    #[error("the batch of this channel account is being settled")]
    BatchClosing,
    /// A terminal sold it without a network, and the acquirer has not answered yet. Nothing was changed.
    #[error("the acquirer is still to say what becomes of this sale")]
    Forwarding,
    /// The package that began the payment cannot be loaded on this node now. Nothing was changed.
    #[error("the payment's package cannot be loaded here: {0}")]
    PackageNotHere(String),
    /// The code that a terminal showed may begin no payment any more. Nothing was changed.
    #[error("the time of the terminal's code is over")]
    CodeOver,
    #[error("no channel claims this code")]
    CodeNotRecognised,
    #[error(transparent)]
    Code(#[from] saoma_domain::claim::CodeError),
    /// Several accounts claim the code: the cashier must choose.
    #[error("several channel accounts claim this code")]
    Ambiguous(Vec<ChannelAccountId>),
    #[error("{channel} cannot do this: {why}")]
    ChannelCannot { channel: String, why: String },
    /// Nothing was changed.
    #[error(transparent)]
    Order(#[from] order::Refusal),
    /// A second payment must be of the order's store. Nothing was changed.
    #[error("{0} is of another store")]
    OrderElsewhere(OrderId),
    /// The one who proposed a settlement by hand cannot confirm it. Nothing was changed.
    #[error("a second person must confirm it")]
    SamePerson,
    /// The channel says something else, or has just said how it ended. The settlement by hand is off.
    #[error("the channel says otherwise: {0}")]
    ChannelSays(String),
    #[error("a void is possible on the merchant's day of the payment alone, and until its batch is settled")]
    VoidTooLate,
    /// The task that went on by itself ended badly; what it committed stands.
    #[error("the work was cut off: {0}")]
    CutOff(String),
}

impl PaymentError {
    /// Whether the channel cannot be called at all (its plugin or secrets are gone): of that account alone.
    pub(crate) fn is_of_the_channel(&self) -> bool {
        match self {
            Self::NoChannel(_) => true,
            // That this node lacks a master key, or cannot read it, says nothing about the channel: another node can ask it. So
            // it is with a package that does not load here.
            Self::Secrets(SecretsError::Sealed) => true,
            _ => false,
        }
    }

    /// The same, of work that had written something down (and may have asked the channel) before it failed: that nothing was
    /// changed would be a lie, after which somebody charges again under another number.
    #[must_use]
    pub(crate) fn once_begun(self) -> Self {
        match self {
            Self::Store(StoreError::Unavailable { why }) => StoreError::InDoubt { why }.into(),
            Self::Store(StoreError::DiskFull) => StoreError::InDoubt { why: StoreError::DiskFull.to_string() }.into(),
            Self::Secrets(SecretsError::Store(error)) => Self::Store(error).once_begun(),
            other => other,
        }
    }
}

/// Kinds of events, as the timeline shows them.
pub mod kind {
    pub const CREATED: &str = "created";
    pub const RULES_ASKED: &str = "rules_asked";
    /// The price is what the merchant's rules quoted before the sale.
    pub const QUOTED: &str = "quoted";
    /// A terminal that sold by itself names a price that core has not quoted.
    pub const NOT_QUOTED: &str = "not_quoted";
    pub const PRESENTING: &str = "presenting";
    pub const SUBMITTING: &str = "submitting";
    pub const PENDING: &str = "pending";
    pub const NO_ANSWER: &str = "no_answer";
    pub const SUCCEEDED: &str = "succeeded";
    pub const FAILED: &str = "failed";
    pub const REVERSED: &str = "reversed";
    pub const EXPIRED: &str = "expired";
    pub const CANCELLED: &str = "cancelled";
    pub const CANCEL_ASKED: &str = "cancel_asked";
    pub const CLOSE_CONFIRMED: &str = "close_confirmed";
    pub const ANSWER_REFUSED: &str = "answer_refused";
    pub const REFUND_SUBMITTED: &str = "refund_submitted";
    pub const REFUND_PENDING: &str = "refund_pending";
    pub const REFUND_NO_ANSWER: &str = "refund_no_answer";
    pub const REFUND_SUCCEEDED: &str = "refund_succeeded";
    pub const REFUND_FAILED: &str = "refund_failed";
    pub const REFUND_NOT_SENT: &str = "refund_not_sent";
    pub const REFUND_BY_HAND: &str = "refund_settled_by_hand";
    pub const VOIDED: &str = "voided";
    pub const DOUBTED: &str = "doubted";
    /// A node waits, by its own clock, until nothing can be on its way any more; its name is the detail.
    pub const DOUBT_WAITS: &str = "doubt_waits";
    pub const DOUBT_ENDED: &str = "doubt_ended";
    pub const PAID_BY_HAND: &str = "paid_by_hand";
    pub const NEEDS_ATTENTION: &str = "needs_attention";
    /// A person lets a sale go out that was held.
    pub const LET_GO: &str = "let_go";
    pub const ATTENDED: &str = "attended";
    pub const HAND_PROPOSED: &str = "settlement_proposed";
    pub const HAND_REFUSED: &str = "settlement_refused";
    pub const HAND_WITHDRAWN: &str = "settlement_withdrawn";
    pub const HAND_CONFIRMED: &str = "settlement_confirmed";
    pub const DISPUTE_OPENED: &str = "dispute_opened";
    pub const DISPUTE_ASKED: &str = "dispute_response_asked";
    pub const DISPUTE_CONTESTED: &str = "dispute_evidence_submitted";
    pub const DISPUTE_ACCEPTED: &str = "dispute_accepted";
    pub const DISPUTE_WON: &str = "dispute_won";
    pub const DISPUTE_LOST: &str = "dispute_lost";
    pub const DISPUTE_CONTRADICTED: &str = "dispute_contradicted";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_that_is_not_here_is_no_channel_that_cannot_be_called() {
        let (name, file) = ("k".to_owned(), "/x".to_owned());
        for error in [
            SecretsError::NoMaster { name, file: file.clone() },
            SecretsError::Master { path: file, why: "gone".to_owned() },
            SecretsError::NoChance,
            SecretsError::Store(unavailable()),
        ] {
            assert!(!PaymentError::Secrets(error).is_of_the_channel());
        }
        assert!(PaymentError::Secrets(SecretsError::Sealed).is_of_the_channel());
    }

    fn unavailable() -> StoreError {
        StoreError::Unavailable { why: "gone".to_owned() }
    }

    #[test]
    fn work_that_had_begun_never_says_that_nothing_was_changed() {
        for error in [
            PaymentError::Store(StoreError::DiskFull),
            PaymentError::Store(unavailable()),
            PaymentError::Secrets(SecretsError::Store(unavailable())),
        ] {
            let told = error.once_begun();
            assert!(matches!(told, PaymentError::Store(StoreError::InDoubt { .. })), "{told:?}");
        }
        let stale = PaymentError::Store(StoreError::Stale { what: "a payment" }).once_begun();
        assert!(matches!(stale, PaymentError::Store(StoreError::Stale { .. })));
    }
}
