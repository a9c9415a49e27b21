use std::{io::Write as _, process::ExitCode};

use anyhow::{Context as _, Result};
use tokio::signal::unix::{SignalKind, signal};

use crate::{config::Config, serve::Running, telemetry};

pub(super) fn run(config: Config) -> Result<ExitCode> {
    // Both ends of every wire use one provider of cryptography; a second install is refused and means the same.
    drop(rustls::crypto::ring::default_provider().install_default());
    let guard = telemetry::start(&config.telemetry)?;
    actix_web::rt::System::new().block_on(until_told_to_stop(config))?;
    guard.flush();
    Ok(ExitCode::SUCCESS)
}

async fn until_told_to_stop(config: Config) -> Result<()> {
    let public_url = config.server.public_url.clone();
    let running = Running::start(config).await.context("start core")?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // One line for programs that wait for us; everything else goes to standard error.
    let ready = serde_json::json!({
        "ready": true,
        "api": format!("http://{}", running.api),
        "public_url": public_url,
        "terminals_https": running.terminals_https.to_string(),
        "terminals_mqtt": running.terminals_mqtt.to_string(),
        "metrics": running.metrics.map(|address| format!("http://{address}/metrics")),
        "version": env!("CARGO_PKG_VERSION"),
    });
    let mut out = std::io::stdout();
    writeln!(out, "{ready}").and_then(|()| out.flush()).context("say that core is ready")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: what is in flight is finished first; a second signal ends at once");
    tokio::select! {
        () = running.stop() => tracing::info!("stopped"),
        _ = terminate.recv() => tracing::warn!("ended at once; the next start takes up what was in flight"),
        _ = interrupt.recv() => tracing::warn!("ended at once; the next start takes up what was in flight"),
    }
    Ok(())
}
