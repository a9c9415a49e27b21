//! `/v1/quotes`: what a merchant's own rules make of a sale before anybody is asked to pay.

use actix_web::web;
use saoma_channels::extension::{Adjustment, DraftMethod};
use saoma_protocol::{Amount, StoreId, api::Goods};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::payments::{check_goods, seller};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::TakePayments},
        problem::Problem,
        router::other_method,
        text,
    },
    payments::{Quote, Wish, quote},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/quotes").route(web::post().to(ask)).default_service(web::to(other_method)));
}

/// A sale that is about to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskQuote {
    amount: Amount,
    /// The store that sells. A terminal leaves it out: its own store is taken.
    #[serde(default)]
    store: Option<StoreId>,
    #[serde(default)]
    goods: Vec<Goods>,
    /// Who sells, as the till knows them.
    #[serde(default)]
    cashier: Option<String>,
    /// How the customer is going to pay, if that is known.
    #[serde(default)]
    method: QuoteMethod,
}

#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum QuoteMethod {
    MerchantPresented,
    CustomerPresented,
    Card,
    #[default]
    Undecided,
}

/// What to ask for. The sale is then made of this amount: core never changes the amount of a sale.
#[derive(Serialize, ToSchema)]
pub struct QuoteView {
    amount: Amount,
    /// Why it is not what was asked about: that and all of these are together exactly the amount.
    adjustments: Vec<AdjustmentView>,
    /// What the receipt says besides.
    receipt_lines: Vec<String>,
    /// Rules that gave no answer and were passed over, as the merchant has set.
    failed: Vec<String>,
}

/// A discount (less than 0) or a surcharge.
#[derive(Serialize, ToSchema)]
pub struct AdjustmentView {
    /// For the customer.
    name: String,
    /// In minor units of the amount's currency; never 0.
    minor: i64,
}

impl From<Quote> for QuoteView {
    fn from(quote: Quote) -> Self {
        let Quote { priced, receipt_lines, failed } = quote;
        let view = |Adjustment { name, minor }| AdjustmentView { name, minor };
        let adjustments = priced.adjustments.into_iter().map(view).collect();
        Self { amount: priced.amount, adjustments, receipt_lines, failed }
    }
}

/// Asks the merchant's rules for the price and the receipt's lines of a sale. Writes nothing; without rules the amount is as it was.
#[utoipa::path(post, path = "/v1/quotes", tag = "payments", request_body = AskQuote,
    responses((status = 200, body = QuoteView)))]
pub async fn ask(
    app: web::Data<App>,
    caller: Caller<TakePayments>,
    body: web::Json<AskQuote>,
) -> Result<web::Json<QuoteView>, Problem> {
    let (scope, body) = (caller.scope()?, body.into_inner());
    check_goods(&body.goods)?;
    let (store, terminal) = seller(&app, scope, caller.principal(), body.store).await?;
    let wish = Wish {
        amount: body.amount,
        goods: body.goods,
        store,
        terminal,
        cashier: text::optional(body.cashier, "/cashier")?,
        method: match body.method {
            QuoteMethod::MerchantPresented => DraftMethod::MerchantPresented,
            QuoteMethod::CustomerPresented => DraftMethod::CustomerPresented,
            QuoteMethod::Card => DraftMethod::Card,
            QuoteMethod::Undecided => DraftMethod::Undecided,
        },
    };
    Ok(web::Json(quote(&app, scope, wish).await?.into()))
}
