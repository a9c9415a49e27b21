//! `/v1/merchant-rules`: a merchant's own rules for its sales, from an extension that is installed here: in the operator's folder, or
//! as a package (`/v1/plugin-rollouts`).

use actix_web::web;
use saoma_channels::extension::{Extension, Rule};
use saoma_protocol::{Millis, TenantId, api::Page};
use saoma_store::{
    StoreError,
    merchant_rules::{self, MerchantRules},
    plugin_rollouts,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{
    audit::note,
    channel_accounts::{checked_settings, fitting},
};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManageChannels},
        problem::{CHANGED_MEANWHILE, INVALID, PLUGIN_MISSING, Problem},
        router::other_method,
    },
    packages,
};

pub fn routes(config: &mut web::ServiceConfig) {
    let resource = |path: &str| web::resource(path.to_owned()).default_service(web::to(other_method));
    config
        .service(resource("/extensions").route(web::get().to(list)))
        .service(resource("/merchant-rules").route(web::get().to(show)).route(web::put().to(change)));
}

/// An installed extension.
#[derive(Serialize, ToSchema)]
pub struct ExtensionView {
    id: String,
    version: String,
    name: String,
    /// `price`, `route`, `risk`, `receipt-lines`.
    rules: Vec<&'static str>,
    /// JSON Schema of a merchant's settings: the form is drawn from it.
    settings_schema: Value,
}

/// What a merchant's sales are asked about.
#[derive(Serialize, ToSchema)]
pub struct MerchantRulesView {
    /// To be sent with a change. 0: there never were rules.
    version: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    extension: Option<String>,
    enabled: bool,
    /// As the extension's schema describes them.
    #[schema(value_type = Object)]
    settings: Value,
    /// Rules whose failure refuses the sale; it goes on without the others.
    refuse_on_failure: Vec<String>,
    /// Why the rules cannot be asked as they are: no such extension on the node that answers, or settings that do not fit it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_at: Option<Millis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    changed_by: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeMerchantRules {
    /// The version that was seen. If there is another by now, nothing is changed.
    version: u64,
    /// The id of an installed extension.
    extension: String,
    enabled: bool,
    /// All of them; without it those of before, if they were this extension's. Rules that are switched off may keep what they had,
    /// also what does not fit.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Option<Map<String, Value>>,
    /// Of `price`, `route`, `risk` and `receipt-lines`; without it as before, if they were this extension's, and else `risk` alone.
    #[serde(default)]
    refuse_on_failure: Option<Vec<String>>,
}

/// The extensions that a merchant can take its rules from, by id.
#[utoipa::path(get, path = "/v1/extensions", operation_id = "extensions", tag = "merchant-rules",
    responses((status = 200, body = Page<ExtensionView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
) -> Result<web::Json<Page<ExtensionView>>, Problem> {
    let tenant = caller.scope()?.tenant();
    let view = |extension: &std::sync::Arc<Extension>| {
        let told = extension.description();
        ExtensionView {
            id: told.id.clone(),
            version: told.version.clone(),
            name: told.name.clone(),
            rules: told.rules.iter().copied().map(Rule::text).collect(),
            // It was read as JSON when the extension was installed.
            settings_schema: serde_json::from_str(told.settings_schema.text()).unwrap_or_default(),
        }
    };
    Ok(web::Json(Page { items: app.all_rules(tenant).iter().map(view).collect(), next_cursor: None }))
}

/// The merchant's rules.
#[utoipa::path(get, path = "/v1/merchant-rules", tag = "merchant-rules",
    responses((status = 200, body = MerchantRulesView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
) -> Result<web::Json<MerchantRulesView>, Problem> {
    let scope = caller.scope()?;
    let stored = app.store().read(move |tx| merchant_rules::load(tx, &scope)).await?;
    Ok(web::Json(view(&app, scope.tenant(), stored)))
}

/// Sets the merchant's rules, or switches them off: for the sales that begin from now on.
#[utoipa::path(put, path = "/v1/merchant-rules", tag = "merchant-rules", request_body = ChangeMerchantRules,
    responses((status = 200, body = MerchantRulesView)))]
pub async fn change(
    app: web::Data<App>,
    caller: Caller<ManageChannels>,
    body: web::Json<ChangeMerchantRules>,
) -> Result<web::Json<MerchantRulesView>, Problem> {
    let (scope, who, body) = (caller.scope()?, caller.principal().clone(), body.into_inner());
    let before = app.store().read(move |tx| merchant_rules::load(tx, &scope)).await?;
    let version = before.as_ref().map_or(0, |before| before.version);
    if version != body.version {
        let detail = format!("They have version {version} by now; load them and look again.");
        return Err(Problem::new(CHANGED_MEANWHILE, detail).at("/version"));
    }
    let before = before.filter(|before| before.extension == body.extension);
    if app.rules(scope.tenant(), &body.extension).is_none() {
        packages::catch_up(&app, scope, &body.extension).await?;
    }
    let served = app.serving().versions_for(scope.tenant(), &body.extension);
    let extension = app.rules(scope.tenant(), &body.extension);
    let refuse_on_failure = match (body.refuse_on_failure, &before) {
        (Some(named), _) => refusing(named)?,
        (None, Some(before)) => before.refuse_on_failure.clone(),
        (None, None) => vec![Rule::Risk.text().to_owned()],
    };
    let (settings_json, checked_by) = match (&extension, before) {
        // What only the extension understands cannot be changed without it; it can be switched off.
        (_, Some(before)) if !body.enabled && body.settings.is_none() => (before.settings_json, None),
        (None, _) => {
            let id: String = body.extension.chars().take(64).collect();
            let detail = format!("There is no extension {id:?} here; GET /v1/extensions lists those there are.");
            return Err(Problem::new(PLUGIN_MISSING, detail).at("/extension"));
        }
        (Some(extension), before) => {
            let schema = &extension.description().settings_schema;
            let settings_json = match (body.settings, before) {
                (None, Some(before)) => {
                    fitting(schema.check(&before.settings_json))?;
                    before.settings_json
                }
                (settings, _) => checked_settings(schema, settings.unwrap_or_default())?,
            };
            (settings_json, Some(served))
        }
    };
    let now = app.now();
    let rules = MerchantRules {
        extension: body.extension,
        enabled: body.enabled,
        settings_json,
        refuse_on_failure,
        version: version + 1,
        changed_at: now,
        changed_by: who.actor(),
    };
    let saved = rules.clone();
    let save = move |tx: &mut saoma_store::Tx<'_>| {
        if let Some(versions) = checked_by {
            plugin_rollouts::hold(tx, &scope, &rules.extension, versions)?;
        }
        merchant_rules::save(tx, &scope, &rules)?;
        let detail = json!({
            "extension": rules.extension,
            "enabled": rules.enabled,
            "settings": settings(&rules),
            "refuse_on_failure": rules.refuse_on_failure,
        });
        note(tx, &who, "merchant_rules.changed", &scope.tenant(), &detail, now)
    };
    match app.store().write(save).await {
        // Whoever tries again does so by what is rolled out.
        Err(StoreError::Stale { what }) => {
            packages::catch_up(&app, scope, &saved.extension).await?;
            let detail =
                format!("{what} of {} was changed meanwhile; load what it wants and look again.", saved.extension);
            Err(Problem::new(CHANGED_MEANWHILE, detail))
        }
        other => {
            other?;
            Ok(web::Json(view(&app, scope.tenant(), Some(saved))))
        }
    }
}

/// Rules whose failure refuses a sale. Also those that the extension has not: its next version may.
fn refusing(named: Vec<String>) -> Result<Vec<String>, Problem> {
    let is_wrong = |(idx, name): &(usize, &String)| {
        Rule::ALL.iter().all(|rule| rule.text() != name.as_str()) || named[..*idx].contains(name)
    };
    match named.iter().enumerate().find(is_wrong) {
        Some((idx, _)) => {
            let all = Rule::ALL.map(Rule::text).join(", ");
            let detail = format!("The rules are {all}; each may be named once.");
            Err(Problem::new(INVALID, detail).at(format!("/refuse_on_failure/{idx}")))
        }
        None => Ok(named),
    }
}

fn settings(rules: &MerchantRules) -> Value {
    serde_json::from_str(&rules.settings_json).unwrap_or_default()
}

fn view(app: &App, tenant: TenantId, stored: Option<MerchantRules>) -> MerchantRulesView {
    let Some(rules) = stored else {
        return MerchantRulesView {
            version: 0,
            extension: None,
            enabled: false,
            settings: json!({}),
            refuse_on_failure: Vec::new(),
            problem: None,
            changed_at: None,
            changed_by: None,
        };
    };
    let problem = match app.rules(tenant, &rules.extension) {
        None => Some("This node has no such extension.".to_owned()),
        Some(extension) => {
            let fits = extension.description().settings_schema.check(&rules.settings_json);
            fits.err().map(|error| format!("The settings do not fit: {error}."))
        }
    };
    MerchantRulesView {
        version: rules.version,
        settings: settings(&rules),
        extension: Some(rules.extension),
        enabled: rules.enabled,
        refuse_on_failure: rules.refuse_on_failure,
        problem,
        changed_at: Some(rules.changed_at),
        changed_by: Some(rules.changed_by),
    }
}
