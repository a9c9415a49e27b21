//! The terminal's journal as both sides read it: numbered entries, each chained to the one before by its hash.
//!
//! An entry's payload is kept as the very text that was hashed: JSON that is parsed and printed again need not come out
//! the same, and core must be able to check a chain that an older terminal wrote.

mod signature;
mod split;
mod stamp;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::{
    signature::{EntrySignature, SIGNED_LEN, signed_bytes},
    split::SplitPart,
    stamp::{CoreTime, MACHINE_OFF_MS_MAX, Stamp},
};
use crate::{
    Amount, CashierId, ChannelAccountId, Millis, Money, PaymentId, RefundId, Sequence,
    api::{CardDigits, Goods, PaymentState, PresentedCard, Quoted, RefundState},
};

/// The newest version of [`Record`] that this code reads. A reader refuses what is newer and reads what is older.
///
/// Version 2 added the records of a shift, version 3 discounts and taxes on lines of goods, version 4 sales by card, version 5 the
/// sale that an offline code paid, version 6 the card sale that waits to be forwarded, version 7 the quote that a sale is made of,
/// version 8 goods that were weighed. Each record is written in the oldest
/// version that has it, so that a core which knows no shifts still takes the sales of a terminal that opens none. One that does
/// not know the version of an entry takes those before it; that one and all behind it wait on the terminal until it does.
pub const RECORD_VERSION: u16 = 8;

/// Longest payload of one entry, in bytes: a sale with 200 lines of goods at 120 bytes, and room for the rest. A till bounds what it
/// puts into one by bytes, since names and taxes may be longer.
pub const PAYLOAD_LEN_MAX: usize = 32 * 1024;

/// The hash before the first entry.
pub const GENESIS: [u8; 32] = [0; 32];

/// One line of the journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Entry {
    /// From 1, without gaps, per terminal.
    pub sequence: Sequence,
    /// The terminal's clock when the entry was made; for people to read, never for order. What core's was stands in the payload.
    pub at: Millis,
    /// The hash of the entry before, 64 lower-case hex digits.
    pub prev_hash: String,
    /// A [`Versioned`] record as JSON text, at most [`PAYLOAD_LEN_MAX`] bytes.
    pub payload: String,
    /// That the terminal wrote it, by one of its keys. Not under the hash: the same entry may be signed by the key that follows. Agents
    /// before there were signatures write none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signature: Option<EntrySignature>,
}

/// A record with the version of its format, and what time it was at core. That is here, and not beside [`Entry::at`], so that the hash
/// covers it and whoever read entries before it was there passes over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    pub v: u16,
    pub record: Record,
    #[serde(default, skip_serializing_if = "CoreTime::is_unsaid")]
    pub core_time: CoreTime,
}

/// What happened at the till.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Record {
    /// A sale through core was keyed; written before its first byte leaves.
    SaleKeyed {
        payment: PaymentId,
        counter: Sequence,
        amount: Amount,
        method: Method,
        goods: Vec<Goods>,
        cashier: String,
        /// As in [`Self::CashSale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<SplitPart>,
        /// As in [`Self::CashSale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Quoted>,
    },
    /// What core said of that sale, when the till learned it.
    SaleSettled { payment: PaymentId, state: PaymentState, amount_refunded_minor: i64 },
    /// A cash sale: done once this entry is on the disk, with or without a network.
    CashSale {
        payment: PaymentId,
        counter: Sequence,
        amount: Amount,
        /// What the customer handed over, in minor units; at least the amount.
        tendered_minor: i64,
        goods: Vec<Goods>,
        cashier: String,
        /// What it is a part of, if a total is paid in parts. Readers of before pass over it, and take the part for a sale.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        split: Option<SplitPart>,
        /// The price that core quoted by the merchant's rules: the goods come to what was asked about, the amount is what was quoted.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Quoted>,
        /// The table's or order's number. Readers of before pass over it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// Cash given back for a cash sale.
    CashRefund {
        refund: RefundId,
        payment: PaymentId,
        amount: Amount,
        /// The whole sale was undone on its day. Not in the payload if it was not: so it was before there was this field.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        void: bool,
        cashier: String,
        /// The supervisor who approved it by a PIN, if one was needed. Readers of before pass over it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<Approver>,
    },
    /// A refund or void through core was keyed.
    RefundKeyed {
        refund: RefundId,
        payment: PaymentId,
        amount: Amount,
        void: bool,
        cashier: String,
        /// As in [`Self::CashRefund`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        approved_by: Option<Approver>,
    },
    /// What core said of that refund or void.
    RefundSettled { refund: RefundId, payment: PaymentId, state: RefundState },
    /// A cashier signed on (签到), and with the shift a batch began. What was keyed from here to its [`Self::ShiftClosed`] is
    /// of that batch: the order of the entries says so, no other record names it.
    ShiftOpened {
        /// From 1, and larger than any before it on this terminal.
        batch: Sequence,
        cashier: String,
        /// Of the cashier, as the merchant numbers its people; may be empty.
        cashier_number: String,
        /// The change counted into the drawer; 0 or more. Its currency is the batch's.
        float: Money,
    },
    /// Cash was put into the drawer that no sale brought.
    PaidIn { batch: Sequence, amount: Amount, reason: String, cashier: String },
    /// Cash was taken out of the drawer that no refund took.
    PaidOut { batch: Sequence, amount: Amount, reason: String, cashier: String },
    /// The batch was closed (结算): the drawer was counted, and all that was in it taken out.
    ShiftClosed {
        batch: Sequence,
        /// 0 or more.
        counted: Money,
        /// What the terminal says should have been there; below 0 if more was taken out than it knows to have come in.
        expected: Money,
        cashier: String,
    },
    /// A sale that an offline code paid: done once this entry is on the disk, without a network.
    OfflineSale {
        payment: PaymentId,
        counter: Sequence,
        amount: Amount,
        /// The whole code as it was scanned, [`crate::code`]'s OPC1 text: whoever checks the sale later checks what was shown.
        code: String,
        goods: Vec<Goods>,
        cashier: String,
        /// As in [`Self::CashSale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Quoted>,
        /// As in [`Self::CashSale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
    /// A sale by card without a network, at the merchant's risk: done once this entry is on the disk, and not paid before the
    /// acquirer, to whom core forwards it, has said so.
    StoredCardSale {
        payment: PaymentId,
        counter: Sequence,
        amount: Amount,
        /// That of the [`crate::api::CardLimits`] under which it was sold.
        channel_account: ChannelAccountId,
        /// As it was encrypted where it was read, for core's host alone. Never with a PIN.
        card: PresentedCard,
        digits: CardDigits,
        goods: Vec<Goods>,
        cashier: String,
        /// As in [`Self::CashSale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quote: Option<Quoted>,
        /// As in [`Self::CashSale`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
}

impl Record {
    /// The version of the format that brought this kind of record.
    #[must_use]
    pub fn version(&self) -> u16 {
        if self.has_weighed() {
            return 8;
        }
        match self {
            Self::SaleKeyed { quote: Some(_), .. }
            | Self::CashSale { quote: Some(_), .. }
            | Self::OfflineSale { quote: Some(_), .. }
            | Self::StoredCardSale { quote: Some(_), .. } => 7,
            Self::SaleKeyed { method: Method::Card, .. } => 4,
            Self::SaleKeyed { goods, .. } | Self::CashSale { goods, .. } => {
                if goods.iter().all(Goods::is_plain) {
                    1
                } else {
                    3
                }
            }
            Self::SaleSettled { .. }
            | Self::CashRefund { .. }
            | Self::RefundKeyed { .. }
            | Self::RefundSettled { .. } => 1,
            Self::ShiftOpened { .. } | Self::PaidIn { .. } | Self::PaidOut { .. } | Self::ShiftClosed { .. } => 2,
            Self::OfflineSale { .. } => 5,
            Self::StoredCardSale { .. } => 6,
        }
    }

    /// Whether something of what it sells was weighed.
    fn has_weighed(&self) -> bool {
        let (goods, split) = match self {
            Self::SaleKeyed { goods, split, .. } | Self::CashSale { goods, split, .. } => (goods, split.as_ref()),
            Self::OfflineSale { goods, .. } | Self::StoredCardSale { goods, .. } => (goods, None),
            _ => return false,
        };
        goods.iter().chain(split.into_iter().flat_map(|part| &part.goods)).any(|line| line.weight_grams.is_some())
    }
}

/// Who let money go back. Names are not unique, and staff codes are given on: the id says who it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approver {
    pub id: CashierId,
    pub name: String,
}

/// How a sale through core is collected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// The shop shows a code, the customer scans it.
    MerchantPresented,
    /// The customer shows a code, the cashier scans it.
    CustomerPresented,
    /// The customer inserts or swipes a card.
    Card,
}

/// Why an entry is not the next good one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("entry {sequence} names another entry as the one before it")]
    BrokenChain { sequence: Sequence },
    #[error("the payload of entry {sequence} has {len} bytes; at most {PAYLOAD_LEN_MAX} are allowed")]
    TooLong { sequence: Sequence, len: usize },
    #[error("entry {sequence} is of format {version}; this side reads up to {RECORD_VERSION}")]
    Newer { sequence: Sequence, version: u16 },
    #[error("the payload of entry {sequence} cannot be read: {why}")]
    Unreadable { sequence: Sequence, why: String },
}

impl Entry {
    /// The entry that follows one with hash `prev_hash` (or [`GENESIS`]), not signed yet.
    ///
    /// # Errors
    /// `TooLong` if the record does not fit; nothing else can go wrong.
    pub fn new(
        sequence: Sequence,
        at: impl Into<Stamp>,
        prev_hash: [u8; 32],
        record: Record,
    ) -> Result<Self, EntryError> {
        let Stamp { machine: at, core: core_time } = at.into();
        let payload = serde_json::to_string(&Versioned { v: record.version(), record, core_time })
            .map_err(|error| EntryError::Unreadable { sequence, why: error.to_string() })?;
        if payload.len() > PAYLOAD_LEN_MAX {
            return Err(EntryError::TooLong { sequence, len: payload.len() });
        }
        Ok(Self { sequence, at, prev_hash: data_encoding::HEXLOWER.encode(&prev_hash), payload, signature: None })
    }

    /// SHA-256 over `saoma journal 1`, the previous hash as text, the sequence and time as big-endian 64 bits, and the payload.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"saoma journal 1");
        hash.update(self.prev_hash.as_bytes());
        hash.update(self.sequence.0.to_be_bytes());
        hash.update(self.at.0.to_be_bytes());
        hash.update(self.payload.as_bytes());
        hash.finalize().into()
    }

    /// The payload, in which a [`Record::StoredCardSale`] has only how its card was read. The hash is not this text's.
    #[must_use]
    pub fn payload_without_card(&self) -> Cow<'_, str> {
        let Ok(mut versioned) = self.versioned() else { return Cow::Borrowed(&self.payload) };
        let Record::StoredCardSale { card, .. } = &mut versioned.record else { return Cow::Borrowed(&self.payload) };
        let (entry, empty) = (card.entry, String::new());
        *card = PresentedCard {
            entry,
            ksn: empty.clone(),
            number: empty,
            sequence_number: None,
            track_2: None,
            pin: None,
            emv: None,
        };
        // Plain texts and numbers: writing them cannot fail.
        Cow::Owned(serde_json::to_string(&versioned).unwrap_or_default())
    }

    /// When it was made, by both clocks; of a payload that cannot be read, by the terminal's alone.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        #[derive(Deserialize)]
        struct TimeOnly {
            #[serde(default)]
            core_time: CoreTime,
        }
        let core = serde_json::from_str(&self.payload).map_or(CoreTime::Unsaid, |TimeOnly { core_time }| core_time);
        Stamp { machine: self.at, core }
    }

    /// The record inside, if this entry follows one with hash `prev_hash`.
    ///
    /// # Errors
    /// In this order: `TooLong`, `BrokenChain`, `Unreadable`, `Newer`.
    pub fn checked(&self, prev_hash: [u8; 32]) -> Result<Record, EntryError> {
        let sequence = self.sequence;
        if self.payload.len() > PAYLOAD_LEN_MAX {
            return Err(EntryError::TooLong { sequence, len: self.payload.len() });
        }
        if self.prev_hash != data_encoding::HEXLOWER.encode(&prev_hash) {
            return Err(EntryError::BrokenChain { sequence });
        }
        self.record()
    }

    /// The record inside, whatever came before.
    ///
    /// # Errors
    /// `Newer` if a later terminal wrote it, else `Unreadable`.
    pub fn record(&self) -> Result<Record, EntryError> {
        Ok(self.versioned()?.record)
    }

    fn versioned(&self) -> Result<Versioned, EntryError> {
        #[derive(Deserialize)]
        struct VersionOnly {
            v: u16,
        }
        let sequence = self.sequence;
        let unreadable = |error: serde_json::Error| EntryError::Unreadable { sequence, why: error.to_string() };
        let VersionOnly { v: version } = serde_json::from_str(&self.payload).map_err(unreadable)?;
        if version > RECORD_VERSION {
            return Err(EntryError::Newer { sequence, version });
        }
        serde_json::from_str(&self.payload).map_err(unreadable)
    }
}
