//! What the scheme said of all that a callback names, in the order in which core is to book it.

use saoma_channel_sdk::{DisputeNotice, Error, NotificationEvent, PaymentStatus, RefundAnswer, RefundStatus};

use super::charge;

#[derive(Default)]
pub struct Told {
    moves: Vec<NotificationEvent>,
    disputes: Vec<DisputeNotice>,
    /// What cannot be told, for the operator's log.
    pub left_out: Vec<String>,
}

impl Told {
    /// What the scheme answered about a charge: its payment, and what was taken back of it.
    ///
    /// # Errors
    /// As [`charge::read_queried`].
    pub fn charge(&mut self, status: u16, body: &[u8], number: &str) -> Result<(), Error> {
        let answer = charge::read_queried(status, body, number)?;
        let disputes = charge::read_disputes(status, body, &answer.number)?;
        if answer.status != PaymentStatus::NotFound {
            self.moves.push(NotificationEvent::Payment(charge::as_paid(answer)));
        }
        for dispute in disputes {
            match dispute {
                Ok(dispute) => self.disputes.push(dispute),
                // The bill shows it, whatever is wrong with it; here it would hold back all the others for ever.
                Err(error) => self.left_out.push(format!("a dispute of {number}: {}", words(error))),
            }
        }
        Ok(())
    }

    pub fn refund(&mut self, answer: RefundAnswer) {
        if answer.status != RefundStatus::NotFound {
            self.moves.push(NotificationEvent::Refund(answer));
        }
    }

    /// Money that came or was given back first, then all disputes: a dispute that cannot be booked yet must not come before what others
    /// paid.
    #[must_use]
    pub fn events(self) -> Vec<NotificationEvent> {
        let disputes = self.disputes.into_iter().map(NotificationEvent::Dispute);
        self.moves.into_iter().chain(disputes).collect()
    }
}

/// Why there is no answer.
#[must_use]
pub fn words(error: Error) -> String {
    match error {
        Error::NoAnswer(why) | Error::NotSent(why) | Error::Misconfigured(why) => why,
        Error::Unsupported => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::{
        charge::tests::{NUMBER, charge, kind, pix, refused},
        refund,
    };

    const OTHER: &str = "pay_bbbbbbbbbbbbbbbbbbbbbbbbbb";

    /// A charge that was paid and taken back, at that time.
    fn taken_back(number: &str, horario: &str) -> String {
        let given = format!(
            r#"{{"id":"MED1","rtrId":"D{}","valor":"12.50","natureza":"MED_FRAUDE","status":"DEVOLVIDO","horario":{horario}}}"#,
            number.replace('_', "")
        );
        charge("CONCLUIDA", &pix("12.50", &given)).replace("payXaaaaaaaaaaaaaaaaaaaaaaaaaa", &number.replace('_', "X"))
    }

    fn names(told: Told) -> Vec<String> {
        let name = |event| match event {
            NotificationEvent::Payment(answer) => format!("{:?} {}", answer.status, answer.number),
            NotificationEvent::Refund(answer) => format!("refund {}", answer.refund_number),
            NotificationEvent::Dispute(notice) => format!("dispute {} of {}", notice.case_number, notice.number),
        };
        told.events().into_iter().map(name).collect()
    }

    #[test]
    fn disputes_come_behind_all_that_was_paid() {
        let mut told = Told::default();
        let at = r#"{"liquidacao":"2023-11-20T15:00:00Z"}"#;
        told.charge(200, taken_back(NUMBER, at).as_bytes(), NUMBER).expect("a charge");
        told.charge(404, &refused("CobNaoEncontrado"), "pay_cccccccccccccccccccccccccc").expect("no charge");
        told.charge(200, taken_back(OTHER, at).as_bytes(), OTHER).expect("a charge");
        told.refund(refund::unknown("rfd_bbbbbbbbbbbbbbbbbbbbbbbbbb"));
        told.refund(RefundAnswer { status: RefundStatus::Succeeded, ..refund::unknown("rfd_a") });
        assert!(told.left_out.is_empty());
        assert_eq!(
            names(told),
            [
                format!("PaymentStatus::Succeeded {NUMBER}"),
                format!("PaymentStatus::Succeeded {OTHER}"),
                "refund rfd_a".to_owned(),
                "dispute Dpayaaaaaaaaaaaaaaaaaaaaaaaaaa of pay_aaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned(),
                "dispute Dpaybbbbbbbbbbbbbbbbbbbbbbbbbb of pay_bbbbbbbbbbbbbbbbbbbbbbbbbb".to_owned(),
            ]
        );
    }

    #[test]
    fn a_dispute_that_cannot_be_read_holds_nothing_back() {
        let mut told = Told::default();
        told.charge(200, taken_back(NUMBER, "{}").as_bytes(), NUMBER).expect("a charge");
        assert_eq!(told.left_out, [format!("a dispute of {NUMBER}: a return without a time")]);
        assert_eq!(names(told), [format!("PaymentStatus::Succeeded {NUMBER}")]);
        let mut told = Told::default();
        let unclear = told.charge(503, &refused("ServicoIndisponivel"), NUMBER);
        assert_eq!(
            unclear.map_err(|error| kind(&error)),
            Err("no-answer"),
            "a charge that cannot is asked about again"
        );
    }
}
