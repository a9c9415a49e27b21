//! What the cashier keyed, checked before anything is done. Pure.

use saoma_protocol::{
    Amount, Currency, PaymentId,
    api::{GOODS_LINES_MAX, Goods, SCANNED_CODE_LEN_MAX, TEXT_LEN_MAX, stands_in_text},
    barcode::unprefixed,
    money::AMOUNT_MINOR_MAX,
    pricing::QUANTITY_MAX,
};

use super::owner::Order;
use crate::{
    peripherals::card_reader::stripe::holds_track,
    sale::{NotAReference, Reference, ScannedCode, Tender},
    till::{
        command::{SaleMethod, SaleRequest},
        problem::Refused,
    },
};

/// A number of so many digits may be a customer's code: no goods are looked up for it where one is awaited, and it is never repeated
/// to anybody.
const CODE_DIGITS_MIN: usize = 16;

/// A sale request that can be carried out.
pub(super) struct Checked {
    pub(super) order: Order,
    /// None: the customer's code is still to be scanned, or the card to be read.
    pub(super) tender: Option<Tender>,
}

pub(super) fn amount_of(minor: i64, currency: Currency) -> Result<Amount, Refused> {
    Amount::new(minor, currency).map_err(|error| Refused::Amount(error.to_string()))
}

/// A sale request that can be carried out.
///
/// # Errors
/// What is wrong with it.
pub(super) fn check(request: SaleRequest, currency: Currency, cashier: &str) -> Result<Checked, Refused> {
    let SaleRequest { amount_minor, method, code, tendered_minor, goods, reference, held, cashier: named, .. } =
        request;
    let amount = amount_of(amount_minor, currency)?;
    let tender = match (method, code, tendered_minor) {
        (SaleMethod::Cash, None, tendered_minor) => {
            let tendered_minor = tendered_minor.unwrap_or(amount_minor);
            if tendered_minor < amount_minor {
                return Err(Refused::TenderedTooSmall);
            }
            if tendered_minor > AMOUNT_MINOR_MAX {
                return Err(Refused::Amount(format!("at most {AMOUNT_MINOR_MAX} can be handed over")));
            }
            Some(Tender::Cash { tendered_minor })
        }
        (SaleMethod::Code, None, None) => Some(Tender::Code),
        (SaleMethod::Card, None, None) => None,
        (SaleMethod::Scan, code, None) => match code {
            Some(code) => {
                check_code(&code.0)?;
                Some(Tender::Scan { code: trimmed(&code.0) })
            }
            None => None,
        },
        (_, _, Some(_)) => return Err(Refused::Method("only a cash sale has tendered_minor")),
        (_, Some(_), _) => return Err(Refused::Method("only a sale by scan has a code")),
    };
    check_goods(&goods)?;
    let cashier = named.unwrap_or_else(|| cashier.to_owned());
    if !is_text(&cashier) {
        return Err(Refused::Cashier);
    }
    let reference = reference_of(reference.as_deref())?;
    Ok(Checked {
        order: Order { amount, goods, split: None, quote: None, of_basket: false, reference, cashier, held },
        tender,
    })
}

pub(super) fn reference_of(text: Option<&str>) -> Result<Option<Reference>, Refused> {
    Reference::parse(text.unwrap_or_default()).map_err(|NotAReference| Refused::Reference)
}

pub(super) fn check_goods(goods: &[Goods]) -> Result<(), Refused> {
    if goods.len() > GOODS_LINES_MAX {
        return Err(Refused::Goods(format!("at most {GOODS_LINES_MAX} lines of goods")));
    }
    for line in goods {
        let Goods { name, quantity, price_minor, .. } = line;
        let why = if !line.is_plain() {
            "a line with a discount, a tax or a weight is made of a basket".to_owned()
        } else if !is_text(name) {
            format!("a name must have 1 to {TEXT_LEN_MAX} characters, no control characters")
        } else if !(1..=QUANTITY_MAX).contains(quantity) {
            format!("a quantity must be 1 to {QUANTITY_MAX}")
        } else if !(0..=AMOUNT_MINOR_MAX).contains(price_minor) {
            format!("a price must be 0 to {AMOUNT_MINOR_MAX} minor units")
        } else {
            continue;
        };
        return Err(Refused::Goods(why));
    }
    Ok(())
}

pub(super) fn is_text(text: &str) -> bool {
    (1..=TEXT_LEN_MAX).contains(&text.chars().count())
        && text.chars().all(stands_in_text)
        && !text.chars().all(char::is_whitespace)
}

/// Scanners add line ends, fields add spaces.
pub(super) fn trimmed(code: &ScannedCode) -> ScannedCode {
    ScannedCode::new(code.expose().trim().to_owned())
}

pub(super) fn check_code(code: &ScannedCode) -> Result<(), Refused> {
    let text = code.expose().trim();
    if holds_track(text) {
        return Err(Refused::CardSwiped);
    }
    let good = (1..=SCANNED_CODE_LEN_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
    if good { Ok(()) } else { Err(Refused::Code) }
}

/// Whether it may be what a customer pays by, and nothing else.
pub(super) fn may_pay(code: &ScannedCode) -> bool {
    let text = unprefixed(code.expose());
    text.len() >= CODE_DIGITS_MIN && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The first number of a sale in a text: a receipt's QR code holds it alone, other papers in a sentence or a link.
pub(super) fn payment_in(text: &str) -> Option<PaymentId> {
    /// `pay_` and 26 characters.
    const NUMBER_LEN: usize = 30;
    // A scanner behind a keyboard with Caps Lock on types capitals.
    let text = text.to_ascii_lowercase();
    text.match_indices("pay_").find_map(|(start, _)| text.get(start..start + NUMBER_LEN)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(json: serde_json::Value) -> Result<Checked, Refused> {
        let request = serde_json::from_value(json).map_err(|error| Refused::BodyUnreadable(error.to_string()))?;
        check(request, Currency::CNY, "1")
    }

    #[test]
    fn what_is_keyed_is_checked_once() {
        use serde_json::json;
        let long = "x".repeat(129);
        for (body, code) in [
            (json!({"amount_minor": 1250, "method": "cash"}), "ok"),
            (json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 2000, "cashier": "Li"}), "ok"),
            (json!({"amount_minor": 1250, "method": "code"}), "ok"),
            (json!({"amount_minor": 1250, "method": "scan"}), "ok"),
            (json!({"amount_minor": 1250, "method": "scan", "code": " 28123\n"}), "ok"),
            (json!({"amount_minor": 1250, "method": "scan", "code": ""}), "code_invalid"),
            (json!({"amount_minor": 1250, "method": "scan", "code": "x".repeat(513)}), "code_invalid"),
            (json!({"amount_minor": 1250, "method": "scan", "code": "a\u{0}b"}), "code_invalid"),
            (json!({"amount_minor": 0, "method": "cash"}), "amount_invalid"),
            (json!({"amount_minor": -5, "method": "code"}), "amount_invalid"),
            (json!({"amount_minor": 1_000_000_000_000_i64, "method": "code"}), "amount_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "tendered_minor": 1249}), "tendered_too_small"),
            (json!({"amount_minor": 1, "method": "cash", "tendered_minor": i64::MAX}), "amount_invalid"),
            (json!({"amount_minor": 1250, "method": "code", "tendered_minor": 1250}), "method_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "code": "1"}), "method_invalid"),
            (json!({"amount_minor": 1250, "method": "card"}), "ok"),
            (json!({"amount_minor": 1250, "method": "card", "code": "1"}), "method_invalid"),
            (json!({"amount_minor": 1250, "method": "cheque"}), "body_unreadable"),
            (json!({"amount_minor": 1, "method": "scan", "code": ";6228480402564890018=30122010000?"}), "card_swiped"),
            (json!({"amount_minor": 12.5, "method": "cash"}), "body_unreadable"),
            (json!({"amount_minor": 1250, "method": "cash", "tip": 1}), "body_unreadable"),
            (json!({"amount_minor": 1250, "method": "cash", "cashier": long}), "cashier_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "cashier": " "}), "cashier_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "reference": "桌 7", "held": 3}), "ok"),
            (json!({"amount_minor": 1250, "method": "cash", "reference": " "}), "ok"),
            (json!({"amount_minor": 1250, "method": "cash", "reference": "a\nb"}), "reference_invalid"),
            (json!({"amount_minor": 1250, "method": "code", "reference": "x".repeat(33)}), "reference_invalid"),
            (json!({"amount_minor": 1250, "method": "cash", "held": -1}), "body_unreadable"),
            (
                json!({"amount_minor": 1, "method": "cash", "goods": [{"name": "", "quantity": 1, "price_minor": 1}]}),
                "goods_invalid",
            ),
            (
                json!({"amount_minor": 1, "method": "cash", "goods": [{"name": "a", "quantity": 0, "price_minor": 1}]}),
                "goods_invalid",
            ),
            (
                json!({"amount_minor": 1, "method": "cash", "goods": [{"name": "a", "quantity": 1, "price_minor": -1}]}),
                "goods_invalid",
            ),
        ] {
            let told = request(body.clone()).map_or_else(|error| error.code().to_owned(), |_| "ok".to_owned());
            assert_eq!(told, code, "{body}");
        }
    }

    #[test]
    fn a_scanned_code_is_handed_on_without_its_line_end() {
        let body = serde_json::json!({"amount_minor": 1, "method": "scan", "code": "28123\r\n"});
        let Ok(Checked { tender: Some(Tender::Scan { code }), .. }) = request(body) else { panic!("refused") };
        assert_eq!(code.expose(), "28123");
    }

    #[test]
    fn numbers_of_sales_are_found_in_what_is_scanned() {
        let number = "pay_lpgotadatwo6tslwumbgtvnmti";
        for text in
            [number.to_owned(), number.to_uppercase(), format!("No. {number}."), format!("pay_x https://a/{number}?b")]
        {
            assert_eq!(payment_in(&text).map(|payment| payment.to_string()).as_deref(), Some(number), "{text}");
        }
        for text in ["", "pay_", "pay_lpgotadatwo6tslwumbgtvnmt", "2812345678", "pay_好好好好好好好好好好"] {
            assert_eq!(payment_in(text), None, "{text}");
        }
    }
}
