//! Notes the ends of audit logs outside of the database ([`crate::audit_anchor`]): in core's log, which leaves this machine
//! where logs are collected, and in a file of the data folder, to which it only adds.

use std::{
    collections::HashMap,
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use tokio::sync::watch;

use super::rested;
use crate::{
    app::App,
    audit_anchor::{self, Anchor, Signer},
    own_keys::KeysError,
};

/// What was written since the last anchor could be cut off unseen.
const NOTE_EVERY: Duration = Duration::from_secs(600);
/// In the data folder; each line an anchor. Whoever wants it shorter moves it away: the next line makes a new one.
const FILE: &str = "audit-anchors.jsonl";

/// Why nothing was noted; it is tried again.
#[derive(Debug, thiserror::Error)]
enum NoteError {
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Store(#[from] saoma_store::StoreError),
    #[error("write {FILE}")]
    File(#[from] io::Error),
}

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    // By this process. Another node, and this one after a restart, notes them as well.
    let mut noted: HashMap<String, u64> = HashMap::new();
    loop {
        let (app, before) = (app.clone(), noted.clone());
        match tokio::task::spawn_blocking(move || note(&app, before)).await {
            Ok(Ok(now)) => noted = now,
            Ok(Err(error)) => tracing::warn!(%error, "the ends of the audit logs were not noted"),
            Err(error) => tracing::error!(%error, "noting the ends of the audit logs was cut off"),
        }
        if !rested(None, NOTE_EVERY, &mut stopping).await {
            return;
        }
    }
}

fn note(app: &App, mut noted: HashMap<String, u64>) -> Result<HashMap<String, u64>, NoteError> {
    let now = app.now();
    let signer = Signer::open(app.store(), app.vault(), now)?;
    let mut fresh = audit_anchor::ends(app.store(), &signer, now)?;
    fresh.retain(|anchor| noted.get(&anchor.chain) != Some(&anchor.sequence));
    if fresh.is_empty() {
        return Ok(noted);
    }
    append(&app.config().data_dir.join(FILE), &fresh)?;
    for anchor in fresh {
        tracing::info!(anchor = anchor.line(), "the end of an audit log");
        noted.insert(anchor.chain, anchor.sequence);
    }
    Ok(noted)
}

fn append(path: &Path, anchors: &[Anchor]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path)?;
    let lines: String = anchors.iter().map(|anchor| anchor.line() + "\n").collect();
    file.write_all(lines.as_bytes())?;
    file.sync_data()
}
