//! By which of a merchant's accounts somebody with this browser can pay.

use saoma_channels::{Capability, in_app};
use saoma_protocol::{ChannelAccountId, Currency};
use saoma_store::{TenantScope, channel_accounts};
use serde_json::{Map, Value};

use super::visitor::Who;
use crate::{app::App, payments::PaymentError};

/// What the merchant's enabled accounts serve, each list by priority.
#[derive(Debug, Default)]
pub struct Ways {
    pub apps: Vec<(ChannelAccountId, in_app::App)>,
    /// The first whose code any browser can be shown: of channels that serve no app's page.
    pub browser: Option<ChannelAccountId>,
}

impl Ways {
    /// The account that serves this browser's app.
    #[must_use]
    pub fn of(&self, user_agent: &str) -> Option<&(ChannelAccountId, in_app::App)> {
        self.apps.iter().find(|(_, app)| app.is_of(user_agent))
    }

    /// Whether who this is can still pay by the account that they were known for.
    #[must_use]
    pub fn serve(&self, who: &Who) -> bool {
        match who {
            Who::Sent { account, app, .. } | Who::Known { account, app, .. } => {
                self.apps.iter().any(|(serving, served)| serving == account && served.id == *app)
            }
            Who::Anyone { account } => self.browser == Some(*account),
        }
    }

    /// What people call the apps, each once.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for (_, app) in &self.apps {
            if !names.contains(&app.name.as_str()) {
                names.push(&app.name);
            }
        }
        names
    }
}

/// # Errors
/// `Store`, `Secrets`.
pub async fn ways(app: &App, scope: TenantScope, currency: Currency) -> Result<Ways, PaymentError> {
    let enabled = app.store().read(move |tx| channel_accounts::list_enabled(tx, &scope)).await?;
    let mut ways = Ways::default();
    for account in enabled {
        let Some(served) = app.served(scope.tenant(), &account.plugin) else { continue };
        let manifest = served.manifest;
        if !manifest.can(Capability::MerchantPresented) || !manifest.currencies.contains(&currency) {
            continue;
        }
        if manifest.apps.is_empty() {
            ways.browser = ways.browser.or(Some(account.id));
            continue;
        }
        let settings: Map<String, Value> = serde_json::from_str(&account.settings_json).unwrap_or_default();
        // One account whose secrets do not open closes none of the others' ways.
        let secrets = match app.secrets_of(scope, account.id).await {
            Ok(secrets) => secrets,
            Err(error) => {
                tracing::warn!(channel_account.id = %account.id, %error, "an account serves no app: its secrets do not open");
                continue;
            }
        };
        let secrets: Vec<&str> = secrets.names().collect();
        let has_setting = |name: &String| settings.get(name).is_some_and(|value| value.as_str() != Some(""));
        for served in &manifest.apps {
            let is_whole = served.settings.iter().all(has_setting)
                && served.secrets.iter().all(|name| secrets.contains(&name.as_str()));
            if is_whole {
                ways.apps.push((account.id, served.clone()));
            }
        }
    }
    Ok(ways)
}
