//! The running cores on one database, and which of them each terminal is connected to.
//!
//! A node writes a beat now and then; another that sees its beats stand still for long enough, by its own clock alone,
//! takes it for dead. One that was only slow finds itself gone at its next beat and says again who is connected to it.

use diesel::{dsl::exists, prelude::*, sql_query, sql_types::BigInt};
use saoma_protocol::{Millis, TerminalId};

use crate::{
    Dialect, PlatformScope, StoreError, Tx,
    column::Txt,
    dialect::insert_or_ignore,
    schema::{nodes, tenants, terminal_certificates, terminals},
};

/// Another node, how often it has beaten, and the names of the master keys that it can read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    pub beats: i64,
    pub masters: Vec<String>,
}

/// Writes down that this node lives and which master keys it can read; `false` if it was not known (any more), as at its
/// first beat.
///
/// # Errors
/// None of its own.
pub fn beat(tx: &mut Tx<'_>, platform: &PlatformScope, node: &str, masters: &[String]) -> Result<bool, StoreError> {
    let (row, masters) = (nodes::table.find(node), nodes::masters.eq(masters.join(",")));
    let beaten = (nodes::beats.eq(nodes::beats + 1), masters.clone());
    let known = tx.run(platform, |conn| diesel::update(row).set(beaten).execute(conn))? == 1;
    if !known {
        insert_or_ignore!(tx, platform, nodes::table, (nodes::id.eq(node), nodes::beats.eq(0), &masters))?;
    }
    Ok(known)
}

/// What the database's own clock says: on PostgreSQL. A file has none but its one node's.
///
/// # Errors
/// None of its own.
pub fn time(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Option<Millis>, StoreError> {
    if tx.dialect() == Dialect::Sqlite {
        return Ok(None);
    }
    let row: ClockRow = tx.run(platform, |conn| {
        sql_query("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint AS millis").get_result(conn)
    })?;
    Ok(Some(Millis(row.millis)))
}

#[derive(QueryableByName)]
struct ClockRow {
    #[diesel(sql_type = BigInt)]
    millis: i64,
}

/// All but this one.
///
/// # Errors
/// None of its own.
pub fn others(tx: &mut Tx<'_>, platform: &PlatformScope, node: &str) -> Result<Vec<Node>, StoreError> {
    let rows: Vec<(String, i64, String)> = tx.run(platform, |conn| {
        let columns = (nodes::id, nodes::beats, nodes::masters);
        nodes::table.filter(nodes::id.ne(node)).select(columns).order(nodes::id).load(conn)
    })?;
    let read = |(id, beats, masters): (String, i64, String)| {
        let masters = masters.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
        Node { id, beats, masters }
    };
    Ok(rows.into_iter().map(read).collect())
}

/// Forgets a node that has not beaten since it was seen: its terminals are offline until they connect to another. The answer
/// is how many they were.
///
/// # Errors
/// None of its own.
pub fn bury(tx: &mut Tx<'_>, platform: &PlatformScope, seen: &Node) -> Result<u64, StoreError> {
    let row = nodes::table.find(&seen.id).filter(nodes::beats.eq(seen.beats));
    if tx.run(platform, |conn| diesel::delete(row).execute(conn))? == 0 {
        return Ok(0);
    }
    disconnect(tx, platform, &seen.id)
}

/// This node ends in order.
///
/// # Errors
/// None of its own.
pub fn leave(tx: &mut Tx<'_>, platform: &PlatformScope, node: &str) -> Result<(), StoreError> {
    tx.run(platform, |conn| diesel::delete(nodes::table.find(node)).execute(conn))?;
    disconnect(tx, platform, node).map(drop)
}

fn disconnect(tx: &mut Tx<'_>, platform: &PlatformScope, node: &str) -> Result<u64, StoreError> {
    let its = terminals::table.filter(terminals::node_id.eq(node));
    let gone = (terminals::online.eq(false), terminals::node_id.eq(None::<String>));
    tx.run(platform, |conn| diesel::update(its).set(gone).execute(conn)).map(|n| n as u64)
}

/// Terminals connected to this node whose right to be so ended: a certificate of theirs was withdrawn at `since` or later
/// (its serial comes with them), or their tenant was made inactive.
///
/// # Errors
/// None of its own.
pub fn shut_out(
    tx: &mut Tx<'_>,
    platform: &PlatformScope,
    node: &str,
    since: Millis,
) -> Result<Vec<(TerminalId, Option<String>)>, StoreError> {
    let here = terminals::table
        .filter(terminals::tenant_id.eq(terminal_certificates::tenant_id))
        .filter(terminals::id.eq(terminal_certificates::terminal_id))
        .filter(terminals::node_id.eq(node));
    let withdrawn: Vec<(Txt<TerminalId>, String)> = tx.run(platform, |conn| {
        terminal_certificates::table
            .filter(terminal_certificates::revoked_at.ge(since.0))
            .filter(exists(here))
            .select((terminal_certificates::terminal_id, terminal_certificates::serial))
            .load(conn)
    })?;
    let closed = tenants::table.filter(tenants::id.eq(terminals::tenant_id)).filter(tenants::active.eq(false));
    let of_closed: Vec<Txt<TerminalId>> = tx.run(platform, |conn| {
        terminals::table.filter(terminals::node_id.eq(node)).filter(exists(closed)).select(terminals::id).load(conn)
    })?;
    let withdrawn = withdrawn.into_iter().map(|(terminal, serial)| (terminal.0, Some(serial)));
    Ok(withdrawn.chain(of_closed.into_iter().map(|terminal| (terminal.0, None))).collect())
}
