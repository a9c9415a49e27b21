//! What a scheme tells of a dispute, checked.

use saoma_domain::dispute::{News, Outcome};

use super::{NUMBER_CHARS_MAX, bad, bounded, cut, said_amount, said_moment};
use crate::{
    bindings::{contract, types as wit},
    failure::Failure,
    message::DisputeNotice,
};

pub(super) fn dispute_notice(notice: contract::DisputeNotice) -> Result<DisputeNotice, Failure> {
    let amount = said_amount(notice.amount)?;
    // Schemes say "no fee" as a fee of 0, too.
    let fee = |fee: Option<wit::Money>| match fee.filter(|fee| fee.minor != 0).map(said_amount).transpose()? {
        Some(fee) if fee.currency() != amount.currency() => {
            Err(bad(format!("a fee of {fee} for a dispute of {amount}")))
        }
        fee => Ok(fee),
    };
    let until = |moment: Option<i64>| moment.map(said_moment).transpose();
    let news = match notice.news {
        contract::DisputeNews::Opened(until_when) => News::Opened { respond_by: until(until_when)? },
        contract::DisputeNews::EvidenceWanted(until_when) => News::Asked { respond_by: until(until_when)? },
        contract::DisputeNews::Won(charged) => News::Closed { outcome: Outcome::Won, fee: fee(charged)? },
        contract::DisputeNews::Lost(charged) => News::Closed { outcome: Outcome::Lost, fee: fee(charged)? },
    };
    let number = bounded("number", notice.number, NUMBER_CHARS_MAX)?;
    Ok(DisputeNotice {
        case_number: case_number(notice.case_number, &number)?,
        number,
        amount,
        reason_code: Some(cut(&notice.reason, NUMBER_CHARS_MAX)).filter(|reason| !reason.is_empty()),
        news,
        at: said_moment(notice.at)?,
    })
}

/// A scheme's number of a case; the payment's, where it numbers none.
pub(super) fn case_number(said: String, payment: &str) -> Result<String, Failure> {
    let case = bounded("case number", said, NUMBER_CHARS_MAX)?;
    Ok(if case.is_empty() { payment.to_owned() } else { case })
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency};

    use super::*;

    fn cny(minor: i64) -> wit::Money {
        wit::Money { minor, currency: "CNY".to_owned() }
    }

    #[test]
    fn a_dispute_is_told_within_bounds() {
        let notice = || contract::DisputeNotice {
            number: "pay_1".to_owned(),
            case_number: String::new(),
            amount: cny(1_250),
            reason: String::new(),
            news: contract::DisputeNews::Lost(Some(cny(15))),
            at: 1_700_000_000_000,
        };
        let read = dispute_notice(notice()).expect("sound");
        assert_eq!((read.case_number.as_str(), read.reason_code), ("pay_1", None), "without a number of its own");
        assert_eq!(read.news, News::Closed { outcome: Outcome::Lost, fee: Amount::new(15, Currency::CNY).ok() });
        let (case_number, reason) = ("C-1".to_owned(), "x".repeat(65));
        let news = contract::DisputeNews::Won(Some(cny(0)));
        let read = dispute_notice(contract::DisputeNotice { case_number, reason, news, ..notice() }).expect("sound");
        assert_eq!((read.case_number.as_str(), read.reason_code), ("C-1", Some("x".repeat(64))));
        assert_eq!(read.news, News::Closed { outcome: Outcome::Won, fee: None });
        type Spoil = fn(&mut contract::DisputeNotice);
        let rows: &[(Spoil, &str)] = &[
            (|n| n.number = "x".repeat(65), "number is longer"),
            (|n| n.case_number = "C\0".to_owned(), "case number holds control"),
            (|n| n.amount = cny(0), "at least 1"),
            (|n| n.at = 1_700_000_000, "no moment"),
            (|n| n.news = contract::DisputeNews::Opened(Some(1_700_000_000)), "no moment"),
            (|n| n.news = contract::DisputeNews::EvidenceWanted(Some(-1)), "no moment"),
            (|n| n.news = contract::DisputeNews::Won(Some(cny(-1))), "at least 1"),
            (
                |n| n.news = contract::DisputeNews::Won(Some(wit::Money { minor: 15, currency: "USD".to_owned() })),
                "for a dispute of",
            ),
        ];
        for (idx, (spoil, expected)) in rows.iter().enumerate() {
            let mut notice = notice();
            spoil(&mut notice);
            let failure = dispute_notice(notice).expect_err(expected);
            assert!(matches!(&failure, Failure::BadAnswer { why } if why.contains(expected)), "row {idx}: {failure}");
        }
    }
}
