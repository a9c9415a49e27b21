//! The terminal's desk: what it keeps (`kv`), its sign-on, and one message to the acquirer with its answer.

use std::{cell::Cell, time::Duration};

use saoma_channel_sdk::{
    Account, Error,
    bindings::saoma::channel::keys,
    card::{self, PresentedCard},
    clock, kv, log, misconfigured, no_answer, not_sent, settings,
    tcp::{CardValue, Digits, LengthHeader, MacAlgorithm, Message, PinBlock, PinFormat},
};

use crate::{
    messages::{
        Settings,
        codec::{self, Draft, Encoded, MAC_BEGINS_AT, Part},
        read::{self, Heard, NotSignedOn},
        settings::Mac,
    },
    record::State,
};

/// The secrets.
pub const MASTER_KEY: &str = "terminal-master-key";
pub const DATA_KEY: &str = "terminal-data-key";
pub const PIN_KEY: &str = "terminal-pin-key";
pub const CERTIFICATES: &str = "acquirer-certificates";

/// Pairs of slots for working keys, of the 8 slots that there are. Each sign-on takes the next pair, so that two at once leave no
/// key for PINs beside one for MACs of another sign-on: then a right PIN would be called wrong.
const KEY_PAIRS: u64 = 4;
/// Sign-ons of one call: the host loads 8 keys in one, and more than two or three mean that they do not help.
const SIGN_ONS_MAX: usize = 4;

/// Orders that are kept once they are over, for a core that did not hear of it; each takes two keys of the 1,000 there are.
const SLOTS: u64 = 400;
/// Slots that are looked at for one whose order is over. Each costs four operations of the 100 that a call has.
const SLOTS_TRIED: usize = 12;
/// The largest trace number; after it comes 1.
const TRACE_MAX: u64 = 999_999;
/// Batches begin with it where none is known.
const FIRST_BATCH: u32 = 1;

pub struct Desk {
    pub settings: Settings,
    /// The card that the call is about.
    pub card: Option<PresentedCard>,
    prefix: ([u8; 5], [u8; 6]),
    sign_ons: Cell<usize>,
}

/// What a sign-on gave: the batch that is open, and which pair of slots has the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    pub batch: u32,
    keys: u64,
}

impl Session {
    fn text(self) -> String {
        format!("{}/{}", self.batch, self.keys)
    }

    fn from_text(text: &str) -> Option<Self> {
        let (batch, keys) = text.split_once('/')?;
        Some(Self { batch: batch.parse().ok()?, keys: keys.parse().ok()? })
    }

    fn pin_slot(self) -> String {
        format!("pin-{}", self.keys)
    }

    fn mac_slot(self) -> String {
        format!("mac-{}", self.keys)
    }
}

/// What became of a message.
pub enum Outcome {
    Heard(Heard),
    /// There are no working keys: nothing was sent.
    NoKeys,
}

impl Desk {
    /// # Errors
    /// `misconfigured`.
    pub fn open(account: &Account) -> Result<Self, Error> {
        let settings: Settings = settings(account)?;
        let prefix = settings.prefix()?;
        Ok(Self { settings, card: card::presented(), prefix, sign_ons: Cell::new(0) })
    }

    /// The card that the call is about.
    ///
    /// # Errors
    /// `no-answer`: core has kept none.
    pub fn card(&self) -> Result<&PresentedCard, Error> {
        self.card.as_ref().ok_or_else(|| no_answer("core has no card for this payment: ask the acquirer by hand"))
    }

    /// Sends a message with a MAC. That it may have been received and was not answered is `Heard::Unclear`.
    ///
    /// # Errors
    /// `not-sent`, `misconfigured`: it never went out.
    pub fn exchange(&self, draft: &Draft, session: Session) -> Result<Outcome, Error> {
        let encoded = self.encoded(draft)?;
        let algorithm = match self.settings.mac {
            Mac::UnionpayEcb => MacAlgorithm::UnionpayEcb,
            Mac::Retail => MacAlgorithm::Retail,
        };
        let mut message = self.message(encoded.bytes).mac(&session.mac_slot(), algorithm, length(MAC_BEGINS_AT));
        for (at, part) in encoded.card {
            let value = match part {
                Part::Number => CardValue::Number(Digits::Packed),
                Part::Expiry => CardValue::Expiry(Digits::Packed),
                Part::Track2 => CardValue::Track2(Digits::Packed),
                Part::PinBlock => CardValue::PinBlock(PinBlock { key: session.pin_slot(), format: PinFormat::Iso0 }),
            };
            message = message.card(length(at), value);
        }
        Ok(match message.exchange() {
            Ok(None) => Outcome::NoKeys,
            Ok(Some(answer)) => {
                let heard = read::heard(&self.settings, draft, &answer.message, answer.mac_fits, clock::now());
                if matches!(&heard, Heard::Answered(said) if said.sign_on_after) {
                    self.forget_session();
                }
                Outcome::Heard(heard)
            }
            Err(Error::NoAnswer(why)) => Outcome::Heard(Heard::Unclear { why, reason: read::NO_ANSWER }),
            Err(error) => return Err(error),
        })
    }

    fn encoded(&self, draft: &Draft) -> Result<Encoded, Error> {
        let (tpdu, header) = self.prefix;
        codec::encode(draft, tpdu, header).map_err(not_sent)
    }

    fn message(&self, bytes: Vec<u8>) -> Message {
        let timeout = Duration::from_secs(u64::from(self.settings.answer_timeout_s));
        let timeout_ms = u32::try_from(timeout.as_millis()).unwrap_or(u32::MAX);
        let message = Message::new(self.settings.address.as_str(), LengthHeader::Binary, bytes, timeout_ms);
        if self.settings.private_authority { message.server_certificates(CERTIFICATES) } else { message }
    }

    /// Fetches working keys and the number of the batch.
    ///
    /// # Errors
    /// `not-sent` if the acquirer cannot be reached or says no, `no-answer`, `misconfigured` if its keys do not open.
    pub fn sign_on(&self) -> Result<Session, Error> {
        if self.sign_ons.replace(self.sign_ons.get() + 1) == SIGN_ONS_MAX {
            return Err(not_sent("the acquirer wants one sign-on after another"));
        }
        let batch = self.known_session()?.map_or(FIRST_BATCH, |session| session.batch);
        let draft = self.settings.sign_on(self.trace()?, batch);
        let answer = self.message(self.encoded(&draft)?.bytes).exchange()?;
        let answer = answer.ok_or_else(|| no_answer("a sign-on needs no key"))?;
        let signed_on = read::signed_on(&self.settings, &draft, &answer.message).map_err(|error| match error {
            NotSignedOn::Refused(code) if matches!(code.as_str(), "03" | "97" | "58") => misconfigured(format!(
                "the acquirer refuses the sign-on by {code}: check terminal_number and merchant_number"
            )),
            NotSignedOn::Refused(code) => not_sent(format!("the acquirer refuses the sign-on by {code}")),
            NotSignedOn::Unclear(why) => not_sent(format!("the answer to the sign-on is of no use: {why}")),
        })?;
        let pair = kv::next("sign-ons").map_err(|error| unkept(&error))? % KEY_PAIRS;
        let session = Session { batch: signed_on.batch, keys: pair };
        for (slot, usage, (sealed, check_value)) in [
            (session.pin_slot(), keys::KeyUse::Pin, &signed_on.pin),
            (session.mac_slot(), keys::KeyUse::Mac, &signed_on.mac),
        ] {
            keys::load(&slot, usage, MASTER_KEY, sealed, check_value).map_err(|error| match error {
                keys::Error::NoSecret(why) => misconfigured(format!("{MASTER_KEY}: {why}")),
                keys::Error::Refused(why) => {
                    misconfigured(format!("a working key does not open under {MASTER_KEY}: {why}"))
                }
                keys::Error::Unavailable(why) => not_sent(why),
            })?;
        }
        self.set(&self.session_key(), session.text().into_bytes())?;
        log::write(log::Level::Info, &format!("signed on, batch {:06}", session.batch));
        Ok(session)
    }

    /// What the last sign-on gave; signs on first if there was none.
    ///
    /// # Errors
    /// As [`Self::sign_on`].
    pub fn session(&self) -> Result<Session, Error> {
        self.known_session()?.map_or_else(|| self.sign_on(), Ok)
    }

    /// A session after this one, which the acquirer does not take any more: another call's, if there was one since.
    ///
    /// # Errors
    /// As [`Self::sign_on`].
    pub fn renewed(&self, stale: Session) -> Result<Session, Error> {
        let since = self.known_session()?.filter(|session| *session != stale);
        since.map_or_else(|| self.sign_on(), Ok)
    }

    fn known_session(&self) -> Result<Option<Session>, Error> {
        let kept = kv::get(&self.session_key()).map_err(|error| unkept(&error))?;
        Ok(kept.and_then(|bytes| Session::from_text(std::str::from_utf8(&bytes).ok()?)))
    }

    fn session_key(&self) -> String {
        format!("session/{}", self.settings.terminal_number)
    }

    /// So that the next message is after a sign-on.
    fn forget_session(&self) {
        if let Err(error) = kv::delete(&self.session_key()) {
            log::write(log::Level::Warn, &format!("the sign-on that the acquirer asks for must wait: {error:?}"));
        }
    }

    /// The next trace number of this terminal.
    ///
    /// # Errors
    /// `not-sent`: none can be had now.
    pub fn trace(&self) -> Result<u32, Error> {
        let count = kv::next(&format!("trace/{}", self.settings.terminal_number)).map_err(|error| unkept(&error))?;
        Ok(u32::try_from((count - 1) % TRACE_MAX + 1).unwrap_or(1))
    }

    /// What is kept of an order or refund.
    ///
    /// # Errors
    /// `no-answer`: nothing can be said of it now.
    pub fn record(&self, number: &str) -> Result<Option<State>, Error> {
        match kv::get(&record_key(number)) {
            Ok(None) => Ok(None),
            Ok(Some(bytes)) => {
                let state = State::read(&bytes);
                state.map(Some).ok_or_else(|| no_answer("what is kept of this payment cannot be read"))
            }
            Err(error) => Err(no_answer(format!("what is kept of this payment cannot be read now: {error:?}"))),
        }
    }

    /// Begins an order's record, in the place of one that is over.
    ///
    /// # Errors
    /// `not-sent`: there is no room, or no store.
    pub fn begin(&self, number: &str, state: &State) -> Result<(), Error> {
        for _ in 0..SLOTS_TRIED {
            let count = kv::next("orders").map_err(|error| unkept(&error))?;
            let slot = format!("slot/{}", count % SLOTS);
            let before =
                kv::get(&slot).map_err(|error| unkept(&error))?.and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(before) = before.filter(|before| before != number) {
                let kept = kv::get(&record_key(&before)).map_err(|error| unkept(&error))?;
                if kept.is_some_and(|bytes| !State::read(&bytes).is_some_and(|state| state.is_over())) {
                    continue;
                }
                kv::delete(&record_key(&before)).map_err(|error| unkept(&error))?;
            }
            self.set(&slot, number.as_bytes().to_vec())?;
            return self.keep(number, state);
        }
        Err(not_sent("too many payments of this account have no end: nothing can be sold until they are reversed"))
    }

    /// Writes down how an order stands, before what comes next is sent.
    ///
    /// # Errors
    /// `not-sent`: it could not be.
    pub fn keep(&self, number: &str, state: &State) -> Result<(), Error> {
        self.set(&record_key(number), state.written())
    }

    /// The same once it is over at the acquirer, which stands whether or not it is written down: the record then says less.
    pub fn keep_outcome(&self, number: &str, state: &State) {
        if let Err(error) = self.keep(number, state) {
            log::write(log::Level::Warn, &format!("what came of {number} could not be kept: {error:?}"));
        }
    }

    fn set(&self, key: &str, value: Vec<u8>) -> Result<(), Error> {
        kv::set(key, &value).map_err(|error| unkept(&error))
    }
}

fn record_key(number: &str) -> String {
    format!("order/{number}")
}

/// Without a store nothing is sent: what is sent must be found again.
fn unkept(error: &kv::Error) -> Error {
    not_sent(format!("the account's store does not take what must be kept: {error:?}"))
}

/// Messages are far shorter than that.
fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
