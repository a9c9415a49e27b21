//! When something was, by the two clocks that a terminal knows: the machine's own, which anybody may set and which a dead battery sends
//! back to 1970, and core's, as the terminal was told it last and by how long the machine has been running since.

use serde::{Deserialize, Serialize};

use crate::Millis;

/// How far the machine's clock may be from core's, in milliseconds, before it counts as wrong: as far as offline codes let it
/// (`offline-codes.md`, section 5).
pub const MACHINE_OFF_MS_MAX: i64 = 30_000;

/// What time it was at core, as far as a terminal knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CoreTime {
    /// It is of an agent from before, which says nothing of it.
    #[default]
    Unsaid,
    /// Core was not heard of since the machine was switched on.
    Unknown,
    At(Millis),
}

impl CoreTime {
    #[must_use]
    pub const fn is_unsaid(&self) -> bool {
        matches!(self, Self::Unsaid)
    }
}

impl From<Option<Millis>> for CoreTime {
    fn from(known: Option<Millis>) -> Self {
        known.map_or(Self::Unknown, Self::At)
    }
}

/// A moment by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    pub machine: Millis,
    pub core: CoreTime,
}

impl Stamp {
    /// When it was: by the machine's clock, unless that was wrong and core's was known. What a slip prints and what core books by is
    /// the same.
    #[must_use]
    pub const fn at(self) -> Millis {
        match self.core {
            CoreTime::At(core) if is_off(self.machine, core) => core,
            CoreTime::At(_) | CoreTime::Unknown | CoreTime::Unsaid => self.machine,
        }
    }

    /// Whether the machine's clock is known to have been wrong.
    #[must_use]
    pub const fn is_machine_wrong(self) -> bool {
        matches!(self.core, CoreTime::At(core) if is_off(self.machine, core))
    }
}

/// By the machine's clock alone.
impl From<Millis> for Stamp {
    fn from(machine: Millis) -> Self {
        Self { machine, core: CoreTime::Unsaid }
    }
}

const fn is_off(machine: Millis, core: Millis) -> bool {
    machine.since(core).saturating_abs() > MACHINE_OFF_MS_MAX
}
