//! What each device's thread does: one order after the other, and now and then a look at how the device does.

use std::{
    sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    thread,
    time::{Duration, Instant},
};

use tokio::sync::mpsc::Sender;

use super::{AtDisplay, AtPrinter, AtScale, AtScanner, AtSpeaker, LastReceipt, Report, Unprinted};
use crate::{
    peripherals::{
        CustomerDisplay, Drawer, Kind, PeripheralError, PeripheralHealth, PeripheralState, Printer, Scale, Scanner,
        Speaker, scale::at_rest,
    },
    sale::ScannedCode,
};

/// An order to open the drawer that waited longer behind a printer that hangs is dropped: the cashier has gone on, and nobody
/// may be there.
pub(super) const DRAWER_WAIT_MAX: Duration = Duration::from_secs(4);
/// How often a device is asked how it does.
pub(super) const HEALTH_EVERY: Duration = Duration::from_secs(15);
/// How often a printer is asked that has failed: somebody puts in paper, and the customer waits for the receipt.
const HEALTH_AGAIN: Duration = Duration::from_secs(2);
/// How long a scanner is listened to at a stretch; also how fast its thread notices that the agent stops.
const SCAN_WAIT: Duration = Duration::from_millis(500);
/// Pause while a scanner fails.
const SCANNER_PAUSE: Duration = Duration::from_secs(2);
/// How long goods on the scale may take to come to rest; the cashier sees them move, and asks again.
const REST_WAIT: Duration = Duration::from_secs(3);

/// An amount that waited longer to be said is that of somebody who has gone.
const SPEECH_WAIT_MAX: Duration = Duration::from_secs(6);

/// Remembers what was said last, and says only what changed.
pub(super) struct HealthTeller<'a> {
    reports: &'a Sender<Report>,
    last: Option<PeripheralHealth>,
}

impl<'a> HealthTeller<'a> {
    pub(super) const fn new(reports: &'a Sender<Report>) -> Self {
        Self { reports, last: None }
    }

    /// Another driver is at work: what it says is news.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// Whether the device works.
    pub(super) fn tell(&mut self, health: PeripheralHealth) -> bool {
        let works = health.state != PeripheralState::Failed;
        if self.last.as_ref() != Some(&health) {
            self.last = Some(health.clone());
            tell(self.reports, Report::Health(health));
        }
        works
    }
}

pub(super) fn tell(reports: &Sender<Report>, report: Report) {
    // The till has stopped: nobody has to be told any more.
    let _ = reports.blocking_send(report);
}

pub(super) fn used<T>(reports: &Sender<Report>, kind: Kind, outcome: &Result<T, PeripheralError>) {
    tell(reports, Report::Used { kind, failure: outcome.as_ref().err().cloned() });
}

/// The health of a driver that has just taken its place; with none, that there is no such device any more.
pub(super) fn first_health(
    reports: &Sender<Report>,
    kind: Kind,
    health: Option<PeripheralHealth>,
) -> Result<Option<PeripheralHealth>, PeripheralError> {
    if health.is_none() {
        tell(reports, Report::Absent(kind));
    }
    Ok(health)
}

pub(super) fn printer(
    mut printer: Box<dyn Printer>,
    mut drawer: Box<dyn Drawer>,
    orders: &Receiver<AtPrinter>,
    reports: &Sender<Report>,
    last_receipt: &LastReceipt,
) {
    let (mut printer_health, mut drawer_health) = (HealthTeller::new(reports), HealthTeller::new(reports));
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
                used(reports, Kind::Printer, &printed);
                last_receipt.set(printer.rendering());
                match printed {
                    Ok(()) => tell(reports, Report::Printed { about, failure: None }),
                    Err(error) => unprinted = Some((about, Unprinted { error, begun: printer.has_begun() })),
                }
            }
            Ok(AtPrinter::OpenDrawer { ordered_at }) => {
                if ordered_at.elapsed() > DRAWER_WAIT_MAX {
                    tracing::warn!("the drawer was not opened: the printer hung, and nobody may be there any more");
                } else {
                    let opened = drawer.open(printer.as_mut());
                    used(reports, Kind::Drawer, &opened);
                    if let Err(error) = opened {
                        tracing::warn!(%error, "the drawer was not opened");
                    }
                }
            }
            Ok(AtPrinter::SelfTest(done)) => {
                let result = printer.self_test();
                used(reports, Kind::Printer, &result);
                last_receipt.set(printer.rendering());
                let _ = done.send(result);
            }
            Ok(AtPrinter::DrawerTest(done)) => {
                let opened = drawer.open(printer.as_mut());
                used(reports, Kind::Drawer, &opened);
                let _ = done.send(opened.map(|()| "the drawer is open now".to_owned()));
            }
            Ok(AtPrinter::Replace(other, done)) => {
                printer = other;
                printer_health.forget();
                let _ = done.send(first_health(reports, Kind::Printer, Some(printer.health())));
            }
            Ok(AtPrinter::ReplaceDrawer(other, done)) => {
                drawer = other;
                drawer_health.forget();
                let _ = done.send(first_health(reports, Kind::Drawer, Some(drawer.health())));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

pub(super) fn display(mut display: Box<dyn CustomerDisplay>, orders: &Receiver<AtDisplay>, reports: &Sender<Report>) {
    let mut health = HealthTeller::new(reports);
    loop {
        health.tell(display.health());
        match orders.recv_timeout(HEALTH_EVERY) {
            Ok(AtDisplay::Show(shown)) => {
                let showed = display.show(&shown);
                used(reports, Kind::Display, &showed);
                if let Err(error) = showed {
                    tracing::warn!(%error, "the customer display shows something old");
                }
            }
            Ok(AtDisplay::SelfTest(done)) => {
                let result = display.self_test();
                used(reports, Kind::Display, &result);
                let _ = done.send(result);
            }
            Ok(AtDisplay::Replace(other, done)) => {
                display = other;
                health.forget();
                let _ = done.send(first_health(reports, Kind::Display, Some(display.health())));
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Without a scanner it refuses the orders: whoever waits for one is told by the closed channel.
pub(super) fn scanner(mut scanner: Option<Box<dyn Scanner>>, orders: &Receiver<AtScanner>, reports: &Sender<Report>) {
    let mut health = HealthTeller::new(reports);
    let mut asked_at = None::<Instant>;
    loop {
        let order = if scanner.is_some() {
            match orders.try_recv() {
                Ok(order) => Some(order),
                Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => None,
            }
        } else {
            let Ok(order) = orders.recv() else { return };
            Some(order)
        };
        let order = match order {
            Some(AtScanner::Replace(other, done)) => {
                scanner = other;
                health.forget();
                // The old device is let go of before, and the new one is asked how it does below.
                asked_at = None;
                let _ =
                    done.send(first_health(reports, Kind::Scanner, scanner.as_mut().map(|scanner| scanner.health())));
                None
            }
            order => order,
        };
        let Some(scanner) = scanner.as_mut() else { continue };
        if asked_at.is_none_or(|at| at.elapsed() >= HEALTH_EVERY) {
            asked_at = Some(Instant::now());
            health.tell(scanner.health());
        }
        if let Some(AtScanner::SelfTest(done)) = order {
            let result = scanner.self_test();
            used(reports, Kind::Scanner, &result);
            let _ = done.send(result);
        }
        match scanner.read(SCAN_WAIT) {
            Ok(Some(text)) => {
                tell(reports, Report::Used { kind: Kind::Scanner, failure: None });
                tell(reports, Report::Scanned(ScannedCode::new(text)));
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(%error, "the scanner does not scan");
                asked_at = Some(Instant::now());
                // A code that is none costs that code alone: the next one is coming, and the kernel keeps few keys.
                if health.tell(scanner.health()) {
                    tell(reports, Report::Used { kind: Kind::Scanner, failure: Some(error) });
                } else {
                    thread::sleep(SCANNER_PAUSE);
                }
            }
        }
    }
}

/// As [`scanner`] without a scale.
pub(super) fn scale(mut scale: Option<Box<dyn Scale>>, orders: &Receiver<AtScale>, reports: &Sender<Report>) {
    let mut health = HealthTeller::new(reports);
    loop {
        if let Some(scale) = &mut scale {
            health.tell(scale.health());
        }
        let order = match orders.recv_timeout(HEALTH_EVERY) {
            Ok(order) => order,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let AtScale::Replace(other, done) = order {
            scale = other;
            health.forget();
            let _ = done.send(first_health(reports, Kind::Scale, scale.as_mut().map(|scale| scale.health())));
            continue;
        }
        let Some(scale) = &mut scale else { continue };
        match order {
            AtScale::Weigh(done) => {
                let weighed = at_rest(scale.as_mut(), Instant::now() + REST_WAIT);
                used(reports, Kind::Scale, &weighed);
                let _ = done.send(weighed);
            }
            AtScale::SelfTest(done) => {
                let result = scale.self_test();
                used(reports, Kind::Scale, &result);
                let _ = done.send(result);
            }
            AtScale::Replace(..) => {}
        }
    }
}

/// As [`scanner`] without a speaker.
pub(super) fn speaker(mut speaker: Option<Box<dyn Speaker>>, orders: &Receiver<AtSpeaker>, reports: &Sender<Report>) {
    let mut health = HealthTeller::new(reports);
    loop {
        if let Some(speaker) = &mut speaker {
            health.tell(speaker.health());
        }
        let order = match orders.recv_timeout(HEALTH_EVERY) {
            Ok(order) => order,
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if let AtSpeaker::Replace(other, done) = order {
            speaker = other;
            health.forget();
            let _ = done.send(first_health(reports, Kind::Speaker, speaker.as_mut().map(|speaker| speaker.health())));
            continue;
        }
        let Some(speaker) = &mut speaker else { continue };
        match order {
            AtSpeaker::Announce { ordered_at, .. } if ordered_at.elapsed() > SPEECH_WAIT_MAX => {
                tracing::warn!("an amount was not announced: it waited behind others for too long");
            }
            AtSpeaker::Announce { amount, .. } => {
                let said = speaker.announce(amount);
                used(reports, Kind::Speaker, &said);
                if let Err(error) = said {
                    tracing::warn!(%error, "an amount was not announced");
                }
            }
            AtSpeaker::SelfTest(done) => {
                let result = speaker.self_test();
                used(reports, Kind::Speaker, &result);
                let _ = done.send(result);
            }
            AtSpeaker::Replace(..) => {}
        }
    }
}
