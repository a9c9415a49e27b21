//! Settling by hand what a channel leaves open: one person proposes how it ended, with the channel's own number and a reason,
//! and another confirms. Always two: it moves the books without the channel's word.
//!
//! Before it is carried out the channel is asked once more. Whatever it says goes first: if it says how the payment or refund
//! ended, or something that the proposal contradicts, the settlement is refused. Afterwards core goes on asking about a
//! payment, and what the channel says in the end is booked. What was called paid two persons may take back in the same way until then.

use saoma_channels::{PaymentStatus, RefundStatus};
use saoma_protocol::{HandSettlementId, Millis, PaymentId, RefundId};
use saoma_store::{
    StoreError, TenantScope, Tx, audit,
    hand_settlements::{self, HandSettlement, State},
    idempotency::{self, Fingerprint, Kind},
    payments, refunds, stored_cards,
};

use super::{Outcome, PaymentError, ask, kind, refund, refund_calls, settle, settle::record, stored};
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
    /// By which the same request is known again.
    pub fingerprint: Fingerprint,
}

/// Writes a proposal down; nothing is settled by it. Whether it is new: a repeat finds the first one as it now stands.
///
/// # Errors
/// `Refused` or `RefundRefused` if it is not open, `SettlementExistsDifferently`, `Store` (`Conflict` if another proposal
/// about it waits).
pub async fn propose(app: &App, scope: TenantScope, wish: Proposal) -> Result<(HandSettlement, bool), PaymentError> {
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
    let fingerprint = wish.fingerprint;
    let written = app
        .store()
        .write(move |tx| {
            let key = proposal.id.to_string();
            match idempotency::kept(tx, &scope, Kind::HandSettlement, &key)? {
                Some(first) if first == fingerprint => {
                    return Ok((hand_settlements::load(tx, &scope, proposal.id)?, false));
                }
                Some(_) => return Err(PaymentError::SettlementExistsDifferently(proposal.id)),
                None => {}
            }
            check_open(tx, &scope, &proposal, now)?;
            hand_settlements::propose(tx, &scope, &proposal)?;
            idempotency::keep(tx, &scope, Kind::HandSettlement, &key, &fingerprint, now)?;
            note(tx, &scope, &proposal, kind::HAND_PROPOSED, &proposal.proposed_by, &words(&proposal), now)?;
            Ok((proposal.clone(), true))
        })
        .await?;
    app.news_of(scope.tenant());
    Ok(written)
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

/// Carries a proposal out, after the channel was asked once more. Who asks again hears how it stands.
///
/// # Errors
/// `SamePerson`, `ChannelSays`, `Refused`/`RefundRefused` if it is not open any more, `Store` (`Stale` if it was decided).
pub async fn confirm(
    app: &App,
    scope: TenantScope,
    id: HandSettlementId,
    actor: &str,
) -> Result<HandSettlement, PaymentError> {
    let proposal = load(app, scope, id).await?;
    if proposal.proposed_by == actor {
        return Err(PaymentError::SamePerson);
    }
    match proposal.state {
        State::Proposed => {}
        State::CarriedOut if is_decider(&proposal, actor) => return Ok(proposal),
        State::Refused if is_decider(&proposal, actor) => {
            return Err(PaymentError::ChannelSays(proposal.outcome.unwrap_or_default()));
        }
        State::CarriedOut | State::Refused | State::Withdrawn => return Err(DECIDED.into()),
    }
    if let Some(why) = contradicted(app, scope, &proposal).await? {
        decide(app, scope, &proposal, State::Refused, actor, &why).await?;
        return Err(PaymentError::ChannelSays(why));
    }
    let confirmed = Confirmed { proposal, by: actor.to_owned() };
    match confirmed.proposal.refund {
        None => drop(settle(app, scope, confirmed.proposal.payment, Outcome::ByHand(confirmed), actor).await?),
        Some(refund) => refund::heard(app, scope, refund, refund::Heard::ByHand(confirmed)).await?,
    }
    load(app, scope, id).await
}

/// A proposal that a second person wants carried out.
#[derive(Clone, Debug)]
pub struct Confirmed {
    proposal: HandSettlement,
    by: String,
}

impl Confirmed {
    pub(super) const fn is_paid(&self) -> bool {
        self.proposal.paid
    }

    pub(super) fn reference(&self) -> Option<String> {
        Some(self.proposal.reference.clone()).filter(|reference| !reference.is_empty())
    }

    pub(super) fn by(&self) -> &str {
        &self.by
    }

    pub(super) fn words(&self) -> String {
        words(&self.proposal)
    }

    /// Ends the proposal, in the transaction that settles what it is about. Of two who confirm at once one gets through.
    pub(super) fn end(&self, tx: &mut Tx<'_>, scope: &TenantScope, now: Millis) -> Result<(), StoreError> {
        hand_settlements::decide(tx, scope, self.proposal.id, State::CarriedOut, &self.by, "", now)?;
        note(tx, scope, &self.proposal, kind::HAND_CONFIRMED, &self.by, "", now)
    }
}

/// Takes a proposal back. Who asks again hears how it stands.
///
/// # Errors
/// `Store` (`Stale` if it was decided).
pub async fn withdraw(
    app: &App,
    scope: TenantScope,
    id: HandSettlementId,
    actor: &str,
) -> Result<HandSettlement, PaymentError> {
    let proposal = load(app, scope, id).await?;
    match proposal.state {
        State::Proposed => {}
        State::Withdrawn if is_decider(&proposal, actor) => return Ok(proposal),
        State::CarriedOut | State::Refused | State::Withdrawn => return Err(DECIDED.into()),
    }
    decide(app, scope, &proposal, State::Withdrawn, actor, "").await?;
    load(app, scope, id).await.map_err(PaymentError::once_begun)
}

const DECIDED: StoreError = StoreError::Stale { what: "the settlement by hand" };

async fn load(app: &App, scope: TenantScope, id: HandSettlementId) -> Result<HandSettlement, PaymentError> {
    Ok(app.store().read(move |tx| hand_settlements::load(tx, &scope, id)).await?)
}

fn is_decider(proposal: &HandSettlement, actor: &str) -> bool {
    proposal.decided_by.as_deref() == Some(actor)
}

/// Asks the channel once more; what speaks against the proposal, if anything does. A channel that cannot be asked does not.
async fn contradicted(
    app: &App,
    scope: TenantScope,
    proposal: &HandSettlement,
) -> Result<Option<String>, PaymentError> {
    let payment = proposal.payment;
    if proposal.refund.is_none() && app.store().read(move |tx| stored_cards::never_sent(tx, &scope, payment)).await? {
        return Ok(proposal.paid.then(|| stored::NEVER_SENT.to_owned()));
    }
    let asked = match proposal.refund {
        Some(id) => refund_calls::look(app, scope, id).await.map(|said| match said {
            Some(RefundStatus::Pending) => Some(Standing::Open),
            Some(RefundStatus::NotFound) => Some(Standing::None),
            // Had it been believed, nothing were open now.
            Some(RefundStatus::Succeeded | RefundStatus::Failed(_)) => Some(Standing::Unbelievable),
            None => None,
        }),
        None => ask(app, scope, proposal.payment).await.map(|reply| match reply.status {
            None if reply.refused.is_some() => Some(Standing::Unbelievable),
            Some(PaymentStatus::Pending) => Some(Standing::Open),
            Some(PaymentStatus::NotFound) => Some(Standing::None),
            Some(
                PaymentStatus::Succeeded | PaymentStatus::Failed(_) | PaymentStatus::Closed | PaymentStatus::Refunded,
            )
            | None => None,
        }),
    };
    let said = match asked {
        Err(error) if error.is_of_the_channel() => None,
        asked => asked?,
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
        Some(Standing::Open) => Some("it is still open".to_owned()),
        Some(Standing::Unbelievable) => {
            Some("it has an answer that cannot be believed; the timeline says why".to_owned())
        }
        Some(Standing::None) if proposal.paid => Some("it has no such order or refund".to_owned()),
        Some(Standing::None) | None => None,
    })
}

/// What a channel says of something that has not ended here.
enum Standing {
    Open,
    None,
    /// That it has ended, and not of what sum, or of another than ours.
    Unbelievable,
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
) -> Result<(), StoreError> {
    let stored = payments::load(tx, scope, proposal.payment)?;
    record(tx, scope, &stored, proposal.refund, name, words, actor, now)?;
    let detail = serde_json::json!({
        "payment": proposal.payment, "refund": proposal.refund, "paid": proposal.paid, "reference": proposal.reference,
        "reason": proposal.reason, "proposed_by": proposal.proposed_by, "by": actor, "outcome": words,
    });
    let entry = audit::NewEntry::new(actor, format!("payment.{name}"), &proposal.id, &detail, now);
    audit::append(tx, scope, &entry).map(drop)
}
