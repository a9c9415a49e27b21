//! Which of the card's applications is used (EMV Book 1, section 12).

use super::{
    apdu::{Answer, Card, ask},
    kernel::ChipFault,
    tlv::{Object, Tag, objects, within},
};

/// The directory of contact cards.
const DIRECTORY: &[u8] = b"1PAY.SYS.DDF01";
/// Records of a directory, and applications that begin alike: more is a card that plays with us.
const RECORDS_MAX: u8 = 10;
const CANDIDATES_MAX: usize = 16;
const SELECT_FIRST: [u8; 4] = [0x00, 0xa4, 0x04, 0x00];
const SELECT_NEXT: [u8; 4] = [0x00, 0xa4, 0x04, 0x02];
const BLOCKED: u16 = 0x6283;
const NOT_SUPPORTED: u16 = 0x6a81;

/// Applications that are accepted, by how their names begin (12.3.1: partial names are matched): UnionPay's three, Visa, Mastercard and
/// Maestro, JCB. What the acquirer takes of these, its answer says.
const ACCEPTED: [&[u8]; 7] = [
    &[0xa0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x01],
    &[0xa0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x02],
    &[0xa0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x03],
    &[0xa0, 0x00, 0x00, 0x00, 0x03, 0x10, 0x10],
    &[0xa0, 0x00, 0x00, 0x00, 0x04, 0x10, 0x10],
    &[0xa0, 0x00, 0x00, 0x00, 0x04, 0x30, 0x60],
    &[0xa0, 0x00, 0x00, 0x00, 0x65, 0x10, 0x10],
];

/// An application that both sides have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) aid: Vec<u8>,
    /// 1 is first; without one it is last.
    priority: u8,
}

/// What is selected: its name, and what it says of itself.
pub(super) struct Selected {
    pub(super) aid: Vec<u8>,
    /// For people: the preferred name if its letters are Latin ones, else the label.
    pub(super) label: String,
    /// What it wants to know first (tag 9F38).
    pub(super) wants: Vec<u8>,
}

/// The applications that both sides have, the card's favourite first. Those that may only be used once the holder said so (bit 8 of
/// the priority) are left out: this terminal has nowhere to ask (12.4).
///
/// # Errors
/// `NotAccepted` if the card has no application for this terminal or is blocked.
pub(super) fn candidates(card: &mut dyn Card) -> Result<Vec<Candidate>, ChipFault> {
    let directory = ask(card, SELECT_FIRST, DIRECTORY)?;
    let mut found = match directory.status {
        Answer::DONE => by_directory(card, &directory)?,
        NOT_SUPPORTED => return Err(ChipFault::NotAccepted),
        _ => Vec::new(),
    };
    if found.is_empty() {
        found = by_list(card)?;
    }
    if found.is_empty() {
        return Err(ChipFault::NotAccepted);
    }
    found.sort_by_key(|candidate| candidate.priority);
    Ok(found)
}

fn is_accepted(aid: &[u8]) -> bool {
    aid.len() <= 16 && ACCEPTED.iter().any(|name| aid.starts_with(name))
}

/// The priority, unless the holder would have to be asked.
fn priority_of(indicator: Option<&[u8]>) -> Option<u8> {
    match indicator.and_then(<[u8]>::first).copied().unwrap_or(0) {
        asks if asks & 0x80 != 0 => None,
        none if none & 0x0f == 0 => Some(16),
        priority => Some(priority & 0x0f),
    }
}

/// Section 12.3.2.
fn by_directory(card: &mut dyn Card, directory: &Answer) -> Result<Vec<Candidate>, ChipFault> {
    let file = match within(&directory.data, &[0x6f, 0xa5, 0x88]) {
        Some([file @ 1..=10]) => *file,
        _ => return Ok(Vec::new()),
    };
    let mut found = Vec::new();
    for record in 1..=RECORDS_MAX {
        let answer = ask(card, [0x00, 0xb2, record, file << 3 | 4], &[])?;
        if !answer.is_done() {
            break;
        }
        let Some(entries) = within(&answer.data, &[0x70]) else { break };
        for entry in objects(entries).map_while(Result::ok) {
            let Object { tag: Tag(0x61), value } = entry else { continue };
            let Some(aid) = within(value, &[0x4f]).filter(|aid| is_accepted(aid)) else { continue };
            if let Some(priority) = priority_of(within(value, &[0x87]))
                && found.len() < CANDIDATES_MAX
            {
                found.push(Candidate { aid: aid.to_vec(), priority });
            }
        }
    }
    Ok(found)
}

/// Section 12.3.3: each of the names that are accepted, and what else begins so.
fn by_list(card: &mut dyn Card) -> Result<Vec<Candidate>, ChipFault> {
    let mut found: Vec<Candidate> = Vec::new();
    for name in ACCEPTED {
        let mut answer = ask(card, SELECT_FIRST, name)?;
        let mut seen: Vec<Vec<u8>> = Vec::new();
        while matches!(answer.status, Answer::DONE | BLOCKED) && seen.len() < CANDIDATES_MAX {
            let Some(aid) = within(&answer.data, &[0x6f, 0x84]).filter(|aid| is_accepted(aid) && aid.starts_with(name))
            else {
                break;
            };
            // Also one that is not used: a card that does not know of a next one says the same again.
            if seen.iter().any(|held| held == aid) {
                break;
            }
            seen.push(aid.to_vec());
            let priority = priority_of(within(&answer.data, &[0x6f, 0xa5, 0x87]));
            if let (Some(priority), Answer::DONE) = (priority, answer.status) {
                found.push(Candidate { aid: aid.to_vec(), priority });
            }
            // Only an application whose name is longer can have a brother.
            if aid.len() == name.len() {
                break;
            }
            answer = ask(card, SELECT_NEXT, name)?;
        }
        if answer.status == NOT_SUPPORTED {
            return Err(ChipFault::NotAccepted);
        }
    }
    Ok(found)
}

/// Section 12.4; none if this application does not want to be selected, and the next one may.
pub(super) fn select(card: &mut dyn Card, candidate: &Candidate) -> Result<Option<Selected>, ChipFault> {
    let answer = ask(card, SELECT_FIRST, &candidate.aid)?;
    let aid = within(&answer.data, &[0x6f, 0x84]);
    if !answer.is_done() || aid != Some(candidate.aid.as_slice()) {
        return Ok(None);
    }
    let said = |tag| within(&answer.data, &[0x6f, 0xa5, tag]);
    let preferred = said(0x9f12).filter(|_| said(0x9f11) == Some(&[1]));
    let label = preferred.or_else(|| said(0x50)).map(letters).unwrap_or_default();
    Ok(Some(Selected { aid: candidate.aid.clone(), label, wants: said(0x9f38).unwrap_or_default().to_vec() }))
}

/// Of ISO/IEC 8859-1, those that any printer has.
fn letters(bytes: &[u8]) -> String {
    let shown = bytes.iter().filter(|byte| byte.is_ascii_graphic() || **byte == b' ').take(16);
    shown.map(|byte| char::from(*byte)).collect::<String>().trim().to_owned()
}
