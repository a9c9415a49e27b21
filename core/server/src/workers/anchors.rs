//! Notes the ends of audit logs outside of the database ([`crate::audit_anchor`]): in core's log, which leaves this machine
//! where logs are collected, and in a file of the data folder, to which it only adds.

use std::{
    collections::{HashMap, HashSet},
    fs,
    io::{self, Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    time::Duration,
};

use tokio::sync::watch;

use super::rested;
use crate::{
    app::App,
    audit_anchor::{self, Anchor, Signer},
    audit_check,
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
    let mut noted: HashMap<String, Anchor> = HashMap::new();
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

fn note(app: &App, mut noted: HashMap<String, Anchor>) -> Result<HashMap<String, Anchor>, NoteError> {
    let now = app.now();
    let signer = Signer::open(app.store(), app.vault(), now)?;
    let mut fresh = audit_anchor::ends(app.store(), &signer, now)?;
    fresh.retain(|anchor| noted.get(&anchor.chain).is_none_or(|before| before.hash != anchor.hash));
    // What does not hold any more is told at each look, and what was noted of it stays what the log is held against.
    let mut broken = HashSet::new();
    for before in noted.values().filter(|before| fresh.iter().any(|anchor| anchor.chain == before.chain)) {
        if let Some(finding) = audit_check::against(app.store(), before)? {
            tracing::error!(chain = before.chain, "this audit log {finding}");
            broken.insert(before.chain.clone());
        }
    }
    fresh.retain(|anchor| !broken.contains(&anchor.chain));
    if fresh.is_empty() {
        return Ok(noted);
    }
    append(&app.config().data_dir.join(FILE), &fresh)?;
    for anchor in fresh {
        tracing::info!(anchor = anchor.line(), "the end of an audit log");
        noted.insert(anchor.chain.clone(), anchor);
    }
    Ok(noted)
}

fn append(path: &Path, anchors: &[Anchor]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = fs::OpenOptions::new().create(true).read(true).append(true).mode(0o600).open(path)?;
    let mut lines: String = anchors.iter().map(|anchor| anchor.line() + "\n").collect();
    // What was cut off by a crash or a full disk must not swallow the next line.
    if file.metadata()?.len() > 0 {
        let mut last = [0];
        file.seek(io::SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            lines.insert(0, '\n');
        }
    }
    file.write_all(lines.as_bytes())?;
    file.sync_data()?;
    match path.parent() {
        Some(folder) if is_new => fs::File::open(folder)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_was_cut_off_swallows_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let anchor = Anchor {
            version: 1,
            chain: "platform".to_owned(),
            sequence: 1,
            hash: String::new(),
            at: 0,
            kid: String::new(),
            signature: String::new(),
        };
        append(&path, std::slice::from_ref(&anchor)).unwrap();
        let whole = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{whole}{}", &whole[..20])).unwrap();
        append(&path, &[anchor.clone(), anchor]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{whole}{}\n{whole}{whole}", &whole[..20]));
    }
}
