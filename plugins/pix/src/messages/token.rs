//! Access tokens (OAuth 2.0 client credentials, RFC 6749, section 4.4), kept until shortly before they end.

use saoma_channel_sdk::{Error, misconfigured, no_answer};
use serde::{Deserialize, Serialize};

use super::build::Settings;

/// What this channel asks permission for (OpenAPI 2.9.0, `securitySchemes`).
const SCOPE: &str = "cob.write cob.read pix.write pix.read webhook.write";
/// A token is not used in its last seconds: it must outlive the call, and two clocks may differ.
const MARGIN_MS: i64 = 30_000;

#[derive(Deserialize)]
struct TokenMessage {
    access_token: String,
    token_type: String,
    /// Seconds. Not required by RFC 6749; a token without it is used once.
    #[serde(default)]
    expires_in: i64,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// A token, as it is kept for the next call.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    pub text: String,
    /// Milliseconds since 1970.
    until: i64,
    /// Who it was given to, and where: after a change of settings it is none.
    of: String,
}

/// The form that asks for a token; the client's secret is the password of its Basic authentication.
#[must_use]
pub fn form() -> String {
    format!("grant_type=client_credentials&scope={}", SCOPE.replace(' ', "+"))
}

/// # Errors
/// `misconfigured` if the client is refused; `no-answer` for what cannot be read.
pub fn read(status: u16, body: &[u8], settings: &Settings, now_ms: i64) -> Result<Token, Error> {
    if status != 200 {
        return Err(match serde_json::from_slice::<TokenRefusal>(body) {
            Ok(refusal) if matches!(status, 400 | 401 | 403) => misconfigured(format!(
                "the bank gives no access token: {} {}; check client_id, client-secret and client-certificate",
                refusal.error, refusal.error_description
            )),
            _ => no_answer(format!("the bank gives no access token: status {status}")),
        });
    }
    let message: TokenMessage =
        serde_json::from_slice(body).map_err(|error| no_answer(format!("the access token cannot be read: {error}")))?;
    // RFC 6750, section 2.1: anything else could end the header and begin another.
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if message.access_token.is_empty() || !message.access_token.bytes().all(is_token) {
        return Err(no_answer("the access token has characters that none has"));
    }
    if !message.token_type.eq_ignore_ascii_case("bearer") {
        return Err(no_answer(format!("the access token is of the type {:?}", message.token_type)));
    }
    let until = now_ms.saturating_add(message.expires_in.saturating_mul(1_000)).saturating_sub(MARGIN_MS);
    Ok(Token { text: message.access_token, until, of: owner(settings) })
}

/// A token that was kept, if it is still good.
#[must_use]
pub fn kept(bytes: &[u8], settings: &Settings, now_ms: i64) -> Option<Token> {
    serde_json::from_slice::<Token>(bytes).ok().filter(|token| token.of == owner(settings) && now_ms < token.until)
}

/// The bytes to keep; `None` if it is of no use to the next call.
#[must_use]
pub fn to_keep(token: &Token, now_ms: i64) -> Option<Vec<u8>> {
    serde_json::to_vec(token).ok().filter(|_| now_ms < token.until)
}

fn owner(settings: &Settings) -> String {
    format!("{} {}", settings.client_id, settings.token_url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::charge::tests::{kind, settings};

    const NOW: i64 = 1_700_000_000_000;

    fn given(expires_in: &str) -> Token {
        let body =
            format!(r#"{{"access_token":"eyJ.a-b_c~+/=","token_type":"bearer"{expires_in},"scope":"cob.read"}}"#);
        read(200, body.as_bytes(), &settings(), NOW).unwrap_or_else(|error| panic!("{error:?}"))
    }

    #[test]
    fn a_token_is_kept_until_shortly_before_its_end() {
        let token = given(r#","expires_in":300"#);
        let bytes = to_keep(&token, NOW).expect("bytes");
        assert!(kept(&bytes, &settings(), NOW + 269_999) == Some(token));
        assert!(kept(&bytes, &settings(), NOW + 270_000).is_none());
        let other = Settings { client_id: "other".to_owned(), ..settings() };
        assert!(kept(&bytes, &other, NOW).is_none());
        assert!(kept(b"{", &settings(), NOW).is_none());
        assert!(to_keep(&given(""), NOW).is_none() && to_keep(&given(r#","expires_in":30"#), NOW).is_none());
    }

    #[test]
    fn what_is_no_token() {
        for (status, body, outcome) in [
            (401, r#"{"error":"invalid_client"}"#, "misconfigured"),
            (400, r#"{"error":"invalid_scope","error_description":"x"}"#, "misconfigured"),
            (401, "<html>", "no-answer"),
            (503, r#"{"error":"temporarily_unavailable"}"#, "no-answer"),
            (200, "<html>", "no-answer"),
            (200, r#"{"access_token":"","token_type":"Bearer"}"#, "no-answer"),
            (200, r#"{"access_token":"a\r\nx: y","token_type":"Bearer"}"#, "no-answer"),
            (200, r#"{"access_token":"a","token_type":"mac"}"#, "no-answer"),
        ] {
            let told = read(status, body.as_bytes(), &settings(), NOW).map(|_| ()).map_err(|error| kind(&error));
            assert_eq!(told, Err(outcome), "{status} {body}");
        }
    }
}
