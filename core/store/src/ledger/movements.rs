//! What the books say moved through a channel account, by the numbers under which the channel knows it: for comparison with
//! its bill.
//!
//! A movement is what [`Kind::Captured`], [`Kind::RefundSucceeded`], [`Kind::Undone`], [`Kind::DisputeOpened`] and
//! [`Kind::DisputeWon`] booked. A case's fee counts with its chargeback, whenever it was booked: channels take it then. What a reconciliation itself
//! booked to correct it is not counted: it answers the bill, and stands with the discrepancy that it answers
//! ([`crate::discrepancies::decided`]).

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::{
    ledger::{Account, Kind},
    recon::{Key, Movement, Ours, Side},
};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, PaymentId, RefundId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt},
    disputes,
    schema::{payments, refunds},
};

/// Whose movements, and from when to before when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub account: ChannelAccountId,
    pub from: Millis,
    pub to: Millis,
    /// Whether the channel is told of what came late by a cancel, having no refunds.
    pub late_by_cancel: bool,
}

/// The books up to and with one set. What comes into them later is no part of it, and what is in it never changes, so that any
/// number of reads see one and the same state of the books and no transaction stays open between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Through(i64);

/// The books as they are.
///
/// # Errors
/// None of its own.
pub fn through_now(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Through, StoreError> {
    super::last_set_before(tx, scope, Millis(i64::MAX)).map(Through)
}

/// Some movements of a span, in the order in which they happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movements {
    pub rows: Vec<Ours>,
    /// Where the next ones are; none behind the last.
    pub next: Option<After>,
}

/// After a set of that moment, about that subject, of that kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct After {
    at: i64,
    subject: String,
    kind: String,
}

/// Movements of a span from after `after` on. They come in the order of an index, so that each costs the same wherever it
/// stands; whoever needs them in the order of their keys sorts them.
///
/// # Errors
/// `Corrupt`.
pub fn movements(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    span: &Span,
    through: Through,
    after: Option<&After>,
    limit: u32,
) -> Result<Movements, StoreError> {
    let moved =
        moved("posting_sets s", "s.at >= $4 AND s.at < $5 AND s.id <= $6 AND (s.at, s.subject, s.kind) > ($7, $8, $9)");
    let page = with_sums(&format!("{moved} ORDER BY s.at, s.subject, s.kind LIMIT $10"));
    let (at, subject, kind) =
        after.map_or((span.from.0, "", ""), |after| (after.at, after.subject.as_str(), after.kind.as_str()));
    let query = sql_query(format!("{page} ORDER BY page.at, page.subject, page.kind"))
        .bind::<Text, _>(cancelled(span))
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(span.account.to_string())
        .bind::<BigInt, _>(span.from.0)
        .bind::<BigInt, _>(span.to.0)
        .bind::<BigInt, _>(through.0)
        .bind::<BigInt, _>(at)
        .bind::<Text, _>(subject.to_owned())
        .bind::<Text, _>(kind.to_owned())
        .bind::<BigInt, _>(i64::from(limit));
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    let next = rows.last().map(|row| After { at: row.at, subject: row.subject.clone(), kind: row.kind.clone() });
    let rows = rows.into_iter().map(Ours::try_from).collect::<Result<_, _>>()?;
    Ok(Movements { rows, next })
}

/// What is known here of movements that the channel names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Moved(Ours),
    /// The payment or refund is of this account and its money has not moved so: the state it is in.
    State(String),
    /// It is of another channel account, or was paid in cash.
    OtherAccount,
}

/// What is known of each of these keys, whenever it was. Keys that nothing is known of are left out.
///
/// # Errors
/// `Corrupt`.
pub fn standing(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    span: &Span,
    keys: &[&Key],
) -> Result<BTreeMap<Key, Standing>, StoreError> {
    let (of_disputes, others): (Vec<&&Key>, Vec<&&Key>) = keys.iter().partition(|key| key.movement.is_of_dispute());
    let cases: Vec<&str> = of_disputes.iter().map(|key| key.number.as_str()).collect();
    let cases = disputes::of_numbers(tx, scope, span.account, &cases)?;
    let numbers: BTreeSet<String> = others.iter().filter_map(|key| ours(&key.number)).collect();
    let disputes = cases.values().flatten().map(|(dispute, _)| dispute.to_string());
    let subjects: BTreeSet<String> = numbers.iter().cloned().chain(disputes).collect();
    let mut known = BTreeMap::new();
    if subjects.is_empty() && cases.is_empty() {
        return Ok(known);
    }
    // Ids of ours, written out again from their bytes, hold nothing that needs quoting.
    let quoted: Vec<String> = subjects.iter().map(|subject| format!("'{subject}'")).collect();
    let list = quoted.join(", ");
    // Named by their ids first: else SQLite takes all that the account ever had, and picks from that.
    let named = format!(
        "(SELECT id FROM posting_sets WHERE tenant_id = $2 AND subject IN ({list}) \
          UNION SELECT id FROM posting_sets WHERE tenant_id = $2 AND payment_id IN ({list})) n CROSS JOIN posting_sets s"
    );
    let query = sql_query(with_sums(&moved(&named, "s.id = n.id")))
        .bind::<Text, _>(cancelled(span))
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<Text, _>(span.account.to_string());
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    for row in rows {
        let row = Ours::try_from(row)?;
        known.insert(row.key.clone(), Standing::Moved(row));
    }
    let states = states(tx, scope, span.account, &numbers)?;
    for key in others {
        if let Some(state) = states.get(&key.number) {
            known.entry((*key).clone()).or_insert_with(|| state.clone());
        }
    }
    for key in of_disputes {
        if let Some(case) = cases.get(&key.number) {
            let standing = case.clone().map_or(Standing::OtherAccount, |(_, state)| Standing::State(state));
            known.entry((*key).clone()).or_insert(standing);
        }
    }
    Ok(known)
}

/// The number, if it can be one of ours.
fn ours(number: &str) -> Option<String> {
    let payment = number.parse::<PaymentId>().map(|id| id.to_string());
    payment.or_else(|_| number.parse::<RefundId>().map(|id| id.to_string())).ok()
}

fn states(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    numbers: &BTreeSet<String>,
) -> Result<BTreeMap<String, Standing>, StoreError> {
    type State = (String, String, Option<Txt<ChannelAccountId>>);
    let of_payments: Vec<State> = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::id.eq_any(numbers))
            .select((payments::id, payments::public_state, payments::channel_account_id))
            .load(conn)
    })?;
    let of_refunds: Vec<State> = tx.run(scope, |conn| {
        refunds::table
            .inner_join(
                payments::table
                    .on(payments::tenant_id.eq(refunds::tenant_id).and(payments::id.eq(refunds::payment_id))),
            )
            .filter(refunds::tenant_id.eq(Txt(scope.tenant())))
            .filter(refunds::id.eq_any(numbers))
            .select((refunds::id, refunds::state, payments::channel_account_id))
            .load(conn)
    })?;
    let standing = |(number, state, of): State| {
        let is_here = of.is_some_and(|of| of.0 == account);
        (number, if is_here { Standing::State(state) } else { Standing::OtherAccount })
    };
    Ok(of_payments.into_iter().chain(of_refunds).map(standing).collect())
}

/// The movements of $2's account $3 among `sets` that `which` holds for. What was undone by a cancel has the payment's number: voids, and
/// refunds of the kind $1. SQLite counts parameters by where they first stand, so they stand in their order.
fn moved(sets: &str, which: &str) -> String {
    let [captured, refunded, undone, opened, won] =
        [Kind::Captured, Kind::RefundSucceeded, Kind::Undone, Kind::DisputeOpened, Kind::DisputeWon].map(Kind::text);
    let [chargeback, given_back, payment, refund, reversal] = Movement::ALL.map(Movement::text);
    format!(
        "SELECT CASE WHEN r.kind IN ('void', $1) THEN s.payment_id \
                ELSE COALESCE(d.bill_number, d.case_reference, s.subject) END AS number, \
           CASE WHEN s.kind = '{captured}' THEN '{payment}' \
                WHEN s.kind = '{opened}' THEN '{chargeback}' WHEN s.kind = '{won}' THEN '{given_back}' \
                WHEN s.kind = '{undone}' OR r.kind IN ('void', $1) THEN '{reversal}' ELSE '{refund}' END AS movement, \
           s.subject AS subject, s.kind AS kind, s.at AS at \
         FROM {sets} LEFT JOIN refunds r ON r.tenant_id = s.tenant_id AND r.id = s.refund_id \
           LEFT JOIN disputes d ON d.tenant_id = s.tenant_id AND d.id = s.subject AND s.kind IN ('{opened}', '{won}') \
         WHERE s.tenant_id = $2 AND s.channel_account_id = $3 AND s.part = 0 \
           AND s.kind IN ('{captured}', '{refunded}', '{undone}', '{opened}', '{won}') AND {which}"
    )
}

/// With money and fee. On the clearing account lies what the fee has left of the money, so both together are all of it.
///
/// SQLite takes a CROSS JOIN's tables in the order in which they stand. Left to itself it begins, for each movement, with all
/// postings of the tenant.
fn with_sums(page: &str) -> String {
    let (clearing, fees) = (Account::ChannelClearing.text(), Account::Fees.text());
    let [opened, won, lost] = [Kind::DisputeOpened, Kind::DisputeWon, Kind::DisputeLost].map(Kind::text);
    format!(
        "SELECT page.number AS number, page.movement AS movement, page.at AS at, page.subject AS subject, page.kind AS kind, \
           p.currency AS currency, \
           CAST(SUM(CASE WHEN s.kind = page.kind AND p.account IN ('{clearing}', '{fees}') THEN p.amount_minor ELSE 0 END) \
             AS BIGINT) AS net_minor, \
           CAST(SUM(CASE WHEN page.kind <> '{won}' AND p.account = '{fees}' THEN p.amount_minor ELSE 0 END) AS BIGINT) \
             AS fee_minor \
         FROM ({page}) page CROSS JOIN posting_sets s CROSS JOIN postings p \
         WHERE s.tenant_id = $2 AND s.subject = page.subject \
           AND (s.kind = page.kind OR (page.kind = '{opened}' AND s.kind IN ('{won}', '{lost}'))) \
           AND p.tenant_id = $2 AND p.set_id = s.id \
         GROUP BY page.at, page.subject, page.kind, page.number, page.movement, p.currency"
    )
}

const fn cancelled(span: &Span) -> &'static str {
    if span.late_by_cancel { "late" } else { "void" }
}

#[derive(QueryableByName)]
struct Row {
    #[diesel(sql_type = Text)]
    number: String,
    #[diesel(sql_type = Text)]
    movement: String,
    #[diesel(sql_type = BigInt)]
    at: i64,
    #[diesel(sql_type = Text)]
    subject: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    currency: Txt<Currency>,
    #[diesel(sql_type = BigInt)]
    net_minor: i64,
    #[diesel(sql_type = BigInt)]
    fee_minor: i64,
}

impl TryFrom<Row> for Ours {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let movement = Movement::from_text(&row.movement).ok_or_else(|| corrupt("a movement of an unknown kind"))?;
        let minor = if movement.is_income() { Some(row.net_minor) } else { row.net_minor.checked_neg() };
        let money = |minor| Money::new(minor, row.currency.0);
        let minor = minor.ok_or_else(super::past_64_bits)?;
        let side = Side { money: money(minor), fee: money(row.fee_minor), at: Millis(row.at) };
        Ok(Self { key: Key { number: row.number, movement }, side })
    }
}
