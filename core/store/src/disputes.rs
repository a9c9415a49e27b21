//! Customers' disputes of payments, as channels carry them out. What happened to one stands among its payment's events.

use std::collections::{BTreeMap, HashMap};

use diesel::{dsl::sql, prelude::*, sql_types::Text};
use saoma_domain::dispute::{Dispute, State};
use saoma_protocol::{Amount, ChannelAccountId, Currency, DisputeId, Millis, PaymentId, TenantId};

use crate::{
    PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, amount, corrupt, millis, moment, signed, unsigned},
    schema::{disputes, payments},
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
    /// Under which number bills list it, where that is another.
    pub bill_number: Option<String>,
    /// Why the customer disputes it, as the scheme numbers reasons.
    pub reason_code: Option<String>,
    /// What was handed in last, in words.
    pub evidence: Option<String>,
    pub opened_by: String,
    /// Since when a person is called, because the channel waits for an answer.
    pub attention_at: Option<Millis>,
    /// The moment of the channel's own newest word about it.
    pub heard_at: Option<Millis>,
    pub created_at: Millis,
    pub updated_at: Millis,
}

impl StoredDispute {
    /// By what a bill calls it.
    #[must_use]
    pub fn number(&self) -> &str {
        self.bill_number.as_deref().unwrap_or(&self.case_reference)
    }
}

/// Whose a payment is that a line of an account's bill names as disputed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disputed {
    /// The account's, with its disputes.
    Here(Vec<StoredDispute>),
    OtherAccount,
}

/// Which disputes to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// As [`State::text`] has it.
    pub state: Option<&'static str>,
    pub payment: Option<PaymentId>,
    pub channel_account: Option<ChannelAccountId>,
}

/// A place in the list, by `created_at`.
pub type Cursor = crate::Cursor<DisputeId>;

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

/// The account's case of this number, as the channel has it or as its bills list it.
///
/// # Errors
/// None of its own.
pub fn of_case(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    number: &str,
) -> Result<Option<StoredDispute>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        disputes::table
            .filter(disputes::tenant_id.eq(Txt(scope.tenant())))
            .filter(disputes::channel_account_id.eq(Txt(account)))
            .filter(disputes::case_reference.eq(number).or(disputes::bill_number.eq(number)))
            // What bills call it goes first.
            .order(disputes::bill_number.is_null())
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(StoredDispute::try_from).transpose()
}

/// Of the account's cases of these numbers the dispute and its state, and of those of other accounts `None`.
///
/// # Errors
/// None of its own.
pub(crate) fn of_numbers(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    numbers: &[&str],
) -> Result<HashMap<String, Option<(DisputeId, String)>>, StoreError> {
    type Case = (String, Txt<ChannelAccountId>, Txt<DisputeId>, String);
    if numbers.is_empty() {
        return Ok(HashMap::new());
    }
    let number = || sql::<Text>(NUMBER);
    let rows: Vec<Case> = tx.run(scope, |conn| {
        disputes::table
            .filter(disputes::tenant_id.eq(Txt(scope.tenant())))
            .filter(number().eq_any(numbers))
            .select((number(), disputes::channel_account_id, disputes::id, disputes::state))
            .load(conn)
    })?;
    let mut found = HashMap::new();
    for (number, of, id, state) in rows {
        let case = found.entry(number).or_insert(None);
        if of.0 == account {
            *case = Some((id.0, state));
        }
    }
    Ok(found)
}

/// Whose these payments are, as far as they are the tenant's.
///
/// # Errors
/// None of its own.
pub fn disputed(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    payments: &[PaymentId],
) -> Result<BTreeMap<PaymentId, Disputed>, StoreError> {
    let ids: Vec<_> = payments.iter().copied().map(Txt).collect();
    let rows: Vec<(Txt<PaymentId>, Option<Txt<ChannelAccountId>>)> = tx.run(scope, |conn| {
        payments::table
            .filter(payments::tenant_id.eq(Txt(scope.tenant())))
            .filter(payments::id.eq_any(ids))
            .select((payments::id, payments::channel_account_id))
            .load(conn)
    })?;
    let whose = |of: Option<Txt<ChannelAccountId>>| match of {
        Some(of) if of.0 == account => Disputed::Here(Vec::new()),
        Some(_) | None => Disputed::OtherAccount,
    };
    let mut found: BTreeMap<PaymentId, Disputed> = rows.into_iter().map(|(id, of)| (id.0, whose(of))).collect();
    for dispute in of_payments(tx, scope, payments)? {
        if let Some(Disputed::Here(disputes)) = found.get_mut(&dispute.payment) {
            disputes.push(dispute);
        }
    }
    Ok(found)
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
    if let Some(Cursor { at: created_at, id }) = after {
        let same_moment = disputes::created_at.eq(created_at.0).and(disputes::id.lt(Txt(id)));
        query = query.filter(disputes::created_at.lt(created_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(StoredDispute::try_from).collect()
}

/// Saves state, evidence, number on bills, call for a person, and when it was heard of and changed, if the row still has `dispute.version`, which is then one higher
/// in the row and in `dispute`.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, dispute: &mut StoredDispute) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, dispute.dispute.id).filter(disputes::version.eq(signed(dispute.version)));
    let Row {
        state, respond_by, accepted, fee_minor, evidence, attention_at, updated_at, bill_number, heard_at, ..
    } = Row::new(scope, dispute);
    let changes = (
        disputes::state.eq(state),
        disputes::respond_by.eq(respond_by),
        disputes::accepted.eq(accepted),
        disputes::fee_minor.eq(fee_minor),
        disputes::evidence.eq(evidence),
        disputes::attention_at.eq(attention_at),
        disputes::version.eq(signed(dispute.version + 1)),
        disputes::updated_at.eq(updated_at),
        disputes::bill_number.eq(bill_number),
        disputes::heard_at.eq(heard_at),
    );
    let saved = tx.run(scope, |conn| diesel::update(as_loaded).set(changes).execute(conn));
    if saved.map_err(|error| error.about("the number on bills"))? == 1 {
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

/// In these words, or the database does not see that its index is meant.
const NUMBER: &str = "COALESCE(bill_number, case_reference)";

const NO_DISPUTE: StoreError = StoreError::NotFound { what: "the dispute" };

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
    bill_number: Option<String>,
    heard_at: Option<i64>,
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
            bill_number: stored.bill_number.clone(),
            heard_at: moment(stored.heard_at),
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
            bill_number: row.bill_number,
            heard_at: millis(row.heard_at),
        })
    }
}
