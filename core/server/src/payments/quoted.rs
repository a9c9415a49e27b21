//! The bond between a quote and the sale that is made of it. Nothing of a quote is stored: its id is a MAC of what was quoted, to whom
//! and until when, so that every node knows its own words again, and nobody else can put a price into them.

use ring::hmac;
use saoma_protocol::{
    Amount, Millis, QuoteId, StoreId, TenantId, TerminalId,
    api::{Goods, Quoted},
};
use serde::Serialize;

/// Whose quote it is: it is sold where it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct QuotedTo {
    pub tenant: TenantId,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
}

/// Why a sale is not what was quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotQuoted {
    #[error("core has not quoted this price for these goods to this till")]
    Other,
    #[error("the quote was over by then")]
    Over,
}

/// Everything that a quote's id holds for.
#[derive(Serialize)]
struct Terms<'a> {
    to: QuotedTo,
    quote: &'a Quoted,
    amount: Amount,
    goods: &'a [Goods],
}

/// Gives the quote its id; of what it had for one nothing is kept.
#[must_use]
pub fn signed(key: &hmac::Key, to: QuotedTo, quote: Quoted, amount: Amount, goods: &[Goods]) -> Quoted {
    let quote = Quoted { id: QuoteId::from_bytes([0; 16]), ..quote };
    let mut bytes = [0; 16];
    // Plain texts and numbers: writing them cannot fail. The first half of a MAC is one (RFC 2104, section 5).
    let terms = serde_json::to_vec(&Terms { to, quote: &quote, amount, goods }).unwrap_or_default();
    let tag = hmac::sign(key, &[b"saoma quote 1\n".as_slice(), &terms].concat());
    bytes.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
    Quoted { id: QuoteId::from_bytes(bytes), ..quote }
}

/// Whether core has quoted this, to be sold at that moment.
///
/// # Errors
/// In this order: `Other`, `Over`.
pub fn check(
    key: &hmac::Key,
    to: QuotedTo,
    quote: &Quoted,
    amount: Amount,
    goods: &[Goods],
    at: Millis,
) -> Result<(), NotQuoted> {
    let own = signed(key, to, quote.clone(), amount, goods);
    // In the same time wherever they differ.
    let differ = own.id.as_bytes().iter().zip(quote.id.as_bytes()).fold(0, |differ, (own, its)| differ | (own ^ its));
    if differ != 0 {
        return Err(NotQuoted::Other);
    }
    if at > quote.expires_at { Err(NotQuoted::Over) } else { Ok(()) }
}

/// In words, for the payment's timeline.
#[must_use]
pub fn told(quote: &Quoted, amount: Amount) -> String {
    let asked = saoma_protocol::Money::new(quote.asked_minor, amount.currency()).decimal();
    let reasons: Vec<&str> = quote.adjustments.iter().map(|one| one.name.as_str()).collect();
    let reasons = if reasons.is_empty() { String::new() } else { format!(" ({})", reasons.join(", ")) };
    format!("{}: {asked} → {amount}{reasons}", quote.id)
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Currency, api::Adjustment};

    use super::*;

    #[test]
    fn a_quote_is_good_for_what_was_quoted_where_it_was_asked_for_and_for_nothing_else() {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let to = QuotedTo {
            tenant: TenantId::from_bytes([1; 16]),
            store: StoreId::from_bytes([2; 16]),
            terminal: Some(TerminalId::from_bytes([3; 16])),
        };
        let amount = |minor| Amount::new(minor, Currency::CNY).unwrap();
        let goods = vec![Goods::plain("员工餐".to_owned(), 1, 1_000)];
        let quote = Quoted {
            id: QuoteId::from_bytes([9; 16]),
            asked_minor: 1_000,
            adjustments: vec![Adjustment { name: "Staff discount".to_owned(), minor: -200 }],
            receipt_lines: vec!["You saved 2.00 CNY".to_owned()],
            expires_at: Millis(1_000),
        };
        let quote = signed(&key, to, quote, amount(800), &goods);
        // By an independent implementation: other words for the same would make foreign all that tills have sold and not yet sent.
        assert_eq!(quote.id.to_string(), "quo_4jiadnstpuu72sjfxwkd3ms5cy");
        let sold =
            |to, quote: &Quoted, minor, goods: &[Goods], at| check(&key, to, quote, amount(minor), goods, Millis(at));
        assert_eq!(sold(to, &quote, 800, &goods, 1_000), Ok(()));
        assert_eq!(sold(to, &quote, 800, &goods, 1_001), Err(NotQuoted::Over));
        let other = Err(NotQuoted::Other);
        assert_eq!(sold(to, &quote, 799, &goods, 0), other);
        assert_eq!(sold(to, &quote, 800, &[], 0), other);
        for elsewhere in [
            QuotedTo { tenant: TenantId::from_bytes([0; 16]), ..to },
            QuotedTo { store: StoreId::from_bytes([0; 16]), ..to },
            QuotedTo { terminal: None, ..to },
        ] {
            assert_eq!(sold(elsewhere, &quote, 800, &goods, 0), other);
        }
        for changed in [
            Quoted { asked_minor: 1_001, ..quote.clone() },
            Quoted { adjustments: Vec::new(), ..quote.clone() },
            Quoted { receipt_lines: Vec::new(), ..quote.clone() },
            Quoted { expires_at: Millis(9_999), ..quote.clone() },
            Quoted { id: QuoteId::from_bytes([0; 16]), ..quote.clone() },
        ] {
            assert_eq!(sold(to, &changed, 800, &goods, 1_000), other);
        }
        let another_key = hmac::Key::new(hmac::HMAC_SHA256, &[8; 32]);
        assert_eq!(check(&another_key, to, &quote, amount(800), &goods, Millis(0)), other);
        assert_eq!(told(&quote, amount(800)), format!("{}: 10.00 → 8.00 CNY (Staff discount)", quote.id));
    }
}
