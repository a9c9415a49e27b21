//! Why the till's API says no: each reason with its stable code, its status, and a sentence for the cashier.

use std::fmt;

use actix_web::{HttpResponse, ResponseError, http::StatusCode};
use saoma_protocol::{
    Sequence,
    api::{Failure, Problem},
};

use crate::{
    basket::BasketError,
    config::source::ChangeError,
    journal::JournalError,
    offline::OfflineRefusal,
    paired::{NotAName, book::PairError, keeper::RedeemError, secret::NoChance},
    peripherals::PeripheralError,
    phone::PhoneRefusal,
    sale::Refusal,
    split::SplitRefusal,
    stored::StoredRefusal,
};

/// The reasons.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refused {
    #[error("this address serves the till's own pages alone; open the page by the very address that the till shows")]
    ForeignOrigin,
    #[error("only the till's own page may do this: the header x-saoma-till: 1 is missing")]
    NotFromTheTill,
    #[error("the header Idempotency-Key must be 1 to 128 visible ASCII characters, made once per intent")]
    KeyMissing,
    #[error("this Idempotency-Key was used for something else; make a new one for each intent")]
    KeyReused,
    #[error("the request is longer than {0} bytes")]
    BodyTooLarge(usize),
    #[error("the request cannot be read: {0}")]
    BodyUnreadable(String),
    #[error("the request must be application/json")]
    NotJson,
    #[error("{0}")]
    Amount(String),
    #[error("the customer handed over less than the amount")]
    TenderedTooSmall,
    #[error("{0}")]
    Method(&'static str),
    #[error("the scanned code must have 1 to 512 visible characters; scan again")]
    Code,
    #[error("{0}")]
    Goods(String),
    #[error("the cashier's name must have 1 to 128 characters")]
    Cashier,
    #[error("there is no cashier of this number at this till")]
    CashierUnknown,
    #[error("a PIN is needed: key the number and the PIN")]
    PinNeeded,
    #[error("a PIN has 4 to 8 digits")]
    PinForm,
    #[error("the PIN is wrong; {left} more {} before it is locked", if *.left == 1 { "try" } else { "tries" })]
    PinWrong { left: u32 },
    #[error("too many wrong PINs: wait {}, or have a new PIN set on the dashboard", crate::cashiers::in_words(*.seconds))]
    PinLocked { seconds: u64 },
    #[error("{0}")]
    PinUncheckable(String),
    #[error("a supervisor must approve this with number and PIN")]
    SupervisorNeeded,
    #[error("this is not a supervisor's number")]
    NotASupervisor,
    #[error("limit must be 1 to 100")]
    Limit,
    #[error("this till has no such sale")]
    SaleNotFound,
    #[error(transparent)]
    Sale(#[from] Refusal),
    #[error(transparent)]
    Split(#[from] SplitRefusal),
    #[error("batch {batch} of {cashier} is open: close it first")]
    ShiftOpen { batch: Sequence, cashier: String },
    #[error("no shift is open: sign on first")]
    NoShift,
    #[error("this is about batch {asked}, and batch {open} of {cashier} is open by now: look at the screen again")]
    OtherShift { asked: Sequence, open: Sequence, cashier: String },
    #[error("the batch cannot be closed now: {0}")]
    ShiftBusy(String),
    #[error("core is away, and nobody knows how these stand: {}", .0.join("; "))]
    ShiftInDoubt(Vec<String>),
    #[error("the reason must have 1 to 128 characters")]
    Reason,
    #[error("no batch has been closed on this till")]
    NoReport,
    #[error("this is not put aside any more: it was sold or dropped")]
    HeldNotFound,
    #[error("{} are put aside, and that is as many as there may be: sell or drop some", crate::held::HELD_MAX)]
    HeldFull,
    #[error("these are put aside and go with the batch: {}", .0.join("; "))]
    HeldLeft(Vec<String>),
    #[error("a table or order number must have 1 to {} characters on one line", crate::sale::REFERENCE_LEN_MAX)]
    Reference,
    #[error("this till is in training: leave training first")]
    Training,
    #[error("training is over, and nothing was played: what is keyed now is real")]
    NotTraining,
    #[error("training cannot be entered or left now: {0}")]
    TrainingBusy(String),
    #[error(
        "this is a receipt of another till, and core cannot be asked about it now: refund it there, or here once this till is online"
    )]
    ReceiptElsewhere,
    #[error(
        "core has no such sale of this shop: the till that made it may be without a network, or it is another shop's; refund it there"
    )]
    ReceiptUnknown,
    #[error("this was paid in cash at another till: the cash goes back there, or at the office by the dashboard")]
    CashElsewhere,
    #[error("no scan is awaited, and this is not the number of a sale of this till")]
    ScanNotAwaited,
    /// With the end of it, if it looks like one that is printed on packages.
    #[error("{}", unknown(.0.as_deref()))]
    BarcodeUnknown(Option<String>),
    #[error("these are goods, and the customer's code is awaited: scan that, or go back to the basket")]
    GoodsScanned,
    #[error("the basket is another by now: look at the screen again")]
    BasketChanged,
    #[error("the price that was quoted is over, or is of something else: ask for it again")]
    QuoteOver,
    #[error("the basket cannot be changed now: sell it, put it aside or clear it first")]
    BasketBusy,
    #[error(transparent)]
    Offline(#[from] OfflineRefusal),
    #[error(transparent)]
    Phone(#[from] PhoneRefusal),
    #[error(transparent)]
    Stored(StoredRefusal),
    #[error(transparent)]
    Basket(#[from] BasketError),
    #[error("another sale waits for a card: take that one, or cancel it first")]
    CardBusy,
    #[error("this is a card's stripe, and no code: key the sale as one by card, and swipe it again")]
    CardSwiped,
    #[error("no card is awaited for this any more, and nothing was charged: key the sale again")]
    CardOver,
    #[error("no code is on show")]
    NoCode,
    #[error("nothing has been printed yet")]
    NoReceipt,
    #[error("the disk is full, sales are stopped: free some space or call the service")]
    DiskFull,
    #[error("{0}")]
    Journal(String),
    #[error("core cannot be reached: {0}")]
    CoreUnreachable(String),
    #[error(
        "core has shut this terminal out and books nothing that is taken here until it lets the terminal in: call who runs the shop. If the \
         merchant is suspended, the platform ends that; else, if the terminal is not revoked on the dashboard, make a claim code for it there \
         and run saoma-edge enrol --again. What was sold stays on this disk"
    )]
    Locked,
    /// Core's own no, with core's code.
    #[error("{}", .0.message)]
    Core(Failure),
    #[error("{0}")]
    Peripheral(String),
    /// What keeps the configuration from being changed here.
    #[error("{0}")]
    SettingsLocked(String),
    #[error("{0}")]
    SettingsChanged(String),
    #[error("{0}")]
    SettingsInvalid(String),
    #[error("this device is not paired with the till: make a code there, on the page of the paired devices")]
    NotPaired,
    #[error("this is done at the till itself, and not from a paired device")]
    LoopbackOnly,
    #[error("this device is a customer display: it looks, and does nothing")]
    DisplayOnly,
    #[error("too much was asked from this address by somebody who is not paired: wait a minute")]
    TooManyRequests,
    #[error(
        "no device can be paired: the till's door in the network is not open; its page of the paired devices says why"
    )]
    PairingOff,
    #[error(
        "the device is out, but the disk does not take that down, so a restart would let it in again; it is tried again until the disk \
         does: {0}"
    )]
    RevokeUnwritten(String),
    #[error(transparent)]
    Pairing(#[from] PairError),
    #[error(transparent)]
    DeviceName(#[from] NotAName),
    #[error("there is nothing here")]
    NotFound,
    #[error("this cannot be done here")]
    MethodNotAllowed,
    #[error("the agent is stopping; try again in a moment")]
    Stopping,
}

impl Refused {
    /// Stable, for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::ForeignOrigin => "foreign_origin",
            Self::NotFromTheTill => "not_from_the_till",
            Self::KeyMissing => "idempotency_key_missing",
            Self::KeyReused => "idempotency_key_reused",
            Self::BodyTooLarge(_) => "body_too_large",
            Self::BodyUnreadable(_) | Self::NotJson => "body_unreadable",
            Self::Amount(_) => "amount_invalid",
            Self::TenderedTooSmall => "tendered_too_small",
            Self::Method(_) => "method_invalid",
            Self::Code => "code_invalid",
            Self::Goods(_) => "goods_invalid",
            Self::Cashier => "cashier_invalid",
            Self::CashierUnknown => "cashier_unknown",
            Self::PinNeeded => "pin_needed",
            Self::PinForm => "pin_invalid",
            Self::PinWrong { .. } => "pin_wrong",
            Self::PinLocked { .. } => "pin_locked",
            Self::PinUncheckable(_) => "pin_uncheckable",
            Self::SupervisorNeeded => "supervisor_needed",
            Self::NotASupervisor => "not_a_supervisor",
            Self::Limit => "limit_invalid",
            Self::SaleNotFound => "sale_not_found",
            Self::Sale(refusal) => refusal.code(),
            Self::Split(refusal) => refusal.code(),
            Self::ShiftOpen { .. } => "shift_open",
            Self::NoShift => "no_shift",
            Self::OtherShift { .. } => "other_shift",
            Self::ShiftBusy(_) => "shift_busy",
            Self::ShiftInDoubt(_) => "shift_in_doubt",
            Self::Reason => "reason_invalid",
            Self::NoReport => "no_report",
            Self::HeldNotFound => "held_not_found",
            Self::HeldFull => "held_full",
            Self::HeldLeft(_) => "held_left",
            Self::Reference => "reference_invalid",
            Self::Training => "training",
            Self::NotTraining => "not_training",
            Self::TrainingBusy(_) => "training_busy",
            Self::ReceiptElsewhere => "receipt_elsewhere",
            Self::ReceiptUnknown => "receipt_unknown",
            Self::CashElsewhere => "cash_elsewhere",
            Self::ScanNotAwaited => "scan_not_awaited",
            Self::BarcodeUnknown(_) => "barcode_unknown",
            Self::GoodsScanned => "goods_scanned",
            Self::BasketChanged => "basket_changed",
            Self::BasketBusy => "basket_busy",
            Self::QuoteOver => "quote_over",
            Self::Offline(refusal) => refusal.code(),
            Self::Phone(refusal) => refusal.code(),
            Self::Stored(refusal) => refusal.code(),
            Self::Basket(BasketError::CostsNothing) => "costs_nothing",
            Self::Basket(_) => "basket_invalid",
            Self::CardBusy => "card_busy",
            Self::CardSwiped => "card_swiped",
            Self::CardOver => "card_over",
            Self::NoCode => "no_code",
            Self::NoReceipt => "no_receipt",
            Self::DiskFull => "disk_full",
            Self::Journal(_) => "journal_failed",
            Self::CoreUnreachable(_) => "core_unreachable",
            Self::Locked => "terminal_locked",
            Self::Core(failure) => &failure.code,
            Self::Peripheral(_) => "peripheral_failed",
            Self::SettingsLocked(_) => "settings_locked",
            Self::SettingsChanged(_) => "settings_changed",
            Self::SettingsInvalid(_) => "settings_invalid",
            Self::NotPaired => "not_paired",
            Self::LoopbackOnly => "loopback_only",
            Self::DisplayOnly => "display_only",
            Self::TooManyRequests => "too_many_requests",
            Self::PairingOff => "pairing_off",
            Self::RevokeUnwritten(_) => "revoke_unwritten",
            Self::Pairing(PairError::Over) => "pairing_over",
            Self::Pairing(PairError::Wrong { .. }) => "pairing_code_wrong",
            Self::Pairing(PairError::Full) => "devices_full",
            Self::DeviceName(_) => "device_name_invalid",
            Self::NotFound => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::Stopping => "stopping",
        }
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::ForeignOrigin | Self::NotFromTheTill | Self::NotPaired | Self::LoopbackOnly | Self::DisplayOnly => {
                StatusCode::FORBIDDEN
            }
            Self::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            Self::KeyMissing | Self::BodyUnreadable(_) | Self::Limit => StatusCode::BAD_REQUEST,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused
            | Self::Amount(_)
            | Self::TenderedTooSmall
            | Self::Method(_)
            | Self::Code
            | Self::Goods(_)
            | Self::Basket(_)
            | Self::Cashier
            | Self::PinForm
            | Self::SettingsInvalid(_)
            | Self::DeviceName(_)
            | Self::Reference
            | Self::Reason => StatusCode::UNPROCESSABLE_ENTITY,
            Self::SaleNotFound
            | Self::ReceiptUnknown
            | Self::BarcodeUnknown(_)
            | Self::NoCode
            | Self::NoReceipt
            | Self::NoReport
            | Self::NotFound => StatusCode::NOT_FOUND,
            Self::Sale(_)
            | Self::Split(_)
            | Self::Offline(_)
            | Self::Phone(_)
            | Self::Stored(_)
            | Self::CashierUnknown
            | Self::PinNeeded
            | Self::PinWrong { .. }
            | Self::PinLocked { .. }
            | Self::PinUncheckable(_)
            | Self::SupervisorNeeded
            | Self::NotASupervisor
            | Self::ShiftOpen { .. }
            | Self::NoShift
            | Self::OtherShift { .. }
            | Self::ShiftBusy(_)
            | Self::ShiftInDoubt(_)
            | Self::HeldNotFound
            | Self::HeldFull
            | Self::HeldLeft(_)
            | Self::Training
            | Self::NotTraining
            | Self::TrainingBusy(_)
            | Self::ReceiptElsewhere
            | Self::CashElsewhere
            | Self::ScanNotAwaited
            | Self::GoodsScanned
            | Self::CardBusy
            | Self::CardSwiped
            | Self::CardOver
            | Self::BasketChanged
            | Self::BasketBusy
            | Self::QuoteOver
            | Self::SettingsLocked(_)
            | Self::SettingsChanged(_)
            | Self::PairingOff
            | Self::Pairing(_)
            | Self::Locked
            | Self::Core(_) => StatusCode::CONFLICT,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::Journal(_)
            | Self::CoreUnreachable(_)
            | Self::Peripheral(_)
            | Self::RevokeUnwritten(_)
            | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        }
    }

    fn problem(&self) -> Problem {
        let code = self.code();
        Problem {
            kind: format!("https://saoma.dev/problems/{code}"),
            title: title(code),
            status: self.status().as_u16(),
            code: code.to_owned(),
            detail: sentence(&self.to_string()),
            pointer: self.pointer().map(str::to_owned),
            errors: Vec::new(),
            trace_id: crate::telemetry::trace_id(&tracing::Span::current()),
        }
    }

    const fn pointer(&self) -> Option<&'static str> {
        match self {
            Self::Amount(_) => Some("/amount_minor"),
            Self::TenderedTooSmall => Some("/tendered_minor"),
            Self::Method(_) => Some("/method"),
            Self::Code => Some("/code"),
            Self::Goods(_) => Some("/goods"),
            Self::Cashier => Some("/cashier"),
            Self::PinForm => Some("/pin"),
            Self::Reason => Some("/reason"),
            Self::Reference => Some("/reference"),
            Self::DeviceName(_) => Some("/name"),
            _ => None,
        }
    }
}

/// What was scanned is not repeated whole: a customer's code may have the form of a barcode.
fn unknown(ends_in: Option<&str>) -> String {
    let which = ends_in.map(|last| format!(" that ends in {last}")).unwrap_or_default();
    format!("the barcode{which} is not in the catalogue: key the price, or have it added")
}

/// `disk_full` → `Disk full`: the code in words, the same for every case of it.
fn title(code: &str) -> String {
    sentence(&code.replace('_', " "))
}

fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

impl From<JournalError> for Refused {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Full => Self::DiskFull,
            JournalError::TooLong => Self::Goods(error.to_string()),
            JournalError::Closed => Self::Stopping,
            other => Self::Journal(other.chain()),
        }
    }
}

impl From<StoredRefusal> for Refused {
    fn from(refusal: StoredRefusal) -> Self {
        match refusal {
            // Where cards are sold with a network alone, it is that which is missing.
            StoredRefusal::Off => Self::CoreUnreachable(refusal.to_string()),
            other => Self::Stored(other),
        }
    }
}

impl From<NoChance> for Refused {
    fn from(error: NoChance) -> Self {
        Self::Journal(error.to_string())
    }
}

impl From<RedeemError> for Refused {
    fn from(error: RedeemError) -> Self {
        match error {
            RedeemError::Pair(error) => error.into(),
            RedeemError::Chance(error) => error.into(),
            RedeemError::Disk(error) => error.into(),
        }
    }
}

impl From<ChangeError> for Refused {
    fn from(error: ChangeError) -> Self {
        let words = error.to_string();
        match error {
            ChangeError::Changed { .. } => Self::SettingsChanged(words),
            ChangeError::Invalid(_) => Self::SettingsInvalid(words),
            ChangeError::NoFile
            | ChangeError::Environment { .. }
            | ChangeError::ReadOnly { .. }
            | ChangeError::Unclear { .. } => Self::SettingsLocked(words),
        }
    }
}

impl From<PeripheralError> for Refused {
    fn from(error: PeripheralError) -> Self {
        Self::Peripheral(error.to_string())
    }
}

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        self.status()
    }

    fn error_response(&self) -> HttpResponse {
        let body = serde_json::to_string(&self.problem()).unwrap_or_default();
        HttpResponse::build(self.status()).content_type("application/problem+json").body(body)
    }
}

/// A refusal as log lines name it.
pub struct Code<'a>(pub &'a Refused);

impl fmt::Display for Code<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_says_what_is_wrong() {
        let problem = Refused::TenderedTooSmall.problem();
        assert_eq!((problem.status, problem.code.as_str()), (422, "tendered_too_small"));
        assert_eq!(problem.title, "Tendered too small");
        assert_eq!(problem.detail, "The customer handed over less than the amount");
        assert_eq!(problem.pointer.as_deref(), Some("/tendered_minor"));
    }

    #[test]
    fn cores_no_keeps_its_code() {
        let failure = Failure { code: "refund_exceeds".to_owned(), message: "too much".to_owned() };
        let problem = Refused::Core(failure).problem();
        assert_eq!((problem.status, problem.code.as_str()), (409, "refund_exceeds"));
    }
}
