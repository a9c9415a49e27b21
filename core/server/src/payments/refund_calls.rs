//! What is asked of a channel about a refund: to pay it, and how it stands. What comes of it is booked by [`heard`].

use saoma_channels::{Capability, Manifest, PaymentStatus, RefundAnswer, RefundStatus};
use saoma_domain::{
    payment::{Amounts, Method},
    refund::{AnswerStatus, Event, State},
};
use saoma_protocol::{ChannelAccountId, RefundId, api::RefundKind};
use saoma_store::{
    StoreError, TenantScope, channel_accounts,
    payments::{self, StoredPayment},
    refunds::{self, StoredRefund},
};

use super::{
    PaymentError,
    call::{Channel, amounts, channel_of, failure, known_order, not_sent, refund_order, scheme_words, served},
    collect::pace,
    refund::{Heard, heard, is_over},
};
use crate::{
    app::App,
    settlement::{Counted, check_may_send},
};

/// Longest note of what a channel said.
const NOTE_CHARS_MAX: usize = 200;

/// Takes up a refund whose end nobody has heard.
///
/// # Errors
/// `NoChannel`, `Secrets`, `BatchClosing`, `Store`.
pub async fn resume(app: &App, scope: TenantScope, refund: StoredRefund) -> Result<(), PaymentError> {
    let (payment, id) = (refund.payment, refund.refund.id);
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    if sale.payment.payment.method == Method::Cash {
        return heard(app, scope, refund.refund.id, Heard::PaidFromTheSafe).await;
    }
    let channel = channel_of(app, scope, &sale).await?;
    if refund.watch.doubted_at.is_some() {
        return look_in_doubt(app, scope, &sale.payment, &refund, &channel).await;
    }
    // Whoever is called for it: what is sent again may be carried out now.
    let counted = counted(&refund, &channel);
    check_may_send(app, scope, channel.account.id, counted).await?;
    let call_ms = pace(&channel.manifest).call_ms;
    let refund = match refund.refund.state {
        // Nothing was sent before this commit.
        State::Created => {
            heard(app, scope, id, Heard::Event { event: Event::Submit, busy_ms: call_ms }).await?;
            let refund = app.store().read(move |tx| refunds::load(tx, &scope, id)).await?;
            return if refund.refund.state == State::Submitting {
                ask(app, scope, refund, &channel).await
            } else {
                Ok(())
            };
        }
        // It may have been sent before the process ended: from now on a repeat that does not get through proves nothing.
        State::Submitting => {
            // It is asked about, and may be sent, before anybody else takes it up.
            heard(app, scope, id, Heard::Event { event: Event::NoAnswer, busy_ms: 2 * call_ms }).await?;
            app.store().read(move |tx| refunds::load(tx, &scope, id)).await?
        }
        State::Pending | State::Unknown | State::Succeeded | State::Failed { .. } => refund,
    };
    if is_over(&refund.refund.state) {
        return Ok(());
    }
    // A void is asked for again: it is the same request, and says how things stand.
    if by_cancel(&channel, refund.refund.kind) {
        return ask(app, scope, refund, &channel).await;
    }
    if query(app, scope, &sale.payment, &refund, &channel).await? == Some(RefundStatus::NotFound) {
        check_may_send(app, scope, channel.account.id, counted).await?;
        return ask(app, scope, refund, &channel).await;
    }
    Ok(())
}

fn counted(refund: &StoredRefund, channel: &Channel) -> Counted {
    let was_sent = matches!(refund.refund.state, State::Submitting | State::Pending | State::Unknown);
    if refund.watch.attention_at.is_none() && was_sent {
        return Counted::Yes;
    }
    Counted::No { call_ms: pace(&channel.manifest).call_ms }
}

/// A refund that a crash left on its way, and whose channel cannot be called: nobody knows, and it is as unknown as any.
///
/// # Errors
/// `Store`.
pub async fn take_as_unanswered(
    app: &App,
    scope: TenantScope,
    refund: StoredRefund,
) -> Result<StoredRefund, PaymentError> {
    let id = refund.refund.id;
    if refund.refund.state != State::Submitting {
        return Ok(refund);
    }
    heard(app, scope, id, Heard::Event { event: Event::NoAnswer, busy_ms: 0 }).await?;
    Ok(app.store().read(move |tx| refunds::load(tx, &scope, id)).await?)
}

/// Asks how the refund stands, and sends nothing that could give money back a second time. What was said, as long as it is
/// open.
///
/// # Errors
/// `NoChannel`, `Secrets`, `Store`.
pub(super) async fn look(app: &App, scope: TenantScope, id: RefundId) -> Result<Option<RefundStatus>, PaymentError> {
    let (sale, refund) = app
        .store()
        .read(move |tx| {
            let refund = refunds::load(tx, &scope, id)?;
            Ok::<_, StoreError>((payments::load_sale(tx, &scope, refund.payment)?, refund))
        })
        .await?;
    // Nothing was sent, or nothing is to be sent any more: a void is asked about by asking for it again.
    if refund.refund.state == State::Created || is_over(&refund.refund.state) {
        return Ok(None);
    }
    let channel = channel_of(app, scope, &sale).await?;
    if !by_cancel(&channel, refund.refund.kind) {
        return query(app, scope, &sale.payment, &refund, &channel).await;
    }
    check_may_send(app, scope, channel.account.id, counted(&refund, &channel)).await?;
    // The whole is undone once, however often it is asked for.
    ask(app, scope, refund, &channel).await?;
    let refund = app.store().read(move |tx| refunds::load(tx, &scope, id)).await?;
    Ok(Some(RefundStatus::Pending).filter(|_| refund.refund.state == State::Pending))
}

/// How a refund stands whose end is in doubt: nothing is sent that could give money back.
async fn look_in_doubt(
    app: &App,
    scope: TenantScope,
    payment: &StoredPayment,
    refund: &StoredRefund,
    channel: &Channel,
) -> Result<(), PaymentError> {
    let since_version = Some(refund.version);
    let answer = |number: String, status: AnswerStatus, note: String| Heard::Answer {
        number,
        amount: None,
        amounts: Amounts::NotNamed,
        status,
        since_version,
        reference: String::new(),
        words: String::new(),
        note: note.chars().take(NOTE_CHARS_MAX).collect(),
    };
    let id = refund.refund.id;
    let outcome = if by_cancel(channel, refund.refund.kind) {
        match app.channels().query(&channel.account, &known_order(payment, channel)).await {
            Ok(said) => {
                let number = if said.number == payment.payment.id.to_string() { id.to_string() } else { said.number };
                let status = match said.status {
                    PaymentStatus::Closed | PaymentStatus::Refunded => AnswerStatus::Succeeded,
                    PaymentStatus::Pending => AnswerStatus::Pending,
                    // It was not undone, as far as the channel knows yet.
                    PaymentStatus::Succeeded | PaymentStatus::NotFound | PaymentStatus::Failed(_) => {
                        AnswerStatus::NotFound
                    }
                };
                answer(number, status, format!("query: {:?}", said.status))
            }
            Err(silence) => Heard::Silence { event: Event::NoAnswer, note: format!("query: {}", silence.code()) },
        }
    } else if query(app, scope, payment, refund, channel).await? == Some(RefundStatus::NotFound) {
        answer(id.to_string(), AnswerStatus::NotFound, "query-refund: not found".to_owned())
    } else {
        return Ok(());
    };
    heard(app, scope, id, outcome).await
}

/// One question about a refund that was sent. What was said, unless it was not believed or nothing was.
async fn query(
    app: &App,
    scope: TenantScope,
    payment: &StoredPayment,
    refund: &StoredRefund,
    channel: &Channel,
) -> Result<Option<RefundStatus>, PaymentError> {
    let (id, order) = (refund.refund.id, refund_order(payment, refund, channel));
    let (said, outcome) = match app.channels().query_refund(&channel.account, &order).await {
        // What follows is sent, or waits for its turn: neither is something new about the refund.
        Ok(answer) if answer.status == RefundStatus::NotFound => return Ok(Some(answer.status)),
        Ok(answer) => {
            (Some(answer.status.clone()), said_of(&channel.manifest, "query-refund", Some(refund.version), answer))
        }
        Err(silence) => {
            tracing::warn!(refund.id = %id, error = %silence, "a channel did not say how a refund stands");
            (None, Heard::Silence { event: Event::NoAnswer, note: format!("query-refund: {}", silence.code()) })
        }
    };
    heard(app, scope, id, outcome).await?;
    Ok(said)
}

/// What the channel says of a refund on its own.
///
/// # Errors
/// `Store` (`NotFound` if the refund is not of this channel account), `NoChannel`.
pub async fn refund_notified(
    app: &App,
    scope: TenantScope,
    account: ChannelAccountId,
    answer: RefundAnswer,
) -> Result<(), PaymentError> {
    let unknown = || StoreError::NotFound { what: "the refund" };
    let id: RefundId = answer.refund_number.parse().map_err(|_| unknown())?;
    let stored = app
        .store()
        .read(move |tx| {
            let refund = refunds::load(tx, &scope, id)?;
            payments::load(tx, &scope, refund.payment)
        })
        .await?;
    if stored.channel_account != Some(account) {
        return Err(unknown().into());
    }
    // The scheme does not send of its own accord that it has no such refund; if it did, a late word must not make core pay twice.
    if answer.status == RefundStatus::NotFound {
        return Ok(());
    }
    let plugin = app.store().read(move |tx| channel_accounts::load(tx, &scope, account)).await?.plugin;
    let manifest = served(app, scope, &plugin)?.manifest;
    heard(app, scope, id, said_of(&manifest, "notification", None, answer)).await
}

/// A refund's answer as it is booked.
fn said_of(manifest: &Manifest, asked: &str, since_version: Option<u64>, answer: RefundAnswer) -> Heard {
    Heard::Answer {
        number: answer.refund_number,
        amount: answer.amount,
        amounts: amounts(manifest),
        words: decline_words(&answer.status),
        note: format!("{asked}: {}", refund_said(&answer.status)),
        status: refund_status(answer.status),
        since_version,
        reference: answer.reference,
    }
}

/// A void is a cancel; so is giving back what came late at a channel that knows no refunds.
fn by_cancel(channel: &Channel, kind: RefundKind) -> bool {
    match kind {
        RefundKind::Void => channel.manifest.can(Capability::Cancel),
        RefundKind::Late => !channel.manifest.can(Capability::Refund),
        RefundKind::Refund => false,
    }
}

/// The call. What comes of it is booked by [`heard`].
pub(super) async fn ask(
    app: &App,
    scope: TenantScope,
    refund: StoredRefund,
    channel: &Channel,
) -> Result<(), PaymentError> {
    let payment = refund.payment;
    let stored = app.store().read(move |tx| payments::load(tx, &scope, payment)).await?;
    let (id, since_version) = (refund.refund.id, Some(refund.version));
    let reply = if by_cancel(channel, refund.refund.kind) {
        app.channels().cancel(&channel.account, &known_order(&stored, channel)).await.map(|answer| Heard::Answer {
            number: if answer.number == payment.to_string() { id.to_string() } else { answer.number },
            // The answer is about the payment: its amount is the refund's, since a void is of the whole, also unnamed.
            amount: answer.amount,
            amounts: Amounts::NotNamed,
            words: scheme_words(&answer.status),
            note: format!("cancel: {:?}", answer.status).chars().take(NOTE_CHARS_MAX).collect(),
            status: match answer.status {
                PaymentStatus::Closed | PaymentStatus::Refunded => AnswerStatus::Succeeded,
                PaymentStatus::Pending => AnswerStatus::Pending,
                PaymentStatus::NotFound => AnswerStatus::NotFound,
                PaymentStatus::Failed(decline) => AnswerStatus::Failed { failure: failure(decline.code) },
                PaymentStatus::Succeeded => {
                    AnswerStatus::Failed { failure: failure(saoma_channels::DeclineCode::NotPermitted) }
                }
            },
            since_version,
            reference: String::new(),
        })
    } else {
        let order = refund_order(&stored, &refund, channel);
        let reply = app.channels().refund(&channel.account, &order).await;
        reply.map(|answer| said_of(&channel.manifest, "refund", since_version, answer))
    };
    let outcome = reply.unwrap_or_else(|silence| {
        tracing::warn!(refund.id = %id, error = %silence, "a channel did not answer about a refund");
        let event = if silence.may_have_taken_effect() {
            Event::NoAnswer
        } else {
            Event::NotSent { failure: not_sent(&silence) }
        };
        Heard::Silence { event, note: format!("refund: {}", silence.code()) }
    });
    heard(app, scope, id, outcome).await
}

fn refund_status(status: RefundStatus) -> AnswerStatus {
    match status {
        RefundStatus::Succeeded => AnswerStatus::Succeeded,
        RefundStatus::Pending => AnswerStatus::Pending,
        RefundStatus::Failed(decline) => AnswerStatus::Failed { failure: failure(decline.code) },
        RefundStatus::NotFound => AnswerStatus::NotFound,
    }
}

const fn refund_said(status: &RefundStatus) -> &'static str {
    match status {
        RefundStatus::Succeeded => "succeeded",
        RefundStatus::Pending => "pending",
        RefundStatus::Failed(_) => "failed",
        RefundStatus::NotFound => "not found",
    }
}

fn decline_words(status: &RefundStatus) -> String {
    match status {
        RefundStatus::Failed(decline) => decline.message.clone(),
        RefundStatus::Succeeded | RefundStatus::Pending | RefundStatus::NotFound => String::new(),
    }
}
