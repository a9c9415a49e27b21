//! Channels, as they are installed, against their far sides, where a story needs more than the conformance kit plays of every scheme.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use jiff::{Timestamp, tz::Offset};
use saoma_channels::{
    Account, BillLine, ChannelCaller as _, Clock, Failure, Host, HostConfig, KnownOrder, MemoryKv, Order,
    PaymentStatus, Presenter, RefundOrder, RefundStatus, SystemClock,
};
use saoma_protocol::{Amount, Currency, Millis, RefundId};
use serde_json::{Value, json};

use super::{
    far_side::FarSide,
    guests::{component, config, known, number, order},
};

const DAY_MS: i64 = 86_400_000;

/// Core's clock, so far ahead of the machine's.
#[derive(Default)]
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now(&self) -> Millis {
        SystemClock.now().plus(self.0.load(Ordering::Relaxed))
    }
}

struct Shop {
    host: Host,
    account: Account,
    far_side: FarSide,
    clock: Arc<Ahead>,
    code: String,
    currency: Currency,
}

impl Shop {
    async fn open(channel: &str, args: &[&str], currency: &str) -> Self {
        let far_side = FarSide::start(args).await;
        let account = far_side.account(channel);
        let (clock, kv) = (Arc::new(Ahead::default()), Arc::<MemoryKv>::default());
        let host = Host::new(HostConfig { clock: clock.clone(), kv, ..config() }).expect("the host starts");
        host.install(&component(channel)).await.expect("it installs");
        let code = far_side.script["code"].as_str().unwrap_or_default().to_owned();
        let currency = currency.parse().expect("a currency");
        Self { host, account, far_side, clock, code, currency }
    }

    async fn at_door(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.far_side.at_door(method, path, &body).await
    }

    async fn next(&self, act: &str, fault: &str) {
        assert_eq!(self.at_door("POST", "/next", json!({ "act": act, "fault": fault })).await.0, 204, "{act} {fault}");
    }

    /// Both clocks.
    async fn ahead(&self, ahead_ms: i64) {
        self.clock.0.store(ahead_ms, Ordering::Relaxed);
        assert_eq!(self.at_door("PUT", "/clock", json!({ "ahead_ms": ahead_ms })).await.0, 204);
    }

    /// The scheme's books of order `n`: how often money was taken, and what was given back; `None` if it never had it.
    async fn books(&self, n: u8) -> Option<(i64, i64)> {
        let (status, seen) = self.at_door("GET", &format!("/orders/{}", number(n)), Value::Null).await;
        (status == 200).then(|| {
            (seen["times_taken"].as_i64().unwrap_or_default(), seen["given_back_minor"].as_i64().unwrap_or_default())
        })
    }

    /// Methods and first steps of the paths of what came in since the last time.
    async fn heard(&self) -> Vec<String> {
        let heard = self.at_door("GET", "/heard", Value::Null).await.1;
        self.at_door("DELETE", "/heard", Value::Null).await;
        let told = |heard: &Value| {
            let text = |name: &str| heard[name].as_str().unwrap_or_default();
            let steps: Vec<&str> = text("path").split(['/', '?']).skip(1).collect();
            format!("{} {}", text("method"), steps.get(..2).unwrap_or_default().join("/"))
        };
        heard.as_array().expect("a list").iter().map(told).collect()
    }

    fn amount(&self, minor: i64) -> Amount {
        Amount::new(minor, self.currency).expect("an amount")
    }

    /// As core takes it in just now.
    fn fresh(&self, n: u8) -> Order {
        let now = self.clock.now();
        Order { amount: self.amount(1_250), created_at: now, expires_at: now.plus(120_000), ..order(n, 1) }
    }

    fn known(&self, n: u8, presented_by: Presenter) -> KnownOrder {
        KnownOrder { amount: self.amount(1_250), presented_by, created_at: self.clock.now(), ..known(n) }
    }

    /// A code on show that the customer has paid.
    async fn paid(&self, n: u8) {
        self.host.create(&self.account, &self.fresh(n)).await.expect("a code");
        assert_eq!(self.at_door("POST", &format!("/orders/{}/pay", number(n)), Value::Null).await.0, 204);
    }

    fn refund(&self, n: u8, minor: i64) -> RefundOrder {
        RefundOrder {
            number: number(n),
            reference: String::new(),
            refund_number: RefundId::from_bytes([n; 16]),
            amount: self.amount(minor),
            total: self.amount(1_250),
            reason: String::new(),
            created_at: self.clock.now(),
            card: None,
        }
    }

    /// A page of a day's bill: how many rows, what stands there instead of rows, and where it goes on.
    async fn bill(&self, day: &str, cursor: Option<&str>) -> Result<(usize, Vec<String>, Option<String>), Failure> {
        let page = self.host.fetch_bill(&self.account, day, cursor).await?;
        let told = |line: &BillLine| if let BillLine::Unreadable(words) = line { Some(words.clone()) } else { None };
        let words: Vec<String> = page.lines.iter().filter_map(told).collect();
        Ok((page.lines.len() - words.len(), words, page.next_cursor))
    }
}

/// A bank may end its tokens at any time. What it refused it did not do: it is sent again, once, under a new token.
#[tokio::test]
async fn a_token_that_has_ended_is_replaced_once_and_nothing_is_done_twice() {
    let shop = Shop::open("pix", &["pix"], "BRL").await;
    shop.host.create(&shop.account, &shop.fresh(1)).await.expect("a code");
    assert_eq!(shop.heard().await, ["POST oauth/token", "PUT v2/cob"]);
    shop.next("create", "sign-on").await;
    shop.paid(2).await;
    assert_eq!(shop.heard().await, ["PUT v2/cob", "POST oauth/token", "PUT v2/cob"]);
    assert_eq!(shop.books(2).await, Some((1, 0)));

    shop.next("query", "sign-on").await;
    let told = shop.host.query(&shop.account, &shop.known(2, Presenter::Merchant)).await.expect("an answer");
    assert_eq!(told.status, PaymentStatus::Succeeded);
    assert_eq!(shop.heard().await, ["GET v2/cob", "POST oauth/token", "GET v2/cob"]);

    shop.next("refund", "sign-on").await;
    let refund = RefundOrder { reference: told.reference.clone(), ..shop.refund(2, 250) };
    for sent in [&["PUT v2/pix", "POST oauth/token", "PUT v2/pix"][..], &["PUT v2/pix"]] {
        let given = shop.host.refund(&shop.account, &refund).await.expect("an answer");
        assert_eq!(given.status, RefundStatus::Succeeded);
        // Asked for again under its number it is refused, and looked up.
        assert_eq!(shop.heard().await[..sent.len()], *sent);
        assert_eq!(shop.books(2).await, Some((1, 250)));
    }

    shop.next("cancel", "sign-on").await;
    let undone = shop.host.cancel(&shop.account, &shop.known(1, Presenter::Merchant)).await.expect("an answer");
    assert_eq!(undone.status, PaymentStatus::Closed);
    assert_eq!(shop.heard().await, ["PATCH v2/cob", "POST oauth/token", "PATCH v2/cob"]);

    // By its own end at a bank whose clock is ahead of core's: the token was kept as good.
    shop.at_door("PUT", "/clock", json!({ "ahead_ms": 301_000 })).await;
    shop.host.query(&shop.account, &shop.known(2, Presenter::Merchant)).await.expect("an answer");
    assert_eq!(shop.heard().await, ["GET v2/cob", "POST oauth/token", "GET v2/cob"]);
    // By its end at core's own clock: it is not even sent.
    shop.ahead(600_000).await;
    shop.host.query(&shop.account, &shop.known(2, Presenter::Merchant)).await.expect("an answer");
    assert_eq!(shop.heard().await, ["POST oauth/token", "GET v2/cob"]);
}

#[tokio::test]
async fn a_bank_that_refuses_the_token_it_has_just_given_is_asked_no_third_time() {
    let shop = Shop::open("pix", &["pix"], "BRL").await;
    shop.host.create(&shop.account, &shop.fresh(1)).await.expect("a code");
    shop.heard().await;
    for _ in 0..2 {
        shop.next("create", "sign-on").await;
    }
    match shop.host.create(&shop.account, &shop.fresh(2)).await {
        Err(Failure::Misconfigured { why }) => assert!(why.contains("client-certificate"), "{why}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(shop.heard().await, ["PUT v2/cob", "POST oauth/token", "PUT v2/cob"]);
    assert_eq!(shop.books(2).await, None);
    // Nor is there a second try where no new token is to be had.
    for fault in ["unheard", "busy", "html", "cut"] {
        shop.next("create", "sign-on").await;
        shop.next("other", fault).await;
        let failed = shop.host.create(&shop.account, &shop.fresh(2)).await.expect_err(fault);
        assert!(matches!(failed, Failure::NoAnswer { .. } | Failure::NotSent { .. }), "{fault}: {failed}");
        assert_eq!(shop.heard().await, ["PUT v2/cob", "POST oauth/token"], "{fault}");
    }
    assert_eq!(shop.books(2).await, None);
    shop.paid(2).await;
    assert_eq!(shop.books(2).await, Some((1, 0)));
}

/// In Beijing.
fn day_of(at: Millis) -> String {
    let at = Timestamp::from_millisecond(at.0).expect("a moment");
    Offset::constant(8).to_datetime(at).date().to_string()
}

/// In both modes, with the accounts that its fund bills are of.
async fn wechat_shops() -> Vec<(Shop, String, &'static [&'static str])> {
    let mut shops = Vec::new();
    for (args, accounts) in [
        (&["wechatpay", "--withdraws"][..], &["BASIC", "OPERATION", "FEES"][..]),
        (&["wechatpay", "--withdraws", "--partner"], &["BASIC", "OPERATION", "FEES", "DEPOSIT"]),
    ] {
        let shop = Shop::open("wechatpay", args, "CNY").await;
        let paid = shop.host.charge(&shop.account, &shop.fresh(1), &shop.code).await.expect("an answer");
        assert_eq!(paid.status, PaymentStatus::Succeeded);
        let day = day_of(paid.paid_at.expect("a moment"));
        shop.ahead(2 * DAY_MS).await;
        shops.push((shop, day, accounts));
    }
    shops
}

#[tokio::test]
async fn fund_bills_follow_the_trade_bill() {
    let next = |account: &str| Some(format!("funds:{account}"));
    for (shop, day, accounts) in wechat_shops().await {
        assert_eq!(shop.bill(&day, None).await, Ok((1, Vec::new(), next("BASIC"))));
        let withdrawn = format!(
            "fund bill 资金账单 BASIC: 充值/提现 提现, out 支出 12.42 CNY, rows: 1, last {day} 23:59:59 withdrawal{day}"
        );
        for _ in 0..2 {
            let basic = shop.bill(&day, Some("funds:BASIC")).await;
            assert_eq!(basic, Ok((0, vec![withdrawn.clone()], next("OPERATION"))));
        }
        for (idx, account) in accounts.iter().enumerate().skip(1) {
            let following = accounts.get(idx + 1).and_then(|account| next(account));
            assert_eq!(shop.bill(&day, next(account).as_deref()).await, Ok((0, Vec::new(), following)));
        }

        shop.next("bill", "wrong-amount").await;
        let (_, words, _) = shop.bill(&day, Some("funds:BASIC")).await.expect("a page");
        let fee = format!("0.09 CNY were taken as the fee of {}, the trade bill says 0.08", number(1));
        assert!(words.iter().any(|line| line.ends_with(&fee)), "{words:?}");
        shop.next("bill", "garbled-row").await;
        let (_, words, _) = shop.bill(&day, Some("funds:BASIC")).await.expect("a page");
        assert!(words.len() == 2 && words[1].contains("`交易"), "{words:?}");
        // Longer than what is handed over in any other call.
        shop.next("bill", "extra-row").await;
        let (_, words, _) = shop.bill(&day, Some("funds:BASIC")).await.expect("a page");
        assert!(words.iter().any(|line| line.contains("分账 分账, out 支出 300.00 CNY, rows: 30000")), "{words:?}");

        // A day without trade has a fund bill all the same.
        let before = day_of(shop.clock.now().plus(-3 * DAY_MS));
        assert_eq!(shop.bill(&before, None).await, Ok((0, Vec::new(), next("BASIC"))));
        assert_eq!(shop.bill(&before, Some("funds:BASIC")).await, Ok((0, Vec::new(), next("OPERATION"))));
        let today = day_of(shop.clock.now());
        let early = shop.bill(&today, Some("funds:BASIC")).await;
        assert!(matches!(early, Err(Failure::NotSent { .. })), "{early:?}");
        // Who did not ask for fund bills hears of none, and of an account alone that was asked for.
        let without = |names: &[&str]| {
            let mut settings: Value = serde_json::from_str(&shop.account.settings_json).expect("settings");
            for name in names {
                settings[*name] = false.into();
            }
            Account { settings_json: settings.to_string(), ..shop.account.clone() }
        };
        let page = shop.host.fetch_bill(&without(&["fund_bills"]), &day, None).await.expect("a page");
        assert_eq!((page.lines.len(), page.next_cursor), (1, None));
        let basic = without(&["fund_bills_operation", "fund_bills_fees", "fund_bills_deposit"]);
        let page = shop.host.fetch_bill(&basic, &day, Some("funds:BASIC")).await.expect("a page");
        assert_eq!((page.lines.len(), page.next_cursor), (1, None));
    }
}

/// Whatever keeps it, and in whatever mode: the trade bill is compared in the end.
#[tokio::test]
async fn a_fund_bill_that_has_not_come_for_days_is_a_line() {
    for (shop, day, accounts) in wechat_shops().await {
        let is_sealed = accounts.contains(&"DEPOSIT");
        let file = if is_sealed { &["cut", "html"][..] } else { &["cut", "html", "empty", "wrong-amount"] };
        let faults = [("bill", &["unheard", "html", "unsigned", "busy"][..]), ("other", file)];
        let faults = || faults.iter().flat_map(|(act, faults)| faults.iter().map(move |fault| (*act, *fault)));
        for (act, fault) in faults() {
            shop.next(act, fault).await;
            let failed = shop.bill(&day, Some("funds:BASIC")).await;
            assert!(matches!(failed, Err(Failure::NoAnswer { .. })), "{act} {fault}: {failed:?}");
        }
        let whole = shop.bill(&day, Some("funds:BASIC")).await.expect("a page");
        shop.ahead(5 * DAY_MS).await;
        let told = "fund bill 资金账单 BASIC: it has not come for three days: see the merchant console, or switch fund_bills off";
        for (act, fault) in faults() {
            shop.next(act, fault).await;
            let page = shop.bill(&day, Some("funds:BASIC")).await;
            assert_eq!(page, Ok((0, vec![told.to_owned()], Some("funds:OPERATION".to_owned()))), "{act} {fault}");
            assert_eq!(shop.bill(&day, Some("funds:BASIC")).await.as_ref(), Ok(&whole), "{act} {fault}");
        }
        // A trade bill is waited for, however long it takes.
        shop.next("bill", "busy").await;
        assert!(matches!(shop.bill(&day, None).await, Err(Failure::NoAnswer { .. })));
    }
}

#[tokio::test]
async fn a_fund_bill_that_is_not_whole_or_not_the_schemes_is_no_bill() {
    for (shop, day, accounts) in wechat_shops().await {
        let whole = shop.bill(&day, Some("funds:BASIC")).await.expect("a page");
        // Of what is sealed, what came whole and does not open or read is told: it would be the same on every day.
        let is_sealed = accounts.contains(&"DEPOSIT");
        let told_if_sealed = ["strange-state", "empty", "wrong-amount"];
        for (act, faults) in [
            ("bill", &["unheard", "cut", "html", "empty", "huge", "unsigned", "forged", "busy", "strange-state"][..]),
            // The file.
            ("other", &["unheard", "cut", "html", "empty", "wrong-amount"]),
        ] {
            for fault in faults.iter().filter(|fault| !(is_sealed && told_if_sealed.contains(fault))) {
                shop.next(act, fault).await;
                let failed = shop.bill(&day, Some("funds:BASIC")).await;
                assert!(matches!(failed, Err(Failure::NoAnswer { .. })), "{act} {fault}: {failed:?}");
                assert_eq!(shop.bill(&day, Some("funds:BASIC")).await.as_ref(), Ok(&whole), "{act} {fault}");
            }
        }
        // What would fail on every day is one line, and keeps no trade bill from being compared.
        let sealed_for_another =
            ("bill", "wrong-number", "\"merchant-key\" does not open what was sealed for it: see ");
        let sealed = [
            sealed_for_another,
            ("bill", "strange-state", "BASIC: "),
            ("other", "empty", "BASIC: a piece of it does not open: see "),
            ("other", "wrong-amount", "BASIC: a piece of it does not open: see "),
        ];
        for (act, fault, why) in [
            ("bill", "strange-error", "BASIC: MOON_PHASE_ERROR: "),
            ("other", "huge", "is larger than 8388608 bytes: see "),
        ]
        .into_iter()
        .chain(sealed.into_iter().filter(|_| is_sealed))
        {
            shop.next(act, fault).await;
            let (rows, words, next) = shop.bill(&day, Some("funds:BASIC")).await.expect("a page");
            assert_eq!((rows, words.len(), next.as_deref()), (0, 1, Some("funds:OPERATION")), "{act} {fault}");
            assert!(words[0].contains(why), "{words:?}");
        }
    }
}

/// What a schema cannot say of a setting: the channel refuses it, with the field and the fix, and says nothing to anybody.
#[tokio::test]
async fn nothing_is_sent_under_settings_that_are_wrong() {
    for (channel, far_side, wrong) in [
        ("wallet", "stored-value", &[("acceptor", "a/../b"), ("base_url", "http://127.0.0.1:1?x")][..]),
        ("alipay", "alipay", &[("app_id", "wx8888888888888888"), ("gateway_url", "http://127.0.0.1:1?x")]),
        ("unionpay", "unionpay", &[("certificate_id", "10025A3F"), ("merchant_id", "7772-0058110048")]),
        ("wechatpay", "wechatpay", &[("mchid", "19000000a"), ("merchant_serial", "PUB_KEY_ID_01")]),
    ] {
        let shop = Shop::open(channel, &[far_side], "CNY").await;
        for (field, value) in wrong {
            let mut settings: Value = serde_json::from_str(&shop.account.settings_json).expect("settings");
            settings[*field] = (*value).into();
            let account = Account { settings_json: settings.to_string(), ..shop.account.clone() };
            for failed in [
                shop.host.self_test(&account).await.expect_err(field),
                shop.host.charge(&account, &shop.fresh(1), &shop.code).await.expect_err(field),
                shop.host.query(&account, &shop.known(1, Presenter::Customer)).await.expect_err(field),
                shop.host.fetch_bill(&account, "2026-01-31", None).await.expect_err(field),
            ] {
                let Failure::Misconfigured { why } = failed else { panic!("{channel} {field}: {failed}") };
                assert!(why.contains(&format!("{field:?} must be ")), "{channel}: {why}");
            }
        }
        assert_eq!(shop.heard().await, [""; 0], "{channel}");
    }
}

/// What bills, pages or notifications alone use is told by the self-test and where it is used. A slip in it that nothing told of before
/// costs no sale, and no query and refund of an earlier one.
#[tokio::test]
async fn a_setting_that_no_payment_uses_stops_none() {
    for (channel, field, value, is_of_bills) in [
        ("alipay", "seller_id", "2014072300007148", false),
        ("alipay", "bill_url", "http://127.0.0.1:1?x", true),
        ("alipay", "oauth_url", "http://127.0.0.1:1?x", false),
        ("unionpay", "file_url", "http://127.0.0.1:1?x", true),
    ] {
        let shop = Shop::open(channel, &[channel], "CNY").await;
        let mut settings: Value = serde_json::from_str(&shop.account.settings_json).expect("settings");
        settings[field] = value.into();
        let account = Account { settings_json: settings.to_string(), ..shop.account.clone() };
        let order = shop.fresh(1);
        shop.host.charge(&account, &order, &shop.code).await.expect(field);
        let known = KnownOrder { created_at: order.created_at, ..shop.known(1, Presenter::Customer) };
        let paid = shop.host.query(&account, &known).await.expect(field);
        assert_eq!(paid.status, PaymentStatus::Succeeded, "{channel} {field}");
        let refund = RefundOrder { reference: paid.reference.clone(), ..shop.refund(1, 250) };
        shop.host.refund(&account, &refund).await.expect(field);
        assert_eq!(shop.books(1).await, Some((1, 250)), "{channel} {field}");

        let tested = shop.host.self_test(&account).await.map(|_| ());
        let fetched = shop.host.fetch_bill(&account, "2026-01-31", None).await.map(|_| ());
        for (told, is_refused) in [(tested, true), (fetched, is_of_bills)] {
            let names_it = |why: &str| why.contains(&format!("{field:?} must be "));
            let refused = matches!(&told, Err(Failure::Misconfigured { why }) if names_it(why));
            assert_eq!(refused, is_refused, "{channel} {field}: {told:?}");
        }
    }
}
