//! When core asks a channel about a payment whose end it does not know, and when it undoes it instead.
//!
//! Core owns this clock, not the plugin: a customer-presented payment is asked about at the channel's interval until its
//! time is over, and reversed straight after the last question; what was closed is asked to be closed until the channel
//! confirms it. A doubt about what is over lasts until the channel has said something definite. What takes too long is
//! shown to a person as well; core goes on.

use saoma_protocol::Millis;

use super::{Close, Payment, State};

/// Longest pause between two attempts to undo something, in milliseconds.
const PAUSE_MAX_MS: i64 = 600_000;

/// How long a payment may be stuck before a person is called, in milliseconds: a quarter of an hour is long past every
/// channel's own limit (10 minutes at most, [`Pace::reverse_after_ms`]), so that nobody is called for the usual case.
pub const ATTENTION_AFTER_MS: i64 = 900_000;

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
    /// When it last changed.
    pub moved_at: Millis,
    /// Somebody wants it undone.
    pub close_asked: bool,
    /// Something contradicts what the channel had told us, and it has not said since which is true.
    pub doubted: bool,
    /// Another payment has paid the order.
    pub is_surplus: bool,
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
    /// It is over, and what we know of it is in doubt: ask until the channel says something definite.
    AskInDoubt,
    /// Another payment has paid the order: nobody shall pay this one.
    GiveUp,
    /// There is nothing to ask.
    Rest,
}

/// What to do about `chased` at `now`.
#[must_use]
pub fn step(chased: Chased<'_>, pace: Pace, now: Millis) -> Step {
    match &chased.payment.state {
        State::Created => after(chased.created_at, pace.call_ms, now, Step::TakeAsNoAnswer),
        State::Submitting { since } => after(*since, pace.call_ms, now, Step::TakeAsNoAnswer),
        State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => Step::Close,
        State::Pending { .. } | State::Unknown { .. } if chased.close_asked => Step::Close,
        State::Presenting { .. } | State::Pending { .. } | State::Unknown { .. } if chased.is_surplus => Step::GiveUp,
        State::Pending { .. } | State::Unknown { .. }
            if chased.payment.method.is_charged() && has_passed(chased.created_at, pace.reverse_after_ms, now) =>
        {
            Step::AskThenClose
        }
        State::Presenting { .. } | State::Pending { .. } | State::Unknown { .. } => Step::Ask,
        State::Captured(_)
        | State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { close: Close::Confirmed }
        | State::Cancelled { close: Close::Confirmed } => {
            if chased.doubted {
                Step::AskInDoubt
            } else {
                Step::Rest
            }
        }
    }
}

/// When to try again after an attempt that changed nothing; `None` if there is nothing more to ask.
///
/// `jitter` (any number) spreads the attempts of many payments over a quarter of the pause.
#[must_use]
pub fn again_at(chased: Chased<'_>, pace: Pace, jitter: u32, now: Millis) -> Option<Millis> {
    match step(chased, pace, now) {
        Step::Wait { until } => Some(until),
        // It became due while the channel was asked; how often it was asked before puts nothing off.
        Step::TakeAsNoAnswer | Step::AskThenClose | Step::GiveUp => Some(now),
        Step::Ask => {
            let next = now.plus(pace.query_interval_ms);
            let last = chased.created_at.plus(pace.reverse_after_ms);
            let chases_a_charge = chased.payment.method.is_charged() && last > now;
            Some(if chases_a_charge { next.min(last) } else { next })
        }
        Step::Close | Step::AskInDoubt => {
            let doubled = pace.query_interval_ms.saturating_mul(1_i64 << chased.attempts.min(16));
            let pause = doubled.clamp(1, PAUSE_MAX_MS);
            Some(now.plus(pause).plus(i64::from(jitter) % (pause / 4).max(1)))
        }
        Step::Rest => None,
    }
}

/// Whether a person must look at it: core has not come to an end with it by itself.
#[must_use]
pub fn needs_person(chased: Chased<'_>, now: Millis) -> bool {
    let is_stuck = match &chased.payment.state {
        State::Pending { .. } => chased.close_asked || chased.payment.method.is_charged(),
        State::Created | State::Submitting { .. } | State::Unknown { .. } => true,
        State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked } => true,
        // A code on show ends by its own clock.
        State::Presenting { .. } => false,
        // Before the money on its way back has arrived or not, no answer counts; and it calls for itself. What persons called
        // paid has had its persons.
        State::Captured(capture) => chased.doubted && capture.reserved_minor == 0 && !capture.by_hand,
        State::Voided { .. }
        | State::Failed { .. }
        | State::Reversed
        | State::Expired { close: Close::Confirmed }
        | State::Cancelled { close: Close::Confirmed } => chased.doubted,
    };
    is_stuck && has_passed(chased.moved_at, ATTENTION_AFTER_MS, now)
}

fn after(since: Millis, ms: i64, now: Millis, step: Step) -> Step {
    if has_passed(since, ms, now) { step } else { Step::Wait { until: since.plus(ms) } }
}

/// Whether `ms` milliseconds have gone by since `since`, as far as a clock can tell that may have been set back: a moment
/// that lies further ahead than that was written by a clock that is not to be waited for.
pub fn has_passed(since: Millis, ms: i64, now: Millis) -> bool {
    now >= since.plus(ms) || since > now.plus(ms)
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency, PaymentId};

    use super::{
        super::{Capture, Method},
        *,
    };

    const PACE: Pace = Pace { call_ms: 10_000, query_interval_ms: 3_000, reverse_after_ms: 60_000 };

    fn payment(method: Method, state: State) -> Payment {
        let amount = Amount::new(1_250, Currency::CNY).unwrap();
        Payment { id: PaymentId::from_bytes([1; 16]), amount, method, state }
    }

    fn chased(payment: &Payment) -> Chased<'_> {
        let (created_at, moved_at) = (Millis(0), Millis(0));
        Chased { payment, created_at, moved_at, close_asked: false, doubted: false, is_surplus: false, attempts: 0 }
    }

    #[test]
    fn an_unknown_charge_is_asked_about_until_its_time_is_over_and_then_reversed() {
        let unknown = payment(Method::CustomerPresented, State::Unknown { since: Millis(10_000) });
        let mut chased = chased(&unknown);
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
    fn what_became_due_while_the_channel_answered_is_not_put_off_by_the_questions_before_it() {
        let unknown = payment(Method::CustomerPresented, State::Unknown { since: Millis(10_000) });
        let (asked_at, answered_at) = (Millis(59_990), Millis(60_040));
        let chased = Chased { attempts: 19, ..chased(&unknown) };
        assert_eq!(step(chased, PACE, asked_at), Step::Ask);
        assert_eq!(again_at(chased, PACE, 0, answered_at), Some(answered_at));
        let surplus = Chased { is_surplus: true, ..chased };
        assert_eq!(again_at(surplus, PACE, 0, asked_at), Some(asked_at));
    }

    #[test]
    fn a_closing_is_repeated_with_growing_pauses_and_never_given_up() {
        let closing = payment(Method::MerchantPresented, State::Expired { close: Close::Asked });
        let mut last = 0;
        for attempts in 0..200 {
            let chased = Chased { close_asked: true, attempts, ..chased(&closing) };
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
            let chased = Chased { close_asked: true, ..chased(&payment) };
            assert_eq!(step(chased, PACE, Millis(from + 9_999)), Step::Wait { until: Millis(from + 10_000) });
            assert_eq!(step(chased, PACE, Millis(from + 10_000)), Step::TakeAsNoAnswer);
        }
    }

    #[test]
    fn what_a_clock_wrote_that_was_a_day_ahead_is_not_waited_for() {
        let ahead = Millis(86_400_000);
        for (method, state, expected) in [
            (Method::MerchantPresented, State::Created, Step::TakeAsNoAnswer),
            (Method::CustomerPresented, State::Submitting { since: ahead }, Step::TakeAsNoAnswer),
            (Method::CustomerPresented, State::Unknown { since: ahead }, Step::AskThenClose),
        ] {
            let payment = payment(method, state);
            let chased = Chased { created_at: ahead, moved_at: ahead, ..chased(&payment) };
            assert_eq!(step(chased, PACE, Millis(5)), expected, "{:?}", payment.state);
        }
    }

    #[test]
    fn a_doubt_is_asked_about_with_growing_pauses_and_never_given_up() {
        let reversed = payment(Method::CustomerPresented, State::Reversed);
        assert_eq!(step(chased(&reversed), PACE, Millis(1)), Step::Rest);
        assert_eq!(again_at(chased(&reversed), PACE, 0, Millis(1)), None);
        let mut last = 0;
        for attempts in 0..200 {
            let doubted = Chased { doubted: true, attempts, ..chased(&reversed) };
            assert_eq!(step(doubted, PACE, Millis(5)), Step::AskInDoubt);
            let pause = again_at(doubted, PACE, 0, Millis(5)).unwrap().0 - 5;
            assert!(pause >= last && pause <= PAUSE_MAX_MS, "{attempts}: {pause}");
            last = pause;
        }
        assert_eq!(last, PAUSE_MAX_MS);
    }

    #[test]
    fn what_another_payment_has_paid_for_is_given_up_unless_it_is_paid_itself() {
        for (state, expected) in [
            (State::Presenting { expires_at: Millis(9) }, Step::GiveUp),
            (State::Pending { since: Millis(0) }, Step::GiveUp),
            (State::Unknown { since: Millis(0) }, Step::GiveUp),
            (State::Cancelled { close: Close::Asked }, Step::Close),
            (State::Reversed, Step::Rest),
        ] {
            let payment = payment(Method::MerchantPresented, state);
            let surplus = Chased { is_surplus: true, ..chased(&payment) };
            assert_eq!(step(surplus, PACE, Millis(5)), expected, "{:?}", payment.state);
        }
    }

    #[test]
    fn a_person_is_called_for_what_is_stuck_and_for_nothing_else() {
        let captured = |reserved_minor, by_hand| {
            let (at, late) = (Millis(0), true);
            State::Captured(Capture { at, late, by_hand, refunded_minor: 0, reserved_minor, disputed_minor: 0 })
        };
        for (method, state, doubted, expected) in [
            (Method::CustomerPresented, State::Unknown { since: Millis(0) }, false, true),
            (Method::CustomerPresented, State::Pending { since: Millis(0) }, false, true),
            (Method::MerchantPresented, State::Pending { since: Millis(0) }, false, false),
            (Method::MerchantPresented, State::Presenting { expires_at: Millis(9) }, false, false),
            (Method::MerchantPresented, State::Expired { close: Close::Asked }, false, true),
            (Method::MerchantPresented, State::Expired { close: Close::Confirmed }, false, false),
            (Method::MerchantPresented, State::Expired { close: Close::Confirmed }, true, true),
            (Method::MerchantPresented, captured(0, false), false, false),
            (Method::MerchantPresented, captured(0, false), true, true),
            (Method::MerchantPresented, captured(1, false), true, false),
            (Method::MerchantPresented, captured(0, true), true, false),
        ] {
            let payment = payment(method, state);
            let stuck = Chased { doubted, ..chased(&payment) };
            assert!(!needs_person(stuck, Millis(ATTENTION_AFTER_MS - 1)), "{:?}", payment.state);
            assert_eq!(needs_person(stuck, Millis(ATTENTION_AFTER_MS)), expected, "{:?}", payment.state);
            assert_eq!(needs_person(stuck, Millis(-ATTENTION_AFTER_MS - 1)), expected, "a clock was ahead");
        }
    }
}
