//! The journal's statements about who may sign on, and about wrong PINs.

use diesel::prelude::*;
use saoma_protocol::{CashierId, cashier::CashierList};

use super::{
    JournalError, Store,
    rows::{CASHIERS_KEPT, TRIES_KEPT},
    schema::{cashiers, pin_tries},
    seal::Seals,
    store::unreadable,
};
use crate::cashiers::{CashierChange, Tries};

/// The one row of `cashiers`.
const LIST: &str = "list";

pub(super) fn change(tx: &mut SqliteConnection, seals: &Seals, change: &CashierChange) -> Result<(), JournalError> {
    match change {
        CashierChange::List(list) => {
            let text = serde_json::to_string(list).map_err(|error| unreadable("the cashiers", error))?;
            let kept = seals.seal_text(CASHIERS_KEPT, LIST, &text)?;
            diesel::replace_into(cashiers::table)
                .values((cashiers::name.eq(LIST), cashiers::kept.eq(kept)))
                .execute(tx)?;
        }
        CashierChange::Tried(cashier, tries) => {
            let cashier = cashier.to_string();
            let text = serde_json::to_string(tries).map_err(|error| unreadable("wrong PINs", error))?;
            let kept = seals.seal_text(TRIES_KEPT, &cashier, &text)?;
            diesel::replace_into(pin_tries::table)
                .values((pin_tries::cashier.eq(cashier), pin_tries::kept.eq(kept)))
                .execute(tx)?;
        }
        CashierChange::Forget(cashier) => {
            diesel::delete(pin_tries::table.find(cashier.to_string())).execute(tx)?;
        }
    }
    Ok(())
}

impl Store {
    /// Who may sign on here, as core said last, and wrong PINs in a row.
    ///
    /// # Errors
    /// `Database`, `Unreadable`, those of the seals.
    pub fn cashiers(&mut self) -> Result<(CashierList, Vec<(CashierId, Tries)>), JournalError> {
        let kept: Option<Vec<u8>> =
            cashiers::table.find(LIST).select(cashiers::kept).first(&mut self.connection).optional()?;
        let list = match kept {
            None => CashierList::default(),
            Some(kept) => serde_json::from_str(&self.seals.open_text(CASHIERS_KEPT, LIST, &kept)?)
                .map_err(|error| unreadable("the cashiers", error))?,
        };
        let rows: Vec<(String, Vec<u8>)> = pin_tries::table.order(pin_tries::cashier).load(&mut self.connection)?;
        let tries = rows.into_iter().map(|(cashier, kept)| {
            let id = cashier.parse().map_err(|error| unreadable("wrong PINs", error))?;
            let text = self.seals.open_text(TRIES_KEPT, &cashier, &kept)?;
            Ok((id, serde_json::from_str(&text).map_err(|error| unreadable("wrong PINs", error))?))
        });
        Ok((list, tries.collect::<Result<_, JournalError>>()?))
    }
}
