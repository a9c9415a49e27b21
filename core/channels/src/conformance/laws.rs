//! What holds after every answer, whatever the case: an answer that says what is not so in the far side's books is a lie, however
//! it came about.

use saoma_protocol::Money;

use super::far_side::Books;

/// What a payment's answer, in one word, may say, given the books after it. `None`: the scheme has no such order.
/// `is_old`: it was said before, as the word of a notification.
pub(super) fn payment(word: &str, asked: Money, books: Option<&Books>, is_old: bool) -> Result<(), String> {
    same(asked, books)?;
    let taken = books.map_or(0, |books| books.times_taken);
    let kept_minor = books.map_or(0, Books::kept_minor);
    let lie = |truth: &str| Err(format!("the channel says {word}, and {truth}"));
    match word {
        "succeeded" | "refunded" if taken == 0 => lie("the customer has not paid"),
        "succeeded" if kept_minor == 0 && !is_old => lie("the customer has all of it back"),
        "refunded" if books.is_some_and(|books| books.given_back_minor == 0) => lie("nothing was given back"),
        "not-found" if taken > 0 => lie("the customer has paid"),
        "closed" if kept_minor != 0 => lie(&format!("the scheme keeps {kept_minor} minor units of the customer's")),
        "not-sent" | "misconfigured" | "unsupported" if taken > 0 => {
            lie("the scheme took the money: only `no-answer` lets core ask again")
        }
        "created" | "opened" if books.is_none() => lie("the scheme has no such order"),
        _ if word.starts_with("failed:") && taken > 0 => lie("the customer has paid"),
        _ => Ok(()),
    }
}

/// The same of a refund of `asked`, with the books before and after the call.
pub(super) fn refund(word: &str, asked: Money, before: Option<&Books>, after: Option<&Books>) -> Result<(), String> {
    let given_back = |books: Option<&Books>| books.map_or(0, |books| books.given_back_minor);
    let (before, now) = (given_back(before), given_back(after));
    let lie = |truth: String| Err(format!("the channel says {word} of the refund of {asked}, and {truth}"));
    if let Some(books) = after.filter(|books| books.given_back_minor > books.amount_minor) {
        return lie(format!("{} of {} minor units were given back", books.given_back_minor, books.amount_minor));
    }
    if now > before + asked.minor() {
        return lie(format!("{} minor units were given back", now - before));
    }
    match word {
        "succeeded" if now < asked.minor() => lie("the customer has not got it".to_owned()),
        "not-sent" | "misconfigured" | "unsupported" if now != before => lie("the customer has got it".to_owned()),
        _ if word.starts_with("failed:") && now != before => lie("the customer has got it".to_owned()),
        _ => Ok(()),
    }
}

impl Books {
    /// What the merchant has of it.
    pub(super) fn kept_minor(&self) -> i64 {
        i64::from(self.times_taken) * self.amount_minor - self.given_back_minor
    }
}

/// By which a customer knows what they pay for, of a subject that has so many letters.
const SUBJECT_LETTERS_MIN: usize = 8;

/// What the order is for, where the scheme keeps that: our letters and digits in their order, or the first of them. A scheme may
/// have no room for all of them, and none for some signs.
pub(super) fn subject(asked: &str, books: Option<&Books>) -> Result<(), String> {
    let letters = |text: &str| text.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>();
    let Some(kept) = books.and_then(|books| books.subject.as_deref()) else { return Ok(()) };
    let (asked_letters, kept_letters) = (letters(asked), letters(kept));
    let has_enough = kept_letters.chars().count() >= asked_letters.chars().count().min(SUBJECT_LETTERS_MIN);
    // Of one without words the channel may say what it likes.
    let is_whole = !kept.contains(char::REPLACEMENT_CHARACTER);
    if asked_letters.is_empty() || (is_whole && has_enough && asked_letters.starts_with(&kept_letters)) {
        return Ok(());
    }
    Err(format!("the order is for {asked:?}, and the scheme has it as {kept:?}"))
}

/// The order as the scheme has it is the one that core asked for.
fn same(asked: Money, books: Option<&Books>) -> Result<(), String> {
    let Some(books) = books else { return Ok(()) };
    if books.times_taken > 1 {
        return Err(format!("the customer's money was taken {} times for one order number", books.times_taken));
    }
    if (books.amount_minor, books.currency.as_str()) != (asked.minor(), asked.currency().code()) {
        return Err(format!(
            "{asked} was asked, and the scheme has the order with {} minor units of {}",
            books.amount_minor, books.currency
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use saoma_protocol::Currency;

    use super::*;

    fn books(times_taken: u32, given_back_minor: i64) -> Books {
        let (amount_minor, currency, state) = (1_000, "CNY".to_owned(), String::new());
        Books { amount_minor, currency, state, times_taken, given_back_minor, code: None, subject: None }
    }

    #[test]
    fn what_the_books_do_not_have_is_a_lie() {
        let asked = Money::new(1_000, Currency::CNY);
        for (word, books, holds) in [
            ("succeeded", Some(books(1, 0)), true),
            ("succeeded", Some(books(0, 0)), false),
            ("succeeded", None, false),
            ("succeeded", Some(books(2, 0)), false),
            ("succeeded", Some(books(1, 400)), true),
            ("succeeded", Some(books(1, 1_000)), false),
            ("failed:declined", Some(books(0, 0)), true),
            ("failed:declined", Some(books(1, 0)), false),
            ("not-found", None, true),
            ("not-found", Some(books(1, 0)), false),
            ("closed", Some(books(1, 1_000)), true),
            ("closed", Some(books(0, 0)), true),
            ("closed", Some(books(1, 400)), false),
            ("not-sent", Some(books(1, 0)), false),
            ("no-answer", Some(books(1, 0)), true),
            ("refunded", Some(books(1, 0)), false),
            ("pending", Some(Books { amount_minor: 1_001, ..books(0, 0) }), false),
            ("created", Some(books(0, 0)), true),
            ("created", None, false),
        ] {
            assert_eq!(payment(word, asked, books.as_ref(), false).is_ok(), holds, "{word} {books:?}");
        }
        assert!(
            payment("succeeded", asked, Some(&books(1, 1_000)), true).is_ok(),
            "a notification of before the refund"
        );
        for (subject_asked, kept, holds) in [
            ("大杯 coffee", "大杯 coffee", true),
            ("O'Brien's <b>& sons</b>", "OBriens bsonsb", true),
            ("一二三四五六七八九", "一二三四五六七八", true),
            ("", "goods", true),
            ("☕ tea", "tea", true),
            ("大杯 coffee", "", false),
            ("大杯 coffee", "大杯", false),
            ("一二三四五六七八九", "一二三四五六七", false),
            ("大杯 coffee", "?? coffee", false),
            ("café", "cafÃ©", false),
            ("一二三四五", "一二\u{fffd}", false),
            ("tea", "tea for two", false),
        ] {
            let books = Books { subject: Some(kept.to_owned()), ..books(0, 0) };
            assert_eq!(subject(subject_asked, Some(&books)).is_ok(), holds, "{subject_asked} {kept}");
        }
        let asked = Money::new(400, Currency::CNY);
        for (word, before, after, holds) in [
            ("succeeded", 0, 400, true),
            ("succeeded", 400, 400, true),
            ("succeeded", 0, 0, false),
            ("succeeded", 0, 800, false),
            ("no-answer", 0, 400, true),
            ("not-sent", 0, 400, false),
            ("failed:other", 0, 400, false),
            ("succeeded", 800, 1_200, false),
        ] {
            let outcome = refund(word, asked, Some(&books(1, before)), Some(&books(1, after)));
            assert_eq!(outcome.is_ok(), holds, "{word} {before} {after}");
        }
    }
}
