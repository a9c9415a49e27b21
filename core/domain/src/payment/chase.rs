//! When core asks a channel about a payment whose end it does not know, and when it undoes it instead.
//!
//! Core owns this clock, not the plugin: a customer-presented payment is asked about at the channel's interval until its
//! time is over, and reversed straight after the last question; what was closed is asked to be closed until the channel
//! confirms it.

use saoma_protocol::Millis;

use super::{Close, Method, Payment, State};

/// Longest pause between two attempts to undo something, in milliseconds.
const PAUSE_MAX_MS: i64 = 600_000;

/// How a channel wants to be asked, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// The longest that one call can take, with its wait for a place.
    pub call_ms: i64,
    pub query_interval_ms: i64,
    /// From the payment's creation.
    pub reverse_after_ms: i64,
}

/// A payment and what the worker knows of its attempts.
#[derive(Clone, Copy, Debug)]
pub struct Chased<'a> {
    pub payment: &'a Payment,
    pub created_at: Millis,
    /// Somebody wants it undone.
    pub close_asked: bool,
    /// Attempts since something last changed.
    pub attempts: u32,
}

/// The one thing to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing, until then.
    Wait {
        until: Millis,
    },
    /// The process that called the channel is gone, or the answer: it counts as no answer.
    TakeAsNoAnswer,
    Ask,
    /// Ask once more; if it is still open, undo it at once.
    AskThenClose,
    Close,
    /// Somebody doubts what we know of a payment that is over: ask once.
    AskOnce,
}

/// What to do about `chased` at `now`.
#[must_use]
pub fn step(chased: Chased<'_>, pace: Pace, now: Millis) -> Step {
    match &chased.payment.state {
        State::Created => after(chased.created_at.plus(pace.call_ms), now, Step::TakeAsNoAnswer),
        State::Submitting { since } => after(since.plus(pace.call_ms), now, Step::TakeAsNoAnswer),
        State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => Step::Close,
        State::Pending { .. } | State::Unknown { .. } if chased.close_asked => Step::Close,
        State::Pending { .. } | State::Unknown { .. }
            if chased.payment.method == Method::CustomerPresented
                && now >= chased.created_at.plus(pace.reverse_after_ms) =>
        {
            Step::AskThenClose
        }
        State::Presenting { .. } | State::Pending { .. } | State::Unknown { .. } => Step::Ask,
        State::Captured(_)
        | State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { close: Close::Confirmed }
        | State::Cancelled { close: Close::Confirmed } => Step::AskOnce,
    }
}

/// When to try again after an attempt that changed nothing; `None` if there is nothing more to ask.
///
/// `jitter` (any number) spreads the attempts of many payments over a quarter of the pause.
#[must_use]
pub fn again_at(chased: Chased<'_>, pace: Pace, jitter: u32, now: Millis) -> Option<Millis> {
    match step(chased, pace, now) {
        Step::Wait { until } => Some(until),
        Step::TakeAsNoAnswer => Some(now),
        Step::Ask => {
            let next = now.plus(pace.query_interval_ms);
            let last = chased.created_at.plus(pace.reverse_after_ms);
            let chases_a_charge = chased.payment.method == Method::CustomerPresented && last > now;
            Some(if chases_a_charge { next.min(last) } else { next })
        }
        Step::AskThenClose | Step::Close => {
            let doubled = pace.query_interval_ms.saturating_mul(1_i64 << chased.attempts.min(16));
            let pause = doubled.clamp(1, PAUSE_MAX_MS);
            Some(now.plus(pause).plus(i64::from(jitter) % (pause / 4).max(1)))
        }
        Step::AskOnce => None,
    }
}

fn after(moment: Millis, now: Millis, step: Step) -> Step {
    if now < moment { Step::Wait { until: moment } } else { step }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency, PaymentId};

    use super::*;

    const PACE: Pace = Pace { call_ms: 10_000, query_interval_ms: 3_000, reverse_after_ms: 60_000 };

    fn payment(method: Method, state: State) -> Payment {
        let amount = Amount::new(1_250, Currency::CNY).unwrap();
        Payment { id: PaymentId::from_bytes([1; 16]), amount, method, state }
    }

    #[test]
    fn an_unknown_charge_is_asked_about_until_its_time_is_over_and_then_reversed() {
        let unknown = payment(Method::CustomerPresented, State::Unknown { since: Millis(10_000) });
        let mut chased = Chased { payment: &unknown, created_at: Millis(0), close_asked: false, attempts: 0 };
        let (mut now, mut steps) = (Millis(10_000), Vec::new());
        for _ in 0..40 {
            steps.push((now.0, step(chased, PACE, now)));
            if steps.last().unwrap().1 == Step::AskThenClose && steps.len() > 20 {
                break;
            }
            chased.attempts += 1;
            now = again_at(chased, PACE, 0, now).unwrap();
        }
        let asks = steps.iter().filter(|(_, step)| *step == Step::Ask).count();
        assert_eq!(asks, 17, "{steps:?}");
        assert_eq!(steps.iter().find(|(_, step)| *step == Step::AskThenClose).unwrap().0, 60_000);
    }

    #[test]
    fn a_closing_is_repeated_with_growing_pauses_and_never_given_up() {
        let closing = payment(Method::MerchantPresented, State::Expired { close: Close::Asked });
        let mut last = 0;
        for attempts in 0..200 {
            let chased = Chased { payment: &closing, created_at: Millis(0), close_asked: true, attempts };
            assert_eq!(step(chased, PACE, Millis(5)), Step::Close);
            let pause = again_at(chased, PACE, 7, Millis(5)).unwrap().0 - 5;
            assert!(pause >= last.min(PAUSE_MAX_MS) && pause <= PAUSE_MAX_MS * 5 / 4, "{attempts}: {pause}");
            last = pause;
        }
    }

    #[test]
    fn a_call_that_may_still_answer_is_left_alone() {
        for (state, from) in [(State::Created, 0), (State::Submitting { since: Millis(500) }, 500)] {
            let payment = payment(Method::CustomerPresented, state);
            let chased = Chased { payment: &payment, created_at: Millis(0), close_asked: true, attempts: 0 };
            assert_eq!(step(chased, PACE, Millis(from + 9_999)), Step::Wait { until: Millis(from + 10_000) });
            assert_eq!(step(chased, PACE, Millis(from + 10_000)), Step::TakeAsNoAnswer);
        }
    }

    #[test]
    fn a_payment_that_is_over_is_asked_about_once() {
        let failed = payment(Method::CustomerPresented, State::Reversed);
        let chased = Chased { payment: &failed, created_at: Millis(0), close_asked: false, attempts: 0 };
        assert_eq!(step(chased, PACE, Millis(1)), Step::AskOnce);
        assert_eq!(again_at(chased, PACE, 0, Millis(1)), None);
    }
}
