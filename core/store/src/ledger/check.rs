//! Whether the books hold: every set sums to zero, every payment's postings say what its state says, and the sums that are
//! written down are the sums of the postings. What does not hold is told, and never mended.
//!
//! A whole check goes through all sets and payments, page by page; a check of the news goes on from where the last one
//! ended. Both hold a page in memory and no more.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    dsl::max,
    prelude::*,
    sql_query,
    sql_types::{BigInt, Text},
};
use saoma_domain::{
    dispute::Dispute,
    ledger::{Booked, PostingSet, disagreements},
    refund::Refund,
};
use saoma_protocol::{Millis, PaymentId, TenantId};

use super::{
    balances::{counted, totals},
    checkpoint, of_payments,
};
use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, found},
    dialect::upsert,
    disputes, payments, refunds,
    schema::{ledger_checks, ledger_findings, payment_events, payments as payments_table, posting_sets, tenants},
};

/// One way in which a tenant's books do not hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// A payment's id, `set 12`, a currency, or `checkpoint 12`.
    pub subject: String,
    /// Stable, for programs: `set_unbalanced`, `sum`, `checkpoint`, or one of the domain's
    /// [`saoma_domain::ledger::Disagreement::code`].
    pub code: &'static str,
    /// In words, with the sums.
    pub detail: String,
}

/// How far the books were proven, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckState {
    pub through_set: i64,
    pub through_event: i64,
    pub checked_at: Millis,
    /// When all of it was, from the first movement on.
    pub whole_at: Millis,
}

/// What a page of a check looked at, and what it found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proven {
    pub findings: Vec<Finding>,
    /// Their payments were looked at: an older finding about one of these is over unless it was found again.
    pub payments: Vec<PaymentId>,
}

/// Sets, payments or events of one page: what is read of them stays under a megabyte.
const PAGE: i64 = 500;

/// Proves all of one tenant's books, in one transaction.
///
/// # Errors
/// `Corrupt` where they cannot be read at all, such as a sum past 64 bits.
pub fn check(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Finding>, StoreError> {
    let mut all = Vec::new();
    let mut after_set = Some(0);
    while let Some(after) = after_set {
        let (page, next) = check_sets(tx, scope, after)?;
        all.extend(page);
        after_set = next;
    }
    let mut after_payment = Some(None);
    while let Some(after) = after_payment {
        let (page, next) = check_payments(tx, scope, after)?;
        all.extend(page.findings);
        after_payment = next.map(Some);
    }
    all.extend(check_sums(tx, scope)?);
    Ok(all)
}

/// Proves everybody's books: for the command line and tests.
///
/// # Errors
/// As [`check`].
pub fn check_all(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<(TenantId, Finding)>, StoreError> {
    let ids: Vec<Txt<TenantId>> =
        tx.run(platform, |conn| tenants::table.select(tenants::id).order(tenants::id).load(conn))?;
    let mut all = Vec::new();
    for tenant in ids {
        let findings = check(tx, &access::of_row(tenant.0))?;
        all.extend(findings.into_iter().map(|finding| (tenant.0, finding)));
    }
    Ok(all)
}

/// Sets after `after` that do not sum to zero, have one posting or none, or mix currencies; and where the next page begins.
///
/// # Errors
/// None of its own.
pub fn check_sets(tx: &mut Tx<'_>, scope: &TenantScope, after: i64) -> Result<(Vec<Finding>, Option<i64>), StoreError> {
    let begin: Option<i64> = match after {
        0 => Some(i64::MIN),
        after => tx.run(scope, |conn| {
            posting_sets::table.find(after).select(posting_sets::booked_at).first(conn).optional()
        })?,
    };
    let ids: Vec<i64> = tx.run(scope, |conn| {
        posting_sets::table
            .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
            .filter(posting_sets::booked_at.ge(begin.unwrap_or(i64::MIN)))
            .filter(posting_sets::id.gt(after))
            .order((posting_sets::booked_at, posting_sets::id))
            .limit(PAGE)
            .select(posting_sets::id)
            .load(conn)
    })?;
    let Some(last) = ids.last().copied() else { return Ok((Vec::new(), None)) };
    let rows: Vec<SetRow> = tx.run(scope, |conn| {
        sql_query(
            "SELECT s.id, CAST(COALESCE(SUM(p.amount_minor), 0) AS BIGINT) AS sum_minor, COUNT(p.idx) AS n, \
             COUNT(DISTINCT p.currency) AS currencies FROM posting_sets s \
             LEFT JOIN postings p ON p.tenant_id = s.tenant_id AND p.set_id = s.id \
             WHERE s.tenant_id = $1 AND s.id > $2 AND s.id <= $3 GROUP BY s.id \
             HAVING COALESCE(SUM(p.amount_minor), 0) <> 0 OR COUNT(p.idx) < 2 OR COUNT(DISTINCT p.currency) <> 1 \
             ORDER BY s.id",
        )
        .bind::<Text, _>(scope.tenant().to_string())
        .bind::<BigInt, _>(after)
        .bind::<BigInt, _>(last)
        .load(conn)
    })?;
    let finding = |row: SetRow| Finding {
        subject: format!("set {}", row.id),
        code: "set_unbalanced",
        detail: format!("{} postings in {} currencies sum to {}", row.n, row.currencies, row.sum_minor),
    };
    Ok((rows.into_iter().map(finding).collect(), Some(last)))
}

/// Payments after `after` whose postings do not say what their state says; and where the next page begins.
///
/// # Errors
/// `Corrupt` if a row cannot be read.
pub fn check_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    after: Option<PaymentId>,
) -> Result<(Proven, Option<PaymentId>), StoreError> {
    let ids: Vec<Txt<PaymentId>> = tx.run(scope, |conn| {
        payments_table::table
            .filter(payments_table::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments_table::id.gt(after.map(|after| after.to_string()).unwrap_or_default()))
            .order(payments_table::id)
            .limit(PAGE)
            .select(payments_table::id)
            .load(conn)
    })?;
    let ids: Vec<PaymentId> = ids.into_iter().map(|id| id.0).collect();
    let next = ids.last().copied();
    Ok((compare(tx, scope, ids)?, next))
}

/// Payments that something happened to after the event `after`, the same way; and the last event that was looked at, if any.
///
/// # Errors
/// `Corrupt` if a row cannot be read.
pub fn check_news(tx: &mut Tx<'_>, scope: &TenantScope, after: i64) -> Result<(Proven, Option<i64>), StoreError> {
    let events: Vec<(i64, Txt<PaymentId>)> = tx.run(scope, |conn| {
        payment_events::table
            .filter(payment_events::tenant_id.eq(Txt(scope.tenant())))
            .filter(payment_events::sequence.gt(after))
            .order(payment_events::sequence)
            .limit(PAGE)
            .select((payment_events::sequence, payment_events::payment_id))
            .load(conn)
    })?;
    let last = events.last().map(|(sequence, _)| *sequence);
    let ids: BTreeSet<PaymentId> = events.into_iter().map(|(_, payment)| payment.0).collect();
    Ok((compare(tx, scope, ids.into_iter().collect())?, last))
}

/// Currencies whose postings do not sum to zero, and checkpoints that are not the sums of the postings before them.
///
/// # Errors
/// `Corrupt` if a sum does not fit 64 bits.
pub fn check_sums(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<Finding>, StoreError> {
    let mut found = Vec::new();
    let last = checkpoint::last_through(tx, scope, i64::MAX)?;
    if last > 0 {
        let written: BTreeMap<_, _> = checkpoint::load(tx, scope, last)?.into_iter().collect();
        let recounted: BTreeMap<_, _> = counted(tx, scope, 0, last)?.into_iter().collect();
        if written != recounted {
            let detail = "the totals written down are not those of the postings".to_owned();
            found.push(Finding { subject: format!("checkpoint {last}"), code: "checkpoint", detail });
        }
    }
    let mut sums: BTreeMap<String, i128> = BTreeMap::new();
    for (key, total) in totals(tx, scope, i64::MAX)? {
        *sums.entry(key.currency.0.to_string()).or_default() +=
            i128::from(total.debits_minor) - i128::from(total.credits_minor);
    }
    found.extend(sums.into_iter().filter(|(_, sum)| *sum != 0).map(|(currency, sum)| Finding {
        subject: currency,
        code: "sum",
        detail: format!("all postings sum to {sum} minor units"),
    }));
    Ok(found)
}

fn compare(tx: &mut Tx<'_>, scope: &TenantScope, ids: Vec<PaymentId>) -> Result<Proven, StoreError> {
    let mut booked: BTreeMap<PaymentId, Vec<Booked>> = BTreeMap::new();
    let mut findings = Vec::new();
    for set in of_payments(tx, scope, &ids)? {
        let Some(payment) = set.payment else { continue };
        // A set that is none is found by [`check_sets`].
        if let Ok(made) = PostingSet::new(set.postings) {
            booked.entry(payment).or_default().push(Booked { kind: set.kind, refund: set.refund, set: made });
        }
    }
    let mut given_back: BTreeMap<PaymentId, Vec<Refund>> = BTreeMap::new();
    for refund in refunds::of_payments(tx, scope, &ids)? {
        given_back.entry(refund.payment).or_default().push(refund.refund);
    }
    let mut disputed: BTreeMap<PaymentId, Vec<Dispute>> = BTreeMap::new();
    for dispute in disputes::of_payments(tx, scope, &ids)? {
        disputed.entry(dispute.payment).or_default().push(dispute.dispute);
    }
    for payment in payments::of_ids(tx, scope, &ids)? {
        let id = payment.payment.id;
        let (refunds, booked) = (given_back.remove(&id).unwrap_or_default(), booked.remove(&id).unwrap_or_default());
        let disputes = disputed.remove(&id).unwrap_or_default();
        let mut details: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for disagreement in disagreements(&payment.payment, &refunds, &disputes, &booked) {
            details.entry(disagreement.code()).or_default().push(disagreement.to_string());
        }
        findings.extend(details.into_iter().map(|(code, details)| Finding {
            subject: id.to_string(),
            code,
            detail: details.join("; "),
        }));
    }
    Ok(Proven { findings, payments: ids })
}

/// How far this tenant's books were proven; `None` if never.
///
/// # Errors
/// None of its own.
pub fn state(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<CheckState>, StoreError> {
    let row: Option<(i64, i64, i64, i64)> = tx.run(scope, |conn| {
        ledger_checks::table
            .find(Txt(scope.tenant()))
            .select((
                ledger_checks::through_set,
                ledger_checks::through_event,
                ledger_checks::checked_at,
                ledger_checks::whole_at,
            ))
            .first(conn)
            .optional()
    })?;
    Ok(row.map(|(through_set, through_event, checked_at, whole_at)| CheckState {
        through_set,
        through_event,
        checked_at: Millis(checked_at),
        whole_at: Millis(whole_at),
    }))
}

impl CheckState {
    /// The newest set and event there are: from where the news of a whole check that begins now will go on.
    ///
    /// # Errors
    /// None of its own.
    pub fn newest(tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<Self, StoreError> {
        let set: Option<i64> = tx.run(scope, |conn| {
            posting_sets::table
                .filter(posting_sets::tenant_id.eq(Txt(scope.tenant())))
                .select(max(posting_sets::id))
                .first(conn)
        })?;
        let event: Option<i64> = tx.run(scope, |conn| {
            payment_events::table
                .filter(payment_events::tenant_id.eq(Txt(scope.tenant())))
                .select(max(payment_events::sequence))
                .first(conn)
        })?;
        let (through_set, through_event) = (set.unwrap_or(0), event.unwrap_or(0));
        Ok(Self { through_set, through_event, checked_at: now, whole_at: now })
    }
}

/// Writes down how far the books were proven and what was found; earlier findings about `looked_at` (`None`: about anything)
/// that were not found again are over.
///
/// # Errors
/// None of its own.
pub fn record(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    state: &CheckState,
    found_now: &[Finding],
    looked_at: Option<&[String]>,
) -> Result<(), StoreError> {
    let now = state.checked_at.0;
    let progress = (
        ledger_checks::through_set.eq(state.through_set),
        ledger_checks::through_event.eq(state.through_event),
        ledger_checks::checked_at.eq(now),
        ledger_checks::whole_at.eq(state.whole_at.0),
    );
    let row = (ledger_checks::tenant_id.eq(Txt(scope.tenant())), progress);
    upsert!(tx, scope, ledger_checks::table, row, ledger_checks::tenant_id, progress)?;
    for open in findings(tx, scope)? {
        let again = found_now.iter().any(|finding| finding.subject == open.subject && finding.code == open.code);
        if !again && looked_at.is_none_or(|subjects| subjects.contains(&open.subject)) {
            let row = ledger_findings::table.find((Txt(scope.tenant()), &open.subject, &open.code));
            let over = ledger_findings::cleared_at.eq(Some(now));
            let n = tx.run(scope, |conn| diesel::update(row).set(over).execute(conn))?;
            found(n, "the finding")?;
        }
    }
    for finding in found_now {
        let seen = (
            ledger_findings::detail.eq(&finding.detail),
            ledger_findings::seen_at.eq(now),
            ledger_findings::cleared_at.eq(None::<i64>),
        );
        let row = (
            ledger_findings::tenant_id.eq(Txt(scope.tenant())),
            ledger_findings::subject.eq(&finding.subject),
            ledger_findings::code.eq(finding.code),
            ledger_findings::found_at.eq(now),
            seen,
        );
        let key = (ledger_findings::tenant_id, ledger_findings::subject, ledger_findings::code);
        upsert!(tx, scope, ledger_findings::table, row, key, seen)?;
    }
    Ok(())
}

/// A finding that is not over.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct OpenFinding {
    pub subject: String,
    pub code: String,
    pub detail: String,
    pub found_at: i64,
    pub seen_at: i64,
}

/// Most findings of one answer: past so many, the next one says nothing new.
const FINDINGS_MAX: i64 = 1_000;

/// What was found and is not over, oldest first.
///
/// # Errors
/// None of its own.
pub fn findings(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Vec<OpenFinding>, StoreError> {
    tx.run(scope, |conn| {
        ledger_findings::table
            .filter(ledger_findings::tenant_id.eq(Txt(scope.tenant())))
            .filter(ledger_findings::cleared_at.is_null())
            .order((ledger_findings::found_at, ledger_findings::subject, ledger_findings::code))
            .limit(FINDINGS_MAX)
            .select((
                ledger_findings::subject,
                ledger_findings::code,
                ledger_findings::detail,
                ledger_findings::found_at,
                ledger_findings::seen_at,
            ))
            .load(conn)
    })
}

#[derive(QueryableByName)]
struct SetRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    sum_minor: i64,
    #[diesel(sql_type = BigInt)]
    n: i64,
    #[diesel(sql_type = BigInt)]
    currencies: i64,
}
