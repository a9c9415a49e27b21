//! What the agent that runs says of itself, at its till.

use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::config::Config;

const ANSWER_MAX: Duration = Duration::from_secs(3);

/// The till's state, of which `T` has what is asked for.
///
/// # Errors
/// If the till does not answer, or says something else.
pub(crate) async fn state<T: DeserializeOwned>(config: &Config) -> Result<T, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build()?;
    let answer = client.get(format!("http://{}/api/state", config.till.listen)).send().await?.error_for_status()?;
    answer.json().await
}
