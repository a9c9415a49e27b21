//! `/v1/plugin-rollouts`: which package of a channel new payments go through, and which of rules sales are asked about. A payment
//! that has begun stays with its own.

use actix_web::web;
use saoma_domain::package::{Rollout, Step};
use saoma_protocol::{ChannelAccountId, Millis, TenantId, api::Page};
use saoma_store::{
    Owner, plugin_packages,
    plugin_rollouts::{self, StoredRollout},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::plugin_packages::{named, owner};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManagePlugins},
        problem::{NOT_FOUND, Problem},
        router::other_method,
    },
    packages::{self, Unfit, Wish},
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/plugin-rollouts").route(web::get().to(list)))
        .service(resource("/plugin-rollouts/{plugin}").route(web::get().to(show)))
        .service(resource("/plugin-rollouts/{plugin}/install").route(web::post().to(install)))
        .service(resource("/plugin-rollouts/{plugin}/canary").route(web::post().to(canary)))
        .service(resource("/plugin-rollouts/{plugin}/promote").route(web::post().to(promote)))
        .service(resource("/plugin-rollouts/{plugin}/rollback").route(web::post().to(roll_back)));
}

/// What new payments of a plugin go through.
#[derive(Serialize, ToSchema)]
pub struct PluginRolloutView {
    plugin: String,
    /// To be sent with the next step: it is taken only if nobody took another meanwhile. 0: nothing was rolled out yet.
    version: u64,
    /// A package's hash; `built_in`: what lies in the operator's folder.
    stable: String,
    /// What a roll-back goes to, if no canary is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
    /// The package that the canary's merchants have instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<String>,
    canary_tenants: Vec<TenantId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<String>,
    this_node: ServedHere,
    /// After a roll-back: enabled accounts and merchants' rules whose settings do not fit what serves them now. Until they are changed
    /// such accounts take no payments, and such rules fail: sales are refused where `refuse_on_failure` names one of them (`risk`, if
    /// the merchant said nothing), and go on without the others. Change the rules, or switch them off (`PUT /v1/merchant-rules`).
    unfit: Vec<UnfitAccount>,
}

/// What the node that answers serves.
#[derive(Serialize, ToSchema)]
pub struct ServedHere {
    /// The version of the rollout that it serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
    /// Why it does not serve the newest; it tries again by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

/// An account, or a merchant's rules, whose settings a package refuses.
#[derive(Serialize, ToSchema)]
pub struct UnfitAccount {
    tenant: TenantId,
    /// Missing of a merchant's rules.
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
    why: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstallPackage {
    /// Of the rollout, as the caller saw it.
    version: u64,
    /// The package's hash.
    package: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartCanary {
    /// Of the rollout, as the caller saw it.
    version: u64,
    /// The package's hash.
    package: String,
    /// The merchants that have it, 1 to 1,000.
    tenants: Vec<TenantId>,
}

/// A step that needs no more than the version.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SeenRollout {
    /// Of the rollout, as the caller saw it.
    version: u64,
}

/// The caller's rollouts, by plugin.
#[utoipa::path(get, path = "/v1/plugin-rollouts", tag = "plugin-rollouts",
    responses((status = 200, body = Page<PluginRolloutView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
) -> Result<web::Json<Page<PluginRolloutView>>, Problem> {
    let owner = owner(&caller)?;
    let found = app.store().read(move |tx| plugin_rollouts::list(tx, &owner)).await?;
    let items = found.into_iter().map(|stored| view(&app, &owner, stored, Vec::new())).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// One rollout. A plugin that was never rolled out has version 0.
#[utoipa::path(get, path = "/v1/plugin-rollouts/{plugin}", tag = "plugin-rollouts", params(("plugin" = String, Path)),
    responses((status = 200, body = PluginRolloutView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    plugin: web::Path<String>,
) -> Result<web::Json<PluginRolloutView>, Problem> {
    let (owner, plugin) = (owner(&caller)?, plugin.into_inner());
    let asked = plugin.clone();
    let (stored, is_published) = app
        .store()
        .read(move |tx| {
            let stored = plugin_rollouts::load(tx, &owner, &asked)?;
            let published = plugin_packages::list(tx, &owner)?;
            Ok::<_, saoma_store::StoreError>((stored, published.iter().any(|package| package.plugin == asked)))
        })
        .await?;
    if let Some(stored) = stored {
        return Ok(web::Json(view(&app, &owner, stored, Vec::new())));
    }
    let is_built_in = owner.tenant().is_none() && packages::built_in(&app, &plugin).is_some();
    if !is_published && !is_built_in {
        return Err(Problem::new(NOT_FOUND, "No plugin of this id was published here."));
    }
    let untouched = StoredRollout {
        tenant: owner.tenant(),
        plugin,
        rollout: Rollout::UNTOUCHED,
        canary_tenants: Vec::new(),
        changed_at: Millis(0),
        changed_by: String::new(),
    };
    Ok(web::Json(view(&app, &owner, untouched, Vec::new())))
}

/// Gives a package to all new payments at once. Refused if the settings of an enabled account, or of a merchant's rules, do not fit it,
/// and if it has not a rule that a merchant's `refuse_on_failure` names and that it had.
#[utoipa::path(post, path = "/v1/plugin-rollouts/{plugin}/install", tag = "plugin-rollouts", request_body = InstallPackage,
    params(("plugin" = String, Path)), responses((status = 200, body = PluginRolloutView)))]
pub async fn install(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    plugin: web::Path<String>,
    body: web::Json<InstallPackage>,
) -> Result<web::Json<PluginRolloutView>, Problem> {
    let InstallPackage { version, package } = body.into_inner();
    take(&app, &caller, plugin.into_inner(), version, Step::Install(named(&package)?), Vec::new()).await
}

/// Gives a package to the new payments of some merchants; again with the same package, of others. For the platform alone.
#[utoipa::path(post, path = "/v1/plugin-rollouts/{plugin}/canary", tag = "plugin-rollouts", request_body = StartCanary,
    params(("plugin" = String, Path)), responses((status = 200, body = PluginRolloutView)))]
pub async fn canary(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    plugin: web::Path<String>,
    body: web::Json<StartCanary>,
) -> Result<web::Json<PluginRolloutView>, Problem> {
    let StartCanary { version, package, tenants } = body.into_inner();
    take(&app, &caller, plugin.into_inner(), version, Step::Canary(named(&package)?), tenants).await
}

/// Gives the canary's package to everybody. Refused if an enabled account's settings do not fit it; the answer names them.
#[utoipa::path(post, path = "/v1/plugin-rollouts/{plugin}/promote", tag = "plugin-rollouts", request_body = SeenRollout,
    params(("plugin" = String, Path)), responses((status = 200, body = PluginRolloutView)))]
pub async fn promote(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    plugin: web::Path<String>,
    body: web::Json<SeenRollout>,
) -> Result<web::Json<PluginRolloutView>, Problem> {
    take(&app, &caller, plugin.into_inner(), body.version, Step::Promote, Vec::new()).await
}

/// Ends the canary, or without one goes back to what was stable before. Payments that have begun end with what began them.
#[utoipa::path(post, path = "/v1/plugin-rollouts/{plugin}/rollback", operation_id = "rollback", tag = "plugin-rollouts",
    request_body = SeenRollout, params(("plugin" = String, Path)), responses((status = 200, body = PluginRolloutView)))]
pub async fn roll_back(
    app: web::Data<App>,
    caller: Caller<ManagePlugins>,
    plugin: web::Path<String>,
    body: web::Json<SeenRollout>,
) -> Result<web::Json<PluginRolloutView>, Problem> {
    take(&app, &caller, plugin.into_inner(), body.version, Step::RollBack, Vec::new()).await
}

async fn take(
    app: &App,
    caller: &Caller<ManagePlugins>,
    plugin: String,
    seen: u64,
    step: Step,
    tenants: Vec<TenantId>,
) -> Result<web::Json<PluginRolloutView>, Problem> {
    let changed = packages::step(app, caller.principal().clone(), Wish { plugin, seen, step, tenants }).await?;
    Ok(web::Json(view(app, &owner(caller)?, changed.rollout, changed.unfit)))
}

fn view(app: &App, owner: &Owner, stored: StoredRollout, unfit: Vec<Unfit>) -> PluginRolloutView {
    let StoredRollout { plugin, rollout, canary_tenants, changed_at, changed_by, .. } = stored;
    let was_changed = rollout.version > 0;
    let mut behind = app.serving().behind().into_iter();
    let behind = behind.rfind(|behind| behind.tenant == owner.tenant() && behind.plugin == plugin);
    let this_node = ServedHere {
        version: app.serving().version_of(owner.tenant(), &plugin),
        problem: behind.map(|behind| behind.why),
    };
    PluginRolloutView {
        plugin,
        version: rollout.version,
        stable: rollout.stable.to_string(),
        previous: rollout.previous.map(|previous| previous.to_string()),
        canary: rollout.canary.map(|canary| canary.to_string()),
        canary_tenants,
        changed_at: was_changed.then_some(changed_at),
        changed_by: Some(changed_by).filter(|_| was_changed),
        this_node,
        unfit: unfit
            .into_iter()
            .map(|Unfit { tenant, account, why }| UnfitAccount { tenant, channel_account: account, why })
            .collect(),
    }
}
