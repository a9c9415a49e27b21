//! The stage door, as the kit knocks at it.

use reqwest::Client;
use serde_json::Value;

/// Status and JSON of the answer, null if it has none. A null body is none.
pub async fn at_door(client: &Client, door: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
    let mut request = client.request(method.parse().unwrap(), format!("{door}{path}"));
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default())
}
