//! The `card` channel: ISO 8583 to a card acquirer, as China UnionPay's terminals speak it.
//!
//! It never sees a card: it says where number, track and PIN go, and the host writes them ([`desk`]). [`messages`] is the wire,
//! pure; [`payment`], [`stored`], [`refund`] and [`settlement`] say what is sent when, and what may be believed; [`record`] is what must be found again, [`turn`]
//! which of two calls at once may send.

mod desk;
mod host;
pub mod messages;
mod payment;
mod record;
mod refund;
mod settlement;
mod stored;
#[cfg(test)]
mod stories;
mod turn;

use desk::{CERTIFICATES, DATA_KEY, Desk, MASTER_KEY, PIN_KEY};
use host::Wasm;
use messages::batch::ROWS_MAX;
use saoma_channel_sdk::{
    Account, BillPage, Cadence, Capability, Created, Error, Guest, HostPattern, HttpMessage, KnownOrder, Manifest,
    NotificationError, NotificationOutcome, Order, PaymentAnswer, RefundAnswer, RefundOrder, SecretKind, SecretSpec,
    card::presented,
    settlement::{Batch, Row, Settled, SettlementTerms},
};

pub struct Card;

impl Guest for Card {
    fn describe() -> Manifest {
        let secret = |name: &str, kind, description: &str| SecretSpec {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        Manifest {
            id: "card".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Bank cards".to_owned(),
            currencies: vec!["CNY".to_owned()],
            capabilities: vec![Capability::Card, Capability::Cancel, Capability::Refund, Capability::PartialRefund],
            claims: Vec::new(),
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                secret(
                    MASTER_KEY,
                    SecretKind::KeyEncryptionKey,
                    "The terminal master key that the acquirer gave you, for this terminal number; one of AES as aes: and its hex digits. 收单机构下发的终端主密钥。",
                ),
                secret(
                    DATA_KEY,
                    SecretKind::TerminalDataKey,
                    "The base key from which your terminals derive those under which they encrypt card data. 终端数据加密的根密钥。",
                ),
                secret(
                    PIN_KEY,
                    SecretKind::TerminalPinKey,
                    "The base key for PINs; leave it out if no terminal takes PINs. 终端 PIN 加密的根密钥。",
                ),
                secret(
                    CERTIFICATES,
                    SecretKind::Certificates,
                    "The acquirer's authority, only with private_authority. 收单机构的证书。",
                ),
            ],
            hosts: vec![HostPattern::Setting("address".to_owned())],
            // An acquirer cannot be asked about a sale, so that nothing is gained by waiting: it is reversed right after the silence.
            cadence: Cadence { call_timeout_ms: 60_000, query_interval_ms: 2_000, reverse_after_ms: 2_000 },
            bills: None,
        }
    }

    fn create(_account: Account, _order: Order) -> Result<Created, Error> {
        Err(Error::Unsupported)
    }

    fn charge(account: Account, order: Order, _code: String) -> Result<PaymentAnswer, Error> {
        payment::charge(&Desk::open(&Wasm, &account, presented())?, &order)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        payment::query(&Desk::open(&Wasm, &account, presented())?, &order)
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        payment::cancel(&Desk::open(&Wasm, &account, presented())?, &order)
    }

    fn refund(account: Account, order: RefundOrder) -> Result<RefundAnswer, Error> {
        refund::refund(&Desk::open(&Wasm, &account, presented())?, &order)
    }

    fn query_refund(account: Account, order: RefundOrder) -> Result<RefundAnswer, Error> {
        refund::query(&Desk::open(&Wasm, &account, presented())?, &order)
    }

    fn parse_notification(_: Account, _: HttpMessage) -> Result<NotificationOutcome, NotificationError> {
        Err(NotificationError::Malformed("an acquirer sends no notifications".to_owned()))
    }

    fn fetch_bill(_account: Account, _day: String, _cursor: Option<String>) -> Result<BillPage, Error> {
        Err(Error::Unsupported)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let desk = Desk::open(&Wasm, &account, presented())?;
        let batch = desk.sign_on()?.batch;
        Ok(format!("Terminal {} is signed on; batch {batch:06}.", desk.settings.terminal_number))
    }
}

impl saoma_channel_sdk::settlement::Guest for Card {
    fn terms() -> SettlementTerms {
        SettlementTerms { rows_max: ROWS_MAX }
    }

    fn settle(account: Account, batch: Batch) -> Result<Settled, Error> {
        settlement::settle(&Desk::open(&Wasm, &account, None)?, &batch)
    }

    fn upload(account: Account, batch: Batch, rows: Vec<Row>) -> Result<(), Error> {
        settlement::upload(&Desk::open(&Wasm, &account, presented())?, &batch, &rows)
    }

    fn finish(account: Account, batch: Batch) -> Result<Settled, Error> {
        settlement::finish(&Desk::open(&Wasm, &account, None)?, &batch)
    }
}

impl saoma_channel_sdk::stored::Guest for Card {
    fn forward(account: Account, order: Order, at: i64) -> Result<PaymentAnswer, Error> {
        stored::forward(&Desk::open(&Wasm, &account, presented())?, &order, at)
    }
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Card);
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::settlement::export!(Card);
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::stored::export!(Card);
