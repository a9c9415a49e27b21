//! Settling by hand what a channel leaves open: one person proposes how it ended, with the channel's own number and a reason,
//! and another confirms. Always two: it moves the books without the channel's word.
//!
//! Before it is carried out the channel is asked once more. Whatever it says goes first: if it says how the payment or refund
//! ended, or something that the proposal contradicts, the settlement is refused. Afterwards core goes on asking about a
//! payment, and what the channel says in the end is booked.

use saoma_channels::PaymentStatus;
use saoma_protocol::{HandSettlementId, Millis, PaymentId, RefundId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    hand_settlements::{self, HandSettlement, State},
    payments, refunds,
};

use super::{Outcome, PaymentError, ask, kind, refund, resume_refund, settle, settle::record};
use crate::app::App;

/// How a person says that it ended.
#[derive(Clone, Debug)]
pub struct Proposal {
    pub id: HandSettlementId,
    pub payment: PaymentId,
    /// `None`: the payment itself.
    pub refund: Option<RefundId>,
    pub paid: bool,
    pub reference: String,
    pub reason: String,
    pub actor: String,
}

/// Writes a proposal down; nothing is settled by it.
///
/// # Errors
/// `Refused` or `RefundRefused` if it is not open, `Store` (`Conflict` if another proposal about it waits).
pub async fn propose(app: &App, scope: TenantScope, wish: Proposal) -> Result<HandSettlement, PaymentError> {
    let now = app.now();
    let proposal = HandSettlement {
        id: wish.id,
        payment: wish.payment,
        refund: wish.refund,
        paid: wish.paid,
        reference: wish.reference,
        reason: wish.reason,
        state: State::Proposed,
        proposed_by: wish.actor,
        proposed_at: now,
        decided_by: None,
        decided_at: None,
        outcome: None,
    };
    let written = proposal.clone();
    app.store()
        .write(move |tx| {
            check_open(tx, &scope, &written, now)?;
            hand_settlements::propose(tx, &scope, &written)?;
            note(tx, &scope, &written, kind::HAND_PROPOSED, &written.proposed_by, &words(&written), now)
        })
        .await?;
    app.news_of(scope.tenant());
    Ok(proposal)
}

/// Whether there is anything to settle: what the domain would refuse is refused at once.
fn check_open(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    proposal: &HandSettlement,
    now: Millis,
) -> Result<(), PaymentError> {
    let stored = payments::load(tx, scope, proposal.payment)?;
    let paid = proposal.paid;
    match proposal.refund {
        None => {
            let event = saoma_domain::payment::Event::SettledByHand { paid, at: now };
            saoma_domain::payment::decide(&stored.payment, &event, now)?;
        }
        Some(id) => {
            let refund = refunds::load(tx, scope, id)?;
            if refund.payment != proposal.payment {
                return Err(StoreError::NotFound { what: "the refund" }.into());
            }
            saoma_domain::refund::decide(&refund.refund, &saoma_domain::refund::Event::SettledByHand { paid })?;
        }
    }
    Ok(())
}

/// Carries a proposal out, after the channel was asked once more.
///
/// # Errors
/// `SamePerson`, `ChannelSays`, `Refused`/`RefundRefused` if it is not open any more, `Store` (`Stale` if it was decided).
pub async fn confirm(
    app: &App,
    scope: TenantScope,
    id: HandSettlementId,
    actor: &str,
) -> Result<HandSettlement, PaymentError> {
    let proposal = waiting(app, scope, id).await?;
    if proposal.proposed_by == actor {
        return Err(PaymentError::SamePerson);
    }
    if let Some(why) = contradicted(app, scope, &proposal).await? {
        decide(app, scope, &proposal, State::Refused, actor, &why).await?;
        return Err(PaymentError::ChannelSays(why));
    }
    // Of two who confirm at once one gets through here.
    decide(app, scope, &proposal, State::CarriedOut, actor, "").await?;
    let (paid, reference, words) = (proposal.paid, proposal.reference.clone(), words(&proposal));
    match proposal.refund {
        None => drop(settle(app, scope, proposal.payment, Outcome::ByHand { paid, reference, words }, actor).await?),
        Some(refund) => refund::heard(app, scope, refund, refund::Heard::ByHand { paid, reference, words }).await?,
    }
    Ok(app.store().read(move |tx| hand_settlements::load(tx, &scope, id)).await?)
}

/// Takes a proposal back.
///
/// # Errors
/// `Store` (`Stale` if it was decided).
pub async fn withdraw(
    app: &App,
    scope: TenantScope,
    id: HandSettlementId,
    actor: &str,
) -> Result<HandSettlement, PaymentError> {
    let proposal = waiting(app, scope, id).await?;
    decide(app, scope, &proposal, State::Withdrawn, actor, "").await?;
    Ok(app.store().read(move |tx| hand_settlements::load(tx, &scope, id)).await?)
}

async fn waiting(app: &App, scope: TenantScope, id: HandSettlementId) -> Result<HandSettlement, PaymentError> {
    let proposal = app.store().read(move |tx| hand_settlements::load(tx, &scope, id)).await?;
    if proposal.state == State::Proposed {
        return Ok(proposal);
    }
    Err(StoreError::Stale { what: "the settlement by hand" }.into())
}

/// Asks the channel once more; what speaks against the proposal, if anything does. A channel that cannot be asked does not.
async fn contradicted(
    app: &App,
    scope: TenantScope,
    proposal: &HandSettlement,
) -> Result<Option<String>, PaymentError> {
    if let Some(id) = proposal.refund {
        let stored = app.store().read(move |tx| refunds::load(tx, &scope, id)).await?;
        match resume_refund(app, scope, stored).await {
            Err(error) if error.is_of_the_channel() => {}
            asked => asked?,
        }
    }
    let said = match proposal.refund {
        Some(_) => None,
        None => match ask(app, scope, proposal.payment).await {
            Err(error) if error.is_of_the_channel() => None,
            asked => asked?.status,
        },
    };
    let (now, checked) = (app.now(), proposal.clone());
    let still_open = app.store().read(move |tx| match check_open(tx, &scope, &checked, now) {
        Err(PaymentError::Refused(_) | PaymentError::RefundRefused(_)) => Ok::<_, PaymentError>(false),
        checked => checked.map(|()| true),
    });
    if !still_open.await? {
        return Ok(Some("it has ended".to_owned()));
    }
    Ok(match said {
        Some(PaymentStatus::Pending) => Some("it is still open".to_owned()),
        Some(PaymentStatus::NotFound) if proposal.paid => Some("it has no such order".to_owned()),
        Some(
            PaymentStatus::NotFound
            | PaymentStatus::Succeeded
            | PaymentStatus::Failed(_)
            | PaymentStatus::Closed
            | PaymentStatus::Refunded,
        )
        | None => None,
    })
}

async fn decide(
    app: &App,
    scope: TenantScope,
    proposal: &HandSettlement,
    state: State,
    actor: &str,
    outcome: &str,
) -> Result<(), PaymentError> {
    let (now, proposal) = (app.now(), proposal.clone());
    let (actor, outcome) = (actor.to_owned(), outcome.to_owned());
    let name = match state {
        State::Proposed => kind::HAND_PROPOSED,
        State::CarriedOut => kind::HAND_CONFIRMED,
        State::Refused => kind::HAND_REFUSED,
        State::Withdrawn => kind::HAND_WITHDRAWN,
    };
    app.store()
        .write(move |tx| {
            hand_settlements::decide(tx, &scope, proposal.id, state, &actor, &outcome, now)?;
            note(tx, &scope, &proposal, name, &actor, &outcome, now)
        })
        .await?;
    app.news_of(scope.tenant());
    Ok(())
}

fn words(proposal: &HandSettlement) -> String {
    let outcome = if proposal.paid { "paid" } else { "not paid" };
    format!("{outcome}; number at the channel: {:?}; {}", proposal.reference, proposal.reason)
}

/// In the payment's timeline and in the audit log, with both persons' names.
fn note(
    tx: &mut Tx<'_>,
    scope: &TenantScope,
    proposal: &HandSettlement,
    name: &str,
    actor: &str,
    words: &str,
    now: Millis,
) -> Result<(), PaymentError> {
    let stored = payments::load(tx, scope, proposal.payment)?;
    record(tx, scope, &stored, proposal.refund, name, words, actor, now)?;
    let detail = serde_json::json!({
        "payment": proposal.payment, "refund": proposal.refund, "paid": proposal.paid, "reference": proposal.reference,
        "reason": proposal.reason, "proposed_by": proposal.proposed_by, "by": actor, "outcome": words,
    });
    let entry = audit::NewEntry {
        actor: actor.to_owned(),
        action: format!("payment.{name}"),
        subject: proposal.id.to_string(),
        detail_json: detail.to_string(),
        at: now,
    };
    audit::append(tx, scope, &entry)?;
    Ok(())
}
