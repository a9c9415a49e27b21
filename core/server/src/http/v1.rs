//! The API, one file a resource.

pub mod api_keys;
pub mod attention;
pub mod audit;
pub mod channel_accounts;
pub mod discrepancies;
pub mod fee_plans;
pub mod fleet;
pub mod ledger;
pub mod notify;
pub mod orders;
pub mod payments;
pub mod payouts;
pub mod people;
pub mod plugins;
pub mod reconciliations;
pub mod refunds;
pub mod sessions;
pub mod settlements;
pub mod stores;
pub mod stream;
pub mod tenants;
pub mod terminal;
pub mod terminals;
pub mod timeline;
pub mod webhook_deliveries;
pub mod webhooks;
