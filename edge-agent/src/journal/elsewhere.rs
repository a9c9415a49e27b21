//! The journal's statements about other tills' sales on which money was given back here.

use std::collections::BTreeMap;

use diesel::prelude::*;
use saoma_protocol::{PaymentId, RefundId, Sequence};

use super::{
    Commit, JournalError, Store, plain,
    replay::{Compared, ToldRefund, compare_refunds, differ_unless_other},
    rows::{ELSEWHERE_KEPT, ElsewhereRow, seal_kept},
    schema::elsewhere,
    seal::Seals,
    store::{loaded, stored, unreadable},
};
use crate::sale::Kept;

/// Writes down how it stands. `first`: the first entry of this commit.
pub(super) fn keep(
    tx: &mut SqliteConnection,
    seals: &Seals,
    commit: &Commit,
    kept: &Kept,
    first: Sequence,
) -> Result<(), JournalError> {
    let payment = kept.payment.to_string();
    let known: Option<i64> = elsewhere::table.find(&payment).select(elsewhere::entry).first(tx).optional()?;
    let row = ElsewhereRow {
        entry: known.unwrap_or_else(|| stored(first)),
        open: commit.sale_open as i64,
        kept: seal_kept(ELSEWHERE_KEPT, seals, &payment, kept)?,
        payment,
    };
    diesel::insert_into(elsewhere::table)
        .values(&row)
        .on_conflict(elsewhere::payment)
        .do_update()
        .set(&row)
        .execute(tx)?;
    Ok(())
}

impl Store {
    pub(super) fn elsewhere(&mut self, payment: PaymentId) -> Result<Option<(Kept, Sequence)>, JournalError> {
        let row: Option<ElsewhereRow> =
            elsewhere::table.find(payment.to_string()).first(&mut self.connection).optional()?;
        row.map(|row| Ok((row.kept(&self.seals)?, loaded(row.entry)))).transpose()
    }

    /// Those of which something is still to be found out.
    pub(super) fn open_elsewhere(&mut self) -> Result<Vec<Kept>, JournalError> {
        let rows: Vec<ElsewhereRow> = elsewhere::table.filter(elsewhere::open.ne(0)).load(&mut self.connection)?;
        rows.iter().map(|row| row.kept(&self.seals)).collect()
    }

    /// Holds what is kept of them against the refunds that the entries tell of sales which no entry began.
    pub(super) fn compare_elsewhere(
        &mut self,
        mut told: BTreeMap<PaymentId, (Sequence, BTreeMap<RefundId, ToldRefund>)>,
        differences: &mut Vec<String>,
    ) -> Result<(), JournalError> {
        // A journal of before has none.
        let rows: Vec<ElsewhereRow> = if plain::has(self, ELSEWHERE_KEPT)? {
            elsewhere::table.order(elsewhere::payment).load(&mut self.connection)?
        } else {
            Vec::new()
        };
        for row in rows {
            let payment: PaymentId = row.payment.parse().map_err(|error| unreadable("another till's sale", error))?;
            let Some((entry, refunds)) = told.remove(&payment) else {
                differences.push(format!("{payment}: another till's, and no entry gives anything of it back"));
                continue;
            };
            match row.kept(&self.seals) {
                Ok(kept) => {
                    let mut compared = Compared { of: payment.to_string(), differences: &mut *differences };
                    compared.same("its first entry", &entry, &loaded(row.entry));
                    compared.alike("its own id", &payment, &kept.payment);
                    compare_refunds(&refunds, &kept, &mut compared);
                }
                Err(error) => differ_unless_other(&payment, error, differences)?,
            }
        }
        differences.extend(
            told.iter().map(|(payment, (entry, _))| {
                format!("entry {entry} is about {payment}, which no entry before it began")
            }),
        );
        Ok(())
    }
}
