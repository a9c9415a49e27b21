//! What a merchant may ask of the node, and its words for what they may not.

use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde::Deserialize;
use serde_json::Value;

use super::{
    bolt11::DESCRIPTION_BYTES_MAX,
    book::{NewInvoice, Selection},
    status::Status,
};

const MEMO_BYTES_MAX: usize = 1_024;
const EXPIRY_SECONDS_MAX: i64 = 365 * 86_400;
/// "Default is 86400 (24 hours)".
const EXPIRY_SECONDS_DEFAULT: i64 = 86_400;
/// 100,000 BTC.
const MSAT_MAX: i64 = 100_000 * 100_000_000 * 1_000;
const ROWS_DEFAULT: u64 = 100;

/// protojson takes both alphabets, with padding and without.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);

/// `lnrpc.Invoice` as far as a merchant sets it; numbers may be texts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Message {
    #[serde(default)]
    memo: String,
    #[serde(default)]
    r_preimage: String,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    value_msat: Value,
    #[serde(default)]
    expiry: Value,
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cancellation {
    payment_hash: String,
}

/// An invoice to be made; one without a preimage gets `random`.
///
/// # Errors
/// As LND 0.21 words them.
pub fn new_invoice(body: &[u8], random: [u8; 32]) -> Result<NewInvoice, Status> {
    let message: Message = serde_json::from_slice(body).map_err(|error| Status::invalid(format!("proto: {error}")))?;
    let (sat, msat) = (number(&message.value)?, number(&message.value_msat)?);
    if sat != 0 && msat != 0 {
        return Err(Status::unknown("sat and msat arguments are mutually exclusive"));
    }
    let msat = sat.saturating_mul(1_000).saturating_add(msat);
    if msat < 0 {
        return Err(Status::unknown("amount cannot be negative"));
    }
    if msat > MSAT_MAX {
        return Err(Status::unknown(format!("invoice amount {} sat is too large", msat / 1_000)));
    }
    let preimage = match message.r_preimage.as_str() {
        "" => random,
        text => {
            let bytes = bytes(text)?;
            let len = bytes.len();
            bytes.try_into().map_err(|_| Status::unknown(format!("invalid preimage length of {len}, want 32")))?
        }
    };
    if message.memo.len() > MEMO_BYTES_MAX {
        return Err(Status::unknown(format!("memo too large: {} bytes (maxsize=1024)", message.memo.len())));
    }
    if message.memo.len() > DESCRIPTION_BYTES_MAX {
        return Err(Status::unknown("invalid data length: the description does not fit a field"));
    }
    let expiry_seconds = match number(&message.expiry)? {
        given if given > EXPIRY_SECONDS_MAX => {
            return Err(Status::unknown(format!(
                "expiry of {given} seconds greater than max expiry of 3.1536e+07 seconds"
            )));
        }
        given if given > 0 => given,
        _ => EXPIRY_SECONDS_DEFAULT,
    };
    Ok(NewInvoice { memo: message.memo, preimage, msat, expiry_seconds, is_private: message.private })
}

/// # Errors
/// As LND words them.
pub fn cancellation(body: &[u8]) -> Result<[u8; 32], Status> {
    let message: Cancellation =
        serde_json::from_slice(body).map_err(|error| Status::invalid(format!("proto: {error}")))?;
    exact_hash(bytes(&message.payment_hash)?)
}

/// # Errors
/// As LND words them.
pub fn hash_in_path(text: &str) -> Result<[u8; 32], Status> {
    exact_hash(hex::decode(text).map_err(|error| Status::unknown(format!("encoding/hex: {error}")))?)
}

/// # Errors
/// As LND words them.
pub fn selection(query: &[(String, String)]) -> Result<Selection, Status> {
    let mut selection = Selection::default();
    let mut rows = 0;
    for (name, value) in query {
        let number = || value.parse::<u64>().map_err(|_| Status::invalid(format!("{name}: parsing {value:?}")));
        let seconds = || number().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
        match name.as_str() {
            "creation_date_start" => selection.made_from = seconds()?,
            "creation_date_end" => selection.made_to = seconds()?,
            "index_offset" => selection.behind = number()?,
            "num_max_invoices" => rows = number()?,
            "reversed" => selection.is_reversed = value == "true",
            "pending_only" => selection.is_pending_only = value == "true",
            other => return Err(Status::invalid(format!("no field {other:?}"))),
        }
    }
    if selection.made_from != 0 && selection.made_to != 0 && selection.made_from >= selection.made_to {
        return Err(Status::unknown(format!(
            "start date({}) must be before end date({})",
            selection.made_from, selection.made_to
        )));
    }
    let rows = if rows == 0 { ROWS_DEFAULT } else { rows };
    Ok(Selection { rows: usize::try_from(rows).unwrap_or(usize::MAX), ..selection })
}

fn exact_hash(bytes: Vec<u8>) -> Result<[u8; 32], Status> {
    let len = bytes.len();
    bytes.try_into().map_err(|_| Status::unknown(format!("payment hash must be exactly 32 bytes, is instead {len}")))
}

fn bytes(text: &str) -> Result<Vec<u8>, Status> {
    let of = |alphabet| GeneralPurpose::new(alphabet, LENIENT).decode(text);
    of(&alphabet::STANDARD)
        .or_else(|_| of(&alphabet::URL_SAFE))
        .map_err(|_| Status::invalid("proto: invalid value for bytes field".to_owned()))
}

fn number(value: &Value) -> Result<i64, Status> {
    let number = match value {
        Value::Null => Some(0),
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| Status::invalid(format!("proto: invalid value for int64 field: {value}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_invoices() {
        let told = |body: &str| {
            new_invoice(body.as_bytes(), [7; 32])
                .map(|asked| (asked.msat, asked.expiry_seconds, asked.preimage[0]))
                .map_err(|status| status.code)
        };
        let preimage = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
        for (body, outcome) in [
            (
                format!(r#"{{"memo":"m","value_msat":"1500","expiry":"60","r_preimage":"{preimage}"}}"#),
                Ok((1_500, 60, 1)),
            ),
            (format!(r#"{{"value":2,"r_preimage":"{}"}}"#, preimage.trim_end_matches('=')), Ok((2_000, 86_400, 1))),
            (r#"{"value":"2","private":true}"#.to_owned(), Ok((2_000, 86_400, 7))),
            (r#"{"value":"2","value_msat":"1"}"#.to_owned(), Err(2)),
            (r#"{"value":"-2"}"#.to_owned(), Err(2)),
            (r#"{"value":"10000000000001"}"#.to_owned(), Err(2)),
            (r#"{"value":"2","expiry":"31536001"}"#.to_owned(), Err(2)),
            (r#"{"value":"2","r_preimage":"AQEB"}"#.to_owned(), Err(2)),
            (r#"{"value":"2","r_preimage":"?"}"#.to_owned(), Err(3)),
            (r#"{"value":2.5}"#.to_owned(), Err(3)),
            (r#"{"price":"2"}"#.to_owned(), Err(3)),
            (format!(r#"{{"memo":"{}"}}"#, "m".repeat(640)), Err(2)),
            ("no JSON".to_owned(), Err(3)),
        ] {
            assert_eq!(told(&body), outcome, "{body}");
        }
    }

    #[test]
    fn hashes_and_selections() {
        assert!(hash_in_path(&"0a".repeat(32)).is_ok());
        assert_eq!(hash_in_path(&"0a".repeat(31)).map_err(|status| status.code), Err(2));
        assert_eq!(hash_in_path("zz").map_err(|status| status.code), Err(2));
        assert_eq!(cancellation(br#"{"payment_hash":"AAAA"}"#).map_err(|status| status.code), Err(2));
        let query = |text: &str| {
            selection(&[("creation_date_start".into(), text.into()), ("creation_date_end".into(), "9".into())])
        };
        assert_eq!(query("8").map(|selection| selection.rows).map_err(|status| status.code), Ok(100));
        assert_eq!(query("9").map(|_| ()).map_err(|status| status.code), Err(2));
        assert_eq!(query("x").map(|_| ()).map_err(|status| status.code), Err(3));
    }
}
