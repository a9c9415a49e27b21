//! Asynchronous notifications: a form whose fields are signed ("异步通知验签").
//!
//! Refunds are told too, but with the sum of all of them instead of their own amount: they are only named here, and asked about.

use std::collections::BTreeMap;

use saoma_channel_sdk::{Error, PaymentAnswer};

use super::{
    answer::Answer,
    payment::{told, trade_status},
    settings::Settings,
};

/// What Alipay wants to hear, and nothing else: 7 bytes.
pub const ACKNOWLEDGEMENT: &[u8] = b"success";

/// A notification taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    fields: BTreeMap<String, String>,
}

/// What a notification is about.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    Payment(PaymentAnswer),
    /// The refund of this number was paid, of the trade of that number.
    Refund {
        number: String,
        refund_number: String,
    },
    /// Neither a payment nor a refund.
    Irrelevant,
}

impl Notice {
    /// Decodes the form, once.
    #[must_use]
    pub fn parse(body: &[u8]) -> Self {
        Self { fields: form_urlencoded::parse(body).into_owned().collect() }
    }

    /// Base64, empty if it is not signed by RSA2.
    #[must_use]
    pub fn signature(&self) -> &str {
        if self.field("sign_type") == "RSA2" { self.field("sign") } else { "" }
    }

    /// What the signature is over: `name=value` by name, joined by `&`, without `sign` and `sign_type`; empty values count.
    #[must_use]
    pub fn sign_text(&self) -> String {
        let signed = self.fields.iter().filter(|(name, _)| !matches!(name.as_str(), "sign" | "sign_type"));
        signed.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
    }

    /// Whether it is for this account: Alipay's key signs for all its merchants.
    #[must_use]
    pub fn is_for(&self, settings: &Settings) -> bool {
        let seller = settings.seller_id.as_deref();
        self.field("app_id") == settings.app_id && seller.is_none_or(|seller| self.field("seller_id") == seller)
    }

    /// What a verified notification says.
    ///
    /// # Errors
    /// What cannot be read.
    pub fn news(&self) -> Result<News, String> {
        if self.field("notify_type") != "trade_status_sync" {
            return Ok(News::Irrelevant);
        }
        let (number, refund_number) = (self.field("out_trade_no"), self.field("out_biz_no"));
        // A cancel that gave money back has no refund number of its own: that is news of the payment.
        let is_refund = !self.field("refund_fee").is_empty() && !refund_number.is_empty() && refund_number != number;
        if is_refund {
            return Ok(News::Refund { number: number.to_owned(), refund_number: refund_number.to_owned() });
        }
        let given = |name: &str| Some(self.field(name)).filter(|value| !value.is_empty()).map(str::to_owned);
        let answer = Answer {
            out_trade_no: given("out_trade_no"),
            trade_no: self.field("trade_no").to_owned(),
            trade_status: self.field("trade_status").to_owned(),
            total_amount: given("total_amount"),
            gmt_payment: given("gmt_payment"),
            buyer_logon_id: self.field("buyer_logon_id").to_owned(),
            ..Answer::default()
        };
        let read = trade_status(&answer).and_then(|status| told(&answer, status));
        read.map(News::Payment).map_err(|error| match error {
            Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
            Error::Unsupported => "unsupported".to_owned(),
        })
    }

    fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::PaymentStatus;

    use super::*;

    fn settings(seller_id: Option<&str>) -> Settings {
        let text = |text: &str| text.to_owned();
        Settings {
            gateway_url: text("https://openapi.alipay.com/gateway.do"),
            app_id: text("2014"),
            bill_url: text("https://dwbillcenter.alipay.com"),
            seller_id: seller_id.map(text),
            app_cert_sn: None,
            alipay_root_cert_sn: None,
            oauth_url: None,
        }
    }

    fn notice(rest: &str) -> Notice {
        Notice::parse(format!("app_id=2014&notify_type=trade_status_sync&out_trade_no=pay_1&{rest}").as_bytes())
    }

    #[test]
    fn what_is_signed() {
        let notice = Notice::parse("b=1%2B1+%3D2&sign_type=RSA2&a=%E9%97%A8&sign=x%2By%3D&empty=".as_bytes());
        assert_eq!(notice.sign_text(), "a=门&b=1+1 =2&empty=");
        assert_eq!(notice.signature(), "x+y=");
        assert_eq!(Notice::parse(b"sign=x&sign_type=RSA").signature(), "");
        assert_eq!(Notice::parse(b"sign=x").signature(), "");
    }

    #[test]
    fn whose_it_is() {
        let for_seller = notice("seller_id=2088102146225135");
        assert!(for_seller.is_for(&settings(None)) && for_seller.is_for(&settings(Some("2088102146225135"))));
        assert!(!for_seller.is_for(&settings(Some("2088000000000000"))));
        assert!(!notice("").is_for(&settings(Some("2088102146225135"))));
        assert!(!Notice::parse(b"app_id=2015").is_for(&settings(None)) && !Notice::parse(b"").is_for(&settings(None)));
    }

    #[test]
    fn news() {
        let told = |rest: &str| match notice(rest).news() {
            Ok(News::Payment(answer)) => {
                format!("{:?} {:?}", answer.status, answer.amount.map(|amount| amount.minor))
            }
            Ok(other) => format!("{other:?}"),
            Err(_) => "malformed".to_owned(),
        };
        for (rest, outcome) in [
            ("trade_status=TRADE_SUCCESS&total_amount=12.50", "PaymentStatus::Succeeded Some(1250)"),
            ("trade_status=TRADE_CLOSED&total_amount=12.50", "PaymentStatus::Closed Some(1250)"),
            (
                "trade_status=TRADE_CLOSED&total_amount=12.50&refund_fee=12.50&out_biz_no=pay_1",
                "PaymentStatus::Closed Some(1250)",
            ),
            (
                "trade_status=TRADE_SUCCESS&total_amount=12.50&refund_fee=1.00&out_biz_no=rfd_1",
                r#"Refund { number: "pay_1", refund_number: "rfd_1" }"#,
            ),
            ("trade_status=TRADE_SUCCESS", "malformed"),
            ("trade_status=TRADE_DREAMING&total_amount=12.50", "malformed"),
            ("total_amount=12.50", "malformed"),
        ] {
            assert_eq!(told(rest), outcome, "{rest}");
        }
        assert_eq!(Notice::parse(b"notify_type=other").news(), Ok(News::Irrelevant));
        let Ok(News::Payment(answer)) = notice("trade_status=WAIT_BUYER_PAY&total_amount=1.00&trade_no=2").news()
        else {
            panic!("news of a payment")
        };
        assert_eq!((answer.status, answer.reference.as_str()), (PaymentStatus::Pending, "2"));
    }
}
