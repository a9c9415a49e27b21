//! The end of a batch: totals are compared (0500), and where they differ, each transaction (0320).
//!
//! Source: UnionPay's POS terminal specification, batch settlement; field 48 is 62 digits of totals, or a count and up to eight rows of 40
//! digits.

use std::collections::BTreeMap;

use super::book::{Book, Entry, Kind};

const EQUAL: char = '1';
const UNEQUAL: char = '2';
/// Card type, trace number, card number, amount.
const ROW_LEN: usize = 2 + 6 + 20 + 12;
const ROWS_MAX: usize = 8;

/// The batch that is open: what the terminal has sent of it, and the answers, so that a repeat is answered again and never counted
/// twice.
#[derive(Debug, Default)]
pub struct Upload {
    rows: Vec<(u32, i64)>,
    /// Whether totals were sent that differ, and rows may come.
    is_wanted: bool,
}

/// An answer: response code, and field 48 if there is one.
pub type Said = (&'static str, Option<String>);

/// What came of a batch's messages, by batch, trace number and content, of the open batch and of the last one.
#[derive(Debug, Default)]
pub struct Answered(BTreeMap<(u32, u32), (String, Said)>);

impl Answered {
    /// The answer to this very message before.
    ///
    /// # Errors
    /// 94: the trace number is of another message.
    pub fn before(&self, key: (u32, u32), content: &str) -> Result<Option<Said>, &'static str> {
        match self.0.get(&key) {
            Some((same, said)) if same == content => Ok(Some(said.clone())),
            Some(_) => Err("94"),
            None => Ok(None),
        }
    }

    pub fn keep(&mut self, key: (u32, u32), content: String, said: &Said) {
        // Of two batches at most.
        self.0.retain(|(batch, _), _| batch.abs_diff(key.0) <= 1);
        self.0.insert(key, (content, said.clone()));
    }
}

/// A batch that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    pub batch: u32,
    pub balanced: bool,
    /// As [`Book::totals`].
    pub totals: [(i64, u32); 2],
    pub uploaded: usize,
    pub missing: usize,
}

/// Field 48 of a settlement, with the flag of the home cards filled in, and whether the two sides agree. There are no foreign cards
/// here: their totals are nothing, or do not fit. `differs`: they do not, whatever they are.
///
/// # Errors
/// 30.
pub fn settle(book: &Book, totals: &str, differs: bool) -> Result<(String, bool), &'static str> {
    if totals.len() != 62 || !totals.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("30");
    }
    let side = |[(debit, debits), (credit, credits)]: [(i64, u32); 2]| {
        format!("{debit:012}{debits:03}{credit:012}{credits:03}")
    };
    let (home, foreign) = (side(book.totals()), side([(0, 0); 2]));
    let flag = |said: &str, ours: &str, differs: bool| if said == ours && !differs { EQUAL } else { UNEQUAL };
    let flags = (flag(&totals[..30], &home, differs), flag(&totals[31..61], &foreign, false));
    Ok((format!("{}{}{}{}", &totals[..30], flags.0, &totals[31..61], flags.1), flags == (EQUAL, EQUAL)))
}

impl Upload {
    /// Of a batch whose totals differ.
    #[must_use]
    pub const fn wanted() -> Self {
        Self { rows: Vec::new(), is_wanted: true }
    }

    /// Rows of a message (0320, network code 201).
    ///
    /// # Errors
    /// 30; 12: nobody asked for them.
    pub fn add(&mut self, rows: &str) -> Result<(), &'static str> {
        let (count, rows) = rows.split_at_checked(2).ok_or("30")?;
        let n_rows: usize = count.parse().map_err(|_| "30")?;
        if !(1..=ROWS_MAX).contains(&n_rows) || rows.len() != n_rows * ROW_LEN {
            return Err("30");
        }
        if !self.is_wanted {
            return Err("12");
        }
        for row in rows.as_bytes().chunks_exact(ROW_LEN) {
            let number = |range: std::ops::Range<usize>| std::str::from_utf8(&row[range]).ok()?.parse::<i64>().ok();
            let trace = number(2..8).and_then(|trace| u32::try_from(trace).ok()).ok_or("30")?;
            self.rows.push((trace, number(28..40).ok_or("30")?));
        }
        Ok(())
    }

    /// The end of the upload (network code 207): how many rows the terminal says there were. What the two sides do not share is for
    /// persons to look into; the batch is over.
    ///
    /// # Errors
    /// 30: rows are missing; 12: nobody asked for them.
    pub fn end(&self, book: &Book, count: &str) -> Result<Closed, &'static str> {
        if !self.is_wanted {
            return Err("12");
        }
        if count.parse() != Ok(self.rows.len()) {
            return Err("30");
        }
        let is_sent = |entry: &&Entry| !self.rows.contains(&(entry.asked.key.1, entry.asked.amount));
        let missing = book.of_batch().filter(|entry| entry.asked.kind != Kind::Void).filter(is_sent).count();
        let (batch, totals, uploaded) = (book.batch, book.totals(), self.rows.len());
        Ok(Closed { batch, balanced: false, totals, uploaded, missing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acquirer::book::Asked;

    fn book() -> Book {
        let mut book = Book::default();
        for trace in [1, 2] {
            let (card, number, at) = ("4012345678909".to_owned(), String::new(), "1126120000".to_owned());
            let asked = Asked { key: (1, trace), kind: Kind::Sale, amount: 500, card, number, at, sold_at: None };
            book.sale(asked, Ok(())).expect("a sale");
        }
        book
    }

    #[test]
    fn totals_agree_or_not() {
        let nothing = "0".repeat(31);
        let (equal, balanced) =
            settle(&book(), &format!("0000000010000020000000000000000{nothing}"), false).expect("reads");
        assert_eq!((&equal[30..31], &equal[61..], balanced), ("1", "1", true));
        for (totals, differs) in [("0000000005000010000000000000000", false), ("0000000010000020000000000000000", true)]
        {
            let (unequal, balanced) = settle(&book(), &format!("{totals}{nothing}"), differs).expect("reads");
            assert_eq!((&unequal[30..31], &unequal[61..], balanced), ("2", "1", false));
        }
        assert_eq!(settle(&book(), "1", false), Err("30"));
    }

    #[test]
    fn an_upload_shows_what_is_missing() {
        let row = |trace: u32| format!("00{trace:06}{:0<20}{:012}", "4012345678909", 500);
        let one = format!("01{}", row(1));
        let mut upload = Upload::wanted();
        assert_eq!((upload.add(&one), upload.add("02"), upload.add("")), (Ok(()), Err("30"), Err("30")));
        let closed = upload.end(&book(), "0001").expect("the rows are there");
        assert_eq!((closed.uploaded, closed.missing, closed.totals), (1, 1, [(1_000, 2), (0, 0)]));
        assert_eq!(upload.end(&book(), "0002"), Err("30"));
        let mut unwanted = Upload::default();
        assert_eq!((unwanted.add(&one), unwanted.end(&book(), "0000")), (Err("12"), Err("12")));
    }

    #[test]
    fn a_message_is_answered_again_and_not_counted_twice() {
        let mut answered = Answered::default();
        let said = ("00", Some("1".to_owned()));
        answered.keep((1, 7), "totals".to_owned(), &said);
        assert_eq!(answered.before((1, 7), "totals"), Ok(Some(said)));
        assert_eq!((answered.before((1, 7), "rows"), answered.before((1, 8), "rows")), (Err("94"), Ok(None)));
        answered.keep((3, 1), "totals".to_owned(), &("00", None));
        assert_eq!(answered.before((1, 7), "totals"), Ok(None));
    }
}
