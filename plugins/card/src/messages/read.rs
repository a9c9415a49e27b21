//! Answers: whether they are about our message, and what they say.

use saoma_channel_sdk::{Failure, declined};

use super::{
    build::{Approved, Sent},
    codec::{self, Answer, Draft, Value},
    moment::moment,
    settings::Settings,
};

/// What came back for a message that moves money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// An answer with a right MAC, about this very message.
    Answered(Said),
    /// The acquirer wants a sign-on first, and says that it did nothing else. `signed`: it says so with a right MAC.
    SignOn { signed: bool },
    /// Nothing that could be believed.
    Unclear {
        why: String,
        /// Of the reversal, field 39.
        reason: &'static str,
    },
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Field 39.
    pub code: String,
    pub retrieval: String,
    pub authorisation: String,
    /// `MMDD`, the acquirer's.
    pub date: String,
    /// Milliseconds since 1970; none if the acquirer said no moment.
    pub at_ms: Option<i64>,
    /// The header asks for a sign-on once this is over.
    pub sign_on_after: bool,
    /// Field 48: the totals of a batch.
    pub totals: String,
}

/// What field 39 means for a message that moves money.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    Approved,
    /// Refused for good, in the contract's code.
    Refused(Failure),
    Unclear,
}

/// Why there is a reversal (field 39): no answer; an answer whose MAC is wrong; an answer that cannot be read.
pub const NO_ANSWER: &str = "98";
pub const WRONG_MAC: &str = "A0";
pub const UNREADABLE: &str = "06";

/// Of the header, the sixth digit: what the acquirer wants done next. 3 is a sign-on.
const WANTS_SIGN_ON: u8 = 3;

/// What the bytes that came back for `draft` are worth. `mac_fits`: what the host found; `now_ms`: for the year of the acquirer's date.
#[must_use]
pub fn heard(settings: &Settings, draft: &Draft, bytes: &[u8], mac_fits: bool, now_ms: i64) -> Heard {
    let unclear = |why: &str| Heard::Unclear { why: why.to_owned(), reason: UNREADABLE };
    let answer = match codec::decode(bytes) {
        Ok(answer) => answer,
        Err(why) => return unclear(&format!("the answer cannot be read: {why}")),
    };
    if let Some(field) = differs(settings, draft, &answer) {
        return unclear(&format!("the answer is about another message: {field} differs"));
    }
    let code = answer.text(39);
    let wants_sign_on = matches!(code, "77" | "99" | "A0");
    // A right MAC over bytes that no field 64 ends in would be chance, or a trick.
    if !mac_fits || !answer.fields.contains_key(&64) {
        if wants_sign_on {
            return Heard::SignOn { signed: false };
        }
        let why = "the answer has no right MAC".to_owned();
        return Heard::Unclear { why, reason: WRONG_MAC };
    }
    if wants_sign_on {
        return Heard::SignOn { signed: true };
    }
    let (date, clock) = (answer.text(13), answer.text(12));
    let sound = |text: &str, len: usize| text.len() == len && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let is_sold = matches!(draft.kind, "0200" | "0220");
    let authorisation = answer.text(38).trim_end();
    if verdict(code) == Verdict::Approved
        && is_sold
        && !(sound(answer.text(37), 12)
            && date.len() == 4
            && authorisation.bytes().all(|byte| byte.is_ascii_alphanumeric()))
    {
        return unclear("the answer approves, and does not say under which number");
    }
    Heard::Answered(Said {
        code: code.to_owned(),
        retrieval: answer.text(37).to_owned(),
        authorisation: authorisation.to_owned(),
        date: date.to_owned(),
        at_ms: moment(date, clock, now_ms),
        sign_on_after: answer.header[2] & 0x0f == WANTS_SIGN_ON,
        totals: answer.text(48).to_owned(),
    })
}

/// The first thing by which an answer is not the one to this message.
fn differs(settings: &Settings, draft: &Draft, answer: &Answer) -> Option<&'static str> {
    let kind = match draft.kind {
        "0800" => "0810",
        "0200" => "0210",
        "0220" => "0230",
        "0400" => "0410",
        "0500" => "0510",
        "0320" => "0330",
        _ => return Some("the type"),
    };
    if answer.kind != kind {
        return Some("the type");
    }
    let Ok(([id, d0, d1, s0, s1], _)) = settings.prefix() else { return Some("the network number") };
    if answer.tpdu != [id, s0, s1, d0, d1] {
        return Some("the network number");
    }
    let named =
        [(11, "the trace number"), (41, "the terminal"), (42, "the merchant"), (4, "the amount"), (3, "the kind")];
    let is_same = |field: u8| match draft.fields.get(&field) {
        Some(Value::Said(said)) => answer.fields.get(&field) == Some(said),
        // Not sent, so not compared.
        _ => true,
    };
    let other = named.into_iter().find(|(field, _)| !is_same(*field)).map(|(_, name)| name);
    // A trace number alone may have been another batch's.
    other.or_else(|| (matches!(draft.kind, "0500" | "0320") && !is_same(60)).then_some("the batch"))
}

/// The meaning of a response code (UnionPay's table of them). What is not named here leaves it open: so do the codes by which a host says
/// that somebody behind it did not answer, and those that approve with a fault or in part.
#[must_use]
pub fn verdict(code: &str) -> Verdict {
    let reason = match code {
        "00" | "11" | "16" => return Verdict::Approved,
        "01" | "02" | "04" | "05" | "07" | "34" | "35" | "37" | "38" | "41" | "43" | "55" | "59" | "75" => "declined",
        "51" => "insufficient-funds",
        "14" => "code-invalid",
        "33" | "54" => "code-expired",
        "61" | "65" => "limit-exceeded",
        "03" | "36" | "40" | "45" | "57" | "58" | "62" => "not-permitted",
        "13" | "64" => "amount-invalid",
        "12" | "30" | "97" => "other",
        _ => return Verdict::Unclear,
    };
    Verdict::Refused(declined(reason, format!("response code {code}")))
}

impl Said {
    /// An approved sale, as it is named from now on.
    #[must_use]
    pub fn approved(&self, sent: &Sent, settings: &Settings) -> Approved {
        Approved {
            retrieval: self.retrieval.clone(),
            batch: sent.batch,
            trace: sent.trace,
            date: self.date.clone(),
            authorisation: self.authorisation.clone(),
            terminal: settings.terminal_number.clone(),
        }
    }
}

/// Working keys, sealed under the terminal's master key, each with its check value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedOn {
    pub batch: u32,
    pub pin: (Vec<u8>, Vec<u8>),
    pub mac: (Vec<u8>, Vec<u8>),
}

/// Why there are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotSignedOn {
    /// The acquirer says no, by this code.
    Refused(String),
    Unclear(String),
}

/// The answer to a sign-on. It has no MAC; its keys carry check values, which the host compares.
///
/// # Errors
/// See [`NotSignedOn`].
pub fn signed_on(settings: &Settings, draft: &Draft, bytes: &[u8]) -> Result<SignedOn, NotSignedOn> {
    let unclear = |why: &str| NotSignedOn::Unclear(why.to_owned());
    let answer = codec::decode(bytes).map_err(NotSignedOn::Unclear)?;
    if let Some(field) = differs(settings, draft, &answer) {
        return Err(unclear(&format!("it is about another message: {field} differs")));
    }
    match answer.text(39) {
        "00" => {}
        code => return Err(NotSignedOn::Refused(code.chars().filter(char::is_ascii_alphanumeric).collect())),
    }
    let batch = answer.text(60).get(2..8).and_then(|batch| batch.parse().ok());
    let batch = batch.filter(|batch| *batch > 0);
    let batch = batch.ok_or_else(|| unclear("it names no batch"))?;
    // 16 bytes and 4 for PINs, 16 and 4 for MACs; where the key for MACs has 8, zeros follow it.
    let keys: Option<&[u8; 40]> = answer.fields.get(&62).and_then(|bytes| bytes.as_slice().try_into().ok());
    let keys = keys.ok_or_else(|| unclear("it has no two working keys"))?;
    let mac = if keys[28..36] == [0; 8] { &keys[20..28] } else { &keys[20..36] };
    Ok(SignedOn { batch, pin: (keys[..16].to_vec(), keys[16..20].to_vec()), mac: (mac.to_vec(), keys[36..].to_vec()) })
}
