//! The BR Code that the customer scans: checked before it is shown, or made if the bank gave only its address.
//!
//! A dynamic BR Code carries the address of the charge (26-25); amount and txid are read from there by the customer's bank, and
//! what of them the code itself says must be ours (BR Code manual; OpenAPI 2.9.0, `pixCopiaECola`).

use saoma_channel_sdk::{
    Error, Order,
    emvco::{Account, MerchantCode, text_of},
    no_answer,
    tlv::Object,
};

use super::{build::Settings, number::to_txid};

const SCHEME: &str = "br.gov.bcb.pix";
const REAL: u16 = 986;
/// Within the template of the scheme.
const LOCATION: u8 = 25;
/// Within 62.
const REFERENCE: u8 = 5;
/// "See the charge."
const NO_REFERENCE: &str = "***";
const LOCATION_LEN_MAX: usize = 77;
const NAME_LEN_MAX: usize = 25;

/// `text` if it is a code of this order, whose charge the bank keeps at `location`.
///
/// # Errors
/// `no-answer`, saying what differs.
pub fn checked(text: &str, location: Option<&str>, order: &Order) -> Result<String, Error> {
    let code = MerchantCode::parse(text).map_err(|error| no_answer(format!("the bank's code: {error}")))?;
    let account = code.account(SCHEME).ok_or_else(|| no_answer("the bank's code is none of Pix"))?;
    let given = text_of(account, LOCATION).ok_or_else(|| no_answer("the bank's code leads to no charge"))?;
    if location.is_some_and(|location| !bare(location).eq_ignore_ascii_case(bare(given))) {
        return Err(no_answer("the bank's code leads to another charge"));
    }
    if (code.currency, code.country.as_str()) != (REAL, "BR") {
        return Err(no_answer(format!("the bank's code is of currency {} in {}", code.currency, code.country)));
    }
    let amount = code.money().map_err(|error| no_answer(format!("the bank's code: {error}")))?;
    if amount.is_some_and(|amount| amount.minor() != order.amount.minor) {
        return Err(no_answer(format!("the bank's code asks for {}", code.amount.unwrap_or_default())));
    }
    let reference = text_of(&code.additional, REFERENCE).unwrap_or(NO_REFERENCE);
    if reference != NO_REFERENCE && reference != to_txid(&order.number)? {
        return Err(no_answer(format!("the bank's code is of {reference:?}")));
    }
    Ok(text.to_owned())
}

/// A code that leads to the charge at `location`.
///
/// # Errors
/// `no-answer` if the address does not fit into a code.
pub fn made(location: &str, order: &Order, settings: &Settings) -> Result<String, Error> {
    let location = bare(location);
    if !(1..=LOCATION_LEN_MAX).contains(&location.len()) {
        return Err(no_answer("the bank gave neither a code nor an address that fits into one"));
    }
    let code = MerchantCode {
        is_dynamic: Some(true),
        accounts: vec![Account::Template {
            id: 26,
            objects: vec![Object::new(0, SCHEME), Object::new(LOCATION, location)],
        }],
        category: "0000".to_owned(),
        currency: REAL,
        amount: None,
        tip: None,
        country: "BR".to_owned(),
        name: plain(&order.merchant_name),
        city: settings.merchant_city.clone(),
        postal_code: None,
        additional: vec![Object::new(REFERENCE, NO_REFERENCE)],
        local_name: None,
        others: Vec::new(),
    };
    code.encode().map_err(|error| no_answer(format!("no code can be made of the bank's answer: {error}")))
}

/// In codes an address has no scheme.
fn bare(location: &str) -> &str {
    location.strip_prefix("https://").unwrap_or(location)
}

/// Portuguese letters without their accents, and `?` for all others that the code cannot hold.
fn plain(name: &str) -> String {
    let letter = |c: char| match c {
        ' '..='~' => c,
        'á' | 'à' | 'â' | 'ã' | 'ä' => 'a',
        'Á' | 'À' | 'Â' | 'Ã' | 'Ä' => 'A',
        'é' | 'è' | 'ê' | 'ë' => 'e',
        'É' | 'È' | 'Ê' | 'Ë' => 'E',
        'í' | 'ì' | 'î' | 'ï' => 'i',
        'Í' | 'Ì' | 'Î' | 'Ï' => 'I',
        'ó' | 'ò' | 'ô' | 'õ' | 'ö' => 'o',
        'Ó' | 'Ò' | 'Ô' | 'Õ' | 'Ö' => 'O',
        'ú' | 'ù' | 'û' | 'ü' => 'u',
        'Ú' | 'Ù' | 'Û' | 'Ü' => 'U',
        'ç' => 'c',
        'Ç' => 'C',
        'ñ' => 'n',
        'Ñ' => 'N',
        _ => '?',
    };
    let name: String = name.chars().map(letter).take(NAME_LEN_MAX).collect();
    if name.is_empty() { "LOJA".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::Money;

    use super::*;
    use crate::messages::charge::tests::{order, settings};

    const LOCATION: &str = "pix.example.com/qr/v2/2353c790eefb11eaadc10242ac120002";

    #[test]
    fn a_code_is_made_of_an_address_and_passes_the_check() {
        let text = made(LOCATION, &order(), &settings()).expect("a code");
        // The same bytes are read by other software in `oracle/`.
        assert_eq!(text, include_str!("../../tests/code.txt").trim_end());
        assert_eq!(checked(&text, Some(LOCATION), &order()), Ok(text.clone()));
        assert_eq!(checked(&text, Some(&format!("https://{LOCATION}")), &order()), Ok(text));
        assert!(made(&"x".repeat(78), &order(), &settings()).is_err());
        assert!(made("", &order(), &settings()).is_err());
    }

    #[test]
    fn a_code_of_anything_else_is_not_shown() {
        let code = || MerchantCode::parse(&made(LOCATION, &order(), &settings()).expect("a code")).expect("a code");
        let with = |change: fn(&mut MerchantCode)| {
            let mut code = code();
            change(&mut code);
            code.encode().expect("a code")
        };
        let refused = |text: &str, why: &str| {
            let error = checked(text, Some(LOCATION), &order());
            assert!(matches!(&error, Err(Error::NoAnswer(given)) if given.contains(why)), "{text}: {error:?}");
        };
        refused(&with(|code| code.amount = Some("12.51".to_owned())), "asks for 12.51");
        refused(&with(|code| code.currency = 840), "currency 840");
        refused(&with(|code| code.country = "PT".to_owned()), "PT");
        refused(&with(|code| code.additional = vec![Object::new(5, "payXbbbbbbbbbbbbbbbbbbbbbbbbbb")]), "is of");
        refused(&with(|code| code.accounts = vec![Account::Primitive(Object::new(4, "5"))]), "none of Pix");
        let template = |id, value: &str| {
            vec![Account::Template { id: 26, objects: vec![Object::new(0, SCHEME), Object::new(id, value)] }]
        };
        let mut other = code();
        other.accounts = template(25, "evil.example.com/qr/1");
        refused(&other.encode().expect("a code"), "another charge");
        other.accounts = template(1, "12345678909");
        refused(&other.encode().expect("a code"), "no charge");
        let good = made(LOCATION, &order(), &settings()).expect("a code");
        refused(&good.replace("SAO", "RIO"), "checksum");
        refused("", "missing");
        let fits = with(|code| {
            code.amount = Some("12.50".to_owned());
            code.additional = vec![Object::new(5, "payXaaaaaaaaaaaaaaaaaaaaaaaaaa")];
        });
        assert!(checked(&fits, None, &order()).is_ok());
        let other = Order { amount: Money { minor: 1_251, currency: "BRL".to_owned() }, ..order() };
        assert!(checked(&fits, None, &other).is_err());
    }
}
