//! What is being sold.

use saoma_protocol::{Amount, Millis, OrderId, Sequence, StoreId, TerminalId, api::Goods};

use crate::{Insertion, StoreError, TenantScope, Tx};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub amount: Amount,
    pub store: StoreId,
    pub terminal: Option<TerminalId>,
    /// The terminal's number of this sale.
    pub counter: Option<Sequence>,
    pub cashier: Option<String>,
    pub reference: Option<String>,
    pub goods: Vec<Goods>,
    pub created_at: Millis,
}

/// # Errors
/// None of its own.
pub fn insert_new(tx: &mut Tx<'_>, scope: &TenantScope, order: &Order) -> Result<Insertion, StoreError> {
    todo!()
}

/// # Errors
/// `NotFound`.
pub fn load(tx: &mut Tx<'_>, scope: &TenantScope, order: OrderId) -> Result<Order, StoreError> {
    todo!()
}
