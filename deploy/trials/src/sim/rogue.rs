//! Use-cases written wrongly, for the canaries: each does one thing in the wrong order, or without a check that matters.

use saoma_channels::{Account, Order, PaymentAnswer, RefundAnswer, RefundOrder, Secrets};
use saoma_domain::{
    ledger::{Kind, rules},
    payment::{Amounts, AnswerStatus, Close, Source, State},
    refund::State as Refund,
};
use saoma_protocol::{
    Money, PaymentId, RefundId, Sequence, StoreId,
    api::PaymentState,
    message::{Envelope, Push, PushBody},
    topic::{Leaf, Topic},
};
use saoma_server::payments::{Collect, GiveBack, Heard, How, Outcome, PaymentError, payment_view, settle};
use saoma_store::{
    StoreError,
    ledger::{self, Booking, Subject},
    outbox,
    payments::{self, Filter, Sale},
    refunds,
};

use super::{canary::Canary, door::Hall, template::TERMINALS, wires::Wanted};

fn account(hall: &Hall) -> Account {
    Account {
        id: hall.account,
        tenant: hall.scope.tenant(),
        channel: "model".to_owned(),
        settings_json: "{}".to_owned(),
        secrets: Secrets::none(),
        package: None,
        notify_url: String::new(),
    }
}

/// [`Canary::ChargedBeforeWritten`].
pub async fn charge_first(hall: &Hall, wish: &Collect) {
    let How::Charge { code } = &wish.how else { return };
    let now = hall.app.now();
    let order = Order {
        number: wish.id,
        amount: wish.amount,
        subject: String::new(),
        merchant_name: String::new(),
        store_name: String::new(),
        store: StoreId::from_bytes([0; 16]),
        terminal: None,
        terminal_name: String::new(),
        created_at: now,
        expires_at: now.plus(30_000),
    };
    let _ = hall.app.channels().charge(&account(hall), &order, code.expose()).await;
}

/// Whether a refund has failed here: [`Canary::LateRefundDropped`].
pub async fn has_failed(hall: &Hall, answer: &RefundAnswer) -> Result<bool, StoreError> {
    let (scope, missing) = (hall.scope, StoreError::NotFound { what: "the refund" });
    let id: RefundId = answer.refund_number.parse().map_err(|_| missing)?;
    let refund = hall.app.store().read(move |tx| refunds::load(tx, &scope, id)).await?;
    Ok(matches!(refund.refund.state, Refund::Failed { .. }))
}

/// [`Canary::NothingSetAside`].
pub async fn refund_first(hall: &Hall, wish: &GiveBack) {
    let (scope, payment) = (hall.scope, wish.payment);
    let Ok(sale) = hall.app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await else { return };
    let total = sale.payment.payment.amount;
    let Some(amount) = wish.amount.filter(|amount| amount.minor() <= sale.payment.payment.refundable_minor()) else {
        return;
    };
    let refund = RefundOrder {
        number: payment,
        reference: String::new(),
        refund_number: wish.id,
        amount,
        total,
        reason: String::new(),
        created_at: hall.app.now(),
        card: None,
    };
    let _ = hall.app.channels().refund(&account(hall), &refund).await;
}

/// [`Canary::PostedTwice`].
pub async fn post_again(hall: &Hall, sale: &Sale) -> Result<(), StoreError> {
    let stored = sale.payment.clone();
    if !matches!(stored.payment.state, State::Captured(_)) {
        return Ok(());
    }
    let (scope, at, account) = (hall.scope, hall.app.now(), stored.channel_account);
    let sets =
        rules::captured(stored.payment.method, stored.payment.amount, Money::new(0, stored.payment.amount.currency()));
    // Under a name that was not used yet: the store would turn the same movement away.
    let (subject, kind) = (Subject::Payment(stored.payment.id), Kind::DisputeWon);
    let booking = Booking { subject, kind, channel_account: account, at, booked_at: at };
    hall.app.store().write(move |tx| ledger::post(tx, &scope, &booking, &sets)).await
}

/// [`Canary::LateSuccessDropped`].
pub async fn is_closed(hall: &Hall, payment: PaymentId) -> Result<bool, StoreError> {
    let scope = hall.scope;
    let stored = hall.app.store().read(move |tx| payments::load(tx, &scope, payment)).await?;
    let state = stored.payment.public_state();
    Ok(state.is_settled() && !state.is_paid())
}

/// [`Canary::SentBeforeCommit`].
pub async fn tell_first(hall: &Hall, payment: PaymentId) -> Result<(), StoreError> {
    let scope = hall.scope;
    let sale = hall.app.store().read(move |tx| payments::load_sale(tx, &scope, payment)).await?;
    let mut view = payment_view(&hall.app, &sale);
    let Some(terminal) = view.terminal.filter(|_| !view.state.is_settled()) else { return Ok(()) };
    view.state = PaymentState::Succeeded;
    view.version += 1;
    let id = Sequence(super::facts::OWN_PUSHES + hall.wires.lock().luck.below(1_000));
    let push = Push { id, at: hall.app.now(), body: PushBody::Payment { payment: view } };
    let Ok(payload) = Envelope::new(push, None).encode() else { return Ok(()) };
    let topic = Topic { tenant: scope.tenant(), terminal, leaf: Leaf::Push };
    hall.wires.want(Wanted::Publish { topic, payload });
    Ok(())
}

/// [`Canary::OldNewsBelieved`].
pub async fn believe(hall: &Hall, payment: PaymentId, answer: PaymentAnswer) -> Result<(), PaymentError> {
    let scope = hall.scope;
    let stored = hall.app.store().read(move |tx| payments::load(tx, &scope, payment)).await?;
    let heard = Heard {
        number: answer.number,
        amount: answer.amount,
        amounts: Amounts::Named,
        status: AnswerStatus::Succeeded { paid_at: hall.app.now() },
        reference: answer.reference,
        payer_hint: String::new(),
        source: Source::Reply,
        since_version: Some(stored.version),
        words: String::new(),
        note: None,
    };
    settle(&hall.app, scope, payment, Outcome::Answer(heard), "channel").await?;
    // Nor is it asked about again, which would set it right.
    let forget = hall.app.store().write(move |tx| {
        let mut stored = payments::load(tx, &scope, payment)?;
        if stored.watch.doubted_at.take().is_some() {
            stored.next_attempt_at = None;
            payments::save(tx, &scope, &mut stored)?;
        }
        Ok::<_, StoreError>(())
    });
    Ok(forget.await?)
}

/// [`Canary::SentIsDelivered`].
pub async fn take_as_delivered(hall: &Hall) -> Result<(), StoreError> {
    let (scope, now) = (hall.scope, hall.app.now());
    hall.app
        .store()
        .write(move |tx| {
            for terminal in TERMINALS {
                let pending = outbox::pending(tx, &scope, terminal, Sequence(0), 100)?;
                let sent: Vec<Sequence> = pending.iter().filter(|push| push.attempts > 0).map(|push| push.id).collect();
                outbox::ack(tx, &scope, terminal, &sent, now)?;
            }
            Ok::<_, StoreError>(())
        })
        .await
}

/// [`Canary::LostUpdate`] and [`Canary::PaidIsExpired`], instead of the worker that ends codes.
pub async fn expire(hall: &Hall, canary: Canary) -> Result<(), StoreError> {
    let (scope, now) = (hall.scope, hall.app.now());
    let listed = hall.app.store().read(move |tx| payments::list(tx, &scope, &Filter::default(), None, 100)).await?;
    for sale in listed.sales {
        let over = sale.code.as_ref().is_some_and(|code| code.expires_at <= now);
        let state = &sale.payment.payment.state;
        let wrong = match canary {
            Canary::PaidIsExpired => matches!(state, State::Captured(_) | State::Presenting { .. }),
            _ => matches!(state, State::Presenting { .. }),
        };
        if !over || !wrong {
            continue;
        }
        let mut stale = sale.payment;
        stale.payment.state = State::Expired { close: Close::Confirmed };
        hall.app
            .store()
            .write(move |tx| {
                let mut stale = stale.clone();
                stale.version = payments::load(tx, &scope, stale.payment.id)?.version;
                payments::save(tx, &scope, &mut stale)
            })
            .await?;
    }
    Ok(())
}
