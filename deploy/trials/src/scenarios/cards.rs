//! Cards, from the reader at the till to the acquirer's books and back.

use std::{
    fs,
    os::unix::{fs::PermissionsExt as _, net::UnixDatagram},
    path::PathBuf,
};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::people::Cashier;
use crate::{
    api::{Door, text},
    process::Process,
    shop::{OWNER_EMAIL, Shop},
    wait::until,
};

/// A chip of the acquirer's scheme with the PIN 1234.
const NUMBER: &str = "4012345678909";
/// Of a device under the acquirer's base key, which is that of ANSI X9.24-1:2009, annex A.4.
const DEVICE_KEYS: &str = r#"{"data":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"},
    "pin":{"ksn":"FFFF9876543210E00000","key":"6AC292FAA1315B4D858AB3A3D7D5933A"}}"#;

/// The acquirer, and the reader that stands at the till.
struct Counter {
    acquirer: Door,
    reader: PathBuf,
    till: Door,
    cashier: Cashier,
    /// Whose books the acquirer keeps in memory.
    _acquirer: Process,
}

impl Counter {
    async fn set_up(shop: &mut Shop) -> Result<Self> {
        let process = shop.scheme_beside("acquirer", &["acquirer"]).start().await?;
        let acquirer = Door::new(process.ready_text("door")?)?;
        let script = acquirer.get("/script").await?;
        let owner = shop.signed_in(OWNER_EMAIL).await?;
        // Before the hostile plugin's accounts, which take cards too.
        let settings = json!({"settings": script["settings"], "secrets": script["secrets"], "priority": -1});
        shop.channel_account(&owner, "card", "Cards", &settings).await?;

        let (reader, keys) = (shop.premises.folder.join("reader"), shop.premises.folder.join("card-keys.json"));
        fs::write(&keys, DEVICE_KEYS)?;
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
        Ok(Self { acquirer, reader, till, cashier, _acquirer: process })
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
        self.customer("remove")?;
        self.cashier.keys_card(amount_minor).await?;
        self.asks_for("present").await?;
        self.customer(&format!(r#"insert {{"number": "{NUMBER}"}}"#))?;
        self.asks_for("pin").await?;
        self.customer(&format!("pin {pin}"))?;
        let sale = until("the sale by card", || async {
            let sales = self.till.get("/api/sales").await?;
            let newest = sales["items"].get(0).filter(|sale| sale["amount_minor"] == amount_minor);
            Ok(newest.cloned())
        })
        .await?;
        text(&sale, "/payment")
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
    let counter = Counter::set_up(shop).await?;
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
