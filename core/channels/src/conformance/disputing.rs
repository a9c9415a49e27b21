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
use crate::{
    failure::NotificationFailure,
    message::{DisputeNotice, HttpMessage, NotificationEvent},
};

/// What came of a case's dispute so far.
#[derive(Default)]
pub(super) struct Disputing {
    last: Option<HttpMessage>,
    /// On its way.
    held: Option<HttpMessage>,
    /// Something was told of it.
    is_known: bool,
}

/// `notify-dispute`
pub(super) async fn notified(player: &mut Player<'_>, fault: Option<&str>) -> Result<Told, Stop> {
    let is_cut = fault == Some("truncated");
    let mut message = message(player, fault.filter(|_| !is_cut)).await?;
    if is_cut {
        message.body.truncate(message.body.len() / 2);
    }
    player.disputing.last = Some(message.clone());
    read(player, &message, fault).await
}

/// `dispute-again`
pub(super) async fn again(player: &mut Player<'_>) -> Result<Told, Stop> {
    let message = player.disputing.last.clone();
    read(player, &message.ok_or_else(nothing_before)?, None).await
}

/// `hold-dispute`
pub(super) async fn hold(player: &mut Player<'_>) -> Result<(), Stop> {
    player.disputing.held = Some(message(player, None).await?);
    Ok(())
}

/// `dispute-held`
pub(super) async fn held(player: &mut Player<'_>) -> Result<Told, Stop> {
    let message = player.disputing.held.clone();
    read(player, &message.ok_or_else(nothing_before)?, None).await
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

/// A scheme may tell of disputes to a channel that has none: that says `irrelevant`, the first time and ever after.
async fn read(player: &mut Player<'_>, message: &HttpMessage, fault: Option<&str>) -> Result<Told, Stop> {
    let number = player.number()?;
    let outcome = player.caller.parse_notification(&player.account, message).await;
    let is_told = fault != Some("wrong-number");
    let events = match &outcome {
        Ok(outcome) => outcome.events.as_slice(),
        Err(NotificationFailure::Irrelevant(_)) if is_told && !player.disputing.is_known => {
            return Err(Stop::Skipped("the channel reads no disputes: it says irrelevant".to_owned()));
        }
        Err(_) => &[],
    };
    let mut told = None;
    for event in events {
        let notice = match event {
            NotificationEvent::Dispute(notice) if notice.number == number => notice,
            NotificationEvent::Payment(answer) if answer.number != number => continue,
            NotificationEvent::Dispute(_) => continue,
            NotificationEvent::Payment(_) | NotificationEvent::Refund(_) => {
                let said = "it tells of a payment or a refund besides: core would book that";
                return Err(Stop::failed("a message about a dispute that tells of the dispute alone", said));
            }
        };
        let word = word(&notice.news);
        let sentence = format!("{word}, of {} at {}", notice.amount, notice.at.0);
        borne_out(notice, &player.far_side.dispute(&number).await?).map_err(|lie| {
            Stop::failed("news of a dispute that the scheme's books bear out", format!("{sentence}; {lie}"))
        })?;
        told.get_or_insert_with(|| Told::new(word, sentence));
    }
    if let Some(told) = told {
        player.disputing.is_known = true;
        player.said.push(told.sentence.clone());
        return Ok(told);
    }
    let amount = player.sale()?.order.amount.money();
    Ok(told::notification(&outcome, &number, amount, None, player.manifest))
}

const fn word(news: &News) -> &'static str {
    match news {
        News::Opened { .. } => "opened",
        News::Asked { .. } => "evidence-wanted",
        News::Closed { outcome: Outcome::Won, .. } => "won",
        News::Closed { .. } => "lost",
    }
}

/// Whether the scheme has such a case with such a step, at that moment, of that amount and with that fee.
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
    let mut steps = books.told.iter().filter(|step| step.news == word).peekable();
    let Some(first) = steps.peek().map(|step| step.at_ms) else {
        return Err(format!("the scheme has not said {word}"));
    };
    let Some(step) = steps.find(|step| step.at_ms == notice.at.0) else {
        return Err(format!("the scheme dates it {first}: core could not put its news in their order"));
    };
    let fee = match &notice.news {
        News::Closed { fee: Some(fee), .. } => Some((fee.minor(), fee.currency().code())),
        _ => None,
    };
    if fee != step.fee_minor.map(|minor| (minor, books.currency.as_str())) {
        let said = |minor: Option<i64>| minor.map_or_else(|| "no fee".to_owned(), |minor| format!("a fee of {minor}"));
        return Err(format!(
            "the scheme names {}, and the channel {}",
            said(step.fee_minor),
            said(fee.map(|fee| fee.0))
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use saoma_protocol::{Amount, Currency, Millis};

    use super::*;
    use crate::conformance::far_side::DisputeStep;

    #[test]
    fn what_the_scheme_did_not_say_is_a_lie() {
        let step = |news: &str, at_ms, fee_minor| DisputeStep { news: news.to_owned(), at_ms, fee_minor };
        let books = DisputeBooks {
            case_number: "D-1".to_owned(),
            amount_minor: 1_250,
            currency: "CNY".to_owned(),
            told: vec![
                step("opened", 10, None),
                step("evidence-wanted", 12, None),
                step("evidence-wanted", 14, None),
                step("lost", 20, Some(1_500)),
            ],
        };
        let opened = News::Opened { respond_by: None };
        let asked = News::Asked { respond_by: None };
        let fee = |minor| Some(Amount::new(minor, Currency::CNY).expect("an amount"));
        let closed = |outcome| News::Closed { outcome, fee: fee(1_500) };
        for (case, minor, news, at, holds) in [
            ("D-1", 1_250, opened.clone(), 10, true),
            ("D-1", 1_250, closed(Outcome::Lost), 20, true),
            ("D-1", 1_250, closed(Outcome::Won), 20, false),
            ("D-1", 1_250, News::Closed { outcome: Outcome::Lost, fee: None }, 20, false),
            ("D-1", 1_250, News::Closed { outcome: Outcome::Lost, fee: fee(150_000) }, 20, false),
            ("D-1", 1_250, asked.clone(), 12, true),
            ("D-1", 1_250, asked.clone(), 14, true),
            ("D-1", 1_250, asked, 10, false),
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
