//! Published packages of plugins, and which of them each payment goes through.
//!
//! A payment that can still be asked about or given back must find the package that began it, so none is ever taken away but one that is
//! retired: it hands its payments to a successor, nothing calls it any more, and its bytes are deleted. Its row stays, and with it its
//! version and what was signed. A component has megabytes and is read by [`component`] alone.

use std::collections::HashSet;

use diesel::prelude::*;
use saoma_domain::package::{Choice, ContentHash};
use saoma_protocol::{Millis, PaymentId};

use crate::{
    Insertion, Owner, PlatformScope, StoreError, TenantScope, Tx,
    column::{Txt, corrupt, found, millis, moment, signed, unsigned},
    dialect::insert_or_ignore,
    plugin_owner::Key,
    reach::Reach,
    schema::{payment_packages, plugin_packages},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub hash: ContentHash,
    /// The plugin's id.
    pub plugin: String,
    pub version: String,
    /// The version of the contract that it was built for.
    pub contract: String,
    /// The key that signed it.
    pub publisher: String,
    pub component_bytes: u64,
    pub published_at: Millis,
    pub published_by: String,
    pub retired_at: Option<Millis>,
    /// Of a retired one, what its payments go through.
    pub successor: Option<Choice>,
    /// The signed statement, as it was published.
    pub envelope: String,
}

/// What a package is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pub bytes: Vec<u8>,
    /// Published by the platform, for every tenant; else by tenants for themselves.
    pub is_of_platform: bool,
}

/// The same component again, of the same owner, is `Existing`.
///
/// # Errors
/// `Conflict` if that version of the plugin was published with another component.
pub fn publish(tx: &mut Tx<'_>, owner: &Owner, package: &Package, component: &[u8]) -> Result<Insertion, StoreError> {
    if exists(tx, owner, package.hash)? {
        return Ok(Insertion::Existing);
    }
    let row = Row {
        tenant_id: Txt(owner.key()),
        content_hash: Txt(package.hash),
        plugin: package.plugin.clone(),
        version: package.version.clone(),
        contract: package.contract.clone(),
        publisher: package.publisher.clone(),
        component_bytes: signed(package.component_bytes),
        published_at: package.published_at.0,
        published_by: package.published_by.clone(),
        retired_at: moment(package.retired_at),
        successor: package.successor.map(Txt),
        envelope: package.envelope.clone(),
    };
    let values = (&row, plugin_packages::component.eq(component));
    match insert_or_ignore!(tx, owner, plugin_packages::table, values)? {
        0 if exists(tx, owner, package.hash)? => Ok(Insertion::Existing),
        0 => Err(StoreError::Conflict { what: "this version of the plugin" }),
        _ => Ok(Insertion::Inserted),
    }
}

/// Whether the owner has not published this component yet, and may.
///
/// # Errors
/// `Conflict` as [`publish`].
pub fn is_new(
    tx: &mut Tx<'_>,
    owner: &Owner,
    hash: ContentHash,
    plugin: &str,
    version: &str,
) -> Result<bool, StoreError> {
    if exists(tx, owner, hash)? {
        return Ok(false);
    }
    let same = plugin_packages::table
        .filter(plugin_packages::tenant_id.eq(Txt(owner.key())))
        .filter(plugin_packages::plugin.eq(plugin))
        .filter(plugin_packages::version.eq(version));
    match tx.run(owner, |conn| same.count().get_result::<i64>(conn))? {
        0 => Ok(true),
        _ => Err(StoreError::Conflict { what: "this version of the plugin" }),
    }
}

/// Another publisher vouches for the same component.
///
/// # Errors
/// `NotFound`.
pub fn sign_anew(
    tx: &mut Tx<'_>,
    owner: &Owner,
    hash: ContentHash,
    publisher: &str,
    envelope: &str,
) -> Result<(), StoreError> {
    let changes = (plugin_packages::publisher.eq(publisher), plugin_packages::envelope.eq(envelope));
    let n = tx.run(owner, |conn| diesel::update(row_of(owner.key(), hash)).set(changes).execute(conn))?;
    found(n, "the package")
}

fn exists(tx: &mut Tx<'_>, owner: &Owner, hash: ContentHash) -> Result<bool, StoreError> {
    let n: i64 = tx.run(owner, |conn| row_of(owner.key(), hash).count().get_result(conn))?;
    Ok(n > 0)
}

/// # Errors
/// `NotFound` if the owner has published no such package.
pub fn load(tx: &mut Tx<'_>, owner: &Owner, hash: ContentHash) -> Result<Package, StoreError> {
    at(tx, owner.into(), owner.key(), hash)?.ok_or(NO_PACKAGE)
}

/// The package as this owner may use it: its own, or the platform's.
///
/// # Errors
/// `NotFound`.
pub fn usable(tx: &mut Tx<'_>, owner: &Owner, hash: ContentHash) -> Result<Package, StoreError> {
    if let Some(own) = at(tx, owner.into(), owner.key(), hash)? {
        return Ok(own);
    }
    // The platform's rows are nobody's secret, and a tenant's reach does not have them.
    at(tx, Reach::All, Key::PLATFORM, hash)?.ok_or(NO_PACKAGE)
}

/// What the owner has published, newest first.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, owner: &Owner) -> Result<Vec<Package>, StoreError> {
    let rows: Vec<Row> = tx.run(owner, |conn| {
        plugin_packages::table
            .filter(plugin_packages::tenant_id.eq(Txt(owner.key())))
            .order((plugin_packages::published_at.desc(), plugin_packages::content_hash))
            .select(Row::as_select())
            .load(conn)
    })?;
    rows.into_iter().map(Package::try_from).collect()
}

/// What the owner published last of that plugin; `None` if nothing.
///
/// # Errors
/// None of its own.
pub fn newest(tx: &mut Tx<'_>, owner: &Owner, plugin: &str) -> Result<Option<Package>, StoreError> {
    let row: Option<Row> = tx.run(owner, |conn| {
        plugin_packages::table
            .filter(plugin_packages::tenant_id.eq(Txt(owner.key())))
            .filter(plugin_packages::plugin.eq(plugin))
            .order((plugin_packages::published_at.desc(), plugin_packages::content_hash))
            .select(Row::as_select())
            .first(conn)
            .optional()
    })?;
    row.map(Package::try_from).transpose()
}

/// How many packages of the owner's there are that are not retired.
///
/// # Errors
/// None of its own.
pub fn count(tx: &mut Tx<'_>, owner: &Owner) -> Result<u64, StoreError> {
    let own = plugin_packages::table
        .filter(plugin_packages::tenant_id.eq(Txt(owner.key())))
        .filter(plugin_packages::retired_at.is_null());
    let n: i64 = tx.run(owner, |conn| own.count().get_result(conn))?;
    unsigned(n)
}

/// How many packages the owner has ever published, retired ones included.
///
/// # Errors
/// None of its own.
pub fn count_ever(tx: &mut Tx<'_>, owner: &Owner) -> Result<u64, StoreError> {
    let own = plugin_packages::table.filter(plugin_packages::tenant_id.eq(Txt(owner.key())));
    let n: i64 = tx.run(owner, |conn| own.count().get_result(conn))?;
    unsigned(n)
}

/// Every package, of whomever, that is not retired: what this node may have to call.
///
/// # Errors
/// None of its own.
pub fn callable(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<HashSet<ContentHash>, StoreError> {
    let hashes: Vec<Txt<ContentHash>> = tx.run(platform, |conn| {
        plugin_packages::table
            .filter(plugin_packages::retired_at.is_null())
            .select(plugin_packages::content_hash)
            .load(conn)
    })?;
    Ok(hashes.into_iter().map(|hash| hash.0).collect())
}

/// Whether the platform has published a package of this plugin: then no tenant may.
///
/// # Errors
/// None of its own.
pub fn is_of_platform(tx: &mut Tx<'_>, plugin: &str) -> Result<bool, StoreError> {
    let its = plugin_packages::table
        .filter(plugin_packages::tenant_id.eq(Txt(Key::PLATFORM)))
        .filter(plugin_packages::plugin.eq(plugin));
    let n: i64 = tx.run(Reach::All, |conn| its.count().get_result(conn))?;
    Ok(n > 0)
}

/// The bytes, whoever published them: they are named by what they are.
///
/// # Errors
/// `NotFound`, also if it is retired.
pub fn component(tx: &mut Tx<'_>, platform: &PlatformScope, hash: ContentHash) -> Result<Component, StoreError> {
    let callable = || {
        plugin_packages::table
            .filter(plugin_packages::content_hash.eq(Txt(hash)))
            .filter(plugin_packages::retired_at.is_null())
    };
    let of_platform = callable().filter(plugin_packages::tenant_id.eq(Txt(Key::PLATFORM)));
    let n_of_platform: i64 = tx.run(platform, |conn| of_platform.count().get_result(conn))?;
    let component = callable().select(plugin_packages::component);
    let bytes: Option<Vec<u8>> = tx.run(platform, |conn| component.first(conn).optional())?;
    Ok(Component { bytes: bytes.ok_or(NO_PACKAGE)?, is_of_platform: n_of_platform > 0 })
}

/// From now on its payments go through the successor, and nothing else does go through it: its bytes are of no more use. Those that
/// had been handed to it before go to the successor as well, so that a payment's way never grows.
///
/// # Errors
/// `NotFound`, `Stale` if it is retired already.
pub fn retire(
    tx: &mut Tx<'_>,
    owner: &Owner,
    hash: ContentHash,
    successor: Choice,
    now: Millis,
) -> Result<(), StoreError> {
    if load(tx, owner, hash)?.retired_at.is_some() {
        return Err(StoreError::Stale { what: "the package" });
    }
    let changes = (
        plugin_packages::retired_at.eq(now.0),
        plugin_packages::successor.eq(Txt(successor)),
        plugin_packages::component.eq(Vec::<u8>::new()),
    );
    let n = tx.run(owner, |conn| diesel::update(row_of(owner.key(), hash)).set(changes).execute(conn))?;
    found(n, "the package")?;
    let handed_to_it = plugin_packages::table
        .filter(plugin_packages::tenant_id.eq(Txt(owner.key())))
        .filter(plugin_packages::successor.eq(Txt(Choice::Package(hash))));
    let go_on = plugin_packages::successor.eq(Txt(successor));
    tx.run(owner, |conn| diesel::update(handed_to_it).set(go_on).execute(conn)).map(drop)
}

/// Binds a payment to a package. In the transaction that makes the payment: before anything of it is sent.
///
/// # Errors
/// `Stale` if the package is retired: a node that has not heard of it yet must not send through what nobody asks any more.
pub fn bind(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId, package: ContentHash) -> Result<(), StoreError> {
    if usable(tx, &Owner::Tenant(*scope), package)?.retired_at.is_some() {
        return Err(StoreError::Stale { what: "the plugin's package" });
    }
    let row = (
        payment_packages::tenant_id.eq(Txt(scope.tenant())),
        payment_packages::payment_id.eq(Txt(payment)),
        payment_packages::package.eq(Txt(package)),
    );
    tx.run(scope, |conn| diesel::insert_into(payment_packages::table).values(row).execute(conn)).map(drop)
}

/// Binds a payment of which nothing was ever sent to what new ones go through now, whatever it was bound to.
///
/// # Errors
/// `Stale` as [`bind`].
pub fn bind_anew(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId, choice: Choice) -> Result<(), StoreError> {
    let before = payment_packages::table
        .filter(payment_packages::tenant_id.eq(Txt(scope.tenant())))
        .filter(payment_packages::payment_id.eq(Txt(payment)));
    tx.run(scope, |conn| diesel::delete(before).execute(conn))?;
    match choice {
        Choice::BuiltIn => Ok(()),
        Choice::Package(package) => bind(tx, scope, payment, package),
    }
}

/// What calls about a payment go through: the package that it began with, or the successor of that, if it was retired.
///
/// # Errors
/// `Corrupt` for successors that lead in a circle.
pub fn of_payment(tx: &mut Tx<'_>, scope: &TenantScope, payment: PaymentId) -> Result<Choice, StoreError> {
    let bound: Option<Txt<ContentHash>> = tx.run(scope, |conn| {
        payment_packages::table
            .filter(payment_packages::tenant_id.eq(Txt(scope.tenant())))
            .filter(payment_packages::payment_id.eq(Txt(payment)))
            .select(payment_packages::package)
            .first(conn)
            .optional()
    })?;
    let mut choice = bound.map_or(Choice::BuiltIn, |bound| Choice::Package(bound.0));
    let mut seen = HashSet::new();
    while let Choice::Package(hash) = choice {
        if !seen.insert(hash) {
            return Err(corrupt(format!("the successors of the package {hash} lead in a circle")));
        }
        match usable(tx, &Owner::Tenant(*scope), hash)?.successor {
            Some(successor) => choice = successor,
            None => break,
        }
    }
    Ok(choice)
}

/// How many payments were begun with this package, of whomever.
///
/// # Errors
/// None of its own.
pub fn payments_of(tx: &mut Tx<'_>, owner: &Owner, hash: ContentHash) -> Result<u64, StoreError> {
    let its = payment_packages::table.filter(payment_packages::package.eq(Txt(hash)));
    let n: i64 = match owner.tenant() {
        Some(tenant) => {
            let its = its.filter(payment_packages::tenant_id.eq(Txt(tenant)));
            tx.run(owner, |conn| its.count().get_result(conn))?
        }
        None => tx.run(owner, |conn| its.count().get_result(conn))?,
    };
    unsigned(n)
}

const NO_PACKAGE: StoreError = StoreError::NotFound { what: "the package" };

fn at(tx: &mut Tx<'_>, reach: Reach, key: Key, hash: ContentHash) -> Result<Option<Package>, StoreError> {
    let row: Option<Row> = tx.run(reach, |conn| row_of(key, hash).select(Row::as_select()).first(conn).optional())?;
    row.map(Package::try_from).transpose()
}

#[diesel::dsl::auto_type(no_type_alias)]
fn row_of(key: Key, hash: ContentHash) -> _ {
    let key: Txt<Key> = Txt(key);
    let hash: Txt<ContentHash> = Txt(hash);
    plugin_packages::table.filter(plugin_packages::tenant_id.eq(key)).filter(plugin_packages::content_hash.eq(hash))
}

/// All but the component.
#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = plugin_packages)]
struct Row {
    tenant_id: Txt<Key>,
    content_hash: Txt<ContentHash>,
    plugin: String,
    version: String,
    contract: String,
    publisher: String,
    component_bytes: i64,
    published_at: i64,
    published_by: String,
    retired_at: Option<i64>,
    successor: Option<Txt<Choice>>,
    envelope: String,
}

impl TryFrom<Row> for Package {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            hash: row.content_hash.0,
            plugin: row.plugin,
            version: row.version,
            contract: row.contract,
            publisher: row.publisher,
            component_bytes: unsigned(row.component_bytes)?,
            published_at: Millis(row.published_at),
            published_by: row.published_by,
            retired_at: millis(row.retired_at),
            successor: row.successor.map(|successor| successor.0),
            envelope: row.envelope,
        })
    }
}
