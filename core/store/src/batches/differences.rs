//! What a terminal's journal and core did not agree about, of a closed batch or of a day outside of shifts, and whether they
//! still do not.

use std::{collections::BTreeMap, fmt, str::FromStr};

use diesel::{
    dsl::{count_star, min},
    prelude::*,
};
use saoma_domain::batch::{Class, Difference, Field, Fix, Side, State};
use saoma_protocol::{BatchId, Millis, Money, TenantId, TerminalId};
use serde::{Deserialize, Serialize};

use super::schema::leg_differences;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, from_json, to_json, unsigned},
    dialect::upsert,
};

/// What was compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Batch(BatchId),
    /// What a terminal keyed on a day (`YYYY-MM-DD` in the merchant's time zone) while no shift was open.
    Day {
        terminal: TerminalId,
        day: String,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Batch(batch) => batch.fmt(f),
            Self::Day { terminal, day } => write!(f, "{terminal}/{day}"),
        }
    }
}

impl FromStr for Place {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let unknown = |_| corrupt(format!("{text:?} where the place of a difference is expected"));
        Ok(match text.split_once('/') {
            Some((terminal, day)) => Self::Day { terminal: terminal.parse().map_err(unknown)?, day: day.to_owned() },
            None => Self::Batch(text.parse().map_err(unknown)?),
        })
    }
}

/// A day of a terminal that has differences which are not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenDay {
    pub terminal: TerminalId,
    pub day: String,
    pub open: u64,
    /// When the oldest of them was found.
    pub since: Millis,
}

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

/// Writes down what a comparison of the place found: what is new, what is another difference by now, and what is over. What
/// stayed the same is not written again.
///
/// # Errors
/// As [`news`].
pub fn keep_differences(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    place: &Place,
    found: &[Difference],
    at: Millis,
) -> Result<(), StoreError> {
    for one in news(tx, scope, place, found, at)? {
        save(tx, scope, place, &one)?;
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
    place: &Place,
    found: &[Difference],
    at: Millis,
) -> Result<Vec<StoredDifference>, StoreError> {
    // What nobody counted is for a person to end.
    let known = differences(tx, scope, place)?.into_iter().filter(|known| known.class != Class::Uncounted);
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
    place: &Place,
    one: &StoredDifference,
) -> Result<(), StoreError> {
    let json = |side: &Option<Stated>| side.as_ref().map(to_json).transpose();
    let fields: Vec<&str> = one.fields.iter().map(|field| field.text()).collect();
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        place: place.to_string(),
        subject: one.subject.clone(),
        class: one.class.text().to_owned(),
        fields: fields.join(","),
        fix: one.fix.text().to_owned(),
        terminal_json: json(&one.terminal)?,
        core_json: json(&one.core)?,
        found_at: one.found_at.0,
        closed_at: one.closed_at.map(|at| at.0),
    };
    let key = (leg_differences::tenant_id, leg_differences::place, leg_differences::subject);
    upsert!(tx, scope, leg_differences::table, &row, key, &row).map(drop)
}

/// Those that are still differences first, then by subject.
///
/// # Errors
/// `Corrupt`.
pub fn differences(tx: &mut Tx<'_>, scope: &TenantScope, place: &Place) -> Result<Vec<StoredDifference>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        leg_differences::table
            .filter(leg_differences::tenant_id.eq(Txt(scope.tenant())))
            .filter(leg_differences::place.eq(place.to_string()))
            .order((leg_differences::closed_at.is_not_null(), leg_differences::subject))
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
    let ids: Vec<_> = batches.iter().map(ToString::to_string).collect();
    let rows: Vec<(String, i64)> = tx.run(scope, |conn| {
        leg_differences::table
            .filter(leg_differences::tenant_id.eq(Txt(scope.tenant())))
            .filter(leg_differences::place.eq_any(ids))
            .filter(leg_differences::closed_at.is_null())
            .group_by(leg_differences::place)
            .select((leg_differences::place, count_star()))
            .load(conn)
    })?;
    let of_batch = |place: String| place.parse().map_err(|_| corrupt(format!("{place:?} where a batch is expected")));
    rows.into_iter().map(|(place, n)| Ok((of_batch(place)?, unsigned(n)?))).collect()
}

/// The days outside of shifts that have differences which are not over, by the oldest of these, at most `limit`.
///
/// # Errors
/// `Corrupt`.
pub fn open_days(tx: &mut Tx<'_>, scope: &TenantScope, limit: u32) -> Result<Vec<OpenDay>, StoreError> {
    let rows: Vec<(String, i64, Option<i64>)> = tx.run(scope, |conn| {
        leg_differences::table
            .filter(leg_differences::tenant_id.eq(Txt(scope.tenant())))
            .filter(leg_differences::closed_at.is_null())
            .filter(leg_differences::place.like("%/%"))
            .group_by(leg_differences::place)
            .order(min(leg_differences::found_at))
            .select((leg_differences::place, count_star(), min(leg_differences::found_at)))
            .limit(i64::from(limit))
            .load(conn)
    })?;
    let mut days = Vec::new();
    for (place, open, since) in rows {
        if let Place::Day { terminal, day } = place.parse()? {
            days.push(OpenDay { terminal, day, open: unsigned(open)?, since: Millis(since.unwrap_or_default()) });
        }
    }
    Ok(days)
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = leg_differences, primary_key(tenant_id, place, subject), treat_none_as_null = true)]
struct Row {
    tenant_id: Txt<TenantId>,
    place: String,
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
