//! The cashier, the customer and the back office, and what each of them can do.

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    api::{Door, Reply, text},
    secrecy,
    shop::Shop,
    wait::until,
};

/// A number that no other step of this run uses, for idempotency keys.
fn fresh_key(what: &str) -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let nanos = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| elapsed.as_nanos());
    format!("{what}-{nanos}-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// Whoever stands at the till.
pub struct Cashier {
    till: Door,
}

impl Cashier {
    pub fn of(shop: &Shop) -> Result<Self> {
        Ok(Self { till: shop.till()? })
    }

    async fn sell(&self, body: Value) -> Result<String> {
        let sale = self.till.post("/api/sales", &body, &fresh_key("sale")).await?;
        text(&sale, "/payment")
    }

    /// Keys a sale whose code the customer will scan; the answer is the payment's id.
    pub async fn sell_by_code(&self, amount_minor: i64) -> Result<String> {
        self.sell(json!({"amount_minor": amount_minor, "method": "code"})).await
    }

    /// The same, with what is sold.
    pub async fn sell_goods_by_code(&self, amount_minor: i64, goods: &Value) -> Result<String> {
        self.sell(json!({"amount_minor": amount_minor, "method": "code", "goods": goods})).await
    }

    /// Keys a sale and scans the customer's code.
    pub async fn sell_by_scan(&self, amount_minor: i64, code: &str) -> Result<String> {
        self.sell(json!({"amount_minor": amount_minor, "method": "scan", "code": code})).await
    }

    pub async fn sell_for_cash(&self, amount_minor: i64, tendered_minor: i64) -> Result<String> {
        self.sell(json!({"amount_minor": amount_minor, "method": "cash", "tendered_minor": tendered_minor})).await
    }

    /// Asks what that costs by the merchant's rules.
    pub async fn asks_price(&self, amount_minor: i64, goods: &Value) -> Result<Value> {
        let wish = json!({"amount_minor": amount_minor, "goods": goods});
        let told = self.till.post("/api/quotes", &wish, &fresh_key("price")).await?;
        ensure!(told["why"].is_null(), "no price, and the sale would go on at its list price: {told}");
        Ok(told["quote"].clone())
    }

    /// Keys a sale at the price that was quoted for these goods, by `more` (its method and what goes with it).
    pub async fn sell_at(&self, quote: &Value, goods: &Value, mut more: Value) -> Result<String> {
        more["amount_minor"] = quote["amount_minor"].clone();
        more["quote"] = quote["id"].clone();
        more["goods"] = goods.clone();
        self.sell(more).await
    }

    /// Keys a sale that a card will pay; it has no number before the card is read.
    pub async fn keys_card(&self, amount_minor: i64) -> Result<()> {
        let body = json!({"amount_minor": amount_minor, "method": "card"});
        self.till.post("/api/sales", &body, &fresh_key("card")).await.map(drop)
    }

    pub async fn press(&self, payment: &str, key: &str, body: &Value) -> Result<Reply> {
        self.till.call(Method::POST, &format!("/api/sales/{payment}/{key}"), Some(body), Some(&fresh_key(key))).await
    }

    /// Waits until the till shows the sale in that state, as a cashier does: by looking at the till.
    pub async fn sees(&self, payment: &str, state: &str) -> Result<Value> {
        until(&format!("the till to show {payment} as {state}"), || async {
            let sale = self.till.get(&format!("/api/sales/{payment}")).await?;
            Ok((sale["state"] == state).then_some(sale))
        })
        .await
    }

    /// The image on the customer display.
    pub async fn display_image(&self) -> Result<Vec<u8>> {
        let (status, svg) = self.till.bytes("/api/display/code.svg").await?;
        ensure!(status.is_success(), "the display shows no code ({status})");
        Ok(svg)
    }

    pub async fn last_receipt(&self) -> Result<String> {
        let (status, receipt) = self.till.bytes("/api/receipts/last.txt").await?;
        ensure!(status.is_success(), "no receipt was printed ({status})");
        Ok(String::from_utf8(receipt)?)
    }

    pub async fn receipt_with(&self, words: &str) -> Result<String> {
        until(&format!("a receipt that says {words:?}"), || async {
            Ok(self.last_receipt().await.ok().filter(|receipt| receipt.contains(words)))
        })
        .await
    }
}

/// Whoever pays, with a wallet of the scheme.
pub struct Customer {
    scheme: Door,
    pub account: &'static str,
}

impl Customer {
    pub fn of(shop: &Shop) -> Result<Self> {
        Ok(Self { scheme: shop.scheme()?, account: "alice" })
    }

    /// Opens the payment code in the wallet; the cashier will scan it.
    pub async fn shows_code(&self) -> Result<String> {
        Ok(self.shows_picture().await?.0)
    }

    /// The same, with the picture that the wallet shows of it.
    pub async fn shows_picture(&self) -> Result<(String, String)> {
        let path = format!("/wallet/api/accounts/{}/code", self.account);
        let shown = self.scheme.post(&path, &json!({}), "-").await?;
        Ok((text(&shown, "/code")?, text(&shown, "/qr_svg")?))
    }

    /// Opens the link that a code holds, and finds the way to the wallet on the page.
    pub async fn opens(&self, link: &str) -> Result<(reqwest::StatusCode, String)> {
        let (status, page) = Door::new(link)?.bytes("").await?;
        Ok((status, String::from_utf8(page)?))
    }

    /// Presses the one button of the page behind a till's code, and is led on; the page that comes then.
    pub async fn goes_on(&self, link: &str) -> Result<(reqwest::StatusCode, String)> {
        let Reply { status, body } = Door::new(link)?.call(Method::POST, "", None, None).await?;
        Ok((status, body.as_str().map_or_else(|| body.to_string(), str::to_owned)))
    }

    /// The wallet's number of the order that a page offers to pay.
    pub fn wallet_token(page: &str) -> Result<String> {
        let link = page.split("id=\"pay-link\"").nth(1).context("the page has no way to pay")?;
        let link = link.split("/pay/").nth(1).context("the way to pay leads nowhere")?;
        let token = link.split(['"', '?', '&']).next().unwrap_or_default().to_owned();
        secrecy::note("the scheme's pay code", &token);
        Ok(token)
    }

    pub async fn pays(&self, token: &str) -> Result<Reply> {
        let path = format!("/wallet/api/orders/{token}/pay");
        self.scheme.call(Method::POST, &path, Some(&json!({"account": self.account})), None).await
    }

    /// What the wallet holds, as the wallet shows it.
    pub async fn balance(&self) -> Result<String> {
        let accounts = self.scheme.get("/wallet/api/accounts").await?;
        let mine = accounts.as_array().into_iter().flatten().find(|account| account["id"] == self.account);
        text(mine.context("the wallet has lost an account")?, "/balance")
    }

    /// The scheme's own record of an order, or nothing if it never heard of it.
    pub async fn scheme_order(&self, number: &str) -> Result<Option<Value>> {
        let reply = self.scheme.call(Method::GET, &format!("/admin/orders/{number}"), None, None).await?;
        Ok(reply.status.is_success().then(|| scheme_record(&reply.body)))
    }
}

/// What the scenarios ask of an order in the scheme's own book, in minor units.
pub fn scheme_record(order: &Value) -> Value {
    let minor = |field: &Value| field.as_str().and_then(|text| text.replace('.', "").parse::<i64>().ok()).unwrap_or(0);
    let (net, refunded) = (minor(&order["net"]), minor(&order["refunded"]));
    json!({
        "order_number": order["order"]["order_number"],
        "amount_minor": minor(&order["order"]["amount"]),
        "charged": order["charged_count"],
        "notified": order["notifications"]["attempts"],
        "paid_minor": net + refunded,
        "refunded_minor": refunded,
        "status": order["order"]["status"],
    })
}

/// Whoever calls core's API for the merchant.
pub struct Office {
    pub core: Door,
    sandbox: String,
}

impl Office {
    pub fn of(shop: &Shop) -> Result<Self> {
        Ok(Self { core: shop.office()?, sandbox: shop.made()?.sandbox.clone() })
    }

    pub fn amount(minor: i64) -> Value {
        json!({"minor": minor, "currency": "CNY"})
    }

    /// A payment by a code on show, through the sandbox account.
    pub async fn presents(&self, shop: &Shop, minor: i64, expires_in_seconds: u32) -> Result<Value> {
        let body = json!({
            "amount": Self::amount(minor),
            "presentation": {"kind": "merchant", "expires_in_seconds": expires_in_seconds},
            "channel_account": self.sandbox,
            "store": shop.made()?.store,
        });
        self.core.post("/v1/payments", &body, &fresh_key("present")).await
    }

    pub fn charge_body(&self, shop: &Shop, minor: i64, code: &str) -> Result<Value> {
        Ok(json!({
            "amount": Self::amount(minor),
            "presentation": {"kind": "customer", "code": code},
            "store": shop.made()?.store,
        }))
    }

    pub async fn charges(&self, shop: &Shop, minor: i64, code: &str) -> Result<Value> {
        self.core.post("/v1/payments", &self.charge_body(shop, minor, code)?, &fresh_key("charge")).await
    }

    pub async fn asks(&self, path: &str, body: &Value) -> Result<Reply> {
        self.core.call(Method::POST, path, Some(body), Some(&fresh_key("ask"))).await
    }

    pub async fn payment(&self, id: &str) -> Result<Value> {
        self.core.get(&format!("/v1/payments/{id}")).await
    }

    pub async fn sees(&self, id: &str, state: &str) -> Result<Value> {
        until(&format!("core to hold {id} as {state}"), || async {
            let payment = self.payment(id).await?;
            Ok((payment["state"] == state).then_some(payment))
        })
        .await
    }

    /// The names of the events that a payment went through, in order.
    pub async fn events(&self, id: &str) -> Result<Vec<String>> {
        self.timeline(id).await?.iter().map(|event| text(event, "/kind")).collect()
    }

    pub async fn timeline(&self, id: &str) -> Result<Vec<Value>> {
        let timeline = self.core.get(&format!("/v1/payments/{id}/timeline")).await?;
        Ok(timeline["events"].as_array().cloned().unwrap_or_default())
    }
}
