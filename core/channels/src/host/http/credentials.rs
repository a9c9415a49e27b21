//! Secrets that go out with a request: put in here, on the host's side, and looked for in the answer, which must not carry them
//! into the plugin.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue};
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

use super::{
    BODY_BYTES_MAX, Checked, HEADER_BYTES_MAX, HEADERS_MAX, HEADERS_REFUSED, URL_BYTES_MAX, identity::Identity, invalid,
};
use crate::{
    bindings::{
        http::{Credential, CredentialPlace, Error, QuerySecret, Response},
        secrets,
    },
    host::Known,
    manifest::SecretKind,
    secret::key::Key,
};

/// Limit of the contract (`sdk/wit`, `http.request.credentials`, `http.send-with-query`): of each.
const CREDENTIALS_MAX: usize = 4;
const QUERY_NAME_LEN_MAX: usize = 64;

/// The secrets that a request names.
#[derive(Default)]
pub(super) struct Named {
    pub(super) credentials: Vec<Credential>,
    pub(super) query: Vec<QuerySecret>,
    pub(super) client_certificate: Option<String>,
    pub(super) server_certificates: Option<String>,
}

/// What went out, as it would stand in an answer that repeats it.
#[derive(Default)]
pub(super) struct Sent(Vec<Zeroizing<Vec<u8>>>);

impl Sent {
    /// The answer, unless it would tell the plugin a secret.
    pub(super) fn not_repeated_in(&self, response: Response) -> Result<Response, Error> {
        let holds = |text: &[u8], part: &[u8]| text.windows(part.len()).any(|window| window == part);
        let repeats = |part: &Zeroizing<Vec<u8>>| {
            holds(&response.body, part)
                || response.headers.iter().any(|(name, value)| {
                    holds(value.as_bytes(), part) || holds(name.as_bytes(), &part.to_ascii_lowercase())
                })
        };
        if self.0.iter().any(repeats) {
            return Err(Error::Broken("the answer repeats a secret of the request".to_owned()));
        }
        Ok(response)
    }
}

impl Named {
    /// Puts the secrets into the request.
    ///
    /// # Errors
    /// `Invalid`, `NoSecret`.
    pub(super) fn put_into(self, request: &mut Checked, known: &Known) -> Result<(), Error> {
        if self.credentials.len() > CREDENTIALS_MAX || self.query.len() > CREDENTIALS_MAX {
            return Err(invalid("more than 4 credentials"));
        }
        for QuerySecret { name, secret } in self.query {
            add_parameter(request, &name, &text_of(known, &secret)?)?;
        }
        for Credential { secret, place } in self.credentials {
            let text = &text_of(known, &secret)?;
            request.sent.0.push(Zeroizing::new(text.as_bytes().to_vec()));
            match place {
                CredentialPlace::Header(header) => {
                    let name = HeaderName::from_bytes(header.name.as_bytes())
                        .map_err(|_| invalid("a header's name is not valid"))?;
                    add_header(request, name, &Zeroizing::new(format!("{}{}", header.prefix, text.as_str())))?;
                }
                CredentialPlace::Basic(user) if user.contains(':') => {
                    return Err(invalid("a user of Basic authentication has no colon (RFC 7617, section 2)"));
                }
                CredentialPlace::Basic(user) => {
                    let pair = Zeroizing::new(format!("{user}:{}", text.as_str()));
                    let coded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
                    add_header(request, AUTHORIZATION, &Zeroizing::new(format!("Basic {}", coded.as_str())))?;
                    request.sent.0.push(Zeroizing::new(coded.as_bytes().to_vec()));
                }
                CredentialPlace::FormField(name) => add_field(request, &name, text)?,
            }
        }
        let identity = Identity::named(self.client_certificate, self.server_certificates, known)?;
        if identity.client.is_some() || identity.trusted.is_some() {
            if request.url.scheme() != "https" {
                return Err(invalid("certificates are shown and looked at over https alone"));
            }
            request.identity = Some(identity);
        }
        Ok(())
    }
}

fn text_of(known: &Known, secret: &str) -> Result<Zeroizing<String>, Error> {
    let key = known.secret(secret, SecretKind::Text).map_err(|error| no_secret(&error))?;
    match &*key {
        Key::Text(text) => Ok(Zeroizing::new(text.as_str().to_owned())),
        _ => Err(Error::NoSecret(secret.to_owned())),
    }
}

/// The last of the query. The URL is in no log line and no span: those have the host alone.
fn add_parameter(request: &mut Checked, name: &str, text: &str) -> Result<(), Error> {
    let is_name = (1..=QUERY_NAME_LEN_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if !is_name {
        return Err(invalid("a secret parameter's name has 1 to 64 letters, digits, `-` and `_`"));
    }
    request.url.query_pairs_mut().append_pair(name, text);
    if request.url.as_str().len() > URL_BYTES_MAX {
        return Err(invalid("the URL is longer than 4 KiB"));
    }
    let coded: String = byte_serialize(text.as_bytes()).collect();
    request.sent.0.push(Zeroizing::new(text.as_bytes().to_vec()));
    request.sent.0.push(Zeroizing::new(coded.into_bytes()));
    Ok(())
}

fn add_header(request: &mut Checked, name: HeaderName, value: &str) -> Result<(), Error> {
    if HEADERS_REFUSED.contains(&name.as_str()) {
        return Err(invalid(&format!("the header `{name}` is the host's")));
    }
    let mut value = HeaderValue::from_str(value).map_err(|_| invalid("a header's value is not valid"))?;
    value.set_sensitive(true);
    if request.headers.contains_key(&name) {
        return Err(invalid(&format!("the header `{name}` is there twice")));
    }
    request.headers.insert(name, value);
    let bytes: usize = request.headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if request.headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        return Err(invalid("more than 32 headers, or more than 8 KiB of them"));
    }
    Ok(())
}

fn add_field(request: &mut Checked, name: &str, text: &str) -> Result<(), Error> {
    let content_type = request.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(invalid("a secret form field needs the content type application/x-www-form-urlencoded"));
    }
    let coded = |text: &str| Zeroizing::new(byte_serialize(text.as_bytes()).collect::<String>());
    let value = coded(text);
    if !request.body.is_empty() {
        request.body.push(b'&');
    }
    for part in [coded(name).as_bytes(), b"=", value.as_bytes()] {
        request.body.extend_from_slice(part);
    }
    if request.body.len() > BODY_BYTES_MAX as usize {
        return Err(invalid("the body is larger than 1 MiB"));
    }
    request.sent.0.push(Zeroizing::new(value.as_bytes().to_vec()));
    Ok(())
}

pub(super) fn no_secret(error: &secrets::Error) -> Error {
    Error::NoSecret(match error {
        secrets::Error::Missing(name) => format!("the secret {name:?} is missing"),
        secrets::Error::WrongKind(name) => format!("the secret {name:?} is of another kind"),
        secrets::Error::UnknownKey(why) | secrets::Error::Invalid(why) => why.clone(),
        secrets::Error::Exhausted => String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_repeats_a_secret_goes_no_further() {
        let sent = Sent(vec![Zeroizing::new(b"Hunter2-hunter2".to_vec())]);
        let answer = |headers: &[(&str, &str)], body: &[u8]| Response {
            status: 400,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.to_vec(),
        };
        assert!(sent.not_repeated_in(answer(&[("x", "hunter")], b"no such key: Hunter2")).is_ok());
        assert!(sent.not_repeated_in(answer(&[], b"")).is_ok());
        for told in [
            answer(&[], b"no such key: Hunter2-hunter2."),
            answer(&[("x-echo", "Bearer Hunter2-hunter2")], b""),
            answer(&[("hunter2-hunter2", "")], b""),
        ] {
            assert!(matches!(sent.not_repeated_in(told), Err(Error::Broken(why)) if why.contains("repeats")));
        }
        assert!(Sent::default().not_repeated_in(answer(&[], b"anything")).is_ok());
    }
}
