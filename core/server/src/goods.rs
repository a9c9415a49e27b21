//! The catalogue: what of it one terminal sells, and that terminals hear of changes.

use saoma_protocol::{
    Millis, Sequence, StoreId,
    api::{CatalogueGoods, CatalogueRate, GoodsChanges},
    message::PushBody,
};
use saoma_store::{
    StoreError, TenantScope, Tx,
    goods::{self, Item},
    outbox::{self, Kind, NewMessage},
    terminals,
};

/// Goods of one answer: at 128 characters of four bytes and 20 barcodes each they fill half of the longest message.
const PAGE: u32 = 400;

/// What changed above `since` for a terminal of this store. A version that was never given (a database that was set back) begins
/// afresh, as 0 does.
///
/// # Errors
/// Of the store.
pub fn changes(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    store: StoreId,
    since: Sequence,
) -> Result<GoodsChanges, StoreError> {
    let newest = goods::version(tx, scope)?;
    let afresh = since.0 == 0 || since.0 > newest;
    let since = if afresh { 0 } else { since.0 };
    let found = goods::changed(tx, scope, since, newest, PAGE)?;
    let more = found.len() == PAGE as usize;
    let through = found.last().filter(|_| more).map_or(newest, |last| last.version);
    let (sold, gone): (Vec<_>, Vec<_>) = found.into_iter().partition(|item| item.is_sold_in(store));
    let (weighed, counted): (Vec<_>, Vec<_>) = sold.into_iter().partition(|item| item.by_weight);
    let rates = goods::list_rates(tx, scope)?;
    Ok(GoodsChanges {
        through: Sequence(through),
        more,
        afresh,
        removed: gone.iter().chain(&weighed).map(|item| item.id).collect(),
        goods: counted.into_iter().map(told).collect(),
        weighed: weighed.into_iter().map(told).collect(),
        tax_rates: rates.into_iter().map(|rate| CatalogueRate { id: rate.id, tax: rate.tax }).collect(),
    })
}

fn told(item: Item) -> CatalogueGoods {
    CatalogueGoods {
        id: item.id,
        name: item.name,
        barcodes: item.barcodes.iter().map(ToString::to_string).collect(),
        price: item.price,
        tax_rate: item.tax_rate,
    }
}

/// Tells every terminal that the catalogue changed. One that has not acknowledged an earlier word of it hears no second: an office that
/// enters thousands of goods is one word. A terminal asks again some seconds after it has acknowledged one, for what changed in
/// between, and every few minutes besides.
///
/// # Errors
/// Of the store.
pub fn announce(tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<(), StoreError> {
    let payload = serde_json::to_string(&PushBody::GoodsChanged);
    let payload = payload.map_err(|error| StoreError::Internal { why: error.to_string() })?;
    let waiting = outbox::waiting(tx, scope, &payload)?;
    for terminal in terminals::list(tx, scope, None)? {
        if terminal.revoked_at.is_none() && terminal.enrolled_at.is_some() && !waiting.contains(&terminal.id) {
            let message =
                NewMessage { kind: Kind::Push, terminal: Some(terminal.id), payload: payload.clone(), created_at: now };
            outbox::append(tx, scope, &message)?;
        }
    }
    Ok(())
}
