//! The terminal's desk: what it keeps (`kv`), its sign-on, and one message to the acquirer with its answer.

use std::cell::Cell;

use saoma_channel_sdk::{
    Account, Error, bindings::saoma::channel::keys, card::PresentedCard, kv, log, misconfigured, no_answer, not_sent,
    settings,
};

use crate::{
    host::{Host, Slots},
    messages::{
        Settings,
        build::Sent,
        codec::{self, Draft, Encoded},
        read::{self, Heard, NotSignedOn},
        settings::Mac,
    },
    record::{State, Unanswered},
    settlement::OnItsWay,
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

/// Messages of one kind in one call: the first, and one more after a sign-on.
pub const ATTEMPTS: usize = 2;
/// The longest wait for the answer to a sign-on: a sale and its customer wait behind it.
const SIGN_ON_TIMEOUT_S: u32 = 10;
/// How long a call waits for the keys that another is fetching, in pauses that grow: longer together than that other may take, and
/// few enough for the host's count of the store's operations.
const PAUSES_MS: [u32; 9] = [100, 200, 400, 800, 1_500, 2_000, 2_000, 2_500, 2_500];

/// Orders that are kept once they are over, for a core that did not hear of it; each takes three keys of the 1,000 there are.
pub const SLOTS: u64 = 300;
/// Slots that are looked at for one whose order is over. Each costs three operations of the 100 that a call has.
const SLOTS_TRIED: usize = 12;
/// The largest trace number; after it comes 1.
const TRACE_MAX: u64 = 999_999;
/// Trace numbers begin at a second of the clock, so that a store that is lost does not give numbers of the same batch again (an
/// account has no sale a second). Calls that begin at once must begin at the same one, or there about.
const TRACE_STEP_S: u64 = 64;
/// Batches begin with it where none is known.
const FIRST_BATCH: u32 = 1;

pub struct Desk<'a> {
    pub host: &'a dyn Host,
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
    cipher: Cipher,
}

/// What the key for MACs is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cipher {
    /// Of 16 bytes, or nobody knows: sessions of before do not say.
    Tdes,
    /// Of 8 bytes.
    Des,
    Aes,
}

impl Session {
    /// Nodes of before read `batch/keys` alone and sign on if they cannot, which takes the keys away from all others. So those of TDES are
    /// written as ever; keys of 8 bytes have a zero in front, which to them is nothing.
    fn text(self) -> String {
        let Self { batch, keys, cipher } = self;
        match cipher {
            Cipher::Tdes => format!("{batch}/{keys}"),
            Cipher::Des => format!("{batch}/0{keys}"),
            Cipher::Aes => format!("{batch}/{keys}/aes-cmac"),
        }
    }

    fn from_text(text: &str) -> Option<Self> {
        let (batch, rest) = text.split_once('/')?;
        let (keys, cipher) = match rest.strip_suffix("/aes-cmac") {
            Some(keys) => (keys, Cipher::Aes),
            None if rest.len() > 1 && rest.starts_with('0') => (rest, Cipher::Des),
            None => (rest, Cipher::Tdes),
        };
        Some(Self { batch: batch.parse().ok()?, keys: keys.parse().ok()?, cipher })
    }

    /// Whether the keys are of any use for this MAC, which the settings may have been changed to since.
    fn fits(self, mac: Mac) -> bool {
        match mac {
            Mac::UnionpayEcb => self.cipher != Cipher::Aes,
            Mac::Retail => self.cipher == Cipher::Tdes,
            Mac::AesCmac => self.cipher == Cipher::Aes,
        }
    }

    fn slots(self) -> Slots {
        Slots { pin: format!("pin-{}", self.keys), mac: format!("mac-{}", self.keys) }
    }
}

/// What became of a message.
pub enum Outcome {
    Heard(Heard),
    /// There are no working keys: nothing was sent.
    NoKeys,
}

impl<'a> Desk<'a> {
    /// # Errors
    /// `misconfigured`.
    pub fn open(host: &'a dyn Host, account: &Account, card: Option<PresentedCard>) -> Result<Self, Error> {
        let settings: Settings = settings(account)?;
        let prefix = settings.prefix()?;
        Ok(Self { host, settings, card, prefix, sign_ons: Cell::new(0) })
    }

    /// What is about to be sent, as its record says it until there is an answer.
    pub fn unanswered(&self, sent: Sent, reason: &str) -> Unanswered {
        Unanswered {
            sent,
            reason: reason.to_owned(),
            terminal: self.settings.terminal_number.clone(),
            merchant: self.settings.merchant_number.clone(),
            at_ms: self.host.now(),
            never_seen: false,
        }
    }

    /// Sends a message with a MAC. That it may have been received and was not answered is `Heard::Unclear`.
    ///
    /// # Errors
    /// `not-sent`, `misconfigured`: it never went out.
    pub fn exchange(&self, draft: &Draft, session: Session) -> Result<Outcome, Error> {
        let encoded = self.encoded(draft)?;
        let timeout_ms = self.settings.answer_timeout_s * 1_000;
        Ok(match self.host.exchange(&self.settings, &encoded, Some(&session.slots()), timeout_ms) {
            Ok(None) => Outcome::NoKeys,
            Ok(Some(answer)) => {
                let heard = read::heard(&self.settings, draft, &answer.message, answer.mac_fits, self.host.now());
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

    /// Fetches working keys and the number of the batch.
    ///
    /// # Errors
    /// `not-sent` if the acquirer cannot be reached or says no, `no-answer`, `misconfigured` if its keys do not open.
    pub fn sign_on(&self) -> Result<Session, Error> {
        if self.sign_ons.replace(self.sign_ons.get() + 1) >= SIGN_ONS_MAX {
            return Err(not_sent("the acquirer wants one sign-on after another"));
        }
        // The batch is the terminal's, whatever its keys are for.
        let batch = self.kept_session()?.map_or(FIRST_BATCH, |session| session.batch);
        let draft = self.settings.sign_on(self.trace()?, batch);
        let timeout_ms = self.settings.answer_timeout_s.min(SIGN_ON_TIMEOUT_S) * 1_000;
        let answer = self.host.exchange(&self.settings, &self.encoded(&draft)?, None, timeout_ms);
        let answer = answer.map_err(|error| match error {
            // Which a host of another form of messages does: it waits for the rest of one, or hangs up.
            Error::NoAnswer(why) => no_answer(format!(
                "no answer to the sign-on ({why}); if there never is one, check length_header, tpdu and header"
            )),
            error => error,
        })?;
        let answer = answer.ok_or_else(|| no_answer("a sign-on needs no key"))?;
        let signed_on = read::signed_on(&self.settings, &draft, &answer.message).map_err(|error| match error {
            NotSignedOn::Refused(code) if matches!(code.as_str(), "03" | "97" | "58") => misconfigured(format!(
                "the acquirer refuses the sign-on by {code}: check terminal_number and merchant_number"
            )),
            NotSignedOn::Refused(code) => not_sent(format!("the acquirer refuses the sign-on by {code}")),
            NotSignedOn::Unclear(why) => not_sent(format!("the answer to the sign-on is of no use: {why}")),
        })?;
        if self.settings.mac != Mac::UnionpayEcb && signed_on.mac.0.len() != 16 {
            return Err(misconfigured(
                "mac: the acquirer's key is for unionpay-ecb; retail and aes-cmac take 16 bytes",
            ));
        }
        let pair = self.host.next("sign-ons").map_err(|error| unkept(&error))? % KEY_PAIRS;
        let cipher = match self.settings.mac {
            Mac::AesCmac => Cipher::Aes,
            _ if signed_on.mac.0.len() == 16 => Cipher::Tdes,
            _ => Cipher::Des,
        };
        let session = Session { batch: signed_on.batch, keys: pair, cipher };
        let slots = session.slots();
        for (slot, usage, (sealed, check_value)) in
            [(&slots.pin, keys::KeyUse::Pin, &signed_on.pin), (&slots.mac, keys::KeyUse::Mac, &signed_on.mac)]
        {
            self.host.load(slot, usage, sealed, check_value).map_err(|error| match error {
                keys::Error::NoSecret(why) => misconfigured(format!("{MASTER_KEY}: {why}")),
                keys::Error::Refused(why) => {
                    misconfigured(format!("a working key does not open under {MASTER_KEY}: {why}"))
                }
                keys::Error::Unavailable(why) => not_sent(why),
            })?;
        }
        self.set(&self.session_key(), session.text().as_bytes())?;
        self.host.log(log::Level::Info, &format!("signed on, batch {:06}", session.batch));
        Ok(session)
    }

    /// Whether this call has signed on.
    pub const fn has_signed_on(&self) -> bool {
        self.sign_ons.get() > 0
    }

    /// What the last sign-on gave; signs on first if there was none.
    ///
    /// # Errors
    /// As [`Self::renewed`].
    pub fn session(&self) -> Result<Session, Error> {
        self.known_session()?.map_or_else(|| self.after(None), Ok)
    }

    /// A session after this one, which the acquirer does not take any more: another call's, if there was one since.
    ///
    /// # Errors
    /// As [`Self::sign_on`]; `not-sent` too if another call is signing on and does not end.
    pub fn renewed(&self, stale: Session) -> Result<Session, Error> {
        self.after(Some(stale))
    }

    /// Each sign-on takes the keys of the one before it away. If all tills of a shop that open at once signed on by themselves, none
    /// would sell; so one does, and the others wait for it.
    fn after(&self, stale: Option<Session>) -> Result<Session, Error> {
        let claim = format!("signing-on/{}", self.settings.terminal_number);
        let since = || Ok::<_, Error>(self.known_session()?.filter(|session| Some(*session) != stale));
        for pause_ms in PAUSES_MS {
            if let Some(session) = since()? {
                return Ok(session);
            }
            if self.host.next(&claim).map_err(|error| unkept(&error))? == 1 {
                // It may have ended since it was looked at.
                let session = since().and_then(|session| session.map_or_else(|| self.sign_on(), Ok));
                self.release(&claim);
                return session;
            }
            self.host.wait(pause_ms);
        }
        // Whoever claimed it has stopped in between. The next call signs on.
        let session = since()?;
        self.release(&claim);
        session.ok_or_else(|| not_sent("another payment's sign-on to the acquirer does not end: try again"))
    }

    fn release(&self, claim: &str) {
        if let Err(error) = self.host.delete(claim) {
            self.host.log(log::Level::Warn, &format!("the next sign-on is delayed: {error:?}"));
        }
    }

    fn known_session(&self) -> Result<Option<Session>, Error> {
        Ok(self.kept_session()?.filter(|session| session.fits(self.settings.mac)))
    }

    fn kept_session(&self) -> Result<Option<Session>, Error> {
        let kept = self.host.get(&self.session_key()).map_err(|error| unkept(&error))?;
        Ok(kept.and_then(|bytes| Session::from_text(std::str::from_utf8(&bytes).ok()?)))
    }

    fn session_key(&self) -> String {
        format!("session/{}", self.settings.terminal_number)
    }

    /// So that the next message is after a sign-on.
    pub fn forget_session(&self) {
        if let Err(error) = self.host.delete(&self.session_key()) {
            self.host.log(log::Level::Warn, &format!("the sign-on that the acquirer asks for must wait: {error:?}"));
        }
    }

    /// The same once that batch is over; the sign-on of a later one stays.
    pub fn forget_session_of(&self, batch: u32) {
        if !matches!(self.known_session(), Ok(Some(session)) if session.batch != batch) {
            self.forget_session();
        }
    }

    /// The next trace number of this terminal.
    ///
    /// # Errors
    /// `not-sent`: none can be had now.
    pub fn trace(&self) -> Result<u32, Error> {
        let terminal = &self.settings.terminal_number;
        let key = format!("trace-base/{terminal}");
        let base = match self.host.get(&key).map_err(|error| unkept(&error))? {
            Some(bytes) => std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()),
            None => {
                let second = u64::try_from(self.host.now() / 1_000).unwrap_or_default();
                let base = second / TRACE_STEP_S * TRACE_STEP_S;
                self.set(&key, base.to_string().as_bytes())?;
                Some(base)
            }
        };
        let base: u64 = base.ok_or_else(|| not_sent("where the trace numbers began cannot be read"))?;
        let count = self.host.next(&format!("trace/{terminal}")).map_err(|error| unkept(&error))?;
        Ok(u32::try_from(base.wrapping_add(count) % TRACE_MAX + 1).unwrap_or(1))
    }

    /// The next number of an order's calls (see [`crate::turn`]).
    ///
    /// # Errors
    /// `not-sent`: the store cannot be reached, or is full.
    pub fn turn(&self, number: &str) -> Result<u64, Error> {
        self.host.next(&turn_key(number)).map_err(|error| unkept(&error))
    }

    pub fn forget_turns(&self, number: &str) {
        if let Err(error) = self.host.delete(&turn_key(number)) {
            self.host.log(log::Level::Warn, &format!("a key of {number} stays in the store: {error:?}"));
        }
    }

    /// What is kept of an order or refund.
    ///
    /// # Errors
    /// `no-answer`: nothing can be said of it now.
    pub fn record(&self, number: &str) -> Result<Option<State>, Error> {
        match self.host.get(&record_key(number)) {
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
            let count = self.host.next("orders").map_err(|error| unkept(&error))?;
            let slot = format!("slot/{}", count % SLOTS);
            let before =
                self.host.get(&slot).map_err(|error| unkept(&error))?.and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(before) = before.filter(|before| before != number) {
                let kept = self.host.get(&record_key(&before)).map_err(|error| unkept(&error))?;
                if kept.is_some_and(|bytes| !State::read(&bytes).is_some_and(|state| state.is_over(self.host.now()))) {
                    continue;
                }
                self.host.delete(&record_key(&before)).map_err(|error| unkept(&error))?;
                self.forget_turns(&before);
            }
            self.set(&slot, number.as_bytes())?;
            return self.keep(number, state);
        }
        Err(not_sent("too many payments of this account have no end: nothing can be sold until they are reversed"))
    }

    /// Writes down how an order stands, before what comes next is sent.
    ///
    /// # Errors
    /// `not-sent`: it could not be.
    pub fn keep(&self, number: &str, state: &State) -> Result<(), Error> {
        self.set(&record_key(number), &state.written())
    }

    /// The same once it is over at the acquirer, which stands whether or not it is written down: the record then says less.
    pub fn keep_outcome(&self, number: &str, state: &State) {
        if let Err(error) = self.keep(number, state) {
            self.host.log(log::Level::Warn, &format!("what came of {number} could not be kept: {error:?}"));
        }
    }

    /// The settlement on its way, or the last one.
    ///
    /// # Errors
    /// `not-sent`: it cannot be read now.
    pub fn settlement(&self) -> Result<Option<OnItsWay>, Error> {
        let kept = self.host.get(SETTLEMENT_KEY).map_err(|error| unkept(&error))?;
        let unread = || not_sent("what is kept of the batch on its way cannot be read");
        kept.map(|bytes| serde_json::from_slice(&bytes).map_err(|_| unread())).transpose()
    }

    /// # Errors
    /// `not-sent`: it could not be written down.
    pub fn keep_settlement(&self, kept: &OnItsWay) -> Result<(), Error> {
        // Plain texts and numbers: writing them cannot fail.
        self.set(SETTLEMENT_KEY, &serde_json::to_vec(kept).unwrap_or_default())
    }

    fn set(&self, key: &str, value: &[u8]) -> Result<(), Error> {
        self.host.set(key, value).map_err(|error| unkept(&error))
    }
}

/// One for the account, whatever its terminal number is changed to: a batch is sent again by the terminal that began it, or not at all.
const SETTLEMENT_KEY: &str = "settlement";

fn turn_key(number: &str) -> String {
    format!("turn/{number}")
}

fn record_key(number: &str) -> String {
    format!("order/{number}")
}

/// Without a store nothing is sent: what is sent must be found again.
fn unkept(error: &kv::Error) -> Error {
    not_sent(format!("the account's store does not take what must be kept: {error:?}"))
}
