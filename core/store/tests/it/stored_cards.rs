//! Cards that were sold without a network, as they wait to be forwarded.

use diesel::{RunQueryDsl as _, sql_query};
use saoma_protocol::{
    Currency,
    api::{CardDigits, CardLimits},
};
use saoma_store::{
    StoreError, Tx, access, payments, settlement_batches,
    stored_cards::{self, Filter, NewSale, Next, Outcome, Policy, Resolution},
};

use crate::{
    base::{Base, on_both, raw},
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
        held: false,
        track_2: Some(vec![house.letter; 24]),
        emv: Some(vec![house.letter; 40]),
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

fn sells_two(base: &Base, house: &House) {
    for n in [1, 2] {
        house.sell(base, n, cny(500), &captured(0, 100));
        base.write(|tx| stored_cards::insert(tx, &house.scope, &sold(house, n)));
    }
}

#[test]
fn a_card_that_was_declined_is_blocked_until_somebody_says_otherwise_once() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        tea.sell(base, 1, cny(500), &captured(0, 100));
        base.write(|tx| stored_cards::insert(tx, &tea.scope, &sold(&tea, 1)));
        assert!(base.read(|tx| stored_cards::waiting(tx, &tea.scope, tea.payment_id(1))));
        assert!(base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Lost, at(1))));
        assert!(!base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Lost, at(2))));
        let blocked = || base.read(|tx| stored_cards::blocked(tx, &tea.scope, 10));
        let open = || base.read(|tx| stored_cards::list(tx, &tea.scope, Filter::Open, None, 10)).len();
        assert_eq!((blocked().as_slice(), open()), ([digits()].as_slice(), 1));
        let say = |unblocks, seconds| {
            let said = Resolution { at: at(seconds), ..said(unblocks) };
            base.try_write(|tx| stored_cards::resolve(tx, &tea.scope, tea.payment_id(1), &said))
        };
        say(false, 3).unwrap();
        assert_eq!((blocked().len(), open()), (1, 0));
        say(true, 4).unwrap();
        assert_eq!((blocked().len(), open()), (0, 0));
        let again = say(false, 4);
        assert!(matches!(again, Err(StoreError::Conflict { .. })), "{again:?}");
        // Paid after all, and then not: what was said was said of another loss.
        assert!(base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Paid, at(5))));
        assert_eq!((blocked().len(), open()), (0, 0));
        assert!(base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Lost, at(6))));
        assert_eq!((blocked().len(), open()), (1, 1));
    });
}

#[test]
fn what_is_held_is_not_taken_up_before_a_person_says_so() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for n in 1..=4 {
            tea.sell(base, n, cny(500), &captured(0, 100));
        }
        let insert = |n, change: fn(&mut NewSale)| {
            let mut new = sold(&tea, n);
            change(&mut new);
            base.write(|tx| stored_cards::insert(tx, &tea.scope, &new));
        };
        insert(1, |new| new.held = true);
        insert(2, |new| (new.held, new.track_2, new.emv) = (true, None, None));
        insert(3, |_| ());
        insert(4, |_| ());
        let claim = |seconds: i64| {
            let (now, lease) = (at(seconds), at(seconds + 60));
            let due = base.write(|tx| stored_cards::claim_due(tx, &access::process(), now, lease, 10));
            due.due.into_iter().map(|due| due.waiting).collect::<Vec<_>>()
        };
        // One that cannot be read stops none of the others.
        let row = format!("UPDATE stored_card_sales SET currency = 'yen?' WHERE payment_id = '{}'", tea.payment_id(3));
        sql_query(row).execute(&mut raw(&base.url)).unwrap();
        let first = base.write(|tx| stored_cards::claim_due(tx, &access::process(), at(1), at(61), 10));
        let held: Vec<_> = first.held.iter().map(|held| (held.scope, held.payment)).collect();
        assert_eq!((first.due.len(), held), (0, vec![(tea.scope, tea.payment_id(3))]));
        // It is passed over in the list, which goes on behind it, and its payment can be ended.
        let list = |limit| base.read(|tx| stored_cards::list(tx, &tea.scope, Filter::All, None, limit)).len();
        assert_eq!((list(2), list(10)), (2, 3));
        assert_eq!(base.read(|tx| stored_cards::ended_as(tx, &tea.scope, tea.payment_id(3))), None);
        let taken = claim(2);
        assert_eq!(taken.iter().map(|waiting| waiting.sale.payment).collect::<Vec<_>>(), [tea.payment_id(4)]);
        assert!(!format!("{taken:?} {:?}", sold(&tea, 1)).contains("84, 84"), "nothing of the card is printed");
        assert!(base.read(|tx| stored_cards::is_unsent(tx, &tea.scope, &taken[0])));
        assert!(base.write(|tx| stored_cards::goes_out(tx, &tea.scope, &taken[0], at(2))));
        assert!(!base.read(|tx| stored_cards::is_unsent(tx, &tea.scope, &taken[0])));
        let let_go = |n, seconds| base.write(|tx| stored_cards::let_go(tx, &tea.scope, tea.payment_id(n), at(seconds)));
        assert!(let_go(1, 3) && !let_go(1, 3) && !let_go(2, 3) && !let_go(4, 3));
        // After its time nothing of the card is there, and nobody can let it go; what is in hand is left alone.
        let forget =
            |seconds| base.write(|tx| stored_cards::forget(tx, &access::process(), at(1), at(seconds), 10)).len();
        assert_eq!((forget(3), forget(90), forget(91)), (2, 1, 0));
        assert!(!let_go(1, 92) && claim(92).is_empty());
        // Whoever had it in hand for too long has it no more.
        let next = Next { at: at(93), aside: false, first_sent_at: None, attempts: 1 };
        base.write(|tx| stored_cards::set_back(tx, &tea.scope, &taken[0], next));
        assert!(claim(94).is_empty());
    });
}

#[test]
fn what_a_person_ends_unsent_nobody_sends() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sells_two(base, &tea);
        let claim = |seconds: i64| {
            let due =
                base.write(|tx| stored_cards::claim_due(tx, &access::process(), at(seconds), at(seconds + 60), 10));
            due.due.into_iter().map(|due| due.waiting).collect::<Vec<_>>()
        };
        let [first] = claim(1).try_into().unwrap();
        assert_eq!(base.read(|tx| stored_cards::behind(tx, &tea.scope, &first)), 1);
        let take = |n| base.write(|tx| stored_cards::take_unsent(tx, &tea.scope, tea.payment_id(n)));
        let never_sent = |n| base.read(|tx| stored_cards::never_sent(tx, &tea.scope, tea.payment_id(n)));
        assert!(never_sent(1) && take(1));
        assert!(!base.write(|tx| stored_cards::goes_out(tx, &tea.scope, &first, at(2))), "it was taken away");
        let [first] = claim(3).try_into().unwrap();
        assert!(base.write(|tx| stored_cards::goes_out(tx, &tea.scope, &first, at(3))));
        assert!(!never_sent(1) && !take(1), "the acquirer may have it");
        base.write(|tx| stored_cards::end(tx, &tea.scope, tea.payment_id(1), Outcome::Paid, at(4)));
        assert!(!never_sent(1) && !never_sent(9) && take(2));
    });
}

#[test]
fn a_batch_waits_for_what_goes_out_by_itself() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        for n in 1..=3 {
            tea.sell(base, n, cny(500), &captured(0, 100));
            let new = NewSale { held: n == 3, ..sold(&tea, n) };
            base.write(|tx| stored_cards::insert(tx, &tea.scope, &new));
        }
        let under_way = || base.read(|tx| settlement_batches::under_way(tx, &tea.scope, tea.account, at(90))).sent;
        assert_eq!(under_way(), 2, "what is held waits for a person");
        // A person is called for it, and it may be in hand all the same.
        base.write(|tx| {
            let mut called = payments::load(tx, &tea.scope, tea.payment_id(1))?;
            (called.watch.attention_at, called.updated_at) = (Some(at(5)), at(-100_000));
            payments::save(tx, &tea.scope, &mut called)
        });
        base.write(|tx| stored_cards::claim_due(tx, &access::process(), at(6), at(200), 10).map(drop));
        assert_eq!(under_way(), 1);
        let held = base.write(|tx| stored_cards::forget(tx, &access::process(), at(1), at(90), 10));
        assert_eq!((held.len(), under_way()), (2, 0), "nor does it wait for what cannot be sent any more");
    });
}

#[test]
fn one_of_an_account_is_in_hand_at_a_time_and_only_its_holder_writes() {
    on_both(|base| {
        let tea = House::build(base, b'T');
        sells_two(base, &tea);
        let claim = |seconds: i64| {
            let (now, lease) = (at(seconds), at(seconds + 60));
            let due = base.write(|tx| stored_cards::claim_due(tx, &access::process(), now, lease, 10));
            due.due.into_iter().map(|due| due.waiting).collect::<Vec<_>>()
        };
        let [first] = claim(1).try_into().unwrap();
        assert_eq!(first.sale.payment, tea.payment_id(1));
        assert!(claim(2).is_empty(), "the second waits for the first");
        // Its node is gone: another has it, and what comes late from the first changes nothing.
        let [again] = claim(62).try_into().unwrap();
        assert_eq!((again.sale.payment, again.first_sent_at), (tea.payment_id(1), None));
        assert!(!base.write(|tx| stored_cards::goes_out(tx, &tea.scope, &first, at(62))));
        assert!(!base.read(|tx| stored_cards::is_unsent(tx, &tea.scope, &first)));
        let next = |aside| Next { at: at(70), aside, first_sent_at: None, attempts: 1 };
        base.write(|tx| stored_cards::set_back(tx, &tea.scope, &first, next(true)));
        assert!(base.write(|tx| stored_cards::goes_out(tx, &tea.scope, &again, at(63))));
        base.write(|tx| {
            stored_cards::set_back(tx, &tea.scope, &again, Next { first_sent_at: Some(at(63)), ..next(false) })
        });
        assert!(claim(64).is_empty(), "the first is not due, and holds up the second");
        let [third] = claim(70).try_into().unwrap();
        assert_eq!((third.sale.payment, third.first_sent_at, third.attempts), (tea.payment_id(1), Some(at(63)), 1));
        base.write(|tx| stored_cards::set_back(tx, &tea.scope, &third, Next { at: at(90), ..next(true) }));
        let [second] = claim(71).try_into().unwrap();
        assert_eq!(second.sale.payment, tea.payment_id(2));
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
