//! Training (培训): while it is on, whatever is keyed is played and nothing of it is real.
//!
//! It is entered and left by a press of its own, never while a sale is open, and each is in the log with who stood at the till.
//! Real sales, refunds, reprints, shifts and the drawer are refused meanwhile, and played sales are refused outside of it, each
//! by a path of its own: no page that has not noticed a change can do the other. What was sold before goes on underneath (the
//! journal is synced, core's news are taken in). It is in memory alone and ends with the agent: see [`crate::training`].

mod play;
mod script;

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use saoma_protocol::{Millis, code::phone::is_confirmation};

use super::{
    happen::SHOWN_MAX,
    keyed::{Checked, amount_of, check, payment_in},
    now,
    owner::{Awaiting, Order, Owner},
    press::is_forgotten,
};
use crate::{
    counter::About,
    peripherals::{Display, DisplayMessage},
    sale::{ScannedCode, Tender},
    shift::in_doubt,
    till::{
        command::{Press, Pressed, SaleMethod, SaleRequest, Sold, TrainingPress},
        printed::ReceiptView,
        problem::Refused,
        view::{SaleView, ScanView, StateNow, TrainingView},
    },
    training::TrainingNumber,
};
use play::{Play, Pressing};

/// Played sales and presses that are remembered. Nobody looks further back.
const PLAYED_MAX: usize = 100;

/// Whether training is on, and the last number that was used.
#[derive(Default)]
pub(super) struct Training {
    last: u32,
    session: Option<Session>,
}

struct Session {
    since: Millis,
    cashier: String,
    plays: BTreeMap<TrainingNumber, Play>,
    awaiting: Option<Awaiting>,
    /// What presses stood for, newest last.
    pressed: VecDeque<(Pressed, TrainingNumber)>,
    /// What the customer sees; until when, once the sale is settled.
    on_display: Option<(TrainingNumber, Option<Instant>)>,
}

impl Training {
    pub(super) const fn is_on(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn view(&self) -> Option<TrainingView> {
        self.session.as_ref().map(|session| TrainingView { since: session.since, cashier: session.cashier.clone() })
    }

    pub(super) fn awaiting(&self) -> Option<&Awaiting> {
        self.session.as_ref().and_then(|session| session.awaiting.as_ref())
    }

    /// What the customer sees while it is on: that nothing is real, before anything else.
    pub(super) fn display(&self) -> Option<Display> {
        let session = self.session.as_ref()?;
        if let Some(awaiting) = &session.awaiting {
            return Some(Display::Training {
                message: Some(DisplayMessage::ShowYourCode),
                amount: Some(awaiting.order.amount.money().decimal()),
                currency: Some(awaiting.order.amount.currency()),
                change: None,
            });
        }
        let play = session.on_display.as_ref().and_then(|(number, _)| session.plays.get(number));
        Some(play.map_or_else(Display::training, Play::display))
    }

    fn session(&mut self) -> Result<&mut Session, Refused> {
        self.session.as_mut().ok_or(Refused::NotTraining)
    }

    pub(super) fn stop_scan(&mut self) {
        if let Some(session) = &mut self.session {
            session.awaiting = None;
        }
    }
}

impl Session {
    /// What this key stood for, if it was seen before.
    fn seen(&self, pressed: &Pressed) -> Result<Option<TrainingNumber>, Refused> {
        match self.pressed.iter().find(|(held, _)| held.key == pressed.key) {
            Some((held, _)) if held != pressed => Err(Refused::KeyReused),
            seen => Ok(seen.map(|(_, number)| *number)),
        }
    }

    fn remember(&mut self, pressed: Pressed, number: TrainingNumber) {
        if self.pressed.len() == PLAYED_MAX {
            self.pressed.pop_front();
        }
        self.pressed.push_back((pressed, number));
    }

    fn play(&mut self, number: TrainingNumber) -> Result<&mut Play, Refused> {
        self.plays.get_mut(&number).ok_or(Refused::SaleNotFound)
    }

    fn is_busy(&self) -> bool {
        self.awaiting.is_some() || self.plays.values().any(Play::is_open)
    }
}

impl Owner {
    /// What is real waits until training is left.
    ///
    /// # Errors
    /// `Training`.
    pub(super) const fn check_not_training(&self) -> Result<(), Refused> {
        if self.training.is_on() { Err(Refused::Training) } else { Ok(()) }
    }

    /// Enters or leaves training; where it is already, nothing changes.
    ///
    /// # Errors
    /// `TrainingBusy` while a sale is open, real or played; those of the key.
    pub(super) async fn press_training(&mut self, pressed: Pressed, press: TrainingPress) -> Result<StateNow, Refused> {
        if self.seen(&pressed).await?.is_none() {
            let cashier = self.cashier().to_owned();
            match (press, &self.training.session) {
                (TrainingPress::Enter, None) => {
                    self.check_nothing_open()?;
                    self.training.session = Some(Session {
                        since: now(),
                        cashier: cashier.clone(),
                        plays: BTreeMap::new(),
                        awaiting: None,
                        pressed: VecDeque::new(),
                        on_display: None,
                    });
                    // How the last sale ended is not of training.
                    self.on_display = None;
                    tracing::warn!(cashier, "training begins: nothing that is keyed is real");
                }
                (TrainingPress::Leave, Some(session)) => {
                    if session.is_busy() {
                        let why = "a training sale is open: wait, query it or cancel it";
                        return Err(Refused::TrainingBusy(why.to_owned()));
                    }
                    let (played, since) = (session.plays.len(), session.since);
                    self.training.session = None;
                    let minutes = now().since(since) / 60_000;
                    tracing::warn!(
                        cashier,
                        played,
                        duration_minutes = minutes,
                        "training is over: sales are real again"
                    );
                }
                (TrainingPress::Enter, Some(_)) | (TrainingPress::Leave, None) => {}
            }
            self.remember(pressed, None);
        }
        Ok(self.state_now())
    }

    /// Whether no real sale is open: a customer may stand there who waits for it.
    fn check_nothing_open(&self) -> Result<(), Refused> {
        let open = self.sales.values().find_map(|held| in_doubt(&held.sale)).map(|sale| sale.why);
        let why = if self.awaiting.is_some() {
            Some("a scan is awaited: scan the customer's code, or go back".to_owned())
        } else if self.card.is_some() {
            Some("a card is awaited: take it, or go back".to_owned())
        } else if self.early.is_empty() {
            open.or_else(|| self.splits.why_busy())
        } else {
            Some("a sale waits for core's first word: wait a moment".to_owned())
        };
        why.map_or(Ok(()), |why| Err(Refused::TrainingBusy(why)))
    }

    /// `POST /api/training/sales`.
    ///
    /// # Errors
    /// `NotTraining`, `KeyReused`, then those of what was keyed.
    pub(super) fn sell_training(
        &mut self,
        pressed: Pressed,
        request: SaleRequest,
    ) -> Result<Sold<TrainingNumber>, Refused> {
        let (currency, cashier) = (self.identity.profile.currency, self.cashier().to_owned());
        let session = self.training.session()?;
        if let Some(number) = session.seen(&pressed)? {
            return Ok(Sold::Seen(Box::new(session.play(number)?.view())));
        }
        // A split payment is not played.
        let is_real = request.basket.is_some() || request.split.is_some();
        let is_card = request.method == SaleMethod::Card;
        let Checked { order, mut tender } = check(request, currency, &cashier)?;
        // No real card is read for it.
        if is_card {
            tender = Some(Tender::Card { card: Box::new(play::card()) });
        }
        // What is put aside or in the basket is real.
        if order.held.is_some() || is_real {
            return Err(Refused::Training);
        }
        if let Some(awaiting) = session.awaiting.as_ref().filter(|awaiting| awaiting.pressed.key == pressed.key)
            && awaiting.pressed != pressed
        {
            return Err(Refused::KeyReused);
        }
        let Some(tender) = tender else {
            let awaiting = Awaiting { pressed, order, since: now() };
            let view = awaiting.view();
            session.awaiting = Some(awaiting);
            return Ok(Sold::AwaitingScan(view));
        };
        let sale = self.key_training(pressed, order, tender)?;
        Ok(Sold::Made(Box::new(sale)))
    }

    fn key_training(
        &mut self,
        pressed: Pressed,
        order: Order,
        tender: Tender,
    ) -> Result<SaleView<TrainingNumber>, Refused> {
        let number = TrainingNumber::new(self.training.last + 1);
        let code_ms = i64::from(self.config.till.code_expires_in_seconds) * 1_000;
        let session = self.training.session()?;
        session.awaiting = None;
        let play = Play::begin(number, order, tender, code_ms, now());
        session.plays.insert(number, play);
        session.on_display = Some((number, None));
        session.remember(pressed, number);
        while session.plays.len() > PLAYED_MAX {
            session.plays.pop_first();
        }
        self.training.last += 1;
        self.show_training(number)
    }

    /// A button on a played sale.
    ///
    /// # Errors
    /// `NotTraining`, `KeyReused`, `SaleNotFound`, then those of the press.
    pub(super) fn press_on_training(
        &mut self,
        pressed: Pressed,
        number: TrainingNumber,
        press: Press,
    ) -> Result<SaleView<TrainingNumber>, Refused> {
        let (currency, cashier) = (self.identity.profile.currency, self.cashier().to_owned());
        let utc_offset_minutes = self.config.till.utc_offset_minutes;
        let session = self.training.session()?;
        if session.seen(&pressed)?.is_none() {
            let amount = match press {
                Press::Refund { amount_minor } => Some(amount_of(amount_minor, currency)?),
                Press::Query
                | Press::Cancel
                | Press::Void
                | Press::Reprint
                | Press::Acknowledge
                | Press::Confirm { .. } => None,
            };
            session.play(number)?.press(Pressing { press, amount, cashier, utc_offset_minutes }, now())?;
            if matches!(press, Press::Void | Press::Refund { .. }) {
                session.on_display = Some((number, None));
            }
            session.remember(pressed, number);
        }
        self.show_training(number)
    }

    /// A scan while training is on. The code is dropped: it may be a customer's, and good for a real payment.
    ///
    /// # Errors
    /// `ScanNotAwaited`.
    pub(super) fn scan_training(&mut self, text: ScannedCode) -> Result<ScanView, Refused> {
        // A receipt is no customer in training either: what is being sold goes on waiting.
        if payment_in(text.expose()).is_some() || is_confirmation(text.expose()) {
            return Err(Refused::ScanNotAwaited);
        }
        drop(text);
        let Some(Awaiting { pressed, order, .. }) = self.training.session()?.awaiting.take() else {
            return Err(Refused::ScanNotAwaited);
        };
        let code = ScannedCode::new("training".to_owned());
        let sale = self.key_training(pressed, order, Tender::Scan { code })?;
        Ok(ScanView::Training { sale: Box::new(sale) })
    }

    /// The played sales, newest first.
    ///
    /// # Errors
    /// `NotTraining`.
    pub(super) fn training_views(&self, limit: u32) -> Result<Vec<SaleView<TrainingNumber>>, Refused> {
        let session = self.training.session.as_ref().ok_or(Refused::NotTraining)?;
        let limit = usize::try_from(limit).unwrap_or(PLAYED_MAX);
        Ok(session.plays.values().rev().take(limit).map(Play::view).collect())
    }

    /// Plays on what goes on by itself.
    pub(super) fn training_tick(&mut self, at: Millis) {
        let Some(session) = &mut self.training.session else { return };
        session.awaiting.take_if(|awaiting| is_forgotten(awaiting, at));
        let went_on = session.plays.iter_mut().filter_map(|(number, play)| play.goes_on(at).then_some(*number));
        for number in went_on.collect::<Vec<_>>() {
            // It is there: it has just gone on.
            let _ = self.show_training(number);
        }
        if let Some(session) = &mut self.training.session {
            session.on_display.take_if(|(_, until)| until.is_some_and(|until| until <= Instant::now()));
        }
    }

    /// The printer is done with a slip of a played sale. One that found no paper is not owed: nobody waits for it.
    pub(super) fn training_came_back(&mut self, number: TrainingNumber, why: Option<String>) {
        // Training may have ended meanwhile.
        if let Ok(play) = self.training.session().and_then(|session| session.play(number)) {
            play.printed(why.is_none(), now());
            self.emit("receipt", &ReceiptView::new(number, why));
            let _ = self.show_training(number);
        }
    }

    /// Prints, shows and tells what follows for a played sale.
    fn show_training(&mut self, number: TrainingNumber) -> Result<SaleView<TrainingNumber>, Refused> {
        let heading = self.heading();
        let play = self.training.session()?.play(number)?;
        let slips = play.slips(&heading, now());
        let is_stuck = slips.into_iter().any(|slip| !self.counter.print(About::Training(number), slip));
        let session = self.training.session()?;
        let play = session.play(number)?;
        if is_stuck {
            play.printed(false, now());
        }
        let (view, is_open) = (play.view(), play.is_open());
        if let Some((_, until)) = session.on_display.as_mut().filter(|(shown, _)| *shown == number) {
            *until = if is_open { None } else { until.or_else(|| Some(Instant::now() + SHOWN_MAX)) };
        }
        self.emit("training_sale", &view);
        Ok(view)
    }
}
