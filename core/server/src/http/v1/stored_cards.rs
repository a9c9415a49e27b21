//! Cards that terminals sell without a network: the merchant's policy, what was sold so, and what was lost.

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_protocol::{
    Amount, ChannelAccountId, Currency, Millis, PaymentId, TerminalId,
    api::{CardDigits, CardLimits, Page},
    money::AMOUNT_MINOR_MAX,
};
use saoma_store::{
    StoreError, Tx, channel_accounts,
    stored_cards::{self as sales, Cursor, Filter, Found, Policy, Resolution},
    tenants,
};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    app::App,
    http::{
        auth::{
            Caller,
            rights::{ManageChannels, ReadBooks, Reconcile},
        },
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        paging,
        problem::{CONFLICT, INVALID, Problem},
        router::other_method,
        text,
        v1::audit::note,
    },
    stored_cards::{BLOCKED_MAX, HeldError, LossError, Unserved, check_served, let_go, resolve},
    stored_value::offline::announce,
};

/// A week: a sale that is told later the acquirer hardly takes.
const HOURS_MAX: u32 = 168;
const PREFIXES_MAX: usize = 50;

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/stored-cards/policy").route(web::get().to(show_policy)).route(web::put().to(put_policy)))
        .service(resource("/stored-cards/sales").route(web::get().to(list)))
        .service(resource("/stored-cards/sales/{payment}/forward").route(web::post().to(forward_held)))
        .service(resource("/stored-cards/sales/{payment}/resolve").route(web::post().to(end_loss)));
}

/// What terminals may sell by card without a network. Sums are in minor units of the merchant's currency.
#[derive(Clone, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StoredCardRules {
    /// Of one sale.
    sale_minor_max: i64,
    /// What one card may pay at one terminal within 24 hours: how often, and the sum.
    card_day_count_max: u32,
    card_day_minor_max: i64,
    /// What a terminal may have sold that core does not know of: the sum, the number of sales, the age of the oldest.
    unsent_minor_max: i64,
    unsent_count_max: u32,
    unsent_hours_max: u32,
    /// How long a terminal may go on without news of this and of the cards that are blocked.
    list_hours_max: u32,
    /// Whether stripes are taken too.
    stripe: bool,
    /// Leading digits of the numbers that are taken, 2 to 6 of them; 1 to 50 such.
    prefixes: Vec<String>,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCardPolicy {
    /// Whether terminals sell so. What was sold before is forwarded all the same.
    enabled: bool,
    /// Through which these sales are forwarded: an enabled account whose plugin forwards.
    channel_account: ChannelAccountId,
    rules: StoredCardRules,
}

/// The policy. As long as nobody has set one, it is off, and its rules are those that are suggested.
#[derive(Serialize, ToSchema)]
pub struct CardPolicyView {
    enabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    rules: StoredCardRules,
    /// Cards that a sale was lost to, the last first.
    blocked: Vec<CardDigits>,
    /// 0 as long as nobody has set one; each change adds one.
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<Millis>,
}

/// A sale that a terminal made by card without a network.
#[derive(Serialize, ToSchema)]
pub struct StoredCardSaleView {
    payment: PaymentId,
    channel_account: ChannelAccountId,
    terminal: TerminalId,
    card: CardDigits,
    amount: Amount,
    /// By the terminal's clock, and when core heard of it.
    sold_at: Millis,
    taken_at: Millis,
    /// `waiting`: the acquirer has not answered; `held`: it is not forwarded, and a person decides; `paid`; `lost`: the merchant bears it.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Millis>,
    /// What was wrong with it when it came in. Unless it is held, it is forwarded all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resolution: Option<LossResolution>,
}

/// What a person said of a loss.
#[derive(Serialize, ToSchema)]
pub struct LossResolution {
    reason: String,
    /// The card may be sold to without a network again.
    unblocks: bool,
    by: String,
    at: Millis,
}

impl From<Found> for StoredCardSaleView {
    fn from((sale, said): Found) -> Self {
        let resolution = said.map(|said| LossResolution {
            reason: said.reason,
            unblocks: said.unblocks,
            by: said.made_by,
            at: said.at,
        });
        Self {
            payment: sale.payment,
            channel_account: sale.account,
            terminal: sale.terminal,
            card: sale.digits,
            amount: sale.amount,
            sold_at: sale.sold_at,
            taken_at: sale.taken_at,
            state: match sale.outcome {
                Some((outcome, _)) => outcome.text(),
                None if sale.held => "held",
                None => "waiting",
            }
            .to_owned(),
            ended_at: sale.outcome.map(|(_, at)| at),
            doubt: sale.doubt,
            resolution,
        }
    }
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StoredCardQuery {
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
    /// `waiting`: those that the acquirer has not answered; `open`: what a person is to see to, those that are held, and those that are lost and
    /// that nobody has ended.
    #[param(inline)]
    only: Option<Only>,
}

#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Only {
    Waiting,
    Open,
}

/// Why a sale that is held may go out.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForwardHeld {
    /// 1 to 128 characters.
    reason: String,
}

/// A person's word about a loss.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolveLoss {
    /// 1 to 128 characters.
    reason: String,
    /// Whether terminals may sell to the card without a network again.
    unblock: bool,
}

/// What a merchant begins with: UnionPay's chip cards, 200 a sale, three sales of a card a day with 500 in all, and at a terminal 5,000, 100 sales or
/// a day that core does not know of; in the major unit of its currency.
fn suggested(currency: Currency) -> StoredCardRules {
    let unit = 10_i64.pow(currency.minor_digits().into());
    StoredCardRules {
        sale_minor_max: 200 * unit,
        card_day_count_max: 3,
        card_day_minor_max: 500 * unit,
        unsent_minor_max: 5_000 * unit,
        unsent_count_max: 100,
        unsent_hours_max: 24,
        list_hours_max: 24,
        stripe: false,
        prefixes: vec!["62".to_owned()],
    }
}

fn view(policy: Policy, blocked: Vec<CardDigits>) -> CardPolicyView {
    let Policy { enabled, limits, version, updated_at } = policy;
    let channel_account = Some(limits.channel_account);
    let rules = StoredCardRules {
        sale_minor_max: limits.sale_minor_max,
        card_day_count_max: limits.card_day_count_max,
        card_day_minor_max: limits.card_day_minor_max,
        unsent_minor_max: limits.unsent_minor_max,
        unsent_count_max: limits.unsent_count_max,
        unsent_hours_max: limits.unsent_hours_max,
        list_hours_max: limits.list_hours_max,
        stripe: limits.stripe,
        prefixes: limits.prefixes,
    };
    CardPolicyView { enabled, channel_account, rules, blocked, version, updated_at: Some(updated_at) }
}

/// The policy for cards without a network.
#[utoipa::path(get, path = "/v1/stored-cards/policy", tag = "stored-cards",
    responses((status = 200, body = CardPolicyView)))]
pub async fn show_policy(app: web::Data<App>, caller: Caller<ReadBooks>) -> Result<web::Json<CardPolicyView>, Problem> {
    let scope = caller.scope()?;
    let show = move |tx: &mut Tx<'_>| {
        let (currency, blocked) = (tenants::load(tx, &scope)?.currency, sales::blocked(tx, &scope, BLOCKED_MAX)?);
        if let Some(policy) = sales::policy(tx, &scope, currency)? {
            return Ok(view(policy, blocked));
        }
        let rules = suggested(currency);
        let (channel_account, updated_at) = (None, None);
        Ok::<_, StoreError>(CardPolicyView { enabled: false, channel_account, rules, blocked, version: 0, updated_at })
    };
    Ok(web::Json(app.store().read(show).await?))
}

/// Sets the policy for cards without a network. Terminals are told to fetch it.
#[utoipa::path(put, path = "/v1/stored-cards/policy", tag = "stored-cards", request_body = SetCardPolicy,
    responses((status = 200, body = CardPolicyView)))]
pub async fn put_policy(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    body: web::Json<SetCardPolicy>,
) -> Result<web::Json<CardPolicyView>, Problem> {
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let SetCardPolicy { enabled, channel_account, rules } = body.into_inner();
    check(&rules)?;
    let account = app.store().read(move |tx| channel_accounts::load(tx, &scope, channel_account)).await?;
    let currency = app.store().read(move |tx| tenants::load(tx, &scope)).await?.currency;
    if let Err(unserved) = check_served(&app, scope.tenant(), &account, currency)
        && enabled
    {
        let why = match unserved {
            Unserved::Disabled => "No sale can be forwarded through this channel account: enable it.".to_owned(),
            Unserved::Forwards => {
                "No sale can be forwarded through this channel account: name one whose plugin forwards card sales."
                    .to_owned()
            }
            Unserved::Currency => format!(
                "This channel account forwards no sales in {currency}, which is the merchant's currency: name one whose plugin has it."
            ),
        };
        return Err(Problem::new(INVALID, why).at("/channel_account"));
    }
    let save = move |tx: &mut Tx<'_>| {
        let detail = json!({ "enabled": enabled, "rules": rules });
        note(tx, &who, "stored_cards.policy_set", &channel_account, &detail, now)?;
        let version = sales::policy(tx, &scope, currency)?.map_or(0, |known| known.version);
        let rules = rules.clone();
        let limits = CardLimits {
            channel_account,
            currency,
            sale_minor_max: rules.sale_minor_max,
            card_day_count_max: rules.card_day_count_max,
            card_day_minor_max: rules.card_day_minor_max,
            unsent_minor_max: rules.unsent_minor_max,
            unsent_count_max: rules.unsent_count_max,
            unsent_hours_max: rules.unsent_hours_max,
            list_hours_max: rules.list_hours_max,
            stripe: rules.stripe,
            prefixes: rules.prefixes,
            blocked: Vec::new(),
        };
        let mut policy = Policy { enabled, limits, version, updated_at: now };
        sales::set_policy(tx, &scope, &mut policy)?;
        announce(tx, &scope, now)?;
        Ok::<_, Problem>(view(policy, sales::blocked(tx, &scope, BLOCKED_MAX)?))
    };
    let policy = app.store().write(save).await?;
    app.wake_outbox();
    Ok(web::Json(policy))
}

fn check(rules: &StoredCardRules) -> Result<(), Problem> {
    for (name, limit, max) in [
        ("sale_minor_max", rules.sale_minor_max, AMOUNT_MINOR_MAX),
        ("card_day_count_max", rules.card_day_count_max.into(), 1_000),
        ("card_day_minor_max", rules.card_day_minor_max, AMOUNT_MINOR_MAX),
        ("unsent_minor_max", rules.unsent_minor_max, AMOUNT_MINOR_MAX),
        ("unsent_count_max", rules.unsent_count_max.into(), 10_000),
        ("unsent_hours_max", rules.unsent_hours_max.into(), HOURS_MAX.into()),
        ("list_hours_max", rules.list_hours_max.into(), HOURS_MAX.into()),
    ] {
        if !(1..=max).contains(&limit) {
            return Err(Problem::new(INVALID, format!("This limit must be 1 to {max}.")).at(format!("/rules/{name}")));
        }
    }
    if rules.sale_minor_max > rules.unsent_minor_max.min(rules.card_day_minor_max) {
        let why = "One sale may not be more than a card may pay in a day, nor than a terminal may hold in all.";
        return Err(Problem::new(INVALID, why).at("/rules/sale_minor_max"));
    }
    let is_prefix = |text: &String| (2..=6).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(1..=PREFIXES_MAX).contains(&rules.prefixes.len()) || !rules.prefixes.iter().all(is_prefix) {
        let why = format!("Name 1 to {PREFIXES_MAX} beginnings of numbers, each of 2 to 6 digits.");
        return Err(Problem::new(INVALID, why).at("/rules/prefixes"));
    }
    Ok(())
}

/// What terminals sold by card without a network, newest first.
#[utoipa::path(get, path = "/v1/stored-cards/sales", tag = "stored-cards", params(StoredCardQuery),
    responses((status = 200, body = Page<StoredCardSaleView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadBooks>,
    query: web::Query<StoredCardQuery>,
) -> Result<web::Json<Page<StoredCardSaleView>>, Problem> {
    let scope = caller.scope()?;
    let (limit, after) = (paging::limit(query.limit)?, paging::after::<Cursor>(query.cursor.as_deref())?);
    let filter = match query.only {
        None => Filter::All,
        Some(Only::Waiting) => Filter::Waiting,
        Some(Only::Open) => Filter::Open,
    };
    let found = app.store().read(move |tx| sales::list(tx, &scope, filter, after, limit + 1)).await?;
    let cursor = |(last, _): &Found| Cursor { at: last.taken_at, id: last.payment };
    Ok(web::Json(paging::page(found, limit, cursor)))
}

/// A person lets a sale that is held go out to the acquirer.
#[utoipa::path(post, path = "/v1/stored-cards/sales/{payment}/forward", operation_id = "forward", tag = "stored-cards",
    request_body = ForwardHeld, params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredCardSaleView)))]
pub async fn forward_held(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<ForwardHeld>,
) -> Result<HttpResponse, Problem> {
    let payment = payment.into_inner();
    let asked = format!("POST /v1/stored-cards/sales/{payment}/forward");
    let wish = Wish::of(&app, &asked, &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        let sale = match let_go(tx, &scope, payment, (&who.actor(), &reason), now) {
            Ok(sale) => sale,
            Err(HeldError::Store(error)) => return Err(error.into()),
            Err(HeldError::NotHeld) => {
                return Err(Problem::new(CONFLICT, "This sale is not held: there is nothing to let go."));
            }
            Err(HeldError::NoCard) => {
                let why = "Nothing of this sale's card is kept that could be forwarded: settle its payment by hand.";
                return Err(Problem::new(CONFLICT, why));
            }
        };
        note(tx, &who, "stored_cards.sale_let_go", &payment, &json!({ "reason": reason }), now)?;
        Ok(StoredCardSaleView::from((sale, None)))
    };
    answered(&app, scope, wish, StatusCode::OK, work).await
}

/// Ends a loss: a person has looked at it, and says whether the card may be sold to without a network again. A card that was left blocked may be let
/// in later.
#[utoipa::path(post, path = "/v1/stored-cards/sales/{payment}/resolve", operation_id = "resolve", tag = "stored-cards",
    request_body = ResolveLoss, params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = StoredCardSaleView)))]
pub async fn end_loss(
    app: web::Data<App>,
    caller: Caller<Reconcile>,
    payment: web::Path<PaymentId>,
    key: IdempotencyKey,
    body: web::Json<ResolveLoss>,
) -> Result<HttpResponse, Problem> {
    let (payment, unblock) = (payment.into_inner(), body.unblock);
    let asked = format!("POST /v1/stored-cards/sales/{payment}/resolve");
    let wish = Wish::of(&app, &asked, &caller, &key, &*body)?;
    let (scope, who, now) = (caller.scope()?, caller.principal().clone(), app.now());
    let reason = text::name(&body.reason, "/reason")?;
    let work = move |tx: &mut Tx<'_>| {
        let mut resolution = Resolution { unblocks: unblock, reason: reason.clone(), made_by: who.actor(), at: now };
        let sale = match resolve(tx, &scope, payment, &mut resolution) {
            Ok(sale) => sale,
            Err(LossError::Store(error)) => return Err(error.into()),
            Err(LossError::NotLost) => {
                return Err(Problem::new(CONFLICT, "This sale is not lost: there is nothing to end."));
            }
        };
        let detail = json!({ "reason": reason, "unblock": unblock });
        note(tx, &who, "stored_cards.loss_resolved", &payment, &detail, now)?;
        Ok(StoredCardSaleView::from((sale, Some(resolution))))
    };
    let told = answered(&app, scope, wish, StatusCode::OK, work).await?;
    app.wake_outbox();
    Ok(told)
}
