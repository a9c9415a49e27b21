//! The journal's statements about split payments.

use std::collections::BTreeMap;

use diesel::prelude::*;
use saoma_protocol::{PaymentId, Sequence, journal::SplitPart};

use super::{
    JournalError, Store,
    rows::{SPLIT_KEPT, SplitRow},
    schema::splits,
    seal::Seals,
    store::{loaded, stored, unreadable},
};
use crate::{
    sale::{ReceiptState, Sale},
    split::{Split, Whole},
};

/// Writes down how a split stands.
pub(super) fn keep(tx: &mut SqliteConnection, seals: &Seals, split: &Split) -> Result<(), JournalError> {
    let number = stored(split.number);
    let text = serde_json::to_string(split).map_err(|error| unreadable("a split payment", error))?;
    let kept = seals.seal_text(SPLIT_KEPT, &number.to_string(), &text)?;
    // 2: nothing of it is under way, but the shop has money that it should not have. No release waits for that.
    let is_under_way = split.is_unfinished() || split.receipt == ReceiptState::Queued;
    let open = if is_under_way { 1 } else { i64::from(split.is_open()) * 2 };
    let row = SplitRow { number, open, kept };
    diesel::insert_into(splits::table).values(&row).on_conflict(splits::number).do_update().set(&row).execute(tx)?;
    Ok(())
}

/// The parts of each split, in their order, as the entries say.
pub(super) fn parts_told<'a>(
    sales: impl Iterator<Item = (PaymentId, Option<&'a SplitPart>)>,
) -> BTreeMap<Sequence, Vec<PaymentId>> {
    let mut told: BTreeMap<Sequence, BTreeMap<u32, PaymentId>> = BTreeMap::new();
    for (payment, part) in sales.filter_map(|(payment, part)| Some((payment, part?))) {
        told.entry(part.of).or_default().insert(part.part, payment);
    }
    told.into_iter().map(|(of, parts)| (of, parts.into_values().collect())).collect()
}

impl Store {
    /// Holds what is kept of splits against what the entries say.
    pub(super) fn compare_splits(
        &mut self,
        told: &BTreeMap<Sequence, Vec<PaymentId>>,
        differences: &mut Vec<String>,
    ) -> Result<(), JournalError> {
        let rows: Vec<SplitRow> = splits::table.order(splits::number).load(&mut self.connection)?;
        let mut held = BTreeMap::new();
        for row in rows {
            held.insert(loaded(row.number), row.kept(&self.seals)?.parts);
        }
        for number in told.keys().chain(held.keys().filter(|number| !told.contains_key(number))) {
            if told.get(number) != held.get(number) {
                differences.push(format!("split payment {number}: its parts are not as the entries say"));
            }
        }
        Ok(())
    }

    /// The splits of which something is still to be done, oldest first.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn open_splits(&mut self) -> Result<Vec<Whole>, JournalError> {
        let open = splits::table.filter(splits::open.ne(0)).order(splits::number);
        let rows: Vec<SplitRow> = open.load(&mut self.connection)?;
        rows.iter().map(|row| self.whole(row)).collect()
    }

    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn split(&mut self, number: Sequence) -> Result<Option<Whole>, JournalError> {
        let row: Option<SplitRow> = splits::table.find(stored(number)).first(&mut self.connection).optional()?;
        row.map(|row| self.whole(&row)).transpose()
    }

    fn whole(&mut self, row: &SplitRow) -> Result<Whole, JournalError> {
        let split = row.kept(&self.seals)?;
        let mut parts = Vec::with_capacity(split.parts.len());
        for payment in &split.parts {
            let missing = || unreadable("a split payment", format!("its part {payment} is not among the sales"));
            let (kept, _) = self.sale(*payment)?.ok_or_else(missing)?;
            parts.push(Sale::reopened(kept));
        }
        Ok(Whole { split, parts })
    }
}
