//! Access tokens: client credentials (RFC 6749, section 4.4), with scopes and an end.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{CLIENT_ID, CLIENT_SECRET};

pub const LIFE_SECONDS: i64 = 300;
/// What a client may ask for here.
const SCOPES: &[&str] = &["cob.write", "cob.read", "pix.write", "pix.read", "webhook.write", "webhook.read"];

/// Those that were given out.
#[derive(Default)]
pub struct Tokens(HashMap<String, Token>);

struct Token {
    scopes: Vec<String>,
    ends_ms: i64,
}

/// Why a request with such an authorization is not looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// 401: none, or one that was never given out or has ended.
    Unknown,
    /// 403: it lacks the scope.
    Scope,
}

impl Tokens {
    /// The scopes of the token that is given out, as text.
    ///
    /// # Errors
    /// Status and error code of RFC 6749, section 5.2.
    pub fn give(
        &mut self,
        authorization: Option<&str>,
        form: &str,
        text: &str,
        now_ms: i64,
    ) -> Result<String, (u16, &'static str)> {
        let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
        if authorization != Some(expected.as_str()) {
            return Err((401, "invalid_client"));
        }
        let fields: Vec<(&str, String)> = form
            .split('&')
            .filter_map(|field| field.split_once('='))
            .map(|(name, value)| (name, value.replace('+', " ").replace("%20", " ")))
            .collect();
        let get = |name: &str| fields.iter().find(|(given, _)| *given == name).map(|(_, value)| value.as_str());
        match get("grant_type") {
            None => return Err((400, "invalid_request")),
            Some("client_credentials") => {}
            Some(_) => return Err((400, "unsupported_grant_type")),
        }
        let scopes: Vec<String> = get("scope")
            .map_or_else(|| SCOPES.join(" "), str::to_owned)
            .split_whitespace()
            .map(str::to_owned)
            .collect();
        if scopes.iter().any(|scope| !SCOPES.contains(&scope.as_str())) {
            return Err((400, "invalid_scope"));
        }
        let told = scopes.join(" ");
        self.0.retain(|_, token| now_ms < token.ends_ms);
        self.0.insert(text.to_owned(), Token { scopes, ends_ms: now_ms + LIFE_SECONDS * 1_000 });
        Ok(told)
    }

    /// # Errors
    /// See [`Refused`].
    pub fn check(&self, authorization: Option<&str>, scope: &str, now_ms: i64) -> Result<(), Refused> {
        let token = authorization.and_then(|given| given.strip_prefix("Bearer ")).and_then(|text| self.0.get(text));
        match token.filter(|token| now_ms < token.ends_ms) {
            None => Err(Refused::Unknown),
            Some(token) if token.scopes.iter().any(|given| given == scope) => Ok(()),
            Some(_) => Err(Refused::Scope),
        }
    }
}
