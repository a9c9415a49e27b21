//! What one core tells the others: that there is something to look for in the database. A bell carries no facts.

use std::{fmt, str::FromStr};

use saoma_protocol::{TenantId, TerminalId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Bell {
    /// Something lies in the outbox.
    Outbox,
    /// A channel is to be asked about something.
    Resolver,
    /// Something happened that the tenant's live views show.
    News(TenantId),
    /// A rollout of a plugin's packages has changed.
    Packages,
    /// There is a push for the terminal, which may wait for it over HTTPS.
    Push(TerminalId),
    /// The terminal's connection is to be ended.
    ShutOut(TerminalId),
}

impl fmt::Display for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outbox => f.write_str("outbox"),
            Self::Resolver => f.write_str("resolver"),
            Self::News(tenant) => write!(f, "news {tenant}"),
            Self::Packages => f.write_str("packages"),
            Self::Push(terminal) => write!(f, "push {terminal}"),
            Self::ShutOut(terminal) => write!(f, "shut_out {terminal}"),
        }
    }
}

/// Not one of our bells: a newer node's, which an older one need not hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unknown;

impl FromStr for Bell {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let (word, about) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "outbox" => Ok(Self::Outbox),
            "resolver" => Ok(Self::Resolver),
            "news" => about.parse().map(Self::News).map_err(|_| Unknown),
            "packages" => Ok(Self::Packages),
            "push" => about.parse().map(Self::Push).map_err(|_| Unknown),
            "shut_out" => about.parse().map(Self::ShutOut).map_err(|_| Unknown),
            _ => Err(Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bells_come_back_from_their_text_and_other_words_are_passed_over() {
        let (tenant, terminal) = (TenantId::from_bytes([1; 16]), TerminalId::from_bytes([2; 16]));
        let about = [Bell::News(tenant), Bell::Push(terminal), Bell::ShutOut(terminal)];
        for bell in [Bell::Outbox, Bell::Resolver, Bell::Packages].into_iter().chain(about) {
            assert_eq!(bell.to_string().parse(), Ok(bell));
        }
        for other in ["", "here", "news", "news ten_", "push x", "fire drill"] {
            assert_eq!(other.parse::<Bell>(), Err(Unknown), "{other:?}");
        }
    }
}
