//! `saoma-edge run`.

use std::{io::Write as _, sync::Arc};

use anyhow::{Context as _, Result, bail};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::{self, Parts, Pulse, StartError},
    config::{Config, ConfigError, source::Source},
    journal::JournalError,
    systemd::{Systemd, Word},
    telemetry,
    update::{
        built,
        fetch::{in_need, keep_up},
        trial::{Updates, WENT_BACK},
    },
};

/// Threads for MQTT, HTTPS and the owner of the state; more would only wait.
const THREADS: usize = 2;

/// A release that was gone back to runs also with a configuration that the one after it was given.
pub(super) fn config(source: &Source) -> Result<Config, ConfigError> {
    if std::env::var_os(WENT_BACK).is_some() { source.load_known() } else { source.load() }
}

pub(super) fn run(config: Config, source: Source) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .enable_all()
        .build()
        .context("start the runtime")?;
    runtime.block_on(serve(config, source))
}

async fn serve(config: Config, source: Source) -> Result<()> {
    let systemd = Systemd::of(|name| std::env::var_os(name), std::process::id())?.map(Arc::new);
    let telemetry_config = config.telemetry.clone();
    let (update, free_bytes_min) = (config.update.clone(), config.journal.free_bytes_min);
    let updates = Updates::of(|name| std::env::var(name).ok(), &config.data_dir);
    let parts = Parts { source, updates: updates.clone(), ..Parts::from_config(config)? };
    let (folder, core) = (parts.folder.clone(), parts.core.clone());
    let terminal = parts.identity.terminal;
    let _telemetry = telemetry::start(&telemetry_config, Some(terminal.to_string()))?;
    // Before anything is promised: a stop that comes early is a stop as well.
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let started = tokio::select! {
        started = app::start(parts) => started,
        // One that waits for core before it opens its till is stopped as well.
        _ = terminate.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    let mut running = match (started, &updates) {
        (Ok(running), _) => running,
        (Err(error), Some(updates)) if !update.repository.is_empty() && needs_another(&error, updates) => {
            tracing::error!(%error, "only a newer release can open this journal: it is looked for");
            let _lock = folder.lock()?;
            let journal = folder.journal();
            let found = tokio::select! {
                found = in_need(updates, &update, free_bytes_min, &core, &journal) => found,
                _ = terminate.recv() => return Err(error.into()),
                _ = interrupt.recv() => return Err(error.into()),
            };
            match found {
                Ok(Some(program)) => {
                    let switched = updates.switch_in_need(&program, update.trial_seconds)?;
                    tracing::info!(version = %program.version, switched, "the next start tries this release");
                }
                Ok(None) => tracing::error!("there is no newer release in the repository"),
                Err(error) => tracing::error!(%error, "no newer release was fetched"),
            }
            return Err(error.into());
        }
        (Err(error), _) => return Err(error.into()),
    };
    let till = running.till();
    let ready = json!({
        "ready": true,
        "till": format!("http://{till}/"),
        "display": format!("http://{till}/display"),
        "terminal": terminal,
        "version": updates.as_ref().map_or_else(built, Updates::version),
    });
    let mut stdout = std::io::stdout();
    writeln!(stdout, "{ready}").and_then(|()| stdout.flush()).context("say that the till is open")?;
    tracing::info!(%till, terminal.id = %terminal, "the till is open");
    if let Some(systemd) = &systemd {
        systemd.tell(Word::Ready { till });
        tokio::spawn(vouch(Arc::clone(systemd), running.pulse()));
    }
    if let Some(updates) = &updates {
        tokio::spawn(updates.clone().prove(till));
        if !update.repository.is_empty() {
            tokio::spawn(keep_up(updates.clone(), update.clone(), free_bytes_min, core));
        }
    }
    let leaving = || updates.as_ref().and_then(|updates| updates.standing().leaving.clone());
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = running.ended() => if leaving().is_none() {
            bail!("go on: the agent ended by a mistake of its own; the log says which. Start it again");
        },
    }
    if let Some(systemd) = &systemd {
        systemd.tell(Word::Stopping);
    }
    running.stop().await;
    if let (Some(updates), Some((program, needs_core))) = (&updates, leaving()) {
        // Nobody else may sell between the last look at the journal and the switch.
        let _lock = folder.lock()?;
        let switched = updates.switch(&program, needs_core, update.trial_seconds)?;
        tracing::info!(version = %program.version, switched, "the next start tries this release");
    }
    tracing::info!("stopped");
    Ok(())
}

/// Whether starting again cannot help, but another release can.
fn needs_another(error: &StartError, updates: &Updates) -> bool {
    matches!(error, StartError::Journal(JournalError::Newer { .. })) || updates.is_stuck()
}

/// Tells systemd that the agent is alive for as long as it is, each time after asking it. One that is stuck is not vouched for,
/// and systemd starts it anew.
async fn vouch(systemd: Arc<Systemd>, pulse: Pulse) {
    let Some(every) = systemd.beats_every() else { return };
    while pulse.beats().await {
        systemd.tell(Word::Alive);
        tokio::time::sleep(every).await;
    }
}
