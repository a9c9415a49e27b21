//! `/v1/channel-accounts`: a merchant's contracts with payment channels.
//!
//! Secrets go in and never come out: an answer names those that are set.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, http::StatusCode, web};
use saoma_channels::{Manifest, SettingsError, SettingsSchema};
use saoma_domain::fee::FeePlan;
use saoma_protocol::{ChannelAccountId, Millis, api::Page};
use saoma_store::{
    TenantScope, Tx,
    channel_accounts::{self, ChannelAccount},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{audit::note, fee_plans::rate};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManageChannels},
        idempotency::IdempotencyKey,
        once::{Wish, answered},
        problem::{CHANGED_MEANWHILE, INVALID, PLUGIN_MISSING, Problem},
        router::other_method,
        text,
    },
    payments::{Channel, channel_of_account},
    secrets::SecretsError,
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/channel-accounts").route(web::get().to(list)).route(web::post().to(create)))
        .service(resource("/channel-accounts/{account}").route(web::get().to(show)).route(web::patch().to(change)))
        .service(resource("/channel-accounts/{account}/self-test").route(web::post().to(self_test)));
}

/// Longest secret, in bytes: a client certificate with three that lead to its issuer and a private key of 4,096 bits, as PEM.
const SECRET_LEN_MAX: usize = 16_384;

/// A contract with a payment channel.
#[derive(Serialize, ToSchema)]
pub struct ChannelAccountView {
    id: ChannelAccountId,
    plugin: String,
    name: String,
    /// One that is not takes no new payments; those it has go on.
    enabled: bool,
    /// As the plugin's schema describes them.
    #[schema(value_type = Object)]
    settings: Value,
    /// The names of the secrets that are set.
    secrets: Vec<String>,
    /// What the channel keeps, in hundredths of a percent, in currencies for which its fee plan has no tariff.
    fee_basis_points: u16,
    /// The version of the fee plan that is in force; see `/v1/channel-accounts/{account}/fee-plan`.
    fee_plan_version: u64,
    /// Of several that fit a payment, the lowest is taken.
    priority: i32,
    /// To be sent with a change.
    version: u64,
    created_at: Millis,
    updated_at: Millis,
}

#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateChannelAccount {
    /// The id of an installed plugin.
    plugin: String,
    /// 1 to 128 characters.
    name: String,
    #[serde(default)]
    #[schema(value_type = Object)]
    settings: Map<String, Value>,
    /// By the names that the plugin gives them.
    #[serde(default)]
    secrets: BTreeMap<String, String>,
    /// 0 to 10,000: a fee plan of this rate alone, whose fees are kept on refunds.
    fee_basis_points: u16,
    #[serde(default)]
    priority: i32,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeChannelAccount {
    /// The version that was seen. If the account has another by now, nothing is changed.
    version: u64,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    enabled: Option<bool>,
    /// All of them.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// Those to be replaced, or taken away (`null`).
    #[serde(default)]
    secrets: BTreeMap<String, Option<String>>,
    /// 0 to 10,000: the next version of the fee plan, with another rate and the same tariffs.
    #[serde(default)]
    fee_basis_points: Option<u16>,
    #[serde(default)]
    priority: Option<i32>,
}

/// Whether an account works.
#[derive(Serialize, ToSchema)]
pub struct SelfTest {
    ok: bool,
    /// What the channel says of it, or what is wrong and what to do.
    message: String,
    /// Stable, for programs; absent if all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

/// The merchant's channel accounts, by priority, then by age.
#[utoipa::path(get, path = "/v1/channel-accounts", tag = "channel-accounts",
    responses((status = 200, body = Page<ChannelAccountView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
) -> Result<web::Json<Page<ChannelAccountView>>, Problem> {
    let scope = caller.scope()?;
    let accounts = app.store().read(move |tx| channel_accounts::list(tx, &scope)).await?;
    let mut items = Vec::with_capacity(accounts.len());
    for account in accounts {
        items.push(view(&app, scope, account).await?);
    }
    Ok(web::Json(Page { items, next_cursor: None }))
}

/// Adds an account.
#[utoipa::path(post, path = "/v1/channel-accounts", tag = "channel-accounts", request_body = CreateChannelAccount,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = ChannelAccountView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    key: IdempotencyKey,
    body: web::Json<CreateChannelAccount>,
) -> Result<HttpResponse, Problem> {
    let wish = Wish::of(&app, "POST /v1/channel-accounts", &caller, &key, &*body)?;
    let (scope, who, body) = (caller.scope()?, caller.principal().clone(), body.into_inner());
    let served = app.served(scope.tenant(), &body.plugin);
    let manifest = served.ok_or_else(|| missing(&body.plugin).at("/plugin"))?.manifest;
    let now = app.now();
    check_secrets(&manifest, body.secrets.iter().map(|(name, value)| (name, Some(value))), now)?;
    let account = ChannelAccount {
        id: ChannelAccountId::from_bytes(app.random_16()?),
        name: text::name(&body.name, "/name")?,
        enabled: true,
        settings_json: checked_settings(&manifest.settings_schema, body.settings)?,
        plugin: body.plugin,
        fee: FeePlan::flat(rate(body.fee_basis_points, "/fee_basis_points")?),
        fee_version: 1,
        priority: body.priority,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    let (vault, secrets) = (app.vault().clone(), body.secrets);
    let add = move |tx: &mut Tx<'_>| {
        channel_accounts::create(tx, &scope, &account)?;
        if !secrets.is_empty() {
            let sealed = vault.seal_secrets(tx, scope, account.id, &secrets, now)?;
            channel_accounts::set_secrets(tx, &scope, account.id, &sealed, now)?;
        }
        let names: Vec<String> = secrets.keys().cloned().collect();
        let detail = json!({ "account": told(&account), "secrets": names });
        note(tx, &who, "channel_account.created", &account.id, &detail, now)?;
        view_of(account.clone(), names)
    };
    answered(&app, scope, wish, StatusCode::CREATED, add).await
}

/// One account.
#[utoipa::path(get, path = "/v1/channel-accounts/{account}", tag = "channel-accounts",
    params(("account" = ChannelAccountId, Path)), responses((status = 200, body = ChannelAccountView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    account: web::Path<ChannelAccountId>,
) -> Result<web::Json<ChannelAccountView>, Problem> {
    let (scope, account) = (caller.scope()?, account.into_inner());
    let loaded = app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await?;
    Ok(web::Json(view(&app, scope, loaded).await?))
}

/// Changes an account. Payments under way go on with what it says from now on.
#[utoipa::path(patch, path = "/v1/channel-accounts/{account}", tag = "channel-accounts",
    request_body = ChangeChannelAccount, params(("account" = ChannelAccountId, Path)),
    responses((status = 200, body = ChannelAccountView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    account: web::Path<ChannelAccountId>,
    body: web::Json<ChangeChannelAccount>,
) -> Result<web::Json<ChannelAccountView>, Problem> {
    let (scope, who, id, body) = (caller.scope()?, caller.principal().clone(), account.into_inner(), body.into_inner());
    let mut account = app.store().read(move |tx| channel_accounts::load(tx, &scope, id)).await?;
    if account.version != body.version {
        let detail = format!("It has version {} by now; load it and look again.", account.version);
        return Err(Problem::new(CHANGED_MEANWHILE, detail).at("/version"));
    }
    let now = app.now();
    // Name, switch, fee and order can be changed while a plugin is missing; what only the plugin understands cannot.
    let served = app.served(scope.tenant(), &account.plugin).map(|served| served.manifest);
    let manifest = served.ok_or_else(|| missing(&account.plugin));
    if let Some(settings) = body.settings {
        account.settings_json =
            checked_settings(&manifest.as_ref().map_err(Problem::clone)?.settings_schema, settings)?;
    }
    if !body.secrets.is_empty() {
        let named = body.secrets.iter().map(|(name, value)| (name, value.as_ref()));
        check_secrets(manifest.as_ref().map_err(Problem::clone)?, named, now)?;
    }
    account.name = body.name.map(|name| text::name(&name, "/name")).transpose()?.unwrap_or(account.name);
    // What serves the plugin may have changed while nobody was served by it.
    if body.enabled == Some(true)
        && !account.enabled
        && let Ok(manifest) = &manifest
    {
        fitting(manifest.settings_schema.check(&account.settings_json))?;
    }
    account.enabled = body.enabled.unwrap_or(account.enabled);
    if let Some(basis_points) = body.fee_basis_points {
        account.fee = account.fee.with_rate(rate(basis_points, "/fee_basis_points")?);
    }
    account.priority = body.priority.unwrap_or(account.priority);
    account.updated_at = now;
    let (vault, secrets, stored) = (app.vault().clone(), body.secrets, account.clone());
    let account = app
        .store()
        .write(move |tx| {
            channel_accounts::update(tx, &scope, &stored)?;
            if !secrets.is_empty() {
                let sealed = vault.seal_changed(tx, scope, id, &secrets, now)?;
                channel_accounts::set_secrets(tx, &scope, id, &sealed, now)?;
            }
            let changed: Vec<&String> = secrets.keys().collect();
            let detail = json!({ "account": told(&stored), "secrets_changed": changed });
            note(tx, &who, "channel_account.changed", &id, &detail, now)?;
            Ok::<_, SecretsError>(channel_accounts::load(tx, &scope, id)?)
        })
        .await?;
    Ok(web::Json(view(&app, scope, account).await?))
}

/// Asks the channel whether the account works. No money moves.
#[utoipa::path(post, path = "/v1/channel-accounts/{account}/self-test", tag = "channel-accounts",
    params(("account" = ChannelAccountId, Path)), responses((status = 200, body = SelfTest)))]
pub async fn self_test(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    account: web::Path<ChannelAccountId>,
) -> Result<web::Json<SelfTest>, Problem> {
    let (scope, id) = (caller.scope()?, account.into_inner());
    let stored = app.store().read(move |tx| channel_accounts::load(tx, &scope, id)).await?;
    let Channel { account, manifest, .. } = channel_of_account(&app, scope, &stored).await?;
    // A secret that has ended fails every call in words that say less.
    let (tested, notices) = match account.secrets.review(&manifest.secrets, app.now()) {
        Ok(notices) => (app.channels().self_test(&account).await, notices),
        Err(failure) => (Err(failure), Vec::new()),
    };
    let told = |message: String| notices.iter().fold(message, |message, notice| format!("{message} ({notice})"));
    Ok(web::Json(match tested {
        Ok(message) => SelfTest { ok: true, message: told(message), code: None },
        Err(failure) => SelfTest { ok: false, message: told(failure.to_string()), code: Some(failure.code()) },
    }))
}

async fn view(app: &App, scope: TenantScope, account: ChannelAccount) -> Result<ChannelAccountView, Problem> {
    let secrets = app.secrets_of(scope, account.id).await?.names().map(str::to_owned).collect();
    view_of(account, secrets)
}

/// `secrets`: the names of those that are set.
fn view_of(account: ChannelAccount, secrets: Vec<String>) -> Result<ChannelAccountView, Problem> {
    Ok(ChannelAccountView {
        id: account.id,
        plugin: account.plugin,
        name: account.name,
        enabled: account.enabled,
        settings: serde_json::from_str(&account.settings_json).map_err(|error| Problem::internal(&error))?,
        secrets,
        fee_basis_points: account.fee.rate().get(),
        fee_plan_version: account.fee_version,
        priority: account.priority,
        version: account.version,
        created_at: account.created_at,
        updated_at: account.updated_at,
    })
}

/// An account as the audit log has it, whole: settings are no secrets.
fn told(account: &ChannelAccount) -> Value {
    json!({
        "plugin": account.plugin,
        "name": account.name,
        "enabled": account.enabled,
        "settings": serde_json::from_str::<Value>(&account.settings_json).unwrap_or_default(),
        "fee_basis_points": account.fee.rate().get(),
        "priority": account.priority,
    })
}

fn missing(plugin: &str) -> Problem {
    let plugin: String = plugin.chars().take(64).collect();
    Problem::new(PLUGIN_MISSING, format!("There is no plugin {plugin:?} here; GET /v1/plugins lists those there are."))
}

/// As JSON text.
pub(super) fn checked_settings(schema: &SettingsSchema, settings: Map<String, Value>) -> Result<String, Problem> {
    let text = Value::Object(settings).to_string();
    fitting(schema.check_typed(&text))?;
    Ok(text)
}

/// What is wrong with settings, at its field.
pub(super) fn fitting(checked: Result<Map<String, Value>, SettingsError>) -> Result<(), Problem> {
    checked.map(drop).map_err(|error| {
        let pointer = match &error {
            SettingsError::Missing { name, .. }
            | SettingsError::Unknown { name, .. }
            | SettingsError::Wrong { name, .. } => {
                format!("/settings/{}", escaped(name))
            }
            SettingsError::TooLong(_) | SettingsError::NotAnObject => "/settings".to_owned(),
        };
        Problem::new(INVALID, format!("The settings do not fit: {error}.")).at(pointer)
    })
}

/// Whether these are secrets that the channel has, with values that may be kept.
fn check_secrets<'a>(
    manifest: &Manifest,
    secrets: impl Iterator<Item = (&'a String, Option<&'a String>)>,
    now: Millis,
) -> Result<(), Problem> {
    for (name, value) in secrets {
        let at = || format!("/secrets/{}", escaped(&name.chars().take(64).collect::<String>()));
        // One that is to be taken away may be left over from an earlier version of the plugin.
        let Some(value) = value else { continue };
        let Some(spec) = manifest.secrets.iter().find(|secret| secret.name == *name) else {
            let known: Vec<&str> = manifest.secrets.iter().map(|secret| secret.name.as_str()).collect();
            let detail = match known.as_slice() {
                [] => "This channel has no secrets.".to_owned(),
                known => format!("This channel's secrets are: {}.", known.join(", ")),
            };
            return Err(Problem::new(INVALID, detail).at(at()));
        };
        if value.is_empty() || value.len() > SECRET_LEN_MAX {
            return Err(Problem::new(INVALID, format!("A secret has 1 to {SECRET_LEN_MAX} bytes.")).at(at()));
        }
        if let Err(fault) = spec.kind.check_at(value.as_bytes(), now) {
            return Err(Problem::new(INVALID, format!("The secret {name:?} is of no use: {fault}.")).at(at()));
        }
    }
    Ok(())
}

/// A name within a JSON pointer (RFC 6901 §3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
