//! A split payment (分次付款): a total that is paid in parts, by several tenders. Pure: no I/O, no clock.
//!
//! Each part is a sale of its own ([`crate::sale`]), with its own number, states and refunds; what is here says which belong
//! together and what may be done next. One part at a time: while nobody knows how one stands, or whether what goes back of one,
//! whoever gave it back, is gone, nothing more is collected and nothing is called given back: no money is taken twice or kept.
//! What is paid is never counted here, but from the parts as they stand.

#[cfg(test)]
mod tests;

use saoma_protocol::{
    Amount, Millis, Money, PaymentId, RefundId, Sequence,
    api::{Goods, PaymentState, RefundState},
    journal::{Approver, CoreTime, SplitPart, Stamp},
};
use serde::{Deserialize, Serialize};

use crate::{
    basket::Basket,
    sale::{Event, ReceiptState, Reference, Refund, Sale},
    shift,
};

/// Most parts of one split, with those that came to nothing: what a slip and a screen can still show.
pub const PARTS_MAX: usize = 20;
/// Why a void failed that core has not looked at.
const UNHEARD: [&str; 2] = ["core_unreachable", "never_sent"];
/// Most splits that are open at once on a till.
pub const OPEN_MAX: usize = 10;

/// What the disk has of a split.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Split {
    /// The counter of its first part.
    pub number: Sequence,
    pub total: Amount,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<Reference>,
    /// Who began it.
    pub cashier: String,
    pub began_at: Millis,
    /// What time it was at core then.
    #[serde(default, skip_serializing_if = "CoreTime::is_unsaid")]
    pub began_core: CoreTime,
    /// In the order in which they were keyed.
    pub parts: Vec<PaymentId>,
    /// What is sold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<Goods>,
    /// What it was made of; it is in the basket again if nothing comes of the split.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basket: Option<Basket>,
    pub stage: Stage,
    /// All of it was paid once: the goods are the customer's, and there is a slip.
    pub was_paid: bool,
    pub receipt: ReceiptState,
    /// Of the parts, what the shop has and should not: beyond the total, or what could not be given back. In minor units.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub too_much_minor: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn is_nothing(minor: &i64) -> bool {
    *minor == 0
}

/// How far it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Stage {
    /// Something is still to be paid.
    Open,
    /// All of it is paid.
    Paid,
    /// It is given up, or undone: what was paid goes back, part by part.
    GivingBack { by: GiveBack },
    /// Nothing more goes back by it. `left_minor`: what could not be given back; those parts are sales that can be refunded by
    /// themselves.
    GivenBack { left_minor: i64 },
}

/// Who pressed that all of it goes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GiveBack {
    /// The refund of each part that was paid when it was pressed: a restart makes none twice.
    pub refunds: Vec<(PaymentId, RefundId)>,
    pub cashier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<Approver>,
}

/// A split with its parts, in the same order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    pub split: Split,
    pub parts: Vec<Sale>,
}

/// Why a part is not collected, or the whole not given back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SplitRefusal {
    #[error("this split payment is another by now: look at the screen again")]
    Changed,
    #[error("a part of this split payment is not settled: {0}")]
    Busy(String),
    #[error("a part is less than the total, and no more than what is still to be paid")]
    Amount,
    #[error("there are as many parts as there may be: finish the split payment, or give back what was paid")]
    Full,
    #[error("there is nothing to be done with this split payment any more")]
    Over,
}

impl SplitRefusal {
    /// Stable, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Changed => "split_changed",
            Self::Busy(_) => "split_busy",
            Self::Amount => "split_amount",
            Self::Full => "split_full",
            Self::Over => "split_over",
        }
    }
}

impl Split {
    /// When it was begun, by both clocks.
    #[must_use]
    pub const fn began(&self) -> Stamp {
        Stamp { machine: self.began_at, core: self.began_core }
    }

    /// Whether something of it is still to be done: collected, given back (also what was too much), or printed.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.is_unfinished() || self.too_much_minor > 0 || self.receipt == ReceiptState::Queued
    }

    /// Whether money is still to be collected or given back.
    #[must_use]
    pub const fn is_unfinished(&self) -> bool {
        matches!(self.stage, Stage::Open | Stage::GivingBack { .. })
    }
}

/// What is with the shop of this part, in minor units; while the part is in doubt, the least that it may be. What was paid late
/// counts as any other: where core gives it back, its view says so from the beginning.
#[must_use]
pub fn collected_minor(part: &Sale) -> i64 {
    if !part.state().is_some_and(PaymentState::is_paid) {
        return 0;
    }
    (part.kept.amount.minor() - part.refunds_minor().max(part.refunded_minor())).max(0)
}

/// Why nothing is decided about the whole while this part stands as it does; `None` if it is not in the way.
#[must_use]
pub fn in_doubt(part: &Sale) -> Option<String> {
    let refund =
        || format!("whether money of sale {} that goes back is through is not known yet: wait", part.kept.counter);
    shift::in_doubt(part).map(|doubt| doubt.why).or_else(|| part.is_part_in_doubt().then(refund))
}

impl Whole {
    #[must_use]
    pub fn paid_minor(&self) -> i64 {
        self.parts.iter().map(collected_minor).sum()
    }

    /// What is still to be paid; less than 0 if more was paid than it costs.
    #[must_use]
    pub fn rest_minor(&self) -> i64 {
        self.split.total.minor() - self.paid_minor()
    }

    /// Why nothing may be done with the whole now: a part about which something is to be found out.
    #[must_use]
    pub fn in_the_way(&self) -> Option<String> {
        self.parts.iter().find_map(in_doubt)
    }

    /// Whether all that can go back now was asked for, and the channels have the rest in hand: that may take days. What goes back of
    /// that part afterwards is never cash, so that it need not be of the batch of the press.
    #[must_use]
    pub fn is_with_channel(&self) -> bool {
        let is_going = matches!(self.split.stage, Stage::GivingBack { .. });
        is_going && self.next_back(0).is_none() && !self.parts.iter().any(|part| shift::in_doubt(part).is_some())
    }

    /// What is sold.
    #[must_use]
    pub fn goods(&self) -> &[Goods] {
        let of_first = || self.parts.first().and_then(|first| first.kept.split.as_ref());
        // One that was begun by a version before has them in its first part alone.
        if self.split.goods.is_empty() { of_first().map_or(&[], |part| &part.goods) } else { &self.split.goods }
    }

    /// The receipt's code: that of the first part that was paid. Every part's finds the whole.
    #[must_use]
    pub fn found_by(&self) -> Option<&Sale> {
        self.parts.iter().find(|part| part.was_captured()).or_else(|| self.parts.first())
    }

    /// Whether `amount` may be collected now. `rest_seen`: what was to be paid when the cashier keyed it.
    ///
    /// # Errors
    /// `Busy`, `Changed`, `Amount`, `Full`.
    pub fn may_collect(&self, amount: Amount, rest_seen: i64) -> Result<(), SplitRefusal> {
        if let Some(why) = self.in_the_way() {
            return Err(SplitRefusal::Busy(why));
        }
        let rest = self.rest_minor();
        if self.split.stage != Stage::Open || rest != rest_seen {
            return Err(SplitRefusal::Changed);
        }
        if amount.currency() != self.split.total.currency() || amount.minor() > rest {
            return Err(SplitRefusal::Amount);
        }
        if self.parts.len() >= PARTS_MAX { Err(SplitRefusal::Full) } else { Ok(()) }
    }

    /// What the next part says of the whole.
    #[must_use]
    pub fn next_part(&self) -> SplitPart {
        let Split { number, total, parts, .. } = &self.split;
        let part = u32::try_from(parts.len()).unwrap_or(u32::MAX).saturating_add(1);
        SplitPart { of: *number, part, total: *total, goods: Vec::new() }
    }

    /// The whole with this part as it stands now, and what follows for the whole.
    #[must_use]
    pub fn with(mut self, part: &Sale) -> Self {
        let payment = part.kept.payment;
        match self.parts.iter_mut().find(|held| held.kept.payment == payment) {
            Some(held) => held.clone_from(part),
            None => {
                self.split.parts.push(payment);
                self.parts.push(part.clone());
            }
        }
        self.go_on()
    }

    /// What follows from how the parts stand.
    #[must_use]
    pub fn go_on(mut self) -> Self {
        if self.in_the_way().is_some() {
            return self;
        }
        match &self.split.stage {
            Stage::Open if self.rest_minor() <= 0 => {
                self.split.stage = Stage::Paid;
                self.split.was_paid = true;
                self.split.receipt = ReceiptState::Queued;
            }
            Stage::GivingBack { by } if self.parts.iter().all(|part| to_give_back(part, by).is_none()) => {
                self.split.stage = Stage::GivenBack { left_minor: self.paid_minor() };
            }
            Stage::GivenBack { .. } => self.split.stage = Stage::GivenBack { left_minor: self.paid_minor() },
            Stage::Open | Stage::GivingBack { .. } | Stage::Paid => {}
        }
        self.split.too_much_minor = match self.split.stage {
            Stage::Paid => (-self.rest_minor()).max(0),
            Stage::GivenBack { left_minor } => left_minor,
            Stage::Open | Stage::GivingBack { .. } => 0,
        };
        if self.split.stage == (Stage::GivenBack { left_minor: 0 }) && !self.split.was_paid {
            // It goes back to the cashier, once.
            self.split.basket = None;
        }
        self
    }

    /// Whether all that was paid may be given back now.
    ///
    /// # Errors
    /// `Busy`; `Over` if nothing is left to give back.
    pub fn may_give_back(&self) -> Result<(), SplitRefusal> {
        // A refund that a channel takes days for holds up its own part alone, which goes back once that is known.
        if let Some(doubt) = self.parts.iter().find_map(shift::in_doubt) {
            return Err(SplitRefusal::Busy(doubt.why));
        }
        match self.split.stage {
            Stage::Open => Ok(()),
            Stage::Paid | Stage::GivenBack { .. } if self.parts.iter().any(may_go_back) => Ok(()),
            Stage::Paid | Stage::GivenBack { .. } => Err(SplitRefusal::Over),
            Stage::GivingBack { .. } => Err(SplitRefusal::Busy("it is being given back".to_owned())),
        }
    }

    /// The next part that goes back, and what is pressed on it: the second where the first comes too late.
    #[must_use]
    pub fn next_back(&self, utc_offset_minutes: i32) -> Option<(PaymentId, [Event; 2])> {
        let Stage::GivingBack { by } = &self.split.stage else { return None };
        let mut known = self.parts.iter().filter(|part| in_doubt(part).is_none());
        let (part, (amount, refund)) = known.find_map(|part| Some((part, to_give_back(part, by)?)))?;
        let cashier = by.cashier.clone();
        let refund_pressed = Event::RefundPressed { refund, amount, cashier: cashier.clone() };
        // A void that was declined once, by the channel or by core's rules (it may be too late for the day), is not tried again; one
        // that did not come to core says nothing.
        let is_whole = amount == part.kept.amount && part.state() == Some(PaymentState::Succeeded);
        let was_heard =
            |held: &Refund| held.failure.as_ref().is_none_or(|failure| !UNHEARD.contains(&failure.code.as_str()));
        let is_declined =
            part.kept.refunds.iter().any(|held| held.void && held.state == RefundState::Failed && was_heard(held));
        let first = if is_whole && !is_declined {
            Event::VoidPressed { refund, cashier, utc_offset_minutes }
        } else {
            refund_pressed.clone()
        };
        Some((part.kept.payment, [first, refund_pressed]))
    }

    #[must_use]
    pub fn money(&self, minor: i64) -> Money {
        Money::new(minor, self.split.total.currency())
    }
}

/// Whether something of the part is to go back by a press on the whole, now or once the channel's word on a refund of it is there.
#[must_use]
pub fn may_go_back(part: &Sale) -> bool {
    collected_minor(part) > 0 || part.is_part_in_doubt()
}

/// What of a part that press is still to give back, and under which number. What was tried once under it is not tried again: a
/// person decides.
fn to_give_back(part: &Sale, by: &GiveBack) -> Option<(Amount, RefundId)> {
    let (_, refund) = *by.refunds.iter().find(|(payment, _)| *payment == part.kept.payment)?;
    if part.refund(refund).is_some() {
        return None;
    }
    let amount = Amount::new(collected_minor(part), part.kept.amount.currency()).ok()?;
    Some((amount, refund))
}
