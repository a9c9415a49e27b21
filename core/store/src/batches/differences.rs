//! What the journal of a closed batch and core did not agree about, and whether they still do not.

use std::collections::BTreeMap;

use diesel::{dsl::count_star, prelude::*};
use saoma_domain::batch::{Class, Difference, Field, Fix, Side, State};
use saoma_protocol::{BatchId, Millis, Money, TenantId};
use serde::{Deserialize, Serialize};

use super::schema::batch_differences;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, from_json, to_json, unsigned},
    dialect::upsert,
};

/// One side of a difference in words. Stored as JSON: a field that is added later needs a default.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stated {
    pub amount: Money,
    /// A payment's or refund's state; `None` if that side does not say.
    pub state: Option<String>,
    /// Given back of a sale, in minor units.
    pub refunded_minor: i64,
    /// How many sales and refunds make up the amount, where it is a sum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub entries: Option<u64>,
}

impl Stated {
    /// # Errors
    /// `Internal` if a state has no text, which its type excludes.
    pub fn new(side: &Side) -> Result<Self, StoreError> {
        let state = match side.state {
            None => None,
            Some(State::Sale(state)) => Some(to_json(&state)?),
            Some(State::Refund(state)) => Some(to_json(&state)?),
        };
        let state = state.map(|state| state.trim_matches('"').to_owned());
        Ok(Self { amount: side.money, state, refunded_minor: side.refunded_minor, entries: None })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDifference {
    /// A payment's, a refund's or the batch's own id.
    pub subject: String,
    pub class: Class,
    pub fields: Vec<Field>,
    pub fix: Fix,
    pub terminal: Option<Stated>,
    pub core: Option<Stated>,
    pub found_at: Millis,
    /// When a later comparison found that both agree.
    pub closed_at: Option<Millis>,
}

impl StoredDifference {
    /// A difference that is found now.
    ///
    /// # Errors
    /// As [`Stated::new`].
    pub fn found(difference: &Difference, at: Millis) -> Result<Self, StoreError> {
        let stated = |side: Option<Side>| side.as_ref().map(Stated::new).transpose();
        Ok(Self {
            subject: difference.subject.to_string(),
            class: difference.class,
            fields: difference.fields.clone(),
            fix: difference.fix,
            terminal: stated(difference.terminal)?,
            core: stated(difference.core)?,
            found_at: at,
            closed_at: None,
        })
    }
}

/// Writes down what a comparison of the batch found: what is new, what is another difference by now, and what is over. What
/// stayed the same is not written again.
///
/// # Errors
/// `NotFound` if the batch is not the tenant's.
pub fn keep_differences(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: BatchId,
    found: &[Difference],
    at: Millis,
) -> Result<(), StoreError> {
    for one in news(tx, scope, batch, found, at)? {
        save(tx, scope, batch, &one)?;
    }
    Ok(())
}

/// What [`keep_differences`] would write.
///
/// # Errors
/// `Corrupt`.
pub fn news(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: BatchId,
    found: &[Difference],
    at: Millis,
) -> Result<Vec<StoredDifference>, StoreError> {
    // What nobody counted is for a person to end.
    let known = differences(tx, scope, batch)?.into_iter().filter(|known| known.class != Class::Uncounted);
    let mut known: BTreeMap<String, StoredDifference> = known.map(|known| (known.subject.clone(), known)).collect();
    let mut news = Vec::new();
    for difference in found {
        let mut now = StoredDifference::found(difference, at)?;
        let before = known.remove(&now.subject);
        if let Some(before) = before.as_ref().filter(|before| before.closed_at.is_none()) {
            now.found_at = before.found_at;
        }
        if before.as_ref() != Some(&now) {
            news.push(now);
        }
    }
    let over = known.into_values().filter(|known| known.closed_at.is_none());
    news.extend(over.map(|known| StoredDifference { closed_at: Some(at), ..known }));
    Ok(news)
}

pub(super) fn save(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batch: BatchId,
    one: &StoredDifference,
) -> Result<(), StoreError> {
    let json = |side: &Option<Stated>| side.as_ref().map(to_json).transpose();
    let fields: Vec<&str> = one.fields.iter().map(|field| field.text()).collect();
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        batch_id: Txt(batch),
        subject: one.subject.clone(),
        class: one.class.text().to_owned(),
        fields: fields.join(","),
        fix: one.fix.text().to_owned(),
        terminal_json: json(&one.terminal)?,
        core_json: json(&one.core)?,
        found_at: one.found_at.0,
        closed_at: one.closed_at.map(|at| at.0),
    };
    let key = (batch_differences::tenant_id, batch_differences::batch_id, batch_differences::subject);
    upsert!(tx, scope, batch_differences::table, &row, key, &row).map(drop)
}

/// Those that are still differences first, then by subject.
///
/// # Errors
/// `Corrupt`.
pub fn differences(tx: &mut Tx<'_>, scope: &TenantScope, batch: BatchId) -> Result<Vec<StoredDifference>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        batch_differences::table
            .filter(batch_differences::tenant_id.eq(Txt(scope.tenant())))
            .filter(batch_differences::batch_id.eq(Txt(batch)))
            .order((batch_differences::closed_at.is_not_null(), batch_differences::subject))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(StoredDifference::try_from).collect()
}

/// How many of each of these batches are not over; a batch without any is left out.
///
/// # Errors
/// None of its own.
pub fn open_count(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    batches: &[BatchId],
) -> Result<BTreeMap<BatchId, u64>, StoreError> {
    let ids: Vec<_> = batches.iter().copied().map(Txt).collect();
    let rows: Vec<(Txt<BatchId>, i64)> = tx.run(scope, |conn| {
        batch_differences::table
            .filter(batch_differences::tenant_id.eq(Txt(scope.tenant())))
            .filter(batch_differences::batch_id.eq_any(ids))
            .filter(batch_differences::closed_at.is_null())
            .group_by(batch_differences::batch_id)
            .select((batch_differences::batch_id, count_star()))
            .load(conn)
    })?;
    rows.into_iter().map(|(batch, n)| Ok((batch.0, unsigned(n)?))).collect()
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = batch_differences, primary_key(tenant_id, batch_id, subject), treat_none_as_null = true)]
struct Row {
    tenant_id: Txt<TenantId>,
    batch_id: Txt<BatchId>,
    subject: String,
    class: String,
    fields: String,
    fix: String,
    terminal_json: Option<String>,
    core_json: Option<String>,
    found_at: i64,
    closed_at: Option<i64>,
}

impl TryFrom<Row> for StoredDifference {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unknown = |what: &str, text: &str| corrupt(format!("{text:?} where a {what} of a difference is expected"));
        let stated = |json: Option<String>| json.map(|json| from_json(&json, "a side of a difference")).transpose();
        let fields = row.fields.split(',').filter(|field| !field.is_empty());
        Ok(Self {
            class: Class::from_text(&row.class).ok_or_else(|| unknown("class", &row.class))?,
            fields: fields
                .map(|field| Field::from_text(field).ok_or_else(|| unknown("field", field)))
                .collect::<Result<_, _>>()?,
            fix: Fix::from_text(&row.fix).ok_or_else(|| unknown("fix", &row.fix))?,
            terminal: stated(row.terminal_json)?,
            core: stated(row.core_json)?,
            found_at: Millis(row.found_at),
            closed_at: row.closed_at.map(Millis),
            subject: row.subject,
        })
    }
}
