//! Refusals (`application/problem+json`, RFC 7807) of the kinds that the API names.

use serde_json::{Value, json};

/// A refusal: status, kind, and which field is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    pub kind: &'static str,
    pub violation: Option<(&'static str, String)>,
}

impl Problem {
    #[must_use]
    pub const fn new(status: u16, kind: &'static str) -> Self {
        Self { status, kind, violation: None }
    }

    /// `kind` with status 400, and which field is wrong.
    pub fn of(kind: &'static str, field: &'static str, reason: impl Into<String>) -> Self {
        Self { status: 400, kind, violation: Some((field, reason.into())) }
    }

    #[must_use]
    pub fn body(&self) -> Value {
        let violations = self.violation.iter().map(|(field, reason)| json!({ "razao": reason, "propriedade": field }));
        json!({
            "type": format!("https://pix.bcb.gov.br/api/v2/error/{}", self.kind),
            "title": self.kind,
            "status": self.status,
            "detail": "Recusado.",
            "violacoes": violations.collect::<Vec<_>>(),
        })
    }
}
