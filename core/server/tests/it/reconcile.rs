//! A day's books against the channel's bill: what is found, what persons make of it, and what a later bill settles.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use saoma_channels::{BillLine, BillRow, Capability, Decline, DeclineCode, Failure, PaymentStatus};
use saoma_domain::{
    ledger::Account,
    recon::{Key, Movement, Side},
};
use saoma_protocol::{Currency, DiscrepancyId, Millis, Money, api::RefundKind};
use saoma_server::{
    payments::give_back,
    reconcile::{
        self, ReconcileError,
        resolve::{Deed, Keyed, act},
    },
};
use saoma_store::{
    StoreError,
    discrepancies::{self, Discrepancy, Filter},
    ledger,
    payments::Sale,
    reconciliations::{self, Reconciliation, State},
    tenants::LatePolicy,
    users::{self, NewUser, Role},
};

use crate::{
    fleet_world::eventually,
    postgres,
    scheme_world::{ALL, AMOUNT_MINOR, Counter, Say, giving_back},
};

/// 0.60 % of it, half up.
pub const FEE_MINOR: i64 = 8;
pub const HOUR_MS: i64 = 3_600_000;
/// Stories begin at eight in the evening of that day in Shanghai.
pub const DAY: &str = "2026-09-21";
pub const NEXT_DAY: &str = "2026-09-22";

/// The story on SQLite, then on PostgreSQL.
pub async fn on_both(story: impl AsyncFn(Counter)) {
    story(Counter::open(LatePolicy::Refund).await).await;
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    story(Counter::open_on(&database, folder, LatePolicy::Refund).await).await;
}

pub fn number(sale: &Sale) -> String {
    sale.payment.payment.id.to_string()
}

pub fn line(movement: Movement, number: &str, minor: i64, fee_minor: i64, at: Millis) -> BillLine {
    let money = |minor| Money::new(minor, Currency::CNY);
    BillLine::Row(BillRow {
        key: Key { number: number.to_owned(), movement },
        order_number: number.to_owned(),
        reference: String::new(),
        side: Side { money: money(minor), fee: money(fee_minor), at },
    })
}

impl Counter {
    pub fn listed(&self, sale: &Sale, minor: i64, fee_minor: i64) -> BillLine {
        line(Movement::Payment, &number(sale), minor, fee_minor, self.app.now())
    }

    pub async fn sells(&self, status: PaymentStatus) -> Sale {
        self.scheme.next("charge", Say::Status(status));
        self.charges().await
    }

    pub async fn starts(&self, day: &str) -> Reconciliation {
        reconcile::start(&self.app, self.scope, self.accounts[0], day, "usr_accountant").await.unwrap()
    }

    /// Runs to its end.
    pub async fn compares(&self, day: &str) -> Reconciliation {
        let (id, scope) = (self.starts(day).await.id, self.scope);
        let load = async || self.app.store().read(move |tx| reconciliations::load(tx, &scope, id)).await.unwrap();
        eventually("the comparison ends", async || load().await.state != State::Running).await;
        load().await
    }

    pub async fn found(&self, filter: Filter) -> Vec<Discrepancy> {
        let scope = self.scope;
        self.app.store().read(move |tx| discrepancies::list(tx, &scope, &filter, None, 200)).await.unwrap()
    }

    pub async fn waiting(&self) -> Vec<Discrepancy> {
        self.found(Filter { waiting: true, ..Filter::default() }).await
    }

    /// What deciding about those of a class that wait would move, in minor units.
    pub async fn waiting_of(&self, class: &str) -> Vec<i64> {
        let waiting = self.waiting().await;
        let of_class = waiting.iter().filter(|one| one.finding.class.text() == class);
        of_class.map(|one| one.correction.map_or(0, |correction| correction.amount.minor())).collect()
    }

    pub async fn acts(&self, id: DiscrepancyId, deed: Deed, actor: &str) -> Result<Discrepancy, ReconcileError> {
        act(&self.app, self.scope, id, deed, actor, any_key()).await
    }

    /// Books it away as it stands.
    pub async fn resolves(&self, id: DiscrepancyId) -> Result<Discrepancy, ReconcileError> {
        let deed = Deed::Resolve { reason: "as on the channel's page".to_owned(), version: self.version(id).await };
        self.acts(id, deed, "usr_a").await
    }

    /// Two persons write it off as it stands.
    pub async fn write_off(&self, id: DiscrepancyId) {
        let (reason, version) = ("nobody knows".to_owned(), self.version(id).await);
        self.acts(id, Deed::ProposeWriteOff { reason, version }, "usr_a").await.unwrap();
        let version = self.version(id).await;
        self.acts(id, Deed::ApproveWriteOff { version }, "usr_b").await.unwrap();
    }

    pub async fn version(&self, id: DiscrepancyId) -> u64 {
        let scope = self.scope;
        self.app.store().read(move |tx| discrepancies::load(tx, &scope, id)).await.unwrap().version
    }

    /// What the books say of the account, in minor units.
    pub async fn holds(&self, account: Account) -> i64 {
        let scope = self.scope;
        let balances = self.app.store().read(move |tx| ledger::balances(tx, &scope, None)).await.unwrap();
        balances.iter().filter(|balance| balance.account == account).map(|balance| balance.money.minor()).sum()
    }
}

/// A key that no other request has.
pub fn any_key() -> Keyed {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Keyed { key: NEXT.fetch_add(1, Ordering::Relaxed).to_string(), fingerprint: [0; 32] }
}

/// `class number-of-line fields fix state`, by the name of the number.
pub fn told(found: &[Discrepancy], names: &BTreeMap<String, &str>) -> Vec<String> {
    let mut told: Vec<String> = found
        .iter()
        .map(|one| {
            let finding = &one.finding;
            let name = finding.key.as_ref().map_or("-", |key| names.get(&key.number).copied().unwrap_or(&key.number));
            let fields: Vec<&str> = finding.fields.iter().map(|field| field.text()).collect();
            format!(
                "{} {name} [{}] {} {}",
                finding.class.text(),
                fields.join(" "),
                finding.fix.text(),
                one.standing.text()
            )
        })
        .collect();
    told.sort();
    told
}

pub fn of(found: &[Discrepancy], class: &str, number: &str) -> Discrepancy {
    let is_it = |one: &&Discrepancy| {
        one.finding.class.text() == class && one.finding.key.as_ref().is_none_or(|key| key.number == number)
    };
    found.iter().find(is_it).unwrap_or_else(|| panic!("no {class} of {number} in {found:?}")).clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_difference_is_found_and_a_repeat_finds_nothing_new() {
    on_both(async |counter: Counter| {
        let declined = PaymentStatus::Failed(Decline { code: DeclineCode::Declined, message: String::new() });
        let mut names = BTreeMap::new();
        let mut sales = Vec::new();
        for name in ["whole", "fee", "amount", "dollars", "unlisted", "twice"] {
            sales.push(counter.sells(PaymentStatus::Succeeded).await);
            names.insert(number(sales.last().unwrap()), name);
        }
        let refused = counter.sells(declined).await;
        names.insert(number(&refused), "declined");
        // Voided on the day: the scheme forgets both. Its fee stays in the books, by the plan of this account.
        let voided = counter.sells(PaymentStatus::Succeeded).await;
        names.insert(number(&voided), "voided");
        counter.scheme.next("cancel", Say::Status(PaymentStatus::Closed));
        let wish = giving_back(7, voided.payment.payment.id, RefundKind::Void, None);
        give_back(&counter.app, counter.scope, wish).await.unwrap();
        // Sold after midnight by our clock, before it by the scheme's.
        counter.later(5 * HOUR_MS);
        let late = counter.sells(PaymentStatus::Succeeded).await;
        names.insert(number(&late), "late");
        counter.later(24 * HOUR_MS);

        let dollars = BillLine::Row(BillRow {
            key: Key { number: number(&sales[3]), movement: Movement::Payment },
            order_number: number(&sales[3]),
            reference: String::new(),
            side: Side {
                money: Money::new(AMOUNT_MINOR, Currency::USD),
                fee: Money::new(FEE_MINOR, Currency::USD),
                at: counter.app.now(),
            },
        });
        let bill = vec![
            counter.listed(&late, AMOUNT_MINOR, FEE_MINOR),
            counter.listed(&sales[2], AMOUNT_MINOR - 50, FEE_MINOR),
            BillLine::Unreadable("合计,12,,".to_owned()),
            counter.listed(&sales[5], AMOUNT_MINOR, FEE_MINOR),
            counter.listed(&sales[1], AMOUNT_MINOR, FEE_MINOR + 2),
            counter.listed(&sales[5], AMOUNT_MINOR, FEE_MINOR),
            dollars,
            line(Movement::Payment, "WX-1", 300, 2, counter.app.now()),
            counter.listed(&refused, AMOUNT_MINOR, FEE_MINOR),
            counter.listed(&sales[0], AMOUNT_MINOR, FEE_MINOR),
        ];
        counter.scheme.lists(DAY, bill.clone());
        let run = counter.compares(DAY).await;
        let result = run.result.clone().unwrap_or_else(|| panic!("{run:?}"));
        assert_eq!((result.revision, result.ours, result.theirs, result.agreed, result.netted), (1, 8, 10, 2, 0));
        let counts: Vec<(&str, u64)> = result.found.iter().map(|(class, count)| (class.as_str(), *count)).collect();
        assert_eq!(
            counts,
            [
                ("amount", 1),
                ("currency", 1),
                ("cut_off", 1),
                ("duplicate", 1),
                ("fee", 2),
                ("missing_here", 1),
                ("missing_there", 1),
                ("status", 1),
                ("unreadable", 1),
            ]
        );
        let sums = result.sums[&Currency::CNY];
        assert_eq!((sums.ours_minor, sums.ours_fee_minor), (6 * AMOUNT_MINOR, 7 * FEE_MINOR));
        assert_eq!((sums.theirs_minor, sums.theirs_fee_minor), (7 * AMOUNT_MINOR - 50 + 300, 7 * FEE_MINOR + 4));
        assert_eq!(result.sums[&Currency::USD].theirs_minor, AMOUNT_MINOR);

        let found = counter.found(Filter::default()).await;
        let expected = [
            "amount amount [amount] claim_from_channel open",
            "currency dollars [currency] claim_from_channel open",
            "duplicate twice [] claim_from_channel open",
            "fee fee [fee] follow_bill open",
            "fee voided [fee] follow_bill open",
            "missing_here WX-1 [] follow_bill open",
            "missing_there unlisted [] wait_for_next_bill open",
            "status declined [status] settle_payment open",
            "unreadable - [] fetch_again open",
        ];
        assert_eq!(told(&found, &names), expected);
        let duplicate = of(&found, "duplicate", &number(&sales[5]));
        assert_eq!((duplicate.finding.line, of(&found, "unreadable", "").finding.line), (Some(6), Some(3)));
        assert_eq!(of(&found, "status", &number(&refused)).finding.words.as_deref(), Some("failed"));

        // The same bill again is the same revision, and nothing is found twice.
        let again = counter.compares(DAY).await.result.unwrap();
        assert_eq!((again.revision, again.found), (1, result.found));
        assert_eq!(told(&counter.found(Filter::default()).await, &names), expected);

        // The next day's bill has what this one lacked, and its own sale is on the day before: both days agree.
        counter.scheme.lists(NEXT_DAY, vec![counter.listed(&sales[4], AMOUNT_MINOR, FEE_MINOR)]);
        let next = counter.compares(NEXT_DAY).await.result.unwrap();
        assert_eq!((next.ours, next.agreed, next.found.get("cut_off")), (1, 0, Some(&2)));
        let settled = of(&counter.found(Filter::default()).await, "missing_there", &number(&sales[4]));
        assert_eq!((settled.standing.text(), settled.decided_by.as_deref()), ("closed", Some("core")));

        // The scheme mends its bill: another revision, and what it settles is closed.
        let mut mended = bill;
        mended.retain(|line| !matches!(line, BillLine::Unreadable(_)));
        mended[1] = counter.listed(&sales[2], AMOUNT_MINOR, FEE_MINOR);
        counter.scheme.lists(DAY, mended);
        let revised = counter.compares(DAY).await.result.unwrap();
        assert_eq!((revised.revision, revised.agreed), (2, 3));
        let waiting = told(&counter.waiting().await, &names);
        assert!(!waiting.iter().any(|one| one.starts_with("amount") || one.starts_with("unreadable")), "{waiting:?}");
        counter.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn persons_book_differences_away_or_two_of_them_write_them_off() {
    on_both(async |counter: Counter| {
        let mut sales = Vec::new();
        for _ in 0..4 {
            sales.push(counter.sells(PaymentStatus::Succeeded).await);
        }
        counter.later(48 * HOUR_MS);
        let bill = vec![
            counter.listed(&sales[0], AMOUNT_MINOR - 50, FEE_MINOR + 1),
            counter.listed(&sales[1], AMOUNT_MINOR, FEE_MINOR - 3),
            line(Movement::Payment, "WX-1", 300, 2, counter.app.now()),
            line(Movement::Refund, "WX-2", 40, 0, counter.app.now()),
            BillLine::Unreadable("?".to_owned()),
            counter.listed(&sales[3], AMOUNT_MINOR, FEE_MINOR),
        ];
        counter.scheme.lists(DAY, bill.clone());
        counter.compares(DAY).await;
        let before = counter.holds(Account::ChannelClearing).await;
        assert_eq!(before, 4 * (AMOUNT_MINOR - FEE_MINOR));
        let found = counter.waiting().await;
        let [amount, fee, lacking, strange, taken] = [
            of(&found, "amount", &number(&sales[0])),
            of(&found, "fee", &number(&sales[1])),
            of(&found, "missing_there", &number(&sales[2])),
            of(&found, "missing_here", "WX-1"),
            of(&found, "missing_here", "WX-2"),
        ]
        .map(|one| one.id);
        let reason = || "as on the channel's page".to_owned();

        // Given to somebody of the merchant's; nobody else can have it.
        let scope = counter.scope;
        let mei = NewUser {
            id: saoma_protocol::UserId::from_bytes([9; 16]),
            login: "mei".to_owned(),
            name: "Mei".to_owned(),
            role: Role::Accountant,
            password_hash: saoma_store::Opaque("$argon2id$x".to_owned()),
            must_change_password: false,
            created_at: counter.app.now(),
        };
        let to = mei.id;
        counter.app.store().write(move |tx| users::create(tx, &scope, &mei)).await.unwrap();
        let stranger = saoma_protocol::UserId::from_bytes([8; 16]);
        let refused = counter.acts(amount, Deed::Assign { to: stranger }, "usr_a").await;
        assert!(matches!(refused, Err(ReconcileError::Store(StoreError::NotFound { .. }))), "{refused:?}");
        let assigned = counter.acts(amount, Deed::Assign { to }, "usr_a").await.unwrap();
        assert_eq!((assigned.standing.text(), assigned.assigned_to), ("assigned", Some(to)));

        for id in [amount, fee, strange, taken] {
            let done = counter.resolves(id).await.unwrap();
            assert_eq!((done.standing.text(), done.decided_by.as_deref()), ("resolved", Some("usr_a")));
            let twice = counter.resolves(id).await;
            assert!(matches!(twice, Err(ReconcileError::Refused(_))), "{twice:?}");
        }
        let propose = async |id, actor| {
            let deed = Deed::ProposeWriteOff { reason: reason(), version: counter.version(id).await };
            counter.acts(id, deed, actor).await.unwrap().version
        };
        let version = propose(lacking, "usr_a").await;
        let alone = counter.acts(lacking, Deed::ApproveWriteOff { version }, "usr_a").await;
        assert!(
            matches!(alone, Err(ReconcileError::Refused(saoma_domain::recon::StepRefusal::SamePerson))),
            "{alone:?}"
        );
        counter.acts(lacking, Deed::DeclineWriteOff, "usr_b").await.unwrap();
        let version = propose(lacking, "usr_b").await;
        assert_eq!(counter.holds(Account::RiskLoss).await, 0, "nothing is booked by a proposal");
        let unseen = counter.acts(lacking, Deed::ApproveWriteOff { version: version - 1 }, "usr_a").await;
        assert!(matches!(unseen, Err(ReconcileError::Store(StoreError::Stale { .. }))), "{unseen:?}");
        counter.acts(lacking, Deed::ApproveWriteOff { version }, "usr_a").await.unwrap();
        let garbage = of(&found, "unreadable", "").id;
        let posted = counter.resolves(garbage).await;
        assert!(matches!(posted, Err(ReconcileError::Refused(_))), "{posted:?}");
        counter.write_off(garbage).await;

        // The clearing account is what the bill comes to.
        let net = |line: &BillLine| match line {
            BillLine::Row(row) if row.key.movement.is_income() => row.side.money.minor() - row.side.fee.minor(),
            BillLine::Row(row) => -row.side.money.minor() - row.side.fee.minor(),
            BillLine::Unreadable(_) => 0,
        };
        assert_eq!(counter.holds(Account::ChannelClearing).await, bill.iter().map(net).sum::<i64>());
        assert_eq!(counter.holds(Account::RiskLoss).await, AMOUNT_MINOR - FEE_MINOR);
        assert_eq!(counter.holds(Account::Fees).await, 4 * FEE_MINOR + 1 - 3 + 2);
        counter.books_hold().await;
        // Compared again, nothing comes back, though the sides differ as before.
        let again = counter.compares(DAY).await.result.unwrap();
        assert_eq!((again.found.get("fee"), again.found.get("amount")), (Some(&1), Some(&1)));
        assert_eq!(counter.waiting().await, [], "what was decided stays decided");
        counter.books_hold().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn days_that_are_ready_are_compared_by_themselves() {
    on_both(async |counter: Counter| {
        let sale = counter.sells(PaymentStatus::Succeeded).await;
        let scope = counter.scope;
        let account = counter.accounts[0];
        let accounts = counter.app.store().read(move |tx| saoma_store::channel_accounts::load(tx, &scope, account));
        let stored = accounts.await.unwrap();
        let due = async || reconcile::due_days(&counter.app, counter.scope, &stored).await.unwrap();
        assert_eq!(due().await, [""; 0], "the day is not over");
        let early = reconcile::start(&counter.app, counter.scope, account, DAY, "usr_a").await;
        assert!(matches!(early, Err(ReconcileError::DayOpen(_))), "{early:?}");
        // Midnight and 59 minutes; then an hour after midnight.
        counter.later(4 * HOUR_MS + 59 * 60_000);
        assert_eq!(due().await, [""; 0], "the bill is not ready");
        counter.later(60_000);
        assert_eq!(due().await, [DAY]);
        // There is no bill yet: the run fails, and is tried again after a pause.
        let failed = counter.compares(DAY).await;
        assert_eq!((failed.state, due().await.len()), (State::Failed, 0));
        assert!(failed.words.unwrap().contains("no such bill yet"));
        counter.later(300_000);
        assert_eq!(due().await, [DAY]);
        counter.scheme.next("fetch_bill", Say::Fails(Failure::NoAnswer { why: "a cut line".to_owned() }));
        assert_eq!(counter.compares(DAY).await.state, State::Failed);
        counter.later(599_000);
        assert_eq!(due().await, [""; 0], "twice as long");
        counter.later(48 * HOUR_MS);
        let days: Vec<String> = due().await;
        assert_eq!(days, [DAY, NEXT_DAY, "2026-09-23"]);

        for day in [DAY, NEXT_DAY, "2026-09-23"] {
            counter.scheme.lists(day, Vec::new());
        }
        counter.scheme.lists(DAY, vec![counter.listed(&sale, AMOUNT_MINOR, FEE_MINOR)]);
        let workers = counter.workers();
        let list = async || {
            let runs = counter
                .app
                .store()
                .read(move |tx| reconciliations::list(tx, &scope, Some(account), Some(DAY), None, 9));
            runs.await.unwrap()
        };
        eventually("the oldest day is compared", async || list().await[0].state == State::Done).await;
        let run = list().await.remove(0);
        assert_eq!((run.started_by.as_str(), run.result.unwrap().agreed), ("core", 1));
        workers.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    let counter = Counter::open(LatePolicy::Refund).await;
    counter.later(48 * HOUR_MS);
    let start = async |account, day: &str| reconcile::start(&counter.app, counter.scope, account, day, "usr_a").await;
    for day in ["", "2026-02-29", "20260921", "yesterday", "9999-12-31"] {
        let refused = start(counter.accounts[0], day).await;
        assert!(matches!(refused, Err(ReconcileError::Day(_))), "{day}: {refused:?}");
    }
    let nobody = start(saoma_protocol::ChannelAccountId::from_bytes([1; 16]), DAY).await;
    assert!(matches!(nobody, Err(ReconcileError::Store(StoreError::NotFound { .. }))), "{nobody:?}");
    let without: Vec<Capability> = ALL.iter().copied().filter(|one| *one != Capability::Bills).collect();
    counter.scheme.install(Some(&without));
    assert!(matches!(start(counter.accounts[0], DAY).await, Err(ReconcileError::NoBills(_))));
    counter.scheme.install(None);
    assert!(matches!(start(counter.accounts[0], DAY).await, Err(ReconcileError::Channel(_))));
    counter.scheme.install(Some(ALL));
    // A day on which nothing was sold and nothing is listed.
    counter.scheme.lists(DAY, Vec::new());
    let empty = counter.compares(DAY).await.result.unwrap();
    assert_eq!((empty.ours, empty.theirs, empty.found.len()), (0, 0, 0));
}
