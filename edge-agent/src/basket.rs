//! The basket: what the cashier has scanned and keyed for one customer, before it is paid. Pure.
//!
//! A line holds name, price and tax as they were when it was scanned: a price that changes meanwhile is that of the next line.
//! What it all costs is counted by [`saoma_protocol::pricing`], here and for nobody else's word.

use std::slice;

use saoma_protocol::{
    GoodsId, Grams, Sequence,
    api::GoodsTax,
    journal::PAYLOAD_LEN_MAX,
    pricing::{Discount, Line, LineError, Priced, PricingError, QUANTITY_MAX, price},
};
use serde::{Deserialize, Serialize};

/// Most lines: a receipt that somebody reads.
pub const LINES_MAX: usize = 100;
/// Most bytes of the lines as a sale has them, so that they fit an entry of the journal ([`PAYLOAD_LEN_MAX`]) beside what else is in
/// it: with long names and taxes that is less than [`LINES_MAX`].
const LINES_BYTES_MAX: usize = 24 * 1024;
const _: () = assert!(
    LINES_BYTES_MAX + 7 * 1024 < PAYLOAD_LEN_MAX,
    "a cashier's name, a quote and the numbers of a sale need room"
);

/// Something of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Article {
    pub id: GoodsId,
    pub name: String,
    /// Of one, or of a kilogram.
    pub price_minor: i64,
    pub by_weight: bool,
    pub tax: Option<GoodsTax>,
}

/// One line, and what of the catalogue it is; none if it was keyed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub article: Option<GoodsId>,
    pub line: Line,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basket {
    pub entries: Vec<Entry>,
    /// On all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// What it was put aside as, and goes when it is sold or put aside again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<Sequence>,
}

/// Why the basket stays as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BasketError {
    #[error("a basket has at most {LINES_MAX} lines, fewer if their names are long: sell this one, and begin another")]
    Full,
    #[error("the basket has no line {0}")]
    NoLine(usize),
    #[error("this would cost nothing: weigh it again, or have its price set at the scale that printed the label")]
    CostsNothing,
    #[error(transparent)]
    Price(#[from] PricingError),
}

impl Basket {
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// # Errors
    /// Of the prices.
    pub fn priced(&self) -> Result<Priced, PricingError> {
        let lines: Vec<Line> = self.entries.iter().map(|entry| entry.line.clone()).collect();
        price(&lines, self.discount)
    }

    /// One more of this: a line of its own, or one more on the line that has it at this price and tax. The line.
    ///
    /// # Errors
    /// `Full`, `Price`.
    pub fn scan(&mut self, article: Article) -> Result<usize, BasketError> {
        let Article { id, name, price_minor, tax, .. } = article;
        let same = |entry: &Entry| {
            let Line { price_minor: price, tax: taxed, quantity, weight_grams, .. } = &entry.line;
            let is_same = entry.article == Some(id) && (*price, taxed, weight_grams) == (price_minor, &tax, &None);
            is_same && *quantity < QUANTITY_MAX
        };
        match self.entries.iter().position(same) {
            Some(line) => {
                self.change(|basket| basket.entries[line].line.quantity += 1)?;
                Ok(line)
            }
            None => {
                let line = Line { name, quantity: 1, price_minor, weight_grams: None, discount: None, tax };
                self.add(Entry { article: Some(id), line })
            }
        }
    }

    /// So much of what is sold by weight: a line of its own each time, as it was put on the scale. The line.
    ///
    /// # Errors
    /// `CostsNothing` of what has a price, if so little of it costs less than half a minor unit; `Full`, `Price`.
    pub fn weigh(&mut self, article: Article, weight: Grams) -> Result<usize, BasketError> {
        let Article { id, name, price_minor, tax, .. } = article;
        let line = Line { name, quantity: 1, price_minor, weight_grams: Some(weight), discount: None, tax };
        if price_minor > 0 && price(slice::from_ref(&line), None).is_ok_and(|alone| alone.totals.gross_minor == 0) {
            return Err(BasketError::CostsNothing);
        }
        self.add(Entry { article: Some(id), line })
    }

    /// So much of it as its label has the price of, in minor units. The line.
    ///
    /// # Errors
    /// `CostsNothing` for 0: the scale has no price for these goods; `Full`, `Price`.
    pub fn label(&mut self, article: Article, price_minor: i64) -> Result<usize, BasketError> {
        if price_minor == 0 {
            return Err(BasketError::CostsNothing);
        }
        self.scan(Article { price_minor, by_weight: false, ..article })
    }

    /// A line that no barcode stands for. The line.
    ///
    /// # Errors
    /// `Full`, `Price`.
    pub fn key(&mut self, name: String, quantity: u32, price_minor: i64) -> Result<usize, BasketError> {
        let line = Line { name, quantity, price_minor, weight_grams: None, discount: None, tax: None };
        self.add(Entry { article: None, line })
    }

    fn add(&mut self, entry: Entry) -> Result<usize, BasketError> {
        if self.entries.len() >= LINES_MAX {
            return Err(BasketError::Full);
        }
        self.change(|basket| basket.entries.push(entry))?;
        Ok(self.entries.len() - 1)
    }

    /// How many of a line there are; with 0 the line goes. A fixed discount that is more than what is left goes as well.
    ///
    /// # Errors
    /// `NoLine`, `Price`, `Full`.
    pub fn set_quantity(&mut self, line: usize, quantity: u32) -> Result<(), BasketError> {
        self.check_line(line)?;
        self.change(|basket| {
            if quantity == 0 {
                basket.entries.remove(line);
            } else {
                basket.entries[line].line.quantity = quantity;
            }
            if let Err(PricingError::Line { line: at, why: LineError::Discount(_) }) = basket.priced() {
                basket.entries[at].line.discount = None;
            }
            if let Err(PricingError::Discount(_)) = basket.priced() {
                basket.discount = None;
            }
        })
    }

    /// A discount on a line, or on all of it; none takes it back.
    ///
    /// # Errors
    /// `NoLine`, `Price`, `Full`.
    pub fn set_discount(&mut self, line: Option<usize>, discount: Option<Discount>) -> Result<(), BasketError> {
        if let Some(line) = line {
            self.check_line(line)?;
        }
        self.change(|basket| match line {
            Some(line) => basket.entries[line].line.discount = discount,
            None => basket.discount = discount,
        })
    }

    fn check_line(&self, line: usize) -> Result<(), BasketError> {
        if line < self.entries.len() { Ok(()) } else { Err(BasketError::NoLine(line)) }
    }

    /// Makes the change if what comes of it has a price, and can be sold. An empty basket has no discount.
    fn change(&mut self, change: impl FnOnce(&mut Self)) -> Result<(), BasketError> {
        let mut next = self.clone();
        change(&mut next);
        if next.is_empty() {
            next.discount = None;
        }
        let bytes = bytes_of(&next.priced()?);
        // What takes something away helps.
        if bytes > LINES_BYTES_MAX && self.priced().is_ok_and(|before| bytes > bytes_of(&before)) {
            return Err(BasketError::Full);
        }
        *self = next;
        Ok(())
    }
}

/// Bytes of the lines in an entry.
fn bytes_of(priced: &Priced) -> usize {
    serde_json::to_vec(&priced.goods).map_or(usize::MAX, |json| json.len())
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{
        Amount, Currency, Millis, PaymentId, QuoteId,
        api::{Adjustment, QUOTE_LINES_MAX, Quoted},
        journal::{self, Record},
        pricing::DiscountError,
    };

    use super::*;
    use crate::sale::REFERENCE_LEN_MAX;

    fn article(number: u8, price_minor: i64) -> Article {
        let tax = Some(GoodsTax { name: "VAT".to_owned(), basis_points: 1_300, included: true });
        Article {
            id: GoodsId::from_bytes([number; 16]),
            name: format!("goods {number}"),
            price_minor,
            by_weight: false,
            tax,
        }
    }

    /// Quantities by price, and the total.
    fn told(basket: &Basket) -> (String, i64) {
        let lines = basket.entries.iter().map(|entry| format!("{}x{}", entry.line.quantity, entry.line.price_minor));
        (lines.collect::<Vec<_>>().join(" "), basket.priced().unwrap().totals.total_minor)
    }

    #[test]
    fn what_is_scanned_again_is_one_more_unless_its_price_has_changed() {
        let mut basket = Basket::default();
        for (number, price, line) in [(1, 500, 0), (2, 300, 1), (1, 500, 0), (1, 550, 2), (1, 550, 2), (2, 300, 1)] {
            assert_eq!(basket.scan(article(number, price)), Ok(line));
        }
        assert_eq!(basket.key("other".to_owned(), 2, 50), Ok(3));
        assert_eq!(basket.key("other".to_owned(), 1, 50), Ok(4));
        assert_eq!(told(&basket), ("2x500 2x300 2x550 2x50 1x50".to_owned(), 2_850));
        basket.entries[0].line.quantity = QUANTITY_MAX;
        assert_eq!(basket.scan(article(1, 500)), Ok(5), "a line that is full is followed by another");
    }

    #[test]
    fn what_is_weighed_is_a_line_each_time_and_one_of_it() {
        let mut basket = Basket::default();
        let apples = Article { by_weight: true, ..article(1, 1_280) };
        assert_eq!(basket.weigh(apples.clone(), Grams(456)), Ok(0));
        assert_eq!(basket.weigh(apples.clone(), Grams(456)), Ok(1));
        // Since then they are sold by the piece.
        assert_eq!(basket.scan(article(1, 1_280)), Ok(2));
        assert_eq!(basket.priced().unwrap().totals.total_minor, 584 + 584 + 1_280);
        let before = basket.clone();
        let wrong = Err(BasketError::Price(PricingError::Line { line: 1, why: LineError::Weight }));
        assert_eq!(basket.set_quantity(1, 2), wrong);
        assert!(basket.weigh(apples, Grams(0)).is_err());
        assert_eq!(basket, before);
        basket.set_quantity(1, 0).unwrap();
        assert_eq!(basket.priced().unwrap().totals.total_minor, 584 + 1_280);
    }

    #[test]
    fn what_is_weighed_is_never_sold_for_nothing() {
        for (price_minor, grams, expected) in [
            (100, 5, Ok(1)),
            (100, 4, Err(BasketError::CostsNothing)),
            (499, 1, Err(BasketError::CostsNothing)),
            (500, 1, Ok(1)),
            // What the merchant gives away.
            (0, 456, Ok(0)),
        ] {
            let mut basket = Basket::default();
            let done = basket.weigh(Article { by_weight: true, ..article(1, price_minor) }, Grams(grams));
            assert_eq!(done.map(|_| told(&basket).1), expected, "{grams} g of {price_minor}");
            assert_eq!(basket.is_empty(), expected.is_err());
        }
        for (price_minor, expected) in [(0, Err(BasketError::CostsNothing)), (1, Ok(1)), (584, Ok(584))] {
            let mut basket = Basket::default();
            let done = basket.label(Article { by_weight: true, ..article(1, 1_280) }, price_minor);
            assert_eq!(done.map(|_| told(&basket).1), expected, "a label of {price_minor}");
            assert_eq!(basket.is_empty(), expected.is_err());
        }
    }

    #[test]
    fn quantities_and_discounts_change_or_nothing_does() {
        let mut basket = Basket::default();
        basket.scan(article(1, 500)).unwrap();
        basket.scan(article(2, 300)).unwrap();
        basket.set_quantity(0, 3).unwrap();
        basket.set_discount(Some(1), Some(Discount::Minor(100))).unwrap();
        basket.set_discount(None, Some(Discount::BasisPoints(1_000))).unwrap();
        assert_eq!(told(&basket), ("3x500 1x300".to_owned(), 1_530));
        let before = basket.clone();
        let wrong = |why: LineError, line| Err(BasketError::Price(PricingError::Line { line, why }));
        assert_eq!(basket.set_quantity(2, 1), Err(BasketError::NoLine(2)));
        assert_eq!(basket.set_quantity(0, 10_000), wrong(LineError::Quantity, 0));
        let over = LineError::Discount(DiscountError::Amount);
        assert_eq!(basket.set_discount(Some(1), Some(Discount::Minor(301))), wrong(over, 1));
        assert_eq!(basket.set_discount(Some(9), None), Err(BasketError::NoLine(9)));
        let over = Err(BasketError::Price(PricingError::Discount(DiscountError::Amount)));
        assert_eq!(basket.set_discount(None, Some(Discount::Minor(1_701))), over);
        assert_eq!(basket, before);
        basket.set_discount(Some(1), None).unwrap();
        basket.set_discount(None, None).unwrap();
        assert_eq!(told(&basket).1, 1_800);
    }

    #[test]
    fn a_fixed_discount_goes_with_what_it_was_taken_off() {
        let mut basket = Basket::default();
        basket.scan(article(1, 500)).unwrap();
        basket.scan(article(2, 300)).unwrap();
        basket.set_discount(None, Some(Discount::Minor(700))).unwrap();
        basket.set_quantity(0, 0).unwrap();
        assert_eq!((told(&basket), basket.discount), (("1x300".to_owned(), 300), None));
        basket.set_quantity(0, 2).unwrap();
        basket.set_discount(Some(0), Some(Discount::Minor(400))).unwrap();
        basket.set_quantity(0, 1).unwrap();
        assert_eq!((told(&basket).1, basket.entries[0].line.discount), (300, None));
        basket.set_discount(None, Some(Discount::BasisPoints(500))).unwrap();
        basket.set_quantity(0, 0).unwrap();
        assert_eq!(basket, Basket::default());
    }

    #[test]
    fn a_basket_has_so_many_lines_and_no_more() {
        let mut basket = Basket::default();
        for line in 0..LINES_MAX {
            assert_eq!(basket.key("x".to_owned(), 1, 1), Ok(line));
        }
        assert_eq!(basket.key("x".to_owned(), 1, 1), Err(BasketError::Full));
        let kept = serde_json::to_string(&basket).unwrap();
        assert_eq!(serde_json::from_str::<Basket>(&kept).unwrap(), basket);
    }

    /// With the longest names there are, of goods, taxes and cashier, and a discount on each line and on all.
    #[test]
    fn a_basket_that_is_full_can_be_sold() {
        let long = "茶".repeat(128);
        let mut basket = Basket::default();
        let tax = Some(GoodsTax { name: long.clone(), basis_points: 1_300, included: false });
        for number in 0..100 {
            let article = Article {
                id: GoodsId::from_bytes([number; 16]),
                name: long.clone(),
                price_minor: 900,
                by_weight: false,
                tax: tax.clone(),
            };
            match basket.scan(article) {
                Ok(line) => {
                    let _ = basket.set_discount(Some(line), Some(Discount::BasisPoints(1_234)));
                }
                Err(error) => assert_eq!(error, BasketError::Full),
            }
        }
        let whole = basket.set_discount(None, Some(Discount::Minor(777)));
        assert!(matches!(whole, Ok(()) | Err(BasketError::Full)), "{whole:?}");
        let lines = basket.entries.len();
        assert!((10..LINES_MAX).contains(&lines), "{lines}");
        while basket.key(long.clone(), 1, 1).is_ok() {}
        assert_eq!(basket.key(long.clone(), 1, 1), Err(BasketError::Full));
        let goods = basket.priced().unwrap().goods;
        let amount = Amount::new(basket.priced().unwrap().totals.total_minor, Currency::CNY).unwrap();
        // The longest names and lines that the contract of rules lets through.
        let quote = Quoted {
            id: QuoteId::from_bytes([9; 16]),
            asked_minor: i64::MAX,
            adjustments: vec![Adjustment { name: "折".repeat(64), minor: i64::MIN }; QUOTE_LINES_MAX],
            receipt_lines: vec!["谢".repeat(48); QUOTE_LINES_MAX],
            expires_at: Millis(i64::MAX),
        };
        let sale = Record::CashSale {
            payment: PaymentId::from_bytes([1; 16]),
            counter: Sequence(u64::MAX),
            amount,
            tendered_minor: i64::MAX,
            goods,
            cashier: long,
            split: None,
            quote: Some(quote),
            reference: Some("🍜".repeat(REFERENCE_LEN_MAX)),
        };
        let at = journal::Stamp { machine: Millis(i64::MAX), core: journal::CoreTime::At(Millis(i64::MAX)) };
        assert!(journal::Entry::new(Sequence(1), at, journal::GENESIS, sale).is_ok());
        // What is in it can be taken out again.
        assert_eq!(basket.set_quantity(0, 0), Ok(()));
    }
}
