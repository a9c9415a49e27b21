//! A cashier's shift: what should be in the drawer when it is counted, and the terminal leg of reconciliation, in which a
//! terminal's journal is held against the payments here.
//!
//! The journal says what a terminal keyed and how it was told that it ended. Every sale and refund of either side ends in
//! exactly one place: both say the same, or it is a [`Difference`] with the fields that differ and a proposed fix. Cash that
//! was keyed is not compared: it is booked from the journal itself.

use std::{collections::BTreeMap, fmt};

use saoma_protocol::{
    BatchId, Money, PaymentId, RefundId,
    api::{PaymentState, RefundState},
    money::MoneyError,
};

use crate::recon::named;

/// What moved the cash of one batch. All of one currency; none is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawer {
    /// Counted into it at the start.
    pub float: Money,
    pub sales: Money,
    /// Refunds and voids.
    pub given_back: Money,
    pub paid_in: Money,
    pub paid_out: Money,
}

impl Drawer {
    /// What should be in it.
    ///
    /// # Errors
    /// `CurrencyMismatch`, `Overflow`.
    pub fn expected(&self) -> Result<Money, MoneyError> {
        let came = self.float.checked_add(self.sales)?.checked_add(self.paid_in)?;
        came.checked_sub(self.given_back)?.checked_sub(self.paid_out)
    }
}

/// What a difference is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Sale(PaymentId),
    Refund(RefundId),
    /// The cash that should have been in the drawer.
    Drawer(BatchId),
    /// The cash that moved with no shift open, before this batch.
    Uncounted(BatchId),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sale(id) => id.fmt(f),
            Self::Refund(id) => id.fmt(f),
            Self::Drawer(id) => id.fmt(f),
            Self::Uncounted(id) => write!(f, "{id}/uncounted"),
        }
    }
}

/// Where a sale or refund stands in one side's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Sale(PaymentState),
    Refund(RefundState),
}

/// One side of a sale or refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    pub money: Money,
    /// `None`: the journal does not say how it ended.
    pub state: Option<State>,
    /// Given back of a sale, in minor units.
    pub refunded_minor: i64,
}

/// How far a side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    /// Money moved, whatever became of it later.
    Moved,
    NotMoved,
}

impl Side {
    const fn end(&self) -> End {
        match self.state {
            None => End::Open,
            Some(State::Sale(state)) => match state {
                PaymentState::Created
                | PaymentState::Presenting
                | PaymentState::Submitting
                | PaymentState::Pending
                | PaymentState::Unknown => End::Open,
                PaymentState::Succeeded
                | PaymentState::PartlyRefunded
                | PaymentState::Refunded
                | PaymentState::Voided => End::Moved,
                PaymentState::Failed | PaymentState::Reversed | PaymentState::Expired | PaymentState::Cancelled => {
                    End::NotMoved
                }
            },
            Some(State::Refund(state)) => match state {
                RefundState::Submitting | RefundState::Pending | RefundState::Unknown => End::Open,
                RefundState::Succeeded => End::Moved,
                RefundState::Failed => End::NotMoved,
            },
        }
    }
}

named! {
    /// In what way the two sides differ. One that differs in several has the first of these.
    Class {
        Amount = "amount",
        /// One side says that money moved, the other that it did not or that it does not know yet; or both name another state.
        State = "state",
        /// Another sum was given back.
        Refunded = "refunded",
        /// The journal has it, and core has never heard of it.
        MissingHere = "missing_here",
        /// Core has it as final, and the journal does not have it.
        MissingThere = "missing_there",
        /// The terminal expected another sum in the drawer than the books.
        Expected = "expected",
        /// Cash moved with no shift open, and no count covers it. A person ends it.
        Uncounted = "uncounted",
    }
}

named! {
    /// A field in which the sides differ.
    Field {
        Amount = "amount",
        State = "state",
        Refunded = "refunded",
    }
}

named! {
    /// What is best done about it. A proposal: a person decides.
    Fix {
        /// Core's word is the later one: the terminal learns it by itself once it is connected.
        WaitForTerminal = "wait_for_terminal",
        /// The terminal is asked for its journal; if it has nothing more, it is looked at.
        SendJournal = "send_journal",
        /// The channel is asked about the payment or refund, or it is settled by hand.
        SettlePayment = "settle_payment",
        /// The journal claims money that core cannot know of: a person compares the terminal's slips with the channel's page.
        LookAtTerminal = "look_at_terminal",
    }
}

/// A row that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub subject: Subject,
    pub class: Class,
    pub fields: Vec<Field>,
    pub fix: Fix,
    pub terminal: Option<Side>,
    pub core: Option<Side>,
}

/// What came of the comparison: `rows = agreed + differences`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leg {
    pub rows: u64,
    pub agreed: u64,
    /// In the order of their subjects.
    pub differences: Vec<Difference>,
}

/// Holds what the journal says of each sale and refund against what core has of them.
#[must_use]
pub fn compare(terminal: &BTreeMap<Subject, Side>, core: &BTreeMap<Subject, Side>) -> Leg {
    let only_core = core.keys().filter(|subject| !terminal.contains_key(subject));
    let mut subjects: Vec<Subject> = terminal.keys().chain(only_core).copied().collect();
    subjects.sort_unstable();
    let mut leg = Leg::default();
    for subject in subjects {
        let (told, ours) = (terminal.get(&subject).copied(), core.get(&subject).copied());
        leg.rows += 1;
        match differing(told.as_ref(), ours.as_ref()) {
            None => leg.agreed += 1,
            Some((class, fields, fix)) => {
                leg.differences.push(Difference { subject, class, fields, fix, terminal: told, core: ours });
            }
        }
    }
    leg
}

/// The terminal and the books expected different sums in the drawer: an entry of the journal was not booked.
#[must_use]
pub fn compare_drawer(batch: BatchId, terminal: Money, core: Money) -> Option<Difference> {
    let side = |money| Some(Side { money, state: None, refunded_minor: 0 });
    (terminal != core).then(|| Difference {
        subject: Subject::Drawer(batch),
        class: Class::Expected,
        fields: vec![Field::Amount],
        fix: Fix::LookAtTerminal,
        terminal: side(terminal),
        core: side(core),
    })
}

fn differing(told: Option<&Side>, ours: Option<&Side>) -> Option<(Class, Vec<Field>, Fix)> {
    match (told, ours) {
        (None, None) => None,
        (Some(told), None) => match told.end() {
            // It never left the terminal, and nobody says that it did.
            End::NotMoved => None,
            End::Open => Some((Class::MissingHere, Vec::new(), Fix::SendJournal)),
            End::Moved => Some((Class::MissingHere, Vec::new(), Fix::LookAtTerminal)),
        },
        (None, Some(ours)) => match ours.end() {
            End::Open => None,
            End::Moved | End::NotMoved => Some((Class::MissingThere, Vec::new(), Fix::SendJournal)),
        },
        (Some(told), Some(ours)) => both(told, ours),
    }
}

fn both(told: &Side, ours: &Side) -> Option<(Class, Vec<Field>, Fix)> {
    // While neither says how it ended, how far each is makes no difference.
    let under_way = told.end() == End::Open && ours.end() == End::Open;
    let fields: Vec<Field> = [
        (told.money != ours.money, Field::Amount),
        (told.state != ours.state && !under_way, Field::State),
        (told.refunded_minor != ours.refunded_minor && !under_way, Field::Refunded),
    ]
    .into_iter()
    .filter_map(|(differs, field)| differs.then_some(field))
    .collect();
    let class = match fields.first()? {
        Field::Amount => return Some((Class::Amount, fields, Fix::LookAtTerminal)),
        Field::State => Class::State,
        Field::Refunded => Class::Refunded,
    };
    let fix = match (told.end(), ours.end()) {
        (End::Open, _) => Fix::SendJournal,
        (End::Moved, End::Open | End::NotMoved) | (End::NotMoved, End::Open) => Fix::SettlePayment,
        (End::Moved | End::NotMoved, End::Moved) | (End::NotMoved, End::NotMoved) => Fix::WaitForTerminal,
    };
    Some((class, fields, fix))
}
