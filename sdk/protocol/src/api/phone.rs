//! What a terminal must know to ask for money where it has no network and the customer's phone has one.

use serde::{Deserialize, Serialize};

use crate::{Currency, code::phone::ConfirmKey};

/// Under which a terminal with no network shows codes that the customer's phone carries to core ([`crate::code::phone`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PhoneLimits {
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "CNY"))]
    pub currency: Currency,
    /// Of one sale, in minor units; 1 at least.
    pub sale_minor_max: i64,
    /// How long a code is good, in seconds; 1 to [`crate::code::phone::LIVES_SECONDS_MAX`].
    pub code_seconds: u16,
    /// How old the list may be.
    pub list_hours_max: u32,
    /// Core's address for customers, with no slash at its end.
    pub base_url: String,
    /// The serial number of the certificate that was shown, in lower-case hex: the key below is for what is signed by that one's key.
    pub certificate: String,
    /// By which core confirms what was paid to this terminal alone: 64 lower-case hex digits. A secret.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub confirm_key: ConfirmKey,
}
