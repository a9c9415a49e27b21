//! Alipay's OpenAPI gateway, face-to-face payment (当面付): what is published of it, as far as a merchant's channel can see it.
//!
//! [`book`] has the rules, [`gate`] who may call and what a field may hold; [`gateway`], [`bill`] and [`notice`] are its wire. Signed
//! both ways by RSA2, with public keys or certificates. Codes of customers may be used again and again; whoever is charged has
//! enough money.

mod bill;
pub mod book;
mod clock;
pub mod gate;
mod gateway;
mod keys;
mod notice;
mod refusal;
mod visitors;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use actix_web::{HttpRequest, HttpResponse, web};
use book::{Book, NewOrder};
use keys::Keys;
use serde_json::json;
use visitors::Visitors;

use crate::stage::{self, Act, FarSide, Fault, Notification, OrderSeen, Running, Script, Stage, Unplayable, leave};

/// Alipay has no word of its own for a code that is too old.
const UNPLAYED: [Fault; 1] = [Fault::CodeExpired];

/// How the merchant's application is set up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// In certificate mode: requests of public-key mode are refused. Else either is taken.
    pub by_certificates: bool,
}

/// Alipay, as one merchant's application sees it.
pub struct Alipay {
    config: Config,
    stage: Stage,
    keys: Keys,
    book: Mutex<Book>,
    visitors: Mutex<Visitors>,
    /// Addresses of bills by their number.
    offers: Mutex<BTreeMap<usize, bill::Offer>>,
    base_url: OnceLock<String>,
}

/// Starts the gateway; must be called on a tokio runtime.
///
/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr, config: Config) -> anyhow::Result<Running> {
    let far_side = Arc::new(Alipay {
        config,
        stage: Stage::default(),
        keys: Keys::load()?,
        book: Mutex::default(),
        visitors: Mutex::default(),
        offers: Mutex::default(),
        base_url: OnceLock::new(),
    });
    let running = stage::start(&far_side, listen, None, |to| {
        to.route("/gateway.do", web::post().to(gateway::handle))
            .route("/oauth2/publicAppAuthorize.htm", web::get().to(visitors::authorize))
            .route("/downloadBillFile.resource", web::get().to(download));
    })?;
    far_side.base_url.get_or_init(|| running.base_url.clone());
    Ok(running)
}

/// `GET /downloadBillFile.resource?fileId=…`.
async fn download(far_side: web::Data<Alipay>, request: HttpRequest) -> HttpResponse {
    let fault = far_side.stage.enter(Act::Other, &request, &web::Bytes::new());
    let id = request.query_string().rsplit('=').next().and_then(|id| id.parse::<usize>().ok());
    let now = far_side.stage.now_ms();
    let offer = id.and_then(|id| lock(&far_side.offers).get(&id).cloned()).filter(|offer| now < offer.until);
    let Some(offer) = offer else {
        return leave(fault, HttpResponse::NotFound().content_type("text/html").body("<html>已失效</html>")).await;
    };
    let zip = bill::zipped(&far_side.book(), &offer.day, offer.fault, now);
    leave(
        fault,
        match zip {
            Ok(zip) => HttpResponse::Ok().content_type("application/zip").body(zip),
            Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
        },
    )
    .await
}

impl Alipay {
    fn book(&self) -> MutexGuard<'_, Book> {
        lock(&self.book)
    }

    fn visitors(&self) -> MutexGuard<'_, Visitors> {
        lock(&self.visitors)
    }

    /// An address for the bill of a day, good for 30 seconds.
    fn bill_url(&self, day: &str, fault: Option<Fault>, now: i64) -> String {
        let mut offers = lock(&self.offers);
        let id = offers.len() + 1;
        offers.insert(id, bill::Offer { day: day.to_owned(), fault, until: now + bill::ADDRESS_MS_MAX });
        let base_url = self.base_url.get().map(String::as_str).unwrap_or_default();
        format!("{base_url}/downloadBillFile.resource?bizType=trade&userId={}&fileId={id}", keys::SELLER_ID)
    }
}

impl FarSide for Alipay {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        let mut settings = json!({
            "gateway_url": format!("{base_url}/gateway.do"),
            "app_id": keys::APP_ID,
            "bill_url": base_url,
            "seller_id": keys::SELLER_ID,
            "oauth_url": base_url,
        });
        let mut alipay_key = keys::ALIPAY_PUBLIC;
        if self.config.by_certificates {
            settings["app_cert_sn"] = keys::APP_CERT_SN.into();
            settings["alipay_root_cert_sn"] = keys::ROOT_CERT_SN.into();
            alipay_key = keys::ALIPAY_CERTIFICATE;
        }
        Script {
            settings,
            secrets: json!({ "app-private-key": keys::APP_PRIVATE, "alipay-public-key": alipay_key }),
            code: Some("281234567890123456".to_owned()),
            card: None,
            unusable: json!({ "app_id": "wx8888888888888888" }),
            faults: Fault::all_but(&UNPLAYED),
        }
    }

    fn taken(&self) -> u32 {
        self.book().trades().map(|trade| trade.times_taken).sum()
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        let (mut book, now) = (self.book(), self.stage.now_ms());
        let code = book.shown(number).map(|_| book::code_of(number));
        let seen = |order: &NewOrder, state: &str, times_taken, given_back_minor| OrderSeen {
            code: code.clone(),
            subject: Some(order.subject.clone()),
            number: number.to_owned(),
            amount_minor: order.amount_minor,
            currency: "CNY".to_owned(),
            state: state.to_owned(),
            times_taken,
            given_back_minor,
        };
        if let Some(trade) = book.trade(number, now) {
            let given_back_minor = trade.given_back_minor();
            return Some(seen(&trade.order, trade.status.word(), trade.times_taken, given_back_minor));
        }
        book.shown(number).map(|order| seen(order, "NOT_SCANNED", 0, 0))
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        self.book().customer_pays(number, self.stage.now_ms()).map_err(Unplayable)
    }

    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        self.book().customer_declines(number, self.stage.now_ms()).map_err(Unplayable)
    }

    fn notification(
        &self,
        number: &str,
        refund: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Notification, Unplayable> {
        let playable =
            matches!(fault, None | Some(Fault::Forged | Fault::Unsigned | Fault::WrongAmount | Fault::WrongNumber));
        if !playable {
            return Err(Unplayable(format!("a notification does not play {fault:?}")));
        }
        let (mut book, now) = (self.book(), self.stage.now_ms());
        let trade = book.trade(number, now).ok_or_else(|| Unplayable("there is no trade to tell of".to_owned()))?;
        let refund = match refund {
            None => None,
            Some(wanted) => {
                let found = trade.refunds.iter().find(|refund| refund.number == wanted && refund.is_paid);
                Some(found.ok_or_else(|| Unplayable(format!("no refund {wanted} was paid")))?)
            }
        };
        Ok(notice::message(&self.keys, trade, refund, fault, now))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing below leaves it half changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
