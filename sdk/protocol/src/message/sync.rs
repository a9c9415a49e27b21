//! What a terminal tells core: its journal, its health, whether it is there.

use serde::{Deserialize, Serialize};

use crate::{Millis, Money, Sequence, journal::Entry};

/// Most entries of one batch: at 1 KiB an entry it stays well under [`super::MESSAGE_LEN_MAX`].
pub const BATCH_ENTRIES_MAX: usize = 200;
/// Most certificates that a batch brings: the one in use, the one before it, and as many again.
pub const BATCH_CERTIFICATES_MAX: usize = 4;

/// The next entries of the journal, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalBatch {
    /// At most [`BATCH_ENTRIES_MAX`].
    pub entries: Vec<Entry>,
    /// The certificates that the entries' signatures name, each as DER in base64, at most [`BATCH_CERTIFICATES_MAX`]. They come along, so
    /// that core needs to have kept no key: that each is its own it sees by its CA.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<String>,
}

/// Core's answer to a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalAck {
    /// All entries up to and with this one are in core's database; 0 before the first.
    pub through: Sequence,
    /// What became of the entries of the batch that need a word; an accepted entry has none.
    pub verdicts: Vec<JournalVerdict>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JournalVerdict {
    pub sequence: Sequence,
    pub verdict: Verdict,
    /// For people, at most 500 characters.
    pub why: String,
    /// With [`Verdict::Rejected`]: nothing is wrong with the entry, it is of a format that this core does not know yet. The
    /// terminal sends it again now and then.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub newer: bool,
}

impl JournalVerdict {
    /// Whether core has to be updated before it takes the entry. A core from before there was the field says so in words.
    #[must_use]
    pub fn is_newer(&self) -> bool {
        self.verdict == Verdict::Rejected && (self.newer || self.why.contains(NEWER_WORDS))
    }
}

/// In the words of [`crate::journal::EntryError::Newer`] since there have been formats.
const NEWER_WORDS: &str = "; this side reads up to ";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Stored, and waits for a person: for example a cash refund of a sale that core has voided.
    Held,
    /// Not stored, and will not be: the chain is broken, the signature does not fit, or the payload cannot be read. A person must look.
    Rejected,
}

/// How a terminal does, sent when it changes and every minute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Health {
    /// Version of the agent, for example `0.1.0`.
    pub version: String,
    pub at: Millis,
    pub peripherals: Vec<PeripheralHealth>,
    pub unsent: Unsent,
    /// It announces what is paid through printed codes (the push `static_code_paid`). An agent from before there was that does not
    /// say so, and is told nothing of them: it would leave each with core, in the way of what it reads.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub announces: bool,
}

/// What the terminal has taken and core does not know yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Unsent {
    pub count: u64,
    /// The oldest unsent entry's time.
    pub oldest_at: Option<Millis>,
    /// Money in unsent sales, one sum per currency.
    pub at_risk: Vec<Money>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PeripheralHealth {
    /// `printer`, `scanner`, `display`, `drawer`, …
    pub kind: String,
    /// The driver in use, for example `escpos-tcp` or `simulated`.
    pub driver: String,
    pub state: PeripheralState,
    /// For people: what is wrong and what to do.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum PeripheralState {
    Ok,
    /// Works, and wants attention soon: paper low.
    Warning,
    /// Does not work; sales that can do without it go on.
    Failed,
}

/// Whether the terminal is connected; `online: false` is its last will.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presence {
    pub online: bool,
}
