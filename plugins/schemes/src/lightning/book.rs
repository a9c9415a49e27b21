//! The node's invoices (LND 0.21: lnrpc/lightning.proto, invoices/invoiceregistry.go): made, paid, held, cancelled, ended.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

pub type Hash = [u8; 32];

/// All invoices, in the order in which they were made.
#[derive(Clone, Default)]
pub struct Book {
    invoices: Vec<Invoice>,
    settled: u64,
}

#[derive(Clone, Debug)]
pub struct Invoice {
    pub asked: NewInvoice,
    pub hash: Hash,
    pub payment_address: [u8; 32],
    pub payment_request: String,
    pub state: State,
    pub paid_msat: i64,
    /// Its payment is held once before it is settled.
    pub is_held: bool,
    /// Seconds since 1970, as the next.
    pub made_at: i64,
    pub settled_at: i64,
    settle_index: u64,
}

/// What the merchant asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    pub memo: String,
    pub preimage: [u8; 32],
    pub msat: i64,
    pub expiry_seconds: i64,
    pub is_private: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    Accepted,
    Settled,
    Canceled,
}

impl State {
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::Accepted => "ACCEPTED",
            Self::Settled => "SETTLED",
            Self::Canceled => "CANCELED",
        }
    }
}

/// Why not, in the node's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    AlreadyExists,
    NotFound,
    AlreadySettled,
    /// A payment of less than was asked, or of an invoice that is closed: the payer's node hears of it, not the merchant.
    Payment,
}

impl Refused {
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::AlreadyExists => "invoice with payment hash already exists",
            Self::NotFound => "unable to locate invoice",
            Self::AlreadySettled => "invoice already settled",
            Self::Payment => "incorrect or unknown payment details",
        }
    }
}

/// Which invoices a list has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Selection {
    /// Seconds since 1970; 0 for any.
    pub made_from: i64,
    pub made_to: i64,
    pub behind: u64,
    pub rows: usize,
    pub is_reversed: bool,
    pub is_pending_only: bool,
}

impl Book {
    /// # Errors
    /// An invoice of this preimage is there.
    pub fn add(
        &mut self,
        asked: NewInvoice,
        hash: Hash,
        payment_address: [u8; 32],
        payment_request: String,
        now: i64,
    ) -> Result<&mut Invoice, Refused> {
        if self.invoices.iter().any(|invoice| invoice.hash == hash) {
            return Err(Refused::AlreadyExists);
        }
        let (state, paid_msat, is_held) = (State::Open, 0, false);
        let (made_at, settled_at, settle_index) = (now, 0, 0);
        let invoice = Invoice {
            asked,
            hash,
            payment_address,
            payment_request,
            state,
            paid_msat,
            is_held,
            made_at,
            settled_at,
            settle_index,
        };
        self.invoices.push(invoice);
        self.invoices.last_mut().ok_or(Refused::NotFound)
    }

    /// Closes what has ended by now (invoices/invoice_expiry_watcher.go); a payment that is held keeps its invoice.
    pub fn expire(&mut self, now: i64) {
        for invoice in &mut self.invoices {
            if invoice.state == State::Open && invoice.made_at.saturating_add(invoice.asked.expiry_seconds) <= now {
                invoice.state = State::Canceled;
            }
        }
    }

    /// # Errors
    /// There is none of this hash.
    pub fn get(&self, hash: &Hash) -> Result<&Invoice, Refused> {
        self.invoices.iter().find(|invoice| invoice.hash == *hash).ok_or(Refused::NotFound)
    }

    #[must_use]
    pub fn invoices(&self) -> &[Invoice] {
        &self.invoices
    }

    /// The last invoice whose memo has this in it.
    #[must_use]
    pub fn about(&self, text: &str) -> Option<&Invoice> {
        self.invoices.iter().rev().find(|invoice| invoice.asked.memo.contains(text))
    }

    #[must_use]
    pub fn last_settled(&self) -> Option<&Invoice> {
        self.invoices
            .iter()
            .max_by_key(|invoice| invoice.settle_index)
            .filter(|invoice| invoice.state == State::Settled)
    }

    /// A payment arrives. One that is to be held is, and arrives again to be settled.
    ///
    /// # Errors
    /// It is refused, and the payer keeps their money.
    pub fn pay(&mut self, hash: &Hash, msat: i64, now: i64) -> Result<(), Refused> {
        let settle_index = self.settled + 1;
        let invoice = self.invoices.iter_mut().find(|invoice| invoice.hash == *hash).ok_or(Refused::Payment)?;
        match invoice.state {
            State::Open if msat < invoice.asked.msat => return Err(Refused::Payment),
            State::Open if invoice.is_held => (invoice.state, invoice.paid_msat) = (State::Accepted, msat),
            State::Open | State::Accepted => {
                invoice.paid_msat = invoice.paid_msat.max(msat);
                (invoice.state, invoice.settled_at, invoice.settle_index) = (State::Settled, now, settle_index);
                self.settled = settle_index;
            }
            State::Settled | State::Canceled => return Err(Refused::Payment),
        }
        Ok(())
    }

    /// Closes an invoice that is not settled; a payment that is held goes back. Again it does nothing.
    ///
    /// # Errors
    /// It is settled, or not there.
    pub fn cancel(&mut self, hash: &Hash) -> Result<(), Refused> {
        let invoice = self.invoices.iter_mut().find(|invoice| invoice.hash == *hash).ok_or(Refused::NotFound)?;
        if invoice.state == State::Settled {
            return Err(Refused::AlreadySettled);
        }
        (invoice.state, invoice.paid_msat) = (State::Canceled, 0);
        Ok(())
    }

    /// `lnrpc.ListInvoiceResponse`.
    #[must_use]
    pub fn list(&self, selection: &Selection) -> Value {
        let is_in = |index: u64, invoice: &Invoice| {
            let is_behind = match (selection.is_reversed, selection.behind) {
                (true, 0) => true,
                (true, behind) => index < behind,
                (false, behind) => index > behind,
            };
            is_behind
                && (selection.made_from == 0 || invoice.made_at >= selection.made_from)
                && (selection.made_to == 0 || invoice.made_at <= selection.made_to)
                && (!selection.is_pending_only || matches!(invoice.state, State::Open | State::Accepted))
        };
        let mut listed: Vec<(u64, &Invoice)> =
            (1..).zip(&self.invoices).filter(|(index, invoice)| is_in(*index, invoice)).collect();
        if selection.is_reversed {
            listed.reverse();
        }
        listed.truncate(selection.rows);
        listed.sort_by_key(|(index, _)| *index);
        let index = |entry: Option<&(u64, &Invoice)>| entry.map_or(0, |(index, _)| *index).to_string();
        json!({
            "invoices": listed.iter().map(|(index, invoice)| invoice.view(*index)).collect::<Vec<_>>(),
            "first_index_offset": index(listed.first()),
            "last_index_offset": index(listed.last()),
        })
    }

    /// `lnrpc.Invoice`, and its place among all.
    ///
    /// # Errors
    /// There is none of this hash.
    pub fn view(&self, hash: &Hash) -> Result<Value, Refused> {
        let found = (1..).zip(&self.invoices).find(|(_, invoice)| invoice.hash == *hash);
        found.map(|(index, invoice)| invoice.view(index)).ok_or(Refused::NotFound)
    }
}

impl Invoice {
    /// All that the node's own answer has, whether set or not, with its 64-bit numbers as texts.
    fn view(&self, add_index: u64) -> Value {
        let sat = |msat: i64| (msat / 1_000).to_string();
        json!({
            "memo": self.asked.memo,
            "r_preimage": STANDARD.encode(self.asked.preimage),
            "r_hash": STANDARD.encode(self.hash),
            "value": sat(self.asked.msat),
            "value_msat": self.asked.msat.to_string(),
            "settled": self.state == State::Settled,
            "creation_date": self.made_at.to_string(),
            "settle_date": self.settled_at.to_string(),
            "payment_request": self.payment_request,
            "description_hash": "",
            "expiry": self.asked.expiry_seconds.to_string(),
            "fallback_addr": "",
            "cltv_expiry": super::CLTV_EXPIRY_BLOCKS.to_string(),
            "route_hints": [],
            "private": self.asked.is_private,
            "add_index": add_index.to_string(),
            "settle_index": self.settle_index.to_string(),
            "amt_paid": self.paid_msat.to_string(),
            "amt_paid_sat": sat(self.paid_msat),
            "amt_paid_msat": self.paid_msat.to_string(),
            "state": self.state.text(),
            "htlcs": [],
            "features": {},
            "is_keysend": false,
            "payment_addr": STANDARD.encode(self.payment_address),
            "is_amp": false,
            "amp_invoice_state": {},
            "is_blinded": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000;

    fn book(count: u8) -> Book {
        let mut book = Book::default();
        for byte in 1..=count {
            let asked = NewInvoice {
                memo: format!("order {byte}"),
                preimage: [byte; 32],
                msat: 1_000,
                expiry_seconds: 60,
                is_private: false,
            };
            let _ = book.add(asked, [byte; 32], [0; 32], "lnbcrt…".to_owned(), NOW + i64::from(byte));
        }
        book
    }

    #[test]
    fn payments() {
        let mut book = book(3);
        let (first, second, third) = ([1; 32], [2; 32], [3; 32]);
        assert_eq!(book.pay(&first, 999, NOW), Err(Refused::Payment), "less than was asked");
        assert_eq!(book.pay(&first, 1_500, NOW + 5), Ok(()));
        assert_eq!(book.pay(&first, 1_500, NOW), Err(Refused::Payment), "a second time");
        assert_eq!(book.cancel(&first), Err(Refused::AlreadySettled));
        assert_eq!((book.cancel(&second), book.cancel(&second)), (Ok(()), Ok(())));
        assert_eq!(book.pay(&second, 1_000, NOW), Err(Refused::Payment));
        assert_eq!(book.cancel(&[9; 32]), Err(Refused::NotFound));
        let Some(held) = book.invoices.last_mut() else { panic!("three invoices") };
        held.is_held = true;
        assert_eq!(book.pay(&third, 1_000, NOW), Ok(()));
        book.expire(NOW + 1_000);
        assert_eq!(book.get(&third).map(|invoice| invoice.state), Ok(State::Accepted), "held beyond its end");
        assert_eq!(book.pay(&third, 1_000, NOW + 9), Ok(()));
        let view = book.view(&third).unwrap_or_default();
        assert_eq!(
            (&view["state"], &view["settle_index"], &view["settle_date"]),
            (&json!("SETTLED"), &json!("2"), &json!("1700000009"))
        );
        let view = book.view(&first).unwrap_or_default();
        assert_eq!((&view["amt_paid_msat"], &view["value_msat"]), (&json!("1500"), &json!("1000")));
    }

    #[test]
    fn an_invoice_ends() {
        let mut book = book(1);
        book.expire(NOW + 60);
        assert_eq!(book.get(&[1; 32]).map(|invoice| invoice.state), Ok(State::Open));
        book.expire(NOW + 61);
        assert_eq!(book.get(&[1; 32]).map(|invoice| invoice.state), Ok(State::Canceled));
        let again = book.invoices[0].asked.clone();
        assert_eq!(book.add(again, [1; 32], [0; 32], String::new(), NOW).map(|_| ()), Err(Refused::AlreadyExists));
    }

    #[test]
    fn lists() {
        let book = book(7);
        let told = |selection: Selection| {
            let list = book.list(&selection);
            let memos = list["invoices"].as_array().into_iter().flatten();
            let memos: Vec<&str> = memos.filter_map(|invoice| invoice["memo"].as_str()).collect();
            let memos = memos.join(" ").replace("order ", "");
            format!("{memos} | {} {}", list["first_index_offset"], list["last_index_offset"]).replace('"', "")
        };
        let rows = |rows| Selection { rows, ..Selection::default() };
        for (selection, expected) in [
            (rows(100), "1 2 3 4 5 6 7 | 1 7"),
            (rows(3), "1 2 3 | 1 3"),
            (Selection { behind: 3, ..rows(3) }, "4 5 6 | 4 6"),
            (Selection { behind: 7, ..rows(3) }, " | 0 0"),
            (Selection { is_reversed: true, ..rows(2) }, "6 7 | 6 7"),
            (Selection { is_reversed: true, behind: 6, ..rows(2) }, "4 5 | 4 5"),
            (Selection { made_from: NOW + 2, made_to: NOW + 4, ..rows(100) }, "2 3 4 | 2 4"),
            (Selection { made_from: NOW + 2, behind: 2, made_to: NOW + 4, ..rows(1) }, "3 | 3 3"),
        ] {
            assert_eq!(told(selection), expected, "{selection:?}");
        }
    }
}
