//! `/v1/plugins`: the payment channels that are installed, and what an account of each needs.

use actix_web::web;
use saoma_channels::{Capability, Manifest, SecretKind};
use saoma_protocol::{Currency, api::Page};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ManageChannels},
        problem::Problem,
        router::other_method,
    },
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/plugins").route(web::get().to(list)).default_service(web::to(other_method)));
}

/// An installed channel.
#[derive(Serialize, ToSchema)]
pub struct PluginView {
    id: String,
    version: String,
    name: String,
    #[schema(value_type = Vec<String>)]
    currencies: Vec<Currency>,
    /// `merchant_presented`, `customer_presented`, `cancel`, `refund`, `partial_refund`, `notifications`, `bills`.
    capabilities: Vec<&'static str>,
    /// JSON Schema of an account's settings: the form is drawn from it.
    settings_schema: Value,
    /// The secrets that an account has, to be entered once and never shown.
    secrets: Vec<SecretView>,
}

#[derive(Serialize, ToSchema)]
pub struct SecretView {
    name: String,
    kind: SecretKindView,
    /// For the person who enters it.
    description: String,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SecretKindView {
    /// A key for HMAC-SHA-256.
    MacKey,
    /// An API key, token or password: 8 to 4,096 printable ASCII characters.
    Text,
    /// An RSA private key in PEM, or its bare Base64. It signs, and opens what a scheme sealed for it.
    RsaPrivateKey,
    /// The scheme's RSA public keys or certificates, in PEM or bare Base64.
    RsaPublicKeys,
    /// A key of exactly 32 ASCII characters.
    #[serde(rename = "aes_256_key")]
    Aes256Key,
    /// A certificate, those that lead to its issuer, and its private key, in PEM.
    ClientCertificate,
    /// Certificates in PEM.
    Certificates,
    /// A key that opens working keys: 32 or 48 hex digits (TDES), or `aes:` and 32 or 64 hex digits.
    KeyEncryptionKey,
    /// The DUKPT base key of terminals' card data, 32 hex digits.
    TerminalDataKey,
    /// The DUKPT base key of terminals' PIN blocks, 32 hex digits.
    TerminalPinKey,
}

impl From<&Manifest> for PluginView {
    fn from(manifest: &Manifest) -> Self {
        let secrets = manifest.secrets.iter().map(|secret| SecretView {
            name: secret.name.clone(),
            kind: match secret.kind {
                SecretKind::MacKey => SecretKindView::MacKey,
                SecretKind::Text => SecretKindView::Text,
                SecretKind::RsaPrivateKey => SecretKindView::RsaPrivateKey,
                SecretKind::RsaPublicKeys => SecretKindView::RsaPublicKeys,
                SecretKind::Aes256Key => SecretKindView::Aes256Key,
                SecretKind::ClientCertificate => SecretKindView::ClientCertificate,
                SecretKind::Certificates => SecretKindView::Certificates,
                SecretKind::KeyEncryptionKey => SecretKindView::KeyEncryptionKey,
                SecretKind::TerminalDataKey => SecretKindView::TerminalDataKey,
                SecretKind::TerminalPinKey => SecretKindView::TerminalPinKey,
            },
            description: secret.description.clone(),
        });
        Self {
            id: manifest.id.clone(),
            version: manifest.version.clone(),
            name: manifest.name.clone(),
            currencies: manifest.currencies.clone(),
            capabilities: manifest.capabilities.iter().copied().map(Capability::text).collect(),
            // It was read as JSON when the plugin was installed.
            settings_schema: serde_json::from_str(manifest.settings_schema.text()).unwrap_or_default(),
            secrets: secrets.collect(),
        }
    }
}

/// The channels that the merchant can have accounts of, each in the version that its new payments go through; by id.
#[utoipa::path(get, path = "/v1/plugins", operation_id = "plugins", tag = "channel-accounts", responses((status = 200, body = Page<PluginView>)))]
pub async fn list(app: web::Data<App>, caller: Caller<ManageChannels>) -> Result<web::Json<Page<PluginView>>, Problem> {
    let items =
        app.all_served(caller.scope()?.tenant()).iter().map(|manifest| PluginView::from(manifest.as_ref())).collect();
    Ok(web::Json(Page { items, next_cursor: None }))
}
