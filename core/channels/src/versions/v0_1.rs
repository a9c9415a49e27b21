//! Version 0.1.0 of the contract in the words of the newest: its types into ours, and its imports served by ours.

use wasmtime::Result;

use crate::{
    bindings::{
        contract, http, kv, log, secrets, types,
        v0_1::{
            exports::saoma::channel::channel as old_contract,
            saoma::channel::{
                clock as old_clock, http as old_http, kv as old_kv, log as old_log, random as old_random,
                secrets as old_secrets, types as old,
            },
        },
    },
    host::{CallState, http::BODY_BYTES_MAX},
};

/// An answer of the old version in the new one's words.
pub(super) fn answered<O, N: From<O>>(said: Result<O, old::Error>) -> Result<Result<N, types::Error>> {
    Ok(said.map(N::from).map_err(|error| match error {
        old::Error::NoAnswer(why) => types::Error::NoAnswer(why),
        old::Error::NotSent(why) => types::Error::NotSent(why),
        old::Error::Misconfigured(why) => types::Error::Misconfigured(why),
        old::Error::Unsupported => types::Error::Unsupported,
    }))
}

pub(super) fn order(order: &types::Order, account: &types::Account) -> old::Order {
    old::Order {
        number: order.number.clone(),
        amount: (&order.amount).into(),
        subject: order.subject.clone(),
        merchant_name: order.merchant_name.clone(),
        store_name: order.store_name.clone(),
        terminal_name: order.terminal_name.clone(),
        created_at: order.created_at,
        expires_at: order.expires_at,
        notify_url: account.notify_url.clone(),
    }
}

impl From<&types::Account> for old::Account {
    fn from(account: &types::Account) -> Self {
        Self { id: account.id.clone(), settings_json: account.settings_json.clone() }
    }
}

impl From<&types::Money> for old::Money {
    fn from(money: &types::Money) -> Self {
        Self { minor: money.minor, currency: money.currency.clone() }
    }
}

impl From<&types::RefundOrder> for old::RefundOrder {
    fn from(refund: &types::RefundOrder) -> Self {
        Self {
            number: refund.number.clone(),
            reference: refund.reference.clone(),
            refund_number: refund.refund_number.clone(),
            amount: (&refund.amount).into(),
            total: (&refund.total).into(),
            reason: refund.reason.clone(),
        }
    }
}

impl From<&contract::HttpMessage> for old_contract::HttpMessage {
    fn from(message: &contract::HttpMessage) -> Self {
        Self { headers: message.headers.clone(), body: message.body.clone() }
    }
}

impl From<old::Money> for types::Money {
    fn from(money: old::Money) -> Self {
        Self { minor: money.minor, currency: money.currency }
    }
}

impl From<old::Failure> for types::Failure {
    fn from(failure: old::Failure) -> Self {
        Self { code: failure.code, message: failure.message }
    }
}

impl From<old::PaymentAnswer> for types::PaymentAnswer {
    fn from(answer: old::PaymentAnswer) -> Self {
        let status = match answer.status {
            old::PaymentStatus::Succeeded => types::PaymentStatus::Succeeded,
            old::PaymentStatus::Pending => types::PaymentStatus::Pending,
            old::PaymentStatus::Failed(failure) => types::PaymentStatus::Failed(failure.into()),
            old::PaymentStatus::NotFound => types::PaymentStatus::NotFound,
            old::PaymentStatus::Closed => types::PaymentStatus::Closed,
            old::PaymentStatus::Refunded => types::PaymentStatus::Refunded,
        };
        Self {
            status,
            number: answer.number,
            amount: answer.amount.map(Into::into),
            reference: answer.reference,
            paid_at: answer.paid_at,
            payer_hint: answer.payer_hint,
        }
    }
}

impl From<old::RefundAnswer> for types::RefundAnswer {
    fn from(answer: old::RefundAnswer) -> Self {
        let status = match answer.status {
            old::RefundStatus::Succeeded => types::RefundStatus::Succeeded,
            old::RefundStatus::Pending => types::RefundStatus::Pending,
            old::RefundStatus::Failed(failure) => types::RefundStatus::Failed(failure.into()),
            old::RefundStatus::NotFound => types::RefundStatus::NotFound,
        };
        Self {
            status,
            refund_number: answer.refund_number,
            amount: answer.amount.map(Into::into),
            reference: answer.reference,
        }
    }
}

impl From<old_contract::Created> for contract::Created {
    fn from(created: old_contract::Created) -> Self {
        Self { code: created.code }
    }
}

impl From<old_contract::HttpReply> for contract::HttpReply {
    fn from(reply: old_contract::HttpReply) -> Self {
        Self { status: reply.status, content_type: reply.content_type, body: reply.body }
    }
}

impl From<old_contract::NotificationOutcome> for contract::NotificationOutcome {
    fn from(outcome: old_contract::NotificationOutcome) -> Self {
        Self {
            events: vec![contract::NotificationEvent::Payment(outcome.answer.into())],
            acknowledgement: outcome.acknowledgement.into(),
        }
    }
}

impl From<old_contract::NotificationError> for contract::NotificationError {
    fn from(error: old_contract::NotificationError) -> Self {
        match error {
            old_contract::NotificationError::Forged(why) => Self::Forged(why),
            old_contract::NotificationError::Malformed(why) => Self::Malformed(why),
            old_contract::NotificationError::Irrelevant(reply) => Self::Irrelevant(reply.into()),
        }
    }
}

impl From<old_contract::BillPage> for contract::BillPage {
    fn from(page: old_contract::BillPage) -> Self {
        let line = |line| match line {
            old_contract::BillLine::Row(row) => contract::BillLine::Row(bill_row(row)),
            old_contract::BillLine::Unreadable(text) => contract::BillLine::Unreadable(text),
        };
        Self { lines: page.lines.into_iter().map(line).collect(), next_cursor: page.next_cursor }
    }
}

fn bill_row(row: old_contract::BillRow) -> contract::BillRow {
    contract::BillRow {
        kind: match row.kind {
            old_contract::BillKind::Payment => contract::BillKind::Payment,
            old_contract::BillKind::Refund => contract::BillKind::Refund,
            old_contract::BillKind::Reversal => contract::BillKind::Reversal,
        },
        number: row.number,
        refund_number: row.refund_number,
        case_number: String::new(),
        reference: row.reference,
        amount_minor: row.amount_minor,
        fee_minor: row.fee_minor,
        currency: row.currency,
        at: row.at,
    }
}

impl From<old::Manifest> for types::Manifest {
    fn from(manifest: old::Manifest) -> Self {
        Self {
            id: manifest.id,
            version: manifest.version,
            name: manifest.name,
            currencies: manifest.currencies,
            capabilities: manifest.capabilities.into_iter().map(capability).collect(),
            claims: manifest.claims.into_iter().map(claim).collect(),
            settings_schema: manifest.settings_schema,
            secrets: manifest.secrets.into_iter().map(secret).collect(),
            hosts: manifest.hosts.into_iter().map(host).collect(),
            cadence: types::Cadence {
                call_timeout_ms: manifest.cadence.call_timeout_ms,
                query_interval_ms: manifest.cadence.query_interval_ms,
                reverse_after_ms: manifest.cadence.reverse_after_ms,
            },
            bills: manifest.bills.map(|bills| types::BillTerms {
                time_zone: bills.time_zone,
                day_begins_minutes: bills.day_begins_minutes,
                ready_after_minutes: bills.ready_after_minutes,
            }),
        }
    }
}

fn capability(capability: old::Capability) -> types::Capability {
    match capability {
        old::Capability::MerchantPresented => types::Capability::MerchantPresented,
        old::Capability::CustomerPresented => types::Capability::CustomerPresented,
        old::Capability::Cancel => types::Capability::Cancel,
        old::Capability::Refund => types::Capability::Refund,
        old::Capability::PartialRefund => types::Capability::PartialRefund,
        old::Capability::Notifications => types::Capability::Notifications,
        old::Capability::Bills => types::Capability::Bills,
        old::Capability::AmountsNotNamed => types::Capability::AmountsNotNamed,
    }
}

fn claim(claim: old::Claim) -> types::Claim {
    match claim {
        old::Claim::Digits(claim) => types::Claim::Digits(types::DigitClaim {
            prefix_from: claim.prefix_from,
            prefix_to: claim.prefix_to,
            length_min: claim.length_min,
            length_max: claim.length_max,
        }),
        old::Claim::EmvcoCpmAid(aid) => types::Claim::EmvcoCpmAid(aid),
        old::Claim::TextPrefix(prefix) => types::Claim::TextPrefix(prefix),
    }
}

fn secret(secret: old::SecretSpec) -> types::SecretSpec {
    let kind = match secret.kind {
        old::SecretKind::MacKey => types::SecretKind::MacKey,
    };
    types::SecretSpec { name: secret.name, kind, description: secret.description }
}

fn host(host: old::HostPattern) -> types::HostPattern {
    match host {
        old::HostPattern::Fixed(text) => types::HostPattern::Fixed(text),
        old::HostPattern::Setting(name) => types::HostPattern::Setting(name),
    }
}

// From here on the imports.

impl old::Host for CallState {}

impl old_http::Host for CallState {
    async fn send(&mut self, request: old_http::Request) -> Result<Result<old_http::Response, old_http::Error>> {
        let request = http::Request {
            method: request.method,
            url: request.url,
            headers: request.headers,
            body: request.body,
            credentials: Vec::new(),
            client_certificate: None,
            server_certificates: None,
            timeout_ms: request.timeout_ms,
            answer_bytes_max: BODY_BYTES_MAX,
        };
        let said = http::Host::send(self, request).await?;
        Ok(match said {
            Ok(response) => {
                Ok(old_http::Response { status: response.status, headers: response.headers, body: response.body })
            }
            Err(http::Error::Invalid(why)) => Err(old_http::Error::Invalid(why)),
            // It can name no secret.
            Err(http::Error::Forbidden(why) | http::Error::NoSecret(why)) => Err(old_http::Error::Forbidden(why)),
            Err(http::Error::Unreachable(why)) => Err(old_http::Error::Unreachable(why)),
            Err(http::Error::TimedOut) => Err(old_http::Error::TimedOut),
            Err(http::Error::Broken(why)) => Err(old_http::Error::Broken(why)),
        })
    }
}

fn secrets_error(error: secrets::Error) -> old_secrets::Error {
    match error {
        secrets::Error::Missing(name) => old_secrets::Error::Missing(name),
        secrets::Error::WrongKind(why) | secrets::Error::UnknownKey(why) | secrets::Error::Invalid(why) => {
            old_secrets::Error::WrongKind(why)
        }
        secrets::Error::Exhausted => old_secrets::Error::WrongKind(String::new()),
    }
}

impl old_secrets::Host for CallState {
    fn hmac_sha256(&mut self, secret: String, message: Vec<u8>) -> Result<Result<Vec<u8>, old_secrets::Error>> {
        // This version bounds no message, other than by what a call may hand over.
        Ok(self.hmac_sha256_of(&secret, &message)?.map_err(secrets_error))
    }

    fn hmac_sha256_verify(
        &mut self,
        secret: String,
        message: Vec<u8>,
        tag: Vec<u8>,
    ) -> Result<Result<bool, old_secrets::Error>> {
        Ok(self.hmac_sha256_fits(&secret, &message, &tag)?.map_err(secrets_error))
    }
}

fn kv_error(error: kv::Error) -> old_kv::Error {
    match error {
        kv::Error::Full => old_kv::Error::Full,
        kv::Error::TooLarge => old_kv::Error::TooLarge,
        // Only `next`, which 0.1.0 does not have, answers so.
        kv::Error::NotANumber => old_kv::Error::Unavailable("the value is no number".to_owned()),
        kv::Error::Unavailable(why) => old_kv::Error::Unavailable(why),
    }
}

impl old_kv::Host for CallState {
    async fn get(&mut self, key: String) -> Result<Result<Option<Vec<u8>>, old_kv::Error>> {
        Ok(kv::Host::get(self, key).await?.map_err(kv_error))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Result<Result<(), old_kv::Error>> {
        Ok(kv::Host::set(self, key, value).await?.map_err(kv_error))
    }

    async fn delete(&mut self, key: String) -> Result<Result<(), old_kv::Error>> {
        Ok(kv::Host::delete(self, key).await?.map_err(kv_error))
    }
}

impl old_log::Host for CallState {
    fn write(&mut self, level: old_log::Level, message: String) -> Result<()> {
        let level = match level {
            old_log::Level::Debug => log::Level::Debug,
            old_log::Level::Info => log::Level::Info,
            old_log::Level::Warn => log::Level::Warn,
            old_log::Level::Error => log::Level::Error,
        };
        log::Host::write(self, level, message)
    }
}

impl old_clock::Host for CallState {
    fn now(&mut self) -> Result<i64> {
        crate::bindings::clock::Host::now(self)
    }
}

impl old_random::Host for CallState {
    fn bytes(&mut self, len: u32) -> Result<Vec<u8>> {
        crate::bindings::random::Host::bytes(self, len)
    }
}
