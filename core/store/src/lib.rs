//! The one place that speaks to a database: SQLite for one machine, PostgreSQL for many.
//!
//! Every function is one query or one transaction, and takes what it may see as a value: a [`TenantScope`], which only
//! [`access`] can make from a credential, or a [`PlatformScope`]. Rules live in `saoma-domain`; times, ids and chance are
//! passed in. A transaction is a plain function ([`Store::read`], [`Store::write`]), so no await fits inside one.

pub mod access;
pub mod api_keys;
pub mod audit;
pub mod batches;
pub mod bills;
pub mod books;
pub mod cards;
pub mod cashiers;
pub mod channel_accounts;
mod column;
mod conn;
mod connect;
mod cursor;
mod diagnosis;
mod dialect;
pub mod discrepancies;
pub mod disputes;
mod error;
pub mod events;
pub mod fee_plans;
pub mod goods;
mod group;
pub mod hand_settlements;
pub mod idempotency;
mod inline;
pub mod journal;
pub mod leases;
pub mod ledger;
pub mod master_keys;
pub mod merchant_rules;
pub mod meta;
pub mod nodes;
pub mod orders;
pub mod outbox;
pub mod pay_codes;
pub mod payment_figures;
mod payment_row;
pub mod payments;
pub mod payouts;
pub mod phone_policies;
pub mod plugin_kv;
mod plugin_owner;
pub mod plugin_packages;
pub mod plugin_publishers;
pub mod plugin_rollouts;
mod pool;
mod reach;
pub mod reconciliations;
pub mod refunds;
mod schema;
pub mod sealed;
pub mod server_keys;
pub mod sessions;
pub mod settlement_batches;
pub mod static_codes;
pub mod stored_cards;
pub mod stored_value;
pub mod stores;
pub mod tenant_keys;
pub mod tenants;
pub mod terminals;
pub mod users;
pub mod webhooks;

pub use access::{PlatformScope, Principal, TenantScope};
pub use conn::{Dialect, Load, Store, Tx};
pub use cursor::Cursor;
pub use error::StoreError;
pub use inline::{Moment, Pause, Waited};
pub use plugin_owner::Owner;

/// Whether a row that its maker names (a payment, a refund, an order) is new, or was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Insertion {
    Inserted,
    /// A row with that id is there already; load it and compare.
    Existing,
}

/// A secret that must not show up in a log: password hashes, ciphertexts, wrapped keys. `Debug` prints its length alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Opaque<T>(pub T);

impl<T: AsRef<[u8]>> std::fmt::Debug for Opaque<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opaque({} bytes)", self.0.as_ref().len())
    }
}
