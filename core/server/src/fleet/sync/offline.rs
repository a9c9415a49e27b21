//! A sale that an offline code paid comes in: checked again as far as core can, and booked once.
//!
//! The shop has given the goods away, so what a good code paid stands whatever else is wrong with it; who bears it, and what becomes
//! of the payment, is said in [`crate::stored_value::offline`]. A code that no terminal should have taken is held for a person, and
//! books nothing.

use saoma_domain::payment::Payment;
use saoma_protocol::{
    Amount, PaymentId, Sequence, StoreId,
    api::{Goods, Quoted},
    code::offline::Code,
};
use saoma_store::{StoreError, TenantScope, Tx, channel_accounts, ledger, payments, plugin_packages, plugin_rollouts};

use super::{
    Sold, book,
    book::{Booking, Source},
    found, insert_sale, order_of,
};
use crate::stored_value::offline::{Doubt, Taken, check, movement_of, settle};

/// How far a terminal's clock may be ahead of core's without the code being judged by core's, in milliseconds: as far as terminals
/// let it.
const CLOCKS_APART_MS: i64 = 30_000;

/// The sale as the journal has it.
pub(super) struct OfflineSale<'a> {
    pub(super) payment: PaymentId,
    pub(super) counter: Sequence,
    pub(super) amount: Amount,
    pub(super) code: &'a str,
    pub(super) goods: &'a [Goods],
    pub(super) cashier: &'a str,
    pub(super) quote: Option<&'a Quoted>,
    pub(super) reference: Option<&'a str>,
    pub(super) at: saoma_protocol::Millis,
}

pub(super) fn take(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    store: StoreId,
    sale: &OfflineSale<'_>,
) -> Result<Booking, StoreError> {
    let code = match Code::parse(sale.code) {
        Ok(code) => code,
        Err(error) => return Ok(Booking::Hold(error.to_string())),
    };
    ledger::take_turn(tx, scope)?;
    let (OfflineSale { payment, counter, amount, at, .. }, at_core) = (sale, source.now);
    // A terminal knows core's clock to some seconds, and may tell a sale in the same second: a little ahead is its moment all the same.
    let is_just_ahead = (0..=CLOCKS_APART_MS).contains(&at.since(at_core));
    let at = if is_just_ahead { *at } else { book::believed(*at, at_core) };
    let taken = Taken { code: &code, payment: *payment, amount: *amount, terminal: source.terminal, at };
    let (policy, grant) = match check(tx, scope, &taken) {
        Ok(known) => known,
        Err(Doubt::Held(why)) => return Ok(Booking::Hold(why)),
        Err(Doubt::Store(error)) => return Err(error),
    };
    let account = channel_accounts::load(tx, scope, policy.channel_account)?;
    let existing = found(payments::load(tx, scope, *payment))?;
    let existing: Option<&Payment> = existing.as_ref().map(|stored| &stored.payment);
    let booking = book::offline_sale(source, (*payment, *counter, *amount), account.fee.fee(*amount), existing);
    let Booking::Book { after, postings } = &booking else { return Ok(booking) };
    let order =
        order_of(source, store, (*payment, *counter, *amount, at), (sale.goods, sale.cashier, (sale.reference, None)));
    let sold = Sold {
        channel: account.plugin.clone(),
        channel_account: Some(account.id),
        channel_reference: Some(movement_of(*payment).to_string()),
        fee_plan: Some(account.fee_version),
        at: at_core,
        quote: sale.quote.cloned(),
    };
    insert_sale(tx, scope, source, order, after, postings, sold)?;
    if let Some(package) = plugin_rollouts::choice_for(tx, scope, &account.plugin)?.package() {
        plugin_packages::bind(tx, scope, *payment, package)?;
    }
    settle(tx, scope, &taken, (&policy, &grant), at_core)?;
    Ok(booking)
}
