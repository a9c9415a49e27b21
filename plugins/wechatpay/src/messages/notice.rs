//! Notifications (callbacks): a signed envelope around what is sealed for the merchant.
//!
//! Source: `doc/v3/merchant/4012791882` (payments) and `4012791865` (refunds).

use saoma_channel_sdk::{Error, PaymentAnswer, RefundAnswer};
use serde::Deserialize;

use super::{
    read::{OrderMessage, as_paid, payment_answer, said},
    refund::{RefundAmountMessage, refund_status},
    settings::{Mode, Settings},
};

#[derive(Deserialize)]
struct EnvelopeMessage {
    event_type: String,
    resource: ResourceMessage,
}

#[derive(Deserialize)]
struct ResourceMessage {
    algorithm: String,
    ciphertext: String,
    #[serde(default)]
    associated_data: String,
    nonce: String,
}

#[derive(Deserialize)]
struct RefundNoticeMessage {
    mchid: Option<String>,
    sp_mchid: Option<String>,
    sub_mchid: Option<String>,
    out_refund_no: String,
    refund_id: Option<String>,
    refund_status: String,
    amount: RefundAmountMessage,
}

/// What a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Payment,
    Refund,
    /// Coupons, complaints and the like.
    Other,
}

/// A notification, still sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub subject: Subject,
    pub nonce: String,
    pub associated_data: String,
    pub ciphertext: String,
}

/// The envelope. Its signature must have been verified.
///
/// # Errors
/// In words, what cannot be read.
pub fn read_notice(body: &[u8]) -> Result<Notice, String> {
    let EnvelopeMessage { event_type, resource } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if resource.algorithm != "AEAD_AES_256_GCM" {
        return Err(format!("it is sealed by {:?}, which is not known here", resource.algorithm));
    }
    let subject = match event_type.as_str() {
        "TRANSACTION.SUCCESS" => Subject::Payment,
        "REFUND.SUCCESS" | "REFUND.ABNORMAL" | "REFUND.CLOSED" => Subject::Refund,
        _ => Subject::Other,
    };
    let ResourceMessage { nonce, associated_data, ciphertext, .. } = resource;
    Ok(Notice { subject, nonce, associated_data, ciphertext })
}

/// What was sealed about a payment.
///
/// # Errors
/// In words, what cannot be read, or that it is about another merchant.
pub fn read_payment_notice(settings: &Settings, opened: &[u8]) -> Result<PaymentAnswer, String> {
    let order: OrderMessage = serde_json::from_slice(opened).map_err(|error| error.to_string())?;
    payment_answer(settings, order, None).map(as_paid).map_err(words)
}

/// What was sealed about a refund.
///
/// # Errors
/// As [`read_payment_notice`].
pub fn read_refund_notice(settings: &Settings, opened: &[u8]) -> Result<RefundAnswer, String> {
    let told: RefundNoticeMessage = serde_json::from_slice(opened).map_err(|error| error.to_string())?;
    let is_ours = match settings.mode {
        Mode::Direct => told.mchid.as_ref() == Some(&settings.mchid),
        Mode::Partner => {
            told.sp_mchid.as_ref() == Some(&settings.mchid) && told.sub_mchid.as_ref() == Some(&settings.sub_mchid)
        }
    };
    if !is_ours {
        return Err("it is about another merchant".to_owned());
    }
    Ok(RefundAnswer {
        status: refund_status(&told.refund_status).map_err(words)?,
        refund_number: told.out_refund_no,
        amount: said(told.amount.refund, told.amount.currency),
        reference: told.refund_id.unwrap_or_default(),
    })
}

fn words(error: Error) -> String {
    match error {
        Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
        Error::Unsupported => "unsupported".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use saoma_channel_sdk::{PaymentStatus, RefundStatus};

    use super::{
        super::build::samples::{NUMBER, REFUND, cny, settings},
        *,
    };

    fn envelope(event_type: &str, algorithm: &str) -> Vec<u8> {
        format!(
            r#"{{"id":"EV-2018022511223320873","create_time":"2018-06-08T10:34:56+08:00","resource_type":"encrypt-resource",
                "event_type":"{event_type}","summary":"…","resource":{{"algorithm":"{algorithm}","original_type":"transaction",
                "ciphertext":"c2VhbGVk","nonce":"fdasflkja484"}}}}"#
        )
        .into_bytes()
    }

    #[test]
    fn envelopes() {
        for (event_type, subject) in [
            ("TRANSACTION.SUCCESS", Subject::Payment),
            ("REFUND.SUCCESS", Subject::Refund),
            ("REFUND.ABNORMAL", Subject::Refund),
            ("REFUND.CLOSED", Subject::Refund),
            ("COUPON.USE", Subject::Other),
        ] {
            let notice = read_notice(&envelope(event_type, "AEAD_AES_256_GCM")).unwrap();
            assert_eq!(
                (notice.subject, notice.nonce.as_str(), notice.associated_data.as_str()),
                (subject, "fdasflkja484", "")
            );
        }
        assert!(read_notice(&envelope("TRANSACTION.SUCCESS", "AEAD_SM4_GCM")).is_err_and(|why| why.contains("SM4")));
        assert!(read_notice(b"{}").is_err());
    }

    #[test]
    fn payments() {
        let told = |mchid: &str, state: &str, number: &str| {
            let opened = format!(
                r#"{{"mchid":"{mchid}",{number}"trade_state":"{state}","amount":{{"total":1250,"currency":"CNY"}}}}"#
            );
            read_payment_notice(&settings("direct"), opened.as_bytes())
        };
        let number = format!(r#""out_trade_no":"{NUMBER}","#);
        let answer = told("1900000001", "SUCCESS", &number).unwrap();
        assert_eq!(
            (answer.status, answer.number.as_str(), answer.amount),
            (PaymentStatus::Succeeded, NUMBER, Some(cny(1_250)))
        );
        for told in [
            told("1900000002", "SUCCESS", &number),
            told("1900000001", "DREAMING", &number),
            told("1900000001", "SUCCESS", ""),
        ] {
            assert!(told.is_err(), "{told:?}");
        }
    }

    #[test]
    fn refunds() {
        let told = |mode: &str, ids: &str, status: &str| {
            let opened = format!(
                r#"{{{ids},"out_trade_no":"{NUMBER}","out_refund_no":"{REFUND}","refund_id":"503","refund_status":"{status}",
                    "amount":{{"total":999,"refund":5,"payer_total":999,"payer_refund":5}}}}"#
            );
            read_refund_notice(&settings(mode), opened.as_bytes())
        };
        let answer = told("direct", r#""mchid":"1900000001""#, "SUCCESS").unwrap();
        assert_eq!(
            (answer.status, answer.refund_number.as_str(), answer.amount),
            (RefundStatus::Succeeded, REFUND, Some(cny(5)))
        );
        assert!(told("partner", r#""sp_mchid":"1900000001","sub_mchid":"1900000109""#, "CLOSED").is_ok());
        for (mode, ids, status) in [
            ("direct", r#""mchid":"1900000002""#, "SUCCESS"),
            ("direct", r#""sp_mchid":"1900000001","sub_mchid":"1900000109""#, "SUCCESS"),
            ("partner", r#""sp_mchid":"1900000001","sub_mchid":"1900000110""#, "SUCCESS"),
            ("direct", r#""mchid":"1900000001""#, "DREAMING"),
        ] {
            assert!(told(mode, ids, status).is_err(), "{ids} {status}");
        }
    }
}
