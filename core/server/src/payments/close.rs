//! Asking a channel how things stand, and undoing what nobody wants any more.

use saoma_channels::{Failure, Manifest, PaymentAnswer, PaymentStatus};
use saoma_domain::payment::{Close, Effect, Event, Refusal, Source, State};
use saoma_protocol::{ChannelAccountId, PaymentId};
use saoma_store::{
    StoreError, TenantScope, channel_accounts,
    payments::{self, Sale, StoredPayment},
};

use super::{
    Heard, Outcome, PaymentError,
    call::{Channel, amounts, known_order, scheme_words, served, status_of},
    channel_of,
    collect::pace,
    doubt::{is_called_off, is_settled_by_hand},
    settle,
};
use crate::{
    app::App,
    settlement::{Counted, check_may_send},
};

/// An answer as an [`Outcome`] of [`settle`]. `since_version`: see [`Heard::since_version`].
pub(super) fn answered(
    app: &App,
    manifest: &Manifest,
    stored: &StoredPayment,
    answer: PaymentAnswer,
    source: Source,
    since_version: Option<u64>,
) -> Heard {
    Heard {
        status: status_of(&answer, stored, app.now()),
        words: scheme_words(&answer.status),
        number: answer.number,
        amount: answer.amount,
        amounts: amounts(manifest),
        reference: answer.reference,
        payer_hint: answer.payer_hint,
        source,
        since_version,
        note: None,
    }
}

/// What was asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Query,
    Cancel,
}

impl Asked {
    const fn text(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Cancel => "cancel",
        }
    }
}

const fn said(status: &PaymentStatus) -> &'static str {
    match status {
        PaymentStatus::Succeeded => "succeeded",
        PaymentStatus::Pending => "pending",
        PaymentStatus::Failed(_) => "failed",
        PaymentStatus::NotFound => "not found",
        PaymentStatus::Closed => "closed",
        PaymentStatus::Refunded => "refunded",
    }
}

/// One question, and what came of it.
pub struct Reply {
    pub sale: Sale,
    /// What the channel said just now, if it said anything that can be believed.
    pub status: Option<PaymentStatus>,
    /// Why what it said was not believed.
    pub refused: Option<Refusal>,
}

fn counted(stored: &StoredPayment, channel: &Channel) -> Counted {
    let closes = matches!(
        stored.payment.state,
        State::Expired { close: Close::Asked } | State::Cancelled { close: Close::Asked }
    );
    if stored.watch.attention_at.is_none() && (closes || stored.payment.is_open()) {
        return Counted::Yes;
    }
    Counted::No { call_ms: pace(&channel.manifest).call_ms }
}

async fn call(app: &App, scope: TenantScope, payment: PaymentId, asked: Asked) -> Result<Reply, PaymentError> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    let channel = channel_of(app, scope, &sale).await?;
    let (since_version, source) = (
        sale.payment.version,
        match asked {
            Asked::Query => Source::Reply,
            Asked::Cancel => Source::CancelReply,
        },
    );
    if asked == Asked::Cancel {
        check_may_send(app, scope, channel.account.id, counted(&sale.payment, &channel)).await?;
    }
    let reply = match asked {
        Asked::Query => app.channels().query(&channel.account, &known_order(&sale.payment, &channel)).await,
        Asked::Cancel => app.channels().cancel(&channel.account, &known_order(&sale.payment, &channel)).await,
    };
    match reply {
        Ok(answer) => {
            let status = answer.status.clone();
            let note = Some(format!("{}: {}", asked.text(), said(&status)));
            let heard = answered(app, &channel.manifest, &sale.payment, answer, source, Some(since_version));
            let settled = settle(app, scope, payment, Outcome::Answer(Heard { note, ..heard }), "channel").await?;
            // What is not believed was not said.
            let status = Some(status).filter(|_| settled.refused.is_none());
            Ok(Reply { sale: settled.sale, status, refused: settled.refused })
        }
        Err(failure) => {
            Ok(Reply { sale: silence(app, scope, sale, asked, &failure).await?, status: None, refused: None })
        }
    }
}

async fn silence(
    app: &App,
    scope: TenantScope,
    sale: Sale,
    asked: Asked,
    failure: &Failure,
) -> Result<Sale, PaymentError> {
    let (payment, now) = (sale.payment.payment.id, app.now());
    tracing::warn!(payment.id = %payment, error = %failure, "a channel did not say how things stand");
    let words = format!("{}: {}", asked.text(), failure.code());
    app.store().write(move |tx| payments::note_said(tx, &scope, payment, &words, now)).await?;
    // Only a payment that was being submitted learns something from silence.
    if failure.may_have_taken_effect() && matches!(sale.payment.payment.state, State::Submitting { .. }) {
        return Ok(settle(app, scope, payment, Outcome::Event(Event::NoAnswer), "core").await?.sale);
    }
    Ok(app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?)
}

/// Asks the channel how the payment stands, and believes what may be believed.
///
/// # Errors
/// `NoChannel` for cash, `Store`.
pub async fn ask(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Reply, PaymentError> {
    call(app, scope, payment, Asked::Query).await
}

/// Asks the channel about what is over and in doubt. What persons have called unpaid while the channel goes on waiting for the
/// customer is undone there, also where it knows no order: a code that nobody has scanned can be that. Nobody would ever ask the
/// channel to, and it could be paid for ever.
///
/// # Errors
/// As [`close_now`].
pub async fn ask_in_doubt(app: &App, scope: TenantScope, payment: PaymentId) -> Result<(), PaymentError> {
    let Reply { sale, status, .. } = ask(app, scope, payment).await?;
    if !matches!(status, Some(PaymentStatus::Pending | PaymentStatus::NotFound)) {
        return Ok(());
    }
    let version = sale.payment.version;
    let is_to_be_closed = app
        .store()
        .read(move |tx| {
            let stored = payments::load(tx, &scope, payment)?;
            // Somebody may have heard meanwhile that it is paid.
            let is_as_heard = stored.version == version && is_called_off(&stored.payment.state);
            Ok::<_, StoreError>(
                is_as_heard && stored.watch.doubted_at.is_some() && is_settled_by_hand(tx, &scope, payment)?,
            )
        })
        .await?;
    if is_to_be_closed {
        tracing::info!("what persons called unpaid may still be paid: it is undone");
        close_now(app, scope, payment).await?;
    }
    Ok(())
}

/// Asks the channel to undo the payment, and books what it says.
///
/// # Errors
/// As [`ask`]; `BatchClosing`: later.
pub async fn close_now(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Sale, PaymentError> {
    Ok(call(app, scope, payment, Asked::Cancel).await?.sale)
}

/// A person does not want it any more. A code on show dies at once; what is with the channel only the channel can undo.
///
/// # Errors
/// `Refused` once it is paid, `Store`.
pub async fn cancel(app: &App, scope: TenantScope, payment: PaymentId, actor: &str) -> Result<Sale, PaymentError> {
    end(app, scope, payment, Event::Cancel, actor).await
}

/// The code's time is over, or it was opened too often.
///
/// # Errors
/// `Store`.
pub async fn expire(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Sale, PaymentError> {
    end(app, scope, payment, Event::Expire, "core").await
}

/// Ends it here, also while its channel cannot be called: the resolver asks the channel to close it once it can be.
async fn end(
    app: &App,
    scope: TenantScope,
    payment: PaymentId,
    event: Event,
    actor: &str,
) -> Result<Sale, PaymentError> {
    if let Some(paid) = paid_meanwhile(app, scope, payment).await? {
        return Ok(paid);
    }
    let settled = settle(app, scope, payment, Outcome::Event(event), actor).await?;
    if !settled.follow_ups.contains(&Effect::AskClose) {
        return Ok(settled.sale);
    }
    match close_now(app, scope, payment).await {
        Err(error) if error.is_of_the_channel() || matches!(error, PaymentError::BatchClosing) => {
            tracing::warn!(payment.id = %payment, %error, "a payment is closed here and not yet at its channel");
            Ok(settled.sale)
        }
        closed => closed,
    }
}

/// A lost notification must not turn a paid sale into a reversal: before a code on show is closed, the channel is asked. If
/// it cannot be, nobody knows better.
async fn paid_meanwhile(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Option<Sale>, PaymentError> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    if !matches!(sale.payment.payment.state, State::Presenting { .. }) {
        return Ok(None);
    }
    match ask(app, scope, payment).await {
        Ok(Reply { sale, .. }) => {
            Ok(Some(sale).filter(|sale| matches!(sale.payment.payment.state, State::Captured(_))))
        }
        Err(error) if error.is_of_the_channel() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Books what a channel said on its own about a payment that `account` collects. Whatever follows from it is the
/// resolver's: the scheme waits for its acknowledgement.
///
/// # Errors
/// `NoChannel`, `Store` (`NotFound` if the payment is not that account's).
pub async fn answer_came(
    app: &App,
    scope: TenantScope,
    payment: PaymentId,
    account: ChannelAccountId,
    answer: PaymentAnswer,
) -> Result<(), PaymentError> {
    let (sale, stored) = app
        .store()
        .read(move |tx| {
            let sale = payments::load_sale(tx, &scope, payment)?;
            Ok::<_, StoreError>((sale, channel_accounts::load(tx, &scope, account)?))
        })
        .await?;
    if sale.payment.channel_account != Some(account) {
        return Err(StoreError::NotFound { what: "the payment" }.into());
    }
    let manifest = served(app, scope, &stored.plugin)?.manifest;
    let heard = answered(app, &manifest, &sale.payment, answer, Source::Notification, None);
    settle(app, scope, payment, Outcome::Answer(heard), "channel").await.map(drop)
}
