//! The `frozen` channel: built against the contract 0.1.0 and nothing else, so that a test holds the host to running it.
//!
//! It uses every import and every export of that version in the plainest way there is. Its scheme answers any request with
//! `paid`, `waiting`, or whatever else, signed. It does not use the SDK, which moves on.

#[allow(unsafe_code, clippy::all, clippy::unwrap_used, clippy::expect_used, missing_docs)]
mod bindings {
    wit_bindgen::generate!({
        path: "../../sdk/wit/0.1.0",
        world: "payment-channel",
        pub_export_macro: true,
        default_bindings_module: "crate::bindings",
    });
}

use bindings::{
    exports::saoma::channel::channel::{
        BillKind, BillLine, BillPage, BillRow, Created, Guest, HttpMessage, HttpReply, NotificationError,
        NotificationOutcome,
    },
    saoma::channel::{
        clock, http, kv, log, random, secrets,
        types::{
            Account, BillTerms, Cadence, Capability, Claim, DigitClaim, Error, Failure, HostPattern, Manifest, Money,
            Order, PaymentAnswer, PaymentStatus, RefundAnswer, RefundOrder, RefundStatus, SecretKind, SecretSpec,
        },
    },
};

const KEY: &str = "merchant-key";

pub struct Frozen;

impl Guest for Frozen {
    fn describe() -> Manifest {
        Manifest {
            id: "frozen".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Frozen (for tests)".to_owned(),
            currencies: vec!["CNY".to_owned()],
            capabilities: vec![
                Capability::MerchantPresented,
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Notifications,
                Capability::Bills,
            ],
            claims: vec![
                Claim::Digits(DigitClaim {
                    prefix_from: "66".to_owned(),
                    prefix_to: "66".to_owned(),
                    length_min: 18,
                    length_max: 18,
                }),
                Claim::EmvcoCpmAid("A000000333".to_owned()),
                Claim::TextPrefix("FROZEN:".to_owned()),
            ],
            settings_schema: r#"{"type":"object","required":["base_url"],"properties":{"base_url":{"type":"string"}}}"#
                .to_owned(),
            secrets: vec![SecretSpec { name: KEY.to_owned(), kind: SecretKind::MacKey, description: String::new() }],
            hosts: vec![
                HostPattern::Setting("base_url".to_owned()),
                HostPattern::Fixed("frozen.example:443".to_owned()),
            ],
            cadence: Cadence { call_timeout_ms: 2_000, query_interval_ms: 1_000, reverse_after_ms: 5_000 },
            bills: Some(BillTerms { time_zone: "Etc/UTC".to_owned(), day_begins_minutes: 0, ready_after_minutes: 10 }),
        }
    }

    fn create(_: Account, order: Order) -> Result<Created, Error> {
        Ok(Created { code: format!("frozen:{}:{}", order.number, order.notify_url) })
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        log::write(log::Level::Info, &format!("{} charges {code} at {}", account.id, clock::now()));
        let nonce = random::bytes(16);
        kv::set(&order.number, &nonce).map_err(|_| Error::NotSent("the store is full".to_owned()))?;
        if kv::get(&order.number).ok().flatten().as_ref() != Some(&nonce) {
            return Err(Error::NotSent("the store forgets".to_owned()));
        }
        kv::delete(&order.number).map_err(|_| Error::NotSent("the store keeps".to_owned()))?;
        let status = asked(&account, "charge", &order.number)?;
        Ok(answer(status, order.number, Some(order.amount)))
    }

    fn query(account: Account, number: String) -> Result<PaymentAnswer, Error> {
        let status = asked(&account, "query", &number)?;
        Ok(answer(status, number, None))
    }

    fn cancel(_: Account, number: String) -> Result<PaymentAnswer, Error> {
        Ok(answer(PaymentStatus::Closed, number, None))
    }

    fn refund(_: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let status =
            if refund.amount.minor == refund.total.minor { RefundStatus::Succeeded } else { RefundStatus::Pending };
        let (refund_number, amount) = (refund.refund_number, Some(refund.amount));
        Ok(RefundAnswer { status, refund_number, amount, reference: refund.reason })
    }

    fn query_refund(_: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let failure = Failure { code: "limit-exceeded".to_owned(), message: refund.reference };
        let (status, refund_number) = (RefundStatus::Failed(failure), refund.refund_number);
        Ok(RefundAnswer { status, refund_number, amount: None, reference: String::new() })
    }

    fn parse_notification(_: Account, message: HttpMessage) -> Result<NotificationOutcome, NotificationError> {
        let acknowledgement = HttpReply { status: 200, content_type: "text/plain".to_owned(), body: b"OK".to_vec() };
        let (_, tag) = message
            .headers
            .iter()
            .find(|(name, _)| name == "x-tag")
            .ok_or_else(|| NotificationError::Forged("it has no tag".to_owned()))?;
        let byte = |at: usize| u8::from_str_radix(tag.get(at..at + 2)?, 16).ok();
        let tag: Vec<u8> = (0..tag.len()).step_by(2).filter_map(byte).collect();
        match secrets::hmac_sha256_verify(KEY, &message.body, &tag) {
            Ok(true) => {}
            _ if message.body == b"news" => return Err(NotificationError::Irrelevant(acknowledgement)),
            _ => return Err(NotificationError::Forged("its tag is wrong".to_owned())),
        }
        let number =
            String::from_utf8(message.body).map_err(|_| NotificationError::Malformed("it is no text".to_owned()))?;
        Ok(NotificationOutcome { answer: answer(PaymentStatus::Succeeded, number, None), acknowledgement })
    }

    fn fetch_bill(_: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        if cursor.is_some() {
            return Ok(BillPage { lines: vec![BillLine::Unreadable("end".to_owned())], next_cursor: None });
        }
        let row = |kind, refund_number: &str| {
            BillLine::Row(BillRow {
                kind,
                number: "pay_1".to_owned(),
                refund_number: refund_number.to_owned(),
                reference: day.clone(),
                amount_minor: 100,
                fee_minor: 1,
                currency: "CNY".to_owned(),
                at: 1_700_000_000_000,
            })
        };
        let lines = vec![row(BillKind::Payment, ""), row(BillKind::Refund, "rfd_1"), row(BillKind::Reversal, "")];
        Ok(BillPage { lines, next_cursor: Some("2".to_owned()) })
    }

    fn self_test(account: Account) -> Result<String, Error> {
        match secrets::hmac_sha256("no-such-key", b"") {
            Err(secrets::Error::Missing(_)) => {}
            other => return Err(Error::NoAnswer(format!("{other:?}"))),
        }
        let elsewhere = http::Request { url: "https://elsewhere.example/".to_owned(), ..request(String::new()) };
        match http::send(&elsewhere) {
            Err(http::Error::Forbidden(_)) => Ok(account.settings_json),
            other => Err(Error::NoAnswer(format!("{other:?}"))),
        }
    }
}

fn request(url: String) -> http::Request {
    http::Request { method: "POST".to_owned(), url, headers: Vec::new(), body: Vec::new(), timeout_ms: 1_500 }
}

/// What the scheme says of an order. The setting is found without a parser, which would be all that this component holds.
fn asked(account: &Account, what: &str, number: &str) -> Result<PaymentStatus, Error> {
    let base_url = account.settings_json.split('"').nth(3).unwrap_or_default();
    let tag = secrets::hmac_sha256(KEY, number.as_bytes())
        .map_err(|_| Error::Misconfigured("the merchant key is missing".to_owned()))?;
    let headers = vec![("x-tag".to_owned(), tag.iter().map(|byte| format!("{byte:02x}")).collect())];
    let request = http::Request { headers, body: number.as_bytes().to_vec(), ..request(format!("{base_url}/{what}")) };
    match http::send(&request) {
        Ok(response) if response.body == b"paid" => Ok(PaymentStatus::Succeeded),
        Ok(response) if response.body == b"waiting" => Ok(PaymentStatus::Pending),
        Ok(response) => Err(Error::NoAnswer(format!("status {}", response.status))),
        Err(http::Error::Invalid(why) | http::Error::Forbidden(why) | http::Error::Unreachable(why)) => {
            Err(Error::NotSent(why))
        }
        Err(http::Error::TimedOut) => Err(Error::NoAnswer("in time".to_owned())),
        Err(http::Error::Broken(why)) => Err(Error::NoAnswer(why)),
    }
}

fn answer(status: PaymentStatus, number: String, amount: Option<Money>) -> PaymentAnswer {
    let (reference, payer_hint) = ("F1".to_owned(), "f***n".to_owned());
    PaymentAnswer { status, number, amount, reference, paid_at: Some(1_700_000_000_000), payer_hint }
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "what exports are made of")]
mod exported {
    use super::Frozen;

    crate::bindings::export!(Frozen);
}
