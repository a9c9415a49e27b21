//! The `alipay` channel: carries Alipay's face-to-face payment (当面付; `messages`) over the host's HTTP, signed with the host's keys.
//!
//! An answer that Alipay's key has not signed is as good as none: whoever sent it is not the scheme. Core then asks again.

mod in_app;
pub mod messages;

use messages::{
    answer::{self, Answer},
    bill, notice,
    notice::{News, Notice},
    payment::{self, Undone},
    refund,
    request::{self, Call},
    settings::Settings,
};
use saoma_channel_sdk::{
    Account, BillPage, BillTerms, Cadence, Capability, Claim, Created, DigitClaim, Error, Guest, HostPattern,
    HttpMessage, HttpReply, KnownOrder, Manifest, NotificationError, NotificationEvent, NotificationOutcome, Order,
    PaymentAnswer, PaymentStatus, Presenter, RefundAnswer, RefundOrder, RefundStatus, Request, SecretKind, SecretSpec,
    clock, misconfigured, no_answer, rsa_sign, rsa_verifies,
};

/// The merchant application's own key, which signs requests.
const APP_KEY: &str = "app-private-key";
/// Alipay's key for this application, which signs answers and notifications.
const ALIPAY_KEY: &str = "alipay-public-key";

/// Longest wait for one answer. A call sends at most three requests, and each but the last was answered sooner, so that the
/// manifest's 25,000 ms leave time to report.
const ANSWER_TIMEOUT_MS: u32 = 8_000;
/// The largest bill taken, zipped: what the contract allows.
const BILL_BYTES_MAX: u32 = 8 << 20;

const UNVERIFIED: &str = "the answer's signature does not fit Alipay's key";

pub struct Alipay;

impl Guest for Alipay {
    fn describe() -> Manifest {
        let secret = |name: &str, kind, description: &str| SecretSpec {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        let (prefix_from, prefix_to) = ("25".to_owned(), "30".to_owned());
        Manifest {
            id: "alipay".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Alipay 支付宝".to_owned(),
            currencies: vec![payment::CURRENCY.to_owned()],
            capabilities: vec![
                Capability::MerchantPresented,
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Notifications,
                Capability::Bills,
            ],
            // 付款码: 16 to 24 digits that begin with 25 to 30.
            claims: vec![Claim::Digits(DigitClaim { prefix_from, prefix_to, length_min: 16, length_max: 24 })],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                secret(
                    APP_KEY,
                    SecretKind::RsaPrivateKey,
                    "The application's private key (RSA2, 2048 bits). 应用私钥，用于请求签名。",
                ),
                secret(
                    ALIPAY_KEY,
                    SecretKind::RsaPublicKeys,
                    "Alipay's public key for this application, or its certificate; not the application's own. \
                     支付宝公钥或支付宝公钥证书（不是应用公钥）。",
                ),
            ],
            hosts: vec![HostPattern::Setting("gateway_url".to_owned()), HostPattern::Setting("bill_url".to_owned())],
            // Alipay's guide: ask every 3 to 6 s for about 60 s, and cancel right after the last query.
            cadence: Cadence { call_timeout_ms: 25_000, query_interval_ms: 5_000, reverse_after_ms: 60_000 },
            // A day's bill is promised for nine in the morning and may be late.
            bills: Some(BillTerms {
                time_zone: "Asia/Shanghai".to_owned(),
                day_begins_minutes: 0,
                ready_after_minutes: 600,
            }),
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let answer =
            exchange(&Settings::of(&account)?, &request::precreate(&order, &account.notify_url, clock::now())?)?;
        payment::read_created(&answer, &order.number).map(|code| Created { code })
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        let answer = exchange(&settings, &request::pay(&order, &account.notify_url, &code, clock::now())?)?;
        if payment::may_be_a_repeat(&answer) {
            let first = ask(&settings, &order.number)?;
            if first.status != PaymentStatus::NotFound {
                return Ok(first);
            }
        }
        payment::read_charged(&answer, &order.number)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        ask(&Settings::of(&account)?, &order.number)
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        // A code on show is closed first, also if nobody has scanned it: Alipay then knows no trade, and takes the number for none.
        if order.presented_by == Presenter::Merchant
            && let Undone::Told(answer) = payment::read_closed(&exchange(&settings, &request::close(&order.number))?)?
        {
            return Ok(answer);
        }
        match payment::read_cancelled(&exchange(&settings, &request::cancel(&order.number))?)? {
            Undone::Told(answer) => Ok(answer),
            Undone::NoTrade => Ok(payment::without_trade(PaymentStatus::NotFound, &order.number)),
            Undone::NotThisWay => ask(&settings, &order.number).map(payment::past_undoing),
        }
    }

    fn refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = Settings::of(&account)?;
        let answer = exchange(&settings, &request::refund(&refund)?)?;
        let taken = refund::read_refunded(&answer, &refund.number, &refund.refund_number)?;
        if taken.status != RefundStatus::Pending {
            return Ok(taken);
        }
        // Alipay has it. If it does not yet say how it went, core asks again.
        match ask_refund(&settings, &refund.number, &refund.refund_number) {
            Ok(known) if known.status != RefundStatus::NotFound => Ok(known),
            _ => Ok(taken),
        }
    }

    fn query_refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        ask_refund(&Settings::of(&account)?, &refund.number, &refund.refund_number)
    }

    fn parse_notification(
        account: Account,
        notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        let forged = |why: &str| NotificationError::Forged(why.to_owned());
        let settings = Settings::of(&account).map_err(|_| forged("the account's settings are wrong"))?;
        let notice = Notice::parse(&notification.body);
        match rsa_verifies(ALIPAY_KEY, None, notice.sign_text().as_bytes(), notice.signature()) {
            Ok(true) if notice.is_for(&settings) => {}
            Ok(true) => return Err(forged("it is for another application or seller")),
            Ok(false) => return Err(forged("the signature does not fit Alipay's key")),
            // Without a key nothing can be believed; Alipay will send it again.
            Err(_) => return Err(NotificationError::Forged(format!("the account has no {ALIPAY_KEY}"))),
        }
        let acknowledgement =
            HttpReply { status: 200, content_type: "text/plain".to_owned(), body: notice::ACKNOWLEDGEMENT.to_vec() };
        let event = match notice.news().map_err(NotificationError::Malformed)? {
            News::Irrelevant => return Err(NotificationError::Irrelevant(acknowledgement)),
            News::Payment(answer) => NotificationEvent::Payment(answer),
            // What is not acknowledged comes again, and is asked about again.
            News::Refund { number, refund_number } => ask_refund(&settings, &number, &refund_number)
                .map(NotificationEvent::Refund)
                .map_err(|_| NotificationError::NotNow("it names a refund that Alipay does not tell".to_owned()))?,
        };
        Ok(NotificationOutcome { events: vec![event], acknowledgement })
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let settings = Settings::of(&account)?;
        settings.check_bills()?;
        let answer = exchange(&settings, &request::bill(&day))?;
        let Some(address) = bill::read_address(&answer, &day, clock::now())? else {
            return Ok(BillPage { lines: Vec::new(), next_cursor: None });
        };
        let url = bill::address(&settings, &address)?;
        let reply = Request::new("GET", url, ANSWER_TIMEOUT_MS).answer_bytes_max(BILL_BYTES_MAX).send()?;
        match reply.status {
            200 => bill::read_page(&reply.body, cursor.as_deref()),
            status => Err(no_answer(format!("status {status} instead of the bill"))),
        }
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings = Settings::of(&account)?;
        settings.check_all()?;
        let answer = exchange(&settings, &request::self_test()).map_err(|error| match error {
            // Here nothing can have happened, and a wrong key is the likeliest reason for an answer that does not verify.
            Error::NoAnswer(why) if why == UNVERIFIED => misconfigured(
                "Alipay's answer does not fit alipay-public-key: it must be Alipay's key for this app, not the app's own",
            ),
            other => other,
        })?;
        payment::read_self_test(&answer, &settings.app_id)
    }
}

fn ask(settings: &Settings, number: &str) -> Result<PaymentAnswer, Error> {
    payment::read_queried(&exchange(settings, &request::query(number))?, number)
}

fn ask_refund(settings: &Settings, number: &str, refund_number: &str) -> Result<RefundAnswer, Error> {
    let answer = exchange(settings, &request::query_refund(number, refund_number))?;
    refund::read_refund_queried(&answer, number, refund_number)
}

/// Sends one signed call and returns the answer, if it is Alipay's.
fn exchange(settings: &Settings, call: &Call) -> Result<Answer, Error> {
    let parameters = request::parameters(settings, call, clock::now())?;
    let signature = rsa_sign(APP_KEY, request::sign_text(&parameters).as_bytes())?;
    let (url, form) = request::wire(&settings.gateway_url, &parameters, &signature);
    let reply = Request::new("POST", url, ANSWER_TIMEOUT_MS)
        .body("application/x-www-form-urlencoded;charset=utf-8", form)
        .send()?;
    let sealed = answer::open(reply.status, &reply.body, call.method)?;
    if !rsa_verifies(ALIPAY_KEY, None, sealed.text.as_bytes(), sealed.signature)? {
        return Err(no_answer(UNVERIFIED));
    }
    answer::read(sealed.text)
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Alipay);
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::in_app::export!(Alipay);
