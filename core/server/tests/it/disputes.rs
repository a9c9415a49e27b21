//! A customer disputes what they paid: what the merchant's people write down, what it does to refunds and books, and who
//! hears of it. Each story on SQLite and on PostgreSQL, but for those about the door alone.

use futures_util::future::join;
use saoma_store::{access, ledger};
use serde_json::{Value, json};

use crate::{
    door::{Answer, Door},
    fleet_world::eventually,
    postgres,
    receiver::Receiver,
    town::{Merchant, Town, charge, text},
};

async fn on_both(story: impl AsyncFn(Town, Merchant)) {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    story(town, jade).await;
    let database = tokio::task::spawn_blocking(postgres::migrated).await.unwrap();
    let town = Town::found_with(&[("SAOMA_DATABASE__URL", &database)]).await;
    let jade = town.merchant("jade").await;
    story(town, jade).await;
}

fn yuan(minor: i64) -> Value {
    json!({ "minor": minor, "currency": "CNY" })
}

async fn sold(town: &Town, jade: &Merchant, key: &str) -> String {
    let sold = jade.sells(town, &jade.owner, 1_000, key).await;
    assert_eq!(sold["state"], "succeeded", "{sold}");
    text(&sold, "/id").to_owned()
}

async fn opens(door: &Door, payment: &str, case: &str, minor: i64) -> Answer {
    let body = json!({ "amount": yuan(minor), "case_reference": case, "reason_code": "13.1" });
    door.post(&format!("/v1/payments/{payment}/disputes")).key(case).json(&body).await
}

async fn opened(jade: &Merchant, payment: &str, case: &str, minor: i64) -> String {
    let shown: Value = opens(&jade.owner, payment, case, minor).await.json(201);
    assert_eq!((&shown["state"], &shown["amount"]), (&json!("needs_response"), &yuan(minor)), "{shown}");
    text(&shown, "/id").to_owned()
}

async fn step(door: &Door, dispute: &str, what: &str, key: &str, body: &Value) -> Answer {
    door.post(&format!("/v1/disputes/{dispute}/{what}")).key(key).json(body).await
}

async fn refunds(door: &Door, payment: &str, key: &str, minor: i64) -> Answer {
    door.post(&format!("/v1/payments/{payment}/refunds")).key(key).json(&json!({ "amount": yuan(minor) })).await
}

async fn payment(door: &Door, payment: &str) -> Value {
    door.get(&format!("/v1/payments/{payment}")).await.json(200)
}

fn disputed() -> (u16, String) {
    (409, "payment_disputed".to_owned())
}

/// What the books have on an account, debits positive.
async fn balance(jade: &Merchant, account: &str) -> i64 {
    let trial: Value = jade.owner.get("/v1/ledger/trial-balance").await.json(200);
    let lines = trial["accounts"].as_array().unwrap_or_else(|| panic!("{trial}"));
    let of_account = lines.iter().filter(|line| line["account"] == account);
    of_account.map(|line| line["balance"]["minor"].as_i64().unwrap()).sum()
}

/// Debits equal credits, and each payment's postings say what it, its refunds and its disputes say.
async fn books_hold(town: &Town, jade: &Merchant) {
    jade.books_balance().await;
    let store = town.running().app().store().clone();
    let check = move || store.read_blocking(|tx| ledger::check_all(tx, &access::process()));
    let found = tokio::task::spawn_blocking(check).await.unwrap().unwrap();
    assert!(found.is_empty(), "{found:?}");
}

async fn kinds(jade: &Merchant, payment: &str) -> Vec<String> {
    let timeline: Value = jade.owner.get(&format!("/v1/payments/{payment}/timeline")).await.json(200);
    let events = timeline["events"].as_array().unwrap();
    let of_disputes = events.iter().filter(|event| event["dispute"].is_string() || event["kind"] == "dispute_exceeds");
    of_disputes.map(|event| text(event, "/kind").to_owned()).collect()
}

#[actix_web::test]
async fn what_is_lost_is_a_loss_and_cannot_be_refunded_as_well() {
    on_both(async |town, jade| {
        let (owner, paid) = (&jade.owner, sold(&town, &jade, "sale").await);
        let clearing = balance(&jade, "channel_clearing").await;
        let dispute = opened(&jade, &paid, "C-1", 600).await;
        let shown = payment(owner, &paid).await;
        assert_eq!((&shown["state"], &shown["disputed_minor"]), (&json!("succeeded"), &json!(600)));
        assert_eq!(balance(&jade, "disputes_held").await, 600);
        assert_eq!(refunds(owner, &paid, "too-much", 401).await.refusal(), disputed());
        let voided = owner.post(&format!("/v1/payments/{paid}/void")).key("void").json(&json!({})).await;
        assert_eq!(voided.refusal(), disputed());
        let beside: Value = refunds(owner, &paid, "beside-it", 400).await.json(201);
        assert_eq!(beside["state"], "succeeded");
        assert_eq!(refunds(owner, &paid, "one-more", 1).await.refusal(), disputed());
        assert_eq!(refunds(owner, &paid, "more-than-all", 601).await.refusal(), (409, "refund_exceeds".to_owned()));

        let evidence = json!({ "evidence": ["receipt with signature", "delivery note 7"] });
        let shown: Value = step(owner, &dispute, "submit", "s1", &evidence).await.json(200);
        assert_eq!((&shown["state"], &shown["evidence"]), (&json!("under_review"), &evidence["evidence"]));
        let again = json!({ "respond_by": 1_900_000_000_000_i64 });
        let shown: Value = step(owner, &dispute, "respond-by", "a1", &again).await.json(200);
        assert_eq!((&shown["state"], &shown["respond_by"]), (&json!("needs_response"), &again["respond_by"]));
        let _: Value = step(owner, &dispute, "submit", "s2", &evidence).await.json(200);
        let too_late = step(owner, &dispute, "accept", "x", &json!({ "reason": "no case" })).await;
        assert_eq!(too_late.refusal(), (409, "not_in_state".to_owned()));
        let lost = json!({ "outcome": "lost", "fee": yuan(15) });
        let shown: Value = step(owner, &dispute, "close", "c1", &lost).await.json(200);
        assert_eq!((&shown["state"], &shown["fee"], &shown["accepted"]), (&json!("lost"), &yuan(15), &json!(false)));
        assert_eq!(shown["respond_by"], Value::Null);

        // It is final: said again it changes nothing, and nothing older goes over it.
        assert_eq!(step(owner, &dispute, "close", "c2", &lost).await.json::<Value>(200), shown);
        for (what, body) in [
            ("close", json!({ "outcome": "won" })),
            ("respond-by", again),
            ("submit", evidence),
            ("accept", json!({ "reason": "no case" })),
        ] {
            let refused = step(owner, &dispute, what, "late", &body).await;
            assert_eq!(refused.refusal(), (409, "dispute_decided".to_owned()), "{what}");
        }
        assert_eq!(refunds(owner, &paid, "still", 1).await.refusal(), disputed());
        assert_eq!(payment(owner, &paid).await["disputed_minor"], 600);
        assert_eq!((balance(&jade, "disputes_held").await, balance(&jade, "risk_loss").await), (0, 600));
        // 400 were given back, and by this plan the fee of that stays.
        assert_eq!(balance(&jade, "channel_clearing").await, clearing - 400 - 600 - 15);
        assert_eq!(
            kinds(&jade, &paid).await,
            [
                "dispute_opened",
                "dispute_evidence_submitted",
                "dispute_response_asked",
                "dispute_evidence_submitted",
                "dispute_lost"
            ]
        );
        for action in ["dispute.opened", "dispute.evidence_submitted", "dispute.response_asked", "dispute.lost"] {
            let audited = jade.audited(action).await;
            assert!(
                !audited.is_empty() && audited.iter().all(|entry| entry["subject"] == dispute.as_str()),
                "{action}"
            );
        }
        books_hold(&town, &jade).await;
    })
    .await;
}

#[actix_web::test]
async fn what_is_won_comes_back_also_where_the_merchant_had_given_up() {
    on_both(async |town, jade| {
        let (owner, paid) = (&jade.owner, sold(&town, &jade, "sale").await);
        let clearing = balance(&jade, "channel_clearing").await;
        let dispute = opened(&jade, &paid, "C-1", 1_000).await;
        assert_eq!(refunds(owner, &paid, "r", 1).await.refusal(), disputed());
        let shown: Value = step(owner, &dispute, "accept", "a", &json!({ "reason": "no proof" })).await.json(200);
        assert_eq!((&shown["state"], &shown["accepted"]), (&json!("accepted"), &json!(true)));
        assert_eq!(balance(&jade, "risk_loss").await, 0, "the channel has not said it yet");
        let shown: Value = step(owner, &dispute, "close", "c", &json!({ "outcome": "won" })).await.json(200);
        assert_eq!((&shown["state"], &shown["fee"]), (&json!("won"), &Value::Null));
        assert_eq!(balance(&jade, "channel_clearing").await, clearing);
        assert_eq!(payment(owner, &paid).await["disputed_minor"], 0);
        // The scheme takes it once more, as another case.
        let second = opened(&jade, &paid, "C-2", 1_000).await;
        let lost = json!({ "outcome": "lost" });
        let _: Value = step(owner, &second, "accept", "a", &json!({ "reason": "tired" })).await.json(200);
        let shown: Value = step(owner, &second, "close", "c", &lost).await.json(200);
        assert_eq!((&shown["state"], &shown["accepted"]), (&json!("lost"), &json!(true)));
        let listed: Value = owner.get(&format!("/v1/disputes?payment={paid}")).await.json(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        let won: Value = owner.get("/v1/disputes?state=won&limit=1").await.json(200);
        assert_eq!((&won["items"][0]["id"], &won["next_cursor"]), (&json!(dispute), &Value::Null));
        books_hold(&town, &jade).await;
    })
    .await;
}

#[actix_web::test]
async fn more_than_is_left_is_written_down_and_calls_a_person() {
    on_both(async |town, jade| {
        let (owner, paid) = (&jade.owner, sold(&town, &jade, "sale").await);
        let _: Value = refunds(owner, &paid, "first", 700).await.json(201);
        let one = opened(&jade, &paid, "C-1", 300).await;
        assert_eq!(payment(owner, &paid).await["needs_attention"], Value::Null, "just what is left");
        let two = opened(&jade, &paid, "C-2", 1_000).await;
        let shown = payment(owner, &paid).await;
        assert!(shown["needs_attention"]["since"].is_i64(), "{shown}");
        // The refund that the channel has confirmed stays.
        assert_eq!((&shown["refunded_minor"], &shown["disputed_minor"]), (&json!(700), &json!(1_300)));
        let waiting: Value = owner.get("/v1/payments?attention=true").await.json(200);
        assert_eq!(waiting["items"][0]["id"], json!(paid));
        let seen =
            owner.post(&format!("/v1/payments/{paid}/attend")).key("seen").json(&json!({ "reason": "told them" }));
        assert_eq!(seen.await.json::<Value>(200)["needs_attention"], Value::Null);
        for (dispute, outcome) in [(two, "won"), (one, "lost")] {
            let _: Value = step(owner, &dispute, "close", "c", &json!({ "outcome": outcome })).await.json(200);
        }
        assert_eq!(refunds(owner, &paid, "last", 1).await.refusal(), disputed());
        assert_eq!(
            kinds(&jade, &paid).await,
            ["dispute_opened", "dispute_opened", "dispute_exceeds", "dispute_won", "dispute_lost"]
        );
        books_hold(&town, &jade).await;
    })
    .await;
}

/// Whoever comes second sees what the first has left.
#[actix_web::test]
async fn a_refund_and_a_dispute_at_once_do_not_get_the_same_money_unseen() {
    on_both(async |town, jade| {
        for round in 0..6 {
            let (owner, paid) = (&jade.owner, sold(&town, &jade, &format!("sale-{round}")).await);
            let case = format!("C-{round}");
            let (refund, dispute) = join(refunds(owner, &paid, "r", 600), opens(owner, &paid, &case, 600)).await;
            let _: Value = dispute.json(201);
            let shown = payment(owner, &paid).await;
            assert_eq!(shown["disputed_minor"], 600);
            if refund.status == 201 {
                assert_eq!(shown["refunded_minor"], 600);
                assert!(shown["needs_attention"]["since"].is_i64(), "both have it, and nobody is called: {shown}");
            } else {
                assert_eq!(refund.refusal(), disputed());
                assert_eq!((&shown["refunded_minor"], &shown["needs_attention"]), (&json!(0), &Value::Null));
            }
            let (one, other) = (format!("D-{round}"), format!("E-{round}"));
            let both = join(opens(owner, &paid, &one, 100), opens(owner, &paid, &other, 100)).await;
            let _: (Value, Value) = (both.0.json(201), both.1.json(201));
            assert_eq!(payment(owner, &paid).await["disputed_minor"], 800);
        }
        books_hold(&town, &jade).await;
    })
    .await;
}

#[actix_web::test]
async fn the_same_request_again_is_the_first_one_and_another_is_refused() {
    on_both(async |town, jade| {
        let (owner, paid) = (&jade.owner, sold(&town, &jade, "sale").await);
        let (one, other) = join(opens(owner, &paid, "C-1", 600), opens(owner, &paid, "C-1", 600)).await;
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 201], "{} {}", one.text, other.text);
        let shown: Value = one.json(one.status);
        assert_eq!(shown, other.json::<Value>(other.status));
        assert_eq!(opens(owner, &paid, "C-1", 500).await.refusal(), (422, "idempotency_key_reused".to_owned()));
        let body = json!({ "amount": yuan(1), "case_reference": "C-1" });
        let path = format!("/v1/payments/{paid}/disputes");
        assert_eq!(owner.post(&path).key("k").json(&body).await.refusal(), (409, "conflict".to_owned()));
        // Nothing of what was refused has stayed, not even its key.
        let body = json!({ "amount": yuan(1), "case_reference": "C-2" });
        let _: Value = owner.post(&path).key("k").json(&body).await.json(201);

        let dispute = text(&shown, "/id");
        let lost = json!({ "outcome": "lost", "fee": yuan(15) });
        let (one, other) =
            join(step(owner, dispute, "close", "c", &lost), step(owner, dispute, "close", "c", &lost)).await;
        assert_eq!(one.json::<Value>(200), other.json::<Value>(200));
        let reused = step(owner, dispute, "close", "c", &json!({ "outcome": "won" })).await;
        assert_eq!(reused.refusal(), (422, "idempotency_key_reused".to_owned()));
        assert_eq!(balance(&jade, "risk_loss").await, 600);
        books_hold(&town, &jade).await;
    })
    .await;
}

#[actix_web::test]
async fn what_cannot_be_is_refused_and_changes_nothing() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (owner, paid) = (&jade.owner, sold(&town, &jade, "sale").await);
    let dispute = opened(&jade, &paid, "C-1", 600).await;
    let poor = charge(500, &town.code_of("carol").await);
    let failed: Value = owner.post("/v1/payments").key("poor").json(&poor).await.json(201);
    assert_eq!(failed["state"], "failed", "{failed}");
    let unpaid = text(&failed, "/id");
    let before = town.rows_at_rest(&jade.id).await;
    let good = json!({ "amount": yuan(100), "case_reference": "C-2" });
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body
    };
    let open = async |payment: &str, body: &Value| {
        owner.post(&format!("/v1/payments/{payment}/disputes")).key("bad").json(body).await.refusal()
    };
    let refusal = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(open(unpaid, &good).await, refusal(409, "not_in_state"));
    for (body, expected) in [
        (with("amount", json!({ "minor": 100, "currency": "USD" })), refusal(422, "currency_mismatch")),
        (with("amount", yuan(0)), refusal(422, "invalid")),
        (with("amount", yuan(-5)), refusal(422, "invalid")),
        (with("case_reference", json!(" ")), refusal(422, "invalid")),
        (with("case_reference", json!("c".repeat(129))), refusal(422, "invalid")),
        (with("reason_code", json!("13\n1")), refusal(422, "invalid")),
        (with("respond_by", json!(1_790_000_000)), refusal(422, "invalid")),
        (with("fee", yuan(1)), refusal(422, "invalid")),
    ] {
        assert_eq!(open(&paid, &body).await, expected, "{body}");
    }
    for (what, body, expected) in [
        ("submit", json!({ "evidence": [] }), refusal(422, "invalid")),
        ("submit", json!({ "evidence": vec!["a receipt"; 21] }), refusal(422, "invalid")),
        ("submit", json!({ "evidence": ["a receipt", ""] }), refusal(422, "invalid")),
        ("respond-by", json!({ "respond_by": -1 }), refusal(422, "invalid")),
        ("accept", json!({ "reason": "" }), refusal(422, "invalid")),
        ("close", json!({ "outcome": "drawn" }), refusal(422, "invalid")),
        ("close", json!({ "outcome": "lost", "fee": yuan(0) }), refusal(422, "invalid")),
        (
            "close",
            json!({ "outcome": "lost", "fee": { "minor": 1, "currency": "USD" } }),
            refusal(422, "currency_mismatch"),
        ),
    ] {
        assert_eq!(step(owner, &dispute, what, "bad", &body).await.refusal(), expected, "{what} {body}");
    }
    assert_eq!(owner.get("/v1/disputes?state=drawn").await.refusal(), refusal(422, "invalid"));
    assert_eq!(town.rows_of(&jade.id), before);
    // Programs do not carry the channel's word, and not everybody may.
    let key = town.key(&jade, "owner").await;
    assert_eq!(opens(&key, &paid, "C-2", 1).await.refusal(), refusal(403, "forbidden"));
    for role in ["manager", "cashier"] {
        let person = town.person(&jade, role).await;
        assert_eq!(opens(&person, &paid, "C-2", 1).await.refusal(), refusal(403, "forbidden"), "{role}");
    }
    // A stranger who knows the ids.
    let rust = town.merchant("rust").await;
    for answer in [
        opens(&rust.owner, &paid, "C-2", 1).await,
        step(&rust.owner, &dispute, "close", "c", &json!({ "outcome": "lost" })).await,
        rust.owner.get(&format!("/v1/disputes/{dispute}")).await,
    ] {
        assert_eq!(answer.refusal(), refusal(404, "not_found"));
    }
    let listed: Value = rust.owner.get(&format!("/v1/disputes?payment={paid}")).await.json(200);
    assert_eq!(listed["items"], json!([]));
    let stands: Value = owner.get(&format!("/v1/disputes/{dispute}")).await.json(200);
    assert_eq!((&stands["state"], &stands["version"]), (&json!("needs_response"), &json!(1)));
    books_hold(&town, &jade).await;
}

#[actix_web::test]
async fn the_merchants_systems_hear_of_it() {
    let town = Town::found().await;
    let jade = town.merchant("jade").await;
    let (owner, receiver) = (&jade.owner, Receiver::open().await);
    let paid = sold(&town, &jade, "sale").await;
    let endpoint =
        json!({ "url": receiver.url, "event_types": ["dispute.opened", "dispute.updated", "dispute.closed"] });
    let made: Value = owner.post("/v1/webhook-endpoints").json(&endpoint).await.json(201);
    let dispute = opened(&jade, &paid, "C-1", 600).await;
    let evidence = json!({ "evidence": ["the customer's signature"] });
    let _: Value = step(owner, &dispute, "submit", "s", &evidence).await.json(200);
    let _: Value = step(owner, &dispute, "close", "c", &json!({ "outcome": "lost", "fee": yuan(15) })).await.json(200);
    for (kind, state, version) in
        [("dispute.opened", "needs_response", 1), ("dispute.updated", "under_review", 2), ("dispute.closed", "lost", 3)]
    {
        let heard = receiver.hears_of(kind).await;
        assert!(heard.is_signed_with(text(&made, "/secret")));
        let data = &heard.json()["data"];
        assert_eq!((&data["id"], &data["payment"]), (&json!(dispute), &json!(paid)), "{kind}");
        assert_eq!((&data["state"], &data["version"]), (&json!(state), &json!(version)), "{kind}");
        assert_eq!((&data["case_reference"], &data["evidence"]), (&json!("C-1"), &json!([])), "{kind}");
    }
}

#[actix_web::test]
async fn a_person_is_called_while_there_is_time_to_answer() {
    on_both(async |town, jade| {
        let (owner, paid) = (&jade.owner, sold(&town, &jade, "sale").await);
        let now = town.running().app().now().0;
        let mut disputes = Vec::new();
        for (case, respond_by) in [("soon", now + 3_600_000), ("late", now + 30 * 86_400_000)] {
            let body = json!({ "amount": yuan(100), "case_reference": case, "respond_by": respond_by });
            let path = format!("/v1/payments/{paid}/disputes");
            let shown: Value = owner.post(&path).key(case).json(&body).await.json(201);
            disputes.push(text(&shown, "/id").to_owned());
        }
        let shown = async |dispute: &str| -> Value { owner.get(&format!("/v1/disputes/{dispute}")).await.json(200) };
        let (soon, late) = (&disputes[0], &disputes[1]);
        eventually("a person is called", async || shown(soon).await["needs_attention"].is_i64()).await;
        assert_eq!(shown(late).await["needs_attention"], Value::Null);
        let waiting: Value = owner.get("/v1/payments?attention=true").await.json(200);
        assert_eq!(waiting["items"][0]["id"], json!(paid));
        let evidence = json!({ "evidence": ["receipt"] });
        let answered: Value = step(owner, soon, "submit", "s", &evidence).await.json(200);
        assert_eq!(answered["needs_attention"], Value::Null);
        assert_eq!(owner.get("/v1/payments?attention=true").await.json::<Value>(200)["items"], json!([]));
        assert_eq!(
            kinds(&jade, &paid).await,
            ["dispute_opened", "dispute_opened", "needs_attention", "dispute_evidence_submitted"]
        );
        books_hold(&town, &jade).await;
    })
    .await;
}
