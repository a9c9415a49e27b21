//! `/s/{code}`: the page behind a stall's printed code. Whoever scans it, with whichever app, keys in the amount and pays in that app's
//! own way.
//!
//! The browser's word counts for nothing: what was paid is known by the channel's notification, or by asking it. The cookie
//! (`static_codes::Visitor`) says whose page it is; `SameSite=Lax` keeps other sites from sending it along with a request of theirs,
//! and lets the visitor come back from their scheme with it.

mod html;
mod words;

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::{Cookie, SameSite, time::Duration},
    http::{StatusCode, header},
    web,
};
use saoma_protocol::{Amount, Currency, StaticCodeId};
use saoma_store::{StoreError, TenantScope, access, payments::Sale, static_codes::StaticCode, stores, tenants};
use serde::Deserialize;
use serde_json::json;

use self::{
    html::{Shop, keypad, notice, private},
    words::{Words, words},
};
use super::{origin, picture, problem::Problem};
use crate::{
    app::App,
    limits,
    payments::{PaymentError, channel_of_account},
    static_codes::{Shown, Visitor, Who, begin, give_up, shown, ways},
};

const COOKIE: &str = "saoma_visitor";
/// As long as what it holds.
const COOKIE_SECONDS: i64 = 30 * 60;
/// A settled payment is shown for so long to whoever loads the page again; whoever comes later comes to pay.
const SETTLED_SHOWN_MS: i64 = 2 * 60_000;
/// How often in a row a visitor is sent to their scheme, which did not tell who they are.
const SENT_TIMES_MAX: u8 = 2;
/// The query of the page for whoever comes from there unknown.
const RETRY: &str = "again";

/// The path of a code, which its picture holds behind the public URL.
#[must_use]
pub fn path(code: StaticCodeId) -> String {
    let text = code.to_string();
    format!("/s/{}", text.split_once('_').map_or(text.as_str(), |(_, tail)| tail))
}

/// A code and its shop, as a request finds them.
struct Found {
    scope: TenantScope,
    code: StaticCode,
    merchant: String,
    store: String,
    is_open: bool,
    currency: Currency,
    base: String,
}

impl Found {
    fn shop(&self) -> Shop<'_> {
        Shop { merchant: &self.merchant, store: &self.store, currency: self.currency, base: &self.base }
    }
}

/// Why a request comes to nothing: a status and a sentence.
struct Refused(StatusCode, String);

impl Refused {
    fn new(status: StatusCode, sentence: &str) -> Self {
        Self(status, sentence.to_owned())
    }

    fn page(&self, words: &Words, found: Option<&Found>) -> HttpResponse {
        notice(self.0, words, found.map(Found::shop).as_ref(), &self.1)
    }

    fn json(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.0);
        private(&mut response);
        response.json(json!({ "detail": self.1 }))
    }
}

async fn find(app: &App, request: &HttpRequest, tail: &str, words: &Words) -> Result<Result<Found, Refused>, Problem> {
    let id = format!("{}_{tail}", StaticCodeId::PREFIX).parse::<StaticCodeId>().ok();
    let counts = match id.and_then(|id| visitor(app, request, id)) {
        Some(visitor) => limits::static_code_visitor(visitor.attempt),
        None => limits::static_code_arrival(origin::address(app, request)),
    };
    if app.limits().begin(&counts, app.now()).await.is_err() {
        return Ok(Err(Refused::new(StatusCode::TOO_MANY_REQUESTS, words.too_often)));
    }
    let unknown = || Ok(Err(Refused::new(StatusCode::NOT_FOUND, words.unknown)));
    let Some(id) = id else { return unknown() };
    let found = app.store().read(move |tx| {
        let (scope, code) = access::by_static_code(tx, id)?;
        let tenant = tenants::load(tx, &scope)?;
        let shop = stores::load(tx, &scope, code.store)?;
        Ok(Found {
            scope,
            merchant: tenant.name,
            store: shop.name,
            is_open: shop.active && code.revoked_at.is_none(),
            currency: tenant.currency,
            base: path(code.id),
            code,
        })
    });
    match found.await {
        Ok(found) => Ok(Ok(found)),
        Err(StoreError::NotFound { .. }) => unknown(),
        Err(error) => Err(error.into()),
    }
}

/// The page. Of a visitor whom nobody knows yet the scheme is asked first, where it tells.
///
/// # Errors
/// Of the store alone.
pub async fn show(app: web::Data<App>, request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let words = words(&request);
    let found = match find(&app, &request, &code, words).await? {
        Ok(found) => found,
        Err(refused) => return Ok(refused.page(words, None)),
    };
    let before = visitor(&app, &request, found.code.id);
    let known = before.clone().filter(|visitor| !matches!(visitor.who, Who::Sent { .. }));
    if let Some(visitor) = known {
        let sale = shown(&app, found.scope, &found.code, &visitor).await?;
        if !found.is_open && sale.is_none() {
            return Ok(Refused::new(StatusCode::GONE, words.revoked).page(words, Some(&found)));
        }
        let is_past = |sale: &Sale| {
            sale.payment.payment.public_state().is_settled()
                && app.now().since(sale.payment.updated_at) > SETTLED_SHOWN_MS
        };
        // What they were known for may be switched off since; then another way may be open to them.
        let is_served = async || {
            Ok::<_, Problem>(found.is_open && ways(&app, found.scope, found.currency).await?.serve(&visitor.who))
        };
        let is_shown = if sale.is_some() { !sale.as_ref().is_some_and(is_past) } else { is_served().await? };
        if is_shown {
            return page(&app, &found, words, &visitor, sale.as_ref());
        }
        if sale.is_some() && is_served().await? {
            return page(&app, &found, words, &Visitor::begins(&app, visitor.who)?, None);
        }
    }
    if !found.is_open {
        return Ok(Refused::new(StatusCode::GONE, words.revoked).page(words, Some(&found)));
    }
    // Whom the scheme did not tell of is sent there once more, and not for ever.
    let times = match &before {
        Some(Visitor { who: Who::Sent { times, .. }, .. }) if request.query_string() == RETRY => *times,
        _ => 0,
    };
    if times >= SENT_TIMES_MAX {
        return Ok(Refused::new(StatusCode::BAD_GATEWAY, words.not_known).page(words, Some(&found)));
    }
    arrive(&app, &request, &found, words, before, times + 1).await
}

/// Somebody who has just scanned the code. `before`: as they were known, if they were.
async fn arrive(
    app: &App,
    request: &HttpRequest,
    found: &Found,
    words: &Words,
    before: Option<Visitor>,
    times: u8,
) -> Result<HttpResponse, Problem> {
    let ways = ways(app, found.scope, found.currency).await?;
    let said = request.headers().get(header::USER_AGENT).and_then(|said| said.to_str().ok()).unwrap_or_default();
    let Some((account, served)) = ways.of(said).cloned() else {
        return match ways.browser {
            Some(account) => page(app, found, words, &Visitor::begins(app, Who::Anyone { account })?, None),
            None => Ok(unserved(words, found, &ways.names())),
        };
    };
    let state = hex::encode(app.random_16()?);
    let return_url = format!("{}{}/back", app.config().server.public_url, found.base);
    let scope = found.scope;
    let stored = app.store().read(move |tx| saoma_store::channel_accounts::load(tx, &scope, account)).await?;
    let channel = channel_of_account(app, scope, &stored).await?;
    let Some(_place) = app.visitor_places().take(scope.tenant()).await else {
        return Ok(Refused::new(StatusCode::TOO_MANY_REQUESTS, words.too_often).page(words, Some(found)));
    };
    match app.channels().identify(&channel.account, &served.id, &return_url, &state).await {
        Ok(Some(url)) => {
            let mut visitor = Visitor::begins(app, Who::Sent { account, app: served.id, state, times })?;
            // Whoever is on the way already is in the same attempt.
            if let Some(Visitor { attempt, who: Who::Sent { .. }, .. }) = before {
                visitor.attempt = attempt;
            }
            let mut response = HttpResponse::Found();
            private(&mut response);
            Ok(response.insert_header((header::LOCATION, url)).cookie(cookie(app, found, &visitor)?).finish())
        }
        Ok(None) => {
            let who = Who::Known { account, app: served.id, payer: String::new() };
            page(app, found, words, &Visitor::begins(app, who)?, None)
        }
        Err(failure) => {
            tracing::warn!(channel_account.id = %account, error = %failure, "a visitor of a static code was not sent to their scheme");
            Ok(Refused::new(StatusCode::BAD_GATEWAY, words.not_possible).page(words, Some(found)))
        }
    }
}

fn unserved(words: &Words, found: &Found, names: &[&str]) -> HttpResponse {
    let sentence = if names.is_empty() {
        words.no_app.to_owned()
    } else {
        let joint = if words.language == "en" { ", " } else { "、" };
        format!("{}{}", words.other_app, names.join(joint))
    };
    notice(StatusCode::OK, words, Some(&found.shop()), &sentence)
}

/// The visitor comes back from their scheme.
///
/// # Errors
/// Of the store alone.
pub async fn back(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
    query: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, Problem> {
    let words = words(&request);
    let found = match find(&app, &request, &code, words).await? {
        Ok(found) => found,
        Err(refused) => return Ok(refused.page(words, None)),
    };
    let strange = || Ok(Refused::new(StatusCode::FORBIDDEN, words.scan_again).page(words, Some(&found)));
    let Some(visitor) = visitor(&app, &request, found.code.id) else { return strange() };
    let Who::Sent { account, app: served, state, .. } = &visitor.who else {
        // They came back before, and load this address again.
        return Ok(to_page(&found, None));
    };
    let states: Vec<&str> = query.iter().filter(|(name, _)| name == "state").map(|(_, value)| value.as_str()).collect();
    if states != [state.as_str()] || !found.is_open {
        return strange();
    }
    let parameters: Vec<(String, String)> = query.iter().filter(|(name, _)| name != "state").cloned().collect();
    let scope = found.scope;
    // A browser may ask twice with what is good once, and show the second answer. So this one never takes the cookie away that the
    // other has given: it leads to the page, which knows the visitor by then or sends them to their scheme again.
    let is_served = ways(&app, scope, found.currency).await?.serve(&visitor.who);
    if !is_served || app.limits().begin(&limits::static_code_back(state), app.now()).await.is_err() {
        return Ok(to_page_again(&found));
    }
    let too_often = || Ok(Refused::new(StatusCode::TOO_MANY_REQUESTS, words.too_often).page(words, Some(&found)));
    if app
        .limits()
        .begin(&limits::static_code_backs(origin::address(&app, &request), found.code.id), app.now())
        .await
        .is_err()
    {
        return too_often();
    }
    let Some(_place) = app.visitor_places().take(scope.tenant()).await else { return too_often() };
    let account = *account;
    let stored = app.store().read(move |tx| saoma_store::channel_accounts::load(tx, &scope, account)).await?;
    let channel = channel_of_account(&app, scope, &stored).await?;
    match app.channels().payer(&channel.account, served, &parameters).await {
        Ok(payer) => {
            let who = Who::Known { account, app: served.clone(), payer };
            let known = Visitor { attempt: visitor.attempt, who, at: app.now() };
            Ok(to_page(&found, Some(cookie(&app, &found, &known)?)))
        }
        Err(failure) => {
            tracing::warn!(channel_account.id = %account, error = %failure, "a scheme did not say who a visitor is");
            Ok(to_page_again(&found))
        }
    }
}

/// Whoever is not known there by now is sent to their scheme again.
fn to_page_again(found: &Found) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    private(&mut response);
    response.insert_header((header::LOCATION, format!("{}?{RETRY}", found.base))).finish()
}

/// Without what the scheme has put behind the address.
fn to_page(found: &Found, cookie: Option<Cookie<'static>>) -> HttpResponse {
    let mut response = HttpResponse::SeeOther();
    private(&mut response);
    response.insert_header((header::LOCATION, found.base.clone()));
    if let Some(cookie) = cookie {
        response.cookie(cookie);
    }
    response.finish()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    amount_minor: i64,
}

/// Asks for the money.
///
/// # Errors
/// Of the store alone.
pub async fn pay(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
    wanted: web::Json<Wanted>,
) -> Result<HttpResponse, Problem> {
    let words = words(&request);
    let (found, visitor) = match asker(&app, &request, &code, words).await? {
        Ok(asker) => asker,
        Err(refused) => return Ok(refused.json()),
    };
    if !found.is_open {
        return Ok(Refused::new(StatusCode::GONE, words.revoked).json());
    }
    let (least, most) = (found.code.min_minor, found.code.max_minor);
    let amount = Amount::new(wanted.amount_minor, found.currency);
    let Some(amount) = amount.ok().filter(|amount| (least..=most).contains(&amount.minor())) else {
        let text = |minor| saoma_protocol::Money::new(minor, found.currency).to_string();
        let [from, to] = words.amount_between;
        return Ok(
            Refused(StatusCode::UNPROCESSABLE_ENTITY, format!("{from} {} {to} {}", text(least), text(most))).json()
        );
    };
    // From now on their page stays open for as long as any.
    let visitor = Visitor { at: app.now(), ..visitor };
    let answered = |sale: &Sale| Ok(state_of(Some(sale), Some(cookie(&app, &found, &visitor)?)));
    // In one attempt there is one amount, and only what makes a payment counts.
    if let Some(sale) = shown(&app, found.scope, &found.code, &visitor).await? {
        return answered(&sale);
    }
    let too_often = || Ok(Refused::new(StatusCode::TOO_MANY_REQUESTS, words.too_often).json());
    // First, so that whoever finds none free has used up nothing.
    let Some(place) = app.visitor_places().take(found.scope.tenant()).await else { return too_often() };
    let counts = limits::static_code_paid(origin::address(&app, &request), found.code.id, visitor.payer_mark(&app));
    if app.limits().begin(&counts, app.now()).await.is_err() {
        return too_often();
    }
    match begin(&app, found.scope, &found.code, &visitor, amount, place).await {
        Ok(sale) => answered(&sale),
        Err(
            error @ (PaymentError::Store(_)
            | PaymentError::CutOff(_)
            | PaymentError::Secrets(_)
            | PaymentError::NoChance(_)),
        ) => Err(error.into()),
        Err(refused) => {
            tracing::info!(static_code = %found.code.id, error = %refused, "a static code took no payment");
            Ok(Refused::new(StatusCode::CONFLICT, words.not_possible).json())
        }
    }
}

/// How the attempt stands.
///
/// # Errors
/// Of the store alone.
pub async fn state(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    match asker(&app, &request, &code, words(&request)).await? {
        Ok((found, visitor)) => Ok(state_of(shown(&app, found.scope, &found.code, &visitor).await?.as_ref(), None)),
        Err(refused) => Ok(refused.json()),
    }
}

/// Another attempt, once this one is over: what is still open is given up first, and what was paid meanwhile is shown.
///
/// # Errors
/// Of the store alone.
pub async fn again(
    app: web::Data<App>,
    request: HttpRequest,
    code: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let (found, visitor) = match asker(&app, &request, &code, words(&request)).await? {
        Ok(asker) => asker,
        Err(refused) => return Ok(refused.json()),
    };
    if let Some(sale) = shown(&app, found.scope, &found.code, &visitor).await? {
        let was_settled = sale.payment.payment.public_state().is_settled();
        let sale = give_up(&app, found.scope, sale).await?;
        let state = sale.payment.payment.public_state();
        // Who gives up a payment that was just made has to see that; and nobody pays again while the first may still be paid.
        let is_closing = matches!(Shown::of(Some(&sale), picture::data_url), Shown::Closing { .. });
        if !state.is_settled() || (!was_settled && state.is_paid()) || is_closing {
            return Ok(state_of(Some(&sale), None));
        }
    }
    let next = Visitor::begins(&app, visitor.who)?;
    Ok(state_of(None, Some(cookie(&app, &found, &next)?)))
}

/// A request of the page's own script.
async fn asker(
    app: &App,
    request: &HttpRequest,
    tail: &str,
    words: &Words,
) -> Result<Result<(Found, Visitor), Refused>, Problem> {
    origin::check_page(app, request)?;
    let found = match find(app, request, tail, words).await? {
        Ok(found) => found,
        Err(refused) => return Ok(Err(refused)),
    };
    let visitor = visitor(app, request, found.code.id).filter(|visitor| !matches!(visitor.who, Who::Sent { .. }));
    Ok(match visitor {
        Some(visitor) => Ok((found, visitor)),
        None => Err(Refused::new(StatusCode::FORBIDDEN, words.scan_again)),
    })
}

fn state_of(sale: Option<&Sale>, cookie: Option<Cookie<'static>>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    private(&mut response);
    if let Some(cookie) = cookie {
        response.cookie(cookie);
    }
    response.json(Shown::of(sale, picture::data_url))
}

fn page(
    app: &App,
    found: &Found,
    words: &Words,
    visitor: &Visitor,
    sale: Option<&Sale>,
) -> Result<HttpResponse, Problem> {
    let visitor = Visitor { at: app.now(), ..visitor.clone() };
    let mut response = keypad(words, &found.shop(), &Shown::of(sale, picture::data_url));
    response.add_cookie(&cookie(app, found, &visitor)?).map_err(|error| Problem::internal(&error))?;
    Ok(response)
}

fn visitor(app: &App, request: &HttpRequest, code: StaticCodeId) -> Option<Visitor> {
    Visitor::read(app, code, request.cookie(COOKIE)?.value())
}

fn cookie(app: &App, found: &Found, visitor: &Visitor) -> Result<Cookie<'static>, Problem> {
    let sealed = visitor.sealed(app, found.code.id).map_err(PaymentError::from)?;
    let is_secure = app.config().server.public_url.starts_with("https://");
    let built = Cookie::build(COOKIE, sealed).path(found.base.clone()).http_only(true);
    Ok(built.same_site(SameSite::Lax).secure(is_secure).max_age(Duration::seconds(COOKIE_SECONDS)).finish())
}
