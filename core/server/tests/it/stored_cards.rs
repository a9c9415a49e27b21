//! A shop sells by card while its line is down, and core forwards what the terminal brings: approved, declined, unanswered, and what breaks the
//! merchant's policy.

use saoma_protocol::api::CardDigits;
use serde_json::{Value, json};

use crate::{
    access_bodies::card_policy,
    cards::Shop,
    fleet_world::eventually,
    offline_world::nudges,
    stored_cards_world::{Journal, POLICY, as_it_is, read_again},
    town::{becomes, text},
};

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
    assert_eq!(shown["reference"], "桌 7", "as the cashier wrote it");
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
    let said = |unblock: bool| json!({ "reason": "paid in cash the next day", "unblock": unblock });
    let cashier = shop.town.person(&shop.tea, "cashier").await;
    assert_eq!(cashier.post(&resolve).json(&said(true)).await.status, 403);
    let ended: Value = owner.post(&resolve).key("r").json(&said(false)).await.json(200);
    assert_eq!(ended["resolution"]["unblocks"], false, "{ended}");
    assert_eq!((shop.stored("only=open").await.len(), blocked().await.len()), (0, 1));
    // The card is let in later, and once.
    assert_eq!(owner.post(&resolve).key("r2").json(&said(false)).await.refusal(), (409, "conflict".to_owned()));
    let ended: Value = owner.post(&resolve).key("r3").json(&said(true)).await.json(200);
    assert_eq!(ended["resolution"]["unblocks"], true, "{ended}");
    assert_eq!(owner.post(&resolve).key("r4").json(&said(true)).await.refusal(), (409, "conflict".to_owned()));
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
    let mut journal = Journal::of(&till, &shop);
    // The channel sends no chip's sale without what the chip signed, however often it is asked.
    let stuck = journal.sells(|card| card.emv = None);
    let after = journal.sells(read_again);
    assert_eq!(journal.syncs().await, [""; 0]);
    let tried =
        format!("SELECT payment_id AS text FROM stored_card_sales WHERE payment_id = '{stuck}' AND attempts > 1");
    eventually("it was tried twice", async || !shop.town.column(&tried).is_empty()).await;
    assert_eq!(shop.payment(&after).await["state"], "pending", "one after the other");
    // Nothing of the account may be settled before both are told.
    let batch = json!({ "channel_account": shop.account });
    assert_eq!(owner.post("/v1/settlement-batches").key("early").json(&batch).await.status, 409);
    shop.town.force("UPDATE stored_card_sales SET taken_at = taken_at - 3600000");
    shop.town.force("UPDATE payments SET updated_at = updated_at - 3600000");
    // A person is called for it, and it steps aside from then on.
    becomes(owner, &after, "succeeded").await;
    assert_eq!(shop.town.column("SELECT payment_id AS text FROM stored_card_sales WHERE aside"), [stuck.as_str()]);
    let shown = shop.payment(&stuck).await;
    assert_eq!((&shown["state"], shown["needs_attention"].is_object()), (&json!("pending"), true), "{shown}");
    let batch: Value = owner.post("/v1/settlement-batches").key("b").json(&batch).await.json(202);
    assert_eq!(batch["rows"], 1, "{batch}");
    assert_eq!((shop.books(&after).await, shop.payment(&stuck).await["state"].clone()), ((1, 0), json!("pending")));
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
