//! Days whose bill does not come, lines that two accounts have, and differences that are more than are kept.

use saoma_channels::PaymentStatus;
use saoma_domain::{ledger::Account, recon::Movement};
use saoma_protocol::ChannelAccountId;
use saoma_server::reconcile::{self, Limits, ReconcileError, resolve::Deed};
use saoma_store::{
    channel_accounts,
    reconciliations::{self, Reconciliation, State},
};

use crate::{
    fleet_world::eventually,
    reconcile::{DAY, FEE_MINOR, HOUR_MS, line, number, of, on_both, told},
    scheme_world::{AMOUNT_MINOR, Counter},
};

impl Counter {
    async fn ends(&self, run: Reconciliation) -> Reconciliation {
        let (id, scope) = (run.id, self.scope);
        let load = async || self.app.store().read(move |tx| reconciliations::load(tx, &scope, id)).await.unwrap();
        eventually("the comparison ends", async || load().await.state != State::Running).await;
        load().await
    }

    async fn compares_of(&self, account: ChannelAccountId) -> Reconciliation {
        let run = reconcile::start(&self.app, self.scope, account, DAY, "usr_a").await.unwrap();
        self.ends(run).await
    }

    /// Of which `found` differences are kept one by one.
    async fn compares_keeping(&self, found: u64) -> Reconciliation {
        let limits = Limits { found, ..Limits::USUAL };
        let run = reconcile::start_within(&self.app, self.scope, self.accounts[0], DAY, "usr_a", limits).await.unwrap();
        self.ends(run).await
    }

    async fn due_now(&self) -> Vec<String> {
        let (scope, account) = (self.scope, self.accounts[0]);
        let stored = self.app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await.unwrap();
        reconcile::due_days(&self.app, scope, &stored).await.unwrap()
    }

    async fn shown(&self) -> Vec<String> {
        told(&self.waiting().await, &[].into())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_day_without_a_bill_is_asked_for_on_and_on_and_shown_to_a_person() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        counter.later(7 * 24 * HOUR_MS);
        assert_eq!(counter.compares(DAY).await.state, State::Failed);
        assert_eq!(counter.shown().await, [""; 0], "within the week it may still come");
        counter.later(3 * 24 * HOUR_MS);
        let due = counter.due_now().await;
        assert!(due.len() > 7 && due.contains(&DAY.to_owned()), "{due:?}");
        assert_ne!(due.first().map(String::as_str), Some(DAY), "after those of the week");
        for _ in 0..2 {
            assert_eq!(counter.compares(DAY).await.state, State::Failed);
            assert_eq!(counter.shown().await, ["no_bill - [] fetch_again open"]);
            assert!(!counter.due_now().await.contains(&DAY.to_owned()), "once a day");
            counter.later(24 * HOUR_MS);
            assert!(counter.due_now().await.contains(&DAY.to_owned()));
        }
        let told = of(&counter.waiting().await, "no_bill", "");
        assert!(told.finding.words.as_deref().is_some_and(|words| words.contains("no such bill yet")), "{told:?}");
        let nothing = counter.resolves(told.id).await;
        assert!(matches!(nothing, Err(ReconcileError::Refused(_))), "{nothing:?}");
        // Two persons may agree that none will come; it is asked for all the same, and then it is over.
        counter.write_off(told.id).await;
        assert_eq!(counter.compares(DAY).await.state, State::Failed);
        assert_eq!(counter.shown().await, [""; 0]);
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
        assert_eq!(counter.compares(DAY).await.result.unwrap().agreed, 1);
        counter.later(48 * HOUR_MS);
        assert!(!counter.due_now().await.contains(&DAY.to_owned()));
        // A day on which nothing was sold: nobody need look at it.
        let run = reconcile::start(&counter.app, counter.scope, counter.accounts[1], DAY, "usr_a").await.unwrap();
        counter.ends(run).await;
        assert_eq!(counter.shown().await, [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_on_two_accounts_bills_is_booked_by_one() {
    on_both(async |counter: Counter| {
        let at = counter.app.now();
        let lines =
            |minor| vec![line(Movement::Payment, "WX-1", minor, 2, at), line(Movement::Payment, "WX-2", 70, 0, at)];
        counter.scheme.lists(DAY, lines(300));
        counter.later(72 * HOUR_MS);
        let [first, second] = counter.accounts;
        for account in [first, second] {
            counter.compares_of(account).await;
        }
        let waiting = counter.waiting().await;
        let found = |account, name: &str| {
            let is_it = |one: &&saoma_store::discrepancies::Discrepancy| {
                one.account == account && one.finding.key.as_ref().is_some_and(|key| key.number == name)
            };
            waiting.iter().find(is_it).unwrap().id
        };
        counter.resolves(found(first, "WX-1")).await.unwrap();
        counter.write_off(found(first, "WX-2")).await;
        for name in ["WX-1", "WX-2"] {
            let twice = counter.resolves(found(second, name)).await;
            assert!(matches!(twice, Err(ReconcileError::BookedElsewhere)), "{twice:?}");
        }
        assert_eq!(counter.holds(Account::ChannelClearing).await, 300 - 2 + 70);
        // The next comparison says whose they are, and no payout of this account brings them.
        let run = counter.compares_of(second).await;
        let result = run.result.unwrap();
        assert_eq!(result.found.get("other_account"), Some(&2));
        assert!(result.sums.values().all(|sums| sums.theirs_minor == 0 && sums.theirs_fee_minor == 0), "{result:?}");
        assert_eq!(counter.shown().await, [""; 0]);
        // Another line of the same number is another one.
        counter.scheme.lists(DAY, lines(301));
        counter.compares_of(second).await;
        assert_eq!(counter.shown().await, ["missing_here WX-1 [] follow_bill open"]);
        let deed = Deed::Resolve { reason: "theirs".to_owned(), version: counter.waiting().await[0].version };
        counter.acts(counter.waiting().await[0].id, deed, "usr_a").await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_among_those_kept_is_not_decided() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        let at = counter.app.now();
        let strange = |nth: u64| line(Movement::Payment, &format!("A-{nth}"), 10, 0, at);
        let bill = |minor, strangers| {
            let lines = (0..strangers).map(strange).chain([counter.listed(&sale, minor, FEE_MINOR)]);
            lines.collect::<Vec<_>>()
        };
        counter.scheme.lists(DAY, bill(AMOUNT_MINOR + 5, 0));
        counter.later(72 * HOUR_MS);
        counter.compares_keeping(2).await;
        let wrong = of(&counter.waiting().await, "amount", &number(&sale));
        // By now the sale is right, and the bill is full of strangers.
        counter.scheme.lists(DAY, bill(AMOUNT_MINOR, 3));
        assert!(counter.compares_keeping(2).await.result.unwrap().overflowed);
        assert_eq!(
            counter.shown().await,
            ["missing_here A-0 [] follow_bill open", "missing_here A-1 [] follow_bill open"]
        );
        let late = counter.resolves(wrong.id).await;
        assert!(matches!(late, Err(ReconcileError::Refused(_))), "{late:?}");
        // It was wrong after all, and the day has few again.
        counter.scheme.lists(DAY, bill(AMOUNT_MINOR + 5, 1));
        counter.compares_keeping(2).await;
        assert_eq!(of(&counter.waiting().await, "amount", &number(&sale)).id, wrong.id);
        assert_eq!(counter.waiting().await.len(), 2);
    })
    .await;
}
