//! What a callback names. Nothing in it is signed, so none of it is believed: it only says what to ask the scheme about.

use serde::Deserialize;
use serde_json::Value;

use super::number::from_txid;

/// A call may send 16 requests; three go to tokens at worst.
const NAMED_MAX: usize = 12;

#[derive(Deserialize)]
struct CallbackMessage {
    #[serde(default)]
    pix: Vec<PixNamed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PixNamed {
    #[serde(default)]
    end_to_end_id: String,
    #[serde(default)]
    txid: String,
    /// A list; the document's own example has one return without a list around it.
    #[serde(default)]
    devolucoes: Value,
}

/// What to ask about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    Payment { number: String },
    Refund { end_to_end_id: String, refund_number: String },
}

/// What of ours a callback names, each once, in its order, payments before their refunds; and how much was left out because one
/// call cannot ask about it all. Core asks about those at its own pace.
///
/// # Errors
/// What cannot be read.
pub fn named(body: &[u8]) -> Result<(Vec<Named>, usize), String> {
    // A bank that tries the address out may send nothing at all.
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok((Vec::new(), 0));
    }
    let callback: CallbackMessage = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut all: Vec<Named> = Vec::new();
    for pix in callback.pix {
        let returns = match &pix.devolucoes {
            Value::Array(returns) => returns.as_slice(),
            single => std::slice::from_ref(single),
        };
        let payment = from_txid(&pix.txid).map(|number| Named::Payment { number });
        let refunds = returns.iter().filter_map(|given| from_txid(given.get("id")?.as_str()?));
        let refunds =
            refunds.map(|refund_number| Named::Refund { end_to_end_id: pix.end_to_end_id.clone(), refund_number });
        for named in payment.into_iter().chain(refunds) {
            if !all.contains(&named) {
                all.push(named);
            }
        }
    }
    let left_out = all.len().saturating_sub(NAMED_MAX);
    all.truncate(NAMED_MAX);
    Ok((all, left_out))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::charge::tests::{E2E, NUMBER, REFUND};

    #[test]
    fn callbacks() {
        let payment = Named::Payment { number: NUMBER.to_owned() };
        let refund = Named::Refund { end_to_end_id: E2E.to_owned(), refund_number: REFUND.to_owned() };
        let pix = |txid: &str, returns: &str| {
            format!(r#"{{"endToEndId":"{E2E}","txid":"{txid}","valor":"1.00","devolucoes":{returns}}}"#)
        };
        let ours = "payXaaaaaaaaaaaaaaaaaaaaaaaaaa";
        let returned = r#"{"id":"rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa","status":"DEVOLVIDO"}"#;
        for (items, expected) in [
            (pix(ours, "[]"), vec![payment.clone()]),
            (pix(ours, "null"), vec![payment.clone()]),
            (pix(ours, &format!("[{returned}]")), vec![payment.clone(), refund.clone()]),
            (pix(ours, returned), vec![payment.clone(), refund.clone()]),
            (format!("{},{}", pix(ours, "[]"), pix(ours, "[]")), vec![payment]),
            (pix("c3e0e7a4e7f1469a9f782d3d4999343c", r#"[{"id":"123ABC"},{}]"#), vec![]),
            (String::new(), vec![]),
        ] {
            assert_eq!(named(format!(r#"{{"pix":[{items}]}}"#).as_bytes()), Ok((expected, 0)), "{items}");
        }
        assert_eq!(named(b" \n"), Ok((Vec::new(), 0)));
        assert_eq!(named(br#"{"evento":"teste"}"#), Ok((Vec::new(), 0)));
        assert!(named(b"<xml/>").is_err());
        assert!(named(br#"{"pix":{}}"#).is_err());
    }

    #[test]
    fn more_than_one_call_can_ask_about_is_left_to_core() {
        let items: Vec<String> = (10..30).map(|n| format!(r#"{{"txid":"payX{n}aaaaaaaaaaaaaaaaaaaaaaaa"}}"#)).collect();
        let (all, left_out) = named(format!(r#"{{"pix":[{}]}}"#, items.join(",")).as_bytes()).expect("named");
        assert_eq!((all.len(), left_out), (12, 8));
    }
}
