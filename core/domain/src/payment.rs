//! One attempt to collect an order: its states, what can happen to it, and what follows.
//!
//! Survives: answers that come late, twice, in the wrong order, or about something else.

mod chase;
mod decide;
mod event;
mod notice;
mod state;

pub use chase::{ATTENTION_AFTER_MS, Chased, Pace, Step, again_at, has_passed, needs_person, step};
pub use decide::{Decision, Effect, ON_ITS_WAY_MS, decide};
pub use event::{Amounts, Answer, AnswerStatus, Event, Refusal, Source};
pub use notice::Notice;
pub use state::{Capture, Close, Method, Payment, State};
