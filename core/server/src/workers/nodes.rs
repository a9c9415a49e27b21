//! Says that this core lives and which master keys it can read, notices others that no longer live, and ends connections
//! whose right ended on another node.

use std::{collections::HashMap, time::Duration};

use saoma_protocol::Millis;
use saoma_store::{
    Dialect, Store, StoreError, access, master_keys,
    nodes::{self, Node},
};
use tokio::{sync::watch, time::Instant};

use super::rested;
use crate::{
    app::App,
    own_keys::{self, KeysError},
    secrets::Vault,
};

const BEAT_EVERY: Duration = Duration::from_secs(3);
/// A node whose beats stand still for so long is dead: five beats, more than a slow commit or a failover takes.
pub const DEAD_AFTER: Duration = Duration::from_secs(15);
/// How far back withdrawn certificates are looked for: past the longest transaction and what clocks of nodes differ by.
const LOOK_BACK_MS: i64 = 120_000;

pub async fn run(app: App, mut stopping: watch::Receiver<bool>) {
    let mut watch = Watch::default();
    loop {
        if let Err(error) = watch.turn(&app).await {
            tracing::warn!(%error, "a beat is missed");
        }
        if !rested(None, BEAT_EVERY, &mut stopping).await {
            break;
        }
    }
}

/// The first beat, before anything is served: whoever changes the master key from now on waits for this node, and if it was
/// changed while this node started, this node has the new one too. Blocks.
///
/// # Errors
/// `Secrets` (`NoMaster`) if the one that seals cannot be read here.
pub fn announce(store: &Store, vault: &Vault, node: &str) -> Result<(), KeysError> {
    let beaten = |masters: &[String]| {
        store.write_blocking(|tx| {
            let process = access::process();
            let current = master_keys::hold(tx, &process)?;
            let is_here = masters.contains(&current);
            if is_here {
                nodes::beat(tx, &process, node, masters)?;
            }
            Ok::<_, StoreError>(if is_here { None } else { Some(current) })
        })
    };
    match beaten(&vault.masters().ring().names())? {
        None => Ok(()),
        Some(changed) => {
            let ring = vault.masters().read_again(&changed)?;
            match beaten(&ring.names())? {
                None => Ok(()),
                Some(_) => Err(StoreError::Stale { what: "the master key" }.into()),
            }
        }
    }
}

/// What this node has seen of the others.
#[derive(Default)]
struct Watch {
    /// Since when each has stood still, by our own clock: theirs may be wrong.
    still: HashMap<String, (i64, Instant)>,
}

impl Watch {
    async fn turn(&mut self, app: &App) -> Result<(), StoreError> {
        // First, so that what this node says it can read is what it can read.
        if let Err(error) = own_keys::learn(app.store(), app.vault()).await {
            tracing::error!(%error, "the keys could not be read again; this node goes on with those that it has");
        }
        let (node, masters) = (app.fleet().node().to_owned(), app.vault().masters().ring().names());
        let (known, others) = app
            .store()
            .write(move |tx| {
                let process = access::process();
                Ok::<_, StoreError>((nodes::beat(tx, &process, &node, &masters)?, nodes::others(tx, &process, &node)?))
            })
            .await?;
        // At the first beat nobody is connected yet; later it means that others took this node for dead.
        app.fleet().note_again(!known);
        // A file has one process: whoever else is in it died.
        let alone = app.store().dialect() == Dialect::Sqlite;
        for dead in self.dead(others, if alone { Duration::ZERO } else { DEAD_AFTER }) {
            let id = dead.id.clone();
            let terminals = app.store().write(move |tx| nodes::bury(tx, &access::process(), &dead)).await?;
            tracing::warn!(node = id, terminals, "a node is gone; its terminals are offline until they connect again");
            app.wake_outbox();
        }
        self.shut_out(app, app.now()).await
    }

    fn dead(&mut self, others: Vec<Node>, after: Duration) -> Vec<Node> {
        let now = Instant::now();
        self.still.retain(|id, _| others.iter().any(|other| other.id == *id));
        let is_dead = |other: &Node, still: &mut HashMap<String, (i64, Instant)>| {
            let (beats, since) = still.entry(other.id.clone()).or_insert((other.beats, now));
            if *beats != other.beats {
                (*beats, *since) = (other.beats, now);
            }
            now.duration_since(*since) >= after
        };
        others.into_iter().filter(|other| is_dead(other, &mut self.still)).collect()
    }

    async fn shut_out(&self, app: &App, now: Millis) -> Result<(), StoreError> {
        let (node, since) = (app.fleet().node().to_owned(), now.plus(-LOOK_BACK_MS));
        let shut_out = app.store().read(move |tx| nodes::shut_out(tx, &access::process(), &node, since)).await?;
        for (terminal, serial) in shut_out {
            app.fleet().end_connection(terminal, serial.as_deref()).await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{rotation::rotate_master, secrets::SecretsError};

    /// On another machine, with a folder of keys of its own: what was changed while it started is what it must have.
    #[test]
    fn a_node_that_starts_while_the_master_key_changes_has_the_new_one_or_does_not_serve() {
        let (here, there) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let [ours, theirs] = [&here, &there].map(|folder| folder.path().join("master.key"));
        let store = Store::open(&here.path().join("core.db").display().to_string(), 2).unwrap();
        let now = Millis(1_790_000_000_000);
        let vault = own_keys::open(&store, &ours, now).unwrap();
        fs::copy(&ours, &theirs).unwrap();
        let starting = own_keys::open(&store, &theirs, now).unwrap();
        let done = rotate_master(&store, &vault, || now, |_| {}).unwrap();
        let others = || store.read_blocking(|tx| nodes::others(tx, &access::process(), "")).unwrap();
        let lacks = announce(&store, &starting, "there");
        assert!(matches!(lacks, Err(KeysError::Secrets(SecretsError::NoMaster { .. }))), "{lacks:?}");
        assert_eq!(others(), []);
        fs::copy(&done.file, there.path().join(done.file.file_name().unwrap())).unwrap();
        announce(&store, &starting, "there").unwrap();
        assert!(others().iter().all(|node| node.masters.contains(&done.name)), "{:?}", others());
        assert!(starting.masters().ring().get(&done.name).is_some());
    }
}
