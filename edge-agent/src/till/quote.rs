//! The price of a sale by the merchant's own rules, as the page asks for it and sees it.

use actix_web::{HttpResponse, web::Data};
use saoma_protocol::{
    Money, QuoteId,
    api::{Adjustment, Goods, Quoted},
};
use serde::{Deserialize, Serialize};

use super::{Room, command::Command, door::Post, problem::Refused};

/// `POST /api/quotes`: what is about to be sold, as in `POST /api/sales`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    pub amount_minor: i64,
    #[serde(default)]
    pub goods: Vec<Goods>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basket: Option<u64>,
}

/// The quote, or why there is none: the sale goes on at its list price then, but for `Refused`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuoteTold {
    pub quote: Option<QuoteShown>,
    pub why: Option<Unquoted>,
}

impl From<Result<QuoteShown, Unquoted>> for QuoteTold {
    fn from(told: Result<QuoteShown, Unquoted>) -> Self {
        match told {
            Ok(quote) => Self { quote: Some(quote), why: None },
            Err(why) => Self { quote: None, why: Some(why) },
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unquoted {
    /// The merchant has no rules, or has switched them off.
    NoRules,
    /// Nothing of core's is asked for what is only played.
    Training,
    Offline,
    /// No answer in time.
    Slow,
    /// Core gave none.
    Failed,
    /// A rule gave none without whose answer the merchant sells nothing: the page sells nothing now.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuoteShown {
    /// A sale of it names it.
    pub id: QuoteId,
    pub amount_minor: i64,
    pub amount: String,
    #[serde(flatten)]
    pub priced: PricedView,
    /// Rules that gave no answer, and were passed over.
    pub failed: Vec<String>,
}

/// What a price is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PricedView {
    pub list_minor: i64,
    pub adjustments: Vec<Adjustment>,
    pub receipt_lines: Vec<String>,
}

impl PricedView {
    pub(super) fn of(quote: &Quoted) -> Self {
        let Quoted { asked_minor, adjustments, receipt_lines, .. } = quote.clone();
        Self { list_minor: asked_minor, adjustments, receipt_lines }
    }
}

impl QuoteShown {
    #[must_use]
    pub fn of(quote: &Quoted, amount: Money, failed: Vec<String>) -> Self {
        let (amount_minor, amount) = (amount.minor(), amount.decimal());
        Self { id: quote.id, amount_minor, amount, priced: PricedView::of(quote), failed }
    }
}

pub(super) async fn ask(room: Data<Room>, post: Post<QuoteRequest>) -> Result<HttpResponse, Refused> {
    let request = post.body;
    let told = room.commands.ask(|reply| Command::Quote { request, reply }).await?;
    Ok(HttpResponse::Ok().json(told))
}
