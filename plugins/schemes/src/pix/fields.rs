//! The forms and lengths that the API gives its fields.

use serde_json::Value;

use super::problem::Problem;

/// What a merchant asks of a new charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCharge {
    pub expires_seconds: i64,
    pub centavos: i64,
    pub key: String,
    pub request: Option<String>,
}

/// `[a-zA-Z0-9]{26,35}`.
#[must_use]
pub fn is_txid(text: &str) -> bool {
    (26..=35).contains(&text.len()) && is_alphanumeric(text)
}

/// `[a-zA-Z0-9]{1,35}`.
#[must_use]
pub fn is_return_id(text: &str) -> bool {
    (1..=35).contains(&text.len()) && is_alphanumeric(text)
}

fn is_alphanumeric(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `\d{1,10}\.\d{2}` as centavos.
#[must_use]
pub fn centavos(text: &str) -> Option<i64> {
    let (reais, centavos) = text.split_once('.')?;
    let is_amount = (1..=10).contains(&reais.len())
        && centavos.len() == 2
        && reais.bytes().chain(centavos.bytes()).all(|byte| byte.is_ascii_digit());
    is_amount.then(|| format!("{reais}{centavos}").parse().ok()).flatten()
}

/// The body of `PUT /cob/{txid}`.
///
/// # Errors
/// `CobOperacaoInvalida` with the first field that is wrong.
pub fn new_charge(body: &Value, own_key: &str) -> Result<NewCharge, Problem> {
    let wrong = |field, reason: &str| Problem::of("CobOperacaoInvalida", field, reason);
    let expires_seconds = match body.pointer("/calendario/expiracao") {
        None if body.get("calendario").is_some_and(Value::is_object) => 86_400,
        given => given
            .and_then(Value::as_i64)
            .filter(|seconds| (1..=i64::from(i32::MAX)).contains(seconds))
            .ok_or_else(|| wrong("cob.calendario.expiracao", "não é um int32 maior que zero"))?,
    };
    let amount = body.pointer("/valor/original").and_then(Value::as_str).and_then(centavos);
    let centavos = amount.ok_or_else(|| wrong("cob.valor.original", "não respeita o schema"))?;
    if centavos == 0 {
        return Err(wrong("cob.valor.original", "é zero"));
    }
    let key = body.get("chave").and_then(Value::as_str).filter(|key| key.len() <= 77);
    let key = key.ok_or_else(|| wrong("cob.chave", "não respeita o schema"))?;
    if key != own_key {
        return Err(wrong("cob.chave", "corresponde a uma conta que não pertence a este usuário recebedor"));
    }
    let request =
        text(body, "solicitacaoPagador").map_err(|()| wrong("cob.solicitacaoPagador", "não respeita o schema"))?;
    Ok(NewCharge { expires_seconds, centavos, key: key.to_owned(), request })
}

/// Amount and description of `PUT /pix/{e2eid}/devolucao/{id}`.
///
/// # Errors
/// `PixDevolucaoInvalida` with the first field that is wrong.
pub fn new_return(body: &Value) -> Result<(i64, Option<String>), Problem> {
    let wrong = |field| Problem::of("PixDevolucaoInvalida", field, "não respeita o schema");
    let amount = body.get("valor").and_then(Value::as_str).and_then(centavos).filter(|centavos| *centavos > 0);
    let amount = amount.ok_or_else(|| wrong("devolucao.valor"))?;
    // RETIRADA is of Pix Saque and Troco, which are not played.
    if !matches!(body.get("natureza").map(Value::as_str), None | Some(Some("ORIGINAL"))) {
        return Err(wrong("devolucao.natureza"));
    }
    Ok((amount, text(body, "descricao").map_err(|()| wrong("devolucao.descricao"))?))
}

/// An optional text of at most 140 characters.
fn text(body: &Value, name: &str) -> Result<Option<String>, ()> {
    match body.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.chars().count() <= 140 => Ok(Some(text.clone())),
        Some(_) => Err(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn amounts() {
        for (text, expected) in
            [("0.01", Some(1)), ("12.50", Some(1_250)), ("9999999999.99", Some(999_999_999_999)), ("00.00", Some(0))]
        {
            assert_eq!(centavos(text), expected, "{text}");
        }
        for text in ["", "1", "1.5", "1.505", ".50", "1,50", "-1.00", "12345678901.00", "1.0x"] {
            assert_eq!(centavos(text), None, "{text}");
        }
    }

    #[test]
    fn the_first_field_that_is_wrong_is_named() {
        let good = json!({ "calendario": { "expiracao": 60 }, "valor": { "original": "1.00" }, "chave": "k" });
        assert!(new_charge(&good, "k").is_ok());
        let with = |path: &str, value: Value| {
            let mut body = good.clone();
            if let Some(field) = body.pointer_mut(path) {
                *field = value;
            }
            new_charge(&body, "k").map_err(|problem| problem.violation.map_or("", |(field, _)| field))
        };
        assert_eq!(with("/calendario/expiracao", json!(0)), Err("cob.calendario.expiracao"));
        assert_eq!(with("/calendario/expiracao", json!("60")), Err("cob.calendario.expiracao"));
        assert_eq!(with("/calendario", json!(null)), Err("cob.calendario.expiracao"));
        assert_eq!(with("/valor/original", json!(1.0)), Err("cob.valor.original"));
        assert_eq!(with("/valor/original", json!("0.00")), Err("cob.valor.original"));
        assert_eq!(with("/chave", json!("other")), Err("cob.chave"));
        assert_eq!(new_charge(&json!({}), "k").map_err(|problem| problem.kind), Err("CobOperacaoInvalida"));
        assert!(new_return(&json!({ "valor": "1.00", "natureza": "RETIRADA" })).is_err());
        assert!(new_return(&json!({ "valor": "1.00", "descricao": "x".repeat(141) })).is_err());
        assert_eq!(new_return(&json!({ "valor": "1.00" })), Ok((100, None)));
    }
}
