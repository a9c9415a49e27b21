//! The acquirer at the stage door.

use serde_json::{Value, json};

use super::{
    AUTHORITY_PEM, Acquirer, TERMINALS_KEY,
    batch::Closed,
    book::{Entry, Kind, Standing},
    cipher::Mac,
    desk::{AES_MASTER_KEY, MASTER_KEY, MERCHANT, SECURITY_ISO_4, TERMINAL},
};
use crate::stage::{Act, BatchSeen, FarSide, Fault, Notification, OrderSeen, Script, Stage, Unplayable};

/// Nobody confirms a card's sale afterwards, states have no words, and there is no bill.
const UNPLAYED: [Fault; 5] =
    [Fault::StrangeState, Fault::Pending, Fault::MissingRow, Fault::ExtraRow, Fault::GarbledRow];

/// A card with a stripe alone, its number and track under the data key of the terminal's serial number, its PIN (1234) under that for
/// PINs: by `pycryptodome`, under keys derived as ANSI X9.24-1 says.
fn card() -> Value {
    let ksn = "FFFF9876543210E00002";
    json!({
        "number": "6212345678900000003",
        "presented": {
            "entry": "swiped",
            "ksn": ksn,
            "number": "831d122014ed5a4ca723a8d37590b2dece0d6c21afbf72f7",
            "track_2": "831d122014ed5a4ca723a8d37590b2dece0d6c21afbf72f70ff6aecee71d3b6a4f71e179667b455e",
            "pin": {"ksn": ksn, "block": "a26374455ed3d44d"},
        },
    })
}

impl FarSide for Acquirer {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        let mac = match self.config.mac {
            Mac::UnionpayEcb => "unionpay-ecb",
            Mac::Retail => "retail",
            Mac::AesCmac => "aes-cmac",
        };
        let mut secrets = json!({
            "terminal-master-key": MASTER_KEY,
            "terminal-data-key": TERMINALS_KEY,
            "terminal-pin-key": TERMINALS_KEY,
        });
        if self.config.tls {
            secrets["acquirer-certificates"] = json!(AUTHORITY_PEM);
        }
        let mut settings = json!({
            "address": base_url,
            "private_authority": self.config.tls,
            "terminal_number": TERMINAL,
            "merchant_number": MERCHANT,
            "mac": mac,
            "length_header": self.config.length_header.word(),
            "order_number_field": "62",
            "answer_timeout_s": 1,
        });
        if self.config.mac == Mac::AesCmac {
            settings["pin_format"] = json!("iso-4");
            settings["security_control"] = json!(SECURITY_ISO_4);
            secrets["terminal-master-key"] = json!(format!("aes:{AES_MASTER_KEY}"));
        }
        Script {
            settings,
            secrets,
            code: None,
            card: Some(card()),
            unusable: json!({}),
            faults: Fault::all_but(&UNPLAYED).into_iter().chain(Fault::OVER_TCP).chain(Fault::OF_BATCHES).collect(),
        }
    }

    fn plays(&self, act: Act, fault: Fault) -> bool {
        match fault {
            // What moves no money has no MAC, no amount, and nobody who says no.
            Fault::Silent | Fault::Unheard | Fault::Cut | Fault::Html | Fault::Empty | Fault::Huge | Fault::Late => {
                true
            }
            Fault::OutOfBalance => act == Act::Settle,
            Fault::Declined => {
                matches!(act, Act::Charge | Act::Forward | Act::Refund | Act::Settle | Act::Upload | Act::Finish)
            }
            Fault::InsufficientFunds | Fault::CodeExpired | Fault::CodeInvalid | Fault::LimitExceeded => {
                matches!(act, Act::Charge | Act::Forward | Act::Refund)
            }
            Fault::WrongAmount => !matches!(act, Act::Upload | Act::Finish | Act::Other),
            _ => act != Act::Other,
        }
    }

    fn taken(&self) -> u32 {
        let desk = self.lock();
        let sales = desk.book.entries().filter(|entry| entry.asked.kind == Kind::Sale && entry.code == "00");
        u32::try_from(sales.count()).unwrap_or(u32::MAX)
    }

    /// By the merchant's number (field 62), or by batch and trace number: `000001-000012`.
    fn order(&self, number: &str) -> Option<OrderSeen> {
        let desk = self.lock();
        let is_it = |entry: &&Entry| {
            let (batch, trace) = entry.asked.key;
            entry.asked.kind == Kind::Sale
                && (entry.asked.number == number || format!("{batch:06}-{trace:06}") == number)
        };
        let sales: Vec<&Entry> = desk.book.entries().filter(is_it).collect();
        let last = sales.last()?;
        let is_undone = |entry: &&&Entry| matches!(entry.standing, Standing::Reversed | Standing::Voided);
        let undone: i64 = sales.iter().filter(is_undone).map(|entry| entry.asked.amount).sum();
        Some(OrderSeen {
            code: None,
            subject: None,
            number: number.to_owned(),
            amount_minor: last.asked.amount,
            currency: "CNY".to_owned(),
            state: match last.standing {
                Standing::Approved => "approved",
                Standing::Declined => "declined",
                Standing::Voided => "voided",
                Standing::Reversed => "reversed",
            }
            .to_owned(),
            times_taken: u32::try_from(sales.iter().filter(|sale| sale.code == "00").count()).unwrap_or(u32::MAX),
            given_back_minor: undone + sales.iter().map(|sale| sale.refunded).sum::<i64>(),
        })
    }

    fn batches(&self) -> Vec<BatchSeen> {
        let seen = |closed: &Closed| {
            let [(debit_minor, debit_count), (credit_minor, credit_count)] = closed.totals;
            let count = |rows: usize| u32::try_from(rows).unwrap_or(u32::MAX);
            BatchSeen {
                number: format!("{:06}", closed.batch),
                balanced: closed.balanced,
                debit_count,
                debit_minor,
                credit_count,
                credit_minor,
                uploaded: count(closed.uploaded),
                missing: count(closed.missing),
            }
        };
        self.lock().closed.iter().map(seen).collect()
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        Err(Unplayable(format!("nothing of {number} waits for its customer: a card pays at once or never")))
    }

    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        self.pay(number)
    }

    fn notification(&self, _: &str, _: Option<&str>, _: Option<Fault>) -> Result<Notification, Unplayable> {
        Err(Unplayable("an acquirer calls no terminal".to_owned()))
    }
}
