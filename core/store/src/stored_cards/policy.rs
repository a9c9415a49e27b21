//! What a merchant's terminals may sell by card without a network.

use diesel::prelude::*;
use saoma_protocol::{ChannelAccountId, Currency, Millis, TenantId, api::CardLimits};

use super::schema::card_policies as policies;
use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, found, from_json, signed, to_json, unsigned},
    dialect::insert_or_ignore,
    stored_value::offline::small,
};

/// All limits are positive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    pub enabled: bool,
    /// Without the numbers that are blocked; its currency is the merchant's, and not stored.
    pub limits: CardLimits,
    /// 1 when it was first set; each save adds one.
    pub version: u64,
    pub updated_at: Millis,
}

/// `currency`: the merchant's.
///
/// # Errors
/// None of its own.
pub fn policy(tx: &mut Tx<'_>, scope: &TenantScope, currency: Currency) -> Result<Option<Policy>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| of_tenant(scope).select(Row::as_select()).first(conn).optional())?;
    row.map(|row| row.policy(currency)).transpose()
}

/// Sets the policy if `policy.version` is that of the one there is (0: there is none), which is one higher afterwards.
///
/// # Errors
/// `Stale` if it is not.
pub fn set_policy(tx: &mut Tx<'_>, scope: &TenantScope, policy: &mut Policy) -> Result<(), StoreError> {
    let row = Row::new(scope, policy)?;
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
    sale_minor_max: i64,
    card_day_count_max: i64,
    card_day_minor_max: i64,
    unsent_minor_max: i64,
    unsent_count_max: i64,
    unsent_hours_max: i64,
    list_hours_max: i64,
    stripe: bool,
    prefixes_json: String,
    version: i64,
    updated_at: i64,
}

impl Row {
    fn new(scope: &TenantScope, policy: &Policy) -> Result<Self, StoreError> {
        let limits = &policy.limits;
        Ok(Self {
            tenant_id: Txt(scope.tenant()),
            enabled: policy.enabled,
            channel_account_id: Txt(limits.channel_account),
            sale_minor_max: limits.sale_minor_max,
            card_day_count_max: limits.card_day_count_max.into(),
            card_day_minor_max: limits.card_day_minor_max,
            unsent_minor_max: limits.unsent_minor_max,
            unsent_count_max: limits.unsent_count_max.into(),
            unsent_hours_max: limits.unsent_hours_max.into(),
            list_hours_max: limits.list_hours_max.into(),
            stripe: limits.stripe,
            prefixes_json: to_json(&limits.prefixes)?,
            version: signed(policy.version + 1),
            updated_at: policy.updated_at.0,
        })
    }

    fn policy(self, currency: Currency) -> Result<Policy, StoreError> {
        let limits = CardLimits {
            channel_account: self.channel_account_id.0,
            currency,
            sale_minor_max: self.sale_minor_max,
            card_day_count_max: small(self.card_day_count_max)?,
            card_day_minor_max: self.card_day_minor_max,
            unsent_minor_max: self.unsent_minor_max,
            unsent_count_max: small(self.unsent_count_max)?,
            unsent_hours_max: small(self.unsent_hours_max)?,
            list_hours_max: small(self.list_hours_max)?,
            stripe: self.stripe,
            prefixes: from_json(&self.prefixes_json, "the numbers that are taken")?,
            blocked: Vec::new(),
        };
        let (enabled, updated_at) = (self.enabled, Millis(self.updated_at));
        Ok(Policy { enabled, limits, version: unsigned(self.version)?, updated_at })
    }
}
