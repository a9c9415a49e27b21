//! The `sandbox` channel: carries the Sandbox Wallet's messages (`messages`) over the host's HTTP, signed with the host's key.
//!
//! An answer whose signature does not fit is as good as none: whoever sent it is not the scheme. So is one that cannot be
//! read. Core then asks again.

pub mod messages;

use messages::{Call, Settings};
use saoma_channel_sdk::{
    Account, BillPage, BillTerms, Cadence, Capability, Claim, Created, DigitClaim, Error, Guest, HostPattern,
    HttpMessage, HttpReply, KnownOrder, Manifest, NotificationError, NotificationOutcome, Order, PaymentAnswer,
    RefundAnswer, RefundOrder, Reply, Request, SecretKind, SecretSpec, clock, hmac_hex, hmac_verifies, misconfigured,
    no_answer, random_hex, settings,
};

/// The secret that the scheme gave the merchant.
const KEY: &str = "merchant-key";

/// Longest wait for one answer. Within the manifest's 4,000 ms there is then time left to report.
const ANSWER_TIMEOUT_MS: u32 = 3_500;

pub struct Sandbox;

impl Guest for Sandbox {
    fn describe() -> Manifest {
        Manifest {
            id: "sandbox".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Sandbox Wallet".to_owned(),
            currencies: ["CNY", "JPY", "KWD"].map(str::to_owned).to_vec(),
            capabilities: vec![
                Capability::MerchantPresented,
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Notifications,
                Capability::Bills,
            ],
            claims: vec![Claim::Digits(DigitClaim {
                prefix_from: "88".to_owned(),
                prefix_to: "88".to_owned(),
                length_min: 18,
                length_max: 18,
            })],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![SecretSpec {
                name: KEY.to_owned(),
                kind: SecretKind::MacKey,
                description: "The merchant key that the scheme gave you. 钱包分配的商户密钥。".to_owned(),
            }],
            hosts: vec![HostPattern::Setting("base_url".to_owned())],
            cadence: Cadence { call_timeout_ms: 4_000, query_interval_ms: 1_000, reverse_after_ms: 15_000 },
            // The scheme's days are of UTC, and a day's bill does not change once the day is over.
            bills: Some(BillTerms { time_zone: "Etc/UTC".to_owned(), day_begins_minutes: 0, ready_after_minutes: 10 }),
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let (status, body) = exchange(&settings(&account)?, &messages::create(&order, &account.notify_url)?)?;
        messages::read_created(status, &body, &order).map(|code| Created { code })
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        let (status, body) = exchange(&settings(&account)?, &messages::charge(&order, &account.notify_url, &code)?)?;
        messages::read_charged(status, &body, &order.number)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let (status, body) = exchange(&settings(&account)?, &messages::query(&order.number))?;
        messages::read_queried(status, &body, &order.number)
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = settings(&account)?;
        let (status, body) = exchange(&settings, &messages::close(&order.number))?;
        if messages::is_not_reversible(status, &body) {
            let (status, body) = exchange(&settings, &messages::query(&order.number))?;
            return messages::read_queried(status, &body, &order.number).map(messages::past_undoing);
        }
        messages::read_closed(status, &body, &order.number)
    }

    fn refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let (status, body) = exchange(&settings(&account)?, &messages::refund(&refund)?)?;
        messages::read_refunded(status, &body, &refund.refund_number)
    }

    fn query_refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let (status, body) = exchange(&settings(&account)?, &messages::query_refund(&refund))?;
        messages::read_refund_queried(status, &body, &refund.refund_number)
    }

    fn parse_notification(
        _account: Account,
        notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        let header = |name: &str| {
            let found = notification.headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
            found.ok_or_else(|| NotificationError::Forged(format!("the header {name} is missing")))
        };
        let (timestamp, nonce) = (header("x-sandbox-timestamp")?, header("x-sandbox-nonce")?);
        let text = messages::notification_text(timestamp, nonce, &notification.body);
        match hmac_verifies(KEY, &text, header("x-sandbox-signature")?) {
            Ok(true) => {}
            Ok(false) => return Err(NotificationError::Forged("the signature does not fit".to_owned())),
            // Without a key nothing can be believed; the scheme will send it again.
            Err(_) => return Err(NotificationError::Forged(format!("the account has no {KEY}"))),
        }
        let event = messages::read_notification(&notification.body).map_err(NotificationError::Malformed)?;
        let acknowledgement =
            HttpReply { status: 200, content_type: "text/plain".to_owned(), body: messages::ACKNOWLEDGEMENT.to_vec() };
        Ok(NotificationOutcome { events: vec![event], acknowledgement })
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let reply = verified(&settings(&account)?, &messages::bill(&day, cursor.as_deref()))?;
        messages::read_bill(reply.status, reply.header("content-type").unwrap_or_default(), &reply.body)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings: Settings = settings(&account)?;
        let (status, body) = exchange(&settings, &messages::ping()).map_err(|error| match error {
            // Here nothing can have happened, and a wrong key is the likeliest reason for an answer that does not verify.
            Error::NoAnswer(why) if why == UNVERIFIED => {
                misconfigured("the scheme's answer does not fit the merchant key: check the key and the merchant id")
            }
            other => other,
        })?;
        messages::read_pong(status, &body, &settings.merchant_id)
    }
}

const UNVERIFIED: &str = "the answer's signature does not fit";

/// Sends one signed request and returns the scheme's answer, if it is the scheme's.
fn exchange(settings: &Settings, call: &Call) -> Result<(u16, Vec<u8>), Error> {
    verified(settings, call).map(|reply| (reply.status, reply.body))
}

fn verified(settings: &Settings, call: &Call) -> Result<Reply, Error> {
    let (url, path) = messages::address(&settings.base_url, &call.path).map_err(misconfigured)?;
    let (timestamp, nonce) = (clock::now().to_string(), random_hex(16));
    let signature = hmac_hex(KEY, &messages::request_text(call.method, &path, &timestamp, &nonce, &call.body))?;
    let mut request = Request::new(call.method, url, ANSWER_TIMEOUT_MS)
        .header("x-sandbox-merchant", settings.merchant_id.as_str())
        .header("x-sandbox-timestamp", timestamp)
        .header("x-sandbox-nonce", nonce.as_str())
        .header("x-sandbox-signature", signature);
    if !call.body.is_empty() {
        request = request.body("application/json", call.body.as_str());
    }
    let reply = request.send()?;
    let text = match reply.header("x-sandbox-timestamp") {
        Some(timestamp) => messages::response_text(reply.status, timestamp, &nonce, &reply.body),
        None => return Err(no_answer(UNVERIFIED)),
    };
    match reply.header("x-sandbox-signature") {
        Some(signature) if hmac_verifies(KEY, &text, signature)? => Ok(reply),
        _ => Err(no_answer(UNVERIFIED)),
    }
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Sandbox);
