//! What is kept of an order (or refund) until core has its end: the acquirer asks for trace number and batch of the message that
//! is to be undone, and core does not know them while nothing came back.
//!
//! A record says less than it could whenever it is in doubt: none is no proof of anything.

use serde::{Deserialize, Serialize};

use crate::messages::build::Sent;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing of it is at the acquirer: not sent, or taken back before core heard of it.
    Unsent,
    /// Sent, and no answer that can be believed.
    Sent { sent: Sent, reason: String },
    /// By an answer with a right MAC.
    Approved(Approval),
    /// By an answer with a right MAC: the response code.
    Refused { code: String },
    /// A void of it was sent, and has no answer that can be believed.
    Voiding { approval: Approval, void: Sent, reason: String },
    /// Taken back, and acknowledged.
    Undone,
}

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

    /// Whether it may make room for another order.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Unsent | Self::Approved(_) | Self::Refused { .. } | Self::Undone => true,
            Self::Sent { .. } | Self::Voiding { .. } => false,
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
        };
        let approval = Approval {
            reference: "000000000001/000001/000012/1126/A00001/10000019".to_owned(),
            minor: 1_250,
            at_ms: Some(1_798_732_790_000),
            doubted: false,
        };
        let said = r#"{"trace":12,"batch":1,"minor":1250,"entry":"051","conditions":"600","sequence":1,"about":null}"#;
        let approved = r#"{"reference":"000000000001/000001/000012/1126/A00001/10000019","minor":1250,"at_ms":1798732790000,"doubted":false}"#;
        let reason = "98".to_owned();
        for (state, text, is_over) in [
            (State::Unsent, r#""unsent""#.to_owned(), true),
            (
                State::Sent { sent: sent.clone(), reason: reason.clone() },
                format!(r#"{{"sent":{{"sent":{said},"reason":"98"}}}}"#),
                false,
            ),
            (State::Approved(approval.clone()), format!(r#"{{"approved":{approved}}}"#), true),
            (State::Refused { code: "51".to_owned() }, r#"{"refused":{"code":"51"}}"#.to_owned(), true),
            (
                State::Voiding { approval, void: sent, reason },
                format!(r#"{{"voiding":{{"approval":{approved},"void":{said},"reason":"98"}}}}"#),
                false,
            ),
            (State::Undone, r#""undone""#.to_owned(), true),
        ] {
            assert_eq!((String::from_utf8(state.written()).as_deref(), state.is_over()), (Ok(text.as_str()), is_over));
            assert_eq!(State::read(text.as_bytes()), Some(state));
        }
        assert_eq!(State::read(b"{\"paid\":{}}"), None);
    }
}
