//! Pages that are open in Alipay: who the visitor is, and what the app's bridge is asked for.

use saoma_channel_sdk::{
    Account, Error, Order, clock,
    in_app::{App, BridgeCall, Guest, Step},
    not_sent,
};

use crate::{
    Alipay, exchange,
    messages::{payment, request, settings::Settings},
};

impl Guest for Alipay {
    fn apps() -> Vec<App> {
        vec![App {
            id: "alipay".to_owned(),
            name: "Alipay 支付宝".to_owned(),
            markers: vec!["AlipayClient/".to_owned()],
            settings: vec!["oauth_url".to_owned()],
            secrets: Vec::new(),
        }]
    }

    fn identify(account: Account, _: String, return_url: String, state: String) -> Result<Option<String>, Error> {
        let settings = Settings::of(&account)?;
        settings.check_pages()?;
        request::authorize_url(&settings, &return_url, &state).map(Some)
    }

    fn payer(account: Account, _: String, parameters: Vec<(String, String)>) -> Result<String, Error> {
        let settings = Settings::of(&account)?;
        let of = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
        let code = of("auth_code").filter(|code| (1..=64).contains(&code.len()));
        let code = code.ok_or_else(|| not_sent("the visitor came back without a code"))?;
        if of("app_id").is_some_and(|app| app != settings.app_id) {
            return Err(not_sent("the visitor came back from another application"));
        }
        payment::read_payer(&exchange(&settings, &request::oauth_token(code))?)
    }

    fn open(account: Account, _: String, order: Order, payer: String) -> Result<Step, Error> {
        let call = request::create(&order, &account.notify_url, &payer, clock::now())?;
        let answer = exchange(&Settings::of(&account)?, &call)?;
        let trade_no = payment::read_opened(&answer, &order.number)?;
        let parameters = serde_json::json!({ "tradeNO": trade_no });
        Ok(Step::Bridge(BridgeCall {
            object: "AlipayJSBridge".to_owned(),
            ready: "AlipayJSBridgeReady".to_owned(),
            function: "call".to_owned(),
            name: "tradePay".to_owned(),
            parameters_json: parameters.to_string(),
        }))
    }
}
