//! Codes that a terminal with no network shows and the customer's phone carries to core: the merchant's policy.

use actix_web::web;
use saoma_protocol::{ChannelAccountId, Currency, Millis, code::phone::LIVES_SECONDS_MAX, money::AMOUNT_MINOR_MAX};
use saoma_store::{
    StoreError, Tx, channel_accounts,
    phone_policies::{self, Policy},
    tenants,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageChannels, ReadBooks},
        },
        problem::{INVALID, Problem},
        router::other_method,
        v1::audit::note,
    },
    phone_codes::is_served,
    stored_value::offline::announce,
};

/// A customer needs as long to open a page and a wallet.
const SECONDS_MIN: u16 = 30;
/// A week, as for cards.
const HOURS_MAX: u32 = 168;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config.service(resource("/phone-codes/policy").route(web::get().to(show_policy)).route(web::put().to(put_policy)));
}

/// What terminals with no network may ask for by a code that the customer's phone carries.
#[derive(Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PhoneRules {
    /// Of one sale, in minor units of the merchant's currency.
    sale_minor_max: i64,
    /// How long a code is good, 30 to 900 seconds.
    code_seconds: u16,
    /// How long a terminal may go on without news of this, 1 to 168 hours.
    list_hours_max: u32,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPhonePolicy {
    /// Whether terminals show such codes, and core begins payments by them. What was begun before goes on.
    enabled: bool,
    /// By which customers pay: an enabled account whose plugin shows codes (`merchant-presented`), and these are web links, as Alipay's and
    /// UnionPay's are. By any other (WeChat Pay, Pix, Lightning) a phone cannot pay what it shows itself: such a payment is ended as soon as
    /// its code is known, the customer is told to pay in another way, and no more codes are shown (`no_link_at`).
    channel_account: ChannelAccountId,
    rules: PhoneRules,
}

/// The policy. As long as nobody has set one, it is off, and its rules are those that are suggested.
#[derive(Serialize, ToSchema)]
pub struct PhonePolicyView {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    rules: PhoneRules,
    /// 0 as long as nobody has set one; each change adds one.
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Millis>,
    /// When the channel account gave a code that is no web link. From then on no codes are shown, and none is taken, until the policy is set again.
    #[serde(skip_serializing_if = "Option::is_none")]
    no_link_at: Option<Millis>,
}

impl From<Policy> for PhonePolicyView {
    fn from(policy: Policy) -> Self {
        let Policy {
            enabled,
            channel_account,
            sale_minor_max,
            code_seconds,
            list_hours_max,
            version,
            updated_at,
            no_link_at,
        } = policy;
        let rules = PhoneRules { sale_minor_max, code_seconds, list_hours_max };
        Self {
            enabled,
            channel_account: Some(channel_account),
            rules,
            version,
            updated_at: Some(updated_at),
            no_link_at,
        }
    }
}

/// What a merchant begins with: 200 a sale in the major unit of its currency, five minutes, a day.
fn suggested(currency: Currency) -> PhoneRules {
    let unit = 10_i64.pow(currency.minor_digits().into());
    PhoneRules { sale_minor_max: 200 * unit, code_seconds: 300, list_hours_max: 24 }
}

/// The policy for codes that customers' phones carry.
#[utoipa::path(get, path = "/v1/phone-codes/policy", tag = "phone-codes",
    responses((status = 200, body = PhonePolicyView)))]
pub async fn show_policy(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
) -> Result<web::Json<PhonePolicyView>, Problem> {
    let scope = caller.scope()?;
    let show = move |tx: &mut Tx<'_>| {
        if let Some(policy) = phone_policies::load(tx, &scope)? {
            return Ok(policy.into());
        }
        let rules = suggested(tenants::load(tx, &scope)?.currency);
        let (channel_account, updated_at, no_link_at) = (None, None, None);
        let (enabled, version) = (false, 0);
        Ok::<_, StoreError>(PhonePolicyView { enabled, channel_account, rules, version, updated_at, no_link_at })
    };
    Ok(web::Json(app.store().read(show).await?))
}

/// Sets the policy for codes that customers' phones carry. Terminals are told to fetch it.
#[utoipa::path(put, path = "/v1/phone-codes/policy", tag = "phone-codes", request_body = SetPhonePolicy,
    responses((status = 200, body = PhonePolicyView)))]
pub async fn put_policy(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    body: web::Json<SetPhonePolicy>,
) -> Result<web::Json<PhonePolicyView>, Problem> {
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let SetPhonePolicy { enabled, channel_account, rules } = body.into_inner();
    check(&rules)?;
    let app_in = app.clone();
    let save = move |tx: &mut Tx<'_>| {
        let currency = tenants::load(tx, &scope)?.currency;
        let account = channel_accounts::load(tx, &scope, channel_account)?;
        if enabled && !is_served(&app_in, scope.tenant(), &account, currency) {
            let why = format!(
                "No code in {currency} can be shown through this channel account: name one that is enabled and whose plugin \
                 shows codes."
            );
            return Err(Problem::new(INVALID, why).at("/channel_account"));
        }
        let detail = json!({ "enabled": enabled, "rules": rules });
        note(tx, &who, "phone_codes.policy_set", &channel_account, &detail, now)?;
        let version = phone_policies::load(tx, &scope)?.map_or(0, |known| known.version);
        let PhoneRules { sale_minor_max, code_seconds, list_hours_max } = rules;
        let mut policy = Policy {
            enabled,
            channel_account,
            sale_minor_max,
            code_seconds,
            list_hours_max,
            version,
            updated_at: now,
            no_link_at: None,
        };
        phone_policies::set(tx, &scope, &mut policy)?;
        announce(tx, &scope, now)?;
        Ok::<_, Problem>(policy)
    };
    let policy = app.store().write(save).await?;
    app.wake_outbox();
    Ok(web::Json(policy.into()))
}

fn check(rules: &PhoneRules) -> Result<(), Problem> {
    let PhoneRules { sale_minor_max, code_seconds, list_hours_max } = *rules;
    for (name, limit, min, max) in [
        ("sale_minor_max", sale_minor_max, 1, AMOUNT_MINOR_MAX),
        ("code_seconds", code_seconds.into(), SECONDS_MIN.into(), LIVES_SECONDS_MAX.into()),
        ("list_hours_max", list_hours_max.into(), 1, HOURS_MAX.into()),
    ] {
        if !(min..=max).contains(&limit) {
            let why = format!("This limit must be {min} to {max}.");
            return Err(Problem::new(INVALID, why).at(format!("/rules/{name}")));
        }
    }
    Ok(())
}
