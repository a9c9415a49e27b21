//! Merchant-presented codes: read from text, written as text.

use crate::{
    code::tlv::{self, Found, Object, Place, TlvError},
    money::{Currency, Money},
};

use super::{CODE_LEN_MAX, crc16};

/// What ends every code, with its CRC of four hex digits behind.
const CRC_HEAD: &str = "6304";

/// A merchant-presented code (MPM 1.1, table 3). Written in the order of the ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantCode {
    /// 01: `Some(true)` if it is for one sale (`12`), `Some(false)` if it is shown again and again (`11`).
    pub is_dynamic: Option<bool>,
    /// 02 to 51, at least one.
    pub accounts: Vec<Account>,
    /// 52: four digits of ISO 18245; `0000` where the scheme uses none.
    pub category: String,
    /// 53: ISO 4217 numeric.
    pub currency: u16,
    /// 54: digits with at most one point, not zero, at most 13 characters. Without it the customer enters one.
    pub amount: Option<String>,
    /// 55 to 57.
    pub tip: Option<Tip>,
    /// 58: ISO 3166-1 alpha-2.
    pub country: String,
    /// 59: 1 to 25 characters.
    pub name: String,
    /// 60: 1 to 15 characters.
    pub city: String,
    /// 61: 1 to 10 characters.
    pub postal_code: Option<String>,
    /// 62: bill number (01), reference label (05) and the like; empty if there is none.
    pub additional: Vec<Object>,
    /// 64.
    pub local_name: Option<LocalName>,
    /// 65 to 99, which the specification reserves or leaves to others.
    pub others: Vec<Object>,
}

/// Whom to pay, in a scheme's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// 02 to 25: a number that the card scheme of that id knows.
    Primitive(Object),
    /// 26 to 51: a template whose 00 names the scheme (reverse domain name, application id or UUID; at most 32 characters).
    Template { id: u8, objects: Vec<Object> },
}

/// What is paid on top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tip {
    /// 55 `01`: the customer is asked.
    Asked,
    /// 55 `02` and 56: an amount, written as 54 is.
    Fixed(String),
    /// 55 `03` and 57: per cent, above 0 and below 100, at most 5 characters.
    Percent(String),
}

/// Name and city in the country's own letters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalName {
    /// ISO 639-1, two letters.
    pub language: String,
    /// 1 to 25 characters.
    pub name: String,
    /// 1 to 15 characters.
    pub city: Option<String>,
}

/// Why a text is no merchant-presented code, or a code cannot be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MerchantCodeError {
    #[error("the code has {0} characters, at most {CODE_LEN_MAX} are allowed")]
    TooLong(usize),
    #[error("its checksum is {stated}, and that of what stands before it {computed:04X}")]
    Crc { stated: String, computed: u16 },
    #[error(transparent)]
    Tlv(#[from] TlvError),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("{0} stands in the wrong place: 00 is the first and 63 the last")]
    Misplaced(Place),
    #[error("{place} must be {must}")]
    Wrong { place: Place, must: &'static str },
}

impl MerchantCode {
    /// Reads a code whole: what the specification does not know is kept in `others`, what it forbids is refused.
    ///
    /// # Errors
    /// In this order: `TooLong`; what is no row of objects; `Misplaced` or `Missing` for the ends of the code; `Crc`; then by
    /// place what has another form than the specification gives it; `Missing`.
    pub fn parse(text: &str) -> Result<Self, MerchantCodeError> {
        let len = text.chars().count();
        if len > CODE_LEN_MAX {
            return Err(MerchantCodeError::TooLong(len));
        }
        let found = tlv::read(text, None)?;
        let ends = |idx: usize, id: u8| match found.iter().position(|object| object.id == id) {
            Some(at) if at == idx => Ok(found[at]),
            Some(at) => Err(MerchantCodeError::Misplaced(found[at].place)),
            None => Err(MerchantCodeError::Missing(if id == 0 { "00" } else { "63" })),
        };
        let format = ends(0, 0)?;
        let crc = ends(found.len().saturating_sub(1), 63)?;
        check_crc(text, &crc)?;
        required(&format, format.value == "01", "01, the only format there is")?;
        read_objects(&found)
    }

    /// # Errors
    /// `Wrong` or `Missing` as for the text that it would make, `TooLong`.
    pub fn encode(&self) -> Result<String, MerchantCodeError> {
        let mut text = String::from("000201");
        for object in self.objects()? {
            tlv::write(&mut text, object.id, &object.value)?;
        }
        text.push_str(CRC_HEAD);
        let crc = crc16(text.as_bytes());
        text.push_str(&format!("{crc:04X}"));
        // Nothing is shown that we would refuse to read: so writing has no rules of its own.
        Self::parse(&text).map(|_| text)
    }

    /// 54 in the code's currency; `None` if the customer enters the amount.
    ///
    /// # Errors
    /// `Wrong` if the currency is not known here, or has fewer digits than the amount.
    pub fn money(&self) -> Result<Option<Money>, MerchantCodeError> {
        let Some(amount) = &self.amount else { return Ok(None) };
        let place = |id| Place { id, inner: None, offset: 0 };
        let currency = Currency::all()
            .find(|known| known.numeric() == self.currency)
            .ok_or(MerchantCodeError::Wrong { place: place(53), must: "a currency that is known here" })?;
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, ""));
        let digits = usize::from(currency.minor_digits());
        let too_fine = MerchantCodeError::Wrong { place: place(54), must: "an amount with the currency's digits" };
        if fraction.len() > digits {
            return Err(too_fine);
        }
        let minor = format!("{whole}{fraction:0<digits$}").parse().map_err(|_| too_fine)?;
        Ok(Some(Money::new(minor, currency)))
    }

    /// The first account template that names this scheme, in whatever letter case (ISO/IEC 7816-5 identifiers and domain names
    /// have none).
    #[must_use]
    pub fn account(&self, scheme: &str) -> Option<&[Object]> {
        self.accounts.iter().find_map(|account| match account {
            Account::Template { objects, .. } => {
                text_of(objects, 0).filter(|given| given.eq_ignore_ascii_case(scheme)).map(|_| objects.as_slice())
            }
            Account::Primitive(_) => None,
        })
    }

    fn objects(&self) -> Result<Vec<Object>, MerchantCodeError> {
        let mut objects = Vec::new();
        objects.extend(self.is_dynamic.map(|is_dynamic| Object::new(1, if is_dynamic { "12" } else { "11" })));
        for account in &self.accounts {
            objects.push(match account {
                Account::Primitive(object) => object.clone(),
                Account::Template { id, objects } => Object::new(*id, tlv::written(objects)?),
            });
        }
        objects.push(Object::new(52, &self.category));
        objects.push(Object::new(53, format!("{:03}", self.currency)));
        objects.extend(self.amount.as_ref().map(|amount| Object::new(54, amount)));
        match &self.tip {
            None => {}
            Some(Tip::Asked) => objects.push(Object::new(55, "01")),
            Some(Tip::Fixed(amount)) => objects.extend([Object::new(55, "02"), Object::new(56, amount)]),
            Some(Tip::Percent(rate)) => objects.extend([Object::new(55, "03"), Object::new(57, rate)]),
        }
        objects.extend([Object::new(58, &self.country), Object::new(59, &self.name), Object::new(60, &self.city)]);
        objects.extend(self.postal_code.as_ref().map(|code| Object::new(61, code)));
        if !self.additional.is_empty() {
            objects.push(Object::new(62, tlv::written(&self.additional)?));
        }
        if let Some(local) = &self.local_name {
            let mut inner = vec![Object::new(0, &local.language), Object::new(1, &local.name)];
            inner.extend(local.city.as_ref().map(|city| Object::new(2, city)));
            objects.push(Object::new(64, tlv::written(&inner)?));
        }
        objects.extend(self.others.iter().cloned());
        Ok(objects)
    }
}

/// The value of the object of that id.
#[must_use]
pub fn text_of(objects: &[Object], id: u8) -> Option<&str> {
    objects.iter().find(|object| object.id == id).map(|object| object.value.as_str())
}

fn check_crc(text: &str, crc: &Found<'_>) -> Result<(), MerchantCodeError> {
    let is_hex = crc.value.len() == 4 && crc.value.bytes().all(|byte| byte.is_ascii_hexdigit());
    required(crc, is_hex, "four hex digits")?;
    let computed = crc16(&text.as_bytes()[..text.len() - crc.value.len()]);
    // The specification writes upper case; readers in the field take either.
    if u16::from_str_radix(crc.value, 16) == Ok(computed) {
        return Ok(());
    }
    Err(MerchantCodeError::Crc { stated: crc.value.to_owned(), computed })
}

fn read_objects(found: &[Found<'_>]) -> Result<MerchantCode, MerchantCodeError> {
    let get = |id: u8| found.iter().find(|object| object.id == id);
    let is_dynamic = match get(1) {
        None => None,
        Some(object) => {
            required(object, matches!(object.value, "11" | "12"), "11 or 12")?;
            Some(object.value == "12")
        }
    };
    let mut accounts = Vec::new();
    for object in found.iter().filter(|object| (2..=51).contains(&object.id)) {
        accounts.push(account(object)?);
    }
    if accounts.is_empty() {
        return Err(MerchantCodeError::Missing("an account (02 to 51)"));
    }
    let category = get(52).ok_or(MerchantCodeError::Missing("52"))?;
    required(category, is_digits(category.value, 4), "four digits")?;
    let currency = get(53).ok_or(MerchantCodeError::Missing("53"))?;
    required(currency, is_digits(currency.value, 3), "three digits")?;
    let amount = get(54).map(amount).transpose()?;
    let tip = tip(get(55), get(56), get(57))?;
    let country = get(58).ok_or(MerchantCodeError::Missing("58"))?;
    let is_country = country.value.len() == 2 && country.value.bytes().all(|byte| byte.is_ascii_uppercase());
    required(country, is_country, "two capital letters")?;
    let name = short(get(59).ok_or(MerchantCodeError::Missing("59"))?, 25, "1 to 25 printable characters")?;
    let city = short(get(60).ok_or(MerchantCodeError::Missing("60"))?, 15, "1 to 15 printable characters")?;
    let postal_code = get(61).map(|object| short(object, 10, "1 to 10 printable characters")).transpose()?;
    let mut others = Vec::new();
    for object in found.iter().filter(|object| object.id >= 65) {
        others.push(Object::new(object.id, short(object, tlv::VALUE_LEN_MAX, "printable characters")?));
    }
    Ok(MerchantCode {
        is_dynamic,
        accounts,
        category: category.value.to_owned(),
        // Three digits fit.
        currency: currency.value.parse().unwrap_or_default(),
        amount,
        tip,
        country: country.value.to_owned(),
        name,
        city,
        postal_code,
        additional: get(62).map(template).transpose()?.unwrap_or_default(),
        local_name: get(64).map(local_name).transpose()?,
        others,
    })
}

fn account(object: &Found<'_>) -> Result<Account, MerchantCodeError> {
    if object.id < 26 {
        let value = short(object, tlv::VALUE_LEN_MAX, "printable characters")?;
        return Ok(Account::Primitive(Object::new(object.id, value)));
    }
    let objects = template(object)?;
    let is_named = text_of(&objects, 0).is_some_and(|name| name.chars().count() <= 32);
    required(object, is_named, "a template whose 00 names the scheme with at most 32 characters")?;
    Ok(Account::Template { id: object.id, objects })
}

fn template(object: &Found<'_>) -> Result<Vec<Object>, MerchantCodeError> {
    let mut objects = Vec::new();
    for inner in object.objects()? {
        objects.push(Object::new(inner.id, short(&inner, tlv::VALUE_LEN_MAX, "printable characters")?));
    }
    Ok(objects)
}

fn local_name(object: &Found<'_>) -> Result<LocalName, MerchantCodeError> {
    let inner = object.objects()?;
    let get = |id: u8| inner.iter().find(|object| object.id == id);
    let language = get(0).ok_or(MerchantCodeError::Missing("64.00"))?;
    let is_language = language.value.len() == 2 && language.value.bytes().all(|byte| byte.is_ascii_alphabetic());
    required(language, is_language, "two letters")?;
    Ok(LocalName {
        language: language.value.to_owned(),
        name: short(get(1).ok_or(MerchantCodeError::Missing("64.01"))?, 25, "1 to 25 printable characters")?,
        city: get(2).map(|object| short(object, 15, "1 to 15 printable characters")).transpose()?,
    })
}

fn tip(
    kind: Option<&Found<'_>>,
    fixed: Option<&Found<'_>>,
    percent: Option<&Found<'_>>,
) -> Result<Option<Tip>, MerchantCodeError> {
    let Some(kind) = kind else {
        return match fixed.or(percent) {
            Some(_) => Err(MerchantCodeError::Missing("55")),
            None => Ok(None),
        };
    };
    match (kind.value, fixed, percent) {
        ("01", None, None) => Ok(Some(Tip::Asked)),
        ("02", Some(fixed), None) => amount(fixed).map(|amount| Some(Tip::Fixed(amount))),
        ("03", None, Some(percent)) => {
            let is_rate = percent.value.len() <= 5 && is_decimal(percent.value);
            let (whole, _) = percent.value.split_once('.').unwrap_or((percent.value, ""));
            required(percent, is_rate && whole.len() <= 2, "per cent above 0 and below 100")?;
            Ok(Some(Tip::Percent(percent.value.to_owned())))
        }
        _ => {
            required(kind, false, "01 alone, 02 with 56, or 03 with 57")?;
            Ok(None)
        }
    }
}

fn amount(object: &Found<'_>) -> Result<String, MerchantCodeError> {
    let is_amount = object.value.len() <= 13 && is_decimal(object.value);
    required(object, is_amount, "digits with at most one point, not zero, at most 13 characters")?;
    Ok(object.value.to_owned())
}

/// Digits, at most one point that does not come first, and not zero.
fn is_decimal(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    !whole.is_empty()
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit())
        && text.bytes().any(|byte| (b'1'..=b'9').contains(&byte))
}

/// What may be shown: names in the field have letters that the specification's common set lacks, so any but controls.
fn short(object: &Found<'_>, len_max: usize, must: &'static str) -> Result<String, MerchantCodeError> {
    let is_shown = object.value.chars().count() <= len_max && !object.value.chars().any(char::is_control);
    required(object, is_shown, must)?;
    Ok(object.value.to_owned())
}

fn is_digits(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn required(object: &Found<'_>, is_met: bool, must: &'static str) -> Result<(), MerchantCodeError> {
    if is_met { Ok(()) } else { Err(MerchantCodeError::Wrong { place: object.place, must }) }
}
