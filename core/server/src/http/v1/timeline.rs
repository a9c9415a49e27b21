//! `/v1/payments/{payment}/timeline`: all that happened to one payment, and what it did to the books.

use actix_web::web;
use saoma_protocol::{
    ChannelAccountId, DisputeId, Millis, Money, PaymentId, RefundId,
    api::{PaymentView, RefundView},
};
use saoma_store::{StoreError, disputes, events, ledger, refunds};
use serde::Serialize;
use utoipa::ToSchema;

use super::payments::load;
use crate::{
    app::App,
    http::{
        auth::{Caller, rights::ReadPayments},
        problem::Problem,
        router::other_method,
    },
    payments::{DisputeView, dispute_view, payment_view, refund_view},
};

pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/payments/{payment}/timeline").route(web::get().to(show)).default_service(web::to(other_method)),
    );
}

#[derive(Serialize, ToSchema)]
pub struct Timeline {
    payment: PaymentView,
    refunds: Vec<RefundView>,
    disputes: Vec<DisputeView>,
    /// Oldest first.
    events: Vec<TimelineEvent>,
    /// In the order in which they were booked.
    posting_sets: Vec<PostingSetView>,
    /// The version of its channel account's fee plan that it is booked with; absent for cash.
    #[serde(skip_serializing_if = "Option::is_none")]
    fee_plan_version: Option<u64>,
}

#[derive(Serialize, ToSchema)]
pub struct TimelineEvent {
    sequence: u64,
    /// `created`, `presenting`, `submitting`, `pending`, `no_answer`, `succeeded`, `refund_submitted`, `paid_late`, …
    kind: String,
    /// The payment's version after it.
    version: u64,
    /// Who caused it: a person's, key's or terminal's id, `channel` or `core`.
    actor: String,
    at: Millis,
    #[schema(value_type = Object)]
    data: serde_json::Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispute: Option<DisputeId>,
}

/// A movement: its postings sum to zero.
#[derive(Serialize, ToSchema)]
pub struct PostingSetView {
    at: Millis,
    /// `captured`, `refund_reserved`, `refund_succeeded`, `refund_failed`, `undone`, `dispute_opened`, …
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund: Option<RefundId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dispute: Option<DisputeId>,
    postings: Vec<PostingView>,
}

/// Positive: a debit.
#[derive(Serialize, ToSchema)]
pub struct PostingView {
    account: String,
    money: Money,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel_account: Option<ChannelAccountId>,
}

/// The payment, its refunds, disputes, events and postings, as of one moment.
#[utoipa::path(get, path = "/v1/payments/{payment}/timeline", operation_id = "timeline", tag = "payments", params(("payment" = PaymentId, Path)),
    responses((status = 200, body = Timeline)))]
pub async fn show(
    app: web::Data<App>,
    caller: Caller<ReadPayments>,
    payment: web::Path<PaymentId>,
) -> Result<web::Json<Timeline>, Problem> {
    let (scope, payment) = (caller.scope()?, payment.into_inner());
    load(&app, caller.principal(), scope, payment).await?;
    let (sale, refunds, disputes, events, sets) = app
        .store()
        .read(move |tx| {
            Ok::<_, StoreError>((
                saoma_store::payments::load_sale(tx, &scope, payment)?,
                refunds::of_payment(tx, &scope, payment)?,
                disputes::of_payment(tx, &scope, payment)?,
                events::timeline(tx, &scope, payment)?,
                ledger::of_payment(tx, &scope, payment)?,
            ))
        })
        .await?;
    Ok(web::Json(Timeline {
        payment: payment_view(&app, &sale),
        refunds: refunds.iter().map(refund_view).collect(),
        disputes: disputes.iter().map(dispute_view).collect(),
        events: events.into_iter().map(TimelineEvent::from).collect(),
        posting_sets: sets.into_iter().map(PostingSetView::from).collect(),
        fee_plan_version: sale.payment.fee_plan,
    }))
}

impl From<events::StoredEvent> for TimelineEvent {
    fn from(stored: events::StoredEvent) -> Self {
        let event = stored.event;
        Self {
            sequence: stored.sequence.0,
            kind: event.kind,
            version: event.version,
            actor: event.actor,
            at: event.at,
            data: serde_json::from_str(&event.data_json).unwrap_or_default(),
            refund: event.refund,
            dispute: event.dispute,
        }
    }
}

impl From<ledger::BookedSet> for PostingSetView {
    fn from(set: ledger::BookedSet) -> Self {
        let postings = set
            .postings
            .into_iter()
            .map(|posting| PostingView {
                account: posting.account.text().to_owned(),
                money: posting.money,
                channel_account: set.channel_account.filter(|_| posting.account.is_per_channel()),
            })
            .collect();
        Self { at: set.at, kind: set.kind.text(), refund: set.refund, dispute: set.dispute, postings }
    }
}
