//! Proves the books again and again. A broken promise is an alarm for a person, never mended by itself: an error in the log,
//! and a finding under `/v1/ledger/findings` until the books hold again.

use std::time::Duration;

use tokio::sync::watch;

use super::rested;
use crate::{app::App, ledger_check};

const LOOK_EVERY: Duration = Duration::from_secs(600);

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    while rested(None, LOOK_EVERY, &mut stopping).await {
        let (app_in, stop) = (app.clone(), stopping.clone());
        let round = tokio::task::spawn_blocking(move || prove_all(&app_in, &stop)).await;
        if let Err(error) = round {
            tracing::error!(%error, "the check of the books was cut off");
        }
    }
}

fn prove_all(app: &App, stop: &watch::Receiver<bool>) {
    let done = ledger_check::each_tenant(app.store(), |scope| {
        if *stop.borrow() {
            return Ok(());
        }
        match ledger_check::prove(app.store(), &scope, app.now()) {
            Ok(findings) => {
                for finding in findings.iter().flatten() {
                    tracing::error!(tenant = %scope.tenant(), finding.subject, finding.code, finding.detail,
                        "the books do not hold");
                }
            }
            Err(error) => {
                tracing::error!(tenant = %scope.tenant(), %error, "the books of a merchant could not be checked");
            }
        }
        Ok(())
    });
    if let Err(error) = done {
        tracing::warn!(%error, "the books could not be checked");
    }
}
