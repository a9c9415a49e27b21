//! The counter: printer, drawer, display, scanner, scale, speaker and card reader, each on a thread of its own.
//!
//! Devices block, break and come back; the till does not wait for any of them. Orders go in by bounded queues, what happened
//! comes out as [`Report`]s. A full queue is a device that hangs: the order is refused at once and the cashier may repeat it.

mod cards;
mod threads;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use cards::AtCardReader;
pub use cards::{CardNews, Reading};
use saoma_protocol::{Money, PaymentId, Sequence};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use crate::{
    config::PeripheralsConfig,
    peripherals::{
        CustomerDisplay, Devices, Display, Drawer, Kind, PeripheralError, PeripheralHealth, Printer, Rendering, Scale,
        Scanner, Speaker, card_reader::CardSale, registry, scale::Weighing,
    },
    receipt::Document,
    sale::{ScannedCode, Slip},
    training::TrainingNumber,
};

/// Slips that may wait for the printer.
pub const PRINT_QUEUE_MAX: usize = 16;
/// Questions that may wait for a scale or a scanner: a till has one cashier.
const QUESTIONS_MAX: usize = 2;

/// Amounts that may wait to be said: a customer waits for the next one no longer.
const SPEECH_QUEUE_MAX: usize = 4;

/// What a device has to say.
#[derive(Debug)]
pub enum Report {
    Printed {
        about: About,
        failure: Option<Unprinted>,
    },
    Health(PeripheralHealth),
    /// Of the reading with this number.
    Card {
        reading: u64,
        news: CardNews,
    },
    Scanned(ScannedCode),
    /// It did what it was asked, or why not.
    Used {
        kind: Kind,
        failure: Option<PeripheralError>,
    },
    /// There is none of this kind any more.
    Absent(Kind),
}

/// What a slip is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Sale(PaymentId, Slip),
    Batch {
        batch: Sequence,
        is_copy: bool,
    },
    Split {
        number: Sequence,
        is_copy: bool,
    },
    /// A played sale's slip.
    Training(TrainingNumber),
}

/// A slip that is not on the paper as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprinted {
    pub error: PeripheralError,
    /// A part of it may be.
    pub begun: bool,
}

/// Where the outcome of a self-test goes: what a person should see now.
type Tested = oneshot::Sender<Result<String, PeripheralError>>;

/// Where the health of a driver goes that has taken the place of another; none if there is no device from now on.
type Replaced = oneshot::Sender<Result<Option<PeripheralHealth>, PeripheralError>>;
/// See [`Counter::replace`].
pub type Replacing = oneshot::Receiver<Result<Option<PeripheralHealth>, PeripheralError>>;

enum AtPrinter {
    Print { about: About, document: Document },
    OpenDrawer { ordered_at: Instant },
    SelfTest(Tested),
    DrawerTest(Tested),
    Replace(Box<dyn Printer>, Replaced),
    ReplaceDrawer(Box<dyn Drawer>, Replaced),
}

enum AtDisplay {
    Show(Display),
    SelfTest(Tested),
    Replace(Box<dyn CustomerDisplay>, Replaced),
}

enum AtScanner {
    SelfTest(Tested),
    Replace(Option<Box<dyn Scanner>>, Replaced),
}

enum AtScale {
    Weigh(oneshot::Sender<Result<Weighing, PeripheralError>>),
    SelfTest(Tested),
    Replace(Option<Box<dyn Scale>>, Replaced),
}

enum AtSpeaker {
    Announce { amount: Money, ordered_at: Instant },
    SelfTest(Tested),
    Replace(Option<Box<dyn Speaker>>, Replaced),
}

/// The way to the devices. Their threads end when it is dropped.
pub struct Counter {
    printer: mpsc::SyncSender<AtPrinter>,
    display: mpsc::SyncSender<AtDisplay>,
    scanner: mpsc::SyncSender<AtScanner>,
    scale: mpsc::SyncSender<AtScale>,
    speaker: mpsc::SyncSender<AtSpeaker>,
    card_reader: mpsc::SyncSender<AtCardReader>,
    readings: AtomicU64,
    last_receipt: LastReceipt,
    threads: Vec<thread::JoinHandle<()>>,
}

/// What the printer drew last, for the till's page.
#[derive(Clone, Default)]
pub struct LastReceipt(Arc<Mutex<Option<Arc<Rendering>>>>);

impl LastReceipt {
    #[must_use]
    pub fn get(&self) -> Option<Arc<Rendering>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, rendering: Option<Rendering>) {
        if let Some(rendering) = rendering {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(rendering));
        }
    }
}

/// Reports that may wait for the till's loop.
pub const REPORTS_MAX: usize = 64;

impl Counter {
    /// Starts the devices' threads.
    ///
    /// # Errors
    /// If the system gives no more threads.
    pub fn start(devices: Devices, reports: Sender<Report>) -> std::io::Result<Self> {
        let Devices { printer, drawer, display, scanner, scale, speaker, card_reader } = devices;
        let last_receipt = LastReceipt::default();

        let (to_printer, at_printer) = mpsc::sync_channel(PRINT_QUEUE_MAX);
        let (to_display, at_display) = mpsc::sync_channel(PRINT_QUEUE_MAX);
        let (to_scanner, at_scanner) = mpsc::sync_channel(QUESTIONS_MAX);
        let (to_scale, at_scale) = mpsc::sync_channel(QUESTIONS_MAX);
        let (to_speaker, at_speaker) = mpsc::sync_channel(SPEECH_QUEUE_MAX);
        let (to_card_reader, at_card_reader) = mpsc::sync_channel(QUESTIONS_MAX);
        let (told, drawn) = (reports.clone(), last_receipt.clone());
        let mut started =
            vec![spawn("printer", move || threads::printer(printer, drawer, &at_printer, &told, &drawn))?];
        let told = reports.clone();
        started.push(spawn("display", move || threads::display(display, &at_display, &told))?);
        let told = reports.clone();
        started.push(spawn("scanner", move || threads::scanner(scanner, &at_scanner, &told))?);
        let told = reports.clone();
        started.push(spawn("scale", move || threads::scale(scale, &at_scale, &told))?);
        let told = reports.clone();
        started.push(spawn("speaker", move || threads::speaker(speaker, &at_speaker, &told))?);
        started.push(spawn("card reader", move || cards::card_reader(card_reader, &at_card_reader, &reports))?);
        Ok(Self {
            printer: to_printer,
            display: to_display,
            scanner: to_scanner,
            scale: to_scale,
            speaker: to_speaker,
            card_reader: to_card_reader,
            readings: AtomicU64::new(0),
            last_receipt,
            threads: started,
        })
    }

    #[must_use]
    pub fn last_receipt(&self) -> LastReceipt {
        self.last_receipt.clone()
    }

    /// Whether the printer's queue took it; how it went comes as a report.
    #[must_use]
    pub fn print(&self, about: About, document: Document) -> bool {
        self.printer.try_send(AtPrinter::Print { about, document }).is_ok()
    }

    pub fn open_drawer(&self) {
        if self.printer.try_send(AtPrinter::OpenDrawer { ordered_at: Instant::now() }).is_err() {
            tracing::warn!("the drawer was not opened: the printer hangs");
        }
    }

    pub fn show(&self, display: Display) {
        if self.display.try_send(AtDisplay::Show(display)).is_err() {
            tracing::debug!("the customer display hangs");
        }
    }

    /// Says that so much came in, if there is a speaker. Nobody waits for it.
    pub fn announce(&self, amount: Money) {
        if self.speaker.try_send(AtSpeaker::Announce { amount, ordered_at: Instant::now() }).is_err() {
            tracing::warn!("an amount was not announced: the speaker hangs");
        }
    }

    /// Has a card read for a sale; what comes of it are reports with the reading's number. None if the reader hangs.
    #[must_use]
    pub fn read_card(&self, sale: CardSale) -> Option<Reading> {
        let reading = Reading::begin(self.readings.fetch_add(1, Ordering::Relaxed));
        self.card_reader.try_send(reading.order(sale)).is_ok().then_some(reading)
    }

    /// Weighs what is on the scale; the answer comes by the receiver, which is closed if there is no scale or it hangs.
    #[must_use]
    pub fn weigh(&self) -> oneshot::Receiver<Result<Weighing, PeripheralError>> {
        let (done, weighed) = oneshot::channel();
        // A refused order drops `done`, which tells the receiver.
        let _ = self.scale.try_send(AtScale::Weigh(done));
        weighed
    }

    /// Starts a self-test; the answer comes by the receiver, which is closed if there is no such device or it hangs.
    #[must_use]
    pub fn self_test(&self, kind: Kind) -> oneshot::Receiver<Result<String, PeripheralError>> {
        let (done, result) = oneshot::channel();
        let _ = match kind {
            Kind::Printer => self.printer.try_send(AtPrinter::SelfTest(done)).is_ok(),
            Kind::Drawer => self.printer.try_send(AtPrinter::DrawerTest(done)).is_ok(),
            Kind::Display => self.display.try_send(AtDisplay::SelfTest(done)).is_ok(),
            Kind::Scanner => self.scanner.try_send(AtScanner::SelfTest(done)).is_ok(),
            Kind::Scale => self.scale.try_send(AtScale::SelfTest(done)).is_ok(),
            Kind::Speaker => self.speaker.try_send(AtSpeaker::SelfTest(done)).is_ok(),
            Kind::CardReader => self.card_reader.try_send(AtCardReader::SelfTest(done)).is_ok(),
        };
        result
    }

    /// Puts a driver that is opened anew in the place of the one at work, once that has done what it was asked before. The
    /// receiver is closed at once if that one hangs.
    ///
    /// # Errors
    /// For a driver that there is none of.
    pub fn replace(&self, kind: Kind, config: &PeripheralsConfig) -> Result<Replacing, PeripheralError> {
        let (done, replaced) = oneshot::channel();
        // A refused order drops `done`, which tells the receiver.
        let _ = match kind {
            Kind::Printer => self.printer.try_send(AtPrinter::Replace(registry::printer(config)?, done)).is_ok(),
            Kind::Drawer => self.printer.try_send(AtPrinter::ReplaceDrawer(registry::drawer(config)?, done)).is_ok(),
            Kind::Display => self.display.try_send(AtDisplay::Replace(registry::display(config)?, done)).is_ok(),
            Kind::Scanner => self.scanner.try_send(AtScanner::Replace(registry::scanner(config)?, done)).is_ok(),
            Kind::Scale => self.scale.try_send(AtScale::Replace(registry::scale(config)?, done)).is_ok(),
            Kind::Speaker => self.speaker.try_send(AtSpeaker::Replace(registry::speaker(config)?, done)).is_ok(),
            Kind::CardReader => {
                self.card_reader.try_send(AtCardReader::Replace(registry::card_reader(config)?, done)).is_ok()
            }
        };
        Ok(replaced)
    }

    /// Lets the printer finish what it has, for at most `wait`.
    pub fn stop(self, wait: Duration) {
        let Self { printer, display, scanner, scale, speaker, card_reader, threads, .. } = self;
        drop((printer, display, scanner, scale, speaker, card_reader));
        let until = Instant::now() + wait;
        for thread in threads {
            while !thread.is_finished() && Instant::now() < until {
                thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<thread::JoinHandle<()>> {
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

#[cfg(test)]
mod tests {
    use super::{threads::DRAWER_WAIT_MAX, *};
    use crate::peripherals::{PeripheralState, health};

    /// Takes its time over the first question; what it is asked to do is noted.
    struct Hanging {
        hangs: Option<Duration>,
        opened: Arc<Mutex<usize>>,
    }

    impl Printer for Hanging {
        fn driver(&self) -> &'static str {
            "hanging"
        }
        fn print(&mut self, _: &Document) -> Result<(), PeripheralError> {
            Ok(())
        }
        fn pulse_drawer(&mut self) -> Result<(), PeripheralError> {
            *self.opened.lock().unwrap() += 1;
            Ok(())
        }
        fn health(&mut self) -> PeripheralHealth {
            if let Some(hangs) = self.hangs.take() {
                thread::sleep(hangs);
            }
            health("printer", "hanging", PeripheralState::Ok, "")
        }
        fn self_test(&mut self) -> Result<String, PeripheralError> {
            Ok(String::new())
        }
    }

    fn opened_behind(hangs: Option<Duration>) -> usize {
        let opened = Arc::new(Mutex::new(0));
        let devices = Devices {
            printer: Box::new(Hanging { hangs, opened: Arc::clone(&opened) }),
            drawer: Box::new(crate::peripherals::drawer::AtPrinter),
            display: Box::new(crate::peripherals::display::page::Page),
            scanner: None,
            scale: None,
            speaker: None,
            card_reader: None,
        };
        let (reports, _told) = tokio::sync::mpsc::channel(REPORTS_MAX);
        let counter = Counter::start(devices, reports).unwrap();
        counter.open_drawer();
        // The self-test comes behind the drawer in the same queue.
        assert!(counter.self_test(Kind::Printer).blocking_recv().unwrap().is_ok());
        *opened.lock().unwrap()
    }

    /// Says that it has begun, and speaks for as long as the lock is held.
    struct Speaking(mpsc::Sender<()>, Arc<Mutex<()>>);

    impl Speaker for Speaking {
        fn driver(&self) -> &'static str {
            "speaking"
        }
        fn announce(&mut self, _: Money) -> Result<(), PeripheralError> {
            let _ = self.0.send(());
            drop(self.1.lock());
            Err(PeripheralError::Silent { device: "the speaker".to_owned() })
        }
        fn health(&mut self) -> PeripheralHealth {
            health("speaker", "speaking", PeripheralState::Ok, "")
        }
        fn self_test(&mut self) -> Result<String, PeripheralError> {
            Ok("spoke".to_owned())
        }
    }

    #[test]
    fn nobody_waits_for_a_speaker_that_hangs() {
        let (begins, began_to_speak) = mpsc::channel();
        let lock = Arc::new(Mutex::new(()));
        let held = lock.lock().unwrap();
        let devices = Devices {
            printer: Box::new(Hanging { hangs: None, opened: Arc::default() }),
            drawer: Box::new(crate::peripherals::drawer::AtPrinter),
            display: Box::new(crate::peripherals::display::page::Page),
            scanner: None,
            scale: None,
            speaker: Some(Box::new(Speaking(begins, Arc::clone(&lock)))),
            card_reader: None,
        };
        let (reports, _told) = tokio::sync::mpsc::channel(REPORTS_MAX);
        let counter = Counter::start(devices, reports).unwrap();
        let announce = |minor| counter.announce(Money::new(minor, saoma_protocol::Currency::CNY));
        announce(1);
        began_to_speak.recv().unwrap();
        let began = Instant::now();
        (0..100).for_each(announce);
        assert!(began.elapsed() < Duration::from_secs(1), "a full queue drops what comes");
        assert!(counter.self_test(Kind::Speaker).blocking_recv().is_err(), "it says so, too");
        assert!(counter.self_test(Kind::Printer).blocking_recv().unwrap().is_ok(), "the others go on");
        drop(held);
        let spoke = (0..500).find_map(|_| {
            thread::sleep(Duration::from_millis(10));
            counter.self_test(Kind::Speaker).blocking_recv().ok()
        });
        assert_eq!(spoke, Some(Ok("spoke".to_owned())), "and then it speaks again");
    }

    #[test]
    fn a_drawer_does_not_open_long_after_it_was_wanted() {
        assert_eq!(opened_behind(None), 1);
        assert_eq!(opened_behind(Some(DRAWER_WAIT_MAX + Duration::from_millis(300))), 0);
    }
}
