//! The devices on the disk, and who is asked about each request.
//!
//! Whoever is let in is on the disk first. Whoever is revoked is out at once, and it is written as soon as the disk takes it. A file that
//! cannot be read lets nobody in.

use std::sync::{Mutex, MutexGuard, PoisonError};

use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{
    Device, DeviceId, DeviceName, Peer, Role, Token,
    book::{Book, Devices, Given, Offer, PairError},
    secret::{Code, NoChance},
};
use crate::journal::{Beside, JournalError};

/// The version of the file that this code writes and reads.
const VERSION: u16 = 1;
/// When a device was here is written this often: it is for people and for 90 days.
const SEEN_MS: i64 = 60 * 60 * 1000;
/// How long a disk that refused is left alone.
const AGAIN_MS: i64 = 60 * 1000;

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
    file: Beside,
    inner: Mutex<Inner>,
    /// Tells open streams to look whether they may go on.
    changed: watch::Sender<()>,
}

struct Inner {
    book: Book,
    /// As they are on the disk.
    written: Devices,
    /// The disk refused then.
    refused_at: Option<Millis>,
    /// Why nobody is let in who was.
    trouble: Option<String>,
}

impl Paired {
    #[must_use]
    pub fn open(file: Beside) -> Self {
        let (devices, trouble) = match read(&file) {
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
        let inner = Inner { book: Book::new(devices.clone()), written: devices, refused_at: None, trouble };
        Self { file, inner: Mutex::new(inner), changed: watch::Sender::new(()) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, devices: &Devices) -> Result<(), JournalError> {
        let kept = Kept { v: VERSION, devices: devices.clone() };
        let text = serde_json::to_string(&kept).map_err(|error| JournalError::Unreadable(error.to_string()))?;
        self.file.write(&text)
    }

    /// Who shows this token, if it may come in.
    pub fn comes(&self, token: &Token, now: Millis) -> Option<Peer> {
        let mut inner = self.inner();
        let id = inner.book.find(token, now)?.id.clone();
        self.seen(&mut inner, &id, now);
        inner.book.peer(&id, now)
    }

    /// Whether it may stay, which it does just now.
    pub fn stays(&self, id: &DeviceId, now: Millis) -> bool {
        let mut inner = self.inner();
        let is_let = inner.book.peer(id, now).is_some();
        if is_let {
            self.seen(&mut inner, id, now);
        }
        is_let
    }

    fn seen(&self, inner: &mut Inner, id: &DeviceId, now: Millis) {
        inner.book.seen(id, now);
        let written = inner.written.all().iter().find(|device| device.id == *id);
        if written.is_some_and(|device| (0..SEEN_MS).contains(&now.since(device.seen_at))) {
            return;
        }
        if inner.refused_at.is_some_and(|at| (0..AGAIN_MS).contains(&now.since(at))) {
            return;
        }
        match self.write(&inner.book.devices) {
            Ok(()) => (inner.written, inner.refused_at) = (inner.book.devices.clone(), None),
            Err(error) => {
                inner.refused_at = Some(now);
                tracing::warn!(error = error.chain(), "when paired devices were here cannot be written down");
            }
        }
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
        let code = Code::draw()?;
        let offer = self.inner().book.offer(key, name, role, code, now).cloned();
        if let Some(offer) = &offer {
            tracing::info!(device = %offer.name, ?role, "a device may be paired");
        }
        Ok(offer)
    }

    pub fn withdraw(&self) {
        self.inner().book.withdraw();
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
        let (token, fresh) = (Token::draw()?, DeviceId::draw()?);
        let mut inner = self.inner();
        let before = shown.and_then(|shown| inner.book.find(shown, now)).map(|device| device.id.clone());
        let given = Given { code, key, before: before.as_ref() };
        let (devices, device) = inner.book.redeem(&given, &token, fresh, now).inspect_err(|error| {
            tracing::warn!(%error, "a device was not paired");
        })?;
        self.write(&devices)?;
        inner.written = devices.clone();
        inner.trouble = None;
        inner.book.redeemed(devices, key, &device.id);
        self.changed.send_replace(());
        let Device { id, name, role, .. } = device;
        tracing::info!(device = %name, device_id = id.0, ?role, "a device was paired");
        Ok((Peer { id, name, role }, token))
    }

    /// Lets it in no more, from this moment on. One that is not there is as good.
    ///
    /// # Errors
    /// If the disk does not take it: after a restart it would be let in again.
    pub fn revoke(&self, id: &DeviceId) -> Result<(), JournalError> {
        let mut inner = self.inner();
        if inner.book.revoke(id) {
            tracing::info!(device_id = id.0, "a device was revoked");
            self.changed.send_replace(());
        }
        if inner.written != inner.book.devices {
            self.write(&inner.book.devices)?;
            inner.written = inner.book.devices.clone();
        }
        Ok(())
    }

    /// The devices, the code on offer, and why those of before are not let in.
    #[must_use]
    pub fn standing(&self, now: Millis) -> (Vec<Device>, Option<Offer>, Option<String>) {
        let inner = self.inner();
        (inner.book.devices.all().to_vec(), inner.book.offered(now).cloned(), inner.trouble.clone())
    }
}
