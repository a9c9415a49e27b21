//! A sale that waits for a card: what the customer is to do, and the sale that begins once the card is read.
//!
//! Until then nothing is in the journal, and a card that is taken out too early leaves no trace. From then on it is a sale like any other:
//! its number on the disk before anything is sent, and core's word alone says whether it is paid. Without a network it may be sold at the
//! merchant's risk ([`super::stored`]).

use saoma_protocol::Millis;

use super::{
    now,
    owner::{Order, Owner},
    press::not_compared,
};
use crate::{
    counter::{CardNews, Reading},
    peripherals::{
        Display, DisplayMessage, Kind,
        card_reader::{CardSale, CardStep, CardTrouble, CardWay, NoCard},
        catalogue::{NONE, text_of},
    },
    sale::{CardTender, Tender},
    stored::StoredRefusal,
    till::{
        command::Pressed,
        problem::Refused,
        view::{AwaitingCard, CardView, SaleView},
    },
};

/// A sale that begins when a card is read.
pub(super) struct Waiting {
    pressed: Pressed,
    pub(super) order: Order,
    way: CardWay,
    since: Millis,
    /// The reader stops when this goes.
    reading: Reading,
    step: CardStep,
    trouble: Option<CardTrouble>,
}

impl Waiting {
    pub(super) fn view(&self) -> AwaitingCard {
        let Self { order, way, since, step, trouble, .. } = self;
        let stored = *way != CardWay::Online;
        AwaitingCard { amount_minor: order.amount.minor(), since: *since, step: *step, trouble: *trouble, stored }
    }

    pub(super) fn display(&self) -> Display {
        let message = match self.step {
            CardStep::Wait | CardStep::Present => DisplayMessage::PresentCard,
            CardStep::Swipe => DisplayMessage::SwipeCard,
            CardStep::Reading => DisplayMessage::ReadingCard,
            CardStep::Pin => DisplayMessage::KeyPin,
            CardStep::Remove => DisplayMessage::RemoveCard,
        };
        let amount = self.order.amount.money();
        Display::Message { message, amount: Some(amount.decimal()), currency: Some(amount.currency()), change: None }
    }
}

impl Owner {
    /// What this press waits for, if it is the one that a card is awaited by.
    ///
    /// # Errors
    /// `KeyReused`.
    pub(super) fn awaited_card(&self, pressed: &Pressed) -> Result<Option<AwaitingCard>, Refused> {
        match self.card.as_ref().filter(|waiting| waiting.pressed.key == pressed.key) {
            Some(waiting) if waiting.pressed != *pressed => Err(Refused::KeyReused),
            waiting => Ok(waiting.map(Waiting::view)),
        }
    }

    /// Begins to wait for a card.
    ///
    /// # Errors
    /// `CardBusy` while another sale waits for one; `Peripheral` without a reader; without a network those of [`Self::card_way`], at once.
    pub(super) fn await_card(&mut self, pressed: Pressed, order: Order) -> Result<AwaitingCard, Refused> {
        if self.card.is_some() {
            return Err(Refused::CardBusy);
        }
        if text_of(&self.config.peripherals, Kind::CardReader.name()) == NONE {
            return Err(Refused::Peripheral("this till has no card reader; take the money in another way".to_owned()));
        }
        let (way, at) = self.card_way(order.amount, order.split.is_some())?;
        let sale = CardSale {
            amount: order.amount,
            at,
            utc_offset_minutes: self.config.till.utc_offset_minutes,
            counter: self.counted.next(),
            way,
        };
        let hangs = || Refused::Peripheral("the card reader hangs; switch it off and on".to_owned());
        let reading = self.counter.read_card(sale).ok_or_else(hangs)?;
        let waiting = Waiting { pressed, order, way, since: now(), reading, step: CardStep::Wait, trouble: None };
        let view = waiting.view();
        // Whoever is to show a card shows no code.
        self.awaiting = None;
        self.card = Some(waiting);
        Ok(view)
    }

    /// What this card pays by, now that it is read.
    ///
    /// # Errors
    /// As [`Self::card_way`]; `Stored` or `CoreUnreachable` also if core went while it was read to be sold online.
    fn card_tender(&self, card: Box<CardTender>, order: &Order, way: CardWay) -> Result<Tender, Refused> {
        let is_known = self.knows_its_numbers();
        match way {
            // With core back in the meantime the issuer is asked, also for what was read without it.
            _ if self.line.is_online() && is_known => Ok(Tender::Card { card }),
            _ if self.line.is_online() => Err(not_compared()),
            // Its holder may have keyed a PIN, and nobody can look at that now.
            CardWay::Online if self.offline.sells_to_cards() => Err(StoredRefusal::LineWent.into()),
            CardWay::Online => Err(StoredRefusal::Off.into()),
            CardWay::Stored { .. } if is_known || self.line.is_lost() => self.stored_tender(card, order),
            CardWay::Stored { .. } => Err(not_compared()),
        }
    }

    /// What the reader has to say of a sale that waits for it; of one that does not any more, nothing.
    pub(super) async fn card_news(&mut self, reading: u64, news: CardNews) {
        let Some(waiting) = self.card.as_mut().filter(|waiting| waiting.reading.number() == reading) else { return };
        match news {
            CardNews::Step { step, trouble } => (waiting.step, waiting.trouble) = (step, trouble),
            CardNews::Read(card) => {
                let Some(Waiting { pressed, order, way, .. }) = self.card.take() else { return };
                match self.sell_by_card(pressed.clone(), order, (card, way)).await {
                    Ok(sale) => self.emit("card", &CardView::Sale { sale: Box::new(sale) }),
                    Err(refused) => {
                        self.remember(pressed, None);
                        self.tell_no_card(refused.code(), refused.to_string());
                    }
                }
            }
            CardNews::Ended(ended) => {
                self.end_card();
                match ended {
                    NoCard::Cancelled => {}
                    NoCard::Refused(trouble) => self.tell_no_card("card_cancelled", trouble.to_string()),
                    NoCard::Failed(error) => self.tell_no_card("peripheral_failed", error.to_string()),
                }
            }
        }
    }

    /// What was true when the sale was keyed may not be any more.
    async fn sell_by_card(
        &mut self,
        pressed: Pressed,
        order: Order,
        (card, way): (Box<CardTender>, CardWay),
    ) -> Result<SaleView, Refused> {
        self.check_not_training()?;
        let tender = self.card_tender(card, &order, way)?;
        self.check_shift(false)?;
        self.check_held(order.held, order.of_basket)?;
        self.check_open_for_sales().await?;
        self.key(pressed, order, tender).await
    }

    pub(super) fn tell_no_card(&self, code: &str, detail: String) {
        tracing::info!(code, detail, "a card did not lead to a sale");
        self.emit("card", &CardView::Over { code: code.to_owned(), detail });
    }

    /// `POST /api/card/cancel`.
    pub(super) async fn stop_card(&mut self, pressed: Pressed) -> Result<(), Refused> {
        self.seen(&pressed).await?;
        self.end_card();
        self.remember(pressed, None);
        Ok(())
    }

    /// No card is waited for any more. Its press, should it come again, begins nothing: nobody pressed it anew.
    pub(super) fn end_card(&mut self) {
        if let Some(Waiting { pressed, .. }) = self.card.take() {
            self.remember(pressed, None);
        }
    }

    /// Nobody came with a card, or nobody took the one before out: whoever keyed the sale is not there any more, or does not know why
    /// nothing happens.
    pub(super) fn forget_card(&mut self, now: Millis) {
        let longest_ms = i64::from(self.config.till.card_wait_seconds) * 1_000;
        let is_over = |waiting: &&Waiting| !(0..longest_ms).contains(&now.since(waiting.since));
        if let Some(step) = self.card.as_ref().filter(is_over).map(|waiting| waiting.step) {
            self.end_card();
            let why = match step {
                CardStep::Remove => {
                    "the card in the reader was not taken out, and nothing was charged: take it out, and key the sale again"
                }
                CardStep::Pin => "no PIN was keyed in time, and nothing was charged: key the sale again",
                CardStep::Wait => {
                    "the card reader was not ready in time, and nothing was charged: look at it, and key the sale again"
                }
                CardStep::Present | CardStep::Swipe | CardStep::Reading => {
                    "no card was read in time, and nothing was charged: key the sale again"
                }
            };
            self.tell_no_card(if step == CardStep::Remove { "card_left" } else { "card_late" }, why.to_owned());
        }
        for held in self.sales.values_mut() {
            held.sale.forget_card(now);
        }
    }
}
