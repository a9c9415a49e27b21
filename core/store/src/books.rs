//! One terminal's books, to compare with its journal.

use saoma_protocol::{TerminalId, api::TerminalBooks};

use crate::{StoreError, TenantScope, Tx};

/// Sums over the terminal's captured payments (voided ones too) and over the refunds and voids of them that succeeded.
///
/// # Errors
/// `NotFound` if the terminal is not the tenant's.
pub fn of_terminal(tx: &mut Tx<'_>, scope: &TenantScope, terminal: TerminalId) -> Result<TerminalBooks, StoreError> {
    todo!()
}
