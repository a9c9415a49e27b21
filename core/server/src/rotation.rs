//! Rotating the master key and tenants' data keys while nodes serve.
//!
//! Each step is one small transaction, and where a rotation stands is in the database alone: whoever calls again after a
//! crash at any moment goes on where it stood. Nothing is unreadable in between: every wrapped key names the master key that
//! wraps it, every value the number of its data key, and both stay until nothing needs them.

use std::{
    collections::HashMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use saoma_protocol::Millis;
use saoma_store::{
    PlatformScope, Store, StoreError, TenantScope, access, audit, master_keys, nodes,
    sealed::{self, Sealed},
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

/// Why a rotation stopped. It goes on when it is asked for again.
#[derive(Debug, thiserror::Error)]
pub enum RotationError {
    #[error(
        "change to the master key {name}: the running node {node} cannot read it. Copy {file} into the folder of that node's \
         master key (its owner the user of core, mode 600), and call this again: it goes on with the same key"
    )]
    NotEverywhere { name: String, node: String, file: PathBuf },
    #[error("seal the value of {place} of {tenant} again")]
    Value { tenant: String, place: String, source: SecretsError },
    #[error("wrap the {what} again")]
    Key { what: String, source: SecretsError },
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
    /// Files of master keys that nothing in this database needs any more.
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
        let drawn = ring.names().into_iter().find(|name| known.iter().all(|master| master.name != *name));
        let (next, file) = match drawn {
            Some(name) => {
                let file = ring.files(&name).first().cloned().unwrap_or_default();
                (name, file)
            }
            None => ring.draw_beside(vault.masters().file())?,
        };
        tell(&format!("the new master key {next} is in {}", file.display()));
        wait_for_nodes(store, &next, file, &mut tell)?;
        ring = vault.masters().read_again(&next)?;
        let at = now();
        store.write_blocking(|tx| {
            master_keys::change(tx, &process, &current, &next, at)?;
            note(tx, &process, "master_key.changed", &next, &json!({ "from": current }), at)
        })?;
        current = next;
    }
    let rewrapped = rewrap_all(store, vault, &current)?;
    let at = now();
    store.write_blocking(|tx| {
        // Since the change, whatever is sealed is sealed under the new one.
        let retired = master_keys::retire_others(tx, &process, &current, at)?;
        match retired {
            0 => Ok(()),
            _ => note(tx, &process, "master_key.rotated", &current, &json!({ "retired": retired }), at),
        }
    })?;
    let old = ring.names().into_iter().filter(|name| *name != current);
    Ok(NewMaster {
        file: ring.files(&current).first().cloned().unwrap_or_default(),
        old_files: old.flat_map(|name| ring.files(&name).to_vec()).collect(),
        name: current,
        rewrapped,
    })
}

/// Until every node that lives says that it can read the key. One whose beats stand still has died.
fn wait_for_nodes(store: &Store, name: &str, file: PathBuf, tell: &mut impl FnMut(&str)) -> Result<(), RotationError> {
    let began = Instant::now();
    let mut still: HashMap<String, (i64, Instant)> = HashMap::new();
    let mut told = false;
    loop {
        let mut nodes = store.read_blocking(|tx| nodes::others(tx, &access::process(), ""))?;
        // Every node is looked at in each round, or its beats would seem to stand still.
        nodes.retain(|node| {
            let (beats, since) = still.entry(node.id.clone()).or_insert((node.beats, Instant::now()));
            if *beats != node.beats {
                (*beats, *since) = (node.beats, Instant::now());
            }
            !node.masters.iter().any(|known| known == name) && since.elapsed() < DEAD_AFTER
        });
        let Some(lacks) = nodes.first() else { return Ok(()) };
        if began.elapsed() > FOUND_MAX {
            return Err(RotationError::NotEverywhere { name: name.to_owned(), node: lacks.id.clone(), file });
        }
        if !std::mem::replace(&mut told, true) {
            tell("waiting for the running nodes to find it");
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// Wraps what is wrapped by other master keys, a few keys in each transaction. The answer is how many there were.
fn rewrap_all(store: &Store, vault: &Vault, master: &str) -> Result<u64, RotationError> {
    let process = access::process();
    let mut count = 0;
    loop {
        let own = store.read_blocking(|tx| server_keys::under_others(tx, &process, master, KEYS_STEP))?;
        let data = store.read_blocking(|tx| tenant_keys::under_others(tx, &process, master, KEYS_STEP))?;
        if own.is_empty() && data.is_empty() {
            return Ok(count);
        }
        let mut fresh = Vec::new();
        for key in own {
            let masters = vault.masters();
            let wrapped = masters.open_own(&key).and_then(|plain| masters.seal_own(master, &key.kind, &plain));
            fresh.push((key.kid.clone(), wrapped.map_err(|source| RotationError::Key { what: key.kid, source })?));
        }
        let mut fresh_data = Vec::new();
        for (scope, key) in data {
            let wrapped = vault.rewrapped(scope, &key, master).map_err(|source| RotationError::Key {
                what: format!("data key {} of {}", key.number, scope.tenant()),
                source,
            })?;
            fresh_data.push((scope, key.number, wrapped));
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
/// `Value` for one that cannot be opened: then the earlier keys stay. `Secrets`, `Store`.
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
    loop {
        let values = store.read_blocking(|tx| sealed::below(tx, &scope, number, VALUES_STEP))?;
        if values.is_empty() {
            break;
        }
        resealed += store.write_blocking(|tx| {
            tenant_keys::take_turn(tx, &scope)?;
            let mut count = 0;
            for value in &values {
                count += u64::from(reseal(tx, vault, scope, value, at)?);
            }
            Ok::<_, RotationError>(count)
        })?;
    }
    let at = now();
    store.write_blocking(|tx| {
        tenant_keys::take_turn(tx, &scope)?;
        // Whoever seals takes the same turn: what is under the new key now stays so.
        if !sealed::below(tx, &scope, number, 1)?.is_empty() {
            return Err(StoreError::Stale { what: "a sealed value" });
        }
        tenant_keys::remove_below(tx, &scope, number)?;
        let entry = audit::NewEntry {
            actor: "core".to_owned(),
            action: "data_key.rotated".to_owned(),
            subject: scope.tenant().to_string(),
            detail_json: json!({ "number": number }).to_string(),
            at,
        };
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
) -> Result<bool, RotationError> {
    let fresh = vault
        .open(tx, scope, &value.place, &value.value)
        .and_then(|plain| vault.seal(tx, scope, &value.place, &plain, now))
        .map_err(|source| RotationError::Value {
            tenant: scope.tenant().to_string(),
            place: value.place.to_string(),
            source,
        })?;
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
    let entry = audit::NewEntry {
        actor: "core".to_owned(),
        action: action.to_owned(),
        subject: subject.to_owned(),
        detail_json: detail.to_string(),
        at,
    };
    audit::append_platform(tx, platform, &entry).map(drop)
}
