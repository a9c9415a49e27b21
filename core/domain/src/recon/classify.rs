//! What is wrong with a row, by which fields, and what is best done about it.

use saoma_protocol::{Currency, Money, money::MoneyError};

use super::{Key, Movement, Ours, Side, Theirs};

macro_rules! named {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Stable, as stored and sent.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)+
                }
            }

            #[must_use]
            pub fn from_text(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.text() == text)
            }
        }
    };
}

pub(crate) use named;

named! {
    /// In what way the two sides differ. A row that differs in several has the first of these.
    Class {
        Currency = "currency",
        Amount = "amount",
        Fee = "fee",
        /// The bill has it, and the books have never heard of it.
        MissingHere = "missing_here",
        /// The books have it, and no bill does.
        MissingThere = "missing_there",
        /// The bill has it, and here it has not come to that: it failed, or is still open.
        Status = "status",
        /// The other side has it on another day.
        CutOff = "cut_off",
        /// The bill has listed it before.
        Duplicate = "duplicate",
        /// It is in the books of another channel account of the merchant's: both may have one number at the scheme.
        OtherAccount = "other_account",
        /// The sides agree, and what was booked to correct them stands.
        Corrected = "corrected",
        /// What arrived at the bank is not what the bills of its days come to.
        Payout = "payout",
        /// A line of the bill that is none.
        Unreadable = "unreadable",
        /// The channel gives no bill of a day on which the books have something.
        NoBill = "no_bill",
    }
}

named! {
    /// A field in which the sides differ.
    Field {
        Currency = "currency",
        Amount = "amount",
        Fee = "fee",
        Status = "status",
        Date = "date",
    }
}

named! {
    /// What is best done about it. A proposal: a person decides.
    Fix {
        /// Both days together agree.
        NothingToDo = "nothing_to_do",
        /// The next day's bill is not here yet; it may be on that.
        WaitForNextBill = "wait_for_next_bill",
        /// The books follow the bill.
        FollowBill = "follow_bill",
        /// The channel owes it.
        ClaimFromChannel = "claim_from_channel",
        /// The channel is asked about the payment or refund, or it is settled by hand; the books follow from that.
        SettlePayment = "settle_payment",
        /// The case is not known here: a dispute of the payment is opened from the line.
        OpenDispute = "open_dispute",
        /// A dispute of the payment is here under another number of the case: it takes the line's.
        NameDispute = "name_dispute",
        /// The channel gave the money back: the dispute is closed as won.
        WinDispute = "win_dispute",
        FetchAgain = "fetch_again",
    }
}

/// A row that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub class: Class,
    /// None for a line that cannot be read, a payout, and a day without a bill.
    pub key: Option<Key>,
    /// 0: about the movement itself, on whatever day it is. Else about a line that is one too many: the nth of its key on its
    /// day's bill.
    pub nth: u64,
    /// The bill's line, if it is about one. Another revision may have it elsewhere.
    pub line: Option<u64>,
    pub ours: Option<Side>,
    pub theirs: Option<Side>,
    /// As what the payment or refund stands here, where that is the difference; or what the line says; or which payout it is.
    pub words: Option<String>,
    pub fields: Vec<Field>,
    pub fix: Fix,
}

/// What moves the books to where the bill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Positive: the channel has more of the merchant's money than the books say, its fees not counted.
    pub amount: Money,
    /// Positive: the channel keeps more than the books say. Of the same currency.
    pub fee: Money,
}

impl Correction {
    #[must_use]
    pub const fn nothing(currency: Currency) -> Self {
        Self { amount: Money::new(0, currency), fee: Money::new(0, currency) }
    }

    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.amount.minor() == 0 && self.fee.minor() == 0
    }

    /// # Errors
    /// `Overflow`, `CurrencyMismatch`.
    pub fn checked_add(&self, other: &Self) -> Result<Self, MoneyError> {
        Ok(Self { amount: self.amount.checked_add(other.amount)?, fee: self.fee.checked_add(other.fee)? })
    }

    /// # Errors
    /// `Overflow`, `CurrencyMismatch`.
    pub fn checked_sub(&self, other: &Self) -> Result<Self, MoneyError> {
        Ok(Self { amount: self.amount.checked_sub(other.amount)?, fee: self.fee.checked_sub(other.fee)? })
    }

    /// What the channel will pay out more, or less.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn net(&self) -> Result<Money, MoneyError> {
        self.amount.checked_sub(self.fee)
    }
}

impl Finding {
    /// What is still to be booked, after `booked` was about the same movement or line: nothing, if that is all of it. `None`
    /// where no posting of amounts can (another currency, an open payment, another day, a line that says nothing).
    ///
    /// # Errors
    /// `Overflow`; `CurrencyMismatch` if something of another currency was booked.
    pub fn correction(&self, booked: Option<&Correction>) -> Result<Option<Correction>, MoneyError> {
        let whole = match self.class {
            Class::Corrected => booked.map(|booked| Correction::nothing(booked.amount.currency())),
            _ => self.difference()?,
        };
        let Some(whole) = whole else { return Ok(None) };
        booked.map_or(Ok(whole), |booked| whole.checked_sub(booked)).map(Some)
    }

    fn difference(&self) -> Result<Option<Correction>, MoneyError> {
        let Some(one) = self.theirs.or(self.ours) else { return Ok(None) };
        match self.class {
            Class::Amount
            | Class::Fee
            | Class::MissingHere
            | Class::MissingThere
            | Class::Duplicate
            | Class::Payout => {}
            Class::Currency
            | Class::Status
            | Class::CutOff
            | Class::OtherAccount
            | Class::Corrected
            | Class::Unreadable
            | Class::NoBill => return Ok(None),
        }
        let none = Money::new(0, one.currency());
        // What was listed before is in the books once: all of this line is too much.
        let ours = self.ours.filter(|_| self.class != Class::Duplicate);
        let part = |side: Option<Side>, of: fn(&Side) -> Money| side.as_ref().map_or(none, of);
        let amount = part(self.theirs, |side| side.money).checked_sub(part(ours, |side| side.money))?;
        let fee = part(self.theirs, |side| side.fee).checked_sub(part(ours, |side| side.fee))?;
        let is_income = self.key.as_ref().is_none_or(|key| key.movement.is_income());
        let amount = if is_income { amount } else { none.checked_sub(amount)? };
        Ok(Some(Correction { amount, fee }))
    }
}

/// What is known of a line that the books do not have on its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Nothing,
    /// Of a chargeback: the payment is one of the account's, and has no dispute that it could be about.
    Disputable,
    /// Of a chargeback: a dispute of the payment is here that no bill has; its id.
    DisputeUnnamed(String),
    /// It is in the books of another account.
    OtherAccount,
    /// The payment or refund is here, and no money of it has moved: the state it is in.
    Standing(String),
    /// The same, and that is its end: whatever the channel says, it does not become what the line says any more.
    Ended(String),
    /// The books have it on another day, and so: however late it was heard of, the channel has it.
    Moved(Side),
    /// It is on the bill of the day on which the books have it, or on an earlier one; and as what it is in the books, if it is.
    Listed(Option<Side>),
}

/// Whether the two agree; if not, what is wrong.
#[must_use]
pub fn compare(ours: &Ours, theirs: &Theirs) -> Option<Finding> {
    differing(&ours.side, &theirs.side).map(|(class, fields, fix)| Finding {
        class,
        key: Some(theirs.key.clone()),
        nth: 0,
        line: Some(theirs.line),
        ours: Some(ours.side),
        theirs: Some(theirs.side),
        words: None,
        fields,
        fix,
    })
}

fn differing(ours: &Side, theirs: &Side) -> Option<(Class, Vec<Field>, Fix)> {
    if ours.currency() != theirs.currency() {
        return Some((Class::Currency, vec![Field::Currency], Fix::ClaimFromChannel));
    }
    let (amount, fee) = (ours.money != theirs.money, ours.fee != theirs.fee);
    let fields = [(amount, Field::Amount), (fee, Field::Fee)];
    let fields: Vec<Field> = fields.into_iter().filter_map(|(differs, field)| differs.then_some(field)).collect();
    match (amount, fee) {
        (true, _) => Some((Class::Amount, fields, Fix::ClaimFromChannel)),
        (false, true) => Some((Class::Fee, fields, Fix::FollowBill)),
        (false, false) => None,
    }
}

/// What is wrong with a payment that was undone on its own day and is in no bill: the books may have kept its fee, which the
/// channel did not take.
#[must_use]
pub fn netted(payment: &Ours, reversal: &Ours) -> Option<Finding> {
    let none = Money::new(0, payment.side.currency());
    // Both are parts of one payment's fee, far within 64 bits; what does not fit is a difference all the same.
    let fee = payment.side.fee.checked_add(reversal.side.fee).unwrap_or(payment.side.fee);
    (fee.minor() != 0).then(|| Finding {
        class: Class::Fee,
        key: Some(payment.key.clone()),
        nth: 0,
        line: None,
        ours: Some(Side { money: none, fee, at: reversal.side.at }),
        theirs: Some(Side { money: none, fee: none, at: reversal.side.at }),
        words: None,
        fields: vec![Field::Fee],
        fix: Fix::FollowBill,
    })
}

/// What is wrong with a movement that the bill of its day does not have. `elsewhere`: the first line of another day's bill about
/// it; `may_follow`: the next day's bill is not here yet.
#[must_use]
pub fn only_ours(ours: &Ours, elsewhere: Option<&Theirs>, may_follow: bool) -> Finding {
    let finding = |class, theirs, line, fields, fix| Finding {
        class,
        key: Some(ours.key.clone()),
        nth: 0,
        line,
        ours: Some(ours.side),
        theirs,
        words: None,
        fields,
        fix,
    };
    let Some(theirs) = elsewhere else {
        let fix = match ours.key.movement {
            _ if may_follow => Fix::WaitForNextBill,
            // Nothing was taken, so there is nothing to claim.
            Movement::Chargeback => Fix::FollowBill,
            Movement::ChargebackReversal | Movement::Payment | Movement::Refund | Movement::Reversal => {
                Fix::ClaimFromChannel
            }
        };
        return finding(Class::MissingThere, None, None, Vec::new(), fix);
    };
    // What else differs is told on the day of the bill.
    finding(Class::CutOff, Some(theirs.side), Some(theirs.line), vec![Field::Date], Fix::NothingToDo)
}

/// What is wrong with the first line of its key on a bill whose day it is not in the books on.
#[must_use]
pub fn only_theirs(theirs: &Theirs, known: Known) -> Finding {
    let finding = |class, ours, words, fields, fix| Finding {
        class,
        key: Some(theirs.key.clone()),
        nth: 0,
        line: Some(theirs.line),
        ours,
        theirs: Some(theirs.side),
        words,
        fields,
        fix,
    };
    match known {
        Known::Nothing => finding(Class::MissingHere, None, None, Vec::new(), Fix::FollowBill),
        Known::Disputable => finding(Class::MissingHere, None, None, Vec::new(), Fix::OpenDispute),
        Known::DisputeUnnamed(dispute) => {
            finding(Class::MissingHere, None, Some(dispute), Vec::new(), Fix::NameDispute)
        }
        Known::OtherAccount => finding(Class::OtherAccount, None, None, Vec::new(), Fix::NothingToDo),
        Known::Standing(state) => {
            let is_of_dispute = theirs.key.movement.is_of_dispute();
            let fix = if is_of_dispute { Fix::WinDispute } else { Fix::SettlePayment };
            finding(Class::Status, None, Some(state), vec![Field::Status], fix)
        }
        // As if it had never been heard of: the money has moved, and the books can only follow by a correction.
        Known::Ended(state) => finding(Class::MissingHere, None, Some(state), vec![Field::Status], Fix::FollowBill),
        Known::Listed(ours) => {
            let found = finding(Class::Duplicate, ours, None, vec![Field::Date], Fix::ClaimFromChannel);
            Finding { nth: 1, ..found }
        }
        Known::Moved(side) => match differing(&side, &theirs.side) {
            Some((class, mut fields, fix)) => {
                fields.push(Field::Date);
                finding(class, Some(side), None, fields, fix)
            }
            None => finding(Class::CutOff, Some(side), None, vec![Field::Date], Fix::NothingToDo),
        },
    }
}

/// A further line about what this bill has listed: the `nth` of its key.
#[must_use]
pub fn duplicate(theirs: &Theirs, nth: u64) -> Finding {
    Finding {
        class: Class::Duplicate,
        key: Some(theirs.key.clone()),
        nth,
        line: Some(theirs.line),
        ours: None,
        theirs: Some(theirs.side),
        words: None,
        fields: Vec::new(),
        fix: Fix::ClaimFromChannel,
    }
}

/// The sides agree (or neither has it any more), and what was booked about it before is to be taken back.
#[must_use]
pub fn corrected(key: &Key, nth: u64, ours: Option<Side>, theirs: Option<&Theirs>) -> Finding {
    Finding {
        class: Class::Corrected,
        key: Some(key.clone()),
        nth,
        line: theirs.map(|row| row.line),
        ours,
        theirs: theirs.map(|row| row.side),
        words: None,
        fields: Vec::new(),
        fix: Fix::FollowBill,
    }
}

/// What arrived against what the bills of its days come to; `words` names the payout.
#[must_use]
pub fn paid_out_otherwise(expected: Side, arrived: Side, words: String) -> Finding {
    Finding {
        class: Class::Payout,
        key: None,
        nth: 0,
        line: None,
        ours: Some(expected),
        theirs: Some(arrived),
        words: Some(words),
        fields: vec![Field::Amount],
        fix: Fix::ClaimFromChannel,
    }
}

/// There is no bill of the day yet, long after it should be there; `words` is what the channel says.
#[must_use]
pub fn no_bill(words: String) -> Finding {
    Finding {
        class: Class::NoBill,
        key: None,
        nth: 0,
        line: None,
        ours: None,
        theirs: None,
        words: Some(words),
        fields: Vec::new(),
        fix: Fix::FetchAgain,
    }
}

/// A line that says nothing that can be matched; `words` is what stands there.
#[must_use]
pub fn unreadable(line: u64, words: String) -> Finding {
    Finding {
        class: Class::Unreadable,
        key: None,
        nth: 0,
        line: Some(line),
        ours: None,
        theirs: None,
        words: Some(words),
        fields: Vec::new(),
        fix: Fix::FetchAgain,
    }
}
