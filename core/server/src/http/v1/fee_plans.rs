//! `/v1/channel-accounts/{account}/fee-plan`: what a channel keeps of payments, and gives back with refunds.
//!
//! A change is a new version, for payments that are made from then on; what was booked stays booked as it was.

use actix_web::web;
use saoma_domain::fee::{BasisPoints, FeeOnRefund, FeePlan, Tariff, Tier};
use saoma_protocol::{ChannelAccountId, Currency, Millis};
use saoma_store::{
    StoreError,
    channel_accounts::{self, ChannelAccount},
    fee_plans::{self, PlanVersion},
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::audit::note;
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManageChannels},
        problem::{CHANGED_MEANWHILE, INVALID, Problem},
        router::other_method,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/channel-accounts/{account}/fee-plan")
            .route(web::get().to(show))
            .route(web::put().to(change))
            .default_service(web::to(other_method)),
    );
}

/// The terms of a channel account. A fee is rounded half up to a whole minor unit, for each payment by itself.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// In hundredths of a percent, 0 to 10,000: for currencies without a tariff.
    rate_basis_points: u16,
    #[serde(default)]
    tariffs: Vec<CurrencyTariff>,
    on_refund: OnRefund,
}

/// What becomes of the fee when money goes back to the customer.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnRefund {
    /// The channel keeps it.
    Keep,
    /// It comes back in the proportion that the amount does.
    Proportional,
    /// It comes back as a whole, with the refund that leaves nothing.
    Whole,
}

/// Prices in one currency. Amounts are minor units, 0 to 999,999,999,999.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CurrencyTariff {
    #[schema(value_type = String, example = "CNY")]
    currency: Currency,
    /// 1 to 20, ascending; the first is from 0.
    tiers: Vec<AmountTier>,
    /// The least that is kept of a payment.
    #[serde(default)]
    minimum_minor: i64,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maximum_minor: Option<i64>,
}

/// Prices of payments from an amount on, for the whole amount.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AmountTier {
    from_minor: i64,
    rate_basis_points: u16,
    /// Added to the rate's share.
    #[serde(default)]
    fixed_minor: i64,
}

#[derive(Serialize, ToSchema)]
pub struct FeePlanView {
    /// The version that is in force.
    version: u64,
    /// To be sent with a change.
    account_version: u64,
    terms: Terms,
    /// The newest 100 versions, newest first.
    history: Vec<FeePlanVersion>,
}

#[derive(Serialize, ToSchema)]
pub struct FeePlanVersion {
    version: u64,
    terms: Terms,
    /// From when on payments were made under it.
    created_at: Millis,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeFeePlan {
    /// The version of the account that was seen. If it has another by now, nothing is changed.
    account_version: u64,
    terms: Terms,
}

/// The terms in force, and those before them.
#[utoipa::path(get, path = "/v1/channel-accounts/{account}/fee-plan", operation_id = "show_fee_plan",
    tag = "channel-accounts", params(("account" = ChannelAccountId, Path)),
    responses((status = 200, body = FeePlanView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    account: web::Path<ChannelAccountId>,
) -> Result<web::Json<FeePlanView>, Problem> {
    let (scope, id) = (caller.scope()?, account.into_inner());
    let work = move |tx: &mut saoma_store::Tx<'_>| {
        Ok::<_, StoreError>((channel_accounts::load(tx, &scope, id)?, fee_plans::history(tx, &scope, id)?))
    };
    let (account, history) = app.store().read(work).await?;
    Ok(web::Json(view(&account, history)))
}

/// Other terms, for payments that are made from now on.
#[utoipa::path(put, path = "/v1/channel-accounts/{account}/fee-plan", operation_id = "change_fee_plan",
    tag = "channel-accounts", request_body = ChangeFeePlan, params(("account" = ChannelAccountId, Path)),
    responses((status = 200, body = FeePlanView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    account: web::Path<ChannelAccountId>,
    body: web::Json<ChangeFeePlan>,
) -> Result<web::Json<FeePlanView>, Problem> {
    let (scope, who, id, body) = (caller.scope()?, caller.principal().clone(), account.into_inner(), body.into_inner());
    let (plan, now) = (FeePlan::try_from(&body.terms)?, app.now());
    let terms = json!(body.terms);
    let (account, history) = app
        .store()
        .write(move |tx| {
            let mut account = channel_accounts::load(tx, &scope, id)?;
            if account.version != body.account_version {
                let detail = format!("It has version {} by now; load it and look again.", account.version);
                return Err(Problem::new(CHANGED_MEANWHILE, detail).at("/account_version"));
            }
            (account.fee, account.updated_at) = (plan.clone(), now);
            channel_accounts::update(tx, &scope, &account)?;
            let account = channel_accounts::load(tx, &scope, id)?;
            let detail = json!({ "version": account.fee_version, "terms": terms });
            note(tx, &who, "channel_account.fee_plan_changed", &id, &detail, now)?;
            Ok((account, fee_plans::history(tx, &scope, id)?))
        })
        .await?;
    Ok(web::Json(view(&account, history)))
}

fn view(account: &ChannelAccount, history: Vec<PlanVersion>) -> FeePlanView {
    let version = |one: PlanVersion| FeePlanVersion {
        version: one.version,
        terms: Terms::from(&one.plan),
        created_at: one.created_at,
    };
    FeePlanView {
        version: account.fee_version,
        account_version: account.version,
        terms: Terms::from(&account.fee),
        history: history.into_iter().map(version).collect(),
    }
}

impl From<&FeePlan> for Terms {
    fn from(plan: &FeePlan) -> Self {
        let tier = |tier: &Tier| AmountTier {
            from_minor: tier.from_minor,
            rate_basis_points: tier.rate.get(),
            fixed_minor: tier.fixed_minor,
        };
        let tariff = |tariff: &Tariff| CurrencyTariff {
            currency: tariff.currency,
            tiers: tariff.tiers.iter().map(tier).collect(),
            minimum_minor: tariff.minimum_minor,
            maximum_minor: tariff.maximum_minor,
        };
        Self {
            rate_basis_points: plan.rate().get(),
            tariffs: plan.tariffs().iter().map(tariff).collect(),
            on_refund: match plan.on_refund() {
                FeeOnRefund::Keep => OnRefund::Keep,
                FeeOnRefund::Proportional => OnRefund::Proportional,
                FeeOnRefund::Whole => OnRefund::Whole,
            },
        }
    }
}

impl TryFrom<&Terms> for FeePlan {
    type Error = Problem;

    fn try_from(terms: &Terms) -> Result<Self, Problem> {
        let mut tariffs = Vec::with_capacity(terms.tariffs.len());
        for (idx, tariff) in terms.tariffs.iter().enumerate() {
            let mut tiers = Vec::with_capacity(tariff.tiers.len());
            for (place, tier) in tariff.tiers.iter().enumerate() {
                let pointer = format!("/terms/tariffs/{idx}/tiers/{place}/rate_basis_points");
                let rate = rate(tier.rate_basis_points, &pointer)?;
                tiers.push(Tier { from_minor: tier.from_minor, rate, fixed_minor: tier.fixed_minor });
            }
            let CurrencyTariff { currency, minimum_minor, maximum_minor, .. } = *tariff;
            tariffs.push(Tariff { currency, tiers, minimum_minor, maximum_minor });
        }
        let on_refund = match terms.on_refund {
            OnRefund::Keep => FeeOnRefund::Keep,
            OnRefund::Proportional => FeeOnRefund::Proportional,
            OnRefund::Whole => FeeOnRefund::Whole,
        };
        Self::new(rate(terms.rate_basis_points, "/terms/rate_basis_points")?, tariffs, on_refund)
            .map_err(|error| Problem::new(INVALID, format!("The terms do not fit: {error}.")).at("/terms/tariffs"))
    }
}

/// A rate from a request.
///
/// # Errors
/// `INVALID` at `pointer`.
pub(super) fn rate(basis_points: u16, pointer: &str) -> Result<BasisPoints, Problem> {
    BasisPoints::new(basis_points).map_err(|_| Problem::new(INVALID, "A fee is from 0 to 10,000.").at(pointer))
}
