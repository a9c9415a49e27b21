//! Errors as the API shows them: RFC 9457 problem details, every code in one table.
//!
//! What the API says and what the log says are two texts: a [`Problem`] never carries an inner error's words about the
//! database or the machine.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header::RETRY_AFTER},
};
use saoma_channels::{NoChance, package::VetError};
use saoma_domain::{
    claim::CodeError,
    dispute, order, package, payment,
    stored_value::{ChargeRefusal, Refusal},
};
use saoma_protocol::api;
use saoma_store::StoreError;

use crate::{
    limits::TooOften,
    packages::PackageError,
    payments::{NotQuoted, PaymentError},
    secrets::SecretsError,
    stored_value::StoredValueError,
};

/// A code, its status, and its title.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub &'static str, pub u16, pub &'static str);

/// Every code there is, as constants and as one table.
macro_rules! codes {
    ($($name:ident = $code:literal, $status:literal, $title:literal;)+) => {
        $(pub const $name: Code = Code($code, $status, $title);)+

        pub const CODES: &[Code] = &[$($name),+];
    };
}

codes! {
    BODY_UNREADABLE = "body_unreadable", 400, "The body cannot be read";
    BODY_TOO_LARGE = "body_too_large", 413, "The body is too large";
    BODY_PACKED = "body_packed", 415, "The body must be sent unpacked";
    KEY_MISSING = "idempotency_key_missing", 400, "An Idempotency-Key is needed";
    KEY_INVALID = "idempotency_key_invalid", 400, "The Idempotency-Key cannot be used";
    UNAUTHENTICATED = "unauthenticated", 401, "Sign in first";
    TERMINAL_SHUT_OUT = "terminal_shut_out", 401, "This terminal is shut out";
    SIGN_IN_FAILED = "sign_in_failed", 401, "The name or the password is wrong";
    TOO_MANY_ATTEMPTS = "too_many_attempts", 429, "Too many attempts";
    TOO_MANY_REQUESTS = "too_many_requests", 429, "Too many requests";
    FORBIDDEN = "forbidden", 403, "Your role does not allow this";
    ORIGIN_REFUSED = "origin_refused", 403, "The request comes from another page";
    PASSWORD_CHANGE_NEEDED = "password_change_needed", 403, "The password must be changed first";
    NOT_FOUND = "not_found", 404, "There is no such thing";
    METHOD_NOT_ALLOWED = "method_not_allowed", 405, "This cannot be done to that";
    CONFLICT = "conflict", 409, "It is taken";
    CHANGED_MEANWHILE = "changed_meanwhile", 409, "It was changed meanwhile";
    INVALID = "invalid", 422, "A value cannot be used";
    PAYMENT_EXISTS_DIFFERENTLY = "payment_exists_differently", 409, "Another payment has this number";
    REFUND_EXISTS_DIFFERENTLY = "refund_exists_differently", 409, "Another refund has this number";
    KEY_REUSED = "idempotency_key_reused", 422, "The Idempotency-Key was used for another request";
    ANSWERED_BEFORE = "answered_before", 409, "It was done, and its answer is gone";
    SALE_CALLED_OFF = "sale_called_off", 409, "The sale is called off";
    NOT_IN_STATE = "not_in_state", 409, "The payment's state does not allow this";
    REFUND_EXCEEDS = "refund_exceeds", 409, "More than can be given back";
    PAYMENT_DISPUTED = "payment_disputed", 409, "The payment is disputed";
    DISPUTE_DECIDED = "dispute_decided", 409, "The dispute is decided";
    CURRENCY_MISMATCH = "currency_mismatch", 422, "Another currency is needed";
    ORDER_PAID = "order_paid", 409, "The order is paid";
    ORDER_DIFFERS = "order_differs", 422, "The order is of another amount or store";
    SECOND_PERSON_NEEDED = "second_person_needed", 403, "Another person must confirm it";
    BATCH_LIVE = "batch_live", 409, "The terminal can close the batch itself";
    DAY_NOT_COMPARED = "day_not_compared", 409, "A day was not compared with its bill";
    ANOTHER_DAY_RUNS = "another_day_runs", 409, "Another day is being compared";
    DAYS_PAID_OUT = "days_paid_out", 409, "These days were paid out";
    NOTHING_TO_POST = "nothing_to_post", 409, "There is nothing to post";
    CHANNEL_SAYS_OTHERWISE = "channel_says_otherwise", 409, "The channel says otherwise";
    CODE_NOT_RECOGNISED = "code_not_recognised", 422, "No channel knows this code";
    CODE_WRONG_DIRECTION = "code_wrong_direction", 422, "This is a code that a shop shows";
    CHANNEL_AMBIGUOUS = "channel_ambiguous", 409, "Several channels know this code";
    CHANNEL_UNAVAILABLE = "channel_unavailable", 409, "No channel can collect this";
    CHANNEL_CANNOT = "channel_cannot", 409, "The channel cannot do this";
    SALE_REFUSED = "sale_refused", 409, "The merchant's rules refuse this sale";
    RULE_FAILED = "rule_failed", 409, "A rule of the merchant's gave no decision";
    QUOTE_OVER = "quote_over", 409, "The quote is over";
    QUOTE_REFUSED = "quote_refused", 422, "This was not quoted";
    RULE_BUSY = "rule_busy", 503, "A rule of the merchant's cannot be asked just now";
    CARD_USED = "card_used", 409, "The card was read for another payment";
    FORWARDING = "forwarding", 409, "The acquirer has not answered for this sale";
    BATCH_CLOSING = "batch_closing", 409, "A batch is being settled";
    PAYMENTS_UNDER_WAY = "payments_under_way", 409, "Payments are under way";
    SETTLEMENT_BUSY = "settlement_busy", 503, "Too many batches are being settled";
    VOID_TOO_LATE = "void_too_late", 409, "The payment can be refunded and not voided any more";
    NOTIFICATION_FORGED = "notification_forged", 401, "The notification is not believed";
    NOTIFICATION_REFUSED = "notification_refused", 400, "The notification cannot be read";
    LAST_OWNER = "last_owner", 409, "A merchant needs an owner";
    PACKAGE_REFUSED = "package_refused", 422, "The package cannot be taken";
    PACKAGE_UNTRUSTED = "package_untrusted", 422, "No trusted publisher signed it";
    PACKAGE_KIT_FAILED = "package_kit_failed", 422, "The conformance kit did not pass it";
    PACKAGE_RETIRED = "package_retired", 409, "The package is retired";
    PACKAGE_IN_USE = "package_in_use", 409, "A rollout names the package";
    PACKAGE_UNAVAILABLE = "package_unavailable", 503, "The package cannot be loaded now";
    PUBLISHER_REVOKED = "publisher_revoked", 409, "The publisher is not trusted any more";
    PLUGIN_ID_TAKEN = "plugin_id_taken", 409, "The platform has a plugin of this id";
    ROLLOUT_REFUSED = "rollout_refused", 409, "The rollout does not allow this";
    SETTINGS_REFUSED = "settings_refused", 409, "Stored settings do not fit the package";
    PLUGIN_MISSING = "plugin_missing", 422, "The plugin is not installed";
    WEBHOOK_URL_REFUSED = "webhook_url_refused", 422, "Webhooks cannot be sent there";
    WEBHOOK_DISABLED = "webhook_disabled", 409, "The webhook endpoint is disabled";
    TERMINAL_REVOKED = "terminal_revoked", 409, "The terminal was shut out";
    CLAIM_CODE_INVALID = "claim_code_invalid", 403, "The claim code is not valid";
    CSR_INVALID = "csr_invalid", 422, "The certificate request cannot be used";
    ACCOUNT_CLOSED = "account_closed", 409, "The account is closed";
    ACCOUNT_FROZEN = "account_frozen", 409, "The account is frozen";
    ACCOUNT_NOT_FROZEN = "account_not_frozen", 409, "The account is not frozen";
    BALANCE_INSUFFICIENT = "balance_insufficient", 409, "The account does not hold that much";
    BALANCE_RESERVED = "balance_reserved", 409, "A part of it is set aside for offline codes";
    OFFLINE_OFF = "offline_off", 409, "Offline codes are not switched on";
    LIMIT_EXCEEDED = "limit_exceeded", 409, "It is more than the limit";
    NOT_REVERSIBLE = "not_reversible", 409, "This cannot be taken back";
    CHARGE_EXISTS_DIFFERENTLY = "charge_exists_differently", 409, "Another charge has this number";
    CHARGE_UNKNOWN = "charge_unknown", 404, "There is no such charge";
    CHARGE_NOT_CHARGED = "charge_not_charged", 409, "Nothing was charged";
    EXPORT_TOO_LARGE = "export_too_large", 422, "The export is too large";
    DISK_FULL = "disk_full", 507, "There is no room left";
    UNAVAILABLE = "unavailable", 503, "Try again later";
    OUTCOME_UNKNOWN = "outcome_unknown", 503, "It may have been done";
    INTERNAL = "internal", 500, "Something went wrong here";
}

/// One error of one request.
#[derive(Clone, Debug)]
pub struct Problem {
    code: Code,
    detail: String,
    pointer: Option<String>,
    errors: Box<[api::Fault]>,
    retry_after_seconds: Option<u64>,
}

impl Problem {
    /// `detail`: what is wrong in this case and what to do, in a sentence.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), pointer: None, errors: Box::default(), retry_after_seconds: None }
    }

    /// The field at fault, as a JSON pointer.
    #[must_use]
    pub fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// All that is wrong with one request, each with its pointer.
    #[must_use]
    pub fn with_errors(mut self, wrong: Vec<Self>) -> Self {
        let fault = |one: Self| api::Fault { code: one.code.0.to_owned(), detail: one.detail, pointer: one.pointer };
        self.errors = wrong.into_iter().map(fault).collect();
        self
    }

    /// The same problem of a part of a request: its pointer goes on from `part`.
    #[must_use]
    pub fn within(mut self, part: &str) -> Self {
        self.pointer = Some(format!("{part}{}", self.pointer.unwrap_or_default()));
        self
    }

    /// When it may be tried again, as the header `Retry-After` (RFC 9110, 10.2.3): whole seconds, rounded up.
    #[must_use]
    pub fn after(mut self, too_often: TooOften) -> Self {
        self.retry_after_seconds = Some(too_often.wait_ms.max(1).unsigned_abs().div_ceil(1_000));
        self
    }

    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// A mistake of ours: logged with its whole chain, shown without it.
    #[must_use]
    pub fn internal(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut chain = error.to_string();
        let mut source = error.source();
        while let Some(inner) = source {
            chain = format!("{chain}: {inner}");
            source = inner.source();
        }
        tracing::error!(error = chain, "a request failed of our own mistake");
        Self::new(INTERNAL, "It was noted. Try again; if it stays, give the trace to support.")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.0, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.code.1).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let Code(code, status, title) = self.code;
        let body = api::Problem {
            kind: format!("https://saoma.dev/problems/{code}"),
            title: title.to_owned(),
            status,
            code: code.to_owned(),
            detail: self.detail.clone(),
            pointer: self.pointer.clone(),
            errors: self.errors.to_vec(),
            trace_id: crate::telemetry::trace_id(),
        };
        let mut response = HttpResponse::build(self.status_code());
        if let Some(seconds) = self.retry_after_seconds {
            response.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        response.content_type("application/problem+json").json(body)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what } => Self::new(NOT_FOUND, format!("{what} was not found.")),
            StoreError::Conflict { what } => Self::new(CONFLICT, format!("{what} is taken.")),
            StoreError::Stale { what } => {
                Self::new(CHANGED_MEANWHILE, format!("{what} was changed meanwhile; try again."))
            }
            StoreError::Expired { what } | StoreError::Revoked { what } => {
                Self::new(UNAUTHENTICATED, format!("{what} is no longer good."))
            }
            StoreError::Limit { what, max } => Self::new(INVALID, format!("{what}: at most {max}.")),
            StoreError::DiskFull => Self::new(DISK_FULL, "The disk of core is full; nothing was changed."),
            StoreError::Unavailable { .. } => {
                tracing::error!(%error, "the database is not available");
                Self::new(UNAVAILABLE, "The database does not answer; nothing was changed. Try again.")
            }
            StoreError::InDoubt { .. } => {
                tracing::error!(%error, "the database broke off at a commit");
                let detail = "The database broke off at the last moment: it may have been done. Look, or send the very same \
                              request again with its Idempotency-Key.";
                Self::new(OUTCOME_UNKNOWN, detail)
            }
            StoreError::Corrupt { .. } | StoreError::Newer { .. } | StoreError::Internal { .. } => {
                Self::internal(&error)
            }
        }
    }
}

impl From<NotQuoted> for Problem {
    fn from(error: NotQuoted) -> Self {
        match error {
            NotQuoted::Over => {
                Self::new(QUOTE_OVER, "The price was quoted too long ago; ask for a new quote.").at("/quote")
            }
            NotQuoted::Other => {
                let detail = "Core has not quoted this amount for these goods, in this store and to whoever asks; send what \
                              /v1/quotes said, unchanged.";
                Self::new(QUOTE_REFUSED, detail).at("/quote")
            }
        }
    }
}

impl From<NoChance> for Problem {
    fn from(error: NoChance) -> Self {
        Self::internal(&error)
    }
}

impl From<SecretsError> for Problem {
    fn from(error: SecretsError) -> Self {
        match error {
            SecretsError::Store(error) => error.into(),
            // Of this node alone, until its folder has the key.
            error @ (SecretsError::NoMaster { .. } | SecretsError::Master { .. }) => {
                tracing::error!(%error, "a request could not be served");
                StoreError::Unavailable { why: "a key cannot be read here".to_owned() }.into()
            }
            other => Self::internal(&other),
        }
    }
}

/// Longest list of accounts in one problem: their merchants can be asked one after the other.
const UNFIT_TOLD_MAX: usize = 20;

impl From<PackageError> for Problem {
    fn from(error: PackageError) -> Self {
        let said = sentence(&error.to_string());
        match error {
            PackageError::Store(error) => error.into(),
            PackageError::Vet(VetError::Untrusted { .. } | VetError::BadSignature { .. }) => {
                Self::new(PACKAGE_UNTRUSTED, said)
            }
            PackageError::Vet(VetError::Kit(_)) => Self::new(PACKAGE_KIT_FAILED, said),
            PackageError::Vet(_) | PackageError::Install(_) | PackageError::OtherPlugin { .. } => {
                Self::new(PACKAGE_REFUSED, said)
            }
            PackageError::Refused(package::Refusal::Stale { now, .. }) => {
                let detail = format!("The rollout has version {now} by now; load it and look again.");
                Self::new(CHANGED_MEANWHILE, detail).at("/version")
            }
            PackageError::Refused(_) => Self::new(ROLLOUT_REFUSED, said),
            PackageError::IdTaken(_) | PackageError::KindTaken { .. } | PackageError::KindInFolder { .. } => {
                Self::new(PLUGIN_ID_TAKEN, said)
            }
            PackageError::TooMany
            | PackageError::TooManyEver
            | PackageError::CanarySize
            | PackageError::CanaryOfOne => Self::new(INVALID, said),
            PackageError::Revoked(_) => Self::new(PUBLISHER_REVOKED, said),
            PackageError::Retired(_) => Self::new(PACKAGE_RETIRED, said),
            PackageError::InUse(_) => Self::new(PACKAGE_IN_USE, said),
            PackageError::SettingsRefused(accounts) => {
                let told = accounts.iter().take(UNFIT_TOLD_MAX);
                let told: Vec<_> = told.map(ToString::to_string).collect();
                Self::new(SETTINGS_REFUSED, format!("{said} Nobody was moved. {}.", told.join("; ")))
            }
            PackageError::NotHere { .. } => Self::new(PACKAGE_UNAVAILABLE, said),
        }
    }
}

/// Which limit a request has broken, in a person's words.
impl From<PaymentError> for Problem {
    fn from(error: PaymentError) -> Self {
        let said = sentence(&error.to_string());
        match error {
            PaymentError::Store(error) => error.into(),
            PaymentError::Secrets(error) => error.into(),
            PaymentError::NoChance(error) => error.into(),
            PaymentError::ExistsDifferently(_) => Self::new(
                PAYMENT_EXISTS_DIFFERENTLY,
                format!("{said} Send the same request again, or another under a new number."),
            ),
            PaymentError::RefundExistsDifferently(_) => Self::new(
                REFUND_EXISTS_DIFFERENTLY,
                format!("{said} Send the same request again, or another under a new key."),
            ),
            PaymentError::SettlementExistsDifferently(_) | PaymentError::DisputeKeyReused(_) => {
                Self::new(KEY_REUSED, said)
            }
            PaymentError::Refused(payment::Refusal::Disputed { .. }) => {
                let detail = format!("{said} What a dispute takes is given back by the channel alone.");
                Self::new(PAYMENT_DISPUTED, detail)
            }
            PaymentError::Refused(payment::Refusal::CashDisputed) => Self::new(CHANNEL_CANNOT, said),
            PaymentError::Refused(payment::Refusal::DisputeCurrency) => {
                Self::new(CURRENCY_MISMATCH, said).at("/amount/currency")
            }
            PaymentError::DisputeRefused(dispute::Refusal::Decided(_)) => Self::new(DISPUTE_DECIDED, said),
            PaymentError::DisputeRefused(dispute::Refusal::FeeCurrency) => {
                Self::new(CURRENCY_MISMATCH, said).at("/fee/currency")
            }
            PaymentError::DisputeRefused(dispute::Refusal::NotInState { .. }) => Self::new(NOT_IN_STATE, said),
            PaymentError::Refused(payment::Refusal::RefundExceeds { .. } | payment::Refusal::InDoubt { .. }) => {
                Self::new(REFUND_EXCEEDS, said).at("/amount/minor")
            }
            PaymentError::Refused(payment::Refusal::RefundCurrency) => {
                Self::new(CURRENCY_MISMATCH, said).at("/amount/currency")
            }
            PaymentError::Order(order::Refusal::Paid { .. }) => Self::new(ORDER_PAID, said),
            PaymentError::Order(order::Refusal::OtherAmount { .. }) => Self::new(ORDER_DIFFERS, said).at("/amount"),
            PaymentError::OrderElsewhere(_) => Self::new(ORDER_DIFFERS, said).at("/store"),
            PaymentError::SamePerson => Self::new(SECOND_PERSON_NEEDED, said),
            PaymentError::ChannelSays(_) => Self::new(CHANNEL_SAYS_OTHERWISE, said),
            PaymentError::Refused(_) | PaymentError::RefundRefused(_) => Self::new(NOT_IN_STATE, said),
            PaymentError::NoChannel(_) => Self::new(CHANNEL_UNAVAILABLE, said),
            PaymentError::PackageNotHere(_) => Self::new(PACKAGE_UNAVAILABLE, format!("{said} Try again.")),
            PaymentError::CodeNotRecognised => Self::new(
                CODE_NOT_RECOGNISED,
                "No channel of this merchant knows this code. Scan it again, or ask the customer for another wallet.",
            ),
            PaymentError::Code(CodeError::WrongDirection) => Self::new(
                CODE_WRONG_DIRECTION,
                "This is a code that a shop shows. Ask the customer to open their payment code.",
            ),
            PaymentError::Code(_) => Self::new(CODE_NOT_RECOGNISED, said),
            PaymentError::Ambiguous(accounts) => {
                let names: Vec<String> = accounts.iter().map(ToString::to_string).collect();
                Self::new(CHANNEL_AMBIGUOUS, format!("Choose one of: {}.", names.join(", "))).at("/channel_account")
            }
            PaymentError::RefusedByRules { code, .. } => Self::new(SALE_REFUSED, format!("{said} ({code})")),
            PaymentError::RuleFailed { code: "overloaded" | "timed_out", .. } => {
                Self::new(RULE_BUSY, format!("{said} Try again."))
            }
            PaymentError::RuleFailed { .. } => {
                Self::new(RULE_FAILED, format!("{said} Have the rules changed or switched off."))
            }
            PaymentError::CardUsed => {
                Self::new(CARD_USED, "This reading of the card was sent with another payment. Read the card again.")
                    .at("/presentation/card/ksn")
            }
            PaymentError::Forwarding => Self::new(
                FORWARDING,
                "A terminal sold it without a network, and the acquirer has not answered yet. It cannot be cancelled; once it is paid, refund it.",
            ),
            PaymentError::BatchClosing => {
                Self::new(BATCH_CLOSING, format!("{said} Nothing was sent. Try again in two minutes."))
            }
            PaymentError::ChannelCannot { .. } => Self::new(CHANNEL_CANNOT, said),
            PaymentError::CodeOver => Self::new(NOT_IN_STATE, format!("{said} Show a new one.")),
            PaymentError::VoidTooLate => Self::new(
                VOID_TOO_LATE,
                "A void is possible on the day of the payment alone, and until its batch is settled. Refund it instead.",
            ),
            PaymentError::CutOff(_) => Self::internal(&error),
        }
    }
}

impl From<StoredValueError> for Problem {
    fn from(error: StoredValueError) -> Self {
        let said = sentence(&error.to_string());
        match error {
            StoredValueError::Store(error) => error.into(),
            StoredValueError::Secrets(error) => error.into(),
            StoredValueError::OfflineOff => Self::new(OFFLINE_OFF, said),
            StoredValueError::NoGrant => Self::new(NOT_FOUND, said),
            StoredValueError::Resolved => Self::new(CONFLICT, said),
            StoredValueError::Refused(refusal) => match refusal {
                Refusal::Closed => Self::new(ACCOUNT_CLOSED, said),
                Refusal::Frozen => Self::new(ACCOUNT_FROZEN, said),
                Refusal::NotFrozen => Self::new(ACCOUNT_NOT_FROZEN, said),
                Refusal::Currency(_) => Self::new(CURRENCY_MISMATCH, said).at("/amount/currency"),
                Refusal::Insufficient => Self::new(BALANCE_INSUFFICIENT, said),
                Refusal::Reserved { .. } => Self::new(BALANCE_RESERVED, said),
                Refusal::ChargeLimit { .. }
                | Refusal::DayLimit { .. }
                | Refusal::BalanceLimit { .. }
                | Refusal::Overflow => Self::new(LIMIT_EXCEEDED, said).at("/amount/minor"),
            },
            StoredValueError::Charge(refusal) => match refusal {
                ChargeRefusal::NotCharged => Self::new(CHARGE_NOT_CHARGED, said),
                ChargeRefusal::PartlyReturned => Self::new(NOT_REVERSIBLE, said),
                ChargeRefusal::Currency => Self::new(CURRENCY_MISMATCH, said).at("/amount/currency"),
                ChargeRefusal::Exceeds { .. } => Self::new(REFUND_EXCEEDS, said).at("/amount/minor"),
            },
            StoredValueError::UnknownCharge => Self::new(CHARGE_UNKNOWN, said),
            StoredValueError::ChargeDiffers => Self::new(CHARGE_EXISTS_DIFFERENTLY, said),
            StoredValueError::RefundDiffers => Self::new(REFUND_EXISTS_DIFFERENTLY, said),
            StoredValueError::NoTopUp | StoredValueError::TakenBack => Self::new(NOT_REVERSIBLE, said),
        }
    }
}

fn sentence(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", letters.as_str().trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_stands_twice_and_every_status_is_an_error() {
        let mut seen = std::collections::BTreeSet::new();
        for Code(code, status, title) in CODES {
            assert!(seen.insert(code), "{code}");
            assert!((400..600).contains(status) && !title.is_empty(), "{code}");
        }
    }
}
