//! The Sandbox Wallet on the stage (`STAGE.md`): its part of the stage door, and how its answers are spoiled.

mod dispute;

use std::sync::Arc;

use actix_web::web;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub(super) use self::dispute::Disputes;
use super::{
    amount::{self, Currency},
    fault::Manner,
    http::answer::{self, Reply},
    server::{Rim, random_digits, random_hex},
};
use crate::stage::{DisputeNews, DisputeSeen, FarSide, Fault, Notification, OrderSeen, Script, Stage, Unplayable};

/// Who shows codes: the account that can pay them.
const CUSTOMER: &str = "alice";
/// A number of the right shape that nobody has given out.
const OTHER_ORDER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER_REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";

/// The wallet as the stage door sees it.
pub(super) struct StagedWallet {
    pub rim: web::Data<Rim>,
    pub stage: Arc<Stage>,
    /// Id and key of the merchant whose channel is tried.
    pub merchant: (String, String),
    pub disputes: Disputes,
}

impl FarSide for StagedWallet {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        let code = format!("88{}", random_digits(16));
        let shown = self.rim.scheme.lock().book.accounts.show_code(CUSTOMER, code.clone(), self.stage.now_ms());
        let (merchant_id, key) = &self.merchant;
        Script {
            settings: json!({ "base_url": base_url, "merchant_id": merchant_id }),
            secrets: json!({ "merchant-key": key }),
            code: shown.is_ok().then_some(code),
            card: None,
            unusable: json!({}),
            faults: Fault::all_but(&[]),
        }
    }

    fn taken(&self) -> u32 {
        self.rim.scheme.lock().book.taken()
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        let now = self.stage.now_ms();
        self.rim.scheme.lock().book.staged_order(number, now).map(super::order::Order::seen)
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        self.rim.scheme.lock().book.stage_pays(number, self.stage.now_ms())
    }

    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        self.rim.scheme.lock().book.stage_declines(number, self.stage.now_ms())
    }

    fn notification(
        &self,
        number: &str,
        refund: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Notification, Unplayable> {
        if refund.is_some() {
            return Err(Unplayable("the scheme notifies of payments alone".to_owned()));
        }
        let now = self.stage.now_ms();
        let mut state = self.rim.scheme.lock();
        let order = state.book.staged_order(number, now).ok_or_else(|| Unplayable(format!("no order {number}")))?;
        let body = json!(order.view(&self.rim.base_url, 0));
        drop(state);
        self.message(body, fault)
    }

    fn dispute(&self, number: &str, news: DisputeNews) -> Result<(), Unplayable> {
        self.disputes.step(number, news, self.order(number).as_ref(), self.stage.now_ms())
    }

    fn disputed(&self, number: &str) -> Option<DisputeSeen> {
        self.disputes.seen(number)
    }

    fn dispute_notification(&self, number: &str, fault: Option<Fault>) -> Result<Notification, Unplayable> {
        let seen = self.disputes.seen(number).ok_or_else(|| Unplayable(format!("nobody disputes {number}")))?;
        self.message(dispute::body(number, &seen), fault)
    }
}

impl StagedWallet {
    /// What the merchant is sent: signed, unless the fault says otherwise.
    fn message(&self, mut body: Value, fault: Option<Fault>) -> Result<Notification, Unplayable> {
        let key = self.rim.scheme.lock().gate.key(&self.merchant.0).cloned();
        let key = key.ok_or_else(|| Unplayable("the merchant has no key".to_owned()))?;
        say_wrong(&mut body, fault);
        let body = body.to_string();
        let (timestamp, nonce) = (self.stage.now_ms().to_string(), random_hex());
        let mut signature = key.sign(&[b"NOTIFY", timestamp.as_bytes(), nonce.as_bytes(), body.as_bytes()]);
        if fault == Some(Fault::Forged) {
            signature = answer::forge(&signature);
        }
        let mut headers = vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("x-sandbox-timestamp".to_owned(), timestamp),
            ("x-sandbox-nonce".to_owned(), nonce),
        ];
        if fault != Some(Fault::Unsigned) {
            headers.push(("x-sandbox-signature".to_owned(), signature));
        }
        Ok(Notification { headers, body_base64: STANDARD.encode(body) })
    }
}

/// Puts the fault into an answer before it is signed.
pub(super) fn spoil(mut reply: Reply, fault: Option<Fault>) -> Reply {
    match fault {
        Some(Fault::Busy) => {
            Reply { status: 500, body: json!({ "code": "BUSY", "message": "ask again" }), manner: Manner::Plain }
        }
        Some(Fault::StrangeError) => {
            Reply { status: 400, body: json!({ "code": "E7041", "message": "?" }), manner: Manner::Plain }
        }
        Some(Fault::Forged) => Reply { manner: Manner::WrongSignature, ..reply },
        Some(Fault::Unsigned) => Reply { manner: Manner::Unsigned, ..reply },
        fault => {
            say_wrong(&mut reply.body, fault);
            reply
        }
    }
}

fn say_wrong(body: &mut Value, fault: Option<Fault>) {
    let is_refund = body.get("refund_number").is_some();
    match fault {
        Some(Fault::WrongAmount) => {
            let currency = body["currency"].as_str().and_then(|code| Currency::read(code).ok());
            let amount = currency.zip(body["amount"].as_str());
            let stated = amount.and_then(|(currency, text)| Some((amount::parse(text, currency).ok()?, currency)));
            if let Some((minor, currency)) = stated {
                body["amount"] = json!(amount::format(minor + 1, currency));
            }
        }
        Some(Fault::WrongNumber) if is_refund => body["refund_number"] = json!(OTHER_REFUND),
        Some(Fault::WrongNumber) => body["order_number"] = json!(OTHER_ORDER),
        Some(Fault::StrangeState) => body["status"] = json!("DREAMING"),
        Some(Fault::MissingRow | Fault::ExtraRow | Fault::GarbledRow) => {
            let Some(rows) = body.get_mut("rows").and_then(Value::as_array_mut) else { return };
            let Some(last) = rows.pop() else { return };
            match fault {
                Some(Fault::ExtraRow) => {
                    let mut extra = last.clone();
                    extra["order_number"] = json!(OTHER_ORDER);
                    rows.extend([last, extra]);
                }
                Some(Fault::GarbledRow) => {
                    let mut garbled = last;
                    garbled["amount"] = json!("12,5O");
                    rows.push(garbled);
                }
                _ => {}
            }
        }
        _ => {}
    }
}
