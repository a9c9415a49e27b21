//! The `pix` channel: Brazil's instant payment, by the API that the Banco Central prescribes to every bank.
//!
//! The charge's `txid` is our number ([`messages::to_txid`]); announcing, removing and giving back are repeatable by design. What
//! the wire cannot do is sign: the bank is known by TLS alone, so callbacks only say what to ask about.

mod bank;
pub mod messages;

use bank::{CLIENT_CERTIFICATE, CLIENT_SECRET, PSP_CERTIFICATES, exchange};
use messages::{
    Settings,
    bill::Page,
    charge, is_refusal,
    notification::{self, Named},
    problem, refund,
    told::{self, Told},
};
use saoma_channel_sdk::{
    Account, BillPage, BillTerms, Cadence, Capability, Created, Error, Guest, HostPattern, HttpMessage, HttpReply,
    KnownOrder, Manifest, NotificationError, NotificationOutcome, Order, PaymentAnswer, RefundAnswer, RefundOrder,
    SecretKind, SecretSpec, clock, log, misconfigured, no_answer, not_sent, settings,
};

pub struct Pix;

impl Guest for Pix {
    fn describe() -> Manifest {
        let secret = |name: &str, kind, description: &str| SecretSpec {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        Manifest {
            id: "pix".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "Pix".to_owned(),
            currencies: vec!["BRL".to_owned()],
            capabilities: vec![
                Capability::MerchantPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Notifications,
                Capability::Bills,
            ],
            claims: Vec::new(),
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                secret(
                    CLIENT_SECRET,
                    SecretKind::Text,
                    "The client secret that your bank gave with the client id. 客户端密钥。",
                ),
                secret(
                    CLIENT_CERTIFICATE,
                    SecretKind::ClientCertificate,
                    "The certificate that your bank registered for you, its chain and its private key, as PEM. 客户端证书与私钥。",
                ),
                secret(
                    PSP_CERTIFICATES,
                    SecretKind::Certificates,
                    "Only if your bank's server has a certificate of a private authority: that authority's certificate. 银行私有根证书。",
                ),
            ],
            hosts: vec![HostPattern::Setting("base_url".to_owned()), HostPattern::Setting("token_url".to_owned())],
            cadence: Cadence { call_timeout_ms: 15_000, query_interval_ms: 2_000, reverse_after_ms: 60_000 },
            // Days are Brasília's (`messages/moment.rs`); the sign of these names is the other way round.
            bills: Some(BillTerms {
                time_zone: "Etc/GMT+3".to_owned(),
                day_begins_minutes: 0,
                ready_after_minutes: 60,
            }),
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let settings = valid(&account)?;
        let reply = exchange(&settings, &messages::create(&order, &settings, clock::now())?)?;
        if matches!(reply.status, 200 | 201) {
            return charge::read_created(&reply.body, &order, &settings).map(|code| Created { code });
        }
        let refused = problem(reply.status, &reply.body)?;
        if reply.status == 403 {
            return Err(misconfigured(refused.words));
        }
        if !is_refusal(reply.status) || !charge::is_foreseen(&refused) {
            return Err(no_answer(refused.words));
        }
        // Banks differ in how they take a txid again; what they have of it counts.
        let known = exchange(&settings, &messages::query(&order.number)?)?;
        charge::read_refused(&refused, known.status, &known.body, &order, &settings).map(|code| Created { code })
    }

    fn charge(_account: Account, _order: Order, _code: String) -> Result<PaymentAnswer, Error> {
        Err(Error::Unsupported)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        unsure(queried(&valid(&account)?, &order.number))
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = valid(&account)?;
        let reply = unsure(exchange(&settings, &messages::remove(&order.number)?))?;
        let is_known = reply.status != 404 && is_refusal(reply.status) && reply.status != 403;
        // A charge that is paid or removed refuses to be removed, and the refusal does not say which it is.
        if is_known && problem(reply.status, &reply.body)?.kind == "CobOperacaoInvalida" {
            return unsure(queried(&settings, &order.number)).map(charge::as_paid);
        }
        charge::read_queried(reply.status, &reply.body, &order.number).map(charge::as_paid)
    }

    fn refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = valid(&account)?;
        let Some(end_to_end_id) = end_to_end_id(&settings, &refund)? else {
            return Err(not_sent("the scheme has received nothing for this order"));
        };
        let reply = exchange(&settings, &messages::refund(&refund, &end_to_end_id)?)?;
        if !is_refusal(reply.status) || reply.status == 403 {
            return refund::read_queried(reply.status, &reply.body, &refund.refund_number);
        }
        let refused = problem(reply.status, &reply.body)?;
        if !refund::is_foreseen(&refused) {
            return Err(no_answer(refused.words));
        }
        let known = exchange(&settings, &messages::query_refund(&refund.refund_number, &end_to_end_id)?)?;
        refund::read_refused(&refused, known.status, &known.body, &refund.refund_number)
    }

    fn query_refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = valid(&account)?;
        let Some(end_to_end_id) = end_to_end_id(&settings, &refund)? else {
            return Ok(refund::unknown(&refund.refund_number));
        };
        refund_queried(&settings, &refund.refund_number, &end_to_end_id)
    }

    fn parse_notification(
        account: Account,
        notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        let (named, left_out) = notification::named(&notification.body).map_err(NotificationError::Malformed)?;
        let heard = HttpReply { status: 200, content_type: "text/plain".to_owned(), body: Vec::new() };
        if named.is_empty() {
            return Err(NotificationError::Irrelevant(heard));
        }
        if left_out > 0 {
            log::write(log::Level::Warn, &format!("a callback names {left_out} more than one call can ask about"));
        }
        // What the bank cannot be asked about now is not acknowledged, and so comes again.
        let unasked = |error| NotificationError::NotNow(format!("the bank cannot be asked: {}", told::words(error)));
        let settings = valid(&account).map_err(unasked)?;
        let mut told = Told::default();
        for named in named {
            match named {
                Named::Payment { number } => {
                    let reply = exchange(&settings, &messages::query(&number).map_err(unasked)?).map_err(unasked)?;
                    told.charge(reply.status, &reply.body, &number).map_err(unasked)?;
                }
                Named::Refund { end_to_end_id, refund_number } => {
                    told.refund(refund_queried(&settings, &refund_number, &end_to_end_id).map_err(unasked)?);
                }
            }
        }
        for why in &told.left_out {
            log::write(log::Level::Warn, &format!("a callback's event was left out: {why}"));
        }
        let events = told.events();
        if events.is_empty() {
            return Err(NotificationError::Forged("the bank knows nothing of what it names".to_owned()));
        }
        Ok(NotificationOutcome { events, acknowledgement: heard })
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let settings = valid(&account)?;
        let page = Page::new(&day, cursor.as_deref())?;
        let reply = bank::exchange_bill(&settings, &page.call())?;
        page.read(reply.status, &reply.body, &settings)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings = valid(&account)?;
        bank::new_token(&settings)?;
        let listed = exchange(&settings, &messages::list_now(clock::now()))?;
        accepted(listed.status, &listed.body)?;
        if account.notify_url.is_empty() {
            return Ok(
                "The bank answers. Without an address of your own it sends no notifications; payments are asked for. \
                       连接正常；未登记回调。"
                    .to_owned(),
            );
        }
        let registered = exchange(&settings, &messages::register_webhook(&settings, &account.notify_url))?;
        accepted(registered.status, &registered.body)?;
        Ok("The bank answers and sends its notifications here. 连接正常，回调地址已登记。".to_owned())
    }
}

fn valid(account: &Account) -> Result<Settings, Error> {
    messages::valid_settings(settings(account)?)
}

/// Of an order that may be paid, a question that was not sent says no more than one that was not answered.
fn unsure<T>(outcome: Result<T, Error>) -> Result<T, Error> {
    outcome.map_err(|error| match error {
        Error::NotSent(why) => no_answer(why),
        other => other,
    })
}

fn queried(settings: &Settings, number: &str) -> Result<PaymentAnswer, Error> {
    let reply = exchange(settings, &messages::query(number)?)?;
    charge::read_queried(reply.status, &reply.body, number)
}

fn refund_queried(settings: &Settings, refund_number: &str, end_to_end_id: &str) -> Result<RefundAnswer, Error> {
    let reply = exchange(settings, &messages::query_refund(refund_number, end_to_end_id)?)?;
    refund::read_queried(reply.status, &reply.body, refund_number)
}

/// By which the payment is known where money is given back; asked for if core never learned it. `None`: there is none.
fn end_to_end_id(settings: &Settings, refund: &RefundOrder) -> Result<Option<String>, Error> {
    if !refund.reference.is_empty() {
        return Ok(Some(refund.reference.clone()));
    }
    let reply = exchange(settings, &messages::query(&refund.number)?)?;
    charge::read_reference(reply.status, &reply.body, &refund.number)
}

/// In a self-test a refusal has one cause: what was set up.
fn accepted(status: u16, body: &[u8]) -> Result<(), Error> {
    match status {
        200..=204 => Ok(()),
        _ => {
            let refused = problem(status, body)?;
            Err(if is_refusal(status) { misconfigured(refused.words) } else { no_answer(refused.words) })
        }
    }
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(Pix);
