//! Pages that are open in WeChat: who the visitor is, and what the app's bridge is asked for.

use saoma_channel_sdk::{
    Account, Error, Order, Request, clock,
    in_app::{App, Guest, Step},
    random_hex, rsa_sign,
};

use crate::{
    WechatPay,
    messages::{self, Settings},
    wire::{APP_SECRET, MERCHANT_KEY, exchange, words},
};

/// A visitor waits for it.
const TOKEN_TIMEOUT_MS: u32 = 5_000;

impl Guest for WechatPay {
    fn apps() -> Vec<App> {
        vec![App {
            id: "wechat".to_owned(),
            name: "WeChat 微信".to_owned(),
            markers: vec!["MicroMessenger/".to_owned()],
            settings: vec!["authorize_url".to_owned(), "official_account_url".to_owned()],
            secrets: vec![APP_SECRET.to_owned()],
        }]
    }

    fn identify(account: Account, _: String, return_url: String, state: String) -> Result<Option<String>, Error> {
        messages::authorize_url(&Settings::of(&account)?, &return_url, &state).map(Some)
    }

    fn payer(account: Account, _: String, parameters: Vec<(String, String)>) -> Result<String, Error> {
        let url = messages::token_url(&Settings::of(&account)?, &parameters)?;
        let reply = Request::new("GET", url, TOKEN_TIMEOUT_MS)
            .header("accept", "application/json")
            .secret_parameter("secret", APP_SECRET)
            .send()?;
        messages::read_payer(reply.status, &reply.body)
    }

    fn open(account: Account, _: String, order: Order, payer: String) -> Result<Step, Error> {
        let settings = Settings::of(&account)?;
        let (status, body) = exchange(&settings, &messages::open(&settings, &order, &payer, &account.notify_url)?)?;
        let prepay_id = messages::read_opened(status, &body)?;
        let (timestamp, nonce) = (clock::now().div_euclid(1_000).to_string(), random_hex(16));
        // The order is there by now: whatever fails here leaves it open.
        let signature = rsa_sign(MERCHANT_KEY, &messages::pay_text(&settings, &timestamp, &nonce, &prepay_id))
            .map_err(|error| saoma_channel_sdk::no_answer(words(error)))?;
        Ok(Step::Bridge(messages::bridge(&settings, &timestamp, &nonce, &prepay_id, &signature)))
    }
}
