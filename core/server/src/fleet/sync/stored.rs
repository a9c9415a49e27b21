//! A card sale that a terminal made without a network comes in: written down with its card, to be forwarded.
//!
//! The goods are gone, so what breaks the merchant's policy is forwarded all the same, and a person is told. Held, and not forwarded, is only
//! what cannot be: a card that is none, a reading that paid before, an account that is not there.

use saoma_channels::Card;
use saoma_domain::payment::Payment;
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, PaymentId, Sequence, StoreId,
    api::{CardDigits, Goods, PresentedCard},
};
use saoma_store::{
    StoreError, TenantScope, Tx, cards, channel_accounts, ledger, orders,
    payments::{self, StoredPayment, Watch},
    plugin_packages, plugin_rollouts,
    stored_cards::{self, NewSale},
};

use super::{
    book::{self, Booking, Source},
    found, order_of,
};
use crate::{
    payments::{card_to_store, kind, record},
    stored_cards::{Sold, doubts},
    webhooks::tell_payment,
};

/// The sale as the journal has it.
pub(super) struct Sale<'a> {
    pub(super) of: (PaymentId, Sequence, Amount),
    pub(super) account: ChannelAccountId,
    pub(super) card: &'a PresentedCard,
    pub(super) digits: &'a CardDigits,
    pub(super) goods: &'a [Goods],
    pub(super) cashier: &'a str,
    pub(super) at: Millis,
}

pub(super) fn take(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    store: StoreId,
    sale: &Sale<'_>,
) -> Result<Booking, StoreError> {
    let (payment, counter, amount) = sale.of;
    let card = match Card::read(sale.card) {
        // A PIN could not be looked at any more.
        Ok(card) => Card { pin: None, ..card },
        Err(error) => return Ok(Booking::Hold(format!("the card cannot be forwarded: {error}"))),
    };
    if CardDigits::new(&sale.digits.first_6, &sale.digits.last_4).is_none() {
        return Ok(Booking::Hold(
            "what is shown of the card's number is not its first six digits and last four".to_owned(),
        ));
    }
    ledger::take_turn(tx, scope)?;
    let existing = found(payments::load(tx, scope, payment))?;
    let existing: Option<&Payment> = existing.as_ref().map(|stored| &stored.payment);
    let sold_at = book::believed(sale.at, source.now);
    let sold = Sold {
        account: sale.account,
        terminal: source.terminal,
        amount,
        entry: card.kept.entry,
        has_pin: sale.card.pin.is_some(),
        digits: sale.digits,
        sold_at,
        taken_at: source.now,
    };
    let doubt = doubts(tx, scope, &sold)?;
    let booking = book::stored_sale(source, sale.of, existing, doubt.clone());
    let Booking::Stored { after, .. } = &booking else { return Ok(booking) };
    let Some(account) = found(channel_accounts::load(tx, scope, sale.account))? else {
        return Ok(Booking::Hold(format!("core has no channel account {} to forward it through", sale.account)));
    };
    if cards::has_paid(tx, scope, &card.kept.ksn)? {
        return Ok(Booking::Hold("this reading of the card paid before".to_owned()));
    }
    let order = order_of(source, store, (payment, counter, amount, sale.at), (sale.goods, sale.cashier, None));
    let order = orders::Order { paid_by: None, ..order };
    orders::insert_new(tx, scope, &order)?;
    let stored = StoredPayment {
        payment: after.clone(),
        version: 1,
        order: order.id,
        store,
        terminal: Some(source.terminal),
        channel: account.plugin.clone(),
        channel_account: Some(account.id),
        channel_reference: None,
        payer_hint: None,
        fee_plan: Some(account.fee_version),
        close_asked_at: None,
        // The resolver asks and undoes; this one is forwarded.
        next_attempt_at: None,
        attempts: 0,
        watch: Watch::default(),
        created_at: order.created_at,
        updated_at: source.now,
    };
    payments::insert_new(tx, scope, &stored)?;
    if let Some(package) = plugin_rollouts::choice_for(tx, scope, &account.plugin)?.package() {
        plugin_packages::bind(tx, scope, payment, package)?;
    }
    cards::keep(tx, scope, payment, &card_to_store(&card.kept), source.now)?;
    let new = NewSale {
        payment,
        account: account.id,
        terminal: source.terminal,
        digits: sale.digits.clone(),
        amount,
        sold_at,
        taken_at: source.now,
        doubt,
        track_2: card.track_2,
        emv: card.emv,
    };
    stored_cards::insert(tx, scope, &new)?;
    let actor = source.terminal.to_string();
    for kind in [kind::CREATED, kind::PENDING] {
        record(tx, scope, &stored, None, kind, "", &actor, source.now)?;
    }
    tell_payment(tx, scope, kind::CREATED, payment, source.now)?;
    Ok(booking)
}
