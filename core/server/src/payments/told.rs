//! What one message of a scheme tells on its own: of one payment, refund or dispute, or of several.

use saoma_channels::NotificationEvent;
use saoma_protocol::{ChannelAccountId, PaymentId};
use saoma_store::{StoreError, TenantScope};

use super::{DisputeNews, PaymentError, answer_came, heard_dispute, refund_notified};
use crate::app::App;

/// How many of a message's events are about something that the account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told {
    pub known: usize,
    pub unknown: usize,
}

/// Takes in the events of one message, in their order. One that is not about anything of the account's is passed over: a
/// message about several must not come again and again because of it.
///
/// # Errors
/// Of the first one that could not be taken in; the others are. Nothing may be acknowledged, and when the scheme sends all of it
/// again, those are as they were.
pub async fn told(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    events: Vec<NotificationEvent>,
) -> Result<Told, PaymentError> {
    let (mut told, mut refused) = (Told::default(), None);
    for event in events {
        match take_in(app, scope, account, event).await {
            Ok(()) => told.known += 1,
            Err(PaymentError::Store(StoreError::NotFound { .. })) => told.unknown += 1,
            Err(error) => {
                tracing::error!(channel_account = %account, %error, "what a scheme told cannot be booked");
                refused = refused.or(Some(error));
            }
        }
    }
    refused.map_or(Ok(told), Err)
}

async fn take_in(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    event: NotificationEvent,
) -> Result<(), PaymentError> {
    match event {
        NotificationEvent::Payment(answer) => {
            answer_came(app, scope, payment_named(&answer.number)?, account, answer).await
        }
        NotificationEvent::Refund(answer) => refund_notified(app, scope, account, answer).await,
        NotificationEvent::Dispute(notice) => {
            let news = DisputeNews {
                account,
                payment: payment_named(&notice.number)?,
                case_reference: notice.case_number,
                amount: notice.amount,
                reason_code: notice.reason_code,
                news: notice.news,
                at: notice.at,
            };
            heard_dispute(app, scope, news).await.map(drop)
        }
    }
}

fn payment_named(number: &str) -> Result<PaymentId, StoreError> {
    number.parse().map_err(|_| StoreError::NotFound { what: "the payment" })
}
