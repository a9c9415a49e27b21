//! The far side as the stage door sees it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use super::{
    book::{Book, State, Transaction},
    moment::{clearing_day, digits14},
    signature::{Keys, MERCHANT_CERT_ID, MERCHANT_KEY, SCHEME_CERTIFICATE},
    text::{Fields, to_form},
};
use crate::stage::{FarSide, Fault, Notification, OrderSeen, Script, Stage, Unplayable};

pub const MERCHANT_ID: &str = "777290058110048";
/// A code as the app shows it: 19 digits.
const CODE: &str = "6212345678901234567";

/// The gateway.
pub struct UnionPay {
    stage: Stage,
    keys: Keys,
    book: Mutex<Book>,
}

impl UnionPay {
    /// # Errors
    /// If the test keys cannot be read.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self { stage: Stage::default(), keys: Keys::new()?, book: Mutex::default() })
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        // Each change of the book is whole before the next begins.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn finish(&self, number: &str, outcome: State) -> Result<(), Unplayable> {
        let now = self.stage.now_ms();
        self.book()
            .finish(&order_id(number), outcome, now)
            .ok_or_else(|| Unplayable(format!("nothing of {number} waits for that")))
    }
}

impl FarSide for UnionPay {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        Script {
            settings: json!({
                "gateway_url": base_url,
                "file_url": base_url,
                "merchant_id": MERCHANT_ID,
                "certificate_id": MERCHANT_CERT_ID,
                "terminal_id": "49000001",
                "code_minutes_max": 10,
            }),
            secrets: json!({ "signing-key": MERCHANT_KEY, "unionpay-certificates": SCHEME_CERTIFICATE }),
            code: Some(CODE.to_owned()),
            card: None,
            unusable: json!({ "certificate_id": "10025A3F" }),
            faults: Fault::all_but(&[]),
        }
    }

    fn taken(&self) -> u32 {
        self.book().all().filter(|sale| sale.original.is_none()).map(|sale| sale.times_taken).sum()
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        let book = self.book();
        let transaction = book.get(&order_id(number))?;
        Some(OrderSeen {
            code: Some(transaction.code.clone()).filter(|code| !code.is_empty()),
            subject: None,
            number: number.to_owned(),
            amount_minor: transaction.amount,
            currency: "CNY".to_owned(),
            state: format!("{:?}", transaction.state),
            times_taken: transaction.times_taken,
            given_back_minor: transaction.given_back,
        })
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        self.finish(number, State::Done)
    }

    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        // A code that is shown can be tried again until it is dead: `finish` refuses.
        self.finish(number, State::Refused("60"))
    }

    fn notification(
        &self,
        number: &str,
        refund: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Notification, Unplayable> {
        let about = refund.unwrap_or(number);
        let book = self.book();
        let transaction =
            book.get(&order_id(about)).ok_or_else(|| Unplayable(format!("there is no transaction {about}")))?;
        let (code, words) = match transaction.state {
            State::Done => ("00", "成功[0000000]"),
            State::Refused(code) => (code, "交易失败，详情请咨询您的发卡行[6000060]"),
            _ => return Err(Unplayable(format!("there is nothing to tell of {about} yet"))),
        };
        let mut fields = common(transaction);
        fields.extend(moved(transaction));
        fields.extend([field("respCode", code), field("respMsg", words)]);
        let body = match fault {
            None => to_form(&signed(&self.keys, fields)),
            Some(fault @ (Fault::WrongAmount | Fault::WrongNumber)) => {
                lie(fault, &mut fields);
                to_form(&signed(&self.keys, fields))
            }
            Some(fault @ (Fault::Unsigned | Fault::Forged)) => {
                let mut fields = signed(&self.keys, fields);
                spoil(fault, &mut fields);
                to_form(&fields)
            }
            Some(other) => return Err(Unplayable(format!("notifications do not play {other:?}"))),
        };
        let headers = vec![("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
        Ok(Notification { headers, body_base64: STANDARD.encode(body) })
    }
}

/// The fields of every message about a transaction.
pub(super) fn common(transaction: &Transaction) -> Fields {
    [
        field("version", "5.1.0"),
        field("encoding", "UTF-8"),
        field("signMethod", "01"),
        field("txnType", transaction.txn_type),
        field("txnSubType", transaction.sub_type),
        field("bizType", "000000"),
        field("accessType", "0"),
        field("merId", MERCHANT_ID),
        field("orderId", &transaction.order_id),
        field("txnTime", &transaction.txn_time),
        field("txnAmt", &transaction.amount.to_string()),
        field("currencyCode", "156"),
    ]
    .into()
}

/// What the documents promise of a transaction that moved money.
pub(super) fn moved(transaction: &Transaction) -> Fields {
    let mut fields: Fields = [field("queryId", &transaction.query_id)].into();
    let moment = digits14(transaction.at_ms);
    if transaction.state == State::Done {
        fields.extend([
            field("traceNo", &transaction.trace_no),
            field("traceTime", moment.get(4..).unwrap_or_default()),
            field("settleDate", clearing_day(transaction.at_ms).get(4..).unwrap_or_default()),
            field("settleAmt", &transaction.amount.to_string()),
            field("settleCurrencyCode", "156"),
            field("accNo", "6216***********0018"),
        ]);
    }
    if let Some(original) = &transaction.original {
        fields.extend([field("origOrderId", original)]);
    }
    fields
}

pub(super) fn signed(keys: &Keys, mut fields: Fields) -> Fields {
    keys.sign(&mut fields);
    fields
}

/// Says one fen more, or another number.
pub(super) fn lie(fault: Fault, fields: &mut Fields) {
    match fault {
        Fault::WrongAmount => {
            if let Some(amount) = fields.get_mut("txnAmt") {
                *amount = (amount.parse::<i64>().unwrap_or_default() + 1).to_string();
            }
        }
        Fault::WrongNumber => {
            if let Some(order_id) = fields.get_mut("orderId") {
                let last = if order_id.pop() == Some('b') { 'c' } else { 'b' };
                order_id.push(last);
            }
        }
        _ => {}
    }
}

/// Takes the signature away, or puts one of other bytes there.
pub(super) fn spoil(fault: Fault, fields: &mut Fields) {
    match fault {
        Fault::Unsigned => {
            fields.remove("signature");
        }
        Fault::Forged => {
            let forged = fields.get("signature").and_then(|text| STANDARD.decode(text).ok()).map(|mut bytes| {
                bytes.reverse();
                STANDARD.encode(bytes)
            });
            fields.insert("signature".to_owned(), forged.unwrap_or_default());
        }
        _ => {}
    }
}

pub(super) fn field(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// A merchant's own number, without the `_` that no number here has.
fn order_id(number: &str) -> String {
    number.replace('_', "")
}
