//! The journal's statements about the catalogue: what core sells here, as far as core has told.
//!
//! It is no secret (prices stand on the shelves) and lies open. A page of changes is one transaction with how far it goes, so that
//! the next start asks from there on.

use diesel::{dsl::count_star, prelude::*};
use saoma_protocol::{
    Currency, GoodsId, Sequence,
    api::{GoodsChanges, GoodsTax},
    barcode::Barcode,
};

use super::{
    JournalError, Store,
    schema::{goods, goods_barcodes, tax_rates},
    store::{set_meta, unreadable},
};
use crate::basket::Article;

/// In `meta`: the catalogue's version up to which it is here.
const THROUGH: &str = "goods_through";

/// In `meta`, while a basket is being filled.
pub(super) const BASKET_OPEN: &str = "basket_open";

/// What the disk says of a basket that is being filled; what is in it is in memory alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasketMark {
    /// What it is still put aside as.
    pub held: Option<Sequence>,
}

type GoodsRow = (String, String, i64, String, Option<String>, i64);

impl Store {
    /// Takes a page of changes in.
    ///
    /// # Errors
    /// `Full` while there is no room for sales either, `Unwritable`, `Database`.
    pub fn keep_goods(&mut self, changes: &GoodsChanges) -> Result<(), JournalError> {
        self.check_room()?;
        let kept = self.connection.immediate_transaction(|tx| keep(tx, changes));
        kept.map_err(|error| self.told_by_disk(error))
    }

    /// Up to which version of the catalogue it is here, and of how many goods.
    ///
    /// # Errors
    /// `Database`, `Unreadable`.
    pub fn goods_known(&mut self) -> Result<(Sequence, u64), JournalError> {
        let through = self.meta(THROUGH)?.unwrap_or_else(|| "0".to_owned());
        let through = through.parse().map(Sequence).map_err(|error| unreadable(THROUGH, error))?;
        let count: i64 = goods::table.select(count_star()).first(&mut self.connection)?;
        Ok((through, u64::try_from(count).unwrap_or(0)))
    }

    /// The basket that was being filled when the agent stopped.
    ///
    /// # Errors
    /// `Database`.
    pub fn basket_mark(&mut self) -> Result<Option<BasketMark>, JournalError> {
        // Nothing is the number of what never was put aside.
        Ok(self.meta(BASKET_OPEN)?.map(|held| BasketMark { held: held.parse().ok().map(Sequence) }))
    }

    /// `None`: no basket is being filled any more.
    ///
    /// # Errors
    /// `Full`, `Unwritable`, `Database`.
    pub fn mark_basket(&mut self, mark: Option<BasketMark>) -> Result<(), JournalError> {
        let marked = match mark {
            Some(BasketMark { held }) => {
                self.set_meta(BASKET_OPEN, &held.map(|held| held.to_string()).unwrap_or_default())
            }
            None => self.forget_meta(BASKET_OPEN),
        };
        marked.map_err(|error| self.told_by_disk(error))
    }

    /// What is sold under this barcode, in this currency.
    ///
    /// # Errors
    /// `Database`; `Unreadable` for goods whose tax is not here.
    pub fn goods_with(&mut self, barcode: &Barcode, currency: Currency) -> Result<Option<Article>, JournalError> {
        let held: Option<String> = goods_barcodes::table
            .find(barcode.as_str())
            .select(goods_barcodes::goods)
            .first(&mut self.connection)
            .optional()?;
        held.map_or(Ok(None), |held| self.article(&held, currency))
    }

    /// The goods with that number, in this currency.
    ///
    /// # Errors
    /// As [`Self::goods_with`].
    pub fn goods_of(&mut self, goods: GoodsId, currency: Currency) -> Result<Option<Article>, JournalError> {
        self.article(&goods.to_string(), currency)
    }

    fn article(&mut self, id: &str, currency: Currency) -> Result<Option<Article>, JournalError> {
        let row: Option<GoodsRow> =
            goods::table.find(id).filter(goods::currency.eq(currency.code())).first(&mut self.connection).optional()?;
        let Some((id, name, price_minor, _, rate, by_weight)) = row else { return Ok(None) };
        let id = id.parse().map_err(|error| unreadable("goods", error))?;
        let tax = rate.map(|rate| self.tax(&rate)).transpose()?;
        Ok(Some(Article { id, name, price_minor, by_weight: by_weight != 0, tax }))
    }

    fn tax(&mut self, rate: &str) -> Result<GoodsTax, JournalError> {
        let row: Option<(String, String, i64, i64)> =
            tax_rates::table.find(rate).first(&mut self.connection).optional()?;
        let (_, name, basis_points, included) = row.ok_or_else(|| unreadable("goods", "their tax is not here"))?;
        let basis_points = u16::try_from(basis_points).map_err(|error| unreadable("a tax", error))?;
        Ok(GoodsTax { name, basis_points, included: included != 0 })
    }
}

fn keep(tx: &mut SqliteConnection, changes: &GoodsChanges) -> Result<(), JournalError> {
    if changes.afresh {
        diesel::delete(goods_barcodes::table).execute(tx)?;
        diesel::delete(goods::table).execute(tx)?;
    }
    let counted = changes.goods.iter().map(|item| (item, false));
    let told: Vec<_> = counted.chain(changes.weighed.iter().map(|item| (item, true))).collect();
    let gone = changes.removed.iter().chain(told.iter().map(|(item, _)| &item.id));
    for id in gone.map(ToString::to_string) {
        diesel::delete(goods_barcodes::table.filter(goods_barcodes::goods.eq(&id))).execute(tx)?;
        diesel::delete(goods::table.find(&id)).execute(tx)?;
    }
    for (item, by_weight) in told {
        let id = item.id.to_string();
        let row = (
            goods::id.eq(&id),
            goods::name.eq(&item.name),
            goods::price_minor.eq(item.price.minor()),
            goods::currency.eq(item.price.currency().code()),
            goods::tax_rate.eq(item.tax_rate.map(|rate| rate.to_string())),
            goods::by_weight.eq(i64::from(by_weight)),
        );
        diesel::insert_into(goods::table).values(row).execute(tx)?;
        for barcode in &item.barcodes {
            // Others that still have it here have lost it, and are told of in a later change.
            let row = (goods_barcodes::barcode.eq(barcode), goods_barcodes::goods.eq(&id));
            diesel::replace_into(goods_barcodes::table).values(row).execute(tx)?;
        }
    }
    diesel::delete(tax_rates::table).execute(tx)?;
    for rate in &changes.tax_rates {
        let row = (
            tax_rates::id.eq(rate.id.to_string()),
            tax_rates::name.eq(&rate.tax.name),
            tax_rates::basis_points.eq(i64::from(rate.tax.basis_points)),
            tax_rates::included.eq(i64::from(rate.tax.included)),
        );
        diesel::insert_into(tax_rates::table).values(row).execute(tx)?;
    }
    set_meta(tx, THROUGH, &changes.through.to_string())
}
