//! Takes the gateway's answers apart.
//!
//! `{"alipay_trade_pay_response":{…},"sign":"…"}`: the signature is over the value of the first member, byte for byte as it came,
//! so that it is cut out of the text and not written anew. An answer without a signature is nobody's word.

use saoma_channel_sdk::{Error, misconfigured, no_answer, not_sent};
use serde::{Deserialize, de::IgnoredAny};

/// An answer whose signature is yet to be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed<'a> {
    /// What the signature is over.
    pub text: &'a str,
    /// Base64, empty if there is none.
    pub signature: &'a str,
}

/// What a verified answer says; each method fills in its own part.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub code: String,
    pub msg: String,
    pub sub_code: String,
    pub sub_msg: String,
    pub out_trade_no: Option<String>,
    pub trade_no: String,
    pub trade_status: String,
    pub total_amount: Option<String>,
    pub gmt_payment: Option<String>,
    pub send_pay_date: Option<String>,
    pub buyer_logon_id: String,
    pub qr_code: String,
    pub action: String,
    pub retry_flag: String,
    pub ext_infos: String,
    pub out_request_no: Option<String>,
    pub refund_status: String,
    pub refund_amount: Option<String>,
    pub bill_download_url: String,
    /// Who a visitor is, of which an application is told one.
    pub user_id: String,
    pub open_id: String,
}

/// What came of a call, by its `code` ("公共错误码").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// 10000.
    Done,
    /// 10003: the customer has to confirm.
    Underway,
    /// 40004: the business's own no, by its `sub_code`.
    Refused(&'a str),
}

/// The part of an answer that counts, with its signature.
///
/// # Errors
/// `no-answer` for whatever is not the gateway's answer to this method.
pub fn open<'a>(status: u16, body: &'a [u8], method: &str) -> Result<Sealed<'a>, Error> {
    if status != 200 {
        return Err(no_answer(format!("status {status} instead of the gateway's answer")));
    }
    let text = std::str::from_utf8(body).map_err(|_| no_answer("the answer is not UTF-8"))?;
    let members = members(text).ok_or_else(|| no_answer("the answer is not the gateway's JSON"))?;
    let of = |name: &str| members.iter().find(|(given, _)| given == name).map(|(_, value)| *value);
    let node = format!("{}_response", method.replace('.', "_"));
    let text = of(&node).or_else(|| of("error_response"));
    let text = text.ok_or_else(|| no_answer(format!("the answer has no {node}")))?;
    // Base64 needs no escapes, so that what stands between the quotation marks is the signature.
    let signature = of("sign").unwrap_or_default().trim_matches('"');
    Ok(Sealed { text, signature })
}

/// # Errors
/// `no-answer` if it cannot be read.
pub fn read(verified: &str) -> Result<Answer, Error> {
    serde_json::from_str(verified).map_err(|error| no_answer(format!("the answer cannot be read: {error}")))
}

impl Answer {
    /// # Errors
    /// `misconfigured` for what a person must mend (keys, app id, permissions), `not-sent` for a request that the gateway did not
    /// hand on, `no-answer` for what leaves it open or is not documented.
    pub fn outcome(&self) -> Result<Outcome<'_>, Error> {
        match (self.code.as_str(), self.sub_code.as_str()) {
            ("10000", _) => Ok(Outcome::Done),
            ("10003", _) => Ok(Outcome::Underway),
            ("40004", _) => Ok(Outcome::Refused(&self.sub_code)),
            ("20001" | "40003" | "40006", _)
            | (
                "40001" | "40002",
                "isv.invalid-app-id"
                | "isv.invalid-signature"
                | "isv.missing-signature"
                | "isv.invalid-signature-type"
                | "isv.missing-signature-key"
                | "isv.invalid-cert-sn"
                | "isv.missing-app-cert-sn",
            ) => Err(misconfigured(self.words())),
            ("40001" | "40002" | "40005", _) => Err(not_sent(self.words())),
            _ => Err(no_answer(self.words())),
        }
    }

    /// The same of a question about what was sent before: that it was refused says nothing of that.
    ///
    /// # Errors
    /// `no-answer` for all that [`Answer::outcome`] refuses.
    pub fn outcome_of_question(&self) -> Result<Outcome<'_>, Error> {
        self.outcome().map_err(|error| match error {
            Error::Misconfigured(why) | Error::NotSent(why) => no_answer(why),
            other => other,
        })
    }

    /// Alipay's own code and words, for the log.
    #[must_use]
    pub fn words(&self) -> String {
        match self.sub_code.as_str() {
            "" => format!("{}: {}", self.code, self.msg),
            // Its words repeat the whole request, with the customer's code in it.
            code @ "isv.invalid-signature" => format!("{code}: the request's signature does not fit the key at Alipay"),
            code => format!("{code}: {}", self.sub_msg),
        }
    }
}

/// The members of a JSON object, each value as it stands in the text. `None` if it is none, or more stands behind it.
fn members(text: &str) -> Option<Vec<(String, &str)>> {
    let mut members = Vec::new();
    let mut rest = text.trim_start().strip_prefix('{')?.trim_start();
    while !rest.starts_with('}') {
        let (name, behind) = value::<String>(rest)?;
        let begin = behind.trim_start().strip_prefix(':')?.trim_start();
        let (_, behind) = value::<IgnoredAny>(begin)?;
        members.push((name, &begin[..begin.len() - behind.len()]));
        rest = behind.trim_start();
        match rest.strip_prefix(',') {
            Some(next) => rest = next.trim_start(),
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
    rest[1..].trim().is_empty().then_some(members)
}

/// The value that a text begins with, and what stands behind it.
fn value<'a, T: Deserialize<'a>>(text: &'a str) -> Option<(T, &'a str)> {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<T>();
    let value = values.next()?.ok()?;
    Some((value, &text[values.byte_offset()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signed_part_is_cut_out_as_it_came() {
        let method = "alipay.trade.query";
        for (body, text, signature) in [
            (r#"{"alipay_trade_query_response":{"code":"10000"},"sign":"ab="}"#, r#"{"code":"10000"}"#, "ab="),
            // Order, spaces and escapes are part of what was signed, and a member of that name further in is not the signature.
            (
                r#" { "sign" : "x" , "alipay_trade_query_response" : {"b":"\/ \" }","a":{"sign":"y"}} } "#,
                r#"{"b":"\/ \" }","a":{"sign":"y"}}"#,
                "x",
            ),
            (r#"{"error_response":{"code":"20000"}}"#, r#"{"code":"20000"}"#, ""),
            (r#"{"alipay_cert_sn":"1","n":-1.5e3,"alipay_trade_query_response":{},"sign":"z"}"#, "{}", "z"),
            (r#"{"alipay_trade_query_response":"c2VhbGVk","sign":"z"}"#, "\"c2VhbGVk\"", "z"),
        ] {
            assert_eq!(open(200, body.as_bytes(), method), Ok(Sealed { text, signature }), "{body}");
        }
        for (status, body) in [
            (200, &b""[..]),
            (200, b"<html>"),
            (200, b"{}"),
            (200, b"[]"),
            (200, br#"{"alipay_trade_query_response":{"code":"10000"},"sign":"ab""#),
            (200, br#"{"alipay_trade_query_response":{"code":"10000"} "sign":"ab"}"#),
            (200, br#"{"alipay_trade_query_response":{"code":"10000"},"sign":"ab"}{}"#),
            (200, br#"{"alipay_trade_pay_response":{"code":"10000"},"sign":"ab"}"#),
            (200, b"{\"alipay_trade_query_response\":{\"code\":\"\xff\"},\"sign\":\"ab\"}"),
            (502, br#"{"alipay_trade_query_response":{"code":"10000"},"sign":"ab"}"#),
        ] {
            let refused = open(status, body, method);
            assert!(matches!(refused, Err(Error::NoAnswer(_))), "{} {refused:?}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn codes() {
        let told = |code: &str, sub_code: &str| {
            let answer = Answer { code: code.to_owned(), sub_code: sub_code.to_owned(), ..Answer::default() };
            match answer.outcome() {
                Ok(outcome) => format!("{outcome:?}"),
                Err(Error::NoAnswer(_)) => "no-answer".to_owned(),
                Err(Error::NotSent(_)) => "not-sent".to_owned(),
                Err(Error::Misconfigured(_)) => "misconfigured".to_owned(),
                Err(Error::Unsupported) => "unsupported".to_owned(),
            }
        };
        for (code, sub_code, outcome) in [
            ("10000", "", "Done"),
            ("10003", "", "Underway"),
            ("40004", "ACQ.X", r#"Refused("ACQ.X")"#),
            ("20000", "isp.unknow-error", "no-answer"),
            ("20000", "aop.unknow-error", "no-answer"),
            ("20001", "aop.invalid-auth-token", "misconfigured"),
            ("40001", "isv.missing-method", "not-sent"),
            ("40002", "isv.invalid-signature", "misconfigured"),
            ("40002", "isv.invalid-timestamp", "not-sent"),
            ("40005", "isv.app-call-limited", "not-sent"),
            ("40006", "isv.insufficient-isv-permissions", "misconfigured"),
            ("10001", "", "no-answer"),
            ("", "", "no-answer"),
        ] {
            assert_eq!(told(code, sub_code), outcome, "{code} {sub_code}");
        }
        assert!(read("\"c2VhbGVk\"").is_err() && read(r#"{"code":10000}"#).is_err());
        let leaky = read(r#"{"code":"40002","sub_code":"isv.invalid-signature","sub_msg":"auth_code 28123"}"#).unwrap();
        assert!(!leaky.words().contains("28123"));
    }
}
