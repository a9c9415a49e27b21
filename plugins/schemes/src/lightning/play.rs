//! The node at the stage door.

use serde_json::json;

use crate::stage::{Act, FarSide, Fault, Notification, OrderSeen, Script, Stage, Unplayable};

use super::{
    CERTIFICATE_PEM, Node,
    book::{Invoice, State},
    macaroons, price,
};

const CURRENCY: &str = "USD";
/// What the merchant's settings take off the rate, in 1/10,000.
const SPREAD_BASIS_POINTS: i64 = 100;
/// What a bitcoin then is, in cents.
const CENTS_PER_BTC: i64 = price::BID * 100 * (10_000 - SPREAD_BASIS_POINTS) / 10_000;
const MSAT_PER_BTC: i128 = 100_000_000_000;

impl FarSide for Node {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        Script {
            settings: json!({
                "node_url": base_url,
                "network": "regtest",
                "currency": CURRENCY,
                "rate_url": self.rate_url.get(),
                "rate_age_seconds_max": 60,
                "spread_basis_points": SPREAD_BASIS_POINTS,
                "rate_min": 25_000,
                "rate_max": 100_000,
            }),
            secrets: json!({
                "node-macaroon": macaroons::INVOICE,
                "node-certificate": CERTIFICATE_PEM,
                "preimage-key": "made for tests: 3a7d2f0c55e14b9a8f6d",
            }),
            code: None,
            card: None,
            unusable: json!({}),
            faults: Fault::all_but(&Fault::SIGNED_OR_OF_CUSTOMERS),
        }
    }

    /// A list names many amounts and numbers; which of them would be wrong, rows that are missing or too many say better.
    fn plays(&self, act: Act, fault: Fault) -> bool {
        match fault {
            Fault::WrongAmount | Fault::WrongNumber => matches!(act, Act::Create | Act::Query),
            Fault::StrangeState => act == Act::Query,
            Fault::Pending => act == Act::Create,
            Fault::MissingRow | Fault::ExtraRow | Fault::GarbledRow => act == Act::Bill,
            _ => true,
        }
    }

    fn taken(&self) -> u32 {
        let book = self.lock();
        let settled = book.invoices().iter().filter(|invoice| invoice.state == State::Settled);
        u32::try_from(settled.count()).unwrap_or(u32::MAX)
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        let book = self.lock();
        let invoice = book.about(number)?;
        Some(OrderSeen {
            code: Some(invoice.payment_request.clone()),
            subject: None,
            number: number.to_owned(),
            amount_minor: cents(invoice),
            currency: CURRENCY.to_owned(),
            state: invoice.state.text().to_owned(),
            times_taken: u32::from(invoice.state == State::Settled),
            given_back_minor: 0,
        })
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        let now = self.now();
        let mut book = self.lock();
        let waits = book.about(number).map(|invoice| (invoice.hash, invoice.asked.msat));
        let (hash, msat) = waits.ok_or_else(|| Unplayable(format!("there is no invoice of {number}")))?;
        book.pay(&hash, msat, now).map_err(|refused| Unplayable(refused.words().to_owned()))
    }

    /// The merchant's own node closes the invoice: nobody else can.
    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        let mut book = self.lock();
        let hash = book.about(number).map(|invoice| invoice.hash);
        let hash = hash.ok_or_else(|| Unplayable(format!("there is no invoice of {number}")))?;
        book.cancel(&hash).map_err(|refused| Unplayable(refused.words().to_owned()))
    }

    fn notification(&self, _: &str, _: Option<&str>, _: Option<Fault>) -> Result<Notification, Unplayable> {
        Err(Unplayable("a node sends no notifications".to_owned()))
    }
}

/// What the invoice's satoshi are at the rate; a cent is more than a satoshi, so what was rounded up to one comes off again.
fn cents(invoice: &Invoice) -> i64 {
    let cents = i128::from(invoice.asked.msat) * i128::from(CENTS_PER_BTC) / MSAT_PER_BTC;
    i64::try_from(cents).unwrap_or(i64::MAX)
}
