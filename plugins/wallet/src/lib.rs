//! The `wallet` channel: closed-loop stored value (储值) that a tenant of a Saoma core issues, over that core's
//! `/v1/stored-value/acceptors`. Holders show a code that is good once; the cashier scans it.
//!
//! The issuer's answers are not signed: it is known by its certificate. What the issuer does not name is no answer, and core asks
//! again.

pub mod messages;

use messages::{Call, Settings, build, read};
use saoma_channel_sdk::{
    Account, BillPage, BillTerms, Cadence, Capability, Claim, Created, Error, Guest, HostPattern, HttpMessage,
    KnownOrder, Manifest, NotificationError, NotificationOutcome, Order, PaymentAnswer, RefundAnswer, RefundOrder,
    Reply, Request, SecretKind, SecretSpec,
};

/// A key of the role `acceptor`, which the issuer's owner makes.
const API_KEY: &str = "api-key";
/// What holders' codes begin with.
const CODE_PREFIX: &str = "SV1:";
/// Longest wait for one answer: a cancel that is refused asks once more within the manifest's 8,000 ms.
const ANSWER_TIMEOUT_MS: u32 = 3_500;
const CURRENCIES: [&str; 16] =
    ["CNY", "HKD", "TWD", "SGD", "USD", "EUR", "GBP", "JPY", "KRW", "THB", "BRL", "AUD", "CAD", "CHF", "MXN", "NZD"];

pub struct Wallet;

impl Guest for Wallet {
    fn describe() -> Manifest {
        Manifest {
            id: "wallet".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Stored value".to_owned(),
            currencies: CURRENCIES.map(str::to_owned).to_vec(),
            capabilities: vec![
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Bills,
            ],
            claims: vec![Claim::TextPrefix(CODE_PREFIX.to_owned())],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![SecretSpec {
                name: API_KEY.to_owned(),
                kind: SecretKind::Text,
                description: "An API key of the issuer's, of the role acceptor: it charges codes and gives back, and does nothing else. \
                              发行方的受理方 API 密钥。"
                    .to_owned(),
            }],
            hosts: vec![HostPattern::Setting("base_url".to_owned())],
            cadence: Cadence { call_timeout_ms: 8_000, query_interval_ms: 1_000, reverse_after_ms: 15_000 },
            bills: Some(BillTerms { time_zone: "Etc/UTC".to_owned(), day_begins_minutes: 0, ready_after_minutes: 5 }),
        }
    }

    fn create(_account: Account, _order: Order) -> Result<Created, Error> {
        Err(Error::Unsupported)
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        let reply = exchange(&settings, &build::charge(&settings, &order, &code))?;
        read::charged(reply.status, &reply.body)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        queried(&Settings::of(&account)?, &order.number)
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        let reply = exchange(&settings, &build::cancel(&settings, &order.number))?;
        if read::is_past_undoing(reply.status, &reply.body) {
            return queried(&settings, &order.number).map(read::past_undoing);
        }
        read::cancelled(reply.status, &reply.body)
    }

    fn refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = Settings::of(&account)?;
        let reply = exchange(&settings, &build::refund(&settings, &refund))?;
        read::refunded(reply.status, &reply.body, &refund)
    }

    fn query_refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = Settings::of(&account)?;
        let reply = exchange(&settings, &build::query_refund(&settings, &refund.refund_number))?;
        read::refund_queried(reply.status, &reply.body, &refund)
    }

    fn parse_notification(
        _account: Account,
        _notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        // The issuer sends none.
        Err(NotificationError::Forged("this channel has no notifications".to_owned()))
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let settings = Settings::of(&account)?;
        let reply = exchange(&settings, &build::bill(&settings, &day, cursor.as_deref()))?;
        read::bill(reply.status, &reply.body)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings = Settings::of(&account)?;
        let reply = exchange(&settings, &build::introduce(&settings))?;
        read::introduced(reply.status, &reply.body, &settings.acceptor)
    }
}

fn queried(settings: &Settings, number: &str) -> Result<PaymentAnswer, Error> {
    let reply = exchange(settings, &build::query(settings, number))?;
    read::queried(reply.status, &reply.body, number)
}

fn exchange(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    let url = format!("{}{}", settings.base_url.trim_end_matches('/'), call.path);
    let mut request =
        Request::new(call.method, url, ANSWER_TIMEOUT_MS).secret_header("authorization", "Bearer ", API_KEY);
    if let Some(key) = &call.key {
        request = request.header("idempotency-key", key.as_str()).body("application/json", call.body.as_str());
    }
    request.send()
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Wallet);
