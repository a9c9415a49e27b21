//! Who was let in, and the one-time code that lets the next one in. Pure: the clock and chance are passed in.

use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};

use super::{Device, DeviceId, DeviceName, Peer, Role, Token, secret::Code};

/// Devices of one till: a large room's tablets, and more only by mistake.
pub const DEVICES_MAX: usize = 16;
/// A device that was not used for so long is not let in any more: 90 days.
pub const UNUSED_MS_MAX: i64 = 90 * 24 * 60 * 60 * 1000;
/// How long a code is good: to walk to a table with a tablet, and no longer.
pub const CODE_MS: i64 = 5 * 60 * 1000;
/// Wrong codes, from whomever they come; then the code is dead.
pub const WRONG_MAX: u32 = 5;

/// Why nobody is let in by this code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    #[error("no device is being paired, or the code is over: make another one at the till")]
    Over,
    #[error("the code is wrong; {left} more {} before it is dead", if *.left == 1 { "try" } else { "tries" })]
    Wrong { left: u32 },
    #[error("{DEVICES_MAX} devices are paired, and that is as many as there may be: revoke one at the till")]
    Full,
}

/// A code that was made at the till, for one device.
#[derive(Clone, Debug)]
pub struct Offer {
    /// The press that made it: the same one again is answered with the same code.
    pub key: String,
    pub code: Code,
    pub name: DeviceName,
    pub role: Role,
    made_at: Millis,
    wrong: u32,
    redeemed: Option<Redeemed>,
}

/// The code has done its work. Whoever redeemed it may not have heard so.
#[derive(Clone, Debug)]
struct Redeemed {
    key: String,
    device: DeviceId,
}

impl Offer {
    #[must_use]
    pub const fn until(&self) -> Millis {
        self.made_at.plus(CODE_MS)
    }

    /// A clock that was set back ends it as well.
    const fn is_good(&self, now: Millis) -> bool {
        let age_ms = now.since(self.made_at);
        0 <= age_ms && age_ms < CODE_MS && self.wrong < WRONG_MAX
    }

    /// How many wrong codes are left.
    #[must_use]
    pub const fn tries_left(&self) -> u32 {
        WRONG_MAX.saturating_sub(self.wrong)
    }

    #[must_use]
    pub fn device(&self) -> Option<&DeviceId> {
        self.redeemed.as_ref().map(|redeemed| &redeemed.device)
    }
}

/// What is kept of the devices.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Devices(Vec<Device>);

impl Devices {
    #[must_use]
    pub fn all(&self) -> &[Device] {
        &self.0
    }

    /// # Errors
    /// `Full` if there are as many as there may be, and all of them are used.
    fn with(&self, device: Device, before: Option<&DeviceId>, now: Millis) -> Result<Self, PairError> {
        let stays = |other: &&Device| other.id != device.id && Some(&other.id) != before;
        let mut devices: Vec<Device> = self.0.iter().filter(stays).cloned().collect();
        if devices.len() >= DEVICES_MAX {
            devices.retain(|other| is_live(other, now));
        }
        if devices.len() >= DEVICES_MAX {
            return Err(PairError::Full);
        }
        devices.push(device);
        Ok(Self(devices))
    }
}

/// Whether it was used lately. A clock that was ahead and is right again forgets nobody.
#[must_use]
pub const fn is_live(device: &Device, now: Millis) -> bool {
    now.since(device.seen_at) < UNUSED_MS_MAX
}

/// What somebody gave to be let in.
#[derive(Clone, Copy)]
pub struct Given<'a> {
    pub code: &'a str,
    /// The same again is asked by whoever got no answer.
    pub key: &'a str,
    /// The device that it was until now; it is that no more once it is let in.
    pub before: Option<&'a DeviceId>,
}

/// The devices, and the code that is on offer.
#[derive(Debug, Default)]
pub struct Book {
    pub devices: Devices,
    offer: Option<Offer>,
}

impl Book {
    #[must_use]
    pub const fn new(devices: Devices) -> Self {
        Self { devices, offer: None }
    }

    /// Puts `code` on offer, in the place of any other. The same press again has the code that it made, as long as that is good; none,
    /// if that was for another device.
    pub fn offer(&mut self, key: String, name: DeviceName, role: Role, code: Code, now: Millis) -> Option<&Offer> {
        let is_same = self.offered(now).is_some_and(|offer| offer.key == key);
        if !is_same {
            self.offer = Some(Offer { key, code, name, role, made_at: now, wrong: 0, redeemed: None });
            return self.offer.as_ref();
        }
        self.offer.as_ref().filter(|offer| offer.name == name && offer.role == role)
    }

    /// The code on offer, if it is good.
    #[must_use]
    pub fn offered(&self, now: Millis) -> Option<&Offer> {
        self.offer.as_ref().filter(|offer| offer.is_good(now))
    }

    pub fn withdraw(&mut self) {
        self.offer = None;
    }

    /// Checks a code that somebody gave, and what is to be kept if it is right: nothing is changed but the count of wrong ones.
    /// [`Self::redeemed`] follows once that is on the disk.
    ///
    /// Whoever got no answer asks again with the same `key` while the code is good, and gets another token in the place of
    /// the first, for the same device; but only until that device has come in by one.
    ///
    /// # Errors
    /// `Over`, `Wrong`, `Full`.
    pub fn redeem(
        &mut self,
        given: &Given<'_>,
        token: &Token,
        fresh: DeviceId,
        now: Millis,
    ) -> Result<(Devices, Device), PairError> {
        let Given { code, key, before } = *given;
        let offer = self.offer.as_mut().filter(|offer| offer.is_good(now)).ok_or(PairError::Over)?;
        if !offer.code.is(code) {
            offer.wrong += 1;
            return Err(PairError::Wrong { left: offer.tries_left() });
        }
        let id = match &offer.redeemed {
            None => fresh,
            Some(redeemed) => {
                let is_unused = |device: &Device| device.id == redeemed.device && device.seen_at == device.paired_at;
                if redeemed.key != key || !self.devices.0.iter().any(is_unused) {
                    return Err(PairError::Over);
                }
                redeemed.device.clone()
            }
        };
        let (name, role) = (offer.name.clone(), offer.role);
        let device = Device { id, name, role, token: token.hash(), paired_at: now, seen_at: now };
        let devices = self.devices.with(device.clone(), before, now)?;
        Ok((devices, device))
    }

    /// What [`Self::redeem`] said is on the disk.
    pub fn redeemed(&mut self, devices: Devices, key: &str, device: &DeviceId) {
        self.devices = devices;
        if let Some(offer) = &mut self.offer {
            offer.redeemed = Some(Redeemed { key: key.to_owned(), device: device.clone() });
        }
    }

    /// Who shows this token, if it may come in. Each is compared, so that the time tells nothing.
    #[must_use]
    pub fn find(&self, token: &Token, now: Millis) -> Option<&Device> {
        let hash = token.hash();
        let found =
            self.devices.0.iter().fold(None, |found, device| if device.token == hash { Some(device) } else { found });
        found.filter(|device| is_live(device, now))
    }

    #[must_use]
    pub fn peer(&self, id: &DeviceId, now: Millis) -> Option<Peer> {
        let device = self.devices.0.iter().find(|device| device.id == *id && is_live(device, now))?;
        Some(Peer { id: device.id.clone(), name: device.name.clone(), role: device.role })
    }

    /// It was here just now.
    pub fn seen(&mut self, id: &DeviceId, now: Millis) {
        if let Some(device) = self.devices.0.iter_mut().find(|device| device.id == *id) {
            // Once it has come in, its code is over for good, whatever the clock says.
            device.seen_at = if now == device.paired_at { now.plus(1) } else { now };
        }
    }

    /// Lets it in no more. Whether it was there.
    pub fn revoke(&mut self, id: &DeviceId) -> bool {
        let before = self.devices.0.len();
        self.devices.0.retain(|device| device.id != *id);
        before != self.devices.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Millis = Millis(1_790_000_000_000);

    fn offered() -> (Book, Code) {
        let mut book = Book::default();
        let code = Code::draw().unwrap();
        book.offer("press".to_owned(), "Tablet 1".parse().unwrap(), Role::Till, code.clone(), NOW);
        (book, code)
    }

    fn redeem(book: &mut Book, given: &str, key: &str, now: Millis) -> Result<(DeviceId, Token), PairError> {
        let token = Token::draw().unwrap();
        let given = Given { code: given, key, before: None };
        let (devices, device) = book.redeem(&given, &token, DeviceId::draw().unwrap(), now)?;
        book.redeemed(devices, key, &device.id);
        Ok((device.id, token))
    }

    #[test]
    fn a_code_lets_one_device_in() {
        let (mut book, code) = offered();
        let (id, token) = redeem(&mut book, &code.short(), "k", NOW.plus(1_000)).unwrap();
        assert_eq!(book.find(&token, NOW.plus(1_000)).unwrap().id, id);
        assert_eq!(redeem(&mut book, &code.whole(), "other", NOW.plus(2_000)).unwrap_err(), PairError::Over);
        assert!(book.find(&Token::draw().unwrap(), NOW).is_none());
        assert!(book.revoke(&id) && !book.revoke(&id));
        assert!(book.find(&token, NOW.plus(3_000)).is_none() && book.peer(&id, NOW).is_none());
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_until_it_was_used() {
        let (mut book, code) = offered();
        let (id, lost) = redeem(&mut book, &code.whole(), "k", NOW).unwrap();
        let (again, token) = redeem(&mut book, &code.whole(), "k", NOW.plus(1)).unwrap();
        assert_eq!((again, book.devices.all().len()), (id.clone(), 1));
        assert!(book.find(&lost, NOW).is_none() && book.find(&token, NOW.plus(1)).is_some());
        book.seen(&id, NOW.plus(1));
        assert_eq!(redeem(&mut book, &code.whole(), "k", NOW.plus(2)).unwrap_err(), PairError::Over);
        assert!(book.find(&token, NOW.plus(2)).is_some());
    }

    #[test]
    fn a_code_dies_by_wrong_ones_and_by_time() {
        let (mut book, code) = offered();
        for left in (0..WRONG_MAX).rev() {
            assert_eq!(redeem(&mut book, "0000-0000", "k", NOW).unwrap_err(), PairError::Wrong { left });
        }
        assert_eq!(redeem(&mut book, &code.short(), "k", NOW).unwrap_err(), PairError::Over);

        for (later_ms, is_good) in [(0, true), (CODE_MS - 1, true), (CODE_MS, false), (-1, false)] {
            let (mut book, code) = offered();
            let now = NOW.plus(later_ms);
            assert_eq!(book.offered(now).is_some(), is_good, "{later_ms}");
            assert_eq!(redeem(&mut book, &code.short(), "k", now).is_ok(), is_good, "{later_ms}");
        }
        let (mut book, code) = offered();
        book.withdraw();
        assert_eq!(redeem(&mut book, &code.short(), "k", NOW).unwrap_err(), PairError::Over);
    }

    #[test]
    fn one_code_at_a_time_and_a_press_makes_one() {
        let (mut book, first) = offered();
        let made = |book: &mut Book, key: &str| {
            let name = "Tablet 1".parse().unwrap();
            book.offer(key.to_owned(), name, Role::Till, Code::draw().unwrap(), NOW.plus(1)).unwrap().code.short()
        };
        assert_eq!(made(&mut book, "press"), first.short());
        let other = "Phone".parse().unwrap();
        assert!(book.offer("press".to_owned(), other, Role::Till, Code::draw().unwrap(), NOW.plus(1)).is_none());
        assert_ne!(made(&mut book, "another"), first.short());
        assert_eq!(redeem(&mut book, &first.short(), "k", NOW.plus(1)).unwrap_err(), PairError::Wrong { left: 4 });
    }

    #[test]
    fn a_device_that_is_not_used_expires_and_makes_room() {
        let mut book = Book::default();
        let mut tokens = Vec::new();
        let pair = |book: &mut Book, now: Millis| {
            let code = Code::draw().unwrap();
            book.offer(now.0.to_string(), "Tablet".parse().unwrap(), Role::Till, code.clone(), now);
            redeem(book, &code.short(), "k", now)
        };
        for number in 0..i64::try_from(DEVICES_MAX).unwrap() {
            tokens.push(pair(&mut book, NOW.plus(number)).unwrap());
        }
        assert_eq!(pair(&mut book, NOW.plus(1_000)).unwrap_err(), PairError::Full);
        let (first, token) = &tokens[0];
        let last_day = NOW.plus(UNUSED_MS_MAX - 1);
        assert!(book.find(token, last_day).is_some() && book.find(token, NOW.plus(UNUSED_MS_MAX)).is_none());
        assert!(book.peer(first, NOW.plus(UNUSED_MS_MAX)).is_none());
        // The others were used.
        for (id, _) in &tokens[1..] {
            book.seen(id, last_day);
        }
        let (_, fresh) = pair(&mut book, NOW.plus(UNUSED_MS_MAX)).unwrap();
        assert_eq!(book.devices.all().len(), DEVICES_MAX);
        assert!(book.find(&fresh, NOW.plus(UNUSED_MS_MAX)).is_some());
        // It was only the clock, which was set right again.
        assert!(book.find(&tokens[1].1, NOW).is_some());
    }
}
