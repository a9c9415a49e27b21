//! People who sign on at tills with a staff code and a PIN: what core and terminal agree on.
//!
//! Core keeps of a PIN an argon2id verifier alone, and gives it to the terminals of the person's stores, so that signing on
//! works with no network. **What is left to fear:** four digits are ten thousand guesses, and a verifier answers each of
//! them. So verifiers are sealed wherever they lie (in core under the merchant's data key, on a terminal in the journal,
//! under its key) and travel over mutual TLS alone; but whoever is root on a running terminal, or has its disk and its
//! journal's key, finds a PIN of four digits in minutes to an hour whatever the parameters. A PIN tells who stands at the
//! till; it is no password, opens nothing but the till that it is typed into, and should be one that is used nowhere else.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{DeserializeOwned, Error as _},
};

use crate::CashierId;

/// Fewest digits of a PIN (ISO 9564-1 §8.1 has the same bound).
pub const PIN_LEN_MIN: usize = 4;
/// Most digits of a PIN.
pub const PIN_LEN_MAX: usize = 8;
/// Most digits of a staff code: what a till has keys for.
pub const STAFF_CODE_LEN_MAX: usize = 8;

/// A PIN as somebody typed it. Does not print, and cannot be written into an answer, a log line or a fingerprint: it has no
/// `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(String);

/// Why a text is not to be somebody's PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    #[error("a PIN has {PIN_LEN_MIN} to {PIN_LEN_MAX} digits")]
    Form,
    #[error(
        "a PIN of one digit, of a part that repeats, or of digits in a row is the first that is tried; choose another"
    )]
    Trivial,
}

impl Pin {
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The digits, for the hash and nothing else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it can be anybody's: what is not is no try.
    #[must_use]
    pub fn is_formed(&self) -> bool {
        (PIN_LEN_MIN..=PIN_LEN_MAX).contains(&self.0.len()) && self.0.bytes().all(|digit| digit.is_ascii_digit())
    }

    /// Whether it may be chosen. Refused are 7777, 1212 and 123123 (a part that repeats), 3456, 8901 and 4321 (a row, also
    /// past the nought): 120 of the 10,000 with four digits.
    ///
    /// # Errors
    /// In this order: `Form`, `Trivial`.
    pub fn check_new(&self) -> Result<(), WeakPin> {
        if !self.is_formed() {
            return Err(WeakPin::Form);
        }
        let digits = self.0.as_bytes();
        let repeats =
            |part: usize| digits.len().is_multiple_of(part) && digits[part..] == digits[..digits.len() - part];
        let is_row = |step: u8| digits.windows(2).all(|pair| (pair[0] - b'0' + step) % 10 == pair[1] - b'0');
        let is_trivial = (1..=digits.len() / 2).any(repeats) || is_row(1) || is_row(9);
        if is_trivial { Err(WeakPin::Trivial) } else { Ok(()) }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// Refused in fixed words: an error that quotes what was sent carries a PIN into answers and logs.
impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(given: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(given) {
            Ok(serde_json::Value::String(text)) => Ok(Self(text)),
            _ => Err(D::Error::custom("a PIN is a text of digits")),
        }
    }
}

/// The short number by which a person signs on: 1 to [`STAFF_CODE_LEN_MAX`] digits, noughts in front count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StaffCode(String);

/// Not a staff code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a staff code has 1 to {STAFF_CODE_LEN_MAX} digits")]
pub struct NotAStaffCode;

impl FromStr for StaffCode {
    type Err = NotAStaffCode;

    fn from_str(text: &str) -> Result<Self, NotAStaffCode> {
        let is_code =
            (1..=STAFF_CODE_LEN_MAX).contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        if is_code { Ok(Self(text.to_owned())) } else { Err(NotAStaffCode) }
    }
}

impl fmt::Display for StaffCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for StaffCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StaffCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// What a person may do at a till.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TillRole {
    Cashier,
    /// Approves what a cashier may not do alone.
    Supervisor,
}

/// What a cashier may not do at a till without a supervisor's PIN.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum SupervisorFor {
    #[default]
    None,
    /// Refunds and voids.
    Refunds,
}

/// What a PIN is checked against: a PHC string of argon2id. Does not print.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Verifier(pub String);

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// A person who may sign on at a till.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CashierCard {
    pub id: CashierId,
    /// Stands on receipts.
    pub name: String,
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "07"))]
    pub staff_code: StaffCode,
    /// A role that the reader does not know is the one that may do least.
    #[serde(deserialize_with = "known_role")]
    pub role: TillRole,
    pub verifier: Verifier,
}

/// `GET /v1/terminal/cashiers`: who may sign on at this terminal, all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CashierList {
    /// Grows with every change of the merchant's cashiers; 0 if there never were any.
    pub version: u64,
    /// Whether who signs on shows a PIN: as long as the merchant has an active cashier, be it of another store. Else a till takes
    /// whatever name is typed in.
    pub pins: bool,
    /// A rule that the reader does not know is the strictest.
    #[serde(deserialize_with = "known_rule")]
    pub supervisor_for: SupervisorFor,
    /// One that the reader cannot read is passed over, and signs on nowhere.
    #[serde(deserialize_with = "readable_cards")]
    pub cashiers: Vec<CashierCard>,
}

impl CashierList {
    /// What holds where nobody can tell any more what core said: a PIN is asked for, and nobody has one.
    #[must_use]
    pub const fn shut() -> Self {
        Self { version: 0, pins: true, supervisor_for: SupervisorFor::Refunds, cashiers: Vec::new() }
    }
}

/// Terminals outlive what core knew when they were built: a word of a later core must neither keep a till from reading the rest,
/// nor let anybody do more.
fn known<'de, D: Deserializer<'de>, T: DeserializeOwned>(given: D, else_it_is: T) -> Result<T, D::Error> {
    Ok(serde_json::from_value(serde_json::Value::deserialize(given)?).unwrap_or(else_it_is))
}

fn known_role<'de, D: Deserializer<'de>>(given: D) -> Result<TillRole, D::Error> {
    known(given, TillRole::Cashier)
}

fn known_rule<'de, D: Deserializer<'de>>(given: D) -> Result<SupervisorFor, D::Error> {
    known(given, SupervisorFor::Refunds)
}

fn readable_cards<'de, D: Deserializer<'de>>(given: D) -> Result<Vec<CashierCard>, D::Error> {
    let cards = Vec::<serde_json::Value>::deserialize(given)?;
    Ok(cards.into_iter().filter_map(|card| serde_json::from_value(card).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_that_are_tried_first_are_refused() {
        for (pin, expected) in [
            ("", Err(WeakPin::Form)),
            ("739", Err(WeakPin::Form)),
            ("739182640", Err(WeakPin::Form)),
            ("73 9", Err(WeakPin::Form)),
            ("７３９１", Err(WeakPin::Form)),
            ("-739", Err(WeakPin::Form)),
            ("0000", Err(WeakPin::Trivial)),
            ("99999999", Err(WeakPin::Trivial)),
            ("1234", Err(WeakPin::Trivial)),
            ("4321", Err(WeakPin::Trivial)),
            ("8901", Err(WeakPin::Trivial)),
            ("1098", Err(WeakPin::Trivial)),
            ("23456789", Err(WeakPin::Trivial)),
            ("1212", Err(WeakPin::Trivial)),
            ("123123", Err(WeakPin::Trivial)),
            ("73917391", Err(WeakPin::Trivial)),
            ("7391", Ok(())),
            ("1213", Ok(())),
            ("1235", Ok(())),
            ("12121", Ok(())),
            ("73918264", Ok(())),
        ] {
            assert_eq!(Pin::new(pin.to_owned()).check_new(), expected, "{pin}");
        }
        let n_refused = (0..10_000).filter(|pin| Pin::new(format!("{pin:04}")).check_new().is_err()).count();
        assert_eq!(n_refused, 120);
    }

    #[test]
    fn a_pin_is_not_printed_and_an_error_does_not_quote_it() {
        assert_eq!(format!("{:?}", Pin::new("7391".to_owned())), "Pin(…)");
        assert_eq!(format!("{:?}", Verifier("$argon2id$x".to_owned())), "Verifier(…)");
        assert_eq!(serde_json::from_str::<Pin>("\"7391\"").ok(), Some(Pin::new("7391".to_owned())));
        for json in ["7391", "[7391]", "{\"7391\":1}", "null"] {
            let error = serde_json::from_str::<Pin>(json).unwrap_err().to_string();
            assert!(!error.contains("7391"), "{error}");
        }
    }

    #[test]
    fn staff_codes() {
        for (text, is_code) in [
            ("7", true),
            ("07", true),
            ("12345678", true),
            ("", false),
            ("123456789", false),
            ("7a", false),
            ("７", false),
        ] {
            assert_eq!(text.parse::<StaffCode>().is_ok(), is_code, "{text}");
        }
        assert_ne!("7".parse::<StaffCode>(), "07".parse());
    }

    /// As terminals keep it, too.
    #[test]
    fn the_list_that_was_sent_once_is_read_for_ever() {
        let golden = r#"{"version":3,"pins":true,"supervisor_for":"refunds","cashiers":[{"id":"csh_aeaqcaibaeaqcaibaeaqcaibae","name":"李雷","staff_code":"07","role":"supervisor","verifier":"$argon2id$v=19$m=7168,t=5,p=1$c2FsdA$aGFzaA"}]}"#;
        let list = CashierList {
            version: 3,
            pins: true,
            supervisor_for: SupervisorFor::Refunds,
            cashiers: vec![CashierCard {
                id: CashierId::from_bytes([1; 16]),
                name: "李雷".to_owned(),
                staff_code: "07".parse().unwrap(),
                role: TillRole::Supervisor,
                verifier: Verifier("$argon2id$v=19$m=7168,t=5,p=1$c2FsdA$aGFzaA".to_owned()),
            }],
        };
        assert_eq!(serde_json::to_string(&list).unwrap(), golden);
        assert_eq!(serde_json::from_str::<CashierList>(golden).unwrap(), list);
    }

    /// A later core's: more roles and rules, cards that look otherwise, fields that nobody here knows.
    #[test]
    fn the_list_of_a_later_core_lets_nobody_do_more() {
        let later = r#"{"version":9,"pins":true,"supervisor_for":"cash_out","since":1,"cashiers":[
            {"id":"csh_aeaqcaibaeaqcaibaeaqcaibae","name":"李雷","staff_code":"07","role":"shift_lead","verifier":"v","badge":"x"},
            {"id":"csh_aiaqcaibaeaqcaibaeaqcaibae","name":"Wu","staff_code":"W-8","role":"supervisor","verifier":"v"},
            {"id":"csh_amaqcaibaeaqcaibaeaqcaibae","name":"Mo","staff_code":"09","role":{"of":1},"verifier":"v"}]}"#;
        let list: CashierList = serde_json::from_str(later).unwrap();
        assert_eq!((list.version, list.pins, list.supervisor_for), (9, true, SupervisorFor::Refunds));
        let told: Vec<_> = list.cashiers.iter().map(|card| (card.name.as_str(), card.role)).collect();
        assert_eq!(told, [("李雷", TillRole::Cashier), ("Mo", TillRole::Cashier)]);
        // Where a role is asked for, a word that is none is a mistake.
        assert!(serde_json::from_str::<TillRole>("\"shift_lead\"").is_err());
    }
}
