//! What arrived at the bank against the bills of its days.

use saoma_channels::PaymentStatus;
use saoma_domain::{ledger::Account, recon::Movement};
use saoma_protocol::Currency;
use saoma_server::reconcile::{
    ReconcileError,
    payout::{self, Seen},
    resolve::{Deed, Keyed},
};
use saoma_store::StoreError;

use crate::{
    reconcile::{DAY, FEE_MINOR, HOUR_MS, NEXT_DAY, any_key, line, number, of, on_both},
    scheme_world::{AMOUNT_MINOR, Counter},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payout_is_held_against_the_bills_of_its_days() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(72 * HOUR_MS);
        let seen = |amount_minor, to_day: &str, reference: &str| Seen {
            account: counter.accounts[0],
            from_day: DAY.to_owned(),
            to_day: to_day.to_owned(),
            amount: crate::scheme_world::cny(amount_minor),
            reference: reference.to_owned(),
            is_further: false,
            received_at: counter.app.now(),
            actor: "usr_accountant".to_owned(),
        };
        let enter =
            async |seen| payout::enter(&counter.app, counter.scope, seen, any_key()).await.map(|(entered, _)| entered);
        let early = enter(seen(1, NEXT_DAY, "B1")).await;
        assert!(matches!(&early, Err(ReconcileError::DayNotCompared(day)) if day == DAY), "{early:?}");
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
        let refund = line(Movement::Refund, "WX-R", 100, 0, counter.app.now());
        counter.scheme.lists(NEXT_DAY, vec![refund]);
        counter.compares(DAY).await;
        let half = enter(seen(1, NEXT_DAY, "B1")).await;
        assert!(matches!(&half, Err(ReconcileError::DayNotCompared(day)) if day == NEXT_DAY), "{half:?}");
        counter.compares(NEXT_DAY).await;
        let dollars = saoma_protocol::Amount::new(1, Currency::USD).unwrap();
        let strange = enter(Seen { amount: dollars, ..seen(1, NEXT_DAY, "B1") }).await;
        assert!(matches!(strange, Err(ReconcileError::OtherCurrency(_))), "{strange:?}");
        let due = AMOUNT_MINOR - FEE_MINOR - 100;
        let entered = enter(seen(due - 30, NEXT_DAY, "B1")).await.unwrap();
        assert_eq!((entered.amount.minor(), entered.expected_minor), (due - 30, due));
        assert_eq!(counter.holds(Account::Bank).await, due - 30);
        // The refund that nobody here knows is still open, and so is what the channel owes.
        assert_eq!(counter.holds(Account::ChannelClearing).await, 100 + 30);
        let difference = of(&counter.waiting().await, "payout", "");
        assert_eq!(difference.finding.words, Some(entered.id.to_string()));
        assert_eq!(difference.correction.map(|correction| correction.amount.minor()), Some(-30));
        counter.compares(NEXT_DAY).await;
        assert_eq!(of(&counter.waiting().await, "payout", "").id, difference.id, "no bill closes it");

        // The rest of the same days, under another reference: that it is meant is said, and only the rest is expected.
        let blind = enter(seen(30, DAY, "B2")).await;
        assert!(matches!(&blind, Err(ReconcileError::DaysPaidOut(first)) if first == "B1"), "{blind:?}");
        let again = enter(Seen { is_further: true, ..seen(30, DAY, "B1") }).await;
        assert!(matches!(again, Err(ReconcileError::Store(StoreError::Conflict { .. }))), "{again:?}");
        let rest = enter(Seen { is_further: true, ..seen(30, DAY, "B2") }).await.unwrap();
        assert_eq!((rest.amount.minor(), rest.expected_minor), (30, 30));

        assert_eq!(
            counter.waiting_of("payout").await,
            [0_i64; 0],
            "all is here by now, and nothing is left to be booked away"
        );
        let settled = counter.resolves(difference.id).await;
        assert!(matches!(settled, Err(ReconcileError::Refused(_))), "{settled:?}");
        assert_eq!(counter.holds(Account::ChannelClearing).await, 100);

        // The first was mistyped: without it, the second is far too little for its day.
        let reverse = async |keyed: Keyed| {
            payout::reverse(&counter.app, counter.scope, entered.id, "mistyped".to_owned(), "usr_a", keyed).await
        };
        let keyed = any_key();
        let reversed = reverse(keyed.clone()).await.unwrap();
        assert_eq!(reverse(keyed).await.unwrap(), reversed);
        let twice = reverse(any_key()).await;
        assert!(matches!(twice, Err(ReconcileError::Reversed)), "{twice:?}");
        assert_eq!(counter.holds(Account::Bank).await, 30);
        assert_eq!(counter.holds(Account::ChannelClearing).await, AMOUNT_MINOR - FEE_MINOR - 30);
        assert_eq!(counter.waiting_of("payout").await, [30 - (AMOUNT_MINOR - FEE_MINOR)]);
        let right = enter(Seen { is_further: true, ..seen(due - 30, NEXT_DAY, "B1") }).await.unwrap();
        assert_eq!(right.expected_minor, due - 30);
        assert_eq!(counter.waiting_of("payout").await, [0_i64; 0]);
        counter.books_hold().await;
    })
    .await;
}

/// What was booked away is not expected again, and is wrong itself when the money arrives after all, a bill is revised, or one
/// of the payouts is taken back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payouts_difference_is_what_is_still_wrong() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(72 * HOUR_MS);
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
        counter.scheme.lists(NEXT_DAY, vec![line(Movement::Payment, "WX-1", 50, 0, counter.app.now())]);
        counter.compares(DAY).await;
        counter.compares(NEXT_DAY).await;
        let strange = of(&counter.waiting().await, "missing_here", "WX-1").id;
        counter.resolves(strange).await.unwrap();
        let enter = async |from_day: &str, amount_minor, reference: &str| {
            let seen = Seen {
                account: counter.accounts[0],
                from_day: from_day.to_owned(),
                to_day: if reference == "B1" { DAY.to_owned() } else { NEXT_DAY.to_owned() },
                amount: crate::scheme_world::cny(amount_minor),
                reference: reference.to_owned(),
                is_further: reference != "B1",
                received_at: counter.app.now(),
                actor: "usr_accountant".to_owned(),
            };
            payout::enter(&counter.app, counter.scope, seen, any_key()).await.unwrap().0
        };
        let of_day = AMOUNT_MINOR - FEE_MINOR;
        let first = enter(DAY, of_day - 30, "B1").await;
        assert_eq!(counter.waiting_of("payout").await, [-30]);
        counter.resolves(of(&counter.waiting().await, "payout", "").id).await.unwrap();
        assert_eq!(counter.holds(Account::ChannelClearing).await, 50);

        // The second is for both days and brings the rest of the first as well, which nobody expects any more.
        counter.later(HOUR_MS);
        let second = enter(DAY, 50 + 30, "B2").await;
        assert_eq!(second.expected_minor, 50);
        assert_eq!(counter.waiting_of("payout").await, [30]);
        assert_eq!(counter.holds(Account::ChannelClearing).await, -30);
        let waits = of(&counter.waiting().await, "payout", "");

        // The bill of the first day says 12 more by now, which a person has not booked yet.
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR + 12, FEE_MINOR)]);
        counter.compares(DAY).await;
        assert_eq!(counter.waiting_of("payout").await, [18]);
        let seen_before = Deed::Resolve { reason: "seen before".to_owned(), version: waits.version };
        let stale = counter.acts(waits.id, seen_before, "usr_a").await;
        assert!(matches!(stale, Err(ReconcileError::Store(StoreError::Stale { .. }))), "{stale:?}");
        counter.resolves(of(&counter.waiting().await, "amount", &number(&sale)).id).await.unwrap();
        counter.resolves(of(&counter.waiting().await, "payout", "").id).await.unwrap();
        assert_eq!((counter.holds(Account::ChannelClearing).await, counter.waiting().await), (0, vec![]));
        counter.compares(DAY).await;
        assert_eq!(counter.waiting().await, []);

        // The first never came. What was decided about it goes with it, and what its days lack then is told of the other.
        let reason = "another shop's".to_owned();
        payout::reverse(&counter.app, counter.scope, first.id, reason, "usr_a", any_key()).await.unwrap();
        assert_eq!(counter.waiting_of("payout").await, [(50 + 30) - (of_day + 12 + 50) - 18]);
        counter.resolves(of(&counter.waiting().await, "payout", "").id).await.unwrap();
        assert_eq!((counter.holds(Account::ChannelClearing).await, counter.waiting().await), (0, vec![]));
        counter.books_hold().await;
    })
    .await;
}
