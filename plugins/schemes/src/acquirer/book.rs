//! An acquirer's books of one terminal: sales, voids, refunds and reversals by batch and trace number. No clock, no wire.
//!
//! The same trace number in the same batch is the same transaction: it is answered again, and never carried out again.

use std::collections::BTreeMap;

/// Batch and trace number: what identifies a transaction of a terminal.
pub type Key = (u32, u32);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sale,
    Void,
    Refund,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Approved,
    Declined,
    /// A sale that a void took back.
    Voided,
    Reversed,
}

/// A transaction as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub key: Key,
    pub kind: Kind,
    pub amount: i64,
    pub card: String,
    /// The merchant's own number, if the message had one.
    pub number: String,
    /// `MMDDhhmmss`.
    pub at: String,
    /// Of an advice of a sale that was made without the acquirer: when, in the same form. It cannot be reversed.
    pub sold_at: Option<String>,
}

/// What a void or refund says of the sale that it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    pub key: Key,
    pub retrieval: String,
    /// `MMDD`.
    pub date: String,
}

/// A transaction in the books.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub asked: Asked,
    pub standing: Standing,
    /// Field 39.
    pub code: &'static str,
    /// Field 37.
    pub retrieval: String,
    /// Field 38.
    pub authorisation: String,
    /// The sale that it is about.
    pub origin: Option<Key>,
    /// Of a sale: what refunds gave back.
    pub refunded: i64,
}

#[derive(Debug)]
pub struct Book {
    pub batch: u32,
    next_retrieval: u64,
    entries: BTreeMap<Key, Entry>,
}

impl Default for Book {
    fn default() -> Self {
        Self { batch: 1, next_retrieval: 1, entries: BTreeMap::new() }
    }
}

impl Book {
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// A sale, or what becomes of it by `checked`: what was looked at before says no with that code.
    ///
    /// # Errors
    /// 94: the trace number is of another transaction.
    pub fn sale(&mut self, asked: Asked, checked: Result<(), &'static str>) -> Result<Entry, &'static str> {
        if let Some(first) = self.first(&asked)? {
            return Ok(first);
        }
        Ok(self.write(asked, checked.err().unwrap_or("00"), None))
    }

    /// Takes back a sale of this batch, in whole.
    ///
    /// # Errors
    /// 94.
    pub fn void(&mut self, asked: Asked, origin: &Origin) -> Result<Entry, &'static str> {
        if let Some(first) = self.first(&asked)? {
            return Ok(first);
        }
        let code = match self.entries.get(&origin.key) {
            Some(sale) if !is_about(sale, origin, &asked.card) || origin.key.0 != self.batch => "25",
            Some(sale) if sale.standing != Standing::Approved || sale.refunded > 0 => "12",
            Some(sale) if sale.asked.amount != asked.amount => "64",
            Some(_) => "00",
            None => "25",
        };
        if code == "00"
            && let Some(sale) = self.entries.get_mut(&origin.key)
        {
            sale.standing = Standing::Voided;
        }
        Ok(self.write(asked, code, Some(origin.key)))
    }

    /// Gives back part or all of a sale of any batch.
    ///
    /// # Errors
    /// 94.
    pub fn refund(
        &mut self,
        asked: Asked,
        origin: &Origin,
        checked: Result<(), &'static str>,
    ) -> Result<Entry, &'static str> {
        if let Some(first) = self.first(&asked)? {
            return Ok(first);
        }
        let code = match (self.entries.get_mut(&origin.key), checked) {
            (_, Err(code)) => code,
            (Some(sale), _) if !is_about(sale, origin, &asked.card) => "25",
            (Some(sale), _) if sale.standing != Standing::Approved => "12",
            (Some(sale), _) if sale.refunded + asked.amount > sale.asked.amount => "64",
            (Some(sale), _) => {
                sale.refunded += asked.amount;
                "00"
            }
            (None, _) => "25",
        };
        Ok(self.write(asked, code, Some(origin.key)))
    }

    /// Takes back the transaction of that number, whose answer the terminal never had: `00` once that is so, for repeats too; `25` for what
    /// never came here, `12` for what can no longer be taken back so.
    pub fn reverse(&mut self, asked: &Asked) -> &'static str {
        let Some(entry) = self.entries.get(&asked.key) else { return "25" };
        let is_same = (entry.asked.kind, entry.asked.amount) == (asked.kind, asked.amount)
            && (asked.card.is_empty() || asked.card == entry.asked.card);
        if !is_same || asked.kind == Kind::Refund {
            return "25";
        }
        if entry.asked.sold_at.is_some() {
            return "12";
        }
        match entry.standing {
            Standing::Reversed | Standing::Declined => return "00",
            Standing::Voided => return "12",
            Standing::Approved if entry.refunded > 0 || asked.key.0 != self.batch => return "12",
            Standing::Approved => {}
        }
        let origin = entry.origin;
        for (key, standing) in [(Some(asked.key), Standing::Reversed), (origin, Standing::Approved)] {
            if let Some(entry) = key.and_then(|key| self.entries.get_mut(&key)) {
                entry.standing = standing;
            }
        }
        "00"
    }

    /// What this batch comes to: amount and count of sales, and of what went back (refunds, voids). Reversals never were.
    #[must_use]
    pub fn totals(&self) -> [(i64, u32); 2] {
        let sum = |of: fn(Kind) -> bool| {
            let entries = self.of_batch().filter(|entry| of(entry.asked.kind));
            entries.fold((0, 0), |(amount, count), entry| (amount + entry.asked.amount, count + 1))
        };
        [sum(|kind| kind == Kind::Sale), sum(|kind| kind != Kind::Sale)]
    }

    /// The transactions that count in this batch.
    pub fn of_batch(&self) -> impl Iterator<Item = &Entry> {
        let counts = |standing| matches!(standing, Standing::Approved | Standing::Voided);
        self.entries().filter(move |entry| entry.asked.key.0 == self.batch && counts(entry.standing))
    }

    pub const fn close_batch(&mut self) {
        self.batch = if self.batch == 999_999 { 1 } else { self.batch + 1 };
    }

    /// What was answered to this very transaction before.
    ///
    /// # Errors
    /// 94: the number is of another transaction.
    pub fn first(&self, asked: &Asked) -> Result<Option<Entry>, &'static str> {
        match self.entries.get(&asked.key) {
            None => Ok(None),
            // It is not carried out again, and what its first answer said is no longer so.
            Some(entry) if entry.standing == Standing::Reversed => Err("94"),
            Some(entry) if entry.asked == (Asked { at: entry.asked.at.clone(), ..asked.clone() }) => {
                Ok(Some(entry.clone()))
            }
            Some(_) => Err("94"),
        }
    }

    fn write(&mut self, asked: Asked, code: &'static str, origin: Option<Key>) -> Entry {
        let is_approved = code == "00";
        let number = self.next_retrieval;
        self.next_retrieval += 1;
        let entry = Entry {
            standing: if is_approved { Standing::Approved } else { Standing::Declined },
            code,
            retrieval: format!("{number:012}"),
            authorisation: if is_approved { format!("A{:05}", number % 100_000) } else { String::new() },
            origin,
            refunded: 0,
            asked,
        };
        self.entries.insert(entry.asked.key, entry.clone());
        entry
    }
}

fn is_about(sale: &Entry, origin: &Origin, card: &str) -> bool {
    sale.asked.kind == Kind::Sale
        && sale.retrieval == origin.retrieval
        && sale.asked.at.starts_with(&origin.date)
        && sale.asked.card == card
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(kind: Kind, trace: u32, amount: i64) -> Asked {
        let (card, at) = ("4012345678909".to_owned(), "1126120000".to_owned());
        Asked { key: (1, trace), kind, amount, card, number: "n-1".to_owned(), at, sold_at: None }
    }

    fn origin(sale: &Entry) -> Origin {
        Origin { key: sale.asked.key, retrieval: sale.retrieval.clone(), date: "1126".to_owned() }
    }

    #[test]
    fn a_transaction_is_carried_out_once() {
        let mut book = Book::default();
        let first = book.sale(asked(Kind::Sale, 1, 500), Ok(())).expect("a sale");
        assert_eq!((first.code, first.retrieval.as_str()), ("00", "000000000001"));
        assert_eq!(book.sale(asked(Kind::Sale, 1, 500), Err("51")), Ok(first));
        assert_eq!(book.sale(asked(Kind::Sale, 1, 501), Ok(())), Err("94"));
        let declined = book.sale(asked(Kind::Sale, 2, 500), Err("51")).expect("an answer");
        assert_eq!((declined.code, declined.standing), ("51", Standing::Declined));
        assert_eq!(book.totals(), [(500, 1), (0, 0)]);
    }

    #[test]
    fn sales_are_taken_back_once() {
        let mut book = Book::default();
        let sale = book.sale(asked(Kind::Sale, 1, 500), Ok(())).expect("a sale");
        let mut void =
            |trace, amount, origin: &Origin| book.void(asked(Kind::Void, trace, amount), origin).map(|e| e.code);
        assert_eq!(void(2, 500, &Origin { retrieval: "000000000009".to_owned(), ..origin(&sale) }), Ok("25"));
        assert_eq!(void(3, 499, &origin(&sale)), Ok("64"));
        assert_eq!((void(4, 500, &origin(&sale)), void(4, 500, &origin(&sale))), (Ok("00"), Ok("00")));
        assert_eq!(void(5, 500, &origin(&sale)), Ok("12"));
        assert_eq!(book.reverse(&asked(Kind::Sale, 1, 500)), "12");
        // The void is reversed, and the sale stands again.
        assert_eq!((book.reverse(&asked(Kind::Void, 4, 500)), book.reverse(&asked(Kind::Void, 4, 500))), ("00", "00"));
        assert_eq!((book.reverse(&asked(Kind::Sale, 1, 500)), book.reverse(&asked(Kind::Sale, 1, 500))), ("00", "00"));
        assert_eq!(book.sale(asked(Kind::Sale, 1, 500), Ok(())), Err("94"));
        assert_eq!(book.reverse(&asked(Kind::Sale, 9, 500)), "25");
        assert_eq!(book.reverse(&asked(Kind::Sale, 1, 501)), "25");
        assert_eq!(book.totals(), [(0, 0), (0, 0)]);
    }

    #[test]
    fn what_was_sold_without_the_acquirer_is_taken_once_and_never_reversed() {
        let mut book = Book::default();
        let advice = Asked { sold_at: Some("1126110000".to_owned()), ..asked(Kind::Sale, 1, 500) };
        let first = book.sale(advice.clone(), Ok(())).expect("a sale");
        book.close_batch();
        assert_eq!((book.first(&advice), book.reverse(&advice)), (Ok(Some(first.clone())), "12"));
        for other in [
            Asked { sold_at: None, ..advice.clone() },
            Asked { sold_at: Some("1126110001".to_owned()), ..advice.clone() },
        ] {
            assert_eq!(book.first(&other), Err("94"));
        }
        let back = Asked { key: (2, 2), ..asked(Kind::Refund, 2, 500) };
        assert_eq!(book.refund(back, &origin(&first), Ok(())).map(|entry| entry.code), Ok("00"));
    }

    #[test]
    fn refunds_come_to_no_more_than_the_sale() {
        let mut book = Book::default();
        let sale = book.sale(asked(Kind::Sale, 1, 500), Ok(())).expect("a sale");
        book.close_batch();
        let mut refund = |trace, amount, checked| {
            let asked = Asked { key: (2, trace), ..asked(Kind::Refund, trace, amount) };
            book.refund(asked, &origin(&sale), checked).map(|entry| entry.code)
        };
        assert_eq!((refund(2, 300, Ok(())), refund(2, 300, Ok(()))), (Ok("00"), Ok("00")));
        assert_eq!((refund(3, 201, Ok(())), refund(4, 200, Err("05"))), (Ok("64"), Ok("05")));
        assert_eq!(refund(5, 200, Ok(())), Ok("00"));
        assert_eq!(book.reverse(&asked(Kind::Sale, 1, 500)), "12");
        assert_eq!(book.totals(), [(0, 0), (500, 2)]);
    }
}
