//! Stored value that is spent without a network: the tenant's policy, its keys, what was granted and what became of it.

pub mod grants;
pub mod issuers;
pub(crate) mod schema;
pub mod spends;

use diesel::prelude::*;
use saoma_protocol::{ChannelAccountId, Millis, TenantId, api::OfflineLimits};

use self::schema::offline_policies as policies;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, found, signed, unsigned},
    dialect::insert_or_ignore,
};

/// What a tenant's terminals may take offline. All limits are positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// New codes are taken and new grants made.
    pub enabled: bool,
    /// Whose payments these sales are.
    pub channel_account: ChannelAccountId,
    /// Under which name the issuer counts them, where the account's settings name none.
    pub acceptor: String,
    pub limits: OfflineLimits,
    /// 1 when it was first set; each save adds one.
    pub version: u64,
    pub updated_at: Millis,
}

/// # Errors
/// None of its own.
pub fn policy(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<Policy>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| of_tenant(scope).select(Row::as_select()).first(conn).optional())?;
    row.map(Policy::try_from).transpose()
}

/// Sets the policy if `policy.version` is that of the one there is (0: there is none), which is one higher afterwards.
///
/// # Errors
/// `Stale` if it is not.
pub fn set_policy(tx: &mut Tx<'_>, scope: &TenantScope, policy: &mut Policy) -> Result<(), StoreError> {
    let row = Row::new(scope, policy);
    let n = if policy.version == 0 {
        insert_or_ignore!(tx, scope, policies::table, &row)?
    } else {
        let as_loaded = of_tenant(scope).filter(policies::version.eq(signed(policy.version)));
        tx.run(scope, |conn| diesel::update(as_loaded).set(&row).execute(conn))?
    };
    found(n, "the policy").map_err(|_| StoreError::Stale { what: "the policy" })?;
    policy.version += 1;
    Ok(())
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_tenant(scope: &TenantScope) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    policies::table.filter(policies::tenant_id.eq(tenant))
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = policies)]
#[diesel(primary_key(tenant_id))]
struct Row {
    tenant_id: Txt<TenantId>,
    enabled: bool,
    channel_account_id: Txt<ChannelAccountId>,
    acceptor: String,
    sale_minor_max: i64,
    grant_day_count_max: i64,
    unsent_minor_max: i64,
    unsent_count_max: i64,
    unsent_hours_max: i64,
    list_hours_max: i64,
    version: i64,
    updated_at: i64,
}

impl Row {
    fn new(scope: &TenantScope, policy: &Policy) -> Self {
        let OfflineLimits {
            sale_minor_max,
            grant_day_count_max,
            unsent_minor_max,
            unsent_count_max,
            unsent_hours_max,
            list_hours_max,
        } = policy.limits;
        Self {
            tenant_id: Txt(scope.tenant()),
            enabled: policy.enabled,
            channel_account_id: Txt(policy.channel_account),
            acceptor: policy.acceptor.clone(),
            sale_minor_max,
            grant_day_count_max: grant_day_count_max.into(),
            unsent_minor_max,
            unsent_count_max: unsent_count_max.into(),
            unsent_hours_max: unsent_hours_max.into(),
            list_hours_max: list_hours_max.into(),
            version: signed(policy.version + 1),
            updated_at: policy.updated_at.0,
        }
    }
}

impl TryFrom<Row> for Policy {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        let limits = OfflineLimits {
            sale_minor_max: row.sale_minor_max,
            grant_day_count_max: small(row.grant_day_count_max)?,
            unsent_minor_max: row.unsent_minor_max,
            unsent_count_max: small(row.unsent_count_max)?,
            unsent_hours_max: small(row.unsent_hours_max)?,
            list_hours_max: small(row.list_hours_max)?,
        };
        Ok(Self {
            enabled: row.enabled,
            channel_account: row.channel_account_id.0,
            acceptor: row.acceptor,
            limits,
            version: unsigned(row.version)?,
            updated_at: Millis(row.updated_at),
        })
    }
}

pub(crate) fn small<T: TryFrom<i64>>(number: i64) -> Result<T, StoreError> {
    T::try_from(number).map_err(|_| crate::column::corrupt(format!("a number that is {number}")))
}
