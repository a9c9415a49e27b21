//! A journal on its way into core's books, over both roads, and what a broken or forged one does to them: nothing.

use saoma_protocol::{
    Amount, CashierId, Currency, Millis, PaymentId, RefundId, Sequence,
    api::{Goods, PaymentState, PaymentView, TerminalBooks},
    journal::{Approver, Entry, GENESIS, Method, Record, SplitPart},
    message::{Envelope, JournalAck, Verdict},
};

use crate::{
    fleet_client::Client,
    fleet_world::{Till, World},
};

fn cny(minor: i64) -> Amount {
    Amount::new(minor, Currency::CNY).unwrap()
}

/// A terminal's journal, as the terminal writes it.
pub struct Journal {
    pub entries: Vec<Entry>,
    counter: u64,
    at: Millis,
}

impl Journal {
    pub fn new(at: Millis) -> Self {
        Self { entries: Vec::new(), counter: 0, at }
    }

    fn write(&mut self, record: Record) {
        let prev = self.entries.last().map_or(GENESIS, Entry::hash);
        let sequence = Sequence(self.entries.len() as u64 + 1);
        self.entries.push(Entry::new(sequence, self.at, prev, record).unwrap());
    }

    pub fn sale(&mut self, till: &Till, minor: i64) -> PaymentId {
        self.counter += 1;
        let counter = Sequence(self.counter);
        let payment = PaymentId::for_sale(till.tenant, till.terminal, counter);
        self.write(Record::CashSale {
            payment,
            counter,
            amount: cny(minor),
            tendered_minor: minor,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        });
        payment
    }

    fn refund(&mut self, payment: PaymentId, number: u8, minor: i64) -> RefundId {
        let refund = RefundId::from_bytes([number; 16]);
        self.write(Record::CashRefund {
            refund,
            payment,
            amount: cny(minor),
            void: false,
            cashier: "Li".to_owned(),
            approved_by: Some(Approver { id: CashierId::from_bytes([8; 16]), name: "Wu".to_owned() }),
        });
        refund
    }

    fn batch(&self, numbers: &[usize]) -> Vec<Entry> {
        numbers.iter().map(|number| self.entries[number - 1].clone()).collect()
    }

    fn all(&self) -> Vec<Entry> {
        self.entries.clone()
    }
}

/// Sends entries over MQTT, signed by `till`, and waits for core's answer.
async fn over_mqtt(client: &mut Client, till: &Till, entries: Vec<Entry>) -> JournalAck {
    let message = Envelope::new(till.identity.signed(till.tenant, &entries), None).encode().unwrap();
    let topic = format!("{}/up/journal", till.prefix());
    client.mqtt.publish(topic, rumqttc::v5::mqttbytes::QoS::AtLeastOnce, false, message).await.unwrap();
    Envelope::<JournalAck>::decode(&client.message("down/journal-ack").await).unwrap().body
}

pub async fn over_https(till: &Till, entries: &[Entry]) -> JournalAck {
    till.post("/v1/terminal/journal", &till.identity.signed(till.tenant, entries)).await.json(200)
}

/// Sales count and sum, refunds count and sum, as core's books have them.
pub async fn books(till: &Till) -> (u64, i64, u64, i64) {
    let books: TerminalBooks = till.get("/v1/terminal/books").await.json(200);
    let sum = |sums: &[saoma_protocol::Money]| sums.iter().map(|sum| sum.minor()).sum();
    (books.sales_count, sum(&books.sales), books.refunds_count, sum(&books.refunds))
}

pub fn clean(through: u64) -> JournalAck {
    JournalAck { through: Sequence(through), verdicts: Vec::new() }
}

#[actix_web::test]
async fn cash_sales_and_refunds_are_booked_once_over_either_road() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    let first = journal.sale(&till, 1250);
    journal.sale(&till, 300);
    journal.refund(first, 1, 250);

    let mut client = till.connect().await;
    client.subscribe(&format!("{}/down/#", till.prefix())).await;
    assert_eq!(over_mqtt(&mut client, &till, journal.batch(&[1, 2])).await, clean(2));
    // Again, over the other road, with one more.
    assert_eq!(over_https(&till, &journal.all()).await, clean(3));
    assert_eq!(over_mqtt(&mut client, &till, journal.all()).await, clean(3));
    assert_eq!(books(&till).await, (2, 1550, 1, 250));
    assert_eq!(world.payment(&till, first).await.public_state(), PaymentState::PartlyRefunded);
    world.books_hold().await;
}

#[actix_web::test]
async fn order_gaps_and_repeats() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    for number in 1..=6 {
        journal.sale(&till, number * 100);
    }
    for (numbers, through) in [
        (&[][..], 0),
        // Nothing after a gap is taken.
        (&[2, 3], 0),
        (&[1, 3, 4], 1),
        (&[3, 2], 1),
        (&[1, 2], 2),
        (&[2, 2, 3, 3], 3),
        (&[5, 6], 3),
        (&[1, 2, 3, 4, 5, 6], 6),
        (&[6], 6),
    ] {
        assert_eq!(over_https(&till, &journal.batch(numbers)).await, clean(through), "{numbers:?}");
    }
    assert_eq!(books(&till).await, (6, 2100, 0, 0));
    world.books_hold().await;
}

#[actix_web::test]
async fn the_same_batch_many_times_at_once() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    for number in 1..=20 {
        journal.sale(&till, number);
    }
    let batch = journal.all();
    let answers = futures_util::future::join_all((0..8).map(|_| over_https(&till, &batch))).await;
    assert!(answers.iter().all(|answer| *answer == clean(20)));
    assert_eq!(books(&till).await, (20, 210, 0, 0));
    world.books_hold().await;
}

#[actix_web::test]
async fn a_thousand_entries() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    for number in 1..=1000 {
        journal.sale(&till, number);
    }
    let mut client = till.connect().await;
    client.subscribe(&format!("{}/down/#", till.prefix())).await;
    for batch in journal.entries.chunks(200) {
        let through = batch.last().unwrap().sequence.0;
        assert_eq!(over_mqtt(&mut client, &till, batch.to_vec()).await, clean(through));
    }
    assert_eq!(books(&till).await, (1000, 500_500, 0, 0));
    let too_many = till.identity.signed(till.tenant, &journal.entries[..201]);
    assert_eq!(till.post("/v1/terminal/journal", &too_many).await.code(), "invalid");
    world.books_hold().await;
}

#[actix_web::test]
async fn an_altered_or_forged_journal_books_nothing() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    for number in 1..=4 {
        journal.sale(&till, number * 100);
    }
    assert_eq!(over_https(&till, &journal.batch(&[1, 2])).await, clean(2));
    let before = books(&till).await;

    let altered = |number: usize, change: fn(&mut Entry)| {
        let mut batch = journal.all();
        change(&mut batch[number - 1]);
        batch
    };
    let mut other = Journal::new(world.now().plus(1));
    for _ in 0..3 {
        other.sale(&till, 99_999);
    }
    for (batch, at) in [
        // Of what core has: another amount.
        (altered(1, |entry| entry.payload = entry.payload.replace("100", "900"))[..1].to_vec(), 1),
        // Of what comes next: a forged link, an unreadable payload, a later format.
        (altered(3, |entry| entry.prev_hash = "ab".repeat(32)), 3),
        (altered(3, |entry| entry.payload = "{\"v\":1}".to_owned()), 3),
        (altered(3, |entry| entry.payload = entry.payload.replacen("\"v\":1", "\"v\":9", 1)), 3),
        (altered(3, |entry| entry.payload = entry.payload.replace("300", "-300")), 3),
        (altered(3, |entry| entry.payload = entry.payload.replace("CNY", "XXX")), 3),
        // Another journal altogether: it hangs on other entries.
        (vec![other.entries[2].clone()], 3),
    ] {
        let ack = over_https(&till, &batch).await;
        assert_eq!(ack.through, Sequence(2));
        let [verdict] = ack.verdicts.as_slice() else { panic!("one verdict: {:?}", ack.verdicts) };
        assert_eq!((verdict.sequence, verdict.verdict), (Sequence(at), Verdict::Rejected), "{}", verdict.why);
        assert_eq!(books(&till).await, before);
    }
    assert!(world.audited(&till, "journal.entry_rejected").await);
    // The real journal goes on.
    assert_eq!(over_https(&till, &journal.all()).await, clean(4));
    world.books_hold().await;
}

#[actix_web::test]
async fn what_does_not_fit_is_held_and_books_nothing() {
    let world = World::start().await;
    let (till, neighbour) = (world.till("Till 1").await, world.till("Till 2").await);
    let mut journal = Journal::new(world.now());
    let sale = journal.sale(&till, 1000);
    let foreign = PaymentId::for_sale(till.tenant, neighbour.terminal, Sequence(1));
    journal.refund(sale, 1, 600);
    journal.refund(sale, 2, 401);
    journal.refund(foreign, 3, 1);
    // The number of another terminal's sale.
    journal.write(Record::CashSale {
        payment: foreign,
        counter: Sequence(1),
        amount: cny(5),
        tendered_minor: 5,
        goods: Vec::new(),
        cashier: "Li".to_owned(),
        split: None,
        quote: None,
        reference: None,
    });
    journal.refund(sale, 4, 400);

    let ack = over_https(&till, &journal.all()).await;
    assert_eq!(ack.through, Sequence(6), "held entries are stored");
    let held: Vec<_> = ack.verdicts.iter().map(|verdict| (verdict.sequence.0, verdict.verdict)).collect();
    assert_eq!(held, [(3, Verdict::Held), (4, Verdict::Held), (5, Verdict::Held)]);
    assert_eq!(books(&till).await, (1, 1000, 2, 1000));
    assert_eq!(world.payment(&till, sale).await.public_state(), PaymentState::Refunded);
    // The answer may have been lost: the same verdicts again.
    assert_eq!(over_https(&till, &journal.all()).await, ack);
    assert_eq!(books(&neighbour).await, (0, 0, 0, 0));
    world.books_hold().await;
}

/// The cash lies in the drawer whatever the lines say: it is booked, and a person is told.
#[actix_web::test]
async fn cash_whose_lines_come_to_something_else_is_booked_and_waits_for_a_person() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    let line = |price_minor, discount_minor| Goods { discount_minor, ..Goods::plain("tea".to_owned(), 1, price_minor) };
    let other_sale = vec![Goods::plain("tea".to_owned(), 1, 1)];
    let sold = [
        (900, vec![line(1000, 100)], 1),
        (100, vec![line(1000, 100)], 1),
        // Lines that nobody can add up stand in the entry alone.
        (200, vec![line(1000, -5000)], 0),
        // As terminals have always sent it.
        (300, other_sale, 1),
    ];
    for (number, (minor, goods, _)) in (1_u64..).zip(&sold) {
        journal.write(Record::CashSale {
            payment: PaymentId::for_sale(till.tenant, till.terminal, Sequence(number)),
            counter: Sequence(number),
            amount: cny(*minor),
            tendered_minor: *minor,
            goods: goods.clone(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: None,
        });
    }
    let ack = over_https(&till, &journal.all()).await;
    let told: Vec<_> = ack.verdicts.iter().map(|verdict| (verdict.sequence.0, verdict.verdict)).collect();
    assert_eq!((ack.through, told), (Sequence(4), vec![(2, Verdict::Held), (3, Verdict::Held)]));
    assert!(ack.verdicts[0].why.contains("booked as 1.00 CNY") && ack.verdicts[0].why.contains("900"), "{ack:?}");
    assert_eq!(books(&till).await, (4, 1500, 0, 0));
    assert_eq!(over_https(&till, &journal.all()).await, ack, "booked once");
    assert_eq!(books(&till).await, (4, 1500, 0, 0));
    for (number, (_, _, n_lines)) in (1_u64..).zip(sold) {
        let payment = PaymentId::for_sale(till.tenant, till.terminal, Sequence(number));
        let (scope, _) = world.merchant();
        let sale = world.read(move |tx| saoma_store::payments::load_sale(tx, &scope, payment)).await;
        assert_eq!(sale.order.goods.len(), n_lines, "{number}");
    }
    world.books_hold().await;
}

/// What a waiter wrote is found at core as of any sale; what cannot stand there holds up no cash.
#[actix_web::test]
async fn a_tables_number_comes_in_with_its_cash() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    let long = "7".repeat(200);
    let tables = [
        (Some("包厢 3 🍜"), Some("包厢 3 🍜")),
        (None, None),
        (Some(""), None),
        (Some("a\0b"), Some("a\u{fffd}b")),
        (Some(long.as_str()), Some(&long[..128])),
    ];
    for (number, (reference, _)) in (1_u64..).zip(tables) {
        journal.write(Record::CashSale {
            payment: PaymentId::for_sale(till.tenant, till.terminal, Sequence(number)),
            counter: Sequence(number),
            amount: cny(100),
            tendered_minor: 100,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split: None,
            quote: None,
            reference: reference.map(str::to_owned),
        });
    }
    assert_eq!(over_https(&till, &journal.all()).await, clean(5));
    for (number, (_, reference)) in (1_u64..).zip(tables) {
        let payment = PaymentId::for_sale(till.tenant, till.terminal, Sequence(number));
        let shown: PaymentView = till.get(&format!("/v1/payments/{payment}")).await.json(200);
        assert_eq!(shown.reference.as_deref(), reference, "{number}");
    }
}

/// Several tenders for one total: each part is booked by itself, and is found by the same words as those that go through core.
#[actix_web::test]
async fn cash_that_is_a_part_of_a_split_is_booked_and_its_goods_come_to_the_total() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    let line = Goods { discount_minor: 500, ..Goods::plain("hotpot".to_owned(), 1, 12_500) };
    let split = |of: u64, part: u32, total, goods: Vec<Goods>| {
        Some(SplitPart { of: Sequence(of), part, total: cny(total), goods })
    };
    let parts = [
        split(1, 1, 12_000, vec![line.clone()]),
        split(1, 2, 12_000, Vec::new()),
        // What is sold does not come to this total.
        split(3, 1, 11_999, vec![line]),
    ];
    let tables = [Some("桌 7"), None, Some("桌 8")];
    for (number, (split, reference)) in (1_u64..).zip(parts.into_iter().zip(tables)) {
        journal.write(Record::CashSale {
            payment: PaymentId::for_sale(till.tenant, till.terminal, Sequence(number)),
            counter: Sequence(number),
            amount: cny(4_000),
            tendered_minor: 4_000,
            goods: Vec::new(),
            cashier: "Li".to_owned(),
            split,
            quote: None,
            reference: reference.map(str::to_owned),
        });
    }
    let ack = over_https(&till, &journal.all()).await;
    let told: Vec<_> = ack.verdicts.iter().map(|verdict| (verdict.sequence.0, verdict.verdict)).collect();
    assert_eq!((ack.through, told), (Sequence(3), vec![(3, Verdict::Held)]));
    assert_eq!(books(&till).await, (3, 12_000, 0, 0));
    for (number, reference) in [(1, "桌 7 · split 1-1"), (2, "split 1-2"), (3, "桌 8 · split 3-1")] {
        let payment = PaymentId::for_sale(till.tenant, till.terminal, Sequence(number));
        let (scope, _) = world.merchant();
        let sale = world.read(move |tx| saoma_store::payments::load_sale(tx, &scope, payment)).await;
        assert_eq!((sale.order.reference.as_deref(), sale.order.goods.len()), (Some(reference), 0));
    }
    world.books_hold().await;
}

#[actix_web::test]
async fn what_the_terminal_says_of_sales_through_core_is_kept_and_books_nothing() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    let payment = PaymentId::for_sale(till.tenant, till.terminal, Sequence(1));
    let refund = RefundId::from_bytes([1; 16]);
    let amount = cny(1250);
    let cashier = || "Li".to_owned();
    // Core never saw this sale: the network was cut. It stays as it is until the terminal leg is compared.
    journal.write(Record::SaleKeyed {
        payment,
        counter: Sequence(1),
        amount,
        method: Method::CustomerPresented,
        goods: Vec::new(),
        cashier: cashier(),
        split: None,
        quote: None,
    });
    journal.write(Record::SaleSettled { payment, state: PaymentState::Failed, amount_refunded_minor: 0 });
    journal.write(Record::RefundKeyed { refund, payment, amount, void: false, cashier: cashier(), approved_by: None });
    journal.write(Record::RefundSettled { refund, payment, state: saoma_protocol::api::RefundState::Failed });
    assert_eq!(over_https(&till, &journal.all()).await, clean(4));
    assert_eq!(books(&till).await, (0, 0, 0, 0));
    world.books_hold().await;
}

/// Whatever a till lets through: the cash is in the drawer.
#[actix_web::test]
async fn a_text_that_cannot_be_kept_holds_up_no_cash() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    let mut journal = Journal::new(world.now());
    let payment = PaymentId::for_sale(till.tenant, till.terminal, Sequence(1));
    journal.write(Record::CashSale {
        payment,
        counter: Sequence(1),
        amount: cny(100),
        tendered_minor: 100,
        goods: Vec::new(),
        cashier: format!("Li\0\u{202e}{}", "x".repeat(400)),
        split: None,
        quote: None,
        reference: None,
    });
    assert_eq!(over_https(&till, &journal.all()).await, clean(1));
    assert_eq!(books(&till).await.0, 1);
    let (scope, _) = world.merchant();
    let sale = world.read(move |tx| saoma_store::payments::load_sale(tx, &scope, payment)).await;
    assert_eq!(sale.order.cashier.unwrap(), format!("Li\u{fffd}\u{fffd}{}", "x".repeat(124)));
    world.books_hold().await;
}

#[actix_web::test]
async fn one_terminals_journal_is_not_anothers() {
    let world = World::start().await;
    let (till, neighbour) = (world.till("Till 1").await, world.till("Till 2").await);
    let mut journal = Journal::new(world.now());
    journal.sale(&till, 100);
    // Sent by the neighbour with its own certificate: it is the neighbour's journal then, and the sale is not its own.
    let ack = over_https(&neighbour, &journal.all()).await;
    assert_eq!(ack.verdicts.first().map(|verdict| verdict.verdict), Some(Verdict::Held));
    assert_eq!(over_https(&till, &journal.all()).await, clean(1));
    assert_eq!((books(&till).await.0, books(&neighbour).await.0), (1, 0));
}

#[actix_web::test]
async fn bad_bodies() {
    let world = World::start().await;
    let till = world.till("Till 1").await;
    for body in
        ["", "{", "[]", r#"{"entries":1}"#, r#"{"entries":[{"sequence":-1}]}"#, r#"{"entries":[{"sequence":1}]}"#]
    {
        let answer = till.post_text("/v1/terminal/journal", body).await;
        assert!((400..500).contains(&answer.status), "{body}: {}", answer.status);
    }
    assert_eq!(over_https(&till, &[]).await, clean(0));
}
