//! One sale at this till: what is known of it, what may happen to it, and what follows. Pure: no I/O, no clock.
//!
//! Survives: a crash at any moment (what is `kept` is on the disk before anything is sent), answers that come late, twice or
//! in the wrong order (the higher version of a view wins), and silence (an outcome that core does not know is never shown as
//! paid or unpaid; the till asks again with the same number, or asks core to cancel).
//!
//! Does not decide whether money moved: only core's word (or, for cash, this till's own journal entry) does.

mod card;
mod decide;
mod elsewhere;
mod key;
mod left;
mod reference;
mod refusal;
mod show;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use saoma_protocol::{
    Amount, ChannelAccountId, Millis, PaymentId, RefundId, Sequence,
    api::{
        Failure, Goods, PaymentState, PaymentView, PresentedCard, Problem, Quoted, RefundKind, RefundState, RefundView,
    },
    journal::{Approver, CoreTime, Method, Record, SplitPart},
};
use serde::{Deserialize, Serialize};

use crate::{offline::Spent, phone::PhoneShown, stored::SoldCard};
pub use card::{CardShown, CardTender};
pub use decide::{RESEND_MS_MAX, decide};
pub use elsewhere::NotGivenBackHere;
pub use key::key;
pub use left::LeftToDo;
pub use reference::{NotAReference, REFERENCE_LEN_MAX, Reference};
pub use refusal::Refusal;
pub use show::{ANNOUNCED_MS_MAX, Action, actions, display, state_text, to_announce};

/// A sale: what is on the disk, and what is only of this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    pub kept: Kept,
    pub waits: Waits,
}

/// What the disk has of a sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    pub payment: PaymentId,
    /// The terminal's number of this sale.
    pub counter: Sequence,
    pub amount: Amount,
    pub goods: Vec<Goods>,
    /// The table's or order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// What it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<SplitPart>,
    /// The quote that its amount is; its goods come to what was asked about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<Quoted>,
    pub cashier: String,
    /// Of a sale by card, what is shown of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<CardShown>,
    /// The code that the customer's phone carries to core.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneShown>,
    /// Somebody here wished, or was told, that what the customer's phone carried is not sold, whatever core said to that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub given_up: bool,
    /// It was paid all the same, and nobody here has said that he has seen that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paid_after_all_unseen: bool,
    /// By the machine's clock; by core's, where that judged it.
    pub keyed_at: Millis,
    /// What time it was at core then.
    #[serde(default, skip_serializing_if = "CoreTime::is_unsaid")]
    pub keyed_core: CoreTime,
    pub stage: Stage,
    pub refunds: Vec<Refund>,
    pub receipt: ReceiptState,
    /// The state and refunded sum of the last `SaleSettled` in the journal.
    pub journaled: Option<(PaymentState, i64)>,
    /// An offline code paid it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub offline: bool,
    /// It was sold by card without a network, at the merchant's risk.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stored: bool,
    /// The acquirer declined it when the goods were gone, and nobody here has said that he has seen that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loss_unseen: bool,
    /// Another till of the shop sold it. Here money is given back on it, through core, and nothing else.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub elsewhere: bool,
}

/// How far a sale is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Done when it was keyed.
    Cash { tendered_minor: i64 },
    /// Paid by an offline code when it was keyed; core has said nothing of it to this till yet.
    Offline,
    /// Sold by card at the merchant's risk; core has said nothing of it to this till yet. `held`: it has the entry and no such sale, which
    /// a person settles there. `left`: somebody here has seen that, and core is asked no more.
    Stored {
        held: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left: bool,
    },
    /// The customer has shown core's word that it is paid; core has not said so itself. `denied`: nor does it on being asked. `left`: as above.
    Confirmed {
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        denied: bool,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        left: bool,
    },
    /// On this disk; core has not answered yet, and may or may not have it.
    Sending { method: Method, cancelling: bool },
    /// Core has it, and this is the newest that it said.
    Known { method: Method, view: Box<PaymentView>, cancelling: bool },
    /// Core does not have it and will not get it from us any more.
    NotSent { method: Method, state: PaymentState, failure: Failure },
}

/// Every refund was, before it was written down where it was keyed.
const fn keyed_here() -> bool {
    true
}

/// Money that goes back on this sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refund {
    pub refund: RefundId,
    pub amount: Amount,
    pub void: bool,
    pub state: RefundState,
    /// Whether core has answered about it. Until then it is sent again, with the same number.
    pub answered: bool,
    /// Keyed at this till. What the dashboard or core itself gives back is told here, and followed up there.
    #[serde(default = "keyed_here")]
    pub keyed_here: bool,
    pub failure: Option<Failure>,
    /// Who let whoever stood there give it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Approver>,
    /// The version of the newest view of it.
    pub version: u64,
    pub keyed_at: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceiptState {
    None,
    /// Given to the printer.
    Queued,
    Printed,
    /// The cashier may reprint it.
    Failed,
}

/// What is only of this run: after a restart all of it is empty, and every wait is due.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waits {
    /// The customer's code, for sending again; never on the disk.
    pub code: Option<ScannedCode>,
    /// The card as it goes to core, likewise.
    pub card: Option<Box<PresentedCard>>,
    pub creating: bool,
    pub querying: bool,
    pub cancelling: bool,
    pub fetching: bool,
    pub listing: bool,
    pub refunding: Vec<RefundId>,
    /// Refunds keyed in this run of which core has said nothing and no request ended in silence: if one is not sent, core
    /// surely has none.
    pub certain: Vec<RefundId>,
    /// How many requests went out that core may have got without our hearing of it; `None` is unknown (a restart).
    pub unanswered: Option<u32>,
    /// Core said that it does not have this sale.
    pub not_found: u32,
    /// No automatic request before this moment.
    pub next_at: Option<Millis>,
}

/// A code that a customer showed: a bearer credential for about a minute. Does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct ScannedCode(String);

impl ScannedCode {
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The code itself, for the request to core alone.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ScannedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScannedCode(…)")
    }
}

/// How a sale is paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tender {
    /// What the customer handed over, in minor units.
    Cash { tendered_minor: i64 },
    /// A code on the customer display.
    Code,
    /// A code that the customer's phone carries to core.
    Phone(Box<PhoneShown>),
    /// The customer's code.
    Scan { code: ScannedCode },
    /// A card that was read.
    Card { card: Box<CardTender> },
    /// The customer's offline code, which was checked: it pays by itself.
    Offline { code: ScannedCode, spent: Box<Spent> },
    /// A card that was read without a network and checked: it is sold, and core forwards it through that account.
    Stored { card: Box<CardTender>, sold: Box<SoldCard>, channel_account: ChannelAccountId },
}

/// What a cashier keyed, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keyed {
    pub payment: PaymentId,
    pub counter: Sequence,
    pub amount: Amount,
    pub tender: Tender,
    pub goods: Vec<Goods>,
    pub reference: Option<Reference>,
    pub split: Option<SplitPart>,
    pub quote: Option<Quoted>,
    pub cashier: String,
}

/// What happens to a sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    QueryPressed,
    CancelPressed,
    /// `utc_offset_minutes`: where the till stands, for which day a sale is of.
    VoidPressed {
        refund: RefundId,
        cashier: String,
        utc_offset_minutes: i32,
    },
    RefundPressed {
        refund: RefundId,
        amount: Amount,
        cashier: String,
    },
    ReprintPressed,
    /// Somebody has seen that the acquirer declines what was sold without a network, or that core does not book it or denies it.
    AcknowledgePressed,
    /// Core's word that it is paid was shown by the customer, and checked.
    Confirmed,
    /// A slip that found no paper is printed now.
    PaperIsBack {
        slip: Slip,
    },
    /// The end of a request of ours.
    Answered {
        ask: Ask,
        outcome: Outcome,
    },
    /// Core said something by itself.
    Pushed {
        view: Box<PaymentView>,
        refund: Option<Box<RefundView>>,
    },
    /// The printer took the receipt, or did not.
    Printed {
        done: bool,
    },
    /// Time passed. `mqtt`: whether core can tell us by itself; `poll_ms`: how often to ask if not.
    Tick {
        mqtt: bool,
        poll_ms: i64,
    },
}

/// A request to core. Every one may be repeated: it carries the number of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// `POST /v1/payments`.
    Create,
    /// `GET /v1/payments/{id}`: what core has.
    Fetch,
    /// `POST …/query`: core asks the channel.
    Query,
    Cancel,
    /// `GET …/refunds`: how those stand that core has taken.
    ListRefunds,
    /// `POST …/void` or `…/refunds`.
    Refund(RefundId),
}

impl Waits {
    /// The request has ended.
    pub(crate) fn end(&mut self, ask: Ask) {
        match ask {
            Ask::Create => self.creating = false,
            Ask::Fetch => self.fetching = false,
            Ask::Query => self.querying = false,
            Ask::Cancel => self.cancelling = false,
            Ask::ListRefunds => self.listing = false,
            Ask::Refund(refund) => self.refunding.retain(|held| *held != refund),
        }
    }

    /// The request has ended with an answer that is lost: core may have done what was asked. It is asked again at `again_at`.
    pub(crate) fn end_unheard(&mut self, ask: Ask, again_at: Millis) {
        self.end(ask);
        if let Ask::Refund(refund) = ask {
            self.certain.retain(|certain| *certain != refund);
        }
        self.unanswered = Some(self.unanswered.unwrap_or(1).max(1));
        self.next_at = Some(again_at);
    }

    /// Whether a request is under way.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        let Self { creating, querying, cancelling, fetching, listing, refunding, .. } = self;
        *creating || *querying || *cancelling || *fetching || *listing || !refunding.is_empty()
    }
}

/// How a request ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    View(Box<PaymentView>),
    Refund(Box<RefundView>),
    Refunds(Vec<RefundView>),
    /// Core has no such payment.
    NotFound,
    /// Core will not do it, and asking again does not help.
    Refused(Box<Problem>),
    /// Core does not know this terminal (any more); nothing is said about the sale.
    Locked(Box<Problem>),
    /// No connection was made: core did not get this request.
    NotSent,
    /// Nobody knows whether core got it.
    Silent,
}

/// What is to be done once the decision is on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    Ask(Ask),
    OpenDrawer,
    Print(Slip),
    /// Something a person must look at.
    Alarm {
        code: &'static str,
        message: String,
    },
}

/// Which slip to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slip {
    Sale,
    Copy,
    Refund(RefundId),
    RefundCopy(RefundId),
}

/// What follows from an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    pub sale: Sale,
    /// For the journal, in this order, in one transaction with what is kept of the sale.
    pub records: Vec<Record>,
    /// Afterwards.
    pub effects: Vec<Effect>,
}

impl Decision {
    /// What goes back by it was let go by `supervisor`.
    #[must_use]
    pub fn approved(mut self, supervisor: Option<Approver>) -> Self {
        for record in &mut self.records {
            if let Record::CashRefund { refund, approved_by, .. } | Record::RefundKeyed { refund, approved_by, .. } =
                record
            {
                approved_by.clone_from(&supervisor);
                if let Some(held) = self.sale.kept.refunds.iter_mut().find(|held| held.refund == *refund) {
                    held.approved_by.clone_from(&supervisor);
                }
            }
        }
        self
    }
}

impl Sale {
    /// A sale as the disk has it, after a start.
    #[must_use]
    pub fn reopened(kept: Kept) -> Self {
        Self { kept, waits: Waits::default() }
    }

    /// Where it stands, in core's words; `None` while core has not answered.
    #[must_use]
    pub fn state(&self) -> Option<PaymentState> {
        match &self.kept.stage {
            Stage::Cash { .. } => Some(match self.refunded_minor() {
                0 => PaymentState::Succeeded,
                refunded if refunded < self.kept.amount.minor() => PaymentState::PartlyRefunded,
                _ if self.kept.refunds.iter().any(|refund| refund.void) => PaymentState::Voided,
                _ => PaymentState::Refunded,
            }),
            // What goes back on it core says first, and with it how it stands.
            Stage::Offline | Stage::Confirmed { .. } => Some(PaymentState::Succeeded),
            // The goods are gone, and the money is the acquirer's to give.
            Stage::Stored { .. } => Some(PaymentState::Pending),
            Stage::Sending { .. } => None,
            Stage::Known { view, .. } => Some(view.state),
            Stage::NotSent { state, .. } => Some(*state),
        }
    }

    /// The stable text of the state: core's, or `sending`.
    #[must_use]
    pub fn state_text(&self) -> &'static str {
        self.state().map_or("sending", state_text)
    }

    /// Given back or being given back, in minor units.
    #[must_use]
    pub fn refunded_minor(&self) -> i64 {
        match &self.kept.stage {
            Stage::Known { view, .. } => view.refunded_minor,
            Stage::Cash { .. } => self.refunds_minor(),
            Stage::Offline | Stage::Confirmed { .. } => {
                let given = self.kept.refunds.iter().filter(|held| held.answered && held.state != RefundState::Failed);
                given.map(|held| held.amount.minor()).sum()
            }
            Stage::Stored { .. } | Stage::Sending { .. } | Stage::NotSent { .. } => 0,
        }
    }

    /// What its refunds that are known here come to, but for those that failed, in minor units.
    #[must_use]
    pub fn refunds_minor(&self) -> i64 {
        let given = self.kept.refunds.iter().filter(|refund| refund.state != RefundState::Failed);
        given.map(|refund| refund.amount.minor()).sum()
    }

    /// What may still be given back as far as is known here, in minor units.
    #[must_use]
    pub fn refundable_minor(&self) -> i64 {
        if !self.state().is_some_and(PaymentState::is_paid) {
            return 0;
        }
        // A refund that core has not answered about is not in its view yet.
        let unanswered = self.kept.refunds.iter().filter(|refund| !refund.answered);
        self.kept.amount.minor() - self.refunded_minor() - unanswered.map(|refund| refund.amount.minor()).sum::<i64>()
    }

    /// Whether something about it is still to be found out.
    #[must_use]
    pub fn is_open(&self) -> bool {
        let cancelling =
            matches!(&self.kept.stage, Stage::Known { view, cancelling: true, .. } if !view.state.is_settled());
        !self.state().is_some_and(PaymentState::is_settled)
            || cancelling
            || self.kept.refunds.iter().any(Refund::is_open)
            || self.is_part_in_doubt()
    }

    /// Whether core is still to be asked about money that goes back on this part of a split, whoever keyed that: a refund is neither
    /// through nor failed, or core's words on the refunds and on the payment do not agree, so that one of them is older.
    #[must_use]
    pub fn is_part_in_doubt(&self) -> bool {
        let known = self.view().filter(|_| self.kept.split.is_some() && self.was_captured());
        known.is_some_and(|view| {
            // What the channel undid as a whole needs no refund of it, and holds nothing any more.
            let agrees = view.state == PaymentState::Voided || view.refunded_minor == self.refunds_minor();
            !agrees || !self.kept.refunds.iter().all(Refund::is_final)
        })
    }

    #[must_use]
    pub const fn method(&self) -> Option<Method> {
        match &self.kept.stage {
            Stage::Cash { .. } => None,
            Stage::Offline => Some(Method::CustomerPresented),
            Stage::Stored { .. } => Some(Method::Card),
            Stage::Confirmed { .. } => Some(Method::MerchantPresented),
            Stage::Sending { method, .. } | Stage::Known { method, .. } | Stage::NotSent { method, .. } => {
                Some(*method)
            }
        }
    }

    #[must_use]
    pub const fn is_cancelling(&self) -> bool {
        matches!(&self.kept.stage, Stage::Sending { cancelling: true, .. } | Stage::Known { cancelling: true, .. })
    }

    #[must_use]
    pub fn view(&self) -> Option<&PaymentView> {
        match &self.kept.stage {
            Stage::Known { view, .. } => Some(view),
            _ => None,
        }
    }

    /// Whether the customer is to carry it to core, as far as is known here.
    #[must_use]
    pub const fn awaits_phone(&self) -> bool {
        self.kept.phone.is_some() && matches!(self.kept.stage, Stage::Sending { .. })
    }

    /// Whether it is paid by what the customer showed, and core has not said so itself.
    #[must_use]
    pub const fn awaits_cores_word(&self) -> bool {
        matches!(self.kept.stage, Stage::Confirmed { .. })
    }

    /// Why it failed, if it did.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.kept.stage {
            Stage::Known { view, .. } => view.failure.as_ref(),
            Stage::NotSent { failure, .. } => Some(failure),
            Stage::Cash { .. }
            | Stage::Offline
            | Stage::Stored { .. }
            | Stage::Confirmed { .. }
            | Stage::Sending { .. } => None,
        }
    }

    /// Whether money came in on it at some time, whatever became of it later.
    #[must_use]
    pub fn was_captured(&self) -> bool {
        matches!(
            self.state(),
            Some(
                PaymentState::Succeeded | PaymentState::PartlyRefunded | PaymentState::Refunded | PaymentState::Voided
            )
        )
    }

    #[must_use]
    pub fn refund(&self, refund: RefundId) -> Option<&Refund> {
        self.kept.refunds.iter().find(|held| held.refund == refund)
    }
}

impl Refund {
    /// Whether this till still has to find out what became of it.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.keyed_here && !self.is_final()
    }

    /// Whether it is through or has failed.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self.state, RefundState::Succeeded | RefundState::Failed)
    }

    fn of(view: &RefundView) -> Self {
        Self {
            refund: view.id,
            amount: view.amount,
            void: view.kind == RefundKind::Void,
            state: view.state,
            answered: true,
            keyed_here: false,
            failure: view.failure.clone(),
            approved_by: None,
            version: view.version,
            keyed_at: view.created_at,
        }
    }
}

fn failure_of(problem: &Problem) -> Failure {
    let message = if problem.detail.is_empty() { problem.title.clone() } else { problem.detail.clone() };
    Failure { code: problem.code.clone(), message }
}
