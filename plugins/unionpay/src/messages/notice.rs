//! Notifications: a form that the scheme posts to `backUrl`, signed as its answers are.

use saoma_channel_sdk::{Error, NotificationEvent, PaymentStatus, RefundStatus, declined};

use super::{
    code::{Meaning, standing},
    form::Message,
    read::{is_settled, sale, words},
    refund::given_back,
};

/// What the scheme wants to hear: status 200 within 10 seconds, whatever the text.
pub const ACKNOWLEDGEMENT: &[u8] = b"ok";

/// What a verified notification says.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    Event(NotificationEvent),
    /// Nothing that core would book: a void's, or a try with a code that can be tried again.
    Nothing,
}

/// Reads a verified notification.
///
/// # Errors
/// What cannot be read.
pub fn read_notice(message: &Message) -> Result<Notice, String> {
    let event = match (message.get("txnType"), standing(message.get("respCode")), message.get("txnSubType")) {
        ("01", Meaning::Done, _) if is_settled(message) => payment(message, PaymentStatus::Succeeded)?,
        // A code that is shown may be tried again with another card until it is dead: only a charge has failed for good.
        ("01", Meaning::Refused(code), "06") => {
            payment(message, PaymentStatus::Failed(declined(code, words(message))))?
        }
        ("04", Meaning::Done, _) if !message.get("queryId").is_empty() => refund(message, RefundStatus::Succeeded)?,
        ("04", Meaning::Refused(code), _) => refund(message, RefundStatus::Failed(declined(code, words(message))))?,
        ("01" | "04", Meaning::Done, _) => return Err("it tells of no transaction that moved money".to_owned()),
        _ => return Ok(Notice::Nothing),
    };
    Ok(Notice::Event(event))
}

fn payment(message: &Message, status: PaymentStatus) -> Result<NotificationEvent, String> {
    sale(message, status).map(NotificationEvent::Payment).map_err(why)
}

fn refund(message: &Message, status: RefundStatus) -> Result<NotificationEvent, String> {
    given_back(message, status).map(NotificationEvent::Refund).map_err(why)
}

/// An error's words alone.
#[must_use]
pub fn why(error: Error) -> String {
    match error {
        Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
        Error::Unsupported => "unsupported".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices() {
        let sale = "txnType=01&txnSubType=06&orderId=payaaaaaaaaaaaaaaaaaaaaaaaaaa&txnAmt=1250&currencyCode=156&txnTime=20231115061320";
        let moved = "queryId=202311150613201234567&settleDate=1115";
        let refund = "txnType=04&txnSubType=00&orderId=rfdaaaaaaaaaaaaaaaaaaaaaaaaaa&txnAmt=5&queryId=1";
        for (fields, outcome) in [
            (format!("{sale}&{moved}&respCode=00"), "payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa 1250 Succeeded"),
            (format!("{sale}&{moved}&respCode=A6"), "payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa 1250 Succeeded"),
            (format!("{sale}&respCode=64"), "payment pay_aaaaaaaaaaaaaaaaaaaaaaaaaa 1250 Failed"),
            (format!("{}&respCode=64", sale.replace("=06&", "=07&")), "nothing"),
            (format!("{sale}&{moved}&respCode=05"), "nothing"),
            (format!("{sale}&{moved}&respCode=Q7"), "nothing"),
            (format!("{sale}&respCode=00"), "unread"),
            (format!("{}&{moved}&respCode=00", sale.replace("1250", "12.5")), "unread"),
            (format!("{refund}&respCode=00"), "refund rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa 5 Succeeded"),
            (format!("{refund}&respCode=35"), "refund rfd_aaaaaaaaaaaaaaaaaaaaaaaaaa 5 Failed"),
            (format!("{refund}&respCode=04"), "nothing"),
            (format!("{moved}&txnType=31&respCode=00"), "nothing"),
            (format!("{moved}&respCode=00"), "nothing"),
        ] {
            let told = match read_notice(&Message::from_form(fields.as_bytes()).unwrap()) {
                Ok(Notice::Event(NotificationEvent::Payment(answer))) => {
                    let status = format!("{:?}", answer.status);
                    let status =
                        status.split("::").nth(1).and_then(|status| status.split('(').next()).unwrap().to_owned();
                    format!("payment {} {} {status}", answer.number, answer.amount.unwrap().minor)
                }
                Ok(Notice::Event(NotificationEvent::Refund(answer))) => {
                    let status = format!("{:?}", answer.status);
                    let status =
                        status.split("::").nth(1).and_then(|status| status.split('(').next()).unwrap().to_owned();
                    format!("refund {} {} {status}", answer.refund_number, answer.amount.unwrap().minor)
                }
                Ok(Notice::Event(other)) => format!("{other:?}"),
                Ok(Notice::Nothing) => "nothing".to_owned(),
                Err(_) => "unread".to_owned(),
            };
            assert_eq!(told, outcome, "{fields}");
        }
    }
}
