//! What a call came to, in one word of the contract and a sentence.
//!
//! Core does not take an answer as it comes (`domain` compares amounts, and wants them named); so an answer that core would refuse
//! is told here as `bad-answer`, whatever it claims.

use std::fmt::Write as _;

use saoma_domain::settlement::Settled;
use saoma_protocol::Money;

use super::settling;
use crate::{
    failure::{Failure, NotificationFailure},
    in_app::Step,
    manifest::{Capability, Manifest},
    message::{
        Created, Decline, NotificationEvent, NotificationOutcome, PaymentAnswer, PaymentStatus, RefundAnswer,
        RefundStatus,
    },
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Told {
    /// `succeeded`, `failed:declined`, `no-answer`, …
    pub word: String,
    pub sentence: String,
}

impl Told {
    pub(super) fn new(word: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { word: word.into(), sentence: sentence.into() }
    }

    /// Whether that is one of what a line of the table allows.
    pub(super) fn is_one_of(&self, expected: &[String]) -> bool {
        expected.iter().any(|allowed| match allowed.as_str() {
            "unclear" => matches!(self.word.as_str(), "no-answer" | "timed-out"),
            "failed" => self.word.starts_with("failed:"),
            allowed => allowed == self.word,
        })
    }
}

/// Of a batch's totals, or of the end of its rows.
pub(super) fn settled(outcome: &Result<Settled, Failure>) -> Told {
    match outcome {
        Ok(settled @ (Settled::Balanced | Settled::Differs(_))) => {
            Told::new(settling::word(settled), format!("{settled:?}"))
        }
        Ok(settled @ Settled::Over(words)) => Told::new(settling::word(settled), words.clone()),
        Err(error) => failure(error),
    }
}

/// Of rows.
pub(super) fn taken(outcome: &Result<(), Failure>) -> Told {
    outcome.as_ref().map_or_else(failure, |()| Told::new("taken", "the rows were taken"))
}

/// `amount`: of the order. Not for `create`.
pub(super) fn payment(outcome: &Result<PaymentAnswer, Failure>, amount: Money, manifest: &Manifest) -> Told {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => return failure(error),
    };
    let word = match &answer.status {
        PaymentStatus::Succeeded => "succeeded".to_owned(),
        PaymentStatus::Pending => "pending".to_owned(),
        PaymentStatus::Failed(decline) => failed(decline),
        PaymentStatus::NotFound => "not-found".to_owned(),
        PaymentStatus::Closed => "closed".to_owned(),
        PaymentStatus::Refunded => "refunded".to_owned(),
    };
    let is_paid = matches!(answer.status, PaymentStatus::Succeeded | PaymentStatus::Refunded);
    let mut sentence = format!("{word}, of {}", said(answer.amount));
    if let PaymentStatus::Failed(decline) = &answer.status {
        let _ = write!(sentence, " ({})", decline.message);
    }
    believed(answer.amount, amount, is_paid, manifest).map_or_else(
        || Told::new(word.clone(), sentence.clone()),
        |why| Told::new("bad-answer", format!("{sentence}: {why}")),
    )
}

pub(super) fn refund(outcome: &Result<RefundAnswer, Failure>, amount: Money, manifest: &Manifest) -> Told {
    let answer = match outcome {
        Ok(answer) => answer,
        Err(error) => return failure(error),
    };
    let word = match &answer.status {
        RefundStatus::Succeeded => "succeeded".to_owned(),
        RefundStatus::Pending => "pending".to_owned(),
        RefundStatus::Failed(decline) => failed(decline),
        RefundStatus::NotFound => "not-found".to_owned(),
    };
    let sentence = format!("{word}, of {}", said(answer.amount));
    match believed(answer.amount, amount, answer.status == RefundStatus::Succeeded, manifest) {
        None => Told::new(word, sentence),
        Some(why) => Told::new("bad-answer", format!("{sentence}: {why}")),
    }
}

pub(super) fn created(outcome: &Result<Created, Failure>) -> Told {
    match outcome {
        Ok(created) => Told::new("created", format!("a code of {} characters", created.code.chars().count())),
        Err(error) => failure(error),
    }
}

pub(super) fn opened(outcome: &Result<Step, Failure>) -> Told {
    match outcome {
        Ok(Step::Bridge { object, name, .. }) => Told::new("opened", format!("a call of {object}'s {name}")),
        Ok(Step::Visit { .. }) => Told::new("opened", "an address to go to"),
        Err(error) => failure(error),
    }
}

/// What a notification says about the order of that number, or about its refund.
pub(super) fn notification(
    outcome: &Result<NotificationOutcome, NotificationFailure>,
    number: &str,
    amount: Money,
    refund_number: Option<&str>,
    manifest: &Manifest,
) -> Told {
    let outcome = match outcome {
        Ok(outcome) => outcome,
        Err(NotificationFailure::Forged(why)) => return Told::new("forged", format!("forged: {why}")),
        Err(NotificationFailure::Malformed(why)) => return Told::new("malformed", format!("malformed: {why}")),
        Err(NotificationFailure::NotNow(why)) => return Told::new("not-now", format!("not now: {why}")),
        Err(NotificationFailure::Irrelevant(_)) => return Told::new("irrelevant", "irrelevant"),
        Err(NotificationFailure::Call(error)) => return failure(error),
    };
    let about = outcome.events.iter().find_map(|event| match (event, refund_number) {
        (NotificationEvent::Payment(answer), None) if answer.number == number => {
            Some(payment(&Ok(answer.clone()), amount, manifest))
        }
        (NotificationEvent::Refund(answer), Some(wanted)) if answer.refund_number == wanted => {
            Some(refund(&Ok(answer.clone()), amount, manifest))
        }
        _ => None,
    });
    about.unwrap_or_else(|| Told::new("other-order", format!("{} events, none about this one", outcome.events.len())))
}

/// A failure, with what an author can do about those that no channel should have.
pub(super) fn failure(error: &Failure) -> Told {
    let word = error.code().replace('_', "-");
    let hint = match error {
        Failure::Trapped { .. } => {
            "; a panic, most often: an unwrap, an index or an overflow on what the scheme said. Answer `no-answer` instead"
        }
        Failure::OutOfMemory { .. } => "; set `answer-bytes-max` of the request to what an answer can have at most",
        Failure::BadAnswer { .. } => "; core refuses such an answer and asks again",
        _ => "",
    };
    Told::new(word, format!("{error}{hint}"))
}

fn failed(decline: &Decline) -> String {
    use crate::message::DeclineCode as Code;
    let code = match decline.code {
        Code::Declined => "declined",
        Code::InsufficientFunds => "insufficient-funds",
        Code::CodeInvalid => "code-invalid",
        Code::CodeExpired => "code-expired",
        Code::LimitExceeded => "limit-exceeded",
        Code::NotPermitted => "not-permitted",
        Code::AmountInvalid => "amount-invalid",
        Code::Other => "other",
    };
    format!("failed:{code}")
}

/// Why core would not believe it.
fn believed(given: Option<Money>, asked: Money, is_success: bool, manifest: &Manifest) -> Option<String> {
    match given {
        Some(given) if given != asked => Some(format!("{asked} was asked, and core refuses another amount")),
        None if is_success && !manifest.can(Capability::AmountsNotNamed) => {
            Some("core believes no success without an amount, unless the manifest says `amounts-not-named`".to_owned())
        }
        _ => None,
    }
}

fn said(amount: Option<Money>) -> String {
    amount.map_or_else(|| "no amount".to_owned(), |amount| amount.to_string())
}
