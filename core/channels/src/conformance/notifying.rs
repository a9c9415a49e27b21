//! Notifications of payments and refunds, as the scheme would send them and the component reads them.

use super::{
    far_side::{Message, Played},
    play::{Player, Stop},
    told::{self, Told},
};
use crate::message::HttpMessage;

impl Player<'_> {
    /// `notify [FAULT] [of REFUND]`
    pub(super) async fn notified(&mut self, fault: Option<&str>, refund: Option<&str>) -> Result<Told, Stop> {
        let refund_number = refund.map(|name| Ok::<_, Stop>(self.refund_of(name)?.refund_number.to_string()));
        let refund_number = refund_number.transpose()?;
        let is_cut = fault == Some("truncated");
        let asked = fault.filter(|_| !is_cut);
        let Message { headers, mut body } =
            match self.far_side.notification(&self.number()?, refund_number.as_deref(), asked).await? {
                Played::Done(message) => message,
                Played::Unplayable(why) => return Err(Stop::Skipped(format!("this far side cannot: {why}"))),
            };
        if is_cut {
            body.truncate(body.len() / 2);
        }
        self.last_message = Some(HttpMessage { headers, body });
        let before = self.far_side.heard().await?.len();
        let told = self.read_notification(refund).await?;
        let has_asked = self.far_side.heard().await?.len() > before;
        if fault == Some("wrong-amount") && told.word == "succeeded" && !has_asked {
            let came = format!("{}, and the channel asked nobody", told.sentence);
            return Err(Stop::failed("the amount that the message names, or the scheme's answer about it", came));
        }
        Ok(told)
    }

    /// `again`
    pub(super) async fn notified_again(&mut self) -> Result<Told, Stop> {
        self.read_notification(None).await
    }

    /// The last notification, as this account's component reads it.
    pub(super) async fn read_notification(&mut self, refund: Option<&str>) -> Result<Told, Stop> {
        let Some(message) = self.last_message.clone() else {
            return Err(Stop::failed("a notification before this line", "there is none"));
        };
        let (amount, refund_number) = match refund {
            Some(name) => (self.refund_of(name)?.amount, Some(self.refund_of(name)?.refund_number.to_string())),
            None => (self.sale()?.order.amount, None),
        };
        let outcome = self.caller.parse_notification(&self.account, &message).await;
        let told =
            told::notification(&outcome, &self.number()?, amount.money(), refund_number.as_deref(), self.manifest);
        match refund {
            None => self.believed_by_books(told, true).await,
            Some(name) => {
                let (refund, books) = (self.refund_of(name)?.clone(), self.books().await?);
                self.refund_believed(told, &refund, books).await
            }
        }
    }

    /// Whether the scheme has a notification about the order; it is kept for [`Self::read_notification`].
    pub(super) async fn has_notification(&mut self) -> Result<bool, Stop> {
        let played = self.far_side.notification(&self.number()?, None, None).await?;
        if let Played::Done(Message { headers, body }) = played {
            self.last_message = Some(HttpMessage { headers, body });
            return Ok(true);
        }
        Ok(false)
    }
}
