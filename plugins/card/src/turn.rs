//! Which of several calls about one order may write and send.
//!
//! The store has no "write if unchanged"; it has a counter that never gives a number twice. Each call that would change an order
//! takes the next number of the order's counter, and takes another before it sends and before it says what came of it: if that is
//! not the very next, another call came in between, and this one does nothing more and claims nothing.

use saoma_channel_sdk::{Error, no_answer, not_sent};

use crate::{desk::Desk, payment::unknown, record::State};

/// An order or refund of which nothing is kept is sent only this long after core took it in: later it may be that it was sent, and its
/// record is lost.
const FRESH_MS: u64 = 600_000;

pub struct Turn<'a> {
    desk: &'a Desk<'a>,
    number: &'a str,
    last: u64,
    /// Another call came in between.
    is_lost: bool,
}

/// What a call finds that would send an order or refund.
pub enum Entry<'a> {
    /// It alone may.
    Mine(Turn<'a>),
    Known(Box<State>),
    /// It was not sent, and another call is about it, or was and did not come to its end.
    Beside(Turn<'a>),
}

impl<'a> Turn<'a> {
    /// To send what was never sent. One call alone comes in: of those that find the same record the one with the number after it.
    ///
    /// # Errors
    /// `no-answer`: it may have been sent; `not-sent`: there is no room, or no store.
    pub fn enter(desk: &'a Desk<'a>, number: &'a str, created_at: i64) -> Result<Entry<'a>, Error> {
        let before = match desk.record(number)? {
            None if desk.host.now().abs_diff(created_at) <= FRESH_MS => 0,
            None => return Err(no_answer("nothing is kept of it, and it is not new: ask the acquirer by hand")),
            Some(State::Unsent { turn }) => turn,
            Some(state) => return Ok(Entry::Known(Box::new(state))),
        };
        let turn = Self::take(desk, number)?;
        if turn.last != before + 1 {
            return Ok(Entry::Beside(turn));
        }
        if before == 0 {
            desk.begin(number, &State::UNSENT).inspect_err(|_| desk.forget_turns(number))?;
        }
        Ok(Entry::Mine(turn))
    }

    /// To undo it. What is read of the order after this was either written by a call that is done, or by one that will find that
    /// this one came in between.
    ///
    /// # Errors
    /// `not-sent`: the store cannot be reached.
    pub fn take(desk: &'a Desk<'a>, number: &'a str) -> Result<Self, Error> {
        Ok(Self { desk, number, last: desk.turn(number)?, is_lost: false })
    }

    fn alone(&mut self) -> Result<(), Error> {
        let next = self.desk.turn(self.number)?;
        if next != self.last + 1 {
            self.is_lost = true;
            return Err(not_sent("another call about the same number came in between"));
        }
        self.last = next;
        Ok(())
    }

    /// Writes down what is sent next.
    ///
    /// # Errors
    /// `not-sent`: nothing may be sent.
    pub fn keep(&mut self, state: &State) -> Result<(), Error> {
        self.alone()?;
        self.desk.keep(self.number, state)?;
        self.alone()
    }

    /// Writes down what came of it.
    ///
    /// # Errors
    /// `no-answer`: another call may be undoing it, or it cannot be kept. It may then not be claimed.
    pub fn settle(&mut self, state: &State) -> Result<(), Error> {
        self.keep(state).map_err(unknown)
    }

    /// Ends a call of which nothing is at the acquirer, so that a later one may come in. Whether no other came in between: else what
    /// is kept is that one's, and stays.
    pub fn leave(&mut self) -> bool {
        let is_alone = !self.is_lost && self.alone().is_ok();
        if is_alone {
            self.desk.keep_outcome(self.number, &State::Unsent { turn: self.last });
        }
        is_alone
    }
}

/// What a call says that finds another at work.
pub fn beside() -> Error {
    no_answer("another call is about the same number")
}
