//! Lies about what a scheme tells by itself: its notifications, and its bills.

use saoma_channels::{
    Account, BillLine, BillPage, BillRow, Decline, DeclineCode, Failure, HttpReply, NotificationEvent,
    NotificationFailure, NotificationOutcome, RefundStatus,
};
use saoma_domain::{
    dispute::{News, Outcome},
    recon::{Key, Movement, Side},
};
use saoma_protocol::{Amount, Millis, Money, PaymentId};

use super::{
    liar::{Liar, Say},
    liar_says::About,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewsLie {
    /// What is forged, or cannot be read, is the success of the last order.
    BelievesAnything,
    /// The same message again is none.
    TellsOnce,
    /// The word of now in the place of the message's.
    TellsOfNow,
    /// What the message does not say: the amount that was asked for.
    AskedAmount,
    /// Or the order that was asked for last.
    AskedOrder,
    Says(Say),
    RefundsFail,
    WinsEveryDispute,
    DatesDisputesItself,
    MisreadsDisputeFees,
    TellsMoreThanTheDispute,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillLie {
    DropsUnreadable,
    StopsAtFirstPage,
    /// What did not come is a day on which nothing was.
    EmptyIfWrong,
    DropsRow,
    RepeatsRow,
    AddsRow,
    /// A refund under its payment's number.
    RefundsByOrder,
    /// The rows that there ought to be.
    FillsIn,
    /// No row but of orders of ours.
    OursAlone,
}

impl NewsLie {
    pub async fn bent(
        self,
        liar: &Liar,
        account: &Account,
        is_new: bool,
        outcome: Result<NotificationOutcome, NotificationFailure>,
    ) -> Result<NotificationOutcome, NotificationFailure> {
        let last = { liar.state().last };
        let asked = last.and_then(|number| liar.state().asked.get(&number).copied());
        let Some((number, asked)) = last.zip(asked) else { return outcome };
        let about = About { number: number.to_string(), amount: asked };
        let mut outcome = match (self, outcome) {
            (Self::BelievesAnything, Err(_)) => {
                let answer = Say::Succeeded.made(&about).expect("an answer");
                let acknowledgement =
                    HttpReply { status: 200, content_type: "text/plain".to_owned(), body: b"OK".to_vec() };
                return Ok(NotificationOutcome { events: vec![NotificationEvent::Payment(answer)], acknowledgement });
            }
            (Self::TellsOnce, Ok(_)) if !is_new => {
                return Err(NotificationFailure::Malformed("it came before".to_owned()));
            }
            (_, outcome) => outcome?,
        };
        if self == Self::TellsMoreThanTheDispute {
            let notice = outcome.events.iter().find_map(|event| match event {
                NotificationEvent::Dispute(notice) => Some((notice.number.clone(), notice.amount.money())),
                _ => None,
            });
            let more = notice.map(|(number, amount)| Say::Refunded.made(&About { number, amount }).expect("an answer"));
            outcome.events.extend(more.map(NotificationEvent::Payment));
        }
        for event in &mut outcome.events {
            self.bend(liar, account, (number, asked), event).await;
        }
        Ok(outcome)
    }

    async fn bend(self, liar: &Liar, account: &Account, last: (PaymentId, Money), event: &mut NotificationEvent) {
        let about = || About { number: last.0.to_string(), amount: last.1 };
        match (self, event) {
            (Self::TellsOfNow, NotificationEvent::Payment(answer)) => {
                *answer = liar.asked_now(account, last.0, last.1).await.expect("an answer");
            }
            (Self::AskedAmount, NotificationEvent::Payment(answer)) => answer.amount = Some(last.1),
            (Self::AskedOrder, NotificationEvent::Payment(answer)) => answer.number = about().number,
            (Self::AskedOrder, NotificationEvent::Dispute(notice)) => notice.number = about().number,
            (Self::Says(say), NotificationEvent::Payment(answer)) => *answer = say.made(&about()).expect("an answer"),
            (Self::RefundsFail, NotificationEvent::Refund(answer)) => {
                let decline = Decline { code: DeclineCode::Other, message: "no".to_owned() };
                answer.status = RefundStatus::Failed(decline);
            }
            (lie, NotificationEvent::Dispute(notice)) => match (lie, &mut notice.news) {
                (Self::WinsEveryDispute, News::Closed { outcome, .. }) => *outcome = Outcome::Won,
                (Self::MisreadsDisputeFees, News::Closed { fee: Some(fee), .. }) => {
                    *fee = Amount::new(fee.minor() * 100, fee.currency()).expect("a fee");
                }
                (Self::DatesDisputesItself, _) => notice.at = Millis(notice.at.0 + 60_000),
                _ => {}
            },
            _ => {}
        }
    }
}

impl BillLie {
    pub fn bent(self, liar: &Liar, outcome: Result<BillPage, Failure>) -> Result<BillPage, Failure> {
        let mut page = match (self, outcome) {
            (Self::EmptyIfWrong, Err(_)) => return Ok(BillPage { lines: Vec::new(), next_cursor: None }),
            (_, outcome) => outcome?,
        };
        let first =
            page.lines.iter().find_map(|line| if let BillLine::Row(row) = line { Some(row.clone()) } else { None });
        match self {
            Self::DropsUnreadable => page.lines.retain(|line| matches!(line, BillLine::Row(_))),
            Self::StopsAtFirstPage => page.next_cursor = None,
            Self::DropsRow => drop(page.lines.pop()),
            Self::RepeatsRow => page.lines.extend(first.map(BillLine::Row)),
            Self::AddsRow => page.lines.push(BillLine::Row(row(PaymentId::from_bytes([9; 16]), Money::new(1, CNY)))),
            Self::FillsIn => {
                let asked = liar.state().asked.clone();
                let is_there = |number: &PaymentId| {
                    let number = number.to_string();
                    page.lines.iter().any(|line| matches!(line, BillLine::Row(row) if row.order_number == number))
                };
                let lacking: Vec<_> = asked.into_iter().filter(|(number, _)| !is_there(number)).collect();
                page.lines.extend(lacking.into_iter().map(|(number, money)| BillLine::Row(row(number, money))));
            }
            Self::OursAlone => {
                let ours: Vec<String> = liar.state().asked.keys().map(ToString::to_string).collect();
                page.lines.retain(|line| matches!(line, BillLine::Row(row) if ours.contains(&row.order_number)));
            }
            Self::RefundsByOrder => {
                for line in &mut page.lines {
                    match line {
                        BillLine::Row(row) if row.key.movement == Movement::Refund => {
                            row.key.number.clone_from(&row.order_number);
                        }
                        _ => {}
                    }
                }
            }
            Self::EmptyIfWrong => {}
        }
        Ok(page)
    }
}

const CNY: saoma_protocol::Currency = saoma_protocol::Currency::CNY;

fn row(number: PaymentId, money: Money) -> BillRow {
    let number = number.to_string();
    BillRow {
        key: Key { number: number.clone(), movement: Movement::Payment },
        order_number: number,
        reference: "W1".to_owned(),
        side: Side { money, fee: Money::new(0, money.currency()), at: Millis(0) },
    }
}
