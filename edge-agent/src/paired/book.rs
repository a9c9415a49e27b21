//! Who was let in, and the one-time code that lets the next one in. Pure: the clock and chance are passed in.

use std::fmt;

use saoma_protocol::Millis;
use serde::{Deserialize, Serialize};

use super::{
    Device, DeviceId, DeviceName, Peer, Role, Token,
    secret::{Code, Form},
};

/// Devices of one till: a large room's tablets, and more only by mistake.
pub const DEVICES_MAX: usize = 16;
/// A device that was not used for so long is not let in any more: 90 days.
pub const UNUSED_MS_MAX: i64 = 90 * 24 * 60 * 60 * 1000;
/// How long a code is good: to walk to a table with a tablet, and no longer.
pub const CODE_MS: i64 = 5 * 60 * 1000;
/// Wrong codes, from whomever they come; then the form to type is dead. Nobody guesses the whole one, and nobody on the shop's network
/// keeps it from being used.
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
    /// Names it, and the device that it lets in.
    pub id: DeviceId,
    /// The press that made it: the same one again is answered with the same code.
    pub key: String,
    pub code: Code,
    pub name: DeviceName,
    pub role: Role,
    made_at: Millis,
    wrong: u32,
    redeemed: Option<Redeemed>,
}

/// The code has done its work. Whoever redeemed it may not have heard so. With the code, `key` is a token: it does not print.
#[derive(Clone)]
struct Redeemed {
    key: String,
    /// The device has come in by its token since.
    has_come: bool,
}

impl fmt::Debug for Redeemed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redeemed")
    }
}

impl Offer {
    #[must_use]
    pub const fn until(&self) -> Millis {
        self.made_at.plus(CODE_MS)
    }

    /// A clock that was set back ends it as well.
    const fn is_good(&self, now: Millis) -> bool {
        let age_ms = now.since(self.made_at);
        0 <= age_ms && age_ms < CODE_MS
    }

    /// How many wrong codes are left; with none, it is the whole form alone that lets in.
    #[must_use]
    pub const fn tries_left(&self) -> u32 {
        WRONG_MAX.saturating_sub(self.wrong)
    }

    #[must_use]
    pub fn device(&self) -> Option<&DeviceId> {
        self.redeemed.as_ref().map(|_| &self.id)
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
    fn with(&self, device: Device, before: Option<&DeviceId>, known: Option<Millis>) -> Result<Self, PairError> {
        let stays = |other: &&Device| other.id != device.id && Some(&other.id) != before;
        let mut devices: Vec<Device> = self.0.iter().filter(stays).cloned().collect();
        if devices.len() >= DEVICES_MAX {
            devices.retain(|other| is_live(other, known));
        }
        if devices.len() >= DEVICES_MAX {
            return Err(PairError::Full);
        }
        devices.push(device);
        Ok(Self(devices))
    }
}

/// Whether it was used lately. `known`: what time it is, if core has said so. A terminal's own clock may be years off, and by that one
/// nobody is forgotten.
#[must_use]
pub const fn is_live(device: &Device, known: Option<Millis>) -> bool {
    match (known, device.seen_at) {
        (Some(now), Some(seen_at)) => now.since(seen_at) < UNUSED_MS_MAX,
        _ => true,
    }
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
    pub fn offer(
        &mut self,
        key: String,
        (name, role): (DeviceName, Role),
        (id, code): (DeviceId, Code),
        now: Millis,
    ) -> Option<&Offer> {
        let is_same = self.offered(now).is_some_and(|offer| offer.key == key);
        if !is_same {
            self.offer = Some(Offer { id, key, code, name, role, made_at: now, wrong: 0, redeemed: None });
            return self.offer.as_ref();
        }
        self.offer.as_ref().filter(|offer| offer.name == name && offer.role == role)
    }

    /// The code on offer, if it is good.
    #[must_use]
    pub fn offered(&self, now: Millis) -> Option<&Offer> {
        self.offer.as_ref().filter(|offer| offer.is_good(now))
    }

    /// Ends this one, if it is still on offer.
    pub fn withdraw(&mut self, id: &DeviceId) {
        self.offer = self.offer.take().filter(|offer| offer.id != *id);
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
        now: Millis,
        known: Option<Millis>,
    ) -> Result<(Devices, Device), PairError> {
        let Given { code, key, before } = *given;
        let offer = self.offer.as_mut().filter(|offer| offer.is_good(now)).ok_or(PairError::Over)?;
        match offer.code.form(code) {
            Some(Form::Whole) => {}
            _ if offer.wrong >= WRONG_MAX => return Err(PairError::Over),
            Some(Form::Short) => {}
            None => {
                offer.wrong += 1;
                return Err(PairError::Wrong { left: offer.tries_left() });
            }
        }
        if let Some(redeemed) = &offer.redeemed {
            let is_there = self.devices.0.iter().any(|device| device.id == offer.id);
            if redeemed.key != key || redeemed.has_come || !is_there {
                return Err(PairError::Over);
            }
        }
        let (id, name, role) = (offer.id.clone(), offer.name.clone(), offer.role);
        let paired_at = known.unwrap_or(now);
        let device = Device { id, name, role, token: token.hash(), paired_at, seen_at: known };
        let devices = self.devices.with(device.clone(), before, known)?;
        Ok((devices, device))
    }

    /// What [`Self::redeem`] said is on the disk.
    pub fn redeemed(&mut self, devices: Devices, key: &str) {
        self.devices = devices;
        if let Some(offer) = &mut self.offer {
            offer.redeemed = Some(Redeemed { key: key.to_owned(), has_come: false });
        }
    }

    /// Who shows this token, if it may come in. Each is compared, so that the time tells nothing.
    #[must_use]
    pub fn find(&self, token: &Token, known: Option<Millis>) -> Option<&Device> {
        let hash = token.hash();
        let found =
            self.devices.0.iter().fold(None, |found, device| if device.token == hash { Some(device) } else { found });
        found.filter(|device| is_live(device, known))
    }

    #[must_use]
    pub fn peer(&self, id: &DeviceId, known: Option<Millis>) -> Option<Peer> {
        let device = self.devices.0.iter().find(|device| device.id == *id && is_live(device, known))?;
        Some(Peer { id: device.id.clone(), name: device.name.clone(), role: device.role })
    }

    /// It was here just now, whenever that is.
    pub fn seen(&mut self, id: &DeviceId, known: Option<Millis>) {
        if let Some(device) = self.devices.0.iter_mut().find(|device| device.id == *id) {
            device.seen_at = known;
        }
        if let Some(redeemed) = self.offer.as_mut().filter(|offer| offer.id == *id).and_then(|o| o.redeemed.as_mut()) {
            redeemed.has_come = true;
        }
    }

    /// Core has said what time it is: what was used at a time that nobody knew, or in what was no future, was used now at the latest.
    /// Whether that changes anything.
    pub fn settle(&mut self, now: Millis) -> bool {
        let mut has_changed = false;
        for device in &mut self.devices.0 {
            if device.seen_at.is_none_or(|seen_at| seen_at > now) {
                device.seen_at = Some(now);
                has_changed = true;
            }
        }
        has_changed
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

    fn tablet(name: &str) -> (DeviceName, Role) {
        (name.parse().unwrap(), Role::Till)
    }

    fn drawn(code: Code) -> (DeviceId, Code) {
        (DeviceId::draw().unwrap(), code)
    }

    fn offered() -> (Book, Code) {
        let mut book = Book::default();
        let code = Code::draw().unwrap();
        book.offer("press".to_owned(), tablet("Tablet 1"), drawn(code.clone()), NOW);
        (book, code)
    }

    fn redeem(book: &mut Book, given: &str, key: &str, now: Millis) -> Result<(DeviceId, Token), PairError> {
        let token = Token::draw().unwrap();
        let given = Given { code: given, key, before: None };
        let (devices, device) = book.redeem(&given, &token, now, Some(now))?;
        book.redeemed(devices, key);
        Ok((device.id, token))
    }

    #[test]
    fn a_code_lets_one_device_in() {
        let (mut book, code) = offered();
        let (id, token) = redeem(&mut book, &code.short(), "k", NOW.plus(1_000)).unwrap();
        assert_eq!(book.find(&token, Some(NOW.plus(1_000))).unwrap().id, id);
        assert_eq!(redeem(&mut book, &code.whole(), "other", NOW.plus(2_000)).unwrap_err(), PairError::Over);
        assert!(book.find(&Token::draw().unwrap(), Some(NOW)).is_none());
        assert!(book.revoke(&id) && !book.revoke(&id));
        assert!(book.find(&token, None).is_none() && book.peer(&id, None).is_none());
    }

    #[test]
    fn a_lost_answer_is_asked_for_again_until_it_was_used() {
        let (mut book, code) = offered();
        let (id, lost) = redeem(&mut book, &code.whole(), "k", NOW).unwrap();
        let (again, token) = redeem(&mut book, &code.whole(), "k", NOW.plus(1)).unwrap();
        assert_eq!((again, book.devices.all().len()), (id.clone(), 1));
        assert!(book.find(&lost, None).is_none() && book.find(&token, None).is_some());
        book.seen(&id, None);
        assert_eq!(redeem(&mut book, &code.whole(), "k", NOW.plus(2)).unwrap_err(), PairError::Over);
        assert!(book.find(&token, None).is_some());
    }

    #[test]
    fn a_code_dies_by_wrong_ones_and_by_time() {
        let (mut book, code) = offered();
        for left in (0..WRONG_MAX).rev() {
            assert_eq!(redeem(&mut book, "0000-0000", "k", NOW).unwrap_err(), PairError::Wrong { left });
        }
        assert_eq!(redeem(&mut book, &code.short(), "k", NOW).unwrap_err(), PairError::Over);
        assert_eq!(redeem(&mut book, "0000-0000", "k", NOW).unwrap_err(), PairError::Over);
        assert!(redeem(&mut book, &code.whole(), "k", NOW).is_ok(), "whoever scans it is let in");

        for (later_ms, is_good) in [(0, true), (CODE_MS - 1, true), (CODE_MS, false), (-1, false)] {
            let (mut book, code) = offered();
            let now = NOW.plus(later_ms);
            assert_eq!(book.offered(now).is_some(), is_good, "{later_ms}");
            assert_eq!(redeem(&mut book, &code.short(), "k", now).is_ok(), is_good, "{later_ms}");
        }
        let (mut book, code) = offered();
        book.withdraw(&DeviceId::draw().unwrap());
        let id = book.offered(NOW).expect("that was another one").id.clone();
        book.withdraw(&id);
        assert_eq!(redeem(&mut book, &code.short(), "k", NOW).unwrap_err(), PairError::Over);
    }

    #[test]
    fn one_code_at_a_time_and_a_press_makes_one() {
        let (mut book, first) = offered();
        let made = |book: &mut Book, key: &str| {
            let fresh = drawn(Code::draw().unwrap());
            book.offer(key.to_owned(), tablet("Tablet 1"), fresh, NOW.plus(1)).unwrap().code.short()
        };
        assert_eq!(made(&mut book, "press"), first.short());
        let fresh = drawn(Code::draw().unwrap());
        assert!(book.offer("press".to_owned(), tablet("Phone"), fresh, NOW.plus(1)).is_none());
        assert_ne!(made(&mut book, "another"), first.short());
        assert_eq!(redeem(&mut book, &first.short(), "k", NOW.plus(1)).unwrap_err(), PairError::Wrong { left: 4 });
    }

    #[test]
    fn a_device_that_is_not_used_expires_and_makes_room() {
        let mut book = Book::default();
        let mut tokens = Vec::new();
        let pair = |book: &mut Book, now: Millis| {
            let code = Code::draw().unwrap();
            book.offer(now.0.to_string(), tablet("Tablet"), drawn(code.clone()), now);
            redeem(book, &code.short(), "k", now)
        };
        for number in 0..i64::try_from(DEVICES_MAX).unwrap() {
            tokens.push(pair(&mut book, NOW.plus(number)).unwrap());
        }
        assert_eq!(pair(&mut book, NOW.plus(1_000)).unwrap_err(), PairError::Full);
        let (first, token) = &tokens[0];
        let (last_day, after) = (Some(NOW.plus(UNUSED_MS_MAX - 1)), Some(NOW.plus(UNUSED_MS_MAX)));
        assert!(book.find(token, last_day).is_some() && book.find(token, after).is_none());
        assert!(book.peer(first, after).is_none());
        assert!(book.find(token, None).is_some(), "by a clock that nobody confirms, nobody is forgotten");
        // The others were used.
        for (id, _) in &tokens[1..] {
            book.seen(id, last_day);
        }
        let (_, fresh) = pair(&mut book, NOW.plus(UNUSED_MS_MAX)).unwrap();
        assert_eq!(book.devices.all().len(), DEVICES_MAX);
        assert!(book.find(&fresh, after).is_some());
    }

    #[test]
    fn a_wrong_clock_locks_nobody_out_and_keeps_nobody_for_years() {
        const YEAR_MS: i64 = 365 * 24 * 60 * 60 * 1000;
        let after = NOW.plus(UNUSED_MS_MAX);
        // What the disk said, whether it was used while nobody knew the time, and when it counts as used once core has said it.
        for (on_disk, is_used, seen_at) in [
            (Some(Millis(1_000)), false, Some(Millis(1_000))),
            (Some(Millis(1_000)), true, Some(NOW)),
            (Some(NOW.plus(5 * YEAR_MS)), false, Some(NOW)),
            (Some(NOW.plus(5 * YEAR_MS)), true, Some(NOW)),
            (Some(NOW.plus(-1_000)), false, Some(NOW.plus(-1_000))),
            (Some(NOW.plus(-1_000)), true, Some(NOW)),
            (None, false, Some(NOW)),
        ] {
            let (mut book, code) = offered();
            let (id, token) = redeem(&mut book, &code.short(), "k", NOW).unwrap();
            book.devices.0[0].seen_at = on_disk;
            assert!(book.find(&token, None).is_some(), "{on_disk:?}");
            if is_used {
                book.seen(&id, None);
            }
            assert_eq!(book.settle(NOW), book.devices.0[0].seen_at != on_disk, "{on_disk:?} {is_used}");
            assert_eq!(book.devices.0[0].seen_at, seen_at, "{on_disk:?} {is_used}");
            assert_eq!(book.find(&token, Some(NOW)).is_some(), seen_at != Some(Millis(1_000)));
            assert!(book.find(&token, Some(after)).is_none(), "{on_disk:?} {is_used}");
        }
    }
}
