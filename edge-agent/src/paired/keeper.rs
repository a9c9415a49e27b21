//! The devices on the disk, and who is asked about each request.
//!
//! Whoever is let in is on the disk first. Whoever is revoked is out at once; what the disk refused then is tried again until it takes
//! it. When a device was here last is told by core's clock alone. A file that cannot be read lets nobody in.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    Device, DeviceId, DeviceName, Peer, Role, Token,
    book::{Book, Devices, Given, Offer, PairError},
    secret::{Code, NoChance},
};
use crate::{
    journal::{Beside, JournalError},
    link::https::Core,
};

/// The version of the file that this code writes and reads.
const VERSION: u16 = 1;
/// When a device was here is written this often: it is for people and for 90 days.
const SEEN_MS: i64 = 60 * 60 * 1000;
/// How often it is looked whether something is to be written.
const DUE_EVERY: Duration = Duration::from_secs(5);
/// How often core is asked what time it is, until it has said so, and from then on.
const CLOCK_EVERY: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(60 * 60)];

/// What is in the file.
#[derive(Serialize, Deserialize)]
struct Kept {
    v: u16,
    devices: Devices,
}

/// Why nobody was let in.
#[derive(Debug, thiserror::Error)]
pub enum RedeemError {
    #[error(transparent)]
    Pair(#[from] PairError),
    #[error(transparent)]
    Chance(#[from] NoChance),
    #[error(transparent)]
    Disk(#[from] JournalError),
}

/// What the file says.
///
/// # Errors
/// Those of the file; `Unreadable` if it says what this code does not understand.
pub fn read(file: &Beside) -> Result<Devices, JournalError> {
    let Some(text) = file.read()? else { return Ok(Devices::default()) };
    let kept: Kept = serde_json::from_str(&text).map_err(|error| JournalError::Unreadable(error.to_string()))?;
    if kept.v == VERSION {
        Ok(kept.devices)
    } else {
        Err(JournalError::Unreadable("a newer saoma-edge wrote the paired devices".to_owned()))
    }
}

/// The devices of this till.
pub struct Paired {
    /// None where nobody is or can be let in.
    file: Option<Beside>,
    inner: Mutex<Inner>,
    /// Taken before `inner` by whoever writes, so that nothing older is written over what is newer.
    writing: Mutex<()>,
    /// Tells open streams to look whether they may go on.
    changed: watch::Sender<()>,
}

struct Inner {
    book: Book,
    /// As they are on the disk.
    written: Devices,
    /// It is to be written: a restart would bring back who was revoked, or a wrong clock's time.
    is_due: bool,
    /// The disk refused it the last time.
    is_refused: bool,
    /// Why nobody is let in who was.
    trouble: Option<String>,
    /// What core said of the time, and when.
    clock: Option<(Millis, Instant)>,
}

impl Inner {
    /// What time it is, if core has said so. By the clock that nobody sets since then.
    fn known(&self) -> Option<Millis> {
        let since = |at: Instant| i64::try_from(at.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.clock.map(|(said, at)| said.plus(since(at)))
    }

    fn seen(&mut self, id: &DeviceId) {
        let known = self.known();
        self.book.seen(id, known);
        // Until it is known, the disk keeps what it has.
        let Some(now) = known else { return };
        let written = self.written.all().iter().find(|device| device.id == *id).and_then(|device| device.seen_at);
        self.is_due |= !written.is_some_and(|seen_at| (0..SEEN_MS).contains(&now.since(seen_at)));
    }
}

/// How things stand, for the till's page.
pub struct Standing {
    pub devices: Vec<Device>,
    /// Those that were revoked and are still on the disk.
    pub leaving: Vec<Device>,
    pub offer: Option<Offer>,
    /// Why those of before are not let in.
    pub trouble: Option<String>,
}

impl Paired {
    #[must_use]
    pub fn open(file: Option<Beside>) -> Self {
        let (devices, trouble) = match file.as_ref().map_or_else(|| Ok(Devices::default()), read) {
            Ok(devices) => (devices, None),
            Err(error) => {
                let why = error.chain();
                tracing::error!(
                    error = why,
                    "the paired devices cannot be read: none is let in until it is paired again"
                );
                (Devices::default(), Some(why))
            }
        };
        let book = Book::new(devices.clone());
        let inner = Inner { book, written: devices, is_due: false, is_refused: false, trouble, clock: None };
        Self { file, inner: Mutex::new(inner), writing: Mutex::new(()), changed: watch::Sender::new(()) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, devices: Devices) -> Result<Devices, JournalError> {
        let kept = Kept { v: VERSION, devices };
        let text = serde_json::to_string(&kept).map_err(|error| JournalError::Unreadable(error.to_string()))?;
        self.file.as_ref().map_or(Ok(()), |file| file.write(&text)).map(|()| kept.devices)
    }

    fn write(&self, inner: &mut Inner, devices: Devices) -> Result<(), JournalError> {
        inner.written = self.put(devices)?;
        (inner.is_due, inner.is_refused) = (false, false);
        Ok(())
    }

    /// Tries again what the disk refused, and asks `core` what time it is. For as long as it is polled.
    pub async fn tend(self: Arc<Self>, core: Option<Core>) {
        let mut asked_at: Option<Instant> = None;
        loop {
            let every = CLOCK_EVERY[usize::from(self.inner().clock.is_some())];
            if let Some(core) = core.as_ref().filter(|_| asked_at.is_none_or(|at| at.elapsed() >= every)) {
                asked_at = Some(Instant::now());
                if let Ok(Some(now)) = core.clock().await {
                    self.confirm(now);
                }
            }
            if self.inner().is_due {
                let paired = Arc::clone(&self);
                // One that was cut off is tried again.
                let _ = tokio::task::spawn_blocking(move || paired.write_due()).await;
            }
            tokio::time::sleep(DUE_EVERY).await;
        }
    }

    /// What time it is, if core has said so since the start.
    #[must_use]
    pub fn known(&self) -> Option<Millis> {
        self.inner().known()
    }

    /// Core says that it is `now`.
    fn confirm(&self, now: Millis) {
        let mut inner = self.inner();
        inner.clock = Some((now, Instant::now()));
        inner.is_due |= inner.book.settle(now);
        // Whoever was not here for too long is let in no more.
        self.changed.send_replace(());
    }

    /// Nobody who asks at a door waits for it.
    fn write_due(&self) {
        let _writing = self.writing();
        let devices = {
            let mut inner = self.inner();
            inner.is_due = false;
            inner.book.devices.clone()
        };
        let put = self.put(devices);
        let mut inner = self.inner();
        match put {
            Ok(written) => (inner.written, inner.is_refused) = (written, false),
            Err(error) => {
                inner.is_due = true;
                if !inner.is_refused {
                    tracing::warn!(error = error.chain(), "the paired devices cannot be written down yet");
                }
                inner.is_refused = true;
            }
        }
    }

    /// Who shows this token, if it may come in.
    pub fn comes(&self, token: &Token) -> Option<Peer> {
        let mut inner = self.inner();
        let known = inner.known();
        let id = inner.book.find(token, known)?.id.clone();
        inner.seen(&id);
        inner.book.peer(&id, known)
    }

    /// Whether it may stay, which it does just now.
    pub fn stays(&self, id: &DeviceId) -> bool {
        let mut inner = self.inner();
        let known = inner.known();
        let is_let = inner.book.peer(id, known).is_some();
        if is_let {
            inner.seen(id);
        }
        is_let
    }

    /// A stream that listens hears here that it should ask whether it may stay.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Makes a code for one device; none if the same press made one for another.
    ///
    /// # Errors
    /// `NoChance`.
    pub fn offer(&self, key: String, name: DeviceName, role: Role, now: Millis) -> Result<Option<Offer>, NoChance> {
        let drawn = (DeviceId::draw()?, Code::draw()?);
        let offer = self.inner().book.offer(key, (name, role), drawn, now).cloned();
        if let Some(offer) = &offer {
            tracing::info!(device = %offer.name, ?role, "a device may be paired");
        }
        Ok(offer)
    }

    pub fn withdraw(&self, id: &DeviceId) {
        self.inner().book.withdraw(id);
    }

    /// Lets the device in that has this code; the token is said once, here. `shown`: the one that it had, if it was paired before.
    ///
    /// # Errors
    /// `Pair`, `Chance`, `Disk`: it is not let in.
    pub fn redeem(
        &self,
        code: &str,
        key: &str,
        shown: Option<&Token>,
        now: Millis,
    ) -> Result<(Peer, Token), RedeemError> {
        let token = Token::draw()?;
        let _writing = self.writing();
        let mut inner = self.inner();
        let known = inner.known();
        let before = shown.and_then(|shown| inner.book.find(shown, known)).map(|device| device.id.clone());
        let given = Given { code, key, before: before.as_ref() };
        let (devices, device) = inner.book.redeem(&given, &token, now, known).inspect_err(|error| match error {
            // Anybody can ask, as often as they like.
            PairError::Over => tracing::debug!(%error, "a device was not paired"),
            PairError::Wrong { .. } | PairError::Full => tracing::warn!(%error, "a device was not paired"),
        })?;
        self.write(&mut inner, devices.clone())?;
        inner.trouble = None;
        inner.book.redeemed(devices, key);
        self.changed.send_replace(());
        let Device { id, name, role, .. } = device;
        tracing::info!(device = %name, device_id = id.0, ?role, "a device was paired");
        Ok((Peer { id, name, role }, token))
    }

    /// Lets it in no more, from this moment on. One that is not there is as good.
    ///
    /// # Errors
    /// If the disk does not take it: after a restart it would be let in again. It is tried again until the disk does.
    pub fn revoke(&self, id: &DeviceId) -> Result<(), JournalError> {
        {
            let mut inner = self.inner();
            if inner.book.revoke(id) {
                inner.is_due = true;
                tracing::info!(device_id = id.0, "a device was revoked");
                self.changed.send_replace(());
            }
        }
        let _writing = self.writing();
        let mut inner = self.inner();
        if inner.is_due {
            let devices = inner.book.devices.clone();
            self.write(&mut inner, devices)?;
        }
        Ok(())
    }

    #[must_use]
    pub fn standing(&self, now: Millis) -> Standing {
        let inner = self.inner();
        let devices = inner.book.devices.all().to_vec();
        let is_gone = |device: &&Device| !devices.iter().any(|other| other.id == device.id);
        let leaving = inner.written.all().iter().filter(is_gone).cloned().collect();
        Standing { leaving, offer: inner.book.offered(now).cloned(), trouble: inner.trouble.clone(), devices }
    }
}
