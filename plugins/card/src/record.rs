//! What is kept of an order (or refund) until core has its end: the acquirer asks for trace number and batch of the message that
//! is to be undone, and core does not know them while nothing came back.
//!
//! A record says less than it could whenever it is in doubt: none is no proof of anything.

use serde::{Deserialize, Serialize};

use crate::messages::build::Sent;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing of it is at the acquirer: not sent, or taken back before core heard of it. `turn`: the last number of its calls
    /// (see [`crate::turn`]) if none is at work.
    Unsent { turn: u64 },
    /// Sent, and no answer that can be believed.
    Sent(Unanswered),
    /// The acquirer says that the trace number is another transaction's (94): a reversal would take that one back.
    TraceTaken,
    /// By an answer with a right MAC.
    Approved(Approval),
    /// By an answer with a right MAC: the response code.
    Refused { code: String },
    /// A void of it was sent, and has no answer that can be believed.
    Voiding { approval: Approval, void: Unanswered },
    /// Taken back, and acknowledged.
    Undone,
}

/// A message that moved, or may have moved, money.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unanswered {
    pub sent: Sent,
    /// Of its reversal, field 39.
    pub reason: String,
    /// Fields 41 and 42 that it went out with.
    pub terminal: String,
    pub merchant: String,
    /// Milliseconds since 1970: when it went out.
    pub at_ms: i64,
    /// The acquirer said in the same batch that it has no such message (25).
    pub never_seen: bool,
}

/// By when a message without an answer makes room: no acquirer reverses so late, and persons have seen to it.
const OLD_MS: u64 = 7 * 86_400_000;

/// What an approving answer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// `messages::build::Approved` as text.
    pub reference: String,
    pub minor: i64,
    pub at_ms: Option<i64>,
    /// A void may have reached the acquirer that nothing here knows of, so that its refusal of another says nothing.
    pub doubted: bool,
}

impl State {
    /// Of a form that a newer version wrote: nothing can be said by it.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    #[must_use]
    pub fn written(&self) -> Vec<u8> {
        // Plain texts and numbers: writing them cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Not sent, and a call is at work that would, or did not come to its end.
    pub const UNSENT: Self = Self::Unsent { turn: 0 };

    /// Whether it may make room for another order.
    #[must_use]
    pub const fn is_over(&self, now_ms: i64) -> bool {
        match self {
            Self::Unsent { .. } | Self::Approved(_) | Self::Refused { .. } | Self::Undone | Self::TraceTaken => true,
            Self::Sent(message) | Self::Voiding { void: message, .. } => {
                message.never_seen || now_ms.abs_diff(message.at_ms) > OLD_MS
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records outlive a version of the plugin: this one must be read by all that come.
    #[test]
    fn records_are_read_as_they_were_written() {
        let sent = Sent {
            trace: 12,
            batch: 1,
            minor: 1_250,
            entry: "051".to_owned(),
            conditions: "600".to_owned(),
            sequence: Some(1),
            about: None,
            sold_at: None,
        };
        let approval = Approval {
            reference: "000000000001/000001/000012/1126/A00001/10000019".to_owned(),
            minor: 1_250,
            at_ms: Some(1_798_732_790_000),
            doubted: false,
        };
        let said = r#"{"trace":12,"batch":1,"minor":1250,"entry":"051","conditions":"600","sequence":1,"about":null}"#;
        let approved = r#"{"reference":"000000000001/000001/000012/1126/A00001/10000019","minor":1250,"at_ms":1798732790000,"doubted":false}"#;
        let unanswered = |never_seen| Unanswered {
            sent: sent.clone(),
            reason: "98".to_owned(),
            terminal: "10000019".to_owned(),
            merchant: "850100082410002".to_owned(),
            at_ms: 5,
            never_seen,
        };
        let without = |never_seen: bool| {
            format!(
                r#"{{"sent":{said},"reason":"98","terminal":"10000019","merchant":"850100082410002","at_ms":5,"never_seen":{never_seen}}}"#
            )
        };
        for (state, text, is_over) in [
            (State::Unsent { turn: 3 }, r#"{"unsent":{"turn":3}}"#.to_owned(), true),
            (State::Sent(unanswered(false)), format!(r#"{{"sent":{}}}"#, without(false)), false),
            (State::Sent(unanswered(true)), format!(r#"{{"sent":{}}}"#, without(true)), true),
            (State::TraceTaken, r#""trace-taken""#.to_owned(), true),
            (State::Approved(approval.clone()), format!(r#"{{"approved":{approved}}}"#), true),
            (State::Refused { code: "51".to_owned() }, r#"{"refused":{"code":"51"}}"#.to_owned(), true),
            (
                State::Voiding { approval, void: unanswered(false) },
                format!(r#"{{"voiding":{{"approval":{approved},"void":{}}}}}"#, without(false)),
                false,
            ),
            (State::Undone, r#""undone""#.to_owned(), true),
        ] {
            assert_eq!((String::from_utf8(state.written()).as_deref(), state.is_over(6)), (Ok(text.as_str()), is_over));
            assert!(state.is_over(6 + 8 * 86_400_000));
            assert_eq!(State::read(text.as_bytes()), Some(state));
        }
        assert_eq!(State::read(b"{\"paid\":{}}"), None);
    }
}
