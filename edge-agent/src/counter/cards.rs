//! The card reader's thread: one card for one sale, and between them how the reader does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
    mpsc::{Receiver, RecvTimeoutError},
};

use tokio::sync::mpsc::Sender;

use super::{
    Replaced, Report, Tested,
    threads::{HEALTH_EVERY, HealthTeller, first_health, tell, used},
};
use crate::{
    peripherals::{
        Kind,
        card_reader::{Attendant, CardReader, CardSale, CardStep, CardTrouble, NoCard},
    },
    sale::CardTender,
};

pub(super) enum AtCardReader {
    Read { sale: CardSale, number: u64, is_cancelled: Arc<AtomicBool> },
    SelfTest(Tested),
    Replace(Option<Box<CardReader>>, Replaced),
}

/// A card that is waited for, until this goes.
pub struct Reading {
    number: u64,
    is_cancelled: Arc<AtomicBool>,
}

impl Reading {
    pub(super) fn begin(number: u64) -> Self {
        Self { number, is_cancelled: Arc::default() }
    }

    /// Which of this run's readings it is.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn order(&self, sale: CardSale) -> AtCardReader {
        AtCardReader::Read { sale, number: self.number, is_cancelled: Arc::clone(&self.is_cancelled) }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.is_cancelled.store(true, Ordering::Release);
    }
}

/// What the reader has to say of the sale that waits for it.
#[derive(Debug)]
pub enum CardNews {
    Step { step: CardStep, trouble: Option<CardTrouble> },
    Read(Box<CardTender>),
    Ended(NoCard),
}

struct Telling<'a> {
    reports: &'a Sender<Report>,
    number: u64,
    is_cancelled: &'a AtomicBool,
}

impl Telling<'_> {
    fn news(&self, news: CardNews) {
        tell(self.reports, Report::Card { reading: self.number, news });
    }
}

impl Attendant for Telling<'_> {
    fn tell(&mut self, step: CardStep, trouble: Option<CardTrouble>) {
        self.news(CardNews::Step { step, trouble });
    }

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Acquire)
    }
}

/// Without a reader it refuses the orders: whoever waits for one is told by the closed channel.
pub(super) fn card_reader(
    mut reader: Option<Box<CardReader>>,
    orders: &Receiver<AtCardReader>,
    reports: &Sender<Report>,
) {
    let mut health = HealthTeller::new(reports);
    loop {
        if let Some(reader) = &mut reader {
            health.tell(reader.health());
        }
        match orders.recv_timeout(HEALTH_EVERY) {
            Ok(AtCardReader::Read { sale, number, is_cancelled }) => {
                let mut telling = Telling { reports, number, is_cancelled: &is_cancelled };
                let read = match &mut reader {
                    Some(reader) => reader.read(&sale, &mut telling),
                    None => Err(NoCard::Cancelled),
                };
                let failure = if let Err(NoCard::Failed(error)) = &read { Some(error.clone()) } else { None };
                tell(reports, Report::Used { kind: Kind::CardReader, failure });
                telling.news(read.map_or_else(CardNews::Ended, |card| CardNews::Read(Box::new(card))));
            }
            Ok(AtCardReader::SelfTest(done)) => {
                if let Some(reader) = &mut reader {
                    let result = reader.self_test();
                    used(reports, Kind::CardReader, &result);
                    let _ = done.send(result);
                }
            }
            Ok(AtCardReader::Replace(other, done)) => {
                reader = other;
                health.forget();
                let first = reader.as_mut().map(|reader| reader.health());
                let _ = done.send(first_health(reports, Kind::CardReader, first));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}
