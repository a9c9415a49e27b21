//! How the scheme says no: `application/problem+json` (RFC 7807), its kind being the end of `type`.

use saoma_channel_sdk::{Error, no_answer};
use serde::Deserialize;

/// What `type` begins with (OpenAPI 2.9.0, "Tratamento de erros").
const TYPES: &str = "https://pix.bcb.gov.br/api/v2/error/";

#[derive(Deserialize)]
struct ProblemMessage {
    r#type: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    violacoes: Vec<Violation>,
}

#[derive(Deserialize)]
struct Violation {
    #[serde(default)]
    razao: String,
    #[serde(default)]
    propriedade: String,
}

/// A refusal in the scheme's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// `CobNaoEncontrado` and so on.
    pub kind: String,
    /// All that was said of it, for the operator.
    pub words: String,
    /// Whether a violation is about an amount.
    pub is_about_amount: bool,
}

/// What an answer that is no success says.
///
/// # Errors
/// `no-answer` for what is none of the scheme's problems, as a gateway's page: nothing is known then.
pub fn problem(status: u16, body: &[u8]) -> Result<Problem, Error> {
    let unreadable = || no_answer(format!("status {status} with a body that is none of the scheme's problems"));
    let message: ProblemMessage = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let kind = message.r#type.strip_prefix(TYPES).ok_or_else(unreadable)?;
    let reasons =
        message.violacoes.iter().map(|violation| format!("; {} ({})", violation.razao, violation.propriedade));
    Ok(Problem {
        kind: kind.to_owned(),
        words: format!("{status} {kind}: {} {}{}", message.title, message.detail, reasons.collect::<String>()),
        is_about_amount: message.violacoes.iter().any(|violation| violation.propriedade.ends_with("valor")),
    })
}

/// Whether the scheme says by this status that it did not do what was asked: it may still have done it for an earlier request of
/// the same number, so ask before you believe it.
#[must_use]
pub fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems() {
        let body = br#"{"type":"https://pix.bcb.gov.br/api/v2/error/PixDevolucaoInvalida","title":"No.","status":400,
            "detail":"Why.","violacoes":[{"razao":"Too much","propriedade":"devolucao.valor"}]}"#;
        let problem = problem(400, body).expect("a problem");
        assert_eq!(problem.kind, "PixDevolucaoInvalida");
        assert_eq!(problem.words, "400 PixDevolucaoInvalida: No. Why.; Too much (devolucao.valor)");
        assert!(problem.is_about_amount);
    }

    #[test]
    fn what_is_no_problem_of_the_scheme_says_nothing() {
        for body in
            ["", "<html>", "{}", r#"{"type":"about:blank"}"#, r#"{"type":"https://example.com/CobNaoEncontrado"}"#]
        {
            assert!(matches!(problem(404, body.as_bytes()), Err(Error::NoAnswer(_))), "{body}");
        }
    }
}
