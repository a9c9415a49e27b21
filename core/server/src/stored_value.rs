//! What a tenant that issues stored value does with it: at the desk, and for those who accept it.
//!
//! Each is one transaction: it takes the tenant's turn at the books, loads, lets the domain decide, and writes account, movement
//! and postings. Survives: the same request twice and at once, a cancel that overtakes its charge.

mod charges;
mod desk;
pub mod offline;

pub use charges::{Acceptance, cancel, charge, charge_of, give_back, refund_of};
pub use desk::{change_state, close, new_code, reverse, top_up};

use saoma_domain::stored_value::{ChargeRefusal, MovementKind, Refusal};
use saoma_protocol::{Millis, StoredValueMovementId};
use saoma_store::{
    StoreError, TenantScope, Tx,
    stored_value::movements::{NewMovement, Numbered},
    tenants,
};

use crate::{period::local_day, secrets::SecretsError};

/// Why it was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StoredValueError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Charge(#[from] ChargeRefusal),
    #[error("nothing has come under this number")]
    UnknownCharge,
    #[error("this number is another charge's; nothing was charged")]
    ChargeDiffers,
    #[error("this number is another refund's; nothing was given back")]
    RefundDiffers,
    #[error("this is no top-up; only a top-up can be taken back")]
    NoTopUp,
    #[error("this top-up was taken back before")]
    TakenBack,
    #[error("offline codes are not switched on; an owner sets their policy")]
    OfflineOff,
    #[error("this grant is another account's")]
    NoGrant,
    #[error("this double spend was resolved before")]
    Resolved,
    #[error(transparent)]
    Secrets(#[from] SecretsError),
}

/// Who moves something, and when.
#[derive(Clone, Debug)]
pub struct Deed {
    /// What the movement is called, if there is one.
    pub id: StoredValueMovementId,
    pub actor: String,
    pub at: Millis,
}

impl Deed {
    fn movement(
        &self,
        tx: &mut Tx<'_>,
        scope: &TenantScope,
        kind: MovementKind,
        numbered: Option<Numbered>,
        reason: Option<String>,
    ) -> Result<NewMovement, StoreError> {
        let day = self.day(tx, scope)?;
        Ok(NewMovement {
            id: self.id,
            kind,
            numbered,
            reverses: None,
            reason,
            made_by: self.actor.clone(),
            day,
            at: self.at,
            borne_minor: 0,
        })
    }

    /// The day on which it happens where the tenant is.
    fn day(&self, tx: &mut Tx<'_>, scope: &TenantScope) -> Result<String, StoreError> {
        Ok(local_day(self.at, &tenants::load(tx, scope)?.time_zone))
    }
}
