//! Messages: sign-on, sale, void, refund, reversal.
//!
//! Source: UnionPay's POS terminal specification (2010), the tables of each transaction's fields; what of it is public is named in
//! the README.

use std::collections::BTreeMap;

use saoma_channel_sdk::card::{EntryMode, PresentedCard};
use serde::{Deserialize, Serialize};

use super::{
    codec::{Draft, Part, Value},
    settings::{OrderNumberField, Settings},
};

/// A message of ours that moved, or may have moved, money: what its reversal must say again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Field 11, 1 to 999,999.
    pub trace: u32,
    /// Field 60.2, 1 to 999,999.
    pub batch: u32,
    /// Field 4, minor units.
    pub minor: i64,
    /// Field 22, three digits.
    pub entry: String,
    /// Field 60 after its third part: what the terminal reads, and whether the chip failed.
    pub conditions: String,
    /// Field 23.
    pub sequence: Option<u8>,
    /// Of a void, field 61: the sale that it takes back.
    pub about: Option<String>,
    /// Of an advice: when the terminal sold, fields 13 and 12. Records of before have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sold_at: Option<String>,
}

/// An approved sale, as voids and refunds name it. The text is the payment's reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Field 37 of the answer.
    pub retrieval: String,
    pub batch: u32,
    pub trace: u32,
    /// Field 13 of the answer, `MMDD`.
    pub date: String,
    /// Field 38 of the answer; empty if there was none.
    pub authorisation: String,
    /// Field 41: only the same terminal can void.
    pub terminal: String,
}

impl Approved {
    /// At most 50 characters.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { retrieval, batch, trace, date, authorisation, terminal } = self;
        format!("{retrieval}/{batch:06}/{trace:06}/{date}/{authorisation}/{terminal}")
    }

    /// `None` if it is no reference of this channel's.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        // A terminal number may have a slash, so that it stands last.
        let mut parts = text.splitn(6, '/');
        let mut next = || parts.next();
        let read = Self {
            retrieval: next()?.to_owned(),
            batch: next()?.parse().ok()?,
            trace: next()?.parse().ok()?,
            date: next()?.to_owned(),
            authorisation: next()?.to_owned(),
            terminal: next()?.to_owned(),
        };
        (read.text() == text).then_some(read)
    }

    /// Field 61: batch, trace number and date.
    #[must_use]
    pub fn field_61(&self) -> String {
        format!("{:06}{:06}{}", self.batch, self.trace, self.date)
    }
}

/// Field 60.1 of what can be reversed.
const SALE: &str = "22";
const VOID: &str = "23";
const REFUND: &str = "25";
/// Field 60.1 of what was sold without the acquirer.
const STORED: &str = "30";
/// Typed in, no PIN: so a stored number counts.
const ENTRY_STORED: &str = "012";
/// The terminals read stripe, chip and contactless; the chip did not fail; no part of the amount is approved.
const CONDITIONS: &str = "600";
/// The same, and the chip failed.
const CONDITIONS_FALLBACK: &str = "620";
/// The longest PIN.
const PIN_CHARS: &str = "12";
/// The renminbi yuan (ISO 4217).
pub(super) const CURRENCY: &str = "156";
pub(super) const OPERATOR: &str = "01 ";

impl Settings {
    pub(super) fn draft(&self, kind: &'static str, trace: u32, fields: Vec<(u8, Value)>) -> Draft {
        let mut all = BTreeMap::from([
            (11, format!("{trace:06}").into()),
            (41, self.terminal_number.as_str().into()),
            (42, self.merchant_number.as_str().into()),
        ]);
        all.extend(fields);
        Draft { kind, fields: all }
    }

    /// Asks for working keys: a double one for PINs, one for MACs (60.3: 003).
    #[must_use]
    pub fn sign_on(&self, trace: u32, batch: u32) -> Draft {
        let mut fields = vec![(60, format!("00{batch:06}003").into()), (63, OPERATOR.into())];
        if let Some(serial) = &self.serial_number {
            fields.push((62, format!("Sequence No{:02}{serial}", serial.len()).into()));
        }
        self.draft("0800", trace, fields)
    }

    /// A sale, which is what `sent` says. `number`: our order number.
    ///
    /// # Errors
    /// Why this card cannot be charged.
    pub fn sale(&self, sent: &Sent, card: &PresentedCard, number: &str) -> Result<Draft, &'static str> {
        let mut fields = self.sold(sent, SALE, card, number)?;
        if card.has_pin {
            fields.push((26, PIN_CHARS.into()));
            fields.push((52, Value::Card(Part::PinBlock, self.pin_format.block_len())));
            fields.push((53, self.security().into()));
        }
        Ok(self.draft("0200", sent.trace, fields))
    }

    /// Tells of a sale that was made without the acquirer, with the time at which it was, and the same in every repeat.
    ///
    /// # Errors
    /// Why this card cannot be forwarded.
    pub fn advice(&self, sent: &Sent, card: &PresentedCard, number: &str) -> Result<Draft, &'static str> {
        let (date, clock) = sent.sold_at.as_deref().and_then(|at| at.split_at_checked(4)).ok_or("it has no time")?;
        let mut fields = self.sold(sent, STORED, card, number)?;
        fields.extend([(12, clock.into()), (13, date.into())]);
        Ok(self.draft("0220", sent.trace, fields))
    }

    /// What sales have in common, however they are told.
    fn sold(
        &self,
        sent: &Sent,
        type_code: &str,
        card: &PresentedCard,
        number: &str,
    ) -> Result<Vec<(u8, Value)>, &'static str> {
        let mut fields = self.moves_money(sent, type_code, "000000");
        let has_chip = matches!(card.entry, EntryMode::Chip | EntryMode::Contactless);
        let track_len = usize::from(card.track_2_length);
        if matches!(card.entry, EntryMode::Chip | EntryMode::Contactless | EntryMode::Keyed) {
            fields.extend(number_of(card));
        } else if track_len == 0 {
            return Err("the stripe was read, and there is no track 2");
        }
        if track_len > 0 {
            fields.push((35, Value::Card(Part::Track2, track_len)));
        }
        if has_chip {
            if card.emv.is_empty() {
                return Err("the chip was read, and there is no data of it");
            }
            if card.emv.len() > 255 {
                return Err("the chip's data is longer than the 255 bytes that field 55 has");
            }
            fields.push((55, card.emv.clone().into()));
        }
        if self.order_number_field == OrderNumberField::Field62 {
            fields.push((62, number.into()));
        }
        fields.push((64, vec![0; 8].into()));
        Ok(fields)
    }

    /// Takes a sale back, in whole.
    #[must_use]
    pub fn void(&self, sent: &Sent, sale: &Approved, card: &PresentedCard) -> Draft {
        let mut fields = self.moves_money(sent, VOID, "200000");
        fields.extend(number_of(card));
        fields.extend(about(sale));
        fields.push((64, vec![0; 8].into()));
        self.draft("0200", sent.trace, fields)
    }

    /// Gives back part or all of a sale.
    #[must_use]
    pub fn refund(&self, sent: &Sent, sale: &Approved, card: &PresentedCard, number: &str) -> Draft {
        let mut fields = self.moves_money(sent, REFUND, "200000");
        fields.extend(number_of(card));
        fields.extend(about(sale));
        if self.order_number_field == OrderNumberField::Field62 {
            fields.push((62, number.into()));
        }
        fields.extend([(63, "000".into()), (64, vec![0; 8].into())]);
        self.draft("0220", sent.trace, fields)
    }

    /// Takes back a sale or void that has no answer: the same trace number, batch and amount, and why. It has neither track nor PIN.
    #[must_use]
    pub fn reversal(&self, sent: &Sent, reason: &str, card: Option<&PresentedCard>) -> Draft {
        let (type_code, processing) = if sent.about.is_some() { (VOID, "200000") } else { (SALE, "000000") };
        let mut fields = self.moves_money(sent, type_code, processing);
        fields.extend(card.into_iter().flat_map(number_of));
        fields.extend([(39, reason.into()), (64, vec![0; 8].into())]);
        self.draft("0400", sent.trace, fields)
    }

    fn moves_money(&self, sent: &Sent, type_code: &str, processing: &str) -> Vec<(u8, Value)> {
        let mut fields = vec![
            (3, processing.into()),
            (4, format!("{:012}", sent.minor).into()),
            (22, sent.entry.as_str().into()),
            (25, "00".into()),
            (49, CURRENCY.into()),
            (60, format!("{type_code}{:06}000{}", sent.batch, sent.conditions).into()),
        ];
        fields.extend(sent.sequence.map(|number| (23, format!("{number:03}").into())));
        fields.extend(sent.about.as_ref().map(|about| (61, about.as_str().into())));
        fields
    }
}

impl Sent {
    /// A sale by a card as it was presented.
    #[must_use]
    pub fn sale(trace: u32, batch: u32, minor: i64, card: &PresentedCard) -> Self {
        let entry = match card.entry {
            EntryMode::Keyed => "01",
            EntryMode::Swiped | EntryMode::Fallback => "02",
            EntryMode::Chip => "05",
            EntryMode::Contactless => "07",
            EntryMode::ContactlessStripe => "91",
        };
        let is_fallback = card.entry == EntryMode::Fallback;
        let has_chip = matches!(card.entry, EntryMode::Chip | EntryMode::Contactless);
        Self {
            trace,
            batch,
            minor,
            entry: format!("{entry}{}", if card.has_pin { 1 } else { 2 }),
            conditions: if is_fallback { CONDITIONS_FALLBACK } else { CONDITIONS }.to_owned(),
            sequence: card.sequence_number.filter(|_| has_chip),
            about: None,
            sold_at: None,
        }
    }

    /// The same of one that was sold without the acquirer, at `sold_at` (`MMDDhhmmss`).
    #[must_use]
    pub fn stored(trace: u32, batch: u32, minor: i64, card: &PresentedCard, sold_at: String) -> Self {
        Self { sold_at: Some(sold_at), ..Self::sale(trace, batch, minor, card) }
    }

    /// A void or refund of a sale, by the number that core kept.
    #[must_use]
    pub fn about(trace: u32, batch: u32, minor: i64, sale: &Approved) -> Self {
        let (entry, conditions) = (ENTRY_STORED.to_owned(), CONDITIONS.to_owned());
        Self { trace, batch, minor, entry, conditions, sequence: None, about: Some(sale.field_61()), sold_at: None }
    }
}

fn number_of(card: &PresentedCard) -> [(u8, Value); 2] {
    let digits = card.number_masked.chars().count();
    [(2, Value::Card(Part::Number, digits)), (14, Value::Card(Part::Expiry, 4))]
}

fn about(sale: &Approved) -> impl Iterator<Item = (u8, Value)> {
    let authorisation = (!sale.authorisation.is_empty()).then(|| (38, sale.authorisation.as_str().into()));
    [(37, sale.retrieval.as_str().into())].into_iter().chain(authorisation)
}
