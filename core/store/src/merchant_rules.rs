//! Which extension a merchant has taken its own rules from, and with what settings.

use diesel::prelude::*;
use saoma_protocol::{Millis, TenantId};

use crate::{
    Owner, StoreError, TenantScope, Tx,
    column::{Txt, signed, unsigned},
    dialect::insert_or_ignore,
    schema::merchant_rules,
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MerchantRules {
    /// The id of an extension, which this node may not have.
    pub extension: String,
    pub enabled: bool,
    /// As JSON text, valid under the extension's schema when they were saved.
    pub settings_json: String,
    /// The names of those rules whose failure refuses the sale; it goes on without the others.
    pub refuse_on_failure: Vec<String>,
    /// 1 for the first; see [`save`].
    pub version: u64,
    pub changed_at: Millis,
    pub changed_by: String,
}

/// `None` for a merchant that never had any.
///
/// # Errors
/// None of its own.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope) -> Result<Option<MerchantRules>, StoreError> {
    let row: Option<Row> = tx.run(scope, |conn| {
        merchant_rules::table.find(Txt(scope.tenant())).select(Row::as_select()).first(conn).optional()
    })?;
    row.map(MerchantRules::try_from).transpose()
}

/// Saves rules whose version is one more than what was seen.
///
/// # Errors
/// `Stale` if the row has another version than the one before.
pub fn save(tx: &mut Tx<'_>, scope: &TenantScope, rules: &MerchantRules) -> Result<(), StoreError> {
    let changes = (
        merchant_rules::extension.eq(&rules.extension),
        merchant_rules::enabled.eq(rules.enabled),
        merchant_rules::settings_json.eq(&rules.settings_json),
        merchant_rules::refuse_on_failure.eq(rules.refuse_on_failure.join(" ")),
        merchant_rules::version.eq(signed(rules.version)),
        merchant_rules::changed_at.eq(rules.changed_at.0),
        merchant_rules::changed_by.eq(&rules.changed_by),
    );
    let tenant = merchant_rules::tenant_id.eq(Txt(scope.tenant()));
    let saved = if rules.version == 1 {
        insert_or_ignore!(tx, scope, merchant_rules::table, (tenant, changes))?
    } else {
        let seen = merchant_rules::version.eq(signed(rules.version.saturating_sub(1)));
        let before = merchant_rules::table.filter(tenant).filter(seen);
        tx.run(scope, |conn| diesel::update(before).set(changes).execute(conn))?
    };
    if saved == 0 { Err(StoreError::Stale { what: "the merchant's rules" }) } else { Ok(()) }
}

/// Whose rules of that extension are switched on: the tenant's own, or of the platform everybody's, or those of
/// some tenants.
///
/// # Errors
/// None of its own.
pub fn of_extension(
    tx: &mut Tx<'_>,
    owner: &Owner,
    extension: &str,
    tenants: Option<&[TenantId]>,
) -> Result<Vec<(TenantId, MerchantRules)>, StoreError> {
    let mut query = merchant_rules::table
        .filter(merchant_rules::extension.eq(extension))
        .filter(merchant_rules::enabled.eq(true))
        .order(merchant_rules::tenant_id)
        .select((merchant_rules::tenant_id, Row::as_select()))
        .into_boxed();
    if let Owner::Tenant(scope) = owner {
        query = query.filter(merchant_rules::tenant_id.eq(Txt(scope.tenant())));
    }
    if let Some(tenants) = tenants {
        query = query.filter(merchant_rules::tenant_id.eq_any(tenants.iter().copied().map(Txt)));
    }
    let rows: Vec<(Txt<TenantId>, Row)> = tx.run(owner, |conn| query.load(conn))?;
    rows.into_iter().map(|(tenant, row)| Ok((tenant.0, row.try_into()?))).collect()
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = merchant_rules)]
struct Row {
    extension: String,
    enabled: bool,
    settings_json: String,
    refuse_on_failure: String,
    version: i64,
    changed_at: i64,
    changed_by: String,
}

impl TryFrom<Row> for MerchantRules {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            extension: row.extension,
            enabled: row.enabled,
            settings_json: row.settings_json,
            refuse_on_failure: row.refuse_on_failure.split_whitespace().map(str::to_owned).collect(),
            version: unsigned(row.version)?,
            changed_at: Millis(row.changed_at),
            changed_by: row.changed_by,
        })
    }
}
