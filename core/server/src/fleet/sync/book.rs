//! What a journal entry means for the books. Pure: what core knows is passed in, what follows is returned.
//!
//! A cash sale is done once the terminal has it on its disk, so core never refuses one: what does not fit is stored and
//! held for a person, and books nothing until then.

use saoma_domain::{
    ledger::{PostingSet, rules},
    payment::{Amounts, Answer, AnswerStatus, Event, Method, Payment, Source as AnswerSource, State, decide},
};
use saoma_protocol::{
    Amount, Millis, Money, PaymentId, RefundId, Sequence, TenantId, TerminalId,
    journal::{MACHINE_OFF_MS_MAX, Stamp},
};

use crate::day::day_of;

/// How far a terminal's clock is believed to be behind core's: a terminal was offline that long at most.
const OFFLINE_MAX_MS: i64 = 90 * 24 * 3600 * 1000;

/// What follows from a record of a sale, or of cash that was given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Booking {
    /// Money moved: the payment stands as `after` now. The postings of a sale; those of a refund are booked in two movements.
    Book { after: Payment, postings: Vec<PostingSet> },
    /// Sold by card, at the merchant's risk: what becomes of it the acquirer is still to say, or a person. `doubt`: a person is to see this all the
    /// same.
    Stored { after: Payment, doubt: Option<String> },
    /// It is in the books already, exactly like this.
    Already,
    /// Stored, and waits for a person; the text says what does not fit.
    Hold(String),
}

/// Whose journal it is, and when it was taken in.
#[derive(Clone, Copy, Debug)]
pub struct Source {
    pub tenant: TenantId,
    pub terminal: TerminalId,
    pub now: Millis,
    /// Core has quoted the price that the entry names, if it names one.
    pub quoted: bool,
}

/// A cash sale as the journal has it.
#[derive(Clone, Copy, Debug)]
pub struct CashSale {
    pub payment: PaymentId,
    pub counter: Sequence,
    pub amount: Amount,
    pub tendered_minor: i64,
    /// As [`believed`].
    pub at: Millis,
}

/// A cash refund as the journal has it.
#[derive(Clone, Copy, Debug)]
pub struct CashRefund {
    pub refund: RefundId,
    pub payment: PaymentId,
    pub amount: Amount,
    /// The till undid the whole sale.
    pub void: bool,
    pub at: Millis,
}

/// When it happened: what the terminal knew of core's time where its machine's clock was wrong, else that clock's; and when core took it
/// where neither can be. The books' day, the drawer's batch and what is printed go by the same moment.
#[must_use]
pub fn believed(at: impl Into<Stamp>, now: Millis) -> Millis {
    let stamp = at.into();
    // A terminal knows core's clock to some seconds: what is just ahead is now, and no reason to believe a clock that is wrong.
    let can_be = |at: &Millis| at.since(now) <= MACHINE_OFF_MS_MAX && now.since(*at) <= OFFLINE_MAX_MS;
    [stamp.at(), stamp.machine].into_iter().find(can_be).map_or(now, |at| at.min(now))
}

/// `existing`: the payment that core has under this id.
#[must_use]
pub fn cash_sale(source: Source, sale: CashSale, existing: Option<&Payment>) -> Booking {
    if let Some(why) = another_number(source, sale.payment, sale.counter) {
        return Booking::Hold(why);
    }
    if let Some(payment) = existing {
        return if payment.method == Method::Cash && payment.amount == sale.amount {
            Booking::Already
        } else {
            let (amount, method) = (payment.amount, payment.method.text());
            Booking::Hold(format!("core has another sale under this number: {amount}, {method}"))
        };
    }
    if sale.tendered_minor < sale.amount.minor() {
        return Booking::Hold(format!(
            "less was handed over ({}) than the sale's {}",
            sale.tendered_minor, sale.amount
        ));
    }
    let created = Payment { id: sale.payment, amount: sale.amount, method: Method::Cash, state: State::Created };
    let taken = Event::TakeCash { at: believed(sale.at, source.now) };
    follow(created, &[taken], rules::captured(Method::Cash, sale.amount, no_fee(sale.amount)), source)
}

fn another_number(source: Source, payment: PaymentId, counter: Sequence) -> Option<String> {
    (payment != PaymentId::for_sale(source.tenant, source.terminal, counter))
        .then(|| format!("{payment} is not the number of this terminal's sale {counter}"))
}

/// Why a sale cannot have the number under which its terminal tells it; `existing`: the payment that core has under it.
#[must_use]
pub fn number_taken(
    source: Source,
    (payment, counter): (PaymentId, Sequence),
    existing: Option<&Payment>,
) -> Option<String> {
    another_number(source, payment, counter).or_else(|| {
        let known = existing?;
        Some(format!("core has a sale under this number: {}, {}", known.amount, known.method.text()))
    })
}

/// A sale that an offline code paid. `existing`: the payment that core has under this id. Its postings are those of its channel
/// account, with `fee`. It is paid when its issuer books it, which is now.
#[must_use]
pub fn offline_sale(
    source: Source,
    (payment, counter, amount): (PaymentId, Sequence, Amount),
    fee: Money,
    existing: Option<&Payment>,
) -> Booking {
    if let Some(why) = number_taken(source, (payment, counter), existing) {
        return Booking::Hold(why);
    }
    let method = Method::CustomerPresented;
    let created = Payment { id: payment, amount, method, state: State::Created };
    let paid = AnswerStatus::Succeeded { paid_at: source.now };
    let number = payment.to_string();
    match Answer::about(&created, &number, Some(amount.money()), Amounts::Named, paid, AnswerSource::Reply) {
        Ok(answer) => {
            follow(created, &[Event::Submit, Event::Answered(answer)], rules::captured(method, amount, fee), source)
        }
        Err(refusal) => Booking::Hold(refusal.to_string()),
    }
}

/// A card sale that is to be forwarded, under a number that nothing else has, and what is wrong with it.
#[must_use]
pub fn stored_sale(source: Source, payment: PaymentId, amount: Amount, doubt: Option<String>) -> Booking {
    let created = Payment { id: payment, amount, method: Method::Card, state: State::Created };
    match follow(created, &[Event::Store], Vec::new(), source) {
        Booking::Book { after, .. } => Booking::Stored { after, doubt },
        other => other,
    }
}

/// `existing`: the refund that core has under this id, as the payment it is of and its amount. `payment`: the sale that the
/// money goes back for, if this tenant has it. `zone`: the merchant's, whose days are counted.
#[must_use]
pub fn cash_refund(
    source: Source,
    refund: CashRefund,
    existing: Option<(PaymentId, Amount)>,
    payment: Option<&Payment>,
    zone: &str,
) -> Booking {
    if let Some(other) = existing {
        return if other == (refund.payment, refund.amount) {
            Booking::Already
        } else {
            Booking::Hold(format!("core has another refund under this number: {} of {}", other.1, other.0))
        };
    }
    let Some(payment) = payment else {
        return Booking::Hold(format!("core does not know the sale {}", refund.payment));
    };
    if payment.method != Method::Cash {
        let method = payment.method.text();
        return Booking::Hold(format!("cash was given back for a sale that was not paid in cash ({method})"));
    }
    let (id, amount) = (refund.refund, refund.amount);
    // The money has left the drawer: what core knows to be no void of the whole, on its day, is booked as a refund.
    let is_whole = amount == payment.amount && payment.refundable_minor() == amount.minor();
    let is_void = refund.void && is_whole && is_its_day(payment, believed(refund.at, source.now), zone);
    let done =
        if is_void { Event::VoidSucceeded { refund: id } } else { Event::RefundSucceeded { refund: id, amount } };
    let events = [Event::ReserveRefund { refund: id, amount }, done];
    let mut postings = rules::refund_reserved(amount);
    postings.extend(rules::refund_succeeded(Method::Cash, amount, no_fee(amount)));
    follow(payment.clone(), &events, postings, source)
}

fn is_its_day(payment: &Payment, at: Millis, zone: &str) -> bool {
    let State::Captured(capture) = &payment.state else { return false };
    day_of(at, zone).is_some_and(|day| day_of(capture.at, zone) == Some(day))
}

/// Lets the events happen one after the other; what the rules of a payment refuse is held.
fn follow(mut payment: Payment, events: &[Event], postings: Vec<PostingSet>, source: Source) -> Booking {
    for event in events {
        match decide(&payment, event, source.now) {
            Ok(decision) => payment.state = decision.next.unwrap_or(payment.state),
            Err(refusal) => return Booking::Hold(refusal.to_string()),
        }
    }
    Booking::Book { after: payment, postings }
}

/// Cash costs no fee.
#[must_use]
pub const fn no_fee(amount: Amount) -> Money {
    Money::new(0, amount.currency())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use saoma_domain::payment::Capture;
    use saoma_protocol::{Currency, journal::CoreTime};

    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);
    const SOURCE: Source = Source {
        tenant: TenantId::from_bytes([1; 16]),
        terminal: TerminalId::from_bytes([2; 16]),
        now: NOW,
        quoted: true,
    };
    const REFUND: RefundId = RefundId::from_bytes([3; 16]);

    fn cny(minor: i64) -> Amount {
        Amount::new(minor, Currency::CNY).unwrap()
    }

    fn sale(minor: i64) -> CashSale {
        let payment = PaymentId::for_sale(SOURCE.tenant, SOURCE.terminal, Sequence(7));
        CashSale { payment, counter: Sequence(7), amount: cny(minor), tendered_minor: 2000, at: NOW.plus(-5000) }
    }

    fn captured(minor: i64, refunded_minor: i64, method: Method) -> Payment {
        let capture =
            Capture { at: NOW, late: false, by_hand: false, refunded_minor, reserved_minor: 0, disputed_minor: 0 };
        Payment { id: sale(minor).payment, amount: cny(minor), method, state: State::Captured(capture) }
    }

    /// One word for what follows: `book <public state>, <postings>`, `already`, or the reason to hold.
    fn told(booking: Booking) -> String {
        match booking {
            Booking::Already => "already".to_owned(),
            Booking::Stored { after, doubt } => {
                format!("stored {:?}: {}", after.public_state(), doubt.unwrap_or_default())
            }
            Booking::Hold(why) => format!("hold: {why}"),
            Booking::Book { after, postings, .. } => {
                let lines: Vec<String> = postings
                    .iter()
                    .flat_map(PostingSet::postings)
                    .map(|posting| format!("{} {}", posting.account.text(), posting.money.minor()))
                    .collect();
                format!("book {:?}: {}", after.public_state(), lines.join(", "))
            }
        }
    }

    #[test]
    fn cash_sales() {
        let other_terminal = Source { terminal: TerminalId::from_bytes([9; 16]), ..SOURCE };
        for (source, sale, existing, expected) in [
            (SOURCE, sale(1250), None, "book Succeeded: cash_in_drawer 1250, merchant_payable -1250"),
            (SOURCE, sale(1250), Some(captured(1250, 0, Method::Cash)), "already"),
            // Refunded meanwhile: still the same sale.
            (SOURCE, sale(1250), Some(captured(1250, 1250, Method::Cash)), "already"),
            (SOURCE, sale(1250), Some(captured(1300, 0, Method::Cash)), "hold: core has another sale"),
            (SOURCE, sale(1250), Some(captured(1250, 0, Method::CustomerPresented)), "hold: core has another sale"),
            (SOURCE, sale(2001), None, "hold: less was handed over"),
            (other_terminal, sale(1250), None, "hold: pay_"),
        ] {
            let told = told(cash_sale(source, sale, existing.as_ref()));
            assert!(told.starts_with(expected), "{told}");
        }
    }

    #[test]
    fn stored_card_sales() {
        let of = (sale(1).payment, Sequence(7));
        let other_terminal = Source { terminal: TerminalId::from_bytes([9; 16]), ..SOURCE };
        for (source, existing, expected) in [
            (SOURCE, None, ""),
            (SOURCE, Some(captured(1250, 0, Method::Card)), "core has a sale under this number: 12.50 CNY, card"),
            (other_terminal, None, "pay_"),
        ] {
            let told = number_taken(source, of, existing.as_ref()).unwrap_or_default();
            assert!(told.starts_with(expected) && told.is_empty() == expected.is_empty(), "{told}");
        }
        for (doubt, expected) in [(None, "stored Pending: "), (Some("too much"), "stored Pending: too much")] {
            assert_eq!(told(stored_sale(SOURCE, of.0, cny(1250), doubt.map(str::to_owned))), expected);
        }
    }

    #[test]
    fn cash_refunds() {
        let refund =
            |minor| CashRefund { refund: REFUND, payment: sale(1).payment, amount: cny(minor), void: false, at: NOW };
        let void = |minor| CashRefund { void: true, ..refund(minor) };
        let other_currency = CashRefund { amount: Amount::new(100, Currency::USD).unwrap(), ..refund(1) };
        let same = Some((sale(1).payment, cny(100)));
        let cash = |refunded| Some(captured(1250, refunded, Method::Cash));
        for (refund, existing, payment, expected) in [
            (refund(100), None, cash(0), "book PartlyRefunded"),
            (refund(1250), None, cash(0), "book Refunded"),
            (refund(1150), None, cash(100), "book Refunded"),
            (refund(1151), None, cash(100), "hold: 11.51 CNY is more than"),
            (void(1250), None, cash(0), "book Voided: "),
            (void(1150), None, cash(100), "book Refunded: "),
            (void(100), None, cash(0), "book PartlyRefunded: "),
            (void(1250), None, cash(1), "hold: 12.50 CNY is more than"),
            (refund(100), same, cash(100), "already"),
            (refund(101), same, cash(100), "hold: core has another refund"),
            (refund(100), None, None, "hold: core does not know the sale"),
            (refund(100), None, Some(captured(1250, 0, Method::MerchantPresented)), "hold: cash was given back"),
            (other_currency, None, cash(0), "hold: "),
        ] {
            let told = told(cash_refund(SOURCE, refund, existing, payment.as_ref(), "Etc/UTC"));
            assert!(told.starts_with(expected), "{told}");
        }
    }

    /// `NOW` is 15:13 in London, and 22:13 in Shanghai.
    #[test]
    fn cash_is_voided_on_the_merchants_day_of_the_sale() {
        let hours = |hours: i64| hours * 3_600_000;
        for (sold, given_back, zone, expected) in [
            (hours(-14), 0, "Asia/Shanghai", "book Voided"),
            (hours(-23), 0, "Asia/Shanghai", "book Refunded"),
            (hours(-14), 0, "Europe/London", "book Voided"),
            (hours(-16), 0, "Europe/London", "book Refunded"),
            // It came in late, and was given back on its day.
            (hours(-48), hours(-48), "Asia/Shanghai", "book Voided"),
        ] {
            let capture = Capture {
                at: NOW.plus(sold),
                late: false,
                by_hand: false,
                refunded_minor: 0,
                reserved_minor: 0,
                disputed_minor: 0,
            };
            let payment = Payment { state: State::Captured(capture), ..captured(1250, 0, Method::Cash) };
            let at = NOW.plus(given_back);
            let void = CashRefund { refund: REFUND, payment: payment.id, amount: cny(1250), void: true, at };
            let told = told(cash_refund(SOURCE, void, None, Some(&payment), zone));
            assert!(told.starts_with(expected), "{sold} {given_back} {zone}: {told}");
        }
    }

    #[test]
    fn postings_of_a_refund_leave_nothing_in_transit() {
        let refund = CashRefund { refund: REFUND, payment: sale(1).payment, amount: cny(100), void: false, at: NOW };
        let Booking::Book { postings, .. } =
            cash_refund(SOURCE, refund, None, Some(&captured(1250, 0, Method::Cash)), "")
        else {
            panic!("it fits")
        };
        let sum = |name: &str| -> i64 {
            postings
                .iter()
                .flat_map(PostingSet::postings)
                .filter(|posting| posting.account.text() == name)
                .map(|posting| posting.money.minor())
                .sum()
        };
        assert_eq!((sum("refunds_in_transit"), sum("cash_in_drawer"), sum("merchant_payable")), (0, -100, 100));
    }

    #[test]
    fn where_the_machines_clock_is_wrong_what_the_terminal_knew_of_cores_counts() {
        const HOUR_MS: i64 = 3_600_000;
        const YEAR_MS: i64 = 365 * 24 * HOUR_MS;
        let known = |ms| CoreTime::At(NOW.plus(ms));
        for (what, machine, core, expected) in [
            ("1970", Millis(0), known(-HOUR_MS), NOW.plus(-HOUR_MS)),
            ("a year ahead", NOW.plus(YEAR_MS), known(-HOUR_MS), NOW.plus(-HOUR_MS)),
            ("a day behind", NOW.plus(-25 * HOUR_MS), known(-HOUR_MS), NOW.plus(-HOUR_MS)),
            ("30 s off are the machine's", NOW.plus(-HOUR_MS - 30_000), known(-HOUR_MS), NOW.plus(-HOUR_MS - 30_000)),
            ("more are not", NOW.plus(-HOUR_MS - 30_001), known(-HOUR_MS), NOW.plus(-HOUR_MS)),
            ("core is just ahead", NOW.plus(-9 * HOUR_MS), known(4_000), NOW),
            ("core's cannot be", NOW.plus(-HOUR_MS), known(YEAR_MS), NOW.plus(-HOUR_MS)),
            ("core's is too old", NOW.plus(-HOUR_MS), known(-YEAR_MS), NOW.plus(-HOUR_MS)),
            ("neither can be", Millis(0), known(YEAR_MS), NOW),
            ("the ends of time", Millis(i64::MIN), CoreTime::At(Millis(i64::MAX)), NOW),
            ("the other ends", Millis(i64::MAX), CoreTime::At(Millis(i64::MIN)), NOW),
            ("not known", Millis(0), CoreTime::Unknown, NOW),
            ("not known, and a good clock", NOW.plus(-HOUR_MS), CoreTime::Unknown, NOW.plus(-HOUR_MS)),
            ("an agent of before", Millis(0), CoreTime::Unsaid, NOW),
        ] {
            assert_eq!(believed(Stamp { machine, core }, NOW), expected, "{what}");
        }
    }

    proptest! {
        /// Nothing is booked later than now or longer ago than a terminal may be away; and what is believed is believed again.
        #[test]
        fn what_is_believed_can_be(machine: i64, core in proptest::option::of(any::<i64>())) {
            let core = core.map_or(CoreTime::Unsaid, |core| CoreTime::At(Millis(core)));
            let at = believed(Stamp { machine: Millis(machine), core }, NOW);
            prop_assert!(at <= NOW && NOW.since(at) <= OFFLINE_MAX_MS);
            prop_assert_eq!(believed(at, NOW), at);
        }

        /// A clock that is set anywhere changes nothing by more than what a clock may be off, once core's time is known.
        #[test]
        fn with_cores_time_no_clock_moves_a_sale(
            off_ms in prop_oneof![any::<i64>(), -60_000_i64..60_000],
            ago_ms in 0..OFFLINE_MAX_MS - MACHINE_OFF_MS_MAX,
        ) {
            let core = NOW.plus(-ago_ms);
            let at = believed(Stamp { machine: core.plus(off_ms), core: CoreTime::At(core) }, NOW);
            prop_assert!(at.since(core).abs() <= MACHINE_OFF_MS_MAX, "{at:?} {core:?}");
        }
    }

    #[test]
    fn a_wild_clock_is_not_believed() {
        for (at, expected) in [
            (NOW.plus(-5000), NOW.plus(-5000)),
            (NOW, NOW),
            (NOW.plus(1), NOW),
            (Millis(0), NOW),
            (Millis(i64::MAX), NOW),
            (Millis(i64::MIN), NOW),
        ] {
            assert_eq!(believed(at, NOW), expected);
        }
    }
}
