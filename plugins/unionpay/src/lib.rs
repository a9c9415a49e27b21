//! The `unionpay` channel: carries the messages of UnionPay's Online Payment gateway (`messages`) over the host's HTTP, signed with
//! the host's key.
//!
//! An answer whose signature does not fit one of the account's pinned certificates is as good as none: whoever sent it is not
//! UnionPay. So is one that is for another merchant, or cannot be read. Core then asks again.

pub mod messages;

use messages::{Call, Heard, Message, Notice, Settings, Unpaid, VERSION};
use saoma_channel_sdk::{
    Account, BillPage, BillTerms, Cadence, Capability, Claim, Created, DigitClaim, Error, Guest, HostPattern,
    HttpMessage, HttpReply, KnownOrder, Manifest, NotificationError, NotificationOutcome, Order, PaymentAnswer,
    PaymentStatus, Presenter, RefundAnswer, RefundOrder, Request, SecretKind, SecretSpec, clock, misconfigured,
    no_answer, rsa_sign, rsa_verifies,
};

/// The key of the merchant's signing certificate.
const SIGNING_KEY: &str = "signing-key";
/// UnionPay's signing certificates.
const CERTIFICATES: &str = "unionpay-certificates";

/// Longest wait for one answer. A call sends at most three requests, and has then time left to report.
const ANSWER_TIMEOUT_MS: u32 = 4_500;
/// A bill is packed on demand.
const BILL_TIMEOUT_MS: u32 = 13_000;
/// The longest that the contract takes in `fetch-bill`.
const BILL_BYTES_MAX: u32 = 8 << 20;
const FORM: &str = "application/x-www-form-urlencoded; charset=UTF-8";

pub struct UnionPay;

impl Guest for UnionPay {
    fn describe() -> Manifest {
        let secret = |name: &str, kind, description: &str| SecretSpec {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        Manifest {
            id: "unionpay".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "UnionPay QR 云闪付".to_owned(),
            currencies: vec!["CNY".to_owned()],
            capabilities: vec![
                Capability::MerchantPresented,
                Capability::CustomerPresented,
                Capability::Cancel,
                Capability::Refund,
                Capability::PartialRefund,
                Capability::Notifications,
                Capability::Bills,
            ],
            claims: vec![Claim::Digits(DigitClaim {
                prefix_from: "62".to_owned(),
                prefix_to: "62".to_owned(),
                length_min: 19,
                length_max: 19,
            })],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                secret(
                    SIGNING_KEY,
                    SecretKind::RsaPrivateKey,
                    "The private key of your UnionPay signing certificate (acp_prod_sign.pfx), as PEM. 商户签名证书的私钥。",
                ),
                secret(
                    CERTIFICATES,
                    SecretKind::RsaPublicKeys,
                    "UnionPay's signing certificates (the signPubKeyCert of its answers), as PEM: the one in use, and the next one \
                     before UnionPay changes over. 银联签名公钥证书，更换前请先加入新证书。",
                ),
            ],
            hosts: vec![HostPattern::Setting("gateway_url".to_owned()), HostPattern::Setting("file_url".to_owned())],
            // UnionPay wants queries of a charge seconds apart, and refuses (37) who asks too often; its codes live a minute.
            cadence: Cadence { call_timeout_ms: 15_000, query_interval_ms: 3_000, reverse_after_ms: 60_000 },
            // A clearing day ends at 23:00 in Beijing; its file is there by 10:00.
            bills: Some(BillTerms {
                time_zone: "Asia/Shanghai".to_owned(),
                day_begins_minutes: -60,
                ready_after_minutes: 660,
            }),
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let settings = Settings::of(&account)?;
        let message = exchange(&settings, &messages::create(&settings, &order, &account.notify_url)?)?;
        messages::read_created(&message, &order).map(|code| Created { code })
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        let message = exchange(&settings, &messages::charge(&settings, &order, &account.notify_url, &code)?)?;
        let heard = messages::heard(&message, &order.number, &order.amount)?;
        messages::charged(heard, queried(&settings, &order.number, order.created_at, Unpaid::Charge), &order.number)
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        queried(&settings, &order.number, order.created_at, unpaid(&settings, &order))
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        match order.presented_by {
            Presenter::Customer => {
                let message = exchange(&settings, &messages::reverse(&settings, &order)?)?;
                match messages::read_reversed(&message, &order.number)? {
                    Some(answer) => Ok(answer),
                    None => {
                        queried(&settings, &order.number, order.created_at, Unpaid::Charge).map(messages::past_undoing)
                    }
                }
            }
            Presenter::Merchant => {
                let known = queried(&settings, &order.number, order.created_at, unpaid(&settings, &order))?;
                let is_voided = match known.status {
                    PaymentStatus::Succeeded => is_voided(&settings, &account, &order, &known)?,
                    // By the void of an earlier call, or by refunds.
                    PaymentStatus::Refunded => void_queried(&settings, &order)? == Some(true),
                    _ => false,
                };
                if is_voided {
                    return Ok(PaymentAnswer { status: PaymentStatus::Closed, ..known });
                }
                Ok(messages::past_undoing(known))
            }
        }
    }

    fn refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = Settings::of(&account)?;
        let message = exchange(&settings, &messages::refund(&settings, &refund, &account.notify_url)?)?;
        let heard = messages::heard(&message, &refund.refund_number, &refund.amount)?;
        messages::refunded(heard, refund_queried(&settings, &refund), &refund)
    }

    fn query_refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        refund_queried(&Settings::of(&account)?, &refund)
    }

    fn parse_notification(
        account: Account,
        notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        let settings = Settings::of(&account).map_err(|error| NotificationError::Forged(messages::why(error)))?;
        let message = Message::from_form(&notification.body).map_err(NotificationError::Malformed)?;
        // Without a certificate nothing can be believed; the scheme will send it again.
        verify(&settings, &message).map_err(|error| NotificationError::Forged(messages::why(error)))?;
        let acknowledgement =
            HttpReply { status: 200, content_type: "text/plain".to_owned(), body: messages::ACKNOWLEDGEMENT.to_vec() };
        match messages::read_notice(&message).map_err(NotificationError::Malformed)? {
            Notice::Event(event) => Ok(NotificationOutcome { events: vec![event], acknowledgement }),
            Notice::Nothing => Err(NotificationError::Irrelevant(acknowledgement)),
        }
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let settings = Settings::of(&account)?;
        settings.check_bills()?;
        let call = messages::bill(&settings, &messages::settle_date(&day)?, clock::now())?;
        let request = request(&settings, &call, BILL_TIMEOUT_MS)?.answer_bytes_max(BILL_BYTES_MAX);
        messages::read_bill(&answered(&settings, request)?, &settings.merchant_id, &day, cursor.as_deref())
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings = Settings::of(&account)?;
        settings.check_bills()?;
        let message = exchange(&settings, &messages::probe(&settings, clock::now())?).map_err(|error| match error {
            // Here nothing can have happened, and a certificate that is not pinned is the likeliest reason.
            Error::NoAnswer(why) if why.starts_with(UNVERIFIED) => {
                misconfigured(format!("{why}: check {CERTIFICATES}"))
            }
            other => other,
        })?;
        messages::read_probe(&message, &settings.merchant_id)
    }
}

const UNVERIFIED: &str = "the answer's signature does not fit";

/// What an order of this account is if nobody has paid it.
fn unpaid(settings: &Settings, order: &KnownOrder) -> Unpaid {
    match order.presented_by {
        Presenter::Customer => Unpaid::Charge,
        Presenter::Merchant if settings.is_code_dead(order.created_at, clock::now()) => Unpaid::CodeDead,
        Presenter::Merchant => Unpaid::CodeAlive,
    }
}

fn queried(settings: &Settings, number: &str, created_at: i64, unpaid: Unpaid) -> Result<PaymentAnswer, Error> {
    let message = exchange(settings, &messages::query(settings, number, created_at)?)?;
    messages::read_queried(&message, number, unpaid)
}

fn refund_queried(settings: &Settings, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    let message = exchange(settings, &messages::query_refund(settings, refund)?)?;
    messages::read_refund_queried(&message, refund)
}

fn void_queried(settings: &Settings, order: &KnownOrder) -> Result<Option<bool>, Error> {
    let message = exchange(settings, &messages::query_void(settings, order)?)?;
    messages::read_void_queried(&message, &order.number)
}

/// Voids a sale, unless that was done before. False: the scheme no longer does it this way, a refund does.
fn is_voided(settings: &Settings, account: &Account, order: &KnownOrder, known: &PaymentAnswer) -> Result<bool, Error> {
    let call = messages::void(settings, order, &known.reference, &account.notify_url)?;
    let message = exchange(settings, &call)?;
    let heard = messages::heard(&message, &messages::void_id(&order.number)?, &order.amount)?;
    match (heard, void_queried(settings, order)?) {
        (_, Some(is_voided)) => Ok(is_voided),
        (Heard::Refused(_) | Heard::NotTaken(_), None) => Ok(false),
        (Heard::Taken { .. } | Heard::Before(_), None) => Err(no_answer("the void was taken in, and is not known yet")),
    }
}

/// Sends one signed request and returns the scheme's answer, if it is the scheme's.
fn exchange(settings: &Settings, call: &Call) -> Result<Message, Error> {
    answered(settings, request(settings, call, ANSWER_TIMEOUT_MS)?)
}

fn request(settings: &Settings, call: &Call, timeout_ms: u32) -> Result<Request, Error> {
    let url = messages::url(settings, call);
    let signature = rsa_sign(SIGNING_KEY, messages::digest_hex(&call.fields.signed_text()).as_bytes())?;
    let body = call.fields.clone().with("signature", signature).form();
    Ok(Request::new("POST", url, timeout_ms).body(FORM, body))
}

fn answered(settings: &Settings, request: Request) -> Result<Message, Error> {
    let reply = request.send()?;
    if reply.status != 200 {
        return Err(no_answer(format!("status {}", reply.status)));
    }
    let message =
        Message::from_answer(&reply.body).map_err(|why| no_answer(format!("the answer cannot be read: {why}")))?;
    verify(settings, &message)?;
    Ok(message)
}

/// Whether a message is UnionPay's, and for this merchant.
fn verify(settings: &Settings, message: &Message) -> Result<(), Error> {
    let is_known = message.get("version") == VERSION
        && message.get("signMethod") == "01"
        && message.get("encoding").eq_ignore_ascii_case("UTF-8");
    if !is_known {
        return Err(no_answer(format!("{UNVERIFIED}: it is not of version {VERSION}, signed by RSA, in UTF-8")));
    }
    let serial = messages::serial_hex(message.get("signPubKeyCert"))
        .ok_or_else(|| no_answer(format!("{UNVERIFIED}: it names no certificate")))?;
    let digest = messages::digest_hex(&message.signed_text());
    match rsa_verifies(CERTIFICATES, Some(&serial), digest.as_bytes(), message.get("signature")) {
        Ok(true) => {}
        Ok(false) => return Err(no_answer(UNVERIFIED)),
        Err(Error::NoAnswer(why)) => return Err(no_answer(format!("{UNVERIFIED}: {why}"))),
        Err(other) => return Err(other),
    }
    match message.get("merId") {
        said if said == settings.merchant_id => Ok(()),
        said => Err(no_answer(format!("the answer is for the merchant {said:?}"))),
    }
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(UnionPay);
