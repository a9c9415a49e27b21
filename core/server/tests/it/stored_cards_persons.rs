//! What of cards without a network needs persons: sales that core may not forward by itself, what was in its shift all the same, and what two persons
//! said before the acquirer did.

use saoma_protocol::{
    BatchId, ChannelAccountId, Currency, Money, Sequence,
    api::{CardDigits, PaymentState},
    journal::Record,
};
use serde_json::{Value, json};

use crate::{
    access_bodies::card_policy,
    batches::{differences, shown},
    cards::Shop,
    door::{Answer, Door},
    fleet_world::eventually,
    offline_world::nudges,
    stored_cards_world::{Gate, Journal, POLICY, as_it_is, read_again},
    town::{becomes, text},
};

impl Shop {
    /// Two persons say how it ended.
    pub async fn settled_by_hand(&self, payment: &str, outcome: &str, accountant: &Door) {
        let confirmed: Value = self.says_by_hand(payment, outcome, accountant).await.json(200);
        assert_eq!(confirmed["state"], "carried_out", "{confirmed}");
    }

    async fn says_by_hand(&self, payment: &str, outcome: &str, accountant: &Door) -> Answer {
        let path = format!("/v1/payments/{payment}/settlements");
        let mut body = json!({ "outcome": outcome, "reason": "the acquirer said so by telephone" });
        if outcome == "paid" {
            body["reference"] = json!("000042");
        }
        let key = format!("{payment}-{outcome}");
        let proposed: Value = self.tea.owner.post(&path).key(&key).json(&body).await.json(201);
        let path = format!("/v1/settlements/{}/confirm", text(&proposed, "/id"));
        accountant.post(&path).key(&key).await
    }

    async fn lets_go(&self, payment: &str) -> (u16, String) {
        let path = format!("/v1/stored-cards/sales/{payment}/forward");
        let answer = self.tea.owner.post(&path).json(&json!({ "reason": "the reader counts anew" })).await;
        (answer.status, answer.text)
    }

    async fn state(&self, payment: &str) -> (String, String) {
        let all = self.stored("").await;
        let sale = all.iter().find(|sale| sale["payment"] == payment).unwrap_or_else(|| panic!("{payment}: {all:?}"));
        (text(sale, "/state").to_owned(), sale["doubt"].as_str().unwrap_or_default().to_owned())
    }
}

#[actix_web::test]
async fn what_core_may_not_forward_waits_for_a_person_and_none_of_it_is_lost() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    let accountant = shop.town.person(&shop.tea, "accountant").await;
    shop.sells_stored().await;
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    becomes(owner, &sold, "succeeded").await;
    // A reader that counts anew, or an entry that somebody has copied.
    let copied = journal.sells(as_it_is);
    let none = journal.sells(|card| card.ksn = "FFFF".to_owned());
    let elsewhere = journal.sells_so(|sold| sold.account = ChannelAccountId::from_bytes([7; 16]));
    let digits = journal.sells_so(|sold| {
        sold.digits = CardDigits { first_6: "4012345678909".to_owned(), last_4: String::new() };
    });
    // Under a number that core has, and under one that is not the terminal's.
    journal.sells_so(|again| (again.payment, again.counter) = (sold.parse().unwrap(), Sequence(1)));
    let foreign = journal.sells_so(|sold| sold.payment = "pay_lpgotadatwo6tslwumbgtvnmti".parse().unwrap());
    let after = journal.sells(read_again);
    let mut told = journal.syncs().await;
    // What is held counts for its card's limits.
    assert!(told.pop().is_some_and(|why| why.contains("forwarded all the same: the card has paid too often")));
    assert_eq!(told.len(), 6, "{told:?}");
    assert!(told.iter().all(|why| why.contains("it is not forwarded, and a person decides")), "{told:?}");
    for (why, part) in told.iter().zip([
        "this reading of the card paid before",
        "ksn has 10 bytes",
        "core has no channel account",
        "first six and last four",
        "core has a sale under this number: 12.50 CNY, card",
        "is not the number of this terminal's sale",
    ]) {
        assert!(why.contains(part), "{why} / {part}");
    }
    // It holds up nothing, and each of them is there to be seen.
    becomes(owner, &after, "succeeded").await;
    assert_eq!(owner.get(&format!("/v1/payments/{foreign}")).await.status, 404, "its number is not its own");
    let open = shop.stored("only=open").await;
    assert_eq!((open.len(), shop.stored("only=waiting").await.len(), shop.stored("").await.len()), (6, 0, 8));
    assert!(open.iter().all(|sale| sale["state"] == "held"), "{open:?}");
    for sale in &open {
        let shown = shop.payment(text(sale, "/payment")).await;
        assert_eq!((&shown["state"], shown["needs_attention"].is_object()), (&json!("pending"), true), "{shown}");
    }
    let batch: Value =
        owner.post("/v1/settlement-batches").key("b").json(&json!({ "channel_account": shop.account })).await.json(202);
    assert_eq!(batch["rows"], 2, "{batch}");
    // One goes out, by a person's word and once.
    assert_eq!(shop.lets_go(&copied).await.0, 200);
    becomes(owner, &copied, "succeeded").await;
    assert_eq!((shop.books(&copied).await, shop.lets_go(&copied).await.0), ((1, 0), 409));
    assert!(!shop.tea.audited("stored_cards.sale_let_go").await.is_empty());
    let timeline = owner.get(&format!("/v1/payments/{copied}/timeline")).await.text;
    assert!(timeline.contains("the reader counts anew"), "{timeline}");
    // Of what is no card there is nothing to let go: two persons end it, and it is a loss like others, of no card.
    let (status, said) = shop.lets_go(&none).await;
    assert!(status == 409 && said.contains("settle its payment by hand"), "{status} {said}");
    shop.settled_by_hand(&none, "not_paid", &accountant).await;
    // Nobody has paid what nobody was told of; and what is called unpaid is over, for nobody could be asked about it.
    let paid = shop.says_by_hand(&digits, "paid", &accountant).await;
    assert!(paid.status == 409 && paid.text.contains("has not sent it"), "{}", paid.text);
    shop.settled_by_hand(&digits, "not_paid", &accountant).await;
    for over in [&none, &digits] {
        let shown = shop.payment(over).await;
        assert_eq!((&shown["state"], &shown["needs_attention"]), (&json!("reversed"), &Value::Null), "{shown}");
    }
    assert_eq!((shop.state(&none).await.0, shop.state(&elsewhere).await.0), ("lost".to_owned(), "held".to_owned()));
    let blocked = shop.list(&till).await.cards.expect("it is on").blocked;
    assert_eq!(blocked, [CardDigits::new("401234", "8909").unwrap()], "no card without digits");
    assert_eq!(shop.stored("only=open").await.len(), 5);
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn a_doubted_sale_is_in_its_shift() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    let mut journal = Journal::of(&till, &shop);
    let nothing = Money::new(0, Currency::CNY);
    let cashier = || "Li".to_owned();
    journal.write(Record::ShiftOpened {
        batch: Sequence(1),
        cashier: cashier(),
        cashier_number: "07".to_owned(),
        float: nothing,
    });
    // Nobody has switched it on.
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await.len(), 1);
    becomes(owner, &sold, "succeeded").await;
    let (payment, state) = (sold.parse().unwrap(), PaymentState::Succeeded);
    journal.write(Record::SaleSettled { payment, state, amount_refunded_minor: 0 });
    journal.write(Record::ShiftClosed { batch: Sequence(1), counted: nothing, expected: nothing, cashier: cashier() });
    journal.syncs().await;
    let batch = BatchId::of(shop.tea.id.parse().unwrap(), till.id.parse().unwrap(), Sequence(1)).to_string();
    let detail = shown(&shop.tea, &batch).await;
    assert!(!detail["batch"]["closed"].is_null(), "{detail}");
    let sales = json!({ "count": 1, "minor": 1_250 });
    assert_eq!((&detail["totals"][0]["channel"], &detail["totals"][0]["sales"]), (&json!("card"), &sales), "{detail}");
    assert_eq!(differences(&detail), [""; 0]);
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn what_two_persons_said_before_the_acquirer_did_follows_the_acquirer() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    let accountant = shop.town.person(&shop.tea, "accountant").await;
    let mut gate = Gate::before(&shop).await;
    shop.sells_stored().await;
    // The first one signs the terminal on.
    let mut journal = Journal::of(&till, &shop);
    let first = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    becomes(owner, &first, "succeeded").await;

    gate.closes();
    let approved = journal.sells(read_again);
    assert_eq!(journal.syncs().await, [""; 0]);
    gate.holds_an_answer().await;
    nudges(&till, true).await;
    shop.settled_by_hand(&approved, "not_paid", &accountant).await;
    let blocked = || async { shop.list(&till).await.cards.expect("it is on").blocked.len() };
    assert_eq!((shop.state(&approved).await.0, blocked().await), ("lost".to_owned(), 1));
    gate.opens();
    becomes(owner, &approved, "succeeded").await;
    // It is no loss any more, its card is let in, and nothing is given back of goods that are gone; a person is told.
    assert_eq!((shop.state(&approved).await.0, blocked().await), ("paid".to_owned(), 0));
    assert_eq!((shop.stored("only=open").await.len(), nudges(&till, true).await > 0), (0, true));
    let shown = shop.payment(&approved).await;
    assert_eq!((&shown["refunded"], shown["needs_attention"].is_object()), (&Value::Null, true), "{shown}");
    let refunds: Value = owner.get(&format!("/v1/payments/{approved}/refunds")).await.json(200);
    assert_eq!(refunds["items"], json!([]), "{refunds}");
    assert_eq!(shop.books(&approved).await, (1, 0));
    let timeline = owner.get(&format!("/v1/payments/{approved}/timeline")).await.text;
    assert!(timeline.contains("paid it after all"), "{timeline}");

    // The reverse: paid by hand, and declined.
    shop.town.force("DELETE FROM payment_cards");
    shop.next("forward", "insufficient-funds").await;
    gate.closes();
    let declined = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    gate.holds_an_answer().await;
    shop.settled_by_hand(&declined, "paid", &accountant).await;
    assert_eq!(shop.state(&declined).await.0, "paid");
    gate.opens();
    becomes(owner, &declined, "voided").await;
    assert_eq!(
        (shop.state(&declined).await.0, shop.stored("only=open").await.len(), blocked().await),
        ("lost".to_owned(), 1, 1)
    );
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn terminals_sell_only_what_is_served_and_forwards() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    assert!(shop.list(&till).await.cards.is_some());
    // As after a package that does not forward was put in the place of the one that does.
    let points_to =
        |account: &str| shop.town.force(&format!("UPDATE card_policies SET channel_account_id = '{account}'"));
    points_to(&shop.tea.account);
    assert_eq!(shop.list(&till).await.cards, None);
    points_to(&shop.account);
    assert!(shop.list(&till).await.cards.is_some());
    shop.town.force(&format!("UPDATE tenants SET currency = 'USD' WHERE id = '{}'", shop.tea.id));
    assert_eq!(shop.list(&till).await.cards, None);
    let refused = owner.ask("PUT", POLICY).json(&card_policy(&shop.account, true)).await;
    assert_eq!((refused.status, text(&refused.problem(), "/pointer")), (422, "/channel_account"));
    assert!(refused.text.contains("no sales in USD"), "{}", refused.text);
    shop.acquirer.stop().await;
}

/// A node of an older release ends the payment alone, and knows nothing of the place in which it waits.
#[actix_web::test]
async fn what_ended_without_its_place_is_told_nobody() {
    let shop = Shop::open().await;
    let till = shop.town.till(&shop.tea).await;
    shop.sells_stored().await;
    let address = shop.moves_to("tcp://127.0.0.1:9").await;
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    shop.town.force(&format!("UPDATE payments SET state = 'reversed', version = version + 1 WHERE id = '{sold}'"));
    shop.moves_to(&address).await;
    eventually("its place ends", async || shop.state(&sold).await.0 == "lost").await;
    let heard: Value = Door::at(&shop.acquirer.door).get("/heard").await.json(200);
    assert!(heard.as_array().unwrap().iter().all(|one| one["act"] != "forward"), "{heard}");
    shop.acquirer.stop().await;
}

/// Whatever it was bound to: as long as nothing of it was sent, it goes through what new payments go through.
#[actix_web::test]
async fn what_was_never_sent_goes_through_what_is_served_then() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    let address = shop.moves_to("tcp://127.0.0.1:9").await;
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(as_it_is);
    assert_eq!(journal.syncs().await, [""; 0]);
    let tried = "SELECT payment_id AS text FROM stored_card_sales WHERE attempts > 0 AND first_sent_at IS NULL";
    eventually("it was tried", async || !shop.town.column(tried).is_empty()).await;
    let gone = "c0".repeat(32);
    shop.town.force(&format!("INSERT INTO payment_packages VALUES ('{}', '{sold}', '{gone}')", shop.tea.id));
    shop.moves_to(&address).await;
    becomes(owner, &sold, "succeeded").await;
    assert_eq!(shop.town.column("SELECT payment_id AS text FROM payment_packages"), [""; 0]);
    shop.acquirer.stop().await;
}
