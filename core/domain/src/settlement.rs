//! Settlement: a batch of what moved through a channel account is counted by both sides, and closed.
//!
//! A batch is fixed once it is closed here: which rows, and what they come to. It moves no money and changes no payment; what the
//! two sides do not agree on is for persons. Its states, and what leads out of them:
//!
//! closing → settled, or → differs (the scheme had closed it by itself), or → uploading → settled, or → differs.
//!
//! closing → cancelled: a person takes it back, as long as nothing of it ever left. What was in it is of the next one.

mod drain;

use std::collections::BTreeMap;

use saoma_protocol::{Currency, Money};

pub use self::drain::{APART_MS_MAX, Drain, HOLD_MS, Turn, UnderWay, turn};

/// How many rows, and what they come to in minor units; both 0 or more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub count: u32,
    pub minor: i64,
}

impl Tally {
    /// With one row more; `None` past what an `i64` holds, which no batch within its bounds comes to.
    #[must_use]
    pub fn with(self, minor: i64) -> Option<Self> {
        Some(Self { count: self.count.checked_add(1)?, minor: self.minor.checked_add(minor)? })
    }
}

/// What a batch comes to in one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    pub currency: Currency,
    /// Sales, whatever became of them later.
    pub debits: Tally,
    /// Refunds and voids.
    pub credits: Tally,
}

/// What came into the books through the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowKind {
    Sale,
    Refund,
    Void,
}

impl RowKind {
    /// Stable text: `sale`, `refund`, `void`.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Refund => "refund",
            Self::Void => "void",
        }
    }

    #[must_use]
    pub const fn is_debit(self) -> bool {
        matches!(self, Self::Sale)
    }
}

/// What rows come to, a total for each currency, in their order by code. `None` as for [`Tally::with`].
pub fn totals(rows: impl IntoIterator<Item = (RowKind, Money)>) -> Option<Vec<Total>> {
    let mut totals: BTreeMap<Currency, Total> = BTreeMap::new();
    for (kind, money) in rows {
        let currency = money.currency();
        let nothing = Total { currency, debits: Tally::default(), credits: Tally::default() };
        let total = totals.entry(currency).or_insert(nothing);
        let side = if kind.is_debit() { &mut total.debits } else { &mut total.credits };
        *side = side.with(money.minor())?;
    }
    Some(totals.into_values().collect())
}

/// What the scheme said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It counts the same, and the batch is over.
    Balanced,
    /// It counts otherwise, perhaps so.
    Differs(Option<Vec<Total>>),
    /// It had closed the batch by itself; in words.
    Over(String),
}

/// How a batch stands that is closed here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// The totals are on their way.
    Closing,
    /// The totals differ: rows are on their way, so many of them taken.
    Uploading { sent: u32 },
    /// Both sides counted the same.
    Settled,
    /// It is over at the scheme, and a person has to see to it.
    Differs(Difference),
    /// A person took it back: the scheme never had it, and nothing is in it.
    Cancelled,
}

/// What a person has to look into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// All rows are uploaded, and the scheme counted otherwise.
    Totals,
    /// The scheme closed the batch by itself, in its words.
    Elsewhere(String),
}

/// What happened to a batch on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The answer to its totals.
    Answered(Settled),
    /// So many rows more were taken.
    Taken { rows: u32 },
    /// The answer to the end of its upload.
    Finished(Settled),
}

/// Why that cannot have happened: our own mistake, or an answer to a question of before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a batch that stands so hears no such answer")]
pub struct OutOfTurn;

impl State {
    /// Stable text: `closing`, `uploading`, `settled`, `differs`, `cancelled`.
    #[must_use]
    pub const fn text(&self) -> &'static str {
        match self {
            Self::Closing => "closing",
            Self::Uploading { .. } => "uploading",
            Self::Settled => "settled",
            Self::Differs(_) => "differs",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a person may take it back. `unsent`: each attempt said that nothing left, or there was none.
    #[must_use]
    pub const fn is_cancellable(&self, unsent: bool) -> bool {
        unsent && matches!(self, Self::Closing)
    }

    /// Whether the scheme still has to answer.
    #[must_use]
    pub const fn is_on_its_way(&self) -> bool {
        matches!(self, Self::Closing | Self::Uploading { .. })
    }
}

/// What a batch of `rows` rows stands at after `event`.
///
/// # Errors
/// [`OutOfTurn`]; it then stands as it did.
pub fn decide(state: &State, rows: u32, event: Event) -> Result<State, OutOfTurn> {
    match (state, event) {
        (State::Closing, Event::Answered(settled)) => Ok(match settled {
            Settled::Balanced => State::Settled,
            Settled::Differs(_) => State::Uploading { sent: 0 },
            Settled::Over(words) => State::Differs(Difference::Elsewhere(words)),
        }),
        (State::Uploading { sent }, Event::Taken { rows: more }) => {
            let sent = sent.checked_add(more).filter(|sent| *sent <= rows && more > 0).ok_or(OutOfTurn)?;
            Ok(State::Uploading { sent })
        }
        (State::Uploading { sent }, Event::Finished(settled)) if *sent == rows => Ok(match settled {
            Settled::Balanced => State::Settled,
            Settled::Differs(_) => State::Differs(Difference::Totals),
            Settled::Over(words) => State::Differs(Difference::Elsewhere(words)),
        }),
        _ => Err(OutOfTurn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_goes_one_way() {
        let up = |sent| State::Uploading { sent };
        let differs = || Settled::Differs(None);
        let over = || Settled::Over("by its clock".to_owned());
        let elsewhere = || State::Differs(Difference::Elsewhere("by its clock".to_owned()));
        let rows = [
            (State::Closing, Event::Answered(Settled::Balanced), Ok(State::Settled)),
            (State::Closing, Event::Answered(differs()), Ok(up(0))),
            (State::Closing, Event::Answered(over()), Ok(elsewhere())),
            (State::Closing, Event::Taken { rows: 1 }, Err(OutOfTurn)),
            (State::Closing, Event::Finished(Settled::Balanced), Err(OutOfTurn)),
            (up(0), Event::Answered(Settled::Balanced), Err(OutOfTurn)),
            (up(0), Event::Taken { rows: 2 }, Ok(up(2))),
            (up(2), Event::Taken { rows: 1 }, Ok(up(3))),
            (up(2), Event::Taken { rows: 2 }, Err(OutOfTurn)),
            (up(2), Event::Taken { rows: 0 }, Err(OutOfTurn)),
            (up(u32::MAX), Event::Taken { rows: 1 }, Err(OutOfTurn)),
            (up(2), Event::Finished(Settled::Balanced), Err(OutOfTurn)),
            (up(3), Event::Finished(Settled::Balanced), Ok(State::Settled)),
            (up(3), Event::Finished(differs()), Ok(State::Differs(Difference::Totals))),
            (up(3), Event::Finished(over()), Ok(elsewhere())),
            (State::Settled, Event::Answered(differs()), Err(OutOfTurn)),
            (elsewhere(), Event::Answered(Settled::Balanced), Err(OutOfTurn)),
            (State::Differs(Difference::Totals), Event::Finished(Settled::Balanced), Err(OutOfTurn)),
            (State::Cancelled, Event::Answered(Settled::Balanced), Err(OutOfTurn)),
        ];
        for (state, event, expected) in rows {
            assert_eq!(decide(&state, 3, event.clone()), expected, "{state:?} {event:?}");
        }
        for (state, may) in [
            (State::Closing, true),
            (up(0), false),
            (State::Settled, false),
            (State::Differs(Difference::Totals), false),
            (State::Cancelled, false),
        ] {
            assert_eq!((state.is_cancellable(true), state.is_cancellable(false)), (may, false), "{state:?}");
        }
    }

    #[test]
    fn rows_are_counted_by_side_and_currency() {
        let euro: Currency = "EUR".parse().expect("a currency");
        let (cny, eur) = (|minor| Money::new(minor, Currency::CNY), |minor| Money::new(minor, euro));
        let rows = [
            (RowKind::Sale, cny(500)),
            (RowKind::Sale, eur(1)),
            (RowKind::Void, cny(500)),
            (RowKind::Refund, cny(99)),
            (RowKind::Sale, cny(99)),
        ];
        let tally = |count, minor| Tally { count, minor };
        assert_eq!(
            totals(rows),
            Some(vec![
                Total { currency: Currency::CNY, debits: tally(2, 599), credits: tally(2, 599) },
                Total { currency: euro, debits: tally(1, 1), credits: tally(0, 0) },
            ])
        );
        assert_eq!(totals([]), Some(Vec::new()));
        assert_eq!(totals([(RowKind::Sale, cny(i64::MAX)), (RowKind::Sale, cny(1))]), None);
    }
}
