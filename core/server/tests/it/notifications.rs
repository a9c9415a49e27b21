//! What a scheme tells core of its own accord: once is enough, forged is nothing, and the past does not come back.

use serde_json::{Value, json};

use crate::town::{Merchant, SCHEME_KEY, Town, becomes, present, text};

/// A notification as `plugins/schemes/PROTOCOL.md` has it: the order's message and three headers.
#[derive(Clone)]
pub struct Notice {
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Notice {
    /// As the scheme itself would send it.
    pub fn signed(order: &Value) -> Self {
        Self::signed_with(SCHEME_KEY, order)
    }

    fn signed_with(key: &str, order: &Value) -> Self {
        let at = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis().to_string();
        let (nonce, body) = ("0123456789abcdef0123456789abcdef".to_owned(), order.to_string());
        let signature = mac(key, &["NOTIFY", &at, &nonce, &body]);
        let headers = vec![(AT, at), (NONCE, nonce), (SIGNATURE, signature)];
        Self { headers, body }
    }

    fn with(mut self, header: &str, value: &str) -> Self {
        self.headers.iter_mut().filter(|(name, _)| *name == header).for_each(|(_, old)| value.clone_into(old));
        self
    }

    fn without(mut self, header: &str) -> Self {
        self.headers.retain(|(name, _)| *name != header);
        self
    }

    fn saying(self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self }
    }

    fn header(&self, header: &str) -> &str {
        self.headers.iter().find(|(name, _)| *name == header).map(|(_, value)| value.as_str()).unwrap()
    }

    pub async fn to(&self, town: &Town, account: &str) -> crate::door::Answer {
        let ask = town.nobody().post(&format!("/v1/notify/{account}"));
        let ask = self.headers.iter().fold(ask, |ask, (name, value)| ask.header(name, value.as_bytes()));
        ask.bytes(self.body.clone()).await
    }
}

const AT: &str = "x-sandbox-timestamp";
const NONCE: &str = "x-sandbox-nonce";
const SIGNATURE: &str = "x-sandbox-signature";

fn mac(key: &str, fields: &[&str]) -> String {
    use ring::hmac;
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()));
    fields.iter().for_each(|field| context.update(format!("{field}\n").as_bytes()));
    data_encoding::HEXLOWER.encode(context.sign().as_ref())
}

/// The scheme's message of an order that a customer paid.
pub fn paid_order(number: &str, amount: &str) -> Value {
    json!({ "order_number": number, "status": "PAID", "amount": amount, "currency": "CNY", "reference": "S1",
        "paid_at": 1_790_000_000_000_i64, "payer_hint": "x", "decline_code": null, "refunded": "0.00",
        "code_url": null })
}

/// A code of 5.00 on show, and its payment's number.
async fn shown(tea: &Merchant, key: &str) -> String {
    let made: Value = tea.owner.post("/v1/payments").key(key).json(&present(500)).await.json(201);
    text(&made, "/id").to_owned()
}

#[actix_web::test]
async fn a_forged_notification_moves_nothing() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let payment = shown(&tea, "k").await;
    let order = paid_order(&payment, "5.00");
    let right = Notice::signed(&order);
    let signature = right.header(SIGNATURE).to_owned();
    let half = &signature[..signature.len() / 2];
    let forged = [
        ("under another key", Notice::signed_with("another key", &order)),
        ("under no key", Notice::signed_with("", &order)),
        ("with another amount since", right.clone().saying(&paid_order(&payment, "0.01").to_string())),
        ("with a space more", right.clone().saying(&format!("{} ", right.body))),
        ("of another time", right.clone().with(AT, "1")),
        ("with another nonce", right.clone().with(NONCE, "fedcba9876543210fedcba9876543210")),
        ("with half a signature", right.clone().with(SIGNATURE, half)),
        ("with an empty signature", right.clone().with(SIGNATURE, "")),
        ("with something else as its signature", right.clone().with(SIGNATURE, "signed, the scheme")),
        ("without a signature", right.clone().without(SIGNATURE)),
        ("without a time", right.clone().without(AT)),
        ("without a nonce", right.clone().without(NONCE)),
        ("with a line moved from one field into the next", {
            let (at, nonce) = (right.header(AT).to_owned(), right.header(NONCE).to_owned());
            right.clone().with(AT, &format!("{at}{nonce}")).with(NONCE, "")
        }),
    ];
    for (how, notice) in forged {
        let problem = notice.to(&town, &tea.account).await.problem();
        assert_eq!(problem["code"], "notification_forged", "{how}: {problem}");
    }
    // Core itself goes on asking the scheme about a code on show; of the forgeries there is nothing to be seen.
    let timeline: Value = tea.owner.get(&format!("/v1/payments/{payment}/timeline")).await.json(200);
    let kinds: Vec<&Value> = timeline["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["created", "presenting"], "{timeline}");
    assert_eq!(right.to(&town, &tea.account).await.status, 200);
    // A scheme may add a segment of its own to the address.
    assert_eq!(right.to(&town, &format!("{}/added", tea.account)).await.status, 200);
    becomes(&tea.owner, &payment, "succeeded").await;
}

#[actix_web::test]
async fn a_notification_that_comes_again_is_acknowledged_and_changes_nothing() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let payment = shown(&tea, "k").await;
    let paid = Notice::signed(&paid_order(&payment, "5.00"));
    // Eight at once, as schemes do that were not answered in time.
    let answers = futures_util::future::join_all((0..8).map(|_| paid.to(&town, &tea.account))).await;
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
    becomes(&tea.owner, &payment, "succeeded").await;
    let timeline: Value = tea.owner.get(&format!("/v1/payments/{payment}/timeline")).await.json(200);
    let kinds: Vec<&Value> = timeline["events"].as_array().unwrap().iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == "succeeded").count(), 1, "{kinds:?}");
    tea.books_balance().await;
}

#[actix_web::test]
async fn news_from_before_a_refund_undoes_nothing() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let made: Value = tea.owner.post("/v1/payments").key("k").json(&present(500)).await.json(201);
    let payment = text(&made, "/id");
    assert_eq!(town.pays("alice", text(&made, "/code_url")).await.status, 200);
    let sold = becomes(&tea.owner, payment, "succeeded").await;
    let given_back = json!({ "amount": { "minor": 500, "currency": "CNY" } });
    let _: Value =
        tea.owner.post(&format!("/v1/payments/{payment}/refunds")).key("r").json(&given_back).await.json(201);
    becomes(&tea.owner, payment, "refunded").await;
    let before = town.rows_at_rest(&tea.id).await;
    for status in ["PAID", "WAITING", "CLOSED"] {
        let mut order = paid_order(payment, "5.00");
        order["reference"] = sold["channel_reference"].clone();
        order["status"] = json!(status);
        let again = Notice::signed(&order).to(&town, &tea.account).await;
        assert_eq!(again.status, 200, "{status}: {}", again.text);
        assert_eq!(town.rows_at_rest(&tea.id).await, before, "{status}");
    }
    tea.books_balance().await;
}

/// Well signed and yet not believed: it is not about what we asked. Whether it is acknowledged is told by how far core
/// could read it: a scheme that is answered otherwise sends it again.
#[actix_web::test]
async fn a_notification_of_another_sum_pays_nothing_and_stands_in_the_timeline() {
    let town = Town::found().await;
    let tea = town.merchant("tea").await;
    let cases = [
        ("amount", "5.01", 200),
        ("amount", "4.99", 200),
        ("currency", "USD", 200),
        ("amount", "0.00", 503),
        ("amount", "-5.00", 503),
        ("amount", "50000000000000000000", 400),
        ("amount", "5.001", 400),
        ("currency", "XXX?", 400),
    ];
    for (number, (field, value, status)) in cases.into_iter().enumerate() {
        let payment = shown(&tea, &format!("k{number}")).await;
        let mut order = paid_order(&payment, "5.00");
        order[field] = json!(value);
        let answer = Notice::signed(&order).to(&town, &tea.account).await;
        assert_eq!(answer.status, status, "{field} {value}: {}", answer.text);
        let now: Value = tea.owner.get(&format!("/v1/payments/{payment}")).await.json(200);
        assert_eq!(now["state"], "presenting", "{field} {value}");
        let timeline: Value = tea.owner.get(&format!("/v1/payments/{payment}/timeline")).await.json(200);
        let told = timeline["events"].as_array().unwrap().iter().any(|event| event["kind"] == "answer_refused");
        assert_eq!(told, status == 200, "{field} {value}: {timeline}");
    }
    tea.books_balance().await;
}
