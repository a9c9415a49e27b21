//! What a terminal must know to take offline codes and cards without a network, and to show codes there that the customer's phone carries.

use serde::{Deserialize, Serialize};

use super::{CardDigits, PhoneLimits};
use crate::{ChannelAccountId, Currency, Millis, code::offline::Issuer};

/// `GET /v1/terminal/offline-list`. A terminal keeps the newest it has by `issued_at`, and takes no code offline once that is
/// older than `limits.list_hours_max`, no card and shows no code once it is older than `cards` or `phone` say.
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
    /// Absent: no card is taken without a network. Terminals of before pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cards: Option<CardLimits>,
    /// Absent: no code is shown that the customer's phone carries to core. Terminals of before pass over it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<PhoneLimits>,
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

/// What a terminal may sell by card without a network, to be forwarded later (store-and-forward). The merchant bears what the acquirer
/// then declines. Sums are in minor units of `currency`; numbers and sums are 1 at least.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CardLimits {
    /// The account through which core forwards: the terminal writes it into each sale.
    pub channel_account: ChannelAccountId,
    #[cfg_attr(feature = "openapi", schema(value_type = String, example = "CNY"))]
    pub currency: Currency,
    /// Of one sale: the floor limit.
    pub sale_minor_max: i64,
    /// What one card may pay on this terminal within 24 hours, by its [`CardDigits`]: how often, and the sum.
    pub card_day_count_max: u32,
    pub card_day_minor_max: i64,
    /// What the terminal may have sold that core does not know of: the sum, the number of sales, the age of the oldest.
    pub unsent_minor_max: i64,
    pub unsent_count_max: u32,
    pub unsent_hours_max: u32,
    /// How old the list may be.
    pub list_hours_max: u32,
    /// Whether stripes are taken too. What is keyed never is.
    pub stripe: bool,
    /// Leading digits of the numbers that are taken, 2 to 6 of them; 1 to 50 such.
    pub prefixes: Vec<String>,
    /// The numbers that are not, at most 1,000.
    pub blocked: Vec<CardDigits>,
}
