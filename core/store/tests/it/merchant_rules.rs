//! A merchant's rules, and what they are told of the payments before.

use saoma_domain::payment::State;
use saoma_protocol::{Currency, Millis, api::Failure};
use saoma_store::{
    StoreError, Tx,
    merchant_rules::{self, MerchantRules},
    payment_figures::{self, Whose},
};

use crate::{
    base::on_both,
    house::{House, NOW, at, captured, cny},
};

fn rules(house: &House, version: u64) -> MerchantRules {
    MerchantRules {
        extension: "canteen-rules".to_owned(),
        enabled: true,
        settings_json: format!("{{\"receipt_line\":\"{}\"}}", char::from(house.letter)),
        refuse_on_failure: vec!["risk".to_owned(), "price".to_owned()],
        version,
        changed_at: NOW,
        changed_by: "usr_mei".to_owned(),
    }
}

pub fn furnish(tx: &mut Tx<'_>, house: &House) -> Result<(), StoreError> {
    merchant_rules::save(tx, &house.scope, &rules(house, 1))
}

/// `theirs` has what it has; `ours` sees its own alone.
pub fn of_others_is_nothing(tx: &mut Tx<'_>, ours: &House, theirs: &House) -> Result<(), StoreError> {
    let scope = &ours.scope;
    assert_eq!(merchant_rules::load(tx, scope)?, Some(rules(ours, 1)));
    let of_theirs = Whose::Store(theirs.store);
    assert_eq!(payment_figures::takings(tx, scope, &of_theirs, Currency::CNY, Millis(0))?, (0, 0));
    assert_eq!(payment_figures::outcomes(tx, scope, Millis(0))?.keys().collect::<Vec<_>>(), [&ours.account]);
    Ok(())
}

#[test]
fn rules_are_changed_by_whoever_saw_them_last() {
    on_both(|base| {
        let (tea, milk) = (House::build(base, b'T'), House::build(base, b'M'));
        let load = |house: &House| base.read(|tx| merchant_rules::load(tx, &house.scope));
        assert_eq!(load(&tea), None);
        base.write(|tx| merchant_rules::save(tx, &tea.scope, &rules(&tea, 1)));
        let stale = Err(StoreError::Stale { what: "the merchant's rules" });
        for version in [1, 3] {
            assert_eq!(base.try_write(|tx| merchant_rules::save(tx, &tea.scope, &rules(&tea, version))), stale);
        }
        let off = MerchantRules { enabled: false, refuse_on_failure: Vec::new(), ..rules(&tea, 2) };
        base.write(|tx| merchant_rules::save(tx, &tea.scope, &off));
        assert_eq!((load(&tea), load(&milk)), (Some(off), None));
    });
}

#[test]
fn what_was_taken_is_told_by_person_store_currency_and_time() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &captured(0, 100));
        tea.sell_with(base, 2, cny(700), &captured(0, 0), |payment| payment.created_at = at(60));
        let declined = State::Failed { failure: Failure { code: "declined".to_owned(), message: String::new() } };
        tea.sell(base, 3, cny(900), &declined);
        tea.sell(base, 4, cny(1_100), &State::Submitting { since: NOW });
        let takings = |whose: Whose, currency, since| {
            base.read(|tx| payment_figures::takings(tx, &tea.scope, &whose, currency, since))
        };
        let mei = || Whose::Cashier("Mei".to_owned());
        assert_eq!(takings(Whose::Store(tea.store), Currency::CNY, NOW), (2, 1_200));
        assert_eq!(takings(mei(), Currency::CNY, NOW), (2, 1_200));
        assert_eq!(takings(mei(), Currency::CNY, at(60)), (1, 700));
        assert_eq!(takings(mei(), "JPY".parse().expect("a currency"), NOW), (0, 0));
        assert_eq!(takings(Whose::Cashier("Lu".to_owned()), Currency::CNY, NOW), (0, 0));
        let outcomes = |since| base.read(|tx| payment_figures::outcomes(tx, &tea.scope, since));
        assert_eq!(outcomes(NOW).get(&tea.account), Some(&(3, 2)));
        assert_eq!(outcomes(at(60)).get(&tea.account), Some(&(1, 1)));
    });
}
