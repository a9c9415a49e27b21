//! `/m/{code}`: where the phone of a customer leads who scanned the code of a terminal with no network. It shows merchant and amount, begins the
//! payment when the customer says so, and then how that stands; once it is paid, what the cashier scans or types.
//!
//! No script, no cookie: a page that waits loads itself again. No opening is counted: whoever copies the code could wear it out for the one who
//! pays, and can do nothing else with it but pay.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web,
};
use jiff::{Timestamp, tz::TimeZone};
use saoma_domain::payment::State;
use saoma_protocol::{Amount, Millis};
use saoma_store::{access::KeyStanding, payments::Sale};

use super::{
    origin,
    pay_page::{Words, escaped, notice, page, way_to_pay, what_became, words},
    picture,
    problem::Problem,
};
use crate::{
    app::App,
    limits,
    payments::{Became, PaymentError},
    phone_codes::{Found, PhoneError, begin, check, confirmation, find, leads_on, shown},
};

/// How often a page that waits loads itself, in seconds.
const AGAIN_SECONDS: &str = "4";
/// The same, where too many do.
const AGAIN_LATER_SECONDS: &str = "15";

/// What this page alone says.
struct Said {
    go_on: &'static str,
    wait: &'static str,
    show: &'static str,
    keyless: &'static str,
    early: &'static str,
    not_possible: &'static str,
    called_off: &'static str,
    no_link: &'static str,
    shut_out: &'static str,
    too_often: &'static str,
}

const ENGLISH: Said = Said {
    go_on: "Continue to pay",
    wait: "One moment, please…",
    show: "Show this to the cashier, who scans it or types the letters:",
    keyless: "This shop's till is not known here yet.",
    early: "The clock of the till is wrong.",
    not_possible: "This cannot be paid here.",
    called_off: "The shop has called off this code.",
    no_link: "This cannot be paid by a phone’s browser. Please pay in another way.",
    shut_out: "The shop’s till was replaced meanwhile. The shop sees this payment in its books.",
    too_often: "Too many people are paying at this moment. Try again in a minute.",
};

const CHINESE: Said = Said {
    go_on: "继续支付",
    wait: "请稍候…",
    show: "请向收银员出示，扫码或输入下列字母：",
    keyless: "这台收银机尚未登记。",
    early: "收银机的时钟不准。",
    not_possible: "此处无法支付这笔款项。",
    called_off: "商家已撤回此码。",
    no_link: "手机浏览器无法支付这笔款项，请改用其他方式付款。",
    shut_out: "商家的收银机已更换，商家可在账目中查到这笔付款。",
    too_often: "此刻付款人数过多，请一分钟后再试。",
};

fn said(words: &Words) -> &'static Said {
    if words.language == "en" { &ENGLISH } else { &CHINESE }
}

fn refused(error: PhoneError, words: &'static Words) -> Result<HttpResponse, Problem> {
    let said = said(words);
    let (status, what) = match error {
        PhoneError::Unknown => (StatusCode::NOT_FOUND, words.unknown),
        PhoneError::Keyless => (StatusCode::CONFLICT, said.keyless),
        PhoneError::Time(saoma_protocol::code::phone::PhoneCodeError::Early) => (StatusCode::CONFLICT, said.early),
        PhoneError::Time(_) => (StatusCode::GONE, words.expired),
        PhoneError::NotTaken | PhoneError::NumberTaken => (StatusCode::CONFLICT, said.not_possible),
        PhoneError::CalledOff => (StatusCode::GONE, said.called_off),
        PhoneError::NoLink => (StatusCode::CONFLICT, said.no_link),
        PhoneError::Payment(
            error @ (PaymentError::Store(_)
            | PaymentError::CutOff(_)
            | PaymentError::Secrets(_)
            | PaymentError::NoChance(_)),
        ) => return Err(error.into()),
        PhoneError::Payment(error) => {
            tracing::info!(%error, "a code of a terminal without a network took no payment");
            (StatusCode::CONFLICT, said.not_possible)
        }
    };
    Ok(page(status.as_u16(), words, &notice(what, words)))
}

async fn is_too_often(app: &App, request: &HttpRequest) -> bool {
    app.limits().begin(&limits::phone_code(origin::address(app, request)), app.now()).await.is_err()
}

fn again(mut page: HttpResponse, seconds: &'static str) -> HttpResponse {
    let name = header::HeaderName::from_static("refresh");
    page.headers_mut().insert(name, header::HeaderValue::from_static(seconds));
    page
}

fn too_often(words: &'static Words) -> HttpResponse {
    page(StatusCode::TOO_MANY_REQUESTS.as_u16(), words, &notice(said(words).too_often, words))
}

/// How the code stands.
///
/// # Errors
/// Of the store alone.
pub async fn show(app: web::Data<App>, request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let words = words(&request);
    if is_too_often(&app, &request).await {
        // What waits goes on waiting: the confirmation of who has paid is behind it.
        return Ok(again(too_often(words), AGAIN_LATER_SECONDS));
    }
    let found = match find(&app, &code).await {
        Ok(found) => found,
        Err(error) => return refused(error, words),
    };
    match shown(&app, &found).await {
        Ok(Some(sale)) => Ok(stands(&app, &found, &sale, words)),
        Ok(None) => match check(&found, app.now()) {
            Ok(_) => Ok(page(200, words, &format!("{}{}", heading(&found, words), form(words)))),
            Err(error) => refused(error, words),
        },
        Err(error) => refused(error, words),
    }
}

/// The customer wants to pay: the payment is begun, or found.
///
/// # Errors
/// Of the store alone.
pub async fn pay(app: web::Data<App>, request: HttpRequest, code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let words = words(&request);
    if is_too_often(&app, &request).await {
        return Ok(too_often(words));
    }
    match paid_by(&app, &code, words).await {
        Ok(Some(refused)) => Ok(refused),
        Ok(None) => Ok(HttpResponse::SeeOther()
            // Of this page's own folder, wherever a proxy has put that.
            .insert_header((header::LOCATION, code.into_inner()))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish()),
        Err(error) => refused(error, words),
    }
}

/// A page that says why not, if it is that.
async fn paid_by(app: &App, code: &str, words: &'static Words) -> Result<Option<HttpResponse>, PhoneError> {
    let found = find(app, code).await?;
    if shown(app, &found).await?.is_some() {
        return Ok(None);
    }
    check(&found, app.now())?;
    let Some(place) = app.visitor_places().take(found.scope.tenant()).await else {
        return Ok(Some(too_often(words)));
    };
    // After the wait: by now the code may be over, the terminal shut out, the policy another.
    let found = find(app, code).await?;
    let to = check(&found, app.now())?;
    begin(app, &found, to, place).await.map(|_| None)
}

fn heading(found: &Found, words: &Words) -> String {
    let sale = &found.code.sale;
    format!(
        "<h1>{}</h1><p class=\"store\">{}</p><p class=\"label\">{}</p><p class=\"amount\">{}</p><p class=\"reference\">No. {}</p>",
        escaped(&found.merchant),
        escaped(&found.store_name),
        words.pay,
        escaped(&sale.amount.to_string()),
        sale.counter,
    )
}

fn form(words: &Words) -> String {
    let go_on = said(words).go_on;
    format!("<form method=\"post\"><button id=\"go-on\" class=\"pay\" type=\"submit\">{go_on}</button></form>")
}

/// Of the payment that the code has begun.
fn stands(app: &App, found: &Found, sale: &Sale, words: &'static Words) -> HttpResponse {
    let head = heading(found, words);
    let payment = &sale.payment.payment;
    let again = |body: String| again(page(200, words, &body), AGAIN_SECONDS);
    match (&payment.state, Became::of(payment)) {
        // The letters are for the till that signed it, and somebody else may have its key.
        (State::Captured(_), Some(Became::Paid)) if found.standing == KeyStanding::ShutOut => {
            let (done, why) = (what_became(sale, words), said(words).shut_out);
            page(200, words, &format!("{head}<p class=\"done\">{done}</p><p class=\"label\">{why}</p>"))
        }
        (State::Captured(capture), Some(Became::Paid)) => {
            page(200, words, &confirmed(app, found, payment.amount, capture.at, words))
        }
        (_, Some(_)) => page(200, words, &format!("{head}<p class=\"done\">{}</p>", what_became(sale, words))),
        // It is being closed, unless it was paid.
        (State::Presenting { expires_at }, None) if app.now() >= *expires_at => {
            again(format!("{head}{}", notice(words.expired, words)))
        }
        // It is being ended.
        (State::Presenting { .. }, None) if !leads_on(sale) => {
            again(format!("{head}{}", notice(said(words).no_link, words)))
        }
        (State::Presenting { .. }, None) => {
            let way = sale.code.as_ref().map(|code| way_to_pay(&code.channel_code, words));
            again(format!("{head}{}", way.unwrap_or_default()))
        }
        (State::Created | State::Submitting { .. } | State::Pending { .. } | State::Unknown { .. }, None) => {
            again(format!("{head}<p class=\"label\" role=\"status\">{}</p>", said(words).wait))
        }
        (State::Expired { .. }, None) => page(410, words, &format!("{head}{}", notice(words.expired, words))),
        (
            State::Failed { .. }
            | State::Reversed
            | State::Cancelled { .. }
            | State::Captured(_)
            | State::Voided { .. },
            None,
        ) => page(410, words, &format!("{head}{}", notice(words.closed, words))),
    }
}

/// What the customer shows: the till takes it for core's word.
fn confirmed(app: &App, found: &Found, amount: Amount, at: Millis, words: &Words) -> String {
    let sale = &found.code.sale;
    let confirmation = confirmation(app, sale);
    let letters = confirmation.letters();
    let (first, second) = letters.split_at(letters.len() / 2);
    let picture = picture::data_url(&confirmation.text(sale.counter)).unwrap_or_default();
    format!(
        "<h1>{}</h1><p class=\"store\">{}</p><p class=\"done\">{}</p><p class=\"amount\">{}</p><p class=\"reference\">No. {} · {}</p>\
         <p class=\"label\">{}</p><img alt=\"QR\" width=\"240\" src=\"{picture}\"><p id=\"letters\" class=\"amount\">{first}-{second}</p>",
        escaped(&found.merchant),
        escaped(&found.store_name),
        words.paid,
        escaped(&amount.to_string()),
        sale.counter,
        escaped(&local(at, &found.time_zone)),
        said(words).show,
    )
}

/// To the minute, where the merchant sells.
fn local(at: Millis, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let moment = Timestamp::from_millisecond(at.0).map(|moment| moment.to_zoned(zone));
    moment.map(|moment| moment.strftime("%Y-%m-%d %H:%M").to_string()).unwrap_or_default()
}
