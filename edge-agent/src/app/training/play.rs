//! One played sale: the till's own decisions on it, answered by a made-up core. Pure.
//!
//! The sale in it is private, and nothing here gives it away: see [`crate::training`]. What the decisions would write into the
//! journal is dropped where they are made, the drawer stays shut (the shop's own money is in it), and nothing is announced.

use saoma_protocol::{
    Amount, Millis, PaymentId, RefundId, Sequence,
    api::{CardEntry, PaymentState, PresentedCard},
};

use super::{super::owner::Order, script::Scene};
use crate::{
    peripherals::{Display, DisplayMessage},
    receipt::{Document, Heading, compose_training},
    sale::{self, CardShown, CardTender, Decision, Effect, Event, Keyed, Refusal, Sale, Slip, Tender},
    till::{command::Press, view::SaleView},
    training::TrainingNumber,
};

pub(super) struct Play {
    number: TrainingNumber,
    sale: Sale,
    scene: Scene,
    /// The refunds that presses made, in order: their ids are made from it.
    given_back: u8,
    slips: Vec<Slip>,
}

impl Play {
    /// `code_ms`: how long a code on show can be paid.
    pub(super) fn begin(number: TrainingNumber, order: Order, tender: Tender, code_ms: i64, now: Millis) -> Self {
        let Order { amount, goods, reference, cashier, .. } = order;
        let payment = PaymentId::from_bytes(bytes(*b"training", number, 0));
        let counter = Sequence(u64::from(number.get()));
        let Decision { sale, effects, records: _ } = sale::key(
            Keyed { payment, counter, amount, tender, goods, reference, split: None, quote: None, cashier },
            now,
        );
        let scene = Scene::of(&sale, code_ms);
        let mut play = Self { number, sale, scene, given_back: 0, slips: Vec::new() };
        play.act(effects, now);
        play
    }

    /// A button on it. A refund by more than is left, and what its state does not allow, are refused as for any sale.
    ///
    /// # Errors
    /// The sale's own refusals.
    pub(super) fn press(&mut self, press: Pressing, now: Millis) -> Result<(), Refusal> {
        let refund = RefundId::from_bytes(bytes(*b"training", self.number, self.given_back));
        let Pressing { press, amount, cashier, utc_offset_minutes } = press;
        let event = match (press, amount) {
            (Press::Query, _) => Event::QueryPressed,
            (Press::Cancel, _) => Event::CancelPressed,
            (Press::Reprint, _) => Event::ReprintPressed,
            (Press::Acknowledge, _) => Event::AcknowledgePressed,
            // Nothing that is played is shown as such a code: nothing comes of it.
            (Press::Confirm { .. }, _) => Event::Confirmed,
            (Press::Void, _) => Event::VoidPressed { refund, cashier, utc_offset_minutes },
            (Press::Refund { .. }, Some(amount)) => Event::RefundPressed { refund, amount, cashier },
            (Press::Refund { .. }, None) => return Ok(()),
        };
        let gives_back = matches!(event, Event::VoidPressed { .. } | Event::RefundPressed { .. });
        self.happen(event, now)?;
        self.given_back = self.given_back.wrapping_add(u8::from(gives_back));
        Ok(())
    }

    /// The printer took a slip of it, or did not.
    pub(super) fn printed(&mut self, done: bool, now: Millis) {
        // Only presses are refused.
        let _ = self.happen(Event::Printed { done }, now);
    }

    /// Whether something happened by itself since the last time.
    pub(super) fn goes_on(&mut self, now: Millis) -> bool {
        let mut went_on = false;
        while let Some(event) = self.scene.next(&self.sale, now) {
            went_on = true;
            // Only presses are refused.
            let _ = self.happen(event, now);
        }
        went_on
    }

    fn happen(&mut self, event: Event, now: Millis) -> Result<(), Refusal> {
        let Decision { sale, effects, records: _ } = sale::decide(self.sale.clone(), event, now)?;
        self.sale = sale;
        self.act(effects, now);
        Ok(())
    }

    fn act(&mut self, effects: Vec<Effect>, now: Millis) {
        for effect in effects {
            match effect {
                Effect::Ask(ask) => self.scene.ask(ask, now),
                Effect::Print(slip) => self.slips.push(slip),
                Effect::OpenDrawer | Effect::Alarm { .. } => {}
            }
        }
    }

    /// The slips that are to be printed now.
    pub(super) fn slips(&mut self, heading: &Heading, now: Millis) -> Vec<Document> {
        let slips = std::mem::take(&mut self.slips);
        slips.into_iter().map(|slip| compose_training(heading, &self.sale, slip, now)).collect()
    }

    pub(super) fn is_open(&self) -> bool {
        self.sale.is_open()
    }

    pub(super) fn view(&self) -> SaleView<TrainingNumber> {
        // There is nothing of it that core could lack.
        SaleView::numbered(self.number, &self.sale, true)
    }

    pub(super) fn display(&self) -> Display {
        let shown = sale::display(&self.sale);
        let Display::Message { message, amount, currency, change } = shown else { return Display::training() };
        let is_code = self.sale.state() == Some(PaymentState::Presenting) && !self.sale.is_cancelling();
        let message = Some(if is_code { DisplayMessage::ScanCode } else { message });
        Display::Training { message, amount, currency, change }
    }
}

/// A card that there is none of: nothing of it opens anywhere.
pub(super) fn card() -> CardTender {
    let presented = PresentedCard {
        entry: CardEntry::Chip,
        ksn: String::new(),
        number: String::new(),
        sequence_number: None,
        track_2: None,
        pin: None,
        emv: None,
    };
    let shown = CardShown {
        entry: CardEntry::Chip,
        masked: "000000******0000".to_owned(),
        label: "TRAINING".to_owned(),
        aid: String::new(),
        wants_signature: false,
    };
    CardTender { presented, shown }
}

/// A press with what it needs.
pub(super) struct Pressing {
    pub(super) press: Press,
    /// Of a refund.
    pub(super) amount: Option<Amount>,
    pub(super) cashier: String,
    pub(super) utc_offset_minutes: i32,
}

/// Ids are of the form that the decisions want; these are of no sale.
fn bytes(name: [u8; 8], number: TrainingNumber, at: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&name);
    bytes[8..12].copy_from_slice(&number.get().to_be_bytes());
    bytes[12] = at;
    bytes
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;
    use crate::sale::ScannedCode;

    const CODE_MS: i64 = 120_000;

    fn amount(minor: i64) -> Amount {
        Amount::new(minor, Currency::CNY).unwrap()
    }

    fn play(minor: i64, tender: Tender) -> Play {
        let (goods, cashier) = (Vec::new(), "Li".to_owned());
        let order = Order {
            amount: amount(minor),
            goods,
            split: None,
            quote: None,
            of_basket: false,
            reference: None,
            cashier,
            held: None,
        };
        Play::begin(TrainingNumber::new(7), order, tender, CODE_MS, Millis(0))
    }

    fn scan() -> Tender {
        Tender::Scan { code: ScannedCode::new("281234567890".to_owned()) }
    }

    fn press(play: &mut Play, press: Press, now: i64) -> Result<(), Refusal> {
        let given = if let Press::Refund { amount_minor } = press { Some(amount(amount_minor)) } else { None };
        let pressing = Pressing { press, amount: given, cashier: "Li".to_owned(), utc_offset_minutes: 480 };
        play.press(pressing, Millis(now))
    }

    /// Every state that it is seen in until `until`, looked at four times a second.
    fn states(play: &mut Play, until: i64) -> Vec<&'static str> {
        let mut seen = vec![play.view().state];
        for at in (0..=until).step_by(250) {
            play.goes_on(Millis(at));
            if seen.last() != Some(&play.view().state) {
                seen.push(play.view().state);
            }
        }
        seen
    }

    #[test]
    fn each_plot_is_played_to_its_end() {
        for (minor, by_code, by_scan) in [
            (1250, &["sending", "presenting", "succeeded"][..], &["sending", "succeeded"][..]),
            (1201, &["sending", "presenting", "failed"], &["sending", "failed"]),
            (1202, &["sending", "presenting", "unknown", "succeeded"], &["sending", "unknown", "succeeded"]),
            (1203, &["sending", "presenting", "unknown", "reversed"], &["sending", "unknown", "reversed"]),
            (1204, &["sending", "presenting", "expired"], &["sending", "pending"]),
            (1205, &["sending", "failed"], &["sending", "failed"]),
        ] {
            let mut code = play(minor, Tender::Code);
            assert_eq!(states(&mut code, 200_000), by_code, "{minor} by code");
            assert!(!code.is_open());
            let mut scanned = play(minor, scan());
            assert_eq!(states(&mut scanned, 200_000), by_scan, "{minor} by scan");
            assert_eq!(scanned.is_open(), minor == 1204);
        }
    }

    #[test]
    fn an_unknown_result_is_known_once_it_is_asked_about_and_a_code_can_be_cancelled() {
        let mut unknown = play(1202, scan());
        assert_eq!(states(&mut unknown, 2_000).last(), Some(&"unknown"));
        press(&mut unknown, Press::Query, 2_000).unwrap();
        unknown.goes_on(Millis(2_500));
        assert_eq!(unknown.view().state, "succeeded");
        let mut given_up = play(1202, scan());
        assert_eq!(states(&mut given_up, 2_000).last(), Some(&"unknown"));
        press(&mut given_up, Press::Cancel, 2_000).unwrap();
        given_up.goes_on(Millis(2_500));
        assert_eq!(given_up.view().state, "succeeded", "what may be paid is not made unpaid by a press");
        for tender in [Tender::Code, scan()] {
            let mut waiting = play(1204, tender);
            states(&mut waiting, 2_000);
            press(&mut waiting, Press::Cancel, 2_000).unwrap();
            waiting.goes_on(Millis(2_500));
            assert_eq!(states(&mut waiting, 200_000), ["cancelled"], "and it stays so");
        }
        // A code that is paid is not cancelled any more, and the other way round.
        let mut late = play(1250, Tender::Code);
        states(&mut late, 1_000);
        press(&mut late, Press::Cancel, 1_000).unwrap();
        late.goes_on(Millis(10_000));
        assert_eq!(states(&mut late, 20_000), ["cancelled"]);
    }

    #[test]
    fn money_goes_back_as_on_any_sale_and_a_refund_that_ends_in_01_is_declined() {
        let mut paid = play(4_000, scan());
        states(&mut paid, 1_000);
        assert!(matches!(
            press(&mut paid, Press::Refund { amount_minor: 4_001 }, 1_000),
            Err(Refusal::RefundExceeds { .. })
        ));
        for (minor, state, refunded) in
            [(1_500, "partly_refunded", 1_500), (501, "partly_refunded", 1_500), (2_500, "refunded", 4_000)]
        {
            press(&mut paid, Press::Refund { amount_minor: minor }, 2_000).unwrap();
            // The answer, and the look at the sale after it.
            let _ = [2_500, 3_000].map(|at| paid.goes_on(Millis(at)));
            assert_eq!((paid.view().state, paid.view().refunded_minor), (state, refunded), "{minor}");
            assert!(!paid.is_open());
        }
        let mut undone = play(900, Tender::Cash { tendered_minor: 1_000 });
        press(&mut undone, Press::Void, 1_000).unwrap();
        assert_eq!(undone.view().state, "voided");
        assert!(press(&mut undone, Press::Void, 1_000).is_err());
    }

    #[test]
    fn a_clock_that_is_set_back_does_not_hold_it_up() {
        let mut code = play(1250, Tender::Code);
        for at in [-10_000_000, -9_997_000] {
            assert!(code.goes_on(Millis(at)), "{at}");
        }
        assert_eq!(code.view().state, "succeeded", "{:?}", code.view());
    }
}
