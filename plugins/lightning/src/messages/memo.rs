//! The invoice's memo: what the customer's wallet shows, and all that the node keeps of the order in the shop's own currency.
//!
//! `Noodle Bar: Beef noodles | 12.50 USD at 49500.00 | pay_…`. The rate stands in it because it is the order's own: a query, a
//! repeated announcement and a bill read it again, and check the invoice's satoshi by it.

use saoma_channel_sdk::{Error, Money, Order, decimal, from_decimal, not_sent};

use super::rate::Rate;

const BETWEEN: &str = " | ";
/// Of what is sold, in bytes: each of them makes the code larger that a phone has to read off a till's display.
const WHAT_BYTES_MAX: usize = 80;
const NUMBER_LEN_MAX: usize = 64;

/// What the invoice was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    pub number: String,
    pub amount: Money,
    pub rate: Rate,
}

impl Terms {
    /// What the invoice asks for, in thousandths of a satoshi.
    ///
    /// # Errors
    /// Why there is no such invoice.
    pub fn msat(&self) -> Result<i64, String> {
        self.rate.msat(&self.amount)
    }
}

/// # Errors
/// `not-sent` for an amount that cannot be written.
pub fn write(order: &Order, rate: &Rate) -> Result<String, Error> {
    let text = |money: &Money| decimal(money).map_err(|error| not_sent(error.0));
    let (amount, price, currency) = (text(&order.amount)?, text(rate.price())?, &order.amount.currency);
    let what = match order.subject.trim() {
        "" => order.merchant_name.clone(),
        subject => format!("{}: {subject}", order.merchant_name),
    };
    let number = &order.number;
    Ok(format!("{}{BETWEEN}{amount} {currency} at {price}{BETWEEN}{number}", shortened(&what)))
}

/// `None` for a memo of another hand.
#[must_use]
pub fn read(memo: &str) -> Option<Terms> {
    let mut parts = memo.rsplitn(3, BETWEEN);
    let (number, price, _) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = (1..=NUMBER_LEN_MAX).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    let words: Vec<&str> = price.split(' ').collect();
    let [amount, currency, "at", price] = words.as_slice() else { return None };
    let amount = from_decimal(amount, currency).ok().filter(|amount| amount.minor > 0)?;
    let rate = Rate::new(from_decimal(price, currency).ok()?).ok()?;
    is_number.then(|| Terms { number: number.to_owned(), amount, rate })
}

/// Whether it is the memo of this order, whatever else is in it.
#[must_use]
pub fn is_of(memo: &str, number: &str) -> bool {
    memo.strip_suffix(number).is_some_and(|rest| rest.ends_with(BETWEEN))
}

/// Whole characters, none of them a control character.
fn shortened(what: &str) -> String {
    let mut short = String::new();
    for letter in what.chars().map(|letter| if letter.is_control() { ' ' } else { letter }) {
        if short.len() + letter.len_utf8() > WHAT_BYTES_MAX {
            break;
        }
        short.push(letter);
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::samples::{MEMO, NUMBER, money, order, rate};

    #[test]
    fn there_and_back() {
        assert_eq!(write(&order(), &rate()).as_deref(), Ok(MEMO));
        let terms = Terms { number: NUMBER.to_owned(), amount: money(1_250, "USD"), rate: rate() };
        assert_eq!(read(MEMO), Some(terms));
        for subject in
            ["", " | ", "1.00 USD at 1.00 | pay_x", "一二三四五六七八九十一二三四五六七八九十一二三四五六", "a\nb\u{0}"]
        {
            let memo = write(&Order { subject: subject.to_owned(), ..order() }, &rate()).expect("a memo");
            let terms = read(&memo).unwrap_or_else(|| panic!("{memo}"));
            assert_eq!((terms.number.as_str(), terms.amount), (NUMBER, money(1_250, "USD")), "{memo}");
            assert!(is_of(&memo, NUMBER) && memo.len() <= 200 && !memo.contains('\n'), "{memo}");
        }
    }

    #[test]
    fn memos_of_others() {
        for (from, to) in [
            (NUMBER, ""),
            (NUMBER, "Pay"),
            (" | pay", "pay"),
            ("12.50", "12.5O"),
            ("12.50", "0.00"),
            ("12.50", "-12.50"),
            ("USD", "XBT"),
            (" at ", " for "),
            ("49500.00", "0.00"),
            ("49500.00", "49500.000"),
        ] {
            assert_eq!(read(&MEMO.replace(from, to)), None, "{to}");
        }
        assert_eq!(read("a cup of coffee"), None);
        assert!(!is_of(MEMO, "noodles") && !is_of(MEMO, &NUMBER[1..]));
    }
}
