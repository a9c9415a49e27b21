//! Asking a channel how things stand, and undoing what nobody wants any more.

use saoma_channels::{Failure, PaymentAnswer};
use saoma_domain::payment::{Effect, Event, Source, State};
use saoma_protocol::{ChannelAccountId, PaymentId};
use saoma_store::{StoreError, TenantScope, payments, payments::Sale};
use tracing::Instrument as _;

use super::{Outcome, PaymentError, Settled, call::status_of, channel_of, late, settle};
use crate::app::App;

/// An answer as an [`Outcome`] of [`settle`].
pub(super) fn answered(app: &App, answer: PaymentAnswer, source: Source) -> Outcome {
    let status = status_of(&answer, app.now());
    Outcome::Answer {
        number: answer.number,
        amount: answer.amount,
        status,
        reference: answer.reference,
        payer_hint: answer.payer_hint,
        source,
    }
}

async fn heard(
    app: &App,
    scope: TenantScope,
    sale: &Sale,
    reply: Result<PaymentAnswer, Failure>,
) -> Result<Sale, PaymentError> {
    let payment = sale.payment.payment.id;
    match reply {
        Ok(answer) => {
            let settled = settle(app, scope, payment, answered(app, answer, Source::Reply), "channel").await?;
            follow(app, scope, settled).await
        }
        Err(failure) => {
            tracing::warn!(payment.id = %payment, error = %failure, "a channel did not say how things stand");
            // Only a payment that was being submitted learns something from silence.
            let moves =
                failure.may_have_taken_effect() && matches!(sale.payment.payment.state, State::Submitting { .. });
            if moves {
                return Ok(settle(app, scope, payment, Outcome::Event(Event::NoAnswer), "core").await?.sale);
            }
            Ok(app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?)
        }
    }
}

/// Gives back what came late. Closing and asking again are the resolver's, which was woken.
pub(super) async fn follow(app: &App, scope: TenantScope, settled: Settled) -> Result<Sale, PaymentError> {
    if settled.follow_ups.contains(&Effect::RefundLate) {
        late(app, scope, settled.sale.payment.payment.id).await?;
        let payment = settled.sale.payment.payment.id;
        return Ok(app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?);
    }
    Ok(settled.sale)
}

/// Asks the channel how the payment stands, and believes what may be believed.
///
/// # Errors
/// `NoChannel` for cash, `Store`.
pub async fn ask(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Sale, PaymentError> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    let channel = channel_of(app, scope, &sale).await?;
    let reply = app.channels().query(&channel.account, payment).await;
    heard(app, scope, &sale, reply).await
}

/// Asks the channel to undo the payment, and books what it says.
///
/// # Errors
/// As [`ask`].
pub async fn close_now(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Sale, PaymentError> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    let channel = channel_of(app, scope, &sale).await?;
    let reply = app.channels().cancel(&channel.account, payment).await;
    heard(app, scope, &sale, reply).await
}

/// A person does not want it any more. A code on show dies at once; what is with the channel only the channel can undo.
///
/// # Errors
/// `Refused` once it is paid, `Store`.
pub async fn cancel(app: &App, scope: TenantScope, payment: PaymentId, actor: &str) -> Result<Sale, PaymentError> {
    if let Some(paid) = paid_meanwhile(app, scope, payment).await? {
        return Ok(paid);
    }
    let settled = settle(app, scope, payment, Outcome::Event(Event::Cancel), actor).await?;
    if settled.follow_ups.contains(&Effect::AskClose) {
        return close_now(app, scope, payment).await;
    }
    Ok(settled.sale)
}

/// The code's time is over, or it was opened too often.
///
/// # Errors
/// `Store`.
pub async fn expire(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Sale, PaymentError> {
    if let Some(paid) = paid_meanwhile(app, scope, payment).await? {
        return Ok(paid);
    }
    let settled = settle(app, scope, payment, Outcome::Event(Event::Expire), "core").await?;
    if settled.follow_ups.contains(&Effect::AskClose) {
        return close_now(app, scope, payment).await;
    }
    Ok(settled.sale)
}

/// A lost notification must not turn a paid sale into a reversal: before a code on show is closed, the channel is asked.
async fn paid_meanwhile(app: &App, scope: TenantScope, payment: PaymentId) -> Result<Option<Sale>, PaymentError> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    if !matches!(sale.payment.payment.state, State::Presenting { .. }) {
        return Ok(None);
    }
    let sale = ask(app, scope, payment).await?;
    Ok(Some(sale).filter(|sale| matches!(sale.payment.payment.state, State::Captured(_))))
}

/// Books what a channel said on its own about a payment that `account` collects, and gives back what came late.
///
/// # Errors
/// `Store` (`NotFound` if the payment is not that account's).
pub async fn answer_came(
    app: &App,
    scope: TenantScope,
    payment: PaymentId,
    account: ChannelAccountId,
    answer: PaymentAnswer,
    source: Source,
) -> Result<(), PaymentError> {
    let sale = app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    if sale.payment.channel_account != Some(account) {
        return Err(StoreError::NotFound { what: "the payment" }.into());
    }
    let settled = settle(app, scope, payment, answered(app, answer, source), "channel").await?;
    if settled.follow_ups.is_empty() {
        return Ok(());
    }
    // The scheme waits for its acknowledgement, not for what we do next.
    let (app_in, span) = (app.clone(), tracing::Span::current());
    let work = async move {
        if let Err(error) = follow(&app_in, scope, settled).await {
            tracing::error!(payment.id = %payment, %error, "what came late is not given back yet");
        }
    };
    app.in_flight().spawn(work.instrument(span));
    Ok(())
}
