//! What a request asks for, and what can go wrong with it.

use serde::{Deserialize, Serialize};

/// What a request asks of the scheme, in the words of the channel contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Act {
    Create,
    Charge,
    /// Telling of what was sold without the scheme.
    Forward,
    Query,
    Cancel,
    Refund,
    QueryRefund,
    Bill,
    /// A batch's totals, a row of one that differs, the end of its rows.
    Settle,
    Upload,
    Finish,
    /// Tokens, certificates, sign-on, self-tests.
    Other,
}

/// What happens to one request instead of the plain thing. "Carried out" means that the scheme does what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Not carried out; the connection is closed without an answer.
    Unheard,
    /// Carried out; no answer ever comes.
    Silent,
    /// Carried out; the connection is closed in the middle of the answer.
    Cut,
    /// Carried out; a page of HTML with status 502 stands in front of the answer.
    Html,
    /// Carried out; status 200 and an empty body, without the scheme's headers.
    Empty,
    /// Carried out; an answer of 9 MiB.
    Huge,
    /// Carried out; the answer has no signature.
    Unsigned,
    /// Carried out; the answer's signature is of other bytes.
    Forged,
    /// Carried out; the answer, well signed, says one minor unit more.
    WrongAmount,
    /// Carried out; the answer, well signed, is about another number.
    WrongNumber,
    /// Carried out; the answer is the scheme's own "system error, outcome not known".
    Busy,
    /// Carried out; the answer is a well-signed error that no document of the scheme names.
    StrangeError,
    /// Carried out; the answer, well signed, has a state that no document of the scheme names.
    StrangeState,
    /// A charge: the customer has to confirm. A refund: it is being worked on until it is paid at the stage door.
    Pending,
    /// Refused for good: the customer has not enough.
    InsufficientFunds,
    /// Refused for good: the customer's code is too old.
    CodeExpired,
    /// Refused for good: no such code.
    CodeInvalid,
    /// Refused for good: over a limit of the customer's or the merchant's.
    LimitExceeded,
    /// Refused for good, in the scheme's most general words.
    Declined,
    /// Of a bill: a row that there was is missing.
    MissingRow,
    /// Of a bill: a row of a payment that is not ours.
    ExtraRow,
    /// Of a bill: a row that cannot be read.
    GarbledRow,
    /// Carried out; the answer comes when nobody waits for it any more.
    Late,
    /// Carried out; the answer comes twice.
    Twice,
    /// Not carried out; the answer is that the terminal must sign on first, and its working keys are gone. Where clients have access
    /// tokens: all that were given out have ended.
    SignOn,
    /// Not carried out: the working keys of the terminal are gone, so that its MAC fits nothing.
    KeyLost,
    /// Of a batch's totals: whatever they are, the scheme says that it counts otherwise, and wants the rows.
    OutOfBalance,
}

impl Fault {
    /// Of wires that carry a request and its answer.
    const ALL: [Self; 22] = [
        Self::Unheard,
        Self::Silent,
        Self::Cut,
        Self::Html,
        Self::Empty,
        Self::Huge,
        Self::Unsigned,
        Self::Forged,
        Self::WrongAmount,
        Self::WrongNumber,
        Self::Busy,
        Self::StrangeError,
        Self::StrangeState,
        Self::Pending,
        Self::InsufficientFunds,
        Self::CodeExpired,
        Self::CodeInvalid,
        Self::LimitExceeded,
        Self::Declined,
        Self::MissingRow,
        Self::ExtraRow,
        Self::GarbledRow,
    ];

    /// Of wires whose connections and keys last longer than one request.
    pub const OVER_TCP: [Self; 4] = [Self::Late, Self::Twice, Self::SignOn, Self::KeyLost];

    /// Of schemes that settle batches.
    pub const OF_BATCHES: [Self; 1] = [Self::OutOfBalance];

    /// Unplayed where nothing is signed, customers show no codes, and refusals are in general words.
    pub const SIGNED_OR_OF_CUSTOMERS: [Self; 6] = [
        Self::Unsigned,
        Self::Forged,
        Self::InsufficientFunds,
        Self::CodeExpired,
        Self::CodeInvalid,
        Self::LimitExceeded,
    ];

    /// What a far side plays that has no way, or no word, for these.
    #[must_use]
    pub fn all_but(unplayed: &[Self]) -> Vec<Self> {
        Self::ALL.into_iter().filter(|fault| !unplayed.contains(fault)).collect()
    }

    /// Whether the scheme does what was asked.
    #[must_use]
    pub const fn is_carried_out(self) -> bool {
        !matches!(
            self,
            Self::Unheard
                | Self::InsufficientFunds
                | Self::CodeExpired
                | Self::CodeInvalid
                | Self::LimitExceeded
                | Self::Declined
                | Self::SignOn
                | Self::KeyLost
        )
    }
}
