//! Disputes as a scheme tells of them by notification: read by the component, and held to the scheme's own books.
//!
//! A scheme may say the same twice and in any order; what core goes by is the step and the moment that each message names. So an
//! event must name both as the scheme has them, whenever it is read.

use saoma_domain::dispute::{News, Outcome};

use super::{
    far_side::{DisputeBooks, Message, Played},
    play::{Player, Stop},
    told::{self, Told},
};
use crate::message::{DisputeNotice, HttpMessage, NotificationEvent};

/// What came of a case's dispute so far.
#[derive(Default)]
pub(super) struct Disputing {
    last: Option<HttpMessage>,
    /// On its way.
    held: Option<HttpMessage>,
}

/// `notify-dispute`
pub(super) async fn notified(player: &mut Player<'_>, fault: Option<&str>) -> Result<Told, Stop> {
    let is_cut = fault == Some("truncated");
    let mut message = message(player, fault.filter(|_| !is_cut)).await?;
    if is_cut {
        message.body.truncate(message.body.len() / 2);
    }
    player.disputing.last = Some(message.clone());
    read(player, &message).await
}

/// `dispute-again`
pub(super) async fn again(player: &mut Player<'_>) -> Result<Told, Stop> {
    let message = player.disputing.last.clone();
    read(player, &message.ok_or_else(nothing_before)?).await
}

/// `hold-dispute`
pub(super) async fn hold(player: &mut Player<'_>) -> Result<(), Stop> {
    player.disputing.held = Some(message(player, None).await?);
    Ok(())
}

/// `dispute-held`
pub(super) async fn held(player: &mut Player<'_>) -> Result<Told, Stop> {
    let message = player.disputing.held.clone();
    read(player, &message.ok_or_else(nothing_before)?).await
}

fn nothing_before() -> Stop {
    Stop::failed("a notification of a dispute before this line", "there is none: mend the table")
}

async fn message(player: &Player<'_>, fault: Option<&str>) -> Result<HttpMessage, Stop> {
    match player.far_side.dispute_notification(&player.number()?, fault).await? {
        Played::Done(Message { headers, body }) => Ok(HttpMessage { headers, body }),
        Played::Unplayable(why) => Err(Stop::Skipped(format!("this far side cannot: {why}"))),
    }
}

async fn read(player: &mut Player<'_>, message: &HttpMessage) -> Result<Told, Stop> {
    let number = player.number()?;
    let outcome = player.caller.parse_notification(&player.account, message).await;
    let notice = outcome.as_ref().ok().and_then(|outcome| {
        outcome.events.iter().find_map(|event| match event {
            NotificationEvent::Dispute(notice) if notice.number == number => Some(notice),
            _ => None,
        })
    });
    let Some(notice) = notice else {
        let amount = player.sale()?.order.amount.money();
        let told = told::notification(&outcome, &number, amount, None, player.manifest);
        // A payment's word would stand for nothing here.
        return Ok(if outcome.is_ok() { Told::new("other-order", told.sentence) } else { told });
    };
    let told =
        Told::new(word(&notice.news), format!("{}, of {} at {}", word(&notice.news), notice.amount, notice.at.0));
    player.said.push(told.sentence.clone());
    let books = player.far_side.dispute(&number).await?;
    match borne_out(notice, &books) {
        Ok(()) => Ok(told),
        Err(lie) => {
            Err(Stop::failed("news of a dispute that the scheme's books bear out", format!("{}; {lie}", told.sentence)))
        }
    }
}

const fn word(news: &News) -> &'static str {
    match news {
        News::Opened { .. } => "opened",
        News::Asked { .. } => "evidence-wanted",
        News::Closed { outcome: Outcome::Won, .. } => "won",
        News::Closed { .. } => "lost",
    }
}

/// Whether the scheme has such a case with such a step, at that moment and of that amount.
fn borne_out(notice: &DisputeNotice, books: &DisputeBooks) -> Result<(), String> {
    if notice.case_number != books.case_number {
        return Err(format!(
            "the scheme's number of the case is {:?}, not {:?}",
            books.case_number, notice.case_number
        ));
    }
    if (notice.amount.minor(), notice.amount.currency().code()) != (books.amount_minor, books.currency.as_str()) {
        return Err(format!("the scheme took {} minor units of {}", books.amount_minor, books.currency));
    }
    let word = word(&notice.news);
    match books.told.iter().find(|step| step.news == word) {
        None => Err(format!("the scheme has not said {word}")),
        Some(step) if step.at_ms != notice.at.0 => {
            Err(format!("the scheme dates it {}: core could not put its news in their order", step.at_ms))
        }
        Some(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency, Millis};

    use super::*;
    use crate::conformance::far_side::DisputeStep;

    #[test]
    fn what_the_scheme_did_not_say_is_a_lie() {
        let step = |news: &str, at_ms| DisputeStep { news: news.to_owned(), at_ms };
        let books = DisputeBooks {
            case_number: "D-1".to_owned(),
            amount_minor: 1_250,
            currency: "CNY".to_owned(),
            told: vec![step("opened", 10), step("lost", 20)],
        };
        let opened = News::Opened { respond_by: None };
        let closed = |outcome| News::Closed { outcome, fee: None };
        for (case, minor, news, at, holds) in [
            ("D-1", 1_250, opened.clone(), 10, true),
            ("D-1", 1_250, closed(Outcome::Lost), 20, true),
            ("D-1", 1_250, closed(Outcome::Won), 20, false),
            ("D-1", 1_250, News::Asked { respond_by: None }, 10, false),
            ("D-1", 1_250, opened.clone(), 20, false),
            ("D-1", 1_251, opened.clone(), 10, false),
            ("D-2", 1_250, opened, 10, false),
        ] {
            let notice = DisputeNotice {
                number: "pay_1".to_owned(),
                case_number: case.to_owned(),
                amount: Amount::new(minor, Currency::CNY).expect("an amount"),
                reason_code: None,
                news,
                at: Millis(at),
            };
            assert_eq!(borne_out(&notice, &books).is_ok(), holds, "{notice:?}");
        }
    }
}
