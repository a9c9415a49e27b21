//! Comparisons that hold so little at a time that a few rows make many pages and many runs: they come to what a map in memory
//! comes to.

use std::collections::BTreeMap;

use saoma_channels::{BillLine, PaymentStatus};
use saoma_domain::recon::Movement;
use saoma_server::reconcile::{self, Limits};
use saoma_store::{payments::Sale, reconciliations::Reconciliation};

use crate::{
    reconcile::{DAY, FEE_MINOR, HOUR_MS, line, number, on_both},
    scheme_world::{AMOUNT_MINOR, Counter},
};

/// From one row a page and a run to several.
const NARROW: [Limits; 3] = [
    Limits { ours_page: 1, theirs_page: 1, sort_bytes: 0, found: 1_000 },
    Limits { ours_page: 2, theirs_page: 3, sort_bytes: 250, found: 1_000 },
    Limits { ours_page: 5, theirs_page: 2, sort_bytes: 700, found: 1_000 },
];

/// Chance that is the same each time (xorshift64).
struct Luck(u64);

impl Luck {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).unwrap()
    }

    fn shuffle<T>(&mut self, rows: &mut [T]) {
        for idx in (1..rows.len()).rev() {
            rows.swap(idx, self.below(idx + 1));
        }
    }
}

impl Counter {
    async fn compares_within(&self, limits: Limits) -> Reconciliation {
        let (scope, account) = (self.scope, self.accounts[0]);
        let run = reconcile::start_within(&self.app, scope, account, DAY, "usr_a", limits).await.unwrap();
        self.ended(&run).await
    }

    async fn sold(&self, n: usize) -> Vec<Sale> {
        let mut sales = Vec::new();
        for _ in 0..n {
            sales.push(self.sells(PaymentStatus::Succeeded).await);
        }
        self.later(24 * HOUR_MS);
        sales
    }
}

/// Lines about each sale (most once, some never or several times, not all as the books have them), strange ones and garbage.
fn bill(counter: &Counter, sales: &[Sale], luck: &mut Luck) -> Vec<BillLine> {
    let mut lines = vec![BillLine::Unreadable("合计,12,,".to_owned())];
    for sale in sales {
        for _ in 0..[1, 1, 1, 0, 2, 4][luck.below(6)] {
            let (minor, fee_minor) = [(0, 0), (0, 0), (-50, 0), (0, 1)][luck.below(4)];
            lines.push(counter.listed(sale, AMOUNT_MINOR + minor, FEE_MINOR + fee_minor));
        }
    }
    for strange in 0..luck.below(4) {
        let movement = Movement::ALL[luck.below(5)];
        lines.extend(vec![line(movement, &format!("WX-{strange}"), 300, 2, counter.app.now()); 1 + luck.below(3)]);
    }
    lines.extend(vec![BillLine::Unreadable("?".to_owned()); luck.below(5)]);
    luck.shuffle(&mut lines);
    lines
}

/// How many pairs agree, and what does not, as class and number.
fn in_memory(sales: &[Sale], bill: &[BillLine]) -> (u64, Vec<(String, String)>) {
    let mut listed: BTreeMap<(&str, Movement), Vec<(i64, i64)>> = BTreeMap::new();
    let mut found: Vec<(&str, &str)> = Vec::new();
    for line in bill {
        match line {
            BillLine::Unreadable(_) => found.push(("unreadable", "")),
            BillLine::Row(row) => listed
                .entry((&row.key.number, row.key.movement))
                .or_default()
                .push((row.side.money.minor(), row.side.fee.minor())),
        }
    }
    let mut agreed = 0;
    let numbers: Vec<String> = sales.iter().map(number).collect();
    for sale in &numbers {
        match listed.get(&(sale.as_str(), Movement::Payment)).and_then(|lines| lines.first()) {
            None => found.push(("missing_there", sale)),
            Some((AMOUNT_MINOR, FEE_MINOR)) => agreed += 1,
            Some((AMOUNT_MINOR, _)) => found.push(("fee", sale)),
            Some(_) => found.push(("amount", sale)),
        }
    }
    for ((number, _), lines) in &listed {
        found.extend(vec![("duplicate", *number); lines.len() - 1]);
        if number.starts_with("WX-") {
            found.push(("missing_here", number));
        }
    }
    found.sort_unstable();
    (agreed, found.into_iter().map(|(class, number)| (class.to_owned(), number.to_owned())).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_little_is_held_the_answer_is_the_one_of_memory() {
    on_both(async |counter: Counter| {
        let sales = counter.sold(12).await;
        let mut luck = Luck(20_260_921);
        for round in 0..6 {
            let mut bill = bill(&counter, &sales, &mut luck);
            counter.scheme.lists(DAY, bill.clone());
            let run = counter.compares_within(NARROW[round % NARROW.len()]).await;
            let result = run.result.clone().unwrap_or_else(|| panic!("{run:?}"));
            let (agreed, expected) = in_memory(&sales, &bill);
            let waiting = counter.waiting().await;
            let mut found: Vec<(String, String)> = waiting
                .iter()
                .map(|one| {
                    let number = one.finding.key.as_ref().map(|key| key.number.clone());
                    (one.finding.class.text().to_owned(), number.unwrap_or_default())
                })
                .collect();
            found.sort_unstable();
            assert_eq!((result.agreed, &found), (agreed, &expected), "round {round}: {bill:#?}");
            assert_eq!((result.ours, result.theirs), (12, bill.len() as u64));
            assert_eq!(result.found.values().sum::<u64>(), expected.len() as u64);
            // The same lines in another order are the same bill; and what is held changes nothing.
            luck.shuffle(&mut bill);
            counter.scheme.lists(DAY, bill);
            let again = counter.compares_within(Limits::USUAL).await;
            assert_eq!((again.bill, again.result), (run.bill, run.result), "round {round}");
        }
        counter.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn past_what_is_kept_the_counts_say_so_and_nothing_else_waits() {
    on_both(async |counter: Counter| {
        let sales = counter.sold(2).await;
        let now = counter.app.now();
        let strange = |n: usize| (0..n).map(move |nth| line(Movement::Payment, &format!("WX-{nth}"), 300, 2, now));
        counter.scheme.lists(DAY, strange(2).collect());
        let before = counter.compares_within(Limits::USUAL).await.result.unwrap();
        assert_eq!(
            (before.overflowed, counter.waiting().await.len()),
            (false, 4),
            "two sales that are not listed as well"
        );
        counter.scheme.lists(
            DAY,
            sales.iter().map(|sale| counter.listed(sale, AMOUNT_MINOR, FEE_MINOR)).chain(strange(9)).collect(),
        );
        let limits = Limits { found: 3, ..NARROW[0] };
        let result = counter.compares_within(limits).await.result.unwrap();
        assert_eq!((result.overflowed, result.agreed, result.found["missing_here"]), (true, 2, 9));
        assert_eq!(counter.waiting().await.len(), 3, "what may be over by now is not decided");
        let result = counter.compares_within(Limits { found: 9, ..limits }).await.result.unwrap();
        assert_eq!(
            (result.overflowed, counter.waiting().await.len()),
            (false, 9),
            "all are kept, and what is settled is closed"
        );
    })
    .await;
}
