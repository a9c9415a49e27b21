//! How a discrepancy comes to its end: a person books it away, two persons write it off, or a later bill settles it.

use super::Class;

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Standing {
    Open,
    /// Somebody looks after it.
    Assigned,
    /// Waits for a second person.
    WriteOffProposed,
    /// The books follow the bill.
    Resolved,
    WrittenOff,
    /// The two sides agree by now.
    Closed,
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    Assign,
    /// With a posting.
    Resolve,
    ProposeWriteOff,
    /// As another person than the one who proposed it.
    ApproveWriteOff,
    DeclineWriteOff,
}

/// Why a step is not taken. Nothing is changed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepRefusal {
    #[error("it is {} and cannot be {verb}", standing.text())]
    Standing { standing: Standing, verb: &'static str },
    #[error("whoever proposed the write-off cannot approve it")]
    SamePerson,
    /// The books follow from somewhere else: the payment, another day, a readable bill.
    #[error("a posting does not settle a difference of the class {}", class.text())]
    NothingToPost { class: Class },
}

/// The next standing. `can_post`: something is to be booked; `same_person`: who acts is who proposed the write-off.
///
/// # Errors
/// In this order: `Standing`, `SamePerson`, `NothingToPost`.
pub fn step(
    standing: Standing,
    step: Step,
    class: Class,
    can_post: bool,
    same_person: bool,
) -> Result<Standing, StepRefusal> {
    let refused = |verb| Err(StepRefusal::Standing { standing, verb });
    let is_at_work = matches!(standing, Standing::Open | Standing::Assigned);
    let is_proposed = standing == Standing::WriteOffProposed;
    // What says nothing here, or nothing in this currency, ends by two persons alone: no later bill need settle it.
    let may_be_left = can_post || matches!(class, Class::Unreadable | Class::Currency | Class::NoBill);
    match step {
        Step::Assign if is_at_work => Ok(Standing::Assigned),
        Step::Assign => refused("assigned"),
        Step::Resolve if !is_at_work => refused("resolved"),
        Step::Resolve if can_post => Ok(Standing::Resolved),
        Step::ProposeWriteOff if !is_at_work => refused("written off"),
        Step::ProposeWriteOff if may_be_left => Ok(Standing::WriteOffProposed),
        Step::Resolve | Step::ProposeWriteOff => Err(StepRefusal::NothingToPost { class }),
        Step::ApproveWriteOff if !is_proposed => refused("approved"),
        Step::ApproveWriteOff if same_person => Err(StepRefusal::SamePerson),
        Step::ApproveWriteOff => Ok(Standing::WrittenOff),
        Step::DeclineWriteOff if is_proposed => Ok(Standing::Open),
        Step::DeclineWriteOff => refused("declined"),
    }
}

impl Standing {
    pub const ALL: [Self; 6] =
        [Self::Open, Self::Assigned, Self::WriteOffProposed, Self::Resolved, Self::WrittenOff, Self::Closed];

    /// Whether it waits for somebody.
    #[must_use]
    pub const fn waits(self) -> bool {
        matches!(self, Self::Open | Self::Assigned | Self::WriteOffProposed)
    }

    /// Whether persons have ended it, so that what it moved is in the books.
    #[must_use]
    pub const fn is_decided(self) -> bool {
        matches!(self, Self::Resolved | Self::WrittenOff)
    }

    /// Stable, as stored and sent.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Assigned => "assigned",
            Self::WriteOffProposed => "write_off_proposed",
            Self::Resolved => "resolved",
            Self::WrittenOff => "written_off",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|standing| standing.text() == text)
    }
}
