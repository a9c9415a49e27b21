//! What follows from what: every transition of a sale.

mod phone;
mod refunds;
mod stored;

use saoma_protocol::{
    Amount, Millis, RefundId,
    api::{Failure, PaymentState, PaymentView, Problem, RefundState},
    journal::{Method, Record, Stamp},
};

use super::{
    Ask, Decision, Effect, Event, Outcome, ReceiptState, Refund, Refusal, Sale, Slip, Stage, Waits, failure_of,
};
use stored::forwarded_ms;

/// How long after keying a sale may still be sent. Past it the customer has left: a charge that arrives then would take money
/// from somebody who is not there any more, so the till only asks whether core has it.
pub const RESEND_MS_MAX: i64 = 60_000;
/// First pause after a request without an answer; it doubles up to the largest.
const RETRY_MS_MIN: i64 = 1_000;
const RETRY_MS_MAX: i64 = 15_000;
/// How long to wait before "core does not have it" is believed: a request that was given up here may still be on its way.
const NOT_FOUND_AGAIN_MS: i64 = 5_000;
const NOT_FOUND_BELIEVED: u32 = 2;
/// Core's word that there is no payment of a number that was to be cancelled, and will be none.
const CALLED_OFF: &str = "sale_called_off";
/// Core's refusals of a refund that come before it looks whether it has that refund: to a repetition they say nothing.
const SAID_BEFORE_LOOKING: [&str; 2] = ["channel_unavailable", "channel_cannot"];
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// Pause between two requests to cancel the same sale.
const CANCEL_AGAIN_MS: i64 = 3_000;
/// How often a waiting sale is asked about although MQTT is up: pushes are the rule, and this finds out when the rule fails.
const CHECK_MS: i64 = 10_000;

/// What follows from `event`. `now`: the machine's clock for what is waited for, and core's for the day where that one is wrong.
///
/// # Errors
/// Only for key presses that the sale's state does not allow; nothing has changed then.
pub fn decide(sale: Sale, event: Event, now: impl Into<Stamp>) -> Result<Decision, Refusal> {
    let stamp = now.into();
    let mut step = Step { sale, records: Vec::new(), effects: Vec::new(), now: stamp.machine, at: stamp.at() };
    match event {
        Event::QueryPressed => step.query_pressed()?,
        Event::CancelPressed => step.cancel_pressed()?,
        Event::VoidPressed { refund, cashier, utc_offset_minutes } => {
            step.void_pressed(refund, cashier, utc_offset_minutes)?;
        }
        Event::RefundPressed { refund, amount, cashier } => step.refund_pressed(refund, amount, cashier)?,
        Event::ReprintPressed => step.reprint_pressed()?,
        Event::AcknowledgePressed => step.acknowledge_pressed()?,
        Event::Confirmed => step.confirmed(),
        Event::PaperIsBack { slip } => step.print_again(slip),
        Event::Answered { ask, outcome } => step.answered(ask, outcome),
        Event::Pushed { view, refund } => {
            let news = step.sale.view().is_none();
            step.learn_pushed(*view, refund.as_deref());
            if news {
                step.go_on_cancelling();
            }
        }
        Event::Printed { done } => {
            step.sale.kept.receipt = if done { ReceiptState::Printed } else { ReceiptState::Failed };
        }
        Event::Tick { mqtt, poll_ms } => step.tick(mqtt, poll_ms),
    }
    let Step { sale, records, effects, .. } = step;
    Ok(Decision { sale, records, effects })
}

struct Step {
    sale: Sale,
    records: Vec<Record>,
    effects: Vec<Effect>,
    now: Millis,
    /// The same moment as slips bear it.
    at: Millis,
}

impl Step {
    fn refused(&self, what: &'static str) -> Refusal {
        Refusal::NotNow { state: self.sale.state_text(), what }
    }

    fn ask(&mut self, ask: Ask) {
        let waits = &mut self.sale.waits;
        match ask {
            Ask::Create => waits.creating = true,
            Ask::Fetch => waits.fetching = true,
            Ask::Query => waits.querying = true,
            Ask::Cancel => waits.cancelling = true,
            Ask::ListRefunds => waits.listing = true,
            Ask::Refund(refund) => waits.refunding.push(refund),
        }
        self.effects.push(Effect::Ask(ask));
    }

    fn query_pressed(&mut self) -> Result<(), Refusal> {
        match &self.sale.kept.stage {
            Stage::Cash { .. }
            | Stage::Offline
            | Stage::Stored { .. }
            | Stage::Confirmed { .. }
            | Stage::NotSent { .. } => {
                return Err(self.refused("queried"));
            }
            // Sent again after a cancel, it would charge a customer who was told that nothing is sold.
            Stage::Sending { cancelling: true, .. } => self.go_on_cancelling(),
            Stage::Sending { .. } => {
                if !self.sale.waits.creating && !self.sale.waits.fetching {
                    self.send_or_fetch();
                }
            }
            Stage::Known { .. } => {
                // How the acquirer's answer is come by is core's to know.
                if self.sale.is_forwarded() {
                    self.fetch();
                } else if !self.sale.waits.querying {
                    self.ask(Ask::Query);
                }
            }
        }
        Ok(())
    }

    fn cancel_pressed(&mut self) -> Result<(), Refusal> {
        if self.sale.is_forwarded() || self.sale.state().is_some_and(PaymentState::is_settled) {
            return Err(self.refused("cancelled"));
        }
        let kept = &mut self.sale.kept;
        if let Stage::Sending { cancelling, .. } | Stage::Known { cancelling, .. } = &mut kept.stage {
            *cancelling = true;
        }
        // Core may refuse, and the wish is over then; that other money may have been taken is not.
        kept.given_up |= kept.phone.is_some();
        self.go_on_cancelling();
        Ok(())
    }

    /// Asks core to cancel if that is wished and nothing is in the way.
    fn go_on_cancelling(&mut self) {
        let settled = self.sale.state().is_some_and(PaymentState::is_settled);
        // While the sale itself is on its way, a cancel could overtake it and find nothing.
        if self.sale.is_cancelling() && !settled && !self.sale.waits.creating && !self.sale.waits.cancelling {
            self.ask_to_cancel();
        }
    }

    fn void_pressed(&mut self, refund: RefundId, cashier: String, utc_offset_minutes: i32) -> Result<(), Refusal> {
        let whole = self.sale.kept.amount;
        if self.sale.state() != Some(PaymentState::Succeeded) || self.sale.refundable_minor() != whole.minor() {
            return Err(self.refused("voided"));
        }
        // Core judges what it takes part in, by the merchant's own day.
        let day = |at: Millis| at.plus(i64::from(utc_offset_minutes) * MINUTE_MS).0.div_euclid(DAY_MS);
        if matches!(self.sale.kept.stage, Stage::Cash { .. }) && day(self.at) != day(self.sale.kept.keyed().at()) {
            return Err(Refusal::VoidTooLate);
        }
        self.give_back(refund, whole, true, cashier);
        Ok(())
    }

    fn refund_pressed(&mut self, refund: RefundId, amount: Amount, cashier: String) -> Result<(), Refusal> {
        let paid = self.sale.was_captured() && self.sale.state() != Some(PaymentState::Voided);
        if !paid {
            return Err(self.refused("refunded"));
        }
        let left = self.sale.refundable_minor();
        if amount.minor() > left {
            let currency = amount.currency();
            let left = saoma_protocol::Money::new(left, currency).decimal();
            return Err(Refusal::RefundExceeds { left, currency });
        }
        self.give_back(refund, amount, false, cashier);
        Ok(())
    }

    fn give_back(&mut self, refund: RefundId, amount: Amount, void: bool, cashier: String) {
        let payment = self.sale.kept.payment;
        let cash = matches!(self.sale.kept.stage, Stage::Cash { .. });
        self.sale.kept.refunds.push(Refund {
            refund,
            amount,
            void,
            state: if cash { RefundState::Succeeded } else { RefundState::Submitting },
            answered: cash,
            keyed_here: true,
            failure: None,
            approved_by: None,
            version: 0,
            keyed_at: self.now,
        });
        if cash {
            self.records.push(Record::CashRefund { refund, payment, amount, void, cashier, approved_by: None });
            self.effects.extend([Effect::OpenDrawer, Effect::Print(Slip::Refund(refund))]);
        } else {
            self.records.push(Record::RefundKeyed { refund, payment, amount, void, cashier, approved_by: None });
            self.sale.waits.certain.push(refund);
            self.ask(Ask::Refund(refund));
        }
    }

    fn reprint_pressed(&mut self) -> Result<(), Refusal> {
        let slip = self.sale.slip_again().ok_or_else(|| self.refused("reprinted"))?;
        self.print_again(slip);
        Ok(())
    }

    fn print_again(&mut self, slip: Slip) {
        self.sale.kept.receipt = ReceiptState::Queued;
        self.effects.push(Effect::Print(slip));
    }

    fn answered(&mut self, ask: Ask, outcome: Outcome) {
        self.sale.waits.end(ask);
        match outcome {
            Outcome::View(view) => {
                if !self.learn(*view) {
                    self.silence(ask);
                    return self.wait_if_held();
                }
                self.calm_down();
                if ask == Ask::Cancel {
                    // Core has the wish and the sale is not closed yet: look again in a moment.
                    self.sale.waits.next_at = Some(self.now.plus(CANCEL_AGAIN_MS));
                } else {
                    self.go_on_cancelling();
                }
            }
            Outcome::Refund(view) => {
                if !self.learn_refund(&view) {
                    return self.silence(ask);
                }
                self.calm_down();
                self.fetch();
            }
            Outcome::Refunds(views) => {
                let open = |sale: &Sale| sale.kept.refunds.iter().filter(|refund| refund.is_open()).count();
                let before = open(&self.sale);
                if !views.iter().all(|view| self.learn_refund(view)) {
                    return self.silence(ask);
                }
                self.calm_down();
                if open(&self.sale) < before || self.sale.is_part_in_doubt() {
                    self.fetch();
                }
            }
            Outcome::NotFound => self.not_found(ask),
            Outcome::Refused(problem) => self.answer_refused(ask, &problem),
            Outcome::Locked(problem) => self.locked(ask, &problem),
            Outcome::NotSent => self.not_sent(ask),
            Outcome::Silent => self.silence(ask),
        }
    }

    /// An answer was about something else than the sale: what that did to the sale is asked for.
    fn fetch(&mut self) {
        if !self.sale.waits.fetching {
            self.ask(Ask::Fetch);
        }
    }

    /// Nobody knows what core made of this request; an answer that cannot be meant says as little.
    fn silence(&mut self, ask: Ask) {
        match ask {
            Ask::Refund(refund) => self.sale.waits.certain.retain(|held| *held != refund),
            // "Core does not have it" was said before this request, which may arrive yet.
            Ask::Create => self.sale.waits.not_found = 0,
            Ask::Fetch | Ask::Query | Ask::Cancel | Ask::ListRefunds => {}
        }
        self.silent();
    }

    /// Core answered: no request of ours is in doubt any more.
    fn calm_down(&mut self) {
        self.sale.waits.unanswered = Some(0);
        self.sale.waits.not_found = 0;
        self.sale.waits.next_at = None;
    }

    fn silent(&mut self) {
        let unanswered = self.sale.waits.unanswered.unwrap_or(1).saturating_add(1);
        self.sale.waits.unanswered = Some(unanswered);
        let pause = RETRY_MS_MIN.saturating_mul(1 << unanswered.saturating_sub(1).min(6)).min(RETRY_MS_MAX);
        self.sale.waits.next_at = Some(self.now.plus(pause));
    }

    fn not_sent(&mut self, ask: Ask) {
        let nothing_in_doubt = self.sale.waits.unanswered == Some(0);
        match (ask, &self.sale.kept.stage) {
            // What cannot be taken without a network says so at once.
            (Ask::Create, Stage::Sending { .. }) if nothing_in_doubt => self.give_up(Failure {
                code: "offline".to_owned(),
                message: "there is no connection to the payment service; the customer was not charged".to_owned(),
            }),
            (Ask::Refund(refund), _) if self.sale.waits.certain.contains(&refund) => {
                self.refund_failed(
                    refund,
                    Failure {
                        code: "core_unreachable".to_owned(),
                        message: "there is no connection to the payment service; nothing was given back".to_owned(),
                    },
                );
            }
            _ => self.silent(),
        }
    }

    fn not_found(&mut self, ask: Ask) {
        match (ask, &self.sale.kept.stage) {
            (Ask::Refund(refund), stage) if self.sale.waits.certain.contains(&refund) => {
                let failure = not_there(stage);
                self.refund_failed(refund, failure);
            }
            // Core has its entry and booked nothing by it, or does not have what it confirmed: nothing can have been given back there.
            (Ask::Refund(refund), stage @ (Stage::Offline | Stage::Confirmed { .. })) => {
                let failure = not_there(stage);
                let waits = &mut self.sale.waits;
                waits.not_found += 1;
                if waits.not_found < NOT_FOUND_BELIEVED {
                    waits.next_at = Some(self.now.plus(NOT_FOUND_AGAIN_MS));
                } else {
                    self.calm_down();
                    self.refund_failed(refund, failure);
                }
            }
            (_, Stage::Sending { cancelling, .. }) if self.sale.kept.phone.is_some() => {
                let cancelling = *cancelling;
                self.not_opened(ask, cancelling);
            }
            // A core of before lets no till see what another sold: it is asked on.
            _ if self.sale.kept.elsewhere => self.sale.waits.next_at = Some(self.now.plus(RETRY_MS_MAX)),
            (_, Stage::Sending { .. }) => {
                let waits = &mut self.sale.waits;
                waits.not_found += 1;
                if waits.not_found >= NOT_FOUND_BELIEVED || waits.unanswered == Some(0) {
                    self.give_up(Failure {
                        code: "never_sent".to_owned(),
                        message: "the payment service never got this sale; the customer was not charged".to_owned(),
                    });
                } else {
                    waits.next_at = Some(self.now.plus(NOT_FOUND_AGAIN_MS));
                }
            }
            // It may have been said before core got the sale, and overtaken by what we know from it since.
            (Ask::Fetch | Ask::Query | Ask::Cancel, Stage::Known { .. } | Stage::Confirmed { .. })
                if self.sale.waits.not_found == 0 =>
            {
                self.sale.waits.not_found = 1;
                self.sale.waits.next_at = Some(self.now.plus(NOT_FOUND_AGAIN_MS));
            }
            (_, Stage::Stored { .. }) => self.not_booked_yet(),
            (_, Stage::Confirmed { .. }) => {
                let message = format!(
                    "core does not have sale {}, which a customer's phone confirmed as paid: call the office",
                    self.sale.kept.counter
                );
                self.denied("core_forgot_sale", message);
                self.wait_if_held();
            }
            (_, Stage::Known { .. } | Stage::Offline) => {
                let message = format!("core does not have sale {} any more", self.sale.kept.counter);
                self.sale.waits.next_at = Some(self.now.plus(RETRY_MS_MAX));
                self.effects.push(Effect::Alarm { code: "core_forgot_sale", message });
            }
            (_, Stage::Cash { .. } | Stage::NotSent { .. }) => {}
        }
    }

    fn answer_refused(&mut self, ask: Ask, problem: &Problem) {
        let failure = failure_of(problem);
        match ask {
            Ask::Create if !matches!(self.sale.kept.stage, Stage::Sending { .. }) => {}
            Ask::Create if self.sale.waits.unanswered == Some(0) => self.give_up(failure),
            // A no to the repetition is not one to the first: core may have taken that, and refuse now for another reason.
            Ask::Create => self.fetch(),
            Ask::Refund(refund)
                if !self.sale.waits.certain.contains(&refund)
                    && SAID_BEFORE_LOOKING.contains(&problem.code.as_str()) =>
            {
                self.sale.waits.next_at = Some(self.now.plus(RETRY_MS_MAX));
            }
            Ask::Refund(refund) => {
                self.calm_down();
                self.refund_failed(refund, failure);
            }
            Ask::Cancel if self.sale.awaits_phone() && problem.code == CALLED_OFF => self.called_off(),
            Ask::Cancel => {
                // Too late to cancel (it is paid, for example): the newest view says what it is instead.
                if let Stage::Known { cancelling, .. } = &mut self.sale.kept.stage {
                    *cancelling = false;
                }
                self.calm_down();
                self.fetch();
            }
            Ask::Query | Ask::Fetch | Ask::ListRefunds => self.sale.waits.next_at = Some(self.now.plus(RETRY_MS_MAX)),
        }
    }

    /// Core does not let this terminal in. That says nothing about a request that it may have let in before.
    fn locked(&mut self, ask: Ask, problem: &Problem) {
        let nothing_in_doubt = self.sale.waits.unanswered == Some(0);
        match ask {
            Ask::Create if nothing_in_doubt => self.answer_refused(ask, problem),
            Ask::Refund(refund) if self.sale.waits.certain.contains(&refund) => self.answer_refused(ask, problem),
            _ => self.sale.waits.next_at = Some(self.now.plus(RETRY_MS_MAX)),
        }
    }

    /// The sale did not and will not reach core from here.
    fn give_up(&mut self, failure: Failure) {
        let Stage::Sending { method, cancelling } = self.sale.kept.stage else { return };
        let state = if cancelling {
            PaymentState::Cancelled
        } else if self.sale.kept.phone.is_some() {
            PaymentState::Expired
        } else {
            PaymentState::Failed
        };
        self.sale.kept.stage = Stage::NotSent { method, state, failure };
        self.sale.kept.given_up |= self.sale.kept.phone.is_some();
        self.sale.waits = Waits::default();
        self.journal_settled(state, 0);
    }

    fn journal_settled(&mut self, state: PaymentState, amount_refunded_minor: i64) {
        // Of another till's sale this journal has what goes back here; how it stands is that till's to say.
        if self.sale.kept.elsewhere || self.sale.kept.journaled == Some((state, amount_refunded_minor)) {
            return;
        }
        self.sale.kept.journaled = Some((state, amount_refunded_minor));
        let payment = self.sale.kept.payment;
        self.records.push(Record::SaleSettled { payment, state, amount_refunded_minor });
    }

    /// Takes in core's newest word on the sale, unless it is older than what is held. False if it is about something else.
    fn learn(&mut self, view: PaymentView) -> bool {
        let is_taken = view.id == self.sale.kept.payment && self.sale.kept.is_not_of_its_code(&view);
        if is_taken {
            self.number_taken();
            return false;
        }
        let kept = &mut self.sale.kept;
        if view.id != kept.payment || view.amount != kept.amount {
            let message = format!(
                "core answered about {} ({}) when asked about {} ({})",
                view.id, view.amount, kept.payment, kept.amount
            );
            self.effects.push(Effect::Alarm { code: "core_answered_oddly", message });
            return false;
        }
        let is_paid = matches!(
            view.state,
            PaymentState::Succeeded | PaymentState::PartlyRefunded | PaymentState::Refunded | PaymentState::Voided
        );
        if matches!(kept.stage, Stage::Offline) && !is_paid {
            let message = format!("core calls {} {:?}, and an offline code paid it here", view.id, view.state);
            self.effects.push(Effect::Alarm { code: "core_answered_oddly", message });
            return false;
        }
        if matches!(kept.stage, Stage::Confirmed { .. }) && !is_paid {
            return self.unpaid_once_confirmed(&view);
        }
        let stored = kept.stored;
        // Before this disk was set back it may have sold something else under this number: core books this one under another, if at all.
        if let Stage::Stored { held, .. } = &mut kept.stage
            && view.stored_at.is_none()
        {
            *held = true;
            let message = format!("core has another sale than the card sale {} under its number", kept.counter);
            self.effects.push(Effect::Alarm { code: "core_answered_oddly", message });
            return false;
        }
        let (method, cancelling) = match &kept.stage {
            // The till's own journal is the truth about cash; core only repeats it.
            Stage::Cash { .. } => return true,
            // Core books what an offline code paid, and nothing else under its number.
            Stage::Offline => (Method::CustomerPresented, false),
            Stage::Stored { .. } => (Method::Card, false),
            Stage::Confirmed { .. } => (Method::MerchantPresented, false),
            Stage::Known { view: held, .. } if view.version <= held.version => return true,
            Stage::Known { method, cancelling, .. } | Stage::Sending { method, cancelling } => (*method, *cancelling),
            // Everybody here believes that this sale never was: it must not be paid behind the cashier's back.
            Stage::NotSent { method, .. } => (*method, true),
        };
        let (was_captured, was_settled) =
            (self.sale.was_captured(), self.sale.state().is_some_and(PaymentState::is_settled));
        let (state, refunded_minor) = (view.state, view.refunded_minor);
        let cancelling = cancelling && !state.is_settled();
        self.sale.kept.stage = Stage::Known { method, view: Box::new(view), cancelling };
        (self.sale.waits.code, self.sale.waits.card) = (None, None);
        self.sale.waits.not_found = 0;
        if state.is_settled() {
            self.journal_settled(state, refunded_minor);
        }
        if stored {
            // Paid after all: nothing is lost.
            self.sale.kept.loss_unseen &= !self.sale.was_captured();
            // Its slip is out and signed.
            if !was_settled && state.is_settled() && !self.sale.was_captured() {
                self.tell_declined();
            }
        } else if !was_captured && self.sale.was_captured() && self.sale.kept.split.is_none() {
            self.sale.kept.receipt = ReceiptState::Queued;
            self.effects.push(Effect::Print(Slip::Sale));
        }
        if self.sale.kept.given_up && !was_captured {
            self.tell_paid_after_all();
        }
        true
    }

    fn tick(&mut self, mqtt: bool, poll_ms: i64) {
        let waits = &self.sale.waits;
        // A wait that is longer than any there is comes from a clock that was set back.
        let forwarded_ms = forwarded_ms(&self.sale);
        let longest = poll_ms.max(CHECK_MS).max(RETRY_MS_MAX).max(forwarded_ms);
        if waits.next_at.is_some_and(|at| at > self.now && at.since(self.now) <= longest) {
            return;
        }
        if waits.is_busy() {
            return;
        }
        let pause = if mqtt { CHECK_MS } else { poll_ms }.max(forwarded_ms);
        // Every wait starts with the pause, except after a restart, when nobody knows how long it has been.
        let restarted = waits.unanswered.is_none();
        if waits.next_at.is_none() && !restarted {
            self.sale.waits.next_at = Some(self.now.plus(pause));
            return;
        }
        self.sale.waits.next_at = Some(self.now.plus(pause));
        let open = || self.sale.kept.refunds.iter().filter(|held| held.is_open());
        // One that core may not have yet comes first: the others are in core's hands.
        let refunds = open()
            .find(|held| !held.answered)
            .map(|held| Ask::Refund(held.refund))
            .or_else(|| (open().next().is_some() || self.sale.is_part_in_doubt()).then_some(Ask::ListRefunds));
        let settled = self.sale.state().is_some_and(PaymentState::is_settled);
        if restarted {
            self.sale.waits.unanswered = Some(1);
        }
        match &self.sale.kept.stage {
            Stage::Cash { .. } | Stage::NotSent { .. } | Stage::Stored { left: true, .. } => {}
            Stage::Stored { .. } => self.ask(Ask::Fetch),
            Stage::Offline | Stage::Confirmed { left: true, .. } => {
                if let Some(ask) = refunds {
                    self.ask(ask);
                }
            }
            // Letters are good, and core's own books are better.
            Stage::Confirmed { .. } => self.ask(refunds.unwrap_or(Ask::Fetch)),
            Stage::Sending { cancelling: true, .. } => self.ask_to_cancel(),
            Stage::Sending { .. } => self.send_or_fetch(),
            Stage::Known { cancelling: true, .. } if !settled => self.ask(Ask::Cancel),
            Stage::Known { .. } => match refunds {
                Some(ask) => self.ask(ask),
                None if !settled => self.ask(Ask::Fetch),
                None => {}
            },
        }
    }

    /// Sends the sale (again) while the customer is here, and else asks whether core has it.
    fn send_or_fetch(&mut self) {
        let Stage::Sending { method, .. } = self.sale.kept.stage else { return };
        let age = self.now.since(self.sale.kept.keyed_at);
        let fresh = (-RESEND_MS_MAX..=RESEND_MS_MAX).contains(&age);
        let waits = &self.sale.waits;
        // A code that the customer's phone carries, the terminal does not.
        let is_code = method == Method::MerchantPresented && self.sale.kept.phone.is_none();
        let sendable = is_code || waits.code.is_some() || waits.card.is_some();
        self.ask(if fresh && sendable { Ask::Create } else { Ask::Fetch });
    }
}

/// Why nothing goes back on what core does not have.
fn not_there(stage: &Stage) -> Failure {
    let (code, message) = if matches!(stage, Stage::Offline) {
        ("offline_not_booked", "core has not booked this offline sale: nothing was given back, the office settles it")
    } else {
        ("not_found", "core does not have this sale")
    };
    Failure { code: code.to_owned(), message: message.to_owned() }
}
