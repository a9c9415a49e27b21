//! Requests.

use saoma_channel_sdk::{Error, Money, MoneyText, Order, RefundOrder, decimal, misconfigured, not_sent, to_hex};
use serde::{Deserialize, Serialize};

use super::{moment::rfc3339, number::to_txid};

/// The account's settings (`settings.schema.json`).
#[derive(Clone, Debug, Deserialize)]
pub struct Settings {
    pub base_url: String,
    pub token_url: String,
    pub client_id: String,
    pub pix_key: String,
    pub merchant_city: String,
    #[serde(default)]
    pub private_authority: bool,
}

/// One call of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub method: &'static str,
    /// Behind the base URL, with its query.
    pub path: String,
    /// JSON; empty for `GET`.
    pub body: String,
}

impl Call {
    const fn get(path: String) -> Self {
        Self { method: "GET", path, body: String::new() }
    }

    fn with(method: &'static str, path: String, body: &impl Serialize) -> Self {
        // These bodies are plain records of texts and numbers: writing them cannot fail.
        Self { method, path, body: serde_json::to_string(body).unwrap_or_default() }
    }
}

/// The longest life of a charge that an `int32` of seconds holds.
const EXPIRY_SECONDS_MAX: i64 = i32::MAX as i64;
/// `solicitacaoPagador` and `descricao`, in characters.
const TEXT_LEN_MAX: usize = 140;
/// Rows of a page of the bill: at some 2 KiB each they stay far below the 8 MiB that may be answered.
const PAGE_ROWS: u32 = 500;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewCharge<'a> {
    calendario: Calendar,
    valor: Value,
    chave: &'a str,
    #[serde(skip_serializing_if = "String::is_empty")]
    solicitacao_pagador: String,
}

#[derive(Serialize)]
struct Calendar {
    expiracao: i64,
}

#[derive(Serialize)]
struct Value {
    original: String,
}

#[derive(Serialize)]
struct Removal {
    status: &'static str,
}

#[derive(Serialize)]
struct NewRefund {
    valor: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    descricao: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Webhook<'a> {
    webhook_url: &'a str,
}

/// The settings, once what their schema cannot say has been checked.
///
/// # Errors
/// `misconfigured`, naming the field and what to do.
pub fn valid_settings(settings: Settings) -> Result<Settings, Error> {
    if settings.client_id.contains(':') {
        return Err(misconfigured("client_id must have no colon: it is the user name of a Basic authentication"));
    }
    if !is_pix_key(&settings.pix_key) {
        return Err(misconfigured(
            "pix_key must be a CPF (11 digits), a CNPJ (14 digits or capital letters), a phone (+55 and 10 or 11 digits), an \
             e-mail address, or a random key (36 characters with hyphens)",
        ));
    }
    if !settings.merchant_city.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Err(misconfigured("merchant_city must be written without accents, for example SAO PAULO"));
    }
    Ok(settings)
}

/// The forms of a key in DICT (BR Code manual, "Formatação das chaves"); CNPJ with letters since OpenAPI 2.9.0.
fn is_pix_key(key: &str) -> bool {
    let all = |text: &str, is: fn(u8) -> bool| text.bytes().all(is);
    let is_digit = |byte: u8| byte.is_ascii_digit();
    match key.len() {
        11 if all(key, is_digit) => true,
        14 if all(key, |byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()) => true,
        36 if key.split('-').map(str::len).eq([8, 4, 4, 4, 12]) => {
            all(key, |byte| byte == b'-' || byte.is_ascii_hexdigit())
        }
        _ => match key.strip_prefix("+55") {
            Some(digits) => (10..=11).contains(&digits.len()) && all(digits, is_digit),
            None => key.split_once('@').is_some_and(|(name, host)| {
                !name.is_empty() && host.contains('.') && all(key, |byte| byte.is_ascii_graphic())
            }),
        },
    }
}

/// `PUT /cob/{txid}`: the charge lives until the order expires, and is at no time payable later.
///
/// # Errors
/// `not-sent` if it has expired, or its amount cannot be written.
pub fn create(order: &Order, settings: &Settings, now_ms: i64) -> Result<Call, Error> {
    let expiracao = order.expires_at.saturating_sub(now_ms) / 1_000;
    if expiracao < 1 {
        return Err(not_sent("the order has expired"));
    }
    let body = NewCharge {
        calendario: Calendar { expiracao: expiracao.min(EXPIRY_SECONDS_MAX) },
        valor: Value { original: reais(&order.amount)? },
        chave: &settings.pix_key,
        solicitacao_pagador: cut(&order.subject),
    };
    Ok(Call::with("PUT", charge_path(&order.number)?, &body))
}

/// `GET /cob/{txid}`.
///
/// # Errors
/// `not-sent` for what is no number of ours.
pub fn query(number: &str) -> Result<Call, Error> {
    charge_path(number).map(Call::get)
}

/// `PATCH /cob/{txid}`: nobody can pay it any more.
///
/// # Errors
/// As [`query`].
pub fn remove(number: &str) -> Result<Call, Error> {
    Ok(Call::with("PATCH", charge_path(number)?, &Removal { status: "REMOVIDA_PELO_USUARIO_RECEBEDOR" }))
}

/// `PUT /pix/{e2eid}/devolucao/{id}`.
///
/// # Errors
/// `not-sent` if the amount, the number or the end-to-end id cannot be written.
pub fn refund(refund: &RefundOrder, end_to_end_id: &str) -> Result<Call, Error> {
    let body = NewRefund { valor: reais(&refund.amount)?, descricao: cut(&refund.reason) };
    Ok(Call::with("PUT", refund_path(end_to_end_id, &refund.refund_number)?, &body))
}

/// `GET /pix/{e2eid}/devolucao/{id}`.
///
/// # Errors
/// As [`refund`].
pub fn query_refund(refund_number: &str, end_to_end_id: &str) -> Result<Call, Error> {
    refund_path(end_to_end_id, refund_number).map(Call::get)
}

/// `GET /pix`: a page of what was received from one moment to the next; `with_returns` leaves out what was not given back.
#[must_use]
pub fn bill_page(from_ms: i64, to_ms: i64, with_returns: bool, page: u32) -> Call {
    let only = if with_returns { "&devolucaoPresente=true" } else { "" };
    Call::get(format!(
        "/pix?inicio={}&fim={}{only}&paginacao.paginaAtual={page}&paginacao.itensPorPagina={PAGE_ROWS}",
        rfc3339(from_ms),
        rfc3339(to_ms)
    ))
}

/// What shows that account and permissions work: what was received within the last minute.
#[must_use]
pub fn list_now(now_ms: i64) -> Call {
    bill_page(now_ms - 60_000, now_ms, false, 0)
}

/// `PUT /webhook/{chave}`.
#[must_use]
pub fn register_webhook(settings: &Settings, notify_url: &str) -> Call {
    let path = format!("/webhook/{}", escaped(&settings.pix_key));
    Call::with("PUT", path, &Webhook { webhook_url: notify_url })
}

fn charge_path(number: &str) -> Result<String, Error> {
    Ok(format!("/cob/{}", to_txid(number)?))
}

fn refund_path(end_to_end_id: &str, refund_number: &str) -> Result<String, Error> {
    if end_to_end_id.len() != 32 || !end_to_end_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(not_sent(format!("{end_to_end_id:?} is no end-to-end id")));
    }
    Ok(format!("/pix/{end_to_end_id}/devolucao/{}", to_txid(refund_number)?))
}

fn reais(amount: &Money) -> Result<String, Error> {
    if amount.currency != "BRL" {
        return Err(not_sent(format!("Pix moves BRL, not {}", amount.currency)));
    }
    decimal(amount).map_err(|MoneyText(why)| not_sent(why))
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT_LEN_MAX).collect()
}

/// Percent-encoding of all but RFC 3986's unreserved characters.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => {
                escaped.push('%');
                escaped.push_str(&to_hex(&[byte]).to_ascii_uppercase());
            }
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;
    use crate::messages::charge::tests::{E2E, NUMBER, REFUND, order, settings};

    fn shown(call: &Call) -> String {
        format!("{} {}\n{}", call.method, call.path, call.body)
    }

    fn refund_order() -> RefundOrder {
        RefundOrder {
            number: NUMBER.to_owned(),
            reference: E2E.to_owned(),
            refund_number: REFUND.to_owned(),
            amount: Money { minor: 5, currency: "BRL".to_owned() },
            total: order().amount,
            reason: "frio".to_owned(),
            created_at: 0,
        }
    }

    #[test]
    fn requests() {
        let now = 1_700_000_000_400;
        assert_snapshot!(shown(&create(&order(), &settings(), now).expect("a call")), @r#"
        PUT /cob/payXaaaaaaaaaaaaaaaaaaaaaaaaaa
        {"calendario":{"expiracao":119},"valor":{"original":"12.50"},"chave":"7d9f0335-8dcc-4054-9bf9-0dbd61d36906","solicitacaoPagador":"Café \"grande\""}
        "#);
        assert_snapshot!(shown(&query(NUMBER).expect("a call")), @"GET /cob/payXaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_snapshot!(shown(&remove(NUMBER).expect("a call")), @r#"
        PATCH /cob/payXaaaaaaaaaaaaaaaaaaaaaaaaaa
        {"status":"REMOVIDA_PELO_USUARIO_RECEBEDOR"}
        "#);
        assert_snapshot!(shown(&refund(&refund_order(), E2E).expect("a call")), @r#"
        PUT /pix/E12345678202009091221kkkkkkkkkkk/devolucao/rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa
        {"valor":"0.05","descricao":"frio"}
        "#);
        assert_snapshot!(shown(&query_refund(REFUND, E2E).expect("a call")), @"GET /pix/E12345678202009091221kkkkkkkkkkk/devolucao/rfdXaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_snapshot!(shown(&bill_page(0, 1, true, 2)), @"GET /pix?inicio=1970-01-01T00:00:00.000Z&fim=1970-01-01T00:00:00.001Z&devolucaoPresente=true&paginacao.paginaAtual=2&paginacao.itensPorPagina=500");
        let by_mail = Settings { pix_key: "loja+1@example.com".to_owned(), ..settings() };
        assert_snapshot!(shown(&register_webhook(&by_mail, "https://x.example/n")), @r#"
        PUT /webhook/loja%2B1%40example.com
        {"webhookUrl":"https://x.example/n"}
        "#);
    }

    #[test]
    fn what_cannot_be_said_is_not_sent() {
        let late = create(&order(), &settings(), order().expires_at - 999);
        assert!(matches!(late, Err(Error::NotSent(_))), "{late:?}");
        let yuan = Order { amount: Money { minor: 1, currency: "CNY".to_owned() }, ..order() };
        assert!(matches!(create(&yuan, &settings(), 0), Err(Error::NotSent(_))));
        for id in ["", "../../cob/x", "E1234567820200909122/kkkkkkkkkkkk"] {
            assert!(matches!(refund(&refund_order(), id), Err(Error::NotSent(_))), "{id}");
        }
        assert!(matches!(query("pay_short"), Err(Error::NotSent(_))));
    }

    #[test]
    fn settings_that_the_schema_cannot_judge_are_named() {
        let with_key = |key: &str| valid_settings(Settings { pix_key: key.to_owned(), ..settings() });
        for key in [
            "12345678909",
            "12345678000195",
            "12ABC678000195",
            "+5561912345678",
            "+556112345678",
            "a@b.com",
            &settings().pix_key,
        ] {
            assert!(with_key(key).is_ok(), "{key}");
        }
        for key in [
            "1234567890",
            "123456789o9",
            "+5512",
            "+15551234567890",
            "@b.com",
            "a@b",
            "7d9f0335-8dcc-4054-9bf90dbd61d36906-",
        ] {
            assert!(matches!(with_key(key), Err(Error::Misconfigured(why)) if why.contains("pix_key")), "{key}");
        }
        let city = valid_settings(Settings { merchant_city: "São Paulo".to_owned(), ..settings() });
        assert!(matches!(city, Err(Error::Misconfigured(why)) if why.contains("merchant_city")));
        let client = valid_settings(Settings { client_id: "a:b".to_owned(), ..settings() });
        assert!(matches!(client, Err(Error::Misconfigured(why)) if why.contains("client_id")));
    }
}
