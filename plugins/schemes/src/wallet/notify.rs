//! Tells merchants what became of their orders, again and again until they answer 200 `OK` or the repetitions are used up.

use std::{sync::Arc, time::Duration};

use super::{
    book::Notice,
    scheme::Scheme,
    server::{Rim, now_ms, random_hex},
    signature::MerchantKey,
};

/// Repetitions after the first attempt; the pauses double from [`super::Config::retry_first`] (1, 2, 4, … 128 s).
const REPETITIONS_MAX: u32 = 8;
/// A merchant who takes longer has not answered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest answer that is looked at, in bytes; `OK` is all that counts.
const ANSWER_LEN_MAX: usize = 64;

/// The client that carries notifications.
///
/// # Errors
/// If no TLS client can be made at all.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    let builder = || {
        reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(ANSWER_TIMEOUT)
            .user_agent("saoma-schemes")
    };
    // Without certificate authorities on the machine, https merchants fail one by one; plain http still works.
    builder().build().or_else(|_| builder().tls_certs_only([]).build())
}

/// Sends what has come up since the last call. Returns at once; the sending goes on by itself.
pub fn dispatch(rim: &Rim, notices: Vec<Notice>) {
    for notice in notices {
        let (scheme, http, retry_first) = (Arc::clone(&rim.scheme), rim.http.clone(), rim.retry_first);
        rim.runtime.spawn(async move { tell(&scheme, &http, retry_first, notice).await });
    }
}

async fn tell(scheme: &Scheme, http: &reqwest::Client, retry_first: Duration, notice: Notice) {
    let Some(key) = scheme.lock().gate.key(&notice.merchant).cloned() else { return };
    let body = match serde_json::to_string(&notice.body) {
        Ok(body) => body,
        Err(error) => return tracing::error!(%error, order = notice.order_number, "notification cannot be written"),
    };
    for time in 0..notice.times {
        let mut accepted = false;
        for attempt in 0..=REPETITIONS_MAX {
            if attempt > 0 {
                tokio::time::sleep(retry_first * 2_u32.pow(attempt - 1)).await;
            }
            let forged = notice.wrong_signature_first && time == 0 && attempt == 0;
            accepted = attempt_once(http, &key, &notice, &body, forged).await;
            scheme.lock().book.note_notifications(&notice.merchant, &notice.order_number, |notes| {
                notes.attempts += 1;
                notes.accepted += u32::from(accepted);
            });
            if accepted {
                break;
            }
        }
        if !accepted {
            tracing::warn!(order = notice.order_number, url = notice.url, "notification given up");
            let abandon = |notes: &mut super::order::Notifications| notes.abandoned += 1;
            scheme.lock().book.note_notifications(&notice.merchant, &notice.order_number, abandon);
        }
    }
}

async fn attempt_once(http: &reqwest::Client, key: &MerchantKey, notice: &Notice, body: &str, forged: bool) -> bool {
    let timestamp = now_ms().to_string();
    let nonce = random_hex();
    let mut signature = key.sign(&[b"NOTIFY", timestamp.as_bytes(), nonce.as_bytes(), body.as_bytes()]);
    if forged {
        signature = super::http::answer::forge(&signature);
    }
    let mut request = http
        .post(&notice.url)
        .header("content-type", "application/json")
        .header("x-sandbox-timestamp", timestamp)
        .header("x-sandbox-nonce", nonce)
        .header("x-sandbox-signature", signature)
        .body(body.to_owned());
    if let Some(traceparent) = &notice.traceparent {
        request = request.header("traceparent", traceparent);
    }
    let accepted = match request.send().await {
        Ok(answer) => {
            let status = answer.status().as_u16();
            // Only a short answer can be `OK`; a longer one is not worth reading.
            let short = answer.content_length().is_none_or(|len| len <= ANSWER_LEN_MAX as u64);
            let text = if short { answer.bytes().await.unwrap_or_default() } else { Default::default() };
            status == 200 && text.trim_ascii() == b"OK"
        }
        Err(error) => {
            tracing::info!(%error, order = notice.order_number, "notification not delivered");
            false
        }
    };
    tracing::info!(order = notice.order_number, status = ?notice.body.status, accepted, forged,
        traceparent = notice.traceparent.as_deref().unwrap_or(""), "notified");
    accepted
}
