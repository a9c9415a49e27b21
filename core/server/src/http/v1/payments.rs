//! `/v1/payments`: taking money, and what became of it.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use saoma_channels::Card;
use saoma_domain::claim::ScannedCode;
use saoma_protocol::{
    ChannelAccountId, Millis, PaymentId, Sequence, StoreId, TerminalId,
    api::{CreatePayment, GOODS_LINES_MAX, Goods, Page, PaymentState, PaymentView, Presentation, SCANNED_CODE_LEN_MAX},
    money::AMOUNT_MINOR_MAX,
    pricing,
};
use saoma_store::{
    Principal, StoreError, TenantScope, Tx,
    idempotency::{self, Kind},
    payments::{self, Cursor, Filter, Sale},
    stores,
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    app::App,
    http::{
        answers::Wish,
        auth::{
            Caller,
            rights::{ReadPayments, TakePayments},
        },
        idempotency::{IdempotencyKey, fingerprint},
        no_body::NoBody,
        paging,
        picture::PictureQuery,
        problem::{INVALID, KEY_REUSED, NOT_FOUND, NOT_IN_STATE, Problem, SALE_CALLED_OFF},
        router::other_method,
        text,
    },
    payments::{
        Collect, How, PaymentError, QuotedTo, ask, cancel as cancel_payment, check_quote, collect, payment_view,
        repeated,
    },
    phone_codes::call_off,
};

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/payments")
                .route(web::get().to(list))
                .route(web::post().to(create))
                .default_service(web::to(other_method)),
        )
        .service(web::resource("/payments/{payment}").route(web::get().to(show)).default_service(web::to(other_method)))
        .service(
            web::resource("/payments/{payment}/code").route(web::get().to(code)).default_service(web::to(other_method)),
        )
        .service(
            web::resource("/payments/{payment}/query")
                .route(web::post().to(query))
                .default_service(web::to(other_method)),
        )
        .service(
            web::resource("/payments/{payment}/cancel")
                .route(web::post().to(cancel))
                .default_service(web::to(other_method)),
        );
}

/// What fits a column, and far more than a till can count.
const COUNTER_MAX: u64 = i64::MAX.cast_unsigned();

/// Which payments to list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// 1 to 200; 50 without it.
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    state: Option<PaymentState>,
    store: Option<StoreId>,
    terminal: Option<TerminalId>,
    channel_account: Option<ChannelAccountId>,
    /// Created at or after.
    from: Option<Millis>,
    /// Created before.
    to: Option<Millis>,
    /// `true`: only those for which, or for a refund of which, a person is called.
    attention: Option<bool>,
}

/// The merchant's payments, newest first. A terminal sees its own.
#[utoipa::path(get, path = "/v1/payments", tag = "payments", params(ListQuery),
    responses((status = 200, body = Page<PaymentView>)))]
pub async fn list(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    query: web::Query<ListQuery>,
) -> Result<web::Json<Page<PaymentView>>, Problem> {
    let scope = caller.scope()?;
    let ListQuery { limit, cursor, state, store, terminal, channel_account, from, to, attention } = query.into_inner();
    let limit = paging::limit(limit)?;
    let after: Option<Cursor> = paging::after(cursor.as_deref())?;
    let own = match caller.principal() {
        Principal::Terminal { terminal, .. } => Some(*terminal),
        _ => None,
    };
    let filter = Filter {
        state,
        store,
        terminal: own.or(terminal),
        channel_account,
        from,
        to,
        attention: attention.unwrap_or(false),
    };
    let listed = app.store().read(move |tx| payments::list(tx, &scope, &filter, after.as_ref(), limit)).await?;
    let items = listed.sales.iter().map(|sale| payment_view(&app, sale)).collect();
    let next_cursor = listed.next.map(|cursor| cursor.to_string());
    Ok(web::Json(Page { items, next_cursor }))
}

/// Takes a payment: shows a code, charges the customer's, or a card.
///
/// The `Idempotency-Key` names the payment. The same request again is answered with the payment as it then stands (200
/// instead of 201); another request with this key is refused.
#[utoipa::path(post, path = "/v1/payments", tag = "payments", request_body = CreatePayment,
    params(("Idempotency-Key" = String, Header)),
    responses((status = 201, body = PaymentView), (status = 200, body = PaymentView)))]
pub async fn create(
    app: web::Data<App>,
    caller: Caller<TakePayments>,
    key: IdempotencyKey,
    body: web::Json<CreatePayment>,
) -> Result<HttpResponse, Problem> {
    let scope = caller.scope()?;
    let body = body.into_inner();
    let id = numbered(&app, scope, caller.principal(), &key).await?;
    let fingerprint = fingerprint(&app, "POST /v1/payments", caller.principal(), &body)?;
    let known = Wish::of(scope, &id.to_string(), &fingerprint);
    let version = async || app.store().read(move |tx| payments::version(tx, &scope, id)).await;
    if let Some(answer) = known.replay(&app, version).await? {
        return Ok(answer);
    }
    // Before anything is looked up that may have changed since.
    if let Some(sale) = repeated(&app, scope, id, fingerprint).await? {
        return Ok(HttpResponse::Ok().json(payment_view(&app, &sale)));
    }
    if let Principal::Terminal { terminal, .. } = caller.principal() {
        own_number(scope, *terminal, id, &body)?;
    }
    let (store, terminal) = seller(&app, scope, caller.principal(), body.store).await?;
    let how = match body.presentation {
        Presentation::Merchant { expires_in_seconds } => {
            let seconds = expires_in_seconds.unwrap_or(app.config().payments.code_lifetime_seconds);
            if !(5..=3_600).contains(&seconds) {
                let detail = "A code lives from 5 to 3,600 seconds.";
                return Err(Problem::new(INVALID, detail).at("/presentation/expires_in_seconds"));
            }
            How::Present { lives: Duration::from_secs(u64::from(seconds)) }
        }
        Presentation::Customer { code } => {
            if code.len() > SCANNED_CODE_LEN_MAX {
                let detail = format!("A scanned code has at most {SCANNED_CODE_LEN_MAX} characters.");
                return Err(Problem::new(INVALID, detail).at("/presentation/code"));
            }
            How::Charge { code: ScannedCode::read(&code).map_err(PaymentError::from)? }
        }
        Presentation::Card { card } => How::Card {
            card: Card::read(&card).map_err(|error| {
                let detail = format!("The card's {} {}.", error.field, error.what);
                Problem::new(INVALID, detail).at(format!("/presentation/card/{}", error.field))
            })?,
        },
    };
    check_goods(&body.goods)?;
    // What was quoted is asked for; the lines come to what that was asked about.
    let lines_minor = match &body.quote {
        None => body.amount.minor(),
        Some(quote) => {
            let to = QuotedTo { tenant: scope.tenant(), store, terminal };
            check_quote(&app.vault().own().fingerprint, to, quote, body.amount, &body.goods, app.now())?;
            quote.asked_minor
        }
    };
    pricing::check_amount(&body.goods, lines_minor).map_err(|error| {
        Problem::new(INVALID, format!("The goods do not come to the amount: {error}.")).at("/goods")
    })?;
    if body.counter.is_some_and(|counter| !(1..=COUNTER_MAX).contains(&counter.0)) {
        return Err(Problem::new(INVALID, format!("A counter is from 1 to {COUNTER_MAX}.")).at("/counter"));
    }
    let wish = Collect {
        id,
        fingerprint,
        amount: body.amount,
        how,
        account: body.channel_account,
        order: body.order,
        store,
        terminal,
        counter: body.counter,
        cashier: text::optional(body.cashier, "/cashier")?,
        reference: text::optional(body.reference, "/reference")?,
        goods: body.goods,
        quote: body.quote,
        origin: None,
        actor: caller.actor(),
    };
    let (sale, new) = collect(&app, scope, wish).await?;
    let view = payment_view(&app, &sale);
    known.keep(&app, view.version, &view);
    Ok(if new { HttpResponse::Created().json(view) } else { HttpResponse::Ok().json(view) })
}

/// The payment that a key stands for. A terminal mints its own numbers; anybody else's key can name one that there is, and
/// not take one that a terminal will come to.
async fn numbered(app: &App, scope: TenantScope, who: &Principal, key: &str) -> Result<PaymentId, Problem> {
    let minted: Option<PaymentId> = key.parse().ok();
    let known = match (minted, who) {
        (Some(id), Principal::Terminal { .. }) => Some(id),
        (Some(id), _) => app.store().read(move |tx| payments::version(tx, &scope, id)).await?.is_some().then_some(id),
        (None, _) => None,
    };
    Ok(known.unwrap_or_else(|| PaymentId::for_key(scope.tenant(), key)))
}

/// A terminal's numbers follow from its counter: another one would let two terminals speak of one payment.
fn own_number(scope: TenantScope, terminal: TerminalId, id: PaymentId, body: &CreatePayment) -> Result<(), Problem> {
    let own = body.counter.is_some_and(|counter| PaymentId::for_sale(scope.tenant(), terminal, counter) == id);
    if own {
        return Ok(());
    }
    let detail = "The Idempotency-Key of a terminal's sale is the number that follows from its counter.";
    Err(Problem::new(INVALID, detail).at("/counter"))
}

/// Where it is sold, and at which terminal: a terminal sells in its own store.
pub(super) async fn seller(
    app: &App,
    scope: TenantScope,
    who: &Principal,
    named: Option<StoreId>,
) -> Result<(StoreId, Option<TerminalId>), Problem> {
    match who {
        Principal::Terminal { store, terminal, .. } => {
            if named.is_some_and(|given| given != *store) {
                return Err(Problem::new(INVALID, "A terminal sells in its own store.").at("/store"));
            }
            Ok((store_of(app, scope, Some(*store)).await?, Some(*terminal)))
        }
        _ => Ok((store_of(app, scope, named).await?, None)),
    }
}

/// The store named, or the only one there is.
async fn store_of(app: &App, scope: TenantScope, named: Option<StoreId>) -> Result<StoreId, Problem> {
    let shops = app.store().read(move |tx| stores::list(tx, &scope)).await?;
    let mut open = shops.into_iter().filter(|shop| shop.active && named.is_none_or(|named| shop.id == named));
    match (open.next(), open.next()) {
        (Some(shop), None) => Ok(shop.id),
        (Some(_), Some(_)) => Err(Problem::new(INVALID, "There are several stores: say which one sells.").at("/store")),
        (None, _) => Err(Problem::new(INVALID, "This merchant has no such open store.").at("/store")),
    }
}

pub(super) fn check_goods(goods: &[Goods]) -> Result<(), Problem> {
    if goods.len() > GOODS_LINES_MAX {
        return Err(Problem::new(INVALID, format!("At most {GOODS_LINES_MAX} lines of goods.")).at("/goods"));
    }
    for (line, goods) in goods.iter().enumerate() {
        text::name(&goods.name, &format!("/goods/{line}/name"))?;
        if !(1..=9_999).contains(&goods.quantity) {
            return Err(Problem::new(INVALID, "1 to 9,999.").at(format!("/goods/{line}/quantity")));
        }
        if !(0..=AMOUNT_MINOR_MAX).contains(&goods.price_minor) {
            let detail = format!("0 to {AMOUNT_MINOR_MAX}.");
            return Err(Problem::new(INVALID, detail).at(format!("/goods/{line}/price_minor")));
        }
        if let Some(tax) = &goods.tax {
            text::name(&tax.name, &format!("/goods/{line}/tax/name"))?;
        }
        // Lines of before there were discounts are taken as they always were.
        if !goods.is_plain() {
            pricing::net_minor(goods).map_err(|error| {
                Problem::new(INVALID, format!("The line has no price: {error}.")).at(format!("/goods/{line}"))
            })?;
        }
    }
    Ok(())
}

/// Whose payments a terminal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    Own,
    /// Those of the terminals of its store: a customer brings goods back to another counter.
    Store,
}

/// The payment if the caller may reach it.
///
/// # Errors
/// `NOT_FOUND`.
fn visible(principal: &Principal, sale: Sale, reach: Reach) -> Result<Sale, Problem> {
    let Principal::Terminal { terminal, store, .. } = principal else { return Ok(sale) };
    let is_own = sale.payment.terminal == Some(*terminal);
    let is_of_store = sale.payment.terminal.is_some() && sale.payment.store == *store;
    if is_own || reach == Reach::Store && is_of_store {
        return Ok(sale);
    }
    Err(StoreError::NotFound { what: "the payment" }.into())
}

/// The payment if it is the caller's own.
pub(super) async fn load(
    app: &App,
    principal: &Principal,
    scope: TenantScope,
    payment: PaymentId,
) -> Result<Sale, Problem> {
    load_within(app, principal, scope, payment, Reach::Own).await
}

pub(super) async fn load_within(
    app: &App,
    principal: &Principal,
    scope: TenantScope,
    payment: PaymentId,
    reach: Reach,
) -> Result<Sale, Problem> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    visible(principal, sale, reach)
}

/// One payment.
///
/// A terminal sees what the terminals of its store took.
#[utoipa::path(get, path = "/v1/payments/{payment}", tag = "payments", params(("payment" = PaymentId, Path)),
    responses((status = 200, body = PaymentView)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    payment: web::Path<PaymentId>,
) -> Result<web::Json<PaymentView>, Problem> {
    let (principal, scope) = (caller.principal(), caller.scope()?);
    let sale = load_within(&app, principal, scope, payment.into_inner(), Reach::Store).await?;
    Ok(web::Json(payment_view(&app, &sale)))
}

/// The payment's `code_url` as a picture, while it is on show: for a shop's own page, or for a terminal.
#[utoipa::path(get, path = "/v1/payments/{payment}/code", tag = "payments",
    params(("payment" = PaymentId, Path), PictureQuery),
    responses((status = 200, description = "SVG, PNG or characters", content_type = "image/svg+xml", body = String)))]
pub async fn code(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    payment: web::Path<PaymentId>,
    query: web::Query<PictureQuery>,
) -> Result<HttpResponse, Problem> {
    let sale = load(&app, caller.principal(), caller.scope()?, payment.into_inner()).await?;
    match payment_view(&app, &sale).code_url {
        Some(code_url) => query.answer(&code_url),
        None => Err(Problem::new(
            NOT_IN_STATE,
            "The payment has no code on show: it is over, it is not paid by one, or its customer scanned a printed one.",
        )),
    }
}

/// Asks the channel how the payment stands.
#[utoipa::path(post, path = "/v1/payments/{payment}/query", tag = "payments",
    params(("payment" = PaymentId, Path), ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = PaymentView)))]
pub async fn query(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    payment: web::Path<PaymentId>,
    _key: IdempotencyKey,
    _body: NoBody,
) -> Result<web::Json<PaymentView>, Problem> {
    let (scope, payment) = (caller.scope()?, payment.into_inner());
    let known = load(&app, caller.principal(), scope, payment).await?;
    let task_app = app.get_ref().clone();
    let work = async move { ask(&task_app, scope, payment).await };
    let asked = app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))?;
    let sale = match asked {
        Ok(reply) => reply.sale,
        // Cash: nobody else knows more.
        Err(PaymentError::NoChannel(_)) if known.payment.channel_account.is_none() => known,
        Err(error) => return Err(error.into()),
    };
    Ok(web::Json(payment_view(&app, &sale)))
}

/// What names the sale besides the payment.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CancelQuery {
    /// The terminal's own number of the sale, of which core may have no payment yet: a customer's phone may be on the way with its code.
    #[param(value_type = Option<u64>)]
    counter: Option<Sequence>,
}

/// Gives up a payment that is not paid. Once the channel has it only the channel can undo it: the answer may still be
/// `pending` or `unknown`, and core goes on until the channel confirms.
///
/// If a terminal names its counter and there is no such payment, there will be none from then on: `sale_called_off`.
#[utoipa::path(post, path = "/v1/payments/{payment}/cancel", tag = "payments",
    params(("payment" = PaymentId, Path), CancelQuery, ("Idempotency-Key" = String, Header)),
    responses((status = 200, body = PaymentView)))]
pub async fn cancel(
    app: web::Data<App>,
    caller: Caller<TakePayments>,
    payment: web::Path<PaymentId>,
    query: web::Query<CancelQuery>,
    key: IdempotencyKey,
    _body: NoBody,
) -> Result<web::Json<PaymentView>, Problem> {
    let (scope, payment) = (caller.scope()?, payment.into_inner());
    let is_own = match (caller.principal(), query.counter) {
        (Principal::Terminal { terminal, .. }, Some(counter)) => {
            PaymentId::for_sale(scope.tenant(), *terminal, counter) == payment
        }
        _ => false,
    };
    let known = match load(&app, caller.principal(), scope, payment).await {
        Err(none) if is_own && none.code() == NOT_FOUND => {
            if call_off(&app, scope, payment).await? {
                return Err(Problem::new(
                    SALE_CALLED_OFF,
                    "There was no payment of this sale, and none can begin now.",
                ));
            }
            // It has just begun.
            load(&app, caller.principal(), scope, payment).await?
        }
        known => known?,
    };
    let fingerprint = fingerprint(&app, &format!("POST /v1/payments/{payment}/cancel"), caller.principal(), &())?;
    let named = format!("{payment} {}", &*key);
    let name = named.clone();
    match app.store().read(move |tx| idempotency::kept(tx, &scope, Kind::Cancel, &name)).await? {
        // It was given up; if it was paid since, that is no error of this request.
        Some(first) if first == fingerprint => return Ok(web::Json(payment_view(&app, &known))),
        Some(_) => return Err(Problem::new(KEY_REUSED, "Another request to cancel this payment had this key.")),
        None => {}
    }
    let (task_app, actor) = (app.get_ref().clone(), caller.actor());
    let work = async move {
        let sale = cancel_payment(&task_app, scope, payment, &actor).await?;
        let now = task_app.now();
        let keep = move |tx: &mut Tx<'_>| idempotency::keep(tx, &scope, Kind::Cancel, &named, &fingerprint, now);
        match task_app.store().write(keep).await {
            // The same request came twice at once.
            Ok(()) | Err(StoreError::Conflict { .. }) => Ok(sale),
            Err(error) => Err(PaymentError::from(error)),
        }
    };
    let sale = app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))?;
    let sale = sale.map_err(PaymentError::once_begun)?;
    Ok(web::Json(payment_view(&app, &sale)))
}
