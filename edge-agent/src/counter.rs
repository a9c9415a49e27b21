//! The counter: printer, drawer, display and scanner, each on a thread of its own.
//!
//! Devices block, break and come back; the till does not wait for any of them. Orders go in by bounded queues, what happened
//! comes out as [`Report`]s. A full queue is a device that hangs: the order is refused at once and the cashier may repeat it.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use saoma_protocol::{PaymentId, Sequence};
use tokio::sync::mpsc::Sender;
use tokio::sync::oneshot;

use crate::{
    peripherals::{
        CustomerDisplay, Devices, Display, Drawer, PeripheralError, PeripheralHealth, PeripheralState, Printer,
        Rendering, Scanner,
    },
    receipt::Document,
    sale::{ScannedCode, Slip},
};

/// Slips that may wait for the printer.
pub const PRINT_QUEUE_MAX: usize = 16;
/// An order to open the drawer that waited longer behind a printer that hangs is dropped: the cashier has gone on, and nobody
/// may be there.
const DRAWER_WAIT_MAX: Duration = Duration::from_secs(4);
/// How often a device is asked how it does.
const HEALTH_EVERY: Duration = Duration::from_secs(15);
/// How often a printer is asked that has failed: somebody puts in paper, and the customer waits for the receipt.
const HEALTH_AGAIN: Duration = Duration::from_secs(2);
/// How long a scanner is listened to at a stretch; also how fast its thread notices that the agent stops.
const SCAN_WAIT: Duration = Duration::from_millis(500);
/// Pause after a scanner failed.
const SCANNER_PAUSE: Duration = Duration::from_secs(2);

/// What a device has to say.
#[derive(Debug)]
pub enum Report {
    Printed { about: About, failure: Option<Unprinted> },
    Health(PeripheralHealth),
    Scanned(ScannedCode),
}

/// What a slip is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum About {
    Sale(PaymentId, Slip),
    Batch { batch: Sequence, is_copy: bool },
}

/// A slip that is not on the paper as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unprinted {
    pub error: PeripheralError,
    /// A part of it may be.
    pub begun: bool,
}

enum AtPrinter {
    Print { about: About, document: Document },
    OpenDrawer { ordered_at: Instant },
    SelfTest(oneshot::Sender<Result<String, PeripheralError>>),
}

enum AtDisplay {
    Show(Display),
    SelfTest(oneshot::Sender<Result<String, PeripheralError>>),
}

/// The way to the devices. Their threads end when it is dropped.
pub struct Counter {
    printer: mpsc::SyncSender<AtPrinter>,
    display: mpsc::SyncSender<AtDisplay>,
    scanner_test: Option<mpsc::SyncSender<oneshot::Sender<Result<String, PeripheralError>>>>,
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
        let Devices { printer, drawer, display, scanner } = devices;
        let last_receipt = LastReceipt::default();
        let mut threads = Vec::new();

        let (to_printer, orders) = mpsc::sync_channel(PRINT_QUEUE_MAX);
        let (told, drawn) = (reports.clone(), last_receipt.clone());
        threads.push(spawn("printer", move || printer_thread(printer, drawer, &orders, &told, &drawn))?);

        let (to_display, orders) = mpsc::sync_channel(PRINT_QUEUE_MAX);
        let told = reports.clone();
        threads.push(spawn("display", move || display_thread(display, &orders, &told))?);

        let scanner_test = match scanner {
            Some(scanner) => {
                let (test, tests) = mpsc::sync_channel(1);
                threads.push(spawn("scanner", move || scanner_thread(scanner, &tests, &reports))?);
                Some(test)
            }
            None => None,
        };
        Ok(Self { printer: to_printer, display: to_display, scanner_test, last_receipt, threads })
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

    /// Starts a self-test; the answer comes by the receiver, which is closed if there is no such device or it hangs.
    #[must_use]
    pub fn self_test(&self, kind: &str) -> oneshot::Receiver<Result<String, PeripheralError>> {
        let (done, result) = oneshot::channel();
        // A refused order drops `done`, which tells the receiver.
        let _ = match kind {
            "printer" => self.printer.try_send(AtPrinter::SelfTest(done)).is_ok(),
            "display" => self.display.try_send(AtDisplay::SelfTest(done)).is_ok(),
            "scanner" => self.scanner_test.as_ref().is_some_and(|test| test.try_send(done).is_ok()),
            _ => false,
        };
        result
    }

    /// Lets the printer finish what it has, for at most `wait`.
    pub fn stop(self, wait: Duration) {
        let Self { printer, display, scanner_test, threads, .. } = self;
        drop((printer, display, scanner_test));
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

/// Remembers what was said last, and says only what changed.
struct HealthTeller<'a> {
    reports: &'a Sender<Report>,
    last: Option<PeripheralHealth>,
}

impl HealthTeller<'_> {
    /// Whether the device works.
    fn tell(&mut self, health: PeripheralHealth) -> bool {
        let works = health.state != PeripheralState::Failed;
        if self.last.as_ref() != Some(&health) {
            self.last = Some(health.clone());
            tell(self.reports, Report::Health(health));
        }
        works
    }
}

fn tell(reports: &Sender<Report>, report: Report) {
    // The till has stopped: nobody has to be told any more.
    let _ = reports.blocking_send(report);
}

fn printer_thread(
    mut printer: Box<dyn Printer>,
    mut drawer: Box<dyn Drawer>,
    orders: &mpsc::Receiver<AtPrinter>,
    reports: &Sender<Report>,
    last_receipt: &LastReceipt,
) {
    let mut printer_health = HealthTeller { reports, last: None };
    let mut drawer_health = HealthTeller { reports, last: None };
    let mut unprinted = None;
    loop {
        let works = printer_health.tell(printer.health());
        drawer_health.tell(drawer.health());
        // After the printer's health: whoever hears of the slip knows how the printer is by now.
        if let Some((about, failure)) = unprinted.take() {
            tell(reports, Report::Printed { about, failure: Some(failure) });
        }
        match orders.recv_timeout(if works { HEALTH_EVERY } else { HEALTH_AGAIN }) {
            Ok(AtPrinter::Print { about, document }) => {
                let printed = printer.print(&document);
                last_receipt.set(printer.rendering());
                match printed {
                    Ok(()) => tell(reports, Report::Printed { about, failure: None }),
                    Err(error) => unprinted = Some((about, Unprinted { error, begun: printer.has_begun() })),
                }
            }
            Ok(AtPrinter::OpenDrawer { ordered_at }) => {
                if ordered_at.elapsed() > DRAWER_WAIT_MAX {
                    tracing::warn!("the drawer was not opened: the printer hung, and nobody may be there any more");
                } else if let Err(error) = drawer.open(printer.as_mut()) {
                    tracing::warn!(%error, "the drawer was not opened");
                }
            }
            Ok(AtPrinter::SelfTest(done)) => {
                let result = printer.self_test();
                last_receipt.set(printer.rendering());
                let _ = done.send(result);
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn display_thread(mut display: Box<dyn CustomerDisplay>, orders: &mpsc::Receiver<AtDisplay>, reports: &Sender<Report>) {
    let mut health = HealthTeller { reports, last: None };
    loop {
        health.tell(display.health());
        match orders.recv_timeout(HEALTH_EVERY) {
            Ok(AtDisplay::Show(shown)) => {
                if let Err(error) = display.show(&shown) {
                    tracing::warn!(%error, "the customer display shows something old");
                }
            }
            Ok(AtDisplay::SelfTest(done)) => {
                let _ = done.send(display.self_test());
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
    }
}

fn scanner_thread(
    mut scanner: Box<dyn Scanner>,
    tests: &mpsc::Receiver<oneshot::Sender<Result<String, PeripheralError>>>,
    reports: &Sender<Report>,
) {
    let mut health = HealthTeller { reports, last: None };
    let mut asked_at = None::<Instant>;
    loop {
        if asked_at.is_none_or(|at| at.elapsed() >= HEALTH_EVERY) {
            asked_at = Some(Instant::now());
            health.tell(scanner.health());
        }
        match tests.try_recv() {
            Ok(done) => {
                let _ = done.send(scanner.self_test());
            }
            Err(mpsc::TryRecvError::Disconnected) => return,
            Err(mpsc::TryRecvError::Empty) => {}
        }
        match scanner.read(SCAN_WAIT) {
            Ok(Some(text)) => tell(reports, Report::Scanned(ScannedCode::new(text))),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "the scanner does not scan");
                asked_at = None;
                thread::sleep(SCANNER_PAUSE);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peripherals::health;

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
        };
        let (reports, _told) = tokio::sync::mpsc::channel(REPORTS_MAX);
        let counter = Counter::start(devices, reports).unwrap();
        counter.open_drawer();
        // The self-test comes behind the drawer in the same queue.
        assert!(counter.self_test("printer").blocking_recv().unwrap().is_ok());
        *opened.lock().unwrap()
    }

    #[test]
    fn a_drawer_does_not_open_long_after_it_was_wanted() {
        assert_eq!(opened_behind(None), 1);
        assert_eq!(opened_behind(Some(DRAWER_WAIT_MAX + Duration::from_millis(300))), 0);
    }
}
