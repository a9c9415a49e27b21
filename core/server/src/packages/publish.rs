//! Trusting publishers, and taking in what they have signed.

use saoma_channels::{
    ContentHash, Whose,
    package::{Kind, Publisher as PublicKey, Said, Vetted, vet},
};
use saoma_store::{
    Insertion, Owner, Principal, StoreError, Tx, access,
    plugin_packages::{self, Package},
    plugin_publishers::{self, Publisher},
    plugin_rollouts,
};
use serde_json::json;

use super::{NOBODY, PackageError, note, owner_of};
use crate::app::App;

/// Packages of one tenant that are not retired: each costs as much room as its component has, at most 64 MiB.
pub const PACKAGES_PER_TENANT_MAX: u64 = 50;

/// Packages that one tenant ever publishes: of a retired one a row stays, with an envelope of at most 256 KiB.
pub const PACKAGES_EVER_PER_TENANT_MAX: u64 = 1_000;

/// Trusts a key from now on. The same key again is the same answer.
///
/// # Errors
/// `Revoked` for a key that was revoked before, `Store`.
pub async fn trust(app: &App, who: Principal, key: PublicKey, name: String) -> Result<Publisher, PackageError> {
    let owner = owner_of(&who).ok_or(NOBODY)?;
    let publisher = Publisher {
        key_id: key.key_id(),
        name,
        public_key: key.to_pem(),
        trusted_at: app.now(),
        trusted_by: who.actor(),
        revoked_at: None,
    };
    let work = move |tx: &mut Tx<'_>| {
        if plugin_publishers::trust(tx, &owner, &publisher)? == Insertion::Inserted {
            let detail = json!({ "name": publisher.name });
            note(tx, &owner, &who, "plugin_publisher.trusted", &publisher.key_id, &detail, publisher.trusted_at)?;
        }
        let stored = plugin_publishers::load(tx, &owner, &publisher.key_id)?;
        if stored.revoked_at.is_some() {
            return Err(PackageError::Revoked(stored.key_id));
        }
        Ok(stored)
    };
    app.store().write(work).await
}

/// What the key signed is not taken in or rolled out any more. What runs already goes on: payments hang on it. Roll it back.
///
/// # Errors
/// `Store` (`NotFound`).
pub async fn revoke(app: &App, who: Principal, key_id: String) -> Result<Publisher, PackageError> {
    let (owner, now) = (owner_of(&who).ok_or(NOBODY)?, app.now());
    let work = move |tx: &mut Tx<'_>| {
        if plugin_publishers::load(tx, &owner, &key_id)?.revoked_at.is_none() {
            plugin_publishers::revoke(tx, &owner, &key_id, now)?;
            note(tx, &owner, &who, "plugin_publisher.revoked", &key_id, &json!({}), now)?;
        }
        plugin_publishers::load(tx, &owner, &key_id)
    };
    Ok(app.store().write(work).await?)
}

/// Whom an owner trusts: itself, and a tenant the platform too, but for keys that the tenant has revoked.
pub(super) fn trusted(tx: &mut Tx<'_>, owner: &Owner) -> Result<Vec<Publisher>, StoreError> {
    let mut all = plugin_publishers::list(tx, owner)?;
    if owner.tenant().is_some() {
        let of_platform = plugin_publishers::list(tx, &Owner::Platform(access::process()))?;
        let others: Vec<_> =
            of_platform.into_iter().filter(|theirs| all.iter().all(|own| own.key_id != theirs.key_id)).collect();
        all.extend(others);
    }
    all.retain(|publisher| publisher.revoked_at.is_none());
    Ok(all)
}

/// Takes a package in: vetted, compiled once to hear what it says of itself, stored. It serves nobody until it is rolled out.
/// The same package again is the same answer, also after an upgrade: it is not judged by a newer kit; whether it is new comes with it.
/// Signed by another, once its first publisher is not trusted any more, it is that one's.
///
/// # Errors
/// `Vet`, `IdTaken`, `KindTaken`, `KindInFolder`, `NotHere` (of another version), `Retired`, `Install`, `TooMany`, `TooManyEver`, `Store`
/// (`Conflict` if the version was published with other bytes).
pub async fn publish(
    app: &App,
    who: Principal,
    component: Vec<u8>,
    envelope: String,
) -> Result<(Package, bool), PackageError> {
    let owner = owner_of(&who).ok_or(NOBODY)?;
    let hash = ContentHash::of(&component);
    let sent = envelope.clone();
    let known = move |tx: &mut Tx<'_>| {
        let publishers = trusted(tx, &owner)?;
        let before = published_before(tx, &owner, hash, &sent, &publishers)?;
        Ok::<_, PackageError>((publishers, before))
    };
    let (publishers, before) = app.store().read(known).await?;
    if let Some(package) = before {
        let is_taken = owner.tenant().is_some() && is_platforms(app, &package.plugin).await?;
        return if is_taken { Err(PackageError::IdTaken(package.plugin)) } else { Ok((package, false)) };
    }
    let keys = publishers.iter().filter_map(|known| PublicKey::from_pem(known.public_key.as_bytes()).ok()).collect();
    let (vetted, component, envelope) = vetted(component, envelope, keys).await?;
    let plugin = vetted.plugin().to_owned();
    if owner.tenant().is_some() && is_platforms(app, &plugin).await? {
        return Err(PackageError::IdTaken(plugin));
    }
    let (kind, built_in) = (vetted.kind(), built_in(app, &plugin));
    // Before it is compiled, which can take half a minute.
    let (of_plugin, version) = (plugin.clone(), vetted.version().to_string());
    let may_come = move |tx: &mut Tx<'_>| {
        check_kind(tx, &owner, &of_plugin, kind, built_in)?;
        if plugin_packages::is_new(tx, &owner, hash, &of_plugin, &version)? {
            check_room(tx, &owner, 1)?;
        } else {
            current(tx, &owner, hash)?;
        }
        Ok::<_, PackageError>(())
    };
    app.store().read(may_come).await?;
    // Nobody calls it until it is rolled out; until then it is freed like any that nobody wants.
    app.serving().note_used(hash);
    let whose = if owner.tenant().is_some() { Whose::Tenants } else { Whose::Everybodys };
    app.channels().install_vetted(&vetted, &component, whose).await?;
    let package = Package {
        hash,
        plugin,
        version: vetted.version().to_string(),
        contract: vetted.contract().to_owned(),
        publisher: vetted.key_id().to_owned(),
        component_bytes: component.len() as u64,
        published_at: app.now(),
        published_by: who.actor(),
        retired_at: None,
        successor: None,
        envelope,
    };
    let work = move |tx: &mut Tx<'_>| {
        plugin_rollouts::take_turn(tx, &owner, &package.plugin)?;
        check_kind(tx, &owner, &package.plugin, kind, built_in)?;
        let inserted = plugin_packages::publish(tx, &owner, &package, &component)?;
        if inserted == Insertion::Inserted {
            check_room(tx, &owner, 0)?;
            let detail = json!({
                "plugin": package.plugin, "version": package.version, "contract": package.contract,
                "publisher": package.publisher, "bytes": package.component_bytes,
            });
            note(tx, &owner, &who, "plugin_package.published", &hash, &detail, package.published_at)?;
        } else {
            let stored = current(tx, &owner, hash)?;
            let is_trusted = trusted(tx, &owner)?.iter().any(|publisher| publisher.key_id == stored.publisher);
            // Its first publisher was revoked, and another vouches for the same bytes.
            if stored.publisher != package.publisher && !is_trusted {
                plugin_packages::sign_anew(tx, &owner, hash, &package.publisher, &package.envelope)?;
                let detail = json!({ "publisher": package.publisher, "before": stored.publisher });
                note(tx, &owner, &who, "plugin_package.signed_anew", &hash, &detail, package.published_at)?;
            }
        }
        Ok::<_, PackageError>((plugin_packages::load(tx, &owner, hash)?, inserted == Insertion::Inserted))
    };
    let published = app.store().write(work).await?;
    app.channels().keep_code(hash).await;
    Ok(published)
}

/// What a package is: its publisher's word, which its component was held to when it was published. `None`: this release cannot read
/// the envelope, which one after it took in.
#[must_use]
pub fn kind_of(package: &Package) -> Option<Kind> {
    Said::read(package.envelope.as_bytes()).ok().map(|said| said.kind)
}

/// [`kind_of`], of what nothing may be decided about without it.
///
/// # Errors
/// `NotHere`.
pub(super) fn known_kind_of(package: &Package) -> Result<Kind, PackageError> {
    let why = || "this release cannot read its envelope".to_owned();
    kind_of(package).ok_or_else(|| PackageError::NotHere { hash: package.hash, why: why() })
}

/// What lies in the operator's folder under that id.
#[must_use]
pub fn built_in(app: &App, plugin: &str) -> Option<Kind> {
    let channel = app.channels().manifest(plugin).map(|_| Kind::Channel);
    channel.or_else(|| app.channels().extension(plugin).map(|_| Kind::Rules))
}

/// One id is that of a channel or of rules, in all its versions: of what was published, what is rolled out, and what lies in the
/// folder, which the operator may have filled later.
///
/// # Errors
/// `KindTaken`, `KindInFolder`, `NotHere`.
pub(super) fn check_kind(
    tx: &mut Tx<'_>,
    owner: &Owner,
    plugin: &str,
    given: Kind,
    in_folder: Option<Kind>,
) -> Result<(), PackageError> {
    let rollout = plugin_rollouts::load(tx, owner, plugin)?;
    let stable = match rollout.and_then(|stored| stored.rollout.stable.package()) {
        Some(hash) => Some(plugin_packages::load(tx, owner, hash)?),
        None => None,
    };
    for package in stable.into_iter().chain(plugin_packages::newest(tx, owner, plugin)?) {
        let taken_by = known_kind_of(&package)?;
        if taken_by != given {
            return Err(PackageError::KindTaken { plugin: plugin.to_owned(), taken_by, given });
        }
    }
    match in_folder {
        Some(in_folder) if in_folder != given => {
            Err(PackageError::KindInFolder { plugin: plugin.to_owned(), in_folder, given })
        }
        _ => Ok(()),
    }
}

/// What was published under this very envelope, by a key that is trusted still.
///
/// # Errors
/// `Retired`, `Store`.
fn published_before(
    tx: &mut Tx<'_>,
    owner: &Owner,
    hash: ContentHash,
    envelope: &str,
    publishers: &[Publisher],
) -> Result<Option<Package>, PackageError> {
    let package = match current(tx, owner, hash) {
        Err(PackageError::Store(StoreError::NotFound { .. })) => return Ok(None),
        package => package?,
    };
    let is_same = package.envelope == envelope && publishers.iter().any(|known| known.key_id == package.publisher);
    Ok(is_same.then_some(package))
}

/// A package that was published before. What is retired stays so: its bytes are gone, and are not compiled again.
///
/// # Errors
/// `Retired`, `Store` (`NotFound`).
fn current(tx: &mut Tx<'_>, owner: &Owner, hash: ContentHash) -> Result<Package, PackageError> {
    let package = plugin_packages::load(tx, owner, hash)?;
    if package.retired_at.is_some() { Err(PackageError::Retired(hash)) } else { Ok(package) }
}

/// Whether the owner may have so many more than there are.
fn check_room(tx: &mut Tx<'_>, owner: &Owner, more: u64) -> Result<(), PackageError> {
    if owner.tenant().is_none() {
        return Ok(());
    }
    if plugin_packages::count_ever(tx, owner)? + more > PACKAGES_EVER_PER_TENANT_MAX {
        return Err(PackageError::TooManyEver);
    }
    if plugin_packages::count(tx, owner)? + more > PACKAGES_PER_TENANT_MAX {
        return Err(PackageError::TooMany);
    }
    Ok(())
}

/// Hashing and checking tens of megabytes is not for a thread that serves others.
async fn vetted(
    component: Vec<u8>,
    envelope: String,
    keys: Vec<PublicKey>,
) -> Result<(Vetted, Vec<u8>, String), PackageError> {
    let work = move || vet(&component, envelope.as_bytes(), &keys).map(|vetted| (vetted, component, envelope));
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(error) => Err(StoreError::Internal { why: error.to_string() }.into()),
    }
}

/// Whether a plugin's id is the platform's: built in, or published by it. A tenant's package of that name would be taken for it.
async fn is_platforms(app: &App, plugin: &str) -> Result<bool, StoreError> {
    if plugin == CASH || built_in(app, plugin).is_some() {
        return Ok(true);
    }
    let plugin = plugin.to_owned();
    app.store().read(move |tx| plugin_packages::is_of_platform(tx, &plugin)).await
}

/// What payments without a channel have in the place of a plugin.
const CASH: &str = "cash";
