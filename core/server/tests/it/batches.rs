//! Cashiers' shifts as terminals' journals bring them in, and what the merchant's people see of them.

use saoma_protocol::{
    Amount, BatchId, Currency, Millis, Money, PaymentId, RefundId, Sequence,
    api::PaymentState,
    journal::{CoreTime, Entry, GENESIS, Method, Record, Stamp},
};
use saoma_server::batches::Compared;
use saoma_store::{StoreError, access, batches};
use serde_json::{Value, json};

use crate::town::{Merchant, Till, Town, charge, text};

pub fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

pub fn cash(minor: i64) -> Money {
    Money::new(minor, Currency::CNY)
}

/// A till with its journal.
pub struct Desk {
    pub till: Till,
    merchant: String,
    entries: Vec<Entry>,
    counter: u64,
    pub at: Millis,
    /// What the terminal knows of core's time.
    pub core_time: CoreTime,
}

impl Desk {
    pub async fn open(town: &Town, merchant: &Merchant) -> Self {
        let till = town.till(merchant).await;
        // A moment ago: what happens at core meanwhile is within the batch.
        let at = town.running().app().now().plus(-1_000);
        Self { till, merchant: merchant.id.clone(), entries: Vec::new(), counter: 0, at, core_time: CoreTime::Unsaid }
    }

    pub fn write(&mut self, record: Record) {
        let prev = self.entries.last().map_or(GENESIS, Entry::hash);
        let sequence = Sequence(self.entries.len() as u64 + 1);
        let at = Stamp { machine: self.at, core: self.core_time };
        self.entries.push(Entry::new(sequence, at, prev, record).unwrap());
    }

    pub fn next_sale(&mut self) -> PaymentId {
        self.counter += 1;
        PaymentId::for_sale(self.merchant.parse().unwrap(), self.till.id.parse().unwrap(), Sequence(self.counter))
    }

    pub fn sign_on(&mut self, batch: u64, float: Money) {
        self.write(Record::ShiftOpened {
            batch: Sequence(batch),
            cashier: "李雷".to_owned(),
            cashier_number: "07".to_owned(),
            float,
        });
    }

    pub fn cash_sale(&mut self, minor: i64) -> PaymentId {
        let payment = self.next_sale();
        self.write(Record::CashSale {
            payment,
            counter: Sequence(self.counter),
            amount: cny(minor),
            tendered_minor: minor,
            goods: Vec::new(),
            cashier: "李雷".to_owned(),
            split: None,
            quote: None,
            reference: None,
        });
        payment
    }

    pub fn cash_back(&mut self, payment: PaymentId, number: u8, minor: i64, void: bool) {
        let refund = RefundId::from_bytes([number; 16]);
        self.write(Record::CashRefund {
            refund,
            payment,
            amount: cny(minor),
            void,
            cashier: "李雷".to_owned(),
            approved_by: None,
        });
    }

    pub fn keyed(&mut self, payment: PaymentId, minor: i64) {
        self.write(Record::SaleKeyed {
            payment,
            counter: Sequence(self.counter),
            amount: cny(minor),
            method: Method::CustomerPresented,
            goods: Vec::new(),
            cashier: "李雷".to_owned(),
            split: None,
            quote: None,
        });
    }

    pub fn settled(&mut self, payment: PaymentId, state: PaymentState) {
        self.write(Record::SaleSettled { payment, state, amount_refunded_minor: 0 });
    }

    pub fn paid_in(&mut self, batch: u64, minor: i64) {
        let (batch, amount, reason, cashier) = (Sequence(batch), cny(minor), "零钱".to_owned(), "李雷".to_owned());
        self.write(Record::PaidIn { batch, amount, reason, cashier });
    }

    pub fn paid_out(&mut self, batch: u64, minor: i64) {
        let (batch, amount, reason, cashier) = (Sequence(batch), cny(minor), "milk".to_owned(), "李雷".to_owned());
        self.write(Record::PaidOut { batch, amount, reason, cashier });
    }

    pub fn close(&mut self, batch: u64, counted: Money, expected: Money) {
        self.at = self.at.plus(3_600_000);
        self.write(Record::ShiftClosed { batch: Sequence(batch), counted, expected, cashier: "李雷".to_owned() });
    }

    /// A sale that core makes of a customer's code, as the terminal asks for it.
    pub async fn sold(&mut self, town: &Town, minor: i64) -> PaymentId {
        let payment = self.next_sale();
        let mut sale = charge(minor, &town.code_of("alice").await);
        sale["counter"] = json!(self.counter);
        let sold: Value = self.till.door.post("/v1/payments").key(&payment.to_string()).json(&sale).await.json(201);
        assert_eq!(sold["state"], "succeeded", "{sold}");
        payment
    }

    /// Sends the whole journal, as after a lost answer; what core says needs a person, by number and first words.
    pub async fn send(&self) -> Vec<(u64, String)> {
        let batch = self.till.identity.signed(self.merchant.parse().unwrap(), &self.entries);
        let ack: Value = self.till.door.post("/v1/terminal/journal").json(&batch).await.json(200);
        assert_eq!(ack["through"], self.entries.len() as u64, "{ack}");
        let verdicts = ack["verdicts"].as_array().unwrap();
        verdicts
            .iter()
            .map(|verdict| {
                assert_eq!(verdict["verdict"], "held", "{verdict}");
                (verdict["sequence"].as_u64().unwrap(), text(verdict, "/why").to_owned())
            })
            .collect()
    }

    pub fn batch(&self, number: u64) -> String {
        let (tenant, terminal) = (self.merchant.parse().unwrap(), self.till.id.parse().unwrap());
        BatchId::of(tenant, terminal, Sequence(number)).to_string()
    }
}

/// What accounts hold, of those named: debits are positive.
pub async fn balances(merchant: &Merchant, accounts: &[&str]) -> Vec<i64> {
    let balance: Value = merchant.owner.get("/v1/ledger/trial-balance").await.json(200);
    let lines = balance["accounts"].as_array().unwrap();
    let of = |account: &&str| {
        let line = lines.iter().find(|line| line["account"] == **account);
        line.map_or(0, |line| line["balance"]["minor"].as_i64().unwrap())
    };
    accounts.iter().map(of).collect()
}

pub async fn shown(merchant: &Merchant, batch: &str) -> Value {
    merchant.owner.get(&format!("/v1/batches/{batch}")).await.json(200)
}

/// Each difference as `subject class fix`, those that are over in brackets.
pub fn differences(shown: &Value) -> Vec<String> {
    let word = |difference: &Value, name: &str| difference[name].as_str().unwrap().to_owned();
    let told = |difference: &Value| {
        let words = ["subject", "class", "fix"].map(|name| word(difference, name)).join(" ");
        if difference["closed_at"].is_null() { words } else { format!("({words})") }
    };
    shown["differences"].as_array().unwrap().iter().map(told).collect()
}

/// The battery is dead and the machine stands in 1970. What its terminal had heard of core's time is what is booked, whenever it comes in.
#[actix_web::test]
async fn a_shift_by_a_clock_in_1970_is_of_the_day_that_its_terminal_had_from_core() {
    const HOUR_MS: i64 = 3_600_000;
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    let opened_at = desk.at.plus(-30 * HOUR_MS);
    let hours = |hours: i64| CoreTime::At(opened_at.plus(hours * HOUR_MS));
    (desk.at, desk.core_time) = (Millis(5_000), hours(0));
    desk.sign_on(1, cash(0));
    desk.core_time = hours(1);
    let sold = desk.cash_sale(1_250);
    // Set right by a person in the middle of the shift, and a year too far.
    (desk.at, desk.core_time) = (opened_at.plus(366 * 24 * HOUR_MS), hours(2));
    desk.cash_back(sold, 1, 250, false);
    desk.core_time = hours(8);
    desk.close(1, cash(1_000), cash(1_000));
    assert_eq!(desk.send().await, []);
    let batch = shown(&jade, &desk.batch(1)).await["batch"].clone();
    let closed_at = opened_at.plus(8 * HOUR_MS).0;
    assert_eq!((&batch["opened_at"], &batch["closed"]["at"]), (&json!(opened_at), &json!(closed_at)), "{batch}");
    let sale: Value = jade.owner.get(&format!("/v1/payments/{sold}")).await.json(200);
    assert_eq!(sale["created_at"], json!(opened_at.plus(HOUR_MS)), "{sale}");
    let refunds: Value = jade.owner.get(&format!("/v1/payments/{sold}/refunds")).await.json(200);
    assert_eq!(refunds["items"][0]["created_at"], json!(opened_at.plus(2 * HOUR_MS)), "{refunds}");
    // The day of the books.
    let on = |from: i64, to: i64| format!("/v1/payments?from={}&to={}", opened_at.plus(from).0, opened_at.plus(to).0);
    let that_hour: Value = jade.owner.get(&on(HOUR_MS, HOUR_MS + 1)).await.json(200);
    assert_eq!(that_hour["items"].as_array().map(Vec::len), Some(1), "{that_hour}");
}

pub const DRAWER: [&str; 3] = ["cash_in_drawer", "cash_in_safe", "cash_over_short"];

#[actix_web::test]
async fn a_shift_from_signing_on_to_the_close() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.sign_on(1, cash(50_000));
    let first = desk.cash_sale(1_250);
    desk.cash_sale(300);
    desk.cash_back(first, 1, 250, false);
    let undone = desk.cash_sale(700);
    desk.cash_back(undone, 2, 700, true);
    desk.paid_in(1, 10_000);
    desk.paid_out(1, 4_000);
    assert_eq!(desk.send().await, []);
    let expected = 50_000 + 1_250 + 300 - 250 + 700 - 700 + 10_000 - 4_000;
    assert_eq!(balances(&jade, &DRAWER).await, [expected, -56_000, 0]);
    let open = shown(&jade, &desk.batch(1)).await;
    assert_eq!(open["batch"]["closed"], Value::Null);
    assert_eq!(open["drawer"]["expected"]["minor"], expected);

    let scanned = desk.sold(&town, 1_880).await;
    desk.keyed(scanned, 1_880);
    desk.settled(scanned, PaymentState::Succeeded);
    desk.close(1, cash(expected - 100), cash(expected));
    assert_eq!(desk.send().await, []);
    // One yuan is missing; what was counted went to the safe.
    assert_eq!(balances(&jade, &DRAWER).await, [0, -56_000 + expected - 100, 100]);

    let rows = town.rows_at_rest(&jade.id).await;
    assert_eq!(desk.send().await, [], "again, after a lost answer");
    assert_eq!(town.rows_of(&jade.id), rows);

    let detail = shown(&jade, &desk.batch(1)).await;
    let closed = &detail["batch"]["closed"];
    assert_eq!(
        (&closed["expected"]["minor"], &closed["counted"]["minor"], &closed["difference"]["minor"], &closed["by"]),
        (&json!(expected), &json!(expected - 100), &json!(-100), &json!("李雷"))
    );
    assert_eq!(
        detail["totals"],
        json!([
            { "channel": "cash", "currency": "CNY", "sales": { "count": 3, "minor": 2_250 },
              "refunds": { "count": 1, "minor": 250 }, "voids": { "count": 1, "minor": 700 } },
            { "channel": "sandbox", "currency": "CNY", "sales": { "count": 1, "minor": 1_880 },
              "refunds": { "count": 0, "minor": 0 }, "voids": { "count": 0, "minor": 0 } },
        ])
    );
    assert_eq!(differences(&detail), [""; 0]);
    let moved: Vec<&Value> = detail["movements"].as_array().unwrap().iter().map(|movement| &movement["kind"]).collect();
    assert_eq!(moved, ["paid_in", "paid_out"]);

    let statement: Value = jade.owner.get(&format!("/v1/batches/{}/settlement", desk.batch(1))).await.json(200);
    let lines: Vec<(Value, i64, i64)> = statement["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let sum = |name: &str| line[name].as_i64().unwrap();
            (line["channel_account"].clone(), sum("gross_minor"), sum("refunded_minor"))
        })
        .collect();
    assert_eq!(lines, [(Value::Null, 2_250, 950), (json!(jade.account), 1_880, 0)]);
    let file = jade.owner.get(&format!("/v1/batches/{}/settlement/export?format=csv", desk.batch(1))).await;
    assert_eq!(file.status, 200);
    assert!(
        file.text.lines().any(|line| line.contains(",cash,CNY,3,22.50,2,9.50,0.00,0.00,0.00,13.00")),
        "{}",
        file.text
    );
    jade.books_balance().await;
}

/// The next shift begins with an empty drawer; numbers and days part the list.
#[actix_web::test]
async fn batches_are_listed_by_till_and_day() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (mut one, mut other) = (Desk::open(&town, &jade).await, Desk::open(&town, &jade).await);
    for number in 1..=3 {
        one.sign_on(number, cash(1_000));
        one.cash_sale(10);
        one.close(number, cash(1_010), cash(1_010));
    }
    other.sign_on(1, cash(0));
    assert_eq!((one.send().await, other.send().await), (Vec::new(), Vec::new()));
    assert_eq!(balances(&jade, &DRAWER).await, [0, 30, 0]);
    let list = async |query: &str| -> Value { jade.owner.get(&format!("/v1/batches?{query}")).await.json(200) };
    let numbers = |page: &Value| -> Vec<u64> {
        page["items"].as_array().unwrap().iter().map(|batch| batch["number"].as_u64().unwrap()).collect()
    };
    assert_eq!(numbers(&list("").await).len(), 4);
    let of_one = format!("terminal={}", one.till.id);
    let page = list(&format!("{of_one}&limit=2")).await;
    assert_eq!(numbers(&page).len(), 2);
    let rest = list(&format!("{of_one}&limit=2&cursor={}", text(&page, "/next_cursor"))).await;
    assert_eq!((numbers(&rest).len(), &rest["next_cursor"]), (1, &Value::Null));
    assert_eq!(numbers(&list(&format!("store={}", jade.store)).await).len(), 4);
    assert!(numbers(&list("day=2026-01-31").await).is_empty());
    for (query, why) in [("day=31.01.2026", "day must be a day"), ("cursor=x", "cursor"), ("limit=0", "limit")] {
        let refused = jade.owner.get(&format!("/v1/batches?{query}")).await;
        assert_eq!(refused.refusal(), (422, "invalid".to_owned()));
        assert!(refused.text.contains(why), "{}", refused.text);
    }
}

#[actix_web::test]
async fn what_does_not_follow_is_held_and_books_nothing() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.paid_in(1, 100);
    desk.close(1, cash(0), cash(0));
    desk.sign_on(0, cash(0));
    desk.sign_on(1, cash(-1));
    desk.sign_on(1, cash(1_000_000_000_000));
    desk.sign_on(u64::MAX, cash(0));
    desk.sign_on(5, cash(100));
    desk.sign_on(6, cash(100));
    desk.paid_out(4, 1);
    desk.write(Record::PaidIn {
        batch: Sequence(5),
        amount: Amount::new(1, Currency::USD).unwrap(),
        reason: "x".to_owned(),
        cashier: "x".to_owned(),
    });
    desk.close(5, Money::new(0, Currency::USD), cash(0));
    desk.close(5, cash(-1), cash(0));
    desk.close(5, cash(1_000_000_000_000), cash(0));
    desk.close(6, cash(0), cash(0));
    let held = desk.send().await;
    let numbers: Vec<u64> = held.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 14], "{held:?}");
    for (number, words) in [
        (1, "no batch is open"),
        (3, "does not come after"),
        (4, "float"),
        (8, "while batch 5 is open"),
        (9, "of batch 4, and batch 5"),
        (10, "USD"),
        (12, "cannot be what a drawer held"),
        (14, "of batch 6"),
    ] {
        assert!(held.iter().any(|(at, why)| *at == number && why.contains(words)), "{number} {words}: {held:?}");
    }
    assert_eq!(balances(&jade, &DRAWER).await, [100, -100, 0]);
    assert_eq!(desk.send().await, held, "the same verdicts again");
    // What follows is taken all the same, and a number that was used does not come again.
    desk.close(5, cash(100), cash(100));
    desk.sign_on(5, cash(0));
    desk.sign_on(6, cash(0));
    let later: Vec<u64> = desk.send().await.iter().map(|(number, _)| *number).filter(|number| *number > 14).collect();
    assert_eq!(later, [16]);
    assert_eq!(balances(&jade, &DRAWER).await, [0, 0, 0]);
    jade.books_balance().await;
}

#[actix_web::test]
async fn the_terminal_leg_finds_what_differs_and_what_is_mended() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let mut desk = Desk::open(&town, &jade).await;
    desk.sign_on(1, cash(0));
    let agreed = desk.sold(&town, 500).await;
    desk.keyed(agreed, 500);
    desk.settled(agreed, PaymentState::Succeeded);
    // The journal has never heard how it ended.
    let unheard = desk.sold(&town, 600).await;
    desk.keyed(unheard, 600);
    let cheaper = desk.sold(&town, 700).await;
    desk.keyed(cheaper, 699);
    desk.settled(cheaper, PaymentState::Succeeded);
    // The journal claims what core has never seen; and gave up what never reached core, which is right.
    let claimed = desk.next_sale();
    desk.keyed(claimed, 800);
    desk.settled(claimed, PaymentState::Succeeded);
    let given_up = desk.next_sale();
    desk.keyed(given_up, 900);
    desk.settled(given_up, PaymentState::Failed);
    // Core has it, and the journal does not.
    let unkeyed = desk.sold(&town, 1_000).await;
    // The terminal expected more than was booked.
    desk.close(1, cash(0), cash(5));
    assert_eq!(desk.send().await, []);
    let batch = desk.batch(1);
    let mut expected = vec![
        format!("{unheard} state send_journal"),
        format!("{cheaper} amount look_at_terminal"),
        format!("{claimed} missing_here look_at_terminal"),
        format!("{unkeyed} missing_there send_journal"),
        format!("{batch} expected look_at_terminal"),
    ];
    expected.sort();
    let detail = shown(&jade, &batch).await;
    assert_eq!(differences(&detail), expected);
    assert_eq!(detail["batch"]["differences"], 5);
    let amount = detail["differences"].as_array().unwrap().iter().find(|one| one["class"] == "amount").unwrap();
    assert_eq!(
        (&amount["terminal"]["amount"]["minor"], &amount["core"]["amount"]["minor"], &amount["fields"]),
        (&json!(699), &json!(700), &json!(["amount"]))
    );
    let listed: Value = jade.owner.get("/v1/batches").await.json(200);
    assert_eq!(listed["items"][0]["differences"], 5);

    // The day of the terminal says the same of the sales, shift or not.
    let today = saoma_server::period::local_day(town.running().app().now(), "Etc/UTC");
    let day: Value = jade.owner.get(&format!("/v1/terminals/{}/leg?day={today}", desk.till.id)).await.json(200);
    let mut of_day = differences(&day);
    of_day.sort();
    assert_eq!(of_day, expected[1..].to_vec());
    assert_eq!((&day["rows"], &day["agreed"]), (&json!(6), &json!(2)));

    // The terminal learns how it ended; the next look closes that difference and leaves the others.
    desk.settled(unheard, PaymentState::Succeeded);
    assert_eq!(desk.send().await, []);
    look_again(&town, &jade, &batch).await;
    let told = differences(&shown(&jade, &batch).await);
    assert!(told.contains(&format!("({unheard} state send_journal)")) && told.len() == 5, "{told:?}");
    let rows =
        || town.column("SELECT subject || found_at || COALESCE(closed_at, '') AS text FROM leg_differences ORDER BY 1");
    let before = rows();
    look_again(&town, &jade, &batch).await;
    assert_eq!(rows(), before, "what stays the same is not written again");
}

/// What the worker does every few minutes.
pub async fn look_again(town: &Town, merchant: &Merchant, batch: &str) {
    let (app, tenant, batch) = (town.running().app(), merchant.id.parse().unwrap(), batch.parse().unwrap());
    let now = app.now();
    let looked = app.store().write(move |tx| {
        let scope = access::enter_tenant(tx, &access::process(), tenant)?;
        let batch = batches::load(tx, &scope, batch)?;
        saoma_server::batches::compare(tx, &scope, &Compared::Batch(&batch), now)?;
        Ok::<_, StoreError>(())
    });
    looked.await.unwrap();
}

/// A journal may name anything: what is another terminal's or merchant's is of no batch of its own.
#[actix_web::test]
async fn a_journal_takes_nothing_of_others_into_its_batch() {
    let town = Town::found().await;
    let (jade, rust) = (town.merchant("jade").await, town.merchant("rust").await);
    let mut victim = Desk::open(&town, &jade).await;
    let (mut neighbour, mut stranger) = (Desk::open(&town, &jade).await, Desk::open(&town, &rust).await);
    victim.sign_on(1, cash(0));
    let sold = victim.sold(&town, 500).await;
    victim.keyed(sold, 500);
    victim.settled(sold, PaymentState::Succeeded);
    for rogue in [&mut neighbour, &mut stranger] {
        rogue.sign_on(1, cash(0));
        rogue.keyed(sold, 500);
        rogue.settled(sold, PaymentState::Succeeded);
        rogue.close(1, cash(0), cash(0));
        assert_eq!(rogue.send().await, []);
    }
    victim.close(1, cash(0), cash(0));
    assert_eq!(victim.send().await, []);
    let detail = shown(&jade, &victim.batch(1)).await;
    assert_eq!((&detail["totals"][0]["sales"]["minor"], differences(&detail)), (&json!(500), Vec::new()));
    for (merchant, rogue) in [(&jade, &neighbour), (&rust, &stranger)] {
        let detail = shown(merchant, &rogue.batch(1)).await;
        assert_eq!(detail["totals"], json!([]));
        assert_eq!(differences(&detail), [format!("{sold} missing_here look_at_terminal")]);
        let statement: Value =
            merchant.owner.get(&format!("/v1/batches/{}/settlement", rogue.batch(1))).await.json(200);
        assert_eq!(statement["items"], json!([]));
    }
    let refused = rust.owner.get(&format!("/v1/batches/{}", victim.batch(1))).await;
    assert_eq!(refused.refusal(), (404, "not_found".to_owned()));
    let listed: Value = rust.owner.get("/v1/batches").await.json(200);
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}
