//! How an answer of the merchant API leaves: signed, or spoiled in the way the amount asks for.

use std::time::Duration;

use actix_web::{HttpResponse, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    stage::unanswered,
    wallet::{
        fault::Manner,
        refusal::Refusal,
        server::{Rim, now_ms},
        signature::MerchantKey,
    },
};

/// Not JSON, not UTF-8, not even text: what a broken proxy might put there.
const GARBAGE: &[u8] = b"\x00\xff\xfe{\"order_number\":\x80\x81,,]] <html>502";

/// What a call comes to, before it is signed.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub body: Value,
    pub manner: Manner,
}

impl Reply {
    pub fn ok(body: &impl Serialize, manner: Manner) -> Self {
        match serde_json::to_value(body) {
            Ok(body) => Self { status: 200, body, manner },
            Err(error) => Self { status: 500, body: json!({"code": "INTERNAL", "message": error.to_string()}), manner },
        }
    }

    /// Nothing will be said.
    pub const fn silence() -> Self {
        Self { status: 200, body: Value::Null, manner: Manner::Never }
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self { status: refusal.status(), body: error_body(&refusal), manner: Manner::Plain }
    }
}

/// `{code, message}`.
pub fn error_body(refusal: &Refusal) -> Value {
    json!({"code": refusal.code(), "message": refusal.to_string()})
}

/// Sends the reply to the merchant whose `key` it is. Without a key (the merchant is unknown) it cannot be signed.
pub async fn send(rim: &Rim, key: Option<&MerchantKey>, nonce: &str, reply: Reply) -> HttpResponse {
    if reply.manner == Manner::Never {
        return hold(rim.hold, rim.stopping.clone()).await;
    }
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let timestamp = now_ms().to_string();
    let body = match reply.manner {
        Manner::Garbage => GARBAGE.to_vec(),
        Manner::Plain | Manner::WrongSignature | Manner::Unsigned | Manner::Never => {
            reply.body.to_string().into_bytes()
        }
    };
    let mut response = HttpResponse::build(status);
    if let Some(key) = key {
        let fields: [&[u8]; 5] =
            [b"RESPONSE", status.as_str().as_bytes(), timestamp.as_bytes(), nonce.as_bytes(), &body];
        let signature = key.sign(&fields);
        // Garbage is unsigned: what garbles a body garbles the headers too.
        match reply.manner {
            Manner::Plain => response.insert_header(("x-sandbox-signature", signature)),
            Manner::WrongSignature => response.insert_header(("x-sandbox-signature", forge(&signature))),
            Manner::Garbage | Manner::Unsigned | Manner::Never => &mut response,
        };
    }
    response.insert_header(("x-sandbox-timestamp", timestamp)).content_type("application/json").body(body)
}

/// A signature that has the right shape and one wrong digit.
pub fn forge(signature: &str) -> String {
    let (head, last) = signature.split_at(signature.len().saturating_sub(1));
    format!("{head}{}", if last == "0" { '1' } else { '0' })
}

/// Keeps the connection without a word for as long as `hold`, or until the scheme stops; then cuts it.
async fn hold(hold: Duration, mut stopping: tokio::sync::watch::Receiver<bool>) -> HttpResponse {
    tokio::select! {
        () = tokio::time::sleep(hold) => {}
        _ = stopping.wait_for(|stop| *stop) => {}
    }
    unanswered()
}
