//! What a merchant's own rules make of a sale before anybody is asked to pay, and the sale that is made of it.

use serde::{Deserialize, Serialize};

use super::Goods;
use crate::{Amount, Millis, QuoteId, StoreId};

/// How long a quote can be sold (as often as it is named), in milliseconds of core's clock: a customer who was told the price takes out
/// a phone, and the code on show or the card takes its time.
pub const QUOTE_LIVES_MS: i64 = 15 * 60 * 1_000;
/// Most reasons of one quote, and most lines for its receipt.
pub const QUOTE_LINES_MAX: usize = 8;

/// `POST /v1/quotes`: a sale that is about to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AskQuote {
    pub amount: Amount,
    /// The store that sells. A terminal leaves it out: its own store is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<StoreId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub goods: Vec<Goods>,
    /// Who sells, as the till knows them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cashier: Option<String>,
    /// How the customer is going to pay, if that is known.
    #[serde(default)]
    pub method: QuoteMethod,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum QuoteMethod {
    MerchantPresented,
    CustomerPresented,
    Card,
    #[default]
    Undecided,
}

/// What to ask for. The sale is then made of this amount: core never changes the amount of a sale.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QuoteView {
    /// By which the sale names it, as its `quote`. Absent if no rules are in force: there is nothing to be named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<QuoteId>,
    pub amount: Amount,
    /// Why it is not what was asked about: that and all of these are together exactly the amount.
    pub adjustments: Vec<Adjustment>,
    /// What the receipt says besides.
    pub receipt_lines: Vec<String>,
    /// Rules that gave no answer and were passed over, as the merchant has set.
    pub failed: Vec<String>,
    /// Until when a sale may name it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Millis>,
}

/// A discount (less than 0) or a surcharge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Adjustment {
    /// For the customer.
    pub name: String,
    /// In minor units of the amount's currency; never 0.
    pub minor: i64,
}

/// The quote that a sale is made of, in core's own words: its id holds for these, the sale's amount and its goods, in the store and at
/// the terminal that asked, and for nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Quoted {
    pub id: QuoteId,
    /// What was asked about, in minor units: what the sale costs without the rules.
    pub asked_minor: i64,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adjustments: Vec<Adjustment>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub receipt_lines: Vec<String>,
    pub expires_at: Millis,
}

impl QuoteView {
    /// What a sale of it names; `None` if there is nothing to be named, or it is not within its own bounds.
    #[must_use]
    pub fn quoted(&self, asked: Amount) -> Option<Quoted> {
        let is_sum = self.adjustments.iter().try_fold(asked.minor(), |sum, one| sum.checked_add(one.minor))
            == Some(self.amount.minor());
        let is_short = self.adjustments.len() <= QUOTE_LINES_MAX && self.receipt_lines.len() <= QUOTE_LINES_MAX;
        Some(Quoted {
            id: self.id?,
            asked_minor: asked.minor(),
            adjustments: self.adjustments.clone(),
            receipt_lines: self.receipt_lines.clone(),
            expires_at: self.expires_at?,
        })
        .filter(|_| is_sum && is_short && self.amount.currency() == asked.currency())
    }
}
