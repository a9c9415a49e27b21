//! Whether the terminal that a printed code names says and shows what is paid through it: as far as core has heard.

use saoma_store::terminals::Terminal;
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Announcing {
    /// It says of itself that it does (`announces` in its health).
    Ready,
    /// It has not said so (yet): its program is of before, or it was not heard since it was updated. It is told of no payment.
    Unheard,
    /// It is shut out.
    Revoked,
}

impl Announcing {
    #[must_use]
    pub fn of(terminal: &Terminal) -> Self {
        match &terminal.health {
            _ if terminal.revoked_at.is_some() => Self::Revoked,
            Some((health, _)) if health.announces => Self::Ready,
            _ => Self::Unheard,
        }
    }
}
