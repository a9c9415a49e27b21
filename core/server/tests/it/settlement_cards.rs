//! A card acquirer's batch over the API, from the sale to what a person makes of a difference.

use serde_json::{Value, json};

use crate::{cards::Shop, door::Door, fleet_world::eventually, receiver::Receiver, town::text};

impl Shop {
    fn wish(&self) -> Value {
        json!({ "channel_account": self.account })
    }

    async fn ends(&self, id: &str, state: &str) -> Value {
        let path = format!("/v1/settlement-batches/{id}");
        eventually("the batch has its end", async || {
            let shown: Value = self.tea.owner.get(&path).await.json(200);
            shown["state"] == state
        })
        .await;
        self.tea.owner.get(&path).await.json(200)
    }

    async fn at_acquirer(&self) -> Value {
        Door::at(&self.acquirer.door).get("/batches").await.json(200)
    }
}

#[actix_web::test]
async fn a_batch_is_settled_at_the_acquirer() {
    let shop = Shop::open().await;
    let owner = &shop.tea.owner;
    let batches = "/v1/settlement-batches";
    let nothing = owner.post(batches).key("early").json(&shop.wish()).await;
    assert_eq!(nothing.refusal(), (409, "not_in_state".to_owned()));
    let cannot = owner.post(batches).key("other").json(&json!({ "channel_account": shop.tea.account })).await;
    assert_eq!(cannot.refusal(), (409, "channel_cannot".to_owned()));
    let sold = shop.sold("k").await;
    let part = json!({ "amount": { "minor": 400, "currency": "CNY" } });
    let _: Value = owner.post(&format!("/v1/payments/{sold}/refunds")).key("part").json(&part).await.json(201);
    // The same card once more.
    shop.town.force("DELETE FROM payment_cards");
    let whole = shop.sold("k0").await;
    let open: Value = owner.get("/v1/settlement-batches/open").await.json(200);
    let total =
        json!({ "currency": "CNY", "debits": { "count": 2, "minor": 2_500 }, "credits": { "count": 1, "minor": 400 } });
    assert_eq!(
        (&open["items"][0]["channel_account"], &open["items"][0]["totals"]),
        (&json!(shop.account), &json!([total]))
    );
    assert_eq!(open["items"].as_array().map(Vec::len), Some(1), "{open}");

    let closed: Value = owner.post(batches).key("day").json(&shop.wish()).await.json(202);
    assert_eq!((&closed["totals"], &closed["rows"]), (&json!([total]), &json!(3)));
    // The same request again is the same batch, also once it is over.
    let id = text(&closed, "/id");
    let settled = shop.ends(id, "settled").await;
    assert_eq!((&settled["needs_attention"], settled.get("sent")), (&json!(false), None));
    let again: Value = owner.post(batches).key("day").json(&shop.wish()).await.json(202);
    assert_eq!(again, closed);
    let seen = shop.at_acquirer().await;
    assert_eq!(
        (&seen[0]["balanced"], &seen[0]["debit_minor"], &seen[0]["credit_minor"]),
        (&json!(true), &json!(2_500), &json!(400))
    );
    assert_eq!(seen.as_array().map(Vec::len), Some(1), "{seen}");

    // What is settled is given back, and not undone.
    let late = owner.post(&format!("/v1/payments/{whole}/void")).key("void").json(&json!({})).await;
    assert_eq!(late.refusal(), (409, "void_too_late".to_owned()));
    assert!(late.text.contains("Refund it instead"), "{}", late.text);

    // In the acquirer's next batch, which it counts otherwise.
    shop.town.force("DELETE FROM payment_cards");
    let receiver = Receiver::open().await;
    let hook = json!({ "url": receiver.url, "event_types": ["settlement_batch.needs_attention"] });
    let _: Value = owner.post("/v1/webhook-endpoints").json(&hook).await.json(201);
    shop.sold("k2").await;
    shop.next("settle", "out-of-balance").await;
    let second: Value = owner.post(batches).key("day-2").json(&shop.wish()).await.json(202);
    let id = text(&second, "/id");
    let differs = shop.ends(id, "differs").await;
    assert_eq!(
        (&differs["sequence"], &differs["sent"], &differs["needs_attention"]),
        (&json!(2), &json!(1), &json!(true))
    );
    let told = receiver.hears(1).await.remove(0).json();
    assert_eq!((&told["type"], &told["data"]), (&json!("settlement_batch.needs_attention"), &differs));
    let seen = shop.at_acquirer().await;
    assert_eq!(
        (&seen[1]["balanced"], &seen[1]["uploaded"], &seen[1]["missing"]),
        (&json!(false), &json!(1), &json!(0))
    );
    let waiting: Value = owner.get("/v1/settlement-batches?needs_attention=true").await.json(200);
    assert_eq!(waiting["items"], json!([differs]));
    let resolve = format!("{batches}/{id}/resolve");
    let stale = owner.post(&resolve).key("r0").json(&json!({ "reason": "seen", "version": 1 })).await;
    assert_eq!(stale.refusal(), (409, "changed_meanwhile".to_owned()));
    let wish = json!({ "reason": "the acquirer counts a test", "version": differs["version"] });
    let seen: Value = owner.post(&resolve).key("r1").json(&wish).await.json(200);
    assert_eq!((&seen["needs_attention"], &seen["resolved"]["reason"]), (&json!(false), &wish["reason"]));
    assert_eq!(owner.post(&resolve).key("r1").json(&wish).await.json::<Value>(200), seen, "the same request");
    let done = owner.post(&resolve).key("r2").json(&json!({ "reason": "again", "version": seen["version"] })).await;
    assert_eq!(done.refusal(), (409, "not_in_state".to_owned()));
    let listed: Value = owner.get(&format!("{batches}?channel_account={}&limit=1", shop.account)).await.json(200);
    assert_eq!((&listed["items"], listed["next_cursor"].is_string()), (&json!([seen]), true));
    let audit = owner.get("/v1/audit").await.text;
    for action in ["closed", "ended", "needs_attention", "resolved"].map(|action| format!("settlement_batch.{action}"))
    {
        assert!(audit.contains(&action), "{action}");
    }
    shop.tea.books_balance().await;
    shop.acquirer.stop().await;
}

/// Were the batch there and its key not, a repeat would close another one, of what was sold since.
#[actix_web::test]
async fn a_batch_and_the_key_of_its_wish_are_kept_together() {
    let shop = Shop::open().await;
    let owner = &shop.tea.owner;
    let batches = "/v1/settlement-batches";
    shop.sold("k").await;
    shop.town.force("ALTER TABLE idempotency_keys RENAME COLUMN answer TO gone");
    let failed = owner.post(batches).key("day").json(&shop.wish()).await;
    assert!(failed.status >= 500, "{}", failed.text);
    let none: Value = owner.get(batches).await.json(200);
    assert_eq!(none["items"], json!([]));
    shop.town.force("ALTER TABLE idempotency_keys RENAME COLUMN gone TO answer");
    let closed: Value = owner.post(batches).key("day").json(&shop.wish()).await.json(202);
    shop.ends(text(&closed, "/id"), "settled").await;
    shop.acquirer.stop().await;
}
