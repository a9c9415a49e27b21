//! What the acquirer answers to a message: sign-in, echo, sales, voids, refunds, reversals, settlement, each under its checks.
//!
//! A message that moves money has a MAC under the working key, and so has its answer. One whose MAC does not fit is answered by
//! A0 without a MAC: there is no key that both sides have.

use time::{OffsetDateTime, UtcOffset};

use super::{
    batch::{self, Answered, Closed, Said, Upload},
    book::{Asked, Book, Entry, Kind, Origin},
    checks,
    cipher::{self, AesKey, Key, Mac, Working},
    codec::{self, Message, PREFIX_LEN},
};
use crate::stage::{Act, Fault};

/// Of the one terminal there is.
pub const TERMINAL: &str = "10000019";
pub const MERCHANT: &str = "850100082410002";
/// The PIN of every card here.
pub const PIN: &str = "1234";
/// The terminal's master key, made for tests.
pub const MASTER_KEY: &str = "11223344556677889900AABBCCDDEEFF";

/// The same where all keys are of AES.
pub const AES_MASTER_KEY: &str = "00112233445566778899AABBCCDDEEFF";
/// Field 53 beside a PIN of format 4, by this acquirer's own rule: no public document has one.
pub const SECURITY_ISO_4: &str = "2400000000000000";

/// What the acquirer knows of its terminal.
pub struct Desk {
    pub book: Book,
    /// None until it signs in.
    keys: Option<Keys>,
    upload: Upload,
    answered: Answered,
    /// Oldest first.
    pub closed: Vec<Closed>,
    mac: Mac,
}

struct Keys {
    pins: Working,
    macs: Working,
}

/// An answer, not yet on the wire.
pub struct Answer {
    pub message: Message,
    /// Under which key it gets a MAC, if it gets one.
    key: Option<Working>,
}

/// What a message asks for, in the words of the stage.
#[must_use]
pub fn act(message: &Message) -> Act {
    match (message.kind.as_str(), message.text(3)) {
        ("0200", "000000") => Act::Charge,
        ("0200" | "0400", _) => Act::Cancel,
        ("0220", "000000") => Act::Forward,
        ("0220", _) => Act::Refund,
        ("0500", _) => Act::Settle,
        ("0320", _) if message.text(60).get(8..11) == Some("207") => Act::Finish,
        ("0320", _) => Act::Upload,
        _ => Act::Other,
    }
}

impl Desk {
    #[must_use]
    pub fn new(mac: Mac) -> Self {
        Self {
            book: Book::default(),
            keys: None,
            upload: Upload::default(),
            answered: Answered::default(),
            closed: Vec::new(),
            mac,
        }
    }

    /// The working keys are gone, on this side.
    pub fn forget_keys(&mut self) {
        self.keys = None;
    }

    /// Carries a message out. `raw`: as it came, from the TPDU on; `fault`: what is to go wrong with it; `chance`: 32 random bytes.
    pub fn answer(
        &mut self,
        message: &Message,
        raw: &[u8],
        fault: Option<Fault>,
        now_ms: i64,
        chance: [u8; 32],
    ) -> Answer {
        let moment = Moment::at(now_ms);
        let mut answer = Answer { message: header(message, &moment), key: None };
        let code = match (message.text(41), message.text(42)) {
            (TERMINAL, MERCHANT) => self.dispatch(message, raw, fault, &moment, chance, &mut answer),
            (TERMINAL, _) => Err("03"),
            _ => Err("97"),
        };
        answer.message.set(39, code.unwrap_or_else(|code| code));
        answer
    }

    fn dispatch(
        &mut self,
        message: &Message,
        raw: &[u8],
        fault: Option<Fault>,
        moment: &Moment,
        chance: [u8; 32],
        answer: &mut Answer,
    ) -> Result<&'static str, &'static str> {
        let network = message.text(60).get(8..11).unwrap_or_default();
        match (message.kind.as_str(), network) {
            ("0800", "003") => self.sign_in(&mut answer.message, chance),
            ("0820", "301") => Ok("00"),
            ("0820", "002") => {
                self.keys = None;
                Ok("00")
            }
            ("0500", "201") | ("0320", "201" | "207") => self.of_batch(message, raw, fault, network, answer),
            ("0200" | "0220" | "0400", _) => self.money(message, raw, fault, moment, answer),
            _ => Err("40"),
        }
    }

    /// New working keys, each under the master key of its cipher: 16 bytes for PINs, 8 or 16 for MACs, each with its check value.
    fn sign_in(&mut self, answer: &mut Message, chance: [u8; 32]) -> Result<&'static str, &'static str> {
        let master = |text: &str| hex::decode(text).unwrap_or_default();
        let aes = |bytes: &[u8]| AesKey::new(bytes.try_into().unwrap_or_default());
        let (tdes_master, aes_master) = (Key::new(&master(MASTER_KEY)), aes(&master(AES_MASTER_KEY)));
        let (pins, macs) = chance.split_at(16);
        let tdes = |bytes: &[u8]| Working::Tdes(Key::new(bytes));
        let keys = match self.mac {
            Mac::UnionpayEcb => Keys { pins: tdes(pins), macs: tdes(&macs[..8]) },
            Mac::Retail => Keys { pins: tdes(pins), macs: tdes(macs) },
            Mac::AesCmac => Keys { pins: Working::Aes(aes(pins)), macs: Working::Aes(aes(macs)) },
        };
        let (pins, check) = keys.pins.sealed(&tdes_master, &aes_master);
        let (macs, macs_check) = keys.macs.sealed(&tdes_master, &aes_master);
        let mut sealed = [pins, check, macs].concat();
        // Where the key for MACs is of one block, zeros stand for the other.
        sealed.resize(36, 0);
        sealed.extend(macs_check);
        answer.set(60, format!("00{:06}003", self.book.batch));
        answer.set(62, sealed);
        self.keys = Some(keys);
        Ok("00")
    }

    /// Whether the message has a right MAC; then its answer gets one too.
    ///
    /// # Errors
    /// A0; 77 by the fault.
    fn checked(
        &mut self,
        message: &Message,
        raw: &[u8],
        fault: Option<Fault>,
        answer: &mut Answer,
    ) -> Result<(), &'static str> {
        let keys = self.keys.as_ref().ok_or("A0")?;
        let (covered, tag) = raw.split_last_chunk::<8>().ok_or("A0")?;
        if !message.has(64) || cipher::mac(self.mac, &keys.macs, &covered[PREFIX_LEN..]) != *tag {
            return Err("A0");
        }
        answer.key = Some(keys.macs.clone());
        if fault == Some(Fault::SignOn) {
            self.keys = None;
            return Err("77");
        }
        Ok(())
    }

    /// Totals of a batch, rows of one that differs, the end of its rows.
    fn of_batch(
        &mut self,
        message: &Message,
        raw: &[u8],
        fault: Option<Fault>,
        network: &str,
        answer: &mut Answer,
    ) -> Result<&'static str, &'static str> {
        self.checked(message, raw, fault, answer)?;
        let key = key(message.text(60).get(2..8), Some(message.text(11)))?;
        let content = format!("{} {network} {}", message.kind, message.text(48));
        let (code, field_48) = match self.answered.before(key, &content)? {
            Some(said) => said,
            None if key.0 != self.book.batch => return Err("77"),
            None if fault.and_then(refusal).is_some() => return fault.and_then(refusal).ok_or("96"),
            None => {
                let said = self.counted(message, fault == Some(Fault::OutOfBalance), network)?;
                self.answered.keep(key, content, &said);
                said
            }
        };
        if let Some(field_48) = field_48 {
            answer.message.set(48, field_48);
        }
        Ok(code)
    }

    fn counted(&mut self, message: &Message, differs: bool, network: &str) -> Result<Said, &'static str> {
        if message.kind == "0500" {
            let (totals, is_equal) = batch::settle(&self.book, message.text(48), differs)?;
            self.upload = if is_equal { Upload::default() } else { Upload::wanted() };
            if is_equal {
                let (batch, totals) = (self.book.batch, self.book.totals());
                self.closed.push(Closed { batch, balanced: true, totals, uploaded: 0, missing: 0 });
                self.book.close_batch();
            }
            return Ok(("00", Some(totals)));
        }
        if network == "201" {
            self.upload.add(message.text(48))?;
            return Ok(("00", None));
        }
        self.closed.push(self.upload.end(&self.book, message.text(48))?);
        self.upload = Upload::default();
        self.book.close_batch();
        Ok(("00", None))
    }

    fn money(
        &mut self,
        message: &Message,
        raw: &[u8],
        fault: Option<Fault>,
        moment: &Moment,
        answer: &mut Answer,
    ) -> Result<&'static str, &'static str> {
        self.checked(message, raw, fault, answer)?;
        let pins = self.keys.as_ref().map(|keys| keys.pins.clone()).ok_or("A0")?;
        let kind = kind(message)?;
        let card = checks::card(message);
        let asked = Asked {
            key: key(message.text(60).get(2..8), Some(message.text(11)))?,
            kind,
            amount: message.text(4).parse().map_err(|_| "30")?,
            card: card.as_ref().map(|card| card.number.clone()).unwrap_or_default(),
            number: message.text(62).to_owned(),
            at: moment.at.clone(),
            sold_at: sold_at(message)?,
        };
        if message.kind == "0400" {
            // Without tracks and PIN, and with a reason.
            let is_whole = message.text(39).len() == 2 && !message.has(35) && !message.has(52);
            return if is_whole { Ok(self.book.reverse(&asked)) } else { Err("30") };
        }
        // An advice that comes again is known again, also once its batch is closed.
        if asked.sold_at.is_some()
            && let Some(first) = self.book.first(&asked)?
        {
            fill(&mut answer.message, &first);
            return Ok(first.code);
        }
        if asked.key.0 != self.book.batch {
            return Err("77");
        }
        let refused = fault.and_then(refusal).map_or(Ok(()), Err);
        let checked = card.and_then(|card| {
            checks::amount(message)?;
            if kind == Kind::Sale {
                checks::entry(message, &card, &moment.month)?;
                right_pin(message, &pins, &card.number)?;
            }
            refused
        });
        let entry = match kind {
            Kind::Sale => self.book.sale(asked, checked)?,
            Kind::Void => self.book.void(asked, &origin(message)?)?,
            Kind::Refund => self.book.refund(asked, &origin(message)?, checked)?,
        };
        fill(&mut answer.message, &entry);
        Ok(entry.code)
    }

    /// The bytes of an answer, as the fault of its content wants it.
    #[must_use]
    pub fn written(&self, mut answer: Answer, fault: Option<Fault>) -> Vec<u8> {
        let message = &mut answer.message;
        let key = answer.key.filter(|_| fault != Some(Fault::Unsigned));
        match fault {
            Some(Fault::WrongAmount) if message.has(48) => {
                // The debits' amount, and still the flag of before.
                let said = message.text(48).to_owned();
                let minor: i64 = said.get(..12).and_then(|text| text.parse().ok()).unwrap_or_default();
                message.set(48, format!("{:012}{}", minor + 1, said.get(12..).unwrap_or_default()));
            }
            Some(Fault::WrongAmount) => {
                let minor: i64 = message.text(4).parse().unwrap_or_default();
                message.set(4, format!("{:012}", minor + 1));
            }
            Some(Fault::WrongNumber) => {
                let trace: u32 = message.text(11).parse().unwrap_or_default();
                message.set(11, format!("{:06}", (trace + 1) % 1_000_000));
            }
            Some(Fault::Busy) => message.set(39, "96"),
            Some(Fault::StrangeError) => message.set(39, "ZZ"),
            _ => {}
        }
        if key.is_some() {
            message.set(64, [0; 8]);
        }
        let mut bytes = codec::encode(message).unwrap_or_else(|error| {
            tracing::error!(%error, "an answer cannot be written");
            Vec::new()
        });
        if let (Some(key), Some(end)) = (key, bytes.len().checked_sub(8)) {
            let mut tag = cipher::mac(self.mac, &key, &bytes[PREFIX_LEN..end]);
            if fault == Some(Fault::Forged) {
                tag[0] ^= 1;
            }
            bytes[end..].copy_from_slice(&tag);
        }
        bytes
    }
}

/// The answer's head, and what it repeats of the message.
fn header(message: &Message, moment: &Moment) -> Message {
    let kind = match message.kind.as_bytes() {
        [a, b, c, d] => format!("{}{}{}{}", *a as char, *b as char, (*c + 1) as char, *d as char),
        _ => String::new(),
    };
    let mut answer = Message {
        to: message.from,
        from: message.to,
        header: message.header,
        kind,
        fields: [3, 4, 11, 25, 41, 42, 49, 60, 62]
            .into_iter()
            .filter_map(|field| Some((field, message.fields.get(&field)?.clone())))
            .collect(),
    };
    if message.kind == "0800" {
        answer.fields.remove(&62);
    }
    answer.set(12, &moment.at[4..]);
    answer.set(13, &moment.at[..4]);
    answer
}

fn fill(answer: &mut Message, entry: &Entry) {
    if !entry.asked.card.is_empty() {
        answer.set(2, &entry.asked.card);
    }
    answer.set(12, &entry.asked.at[4..]);
    answer.set(13, &entry.asked.at[..4]);
    answer.set(15, &entry.asked.at[..4]);
    answer.set(32, "49002900");
    answer.set(37, &entry.retrieval);
    if !entry.authorisation.is_empty() {
        answer.set(38, &entry.authorisation);
    }
    answer.set(44, "49002900   49002900   ");
    answer.set(63, "CUP");
}

fn kind(message: &Message) -> Result<Kind, &'static str> {
    match (message.kind.as_str(), message.text(3), message.text(60).get(..2)) {
        ("0200" | "0400", "000000", Some("22")) | ("0220", "000000", Some("30")) => Ok(Kind::Sale),
        ("0200" | "0400", "200000", Some("23")) => Ok(Kind::Void),
        ("0220", "200000", Some("25")) => Ok(Kind::Refund),
        _ => Err("12"),
    }
}

/// Of an advice: when the terminal sold, `MMDDhhmmss`.
///
/// # Errors
/// 30: it does not say, or it has a PIN, which nobody could look at then.
fn sold_at(message: &Message) -> Result<Option<String>, &'static str> {
    if (message.kind.as_str(), message.text(3)) != ("0220", "000000") {
        return Ok(None);
    }
    let at = format!("{}{}", message.text(13), message.text(12));
    if at.len() == 10 && !message.has(52) { Ok(Some(at)) } else { Err("30") }
}

fn key(batch: Option<&str>, trace: Option<&str>) -> Result<(u32, u32), &'static str> {
    let number =
        |text: Option<&str>| text.filter(|text| text.len() == 6).and_then(|text| text.parse().ok()).ok_or("30");
    Ok((number(batch)?, number(trace)?))
}

/// Fields 37 and 61.
fn origin(message: &Message) -> Result<Origin, &'static str> {
    let field = message.text(61);
    let key = key(field.get(..6), field.get(6..12))?;
    let date = field.get(12..16).ok_or("30")?.to_owned();
    Ok(Origin { key, retrieval: message.text(37).to_owned(), date })
}

fn right_pin(message: &Message, key: &Working, number: &str) -> Result<(), &'static str> {
    let Some(block) = message.fields.get(&52) else { return Ok(()) };
    let is_said = match key {
        Working::Tdes(_) => message.text(53).get(..2) == Some("26"),
        Working::Aes(_) => message.text(53) == SECURITY_ISO_4,
    };
    if !is_said {
        return Err("30");
    }
    match cipher::pin(block, key, number) {
        None => Err("99"),
        Some(pin) if pin == PIN => Ok(()),
        Some(_) => Err("55"),
    }
}

const fn refusal(fault: Fault) -> Option<&'static str> {
    match fault {
        Fault::InsufficientFunds => Some("51"),
        Fault::CodeExpired => Some("54"),
        Fault::CodeInvalid => Some("14"),
        Fault::LimitExceeded => Some("61"),
        Fault::Declined => Some("05"),
        _ => None,
    }
}

/// The acquirer's clock, in Beijing.
struct Moment {
    /// `MMDDhhmmss`.
    at: String,
    /// `YYMM`.
    month: String,
}

impl Moment {
    fn at(now_ms: i64) -> Self {
        let utc = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1_000)).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let now = utc.to_offset(UtcOffset::from_hms(8, 0, 0).unwrap_or(UtcOffset::UTC));
        let (month, day) = (u8::from(now.month()), now.day());
        Self {
            at: format!("{month:02}{day:02}{:02}{:02}{:02}", now.hour(), now.minute(), now.second()),
            month: format!("{:02}{month:02}", now.year() % 100),
        }
    }
}
