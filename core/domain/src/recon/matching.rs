//! One walk through both sides, each sorted by [`Key`]; at most one row of each is held at a time, and one more of ours.

use std::iter::Peekable;

use super::{Key, Movement, Ours, Theirs};

/// What became of a row, or of two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pair {
    /// Both sides have it. Whether they agree is [`super::compare`]'s to say.
    Both(Ours, Theirs),
    /// The bill does not have it.
    OnlyOurs(Ours),
    /// The books do not have it on this day.
    OnlyTheirs(Theirs),
    /// A further line of the bill about a movement that it has listed.
    Again(Theirs),
    /// Taken and undone whole on this very day, and in no bill: both rows of ours.
    Netted(Ours, Ours),
}

/// Why a walk stopped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError<E> {
    /// Whoever reads the rows failed.
    #[error(transparent)]
    Read(E),
    /// Our own mistake: a side is not in the order of its keys, or the books have one twice.
    #[error("{0:?} comes out of its turn")]
    Order(Key),
}

/// The walk, as an iterator. It ends at the first error.
pub struct Merge<O: Iterator, T: Iterator> {
    ours: Peekable<O>,
    theirs: Peekable<T>,
    last_ours: Option<Key>,
    last_theirs: Option<Key>,
    /// A payment of ours that the bill does not have: its reversal may follow.
    held: Option<Ours>,
    /// What comes before anything else is read.
    next: Option<Pair>,
    is_over: bool,
}

impl<E, O, T> Merge<O, T>
where
    O: Iterator<Item = Result<Ours, E>>,
    T: Iterator<Item = Result<Theirs, E>>,
{
    /// `theirs` may have a key several times; `ours` has each once.
    pub fn new(ours: impl IntoIterator<IntoIter = O>, theirs: impl IntoIterator<IntoIter = T>) -> Self {
        Self {
            ours: ours.into_iter().peekable(),
            theirs: theirs.into_iter().peekable(),
            last_ours: None,
            last_theirs: None,
            held: None,
            next: None,
            is_over: false,
        }
    }

    fn take_ours(&mut self) -> Result<Option<Ours>, MergeError<E>> {
        let Some(row) = self.ours.next().transpose().map_err(MergeError::Read)? else { return Ok(None) };
        if self.last_ours.as_ref().is_some_and(|last| *last >= row.key) {
            return Err(MergeError::Order(row.key));
        }
        self.last_ours = Some(row.key.clone());
        Ok(Some(row))
    }

    fn take_theirs(&mut self) -> Result<Option<Theirs>, MergeError<E>> {
        let Some(row) = self.theirs.next().transpose().map_err(MergeError::Read)? else { return Ok(None) };
        if self.last_theirs.as_ref().is_some_and(|last| *last > row.key) {
            return Err(MergeError::Order(row.key));
        }
        self.last_theirs = Some(row.key.clone());
        Ok(Some(row))
    }

    /// The next pair, before netting.
    fn matched(&mut self) -> Result<Option<Pair>, MergeError<E>> {
        let again = match (self.theirs.peek(), &self.last_theirs) {
            (Some(Ok(row)), Some(last)) => row.key == *last,
            _ => false,
        };
        if again {
            return Ok(self.take_theirs()?.map(Pair::Again));
        }
        let order = match (self.ours.peek(), self.theirs.peek()) {
            (None, None) => return Ok(None),
            // An error is taken at once, whichever side it is on.
            (Some(Err(_)), _) | (Some(_), None) => std::cmp::Ordering::Less,
            (_, Some(Err(_))) | (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some(Ok(ours)), Some(Ok(theirs))) => ours.key.cmp(&theirs.key),
        };
        Ok(match order {
            std::cmp::Ordering::Less => self.take_ours()?.map(Pair::OnlyOurs),
            std::cmp::Ordering::Greater => self.take_theirs()?.map(Pair::OnlyTheirs),
            std::cmp::Ordering::Equal => match (self.take_ours()?, self.take_theirs()?) {
                (Some(ours), Some(theirs)) => Some(Pair::Both(ours, theirs)),
                (ours, theirs) => ours.map(Pair::OnlyOurs).or(theirs.map(Pair::OnlyTheirs)),
            },
        })
    }

    fn step(&mut self) -> Result<Option<Pair>, MergeError<E>> {
        if let Some(next) = self.next.take() {
            return Ok(Some(next));
        }
        loop {
            let pair = self.matched()?;
            match (self.held.take(), pair) {
                (None, Some(Pair::OnlyOurs(row))) if row.key.movement == Movement::Payment => self.held = Some(row),
                (None, pair) => return Ok(pair),
                (Some(held), Some(Pair::OnlyOurs(row))) if undoes(&held, &row) => {
                    return Ok(Some(Pair::Netted(held, row)));
                }
                // A line of the bill may stand between the two.
                (Some(held), Some(pair)) if is_within(&held, &pair) => {
                    self.held = Some(held);
                    return Ok(Some(pair));
                }
                (Some(held), Some(Pair::OnlyOurs(row))) if row.key.movement == Movement::Payment => {
                    self.held = Some(row);
                    return Ok(Some(Pair::OnlyOurs(held)));
                }
                (Some(held), pair) => {
                    self.next = pair;
                    return Ok(Some(Pair::OnlyOurs(held)));
                }
            }
        }
    }
}

fn undoes(payment: &Ours, row: &Ours) -> bool {
    row.key.number == payment.key.number
        && row.key.movement == Movement::Reversal
        && row.side.money == payment.side.money
}

/// Whether the pair stands between a payment and a reversal under its number.
fn is_within(payment: &Ours, pair: &Pair) -> bool {
    let key = match pair {
        Pair::Both(ours, _) | Pair::OnlyOurs(ours) | Pair::Netted(ours, _) => &ours.key,
        Pair::OnlyTheirs(theirs) | Pair::Again(theirs) => &theirs.key,
    };
    key.number == payment.key.number && key.movement < Movement::Reversal
}

impl<E, O, T> Iterator for Merge<O, T>
where
    O: Iterator<Item = Result<Ours, E>>,
    T: Iterator<Item = Result<Theirs, E>>,
{
    type Item = Result<Pair, MergeError<E>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let step = self.step().transpose();
        self.is_over = !matches!(step, Some(Ok(_)));
        step
    }
}
