//! Rotating the master key and tenants' data keys while nodes serve.
//!
//! Each step is one small transaction, and where a rotation stands is in the database alone: whoever calls again after a
//! crash at any moment goes on where it stood. Nothing is unreadable in between: every wrapped key names the master key that
//! wraps it, every value the number of its data key, and both stay until nothing needs them.

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    time::{Duration, Instant},
};

use saoma_protocol::Millis;
use saoma_store::{
    PlatformScope, Store, StoreError, TenantScope, access, audit, master_keys, nodes,
    sealed::{self, Place, Sealed},
    server_keys, tenant_keys,
};
use serde_json::json;

use crate::{
    secrets::{SecretsError, Vault},
    workers::nodes::DEAD_AFTER,
};

/// Keys that one transaction wraps anew: some milliseconds on either database.
const KEYS_STEP: u32 = 20;
/// Values that one transaction seals anew.
const VALUES_STEP: u32 = 20;
/// How long running nodes may take to find a new file: five beats, more than a slow one misses.
const FOUND_MAX: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// A round that took so long says nothing about how long others stood still.
const HELD_UP: Duration = Duration::from_secs(1);

/// Why a rotation stopped. It goes on when it is asked for again.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(
        "change to the master key {name}: the running node {node} cannot read it. Copy {file} into the folder of that node's \
         master key (its owner the user of core, mode 600), and call this again: it goes on with the same key"
    )]
    NotEverywhere { name: String, node: String, file: PathBuf },
    #[error(
        "choose the next master key: several lie beside {file} that this database does not know ({names}). Leave the one that is \
         meant, and take the others away"
    )]
    Several { file: PathBuf, names: String },
    /// The others are sealed under the new key; the earlier ones stay for these.
    #[error("seal {count} values of {tenant} again, the first of which is {place}")]
    Values { tenant: String, place: String, count: usize, source: SecretsError },
    /// The others are wrapped by the new key; the earlier ones stay for these.
    #[error("wrap {count} keys again, the first of which is {what}")]
    Keys { what: String, count: usize, source: SecretsError },
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a rotation of the master key has done.
#[derive(Debug, PartialEq, Eq)]
pub struct NewMaster {
    /// What seals now.
    pub name: String,
    pub file: PathBuf,
    /// Keys that were wrapped anew by this call.
    pub rewrapped: u64,
    /// Files of master keys that sealed something in this database once, and that nothing in it needs any more.
    pub old_files: Vec<PathBuf>,
}

/// Draws a new master key and wraps every key of the database under it; or goes on with a rotation that was cut off. `tell` is
/// told what happens, for a person. Blocks: on the nodes that run, up to some 20 s.
///
/// # Errors
/// See [`RotationError`].
pub fn rotate_master(
    store: &Store,
    vault: &Vault,
    now: impl Fn() -> Millis,
    mut tell: impl FnMut(&str),
) -> Result<NewMaster, RotationError> {
    let process = access::process();
    let known = store.read_blocking(|tx| master_keys::list(tx, &process))?;
    let in_force = known.iter().filter(|master| master.retired_at.is_none()).count();
    let current = known.iter().find(|master| master.retired_at.is_none()).map(|master| master.name.clone());
    let mut current = current.ok_or(StoreError::NotFound { what: "the name of the master key" })?;
    let mut ring = vault.masters().read_again(&current)?;
    if in_force > 1 {
        tell(&format!("going on with the change to {current}"));
    } else {
        // One that nothing was ever sealed under: a call before this one drew it.
        let mut unknown: Vec<String> = ring.names();
        unknown.retain(|name| known.iter().all(|master| master.name != *name));
        let (next, file) = match unknown.as_slice() {
            [] => ring.draw_beside(vault.masters().file())?,
            [drawn] => {
                let file = ring.files(drawn).first().cloned().unwrap_or_default();
                ring.give_to_owner(&file)?;
                (drawn.clone(), file)
            }
            // One may be what another node's operator is about to put in force, or another database's.
            several => {
                let (file, names) = (vault.masters().file().to_owned(), several.join(", "));
                return Err(RotationError::Several { file, names });
            }
        };
        tell(&format!("the new master key {next} is in {}", file.display()));
        let mut nodes = Nodes::new(&next, file);
        loop {
            nodes.wait(store, &mut tell)?;
            ring = vault.masters().read_again(&next)?;
            let at = now();
            let changed = store.write_blocking(|tx| {
                master_keys::change(tx, &process, &current, &next, at)?;
                // One that started meanwhile has beaten before this, or finds the new key in force.
                if nodes.lacking(nodes::others(tx, &process, "")?).is_some() {
                    return Err(StoreError::Stale { what: "the nodes" });
                }
                note(tx, &process, "master_key.changed", &next, &json!({ "from": current }), at)
            });
            match changed {
                Err(StoreError::Stale { what: "the nodes" }) => {}
                changed => {
                    changed?;
                    break;
                }
            }
        }
        current = next;
    }
    let rewrapped = rewrap_all(store, vault, &current)?;
    let at = now();
    store.write_blocking(|tx| {
        // Since the change, whatever is sealed is sealed under the new one; unless another rotation has begun since.
        let is_over = master_keys::hold(tx, &process)? == current
            && server_keys::under_others(tx, &process, &current, 1)?.is_empty()
            && tenant_keys::under_others(tx, &process, &current, 1)?.is_empty();
        if !is_over {
            return Err(StoreError::Stale { what: "the master key" });
        }
        let retired = master_keys::retire_others(tx, &process, &current, at)?;
        match retired {
            0 => Ok(()),
            _ => note(tx, &process, "master_key.rotated", &current, &json!({ "retired": retired }), at),
        }
    })?;
    let known = store.read_blocking(|tx| master_keys::list(tx, &process))?;
    let old = known.into_iter().filter(|master| master.retired_at.is_some()).map(|master| master.name);
    Ok(NewMaster {
        file: ring.files(&current).first().cloned().unwrap_or_default(),
        old_files: old.flat_map(|name| ring.files(&name).to_vec()).collect(),
        name: current,
        rewrapped,
    })
}

/// The nodes that run, and whether each can read the next master key.
struct Nodes<'a> {
    next: &'a str,
    file: PathBuf,
    began: Instant,
    /// Since when each has stood still.
    still: HashMap<String, (i64, Instant)>,
    looked_at: Instant,
}

impl<'a> Nodes<'a> {
    fn new(next: &'a str, file: PathBuf) -> Self {
        let now = Instant::now();
        Self { next, file, began: now, still: HashMap::new(), looked_at: now }
    }

    /// Until every node that lives says that it can read the key. One whose beats stand still has died.
    fn wait(&mut self, store: &Store, tell: &mut impl FnMut(&str)) -> Result<(), RotationError> {
        let mut told = false;
        loop {
            let nodes = store.read_blocking(|tx| nodes::others(tx, &access::process(), ""))?;
            self.look(&nodes);
            let Some(lacks) = self.lacking(nodes) else { return Ok(()) };
            if self.began.elapsed() > FOUND_MAX {
                let (name, file) = (self.next.to_owned(), self.file.clone());
                return Err(RotationError::NotEverywhere { name, node: lacks, file });
            }
            if !std::mem::replace(&mut told, true) {
                tell("waiting for the running nodes to find it");
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// Every node is looked at in each round, or its beats would seem to stand still; and so they would to one who was held up
    /// for as long itself.
    fn look(&mut self, nodes: &[nodes::Node]) {
        let now = Instant::now();
        let was_held_up = now.duration_since(self.looked_at) > HELD_UP;
        self.looked_at = now;
        for node in nodes {
            let (beats, since) = self.still.entry(node.id.clone()).or_insert((node.beats, now));
            if *beats != node.beats || was_held_up {
                (*beats, *since) = (node.beats, now);
            }
        }
    }

    /// One that lives, for all that is known, and cannot read the key.
    fn lacking(&self, nodes: Vec<nodes::Node>) -> Option<String> {
        let lacks = nodes.into_iter().find(|node| {
            let stands_still = |(beats, since): &(i64, Instant)| *beats == node.beats && since.elapsed() >= DEAD_AFTER;
            !node.masters.iter().any(|known| known == self.next) && !self.still.get(&node.id).is_some_and(stands_still)
        });
        lacks.map(|node| node.id)
    }
}

/// Wraps what is wrapped by other master keys, a few keys in each transaction. The answer is how many there were. One that
/// cannot be opened keeps no other from the new key.
fn rewrap_all(store: &Store, vault: &Vault, master: &str) -> Result<u64, RotationError> {
    let process = access::process();
    let mut count = 0;
    let (mut failed, mut failed_data) = (BTreeMap::new(), BTreeMap::new());
    loop {
        let limit = |failed: usize| KEYS_STEP.saturating_add(u32::try_from(failed).unwrap_or(u32::MAX));
        let mut own = store.read_blocking(|tx| server_keys::under_others(tx, &process, master, limit(failed.len())))?;
        let mut data =
            store.read_blocking(|tx| tenant_keys::under_others(tx, &process, master, limit(failed_data.len())))?;
        own.retain(|key| !failed.contains_key(&key.kid));
        data.retain(|(scope, key)| !failed_data.contains_key(&(scope.tenant(), key.number)));
        if own.is_empty() && data.is_empty() {
            break;
        }
        let mut fresh = Vec::new();
        for key in own {
            let masters = vault.masters();
            match masters.open_own(&key).and_then(|plain| masters.seal_own(master, &key.kind, &plain)) {
                Ok(wrapped) => fresh.push((key.kid, wrapped)),
                Err(error) => drop(failed.insert(key.kid, error)),
            }
        }
        let mut fresh_data = Vec::new();
        for (scope, key) in data {
            match vault.rewrapped(scope, &key, master) {
                Ok(wrapped) => fresh_data.push((scope, key.number, wrapped)),
                Err(error) => drop(failed_data.insert((scope.tenant(), key.number), error)),
            }
        }
        count += store.write_blocking(|tx| {
            // Another rotation may have begun; its master key is the one that counts then.
            if master_keys::hold(tx, &process)? != master {
                return Err(StoreError::Stale { what: "the master key" });
            }
            for (kid, wrapped) in &fresh {
                gone_is_fine(server_keys::rewrap(tx, &process, kid, wrapped, master))?;
            }
            for (scope, number, wrapped) in &fresh_data {
                gone_is_fine(tenant_keys::rewrap(tx, scope, *number, wrapped, master))?;
            }
            Ok((fresh.len() + fresh_data.len()) as u64)
        })?;
    }
    let failures = failed.len() + failed_data.len();
    let data =
        failed_data.into_iter().map(|((tenant, number), error)| (format!("data key {number} of {tenant}"), error));
    match failed.into_iter().chain(data).next() {
        Some((what, source)) => Err(RotationError::Keys { what, count: failures, source }),
        None => Ok(count),
    }
}

/// A key that was taken away since it was read.
fn gone_is_fine(outcome: Result<(), StoreError>) -> Result<(), StoreError> {
    match outcome {
        Err(StoreError::NotFound { .. }) => Ok(()),
        other => other,
    }
}

/// What a rotation of a tenant's data key has done.
#[derive(Debug, PartialEq, Eq)]
pub struct NewDataKey {
    pub number: u32,
    /// Values that were sealed anew by this call.
    pub resealed: u64,
}

/// Gives a tenant its next data key, seals all its values under it and takes the earlier keys away; or goes on with a rotation
/// that was cut off. `None` if nothing of the tenant's was ever sealed. Blocks.
///
/// # Errors
/// `Values` for those that cannot be opened: then the earlier keys stay. `Secrets`, `Store`.
pub fn rotate_tenant(
    store: &Store,
    vault: &Vault,
    scope: TenantScope,
    now: impl Fn() -> Millis,
) -> Result<Option<NewDataKey>, RotationError> {
    let at = now();
    let number = store.write_blocking(|tx| {
        tenant_keys::take_turn(tx, &scope)?;
        let keys = tenant_keys::list(tx, &scope)?;
        Ok::<_, SecretsError>(match keys.as_slice() {
            [] => None,
            [_] => Some(vault.add_data_key(tx, scope, at)?.number),
            [.., newest] => Some(newest.number),
        })
    })?;
    let Some(number) = number else { return Ok(None) };
    let mut resealed = 0;
    let mut failed: Vec<(Place, SecretsError)> = Vec::new();
    loop {
        let limit = VALUES_STEP.saturating_add(u32::try_from(failed.len()).unwrap_or(u32::MAX));
        let mut values = store.read_blocking(|tx| sealed::below(tx, &scope, number, limit))?;
        values.retain(|value| failed.iter().all(|(place, _)| *place != value.place));
        if values.is_empty() {
            break;
        }
        let (count, of_step) = store.write_blocking(|tx| {
            tenant_keys::take_turn(tx, &scope)?;
            let (mut count, mut failed) = (0, Vec::new());
            for value in &values {
                match reseal(tx, vault, scope, value, at) {
                    Err(SecretsError::Store(error)) => return Err(error),
                    Err(error) => failed.push((value.place, error)),
                    Ok(replaced) => count += u64::from(replaced),
                }
            }
            Ok((count, failed))
        })?;
        resealed += count;
        failed.extend(of_step);
    }
    let count = failed.len();
    if let Some((place, source)) = failed.into_iter().next() {
        let (tenant, place) = (scope.tenant().to_string(), place.to_string());
        return Err(RotationError::Values { tenant, place, count, source });
    }
    let at = now();
    store.write_blocking(|tx| {
        tenant_keys::take_turn(tx, &scope)?;
        // Whoever seals takes the same turn: what is under the new key now stays so.
        if !sealed::below(tx, &scope, number, 1)?.is_empty() {
            return Err(StoreError::Stale { what: "a sealed value" });
        }
        tenant_keys::remove_below(tx, &scope, number)?;
        let entry = audit::NewEntry::new("core", "data_key.rotated", &scope.tenant(), &json!({ "number": number }), at);
        audit::append_platform(tx, &access::process(), &entry)?;
        audit::append(tx, &scope, &entry).map(drop)
    })?;
    Ok(Some(NewDataKey { number, resealed }))
}

/// `false` if somebody saved another value meanwhile, which is under the new key then or comes up again.
fn reseal(
    tx: &mut saoma_store::Tx<'_>,
    vault: &Vault,
    scope: TenantScope,
    value: &Sealed,
    now: Millis,
) -> Result<bool, SecretsError> {
    let plain = vault.open(tx, scope, &value.place, &value.value)?;
    let fresh = vault.seal(tx, scope, &value.place, &plain, now)?;
    Ok(sealed::replace(tx, &scope, value, &fresh)?)
}

fn note(
    tx: &mut saoma_store::Tx<'_>,
    platform: &PlatformScope,
    action: &str,
    subject: &str,
    detail: &serde_json::Value,
    at: Millis,
) -> Result<(), StoreError> {
    let entry = audit::NewEntry::new("core", action, &subject, detail, at);
    audit::append_platform(tx, platform, &entry).map(drop)
}
