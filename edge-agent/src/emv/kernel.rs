//! One dialogue with a chip: from the choice of an application to the cryptogram that goes to the issuer.

use std::fmt;

use zeroize::Zeroizing;

use super::{
    apdu::{Answer, Card, Unanswered, ask},
    cvm::{self, Method},
    select::{Selected, candidates, select},
    terminal::{self, Purchase, Terminal},
    tlv::{self, Data, TlvError, within},
};

/// Records that an application may name: about a dozen are usual.
const RECORDS_MAX: usize = 64;
/// Longest that the acquirer takes of the chip's data (field 55), in bytes.
const ACQUIRER_DATA_MAX: usize = 255;

/// What the terminal asks of people meanwhile.
pub trait Holder {
    /// A PIN is keyed on the pad; it is encrypted there.
    fn key_pin(&mut self) -> PinKeyed;
}

/// What came of asking for a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinKeyed {
    Keyed,
    /// The holder went on without one.
    Bypassed,
    /// The holder or the cashier does not want to pay like this.
    Cancelled,
    PadFailed,
}

/// What was read of a card. Wiped when it goes, and prints nothing.
pub struct ChipRead {
    /// 8 to 19 digits, as the card says them.
    pub number: Zeroizing<String>,
    /// `YYMM`.
    pub expiry: Zeroizing<String>,
    /// Track 2 with its separator as `=`, if the card tells it.
    pub track_2: Option<Zeroizing<String>>,
    pub sequence_number: Option<u8>,
    pub aid: Vec<u8>,
    pub label: String,
    /// BER-TLV for the acquirer (field 55).
    pub acquirer_data: Vec<u8>,
    pub wants_signature: bool,
    /// By the shop's calendar.
    pub is_in_date: bool,
    /// Its holder is verified as it wants, as far as that can be done here: else the issuer decides.
    pub is_verified: bool,
}

impl fmt::Debug for ChipRead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a chip that was read")
    }
}

/// Why a chip cannot pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChipFault {
    /// Nothing was decided: it may be put in again.
    #[error("the card was taken out too early")]
    Gone,
    #[error("this terminal takes no card of this kind")]
    NotAccepted,
    /// Before it was asked for a cryptogram: the stripe may be used instead.
    #[error("the chip cannot be read: {0}")]
    Unreadable(&'static str),
    /// It could be read, and contradicts itself or makes no cryptogram: no stripe stands in for it.
    #[error("the chip does not answer as it should: {0}")]
    Odd(&'static str),
    #[error("the card declines")]
    Declined,
    #[error("cancelled at the PIN pad")]
    Cancelled,
}

impl ChipFault {
    /// Of a card whose records were read.
    const fn once_read(self) -> Self {
        if let Self::Unreadable(why) = self { Self::Odd(why) } else { self }
    }
}

impl From<Unanswered> for ChipFault {
    fn from(unanswered: Unanswered) -> Self {
        match unanswered {
            Unanswered::Gone => Self::Gone,
            Unanswered::Odd => Self::Unreadable("it answers without a status"),
        }
    }
}

impl From<TlvError> for ChipFault {
    fn from(error: TlvError) -> Self {
        Self::Unreadable(match error {
            TlvError::Short => "its data ends in the middle of an object",
            TlvError::TooLong => "its data has a length that there is not",
            TlvError::TooMuch => "it says too much",
            TlvError::Twice => "it says something twice",
        })
    }
}

/// Terminal verification results (tag 95; Book 3, annex C5), as byte and bit.
mod tvr {
    pub(super) const NO_OFFLINE_AUTHENTICATION: (usize, u8) = (0, 0x80);
    pub(super) const EXPIRED: (usize, u8) = (1, 0x40);
    pub(super) const NOT_YET_EFFECTIVE: (usize, u8) = (1, 0x20);
    pub(super) const NOT_VERIFIED: (usize, u8) = (2, 0x80);
    pub(super) const CVM_UNKNOWN: (usize, u8) = (2, 0x40);
    pub(super) const NO_PIN_PAD: (usize, u8) = (2, 0x10);
    pub(super) const PIN_NOT_ENTERED: (usize, u8) = (2, 0x08);
    pub(super) const ONLINE_PIN: (usize, u8) = (2, 0x04);
    pub(super) const ABOVE_FLOOR: (usize, u8) = (3, 0x80);
}

struct Dialogue<'a> {
    card: &'a mut dyn Card,
    holder: &'a mut dyn Holder,
    terminal: &'a Terminal,
    data: Data,
    results: [u8; 5],
    wants_signature: bool,
}

/// Has the chip ask its issuer for this purchase.
///
/// # Errors
/// See [`ChipFault`]; nothing was sold.
pub fn pay(
    card: &mut dyn Card,
    terminal: &Terminal,
    purchase: &Purchase,
    holder: &mut dyn Holder,
) -> Result<ChipRead, ChipFault> {
    for candidate in candidates(card)? {
        let Some(selected) = select(card, &candidate)? else { continue };
        let data = terminal::data(terminal, purchase);
        let mut dialogue = Dialogue { card, holder, terminal, data, results: [0; 5], wants_signature: false };
        if let Some(profile) = dialogue.begin(&selected)? {
            return dialogue.go_on(selected, &profile, purchase);
        }
    }
    Err(ChipFault::NotAccepted)
}

/// What the application says of this purchase: its abilities and where its records are.
struct Profile {
    abilities: [u8; 2],
    files: Vec<u8>,
}

impl Dialogue<'_> {
    fn note(&mut self, (byte, bit): (usize, u8)) {
        self.results[byte] |= bit;
        self.data.set(0x95, self.results);
    }

    const fn notes(&self, (byte, bit): (usize, u8)) -> bool {
        self.results[byte] & bit != 0
    }

    /// GET PROCESSING OPTIONS (Book 3, section 10.1); none if this application does not want to (6985).
    fn begin(&mut self, selected: &Selected) -> Result<Option<Profile>, ChipFault> {
        self.note(tvr::NO_OFFLINE_AUTHENTICATION);
        let wanted = self.data.answer_list(&selected.wants)?;
        let mut told = Vec::new();
        tlv::write(0x83, &wanted, &mut told);
        let answer = ask(self.card, [0x80, 0xa8, 0x00, 0x00], &told)?;
        match answer.status {
            Answer::DONE => {}
            0x6985 => return Ok(None),
            _ => return Err(ChipFault::Unreadable("it does not begin")),
        }
        let (abilities, files) = match within(&answer.data, &[0x80]) {
            Some(value) => value.split_at_checked(2).ok_or(ChipFault::Unreadable("its profile is short"))?,
            None => {
                let said = |tag| within(&answer.data, &[0x77, tag]).ok_or(ChipFault::Unreadable("it has no profile"));
                (said(0x82)?, said(0x94)?)
            }
        };
        let abilities = abilities.try_into().map_err(|_| ChipFault::Unreadable("its profile has another length"))?;
        Ok(Some(Profile { abilities, files: files.to_vec() }))
    }

    fn go_on(mut self, selected: Selected, profile: &Profile, purchase: &Purchase) -> Result<ChipRead, ChipFault> {
        let own = self.read(&profile.files)?;
        for tag in [0x5f24, 0x5a, 0x8c] {
            // Mandatory (Book 3, section 7.2).
            own.get(tag).ok_or(ChipFault::Unreadable("it lacks what every card has"))?;
        }
        let number = digits(own.get(0x5a).unwrap_or_default())?;
        let track_2 = own.get(0x57).map(track).transpose()?;
        let expiry = digits(own.get(0x5f24).and_then(|day| day.get(..2)).unwrap_or_default())?;
        // Section 10.2: what both say must be the same.
        if track_2.as_ref().is_some_and(|track| track.split('=').next() != Some(number.as_str())) {
            return Err(ChipFault::Odd("it names two numbers"));
        }
        self.data.set(0x82, profile.abilities);
        self.data.set(0x84, selected.aid.clone());
        self.look_at_dates(&own, purchase);
        if profile.abilities[0] & 0x10 != 0 {
            self.verify_holder(&own, purchase)?;
        } else {
            self.data.set(0x9f34, [0x3f, 0, 0]);
        }
        // The floor limit is 0 (section 10.6.1).
        self.note(tvr::ABOVE_FLOOR);
        self.ask_issuer(&own).map_err(ChipFault::once_read)?;
        let sequence_number = own.get(0x5f34).map(digits).transpose()?.and_then(|text| text.parse().ok());
        Ok(ChipRead {
            number,
            expiry,
            track_2,
            sequence_number,
            aid: selected.aid,
            label: selected.label,
            acquirer_data: self.acquirer_data().map_err(ChipFault::once_read)?,
            wants_signature: self.wants_signature,
            is_in_date: !self.notes(tvr::EXPIRED) && !self.notes(tvr::NOT_YET_EFFECTIVE),
            is_verified: !self.notes(tvr::NOT_VERIFIED),
        })
    }

    /// The records that the application names (section 10.2).
    fn read(&mut self, files: &[u8]) -> Result<Data, ChipFault> {
        let (files, rest) = files.as_chunks::<4>();
        if files.is_empty() || !rest.is_empty() {
            return Err(ChipFault::Unreadable("its list of records is none"));
        }
        let mut own = Data::default();
        let mut count = 0;
        for [file, first, last, _] in files {
            if file & 7 != 0 || !(1..=30).contains(&(file >> 3)) || *first == 0 || first > last {
                return Err(ChipFault::Unreadable("its list of records is none"));
            }
            for record in *first..=*last {
                count += 1;
                if count > RECORDS_MAX {
                    return Err(ChipFault::Unreadable("it says too much"));
                }
                let answer = ask(self.card, [0x00, 0xb2, record, file | 4], &[])?;
                let said = within(&answer.data, &[0x70]).filter(|_| answer.is_done());
                own.take_in(said.ok_or(ChipFault::Unreadable("a record is not there"))?)?;
            }
        }
        Ok(own)
    }

    /// Section 10.4.3. The issuer decides what follows from it.
    fn look_at_dates(&mut self, own: &Data, purchase: &Purchase) {
        let (today, _) = purchase.day_and_time();
        // Two digits of a year: cards live for less than fifty of them.
        if own.get(0x5f24).is_some_and(|day| day < today.as_slice()) {
            self.note(tvr::EXPIRED);
        }
        if own.get(0x5f25).is_some_and(|day| day > today.as_slice()) {
            self.note(tvr::NOT_YET_EFFECTIVE);
        }
    }

    /// Section 10.5.
    fn verify_holder(&mut self, own: &Data, purchase: &Purchase) -> Result<(), ChipFault> {
        const FAILED: u8 = 1;
        const DONE: u8 = 2;
        // A PIN or a signature: somebody else finds out.
        const UNKNOWN: u8 = 0;
        let list = own.get(0x8e).unwrap_or_default();
        let currency = self.data.get(0x5f2a).map(<[u8]>::to_vec);
        let in_own_currency = own.get(0x9f42).is_some() && own.get(0x9f42) == currency.as_deref();
        let minor = u64::try_from(purchase.amount.minor()).unwrap_or(u64::MAX);
        let mut results = [0x3f, 0, FAILED];
        for rule in cvm::rules(list, minor, in_own_currency, self.terminal.has_pin_pad) {
            let outcome = match rule.method {
                Some(Method::Nothing) => Some(DONE),
                Some(Method::Signature) => {
                    self.wants_signature = true;
                    Some(UNKNOWN)
                }
                Some(Method::OnlinePin) => match self.holder.key_pin() {
                    PinKeyed::Keyed => {
                        self.note(tvr::ONLINE_PIN);
                        Some(UNKNOWN)
                    }
                    PinKeyed::Bypassed => {
                        self.note(tvr::PIN_NOT_ENTERED);
                        None
                    }
                    PinKeyed::Cancelled => return Err(ChipFault::Cancelled),
                    PinKeyed::PadFailed => {
                        self.note(tvr::NO_PIN_PAD);
                        None
                    }
                },
                None => {
                    if !rule.is_known {
                        self.note(tvr::CVM_UNKNOWN);
                    }
                    if rule.wants_pin && !self.terminal.has_pin_pad {
                        self.note(tvr::NO_PIN_PAD);
                    }
                    None
                }
            };
            results = [rule.code, rule.condition, outcome.unwrap_or(FAILED)];
            if outcome.is_some() {
                break;
            }
            if !rule.may_go_on {
                break;
            }
        }
        if results[2] == FAILED {
            self.note(tvr::NOT_VERIFIED);
        }
        self.data.set(0x9f34, results);
        Ok(())
    }

    /// GENERATE AC for an ARQC (sections 6.5.5 and 10.7 to 10.8); for an AAC where the issuer has said so beforehand.
    fn ask_issuer(&mut self, own: &Data) -> Result<(), ChipFault> {
        const ARQC: u8 = 0x80;
        const AAC: u8 = 0x00;
        let refuses = own.get(0x9f0e).unwrap_or_default();
        let wanted = if refuses.iter().zip(self.results).any(|(code, result)| code & result != 0) { AAC } else { ARQC };
        let asked = self.answer_list_of_both(own, own.get(0x8c).unwrap_or_default())?;
        let answer = ask(self.card, [0x80, 0xae, wanted, 0x00], &asked)?;
        if !answer.is_done() {
            return Err(ChipFault::Unreadable("it makes no cryptogram"));
        }
        if let Some(value) = within(&answer.data, &[0x80]) {
            let short = ChipFault::Unreadable("its cryptogram is short");
            let ([kind, counter @ ..], rest) = value.split_first_chunk::<3>().ok_or(short)?;
            let (cryptogram, issuers) = rest.split_at_checked(8).ok_or(short)?;
            self.data.set(0x9f27, [*kind]);
            self.data.set(0x9f36, *counter);
            self.data.set(0x9f26, cryptogram);
            if !issuers.is_empty() {
                self.data.set(0x9f10, issuers);
            }
        } else {
            let said = within(&answer.data, &[0x77]).ok_or(ChipFault::Unreadable("it makes no cryptogram"))?;
            for tag in [0x9f27, 0x9f36, 0x9f26, 0x9f10] {
                if let Some(value) = within(said, &[tag]) {
                    self.data.set(tag, value);
                }
            }
        }
        let has = |tag, len| self.data.get(tag).is_some_and(|value: &[u8]| value.len() == len);
        if !has(0x9f27, 1) || !has(0x9f36, 2) || !has(0x9f26, 8) {
            return Err(ChipFault::Unreadable("it makes no cryptogram"));
        }
        match self.data.get(0x9f27).and_then(<[u8]>::first).map(|kind| kind & 0xc0) {
            Some(ARQC) if wanted == ARQC => Ok(()),
            Some(AAC) => Err(ChipFault::Declined),
            // More than was asked for: the card cannot approve what is to go online (section 10.8).
            _ => Err(ChipFault::Unreadable("it answers another question")),
        }
    }

    /// From what the terminal says and from what the card said before.
    fn answer_list_of_both(&self, own: &Data, list: &[u8]) -> Result<Zeroizing<Vec<u8>>, ChipFault> {
        let mut both = Data::default();
        for (tag, _) in tlv::data_object_list(list)? {
            if let Some(value) = self.data.get(tag.0).or_else(|| own.get(tag.0)) {
                both.set(tag.0, value);
            }
        }
        Ok(both.answer_list(list)?)
    }

    /// Field 55 as UnionPay's terminals send it, without number, track and name.
    fn acquirer_data(&self) -> Result<Vec<u8>, ChipFault> {
        let mut out = Vec::new();
        for tag in [
            0x9f26, 0x9f27, 0x9f10, 0x9f37, 0x9f36, 0x95, 0x9a, 0x9c, 0x9f02, 0x5f2a, 0x82, 0x9f1a, 0x9f03, 0x9f33,
            0x9f34, 0x9f35, 0x84, 0x9f41,
        ] {
            if let Some(value) = self.data.get(tag) {
                tlv::write(tag, value, &mut out);
            }
        }
        if out.len() <= ACQUIRER_DATA_MAX { Ok(out) } else { Err(ChipFault::Unreadable("it says too much")) }
    }
}

/// Packed digits, filled with `F` at their end.
fn digits(bytes: &[u8]) -> Result<Zeroizing<String>, ChipFault> {
    let text = Zeroizing::new(hex::encode(bytes));
    let digits = Zeroizing::new(text.trim_end_matches('f').to_owned());
    let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_digit());
    if is_number { Ok(digits) } else { Err(ChipFault::Unreadable("its digits are none")) }
}

/// Tag 57, with `=` between number and rest.
fn track(bytes: &[u8]) -> Result<Zeroizing<String>, ChipFault> {
    let text = Zeroizing::new(hex::encode(bytes));
    let track = Zeroizing::new(text.trim_end_matches('f').replacen('d', "=", 1));
    let is_track = track.len() <= 37
        && track.split_once('=').is_some_and(|(number, rest)| !number.is_empty() && rest.len() >= 7)
        && track.bytes().all(|byte| byte.is_ascii_digit() || byte == b'=');
    if is_track { Ok(track) } else { Err(ChipFault::Unreadable("its track is none")) }
}

#[cfg(test)]
mod tests;
