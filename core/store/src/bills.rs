//! Channels' bills as they were fetched, a revision for each content. A revision that was fetched whole is never changed.
//!
//! Whoever fetches holds the lease of the account's comparison, and renews it in each transaction that writes here
//! ([`crate::reconciliations::renew`]): what another has taken up is not written to.

use std::collections::{BTreeMap, BTreeSet};

use diesel::{
    dsl::{max, min},
    prelude::*,
};
use saoma_domain::recon::{Key, Movement, Side, Theirs};
use saoma_protocol::{ChannelAccountId, Currency, Millis, Money, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, signed, unsigned, unsigned32},
    dialect::insert_all,
    schema::{bill_lines, bills},
};

/// A bill that was fetched whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bill {
    /// Over all tenants, with gaps.
    pub id: u64,
    /// From 1; gaps where a fetch was cut off or brought nothing new.
    pub revision: u32,
    pub lines: u64,
    pub unreadable: u64,
    /// SHA-256 over all lines, in hex.
    pub digest: String,
    pub fetched_at: Millis,
}

/// A line that comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// From 1.
    pub line: u64,
    pub said: Said,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    Row {
        key: Key,
        order_number: String,
        reference: String,
        side: Side,
    },
    /// What stands there.
    Unreadable(String),
}

/// Rows of one statement: PostgreSQL takes 65,535 values, and a line has 12.
const INSERT_ROWS: usize = 5_000;
/// Rows of one transaction that deletes: a fraction of a second, during which others wait.
const DELETE_ROWS: i64 = 10_000;
/// Bills of one search: each is a walk down its index for each number.
const FIND_BILLS: usize = 100;

/// Lines of one statement: SQLite takes 32,766 values, and numbers and bills are among them.
const FIND_LINES: usize = 5_000;

/// A bill, what its line is about, and the first line that is.
type First = (i64, String, String, Option<i64>);

const UNREADABLE: &str = "unreadable";

/// Opens the next revision of a day's bill.
///
/// # Errors
/// `NotFound` if the account is not the tenant's, `Conflict` if somebody else opened one at this moment.
pub fn begin(tx: &mut Tx<'_>, scope: &TenantScope, account: ChannelAccountId, day: &str) -> Result<u64, StoreError> {
    crate::channel_accounts::load(tx, scope, account)?;
    let last: Option<i32> =
        tx.run(scope, |conn| of_day(scope, account, day).select(max(bills::revision)).first(conn))?;
    let row = (
        bills::tenant_id.eq(Txt(scope.tenant())),
        bills::channel_account_id.eq(Txt(account)),
        bills::day.eq(day),
        bills::revision.eq(last.unwrap_or(0) + 1),
        bills::lines.eq(0),
        bills::unreadable.eq(0),
        bills::digest.eq(""),
    );
    let id: i64 = tx
        .run(scope, |conn| diesel::insert_into(bills::table).values(row).returning(bills::id).get_result(conn))
        .map_err(|error| error.about("the bill"))?;
    unsigned(id)
}

/// Adds lines to a bill that is being fetched.
///
/// # Errors
/// `NotFound` if there is no such bill.
pub fn add(tx: &mut Tx<'_>, scope: &TenantScope, bill: u64, lines: &[NewLine]) -> Result<(), StoreError> {
    let rows: Vec<LineRow> = lines.iter().map(|line| LineRow::new(scope, bill, line)).collect();
    for rows in rows.chunks(INSERT_ROWS) {
        insert_all!(tx, scope, bill_lines::table, rows)?;
    }
    Ok(())
}

/// The bill has come in whole.
///
/// # Errors
/// `NotFound` if it is not being fetched.
pub fn finish(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    bill: u64,
    lines: u64,
    unreadable: u64,
    digest: &str,
    at: Millis,
) -> Result<(), StoreError> {
    let open = bills::table
        .filter(bills::tenant_id.eq(Txt(scope.tenant())))
        .filter(bills::id.eq(signed(bill)))
        .filter(bills::fetched_at.is_null());
    let changes = (
        bills::lines.eq(signed(lines)),
        bills::unreadable.eq(signed(unreadable)),
        bills::digest.eq(digest),
        bills::fetched_at.eq(at.0),
    );
    let n = tx.run(scope, |conn| diesel::update(open).set(changes).execute(conn))?;
    crate::column::found(n, "the bill")
}

/// Takes away one step of a bill that was not fetched whole (cut off, or with nothing new in it); whether there is more.
///
/// # Errors
/// None of its own.
pub fn drop_unfinished(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    day: &str,
) -> Result<bool, StoreError> {
    let found: Option<i64> = tx.run(scope, |conn| {
        of_day(scope, account, day).filter(bills::fetched_at.is_null()).select(bills::id).first(conn).optional()
    })?;
    let Some(bill) = found else { return Ok(false) };
    let lines: Vec<(String, String, i64)> = tx.run(scope, |conn| {
        bill_lines::table
            .filter(bill_lines::tenant_id.eq(Txt(scope.tenant())))
            .filter(bill_lines::bill.eq(bill))
            .order((bill_lines::number, bill_lines::movement, bill_lines::line))
            .limit(DELETE_ROWS)
            .select((bill_lines::number, bill_lines::movement, bill_lines::line))
            .load(conn)
    })?;
    let of_bill =
        bill_lines::table.filter(bill_lines::tenant_id.eq(Txt(scope.tenant()))).filter(bill_lines::bill.eq(bill));
    match lines.last() {
        Some((number, movement, line)) => {
            let in_movement =
                bill_lines::movement.lt(movement).or(bill_lines::movement.eq(movement).and(bill_lines::line.le(line)));
            let through =
                of_bill.filter(bill_lines::number.lt(number).or(bill_lines::number.eq(number).and(in_movement)));
            tx.run(scope, |conn| diesel::delete(through).execute(conn))?;
        }
        None => {
            let empty = bills::table.filter(bills::tenant_id.eq(Txt(scope.tenant()))).filter(bills::id.eq(bill));
            tx.run(scope, |conn| diesel::delete(empty).execute(conn))?;
        }
    }
    Ok(true)
}

/// The newest bill of a day that was fetched whole.
///
/// # Errors
/// None of its own.
pub fn newest(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    day: &str,
) -> Result<Option<Bill>, StoreError> {
    let row: Option<(i64, i32, i64, i64, String, Option<i64>)> = tx.run(scope, |conn| {
        of_day(scope, account, day)
            .filter(bills::fetched_at.is_not_null())
            .order(bills::revision.desc())
            .select((bills::id, bills::revision, bills::lines, bills::unreadable, bills::digest, bills::fetched_at))
            .first(conn)
            .optional()
    })?;
    let read = |(id, revision, lines, unreadable, digest, fetched_at): (i64, i32, i64, i64, String, Option<i64>)| {
        Ok(Bill {
            id: unsigned(id)?,
            revision: unsigned32(revision)?,
            lines: unsigned(lines)?,
            unreadable: unsigned(unreadable)?,
            digest,
            fetched_at: Millis(fetched_at.ok_or_else(|| corrupt("a bill without its moment"))?),
        })
    };
    row.map(read).transpose()
}

/// Lines that could be read, in the order of key and line, from after `after` on.
///
/// # Errors
/// None of its own.
pub fn page(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    bill: u64,
    after: Option<&Theirs>,
    limit: u32,
) -> Result<Vec<Theirs>, StoreError> {
    let mut query = of_bill(scope, bill)
        .filter(bill_lines::movement.ne(UNREADABLE))
        .order((bill_lines::number, bill_lines::movement, bill_lines::line))
        .limit(limit.into())
        .select(ReadRow::as_select())
        .into_boxed();
    if let Some(Theirs { key, line, .. }) = after {
        let (number, movement) = (key.number.clone(), key.movement.text());
        let later_line = bill_lines::movement.eq(movement).and(bill_lines::line.gt(signed(*line)));
        let later = bill_lines::movement.gt(movement).or(later_line);
        // The first condition alone leads the database to the place.
        query = query.filter(bill_lines::number.ge(number.clone())).filter(bill_lines::number.gt(number).or(later));
    }
    let rows: Vec<ReadRow> = tx.run(scope, |conn| query.load(conn))?;
    rows.into_iter().map(Theirs::try_from).collect()
}

/// Lines that could not be read, by number of line, from after line `after` on.
///
/// # Errors
/// None of its own.
pub fn unreadable(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    bill: u64,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, String)>, StoreError> {
    let rows: Vec<(i64, String)> = tx.run(scope, |conn| {
        of_bill(scope, bill)
            .filter(bill_lines::number.eq(""))
            .filter(bill_lines::movement.eq(UNREADABLE))
            .filter(bill_lines::line.gt(signed(after)))
            .order(bill_lines::line)
            .limit(limit.into())
            .select((bill_lines::line, bill_lines::words))
            .load(conn)
    })?;
    rows.into_iter().map(|(line, words)| Ok((unsigned(line)?, words))).collect()
}

/// The newest whole bill of each of the account's days, by day.
///
/// # Errors
/// None of its own.
pub fn newest_of_days(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<BTreeMap<String, u64>, StoreError> {
    let rows: Vec<(String, i64)> = tx.run(scope, |conn| {
        bills::table
            .filter(bills::tenant_id.eq(Txt(scope.tenant())))
            .filter(bills::channel_account_id.eq(Txt(account)))
            .filter(bills::fetched_at.is_not_null())
            .order((bills::day, bills::revision))
            .select((bills::day, bills::id))
            .load(conn)
    })?;
    // Of a day the last one stays.
    rows.into_iter().map(|(day, id)| Ok((day, unsigned(id)?))).collect()
}

/// The first line about each of these movements on each of these bills, for those that have one; each with its bill.
///
/// # Errors
/// None of its own.
pub fn find(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    bills: &[u64],
    keys: &[&Key],
) -> Result<Vec<(u64, Theirs)>, StoreError> {
    let numbers: Vec<&str> = keys.iter().map(|key| key.number.as_str()).collect();
    let mut found: Vec<(u64, Theirs)> = Vec::new();
    for bills in bills.chunks(FIND_BILLS) {
        let bills: Vec<i64> = bills.iter().map(|bill| signed(*bill)).collect();
        // A bill may list a number any number of times: of each key the first line alone leaves the database.
        let firsts: Vec<First> = tx.run(scope, |conn| {
            bill_lines::table
                .filter(bill_lines::tenant_id.eq(Txt(scope.tenant())))
                .filter(bill_lines::bill.eq_any(&bills))
                .filter(bill_lines::number.eq_any(&numbers))
                .filter(bill_lines::movement.ne(UNREADABLE))
                .group_by((bill_lines::bill, bill_lines::number, bill_lines::movement))
                .select((bill_lines::bill, bill_lines::number, bill_lines::movement, min(bill_lines::line)))
                .load(conn)
        })?;
        let is_asked = |(_, number, movement, _): &First| {
            keys.iter().any(|key| key.number == *number && key.movement.text() == movement)
        };
        let firsts: BTreeSet<(i64, i64)> = firsts
            .iter()
            .filter(|first| is_asked(first))
            .filter_map(|(bill, _, _, line)| line.map(|line| (*bill, line)))
            .collect();
        let lines: BTreeSet<i64> = firsts.iter().map(|(_, line)| *line).collect();
        let lines: Vec<i64> = lines.into_iter().collect();
        for lines in lines.chunks(FIND_LINES) {
            let rows: Vec<(i64, ReadRow)> = tx.run(scope, |conn| {
                bill_lines::table
                    .filter(bill_lines::tenant_id.eq(Txt(scope.tenant())))
                    .filter(bill_lines::bill.eq_any(&bills))
                    .filter(bill_lines::number.eq_any(&numbers))
                    .filter(bill_lines::movement.ne(UNREADABLE))
                    .filter(bill_lines::line.eq_any(lines))
                    .select((bill_lines::bill, ReadRow::as_select()))
                    .load(conn)
            })?;
            for (bill, row) in rows.into_iter().filter(|(bill, row)| firsts.contains(&(*bill, row.line))) {
                found.push((unsigned(bill)?, row.try_into()?));
            }
        }
    }
    found.sort_by(|(bill, row), (other_bill, other)| (bill, &row.key).cmp(&(other_bill, &other.key)));
    Ok(found)
}

/// The order that the first line about each of these movements names, for those that the bill has and that name one.
///
/// # Errors
/// None of its own.
pub fn orders(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    bill: u64,
    keys: &[&Key],
) -> Result<BTreeMap<Key, String>, StoreError> {
    let numbers: Vec<&str> = keys.iter().map(|key| key.number.as_str()).collect();
    let rows: Vec<(String, String, String)> = tx.run(scope, |conn| {
        of_bill(scope, bill)
            .filter(bill_lines::number.eq_any(numbers))
            .filter(bill_lines::movement.eq_any(Movement::ALL.map(Movement::text)))
            .filter(bill_lines::order_number.ne(""))
            .order(bill_lines::line.desc())
            .select((bill_lines::number, bill_lines::movement, bill_lines::order_number))
            .load(conn)
    })?;
    let key = |number, movement: &str| Movement::from_text(movement).map(|movement| Key { number, movement });
    // Of a key the first line stays.
    let read = |(number, movement, order): (String, String, String)| Some((key(number, &movement)?, order));
    Ok(rows.into_iter().filter_map(read).filter(|(key, _)| keys.contains(&key)).collect())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_day<'a>(scope: &TenantScope, account: ChannelAccountId, day: &'a str) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let account: Txt<ChannelAccountId> = Txt(account);
    bills::table
        .filter(bills::tenant_id.eq(tenant))
        .filter(bills::channel_account_id.eq(account))
        .filter(bills::day.eq(day))
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_bill(scope: &TenantScope, bill: u64) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    let bill: i64 = signed(bill);
    bill_lines::table.filter(bill_lines::tenant_id.eq(tenant)).filter(bill_lines::bill.eq(bill))
}

#[derive(Insertable)]
#[diesel(table_name = bill_lines)]
struct LineRow {
    tenant_id: Txt<TenantId>,
    bill: i64,
    number: String,
    movement: &'static str,
    line: i64,
    order_number: String,
    reference: String,
    currency: String,
    amount_minor: i64,
    fee_minor: i64,
    at: i64,
    words: String,
}

impl LineRow {
    fn new(scope: &TenantScope, bill: u64, line: &NewLine) -> Self {
        let empty = Self {
            tenant_id: Txt(scope.tenant()),
            bill: signed(bill),
            number: String::new(),
            movement: UNREADABLE,
            line: signed(line.line),
            order_number: String::new(),
            reference: String::new(),
            currency: String::new(),
            amount_minor: 0,
            fee_minor: 0,
            at: 0,
            words: String::new(),
        };
        match &line.said {
            Said::Unreadable(words) => Self { words: words.clone(), ..empty },
            Said::Row { key, order_number, reference, side } => Self {
                number: key.number.clone(),
                movement: key.movement.text(),
                order_number: order_number.clone(),
                reference: reference.clone(),
                currency: side.currency().code().to_owned(),
                amount_minor: side.money.minor(),
                fee_minor: side.fee.minor(),
                at: side.at.0,
                ..empty
            },
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = bill_lines)]
struct ReadRow {
    number: String,
    movement: String,
    line: i64,
    currency: Txt<Currency>,
    amount_minor: i64,
    fee_minor: i64,
    at: i64,
}

impl TryFrom<ReadRow> for Theirs {
    type Error = StoreError;

    fn try_from(row: ReadRow) -> Result<Self, StoreError> {
        let movement = Movement::from_text(&row.movement).ok_or_else(|| corrupt("a line of an unknown kind"))?;
        let money = |minor| Money::new(minor, row.currency.0);
        Ok(Self {
            key: Key { number: row.number, movement },
            side: Side { money: money(row.amount_minor), fee: money(row.fee_minor), at: Millis(row.at) },
            line: unsigned(row.line)?,
        })
    }
}
