//! A shop sells by card while its line is down, and core forwards what the terminal brings: approved, declined, unanswered, and what breaks the
//! merchant's policy.

use saoma_protocol::{
    Amount, Currency, Millis, PaymentId, Sequence,
    api::{CardDigits, OfflineList, PresentedCard},
    journal::{Entry, GENESIS, Record},
    message::{JournalAck, JournalBatch},
};
use serde_json::{Value, json};

use crate::{
    access_bodies::card_policy,
    cards::{Shop, chip},
    door::Answer,
    offline_world::{now, nudges},
    town::{Till, becomes, text},
};

const POLICY: &str = "/v1/stored-cards/policy";
const HOUR_MS: i64 = 3_600_000;

impl Shop {
    async fn sells_stored(&self) {
        let _: Value = self.tea.owner.ask("PUT", POLICY).json(&card_policy(&self.account, true)).await.json(200);
    }

    async fn stored(&self, only: &str) -> Vec<Value> {
        let list: Value = self.tea.owner.get(&format!("/v1/stored-cards/sales?{only}")).await.json(200);
        list["items"].as_array().unwrap().clone()
    }

    async fn payment(&self, number: &str) -> Value {
        self.tea.owner.get(&format!("/v1/payments/{number}")).await.json(200)
    }

    async fn list(&self, till: &Till) -> OfflineList {
        till.door.get("/v1/terminal/offline-list").await.json(200)
    }

    async fn books_hold(&self) {
        self.tea.books_balance().await;
        let checked = self.town.saoma(&["ledger", "check"]).output().unwrap();
        assert!(checked.status.success(), "{checked:?}");
    }
}

/// The journal of a terminal whose line is down.
struct Journal<'a> {
    shop: &'a Shop,
    till: &'a Till,
    entries: Vec<Entry>,
}

impl<'a> Journal<'a> {
    const fn of(till: &'a Till, shop: &'a Shop) -> Self {
        Self { shop, till, entries: Vec::new() }
    }

    /// Sells an hour ago; the number.
    fn sells(&mut self, change: impl FnOnce(&mut PresentedCard)) -> String {
        let counter = self.entries.len() as u64 + 1;
        let payment = self.till.number(&self.shop.tea, counter);
        let mut card: PresentedCard = serde_json::from_value(chip()).unwrap();
        card.pin = None;
        change(&mut card);
        let record = Record::StoredCardSale {
            payment: payment.parse::<PaymentId>().unwrap(),
            counter: Sequence(counter),
            amount: Amount::new(1_250, Currency::CNY).unwrap(),
            channel_account: self.shop.account.parse().unwrap(),
            card,
            digits: CardDigits::new("401234", "8909").unwrap(),
            goods: Vec::new(),
            cashier: "Li".to_owned(),
        };
        let before = self.entries.last().map_or(GENESIS, Entry::hash);
        self.entries.push(Entry::new(Sequence(counter), sold_at(), before, record).unwrap());
        payment
    }

    async fn sent(&self) -> Answer {
        self.till.door.post("/v1/terminal/journal").json(&JournalBatch { entries: self.entries.clone() }).await
    }

    /// Sends all of it; why entries are held.
    async fn syncs(&self) -> Vec<String> {
        let ack: JournalAck = self.sent().await.json(200);
        assert_eq!(ack.through, Sequence(self.entries.len() as u64));
        ack.verdicts.into_iter().map(|verdict| verdict.why).collect()
    }
}

fn sold_at() -> Millis {
    now().plus(-HOUR_MS)
}

fn as_it_is(_: &mut PresentedCard) {}

#[actix_web::test]
async fn sold_without_a_network_and_forwarded() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    let off: Value = owner.get(POLICY).await.json(200);
    assert_eq!((&off["enabled"], &off["version"]), (&json!(false), &json!(0)));
    assert_eq!(shop.list(&till).await.cards, None);
    shop.sells_stored().await;
    let cards = shop.list(&till).await.cards.expect("it is on");
    assert_eq!((cards.channel_account.to_string(), cards.sale_minor_max), (shop.account.clone(), 20_000));
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    assert_eq!(journal.syncs().await, [""; 0], "again, it is taken once");
    becomes(owner, &sold, "succeeded").await;
    assert_eq!(shop.books(&sold).await, (1, 0));
    let shown = shop.payment(&sold).await;
    assert_eq!((&shown["method"], &shown["channel_account"]), (&json!("card"), &json!(shop.account)));
    assert_eq!(shown["stored_at"].as_i64(), journal.entries[0].at.0.into());
    assert!(shown["paid_at"].is_i64(), "{shown}");
    let listed = shop.stored("").await;
    assert_eq!((listed.len(), &listed[0]["state"], &listed[0]["card"]["last_4"]), (1, &json!("paid"), &json!("8909")));
    // What only the sale needed is gone, from the journal too.
    let kept =
        shop.town.column("SELECT payment_id AS text FROM stored_card_sales WHERE track_2 IS NULL AND emv IS NULL");
    assert_eq!(kept, [sold.as_str()]);
    for payload in shop.town.column("SELECT payload AS text FROM journal_entries") {
        assert!(!payload.contains("b11a3a14d5267397") && !payload.contains("9F2608"), "{payload}");
    }
    // From now on it is a card's payment like any other.
    let part = json!({ "amount": { "minor": 400, "currency": "CNY" } });
    let part: Value = owner.post(&format!("/v1/payments/{sold}/refunds")).key("part").json(&part).await.json(201);
    assert_eq!((&part["state"], shop.books(&sold).await), (&json!("succeeded"), (1, 400)), "{part}");
    // The same reading once more: somebody has copied an entry.
    let copied = journal.sells(as_it_is);
    let held = journal.syncs().await;
    assert!(held.len() == 1 && held[0].contains("paid before"), "{held:?}");
    assert_eq!(owner.get(&format!("/v1/payments/{copied}")).await.status, 404);
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn what_is_declined_is_the_merchants_loss() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    nudges(&till, true).await;
    shop.next("forward", "insufficient-funds").await;
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    becomes(owner, &sold, "failed").await;
    assert_eq!(shop.books(&sold).await, (0, 0));
    let shown = shop.payment(&sold).await;
    assert_eq!(shown["failure"]["code"], "insufficient_funds", "{shown}");
    let open = shop.stored("only=open").await;
    assert_eq!((open.len(), &open[0]["payment"], &open[0]["state"]), (1, &json!(sold), &json!("lost")));
    // The terminal hears of it, and sells to this card no more.
    assert_eq!(nudges(&till, true).await, 1);
    let blocked = || async { shop.list(&till).await.cards.expect("it is on").blocked };
    assert_eq!(blocked().await, [CardDigits::new("401234", "8909").unwrap()]);
    let resolve = format!("/v1/stored-cards/sales/{sold}/resolve");
    let said = json!({ "reason": "paid in cash the next day", "unblock": true });
    let cashier = shop.town.person(&shop.tea, "cashier").await;
    assert_eq!(cashier.post(&resolve).json(&said).await.status, 403);
    let ended: Value = owner.post(&resolve).key("r").json(&said).await.json(200);
    assert_eq!(ended["resolution"]["unblocks"], true, "{ended}");
    assert_eq!(owner.post(&resolve).key("r2").json(&said).await.refusal(), (409, "conflict".to_owned()));
    assert_eq!((shop.stored("only=open").await.len(), blocked().await.len(), nudges(&till, false).await), (0, 0, 1));
    assert!(!shop.tea.audited("stored_cards.loss_resolved").await.is_empty());
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn what_nobody_answers_is_told_again_and_never_undone() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    for fault in ["silent", "forged", "unheard"] {
        shop.next("forward", fault).await;
    }
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    // The goods are gone: nobody takes it back, gives of it what nobody has paid, or closes the batch without it.
    let cancelled = till.door.post(&format!("/v1/payments/{sold}/cancel")).key("c").await;
    assert_eq!(cancelled.refusal(), (409, "forwarding".to_owned()));
    let part = json!({ "amount": { "minor": 400, "currency": "CNY" } });
    let early = owner.post(&format!("/v1/payments/{sold}/refunds")).key("early").json(&part).await;
    assert_eq!(early.status, 409, "{}", early.text);
    let batch = json!({ "channel_account": shop.account });
    let closed = owner.post("/v1/settlement-batches").key("b").json(&batch).await;
    assert_eq!(closed.status, 409, "{}", closed.text);
    assert_eq!(shop.stored("only=waiting").await.len(), 1);
    becomes(owner, &sold, "succeeded").await;
    assert_eq!((shop.books(&sold).await, shop.stored("only=waiting").await.len()), ((1, 0), 0));
    let batch: Value = owner.post("/v1/settlement-batches").key("b2").json(&batch).await.json(202);
    assert_eq!(batch["rows"], 1, "{batch}");
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn what_waits_too_long_holds_up_nobody() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    // The second claim is surely after what is forced below.
    for _ in 0..2 {
        shop.next("forward", "silent").await;
    }
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    shop.town.force("UPDATE stored_card_sales SET taken_at = taken_at - 3600000");
    becomes(owner, &sold, "succeeded").await;
    // A person was called for it, and it stepped aside from then on.
    assert_eq!(shop.town.column("SELECT payment_id AS text FROM stored_card_sales WHERE aside"), [sold.as_str()]);
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn what_breaks_the_policy_is_forwarded_and_told() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    let mut journal = Journal::of(&till, &shop);
    // Nobody has switched it on.
    let sold = journal.sells(as_it_is);
    let held = journal.syncs().await;
    assert!(held.len() == 1 && held[0].contains("forwarded all the same"), "{held:?}");
    becomes(owner, &sold, "succeeded").await;
    assert_eq!(shop.books(&sold).await, (1, 0));
    assert!(text(&shop.stored("").await[0], "/doubt").contains("forwarded all the same"));
    // What is no card is not.
    let none = journal.sells(|card| card.ksn = "FFFF".to_owned());
    assert!(journal.syncs().await.iter().any(|why| why.contains("ksn has 10 bytes")));
    assert_eq!(owner.get(&format!("/v1/payments/{none}")).await.status, 404);
    // One that does not open stays open, and a person is called; what comes after it is forwarded.
    let unread = journal.sells(|card| {
        card.ksn = "FFFF9876543210E00003".to_owned();
    });
    shop.town.force("DELETE FROM payment_cards");
    let after = journal.sells(as_it_is);
    journal.syncs().await;
    becomes(owner, &after, "succeeded").await;
    let shown = shop.payment(&unread).await;
    assert_eq!((&shown["state"], shown["needs_attention"].is_object()), (&json!("pending"), true), "{shown}");
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn a_policy_that_cannot_be_is_refused() {
    let shop = Shop::open().await;
    let owner = &shop.tea.owner;
    let refused = |path: &'static str, value: Value| {
        let mut asked = card_policy(&shop.account, true);
        *asked.pointer_mut(path).unwrap() = value;
        async move {
            let answer = owner.ask("PUT", POLICY).json(&asked).await;
            (answer.status, answer.problem()["pointer"].as_str().unwrap_or_default().to_owned())
        }
    };
    for (path, value) in [
        ("/rules/sale_minor_max", json!(0)),
        ("/rules/sale_minor_max", json!(40_001)),
        ("/rules/unsent_hours_max", json!(169)),
        ("/rules/prefixes", json!([])),
        ("/rules/prefixes", json!(["6"])),
        ("/rules/prefixes", json!(["62x"])),
        // The sandbox's.
        ("/channel_account", json!(shop.tea.account)),
    ] {
        assert_eq!(refused(path, value).await, (422, path.to_owned()));
    }
    shop.acquirer.stop().await;
}
