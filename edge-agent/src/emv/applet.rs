//! A payment card made of software: for the simulated reader, the demo, and tests. It answers as a contact card does, and its
//! cryptogram proves nothing to anybody.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    apdu::{Card, Gone},
    tlv,
};

/// What the card is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Test numbers only: it is printed with all else.
    pub number: String,
    /// `YYMMDD`.
    pub expiry: String,
    pub aid: Vec<u8>,
    pub label: String,
    /// 1 is first; bit 8: the holder is to be asked.
    pub priority: u8,
    pub has_directory: bool,
    /// Rules of verification (tag 8E).
    pub verification: Vec<u8>,
    /// What it answers to GENERATE AC: `0x80` asks the issuer, `0x00` declines.
    pub decision: u8,
    /// With T=0, answers to commands with data are fetched.
    pub t0: bool,
}

impl Default for Profile {
    /// A UnionPay debit card that wants its PIN online, where there is a pad, and else a signature.
    fn default() -> Self {
        Self {
            number: "6228480402564890018".to_owned(),
            expiry: "301231".to_owned(),
            aid: vec![0xa0, 0x00, 0x00, 0x03, 0x33, 0x01, 0x01, 0x01],
            label: "UnionPay Debit".to_owned(),
            priority: 1,
            has_directory: true,
            verification: vec![0, 0, 0, 0, 0, 0, 0, 0, 0x42, 0x03, 0x5e, 0x03, 0x1f, 0x00],
            decision: 0x80,
            t0: false,
        }
    }
}

/// What the card wants to know before its cryptogram, in that order (tag 8C).
const ASKED: &[u8] = &[
    0x9f, 0x02, 6, 0x9f, 0x03, 6, 0x9f, 0x1a, 2, 0x95, 5, 0x5f, 0x2a, 2, 0x9a, 3, 0x9c, 1, 0x9f, 0x37, 4, 0x9f, 0x21, 3,
];
/// UnionPay: key index, version, and what the card found.
const ISSUERS_DATA: [u8; 8] = [0x07, 0x01, 0x01, 0x03, 0xa0, 0x00, 0x00, 0x01];
const NOT_FOUND: u16 = 0x6a82;
const NO_RECORD: u16 = 0x6a83;
const NOT_NOW: u16 = 0x6985;
const UNKNOWN: u16 = 0x6d00;

/// A card of that profile. Its counter goes on from insertion to insertion.
pub struct Applet {
    profile: Profile,
    counter: u16,
    selected: bool,
    begun: bool,
    /// Of the last answer, with T=0.
    left: Vec<u8>,
}

impl Applet {
    #[must_use]
    pub const fn new(profile: Profile) -> Self {
        Self { profile, counter: 0, selected: false, begun: false, left: Vec::new() }
    }

    /// It was put in: nothing is selected.
    pub fn reset(&mut self) {
        (self.selected, self.begun) = (false, false);
        self.left.clear();
    }

    /// What the card says when it is switched on (ISO/IEC 7816-3): T=1, or T=0.
    #[must_use]
    pub const fn answer_to_reset(&self) -> &'static [u8] {
        if self.profile.t0 { &[0x3b, 0x60, 0x00, 0x00] } else { &[0x3b, 0x80, 0x81, 0x01, 0x00] }
    }

    /// The answer to a command, with its status.
    pub fn answer(&mut self, command: &[u8]) -> Vec<u8> {
        let (data, status) = match command {
            [0x00, 0xc0, 0, 0, len] => {
                let left = std::mem::take(&mut self.left);
                let (now, later) = left.split_at(usize::from(*len).min(left.len()));
                self.left = later.to_vec();
                (now.to_vec(), 0x9000)
            }
            [class, instruction, first, second, rest @ ..] => {
                let data = rest.split_first().and_then(|(len, data)| data.get(..usize::from(*len))).unwrap_or_default();
                let (data, status) = self.done([*class, *instruction, *first, *second], data);
                // With T=0 a command brings data or fetches it.
                if self.profile.t0 && !rest.is_empty() && rest.len() > 1 && !data.is_empty() {
                    self.left = data;
                    let len = u16::try_from(self.left.len()).unwrap_or(0xff).min(0xff);
                    (Vec::new(), 0x6100 | len)
                } else {
                    (data, status)
                }
            }
            _ => (Vec::new(), 0x6700),
        };
        [data, status.to_be_bytes().to_vec()].concat()
    }

    fn done(&mut self, header: [u8; 4], data: &[u8]) -> (Vec<u8>, u16) {
        let nothing = |status| (Vec::new(), status);
        match header {
            [0x00, 0xa4, 0x04, 0x00] if self.profile.has_directory && data == b"1PAY.SYS.DDF01" => {
                (template(0x6f, &[(0x84, data), (0xa5, &object(0x88, &[1]))]), 0x9000)
            }
            [0x00, 0xa4, 0x04, 0x00] if !data.is_empty() && self.profile.aid.starts_with(data) => {
                (self.selected, self.begun) = (true, false);
                (self.control_information(), 0x9000)
            }
            [0x00, 0xa4, ..] => nothing(NOT_FOUND),
            [0x00, 0xb2, 1, 0x0c] if self.profile.has_directory => (self.directory(), 0x9000),
            [0x80, 0xa8, 0, 0] if self.selected => {
                self.counter = self.counter.wrapping_add(1);
                self.begun = true;
                // Chip data, verification and risk management of its own; two records of file 2.
                (object(0x80, &[0x10, 0x00, 0x10, 1, 2, 0]), 0x9000)
            }
            [0x80, 0xa8, ..] => nothing(NOT_NOW),
            [0x00, 0xb2, record @ 1..=2, 0x14] if self.begun => (self.record(record), 0x9000),
            [0x00, 0xb2, ..] => nothing(NO_RECORD),
            [0x80, 0xae, wanted, 0] if self.begun => {
                self.begun = false;
                (self.cryptogram(wanted, data), 0x9000)
            }
            [0x80, 0xae, ..] => nothing(NOT_NOW),
            _ => nothing(UNKNOWN),
        }
    }

    fn directory(&self) -> Vec<u8> {
        let Profile { aid, label, priority, .. } = &self.profile;
        let entry = template(0x61, &[(0x4f, aid), (0x50, label.as_bytes()), (0x87, &[*priority])]);
        object(0x70, &entry)
    }

    fn control_information(&self) -> Vec<u8> {
        let Profile { aid, label, priority, .. } = &self.profile;
        // It wants to know the country and the amount.
        let asks = [0x9f, 0x1a, 2, 0x9f, 0x02, 6];
        let mut own = Vec::new();
        tlv::write(0x50, label.as_bytes(), &mut own);
        tlv::write(0x87, &[*priority], &mut own);
        tlv::write(0x9f38, &asks, &mut own);
        template(0x6f, &[(0x84, aid), (0xa5, &own)])
    }

    fn record(&self, number: u8) -> Vec<u8> {
        let Profile { number: account, expiry, verification, .. } = &self.profile;
        let track = format!("{account}d{}2010000000", expiry.get(..4).unwrap_or("0000"));
        match number {
            1 => template(0x70, &[(0x57, &packed(&track)), (0x5f20, b"CARD/TEST"), (0x9f42, &[0x01, 0x56])]),
            _ => template(
                0x70,
                &[
                    (0x5a, &packed(account)),
                    (0x5f24, &packed(expiry)),
                    (0x5f34, &[1]),
                    (0x8c, ASKED),
                    (0x8e, verification),
                    (0x9f0e, &[0; 5]),
                ],
            ),
        }
    }

    fn cryptogram(&self, wanted: u8, asked: &[u8]) -> Vec<u8> {
        let kind = if wanted == 0 { 0 } else { self.profile.decision };
        let counter = self.counter.to_be_bytes();
        let hash = Sha256::new().chain_update(asked).chain_update(counter).chain_update([kind]).finalize();
        let cryptogram = hash.first_chunk::<8>().copied().unwrap_or_default();
        object(0x80, &[[kind].as_slice(), &counter, &cryptogram, &ISSUERS_DATA].concat())
    }
}

impl Card for Applet {
    fn transmit(&mut self, command: &[u8]) -> Result<Zeroizing<Vec<u8>>, Gone> {
        Ok(Zeroizing::new(self.answer(command)))
    }

    fn is_t0(&self) -> bool {
        self.profile.t0
    }
}

fn object(tag: u32, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    tlv::write(tag, value, &mut out);
    out
}

fn template(tag: u32, objects: &[(u32, &[u8])]) -> Vec<u8> {
    let mut inner = Vec::new();
    for (tag, value) in objects {
        tlv::write(*tag, value, &mut inner);
    }
    object(tag, &inner)
}

/// Two digits a byte, `F` behind an odd one.
fn packed(digits: &str) -> Vec<u8> {
    let odd = if digits.len().is_multiple_of(2) { "" } else { "f" };
    hex::decode(format!("{digits}{odd}")).unwrap_or_default()
}
