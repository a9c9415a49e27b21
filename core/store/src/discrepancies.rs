//! What did not agree between books and bills, and what became of it.
//!
//! A comparison that is repeated finds the same again: what waits is brought up to date, what a person has decided about the
//! very same difference stays decided, and what is not found any more is closed.

use std::{fmt, str::FromStr};

use diesel::prelude::*;
use saoma_domain::recon::{Class, Field, Finding, Fix, Key, Movement, Side, Standing};
use saoma_protocol::{ChannelAccountId, Currency, DiscrepancyId, Millis, Money, ReconciliationId, TenantId, UserId};
use serde::{Deserialize, Serialize};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, from_json, signed, to_json, unsigned},
    schema::discrepancies,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discrepancy {
    pub id: DiscrepancyId,
    pub account: ChannelAccountId,
    /// As the scheme counts days, `2026-01-31`.
    pub day: String,
    /// The last comparison that found it.
    pub reconciliation: ReconciliationId,
    pub finding: Finding,
    pub standing: Standing,
    pub assigned_to: Option<UserId>,
    /// Of the last decision about it.
    pub reason: Option<String>,
    pub proposed_by: Option<String>,
    pub decided_by: Option<String>,
    pub found_at: Millis,
    pub updated_at: Millis,
    /// Grows with each change; see [`save`].
    pub version: u64,
}

/// Which to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub account: Option<ChannelAccountId>,
    pub day: Option<String>,
    pub class: Option<Class>,
    pub standing: Option<Standing>,
    /// Those alone that wait for somebody.
    pub waiting: bool,
}

/// A place in the list: after this one. Its text is for the API's `cursor`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub found_at: Millis,
    pub id: DiscrepancyId,
}

/// A comparison that is being written down.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: ReconciliationId,
    pub account: ChannelAccountId,
    pub day: String,
}

/// Most findings of one call of [`keep`]: PostgreSQL and SQLite take lists of that length in a query.
pub const KEEP_MAX: usize = 500;

/// Writes down what a comparison found, each with the id that it gets if it is new.
///
/// # Errors
/// None of its own.
pub fn keep(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    run: &Run,
    found: &[(DiscrepancyId, Finding)],
    at: Millis,
) -> Result<(), StoreError> {
    let numbers: Vec<String> = found.iter().map(|(_, finding)| number_of(finding).to_owned()).collect();
    let lines = found.iter().filter_map(|(_, finding)| finding.line);
    let (first, last) = lines.fold((u64::MAX, 0), |(first, last), line| (first.min(line), last.max(line)));
    // Lines that cannot be read have no number: of those, the ones between the first and the last line meant.
    let about = discrepancies::number.ne("").or(discrepancies::line.between(signed(first), signed(last)));
    let rows: Vec<Row> = tx.run(scope, |conn| {
        discrepancies::table
            .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
            .filter(discrepancies::channel_account_id.eq(Txt(run.account)))
            .filter(discrepancies::number.eq_any(&numbers))
            .filter(about)
            .order(discrepancies::found_at)
            .select(Row::as_select())
            .load(conn)
    })?;
    let known: Vec<Discrepancy> = rows.into_iter().map(Discrepancy::try_from).collect::<Result<_, _>>()?;
    for (id, finding) in found {
        let mut before = known.iter().filter(|before| before.day == run.day && is_same(&before.finding, finding));
        // What waits is one at most; of what is over, the very same difference.
        let before = before.rfind(|before| before.standing.waits() || says_the_same(&before.finding, finding));
        match before {
            Some(before) => {
                let mut now = before.clone();
                now.reconciliation = run.id;
                if before.standing.waits() && before.finding != *finding {
                    now.finding = finding.clone();
                    now.updated_at = at;
                    // Whoever approves must approve what was proposed.
                    if now.standing == Standing::WriteOffProposed {
                        now.standing = Standing::Open;
                    }
                }
                if before.standing.waits() && finding.fix == Fix::NothingToDo {
                    close(&mut now, "both days together agree", at);
                }
                save(tx, scope, &mut now)?;
            }
            None => {
                let mut new = Discrepancy {
                    id: *id,
                    account: run.account,
                    day: run.day.clone(),
                    reconciliation: run.id,
                    finding: finding.clone(),
                    standing: Standing::Open,
                    assigned_to: None,
                    reason: None,
                    proposed_by: None,
                    decided_by: None,
                    found_at: at,
                    updated_at: at,
                    version: 1,
                };
                if finding.fix == Fix::NothingToDo {
                    close(&mut new, "both days together agree", at);
                }
                let row = Row::new(scope, &new)?;
                tx.run(scope, |conn| diesel::insert_into(discrepancies::table).values(&row).execute(conn))?;
            }
        }
        if finding.class == Class::CutOff && finding.fix == Fix::NothingToDo {
            let missed = known.iter().filter(|before| {
                before.day != run.day
                    && before.standing.waits()
                    && before.finding.class == Class::MissingThere
                    && before.finding.key == finding.key
            });
            for missed in missed {
                let mut now = missed.clone();
                close(&mut now, &format!("it is on the bill of {}", run.day), at);
                save(tx, scope, &mut now)?;
            }
        }
    }
    Ok(())
}

/// Closes what waits of the run's day and was not found by it: the sides agree by now. The answer is how many those are.
///
/// # Errors
/// None of its own.
pub fn close_others(tx: &mut Tx<'_>, scope: &TenantScope, run: &Run, at: Millis) -> Result<usize, StoreError> {
    let waiting = Standing::ALL.into_iter().filter(|standing| standing.waits()).map(Standing::text);
    let others = discrepancies::table
        .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
        .filter(discrepancies::channel_account_id.eq(Txt(run.account)))
        .filter(discrepancies::day.eq(&run.day))
        .filter(discrepancies::reconciliation_id.ne(Txt(run.id)))
        .filter(discrepancies::state.eq_any(waiting.collect::<Vec<_>>()));
    let changes = (
        discrepancies::state.eq(Standing::Closed.text()),
        discrepancies::reason.eq("a later comparison did not find it"),
        discrepancies::decided_by.eq("core"),
        discrepancies::updated_at.eq(at.0),
        discrepancies::version.eq(discrepancies::version + 1),
    );
    tx.run(scope, |conn| diesel::update(others).set(changes).execute(conn))
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, id: DiscrepancyId) -> Result<Discrepancy, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| row_of(scope, id).select(Row::as_select()).first(conn).optional())?;
    row.ok_or(StoreError::NotFound { what: "the discrepancy" })?.try_into()
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
) -> Result<Vec<Discrepancy>, StoreError> {
    let mut query = discrepancies::table
        .filter(discrepancies::tenant_id.eq(Txt(scope.tenant())))
        .order((discrepancies::found_at.desc(), discrepancies::id.desc()))
        .limit(limit.into())
        .select(Row::as_select())
        .into_boxed();
    if let Some(account) = filter.account {
        query = query.filter(discrepancies::channel_account_id.eq(Txt(account)));
    }
    if let Some(day) = &filter.day {
        query = query.filter(discrepancies::day.eq(day.clone()));
    }
    if let Some(class) = filter.class {
        query = query.filter(discrepancies::class.eq(class.text()));
    }
    if let Some(standing) = filter.standing {
        query = query.filter(discrepancies::state.eq(standing.text()));
    }
    if filter.waiting {
        let waiting = Standing::ALL.into_iter().filter(|standing| standing.waits()).map(Standing::text);
        query = query.filter(discrepancies::state.eq_any(waiting.collect::<Vec<_>>()));
    }
    if let Some(Cursor { found_at, id }) = after {
        let same_moment = discrepancies::found_at.eq(found_at.0).and(discrepancies::id.lt(Txt(id)));
        query = query.filter(discrepancies::found_at.lt(found_at.0).or(same_moment));
    }
    let rows: Vec<Row> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Discrepancy::try_from).collect()
}

/// Saves all but identity, if the row still has `discrepancy.version`, which is then one higher in both.
///
/// # Errors
/// `NotFound`, `Stale`.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, discrepancy: &mut Discrepancy) -> Result<(), StoreError> {
    let as_loaded = row_of(scope, discrepancy.id).filter(discrepancies::version.eq(signed(discrepancy.version)));
    discrepancy.version += 1;
    let row = Row::new(scope, discrepancy)?;
    if tx.run(scope, |conn| diesel::update(as_loaded).set(&row).execute(conn))? == 1 {
        return Ok(());
    }
    load(tx, scope, discrepancy.id)?;
    Err(StoreError::Stale { what: "the discrepancy" })
}

fn close(discrepancy: &mut Discrepancy, why: &str, at: Millis) {
    discrepancy.standing = Standing::Closed;
    discrepancy.reason = Some(why.to_owned());
    discrepancy.decided_by = Some("core".to_owned());
    discrepancy.updated_at = at;
}

/// Whether both are the same difference, perhaps of another size. Several lines can double one movement, and any number can
/// be unreadable: those are told apart by their lines.
fn is_same(one: &Finding, other: &Finding) -> bool {
    let by_line = matches!(one.class, Class::Duplicate | Class::Unreadable);
    one.class == other.class && one.key == other.key && (!by_line || one.line == other.line)
}

/// Whether what was decided about the one holds for the other. Fees are corrected by the decision itself.
fn says_the_same(decided: &Finding, finding: &Finding) -> bool {
    let money = |finding: &Finding| finding.ours.map(|side| side.money);
    decided.theirs == finding.theirs && decided.words == finding.words && money(decided) == money(finding)
}

fn number_of(finding: &Finding) -> &str {
    finding.key.as_ref().map_or("", |key| key.number.as_str())
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.found_at.0, self.id)
    }
}

impl FromStr for Cursor {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Self, StoreError> {
        let bad = || StoreError::NotFound { what: "the cursor's place in the list" };
        let (found_at, id) = text.split_once('-').ok_or_else(bad)?;
        Ok(Self { found_at: Millis(found_at.parse().map_err(|_| bad())?), id: id.parse().map_err(|_| bad())? })
    }
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(scope: &TenantScope, id: DiscrepancyId) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let id: Txt<DiscrepancyId> = Txt(id);
    discrepancies::table.filter(discrepancies::tenant_id.eq(tenant)).filter(discrepancies::id.eq(id))
}

/// A side as it lies in its column. A field that is added later needs a default.
#[derive(Serialize, Deserialize)]
struct StoredSide {
    currency: Currency,
    minor: i64,
    fee_minor: i64,
    at: i64,
}

fn side_json(side: Option<Side>) -> Result<Option<String>, StoreError> {
    let stored = |side: Side| StoredSide {
        currency: side.currency(),
        minor: side.money.minor(),
        fee_minor: side.fee.minor(),
        at: side.at.0,
    };
    side.map(|side| to_json(&stored(side))).transpose()
}

fn side(json: Option<String>) -> Result<Option<Side>, StoreError> {
    let Some(json) = json else { return Ok(None) };
    let StoredSide { currency, minor, fee_minor, at } = from_json(&json, "a side of a discrepancy")?;
    Ok(Some(Side { money: Money::new(minor, currency), fee: Money::new(fee_minor, currency), at: Millis(at) }))
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = discrepancies, treat_none_as_null = true)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<DiscrepancyId>,
    channel_account_id: Txt<ChannelAccountId>,
    day: String,
    reconciliation_id: Txt<ReconciliationId>,
    class: String,
    movement: String,
    number: String,
    line: i64,
    ours_json: Option<String>,
    theirs_json: Option<String>,
    words: Option<String>,
    fields: String,
    fix: String,
    state: String,
    assigned_to: Option<Txt<UserId>>,
    reason: Option<String>,
    proposed_by: Option<String>,
    decided_by: Option<String>,
    found_at: i64,
    updated_at: i64,
    version: i64,
}

impl Row {
    fn new(scope: &TenantScope, discrepancy: &Discrepancy) -> Result<Self, StoreError> {
        let finding = &discrepancy.finding;
        Ok(Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(discrepancy.id),
            channel_account_id: Txt(discrepancy.account),
            day: discrepancy.day.clone(),
            reconciliation_id: Txt(discrepancy.reconciliation),
            class: finding.class.text().to_owned(),
            movement: finding.key.as_ref().map(|key| key.movement.text()).unwrap_or_default().to_owned(),
            number: number_of(finding).to_owned(),
            line: signed(finding.line.unwrap_or(0)),
            ours_json: side_json(finding.ours)?,
            theirs_json: side_json(finding.theirs)?,
            words: finding.words.clone(),
            fields: finding.fields.iter().map(|field| field.text()).collect::<Vec<_>>().join(" "),
            fix: finding.fix.text().to_owned(),
            state: discrepancy.standing.text().to_owned(),
            assigned_to: discrepancy.assigned_to.map(Txt),
            reason: discrepancy.reason.clone(),
            proposed_by: discrepancy.proposed_by.clone(),
            decided_by: discrepancy.decided_by.clone(),
            found_at: discrepancy.found_at.0,
            updated_at: discrepancy.updated_at.0,
            version: signed(discrepancy.version),
        })
    }
}

impl TryFrom<Row> for Discrepancy {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let unknown = |what: &str, text: &str| corrupt(format!("a discrepancy of the {what} {text:?}"));
        let key = match row.movement.as_str() {
            "" => None,
            text => {
                let movement = Movement::from_text(text).ok_or_else(|| unknown("kind", text))?;
                Some(Key { number: row.number, movement })
            }
        };
        let fields = row.fields.split_whitespace();
        let finding = Finding {
            class: Class::from_text(&row.class).ok_or_else(|| unknown("class", &row.class))?,
            key,
            line: Some(unsigned(row.line)?).filter(|line| *line > 0),
            ours: side(row.ours_json)?,
            theirs: side(row.theirs_json)?,
            words: row.words,
            fields: fields
                .map(|field| Field::from_text(field).ok_or_else(|| unknown("field", field)))
                .collect::<Result<_, _>>()?,
            fix: Fix::from_text(&row.fix).ok_or_else(|| unknown("fix", &row.fix))?,
        };
        Ok(Self {
            id: row.id.0,
            account: row.channel_account_id.0,
            day: row.day,
            reconciliation: row.reconciliation_id.0,
            finding,
            standing: Standing::from_text(&row.state).ok_or_else(|| unknown("state", &row.state))?,
            assigned_to: row.assigned_to.map(|user| user.0),
            reason: row.reason,
            proposed_by: row.proposed_by,
            decided_by: row.decided_by,
            found_at: Millis(row.found_at),
            updated_at: Millis(row.updated_at),
            version: unsigned(row.version)?,
        })
    }
}
