//! `/v1/quotes`: what a merchant's own rules make of a sale before anybody is asked to pay.

use actix_web::web;
use saoma_channels::extension::DraftMethod;
use saoma_protocol::{
    QuoteId,
    api::{Adjustment, AskQuote, QUOTE_LIVES_MS, QuoteMethod, QuoteView, Quoted},
};

use super::payments::{check_goods, seller};
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::TakePayments},
        problem::Problem,
        router::other_method,
        text,
    },
    payments::{Quote, QuotedTo, Wish, quote, signed_quote},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(web::resource("/quotes").route(web::post().to(ask)).default_service(web::to(other_method)));
}

/// Asks the merchant's rules for the price and the receipt's lines of a sale. Writes nothing; without rules the amount is as it was.
///
/// A sale of what was quoted names the quote (`quote` of `POST /v1/payments`) until it expires, in the store and at the terminal that
/// asked. A terminal asks for its own store alone.
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
        goods: body.goods.clone(),
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
    let Quote { priced, receipt_lines, failed, by_rules } = quote(&app, scope, wish).await?;
    let adjustments: Vec<Adjustment> =
        priced.adjustments.into_iter().map(|one| Adjustment { name: one.name, minor: one.minor }).collect();
    let expires_at = app.now().plus(QUOTE_LIVES_MS);
    let bond = by_rules.then(|| {
        let quoted = Quoted {
            id: QuoteId::from_bytes([0; 16]),
            asked_minor: body.amount.minor(),
            adjustments: adjustments.clone(),
            receipt_lines: receipt_lines.clone(),
            expires_at,
        };
        let to = QuotedTo { tenant: scope.tenant(), store, terminal };
        signed_quote(&app.vault().own().fingerprint, to, quoted, priced.amount, &body.goods)
    });
    Ok(web::Json(QuoteView {
        id: bond.as_ref().map(|bond| bond.id),
        amount: priced.amount,
        adjustments,
        receipt_lines,
        failed,
        expires_at: bond.map(|bond| bond.expires_at),
    }))
}
