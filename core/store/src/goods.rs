//! A merchant's catalogue: what it sells, under which barcodes, at what price.
//!
//! Each change draws the catalogue's next version in the tenant's turn, so that versions become visible in their order: whoever
//! has read up to one misses nothing below it.

mod many;
mod rates;
mod schema;

use diesel::{dsl::max, prelude::*};
use saoma_protocol::{
    Currency, GoodsId, Millis, Money, StoreId, TaxRateId, TenantId,
    barcode::{Barcode, unprefixed},
};

use self::schema::{goods, goods_barcodes, tax_rates};
use crate::{
    Cursor, StoreError, TenantScope, Tx,
    column::{Txt, corrupt, signed, unsigned},
    dialect::{self, insert_or_ignore},
};

diesel::define_sql_function! {
    /// Both databases have it; SQLite's leaves letters outside of ASCII alone.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text;
}

pub use many::{create_all, holders};
pub use rates::{RATES_MAX, TaxRate, create as create_rate, list as list_rates, load as load_rate, save as save_rate};

/// Most barcodes of one of them.
pub const BARCODES_MAX: usize = 20;

/// Something that is sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: GoodsId,
    pub name: String,
    pub barcodes: Vec<Barcode>,
    /// Of one, or of a kilogram.
    pub price: Money,
    pub by_weight: bool,
    pub tax_rate: Option<TaxRateId>,
    /// Where it is sold; empty: everywhere.
    pub stores: Vec<StoreId>,
    pub active: bool,
    /// Of the catalogue, when it changed last.
    pub version: u64,
    pub created_at: Millis,
    pub updated_at: Millis,
}

impl Item {
    #[must_use]
    pub fn is_sold_in(&self, store: StoreId) -> bool {
        self.active && (self.stores.is_empty() || self.stores.contains(&store))
    }
}

/// New goods; their version is drawn here.
///
/// # Errors
/// `Conflict` if the id or a barcode is taken, `NotFound` for a tax that is not there.
pub fn create(tx: &mut Tx<'_>, scope: &TenantScope, item: &Item) -> Result<Item, StoreError> {
    let item = Item { version: next_version(tx, scope)?, ..item.clone() };
    if let Some(rate) = item.tax_rate {
        load_rate(tx, scope, rate)?;
    }
    let row = Row::of(scope, &item);
    if insert_or_ignore!(tx, scope, goods::table, &row)? == 0 {
        return Err(StoreError::Conflict { what: "the goods' id" });
    }
    keep_barcodes(tx, scope, &item)?;
    Ok(item)
}

/// Changes goods whose version is that which was seen; the new version is drawn here.
///
/// # Errors
/// `NotFound`, also for a tax that is not there, `Stale` if they have another version, `Conflict` if a barcode is taken.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, item: &Item) -> Result<Item, StoreError> {
    let version = next_version(tx, scope)?;
    if let Some(rate) = item.tax_rate {
        load_rate(tx, scope, rate)?;
    }
    let seen_version = item.version;
    load(tx, scope, item.id)?;
    let item = Item { version, ..item.clone() };
    let row = Row::of(scope, &item);
    let changes = (
        goods::name.eq(row.name),
        goods::barcodes.eq(row.barcodes),
        goods::price_minor.eq(row.price_minor),
        goods::currency.eq(row.currency),
        goods::tax_rate_id.eq(row.tax_rate_id),
        goods::stores.eq(row.stores),
        goods::active.eq(row.active),
        goods::version.eq(row.version),
        goods::updated_at.eq(row.updated_at),
        goods::by_weight.eq(row.by_weight),
    );
    let seen = goods::table
        .filter(goods::tenant_id.eq(Txt(scope.tenant())))
        .filter(goods::id.eq(Txt(item.id)))
        .filter(goods::version.eq(signed(seen_version)));
    if tx.run(scope, |conn| diesel::update(seen).set(changes).execute(conn))? == 0 {
        return Err(StoreError::Stale { what: "the goods" });
    }
    let before = goods_barcodes::table
        .filter(goods_barcodes::tenant_id.eq(Txt(scope.tenant())))
        .filter(goods_barcodes::goods_id.eq(Txt(item.id)));
    tx.run(scope, |conn| diesel::delete(before).execute(conn))?;
    keep_barcodes(tx, scope, &item)?;
    Ok(item)
}

fn keep_barcodes(tx: &mut Tx<'_>, scope: &TenantScope, item: &Item) -> Result<(), StoreError> {
    for barcode in item.barcodes.iter().filter(|_| item.active) {
        let row = (
            goods_barcodes::tenant_id.eq(Txt(scope.tenant())),
            goods_barcodes::barcode.eq(barcode.as_str()),
            goods_barcodes::goods_id.eq(Txt(item.id)),
        );
        if insert_or_ignore!(tx, scope, goods_barcodes::table, row)? == 0 {
            return Err(StoreError::Conflict { what: "the barcode" });
        }
    }
    Ok(())
}

/// The active goods that have this barcode.
///
/// # Errors
/// None of its own.
pub fn holder(tx: &mut Tx<'_>, scope: &TenantScope, barcode: &Barcode) -> Result<Option<GoodsId>, StoreError> {
    let row = goods_barcodes::table.find((Txt(scope.tenant()), barcode.as_str()));
    let held: Option<Txt<GoodsId>> =
        tx.run(scope, |conn| row.select(goods_barcodes::goods_id).first(conn).optional())?;
    Ok(held.map(|held| held.0))
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, item: GoodsId) -> Result<Item, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        goods::table.find((Txt(scope.tenant()), Txt(item))).select(Row::as_select()).first(conn).optional()
    })?;
    row.ok_or(StoreError::NotFound { what: "the goods" })?.try_into()
}

/// Oldest first, after `after`; `active`: those that are sold, those that are not, or all; `words`: those that have them in their name
/// or in one of their barcodes, whichever way a scanner says that.
///
/// # Errors
/// None of its own.
pub fn list(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    active: Option<bool>,
    words: Option<&str>,
    after: Option<Cursor<GoodsId>>,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        let mut query = goods::table
            .filter(goods::tenant_id.eq(Txt(scope.tenant())))
            .order((goods::created_at, goods::id))
            .limit(limit.into())
            .select(Row::as_select())
            .into_boxed();
        if let Some(active) = active {
            query = query.filter(goods::active.eq(active));
        }
        if let Some(words) = words {
            let barcode = unprefixed(words).parse().map_or_else(|_| words.to_owned(), |code: Barcode| code.to_string());
            let named = lower(goods::name).like(lower(inside(words))).escape('\\');
            query = query.filter(named.or(lower(goods::barcodes).like(lower(inside(&barcode))).escape('\\')));
        }
        if let Some(Cursor { at, id }) = after {
            let later = goods::created_at.gt(at.0);
            query = query.filter(later.or(goods::created_at.eq(at.0).and(goods::id.gt(Txt(id)))));
        }
        query.load(conn)
    })?;
    rows.into_iter().map(Item::try_from).collect()
}

/// What changed above the version `since` and up to `through`, in the order of the changes.
///
/// # Errors
/// None of its own.
pub fn changed(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    since: u64,
    through: u64,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let rows: Vec<Row> = tx.run(scope, |conn| {
        goods::table
            .filter(goods::tenant_id.eq(Txt(scope.tenant())))
            .filter(goods::version.gt(signed(since)))
            .filter(goods::version.le(signed(through)))
            .order(goods::version)
            .limit(limit.into())
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Item::try_from).collect()
}

/// The catalogue's version: that of its last change; 0 before the first.
///
/// # Errors
/// None of its own.
pub fn version(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<u64, StoreError> {
    let tenant = Txt(scope.tenant());
    let of_goods = goods::table.filter(goods::tenant_id.eq(tenant)).select(max(goods::version));
    let of_rates = tax_rates::table.filter(tax_rates::tenant_id.eq(tenant)).select(max(tax_rates::version));
    let newest: (Option<i64>, Option<i64>) =
        tx.run(scope, |conn| Ok((of_goods.first(conn)?, of_rates.first(conn)?)))?;
    unsigned(newest.0.max(newest.1).unwrap_or(0))
}

/// Waits for the tenant's turn, and has it up to the commit. Whoever looks at goods before changing them takes it first: what was
/// looked at is so until then, and the audit log, which has a turn of its own, is written last.
///
/// # Errors
/// None of its own.
pub fn take_turn(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<(), StoreError> {
    dialect::take_turn(tx, scope)
}

/// The next one. Whoever draws it has the tenant's turn up to the commit.
fn next_version(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<u64, StoreError> {
    take_turn(tx, scope)?;
    Ok(version(tx, scope)? + 1)
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = goods)]
struct Row {
    tenant_id: Txt<TenantId>,
    id: Txt<GoodsId>,
    name: String,
    barcodes: String,
    price_minor: i64,
    currency: Txt<Currency>,
    tax_rate_id: Option<Txt<TaxRateId>>,
    stores: String,
    active: bool,
    version: i64,
    created_at: i64,
    updated_at: i64,
    by_weight: bool,
}

impl Row {
    fn of(scope: &TenantScope, item: &Item) -> Self {
        Self {
            tenant_id: Txt(scope.tenant()),
            id: Txt(item.id),
            name: item.name.clone(),
            barcodes: joined(&item.barcodes),
            price_minor: item.price.minor(),
            currency: Txt(item.price.currency()),
            tax_rate_id: item.tax_rate.map(Txt),
            stores: joined(&item.stores),
            active: item.active,
            version: signed(item.version),
            created_at: item.created_at.0,
            updated_at: item.updated_at.0,
            by_weight: item.by_weight,
        }
    }
}

/// The pattern of texts that have this one in them.
fn inside(text: &str) -> String {
    let escaped: String =
        text.chars().flat_map(|sign| "\\%_".contains(sign).then_some('\\').into_iter().chain([sign])).collect();
    format!("%{escaped}%")
}

fn joined(parts: &[impl ToString]) -> String {
    parts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn parted<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<Vec<T>, StoreError> {
    text.split(' ')
        .filter(|part| !part.is_empty())
        .map(|part| part.parse().map_err(|error| corrupt(format!("of goods: {error}"))))
        .collect()
}

impl TryFrom<Row> for Item {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.0,
            name: row.name,
            barcodes: parted(&row.barcodes)?,
            price: Money::new(row.price_minor, row.currency.0),
            by_weight: row.by_weight,
            tax_rate: row.tax_rate_id.map(|rate| rate.0),
            stores: parted(&row.stores)?,
            active: row.active,
            version: unsigned(row.version)?,
            created_at: Millis(row.created_at),
            updated_at: Millis(row.updated_at),
        })
    }
}
