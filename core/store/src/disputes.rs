//! Customers' disputes of payments, as channels carry them out. What happened to one stands among its payment's events.

use std::{collections::HashMap, fmt, str::FromStr};

use diesel::prelude::*;
use saoma_domain::dispute::{Dispute, State};
use saoma_protocol::{Amount, ChannelAccountId, Currency, DisputeId, Millis, PaymentId, TenantId};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, amount, corrupt, millis, moment, signed, unsigned},
    schema::disputes,
};

/// A dispute with what is kept beside the part that rules are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDispute {
    pub dispute: Dispute,
    pub payment: PaymentId,
    pub channel_account: ChannelAccountId,
    /// 1 when inserted; [`save`] adds one.
    pub version: u64,
    /// The channel's own number of the case: unlike any other of the account.
    pub case_reference: String,
    /// Why the customer disputes it, as the scheme numbers reasons.
    pub reason_code: Option<String>,
    /// What was handed in last, in words.
    pub evidence: Option<String>,
    pub opened_by: String,
    /// Since when a person is called, because the channel waits for an answer.
    pub attention_at: Option<Millis>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

/// Which disputes to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As [`State::text`] has it.
    pub state: Option<&'static str>,
    pub payment: Option<PaymentId>,
    pub channel_account: Option<ChannelAccountId>,
}

/// A place in the list: after this one. Its text is for the API's `cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub created_at: Millis,
    pub id: DisputeId,
}

/// A dispute of any tenant that wants an answer soon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Due {
    pub scope: TenantScope,
    pub dispute: DisputeId,
}

/// `dispute.version` is not read: it becomes 1.
///
/// # Errors
/// `NotFound` if the payment or account is not the tenant's, `Conflict` if the account has that case already.
pub fn insert(tx: &mut Tx<'_>, scope: &TenantScope, dispute: &StoredDispute) -> Result<(), StoreError> {
    let row = Row::new(scope, &StoredDispute { version: 1, ..dispute.clone() });
    let inserted = tx.run(scope, |conn| diesel::insert_into(disputes::table).values(&row).execute(conn));
    match inserted {
        Err(StoreError::Conflict { .. }) => Err(StoreError::Conflict { what: "the channel's case reference" }),
        Err(StoreError::NotFound { .. }) => Err(StoreError::NotFound { what: "the payment" }),
        other => other.map(drop),
    }
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, dispute: DisputeId) -> Result<StoredDispute, StoreError> {
    let row: Option<Row> =
        tx.run(scope, |conn| row_of(scope, dispute).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(NO_DISPUTE)?.try_into()
}

/// Oldest first.
///
/// # Errors
/// None of its own.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Vec<StoredDispute>, StoreError> {
    of_payments(tx, scope, &[payment])
}

pub(crate) fn of_payments(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<Vec<StoredDispute>, StoreError> {
    let payments: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<Row> = tx.run(scope, |conn| {
        disputes::table
            .filter(disputes::tenant_id.eq(Txt(scope.tenant())))
            .filter(disputes::payment_id.eq_any(payments))
            .order((disputes::created_at, disputes::id))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredDispute::try_from).collect()
}

/// What disputes that are open or lost have of each of these payments, in minor units.
///
/// # Errors
/// `Corrupt` past 64 bits.
pub(crate) fn held_minor(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    payments: &[PaymentId],
) -> Result<HashMap<PaymentId, i64>, StoreError> {
    let payments: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<(Txt<PaymentId>, i64)> = tx.run(scope, |conn| {
        disputes::table
            .filter(disputes::tenant_id.eq(Txt(scope.tenant())))
            .filter(disputes::payment_id.eq_any(payments))
            .filter(disputes::state.ne("won"))
            .select((disputes::payment_id, disputes::amount_minor))
            .load(conn)
    })?;
    let mut sums: HashMap<PaymentId, i64> = HashMap::new();
    for (payment, amount_minor) in rows {
        let sum = sums.entry(payment.0).or_default();
        *sum = sum.checked_add(amount_minor).ok_or_else(|| corrupt("disputes of a payment past 64 bits"))?;
    }
    Ok(sums)
}

/// Newest first.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    filter: &Filter,
    after: Option<Cursor>,
    limit: u32,
) -> Result<Vec<StoredDispute>, StoreError> {
    let mut query = disputes::table
        .filter(disputes::tenant_id.eq(Txt(scope.tenant())))
        .order((disputes::created_at.desc(), disputes::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(state) = filter.state {
        query = query.filter(disputes::state.eq(state));
    }
    if let Some(payment) = filter.payment {
        query = query.filter(disputes::payment_id.eq(Txt(payment)));
    }
    if let Some(account) = filter.channel_account {
        query = query.filter(disputes::channel_account_id.eq(Txt(account)));
    }
    if let Some(Cursor { created_at, id }) = after {
        let same_moment = disputes::created_at.eq(created_at.0).and(disputes::id.lt(Txt(id)));
        query = query.filter(disputes::created_at.lt(created_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(StoredDispute::try_from).collect()
}

/// Saves state, evidence, call for a person and `updated_at` if the row still has `dispute.version`, which is then one higher
/// in the row and in `dispute`.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, dispute: &mut StoredDispute) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, dispute.dispute.id).filter(disputes::version.eq(signed(dispute.version)));
    let Row { state, respond_by, accepted, fee_minor, evidence, attention_at, updated_at, .. } =
        Row::new(scope, dispute);
    let changes = (
        disputes::state.eq(state),
        disputes::respond_by.eq(respond_by),
        disputes::accepted.eq(accepted),
        disputes::fee_minor.eq(fee_minor),
        disputes::evidence.eq(evidence),
        disputes::attention_at.eq(attention_at),
        disputes::version.eq(signed(dispute.version + 1)),
        disputes::updated_at.eq(updated_at),
    );
    if tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn))? == 1 {
        dispute.version += 1;
        return Ok(());
    }
    load(tx, scope, dispute.dispute.id)?;
    Err(StoreError::Stale { what: "the dispute" })
}

/// Disputes that the channel wants an answer to before `until` and that no person is called for yet, the most urgent first.
///
/// # Errors
/// None of its own.
pub fn wanting_an_answer(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    until: Millis,
    limit: u32,
) -> Result<Vec<Due>, StoreError> {
    let rows: Vec<(Txt<TenantId>, Txt<DisputeId>)> = tx.run(platform, |conn| {
        disputes::table
            .filter(disputes::state.eq("needs_response"))
            .filter(disputes::attention_at.is_null())
            .filter(disputes::respond_by.le(until.0))
            .order(disputes::respond_by)
            .limit(limit.into())
            .select((disputes::tenant_id, disputes::id))
            .load(conn)
    })?;
    Ok(rows.into_iter().map(|(tenant, id)| Due { scope: access::of_row(tenant.0), dispute: id.0 }).collect())
}

const NO_DISPUTE: StoreError = StoreError::NotFound { what: "the dispute" };

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.created_at.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::NotFound { what: "the cursor's place in the list" };
        let (created_at, id) = text.split_once('-').ok_or_else(bad)?;
        Ok(Self { created_at: Millis(created_at.parse().map_err(|_| bad())?), id: id.parse().map_err(|_| bad())? })
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, dispute: DisputeId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<DisputeId> = Txt(dispute);
    disputes::table.filter(disputes::tenant_id.eq(tenant)).filter(disputes::id.eq(id))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = disputes)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<DisputeId>,
    payment_id: Txt<PaymentId>,
    channel_account_id: Txt<ChannelAccountId>,
    case_reference: String,
    reason_code: Option<String>,
    currency: Txt<Currency>,
    amount_minor: i64,
    state: String,
    respond_by: Option<i64>,
    accepted: bool,
    fee_minor: Option<i64>,
    evidence: Option<String>,
    opened_by: String,
    attention_at: Option<i64>,
    version: i64,
    created_at: i64,
    updated_at: i64,
}

impl Row {
    fn new(scope: &TenantScope, stored: &StoredDispute) -> Self {
        let Dispute { id, amount, state } = &stored.dispute;
        let respond_by = match state {
            State::NeedsResponse { respond_by } => moment(*respond_by),
            State::UnderReview | State::Accepted | State::Won { .. } | State::Lost { .. } => None,
        };
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(*id),
            payment_id: Txt(stored.payment),
            channel_account_id: Txt(stored.channel_account),
            case_reference: stored.case_reference.clone(),
            reason_code: stored.reason_code.clone(),
            currency: Txt(amount.currency()),
            amount_minor: amount.minor(),
            state: state.text().to_owned(),
            respond_by,
            accepted: matches!(state, State::Accepted | State::Lost { accepted: true, .. }),
            fee_minor: state.fee().map(Amount::minor),
            evidence: stored.evidence.clone(),
            opened_by: stored.opened_by.clone(),
            attention_at: moment(stored.attention_at),
            version: signed(stored.version),
            created_at: stored.created_at.0,
            updated_at: stored.updated_at.0,
        }
    }
}

impl TryFrom<Row> for StoredDispute {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let fee = row.fee_minor.map(|minor| amount(minor, row.currency.0)).transpose()?;
        let state = match row.state.as_str() {
            "needs_response" => State::NeedsResponse { respond_by: millis(row.respond_by) },
            "under_review" => State::UnderReview,
            "accepted" => State::Accepted,
            "won" => State::Won { fee },
            "lost" => State::Lost { accepted: row.accepted, fee },
            other => return Err(corrupt(format!("a dispute in state {other:?}"))),
        };
        Ok(Self {
            dispute: Dispute { id: row.id.0, amount: amount(row.amount_minor, row.currency.0)?, state },
            payment: row.payment_id.0,
            channel_account: row.channel_account_id.0,
            version: unsigned(row.version)?,
            case_reference: row.case_reference,
            reason_code: row.reason_code,
            evidence: row.evidence,
            opened_by: row.opened_by,
            attention_at: millis(row.attention_at),
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}
