//! A card sale that a terminal made without a network comes in: written down with its card, to be forwarded.
//!
//! The goods are gone, so every such sale is written down where persons see it, and none is lost. What breaks the merchant's policy is forwarded all
//! the same, and a person is told. What core may not or cannot forward by itself is *held*: it has its payment, its place in the merchant's room and
//! whatever there is of its card; it holds up no other sale; and it ends by a person who lets it go out (`/v1/stored-cards/sales/{payment}/forward`)
//! or by two who settle it by hand. Of the channel account it is the one that the terminal names, or else the policy's. Held is
//!
//! - what has no number of its own, since core has another sale under it or it is not one of this terminal's: it gets one, from its entry;
//! - a reading of a card that paid before: a copied entry, or a reader that counts anew;
//! - one whose account is not the merchant's;
//! - one without digits that may be shown, or whose card cannot be one: of the latter there is nothing to let go, and persons settle it.
//!
//! An entry alone, as others that do not fit, is kept of a sale of a merchant with neither that account nor a policy: core has let no terminal of
//! theirs sell so, and nobody has the key that opens its card.

use saoma_channels::Card;
use saoma_protocol::{
    Amount, ChannelAccountId, Millis, PaymentId, Sequence, StoreId,
    api::{CardDigits, Goods, PresentedCard, Quoted},
};
use saoma_store::{
    StoreError, TenantScope, Tx, cards,
    channel_accounts::{self, ChannelAccount},
    ledger, orders,
    payments::{self, StoredPayment},
    plugin_packages, plugin_rollouts,
    stored_cards::{self, NewSale},
    tenants,
};

use super::{
    Sold as Collected,
    book::{self, Booking, Source},
    found, insert_payment, order_of,
};
use crate::{
    payments::{card_to_store, kind, record},
    stored_cards::{Sold, doubts},
    webhooks::tell_payment,
};

/// The sale as the journal has it.
pub(super) struct Sale<'a> {
    /// Its hash.
    pub(super) entry: [u8; 32],
    pub(super) of: (PaymentId, Sequence, Amount),
    pub(super) account: ChannelAccountId,
    pub(super) card: &'a PresentedCard,
    pub(super) digits: &'a CardDigits,
    pub(super) goods: &'a [Goods],
    pub(super) cashier: &'a str,
    pub(super) quote: Option<&'a Quoted>,
    pub(super) reference: Option<&'a str>,
    pub(super) at: Millis,
}

pub(super) fn take(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    source: Source,
    store: StoreId,
    sale: &Sale<'_>,
) -> Result<Booking, StoreError> {
    ledger::take_turn(tx, scope)?;
    let (told, counter, amount) = sale.of;
    let Some(account) = account_of(tx, scope, sale.account)? else {
        return Ok(Booking::Hold(format!("core has no channel account {} to forward it through", sale.account)));
    };
    let existing = found(payments::load(tx, scope, told))?;
    let existing = existing.as_ref().map(|stored| &stored.payment);
    let taken = book::number_taken(source, (told, counter), existing);
    let payment =
        if taken.is_none() { told } else { PaymentId::for_entry(source.tenant, source.terminal, &sale.entry) };
    if taken.is_some() && found(payments::load(tx, scope, payment))?.is_some() {
        return Ok(Booking::Hold(format!("core has a sale of this very entry: {payment}")));
    }
    // A PIN could not be looked at any more, whatever it is.
    let card = Card::read(&PresentedCard { pin: None, ..sale.card.clone() });
    let read_before = match &card {
        Ok(card) => cards::has_paid(tx, scope, &card.kept.ksn)?,
        Err(_) => false,
    };
    let digits = CardDigits::new(&sale.digits.first_6, &sale.digits.last_4);
    let held: Vec<String> = [
        taken,
        card.as_ref().err().map(|error| format!("the card is none: {error}")),
        read_before.then(|| "this reading of the card paid before".to_owned()),
        (account.id != sale.account).then(|| format!("core has no channel account {}", sale.account)),
        digits.is_none().then(|| "its digits are not the first six and last four of a number".to_owned()),
    ]
    .into_iter()
    .flatten()
    .collect();
    // What may be shown is not known then.
    let digits = digits.unwrap_or_else(|| CardDigits { first_6: String::new(), last_4: String::new() });
    let sold_at = book::believed(sale.at, source.now);
    let sold = Sold {
        account: sale.account,
        terminal: source.terminal,
        amount,
        entry: card.as_ref().map_or(sale.card.entry, |card| card.kept.entry),
        has_pin: sale.card.pin.is_some(),
        digits: &digits,
        sold_at,
        taken_at: source.now,
    };
    let doubts = doubts(tx, scope, &sold)?;
    let doubt = words(&held, &doubts);
    let booking = book::stored_sale(source, payment, amount, doubt.clone());
    let Booking::Stored { after, .. } = &booking else { return Ok(booking) };
    let order = order_of(
        source,
        store,
        (payment, counter, amount, sale.at),
        (sale.goods, sale.cashier, (sale.reference, None)),
    );
    let order = orders::Order { paid_by: None, ..order };
    let collected = Collected {
        channel: account.plugin,
        channel_account: Some(account.id),
        channel_reference: None,
        fee_plan: Some(account.fee_version),
        at: source.now,
        quote: sale.quote.cloned(),
    };
    let mut stored = insert_payment(tx, scope, source, &order, after, &collected)?;
    bind(tx, scope, &stored)?;
    let (track_2, emv) = match card {
        Ok(card) => {
            let keep = if read_before { cards::keep_read_before } else { cards::keep };
            keep(tx, scope, payment, &card_to_store(&card.kept), source.now)?;
            (card.track_2, Some(card.emv))
        }
        Err(_) => (None, None),
    };
    let new = NewSale {
        payment,
        account: account.id,
        terminal: source.terminal,
        digits,
        amount,
        sold_at,
        taken_at: source.now,
        doubt: doubt.clone(),
        held: !held.is_empty(),
        track_2,
        emv,
    };
    stored_cards::insert(tx, scope, &new)?;
    let actor = source.terminal.to_string();
    for kind in [kind::CREATED, kind::PENDING] {
        record(tx, scope, &stored, None, kind, "", &actor, source.now)?;
    }
    if new.held {
        stored.watch.attention_at = Some(source.now);
        payments::save(tx, scope, &mut stored)?;
        record(tx, scope, &stored, None, kind::NEEDS_ATTENTION, &doubt.unwrap_or_default(), "core", source.now)?;
    }
    tell_payment(tx, scope, kind::CREATED, payment, source.now)?;
    Ok(booking)
}

/// The account that the terminal names, or else the policy's: what was sold is some account's.
fn account_of(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    named: ChannelAccountId,
) -> Result<Option<ChannelAccount>, StoreError> {
    if let Some(account) = found(channel_accounts::load(tx, scope, named))? {
        return Ok(Some(account));
    }
    let currency = tenants::load(tx, scope)?.currency;
    let Some(policy) = stored_cards::policy(tx, scope, currency)? else { return Ok(None) };
    channel_accounts::load(tx, scope, policy.limits.channel_account).map(Some)
}

/// What is asked and told about it goes through what new payments go through, until it is first sent.
fn bind(tx: &mut Tx<'_>, scope: &TenantScope, stored: &StoredPayment) -> Result<(), StoreError> {
    let payment = stored.payment.id;
    let choice = plugin_rollouts::choice_for(tx, scope, &stored.channel)?;
    match plugin_packages::bind_anew(tx, scope, payment, choice) {
        // The journal goes on all the same, and the first attempt binds it anew.
        Err(error @ StoreError::Stale { .. }) => {
            tracing::warn!(payment.id = %payment, %error, "a sale is bound to no package before it is sent");
            Ok(())
        }
        bound => bound,
    }
}

/// For a person, and back to the terminal. `None`: nothing is wrong with it.
fn words(held: &[String], doubts: &[&str]) -> Option<String> {
    let doubts = doubts.iter().map(|doubt| (*doubt).to_owned());
    let all: Vec<String> = held.iter().cloned().chain(doubts).collect();
    let then =
        if held.is_empty() { "it is forwarded all the same" } else { "it is not forwarded, and a person decides" };
    (!all.is_empty()).then(|| format!("{then}: {}", all.join("; ")))
}
