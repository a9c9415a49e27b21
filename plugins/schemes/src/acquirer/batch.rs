//! The end of a batch: totals are compared (0500), and where they differ, each transaction (0320).
//!
//! Source: UnionPay's POS terminal specification, batch settlement; field 48 is 62 digits of totals, or a count and up to eight rows of 40
//! digits.

use super::book::{Book, Entry, Kind};

const EQUAL: char = '1';
const UNEQUAL: char = '2';
/// Card type, trace number, card number, amount.
const ROW_LEN: usize = 2 + 6 + 20 + 12;
const ROWS_MAX: usize = 8;

/// What a terminal has sent of a batch that did not balance.
#[derive(Debug, Default)]
pub struct Upload {
    rows: Vec<(u32, i64)>,
}

/// Field 48 of a settlement, with the flag of the home cards filled in, and whether the two sides agree. There are no foreign cards
/// here: their totals are nothing, or do not fit.
///
/// # Errors
/// 30.
pub fn settle(book: &Book, totals: &str) -> Result<(String, bool), &'static str> {
    if totals.len() != 62 || !totals.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("30");
    }
    let side = |[(debit, debits), (credit, credits)]: [(i64, u32); 2]| {
        format!("{debit:012}{debits:03}{credit:012}{credits:03}")
    };
    let (home, foreign) = (side(book.totals()), side([(0, 0); 2]));
    let flag = |said: &str, ours: &str| if said == ours { EQUAL } else { UNEQUAL };
    let flags = (flag(&totals[..30], &home), flag(&totals[31..61], &foreign));
    Ok((format!("{}{}{}{}", &totals[..30], flags.0, &totals[31..61], flags.1), flags == (EQUAL, EQUAL)))
}

impl Upload {
    /// Rows of a message (0320, network code 201).
    ///
    /// # Errors
    /// 30.
    pub fn add(&mut self, rows: &str) -> Result<(), &'static str> {
        let (count, rows) = rows.split_at_checked(2).ok_or("30")?;
        let n_rows: usize = count.parse().map_err(|_| "30")?;
        if !(1..=ROWS_MAX).contains(&n_rows) || rows.len() != n_rows * ROW_LEN {
            return Err("30");
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
    /// 30: rows are missing.
    pub fn end(self, book: &Book, count: &str) -> Result<Vec<u32>, &'static str> {
        if count.parse() != Ok(self.rows.len()) {
            return Err("30");
        }
        let is_sent = |entry: &&Entry| !self.rows.contains(&(entry.asked.key.1, entry.asked.amount));
        let missing = book.of_batch().filter(|entry| entry.asked.kind != Kind::Void).filter(is_sent);
        Ok(missing.map(|entry| entry.asked.key.1).collect())
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
            let asked = Asked { key: (1, trace), kind: Kind::Sale, amount: 500, card, number, at };
            book.sale(asked, Ok(())).expect("a sale");
        }
        book
    }

    #[test]
    fn totals_agree_or_not() {
        let nothing = "0".repeat(31);
        let (equal, balanced) = settle(&book(), &format!("0000000010000020000000000000000{nothing}")).expect("reads");
        assert_eq!((&equal[30..31], &equal[61..], balanced), ("1", "1", true));
        let (unequal, balanced) = settle(&book(), &format!("0000000005000010000000000000000{nothing}")).expect("reads");
        assert_eq!((&unequal[30..31], &unequal[61..], balanced), ("2", "1", false));
        assert_eq!(settle(&book(), "1"), Err("30"));
    }

    #[test]
    fn an_upload_shows_what_is_missing() {
        let row = |trace: u32| format!("00{trace:06}{:0<20}{:012}", "4012345678909", 500);
        let mut upload = Upload::default();
        assert_eq!(
            (upload.add(&format!("01{}", row(1))), upload.add("02"), upload.add("")),
            (Ok(()), Err("30"), Err("30"))
        );
        assert_eq!(upload.end(&book(), "0001"), Ok(vec![2]));
        assert_eq!(Upload::default().end(&book(), "0001"), Err("30"));
    }
}
