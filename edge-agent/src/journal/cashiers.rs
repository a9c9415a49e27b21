//! The journal's statements about who may sign on, and about wrong PINs.

use std::fmt;

use diesel::prelude::*;
use saoma_protocol::{CashierId, cashier::CashierList};
use serde::de::DeserializeOwned;

use super::{
    JournalError, Store, plain,
    rows::{CASHIERS_KEPT, TRIES_KEPT},
    schema::{cashiers, pin_tries},
    seal::Seals,
    store::unreadable,
};
use crate::cashiers::{CashierChange, Tries};

/// The list, and wrong PINs in a row.
pub type KnownCashiers = (CashierList, Vec<(CashierId, Tries)>);

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

/// Sealed by an agent that did not know of this place, perhaps, and so under a key that is gone.
fn read<T: DeserializeOwned>(opened: Result<String, impl fmt::Display>) -> Result<T, String> {
    let text = opened.map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

impl Store {
    /// Who may sign on here, as core said last, and wrong PINs in a row. What an agent of a later version has written, and this one
    /// cannot read, must neither keep the till shut nor open it: nobody signs on by a PIN until core has said it again, and whose
    /// wrong PINs cannot be read is locked out once more.
    ///
    /// # Errors
    /// `Database`.
    pub fn cashiers(&mut self) -> Result<KnownCashiers, JournalError> {
        let kept: Option<Vec<u8>> =
            cashiers::table.find(LIST).select(cashiers::kept).first(&mut self.connection).optional()?;
        let list = match kept {
            None => CashierList::default(),
            Some(kept) => read(self.seals.open_text(CASHIERS_KEPT, LIST, &kept)).unwrap_or_else(|error| {
                tracing::error!(%error, "who may sign on here cannot be read: nobody may until core says it again");
                CashierList::shut()
            }),
        };
        let rows: Vec<(String, Vec<u8>)> = pin_tries::table.order(pin_tries::cashier).load(&mut self.connection)?;
        let mut tries = Vec::with_capacity(rows.len());
        for (cashier, kept) in rows {
            // An id of another form is nobody's whom this code knows.
            let Ok(id) = cashier.parse() else { continue };
            let known = read(self.seals.open_text(TRIES_KEPT, &cashier, &kept)).unwrap_or_else(|error| {
                tracing::error!(cashier, %error, "how often a wrong PIN was tried cannot be read");
                Tries::UNREADABLE
            });
            tries.push((id, known));
        }
        Ok((list, tries))
    }

    /// As [`Self::cashiers`]; `None` in a journal that no agent with cashiers has opened yet.
    ///
    /// # Errors
    /// As [`Self::cashiers`].
    pub fn cashiers_known(&mut self) -> Result<Option<KnownCashiers>, JournalError> {
        if plain::has(self, CASHIERS_KEPT)? { self.cashiers().map(Some) } else { Ok(None) }
    }
}
