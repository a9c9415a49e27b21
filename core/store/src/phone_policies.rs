//! Where a merchant's terminals with no network may show codes that the customer's phone carries to core.

use diesel::prelude::*;
use saoma_protocol::{ChannelAccountId, Millis, TenantId};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, found, millis, moment, signed, unsigned},
    dialect::insert_or_ignore,
    schema::phone_policies as policies,
    stored_value::offline::small,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    /// By which customers pay.
    pub channel_account: ChannelAccountId,
    /// Of one sale, in minor units of the merchant's currency; 1 at least.
    pub sale_minor_max: i64,
    /// How long a code is good; 1 at least.
    pub code_seconds: u16,
    pub list_hours_max: u32,
    /// 1 when it was first set; each save adds one.
    pub version: u64,
    pub updated_at: Millis,
    /// When that account gave a code that is no link, since the policy was set: by it no phone can pay.
    pub no_link_at: Option<Millis>,
}

impl Policy {
    /// Whether terminals may show codes by it.
    #[must_use]
    pub const fn is_in_force(&self) -> bool {
        self.enabled && self.no_link_at.is_none()
    }
}

/// # Errors
/// None of its own.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<Policy>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| of_tenant(scope).select(Row::as_select()).first(conn).optional())?;
    row.map(Row::policy).transpose()
}

/// Sets the policy if `policy.version` is that of the one there is (0: there is none), which is one higher afterwards.
///
/// # Errors
/// `Stale` if it is not.
pub fn set(tx: &mut Tx<'_>, scope: &TenantScope, policy: &mut Policy) -> Result<(), StoreError> {
    let row = Row {
        tenant_id: Txt(scope.tenant()),
        enabled: policy.enabled,
        channel_account_id: Txt(policy.channel_account),
        sale_minor_max: policy.sale_minor_max,
        code_seconds: policy.code_seconds.into(),
        list_hours_max: policy.list_hours_max.into(),
        version: signed(policy.version + 1),
        updated_at: policy.updated_at.0,
        no_link_at: moment(policy.no_link_at),
    };
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

/// Keeps that the account gave a code that is no link. False if that is known, or the policy names another.
///
/// # Errors
/// None of its own.
pub fn note_no_link(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    now: Millis,
) -> Result<bool, StoreError> {
    let is_news = policies::channel_account_id.eq(Txt(account)).and(policies::no_link_at.is_null());
    let noted = policies::no_link_at.eq(Some(now.0));
    let n = tx.run(scope, |conn| diesel::update(of_tenant(scope).filter(is_news)).set(noted).execute(conn))?;
    Ok(n > 0)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn of_tenant(scope: &TenantScope) -> _ {
    let tenant: Txt<TenantId> = Txt(scope.tenant());
    policies::table.filter(policies::tenant_id.eq(tenant))
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = policies, treat_none_as_null = true)]
#[diesel(primary_key(tenant_id))]
struct Row {
    tenant_id: Txt<TenantId>,
    enabled: bool,
    channel_account_id: Txt<ChannelAccountId>,
    sale_minor_max: i64,
    code_seconds: i64,
    list_hours_max: i64,
    version: i64,
    updated_at: i64,
    no_link_at: Option<i64>,
}

impl Row {
    fn policy(self) -> Result<Policy, StoreError> {
        Ok(Policy {
            enabled: self.enabled,
            channel_account: self.channel_account_id.0,
            sale_minor_max: self.sale_minor_max,
            code_seconds: small(self.code_seconds)?,
            list_hours_max: small(self.list_hours_max)?,
            version: unsigned(self.version)?,
            updated_at: Millis(self.updated_at),
            no_link_at: millis(self.no_link_at),
        })
    }
}
