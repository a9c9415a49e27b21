//! What is wrong with a row, by which fields, and what is best done about it.

use saoma_protocol::{Money, money::MoneyError};

use super::{Key, Ours, Side, Theirs};

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
        /// A line of the bill that is none.
        Unreadable = "unreadable",
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
        FetchAgain = "fetch_again",
    }
}

/// A row that does not agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub class: Class,
    /// None for a line that cannot be read.
    pub key: Option<Key>,
    /// The bill's line, if it is about one.
    pub line: Option<u64>,
    pub ours: Option<Side>,
    pub theirs: Option<Side>,
    /// As what the payment or refund stands here, where that is the difference; or what the line says.
    pub words: Option<String>,
    pub fields: Vec<Field>,
    pub fix: Fix,
}

/// What moves the books to where the bill is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// Positive: the channel has more of the merchant's money than the books say, its fees not counted.
    pub amount: Money,
    /// Positive: the channel keeps more than the books say.
    pub fee: Money,
}

impl Correction {
    /// What the channel will pay out more, or less.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn net(&self) -> Result<Money, MoneyError> {
        self.amount.checked_sub(self.fee)
    }
}

impl Finding {
    /// What books it away: `None` where no posting of amounts can (another currency, an open payment, another day, a line
    /// that says nothing), or where nothing differs.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn correction(&self) -> Result<Option<Correction>, MoneyError> {
        let (Some(key), Some(one)) = (&self.key, self.theirs.or(self.ours)) else { return Ok(None) };
        match self.class {
            Class::Amount | Class::Fee | Class::MissingHere | Class::MissingThere | Class::Duplicate => {}
            Class::Currency | Class::Status | Class::CutOff | Class::Unreadable => return Ok(None),
        }
        let none = Money::new(0, one.currency());
        // What was listed before is in the books once: all of this line is too much.
        let ours = self.ours.filter(|_| self.class != Class::Duplicate);
        let part = |side: Option<Side>, of: fn(&Side) -> Money| side.as_ref().map_or(none, of);
        let amount = part(self.theirs, |side| side.money).checked_sub(part(ours, |side| side.money))?;
        let fee = part(self.theirs, |side| side.fee).checked_sub(part(ours, |side| side.fee))?;
        let amount = if key.movement.is_income() { amount } else { none.checked_sub(amount)? };
        Ok((amount.minor() != 0 || fee.minor() != 0).then_some(Correction { amount, fee }))
    }
}

/// What is known of a line that the books do not have on its day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    Nothing,
    /// The payment or refund is here, and no money of it has moved: the state it is in.
    Standing(String),
    /// The books have it on another day. `is_near`: the one before or after; `is_listed`: a bill of another day has it too.
    Moved {
        side: Side,
        is_near: bool,
        is_listed: bool,
    },
}

/// Whether the two agree; if not, what is wrong.
#[must_use]
pub fn compare(ours: &Ours, theirs: &Theirs) -> Option<Finding> {
    differing(&ours.side, &theirs.side).map(|(class, fields, fix)| Finding {
        class,
        key: Some(theirs.key.clone()),
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
        line: None,
        ours: Some(Side { money: none, fee, at: reversal.side.at }),
        theirs: Some(Side { money: none, fee: none, at: reversal.side.at }),
        words: None,
        fields: vec![Field::Fee],
        fix: Fix::FollowBill,
    })
}

/// What is wrong with a movement that the bill of its day does not have. `elsewhere`: the line of a neighbouring day's bill;
/// `may_follow`: the next day's bill is not here yet.
#[must_use]
pub fn only_ours(ours: &Ours, elsewhere: Option<&Theirs>, may_follow: bool) -> Finding {
    let finding = |class, theirs, line, fields, fix| Finding {
        class,
        key: Some(ours.key.clone()),
        line,
        ours: Some(ours.side),
        theirs,
        words: None,
        fields,
        fix,
    };
    let Some(theirs) = elsewhere else {
        let fix = if may_follow { Fix::WaitForNextBill } else { Fix::ClaimFromChannel };
        return finding(Class::MissingThere, None, None, Vec::new(), fix);
    };
    // What else differs is told on the day of the bill.
    finding(Class::CutOff, Some(theirs.side), Some(theirs.line), vec![Field::Date], Fix::NothingToDo)
}

/// What is wrong with a line that the books do not have on its day.
#[must_use]
pub fn only_theirs(theirs: &Theirs, known: Known) -> Finding {
    let finding = |class, ours, words, fields, fix| Finding {
        class,
        key: Some(theirs.key.clone()),
        line: Some(theirs.line),
        ours,
        theirs: Some(theirs.side),
        words,
        fields,
        fix,
    };
    match known {
        Known::Nothing => finding(Class::MissingHere, None, None, Vec::new(), Fix::FollowBill),
        Known::Standing(state) => finding(Class::Status, None, Some(state), vec![Field::Status], Fix::SettlePayment),
        Known::Moved { side, is_listed: true, .. } => {
            finding(Class::Duplicate, Some(side), None, vec![Field::Date], Fix::ClaimFromChannel)
        }
        Known::Moved { side, is_near, is_listed: false } => match differing(&side, &theirs.side) {
            Some((class, mut fields, fix)) => {
                fields.push(Field::Date);
                finding(class, Some(side), None, fields, fix)
            }
            None => {
                let fix = if is_near { Fix::NothingToDo } else { Fix::ClaimFromChannel };
                finding(Class::CutOff, Some(side), None, vec![Field::Date], fix)
            }
        },
    }
}

/// A further line about what the bill has listed.
#[must_use]
pub fn duplicate(theirs: &Theirs) -> Finding {
    Finding {
        class: Class::Duplicate,
        key: Some(theirs.key.clone()),
        line: Some(theirs.line),
        ours: None,
        theirs: Some(theirs.side),
        words: None,
        fields: Vec::new(),
        fix: Fix::ClaimFromChannel,
    }
}

/// A line that says nothing that can be matched; `words` is what stands there.
#[must_use]
pub fn unreadable(line: u64, words: String) -> Finding {
    Finding {
        class: Class::Unreadable,
        key: None,
        line: Some(line),
        ours: None,
        theirs: None,
        words: Some(words),
        fields: Vec::new(),
        fix: Fix::FetchAgain,
    }
}
