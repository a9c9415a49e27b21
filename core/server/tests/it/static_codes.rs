//! A stall's printed code, scanned by customers with all kinds of apps: core, the real channels and their schemes, and a browser that
//! does what the page's script would do.

mod announced;

use std::{fs, sync::Mutex};

use saoma_schemes::{alipay, stage, wechatpay};
use serde_json::{Value, json};

use crate::{
    door::{Answer, Ask, Door},
    eyes,
    fleet_world::eventually,
    town::{Merchant, Town, becomes, plugins, text},
};

const WECHAT: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0.49(0x18003137)";
const ALIPAY: &str =
    "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 NebulaSDK/1.8 AlipayClient/10.5.90.8000 Language/zh-Hans";
const CAMERA: &str =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile Safari/604.1";

/// A merchant with a stall, and the schemes of its accounts.
struct Stall {
    town: Town,
    tea: Merchant,
    wechat: stage::Running,
    alipay: stage::Running,
    /// By plugin.
    accounts: [String; 2],
    code: Value,
    _plugins: tempfile::TempDir,
}

impl Stall {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (from, name) in [(".", "sandbox"), ("../channels", "wechatpay"), ("../channels", "alipay")] {
            let file = plugins().join(from).join(format!("{name}.wasm"));
            fs::copy(&file, folder.path().join(format!("{name}.wasm")))
                .unwrap_or_else(|error| panic!("{file:?}: {error}"));
        }
        let town = Town::found_with(&[("SAOMA_PLUGINS__DIR", folder.path().to_str().unwrap())]).await;
        let tea = town.merchant("tea").await;
        let anywhere = "127.0.0.1:0".parse().unwrap();
        let wechat = wechatpay::start(anywhere, wechatpay::Config::default()).unwrap();
        let alipay = alipay::start(anywhere, alipay::Config::default()).unwrap();
        let accounts = [account(&tea, "wechatpay", &wechat).await, account(&tea, "alipay", &alipay).await];
        let body =
            json!({ "store": tea.store, "label": "the stall by the gate", "min_minor": 10, "max_minor": 50_000 });
        let code: Value = tea.owner.post("/v1/static-codes").json(&body).await.json(201);
        Self { town, tea, wechat, alipay, accounts, code, _plugins: folder }
    }

    fn link(&self) -> &str {
        text(&self.code, "/url")
    }

    fn visitor(&self, user_agent: &'static str) -> Visitor {
        Visitor { user_agent, link: self.link().to_owned(), cookie: Mutex::default() }
    }

    /// The payments that came through the code, newest first.
    async fn payments(&self) -> Vec<Value> {
        let listed: Value = self.tea.owner.get("/v1/payments").await.json(200);
        listed["items"].as_array().unwrap().clone()
    }

    async fn switch(&self, account: &str, enabled: bool) {
        let path = format!("/v1/channel-accounts/{account}");
        let shown: Value = self.tea.owner.get(&path).await.json(200);
        let body = json!({ "version": shown["version"], "enabled": enabled });
        self.tea.owner.ask("PATCH", &path).json(&body).await.json::<Value>(200);
    }
}

async fn account(tea: &Merchant, plugin: &str, scheme: &stage::Running) -> String {
    let script: Value = Door::at(&scheme.door).get("/script").await.json(200);
    let body = json!({
        "plugin": plugin, "name": plugin, "fee_basis_points": 38, "settings": script["settings"],
        "secrets": script["secrets"],
    });
    let made: Value = tea.owner.post("/v1/channel-accounts").json(&body).await.json(201);
    text(&made, "/id").to_owned()
}

/// A customer's browser: it keeps one cookie, and goes where it is sent.
struct Visitor {
    user_agent: &'static str,
    link: String,
    cookie: Mutex<Option<String>>,
}

impl Visitor {
    async fn sends(&self, ask: Ask) -> Answer {
        let mut ask = ask.without_key().header("user-agent", self.user_agent.as_bytes());
        if let Some(cookie) = self.cookie.lock().unwrap().clone() {
            ask = ask.header("cookie", cookie.as_bytes());
        }
        let answer = ask.await;
        if let Some(cookie) = answer.cookie() {
            *self.cookie.lock().unwrap() = Some(cookie);
        }
        answer
    }

    async fn goes(&self, url: &str) -> Answer {
        self.sends(Door::at("").get(url)).await
    }

    /// Scans the code, and follows to wherever it leads.
    async fn scans(&self) -> Answer {
        let mut answer = self.goes(&self.link).await;
        for _ in 0..3 {
            let Some(to) = answer.headers.get("location") else { break };
            let to = to.to_str().unwrap();
            // The cookie is core's alone: schemes get none of it.
            let to = if to.starts_with('/') { format!("{}{to}", root(&self.link)) } else { to.to_owned() };
            answer = self.goes(&to).await;
        }
        answer
    }

    async fn pays(&self, minor: i64) -> Answer {
        let ask = Door::at("").post(&format!("{}/pay", self.link)).json(&json!({ "amount_minor": minor }));
        self.sends(ask).await
    }

    async fn again(&self) -> Answer {
        self.sends(Door::at("").post(&format!("{}/again", self.link)).json(&json!({}))).await
    }

    async fn looks(&self) -> Value {
        self.goes(&format!("{}/state", self.link)).await.json(200)
    }
}

fn root(link: &str) -> &str {
    link.split_once("/s/").unwrap().0
}

/// The notice on a page that leads nowhere.
fn notice(page: &Answer) -> &str {
    let told = page.text.split("id=\"notice\">").nth(1).and_then(|rest| rest.split("</p>").next());
    told.unwrap_or_else(|| panic!("no notice in {}", page.text))
}

async fn customer_pays(scheme: &stage::Running, number: &str) {
    let paid = Door::at(&scheme.door).post(&format!("/orders/{number}/pay")).await;
    assert_eq!(paid.status, 204, "{}", paid.text);
}

async fn times_taken(scheme: &stage::Running, number: &str) -> Value {
    let order: Value = Door::at(&scheme.door).get(&format!("/orders/{number}")).await.json(200);
    order["times_taken"].clone()
}

#[actix_web::test]
async fn customers_of_either_app_pay_in_it_and_the_shop_hears_by_the_scheme_alone() {
    let stall = Stall::open().await;
    let bridges = [
        (WECHAT, &stall.wechat, "wechatpay", "WeixinJSBridge", "getBrandWCPayRequest"),
        (ALIPAY, &stall.alipay, "alipay", "AlipayJSBridge", "tradePay"),
    ];
    for (user_agent, scheme, channel, object, name) in bridges {
        let customer = stall.visitor(user_agent);
        let page = customer.scans().await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(page.text.contains("tea teahouse") && page.text.contains("tea lane"), "{}", page.text);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'sha256-")
                && !policy.contains("unsafe")
                && policy.contains("; frame-src weixin: alipaybridge:; "),
            "{policy}"
        );
        assert_eq!(customer.looks().await, json!({ "state": "fresh" }));
        let told: Value = customer.pays(1_250).await.json(200);
        assert_eq!((&told["state"], &told["amount"]), (&json!("waiting"), &json!("12.50 CNY")), "{told}");
        assert_eq!((&told["step"]["object"], &told["step"]["name"]), (&json!(object), &json!(name)), "{told}");
        let made = stall.payments().await.remove(0);
        let number = text(&made, "/id");
        assert_eq!(
            (&made["state"], &made["channel"], &made["method"], &made["static_code"], made.get("code_url")),
            (&json!("presenting"), &json!(channel), &json!("merchant_presented"), &stall.code["id"], None),
            "{made}"
        );
        let shown = stall.tea.owner.get(&format!("/v1/payments/{number}/code")).await;
        assert!(shown.status == 409 && shown.text.contains("scanned a printed one"), "{}", shown.text);
        // Nothing of the payment that others could use, and nobody's id.
        for secret in [number, "oUpF8uMuAJO", "2088102150527498", "d4624c36b6795d1d"] {
            assert!(!told.to_string().contains(secret) && !page.text.contains(secret), "{secret}: {told}");
        }
        customer_pays(scheme, number).await;
        let paid = becomes(&stall.tea.owner, number, "succeeded").await;
        assert_eq!(paid["static_code"], stall.code["id"]);
        assert_eq!(customer.looks().await, json!({ "state": "paid", "amount": "12.50 CNY" }));
        assert!(customer.goes(stall.link()).await.text.contains("&quot;state&quot;:&quot;paid&quot;"));
        assert_eq!(times_taken(scheme, number).await, 1);
        let refund = json!({ "amount": { "minor": 250, "currency": "CNY" } });
        let given: Value =
            stall.tea.owner.post(&format!("/v1/payments/{number}/refunds")).json(&refund).await.json(201);
        assert!(["succeeded", "pending"].contains(&given["state"].as_str().unwrap()), "{given}");
        assert_eq!(customer.looks().await["state"], "part_given_back");
        let rest = json!({ "amount": { "minor": 1_000, "currency": "CNY" } });
        stall.tea.owner.post(&format!("/v1/payments/{number}/refunds")).json(&rest).await.json::<Value>(201);
        let state = customer.looks().await["state"].clone();
        assert!(state == "going_back" || state == "given_back", "{state}");
    }
    stall.tea.books_balance().await;
}

#[actix_web::test]
async fn a_double_tap_a_reload_and_the_back_button_are_one_payment() {
    let stall = Stall::open().await;
    let customer = stall.visitor(WECHAT);
    customer.scans().await;
    let (first, second) = tokio::join!(customer.pays(800), customer.pays(800));
    assert_eq!((first.status, second.status), (200, 200), "{} {}", first.text, second.text);
    eventually("there is something to pay", async || customer.looks().await["step"].is_object()).await;
    // The page as the back button shows it, with another amount keyed in.
    let other: Value = customer.pays(900).await.json(200);
    assert_eq!(other["amount"], "8.00 CNY", "{other}");
    let reloaded = customer.goes(stall.link()).await;
    assert!(reloaded.text.contains("&quot;waiting&quot;") && reloaded.text.contains("8.00 CNY"), "{}", reloaded.text);
    let payments = stall.payments().await;
    assert_eq!(payments.len(), 1, "{payments:?}");
    let number = text(&payments[0], "/id");
    customer_pays(&stall.wechat, number).await;
    becomes(&stall.tea.owner, number, "succeeded").await;
    let late: Value = customer.pays(800).await.json(200);
    assert_eq!(late["state"], "paid");
    assert_eq!((stall.payments().await.len(), times_taken(&stall.wechat, number).await), (1, json!(1)));
    // Somebody who wants to pay once more says so.
    assert_eq!(customer.again().await.json::<Value>(200), json!({ "state": "fresh" }));
    customer.pays(800).await.json::<Value>(200);
    assert_eq!(stall.payments().await.len(), 2);
    // And who gives that up closes it, also at the scheme.
    let open = text(&stall.payments().await[0], "/id").to_owned();
    assert_eq!(customer.again().await.json::<Value>(200), json!({ "state": "fresh" }));
    becomes(&stall.tea.owner, &open, "cancelled").await;
    let order: Value = Door::at(&stall.wechat.door).get(&format!("/orders/{open}")).await.json(200);
    assert_eq!(order["state"], "CLOSED");
}

#[actix_web::test]
async fn nobody_comes_back_as_somebody_else() {
    let stall = Stall::open().await;
    let (victim, attacker) = (stall.visitor(WECHAT), stall.visitor(WECHAT));
    let sent = |answer: &Answer| answer.headers["location"].to_str().unwrap().to_owned();
    let to_scheme = sent(&attacker.goes(stall.link()).await);
    // The attacker's own way back, which the victim is made to open.
    let way_back = sent(&attacker.goes(&to_scheme).await);
    assert!(way_back.contains("code=") && way_back.contains("state="), "{way_back}");
    assert_eq!(victim.goes(&way_back).await.status, 403, "without having been sent");
    victim.goes(stall.link()).await;
    assert_eq!(victim.goes(&way_back).await.status, 403, "sent with another state");
    assert_eq!(attacker.goes(&format!("{}&state=x", way_back)).await.status, 403, "two states");
    assert_eq!(attacker.goes(&way_back).await.status, 303);
    assert_eq!(attacker.goes(&way_back).await.status, 303, "the same address again");
    assert_eq!(attacker.looks().await["state"], "fresh");
    assert_eq!(victim.pays(100).await.status, 403, "nobody knows who that is");
    // A code that was used before, in a state of the victim's own.
    let used = way_back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).unwrap();
    let own = sent(&victim.goes(stall.link()).await);
    let state = own.split("state=").nth(1).and_then(|rest| rest.split('#').next()).unwrap();
    let refused = victim.goes(&format!("{}/back?code={used}&state={state}", stall.link())).await;
    assert_eq!((refused.status, refused.cookie()), (303, None), "{}", refused.text);
    assert!(sent(&refused).ends_with("?again"), "{}", sent(&refused));
    // Sent there once more, and then told so, instead of for ever.
    let retry = format!("{}?again", stall.link());
    assert!(sent(&victim.goes(&retry).await).contains("/connect/oauth2/authorize"));
    assert_eq!(victim.goes(&retry).await.status, 502);
    assert_eq!(victim.goes(stall.link()).await.status, 302, "a new scan begins anew");
    // A cookie of another code's page, or one that was changed, is none.
    let body = json!({ "store": stall.tea.store, "label": "another", "max_minor": 100 });
    let other: Value = stall.tea.owner.post("/v1/static-codes").json(&body).await.json(201);
    let there = Visitor { user_agent: WECHAT, link: text(&other, "/url").to_owned(), cookie: Mutex::default() };
    *there.cookie.lock().unwrap() = attacker.cookie.lock().unwrap().clone();
    assert_eq!(there.pays(100).await.status, 403);
    let changed = attacker.cookie.lock().unwrap().clone().unwrap();
    let elsewhere = Door::at("").post(&format!("{}/pay", stall.link())).header("origin", b"https://evil.example");
    assert_eq!(attacker.sends(elsewhere.json(&json!({ "amount_minor": 100 }))).await.status, 403);
    // Twenty letters on is within what is sealed.
    let at = changed.find('=').unwrap() + 20;
    let letter = if changed.as_bytes()[at] == b'A' { "B" } else { "A" };
    *attacker.cookie.lock().unwrap() = Some(format!("{}{letter}{}", &changed[..at], &changed[at + 1..]));
    assert_eq!(attacker.pays(100).await.status, 403);
    *attacker.cookie.lock().unwrap() = Some(changed);
    assert_eq!(attacker.pays(100).await.status, 200);
}

#[actix_web::test]
async fn an_app_that_nobody_serves_reads_which_do() {
    let stall = Stall::open().await;
    // Any browser is shown the code of the wallet, and pays there.
    let customer = stall.visitor(CAMERA);
    assert_eq!(customer.scans().await.status, 200);
    let told: Value = customer.pays(300).await.json(200);
    let link = text(&told, "/step/url");
    let token = link.rsplit('/').next().unwrap();
    let path = format!("/wallet/api/orders/{token}/pay");
    let paid = Door::at(&stall.town.scheme_root()).post(&path).json(&json!({ "account": "alice" })).await;
    assert_eq!(paid.status, 200, "{}", paid.text);
    eventually("it is paid", async || customer.looks().await["state"] == "paid").await;
    stall.switch(&stall.tea.account, false).await;
    let lost = stall.visitor(CAMERA).scans().await;
    assert_eq!(
        notice(&lost),
        "This shop cannot be paid from here. Please scan the code with one of these apps: WeChat 微信, Alipay 支付宝"
    );
    let chinese = stall.visitor(CAMERA);
    let page = chinese.sends(Door::at("").get(stall.link()).header("accept-language", b"zh-CN,zh;q=0.9")).await;
    assert_eq!(notice(&page), "此处无法向该商家付款，请用以下应用扫码：WeChat 微信、Alipay 支付宝");
    stall.switch(&stall.accounts[1], false).await;
    assert!(notice(&stall.visitor(ALIPAY).scans().await).ends_with(": WeChat 微信"));
    stall.switch(&stall.accounts[0], false).await;
    assert_eq!(
        notice(&stall.visitor(WECHAT).scans().await),
        "This shop cannot be paid by this code now. Please ask the shop."
    );
}

#[actix_web::test]
async fn a_code_keeps_to_its_limits_and_ends_when_it_is_revoked() {
    let stall = Stall::open().await;
    let customer = stall.visitor(ALIPAY);
    customer.scans().await;
    for minor in [9, 50_001, 0, -1, i64::MAX] {
        let refused = customer.pays(minor).await;
        assert_eq!(refused.status, 422, "{minor}: {}", refused.text);
        assert!(refused.text.contains("0.10 CNY") && refused.text.contains("500.00 CNY"), "{}", refused.text);
    }
    assert_eq!(stall.payments().await.len(), 0);
    let waiting: Value = customer.pays(10).await.json(200);
    assert_eq!(waiting["state"], "waiting");
    let path = format!("/v1/static-codes/{}", text(&stall.code, "/id"));
    let revoked: Value = stall.tea.owner.post(&format!("{path}/revoke")).await.json(200);
    assert!(revoked["revoked_at"].is_i64(), "{revoked}");
    assert_eq!(stall.tea.owner.post(&format!("{path}/revoke")).await.json::<Value>(200), revoked, "once");
    let late = stall.visitor(ALIPAY).scans().await;
    assert_eq!(
        (late.status, notice(&late)),
        (410, "This code is no longer in use. Please ask the shop for another way to pay.")
    );
    // What was begun goes on.
    let number = text(&stall.payments().await[0], "/id").to_owned();
    customer_pays(&stall.alipay, &number).await;
    becomes(&stall.tea.owner, &number, "succeeded").await;
    assert_eq!(customer.looks().await["state"], "paid");
    assert_eq!(customer.again().await.json::<Value>(200)["state"], "fresh");
    assert_eq!(customer.pays(10).await.status, 410);
    for unknown in ["aaaaaaaaaaaaaaaaaaaaaaaaaa", "x", "x%2Fy"] {
        let page = Door::at("").get(&format!("{}/s/{unknown}", root(stall.link()))).await;
        assert_eq!(page.status, 404, "{unknown}");
    }
    for action in ["static_code.created", "static_code.revoked"] {
        assert_eq!(stall.tea.audited(action).await.len(), 1, "{action}");
    }
}

#[actix_web::test]
async fn what_the_scheme_leaves_open_is_closed_and_never_charged_twice() {
    let stall = Stall::open().await;
    let customer = stall.visitor(WECHAT);
    customer.scans().await;
    let next = json!({ "act": "create", "fault": "html" });
    assert_eq!(Door::at(&stall.wechat.door).post("/next").json(&next).await.status, 204);
    let told: Value = customer.pays(700).await.json(200);
    assert_eq!(told["amount"], "7.00 CNY");
    assert!(["closing", "over"].contains(&text(&told, "/state")), "nobody can pay what nobody was shown: {told}");
    let number = text(&stall.payments().await[0], "/id").to_owned();
    let again: Value = customer.pays(700).await.json(200);
    assert!(["closing", "over"].contains(&text(&again, "/state")), "{again}");
    assert_eq!(stall.payments().await.len(), 1, "the same attempt");
    becomes(&stall.tea.owner, &number, "cancelled").await;
    eventually("it is closed at the scheme", async || {
        let order: Value = Door::at(&stall.wechat.door).get(&format!("/orders/{number}")).await.json(200);
        order["state"] == "CLOSED"
    })
    .await;
    eventually("the page says so", async || customer.looks().await["state"] == "over").await;
    assert_eq!(customer.again().await.json::<Value>(200)["state"], "fresh");
    assert_eq!(customer.pays(700).await.json::<Value>(200)["state"], "waiting");
    let second = text(&stall.payments().await[0], "/id").to_owned();
    customer_pays(&stall.wechat, &second).await;
    becomes(&stall.tea.owner, &second, "succeeded").await;
    assert_eq!(
        (times_taken(&stall.wechat, &number).await, times_taken(&stall.wechat, &second).await),
        (json!(0), json!(1))
    );
}

/// Browsers on Android call the return address twice, and show the second answer.
#[actix_web::test]
async fn a_browser_that_comes_back_twice_is_one_visitor_in_one_attempt() {
    let stall = Stall::open().await;
    for user_agent in [WECHAT, ALIPAY] {
        let customer = stall.visitor(user_agent);
        let sent = |answer: &Answer| answer.headers["location"].to_str().unwrap().to_owned();
        let to_scheme = sent(&customer.goes(stall.link()).await);
        let before = customer.cookie.lock().unwrap().clone();
        let way_back = sent(&customer.goes(&to_scheme).await);
        let twin = stall.visitor(user_agent);
        *twin.cookie.lock().unwrap() = before;
        let (first, second) = tokio::join!(customer.goes(&way_back), twin.goes(&way_back));
        assert_eq!((first.status, second.status), (303, 303), "{} {}", first.text, second.text);
        // One of them is known now; the other changed nothing of the one cookie that a browser has.
        let known: Vec<String> = [&first, &second].into_iter().filter_map(Answer::cookie).collect();
        assert_eq!(known.len(), 1, "{known:?}");
        let lost = if first.cookie().is_some() { &second } else { &first };
        *customer.cookie.lock().unwrap() = known.first().cloned();
        let page = customer.goes(&format!("{}{}", root(stall.link()), sent(lost))).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let told: Value = customer.pays(300).await.json(200);
        assert_eq!(told["state"], "waiting", "{told}");
        // However often: the scheme is not asked a third time, and the payment that is under way stays in sight.
        assert_eq!(customer.goes(&way_back).await.status, 303);
        assert_eq!(customer.looks().await["state"], "waiting");
    }
    assert_eq!(stall.payments().await.len(), 2);
}

#[actix_web::test]
async fn the_scheme_is_asked_at_most_twice_who_comes_back() {
    let stall = Stall::open().await;
    let stranger = stall.visitor(WECHAT);
    let own = stranger.goes(stall.link()).await.headers["location"].to_str().unwrap().to_owned();
    let state = own.split("state=").nth(1).and_then(|rest| rest.split('#').next()).unwrap();
    Door::at(&stall.wechat.door).ask("DELETE", "/heard").await;
    for nth in 0..10 {
        let back = stranger.goes(&format!("{}/back?code=made-up-{nth}&state={state}", stall.link())).await;
        assert_eq!((back.status, back.cookie()), (303, None), "{}", back.text);
    }
    let heard: Value = Door::at(&stall.wechat.door).get("/heard").await.json(200);
    assert_eq!(heard.to_string().matches("/sns/oauth2/access_token").count(), 2, "{heard}");
}

#[actix_web::test]
async fn one_payer_leaves_few_payments_open_and_refused_amounts_and_looks_count_for_none() {
    let stall = Stall::open().await;
    for _ in 0..70 {
        assert_eq!(stall.visitor(ALIPAY).goes(stall.link()).await.status, 302, "a market behind one address");
    }
    let mut made = 0;
    let refused = loop {
        // The cookie is thrown away each time, as whoever wants many payments would.
        let customer = stall.visitor(ALIPAY);
        customer.scans().await;
        for minor in [-1, 0, 9] {
            assert_eq!(customer.pays(minor).await.status, 422);
        }
        let answer = customer.pays(100).await;
        if answer.status != 200 {
            break answer;
        }
        assert_eq!(customer.pays(100).await.status, 200, "the same attempt");
        made += 1;
        assert!(made <= 6, "never refused");
    };
    assert_eq!((refused.status, made), (429, 6), "{}", refused.text);
    assert!(refused.text.contains("wait a minute"), "{}", refused.text);
    assert_eq!(stall.payments().await.len(), 6);
    let other = stall.visitor(WECHAT);
    other.scans().await;
    assert_eq!(other.pays(100).await.status, 200, "somebody else is not kept from it");
}

#[actix_web::test]
async fn whoever_is_known_for_an_account_that_is_off_comes_in_by_another() {
    let stall = Stall::open().await;
    let customer = stall.visitor(WECHAT);
    assert_eq!(customer.scans().await.status, 200);
    let away = stall.visitor(WECHAT);
    let to_scheme = away.goes(stall.link()).await.headers["location"].to_str().unwrap().to_owned();
    let way_back = away.goes(&to_scheme).await.headers["location"].to_str().unwrap().to_owned();
    let second = account(&stall.tea, "wechatpay", &stall.wechat).await;
    stall.switch(&stall.accounts[0], false).await;
    assert_eq!(customer.goes(stall.link()).await.status, 302, "asked anew, for the other account");
    assert_eq!(customer.scans().await.status, 200);
    assert_eq!(customer.pays(100).await.json::<Value>(200)["state"], "waiting");
    assert_eq!(text(&stall.payments().await[0], "/channel_account"), second);
    let back = away.goes(&way_back).await;
    assert_eq!((back.status, back.cookie()), (303, None), "{}", back.text);
    assert!(back.headers["location"].to_str().unwrap().ends_with("?again"));
}

#[actix_web::test]
async fn what_is_being_closed_is_not_said_to_be_unpaid() {
    let stall = Stall::open().await;
    let (customer, tab) = (stall.visitor(WECHAT), stall.visitor(WECHAT));
    customer.scans().await;
    customer.pays(900).await.json::<Value>(200);
    *tab.cookie.lock().unwrap() = customer.cookie.lock().unwrap().clone();
    for _ in 0..3 {
        let next = json!({ "act": "cancel", "fault": "unheard" });
        assert_eq!(Door::at(&stall.wechat.door).post("/next").json(&next).await.status, 204);
    }
    // Nobody knows yet that no money was taken: another payment now may be a second one.
    assert_eq!(customer.again().await.json::<Value>(200)["state"], "closing");
    assert_eq!(tab.looks().await["state"], "closing");
}

#[actix_web::test]
async fn what_a_shop_is_called_is_text_on_its_page() {
    let stall = Stall::open().await;
    let path = format!("/v1/stores/{}", stall.tea.store);
    let body = json!({ "name": "<script>alert(1)</script>" });
    stall.tea.owner.ask("PATCH", &path).json(&body).await.json::<Value>(200);
    let page = stall.visitor(ALIPAY).scans().await;
    assert!(page.text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.text);
    assert_eq!(page.text.matches("<script").count(), 1, "its own alone");
}

#[actix_web::test]
async fn the_printed_picture_is_read_by_other_eyes_than_ours() {
    let stall = Stall::open().await;
    let path = format!("/v1/static-codes/{}/picture", text(&stall.code, "/id"));
    for format in eyes::FORMATS {
        let drawn = stall.tea.owner.get(&format!("{path}?format={format}")).open().await;
        assert_eq!(eyes::read_answer(drawn, format).await, stall.link(), "{format}");
    }
}
