//! What new payments of each plugin go through: the platform's rollouts, with the tenants of their canaries, and those that a
//! tenant has of its own plugins.

use std::collections::HashMap;

use diesel::prelude::*;
use saoma_domain::package::{Choice, ContentHash, Rollout};
use saoma_protocol::{Millis, TenantId};

use crate::{
    Owner, PlatformScope, StoreError, TenantScope, Tx, access,
    column::{Txt, signed, unsigned},
    dialect::{insert_all, insert_or_ignore, take_turn_named},
    plugin_owner::Key,
    reach::Reach,
    schema::{plugin_canaries, plugin_rollouts},
};

/// A rollout with what is kept beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRollout {
    /// Of a tenant's own plugin, the tenant.
    pub tenant: Option<TenantId>,
    pub plugin: String,
    pub rollout: Rollout,
    /// Who has the canary; nobody while there is none.
    pub canary_tenants: Vec<TenantId>,
    pub changed_at: Millis,
    pub changed_by: String,
}

/// Tenants of one canary, at most: a canary is few, and all of them are read whenever a node looks.
pub const CANARY_TENANTS_MAX: usize = 1_000;

/// One change of a plugin's rollout or packages after the other: two at once would each decide by what the other is about to end.
///
/// # Errors
/// None of its own.
pub fn take_turn(tx: &mut Tx<'_>, owner: &Owner, plugin: &str) -> Result<(), StoreError> {
    take_turn_named(
        tx,
        owner,
        &format!("rollout {} {plugin}", owner.tenant().map_or_else(String::new, |id| id.to_string())),
    )
}

/// By which versions of its rollouts a plugin serves a tenant; `None` where there is no rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Of the tenant's own rollout.
    pub own: Option<u64>,
    pub platform: Option<u64>,
}

/// The newest.
///
/// # Errors
/// None of its own.
pub fn versions_for(tx: &mut Tx<'_>, scope: &TenantScope, plugin: &str) -> Result<Versions, StoreError> {
    let own = Key(Some(scope.tenant()));
    // The platform's rows are nobody's secret, and a tenant's reach does not have them.
    let query = plugin_rollouts::table
        .filter(plugin_rollouts::tenant_id.eq_any([Txt(own), Txt(Key::PLATFORM)]))
        .filter(plugin_rollouts::plugin.eq(plugin))
        .select((plugin_rollouts::tenant_id, plugin_rollouts::version));
    let rows: Vec<(Txt<Key>, i64)> = tx.run(Reach::All, |conn| query.load(conn))?;
    let mut versions = Versions::default();
    for (whose, version) in rows {
        let of_whom = if whose.0.0.is_some() { &mut versions.own } else { &mut versions.platform };
        *of_whom = Some(unsigned(version)?);
    }
    Ok(versions)
}

/// Holds what a tenant was told of a plugin to what is rolled out now: whatever is written in this transaction was decided by those
/// versions, and no step is taken until it is over.
///
/// # Errors
/// `Stale` if there are other versions by now.
pub fn hold(tx: &mut Tx<'_>, scope: &TenantScope, plugin: &str, seen: Versions) -> Result<(), StoreError> {
    take_turn(tx, &Owner::Platform(access::process()), plugin)?;
    take_turn(tx, &Owner::Tenant(*scope), plugin)?;
    if versions_for(tx, scope, plugin)? == seen { Ok(()) } else { Err(StoreError::Stale { what: "the rollout" }) }
}

/// `None` for a plugin that nobody has rolled out.
///
/// # Errors
/// None of its own.
pub fn load(tx: &mut Tx<'_>, owner: &Owner, plugin: &str) -> Result<Option<StoredRollout>, StoreError> {
    let query = plugin_rollouts::table
        .filter(plugin_rollouts::tenant_id.eq(Txt(owner.key())))
        .filter(plugin_rollouts::plugin.eq(plugin));
    let row: Option<Row> = tx.run(owner, |conn| query.select(Row::as_select()).first(conn).optional())?;
    let Some(row) = row else { return Ok(None) };
    let mut stored = StoredRollout::try_from(row)?;
    if stored.tenant.is_none() && stored.rollout.canary.is_some() {
        stored.canary_tenants = canaries(tx, owner.into(), Some(plugin))?.remove(plugin).unwrap_or_default();
    }
    Ok(Some(stored))
}

/// The owner's, by plugin.
///
/// # Errors
/// None of its own.
pub fn list(tx: &mut Tx<'_>, owner: &Owner) -> Result<Vec<StoredRollout>, StoreError> {
    let query = plugin_rollouts::table
        .filter(plugin_rollouts::tenant_id.eq(Txt(owner.key())))
        .order(plugin_rollouts::plugin)
        .select(Row::as_select());
    let rows: Vec<Row> = tx.run(owner, |conn| query.load(conn))?;
    let canaries = if owner.tenant().is_none() { canaries(tx, owner.into(), None)? } else { HashMap::new() };
    joined(rows, canaries)
}

/// Everybody's: what a node looks at to serve them.
///
/// # Errors
/// None of its own.
pub fn all(tx: &mut Tx<'_>, platform: &PlatformScope) -> Result<Vec<StoredRollout>, StoreError> {
    let query =
        plugin_rollouts::table.order((plugin_rollouts::tenant_id, plugin_rollouts::plugin)).select(Row::as_select());
    let rows: Vec<Row> = tx.run(platform, |conn| query.load(conn))?;
    let canaries = canaries(tx, platform.into(), None)?;
    joined(rows, canaries)
}

/// What a tenant's new payments of a plugin go through, as the rollouts say: its own goes before the platform's, which goes before what
/// is built in. Whether this node could load it is another matter.
///
/// # Errors
/// None of its own.
pub fn choice_for(tx: &mut Tx<'_>, scope: &TenantScope, plugin: &str) -> Result<Choice, StoreError> {
    let owner = Owner::Tenant(*scope);
    let own = load(tx, &owner, plugin)?.map(|stored| stored.rollout.stable);
    if let Some(package @ Choice::Package(_)) = own {
        return Ok(package);
    }
    // The platform's rows are nobody's secret, and a tenant's reach does not have them.
    let query = plugin_rollouts::table
        .filter(plugin_rollouts::tenant_id.eq(Txt(Key::PLATFORM)))
        .filter(plugin_rollouts::plugin.eq(plugin));
    let row: Option<Row> = tx.run(Reach::All, |conn| query.select(Row::as_select()).first(conn).optional())?;
    let Some(row) = row else { return Ok(Choice::BuiltIn) };
    let Some(canary) = row.canary else { return Ok(row.stable.0) };
    let among = plugin_canaries::table
        .filter(plugin_canaries::plugin.eq(plugin))
        .filter(plugin_canaries::tenant_id.eq(Txt(scope.tenant())));
    let n: i64 = tx.run(Reach::All, |conn| among.count().get_result(conn))?;
    Ok(if n > 0 { Choice::Package(canary.0) } else { row.stable.0 })
}

/// Saves a rollout that was decided on from the one before: its version is one more than that had.
///
/// # Errors
/// `Stale` if the row has another version than the one before, `Limit` for too many tenants of a canary.
pub fn save(tx: &mut Tx<'_>, owner: &Owner, next: &StoredRollout) -> Result<(), StoreError> {
    if next.canary_tenants.len() > CANARY_TENANTS_MAX {
        return Err(StoreError::Limit { what: "tenants of a canary", max: CANARY_TENANTS_MAX as u64 });
    }
    let rollout = &next.rollout;
    let changes = (
        plugin_rollouts::stable.eq(Txt(rollout.stable)),
        plugin_rollouts::previous.eq(rollout.previous.map(Txt)),
        plugin_rollouts::canary.eq(rollout.canary.map(Txt)),
        plugin_rollouts::version.eq(signed(rollout.version)),
        plugin_rollouts::changed_at.eq(next.changed_at.0),
        plugin_rollouts::changed_by.eq(&next.changed_by),
    );
    let key = (plugin_rollouts::tenant_id.eq(Txt(owner.key())), plugin_rollouts::plugin.eq(&next.plugin));
    let saved = if rollout.version == 1 {
        insert_or_ignore!(tx, owner, plugin_rollouts::table, (key, changes))?
    } else {
        let before = plugin_rollouts::table
            .filter(plugin_rollouts::tenant_id.eq(Txt(owner.key())))
            .filter(plugin_rollouts::plugin.eq(&next.plugin))
            .filter(plugin_rollouts::version.eq(signed(rollout.version.saturating_sub(1))));
        tx.run(owner, |conn| diesel::update(before).set(changes).execute(conn))?
    };
    if saved == 0 {
        return Err(StoreError::Stale { what: "the rollout" });
    }
    if owner.tenant().is_some() {
        return Ok(());
    }
    let before = plugin_canaries::table.filter(plugin_canaries::plugin.eq(&next.plugin));
    tx.run(owner, |conn| diesel::delete(before).execute(conn))?;
    let rows: Vec<_> = next
        .canary_tenants
        .iter()
        .map(|tenant| (plugin_canaries::plugin.eq(&next.plugin), plugin_canaries::tenant_id.eq(Txt(*tenant))))
        .collect();
    if !rows.is_empty() {
        insert_all!(tx, owner, plugin_canaries::table, &rows)?;
    }
    Ok(())
}

/// By plugin.
fn canaries(tx: &mut Tx<'_>, reach: Reach, plugin: Option<&str>) -> Result<HashMap<String, Vec<TenantId>>, StoreError> {
    let mut query = plugin_canaries::table
        .order((plugin_canaries::plugin, plugin_canaries::tenant_id))
        .select((plugin_canaries::plugin, plugin_canaries::tenant_id))
        .into_boxed();
    if let Some(plugin) = plugin {
        query = query.filter(plugin_canaries::plugin.eq(plugin));
    }
    let rows: Vec<(String, Txt<TenantId>)> = tx.run(reach, |conn| query.load(conn))?;
    let mut canaries: HashMap<String, Vec<TenantId>> = HashMap::new();
    for (plugin, tenant) in rows {
        canaries.entry(plugin).or_default().push(tenant.0);
    }
    Ok(canaries)
}

fn joined(rows: Vec<Row>, mut canaries: HashMap<String, Vec<TenantId>>) -> Result<Vec<StoredRollout>, StoreError> {
    rows.into_iter()
        .map(|row| {
            let mut stored = StoredRollout::try_from(row)?;
            if stored.tenant.is_none() {
                stored.canary_tenants = canaries.remove(&stored.plugin).unwrap_or_default();
            }
            Ok(stored)
        })
        .collect()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = plugin_rollouts)]
struct Row {
    tenant_id: Txt<Key>,
    plugin: String,
    stable: Txt<Choice>,
    previous: Option<Txt<Choice>>,
    canary: Option<Txt<ContentHash>>,
    version: i64,
    changed_at: i64,
    changed_by: String,
}

impl TryFrom<Row> for StoredRollout {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant_id.0.0,
            plugin: row.plugin,
            rollout: Rollout {
                stable: row.stable.0,
                previous: row.previous.map(|previous| previous.0),
                canary: row.canary.map(|canary| canary.0),
                version: unsigned(row.version)?,
            },
            canary_tenants: Vec::new(),
            changed_at: Millis(row.changed_at),
            changed_by: row.changed_by,
        })
    }
}
