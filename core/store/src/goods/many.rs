//! Many goods at once, in few statements: every sale of the merchant waits for the turn that is held meanwhile.

use std::collections::HashMap;

use diesel::prelude::*;
use saoma_protocol::{GoodsId, barcode::Barcode};

use super::{
    Item, Row, next_version,
    schema::{goods, goods_barcodes},
};
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, signed},
    dialect::insert_all,
};

/// Rows of one statement: PostgreSQL takes 65,535 values, and goods have 13.
const INSERT_ROWS: usize = 5_000;
/// Barcodes of one statement: SQLite takes 32,766 values.
const FIND_BARCODES: usize = 5_000;

/// Those of these barcodes that active goods have, and which goods.
///
/// # Errors
/// None of its own.
pub fn holders(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    barcodes: &[&str],
) -> Result<HashMap<String, GoodsId>, StoreError> {
    let mut held = HashMap::new();
    for barcodes in barcodes.chunks(FIND_BARCODES) {
        let barcodes = barcodes.to_vec();
        let rows: Vec<(String, Txt<GoodsId>)> = tx.run(scope, |conn| {
            goods_barcodes::table
                .filter(goods_barcodes::tenant_id.eq(Txt(scope.tenant())))
                .filter(goods_barcodes::barcode.eq_any(&barcodes))
                .select((goods_barcodes::barcode, goods_barcodes::goods_id))
                .load(conn)
        })?;
        held.extend(rows.into_iter().map(|(barcode, item)| (barcode, item.0)));
    }
    Ok(held)
}

/// New goods, each with a version of its own, drawn here one after the other. Whoever calls has the tenant's turn, and has seen that
/// their barcodes are free ([`holders`]), each is there once, and their taxes exist.
///
/// # Errors
/// Of the database alone.
pub fn create_all(tx: &mut Tx<'_>, scope: &TenantScope, items: &[Item]) -> Result<(), StoreError> {
    let first = next_version(tx, scope)?;
    let versioned = |(version, item): (u64, &Item)| Row { version: signed(version), ..Row::of(scope, item) };
    let rows: Vec<Row> = (first..).zip(items).map(versioned).collect();
    for rows in rows.chunks(INSERT_ROWS) {
        insert_all!(tx, scope, goods::table, rows)?;
    }
    let active = items.iter().filter(|item| item.active);
    let barcodes: Vec<(&Barcode, GoodsId)> =
        active.flat_map(|item| item.barcodes.iter().map(move |barcode| (barcode, item.id))).collect();
    for barcodes in barcodes.chunks(INSERT_ROWS) {
        let rows: Vec<_> = barcodes
            .iter()
            .map(|(barcode, item)| {
                (
                    goods_barcodes::tenant_id.eq(Txt(scope.tenant())),
                    goods_barcodes::barcode.eq(barcode.as_str()),
                    goods_barcodes::goods_id.eq(Txt(*item)),
                )
            })
            .collect();
        insert_all!(tx, scope, goods_barcodes::table, &rows)?;
    }
    Ok(())
}
