//! Which of a merchant's channel accounts collects a payment, and which are passed over because nobody answers there.
//!
//! The choice is made before anything is sent and never again for the same payment: what may have reached one channel must not
//! be sent through another. So a failing account costs the payments that find it out, not those that come after.

use saoma_protocol::Millis;

/// Calls in a row without an answer after which an account is passed over: one or two happen to every scheme.
pub const SILENCES_MAX: u32 = 3;

/// How long an account is passed over, in milliseconds; then one payment tries it again. Half the minute after which core gives
/// up a payment that nobody answers for.
pub const REST_MS: i64 = 30_000;

/// How an account fails whose last call nobody answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Silence {
    calls: u32,
    since: Millis,
}

impl Silence {
    /// After a call without an answer. An answer ends it, whatever it says: a decline is a sign of life.
    #[must_use]
    pub fn again(before: Option<Self>, now: Millis) -> Self {
        Self { calls: before.map_or(1, |before| before.calls.saturating_add(1)), since: now }
    }

    /// A payment is about to try it: others go on passing it over until that has an outcome, or for [`REST_MS`].
    #[must_use]
    pub const fn tried(self, now: Millis) -> Self {
        Self { since: now, ..self }
    }

    #[must_use]
    pub const fn is_passed_over(self, now: Millis) -> bool {
        self.calls >= SILENCES_MAX && self.is_recent(now)
    }

    /// Whether the last of it is less than [`REST_MS`] ago. A clock that was set back ends it: an account is better tried once too
    /// often than never.
    #[must_use]
    pub const fn is_recent(self, now: Millis) -> bool {
        let rested_ms = now.0.saturating_sub(self.since.0);
        0 <= rested_ms && rested_ms < REST_MS
    }
}

/// An account that could collect the payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    pub plugin: &'a str,
    /// The lower the sooner.
    pub priority: i32,
    pub is_passed_over: bool,
}

/// By their places among the candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    One(usize),
    /// A code that several wallets claim alike: a person decides.
    Ambiguous(Vec<usize>),
    Nobody,
}

/// Chooses among `candidates`, which stand in the order of their priority, then of their age. If all are passed over, the first
/// is asked all the same: a payment that nobody tries is lost for certain.
///
/// `is_of_customer`: it is a customer's code that they claim. Another wallet of the same priority then makes the choice
/// ambiguous, passed over or not: that nobody answers for one wallet does not make its code another's.
#[must_use]
pub fn choose(candidates: &[Candidate<'_>], is_of_customer: bool) -> Choice {
    let Some(chosen) = candidates
        .iter()
        .position(|candidate| !candidate.is_passed_over)
        .or_else(|| (!candidates.is_empty()).then_some(0))
    else {
        return Choice::Nobody;
    };
    let leader = candidates[chosen];
    let is_rival = |other: &Candidate<'_>| other.priority == leader.priority && other.plugin != leader.plugin;
    let rivals: Vec<usize> = (0..candidates.len()).filter(|idx| is_rival(&candidates[*idx])).collect();
    if is_of_customer && !rivals.is_empty() {
        return Choice::Ambiguous(std::iter::once(chosen).chain(rivals).collect());
    }
    Choice::One(chosen)
}
