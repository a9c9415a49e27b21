//! What core and terminal agree on, byte for byte.
//!
//! This crate is the root of the house: it imports none of ours, reads no clock, draws no chance and does no I/O, so
//! that both sides of every wire (and the simulator between them) run the same code. Anything that is stored or sent
//! has a version and a golden vector under `vectors/`.

pub mod api;
pub mod barcode;
pub mod cashier;
pub mod code;
pub mod id;
pub mod journal;
pub mod message;
pub mod money;
pub mod pricing;
pub mod time;
pub mod topic;
pub mod weight;

pub use id::{
    ApiKeyId, BatchId, CashierId, ChannelAccountId, DiscrepancyId, DisputeId, GoodsId, HandSettlementId, OrderId,
    PaymentId, PayoutId, QuoteId, ReconciliationId, RefundId, Sequence, SessionId, SettlementBatchId, StaticCodeId,
    StoreId, StoredValueAccountId, StoredValueMovementId, TaxRateId, TenantId, TerminalId, UserId, WebhookDeliveryId,
    WebhookEndpointId, WebhookEventId,
};
pub use money::{Amount, Currency, Money};
pub use time::Millis;
pub use weight::Grams;
