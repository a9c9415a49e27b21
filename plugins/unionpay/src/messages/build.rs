//! Requests.

use saoma_channel_sdk::{Error, KnownOrder, Money, Order, RefundOrder, not_sent};

use super::{
    form::Message,
    moment::digits14,
    number::{order_id, void_id},
    settings::Settings,
};

/// The protocol's version, in requests and answers.
pub const VERSION: &str = "5.1.0";
/// Where money is moved.
pub const BACK_TRANS: &str = "/gateway/api/backTransReq.do";
/// Where transactions are asked about.
pub const QUERY_TRANS: &str = "/gateway/api/queryTrans.do";
/// What stands for "send no notification"; `backUrl` may not be left out. Source: the SDK's sample configuration.
const NO_NOTIFICATION: &str = "http://www.specialUrl.com";

/// One request, unsigned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub path: &'static str,
    pub fields: Message,
}

/// What every request says.
fn call(settings: &Settings, path: &'static str, txn_type: &str, sub_type: &str) -> Call {
    let fields = Message::default()
        .with("version", VERSION)
        .with("encoding", "UTF-8")
        .with("signMethod", "01")
        .with("certId", settings.certificate_id.as_str())
        .with("txnType", txn_type)
        .with("txnSubType", sub_type)
        .with("bizType", "000000")
        .with("channelType", "08")
        .with("accessType", "0")
        .with("merId", settings.merchant_id.as_str());
    Call { path, fields }
}

impl Call {
    fn with(self, name: &str, value: impl Into<String>) -> Self {
        Self { path: self.path, fields: self.fields.with(name, value) }
    }

    fn about(self, order_id: String, at: i64) -> Result<Self, Error> {
        Ok(self.with("orderId", order_id).with("txnTime", digits14(at)?))
    }

    fn asking_for(self, settings: &Settings, amount: &Money, notify_url: &str) -> Result<Self, Error> {
        let back_url = if notify_url.is_empty() { NO_NOTIFICATION } else { notify_url };
        Ok(self.with("txnAmt", fen(amount)?).with("backUrl", back_url).with("termId", settings.terminal_id.as_str()))
    }
}

/// 申请二维码: a code of one order, for the customer to scan (01/07).
///
/// # Errors
/// `not-sent` for a number, a moment, an amount or a currency that the scheme cannot carry.
pub fn create(settings: &Settings, order: &Order, notify_url: &str) -> Result<Call, Error> {
    let dies_at = order.expires_at.min(settings.code_dies_at(order.created_at));
    Ok(call(settings, BACK_TRANS, "01", "07")
        .about(order_id(&order.number)?, order.created_at)?
        .asking_for(settings, &order.amount, notify_url)?
        .with("currencyCode", "156")
        .with("payTimeout", digits14(dies_at)?))
}

/// 二维码消费: charges a code that the customer shows (01/06).
///
/// # Errors
/// As [`create`], and for a code that is not 1 to 20 digits.
pub fn charge(settings: &Settings, order: &Order, notify_url: &str, code: &str) -> Result<Call, Error> {
    if !(1..=20).contains(&code.len()) || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(not_sent("UnionPay's payment codes are 1 to 20 digits"));
    }
    Ok(call(settings, BACK_TRANS, "01", "06")
        .about(order_id(&order.number)?, order.created_at)?
        .asking_for(settings, &order.amount, notify_url)?
        .with("currencyCode", "156")
        .with("qrNo", code))
}

/// 交易状态查询: what became of a sale (00/00).
///
/// # Errors
/// `not-sent` for a number or a moment that the scheme cannot carry.
pub fn query(settings: &Settings, number: &str, created_at: i64) -> Result<Call, Error> {
    call(settings, QUERY_TRANS, "00", "00").about(order_id(number)?, created_at)
}

/// 冲正: undoes a charge, under the charge's own number and time (99/01).
///
/// # Errors
/// As [`query`].
pub fn reverse(settings: &Settings, order: &KnownOrder) -> Result<Call, Error> {
    call(settings, BACK_TRANS, "99", "01").about(order_id(&order.number)?, order.created_at)
}

/// 消费撤销: gives a sale of the same day back in full (31/00). It is a transaction with a number of its own, always the same one
/// for the same sale, so that it cannot be done twice. `reference`: the sale's `queryId`.
///
/// # Errors
/// As [`create`].
pub fn void(settings: &Settings, order: &KnownOrder, reference: &str, notify_url: &str) -> Result<Call, Error> {
    Ok(call(settings, BACK_TRANS, "31", "00")
        .about(void_id(&order.number)?, order.created_at)?
        .asking_for(settings, &order.amount, notify_url)?
        .with("origQryId", reference))
}

/// What became of a void (00/00).
///
/// # Errors
/// As [`query`].
pub fn query_void(settings: &Settings, order: &KnownOrder) -> Result<Call, Error> {
    call(settings, QUERY_TRANS, "00", "00").about(void_id(&order.number)?, order.created_at)
}

/// 退货: gives back part or all of a sale (04/00).
///
/// # Errors
/// As [`create`], and if the sale's `queryId` was never learned.
pub fn refund(settings: &Settings, refund: &RefundOrder, notify_url: &str) -> Result<Call, Error> {
    if refund.reference.is_empty() {
        return Err(not_sent("UnionPay's number of the payment (queryId) is not known yet: query the payment first"));
    }
    Ok(call(settings, BACK_TRANS, "04", "00")
        .about(order_id(&refund.refund_number)?, refund.created_at)?
        .asking_for(settings, &refund.amount, notify_url)?
        .with("origQryId", refund.reference.as_str()))
}

/// What became of a refund (00/00).
///
/// # Errors
/// As [`query`].
pub fn query_refund(settings: &Settings, refund: &RefundOrder) -> Result<Call, Error> {
    query(settings, &refund.refund_number, refund.created_at)
}

/// A query about a number that nobody ever used: keys and merchant code are checked by it, no money moves.
///
/// # Errors
/// `not-sent` for a moment that the scheme cannot carry.
pub fn probe(settings: &Settings, now: i64) -> Result<Call, Error> {
    call(settings, QUERY_TRANS, "00", "00").about("selftest00000000".to_owned(), now)
}

/// 文件传输: the file of one clearing day (76/01). `settle_date` is `MMDD`.
///
/// # Errors
/// As [`probe`].
pub fn bill(settings: &Settings, settle_date: &str, now: i64) -> Result<Call, Error> {
    let call = call(settings, "/", "76", "01").with("fileType", "00").with("settleDate", settle_date);
    Ok(call.with("txnTime", digits14(now)?))
}

/// Where a call goes.
#[must_use]
pub fn url(settings: &Settings, call: &Call) -> String {
    let base = if call.path == "/" { &settings.file_url } else { &settings.gateway_url };
    format!("{}{}", base.trim_end_matches('/'), call.path)
}

/// Whole fen, 1 to 12 digits.
fn fen(amount: &Money) -> Result<String, Error> {
    match (amount.currency.as_str(), amount.minor) {
        ("CNY", 1..=999_999_999_999) => Ok(amount.minor.to_string()),
        ("CNY", _) => Err(not_sent(format!("UnionPay takes 0.01 to 9,999,999,999.99 CNY, not {} fen", amount.minor))),
        (currency, _) => Err(not_sent(format!("this channel takes CNY, not {currency:?}"))),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use insta::assert_snapshot;
    use saoma_channel_sdk::Presenter;

    use super::*;

    pub const NUMBER: &str = "pay_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    pub const REFUND: &str = "rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    const NOTIFY: &str = "https://pay.example/n/cha_1";

    pub fn settings() -> Settings {
        Settings {
            gateway_url: "https://gateway.test.95516.com".to_owned(),
            file_url: "https://filedownload.test.95516.com/".to_owned(),
            merchant_id: "777290058110048".to_owned(),
            certificate_id: "68759663125".to_owned(),
            terminal_id: "49000001".to_owned(),
            code_minutes_max: 10,
        }
    }

    pub fn cny(minor: i64) -> Money {
        Money { minor, currency: "CNY".to_owned() }
    }

    pub fn order() -> Order {
        Order {
            number: NUMBER.to_owned(),
            amount: cny(1_250),
            subject: "Coffee 大杯".to_owned(),
            merchant_name: "Corner Shop".to_owned(),
            store_id: "sto_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            store_name: "Main Street".to_owned(),
            terminal_id: "ter_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
            terminal_name: "till 1".to_owned(),
            created_at: 1_700_000_000_000,
            expires_at: 1_700_000_120_000,
        }
    }

    pub fn refund_order() -> RefundOrder {
        RefundOrder {
            number: NUMBER.to_owned(),
            reference: "202311150613201234567".to_owned(),
            refund_number: REFUND.to_owned(),
            amount: cny(5),
            total: cny(1_250),
            reason: "cold".to_owned(),
            created_at: 1_700_000_600_000,
        }
    }

    fn known() -> KnownOrder {
        KnownOrder {
            number: NUMBER.to_owned(),
            reference: String::new(),
            amount: cny(1_250),
            presented_by: Presenter::Merchant,
            created_at: 1_700_000_000_000,
        }
    }

    #[test]
    fn requests() {
        let settings = settings();
        let shown = |call: Result<Call, Error>| {
            let call = call.unwrap();
            format!("{}\n{}", url(&settings, &call), call.fields.signed_text().replace('&', "\n"))
        };
        assert_snapshot!("create", shown(create(&settings, &order(), NOTIFY)));
        assert_snapshot!("charge", shown(charge(&settings, &order(), "", "6212345678901234567")));
        assert_snapshot!("query", shown(query(&settings, NUMBER, 1_700_000_000_000)));
        assert_snapshot!("reverse", shown(reverse(&settings, &known())));
        assert_snapshot!("void", shown(void(&settings, &known(), "202311150613201234567", NOTIFY)));
        assert_snapshot!("query_void", shown(query_void(&settings, &known())));
        assert_snapshot!("refund", shown(refund(&settings, &refund_order(), NOTIFY)));
        assert_snapshot!("query_refund", shown(query_refund(&settings, &refund_order())));
        assert_snapshot!("probe", shown(probe(&settings, 1_700_000_000_000)));
        assert_snapshot!("bill", shown(bill(&settings, "1115", 1_700_000_000_000)));
    }

    #[test]
    fn a_code_dies_with_its_order_and_after_the_setting_at_the_latest() {
        let settings = settings();
        let dies = |expires_at| {
            let call = create(&settings, &Order { expires_at, ..order() }, NOTIFY).unwrap();
            call.fields.get("payTimeout").to_owned()
        };
        assert_eq!(
            (dies(1_700_000_120_000), dies(1_800_000_000_000)),
            ("20231115061520".to_owned(), "20231115062320".to_owned())
        );
        let made = order().created_at;
        assert!(
            !settings.is_code_dead(made, made + 11 * 60_000) && settings.is_code_dead(made, made + 11 * 60_000 + 1)
        );
    }

    #[test]
    fn what_the_scheme_cannot_carry_is_not_sent() {
        let settings = settings();
        let with =
            |amount, number: &str| create(&settings, &Order { amount, number: number.to_owned(), ..order() }, NOTIFY);
        for refused in [
            with(Money { minor: 1, currency: "USD".to_owned() }, NUMBER),
            with(cny(0), NUMBER),
            with(cny(-1), NUMBER),
            with(cny(1_000_000_000_000), NUMBER),
            with(cny(1), "pay-1"),
            charge(&settings, &order(), NOTIFY, ""),
            charge(&settings, &order(), NOTIFY, "621234567890123456789"),
            charge(&settings, &order(), NOTIFY, "hQVDUFYwMWE"),
            query(&settings, NUMBER, i64::MAX),
            refund(&settings, &RefundOrder { reference: String::new(), ..refund_order() }, NOTIFY),
        ] {
            assert!(matches!(refused, Err(Error::NotSent(_))), "{refused:?}");
        }
        let edge = create(&settings, &Order { amount: cny(999_999_999_999), ..order() }, NOTIFY).unwrap();
        assert_eq!(edge.fields.get("txnAmt"), "999999999999");
    }
}
