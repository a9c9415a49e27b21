//! The tenant's books: posting sets that are written once and never changed. Balances are derived.
//!
//! A set has two moments: when it happened, and when it came into the books. Periods go by the second, which never falls
//! from one set of a tenant to the next (also when a clock jumps back, or when a terminal brings yesterday's cash): what a
//! period said when it was over, it says for good, and a statement's lines keep their order.

mod balances;
mod check;
mod checkpoint;
mod movements;
mod settlement;
mod statement;

use std::collections::BTreeMap;

use diesel::prelude::*;
use saoma_domain::ledger::{Account, Kind, Posting, PostingSet};
use saoma_protocol::{ChannelAccountId, Currency, DisputeId, Millis, Money, PaymentId, RefundId};

pub use self::{
    balances::{Balance, TrialBalance, Turnover, balances, trial_balance, turnover},
    check::{
        CheckState, Finding, OpenFinding, Proven, check, check_all, check_news, check_payments, check_sets, check_sums,
        findings, record, state,
    },
    checkpoint::{CHECKPOINT_SETS, checkpoint},
    movements::{After, Movements, Span, Standing, Through, movements, standing, through_now},
    settlement::{By, SettlementLine, settlement, settlement_of_batch},
    statement::{LINES_MAX, Line, Of, Page, Place, statement},
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, signed32, unsigned},
    dialect, payments,
    schema::{posting_sets, postings},
};

/// What a movement is about. With its kind it names the movement once and for all: booking it again is a `Conflict`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Payment(PaymentId),
    Refund {
        payment: PaymentId,
        refund: RefundId,
    },
    Dispute {
        payment: PaymentId,
        dispute: DisputeId,
    },
    /// The id of what corrects a payment's or refund's books afterwards: a discrepancy's.
    Correction {
        by: String,
        payment: PaymentId,
        refund: Option<RefundId>,
    },
    /// The id of what moved the money without a payment: a payout, a batch whose drawer was counted. Unlike any payment's or
    /// refund's.
    Other(String),
}

impl Subject {
    #[must_use]
    pub const fn payment(&self) -> Option<PaymentId> {
        match self {
            Self::Payment(payment)
            | Self::Refund { payment, .. }
            | Self::Dispute { payment, .. }
            | Self::Correction { payment, .. } => Some(*payment),
            Self::Other(_) => None,
        }
    }

    #[must_use]
    pub const fn refund(&self) -> Option<RefundId> {
        match self {
            Self::Refund { refund, .. } => Some(*refund),
            Self::Correction { refund, .. } => *refund,
            Self::Payment(_) | Self::Dispute { .. } | Self::Other(_) => None,
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Payment(payment) => payment.to_string(),
            Self::Refund { refund, .. } => refund.to_string(),
            Self::Dispute { dispute, .. } => dispute.to_string(),
            Self::Correction { by, .. } => by.clone(),
            Self::Other(id) => id.clone(),
        }
    }
}

/// A movement that is to be booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    pub subject: Subject,
    pub kind: Kind,
    /// Whose clearing account is meant; `None` for cash.
    pub channel_account: Option<ChannelAccountId>,
    /// When it happened.
    pub at: Millis,
    /// Now. The books take a later moment if they have one.
    pub booked_at: Millis,
}

/// A set as it stands in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookedSet {
    /// Grows over all tenants, with gaps.
    pub id: u64,
    pub payment: Option<PaymentId>,
    pub refund: Option<RefundId>,
    pub dispute: Option<DisputeId>,
    pub kind: Kind,
    pub channel_account: Option<ChannelAccountId>,
    pub at: Millis,
    pub booked_at: Millis,
    pub postings: Vec<Posting>,
}

/// From here to the commit nobody else books for this tenant, and what was booked before is seen. After the rows that are
/// changed beside the books, which others may hold who wait for their turn.
///
/// # Errors
/// None of its own.
pub fn take_turn(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<(), StoreError> {
    dialect::take_turn(tx, scope)
}

/// Books the sets of one movement. No set is fine: nothing moved (a fee of zero).
///
/// # Errors
/// `Conflict` if that movement was booked before, `NotFound` if the payment is not the tenant's.
pub fn post(tx: &mut Tx<'_>, scope: &TenantScope, booking: &Booking, sets: &[PostingSet]) -> Result<(), StoreError> {
    if let Some(payment) = booking.subject.payment() {
        payments::load(tx, scope, payment)?;
    }
    // From here to the commit nobody else books for this tenant: ids and moments grow in the order of the commits.
    dialect::take_turn(tx, scope)?;
    let subject = booking.subject.text();
    let before: i64 = tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::subject.eq(&subject))
            .filter(posting_sets::kind.eq(booking.kind.text()))
            .count()
            .get_result(conn)
    })?;
    if before > 0 {
        return Err(StoreError::Conflict { what: "the movement" });
    }
    let booked_at = booking.booked_at.0.max(last_booked_at(tx, scope)?.unwrap_or(i64::MIN));
    for (part, set) in sets.iter().enumerate() {
        let row = (
            posting_sets::tenant_id.eq(Txt(scope.tenant())),
            posting_sets::subject.eq(&subject),
            posting_sets::payment_id.eq(booking.subject.payment().map(Txt)),
            posting_sets::refund_id.eq(booking.subject.refund().map(Txt)),
            posting_sets::kind.eq(booking.kind.text()),
            posting_sets::part.eq(place(part)),
            posting_sets::channel_account_id.eq(booking.channel_account.map(Txt)),
            posting_sets::at.eq(booking.at.0),
            posting_sets::booked_at.eq(booked_at),
        );
        let id: i64 = tx.run(scope, |conn| {
            diesel::insert_into(posting_sets::table).values(row).returning(posting_sets::id).get_result(conn)
        })?;
        for (idx, posting) in set.postings().iter().enumerate() {
            let row = (
                postings::tenant_id.eq(Txt(scope.tenant())),
                postings::set_id.eq(id),
                postings::idx.eq(place(idx)),
                postings::account.eq(posting.account.text()),
                postings::channel_account_id
                    .eq(booking.channel_account.filter(|_| posting.account.is_per_channel()).map(Txt)),
                postings::currency.eq(Txt(posting.money.currency())),
                postings::amount_minor.eq(posting.money.minor()),
            );
            tx.run(scope, |conn| diesel::insert_into(postings::table).values(row).execute(conn))?;
        }
    }
    Ok(())
}

/// In the order in which they were booked.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<BookedSet>, StoreError> {
    of_payments(tx, scope, &[payment])
}

pub(crate) fn of_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<Vec<BookedSet>, StoreError> {
    let payments: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<SetRow> = tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::payment_id.eq_any(&payments))
            .order(posting_sets::id)
            .select(SetRow::as_select())
            .load(conn)
    })?;
    let lines: Vec<PostingRow> = tx.run(scope, |conn| {
        postings::table
            .inner_join(posting_sets::table)
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::payment_id.eq_any(&payments))
            .filter(postings::tenant_id.eq(Txt(scope.tenant())))
            .order((postings::set_id, postings::idx))
            .select(PostingRow::as_select())
            .load(conn)
    })?;
    let mut by_set: BTreeMap<i64, Vec<Posting>> = BTreeMap::new();
    for line in lines {
        let posting =
            Posting { account: account(&line.account)?, money: Money::new(line.amount_minor, line.currency.0) };
        by_set.entry(line.set_id).or_default().push(posting);
    }
    rows.into_iter()
        .map(|row| {
            let postings = by_set.remove(&row.id).unwrap_or_default();
            Ok(BookedSet {
                id: unsigned(row.id)?,
                payment: row.payment_id.map(|payment| payment.0),
                refund: row.refund_id.map(|refund| refund.0),
                dispute: row.subject.parse().ok(),
                kind: kind(&row.kind)?,
                channel_account: row.channel_account_id.map(|account| account.0),
                at: Millis(row.at),
                booked_at: Millis(row.booked_at),
                postings,
            })
        })
        .collect()
}

/// The moment of the tenant's last set.
fn last_booked_at(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<i64>, StoreError> {
    tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .order((posting_sets::booked_at.desc(), posting_sets::id.desc()))
            .select(posting_sets::booked_at)
            .first(conn)
            .optional()
    })
}

/// The last set that came into the books before `moment`; 0 if there is none.
pub(crate) fn last_set_before(tx: &mut Tx<'_>, scope: &TenantScope, moment: Millis) -> Result<i64, StoreError> {
    let id: Option<i64> = tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::booked_at.lt(moment.0))
            .order((posting_sets::booked_at.desc(), posting_sets::id.desc()))
            .select(posting_sets::id)
            .first(conn)
            .optional()
    })?;
    Ok(id.unwrap_or(0))
}

/// A place in a short list.
fn place(idx: usize) -> i32 {
    signed32(u32::try_from(idx).unwrap_or(u32::MAX))
}

fn account(text: &str) -> Result<Account, StoreError> {
    Account::from_text(text).ok_or_else(|| corrupt(format!("an account called {text:?}")))
}

fn kind(text: &str) -> Result<Kind, StoreError> {
    Kind::from_text(text).ok_or_else(|| corrupt(format!("a movement called {text:?}")))
}

fn past_64_bits() -> StoreError {
    corrupt("a sum past 64 bits")
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = posting_sets)]
struct SetRow {
    id: i64,
    subject: String,
    payment_id: Option<Txt<PaymentId>>,
    refund_id: Option<Txt<RefundId>>,
    kind: String,
    channel_account_id: Option<Txt<ChannelAccountId>>,
    at: i64,
    booked_at: i64,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = postings)]
struct PostingRow {
    set_id: i64,
    account: String,
    currency: Txt<Currency>,
    amount_minor: i64,
}
