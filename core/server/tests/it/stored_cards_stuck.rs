//! What keeps a card sale without a network from its end, and whom that holds up: nobody for longer than until a person is called.

use saoma_protocol::{BatchId, Currency, Money, Sequence, journal::Record};
use serde_json::{Value, json};

use crate::{
    batches::shown,
    cards::Shop,
    fleet_world::eventually,
    stored_cards_world::{Gate, Journal, as_it_is, read_again},
    town::{becomes, text},
};

/// Where nobody listens.
const NOWHERE: &str = "tcp://127.0.0.1:9";

impl Shop {
    /// Sells what cannot be sent now, and waits until that was tried.
    async fn sells_to_nowhere(&self, journal: &mut Journal<'_>) -> String {
        let sold = journal.sells(as_it_is);
        assert_eq!(journal.syncs().await, [""; 0]);
        self.eventually_row(&sold, "attempts > 0").await;
        sold
    }

    async fn eventually_row(&self, payment: &str, is: &str) {
        let query = format!("SELECT payment_id AS text FROM stored_card_sales WHERE payment_id = '{payment}' AND {is}");
        eventually(is, async || !self.town.column(&query).is_empty()).await;
    }

    /// It is tried soon, and a person is called for what has no end then.
    fn is_old(&self, payment: &str) {
        self.town.force(&format!(
            "UPDATE stored_card_sales SET taken_at = taken_at - 3600000, next_attempt_at = 0 WHERE payment_id = '{payment}'"
        ));
        self.town.force(&format!("UPDATE payments SET updated_at = updated_at - 3600000 WHERE id = '{payment}'"));
    }

    async fn calls_a_person(&self, payment: &str) {
        eventually("a person is called", async || self.payment(payment).await["needs_attention"].is_object()).await;
    }

    fn has_a_package_that_does_not_load(&self, hash: &str) {
        self.town.force(&format!(
            "INSERT INTO plugin_packages VALUES ('{}', '{hash}', 'card', '9.0.0', '0.2.0', 'a key', 1, 0, 'usr_mei', \
             NULL, NULL, '{{}}', 'x')",
            self.tea.id
        ));
    }
}

#[actix_web::test]
async fn what_was_approved_and_cannot_be_booked_is_the_same_message_ever_after() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    let address = shop.moves_to(NOWHERE).await;
    let mut journal = Journal::of(&till, &shop);
    let sold = shop.sells_to_nowhere(&mut journal).await;
    let plan = |version: u32| {
        shop.town.force(&format!("UPDATE payments SET fee_plan_version = {version} WHERE id = '{sold}'"))
    };
    plan(99);
    shop.moves_to(&address).await;
    // The acquirer has it from now on, whatever core cannot do with the answer.
    shop.eventually_row(&sold, "first_sent_at IS NOT NULL AND lease_until IS NULL").await;
    let first_sent =
        format!("SELECT CAST(first_sent_at AS TEXT) AS text FROM stored_card_sales WHERE payment_id = '{sold}'");
    let before = shop.town.column(&first_sent);
    shop.is_old(&sold);
    shop.calls_a_person(&sold).await;
    assert_eq!(shop.town.column(&first_sent), before);
    plan(1);
    shop.is_old(&sold);
    becomes(owner, &sold, "succeeded").await;
    assert_eq!((shop.books(&sold).await, shop.town.column(&first_sent)), ((1, 0), before));
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

/// As after an upgrade of core, which does not take the package any more through which the first was sent.
#[actix_web::test]
async fn a_package_that_is_gone_holds_up_its_own_sale_alone() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    let address = shop.moves_to(NOWHERE).await;
    let mut journal = Journal::of(&till, &shop);
    let sent = shop.sells_to_nowhere(&mut journal).await;
    let after = journal.sells(read_again);
    journal.syncs().await;
    let gone = "c0".repeat(32);
    shop.has_a_package_that_does_not_load(&gone);
    shop.town.force(&format!("INSERT INTO payment_packages VALUES ('{}', '{sent}', '{gone}')", shop.tea.id));
    eventually("it was sent once", async || {
        shop.town.force(&format!(
            "UPDATE stored_card_sales SET first_sent_at = taken_at WHERE payment_id = '{sent}' AND lease_until IS NULL"
        ));
        let was = "SELECT payment_id AS text FROM stored_card_sales WHERE first_sent_at IS NOT NULL";
        !shop.town.column(was).is_empty()
    })
    .await;
    shop.is_old(&sent);
    shop.moves_to(&address).await;
    shop.calls_a_person(&sent).await;
    becomes(owner, &after, "succeeded").await;
    assert_eq!(shop.payment(&sent).await["state"], "pending");
    shop.acquirer.stop().await;
}

/// Its row is hurt: it hides no other, a person is called, and two end it.
#[actix_web::test]
async fn what_cannot_be_read_is_ended_by_hand() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    let accountant = shop.town.person(&shop.tea, "accountant").await;
    shop.sells_stored().await;
    let address = shop.moves_to(NOWHERE).await;
    let mut journal = Journal::of(&till, &shop);
    let hurt = shop.sells_to_nowhere(&mut journal).await;
    let after = journal.sells(read_again);
    journal.syncs().await;
    shop.town.force(&format!("UPDATE stored_card_sales SET currency = 'yen?' WHERE payment_id = '{hurt}'"));
    shop.moves_to(&address).await;
    shop.calls_a_person(&hurt).await;
    becomes(owner, &after, "succeeded").await;
    assert_eq!(shop.stored("limit=1").await[0]["payment"], json!(after));
    let timeline = owner.get(&format!("/v1/payments/{hurt}/timeline")).await.text;
    assert!(timeline.contains("settle it by hand"), "{timeline}");
    // It holds up no batch.
    let batch = json!({ "channel_account": shop.account });
    let batch: Value = owner.post("/v1/settlement-batches").key("b").json(&batch).await.json(202);
    assert_eq!(batch["rows"], 1, "{batch}");
    shop.settled_by_hand(&hurt, "not_paid", &accountant).await;
    let shown = shop.payment(&hurt).await;
    assert_eq!((&shown["state"], &shown["needs_attention"]), (&json!("reversed"), &Value::Null), "{shown}");
    shop.eventually_row(&hurt, "outcome = 'lost'").await;
    shop.acquirer.stop().await;
}

/// A person is called for it, so that no batch waits for it; but none is closed while it is out.
#[actix_web::test]
async fn no_batch_is_closed_while_one_that_was_called_for_is_out() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    let mut gate = Gate::before(&shop).await;
    let mut journal = Journal::of(&till, &shop);
    let first = journal.sells(read_again);
    journal.syncs().await;
    becomes(owner, &first, "succeeded").await;
    let address = shop.moves_to(NOWHERE).await;
    let called = journal.sells(as_it_is);
    journal.syncs().await;
    shop.eventually_row(&called, "attempts > 0").await;
    // What is of no account's fault, as if the acquirer had kept silent.
    shop.town.force(&format!("UPDATE stored_card_sales SET aside = true WHERE payment_id = '{called}'"));
    shop.is_old(&called);
    shop.calls_a_person(&called).await;
    gate.closes();
    shop.moves_to(&address).await;
    shop.is_old(&called);
    gate.holds_an_answer().await;
    let batch = json!({ "channel_account": shop.account });
    let closed = owner.post("/v1/settlement-batches").key("b").json(&batch).await;
    assert_eq!(closed.status, 409, "{}", closed.text);
    gate.opens();
    becomes(owner, &called, "succeeded").await;
    assert_eq!(shop.books(&called).await, (1, 0));
    shop.books_hold().await;
    shop.acquirer.stop().await;
}

#[actix_web::test]
async fn what_comes_in_has_its_package_its_number_and_its_shift() {
    let shop = Shop::open().await;
    let till = shop.town.till(&shop.tea).await;
    let other = shop.town.till(&shop.tea).await;
    shop.sells_stored().await;
    let hash = "c0".repeat(32);
    shop.has_a_package_that_does_not_load(&hash);
    shop.town.force(&format!(
        "INSERT INTO plugin_rollouts VALUES ('{}', 'card', '{hash}', NULL, NULL, 1, 0, 'usr_mei')",
        shop.tea.id
    ));
    let nothing = Money::new(0, Currency::CNY);
    let (cashier, cashier_number) = ("Li".to_owned(), "07".to_owned());
    let mut journal = Journal::of(&till, &shop);
    journal.write(Record::ShiftOpened { batch: Sequence(1), cashier, cashier_number, float: nothing });
    // A number that neither terminal can have.
    let told = journal.sells_so(|sold| sold.payment = "pay_lpgotadatwo6tslwumbgtvnmti".parse().unwrap());
    assert_eq!(journal.syncs().await.len(), 1);
    let [held] = shop.stored("").await.try_into().unwrap();
    let number = text(&held, "/payment").to_owned();
    assert!(held["state"] == "held" && number != told, "{held}");
    let bound = format!("SELECT package AS text FROM payment_packages WHERE payment_id = '{number}'");
    assert_eq!(shop.town.column(&bound), [hash.as_str()]);
    assert_eq!(shop.town.column("SELECT payment_id AS text FROM terminal_sales"), [number.as_str()]);
    let batch = BatchId::of(shop.tea.id.parse().unwrap(), till.id.parse().unwrap(), Sequence(1)).to_string();
    let detail = shown(&shop.tea, &batch).await;
    assert!(detail["batch"]["closed"].is_null(), "{detail}");
    // The very entries under another terminal, whose they are not: its journal goes on.
    let mut copied = Journal::of(&other, &shop);
    copied.entries = journal.entries.clone();
    assert_eq!(copied.syncs().await.len(), 1);
    assert_eq!(shop.stored("only=open").await.len(), 2);
    shop.acquirer.stop().await;
}

/// It is dropped in any case.
#[actix_web::test]
async fn a_pin_that_cannot_be_one_costs_no_sale() {
    let shop = Shop::open().await;
    let (owner, till) = (&shop.tea.owner, shop.town.till(&shop.tea).await);
    shop.sells_stored().await;
    let mut journal = Journal::of(&till, &shop);
    let sold = journal.sells(|card| {
        let pin = json!({ "ksn": "FFFF", "block": "12" });
        card.pin = serde_json::from_value(pin).unwrap();
    });
    let told = journal.syncs().await;
    assert!(told.len() == 1 && told[0].contains("forwarded all the same: there was a PIN"), "{told:?}");
    becomes(owner, &sold, "succeeded").await;
    shop.acquirer.stop().await;
}
