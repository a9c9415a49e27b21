//! `/p/{token}`: what a customer sees who scanned the shop's code with any camera: merchant, amount, goods, and the way to pay.
//!
//! No script, no cookie, nothing from elsewhere. Each opening is counted; past the limit the code is dead for everybody.

use actix_web::{HttpRequest, HttpResponse, http::header, web};
use saoma_domain::{
    pay_code::{self, Life, PayCodeId, Standing},
    payment::State,
};
use saoma_protocol::Millis;
use saoma_store::{
    StoreError, TenantScope, Tx, access,
    pay_codes::{self, PayCode},
    payments::{self, Sale},
    stores, tenants,
};

use super::{picture, problem::Problem};
use crate::{
    app::App,
    payments::{Became, PaymentError, expire},
    phone_codes::is_link,
};

/// No script at all; the one style is ours.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; frame-ancestors 'none'";

/// What a page says, in the customer's language.
pub(super) struct Words {
    pub(super) language: &'static str,
    pub(super) pay: &'static str,
    pay_with: &'static str,
    scan: &'static str,
    pub(super) paid: &'static str,
    pub(super) going_back: &'static str,
    pub(super) given_back: &'static str,
    pub(super) part_given_back: &'static str,
    pub(super) expired: &'static str,
    over: &'static str,
    pub(super) closed: &'static str,
    pub(super) unknown: &'static str,
    ask_shop: &'static str,
}

pub(super) const ENGLISH: Words = Words {
    language: "en",
    pay: "To pay",
    pay_with: "Pay",
    scan: "Scan this code with your wallet",
    paid: "Paid. Thank you!",
    going_back: "Your money is on its way back to you.",
    given_back: "Your money was given back to you.",
    part_given_back: "Paid. A part of it was given back to you.",
    expired: "This code is no longer good.",
    over: "This code was opened too often.",
    closed: "This payment is closed.",
    unknown: "There is no such code.",
    ask_shop: "Please ask the shop for a new code.",
};

pub(super) const CHINESE: Words = Words {
    language: "zh-CN",
    pay: "应付金额",
    pay_with: "去支付",
    scan: "请用钱包扫描此码",
    paid: "支付成功，谢谢！",
    going_back: "款项正在退还给您。",
    given_back: "款项已退还给您。",
    part_given_back: "支付成功，部分款项已退还给您。",
    expired: "此码已过期。",
    over: "此码打开次数过多，已失效。",
    closed: "这笔支付已关闭。",
    unknown: "没有这个付款码。",
    ask_shop: "请让商家重新出示付款码。",
};

pub(super) fn words(request: &HttpRequest) -> &'static Words {
    let wanted = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let first = wanted.split(',').next().unwrap_or("").trim().to_ascii_lowercase();
    if first.starts_with("zh") { &CHINESE } else { &ENGLISH }
}

/// # Errors
/// Of the store alone.
pub async fn show(
    app: web::Data<App>,
    request: HttpRequest,
    token: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let words = words(&request);
    let Some(id) = pay_code::read(&token, app.pay_code_key()) else {
        return Ok(page(404, words, &notice(words.unknown, words)));
    };
    let now = app.now();
    // Anybody may open an old code as often as they like: only one that is on show is worth the database's one writer.
    let seen = match app.store().read(move |tx| opened(tx, id, now, false)).await {
        Ok(seen) if seen.on_show => app.store().write(move |tx| opened(tx, id, now, true)).await,
        seen => seen,
    };
    let Seen { scope, code, sale, merchant, store, .. } = match seen {
        Ok(seen) => seen,
        Err(StoreError::NotFound { .. }) => return Ok(page(404, words, &notice(words.unknown, words))),
        Err(error) => return Err(error.into()),
    };
    let head = heading(&merchant, &store, &sale, words);
    let done = |what: &str| page(200, words, &format!("{head}<p class=\"done\">{what}</p>"));
    let over = |what: &str| page(410, words, &format!("{head}{}", notice(what, words)));
    Ok(match pay_code::standing(&sale.payment.payment.state, &life(&code), now) {
        Standing::Live => page(200, words, &format!("{head}{}", way_to_pay(&code.channel_code, words))),
        Standing::Used => done(what_became(&sale, words)),
        Standing::Expired => over(words.expired),
        Standing::Dead => over(words.closed),
        Standing::WornOut => {
            let payment = sale.payment.payment.id;
            let task_app = app.get_ref().clone();
            let work = async move { expire(&task_app, scope, payment).await };
            let ended =
                app.in_flight().spawn(work).await.map_err(|error| PaymentError::CutOff(error.to_string()))??;
            // Before it is closed the channel is asked: nobody shall pay a second time.
            if matches!(ended.payment.payment.state, State::Captured(_)) { done(words.paid) } else { over(words.over) }
        }
    })
}

/// A code and what it is for.
struct Seen {
    scope: TenantScope,
    code: PayCode,
    sale: Sale,
    merchant: String,
    store: String,
    /// This opening could lead to a payment, so that it counts.
    on_show: bool,
}

fn opened(tx: &mut Tx<'_>, id: PayCodeId, now: Millis, counts: bool) -> Result<Seen, StoreError> {
    let (scope, code) = access::by_pay_code(tx, id)?;
    let sale = payments::load_sale(tx, &scope, code.payment)?;
    let on_show = pay_code::standing(&sale.payment.payment.state, &life(&code), now) == Standing::Live;
    let code = if on_show && counts { pay_codes::count_scan(tx, &scope, id)? } else { code };
    let merchant = tenants::load(tx, &scope)?.name;
    let store = stores::load(tx, &scope, sale.payment.store)?.name;
    Ok(Seen { scope, code, sale, merchant, store, on_show })
}

const fn life(code: &PayCode) -> Life {
    Life { expires_at: code.expires_at, scans: code.scans, scan_limit: code.scan_limit }
}

/// In words, of a code that was used.
pub(super) fn what_became(sale: &Sale, words: &Words) -> &'static str {
    match Became::of(&sale.payment.payment) {
        Some(Became::GivenBack) => words.given_back,
        Some(Became::GoingBack) => words.going_back,
        Some(Became::PartGivenBack) => words.part_given_back,
        Some(Became::Paid) | None => words.paid,
    }
}

fn heading(merchant: &str, store: &str, sale: &Sale, words: &Words) -> String {
    let amount = sale.payment.payment.amount;
    let mut goods = String::new();
    for line in &sale.order.goods {
        let much = line.weight_grams.map_or_else(|| format!("× {}", line.quantity), |weight| weight.to_string());
        goods.push_str(&format!("<li><span>{}</span><span>{much}</span></li>", escaped(&line.name)));
    }
    let reference = sale.order.reference.as_deref().map(escaped).unwrap_or_default();
    format!(
        "<h1>{}</h1><p class=\"store\">{}</p><p class=\"label\">{}</p><p class=\"amount\">{}</p><ul>{goods}</ul>\
         <p class=\"reference\">{reference}</p>",
        escaped(merchant),
        escaped(store),
        words.pay,
        escaped(&amount.to_string()),
    )
}

/// A link leads on; any other code is shown for the wallet to scan.
pub(super) fn way_to_pay(channel_code: &str, words: &Words) -> String {
    if is_link(channel_code) {
        return format!("<a id=\"pay-link\" class=\"pay\" href=\"{}\">{}</a>", escaped(channel_code), words.pay_with);
    }
    let Some(picture) = picture::data_url(channel_code) else { return notice(words.closed, words) };
    format!("<p class=\"label\">{}</p><img alt=\"QR\" width=\"240\" src=\"{picture}\">", words.scan)
}

pub(super) fn notice(what: &str, words: &Words) -> String {
    format!("<p class=\"notice\">{what}</p><p>{}</p>", words.ask_shop)
}

pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

pub(super) fn page(status: u16, words: &Words, body: &str) -> HttpResponse {
    const STYLE: &str = "body{font:17px/1.5 system-ui,sans-serif;max-width:26rem;margin:0 auto;padding:1.5rem;text-align:center;\
        color:#1b1f24;background:#fff}h1{font-size:1.3rem;margin:1rem 0 0}.store,.reference{color:#57606a;margin:0}\
        .label{margin:2rem 0 0;color:#57606a}.amount{font-size:2.4rem;font-weight:700;margin:0}ul{list-style:none;padding:0}\
        li{display:flex;justify-content:space-between;padding:.3rem 0;border-bottom:1px solid #d8dee4}\
        .pay{display:block;margin:2rem 0;padding:1rem;border-radius:.6rem;background:#0b6e4f;color:#fff;font-size:1.2rem;\
        text-decoration:none;border:0;width:100%;box-sizing:border-box;font-family:inherit}.pay:focus-visible{outline:3px solid #1f6feb;outline-offset:3px}.done{color:#0b6e4f;font-size:1.4rem}\
        .notice{color:#a40e26;font-size:1.2rem}img{background:#fff;padding:8px;border-radius:.6rem}\
        @media(prefers-color-scheme:dark){body{color:#e6edf3;background:#15191e}.store,.reference,.label{color:#a8b3bf}\
        li{border-color:#39424c}.done{color:#4cc38a}.notice{color:#ff8f8f}}";
    let html = format!(
        "<!doctype html><html lang=\"{}\"><head><meta charset=\"utf-8\"><title>{} · Saoma</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <meta name=\"color-scheme\" content=\"light dark\"><style>{STYLE}</style></head>\
         <body><main>{body}</main></body></html>",
        words.language, words.pay
    );
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or(actix_web::http::StatusCode::OK);
    HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::VARY, "accept-language"))
        .body(html)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_text_and_never_markup() {
        assert_eq!(escaped("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
        let code = way_to_pay("javascript:alert(1)", &ENGLISH);
        assert!(!code.contains("javascript") && code.contains("data:image/svg+xml"), "{code}");
        assert!(way_to_pay("https://wallet.example/pay/1?a=1&b=2", &ENGLISH).contains("a=1&amp;b=2"));
    }
}
