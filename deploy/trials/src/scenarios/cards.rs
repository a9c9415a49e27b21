//! Cards, from the reader at the till to the acquirer's books and back.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::PathBuf,
};

use anyhow::{Context as _, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use super::people::{Cashier, Office};
use crate::{
    api::{Door, text},
    process::Process,
    shop::{OWNER_EMAIL, Shop},
    wait::until,
};

/// A chip of the acquirer's scheme with the PIN 1234.
const NUMBER: &str = "4012345678909";
/// Devices under the acquirer's base key, which is that of ANSI X9.24-1:2009, annex A.4, each with its serial number and initial key. A scenario
/// has one of its own, since no key is used twice.
const AT_THE_LINE: (&str, &str) = ("FFFF9876543210E00000", "6AC292FAA1315B4D858AB3A3D7D5933A");
const WITHOUT_A_LINE: (&str, &str) = ("FFFF9876543220E00000", "556EA8E467AB1933A97E8B434A92E327");

/// The acquirer, and the reader that stands at the till.
struct Counter {
    acquirer: Door,
    reader: PathBuf,
    till: Door,
    cashier: Cashier,
    /// The merchant's owner, and the channel account.
    owner: Door,
    account: String,
    /// Whose books the acquirer keeps in memory.
    _acquirer: Process,
}

impl Counter {
    /// `name`: of its channel account, and of nothing else in the shop.
    async fn set_up(shop: &mut Shop, name: &str, (serial, key): (&str, &str)) -> Result<Self> {
        let process = shop.scheme_beside("acquirer", &["acquirer"]).start().await?;
        let acquirer = Door::new(process.ready_text("door")?)?;
        let script = acquirer.get("/script").await?;
        let owner = shop.signed_in(OWNER_EMAIL).await?;
        // Before the hostile plugin's accounts, which take cards too.
        let settings = json!({"settings": script["settings"], "secrets": script["secrets"], "priority": -1});
        let account = shop.channel_account(&owner, "card", name, &settings).await?;

        let (reader, keys) = (shop.premises.folder.join("reader"), shop.premises.folder.join("card-keys.json"));
        let device = json!({"ksn": serial, "key": key});
        fs::write(&keys, json!({"data": device, "pin": device}).to_string())?;
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o600))?;
        let (shown_reader, shown_keys) = (reader.display().to_string(), keys.display().to_string());
        shop.stop_terminal().await?;
        shop.terminal_gets(&[
            ("SAOMA_EDGE_PERIPHERALS__CARD_READER", "simulated"),
            ("SAOMA_EDGE_PERIPHERALS__CARD_READER_DEVICE", &shown_reader),
            ("SAOMA_EDGE_PERIPHERALS__CARD_READER_KEYS", &shown_keys),
        ]);
        shop.start_terminal().await?;
        shop.till_is_online().await?;
        let (till, cashier) = (shop.till()?, Cashier::of(shop)?);
        Ok(Self { acquirer, reader, till, cashier, owner, account, _acquirer: process })
    }

    /// What the customer does there.
    fn customer(&self, does: &str) -> Result<()> {
        UnixDatagram::unbound()?.send_to(does.as_bytes(), &self.reader)?;
        Ok(())
    }

    /// Waits until the till asks the customer for that.
    async fn asks_for(&self, step: &str) -> Result<()> {
        until(&format!("the till to ask for {step}"), || async {
            Ok((self.till.get("/api/state").await?["awaiting_card"]["step"] == step).then_some(()))
        })
        .await
    }

    /// A sale by the chip with that PIN; the answer is the payment's id.
    async fn sells(&self, amount_minor: i64, pin: &str) -> Result<String> {
        self.is_shown_a_card(amount_minor).await?;
        self.asks_for("pin").await?;
        self.customer(&format!("pin {pin}"))?;
        self.sold(amount_minor).await
    }

    /// A sale while core is away: nobody can look at a PIN.
    async fn sells_without_core(&self, amount_minor: i64) -> Result<String> {
        self.is_shown_a_card(amount_minor).await?;
        self.sold(amount_minor).await
    }

    async fn is_shown_a_card(&self, amount_minor: i64) -> Result<()> {
        self.customer("remove")?;
        self.cashier.keys_card(amount_minor).await?;
        self.asks_for("present").await?;
        self.customer(&format!(r#"insert {{"number": "{NUMBER}"}}"#))
    }

    async fn sold(&self, amount_minor: i64) -> Result<String> {
        let sale = until("the sale by card", || async {
            let sales = self.till.get("/api/sales").await?;
            let newest = sales["items"].get(0).filter(|sale| sale["amount_minor"] == amount_minor);
            Ok(newest.cloned())
        })
        .await?;
        text(&sale, "/payment")
    }

    /// What the acquirer does with the next advices, one after the other.
    async fn next_advices(&self, faults: &[&str]) -> Result<()> {
        for fault in faults {
            self.acquirer.post("/next", &json!({"act": "forward", "fault": fault}), "-").await?;
        }
        Ok(())
    }

    /// Sets whether terminals sell to such cards without core.
    async fn sells_so(&self, enabled: bool) -> Result<()> {
        let shown = self.owner.get("/v1/stored-cards/policy").await?;
        let mut rules = shown["rules"].clone();
        rules["prefixes"] = json!([&NUMBER[..4]]);
        let body = json!({"enabled": enabled, "channel_account": self.account, "rules": rules});
        let path = "/v1/stored-cards/policy";
        self.owner.call(Method::PUT, path, Some(&body), None).await?.success(path)?;
        until("the till to hear of it", || async {
            let state = self.till.get("/api/state").await?;
            Ok((state["stored"]["most_minor"].is_i64() == enabled).then_some(()))
        })
        .await
    }

    /// What the acquirer has of it: how often it took the money, and how much it gave back.
    async fn books(&self, payment: &str) -> Result<(Value, Value)> {
        let order = self.acquirer.get(&format!("/orders/{payment}")).await?;
        Ok((order["times_taken"].clone(), order["given_back_minor"].clone()))
    }
}

/// A chip pays and its slip shows the number masked; a wrong PIN pays nothing; a void and a refund reach the acquirer once; and a
/// sale whose answer is lost is reversed there.
pub async fn chip(shop: &mut Shop) -> Result<()> {
    let counter = Counter::set_up(shop, "Cards", AT_THE_LINE).await?;
    let cashier = &counter.cashier;

    let paid = counter.sells(2_110, "1234").await?;
    let sale = cashier.sees(&paid, "succeeded").await?;
    ensure!(sale["card"]["masked"] == "401234***8909", "{sale}");
    let slip = cashier.receipt_with("401234***8909").await?;
    ensure!(!slip.contains(NUMBER) && slip.contains("21.10"), "{slip}");
    ensure!(counter.books(&paid).await? == (json!(1), json!(0)), "the acquirer has it otherwise");

    let refused = counter.sells(2_120, "4321").await?;
    cashier.sees(&refused, "failed").await?;

    let pressed = cashier.press(&paid, "refund", &json!({"amount_minor": 110})).await?;
    ensure!(pressed.status.is_success(), "refund: {}", pressed.body);
    cashier.sees(&paid, "partly_refunded").await?;
    ensure!(counter.books(&paid).await? == (json!(1), json!(110)), "the refund is otherwise at the acquirer");

    let voided = counter.sells(2_130, "1234").await?;
    cashier.sees(&voided, "succeeded").await?;
    let pressed = cashier.press(&voided, "void", &json!({})).await?;
    ensure!(pressed.status.is_success(), "void: {}", pressed.body);
    cashier.sees(&voided, "voided").await?;
    ensure!(counter.books(&voided).await? == (json!(1), json!(2_130)), "the void is otherwise at the acquirer");

    let silent = json!({"act": "charge", "fault": "silent"});
    counter.acquirer.post("/next", &silent, "-").await?;
    let lost = counter.sells(2_140, "1234").await?;
    // Core reverses what nobody answers for, and says so when the acquirer has confirmed it.
    cashier.sees(&lost, "reversed").await?;
    ensure!(counter.books(&lost).await? == (json!(1), json!(2_140)), "the acquirer keeps the money");
    counter.customer("remove")
}

/// Two sales to a card while core is away. When it is back the acquirer hears of them in their order, of each until it has answered and to the
/// letter the same: one it declines, which is the merchant's loss and blocks the card; one it pays, once.
pub async fn without_core(shop: &mut Shop) -> Result<()> {
    let counter = Counter::set_up(shop, "Cards without core", WITHOUT_A_LINE).await?;
    let cashier = &counter.cashier;
    counter.sells_so(true).await?;
    counter.next_advices(&["unheard", "insufficient-funds", "silent"]).await?;

    shop.stop_core().await?;
    until("the till to notice that core is away", || async {
        Ok((counter.till.get("/api/state").await?["link"]["online"] == false).then_some(()))
    })
    .await?;
    let lost = counter.sells_without_core(3_110).await?;
    let slip = cashier.receipt_with("31.10").await?;
    ensure!(slip.contains("OFFLINE") && slip.contains("Signature") && !slip.contains(NUMBER), "{slip}");
    let paid = counter.sells_without_core(3_120).await?;
    for payment in [&lost, &paid] {
        let sale = cashier.sees(payment, "pending").await?;
        ensure!(sale["method"] == "stored" && sale["settled"] == true && sale["paid"] == false, "{sale}");
    }
    counter.customer("remove")?;
    shop.start_core().await?;
    shop.till_is_online().await?;

    cashier.sees(&paid, "succeeded").await?;
    let failed = cashier.sees(&lost, "failed").await?;
    ensure!(text(&failed, "/failure/code")? == "insufficient_funds", "{failed}");
    until("the till to call for somebody", || async {
        let state = counter.till.get("/api/state").await?;
        let alarms = state["alarms"].as_array().context("no alarms")?;
        Ok(alarms.iter().any(|alarm| alarm["code"] == "stored_declined").then_some(()))
    })
    .await?;

    // Each was told twice, the same both times, and the first one before the second.
    let heard = counter.acquirer.get("/heard").await?;
    let advices: Vec<&Value> =
        heard.as_array().context("nothing heard")?.iter().filter(|one| one["act"] == "forward").collect();
    let bodies: Vec<&Value> = advices.iter().map(|advice| &advice["body_base64"]).collect();
    ensure!(bodies.len() == 4 && bodies[0] == bodies[1] && bodies[2] == bodies[3], "advices: {advices:?}");
    ensure!(bodies[1] != bodies[2], "one sale was told as the other");
    ensure!(counter.books(&paid).await? == (json!(1), json!(0)), "the acquirer has it otherwise");
    ensure!(counter.books(&lost).await? == (json!(0), json!(0)), "the acquirer took what it declined");

    let office = Office::of(shop)?;
    for (payment, state, booked) in [(&paid, "succeeded", 1), (&lost, "failed", 0)] {
        let shown = office.sees(payment, state).await?;
        ensure!(shown["stored_at"].is_i64() && shown["method"] == "card", "{shown}");
        let timeline = office.core.get(&format!("/v1/payments/{payment}/timeline")).await?;
        let sets = timeline["posting_sets"].as_array().context("no postings")?;
        let captured = sets.iter().filter(|set| set["kind"] == "captured").count();
        ensure!(captured.min(1) == booked && sets.len() == captured, "the postings of {payment}: {sets:?}");
    }
    let room = counter.owner.get("/v1/stored-cards/sales").await?;
    let states: Vec<(&Value, &Value)> =
        room["items"].as_array().context("no sales")?.iter().map(|sale| (&sale["payment"], &sale["state"])).collect();
    let is = |payment: &String, state| states.contains(&(&json!(payment), &json!(state)));
    ensure!(states.len() == 2 && is(&paid, "paid") && is(&lost, "lost"), "{room}");
    let policy = counter.owner.get("/v1/stored-cards/policy").await?;
    ensure!(policy["blocked"] == json!([{"first_6": &NUMBER[..6], "last_4": &NUMBER[9..]}]), "{policy}");
    counter.sells_so(false).await
}
