//! WeChat Pay's API v3, the far side: payment codes, native codes, close, reverse, refunds, notifications, bills and platform
//! certificates, for a merchant of its own or one behind a service provider.
//!
//! Built from the product pages at pay.weixin.qq.com. Where they leave a thing open, the choice stands beside it. `book` has the
//! rules, `form` the fields and their limits, `gate` what a request must carry, `keys` signatures and seals, `http` the wire,
//! `bill` the trade bill, `funds` the fund bill, `envelope` how a sub-merchant's is sealed. All keys are made for tests and published.

mod bill;
mod book;
mod envelope;
mod form;
mod funds;
mod gate;
mod http;
mod keys;
mod moment;
mod notice;
mod refusal;
mod visitors;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use serde_json::json;

use crate::stage::{self, FarSide, Fault, Notification, OrderSeen, Running, Script, Stage, Unplayable};
use book::Book;
use keys::Keys;
pub use keys::Signing;
use visitors::Visitors;

/// The service provider's number in partner mode, the merchant's else.
const MCHID: &str = "1900000001";
const APPID: &str = "wx8888888888888888";
const SUB_MCHID: &str = "1900000109";
const SUB_APPID: &str = "wx9999999999999999";
/// The first of the codes that customers show; the scheme takes any of this shape, once.
const FIRST_CODE: u64 = 130_061_098_828_009_406;

/// Who the merchant is, and how the scheme signs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Config {
    /// Behind a service provider.
    pub is_partner: bool,
    pub signing: Signing,
    /// The merchant's money is paid out at the end of each day.
    pub withdraws: bool,
}

/// The scheme at play.
pub struct WechatPay {
    config: Config,
    stage: Stage,
    keys: Keys,
    book: Mutex<Book>,
    visitors: Mutex<Visitors>,
    n_codes: AtomicU64,
}

/// # Errors
/// If the address cannot be listened on.
pub fn start(listen: SocketAddr, config: Config) -> anyhow::Result<Running> {
    let (stage, book, visitors, n_codes) = Default::default();
    let scheme = Arc::new(WechatPay { config, stage, keys: Keys::new(config.signing)?, book, visitors, n_codes });
    stage::start(&scheme, listen, None, http::routes)
}

impl WechatPay {
    fn book(&self) -> MutexGuard<'_, Book> {
        // Nothing in the book is left half written by a panic: each rule checks before it writes.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn visitors(&self) -> MutexGuard<'_, Visitors> {
        self.visitors.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FarSide for WechatPay {
    fn stage(&self) -> &Stage {
        &self.stage
    }

    fn script(&self, base_url: &str) -> Script {
        let mut settings = json!({
            "base_url": base_url, "mode": "direct", "mchid": MCHID, "appid": APPID, "merchant_serial": keys::MERCHANT_SERIAL,
            "authorize_url": base_url, "official_account_url": base_url,
            "fund_bills": true, "fund_bills_operation": true, "fund_bills_fees": true, "fund_bills_deposit": true,
        });
        if self.config.is_partner {
            settings["mode"] = "partner".into();
            settings["sub_mchid"] = SUB_MCHID.into();
            settings["sub_appid"] = SUB_APPID.into();
        }
        if self.config.signing == Signing::PublicKey {
            settings["wechatpay_public_key_id"] = keys::PUBLIC_KEY_ID.into();
        }
        Script {
            settings,
            secrets: json!({
                "merchant-key": keys::MERCHANT_KEY,
                "wechatpay-keys": self.keys.known_to_merchants(),
                "apiv3-key": keys::APIV3_KEY,
                "app-secret": visitors::APP_SECRET,
            }),
            code: Some((FIRST_CODE + self.n_codes.fetch_add(1, Ordering::Relaxed)).to_string()),
            card: None,
            unusable: json!({ "mchid": "19000000a" }),
            faults: Fault::all_but(&[]),
        }
    }

    fn taken(&self) -> u32 {
        self.book().taken()
    }

    fn order(&self, number: &str) -> Option<OrderSeen> {
        self.book().seen(number)
    }

    fn pay(&self, number: &str) -> Result<(), Unplayable> {
        self.book().pay(number, self.stage.now_ms())
    }

    fn decline(&self, number: &str) -> Result<(), Unplayable> {
        self.book().decline(number)
    }

    fn notification(
        &self,
        number: &str,
        refund: Option<&str>,
        fault: Option<Fault>,
    ) -> Result<Notification, Unplayable> {
        notice::notification(self, number, refund, fault)
    }
}
