//! The `wechatpay` channel: carries WeChat Pay's messages (`messages`) over the host's HTTP, signed with the host's key (`wire`).

mod certificates;
mod in_app;
pub mod messages;
mod wire;

use std::collections::BTreeMap;

use messages::{BillFile, FundAccount, Mode, Settings, Subject, Undone};
use saoma_channel_sdk::{
    Account, BillLine, BillPage, BillTerms, Cadence, Capability, Claim, Created, DigitClaim, Error, Guest, HostPattern,
    HttpMessage, HttpReply, KnownOrder, Manifest, NotificationError, NotificationEvent, NotificationOutcome, Order,
    PaymentAnswer, PaymentStatus, Presenter, RefundAnswer, RefundOrder, RefundStatus, Reply, SecretKind, SecretSpec,
    aes_gcm_open, clock, declined, misconfigured, no_answer, random_hex,
};
use wire::{
    APIV3_KEY, APP_SECRET, MERCHANT_KEY, UNBELIEVED, WECHATPAY_KEYS, download, download_sealed, exchange, is_too_large,
    verify, words,
};

pub struct WechatPay;

impl Guest for WechatPay {
    fn describe() -> Manifest {
        let secret = |name: &str, kind, description: &str| SecretSpec {
            name: name.to_owned(),
            kind,
            description: description.to_owned(),
        };
        Manifest {
            id: "wechatpay".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            name: "WeChat Pay 微信支付".to_owned(),
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
            // As the scheme's own error text says it: 18 digits that begin with 10 to 15.
            claims: vec![Claim::Digits(DigitClaim {
                prefix_from: "10".to_owned(),
                prefix_to: "15".to_owned(),
                length_min: 18,
                length_max: 18,
            })],
            settings_schema: include_str!("../settings.schema.json").to_owned(),
            secrets: vec![
                secret(
                    MERCHANT_KEY,
                    SecretKind::RsaPrivateKey,
                    "apiclient_key.pem, the private key of the merchant API certificate. 商户 API 证书私钥。",
                ),
                secret(
                    WECHATPAY_KEYS,
                    SecretKind::RsaPublicKeys,
                    "The WeChat Pay public key (pub_key.pem), or the platform certificates; both while you change from one to the \
                     other. Several public keys each need a line `Key-Id: PUB_KEY_ID_…` above. 微信支付公钥或平台证书。",
                ),
                secret(
                    APIV3_KEY,
                    SecretKind::Aes256Key,
                    "The APIv3 key of 32 characters that is set in the merchant console. APIv3 密钥。",
                ),
                secret(
                    APP_SECRET,
                    SecretKind::Text,
                    "Only for static codes: the AppSecret of the official account in appid. 公众号 AppSecret，仅聚合码需要。",
                ),
            ],
            hosts: vec![
                HostPattern::Setting("base_url".to_owned()),
                HostPattern::Setting("official_account_url".to_owned()),
                // Where bills are fetched, whichever address was asked for them.
                HostPattern::Fixed("api.mch.weixin.qq.com:443".to_owned()),
            ],
            // The scheme's own advice for charged codes: query after 5 s, for about 45 s, then reverse.
            cadence: Cadence { call_timeout_ms: 15_000, query_interval_ms: 5_000, reverse_after_ms: 45_000 },
            // Bills are made until 10:00 of the next day.
            bills: Some(BillTerms {
                time_zone: "Asia/Shanghai".to_owned(),
                day_begins_minutes: 0,
                ready_after_minutes: 10 * 60 + 10,
            }),
        }
    }

    fn create(account: Account, order: Order) -> Result<Created, Error> {
        let settings = Settings::of(&account)?;
        let (status, body) = exchange(&settings, &messages::create(&settings, &order, &account.notify_url)?)?;
        messages::read_created(status, &body).map(|code| Created { code })
    }

    fn charge(account: Account, order: Order, code: String) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        let (status, body) = exchange(&settings, &messages::charge(&settings, &order, &code)?)?;
        if !messages::is_answered_by_query(status, &body) {
            return messages::read_charged(&settings, status, &body, &order.number);
        }
        let known = queried(&settings, &order.number).map_err(in_doubt)?;
        match known.status {
            PaymentStatus::NotFound | PaymentStatus::Pending if messages::is_code_refused(status, &body) => {
                messages::read_charged(&settings, status, &body, &order.number)
            }
            PaymentStatus::NotFound => Err(messages::read_unheard(status, &body)),
            _ => Ok(messages::as_paid(known)),
        }
    }

    fn query(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        queried(&Settings::of(&account)?, &order.number)
    }

    fn cancel(account: Account, order: KnownOrder) -> Result<PaymentAnswer, Error> {
        let settings = Settings::of(&account)?;
        let number = order.number.as_str();
        let undone = match order.presented_by {
            Presenter::Merchant => {
                let (status, body) = exchange(&settings, &messages::close(&settings, number))?;
                messages::read_closed(status, &body, number)?
            }
            Presenter::Customer => {
                // The scheme asks to leave a charge alone for so long while nobody knows how it stands. Once it tells, there is
                // nothing left to wait for.
                if clock::now() < messages::undoable_from(&order) {
                    let known = queried(&settings, number)?;
                    if matches!(known.status, PaymentStatus::NotFound | PaymentStatus::Closed) {
                        return Ok(known);
                    }
                }
                let (status, body) = exchange(&settings, &messages::reverse(&settings, number))?;
                messages::read_reversed(status, &body, number)?
            }
        };
        match undone {
            Undone::Answer(answer) => Ok(*answer),
            undone => messages::read_undone(undone, queried(&settings, number).map_err(in_doubt)?),
        }
    }

    fn refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        let settings = Settings::of(&account)?;
        let (status, body) = exchange(&settings, &messages::refund(&settings, &refund, &account.notify_url)?)?;
        if !messages::is_refund_in_doubt(status, &body) {
            return messages::read_refunded(status, &body, &refund);
        }
        match refund_queried(&settings, &refund).map_err(in_doubt)? {
            RefundAnswer { status: RefundStatus::NotFound, .. } => {
                let refused = declined("not-permitted", String::from_utf8_lossy(&body));
                Ok(messages::without_refund(RefundStatus::Failed(refused), &refund.refund_number))
            }
            answer => Ok(answer),
        }
    }

    fn query_refund(account: Account, refund: RefundOrder) -> Result<RefundAnswer, Error> {
        refund_queried(&Settings::of(&account)?, &refund)
    }

    fn parse_notification(
        account: Account,
        notification: HttpMessage,
    ) -> Result<NotificationOutcome, NotificationError> {
        let malformed = NotificationError::Malformed;
        // Without settings or a key nothing can be believed; the scheme will send it again.
        let settings = Settings::of(&account).map_err(|error| NotificationError::Forged(words(error)))?;
        verify(&settings, &notification).map_err(NotificationError::Forged)?;
        let notice = messages::read_notice(&notification.body).map_err(malformed)?;
        let acknowledgement = HttpReply { status: 204, content_type: String::new(), body: Vec::new() };
        if notice.subject == Subject::Other {
            return Err(NotificationError::Irrelevant(acknowledgement));
        }
        let (nonce, data) = (notice.nonce.as_bytes(), notice.associated_data.as_bytes());
        let opened =
            aes_gcm_open(APIV3_KEY, nonce, data, &notice.ciphertext).map_err(|error| malformed(words(error)))?;
        let opened = opened.ok_or_else(|| malformed("the APIv3 key does not open it".to_owned()))?;
        let event = match notice.subject {
            Subject::Refund => messages::read_refund_notice(&settings, &opened).map(NotificationEvent::Refund),
            _ => messages::read_payment_notice(&settings, &opened).map(NotificationEvent::Payment),
        };
        Ok(NotificationOutcome { events: vec![event.map_err(malformed)?], acknowledgement })
    }

    fn fetch_bill(account: Account, day: String, cursor: Option<String>) -> Result<BillPage, Error> {
        let settings = Settings::of(&account)?;
        if let Some(funds) = cursor.as_deref().and_then(FundAccount::of_cursor).filter(|_| settings.fund_bills) {
            return fund_page(&settings, &day, funds);
        }
        let mut page = match trade_file(&settings, &day)? {
            Some((file, reply)) => messages::read_bill_file(&file, reply.status, &reply.body, cursor.as_deref())?,
            None => BillPage { lines: Vec::new(), next_cursor: None },
        };
        if page.next_cursor.is_none() && settings.fund_bills {
            page.next_cursor = Some(FundAccount::Basic.cursor());
        }
        Ok(page)
    }

    fn self_test(account: Account) -> Result<String, Error> {
        let settings = Settings::of(&account)?;
        let call = messages::self_test(&settings, &random_hex(12));
        let (status, body) = exchange(&settings, &call).map_err(|error| match error {
            // Nothing can have happened here, and a wrong key or serial number is the likeliest reason.
            Error::NoAnswer(why) if why.contains(UNBELIEVED) => misconfigured(format!(
                "{why} (check wechatpay-keys, wechatpay_public_key_id, merchant_serial, merchant-key and this machine's clock)"
            )),
            other => other,
        })?;
        messages::read_self_test(status, &body)?;
        let keys = if settings.wechatpay_public_key_id.is_empty() {
            // The APIv3 key is tried by what it opens.
            format!("{} platform certificates in force", certificates::fetch(&settings)?)
        } else {
            "signed by its public key; the APIv3 key is tried by the first notification".to_owned()
        };
        Ok(format!("WeChat Pay answers merchant {}: {keys}. 连接正常，商户号与密钥有效。", settings.mchid))
    }
}

/// What failed after a first request of the same call was answered: that one may have taken effect.
fn in_doubt(error: Error) -> Error {
    no_answer(words(error))
}

fn queried(settings: &Settings, number: &str) -> Result<PaymentAnswer, Error> {
    let (status, body) = exchange(settings, &messages::query(settings, number))?;
    messages::read_queried(settings, status, &body, number)
}

fn refund_queried(settings: &Settings, refund: &RefundOrder) -> Result<RefundAnswer, Error> {
    let (status, body) = exchange(settings, &messages::query_refund(settings, &refund.refund_number))?;
    messages::read_refund_queried(status, &body, refund)
}

/// The trade bill of a day, unread; `None` if there was no trade.
fn trade_file(settings: &Settings, day: &str) -> Result<Option<(BillFile, Reply)>, Error> {
    let (status, body) = exchange(settings, &messages::bill(settings, day))?;
    bill_file(settings, status, &body)
}

fn bill_file(settings: &Settings, status: u16, body: &[u8]) -> Result<Option<(BillFile, Reply)>, Error> {
    let Some(file) = messages::read_bill(status, body)? else { return Ok(None) };
    let reply = download(settings, &file.url)?;
    Ok(Some((file, reply)))
}

/// What moved on a day in one of the merchant's accounts beside payments. Core compares nothing before it has all pages: so what would
/// fail on every day is a line, and so is what has not come for days; only what may come in a while is an error.
fn fund_page(settings: &Settings, day: &str, account: FundAccount) -> Result<BillPage, Error> {
    let lines = fund_lines(settings, day, account).or_else(|error| {
        // In the same words each time, or the bill would be another one whenever it is compared again.
        let overdue = messages::overdue(account, day, clock::now()).ok_or(error)?;
        Ok::<_, Error>(vec![overdue])
    })?;
    Ok(BillPage { lines, next_cursor: account.next(settings).map(FundAccount::cursor) })
}

fn fund_lines(settings: &Settings, day: &str, account: FundAccount) -> Result<Vec<BillLine>, Error> {
    let (status, body) = exchange(settings, &messages::fund_bill(settings, day, account))?;
    if let Some(why) = messages::read_refused(status, &body) {
        return Ok(vec![messages::untold(account, &why)]);
    }
    let file = match settings.mode {
        Mode::Direct => match fund_file(settings, status, &body) {
            Err(error) if is_too_large(&error) => Err(words(error)),
            file => Ok(file?),
        },
        Mode::Partner => sealed_fund_file(settings, status, &body)?,
    };
    let file = match file {
        Ok(Some(file)) => file,
        Ok(None) => return Ok(Vec::new()),
        Err(why) => return Ok(vec![messages::untold(account, &why)]),
    };
    let funds = messages::read_funds(&file)?;
    let fees = match funds.has_fees().then(|| trade_file(settings, day)).transpose()?.flatten() {
        Some((file, reply)) => messages::read_fees(&file, reply.status, &reply.body)?,
        None => BTreeMap::new(),
    };
    Ok(funds.told(account, &fees))
}

fn fund_file(settings: &Settings, status: u16, body: &[u8]) -> Result<Option<Vec<u8>>, Error> {
    let Some((file, reply)) = bill_file(settings, status, body)? else { return Ok(None) };
    messages::check_file(&file, reply.status, &reply.body)?;
    Ok(Some(reply.body))
}

/// In words, why it would not come however often it is asked for: a signed list that does not read, a piece that does not open.
fn sealed_fund_file(settings: &Settings, status: u16, body: &[u8]) -> Result<Result<Option<Vec<u8>>, String>, Error> {
    let pieces = match messages::read_pieces(status, body) {
        Err(Error::NoAnswer(why)) if status == 200 => return Ok(Err(why)),
        pieces => pieces?,
    };
    if pieces.is_empty() {
        return Ok(Ok(None));
    }
    Ok(download_sealed(settings, &pieces)?.map(Some))
}

// Only a component exports them: a native library with these symbol names would be of no use to anyone.
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::export!(WechatPay);
#[cfg(target_arch = "wasm32")]
saoma_channel_sdk::in_app::export!(WechatPay);
