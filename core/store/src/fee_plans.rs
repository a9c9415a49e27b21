//! The terms of channel accounts. Each version stays for good, so that what was booked under it can be explained by it.

use diesel::prelude::*;
use saoma_domain::fee::{BasisPoints, FeeOnRefund, FeePlan, Tariff, Tier};
use saoma_protocol::{ChannelAccountId, Currency, Millis};
use serde::{Deserialize, Serialize};

use crate::{
    StoreError, TenantScope, Tx,
    column::{Txt, corrupt, from_json, signed, to_json, unsigned},
    schema::fee_plans,
};

/// A version of an account's terms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanVersion {
    /// From 1, without gaps.
    pub version: u64,
    pub plan: FeePlan,
    /// From when on payments were made under it.
    pub created_at: Millis,
}

/// # Errors
/// `NotFound` if the account is not the tenant's or has no such version.
pub fn load(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    version: u64,
) -> Result<FeePlan, StoreError> {
    let plan_json: Option<String> = tx.run(scope, |conn| {
        fee_plans::table
            .filter(fee_plans::tenant_id.eq(Txt(scope.tenant())))
            .filter(fee_plans::channel_account_id.eq(Txt(account)))
            .filter(fee_plans::version.eq(signed(version)))
            .select(fee_plans::plan_json)
            .first(conn)
            .optional()
    })?;
    read(&plan_json.ok_or(StoreError::NotFound { what: "the fee plan" })?)
}

/// Most versions of one answer of [`history`].
pub const HISTORY_MAX: i64 = 100;

/// The newest [`HISTORY_MAX`] versions, newest first.
///
/// # Errors
/// None of its own.
pub fn history(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
) -> Result<Vec<PlanVersion>, StoreError> {
    let rows: Vec<(i64, String, i64)> = tx.run(scope, |conn| {
        fee_plans::table
            .filter(fee_plans::tenant_id.eq(Txt(scope.tenant())))
            .filter(fee_plans::channel_account_id.eq(Txt(account)))
            .order(fee_plans::version.desc())
            .limit(HISTORY_MAX)
            .select((fee_plans::version, fee_plans::plan_json, fee_plans::created_at))
            .load(conn)
    })?;
    rows.into_iter()
        .map(|(version, plan_json, created_at)| {
            Ok(PlanVersion { version: unsigned(version)?, plan: read(&plan_json)?, created_at: Millis(created_at) })
        })
        .collect()
}

/// Writes the next version down: for [`crate::channel_accounts`] alone, which says which one is in force.
pub(crate) fn add(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    account: ChannelAccountId,
    version: u64,
    plan: &FeePlan,
    at: Millis,
) -> Result<(), StoreError> {
    let row = (
        fee_plans::tenant_id.eq(Txt(scope.tenant())),
        fee_plans::channel_account_id.eq(Txt(account)),
        fee_plans::version.eq(signed(version)),
        fee_plans::plan_json.eq(to_json(&StoredPlan::from(plan))?),
        fee_plans::created_at.eq(at.0),
    );
    tx.run(scope, |conn| diesel::insert_into(fee_plans::table).values(row).execute(conn)).map(drop)
}

/// A plan as it lies in its column. A field that is added later needs a default.
#[derive(Serialize, Deserialize)]
struct StoredPlan {
    rate: u16,
    on_refund: StoredOnRefund,
    tariffs: Vec<StoredTariff>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredOnRefund {
    Keep,
    Proportional,
    Whole,
}

#[derive(Serialize, Deserialize)]
struct StoredTariff {
    currency: Currency,
    tiers: Vec<StoredTier>,
    minimum_minor: i64,
    maximum_minor: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct StoredTier {
    from_minor: i64,
    rate: u16,
    fixed_minor: i64,
}

impl From<&FeePlan> for StoredPlan {
    fn from(plan: &FeePlan) -> Self {
        let tier = |tier: &Tier| StoredTier {
            from_minor: tier.from_minor,
            rate: tier.rate.get(),
            fixed_minor: tier.fixed_minor,
        };
        let tariff = |tariff: &Tariff| StoredTariff {
            currency: tariff.currency,
            tiers: tariff.tiers.iter().map(tier).collect(),
            minimum_minor: tariff.minimum_minor,
            maximum_minor: tariff.maximum_minor,
        };
        Self {
            rate: plan.rate().get(),
            on_refund: match plan.on_refund() {
                FeeOnRefund::Keep => StoredOnRefund::Keep,
                FeeOnRefund::Proportional => StoredOnRefund::Proportional,
                FeeOnRefund::Whole => StoredOnRefund::Whole,
            },
            tariffs: plan.tariffs().iter().map(tariff).collect(),
        }
    }
}

pub(crate) fn read(plan_json: &str) -> Result<FeePlan, StoreError> {
    let stored: StoredPlan = from_json(plan_json, "a fee plan")?;
    let rate = |rate: u16| BasisPoints::new(rate).map_err(|error| corrupt(error.to_string()));
    let tariffs = stored
        .tariffs
        .into_iter()
        .map(|tariff| {
            let tiers = tariff
                .tiers
                .into_iter()
                .map(|tier| {
                    Ok(Tier { from_minor: tier.from_minor, rate: rate(tier.rate)?, fixed_minor: tier.fixed_minor })
                })
                .collect::<Result<_, StoreError>>()?;
            let StoredTariff { currency, minimum_minor, maximum_minor, .. } = tariff;
            Ok(Tariff { currency, tiers, minimum_minor, maximum_minor })
        })
        .collect::<Result<_, StoreError>>()?;
    let on_refund = match stored.on_refund {
        StoredOnRefund::Keep => FeeOnRefund::Keep,
        StoredOnRefund::Proportional => FeeOnRefund::Proportional,
        StoredOnRefund::Whole => FeeOnRefund::Whole,
    };
    FeePlan::new(rate(stored.rate)?, tariffs, on_refund).map_err(|error| corrupt(error.to_string()))
}
