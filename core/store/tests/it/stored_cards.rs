//! Cards that were sold without a network, as they wait to be forwarded.

use saoma_protocol::{
    Currency,
    api::{CardDigits, CardLimits},
};
use saoma_store::{
    StoreError, Tx,
    stored_cards::{self, NewSale, Outcome, Policy, Resolution},
};

use crate::{
    base::on_both,
    house::{House, NOW, at, captured, cny},
};

fn digits() -> CardDigits {
    CardDigits { first_6: "622202".to_owned(), last_4: "0017".to_owned() }
}

fn policy(house: &House) -> Policy {
    let limits = CardLimits {
        channel_account: house.account,
        currency: Currency::CNY,
        sale_minor_max: 10_000,
        card_day_count_max: 3,
        card_day_minor_max: 20_000,
        unsent_minor_max: 100_000,
        unsent_count_max: 50,
        unsent_hours_max: 24,
        list_hours_max: 24,
        stripe: false,
        prefixes: vec!["62".to_owned()],
        blocked: Vec::new(),
    };
    Policy { enabled: true, limits, version: 0, updated_at: NOW }
}

fn sold(house: &House, n: u8) -> NewSale {
    NewSale {
        payment: house.payment_id(n),
        account: house.account,
        terminal: house.terminal,
        digits: digits(),
        amount: cny(500),
        sold_at: NOW,
        taken_at: NOW,
        doubt: None,
        track_2: Some(vec![house.letter; 24]),
        emv: vec![house.letter; 40],
    }
}

fn said(unblocks: bool) -> Resolution {
    Resolution { unblocks, reason: "asked the bank".to_owned(), made_by: "usr_mei".to_owned(), at: NOW }
}

/// A policy, and a sale that was lost and looked at.
pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    stored_cards::set_policy(tx, &house.scope, &mut policy(house))?;
    stored_cards::insert(tx, &house.scope, &sold(house, 1))?;
    stored_cards::end(tx, &house.scope, house.payment_id(1), Outcome::Lost, NOW)?;
    stored_cards::resolve(tx, &house.scope, house.payment_id(1), &said(false))
}

#[test]
fn a_card_that_was_declined_is_blocked_until_somebody_says_otherwise_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &captured(0, 100));
        base.write(|tx| stored_cards::insert(tx, &tea.scope, &sold(&tea, 1)));
        assert!(base.read(|tx| stored_cards::waiting(tx, &tea.scope, tea.payment_id(1))));
        assert!(base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Lost, at(1))));
        assert!(!base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Paid, at(2))));
        let blocked = || base.read(|tx| stored_cards::blocked(tx, &tea.scope, 10));
        assert_eq!(blocked(), [digits()]);
        base.write(|tx| stored_cards::resolve(tx, &tea.scope, tea.payment_id(1), &said(true)));
        assert_eq!(blocked(), []);
        let again = base.try_write(|tx| stored_cards::resolve(tx, &tea.scope, tea.payment_id(1), &said(false)));
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
    });
}

#[test]
fn a_policy_is_saved_only_over_the_one_that_was_seen() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        let mut first = policy(&tea);
        base.write(|tx| stored_cards::set_policy(tx, &tea.scope, &mut first.clone()));
        let late = base.try_write(|tx| stored_cards::set_policy(tx, &tea.scope, &mut first.clone()));
        assert!(matches!(late, Err(StoreError::Stale { .. })), "{late:?}");
        (first.version, first.limits.stripe) = (1, true);
        base.write(|tx| stored_cards::set_policy(tx, &tea.scope, &mut first.clone()));
        let stored = base.read(|tx| stored_cards::policy(tx, &tea.scope, Currency::CNY)).unwrap();
        assert_eq!((stored.version, stored.limits.stripe), (2, true));
    });
}
