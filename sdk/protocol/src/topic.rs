//! MQTT topics as types: formatting, parsing and filters in one place.
//!
//! Everything of one terminal lies under `t/{tenant}/{terminal}/`, so that the broker's rule is one prefix. The leaf
//! says who may publish: `up/…` only the terminal, `down/…` only core.
//!
//! ```
//! # use saoma_protocol::topic::{Leaf, Topic};
//! let text = "t/ten_aaaaaaaaaaaaaaaaaaaaaaaaaa/ter_aaaaaaaaaaaaaaaaaaaaaaaaaa/up/journal";
//! let topic: Topic = text.parse().unwrap();
//! assert_eq!(topic.leaf, Leaf::Journal);
//! assert_eq!(topic.to_string(), text);
//! ```

use std::{fmt, str::FromStr};

use crate::{TenantId, TerminalId};

/// Longest topic or filter that is looked at, in bytes; the longest we make has 83.
pub const TOPIC_LEN_MAX: usize = 128;

/// What a message on a topic is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Leaf {
    /// Terminal → core: [`crate::message::JournalBatch`].
    Journal,
    /// Terminal → core: [`crate::message::Health`].
    Health,
    /// Terminal → core: [`crate::message::PushAck`].
    Ack,
    /// Terminal → core: [`crate::message::Presence`]; also the last will.
    Presence,
    /// Core → terminal: [`crate::message::Push`].
    Push,
    /// Core → terminal: [`crate::message::JournalAck`].
    JournalAck,
}

impl Leaf {
    pub const ALL: [Self; 6] = [Self::Journal, Self::Health, Self::Ack, Self::Presence, Self::Push, Self::JournalAck];

    const fn text(self) -> &'static str {
        match self {
            Self::Journal => "up/journal",
            Self::Health => "up/health",
            Self::Ack => "up/ack",
            Self::Presence => "up/presence",
            Self::Push => "down/push",
            Self::JournalAck => "down/journal-ack",
        }
    }

    /// Whether the terminal (and not core) is the one that publishes here.
    #[must_use]
    pub const fn is_up(self) -> bool {
        matches!(self, Self::Journal | Self::Health | Self::Ack | Self::Presence)
    }
}

/// One topic of one terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Topic {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub leaf: Leaf,
}

impl Topic {
    /// The one filter a terminal subscribes to: all that core sends it.
    #[must_use]
    pub fn down_filter(tenant: TenantId, terminal: TerminalId) -> String {
        format!("t/{tenant}/{terminal}/down/#")
    }

    /// Whether `filter` may be subscribed to by this terminal: its own subtree or any part of it, and nothing else.
    ///
    /// A shared subscription (`$share/…`), a wildcard above the terminal's own level or another's id is refused.
    #[must_use]
    pub fn may_subscribe(tenant: TenantId, terminal: TerminalId, filter: &str) -> bool {
        filter.len() <= TOPIC_LEN_MAX && filter.starts_with(&format!("t/{tenant}/{terminal}/down/"))
    }

    /// Whether this terminal may publish to `topic`: exactly its own `up/…` leaves.
    #[must_use]
    pub fn may_publish(tenant: TenantId, terminal: TerminalId, topic: &str) -> bool {
        topic
            .parse::<Self>()
            .is_ok_and(|topic| topic.tenant == tenant && topic.terminal == terminal && topic.leaf.is_up())
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t/{}/{}/{}", self.tenant, self.terminal, self.leaf.text())
    }
}

/// Why a text is not one of our topics.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not a topic of the form t/{{tenant}}/{{terminal}}/up|down/{{leaf}}")]
pub struct TopicError {
    /// What was given, cut to [`TOPIC_LEN_MAX`] characters.
    pub given: String,
}

impl FromStr for Topic {
    type Err = TopicError;

    fn from_str(text: &str) -> Result<Self, TopicError> {
        let refused = || TopicError { given: text.chars().take(TOPIC_LEN_MAX).collect() };
        let mut levels = text.splitn(4, '/');
        let (Some("t"), Some(tenant), Some(terminal), Some(rest)) =
            (levels.next(), levels.next(), levels.next(), levels.next())
        else {
            return Err(refused());
        };
        Ok(Self {
            tenant: tenant.parse().map_err(|_| refused())?,
            terminal: terminal.parse().map_err(|_| refused())?,
            leaf: Leaf::ALL.into_iter().find(|leaf| leaf.text() == rest).ok_or_else(refused)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantId = TenantId::from_bytes([1; 16]);
    const TERMINAL: TerminalId = TerminalId::from_bytes([2; 16]);

    #[test]
    fn every_leaf_reads_back() {
        for leaf in Leaf::ALL {
            let topic = Topic { tenant: TENANT, terminal: TERMINAL, leaf };
            assert_eq!(topic.to_string().parse(), Ok(topic));
            assert!(topic.to_string().len() <= TOPIC_LEN_MAX);
        }
    }

    #[test]
    fn a_terminal_keeps_to_its_own() {
        let own = format!("t/{TENANT}/{TERMINAL}");
        let other = format!("t/{TENANT}/{}", TerminalId::from_bytes([3; 16]));
        for (filter, allowed) in [
            (format!("{own}/down/#"), true),
            (format!("{own}/down/push"), true),
            (format!("{own}/#"), false),
            (format!("{own}/up/journal"), false),
            (format!("{other}/down/#"), false),
            (format!("t/{TENANT}/+/down/#"), false),
            (format!("$share/core/{own}/down/#"), false),
            ("#".to_owned(), false),
            ("$SYS/#".to_owned(), false),
        ] {
            assert_eq!(Topic::may_subscribe(TENANT, TERMINAL, &filter), allowed, "{filter}");
        }
        for (topic, allowed) in [
            (format!("{own}/up/journal"), true),
            (format!("{own}/up/presence"), true),
            (format!("{own}/down/push"), false),
            (format!("{own}/up/journal/x"), false),
            (format!("{other}/up/journal"), false),
            ("$SYS/x".to_owned(), false),
        ] {
            assert_eq!(Topic::may_publish(TENANT, TERMINAL, &topic), allowed, "{topic}");
        }
    }
}
