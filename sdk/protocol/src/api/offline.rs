//! What a terminal must know to take offline codes.

use serde::{Deserialize, Serialize};

use crate::{Millis, code::offline::Issuer};

/// `GET /v1/terminal/offline-list`. A terminal keeps the newest it has by `issued_at`, and takes no code offline once that is
/// older than `limits.list_hours_max`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OfflineList {
    /// Core's clock when it was told.
    pub issued_at: Millis,
    /// Absent: no offline code is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<OfflineLimits>,
    pub issuers: Vec<Issuer>,
    /// Tokens of grants that were revoked before their time, as hex: no code of them is taken.
    pub denied: Vec<String>,
}

/// What a terminal may take offline; sums are in minor units of the merchant's currency, and each is 1 at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct OfflineLimits {
    /// Of one sale.
    pub sale_minor_max: i64,
    /// How often codes of one grant are taken within a day.
    pub grant_day_count_max: u32,
    /// What the terminal may have taken that core does not know of: the sum, the number of sales, the age of the oldest.
    pub unsent_minor_max: i64,
    pub unsent_count_max: u32,
    pub unsent_hours_max: u32,
    /// How old this list may be.
    pub list_hours_max: u32,
}
